"""`CurlMime` and `CurlMimePart`: pycurl's face of MIME bodies."""

from __future__ import annotations

import os
from operator import index

from libcurl._native import ffi, lib
from libcurl.mime_engine import MimeEngine, MimePartEngine
from libcurl.mime_sources import Source, late_file
from libcurl.options import by_name
from libcurl.pycurl.common import error, refused
from libcurl.pycurl.converters import read_answer, seek_answer
from libcurl.registry import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from typing_extensions import Buffer, Self

    from libcurl.engine import Engine
    from libcurl.mime_engine import Tree
    from libcurl.pycurl.curl import Curl

    Text = str | bytes

_MIMEPOST = by_name["mimepost"]


def _text(value: object) -> bytes:
    if isinstance(value, str):
        data = value.encode("ascii")
    elif isinstance(value, bytes):
        data = value
    else:
        raise TypeError(f"expected bytes or an ASCII string, got {type(value).__name__}")
    if b"\0" in data:
        raise ValueError("embedded null byte")
    return data


def _data(value: object, what: str) -> bytes:
    if isinstance(value, str):
        return value.encode("ascii")
    if isinstance(value, bytes):
        return value
    try:
        return bytes(memoryview(value))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"{what} must be a byte string, ASCII-only Unicode string, or a buffer object"
        ) from None


def _headers(value: object) -> bytes:
    if not isinstance(value, (list, tuple)):
        raise TypeError("headers must be a list or tuple of strings")
    if not all(isinstance(line, (str, bytes)) for line in value):
        raise TypeError("headers must contain only byte or ascii-unicode strings")
    return b"".join([_text(line) + b"\0" for line in value])


class _Part(MimePartEngine):
    """A part whose file may be gone when libcurl is told of it: it is looked for again when it is sent."""

    __slots__ = ()

    def _unreadable(self, part: Any, tree: Tree, easy: Engine) -> int:
        _kind, path = self._content  # type: ignore[misc]
        code: int = lib.curl_mime_filename(part, os.path.basename(path))
        return code or tree.read(part, late_file(path), easy)


class CurlMimePart(_Part):
    """A part of a body, as pycurl has it: made by `CurlMime.addpart`."""

    __slots__ = ("_owner",)
    __module__ = "pycurl"

    #: Kept alive, as pycurl does it.
    _owner: CurlMime | None

    def __del__(self) -> None:
        """The body's own end lets go of what is in it."""

    def _check(self, method: str) -> CurlMime:
        mime = self._mime()
        if mime is None or mime.closed:  # type: ignore[attr-defined]
            raise error(f"cannot invoke {method}() - no mime handle")
        mime._check_open(method)  # type: ignore[attr-defined]
        return mime  # type: ignore[return-value]

    def _assign(self, fields: dict[str, bytes | None], *content: Any) -> None:
        held = self._content
        try:
            super()._assign(fields, *content)
        except error:
            raise
        except Exception as failure:
            code = getattr(failure, "_code", None)
            if code is None:
                raise
            reason = lib.curl_easy_strerror(code)
            raise error(code, ffi.string(reason).decode()) from None
        if content and isinstance(held, CurlMime) and held is not self._content:
            held._end()

    def name(self, name: Text) -> None:
        """The name of the field."""
        self._check("name")
        self._assign({"name": _text(name)})

    def filename(self, filename: Text) -> None:
        """The file name that is told."""
        self._check("filename")
        self._assign({"filename": _text(filename)})

    def type(self, content_type: Text) -> None:
        """The content type."""
        self._check("type")
        self._assign({"type": _text(content_type)})

    def encoder(self, encoding: Text) -> None:
        """The transfer encoding."""
        self._check("encoder")
        self._assign({"encoder": _text(encoding)})

    def headers(self, headers: list[Text] | tuple[Text, ...]) -> None:
        """More headers."""
        self._check("headers")
        self._assign({"headers": _headers(headers)})

    def data(self, data: Text | Buffer) -> None:
        """The content, copied."""
        self._check("data")
        self._assign({}, ("data", _data(data, "data() argument")))

    def filedata(self, path: Text) -> None:
        """A file that is read while it is sent."""
        self._check("filedata")
        self._assign({}, ("file", _text(path)))

    def data_cb(
        self,
        datasize: int | None,
        read: Callable[[Any, int], Any],
        seek: Callable[[Any, int, int], Any] | None = None,
        free: Callable[[Any], Any] | None = None,
        userdata: Any = None,
    ) -> None:
        """What `read(userdata, size)` gives while it is sent."""
        self._check("data_cb")
        if not callable(read):
            raise TypeError("read must be callable")
        if seek is not None and not callable(seek):
            raise TypeError("seek must be callable or None")
        if free is not None and not callable(free):
            raise TypeError("free must be callable or None")
        if datasize is not None and not isinstance(datasize, int):
            raise TypeError("datasize must be an integer >= -1 or None")
        size = -1 if datasize is None else index(datasize)
        if size < -1:
            raise ValueError("datasize must be >= -1")
        if size >= 1 << 63:
            raise OverflowError("datasize does not fit into curl_off_t")

        def reader(wanted: int) -> Any:
            return read_answer(read(userdata, wanted), wanted, "mime read callback")

        def seeker(offset: int, origin: int) -> int:
            assert seek is not None
            return seek_answer(seek(userdata, offset, origin), "mime seek callback")

        source = Source(
            reader,
            None if seek is None else seeker,
            size,
            None if free is None else lambda: free(userdata),
        )
        self._assign({}, source)

    def subparts(self, mime: CurlMime) -> None:
        """Another body, which belongs to this part from then on."""
        parent = self._check("subparts")
        if not isinstance(mime, CurlMime):
            raise TypeError("subparts() expects a CurlMime object")
        if mime.closed:
            raise ValueError("subparts() received a closed mime object")
        if mime._curl is not parent._curl:
            raise ValueError("subparts() requires both mime objects to use the same Curl handle")
        if mime is parent:
            raise ValueError("subparts() does not accept the parent mime object")
        if mime._holder() is not None:
            raise ValueError("subparts() received a mime object already attached as subparts")
        if any(True for _ in mime._easies()):
            raise ValueError("subparts() received a mime object currently set as MIMEPOST")
        try:
            self._assign({}, mime)
        except ValueError:
            raise error(
                lib.CURLE_BAD_FUNCTION_ARGUMENT, "subparts() would make a body a part of itself"
            ) from None


class CurlMime(MimeEngine):
    """A body of parts for one Curl, as pycurl has it."""

    __slots__ = ("_curl", "_open")
    __module__ = "pycurl"

    _curl: Curl | None
    _open: bool

    def __new__(cls, curl: Curl) -> Self:
        """For this handle."""
        from libcurl.pycurl.curl import Curl

        if not isinstance(curl, Curl):
            raise TypeError(f"argument 1 must be pycurl.Curl, not {type(curl).__name__}")
        curl._check("CurlMime")
        self = super().__new__(cls)
        self._begin()
        self._curl = curl
        self._open = True
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, exception: object, traceback: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return not self._open or (self._parent is not None and self._holder() is None)

    def _check_open(self, method: str) -> None:
        if self.closed:
            raise error(f"cannot invoke {method}() - no mime handle")
        assert self._curl is not None
        self._curl._check(method)

    def close(self) -> None:
        """Free it; a Curl that would send it sends none. Idempotent."""
        if self._open:
            easy: Any
            for easy in [self._curl, *self._easies()]:
                if easy is not None and easy._handle.curl:
                    easy._check("close")
            self._end()

    def _end(self) -> None:
        """Let go of everything; parts of it are closed too, unless another part holds it still."""
        self._open = False
        if self._holder() is not None:
            return
        for easy in list(self._easies()):
            if easy._settings.get(_MIMEPOST) is self:
                easy._unset([_MIMEPOST])
        parts, self._parts = self._parts, []
        for part in parts:
            content, part._content = part._content, None
            part._owner = None
            if isinstance(content, Source):
                content.release()
            elif isinstance(content, CurlMime):
                content._parent = None
                content._end()
        self._curl = None

    def __del__(self) -> None:
        """Close it, at the latest now. Not while it is sent."""
        try:
            if self._open and self._parent is None:
                if any(easy._in_transfer() for easy in self._easies()):
                    report(refused(lib.HANDLE_PERFORMING, "curl", "__del__"), self)
                else:
                    self._end()
        except (AttributeError, TypeError):
            pass  # a constructor that failed, or an interpreter that is gone

    # -- Parts -----------------------------------------------------------------------------------

    def addpart(self) -> CurlMimePart:
        """A new, empty part at the end."""
        self._check_open("addpart")
        part = CurlMimePart()
        part._begin(self)
        part._owner = self
        self._parts.append(part)
        self._changed()
        return part

    def add(
        self,
        name: Text | None = None,
        data: Text | Buffer | None = None,
        file: Text | None = None,
        filename: Text | None = None,
        content_type: Text | None = None,
        headers: list[Text] | tuple[Text, ...] | None = None,
        encoder: Text | None = None,
    ) -> CurlMimePart:
        """A new part with all of this; none where something is wrong."""
        if data is not None and file is not None:
            raise ValueError("add() accepts at most one of data or file")
        part = self.addpart()
        try:
            given: dict[Callable[[Any], None], object] = {
                part.name: name,
                part.data: data,
                part.filedata: file,
                part.filename: filename,
                part.type: content_type,
                part.headers: headers,
                part.encoder: encoder,
            }
            for method, value in given.items():
                if value is not None:
                    method(value)
        except BaseException:
            self._parts.remove(part)
            self._changed()
            raise
        return part

    def add_field(
        self,
        name: Text,
        value: Text | Buffer,
        content_type: Text | None = None,
        encoder: Text | None = None,
        headers: list[Text] | tuple[Text, ...] | None = None,
    ) -> CurlMimePart:
        """A field of a form."""
        return self.add(name, value, content_type=content_type, encoder=encoder, headers=headers)

    def add_file(
        self,
        name: Text,
        path: Text,
        filename: Text | None = None,
        content_type: Text | None = None,
        headers: list[Text] | tuple[Text, ...] | None = None,
        encoder: Text | None = None,
    ) -> CurlMimePart:
        """A file of a form."""
        return self.add(
            name,
            file=path,
            filename=filename,
            content_type=content_type,
            headers=headers,
            encoder=encoder,
        )

    def add_multipart(self, name: Text | None = None, subtype: Text | None = "mixed") -> Self:
        """A part of parts: the body in it."""
        self._check_open("add_multipart")
        assert self._curl is not None
        child = CurlMime(self._curl)
        part = self.add(
            name, content_type=None if subtype is None else b"multipart/" + _text(subtype)
        )
        part.subparts(child)
        return child  # type: ignore[return-value]


def check_mimepost(curl: Engine, mime: object) -> None:
    """Whether it can be set."""
    if not isinstance(mime, CurlMime):
        raise TypeError("setopt(option=MIMEPOST) expects a CurlMime object")
    if mime.closed:
        raise ValueError("setopt(option=MIMEPOST) received a closed mime object")
    if mime._holder() is not None:
        raise ValueError(
            "setopt(option=MIMEPOST) received a mime object already attached as subparts"
        )
    if mime._curl is not curl:
        raise ValueError(
            "setopt(option=MIMEPOST) requires a CurlMime created with this Curl handle"
        )


class Body(MimeEngine):
    """One that nobody holds but the handles that send it, and nobody changes."""

    __slots__ = ()

    def __init__(self) -> None:
        """Without a part."""
        self._begin()

    def add_part(self, fields: dict[str, bytes | None], content: Any) -> None:
        """One more part."""
        part = _Part()
        part._begin(self)
        if isinstance(content, Source):
            content.hold()
        elif isinstance(content, MimeEngine):
            content._adopt(part)
        part._content = content
        part._fields = fields
        self._parts.append(part)


def copied(mime: MimeEngine) -> Body:
    """A copy that has its sources in common with the original."""
    copy = Body()
    for part in mime._parts:
        content = part._content
        copy.add_part(
            dict(part._fields), copied(content) if isinstance(content, MimeEngine) else content
        )
    return copy
