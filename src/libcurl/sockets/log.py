"""`SocketLog`: an account of every descriptor."""

from __future__ import annotations

import gc
import os
import sys
import threading
from _socket import IPPROTO_TCP, socket
from time import time

from libcurl.address import _family
from libcurl.sockets.policy import place, written
from libcurl.sockets.tool import Set, Tool, listens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType
    from typing import Any

    from typing_extensions import Self

    from libcurl.address import Address
    from libcurl.sockets.binding import Binding

__all__ = ["SocketLeak", "SocketLog", "SocketRecord"]

# struct tcp_info of Linux, and where it has bytes_received, bytes_sent and bytes_retrans (4.19).
_TCP_INFO = 11
_TCP_INFO_SIZE = 216
_RECEIVED, _SENT, _SENT_AGAIN = (slice(at, at + 8) for at in (128, 200, 208))


class SocketLeak(AssertionError):
    """A SocketLog's block has ended, and a descriptor was left open or closed twice."""


class SocketRecord:
    """One descriptor, from open to close.

    `fd`; `purpose`, "connect", "listen" or "accepted"; `asked`, the address that libcurl asked for,
    and `used`, the one it got, (host, port) or a path; `url`, of the transfer it was opened in,
    without credentials and query; `options`, what SocketOptions has set; `opened` and `closed`, as
    of time.time(), with `opened_by` and `closed_by`, "file:line" and the thread; `sent` and
    `received`, bytes on the wire (TCP on Linux). None where something is not known, or not yet.
    """

    __slots__ = (
        "_inode",
        "asked",
        "closed",
        "closed_by",
        "fd",
        "opened",
        "opened_by",
        "options",
        "purpose",
        "received",
        "sent",
        "url",
        "used",
    )

    def __init__(
        self, fd: int, purpose: str, asked: Any, used: Any, url: str, options: str
    ) -> None:
        """A descriptor was opened just now."""
        self.fd = fd
        self.purpose = purpose
        self.asked = asked
        self.used = used
        self.url = url
        self.options = options
        self.opened = time()
        self.opened_by = _whereabouts()
        self.closed: float | None = None
        self.closed_by: str | None = None
        self.sent: int | None = None
        self.received: int | None = None
        self._inode = _inode(fd)

    def __repr__(self) -> str:
        state = "open" if self.closed is None else "closed"
        return f"<SocketRecord {self.fd} {state} {written(self.used)}>"

    def _is_open(self) -> bool:
        """Whether the descriptor is still that socket."""
        return self.closed is None and _inode(self.fd) == self._inode


class SocketLog(Tool):
    """Who opened which socket, for what, and when it was closed.

    A sequence of SocketRecords; `print(log)` is a table. As a context manager it raises SocketLeak
    when a descriptor that was opened inside is still open at the end, connections kept for later
    transfers among them: close handles first. Or when one was closed by somebody else before
    libcurl closed it; that close is not done, for the number may be another's by now.
    """

    __slots__ = ("_open", "problems", "records")

    def __init__(self) -> None:
        """An empty log."""
        #: All records, in the order of opening.
        self.records: list[SocketRecord] = []
        #: What has gone wrong, in words.
        self.problems: list[str] = []
        self._open: dict[int, SocketRecord] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.check()

    def __len__(self) -> int:
        return len(self.records)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[SocketRecord]:
        return iter(self.records)

    def __getitem__(self, position: int) -> SocketRecord:
        return self.records[position]

    @property
    def open(self) -> list[SocketRecord]:
        """The records of the descriptors that are open now."""
        return [record for record in list(self._open.values()) if record._is_open()]

    def check(self) -> None:
        """SocketLeak where descriptors are open still, or were closed twice."""
        for _ in range(4):  # PyPy may have another thread call what finalizes
            if self.open:
                gc.collect()  # handles that nobody has any more
        problems = list(self.problems)
        problems += [
            f"descriptor {record.fd} was left open: {written(record.used)} for {record.url}, "
            f"opened at {record.opened_by}"
            for record in self.open
        ]
        if problems:
            raise SocketLeak("\n".join([*problems, str(self)]))

    def __repr__(self) -> str:
        return f"<SocketLog of {len(self.records)}, {len(self.open)} open>"

    def __str__(self) -> str:
        rows = [
            (
                "fd",
                "purpose",
                "asked",
                "used",
                "url",
                "options",
                "opened",
                "closed",
                "sent",
                "received",
            )
        ]
        start = self.records[0].opened if self.records else 0.0
        for record in self.records:
            closed = "open" if record._is_open() else "not by libcurl's closer"
            if record.closed is not None:
                closed = f"{record.closed - start:.3f} {record.closed_by}"
            rows.append(
                (
                    str(record.fd),
                    record.purpose,
                    written(record.asked) if record.asked != record.used else "",
                    written(record.used),
                    record.url,
                    record.options,
                    f"{record.opened - start:.3f} {record.opened_by}",
                    closed,
                    "" if record.sent is None else str(record.sent),
                    "" if record.received is None else str(record.received),
                )
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    # -- Called by a set at work -----------------------------------------------------------------

    def _enter(self, parts: Set) -> None:
        parts.logs.append(self)

    def _opened(
        self, binding: Binding, purpose: int, asked: bytes, address: Address, given: Any
    ) -> None:
        fd = given if isinstance(given, int) else given.fileno()
        name = "listen" if listens(purpose, asked) else "connect"
        options = "; ".join(binding.tools.options)
        # A socket that was handed over connected may be of another family, without a name.
        used = place(address._raw) if address._raw[:2] == _family(address.family) else ""
        record = SocketRecord(fd, name, place(asked), used, binding._url(), options)
        self.records.append(record)
        self._open[fd] = record

    def _accepted(self, binding: Binding, fd: int) -> None:
        """FTP's server has connected to us; libcurl closes such a socket by itself."""
        sock = socket(fileno=fd)
        try:
            peer = sock.getpeername()[:2]
        except OSError:
            peer = None
        finally:
            sock.detach()
        options = "; ".join(binding.tools.options)
        record = SocketRecord(fd, "accepted", peer, peer, binding._url(), options)
        self.records.append(record)
        self._open[fd] = record

    def _closing(self, fd: int) -> bool:
        """libcurl closes a descriptor. Whether it is to be done."""
        record = self._open.pop(fd, None)
        if record is None:
            self.problems.append(f"descriptor {fd} was closed twice, at {_whereabouts()}")
            return False
        if not record._is_open():
            self.problems.append(
                f"descriptor {fd} was closed twice: by somebody else, before libcurl closed it at "
                f"{_whereabouts()}"
            )
            return False
        record.sent, record.received = _transferred(fd)
        record.closed = time()
        record.closed_by = _whereabouts()
        return True


def _inode(fd: int) -> int:
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return 0


def _transferred(fd: int) -> tuple[int | None, int | None]:
    """Bytes sent and received over a TCP socket."""
    if not sys.platform.startswith("linux"):
        return None, None
    sock = socket(fileno=fd)
    try:
        info = sock.getsockopt(IPPROTO_TCP, _TCP_INFO, _TCP_INFO_SIZE)
    except OSError:
        return None, None
    finally:
        sock.detach()
    if len(info) < _TCP_INFO_SIZE:
        return None, None
    sent = int.from_bytes(info[_SENT], sys.byteorder) - int.from_bytes(
        info[_SENT_AGAIN], sys.byteorder
    )
    return sent, int.from_bytes(info[_RECEIVED], sys.byteorder)


def _whereabouts() -> str:
    """The line outside this package that is at work, and the thread."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "libcurl":
        frame = frame.f_back
    place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else "exit"
    thread = threading.current_thread()
    return place if thread is threading.main_thread() else f"{place} in {thread.name}"
