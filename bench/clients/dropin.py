"""This library's drop-in for pycurl: the very script of pycurl."""

from __future__ import annotations

import libcurl.pycurl

libcurl.pycurl.install()

from .harness import main  # noqa: E402  what imports pycurl comes after install()
from .pycurl import JOBS  # noqa: E402

if __name__ == "__main__":
    main(JOBS)
