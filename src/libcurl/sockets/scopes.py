"""What kind of address an address is: the tables of IANA, and IPv4 inside IPv6.

Python's `ipaddress.is_global` changed its mind in 3.9.20, 3.10.15, 3.11.10 and 3.12.4, and calls
NAT64 and 6to4 forms of private addresses global; a policy must mean the same everywhere. The tables
are those of

- https://www.iana.org/assignments/iana-ipv4-special-registry (RFC 6890), as of 2025
- https://www.iana.org/assignments/iana-ipv6-special-registry (RFC 6890), as of 2025
- https://www.iana.org/assignments/ipv6-address-space: global unicast is 2000::/3, the rest reserved
- https://www.iana.org/assignments/multicast-addresses

An address has the scope of the first network that holds it; one that none holds is "global" in IPv4
and in 2000::/3, "reserved" elsewhere.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

GLOBAL = "global"

# Most special first: an exception stands before the network it is an exception of.
_IPV4 = """
    0.0.0.0/8           unspecified     RFC 791; Linux takes 0.0.0.0 for itself
    10.0.0.0/8          private         RFC 1918
    100.64.0.0/10       cgnat           RFC 6598, shared address space; clouds have metadata here
    127.0.0.0/8         loopback        RFC 1122
    168.63.129.16/32    cloud           Azure's host, reached from inside only
    169.254.0.0/16      link-local      RFC 3927; 169.254.169.254 is the metadata of most clouds
    172.16.0.0/12       private         RFC 1918
    192.0.0.9/32        global          RFC 7723, port control anycast
    192.0.0.10/32       global          RFC 8155, TURN anycast
    192.0.0.0/24        reserved        RFC 6890, protocol assignments
    192.0.2.0/24        documentation   RFC 5737
    192.88.99.0/24      reserved        RFC 7526, relays of 6to4, deprecated
    192.168.0.0/16      private         RFC 1918
    198.18.0.0/15       benchmarking    RFC 2544
    198.51.100.0/24     documentation   RFC 5737
    203.0.113.0/24      documentation   RFC 5737
    224.0.0.0/4         multicast       RFC 5771
    255.255.255.255/32  broadcast       RFC 919
    240.0.0.0/4         reserved        RFC 1112
"""
_IPV6 = """
    ::/128              unspecified     RFC 4291
    ::1/128             loopback        RFC 4291
    64:ff9b::/96        global          RFC 6052, NAT64: the address inside decides
    2001:1::1/128       global          RFC 7723
    2001:1::2/128       global          RFC 8155
    2001:1::3/128       global          RFC 9665
    2001:2::/48         benchmarking    RFC 5180
    2001:3::/32         global          RFC 7450
    2001:4:112::/48     global          RFC 7535
    2001:20::/28        global          RFC 7343
    2001:30::/28        global          RFC 9374
    2001::/23           reserved        RFC 2928; with Teredo, 2001::/32, RFC 4380
    2001:db8::/32       documentation   RFC 3849
    3fff::/20           documentation   RFC 9637
    2000::/3            global          RFC 4291; with 6to4, 2002::/16: the address inside decides
    fc00::/7            unique-local    RFC 4193
    fe80::/10           link-local      RFC 4291
    fec0::/10           private         RFC 3879, site-local, deprecated
    ff00::/8            multicast       RFC 4291
"""
# Where IPv6 addresses carry an IPv4 address, and at which byte. A mapped one *is* that address to
# the system; the others reach it through a translator or a tunnel, if there is one.
_EMBEDDING = """
    ::ffff:0:0/96       12      RFC 4291, mapped
    ::ffff:0:0:0/96     12      RFC 2765, translated
    64:ff9b::/96        12      RFC 6052, NAT64
    64:ff9b:1::/48      12      RFC 8215, NAT64 of one's own, as is usual with a prefix of 96 bits
    2002::/16           2       RFC 3056, 6to4
    2001::/32           4       RFC 4380, Teredo's server; its client is dealt with below
    ::/96               12      RFC 4291, compatible
"""

#: The names of all scopes; a Unix socket has one too.
SCOPES = frozenset(
    (
        "global",
        "private",
        "loopback",
        "link-local",
        "unique-local",
        "cgnat",
        "multicast",
        "unspecified",
        "broadcast",
        "documentation",
        "benchmarking",
        "reserved",
        "cloud",
        "unix",
    )
)


class Network:
    """A network, as two numbers, and what it is called."""

    __slots__ = ("bits", "mask", "text", "width")

    def __init__(self, text: str) -> None:
        """`text` is "192.0.2.0/24", or an address alone. ValueError for anything else."""
        host, slash, length = text.partition("/")
        try:
            raw = inet_pton(AF_INET6 if ":" in host else AF_INET, host)
        except OSError:
            raise ValueError(f"{text!r} is no network and no numeric address") from None
        #: 4 or 16, in bytes.
        self.width = len(raw)
        most = 8 * self.width
        given = length.isascii() and length.isdigit()
        prefix = int(length) if given else most
        if prefix > most or (slash and not given):
            raise ValueError(f"{text!r}: a prefix length is at most {most}")
        self.mask = (1 << most) - (1 << most - prefix)
        self.bits = int.from_bytes(raw, "big")
        if self.bits & ~self.mask:
            raise ValueError(f"{text!r} has host bits set")
        self.text = text

    def __contains__(self, raw: bytes) -> bool:
        return len(raw) == self.width and int.from_bytes(raw, "big") & self.mask == self.bits


def _table(text: str) -> list[tuple[Network, str]]:
    rows = [line.split(None, 2) for line in text.strip().splitlines()]
    return [(Network(network), value) for network, value, *_ in rows]


_TABLES = {4: _table(_IPV4), 16: _table(_IPV6)}
_EMBEDDED = [(network, int(at)) for network, at in _table(_EMBEDDING)]
_MAPPED = Network("::ffff:0:0/96")
_TEREDO = Network("2001::/32")
#: RFC 5214: in any network, before an IPv4 address that is private, or global.
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


def network(text: str) -> Network:
    """One that the user has given: of mapped addresses it is that of the IPv4 addresses."""
    found = Network(text)
    prefix = bin(found.mask).count("1")
    raw = found.bits.to_bytes(found.width, "big")
    if raw in _MAPPED and prefix >= 96:
        return Network(f"{inet_ntop(AF_INET, raw[12:])}/{prefix - 96}")
    return found


def this_host(raw: bytes) -> bytes | None:
    """What 0.0.0.0 and :: are where one connects to them: the loopback address."""
    if any(raw):
        return None
    return inet_pton(*((AF_INET, "127.0.0.1") if len(raw) == 4 else (AF_INET6, "::1")))


def plain(raw: bytes) -> bytes:
    """What the system connects to: of a mapped address the IPv4 address."""
    return raw[12:] if raw in _MAPPED else raw


def embedded(raw: bytes) -> list[bytes]:
    """The IPv4 addresses that an IPv6 address (16 bytes) may lead to."""
    found = [raw[at : at + 4] for network, at in _EMBEDDED if raw in network]
    if raw in _TEREDO:
        found.append(bytes(byte ^ 0xFF for byte in raw[12:]))
    if raw[8:12] in _ISATAP:
        found.append(raw[12:])
    return found


def scope(raw: bytes) -> tuple[str, str]:
    """The scope of an address (4 or 16 bytes), and the network it has it from.

    An IPv6 form of an IPv4 address that is not global has the scope of that address.
    """
    raw = plain(raw)
    name, where = _scope(raw)
    if name == GLOBAL and len(raw) == 16:
        for inner in embedded(raw):
            found, network = _scope(inner)
            if found != GLOBAL:
                return found, f"{inet_ntop(AF_INET, inner)} in {network}"
    return name, where


def _scope(raw: bytes) -> tuple[str, str]:
    for network, name in _TABLES[len(raw)]:
        if raw in network:
            return name, network.text
    return (GLOBAL, "0.0.0.0/0") if len(raw) == 4 else ("reserved", "::/0")
