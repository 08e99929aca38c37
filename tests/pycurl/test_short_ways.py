"""What the drop-in does the short way leaves the same behind as what it does the long way."""

from __future__ import annotations

import signal
import threading
import time
from base64 import b64encode
from io import BytesIO
from typing import Any

import cffi
import pytest

from libcurl import pycurl
from libcurl._native import ffi


@pytest.fixture
def curl(http: Any) -> Any:
    with pycurl.Curl() as curl:
        curl.setopt(pycurl.URL, f"{http.url}/echo")
        yield curl


def test_numbers_survive_what_is_unset_beside_them(curl: Any, http: Any) -> None:
    curl.setopt(pycurl.MAXREDIRS, 3)
    curl.setopt(pycurl.NOBODY, True)
    curl.setopt(pycurl.TIMEOUT, 5)
    curl.unsetopt(pycurl.TIMEOUT)
    curl.perform()
    assert [request.method for request in http.requests] == ["HEAD"]


def test_a_duplicate_has_the_numbers_and_forgets_none(curl: Any, http: Any) -> None:
    curl.setopt(pycurl.NOBODY, 1)
    twin = curl.duphandle()
    twin.setopt(pycurl.TIMEOUT, 5)
    twin.unsetopt(pycurl.TIMEOUT)  # sets all others again
    twin.perform()
    twin.close()
    assert [request.method for request in http.requests] == ["HEAD"]


@pytest.mark.parametrize("way", ["unset", "duplicate", "duplicate of one closed"])
def test_texts_lists_and_objects_are_set_again_too(curl: Any, http: Any, way: str) -> None:
    for _ in range(2):  # the long way, and the short one
        curl.setopt(pycurl.USERAGENT, "agent")
        curl.setopt(pycurl.REFERER, b"http://before/")
        curl.setopt(pycurl.REFERER, "http://after/")
        curl.setopt(pycurl.COOKIE, "a=b")
        curl.setopt(pycurl.COOKIE, None)
        curl.setopt(pycurl.HTTPHEADER, ["One: 1", "Two: 2", "Three;"])
        curl.setopt(pycurl.POSTFIELDS, "body")
        curl.setopt(pycurl.CUSTOMREQUEST, "PATCH")
    twin = curl if way == "unset" else curl.duphandle()
    if way == "duplicate of one closed":
        curl.close()
    for _ in range(2):
        twin.setopt(pycurl.TIMEOUT, 5)
        twin.unsetopt(pycurl.TIMEOUT)  # sets all others again
    twin.perform_rb()
    twin.close()
    (request,) = http.requests
    headers = dict(request.headers)
    wanted = {
        "User-Agent": "agent",
        "Referer": "http://after/",
        "One": "1",
        "Two": "2",
        "Three": "",
    }
    assert {name: headers.get(name) for name in wanted} == wanted
    assert (request.method, request.body, "Cookie" in headers) == ("PATCH", b"body", False)


def test_an_empty_list_and_one_of_an_empty_string(curl: Any, http: Any) -> None:
    for value in (["A: b"], [""], []):
        curl.setopt(pycurl.HTTPHEADER, value)
    curl.setopt(pycurl.TIMEOUT, 5)
    curl.unsetopt(pycurl.TIMEOUT)
    curl.perform_rb()
    assert "A" not in dict(http.requests[0].headers)


@pytest.mark.parametrize("order", ["POST HTTPGET", "HTTPGET POST", "POST NOBODY HTTPGET"])
def test_the_last_method_counts_when_all_are_set_again(curl: Any, http: Any, order: str) -> None:
    curl.setopt(pycurl.POSTFIELDS, b"a=b")
    for name in order.split():
        curl.setopt(getattr(pycurl, name), 1)
    curl.perform_rb()
    curl.setopt(pycurl.TIMEOUT, 5)
    curl.unsetopt(pycurl.TIMEOUT)
    curl.perform_rb()
    first, second = (request.method for request in http.requests)
    assert first == second == order.split()[-1].removeprefix("HTTP")


def test_posted_bytes_of_any_size(curl: Any, http: Any) -> None:
    bodies = [b"", b"a\0b", b"x" * 16384, b"y" * 16385, b"short", bytearray(b"long"), b"end\0"]
    for body in bodies:
        curl.setopt(pycurl.POSTFIELDS, body)
        for size in (len(body) + 1, -1):
            if size > 0:
                with pytest.raises(ValueError, match=f"{size} is more than the {len(body)} bytes"):
                    curl.setopt(pycurl.POSTFIELDSIZE, size)
            else:
                curl.setopt(pycurl.POSTFIELDSIZE, size)
        curl.perform_rb()
        twin = curl.duphandle()
        twin.setopt(pycurl.TIMEOUT, 5)
        twin.unsetopt(pycurl.TIMEOUT)  # sets all others again
        twin.perform_rb()
        twin.close()
    curl.unsetopt(pycurl.POSTFIELDS)
    curl.perform_rb()
    assert http.requests[-1].method == "GET"
    assert [request.body for request in http.requests[:-1]] == [b for b in bodies for _ in range(2)]


def test_text_to_be_posted_is_ascii(curl: Any) -> None:
    for _ in range(2):
        with pytest.raises(UnicodeEncodeError):
            curl.setopt(pycurl.POSTFIELDS, "caf\u00e9")
        curl.setopt(pycurl.POSTFIELDS, "coffee")


def test_a_reset_forgets_the_numbers(curl: Any, http: Any) -> None:
    curl.setopt(pycurl.NOBODY, 1)
    curl.reset()
    curl.setopt(pycurl.URL, http.url)
    curl.setopt(pycurl.TIMEOUT, 5)
    curl.unsetopt(pycurl.TIMEOUT)
    assert curl.perform_rb() == b"hello"


@pytest.mark.parametrize("option", ["TIMEOUT", "INFILESIZE"])
def test_numbers_too_large(curl: Any, option: str) -> None:
    with pytest.raises(OverflowError, match="Python int too large to convert to C long"):
        curl.setopt(getattr(pycurl, option), 1 << 80)


@pytest.mark.parametrize("value", [["a: b\0c: d"], ["a: b", "c\0"], ["\0"]])
def test_a_list_with_a_nul_is_refused(curl: Any, value: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="NUL"):
            curl.setopt(pycurl.HTTPHEADER, value)
        curl.setopt(pycurl.HTTPHEADER, ["a: b"])


def test_a_text_with_a_nul_is_refused(curl: Any) -> None:
    curl.setopt(pycurl.USERAGENT, "one")
    for value in ("a\0b", b"a\0b"):
        with pytest.raises(ValueError, match="embedded null byte"):
            curl.setopt(pycurl.USERAGENT, value)


def test_callbacks_that_were_reset_are_gone(curl: Any, http: Any) -> None:
    lines: list[bytes] = []
    body = BytesIO()
    for _ in range(2):
        curl.setopt(pycurl.HEADERFUNCTION, lines.append)
        curl.setopt(pycurl.WRITEDATA, body)
        curl.reset()
    curl.setopt(pycurl.URL, http.url)
    assert curl.perform_rb() == b"hello"
    assert (lines, body.getvalue()) == ([], b"")


def test_a_write_method_of_the_users_own_is_called_for_each_piece(curl: Any, http: Any) -> None:
    body: Any = BytesIO()
    curl.setopt(pycurl.WRITEDATA, body)
    curl.reset()
    pieces: list[bytes] = []
    body.write = pieces.append
    http.route("/large", lambda connection, request: connection.respond(body=b"x" * 100_000))
    curl.setopt(pycurl.URL, f"{http.url}/large")
    curl.setopt(pycurl.WRITEDATA, body)
    curl.perform()
    assert len(pieces) > 1
    assert b"".join(pieces) == b"x" * 100_000


@pytest.mark.parametrize("how", ["failure", "interrupt", "success"])
def test_the_write_callback_is_back_after_perform_rb(curl: Any, http: Any, how: str) -> None:
    http.route("/silent", lambda connection, request: connection.sleep(20))
    body = BytesIO()
    curl.setopt(pycurl.WRITEDATA, body)
    if how == "success":
        curl.perform_rb()
    elif how == "failure":
        curl.setopt(pycurl.URL, "http://127.0.0.1:1/")
        with pytest.raises(pycurl.error):
            curl.perform_rb()
    else:
        curl.setopt(pycurl.URL, f"{http.url}/silent")
        main = threading.get_ident()
        threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            curl.perform_rb()
        assert time.monotonic() - begin < 2
    assert body.getvalue() == b""
    curl.setopt(pycurl.URL, http.url)
    curl.perform()
    assert body.getvalue() == b"hello"


def test_bodies_of_any_size(curl: Any, http: Any) -> None:
    for size in (0, 1, 16384, 16385, 100_000, 3_000_000, 5):
        http.route(
            "/sized", lambda connection, request, size=size: connection.respond(body=b"x" * size)
        )
        curl.setopt(pycurl.URL, f"{http.url}/sized")
        assert curl.perform_rb() == b"x" * size


def test_what_was_removed_is_not_reported(curl: Any, http: Any) -> None:
    with pycurl.CurlMulti() as multi:
        curl.setopt(pycurl.WRITEDATA, BytesIO())
        multi.add_handle(curl)
        while multi.perform()[1]:
            multi.select(1)
        curl.setopt(pycurl.POSTFIELDS, "a=b")  # asks whether the transfer is over
        multi.remove_handle(curl)
        assert multi.info_read() == (0, [], [])
        multi.add_handle(curl)
        assert multi.info_read() == (0, [], [])
        while multi.perform()[1]:
            multi.select(1)
        assert multi.info_read() == (0, [curl], [])
        multi.remove_handle(curl)


@pytest.mark.parametrize("wait", ["select", "poll"])
def test_ctrl_c_ends_a_wait_of_a_multi(curl: Any, http: Any, wait: str) -> None:
    http.route("/silent", lambda connection, request: connection.sleep(20))
    curl.setopt(pycurl.URL, f"{http.url}/silent")
    with pycurl.CurlMulti() as multi:
        multi.add_handle(curl)
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            multi.perform()
            multi.select(0.1)
        main = threading.get_ident()
        threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            getattr(multi, wait)(20)
        assert time.monotonic() - begin < 2


def test_the_last_of_two_options_that_say_the_same_stays_the_last(curl: Any, http: Any) -> None:
    pycurl.Curl().setopt(pycurl.USERPWD, "x:y")  # from now on the short way
    curl.setopt(pycurl.USERPWD, "x:y")
    curl.setopt(pycurl.USERNAME, "guest")
    curl.setopt(pycurl.USERPWD, "admin:secret")
    curl.setopt(pycurl.PROTOCOLS, 1 << 1)
    curl.setopt(pycurl.PROTOCOLS_STR, "http")
    curl.setopt(pycurl.TIMEOUT, 5)
    curl.unsetopt(pycurl.TIMEOUT)  # sets all others again
    curl.perform()
    (request,) = http.requests
    assert dict(request.headers)["Authorization"] == "Basic " + b64encode(b"admin:secret").decode()


def test_a_write_callback_that_was_reset_is_not_called_after_a_body_was_fetched(curl: Any) -> None:
    curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    url = curl.getinfo(pycurl.EFFECTIVE_URL)
    curl.reset()
    curl.setopt(pycurl.URL, url)
    assert curl.perform_rb()
    curl.setopt(pycurl.NOBODY, True)
    curl.perform()


def test_what_is_callable_is_no_file_the_second_time_either(curl: Any) -> None:
    class Both(BytesIO):
        def __call__(self, data: bytes) -> None:
            pass

    curl.setopt(pycurl.WRITEDATA, BytesIO())
    for _ in range(2):
        with pytest.raises(TypeError):
            curl.setopt(pycurl.WRITEDATA, Both())


def test_a_file_is_no_list(curl: Any) -> None:
    with pytest.raises(TypeError):
        curl.setopt(pycurl.HTTPHEADER, BytesIO())


@pytest.mark.parametrize("first", range(8))  # room for notes is made for eight at a time
def test_an_option_may_have_the_debug_callback_set_others(curl: Any, first: int) -> None:
    allocator = cffi.FFI()
    allocator.cdef("size_t malloc_usable_size(void *);")
    try:
        usable = allocator.dlopen(None).malloc_usable_size
    except AttributeError:
        pytest.skip("nobody tells how large memory is")
    others = [pycurl.MAXREDIRS, pycurl.TIMEOUT_MS, pycurl.LOW_SPEED_LIMIT, pycurl.LOW_SPEED_TIME]
    others += [pycurl.PORT, pycurl.CONNECTTIMEOUT_MS, pycurl.TCP_KEEPIDLE, pycurl.TCP_KEEPINTVL]
    handle = curl._handle

    def debug(kind: int, data: bytes) -> None:
        while others and (handle.note_count % 8 or not said):
            said.append(data)
            curl.setopt(others.pop(), 5)

    said: list[bytes] = []
    curl.setopt(pycurl.VERBOSE, True)
    curl.setopt(pycurl.DEBUGFUNCTION, debug)
    for option in others[:first]:
        curl.setopt(option, 5)
    # Older ones have something to say of the first of these, newer ones of the second.
    curl.setopt(pycurl.COOKIELIST, "Set-Cookie: a=b; domain=example.com; path=/")
    curl.setopt(pycurl.TCP_NODELAY, -1)
    if not said:
        pytest.skip("this libcurl has nothing to say of options")
    size = usable(allocator.cast("void *", int(ffi.cast("uintptr_t", handle.notes))))
    assert handle.note_count * ffi.sizeof("note") <= size


@pytest.mark.parametrize("size", [4, -1, None])
def test_a_post_may_be_shortened_and_lengthened_again(
    curl: Any, http: Any, size: int | None
) -> None:
    for method in (None, "get"):
        curl.setopt(pycurl.POSTFIELDS, "body")
        curl.setopt(pycurl.POSTFIELDSIZE, 2)
        if method:
            curl.setopt(pycurl.HTTPGET, True)
        curl.setopt(pycurl.POSTFIELDSIZE, size)
        curl.perform_rb()
    assert [(request.method, request.body) for request in http.requests] == [
        ("POST", b"body"),
        ("GET", b""),
    ]
