"""What is set on an easy handle: options, callables and objects, and how they are unset again.

A part of the `Engine`, which is the only class derived from this one.
"""

from __future__ import annotations

from _io import BytesIO
from _operator import itemgetter

from libcurl import raw
from libcurl._native import ffi, lib
from libcurl.options import BLOB, LIST, METHODS, NUMBER, SPECIAL, TEXT, VALUES, Option, by_name
from libcurl.registry import REFUSALS, refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from libcurl.connections import Closer, ConnectionCache
    from libcurl.engine import Engine
    from libcurl.sockets.binding import Binding

    # How many options were set, what gets their values from keywords, these, where the numbers among
    # them are, what takes nothing else, and all by option for `_settings`. -1 and the keywords: C has
    # made no plan of them yet.
    Memo = tuple[Any, ...]

_reset = lib.easy_reset
_set_many = lib.easy_set_many
_REPLACED = 0  # no option's number


#: Settings of a handle that has none: ten thousand idle handles need not each have a dict.
NOTHING: dict[Option, Any] = type(type.__dict__)({})  # type: ignore[assignment]


class Settings:
    """Options of a handle, as Python values, for unset and duphandle to set them again."""

    __slots__ = (
        "_body",
        "_callbacks",
        "_end",
        "_handle",
        "_kept",
        "_memo",
        "_settings",
        "_sockets",
    )

    #: What the face calls such a handle in its messages.
    _kind = "Easy handle"
    #: How the face sets options that take a callback or an object, by name; None before the first one.
    _special: dict[str, Callable[[Any, Option, Any], None]] | None = None

    #: Memory for as long as this object can be reached, by finalizers too; what C frees in it is freed
    #: by _close, and where that never happens by _end, once it is insured.
    _handle: Any
    _end: Any
    _body: bytes | None
    _cache: ConnectionCache | None
    #: The options whose callables are set.
    _callbacks: tuple[Option, ...]
    #: Hook: what holds the callables (the handle itself, in a face that needs that).
    _functions: Any
    #: What libcurl points to, by option; what was replaced in a transfer, until it ends.
    _kept: dict[int, Any] | None
    _memo: Memo | None
    _settings: dict[Option, Any]
    _sockets: Binding | None

    if TYPE_CHECKING:

        def _amid_transfer(self) -> bool: ...

        def _attend(self) -> None: ...

        def _enter(self) -> None: ...

        def _error(self, code: int) -> Exception: ...

        def _in_transfer(self) -> bool: ...

        def _make_error(self, code: int, message: str, errno: int) -> Exception: ...

        def _register(self) -> None: ...

        def _too_late(self, reason: str) -> Exception: ...

        @property
        def closed(self) -> bool: ...

    @property
    def _closer(self) -> Closer | None:
        """The closer that is set; whoever had one has a cache."""
        cache = self._cache
        return None if cache is None else cache.current

    @_closer.setter
    def _closer(self, closer: Closer | None) -> None:
        cache = self._cache  # which another thread may take away
        if cache is not None:
            cache.current = closer

    # -- Options ---------------------------------------------------------------------------------

    def _set_many(
        self, options: dict[str, Any]
    ) -> tuple[list[int], bytes, dict[Option, Any]] | None:
        """Set options by name, in order; those that C can take together go in one call.

        Returns what C can make a plan of, where all of it is values that last.
        """
        batch: list[tuple[Option, Any]] = []
        settings: list[int] = []
        texts: list[bytes] = []
        size = 0
        unset: list[Option] = []
        if not options and self.closed:
            raise self._refusal(lib.HANDLE_CLOSED)
        for name, value in options.items():
            option = by_name[name]
            if value is None:
                unset.append(option)
            elif option.kind == NUMBER:
                settings += (option.id, option.number(value))
                batch.append((option, value))
            elif option.kind == TEXT:
                text = option.text(value)
                settings += (option.id, size)
                texts.append(text + b"\0")
                size += len(text) + 1
                batch.append((option, text))
            else:
                if batch:
                    self._set_batch(batch, settings, b"".join(texts))
                    batch, settings, texts, size = [], [], [], 0
                self._set(option, value)
        if batch:
            self._set_batch(batch, settings, b"".join(texts))
        if unset:
            self._unset(unset)
        if (
            options.keys() <= VALUES
            and len(batch) == len(options)
            and all(map(_lasts, options.values()))
        ):
            return settings, b"".join(texts), dict(batch)
        return None

    def _set_anew(self, options: dict[str, Any]) -> None:
        """Set options, and see whether they are the same as the last time."""
        memo, self._memo = self._memo, None
        plan = self._set_many(options)
        if plan is None:
            return
        if not options or memo is None or memo[0] >= 0 or memo[1] != options:
            self._memo = (-1, options, None, None, None, None)
            return
        numbers, texts, settings = plan
        if not lib.easy_plan(self._handle, numbers, len(settings), texts, len(texts)):
            names = sorted(options, key=lambda name: by_name[name].kind == NUMBER)
            numbers_from = 1 + sum(by_name[name].kind == TEXT for name in names)
            from math import gcd  # which takes integers and nothing else

            getter = itemgetter(names[0], *names)  # a tuple of one, too
            self._memo = (
                len(options),
                getter,
                getter(options),
                slice(numbers_from, None),
                gcd,
                settings,
            )

    def _set_batch(
        self, batch: list[tuple[Option, Any]], settings: list[int], texts: bytes
    ) -> None:
        if self._sockets is not None:
            for option, _ in batch:
                self._sockets.guard(self, option)
        code = _set_many(self._handle, settings, len(batch), texts)
        done = len(batch)
        if code:
            done, code = divmod(code, lib.SET_BEFORE) if code > 0 else (0, code)
        for option, value in batch[:done]:
            self._remember(option, value)
        if code:
            failed, value = batch[done]
            raise self._option_error(code, failed, value)

    def _set(self, option: Option, value: Any) -> None:
        """Set one option, whatever its kind; None unsets."""
        if value is None:
            self._unset([option])
            return
        if self._sockets is not None:
            self._sockets.guard(self, option)
        handle = self._handle
        kind = option.kind
        if kind == NUMBER:
            code = lib.easy_set_number(handle, option.id, option.number(value))
        elif kind == TEXT:
            value = option.text(value)
            code = lib.easy_set_text(handle, option.id, value)
        elif kind == LIST:
            value = option.texts(value)
            items = b"".join([text + b"\0" for text in value])
            code = lib.easy_set_list(handle, option.id, items, len(items))
        elif kind == BLOB:
            try:
                value = bytes(memoryview(value))
            except TypeError:
                raise option.refused(value, "a bytes-like object") from None
            code = lib.easy_set_blob(handle, option.id, ffi.from_buffer(value), len(value))
        else:
            self._set_special(option, value)
            return
        if code:
            raise self._option_error(code, option, value)
        self._remember(option, value)

    def _remember(self, option: Option, value: Any) -> None:
        """Note what is set, in the order of setting: the last one decides the method of a request."""
        settings = self._own_settings()
        settings.pop(option, None)
        settings[option] = value

    def _own_settings(self) -> dict[Option, Any]:
        """The settings, to be changed: not those of all handles without, nor those of the plan."""
        settings = self._settings
        if settings is NOTHING or (self._memo and settings is self._memo[-1]):
            settings = self._settings = dict(settings)
        return settings

    def _no_settings(self) -> dict[Option, Any]:
        """Hook: the settings of a handle that has none."""
        return NOTHING

    def _unremember(self, option: Option) -> None:
        """Note that it is not set any more."""
        if option in self._settings:
            self._own_settings().pop(option, None)  # another thread may be faster

    def _set_special(self, option: Option, value: Any) -> None:
        """Set or unset an option that takes a callback or an object."""
        special = self._special
        if special is None:
            special = self._load_special()
        setter = special.get(option.name)
        if setter is None:
            raise TypeError(
                f"CURLOPT_{option.name.upper()} is not for Python: "
                "use a closure, or libcurl.raw which has it"
            )
        setter(self, option, value)

    def _load_special(self) -> dict[str, Callable[[Any, Option, Any], None]]:
        """Hook: make `_special`."""
        raise NotImplementedError

    def _refusal(self, code: int) -> Exception:
        """Hook: the face's exception where a shim does not enter libcurl."""
        return refusal(code, self._kind)

    def _option_error(self, code: int, option: Option, value: object) -> Exception:
        """The exception for an option that libcurl refuses. Values may be secrets: numbers are told."""
        name = f"CURLOPT_{option.name.upper()}"
        if code in REFUSALS:
            return self._refusal(code)
        if code in (lib.CURLE_UNKNOWN_OPTION, lib.CURLE_NOT_BUILT_IN):
            from libcurl.errors import NotSupported

            return NotSupported(code, f"{name} is not built into this libcurl {raw.LOADED_TEXT}")
        reason = ffi.string(lib.curl_easy_strerror(code)).decode()
        shown = value if option.kind == NUMBER else "this value"
        return self._make_error(code, f"{name} refuses {shown}: {reason}", 0)

    def _unset(self, options: list[Option]) -> None:
        """Back to libcurl's defaults, of which there is no table.

        A callback, list or object is unset by NULL. For the rest, curl_easy_reset and setting again what
        else is set; connections, cookies and sessions survive that.
        """
        left = False
        for option in options:
            if option.kind == SPECIAL:
                self._set_special(option, None)
            elif option.kind == LIST:
                code = lib.easy_set_list(self._handle, option.id, b"", 0)
                if code:
                    raise self._option_error(code, option, None)
                self._unremember(option)
            elif option in self._settings:
                left = True
        if not left:
            if self.closed:
                raise self._refusal(lib.HANDLE_CLOSED)
            return
        self._set_again_without(options)

    def _set_again_without(self, options: list[Option]) -> None:
        """Unset options by a reset, after which the others are set again."""
        depth = lib.easy_depth(self._handle)
        try:
            self._enter()
            if self._amid_transfer():
                names = ", ".join(f"CURLOPT_{option.name.upper()}" for option in options)
                raise self._too_late(f"{names} cannot be unset during a transfer")
            keep = {
                option: value
                for option, value in self._settings.items()
                if option not in options and option.id != lib.CURLOPT_COOKIELIST
            }
            if self._sockets is not None:
                self._sockets.doubt()
            try:
                self._reset_options()
                for option in options:
                    self._keep(option.id, None)
                self._restore(keep)
            except BaseException:  # of a signal handler's: the others are not to go with it
                self._restore(keep)
                raise
        finally:
            lib.easy_leave_to(self._handle, depth)

    def _copy_to(self, twin: Engine) -> None:
        """Everything of Python's that a duplicate by libcurl lacks."""
        twin._settings = dict(self._settings)
        for option, value in self._settings.items():
            # Those that decide the method are set again among the bodies that do, in their order.
            if option.kind == SPECIAL or option.id in METHODS:
                twin._set(option, self._for_twin(option, value))
        if self._sockets is not None:
            self._sockets.copy_to(twin)
        for option in self._callbacks:
            if option not in twin._callbacks:
                twin._set(option, getattr(self._functions, option.slot))
        if self._closer is not None and twin._closer is None:
            twin._set(by_name["closesocketfunction"], self._closer.function)

    def _for_twin(self, option: Option, value: Any) -> Any:
        """Hook: what a duplicate is given of an object."""
        return value

    def _reset_options(self) -> None:
        """curl_easy_reset, of options only: Python's callables and objects stay where they are."""
        code = lib.easy_reset(self._handle)
        if code:
            raise self._error(code)
        self._settings = self._no_settings()

    def _restore(self, settings: dict[Option, Any]) -> None:
        """After a reset: set again these settings, and every callback and object that Python holds."""
        handle = self._handle
        for option, value in settings.items():
            self._set(option, value)
        for option in self._callbacks:
            self._set_special(option, getattr(self._functions, option.slot))
        closer = self._closer
        if closer is not None:
            lib.easy_set_closer(handle, closer.id, closer.function is not None)
        if self._sockets is not None:
            self._sockets.restore(self)

    def _reset(self) -> None:
        """curl_easy_reset: everything Python holds for the options is let go of."""
        depth = lib.easy_depth(self._handle)
        try:
            self._enter()
            self._reset_inside()
        finally:
            lib.easy_leave_to(self._handle, depth)

    def _reset_inside(self) -> None:
        amid = self._sockets is not None and self._amid_transfer()
        code = lib.HANDLE_DEFERRED if amid else _reset(self._handle)
        if code == lib.HANDLE_DEFERRED:
            raise self._too_late("a handle cannot be reset during its transfer")
        if code:
            raise self._error(code)
        self._let_go()

    def _let_go(self) -> None:
        """After a reset: of what Python holds for the options."""
        if self._callbacks:
            self._forget_callbacks()
        if by_name["stderr"] in self._settings:
            lib.easy_set_stderr(self._handle, -1)
        closer, self._closer = self._closer, None
        self._settings = self._no_settings()
        self._sockets = self._kept = self._body = None
        if closer is not None:
            self._attend()
            closer.release()
        self._stay()

    def _stay(self) -> None:
        """Hook: after a reset, which leaves the handle in its share."""

    # -- Callbacks and objects -------------------------------------------------------------------

    def _set_callback(self, option: Option, function: Callable[..., Any] | None) -> None:
        """Install a callable, or nothing."""
        if function is not None:
            if not callable(function):
                raise option.refused(function, "a callable")
            self._register()
        handle = self._handle
        depth = lib.easy_depth(handle)
        try:
            code = lib.easy_enter(handle)  # what C has and what Python has change together
            if not code:
                held = option in self._callbacks
                if function is not None:  # there before libcurl calls it, whatever interrupts this
                    self._hold_callback(option, function)
                code = lib.easy_set_callback(handle, option.id, function is not None)
                if (code and not held) or (function is None and not code):
                    self._hold_callback(option, None)
        finally:
            lib.easy_leave_to(handle, depth)
        if code:
            raise self._option_error(code, option, function)

    def _hold_callback(self, option: Option, function: Callable[..., Any] | None) -> None:
        """Keep a callable in its slot, or let go of the one that is there."""
        present = option in self._callbacks
        if option.id == lib.CURLOPT_WRITEFUNCTION:
            self._handle.gathers = _gathers(function)
        if function is not None:
            setattr(self._functions or self._hold_functions(), option.slot, function)
            if not present:
                self._callbacks += (option,)
        else:
            if present:
                self._callbacks = tuple(other for other in self._callbacks if other is not option)
            if hasattr(self._functions, option.slot):  # or an interrupt has left it there alone
                delattr(self._functions, option.slot)

    def _hold_functions(self) -> Any:
        """Hook: make what holds the callables."""
        raise NotImplementedError

    def _forget_callbacks(self) -> None:
        """Let go of every callable."""
        callbacks, self._callbacks = self._callbacks, ()
        for option in callbacks:
            delattr(self._functions, option.slot)

    def _point(self, option: int, owner: Any, set_pointer: Callable[[], int]) -> int:
        """Have libcurl point to what belongs to `owner`, which is kept. Answers the code.

        What it has pointed to is kept until it does not any more, whatever interrupts this.
        """
        handle = self._handle
        depth = lib.easy_depth(handle)
        try:
            code: int = lib.easy_enter(handle)
            if not code:
                before = None if self._kept is None else self._kept.get(option)
                self._keep(option, (before, owner))
                code = set_pointer()
                self._keep(option, before if code else owner)
        finally:
            lib.easy_leave_to(handle, depth)
        return code

    def _keep(self, option: int, value: Any) -> None:
        """Own what libcurl points to; None lets go. What a transfer may be using still is kept."""
        kept = self._kept
        if kept is None:
            if value is None:
                return
            self._attend()
            kept = self._kept = {}
        if not self._in_transfer():
            kept.pop(_REPLACED, None)
        elif option in kept:
            kept[_REPLACED] = (kept[option], kept.get(_REPLACED))
        if value is not None:
            kept[option] = value
        else:
            kept.pop(option, None)


def _lasts(value: object) -> bool:
    """Whether nobody can change it."""
    return isinstance(value, int) or type(value) in (str, bytes)


def _gathers(function: Any) -> bool:
    """Whether a write callback may be called late, and with more at a time: nobody can tell."""
    owner = getattr(function, "__self__", None)
    return type(owner) is BytesIO and function == owner.write
