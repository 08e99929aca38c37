"""pycurl's options: what setopt takes of a Curl, and what is noted of it."""

from __future__ import annotations

import os
import warnings

from libcurl._native import ffi, lib
from libcurl.engine import Engine
from libcurl.options import BLOB, LIST, NUMBER, SPECIAL, TEXT, Option, by_name, by_number
from libcurl.pycurl.common import error, number, show
from libcurl.pycurl.converters import WRAPPERS
from libcurl.settings import _gathers
from libcurl.special import SETTERS, SLOTS, set_callback, unset_by_reset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from typing_extensions import Self

_note_number = lib.easy_note_number
_note_text = lib.easy_note_text
_note_any_text = lib.easy_note_any_text
_note_list = lib.easy_note_list
_note_post = lib.easy_note_post
_note = lib.easy_note
_learn = lib.easy_note_short
_POSTFIELDS: int = lib.CURLOPT_POSTFIELDS
_NULL = ffi.NULL
_call_back = lib.easy_call_back
_enter = lib.easy_enter
_depth = lib.easy_depth
_leave_to = lib.easy_leave_to

# Options that setopt takes the short way, once they have been set the long way: callables. C knows which
# strings and lists it may pass on.
_functions: dict[int, tuple[Option, str | None, Any]] = {}

_FILES = {
    lib.CURLOPT_READDATA: ("read", lib.CURLOPT_READFUNCTION),
    lib.CURLOPT_WRITEDATA: ("write", lib.CURLOPT_WRITEFUNCTION),
    lib.CURLOPT_HEADERDATA: ("write", lib.CURLOPT_HEADERFUNCTION),
}
_VIEWS = (lib.CURLOPT_WRITEFUNCTION, lib.CURLOPT_HEADERFUNCTION)
#: Kinds of options whose values C notes.
_NOTED = (NUMBER, TEXT, LIST)
# Texts that have libcurl do something at once: read a file, wait for a lock.
_ACTIONS = ("altsvc", "cookiefile", "cookiejar", "cookielist", "hsts", "sslengine")
_OBJECTS = ("share", "mimepost", "curlu", "private", "stderr", "stream_depends", "stream_depends_e")
_DEPRECATED = {
    **dict.fromkeys(
        """
        egdsocket krblevel random_file socks5_gssapi_service tlsauth_type tlsauth_username
        tlsauth_password proxy_tlsauth_type proxy_tlsauth_username proxy_tlsauth_password
        """.split(),
        "setopt option is deprecated",
    ),
    "progressfunction": "PROGRESSFUNCTION is deprecated; use XFERINFOFUNCTION",
    "ioctlfunction": "IOCTLFUNCTION is deprecated; use SEEKFUNCTION",
    "httppost": "HTTPPOST is deprecated; use MIMEPOST",
}


def _is_sequence(value: object) -> bool:
    """Whether a list option takes its items: not those of a dict or a file."""
    return hasattr(value, "__iter__") and not (hasattr(value, "keys") or hasattr(value, "read"))


def set_curlu(curl: OptionMethods, option: Option, url: Any) -> None:
    """CURLU: the very URL, which may be changed between transfers."""
    if url is None:
        unset_by_reset(curl, option)
        return
    native, pointer = curl._handle, url._handle()
    code = curl._point(option.id, url, lambda: lib.easy_set_pointer(native, option.id, pointer))
    if code:
        raise curl._option_error(code, option, url)
    curl._remember(option, url)


class OptionMethods(Engine):
    """What a Curl has of them."""

    if not TYPE_CHECKING:  # which would have it assign to none but these
        __slots__ = ()

    _special = {  # noqa: RUF012, read only
        **SETTERS,
        **dict.fromkeys([name for name in SETTERS if name.endswith("function")], set_callback),
        "closesocketfunction": SETTERS["closesocketfunction"],
        "curlu": set_curlu,
    }

    #: What is set, where C can do no more than note that it is.
    _values: dict[Option, Any] | None

    if TYPE_CHECKING:

        def _check(self, method: str = "setopt") -> None: ...

        def _look_inside(self) -> None: ...

    @property
    def _functions(self) -> Self:
        """pycurl's handles hold their callables themselves."""
        return self

    def _no_settings(self) -> dict[Option, Any]:
        return {}

    @property
    def _settings(self) -> dict[Option, Any]:
        """What is set, as C has noted it (`_native/notes.c`)."""
        handle = self._handle
        settings: dict[Option, Any] = {}
        if handle.note_count:
            depth = _depth(handle)
            try:
                self._look_inside()
                for note in handle.notes[0 : handle.note_count]:
                    option = by_number[note.option]
                    settings[option] = self._noted(option, note)
            finally:
                _leave_to(handle, depth)
        return settings

    @_settings.setter
    def _settings(self, settings: dict[Option, Any]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """C's notes come and go with the options; these are a duplicate's, or none."""
        self._values = {
            option: settings[option] for option in settings if option.kind not in _NOTED
        }

    def _noted(self, option: Option, note: Any) -> Any:
        if note.text:
            return ffi.unpack(note.text, note.number)
        if option.kind == NUMBER:
            return note.number
        if option.kind != LIST:
            values = self._values  # which a reset in another thread may have emptied already
            return values.get(option) if values else None
        items = []
        item = lib.easy_list(self._handle, option.id)
        while item:
            items.append(ffi.string(item.data))
            item = item.next
        return items

    def _remember(self, option: Option, value: Any) -> None:
        if option.kind not in _NOTED:
            self._register()
            if self._values is None:
                self._values = {}
            self._values[option] = value
        code = _note(self._handle, option.id, True)
        if code:
            raise self._option_error(code, option, value)

    def _for_twin(self, option: Option, value: Any) -> Any:
        """Of a body, a copy: as with libcurl's own, nothing that becomes of the original changes it."""
        if option.id != lib.CURLOPT_MIMEPOST or value is None:
            return value
        from libcurl.pycurl.mime import copied

        return copied(value)

    def _unremember(self, option: Option) -> None:
        _note(self._handle, option.id, False)
        if self._values:
            self._values.pop(option, None)

    def setopt(self, option: int, value: Any, *, use_memoryview: bool | None = None) -> None:
        """Set an option; None unsets it."""
        # The short way, for an option that has been set the long way.
        try:
            kind = type(value)
            if use_memoryview is not None:
                pass
            elif kind is int or kind is bool:
                if not _note_number(self._handle, option, value):
                    return
            elif kind is str:
                data = value.encode()
                if not _note_text(self._handle, option, data, len(data)):
                    return
                if option == _POSTFIELDS and value.isascii() and self._post(data):
                    return
            elif kind is list:
                text = "\0".join(value)
                if text.isascii():
                    data = text.encode()
                    if not _note_list(self._handle, option, data, len(data), len(value)):
                        return
            elif kind is bytes:
                if not _note_text(self._handle, option, value, len(value)):
                    return
                if option == _POSTFIELDS and self._post(value):
                    return
            elif value is None:
                if not _note_text(self._handle, option, _NULL, 0):
                    return
            elif self._call_back(_functions[option], value):
                return
        except (KeyError, TypeError, OverflowError, UnicodeEncodeError):
            pass
        self._setopt(option, value, use_memoryview)

    def _post(self, data: bytes) -> bool:
        """Set POSTFIELDS where they are so short that libcurl may copy them; whether they are."""
        if _note_post(self._handle, data, len(data)):
            return False
        if self._kept is not None:
            self._keep(_POSTFIELDS, None)
        if self._values is not None:
            self._values.pop(by_number[_POSTFIELDS], None)
        return True

    def _call_back(self, how: tuple[Option, str | None, Any], value: Any) -> bool:
        """Install a callable, or a method of a file; whether that worked."""
        option, method, wrapper = how
        if method is None:
            function = value
        elif callable(value):
            return False
        else:
            function = getattr(value, method, None)
        if not callable(function):
            return False
        gathers = option is _WRITEFUNCTION and _gathers(function)
        if wrapper is not None:
            function = wrapper(function)
        handle = self._handle
        depth = _depth(handle)
        try:
            if _enter(handle):
                return False
            # There before libcurl calls it, whatever interrupts this.
            callbacks = self._callbacks
            added = option not in callbacks
            if added:
                self._register()
            setattr(self, option.slot, function)
            if added:
                self._callbacks = (*callbacks, option)
            return not _call_back(handle, option.id, gathers)
        finally:
            _leave_to(handle, depth)

    def _setopt(self, which: int, value: Any, use_memoryview: bool | None) -> None:
        """setopt, the long way."""
        option = self._option("setopt", which)
        if use_memoryview is not None and option.id not in _VIEWS:
            raise TypeError("use_memoryview is only supported for WRITEFUNCTION and HEADERFUNCTION")
        name = option.name
        if value is None:
            self._unset([option])
            return
        if option.kind == BLOB:
            self._set_blob(option, value)
        elif name == "private":
            self._set(option, value)
        elif isinstance(value, (str, bytes)):
            self._set_string(option, value)
        elif isinstance(value, int):
            self._set_int(option, value)
        elif isinstance(value, (list, tuple)):
            self._set_sequence(option, value)
        elif callable(value):
            self._set_function(option, value, use_memoryview)
        elif name in _OBJECTS:
            self._set_object(option, value)
        elif option.id in _FILES:
            method, function = _FILES[option.id]
            if not hasattr(value, method):
                raise TypeError(f"object given without a {method} method")
            option = by_number[function]
            self._set_function(option, getattr(value, method), None)
            _functions[which] = (option, method, _functions[function][2])
        elif option.kind == TEXT and isinstance(value, (os.PathLike, bytearray, memoryview)):
            self._set_string(option, option.text(value))
        elif name == "postfields" and isinstance(value, (bytearray, memoryview)):
            self._set(option, value)
        elif option.kind == LIST and _is_sequence(value):
            self._set_sequence(option, list(value))
        else:
            raise TypeError("invalid arguments to setopt")

    def _set(self, option: Option, value: Any) -> None:
        kind = option.kind
        if kind not in _NOTED or value is None:
            super()._set(option, value)
            return
        handle = self._handle
        if kind == NUMBER:
            code = _note_number(handle, option.id, option.number(value))
        elif kind == TEXT:
            text = option.text(value)
            code = _note_any_text(handle, option.id, text, len(text))
        else:
            texts = option.texts(value)
            items = b"\0".join(texts)
            _learn(option.id, lib.SHORT_LIST)
            code = _note_list(handle, option.id, items, len(items), len(texts))
        if code:
            raise self._option_error(code, option, value)

    def _option(self, method: str, option: int) -> Option:
        found = number(option)
        self._check(method)
        try:
            return by_number[found]
        except Exception as failure:
            from libcurl.errors import Error

            if isinstance(failure, (TypeError, Error)):  # and nothing of a signal handler's
                raise TypeError(f"invalid arguments to {method}") from None
            raise

    def _set_blob(self, option: Option, value: Any) -> None:
        if isinstance(value, str):
            value = value.encode("ascii")
        try:
            view = memoryview(value)
        except TypeError:
            raise TypeError(
                "blob option value must be a byte string, ASCII-only Unicode string, or a buffer object"
            ) from None
        if not view.contiguous:
            raise BufferError("memoryview: underlying buffer is not C-contiguous")
        self._set(option, bytes(view))

    def _set_string(self, option: Option, value: str | bytes) -> None:
        name = option.name
        if name in ("postfields", "copypostfields"):
            # The length of other text would not be that of its bytes, which many a Content-Length forgets.
            self._set(option, value.encode("ascii") if isinstance(value, str) else value)
            return
        if name == "wildcardmatch":
            self._set(option, 1)
            return
        if option.kind != TEXT:
            raise TypeError("strings are not supported for this option")
        _warn(option)
        data = value.encode() if isinstance(value, str) else bytes(value)
        if b"\0" in data:
            raise ValueError("embedded null byte")
        self._set(option, data)
        if name not in _DEPRECATED and name not in _ACTIONS:
            _learn(option.id, lib.SHORT_TEXT)

    def _set_int(self, option: Option, value: int) -> None:
        if option.kind != NUMBER and not option.name.startswith("postfieldsize"):
            raise TypeError("integers are not supported for this option")
        if not -1 << 63 <= value < 1 << 63:
            raise OverflowError("Python int too large to convert to C long")
        self._set(option, int(value))

    def _set_sequence(self, option: Option, value: list[Any] | tuple[Any, ...]) -> None:
        if option.name == "httppost":
            from libcurl.pycurl.form import set_httppost

            _warn(option)
            set_httppost(self, value)
            return
        if option.kind != LIST:
            raise TypeError("lists are not supported for this option")
        for item in value:
            if not isinstance(item, (str, bytes)):
                raise TypeError(
                    "list items must be byte strings or Unicode strings with ASCII code points only"
                )
        items = [item.encode("ascii") if isinstance(item, str) else item for item in value]
        self._set(option, items)

    def _set_function(
        self, option: Option, function: Callable[..., Any], use_memoryview: bool | None
    ) -> None:
        name = option.name
        if option.kind != SPECIAL or not name.endswith("function"):
            raise TypeError("functions are not supported for this option")
        _warn(option)
        wrapper = WRAPPERS.get("use_memoryview" if use_memoryview else name)
        self._set(option, function if wrapper is None else wrapper(function))
        if option.slot in SLOTS and name not in _DEPRECATED and not use_memoryview:
            _functions[option.id] = option, None, wrapper

    def _set_object(self, option: Option, value: Any) -> None:
        name = option.name
        if name == "share":
            from libcurl.pycurl.share import CurlShare

            if self._share is not None:
                raise error("Curl object already sharing. Unshare first.")
            if not isinstance(value, CurlShare):
                raise TypeError("invalid arguments to setopt")
            value._attach(self, option)
            return
        elif name == "mimepost":
            from libcurl.pycurl.mime import check_mimepost

            check_mimepost(self, value)
        elif name == "curlu":
            from libcurl.pycurl.url import CurlUrl

            if not isinstance(value, CurlUrl):
                raise TypeError("setopt(option=CURLU) expects a CurlUrl object")
        self._set(option, value)

    def setopt_string(self, option: int, value: str | bytes) -> None:
        """Set a string option."""
        if not isinstance(value, (str, bytes)):
            self._check("setopt")
            raise TypeError("invalid arguments to setopt_string")
        self._setopt(option, value, None)

    def unsetopt(self, option: int) -> None:
        """Give an option back its default."""
        self._unset([self._option("unsetopt", option)])

    def _unset(self, options: list[Option]) -> None:
        [option] = options
        name = option.name
        if name == "httppost":
            name, option = "mimepost", by_name["mimepost"]
        if option.id in _FILES:
            option = by_number[_FILES[option.id][1]]
        if option.kind == TEXT and not _note_any_text(self._handle, option.id, _NULL, 0):
            return
        super()._unset([option])

    def set_ca_certs(self, value: str | bytes) -> None:
        """Trust these certificates too: PEM."""
        self._check("set_ca_certs")
        if not isinstance(value, (str, bytes)):
            raise TypeError(_CA_CERTS)
        try:
            data = value.encode("ascii") if isinstance(value, str) else value
        except UnicodeEncodeError:
            raise TypeError(_CA_CERTS) from None
        if b"-----BEGIN " not in data:
            self._set_callback(by_name["ssl_ctx_function"], _no_certificate)
            lib.easy_set_text(self._handle, lib.CURLOPT_CAINFO, _NULL)
            return
        self._set(by_name["cainfo_blob"], data + b"\n" + self._default_certificates())

    def _default_certificates(self) -> bytes:
        """Those that it would trust without set_ca_certs."""
        path = self._settings.get(by_name["cainfo"])
        try:
            if path is None:
                path = ffi.string(lib.curl_version_info(lib.CURLVERSION_NOW).cainfo)
            with open(path, "rb") as file:
                return file.read()
        except (OSError, RuntimeError):
            return b""


def _warn(option: Option) -> None:
    if option.name in _DEPRECATED:
        warnings.warn(_DEPRECATED[option.name], DeprecationWarning, 5)


_WRITEFUNCTION = by_name["writefunction"]
_CA_CERTS = (
    "set_ca_certs argument must be a byte string or a Unicode string with ASCII code points only"
)


def _no_certificate(ssl_ctx: int) -> int:
    """SSL_CTX_FUNCTION where set_ca_certs was given none."""
    show(error("set_ca_certs: no certificate in PEM format"))
    return lib.CURLE_FAILED_INIT  # type: ignore[no-any-return]
