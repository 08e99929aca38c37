"""Address: what an opener is shown, and may assign."""

from __future__ import annotations

import pathlib
import socket
from typing import Any

import pytest

import libcurl
from libcurl import Address

V4 = ("192.0.2.1", 8080)
V6 = ("2001:db8::1", 443, 5, 3)


@pytest.fixture
def address() -> Address:
    """An address as libcurl would show it."""
    raw = bytes([*socket.AF_INET.to_bytes(2, "little"), 0x1F, 0x90, 192, 0, 2, 1]) + bytes(8)
    return Address(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, raw)


def test_it_shows_what_socket_takes(address: Address) -> None:
    assert (address.family, address.socktype, address.protocol) == (2, 1, 6)
    assert address.addr == V4
    assert (address.host, address.port) == V4
    assert repr(address) == "<Address ('192.0.2.1', 8080) family=2 socktype=1 protocol=6>"


@pytest.mark.parametrize(
    ("value", "family", "shown"),
    [
        (("127.0.0.1", 1), socket.AF_INET, ("127.0.0.1", 1)),
        (("::1", 1), socket.AF_INET6, ("::1", 1, 0, 0)),
        (V6, socket.AF_INET6, V6),
        (("fe80::1%1", 1), socket.AF_INET6, ("fe80::1", 1, 0, 1)),
        ("/tmp/a socket", socket.AF_UNIX, "/tmp/a socket"),
        (b"/tmp/\xff", socket.AF_UNIX, "/tmp/\udcff"),
        (pathlib.PurePosixPath("/tmp/x"), socket.AF_UNIX, "/tmp/x"),
        (b"\0abstract", socket.AF_UNIX, b"\0abstract"),
        ("\0abstract", socket.AF_UNIX, b"\0abstract"),
    ],
)
def test_assigning_addr_sets_the_family_it_implies(
    address: Address, value: Any, family: int, shown: Any
) -> None:
    address.addr = value
    assert address.family == family
    assert address.addr == shown
    assert address.socktype == socket.SOCK_STREAM


def test_host_and_port_can_be_assigned_alone(address: Address) -> None:
    address.port = 81
    assert address.addr == ("192.0.2.1", 81)
    address.host = "::1"
    assert address.addr == ("::1", 81, 0, 0)
    address.addr = V6
    address.port = 444
    assert address.addr == ("2001:db8::1", 444, 5, 3)


def test_everything_socket_takes_can_be_assigned(address: Address) -> None:
    address.family, address.socktype, address.protocol = 10, 2, 17
    assert (address.family, address.socktype, address.protocol) == (10, 2, 17)
    with pytest.raises(AttributeError):
        address.adr = V4  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (("localhost", 1), ValueError, "'localhost' is no numeric address"),
        (("127.0.0.256", 1), ValueError, "'127.0.0.256' is no numeric address"),
        (("::g", 1), ValueError, "'::g' is no numeric address"),
        (("127.0.0.1", 65536), ValueError, "65536 is no port"),
        (("127.0.0.1", -1), ValueError, "-1 is no port"),
        (("::1", 1, 1 << 20, 0), ValueError, "flowinfo or scope_id is out of range"),
        (("::1", 1, 0, 1 << 32), ValueError, "flowinfo or scope_id is out of range"),
        (("127.0.0.1", "80"), TypeError, "integer"),
        (("127.0.0.1",), TypeError, "not tuple"),
        ((127, 80), TypeError, "not tuple"),
        (5, TypeError, "not int"),
        (None, TypeError, "not NoneType"),
        (["127.0.0.1", 80], TypeError, "not list"),
        ("", ValueError, "a Unix path is not empty"),
        ("/a\0b", ValueError, "no NUL inside"),
        ("/" + "x" * 107, ValueError, "at most 107 bytes"),
    ],
)
def test_what_is_no_address_is_refused(
    address: Address, value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        address.addr = value
    assert type(caught.value) is error
    assert address.addr == V4
    assert address.family == socket.AF_INET


def test_the_longest_unix_path_fits(address: Address) -> None:
    address.addr = "/" + "x" * 106
    assert address.host == "/" + "x" * 106
    assert address.port == 0


def test_an_unknown_family_is_bytes() -> None:
    raw = (99).to_bytes(2, "little") + b"abc"
    address = Address(99, 1, 0, raw)
    assert address.addr == raw
    assert address.port == 0
    with pytest.raises(ValueError, match="family 99 has no host"):
        _ = address.host


def test_it_can_be_kept_longer_than_the_callback(http: Any) -> None:
    kept: list[Address] = []

    def opener(purpose: int, address: Address) -> socket.socket:
        kept.append(address)
        return socket.socket(address.family, address.socktype, address.protocol)

    with libcurl.Easy(url=http.url + "/", opensocketfunction=opener) as easy:
        easy.perform()
    assert kept[0].addr == (http.host, http.port)
    kept[0].addr = V6
    assert kept[0].host == "2001:db8::1"
