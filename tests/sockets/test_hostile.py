"""What public_only has to refuse, and what it has to let pass: URLs on an internet of our own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.dns import Changing
from servers.ftp import FTPServer
from servers.proxy import SocksProxy

import libcurl
from libcurl.sockets import AddressPolicy, AddressRefused, SocketLog, allow
from sockets.conftest import PUBLIC, PUBLIC6, Internet

TELLS = libcurl.version_info().version_num >= 0x075000
FEATURES = libcurl.version_info().features
IDN = "IDN" in FEATURES
PROTOCOLS = libcurl.version_info().protocols

# A URL, and a word of the reason.
LITERALS = """
    http://127.0.0.1/                       loopback
    http://127.1/                           loopback
    http://127.0.1/                         loopback
    http://2130706433/                      loopback
    http://0177.0.0.1/                      loopback
    http://017700000001/                    loopback
    http://0x7f000001/                      loopback
    http://0x7f.0x0.0x0.0x1/                loopback
    http://0x7f.1/                          loopback
    http://127.0.0.1:443/                   loopback
    http://localhost/                       loopback
    http://0/                               unspecified
    http://0.0.0.0/                         unspecified
    http://0x0/                             unspecified
    http://0.1.2.3/                         unspecified
    http://[::]/                            unspecified
    http://[::1]/                           loopback
    http://[0:0:0:0:0:0:0:1]/               loopback
    http://[::ffff:127.0.0.1]/              loopback
    http://[::ffff:7f00:1]/                 loopback
    http://[::ffff:0:127.0.0.1]/            reserved
    http://[::127.0.0.1]/                   reserved
    http://[64:ff9b::127.0.0.1]/            loopback
    http://[64:ff9b::a00:1]/                private
    http://[64:ff9b::a9fe:a9fe]/            link-local
    http://[64:ff9b:1::a9fe:a9fe]/          reserved
    http://[64:ff9b:1::808:808]/            reserved
    http://[2002:7f00:1::]/                 loopback
    http://[2002:a9fe:a9fe::1]/             link-local
    http://[2001:0:a00:1::]/                reserved
    http://[fe80::1]/                       link-local
    http://[fec0::1]/                       private
    http://[fc00::1]/                       unique-local
    http://[fd00:ec2::254]/                 unique-local
    http://[ff02::1]/                       multicast
    http://[2001:db8::1]/                   documentation
    http://[3fff::1]/                       documentation
    http://[100::1]/                        reserved
    http://[5f00::1]/                       reserved
    http://[4000::1]/                       reserved
    http://[2001:2::1]/                     benchmarking
    http://10.0.0.1/                        private
    http://172.16.0.1/                      private
    http://172.31.255.255/                  private
    http://192.168.0.1/                     private
    http://167772161/                       private
    http://100.64.0.1/                      cgnat
    http://100.100.100.200/                 cgnat
    http://169.254.169.254/latest/meta-data/    link-local
    http://2852039166/                      link-local
    http://0xa9fea9fe/                      link-local
    http://0251.0376.0251.0376/             link-local
    http://[::ffff:169.254.169.254]/        link-local
    http://168.63.129.16/                   cloud
    http://192.0.0.192/                     reserved
    http://192.88.99.1/                     reserved
    http://192.0.2.1/                       documentation
    http://198.51.100.1/                    documentation
    http://203.0.113.1/                     documentation
    http://198.19.255.255/                  benchmarking
    http://224.0.0.1/                       multicast
    http://240.0.0.1/                       reserved
    http://255.255.255.255/                 broadcast
    http://public.test@127.0.0.1/           loopback
    http://public.test:80@127.0.0.1/        loopback
    http://public.test%2f@127.0.0.1/        loopback
    http://127.0.0.1#@public.test/          loopback
    http://127.0.0.1?@public.test/          loopback
    127.0.0.1                               loopback
    https://127.0.0.1/                      loopback
    ftp://127.0.0.1/                        loopback
    gopher://127.0.0.1:25/xHELO             loopback
    dict://127.0.0.1:11211/stat             loopback
    telnet://127.0.0.1:23                   loopback
    tftp://127.0.0.1/x                      loopback
    smtp://127.0.0.1                        loopback
    imap://127.0.0.1                        loopback
    mqtt://127.0.0.1/topic                  loopback
    rtsp://127.0.0.1/                       loopback
    scp://127.0.0.1/etc/passwd              loopback
    ldap://127.0.0.1/                       loopback
    ws://127.0.0.1/                         loopback
    file:///etc/hostname                    file
"""
HOSTILE = [tuple(line.split()) for line in LITERALS.strip().splitlines()]

NAMES: dict[str, Any] = {
    "loop.test": "127.0.0.1",
    "private.test": "10.0.0.1",
    "metadata.test": "169.254.169.254",
    "loop6.test": "::1",
    "unique.test": "fd00::1",
    "mapped.test": "::ffff:7f00:1",
    "nat64.test": "64:ff9b::7f00:1",
    "tunnel.test": "2002:a00:1::1",
    "several.test": ["10.0.0.1", "192.168.1.1", "fd00::1", "::1"],
    "alias.test": "loop.test",
    "chain.test": "alias.test",
    "public-name.test": "127-0-0-1.test",
    "127-0-0-1.test": "127.0.0.1",
}


def refused(easy: libcurl.Easy) -> AddressRefused:
    """Perform, and return the refusal."""
    with pytest.raises(AddressRefused) as raised:
        easy.perform()
    return raised.value


@pytest.fixture
def policy(internet: Internet) -> Iterator[AddressPolicy]:
    """public_only; whatever the test does, only public addresses are connected to."""
    policy = AddressPolicy.public_only()
    yield policy
    assert [address for address in internet.reached if not policy.allows(address)] == []


@pytest.mark.parametrize(("url", "reason"), HOSTILE)
def test_urls(internet: Internet, policy: AddressPolicy, url: str, reason: str) -> None:
    scheme = url.partition("://")[0] if "://" in url else "http"
    if scheme not in PROTOCOLS:
        pytest.skip(f"this libcurl has no {scheme}")
    # No name is in them: what decimal, short and hexadecimal ones mean is the system's to say.
    with internet.easy(url, doh_url=None, sockets=policy) as easy:
        error = refused(easy)
    assert reason in error.reason
    assert internet.reached == []
    if scheme != "file":
        assert error.address[0] in str(error)
        assert error.url is not None
        assert error.url.startswith(f"{scheme}://")
        assert "@" not in error.url.partition("/")[2].lstrip("/").partition("/")[0]
        assert error.rule is None


@pytest.mark.parametrize("name", NAMES)
def test_names(internet: Internet, policy: AddressPolicy, name: str) -> None:
    internet.dns.zone.update(NAMES)
    with internet.easy(f"http://{name}/secret?token=1", sockets=policy) as easy:
        error = refused(easy)
    assert error.url == f"http://{name}/secret"
    assert isinstance(error.__cause__, libcurl.CouldntConnect)


@pytest.mark.parametrize(
    "host",
    [
        "127\u30020\u30020\u30021",
        "127\uff0e0\uff0e0\uff0e1",
        "\uff11\uff12\uff17.0.0.1",
        "\u2460\u2461\u2466.0.0.1",
        "loop\u3002test",
    ],
)
def test_idn_dots_and_digits(internet: Internet, policy: AddressPolicy, host: str) -> None:
    internet.dns.zone.update(NAMES)
    with internet.easy(f"http://{host}/", sockets=policy) as easy:
        if IDN:
            assert refused(easy).address[0] == "127.0.0.1"
        else:
            with pytest.raises(libcurl.Error):
                easy.perform()
    assert internet.reached == []


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects(internet: Internet, policy: AddressPolicy, code: int) -> None:
    url = internet.redirects("/go", "http://127.0.0.1/inside", code)
    with internet.easy(url, followlocation=True, sockets=policy) as easy:
        error = refused(easy)
    assert error.address == ("127.0.0.1", 80)
    assert error.url == "http://127.0.0.1/inside"


@pytest.mark.parametrize(
    "location",
    [
        "//127.0.0.1/",
        "//localhost",
        "///127.0.0.1/",
        "http:127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:a00:1]/",
        "http://public.test@127.0.0.1/",
        "https://127.0.0.1/",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:6379/x",
        "dict://127.0.0.1:11211/stat",
        "file:///etc/hostname",
        "http://loop.test/",
        "http://chain.test:443/",
    ],
)
def test_redirects_to(internet: Internet, policy: AddressPolicy, location: str) -> None:
    newer = location.startswith("file") or location.endswith(("localhost", "433/", "f.1/"))
    if newer and not TELLS:
        pytest.skip("libcurl 7.80 tells of file:, and 7.77 resolves these without DNS")
    internet.dns.zone.update(NAMES)
    url = internet.redirects("/go", location)
    with internet.easy(url, followlocation=True, redir_protocols=-1, sockets=policy) as easy:
        if location.startswith(("///", "http:127")):
            # Browsers would go to 127.0.0.1. libcurl stays where it is or gives up.
            with contextlib.suppress(AddressRefused, libcurl.Error):
                easy.perform()
        else:
            refused(easy)


def test_redirects_in_a_row(internet: Internet, policy: AddressPolicy) -> None:
    internet.redirects("/three", "http://127.0.0.1/")
    internet.redirects("/two", "http://other.test/three")
    url = internet.redirects("/one", "https://public.test/two")
    with internet.easy(url, followlocation=True, sockets=policy) as easy:
        assert refused(easy).url == "http://127.0.0.1/"
    assert len(internet.reached) == 3


def test_a_refusal_before_is_forgotten_when_a_request_went_out(
    internet: Internet, policy: AddressPolicy
) -> None:
    if not TELLS:
        pytest.skip("libcurl 7.80 tells when")
    internet.dns.zone["half.test"] = ["127.0.0.1", PUBLIC]
    url = internet.redirects("/go", "http://public.test:81/").replace("public", "half")
    easy = internet.easy(url, followlocation=True, sockets=policy)
    with easy, pytest.raises(libcurl.CouldntConnect):
        easy.perform()


# DNS


def test_rebinding(internet: Internet, policy: AddressPolicy) -> None:
    internet.dns.zone["rebind.test"] = lambda kind: answers(kind) if kind == "A" else []
    answers = Changing(PUBLIC, "127.0.0.1")
    with internet.easy("http://rebind.test/", forbid_reuse=True, sockets=policy) as easy:
        assert easy.fetch() == b"hello"
        assert refused(easy).address == ("127.0.0.1", 80)


def test_rebinding_within_a_redirect(internet: Internet, policy: AddressPolicy) -> None:
    answers = Changing(PUBLIC, "127.0.0.1")
    internet.dns.zone["rebind.test"] = lambda kind: answers(kind) if kind == "A" else []
    internet.route(
        "/go",
        lambda connection, request: connection.respond(
            302, [("Location", "http://rebind.test/")], close=True
        ),
    )
    with internet.easy("http://rebind.test/go", followlocation=True, sockets=policy) as easy:
        assert refused(easy).address == ("127.0.0.1", 80)
    assert internet.reached == [PUBLIC]


@pytest.mark.parametrize(
    "options",
    [
        {"resolve": ["public.test:80:127.0.0.1"]},
        {"connect_to": ["public.test:80:127.0.0.1:80"]},
        {"connect_to": ["::[::ffff:127.0.0.1]:80"]},
    ],
)
def test_addresses_from_options(
    internet: Internet, policy: AddressPolicy, options: dict[str, Any]
) -> None:
    with internet.easy("http://public.test/", sockets=policy, **options) as easy:
        assert "127.0.0.1" in refused(easy).address[0]


def test_alt_svc(internet: Internet, policy: AddressPolicy, tmp_path: Path) -> None:
    if "ALTSVC" not in FEATURES:
        pytest.skip("this libcurl has no alt-svc")
    cache = tmp_path / "altsvc"
    cache.write_text('h1 public.test 443 h1 127.0.0.1 443 "20401231 23:59:59" 0 0\n')
    options = {"altsvc": cache, "altsvc_ctrl": libcurl.CURLALTSVC_H1, "sockets": policy}
    with internet.easy("https://public.test/", **options) as easy:
        assert refused(easy).address == ("127.0.0.1", 443)


# Unix sockets


@pytest.mark.parametrize("option", ["unix_socket_path", "abstract_unix_socket"])
def test_unix_sockets(internet: Internet, policy: AddressPolicy, option: str) -> None:
    options = {option: "/run/docker.sock", "sockets": policy}
    with internet.easy("http://public.test/", **options) as easy:
        error = refused(easy)
    assert "Unix socket" in error.reason
    assert "/run/docker.sock" in str(error)


# Proxies

BY_ENVIRONMENT = [
    ("http_proxy", "http://10.0.0.1:3128", "http://public.test/"),
    ("https_proxy", "http://10.0.0.1:3128", "https://public.test/"),
    ("HTTPS_PROXY", "10.0.0.1", "https://public.test/"),
    ("all_proxy", "socks5h://10.0.0.1", "http://public.test/"),
    ("ALL_PROXY", f"socks5://user:secret@{PUBLIC}:443", "http://127.0.0.1/"),
    ("FTP_PROXY", "http://10.0.0.1:3128", "ftp://public.test/"),
    ("http_proxy", "http://10.0.0.1:3128", "public.test"),
    ("http_proxy", "http://10.0.0.1:3128", "ws://public.test"),
]


@pytest.mark.parametrize(("variable", "proxy", "url"), BY_ENVIRONMENT)
def test_proxies_of_the_environment(
    internet: Internet,
    policy: AddressPolicy,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    proxy: str,
    url: str,
) -> None:
    if url.startswith("ws") and "ws" not in PROTOCOLS:
        pytest.skip("this libcurl has no ws")
    monkeypatch.setenv(variable, proxy)
    with internet.easy(url, sockets=policy) as easy:
        error = refused(easy)
    assert variable in error.reason
    assert "secret" not in str(error)
    assert internet.reached == []


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": "http://10.0.0.1:3128"},
        {"proxy": f"http://{PUBLIC}:3128"},
        {"proxy": "socks5h://user:secret@public.test"},
        {"pre_proxy": "socks5://127.0.0.1"},
        {"pre_proxy": "socks5://127.0.0.1", "proxy": ""},
    ],
)
def test_proxies_that_are_set(
    internet: Internet, policy: AddressPolicy, options: dict[str, Any]
) -> None:
    with internet.easy("http://public.test/", sockets=policy, **options) as easy:
        error = refused(easy)
        assert "proxy" in error.reason
        assert "secret" not in str(error)
        easy.set(**dict.fromkeys(options, None))
        assert easy.fetch() == b"hello"


def test_the_environment_changes_later(
    internet: Internet, policy: AddressPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with internet.easy("http://public.test/", sockets=policy) as easy:
        monkeypatch.setenv("http_proxy", "http://10.0.0.1:3128")
        assert easy.fetch() == b"hello"  # and not by the proxy
        easy.set(verbose=False)
        easy.unset("verbose", "timeout_ms")
        easy.set(sockets=None)
        easy.set(sockets=policy)
        refused(easy)


def test_no_proxy(
    internet: Internet, policy: AddressPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://10.0.0.1:3128")
    for value in ("*", "public.test", ".test", "other.test,public.test"):
        monkeypatch.setenv("no_proxy", value)
        with internet.easy("http://public.test/", sockets=policy) as easy:
            assert easy.fetch() == b"hello"
    for value in ("other.test", "ublic.test"):
        monkeypatch.setenv("no_proxy", value)
        with internet.easy("http://public.test/", sockets=policy) as easy:
            refused(easy)


def test_proxies_that_are_allowed(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    with SocksProxy() as socks:
        socks.hosts["public.test"] = PUBLIC
        address = f"127.0.0.1:{socks.port}"
        policy = AddressPolicy.public_only(proxies=[address])
        with internet.easy("http://public.test/", proxy=socks.url, sockets=policy) as easy:
            assert easy.fetch() == b"hello"
            assert easy.fetch() == b"hello"
            easy.set(proxy=f"socks5h://127.0.0.1:{socks.port + 1}")
            assert refused(easy).address == ("127.0.0.1", socks.port + 1)
            easy.set(proxy="", url=f"http://{address}/")
            refused(easy)  # a proxy's address is no address for anything else
        monkeypatch.setenv("all_proxy", socks.url)
        with internet.easy("http://public.test/", sockets=policy) as easy:
            assert easy.fetch() == b"hello"
        monkeypatch.setenv("http_proxy", "http://10.0.0.1")
        with internet.easy("http://public.test/", sockets=policy) as easy:
            refused(easy)
        # Another variable counts for this URL, and it is an allowed one.
        with internet.easy("https://public.test/", sockets=policy) as easy:
            assert easy.fetch() == b"hello"
        assert socks.connections == (3 if TELLS else 4)


# FTP


def test_ftp_passive_to_another_address(internet: Internet, policy: AddressPolicy) -> None:
    with FTPServer(PUBLIC, pasv_address="10.0.0.1") as server:
        options = {"ftp_skip_pasv_ip": False, "ftp_use_epsv": False, "sockets": policy}
        with internet.easy(f"{server.url}/hello.txt", **options) as easy:
            error = refused(easy)
            assert error.address[0] == "10.0.0.1"
        with internet.easy(f"{server.url}/hello.txt", sockets=policy) as easy:
            assert easy.fetch() == b"hello"


def test_ftp_active(internet: Internet, policy: AddressPolicy) -> None:
    with FTPServer(PUBLIC) as server:
        with internet.easy(f"{server.url}/hello.txt", ftpport="-", sockets=policy) as easy:
            assert "listen" in refused(easy).reason
        policy = AddressPolicy.public_only(listen=True)
        with internet.easy(f"{server.url}/hello.txt", ftpport="-", sockets=policy) as easy:
            assert easy.fetch() == b"hello"


# Connections that somebody else opened


def test_the_handles_own_connection(internet: Internet, policy: AddressPolicy) -> None:
    with internet.easy("http://127.0.0.1/") as easy:
        easy.perform()
        easy.set(sockets=policy)
        assert refused(easy).address == ("127.0.0.1", 80)
        assert len(internet.web[0].requests) == 1
        easy.set(sockets=None)
        easy.perform()
    internet.web[0].reached.clear()


def test_a_connection_of_the_multi(internet: Internet, policy: AddressPolicy) -> None:
    internet.dns.zone["rebind.test"] = "127.0.0.1"
    for first in ("http://127.0.0.1/", "http://rebind.test/"):
        with libcurl.Multi() as multi:
            multi.add(internet.easy(first))
            assert [error for _, error in multi.run()] == [None]
            multi.add(internet.easy(first, sockets=policy))
            ((_, error),) = multi.run()
        assert isinstance(error, AddressRefused)
    assert len(internet.web[0].requests) == 2
    internet.web[0].reached.clear()


def test_a_connection_of_the_share(internet: Internet, policy: AddressPolicy) -> None:
    share = libcurl.Share(libcurl.LockData.CONNECT)
    with share, internet.easy("http://127.0.0.1/", share=share) as one:
        one.perform()
        with internet.easy("http://127.0.0.1/", share=share, sockets=policy) as other:
            refused(other)
    assert len(internet.web[0].requests) == 1
    internet.web[0].reached.clear()


def test_a_connection_of_another_after_a_redirect(
    internet: Internet, policy: AddressPolicy
) -> None:
    url = internet.redirects("/go", "http://127.0.0.1/")
    with libcurl.Multi() as multi:
        multi.add(internet.easy("http://127.0.0.1/"))
        assert [error for _, error in multi.run()] == [None]
        try:
            multi.add(internet.easy(url, followlocation=True, sockets=policy))
        except libcurl.NotSupported:
            assert not TELLS  # and says so
        else:
            ((_, error),) = multi.run()
            assert isinstance(error, AddressRefused)
    assert all(request.path != "/" for request in internet.web[0].requests[1:])
    internet.web[0].reached.clear()


def test_after_requests_that_were_allowed(internet: Internet, policy: AddressPolicy) -> None:
    """What libcurl reports of the connection is that of this request, not of the one before."""
    with libcurl.Multi() as multi:
        multi.add(internet.easy("http://127.0.0.1/"))
        assert [error for _, error in multi.run()] == [None]
        easy = internet.easy("http://public.test/", sockets=policy)
        for url in ("http://public.test/", "http://public.test/", "http://127.0.0.1/"):
            easy.set(url=url)
            multi.add(easy)
            ((_, error),) = multi.run()
        assert isinstance(error, AddressRefused)
    assert sum(len(server.requests) for server in internet.web) == 3
    internet.web[0].reached.clear()


# What is good

GOOD = """
    http://public.test/
    https://public.test/
    http://www.public.test/
    http://other.test/
    http://PUBLIC.TEST/
    http://public.test./
    http://public.test:80/
    http://user:password@public.test/
    http://127.0.0.1@public.test/
    http://public.test/127.0.0.1
    http://public.test/?url=http://127.0.0.1/
    http://public.test/#@127.0.0.1
    public.test
    http://alias.good/
    http://both.good/
    http://six.good/
    http://four.good/
    http://nat64.good/
    http://8.8.8.8/
    http://134744072/
    http://0x08080808/
    http://8.8.2056/
    http://1.1.1.1/
    http://172.32.0.1/
    http://172.15.255.255/
    http://192.0.0.9/
    http://192.169.0.1/
    http://100.128.0.1/
    http://169.253.255.255/
    http://223.255.255.255/
    http://198.20.0.1/
    http://128.0.0.1/
    http://11.0.0.1/
    http://[2606:4700:4700::1111]/
    http://[::ffff:8.8.8.8]/
    http://[64:ff9b::8.8.8.8]/
    http://[2002:808:808::1]/
    http://[2a00:1450::1]/
    http://[2001:4860:4860::8888]/
    http://[2620:4f:8000::1]/
"""
GOOD_NAMES: dict[str, Any] = {
    "alias.good": "public.test",
    "both.good": ["127.0.0.1", "::1", "10.0.0.1", PUBLIC],
    "six.good": PUBLIC6,
    "four.good": PUBLIC,
    "nat64.good": "64:ff9b::808:808",
}


@pytest.mark.parametrize("url", GOOD.split())
def test_good_ones(internet: Internet, policy: AddressPolicy, url: str) -> None:
    internet_options: dict[str, Any] = {}
    internet.dns.zone.update(GOOD_NAMES)
    internet.route("/127.0.0.1", lambda connection, request: connection.respond(body=b"hello"))
    if not any(name in url.lower() for name in (".test", ".good")):
        internet_options["doh_url"] = None
    with SocketLog() as log, internet.easy(url, **internet_options, sockets=policy | log) as easy:
        assert easy.fetch() == b"hello"
        assert easy.fetch() == b"hello"
    assert len(log) == len(internet.reached) == (1 if TELLS else 2)


def test_exceptions_of_ones_own(internet: Internet) -> None:
    policy = AddressPolicy.public_only(allow("127.0.0.1", port=80))
    with internet.easy("http://127.0.0.1/", sockets=policy) as easy:
        assert easy.fetch() == b"hello"
        easy.set(url="http://127.0.0.2/")
        refused(easy)
        easy.set(url="http://127.0.0.1:443/")
        refused(easy)


def test_enough() -> None:
    assert len(HOSTILE) + len(NAMES) >= 60
    assert len(GOOD.split()) >= 30
