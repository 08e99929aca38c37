"""What is measured: the jobs, what they ask of the server, and what must come out."""

from __future__ import annotations

from dataclasses import dataclass, field

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
SHARE = {"httpx": 0.1, "requests": 0.25, "curl_cffi": 0.25, "tornado": 0.25, "aiohttp": 0.5}
#: Those that are also run under callgrind.
COUNTED = ("c", "native", "dropin", "pycurl")


@dataclass(frozen=True)
class Job:
    """One row of the table."""

    name: str
    title: str
    count: int
    path: str = "/bytes/100"
    #: "instructions" or "wall": what the limit is for.
    measure: str = "wall"
    #: At most so many times what C takes.
    limit: float | None = None
    #: At most what this client takes, instead.
    no_slower_than: str | None = None
    #: Counts of the two callgrind runs whose difference is taken; none: not CPU-bound.
    instructions: tuple[int, int] | None = None
    #: Whether the number of instructions depends on timing, so that several runs are needed.
    restless: bool = False
    parameter: int = 0
    h2: bool = False
    #: Only these clients.
    clients: tuple[str, ...] = field(default=CLIENTS)

    @property
    def size(self) -> int:
        """Bytes of a body."""
        return int(self.path.rsplit("/", 1)[1]) if "/bytes/" in self.path else 0


BULK = "/bytes/100000000"
JOBS = (
    Job(
        "a",
        "small GETs one after the other",
        3000,
        measure="instructions",
        limit=1.08,
        instructions=(100, 1100),
    ),
    Job(
        "b",
        "reset and ten options before each GET",
        3000,
        measure="instructions",
        limit=1.12,
        instructions=(100, 1100),
    ),
    Job("c", "100 MB into memory", 5, BULK, limit=1.1),
    Job("d-file", "100 MB into a file", 8, BULK, limit=1.05),
    Job("d-upload", "100 MB from bytes", 8, "/upload/bench", limit=1.05),
    Job(
        "e-lines",
        "50 headers, each line to a callback",
        1500,
        "/headers/42",
        "instructions",
        no_slower_than="pycurl",
        instructions=(100, 600),
    ),
    Job(
        "e-mapping",
        "50 headers, the parsed mapping",
        1000,
        "/headers/42",
        "instructions",
        limit=1.2,
        instructions=(100, 400),
    ),
    Job(
        "f",
        "a new connection each, three socket callbacks",
        1500,
        limit=1.2,
        instructions=(100, 600),
    ),
    Job(
        "f-policy",
        "the same, and an AddressPolicy of ours",
        1500,
        limit=1.236,  # 3 percent more
        instructions=(100, 600),
    ),
    Job(
        "g",
        "10,000 GETs, 100 at a time",
        10_000,
        limit=1.05,
        instructions=(1000, 6000),
        restless=True,
    ),
    Job(
        "h", "the same under asyncio", 10_000, limit=1.15, instructions=(1000, 6000), restless=True
    ),
    Job("h-uvloop", "the same under uvloop", 10_000, instructions=None),
    Job(
        "h2",
        "the same over HTTP/2, under asyncio",
        10_000,
        limit=1.15,
        instructions=(1000, 6000),
        restless=True,
        h2=True,
    ),
    Job("i", "four threads, 5,000 GETs each", 20_000, limit=1.10, instructions=(400, 2400)),
    Job("j", "GETs while another thread computes", 200),
    Job("k", "10,000 idle handles", 10_000),
    Job("l", "import", 1),
    Job("m", "single calls", 1),
    Job("n", "10,000 at once against 100, a new connection each", 10_000),
)
BY_NAME = {job.name: job for job in JOBS}

#: An absolute limit of instructions per request, beside the ratio.
MOST_INSTRUCTIONS = {"h": 95_000}
#: KB (1,000 bytes) of an idle handle; milliseconds above loading libcurl; how often the cost of pycurl.
IDLE_MOST = 6.1
IMPORT_MOST = 2.0
CALLS_MOST = {
    "setopt int": 2.0,
    "setopt str": 2.0,
    "setopt list": 2.0,
    "getinfo": 2.0,
    "new and close": 1.0,
}
CROWD_MOST = 1.3
#: Of a body that is fetched, whose length is known.
PEAK_MOST = 1.3
