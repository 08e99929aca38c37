"""From libcurl into Python: every function that C calls for what a handle was given.

The story of a callback:

1. The user sets a callable; the handle keeps it in a slot of its own, and tells C to install the
   trampoline of that option (`_native/callbacks.c`), with the C part of the handle as its data.
2. Python keeps the handle in `handles` (`registry`), under a number that is never used twice, by
   weak reference.
3. libcurl calls the trampoline, in the thread that drives the transfer, which let go of the GIL.
4. The trampoline passes the number to a function of this module, which takes the GIL.
5. It finds the handle and the callable, converts arguments, calls, and converts what is returned.
6. An exception goes to `failed`, which hands it to the handle: it is kept, and C's `stopped` is set,
   so that no callback of this transfer is entered any more and libcurl ends it.
7. The call that drives the transfer returns to Python, finds the exception and raises it.

Callbacks come at the latest while their handle is closed; C makes sure of that by closing before it
frees. The closer of a socket is another matter: `connections` tells its story.
"""

from __future__ import annotations

import os
from _io import BytesIO

from libcurl._native import ffi, lib
from libcurl.registry import failed, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_unpack = ffi.unpack
_SOCKOPT_MOST: int = lib.CURL_SOCKOPT_ALREADY_CONNECTED
# What a callback may return. Those that return a size may go beyond a signed int.
_INT_LEAST, _INT_MOST = -1 << 31, (1 << 32) - 1
_string = ffi.string


def ask(easy: int, name: str, none: int, *arguments: object) -> int:
    """Call a callable of a handle; its answer, `none` for None."""
    handle = find(easy)
    return handle._answer(getattr(handle._functions, name)(*arguments), none, name)  # type: ignore[no-any-return]


def text(string: Any) -> str:
    """A C string of libcurl's."""
    found: bytes = _string(string)
    return found.decode("utf-8", "surrogateescape")


# The body and the headers.


@ffi.def_extern(error=lib.CURL_WRITEFUNC_ERROR, onerror=failed)
def python_write(easy: int, data: Any, size: int) -> int:
    """CURLOPT_WRITEFUNCTION."""
    handle = find(easy)
    taken = handle._functions._writefunction(_unpack(data, size))
    return size if taken is None else handle._answer(taken, size, "_writefunction") & _SIZE_MAX


@ffi.def_extern(error=1, onerror=failed)
def python_headers(easy: int, data: Any, size: int, sizes: Any, count: int) -> int:
    """CURLOPT_HEADERFUNCTION, for the lines of a block. 0: all were taken."""
    handle = find(easy)
    functions = handle._functions
    block = _unpack(data, size)
    lines = BytesIO(block).readlines()  # by memchr, at half the cost of splitlines
    if len(lines) != count:  # one of them has no end, or another within
        lines = _cut(block, _unpack(sizes, count))
    for line in lines:
        try:
            function = functions._headerfunction
        except AttributeError:  # unset by one of the lines before
            break
        taken = function(line)
        if taken is not None and handle._answer(taken, len(line), "_headerfunction") != len(line):
            handle._refused()
            return 1
    return 0


def _cut(block: bytes, sizes: list[int]) -> list[bytes]:
    """Pieces of these sizes."""
    lines = []
    begin = 0
    for size in sizes:
        lines.append(block[begin : begin + size])
        begin += size
    return lines


@ffi.def_extern(error=1, onerror=failed)
def python_flush(easy: int) -> int:
    """Before more of a body is written to the user's file: what the user has written there."""
    handle = find(easy)
    if handle is not None:
        handle._flush()
    return 0


@ffi.def_extern(error=lib.CURL_WRITEFUNC_ERROR, onerror=failed)
def python_interleave(easy: int, data: Any, size: int) -> int:
    """CURLOPT_INTERLEAVEFUNCTION."""
    taken = ask(easy, "_interleavefunction", size, _unpack(data, size))
    return taken & _SIZE_MAX


@ffi.def_extern(error=lib.CURL_READFUNC_ABORT, onerror=failed)
def python_read(easy: int, data: Any, size: int) -> int:
    """CURLOPT_READFUNCTION: bytes of at most `size`, or one of the READFUNC codes."""
    handle = find(easy)
    # libcurl goes on with the function that a transfer began with, set or not.
    function = getattr(handle._functions, "_readfunction", None)
    if function is None:
        raise RuntimeError("CURLOPT_READFUNCTION was unset in the transfer that reads from it")
    return deliver(function(size), data, size, "CURLOPT_READFUNCTION")


_NO_DATA = (lib.CURL_READFUNC_ABORT, lib.CURL_READFUNC_PAUSE, 0)


def deliver(given: Any, data: Any, size: int, source: str) -> int:
    """What a read callback has returned goes to libcurl."""
    if type(given) is not bytes:
        if isinstance(given, int):
            if given not in _NO_DATA:
                raise ValueError(f"{source} returned {given}, expected bytes, ABORT or PAUSE")
            return given
        if given is None or isinstance(given, str):
            raise TypeError(f"{source} returned {type(given).__name__}, expected bytes or an int")
        given = bytes(memoryview(given))
    if len(given) > size:
        raise ValueError(f"{source} returned {len(given)} bytes where {size} were asked for")
    ffi.memmove(data, given, len(given))
    return len(given)


@ffi.def_extern(error=lib.CURL_SEEKFUNC_FAIL, onerror=failed)
def python_seek(easy: int, offset: int, origin: int) -> int:
    """CURLOPT_SEEKFUNCTION."""
    return ask(easy, "_seekfunction", lib.CURL_SEEKFUNC_OK, offset, origin)


@ffi.def_extern(error=lib.CURLIOE_FAILRESTART, onerror=failed)
def python_ioctl(easy: int, command: int) -> int:
    """CURLOPT_IOCTLFUNCTION."""
    return ask(easy, "_ioctlfunction", lib.CURLIOE_OK, command)


@ffi.def_extern(error=lib.CURL_TRAILERFUNC_ABORT, onerror=failed)
def python_trailer(easy: int, list_: Any) -> int:
    """CURLOPT_TRAILERFUNCTION: an iterable of "Name: value"."""
    handle = find(easy)
    for line in handle._functions._trailerfunction() or ():
        if not lib.list_append(list_, line.encode() if isinstance(line, str) else bytes(line)):
            raise MemoryError
    return lib.CURL_TRAILERFUNC_OK  # type: ignore[no-any-return]


# Progress and debugging.


@ffi.def_extern(error=1, onerror=failed)
def python_xferinfo(easy: int, dltotal: int, dlnow: int, ultotal: int, ulnow: int) -> int:
    """CURLOPT_XFERINFOFUNCTION."""
    return ask(easy, "_xferinfofunction", 0, dltotal, dlnow, ultotal, ulnow)


@ffi.def_extern(error=1, onerror=failed)
def python_progress(easy: int, dltotal: float, dlnow: float, ultotal: float, ulnow: float) -> int:
    """CURLOPT_PROGRESSFUNCTION."""
    return ask(easy, "_progressfunction", 0, dltotal, dlnow, ultotal, ulnow)


@ffi.def_extern(error=0, onerror=failed)
def python_debug(easy: int, type: int, data: Any, size: int) -> int:
    """CURLOPT_DEBUGFUNCTION: what it returns is libcurl's to ignore."""
    handle = find(easy)
    handle._functions._debugfunction(type, _unpack(data, size))
    return 0


# Resolving, and the request about to go out.


@ffi.def_extern(error=1, onerror=failed)
def python_resolver_start(easy: int, resolver: Any) -> int:
    """CURLOPT_RESOLVER_START_FUNCTION."""
    return ask(easy, "_resolver_start_function", 0)


@ffi.def_extern(error=lib.CURL_PREREQFUNC_ABORT, onerror=failed)
def python_prereq(
    easy: int, primary_ip: Any, local_ip: Any, primary_port: int, local_port: int
) -> int:
    """CURLOPT_PREREQFUNCTION."""
    addresses = text(primary_ip), text(local_ip), primary_port, local_port
    return ask(easy, "_prereqfunction", lib.CURL_PREREQFUNC_OK, *addresses)


# TLS, SSH, HSTS.


@ffi.def_extern(error=lib.CURLE_ABORTED_BY_CALLBACK, onerror=failed)
def python_ssl_ctx(easy: int, ssl_ctx: Any) -> int:
    """CURLOPT_SSL_CTX_FUNCTION: the TLS library's context, as an address."""
    return ask(easy, "_ssl_ctx_function", lib.CURLE_OK, int(ffi.cast("uintptr_t", ssl_ctx)))


def _key(key: Any) -> tuple[bytes, int] | None:
    """A key of SSH; libcurl gives a length where it is no string."""
    if not key:
        return None
    return (_unpack(key.key, key.len) if key.len else _string(key.key)), key.keytype


@ffi.def_extern(error=lib.CURLKHSTAT_REJECT, onerror=failed)
def python_sshkey(easy: int, known: Any, found: Any, match: int) -> int:
    """CURLOPT_SSH_KEYFUNCTION: keys are (bytes, CURLKHTYPE)."""
    return ask(easy, "_ssh_keyfunction", lib.CURLKHSTAT_REJECT, _key(known), _key(found), match)


@ffi.def_extern(error=lib.CURLKHMATCH_MISMATCH, onerror=failed)
def python_sshhostkey(easy: int, type: int, key: Any, size: int) -> int:
    """CURLOPT_SSH_HOSTKEYFUNCTION."""
    return ask(easy, "_ssh_hostkeyfunction", lib.CURLKHMATCH_MISMATCH, type, _unpack(key, size))


@ffi.def_extern(error=lib.CURLSTS_FAIL, onerror=failed)
def python_hstsread(easy: int, entry: Any) -> int:
    """CURLOPT_HSTSREADFUNCTION: (host, include_subdomains, expire), None when there are no more."""
    handle = find(easy)
    given = handle._functions._hstsreadfunction()
    if given is None:
        return lib.CURLSTS_DONE  # type: ignore[no-any-return]
    host, subdomains, expire = given
    name = host.encode("idna") if isinstance(host, str) else bytes(host)
    if len(name) >= entry.namelen:
        raise ValueError("CURLOPT_HSTSREADFUNCTION returned a host name that is too long")
    stamp = (expire or "").replace("unlimited", "").encode("ascii")
    if len(stamp) > 17:
        raise ValueError('CURLOPT_HSTSREADFUNCTION: expected an expiry of "YYYYMMDD HH:MM:SS"')
    ffi.memmove(entry.name, name + b"\0", len(name) + 1)
    ffi.memmove(entry.expire, stamp + b"\0", len(stamp) + 1)
    entry.includeSubDomains = bool(subdomains)
    return lib.CURLSTS_OK  # type: ignore[no-any-return]


@ffi.def_extern(error=lib.CURLSTS_FAIL, onerror=failed)
def python_hstswrite(easy: int, entry: Any, place: Any) -> int:
    """CURLOPT_HSTSWRITEFUNCTION."""
    from libcurl.hsts import HSTSEntry, HSTSIndex

    known = HSTSEntry(text(entry.name), bool(entry.includeSubDomains), text(entry.expire))
    which = HSTSIndex(place.index, place.total)
    return ask(easy, "_hstswritefunction", lib.CURLSTS_OK, known, which)


# FTP's wildcards.


@ffi.def_extern(error=lib.CURL_FNMATCHFUNC_FAIL, onerror=failed)
def python_fnmatch(easy: int, pattern: Any, string: Any) -> int:
    """CURLOPT_FNMATCH_FUNCTION: True or False as Python's fnmatch, or a FNMATCHFUNC code."""
    handle = find(easy)
    answer = handle._functions._fnmatch_function(text(pattern), text(string))
    if isinstance(answer, bool):
        answer = lib.CURL_FNMATCHFUNC_MATCH if answer else lib.CURL_FNMATCHFUNC_NOMATCH
    return handle._answer(answer, lib.CURL_FNMATCHFUNC_NOMATCH, "_fnmatch_function")  # type: ignore[no-any-return]


@ffi.def_extern(error=lib.CURL_CHUNK_BGN_FUNC_FAIL, onerror=failed)
def python_chunk_bgn(easy: int, info: Any, remains: int) -> int:
    """CURLOPT_CHUNK_BGN_FUNCTION: what is known of the file, and how many come after it."""
    strings = {
        name: text(value)
        for name in ("time", "perm", "user", "group", "target")
        if (value := getattr(info.strings, name))
    }
    known = {
        "filename": text(info.filename),
        "filetype": info.filetype,
        "size": info.size if info.flags & lib.CURLFINFOFLAG_KNOWN_SIZE else None,
        "perm": info.perm if info.flags & lib.CURLFINFOFLAG_KNOWN_PERM else None,
        "strings": strings,
    }
    from types import SimpleNamespace

    file = SimpleNamespace(**known)
    return ask(easy, "_chunk_bgn_function", lib.CURL_CHUNK_BGN_FUNC_OK, file, remains)


@ffi.def_extern(error=lib.CURL_CHUNK_END_FUNC_FAIL, onerror=failed)
def python_chunk_end(easy: int) -> int:
    """CURLOPT_CHUNK_END_FUNCTION."""
    return ask(easy, "_chunk_end_function", lib.CURL_CHUNK_END_FUNC_OK)


# Sockets. The closer is in `connections`.


_opens = ffi.def_extern(error=lib.CURL_SOCKET_BAD, onerror=failed)


@_opens
def python_opensocket(
    easy: int, purpose: int, family: int, socktype: int, protocol: int, data: Any, size: int
) -> int:
    """CURLOPT_OPENSOCKETFUNCTION for the first time: `address` is imported, and is called from then on."""
    from libcurl import address

    return _opens(address.python_opensocket)(easy, purpose, family, socktype, protocol, data, size)


@ffi.def_extern(error=0, onerror=failed)
def python_wrong_socket(easy: int, fd: int, found: int, family: int) -> int:
    """What an opener has given is no socket for the address."""
    reason = (
        f"{fd}: {os.strerror(-found)}"
        if found < 0
        else f"a socket of family {found} for an address of family {family}"
    )
    raise ValueError(f"CURLOPT_OPENSOCKETFUNCTION returned {reason}")


@ffi.def_extern(error=0, onerror=failed)
def python_judge(easy: int, fd: int, purpose: int, address: Any, asked: Any) -> bool:
    """Whether an address policy allows what the opener has opened."""
    handle = find(easy)
    allowed: bool = handle._sockets.judge(fd, purpose, address, asked)
    return allowed


@ffi.def_extern(error=lib.CURL_SOCKOPT_ERROR, onerror=failed)
def python_sockopt(easy: int, fd: int, purpose: int) -> int:
    """CURLOPT_SOCKOPTFUNCTION."""
    handle = find(easy)
    answer = handle._functions._sockoptfunction(fd, handle._purposes[purpose])
    if type(answer) is int and 0 <= answer <= _SOCKOPT_MOST:
        return answer
    return handle._answer(answer, 0, "_sockoptfunction")  # type: ignore[no-any-return]


# Multi handles.


@ffi.def_extern(error=-1, onerror=failed)
def python_socket(multi: int, easy: int, fd: int, what: int) -> int:
    """CURLMOPT_SOCKETFUNCTION. A multi that is on its way out has no one left to tell."""
    handle = find(multi)
    if handle is None:
        return 0
    data = handle._assigned.get(fd)
    if what == lib.CURL_POLL_REMOVE:
        handle._assigned.pop(fd, None)
    answer = handle._watch(handle._easies.get(easy), fd, what, data)
    return handle._answer(answer, 0, "socket")  # type: ignore[no-any-return]


@ffi.def_extern(error=-1, onerror=failed)
def python_timer(multi: int, milliseconds: int) -> int:
    """CURLMOPT_TIMERFUNCTION."""
    handle = find(multi)
    if handle is None:
        return 0
    answer = handle._callbacks[lib.CURLMOPT_TIMERFUNCTION](milliseconds)
    return handle._answer(answer, 0, "timer")  # type: ignore[no-any-return]


@ffi.def_extern(error=lib.CURL_PUSH_DENY, onerror=failed)
def python_push(multi: int, parent: int, curl: Any, pushed: Any, headers: Any, count: int) -> int:
    """CURLMOPT_PUSHFUNCTION: the headers are (name, value) of the request that is promised."""
    handle = find(multi)
    fields = []
    for number in range(count):
        line: bytes = _string(lib.curl_pushheader_bynum(headers, number))
        colon = line.index(b":", 1)
        fields.append((line[:colon].decode("latin-1"), line[colon + 1 :].decode("latin-1")))
    answer: int = handle._pushed(handle._easies.get(parent), curl, pushed, fields)
    return answer


@ffi.def_extern(onerror=failed)
def python_notify(multi: int, notification: int, easy: int) -> None:
    """CURLMOPT_NOTIFYFUNCTION."""
    handle = find(multi)
    if handle is not None:
        handle._callbacks[lib.CURLMOPT_NOTIFYFUNCTION](notification, handle._easies.get(easy))


_SIZE_MAX: int = (1 << 8 * ffi.sizeof("size_t")) - 1
