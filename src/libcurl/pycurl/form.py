"""HTTPPOST: the form before there was MIME, read by the rules of curl_formadd and sent as MIME."""

from __future__ import annotations

import os

from libcurl._native import ffi, lib
from libcurl.options import by_name
from libcurl.pycurl.common import error
from libcurl.pycurl.mime import Body, _data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from libcurl.engine import Engine

    Texts = dict[str, bytes | None]

_MIMEPOST = by_name["mimepost"]

# CURLFORMcode, which pycurl takes for a CURLcode.
_OPTION_TWICE = 2
_NULL = 3
_INCOMPLETE = 5


def set_httppost(curl: Engine, items: list[Any] | tuple[Any, ...]) -> None:
    """HTTPPOST: [(name, value), (name, (FORM_..., value, ...)), ...]."""
    if not items:
        return
    form = Body()
    for item in items:
        if not isinstance(item, (list, tuple)):
            raise TypeError("list items must be list or tuple objects")
        if len(item) != 2:
            raise TypeError("list or tuple must contain two elements (name, value)")
        name, value = item
        try:
            name = _data(name, "name")
        except (TypeError, UnicodeEncodeError):
            raise TypeError(
                "list or tuple must contain a byte string or Unicode string with ASCII code points "
                "only as first element"
            ) from None
        if isinstance(value, (str, bytes)):
            _add_value(form, name, value)
        elif isinstance(value, (list, tuple)):
            _add_field(form, name, _Field(value))
        else:
            raise TypeError("unsupported second type in tuple")
    curl._set(_MIMEPOST, form)


def _refuse(code: int) -> NoReturn:
    raise error(code, ffi.string(lib.curl_easy_strerror(code)).decode())


def _check_name(name: bytes) -> None:
    if b"\0" in name:
        _refuse(_NULL)


def _add_value(form: Body, name: bytes, value: str | bytes) -> None:
    try:
        data = _data(value, "value")
    except UnicodeEncodeError:
        _refuse(lib.CURLE_BAD_FUNCTION_ARGUMENT)
    _check_name(name)
    form.add_part({"name": name}, ("data", data))


class _Field:
    """What a field is said to be by options and values: text, a buffer, or files."""

    def __init__(self, options: list[Any] | tuple[Any, ...]) -> None:
        if len(options) < 2:
            raise TypeError("list or tuple must contain at least one option and one value")
        if len(options) % 2:
            raise TypeError("list or tuple must contain an even number of items")
        #: Text, or what is in the buffer.
        self.data: bytes | None = None
        self.is_buffer = False
        #: What is said of the text, the buffer, or of each file in turn.
        self.parts: list[Texts] = [{}]
        for option, value in zip(options[::2], options[1::2], strict=True):
            if not isinstance(option, int):
                raise TypeError("option must be an integer")
            if not isinstance(value, (str, bytes)):
                raise TypeError(
                    "value must be a byte string or a Unicode string with ASCII code points only"
                )
            self._take(option, value.encode("ascii") if isinstance(value, str) else value)
        if self.data is None and "file" not in self.parts[0]:
            _refuse(_INCOMPLETE)

    def _take(self, option: int, value: bytes) -> None:
        if option == lib.CURLFORM_FILE and "file" in self.parts[-1]:
            self.parts.append({})
        if option in (lib.CURLFORM_COPYCONTENTS, lib.CURLFORM_BUFFERPTR):
            if self.data is not None or "file" in self.parts[0]:
                _refuse(_OPTION_TWICE)
            self.data = value
            self.is_buffer = option == lib.CURLFORM_BUFFERPTR
        elif option not in _TEXTS:
            raise TypeError("unsupported option")
        elif _TEXTS[option] in self.parts[-1] or (
            option == lib.CURLFORM_FILE and self.data is not None
        ):
            _refuse(_OPTION_TWICE)
        else:
            self.parts[-1][_TEXTS[option]] = value


_TEXTS = {
    lib.CURLFORM_BUFFER: "filename",
    lib.CURLFORM_CONTENTTYPE: "type",
    lib.CURLFORM_FILE: "file",
    lib.CURLFORM_FILENAME: "filename",
}


def _add_field(form: Body, name: bytes, field: _Field) -> None:
    """A part; of several files, one that has each of them as a part."""
    _check_name(name)
    first = field.parts[0]
    if field.data is not None:
        if field.is_buffer:
            first.setdefault("type", _guess(first.get("filename"), _UNKNOWN))
        else:
            first.pop("filename", None)
        form.add_part({"name": name, **first}, ("data", field.data))
    elif len(field.parts) == 1:
        _add_file(form, {"name": name}, first, _UNKNOWN)
    else:
        files = Body()
        kind = _UNKNOWN
        for part in field.parts:
            kind = _add_file(files, {}, part, kind)
        form.add_part({"name": name}, files)


def _add_file(form: Body, fields: Texts, file: Texts, kind: bytes) -> bytes:
    """`kind` is that of the file before it, which one of no known kind has, too. Returns its own."""
    path = file.pop("file") or b""
    kind = file.setdefault("type", _guess(path, kind)) or kind
    form.add_part({**fields, **file}, ("file", path))
    return kind


def _guess(filename: bytes | None, unknown: bytes) -> bytes:
    """libcurl's own guess."""
    return _TYPES.get(os.path.splitext(filename or b"")[1].lower(), unknown)


_UNKNOWN = b"application/octet-stream"
_TYPES = {
    b".gif": b"image/gif",
    b".jpg": b"image/jpeg",
    b".jpeg": b"image/jpeg",
    b".png": b"image/png",
    b".svg": b"image/svg+xml",
    b".txt": b"text/plain",
    b".htm": b"text/html",
    b".html": b"text/html",
    b".pdf": b"application/pdf",
    b".xml": b"application/xml",
}
