"""sshd for SFTP and SCP, with keys of its own, for the user who runs the tests."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pathlib
import pwd
import subprocess

from . import ServerError, payload
from .daemon import Daemon, answers, bracketed, clean_environment, find_program

_PRIVILEGE_SEPARATION = pathlib.Path("/run/sshd")


class SSHServer(Daemon):
    """sshd: log in as `user` with the files `private_key` and `public_key`.

    `known_hosts` is a file with the host's key. Paths in URLs are absolute: `file_url("hello.txt")`
    and `file_url("hello.txt", "scp")` point into `root`, which holds hello.txt (`hello`) and
    bytes-100000 (`payload(100000)`) and can be written.
    """

    program = "sshd"
    package = "openssh-server"
    scheme = "sftp"

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self._made_folder = False
        super().__init__(host)

    def file_url(self, name: str, scheme: str = "sftp") -> str:
        """Return the URL of a file below `root`."""
        return f"{scheme}://{bracketed(self.host)}:{self.port}{self.root}/{name}"

    @property
    def host_key_md5(self) -> str:
        """The host key's MD5, as CURLOPT_SSH_HOST_PUBLIC_KEY_MD5 wants it."""
        return hashlib.md5(self._host_key_blob()).hexdigest()

    @property
    def host_key_sha256(self) -> str:
        """The host key's SHA-256, as CURLOPT_SSH_HOST_PUBLIC_KEY_SHA256 wants it."""
        return base64.b64encode(hashlib.sha256(self._host_key_blob()).digest()).decode().rstrip("=")

    def command(self) -> list[str]:
        """Make keys, write files and configuration."""
        self.root = self.folder / "root"
        self.root.mkdir(exist_ok=True)
        (self.root / "hello.txt").write_text("hello")
        (self.root / "bytes-100000").write_bytes(payload(100_000))
        self.private_key = self.folder / "user_key"
        self.public_key = self.folder / "user_key.pub"
        self.known_hosts = self.folder / "known_hosts"
        host_key = self.folder / "host_key"
        self._host_public = self.folder / "host_key.pub"
        if not host_key.exists():
            _make_key(host_key)
            _make_key(self.private_key)
        kind, blob = self._host_public.read_text().split()[:2]
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {kind} {blob}\n")
        if os.geteuid() == 0 and not _PRIVILEGE_SEPARATION.exists():
            _PRIVILEGE_SEPARATION.mkdir(
                mode=0o755
            )  # sshd insists; its init script makes it otherwise
            self._made_folder = True
        config = self.folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\n"
            f"ListenAddress {self.host}\n"
            f"HostKey {host_key}\n"
            f"AuthorizedKeysFile {self.public_key}\n"
            "PidFile none\n"
            "AuthenticationMethods publickey\n"
            "PasswordAuthentication no\n"
            "PermitRootLogin yes\n"
            "UsePAM no\n"
            "StrictModes no\n"
            "UseDNS no\n"
            "MaxStartups 1000\n"
            "MaxSessions 1000\n"
            "Subsystem sftp internal-sftp\n"
        )
        options = ["-e", "-f", str(config)]
        lenient = [
            "-o",
            "PerSourcePenalties=no",
        ]  # OpenSSH 9.8 would shut out a host that fails to log in
        known = subprocess.run(
            [self.executable, "-t", *options, *lenient],
            capture_output=True,
            env=clean_environment(),
        )
        return ["-D", *options, *(lenient if known.returncode == 0 else [])]

    def probe(self) -> bool:
        """Wait for the banner."""
        return answers(self.host, self.port, b"SSH-2.0")

    def stop(self) -> None:
        """Stop the server and remove what it needed."""
        super().stop()
        if self._made_folder:
            with contextlib.suppress(OSError):
                _PRIVILEGE_SEPARATION.rmdir()

    def _host_key_blob(self) -> bytes:
        return base64.b64decode(self._host_public.read_text().split()[1])


def _make_key(path: pathlib.Path) -> None:
    # ECDSA in PEM: what every version of libssh2 and libssh can read.
    program = find_program("ssh-keygen", "openssh-client")
    done = subprocess.run(
        [
            program,
            "-q",
            "-t",
            "ecdsa",
            "-b",
            "256",
            "-m",
            "PEM",
            "-N",
            "",
            "-C",
            "",
            "-f",
            str(path),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=clean_environment(),
    )
    if done.returncode:
        raise ServerError(f"ssh-keygen failed:\n{done.stdout.decode(errors='replace')}")
