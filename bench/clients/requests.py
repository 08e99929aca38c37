"""requests, with a Session."""

from __future__ import annotations

from typing import Any

import requests

from .harness import AGENT, THREADS, main, threads


def get(url: str, count: int) -> int:
    """GETs over one connection."""
    received = 0
    with requests.Session() as session:
        session.trust_env = False
        session.headers["User-Agent"] = AGENT
        for _ in range(count):
            received += len(session.get(url).content)
    return received


JOBS: dict[str, Any] = {
    "a": lambda url, count, _: get(url, count),
    "c": lambda url, count, _: get(url, count),
    "i": lambda url, count, n: threads(get, url, count, n or THREADS),
}

if __name__ == "__main__":
    main(JOBS)
