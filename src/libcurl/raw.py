"""libcurl's C API as it is: `ffi` and `lib`.

A C program translates line by line, with `ffi.new` and `ffi.cast` where C converts by itself:

    curl = lib.curl_easy_init()
    lib.curl_easy_setopt(curl, lib.CURLOPT_URL, ffi.new("char[]", b"https://curl.se/"))

Nothing is added but a guard: a function that the loaded libcurl lacks is an AttributeError naming the
version that brought it. C's rules of ownership and threads hold, and breaking them crashes as in C.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["addressof", "ffi", "lib"]

OLDEST = (7, 74, 0)


def _hint(error: ImportError) -> str:
    """Why the extension could not be loaded, and what to do about it."""
    reason = str(error)
    oldest = ".".join(map(str, OLDEST[:2]))
    if "undefined symbol" in reason or "symbol not found" in reason.lower():
        return f"libcurl {oldest} or newer is needed, an older one was found: install libcurl4"
    if "libcurl.so" in reason:
        return f"libcurl {oldest} or newer is not installed: apt install libcurl4"
    return f"libcurl's extension module is not built for this Python: {reason}"


try:
    from libcurl._native import ffi
    from libcurl._native import lib as _lib
except ImportError as error:
    raise ImportError(f"{_hint(error)} ({error})") from None


if TYPE_CHECKING:
    #: The version of the libcurl that was loaded.
    LOADED: tuple[int, int, int]
    LOADED_TEXT: str
    #: Functions that it lacks, and the version that brought each.
    absent: dict[str, str]
else:

    def __getattr__(name):
        """These are looked up when they are needed: libcurl asks all of its libraries for their versions."""
        if name == "absent":
            found = _absent_functions()
        elif name == "LOADED":
            number = _lib.curl_version_info(_lib.CURLVERSION_NOW).version_num
            found = number >> 16, number >> 8 & 0xFF, number & 0xFF
        elif name == "LOADED_TEXT":
            found = ".".join(map(str, __getattr__("LOADED")))
        else:
            raise AttributeError(f"module 'libcurl.raw' has no attribute {name!r}")
        globals()[name] = found
        return found


def _refuse() -> ImportError:
    """What is wrong with a libcurl that does not describe the option HSTS, which came with 7.74."""
    from libcurl.raw import LOADED, LOADED_TEXT

    if LOADED < OLDEST:
        return ImportError(
            f"libcurl 7.74 or newer is needed, this is {LOADED_TEXT}: apt install libcurl4"
        )
    return ImportError(
        f"this libcurl {LOADED_TEXT} was built without option introspection "
        "(CURL_DISABLE_GETOPTIONS), which this package is built on: install another libcurl"
    )


if not _lib.curl_easy_option_by_name(b"HSTS"):
    raise _refuse()


def _absent_functions() -> dict[str, str]:
    absent = {}
    row = _lib.newer_functions()
    while row.name:
        if not row.present:
            absent[ffi.string(row.name).decode()] = ffi.string(row.since).decode()
        row += 1
    return absent


def _make_types() -> None:
    """All types of the C API, now, and those that this package writes beside pointers to them.

    cffi makes each when it is first used. Without a GIL two threads that come to that at once can get
    one half made, or end the process; with PyPy's cffi one can get what the other has asked for.
    """
    for name in OTHER_TYPES:
        ffi.typeof(name)
    typedefs, structs, unions = ffi.list_types()
    tagged = [f"struct {name}" for name in structs] + [f"union {name}" for name in unions]
    for name in typedefs + tagged:
        pointed_to = getattr(ffi.typeof(f"{name} *"), "item", None)
        getattr(pointed_to, "fields", None)
    for name in dir(_lib):
        getattr(_lib, name)


OTHER_TYPES = (
    *("char[]", "char **", "int *", "int[]", "long", "long *", "size_t", "size_t *", "uintptr_t"),
    *("unsigned *", "CURLU **", "buffer[2]", "easy", "struct curl_waitfd[]"),
)

if "t" in getattr(sys, "abiflags", "") or sys.implementation.name == "pypy":
    _make_types()


class Lib:
    """libcurl's functions and constants, each looked up once."""

    def __getattr__(self, name: str) -> Any:
        from libcurl.raw import absent

        if name in absent:
            from libcurl.raw import LOADED_TEXT

            raise AttributeError(f"{name} needs libcurl {absent[name]}, this is {LOADED_TEXT}")
        if not name.lower().startswith(("curl", "libcurl")):
            raise AttributeError(f"libcurl has no {name}")
        value = getattr(_lib, name)
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        from libcurl.raw import absent

        return [
            name for name in dir(_lib) if name.lower().startswith("curl") and name not in absent
        ]


lib = Lib()


def addressof(name: str) -> Any:
    """The address of one of libcurl's functions, to pass as a function pointer.

    `ffi.addressof(lib, name)` of cffi does not take a `lib` that is guarded.
    """
    getattr(lib, name)
    return ffi.addressof(_lib, name)
