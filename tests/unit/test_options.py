"""Options: what a Python value becomes, what is refused and how, and what unsetting means."""

from __future__ import annotations

import array
import copy
import enum
import json
import pathlib
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import libcurl
from libcurl import Easy, constants, raw, symbols
from libcurl.options import by_name


@pytest.fixture
def easy() -> Iterator[Easy]:
    """A handle of its own for each test."""
    with Easy() as handle:
        yield handle


def request(easy: Easy, http: Any) -> Any:
    """What the server gets to see of a transfer with these options."""
    easy.set(url=http.url + "/echo")
    return json.loads(easy.fetch())


def headers_of(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer["headers"]}


class Text(str):
    """A string of a user's own."""


class Number(enum.IntEnum):
    """A number of a user's own."""

    SEVEN = 7


class Index:
    """What can be an index, as numpy's integers can."""

    def __index__(self) -> int:
        return 7


# What a value becomes


@pytest.mark.parametrize(
    "value",
    [
        "Grüße",
        Text("Grüße"),
        "Grüße".encode(),
        bytearray("Grüße".encode()),
        memoryview("Grüße".encode()),
        pathlib.PurePosixPath("Grüße"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_string_is_sent_as_utf8_whatever_its_type(easy: Easy, http: Any, value: Any) -> None:
    easy.set(useragent=value)
    agent = headers_of(request(easy, http))["user-agent"]
    assert agent.encode("latin-1").decode() == "Grüße"


def test_surrogates_are_the_bytes_that_they_stand_for(easy: Easy, http: Any) -> None:
    easy.set(useragent=b"\xe9\xff".decode("utf-8", "surrogateescape"))
    assert headers_of(request(easy, http))["user-agent"] == "\xe9\xff"


@pytest.mark.parametrize("value", [7, Number.SEVEN, Index()], ids=lambda v: type(v).__name__)
def test_a_number_is_whatever_can_be_an_index(easy: Easy, value: Any) -> None:
    easy.set(timeout_ms=value, max_recv_speed_large=value)


def test_a_bool_is_a_number_and_switches(easy: Easy, http: Any) -> None:
    easy.set(nobody=True, url=http.url + "/")
    assert easy.fetch() == b""
    easy.set(nobody=False, httpget=True)
    assert easy.fetch() == b"hello"


def test_enums_are_values(easy: Easy, http: Any) -> None:
    easy.setopt(constants.Opt.HTTP_VERSION, constants.HTTPVersion.V1_0)
    assert request(easy, http)["version"] == "HTTP/1.0"


@pytest.mark.parametrize(
    "option", ["url", "URL", "CURLOPT_URL", 10002, constants.CURLOPT_URL, constants.Opt.URL]
)
def test_an_option_is_named_or_numbered(easy: Easy, http: Any, option: Any) -> None:
    easy.setopt(option, http.url + "/")
    assert easy.fetch() == b"hello"


def test_numbers_are_as_wide_as_their_option(easy: Easy) -> None:
    easy.set(max_recv_speed_large=2**62, timeout_ms=2**31 - 1)
    with pytest.raises(ValueError, match=r"CURLOPT_MAX_RECV_SPEED_LARGE: 9223372036854775808 is"):
        easy.set(max_recv_speed_large=2**63)
    with pytest.raises(ValueError, match=r"CURLOPT_TIMEOUT_MS: -9223372036854775809 is out of"):
        easy.set(timeout_ms=-(2**63) - 1)


@pytest.mark.parametrize(
    "headers",
    [
        ["X-A: 1", b"X-B: \xe9"],
        ("X-A: 1", b"X-B: \xe9"),
        iter(["X-A: 1", b"X-B: \xe9"]),
        {"X-A: 1": 0, b"X-B: \xe9": 0}.keys(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_list_is_any_iterable_of_strings(easy: Easy, http: Any, headers: Any) -> None:
    easy.set(httpheader=headers)
    seen = headers_of(request(easy, http))
    assert (seen["x-a"], seen["x-b"]) == ("1", "\xe9")


def test_a_list_replaces_and_an_empty_one_clears(easy: Easy, http: Any) -> None:
    easy.set(httpheader=["X-A: 1", "User-Agent: me"])
    easy.set(httpheader=["X-B: 2"])
    seen = headers_of(request(easy, http))
    assert "x-a" not in seen
    assert seen["x-b"] == "2"
    easy.set(httpheader=[])
    assert "x-b" not in headers_of(request(easy, http))


@pytest.mark.skipif(raw.LOADED < (7, 77), reason="libcurl has no CAINFO_BLOB")
def test_a_blob_is_copied(easy: Easy, https: Any, ca: Any) -> None:
    pem = bytearray(ca.cert.read_bytes())
    easy.set(cainfo_blob=pem, url=https.url + "/")
    pem[:] = bytes(len(pem))
    assert easy.fetch() == b"hello"
    with pytest.raises(libcurl.Error):
        Easy(url=https.url + "/", cainfo_blob=b"no certificate").perform()


@pytest.mark.parametrize("option", ["postfields", "copypostfields"])
@pytest.mark.parametrize("value", [b"a\0b", bytearray(b"a\0b"), memoryview(b"a\0b"), "a\0b"])
def test_postfields_are_bytes_with_anything_inside(
    easy: Easy, http: Any, option: str, value: Any
) -> None:
    easy.setopt(option, value)
    answer = request(easy, http)
    assert (answer["method"], answer["body"]) == ("POST", "a\0b")


def test_postfields_need_not_be_bytes_of_one_piece(easy: Easy, http: Any) -> None:
    easy.set(postfields=memoryview(b"a-b-c-d")[::2])
    assert request(easy, http)["body"] == "abcd"
    easy.set(postfields=array.array("H", [0x6161, 0x6262]))
    assert request(easy, http)["body"] == "aabb"


def test_postfieldsize_shortens_and_cannot_reach_beyond(easy: Easy, http: Any) -> None:
    easy.set(postfields=b"hello", postfieldsize=4)
    assert request(easy, http)["body"] == "hell"
    easy.set(postfieldsize=-1)
    assert request(easy, http)["body"] == "hello"
    message = "CURLOPT_POSTFIELDSIZE_LARGE: 6 is more than the 5 bytes of CURLOPT_POSTFIELDS"
    with pytest.raises(ValueError, match=message):
        easy.set(postfieldsize_large=6)
    with pytest.raises(ValueError, match="CURLOPT_POSTFIELDSIZE: 6 is more"):
        easy.set(postfieldsize=6)
    # The other way round, the bytes set their size.
    easy.reset()
    easy.set(postfieldsize=100, postfields=b"hello")
    assert request(easy, http)["body"] == "hello"


def test_postfields_stay_where_they_are_while_set(easy: Easy, http: Any) -> None:
    body = bytearray(b"hello")
    easy.set(postfields=body)
    pins = sys.implementation.name == "cpython"  # PyPy does not: there it is a copy
    if pins:
        with pytest.raises(BufferError):
            body.extend(b" world")
    body[:] = b"HELLO"  # POSTFIELDS points, COPYPOSTFIELDS copies
    assert request(easy, http)["body"] == ("HELLO" if pins else "hello")
    easy.unset("postfields")
    body.extend(b" world")


def test_private_is_any_object(easy: Easy) -> None:
    thing = object()
    easy.set(private=thing)
    assert easy.getinfo("private") is easy.info.private is thing
    easy.set(private=None)
    assert easy.info.private is None


def test_stderr_is_a_file_with_a_descriptor(easy: Easy, http: Any, tmp_path: pathlib.Path) -> None:
    with open(tmp_path / "log", "w") as log:
        log.write("first\n")
        easy.set(stderr=log, verbose=True, url=http.url + "/")
    easy.perform()  # the file is closed, its duplicate is not
    text = (tmp_path / "log").read_text()
    assert text.startswith("first\n")
    assert "> GET / HTTP/1.1" in text


# What is refused


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"timeout": "5"}, TypeError, "CURLOPT_TIMEOUT takes an int, not str"),
        ({"timeout": 1.5}, TypeError, "CURLOPT_TIMEOUT takes an int, not float"),
        ({"url": 5}, TypeError, "CURLOPT_URL takes str, bytes or a path, not int"),
        ({"url": True}, TypeError, "CURLOPT_URL takes str, bytes or a path, not bool"),
        ({"useragent": ["x"]}, TypeError, "CURLOPT_USERAGENT takes str, bytes or a path, not list"),
        ({"useragent": "a\0b"}, ValueError, "CURLOPT_USERAGENT: a string has no NUL inside"),
        ({"useragent": b"a\0"}, ValueError, "CURLOPT_USERAGENT: a string has no NUL inside"),
        (
            {"useragent": "x" * 8_000_001},
            ValueError,
            "CURLOPT_USERAGENT: a string has at most 8000000 bytes",
        ),
        ({"httpheader": "X: 1"}, TypeError, "CURLOPT_HTTPHEADER takes an iterable of strings, not"),
        ({"httpheader": b"X: 1"}, TypeError, "CURLOPT_HTTPHEADER takes an iterable of strings, no"),
        ({"httpheader": {"X": "1"}}, TypeError, "CURLOPT_HTTPHEADER takes an iterable of strings,"),
        ({"httpheader": 5}, TypeError, "CURLOPT_HTTPHEADER takes an iterable of strings, not int"),
        ({"httpheader": ["a", 5]}, TypeError, "CURLOPT_HTTPHEADER takes str, bytes or a path, not"),
        ({"httpheader": ["a\0"]}, ValueError, "CURLOPT_HTTPHEADER: a string has no NUL inside"),
        ({"sslkey_blob": "x"}, TypeError, "CURLOPT_SSLKEY_BLOB takes a bytes-like object, not str"),
        ({"postfields": 5}, TypeError, "CURLOPT_POSTFIELDS takes str or a bytes-like object, not"),
        ({"postfieldsize": "5"}, TypeError, "CURLOPT_POSTFIELDSIZE takes an int, not str"),
        ({"writefunction": 5}, TypeError, "CURLOPT_WRITEFUNCTION takes a callable, not int"),
        ({"xferinfofunction": 5}, TypeError, "CURLOPT_XFERINFOFUNCTION takes a callable, not int"),
        (
            {"closesocketfunction": 5},
            TypeError,
            "CURLOPT_CLOSESOCKETFUNCTION takes a callable, not int",
        ),
        ({"stderr": "x"}, TypeError, "CURLOPT_STDERR takes a file with a descriptor, not str"),
        ({"stream_depends": 5}, TypeError, "CURLOPT_STREAM_DEPENDS takes another handle, not int"),
        (
            {"readdata": "text"},
            TypeError,
            "CURLOPT_READDATA takes bytes, a file opened in binary mode or an iterator of bytes, ",
        ),
        ({"writedata": b"x"}, TypeError, "CURLOPT_WRITEDATA takes a file opened for writing in b"),
        ({"headerdata": []}, TypeError, "CURLOPT_HEADERDATA takes a file opened for writing in b"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    easy: Easy, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)) as caught:
        easy.set(**options)
    assert type(caught.value) is error
    ((name, value),) = options.items()
    with pytest.raises(error, match=re.escape(message)):
        easy.setopt(name, value)


def test_text_files_are_refused_where_bytes_go(easy: Easy, tmp_path: pathlib.Path) -> None:
    with open(tmp_path / "file", "w+") as file:
        with pytest.raises(TypeError, match=r"WRITEDATA .* in binary mode, not TextIOWrapper"):
            easy.set(writedata=file)
        with pytest.raises(TypeError, match=r"READDATA .* in binary mode .*, not TextIOWrapper"):
            easy.set(readdata=file)


@pytest.mark.parametrize(
    "name", ["opensocketdata", "closesocketdata", "xferinfodata", "debugdata", "errorbuffer"]
)
def test_data_pointers_are_for_the_raw_api_only(easy: Easy, name: str) -> None:
    with pytest.raises(TypeError, match=f"CURLOPT_{name.upper()} is not for Python: "):
        easy.setopt(name, 5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("follow_location", "'follow_location' is no option of libcurl: did you mean 'followlocat"),
        ("Timeout", "'Timeout' is no option of libcurl: did you mean 'timeout'?"),
        ("qqq", "'qqq' is no option of libcurl$"),
    ],
)
def test_an_unknown_name_is_a_type_error_with_a_suggestion(
    easy: Easy, name: str, message: str
) -> None:
    for use in (Easy, easy.set):
        with pytest.raises(TypeError, match=message):
            use(**{name: 1})


def test_an_unknown_number_is_a_type_error(easy: Easy) -> None:
    with pytest.raises(TypeError, match=r"^5555 is no option of libcurl$"):
        easy.setopt(5555, 1)
    with pytest.raises(TypeError, match="an option is an Opt, an int or a name, not float"):
        easy.setopt(1.5, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'nope' is no option"):
        easy.unset("nope")


def test_an_option_of_a_later_libcurl_names_that_version(
    easy: Easy, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = (888, "9.9.0", None)
    monkeypatch.setitem(symbols.SYMBOLS["CURLoption"], "CURLOPT_OF_TOMORROW", row)
    monkeypatch.setitem(constants._rows, "CURLOPT_OF_TOMORROW", row)
    message = f"CURLOPT_OF_TOMORROW needs libcurl 9.9.0, this is {raw.LOADED_TEXT}"
    for option in ("of_tomorrow", 888):
        with pytest.raises(libcurl.NotSupported, match=re.escape(message)) as caught:
            easy.setopt(option, 1)
        assert caught.value.code == constants.CURLE_NOT_BUILT_IN


def test_an_option_newer_than_our_table_is_settable_by_keyword(script: Any, http: Any) -> None:
    script(
        """
        import sys
        from libcurl import symbols
        for rows in symbols.SYMBOLS.values():
            for name in ("CURLOPT_USERAGENT", "CURLOPT_TIMEOUT_MS", "CURLOPT_HTTPHEADER"):
                rows.pop(name, None)
        import libcurl
        assert not hasattr(libcurl.Opt, "USERAGENT")
        easy = libcurl.Easy(url=sys.argv[1], useragent="me", timeout_ms=9000, httpheader=["X-A: 1"])
        easy.setopt(10018, b"you")
        text = easy.fetch().decode()
        assert '"you"' in text and '"X-A"' in text
        try:
            easy.set(useragent=5)
        except TypeError as error:
            assert str(error).startswith("CURLOPT_USERAGENT takes str"), error
        assert "timeout_ms" in [option.name for option in libcurl.options()]
        """,
        http.url + "/echo",
    )


def test_what_libcurl_refuses_is_its_error_without_the_value(easy: Easy) -> None:
    with pytest.raises(libcurl.Error, match=r"CURLOPT_SSLVERSION refuses 99: ") as caught:
        easy.set(sslversion=99)
    assert caught.value.code is constants.Code.BAD_FUNCTION_ARGUMENT


@pytest.mark.skipif(raw.LOADED < (7, 85), reason="has no string option with a syntax")
def test_a_string_that_libcurl_refuses_is_not_shown(easy: Easy) -> None:
    for use in (easy.set, Easy):
        with pytest.raises(
            libcurl.Error, match=r"CURLOPT_PROTOCOLS_STR refuses this value: "
        ) as caught:
            use(protocols_str="secret")
        assert "secret" not in str(caught.value)


def test_options_before_a_refused_one_are_set(easy: Easy, http: Any) -> None:
    with pytest.raises(libcurl.Error, match="CURLOPT_SSLVERSION"):
        easy.set(useragent="me", sslversion=99, httpheader=["X-A: 1"])
    seen = headers_of(request(easy, http))
    assert seen["user-agent"] == "me"
    assert "x-a" not in seen


def test_a_handle_is_neither_copied_nor_pickled(easy: Easy) -> None:
    for act in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"Easy|duphandle"):
            act(easy)


# Unsetting


def test_none_unsets(easy: Easy, http: Any) -> None:
    easy.set(useragent="me", customrequest="PATCH", httpheader=["X-A: 1"])
    assert request(easy, http)["method"] == "PATCH"
    easy.set(useragent=None, customrequest=None, httpheader=None)
    answer = request(easy, http)
    assert answer["method"] == "GET"
    assert not {"x-a", "user-agent"} & set(headers_of(answer))


@pytest.mark.parametrize(
    "option", ["ssl_verifypeer", "ssl_verifyhost", constants.CURLOPT_SSL_VERIFYPEER]
)
def test_unsetting_verification_never_means_off(
    easy: Easy, https: Any, ca: Any, option: Any
) -> None:
    somebody = ca.client.cert  # who has not issued the server's certificate
    easy.set(ssl_verifypeer=False, ssl_verifyhost=0, cainfo=somebody, url=https.url + "/")
    assert easy.fetch() == b"hello"
    easy.unset(option)
    easy.set(fresh_connect=True)
    if option == "ssl_verifyhost":
        easy.set(ssl_verifypeer=None)
    with pytest.raises(libcurl.Error) as caught:
        easy.perform()
    assert caught.value.code is constants.Code.PEER_FAILED_VERIFICATION


def test_unsetting_one_option_leaves_all_others(easy: Easy, http: Any) -> None:
    seen: list[Any] = []
    headers = ["X-A: 1"]
    agent = bytearray(b"me")
    easy.set(
        httpheader=headers,
        useragent=agent,
        timeout_ms=5000,
        cookie="a=b",
        private=seen,
        postfields=b"hello",
        postfieldsize=4,
        headerfunction=seen.append,
        opensocketfunction=lambda purpose, address: seen.append("open") or _socket(address),
        closesocketfunction=lambda fd: seen.append("close") or __import__("os").close(fd),
        xferinfofunction=lambda *progress: seen.append("progress"),
    )
    headers.append("X-B: 2")  # what was set is what counts, not what becomes of its objects
    agent[:] = b"he"
    easy.unset("timeout_ms")
    answer = request(easy, http)
    seen_headers = headers_of(answer)
    assert (answer["method"], answer["body"]) == ("POST", "hell")
    assert (seen_headers["x-a"], seen_headers["user-agent"]) == ("1", "me")
    assert seen_headers["cookie"] == "a=b"
    assert "x-b" not in seen_headers
    assert easy.info.private is seen
    assert {"open", "progress"} <= {item for item in seen if isinstance(item, str)}
    assert seen.count(b"\r\n") == 1
    easy.close()
    assert seen[-1] == "close"


def _socket(address: Any) -> Any:
    import socket

    return socket.socket(address.family, address.socktype, address.protocol)


def test_unsetting_keeps_connections_and_cookies(easy: Easy, http: Any) -> None:
    easy.set(cookiefile="", timeout=5, url=http.url + "/cookies/set?a=b")
    easy.perform()
    easy.unset("timeout")
    easy.set(url=http.url + "/cookies")
    assert easy.fetch() == b"a=b"
    assert len(http.connections) == 1


def test_unsetting_does_not_repeat_an_action(easy: Easy, http: Any) -> None:
    easy.set(cookielist="Set-Cookie: a=b; path=/; domain=127.0.0.1", timeout=5)
    easy.set(cookielist="ALL")
    easy.set(cookielist="Set-Cookie: c=d; path=/; domain=127.0.0.1")
    easy.unset("timeout")
    easy.set(url=http.url + "/cookies")
    assert easy.fetch() == b"c=d"


@pytest.mark.parametrize("option", ["postfields", "copypostfields"])
def test_unsetting_postfields_makes_it_a_get_again(easy: Easy, http: Any, option: str) -> None:
    easy.setopt(option, b"hello")
    assert request(easy, http)["method"] == "POST"
    easy.unset(option)
    answer = request(easy, http)
    assert (answer["method"], answer["body"]) == ("GET", "")


def test_unsetting_an_alias_unsets_the_option(easy: Easy, http: Any) -> None:
    easy.set(encoding="gzip")
    assert headers_of(request(easy, http))["accept-encoding"] == "gzip"
    easy.unset("accept_encoding")
    assert "accept-encoding" not in headers_of(request(easy, http))
    assert by_name["encoding"] is by_name["accept_encoding"]


def test_uploads_keep_their_size_when_another_option_is_unset(easy: Easy, http: Any) -> None:
    easy.set(readdata=b"hello", upload=True, timeout=5)
    easy.unset("timeout")
    seen = headers_of(request(easy, http))
    assert seen["content-length"] == "5"


def test_unsetting_what_was_never_set_changes_nothing(easy: Easy, http: Any) -> None:
    easy.set(useragent="me", closesocketfunction=None, writefunction=None, readdata=None)
    easy.unset("timeout", "httpheader", "postfields", "opensocketfunction", "private", "stderr")
    assert headers_of(request(easy, http))["user-agent"] == "me"


def test_reset_forgets_everything_but_connections(easy: Easy, http: Any) -> None:
    seen: list[bytes] = []
    easy.set(
        useragent="me",
        httpheader=["X-A: 1"],
        resolve=[f"some.test:{http.port}:127.0.0.1"],
        postfields=b"hello",
        writefunction=seen.append,
        private=1,
        url=http.url + "/",
    )
    easy.perform()
    easy.reset()
    assert easy.info.private is None
    assert easy.body == b""
    with pytest.raises(libcurl.Error):
        easy.perform()  # no URL
    answer = request(easy, http)
    assert answer["method"] == "GET"
    assert not {"x-a", "user-agent"} & set(headers_of(answer))
    assert b"".join(seen) == b"hello"
    assert len(http.connections) == 1


def test_duphandle_copies_options_and_nothing_is_shared(http: Any) -> None:
    seen: list[Any] = []
    easy = Easy(
        useragent="me",
        httpheader=["X-A: 1"],
        postfields=bytearray(b"hello"),
        postfieldsize=4,
        private=seen,
        headerfunction=seen.append,
        url=http.url + "/echo",
    )
    twin = easy.duphandle()
    easy.set(httpheader=["X-B: 2"], postfields=b"other")
    easy.close()
    answer = json.loads(twin.fetch())
    assert answer["body"] == "hell"
    assert headers_of(answer)["x-a"] == "1"
    assert headers_of(answer)["user-agent"] == "me"
    assert twin.info.private is seen
    assert seen.count(b"\r\n") == 1
    twin.unset("httpheader", "useragent")
    assert not {"x-a", "user-agent"} & set(headers_of(json.loads(twin.fetch())))
    twin.close()


def test_duphandle_keeps_the_log_of_a_closed_original(http: Any, tmp_path: pathlib.Path) -> None:
    with open(tmp_path / "log", "w") as log:
        easy = Easy(stderr=log, verbose=True, timeout=5, url=http.url + "/")
    easy.unset("timeout")
    twin = easy.duphandle()
    easy.close()
    assert twin.fetch() == b"hello"
    twin.close()
    assert (tmp_path / "log").read_text().count("> GET / HTTP/1.1") == 1


# Closed handles


CLOSED: dict[str, Callable[[Easy], Any]] = {
    "set": lambda easy: easy.set(timeout=1),
    "set nothing": lambda easy: easy.set(),
    "set text": lambda easy: easy.set(url="x"),
    "set list": lambda easy: easy.set(httpheader=["a"]),
    "set blob": lambda easy: easy.set(sslkey_blob=b"x"),
    "set callback": lambda easy: easy.set(writefunction=print),
    "set progress": lambda easy: easy.set(xferinfofunction=print),
    "set closer": lambda easy: easy.set(closesocketfunction=print),
    "set file": lambda easy: easy.set(writedata=__import__("io").BytesIO()),
    "set readdata": lambda easy: easy.set(readdata=b"x"),
    "set postfields": lambda easy: easy.set(postfields=b"x"),
    "set postfieldsize": lambda easy: easy.set(postfieldsize=1),
    "set private": lambda easy: easy.set(private=1),
    "set stderr": lambda easy: easy.set(stderr=__import__("sys").__stderr__),
    "set stream_depends": lambda easy: easy.set(stream_depends=Easy()),
    "setopt": lambda easy: easy.setopt("timeout", 1),
    "unset": lambda easy: easy.unset("timeout"),
    "unset closer": lambda easy: easy.unset("closesocketfunction"),
    "unset list": lambda easy: easy.unset("httpheader"),
    "unset private": lambda easy: easy.unset("private"),
    "perform": lambda easy: easy.perform(),
    "fetch": lambda easy: easy.fetch(),
    "body": lambda easy: easy.body,
    "download": lambda easy: easy.download("/dev/null/nothing"),
    "download to a file": lambda easy: easy.download(__import__("io").BytesIO()),
    "reset": lambda easy: easy.reset(),
    "duphandle": lambda easy: easy.duphandle(),
    "pause": lambda easy: easy.pause(),
    "unpause": lambda easy: easy.unpause(),
    "send": lambda easy: easy.send(b"x"),
    "recv": lambda easy: easy.recv(1),
    "upkeep": lambda easy: easy.upkeep(),
    "getinfo": lambda easy: easy.getinfo("response_code"),
    "getinfo text": lambda easy: easy.getinfo_raw("effective_url"),
    "getinfo private": lambda easy: easy.getinfo("private"),
    "info": lambda easy: easy.info.response_code,
    "headers": lambda easy: easy.headers,
}


@pytest.mark.parametrize("use", CLOSED.values(), ids=CLOSED)
def test_a_closed_handle_is_a_value_error(use: Callable[[Easy], Any], http: Any) -> None:
    easy = Easy(url=http.url + "/")
    easy.perform()
    assert easy.body == b"hello"
    easy.close()
    assert easy.closed
    if use is CLOSED["headers"] and raw.LOADED < (7, 83):
        pytest.skip("no headers API")
    if use is CLOSED["download"]:
        with pytest.raises((ValueError, OSError)):
            use(easy)
        return
    with pytest.raises(ValueError, match=r"^this Easy handle is closed$") as caught:
        use(easy)
    assert type(caught.value) is ValueError


def test_closing_twice_is_closing_once() -> None:
    easy = Easy()
    easy.close()
    easy.close()
    assert repr(easy) == "<Easy closed>"
    with Easy() as easy:
        assert not easy.closed
    assert easy.closed


# All of them

PLAUSIBLE = """
    import faulthandler, os, sys, tempfile
    import libcurl
    faulthandler.enable()
    os.chdir(sys.argv[1])  # some options name files to be written

    def values(option):
        if option.type in ("LONG", "VALUES", "OFF_T"):
            return [1, 0, 2, 3]
        if option.type == "STRING":
            return ["/tmp/nothing", "1.0", "http", "GET", "all", ""]
        if option.type == "SLIST":
            return [["a: b"], []]
        if option.type == "BLOB":
            return [b"blob", b""]
        if option.type == "FUNCTION":
            return [print]
        return []

    OBJECTS = {
        "postfields": b"x", "copypostfields": b"x", "private": 1, "stderr": sys.stderr,
        "stream_depends": libcurl.Easy(), "stream_depends_e": libcurl.Easy(),
        "writedata": tempfile.TemporaryFile(), "headerdata": tempfile.TemporaryFile(),
        "readdata": b"x",
    }
    LATER = {"share", "curlu", "mimepost", "httppost"}  # objects of other faces

    def attempt(option, value):
        easy = libcurl.Easy()
        try:
            easy.set(**{option.name: value})
        except libcurl.NotSupported:
            return None
        except libcurl.Error:
            return False
        easy.unset(option.name)
        easy.close()
        return True

    for option in libcurl.options():
        print(option.name, flush=True)
        if option.name in LATER:
            continue
        if option.name in OBJECTS:
            assert attempt(option, OBJECTS[option.name]), option
        elif values(option) and not option.name.startswith("conv_"):  # libcurl ignores these
            works = [attempt(option, value) for value in values(option)]
            if option.type == "FUNCTION":
                assert False not in works, option
        else:
            try:
                attempt(option, 1)
            except TypeError as error:
                assert "is not for Python" in str(error), error
            else:
                raise AssertionError(option)
"""


def test_every_option_that_libcurl_lists_can_be_set_or_says_why_not(
    script: Any, tmp_path: pathlib.Path
) -> None:
    names = script(PLAUSIBLE, tmp_path).split()
    assert len(names) > 280
    assert {"url", "opensocketfunction", "httpheader"} <= set(names)
