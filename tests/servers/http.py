"""An HTTP/1.1 server on bare sockets, under the test's control to the byte.

In a test's own process, in threads:

    with HTTPServer() as http:
        http.route("/hi", lambda connection, request: connection.respond(200, body=b"hi"))
        ...
        assert len(http.connections) == 1 and http.requests[0].target == "/hi"

or as a program, which prints its URL: `python -m servers.http` (see --help).
What it serves by itself is listed in endpoints.py.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shutil
import signal
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from .daemon import bracketed, scratch
from .endpoints import ROUTES

Headers = Iterable[tuple[str, "str | bytes"]]
Handler = Callable[["Connection", "Request"], object]


@dataclass
class Request:
    """A request as it was read. Text is Latin-1: every byte is one character."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    connection: Connection = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    trailers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The target without scheme, host and query."""
        path = self.target.partition("?")[0]
        if "://" in path:
            path = "/" + path.partition("://")[2].partition("/")[2]
        return path

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded fields of the query."""
        query = self.target.partition("?")[2]
        return urllib.parse.parse_qsl(query, keep_blank_values=True, encoding="latin-1")

    def arg(self, name: str, default: str = "") -> str:
        """Return a field of the query."""
        return dict(self.query).get(name, default)

    def get(self, name: str, default: str = "") -> str:
        """Return the first header of this name."""
        for header, value in self.headers:
            if header.lower() == name.lower():
                return value
        return default


class Connection:
    """An accepted connection: handlers write to it, tests look at it."""

    def __init__(self, server: HTTPServer, sock: socket.socket, peer: Any, number: int) -> None:
        self.server = server
        self.sock = sock
        self.peer = peer  # as accept() gave it
        self.number = number  # 1 is the server's first connection
        self.requests: list[Request] = []
        self.keep_alive = True
        self.error: Exception | None = None  # what ended it, a failed TLS handshake for example
        self._unread = b""
        self._body_pending = False
        self._dropped = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()

    # for tests

    @property
    def closed(self) -> bool:
        """True when the server has closed its socket."""
        return self._closed.is_set()

    def wait_closed(self, timeout: float = 5) -> bool:
        """Wait until the server has closed its socket, for whatever reason."""
        return self._closed.wait(timeout)

    def drop(self) -> None:
        """End the connection from any thread, whatever its handler is doing."""
        self._dropped.set()
        with self._lock, contextlib.suppress(OSError):
            if not self.closed:
                # Not SSLSocket.shutdown: that pulls the TLS object from under the other thread.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    # for handlers

    def send(self, data: bytes | memoryview) -> None:
        """Send these bytes and nothing else."""
        self.sock.sendall(data)

    def head(self, status: int = 200, headers: Headers = (), reason: str = "") -> None:
        """Send a status line and headers, as given; what follows is up to the handler."""
        self.send(_head("HTTP/1.1", status, headers, reason))

    def respond(
        self,
        status: int = 200,
        headers: Headers = (),
        body: bytes = b"",
        *,
        close: bool = False,
        reason: str = "",
    ) -> None:
        """Answer the last request with a response that has its length in the header."""
        request = self.requests[-1]
        if close:
            self.keep_alive = False
        headers = list(headers)
        bodyless = status < 200 or status in (204, 304)
        if not bodyless and not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(body))))
        if not self.keep_alive:
            headers.append(("Connection", "close"))
        elif request.version == "HTTP/1.0":
            headers.append(("Connection", "keep-alive"))
        protocol = "HTTP/1.1"
        if request.version.startswith("RTSP"):
            protocol = "RTSP/1.0"
            headers.append(("CSeq", request.get("CSeq")))
        data = _head(protocol, status, headers, reason)
        self.send(data if bodyless or request.method == "HEAD" else data + body)

    def read_body(self, request: Request) -> bytes:
        """Read the request's body, for handlers registered with `read_body=False`."""
        if self._body_pending:
            if request.get("Expect").lower() == "100-continue":
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._body_pending = False
            self._read_body(request)
        return request.body

    def recv(self, size: int = 65536) -> bytes:
        """Receive what is there, at most `size` bytes; b"" at the end."""
        data, self._unread = self._unread[:size], self._unread[size:]
        return data or self.sock.recv(size)

    def sleep(self, seconds: float) -> None:
        """Wait; an OSError when the connection is dropped meanwhile."""
        if self._dropped.wait(seconds):
            raise ConnectionAbortedError("the server ended the connection")

    def wait_peer(self) -> None:
        """Discard what comes until the client closes."""
        while self.recv():
            pass
        self.keep_alive = False

    def close(self) -> None:
        """Send nothing more: the connection ends when the handler returns."""
        self.keep_alive = False

    def reset(self) -> None:
        """Make the connection end with a RST when the handler returns."""
        self.keep_alive = False
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    # the server's side

    def run(self) -> None:
        """Serve until somebody closes."""
        try:
            if self.server.tls is not None:
                with self._lock:
                    self.sock = self.server.tls.wrap_socket(
                        self.sock, server_side=True, do_handshake_on_connect=False
                    )
                self.sock.do_handshake()
            while self.keep_alive and not self._dropped.is_set():
                request = self._read_request()
                if request is None:
                    break
                self._handle(request)
        except (OSError, ValueError) as error:
            self.error = error
        except (
            Exception
        ) as error:  # a fault in a test's handler: the client sees an end, the test why
            self.error = error
            self.server.errors.append(error)
        finally:
            self._finish()

    def _finish(self) -> None:
        # PyPy's ssl raises a RuntimeError where OpenSSL has no text for an error.
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.setblocking(False)
                self.sock.unwrap()  # sends close_notify, does not wait for the client's
        with contextlib.suppress(OSError):
            if self._body_pending and not self._dropped.is_set():
                self._linger()
        with self._lock:
            self.sock.close()
            self._closed.set()
        self.server._forget(self)

    def _linger(self) -> None:
        # Closing with unread data would send a RST, which can destroy the response on its way.
        socket.socket.shutdown(self.sock, socket.SHUT_WR)
        self.sock.settimeout(1)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline and socket.socket.recv(self.sock, 65536):
            pass

    def _handle(self, request: Request) -> None:
        handler, read_body = self.server._find(request.path)
        if read_body:
            self.read_body(request)
        self.server._record(request)
        handler(self, request)
        if self.keep_alive:
            self.read_body(request)

    def _read_request(self) -> Request | None:
        line = self._read_line()
        while line == "":  # RFC 9112, 2.2: empty lines before a request are ignored
            line = self._read_line()
        if line is None:
            return None
        method, target, version = line.split(" ", 2)
        request = Request(method, target, version, self._read_headers(), self)
        wish = request.get("Connection").lower()
        self.keep_alive = wish == "keep-alive" if version == "HTTP/1.0" else wish != "close"
        length = request.get("Content-Length", "0")
        self._body_pending = length != "0" or request.get("Transfer-Encoding") != ""
        self.requests.append(request)
        return request

    def _read_headers(self) -> list[tuple[str, str]]:
        headers = []
        while line := self._read_line():
            name, _, value = line.partition(":")
            headers.append((name, value.strip(" \t")))
        return headers

    def _read_body(self, request: Request) -> None:
        if request.get("Transfer-Encoding").lower() != "chunked":
            request.body = self._read_exactly(int(request.get("Content-Length", "0")))
            return
        chunks = []
        while size := int((self._read_line() or "0").partition(";")[0], 16):
            chunks.append(self._read_exactly(size))
            self._read_line()
        request.body = b"".join(chunks)
        request.trailers = self._read_headers()

    def _read_line(self) -> str | None:
        while b"\n" not in self._unread:
            data = self.sock.recv(65536)
            if not data:
                return None
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def _read_exactly(self, size: int) -> bytes:
        chunks = [self._unread[:size]]
        self._unread = self._unread[size:]
        missing = size - len(chunks[0])
        while missing:
            data = self.sock.recv(min(missing, 1 << 20))
            if not data:
                raise ConnectionError(f"the client closed with {missing} bytes of a body missing")
            chunks.append(data)
            missing -= len(data)
        return b"".join(chunks)


class HTTPServer:
    """The server; it listens when its constructor returns."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        unix: bool = False,
        tls: ssl.SSLContext | None = None,
        record: bool = True,
    ) -> None:
        self.tls = tls
        self.host = host
        self.port = 0
        self.unix_path: str | None = None
        self.connections: list[Connection] = []  # all since the last clear(), closed ones too
        self.requests: list[Request] = []
        self.errors: list[Exception] = []  # what handlers raised; the fixtures fail on it
        self.accepted = 0  # these two count even when nothing is recorded
        self.served = 0
        self._record_all = record
        self._open: set[Connection] = set()
        self._numbers = itertools.count(1)
        self._routes: dict[str, tuple[Handler, bool]] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self._listener = self._listen(unix, port)
        self._thread = threading.Thread(target=self._accept, name="http-accept", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The server's URL, without a slash at its end."""
        scheme = "https" if self.tls else "http"
        if self.unix_path:
            return f"{scheme}://localhost"
        return f"{scheme}://{bracketed(self.host)}:{self.port}"

    def route(self, path: str, handler: Handler, *, read_body: bool = True) -> None:
        """Let `handler(connection, request)` answer at this path, until clear().

        A path that ends in a slash stands for all below it. Without `read_body` the handler comes
        before the request's body: it may call `connection.read_body(request)`, or not.
        """
        self._routes[path] = (handler, read_body)

    def adopt(self, sock: socket.socket) -> Connection:
        """Serve on a socket that is connected already, such as one end of a socketpair."""
        return self._start(sock, "")

    def clear(self) -> None:
        """Forget records and added routes, and end the connections that are open."""
        if not self._stopping:
            self._catch_up()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            connection.drop()
        for connection in connections:
            connection.wait_closed()
        self._routes.clear()
        self._numbers = itertools.count(1)
        self.accepted = self.served = 0
        for records in (self.connections, self.requests, self.errors):
            records.clear()

    def _catch_up(self) -> None:
        """Wait for all who have connected by now: whoever comes last is accepted last."""
        with socket.socket(self._listener.family) as last, contextlib.suppress(OSError):
            last.settimeout(5)
            last.connect(self._listener.getsockname())
            last.shutdown(socket.SHUT_WR)
            while last.recv(4096):
                pass

    @property
    def open_connections(self) -> int:
        """How many connections are open now, as far as the server knows."""
        return len(self._open)

    def wait_idle(self, timeout: float = 5) -> bool:
        """Wait until no connection is open."""
        deadline = time.monotonic() + timeout
        while self._open and time.monotonic() < deadline:
            time.sleep(0.002)
        return not self._open

    def stop(self) -> None:
        """Stop listening and end all connections."""
        if self._stopping:
            return
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._thread.join(5)
        self._listener.close()
        self.clear()
        if self.unix_path:
            shutil.rmtree(os.path.dirname(self.unix_path), ignore_errors=True)

    def __enter__(self) -> HTTPServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _listen(self, unix: bool, port: int) -> socket.socket:
        if unix:
            listener = socket.socket(socket.AF_UNIX)
            self.unix_path = str(scratch("http") / "socket")
            listener.bind(self.unix_path)
        else:
            listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if ":" in self.host:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((self.host, port))
            self.port = listener.getsockname()[1]
        listener.listen(4096)
        return listener

    def _accept(self) -> None:
        while not self._stopping:
            try:
                sock, peer = self._listener.accept()
            except OSError:
                if not self._stopping:
                    time.sleep(0.01)  # out of descriptors: the client can wait
                continue
            if self._stopping:
                sock.close()
                return
            self._start(sock, peer)

    def _start(self, sock: socket.socket, peer: Any) -> Connection:
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            connection = Connection(self, sock, peer, next(self._numbers))
            self._open.add(connection)
            self.accepted += 1
            if self._record_all:
                self.connections.append(connection)
        threading.Thread(target=connection.run, name="http-connection", daemon=True).start()
        return connection

    def _record(self, request: Request) -> None:
        with self._lock:
            self.served += 1
            if self._record_all:
                self.requests.append(request)
            else:
                request.connection.requests[:-1] = []

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)

    def _find(self, path: str) -> tuple[Handler, bool]:
        folders = [path[: end + 1] for end in range(len(path) - 1, 0, -1) if path[end] == "/"]
        for routes in (self._routes, ROUTES):
            for place in (path, *folders):
                if place in routes:
                    return routes[place]
        return _not_found, True


def _not_found(connection: Connection, request: Request) -> None:
    connection.respond(404, body=b"not found\n")


def _head(protocol: str, status: int, headers: Headers, reason: str) -> bytes:
    if not reason and status in HTTPStatus._value2member_map_:
        reason = HTTPStatus(status).phrase
    lines = [f"{protocol} {status} {reason}".encode("latin-1")]
    for name, value in headers:
        raw = value if isinstance(value, bytes) else value.encode("latin-1")
        lines.append(name.encode("latin-1") + b": " + raw)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def main() -> None:
    """Serve until the parent process ends, SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m servers.http", description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--unix", action="store_true", help="listen on a Unix socket; prints its path too"
    )
    parser.add_argument("--certificate", help="PEM file with certificate and key: serve HTTPS")
    args = parser.parse_args()
    tls = None
    if args.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(args.certificate)
    _raise_descriptor_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    parent = os.getppid()
    with HTTPServer(args.host, args.port, unix=args.unix, tls=tls, record=False) as server:
        print(server.url, server.unix_path or "", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while os.getppid() == parent:
                time.sleep(0.2)


def _raise_descriptor_limit() -> None:
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


if __name__ == "__main__":
    main()
