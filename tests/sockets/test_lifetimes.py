"""What `sockets=` keeps alive, and for how long."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import libcurl
from libcurl.sockets import (
    AddressPolicy,
    AddressRefused,
    Rewrite,
    SocketLog,
    SocketOptions,
    allow,
)

if TYPE_CHECKING:
    from servers.http import HTTPServer

LOCAL = AddressPolicy(allow("127.0.0.0/8"))


class Opener:
    """An opener that can be watched."""

    def __call__(self, purpose: int, address: libcurl.Address) -> None:
        """Leave it to libcurl."""


def gone(reference: Any) -> bool:
    for _ in range(3):
        if reference() is None:
            return True
        gc.collect()
    return reference() is None


class Watched(libcurl.Easy):
    """A handle that can be watched."""


def make_sets(opener: Any) -> list[Any]:
    rewrite = Rewrite({"192.0.2.1": ("127.0.0.1", 1)})
    return [
        LOCAL,
        opener,
        LOCAL | opener,
        LOCAL | opener | SocketLog(),
        LOCAL | rewrite | SocketLog() | SocketOptions(nodelay=True),
    ]


def test_handles_are_not_kept(http: HTTPServer) -> None:
    """No cycle is made: on CPython a handle goes with its last reference."""
    import sys

    gc.collect()
    for tools in make_sets(Opener()):
        easy = Watched(url=http.url, sockets=tools)
        easy.perform()
        reference = weakref.ref(easy)
        gc.disable()
        try:
            del easy
            if sys.implementation.name == "cpython":
                assert reference() is None
        finally:
            gc.enable()
        assert gone(reference)


def test_openers_go_with_the_last_handle(http: HTTPServer) -> None:
    for position in range(5):
        opener = Opener()
        reference = weakref.ref(opener)
        easies = [libcurl.Easy(url=http.url, sockets=make_sets(opener)[position])]
        easies.append(easies[0].duphandle())
        del opener
        for easy in easies:
            easy.perform()
        easies.pop().close()
        if 0 < position < 4:
            assert reference() is not None
        easies.pop().close()
        assert gone(reference)


@pytest.mark.parametrize("how", ["none", "other", "reset", "close"])
def test_openers_go_when_they_are_taken_off(http: HTTPServer, how: str) -> None:
    opener = Opener()
    reference = weakref.ref(opener)
    easy = libcurl.Easy(url=http.url, sockets=LOCAL | opener)
    easy.perform()
    del opener
    if how == "none":
        easy.set(sockets=None)
    elif how == "other":
        easy.set(sockets=LOCAL)
    elif how == "reset":
        easy.reset()
    else:
        easy.close()
    assert gone(reference)
    easy.close()


def test_a_log_lives_as_long_as_its_connections(http: HTTPServer) -> None:
    log = SocketLog()
    easy = libcurl.Easy(url=http.url, sockets=log)
    easy.perform()
    easy.set(sockets=None)
    assert log[0].closed is None
    easy.close()
    assert log[0].closed is not None


def test_a_log_and_a_multi(http: HTTPServer) -> None:
    """The connection is the multi's, and the handle that opened it is long gone."""
    log = SocketLog()
    multi = libcurl.Multi()
    multi.add(libcurl.Easy(url=http.url, sockets=log | LOCAL))
    assert [error for _, error in multi.run()] == [None]
    gc.collect()
    assert log[0].closed is None
    multi.close()
    assert log[0].closed is not None
    log.check()


def test_a_log_and_a_share(http: HTTPServer) -> None:
    log = SocketLog()
    share = libcurl.Share(libcurl.LockData.CONNECT)
    with libcurl.Easy(url=http.url, share=share, sockets=log) as easy:
        easy.perform()
    share.close()
    assert log[0].closed is not None
    log.check()


def test_policies_outlive_their_handles_and_the_other_way_round(http: HTTPServer) -> None:
    for _ in range(50):
        policy = AddressPolicy(allow("127.0.0.1"))
        easy = libcurl.Easy(url=http.url, sockets=policy)
        del policy
        assert easy.fetch() == b"hello"
        assert easy.fetch() == b"hello"
        easy.set(sockets=AddressPolicy(allow("127.0.0.2")))
        gc.collect()
        with pytest.raises(AddressRefused):
            easy.perform()
        easy.close()


def test_no_descriptor_leaks(http: HTTPServer, no_fd_leak: Any) -> None:
    with no_fd_leak():
        for tools in make_sets(Opener()):
            for _ in range(10):
                with libcurl.Easy(url=http.url, sockets=tools, forbid_reuse=True) as easy:
                    easy.perform()
                    easy.set(url="http://127.0.0.1:1/")
                    with pytest.raises(libcurl.CouldntConnect):
                        easy.perform()
                    easy.set(url="http://[::1]:1/")
                    with pytest.raises((libcurl.CouldntConnect, AddressRefused)):
                        easy.perform()


def test_no_memory_leaks(http: HTTPServer) -> None:
    """By objects: as many afterwards as before."""

    def work() -> None:
        for tools in make_sets(Opener()):
            with libcurl.Easy(url=http.url, sockets=tools) as easy:
                easy.perform()
                easy.set(url="http://[::1]:1/")
                with pytest.raises((libcurl.CouldntConnect, AddressRefused)):
                    easy.perform()

    def count() -> int:
        for _ in range(3):
            gc.collect()
        return len(
            [1 for item in gc.get_objects() if str(type(item).__module__).startswith("libcurl")]
        )

    for _ in range(3):
        work()
    before = count()
    for _ in range(10):
        work()
    assert count() <= before


def test_one_policy_in_many_threads(http: HTTPServer) -> None:
    policy = AddressPolicy(allow("127.0.0.1"), allow("10.0.0.0/8"))
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(40):
                with libcurl.Easy(url=http.url, sockets=policy) as easy:
                    assert easy.fetch() == b"hello"
                    easy.set(url=f"http://192.0.2.{turn}:{number}/")
                    with pytest.raises(AddressRefused):
                        easy.perform()
                for host in range(100):
                    policy.allows(f"10.{number}.{turn}.{host}")
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_what_c_knows_is_bounded(http: HTTPServer) -> None:
    """More addresses than C has room for: those that it forgets are asked about again."""
    policy = AddressPolicy(allow("127.0.0.0/8", port=http.port))
    with libcurl.Easy(sockets=policy, forbid_reuse=True) as easy:
        for number in range(1, 1100):
            host = f"127.0.{number >> 8}.{number & 255}"
            policy.check(host, http.port)
            policy._admit(policy_raw(host, http.port))
        for host in ("127.0.0.1", "127.0.1.1", "127.0.4.1"):
            easy.set(url=f"http://{host}:{http.port}/", resolve=[])
            easy.set(connect_to=[f"::{host}:{http.port}"])
            try:
                easy.perform()
            except libcurl.CouldntConnect:
                assert host != "127.0.0.1"  # the server listens there only
        easy.set(url=f"http://127.0.0.1:{http.port + 1}/", connect_to=[])
        with pytest.raises(AddressRefused):
            easy.perform()


def policy_raw(host: str, port: int) -> bytes:
    from libcurl.address import _pack

    return _pack((host, port))


def test_at_interpreter_exit(http: HTTPServer, script: Any) -> None:
    out = script(
        """
        import atexit, sys
        import libcurl
        from libcurl.sockets import AddressPolicy, Callbacks, SocketLog, allow
        log = SocketLog()
        atexit.register(lambda: print(len(log), log.problems))
        tools = log | AddressPolicy(allow("127.0.0.1")) | Callbacks(
            closesocketfunction=lambda fd: print("close"))
        easy = libcurl.Easy(url=sys.argv[1], proxy="", sockets=tools)
        easy.perform()
        multi = libcurl.Multi(sockets=tools)
        multi.add(libcurl.Easy(url=sys.argv[1], proxy=""))
        list(multi.run())
        """,
        http.url,
    )
    assert "2 []" in out
    assert "close" in out
