"""`Share`: libcurl's share interface, what several easy handles have in common."""

from __future__ import annotations

from _operator import index

from libcurl._native import lib
from libcurl.registry import Closing
from libcurl.share_engine import ShareEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from libcurl.sockets.tool import Sockets

__all__ = ["Share"]


class Share(Closing, ShareEngine):
    """Cookies, connections, TLS sessions and more that easy handles share.

    `Share(LockData.COOKIE, LockData.DNS)`, then `Easy(share=share)`. The handles may work in different
    threads, locks are taken in C; but libcurl does not support handles that share connections
    (LockData.CONNECT) in two threads at the same time: 8.23 crashes. Attached handles keep the share
    alive; one in a multi can neither be attached nor detached. The closers of connections in a shared cache
    live until these close.
    """

    __slots__ = ()

    def __init__(self, *data: int, sockets: Sockets | None = None) -> None:
        """Make a share (curl_share_init) of these `LockData`.

        `sockets` (see libcurl.sockets) is for all handles attached that have none of their own.
        """
        self._begin()
        if sockets is not None:
            from libcurl.sockets.tool import as_set

            self._sockets = as_set(sockets)
        self.share(*data)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}{' closed' if self.closed else ''}>"

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return bool(lib.share_closed(self._handle))

    def share(self, *data: int) -> None:
        """Share these `LockData` too (CURLSHOPT_SHARE); ShareError IN_USE once a handle is attached."""
        for kind in data:
            self._set(lib.CURLSHOPT_SHARE, index(kind))

    def unshare(self, *data: int) -> None:
        """Share these `LockData` no more (CURLSHOPT_UNSHARE); ShareError IN_USE while one is attached."""
        for kind in data:
            self._set(lib.CURLSHOPT_UNSHARE, index(kind))
