"""Run the test suite on other Pythons and libcurls: matrix.py [CELL...].

One wheel is built and installed, not rebuilt, on every CPython from 3.10 that this machine has,
with the machine's libcurl and with the oldest and the newest supported (tools/libcurls.sh), and in
chroots of other Debian suites (tools/chroot.sh). PyPy, and a CPython without a GIL, build their own.

A cell is chosen by a part of its name; `list` lists them. In every cell tools/smoke.py runs first,
then, but for the oldest libcurl, the default tests without those that depend neither on the Python
nor on the libcurl: of the declarations (tests/abi) and of the test servers themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
WORK = CACHE / "matrix"
OLDEST = "7.74.0"
NEWEST = "8.23.0"
IGNORED = ("tests/abi", "tests/server/test_servers.py")
JOBS = os.environ.get("JOBS", "4")


class Host:
    """This machine."""

    name = "here"
    project = ROOT  # where the tests are
    venvs = WORK  # where virtual environments go

    def prepare(self, python: str) -> None:
        """`make matrix` has done it."""

    def outside(self, path: Path) -> Path:
        """Return the path by which this process finds a file of the machine."""
        return path

    def command(self, command: Sequence[str | Path], environment: dict[str, str]) -> list[str]:
        """Return what this machine runs to run a command in the project's folder."""
        settings = [f"{name}={value}" for name, value in environment.items()]
        return ["env", "-C", str(self.project), *settings, *map(str, command)]

    def run(self, *command: str | Path, **environment: str) -> None:
        """Run a command in the project's folder."""
        whole = self.command(command, environment)
        subprocess.run(whole, check=True, stdin=subprocess.DEVNULL, timeout=1800)

    def output(self, *command: str | Path, **environment: str) -> str:
        """Run a command in the project's folder, return what it prints."""
        whole = self.command(command, environment)
        pipe = subprocess.PIPE
        done = subprocess.run(
            whole, check=True, stdin=subprocess.DEVNULL, stdout=pipe, text=True, timeout=300
        )
        return done.stdout.strip()


class Chroot(Host):
    """A Debian of another suite."""

    project = Path("/libcurl")
    venvs = Path("/venvs")

    def __init__(self, suite: str) -> None:
        self.name = suite
        self._enter = str(ROOT / "tools" / "chroot.sh")

    def prepare(self, python: str) -> None:
        """Make it, with all packages that are needed, and copy the project there."""
        subprocess.run([self._enter, self.name], check=True)
        copy_project(self.outside(self.project))
        groups = ("build", "run", "test")
        self.run("tools/apt-packages.sh", *groups, PYTHON=python)

    def outside(self, path: Path) -> Path:
        """Return the path by which this process finds a file of the chroot."""
        return CACHE / "chroots" / self.name / path.relative_to("/")

    def command(self, command: Sequence[str | Path], environment: dict[str, str]) -> list[str]:
        """Return what this machine runs to run a command in the copy of the project."""
        return [self._enter, self.name, *super().command(command, environment)]


@dataclass
class Cell:
    """One Python with one libcurl."""

    machine: Host
    tag: str
    python: str
    libcurl: str = ""  # empty: the machine's own
    suite: bool = True  # or the smoke test only
    loaded: str = ""  # Python and libcurl, as the smoke test found them
    result: str = "not run"
    seconds: float = 0

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.machine.name}-{self.tag}-{self.libcurl or 'system'}"

    def run(self, wheel: Path) -> bool:
        """Install and test; tell whether all went well."""
        print(f"\n==> {self.name}", flush=True)
        start = time.monotonic()
        try:
            self.result = self._run(wheel)
            passed = True
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(error, flush=True)
            self.result = f"FAILED {self._counts()}"
            passed = False
        self.seconds = time.monotonic() - start
        return passed

    def _run(self, wheel: Path) -> str:
        self._report().unlink(missing_ok=True)
        self.machine.prepare(self.python)
        bin = self._install(wheel)
        environment = {"LD_LIBRARY_PATH": ""}
        if self.libcurl:
            environment["LD_LIBRARY_PATH"] = str(CACHE / "libcurl" / self.libcurl)
        expected = [self.libcurl] if self.libcurl else []
        smoke: list[str | Path] = [bin / "python", "tools/smoke.py", *expected]
        self.loaded = self.machine.output(*smoke, **environment)
        print(self.loaded, flush=True)
        if not self.suite:
            return "imports and fetches"
        report = self.machine.venvs / f"{self.name}.xml"
        ignored = [f"--ignore={path}" for path in IGNORED]
        pytest: list[str | Path] = [bin / "pytest", "-q", "-n", JOBS, *ignored]
        pytest.append(f"--junitxml={report}")
        self.machine.run(*pytest, **environment)
        return self._counts()

    def _install(self, wheel: Path) -> Path:
        venv = self.machine.venvs / self.tag
        pip = [str(venv / "bin" / "python"), "-m", "pip", "--quiet"]
        install = [*pip, "install"]
        if not self.machine.outside(venv / "ready").exists():
            self.machine.run(self.python, "-m", "venv", "--clear", venv)
            self.machine.run(*install, "--upgrade", "pip")
            self.machine.outside(venv / "ready").touch()
        package: Path = self.machine.project  # without a stable ABI it is compiled there
        free_threaded = self.tag.startswith("cp") and self.tag.endswith("t")
        if not (free_threaded or self.tag.startswith("pypy")):
            package = self.machine.venvs / wheel.name
            if self.machine.outside(package) != wheel:
                shutil.copy(wheel, self.machine.outside(package))
        self.machine.run(*install, "--group", "test-free-threaded" if free_threaded else "test")
        self.machine.run(*pip, "uninstall", "--yes", "libcurl")
        self.machine.run(*install, package)
        return venv / "bin"

    def _report(self) -> Path:
        return self.machine.outside(self.machine.venvs / f"{self.name}.xml")

    def _counts(self) -> str:
        if not self._report().exists():
            return ""
        counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
        for suite in ET.parse(self._report()).getroot().iter("testsuite"):
            for key in counts:
                counts[key] += int(suite.get(key, "0"))
        failed = counts["failures"] + counts["errors"]
        passed = counts["tests"] - failed - counts["skipped"]
        parts = [f"{passed} passed"]
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{counts['skipped']} skipped"] if counts["skipped"] else []
        return ", ".join(parts)


def cells() -> Iterator[Cell]:
    """All that there are on this machine."""
    host = Host()
    for tag, python in interpreters():
        yield Cell(host, tag, python)
        yield Cell(host, tag, python, NEWEST)
        yield Cell(host, tag, python, OLDEST, suite=False)
    yield Cell(Chroot("trixie"), "pypy3", "pypy3")
    yield Cell(Chroot("trixie"), "python3", "python3")
    yield Cell(Chroot("sid"), "python3", "python3")


def interpreters() -> Iterator[tuple[str, str]]:
    """Every CPython from 3.10: of each version the first of this one, PATH's and pyenv's.

    Without a GIL from 3.14, which is the oldest that cffi supports.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [sys.executable]
    for minor in range(10, 20):
        for name in (f"python3.{minor}", f"python3.{minor}t"):
            found += [path] if (path := shutil.which(name)) else []
        found += [str(path) for path in sorted(pyenv.glob(f"3.{minor}.*/bin/python3"))]
    question = (
        "import sys, ensurepip, venv; assert sys.implementation.name == 'cpython';"
        "t = 't' if 't' in sys.abiflags else '';"
        "assert sys.version_info >= ((3, 14) if t else (3, 10));"
        "print('cp%d%d' % sys.version_info[:2] + t)"
    )
    versions: dict[str, str] = {}
    for python in found:
        done = subprocess.run([python, "-c", question], capture_output=True, text=True)
        if done.returncode == 0:
            versions.setdefault(done.stdout.strip(), python)
    yield from sorted(versions.items())


def copy_project(folder: Path) -> None:
    """Copy what git has or would have, and nothing that was built."""
    shutil.rmtree(folder, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)


def build_wheel() -> Path:
    """Build the wheel that all CPythons get."""
    print("==> wheel", flush=True)
    source = WORK / "source"
    copy_project(source)
    for old in WORK.glob("*.whl"):
        old.unlink()
    pip = [sys.executable, "-m", "pip", "wheel"]
    Host().run(*pip, "--quiet", "--no-deps", "--wheel-dir", WORK, source)
    (wheel,) = WORK.glob("*.whl")
    if "-cp310-abi3-" not in wheel.name:
        raise SystemExit(f"not a wheel for the stable ABI: {wheel.name}")
    print(wheel.name, flush=True)
    return wheel


def main() -> None:
    """Run the cells that the arguments choose, print a table."""
    wanted = sys.argv[1:]
    all_cells = list(cells())
    chosen = [cell for cell in all_cells if not wanted or any(word in cell.name for word in wanted)]
    if wanted == ["list"] or not chosen:
        print(*(cell.name for cell in all_cells), sep="\n")
        sys.exit(wanted != ["list"])
    WORK.mkdir(parents=True, exist_ok=True)
    if any(cell.libcurl for cell in chosen):
        Host().run("tools/libcurls.sh", PYTHON=sys.executable)
    wheel = build_wheel()
    passed = [cell.run(wheel) for cell in chosen]

    print(f"\n{'cell':23} {'Python and libcurl':40} seconds  result")
    for cell in chosen:
        loaded = " ".join(cell.loaded.split()[:3])  # without libcurl's own libraries
        print(f"{cell.name:23} {loaded:40} {cell.seconds:7.0f}  {cell.result}")
    sys.exit(not all(passed))


if __name__ == "__main__":
    main()
