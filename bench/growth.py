"""How it grows: with concurrent transfers, the size of bodies, headers, threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from measure import Sample, interleaved, medians, progress
from server import HEADERS, OWN_HEADERS

if TYPE_CHECKING:
    from run import Bench

CONCURRENT = (10, 100, 1_000, 10_000)
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
THREADS = (1, 2, 4, 8)
#: No more than this is transferred for one point.
BYTES_MOST = 500_000_000
ROUNDS = 3

#: {client: {x: what was taken there}}
Curves = dict[str, dict[int, Any]]


def measure(bench: Bench) -> dict[str, Curves]:
    """All of them."""
    url, requests = bench.server.url, 1_000 if bench.quick else 5_000
    small = f"{url}/bytes/100"
    concurrent = [
        (n, small, max(n, requests), n) for n in CONCURRENT if not bench.quick or n < 10_000
    ]
    sizes = [
        (size, url + bench.server.file(size), max(1, min(requests, BYTES_MOST // size)), 0)
        for size in SIZES
        if not bench.quick or size < 1_000_000_000
    ]
    headers = [(n + OWN_HEADERS, f"{url}/headers/{n}", requests // 5, 0) for n in HEADERS]
    threads = [(n, small, requests * 2, n) for n in THREADS]
    return {
        "concurrent": curves(bench, "g", concurrent, "c native dropin pycurl"),
        "asyncio": curves(bench, "h", concurrent, "c native dropin pycurl aiohttp"),
        "size": curves(bench, "c", sizes, "c native dropin pycurl aiohttp requests"),
        "headers": curves(bench, "e-lines", headers, "c native dropin pycurl"),
        "threads": curves(bench, "i", threads, "c native dropin pycurl requests"),
    }


def curves(bench: Bench, job: str, points: list[tuple[int, str, int, int]], names: str) -> Curves:
    """One curve for each client: time per request, and memory, at each point."""
    clients = [
        name for name in names.split() if name in bench.clients and bench.runner.can(name, job)
    ]
    found: Curves = {client: {} for client in clients}
    for x, url, count, parameter in points:
        progress(f"growth of job {job}: {x:,}")

        def once(client: str, url: str = url, count: int = count, n: int = parameter) -> Sample:
            if client in ("requests", "aiohttp"):
                count = max(1, n, count // 4)
            return bench.runner.once(client, job, url, count, n)

        for client, taken in interleaved(clients, 1 if bench.quick else ROUNDS, once).items():
            found[client][x] = medians(taken, ("wall", "cpu", "added"))
    return found
