"""The internet, for the tests of `libcurl.sockets`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from servers import NeedsRoot
from servers.dns import DNSServer
from servers.http import Connection, HTTPServer

import libcurl
from sockets.namespace import Namespace, forget_proxies

if TYPE_CHECKING:
    from servers.tls import Authority

PUBLIC = "93.184.215.14"
PUBLIC6 = "2606:2800:220:1::14"
HOSTS = ("public.test", "*.public.test", "other.test")


class Reached(HTTPServer):
    """An HTTP server that notes which of its addresses were connected to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.reached: list[str] = []
        super().__init__(*args, **kwargs)

    def _start(self, sock: socket.socket, peer: Any) -> Connection:
        self.reached.append(sock.getsockname()[0])
        return super()._start(sock, peer)


class Internet:
    """Web servers on all addresses, on ports 80 and 443, and a DNS server, by DoH.

    Names of the zone are made up by the tests; public.test and other.test are there.
    """

    def __init__(self, ca: Authority) -> None:
        self._ca = ca
        self.namespace = Namespace()
        with self.namespace:
            certificate = ca.issue("internet", hosts=(*HOSTS, PUBLIC))
            self.web = [
                Reached(host, port, tls=ca.server_context(certificate) if port == 443 else None)
                for host in ("0.0.0.0", "::")
                for port in (80, 443)
            ]
            self._resolver = HTTPServer(tls=ca.server_context())
            self.dns = DNSServer()
        self.doh = self.dns.serve_doh(self._resolver)

    def clear(self) -> None:
        """Forget everything."""
        for server in self.web:
            server.clear()
            server.reached.clear()
        self.dns.queries.clear()
        self.dns.zone = {
            "public.test": [PUBLIC, PUBLIC6],
            "*.public.test": PUBLIC,
            "other.test": "151.101.1.91",
        }

    def stop(self) -> None:
        """Stop the servers."""
        for server in (*self.web, self._resolver, self.dns):
            server.stop()
        self.namespace.close()

    @property
    def reached(self) -> list[str]:
        """The addresses that were connected to."""
        return [address for server in self.web for address in server.reached]

    def route(self, path: str, handler: Any) -> None:
        """Serve a path on all web servers."""
        for server in self.web:
            server.route(path, handler)

    def redirects(self, path: str, location: str, code: int = 302) -> str:
        """Serve a redirect, on public.test; return its URL."""
        self.route(
            path, lambda connection, request: connection.respond(code, [("Location", location)])
        )
        return f"http://public.test{path}"

    def options(self, **options: Any) -> dict[str, Any]:
        """What a handle needs to be here."""
        return {
            "doh_url": self.doh,
            "cainfo": self._ca.cert,
            "timeout_ms": 5000,
            "connecttimeout_ms": 2000,
            "dns_cache_timeout": 0,
            **options,
        }

    def easy(self, url: str, **options: Any) -> libcurl.Easy:
        """A handle that is here."""
        return libcurl.Easy(**self.options(url=url, **options))


@pytest.fixture(scope="session")
def _internet(ca: Authority) -> Iterator[Internet]:
    try:
        internet = Internet(ca)
    except NeedsRoot as reason:
        pytest.skip(str(reason))
    yield internet
    internet.stop()


@pytest.fixture
def internet(_internet: Internet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    """The internet; the test is in it, so servers that it starts are too."""
    forget_proxies(monkeypatch)
    _internet.clear()
    with _internet.namespace:
        yield _internet


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)
