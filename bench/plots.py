"""The plots of docs/benchmarks.md."""

from __future__ import annotations

import pathlib
from typing import Any

from jobs import JOBS

_COLOURS = {
    "c": "#555555",
    "native": "#0b6fb8",
    "dropin": "#5fb0e5",
    "pycurl": "#e08a1e",
    "curl_cffi": "#8e6bbf",
    "aiohttp": "#3d9a50",
    "httpx": "#c0504d",
    "requests": "#a0813c",
    "urllib3": "#7f9f3f",
    "tornado": "#b35c9c",
}
_NAMES = {"c": "C", "native": "libcurl (native)", "dropin": "libcurl.pycurl"}


def draw(results: dict[str, Any], folder: pathlib.Path) -> None:
    """All of them, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "libcurl", "svg.fonttype": "none", "font.size": 9})
    _ratios(results["jobs"], folder / "ratios.svg")
    _asyncio(results["jobs"], folder / "asyncio.svg")
    if "growth" in results:
        _growth(results["growth"], folder / "growth.svg")


def _save(figure: Any, path: pathlib.Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    # matplotlib leaves spaces at the ends of lines, which no text file here has.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def _ratios(jobs: dict[str, Any], path: pathlib.Path) -> None:
    from matplotlib.figure import Figure

    rows = []
    for job in JOBS:
        key = f"{job.measure} ratio"
        row = {
            client: found[key]
            for client, found in jobs.get(job.name, {}).items()
            if client in ("native", "dropin", "pycurl") and found.get(key)
        }
        if row and (job.limit or job.no_slower_than):
            rows.append((job, row))
    if not rows:
        return
    figure = Figure(figsize=(8, 0.5 * len(rows) + 1.2))
    axes = figure.subplots()
    for number, client in enumerate(("native", "dropin", "pycurl")):
        places = [i + 0.27 * (number - 1) for i, (_, row) in enumerate(rows) if client in row]
        values = [row[client] for _, row in rows if client in row]
        axes.barh(places, values, 0.25, color=_COLOURS[client], label=_NAMES.get(client, client))
    axes.axvline(1, color=_COLOURS["c"], linewidth=1)
    axes.set_yticks(
        range(len(rows)), [f"{job.name}. {job.title} ({job.measure})" for job, _ in rows]
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 4)
    axes.set_xlabel("cost in terms of C with the same libcurl (1 = C)")
    axes.legend(loc="lower right")
    _save(figure, path)


def _asyncio(jobs: dict[str, Any], path: pathlib.Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3))
    drawn = False
    for axes, name in zip(figure.subplots(1, 2), ("h", "h2"), strict=True):
        row = jobs.get(name, {})
        clients = [client for client in _COLOURS if client in row]
        values = [1e6 * row[client]["cpu"] for client in clients]
        drawn = drawn or bool(clients)
        names = [_NAMES.get(client, client) for client in clients]
        axes.barh(names, values, color=[_COLOURS[client] for client in clients])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlabel("CPU per request, microseconds (logarithmic)")
        axes.set_title({"h": "asyncio, 100 at a time", "h2": "the same over HTTP/2"}[name])
    if drawn:
        _save(figure, path)


def _growth(growth: dict[str, Any], path: pathlib.Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6))
    titles = {
        "concurrent": ("concurrent transfers", "CPU per transfer, us", "cpu"),
        "size": ("size of the body, bytes", "MB per second", "speed"),
        "headers": ("response headers, each to a callback", "CPU per request, us", "cpu"),
        "threads": ("threads", "requests per second", "rate"),
    }
    for axes, (name, (label, unit, kind)) in zip(
        figure.subplots(2, 2).flat, titles.items(), strict=True
    ):
        for client, curve in growth.get(name, {}).items():
            points = sorted((int(x), found) for x, found in curve.items())
            if kind == "cpu":
                values = [1e6 * found["cpu"] for _, found in points]
            elif kind == "rate":
                values = [1 / found["wall"] for _, found in points]
            else:
                values = [x / found["wall"] / 1e6 for x, found in points]
            axes.plot(
                [x for x, _ in points],
                values,
                marker="o",
                markersize=3,
                color=_COLOURS[client],
                label=_NAMES.get(client, client),
            )
        if name in ("concurrent", "size"):
            axes.set_xscale("log")
        if name == "size":
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(label)
        axes.set_ylabel(unit)
        axes.legend(fontsize=7)
    _save(figure, path)
