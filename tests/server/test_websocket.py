"""WebSocket frames and messages, with the newest libcurl where the loaded one has no WebSocket."""

from __future__ import annotations

import functools
import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

import libcurl
from libcurl import raw

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEWEST = ROOT / ".cache" / "libcurl" / "8.23.0"
PREPARE = """
    import select, sys, threading, time
    import libcurl
    from libcurl import Easy, WS, WebSocket
    url = sys.argv[1]

    def raises(kind, function, *arguments, **keywords):
        try:
            function(*arguments, **keywords)
        except kind as error:
            return error
        raise AssertionError(f"no {kind.__name__}")

    def wait(easy, event=select.POLLIN):
        poll = select.poll()
        poll.register(easy.info.activesocket, event)
        assert poll.poll(5000)

    def received(easy, size=65536):
        while True:
            try:
                return easy.ws_recv(size)
            except libcurl.NotReady:
                wait(easy)
"""


@functools.lru_cache(maxsize=1)
def newest() -> dict[str, str]:
    """What makes a subprocess use the newest libcurl."""
    done = subprocess.run(
        [ROOT / "tools" / "libcurls.sh"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode or not NEWEST.is_dir():
        pytest.skip(f"no libcurl with WebSocket here, nor to be fetched: {done.stderr[-300:]}")
    return {"LD_LIBRARY_PATH": str(NEWEST)}


@pytest.fixture
def run(script: Any) -> Callable[..., str]:
    """Runs code with a libcurl that has WebSocket."""
    has = "ws" in libcurl.version_info().protocols and raw.LOADED >= (8, 16)

    def run(code: str, *args: object) -> str:
        out: str = script(PREPARE + code, *args, env={} if has else newest())
        return out

    return run


def test_frames_go_out_and_come_in_with_what_is_known_of_them(run: Any, websocket: Any) -> None:
    code = """
    with Easy(url=url + "/echo", connect_only=2) as easy:
        easy.perform()
        raises(libcurl.NotReady, easy.ws_recv, 10)
        assert easy.ws_meta() is None
        for data, flags, arrives in (("text", WS.TEXT, b"text"), (b"\\0", WS.BINARY, b"\\0")):
            assert easy.ws_send(data) == len(data)
            got, frame = received(easy)
            assert (got, frame.flags, frame.offset) == (arrives, flags, 0)
            assert (frame.len, frame.bytesleft) == (len(data), 0)
        easy.ws_send(b"0123456789")
        got, frame = received(easy, 4)
        assert (got, frame.offset, frame.bytesleft, frame.len) == (b"0123", 0, 6, 4)
        got, frame = received(easy, 40)
        assert (got, frame.offset, frame.bytesleft, frame.len) == (b"456789", 4, 0, 6)
        easy.ws_send(b"one", WS.TEXT | WS.CONT)
        easy.ws_send(b"two", WS.TEXT)
        assert received(easy)[0] == b"onetwo"
        easy.ws_send(b"01234", WS.BINARY | WS.OFFSET, 10)
        easy.ws_send(b"56789", WS.BINARY | WS.OFFSET)
        assert received(easy)[0] == b"0123456789"
        raises(TypeError, easy.ws_send, 1)
    raises(ValueError, easy.ws_send, b"")
    raises(ValueError, easy.ws_recv, 1)
    """
    run(code, websocket.url)
    assert websocket.messages == ["text", b"\0", b"0123456789", "onetwo", b"0123456789"]


def test_a_write_callback_knows_its_frame_and_a_read_callback_starts_frames(
    run: Any, websocket: Any
) -> None:
    code = """
    messages = ["one", "three"]
    seen = []

    def read(size):
        if not messages:
            return libcurl.ReadFunc.PAUSE
        message = messages.pop()
        easy.ws_start_frame(WS.TEXT, len(message))
        return message.encode()

    def write(data):
        seen.append((data, easy.ws_meta().flags))
        if len(seen) == 2:
            easy.ws_send(b"\\3\\350", WS.CLOSE)

    easy = Easy(url=url + "/echo", upload=True, timeout_ms=5000)
    easy.set(readfunction=read, writefunction=write)
    easy.perform()
    assert seen[:2] == [(b"three", WS.TEXT), (b"one", WS.TEXT)], seen
    raises(libcurl.Error, easy.ws_start_frame, WS.TEXT, 1)
    """
    run(code, websocket.url)
    assert websocket.messages == ["three", "one"]


def test_messages_are_whole_whatever_their_size_and_frames(run: Any, websocket: Any) -> None:
    code = """
    for path in ("/echo", "/fragments?n=5"):
        with WebSocket(url + path) as ws:
            for message in ("h\\u00e4llo", b"\\0" * 1_000, "x" * 300_000, b"y" * 300_000):
                ws.send(message)
                assert ws.receive(10) == message
                ws.ping(b"are you there")
    with WebSocket(url + "/echo") as ws:
        for message in ("", b"", memoryview(b"view")):
            ws.send(message)
            assert ws.receive(10) == message
    """
    run(code, websocket.url)


def test_a_message_larger_than_the_buffers_waits_for_the_socket(run: Any, websocket: Any) -> None:
    code = """
    big = bytes(range(256)) * 40_000
    with WebSocket(url + "/echo") as ws:
        ws.send(big)
        assert ws.receive(20) == big
    """
    run(code, websocket.url)
    assert [len(message) for message in websocket.messages] == [256 * 40_000]


def test_it_works_over_tls_and_with_a_handle_of_the_users(
    run: Any, websocket_tls: Any, ca: Any
) -> None:
    code = """
    easy = Easy(url=url + "/headers", cainfo=sys.argv[2], httpheader=["X-Mine: yes"])
    ws = WebSocket(easy, useragent="tester")
    text = ws.receive(5)
    assert "X-Mine: yes" in text and "tester" in text, text
    ws.send(b"z" * 100_000)
    assert ws.receive(5) == b"z" * 100_000
    ws.close()
    assert ws.close_code == 1000 and not easy.closed
    """
    run(code, websocket_tls.url, ca.cert)


def test_waiting_ends_at_the_timeout_and_can_be_taken_up_again(run: Any, websocket: Any) -> None:
    code = """
    with WebSocket(url + "/echo") as ws:
        start = time.monotonic()
        error = raises(libcurl.OperationTimedOut, ws.receive, 0.2)
        assert isinstance(error, TimeoutError) and 0.15 < time.monotonic() - start < 2
        raises(libcurl.OperationTimedOut, ws.receive, 0)
        ws.easy.ws_send("half", WS.TEXT | WS.CONT)
        raises(libcurl.OperationTimedOut, ws.receive, 0.1)
        ws.send("whole")
        assert ws.receive(5) == "halfwhole"
    """
    run(code, websocket.url)


def test_pings_are_answered_while_waiting(run: Any, websocket: Any) -> None:
    code = """
    with WebSocket(url + "/ping") as ws:
        assert ws.receive(5) == "pong"
    """
    run(code, websocket.url)


def test_the_peers_close_ends_iteration_and_says_why(run: Any, websocket: Any) -> None:
    code = """
    with WebSocket(url + "/close?code=4001&reason=bye") as ws:
        assert list(ws) == []
        assert (ws.close_code, ws.close_reason) == (4001, "bye")
        error = raises(libcurl.PeerGone, ws.receive)
        assert "4001 bye" in str(error)
    """
    run(code, websocket.url)
    assert websocket.wait_closed() == [(4001, "")]


def test_close_tells_the_peer_why_and_waits_for_its_answer(run: Any, websocket: Any) -> None:
    code = """
    ws = WebSocket(url + "/greet")
    raises(ValueError, ws.close, 1000, "x" * 124)
    ws.close(4002, "enough")
    assert ws.close_code == 4002 and ws.easy.closed
    ws.close()
    raises(ValueError, ws.send, "x")
    """
    run(code, websocket.url)
    assert websocket.wait_closed() == [(4002, "enough")]


def test_a_connection_that_breaks_is_an_error(run: Any, http: Any) -> None:
    import base64
    import hashlib

    def upgrade(connection: Any, request: Any) -> None:
        key = request.get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        names = (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept),
        )
        connection.head(101, names)
        connection.send(b"\x81\x02hi\x81\x7e")  # a message, and the beginning of another
        connection.close()

    http.route("/broken", upgrade)
    code = """
    with WebSocket(url + "/broken") as ws:
        messages = iter(ws)
        assert next(messages) == "hi"
        raises(libcurl.PeerGone, next, messages)
    raises(libcurl.Error, WebSocket, url + "/status/403")
    """
    run(code, http.url.replace("http:", "ws:"))


@pytest.mark.skipif("ws" in libcurl.version_info().protocols, reason="this libcurl has WebSocket")
def test_without_websocket_in_libcurl_that_is_said() -> None:
    with libcurl.Easy() as easy:
        for call in (lambda: easy.ws_send(b"x"), lambda: easy.ws_recv(1)):
            with pytest.raises(libcurl.NotSupported):
                call()
        if raw.LOADED < (8, 16):
            with pytest.raises(
                libcurl.NotSupported, match=r"curl_ws_start_frame needs libcurl 8\.16"
            ):
                easy.ws_start_frame(1, 1)
    with pytest.raises(libcurl.Error):
        libcurl.WebSocket("ws://127.0.0.1:1/")
