"""pycurl's infos: what is known of a transfer."""

from __future__ import annotations

import warnings

from libcurl._native import ffi, lib
from libcurl.infos import decoded, getinfo_raw
from libcurl.pycurl.names import infos

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_info_number = lib.easy_info_number
_info_real = lib.easy_info_real
_info_text = lib.easy_info_text
_string = ffi.string
_new = ffi.new

_DEPRECATED_INFOS = (
    lib.CURLINFO_CONTENT_LENGTH_DOWNLOAD,
    lib.CURLINFO_CONTENT_LENGTH_UPLOAD,
    lib.CURLINFO_SIZE_DOWNLOAD,
    lib.CURLINFO_SIZE_UPLOAD,
    lib.CURLINFO_SPEED_DOWNLOAD,
    lib.CURLINFO_SPEED_UPLOAD,
)


def _short(*types: int) -> frozenset[int]:
    """Infos that getinfo takes the short way."""
    long = {*_DEPRECATED_INFOS, lib.CURLINFO_LASTSOCKET, lib.CURLINFO_PRIVATE}
    return frozenset(info for info in infos() if info & lib.CURLINFO_TYPEMASK in types) - long


_INTS = _short(lib.CURLINFO_LONG, lib.CURLINFO_OFF_T)
_FLOATS = _short(lib.CURLINFO_DOUBLE)
_STRINGS = _short(lib.CURLINFO_STRING)
_NO_NUMBER = -1 << 63
#: Memory to copy strings to: one for each who asks meanwhile, a signal handler perhaps.
_spare: list[Any] = []
_ROOM = lib.TEXT_ROOM


def _invalid() -> Exception:
    return ValueError("invalid argument to getinfo")


class InfoMethods:
    """What a Curl has of them."""

    __slots__ = ()

    _check: Any
    _handle: Any
    _no_info: Any = staticmethod(_invalid)

    def getinfo(self, info: int) -> Any:
        """What is known of the last transfer, text as str."""
        if info in _INTS:
            number: int = _info_number(self._handle, info)
            if number != _NO_NUMBER:
                return number
        elif info in _FLOATS:
            real: float = _info_real(self._handle, info)
            if real == real:
                return real
        elif info in _STRINGS:
            try:
                room = _spare.pop()
            except IndexError:
                room = _new("char[]", _ROOM)
            text = _info_text(self._handle, info, room)
            data = text and _string(text)
            _spare.append(room)
            if data:
                try:
                    return data.decode()
                except UnicodeDecodeError:
                    pass
        return decoded(self.getinfo_raw(info))

    def getinfo_raw(self, info: int) -> Any:
        """What is known of the last transfer, text as bytes."""
        if not isinstance(info, int):
            raise TypeError(f"'{type(info).__name__}' object cannot be interpreted as an integer")
        if info in _DEPRECATED_INFOS:
            warnings.warn("getinfo option is deprecated", DeprecationWarning, 2)
        self._check("getinfo")
        if info == lib.CURLINFO_LASTSOCKET:
            info = lib.CURLINFO_ACTIVESOCKET
        value = getinfo_raw(self, info)  # type: ignore[arg-type]
        if info == lib.CURLINFO_CERTINFO:
            return [
                tuple(field if len(field) > 1 else field[0] for field in certificate)
                for certificate in value
            ]
        return value
