"""This library's native face."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import libcurl

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

#: HTTP/2 where TLS says so, and over one connection.
H2 = {"http_version": 4, "pipewait": True, "ssl_verifypeer": False}


def get(url: str, count: int) -> int:
    """Small GETs over one connection."""
    received = 0
    with libcurl.Easy(url=url, useragent=AGENT) as easy:
        for _ in range(count):
            received += len(easy.fetch())
    return received


def options(url: str, count: int, _: int) -> int:
    """Reset and ten options per request."""
    received = 0
    with libcurl.Easy() as easy:
        for _ in range(count):
            easy.reset()
            easy.set(
                url=url,
                useragent=AGENT,
                referer=REFERER,
                timeout_ms=30000,
                connecttimeout_ms=5000,
                followlocation=True,
                maxredirs=5,
                nosignal=True,
                tcp_keepalive=True,
                failonerror=True,
            )
            received += len(easy.fetch())
    return received


def file(url: str, count: int, _: int) -> int:
    """A large body into a file."""
    received = 0
    name = f"bench-{os.getpid()}"
    with libcurl.Easy(url=url, useragent=AGENT) as easy:
        for _ in range(count):
            received += easy.download(name)
    os.unlink(name)
    return received


def upload(url: str, count: int, _: int) -> int:
    """A large body from bytes."""
    data = b"x" * UPLOAD
    with libcurl.Easy(url=url, useragent=AGENT, upload=True, httpheader=["Expect:"]) as easy:
        for _ in range(count):
            easy.set(readdata=data)
            easy.perform()
    return UPLOAD * count


def header_lines(url: str, count: int, _: int) -> dict[str, int]:
    """Each header line to a callback."""
    lines = received = 0

    def line(data: bytes) -> None:
        nonlocal lines
        lines += 1

    with libcurl.Easy(url=url, useragent=AGENT, headerfunction=line) as easy:
        for _ in range(count):
            received += len(easy.fetch())
    return {"bytes": received, "lines": lines}


def header_mapping(url: str, count: int, _: int) -> dict[str, int]:
    """The parsed mapping."""
    lines = received = 0
    with libcurl.Easy(url=url, useragent=AGENT) as easy:
        for _ in range(count):
            received += len(easy.fetch())
            lines += len(easy.headers)
    return {"bytes": received, "lines": lines}


def open_socket(purpose: int, address: Any) -> socket.socket:
    """An opener as anybody would write it."""
    return socket.socket(address.family, address.socktype, address.protocol)


def connections(url: str, count: int, _: int, policy: bool = False) -> int:
    """A new connection per request, three callbacks."""
    callbacks: dict[str, Any] = {
        "opensocketfunction": open_socket,
        "sockoptfunction": lambda fd, purpose: 0,
        "closesocketfunction": os.close,
    }
    if policy:
        from libcurl.sockets import AddressPolicy, Callbacks, allow

        public = AddressPolicy.public_only(allow("127.0.0.1"))
        callbacks = {"sockets": public | Callbacks(**callbacks)}
    received = 0
    with libcurl.Easy(url=url, useragent=AGENT, forbid_reuse=True, **callbacks) as easy:
        for _ in range(count):
            received += len(easy.fetch())
    return received


def many(url: str, count: int, at_a_time: int, **more: Any) -> int:
    """So many at a time, with Multi.run()."""
    received = 0
    with libcurl.Multi() as multi:
        started = min(count, at_a_time or AT_A_TIME)
        for _ in range(started):
            multi.add(libcurl.Easy(url=url, useragent=AGENT, **more))
        for easy, error in multi.run():
            if error:
                raise error
            received += len(easy.body)
            if started < count:
                started += 1
                multi.add(easy)
    return received


def asyncio(url: str, count: int, at_a_time: int, **more: Any) -> int:
    """So many tasks at a time, under asyncio."""
    import asyncio

    import libcurl.aio

    at_a_time = at_a_time or AT_A_TIME

    async def worker(multi: Any, number: int) -> int:
        received = 0
        easy = libcurl.Easy(url=url, useragent=AGENT, **more)
        for _ in range(number):
            await multi.perform(easy)
            received += len(easy.body)
        return received

    async def all_of_them() -> int:
        async with libcurl.aio.AsyncMulti() as multi:
            workers = [worker(multi, count // at_a_time) for _ in range(at_a_time)]
            return sum(await asyncio.gather(*workers))

    return asyncio.run(all_of_them())


def idle(_: str, count: int, __: int) -> dict[str, int]:
    """Handles that do nothing."""
    libcurl.Easy().close()
    before = resident()
    handles = [libcurl.Easy() for _ in range(count)]
    kept = resident() - before
    sys.stdout.flush()
    del handles
    return {"bytes": 0, "kept": kept}


def memory(url: str, count: int, _: int) -> int:
    """Large bodies into memory."""
    received = 0
    with libcurl.Easy(url=url, useragent=AGENT) as easy:
        for _ in range(count):
            received += len(easy.fetch())
    return received


JOBS: dict[str, Any] = {
    "a": lambda url, count, _: get(url, count),
    "b": options,
    "c": memory,
    "d-file": file,
    "d-upload": upload,
    "e-lines": header_lines,
    "e-mapping": header_mapping,
    "f": connections,
    "f-policy": lambda url, count, n: connections(url, count, n, policy=True),
    "g": many,
    "h": asyncio,
    "h2": lambda url, count, n: asyncio(url, count, n, **H2),
    "i": lambda url, count, n: threads(get, url, count, n or THREADS),
    "j": lambda url, count, _: spinning(get, url, count),
    "k": idle,
    **calls(
        lambda: {
            "new": libcurl.Easy,
            "number": libcurl.Opt.MAXREDIRS,
            "text": libcurl.Opt.USERAGENT,
            "lines": libcurl.Opt.HTTPHEADER,
            "info": libcurl.Info.RESPONSE_CODE,
        }
    ),
    "n": lambda url, count, n: many(url, count, n, fresh_connect=True, forbid_reuse=True),
}

if __name__ == "__main__":
    main(JOBS)
