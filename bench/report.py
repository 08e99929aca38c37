"""Writes docs/benchmarks.md, the plots beside it and a few lines of the README from the results.

python bench/report.py writes them again from docs/benchmarks.json.
"""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import plots
from jobs import CLIENTS, JOBS, Job, Limit, Row

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLOTS = "docs/plots"
MARKS = ("<!-- make bench writes this -->\n", "<!-- until here -->\n")

Results = dict[str, Any]


def write(results: Results) -> None:
    """All that is made of the results."""
    for path, text in files(results).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def files(results: Results) -> dict[pathlib.Path, str]:
    """What is made of the results."""
    results = json.loads(json.dumps(results))  # as they are read back
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(MARKS[0])
    return {
        readme: before + MARKS[0] + summary(results) + MARKS[1] + rest.partition(MARKS[1])[2],
        ROOT / "docs" / "benchmarks.md": document(results),
        **{ROOT / PLOTS / name: svg for name, svg in plots.draw(results).items()},
    }


def other(row: Row) -> Row:
    """The same row as the other Python has it."""
    return {client: found["other"] for client, found in row.items() if "other" in found}


def missed(job: Job, row: Row) -> list[Limit]:
    """The limits that are not kept, with one of the Pythons at least."""
    return [
        limit for limit in job.limits if any(value > limit.most for value in values(limit, row))
    ]


def values(limit: Limit, row: Row) -> list[float]:
    """What has been measured, with each Python."""
    rows = [row, other(row)] if "instructions" in limit.what else [row]
    return [value for value in map(limit.of, rows) if value is not None]


def number(value: float | None, unit: str = "") -> str:
    """With three digits that count, or four around 1 and 2."""
    if value is None:
        return ""
    return f"{value:.3f}{unit}" if 0.1 <= value < 2.5 else f"{float(f'{value:.3g}'):,g}{unit}"


def amount(seconds: float) -> str:
    """A time, in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} \u00b5s"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> Iterator[str]:
    """In Markdown, between empty lines; the first columns are of words, the others of numbers."""
    yield ""
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * words + "--:|" * (len(head) - words)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def lines(job: Job, row: Row) -> Iterator[str]:
    """A row for people who watch."""
    for client in (client for client in CLIENTS if client in row):
        found, shown = row[client], []
        for key in ("wall", "cpu", "instructions"):
            if key in found:
                value = (
                    f"{found[key]:,.0f} {key}" if key[0] == "i" else f"{key} {amount(found[key])}"
                )
                ratio = found.get(f"{key} ratio")
                shown.append(f"{value} ({number(ratio)})" if ratio else value)
        yield f"{client:10} {', '.join(shown)}"
    for limit in job.limits:
        if (value := limit.of(row)) is not None:
            verdict = "MISSED" if value > limit.most else "met"
            yield f"{verdict}: {limit.what}: {number(value, limit.unit)}, at most {limit.most:g}"


def summary(results: Results) -> str:
    """What the README says."""
    jobs = results["jobs"]

    def ratio(job: str, client: str = "native") -> str:
        limit = next(limit for entry in JOBS if entry.name == job for limit in entry.limits)
        return f"{limit.of(jobs.get(job, {}), client) or 0:.2f}"

    limits = [limit.of(jobs[job.name]) for job in JOBS if job.name in jobs for limit in job.limits]
    wrong = [limit for job in JOBS if job.name in jobs for limit in missed(job, jobs[job.name])]
    known = len([value for value in limits if value is not None])
    return (
        f"![Small GETs per second of CPU time]({PLOTS}/overview.svg)\n\n"
        f"A small GET takes {ratio('a')} times the instructions of a C program that does the same with\n"
        f"the same libcurl (pycurl: {ratio('a', 'pycurl')}), one of many under asyncio {ratio('h')} times"
        f" (pycurl: {ratio('h', 'pycurl')}).\n"
        f"Of {known} limits, most of them a few percent above C, {known - len(wrong)} are kept;"
        " [docs/benchmarks.md](docs/benchmarks.md)\nhas them all, and `make bench` measures them again.\n"
    )


def document(results: Results) -> str:
    """docs/benchmarks.md."""
    jobs = results["jobs"]
    shown = [job for job in JOBS if job.name in jobs]
    text = ["# Benchmarks", ""]
    text += ["![Small GETs per second of CPU time](plots/overview.svg)", "", "## In short", ""]
    text += [
        "What each job takes is compared with a C program that does the same with the same libcurl, and",
        "held to a limit. What is missed is **bold**, and looked into [below](#what-is-missed).",
    ]
    text += verdicts(results, shown)
    text += ["![What it costs, as a multiple of C's cost](plots/limits.svg)", ""]
    scattering = ", ".join(
        f"{2 * job.rounds} times for {job.name}" for job in JOBS if job.rounds > 1
    )
    text += ["## How it is measured", ""]
    text += [
        "- `make bench` does all of it: nginx on loopback, each client and each job in a process of its",
        "  own, all of them with the same options and the same short User-Agent.",
        f"- Times are medians over {results['rounds']} interleaved rounds, twice as many where time is held",
        f"  to a limit, and {scattering}, which scatter by more than is left to theirs:",
        "  what disturbs one client disturbs all. Ratios are medians of the ratios within a round.",
        "- Instructions are those in user space, counted by callgrind, per request: the difference of two",
        "  runs that differ in the number of requests. They say most where the CPU decides, time does where",
        "  bytes do.",
        "- CPU time is the client's, in user space and in the kernel, without the server's; in job j, that",
        "  of both threads.",
        "- The drop-in makes libcurl's handle when it is first used, which idle ones (k, m-new) are not.",
        "- Job n sets FRESH_CONNECT everywhere, or libcurl would look for a connection that it can use",
        "  among all that lead to the host, before each transfer. Each handle does three transfers or more.",
        "- The server shares the machine with the client. The C program in job c uses huge pages and knows",
        "  the size of the body beforehand.",
    ]
    if "another Python" in results["versions"]:
        text += [
            "- The interpreter is a part of the cost: a distribution's is built with profile-guided",
            "  optimization, one that is built with `./configure && make` is not. Instructions are counted",
            "  with both.",
        ]
    text += ["", "## Machine and versions", ""]
    text += [f"- {name}: {value}" for name, value in results["versions"].items()]
    text += [f"- measured on {results['date']}"]
    if "again" in results:
        again = results["again"]
        text += [f"- measured again on {again['date']}: {', '.join(again['jobs'])}"]
    text += ["", "## What is missed", ""]
    profiles = [line for job in shown for line in profile(job, jobs[job.name])]
    text += profiles or ["Nothing.", ""]
    if "growth" in results:
        text += ["## How it grows", "", "![Curves](plots/growth.svg)", ""]
    text += ["## All clients"]
    for job in shown:
        text += ["", f"### {job.name}. {job.title}", *details(job, jobs[job.name])]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(text)).rstrip() + "\n"


def verdicts(results: Results, shown: list[Job]) -> Iterator[str]:
    """The table of limits."""
    versions, rows = results["versions"], []
    second = "another Python" in versions
    for job in shown:
        row, title = results["jobs"][job.name], f"{job.name}. {job.title}"
        for limit in job.limits:
            measured = values(limit, row)
            cells = [number(value, limit.unit) for value in measured]
            for place, value in enumerate(measured):
                if value > limit.most:
                    cells[place] = f"**{cells[place]}**"
            cells += [""] * (1 + second - len(cells))
            wrong = sum(value > limit.most for value in measured)
            verdict = (
                "met" if not wrong else "**missed**" if wrong == len(measured) else "**partly**"
            )
            theirs = "" if limit.client == "dropin" else number(limit.of(row, "pycurl"), limit.unit)
            most = f"{limit.most:g}{limit.unit}"
            rows.append([title, limit.what, most, *cells, theirs, verdict])
            title = ""
    pythons = [versions["Python"], versions["another Python"]] if second else ["measured"]
    return table(["job", "what", "at most", *pythons, "pycurl", ""], rows, words=2)


def profile(job: Job, row: Row) -> Iterator[str]:
    """Where it goes in a job that takes too much."""
    wrong = missed(job, row)
    if not wrong:
        return
    yield f"### {job.name}: {job.title}"
    yield ""
    for limit in wrong:
        worst = max(values(limit, row))
        shown = " and ".join(number(value, limit.unit) for value in values(limit, row))
        yield (
            f"{limit.what}: {shown} where {limit.most:g}{limit.unit} is the limit,"
            f" {100 * (worst / limit.most - 1):.1f} percent too much."
        )
    ours = [client for client in CLIENTS[:4] if client in row]
    heads = [plots.NAMES.get(client, client) for client in ours]
    if any(what in limit.what for limit in wrong for what in ("wall", "CPU time")):
        parts = {
            "wall": "wall",
            "CPU in user space": "user",
            "CPU in all": "cpu",
        }
        rows = [
            [name, *(amount(row[client][key]) for client in ours)] for name, key in parts.items()
        ]
        yield from table(["time per request", *heads], rows)
    objects = {client: row[client].get("objects", {}) for client in ours}
    if any(objects.values()):
        names = dict.fromkeys(name for client in ours for name in objects[client])
        rows = [[name, *(f"{objects[client].get(name, 0):,}" for client in ours)] for name in names]
        yield from table(["instructions per request", *heads], rows)
    for limit in wrong:
        if functions := row[limit.client].get("functions"):
            compared = [plots.NAMES.get(name, name) for name in (limit.base, limit.client)]
            rows = [
                [f"`{name}`", f"{c:,}", f"{n:,}"]
                for name, (c, n) in functions.items()
                if ": 0x" not in name
            ]
            yield from table(["functions with the greatest difference", *compared], rows)
            break
    if modules := row.get("native", {}).get("modules"):
        rows = [["`libcurl.so.4`, by itself", f"{row['c']['cpu'] * 1e3:.2f}"]]
        rows += [[f"`{name}`", f"{taken:.2f}"] for name, taken in modules.items() if taken >= 0.05]
        yield from table(["module", "ms"], rows)
        yield "`libcurl._native` loads libcurl."
        yield ""
    if job.name == "k":
        yield from table(
            ["memory", *heads],
            [["KB per handle", *(number(job.limits[0].of(row, client)) for client in ours)]],
        )
    if job.name == "n":
        rows = [
            [name, *(amount(row[client][key]) for client in ours)]
            for name, key in (("100 at once", "cpu of few"), ("10,000 at once", "cpu"))
        ]
        rows.append(["multiple", *(number(row[client]["growth"]) for client in ours)])
        yield from table(["CPU time per transfer", *heads], rows)


def details(job: Job, row: Row) -> Iterator[str]:
    """What each client took."""
    clients = [client for client in CLIENTS if client in row]
    names = [plots.NAMES.get(client, client) for client in clients]
    of_c = ["of C's"] * ("c" in row and job.name != "l")
    head = ["", "wall", *of_c, "CPU", *of_c]
    counted = any("instructions" in found for found in row.values())
    head += ["instructions", *of_c] * counted + ["peak memory"] * (job.name != "l")
    head += ["each"] * (job.name == "k") + ["of 100 at once"] * (job.name == "n")
    head += ["CPU above libcurl"] * (job.name == "l")
    rows = []
    for client, name in zip(clients, names, strict=True):
        found = row[client]
        cells = [name]
        for key in ("wall", "cpu", "instructions")[: 2 + counted]:
            value = found.get(key)
            cells.append("" if not value else f"{value:,.0f}" if key[0] == "i" else amount(value))
            cells += [number(found.get(f"{key} ratio"))] * len(of_c)
        if job.name != "l":
            cells.append(f"{found['peak'] * 1.024e-3:,.0f} MB")
        if job.name == "k":
            cells.append(number(job.limits[0].of(row, client), " KB"))
        if job.name == "n":
            cells.append(number(found["growth"]))
        if job.name == "l":
            cells.append(amount(found["above"]) if found["above"] > 0 else "")
        rows.append(cells)
    return table(head, rows)


if __name__ == "__main__":
    write(json.loads((ROOT / "docs" / "benchmarks.json").read_text()))
