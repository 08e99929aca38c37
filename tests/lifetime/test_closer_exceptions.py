"""What closers raise is never lost, wherever they run, and never ends the process.

The call of the very easy that set the closer raises it. Where there is no such call it goes to
sys.unraisablehook. KeyboardInterrupt and SystemExit come out of the next call to return.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from libcurl import Easy, LockData, Multi, Share


class Mine(Exception):
    """Raised by closers."""


def raises(name: str, kind: type[BaseException] = Mine) -> Callable[[int], None]:
    def close(fd: int) -> None:
        os.close(fd)
        raise kind(name)

    return close


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes to sys.unraisablehook."""
    seen: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda given: seen.append(str(given.exc_value)))
    return seen


@pytest.fixture(autouse=True)
def nothing_left(no_fd_leak: Any, http: Any) -> Any:
    with no_fd_leak():
        yield
        for _ in range(3):
            gc.collect()
        http.clear()


def test_perform_raises_what_its_own_closer_raises(http: Any, unraisable: list[str]) -> None:
    easy = Easy(url=http.url, closesocketfunction=raises("own"), forbid_reuse=True)
    for _ in range(2):
        with pytest.raises(Mine, match="own"):
            easy.perform()
    easy.set(closesocketfunction=None)
    assert easy.fetch() == b"hello"
    easy.close()
    assert unraisable == []


def test_a_failed_transfer_and_a_failing_closer_are_both_seen(
    http: Any, unraisable: list[str]
) -> None:
    def write(data: bytes) -> None:
        raise Mine("write")

    easy = Easy(url=http.url, closesocketfunction=raises("closer"), writefunction=write)
    with pytest.raises(Mine, match="write"):
        easy.perform()
    if not unraisable:  # the connection was kept
        with pytest.raises(Mine, match="closer"):
            easy.close()
    else:
        assert unraisable == ["closer"]
        easy.close()


def test_close_raises_the_first_of_many_and_reports_the_others(
    http: Any, unraisable: list[str]
) -> None:
    easy = Easy(maxconnects=10)
    for number in range(5):
        host = f"host-{number}.example"
        easy.set(
            url=f"http://{host}:{http.port}/",
            resolve=[f"{host}:{http.port}:127.0.0.1"],
            closesocketfunction=raises(str(number)),
        )
        easy.perform()
    with pytest.raises(Mine) as caught:
        easy.close()
    assert easy.closed
    assert sorted([str(caught.value), *unraisable]) == ["0", "1", "2", "3", "4"]


def test_another_handles_transfer_reports_it(http: Any, unraisable: list[str]) -> None:
    with Share(LockData.CONNECT) as share:
        first = Easy(url=http.url, share=share, closesocketfunction=raises("first"))
        first.perform()
        time.sleep(0.005)
        other = f"http://localhost:{http.port}/"
        with Easy(url=other, share=share, maxconnects=1) as second:
            assert second.fetch() == b"hello"
        assert unraisable == ["first"]
        first.close()


def test_what_belongs_to_a_handle_in_another_thread_does_not_end_its_transfer(
    http: Any, unraisable: list[str]
) -> None:
    # The connection that `busy` made and no longer uses is closed by another thread.
    results: list[object] = []
    with Share(LockData.CONNECT) as share:
        busy = Easy(url=http.url, share=share, closesocketfunction=raises("idle"))
        busy.perform()
        reached, go_on = threading.Event(), threading.Event()

        def write(data: bytes) -> None:
            reached.set()
            go_on.wait(5)

        # In a multi: libcurl supports shared connections in one thread at a time only.
        busy.set(share=None, closesocketfunction=None, writefunction=write)
        thread = threading.Thread(target=lambda: results.append(busy.perform()))
        thread.start()
        assert reached.wait(5)
    assert unraisable == ["idle"]
    go_on.set()
    thread.join()
    assert results == [None]
    busy.close()


@pytest.mark.parametrize("cache", ["multi", "share"])
def test_the_end_of_a_cache_reports_all(cache: str, http: Any, unraisable: list[str]) -> None:
    def fill(number: int) -> Easy:
        host = f"host-{number}.example"
        return Easy(
            url=f"http://{host}:{http.port}/",
            resolve=[f"{host}:{http.port}:127.0.0.1"],
            closesocketfunction=raises(str(number)),
            maxconnects=10,
        )

    if cache == "multi":
        with Multi() as multi:
            for number in range(3):
                multi.add(fill(number))
            assert len(list(multi.run())) == 3
    else:
        with Share(LockData.CONNECT) as share:
            for number in range(3):
                with fill(number) as easy:
                    easy.set(share=share)
                    easy.perform()
            assert unraisable == []
    assert sorted(unraisable) == ["0", "1", "2"]


def test_removal_in_the_middle_raises_it(http: Any, unraisable: list[str]) -> None:
    with Multi() as multi:
        easy = Easy(url=http.url + "/stall", closesocketfunction=raises("removed"))
        multi.add(easy)
        while not http.requests:
            multi.perform()
            multi.poll(10)
        with pytest.raises(Mine, match="removed"):
            multi.remove(easy)
    assert unraisable == []


def test_a_transfer_of_a_multi_is_not_spoilt_by_it(http: Any, unraisable: list[str]) -> None:
    with Multi() as multi:
        easies = [
            Easy(url=http.url, closesocketfunction=raises(str(n)), forbid_reuse=True)
            for n in range(5)
        ]
        for easy in easies:
            multi.add(easy)
        results = dict(multi.run())
        # It comes out with its transfer where libcurl closes in the middle of that, or else is reported.
        told = [str(error) for error in results.values() if error is not None]
        assert set(results) == set(easies)
    assert sorted(told + unraisable) == ["0", "1", "2", "3", "4"]


def test_joining_a_multi_closes_and_reports(http: Any, unraisable: list[str]) -> None:
    easy = Easy(url=http.url, closesocketfunction=raises("own"))
    easy.perform()
    with Multi() as multi:
        multi.add(easy)
        assert unraisable == ["own"]
        assert list(multi.run()) == [(easy, None)]
    assert unraisable == ["own", "own"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("end", ["multi", "share", "other transfer"])
def test_an_interruption_comes_out_of_the_call_in_progress(
    end: str, kind: type[BaseException], http: Any, unraisable: list[str]
) -> None:
    first = Easy(url=http.url, closesocketfunction=raises("stop", kind))
    if end == "multi":
        multi = Multi()
        multi.add(first)
        list(multi.run())
        with pytest.raises(kind):
            multi.close()
        assert multi.closed
    else:
        share = Share(LockData.CONNECT)
        first.set(share=share)
        first.perform()
        if end == "share":
            first.close()
            with pytest.raises(kind):
                share.close()
        else:
            time.sleep(0.005)
            with Easy(url=f"http://localhost:{http.port}/", share=share, maxconnects=1) as second:
                with pytest.raises(kind):
                    second.perform()
                assert second.body == b"hello"
            first.close()
            share.close()
        assert share.closed
    first.close()
    assert unraisable == []


def test_interpreter_exit_reports_all_of_them(http: Any, script: Any) -> None:
    done = script.run(
        """
        import os, sys
        from libcurl import Easy, LockData, Multi, Share

        def raises(name):
            def close(fd):
                os.close(fd)
                raise ValueError(name)
            return close

        single = Easy(url=sys.argv[1], closesocketfunction=raises("single"))
        single.perform()
        multi = Multi()
        multi.add(Easy(url=sys.argv[1], closesocketfunction=raises("multi")))
        list(multi.run())
        share = Share(LockData.CONNECT)
        Easy(url=sys.argv[1], share=share, closesocketfunction=raises("share")).perform()
        sys.modules["keeps"] = (single, multi, share)
        """,
        http.url,
    )
    assert done.returncode == 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("ValueError: ")]
    assert sorted(lines) == ["ValueError: multi", "ValueError: share", "ValueError: single"]


def test_an_exception_while_a_cycle_is_collected_is_reported(
    http: Any, unraisable: list[str]
) -> None:
    class Keeper:
        """Refers to its handle, which refers to it."""

        def __init__(self) -> None:
            self.easy = Easy(url=http.url, closesocketfunction=self.close)
            self.easy.perform()

        def close(self, fd: int) -> None:
            os.close(fd)
            raise Mine("collected")

    Keeper()
    for _ in range(3):
        gc.collect()
    assert unraisable == ["collected"]
