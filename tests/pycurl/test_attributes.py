"""Attributes of the drop-in's handles: pycurl's constants, and what users put there."""

from __future__ import annotations

import functools
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


@pytest.mark.parametrize("kind", ["Curl", "CurlMulti", "CurlShare"])
def test_instances_of_subclasses_have_a_dict(kind: str) -> None:
    class Own(getattr(pycurl, kind)):  # type: ignore[misc]
        def __init__(self, **attributes: object) -> None:
            self.__dict__.update(attributes)

        @functools.cached_property
        def found(self) -> object:
            return object()

    handle = Own(first=1, second=2)
    assert (handle.first, handle.second) == (1, 2)
    assert handle.found is handle.found
    del handle.found
    handle.third = 3
    assert vars(handle) == {"first": 1, "second": 2, "third": 3}
    assert "third" in vars(handle)
    assert vars(handle).pop("first") == handle.__dict__.setdefault("second", 4) - 1 == 1
    assert not hasattr(handle, "first")
    handle.__dict__ |= {"fourth": 4}
    del handle.__dict__["second"]
    assert handle.__dict__ == {"third": 3, "fourth": 4}
    handle.__dict__ = {"fifth": 5}
    assert vars(handle) == {"fifth": handle.fifth}
    handle.__dict__.clear()
    assert vars(handle) == {}
    handle.close()
    assert not hasattr(getattr(pycurl, kind)(), "__dict__")
    with pytest.raises(TypeError, match="vars"):
        vars(getattr(pycurl, kind)())


def test_what_a_handle_needs_is_not_in_its_dict(http: Any) -> None:
    class Own(pycurl.Curl):
        pass

    curl = Own()
    curl.setopt(pycurl.URL, f"{http.url}/post")
    curl.setopt(pycurl.POSTFIELDS, b"body" * 10000)
    curl.setopt(pycurl.WRITEFUNCTION, len)
    curl.__dict__ = {"mine": 1}
    assert curl.perform_rb() == b"body" * 10000
    assert vars(curl) == {"mine": 1}


@pytest.mark.parametrize("name", ["Curl", "CurlMulti", "CurlShare"])
def test_who_misspells_is_told_what_may_have_been_meant(name: str) -> None:
    handle = getattr(pycurl, name)()
    for access in (getattr, delattr):
        with pytest.raises(AttributeError) as caught:
            access(handle, "setop")
        assert (caught.value.name, caught.value.obj) == ("setop", handle)
