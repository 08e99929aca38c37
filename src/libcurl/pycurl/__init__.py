"""A drop-in for pycurl 7.49.0.

`from libcurl import pycurl`, or once, at the beginning of a program: `libcurl.pycurl.install()`, after which
`import pycurl` finds this package. `python -m libcurl.pycurl script.py` runs a program like that.
"""

from __future__ import annotations

from libcurl.pycurl import async_multi as async_multi
from libcurl.pycurl import names as _names
from libcurl.pycurl.async_multi import AsyncCurlMulti
from libcurl.pycurl.common import error
from libcurl.pycurl.converters import CurlSockAddr, HstsEntry, HstsIndex, KhKey
from libcurl.pycurl.curl import Curl
from libcurl.pycurl.install import install as install
from libcurl.pycurl.mime import CurlMime, CurlMimePart
from libcurl.pycurl.multi import CurlMulti
from libcurl.pycurl.share import CurlShare
from libcurl.pycurl.url import CurlUrl
from libcurl.pycurl.version import (
    COMPILE_LIBCURL_VERSION_NUM,
    COMPILE_PY_VERSION_HEX,
    COMPILE_SSL_LIB,
    easy_strerror,
    global_cleanup,
    global_init,
    multi_strerror,
    share_strerror,
    url_strerror,
    version_info,
)
from libcurl.pycurl.version import VERSION as version
from libcurl.pycurl.websocket import WsFrame
from libcurl.raw import absent as _absent

TYPE_CHECKING = False
if TYPE_CHECKING:

    def __getattr__(name: str) -> int:
        """pycurl's constants, which this module makes of libcurl's."""
        return 0


__all__ = [
    "COMPILE_LIBCURL_VERSION_NUM",
    "COMPILE_PY_VERSION_HEX",
    "COMPILE_SSL_LIB",
    "AsyncCurlMulti",
    "Curl",
    "CurlMime",
    "CurlMimePart",
    "CurlMulti",
    "CurlShare",
    "CurlSockAddr",
    "CurlUrl",
    "HstsEntry",
    "HstsIndex",
    "KhKey",
    "WsFrame",
    "async_multi",
    "easy_strerror",
    "error",
    "global_cleanup",
    "global_init",
    "multi_strerror",
    "share_strerror",
    "url_strerror",
    "version",
    "version_info",
]
__all__ += [*_names.NAMES]  # noqa: PLE0604, strings all
globals().update(_names.NAMES)
if "curl_url_strerror" in _absent:
    del url_strerror
    __all__.remove("url_strerror")
if "curl_ws_send" in _absent:
    del WsFrame
    __all__.remove("WsFrame")
