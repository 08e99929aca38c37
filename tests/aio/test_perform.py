"""AsyncMulti: transfers that are awaited, one, many, and never too many at once."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from typing import Any

import pytest
from servers import payload

import libcurl
from libcurl import Address, Easy
from libcurl.aio import AsyncMulti
from libcurl.raw import LOADED


def test_perform_gives_the_handle_back(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/bytes/100000")
        assert await multi.perform(easy) is easy
        assert easy.body == payload(100_000)
        assert easy.info.response_code == 200
        assert len(multi) == 0
        assert multi
        easy.set(url=http.url + "/")
        assert (await multi.perform(easy)).body == b"hello"

    loops.run(main)
    assert http.accepted == 1  # the second transfer used the connection of the first


@pytest.mark.skipif(
    asyncio.Future is asyncio.futures._PyFuture,  # type: ignore[attr-defined]
    reason="a future in Python cannot hide its callbacks from itself",
)
def test_any_future_does(loops: Any, http: Any) -> None:
    # What AsyncMulti looks for in asyncio's own futures, another one may keep to itself.
    class Future(asyncio.Future):  # type: ignore[type-arg]
        @property
        def _callbacks(self) -> Any:
            raise AttributeError

    async def main(multi: AsyncMulti) -> None:
        loop: Any = asyncio.get_running_loop()
        loop.create_future = lambda: Future(loop=loop)
        easies = [Easy(url=http.url) for _ in range(10)]
        await asyncio.gather(*[multi.perform(easy) for easy in easies])
        assert {easy.body for easy in easies} == {b"hello"}
        easies[0].set(url=http.url + "/status/404", failonerror=True)
        with pytest.raises(libcurl.Error):
            await multi.perform(easies[0])
        assert [chunk async for chunk in multi.stream(easies[1])] == [b"hello"]
        task = asyncio.ensure_future(multi.perform(Easy(url=http.url + "/stall")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loops.run(main)


def test_a_handle_is_not_used_again_before_its_result_is_known(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easies = [Easy(url=http.url + "/slow?seconds=0.1") for _ in range(2)]
        bodies = []
        refused = []

        async def perform(mine: Easy, other: Easy) -> None:
            await multi.perform(mine)
            bodies.append(mine.body)
            try:
                await multi.perform(other)
            except libcurl.MultiError as error:
                refused.append(error.code)

        both = asyncio.gather(perform(*easies), perform(*easies[::-1]))
        await asyncio.sleep(0.05)
        time.sleep(0.3)  # both finish meanwhile
        await asyncio.wait_for(both, 10)
        assert bodies[0] == bodies[1] != b""
        assert refused == [libcurl.MCode.ADDED_ALREADY]

    loops.run(main)


def test_transfers_run_at_the_same_time_in_one_thread(loops: Any, http: Any) -> None:
    threads = set()

    def note(*_: int) -> None:
        threads.add(threading.get_ident())

    async def main(multi: AsyncMulti) -> None:
        before = time.monotonic()
        easies = [
            Easy(url=http.url + "/slow?seconds=0.3", xferinfofunction=note, noprogress=False)
            for _ in range(30)
        ]
        await asyncio.gather(*[multi.perform(easy) for easy in easies])
        assert time.monotonic() - before < 3
        assert [easy.body for easy in easies] == [b"hello"] * 30

    loops.run(main)
    assert threads == {threading.get_ident()}
    assert http.accepted == 30


def test_the_event_loop_goes_on_meanwhile(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> int:
        task = asyncio.ensure_future(multi.perform(Easy(url=http.url + "/slow?seconds=0.5")))
        turns = 0
        while not task.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns

    assert loops.run(main) > 5


def test_nothing_is_burnt_while_waiting(loops: Any, http_process: Any) -> None:
    async def main(multi: AsyncMulti) -> float:
        easies = [Easy(url=http_process.url + "/slow?seconds=1") for _ in range(3)]
        before = time.process_time()
        await asyncio.gather(*[multi.perform(easy) for easy in easies])
        return time.process_time() - before

    assert loops.run(main) < 0.25


def test_a_thousand_transfers_run_at_once(loops: Any, http_process: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easies = [Easy(url=http_process.url + "/slow?seconds=1") for _ in range(1000)]
        tasks = [asyncio.ensure_future(multi.perform(easy)) for easy in easies]
        await asyncio.sleep(0)
        assert len(multi) == 1000
        assert await asyncio.gather(*tasks) == easies
        assert {easy.body for easy in easies} == {b"hello"}

    loops.run(main)
    assert http_process.stats()["accepted"] == 1000


def test_http_2_streams_share_few_connections(loops: Any, nginx: Any, ca: Any) -> None:
    if "HTTP2" not in libcurl.version_info().features:
        pytest.skip("this libcurl has no HTTP/2")
    options: dict[str, Any] = {
        "url": nginx.tls_url + "/bytes/100000",
        "cainfo": ca.cert,
        "pipewait": True,
        "http_version": libcurl.HTTPVersion.V2TLS,
    }

    async def main(multi: AsyncMulti) -> list[Easy]:
        multi.multi.set(max_host_connections=2)  # nginx allows 128 streams on each
        easies = [Easy(**options) for _ in range(300)]
        await asyncio.gather(*[multi.perform(easy) for easy in easies])
        return easies

    easies = loops.run(main)
    assert {easy.body for easy in easies} == {payload(100_000)}
    assert {easy.info.http_version for easy in easies} == {libcurl.HTTPVersion.V2_0}
    assert sum(easy.info.num_connects for easy in easies) <= 4


def test_connections_and_their_closers_are_the_multis(
    loops: Any, http: Any, no_fd_leak: Any
) -> None:
    closed: list[int] = []

    def closer(fd: int) -> None:
        closed.append(fd)
        os.close(fd)

    async def main(multi: AsyncMulti) -> None:
        for _ in range(3):
            with Easy(url=http.url, closesocketfunction=closer) as easy:
                await multi.perform(easy)
        assert closed == []

    with no_fd_leak():
        loops.run(main)
    assert len(closed) == 1
    assert http.accepted == 1


def test_a_body_goes_where_it_is_told(loops: Any, http: Any, tmp_path: Any) -> None:
    chunks: list[bytes] = []
    lines: list[bytes] = []

    async def main(multi: AsyncMulti) -> None:
        with open(tmp_path / "file", "wb") as file:
            await asyncio.gather(
                multi.perform(Easy(url=http.url + "/bytes/300000", writedata=file)),
                multi.perform(Easy(url=http.url + "/bytes/300000", writefunction=chunks.append)),
                multi.perform(Easy(url=http.url + "/headers/9", headerfunction=lines.append)),
            )

    loops.run(main)
    assert (tmp_path / "file").read_bytes() == b"".join(chunks) == payload(300_000)
    assert [line for line in lines if line.startswith(b"X-Header")] == [
        b"X-Header-%d: value-%d\r\n" % (number, number) for number in range(9)
    ]


# Failures


def test_a_failure_is_its_own_transfers(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> list[Any]:
        return await asyncio.gather(
            multi.perform(Easy(url="http://127.0.0.1:1/")),
            multi.perform(Easy(url=http.url + "/status/404", failonerror=True)),
            multi.perform(Easy(url=http.url + "/stall", timeout_ms=100)),
            multi.perform(Easy(url=http.url + "/slow?seconds=0.3")),
            return_exceptions=True,
        )

    refused, missing, late, fine = loops.run(main)
    assert type(refused) is libcurl.CouldntConnect
    assert missing.code is libcurl.Code.HTTP_RETURNED_ERROR
    assert type(late) is libcurl.OperationTimedOut
    assert fine.body == b"hello"


def test_handles_that_cannot_be_performed_are_refused_at_once(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        closed = Easy(url=http.url)
        closed.close()
        with pytest.raises(ValueError, match="closed"):
            await multi.perform(closed)
        with pytest.raises(TypeError):
            await multi.perform(5)  # type: ignore[arg-type]
        easy = Easy(url=http.url + "/slow?seconds=0.2")
        task = asyncio.ensure_future(multi.perform(easy))
        await asyncio.sleep(0)
        with pytest.raises(libcurl.MultiError) as caught:
            await multi.perform(easy)
        assert caught.value.code is libcurl.MCode.ADDED_ALREADY
        async with loops.multi() as other:
            with pytest.raises(libcurl.MultiError):
                await other.perform(easy)
        assert (await task).body == b"hello"
        assert len(multi) == 0

    loops.run(main)


def test_another_connections_closer_that_is_interrupted_leaves_the_multi_in_order(
    loops: Any, http: Any
) -> None:
    def closer(fd: int) -> None:
        os.close(fd)
        raise KeyboardInterrupt

    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url, closesocketfunction=closer)
        easy.perform()
        easy.set(closesocketfunction=None)
        with pytest.raises(KeyboardInterrupt):
            await multi.perform(easy)  # its own connection ends where it joins
        assert len(multi) == len(multi.multi) == 0
        assert (await multi.perform(easy)).body == b"hello"

    loops.run(main)


class Mine(Exception):
    """Raised by callbacks."""


def fails(*_: Any) -> Any:
    raise Mine


CALLBACKS: dict[str, dict[str, Any]] = {
    "writefunction": {},
    "headerfunction": {},
    "readfunction": {"upload": True, "infilesize": 5},
    "xferinfofunction": {"noprogress": False},
    "debugfunction": {"verbose": True},
    "prereqfunction": {},
    "opensocketfunction": {},
    "sockoptfunction": {},
    "resolver_start_function": {},
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_the_very_exception_of_a_callback_comes_out_of_its_task(
    loops: Any, http: Any, name: str
) -> None:
    if name == "prereqfunction" and LOADED < (7, 80):
        pytest.skip("libcurl 7.80 has it")
    raised = Mine()

    def raising(*_: Any) -> Any:
        raise raised

    async def main(multi: AsyncMulti) -> Any:
        url = http.url.replace("127.0.0.1", "localhost")
        bad = Easy(url=url + "/echo", **CALLBACKS[name], **{name: raising})
        bad.set(ipresolve=libcurl.IPResolve.V4)
        good = Easy(url=http.url + "/slow?seconds=0.2")
        return await asyncio.gather(multi.perform(good), multi.perform(bad), return_exceptions=True)

    good, bad = loops.run(main)
    assert good.body == b"hello"
    assert bad is raised


def test_a_stop_iteration_becomes_a_runtime_error(loops: Any, http: Any) -> None:
    def stop(*_: Any) -> None:
        raise StopIteration

    async def main(multi: AsyncMulti) -> None:
        with pytest.raises(RuntimeError) as caught:
            await multi.perform(Easy(url=http.url, writefunction=stop))
        assert type(caught.value.__cause__) is StopIteration

    loops.run(main)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_interrupts_in_callbacks_come_out_as_themselves(
    loops: Any, http: Any, kind: type[BaseException]
) -> None:
    others: list[BaseException] = []

    def interrupt(*_: Any) -> None:
        raise kind

    async def other(multi: AsyncMulti) -> None:
        try:
            await multi.perform(Easy(url=http.url + "/slow?seconds=20"))
        except BaseException as error:
            others.append(error)
            raise

    async def main() -> None:
        async with loops.multi() as multi:
            task = asyncio.ensure_future(other(multi))
            await asyncio.sleep(0.1)
            await multi.perform(Easy(url=http.url, writefunction=interrupt))
            await task

    with pytest.raises(kind):
        loops.run_alone(main())
    assert [type(error) for error in others] == [asyncio.CancelledError]
    if kind is KeyboardInterrupt:
        loops.problems.clear()  # asyncio's debug mode tells of a task that was interrupted


@pytest.mark.skipif(LOADED < (8, 0), reason="libcurl 8.0 has a push that works")
def test_an_exception_in_a_callback_of_the_multis_own_is_everybodys(
    loops: Any, nginx: Any, http: Any
) -> None:
    if not nginx.pushes:
        pytest.skip("this nginx does not push")

    async def main(multi: AsyncMulti) -> None:
        multi.multi.set(pushfunction=fails)
        told: list[bytes] = []
        page = Easy(url=nginx.h2c_url + "/push", verbose=True)
        page.set(http_version=libcurl.HTTPVersion.V2_PRIOR_KNOWLEDGE)
        page.set(debugfunction=lambda kind, data: told.append(bytes(data)))
        other = Easy(url=http.url + "/slow?seconds=20")
        results = await asyncio.gather(
            multi.perform(other), multi.perform(page), return_exceptions=True
        )
        assert type(results[0]) is Mine, (results, told)
        assert results[1] is page or type(results[1]) is Mine  # it may have ended just then
        assert len(multi) == len(multi.multi) == 0
        multi.multi.set(pushfunction=None)
        assert (await multi.perform(page)).body == b"page"

    loops.run(main)


# The limit


def test_no_more_than_the_limit_run_at_once_first_come_first_served(loops: Any, http: Any) -> None:
    running = most = 0
    order: list[object] = []
    lock = threading.Lock()

    def handler(connection: Any, request: Any) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        connection.sleep(0.01)
        with lock:
            running -= 1
        connection.respond(200, body=b"hello")

    http.route("/n/", handler)

    def transfer(name: object) -> Easy:
        """One that tells when it has begun: a server's threads may be late."""

        def opener(purpose: int, address: Address) -> socket.socket:
            order.append(name)
            return address.socket()

        return Easy(url=f"{http.url}/n/{name}", opensocketfunction=opener, fresh_connect=True)

    async def main(multi: AsyncMulti) -> None:
        easies = [transfer(number) for number in range(30)]

        async def late() -> None:
            while len(order) < 10:  # in the middle, when there is a queue
                await asyncio.sleep(0.001)
            await multi.perform(transfer("late"))

        extra = asyncio.ensure_future(late())
        await asyncio.gather(*[multi.perform(easy) for easy in easies])
        assert len(multi) <= 1
        await extra

    loops.run(main, 3)
    assert most == 3
    assert order == [*range(30), "late"]


def test_a_turn_that_is_not_taken_passes_on(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        closed = Easy(url=http.url)
        closed.close()
        first = asyncio.ensure_future(multi.perform(Easy(url=http.url + "/slow?seconds=0.1")))
        await asyncio.sleep(0)
        bad = asyncio.ensure_future(multi.perform(closed))
        cancelled = asyncio.ensure_future(multi.perform(Easy(url=http.url)))
        last = asyncio.ensure_future(multi.perform(Easy(url=http.url)))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([first, bad, cancelled, last])
        assert isinstance(bad.exception(), ValueError)
        assert cancelled.cancelled()
        assert last.result().body == b"hello"

        # Cancelled in the very moment when it is its turn.
        first = asyncio.ensure_future(multi.perform(Easy(url=http.url + "/slow?seconds=0.1")))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(multi.perform(Easy(url=http.url)))
        third = asyncio.ensure_future(multi.perform(Easy(url=http.url)))
        first.add_done_callback(lambda _: second.cancel())
        await asyncio.wait([first, second, third])
        assert third.result().body == b"hello"

        # Nobody is left but those that were cancelled.
        first = asyncio.ensure_future(multi.perform(Easy(url=http.url + "/stall")))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(multi.perform(Easy(url=http.url)))
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        await asyncio.wait([first, second])
        assert (await multi.perform(Easy(url=http.url))).body == b"hello"

    loops.run(main, 1)


def test_who_no_longer_waits_for_a_turn_leaves_nothing_and_the_order_as_it_was(
    loops: Any, http: Any
) -> None:
    async def main(multi: AsyncMulti) -> None:
        first = asyncio.ensure_future(multi.perform(Easy(url=http.url + "/stall")))
        await asyncio.sleep(0)
        easy = Easy(url=http.url)
        for _ in range(3):
            waits = [asyncio.wait_for(multi.perform(easy), 0.01) for _ in range(50)]
            ends = await asyncio.gather(*waits, return_exceptions=True)
            assert {type(end) for end in ends} == {asyncio.TimeoutError}
            assert len(multi.multi._waiting) == 0

        order: list[int] = []

        async def wait(number: int) -> None:
            await multi.perform(Easy(url=http.url))
            order.append(number)

        tasks = [asyncio.ensure_future(wait(number)) for number in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.wait(tasks[::2])
        assert len(multi.multi._waiting) == 10
        first.cancel()
        await asyncio.wait(tasks)
        assert order == list(range(1, 20, 2))

    loops.run(main, 1)


def test_a_limit_is_one_or_more() -> None:
    with pytest.raises(ValueError, match="limit=0"):
        AsyncMulti(limit=0)


def test_options_are_those_of_the_multi(loops: Any, http: Any) -> None:
    async def main() -> None:
        async with loops.multi(max_total_connections=2) as multi:
            easies = [Easy(url=http.url + "/slow?seconds=0.02") for _ in range(10)]
            await asyncio.gather(*[multi.perform(easy) for easy in easies])

    loops.run_alone(main())
    assert http.accepted == 2
    with pytest.raises(TypeError):
        AsyncMulti(maxconects=1)  # type: ignore[call-arg]


# as_completed


def test_as_completed_yields_each_when_it_ends(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        slow = Easy(url=http.url + "/slow?seconds=0.3")
        fast = Easy(url=http.url)
        bad = Easy(url=http.url + "/slow?seconds=0.1", writefunction=fails)
        found = [result async for result in multi.as_completed([slow, fast, bad])]
        assert [easy for easy, _ in found] == [fast, bad, slow]
        assert [type(error) for _, error in found] == [type(None), Mine, type(None)]
        assert [result async for result in multi.as_completed([])] == []

    loops.run(main)


@pytest.mark.parametrize("limit", [None, 5])
def test_as_completed_takes_any_number(loops: Any, http_process: Any, limit: int | None) -> None:
    async def main(multi: AsyncMulti) -> None:
        easies = (Easy(url=http_process.url) for _ in range(300))
        bodies = [easy.body async for easy, error in multi.as_completed(easies) if not error]
        assert bodies == [b"hello"] * 300

    loops.run(main, limit)


def test_leaving_as_completed_aborts_the_rest(loops: Any, http: Any) -> None:
    from contextlib import aclosing

    async def main(multi: AsyncMulti) -> None:
        easies = [Easy(url=http.url), *[Easy(url=http.url + "/stall") for _ in range(3)]]
        async with aclosing(multi.as_completed(easies)) as results:
            async for easy, _ in results:
                assert easy is easies[0]
                break
        assert len(multi) == len(multi.multi) == 0

    loops.run(main)
    assert http.wait_idle()


def test_as_completed_raises_what_its_iterable_raises(loops: Any, http: Any) -> None:
    def easies() -> Any:
        yield Easy(url=http.url + "/stall")
        raise Mine

    async def main(multi: AsyncMulti) -> None:
        with pytest.raises(Mine):
            async for _ in multi.as_completed(easies()):
                pass
        assert len(multi) == 0

    loops.run(main)
