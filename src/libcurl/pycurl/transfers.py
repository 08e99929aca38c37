"""pycurl's transfers: performing, pausing, and what went wrong."""

from __future__ import annotations

from libcurl._native import ffi, lib
from libcurl.pycurl.common import error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_fetch = lib.easy_fetch
_fetch_on = lib.easy_fetch_on
_fetched = lib.easy_fetched
_first = lib.easy_first
_unpack = ffi.unpack
_NO_SIZE = lib.NO_SIZE
_FETCHING = lib.NO_SIZE + lib.HANDLE_RUNNING


class TransferMethods:
    """What a Curl has of them."""

    if not TYPE_CHECKING:  # which would have it assign to none but these
        __slots__ = ()

    _after: Any
    _cache: Any
    _check: Any
    _enter: Any
    _exception: Any
    _fetched_body: Any
    _give_up: Any
    _handle: Any
    _in_slices: Any
    _message: tuple[str, int]
    _refuse: Any

    def perform(self) -> None:
        """Do the transfer and wait for its end."""
        self._ended(self._in_slices())

    def _ended(self, code: int) -> None:
        """After a transfer."""
        cache = self._cache
        if code or self._exception is not None or (cache is not None and cache.released):
            if code < 0:
                self._refuse(code, "perform")
            self._after(code)

    def perform_rb(self) -> bytes:
        """Do the transfer; what it received. A write callback that is set has a rest meanwhile."""
        handle = self._handle
        body: bytes = b""
        try:
            size = _fetch(handle)
            while size == _FETCHING:
                size = _fetch_on(handle)
            if size >= 0:
                body = _unpack(_first(handle), size)
                _fetched(handle)
                return body
            if size == _NO_SIZE:
                body = self._fetched_body()
                _fetched(handle)
        except BaseException:
            self._give_up()
            raise
        self._ended(size - _NO_SIZE)
        return body

    def perform_rs(self) -> str:
        """Do the transfer; what it received, as UTF-8."""
        return self.perform_rb().decode()

    def errstr(self) -> str:
        """The text of the error buffer."""
        return self.errstr_raw().decode()

    def errstr_raw(self) -> bytes:
        """The text of the error buffer, in bytes."""
        self._check("errstr")
        depth = lib.easy_depth(self._handle)
        try:
            self._enter()  # or somebody else may close it meanwhile
            buffer = self._handle.error
            text: bytes = ffi.string(buffer) if buffer else b""
        finally:
            lib.easy_leave_to(self._handle, depth)
        message, transfer = self._message
        return text or (message.encode() if transfer == self._handle.transfers else b"")

    def pause(self, bitmask: int = lib.CURLPAUSE_ALL) -> None:
        """Pause the directions in `bitmask`."""
        self._pause(bitmask, "pause")

    def unpause(self) -> None:
        """Unpause both directions."""
        self._pause(lib.CURLPAUSE_CONT, "unpause")

    def _pause(self, bitmask: int, method: str) -> None:
        code = lib.easy_pause(self._handle, bitmask)
        if code < 0:
            self._refuse(code, method)
        if self._exception is not None:
            self._after(0)
        if code:
            raise error(code, "pause/unpause failed")
