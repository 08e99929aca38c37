"""What the drop-in refuses, it refuses as pycurl does: with its exceptions, and most often its words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from libcurl import pycurl


@pytest.mark.parametrize("method", ["getinfo", "getinfo_raw"])
def test_getinfo_lets_the_exceptions_of_others_through(method: str) -> None:
    def interrupt(frame: FrameType, event: str, argument: Any) -> None:
        if (frame.f_globals["__name__"], frame.f_code.co_name) == ("libcurl.infos", "getinfo_raw"):
            raise TimeoutError("as a signal handler does")

    curl = pycurl.Curl()
    traced = sys.gettrace()
    sys.settrace(interrupt)  # type: ignore[arg-type]
    try:
        with pytest.raises(TimeoutError):
            getattr(curl, method)(pycurl.INFO_COOKIELIST)
    finally:
        sys.settrace(traced)
    assert getattr(curl, method)(pycurl.INFO_COOKIELIST) == []


@pytest.mark.parametrize("info", [0, -1, 1, pycurl.URL, pycurl.RESPONSE_CODE + 500])
def test_getinfo_of_what_is_no_info(info: int) -> None:
    for method in (pycurl.Curl().getinfo, pycurl.Curl().getinfo_raw):
        with pytest.raises(ValueError, match="invalid argument to getinfo"):
            method(info)


def test_an_option_is_an_int_of_c() -> None:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, "http://localhost/")  # known by its number from now on
    for call in (lambda number: curl.setopt(number, "http://localhost/"), curl.unsetopt):
        for number, kind, text in (
            (float(pycurl.URL), TypeError, "'float' object cannot be interpreted as an integer"),
            (1 << 31, OverflowError, "signed integer is greater than maximum"),
            (-1 << 40, OverflowError, "signed integer is less than minimum"),
            (-5, TypeError, "invalid arguments to "),
        ):
            with pytest.raises(kind, match=text):
                call(number)


def test_an_incomplete_url_is_none() -> None:
    url = pycurl.CurlUrl()
    for part, value in (("scheme", "http"), ("host", "localhost")):
        assert url.url is None
        assert url.getpart(pycurl.UPART_URL) is None
        with pytest.raises(pycurl.error) as caught:
            str(url)
        assert caught.value.args == ("cannot serialise an incomplete URL",)
        assert "(incomplete)" in repr(url)
        setattr(url, part, value)
    assert str(url) == url.url == "http://localhost/"


def test_numbers_that_mean_nothing() -> None:
    assert pycurl.easy_strerror(-1) == pycurl.easy_strerror(1000) == "Unknown error"
    assert pycurl.share_strerror(-1) == pycurl.share_strerror(1000)
    if hasattr(pycurl, "url_strerror"):
        assert pycurl.url_strerror(-1) == pycurl.url_strerror(1000)
    with pytest.raises(OverflowError, match="signed integer is greater than maximum"):
        pycurl.easy_strerror(1 << 31)
    url = pycurl.CurlUrl("http://localhost/")
    for method, arguments in ((url.getpart, ()), (url.setpart, (None,))):
        with pytest.raises(pycurl.error) as caught:
            method(-1, *arguments)
        assert caught.value.code == pycurl.E_URL_UNKNOWN_PART


def test_messages_name_the_class_that_the_user_knows() -> None:
    curl: Any = pycurl.Curl()
    for name in ("getinfo", "perform", "setopt", "send", "ws_send", "duphandle"):
        with pytest.raises(TypeError, match=rf"^Curl\.{name}\(\) "):
            getattr(curl, name)(1, 2, 3, 4, 5, 6)


@pytest.fixture
def sending(http: Any) -> Iterator[Any]:
    """A handle in the middle of its transfer in a CurlMulti."""
    http.route("/silent", lambda connection, request: connection.sleep(20))
    multi, curl = pycurl.CurlMulti(), pycurl.Curl()
    curl.setopt(pycurl.URL, f"{http.url}/silent")
    curl.setopt(pycurl.POSTFIELDS, "fields")
    multi.add_handle(curl)
    while not http.requests:
        multi.perform()
        multi.select(0.1)
    yield curl
    multi.close()
    curl.close()


def test_what_cannot_be_done_in_the_middle_of_a_transfer(sending: Any) -> None:
    def set_mime() -> None:
        mime = pycurl.CurlMime(sending)
        mime.add_field("name", "value")
        sending.setopt(pycurl.MIMEPOST, mime)

    for refused in (
        sending.reset,
        lambda: sending.setopt(pycurl.POSTFIELDS, "others"),
        lambda: sending.unsetopt(pycurl.POSTFIELDS),
        lambda: sending.setopt(pycurl.POSTFIELDSIZE, 1),
        set_mime,
    ):
        with pytest.raises(pycurl.error, match=r"during (its|a) transfer"):
            refused()
    for perform in (sending.perform, sending.perform_rb):
        with pytest.raises(pycurl.error) as caught:
            perform()
        text = "easy handle already used in multi handle"
        assert caught.value.args == (pycurl.E_FAILED_INIT, text)
        assert sending.errstr() == text


def test_a_handle_without_a_connection_neither_sends_nor_receives() -> None:
    for call in (lambda curl: curl.send(b"a"), lambda curl: curl.recv(1)):
        curl = pycurl.Curl()
        with pytest.raises(pycurl.error) as caught:
            call(curl)
        assert caught.value.code == pycurl.E_UNSUPPORTED_PROTOCOL
        assert caught.value.message.startswith("CONNECT_ONLY is required")
        assert curl.errstr() == caught.value.message
