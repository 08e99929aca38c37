"""The stubs that follow from the table of constants: constants.pyi, _options.pyi, pycurl/_constants.pyi.

Written by tools/symbols.py. Options get their types from the CURLOPT(...) lines of libcurl's
headers; what Python passes for those that are pointers is said below.
"""

from __future__ import annotations

import importlib
import re
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

Rows = dict[str, tuple[int, str, "str | None"]]

# The oldest libcurl there is support for: what it has needs no mention of a version.
OLDEST = (7, 74, 0)

SCALARS = {
    "LONG": "int | None",
    "VALUES": "int | None",
    "OFF_T": "int | None",
    "STRINGPOINT": "Text | None",
    "SLISTPOINT": "Lines | None",
    "BLOB": "Buffer | None",
    "FUNCTIONPOINT": "Callable[..., object] | None",
}

# An option that is a pointer and not named here is not for Python to set.
EASY = {
    "curlu": "Url | None",
    "postfields": "str | Buffer | None",
    "copypostfields": "str | Buffer | None",
    "mimepost": "Mime | None",
    "share": "object",
    "private": "object",
    "stderr": "HasFileno | None",
    "stream_depends": "Easy | None",
    "stream_depends_e": "Easy | None",
    "readdata": "Buffer | Readable | Iterator[bytes] | None",
    "writedata": "Writable | None",
    "headerdata": "Writable | None",
    "readfunction": "Callable[[int], Buffer | int] | None",
    "writefunction": "Callable[[bytes], int | None] | None",
    "headerfunction": "Callable[[bytes], int | None] | None",
    "seekfunction": "Callable[[int, int], int | None] | None",
    "progressfunction": "Callable[[int, int, int, int], int | None] | None",
    "xferinfofunction": "Callable[[int, int, int, int], int | None] | None",
    "debugfunction": "Callable[[InfoType, bytes], object] | None",
    "cookielist": "Text | Cookie | None",
    "hstsreadfunction": "Callable[[], tuple[str | bytes, bool, str | None] | None] | None",
    "hstswritefunction": "Callable[[HSTSEntry, HSTSIndex], int | None] | None",
    "opensocketfunction": "Callable[[SockType, Address], Detachable | int] | None",
    "sockoptfunction": "Callable[[int, SockType], int | None] | None",
    "closesocketfunction": "Callable[[int], int | None] | None",
}
# No option of libcurl's, but a keyword as they are.
SOCKETS = "    sockets: Sockets | None"
# By the type that is part of an info's number, and by name where that does not say it all.
INFOS = {
    0x100000: "str | None",
    0x200000: "int",
    0x300000: "float",
    0x400000: "list[str]",
    0x500000: "int",
    0x600000: "int",
}
INFO = {
    "private": "Any",
    "certinfo": "list[list[tuple[str, str]]]",
    "tls_session": "tuple[int, int]",
    "tls_ssl_ptr": "tuple[int, int]",
}
MULTI = {
    "pipelining_site_bl": "Lines | None",
    "pipelining_server_bl": "Lines | None",
}


def constants_stub() -> str:
    """constants.pyi: every class with its members, and every C name as an int."""
    constants = bare_import("libcurl.constants")
    symbols = bare_import("libcurl.symbols").SYMBOLS
    lines = [CONSTANTS_HEADER, "__all__ = [  # noqa: RUF022, in the order of constants.py"]
    lines += [f'    "{name}",' for name in constants.__all__]
    lines += ["]\n", f"SOCKET_BAD: Final = {constants.SOCKET_BAD}\n", CONSTANTS_FUNCTIONS]
    for base, classes in ("IntEnum", constants.ENUMS), ("IntFlag", constants.FLAGS):
        for name, (_prefix, doc, *_family) in classes.items():
            lines.append(f'class {name}({base}):\n    """{doc}"""\n')
            lines += [
                f"    {member} = {value}" for member, value in constants.members(name).items()
            ]
            lines.append("")
    for rows in symbols.values():
        lines += [f"{name}: Final = {value}" for name, (value, *_versions) in rows.items()]
    return "\n".join(lines) + "\n"


def bare_import(name: str) -> Any:
    """A module of the package, without the packages' own __init__, which need it to be built."""
    package = name.rpartition(".")[0]
    while package:
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [str(ROOT / "src" / package.replace(".", "/"))]
        package = package.rpartition(".")[0]
    return importlib.import_module(name)


def pycurl_stub() -> str:
    """pycurl/_constants.pyi: pycurl's names, of its module and of the instances of its classes."""
    names_of = bare_import("libcurl.pycurl.rules").names_of
    oldest = names_of(OLDEST)
    lines = [PYCURL_HEADER]
    all_lines: list[str] = []
    for owner, names in names_of(None).items():
        own_lines = [
            # Of some, the value depends on the version.
            f"{name}: Final = {value}"
            if oldest[owner].get(name, value) == value
            else f"{name}: Final[int]"
            for name, value in names.items()
        ]
        all_lines += own_lines
        if owner:
            lines.append(
                f'class _{owner}Attributes(Attributes):\n    """What a {owner} has of them."""\n'
            )
            lines += [f"    {line}" for line in own_lines]
            lines.append("")
    return "\n".join([*lines, *all_lines]) + "\n"


def options_stub(headers: Iterable[str], easy: Rows, multi: Rows, infos: Rows) -> str:
    """_options.pyi: a TypedDict of easy options and one of multi options, and infos as attributes."""
    kinds: dict[str, str] = {}
    for header in headers:
        kinds.update(
            re.findall(r"CURLOPT(?:DEPRECATED)?\(\s*(CURLM?OPT_\w+),\s*CURLOPTTYPE_(\w+)", header)
        )
    lines = [OPTIONS_HEADER]
    lines += [
        "class Options(TypedDict, total=False):",
        '    """The options of an easy handle."""\n',
    ]
    lines += [*keywords(easy, kinds, "CURLOPT_", EASY), SOCKETS]
    lines += ["", "class MultiOptions(TypedDict, total=False):"]
    lines += ['    """The options of a multi handle."""\n']
    lines += [*keywords(multi, kinds, "CURLMOPT_", MULTI), SOCKETS]
    lines += ["", "class Infos:", '    """What getinfo knows of a transfer, as attributes."""\n']
    lines += [line for name, row in infos.items() for line in attribute(name, row)]
    return "\n".join(lines) + "\n"


def attribute(c_name: str, row: tuple[int, str, str | None]) -> Iterator[str]:
    """An info as a property."""
    value, added, _last = row
    name = c_name.removeprefix("CURLINFO_").lower()
    hint = INFO.get(name) or INFOS.get(value & 0xF00000)
    if hint:  # CURLINFO_NONE is the number of no info
        yield "    @property"
        yield f"    def {name}(self) -> {hint}: ..." + since(added)


def since(added: str) -> str:
    """A comment, where the oldest supported libcurl lacks it."""
    return f"  # libcurl {added}" if tuple(map(int, added.split("."))) > OLDEST else ""


def keywords(rows: Rows, kinds: dict[str, str], prefix: str, special: dict[str, str]) -> list[str]:
    targets = {rows[name][0]: name for name in kinds if name in rows and "OBSOLETE" not in name}
    lines = []
    for name, (value, added, _last) in rows.items():
        if value not in targets:
            continue  # the number of no option: a name of long ago
        keyword = name.removeprefix(prefix).lower()
        target = targets[value]  # another name takes what its target takes
        hint = special.get(target.removeprefix(prefix).lower()) or SCALARS.get(kinds[target])
        if hint:
            lines.append(f"    {keyword}: {hint}{since(added)}")
    return lines


CONSTANTS_HEADER = '''\
"""libcurl's constants. Generated by tools/symbols.py: do not edit."""

from enum import IntEnum, IntFlag
from typing import Final
'''

PYCURL_HEADER = '''\
"""pycurl's names for libcurl's constants. Generated by tools/symbols.py: do not edit."""

from typing import Final

from .common import Attributes
'''

CONSTANTS_FUNCTIONS = '''\
def value(name: str) -> int:
    """The number behind a C name: ``value("CURLOPT_URL")``."""

def added(name: str) -> str:
    """The libcurl version that brought this C name."""

def removed(name: str) -> str | None:
    """The last libcurl version that has this C name, or None: most are never removed."""

def members(name: str) -> dict[str, int]:
    """{member: value} of a class; aliases stand behind what they mean."""
'''

OPTIONS_HEADER = '''\
"""The options that handles take as keywords. Generated by tools/symbols.py: do not edit."""

from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from typing import Any, Protocol, TypeAlias, TypedDict

from typing_extensions import Buffer

from . import Address, Cookie, Easy, HSTSEntry, HSTSIndex, Mime, Url
from .constants import InfoType, SockType
from .sockets.tool import Sockets

Text: TypeAlias = str | bytes | PathLike[str] | PathLike[bytes] | Url
Lines: TypeAlias = Iterable[str | bytes]

class HasFileno(Protocol):
    """A file of the system's."""

    def fileno(self) -> int: ...

class Detachable(HasFileno, Protocol):
    """A socket that gives its descriptor away."""

    def detach(self) -> int: ...

class Readable(Protocol):
    """A file to read bytes from."""

    def read(self, size: int, /) -> bytes: ...

class Writable(Protocol):
    """A file to write bytes to."""

    def write(self, data: bytes, /) -> object: ...
'''
