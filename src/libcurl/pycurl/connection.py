"""pycurl's methods for the connection of a CONNECT_ONLY transfer."""

from __future__ import annotations

import os
from errno import EAGAIN

from libcurl._native import ffi, lib
from libcurl.pycurl.websocket import room, writable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer


class ConnectionMethods:
    """What a Curl has of them."""

    __slots__ = ()

    _after: Any
    _check: Any
    _exception: Any
    _handle: Any

    def send(self, data: Buffer) -> int:
        """Send over the connection of a CONNECT_ONLY transfer."""
        memoryview(data)
        self._check("send")
        sent = ffi.new("size_t *")
        with ffi.from_buffer(data) as buffer:
            code = lib.easy_send(self._handle, buffer, len(buffer), sent)
        self._moved(code)
        return int(sent[0])

    def recv(self, size: int) -> bytes:
        """Receive over the connection of a CONNECT_ONLY transfer."""
        if size < 0:
            raise ValueError("negative buffersize in recv")
        self._check("recv")
        buffer = bytearray(size)
        return bytes(buffer[: self._recv_into(buffer, size)])

    def recv_into(self, buffer: Buffer, nbytes: int = 0) -> int:
        """Receive into a buffer."""
        size = room(buffer, nbytes, "recv_into")
        self._check("recv_into")
        return self._recv_into(buffer, size)

    def _recv_into(self, buffer: Buffer, size: int) -> int:
        if not size:
            return 0
        received = ffi.new("size_t *")
        with writable(buffer) as target:
            code = lib.easy_recv(self._handle, target, size, received)
        self._moved(code)
        return int(received[0])

    def _moved(self, code: int) -> None:
        """After send or recv."""
        if code == lib.CURLE_AGAIN:
            raise BlockingIOError(EAGAIN, os.strerror(EAGAIN))
        if code or self._exception is not None:
            self._after(code)
