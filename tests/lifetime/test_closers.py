"""The closer that was set when a connection was made is called for it, once, whatever happens.

Every story is told in a process of its own, so that a crash is seen; the server is in this one.
"""

from __future__ import annotations

from typing import Any

import pytest
from servers.tls import Authority

BEGIN = """
import gc, os, sys, weakref
import libcurl
from lifetime.watching import *
url = sys.argv[1]
before = descriptors()
easy = libcurl.Easy(url=url, closesocketfunction=closer("a"))
easy.perform()
fd = easy.info.activesocket
"""

END = """
collect()
assert descriptors() == before, (descriptors(), before)
from libcurl.connections import closers
from libcurl.registry import handles
assert not closers, closers
assert not handles, handles
"""

STORIES = {
    "closed": """
        easy.close()
        assert closed == [("a", fd)]
        easy.close()
        assert closed == [("a", fd)]
    """,
    "left by a context manager": """
        with easy:
            pass
        assert closed == [("a", fd)]
    """,
    "unset": """
        easy.unset("closesocketfunction")
        easy.perform()
        assert closed == []
        easy.close()
        assert closed == [("a", fd)]
    """,
    "unset, and a connection made after": """
        easy.set(closesocketfunction=None, fresh_connect=True)
        easy.perform()
        assert easy.info.activesocket != fd
        easy.close()
        assert closed == [("a", fd)]
    """,
    "replaced": """
        easy.set(closesocketfunction=closer("b"))
        easy.perform()
        easy.close()
        assert closed == [("a", fd)]
    """,
    "replaced, and a connection made after": """
        easy.set(closesocketfunction=closer("b"), fresh_connect=True)
        easy.perform()
        second = easy.info.activesocket
        easy.close()
        assert sorted(closed) == [("a", fd), ("b", second)]
    """,
    "replaced by itself": """
        same = closer("s")
        for _ in range(3):
            easy.set(closesocketfunction=same)
        easy.close()
        assert closed == [("a", fd)]
    """,
    "replaced many times on one connection": """
        for n in range(100):
            easy.set(closesocketfunction=closer("b"))
            easy.perform()
        easy.close()
        assert closed == [("a", fd)]
    """,
    "reset": """
        easy.reset()
        easy.set(url=url)
        easy.perform()
        assert closed == []
        easy.close()
        assert closed == [("a", fd)]
    """,
    "reset, collected and only then closed": """
        gone = weakref.ref(easy)
        easy.reset()
        collect()
        del easy
        collect()
        assert gone() is None
        assert closed == [("a", fd)]
    """,
    "another option unset": """
        easy.set(useragent="me")
        easy.unset("useragent")
        easy.set(fresh_connect=True)
        easy.perform()
        easy.close()
        assert names() == "aa"
    """,
    "deleted": """
        del easy
        collect()
        assert closed == [("a", fd)]
    """,
    "collected in a cycle": """
        easy.close()
        del closed[:]

        def make():
            seen = closer("c")
            def mine(fd):
                seen(fd)
                assert not inner.closed or inner is not None   # closes over its own handle
            inner = libcurl.Easy(url=url, closesocketfunction=mine)
            inner.perform()
            return weakref.ref(inner)

        gone = make()
        collect()
        assert gone() is None
        assert names() == "c", closed
    """,
    "collected in a cycle, with a callback that libcurl calls while it closes": """
        easy.close()
        del closed[:]
        seen = []

        def make():
            entries = iter([("some.test", True, None), None])
            inner = libcurl.Easy(url=url, closesocketfunction=closer("c"))
            def write(entry, place):
                seen.append((entry[0], inner.closed))
            if "HSTS" in libcurl.version_info().features:
                inner.set(hsts_ctrl=libcurl.HSTS.ENABLE, hstsreadfunction=lambda: next(entries),
                          hstswritefunction=write)
            else:
                seen.append(("some.test", False))
            inner.perform()

        make()
        collect()
        assert names() == "c", closed
        assert seen == [("some.test", False)], seen
    """,
    "a subclass with a finalizer of its own": """
        easy.close()
        del closed[:]
        events = []

        class Mine(libcurl.Easy):
            def __init__(self, **options):
                super().__init__(**options)
                self.name = "mine"

            def __del__(self):
                events.append((self.name, self.closed))
                super().__del__()

        mine = Mine(url=url, closesocketfunction=closer("m"))
        mine.perform()
        del mine
        collect()
        assert events == [("mine", False)]
        assert names() == "m"
    """,
    "resurrected by a finalizer": """
        easy.close()
        del closed[:]
        kept = []

        class Mine(libcurl.Easy):
            def __del__(self):
                if not kept:
                    kept.append(self)

        mine = Mine(url=url, closesocketfunction=closer("m"))
        mine.perform()
        del mine
        collect()
        mine = kept[0]
        mine.perform()
        assert names() == ""
        mine.set(closesocketfunction=None)
        mine.close()
        assert names() == "m"
    """,
    "watched by a weak reference": """
        events = []
        gone = weakref.ref(easy, lambda ref: events.append("gone"))
        del easy
        collect()
        assert gone() is None and events == ["gone"]
        assert closed == [("a", fd)]
    """,
    "duplicated, the original closed first": """
        twin = easy.duphandle()
        easy.close()
        assert closed == [("a", fd)]
        twin.perform()
        assert closed == [("a", fd)]
        twin.close()
        assert names() == "aa"
    """,
    "duplicated, the original's closer replaced": """
        twin = easy.duphandle()
        easy.set(closesocketfunction=closer("b"))
        twin.perform()
        twin.close()
        assert names() == "a"
        easy.close()
        assert names() == "aa"
        assert closed[-1] == ("a", fd)
    """,
    "duplicated, all deleted": """
        twins = [easy.duphandle() for _ in range(5)]
        for twin in twins:
            twin.perform()
        del easy, twin, twins
        collect()
        assert names() == "aaaaaa"
        assert len(set(closed)) == 6
    """,
    "replaced inside its own opener": """
        easy.close()
        del closed[:]

        def opener(purpose, address):
            import socket
            inner.set(closesocketfunction=closer("late"))
            return socket.socket(address.family, address.socktype, address.protocol)

        inner = libcurl.Easy(url=url, opensocketfunction=opener)
        inner.set(closesocketfunction=closer("early"))
        inner.perform()
        collect()
        inner.set(opensocketfunction=None, fresh_connect=True)
        inner.perform()
        inner.close()
        assert sorted(name for name, _ in closed) == ["early", "late"]
    """,
    "set for the first time inside its own opener": """
        easy.close()
        del closed[:]

        def opener(purpose, address):
            import socket
            inner.set(closesocketfunction=closer("late"))
            return socket.socket(address.family, address.socktype, address.protocol)

        inner = libcurl.Easy(url=url, opensocketfunction=opener)
        inner.perform()
        inner.close()
        assert names() == ""  # the connection was made without one
    """,
    "unset inside its own opener": """
        easy.close()
        del closed[:]

        def opener(purpose, address):
            import socket
            inner.set(closesocketfunction=None)
            collect()
            return socket.socket(address.family, address.socktype, address.protocol)

        inner = libcurl.Easy(url=url, opensocketfunction=opener)
        inner.set(closesocketfunction=closer("early"))
        inner.perform()
        collect()
        inner.perform()
        inner.close()
        assert names() == "early"
    """,
    "replaced and unset inside a closer": """
        easy.close()
        del closed[:]

        def change(fd):
            closer("one")(fd)
            inner.set(closesocketfunction=closer("two"))
            inner.unset("closesocketfunction")
            collect()

        inner = libcurl.Easy(url=url, closesocketfunction=change, forbid_reuse=True)
        inner.perform()
        inner.perform()
        inner.close()
        assert names() == "one"
    """,
    "in use while it is called, for all that other threads drop": """
        from libcurl._native import lib
        from libcurl.connections import closers
        uses = []

        def close(fd):
            uses.extend(lib.sockets_booked(closer) for closer in closers)
            os.close(fd)

        with libcurl.Easy(url=url, closesocketfunction=close) as other:
            easy.close()
            other.perform()
        assert uses == [1], uses
    """,
    "closed inside its own closer": """
        easy.close()
        del closed[:]

        def change(fd):
            inner.close()
            closer("one")(fd)

        inner = libcurl.Easy(url=url, closesocketfunction=change)
        inner.perform()
        inner.close()
        assert inner.closed and names() == "one"
        inner = libcurl.Easy(url=url, closesocketfunction=change, forbid_reuse=True)
        try:
            inner.perform()
        except libcurl.Error as error:
            assert error.code == libcurl.Code.ABORTED_BY_CALLBACK
        assert inner.closed and names() == "oneone"
    """,
    "the last reference dropped inside its own callback": """
        easy.close()
        del closed[:]
        box = []

        def write(data):
            box.clear()
            collect()

        box.append(libcurl.Easy(url=url, closesocketfunction=closer("b"), writefunction=write))
        box[0].perform()
        collect()
        assert names() == "b"
    """,
    "performed in a thread and closed in another": """
        import threading
        inner = libcurl.Easy(url=url, closesocketfunction=closer("t"), fresh_connect=True)
        for act in (inner.perform, inner.perform, inner.close):
            thread = threading.Thread(target=act)
            thread.start()
            thread.join()
        assert names() == "tt"
        easy.close()
        assert names() == "tta"
    """,
    "deleted in a thread": """
        import threading
        box = [easy]
        del easy
        thread = threading.Thread(target=lambda: (box.clear(), collect()))
        thread.start()
        thread.join()
        collect()
        assert closed == [("a", fd)]
    """,
    "a connection that the server has closed": """
        easy.set(url=url + "silent-close")
        easy.perform()
        easy.set(url=url)
        easy.perform()
        assert names() == "a"
        easy.close()
        assert names() == "aa"
    """,
    "a closer that raises": """
        easy.close()
        del closed[:]

        def raising(fd):
            closer("r")(fd)
            raise ZeroDivisionError

        inner = libcurl.Easy(url=url, closesocketfunction=raising)
        inner.perform()
        try:
            inner.close()
        except ZeroDivisionError:
            closed.append(("raised", 0))
        assert names() == "rraised" and inner.closed
    """,
    "a constructor that fails": """
        easy.close()
        try:
            libcurl.Easy(url=url, closesocketfunction=closer("b"), timeout="nonsense")
        except TypeError:
            pass
        try:
            libcurl.Easy(closesocketfunction=closer("b"), nonsense=1)
        except TypeError:
            pass
    """,
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_closer_is_called_once_for_its_descriptor(http: Any, script: Any, story: str) -> None:
    import textwrap

    tail = "easy = inner = mine = twin = kept = None\n"
    code = BEGIN + textwrap.dedent(story) + tail + END
    done = script.run(code, http.url + "/")
    assert (done.returncode, done.stderr) == (0, ""), script_story(done, code)
    assert http.wait_idle(1), "the server still has connections"


def script_story(done: Any, code: str) -> str:
    return f"{code}\n{done.stdout}\n{done.stderr}"


ENDINGS = {
    "the end of the program": "",
    "sys.exit": "sys.exit(0)",
    "in a cycle": """
        class Box: pass
        box = Box()
        box.easy, box.self = easy, box
        del easy
    """,
    "a thread that still waits": """
        import threading, time
        other = libcurl.Easy(url=url + "slow?seconds=5")
        threading.Thread(target=other.perform, daemon=True).start()
        time.sleep(0.05)
    """,
    "a finalizer of the user's": """
        class Late:
            def __del__(self):
                print("late", easy.closed)
        late = Late()
    """,
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_interpreter_exit_calls_the_closer(http: Any, script: Any, ending: str) -> None:
    import textwrap

    told = """
import atexit
def tell(fd):
    print("closing", fd == descriptor, flush=True)
    os.close(fd)
easy.set(closesocketfunction=tell, fresh_connect=True)
easy.perform()
descriptor = easy.info.activesocket
"""
    done = script.run(BEGIN + told + textwrap.dedent(ending), http.url + "/")
    assert done.returncode == 0, done.stderr
    assert "closing True" in done.stdout
    assert done.stdout.count("closing") == 1
    assert done.stderr == ""
    http.clear()


def test_a_closer_that_raises_at_exit_is_shown(http: Any, script: Any) -> None:
    done = script.run(
        BEGIN
        + "easy.set(closesocketfunction=lambda fd: 1 / 0, fresh_connect=True)\neasy.perform()\n",
        http.url + "/",
    )
    assert done.returncode == 0
    assert done.stderr.count("ZeroDivisionError") == 1
    assert "Exception ignored in" in done.stderr


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.slow)])
def test_whatever_is_done_each_descriptor_is_closed_once_by_its_closer(
    http_process: Any, script: Any, count: int
) -> None:
    """Random stories; the model is a dict from descriptors to the closer set at the time."""
    script(
        """
        import os, random, socket, sys
        import libcurl
        from lifetime.watching import *

        url, count = sys.argv[1], int(sys.argv[2])
        ACTS = "perform perform perform set set unset reset fresh reuse drop dup".split()
        expected = {}                       # descriptor -> closer, for those that are open
        problems = []

        class Story:
            def __init__(self):
                self.easy = libcurl.Easy(url=url, opensocketfunction=self.open, timeout=10)
                self.name = None

            def open(self, purpose, address):
                sock = socket.socket(address.family, address.socktype, address.protocol)
                if sock.fileno() in expected and expected[sock.fileno()] is not None:
                    problems.append(f"{sock.fileno()} was closed behind the back of its closer")
                expected[sock.fileno()] = self.name
                return sock

            def closer(self, name):
                def close(fd):
                    if expected.pop(fd, "nothing") != name:
                        problems.append(f"{name} called for {fd}")
                    os.close(fd)
                return close

        random.seed(7)
        stories = [Story() for _ in range(6)]
        for number in range(count):
            story = random.choice(stories)
            easy = story.easy
            act = random.choice(ACTS)
            if act == "perform":
                easy.perform()
            elif act == "set":
                story.name = f"closer {number}"
                easy.set(closesocketfunction=story.closer(story.name))
            elif act == "unset":
                story.name = None
                easy.unset("closesocketfunction")
            elif act == "reset":
                story.name = None
                easy.reset()
                easy.set(url=url, opensocketfunction=story.open)
            elif act == "fresh":
                easy.set(fresh_connect=random.random() < 0.5)
            elif act == "reuse":
                easy.set(forbid_reuse=random.random() < 0.3)
            elif act == "dup":
                twin = Story()
                twin.easy.close()
                twin.easy, twin.name = easy.duphandle(), story.name
                twin.easy.set(opensocketfunction=twin.open)
                stories[stories.index(story)] = twin
                if random.random() < 0.5:
                    story.easy.close()
                del twin
            else:
                stories[stories.index(story)] = Story()
            del story, easy
            if number % 10 == 0:
                collect()
            assert problems == [], problems
        for story in stories:
            story.easy.close()
        del story, stories
        collect()
        assert problems == [], problems
        left = {fd: name for fd, name in expected.items() if name is not None}
        assert left == {}, left
        from libcurl.connections import closers
        assert not closers
        """,
        http_process.url + "/",
        count,
    )


FORK = (
    BEGIN
    + """
easy.set(cainfo=sys.argv[2] or None)
child = os.fork()
if child == 0:
    try:
        for use in (easy.perform, easy.duphandle, lambda: easy.set(url=url), lambda: easy.body,
                    lambda: easy.info.response_code, easy.upkeep, easy.reset):
            try:
                use()
            except RuntimeError as error:
                assert "before a fork" in str(error), error
            else:
                raise AssertionError(use)
        if sys.argv[3] == "close":
            easy.close()
            assert easy.closed
        elif sys.argv[3] == "delete":
            del easy
            collect()
        elif sys.argv[3] == "exit":
            sys.exit(0)
        assert closed == []
        # A handle of the child's own works as ever.
        cainfo = sys.argv[2] or None
        with libcurl.Easy(url=url, cainfo=cainfo, closesocketfunction=closer("c")) as own:
            assert own.fetch() == b"hello"
        assert names() == "c"
    except SystemExit:
        raise
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert easy.fetch() == b"hello"
assert easy.info.num_connects == 0   # over the very connection
assert closed == []
easy.close()
assert closed == [("a", fd)]
"""
)


@pytest.mark.parametrize("end", ["close", "delete", "exit", "leave"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_forked_child_leaves_the_parents_connection_alone(
    http: Any, https: Any, ca: Authority, script: Any, end: str, tls: bool
) -> None:
    server = https if tls else http
    code = FORK
    if tls:
        code = code.replace(
            "easy = libcurl.Easy(url=url,", "easy = libcurl.Easy(url=url, cainfo=sys.argv[2],"
        )
    done = script.run(code, server.url + "/", ca.cert if tls else "", end)
    assert (done.returncode, done.stderr) == (0, "")
