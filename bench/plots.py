"""The plots of docs/benchmarks.md and the README, as SVG: on paper of their own, light or dark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from jobs import JOBS, Row

NAMES = {"c": "C program", "native": "libcurl", "dropin": "libcurl.pycurl"}
#: On light and on dark paper.
COLOURS = {
    "c": ("#6e7781", "#9198a1"),
    "native": ("#0969da", "#4493f8"),
    "dropin": ("#1b9e9e", "#39c5bb"),
    "pycurl": ("#d1570f", "#f0883e"),
    "aiohttp": ("#8250df", "#ab7df8"),
    "requests": ("#9a6700", "#d29922"),
}
INK = {
    "paper": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#e6edf3"),
    "faint": ("#59636e", "#9198a1"),
    "grid": ("#dde3e9", "#2a313a"),
    "other": ("#b6bec7", "#4b545f"),
}
LINE, MARGIN = 18, 16


class Figure:
    """An SVG picture: paper, on which lines and words are put."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """Words at a point, in the middle of their line."""
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        self.parts.append(
            f'<text x="{x:.1f}" y="{y + 4:.1f}" class="{kind}" text-anchor="{anchor}">{text}</text>'
        )

    def line(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" class="{kind}"/>')

    def bar(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """A rectangle."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}"'
            f' rx="2" class="{kind}"/>'
        )

    def dot(self, x: float, y: float, kind: str, radius: float = 3.5) -> None:
        """A point."""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}"/>')

    def legend(self, x: float, y: float, clients: Iterable[str]) -> float:
        """Which colour is whose; returns where it ends."""
        for client in clients:
            name = NAMES.get(client, client)
            self.dot(x, y, f"{client} fill", 4.5)
            self.text(x + 10, y, name)
            x += 36 + 6.2 * len(name)
        return x

    def svg(self) -> str:
        """The file."""

        def style(which: int) -> str:
            colours = {name: both[which] for name, both in (COLOURS | INK).items()}
            return f"svg{{color:{colours['ink']}}}" + "".join(
                f".{name}{{color:{colour}}}" for name, colour in colours.items()
            )

        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}"'
            f' width="{self.width}" height="{self.height}" role="img">\n'
            f"<title>{self.title}</title>\n<style>\n{style(0)}\n"
            f"@media(prefers-color-scheme:dark){{{style(1)}}}\n"
            "text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;"
            "fill:currentColor}\n.bold{font-weight:600;font-size:13px}\n"
            "rect,.fill{fill:currentColor}\npolyline{fill:none;stroke:currentColor}\n"
            ".curve{stroke-width:2;stroke-linejoin:round}\n.limit{stroke-width:2}\n</style>\n"
            f'<rect width="{self.width}" height="{self.height}" rx="8" class="paper"/>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


class Axis:
    """Maps values to a range of pixels."""

    def __init__(self, low: float, high: float, start: float, end: float, log: bool) -> None:
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log

    def __call__(self, value: float) -> float:
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers, not too many."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = 10 ** math.floor(math.log10(self.high / 2))
        step = next(step * n for n in (1, 2, 5, 10) if self.high / (step * n) <= 5)
        return [n * step for n in range(int(self.high / step) + 1)]


def short(value: float) -> str:
    """1000 is 1k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def draw(results: dict[str, Any]) -> dict[str, str]:
    """All of them, by file name."""
    found = {"overview.svg": overview(results["jobs"]), "limits.svg": limits(results["jobs"])}
    if "growth" in results:
        found["growth.svg"] = growth(results["growth"])
    return found


def overview(jobs: dict[str, Row]) -> str:
    """How many small GETs each client does in a second of CPU time."""
    panels = [("a", "One after the other"), ("h", "asyncio, 100 at a time")]
    rows = max(len(jobs.get(name, {})) for name, _ in panels)
    figure = Figure(860, 96 + 24 * rows, "GETs per second of CPU time")
    figure.text(MARGIN, 24, "Small GETs per second of CPU time", "bold")
    figure.text(MARGIN, 24 + LINE, "the client's, without the server's; longer is better", "faint")
    for number, (name, title) in enumerate(panels):
        row = jobs.get(name, {})
        # By way of the ratio to C, which is steadier than the time.
        rates = {
            client: 1 / (row["c"]["cpu"] * found["cpu ratio"]) for client, found in row.items()
        }
        left = MARGIN + 425 * number
        axis = Axis(0, max(rates.values(), default=1), left + 108, left + 350, log=False)
        figure.text(left + 108, 76, title, "bold")
        for place, (client, rate) in enumerate(sorted(rates.items(), key=lambda item: -item[1])):
            y = 100 + 24 * place
            ours = "bold" if client in ("native", "dropin") else ""
            figure.text(left + 100, y, NAMES.get(client, client), ours, "end")
            kind = client if client in ("c", "native", "dropin", "pycurl") else "other"
            figure.bar(axis.start, y - 8, axis(rate) - axis.start, 16, kind)
            figure.text(axis(rate) + 6, y, f"{rate:,.0f}", "faint")
    return figure.svg()


def limits(jobs: dict[str, Row]) -> str:
    """What a request costs, as a multiple of C's cost, and what it may."""
    rows = [
        (f"{job.name}. {job.title.replace('`', '')}", limit, jobs[job.name])
        for job in JOBS
        for limit in job.limits
        if limit.key and job.name in jobs
    ]
    clients = ("native", "dropin", "pycurl")
    values = [limit.of(row, client) for _, limit, row in rows for client in clients]
    known = [value for value in values if value]
    low, high = min([0.9, *known]) * 0.95, max([2.0, *known]) * 1.05
    height = 100 + 26 * len(rows)
    figure = Figure(860, height + 34, "Cost as a multiple of C's")
    figure.text(MARGIN, 24, "What it costs, as a multiple of what a C program takes", "bold")
    figure.text(MARGIN, 24 + LINE, "with the same libcurl; less is better", "faint")
    end = figure.legend(MARGIN + 5, 24 + 2 * LINE + 4, clients)
    figure.line([(end, 56), (end, 72)], "ink limit")
    figure.text(end + 8, 64, "limit for libcurl")
    axis = Axis(low, high, 400, 860 - 24, log=True)
    for tick in (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8):
        if low <= tick <= high:
            figure.line(
                [(axis(tick), 84), (axis(tick), height - 8)], "faint" if tick == 1 else "grid"
            )
            figure.text(
                axis(tick), height + 6, "C" if tick == 1 else f"{tick:g}\u00d7", "faint", "middle"
            )
    for place, (title, limit, row) in enumerate(rows):
        y = 100 + 26 * place
        figure.text(MARGIN, y, title)
        figure.text(390, y, limit.key, "faint", "end")
        figure.line([(axis.start, y), (axis.end, y)], "grid")
        figure.line([(axis(limit.most), y - 9), (axis(limit.most), y + 9)], "ink limit")
        for client in reversed(clients):
            value = limit.of(row, client)
            if value:
                figure.dot(axis(value), y, f"{client} fill", 5)
    return figure.svg()


def growth(curves: dict[str, Any]) -> str:
    """How costs grow: panels of curves."""
    cpu = "CPU time per GET, \u00b5s"
    panels = [
        (
            "concurrent",
            "Concurrent GETs, Multi.run()",
            cpu,
            "at a time",
            lambda x, at: at["cpu"] * 1e6,
        ),
        ("asyncio", "Concurrent GETs, asyncio", cpu, "at a time", lambda x, at: at["cpu"] * 1e6),
        ("headers", "Header lines to a callback", cpu, "headers", lambda x, at: at["cpu"] * 1e6),
        ("threads", "Threads", "GETs per second", "threads", lambda x, at: 1 / at["wall"]),
        (
            "size",
            "Bodies into memory",
            "MB per second",
            "bytes",
            lambda x, at: x / at["wall"] / 1e6,
        ),
        (
            "size",
            "Bodies into memory",
            "memory, MB",
            "bytes",
            lambda x, at: max(1, at["added"] * 1.024e-3),
        ),
    ]
    clients = [name for name in COLOURS if any(name in found for found in curves.values())]
    figure = Figure(860, 800, "How costs grow")
    figure.legend(MARGIN + 5, 24, clients)
    for number, (name, title, unit, label, value) in enumerate(panels):
        points = {
            client: [(int(x), value(int(x), at)) for x, at in curve.items()]
            for client, curve in curves.get(name, {}).items()
        }
        panel(figure, (number % 2) * 425, 44 + number // 2 * 250, title, unit, label, points)
    return figure.svg()


def panel(
    figure: Figure,
    left: float,
    top: float,
    title: str,
    unit: str,
    label: str,
    curves: dict[str, Sequence[tuple[int, float]]],
) -> None:
    """A set of curves with its axes."""
    xs = sorted({x for points in curves.values() for x, _ in points})
    ys = [y for points in curves.values() for _, y in points if y > 0]
    if not ys:
        return
    figure.text(left + MARGIN, top + 16, title, "bold")
    figure.text(left + MARGIN, top + 16 + LINE, unit, "faint")
    log_x, log_y = xs[-1] / max(xs[0], 1) > 50, max(ys) / min(ys) > 50
    across = Axis(xs[0] if log_x else 0, xs[-1], left + 62, left + 404, log_x)
    low = 10.0 ** math.floor(math.log10(min(ys))) if log_y else 0
    high = 10.0 ** math.ceil(math.log10(max(ys))) if log_y else max(ys) * 1.08
    up = Axis(low, high, top + 206, top + 52, log_y)
    for tick in up.ticks():
        figure.line([(across.start, up(tick)), (across.end, up(tick))], "grid")
        figure.text(across.start - 8, up(tick), short(tick), "faint", "end")
    for tick in xs if not log_x and len(xs) < 6 else across.ticks():
        figure.text(across(tick), up.start + 16, short(tick), "faint", "middle")
    figure.text(across.end, up.start + 16 + LINE - 2, label, "faint", "end")
    for client, points in reversed(list(curves.items())):
        places = [(across(x), up(max(y, low or y))) for x, y in points]
        figure.line(places, f"{client} curve")
        for x, y in places:
            figure.dot(x, y, f"{client} fill", 3)
