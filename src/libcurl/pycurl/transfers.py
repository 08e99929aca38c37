"""pycurl's transfers: performing, pausing, and what went wrong."""

from __future__ import annotations

from libcurl._native import ffi, lib
from libcurl.engine import SLICE
from libcurl.pycurl.common import error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_continue = lib.easy_continue
_fetch = lib.easy_fetch
_fetched = lib.easy_fetched
_NO_SIZE = lib.NO_SIZE
_RUNNING = lib.HANDLE_RUNNING


class TransferMethods:
    """What a Curl has of them."""

    if not TYPE_CHECKING:  # which would have it assign to none but these
        __slots__ = ()

    _after: Any
    _cache: Any
    _check: Any
    _end: Any
    _enter: Any
    _exception: Any
    _give_up: Any
    _handle: Any
    _in_slices: Any
    _insure: Any
    _look_at_small_bodies: Any
    _message: str
    _refuse: Any
    _take_body: Any
    _view: Any

    def perform(self) -> None:
        """Do the transfer and wait for its end."""
        if self._message:
            self._message = ""
        if self._end is None:
            self._insure("perform")
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
        if self._message:
            self._message = ""
        handle = self._handle
        view = self._view
        if view is None:
            view = self._look()
        try:
            size = _fetch(handle)
            if size >= 0:
                body: bytes = view[:size]
                _fetched(handle)
                return body
            code = size - _NO_SIZE
            while code == _RUNNING:
                code = _continue(handle, SLICE)
        except BaseException:
            self._give_up()
            raise
        self._ended(code)
        taken: bytes = self._take_body()
        return taken

    def _look(self) -> Any:
        """Where small bodies will be seen."""
        if self._end is None:
            self._insure("perform")
        else:
            self._check("perform")
        self._look_at_small_bodies()
        return self._view

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
        return text or self._message.encode()

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
