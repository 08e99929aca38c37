"""Bodies: collected, streamed to files, limited; and nothing left behind."""

from __future__ import annotations

import io
import os
import pathlib
import resource
from typing import Any

import pytest
from servers import payload

import libcurl
from libcurl import Easy, constants

Code = constants.Code


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 1_000_003])
def test_a_body_is_what_was_sent(http: Any, size: int) -> None:
    with Easy(url=f"{http.url}/bytes/{size}") as easy:
        assert easy.fetch() == payload(size)
        assert easy.body == payload(size)
        assert easy.fetch() == payload(size)


def test_a_body_is_that_of_the_last_transfer(http: Any) -> None:
    with Easy(url=http.url + "/bytes/50000") as easy:
        assert easy.body == b""
        first = easy.fetch()
        easy.set(url=http.url + "/")
        assert easy.body == payload(50_000)
        assert easy.fetch() == b"hello"
        assert first == payload(50_000)
        easy.set(url="http://localhost:1/", connecttimeout=5)
        with pytest.raises(libcurl.Error):
            easy.perform()
        assert easy.body == b""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/gzip?n=300000", payload(300_000)),
        ("/chunked?n=200&size=1000", payload(200_000)),
        ("/interim?n=3", b"hello"),
        ("/redirect/2", b"hello"),
        ("/close", b"hello"),
    ],
)
def test_a_body_is_decoded_as_libcurl_is_told(http: Any, path: str, body: bytes) -> None:
    with Easy(url=http.url + path, accept_encoding="", followlocation=True) as easy:
        assert easy.fetch() == body


def test_what_came_of_a_body_that_broke_off_is_there(http: Any) -> None:
    with Easy(url=http.url + "/short?declared=100&sent=50") as easy:
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.PARTIAL_FILE
        assert easy.body == payload(50)


@pytest.mark.parametrize("promised", [10**15, 300 << 20, 200 << 20])
def test_a_promise_of_a_huge_body_allocates_nothing(http: Any, promised: int) -> None:
    with Easy(url=f"{http.url}/huge-content-length?n={promised}") as easy:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.PARTIAL_FILE
        assert easy.body == payload(10)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20_000  # kilobytes


def test_maxfilesize_limits_a_body(http: Any) -> None:
    with Easy(url=http.url + "/bytes/1000", maxfilesize=999) as easy:
        with pytest.raises(libcurl.Error) as caught:
            easy.fetch()
        assert caught.value.code is Code.FILESIZE_EXCEEDED


def test_a_head_request_has_no_body(http: Any) -> None:
    with Easy(url=http.url + "/bytes/1000", nobody=True) as easy:
        assert easy.fetch() == b""
        assert easy.info.content_length_download_t == 1000


def test_headers_never_get_into_the_body_unless_asked_for(http: Any) -> None:
    with Easy(url=http.url + "/", header=True) as easy:
        assert easy.fetch().startswith(b"HTTP/1.1 200 OK\r\n")
        assert easy.body.endswith(b"\r\n\r\nhello")


# download


@pytest.mark.parametrize("kind", [str, pathlib.Path, os.fsencode])
def test_download_writes_a_file_and_tells_its_size(
    http: Any, tmp_path: pathlib.Path, kind: Any
) -> None:
    target = tmp_path / "fil\u00e9"
    target.write_bytes(b"old")
    with Easy(url=http.url + "/bytes/300000") as easy:
        assert easy.download(kind(str(target))) == 300_000
        assert target.read_bytes() == payload(300_000)
        assert easy.fetch() == payload(300_000)  # only that transfer
    assert os.listdir(tmp_path) == [target.name]


def test_download_takes_an_open_file(http: Any, tmp_path: pathlib.Path) -> None:
    with Easy(url=http.url + "/bytes/300000") as easy:
        with open(tmp_path / "file", "wb") as file:
            file.write(b"head")
            assert easy.download(file) == 300_000
            file.write(b"tail")
        memory = io.BytesIO()
        assert easy.download(memory) == 300_000
    assert (tmp_path / "file").read_bytes() == b"head" + payload(300_000) + b"tail"
    assert memory.getvalue() == payload(300_000)


def test_download_gives_a_writefunction_its_place_back(http: Any, tmp_path: pathlib.Path) -> None:
    chunks: list[bytes] = []
    with Easy(url=http.url + "/", writefunction=chunks.append) as easy:
        assert easy.download(tmp_path / "file") == 5
        assert chunks == []
        easy.perform()
    assert chunks == [b"hello"]
    assert (tmp_path / "file").read_bytes() == b"hello"


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/short", {}),
        ("/stall", {"timeout_ms": 50}),
        ("/status/404", {"failonerror": True}),
        ("/early-close", {}),
        ("/bytes/100000", {"headerfunction": lambda line: 1 / 0}),
        ("/bytes/100000", {"xferinfofunction": lambda *numbers: 1}),
    ],
)
def test_a_download_that_fails_leaves_nothing_and_harms_nothing(
    http: Any, tmp_path: pathlib.Path, path: str, options: dict[str, Any]
) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    failures = (libcurl.Error, ZeroDivisionError)
    with Easy(url=http.url + path, **options) as easy, pytest.raises(failures):
        easy.download(target)
    assert os.listdir(tmp_path) == ["file"]
    assert target.read_bytes() == b"old"


def test_a_download_into_nowhere_is_pythons_error(http: Any, tmp_path: pathlib.Path) -> None:
    with Easy(url=http.url + "/") as easy:
        with pytest.raises(FileNotFoundError):
            easy.download(tmp_path / "no" / "where")
        with pytest.raises(IsADirectoryError):
            easy.download(tmp_path)
        with pytest.raises(TypeError):
            easy.download(5)  # type: ignore[arg-type]
        assert easy.fetch() == b"hello"
    assert os.listdir(tmp_path) == []


def test_ctrl_c_in_a_download_leaves_nothing(
    http: Any, script: Any, tmp_path: pathlib.Path
) -> None:
    script(
        """
        import os, signal, sys, threading, time
        import libcurl
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            libcurl.Easy(url=sys.argv[1]).download(sys.argv[2])
        except KeyboardInterrupt:
            sys.exit(0)
        sys.exit(1)
        """,
        http.url + "/stall",
        tmp_path / "file",
    )
    assert os.listdir(tmp_path) == []
    http.clear()


def test_a_full_disk_is_an_error_and_leaves_nothing(http: Any) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with Easy(url=http.url + "/bytes/300000") as easy, open("/dev/full", "wb", buffering=0) as full:
        with pytest.raises((OSError, libcurl.Error)):
            easy.download(full)
        assert easy.fetch() == payload(300_000)


@pytest.mark.parametrize("way", ["fetch", "perform", "multi", "stream"])
def test_a_closed_handle_has_no_body(way: str, http: Any) -> None:
    easy = Easy(url=http.url)
    if way == "multi":
        with libcurl.Multi() as multi:
            multi.add(easy)
            assert len(list(multi.run())) == 1
            assert easy.body == b"hello"
    elif way == "stream":
        for _ in easy.stream():
            easy.close()
    else:
        getattr(easy, way)()
        assert easy.body == b"hello"
    easy.close()
    with pytest.raises(ValueError, match="closed"):
        _ = easy.body
