"""List every difference between libcurl.pycurl and the real pycurl: names, values, signatures.

    python tools/pycurl_differences.py /path/to/venv-with-pycurl/bin/python

Run by a Python that has the drop-in, on the libcurl that the real pycurl was compiled for. What only
the drop-in has is counted, and listed with --more. Exits with 1 where something is missing.
"""

from __future__ import annotations

import json
import subprocess
import sys

DESCRIBE = """
import inspect, json, sys, warnings
warnings.simplefilter("ignore")
def signature(thing):
    try:
        return str(inspect.signature(thing)) if callable(thing) else None
    except (TypeError, ValueError):
        return None
def describe(module):
    found = {}
    made = {"Curl": module.Curl(), "CurlMulti": module.CurlMulti(), "CurlShare": module.CurlShare()}
    for name in dir(module):
        if name.startswith("__") or name in ("_pycurl", "_names", "_absent"):
            continue
        value = getattr(module, name)
        plain = value if isinstance(value, (int, str)) else type(value).__name__
        owners = [k for k, o in made.items() if isinstance(value, int) and hasattr(o, name)]
        found[name] = [plain, owners]
        if isinstance(value, type) and value is not module.error:
            for method in dir(value):
                if not method.startswith("_"):
                    found[name + "." + method] = [signature(getattr(value, method)), []]
    return found
"""


def describe(python: str, imported: str) -> dict[str, list[object]]:
    """What this Python's pycurl has."""
    code = f"{DESCRIBE}\n{imported}\nprint(json.dumps(describe(pycurl)))"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


def main() -> int:
    """Compare."""
    real = describe(sys.argv[1], "import pycurl")
    ours = describe(sys.executable, "from libcurl import pycurl")
    builds = ("COMPILE_PY_VERSION_HEX",)  # of the Python, not of pycurl
    missing = sorted(real.keys() - ours.keys())
    differ = [n for n in real if n in ours and real[n] != ours[n] and n not in builds]
    # The real one's functions are C's and have no signatures, nor types where ours are Python's.
    differ = [
        n for n in differ if real[n][0] is not None and not str(real[n][0]).startswith("builtin")
    ]
    for name in missing:
        print(f"missing: {name}")
    for name in differ:
        print(f"differs: {name}: {real[name]} there, {ours[name]} here")
    more = sorted(ours.keys() - real.keys())
    print(
        f"{len(real)} names there, {len(missing)} missing, {len(differ)} differ, {len(more)} more here"
    )
    if "--more" in sys.argv:
        print(*more, sep="\n")
    return 1 if missing or differ else 0


if __name__ == "__main__":
    raise SystemExit(main())
