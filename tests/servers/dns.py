"""A DNS server for a given zone, from PyPI's `dnslib`: UDP, TCP and, beside an HTTPServer, DoH."""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Union

from . import MissingServer

if TYPE_CHECKING:
    from .http import Connection, Request

Answer = Sequence[str]
Entry = Union[str, Answer, "Changing", Callable[[str], Answer]]


class Changing:
    """A zone entry whose answer changes: the first query gets the first one, and so on.

    Each of the types A and AAAA counts for itself; the last answer stays.
    """

    def __init__(self, *answers: str | Answer) -> None:
        self._answers = [[answer] if isinstance(answer, str) else answer for answer in answers]
        self._asked: dict[str, int] = {}

    def __call__(self, kind: str) -> Answer:
        """Return the next answer for this type of query."""
        index = self._asked.get(kind, 0)
        self._asked[kind] = index + 1
        return self._answers[min(index, len(self._answers) - 1)]


class DNSServer:
    """Answers from `zone`, which tests may change at any time; other names do not exist.

        dns.zone["good.test"] = ["192.0.2.1", "2001:db8::1"]
        dns.zone["alias.test"] = "good.test"                       # a CNAME
        dns.zone["*.wild.test"] = "127.0.0.1"
        dns.zone["rebind.test"] = Changing("192.0.2.1", "127.0.0.1")
        dns.zone["any.test"] = lambda kind: ["127.0.0.1"] if kind == "A" else []

    `queries` has the (name, type) of all that was asked. UDP and TCP share `port`. A libcurl that
    uses the system's resolver can ask it by DoH: `dns.serve_doh(https)` returns the URL for
    CURLOPT_DOH_URL.
    """

    def __init__(
        self,
        zone: dict[str, Entry] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ttl: int = 0,
    ) -> None:
        try:
            import dnslib  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingServer("dnslib is not installed: pip install dnslib") from error
        self._dnslib: Any = dnslib
        self.zone: dict[str, Entry] = dict(zone or {})
        self.queries: list[tuple[str, str]] = []
        self.host = host
        self.ttl = ttl
        self._lock = threading.Lock()
        self._udp, self._tcp = _bind_both(host, port)
        self.port: int = self._udp.getsockname()[1]
        self._stopping = False
        self._threads = [
            threading.Thread(target=serve, name="dns", daemon=True)
            for serve in (self._serve_udp, self._serve_tcp)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    def serve_doh(self, https: Any, path: str = "/dns-query") -> str:
        """Answer DNS over HTTPS at this path of an HTTPServer; return the URL."""

        def doh(connection: Connection, request: Request) -> None:
            body = self.answer(request.body)
            connection.respond(200, [("Content-Type", "application/dns-message")], body)

        https.route(path, doh)
        return f"{https.url}{path}"

    def answer(self, query: bytes) -> bytes:
        """Return the response to a DNS query, both as on the wire."""
        record = self._dnslib.DNSRecord.parse(query)
        reply = record.reply()
        name = str(record.q.qname).rstrip(".").lower()
        kind = str(self._dnslib.QTYPE[record.q.qtype])
        with self._lock:
            self.queries.append((name, kind))
            if not self._add(reply, name, kind, 0):
                reply.header.rcode = self._dnslib.RCODE.NXDOMAIN
        packed: bytes = reply.pack()
        return packed

    def _add(self, reply: Any, name: str, kind: str, depth: int) -> bool:
        entry = self._entry(name)
        if entry is None:
            return False
        if callable(entry):
            entry = entry(kind)
        for text in [entry] if isinstance(entry, str) else entry:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                self._add_record(reply, name, "CNAME", text)
                if depth < 10:
                    self._add(reply, text.rstrip(".").lower(), kind, depth + 1)
            else:
                if kind == ("A" if address.version == 4 else "AAAA"):
                    self._add_record(reply, name, kind, text)
        return True

    def _entry(self, name: str) -> Entry | None:
        entry = self.zone.get(name)
        parent = name
        while entry is None and "." in parent:
            parent = parent.partition(".")[2]
            entry = self.zone.get(f"*.{parent}")
        return entry

    def _add_record(self, reply: Any, name: str, kind: str, text: str) -> None:
        library = self._dnslib
        data = getattr(library, kind)(text)
        reply.add_answer(library.RR(name, getattr(library.QTYPE, kind), rdata=data, ttl=self.ttl))

    def _serve_udp(self) -> None:
        while not self._stopping:
            try:
                query, peer = self._udp.recvfrom(65536)
                if query:
                    self._udp.sendto(self.answer(query), peer)
            except (OSError, self._dnslib.DNSError):
                continue

    def _serve_tcp(self) -> None:
        while not self._stopping:
            try:
                client = self._tcp.accept()[0]
            except OSError:
                continue
            threading.Thread(target=self._serve_client, args=(client,), daemon=True).start()

    def _serve_client(self, client: socket.socket) -> None:
        client.settimeout(10)
        with client, client.makefile("rb") as stream:
            try:
                while len(head := stream.read(2)) == 2:
                    answer = self.answer(stream.read(struct.unpack(">H", head)[0]))
                    client.sendall(struct.pack(">H", len(answer)) + answer)
            except (OSError, self._dnslib.DNSError):
                pass

    def stop(self) -> None:
        """Stop answering."""
        self._stopping = True
        with socket.socket(self._udp.family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self._udp.getsockname())  # wakes recvfrom()
        self._tcp.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._udp.close()
        self._tcp.close()

    def __enter__(self) -> DNSServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _bind_both(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Bind a UDP and a TCP socket to one port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for attempt in range(20):
        tcp = socket.create_server((host, port), family=family)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            if port or attempt == 19:
                raise
        else:
            return udp, tcp
    raise AssertionError
