"""Run server programs so that nothing of them outlives the process that started them."""

from __future__ import annotations

import atexit
import functools
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
from typing import Any

from . import MissingServer, ServerError

# A shell leads the process group and reads from a pipe whose writing end only this process has.
# When that is closed, which the kernel does however this process ends, the shell kills the group.
# PR_SET_PDEATHSIG would be shorter, but it is tied to the thread that forked, and lost when a
# daemon changes its user.
_GUARD = '{ "$@" </dev/null; kill -9 0; } & read -r _; kill -9 0'
_JANITOR = 'read -r _; sleep 0.2; rm -rf "$1"'


class Guarded:
    """A program in a process group of its own that dies with this process."""

    def __init__(self, command: list[str], log: pathlib.Path, cwd: pathlib.Path) -> None:
        with log.open("ab") as output:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=clean_environment(),
                start_new_session=True,
            )

    def ended(self) -> bool:
        """Tell whether the program has ended."""
        return self._shell.poll() is not None

    def stop(self) -> None:
        """Kill the program and all its children that stayed in its group."""
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait(10)


class Daemon:
    """A server program from a package, on a generated configuration, in the foreground.

    Subclasses say how to start it (`command`) and how to see that it answers (`probe`).
    """

    program = ""  # the name of the executable
    package = ""  # the apt package it is in
    scheme = ""
    timeout = 10.0

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.folder = scratch(os.path.basename(self.program))
        self.executable = find_program(self.program, self.package)
        self._log = self.folder / "output.log"
        self._process: Guarded | None = None
        for _ in range(3):  # somebody else may take the free port
            self.port = free_port(host)
            if self._started():
                return
        log = self.log()
        self.stop()
        raise ServerError(f"{self.program} did not start on port {self.port}; its log:\n{log}")

    @property
    def url(self) -> str:
        """The server's URL, without a slash at its end."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"

    def command(self) -> list[str]:
        """Write the configuration for `self.port` into `self.folder`; return the command line."""
        raise NotImplementedError

    def probe(self) -> bool:
        """Tell whether the server answers; OSError means not yet."""
        return answers(self.host, self.port)

    def log(self) -> str:
        """Return what the server wrote: its output and every *.log file in its folder."""
        parts = []
        for path in sorted(self.folder.glob("*.log")):
            text = path.read_text(errors="replace")
            if text:
                parts.append(f"--- {path.name}\n{text}")
        return "".join(parts)

    def stop(self) -> None:
        """Stop the server and remove its files."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _started(self) -> bool:
        process = Guarded([self.executable, *self.command()], self._log, self.folder)
        deadline = time.monotonic() + self.timeout
        while not process.ended() and time.monotonic() < deadline:
            try:
                if self.probe():
                    self._process = process
                    return True
            except OSError:
                pass
            time.sleep(0.01)
        process.stop()
        return False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def find_program(program: str, package: str) -> str:
    """Return the path of an executable, or raise MissingServer naming the package to install."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(program, path=path)
    if found is None:
        raise MissingServer(f"{program} is not installed: apt-get install {package}")
    return found


def clean_environment() -> dict[str, str]:
    """Return the environment without what is meant for the libcurl under test."""
    ours = ("LD_", "PYTHON", "CURL_", "SSL_CERT", "ASAN_", "UBSAN_")
    proxies = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours) and name.lower() not in proxies
    }


class _Scratch:
    """The folder of all folders, and the shell that removes it should this process be killed."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.root = tempfile.mkdtemp(prefix="libcurl-tests-")
        os.chmod(self.root, 0o755)  # servers that drop their privileges must get in
        self._janitor = subprocess.Popen(
            ["/bin/sh", "-c", _JANITOR, "janitor", self.root],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        atexit.register(self._remove)

    def _remove(self) -> None:
        if os.getpid() == self.pid:
            shutil.rmtree(self.root, ignore_errors=True)
            self._janitor.kill()
            self._janitor.communicate()


_scratch_of_process = functools.lru_cache(maxsize=None)(lambda pid: _Scratch())


def scratch(name: str) -> pathlib.Path:
    """Make a folder that is removed when this process ends, even if it is killed."""
    folder = tempfile.mkdtemp(prefix=name + "-", dir=_scratch_of_process(os.getpid()).root)
    os.chmod(folder, 0o755)
    return pathlib.Path(folder)


def free_port(host: str = "127.0.0.1", kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port number that nobody used a moment ago."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
    return port


def answers(host: str, port: int, banner: bytes = b"") -> bool:
    """Tell whether a server accepts a connection there and greets with `banner`."""
    with socket.create_connection((host, port), timeout=5) as sock:
        return not banner or sock.recv(256).startswith(banner)


def bracketed(host: str) -> str:
    """Return a host as it is written in a URL."""
    return f"[{host}]" if ":" in host else host
