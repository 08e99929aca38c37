"""What feeds the parts of a MIME body from Python (curl_mime_data_cb).

libcurl knows a source by a number, new for every tree it is in (`readings`). A number that is not
found is harmless: the transfer ends.
"""

from __future__ import annotations

import os
from _weakref import ref

from libcurl._native import ffi, lib
from libcurl.callbacks import deliver
from libcurl.data import iterator_source
from libcurl.engine import Engine
from libcurl.errors import easy_error
from libcurl.registry import Registry, in_use, integer, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any


class Source:
    """What feeds a part: a callable that reads, and one that seeks or None."""

    __slots__ = ("_free", "_holders", "current", "read", "seek", "size")

    def __init__(
        self,
        read: Callable[[int], Any],
        seek: Callable[[int, int], Any] | None,
        size: int,
        free: Callable[[], object] | None = None,
    ) -> None:
        """`free` is called when the last part and the last tree have let go of it."""
        self.read = read
        self.seek = seek
        self.size = size
        self.current = 0  # the reading that has its place in it
        # Lists, because these can be added to and taken from in any thread.
        self._free = [] if free is None else [free]
        self._holders: list[None] = []

    def hold(self) -> None:
        """One part or tree more."""
        self._holders.append(None)

    def release(self) -> None:
        """One part or tree less."""
        self._holders.pop()
        if not self._holders:
            try:
                free = self._free.pop()
            except IndexError:
                return
            try:
                free()
            except BaseException as exception:
                report(exception, free)

    def begin(self, reading: int) -> None:
        """Another tree reads it from the start."""
        again = bool(self.current)
        if again and (self.seek is None or integer(self.seek(0, os.SEEK_SET), 0, "seek of a part")):
            why = "the source of a part cannot be read a second time"
            raise easy_error(lib.CURLE_SEND_FAIL_REWIND, why)
        self.current = reading


class Reading:
    """A source in the tree of a handle."""

    __slots__ = ("__weakref__", "easy", "source")

    def __init__(self, source: Source, easy: Engine) -> None:
        self.source = source
        self.easy: Callable[[], Engine | None] = ref(easy)


#: What a source gives for a file that it cannot read, and what libcurl's own readers answer then.
UNREADABLE = object()
READ_ERROR: int = (1 << 8 * ffi.sizeof("size_t")) - 1

#: What reads.
readings = Registry()


def _find(part: int) -> tuple[Source, Engine] | None:
    """What reads under this number, and for whom; also where a cycle is collected (`in_use`)."""
    found = readings.get(part)
    reading = found() if found else None
    easy = reading.easy() if reading is not None else None
    if reading is not None and easy is not None:
        return reading.source, easy
    for easy in (easy for handle in in_use() for easy in handle._company()):
        for kept in (getattr(easy, "_kept", None) or {}).values():
            reading = getattr(kept, "_readings", {}).get(part)
            if reading is not None:
                return reading.source, easy
    return None


def _failed(
    kind: type[BaseException], exception: BaseException, traceback: TracebackType | None
) -> None:
    """cffi's onerror: the transfer that wanted to read or rewind raises it."""
    found = None if traceback is None else _find(traceback.tb_frame.f_locals.get("part", 0))
    if found is None:
        report(exception, "a part of a MIME body")
    else:
        _, easy = found
        easy._failed(exception, "mime")


def _source(part: int) -> Source | None:
    """What reads under this number, unless it is gone or its transfer was stopped."""
    found = _find(part)
    if found is None:
        return None
    source, easy = found
    return None if easy._handle.stopped else source


@ffi.def_extern(error=lib.CURL_READFUNC_ABORT, onerror=_failed)
def python_mime_read(part: int, data: Any, size: int) -> int:
    """The read callback of curl_mime_data_cb."""
    source = _source(part)
    if source is None:
        return lib.CURL_READFUNC_ABORT  # type: ignore[no-any-return]
    if source.current != part:
        source.begin(part)
    given = source.read(size)
    return READ_ERROR if given is UNREADABLE else deliver(given, data, size, "the source of a part")


@ffi.def_extern(error=lib.CURL_SEEKFUNC_FAIL, onerror=_failed)
def python_mime_seek(part: int, offset: int, origin: int) -> int:
    """The seek callback of curl_mime_data_cb."""
    source = _source(part)
    if source is None:
        return lib.CURL_SEEKFUNC_FAIL  # type: ignore[no-any-return]
    if source.current != part:
        return lib.CURL_SEEKFUNC_OK  # type: ignore[no-any-return]  # the next read begins anyway
    assert source.seek is not None
    return integer(source.seek(offset, origin), lib.CURL_SEEKFUNC_OK, "seek of a part")


def late_file(path: bytes) -> Source:
    """A file that cannot be read as yet: it is opened when it is sent."""
    opened: list[Any] = []

    def read(size: int) -> Any:
        try:
            if not opened:
                opened.append(open(path, "rb"))  # noqa: SIM115 # closed when it is let go of
            return opened[0].read(size)
        except OSError:
            return UNREADABLE

    def seek(offset: int, origin: int) -> None:
        if opened:
            opened[0].seek(offset, origin)

    def free() -> None:
        for file in opened:
            file.close()

    return Source(read, seek, -1, free)


def find_source(source: Any) -> tuple[Any, Any, int] | None:
    """How to read and rewind a file or an iterator, and its size; None for anything else.

    A file is read from where it stands now.
    """
    if hasattr(source, "read"):
        return None if hasattr(source, "encoding") else _from_file(source)
    try:
        data = bytes(memoryview(source))
    except TypeError:
        if isinstance(source, str) or not hasattr(source, "__iter__"):
            return None
        return iterator_source(iter(source)), None, -1
    from io import BytesIO

    return _from_file(BytesIO(data))


def _from_file(file: Any) -> tuple[Any, Any, int]:
    try:
        start = file.tell()
        size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    except (AttributeError, OSError, ValueError):
        return file.read, None, -1

    def seek(offset: int, origin: int) -> None:
        file.seek(offset + start if origin == os.SEEK_SET else offset, origin)

    return file.read, seek, size
