"""C's part of a Curl that is gone serves the next one: nothing of the one is in the other."""

from __future__ import annotations

import gc
import os
import sys
import threading
from typing import Any

import pytest

from libcurl import pycurl
from libcurl.pycurl.curl import _spare

counted = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="this Python counts no references"
)


@pytest.fixture(autouse=True)
def none_spare() -> None:
    gc.collect()
    _spare.clear()


@counted
def test_the_next_handle_has_the_part_of_the_one_that_is_gone() -> None:
    curl = pycurl.Curl()
    first = id(curl._handle)
    del curl
    others = [pycurl.Curl() for _ in range(3)]
    assert [id(other._handle) for other in others].count(first) == 1
    assert len({id(other._handle) for other in others}) == 3
    assert len({other._handle.id for other in others}) == 3


@counted
def test_so_many_are_kept_and_no_more() -> None:
    curls = [pycurl.Curl() for _ in range(100)]
    for curl in curls:
        curl.close()
    del curl, curls
    assert len(_spare) == 8


def test_no_option_callback_or_info_of_the_one_is_in_the_next(http: Any) -> None:
    closed: list[int] = []

    def close(fd: int) -> int:
        closed.append(fd)
        os.close(fd)
        return 0

    body: list[bytes] = []
    for keeps in (True, False):
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"{http.url}/echo")
        curl.setopt(pycurl.HTTPHEADER, ["X-Secret: 1"])
        curl.setopt(pycurl.COOKIE, "secret=1")
        curl.setopt(pycurl.COOKIEFILE, "")
        curl.setopt(pycurl.USERPWD, "secret:1")
        curl.setopt(pycurl.POSTFIELDS, "secret=1")
        curl.setopt(pycurl.MAXCONNECTS, 1)
        curl.setopt(pycurl.FAILONERROR, 1)
        if keeps:
            curl.setopt(pycurl.WRITEFUNCTION, body.append)
            curl.setopt(pycurl.CLOSESOCKETFUNCTION, close)
            curl.perform()
        else:
            curl.perform_rb()
        del curl
        gc.collect()
    assert b"X-Secret" in body[0]
    assert len(closed) == 1
    plain = pycurl.Curl()
    assert plain.getinfo(pycurl.RESPONSE_CODE) == 0
    assert plain.getinfo(pycurl.EFFECTIVE_URL) in (None, "")
    assert plain.getinfo(pycurl.INFO_COOKIELIST) == []
    assert plain.errstr() == ""
    with pytest.raises(pycurl.error, match="URL"):
        plain.perform_rb()
    plain.setopt(pycurl.URL, f"{http.url}/echo")
    echo = plain.perform_rb()
    assert b"ecret" not in echo
    assert b'"GET"' in echo
    assert plain.getinfo(pycurl.NUM_CONNECTS) == 1
    plain.setopt(pycurl.RESOLVE, [f"libcurl.invalid:{http.port}:127.0.0.1"])
    connects = []
    for url in 2 * [f"http://libcurl.invalid:{http.port}/", http.url]:
        plain.setopt(pycurl.URL, url)
        plain.perform_rb()
        connects.append(plain.getinfo(pycurl.NUM_CONNECTS))
    assert connects == [1, 0, 0, 0]
    assert b"PycURL" in echo  # the agent that it has by itself
    plain.close()
    assert len(closed) == 1


def test_a_handle_that_was_finalized_by_hand_is_closed_for_good(http: Any) -> None:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, http.url)
    curl.__del__()
    other = pycurl.Curl()
    for _ in range(2):
        curl.__del__()
        curl.close()
    assert (curl.closed, other.closed) == (True, False)
    with pytest.raises(pycurl.error, match="no curl handle"):
        curl.setopt(pycurl.URL, "http://127.0.0.1:1/")
    with pytest.raises(pycurl.error, match="no curl handle"):
        curl.perform()
    other.setopt(pycurl.URL, http.url)
    assert other.perform_rb() == b"hello"


def test_what_somebody_else_uses_still_is_not_given_to_the_next() -> None:
    """A thread that has looked it up, and goes on when the handle was finalized by hand."""
    curl = pycurl.Curl()
    handle = curl._handle
    curl.__del__()
    others = [pycurl.Curl() for _ in range(3)]
    assert handle not in [other._handle for other in others]


def test_a_handle_that_another_finalizer_has_saved_is_closed_for_good(http: Any) -> None:
    saved = []

    class Client:
        def __del__(self) -> None:
            saved.append(self)

    curl = pycurl.Curl()  # older than the client: finalized before it
    client = Client()
    client.me, client.curl = client, curl  # type: ignore[attr-defined]
    del client, curl
    for _ in range(4):
        gc.collect()
    (client,) = saved
    others = [pycurl.Curl() for _ in range(3)]
    curl = client.curl  # type: ignore[attr-defined]
    if curl.closed:  # as a Python that has an order of its own may not have done
        with pytest.raises(pycurl.error, match="no curl handle"):
            curl.setopt(pycurl.URL, http.url)
        curl.close()
    assert not any(other.closed for other in others)


def test_threads_that_make_and_drop_handles_share_none(http: Any) -> None:
    wrong: list[Any] = []

    def work(number: int) -> None:
        for turn in range(100):
            curl = pycurl.Curl()
            curl.setopt(pycurl.URL, f"{http.url}/echo")
            curl.setopt(pycurl.USERAGENT, f"thread {number}.{turn}")
            if f"thread {number}.{turn}".encode() not in curl.perform_rb():
                wrong.append((number, turn))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(before)
    assert not wrong
