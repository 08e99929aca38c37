"""The servers that all tests use keep their promises (asked with the curl command and sockets)."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import time
import zlib
from typing import Any

import pytest
from servers import MissingServer, NeedsRoot, payload
from servers.daemon import Daemon, clean_environment, find_program

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start this server")


def curl(*args: object, code: int | tuple[int, ...] = 0) -> bytes:
    """Run curl, assert its exit code (or one of several), return its output."""
    program = find_program("curl", "curl")
    done = subprocess.run(
        [program, "-sS", "-q", "--max-time", "20", *map(str, args)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=clean_environment(),
    )
    codes = (code,) if isinstance(code, int) else code
    assert done.returncode in codes, done.stderr.decode()
    return done.stdout


def exchange(sock: socket.socket, data: bytes) -> bytes:
    """Send, then receive until the server closes."""
    sock.sendall(data)
    return b"".join(iter(lambda: sock.recv(65536), b""))


# The HTTP server


def test_http_keeps_one_connection_and_records_what_came(http: Any) -> None:
    assert curl(http.url + "/", f"{http.url}/bytes/7", "-H", "X-Test: é") == b"hello" + payload(7)
    (connection,) = http.connections
    assert [request.target for request in connection.requests] == ["/", "/bytes/7"]
    assert http.requests == connection.requests
    assert http.requests[0].get("x-test").encode("latin-1").decode() == "é"
    assert connection.peer[0] == "127.0.0.1"
    assert connection.wait_closed()
    assert http.wait_idle()


def test_http_starts_each_test_with_empty_records(http: Any) -> None:
    assert http.connections == http.requests == []
    assert http.accepted == 0


@pytest.mark.parametrize("unix", [False, True])
def test_http_clears_what_has_connected_and_was_not_accepted_yet(unix: bool) -> None:
    from servers.http import HTTPServer

    with HTTPServer(unix=unix) as server:
        where = server.unix_path or (server.host, server.port)
        for _ in range(20):
            for _ in range(20):
                with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as client:
                    client.connect(where)
            server.clear()
            assert server.accepted == 0
            assert server.connections == []
            time.sleep(0.002)
            assert server.accepted == 0


def test_http_echoes_requests_and_bodies(http: Any) -> None:
    answer = json.loads(curl(http.url + "/echo?a=1", "-d", "x=y"))
    assert (answer["method"], answer["target"], answer["body"]) == ("POST", "/echo?a=1", "x=y")
    assert ["Content-Length", "3"] in answer["headers"]
    assert (
        curl(http.url + "/post", "--data-binary", "abc", "-H", "Transfer-Encoding: chunked")
        == b"abc"
    )


@pytest.mark.parametrize("span", ["0-0", "5-2000004", "-3", "2999990-"])
def test_http_serves_ranges(http: Any, span: str) -> None:
    whole = payload(3_000_000)
    first, _, last = span.partition("-")
    start = int(first) if first else len(whole) - int(last)
    end = int(last) + 1 if first and last else len(whole)
    assert curl(http.url + "/bytes/3000000", "-r", span) == whole[start:end]


def test_http_answers_with_any_status(http: Any) -> None:
    url = http.url + "/status/503"
    assert curl(url, "-o", "/dev/null", "-w", "%{http_code}") == b"503"
    assert curl(url, "-f", code=22) == b""


def test_http_knows_what_it_does_not_serve(http: Any) -> None:
    assert curl(http.url + "/nothing", "-w", "%{http_code}") == b"not found\n404"


def test_http_redirects(http: Any) -> None:
    assert curl("-L", http.url + "/redirect/3") == b"hello"
    assert len(http.connections) == 1
    assert curl("-L", http.url + "/redirect-close") == b"hello"
    assert [len(connection.requests) for connection in http.connections] == [4, 1, 1]
    url = f"{http.url}/redirect-to?url=//127.0.0.1:1/x&code=308"
    assert curl("-w", "%{http_code} %{redirect_url}", url) == b"308 http://127.0.0.1:1/x"


def test_http_sends_any_headers(http: Any) -> None:
    head = curl("-i", http.url + "/headers?X-A=1&X-A=2&X-B=%E9")
    assert b"\r\nX-A: 1\r\nX-A: 2\r\nX-B: \xe9\r\n" in head
    assert curl("-I", http.url + "/headers/300").count(b"X-Header-") == 300
    assert b"\r\nSet-Cookie: a=b; Path=/\r\n" in curl("-i", http.url + "/cookies/set?a=b")
    assert curl("-i", http.url + "/interim?n=2").count(b"HTTP/1.1 103 Early Hints") == 2


def test_http_sends_chunks_and_trailers_and_gzip(http: Any) -> None:
    answer = curl("-i", "--raw", http.url + "/chunked?n=2&size=16&trailer=X-End:yes")
    assert answer.endswith(b"\r\n10\r\n" + payload(16, 16) + b"\r\n0\r\nX-End: yes\r\n\r\n")
    assert zlib.decompress(curl(http.url + "/gzip?n=5000"), 31) == payload(5000)


def test_http_takes_its_time(http: Any) -> None:
    began = time.monotonic()
    assert curl(
        http.url + "/slow?seconds=0.2", http.url + "/drip?n=4&delay=0.05"
    ) == b"hello" + payload(4)
    assert time.monotonic() - began >= 0.35
    assert curl("-m", "0.3", http.url + "/stall", code=28) == payload(10)


@pytest.mark.parametrize(
    ("path", "code", "body"),
    [
        ("/short", 18, payload(50)),
        ("/huge-content-length", 18, payload(10)),
        ("/early-close", 52, b""),
        ("/early-close?reset=1", 56, b""),
        ("/close", 0, b"hello"),
        ("/silent-close", 0, b"hello"),
    ],
)
def test_http_closes_as_badly_as_it_is_told(http: Any, path: str, code: int, body: bytes) -> None:
    assert curl(http.url + path, code=code) == body
    assert http.connections[0].wait_closed()


def test_http_says_continue_or_refuses_unread(http: Any, tmp_path: pathlib.Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(payload(3_000_000))
    expect = ("-H", "Expect: 100-continue", "-T", big)
    assert curl("-i", http.url + "/expect", *expect).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert len(http.requests[0].body) == 3_000_000
    assert b" 413 " in curl("-i", http.url + "/expect?status=413", *expect)
    assert b" 413 " in curl("-i", http.url + "/expect?status=413", "-H", "Expect:", "-T", big)
    assert http.requests[-1].body == b""


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_http_knows_basic_and_digest(http: Any, algorithm: str) -> None:
    right, wrong = ("-u", "user:password"), ("-u", "user:wrong")
    digest = f"{http.url}/digest?algorithm={algorithm}"
    assert curl(http.url + "/basic", *right) == curl("--digest", digest, *right) == b"hello"
    assert curl(http.url + "/basic", *wrong) == curl("--digest", digest, *wrong) == b""


def test_http_lets_a_test_write_the_bytes(http: Any) -> None:
    def raw(connection: Any, request: Any) -> None:
        connection.send(b"HTTP/1.1 200 Fine\r\nx:y\r\n\r\nto the end")
        connection.close()

    http.route("/raw/", raw)
    assert curl("-i", http.url + "/raw/at/all") == b"HTTP/1.1 200 Fine\r\nx:y\r\n\r\nto the end"


def test_http_adopts_a_connected_socket(http: Any) -> None:
    ours, its = socket.socketpair()
    connection = http.adopt(its)
    with ours:
        answer = exchange(ours, b"GET /close HTTP/1.1\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nhello")
    assert http.connections == [connection]


def test_http_speaks_rtsp_to_a_handler(http: Any) -> None:
    http.route("/film", lambda connection, request: connection.respond(200, close=True))
    with socket.create_connection((http.host, http.port)) as sock:
        answer = exchange(sock, b"OPTIONS rtsp://x/film RTSP/1.0\r\nCSeq: 7\r\n\r\n")
    assert answer.startswith(b"RTSP/1.0 200 OK\r\n")
    assert b"\r\nCSeq: 7\r\n" in answer


def test_http_on_ipv6_and_unix_sockets(http6: Any, http_unix: Any) -> None:
    assert curl("-g", http6.url + "/") == b"hello"
    assert http6.connections[0].peer[0] == "::1"
    assert curl("--unix-socket", http_unix.unix_path, http_unix.url + "/") == b"hello"


def test_https_has_a_certificate_that_the_ca_vouches_for(https: Any, ca: Any) -> None:
    trust = ("--cacert", ca.cert)
    port = https.port
    assert curl(*trust, https.url + "/", f"https://localhost:{port}/") == b"hellohello"
    assert curl(*trust, "--pinnedpubkey", ca.server.pin, https.url + "/") == b"hello"
    curl(https.url + "/", code=60)
    other = f"https://other.test:{port}/"
    curl(*trust, "--resolve", f"other.test:{port}:127.0.0.1", other, code=60)


def test_https_can_ask_for_a_client_certificate_and_show_an_expired_one(ca: Any) -> None:
    from servers.http import HTTPServer

    with HTTPServer(tls=ca.server_context(verify_client=True)) as server:
        mutual = ("--cert", ca.client.cert, "--key", ca.client.key)
        assert curl("--cacert", ca.cert, *mutual, server.url + "/") == b"hello"
        curl("--cacert", ca.cert, server.url + "/", code=(55, 56))
        assert server.wait_idle()
        assert isinstance(server.connections[-1].error, ssl.SSLError)
    expired = ca.issue("expired", ("127.0.0.1",), expired=True)
    with HTTPServer(tls=ca.server_context(expired)) as server:
        curl("--cacert", ca.cert, server.url + "/", code=60)


def test_http_stops_at_once_whatever_its_connections_do(no_fd_leak: Any) -> None:
    from servers.http import HTTPServer

    with no_fd_leak(), HTTPServer() as server:
        where = (server.host, server.port)
        with socket.create_connection(where) as idle, socket.create_connection(where) as busy:
            busy.sendall(b"GET /slow?seconds=60 HTTP/1.1\r\n\r\n")
            while not server.requests or len(server.connections) < 2:
                time.sleep(0.001)
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 1
            assert idle.recv(1) == busy.recv(1) == b""


def test_http_in_a_process_of_its_own_counts(http_process: Any, open_fds: Any) -> None:
    before = open_fds()
    with socket.create_connection((http_process.host, http_process.port)):
        assert len(open_fds() - before) == 1
        assert curl(http_process.url + "/") == b"hello"
        stats = http_process.stats()
    assert stats["accepted"] == 2
    assert stats["requests"] == 1
    assert stats["open"] >= 1


def test_http_as_a_program_prints_its_url_and_ends_with_its_parent(script: Any) -> None:
    url = script(
        """
        import subprocess, sys
        command = [sys.executable, "-m", "servers.http"]
        program = subprocess.Popen(command, stdout=-1, text=True, start_new_session=True)
        print(program.stdout.readline())
        """
    ).strip()
    host, _, port = url.removeprefix("http://").rpartition(":")
    _wait_until_refused(host, int(port))


# Programs


def test_nginx_speaks_every_http(nginx: Any, ca: Any) -> None:
    trust = ("--cacert", ca.cert)
    assert curl(nginx.url + "/protocol") == b"HTTP/1.1"
    assert curl(*trust, nginx.tls_url + "/protocol") == b"HTTP/2.0"
    assert curl(*trust, "--http1.1", nginx.tls_url + "/protocol") == b"HTTP/1.1"
    assert curl("--http2-prior-knowledge", nginx.h2c_url + "/protocol") == b"HTTP/2.0"


def test_nginx_serves_and_takes_files(nginx: Any, ca: Any) -> None:
    assert curl(nginx.url + "/bytes/10000000") == payload(10_000_000)
    curl("-T", nginx.root / "hello.txt", nginx.url + "/upload/new/file")
    assert (nginx.root / "upload/new/file").read_bytes() == b"hello"
    head = curl("-i", "--cacert", ca.cert, "--cert", ca.client.both, nginx.tls_url + "/hello.txt")
    assert b"x-client: CN=client,O=libcurl tests\r\n" in head


@root_only
@pytest.mark.parametrize("active", [False, True])
def test_ftp_passive_and_active(ftp: Any, active: bool, tmp_path: pathlib.Path) -> None:
    mode = ("-P", "-") if active else ()
    assert curl(*mode, ftp.url + "/hello.txt", ftp.url + "/bytes-100000") == b"hello" + payload(
        100_000
    )
    source = tmp_path / "source"
    source.write_bytes(payload(3000))
    curl(*mode, "-T", source, f"{ftp.url}/upload/{active}")
    assert (ftp.root / "upload" / str(active)).read_bytes() == payload(3000)
    assert curl(*mode, "-l", ftp.url + "/many/").split() == [b"file-%d.txt" % n for n in range(5)]
    assert '"EPRT |1|127.0.0.1|' in ftp.log() if active else '"EPSV"' in ftp.log()


@root_only
def test_ftp_can_insist_on_a_password_and_be_misconfigured() -> None:
    from servers.ftp import FTPServer

    with FTPServer(passwords=("right",), pasv_address="192.0.2.1") as server:
        login = ("-u", "anonymous:right")
        assert curl(*login, server.url + "/hello.txt") == b"hello"
        curl("-u", "anonymous:wrong", server.url + "/hello.txt", code=67)
        assert curl(*login, "--disable-epsv", server.url + "/hello.txt") == b"hello"
        assert "227 Entering Passive Mode (192,0,2,1," in server.log()


@root_only
def test_ftps_explicit_and_implicit(ftps: Any, ftps_implicit: Any, ca: Any) -> None:
    trust = ("--cacert", ca.cert)
    assert curl(*trust, "--ssl-reqd", ftps.url + "/bytes-100000") == payload(100_000)
    assert curl(*trust, ftps_implicit.url + "/bytes-100000") == payload(100_000)
    curl(ftps.url + "/hello.txt", code=67)
    curl("--ssl-reqd", ftps.url + "/hello.txt", code=60)


@pytest.mark.parametrize("scheme", ["sftp", "scp"])
def test_sshd_serves_and_takes_files(sshd: Any, scheme: str, tmp_path: pathlib.Path) -> None:
    login = ("-u", f"{sshd.user}:", "--key", sshd.private_key, "--pubkey", sshd.public_key)
    known = ("--hostpubsha256", sshd.host_key_sha256)
    assert curl(*login, *known, sshd.file_url("bytes-100000", scheme)) == payload(100_000)
    source = tmp_path / "source"
    source.write_bytes(payload(3000))
    curl(*login, "--hostpubmd5", sshd.host_key_md5, "-T", source, sshd.file_url(scheme, scheme))
    assert (sshd.root / scheme).read_bytes() == payload(3000)
    curl(*login, "--hostpubmd5", "0" * 32, sshd.file_url("hello.txt", scheme), code=60)
    stranger = ("-u", f"{sshd.user}:wrong", "--key", "/dev/null")
    curl(*stranger, *known, sshd.file_url("hello.txt", scheme), code=67)


@root_only
def test_tftp_serves_and_takes_files(tftp: Any, tmp_path: pathlib.Path) -> None:
    assert curl(tftp.url + "/bytes-100000") == payload(100_000)
    source = tmp_path / "source"
    source.write_bytes(payload(3000))
    curl("-T", source, tftp.url + "/new")
    assert (tftp.root / "new").read_bytes() == payload(3000)


def test_proxy_forwards_and_tunnels_and_counts(proxy: Any, http: Any, https: Any, ca: Any) -> None:
    assert (
        curl("-x", proxy.url, "--cacert", ca.cert, http.url + "/", https.url + "/") == b"hellohello"
    )
    assert proxy.requests == [
        f"GET {http.url}/ HTTP/1.1",
        f"CONNECT 127.0.0.1:{https.port} HTTP/1.1",
    ]
    assert proxy.connections == 2
    proxy.clear()
    assert (proxy.connections, proxy.requests) == (0, [])


def test_proxy_can_want_a_password(http: Any) -> None:
    from servers.proxy import HTTPProxy

    with HTTPProxy(user="user", password="secret") as proxy:
        assert curl("-x", proxy.url, "-U", "user:secret", http.url + "/") == b"hello"
        assert b"407" in curl("-x", proxy.url, "-w", "%{http_code}", http.url + "/")


# Servers of our own


@pytest.mark.parametrize("version", ["4", "4a", "5", "5h"])
def test_socks_speaks_every_version(socks: Any, http: Any, version: str) -> None:
    socks.hosts["localhost"] = "127.0.0.1"
    assert (
        curl("-4", "-x", f"socks{version}://{socks.address}", f"http://localhost:{http.port}/")
        == b"hello"
    )
    (request,) = socks.requests
    assert request.version == int(version[0])
    assert request.host == ("localhost" if version in ("4a", "5h") else "127.0.0.1")
    assert socks.connections == 1
    curl("-x", f"socks{version}://{socks.address}", "http://127.0.0.1:1/", code=97)


def test_socks_can_want_a_password(http: Any) -> None:
    from servers.proxy import SocksProxy

    with SocksProxy(user="user", password="secret") as socks:
        assert curl(
            "-x", f"socks5://user:secret@{socks.address}", http.url + "/bytes/300000"
        ) == payload(300_000)
        curl("-x", f"socks5://user:wrong@{socks.address}", http.url + "/", code=97)
        curl("-x", f"socks4://wrong@{socks.address}", http.url + "/", code=97)


class WebSocketClient:
    """Frames over a socket, each as (first byte, payload): 0x81 is a whole text, 0x82 a binary."""

    def __init__(self, server: Any, path: str, context: ssl.SSLContext | None = None) -> None:
        sock = socket.create_connection((server.host, server.port), timeout=10)
        self.sock = context.wrap_socket(sock, server_hostname=server.host) if context else sock
        self.stream = self.sock.makefile("rb")
        self.sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 101 " in self.stream.readline()
        while self.stream.readline() != b"\r\n":
            pass

    def send(self, first: int, data: bytes) -> None:
        head = struct.pack(">BB", first, 0x80 | min(len(data), 126))
        if len(data) > 125:
            head += struct.pack(">H", len(data))
        self.sock.sendall(head + b"\0\0\0\0" + data)  # masked with zeros

    def recv(self) -> tuple[int, bytes]:
        first, size = self.stream.read(2)
        if size == 126:
            (size,) = struct.unpack(">H", self.stream.read(2))
        return first, self.stream.read(size)

    def __enter__(self) -> WebSocketClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stream.close()
        self.sock.close()


def test_websocket_echoes_text_binary_and_fragments(websocket: Any) -> None:
    with WebSocketClient(websocket, "/echo") as client:
        for kind, data in [(0x81, "Grüße".encode()), (0x82, b"\0\xff" * 30_000), (0x81, b"")]:
            client.send(kind, data)
            assert client.recv() == (kind, data)
    assert websocket.messages == ["Grüße", b"\0\xff" * 30_000, ""]
    with WebSocketClient(websocket, "/fragments?n=4") as client:
        client.send(0x01, b"one ")
        client.send(0x80, b"two")
        frames = [client.recv()]
        while not frames[-1][0] & 0x80:
            frames.append(client.recv())
        assert frames[:4] == [(0x01, b"on"), (0x00, b"e "), (0x00, b"tw"), (0x00, b"o")]
        assert frames[4:] == [(0x80, b"")]


def test_websocket_pings_and_closes(websocket: Any, websocket_tls: Any, ca: Any) -> None:
    with WebSocketClient(websocket, "/ping") as client:
        assert client.recv() == (0x89, b"are you there")
        client.send(0x8A, b"are you there")
        assert client.recv() == (0x81, b"pong")
    with WebSocketClient(websocket, "/close?code=3001&reason=bye") as client:
        assert client.recv() == (0x88, struct.pack(">H", 3001) + b"bye")
        client.send(0x88, struct.pack(">H", 3001))
        assert client.stream.read() == b""
    deadline = time.monotonic() + 5
    while not any(code == 3001 for code, _ in websocket.closed):
        assert time.monotonic() < deadline, websocket.closed
        time.sleep(0.01)
    context = ssl.create_default_context(cafile=str(ca.cert))
    with WebSocketClient(websocket_tls, "/greet", context) as client:
        assert client.recv() == (0x81, b"hello")


def _ask(dns: Any, name: str, kind: str = "A", *, tcp: bool = False) -> list[str]:
    dnslib = pytest.importorskip("dnslib")
    question = dnslib.DNSRecord.question(name, kind)
    reply = dnslib.DNSRecord.parse(question.send(dns.host, dns.port, tcp=tcp, timeout=5))
    return [str(record.rdata) for record in reply.rr]


@pytest.mark.parametrize("tcp", [False, True])
def test_dns_answers_from_its_zone(dns: Any, tcp: bool) -> None:
    from servers.dns import Changing

    dns.zone["a.test"] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    dns.zone["alias.test"] = "a.test"
    dns.zone["*.wild.test"] = "127.0.0.1"
    dns.zone["rebind.test"] = Changing("192.0.2.1", "127.0.0.1")
    assert _ask(dns, "a.test", tcp=tcp) == ["192.0.2.1", "192.0.2.2"]
    assert _ask(dns, "A.test", "AAAA", tcp=tcp) == ["2001:db8::1"]
    assert _ask(dns, "alias.test", "AAAA", tcp=tcp) == ["a.test.", "2001:db8::1"]
    assert _ask(dns, "x.y.wild.test", tcp=tcp) == ["127.0.0.1"]
    assert [_ask(dns, "rebind.test", tcp=tcp)[0] for _ in range(3)] == [
        "192.0.2.1",
        "127.0.0.1",
        "127.0.0.1",
    ]
    assert _ask(dns, "none.test", tcp=tcp) == []
    assert dns.queries[1] == ("a.test", "AAAA")


def test_dns_answers_over_https(dns: Any, https: Any, http: Any) -> None:
    dns.zone["doh.test"] = "127.0.0.1"
    url = dns.serve_doh(https)
    assert curl("--doh-url", url, "--doh-insecure", f"http://doh.test:{http.port}/") == b"hello"


# Nothing stays behind, nothing is skipped in silence


def _wait_until_refused(host: str, port: int) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except ConnectionRefusedError:
            return
        except OSError:
            pass  # it is on its way out: the backlog is full, or what was in it is reset
        assert time.monotonic() < deadline, f"{host}:{port} still listens"
        time.sleep(0.02)


def test_servers_and_files_vanish_when_the_tests_are_killed(script: Any) -> None:
    done = script.run(
        """
        import os, signal
        from servers.nginx import Nginx
        from servers.ssh import SSHServer
        servers = [Nginx(), SSHServer()]
        print(servers[0].folder, *(server.port for server in servers), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder, *ports = done.stdout.split()
    for port in ports:
        _wait_until_refused("127.0.0.1", int(port))
    deadline = time.monotonic() + 5
    while os.path.exists(os.path.dirname(folder)):
        assert time.monotonic() < deadline, f"{folder} still exists"
        time.sleep(0.02)


def test_a_missing_program_is_named_with_its_package() -> None:
    class Missing(Daemon):
        program = "no-such-program"
        package = "its-package"

    with pytest.raises(MissingServer, match="apt-get install its-package"):
        Missing()


def test_a_server_that_fails_shows_its_log() -> None:
    from servers import ServerError

    class Failing(Daemon):
        program = "sh"

        def command(self) -> list[str]:
            return ["-c", "echo it is broken >&2"]

    with pytest.raises(ServerError, match="it is broken"):
        Failing()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can start them")
def test_servers_for_root_say_so_to_others() -> None:
    from servers.ftp import FTPServer
    from servers.tftp import TFTPServer

    for server in (FTPServer, TFTPServer):
        with pytest.raises(NeedsRoot, match="only be started by root"):
            server()


# The helpers


def test_script_returns_output_and_shows_crashes(script: Any) -> None:
    assert script("import sys; print(sys.argv[1:])", 1, "b") == "['1', 'b']\n"
    with pytest.raises(AssertionError, match=r"exit code 3(.|\n)*sys.exit"):
        script("import sys; sys.exit(3)")
    with pytest.raises(AssertionError, match=r"killed by SIGSEGV(.|\n)*Segmentation fault"):
        script("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(AssertionError, match=r'took more than 1 s(.|\n)*script_4.py", line 1'):
        script("import time; time.sleep(60)", timeout=1)


def test_no_fd_leak_finds_a_leak(no_fd_leak: Any) -> None:
    with pytest.raises(AssertionError, match="socket:"), no_fd_leak(timeout=0.05):
        leaked = socket.socket()
    leaked.close()
    with no_fd_leak():
        socket.socket().close()
