"""URLs as libcurl reads and writes them (curl_url)."""

from __future__ import annotations

from _operator import index

from libcurl._native import ffi, lib
from libcurl.errors import UrlError
from libcurl.memory import backstop
from libcurl.options import Option
from libcurl.raw import absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict

    from typing_extensions import Self, Unpack

    class Parts(TypedDict, total=False):
        """The parts of a URL, as keywords; None removes one."""

        scheme: str | bytes | None
        user: str | bytes | None
        password: str | bytes | None
        options: str | bytes | None
        host: str | bytes | None
        port: int | str | bytes | None
        path: str | bytes | None
        query: str | bytes | None
        fragment: str | bytes | None
        zoneid: str | bytes | None


__all__ = ["Url"]

#: CURLUPART by name, in the order in which they are set: a zone is of a host.
PARTS = {
    name: getattr(lib, f"CURLUPART_{name.upper()}")
    for name in (
        "url",
        "scheme",
        "user",
        "password",
        "options",
        "host",
        "zoneid",
        "port",
        "path",
        "query",
        "fragment",
    )
}
_NAMES = {number: name for name, number in PARTS.items()}

#: What curl_url_get says of a part that the URL does not have.
_MISSING = frozenset(
    (
        lib.CURLUE_NO_SCHEME,
        lib.CURLUE_NO_USER,
        lib.CURLUE_NO_PASSWORD,
        lib.CURLUE_NO_OPTIONS,
        lib.CURLUE_NO_HOST,
        lib.CURLUE_NO_PORT,
        lib.CURLUE_NO_QUERY,
        lib.CURLUE_NO_FRAGMENT,
        lib.CURLUE_NO_ZONEID,
    )
)
#: Every text that libcurl has written is read back with these.
_LENIENT = (
    lib.CURLU_NON_SUPPORT_SCHEME
    | lib.CURLU_PATH_AS_IS
    | lib.CURLU_NO_AUTHORITY
    | lib.CURLU_ALLOW_SPACE
)


class UrlEngine:
    """A CURLU. Each face derives its own class from this one; it can be changed."""

    __slots__ = ("__weakref__", "_backstop", "_cell")

    #: Where the CURLU is; NULL once it is freed.
    _cell: Any
    _backstop: Any

    def _begin(self, curlu: Any = None) -> None:
        """Take a CURLU over, or make an empty one (curl_url)."""
        if curlu is None:
            curlu = lib.curl_url()
        if not curlu:
            raise MemoryError("no memory for a URL")
        self._cell = ffi.new("CURLU **", curlu)
        self._backstop = backstop(self._cell, lib.url_end)

    def _copy(self) -> Any:
        """A CURLU of its own with the same parts (curl_url_dup)."""
        return lib.curl_url_dup(self._handle())

    def _handle(self) -> Any:
        curlu = self._cell[0]
        if not curlu:
            raise ValueError("this URL is closed")
        return curlu

    def _close(self) -> None:
        """Free the CURLU (curl_url_cleanup). Idempotent."""
        lib.url_end(self._cell)

    def _get(self, part: int, flags: int = 0) -> bytes | None:
        """A part, None where the URL has none (curl_url_get)."""
        found = ffi.new("char **")
        code = lib.curl_url_get(self._handle(), part, found, flags)
        if not code:
            try:
                text: bytes = ffi.string(found[0])
            finally:
                lib.curl_free(found[0])
            return text
        # 7.74 knows no code for a zone that is not there.
        if (code in _MISSING and part != lib.CURLUPART_URL) or (
            code == lib.CURLUE_UNKNOWN_PART and part == lib.CURLUPART_ZONEID
        ):
            return None
        raise self._error(code, part)

    def _set(self, part: int, value: bytes | None, flags: int = 0) -> None:
        """Change a part; None removes it (curl_url_set)."""
        code = lib.curl_url_set(self._handle(), part, ffi.NULL if value is None else value, flags)
        if code:
            raise self._error(code, part)

    def _error(self, code: int, part: int) -> Exception:
        """Hook: the face's exception for a CURLUcode. The URL may be secret: it is not told."""
        name = f"CURLUPART_{_NAMES.get(part, str(part)).upper()}"
        return UrlError(code, f"{name}: {strerror(code)}")


def strerror(code: int) -> str:
    """What libcurl says of a CURLUcode (curl_url_strerror, 7.80); before, the name of the code."""
    if "curl_url_strerror" not in absent:
        text: bytes = ffi.string(lib.curl_url_strerror(code))
        return text.decode()
    from libcurl.constants import UCode

    names = [member.name for member in UCode if member == code]
    return "".join(names or ["unknown"]).lower().replace("_", " ")


class Url(UrlEngine):
    """A URL, taken apart and put together by libcurl's own rules.

    `Url("https://curl.se/docs?x=1")`, or from parts: `Url(scheme="https", host="curl.se")`, or
    both: keywords replace parts of the text. `flags` are `UFlag` bits, for the text and for the
    parts.

    A Url is a complete one (`str` gives it) and does not change: `replace` and `join` give new
    ones. Equal are those whose text is, as libcurl writes it. Parts are str, decoded as UTF-8 with
    surrogateescape.

    What libcurl refuses is a UrlError. A text with user and password is shown without them.
    """

    __slots__ = ("_text",)

    _text: str

    def __init__(
        self, url: str | bytes | Url | None = None, flags: int = 0, **parts: Unpack[Parts]
    ) -> None:
        """Parse a text (curl_url_set), and set parts."""
        if isinstance(url, Url):
            self._begin(url._copy())
        else:
            self._begin()
            if url is not None:
                self._set(lib.CURLUPART_URL, _bytes("url", url), index(flags))
        self._finish(parts, index(flags))

    def _finish(self, parts: Any, flags: int) -> None:
        """Set parts; from then on it stays as it is."""
        unknown = parts.keys() - PARTS.keys() | parts.keys() & {"url"}
        if unknown:
            raise TypeError(f"{min(unknown)!r} is no part of a URL")
        for name, part in PARTS.items():
            if name in parts:
                value = parts[name]
                self._set(part, None if value is None else _bytes(name, value), flags)
        text = self._get(lib.CURLUPART_URL)
        assert text is not None
        self._text = text.decode("utf-8", "surrogateescape")

    def get(self, part: int | str, flags: int = 0) -> str | None:
        """A part (curl_url_get): a `UPart`, its number or its name; None where the URL has none.

        `flags` are `UFlag` bits: URLDECODE, DEFAULT_PORT, PUNYCODE, ...
        """
        if isinstance(part, str):
            try:
                number = PARTS[part.lower()]
            except KeyError:
                raise TypeError(f"{part!r} is no part of a URL") from None
        else:
            number = index(part)
        found = self._get(number, index(flags))
        return None if found is None else found.decode("utf-8", "surrogateescape")

    def replace(self, flags: int = 0, **parts: Unpack[Parts]) -> Self:
        """A new one with other parts; None removes one (curl_url_dup, curl_url_set).

        With `UFlag.URLENCODE` values are encoded, with `UFlag.APPENDQUERY` a query is added to what
        is there.
        """
        made = self._twin()
        made._finish(parts, index(flags))
        return made

    def join(self, relative: str | bytes | Url, flags: int = 0) -> Self:
        """What a link on the page of this URL means: a new one (curl_url_dup, curl_url_set)."""
        made = self._twin()
        made._set(lib.CURLUPART_URL, _bytes("url", relative), index(flags))
        made._finish({}, 0)
        return made

    def _twin(self) -> Self:
        made: Self = type(self).__new__(type(self))
        made._begin(self._copy())
        return made

    @property
    def scheme(self) -> str | None:
        """`https`, in lower case."""
        return self.get(lib.CURLUPART_SCHEME)

    @property
    def user(self) -> str | None:
        """The user name, encoded as it is in the URL, as all parts are."""
        return self.get(lib.CURLUPART_USER)

    @property
    def password(self) -> str | None:
        """The password."""
        return self.get(lib.CURLUPART_PASSWORD)

    @property
    def options(self) -> str | None:
        """Login options, which only IMAP, POP3 and SMTP URLs have."""
        return self.get(lib.CURLUPART_OPTIONS)

    @property
    def host(self) -> str | None:
        """The host name, or an address; one of IPv6 in brackets."""
        return self.get(lib.CURLUPART_HOST)

    @property
    def port(self) -> int | None:
        """The port, where the URL has one; `get("port", UFlag.DEFAULT_PORT)` knows the scheme's."""
        found = self.get(lib.CURLUPART_PORT)
        return None if found is None else int(found)

    @property
    def path(self) -> str | None:
        """The path, at least `/`."""
        return self.get(lib.CURLUPART_PATH)

    @property
    def query(self) -> str | None:
        """The query, without its question mark."""
        return self.get(lib.CURLUPART_QUERY)

    @property
    def fragment(self) -> str | None:
        """The fragment, without its hash sign."""
        return self.get(lib.CURLUPART_FRAGMENT)

    @property
    def zoneid(self) -> str | None:
        """The zone of an IPv6 address."""
        return self.get(lib.CURLUPART_ZONEID)

    def _option_text(self) -> bytes:
        """What a string option is given."""
        return self._text.encode("utf-8", "surrogateescape")

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        text = self._text
        if self.user is not None or self.password is not None or self.options is not None:
            bare = UrlEngine()
            bare._begin(self._copy())
            for part in (lib.CURLUPART_USER, lib.CURLUPART_PASSWORD, lib.CURLUPART_OPTIONS):
                bare._set(part, None)
            text = (bare._get(lib.CURLUPART_URL) or b"").decode("utf-8", "surrogateescape")
            text = text.replace("://", "://***@", 1)
        return f"{type(self).__name__}({text!r})"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Url) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._text, _LENIENT)


def _bytes(name: str, value: object) -> bytes:
    """A part as a C string."""
    if isinstance(value, Url):
        return value._option_text()
    if isinstance(value, int) and name == "port" and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogateescape")
    elif isinstance(value, bytes):
        data = value
    else:
        raise TypeError(f"the {name} of a URL is str or bytes, not {type(value).__name__}")
    if b"\0" in data:
        raise ValueError(f"the {name} of a URL has no NUL inside")
    return data


def copy_for(option: Option, value: object) -> UrlEngine:
    """A CURLU for CURLOPT_CURLU, which nobody else can change or free."""
    if not isinstance(value, UrlEngine):
        raise option.refused(value, "a Url")
    copy = UrlEngine()
    copy._begin(value._copy())
    return copy
