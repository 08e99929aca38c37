"""An exception of a signal handler's, at each line of what sets `sockets`: no policy is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from interrupts import AFTER_CALLS, after_calls_only, every_line

import libcurl
from libcurl import Easy, Multi, Share
from libcurl.sockets import AddressPolicy, AddressRefused, SocketLog, deny

pytestmark = after_calls_only
PUBLIC = AddressPolicy.public_only()
OTHERWISE = AddressPolicy.public_only(deny(port=25))


@pytest.mark.parametrize("new", [OTHERWISE, OTHERWISE | SocketLog()], ids=["policy", "with a log"])
@pytest.mark.parametrize("old", [None, PUBLIC, PUBLIC | SocketLog()], ids=["none", "policy", "log"])
def test_it_is_the_old_policy_or_the_new_one(old: Any, new: Any, http: Any) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made["easy"] = easy = Easy(url=http.url, sockets=old)
        return lambda: easy.set(sockets=new)

    for _ in every_line(prepare, 400, AFTER_CALLS):
        easy = made["easy"]
        assert easy._handle.inside.depth == 0
        if easy._sockets is not None:
            with pytest.raises(AddressRefused):
                easy.fetch()
        else:
            assert old is None
            assert easy.fetch() == b"hello"
        easy.set(sockets=new)
        with pytest.raises(AddressRefused):
            easy.fetch()
        with easy.duphandle() as twin, pytest.raises(AddressRefused):
            twin.fetch()
        easy.set(sockets=None)
        assert easy.fetch() == b"hello"
        easy.close()


def test_a_policy_that_is_taken_away_can_be_set_again(http: Any) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made["easy"] = easy = Easy(url=http.url, sockets=PUBLIC)
        return lambda: easy.set(sockets=None)

    for _ in every_line(prepare, 400, AFTER_CALLS):
        easy = made["easy"]
        assert easy._handle.inside.depth == 0
        if easy._sockets is not None:
            with pytest.raises(AddressRefused):
                easy.fetch()
        easy.set(sockets=None)
        assert easy.fetch() == b"hello"
        easy.set(sockets=OTHERWISE)
        with pytest.raises(AddressRefused):
            easy.fetch()


def test_unsetting_something_else_leaves_the_policy_and_the_options(http: Any) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made["easy"] = easy = Easy(url=http.url, useragent="a", timeout=9, sockets=PUBLIC)
        return lambda: easy.unset("useragent")

    for _ in every_line(prepare, 1000, AFTER_CALLS):
        assert made["easy"]._handle.inside.depth == 0
        with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
            made["easy"].fetch()


@pytest.mark.parametrize("where", ["multi", "share"])
def test_default_sockets_can_be_given_again(where: str, http: Any) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made["easy"] = easy = Easy(url=http.url)
        if where == "multi":
            made["multi"] = Multi(sockets=PUBLIC)
            return lambda: made["multi"].add(easy)
        made["share"] = Share(libcurl.LockData.DNS, sockets=PUBLIC)
        return lambda: easy.set(share=made["share"])

    for _ in every_line(prepare, 400, AFTER_CALLS):
        easy = made["easy"]
        if where == "multi":
            multi = made["multi"]
            if easy not in multi:
                multi.add(easy)
            ((_, error),) = multi.run()
            assert isinstance(error, AddressRefused)
            multi.close()
        else:
            easy.set(share=made["share"])
            with pytest.raises(AddressRefused):
                easy.fetch()
            easy.close()
