"""An exception of a signal handler's, at each line of a call: what it leaves can be used, and closed."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from interrupts import AFTER_CALLS, Interrupt, after_calls_only, every_line, interrupted

from libcurl import Easy, Error, Mime, Multi, Url, pycurl
from libcurl.connections import closers
from libcurl.registry import handles


def drive(multi: pycurl.CurlMulti) -> list[pycurl.Curl]:
    while multi.perform()[1]:
        multi.select(1)
    return multi.info_read()[1]


def curl_for(url: str) -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    return curl


def test_a_handle_whose_adding_was_interrupted_can_be_added_and_removed(http: Any) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made.update(multi=pycurl.CurlMulti(), curl=curl_for(http.url))
        return lambda: made["multi"].add_handle(made["curl"])

    for _ in every_line(prepare):
        multi, curl = made["multi"], made["curl"]
        assert (curl in multi) == bool(curl._handle.joined)
        if curl.multi() is not multi:
            multi.add_handle(curl)
        assert drive(multi) == [curl]
        multi.remove_handle(curl)
        curl.perform()
        multi.close()


def test_a_handle_whose_removal_was_interrupted_can_be_removed_and_used(http: Any) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made.update(multi=pycurl.CurlMulti(), curl=curl_for(http.url))
        made["multi"].add_handle(made["curl"])
        return lambda: made["multi"].remove_handle(made["curl"])

    for _ in every_line(prepare):
        multi, curl = made["multi"], made["curl"]
        assert (curl in multi) == bool(curl._handle.joined)
        if curl.multi() is multi:
            multi.remove_handle(curl)
        assert drive(multi) == []
        curl.perform()
        multi.close()


def test_a_multi_whose_info_read_was_interrupted_is_in_nobodys_use(http: Any) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made.update(multi=pycurl.CurlMulti(), curl=curl_for(http.url))
        made["multi"].add_handle(made["curl"])
        while made["multi"].perform()[1]:
            made["multi"].select(1)
        return lambda: made["multi"].info_read()

    for at in every_line(prepare):
        multi, curl = made["multi"], made["curl"]
        assert multi.perform() == (0, 0)
        if at % 2:
            multi.remove_handle(curl)
        multi.close()


@pytest.mark.parametrize("option", ["WRITEFUNCTION", "HEADERFUNCTION"])
def test_a_callback_whose_setting_was_interrupted_is_the_old_one_or_the_new(
    option: str, http: Any
) -> None:
    number = getattr(pycurl, option)
    pycurl.Curl().setopt(number, print)  # from now on the short way
    seen: list[str] = []
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made["curl"] = curl = curl_for(http.url)
        curl.setopt(number, lambda data: seen.append("old"))
        return lambda: curl.setopt(number, lambda data: seen.append("new"))

    for _ in every_line(prepare):
        seen.clear()
        made["curl"].perform()
        assert set(seen) in ({"old"}, {"new"})
        made["curl"].close()


@pytest.mark.parametrize("used", [False, True])
def test_a_native_handle_whose_adding_was_interrupted_can_be_added_and_removed(
    used: bool, http: Any
) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made.update(multi=Multi(), easy=Easy(url=http.url))
        if used:
            made["easy"].fetch()
        return lambda: made["multi"].add(made["easy"])

    for _ in every_line(prepare):
        multi, easy = made["multi"], made["easy"]
        if easy not in multi:
            multi.add(easy)
        assert list(multi.run()) == [(easy, None)]
        assert easy.fetch() == b"hello"
        multi.add(easy)
        multi.remove(easy)
        assert list(multi.run()) == []
        multi.close()


def test_a_run_that_was_interrupted_leaves_handles_that_can_be_removed_or_run(http: Any) -> None:
    made: dict[str, Any] = {}

    def prepare(at: int) -> Callable[[], object]:
        made.update(multi=Multi(), easy=Easy(url=http.url))
        made["multi"].add(made["easy"])
        return lambda: next(made["multi"].run())

    for at in every_line(prepare):
        multi, easy = made["multi"], made["easy"]
        if at % 2 and easy in multi:
            multi.remove(easy)
            multi.add(easy)
            assert list(multi.run()) == [(easy, None)]
        else:
            assert list(multi.run()) in ([], [(easy, None)])
        assert easy.fetch() == b"hello"
        multi.close()


USES: list[Callable[[Easy], object]] = [
    Easy.fetch,
    Easy.perform,
    lambda easy: list(easy.stream()),
    lambda easy: easy.set(headerfunction=len),
    lambda easy: easy.set(postfields=b"data"),
    lambda easy: easy.set(curlu=Url("http://127.0.0.1/")),
    lambda easy: easy.set(mimepost=Mime()),
    lambda easy: easy.unset("url"),
    lambda easy: easy.reset(),
    lambda easy: easy.duphandle(),
    lambda easy: easy.info.cookielist,
]


@after_calls_only
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("used", [False, True])
def test_a_handle_whose_use_was_interrupted_is_open_and_nobody_is_inside(
    use: Callable[[Easy], object], used: bool, http: Any
) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made["easy"] = easy = Easy(url=http.url)
        if used:
            easy.fetch()
        return lambda: use(easy)

    for _ in every_line(prepare, 600, AFTER_CALLS):
        easy = made["easy"]
        assert easy._handle.inside.depth == easy._handle.inside.shown
        easy.reset()
        easy.set(url=http.url)
        assert easy.fetch() == b"hello"
        easy.close()
        assert easy.closed


CURL_USES: list[Callable[[pycurl.Curl], object]] = [
    pycurl.Curl.perform,
    pycurl.Curl.perform_rb,
    pycurl.Curl.duphandle,
    lambda curl: curl.setopt(pycurl.HEADERFUNCTION, len),
    lambda curl: curl.setopt(pycurl.POSTFIELDS, bytearray(b"data")),
    lambda curl: curl.setopt(pycurl.CURLU, pycurl.CurlUrl()),
    lambda curl: curl.unsetopt(pycurl.URL),
    lambda curl: curl.reset(),
    lambda curl: curl.errstr(),
    lambda curl: curl.errstr_raw(),
]


@after_calls_only
@pytest.mark.parametrize("use", CURL_USES)
def test_a_curl_whose_use_was_interrupted_is_open_and_nobody_is_inside(
    use: Callable[[pycurl.Curl], object], http: Any
) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made["curl"] = curl = pycurl.Curl()
        curl.setopt(pycurl.URL, http.url)
        curl.setopt(pycurl.NOBODY, True)
        return lambda: use(curl)

    for _ in every_line(prepare, 600, AFTER_CALLS):
        curl = made["curl"]
        assert curl._handle.inside.depth == curl._handle.inside.shown
        curl.reset()
        curl.setopt(pycurl.URL, http.url)
        assert curl.perform_rb() == b"hello"
        curl.close()
        assert curl.closed
        assert curl._handle.id not in handles


@after_calls_only
def test_a_second_interrupt_does_not_lose_the_first(
    http: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one has come out of a callback, and another comes while its handle is told of that."""

    def first(*numbers: int) -> None:
        raise Interrupt

    for callback in ("headerfunction", "writefunction", "xferinfofunction", "sockoptfunction"):
        for at in range(1, 60):
            easy = Easy(url=http.url)
            easy.set(**{callback: first})
            unraisable: list[Any] = []
            monkeypatch.setattr(sys, "unraisablehook", unraisable.append)  # of the second, at most
            assert interrupted(easy.perform, at, after_calls=AFTER_CALLS)
            assert len(unraisable) <= 1
            easy.set(**{callback: None})
            assert easy.fetch() == b"hello"
            easy.close()


def test_a_signal_handler_may_be_the_first_to_use_a_handle(http: Any) -> None:
    for at in range(1, 40):
        easy = Easy(url=http.url)
        interrupted(easy.fetch, at, easy.fetch)
        assert easy.fetch() == b"hello"
        easy.close()


@pytest.mark.parametrize("after_calls", [False, pytest.param(True, marks=after_calls_only)])
@pytest.mark.parametrize("size", [0, 30_000, 100_000])
@pytest.mark.parametrize("face", ["native", "drop-in"])
def test_a_signal_handler_that_fetches_is_refused_or_has_a_body_of_its_own(
    face: str, size: int, after_calls: bool, http: Any
) -> None:
    url = f"{http.url}/stats?size={size}"  # no two are alike
    fetch: Callable[[], bytes]
    if face == "native":
        fetch = Easy(url=url).fetch
    else:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, url)
        fetch = curl.perform_rb
    bodies = [fetch()]
    for at in range(1, 100):
        called = False

        def handler() -> None:
            nonlocal called
            called = True
            try:
                bodies.append(fetch())
            except (Error, pycurl.error):
                pass

        assert not interrupted(lambda: bodies.append(fetch()), at, handler, after_calls)
        if not called:
            break
    assert at > (1 if after_calls else 5)
    assert len(set(bodies)) == len(bodies) > at
    assert all(bodies)


@pytest.mark.parametrize(
    "use",
    [
        lambda curl: curl.getinfo(pycurl.EFFECTIVE_URL),
        lambda curl: curl.getinfo(pycurl.INFO_COOKIELIST),
        lambda curl: curl.unsetopt(pycurl.URL),
        lambda curl: curl.setopt(pycurl.HTTPHEADER, ["A: b"]),
        lambda curl: curl.setopt(pycurl.CLOSESOCKETFUNCTION, os.close),
        lambda curl: curl.perform_rb(),
        lambda curl: curl.duphandle(),
    ],
)
def test_what_finds_its_curl_closed_meanwhile_raises_an_error_of_pycurls(
    use: Callable[[Any], object], http: Any
) -> None:
    for at in range(1, 200):
        curl = curl_for(http.url)
        closed = False

        def close() -> None:
            nonlocal closed
            closed = True
            try:
                curl.close()  # noqa: B023 # it is called in this turn
            except pycurl.error:
                pass  # it performs

        try:
            interrupted(lambda: use(curl), at, close)  # noqa: B023
        except pycurl.error:
            pass
        curl.close()
        if not closed:
            return
    raise AssertionError("it never ends")


@pytest.mark.parametrize("face", ["native", "drop-in"])
def test_a_fetch_that_was_interrupted_leaves_the_handle_to_any_thread(face: str, http: Any) -> None:
    fetch: Callable[[], bytes]
    if face == "native":
        fetch = Easy(url=http.url).fetch
    else:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, http.url)
        fetch = curl.perform_rb
    fetch()
    with ThreadPoolExecutor(1) as elsewhere:
        for _ in every_line(lambda at: fetch):
            assert elsewhere.submit(fetch).result() == b"hello"
            assert fetch() == b"hello"


@pytest.mark.parametrize("after_calls", [False, pytest.param(True, marks=after_calls_only)])
@pytest.mark.parametrize("face", ["native", "drop-in"])
def test_what_a_traceback_keeps_of_an_interrupted_transfer_does_not_close_the_handle(
    face: str, after_calls: bool, http: Any
) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        if face == "native":
            made["fetch"] = Easy(url=http.url).fetch
        else:
            curl = pycurl.Curl()
            curl.setopt(pycurl.URL, http.url)
            made["fetch"] = curl.perform_rb
        fetch: Callable[[], object] = made["fetch"]
        return fetch

    for _ in every_line(prepare, after_calls=after_calls):
        assert made["fetch"]() == b"hello"
        gc.collect()  # frames, which the tracing has kept
        assert made["fetch"]() == b"hello"


@after_calls_only
@pytest.mark.parametrize("after_calls", [False, True])
def test_a_mime_whose_setting_was_interrupted_goes_quietly(
    after_calls: bool, http: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: noise.append(repr(found.exc_value)))
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made.update(easy=Easy(url=http.url + "/post"), mime=Mime())
        made["mime"].add(name="a", source=io.BytesIO(b"first"))

        def send() -> None:
            made["mime"].add(name="b", source=io.BytesIO(b"second"))
            made["easy"].set(mimepost=made["mime"])

        return send

    for _ in every_line(prepare, 400, after_calls):
        made["easy"].set(mimepost=made["mime"])
        made["easy"].perform()
        made["easy"].close()
        made.clear()
        assert noise == []
    gc.collect()
    assert noise == []


@pytest.mark.parametrize("face", ["native", "drop-in"])
def test_a_closer_whose_setting_was_interrupted_is_not_noted_for_ever(face: str) -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        if face == "native":
            made["easy"] = easy = Easy()
            return lambda: easy.set(closesocketfunction=os.close)
        made["easy"] = curl = pycurl.Curl()
        return lambda: curl.setopt(pycurl.CLOSESOCKETFUNCTION, os.close)

    gc.collect()
    before = len(closers)
    for _ in range(20):
        for _ in every_line(prepare, 2000):  # looking for what is gone has many
            made["easy"].close()
    made.clear()
    gc.collect()
    assert len(closers) < before + 200  # for what is gone is looked now and then


def test_a_multi_keeps_no_handle_that_was_closed_when_its_adding_was_interrupted() -> None:
    made: dict[str, Any] = {}

    def prepare(_: int) -> Callable[[], object]:
        made.update(multi=pycurl.CurlMulti(), curl=pycurl.Curl())
        return lambda: made["multi"].add_handle(made["curl"])

    for _ in every_line(prepare):
        made["curl"].close()
        assert not made["multi"]._easies
        made["multi"].close()
