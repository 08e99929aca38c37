"""An exception of a signal handler's, at each line of a download: where bodies go, and what is left."""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from interrupts import after_calls_only, every_line

from libcurl import Easy, Error

# A transfer of the handle's: what has come to where the user has it go.
Takes = Callable[[], bytes]

pytestmark = after_calls_only


def memory(easy: Easy, folder: pathlib.Path) -> Takes:
    """It goes where it goes by default."""

    def take() -> bytes:
        assert easy.fetch() == b"hello"
        return b"".join(easy.stream())

    return take


def function(easy: Easy, folder: pathlib.Path) -> Takes:
    """It goes to a function of the user's."""
    chunks: list[bytes] = []
    easy.set(writefunction=chunks.append)

    def take() -> bytes:
        chunks.clear()
        assert easy.fetch() == b""
        return b"".join(chunks)

    return take


def stream(easy: Easy, folder: pathlib.Path) -> Takes:
    """It goes to a file that C cannot write."""
    file = io.BytesIO()
    easy.set(writedata=file)

    def take() -> bytes:
        file.seek(0)
        file.truncate()
        assert easy.fetch() == b""
        return file.getvalue()

    return take


def file(easy: Easy, folder: pathlib.Path) -> Takes:
    """It goes to a file that C writes."""
    own = open(folder / "own", "w+b", buffering=0)  # noqa: SIM115
    easy.set(writedata=own)

    def take() -> bytes:
        own.truncate(0)
        own.seek(0)
        assert easy.fetch() == b""
        with own:
            own.seek(0)
            return own.read()

    return take


@pytest.mark.parametrize("before", [memory, function, stream, file])
@pytest.mark.parametrize("target", ["path", "file", "memory"])
@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("after_calls", [False, True])
def test_a_download_that_was_interrupted_gives_the_body_back_to_whom_it_went(
    before: Callable[[Easy, pathlib.Path], Takes],
    target: str,
    used: bool,
    after_calls: bool,
    http: Any,
    tmp_path: pathlib.Path,
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    made: dict[str, Any] = {}

    def download(easy: Easy) -> None:
        if target == "path":
            easy.download(folder / "file")
        elif target == "memory":
            easy.download(io.BytesIO())
        else:
            with open(folder / "file", "wb") as opened:
                easy.download(opened)

    def prepare(_: int) -> Callable[[], object]:
        made["easy"] = easy = Easy(url=http.url)
        if used:
            easy.fetch()
        made["take"] = before(easy, tmp_path)
        return lambda: download(easy)

    for _ in every_line(prepare, 400, after_calls):
        for name in os.listdir(folder):
            assert name == "file"
            assert target == "file" or (folder / name).read_bytes() == b"hello"
            (folder / name).unlink()
        assert made["take"]() == b"hello"
        made["easy"].close()


@pytest.mark.parametrize("after_calls", [False, True])
def test_a_download_that_failed_and_was_interrupted_leaves_nothing(
    after_calls: bool, http: Any, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "file"
    made: dict[str, Any] = {}

    def download(easy: Easy) -> None:
        try:
            easy.download(path)
        except Error:
            pass

    def prepare(_: int) -> Callable[[], object]:
        made["easy"] = easy = Easy(url=http.url + "/short?declared=100&sent=50")
        return lambda: download(easy)

    for _ in every_line(prepare, 400, after_calls):
        assert os.listdir(tmp_path) == []
        made["easy"].set(url=http.url)
        assert made["easy"].fetch() == b"hello"
        made["easy"].close()
