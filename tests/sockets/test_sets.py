"""`sockets=` itself: how tools combine, and how handles take them on and off."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

import libcurl
from libcurl.sockets import (
    AddressPolicy,
    AddressRefused,
    Callbacks,
    Rewrite,
    SocketLog,
    SocketOptions,
    allow,
    already_connected,
    deny,
)

if TYPE_CHECKING:
    from servers.http import HTTPServer
    from servers.nginx import Nginx

LOCAL = AddressPolicy(allow("127.0.0.0/8"))
NOTHING = AddressPolicy(deny())
FORBIDDEN = "http://192.0.2.1/"
TELLS = libcurl.version_info().version_num >= 0x075000


def plain(purpose: int, address: libcurl.Address) -> socket.socket:
    return socket.socket(address.family, address.socktype, address.protocol)


def test_combining(http: HTTPServer) -> None:
    order = []

    def opener(purpose: int, address: libcurl.Address) -> socket.socket:
        order.append("open")
        return plain(purpose, address)

    log = SocketLog()
    callbacks = Callbacks(
        sockoptfunction=lambda fd, purpose: order.append("tune"),
        closesocketfunction=lambda fd: order.append("close") or os.close(fd),
    )
    tools = LOCAL | opener | (SocketOptions(nodelay=True) | log) | callbacks
    with libcurl.Easy(url=http.url, sockets=tools) as easy:
        assert easy.fetch() == b"hello"
        assert easy.fetch() == b"hello"
    assert order[-1] == "close"
    assert set(order) == {"open", "tune", "close"}
    assert len(log) == order.count("open") == order.count("close")
    assert log[0].options == "nodelay=True"


def test_an_opener_may_stand_on_either_side(http: HTTPServer) -> None:
    for tools in (plain | LOCAL, LOCAL | plain, Callbacks(plain) | LOCAL, plain):
        with libcurl.Easy(url=http.url, sockets=tools) as easy:
            assert easy.fetch() == b"hello"


def test_an_opener_may_leave_opening_to_libcurl(http: HTTPServer) -> None:
    def elsewhere(purpose: int, address: libcurl.Address) -> None:
        address.addr = ("127.0.0.1", http.port)

    for tools in (elsewhere, elsewhere | LOCAL, SocketLog() | elsewhere):
        with libcurl.Easy(url="http://192.0.2.1/", sockets=tools) as easy:
            assert easy.fetch() == b"hello"


@pytest.mark.parametrize("wrong", [None, 5, "policy", b"", []])
def test_what_is_no_tool(wrong: Any) -> None:
    with pytest.raises(TypeError):
        LOCAL | wrong
    with pytest.raises(TypeError):
        wrong | LOCAL
    if wrong is not None:
        with libcurl.Easy() as easy, pytest.raises(TypeError, match="sockets takes"):
            easy.set(sockets=wrong)


def test_two_openers_are_one_too_many() -> None:
    with pytest.raises(TypeError, match="two of these open"):
        LOCAL | plain | plain
    with pytest.raises(TypeError, match="two of these open"):
        already_connected(socket.socket()) | plain
    with pytest.raises(TypeError, match="two of these close"):
        Callbacks(closesocketfunction=os.close) | Callbacks(closesocketfunction=os.close)


def test_sets_print() -> None:
    tools = LOCAL | SocketOptions(nodelay=True, tos=16) | plain
    assert repr(tools) == (
        "<AddressPolicy: allow 127.0.0.0/8> | SocketOptions(nodelay=True, tos=16) "
        "| <Callbacks plain>"
    )


# What belongs to whom


def test_the_callbacks_of_a_set_are_not_replaced(http: HTTPServer) -> None:
    tools = LOCAL | SocketLog() | SocketOptions(nodelay=True)
    with libcurl.Easy(url=http.url, sockets=tools) as easy:
        names = ["opensocketfunction", "sockoptfunction", "closesocketfunction"]
        names += ["prereqfunction"] if TELLS else []
        for name in names:
            for value in (lambda *_: 0, None):
                with pytest.raises(RuntimeError, match="belongs to sockets="):
                    easy.set(**{name: value})
            with pytest.raises(RuntimeError, match="belongs to sockets="):
                easy.unset(name)
        assert easy.fetch() == b"hello"


def test_callbacks_that_the_set_does_not_need_are_free(http: HTTPServer) -> None:
    closed = []
    tuned = []
    with libcurl.Easy(url=http.url, sockets=LOCAL) as easy:
        easy.set(sockoptfunction=lambda fd, purpose: tuned.append(fd))
        easy.set(closesocketfunction=lambda fd: closed.append(fd) or os.close(fd))
        easy.perform()
    assert len(closed) == len(tuned) == 1


def test_callbacks_that_were_set_before(http: HTTPServer) -> None:
    with libcurl.Easy(url=http.url, opensocketfunction=plain) as easy:
        with pytest.raises(RuntimeError, match="needs CURLOPT_OPENSOCKETFUNCTION"):
            easy.set(sockets=LOCAL)
        assert easy.fetch() == b"hello"
        easy.set(opensocketfunction=None, closesocketfunction=os.close)
        easy.set(sockets=LOCAL)
        with pytest.raises(RuntimeError, match="needs CURLOPT_CLOSESOCKETFUNCTION"):
            easy.set(sockets=SocketLog())
        easy.set(url="http://192.0.2.1/")
        with pytest.raises(AddressRefused):  # what was set before still is
            easy.perform()


def test_taking_off(http: HTTPServer) -> None:
    with libcurl.Easy(url=http.url, sockets=NOTHING) as easy:
        for take_off in (
            lambda: easy.set(sockets=None),
            lambda: easy.unset("sockets"),
            lambda: easy.set(sockets=LOCAL),
            easy.reset,
        ):
            easy.set(url=http.url, sockets=NOTHING)
            with pytest.raises(AddressRefused):
                easy.perform()
            take_off()
            easy.set(url=http.url)
            assert easy.fetch() == b"hello"
        easy.set(sockets=None, opensocketfunction=plain)
        easy.set(sockets=None)


def test_unsetting_something_else_leaves_it(http: HTTPServer) -> None:
    log = SocketLog()
    with libcurl.Easy(url=http.url, useragent="x", sockets=NOTHING | log) as easy:
        easy.unset("useragent")
        with pytest.raises(AddressRefused):
            easy.perform()
        easy.set(sockets=LOCAL | log, useragent="y", forbid_reuse=True)
        easy.unset("useragent")
        easy.perform()
    assert [record.closed is not None for record in log] == [True]


def test_duplicates_have_it(http: HTTPServer) -> None:
    log = SocketLog()
    with libcurl.Easy(url=http.url, sockets=LOCAL | log) as easy, easy.duphandle() as twin:
        easy.set(sockets=NOTHING)
        twin.perform()
        with pytest.raises(AddressRefused) as raised:
            easy.perform()
        assert raised.value.url == f"{http.url}/"
        twin.set(url="http://192.0.2.1/")
        with pytest.raises(AddressRefused) as raised:
            twin.perform()
        assert raised.value.url == "http://192.0.2.1/"
    assert len(log) == 1


def test_not_during_a_transfer(http: HTTPServer) -> None:
    problems = []

    def header(line: bytes) -> None:
        with pytest.raises(RuntimeError) as raised:
            easy.set(sockets=None)
        problems.append(str(raised.value))

    with libcurl.Easy(url=http.url, sockets=LOCAL, headerfunction=header) as easy:
        easy.perform()
    assert "during a transfer" in problems[0]


def test_closed_handles() -> None:
    easy = libcurl.Easy(sockets=LOCAL)
    easy.close()
    for value in (LOCAL, None):
        with pytest.raises(ValueError, match="closed"):
            easy.set(sockets=value)
    with pytest.raises(ValueError, match="closed"):
        easy.perform()


def test_not_for_raw_numbers() -> None:
    with libcurl.Easy() as easy, pytest.raises(TypeError):
        easy.setopt(-1, LOCAL)
    assert "sockets" not in {option.name for option in libcurl.options()}


# Policies in company


def test_all_policies_have_to_allow(http: HTTPServer) -> None:
    for tools in (LOCAL | NOTHING, NOTHING | LOCAL):
        with libcurl.Easy(url=http.url, sockets=tools) as easy, pytest.raises(AddressRefused):
            easy.perform()
    with libcurl.Easy(
        url=http.url, sockets=LOCAL | AddressPolicy(allow("0.0.0.0/0", "::/0"))
    ) as easy:
        assert easy.fetch() == b"hello"
        assert easy.fetch() == b"hello"


def test_the_rewritten_address_is_what_is_checked(http: HTTPServer) -> None:
    rewrite = Rewrite({"192.0.2.1": ("127.0.0.1", http.port)})
    with libcurl.Easy(url="http://192.0.2.1/", sockets=LOCAL | rewrite) as easy:
        assert easy.fetch() == b"hello"
        assert easy.fetch() == b"hello"
    tools = rewrite | AddressPolicy.public_only()
    with libcurl.Easy(url="http://192.0.2.1/", sockets=tools) as easy:
        with pytest.raises(AddressRefused) as raised:
            easy.perform()
        assert raised.value.address == ("127.0.0.1", http.port)
        assert raised.value.original == ("192.0.2.1", 80)
        assert "rewritten from 192.0.2.1:80" in str(raised.value)


def test_an_address_rewritten_by_ones_own_opener_is_checked(http: HTTPServer) -> None:
    def elsewhere(purpose: int, address: libcurl.Address) -> socket.socket:
        address.addr = ("127.0.0.1", http.port)
        return plain(purpose, address)

    with libcurl.Easy(url="http://192.0.2.1/", sockets=elsewhere | LOCAL) as easy:
        assert easy.fetch() == b"hello"
        assert easy.fetch() == b"hello"
    for tools in (elsewhere | NOTHING, elsewhere | NOTHING | SocketLog()):
        with libcurl.Easy(url="http://192.0.2.1/", sockets=tools) as easy:
            with pytest.raises(AddressRefused) as raised:
                easy.perform()
            assert raised.value.original == ("192.0.2.1", 80)


def test_what_a_socket_is_connected_to_is_checked(http: HTTPServer, no_fd_leak: Any) -> None:
    def connected(purpose: int, address: libcurl.Address) -> socket.socket:
        return socket.create_connection(("127.0.0.1", http.port), timeout=5)

    policy = AddressPolicy(allow("192.0.2.1"))
    with no_fd_leak(), libcurl.Easy(url="http://192.0.2.1/") as easy:
        for tools in (connected | policy, connected | policy | SocketLog()):
            easy.set(sockets=tools)
            with pytest.raises(AddressRefused) as raised:
                easy.perform()
            assert raised.value.address == ("127.0.0.1", http.port)


def test_exceptions_of_ones_own_come_first(http: HTTPServer) -> None:
    def opener(purpose: int, address: libcurl.Address) -> socket.socket:
        raise LookupError("mine")

    with libcurl.Easy(url=http.url, sockets=opener | NOTHING) as easy:
        with pytest.raises(LookupError, match="mine"):
            easy.perform()


def test_openers_that_fail(http: HTTPServer, no_fd_leak: Any) -> None:
    for given, error in (("x", TypeError), (9999, ValueError), (libcurl.SOCKET_BAD, libcurl.Error)):
        opener = lambda purpose, address, given=given: given  # noqa: E731
        with no_fd_leak(), libcurl.Easy(url=http.url, sockets=opener | LOCAL) as easy:
            with pytest.raises(error):
                easy.perform()


def test_one_refused_address_of_several(http: HTTPServer) -> None:
    policy = AddressPolicy(deny("::1"), allow("127.0.0.1"))
    names = [f"two.test:{http.port}:[::1],127.0.0.1"]
    with libcurl.Easy(url=f"http://two.test:{http.port}/", resolve=names, sockets=policy) as easy:
        assert easy.fetch() == b"hello"
        easy.set(sockets=AddressPolicy(deny("127.0.0.1"), deny("::1")))
        with pytest.raises(AddressRefused):
            easy.perform()


def test_a_multiplexed_connection_of_another(nginx: Nginx, ca: Any) -> None:
    if not TELLS or "HTTP2" not in libcurl.version_info().features:
        pytest.skip("needs PREREQFUNCTION and HTTP/2")
    options = {"url": f"{nginx.tls_url}/bytes/10000000", "cainfo": ca.cert, "pipewait": True}
    with libcurl.Multi() as multi:
        one = libcurl.Easy(**options)
        two = libcurl.Easy(**options, sockets=NOTHING)
        multi.add(one)
        multi.add(two)
        errors = dict(multi.run())
        assert errors[one] is None
        assert isinstance(errors[two], AddressRefused)
        multi.add(two)
        assert isinstance(dict(multi.run())[two], AddressRefused)


def test_nothing_of_a_policy_is_left_after_a_reset(http: HTTPServer) -> None:
    """C knew the address, and would have opened the socket by itself."""
    opened = []

    def opener(purpose: int, address: libcurl.Address) -> socket.socket:
        opened.append(address.addr)
        return plain(purpose, address)

    with libcurl.Easy(url=http.url, sockets=LOCAL, forbid_reuse=True) as easy:
        easy.perform()
        easy.perform()
        easy.reset()
        easy.set(url=http.url, opensocketfunction=opener, forbid_reuse=True)
        easy.perform()
        assert len(opened) == 1
        easy.set(opensocketfunction=None)
        easy.set(sockets=LOCAL)
        easy.perform()
        easy.set(sockets=None)
        easy.set(opensocketfunction=opener, forbid_reuse=True)
        easy.perform()
        assert len(opened) == 2


def test_the_environments_proxies_are_back_afterwards(
    http: HTTPServer, socks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with libcurl.Easy(url=http.url, sockets=LOCAL, forbid_reuse=True) as easy:
        easy.perform()
        monkeypatch.setenv("all_proxy", socks.url)
        easy.perform()
        with easy.duphandle() as twin:
            for handle in (easy, twin):
                handle.set(sockets=None)
                handle.perform()
    assert len(socks.requests) == 2


def test_a_proxy_that_the_environment_names_later_is_looked_at_too(
    http: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = f"127.0.0.1:{http.port}"
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        policy = AddressPolicy(allow("127.0.0.1"), proxies=[own])
        monkeypatch.setenv("http_proxy", "http://" + own)
        with libcurl.Easy(url="http://anywhere.test/", sockets=policy) as easy:
            assert easy.fetch() == b"hello"  # by way of the proxy
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{other.getsockname()[1]}")
            with pytest.raises(AddressRefused, match="no proxy of that name"):
                easy.fetch()
            monkeypatch.setenv("http_proxy", "http://" + own)
            assert easy.fetch() == b"hello"
        with pytest.raises(TimeoutError):
            other.accept()


def test_proxies_are_read_as_libcurl_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = AddressPolicy(allow("0.0.0.0/0", "::/0"), proxies=["good.test:3128"])
    for proxy in (
        "http://evil.test#@good.test:3128",
        "http://evil.test?@good.test:3128",
        "http://evil.test\\@good.test:3128",
        "http://evil.test/@good.test:3128",
        "http://good.test:3128@evil.test",
        "good.test:3129",
        "good.test.:1",
        "http://",
    ):
        with libcurl.Easy(url=FORBIDDEN, proxy=proxy, sockets=policy) as easy:
            with pytest.raises(AddressRefused):
                easy.perform()
    monkeypatch.setenv("gopher_proxy", "http://")
    with libcurl.Easy(url="http://127.0.0.1:1/", sockets=policy) as easy:
        with pytest.raises(libcurl.CouldntConnect):
            easy.perform()
        easy.set(url="gopher://127.0.0.1:1/", sockets=policy)
        with pytest.raises(AddressRefused, match="gopher_proxy"):
            easy.perform()
