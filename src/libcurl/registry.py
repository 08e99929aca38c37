"""The handles that C may call back for, what becomes of exceptions, and what is refused.

How a callback gets here is told in `callbacks`; exceptions of those that belong to no handle's call are
left to the next call of any.
"""

from __future__ import annotations

import sys
from _operator import index
from _weakref import ref
from sys import _getframe

from libcurl._native import lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType
    from typing import Any, NoReturn, Protocol

    from typing_extensions import Self

    class Handle(Protocol):
        """What this module needs of an easy or a multi handle."""

        def _answer(self, value: object, none: int, name: str) -> int: ...

        def _failed(self, exception: BaseException, where: str = "") -> None: ...


class Registry(dict[int, "Callable[[], Any]"]):
    """What C knows by numbers that are never used twice, by weak reference."""

    #: How many there may be before those that are gone are looked for.
    _room = 100

    def add(self, number: int, known: object) -> None:
        """Let C call back for it, for as long as it lives.

        Who knows it strikes it out when it goes. What has gone without a word, for an interrupt or for a
        `__del__` that calls no other, is struck out now and then.
        """
        self.setdefault(number, ref(known))
        if len(self) > self._room:
            for other, found in list(self.items()):
                if found() is None:
                    self.pop(other, None)
            self._room = 2 * len(self) + 100


#: The handles that have callbacks.
handles = Registry()


def find(number: int) -> Any:
    """The handle that C knows by this number, or None."""
    found = handles.get(number)
    handle = found and found()
    return handle if handle is not None else _revived(number)


def in_use() -> Iterator[Any]:
    """The handles of either interface whose methods this thread is in, the innermost first.

    Where a cycle is collected, weak references to what is in it are dead before the finalizers run, and
    these may use a handle, or close it. There it can still be found.
    """
    frame: FrameType | None = _getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith("libcurl."):
            handle = frame.f_locals.get("self")
            if hasattr(handle, "_company"):
                yield handle
        frame = frame.f_back


def _revived(number: int) -> Any:
    for used in in_use():
        for handle in used._company():
            if handle._handle.id == number:
                handles[number] = ref(handle)
                return handle
    return None


class Closing:
    """What `with` closes, and nobody pickles."""

    __slots__ = ()

    if TYPE_CHECKING:

        def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> str:
        raise TypeError(f"cannot pickle {type(self).__name__}")


#: What shims answer where they do not enter libcurl.
REFUSALS = (lib.HANDLE_CLOSED, lib.HANDLE_BUSY, lib.HANDLE_FORKED)


def refusal(code: int, kind: str) -> Exception:
    """The exception for such an answer."""
    if code == lib.HANDLE_CLOSED:
        return ValueError(f"this {kind} is closed")
    if code == lib.HANDLE_FORKED:
        return RuntimeError(f"this {kind} was made before a fork: the child may only close it")
    return RuntimeError(f"this {kind} is in use by another thread")


def report(exception: BaseException, where: object) -> None:
    """Show an exception that no call is left to raise, as Python does for those in finalizers."""
    hook = sys.unraisablehook
    if hook is not sys.__unraisablehook__:
        from types import SimpleNamespace

        hook(
            SimpleNamespace(  # pyright: ignore[reportArgumentType]
                exc_type=type(exception),
                exc_value=exception,
                exc_traceback=exception.__traceback__,
                err_msg=None,
                object=where,
            )
        )
    elif sys.stderr is not None:
        import traceback

        lines = traceback.format_exception(type(exception), exception, exception.__traceback__)
        sys.stderr.write(f"Exception ignored in: {where!r}\n{''.join(lines)}")


def raise_first(exceptions: list[BaseException], where: object) -> NoReturn:
    """Raise the first and show the others.

    The list is empty then: an exception that a function on its way out had in a variable would be in a
    cycle with its traceback, and so would the handle.
    """
    for exception in exceptions[1:]:
        report(exception, where)
    del exceptions[1:]
    raise exceptions.pop()


def failed(
    kind: type[BaseException], exception: BaseException, traceback: TracebackType | None
) -> None:
    """cffi's onerror: sees even what is raised before a callback's first line (a Ctrl-C)."""
    try:
        _tell(exception, traceback)
    except BaseException as another:  # a second Ctrl-C, when the first was being told of
        _tell(exception, traceback)
        leave(another, "a libcurl callback")


def _tell(exception: BaseException, traceback: TracebackType | None) -> None:
    """The handle whose callback this has come out of is told; nobody can be, where there is none."""
    handle = None
    if exception.__traceback__ is None:
        exception.__traceback__ = traceback  # cffi has taken it off
    if traceback is not None:
        values = traceback.tb_frame.f_locals
        handle = find(values.get("multi") or values.get("easy") or 0)
    if handle is None:
        leave(exception, "a libcurl callback")
    else:
        assert traceback is not None
        handle._failed(exception, traceback.tb_frame.f_code.co_name.removeprefix("python_"))


def integer(value: object, none: int, source: str) -> int:
    """What a callback has returned, None standing for success."""
    if value is None:
        return none
    try:
        number = index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{source} returned {type(value).__name__}, expected int or None") from None
    if not -0x80000000 <= number <= 0xFFFFFFFF:
        raise OverflowError(f"{source} returned {number}, which is no C int")
    return number if number < 0x80000000 else number - 0x100000000


#: KeyboardInterrupt and SystemExit that no handle was there for: the next call to return raises them.
interruptions: list[BaseException] = []


def leave(exception: BaseException, where: object) -> None:
    """No call is there to raise it: it is shown, or left to the next call where it interrupts."""
    if isinstance(exception, Exception):
        report(exception, where)
    else:
        interruptions.append(exception)


def take_interruptions() -> list[BaseException]:
    """Those that there are; nobody else gets them."""
    found = []
    try:
        while interruptions:
            found.append(interruptions.pop(0))
    except IndexError:
        pass  # another thread has it
    return found
