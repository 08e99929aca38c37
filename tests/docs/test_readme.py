"""README.md and docs/*.md say what is so: their Python blocks run, what they name exists."""

from __future__ import annotations

import importlib.util
import pathlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

import libcurl

if TYPE_CHECKING:
    from servers.http import HTTPServer
    from servers.tls import Authority
    from servers.websocket import WebSocketServer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
each_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)


@pytest.fixture(scope="module")
def https(ca: Authority) -> Iterator[HTTPServer]:
    """A server that has a certificate for the hosts of the documents."""
    from servers.http import HTTPServer

    certificate = ca.issue("documents", hosts=("curl.se", "example.com", "www.example.com"))
    with HTTPServer(tls=ca.server_context(certificate)) as server:
        yield server


@pytest.fixture(scope="module")
def wss(ca: Authority) -> Iterator[WebSocketServer]:
    """The same for WebSockets."""
    from servers.websocket import WebSocketServer

    certificate = ca.issue("echo", hosts=("echo.example.com",))
    server = WebSocketServer(tls=ca.server_context(certificate))
    try:
        yield server
    finally:
        server.stop()


@each_document
def test_python_blocks_run_as_written(
    path: pathlib.Path,
    script: Any,
    http: HTTPServer,
    http_unix: HTTPServer,
    https: HTTPServer,
    wss: WebSocketServer,
    ca: Authority,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if path.stem == "websocket" and "wss" not in libcurl.version_info().protocols:
        pytest.skip("this libcurl has no WebSockets")
    wss.clear()
    for server in (http, https):
        server.clear()
        server.route("/post", lambda connection, request: connection.respond(200, body=b"thanks"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.sock").symlink_to(str(http_unix.unix_path))
    out = script((HERE / "internet.py").read_text(), path, ca.cert, http.port, https.port, wss.port)
    shown = "".join(re.findall(r"^```python\n(.*?)^```$", path.read_text(), re.M | re.S))
    if "://" in shown:
        assert https.requests or http.requests or wss.messages, (
            "the document has transferred nothing"
        )
    for expected in re.findall(r"^ *print\(.*\)  # (.*)$", path.read_text(), re.MULTILINE):
        assert expected in out


@each_document
def test_names_exist(path: pathlib.Path) -> None:
    named = set(re.findall(r"\blibcurl\.([A-Za-z_]\w*)", path.read_text()))
    missing = {
        name
        for name in named - {"a", "so"}
        if not (hasattr(libcurl, name) or importlib.util.find_spec(f"libcurl.{name}"))
    }
    assert not missing


@each_document
def test_links_lead_somewhere(path: pathlib.Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in DOCUMENTS:
        assert set(re.findall(r"^ +make (\w+)", path.read_text(), re.MULTILINE)) <= targets


def test_packages_are_those_that_make_installs() -> None:
    groups = (ROOT / "tools" / "apt-packages.sh").read_text()
    readme = (ROOT / "README.md").read_text()
    for group in ("build", "run", "test"):
        body = re.search(rf"^{group}\(\) {{.*?^}}", groups, re.MULTILINE | re.DOTALL)
        assert body is not None
        for package in re.findall(r'need "?([\w$-]+)', body[0]):
            assert f"`{package.replace('$debian', 'python3')}`" in readme
