"""What the drop-in's classes have in common: the exception, attributes, and words for refusals."""

from __future__ import annotations

import sys
from _collections_abc import MutableMapping
from _operator import index

from libcurl._native import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from typing_extensions import Self


class error(Exception):
    """(code, message) from libcurl, or a message of pycurl's.

    Beyond pycurl: `code` and `message` as attributes, and as `__cause__` what a callback has raised.
    """

    __module__ = "pycurl"

    @property
    def code(self) -> int | None:
        """libcurl's code, where it comes from libcurl."""
        return self.args[0] if len(self.args) > 1 else None

    @property
    def message(self) -> str:
        """What libcurl, or pycurl, says."""
        return str(self.args[-1]) if self.args else ""

    def __reduce__(self) -> Any:
        """By a name of ours: `pycurl` may be another one there, or none."""
        if type(self) is error:
            return unpickled_error, self.args, self.__dict__ or None
        return super().__reduce__()


def unpickled_error(*args: Any) -> error:
    """What pickles of `error` call."""
    return error(*args)


class Plain:
    """What has attributes of the user's."""


attributes_of = Plain.__dict__["__dict__"].__get__


class _Users(dict["str", "Any"]):
    """The user's among the attributes of an instance that has others; a change is one of the instance."""

    __slots__ = ("_all",)

    def __init__(self, all: dict[str, Any], hidden: set[str]) -> None:
        super().__init__((name, value) for name, value in all.items() if name not in hidden)
        self._all = all

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._all[name] = value

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._all.pop(name, None)

    # By these two, as any mapping does it.
    clear = MutableMapping.clear
    pop = MutableMapping.pop
    popitem = MutableMapping.popitem
    setdefault = MutableMapping.setdefault
    update = MutableMapping.update

    def __ior__(self, others: Any) -> Self:  # type: ignore[override,misc]
        self.update(others)
        return self


def dict_of_subclasses(hidden: set[str]) -> Any:
    """The `__dict__` of the class that has this: subclasses have one, without what is `hidden` in it."""

    def users(self: object) -> dict[str, Any]:
        if "__dict__" in vars(type(self)):
            raise _missing("obtain", "__dict__", self)
        attributes: dict[str, Any] = attributes_of(self)
        return _Users(attributes, hidden) if hidden else attributes

    def replace(self: object, attributes: dict[str, Any]) -> None:
        found, attributes = users(self), dict(attributes)
        found.clear()
        found.update(attributes)

    return property(users, replace)


def _missing(what: str, name: str, owner: object) -> AttributeError:
    message = f"trying to {what} a non-existing attribute: {name}"
    return AttributeError(message, name=name, obj=owner)


class Attributes(Plain):
    """Attributes of the user's, as instances of pycurl's classes have them."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None: ...

    else:

        def __getattr__(self, name):
            raise _missing("obtain", name, self)

    def __delattr__(self, name: str) -> None:
        try:
            super().__delattr__(name)
        except AttributeError:
            raise _missing("delete", name, self) from None

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} objects do not support serialization")

    def __setstate__(self, state: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} objects do not support deserialization")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__getstate__()


if TYPE_CHECKING:
    from libcurl.pycurl import _constants

    CurlAttributes = _constants._CurlAttributes
    CurlMultiAttributes = _constants._CurlMultiAttributes
    CurlShareAttributes = _constants._CurlShareAttributes
else:
    from libcurl.pycurl.names import OWNED

    CurlAttributes, CurlMultiAttributes, CurlShareAttributes = (
        type(f"{owner}Attributes", (Attributes,), {"__slots__": (), **OWNED[owner]})
        for owner in ("Curl", "CurlMulti", "CurlShare")
    )


def refused(code: int, what: str, method: str = "") -> Exception:
    """For what a shim answers before it enters libcurl. `what` is "curl" or "multi"."""
    running = "perform" if what == "curl" else "multi_perform"
    cannot = f"cannot invoke {method}()" if method else f"cannot use the {what} handle"
    if code == lib.HANDLE_CLOSED:
        return error(f"{cannot} - no {what} handle")
    if code == lib.HANDLE_FORKED:
        return error(f"{cannot} - the {what} handle was made before a fork")
    where = " on another thread" if code == lib.HANDLE_BUSY and "pause" in method else ""
    return error(f"{cannot} - {running}() is currently running{where}")


def show(exception: BaseException) -> None:
    """An exception in a callback that lets libcurl go on, as PyErr_Print does it.

    By its traceback it would keep the handle alive, which the functions have that called the callback. So
    it is left for a debugger only where somebody sits at the interpreter, and a copy everywhere else.
    """
    sys.last_type = type(exception)
    if hasattr(sys, "ps1"):
        sys.last_value, sys.last_traceback = exception, exception.__traceback__
    else:
        sys.last_value, sys.last_traceback = _copied(exception), None
    sys.excepthook(type(exception), exception, exception.__traceback__)


def _copied(exception: BaseException) -> BaseException | None:
    """Without its traceback; None where a class of the user's does not let it be copied."""
    kind = type(exception)
    try:
        copy: BaseException = kind.__new__(kind, *exception.args)
        copy.__dict__.update(exception.__dict__)
    except Exception:
        return None
    return copy


def integer(value: object, callback: str) -> int | None:
    """What a callback has returned; None, and a word to standard error, where it is no integer."""
    if isinstance(value, int):
        if not -1 << 31 <= value < 1 << 31:
            raise OverflowError(
                f"{callback} callback returned {value!r} which does not fit in an int"
            )
        return int(value)
    try:
        shown = repr(value).encode("ascii", "backslashreplace").decode()
    except Exception:
        shown = "a value"
    if sys.stderr is not None:
        sys.stderr.write(f"{callback} callback returned {shown} which is not an integer\n")
    return None


def number(value: object) -> int:
    """A C int, as the number of an enum that has no negative ones."""
    found = index(value)  # type: ignore[arg-type]
    if not -1 << 31 <= found < 1 << 31:
        which = "greater than maximum" if found > 0 else "less than minimum"
        raise OverflowError(f"signed integer is {which}")
    return found & 0xFFFFFFFF


def text(value: str | bytes) -> bytes:
    """A C string by pycurl's rules."""
    data = value.encode("ascii") if isinstance(value, str) else bytes(value)
    if b"\0" in data:
        raise ValueError("embedded null byte")
    return data
