"""The three socket callbacks: when they come, in which order, and for which descriptor."""

from __future__ import annotations

import fcntl
import gc
import os
import re
import socket
import sys
import time
from typing import Any

import pytest
from servers import payload
from servers.daemon import free_port

import libcurl
from libcurl import SOCKET_BAD, Easy, SockOpt, SockType, constants

Code = constants.Code
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start this server")

OPEN, OPTIONS, CLOSE = "open", "options", "close"


class Watch:
    """All three callbacks, which note what happens to each descriptor, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []
        self.purposes: list[tuple[str, int]] = []
        self.addresses: list[Any] = []

    def open(self, purpose: int, address: libcurl.Address) -> socket.socket:
        sock = socket.socket(address.family, address.socktype, address.protocol)
        self.events.append((OPEN, sock.fileno()))
        self.purposes.append((OPEN, purpose))
        self.addresses.append(address)
        return sock

    def sockopt(self, fd: int, purpose: int) -> int | None:
        os.fstat(fd)
        self.events.append((OPTIONS, fd))
        self.purposes.append((OPTIONS, purpose))
        return None

    def close(self, fd: int) -> None:
        os.fstat(fd)
        self.events.append((CLOSE, fd))
        os.close(fd)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "opensocketfunction": self.open,
            "sockoptfunction": self.sockopt,
            "closesocketfunction": self.close,
        }

    def told(self) -> str:
        """The events, each descriptor by a letter of its own: "open a, options a, close a"."""
        letters: dict[int, str] = {}
        lines = []
        for what, fd in self.events:
            if what == OPEN or fd not in letters:
                letters[fd] = "abcdefgh"[
                    sum(event == OPEN for event, _ in self.events[: len(lines)])
                ]
            lines.append(f"{what} {letters[fd]}")
        return ", ".join(lines)


@pytest.fixture
def watch(no_fd_leak: Any) -> Any:
    """A watch on a test that must leave no descriptor."""
    seen = Watch()
    with no_fd_leak():
        yield seen
    opened = sum(what == OPEN for what, _ in seen.events)
    closed = sum(what == CLOSE for what, _ in seen.events)
    assert closed == opened, seen.events


# The order


def test_a_kept_alive_connection_is_closed_with_its_handle(http: Any, watch: Watch) -> None:
    with Easy(url=http.url + "/", **watch.options) as easy:
        easy.perform()
        easy.perform()
        assert watch.told() == "open a, options a"
        assert watch.purposes == [(OPEN, SockType.IPCXN), (OPTIONS, SockType.IPCXN)]
        (address,) = watch.addresses
        assert address.addr == (http.host, http.port)
        assert address.family == socket.AF_INET
        assert address.socktype == socket.SOCK_STREAM
        assert address.protocol in (0, socket.IPPROTO_TCP)
        assert easy.info.activesocket == watch.events[0][1]
    assert watch.told() == "open a, options a, close a"


def test_forbid_reuse_closes_inside_perform(http: Any, watch: Watch) -> None:
    with Easy(url=http.url + "/", forbid_reuse=True, **watch.options) as easy:
        easy.perform()
        easy.perform()
        assert watch.told() == "open a, options a, close a, open b, options b, close b"


def test_a_timeout_closes_inside_perform(http: Any, watch: Watch) -> None:
    with Easy(url=http.url + "/slow?seconds=5", timeout_ms=30, **watch.options) as easy:
        with pytest.raises(TimeoutError):
            easy.perform()
        assert watch.told() == "open a, options a, close a"
    http.clear()


def test_a_redirect_with_connection_close_closes_inside_perform(http: Any, watch: Watch) -> None:
    url = http.url + "/redirect-close"
    with Easy(url=url, followlocation=True, **watch.options) as easy:
        assert easy.fetch() == b"hello"
        assert watch.told() == "open a, options a, close a, open b, options b"


def test_socket_bad_refuses_one_address_after_the_other(http: Any) -> None:
    hosts: list[str] = []

    def opener(purpose: int, address: libcurl.Address) -> int:
        hosts.append(address.host)
        return SOCKET_BAD

    seen: list[str] = []
    with (
        Easy(
            url="http://some.test:81/",
            resolve=["some.test:81:127.0.0.1,[::1],127.0.0.2"],
            opensocketfunction=opener,
            sockoptfunction=lambda *args: seen.append("sockopt"),
            closesocketfunction=seen.append,
        ) as easy,
        pytest.raises(libcurl.CouldntConnect),
    ):
        easy.perform()
    assert sorted(hosts) == ["127.0.0.1", "127.0.0.2", "::1"]
    assert seen == []


def test_an_opener_that_raises_ends_the_transfer_at_once(http: Any) -> None:
    hosts: list[str] = []

    def opener(purpose: int, address: libcurl.Address) -> int:
        hosts.append(address.host)
        raise PermissionError(f"{address.host} is off limits")

    with (
        Easy(
            url="http://some.test:81/",
            resolve=["some.test:81:127.0.0.1,127.0.0.2"],
            opensocketfunction=opener,
        ) as easy,
        pytest.raises(PermissionError, match=r"127\.0\.0\.1 is off limits"),
    ):
        easy.perform()
    assert hosts == ["127.0.0.1"]


def test_a_refusing_sockopt_closes_and_the_next_address_is_tried(http: Any, watch: Watch) -> None:
    def refuse_first(fd: int, purpose: int) -> int:
        watch.sockopt(fd, purpose)
        return SockOpt.ERROR if watch.told().count(OPTIONS) == 1 else SockOpt.OK

    with Easy(
        url=f"http://some.test:{http.port}/",
        resolve=[f"some.test:{http.port}:127.0.0.2,127.0.0.1"],
        **{**watch.options, "sockoptfunction": refuse_first},
    ) as easy:
        assert easy.fetch() == b"hello"
    assert watch.told() == "open a, options a, close a, open b, options b, close b"


def test_a_sockopt_that_refuses_all_is_an_error(http: Any, watch: Watch) -> None:
    options = {**watch.options, "sockoptfunction": lambda fd, purpose: SockOpt.ERROR}
    with Easy(url=http.url + "/", **options) as easy:
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code in (Code.ABORTED_BY_CALLBACK, Code.COULDNT_CONNECT)
        assert watch.told() == "open a, close a"


def test_the_address_that_failed_is_closed_before_the_next_is_opened(
    http: Any, http6: Any, watch: Watch
) -> None:
    with Easy(
        url=f"http://some.test:{http.port}/",
        resolve=[f"some.test:{http.port}:[::1],127.0.0.1"],
        **watch.options,
    ) as easy:
        assert easy.fetch() == b"hello"
    assert [address.host for address in watch.addresses] == ["::1", "127.0.0.1"]
    assert watch.told() == "open a, options a, close a, open b, options b, close b"


def test_sockopt_tunes_the_descriptor_that_is_used(http: Any) -> None:
    seen: list[int] = []

    def tune(fd: int, purpose: int) -> None:
        with socket.socket(fileno=os.dup(fd)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            seen.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))

    with Easy(
        url=http.url + "/post", upload=True, readdata=payload(40_960), sockoptfunction=tune
    ) as easy:
        assert easy.fetch() == payload(40_960)
        assert easy.info.size_upload_t == 40_960
    assert seen == [8192]  # Linux doubles it


def test_only_a_closer_is_enough_to_see_every_descriptor(http: Any, no_fd_leak: Any) -> None:
    closed: list[int] = []
    with no_fd_leak():
        easy = Easy(
            url=http.url + "/", closesocketfunction=lambda fd: closed.append(fd) or os.close(fd)
        )
        easy.perform()
        fd = easy.info.activesocket
        assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        easy.close()
    assert closed == [fd]


def test_unix_sockets_go_through_the_callbacks(http_unix: Any, watch: Watch) -> None:
    url = http_unix.url + "/"
    with Easy(url=url, unix_socket_path=http_unix.unix_path, **watch.options) as easy:
        assert easy.fetch() == b"hello"
    assert watch.told() == "open a, options a, close a"
    assert watch.addresses[0].family == socket.AF_UNIX
    assert watch.addresses[0].addr == http_unix.unix_path
    abstract = Easy(url=url, abstract_unix_socket="nobody-listens", **watch.options)
    with pytest.raises(libcurl.CouldntConnect):
        abstract.perform()
    abstract.close()
    assert watch.addresses[-1].addr == b"\0nobody-listens"


@root_only
def test_udp_sockets_go_through_the_callbacks(tftp: Any, watch: Watch) -> None:
    with Easy(url=tftp.url + "/bytes-100000", **watch.options) as easy:
        assert easy.fetch() == payload(100_000)
    assert watch.addresses[0].socktype == socket.SOCK_DGRAM
    assert watch.told() == "open a, options a, close a"


# FTP: two connections


@root_only
def test_ftp_passive_opens_the_data_connection_too(ftp: Any, watch: Watch) -> None:
    with Easy(url=ftp.url + "/hello.txt", **watch.options) as easy:
        assert easy.fetch() == b"hello"
        assert watch.told() == "open a, options a, open b, options b, close b"
        assert set(watch.purposes) == {(OPEN, SockType.IPCXN), (OPTIONS, SockType.IPCXN)}
        assert watch.addresses[1].port != ftp.port
    assert watch.told().endswith(", close a")


@root_only
def test_ftp_active_listens_and_accepts(ftp: Any, watch: Watch) -> None:
    with Easy(url=ftp.url + "/hello.txt", ftpport="-", timeout=10, **watch.options) as easy:
        assert easy.fetch() == b"hello"
    # The listener has no options and is closed at the accept; what is accepted has only options.
    names = [what for what, _ in watch.events]
    assert names == [OPEN, OPTIONS, OPEN, CLOSE, OPTIONS, CLOSE]
    control, _, listener, closed, accepted, last = (fd for _, fd in watch.events)
    assert closed == listener
    assert last == control
    assert accepted != control
    assert watch.purposes[-1] == (OPTIONS, SockType.ACCEPT)


@root_only
def test_sockopt_may_refuse_what_ftp_has_accepted(ftp: Any, watch: Watch) -> None:
    def refuse(fd: int, purpose: int) -> int:
        return SockOpt.ERROR if purpose == SockType.ACCEPT else SockOpt.OK

    options = {**watch.options, "sockoptfunction": refuse}
    with Easy(url=ftp.url + "/hello.txt", ftpport="-", timeout=10, **options) as easy:
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.ABORTED_BY_CALLBACK


@root_only
def test_a_refused_ftp_listener_fails_the_transfer(ftp: Any, watch: Watch) -> None:
    def no_listener(purpose: int, address: libcurl.Address) -> Any:
        return SOCKET_BAD if watch.events else watch.open(purpose, address)

    options = {**watch.options, "opensocketfunction": no_listener}
    easy = Easy(url=ftp.url + "/hello.txt", ftpport="-", timeout_ms=1000, **options)
    with easy, pytest.raises(libcurl.Error):
        easy.perform()


# Rewriting


def test_the_port_can_be_rewritten(http: Any, watch: Watch) -> None:
    def elsewhere(purpose: int, address: libcurl.Address) -> socket.socket:
        address.port = http.port
        return watch.open(purpose, address)

    options = {**watch.options, "opensocketfunction": elsewhere}
    with Easy(url="http://127.0.0.1:1/", **options) as easy:
        assert easy.fetch() == b"hello"
    assert http.requests[0].get("Host") == "127.0.0.1:1"


def test_ipv4_can_become_ipv6(http6: Any, watch: Watch) -> None:
    def elsewhere(purpose: int, address: libcurl.Address) -> socket.socket:
        address.addr = ("::1", http6.port)
        assert address.family == socket.AF_INET6
        return watch.open(purpose, address)

    options = {**watch.options, "opensocketfunction": elsewhere}
    with Easy(url="http://192.0.2.1/", **options) as easy:
        assert easy.fetch() == b"hello"
        assert easy.info.primary_ip == "::1"
        assert easy.info.local_ip == "::1"


def test_ipv6_can_become_ipv4(http: Any, watch: Watch) -> None:
    def elsewhere(purpose: int, address: libcurl.Address) -> socket.socket:
        address.addr = (http.host, http.port)
        return watch.open(purpose, address)

    options = {**watch.options, "opensocketfunction": elsewhere}
    with Easy(url="http://[2001:db8::1]/", **options) as easy:
        assert easy.fetch() == b"hello"


def test_tcp_can_become_a_unix_socket(http_unix: Any, watch: Watch) -> None:
    def elsewhere(purpose: int, address: libcurl.Address) -> socket.socket:
        address.addr = http_unix.unix_path
        address.protocol = 0
        return watch.open(purpose, address)

    options = {**watch.options, "opensocketfunction": elsewhere}
    with Easy(url="http://192.0.2.1/", **options) as easy:
        assert easy.fetch() == b"hello"
    assert watch.told() == "open a, options a, close a"


def test_a_rewritten_address_that_refuses_leaves_the_next_one(http: Any, watch: Watch) -> None:
    def elsewhere(purpose: int, address: libcurl.Address) -> socket.socket:
        if not watch.events:
            address.port = free_port()
        return watch.open(purpose, address)

    options = {**watch.options, "opensocketfunction": elsewhere}
    with Easy(
        url=f"http://some.test:{http.port}/",
        resolve=[f"some.test:{http.port}:127.0.0.2,127.0.0.1"],
        **options,
    ) as easy:
        assert easy.fetch() == b"hello"
    assert watch.told() in (
        "open a, options a, close a, open b, options b, close b",
        "open a, options a, open b, options b, close a, close b",
    )


# Handing over connected sockets


def connected(kind: str, http: Any) -> socket.socket:
    """A socket that somebody else has connected, in one of many ways."""
    if kind == "pair":
        ours, its = socket.socketpair()
        http.adopt(its)
        return ours
    if kind == "in progress":
        sock = socket.socket()
        sock.setblocking(False)
        assert sock.connect_ex((http.host, http.port)) in (0, 115)
        time.sleep(0.01)
        return sock
    if kind == "with a timeout":
        return socket.create_connection((http.host, http.port), timeout=5)
    sock = socket.socket()
    sock.connect((http.host, http.port))
    return sock


KINDS = ["blocking", "with a timeout", "in progress", "pair"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("closing", [True, False])
def test_a_connected_socket_is_used_as_it_is(
    http: Any, kind: str, closing: bool, no_fd_leak: Any
) -> None:
    asked: list[Any] = []
    closed: list[int] = []

    def opener(purpose: int, address: libcurl.Address) -> socket.socket:
        sock = connected(kind, http)
        if kind == "pair":
            address.addr = "/nowhere"
        asked.append(sock.fileno())
        return sock

    def closer(fd: int) -> None:
        closed.append(fd)
        os.close(fd)

    with no_fd_leak():
        with Easy(
            url="http://192.0.2.1:9/bytes/100000",
            opensocketfunction=opener,
            sockoptfunction=lambda fd, purpose: SockOpt.ALREADY_CONNECTED,
            timeout=5,
        ) as easy:
            if closing:
                easy.set(closesocketfunction=closer)
            for _ in range(3):
                assert easy.fetch() == payload(100_000)
            assert easy.info.activesocket == asked[-1]
            if kind != "pair":  # 7.88 takes a connection without an IP for one being resolved still
                assert len(asked) == 1
                assert easy.info.local_port == http.connections[0].peer[1]
        assert closed == asked[: len(closed)]
        assert bool(closed) is closing
        assert http.connections[0].wait_closed()
        assert http.requests[0].get("Host") == "192.0.2.1:9"
        http.clear()


@pytest.mark.parametrize("kind", ["blocking", "pair"])
def test_tls_goes_over_a_connected_socket(https: Any, ca: Any, kind: str, no_fd_leak: Any) -> None:
    def opener(purpose: int, address: libcurl.Address) -> socket.socket:
        if kind == "pair":
            address.addr = "/nowhere"
        return connected(kind, https)

    with no_fd_leak():
        with Easy(
            url="https://localhost/bytes/100000",
            resolve=["localhost:443:192.0.2.1"],
            cainfo=ca.cert,
            opensocketfunction=opener,
            sockoptfunction=lambda fd, purpose: SockOpt.ALREADY_CONNECTED,
            timeout=5,
        ) as easy:
            assert easy.fetch() == payload(100_000)
            assert easy.fetch() == payload(100_000)
        assert len(https.connections) == 1 or kind == "pair"
        https.clear()


def test_a_connected_socket_that_is_not_said_to_be_leaves_nothing(
    http: Any, no_fd_leak: Any
) -> None:
    """libcurl connects once more, which fails; the binding's own stand-ins must not stay behind."""
    with no_fd_leak():
        for options in ({}, {"closesocketfunction": os.close}):
            with (
                Easy(
                    url=http.url + "/",
                    opensocketfunction=lambda purpose, address: connected("blocking", http),
                    timeout=5,
                    **options,
                ) as easy,
                pytest.raises(libcurl.Error),
            ):
                easy.perform()
        http.clear()


def test_an_exception_beside_a_connected_socket_leaves_nothing(http: Any, no_fd_leak: Any) -> None:
    def fail(fd: int, purpose: int) -> int:
        raise ZeroDivisionError

    with no_fd_leak():
        for options in ({}, {"closesocketfunction": os.close}):
            with (
                Easy(
                    url=http.url + "/",
                    opensocketfunction=lambda purpose, address: connected("blocking", http),
                    sockoptfunction=fail,
                    **options,
                ) as easy,
                pytest.raises(ZeroDivisionError),
            ):
                easy.perform()
        http.clear()


# What an opener gives


def test_an_int_is_handed_over_too(http: Any, watch: Watch) -> None:
    options = {
        **watch.options,
        "opensocketfunction": lambda purpose, address: watch.open(purpose, address).detach(),
    }
    with Easy(url=http.url + "/", **options) as easy:
        assert easy.fetch() == b"hello"
    assert watch.told() == "open a, options a, close a"


def test_a_socket_object_is_detached(http: Any, no_fd_leak: Any) -> None:
    given: list[socket.socket] = []

    def opener(purpose: int, address: libcurl.Address) -> socket.socket:
        given.append(socket.socket(address.family, address.socktype, address.protocol))
        return given[-1]

    with no_fd_leak():
        with Easy(url=http.url + "/", opensocketfunction=opener) as easy:
            easy.perform()
            assert given[0].fileno() == -1
            given[0].close()  # harms nobody
            easy.perform()
        assert len(http.connections) == 1


def test_what_libcurl_gets_is_not_inherited(http: Any) -> None:
    def opener(purpose: int, address: libcurl.Address) -> int:
        sock = socket.socket(address.family, address.socktype, address.protocol)
        sock.set_inheritable(True)
        return sock.detach()

    with Easy(url=http.url + "/", opensocketfunction=opener) as easy:
        easy.perform()
        assert not os.get_inheritable(easy.info.activesocket)


class Detached(socket.socket):
    """A socket of the user's own, as gevent's are."""


def test_any_socket_class_will_do(http: Any) -> None:
    with Easy(url=http.url + "/", opensocketfunction=lambda purpose, address: Detached()) as easy:
        assert easy.fetch() == b"hello"


def test_a_socket_class_may_have_its_own_way_to_detach(http: Any) -> None:
    detached = []

    class Counted(socket.socket):
        def detach(self) -> int:
            detached.append(self.fileno())
            return super().detach()

    options: Any = {"opensocketfunction": lambda *args: Counted(), "forbid_reuse": True}
    with Easy(url=http.url + "/", **options) as easy:
        assert [easy.fetch() for _ in range(3)] == [b"hello"] * 3
    assert len(detached) == 3


class NoDetach:
    """Something with a descriptor that cannot be taken from it."""

    def __init__(self) -> None:
        self.sock = socket.socket()

    def fileno(self) -> int:
        return self.sock.fileno()


def _closed() -> socket.socket:
    sock = socket.socket()
    sock.close()
    return sock


def _tls() -> Any:
    import ssl

    return ssl.create_default_context().wrap_socket(socket.socket(), server_hostname="x")


def _pipe() -> Any:
    reading, writing = os.pipe()
    os.close(writing)
    return os.fdopen(reading, "rb")


REFUSED = {
    "None": (
        lambda: None,
        TypeError,
        "returned NoneType, expected socket.socket, int or SOCKET_BAD",
    ),
    "True": (lambda: True, TypeError, "returned bool, expected socket.socket, int or SOCKET_BAD"),
    "str": (lambda: "3", TypeError, "returned str, expected socket.socket, int or SOCKET_BAD"),
    "float": (lambda: 3.0, TypeError, "returned float, expected socket.socket, int or SOCKET_BAD"),
    "tuple": (lambda: (3,), TypeError, "returned tuple, expected socket.socket, int or SOCKET_BAD"),
    "a closed socket": (_closed, TypeError, "returned a closed socket"),
    "no detach": (NoDetach, TypeError, "returned NoDetach, which has no detach()"),
    "TLS": (_tls, TypeError, "returned SSLSocket: its TLS would be lost"),
    "a pipe": (_pipe, TypeError, "returned BufferedReader, which is no socket"),
    "negative": (lambda: -7, ValueError, "returned -7: no descriptor"),
    "huge": (lambda: 1 << 40, ValueError, "returned 1099511627776: no descriptor"),
    "not open": (lambda: 10_000, ValueError, "returned 10000: Bad file descriptor"),
    "another family": (
        lambda: socket.socket(socket.AF_INET6),
        ValueError,
        "returned a socket of family 10 for an address of family 2",
    ),
    "a Unix socket": (
        lambda: socket.socket(socket.AF_UNIX).detach(),
        ValueError,
        "returned a socket of family 1 for an address of family 2",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_socket_for_the_address_is_refused_and_closed(
    http: Any, make: Any, error: type[Exception], message: str, no_fd_leak: Any
) -> None:
    full = re.escape(f"CURLOPT_OPENSOCKETFUNCTION {message}")
    with no_fd_leak(), Easy(url=http.url + "/", opensocketfunction=lambda *args: make()) as easy:
        with pytest.raises(error, match=full) as caught:
            easy.perform()
        assert type(caught.value) is error
        del caught
        for _ in range(3):
            gc.collect()  # what was refused without being taken is the opener's still
    assert http.connections == []


def test_a_descriptor_that_is_no_socket_is_refused_and_left_alone(http: Any) -> None:
    """Whoever returns a 1 by mistake should not lose stdout."""
    reading, writing = os.pipe()
    message = f"returned {reading}: Socket operation on non-socket"
    easy = Easy(url=http.url + "/", opensocketfunction=lambda *args: reading)
    with easy, pytest.raises(ValueError, match=message):
        easy.perform()
    os.close(reading)
    os.close(writing)


def test_a_bad_rewriting_closes_what_was_given(http: Any, no_fd_leak: Any) -> None:
    def opener(purpose: int, address: libcurl.Address) -> socket.socket:
        address.family = "inet"  # type: ignore[assignment]
        return socket.socket()

    easy = Easy(url=http.url + "/", opensocketfunction=opener)
    with no_fd_leak(), easy, pytest.raises(TypeError):
        easy.perform()


def test_a_bad_rewriting_leaves_what_is_no_socket_alone(http: Any) -> None:
    reading, writing = os.pipe()

    def opener(purpose: int, address: libcurl.Address) -> int:
        address.family = "inet"  # type: ignore[assignment]
        return reading

    with Easy(url=http.url + "/", opensocketfunction=opener) as easy, pytest.raises(TypeError):
        easy.perform()
    os.close(reading)
    os.close(writing)


# Closers


@pytest.mark.parametrize(
    ("answer", "fails"), [(None, False), (0, False), (False, False), (1, True)]
)
def test_a_closer_returns_none_or_0_for_success(http: Any, answer: Any, fails: bool) -> None:
    def closer(fd: int) -> Any:
        os.close(fd)
        return answer

    with Easy(url=http.url + "/", closesocketfunction=closer, forbid_reuse=True) as easy:
        assert easy.fetch() == b"hello"  # libcurl does not mind


def test_a_closer_that_returns_anything_else_is_a_type_error(http: Any) -> None:
    with Easy(url=http.url + "/", forbid_reuse=True) as easy:
        easy.set(closesocketfunction=lambda fd: os.close(fd) or "done")
        message = "CURLOPT_CLOSESOCKETFUNCTION returned str, expected 0, 1 or None"
        with pytest.raises(TypeError, match=message):
            easy.perform()


class Surprise(Exception):
    """No exception that anybody else raises."""


def test_a_closers_exception_is_raised_by_close(http: Any) -> None:
    surprise = Surprise()

    def closer(fd: int) -> None:
        os.close(fd)
        raise surprise

    easy = Easy(url=http.url + "/", closesocketfunction=closer)
    easy.perform()
    with pytest.raises(Surprise) as caught:
        easy.close()
    assert caught.value is surprise
    assert easy.closed
    easy.close()


def test_a_closers_exception_in_nobodys_call_is_unraisable(
    http: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", reported.append)

    def closer(fd: int) -> None:
        os.close(fd)
        raise Surprise

    easy = Easy(url=http.url + "/", closesocketfunction=closer)
    easy.perform()
    del easy
    for _ in range(3):
        gc.collect()
    assert [report.exc_type for report in reported] == [Surprise]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interruption_in_a_closer_comes_out_as_itself(http: Any, kind: Any) -> None:
    def closer(fd: int) -> None:
        os.close(fd)
        raise kind

    with pytest.raises(kind), Easy(url=http.url + "/", closesocketfunction=closer) as easy:
        easy.perform()


def test_a_descriptor_can_be_reused_by_the_time_a_closer_ends(
    http_process: Any, watch: Watch
) -> None:
    """The number is free as soon as the closer has closed it, and may be another connection's."""
    url = http_process.url + "/"
    inner = Easy(url=url, forbid_reuse=True, **watch.options)
    inner.perform()
    inner.set(forbid_reuse=False)
    del watch.events[:]

    def closer(fd: int) -> None:
        watch.close(fd)
        inner.perform()

    outer = Easy(url=url, forbid_reuse=True, **{**watch.options, "closesocketfunction": closer})
    outer.perform()
    first, second = (fd for what, fd in watch.events if what == OPEN)
    assert first == second
    outer.close()
    assert inner.fetch() == b"hello"
    inner.close()


def test_tls_connections_close_through_the_closer_too(https: Any, ca: Any, watch: Watch) -> None:
    with Easy(url=https.url + "/", cainfo=ca.cert, **watch.options) as easy:
        assert easy.fetch() == b"hello"
    assert watch.told() == "open a, options a, close a"


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="lines are traced as CPython does")
def test_openers_work_after_their_import_was_interrupted_anywhere(
    http_process: Any, script: Any
) -> None:
    script(
        """
        import sys
        from libcurl import Easy

        def fetch():
            easy = Easy(url=sys.argv[1], opensocketfunction=lambda purpose, address: address.socket())
            try:
                return easy.fetch()
            finally:
                easy.close()

        lines = set()

        def trace(frame, event, argument):
            if frame.f_globals.get("__name__") != "libcurl.address":
                return None
            if frame.f_code.co_name != "<module>":
                return None
            if event == "line" and frame.f_lineno not in lines:
                lines.add(frame.f_lineno)
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        for _ in range(100):
            before = len(lines)
            sys.modules.pop("libcurl.address", None)
            sys.settrace(trace)
            try:
                import libcurl.address
            except KeyboardInterrupt:
                pass
            sys.settrace(None)
            fetch()
            if len(lines) == before:
                break
        assert len(lines) > 10, lines
        """,
        http_process.url,
    )


@pytest.mark.parametrize("first", ["libcurl.address", "libcurl.callbacks"])
def test_the_opener_is_called_without_a_detour_whatever_was_imported_first(
    script: Any, http: Any, first: str
) -> None:
    script(
        f"""
import sys
import {first}
import socket
import libcurl
entered = []
easy = libcurl.Easy(url=sys.argv[1], forbid_reuse=True)
easy.set(opensocketfunction=lambda purpose, address: socket.socket(address.family, address.socktype))
for _ in range(3):
    entered.clear()
    sys.setprofile(lambda frame, event, _: event == "call" and entered.append(frame.f_code.co_name))
    easy.fetch()
    sys.setprofile(None)
assert entered.count("python_opensocket") == 1, entered
""",
        http.url,
    )
