"""pycurl's own test suite, unmodified, against `libcurl.pycurl`.

    python tests/conformance/run.py [arguments for pytest]      tests/share_test.py, -k name, -x, ...

Its sdist is fetched by pip, and only tests/ and three files that they read are taken out of it. They run
in a virtual environment of their own, which has no pycurl: `import pycurl` finds the drop-in there,
in the processes that tests start too. As root they run in a network namespace, because of fixed ports.

What is in excused.txt may fail. Everything is kept in .cache/conformance.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "conformance"
PYCURL = "pycurl-7.49.0"
PACKAGES = """
    cffi pytest pytest-timeout pytest-run-parallel flaky flask numpy paramiko<4 websockets>=12 psutil
    setuptools>=77
""".split()
if sys.implementation.name == "pypy":
    PACKAGES.append("cryptography<46")  # later ones need a function that PyPy 7.3.19 lacks
# setup_test.py is about the build of pycurl's C extension.
LEFT_OUT = ("tests/setup_test.py",)
READ_BY_TESTS = ("README.rst", "INSTALL.rst", "pytest.ini")


def fetch_tests() -> Path:
    """tests/ of the sdist, and what they read."""
    target = CACHE / PYCURL
    if not target.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        wanted = ["--no-binary=:all:", "--dest", str(CACHE), PYCURL.replace("-", "==")]
        subprocess.run([*pip, *wanted], check=True)
        with tarfile.open(CACHE / f"{PYCURL}.tar.gz") as sdist:
            for member in sdist:
                path = member.name.partition("/")[2]
                if (path.startswith("tests/") and path not in LEFT_OUT) or path in READ_BY_TESTS:
                    sdist.extract(member, CACHE, filter="data")
    return target


def make_venv() -> Path:
    """Python with what the tests need, and the drop-in as pycurl. Returns the interpreter."""
    version = f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
    folder = CACHE / f"venv-{version}"
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (folder / "done").touch()
    import libcurl

    source = Path(libcurl.__file__).resolve().parents[1]
    [site] = folder.glob("lib/*/site-packages")
    (site / "conformance.pth").write_text(
        f"{source}\nimport libcurl.pycurl; libcurl.pycurl.install()\n"
    )
    return python


def excused(tests: Iterable[str], libcurl_version: tuple[int, ...]) -> dict[str, str]:
    """{test: reason} of excused.txt, as far as it is about this libcurl or this Python."""
    found = {}
    for line in (HERE / "excused.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, where, reason = line.split(maxsplit=2)
            if not _is_here(where, libcurl_version):
                continue
            for test in tests:
                if test == name or (name[-1] == "*" and test.startswith(name[:-1])):
                    found[test] = reason
    return found


def _is_here(where: str, libcurl_version: tuple[int, ...]) -> bool:
    python, _, newest = where.partition("-")
    if not python.isalpha():
        return _is_within(libcurl_version, where)
    newest_too = not newest or sys.version_info[:2] <= _numbers(newest)
    return python == sys.implementation.name and newest_too


def _is_within(version: tuple[int, ...], versions: str) -> bool:
    oldest, _, newest = versions.partition("-")
    return newest != "" and _numbers(oldest) <= version and version[:2] <= _numbers(newest)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def run(python: Path, folder: Path, arguments: list[str]) -> dict[str, str]:
    """Run the tests; {test: what became of it}."""
    report = CACHE / "report.xml"
    report.unlink(missing_ok=True)
    uploads = folder / "tests" / "tmp"
    shutil.rmtree(uploads, ignore_errors=True)
    uploads.mkdir()
    uploads.chmod(0o777)
    command = [str(python), "-m", "pytest", "-q", "-ra", "--timeout=600", f"--junitxml={report}"]
    command += ["-p", "no:cacheprovider", "-o", "junit_family=xunit1", *arguments]
    if os.geteuid() == 0 and shutil.which("unshare"):
        inside = 'ip link set lo up && exec "$@"'
        command = ["unshare", "--net", "sh", "-c", inside, "sh", *command]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    vsftpd = shutil.which("vsftpd", path="/usr/sbin:/usr/bin")
    if vsftpd and os.geteuid() == 0:
        environment["PYCURL_VSFTPD_PATH"] = vsftpd
    subprocess.run(command, cwd=folder, env=environment)
    if not report.exists():
        raise SystemExit("the test run did not come to its end")
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case} - {"properties", "system-out", "system-err"}
        name = case.get("classname", "").removeprefix("tests.").replace(".", "::")
        outcomes[f"{name}::{case.get('name')}"] = ", ".join(sorted(kinds)) or "passed"
    return outcomes


def main(arguments: list[str]) -> int:
    """Run, compare with excused.txt, tell."""
    CACHE.mkdir(parents=True, exist_ok=True)
    # A shell that starts something in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from libcurl.raw import LOADED

    outcomes = run(make_venv(), fetch_tests(), arguments)
    failures = {test for test, outcome in outcomes.items() if outcome not in ("passed", "skipped")}
    reasons = excused(outcomes, LOADED)
    for test in sorted(failures & set(reasons)):
        print(f"excused: {test}: {reasons[test]}")
    for test in sorted(test for test in reasons if outcomes[test] == "passed"):
        print(f"passes, and is excused: {test}")
    for test in sorted(failures - set(reasons)):
        print(f"FAILS: {test}")
    counts = {outcome: list(outcomes.values()).count(outcome) for outcome in set(outcomes.values())}
    print(f"{PYCURL} on {sys.implementation.name}, libcurl {'.'.join(map(str, LOADED))}: {counts}")
    return 1 if failures - set(reasons) or not outcomes else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
