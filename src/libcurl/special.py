"""Options that are more than a value: callbacks, and objects that libcurl points to."""

from __future__ import annotations

import libcurl.callbacks  # noqa: F401 # what C calls
from libcurl._native import ffi, lib
from libcurl.connections import install_closer
from libcurl.data import memory, set_headerdata, set_readdata, set_reader, set_writedata, set_writer
from libcurl.engine import Engine
from libcurl.options import SIZES, Option, by_name, by_number
from libcurl.share_engine import ShareEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_POSTFIELDS = lib.CURLOPT_POSTFIELDS

#: Where callables are kept, by name of the option. The closer is not among them.
SLOTS = tuple(
    f"_{name}"
    for name in """
    writefunction headerfunction readfunction seekfunction ioctlfunction debugfunction progressfunction
    xferinfofunction opensocketfunction sockoptfunction prereqfunction resolver_start_function
    trailerfunction ssl_ctx_function ssh_keyfunction ssh_hostkeyfunction fnmatch_function
    chunk_bgn_function chunk_end_function interleavefunction hstsreadfunction hstswritefunction
    """.split()
)


class Functions:
    """The callables of a handle, where the handle does not hold them itself."""

    __slots__ = SLOTS


def remember(handle: Engine, option: Option, value: Any) -> None:
    """Note what is set, for unset and duphandle; None where it is unset."""
    if value is None:
        handle._unremember(option)
    else:
        handle._remember(option, value)


def set_callback(handle: Engine, option: Option, function: Callable[..., Any] | None) -> None:
    """Any FUNCTION option but the closer, which belongs to connections."""
    handle._set_callback(option, function)


def set_closer(handle: Engine, option: Option, function: Callable[[int], Any] | None) -> None:
    """CLOSESOCKETFUNCTION."""
    if handle._sockets is not None:
        handle._sockets.keep(handle, option, function)
    install_closer(handle, option, function)


def set_socket_callback(
    handle: Engine, option: Option, function: Callable[..., Any] | None
) -> None:
    """One that may belong to `sockets`."""
    if handle._sockets is not None:
        handle._sockets.keep(handle, option, function)
    handle._set_callback(option, function)


def set_sockets(handle: Engine, option: Option, value: Any) -> None:
    """`sockets`: ready-made answers to the socket callbacks."""
    if handle.closed:
        raise handle._error(lib.HANDLE_CLOSED)
    if value is None and handle._sockets is None:
        return
    from libcurl.sockets.binding import bind

    remember(handle, option, bind(handle, value))


def set_progress(handle: Engine, option: Option, function: Callable[..., Any] | None) -> None:
    """A progress callback is set to be called: NOPROGRESS goes with it, unless the user has set that."""
    handle._set_callback(option, function)
    if by_name["noprogress"] not in handle._settings:
        lib.easy_set_number(handle._handle, lib.CURLOPT_NOPROGRESS, function is None)


def _refuse_in_transfer(handle: Engine, option: Option) -> None:
    """libcurl would read the new bytes up to the old size, which it has noted."""
    handle._check()
    if handle._amid_transfer():
        raise handle._too_late(f"CURLOPT_{option.name.upper()} cannot be changed during a transfer")


def set_postfields(handle: Engine, option: Option, value: Any) -> None:
    """POSTFIELDS points to the bytes given, COPYPOSTFIELDS to a copy; their size is set with them."""
    _refuse_in_transfer(handle, option)
    if value is None:
        unset_by_reset(handle, by_name["postfields"])
        return
    data: Any
    if isinstance(value, str):
        data = value.encode()
    else:
        data = value if option.id == _POSTFIELDS else bytes(value)
    buffer = memory(data)
    if buffer is None:
        raise option.refused(value, "str or a bytes-like object")
    native = handle._handle
    code = handle._point(
        _POSTFIELDS, buffer, lambda: lib.easy_set_post(native, buffer, len(buffer))
    )
    if code:
        raise handle._option_error(code, option, value)
    remember(handle, by_name["postfields"], data)


def unset_by_reset(handle: Engine, option: Option) -> None:
    """NULL is not enough: it leaves a POST, read from standard input, and the text of CURLU."""
    if handle.closed:
        raise handle._error(lib.HANDLE_CLOSED)
    if option in handle._settings:
        handle._set_again_without([option])


def set_mimepost(handle: Engine, option: Option, value: Any) -> None:
    """MIMEPOST: a Mime, of which libcurl gets a tree of its own."""
    if value is None:
        unset_by_reset(handle, option)
        return
    from libcurl.mime_engine import attach

    attach(handle, option, value)


def set_curlu(handle: Engine, option: Option, value: Any) -> None:
    """CURLU: a Url. libcurl reads it when a transfer begins, so it gets a copy of its own."""
    if value is None:
        unset_by_reset(handle, option)
        return
    from libcurl.url import copy_for

    copy = copy_for(option, value)
    native, url = handle._handle, copy._handle()
    code = handle._point(option.id, copy, lambda: lib.easy_set_pointer(native, option.id, url))
    if code:
        raise handle._option_error(code, option, value)
    remember(handle, option, value)


def set_postfieldsize(handle: Engine, option: Option, value: Any) -> None:
    """POSTFIELDSIZE must not reach behind the bytes that libcurl points to."""
    _refuse_in_transfer(handle, option)
    number = -1 if value is None else option.number(value)
    data = handle._settings.get(by_name["postfields"])
    if data is not None:
        size = len(memory(data))
        if number > size:
            raise ValueError(
                f"CURLOPT_{option.name.upper()}: {number} is more than the {size} bytes of "
                "CURLOPT_POSTFIELDS"
            )
        if number < 0:
            number = size
        if _would_drop(handle, number):
            handle._set_again_without([option])  # which has libcurl point to them
    code = lib.easy_set_number(handle._handle, option.id, number)
    if code:
        raise handle._option_error(code, option, value)
    remember(handle, option, value)


def _would_drop(handle: Engine, length: int) -> bool:
    """Whether libcurl would drop POSTFIELDS: its own copy, of which it was told to send less before."""
    if handle._kept is not None and _POSTFIELDS in handle._kept:
        return False
    told = [handle._settings.get(by_number[size]) for size in SIZES]
    return any(number is not None and 0 <= number < length for number in told)


def set_private(handle: Engine, option: Option, value: object) -> None:
    """PRIVATE: any object. libcurl's own pointer is taken by the handle itself."""
    if not handle._handle.curl:
        raise handle._error(lib.HANDLE_CLOSED)
    remember(handle, option, value)


def set_stderr(handle: Engine, option: Option, value: Any) -> None:
    """STDERR: a file with a descriptor, which is duplicated (by C, for resets and duplicates too)."""
    fd = -1
    if value is not None:
        try:
            fd = value.fileno()
        except (AttributeError, OSError):
            raise option.refused(value, "a file with a descriptor") from None
        value.flush()
    code = lib.easy_set_stderr(handle._handle, fd)
    if code:
        raise handle._option_error(code, option, value)


def set_stream_depends(handle: Engine, option: Option, value: Any) -> None:
    """STREAM_DEPENDS(_E): another handle, which is kept alive."""
    if value is not None and not isinstance(value, Engine):
        raise option.refused(value, "another handle")
    if value is not None:
        value._check()
    pointer = ffi.NULL if value is None else value._handle.curl
    if value is not None and not pointer:
        raise value._error(lib.HANDLE_CLOSED)
    code = lib.easy_set_pointer(handle._handle, option.id, pointer)
    if code:
        raise handle._option_error(code, option, value)
    handle._keep(option.id, value)
    remember(handle, option, value)


def set_share(handle: Engine, option: Option, value: Any) -> None:
    """SHARE: kept alive while the handle uses it."""
    if value is not None and not isinstance(value, ShareEngine):
        raise option.refused(value, "a Share")
    handle._set_share(option, value)


def refuse(handle: Engine, option: Option, value: Any) -> None:
    """Options that something else stands in for."""
    if value is not None:
        raise TypeError(f"CURLOPT_{option.name.upper()} is not for Python: {_INSTEAD[option.name]}")


_INSTEAD = {
    "errorbuffer": "its text is the message of an Error",
    "httppost": "use mimepost",
}

#: How to set them, by name: function(handle, option, value), with None to unset.
SETTERS: dict[str, Callable[[Any, Option, Any], None]] = {
    **dict.fromkeys(
        """
        headerfunction ioctlfunction debugfunction
        resolver_start_function trailerfunction
        ssl_ctx_function ssh_keyfunction ssh_hostkeyfunction fnmatch_function chunk_bgn_function
        chunk_end_function interleavefunction hstsreadfunction hstswritefunction
        """.split(),
        set_callback,
    ),
    "xferinfofunction": set_progress,
    "progressfunction": set_progress,
    "opensocketfunction": set_socket_callback,
    "sockoptfunction": set_socket_callback,
    "prereqfunction": set_socket_callback,
    "closesocketfunction": set_closer,
    "sockets": set_sockets,
    "writefunction": set_writer,
    "readfunction": set_reader,
    "seekfunction": set_reader,
    "writedata": set_writedata,
    "headerdata": set_headerdata,
    "readdata": set_readdata,
    "postfields": set_postfields,
    "copypostfields": set_postfields,
    "postfieldsize": set_postfieldsize,
    "postfieldsize_large": set_postfieldsize,
    "private": set_private,
    "stderr": set_stderr,
    "curlu": set_curlu,
    "mimepost": set_mimepost,
    "stream_depends": set_stream_depends,
    "stream_depends_e": set_stream_depends,
    "share": set_share,
    **dict.fromkeys(_INSTEAD, refuse),
}
