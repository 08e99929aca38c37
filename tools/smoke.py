"""Fetch something through the installed package: smoke.py [LIBCURL-VERSION].

Needs nothing but the standard library. Prints what ran.
"""

from __future__ import annotations

import http.server
import os
import platform
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import libcurl


class Handler(http.server.BaseHTTPRequestHandler):
    """Says hello."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer any GET."""
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def fetch(url: str) -> None:
    """Open and close the sockets of two transfers."""
    opened: list[int] = []
    closed: list[int] = []

    def opener(purpose: int, address: Any) -> socket.socket:
        sock = socket.socket(address.family, address.socktype, address.protocol)
        opened.append(sock.fileno())
        return sock

    def closer(descriptor: int) -> None:
        closed.append(descriptor)
        os.close(descriptor)

    with libcurl.Easy(
        url=url, proxy="", opensocketfunction=opener, closesocketfunction=closer
    ) as easy:
        for _ in range(2):
            assert easy.fetch() == b"hello"
            assert easy.info.response_code == 200
        assert (len(opened), closed) == (1, []), (opened, closed)
    assert closed == opened, (opened, closed)


def main() -> None:
    """Check what was loaded, then use it."""
    version = libcurl.version()
    if len(sys.argv) > 1:
        assert version.split()[0] == f"libcurl/{sys.argv[1]}", version
    package = Path(libcurl.__file__)
    assert package.is_relative_to(sys.prefix), f"not installed, but found in {package}"

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        fetch(f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
    print(f"{platform.python_implementation()} {platform.python_version()}, {version}")


if __name__ == "__main__":
    main()
