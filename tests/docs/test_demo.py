"""What `make demo` shows."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import libcurl

if TYPE_CHECKING:
    from servers.http import HTTPServer

DEMO = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "demo.py"


COMMAND = [sys.executable, str(DEMO)]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("URL", "NO_COLOR")}


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *args],
        capture_output=True,
        text=True,
        timeout=60,
        env={**ENVIRONMENT, **env},
        check=False,
    )


def said(output: str, what: str) -> list[str]:
    """The texts of all events of this kind."""
    return re.findall(rf"^   {what} +(.*)$", output, re.MULTILINE)


@pytest.mark.parametrize("how", ["its own server", "argument", "environment"])
def test_it_shows_what_it_says(how: str, http: HTTPServer) -> None:
    url = f"{http.url}/bytes/1234"
    if how == "argument":
        done = run(url)
    elif how == "environment":
        done = run(URL=url, http_proxy="http://127.0.0.1:1")
    else:
        done = run()
    assert (done.returncode, done.stderr) == (0, "")
    out = done.stdout
    assert out.startswith(f"libcurl for Python {libcurl.__version__}, ")
    assert libcurl.version() in out
    assert "\033" not in out
    assert len(re.findall(r"^\d\. ", out, re.MULTILINE)) == 5
    assert "NOT SO" not in out
    assert len(said(out, "ok")) >= 8

    port = re.search(r"Talking to http://127\.0\.0\.1:(\d+)", out)
    assert port is not None
    server = rf"127\.0\.0\.1:{port[1]}"
    peers = rf"fd \d+ +127\.0\.0\.1:\d+ to {server}"
    assert re.fullmatch(rf"fd \d+ +IPv4 stream socket for {server}", said(out, "open")[0])
    assert re.fullmatch(r"fd \d+ +SO_KEEPALIVE was 0, is 1", said(out, "sockopt")[0])
    assert all(re.fullmatch(peers, text) for text in said(out, "close"))
    assert re.fullmatch(rf"{server} refused", said(out, "open")[1])
    assert said(out, "raised") == ["PermissionError: 127.0.0.1 is off limits"]
    assert re.search(rf"203\.0\.113\.7:\d+ rewritten to {server}", said(out, "open")[2])
    assert re.fullmatch(rf"{peers}, by Python", said(out, "connect")[0])
    assert said(out, "sockopt")[1].endswith("ALREADY_CONNECTED")
    last = out[out.index("\n5. ") :]
    assert re.findall(r"^   (\w+) ", last, re.MULTILINE) == (
        ["open", "answer", "gone", "answer", "ok", "gone", "end", "close", "ok"]
    )
    if how != "its own server":
        assert len(said(out, "answer")) == len(re.findall(r"200, 1234 bytes", out)) == 5
        assert http.accepted == 4  # two transfers shared one connection


def test_it_fails_when_something_is_not_so(http: HTTPServer) -> None:
    http.route("/", lambda connection, request: connection.respond(close=True))
    done = run(http.url + "/")
    assert done.returncode == 1
    assert said(done.stdout, "NOT SO")[0] == "the second transfer used the connection of the first"
    assert re.search(r"^\d of these things went wrong\.$", done.stdout, re.MULTILINE)


def test_it_fails_when_nobody_answers() -> None:
    done = run("http://127.0.0.1:1/")
    assert (done.returncode, done.stderr) == (1, "")
    assert said(done.stdout, "NOT SO")[0].startswith("CouldntConnect: COULDNT_CONNECT (7)")


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colour_is_for_terminals_that_want_it(no_color: str) -> None:
    ours, terminal = pty.openpty()
    with open(ours, "rb", buffering=0) as screen:
        env = {**ENVIRONMENT, "NO_COLOR": no_color}
        demo = subprocess.Popen(COMMAND, stdin=subprocess.DEVNULL, stdout=terminal, env=env)
        os.close(terminal)
        output = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody is there any more
            while data := screen.read(65536):
                output += data
    assert demo.wait(10) == 0
    assert b"All of it was so." in output
    assert (b"\033[1m" in output) == (not no_color)
