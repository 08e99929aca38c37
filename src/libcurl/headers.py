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
        #: (name, value) of every field, in the order of arrival.
        self.raw: list[tuple[bytes, bytes]] = _fields(easy, origin, request)
        self._fields: dict[str, tuple[str, list[str]]] = {}
        for name, value in self.raw:
            text = name.decode("utf-8", "surrogateescape")
            _, values = self._fields.setdefault(text.lower(), (text, []))
            values.append(value.decode("utf-8", "surrogateescape"))

    def select(self, origin: int = lib.CURLH_HEADER, request: int = -1) -> Headers:
        """The headers of another origin or request of the same transfer."""
        return Headers(self._easy, origin, request)

    def getall(self, name: str) -> list[str]:
        """The values of all fields of this name."""
        return list(self._fields.get(name.lower(), ("", ()))[1])

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][1][0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._fields.values()])

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        fields = [(name, value) for name, values in self._fields.values() for value in values]
        return f"<Headers {fields}>"


def _fields(easy: Engine, origin: int, request: int) -> list[tuple[bytes, bytes]]:
    packed = ffi.new("char **")
    size = ffi.new("size_t *")
    code = lib.easy_headers(easy._handle, origin, request, packed, size)
    if code:
        raise easy._error(code)
    parts = iter(ffi.unpack(packed[0], size[0]).split(b"\0") if size[0] else ())
    lib.easy_free_text(packed[0])
    return list(zip(parts, parts))  # noqa: B905 (an empty part is left over)
