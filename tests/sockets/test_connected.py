"""already_connected and in_netns."""

from __future__ import annotations

import gc
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from servers import NeedsRoot
from servers.http import HTTPServer

import libcurl
from libcurl.sockets import (
    AddressPolicy,
    AddressRefused,
    SocketLog,
    SocketOptions,
    allow,
    already_connected,
    deny,
    in_netns,
)
from sockets.namespace import Namespace

if TYPE_CHECKING:
    from servers.proxy import SocksProxy
    from servers.tls import Authority

URL = "http://192.0.2.1/"
TELLS = libcurl.version_info().version_num >= 0x075000


def test_tcp(http: HTTPServer, no_fd_leak: Any) -> None:
    with no_fd_leak():
        sock = socket.create_connection(("127.0.0.1", http.port))
        with libcurl.Easy(url=URL, sockets=already_connected(sock), timeout_ms=5000) as easy:
            assert easy.fetch() == b"hello"
            assert easy.fetch() == b"hello"
            assert sock.fileno() == -1
            easy.set(url="http://192.0.2.2/")
            with pytest.raises(RuntimeError, match="serves one connection"):
                easy.perform()
    assert len(http.connections) == 1


def test_a_descriptor(http: HTTPServer) -> None:
    sock = socket.create_connection(("127.0.0.1", http.port))
    with libcurl.Easy(url=URL, sockets=already_connected(sock.detach())) as easy:
        assert easy.fetch() == b"hello"


def test_unix(http_unix: HTTPServer) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(http_unix.unix_path))
    with libcurl.Easy(url=URL, sockets=already_connected(sock), timeout_ms=5000) as easy:
        assert easy.fetch() == b"hello"


def test_socketpair(http: HTTPServer, no_fd_leak: Any) -> None:
    with no_fd_leak():
        ours, theirs = socket.socketpair()
        http.adopt(theirs)
        with SocketLog() as log:
            tools = already_connected(ours) | log
            with libcurl.Easy(url=URL, sockets=tools, timeout_ms=5000) as easy:
                assert easy.fetch() == b"hello"
        assert [record.asked for record in log] == [("192.0.2.1", 80)]


def test_tls(https: HTTPServer, ca: Authority) -> None:
    sock = socket.create_connection(("127.0.0.1", https.port))
    options = {"url": "https://localhost:1/", "cainfo": ca.cert, "timeout_ms": 5000}
    with libcurl.Easy(sockets=already_connected(sock), **options) as easy:
        assert easy.fetch() == b"hello"


def test_callables(http: HTTPServer) -> None:
    def connect(address: libcurl.Address) -> socket.socket | None:
        if address.host == "127.0.0.1":
            return None
        return socket.create_connection(("127.0.0.1", http.port))

    with libcurl.Easy(sockets=already_connected(connect), timeout_ms=5000) as easy:
        for url in ("http://192.0.2.1/", "http://192.0.2.2/", http.url):
            easy.set(url=url)
            assert easy.fetch() == b"hello"
    assert len(http.connections) == 3


def test_a_tunnel(http: HTTPServer, socks: SocksProxy) -> None:
    """As python-socks and others make it."""

    def tunnel(address: libcurl.Address) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", socks.port))
        host = socket.inet_aton("127.0.0.1")
        sock.sendall(b"\4\1" + http.port.to_bytes(2, "big") + host + b"\0")
        assert sock.recv(8)[1] == 0x5A
        return sock

    with libcurl.Easy(url=URL, sockets=already_connected(tunnel), timeout_ms=5000) as easy:
        assert easy.fetch() == b"hello"


def test_with_policies(http: HTTPServer, no_fd_leak: Any) -> None:
    """The peer is what is checked, not what the URL says."""

    def connect() -> socket.socket:
        return socket.create_connection(("127.0.0.1", http.port))

    local = AddressPolicy(allow("127.0.0.1", port=http.port))
    for tools in (local, local | SocketLog()):
        set_ = already_connected(connect()) | tools
        with libcurl.Easy(url=URL, sockets=set_, timeout_ms=5000) as easy:
            assert easy.fetch() == b"hello"
            if TELLS:  # or every request has a connection of its own
                assert easy.fetch() == b"hello"
    with no_fd_leak():
        for tools in (AddressPolicy(allow("192.0.2.1")), AddressPolicy.public_only()):
            set_ = tools | already_connected(connect())
            with libcurl.Easy(url=URL, sockets=set_) as easy, pytest.raises(AddressRefused):
                easy.perform()
        pair = socket.socketpair()
        set_ = already_connected(pair[0]) | AddressPolicy(allow("0.0.0.0/0", "::/0"))
        with libcurl.Easy(url=URL, sockets=set_) as easy, pytest.raises(AddressRefused) as raised:
            easy.perform()
        assert raised.value.address == ""
        pair[1].close()
    pair = socket.socketpair()
    http.adopt(pair[1])
    set_ = already_connected(pair[0]) | AddressPolicy(allow(scope="unix"))
    with libcurl.Easy(url=URL, sockets=set_, timeout_ms=5000) as easy:
        assert easy.fetch() == b"hello"
        if libcurl.version_info().version_num >= 0x080000:
            # 7.88 does not use a connection without an address again.
            assert easy.fetch() == b"hello"


def test_what_is_no_socket() -> None:
    for wrong in ("x", None, 1.5):
        with pytest.raises(TypeError, match="takes a socket"):
            already_connected(wrong)
    unconnected = socket.socket()
    with unconnected, libcurl.Easy(url=URL, sockets=already_connected(unconnected)) as easy:
        with pytest.raises(OSError, match="not connected"):
            easy.perform()


def test_in_netns(no_fd_leak: Any) -> None:
    try:
        namespace = Namespace()
    except NeedsRoot as reason:
        pytest.skip(str(reason))
    with namespace:
        server = HTTPServer("0.0.0.0", 80)
    with server, SocketLog() as log:
        here = threading.get_native_id()
        with no_fd_leak():
            tools = in_netns(namespace.path)
            del tools
            gc.collect()
        tools = in_netns(namespace.path) | log | SocketOptions(nodelay=True)
        with libcurl.Easy(url="http://93.184.215.14/", sockets=tools, timeout_ms=5000) as easy:
            assert easy.fetch() == b"hello"
        policy = AddressPolicy(deny("10.0.0.0/8"), allow("0.0.0.0/0", "::/0"))
        with libcurl.Easy(url="http://10.0.0.1/", sockets=tools | policy) as easy:
            with pytest.raises(AddressRefused):
                easy.perform()
            easy.set(url="http://11.0.0.1/")
            assert easy.fetch() == b"hello"
            assert easy.fetch() == b"hello"
        assert here == threading.get_native_id()
    assert len(server.connections) == 0  # cleared; they all came there:
    assert {record.used[0] for record in log} == {"93.184.215.14", "11.0.0.1"}
    namespace.close()


def test_netns_that_are_none(tmp_path: Any) -> None:
    with pytest.raises(FileNotFoundError):
        in_netns("no-such-namespace")
    path = tmp_path / "file"
    path.touch()
    with libcurl.Easy(url=URL, sockets=in_netns(str(path))) as easy:
        with pytest.raises(OSError, match="in_netns"):
            easy.perform()
