"""Write the table of libcurl's constants from libcurl's headers, and the stubs that follow from it.

These are symbols.py, constants.pyi, _options.pyi and pycurl/_constants.pyi in src/libcurl.

    python tools/symbols.py [--check] [HEADERS_DIR...] [SYMBOLS_IN_VERSIONS]

Each HEADERS_DIR holds a curl/ folder of one version (default: all of .cache/headers, which
tools/headers.sh fills). Newer headers win over older ones, which add what has been removed since.
SYMBOLS_IN_VERSIONS is libcurl's own list of when each symbol came (default: the copy beside this
tool). With --check nothing is written and a stale file is an error; headers newer than the
committed table then add nothing, so that a check means the same tomorrow.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import stubs

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "src" / "libcurl" / "symbols.py"

Row = tuple[int, str, "str | None"]
Table = dict[str, dict[str, Row]]
Version = tuple[int, ...]

# Constants that were never members of an enum belong to the longest of these prefixes.
PREFIXES = """
    CURL_ CURL_BLOB_ CURL_CHUNK_BGN_FUNC_ CURL_CHUNK_END_FUNC_ CURL_CSELECT_ CURL_FNMATCHFUNC_
    CURL_GLOBAL_ CURL_HTTP_VERSION_ CURL_HTTPPOST_ CURL_IPRESOLVE_ CURL_POLL_ CURL_PREREQFUNC_
    CURL_PROGRESSFUNC_ CURL_PUSH_ CURL_READFUNC_ CURL_REDIR_ CURL_RTSPREQ_ CURL_SEEKFUNC_
    CURL_SOCKOPT_ CURL_SSLVERSION_ CURL_TRAILERFUNC_ CURL_VERSION_ CURL_WAIT_ CURL_WRITEFUNC_
    CURLALTSVC_ CURLAUTH_ CURLFINFOFLAG_ CURLFOLLOW_ CURLGSSAPI_DELEGATION_ CURLH_ CURLHEADER_
    CURLHSTS_ CURLHTTPSIG_ CURLINFO_ CURLMIMEOPT_ CURLMNOTIFY_ CURLMNWC_ CURLOPTTYPE_
    CURLOT_FLAG_ CURLPAUSE_ CURLPIPE_ CURLPROTO_ CURLSSH_AUTH_ CURLSSLOPT_ CURLU_ CURLULFLAG_
    CURLWS_
""".split()
# One prefix, two sets of bits: those of a frame and those of CURLOPT_WS_OPTIONS.
APART = {"CURLWS_RAW_MODE": "CURLWS_OPTIONS_", "CURLWS_NOAUTOPONG": "CURLWS_OPTIONS_"}

# Not constants of the interface: end marks that move, room for experiments, build-time names.
PRIVATE = re.compile(r".*_LAST(ENTRY|ONE)?$|.*_RESERVED\d*$|CURL_(FORMAT|SUFFIX|PULL)_.*")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a file is stale")
    parser.add_argument("paths", nargs="*", type=Path, metavar="HEADERS_DIR|SYMBOLS_IN_VERSIONS")
    options = parser.parse_args(arguments)
    folders = [path for path in options.paths if path.is_dir()] or cached_headers()
    lists = [path for path in options.paths if path.is_file()]
    introduced = read_versions(*lists or [ROOT / "tools" / "symbols-in-versions"])
    if not folders:
        parser.error("no headers: run tools/headers.sh")

    committed = runpy.run_path(str(TABLE)) if TABLE.exists() else {}
    until = committed.get("VERSION") if options.check else None
    version, table = build(folders, introduced, committed.get("SYMBOLS", {}), until)
    headers = [
        (folder / "curl" / name).read_text()
        for folder in sorted(folders, key=lambda folder: as_tuple(header_version(folder)))
        for name in ("curl.h", "multi.h")
    ]

    rows = table["CURLoption"], table["CURLMoption"], table["CURLINFO"]
    files: dict[str, Callable[[], str]] = {
        "symbols.py": lambda: render(version, table),
        "constants.pyi": stubs.constants_stub,  # of the table as it now stands in its file
        "_options.pyi": lambda: stubs.options_stub(headers, *rows),
        "pycurl/_constants.pyi": stubs.pycurl_stub,
    }
    stale = 0
    for name, content in files.items():
        path = TABLE.parent / name
        if not options.check:
            path.write_text(content())
        elif not path.exists() or path.read_text() != content():
            print(
                f"{path.relative_to(ROOT)} is stale: run python tools/symbols.py", file=sys.stderr
            )
            stale += 1
    return 1 if stale else 0


def cached_headers() -> list[Path]:
    return [path.parent for path in (ROOT / ".cache" / "headers").glob("*/curl")]


def read_versions(path: Path) -> dict[str, tuple[str, str | None]]:
    """{symbol: (version that added it, last version that had it)}, as libcurl lists them."""
    rows = re.findall(r"^(CURL\w+) +([\d.]+)(?: +[-\d.]+(?: +([\d.]+))?)?$", path.read_text(), re.M)
    return {name: (added, last or None) for name, added, last in rows}


def build(
    folders: Iterable[Path],
    introduced: dict[str, tuple[str, str | None]],
    committed: Table,
    until: str | None,
) -> tuple[str, Table]:
    """The version of the newest headers and the table made of all of them."""
    versions = {header_version(folder): folder for folder in folders}
    newest = max(versions, key=as_tuple)
    if until is None or as_tuple(until) > as_tuple(newest):
        until = newest

    enums: dict[str, str] = {}  # constant -> the enum it is, or once was, a member of
    values: dict[str, int] = {}
    first_seen = {name: row[1] for rows in committed.values() for name, row in rows.items()}
    for version in sorted(versions, key=as_tuple):
        found = read_constants(versions[version], enums)
        # Newest last, yet the order of the newest headers is the one to keep.
        values = {**found, **{name: v for name, v in values.items() if name not in found}}
        for name in found:
            first_seen.setdefault(name, version)

    prefixes = enum_prefixes(enums)
    table: Table = {}
    for name, value in values.items():
        added, last = introduced.get(name, (first_seen[name], None))
        if as_tuple(added) <= as_tuple(until):
            family = enums.get(name) or APART.get(name) or prefixed(name, prefixes)
            table.setdefault(family, {})[name] = (value, added, last)
    return until, table


def as_tuple(version: str) -> Version:
    return tuple(map(int, version.split(".")))


def header_version(folder: Path) -> str:
    text = (folder / "curl" / "curlver.h").read_text()
    found = re.search(r'#define LIBCURL_VERSION "([\d.]+)', text)
    assert found, folder
    return found[1]


def read_constants(folder: Path, enums: dict[str, str]) -> dict[str, int]:
    """The value of every constant in one version's headers; its enum members go into `enums`."""
    program = "#define CURL_DISABLE_TYPECHECK\n#define CURL_DISABLE_DEPRECATION\n"
    program += "#include <curl/curl.h>\n"
    text = "".join(own_lines(folder, compiler(program, "-E", "-dD", f"-I{folder}")))

    names: dict[str, None] = {}
    macros = dict(re.findall(r"^#define (CURL[A-Z0-9_]*[A-Za-z0-9_]*)[ ]+(.+)$", text, re.M))
    code = re.sub(r"^#.*$", "", text, flags=re.M)
    for typedef, tag, body, alias in re.findall(
        r"(typedef\s+)?enum\s*(\w*)\s*\{([^}]*)\}\s*(\w*)\s*;", code
    ):
        family = alias if typedef else f"enum {tag}" if tag else ""
        for member in re.findall(r"(?:^|,)\s*(\w+)", body):
            names[member] = None
            if family and not PRIVATE.fullmatch(member):
                enums[member] = family
    names.update(dict.fromkeys(integer_macros(macros, set(names))))
    for name, body in macros.items():
        if body.strip("() ") in enums:  # another name of an enum's member is a member as well
            enums.setdefault(name, enums[body.strip("() ")])

    public = [name for name in names if not PRIVATE.fullmatch(name)]
    prints = "".join(f"show({name});\n" for name in public)
    show = '#define show(x) printf((x) < 0 ? "%lld\\n" : "%llu\\n", (unsigned long long)(x))\n'
    main = f"#include <stdio.h>\n{program}{show}int main(void) {{\n{prints}return 0;\n}}\n"
    with tempfile.TemporaryDirectory() as scratch:
        compiler(main, "-w", f"-I{folder}", "-o", f"{scratch}/show")
        shown = subprocess.run([f"{scratch}/show"], check=True, capture_output=True, text=True)
    return dict(zip(public, map(int, shown.stdout.split()), strict=True))


def compiler(program: str, *arguments: str) -> str:
    command = [os.environ.get("CC", "cc"), "-xc", "-", *arguments]
    return subprocess.run(
        command, input=program, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def own_lines(folder: Path, preprocessed: str) -> Iterator[str]:
    """What of the compiler's output comes from curl's own headers."""
    own = False
    for line in preprocessed.splitlines(keepends=True):
        if marker := re.match(r'# \d+ "(.*?)"', line):
            # curlver.h says which version this is: nothing a program of any version can use.
            own = marker[1].startswith(f"{folder}/") and not marker[1].endswith("/curlver.h")
        elif own:
            yield line


def integer_macros(macros: dict[str, str], known: set[str]) -> list[str]:
    """The macros whose value is made of numbers, operators, casts and constants."""
    known = known | {"unsigned", "long", "int", "size_t"}
    integers: list[str] = []
    while found := [
        name
        for name, body in macros.items()
        if name not in known
        and re.search(r"\w", body)
        and re.fullmatch(r"[\s\w()<>|&~+*-]+", body)
        and all(word in known for word in re.findall(r"\b[A-Za-z_]\w*", body))
    ]:
        known |= set(found)
        integers += found
    return [name for name in macros if name in integers and re.search(r"[\dA-Z]", macros[name])]


def enum_prefixes(enums: dict[str, str]) -> dict[str, str]:
    """{prefix that an enum's members share: the enum}; the larger enum has the say."""
    members: dict[str, list[str]] = {}
    for name, family in enums.items():
        members.setdefault(family, []).append(name)
    shared = {}
    for family in sorted(members, key=lambda family: len(members[family])):
        prefix = os.path.commonprefix(members[family])  # noqa: RUF071, names, not paths
        shared[prefix[: prefix.rfind("_") + 1]] = family
    return shared


def prefixed(name: str, enum_prefixes: dict[str, str]) -> str:
    """The family of a constant that is no enum's: an enum of the same prefix, or the prefix."""
    prefix = max((p for p in (*PREFIXES, *enum_prefixes) if name.startswith(p)), key=len)
    return prefix if prefix in PREFIXES else enum_prefixes[prefix]


def render(version: str, table: Table) -> str:
    lines = [HEADER, f'VERSION = "{version}"\n\n']
    lines.append("SYMBOLS: dict[str, dict[str, tuple[int, str, str | None]]] = {\n")
    for family in sorted(table, key=lambda family: family.lower().removeprefix("enum ")):
        lines.append(f'    "{family}": {{\n')
        for name, (value, added, last) in table[family].items():
            quoted = f'"{last}"' if last else "None"
            lines.append(f'        "{name}": ({value}, "{added}", {quoted}),\n')
        lines.append("    },\n")
    return "".join([*lines, "}\n"])


HEADER = '''\
"""libcurl's constants: {family: {name: (value, version that added it, last version that had it)}}.

Generated by tools/symbols.py from libcurl's headers: do not edit. A family is an enum's type
("CURLcode", "enum curl_khtype"), or what the names of its #defines begin with ("CURLAUTH_").
A symbol that libcurl's own list of versions leaves out has the version of the oldest headers read.
"""

from __future__ import annotations

# The libcurl that these are the constants of.
'''

if __name__ == "__main__":
    sys.exit(main())
