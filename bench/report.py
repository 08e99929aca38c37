"""Writes docs/benchmarks.md and its plots, from the results in docs/benchmarks.json."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import plots
from jobs import (
    CALLS_MOST,
    CLIENTS,
    CROWD_MOST,
    IDLE_MOST,
    IMPORT_MOST,
    JOBS,
    MOST_INSTRUCTIONS,
    PEAK_MOST,
    Job,
)

Row = dict[str, Any]
_OTHERS = tuple(client for client in CLIENTS if client not in ("c", "native", "dropin", "pycurl"))
_GIL = 0.005  # sys.getswitchinterval()


def verdicts(job: Job, row: Row) -> list[tuple[str, bool]]:
    """What must come out of a job, each with whether it does: of the native face, m of the drop-in."""
    ours = row.get("native", {})
    found: list[tuple[str, bool]] = []
    if job.name == "m":
        theirs, drop = row.get("pycurl"), row.get("dropin")
        if theirs and drop:
            for call, most in CALLS_MOST.items():
                times = drop[call] / theirs[call]
                found.append((f"{call}: {times:.2f} of pycurl's, at most {most:g}", times <= most))
        return found
    if not ours:
        return found
    if job.name == "k":
        size = ours["kept"] * 1.024 / job.count
        found.append((f"{size:.2f} KB each, at most {IDLE_MOST}", size <= IDLE_MOST))
    elif job.name == "l":
        above = ours["above"] * 1e3
        found.append(
            (f"{above:.1f} ms above libcurl, at most {IMPORT_MOST:g}", above <= IMPORT_MOST)
        )
    elif job.name == "n":
        times = ours["growth"]
        found.append((f"{times:.2f} times the CPU, at most {CROWD_MOST}", times <= CROWD_MOST))
    elif job.name == "j":
        each = ours["wall"]
        found.append(
            (f"{each * 1e3:.1f} ms each, one wait is {_GIL * 1e3:.0f}", each <= 1.5 * _GIL)
        )
    if job.limit is not None:
        key = f"{job.measure} ratio"
        if ours.get(key) is not None:
            value = ours[key]
            found.append(
                (f"{job.measure} {value:.3f} of C, at most {job.limit}", value <= job.limit)
            )
    if job.no_slower_than in row:
        value = ours.get(job.measure), row[job.no_slower_than].get(job.measure)
        if None not in value:
            times = value[0] / value[1]  # type: ignore[operator]
            found.append((f"{times:.2f} of {job.no_slower_than}", times <= 1))
    if job.name in MOST_INSTRUCTIONS and "instructions" in ours:
        most = MOST_INSTRUCTIONS[job.name]
        value = ours["instructions"]
        found.append((f"{value:,.0f} instructions each, at most {most:,}", value <= most))
    if job.name == "c":
        times = (ours["peak"] - ours["base"]) * 1024 / job.size
        found.append(
            (f"peak memory {times:.2f} of the body, at most {PEAK_MOST}", times <= PEAK_MOST)
        )
    return found


def lines(job: Job, row: Row) -> list[str]:
    """A row for people who watch."""
    shown = [
        f"{client:10} {text}" for client, text in ((c, cell(job, row, c)) for c in row) if text
    ]
    return shown + [f"{'met' if met else 'MISSED'}: {text}" for text, met in verdicts(job, row)]


def cell(job: Job, row: Row, client: str) -> str:
    """What a client took."""
    found = row.get(client)
    if not found:
        return ""
    if job.name == "m":
        return ", ".join(f"{call} {value:,.0f} ns" for call, value in found.items())
    if job.name == "k":
        return f"{found['kept'] * 1.024 / job.count:.2f} KB"
    if job.name == "l":
        return f"{found['wall'] * 1e3:.1f} ms, {found['cpu'] * 1e3:.1f} ms CPU"
    if job.name == "n":
        return f"{found['growth']:.2f} times, {found['cpu'] * 1e6:.0f} us"
    parts = []
    if client == "c":
        parts.append(amount(found["wall"]))
        if "instructions" in found:
            parts.append(f"{found['instructions'] / 1e3:,.1f}k instr.")
    else:
        if found.get("instructions ratio"):
            parts.append(f"instr. {found['instructions ratio']:.3f}")
        for key in ("wall", "cpu"):
            value = found.get(f"{key} ratio")
            parts.append(f"{key} {value:.2f}" if value else f"{key} {amount(found[key])}")
    if job.name == "c":
        parts.append(f"peak {(found['peak'] - found['base']) / 1024:.0f} MiB")
    return ", ".join(parts)


def amount(seconds: float) -> str:
    """A time, in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def write(results: dict[str, Any], folder: pathlib.Path) -> None:
    """docs/benchmarks.md, and the plots in docs/plots."""
    jobs = results["jobs"]
    shown = [job for job in JOBS if job.name in jobs]
    text = [
        "# Benchmarks",
        "",
        "`make bench` measures all of this: C programs with the same libcurl (the limit), this library's",
        "two faces, pycurl, and other clients, on one machine, against nginx on loopback. The same options",
        "and the same short User-Agent everywhere. Times are medians of ratios to C over"
        f" {results['rounds']} interleaved",
        "rounds; instructions are what callgrind counts in user space per request, start-up subtracted.",
        "What a row must show is written beside it; where it is missed, it says so.",
        "",
        *(f"- {name}: {value}" for name, value in results["versions"].items()),
        f"- measured on {results['date']}",
        "",
        "![Cost in terms of C](plots/ratios.svg)",
        "",
        "## Against C and pycurl",
        "",
        "| job | C | native | drop-in | pycurl | wanted |",
        "|---|---|---|---|---|---|",
    ]
    for job in shown:
        row = jobs[job.name]
        wanted = "; ".join(
            f"{'met' if met else '**missed**'}: {what}" for what, met in verdicts(job, row)
        )
        cells = [cell(job, row, client) for client in ("c", "native", "dropin", "pycurl")]
        text.append(f"| {job.name}. {job.title} | {' | '.join(cells)} | {wanted} |")
    text += ["", "## Against other clients", ""]
    text += [
        f"| job | native | {' | '.join(_OTHERS)} |",
        f"|---|---|{'---|' * len(_OTHERS)}",
    ]
    for job in shown:
        row = jobs[job.name]
        if any(client in row for client in _OTHERS):
            cells = [cell(job, row, client) for client in ("native", *_OTHERS)]
            text.append(f"| {job.name}. {job.title} | {' | '.join(cells)} |")
    text += ["", "![Asyncio clients](plots/asyncio.svg)"]
    if "growth" in results:
        text += ["", "## How it grows", "", "![Growth](plots/growth.svg)"]
    (folder / "benchmarks.md").write_text("\n".join(text) + "\n")
    (folder / "plots").mkdir(exist_ok=True)
    plots.draw(results, folder / "plots")


if __name__ == "__main__":
    source = pathlib.Path(sys.argv[1])
    write(json.loads(source.read_text()), source.parent)
