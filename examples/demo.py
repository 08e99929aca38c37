"""The socket callbacks at work: `make demo`, or python examples/demo.py [URL].

Talks to a server of its own, or to the URL given as argument or in the environment. Whatever it
says it has checked: it exits with 0 only if all of it was true.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import platform
import socket
import sys
import threading

import libcurl

NOWHERE = "203.0.113.7"  # an address set aside for documentation: nobody answers there


# -- The five scenes -----------------------------------------------------------------------------


def a_transfer(stage: Stage, url: str) -> tuple:
    """Open, tune and close the socket of a transfer. Returns the server's address."""
    stage.heading("A transfer, its socket opened, tuned and closed by Python")
    opened, tuned, closed, servers = [], [], [], []

    def opener(purpose, address):
        sock = socket.socket(address.family, address.socktype, address.protocol)
        opened.append(sock.fileno())
        stage.event("open", sock.fileno(), f"{kind(address)} for {name(address.addr)}")
        return sock

    def sockopt(fd, purpose):
        option = socket.SOL_SOCKET, socket.SO_KEEPALIVE
        with borrowed(fd) as sock:
            before = sock.getsockopt(*option)
            sock.setsockopt(*option, 1)
            stage.event("sockopt", fd, f"SO_KEEPALIVE was {before}, is {sock.getsockopt(*option)}")
        tuned.append(fd)
        return libcurl.SockOpt.OK

    def closer(fd):
        stage.event("close", fd, ends(fd))
        closed.append(fd)
        servers.append(peer(fd))
        os.close(fd)

    with direct(
        url=url,
        opensocketfunction=opener,
        sockoptfunction=sockopt,
        closesocketfunction=closer,
    ) as easy:
        body = easy.fetch()
        stage.event("answer", None, f"{easy.info.response_code}, {len(body)} bytes")
    stage.check(
        "every descriptor was opened, tuned and closed, once",
        opened == tuned and sorted(closed) == sorted(opened),
    )
    return next(filter(None, servers))


def a_refused_address(stage: Stage, url: str, server: tuple) -> None:
    """Refuse to connect: the caller gets the very exception."""
    stage.heading("A refused address")
    refusal = PermissionError(f"{server[0]} is off limits")

    def opener(purpose, address):
        stage.event("open", None, f"{name(address.addr)} refused")
        raise refusal

    raised = None
    with direct(url=url, opensocketfunction=opener) as easy:
        try:
            easy.perform()
        except PermissionError as error:
            raised = error
            stage.event("raised", None, f"{type(error).__name__}: {error}")
        connects = easy.info.num_connects
    stage.check("perform() raised the exception of the opener, the same object", raised is refusal)
    stage.check("no connection was made", connects == 0)


def a_rewritten_address(stage: Stage, url: str, server: tuple) -> None:
    """Send libcurl somewhere else."""
    stage.heading("A rewritten address")
    peers = []

    def opener(purpose, address):
        asked = name(address.addr)
        address.addr = server
        sock = socket.socket(address.family, address.socktype, address.protocol)
        stage.event("open", sock.fileno(), f"{asked} rewritten to {name(address.addr)}")
        return sock

    def closer(fd):
        peers.append(peer(fd))
        stage.event("close", fd, ends(fd))
        os.close(fd)

    with direct(
        url=url,
        connect_to=[f"::{NOWHERE}:"],
        opensocketfunction=opener,
        closesocketfunction=closer,
    ) as easy:
        body = easy.fetch()
        stage.event("answer", None, f"{easy.info.response_code}, {len(body)} bytes")
    stage.check(f"libcurl wanted {NOWHERE} and is connected to {server[0]}", peers == [server])


def a_connected_socket(stage: Stage, url: str, server: tuple) -> None:
    """Hand over a socket that somebody else has connected."""
    stage.heading("A socket that is connected already")
    sock = socket.create_connection(server[:2])
    number, port = sock.fileno(), sock.getsockname()[1]
    closed = []
    stage.event("connect", number, f"{ends(number)}, by Python")

    def opener(purpose, address):
        stage.event("open", number, "handed over")
        return sock

    def sockopt(fd, purpose):
        stage.event("sockopt", fd, "ALREADY_CONNECTED")
        return libcurl.SockOpt.ALREADY_CONNECTED

    def closer(fd):
        stage.event("close", fd, ends(fd))
        closed.append(fd)
        os.close(fd)

    with direct(
        url=url,
        opensocketfunction=opener,
        sockoptfunction=sockopt,
        closesocketfunction=closer,
    ) as easy:
        body = easy.fetch()
        stage.event("answer", None, f"{easy.info.response_code}, {len(body)} bytes")
        used = easy.info.local_port
    stage.check(f"the transfer went through that socket, local port {port}", used == port)
    stage.check(
        "the descriptor had one owner at a time: the socket object has let go of it",
        sock.fileno() == -1 and closed == [number],
    )


def a_connection_that_stays(stage: Stage, url: str) -> None:
    """Two transfers on one connection, whose closer runs after its handle is gone."""
    stage.heading("Two transfers on one connection, which outlives the handle that made it")
    opened, closed = [], []

    def opener(purpose, address):
        sock = socket.socket(address.family, address.socktype, address.protocol)
        opened.append(sock.fileno())
        stage.event("open", sock.fileno(), f"{kind(address)} for {name(address.addr)}")
        return sock

    def closer(fd):
        stage.event("close", fd, ends(fd))
        closed.append(fd)
        os.close(fd)

    def transfer(easy):
        multi.add(easy)
        for _, error in multi.run():
            if error is not None:
                raise error
        stage.event("answer", None, f"{easy.info.response_code}, {len(easy.body)} bytes")

    with libcurl.Multi() as multi:
        with direct(url=url, opensocketfunction=opener, closesocketfunction=closer) as first:
            transfer(first)
        stage.event("gone", None, "the first handle, with its callbacks")
        del first
        with direct(url=url) as second:
            transfer(second)
            reused = second.info.num_connects == 0 and not closed
            stage.check("the second transfer used the connection of the first", reused)
        stage.event("gone", None, "the second handle, which had no callbacks")
        stage.event("end", None, "of the multi, which kept the connection")
    stage.check(
        "the closer of the first handle closed it, once",
        len(opened) > 0 and sorted(closed) == sorted(opened),
    )


# -- Helpers -------------------------------------------------------------------------------------


def direct(**options) -> libcurl.Easy:
    """Return a handle that goes to the server itself, not to a proxy named in the environment."""
    return libcurl.Easy(proxy="", connecttimeout_ms=10_000, timeout_ms=30_000, **options)


def borrowed(fd: int) -> socket.socket:
    """Return a socket object on a duplicate of libcurl's descriptor, which it does not close."""
    return socket.socket(fileno=os.dup(fd))


def kind(address: libcurl.Address) -> str:
    """Say what kind of socket an address is for."""
    family = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}.get(address.family, "a")
    return f"{family} {'stream' if address.socktype == socket.SOCK_STREAM else 'datagram'} socket"


def name(address: tuple) -> str:
    """Write an address as URLs do."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def peer(fd: int) -> tuple | None:
    """Ask the kernel what a descriptor is connected to."""
    with borrowed(fd) as sock, contextlib.suppress(OSError):
        return sock.getpeername()
    return None


def ends(fd: int) -> str:
    """Say what a descriptor connects."""
    other = peer(fd)
    if other is None:
        return "not connected"
    with borrowed(fd) as sock:
        return f"{name(sock.getsockname())} to {name(other)}"


class Stage:
    """Prints the story and keeps count of what was not true."""

    def __init__(self) -> None:
        self.failures = 0
        self._scenes = 0
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def paint(self, text: str, code: str) -> str:
        """Colour a text, on a terminal."""
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def heading(self, text: str) -> None:
        """Begin a scene."""
        self._scenes += 1
        print(f"\n{self.paint(f'{self._scenes}. {text}', '1')}")

    def event(self, what: str, fd: int | None, text: str) -> None:
        """Tell what happened, and to which descriptor."""
        number = "" if fd is None else f"fd {fd}"
        print(f"   {self.paint(f'{what:<10}', '36')}{number:<8}{text}")

    def check(self, text: str, true: bool) -> None:
        """State something, or own up that it is not so."""
        self.failures += not true
        mark = self.paint("ok".ljust(10), "32") if true else self.paint("NOT SO".ljust(10), "1;31")
        print(f"   {mark}{text}")


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps connections alive."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer any GET."""
        body = b"Hello from a server of ten lines.\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def start_server() -> str:
    """Serve HTTP on a free port, in a thread. Returns the URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def main() -> int:
    """Play all scenes."""
    stage = Stage()
    url = "".join(sys.argv[1:2]) or os.environ.get("URL", "")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(stage.paint(f"libcurl for Python {libcurl.__version__}, {python}", "1"))
    print(libcurl.version())
    if url:
        print(f"Talking to {url}")
    else:
        url = start_server()
        print(f"Talking to {url}, a server in a thread of this program")
    try:
        server = a_transfer(stage, url)
        a_refused_address(stage, url, server)
        a_rewritten_address(stage, url, server)
        a_connected_socket(stage, url, server)
        a_connection_that_stays(stage, url)
    except libcurl.Error as error:
        stage.check(f"{type(error).__name__}: {error}", False)
    if stage.failures:
        print(f"\n{stage.failures} of these things went wrong.")
        return 1
    print("\nAll of it was so.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
