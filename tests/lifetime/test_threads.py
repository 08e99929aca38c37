"""Threads that fall over each other: whatever they do to one handle at once, they are refused or served.

In processes of their own, where they may crash. Without a GIL they do so truly at once.
"""

from __future__ import annotations

from typing import Any

import pytest

HEAD = """
import faulthandler, gc, random, sys, threading, time, traceback
from collections import Counter
import libcurl
from libcurl import Easy, Mime, Multi, Share, Url

faulthandler.enable()
sys.setswitchinterval(1e-6)
url, seconds = sys.argv[1], float(sys.argv[2])
#: In use, closed, refused by libcurl.
REFUSED = (RuntimeError, ValueError, libcurl.Error)


def at_once(*works, threads=6):
    # Every thread does one of these after the other, by chance, until the time is over.
    unexpected = []
    begin = threading.Barrier(threads)

    def work(number):
        choose = random.Random(number).choice
        begin.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not unexpected:
            try:
                choose(works)()
            except REFUSED:
                pass
            except BaseException:
                unexpected.append(traceback.format_exc())

    those = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in those:
        thread.start()
    for thread in those:
        thread.join()
    assert not unexpected, unexpected[0]
"""

SECONDS = pytest.mark.parametrize("seconds", [0.5, pytest.param(20, marks=pytest.mark.slow)])

EASY = """
    # An upload whose source is taken away may wait for the server, which waits for it.
    options = {"url": url, "timeout_ms": 1000}
    box = [Easy(**options)]

    def renew():
        easy, box[0] = box[0], Easy(**options)
        easy.close()

    def reset():
        box[0].reset()
        box[0].set(**options)

    def stream():
        for chunk in box[0].stream():
            assert chunk == b"hello", chunk

    at_once(
        renew, reset, stream,
        lambda: box[0].perform(),
        lambda: box[0].fetch(),
        lambda: box[0].body,
        lambda: box[0].set(**options),
        lambda: box[0].set(**options, httpheader=["A: b", "C: d"]),
        lambda: box[0].set(postfields=b"x" * random.randrange(5000)),
        lambda: box[0].unset("postfields"),
        lambda: box[0].set(readdata=b"y" * random.randrange(5000), upload=True),
        lambda: box[0].set(readdata=None, upload=False),
        lambda: box[0].set(curlu=Url(url), timeout_ms=1000),
        lambda: box[0].set(writefunction=lambda data: None),
        lambda: box[0].set(writefunction=None),
        lambda: box[0].set(closesocketfunction=__import__("os").close),
        lambda: box[0].set(closesocketfunction=None),
        lambda: box[0].set(mimepost=Mime()),
        lambda: box[0].set(url="no-such-scheme://", proxy=None),
        lambda: box[0].getinfo("response_code"),
        lambda: box[0].getinfo("ssl_engines"),
        lambda: box[0].getinfo("certinfo"),
        lambda: box[0].getinfo("total_time"),
        lambda: box[0].getinfo("effective_url"),
        lambda: box[0].cookies,
        lambda: box[0].headers,
        lambda: box[0].upkeep(),
        lambda: box[0].pause(0),
        lambda: box[0].recv(10),
        lambda: box[0].ws_recv(10),
        lambda: box[0].duphandle().fetch(),
        lambda: box[0].set(share=Share(libcurl.LockData.COOKIE)),
        lambda: box[0].set(share=None),
        lambda: repr(box[0]),
    )
    box[0].close()
"""

FETCH = """
    from libcurl import pycurl
    REFUSED += (pycurl.error,)
    url += "/stats"
    # In one slice, in two, into memory of Python's, and with more to do than to look at the body.
    options = [{"url": url}, {"url": url + "?after=0.11"}, {"url": url + "?size=100000"},
               {"url": url, "headerfunction": lambda line: None}]
    curls = [pycurl.Curl() for _ in options]
    for curl, given in zip(curls, options):
        for name, value in given.items():
            curl.setopt(getattr(pycurl, name.upper()), value)
    fetches = [Easy(**given).fetch for given in options] + [curl.perform_rb for curl in curls]
    bodies = [[] for _ in fetches]
    at_once(*(lambda fetch=fetch, found=found: found.append(fetch())
              for fetch, found in zip(fetches, bodies)))
    for found in bodies:
        assert found and len(set(found)) == len(found), max(Counter(found).values())
"""

MULTI = """
    box = [Multi()]

    def add():
        box[0].add(Easy(url=url))

    def run():
        for easy, error in box[0].run():
            assert error is None or isinstance(error, libcurl.Error), error

    def step():
        box[0].fileno()
        for easy, error in box[0].step():
            easy.close()

    def remove():
        for easy in box[0].get_handles():
            box[0].remove(easy)

    def close_one():
        for easy in box[0].get_handles():
            easy.close()

    def renew():
        multi, box[0] = box[0], Multi()
        multi.close()

    at_once(add, add, add, run, step, step, remove, close_one, renew, lambda: box[0].wakeup())
    box[0].close()
"""

PERFORM = """
    box = [Multi()]

    def drive():
        multi = box[0]
        multi.add(Easy(url=url))
        while multi.perform():
            multi.poll(50)
        for easy, error in multi.info_read():
            multi.remove(easy)

    def renew():
        multi, box[0] = box[0], Multi()
        multi.close()

    at_once(drive, drive, drive, renew, lambda: box[0].wakeup(), lambda: box[0].timeout())
    box[0].close()
"""

WAKEUP = """
    box = [Multi()]

    def renew():
        multi, box[0] = box[0], Multi()
        if random.random() < 0.5:
            multi.fileno()
        multi.close()

    at_once(renew, *[lambda: box[0].wakeup()] * 5)
    box[0].close()
"""

SHARE = """
    share = Share(libcurl.LockData.COOKIE, libcurl.LockData.DNS, libcurl.LockData.SSL_SESSION)
    keep = Easy(share=share)

    def fetch():
        with Easy(url=url, share=share, cookiefile="") as easy:
            assert easy.fetch() == b"hello"
            easy.set(cookielist="Set-Cookie: a=%d" % random.randrange(100))
            easy.cookies

    at_once(fetch, fetch, fetch, share.close, lambda: share.share(libcurl.LockData.HSTS), threads=8)
    assert not share.closed
    keep.close()
    share.close()
"""

MIME = """
    import io
    whole = Mime()
    whole.add(name="one", data=b"1" * 1000)

    def post():
        with Easy(url=url + "/post", mimepost=whole) as easy:
            easy.fetch()

    def change():
        whole.add(name="two", data=b"2")

    at_once(post, post, post, change, threads=8)
"""

URLS = """
    from libcurl import pycurl
    fixed = Url(url + "/path?query#fragment")
    changed = pycurl.CurlUrl(url)

    def read():
        assert (fixed.path, fixed.query, fixed.fragment) == ("/path", "query", "fragment")
        assert str(fixed.replace(query="other")).endswith("?other#fragment")

    def write():
        changed.setpart(libcurl.CURLUPART_PATH, "/" + "x" * random.randrange(3000))
        changed.setpart(libcurl.CURLUPART_QUERY, random.choice([None, "query"]))

    def copy():
        assert set(str(changed.__copy__().path)) <= {"/", "x"}

    at_once(read, write, copy, lambda: str(changed), lambda: changed.query)
"""

REGISTRY = """
    import os
    sizes = []

    def forgotten():
        # Neither closed nor kept: a cycle, that some thread will collect.
        easy = Easy(url=url, writefunction=lambda data: sizes.append(len(data) + bool(easy) - 1),
                    closesocketfunction=os.close)
        easy.perform()

    at_once(forgotten, forgotten, gc.collect)
    gc.collect()
    assert set(sizes) == {5}
"""

SOCKETS = """
    from libcurl.sockets import AddressPolicy, SocketLog, SocketOptions, allow
    log = SocketLog()
    policy = AddressPolicy(allow("127.0.0.1"))
    tools = log | policy | SocketOptions(nodelay=True)

    def fetch(sockets):
        with Easy(url=url + "/close", sockets=sockets) as easy:
            assert easy.fetch() == b"hello"

    def refused():
        with Easy(url=url.replace("127.0.0.1", "127.0.0.2"), sockets=policy) as easy:
            try:
                easy.perform()
            except PermissionError:
                return
            raise AssertionError

    at_once(lambda: fetch(tools), lambda: fetch(policy), refused, lambda: str(log), threads=8)
    log.check()
    assert len(log) and not log.problems
"""

LOOPS = """
    import asyncio
    from libcurl.aio import AsyncMulti

    async def several():
        async with AsyncMulti(limit=3) as multi:
            easies = [Easy(url=url) for _ in range(5)]
            await asyncio.gather(*map(multi.perform, easies))
            assert [easy.body for easy in easies] == [b"hello"] * 5

    at_once(lambda: asyncio.run(several()))
"""

DROP_IN = """
    import io
    from libcurl import pycurl
    REFUSED += (pycurl.error,)
    box = [pycurl.Curl()]
    sharing = pycurl.CurlShare()
    sharing.share(pycurl.LOCK_DATA_COOKIE)

    def renew():
        curl, box[0] = box[0], pycurl.Curl()
        curl.close()

    def fetch():
        curl, body = box[0], io.BytesIO()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.WRITEDATA, body)
        curl.perform()

    def joined():
        multi, curl = pycurl.CurlMulti(), box[0]
        multi.add_handle(curl)
        while multi.perform()[1]:
            multi.poll(0.05)
        multi.info_read()
        multi.remove_handle(curl)

    def curlu():
        place = pycurl.CurlUrl(url)
        box[0].setopt(pycurl.CURLU, place)

    at_once(
        renew, fetch, fetch, joined, curlu,
        lambda: box[0].perform_rb(),
        lambda: box[0].setopt(pycurl.POSTFIELDS, "x" * random.randrange(5000)),
        lambda: box[0].unsetopt(pycurl.POSTFIELDS),
        lambda: box[0].setopt(pycurl.HTTPHEADER, ["A: b"]),
        lambda: box[0].setopt(pycurl.SHARE, sharing),
        lambda: box[0].unsetopt(pycurl.SHARE),
        lambda: box[0].getinfo(pycurl.RESPONSE_CODE),
        lambda: box[0].getinfo(pycurl.EFFECTIVE_URL),
        lambda: box[0].getinfo(pycurl.SSL_ENGINES),
        lambda: box[0].errstr(),
        lambda: box[0].duphandle().close(),
        lambda: box[0].reset(),
    )
    box[0].close()
"""


@SECONDS
@pytest.mark.parametrize("what", ["EASY", "FETCH", "MULTI", "PERFORM", "WAKEUP", "SHARE", "MIME",
                                  "URLS", "REGISTRY", "SOCKETS", "LOOPS", "DROP_IN"])  # fmt: skip
def test_threads_at_once_are_refused_or_served(
    http_process: Any, script: Any, what: str, seconds: float
) -> None:
    from textwrap import dedent

    code = HEAD + dedent(globals()[what])
    script(code, http_process.url, seconds, timeout=60 + seconds)


def test_all_threads_can_begin_at_once(script: Any) -> None:
    """The first handle of a process is made in eight threads: types, options, libcurl's own start."""
    code = """
        import threading
        from libcurl import Easy, Error, Multi, Share

        begin = threading.Barrier(8)
        done = []

        def work():
            begin.wait()
            with Easy(url="http://127.0.0.1:1/") as easy, Multi(), Share():
                try:
                    easy.fetch()
                except Error:
                    done.append(None)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(done) == 8
    """
    for _ in range(5):
        script(code)


def test_of_the_options_of_libcurl_there_is_one_each(script: Any) -> None:
    """Whichever thread has asked first: settings are kept by option."""
    code = """
        import sys, threading
        import libcurl
        from libcurl.options import find

        sys.setswitchinterval(1e-6)
        names = [option.name.lower() for option in libcurl.options()]
        numbers = [option.id for option in libcurl.options()]
        found = []
        begin = threading.Barrier(8)

        def ask():
            begin.wait()
            found.append([find(which) for pair in zip(names, numbers) for which in pair])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for same in zip(*found, strict=True):
            assert len(set(map(id, same))) == 1, same[0]
        for by_name, by_number in zip(found[0][::2], found[0][1::2]):
            assert by_name is by_number
    """
    for _ in range(5):
        script(code)


def test_what_is_found_is_looked_at_before_another_thread_comes_in(
    http_process: Any, script: Any
) -> None:
    """The thread that fetches stays inside until it has the body, an interrupt aside."""
    code = """
        import sys, threading
        from libcurl import Code, Easy, Error, Multi
        from libcurl._native import lib

        url = sys.argv[1]

        def elsewhere(use):
            errors = []
            def work():
                try:
                    use()
                except RuntimeError as error:
                    errors.append(str(error))
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            return errors

        easy = Easy(url=url)
        easy.fetch()
        assert lib.easy_fetch(easy._handle) == 5
        assert "another thread" in elsewhere(easy.fetch)[0]
        lib.easy_fetched(easy._handle)
        assert not elsewhere(easy.fetch)
        assert lib.easy_fetch(easy._handle) == 5
        try:  # a signal handler, before the one that is interrupted has looked at its body
            easy.fetch()
        except Error as error:
            assert error.code == Code.RECURSIVE_API_CALL
        else:
            raise AssertionError("it took the body away")
        lib.easy_fetched(easy._handle)
        assert not elsewhere(easy.fetch)

        multi = Multi()
        multi.add(easy)
        handle = multi._handle
        while not handle.results_count:
            assert lib.multi_step(handle, 100) == 0
        assert "another thread" in elsewhere(multi.step)[0]
        assert multi.step() == [(easy, None)]
        assert not elsewhere(multi.step)
    """
    script(code, http_process.url)


def test_a_fork_leaves_no_lock_behind(http_process: Any, script: Any) -> None:
    """A child can open and close sockets whatever other threads were doing to those of the parent."""
    code = """
        import os, socket, sys, threading
        from fcntl import F_DUPFD, fcntl
        from resource import RLIMIT_NOFILE, getrlimit, setrlimit
        from libcurl import Easy
        from libcurl._native import lib

        url = sys.argv[1]
        room = min(getrlimit(RLIMIT_NOFILE)[1], 200_000)
        setrlimit(RLIMIT_NOFILE, (room, getrlimit(RLIMIT_NOFILE)[1]))

        def open_high(purpose, address):
            with socket.socket(address.family, address.socktype) as sock:
                return fcntl(sock.fileno(), F_DUPFD, room - 10)

        # The higher a descriptor, the longer it takes to count them.
        easy = Easy(url=url, opensocketfunction=open_high, closesocketfunction=os.close)
        easy.perform()
        done = threading.Event()

        def count():
            while not done.is_set():
                lib.sockets_booked(1)

        threads = [threading.Thread(target=count) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                child = os.fork()
                if not child:
                    with Easy(url=url, closesocketfunction=os.close) as own:
                        os._exit(own.fetch() != b"hello")
                assert os.waitpid(child, 0)[1] == 0
        finally:
            done.set()
    """
    script(code, http_process.url)


def test_a_child_forked_while_another_thread_makes_the_first_handle_makes_its_own(
    script: Any, http_process: Any
) -> None:
    code = """
        import os, signal, sys, threading
        import libcurl.easy, libcurl.errors
        from libcurl import Easy

        url = sys.argv[1]
        assert Easy.fetch  # and no handle yet: libcurl's global state is to be made
        begun = threading.Event()

        def first():
            begun.set()
            Easy().close()

        thread = threading.Thread(target=first)
        thread.start()
        begun.wait()
        children = []
        for _ in range(40):
            child = os.fork()
            if not child:
                signal.alarm(10)  # ends it where it waits for ever
                with Easy(url=url) as easy:
                    os._exit(easy.fetch() != b"hello")
            children.append(child)
        thread.join()
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 40
    """
    script(code, http_process.url)
