"""make bench: this library against C and the other clients, on loopback.

python bench/run.py [--job a,b] [--client native,pycurl] [--quick] [--update] [--also PYTHON]

Each client does each job in a process of its own, in interleaved rounds; callgrind counts instructions.
A whole run writes docs/benchmarks.json, and from it docs/benchmarks.md, the plots and a few lines of
the README. What is chosen with --job or --client is only shown, unless --update takes it in.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import resource
import shutil
import signal
import statistics
import sys
import time
from typing import Any

import callgrind
import growth
import report
from jobs import BY_NAME, CLIENTS, COUNTED, JOBS, SHARE, Job, Row
from measure import (
    HERE,
    Failed,
    Runner,
    Sample,
    interleaved,
    medians,
    progress,
    python_version,
    ratio,
    scratch,
    versions,
)
from server import Server

RESULTS = HERE.parent / "docs" / "benchmarks.json"
#: What `import` wants, where it is not the client's name.
MODULES = {
    "native": "libcurl",
    "dropin": "libcurl.pycurl",
    "tornado": "tornado.curl_httpclient",
}


class Bench:
    """One run of all that was asked for; `other` is a second Python, whose instructions are counted."""

    def __init__(
        self, options: argparse.Namespace, server: Server, runner: Runner, other: Runner | None
    ) -> None:
        self.server = server
        self.runner = runner
        self.other = other
        self.quick: bool = options.quick
        self.rounds: int = 2 if options.quick else options.rounds
        self.clients = chosen(options.client, CLIENTS)
        if "c" not in self.clients:
            self.clients.insert(0, "c")

    def job(self, job: Job) -> Row:
        """One row."""
        special = {"l": self.imports, "n": self.crowd}
        if job.name in special:
            return special[job.name](job)
        url = (self.server.h2_url if job.h2 else self.server.url) + job.path
        if job.path.startswith("/bytes/"):
            self.server.file(int(job.path[7:]))
        row = self.transfers(job, url)
        if job.counts:
            self.count(job, url, row)
        return row

    def transfers(self, job: Job, url: str) -> Row:
        """Time and memory."""
        scale = 0.2 if self.quick and job.count > 100 and job.name != "k" else 1

        def once(client: str) -> Sample:
            count = max(1, int(job.count * scale * SHARE.get(client, 1)))
            if job.count >= 100:
                count = max(100, count // 100 * 100)
            if client == "plain":
                return self.runner.once("native", "f", url, count)
            return self.runner.once(client, job.name, url, count)

        clients = self.able(job)
        plain = ["plain"] if job.name == "f-policy" and "native" in clients else []
        paired = any("CPU time" in limit.what for limit in job.limits)
        timed = paired or any("wall" in limit.what for limit in job.limits)
        samples = interleaved(clients + plain, self.rounds * (1 + timed) * job.rounds, once)
        row: Row = {}
        for client in samples.keys() - plain:
            keys = ["wall", "cpu", "user", "peak", "added"] + ["kept"] * (job.name == "k")
            row[client] = medians(samples[client], keys)
            for key in ("wall", "cpu"):
                row[client][f"{key} ratio"] = ratio(samples, client, key)
            if paired:
                row[client]["of pycurl"] = ratio(samples, client, "cpu", "pycurl")
        if plain:
            row["native"]["of plain"] = ratio(samples, "native", "wall", "plain")
        return row

    def able(self, job: Job) -> list[str]:
        """The clients that have this job."""
        return [client for client in self.clients if self.runner.can(client, job.name)]

    def count(self, job: Job, url: str, row: Row) -> None:
        """Instructions; and where they go, if the row is missed."""
        clients = [client for client in COUNTED if client in row]
        profiles = self.profiles(self.runner, job, url, clients)
        for client, counted in instructions(profiles).items():
            row[client] |= counted | {"objects": callgrind.by_object(profiles[client])}
        if self.other:
            python = [client for client in clients if client in job.held - {"c"}]
            again = self.profiles(self.other, job, url, python)
            if "c" in profiles:
                again["c"] = profiles["c"]
            for client, counted in instructions(again).items():
                row[client]["other"] = counted
        for limit in report.missed(job, row):
            if limit.client in profiles and limit.base in profiles:
                row[limit.client]["functions"] = callgrind.by_function(
                    profiles[limit.client], profiles[limit.base]
                )

    def profiles(
        self, runner: Runner, job: Job, url: str, clients: list[str]
    ) -> dict[str, callgrind.Profile]:
        """What callgrind counts."""
        found = {}
        for client in clients:
            try:
                assert job.counts is not None
                runs = 1 if self.quick or client not in job.held else job.runs
                command = [*runner.command(client), job.name, url]
                found[client] = callgrind.count(runner, command, job.counts, runs)
                progress(f"    {client}: {found[client].total():,.0f} instructions")
            except Failed as problem:
                progress(f"    {client}, instructions: {problem}")
        return found

    def imports(self, job: Job) -> Row:
        """Job l: what importing takes, above loading libcurl."""
        statements = {"c": "_ctypes.dlopen('libcurl.so.4', 2)"}
        for client in self.clients:
            if client != "c" and (self.runner.can(client, "a") or self.runner.can(client, "h")):
                statements[client] = f"import {MODULES.get(client, client)}"

        def once(client: str) -> Sample:
            code = (
                "import _ctypes, time; b = time.perf_counter(), time.process_time()\n"
                f"{statements[client]}\n"
                "print(time.perf_counter() - b[0], time.process_time() - b[1])"
            )
            wall, cpu = map(float, self.runner.output([self.runner.python, "-c", code]).split())
            return {"wall": wall, "cpu": cpu}

        samples = interleaved(statements, 3 * self.rounds, once)
        row: Row = {}
        for client, taken in samples.items():
            # CPU time: files are read from the cache, and others want the machine as well.
            pairs = zip(taken, samples["c"], strict=True)
            above = statistics.median([ours["cpu"] - c["cpu"] for ours, c in pairs])
            row[client] = medians(taken, ("wall", "cpu")) | {"above": above}
        if "native" in row and report.missed(job, row):
            row["native"]["modules"] = self.modules()
        return row

    def modules(self) -> dict[str, float]:
        """Milliseconds of each module that `import libcurl` takes in, the best of several times."""
        code = (
            "import subprocess, sys; print(subprocess.run([sys.executable, '-X', 'importtime', '-c',"
            " 'import libcurl'], capture_output=True, text=True).stderr)"
        )
        best: dict[str, float] = {}
        for _ in range(5):
            shown = self.runner.output([self.runner.python, "-c", code])
            for own, name in re.findall(
                r"import time: +(\d+) .*\| +(\S*(?:libcurl|cffi)\S*)", shown
            ):
                best[name] = min(int(own) / 1e3, best.get(name, math.inf))
        return dict(sorted(best.items(), key=lambda pair: -pair[1]))

    def crowd(self, job: Job) -> Row:
        """Job n: what a transfer takes among 10,000, as a multiple of what it takes among 100."""
        url = self.server.url + job.path
        crowd = 2_000 if self.quick else job.count
        transfers = 3 * crowd  # or the making of handles would be most of the difference

        def once(client: str) -> Sample:
            few = self.runner.once(client, job.name, url, transfers, 100)
            many = self.runner.once(client, job.name, url, transfers, crowd)
            return many | {"cpu of few": few["cpu"], "growth": many["cpu"] / few["cpu"]}

        samples = interleaved(self.able(job), max(1, self.rounds // 2), once)
        keys = ("wall", "cpu", "user", "peak", "added", "cpu of few", "growth")
        return {
            client: medians(taken, keys)
            | {f"{key} ratio": ratio(samples, client, key) for key in ("wall", "cpu")}
            for client, taken in samples.items()
        }


def instructions(profiles: dict[str, callgrind.Profile]) -> Row:
    """How many, and as a multiple of C's."""
    totals = {client: profile.total() for client, profile in profiles.items()}
    return {
        client: {"instructions": total}
        | ({"instructions ratio": total / totals["c"]} if "c" in totals else {})
        for client, total in totals.items()
    }


def chosen(text: str | None, all_of_them: tuple[str, ...]) -> list[str]:
    """A list on the command line."""
    names = list(all_of_them) if text is None else text.split(",")
    for name in names:
        if name not in all_of_them:
            sys.exit(f"there is no {name!r}; there are: {', '.join(all_of_them)}")
    return names


def rounded(value: Any) -> Any:
    """No more digits than mean anything."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--job", help=f"some of {','.join(BY_NAME)},growth")
    parser.add_argument("--client", help=f"some of {','.join(CLIENTS)}")
    parser.add_argument("--rounds", type=int, default=7, help="how many rounds (7)")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument(
        "--update", action="store_true", help="take a part into docs/benchmarks.json"
    )
    parser.add_argument(
        "--also", metavar="PYTHON", help="count the instructions of another one too"
    )
    options = parser.parse_args()
    every = (*BY_NAME, "growth")
    names = chosen(options.job, every)
    whole = not (options.job or options.client or options.quick)
    results: dict[str, Any] = {"jobs": {}}
    if options.update and RESULTS.exists():
        results = json.loads(RESULTS.read_text())
    today = time.strftime("%Y-%m-%d")
    if "date" in results:
        again = results.get("again", {"date": None})
        earlier = again["jobs"] if again["date"] == today else []
        results["again"] = {
            "date": today,
            "jobs": [name for name in every if name in (*names, *earlier)],
        }
    else:
        results["date"] = today
    results |= {"rounds": options.rounds, "versions": versions()}
    # 10,000 connections at once, here and in nginx.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("ended"))
    folder = scratch()
    try:
        runner, other = Runner(folder), None
        if options.also and os.path.exists(options.also):
            version = python_version(options.also)
            if version != results["versions"]["Python"]:
                other = Runner(folder, os.path.abspath(options.also))
                results["versions"]["another Python"] = version
        with Server() as server:
            bench = Bench(options, server, runner, other)
            for job in JOBS:
                if job.name in names:
                    progress(f"{job.name}. {job.title}")
                    row = rounded(bench.job(job))
                    # A part of the clients renews its part of the row.
                    results["jobs"][job.name] = results["jobs"].get(job.name, {}) | row
                    for line in report.lines(job, row):
                        progress(f"    {line}")
            if "growth" in names:
                results["growth"] = rounded(growth.measure(bench))
    finally:
        shutil.rmtree(folder)
    if whole or options.update:
        jobs = results["jobs"]
        results["jobs"] = {name: jobs[name] for name in BY_NAME if name in jobs}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        report.write(results)
        progress(f"see {RESULTS.with_suffix('.md')}")


if __name__ == "__main__":
    main()
