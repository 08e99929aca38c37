"""`AddressPolicy`: where handles may connect to."""

from __future__ import annotations

import os
from _operator import index
from _socket import AF_INET, AF_INET6, AF_UNIX

from libcurl._native import lib
from libcurl.address import Address, _pack
from libcurl.memory import backstop
from libcurl.sockets.proxies import Proxy
from libcurl.sockets.scopes import GLOBAL, SCOPES, embedded, network, plain, scope, this_host
from libcurl.sockets.tool import Set, Tool, family_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NamedTuple, TypeAlias

    Ports: TypeAlias = "int | range | Iterable[int | range] | None"

    class Verdict(NamedTuple):
        """What a policy says of an address."""

        allowed: bool
        rule: Rule | None
        reason: str

else:
    from collections import namedtuple

    Verdict = namedtuple("Verdict", "allowed rule reason")

__all__ = ["AddressPolicy", "AddressRefused", "Rule", "allow", "deny"]

#: How many verdicts are remembered, before all are forgotten.
_VERDICTS_MOST = 4096
_FAMILIES = {AF_INET: "IPv4", AF_INET6: "IPv6", AF_UNIX: "Unix"}
#: libcurl reports paths of Unix sockets in a buffer made for IP addresses.
_REPORTED_MOST = 45


class AddressRefused(PermissionError):
    """An AddressPolicy has refused to connect somewhere.

    `address` is (host, port), or the path of a Unix socket; None where there is none (a file: URL).
    `rule` is the Rule that refuses, None where no rule allows it; `reason` says either in words.
    `url` is what was asked for, without credentials and query. `original` is the address before it
    was rewritten, else None. `__cause__` may hold libcurl's own error.
    """

    def __init__(
        self,
        address: Any,
        rule: Rule | None = None,
        reason: str = "",
        url: str | None = None,
        original: Any = None,
    ) -> None:
        """Take what is known."""
        super().__init__(address, rule, reason, url, original)
        self.address = address
        self.rule = rule
        self.reason = reason
        self.url = url
        self.original = original

    def __str__(self) -> str:
        text = f"{written(self.address)} is refused: {self.reason}"
        if self.original is not None:
            text += f"; rewritten from {written(self.original)}"
        return f"{text} ({self.url})" if self.url else text

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self.args, self.__dict__


class Rule:
    """One line of a policy: made by `allow` and `deny`."""

    __slots__ = ("allows", "families", "networks", "paths", "ports", "scopes")

    def __init__(
        self,
        allows: bool,
        networks: tuple[object, ...],
        port: Ports,
        family: int | None,
        scope: str | Iterable[str] | None,
        path: str | bytes | os.PathLike[str] | None,
    ) -> None:
        """What is given has to be so, all of it."""
        self.allows = allows
        self.networks = tuple(network(str(given)) for given in networks)
        self.ports = _ports(port)
        self.families = None if family is None else int(family)
        if self.families is not None and self.families not in _FAMILIES:
            raise ValueError(f"{family!r} is neither AF_INET, AF_INET6 nor AF_UNIX")
        names = [scope] if isinstance(scope, str) else list(() if scope is None else scope)
        if scope is not None and not names:
            raise ValueError("scope names no scope")
        for name in names:
            if name not in SCOPES:
                raise ValueError(f"{name!r} is no scope: {', '.join(sorted(SCOPES))}")
        self.scopes = frozenset(names)
        self.paths = None if path is None else os.fsdecode(path)
        if self.paths is not None and (self.networks or self.ports):
            raise ValueError("a path has neither network nor port")
        if allows and not networks and all(given is None for given in (port, family, scope, path)):
            raise ValueError("allow() says nothing; everything is allow('0.0.0.0/0', '::/0')")

    def __str__(self) -> str:
        words = ["allow" if self.allows else "deny"]
        words += [network.text for network in self.networks]
        if self.ports is not None:
            words.append("port " + ",".join(_port_text(ports) for ports in self.ports))
        if self.families is not None:
            words.append(_FAMILIES[self.families])
        words += sorted(self.scopes)
        if self.paths is not None:
            words.append(written(self.paths))
        return " ".join(words) if len(words) > 1 else f"{words[0]} everything"

    __repr__ = __str__

    def _names_unix(self) -> bool:
        return self.paths is not None or self.families == AF_UNIX or "unix" in self.scopes

    def _matches_path(self, path: str, cut: bool) -> bool:
        """Whether it is about this Unix socket; `cut`: only the beginning of the path is known."""
        if self.networks or self.ports is not None:
            return False
        if not self._names_unix():
            # "Everything" allows no Unix socket, and denies them.
            return not (self.allows or self.families is not None or self.scopes)
        if (self.scopes and "unix" not in self.scopes) or self.families not in (None, AF_UNIX):
            return False
        if self.paths is None:
            return True
        return self.paths == path or (cut and not self.allows and self.paths[: len(path)] == path)

    def _matches(self, raw: bytes, port: int, name: str) -> bool:
        """Whether it is about this IP address (4 or 16 bytes), which has that scope."""
        if self.paths is not None:
            return False
        if self.ports is not None and not any(port in ports for ports in self.ports):
            return False
        if self.families is not None and self.families != (AF_INET if len(raw) == 4 else AF_INET6):
            return False
        here = this_host(raw)
        if self.scopes and name not in self.scopes and not (here and "loopback" in self.scopes):
            return False
        if not self.networks:
            return True
        candidates = [raw]
        if not self.allows:
            if here is not None:
                candidates.append(here)
            if len(raw) == 16:
                candidates += embedded(raw)
        return any(candidate in network for network in self.networks for candidate in candidates)


def allow(
    *networks: object,
    port: Ports = None,
    family: int | None = None,
    scope: str | Iterable[str] | None = None,
    path: str | bytes | os.PathLike[str] | None = None,
) -> Rule:
    """A rule that allows.

    `networks` are strings such as "10.0.0.0/8" or "2001:db8::1", or objects of `ipaddress`; `port`
    an int, a range or several of both; `family` AF_INET, AF_INET6 or AF_UNIX; `scope` one or
    several of `SCOPES`; `path` a Unix socket's. What is given has to be so, all of it; an IP
    address is in one of the networks. Unix sockets are allowed only by rules that name them, by
    path, family or scope. ValueError for what is none of these, and where nothing is given: a list of
    networks that is empty by mistake allows none.
    """
    return Rule(True, networks, port, family, scope, path)


def deny(
    *networks: object,
    port: Ports = None,
    family: int | None = None,
    scope: str | Iterable[str] | None = None,
    path: str | bytes | os.PathLike[str] | None = None,
) -> Rule:
    """A rule that refuses: see `allow`.

    An IPv4 network holds its NAT64, 6to4, Teredo, ISATAP and -compatible forms too; that of 127.0.0.1
    holds 0.0.0.0, and ::1 is :: too, which lead to this host. `deny()` is everything.
    """
    return Rule(False, networks, port, family, scope, path)


class AddressPolicy(Tool):
    """Where handles may connect to: rules, of which the first that matches decides.

    What no rule matches is refused. An IPv4-mapped IPv6 address is the IPv4 address to all rules.
    Checked when a socket is opened, after name resolution and for every redirect, and again before
    each request goes out (libcurl 7.80; before that, with a fresh connection), so that a connection
    that somebody else opened is no way round it. A refused address is skipped as one that cannot be
    reached: when none is left, the transfer raises AddressRefused.

    Proxies connect where the policy does not see it: they are refused, those of the environment
    too, unless `proxies` names them: "proxy.example:3128" or "socks5://10.0.0.1:1080"; True allows
    any. An allowed proxy's own address needs no rule. Active FTP listens for a connection: refused,
    unless `listen`.

    Immutable, and shared by any number of handles and threads.
    """

    __slots__ = (
        "_allowed",
        "_approved",
        "_end",
        "_name",
        "_verdicts",
        "listen",
        "proxies",
        "rules",
    )

    def __init__(
        self, *rules: Rule, proxies: Iterable[str] | bool = (), listen: bool = False
    ) -> None:
        """Take the rules, in order."""
        for rule in rules:
            if not isinstance(rule, Rule):
                raise TypeError(
                    f"AddressPolicy takes rules, of allow() and deny(), not {rule!r:.80}"
                )
        self.rules = rules
        if isinstance(proxies, (str, bytes)):
            raise TypeError("AddressPolicy: proxies takes several names, or True")
        self.proxies: tuple[Proxy, ...] | bool = (
            proxies if isinstance(proxies, bool) else tuple(Proxy.parse(name) for name in proxies)
        )
        self.listen = bool(listen)
        self._name = "AddressPolicy"
        #: What C need not ask about (`_native/verdicts.c`).
        self._allowed = lib.verdicts_new()
        self._end = backstop(self._allowed, lib.verdicts_free)
        self._verdicts: dict[bytes, Verdict] = {}
        #: For the sets that it is in, if these do not translate addresses (`tool`).
        self._approved: dict[tuple[str, str, int, int, bytes | None], None] = {}

    @classmethod
    def public_only(
        cls, *rules: Rule, proxies: Iterable[str] | bool = (), listen: bool = False
    ) -> AddressPolicy:
        """The policy against server-side request forgery: global unicast addresses only.

        `rules` of your own come first, as exceptions or further refusals.
        """
        policy = cls(*rules, allow(scope=GLOBAL), proxies=proxies, listen=listen)
        policy._name = "AddressPolicy.public_only"
        return policy

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (self.rules, self.proxies, self.listen, self._name)

    def __repr__(self) -> str:
        rules = self.rules[:-1] if self._name.endswith("public_only") else self.rules
        words = [str(rule) for rule in rules]
        if self.proxies:
            names = "any" if self.proxies is True else ", ".join(map(str, self.proxies))  # type: ignore[arg-type]
            words.append(f"proxies {names}")
        if self.listen:
            words.append("listen")
        return f"<{self._name}{': ' if words else ''}{'; '.join(words)}>"

    def __str__(self) -> str:
        lines = [f"{self._name}, the first rule that matches decides:"]
        lines += [f"  {number}. {rule}" for number, rule in enumerate(self.rules, 1)]
        lines.append(f"  {len(self.rules) + 1}. deny everything")
        proxies = "none" if not self.proxies else "any"
        if isinstance(self.proxies, tuple) and self.proxies:
            proxies = ", ".join(map(str, self.proxies))
        lines.append(f"  proxies: {proxies}; active FTP: {'yes' if self.listen else 'no'}")
        return "\n".join(lines)

    def check(self, address: object, port: int = 0) -> Rule:
        """The rule that allows an address; AddressRefused where none does. Nothing is connected to.

        `address` is a numeric host (str, or of `ipaddress`), (host, port), the path of a Unix
        socket (with a slash in it, or bytes), or an Address. ValueError for a name: names are not
        resolved.
        """
        if isinstance(address, Address):
            raw = address._raw
        elif isinstance(address, (tuple, bytes, os.PathLike)) or "/" in str(address):
            raw = _pack(address)
        else:
            raw = _pack((str(address), port))
        verdict = self._verdict(raw)
        if not verdict.allowed:
            raise AddressRefused(place(raw), verdict.rule, verdict.reason)
        assert verdict.rule is not None
        return verdict.rule

    def allows(self, address: object, port: int = 0) -> bool:
        """Whether `check` would find a rule that allows it."""
        try:
            self.check(address, port)
        except AddressRefused:
            return False
        return True

    # -- Verdicts --------------------------------------------------------------------------------

    def _enter(self, parts: Set) -> None:
        parts.policies.append(self)

    def _verdict(self, raw: bytes) -> Verdict:
        """What to say of a struct sockaddr."""
        verdict = self._verdicts.get(raw)
        if verdict is None:
            verdict = self._decide(raw)
            if len(self._verdicts) >= _VERDICTS_MOST:
                self._verdicts.clear()
            self._verdicts[raw] = verdict
        return verdict

    def _admit(self, raw: bytes) -> None:
        """C need not ask about this struct sockaddr, which is allowed, any more."""
        family = family_of(raw)
        if family == AF_INET:
            lib.verdicts_allow(self._allowed, raw[4:8], 4, int.from_bytes(raw[2:4], "big"))
        elif family == AF_INET6:
            lib.verdicts_allow(self._allowed, raw[8:24], 16, int.from_bytes(raw[2:4], "big"))

    def _verdict_reported(self, host: str, port: int, whole: str | None = None) -> Verdict:
        """The same for what PREREQFUNCTION is told: an IP address, or (the beginning of) a path."""
        try:
            raw = _pack((host, port))
        except ValueError:
            cut = len(os.fsencode(host)) >= _REPORTED_MOST
            if cut and whole is not None:
                return self._decide_path(whole, False)
            return self._decide_path(host, cut)
        verdict = self._verdict(raw)
        if verdict.allowed:
            self._admit(raw)
        return verdict

    def _decide(self, raw: bytes) -> Verdict:
        family = family_of(raw)
        if family == AF_INET:
            return self._decide_ip(raw[4:8], int.from_bytes(raw[2:4], "big"))
        if family == AF_INET6:
            return self._decide_ip(raw[8:24], int.from_bytes(raw[2:4], "big"))
        if family == AF_UNIX:
            return self._decide_path(os.fsdecode(Address(AF_UNIX, 0, 0, raw).addr), False)
        return Verdict(False, None, f"no rule is about addresses of family {family}")

    def _decide_ip(self, raw: bytes, port: int) -> Verdict:
        name, network = scope(raw)
        raw = plain(raw)
        for rule in self.rules:
            if rule._matches(raw, port, name):
                return Verdict(rule.allows, rule, f"{rule} ({name}, {network})")
        return Verdict(False, None, f"no rule allows it ({name}, {network})")

    def _decide_path(self, path: str, cut: bool) -> Verdict:
        for rule in self.rules:
            if rule._matches_path(path, cut):
                return Verdict(rule.allows, rule, f"{rule} (a Unix socket)")
        return Verdict(False, None, "no rule allows it (a Unix socket)")

    def _allows_proxy(self, proxy: Proxy) -> bool:
        if isinstance(self.proxies, bool):
            return self.proxies
        return any(allowed.covers(proxy) for allowed in self.proxies)


def _restored(
    rules: tuple[Rule, ...], proxies: tuple[Proxy, ...] | bool, listen: bool, name: str
) -> AddressPolicy:
    """A policy from what pickle and copy have of it."""
    policy = AddressPolicy(*rules, listen=listen)
    policy.proxies = proxies
    policy._name = name
    return policy


def _ports(port: Ports) -> tuple[range, ...] | None:
    if port is None:
        return None
    try:
        several = [port] if isinstance(port, (int, range)) else list(port)
        if isinstance(port, (str, bytes, bytearray)):
            raise TypeError
        ranges = tuple(
            ports if isinstance(ports, range) else range(index(ports), index(ports) + 1)
            for ports in several
        )
    except TypeError:
        raise TypeError(
            f"port takes an int, a range or several of both, not {port!r:.80}"
        ) from None
    for ports in ranges:
        if not ports or ports[0] < 0 or ports[-1] > 0xFFFF:
            raise ValueError(f"{port!r} is no port and no range of ports")
    return ranges


def _port_text(ports: range) -> str:
    return str(ports[0]) if len(ports) == 1 else f"{ports[0]}-{ports[-1]}"


def place(raw: bytes) -> Any:
    """A struct sockaddr as AddressRefused tells it: (host, port) or a path."""
    address = Address(0, 0, 0, raw)
    addr = address.addr
    return addr[:2] if isinstance(addr, tuple) else addr


def written(address: Any) -> str:
    """The same in one word."""
    if isinstance(address, tuple):
        host, port = address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if address is None:
        return "what is no address"
    return f"unix:{os.fsdecode(address)}"
