"""Everything in libcurl can be reached from the native face, or is excused with a reason."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import Any

TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "unreached.py"


def test_every_function_and_option_is_reached_or_excused() -> None:
    done = subprocess.run([sys.executable, TOOL], capture_output=True, text=True, timeout=60)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_no_excuse_is_left_over(monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(TOOL.parent))
    import unreached

    names = unreached.functions() | unreached.options()
    for given in unreached.EXCEPTIONS:
        assert any(re.fullmatch(given, name) for name in names), f"{given} excuses nothing"
