"""`AsyncCurlMulti`: a CurlMulti for asyncio, as pycurl has it.

Every transfer is a future. An exception that a callback of a transfer has raised is its future's, and a
handle that is closed in flight cancels its own, so that nothing waits for ever.
"""

from __future__ import annotations

from libcurl._native import lib
from libcurl.pycurl.common import error
from libcurl.pycurl.curl import Curl
from libcurl.pycurl.multi import CurlMulti
from libcurl.raw import absent

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable
    from typing import Any

    from typing_extensions import Self

_NOTIFIES = "curl_multi_notify_enable" not in absent
_OWN = {
    lib.CURLMOPT_SOCKETFUNCTION: "M_SOCKETFUNCTION",
    lib.CURLMOPT_TIMERFUNCTION: "M_TIMERFUNCTION",
}
if _NOTIFIES:
    _OWN[lib.CURLMOPT_NOTIFYFUNCTION] = "M_NOTIFYFUNCTION"


class _SocketState:
    """What the loop watches a descriptor for."""

    __slots__ = ("read_registered", "write_registered")

    def __init__(self) -> None:
        self.read_registered = False
        self.write_registered = False


class _Multi(CurlMulti):
    """Hands what a transfer's callbacks raise to its future."""

    __slots__ = ("owner",)

    owner: AsyncCurlMulti

    def _raised(self, curl: Curl, exception: BaseException) -> None:
        if isinstance(exception, Exception):
            curl._cause = exception
            self.owner._raised[curl] = exception
        else:
            super()._raised(curl, exception)

    def _forget(self, easy: Any) -> None:
        super()._forget(easy)
        self.owner._left(easy)


class AsyncCurlMulti:
    """Transfers as futures of asyncio.

        async with pycurl.AsyncCurlMulti() as multi:
            curl = pycurl.Curl()
            curl.setopt(pycurl.URL, "https://example.com")
            await multi.perform(curl)

    Bound to the loop in which the first handle is added; that has to be one with add_reader.
    """

    def __init__(self, close_handles: bool = False) -> None:
        """With `close_handles`, aclose() closes the handles that are in flight."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._futures: dict[Curl, asyncio.Future[Curl]] = {}
        self._raised: dict[Curl, BaseException] = {}
        self._assigned_fds: set[int] = set()
        self._timer: asyncio.Handle | None = None
        self._notify_handle: asyncio.Handle | None = None
        self._closing = False
        self._multi = _Multi()
        self._multi.owner = self
        self._multi._close_handles = close_handles
        self._multi.setopt(lib.CURLMOPT_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(lib.CURLMOPT_TIMERFUNCTION, self._on_timer)
        if _NOTIFIES:
            self._multi.setopt(lib.CURLMOPT_NOTIFYFUNCTION, self._on_notify)
            self._multi.notify_enable(lib.CURLMNOTIFY_INFO_READ)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._multi.closed

    def setopt(self, option: int, value: Any) -> None:
        """Set an option of the multi handle, but the callbacks."""
        if option in _OWN:
            raise ValueError(f"AsyncCurlMulti owns {'/'.join(_OWN.values())}")
        self._multi.setopt(option, value)

    def add_handle(self, curl: Curl) -> asyncio.Future[Curl]:
        """Begin a transfer. The future's result is the handle; cancelling it ends the transfer."""
        if self.closed:
            raise RuntimeError("AsyncCurlMulti is closed")
        if curl in self._futures:
            raise RuntimeError("Curl handle is already registered")
        future: asyncio.Future[Curl] = self._ensure_loop().create_future()
        self._futures[curl] = future
        future.add_done_callback(lambda done: self._on_done(curl, done))
        try:
            self._multi.add_handle(curl)
        except BaseException:
            self._futures.pop(curl, None)
            raise
        return future

    def remove_handle(self, curl: Curl) -> None:
        """End a transfer; its future is cancelled."""
        if self.closed:
            raise RuntimeError("AsyncCurlMulti is closed")
        future = self._futures.pop(curl, None)
        if future is None:
            raise RuntimeError("Curl handle is not registered")
        self._multi.remove_handle(curl)
        if not future.done():
            future.cancel()

    async def perform(self, curl: Curl) -> Curl:
        """Do a transfer."""
        return await self.add_handle(curl)

    def futures(self, curls: Iterable[Curl] | None = None) -> tuple[asyncio.Future[Curl], ...]:
        """The futures of all transfers, or of these: KeyError for one that is not in flight."""
        if curls is None:
            return tuple(self._futures.values())
        return tuple(self._futures[curl] for curl in curls)

    async def aclose(self) -> None:
        """Cancel what is in flight and close. Idempotent."""
        if self.closed:
            return
        self._closing = True
        if self._notify_handle is not None:
            self._notify_handle.cancel()
            self._notify_handle = None
        self._cancel_timer()
        futures, self._futures = self._futures, {}
        for curl, future in futures.items():
            try:
                self._multi.remove_handle(curl)
                if self._multi._close_handles:
                    curl.close()
            except error:
                pass
            if not future.done():
                future.cancel()
        for fd in self._assigned_fds:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(fd)
                self._loop.remove_writer(fd)
        self._assigned_fds.clear()
        self._multi.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def _ensure_loop(self) -> asyncio.AbstractEventLoop:
        import asyncio

        loop = asyncio.get_running_loop()
        if self._loop is None:
            proactor = getattr(asyncio, "ProactorEventLoop", None)
            if proactor is not None and isinstance(loop, proactor):
                raise RuntimeError("AsyncCurlMulti requires a selector-style event loop")
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("AsyncCurlMulti is bound to a different event loop")
        return loop

    # -- What libcurl wants ----------------------------------------------------------------------

    def _on_socket(self, what: int, fd: int, multi: CurlMulti, state: _SocketState | None) -> None:
        if what == lib.CURL_POLL_REMOVE:
            self._assigned_fds.discard(fd)
            if state is not None:
                self._unwatch(fd, state)
            return
        if self._closing:
            return
        if state is None:
            state = _SocketState()
            self._assigned_fds.add(fd)
            multi.assign(fd, state)
        self._watch(fd, state, bool(what & lib.CURL_POLL_IN), bool(what & lib.CURL_POLL_OUT))

    def _watch(self, fd: int, state: _SocketState, reading: bool, writing: bool) -> None:
        loop = self._loop
        assert loop is not None
        if reading and not state.read_registered:
            loop.add_reader(fd, self._on_readable, fd, state)
        elif state.read_registered and not reading:
            loop.remove_reader(fd)
        if writing and not state.write_registered:
            loop.add_writer(fd, self._on_writable, fd, state)
        elif state.write_registered and not writing:
            loop.remove_writer(fd)
        state.read_registered = reading
        state.write_registered = writing

    def _unwatch(self, fd: int, state: _SocketState) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._watch(fd, state, False, False)

    def _on_timer(self, timeout_ms: int) -> None:
        self._cancel_timer()
        if timeout_ms < 0 or self._closing:
            return
        assert self._loop is not None
        if timeout_ms:
            self._timer = self._loop.call_later(timeout_ms / 1000, self._fire_timeout)
        else:
            self._timer = self._loop.call_soon(self._fire_timeout)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_notify(self, _notification: int, _curl: Curl | None) -> None:
        if not self._closing and self._loop is not None and self._notify_handle is None:
            self._notify_handle = self._loop.call_soon(self._drain_now)

    # -- What the loop has -----------------------------------------------------------------------

    def _on_readable(self, fd: int, state: _SocketState) -> None:
        if state.read_registered:
            self._drive(fd, lib.CURL_CSELECT_IN)

    def _on_writable(self, fd: int, state: _SocketState) -> None:
        if state.write_registered:
            self._drive(fd, lib.CURL_CSELECT_OUT)

    def _fire_timeout(self) -> None:
        self._timer = None
        self._drive(lib.CURL_SOCKET_TIMEOUT, 0)

    def _drive(self, fd: int, mask: int) -> None:
        if self._closing:
            return
        try:
            self._multi.socket_action(fd, mask)
        except error as failure:
            # Nothing will be heard of these.
            for curl in list(self._futures):
                self._resolve(curl, failure)
            return
        if self._raised or not _NOTIFIES:
            self._drain()

    def _drain_now(self) -> None:
        self._notify_handle = None
        if not self._closing:
            self._drain()

    def _drain(self) -> None:
        _, succeeded, failed = self._multi.info_read()
        for curl, code, message in failed:
            self._resolve(curl, error(code, message))
        for curl in succeeded:
            self._resolve(curl, None)
        for curl in list(self._raised):
            self._resolve(curl, None)

    def _resolve(self, curl: Curl, failure: BaseException | None) -> None:
        """A transfer has ended."""
        raised = self._raised.pop(curl, None)
        if raised is not None:
            failure = raised
        future = self._futures.pop(curl, None)
        if future is None:
            return
        try:
            self._multi.remove_handle(curl)
        except error:
            pass
        if future.done():
            return
        if failure is None:
            future.set_result(curl)
        else:
            future.set_exception(failure)

    def _on_done(self, curl: Curl, _future: asyncio.Future[Curl]) -> None:
        """A future was cancelled."""
        if self._futures.pop(curl, None) is not None and not self._closing:
            try:
                self._multi.remove_handle(curl)
            except error:
                pass

    def _left(self, curl: Curl) -> None:
        """A handle has left the multi: where it was closed, its future is cancelled."""
        future = self._futures.get(curl)
        if future is not None and curl.closed and not future.done():
            del self._futures[curl]
            future.cancel()
