"""Sockets that somebody else connects, and sockets in another network namespace."""

from __future__ import annotations

import os
import sys
from _socket import AF_INET, AF_INET6

from libcurl._native import lib
from libcurl.errors import NotSupported
from libcurl.sockets.tool import Set, Tool, listens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from libcurl.address import Address

__all__ = ["already_connected", "in_netns"]


def already_connected(source: Any) -> Tool:
    """A tool that hands connected sockets to libcurl.

    `source` is a socket (TCP, Unix, one of a socketpair; a descriptor, as from systemd), or a
    callable that gets the Address that libcurl wants to connect to and returns one, or None for a
    connection as usual. TLS is libcurl's, as the URL says. A socket given is detached and belongs
    to libcurl; it serves one connection, for as many requests as that is kept: RuntimeError where
    another is wanted. An AddressPolicy checks what the socket is connected to.
    """
    return _Connected(source)


class _Connected(Tool):
    __slots__ = ("_handed", "_source", "_text")

    def __init__(self, source: Any) -> None:
        if not callable(source) and not isinstance(source, int) and not hasattr(source, "detach"):
            raise TypeError(f"already_connected takes a socket, not {type(source).__name__}")
        self._source = source
        self._text = repr(source)
        self._handed: set[int] = set()

    def __repr__(self) -> str:
        return f"already_connected({self._text})"

    def _enter(self, parts: Set) -> None:
        parts.open_with(self._open)
        parts.tuners.append(self._tune)

    def _open(self, purpose: int, address: Address) -> Any:
        source = self._source
        if listens(purpose, address._raw):
            return None
        given: Any
        if callable(source):
            given = source(address)
            if given is None:
                return None
        else:
            if source is None:
                raise RuntimeError(f"{self!r} serves one connection, libcurl wants another")
            given, self._source = source, None
        fd: int = given if isinstance(given, int) else given.fileno()
        family, peer = _family_and_peer(fd)
        address.family = family
        if family in (AF_INET, AF_INET6):
            address.addr = peer
        else:
            address.family = family
            address.protocol = 0
        self._handed.add(fd)
        return given

    def _tune(self, fd: int, purpose: int) -> int:
        if fd in self._handed:
            self._handed.discard(fd)
            return lib.CURL_SOCKOPT_ALREADY_CONNECTED  # type: ignore[no-any-return]
        return lib.CURL_SOCKOPT_OK  # type: ignore[no-any-return]


def _family_and_peer(fd: int) -> tuple[int, Any]:
    from socket import socket

    sock = socket(fileno=fd)
    try:
        return sock.family, sock.getpeername()
    finally:
        sock.detach()


def in_netns(name: str | os.PathLike[str]) -> Tool:
    """A tool that opens sockets in another network namespace (Linux; needs CAP_SYS_ADMIN).

    `name` is one that `ip netns` knows, or a path such as /proc/4321/ns/net. Names are resolved
    where this process is: use addresses, RESOLVE or DOH_URL. FileNotFoundError here, and
    PermissionError from the transfer, where it cannot be entered. NotSupported elsewhere than on
    Linux.
    """
    return _Netns(name)


class _Netns(Tool):
    __slots__ = ("_fd", "_text")

    def __init__(self, name: str | os.PathLike[str]) -> None:
        self._fd = -1
        self._text = os.fspath(name)
        if not sys.platform.startswith("linux"):
            raise NotSupported(lib.CURLE_NOT_BUILT_IN, "in_netns needs Linux")
        path = self._text if "/" in self._text else f"/run/netns/{self._text}"
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def __repr__(self) -> str:
        return f"in_netns({self._text!r})"

    def _enter(self, parts: Set) -> None:
        parts.open_with(self._open, faithful=True)

    def _open(self, purpose: int, address: Address) -> int:
        fd: int = lib.socket_in_netns(self._fd, address.family, address.socktype, address.protocol)
        if fd < 0:
            raise OSError(-fd, f"{self!r}: {os.strerror(-fd)}")
        return fd
