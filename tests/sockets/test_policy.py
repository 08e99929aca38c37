"""AddressPolicy without a network: rules, scopes, verdicts, and what is said of them."""

from __future__ import annotations

import copy
import ipaddress
import pathlib
import pickle
import socket
from typing import Any

import pytest

from libcurl import Address
from libcurl.sockets import SCOPES, AddressPolicy, AddressRefused, allow, deny, scopes

SCOPE_OF = {
    "0.0.0.0": "unspecified",
    "0.255.0.1": "unspecified",
    "9.255.255.255": "global",
    "10.0.0.0": "private",
    "10.255.255.255": "private",
    "11.0.0.0": "global",
    "100.63.255.255": "global",
    "100.64.0.0": "cgnat",
    "100.127.255.255": "cgnat",
    "100.128.0.0": "global",
    "126.255.255.255": "global",
    "127.0.0.1": "loopback",
    "127.255.255.255": "loopback",
    "128.0.0.0": "global",
    "168.63.129.15": "global",
    "168.63.129.16": "cloud",
    "169.253.255.255": "global",
    "169.254.169.254": "link-local",
    "169.255.0.0": "global",
    "172.15.255.255": "global",
    "172.16.0.0": "private",
    "172.31.255.255": "private",
    "172.32.0.0": "global",
    "192.0.0.0": "reserved",
    "192.0.0.8": "reserved",
    "192.0.0.9": "global",
    "192.0.0.10": "global",
    "192.0.0.170": "reserved",
    "192.0.1.0": "global",
    "192.0.2.255": "documentation",
    "192.31.196.1": "global",
    "192.52.193.1": "global",
    "192.88.99.1": "reserved",
    "192.168.255.255": "private",
    "192.175.48.1": "global",
    "198.17.255.255": "global",
    "198.18.0.0": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.20.0.0": "global",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "223.255.255.255": "global",
    "224.0.0.0": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.0": "reserved",
    "255.255.255.254": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::2": "reserved",
    "::8.8.8.8": "reserved",
    "::ffff:8.8.8.8": "global",
    "::ffff:10.0.0.1": "private",
    "::ffff:0:8.8.8.8": "reserved",
    "64:ff9b::8.8.8.8": "global",
    "64:ff9b::192.168.0.1": "private",
    "64:ff9b::1:0:0": "reserved",
    "64:ff9b:1::1": "reserved",
    "100::1": "reserved",
    "100:0:0:1::1": "reserved",
    "1fff::1": "reserved",
    "2000::1": "global",
    "2001::1": "reserved",
    "2001:1::1": "global",
    "2001:1::4": "reserved",
    "2001:2::1": "benchmarking",
    "2001:3::1": "global",
    "2001:4:112::1": "global",
    "2001:10::1": "reserved",
    "2001:20::1": "global",
    "2001:30::1": "global",
    "2001:200::1": "global",
    "2001:db7::1": "global",
    "2001:db8::1": "documentation",
    "2002:808:808::1": "global",
    "2002:a00:1::1": "private",
    "2002:c0a8:1::1": "private",
    "2003::1": "global",
    "2620:4f:8000::1": "global",
    "3fff::1": "documentation",
    "3fff:1000::1": "global",
    "4000::1": "reserved",
    "5f00::1": "reserved",
    "fbff::1": "reserved",
    "fc00::1": "unique-local",
    "fdff::1": "unique-local",
    "fe00::1": "reserved",
    "fe80::1": "link-local",
    "febf::1": "link-local",
    "fec0::1": "private",
    "ff0e::1": "multicast",
}


@pytest.mark.parametrize(("host", "expected"), SCOPE_OF.items())
def test_scopes(host: str, expected: str) -> None:
    raw = ipaddress.ip_address(host).packed
    assert scopes.scope(raw)[0] == expected
    assert AddressPolicy(allow(scope=expected)).allows(host)
    assert AddressPolicy.public_only().allows(host) == (expected == "global")


def test_scopes_are_those_of_the_tables() -> None:
    assert {*SCOPE_OF.values()} | {"unix"} == SCOPES


def test_where_python_is_right() -> None:
    """What `ipaddress` refuses for good reasons is refused here."""
    policy = AddressPolicy.public_only()
    for number in range(0, 1 << 32, 999_983):
        address = ipaddress.IPv4Address(number)
        if address.is_private or address.is_multicast or address.is_reserved:
            assert not policy.allows(address) or str(address).startswith("192.0.0.")


# Rules


def test_the_first_rule_that_matches_decides() -> None:
    policy = AddressPolicy(deny("10.0.0.0/24"), allow("10.0.0.0/8"), deny("10.1.0.0/16"))
    assert not policy.allows("10.0.0.1")
    assert policy.allows("10.1.0.1")
    assert policy.check("10.1.0.1") is policy.rules[1]


def test_what_no_rule_matches_is_refused() -> None:
    for address in ("10.0.0.1", "8.8.8.8", "::1", "/run/x.sock"):
        with pytest.raises(AddressRefused) as raised:
            AddressPolicy().check(address)
        assert raised.value.rule is None


def test_networks() -> None:
    network = ipaddress.ip_network("2001:db8::/32")
    policy = AddressPolicy(allow("10.0.0.0/8", network, "192.0.2.1", ipaddress.ip_address("::1")))
    for address in ("10.1.2.3", "2001:db8::1", "192.0.2.1", "::1", "::ffff:10.0.0.1"):
        assert policy.allows(address), address
    for address in ("11.0.0.1", "192.0.2.2", "::2", "64:ff9b::10.0.0.1"):
        assert not policy.allows(address), address


def test_ports() -> None:
    policy = AddressPolicy(
        deny(port=range(1, 80)), allow("10.0.0.1", port=[80, 443, range(8000, 9000)])
    )
    for port, allowed in {25: 0, 80: 1, 81: 0, 443: 1, 7999: 0, 8000: 1, 8999: 1, 9000: 0}.items():
        assert policy.allows("10.0.0.1", port) == bool(allowed)
        assert policy.allows(("10.0.0.1", port)) == bool(allowed)


def test_families() -> None:
    policy = AddressPolicy(deny(family=socket.AF_INET6), allow(family=socket.AF_INET))
    assert policy.allows("10.0.0.1")
    assert policy.allows("::ffff:10.0.0.1")
    assert not policy.allows("2000::1")
    assert not policy.allows("/run/x")


def test_scopes_in_rules() -> None:
    policy = AddressPolicy(allow(scope=["loopback", "private"], port=80))
    assert policy.allows("127.0.0.1", 80)
    assert policy.allows("192.168.0.1", 80)
    assert not policy.allows("192.168.0.1", 81)
    assert not policy.allows("8.8.8.8", 80)


@pytest.mark.parametrize("rule", ["64:ff9b::a00:1", "2002:a00:1::", "::10.0.0.1", "2001:0:a00:1::"])
def test_a_denied_ipv4_network_holds_its_ipv6_forms(rule: str) -> None:
    policy = AddressPolicy(deny("10.0.0.0/8"), allow("0.0.0.0/0", "::/0"))
    assert not policy.allows(rule)
    assert policy.allows("64:ff9b::b00:1")
    teredo = b"\x20\x01\0\0" + bytes(8) + bytes(byte ^ 0xFF for byte in (10, 0, 0, 1))
    assert not policy.allows(ipaddress.ip_address(teredo))


def test_a_list_that_is_empty_by_mistake_allows_nothing() -> None:
    networks: list[str] = []
    for wrong in (
        lambda: allow(*networks),
        lambda: allow(scope=networks),
        lambda: deny(scope=networks),
    ):
        with pytest.raises(ValueError, match=r"nothing|no scope"):
            wrong()
    assert not AddressPolicy(allow("10.0.0.0/8", port=[])).allows("10.0.0.1", 80)
    assert str(deny()) == "deny everything"


def test_unix_sockets() -> None:
    everything = AddressPolicy(allow("0.0.0.0/0", "::/0"))
    assert not everything.allows("/run/x.sock")
    for rule in (allow(path="/run/x.sock"), allow(family=socket.AF_UNIX), allow(scope="unix")):
        assert AddressPolicy(rule).allows("/run/x.sock")
        assert AddressPolicy(rule).allows(pathlib.Path("/run/x.sock"))
        assert not AddressPolicy(rule).allows("127.0.0.1")
        assert not AddressPolicy(deny(), rule).allows("/run/x.sock")
    assert not AddressPolicy(allow(path="/run/x.sock")).allows("/run/y.sock")
    assert AddressPolicy(allow(family=socket.AF_UNIX)).allows(b"\0abstract")
    assert not AddressPolicy(deny(path="/run/x"), allow(scope="unix")).allows("/run/x")


def test_a_long_path_is_known_by_its_beginning_only() -> None:
    """That is what libcurl reports before a request."""
    path = "/run/" + "x" * 60
    policy = AddressPolicy(allow(path=path))
    assert policy._verdict_reported(path[:45], 0, path).allowed
    assert not policy._verdict_reported(path[:45], 0).allowed  # it may be another's
    assert not policy._verdict_reported(path[:45], 0, path + "y").allowed
    assert (
        not AddressPolicy(deny(path=path), allow(scope="unix"))
        ._verdict_reported(path[:45], 0)
        .allowed
    )
    assert not policy._verdict_reported(path[:44] + "y", 0).allowed
    assert not policy._verdict_reported(path[:20], 0).allowed
    assert not policy._verdict_reported("", 0).allowed


def test_addresses_of_libcurl() -> None:
    address = Address(socket.AF_INET, 1, 6, b"")
    address.addr = ("10.0.0.1", 80)
    assert AddressPolicy(allow("10.0.0.1", port=80)).allows(address)
    address.addr = ("fe80::1", 80, 0, 7)
    assert AddressPolicy(allow(scope="link-local")).allows(address)


@pytest.mark.parametrize(
    "name", ["localhost", "127.1", "0x7f000001", "2130706433", "", "1.2.3.4.5"]
)
def test_names_are_not_resolved(name: str) -> None:
    with pytest.raises(ValueError, match="numeric"):
        AddressPolicy().check(name)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (("10.0.0.1/8",), {}, ValueError),
        (("10.0.0.0/33",), {}, ValueError),
        (("10.0.0.0/",), {}, ValueError),
        (("::/129",), {}, ValueError),
        (("10.0.0.0/ 8",), {}, ValueError),
        (("10.0.0.1/\u0663",), {}, ValueError),  # a digit, but of another script
        (("10.0.0.1/\u00b2",), {}, ValueError),
        (("example.com",), {}, ValueError),
        ((), {"port": -1}, ValueError),
        ((), {"port": 65536}, ValueError),
        ((), {"port": range(0)}, ValueError),
        ((), {"port": "http"}, TypeError),
        ((), {"family": 99}, ValueError),
        ((), {"scope": "public"}, ValueError),
        ((), {"path": "/x", "port": 80}, ValueError),
        (("10.0.0.1",), {"path": "/x"}, ValueError),
    ],
)
def test_rules_that_are_none(arguments: Any, options: Any, error: type[Exception]) -> None:
    for make in (allow, deny):
        with pytest.raises(error):
            make(*arguments, **options)


def test_policies_that_are_none() -> None:
    with pytest.raises(TypeError, match="rules"):
        AddressPolicy("10.0.0.0/8")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="several"):
        AddressPolicy(proxies="proxy:3128")
    for name in ("", "http://", "proxy:port", "proxy:99999"):
        with pytest.raises(ValueError, match="proxy"):
            AddressPolicy(proxies=[name])


# What is said


def test_policies_print() -> None:
    policy = AddressPolicy.public_only(
        allow("10.0.0.1", port=[80, range(8000, 9000)]),
        deny(family=socket.AF_INET6, scope="global"),
        allow(path="/run/x.sock"),
        proxies=["http://proxy.example:3128"],
    )
    assert str(policy) == (
        "AddressPolicy.public_only, the first rule that matches decides:\n"
        "  1. allow 10.0.0.1 port 80,8000-8999\n"
        "  2. deny IPv6 global\n"
        "  3. allow unix:/run/x.sock\n"
        "  4. allow global\n"
        "  5. deny everything\n"
        "  proxies: http://proxy.example:3128; active FTP: no"
    )
    assert repr(policy) == (
        "<AddressPolicy.public_only: allow 10.0.0.1 port 80,8000-8999; deny IPv6 global; "
        "allow unix:/run/x.sock; proxies http://proxy.example:3128>"
    )
    assert repr(AddressPolicy.public_only()) == "<AddressPolicy.public_only>"
    assert repr(AddressPolicy(deny(), proxies=True, listen=True)) == (
        "<AddressPolicy: deny everything; proxies any; listen>"
    )


def test_refusals() -> None:
    policy = AddressPolicy(deny("10.0.0.0/8", port=80))
    with pytest.raises(AddressRefused) as raised:
        policy.check("10.0.0.1", 80)
    error = raised.value
    assert isinstance(error, PermissionError)
    assert error.address == ("10.0.0.1", 80)
    assert error.rule is policy.rules[0]
    assert str(error) == "10.0.0.1:80 is refused: deny 10.0.0.0/8 port 80 (private, 10.0.0.0/8)"
    with pytest.raises(AddressRefused, match=r"^\[::1\]:80 is refused: no rule allows it"):
        policy.check("::1", 80)
    with pytest.raises(AddressRefused, match=r"^unix:/run/x is refused"):
        policy.check("/run/x")
    error = AddressRefused(("10.0.0.1", 80), None, "why", "http://x/", ("8.8.8.8", 443))
    assert str(error) == "10.0.0.1:80 is refused: why; rewritten from 8.8.8.8:443 (http://x/)"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(twin) == str(error)
        assert twin.address == error.address


def test_memory_is_bounded() -> None:
    policy = AddressPolicy.public_only()
    for number in range(10_000):
        policy.allows(ipaddress.ip_address(0x08000000 + number))
    assert len(policy._verdicts) <= 4096


def test_copies() -> None:
    policy = AddressPolicy.public_only(deny("8.8.8.8"), proxies=["proxy:3128"], listen=True)
    for twin in (copy.copy(policy), copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
        assert str(twin) == str(policy)
        assert repr(twin) == repr(policy)
        assert twin.allows("8.8.4.4")
        assert not twin.allows("8.8.8.8")
