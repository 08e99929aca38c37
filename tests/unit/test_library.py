"""Functions of libcurl that need no handle, and the public names."""

from __future__ import annotations

import re
from typing import Any

import pytest

import libcurl
from libcurl import raw


def test_escape_and_unescape_are_each_others_inverse() -> None:
    assert libcurl.escape("a b/é~._-") == "a%20b%2F%C3%A9~._-"
    assert libcurl.escape(b"\0\xff") == "%00%FF"
    assert libcurl.unescape("a%20b%2F%C3%A9") == "a b/é".encode()
    assert libcurl.unescape(b"%00%FF%4") == b"\0\xff%4"
    assert libcurl.escape("") == ""
    assert libcurl.unescape("") == b""
    every = bytes(range(256))
    assert libcurl.unescape(libcurl.escape(every)) == every


def test_dates_are_seconds_or_a_value_error() -> None:
    assert libcurl.getdate("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777
    assert libcurl.getdate(b"Sunday, 06-Nov-94 08:49:37 GMT") == 784111777
    for text in ("nonsense", "", "Sun, 06 Nov 1994 08:49:37 GMT\0"):
        with pytest.raises(ValueError, match="no date that libcurl understands"):
            libcurl.getdate(text)


def test_version_tells_of_the_loaded_libcurl() -> None:
    assert libcurl.version().startswith(f"libcurl/{raw.LOADED_TEXT}")
    info = libcurl.version_info()
    assert info.version == raw.LOADED_TEXT
    assert (
        info.version_num >> 16,
        info.version_num >> 8 & 255,
        info.version_num & 255,
    ) == raw.LOADED
    assert {"SSL", "IPV6"} <= info.features
    assert {"http", "https", "ftp"} <= set(info.protocols)
    assert info.ssl_version
    assert re.fullmatch(r"[\w.-]+", info.host)


def test_options_are_what_libcurl_lists_with_types() -> None:
    options = {option.name: option for option in libcurl.options()}
    assert options["url"] == ("url", 10002, "STRING")
    assert options["opensocketfunction"].type == "FUNCTION"
    assert options["httpheader"].type == "SLIST"
    assert "encoding" not in options  # an alias
    assert {option.type for option in options.values()} == {
        "LONG", "VALUES", "OFF_T", "STRING", "SLIST", "BLOB", "OBJECT", "FUNCTION", "CBPTR",
    }  # fmt: skip


def test_global_trace_needs_its_libcurl() -> None:
    if raw.LOADED < (8, 3):
        message = f"curl_global_trace needs libcurl 8.3.0, this is {raw.LOADED_TEXT}"
        with pytest.raises(libcurl.NotSupported, match=f"^{re.escape(message)}$"):
            libcurl.global_trace("all")
    else:
        libcurl.global_trace("-all")


def test_every_public_name_can_be_had_and_is_listed() -> None:
    names = dir(libcurl)
    assert {"Easy", "Error", "Opt", "SockOpt", "SOCKET_BAD", "options", "raw"} <= set(names)
    assert all(getattr(libcurl, name) is not None for name in names if not name.startswith("_"))
    with pytest.raises(AttributeError, match="module 'libcurl' has no attribute 'Esay'"):
        _ = libcurl.Esay
    assert not hasattr(libcurl, "_nothing")


def test_options_is_the_function_however_modules_were_imported(script: Any) -> None:
    script(
        """
        import libcurl.options
        import libcurl.easy
        from libcurl import options
        import libcurl
        assert options is libcurl.options and options()[0].name
        from libcurl.options import by_name
        assert by_name["url"].id == 10002
        """
    )
