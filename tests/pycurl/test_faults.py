"""Where pycurl 7.49.0 is wrong, the drop-in is right. Each of these was seen with the real one.

What crashes there runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any

import pytest

from libcurl import pycurl
from libcurl.raw import LOADED

CRASHES = {
    "closer unset while its connection lives": """
        curl = connected()
        curl.unsetopt(pycurl.CLOSESOCKETFUNCTION)
        curl.close()
    """,
    "reset while its connection lives": """
        curl = connected()
        curl.reset()
        curl.close()
    """,
    "freed while its connection is in a multi's cache": """
        multi = pycurl.CurlMulti()
        curl = made()
        multi.add_handle(curl)
        while multi.perform()[1]:
            multi.select(0.2)
        multi.remove_handle(curl)
        curl.close()
        del curl
        gc.collect()
        assert closed == []
        multi.close()
    """,
    "freed while its connection is in a share's cache": """
        share = pycurl.CurlShare()
        share.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_CONNECT)
        curl = made()
        curl.setopt(pycurl.SHARE, share)
        curl.perform()
        curl.close()
        del curl
        gc.collect()
        assert closed == []
        share.close()
    """,
    "alive when the interpreter ends": """
        curl = connected()
        pycurl.kept = curl
        import atexit
        atexit._run_exitfuncs()
    """,
}


@pytest.mark.parametrize("story", CRASHES)
def test_closers_are_called_once_and_nothing_crashes(script: Any, http: Any, story: str) -> None:
    lines = f"""
        import gc, os, sys
        from libcurl import pycurl
        closed = []
        def closer(fd):
            closed.append(fd)
            os.close(fd)
            return 0
        def made():
            curl = pycurl.Curl()
            curl.setopt(pycurl.URL, sys.argv[1])
            curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
            curl.setopt(pycurl.CLOSESOCKETFUNCTION, closer)
            return curl
        def connected():
            curl = made()
            curl.perform()
            assert curl.getinfo(pycurl.ACTIVESOCKET) > 0
            return curl
        {CRASHES[story].strip()}
        assert len(closed) == 1, closed
    """
    script(lines, http.url)


def test_multi_closed_while_a_former_member_performs(script: Any, http: Any) -> None:
    script(
        """
        import os, sys, threading
        from libcurl import pycurl
        def run(url):
            curl = pycurl.Curl()
            curl.setopt(pycurl.URL, url)
            curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
            curl.setopt(pycurl.CLOSESOCKETFUNCTION, lambda fd: os.close(fd) or 0)
            multi = pycurl.CurlMulti()
            multi.add_handle(curl)
            while multi.perform()[1]:
                multi.select(0.2)
            multi.remove_handle(curl)
            thread = threading.Thread(target=curl.perform)
            thread.start()
            multi.close()
            thread.join()
            curl.close()
        for _ in range(50):
            run(sys.argv[1])
        """,
        http.url,
    )


def get(url: str, **options: Any) -> bytes:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    for name, value in options.items():
        curl.setopt(getattr(pycurl, name), value)
    try:
        return curl.perform_rb()
    finally:
        curl.close()


def test_the_address_can_be_rewritten(http: Any) -> None:
    port = int(http.url.rpartition(":")[2])

    def opener(purpose: int, address: Any) -> socket.socket:
        assert address.addr == address[3] == ("192.0.2.1", 80)
        address.addr = ("127.0.0.1", port)
        return socket.socket(address.family, address.socktype, address.protocol)

    assert get("http://192.0.2.1/", OPENSOCKETFUNCTION=opener) == b"hello"


@pytest.mark.parametrize("answer", [0, False])
def test_standard_input_is_no_socket(http: Any, answer: Any, capfd: Any) -> None:
    before = os.fstat(0)
    with pytest.raises(pycurl.error) as caught:
        get(http.url, OPENSOCKETFUNCTION=lambda purpose, address: answer)
    assert caught.value.code == pycurl.E_COULDNT_CONNECT
    assert os.fstat(0) == before


def test_duplicates_of_sockets_are_not_inherited(http: Any, no_fd_leak: Any) -> None:
    with no_fd_leak():
        given = []

        def opener(purpose: int, address: Any) -> socket.socket:
            given.append(socket.socket(address.family, address.socktype, address.protocol))
            return given[0]

        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, http.url)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, opener)
        curl.perform_rb()
        fd = curl.getinfo(pycurl.ACTIVESOCKET)
        assert fd != given[0].fileno()
        assert not os.get_inheritable(fd)
        assert given[0].getpeername()  # usable beside it
        given[0].close()
        curl.close()


def test_what_is_no_socket_is_not_kept_open(http: Any, open_fds: Any, capfd: Any) -> None:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, http.url)
    curl.setopt(pycurl.OPENSOCKETFUNCTION, lambda purpose, address: FileIO(os.devnull))
    left = -1
    while left != len(open_fds()):  # by tests before, as often as PyPy needs it
        left = len(open_fds())
        for _ in range(4):
            gc.collect()
    counts = []
    for _ in range(3):
        with pytest.raises(pycurl.error) as caught:
            curl.perform_rb()
        assert caught.value.code == pycurl.E_COULDNT_CONNECT
        gc.collect()
        counts.append(len(open_fds()))
    assert len(set(counts)) == 1, counts
    curl.close()


@pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="this Python counts no references")
def test_a_socket_that_nobody_keeps_is_taken_as_it_is(http: Any, no_fd_leak: Any) -> None:
    numbers = []

    def opener(purpose: int, address: Any) -> socket.socket:
        sock = socket.socket(address.family, address.socktype, address.protocol)
        numbers.append(sock.fileno())
        return sock

    with warnings.catch_warnings(record=True) as warned, no_fd_leak():
        warnings.simplefilter("always")
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, http.url)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, opener)
        curl.perform_rb()
        assert numbers == [curl.getinfo(pycurl.ACTIVESOCKET)]
        curl.close()
    assert warned == []


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("WRITEFUNCTION", pycurl.E_WRITE_ERROR),
        ("HEADERFUNCTION", pycurl.E_WRITE_ERROR),
        ("OPENSOCKETFUNCTION", pycurl.E_COULDNT_CONNECT),
    ],
)
def test_what_a_callback_raised_is_the_cause(http: Any, option: str, code: int, capfd: Any) -> None:
    failure = LookupError("boom")

    def callback(*arguments: object) -> None:
        raise failure

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, http.url)
    curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    curl.setopt(getattr(pycurl, option), callback)
    with pytest.raises(pycurl.error) as caught:
        curl.perform()
    assert caught.value.__cause__ is failure
    assert caught.value.code == caught.value.args[0] == code
    assert caught.value.message == caught.value.args[1]
    assert "LookupError: boom" in capfd.readouterr().err


def test_debug_exceptions_are_seen(http: Any, capfd: Any) -> None:
    def callback(kind: int, data: bytes) -> None:
        raise LookupError("seen")

    get(http.url, VERBOSE=1, DEBUGFUNCTION=callback)
    assert "LookupError: seen" in capfd.readouterr().err


def test_ctrl_c_ends_a_silent_wait(http: Any) -> None:
    http.route("/silent", lambda connection, request: connection.sleep(20))
    main = threading.get_ident()
    timer = threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT))
    begin = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        get(f"{http.url}/silent")
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("option", ["SOCKOPTFUNCTION", "PREREQFUNCTION", "CLOSESOCKETFUNCTION"])
def test_async_futures_get_what_callbacks_raise(http: Any, option: str) -> None:
    if not hasattr(pycurl, option):
        pytest.skip(f"this libcurl has no {option}")

    def callback(*arguments: Any) -> int:
        if option == "CLOSESOCKETFUNCTION":
            os.close(arguments[0])
        raise LookupError("boom")

    async def main() -> None:
        async with pycurl.AsyncCurlMulti() as multi:
            curl = pycurl.Curl()
            curl.setopt(pycurl.URL, http.url)
            curl.setopt(pycurl.FORBID_REUSE, 1)
            curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
            curl.setopt(getattr(pycurl, option), callback)
            with pytest.raises(LookupError):
                await asyncio.wait_for(multi.perform(curl), 5)
            assert multi.futures() == ()
            curl.close()

    asyncio.run(main())


def test_closing_a_handle_in_flight_cancels_its_future(http: Any) -> None:
    http.route("/silent", lambda connection, request: connection.sleep(20))

    async def main() -> None:
        async with pycurl.AsyncCurlMulti() as multi:
            curl = pycurl.Curl()
            curl.setopt(pycurl.URL, f"{http.url}/silent")
            future = multi.add_handle(curl)
            await asyncio.sleep(0.1)
            curl.close()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(future, 5)

    asyncio.run(main())


def test_select_waits_whatever_the_number_of_descriptors(http: Any) -> None:
    http.route("/silent", lambda connection, request: connection.sleep(20))
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 2048:
        pytest.skip("needs 2,048 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, most))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    multi = pycurl.CurlMulti()
    curl = pycurl.Curl()
    try:
        curl.setopt(pycurl.URL, f"{http.url}/silent")
        multi.add_handle(curl)
        until = time.monotonic() + 0.5
        rounds = 0
        while time.monotonic() < until:
            multi.perform()
            multi.select(0.2)
            rounds += 1
        assert rounds < 50
    finally:
        for fd in held:
            os.close(fd)
        multi.close()
        curl.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))


def test_poll_and_wakeup() -> None:
    with pycurl.CurlMulti() as multi:
        threading.Timer(0.1, multi.wakeup).start()
        begin = time.monotonic()
        multi.poll(10)
        assert time.monotonic() - begin < 5


def test_an_empty_list_clears(http: Any) -> None:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, http.url)
    curl.setopt(pycurl.HTTPHEADER, ["X-One: 1"])
    curl.perform_rb()
    curl.setopt(pycurl.HTTPHEADER, [])
    curl.perform_rb()
    curl.close()
    assert [request.get("x-one") for request in http.requests] == ["1", ""]


def test_perform_rb_leaves_no_buffer_behind(http: Any) -> None:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, http.url)
    body = BytesIO()
    curl.setopt(pycurl.WRITEDATA, body)
    assert curl.perform_rb() == b"hello"
    assert body.getvalue() == b""
    curl.perform()
    assert body.getvalue() == b"hello"
    curl.close()


def test_every_option_can_be_unset(http: Any) -> None:
    curl = pycurl.Curl()
    for name, value in {
        "TIMEOUT": 5,
        "SSL_VERIFYPEER": 0,
        "NOBODY": 1,
        "USERAGENT": "mine",
        "REFERER": "http://localhost/",
        "POSTFIELDS": "a=b",
        "URL": "http://localhost:1/",
    }.items():
        curl.setopt(getattr(pycurl, name), value)
        curl.unsetopt(getattr(pycurl, name))
    curl.setopt(pycurl.URL, http.url)
    assert curl.perform_rb() == b"hello"
    curl.close()
    [request] = http.requests
    assert (request.method, request.get("referer")) == ("GET", "")
    assert request.get("user-agent") == pycurl.version


def test_errors_name_the_option_and_no_earlier_failure() -> None:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, "nonsense://localhost")
    with pytest.raises(pycurl.error, match="nonsense"):
        curl.perform()
    with pytest.raises(pycurl.error, match="SSLVERSION") as caught:
        curl.setopt(pycurl.SSLVERSION, 99)
    assert "nonsense" not in str(caught.value)
    curl.close()


def test_more_types_are_taken(http: Any, tmp_path: Path) -> None:
    (tmp_path / "jar").write_text("")
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, bytearray(f"{http.url}/".encode()))
    curl.setopt(pycurl.COOKIEJAR, tmp_path / "jar")
    curl.setopt(pycurl.HTTPHEADER, (f"X-{n}: {n}" for n in range(2)))
    curl.setopt(pycurl.USERAGENT, "Grüße")
    assert curl.perform_rb() == b"hello"
    curl.close()
    [request] = http.requests
    assert [request.get("x-0"), request.get("x-1")] == ["0", "1"]
    assert request.get("user-agent").encode("latin-1").decode() == "Grüße"


def test_latin_1_in_an_info_is_no_error(http: Any) -> None:
    def handler(connection: Any, request: Any) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/\xfc\r\nContent-Length: 0\r\n\r\n")

    http.route("/latin", handler)
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, f"{http.url}/latin")
    curl.perform_rb()
    assert curl.getinfo(pycurl.CONTENT_TYPE) == "text/\udcfc"
    assert curl.getinfo_raw(pycurl.CONTENT_TYPE) == b"text/\xfc"
    curl.close()


def test_a_slice_of_a_memoryview_outlives_its_callback(http: Any) -> None:
    kept: list[memoryview] = []
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, f"{http.url}/bytes/100000")
    curl.setopt(pycurl.WRITEFUNCTION, lambda view: kept.append(view[:]), use_memoryview=True)
    curl.perform()
    curl.close()
    assert b"".join(kept) == get(f"{http.url}/bytes/100000")


def test_what_pycurl_lacks() -> None:
    for name in ("SSL_CTX_FUNCTION", "INTERLEAVEFUNCTION", "CHUNK_BGN_FUNCTION", "ALTSVC"):
        assert hasattr(pycurl, name)
    for name in ("PRIVATE", "ABSTRACT_UNIX_SOCKET", "DNS_INTERFACE", "TLS_SSL_PTR", "PROTOCOL"):
        assert hasattr(pycurl, name)
    assert hasattr(pycurl, "PROTOCOLS_STR") == (LOADED >= (7, 85))
    curl = pycurl.Curl()
    thing = object()
    curl.setopt(pycurl.PRIVATE, thing)
    assert curl.getinfo(pycurl.INFO_PRIVATE) is thing
    curl.close()


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy has no GIL-free file I/O here")
def test_reloading_cookies_leaves_other_threads_alone(tmp_path: Path) -> None:
    jar = tmp_path / "jar"
    os.mkfifo(jar)
    ticks = []

    def writer() -> None:
        time.sleep(0.3)
        ticks.append("written")
        jar.write_text("# Netscape HTTP Cookie File\n")

    curl = pycurl.Curl()
    curl.setopt(pycurl.COOKIELIST, "ALL")  # from the second time on, some options go a short way
    thread = threading.Thread(target=writer)
    thread.start()
    curl.setopt(pycurl.COOKIEFILE, str(jar))
    curl.setopt(pycurl.COOKIELIST, "RELOAD")  # waits for the writer, the GIL released
    thread.join()
    assert ticks == ["written"]
    curl.close()


def test_exceptions_have_their_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    def write(data: bytes) -> None:
        raise ValueError("no")

    curl = pycurl.Curl()
    curl.setopt(curl.URL, Path(__file__).as_uri())
    curl.setopt(curl.WRITEFUNCTION, write)
    with pytest.raises(pycurl.error) as caught:
        curl.perform()
    cause = caught.value.__cause__
    assert cause is not None
    assert traceback.extract_tb(cause.__traceback__)[-1].name == "write"
    assert "in write\n" in capsys.readouterr().err


def test_a_handle_in_a_multi_is_idle_before_and_after_its_transfer(http: Any) -> None:
    multi = pycurl.CurlMulti()
    share = pycurl.CurlShare()
    body = BytesIO()

    def prepare(text: str) -> None:
        curl.reset()
        curl.setopt(pycurl.URL, f"{http.url}/echo")
        curl.setopt(pycurl.WRITEDATA, body)
        curl.setopt(pycurl.HTTPPOST, [("name", "value")])
        curl.unsetopt(pycurl.HTTPPOST)
        curl.setopt(pycurl.POSTFIELDS, "before")
        curl.setopt(pycurl.POSTFIELDS, text)
        for change in (
            lambda: curl.setopt(pycurl.SHARE, share),
            lambda: curl.unsetopt(pycurl.SHARE),
        ):
            with pytest.raises(pycurl.error, match="in a CurlMulti"):
                change()

    curl = pycurl.Curl()
    multi.add_handle(curl)
    prepare("first")
    while multi.perform()[1]:
        multi.select(1)
    prepare("second")  # before info_read
    assert multi.info_read() == (0, [curl], [])
    prepare("second")
    multi.remove_handle(curl)
    multi.add_handle(curl)
    while multi.perform()[1]:
        multi.select(1)
    multi.remove_handle(curl)
    assert [request.body for request in http.requests] == [b"first", b"second"]
    curl.setopt(pycurl.SHARE, share)
    curl.close()
    multi.close()
    share.close()


def test_callbacks_of_what_is_collected_with_its_multi_are_found(script: Any) -> None:
    script(
        """
        import gc, socket, sys
        from libcurl import pycurl

        listener = socket.create_server(("127.0.0.1", 0))
        ending, calls, seen, peers = [], [], [], []
        sys.unraisablehook = lambda unraisable: seen.append(unraisable.exc_type)

        def progress(*amounts):
            calls.append(amounts)
            if ending:
                raise ValueError

        def begin():
            multi = pycurl.CurlMulti()
            curl = pycurl.Curl()
            curl.multi_of_it = multi
            curl.setopt(pycurl.URL, "http://127.0.0.1:%d/" % listener.getsockname()[1])
            curl.setopt(pycurl.NOPROGRESS, False)
            curl.setopt(pycurl.XFERINFOFUNCTION, progress)
            multi.add_handle(curl)
            multi.perform()
            peer = listener.accept()[0]
            peer.settimeout(0.01)
            request = b""
            while not (calls and request):  # of a transfer that has not come so far nobody is called
                multi.perform()
                try:
                    request = peer.recv(1)
                except TimeoutError:
                    pass
            ending.append(True)
            peers.append(peer)  # open to the end

        begin()
        gc.collect()
        assert set(seen) == {ValueError}, seen
        """
    )


@pytest.mark.parametrize("kind", ["Curl", "CurlMulti", "CurlShare"])
def test_a_with_block_calls_no_close_of_a_subclass(kind: str) -> None:
    class Sub(getattr(pycurl, kind)):  # type: ignore[misc]
        def close(self) -> None:
            raise LookupError("not called by pycurl")

    with Sub() as made:
        pass
    if kind != "CurlMulti":
        with pytest.raises(pycurl.error):
            made.setopt(pycurl.SH_SHARE if kind == "CurlShare" else pycurl.URL, 2)


def test_a_list_option_takes_no_dict() -> None:
    with pytest.raises(TypeError, match="invalid arguments to setopt"):
        pycurl.Curl().setopt(pycurl.HTTPHEADER, {"a": "b"})


def test_a_duplicate_sends_the_form_of_its_original(http: Any) -> None:
    original = pycurl.Curl()
    original.setopt(pycurl.URL, http.url + "/post")
    with pytest.warns(DeprecationWarning, match="HTTPPOST"):
        original.setopt(pycurl.HTTPPOST, [("field", "the value")])
    duplicate = original.duphandle()
    original.close()
    assert b"the value" in duplicate.perform_rb()


def test_what_is_not_told_of_a_handle_that_leaves_is_not_told_of_its_next_transfer(
    http: Any,
) -> None:
    multi = pycurl.CurlMulti()
    curls = []
    for _ in range(2):
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, http.url)
        curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
        multi.add_handle(curl)
        curls.append(curl)
    while multi.perform()[1]:
        multi.select(1)
    left, (first,), _ = multi.info_read(1)
    assert left == 1
    (other,) = (curl for curl in curls if curl is not first)
    multi.remove_handle(other)
    multi.add_handle(other)
    assert multi.info_read() == (0, [], [])
    while multi.perform()[1]:
        multi.select(1)
    assert multi.info_read() == (0, [other], [])
