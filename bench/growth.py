"""How it grows: with concurrent transfers, the size of bodies, headers, threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from measure import Failed, Sample, interleaved, median, progress
from server import HEADERS, OWN_HEADERS

if TYPE_CHECKING:
    from run import Bench

CONCURRENT = (10, 100, 1_000, 10_000)
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
THREADS = (1, 2, 4, 8)
#: No more than this is transferred for one point.
BYTES_MOST = 1_000_000_000


def measure(bench: Bench) -> dict[str, Any]:
    """All four, as {what: {client: {x: seconds per request}}}."""
    quick = bench.options.quick
    url = bench.server.url
    requests = 1_000 if quick else 5_000
    found: dict[str, Any] = {}
    found["concurrent"] = series(
        bench,
        "g",
        [(n, f"{url}/bytes/100", max(n, requests), n) for n in CONCURRENT[: 3 if quick else 4]],
        ("c", "native", "pycurl"),
    )
    found["asyncio"] = series(
        bench,
        "h",
        [(n, f"{url}/bytes/100", max(n, requests), n) for n in CONCURRENT[: 2 if quick else 3]],
        ("native", "pycurl", "aiohttp"),
    )
    sizes = []
    for size in SIZES[: 5 if quick else 7]:
        count = max(1, min(requests, BYTES_MOST // (5 if quick else 2) // size))
        sizes.append((size, url + bench.server.file(size), count, 0))
    found["size"] = series(
        bench, "c", sizes, ("c", "native", "dropin", "pycurl", "aiohttp", "requests")
    )
    found["headers"] = series(
        bench,
        "e-lines",
        [(n + OWN_HEADERS, f"{url}/headers/{n}", requests // 5, 0) for n in HEADERS],
        ("c", "native", "dropin", "pycurl"),
    )
    found["threads"] = series(
        bench,
        "i",
        [(n, f"{url}/bytes/100", requests * 2, n) for n in THREADS],
        ("c", "native", "dropin", "pycurl", "requests"),
    )
    return found


def series(
    bench: Bench, job: str, points: list[tuple[int, str, int, int]], names: tuple[str, ...]
) -> dict[str, dict[str, dict[str, float]]]:
    """One curve per client: wall and CPU seconds per request, and peak memory, at each point."""
    clients = [name for name in names if name in bench.clients and bench.runner.can(name, job)]
    curves: dict[str, dict[str, dict[str, float]]] = {client: {} for client in clients}
    for x, url, count, parameter in points:
        progress(f"growth of {job}: {x:,}")

        def once(client: str, url: str = url, count: int = count, n: int = parameter) -> Sample:
            number = count if client not in ("requests", "aiohttp") else max(1, count // 4)
            if n:
                number = max(number, n)
            sample = bench.runner.once(client, job, url, number, n)
            return sample | {"wall": sample["wall"] / number, "cpu": sample["cpu"] / number}

        try:
            samples = interleaved(clients, 1 if bench.options.quick else 3, once)
        except Failed as problem:
            progress(f"    {problem}")
            continue
        for client, list_ in samples.items():
            curves[client][str(x)] = {
                key: median(list_, key) for key in ("wall", "cpu", "peak", "base")
            }
    return curves
