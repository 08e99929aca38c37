"""Runs one job of a client and prints what it took."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

AGENT = "bench"
REFERER = "http://127.0.0.1/"
AT_A_TIME = 100
THREADS = 4
UPLOAD = 100_000_000

#: What a job says that it did: bytes of bodies (and lines of headers), compared between clients.
Job = Callable[[str, int, int], Any]


def resident() -> int:
    """Resident memory, in kB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


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


def main(jobs: dict[str, Job]) -> None:
    """`JOB URL COUNT [PARAMETER]`, or `--list` for what this client can do."""
    if sys.argv[1:] == ["--list"]:
        print(json.dumps(sorted(jobs)))
        return
    job, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    parameter = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    function = jobs[job]
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
                "peak": after.ru_maxrss,
                "base": base,
                **found,
            }
        )
    )
