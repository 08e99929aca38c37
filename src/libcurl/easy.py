"""`Easy`: libcurl's easy interface."""

from __future__ import annotations

import os
from operator import index

from libcurl._native import ffi, lib
from libcurl.data import save
from libcurl.engine import Engine
from libcurl.options import SPECIAL, by_name, find
from libcurl.special import METHODS, SETTERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, BinaryIO

    from typing_extensions import Self, Unpack

    from libcurl._options import Infos, Options
    from libcurl.headers import Headers

__all__ = ["Easy"]

_unpack = ffi.unpack


class Easy(Engine):
    """One transfer at a time, and what it leaves behind: connections, cookies, TLS sessions.

    Options are keywords in lower case, as the loaded libcurl lists them (`libcurl.options()`):
    `Easy(url="https://curl.se/", followlocation=True)` is curl_easy_init and two curl_easy_setopt.

    Without `writefunction` and `writedata` the body is collected in memory: see `body`. A handle is used
    by one thread at a time; another gets a RuntimeError. A closed one raises ValueError.
    """

    __slots__ = ()

    _special = SETTERS

    def __init__(self, **options: Unpack[Options]) -> None:
        """Make a handle (curl_easy_init) and set options."""
        self._begin()
        if options:
            self._set_many(options)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"<{type(self).__name__} closed>"
        return f"<{type(self).__name__} {self._handle.id}>"

    def __copy__(self) -> Self:
        raise TypeError("a handle is not copied: use duphandle()")

    def __reduce__(self) -> str:
        raise TypeError(f"cannot pickle {type(self).__name__}")

    # -- Options ---------------------------------------------------------------------------------

    def set(self, **options: Unpack[Options]) -> None:
        """Set options by keyword (curl_easy_setopt), in order. None unsets one.

        Numbers are ints (bools and enums too), strings are str (sent as UTF-8), bytes or paths, lists are
        iterables of strings and replace what was set (an empty one clears), blobs are bytes-like.
        Raises TypeError for an unknown name or a value of the wrong type, ValueError for one that libcurl
        could not take, NotSupported for an option that the loaded libcurl lacks, Error for what it refuses.
        """
        self._set_many(options)  # type: ignore[arg-type]

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
        self._reset()

    def duphandle(self) -> Self:
        """A new handle with the same options and callables (curl_easy_duphandle), not the connections."""
        handle = lib.easy_duplicate(self._handle)
        if not handle:
            if self.closed:
                raise self._error(lib.HANDLE_CLOSED)
            raise MemoryError("curl_easy_duphandle failed")
        twin: Self = type(self).__new__(type(self))
        twin._begin(handle)
        twin._settings = dict(self._settings)
        for option, value in self._settings.items():
            # Those that decide the method are set again among the bodies that do, in their order.
            if option.kind == SPECIAL or option.id in METHODS:
                twin._set(option, value)
        for number, function in self._callbacks.items():
            twin._set(find(number), function)
        if self._closer is not None:
            twin._set(by_name["closesocketfunction"], self._closer.function)
        return twin

    # -- Transfer --------------------------------------------------------------------------------

    def perform(self) -> None:
        """Do the transfer and wait for its end (curl_easy_perform), the GIL released.

        Raises Error (OperationTimedOut, CouldntConnect, ...) when it fails, and the very exception when
        a callback raised one. A response of status 404 is a success, unless `failonerror` is set.
        Ctrl-C ends it.
        """
        code = self._transfer()
        if (
            code
            or self._exception is not None
            or self._cache is not None
            or self._share is not None
        ):
            self._after(code)

    def fetch(self) -> bytes:
        """perform(), and the body."""
        self.perform()
        return self.body

    @property
    def body(self) -> bytes:
        """What the last transfer received; empty where a write callback or file took it."""
        body = self._body
        if body is None:
            handle = self._handle
            if not handle.curl:
                raise self._error(lib.HANDLE_CLOSED)
            size = handle.body.size
            body = self._body = _unpack(handle.body.data, size) if size else b""
        return body

    def download(self, target: str | os.PathLike[str] | BinaryIO) -> int:
        """Perform, with the body going to a file. Returns its size in bytes.

        A path is written beside itself and renamed when the transfer has succeeded; on failure nothing is
        left behind. A file, opened for writing in binary mode, is written to where it stands. Takes the
        place of `writefunction` and `writedata` for this transfer.
        """
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

        Returns how many bytes went out; raises NotReady where the socket would have to be waited for.
        """
        buffer = ffi.from_buffer(data)
        sent = ffi.new("size_t *")
        self._after(lib.easy_send(self._handle, buffer, len(buffer), sent))
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

    def upkeep(self) -> None:
        """Keep idle connections alive: HTTP/2 pings and the like (curl_easy_upkeep)."""
        self._after(lib.easy_upkeep(self._handle))

    # -- What is known of the transfer -----------------------------------------------------------

    def getinfo(self, info: int | str) -> Any:
        """An info of the last transfer (curl_easy_getinfo): an `Info`, its number, or its name.

        str (decoded as UTF-8 with surrogateescape) or None, int, float, list of str; for CERTINFO a list of
        certificates, each a list of (name, value); for ACTIVESOCKET a descriptor or -1; for PRIVATE the
        object that was set; for the pointers of TLS libraries an address.
        """
        from libcurl.infos import getinfo

        return getinfo(self, info)

    def getinfo_raw(self, info: int | str) -> Any:
        """As getinfo, with bytes for str."""
        from libcurl.infos import getinfo_raw

        return getinfo_raw(self, info)

    @property
    def info(self) -> Infos:
        """Infos as attributes: `easy.info.response_code`."""
        from libcurl.infos import Infos as View

        return View(self)  # type: ignore[return-value]

    @property
    def headers(self) -> Headers:
        """The headers of the last response (curl_easy_nextheader, libcurl 7.83)."""
        from libcurl.headers import Headers

        return Headers(self)
