"""SocketLog: every descriptor, its table, leaks and double closes."""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from servers.ftp import FTPServer

import libcurl
from libcurl.sockets import Callbacks, Rewrite, SocketLeak, SocketLog, SocketOptions

if TYPE_CHECKING:
    from servers.http import HTTPServer

pytest_plugins = ["pytester"]
LINUX = sys.platform.startswith("linux")


def test_records(http: HTTPServer) -> None:
    log = SocketLog()
    tools = Rewrite({"192.0.2.1": ("127.0.0.1", http.port)}) | SocketOptions(nodelay=True) | log
    url = "http://user:secret@192.0.2.1/bytes/100000?token=secret"
    with libcurl.Easy(url=url, sockets=tools) as easy:
        easy.perform()
        (record,) = log
        assert record.closed is None
        assert log.open == [record]
        assert record.fd in {int(name) for name in os.listdir("/proc/self/fd")}
        assert record.purpose == "connect"
        assert record.asked == ("192.0.2.1", 80)
        assert record.used == ("127.0.0.1", http.port)
        assert record.url == "http://192.0.2.1/bytes/100000"
        assert record.options == "nodelay=True"
        assert record.opened_by.startswith("test_log.py:")
        assert record.sent is record.received is None
    assert record.closed is not None
    assert record.closed >= record.opened
    assert record.closed_by is not None
    assert record.closed_by.startswith("test_log.py:")
    assert log.open == []
    assert len(log) == 1
    assert log[0] is record
    assert bool(SocketLog())
    if LINUX:
        (request,) = http.requests
        sent = f"{request.method} {request.target} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in request.headers
        )
        assert record.sent == len(sent) + 2
        assert record.received is not None
        assert 100_000 < record.received < 101_000


def test_the_table(http: HTTPServer) -> None:
    log = SocketLog()
    assert str(log).split() == [
        *("fd", "purpose", "asked", "used", "url", "options", "opened", "closed"),
        *("sent", "received"),
    ]
    with libcurl.Easy(url=http.url, sockets=log) as easy:
        easy.perform()
        assert "  open" in str(log)
        assert repr(log) == "<SocketLog of 1, 1 open>"
    _, row = str(log).splitlines()
    assert row.split()[:4] == [str(log[0].fd), "connect", f"127.0.0.1:{http.port}", f"{http.url}/"]
    assert "test_log.py:" in row
    assert repr(log) == "<SocketLog of 1, 0 open>"
    assert repr(log[0]) == f"<SocketRecord {log[0].fd} closed 127.0.0.1:{http.port}>"


def test_by_whom(http: HTTPServer) -> None:
    log = SocketLog()
    easy = libcurl.Easy(url=http.url, sockets=log)
    thread = threading.Thread(target=easy.perform, name="worker")
    thread.start()
    thread.join()
    easy.close()
    assert log[0].opened_by.endswith("in worker")
    assert " in " not in (log[0].closed_by or "")


def test_nothing_is_wrong(http: HTTPServer, http_unix: HTTPServer) -> None:
    with SocketLog() as log:
        with libcurl.Easy(url=http.url, sockets=log, forbid_reuse=True) as easy:
            easy.perform()
            easy.perform()
            easy.set(unix_socket_path=http_unix.unix_path)
            easy.perform()
            easy.set(unix_socket_path=None, url="http://127.0.0.1:1/")
            with pytest.raises(libcurl.CouldntConnect):
                easy.perform()
    assert len(log) == 4
    assert log[2].used == http_unix.unix_path


def test_leaks(http: HTTPServer) -> None:
    easy = libcurl.Easy(url=http.url)
    with pytest.raises(SocketLeak, match="was left open") as raised, SocketLog() as log:
        easy.set(sockets=log)
        easy.perform()
    assert f"127.0.0.1:{http.port}" in str(raised.value)
    assert "test_log.py:" in str(raised.value)
    easy.close()
    log.check()


def test_a_closer_that_does_not_close(http: HTTPServer) -> None:
    kept = []
    tools = Callbacks(closesocketfunction=kept.append)
    with SocketLog() as log, libcurl.Easy(url=http.url, sockets=tools | log) as easy:
        easy.perform()
    assert log[0].closed is not None  # from here on it is the closer's affair
    os.close(kept[0])


def test_handles_that_nobody_has_any_more_are_no_leak(http: HTTPServer) -> None:
    with SocketLog() as log:
        easy = libcurl.Easy(url=http.url, sockets=log)
        easy.set(private=easy)  # a cycle
        easy.perform()
        del easy


def test_exceptions_are_not_hidden(http: HTTPServer) -> None:
    easy = libcurl.Easy(url=http.url)
    with pytest.raises(LookupError), SocketLog() as log:
        easy.set(sockets=log)
        easy.perform()
        raise LookupError
    easy.close()


def test_closed_by_somebody_else(http: HTTPServer) -> None:
    """And the number is another's by then, which is not to be closed."""
    easy = libcurl.Easy(url=http.url)
    with pytest.raises(SocketLeak, match="closed twice"), SocketLog() as log:
        easy.set(sockets=log)
        easy.perform()
        fd = log[0].fd
        other = os.open(os.devnull, os.O_RDONLY)
        os.dup2(other, fd)  # in one step: a thread in accept() holds the lowest free number
        os.close(other)
        easy.close()
    os.close(fd)  # raises, had it been closed


def test_closed_by_somebody_else_and_not_in_use(http: HTTPServer) -> None:
    log = SocketLog()
    with libcurl.Easy(url=http.url, sockets=log) as easy:
        easy.perform()
        os.close(log[0].fd)
    with pytest.raises(SocketLeak, match="before libcurl closed it"):
        log.check()


def test_failed_connections_are_closed(http: HTTPServer) -> None:
    names = [f"two.test:{http.port}:[::1],127.0.0.1"]
    with SocketLog() as log:
        url = f"http://two.test:{http.port}/"
        with libcurl.Easy(url=url, resolve=names, sockets=log) as easy:
            assert easy.fetch() == b"hello"
    assert all(record.closed for record in log)


def test_ftp_active(ftp: FTPServer) -> None:
    with SocketLog() as log:
        with libcurl.Easy(url=f"{ftp.url}/hello.txt", ftpport="-", sockets=log) as easy:
            assert easy.fetch() == b"hello"
    assert [record.purpose for record in log] == ["connect", "listen", "accepted"]
    assert "not by libcurl's closer" in str(log).splitlines()[3]


def test_ftp_passive(ftp: FTPServer) -> None:
    with SocketLog() as log:
        with libcurl.Easy(url=f"{ftp.url}/hello.txt", sockets=log) as easy:
            assert easy.fetch() == b"hello"
    assert [record.purpose for record in log] == ["connect", "connect"]


def test_of_many_threads(http: HTTPServer) -> None:
    with SocketLog() as log:

        def work() -> None:
            for _ in range(20):
                with libcurl.Easy(url=http.url, sockets=log) as easy:
                    assert easy.fetch() == b"hello"

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(log) == 80
    assert all(record.closed for record in log)


# The fixture


def test_the_fixture(http: HTTPServer, socket_log: SocketLog) -> None:
    with libcurl.Easy(url=http.url, sockets=socket_log) as easy:
        easy.perform()
    assert len(socket_log) == 1


def test_the_plugin(pytester: pytest.Pytester, http: HTTPServer) -> None:
    """As another project has it: nothing but the package is installed."""
    pytester.makepyfile(
        f"""
        import libcurl

        kept = []

        def test_good(socket_log):
            with libcurl.Easy(url="{http.url}", proxy="", sockets=socket_log) as easy:
                assert easy.fetch() == b"hello"

        def test_leak(socket_log):
            easy = libcurl.Easy(url="{http.url}", proxy="", sockets=socket_log)
            kept.append(easy)
            assert easy.fetch() == b"hello"
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*SocketLeak: descriptor * was left open*"])
    result = pytester.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines(["socket_log*pytest_plugin.py*"])


def test_log_of_raw_sockets_elsewhere() -> None:
    with SocketLog() as log:
        assert log._closing(socket.socket().detach()) is False
        gc.collect()
        problems, log.problems = log.problems, []
    assert "closed twice" in problems[0]
