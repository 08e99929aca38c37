"""`SocketOptions`: setsockopt(2) by name."""

from __future__ import annotations

import os
import socket
import struct
import sys

from libcurl._native import lib
from libcurl.errors import NotSupported
from libcurl.sockets.tool import Set, Tool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypedDict

    from typing_extensions import Unpack

    from libcurl.address import Address

    class Options(TypedDict, total=False):
        """What SocketOptions takes."""

        keepalive: bool | int | tuple[int, int, int]
        nodelay: bool
        fastopen: bool
        user_timeout: int
        congestion: str
        mptcp: bool
        tos: int
        ttl: int
        mark: int
        device: str
        priority: int
        sndbuf: int
        rcvbuf: int
        linger: int
        freebind: bool
        bind: tuple[str, int]
        reuseaddr: bool


__all__ = ["SocketOptions"]

_LINUX = sys.platform.startswith("linux")
_IP = (socket.AF_INET, socket.AF_INET6)
_IPPROTO_MPTCP = 262
_TCP = (socket.IPPROTO_TCP, _IPPROTO_MPTCP)


def _number(name: str, linux: int | None = None) -> int | None:
    """A constant of the platform's; Python's socket module has not all that Linux has."""
    found: int | None = getattr(socket, name, linux if _LINUX else None)
    return found


#: Those that are one call with an int: of which sockets, level, IPv6's level, name, IPv6's name.
_INTS: dict[str, tuple[bool, int, int | None, int | None]] = {
    "nodelay": (True, socket.IPPROTO_TCP, _number("TCP_NODELAY"), None),
    "fastopen": (True, socket.IPPROTO_TCP, _number("TCP_FASTOPEN_CONNECT", 30), None),
    "user_timeout": (True, socket.IPPROTO_TCP, _number("TCP_USER_TIMEOUT", 18), None),
    "tos": (False, socket.IPPROTO_IP, _number("IP_TOS"), _number("IPV6_TCLASS", 67)),
    "ttl": (False, socket.IPPROTO_IP, _number("IP_TTL"), _number("IPV6_UNICAST_HOPS")),
    "freebind": (
        False,
        socket.IPPROTO_IP,
        _number("IP_FREEBIND", 15),
        _number("IPV6_FREEBIND", 78),
    ),
    "mark": (False, socket.SOL_SOCKET, _number("SO_MARK", 36), None),
    "priority": (False, socket.SOL_SOCKET, _number("SO_PRIORITY", 12), None),
    "sndbuf": (False, socket.SOL_SOCKET, _number("SO_SNDBUF"), None),
    "rcvbuf": (False, socket.SOL_SOCKET, _number("SO_RCVBUF"), None),
    "reuseaddr": (False, socket.SOL_SOCKET, _number("SO_REUSEADDR"), None),
}
_NAMES = (*_INTS, "keepalive", "congestion", "mptcp", "device", "linger", "bind")


class SocketOptions(Tool):
    """Socket options by name, set on every socket before it is connected.

    | name | |
    |---|---|
    | `keepalive` | True or False; seconds of idleness; (idle, interval, count) |
    | `nodelay`, `fastopen` | Nagle's algorithm off; TCP Fast Open, as a client |
    | `user_timeout` | milliseconds that sent data may stay unacknowledged |
    | `congestion` | the name of a congestion control: "bbr" |
    | `mptcp` | Multipath TCP |
    | `tos`, `ttl` | of IPv4, and IPv6's traffic class and hop limit |
    | `mark`, `device`, `priority` | for routing and filters; they may want CAP_NET_ADMIN |
    | `sndbuf`, `rcvbuf` | sizes of the kernel's buffers, in bytes |
    | `linger` | seconds that a close may wait for data to go out; 0 ends with a RST |
    | `bind`, `freebind`, `reuseaddr` | a local address, `("192.0.2.1", 0)`; not there yet; again |

    Options of TCP pass over other sockets, those of IP over Unix ones. What the platform does not
    have is NotSupported, here; what it refuses is an OSError of the transfer, which names option
    and value and has the errno: PermissionError for `mark` without the capability.
    """

    __slots__ = ("_options",)

    def __init__(self, **options: Unpack[Options]) -> None:
        """Take options. TypeError for an unknown name, or a value that it does not take."""
        for name, value in options.items():
            if name not in _NAMES:
                raise TypeError(f"SocketOptions has no {name!r}: {', '.join(sorted(_NAMES))}")
            lacking = (name in _INTS and _INTS[name][2] is None) or (
                name in ("mptcp", "device", "congestion") and not _LINUX
            )
            if lacking:
                raise NotSupported(
                    lib.CURLE_NOT_BUILT_IN,
                    f"SocketOptions({name}={value!r}): {sys.platform} has no such option",
                )
            wanted = _wanted(name, value)
            if wanted:
                raise TypeError(f"SocketOptions({name}={value!r:.80}): {name} takes {wanted}")
        self._options: dict[str, Any] = dict(options)

    def __repr__(self) -> str:
        return f"SocketOptions({self._text()})"

    def _text(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._options.items())

    def _enter(self, parts: Set) -> None:
        if self._options.get("mptcp"):
            parts.routes.append(_multipath)
        if self._options.keys() - {"mptcp"}:
            parts.tuners.append(self._tune)
        parts.options.append(self._text())

    def _tune(self, fd: int, purpose: int) -> None:
        sock = socket.socket(fileno=fd)
        try:
            for name, value in self._options.items():
                try:
                    _apply(sock, name, value)
                except OSError as error:
                    reason = os.strerror(error.errno) if error.errno else str(error)
                    raise OSError(
                        error.errno, f"SocketOptions({name}={value!r}): {reason}"
                    ) from None
        finally:
            sock.detach()


def _wanted(name: str, value: Any) -> str:
    """What an option takes, if the value is none of that."""
    if name in ("congestion", "device"):
        return "" if isinstance(value, str) else "a str"
    if name == "bind":
        good = isinstance(value, tuple) and tuple(map(type, value[:2])) == (str, int)
        return "" if good else "(host, port)"
    if name == "keepalive" and isinstance(value, (tuple, list)):
        good = len(value) == 3 and all(isinstance(number, int) for number in value)
        return "" if good else "True, False, seconds, or (idle, interval, count)"
    return "" if isinstance(value, int) else "an int"


def _multipath(purpose: int, address: Address) -> None:
    if (
        purpose == lib.CURLSOCKTYPE_IPCXN
        and address.socktype == socket.SOCK_STREAM
        and address.family in _IP
    ):
        address.protocol = _IPPROTO_MPTCP


def _apply(sock: socket.socket, name: str, value: Any) -> None:
    """Set one option, or pass over a socket that it is not for."""
    internet = sock.family in _IP
    tcp = internet and sock.type == socket.SOCK_STREAM
    if name in _INTS:
        of_tcp, level, number, number6 = _INTS[name]
        if of_tcp and not tcp:
            return
        if level == socket.IPPROTO_IP:
            if not internet:
                return
            if sock.family == socket.AF_INET6:
                level, number = socket.IPPROTO_IPV6, number6
        sock.setsockopt(level, number, int(value))  # type: ignore[arg-type]
    else:
        special = _SPECIAL.get(name)
        if special is not None and (internet or name == "linger"):
            special(sock, value)


def _keepalive(sock: socket.socket, value: Any) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, value is not False)
    if isinstance(value, bool) or sock.type != socket.SOCK_STREAM:
        return
    times = (value, value) if isinstance(value, int) else tuple(value)
    idle = _number("TCP_KEEPIDLE") or _number("TCP_KEEPALIVE")
    for number, setting in zip(
        (idle, _number("TCP_KEEPINTVL"), _number("TCP_KEEPCNT")), times, strict=False
    ):
        if number is not None:
            sock.setsockopt(socket.IPPROTO_TCP, number, setting)


def _congestion(sock: socket.socket, value: str) -> None:
    if sock.type == socket.SOCK_STREAM:
        sock.setsockopt(socket.IPPROTO_TCP, 13, value.encode())  # TCP_CONGESTION


def _device(sock: socket.socket, value: str) -> None:
    sock.setsockopt(socket.SOL_SOCKET, 25, value.encode() + b"\0")  # SO_BINDTODEVICE


def _linger(sock: socket.socket, value: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, value))


def _bind(sock: socket.socket, value: tuple[str, int]) -> None:
    # One of the other family is for other sockets.
    if (sock.family == socket.AF_INET6) == (":" in value[0]):
        sock.bind(value)


_SPECIAL: dict[str, Callable[[socket.socket, Any], None]] = {
    "keepalive": _keepalive,
    "congestion": _congestion,
    "device": _device,
    "linger": _linger,
    "bind": _bind,
}
