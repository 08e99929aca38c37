"""The real servers that the tests talk to: one small module each, all on loopback.

Every server is a context manager with `host`, `port`, `url` (without a slash at its end) and
`stop()`, and is ready when its constructor returns. Nothing here imports the package under test.
"""

from __future__ import annotations

import functools
import random


class ServerError(Exception):
    """A server did not start; the message holds its log."""


class MissingServer(ServerError):
    """A server program or module is not installed; the message names its package."""


class NeedsRoot(ServerError):
    """This server can only be started by root."""


@functools.lru_cache(maxsize=1)
def _block() -> bytes:
    # A prime size: data that moved by any power of two is not equal to itself.
    return random.Random(1).randbytes(65521)


def payload(size: int, start: int = 0) -> bytes:
    """Return `size` bytes of the endless stream that servers send, beginning at offset `start`."""
    block = _block()
    offset = start % len(block)
    return (block * ((offset + size) // len(block) + 1))[offset : offset + size]
