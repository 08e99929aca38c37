"""Mime: bodies of parts, sent to a server that takes them apart."""

from __future__ import annotations

import email
import email.policy
import io
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from servers import payload

import libcurl
from libcurl import Code, Easy, Mime, MimeOpt, ReadFunc, raw


@pytest.fixture
def easy(http: Any) -> Iterator[Easy]:
    """A handle whose body comes back."""
    with Easy(url=http.url + "/post", timeout_ms=10000) as handle:
        yield handle


def send(easy: Easy) -> list[Any]:
    """The parts as they arrived."""
    easy.perform()
    head = f"Content-Type: {easy.info.content_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + easy.body, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/form-data"
    return list(message.iter_parts())


def bodies(parts: list[Any]) -> list[bytes]:
    return [part.get_payload(decode=True) for part in parts]


def test_a_part_has_data_name_type_filename_and_headers(easy: Easy) -> None:
    mime = Mime()
    mime.add(name="text", data="h\u00e4llo")
    mime.add(
        name="blob",
        data=memoryview(b"\0\1"),
        filename="b.bin",
        type="application/x-blob",
        headers=["X-One: 1", b"X-Two: 2"],
    )
    mime.add()
    easy.set(mimepost=mime)
    text, blob, nothing = send(easy)
    assert text.get_param("name", header="Content-Disposition") == "text"
    assert text.get_payload(decode=True) == "h\u00e4llo".encode()
    assert blob.get_payload(decode=True) == b"\0\1"
    assert (blob.get_filename(), blob.get_content_type()) == ("b.bin", "application/x-blob")
    assert (blob["X-One"], blob["X-Two"]) == ("1", "2")
    assert nothing.get_payload(decode=True) == b""


def test_a_file_is_read_while_it_is_sent_and_told_by_its_name(
    easy: Easy, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "f\u00fcr.txt"
    path.write_bytes(b"before")
    mime = Mime()
    mime.add(file=path)
    mime.add(file=str(path), filename="other", type="x/y")
    mime.add(file=path, filename=None)
    easy.set(mimepost=mime)
    path.write_bytes(b"behind")
    parts = send(easy)
    assert bodies(parts) == [b"behind"] * 3
    assert 'filename="für.txt"'.encode() in easy.body
    assert [part.get_filename() for part in parts][1:] == ["other", None]


def test_parts_hold_parts(easy: Easy) -> None:
    inner = Mime()
    inner.add(data="plain")
    inner.add(data="<b>", type="text/html")
    outer = Mime()
    outer.add(name="both", parts=inner, type="multipart/alternative")
    easy.set(mimepost=outer)
    (both,) = send(easy)
    assert both.get_content_type() == "multipart/alternative"
    assert bodies(list(both.iter_parts())) == [b"plain", b"<b>"]
    with pytest.raises(ValueError, match="belong to another part"):
        outer.add(parts=inner)
    with pytest.raises(ValueError, match="hold themselves"):
        inner.add(parts=outer)
    assert len(outer.parts) == 1


@pytest.mark.parametrize("encoder", ["binary", "8bit", "7bit", "base64", "quoted-printable"])
def test_encoders_are_libcurls(easy: Easy, encoder: str) -> None:
    mime = Mime()
    mime.add(data="one=two", encoder=encoder)
    easy.set(mimepost=mime)
    (part,) = send(easy)
    assert part["Content-Transfer-Encoding"] == encoder
    assert part.get_payload(decode=True) == b"one=two"


@pytest.mark.parametrize("known", [True, False], ids=["size", "no size"])
def test_a_callable_is_asked_for_bytes(easy: Easy, known: bool) -> None:
    data = io.BytesIO(payload(300_000))
    mime = Mime()
    mime.add(name="x", source=data.read, **({"size": 300_000} if known else {}))  # type: ignore[misc]
    easy.set(mimepost=mime)
    assert bodies(send(easy)) == [payload(300_000)]


def test_files_and_iterators_are_sources(easy: Easy, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"skipped" + payload(100_000))
    with open(tmp_path / "file", "rb") as file:
        file.seek(7)
        mime = Mime()
        mime.add(source=file)
        mime.add(source=iter([b"one", b"", b"two"]))
        mime.add(source=io.BytesIO(b"three"))
        mime.add(source=b"four")
        easy.set(mimepost=mime)
        assert bodies(send(easy)) == [payload(100_000), b"onetwo", b"three", b"four"]


def test_it_is_sent_again_by_redirects_transfers_and_other_handles(easy: Easy, http: Any) -> None:
    mime = Mime()
    mime.add(data="data")
    mime.add(source=io.BytesIO(b"file"))
    url = f"{http.url}/redirect-to?code=307&url={http.url}/post"
    easy.set(mimepost=mime, followlocation=True, url=url)
    with easy.duphandle() as twin, Easy(url=http.url + "/post", mimepost=mime) as other:
        for handle in (easy, easy, twin, other, easy, twin):
            assert bodies(send(handle)) == [b"data", b"file"]


def test_a_seek_rewinds_a_callable(easy: Easy) -> None:
    chunks: list[bytes] = []
    sought = []

    def seek(offset: int, origin: int) -> None:
        sought.append((offset, origin))
        chunks[:] = [b"", b"two", b"one"]

    seek(0, 0)
    mime = Mime()
    mime.add(source=lambda size: chunks.pop(), seek=seek)
    easy.set(mimepost=mime)
    assert bodies(send(easy)) == bodies(send(easy)) == [b"onetwo"]
    assert sought == [(0, 0)] * 2


def test_what_cannot_be_rewound_is_sent_once(easy: Easy) -> None:
    mime = Mime()
    mime.add(source=iter([b"once"]))
    easy.set(mimepost=mime)
    twin = easy.duphandle()
    assert bodies(send(easy)) == [b"once"]
    for handle in (easy, twin):
        with pytest.raises(libcurl.Error) as caught:
            handle.perform()
        assert caught.value.code is Code.SEND_FAIL_REWIND


def test_what_a_source_raises_comes_out_of_perform_and_of_a_multi(easy: Easy) -> None:
    def source(size: int) -> bytes:
        raise LookupError("mine")

    mime = Mime()
    part = mime.add(source=source, size=10)
    easy.set(mimepost=mime)
    with pytest.raises(LookupError, match="mine"):
        easy.perform()
    part.set(source=source)
    with libcurl.Multi() as multi:
        multi.add(easy)
        ((finished, error),) = multi.run()
    assert finished is easy
    assert isinstance(error, LookupError)
    for returned, kind in ((None, TypeError), ("text", TypeError), (b"x" * 10**6, ValueError)):
        part.set(source=lambda size, returned=returned: returned)
        with pytest.raises(kind, match="the source of a part returned"):
            easy.perform()
    part.set(source=lambda size: ReadFunc.ABORT)
    with pytest.raises(libcurl.Error) as caught:
        easy.perform()
    assert caught.value.code is Code.ABORTED_BY_CALLBACK
    part.set(source=lambda size: b"", size=0)
    easy.perform()


def test_a_source_can_pause(easy: Easy) -> None:
    answers = [b"", b"late", ReadFunc.PAUSE, b"early"]

    def progress(*counts: int) -> None:
        if len(answers) == 2:
            easy.unpause()

    mime = Mime()
    mime.add(source=lambda size: answers.pop())
    easy.set(mimepost=mime, xferinfofunction=progress)
    assert bodies(send(easy)) == [b"earlylate"]


def test_changed_after_it_was_set_it_is_sent_as_changed(easy: Easy) -> None:
    inner = Mime()
    mime = Mime()
    easy.set(mimepost=mime)
    part = mime.add(name="a", data="1")
    mime.add(parts=inner)
    inner.add(data="2")
    part.set(data="3", name="b")
    first, second = send(easy)
    assert first.get_param("name", header="Content-Disposition") == part.name == "b"
    assert first.get_payload(decode=True) == b"3"
    assert bodies(list(second.iter_parts())) == [b"2"]

    def source(size: int) -> bytes:
        mime.add(data="too late")
        return b""

    mime.add(source=source)
    with pytest.raises(RuntimeError, match="cannot be changed during a transfer"):
        easy.perform()
    assert len(mime.parts) == 3


def test_unset_the_request_is_what_it_was(easy: Easy, http: Any) -> None:
    mime = Mime()
    mime.add(data="x")
    easy.set(mimepost=mime, url=http.url + "/echo")
    easy.perform()
    easy.unset("mimepost")
    easy.perform()
    easy.set(postfields="x")
    easy.set(mimepost=mime)
    easy.set(httpget=True)
    easy.perform()
    easy.duphandle().perform()
    easy.set(mimepost=mime, httpheader=["X: y"])
    easy.unset("httpheader", "timeout_ms")
    easy.perform()
    easy.reset()
    easy.set(url=http.url + "/echo")
    easy.perform()
    methods = [request.method for request in http.requests]
    assert methods == ["POST", "GET", "GET", "GET", "POST", "GET"]


@pytest.mark.skipif(raw.LOADED < (7, 81), reason="libcurl 7.81 brought MIME_OPTIONS")
def test_names_are_escaped_as_the_handle_says(easy: Easy) -> None:
    mime = Mime()
    mime.add(name='a"b', data="x")
    easy.set(mimepost=mime)
    easy.perform()
    assert b'name="a%22b"' in easy.body
    easy.set(mime_options=MimeOpt.FORMESCAPE)
    easy.perform()
    assert b'name="a\\"b"' in easy.body


def test_several_handles_send_it_at_once(http: Any) -> None:
    mime = Mime()
    mime.add(data=payload(200_000))
    found = []

    def transfer() -> None:
        with Easy(url=http.url + "/post", mimepost=mime) as easy:
            for _ in range(5):
                found.append(bodies(send(easy)) == [payload(200_000)])

    threads = [threading.Thread(target=transfer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20


def test_what_does_not_fit_is_refused_at_once() -> None:
    mime = Mime()
    for fields, kind, message in (
        ({"data": "x", "file": "y"}, TypeError, "either data or file"),
        ({"data": 1}, TypeError, "data of a part"),
        ({"source": io.StringIO()}, TypeError, "source of a part"),
        ({"source": "text"}, TypeError, "source of a part"),
        ({"source": iter([]), "seek": print}, TypeError, "callable source"),
        ({"source": print, "seek": 1}, TypeError, "seek of a part"),
        ({"source": print, "size": -1}, ValueError, "negative"),
        ({"data": "x", "size": 1}, TypeError, "'size' goes with a source"),
        ({"parts": []}, TypeError, "are a Mime"),
        ({"headers": "X: y"}, TypeError, "iterable of strings"),
        ({"name": "a\0b"}, ValueError, "NUL"),
        ({"type": 1}, TypeError, "type of a part"),
        ({"encoder": "rot13"}, libcurl.Error, "no encoder 'rot13'"),
        ({"file": "/nowhere/x"}, libcurl.Error, "READ_ERROR.*'/nowhere/x'"),
    ):
        with pytest.raises(kind, match=message):
            mime.add(**fields)  # type: ignore[arg-type]
    assert mime.parts == ()
    with pytest.raises(TypeError, match="CURLOPT_MIMEPOST takes a Mime, not dict"):
        Easy(mimepost={})  # type: ignore[typeddict-item]
