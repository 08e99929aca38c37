"""The headers of a response, as libcurl has parsed them (curl_easy_header, 7.83)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from libcurl._native import ffi, lib
from libcurl.engine import Engine
from libcurl.errors import needs
from libcurl.raw import absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Headers"]


class Headers(Mapping[str, str]):
    """Headers by name, in any case; taken when this object is made.

    `headers["content-type"]` is the first field of that name, `getall` gives every one. `request` counts
    from 0 through the requests of a transfer (redirects, authentication), -1 is the last; `origin` is a
    set of `HeaderOrigin` bits. Values are str, decoded as UTF-8 with surrogateescape; `raw` has bytes.
    """

    def __init__(self, easy: Engine, origin: int = lib.CURLH_HEADER, request: int = -1) -> None:
        """Take the headers of a handle's last transfer."""
        if "curl_easy_nextheader" in absent:
            raise needs("curl_easy_nextheader", absent["curl_easy_nextheader"])
        self._easy = easy
        # Split where there is a use for it: there may be many.
        self._names, self._texts = _fields(easy, origin, request)
        names = self._names.decode("utf-8", "surrogateescape")
        values = self._texts.decode("utf-8", "surrogateescape")
        self._lowered = names.lower().split("\0")
        self._values = values.split("\0")
        # What is behind the last NUL is none; of several fields of a name the first is found.
        del self._lowered[-1], self._values[-1]
        self._first = dict(zip(reversed(self._lowered), reversed(self._values), strict=True))

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """(name, value) of every field, in the order of arrival."""
        pairs = zip(self._names.split(b"\0"), self._texts.split(b"\0"), strict=True)
        return list(pairs)[:-1]

    def select(self, origin: int = lib.CURLH_HEADER, request: int = -1) -> Headers:
        """The headers of another origin or request of the same transfer."""
        return Headers(self._easy, origin, request)

    def getall(self, name: str) -> list[str]:
        """The values of all fields of this name."""
        wanted = name.lower()
        fields = zip(self._lowered, self._values, strict=True)
        return [value for lowered, value in fields if lowered == wanted]

    def __getitem__(self, name: str) -> str:
        return self._first[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __iter__(self) -> Iterator[str]:
        names: dict[str, str] = {}
        for name, _ in self._written():
            names.setdefault(name.lower(), name)
        return iter(names.values())

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        return f"<Headers {self._written()}>"

    def _written(self) -> list[tuple[str, str]]:
        names = self._names.decode("utf-8", "surrogateescape").split("\0")[:-1]
        return list(zip(names, self._values, strict=True))


def _fields(easy: Engine, origin: int, request: int) -> tuple[bytes, bytes]:
    """Names and values, each with a NUL behind it."""
    names, values = found = ffi.new("buffer[2]")
    try:
        code = lib.easy_headers(easy._handle, origin, request, found, found + 1)
        if code:
            raise easy._error(code)
        return _taken(names), _taken(values)
    finally:
        lib.easy_free_text(names.data)
        lib.easy_free_text(values.data)


def _taken(block: Any) -> bytes:
    data: bytes = ffi.unpack(block.data, block.size) if block.size else b""
    return data
