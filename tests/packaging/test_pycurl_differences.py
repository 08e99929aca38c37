"""The drop-in has all that the real pycurl has, on the libcurl that pycurl's own wheel brings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from installation import Venv

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
NEWEST = ROOT / ".cache" / "libcurl" / "8.23.0"


def test_no_name_value_or_signature_differs_from_the_real_pycurl(venv: Venv) -> None:
    if not NEWEST.exists():
        pytest.skip("tools/libcurls.sh fetches the newest libcurl")
    venv.pip("install", "--only-binary=:all:", "pycurl==7.49.0")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "pycurl_differences.py", venv.python],
        env={**os.environ, "LD_LIBRARY_PATH": str(NEWEST)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    names = re.fullmatch(r"0 of (\d+) names differ\n", done.stdout)
    assert names
    assert int(names[1]) > 800
