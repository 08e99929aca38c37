"""The headers of a response, as libcurl has parsed them (curl_easy_header, 7.83)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from libcurl._native import ffi, lib
from libcurl.engine import Engine
from libcurl.errors import needs
from libcurl.raw import absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

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
        self._packed = _packed(easy, origin, request)
        parts = self._packed.decode("utf-8", "surrogateescape").split("\0")
        self._names = parts[:-1:2]
        self._values = parts[1::2]
        # In one go, because there may be many; of several fields of a name the first is found.
        self._lowered = "\0".join(self._names).lower().split("\0") if self._names else []
        self._first = dict(zip(reversed(self._lowered), reversed(self._values), strict=True))

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """(name, value) of every field, in the order of arrival."""
        parts = iter(self._packed.split(b"\0"))
        return list(zip(parts, parts))  # noqa: B905 (an empty part is left over)

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
        for lowered, name in zip(self._lowered, self._names, strict=True):
            names.setdefault(lowered, name)
        return iter(names.values())

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        return f"<Headers {list(zip(self._names, self._values, strict=True))}>"


def _packed(easy: Engine, origin: int, request: int) -> bytes:
    """Names and values, each with a NUL behind it."""
    packed = ffi.new("char **")
    size = ffi.new("size_t *")
    code = lib.easy_headers(easy._handle, origin, request, packed, size)
    if code:
        raise easy._error(code)
    data: bytes = ffi.unpack(packed[0], size[0]) if size[0] else b""
    lib.easy_free_text(packed[0])
    return data
