"""Handles in reference cycles: finalizers run in any order, and whatever they reach is still there."""

from __future__ import annotations

from typing import Any

import pytest

WATCH = """
import gc, os, socket, sys
import libcurl
from libcurl import pycurl
from servers.http import HTTPServer

def collect():
    for _ in range(4):
        gc.collect()
"""


@pytest.mark.parametrize("make", ["libcurl.Easy", "libcurl.Multi", "libcurl.Share", "pycurl.Curl"])
def test_a_finalizer_that_closes_a_collected_handle_closes_no_other(script: Any, make: str) -> None:
    script(
        WATCH
        + f"""
kept, owners = [], []
class Owner:
    def __del__(self):
        kept.append({make}())
        self.handle.close()
for _ in range(50):
    handle = {make}()
    owner = Owner()  # younger than its handle: finalized after it
    owner.handle, owner.me = handle, owner
    owners.append(owner)
    del handle, owner
del owners
collect()
assert len(kept) == 50
assert not any(handle.closed for handle in kept)
""",
        env={"MALLOC_PERTURB_": "85"},
    )


@pytest.mark.parametrize("before", ["", "gc.collect(0)"])
@pytest.mark.parametrize("make", ["libcurl.Easy", "pycurl.Curl"])
def test_a_handle_in_a_cycle_is_open_to_its_finalizer_and_closed_by_its_closer(
    script: Any, http: Any, make: str, before: str
) -> None:
    """Also where it has outlived a collection before its use, and what was made then has not."""
    script(
        WATCH
        + f"""
from libcurl.registry import handles
seen, closed = [], []
class Handle({make}):
    def __del__(self):
        seen.append(self.getinfo(pycurl.RESPONSE_CODE) if {make} is pycurl.Curl else self.info.response_code)
        super().__del__()
def closer(fd):
    closed.append(fd)
    os.close(fd)
for kind in 3 * [Handle, {make}]:
    handle = kind()
    {before}
    if {make} is pycurl.Curl:
        handle.setopt(pycurl.URL, sys.argv[1])
        handle.setopt(pycurl.CLOSESOCKETFUNCTION, closer)
        handle.perform_rb()
    else:
        handle.set(url=sys.argv[1], closesocketfunction=closer)
        handle.fetch()
    holder = [handle]
    holder.append(holder)
    del handle, holder
collect()
assert seen == [200, 200, 200], seen
assert len(closed) == 6, closed
assert not handles, handles
""",
        http.url,
    )


def test_a_finalizer_reads_nothing_of_a_url_that_was_freed(script: Any) -> None:
    script(
        WATCH
        + """
hosts = []
class Owner:
    def __del__(self):
        try:
            hosts.append(self.url.host)
        except ValueError:
            hosts.append("closed")
for _ in range(50):
    owner = Owner()
    owner.url, owner.me = libcurl.Url("http://host.example/"), owner
    del owner
collect()
assert len(hosts) == 50 and set(hosts) <= {"host.example", "closed"}, hosts
""",
        env={"MALLOC_PERTURB_": "85"},
    )


def test_a_suspended_stream_in_a_cycle_is_collected_with_its_handle(script: Any) -> None:
    script(
        WATCH
        + """
class Owner:
    pass
with HTTPServer() as server:
    for _ in range(40):
        owner = Owner()
        owner.me = owner
        owner.easy = libcurl.Easy(url=server.url + "/bytes/500000")
        owner.stream = owner.easy.stream()
        next(owner.stream)
        del owner
    collect()
""",
        env={"MALLOC_PERTURB_": "85"},
    )


def test_a_share_in_a_cycle_with_its_handle_closes_its_connections(script: Any) -> None:
    script(
        WATCH
        + """
closed = []
def closer(fd):
    closed.append(fd)
    os.close(fd)
def work(url):
    share = libcurl.Share(libcurl.LockData.CONNECT)
    easy = libcurl.Easy(url=url, share=share, closesocketfunction=closer)
    easy.set(private=easy)
    easy.perform()
with HTTPServer() as server:
    work(server.url)
    collect()
    assert len(closed) == 1, closed
"""
    )


@pytest.mark.parametrize("cycle", [False, True])
@pytest.mark.parametrize("face", ["native", "drop-in"])
def test_a_share_has_its_locks_until_the_last_handle_in_it_is_ended(
    script: Any, http: Any, face: str, cycle: bool
) -> None:
    """By its memory, where a __del__ keeps it from being closed before."""
    script(
        WATCH
        + f"""
from libcurl._native import ffi
kept = []
class Filler:
    __slots__ = ()
    def __del__(self):  # takes the memory that the share has left, and leaves locked locks in it
        for _ in range(20):
            for size in (300, 344, 400):
                memory = ffi.new("char[]", size)
                ffi.buffer(memory)[:] = (b"\\1\\0\\0\\0" * size)[:size]
                kept.append(memory)
class Share(libcurl.Share if {face!r} == "native" else pycurl.CurlShare):
    pass
class Handle(libcurl.Easy if {face!r} == "native" else pycurl.Curl):
    def __del__(self):
        pass
for _ in range(5):
    if {face!r} == "native":
        share = Share(libcurl.LockData.CONNECT)
        handle = Handle(url=sys.argv[1], share=share)
        assert handle.fetch() == b"hello"
    else:
        share = Share()
        share.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_CONNECT)
        handle = Handle()
        handle.setopt(pycurl.URL, sys.argv[1])
        handle.setopt(pycurl.SHARE, share)
        assert handle.perform_rb() == b"hello"
    if {cycle}:
        handle.me = handle
    share.filler = Filler()
    del share, handle
    collect()
    kept.clear()
collect()
""",
        http.url,
        env={"MALLOC_PERTURB_": "85"},
    )
