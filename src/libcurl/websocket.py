"""WebSocket: frames over an easy handle (curl_ws_send and others, 7.86), and messages."""

from __future__ import annotations

from _operator import index
from typing import NamedTuple

from libcurl._native import ffi, lib
from libcurl.easy import Easy
from libcurl.engine import Engine
from libcurl.errors import NotReady, easy_error, needs
from libcurl.options import by_name
from libcurl.raw import absent
from libcurl.registry import Closing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from typing_extensions import Buffer, Unpack

    from libcurl._options import Options
    from libcurl.url import Url

__all__ = ["WebSocket", "WsFrame"]

_CHUNK = 65536
_CONTROL = lib.CURLWS_PING | lib.CURLWS_PONG | lib.CURLWS_CLOSE
#: What a close frame says where it gives no reason (RFC 6455, 7.1.5).
_NO_CODE = 1005


class WsFrame(NamedTuple):
    """What libcurl tells of a frame, or of a piece of one (struct curl_ws_frame)."""

    age: int
    #: `WS` bits.
    flags: int
    #: Where in the frame this piece begins.
    offset: int
    #: How many bytes of the frame come after it.
    bytesleft: int
    #: How many bytes it has.
    len: int


def _need(name: str) -> None:
    if name in absent:
        raise needs(name, absent[name])


def ws_send(easy: Engine, data: Any, flags: int | None, fragsize: int) -> int:
    """`Easy.ws_send`."""
    _need("curl_ws_send")
    kind = lib.CURLWS_TEXT if isinstance(data, str) else lib.CURLWS_BINARY
    flags = kind if flags is None else index(flags)
    sent = ffi.new("size_t *")
    with ffi.from_buffer(data.encode() if isinstance(data, str) else data) as buffer:
        code = lib.easy_ws_send(easy._handle, buffer, len(buffer), sent, index(fragsize), flags)
    easy._after(code)
    return int(sent[0])


def ws_recv(easy: Engine, size: int) -> tuple[bytes, WsFrame]:
    """`Easy.ws_recv`."""
    _need("curl_ws_recv")
    buffer = ffi.new("char[]", index(size))
    received = ffi.new("size_t *")
    frame = ffi.new("struct curl_ws_frame *")
    easy._after(lib.easy_ws_recv(easy._handle, buffer, len(buffer), received, frame))
    return ffi.unpack(buffer, received[0]), _frame(frame)


def ws_meta(easy: Engine) -> WsFrame | None:
    """`Easy.ws_meta`."""
    _need("curl_ws_meta")
    frame = ffi.new("struct curl_ws_frame *")
    code = lib.easy_ws_meta(easy._handle, frame)
    if code == lib.CURLE_AGAIN:
        return None
    if code:
        raise easy._error(code)
    return _frame(frame)


def ws_start_frame(easy: Engine, flags: int, size: int) -> None:
    """`Easy.ws_start_frame`."""
    _need("curl_ws_start_frame")
    easy._after(lib.easy_ws_start_frame(easy._handle, index(flags), index(size)))


def _frame(frame: Any) -> WsFrame:
    return WsFrame(frame.age, frame.flags, frame.offset, frame.bytesleft, frame.len)


class WebSocket(Closing):
    """Whole messages over a WebSocket: str for text, bytes for binary.

        with libcurl.WebSocket("wss://example.com/chat") as ws:
            ws.send("hello")
            for message in ws:
                print(message)

    Made from a URL and options, or from an Easy that has them; it performs the handshake
    (`connect_only=2`) and is connected then. `easy` is that handle: closed with this object, unless
    it was given.
    """

    def __init__(self, easy: Easy | str | bytes | Url, **options: Unpack[Options]) -> None:
        """Connect. Raises what `Easy.perform` does; NotSupported before libcurl 7.86."""
        _need("curl_ws_send")
        #: The code of the peer's close frame; None before, 1005 where it has none.
        self.close_code: int | None = None
        #: Its reason.
        self.close_reason = ""
        self._pieces: list[bytes] = []
        self._kind = 0  # of the message whose pieces these are
        self._sent_close = False
        self._owns = not isinstance(easy, Easy)
        self.easy = easy if isinstance(easy, Easy) else Easy(url=easy)
        try:
            self.easy.set(**options)
            # libcurl may keep the answer to a ping for itself until something else is sent.
            chosen = self.easy._settings.get(by_name["ws_options"], 0)
            self.easy.set(ws_options=chosen | lib.CURLWS_NOAUTOPONG, connect_only=2)
            self.easy.perform()
        except BaseException:
            if self._owns:
                self.easy.close()
            raise

    def __repr__(self) -> str:
        return f"<WebSocket over {self.easy!r}>"

    def __iter__(self) -> Iterator[str | bytes]:
        """Messages until the peer closes. Raises PeerGone where it went without a close frame."""
        while True:
            try:
                yield self.receive()
            except ConnectionError:
                if self.close_code is None:
                    raise
                return

    def send(self, message: str | Buffer, timeout: float | None = None) -> None:
        """Send a message, and wait until libcurl has taken all of it.

        Raises OperationTimedOut after `timeout` seconds: the message is cut then, and the
        connection of no use.
        """
        kind = lib.CURLWS_TEXT if isinstance(message, str) else lib.CURLWS_BINARY
        self._send(message.encode() if isinstance(message, str) else message, kind, _end(timeout))

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message; pings are answered meanwhile.

        Raises OperationTimedOut after `timeout` seconds, and can be called again; PeerGone where
        the peer has closed: `close_code` and `close_reason` say why.
        """
        end = _end(timeout)
        while True:
            if self.close_code is not None:
                why = f"closed by the peer: {self.close_code} {self.close_reason}"
                raise easy_error(lib.CURLE_GOT_NOTHING, why.rstrip())
            piece, frame = self._recv(end)
            if frame.flags & _CONTROL:
                self._control(piece, frame, end)
            else:
                self._pieces.append(piece)
                self._kind = self._kind or frame.flags & lib.CURLWS_TEXT
                if not frame.bytesleft and not frame.flags & lib.CURLWS_CONT:
                    message, kind = b"".join(self._pieces), self._kind
                    self._pieces, self._kind = [], 0
                    return message.decode() if kind else message

    def ping(self, data: bytes = b"") -> None:
        """Send a ping, of at most 125 bytes. The pong is taken by whoever receives next."""
        self._send(data, lib.CURLWS_PING, None)

    def close(self, code: int = 1000, reason: str = "", timeout: float = 1.0) -> None:
        """Send a close frame, and give the peer `timeout` seconds to answer with its own.

        Idempotent.
        """
        if self.easy.closed:
            return
        payload = index(code).to_bytes(2, "big") + reason.encode()
        if len(payload) > 125:
            raise ValueError("the reason of a close frame has at most 123 bytes")
        end = _end(timeout)
        try:
            if not self._sent_close:
                self._sent_close = True
                self._send(payload, lib.CURLWS_CLOSE, end)
                while self.close_code is None:
                    piece, frame = self._recv(end)
                    if frame.flags & _CONTROL:
                        self._control(piece, frame, end)
        except (ConnectionError, TimeoutError):
            pass  # gone without an answer
        finally:
            if self._owns:
                self.easy.close()

    def _control(self, payload: bytes, frame: WsFrame, end: float | None) -> None:
        """A ping is answered; a close as well, and it is noted why."""
        flags = frame.flags
        while frame.bytesleft:
            piece, frame = self._recv(end)
            payload += piece
        if flags & lib.CURLWS_PING:
            self._send(payload, lib.CURLWS_PONG, end)
        elif flags & lib.CURLWS_CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else _NO_CODE
            self.close_reason = payload[2:].decode("utf-8", "replace")
            if not self._sent_close:
                from contextlib import suppress

                self._sent_close = True
                with suppress(ConnectionError, TimeoutError):  # it may not wait for the answer
                    self._send(payload[:2], lib.CURLWS_CLOSE, end)

    def _send(self, data: Any, flags: int, end: float | None) -> None:
        """A frame. libcurl takes as much as it has room for; the rest belongs to the same frame."""
        view = memoryview(data).cast("B")
        while True:
            try:
                sent = self.easy.ws_send(view, flags)
            except NotReady:
                self._wait(end, writing=True)
                continue
            view = view[sent:]
            if not view:
                return

    def _recv(self, end: float | None) -> tuple[bytes, WsFrame]:
        while True:
            try:
                return self.easy.ws_recv(_CHUNK)
            except NotReady:
                self._wait(end)

    def _wait(self, end: float | None, writing: bool = False) -> None:
        """Until the socket is ready. The handle is nobody's meanwhile."""
        import select
        import time

        left = None if end is None else end - time.monotonic()
        if left is None or left > 0:
            poll = select.poll()
            fd = self.easy.getinfo(lib.CURLINFO_ACTIVESOCKET)
            if fd == -1:
                raise easy_error(lib.CURLE_GOT_NOTHING)
            poll.register(fd, select.POLLOUT if writing else select.POLLIN)
            if poll.poll(None if left is None else 1000 * left):
                return
        raise easy_error(lib.CURLE_OPERATION_TIMEDOUT, "the WebSocket's peer is silent")


def _end(timeout: float | None) -> float | None:
    import time

    return None if timeout is None else time.monotonic() + timeout
