"""getinfo and headers: what is known of a transfer, and as which type."""

from __future__ import annotations

from typing import Any

import pytest

import libcurl
from libcurl import Easy, constants, raw, symbols

needs_headers = pytest.mark.skipif(raw.LOADED < (7, 83), reason="libcurl has no headers API")


def test_infos_have_the_type_that_libcurl_gives_them(http: Any) -> None:
    with Easy(url=http.url + "/bytes/3000", cookiefile="") as easy:
        easy.set(cookielist="Set-Cookie: a=b; domain=127.0.0.1; path=/")
        easy.perform()
        info = easy.info
        expected = {
            "response_code": 200,
            "effective_url": http.url + "/bytes/3000",
            "content_type": "application/octet-stream",
            "size_download_t": 3000,
            "size_download": 3000.0,
            "num_connects": 1,
            "primary_ip": "127.0.0.1",
            "primary_port": http.port,
            "local_ip": "127.0.0.1",
            "redirect_url": None,
            "certinfo": [],
            "http_version": constants.HTTPVersion.V1_1,
        }
        for name, value in expected.items():
            found = getattr(info, name)
            assert found == value
            assert type(found) is (int if isinstance(value, int) else type(value))
        assert isinstance(info.total_time, float)
        assert isinstance(info.total_time_t, int)
        assert info.total_time > 0
        assert len(info.cookielist) == 1
        assert info.cookielist[0].endswith("\ta\tb")
        assert isinstance(info.ssl_engines, list)
        backend, address = info.tls_ssl_ptr
        assert isinstance(backend, int)
        assert address == 0


@pytest.mark.parametrize(
    "info", ["response_code", "RESPONSE_CODE", "CURLINFO_RESPONSE_CODE", 0x200002]
)
def test_an_info_is_named_or_numbered(http: Any, info: Any) -> None:
    with Easy(url=http.url + "/status/204") as easy:
        easy.perform()
        assert easy.getinfo(info) == 204
        assert easy.getinfo(constants.Info.RESPONSE_CODE) == 204


def test_text_is_utf8_with_surrogates_and_raw_is_bytes(http: Any) -> None:
    url = http.url.encode() + b"/headers?Content-Type=%C3%A9%FF"
    with Easy(url=url) as easy:
        easy.perform()
        assert easy.getinfo_raw("content_type") == b"\xc3\xa9\xff"
        assert easy.info.content_type == "é\udcff"
        assert easy.getinfo("content_type").encode("utf-8", "surrogateescape") == b"\xc3\xa9\xff"
        assert easy.getinfo_raw("effective_url") == url


def test_an_info_that_is_text_outlives_the_transfer(http: Any) -> None:
    with Easy(url=http.url + "/") as easy:
        easy.perform()
        ip, url = easy.info.primary_ip, easy.info.effective_url
        easy.set(url="http://localhost:1/")
        with pytest.raises(libcurl.Error):
            easy.perform()
        assert (ip, url) == ("127.0.0.1", http.url + "/")


def test_certificates_are_lists_of_pairs(https: Any, ca: Any) -> None:
    with Easy(url=https.url + "/", cainfo=ca.cert, certinfo=True) as easy:
        easy.perform()
        certificates = easy.info.certinfo
        assert len(certificates) == 1
        names = [name for name, _ in certificates[0]]
        assert {"Subject", "Issuer", "Cert"} <= set(names)
        found = dict(certificates[0])
        assert "test authority" in found["Issuer"]
        assert dict(easy.getinfo_raw("certinfo")[0])[b"Cert"].startswith(b"-----BEGIN")


def test_active_socket_is_a_descriptor_or_minus_one(http: Any) -> None:
    with Easy(url=http.url + "/", connect_only=1) as easy:
        assert easy.info.activesocket == -1
        easy.perform()
        assert easy.info.activesocket > 2
        assert easy.info.activesocket == easy.info.lastsocket


def test_an_unknown_info_is_an_attribute_error_or_a_type_error() -> None:
    easy = Easy()
    with pytest.raises(AttributeError, match=r"'respose_code' .*: did you mean 'response_code'?"):
        _ = easy.info.respose_code
    with pytest.raises(TypeError, match=r"'respose_code' .*: did you mean 'response_code'?"):
        easy.getinfo("respose_code")
    with pytest.raises(TypeError, match="123 is no info of libcurl"):
        easy.getinfo(123)
    with pytest.raises(TypeError):
        easy.getinfo(1.5)  # type: ignore[arg-type]
    assert not hasattr(easy.info, "nothing")
    assert {"response_code", "total_time_t"} <= set(dir(easy.info))


def test_an_info_of_a_later_libcurl_names_that_version(monkeypatch: pytest.MonkeyPatch) -> None:
    row = (0x2000FF, "9.9.0", None)
    monkeypatch.setitem(symbols.SYMBOLS["CURLINFO"], "CURLINFO_OF_TOMORROW", row)
    monkeypatch.setitem(constants._rows, "CURLINFO_OF_TOMORROW", row)
    message = f"CURLINFO_OF_TOMORROW needs libcurl 9.9.0, this is {raw.LOADED_TEXT}"
    easy = Easy()
    for read in (easy.getinfo, easy.getinfo_raw, lambda name: getattr(easy.info, name)):
        with pytest.raises(libcurl.NotSupported, match=message):
            read("of_tomorrow")


def test_every_info_can_be_asked_for_at_any_time(script: Any, http: Any) -> None:
    script(
        """
        import sys
        import libcurl
        from libcurl import constants
        easy = libcurl.Easy(url=sys.argv[1])
        for _ in range(2):
            for name in constants.members("Info"):
                try:
                    value = easy.getinfo(name)
                except libcurl.NotSupported:
                    continue
                except TypeError as error:
                    assert name in ("NONE", "LASTONE"), name
                    continue
                assert value is None or isinstance(value, (str, int, float, list, tuple)), name
            easy.perform()
        """,
        http.url + "/",
    )


@needs_headers
def test_headers_are_a_mapping_in_any_case(http: Any) -> None:
    with Easy(url=http.url + "/headers?X-A=1&x-a=2&X-B=%C3%A9%FF") as easy:
        easy.perform()
        headers = easy.headers
        assert headers["x-a"] == headers["X-A"] == "1"
        assert headers.getall("X-a") == ["1", "2"]
        assert headers["X-B"] == "é\udcff"
        assert headers.get("nothing") is None
        assert headers.getall("nothing") == []
        assert "x-b" in headers
        assert sorted(headers) == ["Content-Length", "X-A", "X-B"]
        assert len(headers) == 3
        assert (b"X-B", b"\xc3\xa9\xff") in headers.raw
        with pytest.raises(KeyError, match="nothing"):
            headers["nothing"]


@needs_headers
def test_headers_are_taken_when_asked_for(http: Any) -> None:
    with Easy(url=http.url + "/headers?X-A=1") as easy:
        easy.perform()
        headers = easy.headers
        easy.set(url=http.url + "/headers?X-B=1")
        easy.perform()
        assert ("x-a" in headers, "x-a" in easy.headers) == (True, False)
    assert headers["x-a"] == "1"  # and outlive the handle


@needs_headers
def test_headers_of_other_requests_and_origins_can_be_selected(http: Any) -> None:
    url = f"{http.url}/redirect-to?url=/chunked%3Ftrailer%3DX-End:yes"
    with Easy(url=url, followlocation=True) as easy:
        easy.perform()
        headers = easy.headers
        assert "location" not in headers
        assert "location" in headers.select(request=0)
        trailer = headers.select(constants.HeaderOrigin.TRAILER)
        assert trailer["X-End"] == "yes"
        assert len(headers.select(constants.HeaderOrigin.CONNECT)) == 0
