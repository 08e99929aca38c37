"""A fixture for pytest, which finds it by itself where this package is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from libcurl.sockets.log import SocketLog


@pytest.fixture
def socket_log() -> Iterator[SocketLog]:
    """A SocketLog, for `sockets=`: the test fails where one was left open or closed twice."""
    with SocketLog() as log:
        yield log
