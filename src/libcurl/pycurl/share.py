"""`CurlShare`: pycurl's face of a share handle."""

from __future__ import annotations

from _thread import allocate_lock
from _weakrefset import WeakSet

from libcurl._native import lib
from libcurl.options import Option, by_name
from libcurl.pycurl.common import CurlShareAttributes, dict_of_subclasses, error, refused
from libcurl.pycurl.names import OWNED
from libcurl.registry import report
from libcurl.share_engine import ShareEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from typing import Any

    from typing_extensions import Self

    from libcurl.engine import Engine

_SHARE = by_name["share"]
_KINDS = {value for name, value in OWNED["CurlShare"].items() if name.startswith("LOCK_DATA_")}
_KINDS -= {lib.CURL_LOCK_DATA_NONE, lib.CURL_LOCK_DATA_SHARE}


class CurlShare(CurlShareAttributes, ShareEngine):
    """What handles have in common, as pycurl has it."""

    __slots__ = ("_detach_on_close", "_lock", "_users")
    __module__ = "pycurl"
    __dict__ = dict_of_subclasses(set())

    _kind = "CurlShare"

    _detach_on_close: bool
    _lock: LockType
    _users: WeakSet[Any]

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Make a handle; a subclass takes arguments of its own."""
        detach_on_close = True
        if cls is CurlShare:
            detach_on_close = bool(kwargs.pop("detach_on_close", True))
            if args or kwargs:
                raise TypeError("CurlShare() takes detach_on_close only, by keyword")
        self = super().__new__(cls)
        self._begin()
        self._detach_on_close = detach_on_close
        self._lock = allocate_lock()
        self._users = WeakSet()
        return self

    def _attach(self, curl: Engine, option: Option) -> None:
        with self._lock:
            if self.closed:
                raise error("CurlShare is closed")
            curl._set(option, self)
            self._users.add(curl)
            self._abandoned = False

    def __init__(self, *, detach_on_close: bool = True) -> None:
        """With `detach_on_close`, close() takes the share away from the handles that use it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        CurlShare.close(self)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return bool(lib.share_closed(self._handle))

    def _check(self, method: str) -> None:
        if self.closed:
            raise refused(lib.HANDLE_CLOSED, "share", method)

    def close(self) -> None:
        """Close it, and the connections in it. `error` while it is in use. Idempotent."""
        with self._lock:
            self._close_unused()

    def _close_unused(self) -> None:
        using = [curl for curl in self._users if curl._share is self]
        if self._detach_on_close:
            for curl in using:
                if not lib.easy_idle(curl._handle) and not curl._handle.joined:
                    curl._set_share(_SHARE, None)
            using = [curl for curl in using if curl._share is self]
        if using:
            plural = "" if len(using) == 1 else "s"
            raise error(
                f"cannot close CurlShare: still in use by {len(using)} active Curl object{plural}"
            )
        super().close()

    def __del__(self) -> None:
        """Close it, unless it is in use."""
        try:
            if not self.closed:
                self._abandoned = True
                self._close()
        except AttributeError:
            pass
        except Exception as exception:
            report(exception, self)

    def _end_abandoned(self) -> None:
        """Its connections are closed, but it is not: its finalizer may have saved it."""
        if not lib.share_empty(self._handle):
            self._cache.destroyed()

    def _make_error(self, code: int, message: str) -> Exception:
        return error(code, message)

    def setopt(self, option: int, value: int) -> None:
        """SH_SHARE or SH_UNSHARE a kind of data."""
        if not isinstance(value, int) or not 0 < option < 1 << 16:
            raise TypeError("invalid arguments to setopt")
        if option not in (lib.CURLSHOPT_SHARE, lib.CURLSHOPT_UNSHARE):
            raise TypeError("integers are not supported for this option")
        with self._lock:
            self._check("setopt")
            self._set_one(option, value)

    def _set_one(self, option: int, kind: int) -> None:
        if kind not in _KINDS:
            raise TypeError("invalid arguments to setopt")
        self._set(option, kind)

    def share(self, *kinds: int) -> None:
        """Share these LOCK_DATA kinds."""
        self._set_all("share", lib.CURLSHOPT_SHARE, kinds)

    def unshare(self, *kinds: int) -> None:
        """Share these LOCK_DATA kinds no more."""
        self._set_all("unshare", lib.CURLSHOPT_UNSHARE, kinds)

    def _set_all(self, method: str, option: int, kinds: tuple[int, ...]) -> None:
        if not kinds:
            raise TypeError("at least one LOCK_DATA_* argument required")
        self._check(method)
        for kind in kinds:
            if isinstance(kind, (list, tuple)):
                raise TypeError(
                    "list/tuple arguments are not expanded; pass each LOCK_DATA_* constant individually"
                )
            if not isinstance(kind, int):
                raise TypeError("arguments must be LOCK_DATA_* integers")
            with self._lock:
                self._check(method)
                self._set_one(option, kind)
