"""fetch() comes back from C with no look at the handle where it can: what must not be missed by that."""

from __future__ import annotations

import gc
import os
import weakref
from typing import Any

import pytest

import libcurl
from libcurl import Easy, pycurl
from libcurl.sockets import AddressPolicy, AddressRefused, allow


def collect() -> None:
    """As often as PyPy needs it."""
    for _ in range(3):
        gc.collect()


class Mine(Exception):
    """Raised by a closer."""


class Closer:
    """One that can be waited for."""

    def __init__(self, exception: Exception | None = None) -> None:
        self.closed = 0
        self.exception = exception

    def __call__(self, fd: int) -> None:
        os.close(fd)
        self.closed += 1
        if self.exception is not None:
            raise self.exception


def test_a_closers_exception_comes_out_of_the_fetch_that_closes(http: Any) -> None:
    closer = Closer()
    with Easy(url=http.url, closesocketfunction=closer, forbid_reuse=True) as easy:
        for closed in (1, 2):
            assert easy.fetch() == easy.body == b"hello"
            assert closer.closed == closed
        closer.exception = Mine()
        for _ in range(2):
            with pytest.raises(Mine) as caught:
                easy.fetch()
            assert caught.value is closer.exception
        closer.exception = None
        assert easy.fetch() == b"hello"
    assert closer.closed == 5


@pytest.mark.parametrize("how", ["replaced", "unset", "reset"])
def test_a_closer_that_is_no_more_goes_with_its_connection(http: Any, how: str) -> None:
    closer = Closer()
    gone = weakref.ref(closer)
    easy = Easy(url=http.url, closesocketfunction=closer)
    del closer
    easy.fetch()
    if how == "replaced":
        easy.set(closesocketfunction=os.close)
    elif how == "unset":
        easy.set(closesocketfunction=None)
    else:
        easy.reset()
    collect()
    assert gone() is not None  # the connection is open
    easy.set(url=http.url, fresh_connect=True, maxconnects=1)
    assert [easy.fetch(), easy.fetch()] == [b"hello"] * 2
    collect()
    assert gone() is None
    easy.close()


def test_a_closer_goes_along_into_a_multi(http: Any) -> None:
    closer = Closer()
    easy = Easy(url=http.url, closesocketfunction=closer)
    assert easy.fetch() == b"hello"
    with libcurl.Multi() as multi:
        multi.add(easy)
        assert list(multi.run()) == [(easy, None)]
        assert easy.body == b"hello"
        assert closer.closed == 1  # the connection of its own
        del easy
    assert closer.closed == 2


def test_a_policy_is_asked_before_each_fetch(http: Any) -> None:
    policy = AddressPolicy.public_only(allow("127.0.0.1"))
    with Easy(url=http.url, sockets=policy) as easy:
        assert easy.fetch() == b"hello"
        easy.set(proxy="http://10.0.0.1:3128")
        with pytest.raises(AddressRefused, match="proxy"):
            easy.fetch()
        easy.set(proxy=None)
        assert easy.fetch() == b"hello"
        with libcurl.Multi() as multi:
            multi.add(easy)
            assert list(multi.run()) == [(easy, None)]
            assert easy.body == b"hello"
            easy.set(proxy="http://10.0.0.1:3128")
            with pytest.raises(AddressRefused, match="proxy"):
                multi.add(easy)


def test_perform_rb_with_a_closer(http: Any) -> None:
    closer = Closer()
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, http.url)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.CLOSESOCKETFUNCTION, closer)
    assert [curl.perform_rb(), curl.perform_rb()] == [b"hello"] * 2
    gone = weakref.ref(closer)
    assert closer.closed == 2
    del closer
    curl.unsetopt(pycurl.CLOSESOCKETFUNCTION)
    collect()
    assert gone() is None
    assert curl.perform_rb() == b"hello"
    curl.close()
