"""Options: what libcurl says of each, and how a Python value becomes what it takes.

libcurl describes its own options (`curl_easy_option_by_name`, 7.73), so that those which take numbers,
strings, lists and blobs need no table here: one that libcurl adds next year works at once. Only
options that take a callback or an object are known by name, where their handle sets them.
"""

from __future__ import annotations

import os
from _operator import index

from libcurl import raw
from libcurl._native import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

NUMBER, TEXT, LIST, BLOB, SPECIAL = range(5)

_KINDS = {
    lib.CURLOT_LONG: NUMBER,
    lib.CURLOT_VALUES: NUMBER,
    lib.CURLOT_OFF_T: NUMBER,
    lib.CURLOT_STRING: TEXT,
    lib.CURLOT_SLIST: LIST,
    lib.CURLOT_BLOB: BLOB,
}
#: Numbers, but of an object: the size of what POSTFIELDS points to.
SIZES = (lib.CURLOPT_POSTFIELDSIZE, lib.CURLOPT_POSTFIELDSIZE_LARGE)
_LONG_BITS = 8 * ffi.sizeof("long") - 1
_TEXT_MOST = 8_000_000

#: Numbers that decide the method of a request, as POSTFIELDS and MIMEPOST do: the last one set counts.
METHODS = (
    lib.CURLOPT_HTTPGET,
    lib.CURLOPT_POST,
    lib.CURLOPT_UPLOAD,
    lib.CURLOPT_PUT,
    lib.CURLOPT_NOBODY,
)

#: Options that are a value and nothing else, so that setting them once more, in any order, changes
#: nothing: libcurl does not act when they are set, and a transfer does not change what they stand for.
VALUES = frozenset(
    """
    url useragent referer accept_encoding cookie customrequest interface proxy noproxy
    timeout_ms connecttimeout_ms low_speed_limit low_speed_time
    followlocation maxredirs failonerror maxfilesize_large noprogress nosignal verbose
    tcp_nodelay tcp_keepalive tcp_keepidle tcp_keepintvl ipresolve
    ssl_verifypeer ssl_verifyhost cainfo capath protocols_str redir_protocols_str
    """.split()
)


class Option:
    """An option of the loaded libcurl (struct curl_easyoption)."""

    __slots__ = ("_lowest", "id", "kind", "name", "slot", "type")

    def __init__(self, row: Any) -> None:
        """`row` is what libcurl's introspection gives."""
        #: The name in lower case, as keywords have it.
        self.name: str = ffi.string(row.name).decode().lower()
        #: Where a handle keeps the callable of a FUNCTION option.
        self.slot = f"_{self.name}"
        #: The CURLoption.
        self.id: int = row.id
        #: The CURLOT type of its value.
        self.type: int = row.type
        self.kind = SPECIAL if self.id in SIZES else _KINDS.get(self.type, SPECIAL)
        self._lowest = -1 << (63 if self.type == lib.CURLOT_OFF_T else _LONG_BITS)

    def __repr__(self) -> str:
        return f"<Option CURLOPT_{self.name.upper()}>"

    def refused(self, value: object, expected: str) -> TypeError:
        """The exception for a value of the wrong type."""
        return TypeError(
            f"CURLOPT_{self.name.upper()} takes {expected}, not {type(value).__name__}"
        )

    def number(self, value: Any) -> int:
        """An int in the range of what this option takes."""
        try:
            number = index(value)
        except TypeError:
            raise self.refused(value, "an int") from None
        if not self._lowest <= number < -self._lowest:
            raise ValueError(f"CURLOPT_{self.name.upper()}: {number} is out of range")
        return number

    def text(self, value: Any) -> bytes:
        """A C string: str as UTF-8, paths as the file system has them, a Url, a Cookie."""
        if isinstance(value, str):
            data = value.encode("utf-8", "surrogateescape")
        elif isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
        elif isinstance(value, os.PathLike):
            data = os.fsencode(value)
        elif hasattr(value, "_option_text"):
            data = value._option_text()
        else:
            raise self.refused(value, "str, bytes or a path")
        if b"\0" in data:
            raise ValueError(f"CURLOPT_{self.name.upper()}: a string has no NUL inside")
        if len(data) > _TEXT_MOST:
            raise ValueError(
                f"CURLOPT_{self.name.upper()}: a string has at most {_TEXT_MOST} bytes"
            )
        return data

    def texts(self, value: Iterable[Any]) -> list[bytes]:
        """C strings."""
        if isinstance(value, (str, bytes, bytearray, memoryview, dict)):
            raise self.refused(value, "an iterable of strings")
        try:
            items = iter(value)
        except TypeError:
            raise self.refused(value, "an iterable of strings") from None
        return [self.text(item) for item in items]


class Keyword(Option):
    """A keyword of ours that is set as an option is."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        """`name` is none of libcurl's."""
        self.name = name
        self.slot = ""
        self.id = self.type = -1
        self.kind = SPECIAL

    def __repr__(self) -> str:
        return f"<Keyword {self.name}>"


#: Ready-made answers to the socket callbacks (`libcurl.sockets`).
Sockets = Keyword("sockets")


class Options(dict[str, Option]):
    """Options by name, each asked for once."""

    def __missing__(self, name: str) -> Option:
        known = name.isascii() and name.isidentifier() and name == name.lower()
        row = lib.curl_easy_option_by_name(name.encode()) if known else ffi.NULL
        if not row:
            if name == Sockets.name:
                self[name] = Sockets
                return Sockets
            raise _unknown(name)
        option = by_number[row.id] if row.flags & lib.CURLOT_FLAG_ALIAS else Option(row)
        # Of two threads that come here at once, both get the option of the first: there is one of each.
        return self.setdefault(name, option)


class _Numbers(dict[int, Option]):
    """Options by number: Opt members and ints."""

    def __missing__(self, number: int) -> Option:
        row = lib.curl_easy_option_by_id(number) if 0 < number < 1 << 31 else ffi.NULL
        if not row:
            raise _unknown_number(number)
        option = self[number] = by_name[ffi.string(row.name).decode().lower()]
        return option


by_name = Options()
by_number = _Numbers()


def find(option: object) -> Option:
    """The option that an Opt, an int or a name means."""
    if isinstance(option, str):
        return by_name[option.lower().removeprefix("curlopt_")]
    try:
        return by_number[index(option)]  # type: ignore[arg-type]
    except TypeError as error:
        if isinstance(option, int):
            raise
        raise TypeError(
            f"an option is an Opt, an int or a name, not {type(option).__name__}"
        ) from error


def every() -> Iterator[Option]:
    """All options of the loaded libcurl, aliases aside, in its order."""
    row = lib.curl_easy_option_next(ffi.NULL)
    while row:
        if not row.flags & lib.CURLOT_FLAG_ALIAS:
            yield Option(row)
        row = lib.curl_easy_option_next(row)


def _since(name: str) -> str | None:
    from libcurl import constants

    try:
        return constants.added(name)
    except KeyError:
        return None


def _unknown(name: str) -> Exception:
    """For a name that the loaded libcurl does not have."""
    c_name = f"CURLOPT_{name.upper()}"
    since = _since(c_name)
    if since and name == name.lower() and tuple(map(int, since.split("."))) > raw.LOADED:
        from libcurl.errors import needs

        return needs(c_name, since)
    from difflib import get_close_matches

    close = get_close_matches(name.lower(), [option.name for option in every()], 1)
    hint = f": did you mean {close[0]!r}?" if close else ""
    return TypeError(f"{name!r} is no option of libcurl{hint}")


def _unknown_number(number: int) -> Exception:
    """For a number that the loaded libcurl does not have."""
    from libcurl import constants

    for name, value in constants.members("Opt").items():
        if value == number:
            return _unknown(name.lower())
    return TypeError(f"{number} is no option of libcurl")
