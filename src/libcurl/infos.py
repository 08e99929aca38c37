"""What libcurl knows of a transfer: getinfo. The type of an info is part of its number."""

from __future__ import annotations

from _operator import index

from libcurl._native import ffi, lib
from libcurl.engine import Engine
from libcurl.options import by_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from libcurl._options import Infos as _Attributes
else:
    _Attributes = object

_STRING = lib.CURLINFO_STRING
_LONG = lib.CURLINFO_LONG
_DOUBLE = lib.CURLINFO_DOUBLE
_SLIST = lib.CURLINFO_SLIST
_SOCKET = lib.CURLINFO_SOCKET
_OFF_T = lib.CURLINFO_OFF_T
_TYPES = lib.CURLINFO_TYPEMASK

_numbers: dict[str, int] = {}


def number(info: int | str) -> int:
    """The CURLINFO that an Info, an int or a name means."""
    if not isinstance(info, str):
        return index(info)
    found = _numbers.get(info)
    if found is None:
        from libcurl import constants

        members = constants.members("Info")
        name = info.upper().removeprefix("CURLINFO_")
        if name not in members:
            from difflib import get_close_matches

            close = get_close_matches(info.lower(), [member.lower() for member in members], 1)
            hint = f": did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"{info!r} is no info of libcurl{hint}")
        found = _numbers[info] = members[name]
    return found


#: Memory to find infos in: one for each who asks meanwhile.
_spare: list[Any] = []


def getinfo_raw(easy: Engine, info: int | str) -> Any:
    """The value of an info, strings as bytes."""
    code_of_info = number(info)
    if code_of_info == lib.CURLINFO_PRIVATE:
        if not easy._handle.curl:
            raise easy._error(lib.HANDLE_CLOSED)
        return easy._settings.get(by_name["private"])
    handle = easy._handle
    kind = code_of_info & _TYPES
    if kind == _STRING:
        return _string(easy, code_of_info)
    depth = lib.easy_depth(handle)
    try:
        found = _spare.pop()
    except IndexError:
        found = ffi.new("found *")
    try:
        code = lib.easy_enter_to_look(handle)  # what is found may belong to the handle
        if not code:
            code = lib.easy_getinfo(handle, code_of_info, found)
        if not code:
            return _value(found, kind, code_of_info)
    finally:
        lib.easy_leave_to(handle, depth)
        _spare.append(found)
    raise _error(easy, code, code_of_info)


def _value(found: Any, kind: int, info: int) -> Any:
    """What libcurl has found, by the type of the info."""
    if kind == _LONG:
        return found.number
    if kind == _OFF_T:
        return found.offset
    if kind == _DOUBLE:
        return found.real
    if kind == _SOCKET:
        return ffi.cast("curl_socket_t *", found)[0]
    return _pointer(info, found.pointer)


def _string(easy: Engine, info: int) -> bytes | None:
    text = ffi.new("char **")
    code = lib.easy_getinfo_text(easy._handle, info, text)
    if code:
        raise _error(easy, code, info)
    if not text[0]:
        return None
    found: bytes = ffi.string(text[0])
    lib.easy_free_text(text[0])
    return found


def getinfo(easy: Engine, info: int | str) -> Any:
    """The value of an info, strings as str."""
    value = getinfo_raw(easy, info)
    return value if number(info) == lib.CURLINFO_PRIVATE else decoded(value)


def decoded(value: Any) -> Any:
    """The value of an info with its bytes as str."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if isinstance(value, tuple):
        return tuple(decoded(item) for item in value)
    return value


def _strings(slist: Any) -> list[bytes]:
    found = []
    while slist:
        found.append(ffi.string(slist.data))
        slist = slist.next
    return found


def _pointer(info: int, pointer: Any) -> Any:
    """Infos of the kinds SLIST and PTR, which share their type bits."""
    if info == lib.CURLINFO_CERTINFO:
        certificates = ffi.cast("struct curl_certinfo *", pointer)
        count = certificates.num_of_certs if certificates else 0
        return [
            [tuple(line.split(b":", 1)) for line in _strings(certificates.certinfo[i])]
            for i in range(count)
        ]
    if info in (lib.CURLINFO_TLS_SESSION, lib.CURLINFO_TLS_SSL_PTR):
        session = ffi.cast("struct curl_tlssessioninfo *", pointer)
        return session.backend, int(ffi.cast("uintptr_t", session.internals))
    slist = ffi.cast("struct curl_slist *", pointer)
    found = _strings(slist)
    lib.curl_slist_free_all(slist)
    return found


def _error(easy: Engine, code: int, info: int) -> Exception:
    if code not in (lib.CURLE_UNKNOWN_OPTION, lib.CURLE_BAD_FUNCTION_ARGUMENT):
        return easy._error(code)
    if easy._no_info is not None:
        return easy._no_info()
    from libcurl import constants
    from libcurl.errors import needs
    from libcurl.raw import LOADED

    for name, value in constants.members("Info").items():
        if value == info:
            since = constants.added(f"CURLINFO_{name}")
            if tuple(map(int, since.split("."))) > LOADED:
                return needs(f"CURLINFO_{name}", since)
            return easy._make_error(code, f"CURLINFO_{name} is not built into this libcurl", 0)
    return TypeError(f"{info} is no info of libcurl")


class Infos(_Attributes):
    """Infos as attributes in lower case: `easy.info.response_code` is CURLINFO_RESPONSE_CODE."""

    __slots__ = ("_easy",)

    def __init__(self, easy: Engine) -> None:
        self._easy = easy

    def __getattr__(self, name: str) -> Any:
        try:
            known = number(name)
        except TypeError as error:
            raise AttributeError(str(error)) from None
        return getinfo(self._easy, known)

    def __dir__(self) -> list[str]:
        from libcurl import constants

        return [name.lower() for name in constants.members("Info")]

    def __repr__(self) -> str:
        return f"<infos of {self._easy!r}>"
