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


def test_files_of_one_field_are_attachments_of_one_part(curl: Any, tmp_path: Path) -> None:
    options: list[Any] = []
    for name in ("first.txt", "second.unknown", "third.gif"):
        (tmp_path / name).write_text(f"content of {name}")
        options += (pycurl.FORM_FILE, str(tmp_path / name))
    options += (pycurl.FORM_FILENAME, "renamed")
    curl.setopt(pycurl.HTTPPOST, [("field", options)])
    lines = [line for line in curl.perform_rb().split(b"\r\n") if line and line[:2] != b"--"]
    assert lines[0] == b'Content-Disposition: form-data; name="field"'
    assert lines[1].startswith(b"Content-Type: multipart/mixed; boundary=")
    assert lines[2:] == [
        b'Content-Disposition: attachment; filename="first.txt"',
        b"Content-Type: text/plain",
        b"content of first.txt",
        b'Content-Disposition: attachment; filename="second.unknown"',
        b"Content-Type: text/plain",
        b"content of second.unknown",
        b'Content-Disposition: attachment; filename="renamed"',
        b"Content-Type: image/gif",
        b"content of third.gif",
    ]


def test_what_is_told_of_text_and_of_a_buffer(curl: Any) -> None:
    fields = [
        ("a", (pycurl.FORM_CONTENTS, "text", pycurl.FORM_FILENAME, "not.told")),
        ("b", (pycurl.FORM_BUFFERPTR, b"nul\0", pycurl.FORM_BUFFER, "buffer.html")),
        ("c", (pycurl.FORM_BUFFERPTR, "no name")),
        ("d", (pycurl.FORM_CONTENTTYPE, "x/y", pycurl.FORM_CONTENTS, "typed")),
    ]
    curl.setopt(pycurl.HTTPPOST, fields)
    lines = [line for line in curl.perform_rb().split(b"\r\n") if line and line[:2] != b"--"]
    assert lines == [
        b'Content-Disposition: form-data; name="a"',
        b"text",
        b'Content-Disposition: form-data; name="b"; filename="buffer.html"',
        b"Content-Type: text/html",
        b"nul\0",
        b'Content-Disposition: form-data; name="c"',
        b"Content-Type: application/octet-stream",
        b"no name",
        b'Content-Disposition: form-data; name="d"',
        b"Content-Type: x/y",
        b"typed",
    ]


# Codes of curl_formadd, which pycurl takes for others.
TWICE, NULL, INCOMPLETE = 2, 3, 5


@pytest.mark.parametrize(
    ("name", "value", "refusal"),
    [
        ("a", (pycurl.FORM_BUFFER, "n.txt"), INCOMPLETE),
        ("a", (pycurl.FORM_CONTENTTYPE, "a/b"), INCOMPLETE),
        ("a", (pycurl.FORM_FILENAME, "a"), INCOMPLETE),
        ("a", (pycurl.FORM_CONTENTS, "a", pycurl.FORM_CONTENTS, "b"), TWICE),
        ("a", (pycurl.FORM_CONTENTS, "a", pycurl.FORM_FILE, "b"), TWICE),
        ("a", (pycurl.FORM_FILE, "a", pycurl.FORM_CONTENTS, "b"), TWICE),
        ("a", (pycurl.FORM_FILE, "a", pycurl.FORM_FILENAME, "b", pycurl.FORM_FILENAME, "c"), TWICE),
        ("a", (pycurl.FORM_FILE, "a", *(pycurl.FORM_CONTENTTYPE, "b/c") * 2), TWICE),
        ("a", (pycurl.FORM_BUFFERPTR, "a", pycurl.FORM_CONTENTS, "b"), TWICE),
        ("a\0b", "value", NULL),
        (b"a\0b", (pycurl.FORM_CONTENTS, "value"), NULL),
        ("a", "\xfc", pycurl.E_BAD_FUNCTION_ARGUMENT),
    ],
)
def test_forms_that_pycurl_refuses(curl: Any, name: Any, value: Any, refusal: int) -> None:
    with pytest.raises(pycurl.error) as caught:
        curl.setopt(pycurl.HTTPPOST, [(name, value)])
    assert caught.value.args == (refusal, pycurl.easy_strerror(refusal))


def test_a_name_that_is_not_ascii() -> None:
    for value in ("value", (pycurl.FORM_CONTENTS, "value")):
        with pytest.raises(TypeError, match="ASCII code points only as first element"):
            pycurl.Curl().setopt(pycurl.HTTPPOST, [("\xfc", value)])
