"""An HTTP proxy (tinyproxy) and a SOCKS proxy of our own, which knows versions 4, 4a and 5."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
import threading
from dataclasses import dataclass

from .daemon import Daemon, bracketed


class HTTPProxy(Daemon):
    """tinyproxy, which forwards requests and, after CONNECT, anything.

    With `user` and `password` it wants Basic authentication.
    """

    program = "tinyproxy"
    package = "tinyproxy-bin"
    scheme = "http"

    def __init__(self, host: str = "127.0.0.1", *, user: str = "", password: str = "") -> None:
        self._login = (user, password)
        self._cleared = 0
        super().__init__(host)
        self.clear()  # the probe does not count

    def command(self) -> list[str]:
        """Write the configuration."""
        config = self.folder / "tinyproxy.conf"
        self._traffic = self.folder / "tinyproxy.log"
        config.write_text(
            f'Port {self.port}\nListen {self.host}\nLogFile "{self._traffic}"\nLogLevel Info\n'
            "Timeout 60\nMaxClients 500\nDisableViaHeader Yes\n"
            + ("BasicAuth {} {}\n".format(*self._login) if self._login[0] else "")
        )
        return ["-d", "-c", str(config)]

    def probe(self) -> bool:
        """Ask for something: when the answer comes, the log has it."""
        with socket.create_connection((self.host, self.port), timeout=5) as sock:
            sock.sendall(b"GET http://127.0.0.1:1/ HTTP/1.0\r\n\r\n")
            return sock.recv(256).startswith(b"HTTP/")

    @property
    def requests(self) -> list[str]:
        """The request lines since the last clear(), such as `CONNECT host:port HTTP/1.1`."""
        text = self._traffic.read_text(errors="replace")[self._cleared :]
        return re.findall(r"Request \(file descriptor \d+\): (.*)", text)

    @property
    def connections(self) -> int:
        """How many connections came since the last clear()."""
        text = self._traffic.read_text(errors="replace")[self._cleared :]
        return len(re.findall(r"Connect \(file descriptor \d+\): ", text))

    def clear(self) -> None:
        """Count from zero again."""
        self._cleared = len(self._traffic.read_text(errors="replace"))


@dataclass(frozen=True)
class SocksRequest:
    """What a client asked of the SOCKS proxy."""

    version: int
    host: str
    port: int
    user: str


class SocksProxy:
    """A SOCKS 4, 4a and 5 proxy in threads (CONNECT only).

    `requests` has what was asked; `hosts` maps names to addresses, before the system is asked.
    With `user` and `password` version 5 wants them, version 4 the user.
    """

    def __init__(self, host: str = "127.0.0.1", *, user: str = "", password: str = "") -> None:
        self.host = host
        self.requests: list[SocksRequest] = []
        self.connections = 0
        self.hosts: dict[str, str] = {}
        self._login = (user.encode(), password.encode())
        self._listener = socket.create_server(
            (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512
        )
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, name="socks-accept", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """host:port, to be prefixed with socks4://, socks4a://, socks5:// or socks5h://."""
        return f"{bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """The proxy as a socks5h:// URL."""
        return f"socks5h://{self.address}"

    def clear(self) -> None:
        """Forget requests, count from zero and end the connections that are open."""
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self.requests.clear()
        self.hosts.clear()
        self.connections = 0

    def stop(self) -> None:
        """Stop listening and end all connections."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()
        self.clear()

    def __enter__(self) -> SocksProxy:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _accept(self) -> None:
        while not self._stopping:
            with contextlib.suppress(OSError):
                client = self._listener.accept()[0]
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        try:
            with client, contextlib.suppress(OSError, ValueError):
                upstream = self._connect(client)
                if upstream is not None:
                    with upstream:
                        _relay(client, upstream)
        finally:
            with self._lock:
                self._open.discard(client)

    def _connect(self, client: socket.socket) -> socket.socket | None:
        version = _exactly(client, 1)[0]
        request = self._ask_4(client) if version == 4 else self._ask_5(client)
        upstream = None
        if request is not None:
            self.requests.append(request)
            host = self.hosts.get(request.host, request.host)
            with contextlib.suppress(OSError):
                upstream = socket.create_connection((host, request.port))
        if version == 4:
            client.sendall(struct.pack(">BBHI", 0, 0x5A if upstream else 0x5B, 0, 0))
        elif request is not None:
            client.sendall(struct.pack(">BBBBIH", 5, 0 if upstream else 5, 0, 1, 0, 0))
        return upstream

    def _ask_4(self, client: socket.socket) -> SocksRequest | None:
        command, port = struct.unpack(">BH", _exactly(client, 3))
        address = _exactly(client, 4)
        user = _until_zero(client)
        if address[:3] == b"\0\0\0" and address[3]:
            host = _until_zero(client).decode()
        else:
            host = socket.inet_ntoa(address)
        wanted = self._login[0]
        if command != 1 or (wanted and user != wanted):
            return None
        return SocksRequest(4, host, port, user.decode())

    def _ask_5(self, client: socket.socket) -> SocksRequest | None:
        methods = _exactly(client, _exactly(client, 1)[0])
        method = 2 if self._login[0] else 0
        if method not in methods:
            client.sendall(b"\5\xff")
            return None
        client.sendall(bytes([5, method]))
        user = b""
        if method == 2:
            user = _exactly(client, _exactly(client, 2)[1])
            password = _exactly(client, _exactly(client, 1)[0])
            right = (user, password) == self._login
            client.sendall(b"\1\0" if right else b"\1\1")
            if not right:
                return None
        _, command, _, kind = _exactly(client, 4)
        if kind == 1:
            host = socket.inet_ntop(socket.AF_INET, _exactly(client, 4))
        elif kind == 4:
            host = socket.inet_ntop(socket.AF_INET6, _exactly(client, 16))
        else:
            host = _exactly(client, _exactly(client, 1)[0]).decode()
        (port,) = struct.unpack(">H", _exactly(client, 2))
        if command != 1:
            client.sendall(struct.pack(">BBBBIH", 5, 7, 0, 1, 0, 0))
            return None
        return SocksRequest(5, host, port, user.decode())


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Copy both ways until one side has closed."""
    poll = select.poll()
    peers = {one.fileno(): (one, other), other.fileno(): (other, one)}
    for descriptor in peers:
        poll.register(descriptor, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            source, target = peers[descriptor]
            data = source.recv(65536)
            if not data:
                return
            target.sendall(data)


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("the client closed during the handshake")
        data += more
    return data


def _until_zero(sock: socket.socket) -> bytes:
    data = b""
    while (byte := _exactly(sock, 1)) != b"\0":
        data += byte
    return data
