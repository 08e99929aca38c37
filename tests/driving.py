"""The ways to drive a multi, for tests that hold them to the same results."""

from __future__ import annotations

import contextlib
import select
import selectors
import time
from collections.abc import Callable

from libcurl import Easy, Multi, Poll

Results = list[tuple[Easy, "BaseException | None"]]


def by_run(multi: Multi) -> Results:
    """The short way."""
    return list(multi.run())


def by_portable_run(multi: Multi) -> Results:
    """The same as on a system without epoll."""
    multi._handle.portable = True
    return list(multi.run())


def by_step(multi: Multi) -> Results:
    """As an event loop does that watches one descriptor."""
    results = []
    poll = select.poll()
    poll.register(multi.fileno(), select.POLLIN)
    while len(multi):
        assert poll.poll(10_000), "the multi has nothing more to do, and transfers in it"
        results += multi.step()
    return results


def by_perform(multi: Multi) -> Results:
    """libcurl's own way."""
    results: Results = []
    while multi.perform():
        multi.poll(10_000)
        results += taken(multi)
    return results + taken(multi)


def taken(multi: Multi) -> Results:
    """What has finished, out of the multi."""
    results = multi.info_read()
    for easy, _ in results:
        if easy in multi:
            multi.remove(easy)
    return results


class Loop:
    """An event loop of a user's own, on libcurl's socket and timer callbacks."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.deadline: float | None = None
        self.told: list[tuple[int, int]] = []

    def watch(self, easy: Easy | None, fd: int, what: int, assigned: object) -> None:
        self.told.append((fd, what))
        with contextlib.suppress(KeyError):
            self.selector.unregister(fd)
        if what in (Poll.IN, Poll.OUT, Poll.INOUT):
            self.selector.register(fd, what)  # IN and OUT are 1 and 2 for both

    def time(self, milliseconds: int) -> None:
        self.deadline = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def turn(self, multi: Multi, seconds: float = 10) -> int:
        """Wait for something to happen, and tell the multi; how many transfers run."""
        if self.deadline is not None:
            seconds = min(seconds, max(0, self.deadline - time.monotonic()))
        running = 1
        for key, mask in self.selector.select(seconds):
            running = multi.socket_action(key.fd, mask)
        if self.deadline is not None and self.deadline <= time.monotonic():
            self.deadline = None
            running = multi.socket_action()
        return running

    def drive(self, multi: Multi) -> Results:
        results: Results = []
        running = multi.socket_action()
        while running:
            running = self.turn(multi)
            results += taken(multi)
        return results + taken(multi)


def by_socket_action(multi: Multi) -> Results:
    """With an event loop of one's own."""
    loop = Loop()
    multi.set(socketfunction=loop.watch, timerfunction=loop.time)
    try:
        return loop.drive(multi)
    finally:
        loop.selector.close()


WAYS = [by_run, by_portable_run, by_step, by_perform, by_socket_action]
Drive = Callable[[Multi], Results]
