"""What HTTPServer serves by itself. The docstrings are the manual."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import payload

if TYPE_CHECKING:
    from .http import Connection, Request

    Handler = Callable[[Connection, Request], object]

ROUTES: dict[str, tuple[Any, bool]] = {}
_CHUNK = 1 << 20


def _route(path: str, *, read_body: bool = True) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        ROUTES[path] = (handler, read_body)
        return handler

    return register


def _number(request: Request) -> int:
    return int(request.path.rpartition("/")[2])


def _json(connection: Connection, value: object) -> None:
    body = json.dumps(value).encode()
    connection.respond(200, [("Content-Type", "application/json")], body)


# What is sent


@_route("/")
def hello(connection: Connection, request: Request) -> None:
    """`/`: the five bytes `hello`."""
    connection.respond(200, [("Content-Type", "text/plain")], b"hello")


@_route("/bytes/")
def some_bytes(connection: Connection, request: Request) -> None:
    """`/bytes/N`: `payload(N)`; honours a Range header, but for `?norange=1`."""
    size = _number(request)
    span = None if request.arg("norange") else _range(request.get("Range"), size)
    if span is None:
        first, last, status = 0, size - 1, 200
        headers = []
    elif not span:
        connection.respond(416, [("Content-Range", f"bytes */{size}")])
        return
    else:
        (first, last), status = span, 206
        headers = [("Content-Range", f"bytes {first}-{last}/{size}")]
    length = last - first + 1
    headers += [("Accept-Ranges", "bytes"), ("Content-Type", "application/octet-stream")]
    headers += [("Content-Length", str(length))]
    if length <= _CHUNK:
        connection.respond(status, headers, payload(length, first))
        return
    connection.respond(status, headers)
    if request.method != "HEAD":
        for start in range(first, last + 1, _CHUNK):
            connection.send(payload(min(_CHUNK, last + 1 - start), start))


def _range(header: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """Return the first and last byte asked for, () for none of it, None for all."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if match is None or match[0] == "bytes=-":
        return None
    if not match[1]:
        return (max(size - int(match[2]), 0), size - 1) if int(match[2]) else ()
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    return (first, last) if first < size else ()


@_route("/status/")
def status(connection: Connection, request: Request) -> None:
    """`/status/N`: this status."""
    connection.respond(_number(request), body=f"status {_number(request)}\n".encode())


@_route("/gzip")
def gzipped(connection: Connection, request: Request) -> None:
    """`/gzip?n=100000`: `payload(n)` with Content-Encoding: gzip, asked for or not."""
    body = gzip.compress(payload(int(request.arg("n", "100000"))))
    connection.respond(200, [("Content-Encoding", "gzip")], body)


@_route("/chunked")
def chunked(connection: Connection, request: Request) -> None:
    """`/chunked?n=3&size=10`: n chunks of size bytes; each `&trailer=Name:value` adds a trailer."""
    count, size = int(request.arg("n", "3")), int(request.arg("size", "10"))
    trailers = [value.partition(":") for name, value in request.query if name == "trailer"]
    headers = [("Transfer-Encoding", "chunked")]
    headers += [("Trailer", name) for name, _, _ in trailers]
    connection.head(200, headers)
    for index in range(count):
        connection.send(b"%x\r\n%b\r\n" % (size, payload(size, index * size)))
    lines = "".join(f"{name}: {value.strip()}\r\n" for name, _, value in trailers)
    connection.send(b"0\r\n" + lines.encode("latin-1") + b"\r\n")


@_route("/headers/")
def many_headers(connection: Connection, request: Request) -> None:
    """`/headers/N`: N headers X-Header-0 to X-Header-(N-1), and `hello`."""
    headers = [(f"X-Header-{index}", f"value-{index}") for index in range(_number(request))]
    connection.respond(200, headers, b"hello")


@_route("/headers")
def these_headers(connection: Connection, request: Request) -> None:
    """`/headers?Name=value&...`: these headers in order, duplicates too; %E9 is the byte E9."""
    connection.respond(200, request.query, b"hello")


@_route("/interim")
def interim(connection: Connection, request: Request) -> None:
    """`/interim?n=1`: n responses 103 Early Hints with an X-Hint header before the real one."""
    for index in range(int(request.arg("n", "1"))):
        connection.head(103, [("X-Hint", str(index))])
    connection.respond(200, body=b"hello")


# What came


@_route("/echo")
def echo(connection: Connection, request: Request) -> None:
    """`/echo`: JSON with the method, target, version, headers, body and trailers that came."""
    _json(
        connection,
        {
            "method": request.method,
            "target": request.target,
            "version": request.version,
            "headers": request.headers,
            "body": request.body.decode("latin-1"),
            "trailers": request.trailers,
        },
    )


@_route("/post")
def post(connection: Connection, request: Request) -> None:
    """`/post`: the request's body, with its Content-Type."""
    kind = request.get("Content-Type", "application/octet-stream")
    connection.respond(200, [("Content-Type", kind)], request.body)


@_route("/connection")
def which_connection(connection: Connection, request: Request) -> None:
    """`/connection`: JSON with the connection's number, how many requests it had, and the peer."""
    _json(
        connection,
        {
            "number": connection.number,
            "requests": len(connection.requests),
            "peer": connection.peer,
        },
    )


@_route("/stats")
def stats(connection: Connection, request: Request) -> None:
    """`/stats`: JSON with the server's counts of accepted and open connections and of requests.

    `?after=0&size=0`: after so many seconds, and filled with blanks up to this size.
    """
    server = connection.server
    counts = {
        "accepted": server.accepted,
        "open": server.open_connections,
        "requests": server.served,
    }
    time.sleep(float(request.arg("after", "0")))
    body = json.dumps(counts).ljust(int(request.arg("size", "0"))).encode()
    connection.respond(200, [("Content-Type", "application/json")], body)


@_route("/cookies/set")
def set_cookies(connection: Connection, request: Request) -> None:
    """`/cookies/set?name=value&...`: sets these cookies for all paths."""
    headers = [("Set-Cookie", f"{name}={value}; Path=/") for name, value in request.query]
    connection.respond(200, headers, b"set")


@_route("/cookies")
def cookies(connection: Connection, request: Request) -> None:
    """`/cookies`: the Cookie header that came."""
    connection.respond(200, body=request.get("Cookie").encode("latin-1"))


# Redirects


@_route("/redirect/")
def redirect(connection: Connection, request: Request) -> None:
    """`/redirect/N`: a chain of N 302 redirects that ends at `/`."""
    left = _number(request) - 1
    connection.respond(302, [("Location", f"/redirect/{left}" if left > 0 else "/")])


@_route("/redirect-to")
def redirect_to(connection: Connection, request: Request) -> None:
    """`/redirect-to?url=...&code=302`: a redirect to this URL, as it stands."""
    connection.respond(int(request.arg("code", "302")), [("Location", request.arg("url", "/"))])


@_route("/redirect-close")
def redirect_close(connection: Connection, request: Request) -> None:
    """`/redirect-close`: 302 to `/` with Connection: close."""
    connection.respond(302, [("Location", "/")], close=True)


# Time


@_route("/slow")
def slow(connection: Connection, request: Request) -> None:
    """`/slow?seconds=1`: nothing for so long, then `hello`."""
    connection.sleep(float(request.arg("seconds", "1")))
    connection.respond(200, body=b"hello")


@_route("/stall")
def stall(connection: Connection, request: Request) -> None:
    """`/stall`: headers that promise 1000 bytes, 10 bytes, then silence until the client closes."""
    connection.head(200, [("Content-Length", "1000")])
    connection.send(payload(10))
    connection.wait_peer()


@_route("/drip")
def drip(connection: Connection, request: Request) -> None:
    """`/drip?n=10&delay=0.1`: n bytes, one at a time, so many seconds apart."""
    count, delay = int(request.arg("n", "10")), float(request.arg("delay", "0.1"))
    connection.head(200, [("Content-Length", str(count))])
    for index in range(count):
        connection.send(payload(1, index))
        connection.sleep(delay)


# Closing, and other bad manners


@_route("/close")
def close(connection: Connection, request: Request) -> None:
    """`/close`: `hello` with Connection: close."""
    connection.respond(200, body=b"hello", close=True)


@_route("/silent-close")
def silent_close(connection: Connection, request: Request) -> None:
    """`/silent-close`: `hello`, then a close that no header announced."""
    connection.respond(200, body=b"hello")
    connection.close()


@_route("/early-close", read_body=False)
def early_close(connection: Connection, request: Request) -> None:
    """`/early-close`: closes without a response; `?reset=1` with a RST."""
    if request.arg("reset"):
        connection.reset()
    connection.close()


@_route("/huge-content-length")
def huge_content_length(connection: Connection, request: Request) -> None:
    """`/huge-content-length?n=1000000000000000`: promises n bytes, sends 10 and closes."""
    connection.head(200, [("Content-Length", request.arg("n", str(10**15)))])
    connection.send(payload(10))
    connection.close()


@_route("/short")
def short(connection: Connection, request: Request) -> None:
    """`/short?declared=100&sent=50`: promises more than it sends, and closes."""
    connection.head(200, [("Content-Length", request.arg("declared", "100"))])
    connection.send(payload(int(request.arg("sent", "50"))))
    connection.close()


@_route("/expect", read_body=False)
def expect(connection: Connection, request: Request) -> None:
    """`/expect`: says 100 Continue when asked, answers with the size of the body that came.

    `/expect?status=417`: refuses with this status, without reading the body.
    """
    refusal = int(request.arg("status", "0"))
    if refusal:
        connection.respond(refusal, close=True)
    else:
        body = connection.read_body(request)
        connection.respond(200, body=str(len(body)).encode())


# Authentication


@_route("/basic")
def basic(connection: Connection, request: Request) -> None:
    """`/basic?user=user&password=password`: `hello` for these only."""
    user, password = request.arg("user", "user"), request.arg("password", "password")
    wanted = b64encode(f"{user}:{password}".encode("latin-1")).decode()
    if request.get("Authorization") == f"Basic {wanted}":
        connection.respond(200, body=b"hello")
    else:
        connection.respond(401, [("WWW-Authenticate", 'Basic realm="test"')])


@_route("/digest")
def digest(connection: Connection, request: Request) -> None:
    """`/digest?user=user&password=password&algorithm=MD5`: `hello` for these only; also SHA-256."""
    algorithm = request.arg("algorithm", "MD5")
    given = {
        match[1]: match[2] or match[3] or ""
        for match in re.finditer(r'(\w+)=(?:"([^"]*)"|([^,\s]*))', request.get("Authorization"))
    }

    def hashed(*parts: str) -> str:
        name = algorithm.replace("-", "").lower()
        return hashlib.new(name, ":".join(parts).encode("latin-1")).hexdigest()

    secret = hashed(
        request.arg("user", "user"), given.get("realm", ""), request.arg("password", "password")
    )
    keys = ("nonce", "nc", "cnonce", "qop")
    wanted = hashed(
        secret,
        *(given.get(key, "") for key in keys),
        hashed(request.method, given.get("uri", "")),
    )
    if given.get("response") == wanted and given.get("uri") == request.target:
        connection.respond(200, body=b"hello")
        return
    challenge = (
        f'Digest realm="test", nonce="{secrets.token_hex()}", qop="auth", algorithm={algorithm}'
    )
    connection.respond(401, [("WWW-Authenticate", challenge)])
