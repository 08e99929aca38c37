"""What is built, with what, and what is said when something is missing."""

from __future__ import annotations

import importlib.machinery
import os
import re
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from installation import ROOT, Venv, project_files, run

pytestmark = pytest.mark.slow

CPYTHON = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
VERSION = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M).group(1)  # type: ignore[union-attr]
USE = "import libcurl; libcurl.Easy(url='http://localhost/').close(); print(libcurl.version())"


def sources() -> list[str]:
    """Return the names of all files of the package."""
    return [name for name in project_files() if name.startswith("src/")]


def said(output: str, line: str) -> bool:
    """Tell whether it was said, in a line of its own, and not by a traceback."""
    lines = [text.strip() for text in output.splitlines()]
    return line in lines and "Traceback" not in output


def dynamic(extension: Path) -> str:
    """What the dynamic linker will read of it."""
    return run("readelf", "--wide", "--dynamic", "--dyn-syms", "--version-info", extension)


def curl_symbols(extension: Path) -> set[str]:
    """The functions that it wants from libcurl, with a version where they have one."""
    rows = [line.split() for line in dynamic(extension).splitlines()]
    return {row[7] for row in rows if len(row) > 7 and row[6] == "UND" and row[7][:5] == "curl_"}


@pytest.mark.skipif(not CPYTHON, reason="only CPython has a stable ABI")
def test_one_wheel_for_all_cpythons(wheel: Path) -> None:
    assert re.fullmatch(rf"libcurl-{VERSION}-cp310-abi3-\w+\.whl", wheel.name)
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.endswith(".so")] == ["libcurl/_native.abi3.so"]


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {name.removeprefix("src/") for name in sources()}
    wanted = {name for name in package if name.endswith((".py", ".pyi", "py.typed"))}
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    assert {name for name in names if not name.endswith(suffixes)} == wanted


def test_the_sdist_has_all_that_a_build_needs(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {*sources(), "pyproject.toml", "build_ffi.py", "LICENSE", "README.md", "CHANGELOG.md"}
    assert needed - names == set()
    assert not [name for name in names if name.endswith((".so", ".o", ".pyc"))]


def test_a_wheel_built_from_the_sdist_works(sdist: Path, venv: Venv) -> None:
    venv.pip("install", "--no-binary", "libcurl", sdist)
    assert venv.run(USE).startswith("libcurl/")


def test_the_build_looks_at_no_curl_header_and_no_libcurl(checkout: Path, venv: Venv) -> None:
    # -H lists the headers that were read, --trace the files that were linked.
    output = venv.pip(
        "install", "--verbose", ".", cwd=checkout, CFLAGS="-H", LDFLAGS="-Wl,--trace",
        PKG_CONFIG="/nonexistent", PKG_CONFIG_LIBDIR="/nonexistent",
    )  # fmt: skip
    headers = re.findall(r"^ *\.+ (\S+)$", output, re.M)
    assert any(name.endswith("/Python.h") for name in headers)
    assert not [name for name in headers if "/curl/" in name]
    libraries = set(re.findall(r"^ *(\S*libcurl\S*\.(?:so|a)\S*)$", output, re.M))
    assert libraries
    assert all(str(checkout) in name or "/generated/" in name for name in libraries), libraries

    assert venv.run(USE).startswith("libcurl/")
    text = dynamic(venv.extension)
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", text)
    assert "libcurl.so.4" in needed
    assert {name for name in needed if "curl" in name} == {"libcurl.so.4"}
    symbols = curl_symbols(venv.extension)
    assert "curl_easy_init" in symbols
    assert not [name for name in symbols if "@" in name]
    assert "CURL_" not in text.partition("Version needs")[2]
    assert str(checkout) not in text


def test_linked_to_the_systems_libcurl(checkout: Path, venv: Venv) -> None:
    """With the development files, LIBCURL_LINK=system links as a distribution would."""
    venv.pip("install", ".", cwd=checkout, LIBCURL_LINK="system")
    assert venv.run(USE).startswith("libcurl/")
    assert "curl_easy_init@CURL_OPENSSL_4" in {
        symbol.partition(" ")[0] for symbol in curl_symbols(venv.extension)
    }


def test_linking_to_the_system_needs_its_development_files(checkout: Path, venv: Venv) -> None:
    output = venv.pip(
        "install", ".", cwd=checkout, fails=True,
        LIBCURL_LINK="system", PKG_CONFIG_LIBDIR="/nonexistent",
    )  # fmt: skip
    line = (
        "LIBCURL_LINK=system needs pkg-config and libcurl's development files: "
        "apt install pkg-config libcurl4-openssl-dev"
    )
    assert said(output, line), output


def test_an_unknown_way_to_link(checkout: Path, venv: Venv) -> None:
    output = venv.pip("install", ".", cwd=checkout, fails=True, LIBCURL_LINK="maybe")
    assert said(output, "LIBCURL_LINK=maybe: expected stub, system or static"), output


def test_without_a_compiler(checkout: Path, venv: Venv) -> None:
    output = venv.pip("install", ".", cwd=checkout, fails=True, CC="/nonexistent/cc")
    needs = r"^\s*libcurl needs a C compiler \(.+\): apt install gcc libc6-dev$"
    assert re.search(needs, output, re.M), output
    assert "Traceback" not in output


def test_without_the_headers_of_python(checkout: Path, tmp_path: Path) -> None:
    """A Python with the same program and library, and no include folder beside them."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    name = f"python{version}" if sys.implementation.name == "cpython" else f"pypy{version}"
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / name).symlink_to(os.path.realpath(sys.executable))
    (home / "lib").symlink_to(Path(sys.base_prefix, "lib"))
    venv = Venv(tmp_path / "venv", home / "bin" / name)
    assert venv.run("import sys; print(sys.base_prefix)").strip() == str(home)

    output = venv.pip("install", ".", cwd=checkout, fails=True)
    package = "python3-dev" if sys.implementation.name == "cpython" else "pypy3-dev"
    line = f"libcurl needs the headers of this Python: apt install {package}"
    assert said(output, line), output
