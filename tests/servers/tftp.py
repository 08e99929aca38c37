"""tftpd-hpa on a loopback port."""

from __future__ import annotations

import os
import socket

from . import NeedsRoot, payload
from .daemon import Daemon


class TFTPServer(Daemon):
    """in.tftpd: /hello.txt (`hello`), /bytes-100000 (`payload(100000)`); uploads land in `root`."""

    program = "in.tftpd"
    package = "tftpd-hpa"
    scheme = "tftp"

    def __init__(self, host: str = "127.0.0.1") -> None:
        if os.geteuid() != 0:
            raise NeedsRoot("in.tftpd can only be started by root")
        super().__init__(host)

    def command(self) -> list[str]:
        """Write the files."""
        self.root = self.folder / "root"
        self.root.mkdir(exist_ok=True)
        (self.root / "hello.txt").write_text("hello")
        (self.root / "bytes-100000").write_bytes(payload(100_000))
        address = f"[{self.host}]" if ":" in self.host else self.host
        return [
            "--foreground", "--listen", "--user", "root", "--create", "--permissive", "--secure",
            "--address", f"{address}:{self.port}", str(self.root),
        ]  # fmt: skip

    def probe(self) -> bool:
        """Ask for a file that is not there; the refusal comes from another port."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.05)
            sock.sendto(b"\0\1no such file\0octet\0", (self.host, self.port))
            return sock.recv(600).startswith(b"\0\5")
