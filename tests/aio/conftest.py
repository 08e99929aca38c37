"""The event loops in which every promise of AsyncMulti is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from libcurl.aio import AsyncMulti


class Loops:
    """Runs a coroutine in an event loop of one kind, and makes multis for it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.portable = kind == "portable"
        self.problems: list[dict[str, Any]] = []

    def multi(self, *args: Any, **options: Any) -> AsyncMulti:
        """An AsyncMulti; the portable one is driven as on a system without epoll."""
        multi = AsyncMulti(*args, **options)
        multi.multi._handle.portable = self.portable
        return multi

    def loop(self) -> asyncio.AbstractEventLoop:
        """A new event loop, which notes what it cannot tell anybody."""
        if self.kind == "uvloop":
            import uvloop

            loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        else:
            loop = asyncio.new_event_loop()
        loop.set_debug(True)
        loop.set_exception_handler(lambda loop, context: self.problems.append(context))
        return loop

    def run(self, main: Callable[[AsyncMulti], Coroutine[Any, Any, Any]], *args: Any) -> Any:
        """Run `main(multi)` to its end, as asyncio.run does; at most 30 seconds."""

        async def timed() -> Any:
            async with self.multi(*args) as multi:
                return await asyncio.wait_for(main(multi), 30)

        return self.run_alone(timed())

    def run_alone(self, main: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end."""
        loop = self.loop()
        try:
            return loop.run_until_complete(main)
        finally:
            self.close(loop)

    @staticmethod
    def close(loop: asyncio.AbstractEventLoop) -> None:
        """End an event loop as asyncio.run does."""
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture(params=["asyncio", "uvloop", "portable"])
def loops(request: pytest.FixtureRequest) -> Iterator[Loops]:
    """asyncio, uvloop, and asyncio where a multi has no descriptor of its own."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is for CPython")
    loops = Loops(request.param)
    loops.run_alone(asyncio.sleep(0))  # libuv keeps descriptors from its first loop on
    yield loops
    assert loops.problems == []
