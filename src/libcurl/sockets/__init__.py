"""Ready-made answers to libcurl's socket callbacks: what most people come to them for.

    easy.set(sockets=AddressPolicy.public_only() | SocketOptions(nodelay=True))

- `AddressPolicy` says where handles may connect to (server-side request forgery);
- `Rewrite` connects somewhere else;
- `already_connected` and `in_netns` open sockets in other ways;
- `SocketOptions` are set by name;
- `SocketLog` accounts for every descriptor.

`|` combines them, `Callbacks` and plain openers of your own among them: addresses are rewritten,
then checked, then a socket is opened. `sockets` is a keyword of Easy, and of Multi, AsyncMulti and
Share, which give it to those of their handles that have none of their own. None takes them off.
What `sockets` needs of libcurl's callbacks, the opener always, is not to be set otherwise:
RuntimeError.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from libcurl.sockets.connected import already_connected, in_netns
    from libcurl.sockets.log import SocketLeak, SocketLog, SocketRecord
    from libcurl.sockets.options import SocketOptions
    from libcurl.sockets.policy import AddressPolicy, AddressRefused, Rule, allow, deny
    from libcurl.sockets.rewrite import Rewrite
    from libcurl.sockets.scopes import SCOPES
    from libcurl.sockets.tool import Callbacks, Tool

#: Where each name lives: what is not used is not imported.
_NAMES = {
    "connected": ("already_connected", "in_netns"),
    "log": ("SocketLeak", "SocketLog", "SocketRecord"),
    "options": ("SocketOptions",),
    "policy": ("AddressPolicy", "AddressRefused", "Rule", "allow", "deny"),
    "rewrite": ("Rewrite",),
    "scopes": ("SCOPES",),
    "tool": ("Callbacks", "Tool"),
}
_LATER = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "SCOPES",
    "AddressPolicy",
    "AddressRefused",
    "Callbacks",
    "Rewrite",
    "Rule",
    "SocketLeak",
    "SocketLog",
    "SocketOptions",
    "SocketRecord",
    "Tool",
    "allow",
    "already_connected",
    "deny",
    "in_netns",
]


if not TYPE_CHECKING:  # there, what is imported above is all there is

    def __getattr__(name):
        if name not in _LATER:
            raise AttributeError(f"module 'libcurl.sockets' has no attribute {name!r}")
        module = __import__(f"libcurl.sockets.{_LATER[name]}", fromlist=[name])
        value = globals()[name] = getattr(module, name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
