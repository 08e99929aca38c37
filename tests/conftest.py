"""Fixtures: the servers (started when first asked for) and helpers for tests in subprocesses.

Servers of our own (http, https, http6, http_unix, websocket, socks) and the proxy come to each
test with empty records. A missing server package fails the test and names the package; what only
root can start is skipped for others.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from servers import NeedsRoot, ServerError

if TYPE_CHECKING:
    from servers.dns import DNSServer
    from servers.ftp import FTPServer
    from servers.http import HTTPServer
    from servers.http_process import HTTPProcess
    from servers.nginx import Nginx
    from servers.proxy import HTTPProxy, SocksProxy
    from servers.ssh import SSHServer
    from servers.tftp import TFTPServer
    from servers.tls import Authority
    from servers.websocket import WebSocketServer

TESTS = pathlib.Path(__file__).resolve().parent

# A shell that starts something in the background has it ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

Server = TypeVar("Server")


def _start(factory: Callable[..., Server], *args: Any, **kwargs: Any) -> Server:
    try:
        return factory(*args, **kwargs)
    except NeedsRoot as reason:
        pytest.skip(str(reason))
    except ServerError as error:
        pytest.fail(str(error), pytrace=False)


def _until_end(factory: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[Any]:
    server = _start(factory, *args, **kwargs)
    try:
        yield server
    finally:
        server.stop()


def _cleared(server: Any) -> Iterator[Any]:
    yield server
    errors = list(getattr(server, "errors", ()))
    server.clear()
    if errors:
        raise AssertionError("a handler of the server failed") from errors[0]


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.fixture(scope="session")
def ca() -> Authority:
    """The CA that issued the certificates of all TLS servers."""
    from servers.tls import authority

    return _start(authority)


@pytest.fixture(scope="session")
def _http() -> Iterator[HTTPServer]:
    from servers.http import HTTPServer

    yield from _until_end(HTTPServer)


@pytest.fixture
def http(_http: HTTPServer) -> Iterator[HTTPServer]:
    """The HTTP server in this process, on 127.0.0.1."""
    yield from _cleared(_http)


@pytest.fixture(scope="session")
def _http6() -> Iterator[HTTPServer]:
    from servers.http import HTTPServer

    if not _has_ipv6():
        pytest.skip("this machine has no ::1")
    yield from _until_end(HTTPServer, "::1")


@pytest.fixture
def http6(_http6: HTTPServer) -> Iterator[HTTPServer]:
    """The same on ::1."""
    yield from _cleared(_http6)


@pytest.fixture(scope="session")
def _http_unix() -> Iterator[HTTPServer]:
    from servers.http import HTTPServer

    yield from _until_end(HTTPServer, unix=True)


@pytest.fixture
def http_unix(_http_unix: HTTPServer) -> Iterator[HTTPServer]:
    """The same on a Unix socket, `http_unix.unix_path`."""
    yield from _cleared(_http_unix)


@pytest.fixture(scope="session")
def _https(ca: Authority) -> Iterator[HTTPServer]:
    from servers.http import HTTPServer

    yield from _until_end(HTTPServer, tls=ca.server_context())


@pytest.fixture
def https(_https: HTTPServer) -> Iterator[HTTPServer]:
    """The same with TLS; `cainfo` is `ca.cert`."""
    yield from _cleared(_https)


@pytest.fixture(scope="session")
def _http_process() -> Iterator[HTTPProcess]:
    from servers.http_process import HTTPProcess

    yield from _until_end(HTTPProcess)


@pytest.fixture
def http_process(_http_process: HTTPProcess) -> HTTPProcess:
    """The same server in a process of its own; `stats()` tells its counts."""
    _http_process.clear()
    return _http_process


@pytest.fixture(scope="session")
def nginx(ca: Authority) -> Iterator[Nginx]:
    """nginx, for HTTP/2, files and uploads."""
    from servers.nginx import Nginx

    yield from _until_end(Nginx)


@pytest.fixture(scope="session")
def ftp() -> Iterator[FTPServer]:
    """vsftpd; root only."""
    from servers.ftp import FTPServer

    yield from _until_end(FTPServer)


@pytest.fixture(scope="session")
def ftps(ca: Authority) -> Iterator[FTPServer]:
    """vsftpd that wants explicit TLS: an ftp:// URL, and `use_ssl`; root only."""
    from servers.ftp import FTPServer

    yield from _until_end(FTPServer, tls="explicit")


@pytest.fixture(scope="session")
def ftps_implicit(ca: Authority) -> Iterator[FTPServer]:
    """vsftpd with TLS from the first byte: an ftps:// URL; root only."""
    from servers.ftp import FTPServer

    yield from _until_end(FTPServer, tls="implicit")


@pytest.fixture(scope="session")
def sshd() -> Iterator[SSHServer]:
    """sshd, for SFTP and SCP."""
    from servers.ssh import SSHServer

    yield from _until_end(SSHServer)


@pytest.fixture(scope="session")
def tftp() -> Iterator[TFTPServer]:
    """tftpd-hpa; root only."""
    from servers.tftp import TFTPServer

    yield from _until_end(TFTPServer)


@pytest.fixture(scope="session")
def _websocket() -> Iterator[WebSocketServer]:
    from servers.websocket import WebSocketServer

    yield from _until_end(WebSocketServer)


@pytest.fixture
def websocket(_websocket: WebSocketServer) -> Iterator[WebSocketServer]:
    """The WebSocket server."""
    yield from _cleared(_websocket)


@pytest.fixture(scope="session")
def _websocket_tls(ca: Authority) -> Iterator[WebSocketServer]:
    from servers.websocket import WebSocketServer

    yield from _until_end(WebSocketServer, tls=ca.server_context())


@pytest.fixture
def websocket_tls(_websocket_tls: WebSocketServer) -> Iterator[WebSocketServer]:
    """The same with TLS."""
    yield from _cleared(_websocket_tls)


@pytest.fixture(scope="session")
def _proxy() -> Iterator[HTTPProxy]:
    from servers.proxy import HTTPProxy

    yield from _until_end(HTTPProxy)


@pytest.fixture
def proxy(_proxy: HTTPProxy) -> Iterator[HTTPProxy]:
    """tinyproxy, an HTTP proxy."""
    yield from _cleared(_proxy)


@pytest.fixture(scope="session")
def _socks() -> Iterator[SocksProxy]:
    from servers.proxy import SocksProxy

    yield from _until_end(SocksProxy)


@pytest.fixture
def socks(_socks: SocksProxy) -> Iterator[SocksProxy]:
    """A SOCKS proxy."""
    yield from _cleared(_socks)


@pytest.fixture
def dns() -> Iterator[DNSServer]:
    """A DNS server with an empty zone."""
    from servers.dns import DNSServer

    yield from _until_end(DNSServer)


@pytest.fixture(scope="session")
def open_fds() -> Callable[[], set[int]]:
    """A function that returns the numbers of the descriptors open in this process."""
    from servers.descriptors import open_fds

    return open_fds


@pytest.fixture(scope="session")
def no_fd_leak() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """A context manager that asserts that its block leaves no descriptor open."""
    from servers.descriptors import no_fd_leak

    return no_fd_leak


class Script:
    """Runs Python code in a process of its own, where it may crash."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._count = 0

    def __call__(self, code: str, *args: object, **kwargs: Any) -> str:
        """Run the code with `args` in sys.argv[1:]; assert that it succeeds; return its stdout."""
        done = self.run(code, *args, **kwargs)
        assert done.returncode == 0, _story(done)
        return done.stdout

    def run(
        self,
        code: str,
        *args: object,
        timeout: float = 30,
        env: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run the code; return what became of it. `options` are the interpreter's.

        After `timeout` seconds it fails, and shows where each thread was.
        """
        self._count += 1
        path = self._folder / f"script_{self._count}.py"
        path.write_text(textwrap.dedent(code))
        process = subprocess.Popen(
            [sys.executable, "-u", "-X", "faulthandler", *options, str(path), *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            env={**os.environ, "PYTHONPATH": _python_path(), **(env or {})},
            start_new_session=True,
        )
        slow = False
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            slow = True
            process.send_signal(signal.SIGABRT)  # faulthandler writes the stacks
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if slow:
            out, err = process.communicate()
        done = subprocess.CompletedProcess([str(path)], process.returncode, out, err)
        assert not slow, f"took more than {timeout} s\n{_story(done)}"
        return done


def _story(done: subprocess.CompletedProcess[str]) -> str:
    code = done.returncode
    end = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
    source = pathlib.Path(done.args[0]).read_text()
    lines = "".join(f"{n:3} {line}" for n, line in enumerate(source.splitlines(True), 1))
    return f"{end}\n--- script\n{lines}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"


def _python_path() -> str:
    """Return what this process can import beside the standard library and site-packages."""
    usual = tuple(
        sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
    )
    paths = [os.path.abspath(path) for path in sys.path]
    ours = [path for path in paths if not path.startswith(usual) and os.path.isdir(path)]
    return os.pathsep.join(dict.fromkeys([*ours, str(TESTS)]))


@pytest.fixture
def script(tmp_path_factory: pytest.TempPathFactory) -> Script:
    """`script(code, *args)` runs Python code in a subprocess, asserts success, returns stdout."""
    return Script(tmp_path_factory.mktemp("script"))
