"""Ways round a policy that a review has found, and rules that meant less than they said."""

from __future__ import annotations

import os
import pathlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

import libcurl
from libcurl.sockets import (
    AddressPolicy,
    AddressRefused,
    Rewrite,
    SocketOptions,
    Tool,
    allow,
    deny,
)
from libcurl.sockets.proxies import Proxy

if TYPE_CHECKING:
    from servers.http import HTTPServer

PUBLIC = AddressPolicy.public_only()
TELLS = libcurl.version_info().version_num >= 0x075000


def plain(purpose: int, address: libcurl.Address) -> socket.socket:
    return socket.socket(address.family, address.socktype, address.protocol)


def check_refused(easy: libcurl.Easy, http: HTTPServer, **options: Any) -> None:
    """Nothing may have come to the server."""
    before = len(http.requests)
    easy.set(url=http.url, timeout_ms=5000, **options)
    with pytest.raises(AddressRefused):
        easy.perform()
    assert len(http.requests) == before


# Duplicates


def test_a_duplicate_has_the_shares_policy(http: HTTPServer) -> None:
    with libcurl.Share(libcurl.LockData.CONNECT, sockets=PUBLIC) as share:
        with libcurl.Easy(share=share) as easy, easy.duphandle() as twin:
            check_refused(twin, http)
            check_refused(twin, http, proxy="http://192.0.2.1:9")
            with pytest.raises(RuntimeError, match="belongs to sockets="):
                twin.set(opensocketfunction=plain)
            twin.set(sockets=None, proxy="")
            assert twin.fetch() == b"hello"
            check_refused(easy, http)


def test_a_duplicate_has_the_multis_policy(http: HTTPServer) -> None:
    with libcurl.Multi(sockets=PUBLIC | plain) as multi, libcurl.Easy(url=http.url) as easy:
        multi.add(easy)
        assert [type(error) for _, error in multi.run()] == [AddressRefused]
        with easy.duphandle() as twin, twin.duphandle() as third:
            check_refused(twin, http)
            check_refused(third, http)
            # By default, still: another multi's comes instead.
            with libcurl.Multi(sockets=AddressPolicy(allow("0.0.0.0/0", "::/0"))) as other:
                other.add(twin)
                assert [error for _, error in other.run()] == [None]


def test_a_duplicate_has_a_policy_of_its_own(http: HTTPServer) -> None:
    with libcurl.Easy(sockets=PUBLIC) as easy, easy.duphandle() as twin:
        check_refused(twin, http)


# Resets


@pytest.mark.parametrize("tools", [PUBLIC, PUBLIC | plain])
def test_reset_leaves_the_shares_policy(http: HTTPServer, tools: Tool) -> None:
    with libcurl.Share(libcurl.LockData.CONNECT, sockets=tools) as share:
        with libcurl.Easy(share=share) as easy:
            for _ in range(2):
                easy.reset()
                check_refused(easy, http)
            easy.set(share=None)
            easy.reset()
            assert easy._sockets is None


def test_reset_of_a_policy_of_ones_own_leaves_the_shares(http: HTTPServer) -> None:
    with libcurl.Share(libcurl.LockData.CONNECT, sockets=PUBLIC) as share:
        with libcurl.Easy(
            share=share, sockets=AddressPolicy(allow("0.0.0.0/0", "::/0")), url=http.url
        ) as easy:
            assert easy.fetch() == b"hello"
            easy.reset()
            check_refused(easy, http)


def test_unset_leaves_what_a_share_has_given(
    http: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options are unset by a reset."""
    asked = []

    def opener(purpose: int, address: libcurl.Address) -> socket.socket:
        asked.append(address.addr)
        return plain(purpose, address)

    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0.5)
        with libcurl.Share(libcurl.LockData.CONNECT, sockets=PUBLIC | opener) as share:
            with libcurl.Easy(share=share, useragent="x", timeout_ms=3000) as easy:
                easy.set(url=f"http://127.0.0.1:{inside.getsockname()[1]}/")
                with pytest.raises(AddressRefused):
                    easy.perform()
                easy.unset("useragent")
                monkeypatch.setenv("http_proxy", "http://{}:{}".format(*inside.getsockname()))
                with pytest.raises(AddressRefused):
                    easy.perform()
        assert asked == [inside.getsockname()] * 2
        with pytest.raises(TimeoutError):
            inside.accept()


# Proxies


@pytest.mark.parametrize(
    "text",
    [
        "http://good.example:3128\\@127.0.0.1:9",
        "good.example:3128\\@127.0.0.1:9",
        "http://good.example:3128 @127.0.0.1:9",
        "http://good.example:3128\t",
        " good.example:3128",
        "http://good.example:3128\n",
        "http://good.example:3128\x7f",
        "http://good.example:99999",
        "http://@b@c:1:1",
        "http://[::1",
        "http://%00:1",
    ],
)
def test_proxies_that_are_read_in_several_ways(text: str) -> None:
    with pytest.raises(ValueError, match="no proxy"):
        Proxy.parse(text)
    with pytest.raises(ValueError, match="no proxy"):
        Proxy.parse(text.encode())
    policy = AddressPolicy.public_only(proxies=["good.example"])
    with libcurl.Easy(url="http://192.0.2.1/", proxy=text, sockets=policy) as easy:
        with pytest.raises(AddressRefused, match="no proxy"):
            easy.perform()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("http:/127.0.0.1:9", "http://127.0.0.1:9"),
        ("socks5h:/good:1", "socks5h://good:1"),
        ("HTTP://user:a%40b@Good.:1/x?y#z", "http://good:1"),
        ("user@good:1", "good:1"),
        ("g%6fod", "good"),
        ("[2001:db8::1]:3", "[2001:db8::1]:3"),
        ("a/b://c", "a"),
    ],
)
def test_proxies_as_libcurl_reads_them(text: str, wanted: str) -> None:
    assert str(Proxy.parse(text)) == wanted


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": "http://127.0.0.1:9"},
        {"pre_proxy": "socks5://127.0.0.1:9"},
        {"proxyport": 9},
        {"proxytype": 5},
        {"noproxy": "*"},
    ],
)
def test_proxies_set_too_late(http: HTTPServer, options: dict[str, Any]) -> None:
    policy = AddressPolicy(allow("0.0.0.0/0", "::/0"))
    easy = libcurl.Easy(url=http.url, proxy="", sockets=policy, timeout_ms=5000)
    ((name, value),) = options.items()
    with libcurl.Multi() as multi, easy:
        multi.add(easy)
        with pytest.raises(RuntimeError, match=f"CURLOPT_{name.upper()} .* during a transfer"):
            easy.set(**options)
        with pytest.raises(RuntimeError, match="during a transfer"):
            easy.setopt(name, value)
        easy.set(useragent="x")
        assert [error for _, error in multi.run()] == [None]
        easy.set(**options)
        easy.set(**options)
        easy.set(sockets=AddressPolicy(allow("0.0.0.0/0", "::/0"), proxies=True))
        multi.add(easy)
        with pytest.raises(RuntimeError, match="during a transfer"):
            easy.set(**options)  # what is set again goes another way
        multi.remove(easy)


def test_proxies_set_before_a_redirect(http: HTTPServer) -> None:
    errors: list[Exception] = []

    def header(line: bytes) -> None:
        try:
            easy.set(proxy="http://127.0.0.1:9")
        except RuntimeError as error:
            errors.append(error)

    policy = AddressPolicy(allow("127.0.0.1", port=http.port))
    url = f"{http.url}/redirect-to?url={http.url.replace(':', '%3a')}"
    easy = libcurl.Easy(url=url, followlocation=True, sockets=policy, headerfunction=header)
    with easy:
        assert easy.fetch() == b"hello"
        assert errors
        easy.set(sockets=None)
        easy.set(headerfunction=lambda line: easy.set(useragent="x"))
        easy.perform()


# Unix sockets


class Unix:
    """An HTTP server on a Unix socket, by any name."""

    def __init__(self, name: str | bytes) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.bind(name)
        self._sock.listen()
        self.accepted = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._sock.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with peer:
            while peer.recv(65536):
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._thread.join(5)


@pytest.fixture
def unix(tmp_path: pathlib.Path) -> Any:
    """Start servers."""
    started = []

    def start(name: Any) -> Unix:
        started.append(Unix(name))
        return started[-1]

    yield start
    for server in started:
        server.close()


def fetch_twice(server: Unix, policy: AddressPolicy, **options: Any) -> None:
    """The second time over the first connection, where libcurl tells which one it uses."""
    with libcurl.Easy(url="http://x/", timeout_ms=5000, sockets=policy, **options) as easy:
        for _ in range(2):
            assert easy.fetch() == b"hello"
    assert server.accepted == (1 if TELLS else 2)


def test_symbolic_links(unix: Callable[[Any], Unix], tmp_path: pathlib.Path) -> None:
    server = unix(str(tmp_path / "real"))
    link = tmp_path / "link"
    link.symlink_to("real")
    fetch_twice(server, AddressPolicy(allow(path=link)), unix_socket_path=link)


def test_bound_by_a_relative_path(
    unix: Callable[[Any], Unix], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "here"
    fetch_twice(unix("here"), AddressPolicy(allow(path=path)), unix_socket_path=path)


def test_abstract_sockets(unix: Callable[[Any], Unix]) -> None:
    name = f"libcurl-{os.getpid()}"
    policy = AddressPolicy(allow(path=f"\0{name}"))
    server = unix(f"\0{name}")
    with libcurl.Easy(url="http://x/", abstract_unix_socket=name, sockets=policy) as easy:
        assert easy.fetch() == b"hello"
        assert easy.fetch() == b"hello"  # not every libcurl keeps such a connection
    assert server.accepted in (1, 2)
    bytes_too = AddressPolicy(allow(path=b"\0" + name.encode()))
    with libcurl.Easy(url="http://x/", abstract_unix_socket=name, sockets=bytes_too) as easy:
        assert easy.fetch() == b"hello"


def test_unix_connections_of_others_are_checked_still(
    unix: Callable[[Any], Unix], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sockets, bound to the same name in two directories."""
    if not TELLS:
        pytest.skip("libcurl before 7.80 makes a connection of its own")
    servers = []
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        servers.append(unix("sock"))
    policy = AddressPolicy(allow(path=tmp_path / "good/sock"))
    with libcurl.Multi() as multi:
        for name, tools in (("bad", None), ("good", policy), ("bad", policy), ("good", policy)):
            easy = libcurl.Easy(
                url="http://x/", unix_socket_path=tmp_path / name / "sock", sockets=tools
            )
            multi.add(easy)
            ((_, error),) = multi.run()
            if name == "bad" and tools is policy:
                assert isinstance(error, AddressRefused)
            else:
                assert error is None
    assert [server.accepted for server in servers] == [1, 1]


# Rules


@pytest.mark.parametrize("port", ["80", b"80", ["80"], 80.0, [80.5], object()])
def test_ports_are_numbers(port: Any) -> None:
    for make in (allow, deny):
        with pytest.raises(TypeError, match="port takes"):
            make(port=port)


def test_mapped_networks_are_those_of_ipv4() -> None:
    policy = AddressPolicy(
        deny("::ffff:10.0.0.1"), deny("::ffff:169.254.0.0/112"), allow("::ffff:0:0/96")
    )
    assert str(policy.rules[1]) == "deny 169.254.0.0/16"
    assert not policy.allows("10.0.0.1")
    assert not policy.allows("169.254.169.254")
    assert policy.allows("10.0.0.2")
    assert policy.allows("::ffff:10.0.0.2")
    assert not policy.allows("2001:db8::1")
    rewrite = Rewrite({"::ffff:192.0.2.0/120": ("127.0.0.1", 1)})
    assert rewrite._networks[0][0].text == "192.0.2.0/24"


@pytest.mark.parametrize(
    "rule", [deny(scope="loopback"), deny(scope="unspecified"), deny("127.0.0.0/8", "::1")]
)
@pytest.mark.parametrize("address", ["0.0.0.0", "::", "::ffff:0.0.0.0"])
def test_this_host_is_loopback(address: str, rule: Any) -> None:
    assert not AddressPolicy(rule, allow("0.0.0.0/0", "::/0")).allows(address)


def test_this_host_is_allowed_with_loopback() -> None:
    policy = AddressPolicy(allow(scope="loopback"))
    assert policy.allows("0.0.0.0")
    assert policy.allows("::")
    assert not policy.allows("0.0.0.1")
    assert not AddressPolicy(allow("127.0.0.1")).allows("0.0.0.0")


@pytest.mark.parametrize("network", ["2a00:1450::", "fe80::", "2a00:1450::200:"])
def test_isatap(network: str) -> None:
    middle = "" if network.endswith("200:") else "0:"
    addresses = [f"{network}{middle}5efe:{inner}" for inner in ("10.0.0.1", "127.0.0.1")]
    for address in addresses:
        assert not PUBLIC.allows(address)
        assert not AddressPolicy(
            deny("10.0.0.0/8", "127.0.0.0/8"), allow("0.0.0.0/0", "::/0")
        ).allows(address)
    if network.startswith("2a00"):
        assert PUBLIC.allows(f"{network}{middle}5efe:8.8.8.8")


def test_names_to_be_rewritten_end_in_a_dot_or_not(http: HTTPServer) -> None:
    for key in ("db.test", "db.test."):
        rewrite = Rewrite({(key, 81): ("127.0.0.1", http.port)})
        for host in ("db.test", "db.test.", "DB.test"):
            with libcurl.Easy(url=f"http://{host}:81/", sockets=rewrite) as easy:
                assert easy.fetch() == b"hello"


@pytest.mark.parametrize(
    "options",
    [
        {"nodelay": "yes"},
        {"tos": None},
        {"linger": 1.5},
        {"keepalive": "30"},
        {"keepalive": (1, 2)},
        {"keepalive": (1, 2, "3")},
        {"congestion": 1},
        {"device": b"lo"},
        {"bind": "127.0.0.1"},
        {"bind": ("127.0.0.1", "0")},
        {"mptcp": "no"},
    ],
)
def test_socket_options_of_a_wrong_type(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(TypeError, match=rf"SocketOptions\({name}=.*: {name} takes"):
        SocketOptions(**options)
