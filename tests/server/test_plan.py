"""A reset and the same options again: what is put off, and that nobody can see it."""

from __future__ import annotations

import gc
import json
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import libcurl
from libcurl import Easy

USED, RESET_LATER, AGAIN_LATER = 3, 4, 5


def stage(easy: Easy) -> int:
    found: int = easy._handle.stage
    return found


def usual(http: Any, **more: Any) -> dict[str, Any]:
    return {"url": http.url + "/echo", "useragent": "usual", "timeout_ms": 20_000, **more}


def settle(easy: Easy, options: dict[str, Any]) -> None:
    """Until the next reset is put off."""
    for _ in range(4):
        easy.reset()
        easy.set(**options)
        easy.fetch()
    assert stage(easy) == USED


def agent(easy: Easy) -> str | None:
    """As the server sees it."""
    found: str | None = dict(json.loads(easy.fetch())["headers"]).get("User-Agent")
    return found


def test_the_same_again_is_not_set_again(http: Any) -> None:
    with Easy() as easy:
        settle(easy, usual(http))
        for _ in range(3):
            easy.reset()
            assert stage(easy) == RESET_LATER
            easy.set(**usual(http))
            assert stage(easy) == AGAIN_LATER
            assert agent(easy) == "usual"
            assert easy.info.response_code == 200  # who looks, disturbs nothing
            assert len(easy.headers) > 0
            assert easy.body
            assert stage(easy) == USED


def test_a_transfer_after_a_mere_reset_has_no_options(http: Any) -> None:
    with Easy() as easy:
        settle(easy, usual(http))
        easy.reset()
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code == 3
        easy.set(**usual(http))
        assert agent(easy) == "usual"


@pytest.mark.parametrize("again", [False, True])
def test_infos_are_cleared(http: Any, again: bool) -> None:
    with Easy() as easy:
        settle(easy, usual(http))
        assert easy.getinfo("response_code") == 200
        easy.reset()
        if again:
            easy.set(**usual(http))
        assert easy.getinfo("response_code") == 0
        assert easy.info.size_download_t == 0
        if not again:
            easy.set(**usual(http))
        assert agent(easy) == "usual"


CHANGES: dict[str, Callable[[Easy, Any], object]] = {
    "another option": lambda easy, http: easy.set(url=http.url + "/echo"),
    "setopt": lambda easy, http: easy.setopt("url", http.url + "/echo"),
    "a list": lambda easy, http: easy.set(httpheader=["A: b"], url=http.url + "/echo"),
    "an object": lambda easy, http: easy.set(postfields=b"x", url=http.url + "/echo"),
    "a callback": lambda easy, http: easy.set(headerfunction=len, url=http.url + "/echo"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_options_find_the_handle_reset(http: Any, change: str) -> None:
    with Easy() as easy:
        settle(easy, usual(http))
        easy.reset()
        CHANGES[change](easy, http)
        assert agent(easy) is None
        easy.reset()
        easy.set(**usual(http))
        assert agent(easy) == "usual"
        seen = json.loads(easy.body)
        assert seen["method"] == "GET"
        assert "A" not in dict(seen["headers"])


@pytest.mark.parametrize("change", ["referer", "httpheader", "private", "headerfunction"])
def test_what_is_set_beside_the_plan_goes_with_the_next_reset(http: Any, change: str) -> None:
    lines: list[bytes] = []
    value = {"httpheader": ["Referer: x"], "headerfunction": lines.append}.get(change, "x")
    with Easy() as easy:
        settle(easy, usual(http))
        for _ in range(2):
            easy.setopt(change, value)
            easy.fetch()
            easy.reset()
            easy.set(**usual(http))
            lines.clear()
            assert "Referer" not in dict(json.loads(easy.fetch())["headers"])
            assert easy.getinfo("private") is None
            assert not lines
            easy.unset("useragent")
            assert agent(easy) is None
            settle(easy, usual(http))


def test_a_duplicate_and_a_multi_find_the_handle_reset(http: Any) -> None:
    with Easy() as easy, libcurl.Multi() as multi:
        settle(easy, usual(http))
        easy.reset()
        with easy.duphandle() as twin:
            twin.set(url=http.url + "/echo")
            assert agent(twin) is None
        settle(easy, usual(http))
        easy.reset()
        easy.set(**usual(http))
        with easy.duphandle() as twin:
            assert agent(twin) == "usual"
        settle(easy, usual(http))
        for options in (usual(http), {"url": http.url + "/echo"}):
            easy.reset()
            easy.set(**options)
            multi.add(easy)
            assert [error for _, error in multi.run()] == [None]
            headers = dict(json.loads(easy.body)["headers"])
            assert headers.get("User-Agent") == options.get("useragent")


@pytest.mark.parametrize("again", [False, True])
def test_a_handle_is_closed_with_a_reset_put_off(http: Any, again: bool) -> None:
    easy = Easy()
    settle(easy, usual(http))
    easy.reset()
    if again:
        easy.set(**usual(http))
    easy.close()
    for use in (easy.reset, lambda: easy.set(**usual(http)), easy.fetch):
        with pytest.raises(ValueError, match="closed"):
            use()


@pytest.mark.parametrize("again", [False, True])
def test_a_handle_is_dropped_with_a_reset_put_off(http: Any, again: bool) -> None:
    easy = Easy()
    settle(easy, usual(http))
    easy.reset()
    if again:
        easy.set(**usual(http))
    gone = weakref.ref(easy)
    del easy
    gc.collect()
    assert gone() is None


def test_a_reset_releases_what_is_kept_at_once(http: Any) -> None:
    class Thing:
        pass

    with Easy() as easy:
        settle(easy, usual(http))
        thing = Thing()
        gone = weakref.ref(thing)
        easy.setopt("private", thing)
        del thing
        assert gone() is not None
        easy.reset()
        gc.collect()
        assert gone() is None


def test_an_equal_value_of_another_type_is_refused(http: Any) -> None:
    with Easy() as easy:
        settle(easy, usual(http))
        for value in (20_000.0, complex(20_000)):
            easy.reset()
            with pytest.raises(TypeError, match="takes an int"):
                easy.set(**usual(http, timeout_ms=value))
            easy.set(**usual(http))
            assert agent(easy) == "usual"
        easy.set(**usual(http, useragent=bytearray(b"usual")))
        with pytest.raises(TypeError):
            easy.set(**usual(http, useragent=5.0))


def test_it_is_refused_behind_other_numbers_too(http: Any) -> None:
    options = {"url": http.url + "/echo", "nosignal": True, "maxredirs": 3, "timeout_ms": 20_000}
    with Easy() as easy:
        settle(easy, options)
        easy.reset()
        with pytest.raises(TypeError, match="takes an int"):
            easy.set(**{**options, "timeout_ms": 20_000.0})


def test_a_value_that_changes_is_set_as_it_is_now(http: Any) -> None:
    name = bytearray(b"usual")
    with Easy() as easy:
        for expected in (b"usual", b"other", b"third", b"forth"):
            name[:] = expected
            easy.reset()
            easy.set(**usual(http, useragent=name))
            assert agent(easy) == expected.decode()


def test_the_order_counts_where_it_decides() -> None:
    with Easy() as easy:
        for _ in range(3):
            easy.set(timeout=5, timeout_ms=100)
            easy.set(timeout_ms=100, timeout=5)
            assert [option.name for option in easy._settings] == ["timeout_ms", "timeout"]


@pytest.mark.parametrize(
    "path", ["/status/404", "/redirect/1", "/basic", "/close", "/early-close?reset=1"]
)
def test_after_anything_but_a_plain_transfer_the_reset_is_one(http: Any, path: str) -> None:
    """It clears what was learnt of authentication, counted retries, the referer of a redirection."""
    options = {"url": http.url + path, "followlocation": True}
    with Easy() as easy:
        for _ in range(5):
            easy.reset()
            assert stage(easy) < RESET_LATER
            easy.set(**options)
            try:
                easy.fetch()
            except libcurl.Error:
                pass


def test_two_transfers_after_a_reset(http: Any) -> None:
    with Easy() as easy:
        settle(easy, usual(http))
        easy.fetch()
        easy.reset()
        assert stage(easy) < RESET_LATER
        easy.set(**usual(http))
        assert agent(easy) == "usual"


def test_commands_are_given_every_time(http: Any) -> None:
    options = {"url": http.url + "/cookies", "cookielist": "Set-Cookie: a=b; domain=127.0.0.1"}
    with Easy() as easy:
        for _ in range(5):
            easy.reset()
            easy.set(cookielist="ALL")
            assert easy.cookies == []
            easy.set(**options)
            assert easy.fetch() == b"a=b"


def test_settings_that_repeat_are_not_shared_with_the_plan(http: Any) -> None:
    with Easy() as easy:
        settle(easy, usual(http))
        easy.setopt("referer", "x")
        easy.setopt("useragent", "other")
        easy.reset()
        easy.set(**usual(http))
        with easy.duphandle() as twin:
            twin.unset("timeout_ms")
            headers = dict(json.loads(twin.fetch())["headers"])
            assert headers["User-Agent"] == "usual"
            assert "Referer" not in headers


def test_resets_in_another_thread_or_process(http: Any) -> None:
    caught: list[BaseException] = []
    with Easy() as easy:
        settle(easy, usual(http))

        def elsewhere() -> None:
            for act in (easy.reset, lambda: easy.set(**usual(http))):
                try:
                    act()
                except RuntimeError as error:
                    caught.append(error)

        def header(line: bytes) -> None:
            if not caught:
                thread = threading.Thread(target=elsewhere)
                thread.start()
                thread.join()

        easy.setopt("headerfunction", header)
        assert agent(easy) == "usual"
        assert len(caught) == 2
        settle(easy, usual(http))
        child = os.fork()
        if not child:
            try:
                easy.reset()
            except RuntimeError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_reset_amid_a_stream_is_refused(http: Any) -> None:
    with Easy() as easy:
        settle(easy, usual(http, url=http.url + "/bytes/3000000"))
        stream = easy.stream()
        next(stream)
        with pytest.raises(RuntimeError, match="during its transfer"):
            easy.reset()
        stream.close()
        easy.reset()
        easy.set(url=http.url + "/echo")
        assert agent(easy) is None


def test_one_text_or_one_number_is_a_plan_too(http: Any) -> None:
    with Easy(url=http.url + "/echo") as easy:
        for _ in range(4):
            easy.set(useragent="x")
            assert agent(easy) == "x"
        for _ in range(4):
            easy.set(timeout_ms=20_000)
        with pytest.raises(TypeError):
            easy.set(timeout_ms=20_000.0)
        with pytest.raises(TypeError, match="no option"):
            easy.set(timeouts=20_000)
        assert agent(easy) == "x"


def test_a_callback_makes_no_plan(http: Any) -> None:
    """The debug callback may be called in the middle of one."""
    plans = []

    def header(line: bytes) -> None:
        for _ in range(3):
            easy.set(maxredirs=3)
        plans.append(bool(easy._handle.plan))

    with Easy(url=http.url, headerfunction=header) as easy:
        easy.fetch()
    assert plans
    assert not any(plans)
