"""`Rewrite`: connect somewhere else."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_pton

from libcurl._native import lib
from libcurl.address import _pack
from libcurl.options import by_name
from libcurl.sockets.scopes import Network, network, plain
from libcurl.sockets.tool import Set, Tool, family_of, listens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    from libcurl.address import Address, AddressValue
    from libcurl.engine import Engine

    Target: TypeAlias = "AddressValue | Callable[[Address], AddressValue | None]"

__all__ = ["Rewrite"]

#: The IPv4 dummy address of RFC 7600: nobody's. A name to be rewritten leads here, without being
#: resolved; the port is its number.
_DUMMY = "192.0.0.8"
_DUMMY_RAW = inet_pton(AF_INET, _DUMMY)
_CONNECT_TO = by_name["connect_to"]


class Rewrite(Tool):
    """Connect somewhere else: a mapping of addresses to addresses, or a callable.

    Keys are ("10.0.0.1", 80), an address on all its ports ("10.0.0.1"), a network ("10.0.0.0/8", or
    of `ipaddress`), or a host name of the URL and its port (("db.internal", 5432)). An exact
    address counts before an address on all ports, that before networks, these in the order given.
    Targets are what `Address.addr` takes, (host, port) with a numeric host or the path of a Unix
    socket, or a callable that gets the Address and returns one of these, or None to leave it alone;
    port 0 is the port asked for.

    A host name is not resolved: the mapping is all that is needed. Not where the transfer goes
    through a proxy, which is asked for the host as ever. What else belongs to the transfer,
    certificates and headers included, stays with the URL. ValueError and TypeError for what cannot
    be understood.
    """

    __slots__ = ("_exact", "_function", "_hosts", "_names", "_networks", "_text")

    def __init__(
        self, targets: Mapping[Any, Target] | Callable[[Address], AddressValue | None]
    ) -> None:
        """Take the mapping, or a callable for every address."""
        self._exact: dict[tuple[bytes, int], Target] = {}
        self._hosts: dict[bytes, Target] = {}
        self._networks: list[tuple[Network, Target]] = []
        self._names: list[tuple[str, int, Target]] = []
        self._function: Callable[[Address], AddressValue | None] | None = None
        if callable(targets):
            self._function = targets
            self._text = getattr(targets, "__qualname__", None) or repr(targets)
            return
        for key, target in targets.items():
            if not callable(target):
                _pack(target)  # or say at once that it is none
            self._add(key, target)
        self._text = ", ".join(f"{key!r} to {target!r}" for key, target in targets.items())

    def _add(self, key: Any, target: Target) -> None:
        if isinstance(key, tuple):
            host, port = key
            if not 0 < int(port) <= 0xFFFF:
                raise ValueError(f"Rewrite: {key!r} has no port")
            raw = _ip(host)
            if raw is not None:
                self._exact[plain(raw), int(port)] = target
                return
            if callable(target):
                raise TypeError(
                    f"Rewrite: {host!r} has no address that a callable could be asked about"
                )
            self._names.append((host.lower().rstrip("."), int(port), target))
            return
        raw = _ip(str(key))
        if raw is not None:
            self._hosts[plain(raw)] = target
        else:
            self._networks.append((network(str(key)), target))

    def __repr__(self) -> str:
        return f"<Rewrite {self._text}>"

    def _enter(self, parts: Set) -> None:
        parts.routes.append(self._route)
        if self._names:
            parts.begins.append(self._send_names)

    def _send_names(self, handle: Engine) -> None:
        """Before a transfer: names lead to the dummy address, unless CONNECT_TO says otherwise."""
        entries = list(handle._settings.get(_CONNECT_TO, ()))
        if not handle._sockets.may_use_proxy(handle):  # type: ignore[union-attr]
            for number, (name, port, _) in enumerate(self._names, 1):
                for host in (name, f"{name}."):  # the same, to DNS
                    entries.append(f"{host}:{port}:{_DUMMY}:{number}".encode())
        items = b"".join([entry + b"\0" for entry in entries])
        code = lib.easy_set_list(handle._handle, _CONNECT_TO.id, items, len(items))
        if code:
            raise handle._option_error(code, _CONNECT_TO, entries)

    def _route(self, purpose: int, address: Address) -> None:
        """What is to be done to an address."""
        if listens(purpose, address._raw):
            return
        target = self._find(address._raw)
        if callable(target):
            target = target(address)
        if target is None:
            return
        if isinstance(target, tuple) and target[1] == 0:
            port = address.port
            target = (target[0], port, *target[2:]) if len(target) == 4 else (target[0], port)
        address.addr = target

    def _find(self, raw: bytes) -> Target | None:
        family = family_of(raw)
        if family not in (AF_INET, AF_INET6):
            return self._function
        host = plain(raw[4:8] if family == AF_INET else raw[8:24])
        port = int.from_bytes(raw[2:4], "big")
        if host == _DUMMY_RAW and self._names and 0 < port <= len(self._names):
            return self._names[port - 1][2]
        target = self._exact.get((host, port)) or self._hosts.get(host)
        if target is not None:
            return target
        for hosts, target in self._networks:
            if host in hosts:
                return target
        return self._function


def _ip(text: str) -> bytes | None:
    try:
        return inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except OSError:
        return None
