"""Programs of others, unchanged, with the drop-in for their pycurl.

They are installed into a virtual environment of their own, in .cache, which has no pycurl.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

import libcurl

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "programs"
PACKAGES = ("cffi", "tornado", "kombu", "requests")


def make_environment(folder: Path) -> None:
    """A virtual environment that has them all."""
    venv.create(folder, with_pip=True, clear=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *PACKAGES], check=True)
    # These two ask for the real one.
    subprocess.run([*pip, "--no-deps", "pycurl-requests", "wfuzz"], check=True)
    subprocess.run([*pip, "pyparsing", "six", "chardet", "setuptools<81"], check=True)
    (folder / "done").touch()


@pytest.fixture(scope="module")
def python() -> Path:
    """An interpreter that has them."""
    version = f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
    folder = CACHE / version
    found = folder / "bin" / "python"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes that test, one makes it
        if not (folder / "done").exists():
            make_environment(folder)
    source = Path(libcurl.__file__).resolve().parents[1]
    [site] = folder.glob("lib/*/site-packages")
    (site / "libcurl-source.pth").write_text(f"{source}\n")
    return found


def run(python: Path, *arguments: object, accept: int = 0) -> str:
    """A program, run with the drop-in; what it wrote."""
    command = [str(python), "-m", "libcurl.pycurl", *map(str, arguments)]
    # Tornado's tests give a request five seconds, which a loaded machine may exceed.
    environment = {**os.environ, "ASYNC_TEST_TIMEOUT": "120"}
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        timeout=300,
    )
    assert done.returncode in (0, accept), done.stdout
    return done.stdout


def test_tornado(python: Path) -> None:
    # runtests counts what pycurl writes to standard error for the exception in one of the tests.
    told = run(python, "-m", "tornado.test.runtests", "tornado.test.curl_httpclient_test", accept=1)
    assert "\nOK\n" in told, told
    assert "Ran 0 tests" not in told


def test_kombu(python: Path, http: Any, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
import sys
from kombu.asynchronous import Hub, set_event_loop
from kombu.asynchronous.http import Client, Request
url = sys.argv[1]
hub = Hub()
set_event_loop(hub)
client = Client(hub)
sizes, errors = [], []
for size in range(20):
    on_ready = lambda response: sizes.append(len(response.body))
    client.add_request(Request(f"{url}/bytes/{size}", on_ready=on_ready))
on_error = lambda response: errors.append(str(response.error))
client.add_request(Request("http://127.0.0.1:1/", on_ready=on_error))
while len(sizes) + len(errors) < 21:
    hub.run_once()
assert sorted(sizes) == list(range(20)), sizes
assert "connect" in errors[0], errors
client.close()
"""
    )
    run(python, program, http.url)


def test_pycurl_requests(python: Path, http: Any, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
import sys
import pycurl_requests
from pycurl_requests import requests
url = sys.argv[1]
with requests.Session() as session:
    answer = session.get(url)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert len(session.get(f"{url}/bytes/100000").content) == 100000
try:
    requests.get("http://127.0.0.1:1/")
except requests.exceptions.ConnectionError:
    pass
else:
    raise AssertionError("connected to port 1")
"""
    )
    run(python, program, http.url)


def test_wfuzz(python: Path, http: Any) -> None:
    script = python.parent / "wfuzz"
    told = run(python, script, "-z", "range,1-5", f"{http.url}/bytes/FUZZ")
    assert "Processed Requests: 5" in told
    assert len(http.requests) == 5
