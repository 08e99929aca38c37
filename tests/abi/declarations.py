"""Real curl headers and the declarations of our own, as the tests here compare them."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def as_tuple(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@dataclass(frozen=True)
class Headers:
    """The curl headers of one version."""

    folder: Path  # curl/curl.h is in it
    version: tuple[int, ...]

    def compile(self, source: str, *flags: str) -> str:
        """What the compiler has to say against a C source that may include these headers."""
        command = ["cc", "-std=gnu11", "-fsyntax-only", "-xc", "-", f"-I{self.folder}", *flags]
        return subprocess.run(command, input=source, capture_output=True, text=True).stderr

    def text(self) -> str:
        """All of them but printf's, without comments."""
        files = [p for p in (self.folder / "curl").glob("*.h") if p.name != "mprintf.h"]
        return without_comments("\n".join(path.read_text() for path in sorted(files)))

    def identifiers(self) -> set[str]:
        return set(re.findall(r"\b[A-Za-z_]\w*", self.text()))


def without_comments(source: str) -> str:
    return re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)


def installed_headers() -> Headers | None:
    """Those that pkg-config knows, if any."""

    def pkg_config(flag: str) -> str:
        command = ["pkg-config", flag, "libcurl"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    try:
        flags, version = pkg_config("--cflags-only-I"), pkg_config("--modversion").strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    folders = [flag[2:] for flag in flags.split()]
    search = subprocess.run(
        ["cc", "-E", "-Wp,-v", "-xc", "/dev/null"], capture_output=True, text=True, check=True
    )
    folders += re.findall(r"^ (/\S+)$", search.stderr, re.MULTILINE)
    found = next(Path(path) for path in folders if (Path(path) / "curl" / "curl.h").exists())
    return Headers(found, as_tuple(version))


@dataclass(frozen=True)
class Ours:
    """What the project declares."""

    cdef: str  # cdef.h, without comments
    prototypes: list[Any]  # (name, since)
    symbols: dict[str, dict[str, tuple[int, str, str | None]]]
    version: tuple[int, ...]  # that symbols.py was made of
    enums: dict[str, str]  # {type: its C}, as generated for the build


def our_declarations() -> Ours:
    """Read from the files that the build reads."""
    build = load(ROOT / "build_ffi.py")
    symbols = load(ROOT / "src" / "libcurl" / "symbols.py")
    cdef = (ROOT / "src" / "libcurl" / "_native" / "cdef.h").read_text()
    enums = {
        family.removeprefix("enum "): build.constants_h({family: rows})
        for family, rows in symbols.SYMBOLS.items()
        if not family.endswith("_")
    }
    return Ours(
        cdef=without_comments(cdef),
        prototypes=build.prototypes(cdef),
        symbols=symbols.SYMBOLS,
        version=as_tuple(symbols.VERSION),
        enums=enums,
    )


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"abi_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
