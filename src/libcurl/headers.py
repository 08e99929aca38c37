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
        #: (name, value) of every field, in the order of arrival.
        self.raw: list[tuple[bytes, bytes]] = list(_fields(easy, origin, request))

    def select(self, origin: int = lib.CURLH_HEADER, request: int = -1) -> Headers:
        """The headers of another origin or request of the same transfer."""
        return Headers(self._easy, origin, request)

    def getall(self, name: str) -> list[str]:
        """The values of all fields of this name."""
        wanted = name.lower().encode("utf-8", "surrogatepass")
        return [_text(value) for key, value in self.raw if key.lower() == wanted]

    def __getitem__(self, name: str) -> str:
        found = self.getall(name)
        if not found:
            raise KeyError(name)
        return found[0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.getall(name))

    def __iter__(self) -> Iterator[str]:
        names: dict[bytes, str] = {}
        for key, _ in self.raw:
            names.setdefault(key.lower(), _text(key))
        return iter(names.values())

    def __len__(self) -> int:
        return len({key.lower() for key, _ in self.raw})

    def __repr__(self) -> str:
        return f"<Headers {[(_text(key), _text(value)) for key, value in self.raw]}>"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _fields(easy: Engine, origin: int, request: int) -> Iterator[tuple[bytes, bytes]]:
    handle = easy._handle
    code = lib.easy_enter(handle)
    if code:
        raise easy._error(code)
    try:
        header: Any = ffi.NULL
        while header := lib.curl_easy_nextheader(handle.curl, origin, request, header):
            yield ffi.string(header.name), ffi.string(header.value)
    finally:
        lib.easy_leave(handle)
