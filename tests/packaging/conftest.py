"""What is built once for all packaging tests: an sdist and a wheel, from a clean copy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Venv, copy_project, run


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project with nothing built in it."""
    return copy_project(tmp_path / "checkout")


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    source = copy_project(folder / "checkout")
    run(sys.executable, "-m", "build", "--sdist", "--outdir", folder / "dist", source)
    (archive,) = (folder / "dist").iterdir()
    return archive


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made by `pip wheel` from a checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_project(folder / "checkout")
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps")
    run(*pip, "--wheel-dir", folder / "dist", source)
    (archive,) = (folder / "dist").iterdir()
    return archive


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    """An empty virtual environment."""
    return Venv(tmp_path / "venv")


@pytest.fixture(scope="session")
def with_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """A virtual environment that has the wheel: not to be changed."""
    venv = Venv(tmp_path_factory.mktemp("installed") / "venv")
    venv.pip("install", wheel)
    return venv


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that compiles C to libcurl.so.4 in a new folder, which it returns."""

    def compile(code: str) -> Path:
        folder = tmp_path_factory.mktemp("library")
        (folder / "code.c").write_text(code)
        flags = ("-shared", "-fPIC", "-Wl,-soname,libcurl.so.4")
        run("cc", *flags, "-o", folder / "libcurl.so.4", folder / "code.c")
        return folder

    return compile
