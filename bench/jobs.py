"""What is measured: the jobs, what they ask of the server, and the limits they are held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: In the order of the report. `c` is jobs.c, built; the others are scripts in clients/.
CLIENTS = (
    "c",
    "native",
    "dropin",
    "pycurl",
    "curl_cffi",
    "aiohttp",
    "httpx",
    "requests",
    "urllib3",
    "tornado",
)
#: How much of a job's count is enough for those that are slow.
SHARE = {"httpx": 0.25, "requests": 0.25, "curl_cffi": 0.25, "tornado": 0.25, "aiohttp": 0.5}
#: Those whose instructions are counted, where the CPU decides.
COUNTED = ("c", "native", "dropin", "pycurl")

#: What a job's clients took: {client: {what: number}}.
Row = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Limit:
    """What a number may be at most."""

    what: str
    most: float
    #: The number of a row's client; KeyError or TypeError where it has not been measured.
    value: Callable[[Row, str], float]
    unit: str = ""
    #: What is compared with C, if that is what it is.
    key: str = ""
    #: Whose it is, and with whose it is compared.
    client: str = "native"
    base: str = "c"

    def of(self, row: Row, client: str | None = None) -> float | None:
        """The number, if it has been measured."""
        try:
            return self.value(row, client or self.client)
        except (KeyError, TypeError):
            return None


def of_c(key: str, most: float) -> Limit:
    """So many times what C takes."""
    return Limit(f"{key}, of C's", most, lambda row, who: row[who][f"{key} ratio"], key=key)


def of_pycurl(key: str, most: float, client: str = "native") -> Limit:
    """So many times what pycurl takes."""
    return Limit(
        f"{key}, of pycurl's",
        most,
        lambda row, who: row[who][key] / row["pycurl"][key],
        client=client,
        base="pycurl",
    )


def absolute(what: str, key: str, most: float, unit: str = "", scale: float = 1.0) -> Limit:
    """An amount."""
    return Limit(what, most, lambda row, who: row[who][key] * scale, unit)


@dataclass(frozen=True)
class Job:
    """One row of the table."""

    name: str
    title: str
    count: int
    limits: tuple[Limit, ...]
    path: str = "/bytes/100"
    #: Counts of the two callgrind runs whose difference is taken; none: bytes decide, not the CPU.
    counts: tuple[int, int] | None = None
    #: How often they are run: the instructions of some jobs depend on what arrives together.
    runs: int = 1
    #: How many times the usual rounds: the times of some scatter by more than is left to their limits.
    rounds: int = 1
    h2: bool = False

    @property
    def held(self) -> set[str]:
        """The clients that its limits are about."""
        return {client for limit in self.limits for client in (limit.client, limit.base)}


BULK, FIFTY = "/bytes/100000000", "/headers/42"
FEW, MANY = (100, 1100), (500, 2500)
JOBS = (
    Job("a", "small GETs one after the other", 3000, (of_c("instructions", 1.08),), counts=FEW),
    Job(
        "b",
        "`reset()` and ten options before each GET",
        3000,
        (of_c("instructions", 1.12),),
        counts=FEW,
    ),
    Job(
        "c",
        "100 MB into memory",
        5,
        (of_c("wall", 1.1), absolute("memory, of the body", "added", 1.3, scale=1024 / 1e8)),
        BULK,
    ),
    Job("d-file", "100 MB into a file", 8, (of_c("wall", 1.05),), BULK),
    Job("d-upload", "100 MB from bytes", 8, (of_c("wall", 1.05),), "/upload/bench"),
    Job(
        "e-lines",
        "50 headers, each line to a callback",
        1500,
        (of_pycurl("instructions", 1.0),),
        FIFTY,
        (100, 600),
    ),
    Job(
        "e-mapping",
        "50 headers, the parsed mapping",
        1000,
        (of_c("instructions", 1.2),),
        FIFTY,
        (100, 400),
    ),
    Job(
        "f",
        "a new connection for each GET, three socket callbacks",
        1500,
        (of_c("wall", 1.2),),
        counts=(100, 600),
    ),
    Job(
        "f-policy",
        "a new connection for each GET, `AddressPolicy.public_only()` too",
        1500,
        (absolute("wall, of job f's", "of plain", 1.03),),
        counts=(100, 600),
    ),
    Job(
        "g",
        "10,000 GETs, 100 at a time",
        10_000,
        (of_c("instructions", 1.05),),
        counts=MANY,
        runs=5,
    ),
    Job(
        "h",
        "10,000 GETs under asyncio, 100 at a time",
        10_000,
        (of_c("instructions", 1.15), absolute("instructions", "instructions", 95, "k", 1e-3)),
        counts=MANY,
        runs=5,
    ),
    Job(
        "h2",
        "10,000 GETs under asyncio, over HTTP/2",
        10_000,
        (of_c("instructions", 1.15),),
        counts=MANY,
        runs=5,
        h2=True,
    ),
    Job(
        "i",
        "four threads, 5,000 GETs each",
        20_000,
        (of_c("instructions", 1.10),),
        counts=(400, 2400),
    ),
    Job(
        "j",
        "GETs while another Python thread computes",
        200,
        # One wait, not two: the thread that computes gives the GIL up every 5 ms.
        (absolute("waits for the GIL per request", "wall", 1.5, scale=1 / 0.005),),
    ),
    Job("k", "10,000 idle handles", 10_000, (absolute("each", "kept", 6.1, " KB", 1.024e-4),)),
    Job("l", "import", 1, (absolute("above loading libcurl", "above", 2.0, " ms", 1e3),)),
    *(
        Job(
            f"m-{name}",
            f"the drop-in's `{call}`",
            count,
            (of_pycurl("instructions", most, "dropin"),),
            counts=FEW,
        )
        for name, call, count, most in (
            ("int", "setopt(MAXREDIRS, 5)", 50_000, 2.0),
            ("str", "setopt(USERAGENT, 'bench')", 50_000, 2.0),
            ("list", "setopt(HTTPHEADER, [...])", 50_000, 2.0),
            ("getinfo", "getinfo(RESPONSE_CODE)", 50_000, 2.0),
            ("new", "Curl().close()", 5_000, 1.0),
        )
    ),
    Job(
        "m-request",
        "the drop-in's `Curl()`, eight options, `perform_rb()`, two infos and `close()`",
        1500,
        (
            Limit(
                "CPU time, of pycurl's",
                1.0,
                lambda row, who: row[who]["of pycurl"],
                client="dropin",
                base="pycurl",
            ),
        ),
        counts=(100, 600),
        rounds=5,
    ),
    Job(
        "n",
        "10,000 at once, a new connection each",
        10_000,
        (absolute("CPU per transfer, of that with 100 at once", "growth", 1.3),),
    ),
)
BY_NAME = {job.name: job for job in JOBS}
