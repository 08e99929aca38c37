"""What mypy --strict and pyright make of programs that use the installed package and its drop-in."""

from __future__ import annotations

import ast
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from installation import Venv, run

pytestmark = pytest.mark.slow

# Which lines of a program a checker complains about, with what is installed there.
Checker = Callable[[Venv, Path], set[int]]

SPELLINGS = {
    "installed": """
        import libcurl.pycurl
        libcurl.pycurl.install()
        import curl
        import pycurl
        import pycurl._pycurl
        from pycurl import URL, Curl, CurlMulti
        from pycurl.async_multi import AsyncCurlMulti
    """,
    "by name": """
        from libcurl import pycurl
        from libcurl.pycurl import URL, Curl, CurlMulti
        from libcurl.pycurl import highlevel as curl
        from libcurl.pycurl.async_multi import AsyncCurlMulti
    """,
    "all names": """
        import curl
        import pycurl
        from pycurl import *
    """,
}

PROGRAM = """
    from io import BytesIO
    from typing import TYPE_CHECKING
    if TYPE_CHECKING:
        from datetime import datetime

    class Fetcher(pycurl.Curl):
        def __init__(self, url: str) -> None:
            super().__init__()
            self.body = BytesIO()
            self.setopt(URL, url)
            self.setopt(self.WRITEFUNCTION, self.body.write)

        def status(self) -> int:
            code: int = self.getinfo(pycurl.RESPONSE_CODE)
            return code

    def opener(purpose: int, address: pycurl.CurlSockAddr) -> int:
        family: int = address.family
        address.addr = ("127.0.0.1", 80)
        return pycurl.SOCKET_BAD if family else 0

    def known(key: pycurl.KhKey, entry: pycurl.HstsEntry, index: pycurl.HstsIndex) -> "datetime | None":
        return entry.expire if index.total and key.key else None

    def fetch(url: str) -> bytes:
        with Fetcher(url) as fetcher:
            fetcher.setopt(pycurl.OPENSOCKETFUNCTION, opener)
            try:
                fetcher.perform()
            except pycurl.error as error:
                code, message = error.args
                assert code == pycurl.E_OPERATION_TIMEDOUT or error.code == pycurl.E_COULDNT_CONNECT
                raise SystemExit(message)
            twin: Fetcher = fetcher.duphandle()
            multi: CurlMulti | None = twin.multi()
            share: pycurl.CurlShare | None = twin.share()
            return fetcher.body.getvalue() if fetcher.status() == 200 else twin.perform_rb()

    def several(handles: "list[Curl]") -> "list[str]":
        multi = pycurl.CurlMulti()
        multi.setopt(multi.M_MAXCONNECTS, 10)
        for handle in handles:
            multi.add_handle(handle)
        while multi.perform()[1]:
            multi.select(1.0)
        left, done, failed = multi.info_read()
        return [message for handle, code, message in failed if handle not in done]

    async def concurrently(handle: Curl) -> Curl:
        async with AsyncCurlMulti() as multi:
            return await multi.perform(handle)

    def rest(curl_: Curl) -> None:
        share = pycurl.CurlShare(detach_on_close=False)
        share.setopt(share.SH_SHARE, pycurl.LOCK_DATA_DNS)
        url = pycurl.CurlUrl("http://localhost/")
        url.port = 8080
        host: str | None = url.host
        del url.fragment
        mime = pycurl.CurlMime(curl_)
        mime.add_field("name", b"value").type("text/plain")
        data, frame = curl_.ws_recv(100)
        length: int = frame.len + len(data)
        protocols: tuple[str, ...] = pycurl.version_info()[8]
        body: bytes = curl.Curl("http://localhost/").get()
        text = pycurl.version + pycurl.COMPILE_SSL_LIB + pycurl.url_strerror(3)
        flags: int = pycurl.HTTPAUTH_ANY | curl_.CURL_HTTP_VERSION_3

    def wrong(curl: Curl) -> None:
        curl.setopt("URL", "http://localhost/")  # wrong
        curl.setopt(pycurl.ULR, "http://localhost/")  # wrong
        curl.setopt(curl.ULR, "http://localhost/")  # wrong
        curl.getinof(pycurl.RESPONSE_CODE)  # wrong
        curl.perform_rs() + b""  # wrong
        pycurl.Curl("http://localhost/")  # wrong
        pycurl.CurlMulti().add_handle(pycurl.CurlShare())  # wrong
        pycurl.CurlMulti().M_PIPELINNING  # wrong
        pycurl.CurlShare().setopt(pycurl.SH_SHARE, "dns")  # wrong
        pycurl.CurlUrl("http://localhost/").host = 80  # wrong
        pycurl.global_init("all")  # wrong
"""

NATIVE = """
    import asyncio
    from contextlib import aclosing, closing

    import libcurl
    from libcurl.aio import AsyncMulti
    from typing_extensions import assert_type

    class Page(libcurl.Easy):
        title = ""
        loaded = libcurl.version() + libcurl.version_info().version

    def tell(
        error: libcurl.Error,
        timeout: libcurl.OperationTimedOut,
        multi: libcurl.MultiError,
        share: libcurl.ShareError,
        url: libcurl.UrlError,
    ) -> str:
        assert_type(error.code, libcurl.Code)
        assert_type(timeout.code, libcurl.Code)
        assert_type(multi.code, libcurl.MCode)
        assert_type(share.code, libcurl.SHCode)
        assert_type(url.code, libcurl.UCode)
        if error.code is libcurl.Code.PARTIAL_FILE or url.code == libcurl.UCode.NO_HOST:
            return error.code.name + multi.code.name
        return error.code.nmae  # wrong

    def stream(easy: libcurl.Easy) -> bytes:
        with closing(easy.stream()) as chunks:
            for chunk in chunks:
                assert_type(chunk, bytes)
        pieces = easy.stream()
        first = next(pieces)
        pieces.close()
        pieces.colse()  # wrong
        return first

    async def several(multi: AsyncMulti, easy: libcurl.Easy, page: Page) -> str:
        assert_type(await multi.perform(easy), libcurl.Easy)
        assert_type(await multi.perform(page), Page)
        async with aclosing(multi.stream(page)) as chunks:
            async for chunk in chunks:
                assert_type(chunk, bytes)
        async with aclosing(multi.as_completed([page])) as completed:
            async for done, error in completed:
                assert_type(done, Page)
                assert_type(error, BaseException | None)
        await multi.perform("http://localhost/")  # wrong
        return (await multi.perform(page)).title

    asyncio.run(several(AsyncMulti(), libcurl.Easy(), Page()))
"""


@pytest.fixture(params=["mypy", "pyright"])
def checker(request: pytest.FixtureRequest, tmp_path: Path) -> Checker:
    """One after the other."""

    def mypy(venv: Venv, program: Path) -> set[int]:
        options = ("--strict", "--python-executable", venv.python, "--cache-dir", tmp_path)
        fails = "wrong" in program.read_text()
        output = run(sys.executable, "-m", "mypy", *options, program, cwd=tmp_path, fails=fails)
        return {int(line) for line in re.findall(r":(\d+): error: ", output)}

    def pyright(venv: Venv, program: Path) -> set[int]:
        options = ("--outputjson", "--pythonpath", venv.python)
        fails = "wrong" in program.read_text()
        output = run(sys.executable, "-m", "pyright", *options, program, cwd=tmp_path, fails=fails)
        found = json.loads(output[output.index("{") :])["generalDiagnostics"]
        return {row["range"]["start"]["line"] + 1 for row in found if row["severity"] == "error"}

    return {"mypy": mypy, "pyright": pyright}[request.param]


def check(checker: Checker, venv: Venv, program: Path, *parts: str) -> None:
    lines = "".join([dedent(part) for part in parts]).splitlines()
    program.write_text("\n".join(lines) + "\n")
    wrong = {n for n, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert checker(venv, program) == wrong


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_wheel_has_types(
    checker: Checker, with_wheel: Venv, tmp_path: Path, spelling: str
) -> None:
    check(checker, with_wheel, tmp_path / "program.py", SPELLINGS[spelling], PROGRAM)


def test_libcurl_itself_has_types(checker: Checker, with_wheel: Venv, tmp_path: Path) -> None:
    check(checker, with_wheel, tmp_path / "program.py", NATIVE)


def test_an_editable_install_has_types(
    checker: Checker, checkout: Path, venv: Venv, tmp_path: Path
) -> None:
    venv.pip("install", "--editable", checkout)
    check(checker, venv, tmp_path / "program.py", SPELLINGS["installed"], PROGRAM)


def names(tree: ast.Module) -> Iterator[str]:
    """Everything that this stub declares; methods with their class."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for method in ast.walk(node):
                if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield f"{node.name}.{method.name}"


def test_users_of_types_pycurl_miss_nothing(
    checker: Checker, with_wheel: Venv, tmp_path: Path
) -> None:
    wanted = ("types-pycurl==7.49.*", "--no-deps", "--quiet", "--dest", tmp_path)
    run(sys.executable, "-m", "pip", "download", *wanted)
    (wheel,) = tmp_path.glob("types_pycurl-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        files = [archive.read(f"pycurl-stubs/{name}.pyi") for name in ("_pycurl", "async_multi")]
    lines = sorted({f"pycurl.{name}" for file in files for name in names(ast.parse(file))})
    assert len(lines) > 850
    program = tmp_path / "program.py"
    program.write_text("\n".join(["import pycurl", *lines]) + "\n")
    assert [lines[line - 2] for line in sorted(checker(with_wheel, program))] == []
