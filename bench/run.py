"""make bench: this library against C and the other clients, on loopback.

python bench/run.py [--job a,b] [--client native,pycurl] [--rounds 7] [--quick] [--no-report]

Each client does each job in a process of its own. Times are medians of ratios to C over interleaved
rounds, instructions are counted by callgrind. The results go to docs/benchmarks.json, and from there
docs/benchmarks.md and the plots beside it are written.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time
from typing import Any

import growth
import report
from jobs import BY_NAME, CLIENTS, COUNTED, JOBS, SHARE, Job
from measure import (
    HERE,
    Failed,
    Runner,
    Sample,
    build,
    interleaved,
    median,
    progress,
    ratio,
    versions,
)
from server import Server

RESULTS = HERE.parent / "docs" / "benchmarks.json"


def chosen(text: str | None, all_of_them: tuple[str, ...]) -> list[str]:
    """A list on the command line."""
    if text is None:
        return list(all_of_them)
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in all_of_them:
            sys.exit(f"there is no {name!r}; there are: {', '.join(all_of_them)}")
    return names


class Bench:
    """One run of all that was asked for."""

    def __init__(self, options: argparse.Namespace, server: Server, runner: Runner) -> None:
        self.options = options
        self.server = server
        self.runner = runner
        self.clients = chosen(options.client, CLIENTS)
        if "c" not in self.clients:
            self.clients.insert(0, "c")

    def url(self, job: Job) -> str:
        """Where the job is done."""
        if "/bytes/" in job.path:
            self.server.file(job.size)
        return (self.server.h2_url if job.h2 else self.server.url) + job.path

    def job(self, job: Job) -> dict[str, Any]:
        """One row."""
        clients = [client for client in self.clients if self.runner.can(client, job.name)]
        if job.name == "l":
            return self.imports()
        if job.name == "m":
            return self.calls()
        if job.name == "n":
            return self.crowd(job, clients)
        url = self.url(job)
        scale = 0.2 if self.options.quick and job.count > 100 and job.name != "k" else 1

        def once(client: str) -> Sample:
            count = max(1, int(job.count * scale * SHARE.get(client, 1)))
            if job.count >= 100:
                count = max(100, count // 100 * 100)
            sample = self.runner.once(client, job.name, url, count, job.parameter)
            return sample | {"wall": sample["wall"] / count, "cpu": sample["cpu"] / count}

        samples = interleaved(clients, self.options.rounds, once)
        found: dict[str, Any] = {}
        for client, list_ in samples.items():
            found[client] = {key: median(list_, key) for key in ("wall", "cpu", "peak", "base")}
            if "kept" in list_[0] and job.name == "k":
                found[client]["kept"] = median(list_, "kept")
            for key in ("wall", "cpu"):
                found[client][f"{key} ratio"] = ratio(samples, client, key)
        if job.instructions and not self.options.no_instructions:
            self.count(job, url, found)
        return found

    def count(self, job: Job, url: str, found: dict[str, Any]) -> None:
        """Instructions, where the CPU decides."""
        assert job.instructions is not None
        runs = 1 if self.options.quick else 3 if job.restless else 2
        for client in COUNTED:
            if client not in found:
                continue
            begin = time.monotonic()
            try:
                counted = statistics.median(
                    [
                        self.runner.instructions(
                            client, job.name, url, job.instructions, job.parameter
                        )
                        for _ in range(runs)
                    ]
                )
            except Failed as problem:
                progress(f"    {problem}")
                continue
            found[client]["instructions"] = counted
            if "instructions" in found["c"]:
                found[client]["instructions ratio"] = counted / found["c"]["instructions"]
            progress(
                f"    {client}: {counted:,.0f} instructions ({time.monotonic() - begin:.0f} s)"
            )

    def imports(self) -> dict[str, Any]:
        """Job l: what importing takes, above loading libcurl."""
        statements = {"c": "_ctypes.dlopen('libcurl.so.4', 2)"}
        for client in self.clients:
            name = {
                "native": "libcurl",
                "dropin": "libcurl.pycurl",
                "tornado": "tornado.curl_httpclient",
            }.get(client, client)
            if client != "c" and (self.runner.can(client, "a") or self.runner.can(client, "h")):
                statements[client] = f"import {name}"

        def once(client: str) -> Sample:
            code = (
                "import _ctypes, time; b = time.perf_counter(), time.process_time()\n"
                f"{statements[client]}\n"
                "print(time.perf_counter() - b[0], time.process_time() - b[1])"
            )
            out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
            wall, cpu = map(float, out.stdout.split())
            return {"wall": wall, "cpu": cpu}

        samples = interleaved(statements, 3 * self.options.rounds, once)
        return {
            client: {
                "wall": median(list_, "wall"),
                "cpu": median(list_, "cpu"),
                # CPU time: files are read from the cache, and others want the machine as well.
                "above": statistics.median(
                    [o["cpu"] - c["cpu"] for o, c in zip(list_, samples["c"], strict=True)]
                ),
            }
            for client, list_ in samples.items()
        }

    def calls(self) -> dict[str, Any]:
        """Job m: the best of what single calls take, in nanoseconds."""
        clients = [client for client in ("native", "dropin", "pycurl") if client in self.clients]

        def once(client: str) -> Sample:
            out = subprocess.run(
                [sys.executable, str(HERE / "calls.py"), client], capture_output=True, check=True
            )
            found: Sample = json.loads(out.stdout)
            return found

        samples = interleaved(clients, max(1, self.options.rounds // 2), once)
        return {
            client: {call: min(sample[call] for sample in list_) for call in list_[0]}
            for client, list_ in samples.items()
        }

    def crowd(self, job: Job, clients: list[str]) -> dict[str, Any]:
        """Job n: what a transfer takes among 10,000, in terms of what it takes among 100."""
        url = self.url(job)
        crowd = 2_000 if self.options.quick else 10_000

        def once(client: str) -> Sample:
            few = self.runner.once(client, job.name, url, crowd, 100)
            many = self.runner.once(client, job.name, url, crowd, crowd)
            return {
                "wall": many["wall"] / crowd,
                "cpu": many["cpu"] / crowd,
                "wall of few": few["wall"] / crowd,
                "cpu of few": few["cpu"] / crowd,
                "peak": many["peak"],
            }

        samples = interleaved(clients, max(1, self.options.rounds // 2), once)
        return {
            client: {key: median(list_, key) for key in list_[0]}
            | {
                "growth": statistics.median([s["cpu"] / s["cpu of few"] for s in list_]),
                "cpu ratio": ratio(samples, client, "cpu"),
            }
            for client, list_ in samples.items()
        }


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--job", help=f"some of {','.join(BY_NAME)},growth")
    parser.add_argument("--client", help=f"some of {','.join(CLIENTS)}")
    parser.add_argument("--rounds", type=int, default=7, help="how many rounds (7)")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--no-instructions", action="store_true", help="without callgrind")
    parser.add_argument("--no-report", action="store_true", help="only show the results")
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    names = chosen(options.job, (*BY_NAME, "growth"))
    results = json.loads(options.output.read_text()) if options.output.exists() else {}
    results.setdefault("jobs", {})
    results["versions"] = versions()
    results["rounds"] = options.rounds

    def keep() -> None:
        """After each job, because all of them take long."""
        results["date"] = time.strftime("%Y-%m-%d")
        if not options.no_report:
            options.output.write_text(json.dumps(results, indent=1) + "\n")

    runner = Runner(build())
    try:
        with Server() as server:
            bench = Bench(options, server, runner)
            for job in JOBS:
                if job.name not in names:
                    continue
                progress(f"{job.name}. {job.title}")
                found = bench.job(job)
                # A part of the clients renews its part of the row.
                results["jobs"][job.name] = results["jobs"].get(job.name, {}) | found
                keep()
                for line in report.lines(job, found):
                    progress(f"    {line}")
            if "growth" in names:
                results["growth"] = growth.measure(bench)
                keep()
    finally:
        runner.close()
    if not options.no_report:
        report.write(results, options.output.parent)


if __name__ == "__main__":
    main()
