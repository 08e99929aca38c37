"""What type checkers are told of pycurl's constants is what there is."""

from __future__ import annotations

import ast
from pathlib import Path

import libcurl
from libcurl import pycurl
from libcurl.pycurl.names import NAMES, OWNED

STUB = Path(libcurl.__file__).parent / "pycurl" / "_constants.pyi"


def declared(body: list[ast.stmt]) -> dict[str, int | None]:
    """{name: value}, None where that depends on the version."""
    return {
        ast.unparse(node.target): ast.literal_eval(node.value) if node.value else None
        for node in body
        if isinstance(node, ast.AnnAssign)
    }


def test_every_constant_is_declared_with_its_value() -> None:
    stub = ast.parse(STUB.read_text())
    classes = {node.name: node.body for node in stub.body if isinstance(node, ast.ClassDef)}
    assert {name: vars(pycurl)[name] for name in NAMES} == NAMES
    for owner, known in {"": NAMES, **{name: OWNED[name] for name in OWNED if name}}.items():
        found = declared(classes[f"_{owner}Attributes"] if owner else stub.body)
        assert known.keys() <= found.keys()
        assert {n for n, value in known.items() if found[n] not in (value, None)} == set()
    assert len([value for value in declared(stub.body).values() if value is None]) == 5
