"""Exceptions of a signal handler's, at each line of a call in turn."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from dis import opname
from types import FrameType
from typing import Any

import pytest

#: Where instructions can be traced, exceptions come between a call and what is made of its result.
AFTER_CALLS = sys.implementation.name == "cpython"
#: For what must hold there, and not between any two lines.
after_calls_only = pytest.mark.skipif(not AFTER_CALLS, reason="instructions are not traced there")


class Interrupt(Exception):
    """Raised at some line."""


def interrupt() -> None:
    raise Interrupt


def interrupted(
    call: Callable[[], object],
    at: int,
    handler: Callable[[], object] = interrupt,
    after_calls: bool = False,
) -> bool:
    """Call, and the handler at the `at`-th line of this package that is reached: whether it raised.

    Or after the `at`-th function of C that this package has called, before what it has returned is noted:
    there CPython looks for signals.
    """
    left = at
    last: dict[FrameType, tuple[str, int | None]] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if event == "call" and frame.f_back is not None:
            last.pop(frame.f_back, None)  # it has called no function of C
        if not frame.f_globals["__name__"].startswith("libcurl"):
            return None
        frame.f_trace_opcodes = after_calls
        reached = event == "line" and not after_calls
        if event == "opcode":
            name, line = last.get(frame, ("", None))
            # On another line it would be beyond the `try` that the call is in.
            reached = name.startswith("CALL") and line == frame.f_lineno
            last[frame] = opname[frame.f_code.co_code[frame.f_lasti]], frame.f_lineno
        if reached:
            left -= 1
            if not left:
                sys.settrace(None)
                handler()
        return trace

    before = sys.gettrace()
    gc.disable()  # what it collects has nothing to do with this
    sys.settrace(trace)
    try:
        call()
    except Interrupt:
        return True
    finally:
        sys.settrace(before)
        gc.enable()
    return False


def every_line(
    call: Callable[[int], Callable[[], object]], most: int = 200, after_calls: bool = False
) -> Iterator[int]:
    """The number of each line (or call) at which what `call` has prepared for it was interrupted."""
    for at in range(1, most):
        if not interrupted(call(at), at, after_calls=after_calls):
            assert at > (1 if after_calls else 5)
            return
        yield at
    raise AssertionError("it never ends")
