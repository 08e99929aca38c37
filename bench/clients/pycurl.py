"""pycurl; with clients/dropin.py, this library's drop-in for it."""

from __future__ import annotations

import os
import socket
import sys
from io import BytesIO
from typing import Any

import pycurl

from .harness import (
    AGENT,
    AT_A_TIME,
    REFERER,
    THREADS,
    UPLOAD,
    calls,
    main,
    resident,
    spinning,
    threads,
)


def new(url: str) -> Any:
    """A Curl with what all jobs set."""
    c = pycurl.Curl()
    c.setopt(pycurl.URL, url)
    c.setopt(pycurl.USERAGENT, AGENT)
    return c


def get(url: str, count: int) -> int:
    """Small GETs over one connection."""
    received = 0
    c = new(url)
    for _ in range(count):
        received += len(c.perform_rb())
    c.close()
    return received


def options(url: str, count: int, _: int) -> int:
    """Reset and ten options per request."""
    received = 0
    c = pycurl.Curl()
    for _ in range(count):
        c.reset()
        c.setopt(pycurl.URL, url)
        c.setopt(pycurl.USERAGENT, AGENT)
        c.setopt(pycurl.REFERER, REFERER)
        c.setopt(pycurl.TIMEOUT_MS, 30000)
        c.setopt(pycurl.CONNECTTIMEOUT_MS, 5000)
        c.setopt(pycurl.FOLLOWLOCATION, True)
        c.setopt(pycurl.MAXREDIRS, 5)
        c.setopt(pycurl.NOSIGNAL, True)
        c.setopt(pycurl.TCP_KEEPALIVE, True)
        c.setopt(pycurl.FAILONERROR, True)
        received += len(c.perform_rb())
    c.close()
    return received


def file(url: str, count: int, _: int) -> int:
    """A large body into a file."""
    received = 0
    name = f"bench-{os.getpid()}"
    c = new(url)
    for _ in range(count):
        with open(name, "wb") as target:
            c.setopt(pycurl.WRITEDATA, target)
            c.perform()
            received += target.tell()
    c.close()
    os.unlink(name)
    return received


def upload(url: str, count: int, _: int) -> int:
    """A large body from bytes."""
    data = b"x" * UPLOAD
    c = new(url)
    c.setopt(pycurl.UPLOAD, True)
    c.setopt(pycurl.HTTPHEADER, ["Expect:"])
    c.setopt(pycurl.INFILESIZE_LARGE, UPLOAD)
    c.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    for _ in range(count):
        c.setopt(pycurl.READDATA, BytesIO(data))
        c.perform()
    c.close()
    return UPLOAD * count


def header_lines(url: str, count: int, _: int) -> dict[str, int]:
    """Each header line to a callback."""
    lines = received = 0

    def line(data: bytes) -> None:
        nonlocal lines
        lines += 1

    c = new(url)
    c.setopt(pycurl.HEADERFUNCTION, line)
    for _ in range(count):
        received += len(c.perform_rb())
    c.close()
    return {"bytes": received, "lines": lines}


def connections(url: str, count: int, _: int) -> int:
    """A new connection per request, three callbacks."""

    def opener(purpose: int, address: Any) -> socket.socket:
        family, socktype, protocol, _ = address
        return socket.socket(family, socktype, protocol)

    def closer(fd: int) -> int:
        os.close(fd)
        return 0

    received = 0
    c = new(url)
    c.setopt(pycurl.FORBID_REUSE, True)
    c.setopt(pycurl.OPENSOCKETFUNCTION, opener)
    c.setopt(pycurl.SOCKOPTFUNCTION, lambda fd, purpose: 0)
    c.setopt(pycurl.CLOSESOCKETFUNCTION, closer)
    for _ in range(count):
        received += len(c.perform_rb())
    c.close()
    return received


def many(url: str, count: int, at_a_time: int, **more: int) -> int:
    """So many at a time, with CurlMulti."""
    received = 0
    m = pycurl.CurlMulti()
    started = min(count, at_a_time or AT_A_TIME)
    bodies: dict[Any, BytesIO] = {}

    def start(c: Any) -> None:
        bodies[c] = BytesIO()
        c.setopt(pycurl.WRITEDATA, bodies[c])
        m.add_handle(c)

    for _ in range(started):
        c = new(url)
        for name, value in more.items():
            c.setopt(getattr(pycurl, name), value)
        start(c)
    running = 1
    while running:
        running = m.perform()[1]
        queued = 1
        while queued:
            queued, good, bad = m.info_read()
            assert not bad, bad
            for c in good:
                received += len(bodies.pop(c).getvalue())
                m.remove_handle(c)
                if started < count:
                    started += 1
                    start(c)
                    running = 1
        if running:
            m.select(1.0)
    m.close()
    return received


def asyncio(url: str, count: int, at_a_time: int, **more: int) -> int:
    """So many tasks at a time, under asyncio."""
    import asyncio

    at_a_time = at_a_time or AT_A_TIME

    async def worker(multi: Any, number: int) -> int:
        received = 0
        c = new(url)
        for name, value in more.items():
            c.setopt(getattr(pycurl, name), value)
        for _ in range(number):
            body = BytesIO()
            c.setopt(pycurl.WRITEDATA, body)
            await multi.perform(c)
            received += len(body.getvalue())
        return received

    async def all_of_them() -> int:
        async with pycurl.AsyncCurlMulti() as multi:
            workers = [worker(multi, count // at_a_time) for _ in range(at_a_time)]
            return sum(await asyncio.gather(*workers))

    return asyncio.run(all_of_them())


def whole(url: str, count: int, _: int) -> int:
    """A handle, and so a connection, for each request."""
    received = 0
    for _ in range(count):
        c = new(url)
        c.setopt(pycurl.HTTPHEADER, ["Accept: */*", "X-Bench: yes"])
        c.setopt(pycurl.FOLLOWLOCATION, True)
        c.setopt(pycurl.MAXREDIRS, 5)
        c.setopt(pycurl.CONNECTTIMEOUT_MS, 5000)
        c.setopt(pycurl.TIMEOUT_MS, 30000)
        c.setopt(pycurl.NOSIGNAL, True)
        received += len(c.perform_rb())
        assert c.getinfo(pycurl.RESPONSE_CODE) == 200
        assert c.getinfo(pycurl.TOTAL_TIME) > 0
        c.close()
    return received


def idle(_: str, count: int, __: int) -> dict[str, int]:
    """Handles that do nothing."""
    pycurl.Curl().close()
    before = resident()
    handles = [pycurl.Curl() for _ in range(count)]
    kept = resident() - before
    sys.stdout.flush()
    del handles
    return {"bytes": 0, "kept": kept}


JOBS: dict[str, Any] = {
    "a": lambda url, count, _: get(url, count),
    "b": options,
    "c": lambda url, count, _: get(url, count),
    "d-file": file,
    "d-upload": upload,
    "e-lines": header_lines,
    "f": connections,
    "g": many,
    "h": asyncio,
    "h2": lambda url, count, n: asyncio(
        url, count, n, HTTP_VERSION=4, PIPEWAIT=1, SSL_VERIFYPEER=0
    ),
    "i": lambda url, count, n: threads(get, url, count, n or THREADS),
    "j": lambda url, count, _: spinning(get, url, count),
    "k": idle,
    **calls(
        lambda: {
            "new": pycurl.Curl,
            "number": pycurl.MAXREDIRS,
            "text": pycurl.USERAGENT,
            "lines": pycurl.HTTPHEADER,
            "info": pycurl.RESPONSE_CODE,
        }
    ),
    "m-request": whole,
    "n": lambda url, count, n: many(url, count, n, FRESH_CONNECT=1, FORBID_REUSE=1),
}

if __name__ == "__main__":
    main(JOBS)
