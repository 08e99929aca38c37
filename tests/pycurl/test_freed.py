"""A handle whose callback has raised is freed with its last reference: no cycle waits for a collection."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import libcurl
from libcurl import pycurl

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="this Python counts no references"
)
OPTIONS: dict[str, dict[str, Any]] = {
    "WRITEFUNCTION": {},
    "HEADERFUNCTION": {},
    "DEBUGFUNCTION": {"VERBOSE": 1},
    "XFERINFOFUNCTION": {"NOPROGRESS": 0},
    "SOCKOPTFUNCTION": {},
    "OPENSOCKETFUNCTION": {},
}


@pytest.fixture(autouse=True)
def no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def boom(*arguments: object) -> None:
    raise LookupError("boom")


def made(url: str, option: str) -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    for name, value in {**OPTIONS[option], option: boom}.items():
        curl.setopt(getattr(pycurl, name), value)
    return curl


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("method", ["perform", "perform_rb", "perform_rs"])
def test_after_a_transfer(http: Any, capfd: Any, method: str, option: str) -> None:
    if option == "WRITEFUNCTION" and method != "perform":
        return
    curl = made(http.url, option)
    gone = weakref.ref(curl)
    try:
        getattr(curl, method)()
    except (pycurl.error, LookupError):
        pass
    del curl
    assert gone() is None
    assert isinstance(getattr(sys, "last_value", None), LookupError) or option == "SOCKOPTFUNCTION"


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("asked", [True, False])
def test_after_a_transfer_in_a_multi(http: Any, capfd: Any, option: str, asked: bool) -> None:
    multi, curl = pycurl.CurlMulti(), made(http.url, option)
    gone = [weakref.ref(curl), weakref.ref(multi)]
    multi.add_handle(curl)
    running = 1
    while running:
        try:
            running = multi.perform()[1]
        except LookupError:
            continue
        multi.select(0.1)
    if asked:
        multi.info_read()
    multi.remove_handle(curl)
    del curl, multi
    assert [reference() for reference in gone] == [None, None]


@pytest.mark.parametrize("option", OPTIONS)
def test_after_a_transfer_of_the_native_face(http: Any, option: str) -> None:
    options = {name.lower(): value for name, value in {**OPTIONS[option], option: boom}.items()}
    easy = libcurl.Easy(url=http.url, **options)
    gone = weakref.ref(easy)
    try:
        easy.perform()
    except LookupError:
        pass
    del easy
    assert gone() is None
