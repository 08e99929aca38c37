"""The private internet of the documents: internet.py DOCUMENT CA HTTP HTTPS WSS (ports).

Runs the Python blocks of a Markdown file as they are written, in order and in one namespace. Host
names lead to an address that looks public, and the sockets opened for it to the test's own servers:
what a document does with addresses, it does with what a reader would see.
"""

from __future__ import annotations

import os
import pathlib
import re
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import libcurl
import libcurl.websocket
from libcurl.sockets import Tool

PUBLIC = "151.101.1.91"
ECHO = "151.101.1.92"
HOSTS = {
    "curl.se": PUBLIC,
    "example.com": PUBLIC,
    "www.example.com": PUBLIC,
    "echo.example.com": ECHO,
}

Opener = Callable[[int, Any], Any]


def blocks(document: str) -> Iterator[tuple[int, str]]:
    """Yield the Python blocks of a Markdown text, with their first lines' numbers."""
    for match in re.finditer(r"^```python\n(.*?)^```$", document, re.MULTILINE | re.DOTALL):
        yield document.count("\n", 0, match.start(1)) + 1, match[1]


def connect_to(ca: str, http: int, https: int, wss: int) -> None:
    """From now on, handles and Python's own connections lead to these servers."""
    servers = {
        (PUBLIC, 80): http,
        (PUBLIC, 443): https,
        (ECHO, 443): wss,
        ("127.0.0.1", 8080): https,
    }

    def redirected(opener: Opener) -> Opener:
        def open_socket(purpose: int, address: Any) -> Any:
            given = opener(purpose, address)
            if address.addr in servers:
                address.addr = ("127.0.0.1", servers[address.addr])
            return given

        return open_socket

    def plain(purpose: int, address: Any) -> socket.socket:
        return socket.socket(address.family, address.socktype, address.protocol)

    class Easy(libcurl.Easy):
        __slots__ = ()

        def __init__(self, **options: Any) -> None:
            super().__init__()
            self._arrive()
            self.set(**options)

        def _arrive(self) -> None:
            names = [f"{host}:{port}:{HOSTS[host]}" for host in HOSTS for port in (80, 443)]
            self.set(resolve=names, cainfo=ca, proxy="", opensocketfunction=plain)

        def set(self, **options: Any) -> None:
            if options.get("sockets") is not None:
                self._leave()
                options["sockets"] = options["sockets"] | Elsewhere()
            if "opensocketfunction" in options:
                opener = options["opensocketfunction"] or plain
                options["opensocketfunction"] = redirected(opener)
            super().set(**options)

        def _leave(self) -> None:
            """Do without an opener: there are to be sockets."""
            super().set(opensocketfunction=None)

        def reset(self) -> None:
            super().reset()
            self._arrive()

    class Elsewhere(Tool):
        """The last of a set: opens for the server what is allowed for the address."""

        def _enter(self, parts: Any) -> None:
            parts.routes.append(lambda purpose, address: None)  # connections lead elsewhere
            parts.opener = redirected(parts.opener or (lambda purpose, address: None))

    class Multi(libcurl.Multi):
        __slots__ = ()

        def set(self, **options: Any) -> None:
            if options.get("sockets") is not None:
                options["sockets"] = options["sockets"] | Elsewhere()
            super().set(**options)

        def add(self, easy: Any) -> None:
            if self._sockets is not None and easy._sockets is None:
                easy._leave()
            super().add(easy)

    create_connection = socket.create_connection

    def create(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        host, port = address
        if host in HOSTS:
            address = "127.0.0.1", servers[HOSTS[host], port]
        return create_connection(address, *args, **kwargs)

    libcurl.Easy = Easy  # type: ignore[misc]
    libcurl.websocket.Easy = Easy  # type: ignore[misc]
    libcurl.Multi = Multi  # type: ignore[misc]
    socket.create_connection = create  # type: ignore[assignment]


def main() -> None:
    """Run the document."""
    path, ca, http, https, wss = sys.argv[1:]
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]
    # What goes through the raw API has nothing but this to be sent our way.
    os.environ["http_proxy"] = f"http://127.0.0.1:{http}"
    connect_to(ca, int(http), int(https), int(wss))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line, code in blocks(pathlib.Path(path).read_text()):
        exec(compile("\n" * (line - 1) + code, path, "exec"), namespace)


if __name__ == "__main__":
    main()
