"""Url: libcurl's reading and writing of URLs as a value."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

import libcurl
from libcurl import Easy, UCode, UFlag, UPart, Url, UrlError

WHOLE = "https://us%20er:pass@host.example:8080/a/b?c=d#e"


def test_parts_are_attributes_and_none_where_there_are_none() -> None:
    url = Url(WHOLE)
    assert (url.scheme, url.user, url.password) == ("https", "us%20er", "pass")
    assert (url.host, url.port, url.path) == ("host.example", 8080, "/a/b")
    assert (url.query, url.fragment, url.options, url.zoneid) == ("c=d", "e", None, None)
    bare = Url("HTTP://host")
    assert (bare.scheme, bare.user, bare.port, bare.path, bare.query) == (
        "http",
        None,
        None,
        "/",
        None,
    )
    assert Url("http://[fe80::1%25eth0]/").zoneid == "eth0"
    assert Url("imap://user;AUTH=PLAIN@host/").options == "AUTH=PLAIN"


def test_get_takes_names_numbers_and_flags() -> None:
    url = Url(WHOLE)
    assert url.get("user", UFlag.URLDECODE) == url.get(UPart.USER, UFlag.URLDECODE) == "us er"
    assert Url("https://host/").get("port", UFlag.DEFAULT_PORT) == "443"
    assert url.get("url") == str(url)
    with pytest.raises(TypeError, match="no part of a URL"):
        url.get("hostname")


def test_it_is_made_from_parts_and_parts_replace_those_of_the_text() -> None:
    assert str(Url(scheme="https", host="host", port=81, path="/x")) == "https://host:81/x"
    assert str(Url("http://host/x#y", scheme="https", fragment=None)) == "https://host/x"
    made = Url("https://host/", UFlag.URLENCODE, query="a b", user="m\u00e4x")
    assert str(made).lower() == "https://m%c3%a4x@host/?a+b"
    assert Url("host/x", UFlag.DEFAULT_SCHEME).scheme == "https"
    with pytest.raises(TypeError, match="'hots' is no part"):
        Url("http://host/", hots="x")  # type: ignore[call-arg]


def test_replace_and_join_give_new_ones() -> None:
    url = Url(WHOLE)
    assert str(url.replace(user=None, password=None, port=None)) == "https://host.example/a/b?c=d#e"
    assert str(url.replace(UFlag.APPENDQUERY, query="x=y")).endswith("/a/b?c=d&x=y#e")
    assert str(url.join("../f?g")) == "https://us%20er:pass@host.example:8080/f?g"
    assert str(url.join(Url("http://other/"))) == "http://other/"
    assert str(url) == WHOLE


def test_equal_are_those_that_libcurl_writes_alike() -> None:
    assert Url("HTTP://host") == Url("http://host/") != Url("http://host/x")
    assert len({Url("HTTP://host"), Url("http://host/")}) == 1
    assert Url("http://host/") != "http://host/"


@pytest.mark.parametrize(
    "url",
    [
        Url(WHOLE),
        Url("x-own://host/a", UFlag.NON_SUPPORT_SCHEME),
        Url("http://host/a/../b", UFlag.PATH_AS_IS),
        Url("file:///etc/hosts"),
    ],
    ids=str,
)
def test_it_can_be_copied_and_pickled(url: Url) -> None:
    assert copy.copy(url) is copy.deepcopy(url) is url
    again = pickle.loads(pickle.dumps(url))
    assert again == url
    assert again.path == url.path


def test_what_libcurl_refuses_is_a_url_error_that_names_the_part_and_no_text() -> None:
    for make, code, part in (
        (lambda: Url("http://secret:word@host:99999/"), UCode.BAD_PORT_NUMBER, "CURLUPART_URL"),
        (lambda: Url("http://host/", port="secret"), UCode.BAD_PORT_NUMBER, "CURLUPART_PORT"),
        (lambda: Url("nonsense://secret/"), UCode.UNSUPPORTED_SCHEME, "CURLUPART_URL"),
        (lambda: Url(scheme="http"), UCode.NO_HOST, "CURLUPART_URL"),
        (lambda: Url("http://host/").get(99), UCode.UNKNOWN_PART, "CURLUPART_99"),
    ):
        with pytest.raises(UrlError) as caught:
            make()
        assert caught.value.code is code
        assert part in str(caught.value)
        assert "secret" not in str(caught.value)
        assert len(caught.value.message) > len(part) + 5
    with pytest.raises(ValueError, match="NUL"):
        Url("http://host/\0")
    with pytest.raises(TypeError, match="the path of a URL"):
        Url("http://host/", path=1)  # type: ignore[arg-type]


def test_credentials_are_not_shown() -> None:
    assert repr(Url(WHOLE)) == "Url('https://***@host.example:8080/a/b?c=d#e')"
    assert repr(Url("http://host/")) == "Url('http://host/')"


def test_text_options_take_a_url(http: Any) -> None:
    with Easy(url=Url(http.url + "/echo"), referer=Url("http://host/x")) as easy:
        answer = json.loads(easy.fetch())
    assert ["Referer", "http://host/x"] in answer["headers"]


def test_curlu_is_a_copy_that_outlives_the_url(http: Any) -> None:
    with Easy(url="http://127.0.0.1:1/", curlu=Url(http.url + "/bytes/3")) as easy:
        assert len(easy.fetch()) == 3
        with easy.duphandle() as twin:
            assert len(twin.fetch()) == 3
        easy.set(curlu=Url(http.url + "/bytes/4"))
        assert len(easy.fetch()) == 4
        easy.unset("curlu")
        with pytest.raises(libcurl.CouldntConnect):
            easy.perform()
        with pytest.raises(TypeError, match="CURLOPT_CURLU takes a Url, not str"):
            easy.set(curlu=http.url)
