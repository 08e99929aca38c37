"""TLS sessions, exported and imported."""

from __future__ import annotations

from typing import Any

import pytest

import libcurl
from libcurl import Easy, TLSSession, raw


def _exports() -> bool:
    """Whether the loaded libcurl was built with SSLS-EXPORT."""
    if raw.LOADED < (8, 12):
        return False
    with Easy() as easy:
        try:
            easy.ssls_export()
        except libcurl.NotSupported:
            return False
    return True


@pytest.mark.skipif(not _exports(), reason="this libcurl has no SSLS-EXPORT")
def test_a_session_is_taken_up_by_another_handle(https: Any, ca: Any) -> None:
    with Easy(url=https.url, cainfo=ca.cert, forbid_reuse=True) as easy:
        easy.perform()
        sessions = easy.ssls_export()
    assert sessions
    assert sessions[0].data
    assert "127.0.0.1" in (sessions[0].key or "")
    with Easy(url=https.url, cainfo=ca.cert) as other:
        assert other.ssls_export() == []
        for session in sessions:
            other.ssls_import(session)
        assert {s.data for s in other.ssls_export()} == {s.data for s in sessions}
        other.perform()


@pytest.mark.skipif(_exports(), reason="this libcurl has SSLS-EXPORT")
def test_without_it_in_libcurl_that_is_said() -> None:
    with Easy() as easy:
        for call in (easy.ssls_export, lambda: easy.ssls_import(TLSSession("k", b"", b"d"))):
            with pytest.raises(libcurl.NotSupported) as caught:
                call()
            if raw.LOADED < (8, 12):
                assert "needs libcurl 8.12.0" in str(caught.value)


def test_a_session_shows_no_secrets() -> None:
    session = TLSSession("host:443:secret", b"secret", b"secret", 1)
    assert repr(session) == "<TLSSession with 'host' until 1>"
