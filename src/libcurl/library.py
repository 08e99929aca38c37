"""Functions of libcurl that need no handle."""

from __future__ import annotations

from typing import NamedTuple

from libcurl._native import ffi, lib
from libcurl.errors import Error, needs
from libcurl.options import Option, every
from libcurl.raw import LOADED_TEXT, absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "OptionInfo",
    "VersionInfo",
    "escape",
    "getdate",
    "global_trace",
    "options",
    "unescape",
    "version",
    "version_info",
]


class VersionInfo(NamedTuple):
    """What curl_version_info tells of the loaded libcurl; None or 0 for what it lacks."""

    version: str
    version_num: int
    host: str
    features: frozenset[str]
    protocols: tuple[str, ...]
    ssl_version: str | None
    libz_version: str | None
    ares: str | None
    libidn: str | None
    libssh_version: str | None
    brotli_version: str | None
    nghttp2_version: str | None
    quic_version: str | None
    zstd_version: str | None
    cainfo: str | None
    capath: str | None


class OptionInfo(NamedTuple):
    """An option as the loaded libcurl describes it."""

    name: str
    id: int
    type: str


def version() -> str:
    """libcurl and the libraries it uses, in one line (curl_version)."""
    return _text(lib.curl_version()) or ""


def version_info() -> VersionInfo:
    """The version, features and protocols of the loaded libcurl (curl_version_info)."""
    from libcurl import constants

    info = lib.curl_version_info(lib.CURLVERSION_NOW)
    features = frozenset(
        name for name, bit in constants.members("Version").items() if info.features & bit
    )
    protocols = []
    row = info.protocols
    while row[0]:
        protocols.append(ffi.string(row[0]).decode())
        row += 1
    return VersionInfo(
        LOADED_TEXT,
        info.version_num,
        _text(info.host) or "",
        features,
        tuple(protocols),
        *(
            _text(getattr(info, name)) if info.age >= age else None
            for name, age in (
                ("ssl_version", lib.CURLVERSION_FIRST),
                ("libz_version", lib.CURLVERSION_FIRST),
                ("ares", lib.CURLVERSION_SECOND),
                ("libidn", lib.CURLVERSION_THIRD),
                ("libssh_version", lib.CURLVERSION_FOURTH),
                ("brotli_version", lib.CURLVERSION_FIFTH),
                ("nghttp2_version", lib.CURLVERSION_SIXTH),
                ("quic_version", lib.CURLVERSION_SIXTH),
                ("zstd_version", lib.CURLVERSION_EIGHTH),
                ("cainfo", lib.CURLVERSION_SEVENTH),
                ("capath", lib.CURLVERSION_SEVENTH),
            )
        ),
    )


def options() -> list[OptionInfo]:
    """The options that the loaded libcurl offers, with the types of their values (7.73).

    Types are the names of `EasyType`: LONG, VALUES, OFF_T, STRING, SLIST, BLOB, OBJECT, FUNCTION, CBPTR.
    """
    from libcurl import constants

    types = {number: name for name, number in reversed(constants.members("EasyType").items())}
    return [OptionInfo(option.name, option.id, types[option.type]) for option in _every()]


def _every() -> list[Option]:
    return list(every())


def escape(text: str | bytes) -> str:
    """URL-encode (curl_easy_escape): all but letters, digits, `-`, `.`, `_` and `~`."""
    data = _bytes(text)
    if not data:
        return ""
    return _owned(lib.curl_easy_escape(ffi.NULL, data, len(data))).decode()


def unescape(text: str | bytes) -> bytes:
    """URL-decode (curl_easy_unescape); bytes, because anything may come out."""
    data = _bytes(text)
    if not data:
        return b""
    length = ffi.new("int *")
    found = lib.curl_easy_unescape(ffi.NULL, data, len(data), length)
    return _owned(found, length[0])


def getdate(text: str) -> int:
    """Seconds since 1970 of a date in any of HTTP's formats (curl_getdate); ValueError for none."""
    data = _bytes(text)
    seconds: int = -1 if b"\0" in data else lib.curl_getdate(data, ffi.NULL)
    if seconds == -1:
        raise ValueError(f"{text!r} is no date that libcurl understands")
    return seconds


def global_trace(config: str) -> None:
    """What verbose transfers tell: "tcp", "-all" and the like (curl_global_trace, libcurl 8.3)."""
    if "curl_global_trace" in absent:
        raise needs("curl_global_trace", absent["curl_global_trace"])
    data = _bytes(config)
    code = lib.CURLE_BAD_FUNCTION_ARGUMENT if b"\0" in data else lib.curl_global_trace(data)
    if code:
        raise Error(code, f"curl_global_trace refuses {config!r}")


def _bytes(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    return bytes(memoryview(text))


def _owned(found: Any, size: int = -1) -> bytes:
    """A string that libcurl gave away."""
    if not found:
        raise MemoryError
    data: bytes = ffi.string(found) if size < 0 else ffi.unpack(found, size)
    lib.curl_free(found)
    return data


def _text(string: Any) -> str | None:
    return ffi.string(string).decode("utf-8", "surrogateescape") if string else None
