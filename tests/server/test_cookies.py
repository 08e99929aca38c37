"""Cookies and HSTS entries as data."""

from __future__ import annotations

import pathlib
import time
from typing import Any

import pytest

import libcurl
from libcurl import Cookie, Easy, HSTSEntry

LATER = int(time.time()) + 1000


def test_cookies_that_came_are_data(http: Any) -> None:
    def answer(connection: Any, request: Any) -> None:
        lines = (
            "plain=1",
            f"all=a b; Path=/x; Max-Age={10**6}; HttpOnly",
            "empty=; Domain=127.0.0.1",
        )
        connection.respond(200, [("Set-Cookie", line) for line in lines], b"")

    http.route("/set", answer)
    with Easy(url=http.url + "/set") as easy:
        easy.perform()
        assert easy.cookies == []
        easy.set(cookiefile="")
        easy.perform()
        found = {cookie.name: cookie for cookie in easy.cookies}
    assert found["plain"] == Cookie("127.0.0.1", False, "/", False, 0, "plain", "1")
    assert found["all"].http_only
    assert (found["all"].path, found["all"].value) == ("/x", "a b")
    assert found["all"].expires > time.time()
    assert found["empty"].value == ""


def test_a_cookie_is_set_replaced_and_expired(http: Any) -> None:
    cookie = Cookie("127.0.0.1", False, "/", False, LATER, "name", "w\u00e4rde", http_only=True)
    with Easy(url=http.url + "/cookies", cookiefile="") as easy:
        easy.set(cookielist=cookie)
        assert easy.cookies == [cookie]
        assert easy.fetch() == "name=w\u00e4rde".encode()
        easy.set(cookielist=cookie._replace(value="other"))
        assert [found.value for found in easy.cookies] == ["other"]
        easy.set(cookielist=cookie._replace(expires=1))
        assert easy.fetch() == b""
        easy.set(cookielist="Set-Cookie: a=b; domain=127.0.0.1; path=/")
        assert easy.fetch() == b"a=b"
        easy.set(cookielist="ALL")
        assert easy.cookies == []


def test_commands_act_on_the_file(http: Any, tmp_path: pathlib.Path) -> None:
    jar = tmp_path / "jar"
    lasting = Cookie("example.com", True, "/", True, LATER, "lasting", "1")
    jar.write_text(f"{lasting}\n")
    with Easy(cookiefile=jar, cookiejar=jar) as easy:
        easy.set(cookielist="RELOAD")
        (found,) = easy.cookies
        assert found._replace(domain="example.com") == lasting
        easy.set(cookielist=Cookie("example.com", False, "/", False, 0, "session", "2"))
        easy.set(cookielist="SESS")
        assert [cookie.name for cookie in easy.cookies] == ["lasting"]
        easy.set(cookielist=lasting._replace(name="new"))
        easy.set(cookielist="FLUSH")
        assert "\tnew\t" in jar.read_text()


def test_a_line_is_read_as_it_is_written() -> None:
    cookie = Cookie(".example.com", True, "/p", True, 17, "n", "v=w", http_only=True)
    assert str(cookie) == "#HttpOnly_.example.com\tTRUE\t/p\tTRUE\t17\tn\tv=w"
    assert Cookie.parse(str(cookie)) == cookie
    assert "v=w" not in repr(cookie)
    with pytest.raises(ValueError, match="Netscape"):
        Cookie.parse("# a comment")
    with pytest.raises(ValueError, match="no tab"):
        Easy(cookielist=cookie._replace(value="a\tb"))


@pytest.mark.skipif("HSTS" not in libcurl.version_info().features, reason="no HSTS in this libcurl")
def test_hsts_entries_go_in_and_out(https: Any, ca: Any) -> None:
    entries = [
        HSTSEntry("one.example", True, "20991231 23:59:59"),
        HSTSEntry("two.example", False, None),
    ]
    written = []

    def write(entry: Any, place: Any) -> None:
        written.append((entry, place))

    with Easy(
        url=https.url,
        cainfo=ca.cert,
        hsts_ctrl=1,
        hstsreadfunction=lambda: entries.pop() if entries else None,
        hstswritefunction=write,
    ) as easy:
        easy.perform()
    assert sorted(entry for entry, _place in written) == [
        HSTSEntry("one.example", True, "20991231 23:59:59"),
        HSTSEntry("two.example", False, "unlimited"),
    ]
    assert {(place.index, place.total) for _entry, place in written} == {(0, 2), (1, 2)}
