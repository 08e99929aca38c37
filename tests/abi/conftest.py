"""Real curl headers, of all the versions that Debian has, fetched when they are not there yet."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from declarations import ROOT, Headers, Ours, as_tuple, installed_headers, our_declarations

SUITES = ("bullseye", "bookworm", "trixie", "sid")


@pytest.fixture(scope="session")
def fetched() -> Path:
    """.cache/headers, filled once: later sessions find it filled."""
    done = subprocess.run([ROOT / "tools" / "headers.sh"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"the curl headers cannot be fetched:\n{done.stdout}{done.stderr}"
    return ROOT / ".cache" / "headers"


@pytest.fixture(scope="session", params=(*SUITES, "system"))
def headers(request: pytest.FixtureRequest, fetched: Path) -> Headers:
    """The headers of each suite in turn, and those that are installed, if any are."""
    if request.param == "system":
        if found := installed_headers():
            return found
        pytest.skip("no curl headers are installed")
    version = (fetched / f".{request.param}").read_text().strip()
    return Headers(fetched / version, as_tuple(version))


@pytest.fixture(scope="session")
def all_headers(fetched: Path) -> list[Headers]:
    """Those of all suites, the newest last."""
    versions = [(fetched / f".{suite}").read_text().strip() for suite in SUITES]
    return [Headers(fetched / version, as_tuple(version)) for version in versions]


@pytest.fixture(scope="session")
def ours() -> Ours:
    return our_declarations()
