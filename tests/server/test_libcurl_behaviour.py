"""What libcurl itself promises and its own test suite checks, through this package.

The numbers are those of libcurl's tests with the same subject. What concerns the socket callbacks of a
single transfer (585, 586, 595, 596, 766, 1522, 1530, 1960) is in test_sockets.py.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from typing import Any

import pytest
from driving import Drive, Loop, by_perform, by_run, by_socket_action
from servers import payload

import libcurl
from libcurl import Code, Easy, LockData, Multi, MultiError, Share
from libcurl.raw import LOADED

#: TLS connections aside, what is due is closed at once.
PAUSE = 0.005


class Watch:
    """An opener and a closer that remember."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def open(self, purpose: int, address: Any) -> int:
        made = socket.socket(address.family, address.socktype, address.protocol)
        self.events.append(("open", made.fileno()))
        return made.detach()

    def close(self, fd: int) -> None:
        self.events.append(("close", fd))
        os.close(fd)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def easy(self, **options: Any) -> Easy:
        return Easy(opensocketfunction=self.open, closesocketfunction=self.close, **options)


@pytest.mark.parametrize("which", ["socket", "timer"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_multi_callback_that_fails_once_breaks_nothing_for_good(  # 530
    which: str, call: int, http: Any
) -> None:
    calls = 0
    codes: set[int] = set()

    def count() -> int:
        nonlocal calls
        calls += 1
        return -1 if calls == call else 0

    loop = Loop()

    def watch(easy: Any, fd: int, what: int, assigned: object) -> int:
        loop.watch(easy, fd, what, assigned)
        return count() if which == "socket" else 0

    def timer(milliseconds: int) -> int:
        loop.time(milliseconds)
        return count() if which == "timer" else 0

    with Multi(socketfunction=watch, timerfunction=timer) as multi:
        for turn in range(3):
            easy = Easy(url=http.url + "/slow?seconds=0.01")
            try:
                multi.add(easy)
                results = loop.drive(multi)
            except MultiError as error:
                codes.add(error.code)
                results = []
            if easy in multi:
                multi.remove(easy)
            if turn == 2:
                assert results == [(easy, None)]
    assert calls >= call
    assert codes <= {libcurl.MCode.ABORTED_BY_CALLBACK}


def test_a_transfer_can_be_paused_in_the_socket_callback(http: Any) -> None:  # 758
    paused: list[int] = []
    refused: list[int] = []
    loop = Loop()
    with Multi() as multi:

        def watch(easy: Any, fd: int, what: int, assigned: object) -> None:
            loop.watch(easy, fd, what, assigned)
            if easy is not None and not paused:
                paused.append(fd)
                try:
                    easy.pause()
                except libcurl.Error as error:
                    refused.append(error.code)

        multi.set(socketfunction=watch, timerfunction=loop.time)
        easy = Easy(url=http.url + "/bytes/100000")
        multi.add(easy)
        multi.socket_action()
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            loop.turn(multi, 0.02)
        assert paused
        if refused:  # by 8.23, and nothing is paused then
            assert refused == [Code.RECURSIVE_API_CALL]
        else:
            assert multi.info_read() == []
            easy.unpause()
        assert loop.drive(multi) == [(easy, None)]
        assert easy.body == payload(100_000)


@pytest.mark.parametrize("drive", [by_run, by_perform, by_socket_action])
@pytest.mark.parametrize("order", ["reset and added again", "never removed", "closed in the multi"])
def test_several_handles_take_their_turn_in_one_multi(  # 526, 527, 528, 532, 533
    order: str, drive: Drive, http: Any, no_fd_leak: Any
) -> None:
    with no_fd_leak():
        multi = Multi()
        easies = [Easy() for _ in range(4)]
        for turn, easy in enumerate(easies):
            easy.set(url=http.url + f"/bytes/{turn}000")
            multi.add(easy)
            if order == "never removed" and drive is by_perform:
                while multi.perform():
                    multi.poll()
                assert multi.info_read() == [(easy, None)]
            else:
                assert drive(multi) == [(easy, None)]
            assert easy.body == payload(turn * 1000)
            if order == "closed in the multi":
                multi.add(easy)
                easy.close()
        assert http.accepted == (1 if order != "closed in the multi" else http.accepted)
        if order == "reset and added again":
            for easy in easies:
                easy.reset()
                easy.set(url=http.url)
                multi.add(easy)
            assert {error for _, error in drive(multi)} == {None}
        for easy in easies:
            easy.close()
        multi.close()


@pytest.mark.skipif(LOADED < (7, 80), reason="libcurl 7.80 has it")
def test_a_connection_is_not_used_longer_than_its_lifetime(http: Any) -> None:  # 1542
    watch = Watch()
    with watch.easy(url=http.url, maxlifetime_conn=1) as easy:
        easy.perform()
        easy.perform()
        assert watch.names == ["open"]
        time.sleep(2.05)
        easy.perform()
        assert sorted(watch.names) == ["close", "open", "open"]
        assert watch.events[0][1] == dict(reversed(watch.events))["close"]
        easy.set(maxlifetime_conn=0)
        easy.perform()
        assert len(watch.events) == 3


def test_a_share_outlives_the_handles_that_filled_it(http: Any) -> None:  # 506, 1554
    watch = Watch()
    with Share(LockData.CONNECT, LockData.COOKIE, LockData.DNS) as share:
        for _ in range(3):
            with watch.easy(url=http.url + "/cookies/set?a=1", share=share, cookiefile="") as easy:
                easy.perform()
        with Easy(url=http.url + "/cookies", share=share, cookiefile="") as easy:
            assert easy.fetch() == b"a=1"
            assert len(easy.info.cookielist) == 1
        assert watch.names == ["open"]
    assert watch.names == ["open", "close"]


@pytest.mark.parametrize("many", ["easy", "multi"])
def test_maxconnects_closes_the_connection_unused_for_longest(many: str, http: Any) -> None:
    # 1506, 1510: four hosts, and room for three connections
    watch = Watch()
    hosts = [f"host-{number}.example" for number in range(4)]
    there = [f"{host}:{http.port}:127.0.0.1" for host in hosts]
    multi = Multi(maxconnects=3)
    easy = watch.easy(resolve=there, maxconnects=3)
    for turn, host in enumerate([*hosts, hosts[0]]):
        time.sleep(PAUSE)
        easy.set(url=f"http://{host}:{http.port}/")
        if many == "easy":
            easy.perform()
        else:
            multi.add(easy)
            assert by_run(multi) == [(easy, None)]
        assert watch.names.count("open") == turn + 1
        assert watch.names.count("close") == max(0, turn - 2)
    opened = [fd for name, fd in watch.events if name == "open"]
    closed = [fd for name, fd in watch.events if name == "close"]
    assert closed == opened[:2]
    multi.close()
    easy.close()
    assert watch.names.count("close") == 5


def test_maxconnects_counts_again_after_a_multi(http: Any) -> None:
    watch = Watch()
    hosts = [f"host-{number}.example" for number in range(3)]
    there = [f"{host}:{http.port}:127.0.0.1" for host in hosts]
    easy = watch.easy(resolve=there, maxconnects=1, url=f"http://{hosts[0]}:{http.port}/")
    easy.perform()
    with Multi() as multi:
        easy.set(resolve=there)
        multi.add(easy)
        assert by_run(multi) == [(easy, None)]
    watch.events.clear()
    for turn, host in enumerate(hosts):
        easy.set(url=f"http://{host}:{http.port}/", resolve=there)
        easy.perform()
        assert watch.names.count("open") == turn + 1
        assert watch.names.count("close") == turn
    easy.close()


@pytest.mark.skipif(LOADED < (8, 16), reason="libcurl 8.16 has it")
def test_connections_of_a_network_that_changed_are_closed(http: Any) -> None:  # 3033
    watch = Watch()
    with Multi() as multi:
        easy = watch.easy(url=http.url)
        for _ in range(2):
            multi.add(easy)
            by_run(multi)
        assert watch.names == ["open"]
        multi.set(network_changed=libcurl.NetworkChanged.CLEAR_CONNS)
        multi.add(easy)
        by_run(multi)
        assert sorted(watch.names) == ["close", "open", "open"]


@pytest.mark.parametrize("again", [False, True])
def test_a_connection_can_be_talked_over_by_hand(again: bool, http: Any) -> None:  # 556, 696
    import select

    watch = Watch()
    with watch.easy(url=http.url, connect_only=1) as easy:
        for _ in range(1 + again):
            easy.perform()
            fd = easy.info.activesocket
            request = b"GET /bytes/10000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            while request:
                request = request[easy.send(request) :]
            received = b""
            while True:
                select.select([fd], [], [], 5)
                try:
                    data = easy.recv(3000)
                except libcurl.NotReady:
                    continue
                if not data:
                    break
                received += data
            assert received.endswith(payload(10_000))
    assert watch.names.count("open") == watch.names.count("close") == 1 + again


@pytest.mark.parametrize("first", ["multi", "easy"])
def test_a_connect_only_handle_and_its_multi_close_in_any_order(  # 597
    first: str, http: Any
) -> None:
    watch = Watch()
    multi = Multi()
    easy = watch.easy(url=http.url, connect_only=1)
    multi.add(easy)
    while multi.perform():
        multi.poll()
    assert multi.info_read() == [(easy, None)]
    assert easy.send(b"GET / HTTP/1.1\r\n") == 16
    (multi if first == "multi" else easy).close()
    (easy if first == "multi" else multi).close()
    assert watch.names == ["open", "close"]


@pytest.mark.parametrize("way", ["step", "perform", "socket_action"])
def test_a_handle_that_waits_for_its_host_can_be_removed_first(way: str, http: Any) -> None:  # 1557
    drive = {"step": by_run, "perform": by_perform}.get(way)
    loop = Loop()
    with Multi(max_host_connections=1) as multi:
        if drive is None:
            multi.set(socketfunction=loop.watch, timerfunction=loop.time)
        busy, waiting, after = (Easy(url=http.url + "/slow?seconds=0.5") for _ in range(3))
        for easy in (busy, waiting):
            multi.add(easy)
            getattr(multi, way)()
        multi.remove(waiting)
        multi.add(after)
        results = loop.drive(multi) if drive is None else drive(multi)
        assert set(results) == {(busy, None), (after, None)}
        multi.add(waiting)
        waiting.close()
        assert len(multi) == 0


def test_ftp_over_a_used_connection_never_stalls(ftp: Any) -> None:
    # In 7.88.1 an answer that is there at once makes libcurl wait for a socket that it has yet to make.
    for drive in (by_run, by_socket_action):
        with Multi() as multi:
            easy = Easy(url=ftp.url + "/hello.txt", timeout=5)
            for _ in range(40):
                multi.add(easy)
                assert drive(multi) == [(easy, None)]
                assert easy.body == b"hello"
            assert easy.info.num_connects == 1  # for the data


def test_a_refused_handle_is_told_apart_from_a_failed_transfer(http: Any) -> None:
    with Multi() as multi:
        easy = Easy(url="foo://host/")
        multi.add(easy)
        ((same, error),) = multi.run()
        assert same is easy
        assert isinstance(error, libcurl.Error)
        assert error.code == Code.UNSUPPORTED_PROTOCOL
        assert not isinstance(error, MultiError)


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue lets connections wait there")
def test_the_closer_gets_a_socket_that_was_given_up_while_it_connected_but_from_7_88_1() -> None:
    opened: list[int] = []
    closed: list[int] = []

    def open_it(_: int, address: libcurl.Address) -> socket.socket:
        made = socket.socket(address.family, address.socktype, address.protocol)
        opened.append(made.fileno())
        return made

    def close_it(fd: int) -> None:
        closed.append(fd)
        os.close(fd)

    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        easy = stack.enter_context(Easy(url=f"http://127.0.0.1:{full.getsockname()[1]}/"))
        easy.set(opensocketfunction=open_it, closesocketfunction=close_it, connecttimeout_ms=50)
        with pytest.raises(libcurl.OperationTimedOut):
            easy.perform()
    assert closed == ([] if LOADED == (7, 88, 1) else opened)
