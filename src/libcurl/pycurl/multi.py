"""`CurlMulti`: pycurl's face of a multi handle."""

from __future__ import annotations

import warnings
from _weakref import ref
from operator import index

from libcurl._native import ffi, lib
from libcurl.engine import SLICE, Engine
from libcurl.multi_engine import MultiEngine
from libcurl.pycurl.common import (
    CurlMultiAttributes,
    dict_of_subclasses,
    error,
    integer,
    refused,
    show,
)
from libcurl.pycurl.curl import Curl
from libcurl.pycurl.names import OWNED
from libcurl.raw import absent
from libcurl.registry import interruptions, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from typing_extensions import Self

_FUNCTIONS = (
    lib.CURLMOPT_SOCKETFUNCTION,
    lib.CURLMOPT_TIMERFUNCTION,
    lib.CURLMOPT_NOTIFYFUNCTION,
    lib.CURLMOPT_PUSHFUNCTION,
)
_LISTS = (lib.CURLMOPT_PIPELINING_SITE_BL, lib.CURLMOPT_PIPELINING_SERVER_BL)
_OPTIONS = frozenset(value for name, value in OWNED["CurlMulti"].items() if name.startswith("M_"))
_YEAR = 365 * 24 * 60 * 60
_PASSED = lib.TIME_PASSED
_NO_NUMBER = lib.NO_NUMBER
_REFUSED = _NO_NUMBER >> 1  # below that is NO_NUMBER and a code
_take_in = lib.multi_take_in
_added = lib.multi_added
_unpack = ffi.unpack
_let_go = lib.multi_let_go
_finished = lib.multi_finished
_drive = lib.multi_drive
_act = lib.multi_act
_due = lib.multi_due
_wait_slice = lib.multi_wait_slice


class CurlMulti(CurlMultiAttributes, MultiEngine):
    """Many transfers at once, as pycurl has it."""

    __slots__ = ("_close_handles", "_ending")
    __module__ = "pycurl"
    __dict__ = dict_of_subclasses(set())

    _kind = "CurlMulti"

    _close_handles: bool
    _ending: bool

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Make a handle; a subclass takes arguments of its own."""
        close_handles = False
        if cls is CurlMulti:
            close_handles = bool(kwargs.pop("close_handles", False))
            if args or kwargs:
                raise TypeError("CurlMulti() takes close_handles only, by keyword")
        self = super().__new__(cls)
        self._begin()
        self._close_handles = close_handles
        self._ending = False
        return self

    def __init__(self, *, close_handles: bool = False) -> None:
        """With `close_handles`, close() closes the handles in it too."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        CurlMulti.close(self)

    def __contains__(self, curl: object) -> bool:
        if not isinstance(curl, Curl):
            raise TypeError("__contains__ expects a Curl object")
        return curl._multi is self

    # -- Life ------------------------------------------------------------------------------------

    def _check(self, method: str, *, running: bool = False) -> None:
        handle = self._handle
        if not handle.curlm:
            raise refused(lib.HANDLE_CLOSED, "multi", method)
        if not running and lib.multi_in_use(handle):
            raise refused(lib.HANDLE_PERFORMING, "multi", method)

    def close(self) -> None:
        """Take the handles out of it and close it. Idempotent."""
        if self._handle.curlm:
            self._check("close")
            self._end(self._close_handles)

    def _end(self, close_handles: bool) -> None:
        """Callbacks are told of every removal; what they raise has nowhere else to go."""
        self._ending = True
        try:
            for easy in list(self._easies.values()):
                lib.multi_remove(self._handle, easy._handle)
                self._forget(easy)
                self._report()
                if close_handles:
                    easy.close()
            code = self._close()
            self._report()
        finally:
            self._ending = False
        if code:
            self._fail(code, "close", "close failed")

    def _report(self) -> None:
        exception, self._exception = self._exception, None
        if exception is not None:
            self._handle.failed = False
            report(exception, self)

    def __del__(self) -> None:
        """Close it, at the latest now. Not while it performs."""
        try:
            handle = self._handle
        except AttributeError:
            return
        if not handle.curlm:
            return
        if lib.multi_in_use(handle):
            report(refused(lib.HANDLE_PERFORMING, "multi", "__del__"), self)
            return
        try:
            self._end(False)
        except Exception as exception:
            report(exception, self)

    # -- Callbacks -------------------------------------------------------------------------------

    def _watch(self, easy: Engine | None, fd: int, what: int, assigned: object) -> object:
        return self._callbacks[lib.CURLMOPT_SOCKETFUNCTION](what, fd, self, assigned)

    def _answer(self, value: object, none: int, name: str) -> int:
        if value is None:
            return none
        answer = integer(value, f"multi {name}")
        return -1 if answer is None else answer

    def _failed(self, exception: BaseException, where: str = "") -> None:
        if self._ending:
            report(exception, self)
        elif isinstance(exception, Exception) and where in ("socket", "timer", "notify", "push"):
            show(exception)
        else:
            super()._failed(exception)

    def _raised(self, curl: Curl, exception: BaseException) -> None:
        """A callback of this handle's: the call in progress raises it."""
        super()._failed(exception)

    def _make_error(self, code: int, message: str) -> Exception:
        return error(code, message)

    def _ended(self, code: int, method: str, message: str) -> None:
        """After a call into libcurl."""
        if code <= 0:
            self._after(0)
        if code:
            self._fail(code, method, message)

    def _fail(self, code: int, method: str, message: str) -> NoReturn:
        if code < 0:
            raise refused(code, "multi", method)
        if self._exception is not None:
            self._after(0)
        raise error(code, message)

    # -- Options ---------------------------------------------------------------------------------

    def setopt(self, option: int, value: Any) -> None:
        """Set an option; None unsets it."""
        option = index(option)
        self._check("setopt")
        if option not in _OPTIONS:
            raise TypeError("invalid arguments to setopt")
        handle = self._handle
        if option in _FUNCTIONS:
            self._set_function(option, value)
            return
        if value is None:
            if option not in _LISTS:
                raise TypeError("unsetting is not supported for this option")
            code = lib.multi_set_list(handle, option, ffi.NULL)
        elif isinstance(value, int):
            if option in _LISTS or option == getattr(lib, "CURLMOPT_SOCKETDATA", -1):
                raise TypeError("integers are not supported for this option")
            code = lib.multi_set_number(handle, option, value)
        elif isinstance(value, (list, tuple)):
            if option not in _LISTS:
                raise TypeError("lists/tuples are not supported for this option")
            strings = []
            for item in value:
                if not isinstance(item, (str, bytes)):
                    raise error("list/tuple items must be strings")
                data = item.encode("ascii") if isinstance(item, str) else item
                if b"\0" in data:
                    raise ValueError("embedded null byte")
                strings.append(ffi.new("char[]", data))
            code = lib.multi_set_list(handle, option, [*strings, ffi.NULL])
        elif callable(value):
            raise TypeError("callables are not supported for this option")
        else:
            raise TypeError("invalid arguments to setopt")
        if code:
            self._fail(code, "setopt", ffi.string(lib.curl_multi_strerror(code)).decode())

    def _set_function(self, option: int, value: Any) -> None:
        if value is not None and not callable(value):
            kinds = {int: "integers", list: "lists/tuples", tuple: "lists/tuples"}
            kind = kinds.get(type(value))
            raise TypeError(
                f"{kind} are not supported for this option"
                if kind
                else "invalid arguments to setopt"
            )
        code = lib.multi_set_callback(self._handle, option, value is not None)
        if code:
            self._fail(code, "setopt", ffi.string(lib.curl_multi_strerror(code)).decode())
        if value is None:
            self._callbacks.pop(option, None)
        else:
            self._callbacks[option] = value

    # -- Handles ---------------------------------------------------------------------------------

    def _check_handle(self, curl: Any, method: str) -> None:
        if not isinstance(curl, Curl):
            raise TypeError(f"{method}() argument 1 must be pycurl.Curl, not {type(curl).__name__}")
        handle = self._handle
        if not handle.curlm:
            raise error("cannot add/remove handle - multi-stack is closed")
        if lib.multi_in_use(handle):
            raise error("cannot add/remove handle - multi_perform() already running")
        if curl._handle.performing:
            raise error("cannot add/remove handle - perform() of curl object already running")
        if curl._multi is not None and curl._multi is not self:
            raise error("cannot add/remove handle - curl object already on another multi-stack")

    def add_handle(self, curl: Curl) -> None:
        """Add a handle, which is kept alive."""
        found = _NO_NUMBER
        try:
            if isinstance(curl, Curl):
                # Whoever drives must know it as soon as C does, whatever interrupts this.
                self._easies[curl._handle.id] = curl
                found = _take_in(self._handle, curl._handle)
            if found < _REFUSED:
                self._not_added(curl, found - _NO_NUMBER)
            if not curl._handle.registered:
                curl._register()
            curl._joined = ref(self)
        except BaseException:
            self._interrupted(curl)
            raise
        if curl._cache is not None:
            self._moved_in(curl)
        _added(self._handle)
        if found < 0 or interruptions:
            self._after(0)

    def _interrupted(self, curl: object) -> None:
        """While it was added or removed: it is in here if it is as far as C is concerned."""
        if isinstance(curl, Curl):
            if curl._handle.joined == self._handle:
                curl._register()
                curl._joined = ref(self)
            else:
                self._easies.pop(curl._handle.id, None)
                if curl._multi is self:
                    curl._joined = None

    def _not_added(self, curl: Curl, code: int) -> None:
        """C has refused it: why, unless an interrupt has kept Python from noting that C has it already."""
        there = isinstance(curl, Curl) and curl._handle.joined == self._handle
        self._check_handle(curl, "add_handle")
        if curl.closed:
            raise error("curl object already closed")
        if curl._multi is self:
            raise error("curl object already on this multi-stack")
        if not there:
            self._ended(code, "add_handle", "curl_multi_add_handle() failed due to internal errors")

    def remove_handle(self, curl: Curl) -> None:
        """Take a handle out."""
        found = _NO_NUMBER
        try:
            if isinstance(curl, Curl):
                found = _let_go(self._handle, curl._handle)
            if found < _REFUSED and not self._not_removed(curl, found - _NO_NUMBER):
                return
            self._easies.pop(curl._handle.id, None)
            curl._joined = None
        except BaseException:
            self._interrupted(curl)
            raise
        if curl._cause is not None:  # nobody has asked for it
            curl._cause = None
        if self._done:  # nor for that
            self._done = [result for result in self._done if result[0] is not curl]
        if found < 0 or interruptions or self._cache.released:
            self._after(0)

    def _not_removed(self, curl: Curl, code: int) -> bool:
        """C has refused it: why, unless there is nothing to remove, or only what was noted of it."""
        self._check_handle(curl, "remove_handle")
        if curl.closed:
            return False
        if curl._multi is not self:
            raise error("curl object not on this multi-stack")
        if not curl._handle.joined:
            self._forget(curl)
        if code != lib.CURLM_BAD_EASY_HANDLE:
            problem = "curl_multi_remove_handle() failed due to internal errors"
            self._ended(code, "remove_handle", problem)
        return True

    def info_read(
        self, max_objects: int = (1 << 31) - 1
    ) -> tuple[int, list[Curl], list[tuple[Curl, int, str]]]:
        """(left, [those that succeeded], [(curl, code, message) of those that failed])."""
        if index(max_objects) <= 0:
            raise error("argument to info_read must be greater than zero")
        count = _finished(self._handle)
        if count:
            self._take_results(count)
        if not self._done:
            return 0, [], []
        joined = ref(self)
        easies: list[tuple[Any, Any]] = [*self._done]
        done = [
            (curl, failure)
            for curl, failure in easies
            if curl._joined is joined or curl._multi is self
        ]
        now, self._done = done[:max_objects], done[max_objects:]
        failed = []
        for curl, failure in now:
            if failure is not None:
                if not isinstance(failure, error):
                    raise failure
                failed.append((curl, *failure.args))
        return len(self._done), [curl for curl, failure in now if failure is None], failed

    def _take_results(self, count: int) -> None:
        """What C has, into `_done`."""
        handle = self._handle
        if count < 0:
            self._fail(count - _NO_NUMBER, "info_read", "info_read failed")
        results = iter(_unpack(handle.results, 3 * count))
        lib.multi_results_taken(handle)
        for number, code, _ in zip(results, results, results, strict=True):
            curl = self._easies.get(number)
            if curl is None:
                continue  # removed since
            if code or curl._exception is not None or curl._share is not None:
                self._finished(curl, code)
            else:
                self._done.append((curl, None))

    # -- Driving ---------------------------------------------------------------------------------

    def perform(self) -> tuple[int, int]:
        """Do what is ready: (0, number of transfers that still run)."""
        running = _drive(self._handle)
        if running < 0 or interruptions or self._cache.released:
            return 0, self._driven(running, "perform", "perform failed")
        return 0, running

    def socket_action(self, fd: int, event_bitmask: int) -> tuple[int, int]:
        """Tell libcurl what happened to a descriptor, or that its timer is due."""
        if not -1 <= fd < 1 << 31:
            _check_socket(fd)
        running = _act(self._handle, fd, event_bitmask)
        if running < 0 or interruptions or self._cache.released:
            return 0, self._driven(running, "socket_action", "multi_socket_action failed")
        return 0, running

    def _driven(self, found: int, method: str, message: str) -> int:
        """After a call into libcurl that has answered less than 0, or has left something to do."""
        self._ended(found - _NO_NUMBER if found < _REFUSED else 0, method, message)
        return found if found >= 0 else -1 - found

    def socket_all(self) -> tuple[int, int]:
        """Deprecated: use socket_action."""
        warnings.warn("socket_all is deprecated; use socket_action", DeprecationWarning, 2)
        self._check("socket_all")
        handle = self._handle
        running = ffi.new("int *")
        code = lib.multi_enter(handle)
        if not code:
            try:
                handle.drives += 1
                code = lib.curl_multi_socket_all(handle.curlm, running)
            finally:
                lib.multi_leave(handle)
        self._ended(code, "socket_all", "perform failed")
        return 0, running[0]

    def fdset(self) -> tuple[list[int], list[int], list[int]]:
        """Descriptors to select for: read, write, exception."""
        self._check("fdset")
        found = ffi.new("int[]", 2 * 3 * 1024)
        count = ffi.new("int *")
        code = lib.multi_fdset(self._handle, found, len(found), count)
        self._ended(code, "fdset", "curl_multi_fdset() failed due to internal errors")
        sets: tuple[list[int], list[int], list[int]] = ([], [], [])
        for position in range(0, count[0], 2):
            sets[found[position]].append(found[position + 1])
        return sets

    def timeout(self) -> int:
        """Milliseconds until libcurl wants to be driven; -1 for no such time."""
        milliseconds: int = _due(self._handle)
        if milliseconds < -1:
            self._fail(milliseconds - _NO_NUMBER, "timeout", "timeout failed")
        return milliseconds

    def select(self, timeout: float) -> int:
        """Wait for a descriptor to become ready; how many are. Their number has no limit."""
        if isinstance(timeout, str):
            raise TypeError("must be real number, not str")
        seconds = float(timeout)
        if not 0 <= seconds < _YEAR:
            self._check("select")
            raise OverflowError("invalid timeout period")
        return self._wait(seconds, "select", False)

    def poll(self, timeout: float) -> int:
        """As select, but waits where there is no descriptor too; `wakeup` ends it. Not in pycurl."""
        seconds = float(timeout)
        return self._wait(max(0.0, min(seconds, _YEAR)), "poll", True)

    def wakeup(self) -> None:
        """End a poll, from any thread. Not in pycurl."""
        code = lib.multi_wakeup(self._handle)
        if code:
            self._fail(code, "wakeup", "wakeup failed")

    def _wait(self, seconds: float, method: str, polls: bool) -> int:
        """In slices, because signals are heard in between."""
        left = round(seconds * 1000)
        while True:
            ready: int = _wait_slice(self._handle, min(left, SLICE), polls)
            left -= SLICE
            if ready < 0 or interruptions or self._cache.released:
                ready = self._driven(ready, method, "multi_wait failed")
            if ready != _PASSED:
                return ready
            if left <= 0:
                return 0

    def assign(self, sockfd: int, object: Any) -> None:
        """Let the socket callback be given `object` for this descriptor; None takes it back."""
        if object is None:
            self._unassign(sockfd, "assign")
            return
        _check_socket(sockfd)
        self._check("assign", running=True)
        code = lib.multi_assign(self._handle, sockfd, 1)
        if code:
            self._fail(code, "assign", "assign failed")
        self._assigned[sockfd] = object

    def unassign(self, sockfd: int) -> None:
        """Take back what was assigned."""
        self._unassign(sockfd, "unassign")

    def _unassign(self, sockfd: int, method: str) -> None:
        _check_socket(sockfd)
        self._check(method, running=True)
        code = lib.multi_assign(self._handle, sockfd, 0)
        if code:
            self._fail(code, method, f"{method} failed")
        self._assigned.pop(sockfd, None)

    if "curl_multi_notify_enable" not in absent:

        def notify_enable(self, *notifications: int) -> None:
            """Have the notify callback called for these."""
            self._notify("notify_enable", notifications, 1)

        def notify_disable(self, *notifications: int) -> None:
            """Have it called no more."""
            self._notify("notify_disable", notifications, 0)

    def _notify(self, method: str, notifications: tuple[int, ...], enable: int) -> None:
        self._check(method)
        if not notifications:
            raise TypeError(f"{method} requires at least one notification")
        for notification in notifications:
            if not 0 <= index(notification) < 1 << 32:
                raise OverflowError(f"{method} notification value out of range")
            code = lib.multi_notify(self._handle, notification, enable)
            if code:
                self._fail(code, method, f"{method} failed")


def _check_socket(fd: int) -> None:
    if not -1 <= index(fd) < 1 << 31:
        raise OverflowError("socket value is out of range")
