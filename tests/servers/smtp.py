"""An SMTP server for a single connection, which agrees to everything."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def smtp() -> Iterator[tuple[str, list[bytes]]]:
    """Its URL, and the lines that it receives: all of them when the block is left."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as sock, sock.makefile("rb") as lines:
                sock.sendall(b"220 hello\r\n")
                for line in lines:
                    received.append(line)
                    if line == b"QUIT\r\n":
                        break  # libcurl does not wait for an answer
                    data = line.startswith(b"DATA")
                    sock.sendall(b"354 go on\r\n" if data else b"250 fine\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}/", received
        thread.join(5)
