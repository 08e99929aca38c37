"""aiohttp, with a ClientSession."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from .harness import AGENT, AT_A_TIME, main


def get(url: str, count: int, at_a_time: int) -> int:
    """So many tasks at a time."""
    at_a_time = at_a_time or AT_A_TIME

    async def worker(session: aiohttp.ClientSession, number: int) -> int:
        received = 0
        for _ in range(number):
            async with session.get(url) as response:
                received += len(await response.read())
        return received

    async def all_of_them() -> int:
        connector = aiohttp.TCPConnector(limit=at_a_time)
        async with aiohttp.ClientSession(
            connector=connector, headers={"User-Agent": AGENT}
        ) as session:
            workers = [worker(session, count // at_a_time) for _ in range(at_a_time)]
            return sum(await asyncio.gather(*workers))

    return asyncio.run(all_of_them())


JOBS: dict[str, Any] = {
    "a": lambda url, count, _: get(url, count, 1),
    "c": lambda url, count, _: get(url, count, 1),
    "h": get,
}

if __name__ == "__main__":
    main(JOBS)
