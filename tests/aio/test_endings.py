"""AsyncMulti: however a transfer, the multi, its loop or the process ends, nothing waits for ever."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from servers import payload

import libcurl
from libcurl import Easy
from libcurl.aio import AsyncMulti


async def eventually(happened: Callable[[], object]) -> None:
    """Wait until something is so, 5 seconds at most."""
    for _ in range(500):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


# Cancellation, timeouts


def test_cancelling_aborts_the_transfer(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/stall")
        task = asyncio.ensure_future(multi.perform(easy))
        await eventually(lambda: http.requests)
        assert len(multi) == len(multi.multi) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(multi) == len(multi.multi) == 0
        await eventually(lambda: http.connections[0].closed)  # the server has seen it
        easy.set(url=http.url)
        assert (await multi.perform(easy)).body == b"hello"

    loops.run(main)


def test_cancelling_resets_a_stream_of_http_2_only(loops: Any, nginx: Any, ca: Any) -> None:
    options: dict[str, Any] = {"cainfo": ca.cert, "http_version": libcurl.HTTPVersion.V2TLS}

    async def main(multi: AsyncMulti) -> None:
        first = await multi.perform(Easy(url=nginx.tls_url + "/hello.txt", **options))
        assert first.body == b"hello"
        big = Easy(url=nginx.tls_url + "/bytes/10000000", max_recv_speed_large=1000, **options)
        task = asyncio.ensure_future(multi.perform(big))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        last = await multi.perform(Easy(url=nginx.tls_url + "/bytes/100000", **options))
        assert last.body == payload(100_000)
        assert big.info.num_connects == last.info.num_connects == 0

    loops.run(main)


def test_a_timeout_aborts_the_transfer(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(multi.perform(Easy(url=http.url + "/stall")), 0.1)
        if sys.version_info >= (3, 11):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await multi.perform(Easy(url=http.url + "/stall"))
        assert len(multi) == len(multi.multi) == 0
        assert (await asyncio.wait_for(multi.perform(Easy(url=http.url)), 5)).body == b"hello"

    loops.run(main)
    assert http.wait_idle()


def test_a_task_that_never_began_leaves_nothing(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        task = asyncio.ensure_future(multi.perform(Easy(url=http.url)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(multi) == len(multi.multi) == 0

    loops.run(main)
    assert http.accepted == 0


@pytest.mark.parametrize("limit", [None, 5])
def test_cancelling_at_any_moment_harms_nobody_else(
    loops: Any, http_process: Any, limit: int | None
) -> None:
    chance = random.Random(1)

    async def main(multi: AsyncMulti) -> None:
        async def one(cancelled: bool) -> None:
            easy = Easy(url=http_process.url + "/bytes/5000")
            for _ in range(4):
                task = asyncio.ensure_future(multi.perform(easy))
                if cancelled:
                    await asyncio.sleep(chance.random() * 0.02)
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
                else:
                    assert (await task).body == payload(5000)

        await asyncio.gather(*[one(number % 2 == 0) for number in range(60)])
        assert len(multi) == len(multi.multi) == 0

    loops.run(main, limit)


# Tasks are called at once where their transfers are found finished, one after the other


async def at_the_same_time(http: Any, count: int) -> None:
    """Block the loop until the answers to so many requests have come."""
    await eventually(lambda: len(http.requests) == count)
    await asyncio.sleep(0.1)  # what was sent is forgotten
    http.go.set()
    time.sleep(0.3)


@pytest.fixture
def held(http: Any) -> Any:
    """The server, which holds back /held until `go` is set."""
    http.go = threading.Event()
    http.route("/held", lambda connection, _: (http.go.wait(10), connection.respond(body=b"held")))
    return http


def test_a_task_goes_on_as_itself(loops: Any, held: Any) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=-1)

    async def one(multi: AsyncMulti, number: int) -> None:
        variable.set(number)
        task = asyncio.current_task()
        easy = await multi.perform(Easy(url=held.url + "/held"))
        assert asyncio.current_task() is task
        assert variable.get() == number
        variable.set(-2)
        easy.set(url=held.url)
        assert (await multi.perform(easy)).body == b"hello"
        assert variable.get() == -2

    async def main(multi: AsyncMulti) -> None:
        tasks = [asyncio.ensure_future(one(multi, number)) for number in range(5)]
        await at_the_same_time(held, 5)
        await asyncio.gather(*tasks)
        assert variable.get() == -1

    loops.run(main)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_task_that_interrupts_the_loop_holds_up_nobody(
    loops: Any, held: Any, kind: type[BaseException]
) -> None:
    async def one(multi: AsyncMulti, number: int) -> bytes:
        easy = await multi.perform(Easy(url=held.url + "/held"))
        if number == 2:
            raise kind
        return easy.body

    async def main(multi: AsyncMulti) -> None:
        tasks.extend(asyncio.ensure_future(one(multi, number)) for number in range(5))
        await at_the_same_time(held, 5)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def rest(multi: AsyncMulti) -> None:
        _, waiting = await asyncio.wait(tasks, timeout=5)
        assert not waiting
        assert len(multi) == len(multi.multi) == 0
        await multi.aclose()

    tasks: list[asyncio.Task[bytes]] = []
    multi = loops.multi()
    loop = loops.loop()
    with pytest.raises(kind):
        loop.run_until_complete(main(multi))
    loop.run_until_complete(rest(multi))
    assert isinstance(tasks.pop(2).exception(), kind)
    assert [task.result() for task in tasks] == [b"held"] * 4
    loops.close(loop)


@pytest.mark.parametrize("what", ["cancel", "close"])
def test_a_task_may_do_anything_to_the_others(loops: Any, held: Any, what: str) -> None:
    async def one(multi: AsyncMulti) -> bytes:
        easy = await multi.perform(Easy(url=held.url + "/held"))
        if not first:
            first.append(asyncio.current_task())
            if what == "close":
                multi.multi.close()
            else:
                for task in tasks:
                    if task is not asyncio.current_task():
                        task.cancel()
        return easy.body

    async def main(multi: AsyncMulti) -> None:
        tasks.extend(asyncio.ensure_future(one(multi)) for _ in range(5))
        await at_the_same_time(held, 5)
        _, waiting = await asyncio.wait(tasks, timeout=5)
        assert not waiting
        for task in tasks:
            if what == "cancel" and task is not first[0]:
                assert task.cancelled()
            elif loops.kind != "portable":  # there the answers are heard of one by one
                assert task.result() == b"held"
        assert len(multi) == len(multi.multi) == 0

    first: list[Any] = []
    tasks: list[asyncio.Task[bytes]] = []
    loops.run(main)


# Handles that go


def test_a_handle_that_is_closed_ends_its_transfer(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/stall")
        task = asyncio.ensure_future(multi.perform(easy))
        await eventually(lambda: http.requests)
        easy.close()
        with pytest.raises(libcurl.Error) as caught:
            await task
        assert caught.value.code is libcurl.Code.ABORTED_BY_CALLBACK
        assert "closed" in caught.value.message
        assert len(multi) == len(multi.multi) == 0

    loops.run(main)
    assert http.wait_idle()


def test_a_handle_may_be_closed_by_another_thread(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/stall")
        task = asyncio.ensure_future(multi.perform(easy))
        await eventually(lambda: http.requests)
        thread = threading.Thread(target=easy.close)
        thread.start()
        thread.join()
        with pytest.raises(libcurl.Error):
            await task

    loops.run(main)


def test_a_handle_may_be_closed_in_its_own_callback(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url)
        easy.set(writefunction=lambda data: easy.close())
        with pytest.raises(libcurl.Error) as caught:
            await multi.perform(easy)
        assert caught.value.code is libcurl.Code.ABORTED_BY_CALLBACK
        assert easy.closed
        assert len(multi) == len(multi.multi) == 0

    loops.run(main)


def test_a_handle_that_somebody_removes_ends_its_transfer(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/stall")
        waiting = Easy(url=http.url)
        task = asyncio.ensure_future(multi.perform(easy))
        next_one = asyncio.ensure_future(multi.perform(waiting))
        await eventually(lambda: http.requests)
        multi.multi.remove(easy)
        with pytest.raises(libcurl.Error, match="removed"):
            await task
        assert (await next_one).body == b"hello"
        easy.set(url=http.url)
        assert (await multi.perform(easy)).body == b"hello"

    loops.run(main, 1)


# The end of the multi


@pytest.mark.parametrize("how", ["aclose", "close", "end of the block"])
def test_closing_the_multi_ends_whatever_waits(loops: Any, http: Any, how: str) -> None:
    async def streamed(multi: AsyncMulti) -> list[bytes]:
        return [chunk async for chunk in multi.stream(Easy(url=http.url + "/stall"))]

    async def completed(multi: AsyncMulti) -> list[Any]:
        easies = [Easy(url=http.url + "/stall") for _ in range(2)]
        return [error async for _, error in multi.as_completed(easies)]

    async def main() -> None:
        async with loops.multi(4) as multi:
            perform = asyncio.ensure_future(multi.perform(Easy(url=http.url + "/stall")))
            stream = asyncio.ensure_future(streamed(multi))
            results = asyncio.ensure_future(completed(multi))
            await eventually(lambda: len(http.requests) == 4)
            waits = asyncio.ensure_future(multi.perform(Easy(url=http.url)))
            await asyncio.sleep(0.05)
            if how == "aclose":
                await multi.aclose()
            elif how == "close":
                multi.multi.close()
        _, pending = await asyncio.wait([perform, stream, results, waits], timeout=5)
        assert not pending
        assert perform.cancelled()
        assert stream.cancelled()
        assert waits.cancelled()
        assert [type(error) for error in results.result()] == [asyncio.CancelledError] * 2
        assert len(multi) == 0

    loops.run_alone(main())
    assert http.wait_idle()


def test_a_closed_multi_says_so(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        await multi.perform(Easy(url=http.url))
        await multi.aclose()
        await multi.aclose()
        assert multi.multi.closed
        assert repr(multi) == "<AsyncMulti closed>"
        easy = Easy(url=http.url)
        with pytest.raises(ValueError, match="closed"):
            await multi.perform(easy)
        with pytest.raises(ValueError, match="closed"):
            async for _ in multi.stream(easy):
                pass
        assert easy.fetch() == b"hello"

    loops.run(main)


def test_a_multi_that_was_never_used_closes(loops: Any) -> None:
    multi = loops.multi()
    loops.run_alone(multi.aclose())
    loops.run_alone(multi.aclose())

    async def main() -> None:
        async with multi:
            with pytest.raises(ValueError, match="closed"):
                await multi.perform(Easy(url="http://127.0.0.1:1/"))

    loops.run_alone(main())


def test_a_multi_that_is_collected_closes(loops: Any, http: Any, no_fd_leak: Any) -> None:
    async def main() -> Any:
        multi = loops.multi()
        task = asyncio.ensure_future(multi.perform(Easy(url=http.url + "/stall")))
        await eventually(lambda: http.requests)
        assert not task.done()
        return weakref.ref(multi)

    with no_fd_leak():
        multi = loops.run_alone(main())
        for _ in range(4):
            gc.collect()
        assert multi() is None
        assert http.wait_idle()


# The end of the loop


def test_a_multi_belongs_to_one_loop(loops: Any, http: Any) -> None:
    multi = loops.multi(2)
    loops.run_alone(multi.perform(Easy(url=http.url)))

    async def main() -> None:
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            await multi.perform(Easy(url=http.url))
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            async for _ in multi.stream(Easy(url=http.url)):
                pass
        assert [type(error) async for _, error in multi.as_completed([Easy(url=http.url)])] == [
            RuntimeError
        ]
        assert len(multi) == 0
        await multi.aclose()

    loops.run_alone(main())


def test_a_multi_belongs_to_one_thread(loops: Any, http: Any) -> None:
    found: list[BaseException] = []

    async def elsewhere(multi: AsyncMulti) -> None:
        try:
            await multi.perform(Easy(url=http.url))
        except RuntimeError as error:
            found.append(error)

    async def main(multi: AsyncMulti) -> None:
        await multi.perform(Easy(url=http.url))
        thread = threading.Thread(target=asyncio.run, args=[elsewhere(multi)])
        thread.start()
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        assert (await multi.perform(Easy(url=http.url))).body == b"hello"

    loops.run(main)
    assert "another event loop" in str(found[0])


def test_a_loop_that_was_closed_in_the_middle(loops: Any, http: Any, open_fds: Any) -> None:
    before = open_fds()
    loop = loops.loop()
    multi = loops.multi()
    easy = Easy(url=http.url + "/stall")
    task = loop.create_task(multi.perform(easy))
    deadline = time.monotonic() + 5
    while not http.requests and time.monotonic() < deadline:
        loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    easy.close()
    loops.run_alone(multi.aclose())
    assert http.wait_idle()
    assert not task.done()
    del task
    gc.collect()
    assert open_fds() - before == set()
    loops.problems.clear()  # the loop's own: a task was destroyed


def test_a_forked_child_harms_nobody(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/slow?seconds=0.5")
        task = asyncio.ensure_future(multi.perform(easy))
        await eventually(lambda: http.requests)
        child = os.fork()
        if not child:
            status = 1
            try:
                easy.close()
                multi.multi.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (await task).body == b"hello"
        again = Easy(url=http.url)
        assert (await multi.perform(again)).body == b"hello"
        assert again.info.num_connects == 0

    loops.run(main)


PROGRAM = """
    import asyncio, logging, os, sys
    import libcurl
    from libcurl.aio import AsyncMulti

    # A busy machine takes its time, which asyncio's debug mode tells of.
    logging.getLogger("asyncio").addFilter(lambda told: not told.msg.startswith("Executing"))

    URL, kind = sys.argv[1:]
    if kind == "uvloop":
        import uvloop
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

    def new():
        multi = AsyncMulti()
        multi.multi._handle.portable = kind == "portable"
        return multi
"""


def run(loops: Any, script: Any, code: str, *args: object, env: Any = None) -> Any:
    """Run a program in development mode, where every warning is shown."""
    import textwrap

    program = textwrap.dedent(PROGRAM) + textwrap.dedent(code)
    options = ("-X", "dev", "-W", "always", "-W", "ignore::DeprecationWarning")
    return script.run(program, *args, loops.kind, options=options, env=env)


def test_ctrl_c_ends_a_program(loops: Any, http: Any, script: Any) -> None:
    done = run(
        loops,
        script,
        """
        import signal, threading, time

        async def main():
            async with new() as multi:
                threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
                global began
                began = time.monotonic()
                await multi.perform(libcurl.Easy(url=URL + "/stall"))

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            assert time.monotonic() - began < 5
            print("interrupted")
        """,
        http.url,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
    assert http.wait_idle()


@pytest.mark.parametrize("ending", ["closed", "not closed", "in the middle", "by a closer"])
def test_programs_end_without_warnings(loops: Any, http: Any, script: Any, ending: str) -> None:
    done = run(
        loops,
        script,
        """
        async def main(ending):
            multi = new()
            easy = libcurl.Easy(url=URL + "/bytes/1000000")
            if ending == "by a closer":
                easy.set(closesocketfunction=lambda fd: (os.close(fd), print("closed")) and None)
            await multi.perform(easy)
            size = 0
            async for chunk in multi.stream(easy):
                size += len(chunk)
            assert size == 1_000_000
            await asyncio.gather(*[multi.perform(libcurl.Easy(url=URL)) for _ in range(9)])
            if ending == "closed":
                await multi.aclose()
            elif ending == "in the middle":
                global task
                easy.set(url=URL + "/stall")
                task = asyncio.ensure_future(multi.perform(easy))
                await asyncio.sleep(0.1)

        asyncio.run(main(os.environ["ENDING"]))
        print("done")
        """,
        http.url,
        env={"ENDING": ending},
    )
    out = {"by a closer": {"closed\ndone\n", "done\nclosed\n"}}.get(ending, {"done\n"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in out


def test_what_a_child_closes_at_exit_does_not_blind_its_parent(
    loops: Any, http: Any, script: Any
) -> None:
    done = run(
        loops,
        script,
        """
        import atexit

        async def main():
            async with new() as multi:
                easy = libcurl.Easy(url=URL + "/slow?seconds=0.4")
                task = asyncio.ensure_future(multi.perform(easy))
                await asyncio.sleep(0.1)
                child = os.fork()
                if not child:
                    atexit._run_exitfuncs()
                    os._exit(3)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
                print((await task).body.decode())

        asyncio.run(main())
        """,
        http.url,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_nobody_else_takes_the_results_of_those_who_wait(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        task = asyncio.ensure_future(multi.perform(Easy(url=http.url + "/slow?seconds=0.1")))
        await asyncio.sleep(0.02)
        for drive in (multi.multi.step, lambda: list(multi.multi.run())):
            with pytest.raises(RuntimeError, match="driven by its event loop"):
                drive()
        assert (await task).body

    loops.run(main)
