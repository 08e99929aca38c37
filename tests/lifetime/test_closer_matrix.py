"""The closer matrix, see closer_matrix.py: each part in a process of its own, where it may crash."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest

HERE = pathlib.Path(__file__).resolve().parent
NEWEST = HERE.parent.parent / ".cache" / "libcurl" / "8.23.0"


@pytest.fixture
def matrix(http: Any, https: Any, request: pytest.FixtureRequest, script: Any) -> Any:
    """Run a part of it: matrix(protocols, part, libcurl's folder)."""

    def run(protocols: str, part: str, libcurl: str = "") -> None:
        urls = {
            protocol: request.getfixturevalue(protocol).url
            + ("/hello.txt" if protocol == "ftp" else "/")
            for protocol in protocols.split()
        }
        script(
            "import sys, runpy; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[1:];"
            "runpy.run_path(sys.argv[0] + '/closer_matrix.py', run_name='__main__')",
            HERE,
            json.dumps(urls),
            part,
            timeout=60,
            env={"LD_LIBRARY_PATH": libcurl} if libcurl else {},
        )

    return run


def test_a_descriptor_is_closed_once_by_the_closer_of_its_connection(matrix: Any) -> None:
    matrix("http https ftp", "1/5")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["http", "https", "ftp"])
def test_the_whole_matrix(protocol: str, matrix: Any) -> None:
    matrix(protocol, "1/1")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["http", "https", "ftp"])
def test_the_whole_matrix_on_the_newest_libcurl(protocol: str, matrix: Any) -> None:
    if not NEWEST.is_dir():
        pytest.fail("tools/libcurls.sh fetches it")
    matrix(protocol, "1/1", os.fspath(NEWEST))
