"""libcurl for Python: a thin, safe binding of the real libcurl.

`Easy` is libcurl's easy interface, `raw` its C API as it is. What is not used is not imported: names
beyond these are looked up on first use.
"""

from __future__ import annotations

# First of all, because it says what to do where libcurl is missing.
from libcurl import raw as raw
from libcurl.easy import Easy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from libcurl import aio as aio
    from libcurl import constants as constants
    from libcurl import pycurl as pycurl
    from libcurl import sockets as sockets
    from libcurl.address import Address as Address
    from libcurl.constants import *  # noqa: F403
    from libcurl.cookies import Cookie as Cookie
    from libcurl.errors import (
        CouldntConnect,
        CouldntResolveHost,
        Error,
        MultiError,
        NotReady,
        NotSupported,
        OperationTimedOut,
        PeerGone,
        ShareError,
        UrlError,
    )
    from libcurl.headers import Headers as Headers
    from libcurl.hsts import HSTSEntry as HSTSEntry
    from libcurl.hsts import HSTSIndex as HSTSIndex
    from libcurl.library import OptionInfo as OptionInfo
    from libcurl.library import VersionInfo as VersionInfo
    from libcurl.library import escape as escape
    from libcurl.library import getdate as getdate
    from libcurl.library import global_trace as global_trace
    from libcurl.library import options as options
    from libcurl.library import unescape as unescape
    from libcurl.library import version as version
    from libcurl.library import version_info as version_info
    from libcurl.mime import Mime as Mime
    from libcurl.mime import MimePart as MimePart
    from libcurl.multi import Multi as Multi
    from libcurl.sessions import TLSSession as TLSSession
    from libcurl.share import Share as Share
    from libcurl.url import Url as Url
    from libcurl.websocket import WebSocket as WebSocket
    from libcurl.websocket import WsFrame as WsFrame

__version__ = "0.1.0"

# What has loaded the module of that name has put it here; the public name is the function.
globals().pop("options", None)

#: Where a public name lives whose module is imported on first use; enums are in `constants`.
_LATER = {
    name: module
    for module, names in (
        ("address", "Address"),
        ("cookies", "Cookie"),
        (
            "errors",
            "CouldntConnect CouldntResolveHost Error MultiError NotReady NotSupported OperationTimedOut"
            " PeerGone ShareError UrlError",
        ),
        ("headers", "Headers"),
        ("hsts", "HSTSEntry HSTSIndex"),
        (
            "library",
            "OptionInfo VersionInfo escape getdate global_trace options unescape version version_info",
        ),
        ("mime", "Mime MimePart"),
        ("multi", "Multi"),
        ("sessions", "TLSSession"),
        ("share", "Share"),
        ("url", "Url"),
        ("websocket", "WebSocket WsFrame"),
    )
    for name in names.split()
}
_MODULES = ("aio", "constants", "pycurl", "sockets")

__all__ = [
    "CouldntConnect",
    "CouldntResolveHost",
    "Easy",
    "Error",
    "MultiError",
    "NotReady",
    "NotSupported",
    "OperationTimedOut",
    "PeerGone",
    "ShareError",
    "UrlError",
]

if TYPE_CHECKING:  # where pyright finds that a name is public
    __all__ += constants.__all__

if not TYPE_CHECKING:  # there, what is imported above is all there is

    def __getattr__(name):
        from importlib import import_module

        if name in _MODULES:
            return import_module(f"libcurl.{name}")
        module = import_module(f"libcurl.{_LATER.get(name, 'constants')}")
        if name.startswith("_") or not hasattr(module, name):
            raise AttributeError(f"module 'libcurl' has no attribute {name!r}")
        value = globals()[name] = getattr(module, name)
        return value


def __dir__() -> list[str]:
    from libcurl import constants

    return sorted({*globals(), *_LATER, *_MODULES, *constants.__all__})
