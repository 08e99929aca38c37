"""What is generated and committed is what the tools would generate today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from declarations import ROOT


def check(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, cwd / "tools" / "symbols.py", "--check", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.mark.usefixtures("fetched")
def test_table_and_stubs_are_up_to_date() -> None:
    done = check()
    assert done.returncode == 0, done.stderr


@pytest.fixture
def copy(tmp_path: Path, fetched: Path) -> Path:
    """The tools and what they write, to be spoilt."""
    for path in (*ROOT.glob("tools/*"), *ROOT.glob("src/libcurl/**/*.py*")):
        if path.is_file():
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "headers").symlink_to(fetched)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("symbols.py", '"CURLE_OK": (0, "7.1", None)', '"CURLE_OK": (1, "7.1", None)'),
        ("constants.pyi", "    URL = 10002", "    URL = 10003"),
        ("_options.pyi", "    timeout: int | None", "    timeout: float | None"),
        ("pycurl/_constants.pyi", "\nURL: Final = 10002", "\nURL: Final = 10003"),
    ],
)
def test_a_stale_file_is_named(copy: Path, name: str, right: str, wrong: str) -> None:
    path = copy / "src" / "libcurl" / name
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    done = check(cwd=copy)
    assert done.returncode == 1
    assert f"src/libcurl/{name} is stale" in done.stderr


def test_newer_headers_do_not_make_the_table_stale(copy: Path, fetched: Path) -> None:
    newest = max(fetched.glob("8.*"), key=lambda path: [int(n) for n in path.name.split(".")])
    future = copy / "future"
    (future / "curl").mkdir(parents=True)
    for path in (newest / "curl").iterdir():
        text = path.read_text().replace(
            f'LIBCURL_VERSION "{newest.name}"', 'LIBCURL_VERSION "9.0.0"'
        )
        text = text.replace(
            "  CURLOPT_LASTENTRY",
            "  CURLOPT(CURLOPT_WARP, CURLOPTTYPE_LONG, 999),\n  CURLOPT_LASTENTRY",
        )
        (future / "curl" / path.name).write_text(text)
    folders = [path.parent for path in fetched.glob("*/curl")]
    done = check(*folders, future, cwd=copy)
    assert done.returncode == 0, done.stderr
