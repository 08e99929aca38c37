"""What `import libcurl` costs, and which module may import which."""

from __future__ import annotations

import ast
import pathlib
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from typing import Any

import pytest

import libcurl

SOURCE = pathlib.Path(libcurl.__file__).parent

# A module imports from its own line and those above it.
LAYERS = (
    "_native symbols",
    "raw constants hsts memory",
    "errors",
    "options address registry",
    "connections settings callbacks",
    "engine",
    "multi_engine share_engine data infos headers library url mime_sources",
    "mime_engine cookies sessions",
    "mime",
    "special",
    "easy",
    "multi share websocket",
    "sockets aio",
    "pycurl",
)
# Inside functions, where what is seldom used is reached from where users look for it.
EXCEPTED = {
    ("easy", "websocket"),
    ("special", "sockets"),
    ("multi", "sockets"),
    ("share", "sockets"),
}
# What is imported on first use: `import libcurl` and an ordinary transfer do without.
ON_USE = """
address aio callbacks connections constants cookies data errors headers hsts infos library mime mime_engine
mime_sources multi multi_engine pycurl sessions share share_engine sockets special symbols url
websocket
""".split()
PLACES = {name: place for place, line in enumerate(LAYERS) for name in line.split()}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).with_suffix("").parts[0]
        if name != "__init__":
            yield name, ast.parse(path.read_text(), str(path))


def imports(node: ast.AST, deferred: bool = False) -> Iterator[tuple[str, bool]]:
    """(module of this package, whether the import stands in a function); types do not count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.ImportFrom):
            module = child.module or ""
            if child.level or module == "libcurl":
                names = [module] if child.level and module else [name.name for name in child.names]
            elif module.startswith("libcurl."):
                names = [module.removeprefix("libcurl.")]
            else:
                names = []
            yield from ((name.split(".")[0], deferred) for name in names)
        elif isinstance(child, ast.Import):
            for name in child.names:
                if name.name.startswith("libcurl."):
                    yield name.name.split(".")[1], deferred
        inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        yield from imports(child, deferred or inside)


def test_imports_point_one_way() -> None:
    wrong = []
    for name, tree in modules():
        assert name in PLACES, f"{name} has no place in LAYERS"
        for imported, deferred in imports(tree):
            if name == imported == "pycurl" or (name == "pycurl" and imported not in PLACES):
                continue  # within the drop-in
            assert imported in PLACES, f"{imported}, which {name} imports, has no place in LAYERS"
            allowed = PLACES[imported] <= PLACES[name]
            if not allowed and not (deferred and (name, imported) in EXCEPTED):
                wrong.append(f"{name} imports {imported}")
    assert wrong == []


def test_no_two_modules_need_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for name, tree in modules():
        wanted = {imported for imported, deferred in imports(tree) if not deferred}
        graph.setdefault(name, set()).update(wanted - {name})
    while graph:
        leaves = {name for name, wanted in graph.items() if not wanted & set(graph)}
        assert leaves, f"a circle among {sorted(graph)}"
        graph = {name: wanted for name, wanted in graph.items() if name not in leaves}


def bare(program: str) -> str:
    """Run a program in an interpreter without site, whose modules are those of the interpreter."""
    paths = [str(SOURCE.parent), *(path for path in sys.path if path)]
    command = [sys.executable, "-S", "-E", "-c", program, *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_brings_in_nothing_that_it_does_not_need() -> None:
    program = """if True:
        import sys
        sys.path[:] = sys.argv[1:]
        import os                               # as site does
        before = set(sys.modules)
        import libcurl
        easy = libcurl.Easy(url="http://127.0.0.1/", timeout=5)
        easy.close()
        print(*sorted(set(sys.modules) - before))
    """
    brought = set(bare(program).split())
    own = {name for name in brought if name.split(".")[0] == "libcurl"}
    # PyPy brings cpyext with any extension module.
    others = {"__future__", "_cffi_backend", "atexit", "_operator", "_weakref", "cpyext"}
    assert brought - own <= others
    assert own.isdisjoint(f"libcurl.{name}" for name in ON_USE)


def test_a_policy_does_not_bring_in_the_other_tools() -> None:
    program = """if True:
        import sys
        sys.path[:] = sys.argv[1:]
        import libcurl
        from libcurl.sockets import AddressPolicy
        libcurl.Easy(sockets=AddressPolicy.public_only()).close()
        print(*sys.modules)
    """
    names = {name for name in bare(program).split() if name.startswith("libcurl.sockets.")}
    assert "libcurl.sockets.policy" in names
    others = ("connected", "log", "options", "rewrite")
    assert names.isdisjoint(f"libcurl.sockets.{name}" for name in others)


def test_every_ready_made_tool_is_there_when_asked_for() -> None:
    from libcurl import sockets

    assert set(sockets.__all__) <= set(dir(sockets))
    for name in sockets.__all__:
        assert getattr(sockets, name)
    with pytest.raises(
        AttributeError, match=r"module 'libcurl.sockets' has no attribute 'no_such'"
    ):
        sockets.no_such  # type: ignore[attr-defined] # noqa: B018


def test_the_drop_in_brings_in_nothing_large() -> None:
    program = """if True:
        import sys
        sys.path[:] = sys.argv[1:]
        import os
        before = set(sys.modules)
        import libcurl.pycurl
        libcurl.pycurl.install()
        import pycurl
        pycurl.Curl().close()
        print(*sorted(set(sys.modules) - before))
    """
    large = {"asyncio", "enum", "importlib.abc", "re", "socket", "typing"}
    assert large.isdisjoint(bare(program).split())


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has a GIL"
)
def test_the_gil_stays_off(script: Any) -> None:
    code = """
        import sys
        import libcurl, libcurl.aio, libcurl.pycurl, libcurl.raw, libcurl.sockets

        libcurl.Easy().close()
        print(sys._is_gil_enabled())
    """
    assert script(code, env={"PYTHON_GIL": ""}) == "False\n"
