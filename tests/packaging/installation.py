"""Commands, virtual environments and copies of the project for the packaging tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def run(
    *command: str | Path,
    cwd: Path = ROOT,
    fails: bool = False,
    **environment: str,
) -> str:
    """Run a command, assert that it succeeds (or fails), return all its output."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        # What would lead the compiler, the linker or the build to some libcurl.
        if not name.startswith(("LIBCURL_", "PKG_CONFIG", "PYTHON", "LD_"))
        and name not in ("CC", "CFLAGS", "LDFLAGS", "CPATH", "LIBRARY_PATH")
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert (done.returncode != 0) == fails, f"{command} gave {done.returncode}:\n{done.stdout}"
    return done.stdout


class Venv:
    """A virtual environment with nothing in it but pip."""

    def __init__(self, folder: Path, python: str | Path = sys.executable) -> None:
        run(python, "-m", "venv", folder)
        self.python = folder / "bin" / "python"

    def pip(
        self, *arguments: str | Path, fails: bool = False, cwd: Path = ROOT, **environment: str
    ) -> str:
        """Run pip; return its output."""
        pip = ("-m", "pip", "--disable-pip-version-check")
        return run(self.python, *pip, *arguments, fails=fails, cwd=cwd, **environment)

    def run(self, code: str, *, fails: bool = False, **environment: str) -> str:
        """Run Python code; return its output."""
        return run(self.python, "-c", code, cwd=Path("/"), fails=fails, **environment)

    @property
    def extension(self) -> Path:
        """The compiled module of the libcurl installed here."""
        (found,) = self.python.parent.parent.glob("lib/*/site-packages/libcurl/_native*.so")
        return found


def project_files() -> list[str]:
    """Return the names of all files that git has, or would have."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in names.splitlines() if (ROOT / name).exists()]


def copy_project(folder: Path) -> Path:
    """Copy all that git has or would have, and nothing that was built."""
    for name in project_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder
