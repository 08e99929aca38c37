"""For the scripts of these tests: closers that keep a record, and what is left of things."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

from servers.descriptors import settle

PYPY = sys.implementation.name == "pypy"

#: (the name of the closer, the descriptor) of every call.
closed: list[tuple[str, int]] = []


def closer(name: str = "a") -> Callable[[int], None]:
    """A closer that notes its calls, and insists that the descriptor is open and a socket."""

    def close(fd: int) -> None:
        import stat

        assert stat.S_ISSOCK(os.fstat(fd).st_mode)
        closed.append((name, fd))
        os.close(fd)

    return close


def names() -> str:
    """The closers that were called, in order."""
    return "".join(name for name, _ in closed)


def collect() -> None:
    """Everything unreachable goes, finalizers included."""
    for _ in range(4):
        gc.collect()


def descriptors() -> int:
    """How many this process has open (and one for the listing itself)."""
    settle()
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    """Bytes of memory in use."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def objects() -> int:
    """How many Python objects there are, where the interpreter counts."""
    collect()
    return 0 if PYPY else len(gc.get_objects())
