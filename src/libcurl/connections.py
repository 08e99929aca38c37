"""Who closes a connection's socket, and what keeps that closer alive.

The story of a connection:

1. An easy is given a closesocketfunction. It becomes a `Closer`, an immutable cell under a number that
   is never used twice; that number, not a pointer, is CLOSESOCKETDATA.
2. libcurl makes a connection and copies (function, number) into it. Nothing done to the easy from then
   on changes what this connection will call: not another closer, reset, close or collection.
3. libcurl opens the connection's socket through our C opener, which books the descriptor under the
   number that is current then (`_native/sockets.c`).
4. The connection lives in a cache: the easy's own, or that of the multi or the share it was used with.
   Each is a `ConnectionCache` here, and holds the closers that its connections may call.
5. libcurl closes the socket, from whatever transfer, in whatever thread. C strikes out the booking,
   then calls `python_closesocket` with the number, which finds the closer and calls it, once.
6. A closer that no easy has set and no descriptor is booked under is dropped: at once where it is
   replaced, after the next call of its cache where the last socket was closed by one (never inside a
   callback, where libcurl may still be about to use it).
7. The cache is destroyed: libcurl has closed what it could; what it closed behind our back (an accepted
   FTP data connection, say) is struck out, and everything is released.

A closer replaced while its easy is in a transfer is kept by its successor: a connection that is still
being resolved may have copied it in step 2, and will be booked under the successor in step 3.

Registered by weak reference, so that a closer which refers to its own easy is no leak. Where a cycle is
collected that is dead: the caches of the handle that is used, or closed, still have it.
"""

from __future__ import annotations

from _operator import index
from _weakref import ref

from libcurl._native import ffi, lib
from libcurl.registry import Registry, in_use, leave, report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Protocol

    from libcurl.engine import Engine
    from libcurl.options import Option

    class Setter(Protocol):
        """What this module needs of the easy handle that set a closer."""

        def _closer_failed(self, exception: BaseException) -> bool: ...


#: Every closer that may still be called, by its number.
closers = Registry()


class Closer:
    """A closesocketfunction and what holds it."""

    __slots__ = ("__weakref__", "caches", "function", "holders", "id", "predecessor", "setter")

    def __init__(self, function: Callable[[int], Any] | None, setter: Setter) -> None:
        """`function` None stands for libcurl's own way of closing."""
        self.id: int = lib.new_id()
        self.function = function
        self.setter: Callable[[], Setter | None] = ref(setter)
        #: By weak reference: without its caches nobody calls it.
        self.caches: list[Callable[[], ConnectionCache | None]] = []
        self.holders = 1  # the easy that set it, and successors
        self.predecessor: Closer | None = None
        closers.add(self.id, self)

    def succeed(self, predecessor: Closer) -> None:
        """Keep the closer that this one replaces in the middle of a transfer."""
        predecessor.holders += 1
        self.predecessor = predecessor

    def held_by(self) -> list[ConnectionCache]:
        """The caches whose connections may call it."""
        return [cache for found in self.caches if (cache := found()) is not None]

    def release(self) -> None:
        """One holder less."""
        self.holders -= 1
        self.drop_unused()

    def drop_unused(self) -> None:
        """Without holders it goes, unless a descriptor is booked under it; and so do its predecessors."""
        closer: Closer | None = self
        while closer is not None and not closer.holders:
            if lib.sockets_booked(closer.id):
                for cache in closer.held_by():
                    cache.released = True
                return
            closer = closer._drop()
            if closer is not None:
                closer.holders -= 1

    def _drop(self) -> Closer | None:
        """Nobody can call it any more. Returns the predecessor, whose holder it was."""
        for cache in self.held_by():
            cache.closers.pop(self.id, None)
        self.caches = []
        closers.pop(self.id, None)
        predecessor, self.predecessor = self.predecessor, None
        return predecessor


class ConnectionCache:
    """What keeps the closers of one of libcurl's connection caches alive."""

    __slots__ = ("__weakref__", "closers", "current", "released")

    def __init__(self) -> None:
        self.current: Closer | None = None  # where it is an easy's: the one that is set
        self.closers: dict[int, Closer] = {}
        self.released = False  # whether one of them has no holders

    def hold(self, closer: Closer) -> None:
        """Connections of this cache may call `closer` from now on."""
        if closer.id not in self.closers:
            self.closers[closer.id] = closer
            closer.caches.append(ref(self))

    def settle(self) -> None:
        """After a call into libcurl: drop what neither an easy nor a descriptor holds any more."""
        if self.released:
            self.released = False
            for closer in list(self.closers.values()):
                closer.drop_unused()

    def destroyed(self) -> None:
        """After libcurl has destroyed the cache."""
        for closer in list(self.closers.values()):
            # Where a cycle is collected the references to both of them are dead already.
            closer.caches = [found for found in closer.caches if found() not in (None, self)]
            self.closers.pop(closer.id, None)
            if closer.held_by():
                closers[closer.id] = ref(closer)
                continue
            lib.sockets_forget(closer.id)
            closers[closer.id] = ref(closer)
            closer.drop_unused()


def _find(number: int) -> Closer | None:
    """The closer that C knows by this number."""
    found = closers.get(number)
    closer: Closer | None = found() if found else None
    if closer is None:
        caches: list[ConnectionCache]
        for caches in (handle._caches() for handle in in_use()):
            for cache in caches:
                closer = cache.closers.get(number)
                if closer is not None:
                    closers[number] = ref(closer)
                    return closer
    return closer


def _failed(
    kind: type[BaseException], exception: BaseException, traceback: TracebackType | None
) -> int | None:
    """cffi's onerror for closers: the easy that set it raises it, or nobody can."""
    if traceback is None:
        report(exception, "CURLOPT_CLOSESOCKETFUNCTION")
        return None
    values = traceback.tb_frame.f_locals
    closer = _find(values.get("closer", 0))
    setter = closer.setter() if closer is not None else None
    if setter is None or not setter._closer_failed(exception):
        leave(exception, "CURLOPT_CLOSESOCKETFUNCTION")
    # Interrupted before it called anything: the descriptor is still to be closed.
    return None if "function" in values else python_closesocket(values["closer"], values["fd"])


def python_closesocket(closer: int, fd: int) -> int:
    """CURLOPT_CLOSESOCKETFUNCTION. -1 leaves the descriptor to C."""
    cell = _find(closer)
    if cell is None or cell.function is None:
        return -1
    function = cell.function
    answer = function(fd)
    if answer is None:
        return 0
    try:
        return 1 if index(answer) else 0
    except TypeError:
        raise TypeError(
            f"CURLOPT_CLOSESOCKETFUNCTION returned {type(answer).__name__}, expected 0, 1 or None"
        ) from None


ffi.def_extern("python_closesocket", error=1, onerror=_failed)(python_closesocket)


def install_closer(easy: Engine, option: Option, function: Callable[[int], Any] | None) -> None:
    """Install a closer for the connections that will be made."""
    if function is not None and not callable(function):
        raise option.refused(function, "a callable")
    replaced = easy._closer
    if function is None and replaced is None:
        if easy.closed:
            raise easy._refusal(lib.HANDLE_CLOSED)
        return
    closer = None
    if function is not None or easy._in_transfer():
        closer = Closer(function, easy)
    code = lib.easy_set_closer(
        easy._handle, closer.id if closer is not None else 0, function is not None
    )
    if code:
        if closer is not None:
            closer.release()
        raise easy._option_error(code, option, function)
    if closer is not None:
        easy._register()
        if easy._cache is None:
            easy._cache = ConnectionCache()
        for cache in easy._caches():
            cache.hold(closer)
        if replaced is not None and easy._in_transfer():
            closer.succeed(replaced)
    easy._closer = closer
    if replaced is not None:
        easy._attend()  # it goes with its last connection
        replaced.release()
