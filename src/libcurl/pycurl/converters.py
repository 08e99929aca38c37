"""What pycurl's callbacks are given and return, where it is not what the engine gives and takes."""

from __future__ import annotations

import os
import sys
from collections import namedtuple

from libcurl._native import lib
from libcurl.pycurl.common import error, integer
from libcurl.registry import integer as native_integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any, NamedTuple

    from libcurl.address import Address

    Function = Callable[..., Any]

    class KhKey(NamedTuple):
        """A key of a known host."""

        key: bytes
        keytype: int

    class HstsEntry(NamedTuple):
        """A host that wants HTTPS."""

        host: bytes
        expire: datetime | None
        include_subdomains: bool

    class HstsIndex(NamedTuple):
        """Which of how many."""

        idx: int
        total: int

    class _SockAddr(NamedTuple):
        family: Any
        socktype: int
        protocol: int
        addr: Any

else:  # to import typing takes longer than most of this package
    KhKey = namedtuple("KhKey", "key keytype", module="pycurl")
    HstsEntry = namedtuple("HstsEntry", "host expire include_subdomains", module="pycurl")
    HstsIndex = namedtuple("HstsIndex", "idx total", module="pycurl")
    _SockAddr = namedtuple("_SockAddr", "family socktype protocol addr")


class CurlSockAddr(_SockAddr):
    """Where libcurl wants to connect to. Beyond pycurl: assign `addr`, and libcurl connects there."""

    __module__ = "pycurl"

    _address: Address

    @property
    def addr(self) -> Any:
        """(host, port), (host, port, flowinfo, scope id), or the path of a Unix socket in bytes."""
        addr = self._address.addr
        return addr.encode("utf-8", "surrogateescape") if isinstance(addr, str) else addr

    @addr.setter
    def addr(self, value: Any) -> None:
        self._address.addr = value

    @property
    def family(self) -> int:
        """AF_INET, AF_INET6 or AF_UNIX; assigning `addr` sets it."""
        return self._address.family


def _sockaddr(address: Address) -> CurlSockAddr:
    addr = address.addr
    if isinstance(addr, str):
        addr = addr.encode("utf-8", "surrogateescape")
    made = CurlSockAddr(int(address.family), int(address.socktype), int(address.protocol), addr)
    made._address = address
    return made


def _references() -> int:
    """To an object that one variable has and nothing else; 0 where nobody counts."""
    made = object()
    return sys.getrefcount(made) if hasattr(sys, "getrefcount") else 0


_ALONE = _references()


def open_socket(function: Function) -> Function:
    """OPENSOCKETFUNCTION: an int is libcurl's from now on; of an object, a duplicate is.

    Of a socket that nobody else has, the descriptor itself: it would be closed at once, with a warning.
    """
    from socket import socket

    def opener(purpose: int, address: Address) -> Any:
        given = function(purpose, _sockaddr(address))
        if _ALONE and type(given) is socket and sys.getrefcount(given) == _ALONE:
            return given
        if isinstance(given, bool):
            raise error("Open socket callback's return value must be a socket")
        if not isinstance(given, int):
            if not hasattr(given, "fileno"):
                raise error("Open socket callback's return value must be a socket")
            fd = given.fileno()
            if not isinstance(fd, int):
                raise error(
                    "Open socket callback returned an object whose fileno method "
                    "did not return an integer"
                )
            duplicate = os.dup(fd)  # not inheritable
            # C would leave it open: as an int it could be stdin.
            if lib.socket_family(duplicate) < 0:
                os.close(duplicate)
                raise error("Open socket callback's return value must be a socket")
            return duplicate
        if not -1 <= given < 1 << 31:
            raise OverflowError("socket value is out of range")
        return given

    return opener


def close_socket(function: Function) -> Function:
    """CLOSESOCKETFUNCTION: None is no answer."""

    def closer(fd: int) -> int:
        answer = integer(function(fd), "closesocket")
        return 1 if answer is None else answer

    return closer


def memory_view(function: Function) -> Function:
    """use_memoryview: of bytes, so that what is kept of it stays; itself it ends with the call."""

    def write(data: bytes) -> Any:
        with memoryview(data) as view:
            return function(view)

    return write


def read(function: Function) -> Function:
    """READFUNCTION: text is taken where it is ASCII."""
    return lambda size: read_answer(function(size), size, "read callback")


def read_answer(given: Any, size: int, callback: str) -> Any:
    """What a callback has given to send."""
    if isinstance(given, str):
        given = given.encode("ascii")
        if len(given) > size:
            raise error(
                f"invalid return value for {callback} ({len(given)} bytes returned after "
                f"encoding to ascii when at most {size} bytes were wanted)"
            )
    if _is_read_code(given):
        return int(given)
    try:
        view = memoryview(given)
    except TypeError:
        raise error(
            f"{callback} must return an object supporting the buffer protocol "
            "(e.g. a byte string) or an ASCII-only Unicode string"
        ) from None
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    if view.nbytes > size:
        raise error(
            f"invalid return value for {callback} ({view.nbytes} bytes returned when at "
            f"most {size} bytes were wanted)"
        )
    return given


def _is_read_code(given: object) -> bool:
    if not isinstance(given, int):
        return False
    if not -1 << 63 <= given < 1 << 63:
        raise OverflowError("Python int too large to convert to C long")
    return given in (lib.CURL_READFUNC_ABORT, lib.CURL_READFUNC_PAUSE)


def seek_answer(given: Any, callback: str) -> int:
    """What a seek callback has returned."""
    if given is None:
        return 0
    if not isinstance(given, int):
        raise error(
            f"{callback} must return 0 (CURL_SEEKFUNC_OK), 1 (CURL_SEEKFUNC_FAIL), "
            "2 (CURL_SEEKFUNC_CANTSEEK) or None"
        )
    code = integer(given, callback.removesuffix(" callback"))
    if code not in (0, 1, 2):
        raise error(f"invalid return value for {callback} {code} not in (0, 1, 2)")
    return code


def trailer(function: Function) -> Function:
    """TRAILERFUNCTION: None, or a list or tuple."""

    def trailers() -> list[bytes]:
        given = function()
        if given is not None and not isinstance(given, (list, tuple)):
            raise error("trailer callback must return None or a list/tuple of header strings")
        lines = []
        for line in given or ():
            if not isinstance(line, (str, bytes)):
                raise TypeError(
                    "list items must be byte strings or Unicode strings with ASCII code points only"
                )
            lines.append(line.encode() if isinstance(line, str) else line)
        return lines

    return trailers


def ssh_key(function: Function) -> Function:
    """SSH_KEYFUNCTION."""
    return lambda known, found, match: function(known and KhKey(*known), KhKey(*found), match)


def fnmatch(function: Function) -> Function:
    """FNMATCH_FUNCTION: bytes, and a code."""

    def matches(pattern: str, string: str) -> Any:
        names = (name.encode("utf-8", "surrogateescape") for name in (pattern, string))
        answer = function(*names)
        return int(answer) if isinstance(answer, bool) else answer

    return matches


def hsts_read(function: Function) -> Function:
    """HSTSREADFUNCTION: (host, datetime or None, whether subdomains too)."""

    def reader() -> Any:
        given = function()
        if given is None:
            return None
        if not isinstance(given, tuple) or len(given) != 3:
            raise error(
                "hstsread callback must return None or a 3-tuple (host, expire, include_subdomains)"
            )
        host, expire, subdomains = given
        if not isinstance(host, (str, bytes)):
            raise TypeError(f"expected bytes or an ASCII string, got {type(host).__name__}")
        data = host.encode("ascii") if isinstance(host, str) else host
        return data, subdomains, None if expire is None else _stamp(expire)

    return reader


def _stamp(expire: object) -> str:
    from datetime import datetime, timezone

    if not isinstance(expire, datetime):
        raise error("hstsread callback: expire must be a datetime or None")
    if expire.tzinfo is not None:
        expire = expire.astimezone(timezone.utc)
    return expire.strftime("%Y%m%d %H:%M:%S")


def hsts_write(function: Function) -> Function:
    """HSTSWRITEFUNCTION."""

    def writer(known: tuple[str, bool, str], place: tuple[int, int]) -> Any:
        from datetime import datetime

        host, subdomains, stamp = known
        expire = None
        if stamp and stamp != "unlimited":
            expire = datetime.strptime(f"{stamp}+0000", "%Y%m%d %H:%M:%S%z")
        return function(HstsEntry(host.encode(), expire, subdomains), HstsIndex(*place))

    return writer


#: What to put around a callable, by the name of its option.
WRAPPERS: dict[str, Callable[[Function], Function]] = {
    "use_memoryview": memory_view,
    "opensocketfunction": open_socket,
    "closesocketfunction": close_socket,
    "readfunction": read,
    "trailerfunction": trailer,
    "ssh_keyfunction": ssh_key,
    "fnmatch_function": fnmatch,
    "hstsreadfunction": hsts_read,
    "hstswritefunction": hsts_write,
}

# What pycurl calls a callback, whether None means success, and what stands for no integer.
ANSWERS: dict[str, tuple[str, bool, int]] = {
    "_sockoptfunction": ("sockopt", False, -1),
    "_ssh_keyfunction": ("ssh key", False, -1),
    "_ssh_hostkeyfunction": ("ssh hostkey", False, lib.CURLKHMATCH_MISMATCH),
    "_prereqfunction": ("prereq", False, -1),
    "_fnmatch_function": ("fnmatch", False, lib.CURL_FNMATCHFUNC_FAIL),
    "_resolver_start_function": ("resolver_start", True, 1),
    "_hstswritefunction": ("hstswrite", True, lib.CURLSTS_FAIL),
    "_seekfunction": ("seek", True, lib.CURL_SEEKFUNC_FAIL),
    "_ioctlfunction": ("ioctl", True, lib.CURLIOE_FAILRESTART),
    "_progressfunction": ("progress", True, 1),
    "_xferinfofunction": ("xferinfo", True, 1),
}


def answer(value: object, none: int, name: str) -> int:
    """What the callback in this slot has returned, as libcurl wants it."""
    if name in ("_writefunction", "_headerfunction"):
        if isinstance(value, int):
            if not -1 << 63 <= value < 1 << 63:
                raise OverflowError("Python int too large to convert to C long")
            return value
        raise error("write callback must return int or None")
    if name not in ANSWERS:
        return native_integer(value, none, name[1:].upper())
    label, may_be_none, failure = ANSWERS[name]
    if label == "seek":
        return seek_answer(value, "seek callback")
    if value is None and may_be_none:
        return none
    if not isinstance(value, int):
        if label in ("progress", "xferinfo"):
            return bool(value)
        if label == "ioctl":
            return failure
    code = integer(value, label)
    if code is None:
        return failure
    if label == "ioctl" and not 0 <= code <= lib.CURLIOE_FAILRESTART:
        raise error("ioctl callback returned invalid value")
    if label == "hstswrite" and not 0 <= code <= lib.CURLSTS_FAIL:
        raise error("hstswrite callback returned an invalid CURLSTScode")
    return code
