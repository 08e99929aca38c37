"""CurlMulti.select, as pycurl's: nobody is inside the multi while one thread waits."""

from __future__ import annotations

import threading
import time
from typing import Any

from libcurl import pycurl


def handle(url: str) -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    return curl


def test_other_threads_use_a_multi_while_one_waits_for_its_transfers(http: Any) -> None:
    release = threading.Event()

    def wait(connection: Any, request: Any) -> None:
        release.wait(10)
        connection.respond(200, body=b"late")

    http.route("/wait", wait)
    multi = pycurl.CurlMulti()
    slow, quick = handle(http.url + "/wait"), handle(http.url)
    multi.add_handle(slow)
    while not http.requests:
        multi.perform()
        multi.select(0.01)
    selected: list[int] = []
    thread = threading.Thread(target=lambda: selected.append(multi.select(10)))
    thread.start()
    time.sleep(0.05)
    assert multi.timeout() >= -1
    assert multi.fdset()[0]
    assert multi.info_read() == (0, [], [])
    multi.add_handle(quick)
    while multi.perform()[1] > 1:
        multi.fdset()
    assert multi.info_read()[1] == [quick]
    multi.remove_handle(quick)
    assert thread.is_alive()
    release.set()
    thread.join()
    assert selected == [1]
    while multi.perform()[1]:
        multi.select(1)
    assert multi.info_read()[1] == [slow]
    multi.close()


def test_a_select_that_is_not_followed_by_perform_waits_again(http: Any) -> None:
    """Where a timer of libcurl's is due since: it ends one select, not all."""
    multi = pycurl.CurlMulti()
    multi.add_handle(handle(http.url + "/slow?seconds=5"))
    while not http.requests:
        multi.perform()
        multi.select(0.01)
    begin = time.monotonic()
    for _ in range(8):
        assert multi.select(0.1) == 0
    assert time.monotonic() - begin > 0.5
    multi.close()


def test_a_select_ends_when_a_timer_of_libcurls_is_due(http: Any) -> None:
    """Which a perform() then finds: pycurl's would wait on."""
    multi = pycurl.CurlMulti()
    curl = handle(http.url + "/slow?seconds=5")
    curl.setopt(pycurl.TIMEOUT_MS, 300)
    multi.add_handle(curl)
    begin = time.monotonic()
    while multi.perform()[1]:
        multi.select(5)
    assert time.monotonic() - begin < 2
    ((failed, code, _),) = multi.info_read()[2]
    assert (failed, code) == (curl, pycurl.E_OPERATION_TIMEDOUT)
    multi.close()


def test_a_select_is_over_when_its_multi_is_closed_or_a_signal_is_heard(
    http: Any, script: Any
) -> None:
    code = """
        import os, signal, sys, threading, time
        from libcurl import pycurl

        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, sys.argv[1] + "/slow?seconds=5")
        multi = pycurl.CurlMulti()
        multi.add_handle(curl)
        for _ in range(3):
            multi.perform()
            multi.select(0.02)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        try:
            while True:
                multi.select(10)
        except KeyboardInterrupt:
            pass
        assert time.monotonic() - begin < 2
        threading.Timer(0.2, multi.close).start()
        try:
            while True:
                multi.select(10)
        except pycurl.error:
            pass
        assert time.monotonic() - begin < 4
    """
    script(code, http.url)
