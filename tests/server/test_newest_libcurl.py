"""Tests of this folder and of tests/lifetime again, under the newest supported libcurl."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from libcurl.raw import LOADED

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NEWEST = ROOT / ".cache" / "libcurl" / "8.23.0"
#: What only a newer libcurl has; the others are left to the slow test.
NEWER = "notif or notification or get_offt or waitfds or push"


def again(*arguments: str) -> None:
    """Run pytest under the newest libcurl."""
    if LOADED >= (8, 23):
        pytest.skip("this is the newest")
    if not (NEWEST / "libcurl.so.4").exists():
        pytest.skip("tools/libcurls.sh fetches the newest libcurl")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(NEWEST)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_what_only_the_newest_libcurl_has_works() -> None:
    again("tests/server/test_multi.py", "-k", NEWER)


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [
        "server/test_multi.py",
        "server/test_share.py",
        "server/test_libcurl_behaviour.py",
        "lifetime/test_closers.py",
        "lifetime/test_closer_exceptions.py",
    ],
)
def test_the_newest_libcurl_is_no_different(what: str) -> None:
    again(f"tests/{what}", "-m", "slow or not slow")
