"""Run jobs of clients, each in a process of its own: what they take in time and memory."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
#: No job takes longer, in seconds; under valgrind fifty times as long.
TIMEOUT = 120
_STARTED = time.monotonic()

Sample = dict[str, float]


class Failed(Exception):
    """A client could not do a job."""


def progress(text: str) -> None:
    """Say what is going on, and how long it has been."""
    minutes, seconds = divmod(int(time.monotonic() - _STARTED), 60)
    print(f"{minutes:3}:{seconds:02} {text}", file=sys.stderr, flush=True)


class Runner:
    """Starts clients, those in Python with this `python`, in a folder of their own."""

    def __init__(self, folder: pathlib.Path, python: str = sys.executable) -> None:
        self.folder = folder
        self.python = python
        self._jobs: dict[str, frozenset[str]] = {}

    def command(self, client: str) -> list[str]:
        """How to start it."""
        if client == "c":
            return [str(self.folder / "jobs")]
        return [self.python, "-m", f"clients.{client}"]

    def can(self, client: str, job: str) -> bool:
        """Whether this client has that job, and can be imported at all."""
        if client not in self._jobs:
            try:
                self._jobs[client] = frozenset(
                    json.loads(self.output([*self.command(client), "--list"]))
                )
            except Failed as problem:
                progress(f"{client}: left out: {problem}")
                self._jobs[client] = frozenset()
        return job in self._jobs[client]

    def once(self, client: str, job: str, url: str, count: int, parameter: int = 0) -> Sample:
        """One run of the job: what one of `count` took, and the memory that all of them took."""
        command = [*self.command(client), job, url, str(count), str(parameter)]
        sample: Sample = json.loads(self.output(command))
        for key in ("wall", "cpu", "user"):
            sample[key] /= count
        sample["added"] = sample["peak"] - sample["base"]
        return sample

    def output(self, command: list[str], timeout: int = TIMEOUT) -> str:
        """What it prints."""
        environment = {
            name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
        }
        environment |= {"PYTHONPATH": str(HERE), "PYTHONHASHSEED": "0"}
        try:
            ran = subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"took more than {timeout} s") from None
        if ran.returncode:
            lines = [line for line in ran.stderr.splitlines() if line[:2] not in ("", "==")]
            raise Failed(lines[-1] if lines else f"status {ran.returncode}")
        return ran.stdout


def scratch() -> pathlib.Path:
    """A folder with jobs.c built, in memory if possible: what a disk takes is nobody's merit."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="libcurl-bench-", dir=memory))
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libcurl"], capture_output=True, text=True, check=True
    ).stdout.split()
    command = [os.environ.get("CC", "cc"), "-O2", "-o", str(folder / "jobs"), str(HERE / "jobs.c")]
    subprocess.run([*command, *flags, "-lpthread"], check=True)
    return folder


def interleaved(
    clients: Iterable[str], rounds: int, once: Callable[[str], Sample]
) -> dict[str, list[Sample]]:
    """Every client once in each round, in turning order: what disturbs one disturbs all."""
    order = list(clients)
    samples: dict[str, list[Sample]] = {client: [] for client in order}
    for number in range(rounds):
        turn = number % max(1, len(order))
        for client in order[turn:] + order[:turn]:
            if client not in samples:
                continue
            try:
                samples[client].append(once(client))
            except Failed as problem:
                progress(f"    {client}: {problem}")
                del samples[client]
        progress(f"    round {number + 1} of {rounds}")
    return samples


def ratio(samples: dict[str, list[Sample]], client: str, key: str, base: str = "c") -> float | None:
    """The median over the rounds of what the client took, as a multiple of what C took in the same."""
    if client not in samples or base not in samples:
        return None
    pairs = zip(samples[client], samples[base], strict=True)
    ratios = [ours[key] / theirs[key] for ours, theirs in pairs if theirs[key]]
    return statistics.median(ratios) if ratios else None


def medians(samples: list[Sample], keys: Iterable[str]) -> Sample:
    """The medians over the rounds."""
    return {key: statistics.median([sample[key] for sample in samples]) for key in keys}


def versions() -> dict[str, Any]:
    """The machine, and who was measured."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import libcurl

    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in cpu.splitlines() if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    found: dict[str, Any] = {
        "machine": f"{models[0] if models else 'unknown'}, {os.cpu_count()} cores,"
        f" {memory:.0f} GB of memory",
        "system": f"{system}, Linux {platform.release()}, glibc {platform.libc_ver()[1]}",
        "Python": python_version(),
        "libcurl (C)": libcurl.version(),
    }
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    shown = subprocess.run([nginx or "nginx", "-v"], capture_output=True, text=True).stderr
    found["nginx"] = shown.strip().rpartition("/")[2]
    names = "libcurl cffi pycurl curl_cffi aiohttp httpx requests urllib3 tornado"
    for name in names.split():
        try:
            found["this library" if name == "libcurl" else name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def python_version(python: str = sys.executable) -> str:
    """Its name and version; a distribution's own is built with more care than most."""
    code = "import sys, platform as p; print(p.python_implementation(), p.python_version(), sys.base_prefix)"
    name, number, prefix = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split(maxsplit=2)
    return f"{name} {number}" + (", the system's" if prefix.strip() == "/usr" else "")
