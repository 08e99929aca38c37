"""libcurl's transfers in asyncio: `AsyncMulti`, on one descriptor that the event loop watches."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from libcurl.easy import Easy
from libcurl.errors import NotSupported
from libcurl.multi import Multi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from libcurl._options import MultiOptions

__all__ = ["AsyncMulti"]

#: How much of a streamed body waits in memory before its transfer is paused, in bytes.
STREAM_MOST = 1 << 18


class AsyncMulti:
    """A `Multi` that an event loop drives: asyncio's, uvloop's.

    Belongs to the loop in which it is first used, and to its thread. At most `limit` transfers run at
    once, the others wait their turn; keywords are options of the multi.
    """

    def __init__(self, limit: int | None = None, **options: Unpack[MultiOptions]) -> None:
        """Make the multi; no event loop is needed yet."""
        if limit is not None and limit < 1:
            raise ValueError(f"AsyncMulti: limit={limit}, expected 1 or more")
        self._multi = Multi(**options)
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._running: dict[Easy, asyncio.Future[None]] = {}
        self._streams: dict[Easy, _Stream] = {}
        self._driver: _Driver | None = None

    @property
    def multi(self) -> Multi:
        """The multi itself, for options and numbers; it is driven from here."""
        return self._multi

    def __len__(self) -> int:
        """How many transfers are running."""
        return len(self._running)

    def __bool__(self) -> bool:
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Abort what is running (whoever awaits it gets a CancelledError) and close the multi."""
        for future in [*self._running.values(), *self._waiting]:
            future.cancel()
        self._waiting.clear()
        if self._driver is not None:
            await self._driver.stop()
            self._driver = None
        for easy in self._multi.get_handles():
            self._multi.remove(easy)
        self._running.clear()
        self._multi.close()

    # -- Transfers -------------------------------------------------------------------------------

    async def perform(self, easy: Easy) -> Easy:
        """Do the transfer of `easy`, and return it. Its body is `easy.body`.

        Raises what Easy.perform raises. Cancelling the task aborts the transfer at once; `easy` can be used
        again.
        """
        if self._limit is not None and len(self._running) >= self._limit:
            await self._turn()
        future = self._start(easy)
        try:
            await future
        except BaseException:
            self._abort(easy, future)
            raise
        return easy

    async def as_completed(
        self, easies: Iterable[Easy]
    ) -> AsyncIterator[tuple[Easy, BaseException | None]]:
        """Do many transfers, and yield each as (easy, error) when it ends.

        `error` is None or the exception. Leaving the loop early aborts the rest.
        """
        done: asyncio.Queue[tuple[Easy, BaseException | None]] = asyncio.Queue()

        async def one(easy: Easy) -> None:
            try:
                await self.perform(easy)
            except Exception as error:
                done.put_nowait((easy, error))
            else:
                done.put_nowait((easy, None))

        tasks = [asyncio.ensure_future(one(easy)) for easy in easies]
        try:
            for _ in tasks:
                yield await done.get()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stream(self, easy: Easy) -> AsyncIterator[bytes]:
        """Do the transfer of `easy`, and yield its body as it arrives.

        Where the body comes faster than it is taken, the transfer is paused: little of it is ever in
        memory. Raises what Easy.perform raises; leaving the loop early aborts the transfer (with
        contextlib.aclosing at once, else when the iterator is collected).
        """
        if not easy._collects():
            raise ValueError("a transfer with a writefunction or writedata cannot be streamed")
        if self._limit is not None and len(self._running) >= self._limit:
            await self._turn()
        stream = self._streams[easy] = _Stream(easy)
        future = self._start(easy)
        future.add_done_callback(lambda _: stream.arrived.set())
        try:
            while True:
                done = future.done()
                if done:
                    stream.refill()
                if stream.chunk:
                    chunk, stream.chunk = stream.chunk, b""
                    self._do(stream.refill)
                    yield chunk
                elif done:
                    break
                else:
                    stream.arrived.clear()
                    await stream.arrived.wait()
            await future
        finally:
            self._abort(easy, future)
            easy._handle.body_most = 0
            self._streams.pop(easy, None)

    async def _turn(self) -> None:
        """Wait until fewer than the limit are running."""
        while self._limit is not None and len(self._running) >= self._limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except BaseException:
                if not turn.cancelled() and turn.done():
                    self._next()
                elif turn in self._waiting:
                    self._waiting.remove(turn)
                raise

    def _next(self) -> None:
        """Let the next one that waits have its turn."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break

    def _start(self, easy: Easy) -> asyncio.Future[None]:
        """Add `easy` to the multi; what comes of it is the future's."""
        driver = self._driver
        if driver is None:
            driver = self._driver = _driver(self._multi, self._finished)
        future = driver.loop.create_future()
        driver.do(lambda: self._multi.add(easy))
        self._running[easy] = future
        return future

    def _do(self, call: Callable[[], object]) -> None:
        if self._driver is not None:
            self._driver.do(call)

    def _abort(self, easy: Easy, future: asyncio.Future[None]) -> None:
        """The transfer is over, or is to be."""
        if self._running.get(easy) is future:
            del self._running[easy]
            self._do(lambda: easy in self._multi and self._multi.remove(easy))
            self._next()

    def _finished(self) -> None:
        """The multi has been driven: tell those who wait."""
        try:
            results = self._multi.step()
        except BaseException as error:
            self._fail(error)
            return
        for easy, error in results:
            future = self._running.pop(easy, None)
            if future is not None and not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)
            if self._waiting:
                self._next()
        for stream in self._streams.values():
            stream.refill()

    def _fail(self, error: BaseException) -> None:
        """The multi itself failed: nobody may wait for ever."""
        running, self._running = self._running, {}
        for future in running.values():
            if not future.done():
                future.set_exception(error)
        if not isinstance(error, Exception):
            raise error


class _Stream:
    """A body on its way from C to whoever iterates over it: one piece here, the rest there."""

    def __init__(self, easy: Easy) -> None:
        self.easy = easy
        self.chunk = b""
        self.arrived = asyncio.Event()
        easy._handle.body_most = STREAM_MOST

    def refill(self) -> None:
        """Take what has come, where there is room for it; only while nobody polls."""
        handle = self.easy._handle
        if not self.chunk and handle.curl and handle.body.size:
            self.chunk = self.easy._take_body()
            self.arrived.set()
            if handle.paused and handle.joined:
                handle.paused = False
                self.easy.unpause()


class _Driver:
    """Has the multi stepped in an event loop, by its descriptor."""

    def __init__(self, multi: Multi, ready: Callable[[], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self._fd = multi.fileno()
        self.loop.add_reader(self._fd, ready)

    def do(self, call: Callable[[], object]) -> None:
        """Use the multi."""
        call()

    async def stop(self) -> None:
        """Leave the event loop."""
        self.loop.remove_reader(self._fd)


class _ThreadDriver(_Driver):
    """The same where a multi has no descriptor: libcurl polls in a thread, and is woken up to be used."""

    def __init__(self, multi: Multi, ready: Callable[[], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self._multi = multi
        self._ready = ready
        self._calls: deque[Callable[[], object]] = deque()
        self._polling = False
        self._task = self.loop.create_task(self._drive())

    def do(self, call: Callable[[], object]) -> None:
        if not self._polling:
            call()
            return
        self._calls.append(call)
        self._multi.wakeup()

    async def stop(self) -> None:
        self._task.cancel()
        if self._polling:
            self._multi.wakeup()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _drive(self) -> None:
        stopped = False
        while not stopped:
            while self._calls:
                self._calls.popleft()()
            self._ready()
            self._polling = True
            poll = self.loop.run_in_executor(None, self._multi._poll, 1000)
            while not poll.done():
                try:
                    await asyncio.shield(poll)
                except asyncio.CancelledError:
                    stopped = True  # the thread is to leave libcurl before anything else happens
            self._polling = False
            poll.result()


def _driver(multi: Multi, ready: Callable[[], None]) -> Any:
    """What suits the platform."""
    try:
        return _Driver(multi, ready)
    except NotSupported:
        return _ThreadDriver(multi, ready)
