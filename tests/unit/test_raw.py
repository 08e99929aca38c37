"""libcurl.raw: the C API as it is, and the guard before what the loaded libcurl lacks."""

from __future__ import annotations

import os
import pathlib
import re
import socket
from typing import Any

import cffi
import pytest

from libcurl import raw
from libcurl.raw import ffi, lib


def test_a_function_that_libcurl_lacks_names_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(raw.absent, "curl_easy_upkeep", "9.9.0")
    guarded = raw.Lib()
    message = f"^curl_easy_upkeep needs libcurl 9.9.0, this is {re.escape(raw.LOADED_TEXT)}$"
    with pytest.raises(AttributeError, match=message):
        _ = guarded.curl_easy_upkeep
    monkeypatch.setattr(raw, "lib", guarded)
    with pytest.raises(AttributeError, match=message):
        raw.addressof("curl_easy_upkeep")
    assert not hasattr(guarded, "curl_easy_upkeep")
    assert "curl_easy_upkeep" not in dir(guarded)
    assert "curl_easy_perform" in dir(guarded)


def test_what_this_libcurl_lacks_is_guarded() -> None:
    newer = {
        "curl_easy_header": (7, 83),
        "curl_global_trace": (8, 3),
        "curl_ws_start_frame": (8, 16),
    }
    for name, since in newer.items():
        if since > raw.LOADED:
            with pytest.raises(
                AttributeError, match=rf"^{name} needs libcurl {since[0]}\.{since[1]}"
            ):
                getattr(lib, name)
            with pytest.raises(AttributeError, match=f"^{name} needs libcurl"):
                raw.addressof(name)
        else:
            assert callable(getattr(lib, name))
            assert raw.addressof(name) != ffi.NULL


def test_what_is_not_libcurls_is_not_there() -> None:
    for name in ("easy_new", "python_write", "HANDLE_BUSY", "nothing", "curl_nothing"):
        with pytest.raises(AttributeError, match=name):
            getattr(lib, name)


def test_functions_and_constants_are_looked_up_once() -> None:
    assert lib.curl_easy_init is lib.curl_easy_init
    assert lib.CURLOPT_URL == 10002


def test_addressof_is_a_function_pointer() -> None:
    free = raw.addressof("curl_free")
    text = ffi.new("char[]", b"a b")
    escaped = lib.curl_easy_escape(ffi.NULL, text, 3)
    assert ffi.string(escaped) == b"a%20b"
    ffi.cast("void (*)(void *)", free)(escaped)


def test_curl_dash_simple_translates_line_by_line(http: Any) -> None:
    chunks = []

    @ffi.callback("size_t(char *, size_t, size_t, void *)")
    def write(data: Any, size: int, count: int, userdata: Any) -> int:
        chunks.append((ffi.unpack(data, size * count), ffi.from_handle(userdata)))
        return size * count

    mine = ffi.new_handle("mine")
    curl = lib.curl_easy_init()
    url = ffi.new("char[]", f"{http.url}/".encode())
    assert lib.curl_easy_setopt(curl, lib.CURLOPT_URL, url) == lib.CURLE_OK
    lib.curl_easy_setopt(curl, lib.CURLOPT_FOLLOWLOCATION, ffi.cast("long", 1))
    lib.curl_easy_setopt(curl, lib.CURLOPT_WRITEFUNCTION, write)
    lib.curl_easy_setopt(curl, lib.CURLOPT_WRITEDATA, mine)
    assert lib.curl_easy_perform(curl) == lib.CURLE_OK
    code = ffi.new("long *")
    lib.curl_easy_getinfo(curl, lib.CURLINFO_RESPONSE_CODE, code)
    lib.curl_easy_cleanup(curl)
    assert code[0] == 200
    assert b"".join(data for data, _ in chunks) == b"hello"
    assert {where for _, where in chunks} == {"mine"}


def test_the_manuals_example_of_an_opened_socket(http: Any, no_fd_leak: Any) -> None:
    """CURLOPT_OPENSOCKETFUNCTION(3): an already connected socket behind an address of fantasy."""
    seen = []

    @ffi.callback("curl_socket_t(void *, curlsocktype, struct curl_sockaddr *)")
    def opensocket(clientp: Any, purpose: int, address: Any) -> int:
        seen.append((purpose, address.family, address.socktype & ~socket.SOCK_CLOEXEC))
        fd: int = ffi.cast("curl_socket_t *", clientp)[0]
        return fd  # the actual externally set socket is passed in via the OPENSOCKETDATA option

    @ffi.callback("int(void *, curl_socket_t, curlsocktype)")
    def sockopt_callback(clientp: Any, curlfd: int, purpose: int) -> int:
        seen.append((ffi.cast("int *", clientp)[0], curlfd))
        done: int = lib.CURL_SOCKOPT_ALREADY_CONNECTED
        return done

    with no_fd_leak():
        # With a timeout Python connects without blocking, which even libcurl 7.88 can live with.
        connected = socket.create_connection((http.host, http.port), timeout=5)
        sockfd = ffi.new("curl_socket_t *", connected.detach())
        marker = ffi.new("int *", 42)
        curl = lib.curl_easy_init()
        # libcurl thinks that it connects to the host and port of the URL.
        url = ffi.new("char[]", b"http://99.99.99.99:9999/")
        lib.curl_easy_setopt(curl, lib.CURLOPT_URL, url)
        lib.curl_easy_setopt(curl, lib.CURLOPT_OPENSOCKETFUNCTION, opensocket)
        lib.curl_easy_setopt(curl, lib.CURLOPT_OPENSOCKETDATA, sockfd)
        lib.curl_easy_setopt(curl, lib.CURLOPT_SOCKOPTFUNCTION, sockopt_callback)
        lib.curl_easy_setopt(curl, lib.CURLOPT_SOCKOPTDATA, marker)
        lib.curl_easy_setopt(curl, lib.CURLOPT_NOBODY, ffi.cast("long", 1))
        lib.curl_easy_setopt(curl, lib.CURLOPT_TIMEOUT, ffi.cast("long", 5))
        assert lib.curl_easy_perform(curl) == lib.CURLE_OK
        lib.curl_easy_cleanup(curl)
        assert http.requests[0].get("Host") == "99.99.99.99:9999"
        http.clear()
    ipcxn = (lib.CURLSOCKTYPE_IPCXN, socket.AF_INET, socket.SOCK_STREAM)
    assert seen == [ipcxn, (42, sockfd[0])]


def test_the_manuals_example_of_a_closed_socket(http: Any) -> None:
    """CURLOPT_CLOSESOCKETFUNCTION(3): a private struct of the program's as CLOSESOCKETDATA."""
    program = cffi.FFI()
    program.cdef("struct priv { void *custom; };")
    closed = []

    @ffi.callback("int(void *, curl_socket_t)")
    def closesocket(clientp: Any, item: int) -> int:
        my = program.cast("struct priv *", clientp)
        closed.append((int(program.cast("uintptr_t", my.custom)), item))
        os.close(item)
        return 0

    myown = program.new("struct priv *", {"custom": program.cast("void *", 0xABCD)})
    body = []

    @ffi.callback("size_t(char *, size_t, size_t, void *)")
    def write(data: Any, size: int, count: int, userdata: Any) -> int:
        body.append(ffi.unpack(data, size * count))
        return size * count

    curl = lib.curl_easy_init()
    url = ffi.new("char[]", f"{http.url}/".encode())
    lib.curl_easy_setopt(curl, lib.CURLOPT_URL, url)
    lib.curl_easy_setopt(curl, lib.CURLOPT_WRITEFUNCTION, write)
    lib.curl_easy_setopt(curl, lib.CURLOPT_CLOSESOCKETFUNCTION, closesocket)
    lib.curl_easy_setopt(curl, lib.CURLOPT_CLOSESOCKETDATA, ffi.cast("void *", myown))
    assert lib.curl_easy_perform(curl) == lib.CURLE_OK
    fd = ffi.new("curl_socket_t *")
    lib.curl_easy_getinfo(curl, lib.CURLINFO_ACTIVESOCKET, fd)
    assert closed == []
    lib.curl_easy_cleanup(curl)
    assert closed == [(0xABCD, fd[0])]
    assert body == [b"hello"]
    assert http.connections[0].wait_closed()


def test_all_types_that_this_package_writes_can_be_made_beforehand() -> None:
    """Where threads may not make them: pointers to what has a name are made from the names."""
    typedefs, structs, unions = ffi.list_types()
    names = {*typedefs, *(f"struct {name}" for name in structs + unions)}
    written = set()
    for path in pathlib.Path(raw.__file__).parent.rglob("*.py"):
        written |= set(
            re.findall(r'ffi\.(?:new|cast|typeof|sizeof)\(\s*"([^"]+)"', path.read_text())
        )
    assert len(written) > 20
    assert written - {f"{name} *" for name in names} <= set(raw.OTHER_TYPES)
