"""httpx, with a Client."""

from __future__ import annotations

from typing import Any

import httpx

from .harness import AGENT, AT_A_TIME, THREADS, main, threads

OPTIONS: dict[str, Any] = {
    "headers": {"User-Agent": AGENT},
    "trust_env": False,
    "verify": False,
    "timeout": None,
}


def get(url: str, count: int) -> int:
    """GETs over one connection."""
    received = 0
    with httpx.Client(**OPTIONS) as client:
        for _ in range(count):
            received += len(client.get(url).content)
    return received


def asyncio(url: str, count: int, at_a_time: int, http2: bool = False) -> int:
    """So many tasks at a time, under asyncio."""
    import asyncio

    at_a_time = at_a_time or AT_A_TIME

    async def worker(client: httpx.AsyncClient, number: int) -> int:
        return sum([len((await client.get(url)).content) for _ in range(number)])

    async def all_of_them() -> int:
        limits = httpx.Limits(max_connections=at_a_time)
        async with httpx.AsyncClient(**OPTIONS, limits=limits, http2=http2) as client:
            workers = [worker(client, count // at_a_time) for _ in range(at_a_time)]
            return sum(await asyncio.gather(*workers))

    return asyncio.run(all_of_them())


JOBS: dict[str, Any] = {
    "a": lambda url, count, _: get(url, count),
    "c": lambda url, count, _: get(url, count),
    "h": asyncio,
    "h2": lambda url, count, n: asyncio(url, count, n, http2=True),
    "i": lambda url, count, n: threads(get, url, count, n or THREADS),
}

if __name__ == "__main__":
    main(JOBS)
