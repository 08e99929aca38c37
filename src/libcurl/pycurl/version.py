"""What `pycurl` says of itself and of libcurl, and functions that need no handle."""

from __future__ import annotations

import sys
from operator import index

from libcurl._native import ffi, lib
from libcurl.engine import initialize
from libcurl.pycurl.common import error, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    VersionInfo: TypeAlias = tuple[
        # age, version, its number, host, features, TLS library, 0, zlib, protocols, c-ares, ..., libidn
        int, str, int, str, int, str, int, str, tuple[str, ...], str | None, int, str | None,
    ]  # fmt: skip

#: The pycurl that this is a drop-in for.
RELEASE = "7.49.0"


def _text(string: Any) -> Any:
    return ffi.string(string).decode("utf-8", "surrogateescape").lstrip() if string else None


_info = lib.curl_version_info(lib.CURLVERSION_NOW)
VERSION = f"PycURL/{RELEASE} {_text(lib.curl_version())}"
COMPILE_LIBCURL_VERSION_NUM: int = _info.version_num
COMPILE_PY_VERSION_HEX = sys.hexversion
_BACKENDS = {
    "OpenSSL": "openssl",
    "LibreSSL": "openssl",
    "BoringSSL": "openssl",
    "AWS-LC": "openssl",
    "quictls": "openssl",
    "wolfSSL": "wolfssl",
    "GnuTLS": "gnutls",
    "mbedTLS": "mbedtls",
    "NSS": "nss",
    "Schannel": "schannel",
    "SecureTransport": "secure-transport",
}
COMPILE_SSL_LIB = _BACKENDS.get((_text(_info.ssl_version) or "").partition("/")[0], "none/other")


def version_info(stamp: int = lib.CURLVERSION_NOW) -> VersionInfo:
    """What curl_version_info says: 12 items."""
    index(stamp)
    protocols = []
    row = _info.protocols
    while row[0]:
        protocols.append(_text(row[0]))
        row += 1
    return (
        _info.age,
        _text(_info.version),
        _info.version_num,
        _text(_info.host),
        _info.features,
        _text(_info.ssl_version),
        0,
        _text(_info.libz_version),
        tuple(protocols),
        _text(_info.ares),
        _info.ares_num,
        _text(_info.libidn),
    )


def global_init(option: int) -> None:
    """libcurl is initialized already: this checks the flags."""
    if index(option) & ~(lib.CURL_GLOBAL_ALL | lib.CURL_GLOBAL_ACK_EINTR):
        raise ValueError("invalid option to global_init")
    try:
        initialize()
    except Exception:
        raise error("unable to set global option") from None


def global_cleanup() -> None:
    """Nothing: handles may be open, and the process ends anyway."""


def easy_strerror(errornum: int) -> str:
    """What libcurl says of an E_ code."""
    return str(_text(lib.curl_easy_strerror(number(errornum))))


def multi_strerror(errornum: int) -> str:
    """What libcurl says of an E_MULTI_ code."""
    return str(_text(lib.curl_multi_strerror(index(errornum))))


def share_strerror(errornum: int) -> str:
    """What libcurl says of a code of a share."""
    return str(_text(lib.curl_share_strerror(number(errornum))))


def url_strerror(errornum: int) -> str:
    """What libcurl says of a code of a URL."""
    from libcurl.url import strerror

    return strerror(number(errornum))
