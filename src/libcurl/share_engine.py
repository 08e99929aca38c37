"""The private base of the share handles of both faces.

A share is kept alive by the easy handles that use it, and its locks by C (`_native/share.c`): handles that
share may work in different threads.
"""

from __future__ import annotations

import atexit
from _weakref import ref

from libcurl._native import ffi, lib
from libcurl.connections import ConnectionCache
from libcurl.engine import initialize
from libcurl.errors import ShareError
from libcurl.memory import allocator
from libcurl.registry import REFUSALS, refusal, take_interruptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from libcurl.sockets.tool import Set


#: Those that are open, by address.
_open: dict[int, Callable[[], ShareEngine | None]] = {}


_new = allocator(lib.share_new, lib.share_free)


class ShareEngine:
    """A share handle (CURLSH). Each face derives its own class from this one."""

    __slots__ = (
        "__weakref__",
        "_abandoned",
        "_cache",
        "_handle",
        "_memory",
        "_sockets",
    )

    #: What the face calls such a handle in its messages.
    _kind = "Share handle"

    _handle: Any
    _memory: Any
    _cache: ConnectionCache
    _abandoned: bool
    _sockets: Set | None

    def _begin(self) -> None:
        """Make the handle (curl_share_init)."""
        initialize()
        self._memory = _new("share_hold *")
        self._handle = self._memory.share
        self._cache = ConnectionCache()
        self._abandoned = False
        _open[id(self)] = ref(self)
        self._sockets = None

    def close(self) -> None:
        """Close the share and the connections in its cache (curl_share_cleanup). Idempotent.

        ShareError IN_USE while an easy handle is attached to it: nothing has happened then. Closers are
        called; their exceptions go to sys.unraisablehook.
        """
        code = self._close()
        if code:
            raise self._error(code)
        interrupted = take_interruptions()
        if interrupted:
            raise interrupted[0]

    def _close(self) -> int:
        code: int = lib.share_close(self._handle)
        if not code:
            self._cache.destroyed()
            _open.pop(id(self), None)
        return code

    def _company(self) -> list[Any]:
        """What C may call back for while it is used, by number."""
        return []

    def _caches(self) -> list[ConnectionCache]:
        """The caches that are affected meanwhile."""
        return [self._cache]

    def _released(self) -> None:
        """An easy handle has left; the last to leave ends a share that was collected before."""
        self._cache.settle()
        if self._abandoned:
            self._end_abandoned()

    def _end_abandoned(self) -> None:
        """Hook: its finalizer has run, while an easy handle was attached to it."""
        self._close()

    def __del__(self) -> None:
        try:
            self._abandoned = True
            self._close()
        except (AttributeError, TypeError):
            pass  # a constructor that failed, or an interpreter that is gone

    def _set(self, option: int, data: int) -> None:
        code = lib.share_set(self._handle, option, data)
        if code:
            raise self._error(code)

    def _error(self, code: int) -> Exception:
        """The exception for what a shim has answered."""
        if code in REFUSALS:
            return refusal(code, self._kind)
        return self._make_error(code, ffi.string(lib.curl_share_strerror(code)).decode())

    def _make_error(self, code: int, message: str) -> Exception:
        """Hook: the face's exception for a CURLSHcode."""
        return ShareError(code, message)


@atexit.register
def _close_all() -> None:
    """Interpreter exit: the last handle to leave a share closes it."""
    for found in list(_open.values()):
        share = found()
        if share is not None:
            share._abandoned = True
            share._close()
