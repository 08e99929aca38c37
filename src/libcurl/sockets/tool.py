"""What `sockets=` takes: tools, and how `|` makes a set of them."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6

from libcurl._native import lib
from libcurl.address import _ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from libcurl.address import Address
    from libcurl.engine import Engine
    from libcurl.sockets.log import SocketLog
    from libcurl.sockets.policy import AddressPolicy

    Opener: TypeAlias = Callable[[int, Address], Any]
    #: What `sockets=` takes: a tool, several combined with `|`, or an opener of your own.
    Sockets: TypeAlias = "Tool | Opener"

__all__ = ["Callbacks", "Tool"]


class Tool:
    """A ready-made answer to libcurl's socket callbacks.

    It serves any number of handles, in any number of threads. `a | b` combines two; a callable of
    your own may stand for either of them, as the opener.
    """

    __slots__ = ()

    def __or__(self, other: Sockets) -> Tool:
        return NotImplemented if not callable_or_tool(other) else Set([self, other])

    def __ror__(self, other: Sockets) -> Tool:
        return NotImplemented if not callable_or_tool(other) else Set([other, self])

    def _enter(self, parts: Set) -> None:
        """Add what this tool does to a set."""
        raise NotImplementedError


def family_of(raw: bytes) -> int:
    """The family of a struct sockaddr."""
    return int.from_bytes(raw[:2], _ORDER)


def listens(purpose: int, raw: bytes) -> bool:
    """Whether a socket is to listen, for active FTP: libcurl says it by the port, which is 0."""
    ip = family_of(raw) in (AF_INET, AF_INET6)
    return purpose != lib.CURLSOCKTYPE_IPCXN or (ip and raw[2:4] == b"\0\0")


def callable_or_tool(value: object) -> bool:
    """Whether `|` takes it."""
    return isinstance(value, Tool) or callable(value)


class Callbacks(Tool):
    """Callbacks of your own, among the ready-made ones.

    They take and return what the options of these names do. The opener may return None, for a
    socket as libcurl would open it. What it leaves in the address, or what the socket it returns is
    connected to, is what an AddressPolicy checks.
    """

    __slots__ = ("_close", "_open", "_request", "_tune")

    def __init__(
        self,
        opensocketfunction: Opener | None = None,
        sockoptfunction: Callable[[int, int], int | None] | None = None,
        closesocketfunction: Callable[[int], int | None] | None = None,
        prereqfunction: Callable[[str, str, int, int], int | None] | None = None,
    ) -> None:
        """Take any of the four."""
        self._open = opensocketfunction
        self._tune = sockoptfunction
        self._close = closesocketfunction
        self._request = prereqfunction

    def __repr__(self) -> str:
        names = [
            getattr(function, "__qualname__", None) or repr(function)
            for function in (self._open, self._tune, self._close, self._request)
            if function is not None
        ]
        return f"<Callbacks {' '.join(names)}>"

    def _enter(self, parts: Set) -> None:
        if self._open is not None:
            parts.open_with(self._open)
        if self._tune is not None:
            parts.tuners.append(self._tune)
        if self._close is not None:
            parts.close_with(self._close)
        if self._request is not None:
            parts.requests.append(self._request)


class Set(Tool):
    """Several tools: in what order they work.

    A transfer begins: `begins`. A socket is wanted: `routes` change the address, `policies` check
    it, the `opener` opens (one that may change the address itself comes before the policies), logs
    note it; `tuners` set options. A request goes out: policies and `requests`. A socket is closed:
    logs, then the `closer`.
    """

    __slots__ = (
        "approved",
        "begins",
        "closer",
        "faithful",
        "logs",
        "opener",
        "options",
        "policies",
        "requests",
        "routes",
        "tools",
        "tuners",
    )

    def __init__(self, tools: Iterable[Sockets]) -> None:
        """Combine. TypeError where two tools want to open the socket, or to close it."""
        self.tools: list[Tool] = []
        self.begins: list[Callable[[Engine], None]] = []
        self.routes: list[Callable[[int, Address], None]] = []
        self.policies: list[AddressPolicy] = []
        self.opener: Opener | None = None
        self.faithful = True  # the opener leaves the address alone
        self.tuners: list[Callable[[int, int], int | None]] = []
        self.requests: list[Callable[[str, str, int, int], int | None]] = []
        self.closer: Callable[[int], int | None] | None = None
        self.logs: list[SocketLog] = []
        self.options: list[str] = []  # what tuners set, for logs
        #: Connections, as libcurl reports them, that were checked under another address, and the
        #: Unix socket that was set (`binding`).
        self.approved: dict[tuple[str, str, int, int, bytes | None], None] = {}
        for tool in tools:
            if isinstance(tool, Set):
                self.tools += tool.tools
            else:
                self.tools.append(tool if isinstance(tool, Tool) else Callbacks(tool))
        for tool in self.tools:
            tool._enter(self)
        if len(self.policies) == 1 and not self.translates:
            # Every handle that is given a policy alone has a set of its own.
            self.approved = self.policies[0]._approved

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.tools))

    def open_with(self, opener: Opener, *, faithful: bool = False) -> None:
        """There is one opener."""
        if self.opener is not None:
            raise TypeError("sockets: two of these open the socket")
        self.opener = opener
        self.faithful = faithful

    def close_with(self, closer: Callable[[int], int | None]) -> None:
        """There is one closer."""
        if self.closer is not None:
            raise TypeError("sockets: two of these close the socket")
        self.closer = closer

    @property
    def translates(self) -> bool:
        """Whether a connection may lead elsewhere than libcurl knows."""
        return bool(self.routes) or not self.faithful

    def only_tuner(self) -> Callable[[int, int], int | None] | None:
        """The one that libcurl may call without any detour, if there is nothing else to do."""
        if len(self.tuners) != 1 or self.logs or any(policy.listen for policy in self.policies):
            return None
        return self.tuners[0]

    def bind_by_default(self, handle: Engine) -> None:
        """For a handle that has come to a multi or a share, and has no `sockets` of its own."""
        from libcurl.sockets.binding import bind

        if not handle._in_transfer():
            bind(handle, self, by_default=True)

    def close(self, fd: int) -> int | None:
        """CLOSESOCKETFUNCTION."""
        for log in self.logs:
            if not log._closing(fd):
                return 0  # it is somebody else's by now
        if self.closer is not None:
            return self.closer(fd)
        from os import close

        close(fd)
        return 0


def as_set(value: Sockets) -> Set:
    """What was given to `sockets=`. TypeError for anything else."""
    if isinstance(value, Set):
        return value
    if not callable_or_tool(value):
        raise TypeError(f"sockets takes a tool of libcurl.sockets or a callable, not {value!r:.80}")
    return Set([value])
