"""nginx: HTTP/1.1, HTTP/2 with and without TLS, files, uploads and server push."""

from __future__ import annotations

import os
import re
import subprocess

from . import payload
from .daemon import Daemon, bracketed, free_port
from .tls import authority

_CONFIG = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
worker_rlimit_nofile 8192;
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    client_max_body_size 0;
    default_type application/octet-stream;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_client_certificate {ca};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_verify_client optional;
    root {root};
    add_header X-Connection "$connection $connection_requests" always;
    add_header X-Client "$ssl_client_s_dn" always;
    server {{
        listen {address}:{port};
        listen {address}:{tls_port} ssl http2;
        listen {address}:{h2c_port} http2;
        {push}
        location = /protocol {{ return 200 "$server_protocol"; }}
        location /upload/ {{ dav_methods PUT DELETE; create_full_put_path on; }}
    }}
}}
"""
_PUSH = "location = /push { http2_push /hello.txt; return 200 page; }"


class Nginx(Daemon):
    """nginx on three ports: `url` (HTTP/1.1), `tls_url` (HTTP/2 or 1.1), `h2c_url` (HTTP/2).

    Files: /hello.txt (`hello`), /page.txt (`page`), /bytes/1000 /bytes/100000 and /bytes/10000000
    (`payload(n)`); /protocol answers HTTP/1.1 or HTTP/2.0; PUT below /upload/ (files in
    `root / "upload"`); with HTTP/2, /push gives page.txt and pushes /hello.txt. The X-Connection
    header has the connection's number and its requests so far, X-Client the client certificate's
    name.
    """

    program = "nginx"
    package = "nginx"
    scheme = "http"

    @property
    def tls_url(self) -> str:
        """URL of the TLS port."""
        return f"https://{bracketed(self.host)}:{self.tls_port}"

    @property
    def h2c_url(self) -> str:
        """URL of the port that speaks HTTP/2 without TLS."""
        return f"http://{bracketed(self.host)}:{self.h2c_port}"

    @property
    def pushes(self) -> bool:
        """Whether it still has server push: up to 1.25.0."""
        version = subprocess.run([self.executable, "-v"], capture_output=True, check=True).stderr
        return tuple(map(int, re.findall(rb"\d+", version)[:3])) <= (1, 25, 0)

    def command(self) -> list[str]:
        """Write files and configuration."""
        self.root = self.folder / "root"
        (self.root / "bytes").mkdir(parents=True, exist_ok=True)
        (self.root / "upload").mkdir(exist_ok=True)
        (self.root / "hello.txt").write_text("hello")
        (self.root / "page.txt").write_text("page")
        for size in (1000, 100_000, 10_000_000):
            (self.root / "bytes" / str(size)).write_bytes(payload(size))
        ca = authority()
        self.tls_port = free_port(self.host)
        self.h2c_port = free_port(self.host)
        config = self.folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                user="user root;" if os.geteuid() == 0 else "",
                folder=self.folder,
                root=self.root,
                address=bracketed(self.host),
                port=self.port,
                tls_port=self.tls_port,
                h2c_port=self.h2c_port,
                cert=ca.server.cert,
                key=ca.server.key,
                ca=ca.cert,
                push=_PUSH,
            )
        )
        return ["-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(config)]
