"""Attributes of the drop-in's handles: pycurl's constants, and what users put there."""

from __future__ import annotations

from typing import Any

import pytest

from libcurl import pycurl


@pytest.mark.parametrize(
    ("kind", "name"), [("Curl", "URL"), ("CurlMulti", "M_PIPELINING"), ("CurlShare", "SH_SHARE")]
)
def test_constants_are_attributes_until_the_user_has_one_of_that_name(kind: str, name: str) -> None:
    class Own(getattr(pycurl, kind)):  # type: ignore[misc]
        pass

    for handle in (getattr(pycurl, kind)(), Own()):
        assert getattr(handle, name) is getattr(pycurl, name)
        setattr(handle, name, "mine")
        assert getattr(handle, name) == "mine"
        delattr(handle, name)
        assert getattr(handle, name) is getattr(pycurl, name)
        with pytest.raises(AttributeError):
            delattr(handle, name)


def test_each_class_has_the_constants_that_are_its_own() -> None:
    curl: Any = pycurl.Curl()
    multi: Any = pycurl.CurlMulti()
    assert not hasattr(curl, "M_PIPELINING")
    assert not hasattr(curl, "E_URL_OK")
    assert not hasattr(multi, "URL")


def test_attributes_of_the_users_own() -> None:
    curl: Any = pycurl.Curl()
    curl.body = b"x"
    twin = curl.duphandle()
    del curl.body
    assert twin.body == b"x"
    for name in ("body", "__dict__"):
        with pytest.raises(AttributeError, match=name):
            getattr(curl, name)
    with pytest.raises(AttributeError, match="body"):
        del curl.body


@pytest.mark.parametrize("name", ["Curl", "CurlMulti", "CurlShare"])
def test_who_misspells_is_told_what_may_have_been_meant(name: str) -> None:
    handle = getattr(pycurl, name)()
    for access in (getattr, delattr):
        with pytest.raises(AttributeError) as caught:
            access(handle, "setop")
        assert (caught.value.name, caught.value.obj) == ("setop", handle)
