"""urllib3, with a PoolManager."""

from __future__ import annotations

from typing import Any

import urllib3

from .harness import AGENT, THREADS, main, threads


def get(url: str, count: int) -> int:
    """GETs over one connection."""
    received = 0
    with urllib3.PoolManager(headers={"User-Agent": AGENT}) as pool:
        for _ in range(count):
            received += len(pool.request("GET", url).data)
    return received


JOBS: dict[str, Any] = {
    "a": lambda url, count, _: get(url, count),
    "c": lambda url, count, _: get(url, count),
    "i": lambda url, count, n: threads(get, url, count, n or THREADS),
}

if __name__ == "__main__":
    main(JOBS)
