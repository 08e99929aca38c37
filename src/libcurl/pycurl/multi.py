"""`CurlMulti`: pycurl's face of a multi handle."""

from __future__ import annotations

import warnings
from _weakref import ref
from operator import index
from time import monotonic

from libcurl._native import ffi, lib
from libcurl.callbacks import handles, report
from libcurl.engine import SLICE, Engine
from libcurl.multi_engine import MultiEngine, hold, let_go
from libcurl.pycurl.common import CurlMultiAttributes, error, integer, no_dict, refused, show
from libcurl.pycurl.curl import Curl
from libcurl.pycurl.names import OWNED
from libcurl.raw import absent

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


class CurlMulti(CurlMultiAttributes, MultiEngine):
    """Many transfers at once, as pycurl has it."""

    __slots__ = ("_close_handles", "_ending")
    __module__ = "pycurl"
    __dict__ = no_dict

    _constants = OWNED["CurlMulti"]
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
        if handle.inside.depth and not running:
            raise refused(lib.HANDLE_PERFORMING, "multi", method)

    def close(self) -> None:
        """Take the handles out of it and close it. Idempotent."""
        if self._handle.curlm:
            self._check("close")
            self._end(self._close_handles)

    def _end(self, close_handles: bool) -> None:
        """Callbacks are told of every removal; what they raise has nowhere else to go."""
        self._ending = True
        number = self._handle.id
        handles[number] = lambda: self  # also where a cycle is collected
        easies = list(self._easies.values())
        hold(easies)
        try:
            for easy in easies:
                lib.multi_remove(self._handle, easy._handle)
                self._forget(easy)
                self._report()
                if close_handles:
                    easy.close()
            code = self._close()
            self._report()
        finally:
            let_go(easies)
            self._ending = False
            if number in handles:
                handles[number] = ref(self)
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
        if handle.inside.depth:
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
        if handle.inside.depth:
            raise error("cannot add/remove handle - multi_perform() already running")
        if curl._handle.performing:
            raise error("cannot add/remove handle - perform() of curl object already running")
        if curl._multi is not None and curl._multi is not self:
            raise error("cannot add/remove handle - curl object already on another multi-stack")

    def add_handle(self, curl: Curl) -> None:
        """Add a handle, which is kept alive."""
        self._check_handle(curl, "add_handle")
        if curl.closed:
            raise error("curl object already closed")
        if curl._multi is self:
            raise error("curl object already on this multi-stack")
        try:
            self._join(curl)
        except error as failure:
            if failure.code is None:
                raise
            message = "curl_multi_add_handle() failed due to internal errors"
            raise error(failure.code, message) from None

    def remove_handle(self, curl: Curl) -> None:
        """Take a handle out."""
        self._check_handle(curl, "remove_handle")
        if curl.closed:
            return
        if curl._multi is not self:
            raise error("curl object not on this multi-stack")
        code = lib.multi_remove(self._handle, curl._handle)
        if curl._handle.joined == ffi.NULL:
            self._forget(curl)
        self._ended(
            code, "remove_handle", "curl_multi_remove_handle() failed due to internal errors"
        )

    def info_read(
        self, max_objects: int = (1 << 31) - 1
    ) -> tuple[int, list[Curl], list[tuple[Curl, int, str]]]:
        """(left, [those that succeeded], [(curl, code, message) of those that failed])."""
        if index(max_objects) <= 0:
            raise error("argument to info_read must be greater than zero")
        self._check("info_read", running=True)
        self._read_messages()
        done: list[tuple[Any, Any]] = [
            (curl, failure) for curl, failure in self._done if curl._multi is self
        ]
        now, self._done = done[:max_objects], done[max_objects:]
        failed = []
        for curl, failure in now:
            if failure is not None:
                if not isinstance(failure, error):
                    raise failure
                failed.append((curl, *failure.args))
        return len(self._done), [curl for curl, failure in now if failure is None], failed

    # -- Driving ---------------------------------------------------------------------------------

    def perform(self) -> tuple[int, int]:
        """Do what is ready: (0, number of transfers that still run)."""
        self._check("perform")
        running = ffi.new("int *")
        self._ended(lib.multi_perform(self._handle, running), "perform", "perform failed")
        return 0, running[0]

    def socket_action(self, fd: int, event_bitmask: int) -> tuple[int, int]:
        """Tell libcurl what happened to a descriptor, or that its timer is due."""
        _check_socket(fd)
        self._check("socket_action")
        running = ffi.new("int *")
        code = lib.multi_socket_action(self._handle, fd, index(event_bitmask), running)
        self._ended(code, "socket_action", "multi_socket_action failed")
        return 0, running[0]

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
        self._check("timeout")
        milliseconds = ffi.new("long *")
        self._ended(lib.multi_timeout(self._handle, milliseconds), "timeout", "timeout failed")
        return int(milliseconds[0])

    def select(self, timeout: float) -> int:
        """Wait for a descriptor to become ready; how many are. Their number has no limit."""
        seconds = float(timeout)
        self._check("select")
        if not 0 <= seconds < _YEAR:
            raise OverflowError("invalid timeout period")
        return self._wait(lib.multi_wait, seconds)

    def poll(self, timeout: float) -> int:
        """As select, but waits where there is no descriptor too; `wakeup` ends it. Not in pycurl."""
        self._check("poll")
        return self._wait(lib.multi_poll, float(timeout))

    def wakeup(self) -> None:
        """End a poll, from any thread. Not in pycurl."""
        code = lib.multi_wakeup(self._handle)
        if code:
            self._fail(code, "wakeup", "wakeup failed")

    def _wait(self, wait: Any, seconds: float) -> int:
        """In slices, because signals are heard in between."""
        ready = ffi.new("int *")
        until = monotonic() + seconds
        while True:
            begin = monotonic()
            slice_ms = max(0, min(SLICE, round((until - begin) * 1000)))
            code = wait(self._handle, ffi.NULL, 0, slice_ms, ready)
            self._ended(code, "select", "multi_wait failed")
            end = monotonic()
            early = (end - begin) * 1000 < slice_ms - 1
            if ready[0] or end >= until or early or self._handle.woken:
                self._handle.woken = False
                return int(ready[0])

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
