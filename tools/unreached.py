"""List the functions and options of libcurl that the native face does not reach: unreached.py

It prints nothing when all is well. A function is reached if Python code calls it, or a C function that is
reached does; an option, if something sets it: those that take numbers, strings, lists and blobs need no code
of their own. libcurl.raw, which has everything, does not count. The options are the loaded libcurl's.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from libcurl import constants, multi
from libcurl.options import SPECIAL, every
from libcurl.special import SETTERS

SOURCE = Path(__file__).resolve().parent.parent / "src" / "libcurl"

# What the native face leaves to libcurl.raw, as regular expressions, and why.
EXCEPTIONS = {
    r"CURLM?OPT_\w+DATA": "a callback that is a closure has its data already",
    r"CURLOPT_CONV_\w+": "no libcurl since 7.82 calls them",
    r"curl_easy_perform": "perform() steps a private multi instead, to hear of Ctrl-C",
    r"curl_easy_header": "`headers` reads all of them, with curl_easy_nextheader",
    r"curl_multi_get_handles": "a Multi knows the handles in it",
    r"curl_multi_socket": "curl_multi_socket_action has taken its place",
    r"curl_pushheader_byname": "a pushfunction gets all headers, with curl_pushheader_bynum",
    r"curl_(un)?escape": "curl_easy_escape and curl_easy_unescape have taken their place",
    r"curl_getenv|curl_strn?equal": "Python has them",
    r"curl_global_cleanup": "handles may live to the very end of the process",
    r"curl_global_init_mem": "Python can hardly provide malloc",
    r"curl_global_sslset": "to be called before all else, where libcurl has several TLS libraries",
}


def functions() -> set[str]:
    """The functions of libcurl that nothing calls."""
    python = [path for path in SOURCE.glob("**/*.py") if "pycurl" not in path.parts]
    text = "".join(path.read_text() for path in python if path.name != "raw.py")
    reached = set(re.findall(r"\blib\.(\w+)", text))
    composed = tuple(re.findall(r'getattr\(lib, f"(\w+)\{', text))
    c = "".join(path.read_text() for path in (SOURCE / "_native").glob("*.c"))
    definitions = []  # each begins at the margin, with a word
    for chunk in re.split(r"\n(?=\w)", re.sub(r"/\*.*?\*/", "", c, flags=re.DOTALL)):
        name = re.search(r"(\w+)(?:\(|\[\] = )", chunk)
        definitions.append((name and name[1], set(re.findall(r"\w+", chunk))))
    while (
        new := {word for name, words in definitions if name in reached for word in words} - reached
    ):
        reached |= new
    header = (SOURCE / "_native" / "cdef.h").read_text()
    declared = set(re.findall(r"^(?!typedef)\w[^(\n]*\b(curl_\w+)\(", header, re.MULTILINE))
    return {name for name in declared - reached if not name.startswith(composed or "-")}


def options() -> set[str]:
    """The options of the loaded libcurl that nothing sets."""
    of_easy = {option.name.upper() for option in every() if option.kind == SPECIAL}
    of_multi = {
        f"CURLMOPT_{name}"
        for name, number in constants.members("MOpt").items()
        if number // 10_000 in (1, 2) and number not in multi._FUNCTIONS and name[-3:] != "_BL"
    }
    return {f"CURLOPT_{name}" for name in of_easy - {name.upper() for name in SETTERS}} | of_multi


if __name__ == "__main__":
    names = functions() | options()
    left = sorted(name for name in names if not re.fullmatch("|".join(EXCEPTIONS), name))
    print("\n".join(left), end="\n" if left else "")
    sys.exit(bool(left))
