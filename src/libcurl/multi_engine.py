"""The private base of the multi handles of both faces.

Who owns what: a multi keeps its easies alive, the closers of the connections in its cache, and what was
assigned to descriptors; an easy keeps its multi alive. Cycles that no one breaks are collected.

All calls into libcurl come from the thread that drives the multi, and so do all callbacks; another thread
gets a RuntimeError, except for wakeup.
"""

from __future__ import annotations

import atexit
from itertools import repeat

import libcurl.callbacks  # noqa: F401 # what C calls
from libcurl._native import ffi, lib
from libcurl.connections import ConnectionCache
from libcurl.engine import Engine, initialize
from libcurl.errors import MultiError
from libcurl.memory import allocator
from libcurl.registry import (
    REFUSALS,
    handles,
    integer,
    interruptions,
    leave,
    raise_first,
    refusal,
    report,
    take_interruptions,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from libcurl.sockets.tool import Set

_taken = lib.multi_results_taken
_unpack = ffi.unpack


_new = allocator(lib.multi_new, lib.multi_free)


class MultiEngine:
    """A multi handle (CURLM). Each face derives its own class from this one."""

    __slots__ = (
        "__weakref__",
        "_assigned",
        "_cache",
        "_callbacks",
        "_done",
        "_easies",
        "_exception",
        "_failures",
        "_given",
        "_halted",
        "_handle",
        "_sockets",
    )

    #: What the face calls such a handle in its messages.
    _kind = "Multi handle"

    _handle: Any
    _assigned: dict[int, Any]
    _cache: ConnectionCache
    _callbacks: dict[int, Callable[..., Any]]
    _done: list[tuple[Engine, BaseException | None]]
    _easies: dict[int, Engine]
    _exception: BaseException | None
    _failures: bool
    _given: Iterator[tuple[Engine, BaseException | None]] | None
    _halted: list[Engine]
    _sockets: Set | None

    def _begin(self) -> None:
        """Make the handle (curl_multi_init)."""
        initialize()
        self._handle = _new("multi *")
        self._assigned = {}
        self._cache = ConnectionCache()
        self._callbacks = {}
        self._done = []
        self._easies = {}
        self._exception = None
        self._failures = False
        self._given = None
        self._halted = []
        self._sockets = None
        handles.add(self._handle.id, self)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return not self._handle.curlm

    def close(self) -> None:
        """Close the multi and the connections in its cache (curl_multi_cleanup).

        The easy handles in it leave it, unfinished, and stay usable. Closers are called; their exceptions
        go to sys.unraisablehook, for the transfers they belong to are over. Idempotent. MultiError where
        it is called in a callback of this multi's.
        """
        code = self._close()
        if code:
            raise self._error(code)
        interrupted = take_interruptions()
        if interrupted:
            raise interrupted[0]

    def _close(self) -> int:
        handle = self._handle
        if not handle.curlm:
            return 0
        code: int = lib.multi_close(handle)
        if not handle.curlm:
            handles.pop(handle.id, None)
            for easy in list(self._easies.values()):
                easy._multi = None
                if easy._exception is not None:
                    exception, easy._exception = easy._exception, None
                    report(exception, easy)
            self._easies = {}
            self._callbacks = {}
            self._assigned = {}
            self._halted = []
            self._done = []
            self._given = None
            self._cache.destroyed()
        return code

    def __del__(self) -> None:
        try:
            self._close()
        except (AttributeError, TypeError):
            pass  # a constructor that failed, or an interpreter that is gone

    def _company(self) -> list[Any]:
        """What C may call back for while it is used, by number."""
        return [self, *self._easies.values()]

    def _caches(self) -> list[ConnectionCache]:
        """The caches that are affected meanwhile."""
        easies = list(self._easies.values())
        return [self._cache, *(cache for easy in easies for cache in easy._caches())]

    def _watch(self, easy: Engine | None, fd: int, what: int, assigned: object) -> object:
        """Hook: call the socketfunction."""
        return self._callbacks[lib.CURLMOPT_SOCKETFUNCTION](easy, fd, what, assigned)

    def _answer(self, value: object, none: int, name: str) -> int:
        """Hook: what a callback of the multi's own has returned, as libcurl wants it."""
        return integer(value, none, f"CURLMOPT_{name.upper()}FUNCTION")

    # -- Exceptions ------------------------------------------------------------------------------

    def _failed(self, exception: BaseException, where: str = "") -> None:
        """A callback of the multi's own has raised: the call in progress will raise it."""
        self._handle.failed = True
        if self._exception is None:
            self._exception = exception
        elif self._exception is not exception:  # which may be told twice
            report(exception, self)

    def _halt(self, easy: Engine) -> None:
        """A callback of this easy's has raised: its transfer ends with the call in progress."""
        self._handle.halted = True
        self._halted.append(easy)

    def _error(self, code: int) -> Exception:
        """The exception for what a shim has answered."""
        if code in REFUSALS:
            return refusal(code, self._kind)
        return self._make_error(code, ffi.string(lib.curl_multi_strerror(code)).decode())

    def _make_error(self, code: int, message: str) -> Exception:
        """Hook: the face's exception for a CURLMcode."""
        return MultiError(code, message)

    def _after(self, code: int) -> int:
        """After a call into libcurl: raise what belongs to the call, end what was halted.

        Returns how many transfers that still ran were ended.
        """
        handle = self._handle
        if self._cache.released and not handle.inside.depth:
            self._cache.settle()
        ended = 0
        if self._halted and not handle.inside.depth:
            ended = self._end_halted()
        if self._exception is not None:
            exceptions, self._exception = [self._exception], None
            handle.failed = False
            raise_first(exceptions, self)
        if interruptions:
            raise take_interruptions()[0]
        if code:
            raise self._error(code)
        return ended

    def _end_halted(self) -> int:
        """Transfers that a callback stopped: libcurl has been told of most, the rest are taken out."""
        if lib.multi_forked(self._handle):
            self._raise_in_child()
            return 0
        if any(easy._multi is self for easy in self._halted):
            self._read_messages()
        halted, self._halted = self._halted, []
        self._handle.halted = False
        finished = [easy for easy, _ in self._done]
        ended = 0
        for easy in halted:
            if easy._multi is self and easy not in finished:
                self._take_out(easy)
                ended += 1
                refused = easy._handle.refused
                code = lib.CURLE_WRITE_ERROR if refused else lib.CURLE_ABORTED_BY_CALLBACK
                self._finished(easy, code)
        return ended

    def _raise_in_child(self) -> None:
        """The callback has forked: what it raised in the child comes out, the transfers are the parent's."""
        halted, self._halted = self._halted, []
        exceptions = [error for easy in halted for error in easy._take_exceptions()]
        if exceptions:
            raise_first(exceptions, self)

    # -- Easies ----------------------------------------------------------------------------------

    def _admit(self, easy: Engine) -> None:
        """curl_multi_add_handle, with nobody driving until all is done in Python that there is to do."""
        self._prepare(easy)
        # Whoever drives must know it as soon as C does, whatever interrupts this.
        self._easies[easy._id] = easy
        code = lib.multi_admit(self._handle, easy._handle)
        if code:
            self._refuse(easy, code)
        self._moved_in(easy)
        easy._multi = self
        easy._body = None
        lib.multi_added(self._handle)
        if self._exception is not None or interruptions:
            self._after(0)

    def _look_again(self, easy: Engine, code: int) -> None:
        """It was not simply added."""
        there = easy._handle.joined == self._handle
        if code and there:  # it was before, and an interrupt has kept Python from noting it
            easy._multi = None
            self._admit(easy)
        elif code:
            self._refuse(easy, code)
        elif there:  # another thread has removed it just before C had it
            self._take_out(easy)

    def _not_joined(self, easy: Engine) -> None:
        """An exception has come: nothing is noted of an easy that C does not have."""
        if not isinstance(easy, Engine):
            raise TypeError(f"a multi takes easy handles, not {type(easy).__name__}") from None
        if easy._handle.joined != self._handle:
            self._easies.pop(easy._id, None)
            if easy._multi is self:
                easy._multi = None

    def _prepare(self, easy: Engine) -> None:
        """Before an easy joins: what is to be done in Python where it has more than options."""
        if self._sockets is not None:
            self._sockets.bind_by_default(easy)
        if easy._sockets is not None and not easy._in_transfer():
            easy._sockets.begin(easy, shared=True)
        easy._look_at_bodies()
        if easy._kept is not None:
            easy._flush()

    def _moved_in(self, easy: Engine) -> None:
        """After it has joined: its private multi is gone, and the connections with it."""
        exception, easy._exception = easy._exception, None
        if exception is not None:
            leave(exception, easy)  # a closer's, of one of those connections
        if easy._cache is not None:
            easy._joins(self._cache)
            easy._cache.destroyed()
            easy._joins(easy._cache)

    def _refuse(self, easy: Engine, code: int) -> None:
        """It could not be added."""
        there = easy._handle.joined == self._handle
        if there and easy._multi is None:
            return  # it was: an interrupt has kept Python from noting it
        if code == lib.CURLM_ADDED_ALREADY:
            where = "this multi" if there else "use"
            raise self._make_error(code, f"the easy handle is in {where} already")
        self._after(code)
        raise self._error(code)

    def _take_out(self, easy: Engine) -> None:
        """curl_multi_remove_handle."""
        code = lib.multi_remove(self._handle, easy._handle)
        if code and easy._handle.joined:
            raise self._error(code)
        self._forget(easy)  # finished perhaps, which an interrupt has kept Python from hearing

    def _forget(self, easy: Engine) -> None:
        """The easy has left."""
        self._easies.pop(easy._id, None)
        easy._multi = None

    def _read_messages(self) -> None:
        """curl_multi_info_read, into `_done`; the easies stay."""
        code = lib.multi_info_read(self._handle)
        if code:
            raise self._error(code)
        handle = self._handle
        count = handle.results_count
        if count:
            triples = iter(_unpack(handle.results, 3 * count))
            lib.multi_results_taken(handle)
            for number, result, _ in zip(triples, triples, triples, strict=True):
                easy = self._easies.get(number)
                if easy is None:
                    continue  # as in `_step`
                if not easy._handle.joined:
                    self._forget(easy)
                self._finished(easy, result)

    def _finished(self, easy: Engine, code: int) -> None:
        """A transfer has ended: into `_done` with it."""
        outcome = easy._outcome(code)
        self._done.append((easy, outcome))
        if outcome is not None:
            self._failures = True

    def _finish(self, flat: list[int]) -> None:
        """One after the other, what is not in `_done` yet: an interrupt may have come among them."""
        there = {easy._id for easy, _ in self._done}
        for number, result, size in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
            easy = self._easies.get(number)
            if easy is None:
                continue  # closed by another thread just now
            easy._multi = None
            if number not in there:
                if size >= 0:
                    easy._body = easy._view[:size]
                self._finished(easy, result)
            self._easies.pop(number, None)

    def _step(self, milliseconds: int) -> None:
        """Drive (multi_step of C). What has finished is out of the multi then, and in `_done`.

        An interrupt can come between any two lines, and most come when C has just returned: what has
        finished is in C's results then, in `flat` or in `_done`.
        """
        handle = self._handle
        code = lib.multi_step(handle, milliseconds)
        count = handle.results_count
        if count and not code:
            easies = self._easies
            flat = _unpack(handle.results, 3 * count)
            numbers = flat[::3]
            sizes = flat[2::3]
            try:
                _taken(handle)
                found = [*map(easies.get, numbers)]
                if min(sizes) >= 0 and all(found):  # of plain handles, where nothing has gone wrong
                    for easy, size in zip(found, sizes):  # noqa: B905
                        easy._multi = None  # type: ignore[union-attr]
                        easy._body = easy._view[:size]  # type: ignore[union-attr]
                    self._done.extend(zip(found, repeat(None)))  # type: ignore[arg-type]
                    found = [*map(easies.pop, numbers, repeat(None))]
                else:
                    self._finish(flat)
            except BaseException:
                _taken(handle)
                self._finish(flat)
                raise
        if (
            code
            or self._halted
            or self._cache.released
            or self._exception is not None
            or interruptions
        ):
            self._after(code)


@atexit.register
def _close_all() -> None:
    """Interpreter exit, before the easies' turn: closers are called while Python can still run them."""
    for found in list(handles.values()):
        handle = found()
        if isinstance(handle, MultiEngine):
            handle._close()
