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

closed = []

def closer(fd):
    closed.append(fd)
    os.close(fd)
    return 0
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
seen = []
class Handle({make}):
    def __del__(self):
        seen.append(self.getinfo(pycurl.RESPONSE_CODE) if {make} is pycurl.Curl else self.info.response_code)
        super().__del__()
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


CLIENT = """
import io
url, face = sys.argv[1:]
seen = []
gc.disable()  # it would change the order: a handle may be finalized first, and is closed then

class Client:
    # Its methods are the handle's callbacks, and what it does at its end goes through the handle.
    def __init__(self):
        self.body, self.calls = [], []

    def write(self, data):
        self.body.append(data)

    def open(self, purpose, address):
        self.calls.append("open")
        return socket.socket(address.family, address.socktype, address.protocol)

    def closer(self, fd):
        self.calls.append("close")
        os.close(fd)
        return 0

    def read(self, size):
        self.calls.append("read")
        return self.source.read(size)

    def seek(self, offset, origin):
        self.source.seek(offset, origin)
        return 0

    def prepare(self):
        self.body.clear()
        self.source = io.BytesIO(b"payload")

    def log_out(self):
        self.handle.perform()

    def __del__(self):
        self.prepare()
        self.log_out()
        seen.append((b"payload" in b"".join(self.body), set(self.calls)))

if face == "native":
    class Ours(Client):
        def __init__(self):
            super().__init__()
            parts = libcurl.Mime()
            parts.add(name="a", source=self.read, seek=self.seek, size=7)
            self.handle = libcurl.Easy(
                url=url + "/post", mimepost=parts, writefunction=self.write, forbid_reuse=True,
                opensocketfunction=self.open, closesocketfunction=self.closer,
            )
else:
    class Ours(Client):
        def __init__(self):
            super().__init__()
            self.handle = pycurl.Curl()
            parts = pycurl.CurlMime(self.handle)
            part = parts.addpart()
            part.name("a")
            part.data_cb(7, lambda _, size: self.read(size), lambda _, *place: self.seek(*place))
            for name, value in [
                ("URL", url + "/post"), ("MIMEPOST", parts), ("WRITEFUNCTION", self.write),
                ("FORBID_REUSE", 1), ("OPENSOCKETFUNCTION", self.open), ("CLOSESOCKETFUNCTION", self.closer),
            ]:
                self.handle.setopt(getattr(pycurl, name), value)
"""


@pytest.mark.parametrize("face", ["native", "drop-in"])
def test_what_is_collected_in_a_cycle_can_still_perform_in_its_finalizer(
    script: Any, http: Any, face: str
) -> None:
    """Its callbacks are found, though the weak references to all of them are dead."""
    script(
        WATCH
        + CLIENT
        + """
for before in (False, True):
    client = Ours()
    if before:
        client.prepare()
        client.log_out()
        assert b"payload" in b"".join(client.body)
        client.calls.clear()
    del client
    collect()
everything = {"open", "close", "read"}
assert seen == [(True, everything)] * 2, seen
""",
        http.url,
        face,
        env={"MALLOC_PERTURB_": "85"},
    )


@pytest.mark.parametrize("make", ["libcurl.Easy", "pycurl.Curl"])
def test_a_handle_that_its_finalizer_has_saved_from_a_cycle_works_as_before(
    script: Any, http: Any, make: str
) -> None:
    script(
        WATCH
        + f"""
url = sys.argv[1]
saved, body = [], []
class Handle({make}):
    def __del__(self):
        if self in saved:
            super().__del__()
        else:
            saved.append(self)
handle = Handle()
options = dict(url=url, writefunction=body.append, closesocketfunction=closer)
if {make} is pycurl.Curl:
    for name, value in options.items():
        handle.setopt(getattr(pycurl, name.upper()), value)
else:
    handle.set(**options)
handle.me = handle
del handle
collect()
handle = saved[0]
for _ in range(2):
    handle.perform()
assert body == [b"hello"] * 2 and not closed, (body, closed)
handle.close()
assert len(closed) == 1
""",
        http.url,
    )


@pytest.mark.parametrize("face", ["native", "drop-in"])
def test_a_multi_that_is_collected_in_a_cycle_can_still_be_driven_in_a_finalizer(
    script: Any, http: Any, face: str
) -> None:
    script(
        WATCH
        + """
url, face = sys.argv[1:]
seen = []
gc.disable()
class Client:
    def __init__(self):
        self.body = []
        if face == "native":
            self.multi = libcurl.Multi()
            self.handle = libcurl.Easy(url=url, writefunction=self.write)
            self.multi.add(self.handle)
        else:
            self.multi = pycurl.CurlMulti()
            self.handle = pycurl.Curl()
            self.handle.setopt(pycurl.URL, url)
            self.handle.setopt(pycurl.WRITEFUNCTION, self.write)
            self.multi.add_handle(self.handle)

    def write(self, data):
        self.body.append(data)

    def __del__(self):
        if face == "native":
            for easy, error in self.multi.run():
                assert error is None, error
        else:
            while self.multi.perform()[1]:
                self.multi.select(1)
            assert self.handle in self.multi
            assert self.multi.info_read() == (0, [self.handle], [])
        seen.append(b"".join(self.body))
Client()
collect()
assert seen == [b"hello"], seen
""",
        http.url,
        face,
    )


@pytest.mark.parametrize("order", ["share first", "handle first"])
def test_a_share_of_the_drop_in_closes_its_connections_in_a_cycle_and_is_open_when_it_was_saved(
    script: Any, http: Any, order: str
) -> None:
    script(
        WATCH
        + """
url, order = sys.argv[1:]
saved = []
class Share(pycurl.CurlShare):
    def __del__(self):
        super().__del__()
        saved.append(self)

def use(share, curl):
    curl.setopt(pycurl.SHARE, share)
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.CLOSESOCKETFUNCTION, closer)
    assert curl.perform_rb() == b"hello"

def work(kind):
    if order == "handle first":
        curl, share = pycurl.Curl(), kind()
    else:
        share, curl = kind(), pycurl.Curl()
    share.share(pycurl.LOCK_DATA_CONNECT)
    use(share, curl)
    curl.me = curl

work(pycurl.CurlShare)
collect()
assert len(closed) == 1, closed
work(Share)
collect()
assert len(closed) == 2, closed
share = saved[0]
if order == "share first" and sys.implementation.name == "cpython":  # PyPy has an order of its own
    assert not share.closed
    curls = [pycurl.Curl(), pycurl.Curl()]
    for curl in curls:
        use(share, curl)
    assert curls[1].getinfo(pycurl.NUM_CONNECTS) == 0  # it shares what it has shared before
    curls[0].close()
    assert len(closed) == 2
    curls[1].close()
    share.close()
    assert len(closed) == 3
assert share.close() is None and share.closed
""",
        http.url,
        order,
    )
