"""Where a transfer's bytes go and come from: files, buffers, iterators."""

from __future__ import annotations

import os

from libcurl._native import lib
from libcurl.engine import Engine
from libcurl.options import Option, by_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def writer(option: Option, file: Any) -> Any:
    """The write method of a file opened for writing in binary mode."""
    write = getattr(file, "write", None)
    if not callable(write) or hasattr(file, "encoding"):
        raise option.refused(file, "a file opened for writing in binary mode")

    def write_all(data: bytes) -> None:
        # A raw file may take less than it is given.
        view = memoryview(data)
        while view:
            written = write(view)
            if written is None or written == len(view):
                break
            view = view[written:]

    return write_all


def set_writedata(handle: Engine, option: Option, file: Any) -> None:
    """WRITEDATA: a file for the body."""
    function = None if file is None else writer(option, file)
    handle._set_callback(by_name["writefunction"], function)


def set_headerdata(handle: Engine, option: Option, file: Any) -> None:
    """HEADERDATA: a file for the headers."""
    function = None if file is None else writer(option, file)
    handle._set_callback(by_name["headerfunction"], function)


def set_readdata(handle: Engine, option: Option, source: Any) -> None:
    """READDATA: what to upload, from bytes-like objects, files and iterators of bytes.

    The size is told to libcurl where it is known and the user has not set it.
    """
    size = -1
    read = seek = None
    if source is not None:
        if hasattr(source, "read"):
            if hasattr(source, "encoding"):
                raise option.refused(source, "a file opened for reading in binary mode")
            read, seek, size = _from_file(source)
        elif isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "__buffer__"):
            read, seek, size = _from_bytes(source)
        elif hasattr(source, "__iter__") and not isinstance(source, str):
            read = _from_iterator(iter(source))
        else:
            raise option.refused(source, "bytes, a file opened in binary mode or an iterator of bytes")
    handle._set_callback(by_name["readfunction"], read)
    handle._set_callback(by_name["seekfunction"], seek)
    for name in ("infilesize", "infilesize_large", "postfieldsize", "postfieldsize_large"):
        if by_name[name] in handle._settings:
            return
    lib.easy_set_number(handle._handle, lib.CURLOPT_INFILESIZE_LARGE, size)
    if by_name["postfields"] not in handle._settings:
        lib.easy_set_number(handle._handle, lib.CURLOPT_POSTFIELDSIZE_LARGE, size)


def _from_bytes(source: Any) -> tuple[Any, Any, int]:
    view = memoryview(source).cast("B")
    position = 0

    def read(size: int) -> memoryview:
        nonlocal position
        chunk = view[position : position + size]
        position += len(chunk)
        return chunk

    def seek(offset: int, origin: int) -> int:
        nonlocal position
        position = (0, position, len(view))[origin] + offset
        ok: int = lib.CURL_SEEKFUNC_OK
        return ok

    return read, seek, len(view)


def _from_file(file: Any) -> tuple[Any, Any, int]:
    size = -1
    try:
        start = file.tell()
        size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    except (AttributeError, OSError, ValueError):
        return file.read, None, size

    def seek(offset: int, origin: int) -> int:
        file.seek(offset + start if origin == os.SEEK_SET else offset, origin)
        ok: int = lib.CURL_SEEKFUNC_OK
        return ok

    return file.read, seek, size


def _from_iterator(chunks: Iterator[Any]) -> Any:
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
    option = by_name["writedata"]
    if not isinstance(target, (str, bytes, os.PathLike)):
        return _save_to(handle, option, target)
    path = os.fspath(target)
    folder, name = os.path.split(path)
    mark = f".{os.getpid()}-{handle._handle.id}.part"
    beside = os.path.join(folder, b"." + name + mark.encode() if isinstance(name, bytes) else f".{name}{mark}")
    try:
        with open(beside, "xb") as file:
            size = _save_to(handle, option, file)
        os.replace(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.unlink(beside)
        raise
    return size


def _save_to(handle: Any, option: Option, file: Any) -> int:
    write = writer(option, file)
    size = 0

    def count(data: bytes) -> None:
        nonlocal size
        write(data)
        size += len(data)

    writefunction = by_name["writefunction"]
    before = handle._callbacks.get(writefunction.id)
    handle._set_callback(writefunction, count)
    try:
        handle.perform()
    finally:
        if not handle.closed:
            handle._set_callback(writefunction, before)
    return size
