"""A network namespace in which every address is local: the internet, for tests."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from types import TracebackType
from typing import Any

from servers import NeedsRoot
from servers.daemon import find_program

_CLONE_NEWNET = 0x40000000
_ROUTES = ("-4 route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo")
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """`with namespace:` moves this thread into it, and those that are started meanwhile.

    Sockets stay where they were made. `path` is what libcurl.sockets.in_netns takes.
    """

    def __init__(self, *commands: str) -> None:
        """Make one, with loopback up and every address on it; `commands` are for ip(8)."""
        if os.geteuid() != 0:
            raise NeedsRoot("a network namespace can only be made by root")
        self._ip = find_program("ip", "iproute2")
        self._fd = -1
        self._back: list[int] = []
        self._error: BaseException | None = None
        maker = threading.Thread(target=self._make, args=(commands or _ROUTES,))
        maker.start()
        maker.join()
        if self._error is not None:
            raise self._error

    def _make(self, commands: tuple[str, ...]) -> None:
        try:
            if _libc.unshare(_CLONE_NEWNET):
                raise NeedsRoot(f"no network namespaces: {os.strerror(ctypes.get_errno())}")
            self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            for command in ("link set lo up", *commands):
                subprocess.run([self._ip, *command.split()], check=True, capture_output=True)
        except BaseException as error:
            self._error = error

    @property
    def path(self) -> str:
        """A path by which it can be entered."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def __enter__(self) -> Namespace:
        self._back.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        self._enter(self._fd)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        back = self._back.pop()
        self._enter(back)
        os.close(back)

    def _enter(self, fd: int) -> None:
        if _libc.setns(fd, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


def forget_proxies(monkeypatch: Any) -> None:
    """Make the environment one without proxies."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
