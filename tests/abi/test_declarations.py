"""cdef.h and symbols.py say what libcurl's own headers say, in every version at hand.

The compiler is the judge: our declarations follow the real ones in one C source. Repeating a
prototype or a typedef is legal C only where both mean the same; structs and constants, which C
does not let one repeat, are compared by assertions.
"""

from __future__ import annotations

import re

import pytest
from declarations import Headers, Ours, as_tuple

REAL = """\
#define CURL_DISABLE_TYPECHECK
#define CURL_DISABLE_DEPRECATION
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h>
#include <curl/curl.h>
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_share_setopt
#undef curl_multi_setopt
#undef curl_multi_socket
"""

# Where versions differ by a const, which changes no ABI; the newest is what we declare.
CONST_DRIFT = {"curl_url_dup", "curl_url_get", "curl_ws_meta", "curl_ws_recv"}

# The few constants that are not the same in all versions: "all of them", which grows, "the newest",
# a limit, and the numbers of options that are gone.
MOVING = {
    "CURLAUTH_ANY",
    "CURLAUTH_ANYSAFE",
    "CURLOPT_CLOSEPOLICY",
    "CURLOPT_OBSOLETE40",
    "CURLOPT_OBSOLETE72",
    "CURLOPT_WRITEINFO",
    "CURLPROTO_ALL",
    "CURLSSH_AUTH_ANY",
    "CURLSSH_AUTH_DEFAULT",
    "CURLVERSION_NOW",
    "CURL_MAX_READ_SIZE",
}

STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};\n", re.MULTILINE | re.DOTALL)
TYPEDEF = re.compile(r"^typedef [^{}]*?;\n", re.MULTILINE)


def functions(cdef: str) -> dict[str, str]:
    """{name: prototype}."""
    rest = TYPEDEF.sub("", STRUCT.sub("", cdef))
    return {name: c for c, name in re.findall(r"^(\w[^;]*?\b(curl_\w+)\([^;]*;)", rest, re.M)}


def missing_enums(ours: Ours, headers: Headers) -> str:
    """Our own enums, where a version does not have the type yet."""
    known = headers.identifiers()
    return "".join(c for name, c in ours.enums.items() if name not in known)


def missing_structs(ours: Ours, headers: Headers) -> str:
    known = headers.identifiers()
    return "".join(found[0] for found in STRUCT.finditer(ours.cdef) if found[1] not in known)


def redeclared(ours: Ours, headers: Headers, prototypes: str) -> str:
    typedefs = "".join(TYPEDEF.findall(ours.cdef))
    enums = missing_enums(ours, headers)
    return f"{REAL}{enums}{missing_structs(ours, headers)}{typedefs}{prototypes}"


def test_prototypes_and_callback_types_are_libcurls(headers: Headers, ours: Ours) -> None:
    drift = set() if headers.version == ours.version else CONST_DRIFT
    exact = [c for name, c in functions(ours.cdef).items() if name not in drift]
    assert headers.compile(redeclared(ours, headers, "\n".join(exact))) == ""


def test_prototypes_that_drifted_did_so_by_const_alone(headers: Headers, ours: Ours) -> None:
    drifted = "\n".join(c for name, c in functions(ours.cdef).items() if name in CONST_DRIFT)
    source = f"#define const\n{redeclared(ours, headers, drifted)}"
    assert headers.compile(source, "-w") == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("curl_multi_timeout(CURLM *m, long *", "curl_multi_timeout(CURLM *m, int *"),
        ("(*curl_closesocket_callback)(void *", "(*curl_closesocket_callback)(char *"),
        ("int curl_strequal(", "long curl_strequal("),
    ],
)
def test_a_wrong_declaration_is_noticed(
    all_headers: list[Headers], ours: Ours, right: str, wrong: str
) -> None:
    assert right in ours.cdef
    cdef = ours.cdef.replace(right, wrong)
    typedefs, prototypes = "".join(TYPEDEF.findall(cdef)), "\n".join(functions(cdef).values())
    assert "conflicting types" in all_headers[-1].compile(f"{REAL}{typedefs}{prototypes}")


def members(body: str) -> list[str]:
    """The names in a struct's body; those of a nested struct or union as "outer.inner"."""
    names: list[str] = []
    nested = re.compile(r"(?:struct|union) \{(.*?)\} (\w+);", re.DOTALL)
    for inner, name in nested.findall(body):
        names += [f"{name}.{member}" for member in members(inner)]
    flat = re.sub(r"\w+ : \d+;", "", nested.sub("", body))  # a bit field has no offset to ask for
    return names + re.findall(r"(\w+)(?:\[\d+\])?;", flat)


def test_structs_have_libcurls_members_sizes_and_offsets(headers: Headers, ours: Ours) -> None:
    # Ours get a name of their own; what they refer to are the real types.
    renamed = STRUCT.sub(r"struct our_\1 {\n\2};\n", ours.cdef)
    source = [REAL, missing_enums(ours, headers)]
    source += [found[0] for found in re.finditer(r"^struct our_.*?^\};$", renamed, re.M | re.S)]
    real = headers.text()
    compared = 0
    for name, body in STRUCT.findall(ours.cdef):
        theirs = re.search(rf"struct {name} \{{(.*?)\n\}};", real, re.DOTALL)
        if not theirs:
            continue  # newer than these headers
        compared += 1
        old, new = f"struct {name}", f"struct our_{name}"
        present = [m for m in members(body) if re.search(rf"\b{m.split('.')[-1]}\b", theirs[1])]
        grew = present != members(body)
        source.append(
            f"_Static_assert(sizeof({new}) {'>=' if grew else '=='} sizeof({old}), {q(name)});"
        )
        for member in present:
            where = q(f"{name}.{member}")
            pair = f"offsetof({new}, {member}) == offsetof({old}, {member})"
            source.append(f"_Static_assert({pair}, {where});")
            types = ", ".join(f"__typeof__((({s} *)0)->{member})" for s in (new, old))
            source.append(f"_Static_assert(__builtin_types_compatible_p({types}), {where});")
        if headers.version >= ours.version:
            assert not grew, name
    assert compared >= 16
    assert headers.compile("\n".join(source)) == ""


def q(text: str) -> str:
    return f'"{text}"'


def test_constants_have_libcurls_values(headers: Headers, ours: Ours) -> None:
    asserts = [
        f"_Static_assert(({name}) == {value}{'UL' if value > 0x7FFFFFFF else ''}, {q(name)});"
        for rows in ours.symbols.values()
        for name, (value, added, last) in rows.items()
        if as_tuple(added) <= headers.version
        and (last is None or headers.version <= as_tuple(last))
        and (name not in MOVING or headers.version == ours.version)
    ]
    assert len(asserts) > 950
    assert headers.compile(REAL + "\n".join(asserts)) == ""


def test_constants_are_not_older_than_the_table_says(headers: Headers, ours: Ours) -> None:
    known = headers.identifiers()
    early = {
        name
        for rows in ours.symbols.values()
        for name, (_value, added, _last) in rows.items()
        if as_tuple(added) > headers.version and name in known
    }
    assert early == set()


def real_functions(headers: Headers) -> set[str]:
    text = re.sub(r'"[^"\n]*"', "", headers.text())
    text = re.sub(r"CURL_DEPRECATED\([^)]*\)", "", text)
    names = set(re.findall(r"^CURL_EXTERN[^;]*?\b(curl_\w+)\s*\(", text, re.MULTILINE))
    return {name for name in names if not name.startswith("curl_form")}


def test_every_function_is_declared(all_headers: list[Headers], ours: Ours) -> None:
    declared = {name for name, _since in ours.prototypes}
    assert declared == set(functions(ours.cdef)), "build_ffi reads cdef.h otherwise than we do"
    for headers in all_headers:
        if headers.version <= ours.version:
            assert real_functions(headers) <= declared
    newest = all_headers[-1]
    assert declared <= real_functions(newest)
    assert len(declared) == 87


def test_since_says_which_versions_lack_a_function(headers: Headers, ours: Ours) -> None:
    expected = {
        name for name, since in ours.prototypes if not since or as_tuple(since) <= headers.version
    }
    assert expected == real_functions(headers) & {name for name, _since in ours.prototypes}
