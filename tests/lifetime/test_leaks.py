"""Nothing piles up: descriptors, memory, Python objects."""

from __future__ import annotations

from typing import Any

import pytest

BEGIN = """
import os, sys
import libcurl
from libcurl.registry import handles
from libcurl.connections import closers
from lifetime.watching import *

def measure(act, warm, count, most):
    '''Repeat; fail where a single repetition leaves `most` bytes, an object or a descriptor.'''
    for _ in range(warm):
        act()
    # PyPy's memory comes and goes, by a hundred megabytes: less than half a handle each time, then, and not
    # in three rounds one after the other.
    most = 6000 if PYPY else most
    for _ in range(3 if PYPY else 1):
        before = objects(), descriptors()
        memory = resident()
        for _ in range(count):
            act()
        collect()
        grown = (resident() - memory) / count
        after = objects(), descriptors()
        assert after[1] == before[1], (after[1], before[1])
        assert after[0] - before[0] < 50, (before[0], after[0])
        if grown < most:
            return
    raise AssertionError(f"{grown} bytes each time")

url = sys.argv[1]

class Finalized(libcurl.Easy):
    def __del__(self):
        pass

class Single(libcurl.Easy):
    no_more = False

    def __new__(cls, **options):
        if cls.no_more:
            raise LookupError
        return super().__new__(cls)
"""


@pytest.mark.parametrize("performing", [False, True])
def test_5000_replacements_of_the_closer_on_one_living_connection(
    http_process: Any, script: Any, performing: bool
) -> None:
    code = f"""
easy = libcurl.Easy(url=url, closesocketfunction=closer("first"))
easy.perform()
first = easy.info.activesocket

def replace():
    easy.set(closesocketfunction=closer("later"))
    if {performing}:
        easy.perform()

measure(replace, 500, 5000, 8)
assert easy.info.num_connects == {0 if performing else 1}
collect()
assert len(closers) == 2, len(closers)      # the connection's and the current one
assert len(handles) == 1
easy.close()
assert closed == [("first", first)]
assert not closers and not handles
"""
    script(BEGIN + code, http_process.url + "/")


def test_5000_connections_each_with_a_closer_of_its_own(http_process: Any, script: Any) -> None:
    code = """
easy = libcurl.Easy(url=url, forbid_reuse=True)

def replace():
    easy.set(closesocketfunction=closer("x"))
    easy.perform()
    assert len(closers) == 1
    closed.clear()

measure(replace, 100, 1000, 40)
easy.close()
assert not closers and not handles
"""
    script(BEGIN + code, http_process.url + "/")


def test_a_replaced_closer_goes_when_its_last_connection_closes(
    http_process: Any, script: Any
) -> None:
    code = """
easy = libcurl.Easy()

def replace():
    easy.set(url=url, closesocketfunction=closer("old"))
    easy.perform()
    easy.set(url=url + "close", closesocketfunction=closer("new"))
    easy.perform()                      # over the same connection, which ends inside
    assert names() == "old"
    assert len(closers) == 1, len(closers)
    closed.clear()

measure(replace, 50, 500, 40)
easy.close()
assert not closers and not handles
"""
    script(BEGIN + code, http_process.url + "/")


HANDLES = {
    "plain": "libcurl.Easy().close()",
    "with options": """
        easy = libcurl.Easy(url=url, httpheader=["a: b"], postfields=b"x" * 100, timeout=5,
                            sslkey_blob=b"x", writefunction=print, closesocketfunction=closer("x"))
        easy.set(httpheader=["c: d"], postfields=b"y")
        easy.unset("timeout")
        easy.close()
    """,
    "dropped": """
        easy = libcurl.Easy(url=url, xferinfofunction=print, closesocketfunction=closer("x"))
        del easy
        if PYPY: maybe_collect()
    """,
    "never closed by its finalizer": """
        Finalized(url=url)
        if PYPY: maybe_collect()
    """,
    "duplicated": """
        easy = libcurl.Easy(url=url, httpheader=["a: b"], closesocketfunction=closer("x"))
        twin = easy.duphandle()
        easy.close()
        twin.close()
    """,
    "not duplicated": """
        easy = Single(url=url)
        Single.no_more = True
        try:
            easy.duphandle()
        except LookupError:
            Single.no_more = False
        easy.close()
    """,
    "refused": """
        try:
            libcurl.Easy(url=url, timeout="x")
        except TypeError:
            pass
        if PYPY: maybe_collect()
    """,
}


@pytest.mark.parametrize("code", HANDLES.values(), ids=HANDLES)
def test_20000_handles(http_process: Any, script: Any, code: str) -> None:
    import textwrap

    act = textwrap.indent(textwrap.dedent(code).strip(), "    ")
    script(
        f"""{BEGIN}
turns = 0
def maybe_collect():
    global turns
    turns += 1
    if turns % 500 == 0:
        collect()

def act():
{act}

measure(act, 2000, 20000, 25)
assert not closers and not handles
""",
        http_process.url + "/",
        timeout=60,
    )


def test_handles_whose_finalizer_calls_no_other_are_not_noted_for_ever(script: Any) -> None:
    code = """
for _ in range(5000):
    Finalized(writefunction=print, closesocketfunction=os.close)
    if PYPY and _ % 100 == 0:
        collect()
collect()
assert len(handles) < 500 and len(closers) < 500, (len(handles), len(closers))
"""
    script(BEGIN + code, "")


TRANSFERS = {
    "bodies": 'assert easy.fetch() == b"hello"',
    "big bodies": 'easy.set(url=url + "bytes/300000"); assert len(easy.fetch()) == 300000',
    "infos": "easy.perform(); easy.info.effective_url, easy.info.certinfo, easy.info.cookielist",
    "failures": """
        easy.set(url="http://127.0.0.1:1/")
        try:
            easy.perform()
        except libcurl.Error:
            pass
    """,
    "callbacks that raise": """
        def write(data):
            raise KeyError(data)
        easy.set(writefunction=write)
        try:
            easy.perform()
        except KeyError:
            pass
    """,
    "openers": """
        import socket
        def opener(purpose, address):
            address.port = address.port
            return socket.socket(address.family, address.socktype, address.protocol)
        easy.set(opensocketfunction=opener, fresh_connect=True, forbid_reuse=True,
                 sockoptfunction=lambda fd, purpose: 0, closesocketfunction=closer())
        easy.perform()
        closed.clear()
    """,
    "connected sockets": """
        import socket
        def opener(purpose, address):
            sock = socket.socket()
            sock.connect((address.host, address.port))
            return sock
        easy.set(opensocketfunction=opener, fresh_connect=True, forbid_reuse=True,
                 sockoptfunction=lambda fd, purpose: libcurl.SockOpt.ALREADY_CONNECTED)
        easy.perform()
    """,
    "refused sockets": """
        easy.set(opensocketfunction=lambda purpose, address: None, fresh_connect=True)
        try:
            easy.perform()
        except TypeError:
            pass
    """,
    "uploads": 'easy.set(url=url + "post", upload=True, readdata=b"x" * 1000); easy.perform()',
}


@pytest.mark.parametrize("code", TRANSFERS.values(), ids=TRANSFERS)
def test_a_thousand_transfers(http_process: Any, script: Any, code: str) -> None:
    import textwrap

    act = textwrap.indent(textwrap.dedent(code).strip(), "    ")
    script(
        f"""{BEGIN}
easy = libcurl.Easy(url=url, timeout=5)
def act():
{act}

measure(act, 200, 1000, 500)
easy.close()
assert not closers and not handles
""",
        http_process.url + "/",
        timeout=60,
    )
