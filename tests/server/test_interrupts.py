"""Ctrl-C: it ends what waits, at once, and leaves nothing half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

BEGIN = """
import os, signal, sys, threading, time
import libcurl
url = sys.argv[1]

def interrupt(delay=0.15):
    '''Ctrl-C after a while, as the terminal sends it; its time is noted.'''
    def kill():
        time.sleep(delay)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=kill, daemon=True).start()

sent = []

def late():
    return time.monotonic() - sent[0]
"""


def run(script: Any, code: str, *args: object) -> str:
    out: str = script(BEGIN + code, *args)
    return out


@pytest.mark.parametrize("path", ["slow?seconds=20", "stall", "drip?n=1000&delay=0.03"])
def test_ctrl_c_ends_a_waiting_perform(http: Any, script: Any, path: str) -> None:
    run(
        script,
        """
easy = libcurl.Easy(url=url)
interrupt()
try:
    easy.perform()
except KeyboardInterrupt:
    assert late() < 1, late()
else:
    raise AssertionError
# And it is over: the handle works on.
easy.set(url=sys.argv[2])
assert easy.fetch() == b"hello"
easy.close()
""",
        f"{http.url}/{path}",
        f"{http.url}/",
    )
    http.clear()


def test_ctrl_c_ends_a_waiting_connect(script: Any) -> None:
    import socket

    with socket.socket() as listener, socket.socket() as filler:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filler.connect(listener.getsockname())  # the queue is full: nobody else gets an answer
        run(
            script,
            """
easy = libcurl.Easy(url=url)
interrupt()
try:
    easy.perform()
except KeyboardInterrupt:
    assert late() < 1, late()
else:
    raise AssertionError
""",
            f"http://127.0.0.1:{listener.getsockname()[1]}/",
        )


def test_ctrl_c_ends_a_fast_download_that_never_enters_python(nginx: Any, script: Any) -> None:
    run(
        script,
        """
easy = libcurl.Easy(url=url, maxfilesize_large=0)

def forever():
    # A body without end, from a socket that is always full.
    import socket
    listener = socket.create_server(("127.0.0.1", 0))
    def serve():
        sock = listener.accept()[0]
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
        try:
            while True:
                sock.sendall(bytes(1 << 20))
        except OSError:
            pass
    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"

easy.set(url=forever())
interrupt(0.1)
try:
    easy.perform()
except KeyboardInterrupt:
    assert late() < 5, late()  # it holds gigabytes by then
else:
    raise AssertionError
assert easy.info.size_download_t > 1 << 20
easy.close()
""",
        nginx.url,
    )


CALLBACKS = ["writefunction", "xferinfofunction", "opensocketfunction", "sockoptfunction"]


@pytest.mark.parametrize("name", CALLBACKS)
def test_ctrl_c_in_a_callback_comes_out_of_perform(http: Any, script: Any, name: str) -> None:
    run(
        script,
        f"""
def callback(*args):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)

easy = libcurl.Easy(url=url, {name}=callback)
try:
    easy.perform()
except KeyboardInterrupt:
    pass
else:
    raise AssertionError
easy.unset({name!r})
assert easy.fetch() == b"hello"
""",
        http.url + "/",
    )


def test_ctrl_c_that_arrives_all_the_time_is_never_lost(http_process: Any, script: Any) -> None:
    """A signal every few milliseconds, wherever Python or C may be: it comes out, nothing leaks."""
    run(
        script,
        """
from lifetime.watching import *

def act():
    easy = libcurl.Easy(url=url, writefunction=lambda data: None, headerfunction=lambda line: None,
                        xferinfofunction=lambda *numbers: None, closesocketfunction=os.close)
    for _ in range(20):
        easy.perform()
    easy.close()

act()
signal.signal(signal.SIGALRM, signal.default_int_handler)
before = descriptors()
caught = 0
lost = []
sys.unraisablehook = lambda report: lost.append(f"{report.object!r} {report.err_msg}")
end = time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.003 * (caught % 7) / 7, 0.1)
        while True:
            act()
    except KeyboardInterrupt:
        caught += 1
signal.setitimer(signal.ITIMER_REAL, 0)
collect()
act()
assert caught > 50, caught
assert descriptors() == before
for report in lost:        # Python itself can only show what interrupts a finalizer
    assert "__del__" in report, report
""",
        http_process.url + "/",
    )


def test_a_signal_handler_may_raise_anything_and_use_the_handle(http: Any, script: Any) -> None:
    run(
        script,
        """
class Stop(Exception):
    pass

seen = []

def handler(number, frame):
    seen.append(easy.info.effective_url)      # the handle is in use, by this thread
    try:
        easy.perform()
    except libcurl.Error as error:
        seen.append(error.code)
    raise Stop

signal.signal(signal.SIGINT, handler)
easy = libcurl.Easy(url=url)
interrupt()
try:
    easy.perform()
except Stop:
    assert late() < 1
assert seen == [url, libcurl.Code.RECURSIVE_API_CALL], seen
easy.set(url=sys.argv[2])
assert easy.fetch() == b"hello"
""",
        http.url + "/slow?seconds=20",
        http.url + "/",
    )
    http.clear()


def test_a_signal_handler_that_closes_the_handle_ends_the_transfer(http: Any, script: Any) -> None:
    run(
        script,
        """
signal.signal(signal.SIGINT, lambda number, frame: easy.close())
easy = libcurl.Easy(url=url, closesocketfunction=lambda fd: (seen.append(fd), os.close(fd))[0])
seen = []
interrupt()
try:
    easy.perform()
except libcurl.Error as error:
    assert error.code == libcurl.Code.ABORTED_BY_CALLBACK, error
    assert late() < 1
else:
    raise AssertionError
assert easy.closed and len(seen) == 1
""",
        http.url + "/slow?seconds=20",
    )
    http.clear()


def test_a_signal_that_nobody_minds_disturbs_nothing(http: Any, script: Any) -> None:
    run(
        script,
        """
count = 0
def handler(number, frame):
    global count
    count += 1
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
easy = libcurl.Easy(url=url)
assert len(easy.fetch()) == 20
signal.setitimer(signal.ITIMER_REAL, 0)
assert count > 5
""",
        http.url + "/drip?n=20&delay=0.005",
    )


def test_the_default_sigint_of_a_real_ctrl_c_kills_a_script(http: Any) -> None:
    """As a user sees it: a script in the foreground, Ctrl-C, a traceback, a prompt."""
    script = f"import libcurl; libcurl.Easy(url={http.url + '/slow?seconds=20'!r}).perform()"
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 10
    while not http.requests and time.monotonic() < deadline:
        time.sleep(0.005)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - began < 3
    assert process.returncode in (1, -signal.SIGINT, 130)
    assert "KeyboardInterrupt" in err
    http.clear()


def test_waiting_costs_no_processor(http: Any) -> None:
    import libcurl

    with libcurl.Easy(url=http.url + "/slow?seconds=0.5") as easy:
        before = os.times()
        easy.perform()
        after = os.times()
    assert after.user + after.system - before.user - before.system < 0.15


@pytest.mark.parametrize("ask", ["COOKIELIST", "RESPONSE_CODE", "EFFECTIVE_URL"])
@pytest.mark.parametrize("face", ["native", "drop-in"])
def test_a_signal_handler_may_ask_for_infos_while_infos_are_asked_for(
    http: Any, script: Any, face: str, ask: str
) -> None:
    run(
        script,
        """
face, ask = sys.argv[2:]
if face == "native":
    one, other = (libcurl.Easy(url=url + path, cookiefile="") for path in ("/", "/bytes/10"))
    one.set(cookielist="Set-Cookie: a=b; domain=x.y")
    other.set(cookielist="Set-Cookie: c=d; domain=x.y")
    for easy in (one, other):
        easy.fetch()
    infos = [getattr(libcurl.Info, name) for name in ("TOTAL_TIME", ask)]
    wanted = getattr(libcurl.Info, ask)
else:
    from libcurl import pycurl
    one, other = pycurl.Curl(), pycurl.Curl()
    for curl, path, cookie in ((one, "/", "a=b"), (other, "/bytes/10", "c=d")):
        curl.setopt(pycurl.URL, url + path)
        curl.setopt(pycurl.COOKIELIST, f"Set-Cookie: {cookie}; domain=x.y")
        curl.perform_rb()
    wanted = getattr(pycurl, "INFO_COOKIELIST" if ask == "COOKIELIST" else ask)
    infos = [pycurl.TOTAL_TIME, wanted]

def handler(*args):
    for easy in (one, other):
        for info in infos:
            easy.getinfo(info)
    heard.append(1)
    if time.monotonic() < end:  # never while it runs: where that takes long there would be no end of them
        signal.setitimer(signal.ITIMER_REAL, 1e-4)

heard = []
right = one.getinfo(wanted)
signal.signal(signal.SIGALRM, handler)
end = time.monotonic() + 0.6
signal.setitimer(signal.ITIMER_REAL, 1e-4)
while time.monotonic() < end:
    for _ in range(50):
        found = one.getinfo(wanted)
        assert found == right, found
signal.setitimer(signal.ITIMER_REAL, 0)
assert heard
""",
        http.url,
        face,
        ask,
    )
