"""MIME bodies: multipart forms and mails, from parts of every kind (curl_mime, libcurl 7.56)."""

from __future__ import annotations

import os
from _operator import index

from libcurl.mime_engine import TEXTS, MimeEngine, MimePartEngine
from libcurl.mime_sources import Source, find_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Protocol, TypedDict

    from typing_extensions import Buffer, Self, Unpack

    class Readable(Protocol):
        """A file to read bytes from."""

        def read(self, size: int, /) -> bytes: ...

    class Fields(TypedDict, total=False):
        """What a part is made of, as keywords; None takes something away again."""

        name: str | bytes | None
        filename: str | bytes | None
        type: str | bytes | None
        encoder: str | bytes | None
        headers: Iterable[str | bytes] | None
        data: str | Buffer | None
        file: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None
        source: Callable[[int], Buffer | int] | Readable | Iterator[bytes] | Buffer | None
        size: int | None
        seek: Callable[[int, int], int | None] | None
        parts: Mime | None


__all__ = ["Mime", "MimePart"]

_CONTENTS = ("data", "file", "source", "parts")


class MimePart(MimePartEngine):
    """A part of a `Mime`, which makes it."""

    __slots__ = ()

    def set(self, **fields: Unpack[Fields]) -> None:
        """Change what is given; the rest stays. See `Mime.add`."""
        content = _content(fields)
        for size in ("size", "seek"):
            if size in fields and not isinstance((content or (None,))[0], Source):
                raise TypeError(f"{size!r} goes with a source")
        self._assign({**_texts(fields), **_headers(fields)}, *content)

    @property
    def name(self) -> str | None:
        """The name of a form's field."""
        return self._text("name")

    @property
    def filename(self) -> str | None:
        """The file name that is told, where it was set; that of a file is told anyway."""
        return self._text("filename")

    @property
    def type(self) -> str | None:
        """The content type, where it was set."""
        return self._text("type")

    @property
    def encoder(self) -> str | None:
        """The transfer encoding."""
        return self._text("encoder")

    def _text(self, name: str) -> str | None:
        text = self._fields.get(name)
        return None if text is None else text.decode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        return f"<MimePart {self.name!r}>"


class Mime(MimeEngine):
    """The parts of a body, to be set as `mimepost`: a form over HTTP, a mail over SMTP or IMAP.

        form = libcurl.Mime()
        form.add(name="comment", data="Hello")
        form.add(name="photo", file="photo.jpg", type="image/jpeg")
        easy.set(mimepost=form)

    It can be sent several times, and by several handles. Changed after it was set, it is sent as
    changed.
    """

    __slots__ = ()

    def __init__(self) -> None:
        """Without parts."""
        self._begin()

    def add(self, **fields: Unpack[Fields]) -> MimePart:
        """Append a part (curl_mime_addpart).

        Its content is one of these, or nothing:

        - `data`: str (sent as UTF-8) or bytes-like, copied (curl_mime_data);
        - `file`: a path, read while it is sent (curl_mime_filedata); the part gets its file name,
          unless `filename` says otherwise, `None` that none is told;
        - `source`: what Python reads while it is sent (curl_mime_data_cb): a file opened in binary
          mode, an iterator of bytes, or a callable that is given a size and returns at most so many
          bytes, b"" at the end, or one of the `ReadFunc` codes. `size` where it is known (of files
          it is); without, HTTP/1.1 sends chunks. `seek(offset, origin)` lets a callable be sent
          again, on a redirect or by a second transfer; files rewind by themselves, iterators
          cannot. A source is read by one transfer at a time. Its exceptions come out of
          `perform()`;
        - `parts`: another Mime, which belongs to this part from then on (curl_mime_subparts).

        `name`, `filename` and `type` are told in the part's headers, `headers` are more of these
        ("Name: value"), `encoder` is the transfer encoding: binary, 8bit, 7bit, base64 or
        quoted-printable.
        """
        part = MimePart()
        part._begin(self)
        self._parts.append(part)
        try:
            part.set(**fields)
        except BaseException:
            self._parts.remove(part)
            raise
        return part

    @property
    def parts(self) -> tuple[MimePart, ...]:
        """The parts, in order."""
        return tuple(self._parts)

    def __repr__(self) -> str:
        return f"<Mime of {len(self._parts)} parts>"

    def __copy__(self) -> Self:
        raise TypeError("a Mime is not copied: it can be set on several handles")

    def __reduce__(self) -> str:
        raise TypeError("cannot pickle Mime")


def _texts(fields: Any) -> dict[str, bytes | None]:
    return {name: text(name, fields[name]) for name in TEXTS if name in fields}


def _headers(fields: Any) -> dict[str, bytes | None]:
    if "headers" not in fields:
        return {}
    headers = fields["headers"]
    if isinstance(headers, (str, bytes)):
        raise TypeError("the headers of a part are an iterable of strings")
    lines = [text("headers", line) or b"" for line in headers or ()]
    return {"headers": b"".join([line + b"\0" for line in lines])}


def text(name: str, value: object) -> bytes | None:
    """A C string."""
    if value is None:
        return None
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogateescape")
    elif isinstance(value, (bytes, bytearray)):
        data = bytes(value)
    else:
        raise TypeError(f"the {name} of a part is str or bytes, not {type(value).__name__}")
    if b"\0" in data:
        raise ValueError(f"the {name} of a part has no NUL inside")
    return data


def _content(fields: Any) -> tuple[Any, ...]:
    """(what a part shall hold,), or () where nothing is said of that."""
    given = [name for name in _CONTENTS if name in fields]
    if not given:
        return ()
    if len(given) > 1:
        raise TypeError(f"a part has either {given[0]} or {given[1]}")
    (name,) = given
    value = fields[name]
    if value is None:
        return (None,)
    if name == "source":
        return (_source(value, fields.get("size"), fields.get("seek")),)
    if name == "parts":
        if not isinstance(value, MimeEngine):
            raise TypeError(f"the parts of a part are a Mime, not {type(value).__name__}")
        return (value,)
    if name == "file":
        path = os.fsencode(value)
        if b"\0" in path:
            raise ValueError("the file of a part has no NUL inside")
        return (("file", path),)
    try:
        data = value.encode() if isinstance(value, str) else bytes(memoryview(value))
    except TypeError:
        raise TypeError(
            f"the data of a part is str or bytes-like, not {type(value).__name__}"
        ) from None
    return (("data", data),)


def _source(source: Any, size: int | None, seek: Any) -> Source:
    if callable(source):
        read, found = source, -1
    else:
        if seek is not None:
            raise TypeError("'seek' goes with a callable source")
        known = find_source(source)
        if known is None:
            raise TypeError(
                "the source of a part is a callable, a file opened in binary mode or an iterator "
                f"of bytes, not {type(source).__name__}"
            )
        read, seek, found = known
    if seek is not None and not callable(seek):
        raise TypeError(f"the seek of a part is a callable, not {type(seek).__name__}")
    if size is not None:
        found = index(size)
        if found < 0:
            raise ValueError("the size of a part is not negative")
    return Source(read, seek, found)
