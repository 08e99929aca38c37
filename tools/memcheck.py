"""Run tests under valgrind's memcheck: memcheck.py [arguments for pytest].

Invalid reads and writes, values that were never set, memory that is lost at the end: what it finds
counts where the extension module is on the stack, not behind the interpreter that it has called.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A part that calls every C function of ours and installs every callback, in this very process.
TESTS = """
    tests/unit/test_options.py
    tests/server/test_callbacks.py
    tests/server/test_sinks.py
    tests/server/test_multi.py
    tests/server/test_plan.py
    tests/server/test_share.py
    tests/server/test_mime.py
    tests/server/test_sockets.py
    tests/sockets/test_policy.py
    tests/sockets/test_rewrite.py
    tests/pycurl/test_short_ways.py
""".split()
# Leaks of libcurl's own: functions that follow each other on the stack.
KNOWN = [
    ("curl_slist_append", "?", "curl_easy_setopt"),  # 7.88: reset forgets COOKIEFILE before its use
]
# Those that measure time or memory, or only start other processes.
EXCEPT = "not nothing_is_burnt and not costs_no and not memory and not script"


def main(arguments: list[str]) -> int:
    """Run, read the report, tell."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        valgrind = ["valgrind", "--xml=yes", f"--xml-file={report}", "--num-callers=40"]
        valgrind += [
            "--leak-check=full",
            "--show-leak-kinds=definite",
            "--child-silent-after-fork=yes",
        ]
        python = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=0"]
        command = [*valgrind, *python, *(arguments or [*TESTS, "-k", EXCEPT])]
        # With an allocator of its own, CPython would hide what becomes of its memory.
        environment = {**os.environ, "PYTHONMALLOC": "malloc"}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
        found = Counter(ours(report))
    for text, count in found.items():
        print(f"\n{text}\n({count} times)")
    print(f"memcheck: {len(found)} kinds of errors with the extension on the stack")
    return 1 if found or done.returncode else 0


def ours(report: Path) -> list[str]:
    """The errors that have the extension module on the stack, as texts."""
    texts = []
    for error in ET.parse(report).getroot().iter("error"):
        stack = error.find("stack")
        frames = [] if stack is None else list(stack.iter("frame"))
        functions = [frame.findtext("fn", "?") for frame in frames]
        if any(follow(functions, known) for known in KNOWN):
            continue
        if is_ours(frame.findtext("obj", "") for frame in frames):
            what = error.findtext("what") or error.findtext("xwhat/text") or ""
            kind = error.findtext("kind", "")
            places = [
                f"{frame.findtext('fn', '?')} ({Path(frame.findtext('obj', '?')).name})"
                for frame in frames[:25]
            ]
            # How much was lost, in which record, is another matter each time.
            title = kind if kind.startswith("Leak") else f"{kind}: {what}"
            texts.append("\n  ".join([title, *places]))
    return texts


def follow(functions: list[str], known: tuple[str, ...]) -> bool:
    """Whether these functions follow each other on the stack."""
    count = len(known)
    return any(tuple(functions[i : i + count]) == known for i in range(len(functions)))


def is_ours(objects: Iterable[str]) -> bool:
    """Whether a stack, innermost first, is in the extension before it is in the interpreter."""
    for path in objects:
        name = Path(path).name
        if name.startswith("_native"):
            return True
        if name.startswith(("python", "libpython", "_cffi_backend")):
            return False
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
