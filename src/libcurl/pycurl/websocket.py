"""pycurl's WebSocket methods of a Curl."""

from __future__ import annotations

import sys
from collections import namedtuple
from operator import index

from libcurl._native import ffi, lib
from libcurl.callbacks import python_write
from libcurl.pycurl.common import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

    from libcurl.websocket import WsFrame as WsFrame
else:
    WsFrame = namedtuple("WsFrame", "age flags offset bytesleft len", module="pycurl")

_CONTROL = lib.CURLWS_PING | lib.CURLWS_PONG | lib.CURLWS_CLOSE
_CLOSE_CODES = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def room(buffer: Buffer, nbytes: int, method: str) -> int:
    """How much to receive into a buffer; 0 stands for as much as it holds."""
    size = memoryview(buffer).nbytes
    if nbytes < 0:
        raise ValueError(f"negative buffersize in {method}")
    if nbytes > size:
        raise ValueError("buffer too small for requested bytes")
    return nbytes or size


def writable(buffer: Buffer) -> Any:
    """A buffer to receive into."""
    try:
        return ffi.from_buffer(buffer, require_writable=True)
    except BufferError:
        raise TypeError(
            f"argument 1 must be read-write bytes-like object, not {type(buffer).__name__}"
        ) from None


class WebSocketMethods:
    """What a Curl has of them."""

    __slots__ = ()

    _handle: Any
    _check: Any
    _moved: Any

    def ws_send(
        self,
        data: str | Buffer,
        flags: int | None = None,
        fragsize: int = 0,
        encoding: str = "utf-8",
    ) -> int:
        """Send a frame, or a piece of one; str as text, bytes-like as binary. How much went out."""
        if fragsize < 0:
            raise ValueError("negative fragsize in ws_send")
        if flags is not None:
            if index(flags) < 0:
                raise ValueError("flags must be non-negative")
            if flags >= 1 << 32:
                raise OverflowError("flags out of range for curl_ws_send")
            if flags & lib.CURLWS_TEXT and flags & lib.CURLWS_BINARY:
                raise ValueError("ws_send: cannot set both WS_TEXT and WS_BINARY")
            control = flags & _CONTROL
            if control and flags & lib.CURLWS_CONT:
                raise ValueError(
                    "ws_send: control frames cannot be fragmented "
                    "(WS_CONT forbidden with WS_PING/WS_PONG/WS_CLOSE)"
                )
            if control & (control - 1):
                raise ValueError("ws_send: only one of WS_PING / WS_PONG / WS_CLOSE may be set")
        if data is None:
            raise TypeError(
                "ws_send: data must be str or bytes-like, not NoneType "
                '(use b"" for an empty payload)'
            )
        if isinstance(data, str):
            if flags is not None and flags & lib.CURLWS_BINARY:
                raise TypeError(
                    "ws_send: str data is incompatible with WS_BINARY; "
                    "pass bytes-like data for binary frames"
                )
            if flags is not None and flags & lib.CURLWS_CLOSE:
                raise TypeError(
                    "ws_send: str data is incompatible with WS_CLOSE; "
                    "use ws_close() or pass a bytes-like payload"
                )
            payload: Buffer = data.encode(encoding)
            kind = lib.CURLWS_TEXT
        else:
            payload = data
            kind = lib.CURLWS_BINARY
        return self._ws_send(payload, kind if flags is None else flags, fragsize, "ws_send")

    def _ws_send(self, payload: Buffer, flags: int, fragsize: int, method: str) -> int:
        memoryview(payload)
        self._check_writing(method)
        sent = ffi.new("size_t *")
        with ffi.from_buffer(payload) as buffer:
            code = lib.easy_ws_send(self._handle, buffer, len(buffer), sent, fragsize, flags)
        if code < 0:
            raise refused(code, "curl", method)
        self._moved(code)
        return int(sent[0])

    def _check_writing(self, method: str) -> None:
        """Of all callbacks, the write callback may send."""
        code = lib.easy_idle(self._handle)
        if code == lib.HANDLE_PERFORMING and _is_writing(self._handle.id):
            return
        if code:
            failure = refused(code, "curl", method)
            if code in (lib.HANDLE_PERFORMING, lib.HANDLE_BUSY):
                failure.args = (f"{failure} outside WRITEFUNCTION callback",)
            raise failure

    def ws_recv(self, size: int) -> tuple[bytes, WsFrame]:
        """(what was received, its frame)."""
        if index(size) < 0:
            raise ValueError("negative buffersize in ws_recv")
        self._check("ws_recv")
        buffer = bytearray(size)
        received, frame = self._ws_recv(buffer, size)
        return bytes(buffer[:received]), frame

    def ws_recv_into(self, buffer: Buffer, nbytes: int = 0) -> tuple[int, WsFrame]:
        """Receive into a buffer: (how much, its frame)."""
        size = room(buffer, nbytes, "ws_recv_into")
        self._check("ws_recv_into")
        return self._ws_recv(buffer, size)

    def _ws_recv(self, buffer: Buffer, size: int) -> tuple[int, Any]:
        received = ffi.new("size_t *")
        frame = ffi.new("struct curl_ws_frame *", {"age": -1})
        with writable(buffer) as target:
            pointer = target if size else ffi.NULL
            code = lib.easy_ws_recv(self._handle, pointer, size, received, frame)
        self._moved(code)
        return int(received[0]), None if frame.age < 0 else _frame(frame)

    def ws_meta(self) -> WsFrame | None:
        """The frame that is being received; None where there is none."""
        frame = ffi.new("struct curl_ws_frame *")
        code = lib.easy_ws_meta(self._handle, frame)
        if code < 0:
            raise refused(code, "curl", "ws_meta")
        return None if code else _frame(frame)

    def ws_close(
        self,
        code: int | None = None,
        reason: str | Buffer | None = None,
        encoding: str = "utf-8",
    ) -> int:
        """Send a close frame."""
        payload = b""
        if code is not None:
            if index(code) not in _CLOSE_CODES:
                raise ValueError("ws_close: code must be a valid wire close status code")
            payload = code.to_bytes(2, "big")
        if reason is not None:
            if code is None:
                raise ValueError("ws_close: reason requires code (RFC 6455 §5.5.1)")
            data = reason.encode(encoding) if isinstance(reason, str) else bytes(memoryview(reason))
            data.decode("utf-8")
            payload += data
        if len(payload) > 125:
            raise ValueError(
                f"ws_close: payload too large ({len(payload)} bytes, max 125 including "
                "2-byte status code)"
            )
        return self._ws_send(payload, lib.CURLWS_CLOSE, 0, "ws_close")


def _is_writing(easy: int) -> bool:
    """Whether this is called in the write callback of this handle."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code is _WRITE and frame.f_locals.get("easy") == easy:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


_WRITE = python_write.__code__


def _frame(frame: Any) -> WsFrame:
    return WsFrame(frame.age, frame.flags, frame.offset, frame.bytesleft, frame.len)
