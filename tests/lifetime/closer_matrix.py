"""Who closes a descriptor, when its handle, its closer and its cache have gone all their ways.

A combination is a protocol, the cache that a connection is in, what becomes of the easy handle that made
it, and what then ends the connection. Each is run, and held to one law: a descriptor that the opener has
opened is closed by the closer that was set when its connection was made, once, and nothing else is.

As a program: closer_matrix.py URLS [SLICE], the URLs by protocol as JSON; SLICE is 1/3 for every third of
them. It prints what it is at, for the case that it crashes.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from servers.descriptors import described_fds, settle

from libcurl import CURL_WRITEFUNC_PAUSE, Easy, LockData, Multi, Share
from libcurl.raw import LOADED

CACHES = ("private", "multi", "share", "multi+share")
STATES = (
    "alive",
    "removed",
    "attached",
    "closed",
    "deleted",
    "collected",
    "reset",
    "unset",
    "replaced",
)
ENDS = ("maxconnects", "age", "forbid_reuse", "destroyed", "other thread", "reused")

#: TLS connections are shut down later, from 8.10.
DEFERS_TLS = LOADED >= (8, 10)


def collect() -> None:
    """Let everything go that nobody refers to."""
    for _ in range(4):
        gc.collect()


class Book:
    """The descriptors of one combination."""

    def __init__(self) -> None:
        self.open: dict[int, tuple[int, str | None]] = {}  # inode, name of the closer
        self.problems: list[str] = []
        self.opened = 0

    def opener(self, wanted: list[str | None]) -> Callable[[int, Any], int]:
        """Sockets that the closer named by `wanted` is to close; None: libcurl itself."""

        def open_socket(purpose: int, address: Any) -> int:
            made = socket.socket(address.family, address.socktype, address.protocol)
            fd = made.detach()
            if self.open.pop(fd, (0, None))[1] is not None:
                self.problems.append(f"{fd} was closed behind our back")
            self.open[fd] = os.fstat(fd).st_ino, wanted[0]
            self.opened += 1
            return fd

        return open_socket

    def closer(self, name: str) -> Callable[[int], None]:
        """A closer that sees to it that it closes what it is to close."""

        def close_socket(fd: int) -> None:
            inode, wanted = self.open.pop(fd, (0, ""))
            if not inode:
                self.problems.append(f"{name} was to close {fd}, which is not open")
            elif inode != os.fstat(fd).st_ino:
                self.problems.append(f"{name} was to close {fd}, which is another by now")
            elif wanted != name:
                self.problems.append(f"{name} was to close {fd}, which is {wanted}'s")
            os.close(fd)

        return close_socket

    def left(self) -> list[str]:
        """What is open still."""
        found = []
        for fd, (inode, wanted) in self.open.items():
            with contextlib.suppress(OSError):
                if os.fstat(fd).st_ino == inode:
                    found.append(f"{fd} of {wanted} is open")
                    continue
            if wanted is not None:
                found.append(f"{fd} of {wanted} was closed without it")
        return found


class Combination:
    """One of them, in steps: `run` yields where time is to pass."""

    def __init__(self, protocol: str, cache: str, state: str, end: str, url: str) -> None:
        self.name = f"{protocol}, {cache}, {state}, {end}"
        self.protocol, self.cache, self.state, self.end, self.url = protocol, cache, state, end, url
        self.elsewhere = url.replace("127.0.0.1", "localhost")
        self.book = Book()

    def run(self) -> Iterator[None]:
        self.multi = Multi(maxconnects=1) if "multi" in self.cache else None
        self.share = Share(LockData.CONNECT) if "share" in self.cache else None
        self.wanted: list[str | None] = ["first"]
        self.holder: list[object] = []
        self.easy: Easy | None = self.new("first", self.wanted, self.url, self.holder)
        if self.end == "forbid_reuse":
            self.easy.set(forbid_reuse=True, writefunction=self.meddle())
        try:
            self.transfer(self.easy)
            if self.end == "age":
                yield
            if self.end != "forbid_reuse":
                self.change()
                self.finish()
        finally:
            self.tear_down()
        self.check("in the end")

    def new(
        self, name: str, wanted: list[str | None], url: str, holder: list[object] | None = None
    ) -> Easy:
        opener = self.book.opener(wanted)
        easy = Easy(
            url=url,
            opensocketfunction=lambda *args, _holder=holder: opener(*args),
            closesocketfunction=self.book.closer(name),
            ssl_verifypeer=False,
            timeout=20,
        )
        if self.share is not None:
            easy.set(share=self.share)
        return easy

    # The transfer

    def transfer(self, easy: Easy) -> None:
        """Do it in the cache; what fails is of no interest but to the law."""
        if self.multi is None:
            with contextlib.suppress(Exception):
                easy.perform()
            return
        self.multi.add(easy)
        if self.state == "attached":
            while self.multi.perform():
                self.multi.poll(1000)
            self.multi.info_read()
        elif self.state == "removed":
            while self.multi.perform() and not self.holder:
                self.multi.poll(1000)
            self.multi.remove(easy)
        else:
            del easy
            if self.state in ("deleted", "collected") and self.end == "forbid_reuse":
                self.forget()
            for _ in self.multi.run():
                pass

    def meddle(self) -> Callable[[bytes], int | None]:
        """A write callback that changes things in the middle of the transfer."""
        done: list[bool] = self.holder if self.state == "removed" else []  # type: ignore[assignment]

        def write(data: bytes) -> int | None:
            if not done:
                done.append(True)
                if self.state == "removed":
                    return CURL_WRITEFUNC_PAUSE
                with contextlib.suppress(RuntimeError):  # reset
                    self.change()
            return None

        return write

    # What becomes of the handle

    def change(self) -> None:
        easy, state = self.easy, self.state
        if easy is None:
            return
        if state == "closed":
            easy.close()
        elif state == "unset":
            easy.set(closesocketfunction=None)
            self.wanted = [None]
        elif state == "replaced":
            easy.set(closesocketfunction=self.book.closer("second"))
            self.wanted = ["second"]
        elif state == "reset":
            easy.reset()
        elif state in ("deleted", "collected") and self.end != "forbid_reuse":
            del easy
            self.forget()

    def forget(self) -> None:
        if self.state == "collected":
            self.holder.append(self.easy)  # which refers to it
        self.easy = None
        self.holder = []
        collect()

    # What ends the connection

    def finish(self) -> None:
        usable = self.easy is not None and not self.easy.closed
        if self.cache == "private" and not usable:
            self.check("when the handle was gone")
            return
        if self.end in ("destroyed", "other thread"):
            if self.end == "destroyed":
                self.tear_down()
            else:
                thread = threading.Thread(target=self.tear_down)
                thread.start()
                thread.join()
            self.check("when the cache was gone")
            return
        url = self.elsewhere if self.end == "maxconnects" else self.url
        if self.cache == "private":
            other = self.easy
            assert other is not None
            wanted = self.wanted if self.state in ("unset", "replaced") else ["first"]
            if self.state == "reset":
                wanted = [None]
                other.set(ssl_verifypeer=False)
            other.set(opensocketfunction=self.book.opener(wanted), url=url)
        else:
            wanted = ["other"]
            other = self.new("other", wanted, url)
        if self.end == "reused":
            wanted[0] = "first"
        elif self.end == "age":
            other.set(maxage_conn=1)
        else:
            time.sleep(0.003)
            other.set(maxconnects=1)
        before, old = self.book.opened, dict(self.book.open)
        if self.multi is None:
            other.perform()
        else:
            if other._multi is self.multi:
                self.multi.remove(other)
            self.multi.add(other)
            if self.state in ("attached", "removed"):
                while self.multi.perform():
                    self.multi.poll(1000)
                self.multi.info_read()
            else:
                ((_, error),) = self.multi.run()
                if error:
                    raise error
        if self.end == "reused":
            if self.book.opened > before + (self.protocol == "ftp"):
                self.book.problems.append("the connection was not used again")
        elif not (self.protocol == "https" and DEFERS_TLS):
            kept = [fd for fd, was in old.items() if self.book.open.get(fd) == was]
            self.book.problems += [f"{fd} was not closed by {self.end}" for fd in kept]
        if other is not self.easy:
            other.close()

    def tear_down(self) -> None:
        multi, share, easy = self.multi, self.share, self.easy
        self.multi = self.share = self.easy = None
        if share is not None and multi is not None and self.state == "attached":
            for handle in multi:
                multi.remove(handle)
        if multi is not None and share is None:
            multi.close()
        if easy is not None:
            easy.close()
        if multi is not None:
            multi.close()
        collect() if self.state in ("deleted", "collected") else None
        if share is not None:
            share.close()

    def check(self, when: str) -> None:
        found = self.book.problems + self.book.left()
        if not self.book.opened:
            found.append("nothing was opened")
        self.book.open.clear()
        self.book.problems.clear()
        self.book.opened += 0
        if found:
            raise AssertionError(f"{when}: {found}")


def combinations(urls: dict[str, str]) -> Iterator[Combination]:
    """All of them; only a multi has a handle attached or removed."""
    for protocol, cache, state, end in itertools.product(urls, CACHES, STATES, ENDS):
        if state in ("attached", "removed") and "multi" not in cache:
            continue
        yield Combination(protocol, cache, state, end, urls[protocol])


def main(urls: dict[str, str], part: str = "1/1") -> None:
    first, every = map(int, part.split("/"))
    chosen = list(combinations(urls))[first - 1 :: every]
    settle()
    before = described_fds()
    failed = 0
    waiting: list[tuple[Combination, Iterator[None], float]] = []
    chosen.sort(key=lambda combination: combination.end != "age")

    def step(combination: Combination, steps: Iterator[None]) -> None:
        nonlocal failed
        print("at", combination.name, flush=True)
        try:
            if next(steps, "end") is None:
                waiting.append((combination, steps, time.monotonic() + 2.1))
        except Exception as error:
            failed += 1
            print("FAILED", combination.name, type(error).__name__, error, flush=True)

    for combination in chosen:
        step(combination, combination.run())
    while waiting:
        combination, steps, due = waiting.pop(0)
        time.sleep(max(0, due - time.monotonic()))
        step(combination, steps)
        del combination, steps
    chosen.clear()
    collect()
    settle()
    left = described_fds()
    from libcurl.connections import closers
    from libcurl.registry import handles

    assert len(left) == len(before), dict(left.items() - before.items())
    assert not closers, f"{len(closers)} closers are left"
    assert not handles, f"{len(handles)} handles are left"
    print(f"{failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), *sys.argv[2:])
