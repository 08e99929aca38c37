"""A WebSocket server in a thread, from PyPI's `websockets`."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
import urllib.parse
from typing import Any

from . import MissingServer
from .daemon import bracketed

_INSTALL = "pip install 'websockets>=15'"


class WebSocketServer:
    """The path says what a connection does:

    `/echo`, or `/`    sends every message back, text as text and binary as binary
    `/fragments?n=3`   the same in n fragments
    `/ping`            pings, and sends the text `pong` when the pong has come
    `/close?code=1000&reason=bye`   closes so at once
    `/greet`           sends the text `hello`, then echoes
    `/headers`         sends the request's headers as lines of one text message

    `messages` has all that came (str or bytes), `closed` the (code, reason) of each close as the
    server saw it.
    """

    def __init__(self, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> None:
        try:
            from websockets.sync.server import serve
            from websockets.version import version
        except ImportError as error:
            raise MissingServer(f"websockets is not installed: {_INSTALL}") from error
        if int(version.partition(".")[0]) < 15:  # older ones cannot be told not to ping
            raise MissingServer(f"websockets {version} is too old: {_INSTALL}")
        self.host = host
        self.messages: list[str | bytes] = []
        self.closed: list[tuple[int | None, str | None]] = []
        self._scheme = "wss" if tls else "ws"
        self._open: set[Any] = set()
        self._server = serve(
            self._serve, host, 0, ssl=tls, max_size=None, close_timeout=5, ping_interval=None
        )
        self.port: int = self._server.socket.getsockname()[1]
        # The threads of the connections inherit that they are daemons.
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The server's URL, without a slash at its end."""
        return f"{self._scheme}://{bracketed(self.host)}:{self.port}"

    def clear(self) -> None:
        """Forget what came, when the connections have ended: a close may be seen late."""
        deadline = time.monotonic() + 5
        while self._open and time.monotonic() < deadline:
            time.sleep(0.005)
        self.messages.clear()
        self.closed.clear()

    def wait_closed(
        self, count: int = 1, timeout: float = 5
    ) -> list[tuple[int | None, str | None]]:
        """`closed`, when so many connections have ended."""
        deadline = time.monotonic() + timeout
        while len(self.closed) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.closed

    def stop(self) -> None:
        """Stop listening and end all connections."""
        self._server.shutdown()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.socket.shutdown(2)
        self._thread.join(5)

    def __enter__(self) -> WebSocketServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _serve(self, connection: Any) -> None:
        self._open.add(connection)
        try:
            self._act(connection)
        finally:
            self.closed.append((connection.close_code, connection.close_reason))
            self._open.discard(connection)

    def _act(self, connection: Any) -> None:
        target = urllib.parse.urlsplit(connection.request.path)
        args = dict(urllib.parse.parse_qsl(target.query))
        if target.path == "/close":
            connection.close(int(args.get("code", "1000")), args.get("reason", ""))
            return
        if target.path == "/ping":
            if connection.ping(b"are you there").wait(5):
                connection.send("pong")
        elif target.path == "/greet":
            connection.send("hello")
        elif target.path == "/headers":
            lines = [f"{name}: {value}" for name, value in connection.request.headers.raw_items()]
            connection.send("\n".join(lines))
        count = int(args.get("n", "3")) if target.path == "/fragments" else 1
        for message in connection:
            self.messages.append(message)
            connection.send(message if count == 1 else _pieces(message, count))


def _pieces(message: Any, count: int) -> list[Any]:
    size = max(1, -(-len(message) // count))
    return [message[start : start + size] for start in range(0, len(message), size)]
