"""`Multi`: libcurl's multi interface, many transfers at once in one thread."""

from __future__ import annotations

from _operator import index
from itertools import chain
from time import monotonic

from libcurl._native import ffi, lib
from libcurl.easy import Easy
from libcurl.engine import SLICE
from libcurl.errors import NotSupported, needs
from libcurl.multi_engine import MultiEngine
from libcurl.raw import absent
from libcurl.registry import Closing, raise_first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from typing_extensions import Unpack

    from libcurl._options import MultiOptions

    Result = tuple[Easy, BaseException | None]

__all__ = ["Multi"]

_FUNCTIONS = (
    lib.CURLMOPT_SOCKETFUNCTION,
    lib.CURLMOPT_TIMERFUNCTION,
    lib.CURLMOPT_PUSHFUNCTION,
    lib.CURLMOPT_NOTIFYFUNCTION,
)
_add = lib.multi_add
_DRIVING = (lib.CURLMOPT_SOCKETFUNCTION, lib.CURLMOPT_TIMERFUNCTION)


class Multi(Closing, MultiEngine):
    """Many transfers at once, over a cache of connections of its own.

    Three ways to drive it: `run`, or `step` when `fileno` is readable; `perform` and `poll`; or
    `socket_action` with a socketfunction and a timerfunction. The first one used is the one: another
    raises RuntimeError. All from one thread, `wakeup` aside.

    An exception in a transfer's callback comes out with that transfer; one in a socket, timer or notify
    callback comes out of the call in progress. KeyboardInterrupt and SystemExit do so always, and their
    transfer has left the multi then.
    """

    __slots__ = ("_settings", "_way")

    def __init__(self, **options: Unpack[MultiOptions]) -> None:
        """Make a multi (curl_multi_init) and set options."""
        self._begin()
        self._way: str | None = None
        self._settings: dict[int, Any] = {}
        self.set(**options)

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"of {len(self)}"
        return f"<{type(self).__name__} {state}>"

    def __len__(self) -> int:
        return len(self._easies)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, easy: object) -> bool:
        return isinstance(easy, Easy) and easy._multi is self

    def __iter__(self) -> Iterator[Easy]:
        return iter(self.get_handles())

    def get_handles(self) -> list[Easy]:
        """The easy handles in the multi, in the order they were added."""
        return list(self._easies.values())  # type: ignore[arg-type]

    # -- Options ---------------------------------------------------------------------------------

    def set(self, **options: Unpack[MultiOptions]) -> None:
        """Set options by keyword (curl_multi_setopt); None unsets a callback.

        The callbacks are socketfunction(easy, fd, what, assigned), timerfunction(milliseconds),
        pushfunction(parent, easy, headers) and notifyfunction(notification, easy); `easy` is None for a
        handle of libcurl's own. `sockets` (see libcurl.sockets) is for the handles added from now on that
        have none of their own.
        """
        for name, value in options.items():
            if name == "sockets":
                self._set_sockets(value)
            else:
                self._set(name, value)

    def _set_sockets(self, value: Any) -> None:
        from libcurl.sockets.tool import as_set

        self._sockets = None if value is None else as_set(value)

    def _set(self, name: str, value: Any) -> None:
        option = _option(name)
        c_name = f"CURLMOPT_{name.upper()}"
        handle = self._handle
        if option in _FUNCTIONS:
            if value is not None and not callable(value):
                raise TypeError(f"{c_name} takes a callable, not {type(value).__name__}")
            if option in _DRIVING:
                self._drive("socket_action")
            code = lib.multi_set_callback(handle, option, value is not None)
            if not code:
                self._callbacks.pop(option, None)
                if value is not None:
                    self._callbacks[option] = value
        elif option >= lib.CURLOPTTYPE_FUNCTIONPOINT and option < lib.CURLOPTTYPE_OFF_T:
            raise TypeError(f"{c_name} takes nothing that this package knows")
        elif option >= lib.CURLOPTTYPE_OBJECTPOINT and option < lib.CURLOPTTYPE_FUNCTIONPOINT:
            if not name.endswith("_bl"):
                raise TypeError(f"{c_name} is not for Python: use a closure, or libcurl.raw")
            strings = [ffi.new("char[]", item) for item in _texts(c_name, value)]
            code = lib.multi_set_list(handle, option, [*strings, ffi.NULL])
        else:
            try:
                number = index(value)
            except TypeError:
                raise TypeError(f"{c_name} takes an int, not {type(value).__name__}") from None
            if not -1 << 63 <= number < 1 << 63:
                raise ValueError(f"{c_name}: {number} is out of range")
            code = lib.multi_set_number(handle, option, number)
        if code == lib.CURLM_UNKNOWN_OPTION:
            from libcurl import constants

            since = constants.added(c_name)
            raise needs(c_name, since)
        self._after(code)

    def _drive(self, way: str) -> None:
        """There is one way to drive a multi: the first one used."""
        if self._way is None:
            self._way = way
        elif self._way != way:
            raise RuntimeError(f"this Multi is driven by {self._way}: {way} cannot join in")

    # -- Easies ----------------------------------------------------------------------------------

    def add(self, easy: Easy) -> None:
        """Add an easy handle, whose transfer begins when the multi is driven (curl_multi_add_handle).

        The multi keeps it alive. Its own connections are closed: those of the multi are used instead.
        """
        try:
            if (
                easy._view is None
                or easy._multi is not None
                or easy._cache is not None
                or easy._sockets is not None
                or self._sockets is not None
            ):
                self._admit(easy)
                return
            # Another thread can drive it to its end, or close it, as soon as C has it.
            easy._multi = self
            easy._body = None
            self._easies[easy._id] = easy
            code = _add(self._handle, easy._handle)
            if code or easy._multi is not self:
                self._look_again(easy, code)
        except BaseException:
            self._not_joined(easy)
            raise

    def remove(self, easy: Easy) -> None:
        """Take an easy handle out, finished or not (curl_multi_remove_handle)."""
        if easy not in self:
            raise ValueError("the easy handle is not in this Multi")
        self._take_out(easy)
        self._after(0)
        if easy._exception is not None:
            exceptions, easy._exception = [easy._exception], None
            raise_first(exceptions, easy)

    # -- Driving: run, step, fileno --------------------------------------------------------------

    def run(self) -> Iterator[Result]:
        """Drive until every transfer has ended, yielding (easy, error) as each does.

        `error` is None or the exception. What is yielded has left the multi (which takes its connection
        from a connect_only handle: `perform` leaves it there). Handles can be added, and removed, while it
        runs; what a run that is left early has not yielded comes from the next.
        """
        return chain.from_iterable(self._batches())

    def _batches(self) -> Iterator[Iterator[Result]]:
        """What has finished together; what is taken of it has been handed over."""
        self._drive("step")
        self._recall()
        while self._easies or self._done:
            self._results(SLICE)
            if not self._done and not self._handle.first:
                return  # only what another thread is adding, or was kept from it
            # In one line, between the parts of which no interrupt comes.
            self._given, self._done = iter(self._done), []
            yield self._given  # type: ignore[misc]
            self._recall()  # of another run, which may have gone on meanwhile

    def _recall(self) -> None:
        """What a run that was left in the middle has not handed over is for the next."""
        if self._given is not None:
            self._done, self._given = [*self._given, *self._done], None

    def step(self) -> list[Result]:
        """Do all that is ready, without waiting; return what has finished as (easy, error).

        To be called whenever `fileno()` is readable. What has finished has left the multi.
        """
        self._drive("step")
        if self._given is not None:
            self._recall()
        self._results(0)
        done = self._done
        self._done = []
        return done  # type: ignore[return-value]

    def _results(self, milliseconds: int) -> None:
        """What has finished, into `_done`. KeyboardInterrupt and SystemExit come out by themselves."""
        self._step(milliseconds)
        if self._failures:
            self._raise_interrupt()

    def _raise_interrupt(self) -> None:
        for result in self._done:
            easy, error = result
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                self._done.remove(result)
                if easy._multi is self:
                    self._take_out(easy)
                raise error
        self._failures = False

    def _after(self, code: int) -> int:
        ended = super()._after(code)
        if self._failures and not self._handle.inside.depth:
            self._raise_interrupt()
        return ended

    def _poll(self, milliseconds: int) -> None:
        """For a thread: wait until `step` has something to do, where there is no descriptor to tell."""
        ready = ffi.new("int *")
        lib.multi_poll(self._handle, ffi.NULL, 0, milliseconds, ready)

    def fileno(self) -> int:
        """The descriptor that is readable when `step` has something to do (Linux: an epoll instance).

        It belongs to the multi and lives as long. NotSupported where there is no such thing.
        """
        self._drive("step")
        fd: int = lib.multi_fileno(self._handle)
        if fd == -1:
            raise NotSupported(lib.CURLE_NOT_BUILT_IN, "Multi.fileno needs Linux: use run or poll")
        if fd < 0:
            raise self._error(fd + 100 if fd > -110 and fd < -100 else -100 - fd)
        return fd

    # -- Driving: perform, poll ------------------------------------------------------------------

    def perform(self) -> int:
        """Do all that is ready, without waiting (curl_multi_perform). How many transfers still run."""
        self._drive("perform")
        running = ffi.new("int *")
        ended = self._after(lib.multi_perform(self._handle, running))
        return int(running[0]) - ended

    def poll(self, timeout_ms: int = 1000, extra: Iterable[tuple[int, int]] = ()) -> list[int]:
        """Wait for something to do, at most `timeout_ms` (curl_multi_poll). `wakeup` ends it.

        `extra` are further (descriptor, Wait) to wait for; those that are ready are returned.
        """
        self._drive("perform")
        return self._wait(lib.multi_poll, timeout_ms, extra)

    def wait(self, timeout_ms: int = 1000, extra: Iterable[tuple[int, int]] = ()) -> list[int]:
        """As poll, but returns at once where there is nothing to wait for (curl_multi_wait)."""
        self._drive("perform")
        return self._wait(lib.multi_wait, timeout_ms, extra)

    def _wait(self, wait: Any, timeout_ms: int, extra: Iterable[tuple[int, int]]) -> list[int]:
        descriptors = [{"fd": index(fd), "events": index(events)} for fd, events in extra]
        fds = ffi.new("struct curl_waitfd[]", descriptors)
        ready = ffi.new("int *")
        until = monotonic() + index(timeout_ms) / 1000
        while True:  # in slices, because signals are heard in between
            begin = monotonic()
            slice_ms = max(0, min(SLICE, round((until - begin) * 1000)))
            self._after(wait(self._handle, fds, len(fds), slice_ms, ready))
            end = monotonic()
            # Back early, with nothing ready: woken up, or nothing to wait for.
            early = (end - begin) * 1000 < slice_ms - 1
            if ready[0] or end >= until or early or self._handle.woken:
                self._handle.woken = False
                return [fd.fd for fd in fds if fd.revents]

    def wakeup(self) -> None:
        """End a `poll` or a `run`'s wait, from any thread (curl_multi_wakeup)."""
        code = lib.multi_wakeup(self._handle)
        if code:
            raise self._error(code)

    def timeout(self) -> int:
        """Milliseconds until libcurl wants to be driven again; -1 for no such time (curl_multi_timeout)."""
        milliseconds = ffi.new("long *")
        self._after(lib.multi_timeout(self._handle, milliseconds))
        return int(milliseconds[0])

    def fdset(self) -> tuple[list[int], list[int], list[int]]:
        """Descriptors to select for: read, write, exception (curl_multi_fdset).

        Those that select cannot take, 1,024 and up, are missing: use poll.
        """
        self._drive("perform")
        found = ffi.new("int[]", 2 * 3 * 1024)
        count = ffi.new("int *")
        self._after(lib.multi_fdset(self._handle, found, len(found), count))
        sets: tuple[list[int], list[int], list[int]] = ([], [], [])
        for position in range(0, count[0], 2):
            sets[found[position]].append(found[position + 1])
        return sets

    def waitfds(self) -> list[tuple[int, int]]:
        """Descriptors to poll, each with its Wait events (curl_multi_waitfds, libcurl 8.8)."""
        _require("curl_multi_waitfds")
        self._drive("perform")
        count = ffi.new("unsigned *")
        self._after(lib.multi_waitfds(self._handle, ffi.NULL, 0, count))
        fds = ffi.new("struct curl_waitfd[]", count[0])
        self._after(lib.multi_waitfds(self._handle, fds, len(fds), count))
        return [(fd.fd, fd.events) for fd in fds]

    def info_read(self) -> list[Result]:
        """What has finished since the last call, as (easy, error) (curl_multi_info_read).

        Nothing is removed: `remove` is yours to call. Only a transfer that a callback broke off where
        libcurl could not be told has left already.
        """
        self._drive_any("perform", "socket_action")
        self._read_messages()
        if self._failures:
            self._raise_interrupt()
        done, self._done = self._done, []
        return done  # type: ignore[return-value]

    def _drive_any(self, *ways: str) -> None:
        if self._way not in ways:
            self._drive(ways[0])

    # -- Driving: socket_action ------------------------------------------------------------------

    def socket_action(self, fd: int = lib.CURL_SOCKET_TIMEOUT, events: int = 0) -> int:
        """Tell libcurl what happened to a descriptor (CSelect bits), or that its timer is due.

        curl_multi_socket_action. Descriptors that libcurl no longer has are no error. Returns how many
        transfers still run.
        """
        self._drive("socket_action")
        running = ffi.new("int *")
        code = lib.multi_socket_action(self._handle, index(fd), index(events), running)
        ended = self._after(code)
        return int(running[0]) - ended

    def assign(self, fd: int, data: object) -> None:
        """Let `data` be what the socketfunction gets for this descriptor (curl_multi_assign).

        Until libcurl is done with it. MultiError for a descriptor that libcurl does not have.
        """
        self._after(lib.multi_assign(self._handle, index(fd), 1))
        self._assigned[fd] = data

    def unassign(self, fd: int) -> None:
        """Take back what was assigned to a descriptor."""
        self._assigned.pop(fd, None)
        self._after(lib.multi_assign(self._handle, index(fd), 0))

    # -- What else libcurl 8 has -----------------------------------------------------------------

    def get_offt(self, info: int) -> int:
        """A number that the multi knows of itself, an `MInfo` (curl_multi_get_offt, libcurl 8.16)."""
        _require("curl_multi_get_offt")
        value = ffi.new("curl_off_t *")
        self._after(lib.multi_get_offt(self._handle, index(info), value))
        return int(value[0])

    def notify_enable(self, notification: int) -> None:
        """Have the notifyfunction called for a `Notify` (curl_multi_notify_enable, libcurl 8.17)."""
        _require("curl_multi_notify_enable")
        self._after(lib.multi_notify(self._handle, index(notification), 1))

    def notify_disable(self, notification: int) -> None:
        """Have it called no more (curl_multi_notify_disable, libcurl 8.17)."""
        _require("curl_multi_notify_disable")
        self._after(lib.multi_notify(self._handle, index(notification), 0))

    def _pushed(self, parent: Any, curl: Any, pushed: Any, headers: list[tuple[str, str]]) -> int:
        """The pushfunction's answer; an accepted handle joins this multi."""
        easy: Easy = Easy.__new__(type(parent) if parent is not None else Easy)
        handle = ffi.new("easy *")
        if lib.easy_adopt(handle, curl, False):
            raise MemoryError
        easy._begin(handle)
        easy._insure()
        answer: int = lib.CURL_PUSH_DENY
        depth = lib.easy_depth(handle)
        try:
            lib.easy_enter(handle)
            given = self._callbacks[lib.CURLMOPT_PUSHFUNCTION](parent, easy, headers)
            if given is not None and not handle.closing:
                answer = index(given)
        finally:
            lib.easy_leave_to(handle, depth)
            if answer != lib.CURL_PUSH_OK:  # libcurl frees what was not accepted
                lib.easy_renounce(handle)
                easy._closed()
        if answer == lib.CURL_PUSH_OK:
            pushed[0] = handle
            easy._multi = self
            self._easies[easy._id] = easy
            easy._joins(self._cache)
        return answer


def _texts(name: str, value: Any) -> list[bytes]:
    """What a list option takes, by the rules of an easy's."""
    if isinstance(value, (str, bytes, bytearray, memoryview, dict)):
        raise TypeError(f"{name} takes an iterable of strings, not {type(value).__name__}")
    try:
        items = [
            item.encode("utf-8", "surrogateescape")
            if isinstance(item, str)
            else bytes(memoryview(item))
            for item in (() if value is None else value)
        ]
    except TypeError:
        raise TypeError(f"{name} takes an iterable of strings") from None
    if any(b"\0" in item for item in items):
        raise ValueError(f"{name}: a string has no NUL inside")
    return items


def _require(function: str) -> None:
    if function in absent:
        raise needs(function, absent[function])


def _option(name: str) -> int:
    """The CURLMOPT of a keyword."""
    from libcurl import constants

    members = constants.members("MOpt")
    if name != name.lower() or name.upper() not in members:
        from difflib import get_close_matches

        close = get_close_matches(name.lower(), [member.lower() for member in members], 1)
        hint = f": did you mean {close[0]!r}?" if close else ""
        raise TypeError(f"{name!r} is no option of libcurl's multi{hint}")
    return members[name.upper()]
