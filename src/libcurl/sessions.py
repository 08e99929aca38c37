"""TLS sessions, to be taken up again elsewhere (curl_easy_ssls_export and _import, 8.12)."""

from __future__ import annotations

from typing import NamedTuple

from libcurl._native import ffi, lib
from libcurl.engine import Engine
from libcurl.errors import needs
from libcurl.raw import absent
from libcurl.registry import failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["TLSSession"]


class TLSSession(NamedTuple):
    """A TLS session: `data` is to be kept, and either `key` or `shmac`. All of it is secret."""

    #: Host, port and TLS settings in plain text; None where the session is known by `shmac` only.
    key: str | None
    #: A salted hash of the key.
    shmac: bytes
    data: bytes
    #: Seconds since 1970.
    valid_until: int = 0
    #: 0x0304 for TLS 1.3.
    tls_id: int = 0
    alpn: str | None = None
    #: How many bytes the server takes as early data.
    earlydata_max: int = 0

    def __repr__(self) -> str:
        host = (self.key or "").partition(":")[0]
        return f"<TLSSession with {host!r} until {self.valid_until}>"


#: What is being exported, by handle.
_exports: dict[int, list[TLSSession]] = {}


@ffi.def_extern(error=lib.CURLE_ABORTED_BY_CALLBACK, onerror=failed)
def python_session(
    easy: int,
    key: Any,
    shmac: Any,
    shmac_size: int,
    data: Any,
    size: int,
    valid_until: int,
    tls_id: int,
    alpn: Any,
    earlydata_max: int,
) -> int:
    """The callback of curl_easy_ssls_export."""
    _exports[easy].append(
        TLSSession(
            ffi.string(key).decode("utf-8", "surrogateescape") if key else None,
            bytes(ffi.buffer(shmac, shmac_size)) if shmac else b"",
            bytes(ffi.buffer(data, size)),
            valid_until,
            tls_id,
            ffi.string(alpn).decode("ascii", "replace") if alpn else None,
            earlydata_max,
        )
    )
    return lib.CURLE_OK  # type: ignore[no-any-return]


def ssls_export(easy: Engine) -> list[TLSSession]:
    """`Easy.ssls_export`."""
    if "curl_easy_ssls_export" in absent:
        raise needs("curl_easy_ssls_export", absent["curl_easy_ssls_export"])
    handle = easy._handle
    found = _exports[handle.id] = []
    easy._register()
    try:
        easy._after(lib.easy_ssls_export(handle))
    finally:
        _exports.pop(handle.id, None)
    return found


def ssls_import(easy: Engine, session: TLSSession) -> None:
    """`Easy.ssls_import`."""
    if "curl_easy_ssls_import" in absent:
        raise needs("curl_easy_ssls_import", absent["curl_easy_ssls_import"])
    key, shmac, data = session[:3]
    easy._after(
        lib.easy_ssls_import(
            easy._handle,
            ffi.NULL if key is None else key.encode("utf-8", "surrogateescape"),
            ffi.from_buffer(shmac) if shmac else ffi.NULL,
            len(shmac),
            ffi.from_buffer(data),
            len(data),
        )
    )
