"""`install()` and `python -m libcurl.pycurl`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any


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
