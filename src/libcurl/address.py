"""The address that an opener is asked to open a socket for, and the socket that it gives back."""

from __future__ import annotations

import os
import sys
from _operator import index
from _socket import AF_INET, AF_INET6, AF_UNIX, inet_ntop, inet_pton
from _socket import socket as plain_socket

from libcurl._native import ffi, lib
from libcurl.registry import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any, TypeAlias

    AddressValue: TypeAlias = (
        "tuple[str, int] | tuple[str, int, int, int] | str | bytes | os.PathLike[str]"
    )

__all__ = ["Address"]

# struct sockaddr_in, _in6 and _un begin with the family, in the machine's order.
_ORDER = sys.byteorder
_PORT = slice(2, 4)
_PATH_MOST = 108
_ADDR = ffi.offsetof("struct curl_sockaddr", "addr")

_new = object.__new__
_unpack = ffi.unpack
_detach: Any = plain_socket.detach


class Address:
    """Where libcurl wants to connect to (struct curl_sockaddr), as the opener may rewrite it.

    `family`, `socktype` and `protocol` are what socket(2) takes, as ints; `socktype` comes without
    SOCK_CLOEXEC and SOCK_NONBLOCK. `addr` is what Python's socket module uses: (host, port) for IPv4,
    (host, port, flowinfo, scope_id) for IPv6, a path for Unix sockets (bytes where it begins with a
    NUL, the abstract ones). Assigning `addr` sets the family it implies; everything can be assigned,
    and libcurl then connects there. Valid during the callback; keeping it longer keeps a copy.
    """

    __slots__ = ("_raw", "family", "protocol", "socktype")

    family: int
    socktype: int
    protocol: int

    def __init__(self, family: int, socktype: int, protocol: int, raw: bytes) -> None:
        """`raw` is a struct sockaddr."""
        self.family = family
        self.socktype = socktype
        self.protocol = protocol
        self._raw = raw

    @property
    def addr(self) -> Any:
        """The address in the form of Python's socket module; bytes for unknown families."""
        raw = self._raw
        family = int.from_bytes(raw[:2], _ORDER)
        if family == AF_INET:
            return self.host, self.port
        if family == AF_INET6:
            flowinfo = int.from_bytes(raw[4:8], "big")
            return self.host, self.port, flowinfo, int.from_bytes(raw[24:28], _ORDER)
        if family == AF_UNIX:
            return _unix_path(raw)
        return raw

    @addr.setter
    def addr(self, value: AddressValue) -> None:
        self._raw = _pack(value)
        self.family = int.from_bytes(self._raw[:2], _ORDER)

    @property
    def host(self) -> str:
        """The numeric IP address; a Unix socket's path."""
        raw = self._raw
        family = int.from_bytes(raw[:2], _ORDER)
        if family == AF_INET:
            return f"{raw[4]}.{raw[5]}.{raw[6]}.{raw[7]}"
        if family == AF_INET6:
            return inet_ntop(AF_INET6, raw[8:24])
        if family == AF_UNIX:
            return os.fsdecode(_unix_path(raw))
        raise ValueError(f"an address of family {family} has no host")

    @host.setter
    def host(self, value: str) -> None:
        self.addr = (value, self.port)

    @property
    def port(self) -> int:
        """The port; 0 for a Unix socket."""
        if int.from_bytes(self._raw[:2], _ORDER) in (AF_INET, AF_INET6):
            return int.from_bytes(self._raw[_PORT], "big")
        return 0

    @port.setter
    def port(self, value: int) -> None:
        self.addr = (self.host, value, *self.addr[2:])

    def socket(self) -> socket.socket:
        """A socket for this address, as libcurl would open it."""
        from socket import socket

        return socket(self.family, self.socktype, self.protocol)

    def __repr__(self) -> str:
        return (
            f"<Address {self.addr!r} family={int(self.family)} socktype={int(self.socktype)} "
            f"protocol={int(self.protocol)}>"
        )


def _unix_path(raw: bytes) -> str | bytes:
    path = raw[2:]
    if path.startswith(b"\0"):
        return path
    return os.fsdecode(path.split(b"\0")[0])


def _pack(value: Any) -> bytes:
    """A struct sockaddr of what Python's socket module would take, numeric hosts only."""
    if isinstance(value, (str, bytes, os.PathLike)):
        path = os.fsencode(value)
        if b"\0" in path[1:] or not path:
            raise ValueError("Address.addr: a Unix path is not empty and has no NUL inside")
        ending = b"" if path.startswith(b"\0") else b"\0"
        if len(path) + len(ending) > _PATH_MOST:
            raise ValueError(f"Address.addr: a Unix path has at most {_PATH_MOST - 1} bytes")
        return _family(AF_UNIX) + path + ending
    if not isinstance(value, tuple) or not 2 <= len(value) <= 4 or not isinstance(value[0], str):
        raise TypeError(
            f"Address.addr takes (host, port), (host, port, flowinfo, scope_id) or a path, "
            f"not {type(value).__name__}"
        )
    host, port = value[0], index(value[1])
    flowinfo, scope = (*map(index, value[2:]), 0, 0)[:2]
    if not 0 <= port <= 0xFFFF:
        raise ValueError(f"Address.addr: {port} is no port")
    if not (0 <= flowinfo <= 0xFFFFF and 0 <= scope <= 0xFFFFFFFF):
        raise ValueError("Address.addr: flowinfo or scope_id is out of range")
    try:
        if ":" in host:
            numeric, _, zone = host.partition("%")
            if zone and not scope:
                from socket import if_nametoindex

                scope = int(zone) if zone.isascii() and zone.isdigit() else if_nametoindex(zone)
            return (
                _family(AF_INET6)
                + port.to_bytes(2, "big")
                + flowinfo.to_bytes(4, "big")
                + inet_pton(AF_INET6, numeric)
                + scope.to_bytes(4, _ORDER)
            )
        return _family(AF_INET) + port.to_bytes(2, "big") + inet_pton(AF_INET, host) + bytes(8)
    except OSError:
        raise ValueError(f"Address.addr: {host!r} is no numeric address") from None


def _family(family: int) -> bytes:
    return int(family).to_bytes(2, _ORDER)


def _write_back(address: Address, data: Any) -> None:
    """The rewritten address, into libcurl's own struct (room for a struct sockaddr_storage)."""
    native = ffi.cast("struct curl_sockaddr *", data - _ADDR)
    native.family = index(address.family)
    native.socktype = index(address.socktype)
    native.protocol = index(address.protocol)
    if native.family == AF_UNIX:
        native.protocol = 0
    native.addrlen = len(address._raw)
    ffi.memmove(ffi.addressof(native, "addr"), address._raw, len(address._raw))


#: Classes of sockets that have been looked at: Python's own, without TLS and detached as they are.
_sockets: set[type] = set()


def take(given: Any) -> int:
    """The descriptor that an opener gives: from now on libcurl's, and nobody else's to close."""
    if type(given) is int:
        if not lib.CURL_SOCKET_BAD <= given < 1 << 31:
            raise ValueError(f"CURLOPT_OPENSOCKETFUNCTION returned {given}: no descriptor")
        return given
    if isinstance(given, bool) or not (hasattr(given, "fileno") or hasattr(given, "__index__")):
        raise TypeError(
            f"CURLOPT_OPENSOCKETFUNCTION returned {type(given).__name__}, "
            "expected socket.socket, int or SOCKET_BAD"
        )
    if hasattr(given, "__index__"):
        return take(index(given))
    if not hasattr(given, "detach"):
        raise TypeError(
            f"CURLOPT_OPENSOCKETFUNCTION returned {type(given).__name__}, which has no detach(): "
            "its descriptor could be closed twice"
        )
    if hasattr(given, "do_handshake"):
        raise TypeError(
            f"CURLOPT_OPENSOCKETFUNCTION returned {type(given).__name__}: its TLS would be lost"
        )
    if given.fileno() < 0:
        raise TypeError(f"CURLOPT_OPENSOCKETFUNCTION returned a closed {type(given).__name__}")
    if lib.socket_family(given.fileno()) < 0:
        raise TypeError(
            f"CURLOPT_OPENSOCKETFUNCTION returned {type(given).__name__}, which is no socket"
        )
    if isinstance(given, plain_socket):
        from socket import socket

        if getattr(type(given), "detach", None) in (socket.detach, plain_socket.detach):
            _sockets.add(type(given))
    return index(given.detach())


def python_opensocket(
    easy: int, purpose: int, family: int, socktype: int, protocol: int, data: Any, size: int
) -> int:
    """CURLOPT_OPENSOCKETFUNCTION: the descriptor, which is libcurl's from now on.

    `data` is the struct sockaddr in libcurl's struct curl_sockaddr. Whatever fails after the opener has
    returned a socket closes that socket; C looks at its family.
    """
    handle = find(easy)
    address = _new(Address)
    address.family = family
    address.socktype = socktype
    address.protocol = protocol
    address._raw = raw = _unpack(data, size)
    given = handle._functions._opensocketfunction(handle._purposes[purpose], address)
    if given is None and handle._sockets is not None:
        given = handle._sockets.open_plain(address)
    fd: int = _detach(given) if type(given) in _sockets else take(given)
    if fd < 0:
        if type(given) in _sockets:
            raise TypeError(f"CURLOPT_OPENSOCKETFUNCTION returned a closed {type(given).__name__}")
        return fd
    if (
        address._raw is not raw
        or address.family != family
        or address.protocol != protocol
        or address.socktype != socktype
    ):
        try:
            _write_back(address, data)
        except BaseException:
            if lib.socket_family(fd) >= 0:  # it is a socket, and not stdin
                os.close(fd)
            raise
    return fd
