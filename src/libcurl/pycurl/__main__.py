"""Run a program with the drop-in for its pycurl.

python -m libcurl.pycurl script.py [arguments]
python -m libcurl.pycurl -m module [arguments]
"""

from __future__ import annotations

import os
import runpy
import sys

from libcurl.pycurl import install


def main() -> None:
    """As python itself would run it."""
    arguments = sys.argv[1:]
    if not arguments or arguments == ["-m"]:
        sys.exit(__doc__)
    install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
