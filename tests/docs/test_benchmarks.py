"""What README.md and docs/ say about speed is what docs/benchmarks.json says."""

from __future__ import annotations

import json
import pathlib
import xml.etree.ElementTree as ET
from typing import Any

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "bench")
    import report

    return report


def test_documents_and_plots_are_made_of_the_results(report: Any) -> None:
    results = json.loads((ROOT / "docs" / "benchmarks.json").read_text())
    made = report.files(results)
    assert {path for path in made if path.suffix == ".svg"} == set(ROOT.glob("docs/plots/*"))
    for path, text in made.items():
        assert path.read_text() == text, f"python bench/report.py writes {path.name} again"


def test_results_are_those_of_a_whole_run(report: Any) -> None:
    results = json.loads((ROOT / "docs" / "benchmarks.json").read_text())
    assert list(results["jobs"]) == [job.name for job in report.JOBS]
    for job in report.JOBS:
        for limit in job.limits:
            assert limit.of(results["jobs"][job.name]) is not None
    assert results["growth"].keys() == {"concurrent", "asyncio", "size", "headers", "threads"}
    assert results["rounds"] >= 7


def test_plots_are_xml() -> None:
    for path in ROOT.glob("docs/plots/*"):
        assert ET.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_a_limit_is_kept_or_missed(report: Any) -> None:
    job = next(job for job in report.JOBS if job.name == "a")
    for ratio, missed in ((1.08, []), (1.09, list(job.limits))):
        assert report.missed(job, {"native": {"instructions ratio": ratio}}) == missed
    assert report.missed(job, {"c": {}}) == []


def test_a_profile_has_what_each_function_itself_costs(report: Any, tmp_path: pathlib.Path) -> None:
    import callgrind

    path = tmp_path / "callgrind.out"
    path.write_text(
        "events: Ir\nob=(1) /usr/lib/libcurl.so.4.8.0\nfn=(1) curl_easy_perform\n12 100\n+3 5\n"
        "cob=(2) /usr/lib/libc.so.6\ncfn=(2) memcpy'2\ncalls=2 40\n* 30\n16 7\n\n"
        "ob=(2)\nfn=(2)\n40 30\ntotals: 142\n"
    )
    profile = callgrind._parse(path)
    assert profile == {("libcurl.so", "curl_easy_perform"): 112, ("C library", "memcpy"): 30}
