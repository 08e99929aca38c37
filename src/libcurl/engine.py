"""The private base of the easy handles of both faces: lifetime, transfers, connections.

What libcurl points to on behalf of a handle has one owner: lists, the error buffer and the collected
body belong to the C part (`_native/shims.h`, struct easy), buffers and objects of Python to `_kept`,
callables to slots of their own, closers to the connection cache (`connections`). C frees its part only after
curl_easy_cleanup has returned.

A handle is used by one thread at a time: every shim checks it, in C, and another thread gets a
RuntimeError. Callbacks run in the thread that performs, and may use their handle.
"""

from __future__ import annotations

import atexit
import os
import sys

from libcurl._native import ffi, lib
from libcurl.memory import end_of
from libcurl.registry import (
    REFUSALS,
    failed,
    find,
    handles,
    integer,
    interruptions,
    leave,
    raise_first,
    report,
    take_interruptions,
)
from libcurl.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from libcurl.connections import ConnectionCache
    from libcurl.multi_engine import MultiEngine
    from libcurl.options import Option
    from libcurl.share_engine import ShareEngine

SLICE: int = lib.SLICE

# What was bound late would be gone when a finalizer runs at interpreter exit.
_perform = lib.easy_perform
_continue = lib.easy_continue
_RUNNING = lib.HANDLE_RUNNING
_unpack = ffi.unpack


class Purposes(dict[int, int]):
    """What sockets are for, by libcurl's numbers: those numbers themselves."""

    def __missing__(self, purpose: int) -> int:
        return purpose


class Engine(Settings):
    """An easy handle (CURL). Each face derives its own class from this one."""

    __slots__ = (
        "__weakref__",
        "_cache",
        "_exception",
        "_id",
        "_lent",
        "_multi",
        "_share",
        "_view",
    )

    #: What a socket is for, as the face shows it.
    _purposes = Purposes()
    #: What makes the exception for an info that libcurl lacks, where the face has one of its own.
    _no_info: Callable[[], Exception] | None = None

    _exception: BaseException | None
    #: What C knows it by, once it is insured; 0 before.
    _id: int
    _lent: bytes | None
    _multi: MultiEngine | None
    _share: ShareEngine | None
    _view: Any

    # -- Life ------------------------------------------------------------------------------------

    def _begin(self, handle: Any = None) -> None:
        """Take a handle of C's, or make one (curl_easy_init)."""
        if handle is None:
            initialize()
            handle = ffi.new("easy *")
            if lib.easy_init(handle):
                raise MemoryError("curl_easy_init failed")
        self._handle = handle
        self._body = self._cache = self._end = self._exception = self._kept = None
        self._lent = self._memo = self._multi = self._share = self._sockets = self._view = None
        self._id = 0
        self._callbacks = ()
        self._settings = self._no_settings()
        if type(self).__del__ is not Engine.__del__:
            self._insure()

    def _insure(self) -> None:
        """It is closed when its memory goes, if not before, whatever keeps __del__ from doing it.

        Handles that have done nothing yet, of which there may be thousands, need not pay for it.
        """
        handle = self._handle
        depth = lib.easy_depth(handle)
        try:
            self._enter()
            self._id = handle.id
            end = end_of(handle)
            self._end = self._end or end  # a signal handler may have been here first
        finally:
            if self._end is not None:
                handle.insured = True
            lib.easy_leave_to(handle, depth)

    def _register(self) -> None:
        """From now on libcurl may call back: be found, and be closed before the interpreter goes."""
        if self._end is None:
            self._insure()
        handles.add(self._id, self)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return not self._handle.curl

    def close(self) -> None:
        """Close the handle and the connections of its own cache (curl_easy_cleanup).

        Closers are called; an exception of theirs is raised when all is done. In a callback of this
        handle's own, the transfer is stopped and the handle closed when it ends. Idempotent. In a forked
        child the handle is let go of, its connections are the parent's.
        """
        exceptions = self._close()
        if exceptions:
            raise_first(exceptions, self)

    def _close(self) -> list[BaseException]:
        """Close; return what closers have raised."""
        handle = self._handle
        multi = self._multi
        try:
            code = lib.easy_close(handle)
        finally:
            if not handle.curl:
                self._closed()
        if code == lib.HANDLE_DEFERRED:
            if multi is not None:
                multi._halt(self)
            return []
        if code:
            raise self._refusal(code)
        return self._take_exceptions()

    def _closed(self) -> None:
        """Let go of all that libcurl can no longer ask for."""
        handles.pop(self._handle.id, None)
        self._body = self._sockets = None
        self._forget_callbacks()
        self._settings = self._no_settings()
        self._kept = None
        closer = self._closer
        cache, self._cache = self._cache, None
        multi, self._multi = self._multi, None
        share, self._share = self._share, None
        if closer is not None:
            closer.release()
        if cache is not None:
            cache.destroyed()
        if multi is not None:
            multi._forget(self)
        if share is not None:
            share._released()

    def __del__(self) -> None:
        try:
            handle = self._handle
            if handle.curl:
                if handle.performing:  # a second Ctrl-C, while the first was being heard
                    lib.easy_abandon(handle)
                for exception in self._close():
                    leave(exception, self)
        except (AttributeError, TypeError):
            pass  # a constructor that failed, or an interpreter that is gone

    def _take_exceptions(self) -> list[BaseException]:
        """What callbacks have left for the call in progress to raise."""
        exception, self._exception = self._exception, None
        found = [] if exception is None else [exception]
        return found + take_interruptions()

    def _answer(self, value: object, none: int, name: str) -> int:
        """Hook: what the callback in this slot has returned, as libcurl wants it."""
        return integer(value, none, f"CURLOPT{name.upper()}")

    def _failed(self, exception: BaseException, where: str = "") -> None:
        """A callback of this handle has raised: stop the transfer, keep the exception for its caller.

        Hook; `where` is the option in short: "write", "sockopt".
        """
        self._handle.stopped = True
        multi = self._multi
        if multi is not None:
            multi._halt(self)
        if self._exception is None:
            self._exception = exception
        elif self._exception is not exception:  # which may be told twice
            report(exception, self)

    def _refused(self) -> None:
        """A callback has refused what was gathered for it: the transfer ends with the call in progress."""
        multi = self._multi
        if multi is not None:
            multi._halt(self)

    def _closer_failed(self, exception: BaseException) -> bool:
        """A closer that was set here has raised: whether a call of this very handle will raise it."""
        if not lib.easy_inside(self._handle):
            return False
        self._failed(exception)
        return True

    # -- Transfer --------------------------------------------------------------------------------

    def _transfer(self) -> int:
        """Perform in slices, with signals heard in between. Returns the CURLcode."""
        if self._end is None:
            self._insure()
        self._prepare()
        self._body = None
        return self._in_slices()

    def _prepare(self) -> None:
        """What comes before a transfer of its own."""
        if self._sockets is not None:
            self._sockets.begin(self)
        if self._kept is not None:
            self._flush()

    def _flush(self) -> None:
        """Before a transfer: what the user has written to its file comes first."""
        file = self._kept.get(lib.CURLOPT_WRITEDATA) if self._kept is not None else None
        if file is not None:
            file.flush()

    def _in_slices(self) -> int:
        """easy_perform, and easy_continue for as long as it takes."""
        handle = self._handle
        try:
            code: int = _perform(handle, SLICE)
            while code == _RUNNING:
                code = _continue(handle, SLICE)
        except BaseException:
            self._give_up()
            raise
        return code

    def _give_up(self) -> None:
        """A signal handler has raised between two slices: the transfer is over."""
        handle = self._handle
        lib.easy_fetched(handle)
        lib.easy_abandon(handle)
        for cache in self._caches():
            cache.settle()
        exceptions = self._take_exceptions()
        if handle.closing:
            exceptions += self._close()
        for exception in exceptions:
            report(exception, self)

    def _look_at_bodies(self) -> None:
        """Where small bodies will be seen, unless there is more to do after a transfer than to look there."""
        self._register()  # large ones ask for memory
        handle = self._handle
        if not handle.attention:
            first = lib.easy_first(handle)
            if not first:
                raise MemoryError
            self._view = ffi.buffer(first, lib.FIRST_ROOM)

    def _attend(self) -> None:
        """From now on there is something to do in Python after every transfer."""
        self._handle.attention = True
        self._view = None

    def _lend(self, size: int) -> Any:
        """Memory for a body of this size: that of the bytes object which the user will get.

        Only CPython's bytes stay where they are. Nobody else has seen this one, so it may still change.
        """
        if sys.implementation.name != "cpython":
            return ffi.NULL
        self._lent = bytes(size)
        return ffi.from_buffer(self._lent)

    def _collects(self) -> bool:
        """Whether the body is collected in memory, for want of anywhere else to go."""
        files = self._handle.files
        return not (hasattr(self._functions, "_writefunction") or (files and files.sink))

    def _peek_body(self) -> bytes:
        """What has been collected so far."""
        handle = self._handle
        depth = lib.easy_depth(handle)
        try:
            code = lib.easy_enter_to_look(handle)
            if code:
                raise self._error(code)
            collected = handle.body
            return _unpack(collected.data, collected.size) if collected.size else b""
        finally:
            lib.easy_leave_to(handle, depth)

    def _take_body(self) -> bytes:
        """What has been collected; C forgets it."""
        handle = self._handle
        depth = lib.easy_depth(handle)
        try:
            code = lib.easy_enter_to_look(handle)
            if code:
                raise self._error(code)
            return self._fetched_body()
        finally:
            lib.easy_leave_to(handle, depth)

    def _fetched_body(self) -> bytes:
        """The same, where this thread is inside."""
        handle = self._handle
        collected = handle.body
        size = collected.size
        body = self._lent
        if not handle.lent or body is None or len(body) != size:
            body = _unpack(collected.data, size) if size else b""
        self._lent = None
        lib.easy_body_taken(handle)
        return body

    def _after(self, code: int) -> None:
        """After a call into libcurl that may have called back: raise what there is to raise."""
        handle = self._handle
        for cache in self._caches():
            if cache.released and not handle.inside.depth:
                cache.settle()
        if self._exception is not None or interruptions or handle.closing:
            exceptions = self._take_exceptions()
            if handle.closing:
                exceptions += self._close()
            if exceptions:
                raise_first(exceptions, self)
        if code:
            raise self._error(code)

    def _outcome(self, code: int) -> BaseException | None:
        """How a transfer in a multi has ended: what a callback raised, or an exception for the code."""
        exception, self._exception = self._exception, None
        closing = self._handle.closing
        if exception is None and code:
            exception = self._error(lib.CURLE_ABORTED_BY_CALLBACK if closing else code)
        if closing:
            for other in self._close():
                report(other, self)
        if self._share is not None:
            self._share._cache.settle()
        return exception

    def _check(self) -> None:
        """Raise where the handle cannot be used: closed, in another thread, in a forked child."""
        code = lib.easy_idle(self._handle)
        if code:
            raise self._error(code)

    def _enter(self) -> None:
        """As `_check`, and no other thread comes in until this one has left.

        Which is to be done (lib.easy_leave_to) whether this has come back or was interrupted.
        """
        code = lib.easy_enter(self._handle)
        if code:
            raise self._error(code)

    def _in_transfer(self) -> bool:
        return bool(self._handle.performing or self._handle.joined)

    def _amid_transfer(self) -> bool:
        """Whether libcurl uses what it was given: not before a multi is driven, nor after the end."""
        if self._sockets is not None and self._handle.joined:
            return True  # what belongs to them cannot be set again there
        return lib.easy_amid(self._handle) == 1  # type: ignore[no-any-return]

    def _error(self, code: int) -> Exception:
        """The exception for what a shim has answered."""
        if code in REFUSALS:
            return self._refusal(code)
        handle = self._handle
        files = handle.files
        if files and files.error:
            return OSError(files.error, os.strerror(files.error))
        message = ""
        errno = 0
        depth = lib.easy_depth(handle)
        try:
            if not lib.easy_enter_again(handle):  # or somebody else may have closed it meanwhile
                if handle.error and code != lib.CURLE_RECURSIVE_API_CALL:
                    message = ffi.string(handle.error).decode("utf-8", "replace").rstrip()
                    handle.error[0] = b"\0"  # told once
                found = ffi.new("found *")
                if not lib.easy_getinfo(handle, lib.CURLINFO_OS_ERRNO, found):
                    errno = found.number
        finally:
            lib.easy_leave_to(handle, depth)
        error = self._make_error(code, message, errno)
        return error if self._sockets is None else self._sockets.error(code, error)

    def _make_error(self, code: int, message: str, errno: int) -> Exception:
        """Hook: the face's exception for a CURLcode."""
        if not message and code == lib.CURLE_FAILED_INIT and self._handle.joined:
            message = "the handle is in a multi, which does its transfer"
        elif not message and code == lib.CURLE_RECURSIVE_API_CALL:
            message = "the handle is in the middle of a transfer of its own"
        from libcurl.errors import easy_error

        return easy_error(code, message, errno)

    def _too_late(self, reason: str) -> Exception:
        """Hook: the face's exception for what cannot be done in the middle of a transfer."""
        return RuntimeError(reason)

    def _company(self) -> list[Any]:
        """What C may call back for while it is used, by number."""
        return [self]

    def _caches(self) -> list[ConnectionCache]:
        """The caches that this handle's connections may live in."""
        multi, share = self._multi, self._share  # which another thread may take away
        caches = (
            self._cache,
            None if multi is None else multi._cache,
            None if share is None else share._cache,
        )
        return [cache for cache in caches if cache is not None]

    def _joins(self, cache: ConnectionCache) -> None:
        """From now on connections made with the current closer may live in `cache`."""
        if self._closer is not None:
            cache.hold(self._closer)

    def _set_share(self, option: Option, share: ShareEngine | None) -> None:
        """Attach to a share, or detach (CURLOPT_SHARE); the share is kept alive."""
        depth = lib.easy_depth(self._handle)
        try:
            self._enter()
            left = self._change_share(option, share)
        finally:
            lib.easy_leave_to(self._handle, depth)
        if left is not None and left is not share:
            left._released()

    def _change_share(self, option: Option, share: ShareEngine | None) -> ShareEngine | None:
        """What libcurl points to and what is kept change together. Returns the share that it had."""
        if share is not None and share._sockets is not None:
            share._sockets.bind_by_default(self)
        code = lib.easy_set_share(self._handle, share._handle if share is not None else ffi.NULL)
        if code == lib.HANDLE_DEFERRED:
            raise self._too_late("CURLOPT_SHARE cannot be changed during a transfer or in a multi")
        if code == lib.HANDLE_CLOSED and share is not None and not self.closed:
            raise share._error(code)
        if code:
            raise self._option_error(code, option, share)
        self._attend()
        left, self._share = self._share, share
        if share is not None:
            self._register()
            self._joins(share._cache)
        return left

    def _stay(self) -> None:
        """After a reset: still in its share, so still with the share's sockets."""
        if self._share is not None and self._share._sockets is not None:
            self._share._sockets.bind_by_default(self)


@ffi.def_extern(error=ffi.NULL, onerror=failed)
def python_lend(easy: int, size: int) -> Any:
    """Where a large body is received: into the very object that is handed to the user."""
    handle = find(easy)
    return ffi.NULL if handle is None else handle._lend(size)


def initialize() -> None:
    """libcurl's global state, at the first handle."""
    code = lib.library_init()
    if code:
        from libcurl.errors import Error

        raise Error(code, "curl_global_init failed")


@atexit.register
def _close_all() -> None:
    """Interpreter exit: closers are called while Python can still run them."""
    for found in list(handles.values()):
        handle = found()
        if isinstance(handle, Engine):
            try:
                exceptions = handle._close()
            except RuntimeError:
                continue  # in use by a daemon thread
            for exception in exceptions:
                report(exception, handle)
    if sys.stdout is not None:
        sys.stdout.flush()
