"""Which descriptors this process has open."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

from libcurl import Easy


def settle() -> None:
    """Have what is kept from one handle for the next, a multi with its two sockets: it is no leak."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                connection.recv(1)  # the handle closes first

        thread = threading.Thread(target=answer)
        thread.start()
        with Easy(url=f"http://127.0.0.1:{server.getsockname()[1]}/", proxy="") as easy:
            easy.perform()
        thread.join()


def described_fds() -> dict[int, str]:
    """Return the open descriptors with what they are, such as `socket:[12345]`."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own descriptor is gone by now
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def open_fds() -> set[int]:
    """Return the numbers of the open descriptors."""
    return set(described_fds())


@contextlib.contextmanager
def no_fd_leak(timeout: float = 2) -> Iterator[None]:
    """Assert that the block leaves no new descriptor open.

    It waits a little for that: the servers in this process close their ends after the client.
    """
    settle()
    before = described_fds()
    yield
    deadline = time.monotonic() + timeout
    while len(now := described_fds()) > len(before):  # what is kept may be another one than before
        new = dict(now.items() - before.items())
        assert time.monotonic() < deadline, f"descriptors left open: {new}"
        time.sleep(0.005)
