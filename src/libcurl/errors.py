"""What can go wrong in libcurl, as exceptions: one class, and subclasses where Python has one of its own.

Imported when something does.
"""

from __future__ import annotations

from libcurl import raw
from libcurl._native import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from libcurl.constants import Code, MCode, SHCode, UCode

__all__ = [
    "CouldntConnect",
    "CouldntResolveHost",
    "Error",
    "MultiError",
    "NotReady",
    "NotSupported",
    "OperationTimedOut",
    "PeerGone",
    "ShareError",
    "UrlError",
]


class Error(Exception):
    """A libcurl function has failed.

    `code` is libcurl's code (a CURLcode unless a subclass says otherwise), `message` the text of the
    transfer's error buffer, or what curl_easy_strerror says of the code. Neither holds credentials.
    """

    _family = "Code"

    def __init__(self, code: int, message: str = "") -> None:
        """Take the code and what is known of the circumstances."""
        super().__init__(code, message)
        self._code = int(code)
        self.message = message
        error: BaseException = self
        if isinstance(error, OSError):
            error.errno = None  # OSError takes the first of two arguments for it

    @property
    def code(self) -> Code:
        """The code as a member of its enum; an int where the enum has no such member."""
        from libcurl import constants

        enum = getattr(constants, self._family)
        try:
            member: Code = enum(self._code)
        except ValueError:
            return self._code  # type: ignore[return-value]  # of a libcurl newer than our table
        return member

    def __str__(self) -> str:
        code = self.code
        name = getattr(code, "name", "error")
        return f"{name} ({int(code)}): {self.message}" if self.message else f"{name} ({int(code)})"

    def __reduce__(self) -> tuple[object, ...]:
        state = dict(self.__dict__)
        if isinstance(self, OSError):
            state["errno"] = self.errno
        return type(self), (self._code, self.message), state

    def __setstate__(self, state: dict[str, Any] | None) -> None:
        # PyPy's own would put `errno` where OSError does not look for it.
        for name, value in (state or {}).items():
            setattr(self, name, value)


class OperationTimedOut(Error, TimeoutError):
    """CURLE_OPERATION_TIMEDOUT. `errno` is CURLINFO_OS_ERRNO, None where that is 0."""


class CouldntConnect(Error, ConnectionError):
    """CURLE_COULDNT_CONNECT. `errno` is CURLINFO_OS_ERRNO, None where that is 0."""


class CouldntResolveHost(Error, ConnectionError):
    """CURLE_COULDNT_RESOLVE_HOST or _PROXY. `errno` is CURLINFO_OS_ERRNO, None where that is 0."""


class PeerGone(Error, ConnectionError):
    """CURLE_SEND_ERROR, CURLE_RECV_ERROR or CURLE_GOT_NOTHING: the connection broke.

    `errno` is CURLINFO_OS_ERRNO, None where that is 0.
    """


class NotReady(Error, BlockingIOError):
    """CURLE_AGAIN: send or recv would have to wait for the socket."""


class NotSupported(Error):
    """The loaded libcurl lacks a function or an option: too old, or built without it."""

    def __str__(self) -> str:
        return self.message


class MultiError(Error):
    """A curl_multi function has failed; `code` is a CURLMcode."""

    _family = "MCode"

    if TYPE_CHECKING:

        @property
        def code(self) -> MCode: ...  # type: ignore[override]


class ShareError(Error):
    """A curl_share function has failed; `code` is a CURLSHcode."""

    _family = "SHCode"

    if TYPE_CHECKING:

        @property
        def code(self) -> SHCode: ...  # type: ignore[override]


class UrlError(Error):
    """A curl_url function has failed; `code` is a CURLUcode."""

    _family = "UCode"

    if TYPE_CHECKING:

        @property
        def code(self) -> UCode: ...  # type: ignore[override]


_CLASSES: dict[int, type[Error]] = {
    lib.CURLE_NOT_BUILT_IN: NotSupported,
    lib.CURLE_UNKNOWN_OPTION: NotSupported,
    lib.CURLE_COULDNT_RESOLVE_PROXY: CouldntResolveHost,
    lib.CURLE_COULDNT_RESOLVE_HOST: CouldntResolveHost,
    lib.CURLE_COULDNT_CONNECT: CouldntConnect,
    lib.CURLE_OPERATION_TIMEDOUT: OperationTimedOut,
    lib.CURLE_GOT_NOTHING: PeerGone,
    lib.CURLE_SEND_ERROR: PeerGone,
    lib.CURLE_RECV_ERROR: PeerGone,
    lib.CURLE_AGAIN: NotReady,
}


def easy_error(code: int, message: str = "", errno: int = 0) -> Error:
    """The exception for a CURLcode."""
    if not message:
        message = ffi.string(lib.curl_easy_strerror(code)).decode()
    error = _CLASSES.get(code, Error)(code, message)
    if isinstance(error, OSError):
        error.errno = errno or None
    return error


def needs(name: str, version: str) -> NotSupported:
    """The exception for a function or option that came with a later libcurl."""
    return NotSupported(
        lib.CURLE_NOT_BUILT_IN, f"{name} needs libcurl {version}, this is {raw.LOADED_TEXT}"
    )
