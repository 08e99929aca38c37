"""What the drop-in sends of CurlMime and HTTPPOST is what pycurl sends, and so are the refusals."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from libcurl import pycurl

pytestmark = pytest.mark.filterwarnings("ignore:HTTPPOST is deprecated")


@pytest.fixture
def curl(http: Any) -> Any:
    with pycurl.Curl() as made:
        made.setopt(pycurl.URL, f"{http.url}/post")
        yield made


def test_a_file_of_a_form_is_looked_for_when_it_is_sent(curl: Any, tmp_path: Path) -> None:
    late = tmp_path / "late.txt"
    curl.setopt(pycurl.HTTPPOST, [("field", (pycurl.FORM_FILE, str(late)))])
    for _ in range(2):
        with pytest.raises(pycurl.error) as caught:
            curl.perform_rb()
        assert caught.value.code == pycurl.E_READ_ERROR
    late.write_text("written in between")
    for _ in range(2):
        body = curl.perform_rb()
        assert b'name="field"; filename="late.txt"' in body
        assert b"text/plain\r\n\r\nwritten in between\r\n" in body


def test_a_file_that_has_gone_is_missed_when_it_is_sent(curl: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("here")
    mime = pycurl.CurlMime(curl)
    mime.add_file("field", str(file))
    file.unlink()
    curl.setopt(pycurl.MIMEPOST, mime)
    mime.add_field("another", "field")
    with pytest.raises(pycurl.error) as caught:
        curl.perform_rb()
    assert caught.value.code == pycurl.E_READ_ERROR
    with pytest.raises(pycurl.error, match="open/read"):
        mime.add_file("field", str(file))


def test_bodies_that_outlive_the_interpreter_go_in_silence(script: Any) -> None:
    done = script.run(
        """
        import builtins, sys
        from libcurl import pycurl
        builtins.kept = pycurl.CurlMime(pycurl.Curl())  # goes last
        curl = pycurl.Curl()
        mime = pycurl.CurlMime(curl)
        mime.add_multipart("name").add_field("inner", "value")
        mime.addpart().data_cb(1, lambda _, size: b"x", free=lambda _: None)
        curl.setopt(pycurl.MIMEPOST, mime)
        sys.kept = [mime, curl, curl.duphandle()]
        sys.kept.append(sys.kept)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_duplicate_has_a_body_of_its_own(curl: Any) -> None:
    freed = []
    pieces = [b"", b"the source"]
    with pycurl.CurlMime(curl) as mime:
        part = mime.add_field("a", "the field")
        mime.add_multipart("b").add_field("c", "the inner field")
        mime.addpart().data_cb(
            10, lambda _, size: pieces.pop(), free=lambda _: freed.append("source")
        )
        curl.setopt(pycurl.MIMEPOST, mime)
        duplicate = curl.duphandle()
        part.data("changed")
    twin = duplicate.duphandle()
    curl.close()
    duplicate.close()
    body = twin.perform_rb()
    assert [body.count(text) for text in (b"the field", b"the inner field", b"the source")] == [
        1
    ] * 3
    assert b"changed" not in body
    assert freed == []
    twin.reset()
    for _ in range(3):
        gc.collect()
    assert freed == ["source"]
    twin.close()
