"""libcurl's transfers in asyncio: `AsyncMulti`, on one descriptor that the event loop watches."""

from __future__ import annotations

import asyncio
import os
from asyncio import get_running_loop
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from libcurl._native import lib
from libcurl.easy import Easy
from libcurl.errors import MultiError, NotSupported, easy_error
from libcurl.multi import Multi

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from types import TracebackType
    from typing import TypeVar

    from typing_extensions import Self, Unpack

    from libcurl._options import MultiOptions
    from libcurl.engine import Engine

    # Its result is how the transfer has ended: None, or the exception.
    Ending = asyncio.Future[BaseException | None]
    # Perhaps of a class of the user's.
    AnyEasy = TypeVar("AnyEasy", bound=Easy)

__all__ = ["AsyncMulti"]


class AsyncMulti:
    """A `Multi` that an event loop drives: asyncio's, uvloop's.

    Belongs to the loop in which it is first used, and to its thread. At most `limit` transfers run
    at once, the others wait their turn; keywords are options of the multi.
    """

    def __init__(self, limit: int | None = None, **options: Unpack[MultiOptions]) -> None:
        """Make the multi; no event loop is needed yet."""
        if limit is not None and limit < 1:
            raise ValueError(f"AsyncMulti: limit={limit}, expected 1 or more")
        self._multi = _Driven(limit, **options)

    @property
    def multi(self) -> Multi:
        """The multi itself, for options and numbers; it is driven from here."""
        return self._multi

    def __len__(self) -> int:
        """How many transfers are running."""
        return len(self._multi.running)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        state = "closed" if self._multi.closed else f"of {len(self)}"
        return f"<{type(self).__name__} {state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._multi.close()

    async def aclose(self) -> None:
        """Abort what is running (whoever awaits it gets a CancelledError) and close the multi."""
        self._multi.close()

    async def perform(self, easy: AnyEasy) -> AnyEasy:
        """Do the transfer of `easy`, and return it. Its body is `easy.body`.

        Raises what Easy.perform raises. Cancelling the task aborts the transfer at once; `easy` can
        be used again.
        """
        multi = self._multi
        if multi.limit is not None:
            await multi.turn()
        # As `start`, without the time that a call takes.
        if get_running_loop() is not multi.loop:
            multi.belong()
        ending = multi.new_future()
        try:
            if easy._id in multi.running:
                multi.refuse(easy)
            multi.add(easy)
        except BaseException as failure:
            multi.not_started(easy, failure)
            raise
        multi.running[easy._id] = ending
        try:
            error = await ending
        except BaseException:
            multi.abort(easy, ending)
            raise
        if error is not None:
            try:
                raise error
            finally:
                del ending, error  # no cycle with the traceback
        return easy

    async def as_completed(
        self, easies: Iterable[AnyEasy]
    ) -> AsyncGenerator[tuple[AnyEasy, BaseException | None], None]:
        """Do many transfers, and yield each as (easy, error) when it ends.

        `error` is None or the exception; a CancelledError where the multi was closed. Leaving the
        loop early aborts the rest.
        """
        done: asyncio.Queue[asyncio.Task[AnyEasy]] = asyncio.Queue()
        tasks = {}
        try:
            for easy in easies:
                task = asyncio.ensure_future(self.perform(easy))
                task.add_done_callback(done.put_nowait)
                tasks[task] = easy
            for _ in range(len(tasks)):
                task = await done.get()
                error = asyncio.CancelledError() if task.cancelled() else task.exception()
                if isinstance(error, (KeyboardInterrupt, SystemExit)):
                    raise error
                yield tasks[task], error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stream(self, easy: Easy) -> AsyncGenerator[bytes, None]:
        """Do the transfer of `easy`, and yield its body as it arrives.

        Where the body comes faster than it is taken, the transfer is paused: little of it is ever
        in memory. Raises what Easy.perform raises; leaving the loop early aborts the transfer (with
        contextlib.aclosing at once, else when the iterator is collected).
        """
        if not easy._collects():
            raise ValueError("a transfer with a writefunction or writedata cannot be streamed")
        multi = self._multi
        if multi.limit is not None:
            await multi.turn()
        ending = multi.start(easy)
        handle = easy._handle
        arrived = asyncio.Event()
        try:
            handle.limited = True
            multi.streams[easy._id] = handle, arrived
            ending.add_done_callback(lambda _: arrived.set())
            while True:
                ended = ending.done()
                if handle.body.size:
                    chunk = easy._take_body()
                    if handle.paused and not ended:
                        handle.paused = False
                        easy.unpause()
                    yield chunk
                elif ended:
                    break
                else:
                    arrived.clear()
                    await arrived.wait()
            easy._body = b"" if handle.curl else None
            error = ending.result()
            if error is not None:
                try:
                    raise error
                finally:
                    del error
        finally:
            handle.limited = False
            multi.streams.pop(easy._id, None)
            multi.abort(easy, ending)
            del ending


class _Driven(Multi):
    """A multi in an event loop, and who waits for its transfers.

    It is stepped when its descriptor is readable. Where there is no such descriptor, the event loop
    watches libcurl's sockets and its timer.
    """

    __slots__ = (
        "_fd",
        "_pid",
        "_promised",
        "_timer",
        "_waiting",
        "_watched",
        "limit",
        "loop",
        "new_future",
        "running",
        "streams",
    )

    def __init__(self, limit: int | None, **options: Unpack[MultiOptions]) -> None:
        self.limit = limit
        self.running: dict[int, Ending] = {}  # by the number of the easy
        self.streams: dict[int, tuple[Any, asyncio.Event]] = {}  # its C part, and who is told
        self.loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        # Whoever gives up goes at once, from the middle of ten thousand.
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._promised = 0  # turns that were given and not yet taken
        self.new_future: Callable[[], Any] = asyncio.Future
        self._fd = -1
        self._watched: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        super().__init__(**options)

    def _drive(self, way: str) -> None:
        if way == "step" and self.loop is not None:
            raise RuntimeError("the Multi of an AsyncMulti is driven by its event loop")
        super()._drive(way)

    # -- Transfers -------------------------------------------------------------------------------

    def start(self, easy: Easy) -> Ending:
        """Add `easy`."""
        if get_running_loop() is not self.loop:
            self.belong()
        ending: Ending = self.new_future()
        try:
            if easy._id in self.running:
                self.refuse(easy)
            self.add(easy)
        except BaseException as error:
            self.not_started(easy, error)
            raise
        self.running[easy._id] = ending
        return ending

    def refuse(self, easy: Easy) -> None:
        """It is running, or has finished and whoever waits for it has yet to hear of it."""
        raise self._make_error(lib.CURLM_ADDED_ALREADY, "the easy handle is in this multi already")

    def not_started(self, easy: Easy, error: BaseException) -> None:
        """`easy` could not be added."""
        self._not_joined(easy)
        # Something else may have failed when it had joined: a closer, of its own connections.
        if not isinstance(error, MultiError) and easy in self and easy._id not in self.running:
            self._take_out(easy)
        if self._waiting:
            self._next()

    def abort(self, easy: Easy, ending: Ending) -> None:
        """Nobody waits for this transfer any longer."""
        if self.running.get(easy._id) is ending:
            del self.running[easy._id]
            try:
                if easy in self:
                    self.remove(easy)
            finally:
                if self._waiting:
                    self._next()

    async def turn(self) -> None:
        """Wait until fewer than the limit are running: first come, first served."""
        if not self._waiting and self._has_room():
            return
        loop = get_running_loop()
        if loop is not self.loop:
            self.belong()
        turn = loop.create_future()
        self._waiting[turn] = None
        self._next()
        try:
            await turn
        except BaseException:
            self._waiting.pop(turn, None)
            if turn.done() and not turn.cancelled():
                self._promised -= 1
                self._next()
            raise
        self._promised -= 1

    def _has_room(self) -> bool:
        return self.limit is None or len(self.running) + self._promised < self.limit

    def _next(self) -> None:
        """Let those that wait have their turn, where there is room."""
        while self._waiting and self._has_room():
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                self._promised += 1
                turn.set_result(None)

    # -- The event loop --------------------------------------------------------------------------

    def belong(self) -> None:
        """From now on the event loop that runs here drives."""
        loop = get_running_loop()
        if self.loop is not None:
            raise RuntimeError("this AsyncMulti belongs to another event loop")
        own = getattr(loop.create_future, "__func__", None) is asyncio.BaseEventLoop.create_future
        if not own:  # which would do the same, and take longer
            self.new_future = loop.create_future
        try:
            fd = self.fileno()
        except NotSupported:
            self._way = None
            self.loop = loop
            self.set(socketfunction=self._on_socket, timerfunction=self._on_timer)
        else:
            loop.add_reader(fd, self._ready)
            self._fd = fd
            self.loop = loop

    def _ready(self, fd: int | None = None, events: int = 0) -> None:
        """There is something to do: on a socket of libcurl's, where those are watched."""
        assert self.loop is not None
        try:
            if fd is None:
                self._step(0)
            else:
                self._act(fd, events)
        except Exception as error:
            self._fail(error)
        except BaseException:
            self.loop.call_soon(self._ready, fd, events)  # what has finished by now is not lost
            raise
        for handle, arrived in self.streams.values():
            if handle.body.size:
                arrived.set()
        if self._done or self._given is not None:
            try:
                self._tell()
            except BaseException:  # a task was interrupted, and the loop with it
                self.loop.call_soon(self._ready, fd, events)
                raise

    def _tell(self) -> None:
        """Tell those who wait for what has finished.

        A future has the loop call its task in the next turn, which costs more than all else that Python
        does for a transfer. The task is called here instead, and may do anything.
        """
        running = self.running
        if self._given is not None:
            self._recall()
        self._given, self._done = iter(self._done), []
        for easy, error in self._given:
            ending: Any = running.pop(easy._id, None)
            if easy._multi is self:
                with suppress(Exception):  # where the multi has failed, it may be beyond that
                    self._take_out(easy)
            try:
                ((task, context),) = ending._callbacks
            except (AttributeError, TypeError, ValueError):
                # A future of another kind, or one that nobody waits for, any longer or at all.
                if ending is not None and not ending.done():
                    ending.set_result(error)
            else:
                ending.remove_done_callback(task)
                ending.set_result(error)
                context.run(task, ending)
        self._given = None
        if self._waiting:
            self._next()

    def _fail(self, error: Exception) -> None:
        """The multi itself failed, or a callback of its own: everybody hears of it."""
        for easy in self.get_handles():
            if easy._id in self.running:
                self._done.append((easy, error))

    def _forget(self, easy: Engine) -> None:
        super()._forget(easy)
        ending = self.running.get(easy._id)
        if ending is not None and self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._gone, easy._id, ending)

    def _gone(self, number: int, ending: Ending) -> None:
        """A handle has left; where nothing was told since, it was closed or removed."""
        if self.running.get(number) is ending:
            del self.running[number]
            self._next()
            why = "the easy handle was closed or removed"
            if not ending.done():
                ending.set_result(easy_error(lib.CURLE_ABORTED_BY_CALLBACK, why))

    def _close(self) -> int:
        # A child has inherited what the loop polls with: it would blind its parent.
        if not self.closed and not self._handle.inside.depth and os.getpid() == self._pid:
            self._leave()
        return super()._close()

    def _leave(self) -> None:
        """Out of the event loop, with everybody who waits."""
        loop = self.loop
        if loop is None or loop.is_closed():
            return
        if self._fd >= 0:
            loop.remove_reader(self._fd)
            self._fd = -1
        for fd in [*self._watched]:
            self._on_socket(None, fd, lib.CURL_POLL_REMOVE, None)
        self._on_timer(-1)
        self._recall()
        for easy, error in self._done:  # what has finished was not aborted
            ending = self.running.pop(easy._id, None)
            if ending is not None and not ending.done():
                ending.set_result(error)
        futures: list[asyncio.Future[Any]] = [*self.running.values(), *self._waiting]
        for future in futures:
            future.cancel()
        self.running.clear()
        self._waiting.clear()

    # -- Where a multi has no descriptor ---------------------------------------------------------

    def _on_socket(self, easy: Any, fd: int, what: int, assigned: object) -> None:
        """CURLMOPT_SOCKETFUNCTION."""
        assert self.loop is not None
        before = self._watched.pop(fd, 0)
        after = what & lib.CURL_POLL_INOUT  # none for CURL_POLL_REMOVE
        if after & lib.CURL_POLL_IN:
            self.loop.add_reader(fd, self._ready, fd, lib.CURL_CSELECT_IN)
        elif before & lib.CURL_POLL_IN:
            self.loop.remove_reader(fd)
        if after & lib.CURL_POLL_OUT:
            self.loop.add_writer(fd, self._ready, fd, lib.CURL_CSELECT_OUT)
        elif before & lib.CURL_POLL_OUT:
            self.loop.remove_writer(fd)
        if after:
            self._watched[fd] = after

    def _on_timer(self, milliseconds: int) -> None:
        """CURLMOPT_TIMERFUNCTION."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds >= 0:
            assert self.loop is not None
            due = milliseconds / 1000
            self._timer = self.loop.call_later(due, self._ready, lib.CURL_SOCKET_TIMEOUT)

    def _act(self, fd: int, events: int) -> None:
        """What `_step` does, for one socket. What has finished is in the multi yet."""
        self.socket_action(fd, events)
        self._read_messages()
