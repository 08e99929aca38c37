"""SocketOptions: what a socket has when libcurl connects it."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

import pytest

import libcurl
from libcurl.sockets import Callbacks, SocketLog, SocketOptions

if TYPE_CHECKING:
    from servers.http import HTTPServer
    from servers.tftp import TFTPServer

LINUX = sys.platform.startswith("linux")
ROOT = os.geteuid() == 0
SOL, TCP, IP = socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP


def look(url: str, options: SocketOptions, *wanted: tuple[int, int], **more: Any) -> list[int]:
    """Fetch; return these options of the socket, as they were when it was closed."""
    found: list[int] = []

    def close(fd: int) -> None:
        with socket.socket(fileno=fd) as sock:
            found.extend(sock.getsockopt(level, name) for level, name in wanted)

    tools = options | Callbacks(closesocketfunction=close)
    with libcurl.Easy(url=url, sockets=tools, timeout_ms=5000, **more) as easy:
        assert easy.fetch() == b"hello"
    return found


def test_keepalive(http: HTTPServer) -> None:
    wanted = (SOL, socket.SO_KEEPALIVE), (TCP, 4), (TCP, 5), (TCP, 6)
    assert look(http.url, SocketOptions(keepalive=True), wanted[0]) == [1]
    assert look(http.url, SocketOptions(keepalive=False), wanted[0], tcp_keepalive=True) == [0]
    assert look(http.url, SocketOptions(keepalive=30), *wanted[:3]) == [1, 30, 30]
    assert look(http.url, SocketOptions(keepalive=(20, 5, 3)), *wanted) == [1, 20, 5, 3]


def test_tcp(http: HTTPServer) -> None:
    nodelay = TCP, socket.TCP_NODELAY
    assert look(http.url, SocketOptions(nodelay=True), nodelay, tcp_nodelay=False) == [1]
    assert look(http.url, SocketOptions(nodelay=False), nodelay) == [0]
    assert look(http.url, SocketOptions(user_timeout=4321), (TCP, 18)) == [4321]
    assert look(http.url, SocketOptions(fastopen=True), (TCP, 30)) == [1]
    seen: list[bytes] = []

    def close(fd: int) -> None:
        with socket.socket(fileno=fd) as sock:
            seen.append(sock.getsockopt(TCP, 13, 16).rstrip(b"\0"))

    tools = SocketOptions(congestion="reno") | Callbacks(closesocketfunction=close)
    with libcurl.Easy(url=http.url, sockets=tools) as easy:
        easy.perform()
    assert seen == [b"reno"]


def test_ip(http: HTTPServer, http6: HTTPServer) -> None:
    options = SocketOptions(tos=0x10, ttl=17)
    assert look(http.url, options, (IP, socket.IP_TOS), (IP, socket.IP_TTL)) == [0x10, 17]
    ip6 = socket.IPPROTO_IPV6
    assert look(http6.url, options, (ip6, 67), (ip6, socket.IPV6_UNICAST_HOPS)) == [0x10, 17]


def test_buffers_and_linger(http: HTTPServer) -> None:
    options = SocketOptions(sndbuf=65536, rcvbuf=65536, reuseaddr=True)
    wanted = [(SOL, name) for name in (socket.SO_SNDBUF, socket.SO_RCVBUF, socket.SO_REUSEADDR)]
    assert look(http.url, options, *wanted) == [131072, 131072, 1]
    with libcurl.Easy(url=http.url, sockets=SocketOptions(linger=0)) as easy:
        easy.perform()
        connection = http.connections[-1]
    connection.wait_closed()
    assert isinstance(connection.error, ConnectionResetError)
    assert struct.calcsize("ii") == 8


def test_a_local_address(http: HTTPServer) -> None:
    with libcurl.Easy(url=http.url, sockets=SocketOptions(bind=("127.0.0.9", 0))) as easy:
        easy.perform()
    assert http.connections[0].peer[0] == "127.0.0.9"
    with libcurl.Easy(url=http.url, sockets=SocketOptions(bind=("::1", 0))) as easy:
        easy.perform()  # not for this family


@pytest.mark.skipif(not (LINUX and ROOT), reason="needs Linux and root")
def test_of_root(http: HTTPServer) -> None:
    options = SocketOptions(mark=7, device="lo", priority=3, freebind=True)
    wanted = (SOL, 36), (SOL, 12), (IP, 15)
    assert look(http.url, options, *wanted) == [7, 3, 1]
    with libcurl.Easy(url=http.url, sockets=SocketOptions(device="no-such")) as easy:
        with pytest.raises(OSError, match=r"SocketOptions\(device='no-such'\)") as raised:
            easy.perform()
        assert raised.value.errno == errno.ENODEV


def test_mptcp(http: HTTPServer) -> None:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
    except OSError as error:
        with libcurl.Easy(url=http.url, sockets=SocketOptions(mptcp=True)) as easy:
            with pytest.raises(OSError, match=r"SocketOptions\(mptcp=True\)") as raised:
                easy.perform()
            assert raised.value.errno == error.errno  # noqa: PT017
    else:
        assert look(http.url, SocketOptions(mptcp=True), (SOL, socket.SO_PROTOCOL)) == [262]


def test_what_the_system_refuses(http: HTTPServer) -> None:
    with libcurl.Easy(url=http.url, sockets=SocketOptions(congestion="no-such")) as easy:
        with pytest.raises(OSError, match=r"SocketOptions\(congestion='no-such'\)") as raised:
            easy.perform()
    assert raised.value.errno == errno.ENOENT


@pytest.mark.skipif(not ROOT, reason="gives up root's privileges")
def test_without_privileges(http: HTTPServer, script: Any) -> None:
    out = script(
        """
        import errno, os, sys
        import libcurl
        from libcurl.sockets import SocketOptions
        without = "-net_admin,-net_raw"
        if len(sys.argv) == 2:
            again = [sys.executable, *sys.argv, without]
            os.execvp("setpriv", ["setpriv", "--bounding-set", without, *again])
        try:
            libcurl.Easy(url=sys.argv[1], proxy="", sockets=SocketOptions(mark=7)).perform()
        except PermissionError as error:
            assert error.errno == errno.EPERM
            print(error)
        """,
        http.url,
    )
    assert "SocketOptions(mark=7): Operation not permitted" in out


def test_options_that_are_for_others_are_passed_over(
    http_unix: HTTPServer, tftp: TFTPServer
) -> None:
    options = SocketOptions(
        nodelay=True, keepalive=30, tos=16, ttl=9, fastopen=True, mptcp=True, sndbuf=65536
    )
    unix = {"url": "http://localhost/", "unix_socket_path": http_unix.unix_path}
    for setting in (unix, {"url": f"{tftp.url}/hello.txt"}):
        with libcurl.Easy(sockets=options, timeout_ms=5000, **setting) as easy:
            assert easy.fetch() == b"hello"


def test_unknown_names() -> None:
    with pytest.raises(TypeError, match="no 'no_delay'"):
        SocketOptions(no_delay=True)  # type: ignore[call-arg]


def test_what_a_platform_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    from libcurl.sockets import options

    monkeypatch.setitem(options._INTS, "mark", (False, SOL, None, None))
    monkeypatch.setattr(options, "_LINUX", False)
    for name, value in {"mark": 7, "mptcp": True, "device": "lo", "congestion": "x"}.items():
        with pytest.raises(libcurl.NotSupported, match=rf"SocketOptions\({name}="):
            SocketOptions(**{name: value})  # type: ignore[arg-type]


def test_the_log_has_them(http: HTTPServer) -> None:
    with SocketLog() as log:
        tools = log | SocketOptions(nodelay=True) | SocketOptions(sndbuf=4096)
        with libcurl.Easy(url=http.url, sockets=tools) as easy:
            easy.perform()
    assert log[0].options == "nodelay=True; sndbuf=4096"
