"""Rewrite: other addresses, other families, names."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import pytest

import libcurl
from libcurl.sockets import AddressPolicy, Rewrite, SocketLog, allow

if TYPE_CHECKING:
    from servers.http import HTTPServer
    from servers.proxy import SocksProxy


def fetch(url: str, tools: Any, **options: Any) -> bytes:
    with libcurl.Easy(url=url, sockets=tools, timeout_ms=5000, **options) as easy:
        return easy.fetch()


def test_addresses(http: HTTPServer) -> None:
    here = ("127.0.0.1", http.port)
    rewrite = Rewrite(
        {
            ("192.0.2.1", 80): here,
            "192.0.2.2": here,
            "198.51.100.0/24": here,
            ipaddress.ip_network("203.0.113.0/24"): here,
            "2001:db8::/32": here,
            ("2001:db8::2", 81): ("127.0.0.1", 1),
            ("127.0.0.1", 1): here,
        }
    )
    hosts = ["192.0.2.1", "192.0.2.2:99", "198.51.100.7:8", "203.0.113.1", "[2001:db8::1]"]
    for host in [*hosts, "[::ffff:192.0.2.1]", "127.0.0.1:1"]:
        assert fetch(f"http://{host}/", rewrite) == b"hello"
    with pytest.raises(libcurl.CouldntConnect):
        fetch("http://[2001:db8::2]:81/", rewrite)
    assert {request.get("Host") for request in http.requests} == {*hosts} | {
        "[::ffff:192.0.2.1]",
        "127.0.0.1:1",
    }


def test_what_is_not_in_it_is_left_alone(http: HTTPServer) -> None:
    assert fetch(http.url, Rewrite({"192.0.2.1": ("127.0.0.1", 1)})) == b"hello"
    assert fetch(http.url, Rewrite({})) == b"hello"


def test_port_0_is_the_port_asked_for(http: HTTPServer) -> None:
    rewrite = Rewrite({"192.0.2.0/24": ("127.0.0.1", 0)})
    assert fetch(f"http://192.0.2.1:{http.port}/", rewrite) == b"hello"


def test_to_another_family(http: HTTPServer, http6: HTTPServer, http_unix: HTTPServer) -> None:
    assert fetch("http://192.0.2.1/", Rewrite({"192.0.2.1": ("::1", http6.port)})) == b"hello"
    assert fetch("http://[::2]/", Rewrite({"::2": ("127.0.0.1", http.port)})) == b"hello"
    to_unix = Rewrite({"0.0.0.0/0": str(http_unix.unix_path)})
    policy = AddressPolicy(allow(path=http_unix.unix_path))
    for tools in (to_unix, to_unix | policy, SocketLog() | to_unix | policy):
        with libcurl.Easy(url="http://192.0.2.1/", sockets=tools) as easy:
            assert easy.fetch() == b"hello"
            assert easy.fetch() == b"hello"


def test_callables(http: HTTPServer) -> None:
    seen = []

    def somewhere(address: libcurl.Address) -> Any:
        seen.append(address.addr)
        return None if address.port == http.port else ("127.0.0.1", http.port)

    assert fetch("http://192.0.2.1/", Rewrite({"192.0.2.0/24": somewhere})) == b"hello"
    assert fetch("http://192.0.2.1/", Rewrite(somewhere)) == b"hello"
    assert fetch(http.url, Rewrite(somewhere)) == b"hello"
    assert seen == [("192.0.2.1", 80), ("192.0.2.1", 80), ("127.0.0.1", http.port)]


def test_callables_that_fail() -> None:
    def fails(address: libcurl.Address) -> Any:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fetch("http://192.0.2.1/", Rewrite(fails))
    with pytest.raises(ValueError, match="numeric"):
        fetch("http://192.0.2.1/", Rewrite(lambda address: ("localhost", 80)))


def test_names(http: HTTPServer, http_unix: HTTPServer) -> None:
    rewrite = Rewrite(
        {
            ("db.internal", 5432): str(http_unix.unix_path),
            ("Web.Internal", 80): ("127.0.0.1", http.port),
        }
    )
    # Nobody resolves these.
    assert fetch("http://db.internal:5432/", rewrite) == b"hello"
    assert fetch("http://WEB.internal/", rewrite) == b"hello"
    assert http.requests[0].get("Host").lower() == "web.internal"
    assert http_unix.requests[0].get("Host") == "db.internal:5432"
    with pytest.raises(libcurl.CouldntResolveHost):
        fetch("http://web.internal:81/", rewrite)


def test_names_in_redirects(http: HTTPServer) -> None:
    rewrite = Rewrite({("web.internal", 80): ("127.0.0.1", http.port)})
    url = f"{http.url}/redirect-to?url=http%3a//web.internal/"
    assert fetch(url, rewrite, followlocation=True) == b"hello"


def test_names_and_ones_own_connect_to(http: HTTPServer) -> None:
    rewrite = Rewrite({("web.internal", 80): ("127.0.0.1", http.port)})
    options = {"connect_to": [f"mine.internal:80:127.0.0.1:{http.port}"]}
    with libcurl.Easy(sockets=rewrite, **options) as easy:
        for host in ("web.internal", "mine.internal"):
            easy.set(url=f"http://{host}/")
            assert easy.fetch() == b"hello"
        easy.set(sockets=None)
        assert easy.fetch() == b"hello"
        easy.set(url="http://web.internal/", forbid_reuse=True)
        with pytest.raises(libcurl.CouldntResolveHost):
            easy.perform()


def test_names_through_a_proxy_are_the_proxys(
    http: HTTPServer, socks: SocksProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    socks.hosts["web.internal"] = "127.0.0.1"
    rewrite = Rewrite({("web.internal", http.port): ("127.0.0.1", 1)})
    url = f"http://web.internal:{http.port}/"
    assert fetch(url, rewrite, proxy=socks.url) == b"hello"
    monkeypatch.setenv("all_proxy", socks.url)
    assert fetch(url, rewrite) == b"hello"
    assert len(socks.requests) == 2


@pytest.mark.parametrize(
    ("targets", "error"),
    [
        ({"localhost": ("127.0.0.1", 80)}, ValueError),
        ({("127.0.0.1", 0): ("127.0.0.1", 80)}, ValueError),
        ({"127.0.0.1": ("localhost", 80)}, ValueError),
        ({"127.0.0.1": ("127.0.0.1", 65536)}, ValueError),
        ({"127.0.0.1": 80}, TypeError),
        ({("name", 80): lambda address: None}, TypeError),
    ],
)
def test_what_cannot_be_understood(targets: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Rewrite(targets)


def test_listening_is_left_alone() -> None:
    rewrite = Rewrite({"0.0.0.0/0": ("127.0.0.1", 1)})
    address = libcurl.Address(socket.AF_INET, 1, 6, b"")
    address.addr = ("127.0.0.1", 0)
    rewrite._route(0, address)
    assert address.addr == ("127.0.0.1", 0)


def test_repr() -> None:
    assert repr(Rewrite({"192.0.2.1": "/run/x"})) == "<Rewrite '192.0.2.1' to '/run/x'>"
