"""Run a job of a client: what it takes in time, memory and instructions."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
#: No job takes longer, in seconds; under valgrind fifty times as long.
TIMEOUT = 120

Sample = dict[str, float]


class Failed(Exception):
    """A client could not do a job."""


def progress(text: str) -> None:
    """Say what is going on."""
    print(text, file=sys.stderr, flush=True)


def build() -> pathlib.Path:
    """Compile jobs.c against the system's libcurl."""
    program = pathlib.Path(tempfile.mkdtemp(prefix="libcurl-bench-")) / "jobs"
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libcurl"], capture_output=True, text=True, check=True
    ).stdout.split()
    command = [os.environ.get("CC", "cc"), "-O2", "-o", str(program), str(HERE / "jobs.c")]
    subprocess.run([*command, *flags, "-lpthread"], check=True)
    return program


class Runner:
    """Starts clients."""

    def __init__(self, program: pathlib.Path) -> None:
        self._program = program
        # In memory where possible: what a disk takes for a file is nobody's merit.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="libcurl-bench-", dir=memory))
        self._known: dict[str, frozenset[str]] = {}

    def close(self) -> None:
        """Remove what was made."""
        for folder in (self.folder, self._program.parent):
            shutil.rmtree(folder, ignore_errors=True)

    def command(self, client: str) -> list[str]:
        """How to start it."""
        if client == "c":
            return [str(self._program)]
        return [sys.executable, "-m", f"clients.{client}"]

    def can(self, client: str, job: str) -> bool:
        """Whether this client has that job, and can be imported at all."""
        if client == "c":
            return job not in ("h-uvloop", "l", "m")
        if client not in self._known:
            ran = self._run([*self.command(client), "--list"])
            self._known[client] = (
                frozenset(json.loads(ran.stdout)) if ran.returncode == 0 else frozenset()
            )
            if ran.returncode:
                progress(f"{client}: left out: {last_line(ran.stderr)}")
        return job in self._known[client]

    def once(self, client: str, job: str, url: str, count: int, parameter: int = 0) -> Sample:
        """One run of the job."""
        command = [*self.command(client), job, url, str(count), str(parameter)]
        ran = self._run(command)
        if ran.returncode:
            raise Failed(f"{client} {job}: {last_line(ran.stderr)}")
        found: Sample = json.loads(ran.stdout)
        return found

    def instructions(
        self, client: str, job: str, url: str, counts: tuple[int, int], parameter: int = 0
    ) -> float:
        """User instructions per request: two runs under callgrind, so that the start does not count."""
        with ThreadPoolExecutor(2) as both:
            less, more = both.map(
                lambda count: self._callgrind(client, job, url, count, parameter), counts
            )
        return (more - less) / (counts[1] - counts[0])

    def _callgrind(self, client: str, job: str, url: str, count: int, parameter: int) -> int:
        with tempfile.NamedTemporaryFile(dir=self.folder) as out:
            valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}"]
            command = [*self.command(client), job, url, str(count), str(parameter)]
            ran = self._run([*valgrind, *command], 50 * TIMEOUT)
            if ran.returncode:
                raise Failed(f"{client} {job} under valgrind: {last_line(ran.stderr)}")
            text = pathlib.Path(out.name).read_text()
        return int(re.findall(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)[-1])

    def _run(self, command: list[str], timeout: int = TIMEOUT) -> subprocess.CompletedProcess[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
        }
        environment |= {"PYTHONPATH": str(HERE), "PYTHONHASHSEED": "0"}
        try:
            return subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"took more than {timeout} s")


def last_line(text: str) -> str:
    """Of an error's output, what says most."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("==")]
    return lines[-1] if lines else "failed"


def interleaved(
    clients: Iterable[str], rounds: int, once: Callable[[str], Sample]
) -> dict[str, list[Sample]]:
    """Every client once in each round, in turning order, so that what disturbs one disturbs all."""
    order = list(clients)
    samples: dict[str, list[Sample]] = {client: [] for client in order}
    for number in range(rounds):
        begin = time.monotonic()
        for client in order[number % len(order) :] + order[: number % len(order)]:
            if client not in samples:
                continue
            try:
                samples[client].append(once(client))
            except Failed as problem:
                progress(f"    {problem}")
                del samples[client]
        progress(f"    round {number + 1} of {rounds}: {time.monotonic() - begin:.1f} s")
    return samples


def ratio(samples: dict[str, list[Sample]], client: str, key: str) -> float | None:
    """The median over the rounds of what the client took, in terms of what C took in the same round."""
    if not samples.get("c") or len(samples.get(client, ())) != len(samples["c"]):
        return None
    pairs = zip(samples[client], samples["c"], strict=True)
    return statistics.median([ours[key] / theirs[key] for ours, theirs in pairs if theirs[key]])


def median(samples: list[Sample], key: str) -> float:
    """The median over the rounds."""
    return statistics.median([sample[key] for sample in samples])


def versions() -> dict[str, Any]:
    """The machine, and who was measured."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    found: dict[str, Any] = {
        "machine": f"{model}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, {platform.libc_ver()[1]}",
        "python": platform.python_version(),
    }
    names = "libcurl cffi pycurl curl_cffi aiohttp httpx requests urllib3 tornado uvloop"
    for name in names.split():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    import libcurl

    found["libcurl (C)"] = libcurl.version()
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    shown = subprocess.run([nginx or "nginx", "-v"], capture_output=True, text=True).stderr
    found["nginx"] = shown.strip().rpartition("/")[2]
    return found
