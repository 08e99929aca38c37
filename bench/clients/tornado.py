"""Tornado's HTTP client on pycurl."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.curl_httpclient import CurlAsyncHTTPClient

from .harness import AGENT, AT_A_TIME, main


def get(url: str, count: int, at_a_time: int) -> int:
    """So many tasks at a time."""
    at_a_time = at_a_time or AT_A_TIME

    async def worker(client: Any, number: int) -> int:
        received = 0
        for _ in range(number):
            received += len((await client.fetch(url, user_agent=AGENT)).body)
        return received

    async def all_of_them() -> int:
        client = CurlAsyncHTTPClient(max_clients=at_a_time)
        workers = [worker(client, count // at_a_time) for _ in range(at_a_time)]
        try:
            return sum(await asyncio.gather(*workers))
        finally:
            client.close()

    return asyncio.run(all_of_them())


JOBS: dict[str, Any] = {"h": get}

if __name__ == "__main__":
    main(JOBS)
