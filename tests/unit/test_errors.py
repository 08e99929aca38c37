"""Errors: their classes, what they tell, and what they must not tell."""

from __future__ import annotations

import errno
import pickle
import socket
import ssl
from typing import Any

import pytest
from servers.daemon import free_port

import libcurl
from libcurl import Easy, Error, constants, raw
from libcurl.errors import easy_error

Code = constants.Code


def failure(**options: Any) -> Error:
    """The error of a transfer with these options."""
    with Easy(**options) as easy, pytest.raises(Error) as caught:
        easy.perform()
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind", "also"),
    [
        (Code.OPERATION_TIMEDOUT, libcurl.OperationTimedOut, TimeoutError),
        (Code.COULDNT_CONNECT, libcurl.CouldntConnect, ConnectionError),
        (Code.COULDNT_RESOLVE_HOST, libcurl.CouldntResolveHost, ConnectionError),
        (Code.COULDNT_RESOLVE_PROXY, libcurl.CouldntResolveHost, ConnectionError),
        (Code.SEND_ERROR, libcurl.PeerGone, ConnectionError),
        (Code.RECV_ERROR, libcurl.PeerGone, ConnectionError),
        (Code.GOT_NOTHING, libcurl.PeerGone, ConnectionError),
        (Code.AGAIN, libcurl.NotReady, BlockingIOError),
        (Code.NOT_BUILT_IN, libcurl.NotSupported, Exception),
        (Code.UNKNOWN_OPTION, libcurl.NotSupported, Exception),
        (Code.WRITE_ERROR, Error, Exception),
    ],
)
def test_each_code_has_its_class(code: Code, kind: type[Error], also: type[Exception]) -> None:
    error = easy_error(code)
    assert type(error) is kind
    assert isinstance(error, (Error, also))
    assert isinstance(error, also)
    assert error.code is code
    assert error.message != ""
    if kind is Error:
        assert not isinstance(error, OSError)
        assert str(error) == f"{code.name} ({code.value}): {error.message}"


def test_the_other_interfaces_errors_are_errors_with_codes_of_their_own() -> None:
    for kind, code in (
        (libcurl.MultiError, constants.MCode.BAD_SOCKET),
        (libcurl.ShareError, constants.SHCode.IN_USE),
        (libcurl.UrlError, constants.UCode.MALFORMED_INPUT),
    ):
        error = kind(int(code), "text")
        assert isinstance(error, Error)
        assert error.code is code
        assert str(error) == f"{code.name} ({int(code)}): text"


def test_an_unknown_code_is_an_int() -> None:
    error = Error(9999, "text")
    assert error.code == 9999
    assert type(error.code) is int
    assert str(error) == "error (9999): text"
    assert str(Error(9999)) == "error (9999)"


def test_errno_is_what_the_system_said_and_never_a_curlcode() -> None:
    error = failure(url=f"http://127.0.0.1:{free_port()}/")
    assert type(error) is libcurl.CouldntConnect
    assert error.errno == errno.ECONNREFUSED
    assert error.code is Code.COULDNT_CONNECT


def test_errno_is_none_where_the_system_said_nothing(http: Any) -> None:
    error = failure(url=http.url + "/slow?seconds=5", timeout_ms=20)
    assert type(error) is libcurl.OperationTimedOut
    assert isinstance(error, TimeoutError)
    assert error.errno is None or error.errno in errno.errorcode
    assert error.errno != int(error.code)
    assert libcurl.OperationTimedOut(28, "made by hand").errno is None
    assert easy_error(28).errno is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "options", "code", "part"),
    [
        ("/status/404", {"failonerror": True}, Code.HTTP_RETURNED_ERROR, "404"),
        ("/early-close", {}, Code.GOT_NOTHING, "mpty reply"),
        ("/early-close?reset=1", {}, Code.RECV_ERROR, "reset"),
        ("/short", {}, Code.PARTIAL_FILE, "50 bytes "),
        ("/redirect/3", {"followlocation": True, "maxredirs": 1}, Code.TOO_MANY_REDIRECTS, "1"),
        ("/bytes/1000", {"maxfilesize": 10}, Code.FILESIZE_EXCEEDED, "file size"),
    ],
)
def test_a_message_is_the_text_of_the_error_buffer(
    http: Any, path: str, options: dict[str, Any], code: Code, part: str
) -> None:
    error = failure(url=http.url + path, **options)
    assert error.code is code
    assert part in error.message
    assert str(error) == f"{code.name} ({int(code)}): {error.message}"


def test_an_http_status_is_no_error_unless_asked_for(http: Any) -> None:
    with Easy(url=http.url + "/status/404") as easy:
        easy.perform()
        assert easy.info.response_code == 404


def test_a_message_is_never_that_of_an_earlier_transfer(http: Any) -> None:
    with Easy(url="http://localhost:1/", timeout=5) as easy:
        with pytest.raises(Error) as first:
            easy.perform()
        easy.set(url="gopherish://x")
        with pytest.raises(Error) as second:
            easy.perform()
        assert second.value.message != first.value.message
        assert "gopherish" in second.value.message
        # From here on the error buffer holds the text of the second.
        with pytest.raises(Error) as refused:
            easy.set(sslversion=99)
        assert "gopherish" not in refused.value.message
        with pytest.raises(Error) as unsent:
            easy.send(b"x")
        assert "gopherish" not in unsent.value.message
        with pytest.raises(Error) as unreceived:
            easy.recv(1)
        assert "gopherish" not in unreceived.value.message
        easy.set(url=http.url + "/")
        assert easy.fetch() == b"hello"


def test_a_message_may_be_in_any_encoding(http: Any) -> None:
    error = failure(url=b"\xff\xfe://127.0.0.1/")
    assert isinstance(error.message, str)
    error.message.encode()


SECRET = "sesame"


@pytest.mark.parametrize(
    "options",
    [
        {"url": f"http://user:{SECRET}@127.0.0.1:1/"},
        {"url": f"http://user:{SECRET}@nowhere.invalid/"},
        {"url": f"http://user:{SECRET}@[bad/"},
        {"url": f"http://user:{SECRET}@127.0.0.1:port/"},
        {"url": f"ftp://user:{SECRET}@127.0.0.1:1/"},
        {"url": "http://127.0.0.1:1/", "userpwd": f"user:{SECRET}"},
        {"url": "http://127.0.0.1:1/", "proxy": f"http://user:{SECRET}@127.0.0.1:1"},
        {"url": "http://127.0.0.1:1/", "proxy": f"http://user:{SECRET}@nowhere.invalid:1"},
        {"url": "http://127.0.0.1:1/", "proxy": f"socks5h://user:{SECRET}@127.0.0.1:1"},
        {"url": "http://127.0.0.1:1/", "xoauth2_bearer": SECRET, "httpauth": 1 << 6},
        {"url": "http://127.0.0.1:1/", "httpheader": [f"Authorization: {SECRET}"]},
        {"url": "http://127.0.0.1:1/", "sslcert": "/nothing", "keypasswd": SECRET},
    ],
)
def test_no_credentials_in_errors_and_reprs(options: dict[str, Any]) -> None:
    with Easy(**options, connecttimeout=5) as easy:
        with pytest.raises(Error) as caught:
            easy.perform()
        error = caught.value
        for shown in (str(error), repr(error), repr(error.args), repr(easy), repr(easy.info)):
            assert SECRET not in shown


def test_no_credentials_in_refusals() -> None:
    class Password:
        def __repr__(self) -> str:
            return SECRET

    easy = Easy()
    for value in (Password(), [SECRET], {SECRET: 1}, 5, SECRET + "\0", SECRET.encode() + b"\0"):
        with pytest.raises((TypeError, ValueError)) as caught:
            easy.set(password=value)
        assert SECRET not in str(caught.value)
    for value in (Password(), SECRET, [SECRET + "\0"], [Password()]):
        with pytest.raises((TypeError, ValueError)) as caught:
            easy.set(httpheader=value)
        assert SECRET not in str(caught.value)


def test_errors_survive_pickling_whole(http: Any) -> None:
    for error in (
        failure(url=f"http://127.0.0.1:{free_port()}/"),
        failure(url=http.url + "/slow?seconds=5", timeout_ms=20),
        failure(url=http.url + "/short"),
        libcurl.MultiError(5, "text"),
        libcurl.NotSupported(4, "text"),
    ):
        error.note = "of the user's own"  # type: ignore[attr-defined]
        twin = pickle.loads(pickle.dumps(error))
        assert type(twin) is type(error)
        assert (twin.code, twin.message, str(twin)) == (error.code, error.message, str(error))
        assert getattr(twin, "errno", 0) == getattr(error, "errno", 0)
        assert twin.args == error.args
        assert twin.note == error.note


def test_python_code_that_knows_no_libcurl_can_catch_them(http: Any) -> None:
    with pytest.raises(ConnectionError):
        Easy(url=f"http://127.0.0.1:{free_port()}/").perform()
    with pytest.raises(TimeoutError):
        Easy(url=http.url + "/slow?seconds=5", timeout_ms=20).perform()
    with Easy(url=http.url + "/", connect_only=1) as easy:
        easy.perform()
        with pytest.raises(BlockingIOError):
            easy.recv(1)


def test_tls_failures_tell_which(https: Any, ca: Any) -> None:
    error = failure(url=https.url + "/", cainfo=ca.client.cert)
    assert error.code is Code.PEER_FAILED_VERIFICATION
    assert "certificate" in error.message.lower()
    assert not isinstance(error, (ssl.SSLError, socket.error))


@pytest.mark.skipif(bool(libcurl.version_info().ares), reason="this libcurl has c-ares")
def test_an_option_that_is_not_built_in_says_so() -> None:
    with pytest.raises(libcurl.NotSupported) as caught:
        Easy(dns_servers="127.0.0.1")
    message = f"CURLOPT_DNS_SERVERS is not built into this libcurl {raw.LOADED_TEXT}"
    assert str(caught.value) == caught.value.message == message


def test_performing_inside_ones_own_callback_is_an_error_of_libcurls(http: Any) -> None:
    seen: list[Error] = []

    def write(data: bytes) -> None:
        with pytest.raises(Error) as caught:
            easy.perform()
        seen.append(caught.value)

    easy = Easy(url=http.url + "/", writefunction=write)
    easy.perform()
    easy.perform()
    assert [error.code for error in seen] == [Code.RECURSIVE_API_CALL] * 2
    assert len(http.requests) == 2
