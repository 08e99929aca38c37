"""A multi is one descriptor: every loop that can watch one drives it. The examples run as they are."""

from __future__ import annotations

import asyncio
import os
import pathlib
import re
import runpy
import select
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from servers import payload

import libcurl
from libcurl import Easy, MCode, Multi, MultiError

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "loops"
NAMES = sorted(path.stem for path in EXAMPLES.glob("with_*.py"))

Results = list[tuple[Easy, "BaseException | None"]]
Drive = Callable[[Multi], Results]


def needed(name: str) -> None:
    """Skip where a loop cannot be had."""
    if name in ("trio", "gevent"):
        pytest.importorskip(name)


# The loops, at their shortest. What is returned is what has finished, in order.


def with_select(multi: Multi) -> Results:
    results = []
    while len(multi):
        assert select.select([multi], [], [], 10)[0], "nothing to do, and transfers unfinished"
        results += multi.step()
    return results


def with_selectors(multi: Multi) -> Results:
    results = []
    with selectors.DefaultSelector() as selector:
        selector.register(multi, selectors.EVENT_READ)
        while len(multi):
            assert selector.select(10)
            results += multi.step()
    return results


def with_asyncio(multi: Multi) -> Results:
    results: Results = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def ready() -> None:
            try:
                results.extend(multi.step())
            except BaseException as error:
                over.set_exception(error)
            if not len(multi) and not over.done():
                over.set_result(None)

        loop.add_reader(multi.fileno(), ready)
        try:
            await asyncio.wait_for(over, 10)
        finally:
            loop.remove_reader(multi.fileno())

    asyncio.run(main())
    return results


def with_trio(multi: Multi) -> Results:
    import trio

    results: Results = []

    async def main() -> None:
        with trio.fail_after(10):
            while len(multi):
                await trio.lowlevel.wait_readable(multi)
                results.extend(multi.step())

    trio.run(main)
    return results


def with_gevent(multi: Multi) -> Results:
    import gevent

    results: Results = []

    def main() -> None:
        hub = gevent.get_hub()
        watcher = hub.loop.io(multi.fileno(), 1)
        while len(multi):
            hub.wait(watcher)
            results.extend(multi.step())

    greenlet = gevent.spawn(main)
    greenlet.join(10)
    greenlet.get(block=False)
    return results


LOOPS = [with_select, with_selectors, with_asyncio, with_trio, with_gevent]


@pytest.fixture(params=LOOPS, ids=lambda loop: loop.__name__.removeprefix("with_"))
def drive(request: pytest.FixtureRequest) -> Drive:
    """Each of the loops."""
    needed(request.param.__name__.removeprefix("with_"))
    return request.param  # type: ignore[no-any-return]


def test_every_loop_has_an_example() -> None:
    assert sorted(loop.__name__ for loop in LOOPS) == NAMES


# Examples


@pytest.mark.parametrize("name", NAMES)
def test_examples_run_as_they_are(name: str, http: Any) -> None:
    needed(name.removeprefix("with_"))
    urls = [f"{http.url}/bytes/{size}" for size in (0, 10, 100_000)]
    done = subprocess.run(
        [sys.executable, "-X", "dev", str(EXAMPLES / f"{name}.py"), *urls],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    # On a busy machine asyncio finds that something took long: no fault of the example's.
    said = [
        line for line in done.stderr.splitlines() if not re.search(r" took \d+\.\d+ seconds$", line)
    ]
    assert (done.returncode, said) == (0, [])
    expected = {f"{url} {url.rpartition('/')[2]} bytes" for url in urls}
    assert set(done.stdout.splitlines()) == expected


@pytest.mark.parametrize("name", NAMES)
def test_examples_tell_of_failures(name: str, http: Any) -> None:
    needed(name.removeprefix("with_"))
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), "http://127.0.0.1:1/", http.url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "COULDNT_CONNECT" in done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_examples_tell_how_they_are_called(name: str) -> None:
    needed(name.removeprefix("with_"))
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert f"python {name}.py URL..." in done.stderr


def test_trios_example_aborts_what_is_cancelled(http: Any) -> None:
    trio = pytest.importorskip("trio")
    client_of = runpy.run_path(str(EXAMPLES / "with_trio.py"))["Client"]

    async def main() -> None:
        client = client_of()
        with client.multi:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.drive)
                with trio.move_on_after(0.2) as scope:
                    await client.perform(Easy(url=http.url + "/stall"))
                assert scope.cancelled_caught
                assert len(client.multi) == 0
                easy = Easy(url=http.url)
                await client.perform(easy)
                assert easy.body == b"hello"
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert http.wait_idle()


def test_gevents_example_aborts_what_is_killed(http: Any) -> None:
    gevent = pytest.importorskip("gevent")
    client = runpy.run_path(str(EXAMPLES / "with_gevent.py"))["Client"]()
    with client.multi:
        driver = gevent.spawn(client.drive)
        with gevent.Timeout(0.2, False):
            client.perform(Easy(url=http.url + "/stall"))
        assert len(client.multi) == 0
        easy = Easy(url=http.url)
        client.perform(easy)
        assert easy.body == b"hello"
        driver.kill()
    assert http.wait_idle()


# What holds in every loop


def test_many_transfers_of_every_kind(drive: Drive, http: Any) -> None:
    with Multi() as multi:
        good = [Easy(url=f"{http.url}/bytes/{size}") for size in (0, 1, 5000, 3_000_000)] * 1
        good += [Easy(url=http.url + "/bytes/1000") for _ in range(50)]
        late = Easy(url=http.url + "/stall", timeout_ms=200)
        bad = Easy(url="http://127.0.0.1:1/")
        slow = Easy(url=http.url + "/drip?n=3&delay=0.1")
        for easy in (*good, late, bad, slow):
            multi.add(easy)
        results = dict(drive(multi))
        assert type(results.pop(late)) is libcurl.OperationTimedOut
        assert type(results.pop(bad)) is libcurl.CouldntConnect
        assert results == dict.fromkeys([*good, slow])
        for easy in good:
            assert easy.body == payload(int(easy.info.effective_url.rpartition("/")[2]))  # type: ignore[union-attr]


def test_a_transfer_that_is_added_later_is_heard_of(drive: Drive, http: Any) -> None:
    with Multi() as multi:
        for _ in range(3):
            multi.add(Easy(url=http.url))
            ((easy, error),) = drive(multi)
            assert (easy.body, error) == (b"hello", None)
        assert http.accepted == 1


def test_a_wakeup_makes_it_readable(drive: Drive, http: Any) -> None:
    with Multi() as multi:
        multi.add(Easy(url=http.url + "/slow?seconds=0.3"))
        timer = threading.Timer(0.1, multi.wakeup)
        timer.start()
        assert len(drive(multi)) == 1
        timer.join()


def test_nothing_is_burnt_while_waiting(drive: Drive, http_process: Any) -> None:
    with Multi() as multi:
        multi.add(Easy(url=http_process.url + "/slow?seconds=1"))
        before = time.process_time()
        assert len(drive(multi)) == 1
        assert time.process_time() - before < 0.3


class Mine(Exception):
    """Raised by callbacks."""


def test_callbacks_are_called_and_their_exceptions_come_with_their_transfers(
    drive: Drive, http: Any
) -> None:
    seen: dict[str, list[Any]] = {"body": [], "lines": [], "progress": []}

    def fail(*_: Any) -> None:
        raise Mine

    with Multi() as multi:
        easy = Easy(
            url=http.url + "/bytes/300000",
            writefunction=seen["body"].append,
            headerfunction=seen["lines"].append,
            xferinfofunction=lambda *numbers: seen["progress"].append(numbers),
            noprogress=False,
        )
        bad = Easy(url=http.url, writefunction=fail)
        multi.add(easy)
        multi.add(bad)
        results = dict(drive(multi))
        assert results[easy] is None
        assert type(results[bad]) is Mine
    assert b"".join(seen["body"]) == payload(300_000)
    assert seen["lines"][0].startswith(b"HTTP/1.1 200")
    assert seen["lines"][-1] == b"\r\n"
    assert seen["progress"][-1][1] == 300_000


def test_interrupts_in_callbacks_come_out_of_the_loop(drive: Drive, http: Any) -> None:
    def interrupt(data: bytes) -> None:
        raise KeyboardInterrupt

    with Multi() as multi:
        multi.add(Easy(url=http.url, writefunction=interrupt))
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            drive(multi)
        assert "KeyboardInterrupt" in repr(caught.value)


def test_closers_are_called_once_when_the_connections_end(drive: Drive, http: Any) -> None:
    opened: list[int] = []
    closed: list[int] = []

    def opener(purpose: int, address: libcurl.Address) -> int:
        opened.append(address.socket().detach())
        return opened[-1]

    def closer(fd: int) -> None:
        closed.append(fd)
        os.close(fd)

    with Multi() as multi:
        for path in ("/", "/close", "/slow?seconds=0.1"):
            easy = Easy(url=http.url + path, opensocketfunction=opener, closesocketfunction=closer)
            multi.add(easy)
        del easy
        assert [error for _, error in drive(multi)] == [None] * 3
        assert len(closed) == 1  # of /close; the others wait to be used again
        multi.add(Easy(url=http.url))
        drive(multi)
        assert len(opened) == 3
    assert sorted(closed) == sorted(opened)


def test_callbacks_may_not_remove_but_close(drive: Drive, http: Any) -> None:
    codes: list[int] = []

    def meddle(data: bytes) -> None:
        for easy in (bad, other):
            with pytest.raises(MultiError) as caught:
                multi.remove(easy)
            codes.append(caught.value.code)
        other.close()
        bad.close()

    with Multi() as multi:
        other = Easy(url=http.url + "/stall")
        bad = Easy(url=http.url, writefunction=meddle)
        good = Easy(url=http.url + "/slow?seconds=0.1")
        for easy in (other, bad, good):
            multi.add(easy)
        results = dict(drive(multi))
        assert results[good] is None
        for easy in (other, bad):
            assert easy.closed
            assert results[easy].code is libcurl.Code.ABORTED_BY_CALLBACK  # type: ignore[union-attr]
    assert codes == [MCode.RECURSIVE_API_CALL] * 2


def test_handles_are_removed_and_added_between_steps(http: Any) -> None:
    with Multi() as multi:
        for _ in range(20):
            multi.add(Easy(url=http.url + "/stall"))
        seen = 0
        multi.add(Easy(url=http.url))
        while len(multi):
            select.select([multi], [], [], 10)
            for easy, error in multi.step():
                assert (easy.body, error) == (b"hello", None)
                seen += 1
                stalled = next(iter(multi), None)
                if stalled is not None:
                    multi.remove(stalled)
                    easy.set(url=http.url)
                    multi.add(easy)
        assert seen == 21


def test_a_forked_child_may_close_while_its_parent_goes_on(drive: Drive, http: Any) -> None:
    with Multi() as multi:
        easy = Easy(url=http.url + "/slow?seconds=0.3")
        multi.add(easy)
        multi.fileno()
        multi.step()
        time.sleep(0.05)
        multi.step()
        child = os.fork()
        if not child:
            status = 1
            try:
                with pytest.raises(RuntimeError, match="before a fork"):
                    multi.step()
                easy.close()
                multi.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert drive(multi) == [(easy, None)]
        # A child that lives on, with all descriptors in its hands, does not make the parent spin.
        child = os.fork()
        if not child:
            time.sleep(5)
            os._exit(0)
        try:
            multi.add(Easy(url=http.url + "/close"))
            assert len(drive(multi)) == 1
            multi.step()
            assert select.select([multi], [], [], 0.2)[0] == []
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
