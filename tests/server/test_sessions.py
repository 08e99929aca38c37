"""TLS sessions, exported and imported."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest

import libcurl
from libcurl import Easy, LockData, Share, TLSSession, raw


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
    with Share(LockData.SSL_SESSION) as share, Easy(share=share, url=https.url) as easy:
        easy.set(cainfo=ca.cert, forbid_reuse=True)
        easy.perform()
        session = easy.ssls_export()[0]
    assert "127.0.0.1" in (session.key or "")
    assert session.valid_until > time.time()
    assert session.tls_id in (0x0303, 0x0304)
    for sent in (session, session._replace(key=None), session._replace(shmac=b"")):
        with Share(LockData.SSL_SESSION) as share, Easy(share=share, url=https.url) as other:
            assert other.ssls_export() == []
            other.ssls_import(sent)
            assert [found.data for found in other.ssls_export()] == [session.data]
            seen = io.BytesIO()
            other.set(cainfo=ca.cert, verbose=True)
            other.set(debugfunction=lambda kind, data, log=seen: log.write(data))
            other.perform()
            assert b"reusing session" in seen.getvalue().lower()


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
