"""`Curl`: pycurl's face of an easy handle."""

from __future__ import annotations

import sys
from _weakref import ref

from libcurl._native import ffi, lib
from libcurl.engine import Engine, initialize
from libcurl.memory import EASY, allocator
from libcurl.pycurl.common import (
    CurlAttributes,
    attributes_of,
    dict_of_subclasses,
    error,
    refused,
    show,
)
from libcurl.pycurl.connection import ConnectionMethods
from libcurl.pycurl.converters import answer
from libcurl.pycurl.infos import InfoMethods
from libcurl.pycurl.options import OptionMethods
from libcurl.pycurl.transfers import TransferMethods
from libcurl.pycurl.version import VERSION
from libcurl.pycurl.websocket import WebSocketMethods
from libcurl.registry import find, leave, report
from libcurl.settings import Settings
from libcurl.special import SLOTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from typing_extensions import Self

    from libcurl.options import Option
    from libcurl.pycurl.multi import CurlMulti
    from libcurl.pycurl.share import CurlShare

lib.easy_classic_agent(VERSION.encode())

_depth = lib.easy_depth
_leave_to = lib.easy_leave_to
_reset = lib.easy_reset
_new = allocator(lib.easy_classic, lib.easy_free)
_renew = lib.easy_renew
_make = object.__new__
_end = lib.easy_close_alone
_REGISTERED = lib.HANDLE_REGISTERED
_idle = lib.easy_idle
# Slots of the engine's, set without the detour of a class that has a __delattr__.
_hold = Settings.__dict__["_handle"].__set__
_hold_cache = Engine.__dict__["_cache"].__set__

#: C's parts of some that are gone, for the next: to make one costs more than to set all its options.
_spare: list[tuple[Any]] = []
_SPARE_MOST = 8
#: What one has that is gone: a finalizer of somebody else's may save it from the collector.
_GONE = ffi.new(EASY)
_GONE.classic = True
#: PyPy counts none, so nothing is spare there.
_references: Callable[[object], int] = getattr(sys, "getrefcount", lambda _: 0)

# Callbacks whose exceptions perform() raises as they are; others are shown, and cause an `error`.
_RAISED = ("sockopt", "sshkey", "sshhostkey", "prereq", "fnmatch", "closesocket")

#: Attributes that are not the user's.
_OWN = {*Engine.__slots__, *Settings.__slots__, "_cause", "_joined", "_message", "_values"}


def _make_handle() -> Any:
    try:
        return _new(EASY)
    except MemoryError:
        initialize()
        raise error("initializing curl failed") from None


class Curl(
    InfoMethods,
    OptionMethods,  # early: CPython looks through the bases for whose the slots are
    TransferMethods,
    ConnectionMethods,
    WebSocketMethods,
    CurlAttributes,
):
    """A transfer, as pycurl has it."""

    __slots__ = SLOTS
    __module__ = "pycurl"
    __dict__ = dict_of_subclasses(_OWN)

    _kind = "Curl"

    # Until it is set, an attribute is the class's: a handle that is made and closed sets hardly any.
    # (What holds closers is not among them: it has to go before the handle does.)
    _body = _exception = _kept = _lent = _memo = _share = _sockets = None
    _callbacks: tuple[Option, ...] = ()
    #: Its memory ends it, from the beginning.
    _end = True
    #: What a callback has raised that was only shown.
    _cause: BaseException | None = None
    #: What errstr() tells when the error buffer has been read, and of which transfer.
    _message = "", 0
    _values: dict[Option, Any] | None = None
    #: A weak reference to its multi.
    _joined: Any = None

    if TYPE_CHECKING:

        def __init__(self) -> None: ...

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Make a handle; a subclass takes arguments of its own."""
        if cls is Curl and (args or kwargs):
            raise TypeError("Curl() takes no arguments")
        try:
            (handle,) = _spare.pop()
        except IndexError:
            handle = _make_handle()
        else:
            _renew(handle)
        made: Self = _make(cls)
        _hold(made, handle)
        _hold_cache(made, None)
        return made

    @property
    def _multi(self) -> Any:
        """The multi that it is in: kept alive by others only."""
        joined = self._joined
        multi = joined and joined()
        if multi is None and joined is not None and self._handle.joined:
            return find(self._handle.joined.id)  # where a cycle is collected
        return multi

    @_multi.setter
    def _multi(self, multi: Any) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._joined = None if multi is None else ref(multi)

    @property
    def _id(self) -> int:  # type: ignore[override]
        number: int = self._handle.id
        return number

    def _register(self) -> None:
        # First what has close() look for more, or an interrupt between the two would leave an entry for ever.
        self._handle.registered = True
        super()._register()

    def _set_share(self, option: Option, share: Any) -> None:
        if self._handle.joined:
            raise error("SHARE cannot be changed while the handle is in a CurlMulti")
        super()._set_share(option, share)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        Curl.close(self)  # as pycurl: not a subclass's

    # -- Life ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the handle and its connections. Idempotent."""
        handle = self._handle
        code = _end(handle)
        if not code:
            return
        if code == _REGISTERED:
            code = handle.curl and _idle(handle)
        if code and code != lib.HANDLE_FORKED:
            raise refused(code, "curl", "close")
        for exception in self._close():
            if not isinstance(exception, Exception):
                raise exception
            report(exception, self)

    def __del__(self) -> None:
        """Close it, at the latest now. Not while it performs."""
        try:
            handle = self._handle
            code = _end(handle)
            if not code:
                _hold(self, _GONE)
                # Another thread may be about to use it, which somebody's explicit call has not waited for.
                # Of an item there is the tuple's reference, and that of who asks; how a variable's is
                # counted depends on the Python.
                held = (handle,)
                del handle
                if _references(held[0]) == 2 and len(_spare) < _SPARE_MOST:
                    _spare.append(held)
                return
            if code == _REGISTERED:
                if not handle.curl:
                    return
                code = _idle(handle)
                if not code or code == lib.HANDLE_FORKED:
                    super().__del__()
                    return
            report(refused(code, "curl", "__del__"), self)
        except (AttributeError, TypeError):
            pass  # a constructor that failed, or an interpreter that is gone

    def duphandle(self) -> Self:
        """A new handle with the same options, callables and attributes."""
        depth = _depth(self._handle)
        try:
            code = lib.easy_enter_again(self._handle)  # until the twin has pointers of its own
            if code:
                self._refuse(code, "duphandle")
            if self._handle.dropping:  # and not as it was any more
                self._refuse(lib.HANDLE_CLOSED, "duphandle")
            twin = Curl.__new__(type(self))
            if lib.easy_duplicate(self._handle, twin._handle):
                raise MemoryError("curl_easy_duphandle failed")
            self._copy_to(twin)
        finally:
            _leave_to(self._handle, depth)
        attributes = dict(attributes_of(self))  # as they are now, whoever changes them meanwhile
        attributes_of(twin).update({k: v for k, v in attributes.items() if k not in _OWN})
        return twin

    def reset(self) -> None:
        """All options back to the defaults. Connections, cookies and the share stay."""
        if self._handle.registered or _reset(self._handle):
            self._check("reset")
            self._reset()

    def _let_go(self) -> None:
        if self._callbacks:
            self._forget_callbacks()
        self._kept = self._values = None
        if self._closer is not None or self._share is not None:
            super()._let_go()

    def _attend(self) -> None:
        self._register()
        super()._attend()

    def _check(self, method: str = "setopt") -> None:
        """Whether the handle can be used: open, not performing, in no other thread."""
        code = _idle(self._handle)
        if code:
            self._refuse(code, method)

    def _enter(self) -> None:
        code = lib.easy_enter(self._handle)
        if code:
            self._refuse(code, "setopt")

    def _look_inside(self) -> None:
        """As `_enter`, but also while it performs."""
        code = lib.easy_enter_again(self._handle)
        if code:
            self._refuse(code, "setopt")

    def _refusal(self, code: int) -> Exception:
        return refused(code, "curl")

    def _refuse(self, code: int, method: str) -> NoReturn:
        raise refused(code, "curl", method)

    # -- Exceptions ------------------------------------------------------------------------------

    def _failed(self, exception: BaseException, where: str = "") -> None:
        handle = self._handle
        multi = self._multi
        if handle.closing or (handle.joined and (multi is None or multi._ending)):
            leave(exception, self)
        elif isinstance(exception, Exception) and where not in _RAISED:
            if where != "debug":  # of which libcurl takes no notice
                self._cause = exception
            show(exception)
        elif multi is not None:
            multi._raised(self, exception)
        else:
            super()._failed(exception)

    def _closer_failed(self, exception: BaseException) -> bool:
        handle = self._handle
        multi = self._multi
        if handle.closing or not (handle.performing or (multi and multi._handle.inside.depth)):
            return False
        self._failed(exception, "closesocket")
        return True

    def _answer(self, value: object, none: int, name: str) -> int:
        return answer(value, none, name)

    def _make_error(self, code: int, message: str, errno: int) -> Exception:
        if not message and code == lib.CURLE_FAILED_INIT and self._handle.joined:
            message = "easy handle already used in multi handle"  # libcurl's, which was not asked
        self._message = message, self._handle.transfers
        if not message:
            message = ffi.string(lib.curl_easy_strerror(code)).decode()
        made = error(code, message)
        made.__cause__, self._cause = self._cause, None
        return made

    def _too_late(self, reason: str) -> Exception:
        return error(reason)

    def _option_error(self, code: int, option: Option, value: object) -> Exception:
        if code < 0:
            return refused(code, "curl", "setopt")
        reason = ffi.string(lib.curl_easy_strerror(code)).decode()
        return error(code, f"setopt({option.name.upper()}): {reason}")

    # -- Company ---------------------------------------------------------------------------------

    def multi(self) -> CurlMulti | None:
        """The CurlMulti that it is in, or None."""
        return self._multi  # type: ignore[no-any-return]

    def share(self) -> CurlShare | None:
        """The CurlShare that it uses, or None."""
        return self._share  # pyright: ignore[reportReturnType]


# What TypeErrors call its methods, wherever these are written down.
for _mixin in (TransferMethods, InfoMethods, ConnectionMethods, WebSocketMethods, OptionMethods):
    for _method in vars(_mixin).values():
        if isinstance(_method, type(Curl.close)):
            _method.__qualname__ = f"Curl.{_method.__name__}"
