"""Where a transfer's bytes go and come from: files, buffers, iterators."""

from __future__ import annotations

import os
import sys
from _io import BufferedReader, BufferedWriter, FileIO
from stat import S_IMODE, S_ISREG

from libcurl._native import ffi, lib
from libcurl.engine import Engine
from libcurl.options import Option, by_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


def writer(option: Option, file: Any) -> Any:
    """The write method of a file opened for writing in binary mode."""
    write: Callable[[memoryview], int | None] | None = getattr(file, "write", None)
    if not callable(write) or hasattr(file, "encoding"):
        raise option.refused(file, "a file opened for writing in binary mode")

    def write_all(data: bytes) -> None:
        # A raw file may take less than it is given.
        view = memoryview(data)
        while view:
            written = write(view)
            if written is None or written == len(view):
                break
            if not 0 < written < len(view):
                raise OSError(f"write() of {len(view)} bytes returned {written}")
            view = view[written:]

    return write_all


def set_writedata(handle: Engine, option: Option, file: Any) -> None:
    """WRITEDATA: a file for the body. Real files are written in C, by their descriptors."""
    if file is not None and _is_regular(file, (BufferedWriter, FileIO)) and file.writable():
        handle._set_callback(by_name["writefunction"], None)
        file.flush()
        code = lib.easy_set_sink(handle._handle, file.fileno())
        if code:
            raise handle._option_error(code, option, file)
        handle._keep(option.id, file)
        handle._remember(option, file)
    else:
        set_writer(handle, by_name["writefunction"], None if file is None else writer(option, file))


def set_writer(handle: Engine, option: Option, function: Callable[..., Any] | None) -> None:
    """WRITEFUNCTION: a function of the user's own takes the place of WRITEDATA."""
    handle._set_callback(option, function)
    handle._keep(lib.CURLOPT_WRITEDATA, None)
    handle._unremember(by_name["writedata"])


def _is_regular(file: Any, types: tuple[type, ...]) -> bool:
    """Whether C may read or write a file in Python's place: no class of the user's, no pipe."""
    return type(file) in types and S_ISREG(os.fstat(file.fileno()).st_mode)


def set_headerdata(handle: Engine, option: Option, file: Any) -> None:
    """HEADERDATA: a file for the headers."""
    function = None if file is None else writer(option, file)
    handle._set_callback(by_name["headerfunction"], function)


def set_readdata(handle: Engine, option: Option, source: Any) -> None:
    """READDATA: what to upload, from bytes-like objects, files and iterators of bytes.

    The size is told to libcurl where it is known and the user has not set it. Memory and real files are
    read in C.
    """
    native = handle._handle
    size, read, seek, data = -1, None, None, None
    if source is not None:
        if hasattr(source, "encoding") or isinstance(source, str):
            raise option.refused(
                source, "bytes, a file opened in binary mode or an iterator of bytes"
            )
        if hasattr(source, "read"):
            size, read, seek = _from_file(native, source)
        elif (data := memory(source)) is not None:
            size = len(data)
        elif hasattr(source, "__iter__"):
            read = iterator_source(iter(source))
        else:
            raise option.refused(
                source, "bytes, a file opened in binary mode or an iterator of bytes"
            )
    depth = lib.easy_depth(native)
    try:
        handle._enter()
        handle._set_callback(by_name["readfunction"], read)
        handle._set_callback(by_name["seekfunction"], seek)
        if source is not None and read is None:
            fd, begin = (-1, 0) if data is not None else _place(source)
            code = lib.easy_set_source(native, data or ffi.NULL, fd, begin, size)
            if code:
                raise handle._option_error(code, option, source)
        handle._keep(option.id, data)
    finally:
        lib.easy_leave_to(native, depth)
    if source is None:
        handle._unremember(option)
    else:
        handle._remember(option, source)
    for name in ("infilesize", "infilesize_large", "postfieldsize", "postfieldsize_large"):
        if by_name[name] in handle._settings:
            return
    lib.easy_set_number(native, lib.CURLOPT_INFILESIZE_LARGE, size)
    if by_name["postfields"] not in handle._settings:
        lib.easy_set_number(native, lib.CURLOPT_POSTFIELDSIZE_LARGE, size)


def memory(source: Any) -> Any:
    """A buffer that C can read, and that pins its object; None for what has no buffer.

    Never of a memoryview itself: where both are garbage in a cycle, CPython may clear that first, and
    crashes when the buffer lets go of it. PyPy pins nothing that can change its size: a copy it is.
    """
    try:
        view = memoryview(source)
    except TypeError:
        return None
    pinned = view.readonly or sys.implementation.name == "cpython"
    if isinstance(source, memoryview) or not view.contiguous or not pinned:
        source = bytes(view)
    return ffi.from_buffer("char[]", source)


def _place(file: Any) -> tuple[int, int]:
    """The descriptor of a file, and where in it the file stands."""
    return file.fileno(), file.tell()


def set_reader(handle: Engine, option: Option, function: Callable[..., Any] | None) -> None:
    """READFUNCTION and SEEKFUNCTION: a function of the user's own takes the place of READDATA."""
    if getattr(handle._functions, option.slot, None) is not function:
        handle._unremember(by_name["readdata"])
    handle._set_callback(option, function)


def _from_file(native: Any, file: Any) -> tuple[int, Any, Any]:
    """The size, a read and a seek callback; no callbacks where C reads."""
    read, seek, size = file_source(native, file)
    in_c = seek is not None and _is_regular(file, (BufferedReader, FileIO)) and file.readable()
    return (size, None, None) if in_c else (size, read, seek)


def file_source(native: Any, file: Any) -> tuple[Any, Any, int]:
    """A read and a seek callback, and the size: from where a file stands to its end, in every transfer.

    What cannot seek is read on, and has no size.
    """
    try:
        start = file.tell()
        file.seek(0, os.SEEK_END)
        size = file.tell() - start
        file.seek(start)
    except (AttributeError, OSError, ValueError):
        return file.read, None, -1
    transfer = 0

    def read(size: int) -> Any:
        nonlocal transfer
        if transfer != native.transfers:
            file.seek(start)
            transfer = native.transfers
        return file.read(size)

    def seek(offset: int, origin: int) -> None:
        nonlocal transfer
        file.seek(offset + start if origin == os.SEEK_SET else offset, origin)
        transfer = native.transfers

    return read, seek, size


def iterator_source(chunks: Iterator[Any]) -> Any:
    """A read function that hands out what an iterator of bytes gives."""
    rest = memoryview(b"")

    def read(size: int) -> memoryview:
        nonlocal rest
        while not rest:
            chunk = next(chunks, None)
            if chunk is None:
                return rest
            rest = memoryview(chunk).cast("B")
        chunk, rest = rest[:size], rest[size:]
        return chunk

    return read


def save(handle: Any, target: Any) -> int:
    """`Easy.download`."""
    if target is None:
        writer(by_name["writedata"], target)  # refuses it
    if not isinstance(target, (str, bytes, os.PathLike)):
        return _save_to(handle, target)
    path = os.path.realpath(os.fsdecode(target))
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:  # a device or a pipe: nothing is ever put in its place
            return _save_to(handle, file)
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.{os.getpid()}-{handle._handle.id}.part")
    try:
        try:
            with open(beside, "xb") as file:
                if os.path.exists(path):
                    os.fchmod(file.fileno(), S_IMODE(os.stat(path).st_mode))
                size = _save_to(handle, file)
            os.replace(beside, path)
        finally:
            _remove(beside)
    except BaseException:  # perhaps of a signal handler's, which has kept it from being removed
        _remove(beside)
        raise
    return size


def _remove(path: str) -> None:
    """Remove a file, unless it is not there (any more)."""
    if os.path.exists(path):
        os.unlink(path)


def _save_to(handle: Any, file: Any) -> int:
    """The body of one transfer goes to this file, and those after it where they went before."""
    handle._check()
    writedata, writefunction = by_name["writedata"], by_name["writefunction"]
    replaced = handle._settings.get(writedata)
    function = getattr(handle._functions, writefunction.slot, None)

    def give_back() -> None:
        if handle.closed:
            return
        if replaced is not None:
            handle._set(writedata, replaced)
        else:
            set_writer(handle, writefunction, function)

    try:
        try:
            return _perform_into(handle, file)
        finally:
            give_back()
    except BaseException:  # perhaps of a signal handler's, which has kept it from being given back
        give_back()
        raise


def _perform_into(handle: Any, file: Any) -> int:
    """Set WRITEDATA and perform. Returns the size of the body."""
    writefunction = by_name["writefunction"]
    counted = 0

    def count(data: bytes) -> None:
        nonlocal counted
        write(data)
        counted += len(data)

    handle._set(by_name["writedata"], file)
    write: Any = getattr(handle._functions, writefunction.slot, None)
    if write is not None:
        handle._set_callback(writefunction, count)
    handle.perform()
    return counted if write is not None else int(handle._handle.files.written)
