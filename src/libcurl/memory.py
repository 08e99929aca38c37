"""What ends a handle of C's, at the latest, when nothing in Python can reach it any more.

It stands behind a pointer to a struct, as ffi.new_allocator makes it, where the collector does not look. What
ffi.gc makes it would find, and of what dies in a cycle finalize it in no known order: before the `__del__`
of the object that it belongs to, which is to find the handle open, and calls its closers.
"""

from __future__ import annotations

from libcurl._native import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


EASY = ffi.typeof("easy *")


def allocator(new: Callable[[int], Any], free: Callable[[Any], None]) -> Callable[[Any], Any]:
    """What makes handles of a type that are freed when they go; MemoryError where `new` makes none."""
    make: Callable[[Any], Any] = ffi.new_allocator(new, free, should_clear_after_alloc=False)
    return make


def backstop(pointer: Any, free: Callable[[Any], None]) -> Any:
    """What keeps what this pointer belongs to, and frees what it points to when it goes itself."""
    return allocator(lambda _: pointer, free)(EASY)


def end_of(handle: Any) -> Any:
    """The same for an easy handle that is insured (`easy_backstop`)."""

    def same(_: int) -> Any:
        lib.easy_insure(handle)
        return handle

    return allocator(same, lib.easy_backstop)(EASY)
