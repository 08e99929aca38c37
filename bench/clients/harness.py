"""Runs one job of a client and prints what it took."""

from __future__ import annotations

import json
import resource
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

AGENT = "bench"
REFERER = "http://127.0.0.1/"
AT_A_TIME = 100
THREADS = 4
UPLOAD = 100_000_000

#: What a job says that it did: bytes of bodies (and lines of headers), compared between clients.
Job = Callable[[str, int, int], Any]


def resident(which: str = "VmRSS") -> int:
    """Resident memory, in kB; `VmHWM` at its peak, which ru_maxrss has of the parent as well."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(which))


def threads(work: Callable[[str, int], int], url: str, count: int, number: int) -> int:
    """Run `work` in so many threads; the sum of what it returns."""
    import threading

    done: list[int] = []
    several = [
        threading.Thread(target=lambda: done.append(work(url, count // number)))
        for _ in range(number)
    ]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    return sum(done)


def spinning(work: Callable[[str, int], int], url: str, count: int) -> int:
    """Run `work` while another thread computes."""
    import threading

    stop = False

    def spin() -> None:
        while not stop:
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        return work(url, count)
    finally:
        stop = True
        thread.join()


def calls(names: Callable[[], dict[str, Any]]) -> dict[str, Job]:
    """Jobs that are single calls; `names` has `new`, which makes a handle, and its constants."""
    statements = {
        "m-int": "handle.setopt(number, 5)",
        "m-str": "handle.setopt(text, 'bench')",
        "m-list": "handle.setopt(lines, ['A: b', 'C: d'])",
        "m-getinfo": "handle.getinfo(info)",
        "m-new": "new().close()",
    }

    def job(statement: str) -> Job:
        def repeated(_: str, count: int, __: int) -> int:
            timeit.timeit(statement, "handle = new()", number=count, globals=names())
            return 0

        return repeated

    return {name: job(statement) for name, statement in statements.items()}


def main(jobs: dict[str, Job]) -> None:
    """`JOB URL COUNT [PARAMETER]`, or `--list` for what this client can do."""
    if sys.argv[1:] == ["--list"]:
        print(json.dumps(sorted(jobs)))
        return
    job, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    parameter = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    function = jobs[job]
    if job.startswith("h"):
        import asyncio  # noqa: F401  which takes its time, and is not what is measured
    base = resident()
    before = resource.getrusage(resource.RUSAGE_SELF)
    begin = time.perf_counter()
    result = function(url, count, parameter)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_SELF)
    found = result if isinstance(result, dict) else {"bytes": result}
    print(
        json.dumps(
            {
                "wall": wall,
                "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                "user": after.ru_utime - before.ru_utime,
                "peak": resident("VmHWM"),
                "base": base,
                **found,
            }
        )
    )
