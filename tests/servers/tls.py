"""A certificate authority and its certificates, made with the openssl command."""

from __future__ import annotations

import base64
import functools
import hashlib
import ipaddress
import pathlib
import ssl
import subprocess
from dataclasses import dataclass

from . import ServerError
from .daemon import clean_environment, find_program, scratch

HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Certificate:
    """PEM files: the certificate, its key, and both in one."""

    cert: pathlib.Path
    key: pathlib.Path
    both: pathlib.Path

    @property
    def pin(self) -> str:
        """The public key as CURLOPT_PINNEDPUBLICKEY wants it."""
        public = _openssl("pkey", "-in", str(self.key), "-pubout", "-outform", "DER")
        return "sha256//" + base64.b64encode(hashlib.sha256(public).digest()).decode()


class Authority:
    """A CA of our own: `cert` is its certificate (a PEM file), `server` and `client` are by it.

    `server` is for localhost, 127.0.0.1 and ::1.
    """

    def __init__(self) -> None:
        self.folder = scratch("ca")
        self.cert = self.folder / "ca.pem"
        self._key = self.folder / "ca.key"
        _new_key(self._key)
        settings = self.folder / "ca.cnf"
        settings.write_text(
            "[req]\ndistinguished_name = dn\nx509_extensions = ext\n[dn]\n"
            "[ext]\nbasicConstraints = critical, CA:TRUE\n"
            "keyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash\n"
        )
        _openssl(
            "req", "-x509", "-new", "-config", str(settings), "-key", str(self._key),
            "-subj", "/O=libcurl tests/CN=test authority", "-days", "2", "-out", str(self.cert),
        )  # fmt: skip
        self.server = self.issue("localhost", HOSTS)
        self.client = self.issue("client", client=True)

    def issue(
        self,
        name: str,
        hosts: tuple[str, ...] = (),
        *,
        client: bool = False,
        expired: bool = False,
    ) -> Certificate:
        """Issue a certificate for these names and addresses, or one for a client."""
        cert, key, both, request, settings = (
            self.folder / f"{name}{ending}"
            for ending in (".pem", ".key", ".both.pem", ".csr", ".cnf")
        )
        extensions = f"extendedKeyUsage = {'clientAuth' if client else 'serverAuth'}\n"
        if hosts:
            extensions += f"subjectAltName = {','.join(map(_alternative_name, hosts))}\n"
        settings.write_text(f"[req]\ndistinguished_name = dn\n[dn]\n[ext]\n{extensions}")
        _new_key(key)
        _openssl(
            "req", "-new", "-config", str(settings), "-key", str(key),
            "-subj", f"/O=libcurl tests/CN={name}", "-out", str(request),
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.cert), "-CAkey", str(self._key),
            "-CAcreateserial", "-days", "-1" if expired else "2",
            "-extfile", str(settings), "-extensions", "ext", "-out", str(cert),
        )  # fmt: skip
        both.write_bytes(cert.read_bytes() + key.read_bytes())
        return Certificate(cert, key, both)

    def server_context(
        self, certificate: Certificate | None = None, *, verify_client: bool = False
    ) -> ssl.SSLContext:
        """Return a context for `HTTPServer(tls=...)` and the like."""
        certificate = certificate or self.server
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(certificate.cert), str(certificate.key))  # str for PyPy
        context.set_alpn_protocols(["http/1.1"])
        if verify_client:
            context.load_verify_locations(str(self.cert))
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@functools.lru_cache(maxsize=1)
def authority() -> Authority:
    """Return this process's CA."""
    return Authority()


def _alternative_name(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return f"DNS:{host}"
    return f"IP:{host}"


def _new_key(path: pathlib.Path) -> None:
    curve = "ec_paramgen_curve:P-256"
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", str(path))


def _openssl(*arguments: str) -> bytes:
    done = subprocess.run(
        [find_program("openssl", "openssl"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=clean_environment(),
    )
    if done.returncode:
        raise ServerError(
            f"openssl {' '.join(arguments)} failed:\n{done.stderr.decode(errors='replace')}"
        )
    return done.stdout
