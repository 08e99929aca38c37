"""`install()` and `python -m libcurl.pycurl`."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest


def test_programs_find_the_drop_in(script: Any) -> None:
    script(
        """
        import sys
        import libcurl.pycurl
        libcurl.pycurl.install()
        libcurl.pycurl.install()
        assert "asyncio" not in sys.modules
        import pycurl, pycurl._pycurl, pycurl.async_multi
        from pycurl import Curl, error, AsyncCurlMulti
        from pycurl.async_multi import _SocketState
        assert pycurl is pycurl._pycurl is libcurl.pycurl
        assert pycurl.async_multi.AsyncCurlMulti is AsyncCurlMulti
        import importlib.util
        assert importlib.reload(pycurl) is pycurl
        assert pycurl.Curl is Curl
        assert importlib.util.find_spec("pycurl") is not None
        assert libcurl.pycurl.__name__ == "libcurl.pycurl"
        import warnings
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            import curl
        assert [w.category for w in seen] == [DeprecationWarning], seen
        assert curl.Curl.get
        """
    )


def test_nothing_is_written(script: Any) -> None:
    done = script.run("import libcurl.pycurl; libcurl.pycurl.install(); import pycurl")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_it_is_refused_after_the_real_one(script: Any) -> None:
    script(
        """
        import sys, types
        sys.modules["pycurl"] = types.ModuleType("pycurl")
        import libcurl.pycurl
        try:
            libcurl.pycurl.install()
        except RuntimeError as error:
            assert "before" in str(error)
        else:
            raise AssertionError
        """
    )


def test_errors_are_pickled_installed_or_not(script: Any) -> None:
    code = """
        import pickle, sys
        from libcurl import pycurl
        if sys.argv[1] == "installed":
            pycurl.install()
        if len(sys.argv) > 2:
            made = pickle.loads(bytes.fromhex(sys.argv[2]))
            assert type(made) is pycurl.error and made.args == (7, "text") and made.note == 1
        made = pycurl.error(7, "text")
        made.note = 1
        print(pickle.dumps(made).hex())
    """
    for first in ("installed", "by name"):
        pickled = script(code, first).strip()
        for second in ("installed", "by name"):
            script(code, second, pickled)


def test_programs_are_run(tmp_path: Path, script: Any) -> None:
    (tmp_path / "beside.py").write_text("name = 'beside'")
    program = tmp_path / "program.py"
    program.write_text("import sys, pycurl, beside; print(pycurl.Curl.__module__, *sys.argv[1:])")
    for arguments in ([str(program)], ["-m", "program"]):
        done = subprocess.run(
            [sys.executable, "-m", "libcurl.pycurl", *arguments, "one", "two"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "pycurl one two\n"
        assert done.stderr == ""


PROGRAM = """
import atexit, pickle, sys, threading

class Own:
    pass

def tell(*words):
    twin = pickle.loads(pickle.dumps(Own()))
    print(*words, sys.modules["__main__"].__dict__ is globals(), type(twin) is Own)

def late():
    threading.main_thread().join()
    tell("thread")

print(__name__, __file__, __package__, __spec__ and __spec__.name, sys.argv, sys.path[0], sorted(globals()))
threading.Thread(target=late).start()
atexit.register(tell, "atexit")
if len(sys.argv) > 1:
    raise LookupError(sys.argv[1])
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    for name in ("program.py", "folder/__main__.py"):
        (tmp_path / name).write_text(PROGRAM)
    (tmp_path / "folder/__init__.py").touch()
    (tmp_path / "wrong.py").write_text("x = = 1")
    with zipfile.ZipFile(tmp_path / "zipped", "w") as zipped:
        zipped.write(tmp_path / "program.py", "__main__.py")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        "program.py",
        "program.py boom",
        "folder boom",
        "zipped boom",
        "-m program boom",
        "-m folder boom",
        "wrong.py",
        "missing.py",
        "-m missing",
    ],
)
def test_programs_are_run_as_python_does_it(programs: Path, arguments: str) -> None:
    def run(*options: str) -> tuple[int, str, list[str]]:
        command = [sys.executable, *options, *arguments.split()]
        done = subprocess.run(command, cwd=programs, capture_output=True, text=True, check=False)
        assert "libcurl" not in done.stderr
        assert done.stderr.count("  File") == 1 or not options or "boom" not in arguments
        words = done.stderr.replace("'", "")  # PyPy quotes no names of files
        return done.returncode, done.stdout, words.splitlines()[-1:]

    assert run("-m", "libcurl.pycurl") == run()


def test_usage() -> None:
    command = [sys.executable, "-m", "libcurl.pycurl"]
    for arguments, code in ((["--help"], 0), ([], 2), (["-m"], 2), (["-x"], 2)):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert (done.stderr if code else done.stdout).startswith("usage: python -m libcurl.pycurl")
        assert len((done.stderr + done.stdout).splitlines()) == 1
