"""The table of docs/sockets-ready-made.md, line by line."""

from __future__ import annotations

import os
import pathlib
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import libcurl
from sockets.conftest import Internet

if TYPE_CHECKING:
    from servers.dns import DNSServer
    from servers.ftp import FTPServer
    from servers.http import HTTPServer
    from servers.nginx import Nginx
    from servers.proxy import HTTPProxy, SocksProxy
    from servers.ssh import SSHServer
    from servers.tftp import TFTPServer
    from servers.tls import Authority

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "sockets-ready-made.md"
VERSION = libcurl.version_info()
TELLS = VERSION.version_num >= 0x075000

#: The tests, by the first cell of their lines.
LINES: dict[str, Callable[..., None]] = {}


def line(cell: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """This test is about that line of the table."""

    def note(test: Callable[..., None]) -> Callable[..., None]:
        LINES[cell] = test
        return test

    return note


class Calls:
    """Hand-written callbacks that note how they were called."""

    def __init__(self, refuse: bool = False) -> None:
        self.addresses: list[libcurl.Address] = []
        self.opened: list[int] = []
        self.tuned: list[tuple[int, int]] = []
        self.closed: list[int] = []
        self.requests: list[tuple[str, int]] = []
        self._refuse = refuse

    def _open(self, purpose: int, address: libcurl.Address) -> int:
        assert purpose == libcurl.SockType.IPCXN
        self.addresses.append(address)
        if self._refuse:
            return libcurl.SOCKET_BAD
        sock = socket.socket(address.family, address.socktype, address.protocol)
        self.opened.append(sock.fileno())
        return sock.detach()

    def _close(self, fd: int) -> None:
        self.closed.append(fd)
        os.close(fd)

    @property
    def options(self) -> dict[str, Any]:
        """The callbacks, as options."""
        options: dict[str, Any] = {
            "opensocketfunction": self._open,
            "sockoptfunction": lambda fd, purpose: self.tuned.append((fd, purpose)),
            "closesocketfunction": self._close,
            "proxy": "",
            "timeout_ms": 8000,
        }
        if TELLS:
            options["prereqfunction"] = lambda ip, local_ip, port, local_port: self.requests.append(
                (ip, port)
            )
        return options

    def easy(self, url: str, **options: Any) -> libcurl.Easy:
        """A handle with them."""
        return libcurl.Easy(**{**self.options, "url": url, **options})

    def check(self, opened: int = 1) -> None:
        """Assert that so many sockets were opened, tuned and closed."""
        assert len(self.opened) == opened
        assert sorted(fd for fd, _ in self.tuned) == sorted(self.opened) == sorted(self.closed)


PROTOCOLS = "http ftp smtp imap pop3 ldap scp sftp dict gopher telnet mqtt rtsp ws smb rtmp".split()


@line("TCP")
@pytest.mark.parametrize("scheme", PROTOCOLS)
def test_tcp(scheme: str) -> None:
    if scheme not in VERSION.protocols:
        pytest.skip(f"this libcurl has no {scheme}")
    calls = Calls(refuse=True)
    path = "" if scheme == "ldap" else "a/b"
    with calls.easy(f"{scheme}://127.0.0.1:9/{path}", userpwd="user:password") as easy:
        with pytest.raises(libcurl.CouldntConnect):
            easy.perform()
    assert [address.addr for address in calls.addresses] == [("127.0.0.1", 9)]


def test_tcp_is_tuned_and_closed(
    http: HTTPServer, https: HTTPServer, ca: Authority, sshd: SSHServer
) -> None:
    for url in (http.url, https.url):
        calls = Calls()
        with calls.easy(url, cainfo=ca.cert) as easy:
            easy.perform()
        calls.check()


@line("each address tried")
def test_each_address(http: HTTPServer) -> None:
    calls = Calls()
    names = [f"two.test:{http.port}:[::1],127.0.0.1"]
    with calls.easy(f"http://two.test:{http.port}/", resolve=names) as easy:
        easy.perform()
    calls.check(opened=2)
    assert {address.host for address in calls.addresses} == {"::1", "127.0.0.1"}


@line("after a redirect")
def test_redirects(http: HTTPServer, http6: HTTPServer) -> None:
    calls = Calls()
    target = http6.url.replace(":", "%3a")
    with calls.easy(f"{http.url}/redirect-to?url={target}", followlocation=True) as easy:
        easy.perform()
        easy.perform()
    calls.check(opened=2)


@line("reused")
def test_reused(http: HTTPServer) -> None:
    calls = Calls()
    with calls.easy(http.url) as easy:
        easy.perform()
        easy.perform()
    calls.check()
    if TELLS:
        assert calls.requests == [("127.0.0.1", http.port)] * 2


@line("HTTP/2")
def test_http2(nginx: Nginx, ca: Authority) -> None:
    if "HTTP2" not in VERSION.features:
        pytest.skip("this libcurl has no HTTP/2")
    calls = Calls()
    pushed = []

    def push(parent: Any, easy: libcurl.Easy, headers: Any) -> int:
        pushed.append(easy)
        return libcurl.CURL_PUSH_OK

    with libcurl.Multi(pushfunction=push) as multi:
        # The oldest libcurl waits for ever where nginx pushes.
        for path in ("/protocol", "/push" if TELLS else "/protocol", "/protocol"):
            multi.add(calls.easy(nginx.tls_url + path, cainfo=ca.cert, pipewait=True))
        for easy, error in multi.run():
            assert error is None
            easy.close()
    calls.check()


@line("HTTP/3")
def test_http3() -> None:
    if "HTTP3" not in VERSION.features:
        pytest.skip("this libcurl has no HTTP/3")
    calls = Calls()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with calls.easy(url, http_version=31, timeout_ms=300) as easy:
            with pytest.raises(libcurl.Error):
                easy.perform()
    calls.check()
    assert calls.addresses[0].socktype == socket.SOCK_DGRAM


@line("TFTP")
def test_tftp(tftp: TFTPServer) -> None:
    calls = Calls()
    with calls.easy(f"{tftp.url}/hello.txt") as easy:
        assert easy.fetch() == b"hello"
    calls.check()
    assert calls.addresses[0].socktype == socket.SOCK_DGRAM


@line("Unix socket")
def test_unix(http_unix: HTTPServer) -> None:
    calls = Calls()
    with calls.easy("http://localhost/", unix_socket_path=http_unix.unix_path) as easy:
        assert easy.fetch() == b"hello"
    calls.check()
    assert calls.addresses[0].family == socket.AF_UNIX
    assert calls.addresses[0].addr == http_unix.unix_path


@line("Alt-Svc")
def test_alt_svc(https: HTTPServer, ca: Authority, tmp_path: pathlib.Path) -> None:
    if "ALTSVC" not in VERSION.features:
        pytest.skip("this libcurl has no Alt-Svc")
    cache = tmp_path / "altsvc"
    cache.write_text(f'h1 localhost 1 h1 127.0.0.1 {https.port} "20401231 23:59:59" 0 0\n')
    calls = Calls()
    options = {"altsvc": cache, "altsvc_ctrl": libcurl.CURLALTSVC_H1, "cainfo": ca.cert}
    with calls.easy("https://localhost:1/", **options) as easy:
        assert easy.fetch() == b"hello"
    calls.check()
    assert calls.addresses[0].port == https.port


@line("through an HTTP proxy")
def test_http_proxy(http: HTTPServer, https: HTTPServer, proxy: HTTPProxy, ca: Authority) -> None:
    for url in (http.url, https.url):
        calls = Calls()
        with calls.easy(url, proxy=proxy.url, cainfo=ca.cert) as easy:
            assert easy.fetch() == b"hello"
        calls.check()
        assert calls.addresses[0].port == proxy.port


@line("through a SOCKS proxy")
def test_socks(http: HTTPServer, socks: SocksProxy) -> None:
    calls = Calls()
    with calls.easy(http.url, proxy=socks.url) as easy:
        assert easy.fetch() == b"hello"
    calls.check()
    assert calls.addresses[0].port == socks.port
    if TELLS:
        assert calls.requests == [("127.0.0.1", socks.port)]


@line("RTMP")
def test_rtmp() -> None:
    if "rtmp" not in VERSION.protocols:
        pytest.skip("this libcurl has no RTMP")

    def hang_up() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1537, socket.MSG_WAITALL)

    class Closer(Calls):
        def _close(self, fd: int) -> None:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(fd)
            self.closed.append(fd)

    calls = Closer()
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(hang_up)
        with calls.easy(f"rtmp://127.0.0.1:{server.getsockname()[1]}/a/b") as easy:
            with pytest.raises(libcurl.Error):
                easy.perform()
    calls.check()


@line("FTP, passive")
def test_ftp_passive(ftp: FTPServer) -> None:
    calls = Calls()
    with calls.easy(f"{ftp.url}/hello.txt") as easy:
        assert easy.fetch() == b"hello"
    calls.check(opened=2)


def active(ftp: FTPServer) -> Calls:
    calls = Calls()
    with calls.easy(f"{ftp.url}/hello.txt", ftpport="-") as easy:
        assert easy.fetch() == b"hello"
    return calls


@line("FTP, active: listening")
def test_ftp_active(ftp: FTPServer) -> None:
    calls = active(ftp)
    assert [address.port for address in calls.addresses] == [ftp.port, 0]
    assert sorted(calls.closed) == sorted(calls.opened)
    tuned = [fd for fd, purpose in calls.tuned if purpose == libcurl.SockType.IPCXN]
    assert tuned == calls.opened[:1]


@line("FTP, active: accepted")
def test_ftp_accepted(ftp: FTPServer) -> None:
    calls = active(ftp)
    accepted = [fd for fd, purpose in calls.tuned if purpose == libcurl.SockType.ACCEPT]
    assert len(accepted) == 1
    assert len(calls.opened) == len(calls.closed) == 2


@line("`connect_only`")
def test_connect_only(http: HTTPServer) -> None:
    calls = Calls()
    with calls.easy(http.url, connect_only=True) as easy:
        easy.perform()
    calls.check()


@line("DNS over HTTPS")
def test_doh(http: HTTPServer, https: HTTPServer, dns: DNSServer, ca: Authority) -> None:
    dns.zone["web.test"] = "127.0.0.1"
    calls = Calls()
    url = f"http://web.test:{http.port}/"
    with calls.easy(url, doh_url=dns.serve_doh(https), cainfo=ca.cert) as easy:
        assert easy.fetch() == b"hello"
    assert dns.queries
    calls.check()
    assert calls.addresses[0].port == http.port


@line("name resolution")
def test_name_resolution(http: HTTPServer) -> None:
    calls = Calls()
    with calls.easy(f"http://localhost:{http.port}/", ipresolve=1) as easy:
        assert easy.fetch() == b"hello"
    calls.check()


@line("wakeup and timers")
def test_wakeup(http: HTTPServer, open_fds: Callable[[], set[int]]) -> None:
    calls = Calls()
    with libcurl.Multi() as multi:
        before = open_fds()
        multi.add(calls.easy(http.url))
        multi.fileno()
        assert [error for _, error in multi.run()] == [None]
        assert len(open_fds() - before) > len(calls.opened)
    calls.check()


@line("`file:`")
def test_file(http: HTTPServer) -> None:
    calls = Calls()
    with calls.easy(http.url) as easy:
        easy.perform()
        easy.set(url=f"file://{__file__}")
        easy.perform()
    calls.check()
    if TELLS:
        assert len(calls.requests) == 2


# The table


def test_every_line_has_a_test() -> None:
    table = DOCUMENT.read_text().partition("## Which connections")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (yes|no) \| (yes|no) \| (yes|no) \|", table, re.MULTILINE)
    assert [cell for cell, *_ in rows] == list(LINES)


def test_ssh_closes(sshd: SSHServer) -> None:
    """What the table says of TCP is true of SSH too."""
    if "sftp" not in VERSION.protocols:
        pytest.skip("this libcurl has no sftp")
    calls = Calls(refuse=True)
    with calls.easy(f"sftp://127.0.0.1:{sshd.port}/") as easy:
        with pytest.raises(libcurl.CouldntConnect):
            easy.perform()
    assert len(calls.addresses) == 1


def test_happy_eyeballs(internet: Internet) -> None:
    """Two at once: the slower one is closed by the closer."""
    calls = Calls()
    with libcurl.Easy(**internet.options(**calls.options, url="http://public.test/")) as easy:
        assert easy.fetch() == b"hello"
    calls.check(opened=len(calls.opened))
