"""A drop-in for pycurl 7.49.0.

`from libcurl import pycurl`, or once, at the beginning of a program: `libcurl.pycurl.install()`, after which
`import pycurl` finds this package. `python -m libcurl.pycurl script.py` runs a program like that.
"""

from __future__ import annotations

from libcurl.pycurl import async_multi as async_multi
from libcurl.pycurl import names as _names
from libcurl.pycurl.async_multi import AsyncCurlMulti as AsyncCurlMulti
from libcurl.pycurl.common import error as error
from libcurl.pycurl.converters import CurlSockAddr as CurlSockAddr
from libcurl.pycurl.converters import HstsEntry as HstsEntry
from libcurl.pycurl.converters import HstsIndex as HstsIndex
from libcurl.pycurl.converters import KhKey as KhKey
from libcurl.pycurl.curl import Curl as Curl
from libcurl.pycurl.install import install as install
from libcurl.pycurl.mime import CurlMime as CurlMime
from libcurl.pycurl.mime import CurlMimePart as CurlMimePart
from libcurl.pycurl.multi import CurlMulti as CurlMulti
from libcurl.pycurl.share import CurlShare as CurlShare
from libcurl.pycurl.url import CurlUrl as CurlUrl
from libcurl.pycurl.version import COMPILE_LIBCURL_VERSION_NUM as COMPILE_LIBCURL_VERSION_NUM
from libcurl.pycurl.version import COMPILE_PY_VERSION_HEX as COMPILE_PY_VERSION_HEX
from libcurl.pycurl.version import COMPILE_SSL_LIB as COMPILE_SSL_LIB
from libcurl.pycurl.version import VERSION as _version
from libcurl.pycurl.version import easy_strerror as easy_strerror
from libcurl.pycurl.version import global_cleanup as global_cleanup
from libcurl.pycurl.version import global_init as global_init
from libcurl.pycurl.version import multi_strerror as multi_strerror
from libcurl.pycurl.version import share_strerror as share_strerror
from libcurl.pycurl.version import url_strerror as url_strerror
from libcurl.pycurl.version import version_info as version_info
from libcurl.pycurl.websocket import WsFrame as WsFrame
from libcurl.raw import absent as _absent

version = _version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from libcurl.pycurl._constants import *  # noqa: F403
else:
    globals().update(_names.NAMES)
    if "curl_url_strerror" in _absent:
        del url_strerror
    if "curl_ws_send" in _absent:
        del WsFrame
    _OTHERS = ("TYPE_CHECKING", "annotations", "install")
    __all__ = [
        name
        for name, value in globals().items()
        if not (name.startswith("_") or name in _OTHERS or isinstance(value, type(_names)))
    ]
