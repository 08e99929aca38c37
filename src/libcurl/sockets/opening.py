"""Sockets as libcurl opens them, and where those lead that others have opened."""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_CLOEXEC, socket

from libcurl._native import lib
from libcurl.address import _family, _pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from libcurl.address import Address

_BAD: int = lib.CURL_SOCKET_BAD
_IPPROTO_MPTCP = 262


def open_plain(address: Address) -> int:
    """socket(2), as libcurl does it: a family that the system lacks is one to pass over."""
    protocol = 0 if address.family == AF_UNIX else address.protocol
    try:
        return socket(address.family, address.socktype | SOCK_CLOEXEC, protocol).detach()
    except OSError as error:
        if address.protocol == _IPPROTO_MPTCP:
            raise OSError(error.errno, f"SocketOptions(mptcp=True): {error.strerror}") from None
        return _BAD


def destination(given: Any, address: Address) -> bytes:
    """Where a socket leads: to its peer if it has one, else to where libcurl will connect it."""
    try:
        peer = peer_of(given if isinstance(given, int) else given.fileno())
    except (AttributeError, OSError, TypeError):
        return address._raw  # it is no socket, and will be refused for that
    return address._raw if peer is None else peer


def peer_of(fd: int) -> bytes | None:
    """The struct sockaddr of a connected socket's other end."""
    sock = socket(fileno=fd)
    try:
        peer = sock.getpeername()
    except OSError:
        return None
    finally:
        sock.detach()
    return _pack(peer) if peer else _family(AF_UNIX)


def dispose(given: Any) -> None:
    if isinstance(given, int):
        os.close(given)
    else:
        given.close()
