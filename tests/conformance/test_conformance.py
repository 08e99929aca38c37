"""pycurl's own tests; `make conformance`, or `pytest -m slow tests/conformance`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "run.py"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pycurls_own_tests_pass() -> None:
    done = subprocess.run([sys.executable, RUN], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
