"""Count instructions in user space with callgrind, and tell where they are spent."""

from __future__ import annotations

import pathlib
import re
import statistics
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from measure import TIMEOUT, Runner

#: Instructions by (object file, function).
Profile = Counter[tuple[str, str]]

_NAME = re.compile(r"(ob|fn)=\((\d+)\)(?: (.*))?")
_CALLED = re.compile(r"c(ob|fn)=\((\d+)\) (.*)")
_COST = re.compile(r"[+*-]?\d* (\d+)$")
#: What an object file is called in a report.
_OBJECTS = (
    (r"libcurl\.so", "libcurl.so"),
    (r"_native\.", "this library's C"),
    (r"_cffi_backend", "cffi"),
    (r"pycurl", "pycurl's C"),
    (r"(lib)?python3", "Python"),
    (r"libc\.so|libpthread|ld-linux", "C library"),
    (r"libssl|libcrypto|libnghttp2", "TLS and HTTP/2"),
    (r"jobs$", "jobs.c"),
)


def count(runner: Runner, command: list[str], counts: tuple[int, int], runs: int = 1) -> Profile:
    """Per request: the difference of two runs, so that the start does not count; medians of several.

    Where several are needed, because it matters when the server answers, it is not kept from that.
    """
    with ThreadPoolExecutor(1 if runs > 1 else 2) as workers:
        profiles = list(workers.map(lambda n: _run(runner, [*command, str(n)]), counts * runs))
    differences = []
    for less, more in zip(profiles[::2], profiles[1::2], strict=True):
        more.subtract(less)
        differences.append(more)
    middle = statistics.median_low([profile.total() for profile in differences])
    profile = next(profile for profile in differences if profile.total() == middle)
    requests = counts[1] - counts[0]
    return Counter({place: cost / requests for place, cost in profile.items()})


def by_object(profile: Profile) -> dict[str, int]:
    """Instructions by object file, without what hardly counts."""
    objects: Counter[str] = Counter()
    for (name, _), cost in profile.items():
        objects[name] += cost
    return {name: round(cost) for name, cost in objects.most_common() if cost >= 50}


def by_function(profile: Profile, base: Profile, most: int = 12) -> dict[str, list[int]]:
    """The functions that differ most from another profile, with both numbers."""
    more = Counter(profile)
    more.subtract(base)
    return {
        f"{name}: {function}": [round(base[name, function]), round(profile[name, function])]
        for (name, function), cost in more.most_common(most)
        if cost >= 50
    }


def _run(runner: Runner, command: list[str]) -> Profile:
    with tempfile.NamedTemporaryFile(dir=runner.folder) as out:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}"]
        runner.output([*valgrind, *command], 50 * TIMEOUT)
        return _parse(pathlib.Path(out.name))


def _parse(path: pathlib.Path) -> Profile:
    """What each function itself costs: https://valgrind.org/docs/manual/cl-format.html."""
    profile: Profile = Counter()
    names: dict[tuple[str, str], str] = {}
    current = {"ob": "?", "fn": "?"}
    called = False
    with path.open() as lines:
        for line in lines:
            if match := _NAME.match(line):
                kind, number, name = match.groups()
                if name is not None:
                    names[kind, number] = _object(name) if kind == "ob" else name.partition("'")[0]
                current[kind] = names[kind, number]
            elif match := _CALLED.match(line):
                kind, number, name = match.groups()
                names[kind, number] = _object(name) if kind == "ob" else name.partition("'")[0]
            elif line.startswith("calls="):
                called = True  # the next line is what the callee costs, which counts itself
            elif match := _COST.match(line):
                if not called:
                    profile[current["ob"], current["fn"]] += int(match[1])
                called = False
    return profile


def _object(path: str) -> str:
    name = path.rpartition("/")[2]
    for pattern, shown in _OBJECTS:
        if re.match(pattern, name):
            return shown
    return "other"
