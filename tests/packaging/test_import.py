"""What `import libcurl` says on a machine whose libcurl is missing or will not do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Venv, run

pytestmark = pytest.mark.slow

IMPORT = """
try:
    import libcurl
except ImportError as error:
    print(error)
else:
    raise SystemExit(f"imported with {libcurl.version()}")
"""


def all_functions(extension: Path, version: str, first_option: str) -> str:
    """C for a libcurl that has every function that the extension cannot do without."""
    lines = ["struct info { int age; const char *version; unsigned int number; char rest[256]; };"]
    lines += [f'static struct info info = {{ 1, "old", {version}, "" }};']
    for line in run("nm", "--dynamic", "--undefined-only", extension).splitlines():
        kind, name = line.split()[:2]
        if kind == "U" and name.startswith("curl_"):
            answer = {"curl_version_info": "&info", "curl_easy_option_next": first_option}
            lines.append(f"void *{name}(void) {{ return {answer.get(name, '0')}; }}")
    return "\n".join(lines)


def test_a_libcurl_that_lacks_functions(with_wheel: Venv, compiled: Callable[[str], Path]) -> None:
    folder = compiled("int curl_easy_init(void) { return 0; }")
    message = with_wheel.run(IMPORT, LD_LIBRARY_PATH=str(folder))
    assert "libcurl 7.74 or newer is needed" in message
    assert "install libcurl4" in message


def test_a_libcurl_that_is_too_old(with_wheel: Venv, compiled: Callable[[str], Path]) -> None:
    folder = compiled(all_functions(with_wheel.extension, "0x074000", '"not null"'))
    message = with_wheel.run(IMPORT, LD_LIBRARY_PATH=str(folder)).strip()
    assert message == "libcurl 7.74 or newer is needed, this is 7.64.0: apt install libcurl4"


def test_a_libcurl_without_introspection(with_wheel: Venv, compiled: Callable[[str], Path]) -> None:
    folder = compiled(all_functions(with_wheel.extension, "0x074a00", "0"))
    message = with_wheel.run(IMPORT, LD_LIBRARY_PATH=str(folder))
    assert "7.74.0 was built without option introspection" in message
    assert "install another libcurl" in message


def test_a_library_that_is_none(with_wheel: Venv, tmp_path: Path) -> None:
    (tmp_path / "libcurl.so.4").write_text("not a library")
    message = with_wheel.run(IMPORT, LD_LIBRARY_PATH=str(tmp_path))
    assert "apt install libcurl4" in message


def test_no_libcurl(with_wheel: Venv, tmp_path: Path) -> None:
    """The extension asks for a library that no machine has, under a name just as long."""
    package = tmp_path / "libcurl"
    shutil.copytree(with_wheel.extension.parent, package)
    (extension,) = package.glob("_native*.so")
    code = extension.read_bytes()
    assert code.count(b"\0libcurl.so.4\0") == 1
    extension.write_bytes(code.replace(b"\0libcurl.so.4\0", b"\0libcurl.so.9\0"))
    message = with_wheel.run(IMPORT, PYTHONPATH=os.fspath(tmp_path))
    assert "libcurl 7.74 or newer is not installed: apt install libcurl4" in message
    assert "libcurl.so.9" in message


def test_the_wheel_works_where_nothing_is_wrong(with_wheel: Venv) -> None:
    assert with_wheel.run("import libcurl; print(libcurl.version())").startswith("libcurl/")
