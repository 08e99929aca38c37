"""`Easy`: libcurl's easy interface."""

from __future__ import annotations

import os
from _operator import index

from libcurl._native import ffi, lib
from libcurl.engine import _RUNNING, SLICE, Engine, Purposes
from libcurl.options import find
from libcurl.registry import Closing, interruptions
from libcurl.settings import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, BinaryIO

    from typing_extensions import Self, Unpack

    from libcurl._options import Infos, Options
    from libcurl.cookies import Cookie
    from libcurl.headers import Headers
    from libcurl.options import Option
    from libcurl.sessions import TLSSession
    from libcurl.websocket import WsFrame

__all__ = ["Easy"]

_unpack = ffi.unpack
_fetch = lib.easy_fetch
_reset_later = lib.easy_reset_later
_set_again = lib.easy_set_again
_fetch_on = lib.easy_fetch_on
_fetched = lib.easy_fetched
_NO_SIZE = lib.NO_SIZE
_FETCHING = lib.NO_SIZE + lib.HANDLE_RUNNING
_infos: Any = None  # the module, once there is something to look up


def _load_infos() -> Any:
    global _infos
    import libcurl.infos as module

    _infos = module
    return module


class _SockTypes(Purposes):
    """The same as members of SockType, made when there is a callback to show them to."""

    def __missing__(self, purpose: int) -> int:
        from libcurl.constants import SockType

        return self.setdefault(purpose, SockType(purpose))


class Easy(Closing, Engine):
    """One transfer at a time, and what it leaves behind: connections, cookies, TLS sessions.

    Options are keywords in lower case, as the loaded libcurl lists them (`libcurl.options()`):
    `Easy(url="https://curl.se/", followlocation=True)` is curl_easy_init and two curl_easy_setopt.

    Without `writefunction` and `writedata` the body is collected in memory: see `body`. A handle is
    used by one thread at a time; another gets a RuntimeError. A closed one raises ValueError.
    """

    __slots__ = ("_functions",)

    _purposes = _SockTypes()

    def _load_special(self) -> dict[str, Callable[[Any, Option, Any], None]]:
        from libcurl.special import SETTERS

        Easy._special = SETTERS
        return SETTERS

    def _hold_functions(self) -> Any:
        from libcurl.special import Functions

        self._functions = Functions()
        return self._functions

    def _begin(self, handle: Any = None) -> None:
        super()._begin(handle)
        self._functions = None

    def __init__(self, **options: Unpack[Options]) -> None:
        """Make a handle (curl_easy_init) and set options."""
        self._begin()
        if options:
            self._set_many(options)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        if self.closed:
            return f"<{type(self).__name__} closed>"
        return f"<{type(self).__name__} {self._handle.id}>"

    def __copy__(self) -> Self:
        raise TypeError("a handle is not copied: use duphandle()")

    # -- Options ---------------------------------------------------------------------------------

    def set(self, /, **options: Unpack[Options]) -> None:
        """Set options by keyword (curl_easy_setopt), in order. None unsets one.

        Numbers are ints (bools and enums too), strings are str (sent as UTF-8), bytes or paths,
        lists are iterables of strings and replace what was set (an empty one clears), blobs are
        bytes-like. Raises TypeError for an unknown name or a value of the wrong type, ValueError
        for one that libcurl could not take, NotSupported for an option that the loaded libcurl
        lacks, Error for what it refuses.
        """
        memo = self._memo
        if memo is None:
            self._set_anew(options)  # type: ignore[arg-type]
            return
        count, values_of, before, numbers, gcd, settings = memo
        if len(options) != count:
            self._set_anew(options)  # type: ignore[arg-type]
            return
        try:
            values = values_of(options)
            gcd(*values[numbers])  # 5.0 == 5, but has no divisors
        except (KeyError, TypeError):
            values = ()
        if (
            values != before
            or self._sockets is not None
            or _set_again(self._handle)
            or memo is not self._memo  # in another thread
        ):
            self._set_anew(options)  # type: ignore[arg-type]
        elif self._settings is NOTHING:
            self._settings = settings
        else:
            for option, value in settings.items():
                self._remember(option, value)

    def setopt(self, option: int | str, value: Any) -> None:
        """Set one option (curl_easy_setopt): an `Opt`, its number, or its name; None unsets."""
        self._set(find(option), value)

    def unset(self, *options: int | str) -> None:
        """Give options back the value that libcurl has by default.

        Not during a transfer, callbacks and lists excepted.
        """
        self._unset([find(option) for option in options])

    def reset(self) -> None:
        """All options back to libcurl's defaults (curl_easy_reset).

        Connections, cookies, TLS sessions, the DNS cache and the share stay.
        """
        if self._sockets is not None or _reset_later(self._handle):
            self._reset()
        else:
            self._settings = NOTHING
            self._body = None

    def duphandle(self) -> Self:
        """A new handle with the same options and callables (curl_easy_duphandle), not the connections."""
        depth = lib.easy_depth(self._handle)
        try:
            self._enter()  # until the twin has pointers of its own
            if self._handle.dropping:  # and not as it was any more
                raise self._error(lib.CURLE_RECURSIVE_API_CALL)
            twin: Self = type(self).__new__(type(self))
            handle = ffi.new("easy *")
            if lib.easy_duplicate(self._handle, handle):
                raise MemoryError("curl_easy_duphandle failed")
            twin._begin(handle)
            self._copy_to(twin)
        finally:
            lib.easy_leave_to(self._handle, depth)
        return twin

    # -- Transfer --------------------------------------------------------------------------------

    def perform(self) -> None:
        """Do the transfer and wait for its end (curl_easy_perform), the GIL released.

        Raises Error (OperationTimedOut, CouldntConnect, ...) when it fails, and the very exception
        when a callback raised one. A response of status 404 is a success, unless `failonerror` is
        set. Ctrl-C ends it.
        """
        code = self._transfer()
        if (
            code
            or self._exception is not None
            or (self._cache is not None and self._cache.released)
            or self._share is not None
            or interruptions
        ):
            self._after(code)

    def fetch(self) -> bytes:
        """perform(), and the body, which is never copied where its length is known beforehand."""
        view = self._view
        if view is None or self._sockets is not None:
            view = self._prepare_fetch()
        handle = self._handle
        self._body = None
        body: bytes = b""
        try:
            size = _fetch(handle)
            while size == _FETCHING:
                size = _fetch_on(handle)
            if size >= 0:
                body = view[:size]
                if _fetched(handle):
                    self._after(0)
                return body
            if size == _NO_SIZE:
                body = self._body = self._fetched_body()
                _fetched(handle)
        except BaseException:
            self._give_up()
            raise
        self._after(size - _NO_SIZE)
        return body

    def _prepare_fetch(self) -> Any:
        """Do what comes before the transfer. Returns where a small body will be seen, if that is all."""
        if self._view is None:
            self._check()
            self._look_at_bodies()
        self._prepare()
        return self._view

    @property
    def body(self) -> bytes:
        """What the last transfer received; empty where a write callback or file took it."""
        body = self._body
        if body is None:
            if self._in_transfer():
                return self._peek_body()
            body = self._body = self._take_body()
        return body

    def stream(self) -> Generator[bytes, None, None]:
        """Do the transfer, and yield its body as it arrives.

        Nothing is received between two pieces, so little of the body is ever in memory (but for file:
        URLs, which libcurl reads in one go). Raises what perform() raises; closing the iterator early
        aborts the transfer.
        """
        handle = self._handle
        if not self._collects():
            raise ValueError("a transfer with a writefunction or writedata cannot be streamed")
        if self._end is None:
            self._insure()
        if self._sockets is not None:
            self._sockets.begin(self)
        code = _RUNNING
        transfers = handle.transfers
        try:
            code = lib.easy_stream(handle, SLICE)
            if handle.transfers == transfers:
                self._after(code)  # it could not begin
            self._body = None
            while True:
                if handle.curl and handle.body.size:
                    piece = self._take_body()
                    if piece:  # or another thread has taken it
                        yield piece
                if code != _RUNNING:
                    break
                code = lib.easy_stream_on(handle, SLICE)
        finally:
            if code == _RUNNING:
                lib.easy_abandon(handle)
                self._after(0)
        self._body = b"" if handle.curl else None
        self._after(code)

    def download(self, target: str | os.PathLike[str] | BinaryIO) -> int:
        """Perform, with the body going to a file. Returns its size in bytes.

        A path is written beside itself and renamed when the transfer has succeeded; on failure
        nothing is left behind. A file, opened for writing in binary mode, is written to where it
        stands. Takes the place of `writefunction` and `writedata` for this transfer.
        """
        from libcurl.data import save

        return save(self, target)

    def pause(self, bitmask: int = lib.CURLPAUSE_ALL) -> None:
        """Pause the directions in `bitmask` (Pause), and unpause the others (curl_easy_pause).

        For use in callbacks, or in a multi; from the thread that drives the transfer.
        """
        self._after(lib.easy_pause(self._handle, index(bitmask)))

    def unpause(self) -> None:
        """Unpause both directions."""
        self.pause(lib.CURLPAUSE_CONT)

    def send(self, data: Any) -> int:
        """Send over the connection of a `connect_only` transfer (curl_easy_send).

        Returns how many bytes went out; raises NotReady where the socket would have to be waited
        for.
        """
        sent = ffi.new("size_t *")
        with ffi.from_buffer(data) as buffer:
            code = lib.easy_send(self._handle, buffer, len(buffer), sent)
        self._after(code)
        return int(sent[0])

    def recv(self, size: int) -> bytes:
        """Receive at most `size` bytes over the connection of a `connect_only` transfer (curl_easy_recv).

        Returns b"" at the end; raises NotReady where there is nothing yet.
        """
        buffer = ffi.new("char[]", index(size))
        received = ffi.new("size_t *")
        self._after(lib.easy_recv(self._handle, buffer, len(buffer), received))
        data: bytes = _unpack(buffer, received[0])
        return data

    def ws_send(self, data: Any, flags: int | None = None, fragsize: int = 0) -> int:
        """Send a WebSocket frame, or a piece of one (curl_ws_send, libcurl 7.86).

        Over the connection of a `connect_only=2` transfer, or in a callback. `flags` are `WS` bits;
        without, str is a text and bytes a binary frame. Returns how many bytes libcurl took, which
        may be fewer: the rest is sent with the same flags. With `WS.OFFSET` a frame of `fragsize`
        bytes is sent in pieces. Raises NotReady where the socket would have to be waited for.
        """
        from libcurl.websocket import ws_send

        return ws_send(self, data, flags, fragsize)

    def ws_recv(self, size: int) -> tuple[bytes, WsFrame]:
        """At most `size` bytes of a WebSocket frame, and what is known of it (curl_ws_recv, 7.86).

        Over the connection of a `connect_only=2` transfer. Raises NotReady where there is nothing
        yet, and PeerGone at the end.
        """
        from libcurl.websocket import ws_recv

        return ws_recv(self, size)

    def ws_meta(self) -> WsFrame | None:
        """In a write callback, the frame that is delivered; else None (curl_ws_meta, 7.86)."""
        from libcurl.websocket import ws_meta

        return ws_meta(self)

    def ws_start_frame(self, flags: int, size: int) -> None:
        """In a read callback: what it returns from now on is a frame of this size (libcurl 8.16).

        curl_ws_start_frame; without, all that a read callback returns goes out as binary frames.
        """
        from libcurl.websocket import ws_start_frame

        ws_start_frame(self, flags, size)

    def ssls_export(self) -> list[TLSSession]:
        """The TLS sessions in the cache of this handle's share (curl_easy_ssls_export, libcurl 8.12).

        Without a share that has them (`LockData.SSL_SESSION`) libcurl has a cache for multis only:
        there are none before the handle is in one.
        """
        from libcurl.sessions import ssls_export

        return ssls_export(self)

    def ssls_import(self, session: TLSSession) -> None:
        """Put a TLS session into the cache of this handle's share (curl_easy_ssls_import, 8.12)."""
        from libcurl.sessions import ssls_import

        ssls_import(self, session)

    def upkeep(self) -> None:
        """Keep idle connections alive: HTTP/2 pings and the like (curl_easy_upkeep)."""
        self._after(lib.easy_upkeep(self._handle))

    # -- What is known of the transfer -----------------------------------------------------------

    def getinfo(self, info: int | str) -> Any:
        """An info of the last transfer (curl_easy_getinfo): an `Info`, its number, or its name.

        str (decoded as UTF-8 with surrogateescape) or None, int, float, list of str; for CERTINFO a
        list of certificates, each a list of (name, value); for ACTIVESOCKET a descriptor or -1; for
        PRIVATE the object that was set; for the pointers of TLS libraries an address.
        """
        return (_infos or _load_infos()).getinfo(self, info)

    def getinfo_raw(self, info: int | str) -> Any:
        """As getinfo, with bytes for str."""
        return (_infos or _load_infos()).getinfo_raw(self, info)

    @property
    def info(self) -> Infos:
        """Infos as attributes: `easy.info.response_code`."""
        infos: Infos = (_infos or _load_infos()).Infos(self)
        return infos

    @property
    def cookies(self) -> list[Cookie]:
        """All cookies; none before `cookiefile` (it may be "") or another option of theirs is set.

        One is set with `set(cookielist=cookie)`, which also takes a line of a cookie file, a
        Set-Cookie header and the commands "ALL", "SESS", "FLUSH" and "RELOAD".
        """
        from libcurl.cookies import cookies

        return cookies(self)

    @property
    def headers(self) -> Headers:
        """The headers of the last response (curl_easy_nextheader, libcurl 7.83)."""
        from libcurl.headers import Headers

        return Headers(self)
