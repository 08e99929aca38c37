"""curl_cffi, which brings a libcurl of its own, with a Session."""

from __future__ import annotations

from typing import Any

from curl_cffi import requests

from .harness import AGENT, AT_A_TIME, THREADS, main, threads

OPTIONS: dict[str, Any] = {"headers": {"User-Agent": AGENT}, "verify": False}


def get(url: str, count: int) -> int:
    """GETs over one connection."""
    received = 0
    with requests.Session(**OPTIONS) as session:
        for _ in range(count):
            received += len(session.get(url).content)
    return received


def asyncio(url: str, count: int, at_a_time: int) -> int:
    """So many tasks at a time, under asyncio."""
    import asyncio

    at_a_time = at_a_time or AT_A_TIME

    async def worker(session: Any, number: int) -> int:
        return sum([len((await session.get(url)).content) for _ in range(number)])

    async def all_of_them() -> int:
        async with requests.AsyncSession(**OPTIONS, max_clients=at_a_time) as session:
            workers = [worker(session, count // at_a_time) for _ in range(at_a_time)]
            return sum(await asyncio.gather(*workers))

    return asyncio.run(all_of_them())


JOBS: dict[str, Any] = {
    "a": lambda url, count, _: get(url, count),
    "c": lambda url, count, _: get(url, count),
    "h": asyncio,
    "h2": asyncio,
    "i": lambda url, count, n: threads(get, url, count, n or THREADS),
}

if __name__ == "__main__":
    main(JOBS)
