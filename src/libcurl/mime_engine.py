"""The private base of the MIME bodies of both faces.

A body is a description, and belongs to no handle: it can be set on several, which may perform at
the same time. libcurl gets a tree of its own (curl_mime) for every handle, which that handle owns:
a tree points to its handle in some versions, so that one made for another would outlive what it
points to. Trees are made when the option is set, and again when the description changes; they are
freed when the option is set to something else and when the handle is closed, after libcurl has let
go of them.
"""

from __future__ import annotations

import os
from _weakref import ref

from libcurl._native import ffi, lib
from libcurl.engine import Engine, initialize
from libcurl.errors import easy_error
from libcurl.memory import backstop
from libcurl.mime_sources import Reading, Source, readings
from libcurl.options import Option, by_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

#: The texts of a part, as they are called in C.
TEXTS = ("name", "filename", "type", "encoder")


class Tree:
    """The curl_mime of a handle. Let go of after libcurl has."""

    __slots__ = ("_end", "_readings", "mime")

    def __init__(self, description: MimeEngine, easy: Engine) -> None:
        """Make it, with the handle entered."""
        self._readings: dict[int, Reading] = {}
        self.mime = self.make(description, easy)
        self._end = backstop(self.mime, lib.curl_mime_free)

    def make(self, description: MimeEngine, easy: Engine) -> Any:
        """The caller's to free (curl_mime_init)."""
        mime = lib.curl_mime_init(easy._handle.curl)
        if not mime:
            raise MemoryError("curl_mime_init failed")
        try:
            for part in description._parts:
                part._write(lib.curl_mime_addpart(mime), self, easy)
        except BaseException:
            lib.curl_mime_free(mime)
            raise
        return mime

    def read(self, part: Any, source: Source, easy: Engine) -> int:
        """curl_mime_data_cb."""
        number: int = lib.new_id()
        source.hold()  # first of all: what is noted will be released, whatever interrupts this
        reading = self._readings[number] = Reading(source, easy)
        readings.add(number, reading)
        code: int = lib.mime_source(part, number, source.size, source.seek is not None)
        return code

    def __del__(self) -> None:
        # A constructor that was interrupted has left none.
        for number, reading in getattr(self, "_readings", {}).items():
            readings.pop(number, None)
            reading.source.release()


class MimePartEngine:
    """A part of a MIME body. Each face derives its own class from this one."""

    __slots__ = ("__weakref__", "_content", "_fields", "_mime")

    #: What it holds: (kind, bytes) for data and files, a source, other parts, or nothing.
    _content: tuple[str, bytes] | Source | MimeEngine | None
    #: Its texts; headers are C strings one after the other.
    _fields: dict[str, bytes | None]
    #: What it is a part of.
    _mime: Callable[[], MimeEngine | None]

    def _begin(self, mime: MimeEngine) -> None:
        self._content = None
        self._fields = {}
        self._mime = ref(mime)

    def __del__(self) -> None:
        release = getattr(getattr(self, "_content", None), "release", None)
        if release is not None:  # a Source; classes may be gone
            release()

    def _assign(self, fields: dict[str, bytes | None], *content: Any) -> None:
        """Change texts, and what it holds where that is given."""
        mime = self._mime()
        if mime is not None:
            mime._check()
        try_out(fields, content[0] if content else None)
        held = self._content
        if content:
            (new,) = content
            if isinstance(new, MimeEngine) and new is not held:
                new._adopt(self)
            elif isinstance(new, Source):
                new.hold()
            self._content = new
        self._fields.update(fields)
        if content:
            if isinstance(held, Source):
                held.release()
            elif isinstance(held, MimeEngine) and held is not self._content:
                held._parent = None
        if mime is not None:
            mime._changed()

    def _write(self, part: Any, tree: Tree, easy: Engine) -> None:
        """Into a part of libcurl's; a file gives it a file name, which may then be changed."""
        if not part:
            raise MemoryError("curl_mime_addpart failed")
        content = self._content
        if isinstance(content, Source):
            code = tree.read(part, content, easy)
        elif isinstance(content, MimeEngine):
            inner = tree.make(content, easy)
            code = lib.curl_mime_subparts(part, inner)
            if code:
                lib.curl_mime_free(inner)
        else:
            code = _write_content(part, content)
            if code == lib.CURLE_READ_ERROR:
                code = self._unreadable(part, tree, easy)
        if not code:
            code = _write_fields(part, self._fields)
        if code:
            raise easy._make_error(code, "", 0)

    def _unreadable(self, part: Any, tree: Tree, easy: Engine) -> int:
        """Hook: what becomes of a file that cannot be read."""
        return lib.CURLE_READ_ERROR  # type: ignore[no-any-return]


def _write_content(part: Any, content: tuple[str, bytes] | None) -> int:
    code: int = 0
    if content is not None:
        kind, data = content
        if kind == "file":
            code = lib.curl_mime_filedata(part, data)
        else:
            code = lib.curl_mime_data(part, data, len(data))
    return code


def _write_fields(part: Any, fields: dict[str, bytes | None]) -> int:
    code: int
    for name, text in fields.items():
        if name == "headers":
            code = lib.mime_headers(part, text or b"", len(text or b""))
        else:
            code = _SET[name](part, ffi.NULL if text is None else text)
        if code:
            return code
    return 0


_SET = {name: getattr(lib, f"curl_mime_{name}") for name in TEXTS}


def try_out(fields: dict[str, bytes | None], content: object) -> None:
    """Whether libcurl will take this: tried on a part that is thrown away."""
    is_file = isinstance(content, tuple) and content[0] == "file"
    if not is_file and not fields.get("encoder"):
        return
    initialize()
    mime = ffi.gc(lib.curl_mime_init(ffi.NULL), lib.curl_mime_free)
    part = lib.curl_mime_addpart(mime)
    if is_file and (code := _write_content(part, content)):  # type: ignore[arg-type]
        path = os.fsdecode(content[1])  # type: ignore[index]
        raise easy_error(code, f"the file of a part cannot be read: {path!r}")
    if code := _write_fields(part, fields):
        raise easy_error(code, f"libcurl has no encoder {(fields['encoder'] or b'').decode()!r}")


class MimeEngine:
    """A MIME body. Each face derives its own class from this one."""

    __slots__ = ("__weakref__", "_parent", "_parts", "_users")

    #: The part that holds it.
    _parent: Callable[[], MimePartEngine | None] | None
    _parts: list[Any]
    #: The handles that it was set on; some may have another one by now.
    _users: list[Callable[[], Engine | None]]

    def _begin(self) -> None:
        self._parent = None
        self._parts = []
        self._users = []

    def _holder(self) -> MimeEngine | None:
        """The body that this one is a part of."""
        part = self._parent() if self._parent is not None else None
        return part._mime() if part is not None else None

    def _adopt(self, part: MimePartEngine) -> None:
        """Become the content of a part: of one only, and not of one inside."""
        if self._holder() is not None:
            raise ValueError("these parts belong to another part already")
        above = part._mime()
        while above is not None:
            if above is self:
                raise ValueError("parts cannot hold themselves")
            above = above._holder()
        self._parent = ref(part)

    def _easies(self) -> Iterator[Engine]:
        """The handles that send this, alone or within others."""
        option = by_name["mimepost"]
        mime: MimeEngine | None = self
        while mime is not None:
            for user in list(mime._users):
                easy = user()
                if easy is not None and easy._settings.get(option) is mime:
                    yield easy
                elif user in mime._users:
                    mime._users = [other for other in mime._users if other is not user]
            mime = mime._holder()

    def _check(self) -> None:
        """It does not change while it is sent."""
        for easy in self._easies():
            if easy._in_transfer():
                raise easy._too_late("a Mime cannot be changed during a transfer that sends it")

    def _changed(self) -> None:
        """Give every handle a new tree."""
        option = by_name["mimepost"]
        for easy in list(self._easies()):
            if (mime := easy._settings.get(option)) is not None:
                attach(easy, option, mime)


def attach(handle: Engine, option: Option, mime: Any) -> None:
    """Set MIMEPOST: make a tree for the handle."""
    if not isinstance(mime, MimeEngine):
        raise option.refused(mime, "a Mime")
    if handle._amid_transfer():
        raise handle._too_late("CURLOPT_MIMEPOST cannot be set during a transfer")
    native = handle._handle
    depth = lib.easy_depth(native)
    try:
        handle._enter()  # libcurl looks at it when the tree is made: nobody closes it meanwhile
        tree = Tree(mime, handle)
        code = handle._point(
            option.id, tree, lambda: lib.easy_set_pointer(native, option.id, tree.mime)
        )
    finally:
        lib.easy_leave_to(native, depth)
    if code:
        raise handle._option_error(code, option, mime)
    handle._remember(option, mime)
    if not any(user() is handle for user in mime._users):
        mime._users.append(ref(handle))
