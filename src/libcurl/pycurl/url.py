"""`CurlUrl`: pycurl's face of a URL, which can be changed."""

from __future__ import annotations

from _thread import allocate_lock
from operator import index

from libcurl._native import lib
from libcurl.pycurl.common import error, number, text
from libcurl.url import PARTS, UrlEngine, strerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from typing import Any, NoReturn

    from typing_extensions import Self

    class Part:
        """A part of a URL, None where there is none."""

        def __get__(self, url: CurlUrl | None, kind: type[CurlUrl]) -> str | None: ...
        def __set__(self, url: CurlUrl, value: str | bytes | None) -> None: ...
        def __delete__(self, url: CurlUrl) -> None: ...

    class Port(Part):
        """May be given as a number."""

        def __set__(self, url: CurlUrl, value: int | str | bytes | None) -> None: ...


# What libcurl says of a whole URL that lacks one of these.
_INCOMPLETE = (lib.CURLUE_NO_SCHEME, lib.CURLUE_NO_HOST)


class CurlUrl(UrlEngine):
    """A URL by its parts, as pycurl has it."""

    __module__ = "pycurl"

    url: Part
    scheme: Part
    user: Part
    password: Part
    options: Part
    host: Part
    zoneid: Part
    port: Port
    path: Part
    query: Part
    fragment: Part

    #: One thread at a time reads or changes it.
    _lock: LockType

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Parse a text; a subclass takes arguments of its own."""
        self = super().__new__(cls)
        self._begin()
        if cls is CurlUrl:
            self._parse(*args, **kwargs)
        return self

    def __init__(self, url: str | bytes | None = None, flags: int = 0) -> None:
        """From a text, or empty."""

    def _parse(self, url: str | bytes | None = None, flags: int = 0) -> None:
        if url is not None:
            self.setpart(lib.CURLUPART_URL, url, flags)

    def _begin(self, curlu: Any = None) -> None:
        super()._begin(curlu)
        self._lock = allocate_lock()

    def _copy(self) -> Any:
        with self._lock:
            return super()._copy()

    def _get(self, part: int, flags: int = 0) -> bytes | None:
        with self._lock:
            try:
                return super()._get(part, flags)
            except error as failure:
                if failure.code in _INCOMPLETE:
                    return None
                raise

    def _set(self, part: int, value: bytes | None, flags: int = 0) -> None:
        with self._lock:
            super()._set(part, value, flags)

    def _error(self, code: int, part: int) -> Exception:
        return error(code, strerror(code))

    def getpart(self, part: int, flags: int = 0) -> str | None:
        """A part, None where there is none."""
        found = self._get(number(part), index(flags))
        return None if found is None else found.decode("utf-8", "replace")

    def setpart(self, part: int, value: str | bytes | None, flags: int = 0) -> None:
        """Change a part; None removes it."""
        if value is not None and not isinstance(value, (str, bytes)):
            raise TypeError("a URL part must be a string, bytes, or None")
        self._set(number(part), None if value is None else text(value), index(flags))

    def __copy__(self) -> Self:
        twin = UrlEngine.__new__(type(self))
        twin._begin(self._copy())
        return twin

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    def __getstate__(self) -> NoReturn:
        raise TypeError("CurlUrl objects do not support serialization")

    def __setstate__(self, state: object) -> NoReturn:
        raise TypeError("CurlUrl objects do not support deserialization")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__getstate__()

    def __str__(self) -> str:
        found = self.getpart(lib.CURLUPART_URL)
        if found is None:
            raise error("cannot serialise an incomplete URL")
        return found

    def __repr__(self) -> str:
        try:
            shown = f'"{self}"'
        except error:
            shown = "(incomplete)"
        return f"<pycurl.CurlUrl {shown} at {id(self):#x}>"


def _part(name: str, part: int) -> property:
    def get(self: CurlUrl) -> str | None:
        return self.getpart(part)

    def change(self: CurlUrl, value: Any) -> None:
        self.setpart(part, str(value) if name == "port" and isinstance(value, int) else value)

    def remove(self: CurlUrl) -> None:
        self.setpart(part, None)

    return property(get, change, remove, f"The {name}; None where there is none.")


for _name, _number in PARTS.items():
    setattr(CurlUrl, _name, _part(_name, _number))
