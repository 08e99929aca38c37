"""Multi: many transfers in one thread, driven in three ways, and what it has to survive."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import resource
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from driving import (
    WAYS,
    Drive,
    Loop,
    Results,
    by_perform,
    by_portable_run,
    by_run,
    by_socket_action,
    by_step,
)
from servers import payload
from servers.daemon import free_port

import libcurl
from libcurl import CSelect, Easy, MCode, MInfo, Multi, MultiError, Notify, NotSupported, Poll, Wait
from libcurl.raw import LOADED


def needs(*version: int) -> pytest.MarkDecorator:
    """Skip where libcurl is older; test_newest_libcurl.py runs these under the newest."""
    text = ".".join(map(str, version))
    return pytest.mark.skipif(version > LOADED, reason=f"libcurl {text} has it")


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def drive(request: pytest.FixtureRequest) -> Drive:
    """Every way to drive."""
    way: Drive = request.param
    return way


@pytest.fixture
def multi() -> Iterator[Multi]:
    """A multi of its own for each test."""
    with Multi() as handle:
        yield handle


def one(results: Results) -> tuple[Easy, BaseException | None]:
    (result,) = results
    return result


def test_every_way_of_driving_gives_the_same_results(
    drive: Drive, multi: Multi, http: Any, no_fd_leak: Any
) -> None:
    with no_fd_leak():
        with Multi() as multi:
            good = [Easy(url=f"{http.url}/bytes/{size}") for size in (0, 1, 70_000, 3_000_000)]
            good += [Easy(url=http.url + "/redirect/3", followlocation=True) for _ in range(10)]
            late = Easy(url=http.url + "/stall", timeout_ms=50)
            nowhere = Easy(url=f"http://127.0.0.1:{free_port()}/")
            short = Easy(url=http.url + "/short")
            lost = Easy(url=http.url + "/status/404", failonerror=True)
            for easy in (*good, late, nowhere, short, lost):
                multi.add(easy)
            assert len(multi) == 18
            results = dict(drive(multi))
            assert len(multi) == 0
            assert len(results) == 18
            assert [results[easy] for easy in good] == [None] * 14
            assert [len(easy.body) for easy in good] == [0, 1, 70_000, 3_000_000] + [5] * 10
            assert good[3].body == payload(3_000_000)
            assert isinstance(results[late], TimeoutError)
            assert isinstance(results[nowhere], ConnectionError)
            assert results[nowhere].errno == errno.ECONNREFUSED  # type: ignore[attr-defined]
            assert results[short].code == libcurl.Code.PARTIAL_FILE  # type: ignore[union-attr]
            assert "404" in str(results[lost])
        for easy in results:
            easy.close()


@pytest.mark.parametrize("first", range(3))
@pytest.mark.parametrize("second", range(3))
def test_the_first_way_of_driving_is_the_only_one(multi: Multi, first: int, second: int) -> None:
    ways: list[list[Callable[[], object]]] = [
        [lambda: list(multi.run()), multi.step, multi.fileno],
        [multi.perform, lambda: multi.poll(0), lambda: multi.wait(0), multi.fdset],
        [
            lambda: multi.set(socketfunction=print),
            lambda: multi.set(timerfunction=print),
            multi.socket_action,
        ],
    ]
    ways[first][0]()
    for use in ways[second]:
        if first == second:
            use()
        else:
            with pytest.raises(RuntimeError, match="this Multi is driven by"):
                use()


def test_nothing_is_burnt_while_waiting(drive: Drive, http_process: Any) -> None:
    with Multi() as multi:
        for _ in range(10):
            multi.add(Easy(url=http_process.url + "/slow?seconds=0.4"))
        begin = time.process_time()
        assert [error for _, error in drive(multi)] == [None] * 10
        assert time.process_time() - begin < 0.2  # of 0.4


def test_more_than_1024_descriptors_are_no_problem(drive: Drive, http_process: Any) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] != resource.RLIM_INFINITY and limits[1] < 2500:
        pytest.skip("this process may not open so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2500, limits[1]))
    plenty = [os.open(os.devnull, os.O_RDONLY) for _ in range(1040)]
    try:
        with Multi() as multi:
            for _ in range(20):
                multi.add(Easy(url=http_process.url + "/slow?seconds=0.3"))
            begin = time.process_time()
            results = dict(drive(multi))
            assert time.process_time() - begin < 0.2  # of 0.3
            assert list(results.values()) == [None] * 20
            assert {easy.body for easy in results} == {b"hello"}
    finally:
        for fd in plenty:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.slow
@pytest.mark.parametrize("drive", [by_run, by_step, by_perform])
def test_two_thousand_transfers_run_at_once(drive: Drive, http_process: Any, script: Any) -> None:
    script(
        f"""
        import resource, sys
        from driving import {drive.__name__} as drive, Easy, Multi
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
        count = min(2000, limits[1] - 100)
        multi = Multi()
        for _ in range(count):
            multi.add(Easy(url=sys.argv[1]))
        results = dict(drive(multi))
        assert set(results.values()) == {{None}} and len(results) == count
        """,
        http_process.url + "/slow?seconds=2",
        timeout=60,
    )
    assert http_process.stats()["accepted"] == 2000


# run, step, fileno


def test_handles_come_and_go_while_run_yields(multi: Multi, http: Any) -> None:
    stalled = Easy(url=http.url + "/stall")
    again = Easy(url=http.url + "/connection")
    multi.add(stalled)
    multi.add(again)
    count = 0
    for easy, error in multi.run():
        assert error is None
        assert easy not in multi
        count += 1
        if count == 1:
            multi.remove(stalled)
            multi.add(Easy(url=http.url))
        if count < 5:
            multi.add(easy)
    assert count == 6
    assert list(multi.run()) == []


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have something done just before C is asked to add a handle, and just when it has."""
    add: Any = libcurl.multi._add

    def install(
        before: Callable[[], object] = lambda: None, after: Callable[[], object] = lambda: None
    ) -> None:
        def added(*handles: Any) -> Any:
            before()
            code = add(*handles)
            after()
            return code

        monkeypatch.setattr("libcurl.multi._add", added)

    return install


def in_a_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_a_handle_can_be_driven_elsewhere_as_soon_as_it_is_added(
    multi: Multi, meanwhile: Any, http: Any
) -> None:
    easy = Easy(url=http.url)
    easy.fetch()
    found: Results = []
    meanwhile(after=lambda: in_a_thread(lambda: found.extend(multi.run())))
    multi.add(easy)
    assert found == [(easy, None)]
    assert easy not in multi
    assert not multi.get_handles()
    assert easy.body == b"hello"


def test_a_handle_that_is_removed_elsewhere_while_it_is_added_is_not_in_the_multi(
    multi: Multi, meanwhile: Any, http: Any
) -> None:
    easy = Easy(url=http.url)
    easy.fetch()
    meanwhile(before=lambda: in_a_thread(lambda: multi.remove(easy)))
    multi.add(easy)
    assert easy not in multi
    assert list(multi.run()) == []
    assert easy.fetch() == b"hello"


def test_run_does_not_wait_for_what_another_thread_is_adding(
    multi: Multi, meanwhile: Any, http: Any
) -> None:
    easy = Easy(url=http.url)
    easy.fetch()
    found: list[Results] = []
    meanwhile(before=lambda: in_a_thread(lambda: found.append(list(multi.run()))))
    multi.add(easy)
    assert found == [[]]
    assert list(multi.run()) == [(easy, None)]


@pytest.mark.parametrize("why", ["closed", "busy", "elsewhere"])
def test_a_handle_that_could_not_be_added_is_not_in_the_multi(
    why: str, multi: Multi, meanwhile: Any, http: Any
) -> None:
    easy = Easy(url=http.url)
    easy.fetch()
    with Multi() as other:
        if why == "closed":
            meanwhile(before=easy.close)
        elif why == "elsewhere":
            other.add(easy)
            easy._multi = None  # as another thread has seen it just before
        else:
            multi._handle.inside.thread = multi._handle  # some thread
        with pytest.raises((ValueError, MultiError, RuntimeError)):
            multi.add(easy)
        multi._handle.inside.thread = libcurl.raw.ffi.NULL
        assert easy not in multi
        assert not multi.get_handles()
        assert list(multi.run()) == []


def test_a_run_that_is_left_early_loses_no_result(multi: Multi, http: Any) -> None:
    easies = {Easy(url=http.url) for _ in range(20)}
    for easy in easies:
        multi.add(easy)
    time.sleep(0.05)
    finished = set()
    while len(finished) < 20:
        for easy, error in multi.run():
            assert error is None
            finished.add(easy)
            break
        else:
            break
    assert finished == easies


def test_two_runs_at_once_lose_no_result(http: Any) -> None:
    class Batches(Multi):
        """What is in it finishes together."""

        __slots__ = ()

        def _results(self, milliseconds: int) -> None:
            while self._easies:
                super()._results(milliseconds)

    with Batches() as multi:
        easies = [Easy(url=http.url) for _ in range(9)]

        def add(begin: int) -> None:
            for easy in easies[begin : begin + 3]:
                multi.add(easy)

        first, second = multi.run(), multi.run()
        add(0)
        finished = [next(first)]
        finished += [next(second) for _ in range(2)]
        add(3)
        finished.append(next(second))
        add(6)
        finished.append(next(first))
        finished += multi.run()
    assert {easy for easy, _ in finished} == set(easies)


@pytest.mark.skipif(
    sys.implementation.name == "pypy", reason="the test itself can be interrupted anywhere"
)
def test_interrupts_lose_no_transfer(http_process: Any, script: Any) -> None:
    # A signal comes every 0.2 ms, and most of them while there are results on their way. It interrupts
    # the package alone: CPython 3.10 also hears signals between a call's end and its assignment.
    script(
        """
        import signal, sys
        from libcurl import Easy, Multi

        class Interrupt(Exception):
            pass

        def interrupt(number, frame):
            global armed
            if armed and frame.f_globals is not globals():
                armed = False
                raise Interrupt

        armed = False
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0002)
        with Multi() as multi:
            idle = [Easy(url=sys.argv[1]) for _ in range(20)]
            caught = done = 0
            for turn in range(40):
                for easy in idle:
                    multi.add(easy)
                left = set(idle)
                while left:
                    try:
                        armed = True
                        found = multi.step()
                        armed = False
                    except Interrupt:
                        caught += 1
                        found = []
                    for easy, error in found:
                        assert error is None, error
                        left.remove(easy)
                        done += 1
                assert len(multi) == 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert caught > 20, caught
        assert done == 800
        """,
        http_process.url,
    )


def test_the_descriptor_is_readable_only_when_there_is_something_to_do(
    multi: Multi, http: Any
) -> None:
    def readable(seconds: float = 0) -> bool:
        return bool(select.select([multi.fileno()], [], [], seconds)[0])

    go = threading.Event()
    http.route("/wait", lambda connection, _: (go.wait(5), connection.respond(body=b"hello")))
    assert not readable()
    easy = Easy(url=http.url + "/wait")
    multi.add(easy)
    assert readable(), "a transfer wants to begin"
    while not http.requests:
        multi.step()
    multi.step()
    assert multi.step() == []
    while readable(0.05):  # libcurl's own timers
        assert multi.step() == []
    go.set()
    assert readable(5)
    results: Results = []
    while not results:
        results = multi.step()
    assert one(results) == (easy, None)
    http.connections[0].drop()  # an idle connection in the cache is nobody's business
    time.sleep(0.05)
    multi.step()
    assert not readable()


def test_a_timer_is_set_for_what_is_due_later_only(multi: Multi, http: Any) -> None:
    def timer() -> list[str]:
        """What /proc says of the multi's timer, which is the only one: how often due, when next."""
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if "timerfd" in os.readlink(f"/proc/self/fd/{fd}"):
                    lines = pathlib.Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
                    return [line for line in lines if line.startswith(("ticks", "it_value"))]
        return []

    fd = multi.fileno()
    never = timer()
    assert never == ["ticks: 0", "it_value: (0, 0)"]
    for seconds in (50, 40):
        multi.add(Easy(url=http.url + "/stall", timeout_ms=seconds * 1000))
        assert select.select([fd], [], [], 0)[0]
    assert timer() == never  # both are due now
    while len(http.requests) < 2:
        select.select([fd], [], [], 1)
        multi.step()
    multi.add(Easy(url=http.url + "/stall", timeout_ms=300))
    begin = time.monotonic()
    results: Results = []
    while not results:
        assert select.select([fd], [], [], 5)[0]
        results = multi.step()
    assert 0.25 < time.monotonic() - begin < 4
    assert isinstance(one(results)[1], TimeoutError)
    while select.select([fd], [], [], 0.05)[0]:
        multi.step()
    assert timer() != never


def test_a_wakeup_ends_every_wait(http: Any) -> None:
    for way in ("step", "perform", "portable"):
        with Multi() as multi:
            if way == "portable":
                multi._handle.portable = True
            else:
                getattr(multi, way)()
            multi.add(Easy(url=http.url + "/stall"))
            woken = threading.Event()

            def wake(multi: Multi = multi, woken: threading.Event = woken) -> None:
                woken.set()
                multi.wakeup()

            thread = threading.Timer(0.15, wake)
            if way == "perform":
                multi.perform()
                while multi.poll(20) or time.sleep(0.001) or not http.requests:
                    multi.perform()
                multi.perform()
                begin = time.monotonic()
                thread.start()
                while not woken.is_set():
                    multi.poll(5_000)
                    multi.perform()
                thread.join()
                assert time.monotonic() - begin < 4
            elif way == "step":
                thread.start()
                begin = time.monotonic()
                while not woken.is_set():
                    select.select([multi.fileno()], [], [], 5)
                    multi.step()
                thread.join()
                assert time.monotonic() - begin < 4
            else:
                multi.step()
                multi.wakeup()
            thread.cancel()


def test_a_wakeup_of_an_empty_multi_is_over_after_a_step(multi: Multi) -> None:
    fd = multi.fileno()
    assert not select.select([fd], [], [], 0)[0]
    multi.wakeup()
    assert select.select([fd], [], [], 1)[0]
    assert multi.step() == []
    assert not select.select([fd], [], [], 0)[0]


def test_connections_are_shut_down_when_no_transfer_is_left(multi: Multi, https: Any) -> None:
    # From libcurl 8.10 TLS is shut down in its own time, after the transfer.
    closed: list[int] = []

    def close(fd: int) -> None:
        closed.append(fd)
        os.close(fd)

    poll = select.poll()
    poll.register(multi.fileno(), select.POLLIN)
    options: dict[str, Any] = {"forbid_reuse": True, "ssl_verifypeer": False}
    for _ in range(5):
        multi.add(Easy(url=https.url, closesocketfunction=close, **options))
    assert [error for _, error in by_step(multi)] == [None] * 5
    for _ in range(50):
        if len(closed) == 5 and not poll.poll(0):
            break
        poll.poll(100)
        assert multi.step() == []
    assert len(closed) == 5
    assert not poll.poll(50)


@pytest.mark.parametrize("thread", ["main", "other"])
@pytest.mark.parametrize("way", ["run", "portable", "poll", "wait"])
def test_ctrl_c_ends_a_wait(way: str, thread: str, http: Any, script: Any) -> None:
    # The signal may be delivered to another thread: then no system call is cut short.
    out = script(
        """
        import os, signal, sys, threading, time
        from libcurl import Easy, Multi

        way, thread, url = sys.argv[1:]
        multi = Multi()
        easy = Easy(url=url)
        multi.add(easy)

        def interrupt():
            global sent
            time.sleep(0.3)
            whom = threading.main_thread() if thread == "main" else threading.current_thread()
            sent = time.monotonic()
            signal.pthread_kill(whom.ident, signal.SIGINT)

        threading.Thread(target=interrupt).start()
        try:
            if way in ("run", "portable"):
                multi._handle.portable = way == "portable"
                list(multi.run())
            while multi.perform():
                getattr(multi, way)(5000)
        except KeyboardInterrupt:
            print(time.monotonic() - sent)
        assert easy in multi
        multi.close()
        easy.close()
        """,
        way,
        thread,
        http.url + "/stall",
    )
    assert float(out) < 1


# perform, poll, and what belongs to them


def test_poll_waits_for_descriptors_of_the_users_own_too(multi: Multi) -> None:
    ours, theirs = os.pipe()
    try:
        begin = time.monotonic()
        assert multi.poll(50, [(ours, Wait.POLLIN)]) == []
        assert 0.04 < time.monotonic() - begin < 1
        os.write(theirs, b"x")
        assert multi.poll(5_000, [(ours, Wait.POLLIN), (theirs, Wait.POLLPRI)]) == [ours]
        assert multi.wait(5_000, [(ours, Wait.POLLIN), (theirs, Wait.POLLOUT)]) == [ours, theirs]
        assert time.monotonic() - begin < 2
    finally:
        os.close(ours)
        os.close(theirs)


def test_wait_returns_at_once_where_there_is_nothing_to_wait_for(multi: Multi) -> None:
    begin = time.monotonic()
    assert multi.wait(5_000) == []
    assert time.monotonic() - begin < 1
    assert multi.timeout() == -1


def test_timeout_says_when_libcurl_wants_to_be_driven(multi: Multi, http: Any) -> None:
    multi.add(Easy(url=http.url + "/stall", timeout_ms=2_000))
    assert multi.timeout() == 0
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        multi.perform()
        multi.poll(20)
    assert 0 < multi.timeout() <= 2_000


def test_fdset_lists_what_select_can_take(multi: Multi, http: Any) -> None:
    fds: list[int] = []
    multi.add(Easy(url=http.url + "/stall", sockoptfunction=lambda fd, _: fds.append(fd)))
    while not http.requests:
        multi.perform()
        read, write, _ = multi.fdset()
        select.select(read, write, [], 0.05)
    multi.perform()
    read, write, special = multi.fdset()
    assert fds[0] in read  # beside one of 8.22's own
    assert write == special == []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(1200, limits[0]), limits[1]))
    try:
        plenty = [os.open(os.devnull, os.O_RDONLY) for _ in range(1030)]
        for _ in range(3):
            multi.add(Easy(url=http.url + "/stall"))
        for fd in plenty:
            os.close(fd)
        for _ in range(20):
            multi.perform()
            assert all(fd < 1024 for kind in multi.fdset() for fd in kind)
            time.sleep(0.002)
    finally:
        multi.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@needs(8, 8)
def test_waitfds_lists_what_poll_can_take(multi: Multi, http: Any) -> None:
    assert multi.waitfds() == []
    fds: list[int] = []
    for _ in range(3):
        multi.add(Easy(url=http.url + "/stall", sockoptfunction=lambda fd, _: fds.append(fd)))
    while len(http.requests) < 3:
        multi.perform()
        poll = select.poll()
        for fd, events in multi.waitfds():
            poll.register(fd, events)
        poll.poll(20)
    for _ in range(5):
        multi.perform()
    found = dict(multi.waitfds())
    assert set(fds) <= set(found)
    assert set(found.values()) == {Wait.POLLIN}


def test_info_read_removes_nothing(multi: Multi, http: Any) -> None:
    easy = Easy(url=http.url)
    multi.add(easy)
    while multi.perform():
        multi.poll()
    assert multi.info_read() == [(easy, None)]
    assert multi.info_read() == []
    assert easy in multi
    assert easy.body == b"hello"
    assert multi.get_handles() == [easy]
    multi.remove(easy)
    assert easy not in multi
    easy.perform()


# socket_action


def test_socket_callbacks_come_in_libcurls_order(multi: Multi, http: Any) -> None:
    events: list[tuple[str, int]] = []
    loop = Loop()

    def watch(easy: Any, fd: int, what: int, assigned: object) -> None:
        events.append((Poll(what).name, fd))
        loop.watch(easy, fd, what, assigned)

    def close(fd: int) -> None:
        events.append(("closed", fd))
        os.close(fd)

    multi.set(socketfunction=watch, timerfunction=loop.time)
    easy = Easy(url=http.url + "/slow?seconds=0.02", forbid_reuse=True, closesocketfunction=close)
    multi.add(easy)
    assert one(loop.drive(multi)) == (easy, None)
    (ours,) = [fd for name, fd in events if name == "closed"]
    names = [name for name, fd in events if fd == ours]  # 8.22 has another of its own
    assert names[0] == "OUT"
    assert names[-2:] == ["REMOVE", "closed"]
    assert "IN" in names
    assert names.count("REMOVE") == names.count("closed") == 1


def test_what_is_assigned_to_a_descriptor_comes_back_until_it_is_removed(
    multi: Multi, http: Any
) -> None:
    seen: list[tuple[int, object]] = []
    loop = Loop()
    label = object()

    def watch(easy: Any, fd: int, what: int, assigned: object) -> None:
        if easy is not None:
            seen.append((what, assigned))
        if assigned is None and what != Poll.REMOVE:
            multi.assign(fd, label)
        loop.watch(easy, fd, what, assigned)

    multi.set(socketfunction=watch, timerfunction=loop.time)
    for _ in range(2):  # the second time on the connection of the first
        seen.clear()
        multi.add(Easy(url=http.url + "/slow?seconds=0.02"))
        loop.drive(multi)
        assert len(seen) >= 2
        assert seen[0][1] is None
        assert {assigned for _, assigned in seen[1:]} == {label}
        assert seen[-1][0] == Poll.REMOVE
    with pytest.raises(MultiError) as caught:
        multi.assign(0, label)
    assert caught.value.code == MCode.BAD_SOCKET
    with pytest.raises(MultiError):
        multi.unassign(0)


def test_unassign_takes_back(multi: Multi, http: Any) -> None:
    loop = Loop()
    multi.set(socketfunction=loop.watch, timerfunction=loop.time)
    fds: list[int] = []
    easy = Easy(url=http.url + "/stall", sockoptfunction=lambda fd, _: fds.append(fd))
    multi.add(easy)
    while not fds or fds[0] not in dict(loop.told):
        loop.turn(multi)
    (fd,) = fds
    seen: list[object] = []
    multi.set(socketfunction=lambda easy, fd, what, assigned: seen.append((fd, what, assigned)))
    multi.assign(fd, "mine")
    multi.unassign(fd)
    multi.remove(easy)
    assert (fd, Poll.REMOVE, None) in seen


@pytest.mark.parametrize("where", ["socketfunction", "timerfunction"])
def test_an_exception_in_a_callback_of_the_multi_comes_out_of_the_call_in_progress(
    where: str, multi: Multi, http: Any
) -> None:
    loop = Loop()
    raised = ZeroDivisionError("mine")
    failing = False

    def watch(easy: Any, fd: int, what: int, assigned: object) -> None:
        loop.watch(easy, fd, what, assigned)
        if failing and where == "socketfunction":
            raise raised

    def timer(milliseconds: int) -> None:
        loop.time(milliseconds)
        if failing and where == "timerfunction":
            raise raised

    multi.set(socketfunction=watch, timerfunction=timer)
    first = Easy(url=http.url)
    multi.add(first)
    failing = True
    with pytest.raises(ZeroDivisionError) as caught:
        while True:
            loop.turn(multi, 0.1)
            multi.socket_action()
    assert caught.value is raised
    failing = False
    if first in multi:
        multi.remove(first)
    second = Easy(url=http.url)
    multi.add(second)
    assert (second, None) in loop.drive(multi)


def test_a_timer_callback_that_fails_in_add_leaves_the_handle_out(multi: Multi, http: Any) -> None:
    # libcurl has half added it then, and 7.88.1 and 8.14.1 crash in the next socket_action.
    def timer(milliseconds: int) -> None:
        raise OSError("no timers left")

    multi.set(timerfunction=timer)
    easy = Easy(url=http.url)
    for _ in range(3):
        with pytest.raises(OSError, match="no timers left"):
            multi.add(easy)
        assert easy not in multi
        assert len(multi) == 0
        assert multi.socket_action() == 0
    easy.perform()
    multi.set(timerfunction=None)
    multi.add(easy)
    assert one(by_socket_action(multi)) == (easy, None)


@pytest.mark.parametrize("answer", [-1, 1, "junk"])
def test_a_socket_callback_that_refuses_does_no_harm(
    answer: object, multi: Multi, http: Any
) -> None:
    multi.set(socketfunction=lambda *args: answer, timerfunction=lambda milliseconds: None)
    easy = Easy(url=http.url)
    multi.add(easy)
    expected = TypeError if answer == "junk" else MultiError
    with pytest.raises(expected):
        for _ in range(20):
            multi.socket_action()
            time.sleep(0.001)
        raise MultiError(MCode.ABORTED_BY_CALLBACK)  # 7.74 does not care
    multi.set(socketfunction=None)
    multi.remove(easy)
    easy.perform()


def test_readiness_of_sockets_that_libcurl_does_not_have_is_no_error(
    multi: Multi, http: Any
) -> None:
    loop = Loop()
    multi.set(socketfunction=loop.watch, timerfunction=loop.time)
    easy = Easy(url=http.url, forbid_reuse=True)
    multi.add(easy)
    loop.drive(multi)
    gone = loop.told[0][0]
    with open(os.devnull) as unknown:
        for fd in (gone, unknown.fileno(), 99_999):
            for events in (CSelect.IN, CSelect.OUT, CSelect.ERR, 0):
                assert multi.socket_action(fd, events) == 0
    with pytest.raises(MultiError):
        multi.assign(gone, "late")
    multi.add(easy)
    assert one(loop.drive(multi)) == (easy, None)


def test_a_handle_of_libcurls_own_is_none_for_callbacks(https: Any) -> None:
    # 8.22 announces the descriptor of its wakeup under a handle of its own; so does DoH.
    seen: list[object] = []
    loop = Loop()

    def watch(easy: Any, fd: int, what: int, assigned: object) -> None:
        seen.append(easy)
        loop.watch(easy, fd, what, assigned)

    with Multi(socketfunction=watch, timerfunction=loop.time) as multi:
        easy = Easy(
            url="http://name.invalid/", doh_url=https.url + "/doh", doh_ssl_verifypeer=False
        )
        https.route("/doh", lambda connection, _: connection.respond(404))
        multi.add(easy)
        (result,) = loop.drive(multi)
        assert result[0] is easy
        assert isinstance(result[1], libcurl.CouldntResolveHost)
        assert set(seen) <= {easy, None}
        assert None in seen


# Exceptions in the callbacks of transfers


class Mine(Exception):
    """Raised by these tests."""


def fails(name: str) -> Callable[..., Any]:
    def fail(*args: object) -> None:
        raise Mine(name)

    return fail


CALLBACKS = {
    "writefunction": {},
    "headerfunction": {},
    "xferinfofunction": {},
    "opensocketfunction": {},
    "sockoptfunction": {},
    "debugfunction": {"verbose": True},
    "readfunction": {"upload": True},
    "resolver_start_function": {"url": "http://localhost.:1/"},
    "prereqfunction": {},
}


def test_an_exception_comes_out_with_its_own_transfer(drive: Drive, http: Any) -> None:
    with Multi() as multi:
        failing = {
            Easy(**{"url": http.url + "/echo", **options, name: fails(name)}): name
            for name, options in CALLBACKS.items()
        }
        good = [Easy(url=http.url + "/bytes/100000") for _ in range(10)]
        for pair in zip(failing, good, strict=False):
            for easy in pair:
                multi.add(easy)
        multi.add(good[-1])
        results = dict(drive(multi))
        assert len(multi) == 0
        assert {easy: str(results[easy]) for easy in failing} == failing
        assert {type(results[easy]) for easy in failing} == {Mine}
        assert [results[easy] for easy in good] == [None] * 10
        for easy in failing:  # and is forgotten then
            easy.set(**{failing[easy]: None}, upload=False, url=http.url)
            multi.add(easy)
        assert [error for _, error in drive(multi)] == [None] * len(failing)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_callback_comes_out_of_run_itself(
    kind: type[BaseException], multi: Multi, http: Any
) -> None:
    def interrupt(data: bytes) -> None:
        raise kind

    broken = Easy(url=http.url, writefunction=interrupt)
    good = {Easy(url=http.url) for _ in range(10)}
    for easy in (broken, *good):
        multi.add(easy)
    finished = set()
    with pytest.raises(kind):
        for easy, error in multi.run():
            assert error is None
            finished.add(easy)
    assert broken not in multi
    finished |= {easy for easy, _ in multi.run()}
    assert finished == good


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("name", ["writefunction", "headerfunction", "xferinfofunction"])
@pytest.mark.parametrize("way", [by_perform, by_socket_action], ids=["perform", "socket_action"])
def test_an_interrupt_in_a_callback_comes_out_of_the_call_in_progress(
    way: Drive, name: str, kind: type[BaseException], multi: Multi, http: Any
) -> None:
    def interrupt(*arguments: object) -> None:
        raise kind

    broken = Easy(**{"url": http.url, name: interrupt})
    good = {Easy(url=http.url) for _ in range(10)}
    for easy in (broken, *good):
        multi.add(easy)
    loop = Loop()  # one for both: it knows the sockets that are left
    if way is by_socket_action:
        multi.set(socketfunction=loop.watch, timerfunction=loop.time)
        way = loop.drive
    with pytest.raises(kind):
        way(multi)
    assert broken not in multi
    finished = way(multi) if multi.get_handles() else []
    loop.selector.close()
    assert all(error is None for _, error in finished)
    assert {easy for easy, _ in finished} | good == good


def test_what_only_a_transfer_uses_can_be_changed_before_and_after_it(
    multi: Multi, http: Any
) -> None:
    easy = Easy(url=http.url + "/status/404", postfields=b"old")
    multi.add(easy)
    easy.reset()
    easy.set(url=http.url + "/echo", postfields=b"new")
    while multi.perform():
        if http.requests:
            with pytest.raises(RuntimeError, match="during"):
                easy.reset()
            with pytest.raises(RuntimeError, match="during"):
                easy.set(postfields=b"late")
        multi.poll(1000)
    easy.set(postfields=b"next")
    easy.reset()
    assert multi.info_read() == [(easy, None)]
    assert http.requests[0].body == b"new"
    multi.remove(easy)
    with pytest.raises(libcurl.Error):
        easy.perform()  # no URL


def test_a_handle_in_a_multi_does_not_perform_by_itself(multi: Multi, http: Any) -> None:
    easy = Easy(url=http.url)
    multi.add(easy)
    for way in (easy.perform, easy.fetch, lambda: list(easy.stream())):
        with pytest.raises(libcurl.Error, match="is in a multi"):
            way()
    multi.remove(easy)
    easy.set(url=http.url + "/bytes/30000000")
    stream = easy.stream()
    next(stream)
    with pytest.raises(libcurl.Error, match="in the middle of a transfer"):
        easy.perform()
    stream.close()


def test_a_removed_handle_gives_its_exception_to_remove(multi: Multi, http: Any) -> None:
    def close(fd: int) -> None:
        os.close(fd)
        raise Mine("closing")

    easy = Easy(url=http.url + "/stall", closesocketfunction=close)
    multi.add(easy)
    while not http.requests:
        multi.perform()
    with pytest.raises(Mine, match="closing"):
        multi.remove(easy)
    assert easy not in multi


# What callbacks do to their own multi


def test_a_callback_cannot_drive_or_change_its_multi(drive: Drive, http: Any) -> None:
    outcomes: list[object] = []

    def meddle(data: bytes) -> None:
        for forbidden in (
            lambda: multi.remove(easy),
            lambda: multi.remove(other),
            lambda: multi.add(Easy(url=http.url)),
            multi.close,
            {
                by_run: multi.step,
                by_portable_run: multi.step,
                by_step: multi.step,
                by_perform: multi.perform,
                by_socket_action: multi.socket_action,
            }[drive],
        ):
            with pytest.raises(MultiError) as caught:
                forbidden()
            outcomes.append(caught.value.code)

    with Multi() as multi:
        easy = Easy(url=http.url, writefunction=meddle)
        other = Easy(url=http.url + "/slow?seconds=0.05")
        multi.add(easy)
        multi.add(other)
        assert dict(drive(multi)) == {easy: None, other: None}
        assert outcomes == [MCode.RECURSIVE_API_CALL] * 5


@pytest.mark.parametrize("whose", ["own", "other", "finished"])
def test_a_handle_closed_in_a_callback_is_closed_when_the_call_ends(
    whose: str, drive: Drive, http: Any
) -> None:
    def closes(data: bytes) -> None:
        (easy if whose == "own" else other).close()

    with Multi() as multi:
        other = Easy(url=http.url + ("/" if whose == "finished" else "/stall"))
        easy = Easy(url=http.url + "/slow?seconds=0.05", writefunction=closes)
        multi.add(easy)
        if whose != "own":
            multi.add(other)
        results = dict(drive(multi))
        closed, left = (easy, other) if whose == "own" else (other, easy)
        assert closed.closed
        assert len(multi) == 0
        if whose == "finished":
            assert results == {easy: None, other: None}
        else:
            assert results[closed].code == libcurl.Code.ABORTED_BY_CALLBACK  # type: ignore[union-attr]
            if whose == "other":
                assert results[left] is None


def test_a_handle_that_is_closed_leaves_its_multi(multi: Multi, http: Any) -> None:
    easy = Easy(url=http.url + "/stall")
    multi.add(easy)
    multi.perform()
    easy.close()
    assert list(multi) == []
    assert multi.perform() == 0
    assert multi.info_read() == []


# Handles, options, life


def test_a_multi_is_a_collection_of_handles(multi: Multi) -> None:
    easies = [Easy() for _ in range(3)]
    for easy in easies:
        multi.add(easy)
    assert list(multi) == multi.get_handles() == easies
    assert len(multi) == 3
    assert easies[0] in multi
    assert Easy() not in multi
    assert "easy" not in multi
    multi.remove(easies[1])
    assert list(multi) == [easies[0], easies[2]]
    assert bool(Multi())
    assert "2" in repr(multi)


def test_handles_that_cannot_be_added_are_refused(multi: Multi, http: Any) -> None:
    easy = Easy(url=http.url)
    with Multi() as other:
        other.add(easy)
        with pytest.raises(MultiError, match="in use already") as caught:
            multi.add(easy)
        assert caught.value.code == MCode.ADDED_ALREADY
        with pytest.raises(MultiError, match="in this multi already"):
            other.add(easy)
        with pytest.raises(ValueError, match="not in this Multi"):
            multi.remove(easy)
    easy.set(writefunction=lambda data: multi.add(easy))
    with pytest.raises(MultiError, match="in use already"):
        easy.perform()
    easy.set(writefunction=None)
    multi.add(easy)
    with pytest.raises(libcurl.Error):
        easy.perform()
    multi.remove(easy)
    easy.close()
    with pytest.raises(ValueError, match="closed"):
        multi.add(easy)
    with pytest.raises(TypeError, match="easy handles, not str"):
        multi.add("easy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not in this Multi"):
        multi.remove(Easy())
    assert len(multi) == 0


def test_options_are_keywords_of_their_own_kind(multi: Multi) -> None:
    multi.set(maxconnects=5, max_total_connections=3, pipelining=0)
    multi.set(pipelining_site_bl=["example.com"], pipelining_server_bl=[])
    for wrong, kind, words in (
        ({"max_host_connection": 1}, TypeError, "did you mean 'max_host_connections'"),
        ({"MAXCONNECTS": 1}, TypeError, "no option"),
        ({"maxconnects": "5"}, TypeError, "takes an int, not str"),
        ({"maxconnects": 1 << 64}, ValueError, "out of range"),
        ({"maxconnects": None}, TypeError, "takes an int"),
        ({"socketfunction": 5}, TypeError, "takes a callable, not int"),
        ({"socketdata": 5}, TypeError, "not for Python"),
        ({"pipelining_site_bl": "abc"}, TypeError, "takes an iterable of strings, not str"),
        ({"pipelining_site_bl": [5]}, TypeError, "takes an iterable of strings"),
        ({"pipelining_site_bl": 5}, TypeError, "takes an iterable of strings"),
        ({"pipelining_server_bl": ["a\0b"]}, ValueError, "no NUL"),
        ({"pushdata": None}, TypeError, "not for Python"),
    ):
        with pytest.raises(kind, match=words):
            multi.set(**wrong)  # type: ignore[arg-type]
    if LOADED < (8, 16):
        with pytest.raises(NotSupported, match=r"CURLMOPT_NETWORK_CHANGED needs libcurl 8\.16"):
            multi.set(network_changed=1)
    if LOADED < (8, 17):
        with pytest.raises(NotSupported, match=r"needs libcurl 8\.17"):
            multi.set(notifyfunction=print)


def test_max_total_connections_limits_them(drive: Drive, http: Any) -> None:
    with Multi(max_total_connections=2) as multi:
        for _ in range(6):
            multi.add(Easy(url=http.url + "/slow?seconds=0.02"))
        assert [error for _, error in drive(multi)] == [None] * 6
        assert http.accepted <= 2


def test_a_closed_multi_says_so(multi: Multi) -> None:
    easy = Easy()
    multi.add(easy)
    multi.close()
    multi.close()
    assert multi.closed
    assert easy not in multi
    assert list(multi) == []
    assert "closed" in repr(multi)
    for use in (
        lambda: multi.add(easy),
        lambda: multi.set(maxconnects=1),
        lambda: multi.set(pushfunction=print),
        multi.step,
        multi.fileno,
        multi.wakeup,
        multi.timeout,
        lambda: multi.assign(0, None),
    ):
        with pytest.raises(ValueError, match="this Multi handle is closed"):
            use()
    with Multi() as other:
        other.perform()
    for use in (other.perform, other.poll, other.wait, other.fdset, other.info_read):
        with pytest.raises(ValueError, match="closed"):
            use()
    with Multi() as other:
        other.socket_action()
    with pytest.raises(ValueError, match="closed"):
        other.socket_action()


def test_handles_outlive_their_multi(http: Any) -> None:
    easies = [Easy(url=http.url) for _ in range(3)]
    with Multi() as multi:
        for easy in easies:
            multi.add(easy)
        multi.perform()
    for easy in easies:
        easy.perform()
        assert easy.body == b"hello"


def test_no_callback_is_called_while_a_multi_is_closed(http: Any) -> None:
    called: list[str] = []
    loop = Loop()

    def watch(easy: Any, fd: int, what: int, assigned: object) -> None:
        called.append("socket")
        loop.watch(easy, fd, what, assigned)

    def timer(milliseconds: int) -> None:
        called.append("timer")
        loop.time(milliseconds)

    with Multi(socketfunction=watch, timerfunction=timer) as multi:
        multi.add(Easy(url=http.url))
        loop.drive(multi)  # leaves a connection in the cache
        multi.add(Easy(url=http.url + "/stall"))
        while len(http.requests) < 2:
            loop.turn(multi)
        called.clear()
    assert called == []


def test_a_multi_that_is_collected_closes_its_connections(
    http: Any, no_fd_leak: Any, script: Any
) -> None:
    out = script(
        """
        import gc, os, sys
        from libcurl import Easy, Multi

        url = sys.argv[1]
        said = []

        def use():
            multi = Multi()
            def close(fd):
                said.append(("closed", multi is not None))
                os.close(fd)
            idle = Easy(url=url, closesocketfunction=close)
            busy = Easy(url=url + "/stall", closesocketfunction=close, verbose=True,
                        debugfunction=lambda kind, data: said.append("debug") and multi)
            multi.add(idle)
            multi.add(busy)
            seen = 0
            while not seen or len(sockets()) < len(before) + 2:
                seen += len(multi.step())

        sockets = lambda: [fd for fd in os.listdir("/proc/self/fd") if "socket" in
                           os.path.realpath("/proc/self/fd/" + fd)]
        before = sockets()
        use()
        while "debug" in said:
            said.remove("debug")
        for _ in range(3):
            gc.collect()
        while "debug" in said:
            said.remove("debug")
        assert said == [("closed", True)] * 2, said
        assert sockets() == before
        """,
        http.url,
    )
    assert out == ""


def test_connections_of_a_multi_that_lives_to_the_end_are_closed_at_exit(
    http: Any, script: Any
) -> None:
    out = script(
        """
        import os, sys
        from libcurl import Easy, Multi

        multi = Multi()
        multi.add(Easy(url=sys.argv[1], closesocketfunction=lambda fd: print("closed", os.close(fd))))
        list(multi.run())
        print("end")
        sys.modules["keeps"] = multi
        """,
        http.url,
    )
    assert out == "end\nclosed None\n"


def test_a_forked_child_can_only_close(http: Any, script: Any) -> None:
    script(
        """
        import os, sys
        from libcurl import Easy, Multi

        multi = Multi()
        multi.add(Easy(url=sys.argv[1]))
        list(multi.run())
        busy = Easy(url=sys.argv[1] + "/slow?seconds=0.2")
        multi.add(busy)
        multi.step()
        pid = os.fork()
        if not pid:
            try:
                multi.step()
            except RuntimeError as error:
                assert "before a fork" in str(error)
                multi.close()
                multi.close()
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert list(multi.run()) == [(busy, None)]
        """,
        http.url,
    )


def test_another_thread_is_refused_except_for_wakeup(multi: Multi, http: Any) -> None:
    errors: list[str] = []

    def elsewhere() -> None:
        for use in (multi.step, lambda: multi.add(Easy()), lambda: multi.remove(easy), multi.close,
                    easy.perform, easy.close, lambda: easy.set(url="x")):  # fmt: skip
            try:
                use()
            except RuntimeError as error:
                errors.append(str(error))
        multi.wakeup()

    def write(data: bytes) -> None:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    easy = Easy(url=http.url, writefunction=write)
    multi.add(easy)
    assert one(by_run(multi)) == (easy, None)
    assert len(errors) == 7
    assert all("in use by another thread" in error for error in errors)


def test_a_paused_transfer_waits_and_burns_nothing(drive: Drive, http_process: Any) -> None:
    calls = []

    def write(data: bytes) -> int | None:
        calls.append(len(data))
        return libcurl.CURL_WRITEFUNC_PAUSE if len(calls) == 1 else None

    with Multi() as multi:
        paused = Easy(url=http_process.url + "/close", writefunction=write)
        other = Easy(url=http_process.url + "/slow?seconds=0.4")
        other.set(writefunction=lambda data: paused.unpause())
        multi.add(paused)
        multi.add(other)
        begin = time.process_time()
        assert dict(drive(multi)) == {paused: None, other: None}
        if LOADED < (8,) or LOADED >= (8, 23):  # 8.14.1 asks to be called again at once
            assert time.process_time() - begin < 0.3  # of 0.4
        assert calls == [5, 5]


# TLS, and connections as sockets


def test_certificates_and_the_tls_object_are_known_after_a_transfer(
    drive: Drive, https: Any, ca: Any
) -> None:
    pointers: list[int] = []
    with Multi() as multi:
        easy = Easy(url=https.url, cainfo=str(ca.cert), certinfo=True)
        easy.set(writefunction=lambda data: pointers.append(easy.info.tls_ssl_ptr[1]))
        multi.add(easy)
        assert one(drive(multi)) == (easy, None)
        (certificate, *_) = easy.info.certinfo
        names = dict(certificate)
        assert "localhost" in names["Subject"]
        assert "BEGIN CERTIFICATE" in names["Cert"]
        assert pointers[0] > 0
        assert easy.info.tls_ssl_ptr[0] == libcurl.SSLBackend.OPENSSL


def test_a_connect_only_handle_is_a_socket_while_it_is_in_the_multi(
    multi: Multi, http: Any
) -> None:
    closed: list[int] = []

    def close(fd: int) -> None:
        closed.append(fd)
        os.close(fd)

    easy = Easy(url=http.url, connect_only=1, closesocketfunction=close)
    multi.add(easy)
    while multi.perform():
        multi.poll()
    assert multi.info_read() == [(easy, None)]
    fd = easy.info.activesocket
    assert easy.send(b"GET / HTTP/1.1\r\n\r\n") == 18
    select.select([fd], [], [], 5)
    assert easy.recv(1000).endswith(b"hello")
    with pytest.raises(BlockingIOError):
        easy.recv(1000)
    assert closed == []
    multi.remove(easy)
    assert closed == [fd]


# What newer libcurls have


@needs(8, 16)
def test_get_offt_counts_transfers(multi: Multi, http: Any) -> None:
    multi.add(Easy(url=http.url))
    assert multi.get_offt(MInfo.XFERS_CURRENT) == 1
    by_run(multi)
    assert multi.get_offt(MInfo.XFERS_CURRENT) == 0
    assert multi.get_offt(MInfo.XFERS_ADDED) == 1
    with pytest.raises(MultiError):
        multi.get_offt(999)


@needs(8, 17)
def test_notifications_come_when_transfers_end(drive: Drive, http: Any) -> None:
    told: list[tuple[int, Any]] = []
    with Multi(notifyfunction=lambda kind, easy: told.append((kind, easy))) as multi:
        multi.notify_enable(Notify.EASY_DONE)
        multi.notify_enable(Notify.INFO_READ)
        easies = [Easy(url=http.url) for _ in range(3)]
        for easy in easies:
            multi.add(easy)
        assert len(drive(multi)) == 3
        done = [easy for kind, easy in told if kind == Notify.EASY_DONE]
        assert sorted(map(id, done)) == sorted(map(id, easies)) or drive is not by_perform
        assert (Notify.INFO_READ, None) in told
        told.clear()
        multi.notify_disable(Notify.EASY_DONE)
        multi.notify_disable(Notify.INFO_READ)
        multi.add(easies[0])
        assert len(drive(multi)) == 1
        assert told == []
        with pytest.raises(MultiError):
            multi.notify_enable(999)


@needs(8, 17)
def test_a_handle_can_be_removed_when_it_is_notified_of(multi: Multi, http: Any) -> None:
    def notified(kind: int, easy: Any) -> None:
        if kind == Notify.EASY_DONE:
            with pytest.raises(MultiError):
                multi.perform()
            multi.remove(easy)
            removed.append(easy)

    removed: list[Easy] = []
    multi.set(notifyfunction=notified)
    multi.notify_enable(Notify.EASY_DONE)
    easies = [Easy(url=http.url) for _ in range(3)]
    for easy in easies:
        multi.add(easy)
    while multi.perform():
        multi.poll()
    assert len(removed) == 3
    assert multi.info_read() == []
    assert len(multi) == 0
    assert {easy.body for easy in easies} == {b"hello"}


@needs(8, 17)
def test_an_exception_in_a_notification_comes_out_of_the_call_in_progress(
    multi: Multi, http: Any
) -> None:
    multi.set(notifyfunction=fails("notify"))
    multi.notify_enable(Notify.EASY_DONE)
    easy = Easy(url=http.url)
    multi.add(easy)
    with pytest.raises(Mine, match="notify"):
        by_run(multi)
    multi.set(notifyfunction=None)
    assert by_run(multi) == [(easy, None)]


def test_what_this_libcurl_lacks_names_the_version_that_has_it(multi: Multi) -> None:
    for version, name, use in (
        ((8, 8), "curl_multi_waitfds", multi.waitfds),
        ((8, 16), "curl_multi_get_offt", lambda: multi.get_offt(0)),
        ((8, 17), "curl_multi_notify_enable", lambda: multi.notify_enable(0)),
        ((8, 17), "curl_multi_notify_disable", lambda: multi.notify_disable(0)),
    ):
        if version > LOADED:
            with pytest.raises(
                NotSupported, match=rf"{name} needs libcurl {version[0]}\.{version[1]}"
            ):
                use()


# Server push: with libcurl 7.88.1 it never comes, and nginx has it up to 1.25.0


def pushing(
    nginx: Any, answer: Callable[[Easy, Easy, Any], Any], multi: Multi
) -> tuple[Easy, Results]:
    if not nginx.pushes:
        pytest.skip("this nginx does not push")
    multi.set(pushfunction=answer, pipelining=2)
    easy = Easy(url=nginx.h2c_url + "/push", http_version=libcurl.HTTPVersion.V2_PRIOR_KNOWLEDGE)
    multi.add(easy)
    return easy, by_run(multi)


@needs(8, 0)
def test_a_pushed_response_is_a_transfer_of_the_multi(multi: Multi, nginx: Any) -> None:
    seen: list[Any] = []

    def accept(parent: Easy, pushed: Easy, headers: Any) -> int:
        seen.append((parent, pushed, dict(headers)))
        return libcurl.CURL_PUSH_OK

    easy, results = pushing(nginx, accept, multi)
    ((parent, pushed, headers),) = seen
    assert parent is easy
    assert headers[":path"] == "/hello.txt"
    assert headers[":method"] == "GET"
    assert dict(results) == {easy: None, pushed: None}
    assert easy.body == b"page"
    assert pushed.body == b"hello"
    pushed.set(url=nginx.url + "/page.txt")
    assert pushed.fetch() == b"page"


@needs(8, 0)
@pytest.mark.parametrize("answer", ["deny", "none", "raise", "junk", "close", "keep"])
def test_a_push_that_is_not_accepted_leaves_no_trace(
    answer: str, multi: Multi, nginx: Any, no_fd_leak: Any
) -> None:
    kept: list[Easy] = []

    def refuse(parent: Easy, pushed: Easy, headers: Any) -> Any:
        if answer == "raise":
            raise Mine("push")
        if answer == "close":
            pushed.close()
            return libcurl.CURL_PUSH_OK
        if answer == "keep":
            pushed.set(httpheader=["X-Kept: 1"], writefunction=print)
            kept.append(pushed)
        return {"none": None, "junk": "junk"}.get(answer, libcurl.CURL_PUSH_DENY)

    if answer in ("raise", "junk"):
        with pytest.raises(Mine if answer == "raise" else TypeError):
            pushing(nginx, refuse, multi)
        multi.set(pushfunction=None)
        results = by_run(multi)
        assert [error for _, error in results] == [None]
    else:
        easy, results = pushing(nginx, refuse, multi)
        assert results == [(easy, None)]
        assert easy.body == b"page"
    for pushed in kept:
        assert pushed.closed
        with pytest.raises(ValueError, match="closed"):
            pushed.perform()
