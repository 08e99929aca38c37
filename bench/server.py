"""nginx on 127.0.0.1, as the tests run it, with what the jobs ask for."""

from __future__ import annotations

import os
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

from servers.daemon import Daemon, free_port
from servers.tls import authority

_CONFIG = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 24000; }}
worker_rlimit_nofile {files};
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 1m;
    client_max_body_size 0;
    keepalive_requests 100000000;
    keepalive_timeout 300;
    send_timeout 300;
    sendfile on;
    default_type application/octet-stream;
    root {root};
    server {{
        listen 127.0.0.1:{port} backlog=16384;
        listen 127.0.0.1:{h2_port} ssl http2;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        http2_max_concurrent_streams 128;
        location /upload/ {{ dav_methods PUT; create_full_put_path on; }}
        {headers}
    }}
}}
"""
#: How many headers nginx sends by itself for a file.
OWN_HEADERS = 8
HEADERS = (0, 10, 25, 42, 50, 100)


class Server(Daemon):
    """Files of any size at /bytes/N, with more headers at /headers/N, uploads below /upload/."""

    program = "nginx"
    package = "nginx"
    scheme = "http"
    timeout = 30.0

    def command(self) -> list[str]:
        """Write the configuration."""
        self.root = self.folder / "root"
        (self.root / "bytes").mkdir(parents=True, exist_ok=True)
        (self.root / "upload").mkdir(exist_ok=True)
        self.h2_port = free_port()
        config = self.folder / "nginx.conf"
        headers = [
            f"location = /headers/{number} {{ alias {self.root}/bytes/100; "
            + "".join(f'add_header X-Header-{n} "the value of header {n}"; ' for n in range(number))
            + "}"
            for number in HEADERS
        ]
        config.write_text(
            _CONFIG.format(
                user="user root;" if os.geteuid() == 0 else "",
                folder=self.folder,
                root=self.root,
                port=self.port,
                h2_port=self.h2_port,
                cert=authority().server.cert,
                key=authority().server.key,
                files=min(50_000, os.sysconf("SC_OPEN_MAX")),
                headers="\n".join(headers),
            )
        )
        self.file(100)
        return ["-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(config)]

    @property
    def h2_url(self) -> str:
        """URL of the port that speaks HTTP/2, over TLS: libcurl 7.88 cannot do it well without."""
        return f"https://127.0.0.1:{self.h2_port}"

    def file(self, size: int) -> str:
        """The path of a file of so many bytes, which is made where it is not there."""
        path = self.root / "bytes" / str(size)
        if not path.exists():
            with path.open("wb") as file:
                block = b"x" * min(size, 1_000_000)
                for _ in range(size // len(block) if block else 0):
                    file.write(block)
                file.write(b"x" * (size - file.tell()))
        return f"/bytes/{size}"
