"""vsftpd: anonymous FTP, passive and active, with uploads; the same with TLS."""

from __future__ import annotations

import os
import pwd

from . import NeedsRoot, payload
from .daemon import Daemon, answers
from .tls import authority

_USER = "daemon"  # exists everywhere and has, unlike nobody, a home folder, on which vsftpd insists


class FTPServer(Daemon):
    """vsftpd for `anonymous`, every password will do (or only those in `passwords`).

    Files: hello.txt (`hello`), bytes-100000 (`payload(100000)`), many/file-0.txt to file-4.txt
    (`file N`). Uploads, renaming, deleting and mkdir work below upload/ (`root / "upload"`).
    `log()` shows every command that came. `tls` may be "explicit" or "implicit"; then plain logins
    are refused. Other keywords are lines of vsftpd.conf: `FTPServer(pasv_address="192.0.2.1")`.
    """

    program = "vsftpd"
    package = "vsftpd"

    def __init__(
        self,
        host: str = "127.0.0.1",
        *,
        tls: str = "",
        passwords: tuple[str, ...] = (),
        **settings: str,
    ) -> None:
        if os.geteuid() != 0:
            raise NeedsRoot("vsftpd can only be started by root")
        self.tls = tls
        self.scheme = "ftps" if tls == "implicit" else "ftp"
        self._passwords = passwords
        self._settings = settings
        super().__init__(host)

    def command(self) -> list[str]:
        """Write files and configuration."""
        self.root = self.folder / "root"
        upload = self.root / "upload"
        many = self.root / "many"
        for path in (upload, many, self.folder / "empty"):
            path.mkdir(parents=True, exist_ok=True)
        (self.root / "hello.txt").write_text("hello")
        (self.root / "bytes-100000").write_bytes(payload(100_000))
        for index in range(5):
            (many / f"file-{index}.txt").write_text(f"file {index}")
        user = pwd.getpwnam(_USER)
        os.chown(upload, user.pw_uid, user.pw_gid)
        v6 = ":" in self.host
        settings = {
            "background": "NO",
            "listen": "NO" if v6 else "YES",
            "listen_ipv6": "YES" if v6 else "NO",
            "listen_address6" if v6 else "listen_address": self.host,
            "listen_port": str(self.port),
            "anonymous_enable": "YES",
            "local_enable": "NO",
            "ftp_username": _USER,
            "nopriv_user": "nobody",
            "anon_root": str(self.root),
            "anon_umask": "022",
            "write_enable": "YES",
            "anon_upload_enable": "YES",
            "anon_mkdir_write_enable": "YES",
            "anon_other_write_enable": "YES",
            "secure_chroot_dir": str(self.folder / "empty"),
            "max_login_fails": "10",
            "delay_failed_login": "0",
            "seccomp_sandbox": "NO",
            "isolate": "NO",
            "isolate_network": "NO",
            "tcp_wrappers": "NO",
            "use_localtime": "NO",
            "xferlog_enable": "YES",
            "log_ftp_protocol": "YES",
            "vsftpd_log_file": str(self.folder / "vsftpd.log"),
        }
        if self._passwords:
            listed = self.folder / "passwords"
            listed.write_text("".join(f"{password}\n" for password in self._passwords))
            settings["secure_email_list_enable"] = "YES"
            settings["email_password_file"] = str(listed)
        if self.tls:
            certificate = authority().server
            settings |= {
                "ssl_enable": "YES",
                "implicit_ssl": "YES" if self.tls == "implicit" else "NO",
                "allow_anon_ssl": "YES",
                "force_anon_logins_ssl": "YES",
                "force_anon_data_ssl": "NO",
                "require_ssl_reuse": "NO",
                "ssl_ciphers": "HIGH",
                "rsa_cert_file": str(certificate.cert),
                "rsa_private_key_file": str(certificate.key),
            }
        settings |= self._settings
        config = self.folder / "vsftpd.conf"
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return [str(config)]

    def probe(self) -> bool:
        """Wait for the greeting: vsftpd may listen and fail then."""
        return answers(self.host, self.port, b"" if self.tls == "implicit" else b"220")
