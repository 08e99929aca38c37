"""Where bytes go to and come from without Python, as if Python had been called for each of them."""

from __future__ import annotations

import errno
import gc
import io
import os
import pathlib
import signal
import stat
import sys
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from servers import payload

import libcurl
from libcurl import Easy, Multi, constants

Code = constants.Code


class Mine(Exception):
    """Raised by callbacks."""


def single(easy: Easy) -> None:
    easy.perform()


def in_a_multi(easy: Easy) -> None:
    with Multi() as multi:
        multi.add(easy)
        ((_, error),) = multi.run()
        if error is not None:
            raise error


def by_poll(easy: Easy) -> None:
    with Multi() as multi:
        multi.add(easy)
        while multi.perform():
            multi.poll()
        ((_, error),) = multi.info_read()
        if error is not None:
            raise error


Transfer = Callable[[Easy], None]


@pytest.fixture(params=[single, in_a_multi, by_poll], ids=lambda way: way.__name__)
def transfer(request: pytest.FixtureRequest) -> Transfer:
    """A way to do a transfer to its end."""
    return request.param  # type: ignore[no-any-return]


# Memory


@pytest.mark.parametrize("method", ["fetch", "multi"])
def test_a_body_in_flight_takes_little_more_than_its_size(
    http_process: Any, script: Any, method: str
) -> None:
    script(
        """
        import resource, sys, libcurl
        from libcurl import Easy, Multi
        url, method = sys.argv[1:]
        SIZE = 100_000_000

        easy = Easy(url=url + "/bytes/70000")
        multi = Multi()
        def fetch():
            if method == "fetch":
                return easy.fetch()
            multi.add(easy)
            assert [error for _, error in multi.run()] == [None]
            return easy.body

        assert len(fetch()) == 70_000
        easy.set(url=f"{url}/bytes/{SIZE}")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        body = fetch()
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        assert len(body) == SIZE
        assert body is easy.body
        if sys.implementation.name == "cpython":
            assert grown < 1.3 * SIZE, grown / SIZE
        """,
        http_process.url,
        method,
    )


@pytest.mark.parametrize("promised", [10**15, (256 << 20) + 1, 256 << 20])
def test_a_promise_takes_no_memory(http: Any, script: Any, promised: int) -> None:
    done = script(
        """
        import re, sys, libcurl

        def figure(name):
            with open("/proc/self/status") as status:
                return 1024 * int(re.search(rf"{name}:\\s*(\\d+)", status.read())[1])

        easy = libcurl.Easy(url=sys.argv[1])
        easies = [easy.duphandle() for _ in range(5)]
        peak, resident = figure("VmPeak"), figure("VmHWM")
        for easy in easies:
            try:
                easy.fetch()
            except libcurl.Error as error:
                assert error.code is libcurl.Code.PARTIAL_FILE
            assert len(easy.body) == 10
        print(figure("VmPeak") - peak, figure("VmHWM") - resident)
        """,
        f"{http.url}/huge-content-length?n={promised}",
    )
    peak, resident = map(int, done.split())
    assert resident < 20_000_000
    assert peak < (1 << 30 if promised <= 256 << 20 else 50_000_000)


@pytest.mark.parametrize("extra", [0, 1, 100_000])
@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 65_535, 65_536, 300_000])
def test_a_body_that_is_not_as_long_as_it_promised(http: Any, size: int, extra: int) -> None:
    def handler(connection: Any, request: Any) -> None:
        connection.head(200, [("Content-Length", str(size + extra))])
        connection.send(payload(size))
        connection.close()

    http.route("/less", handler)
    with Easy(url=http.url + "/less") as easy:
        if extra:
            with pytest.raises(libcurl.Error) as caught:
                easy.fetch()
            assert caught.value.code in (Code.PARTIAL_FILE, Code.GOT_NOTHING)
            assert easy.body == payload(size)
        else:
            assert easy.fetch() == payload(size)
        easy.set(url=http.url)
        assert easy.fetch() == b"hello"


def test_a_body_that_grows_when_it_is_unpacked(http: Any) -> None:
    with Easy(url=http.url + "/gzip?n=10000000", accept_encoding="gzip") as easy:
        assert easy.fetch() == payload(10_000_000)
        assert easy.fetch() == easy.body == payload(10_000_000)


def test_bodies_stay_what_they_are_when_the_handle_goes_on(http: Any) -> None:
    easy = Easy()
    bodies = {}
    for size in (5, 70_000, 16_384, 300_000, 65_536, 1, 1_000_000):
        easy.set(url=f"{http.url}/bytes/{size}")
        bodies[size] = easy.fetch()
    easy.close()
    for size, body in bodies.items():
        assert body == payload(size)
        assert hash(body) == hash(payload(size))


# Files


@pytest.mark.parametrize("buffering", [0, -1])
@pytest.mark.parametrize("mode", ["wb", "ab", "r+b", "xb", "w+b"])
def test_a_file_is_written_where_it_stands_between_the_users_own_writes(
    http: Any, tmp_path: pathlib.Path, transfer: Transfer, mode: str, buffering: int
) -> None:
    path = tmp_path / "file"
    if mode == "r+b":
        path.write_bytes(b"." * 10)
    with open(path, mode, buffering) as file:
        file.write(b"head")
        with Easy(url=http.url + "/bytes/70000", writedata=file) as easy:
            transfer(easy)
            assert file.tell() == 70_004
            file.write(b"middle")
            transfer(easy)
            assert easy.body == b""
        file.write(b"tail")
    assert path.read_bytes() == b"head" + payload(70_000) + b"middle" + payload(70_000) + b"tail"


@pytest.mark.parametrize("kind", ["headerdata", "headerfunction"])
def test_headers_and_body_go_to_one_file_in_order(
    http: Any, tmp_path: pathlib.Path, transfer: Transfer, kind: str
) -> None:
    with open(tmp_path / "file", "wb") as file:
        easy = Easy(url=http.url + "/redirect/1", followlocation=True, writedata=file)
        easy.set(**{kind: file if kind == "headerdata" else file.write})
        transfer(easy)
    written = (tmp_path / "file").read_bytes()
    assert written.startswith(b"HTTP/1.1 302")
    assert written.count(b"\r\n\r\n") == 2
    assert written.endswith(b"\r\n\r\nhello")


def test_what_callbacks_write_to_the_file_of_the_body_comes_in_order(
    http: Any, tmp_path: pathlib.Path
) -> None:
    marks = []

    def progress(total: int, now: int, *_: int) -> None:
        if now and now not in marks:
            marks.append(now)
            file.write(b"<%d>" % now)

    path = "/drip?n=5&delay=0.03"
    with open(tmp_path / "file", "wb") as file:
        Easy(
            url=http.url + path, writedata=file, xferinfofunction=progress, noprogress=False
        ).perform()
    written = (tmp_path / "file").read_bytes()
    assert marks[-1] == 5
    expected = b""
    begin = 0
    for mark in marks:
        expected += payload(mark - begin, begin) + b"<%d>" % mark
        begin = mark
    assert written == expected


def test_a_file_that_is_closed_in_the_middle_takes_nothing_with_it(
    http: Any, tmp_path: pathlib.Path
) -> None:
    file = open(tmp_path / "file", "wb")  # noqa: SIM115
    easy = Easy(url=http.url + "/bytes/300000", writedata=file)
    easy.set(headerfunction=lambda line: file.close())
    with pytest.raises(ValueError, match="closed"):
        easy.perform()
    file = open(tmp_path / "file", "wb")  # noqa: SIM115
    easy.set(writedata=file, headerfunction=None)
    with Multi() as multi:
        multi.add(easy)
        multi.step()
        file.close()
        other = os.open(tmp_path / "other", os.O_CREAT | os.O_WRONLY)  # its number, used again
        assert len(list(multi.run())) == 1
        os.close(other)
    assert (tmp_path / "file").read_bytes() == payload(300_000)
    assert (tmp_path / "other").read_bytes() == b""


def test_files_leave_no_descriptor_behind(http: Any, tmp_path: pathlib.Path, open_fds: Any) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"body")
    with Easy(url=http.url + "/post") as easy:
        easy.perform()
        before = open_fds()
        with open(tmp_path / "file", "wb") as file, open(source, "rb") as body:
            easy.set(writedata=file, upload=True, readdata=body)
            easy.perform()
            easy.set(writedata=None, readdata=None, upload=None)
        assert easy.fetch() == b""
        assert open_fds() - before == set()
        with open(tmp_path / "file", "wb") as file, open(source, "rb") as body:
            easy.set(writedata=file, readdata=body)
            easy.reset()
        assert open_fds() - before == set()


def test_other_kinds_of_files_are_written_by_their_own_methods(
    http: Any, tmp_path: pathlib.Path
) -> None:
    class Counting(io.FileIO):
        calls = 0

        def write(self, data: Any) -> int:
            self.calls += 1
            return super().write(data)

    with Counting(tmp_path / "file", "wb") as file:
        Easy(url=http.url + "/bytes/70000", writedata=file).perform()
        assert file.calls
    assert (tmp_path / "file").read_bytes() == payload(70_000)
    with pytest.raises(TypeError):
        Easy(writedata=io.StringIO())
    with pytest.raises(TypeError):
        Easy(writedata=3)
    with open(tmp_path / "file", "rb") as readable:
        easy = Easy(url=http.url, writedata=readable)
        with pytest.raises(io.UnsupportedOperation):
            easy.perform()


# Uploads


def uploaded(http: Any) -> bytes:
    body: bytes = http.requests[-1].body
    return body


def test_a_file_is_read_from_where_it_stands_and_stays_there(
    http: Any, tmp_path: pathlib.Path, transfer: Transfer
) -> None:
    (tmp_path / "file").write_bytes(payload(300_000))
    with open(tmp_path / "file", "rb") as file:
        assert file.read(10) == payload(10)
        easy = Easy(url=http.url + "/post", upload=True, readdata=file)
        for _ in range(2):
            transfer(easy)
            assert uploaded(http) == payload(300_000)[10:]
            assert file.tell() == 10
        assert http.requests[-1].get("Content-Length") == "299990"


def test_sources_are_rewound_for_a_redirect(http: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(payload(100_000))
    with open(tmp_path / "file", "rb") as file:
        for source in (payload(100_000), file, bytearray(payload(100_000))):
            url = http.url + "/redirect-to?url=/post&code=307"
            easy = Easy(url=url, upload=True, readdata=source, followlocation=True)
            easy.set(httpheader=["Expect:"])
            assert easy.fetch() == payload(100_000)


def test_a_source_may_go_when_it_was_set(http: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(payload(100_000))
    with open(tmp_path / "file", "rb") as file:
        easy = Easy(url=http.url + "/post", upload=True, readdata=file)
    os.unlink(tmp_path / "file")
    assert easy.fetch() == payload(100_000)
    data = bytearray(payload(50_000))
    easy.set(readdata=memoryview(data)[::2])
    del data
    gc.collect()
    assert easy.fetch() == payload(50_000)[::2]


def test_a_file_that_shrinks_is_an_error(http: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(payload(100_000))
    with open(tmp_path / "file", "rb") as file:
        easy = Easy(url=http.url + "/post", upload=True, readdata=file, timeout_ms=5000)
        os.truncate(tmp_path / "file", 50_000)
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is not Code.OPERATION_TIMEDOUT


# BytesIO: what it gets may come late, but not so that anybody could tell


@pytest.mark.parametrize("name", ["xferinfofunction", "debugfunction", "headerfunction"])
def test_a_bytes_io_has_all_that_came_before_another_callback_is_entered(
    http: Any, transfer: Transfer, name: str
) -> None:
    buffer = io.BytesIO()
    sizes = []
    progress: list[tuple[int, int]] = []

    def look(*arguments: Any) -> None:
        sizes.append(len(buffer.getvalue()))
        if name == "xferinfofunction":
            progress.append((arguments[1], sizes[-1]))

    easy = Easy(url=http.url + "/chunked?n=300&size=9999&trailer=X:y", noprogress=False)
    easy.set(verbose=True, writefunction=buffer.write, **{name: look})
    transfer(easy)
    assert buffer.getvalue() == payload(300 * 9999)
    assert all(counted == seen for counted, seen in progress)
    if name == "headerfunction":
        assert sizes[0] == 0
        assert sizes[-1] == 300 * 9999  # the trailer
    assert sizes == sorted(sizes)


def test_a_bytes_io_has_all_that_came_before_a_failure(http: Any, transfer: Transfer) -> None:
    for path in ("/stall", "/short?declared=1000&sent=10"):
        buffer = io.BytesIO()
        with pytest.raises(libcurl.Error):
            transfer(Easy(url=http.url + path, timeout_ms=200, writefunction=buffer.write))
        assert buffer.getvalue() == payload(10)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="only CPython's BytesIO refuses")
def test_a_bytes_io_that_refuses_stops_the_transfer(http: Any, transfer: Transfer) -> None:
    buffer = io.BytesIO()
    view = buffer.getbuffer()  # which forbids to grow it
    easy = Easy(url=http.url + "/bytes/100000", writefunction=buffer.write)
    with pytest.raises(BufferError):
        transfer(easy)
    view.release()
    transfer(easy)
    assert buffer.getvalue() == payload(100_000)


def test_subclasses_of_bytes_io_are_called_for_every_piece(http: Any) -> None:
    class Mine(io.BytesIO):
        def write(self, data: Any) -> int:
            pieces.append(len(data))
            return super().write(data)

    pieces: list[int] = []
    buffer = Mine()
    Easy(url=http.url + "/bytes/100000", writefunction=buffer.write, buffersize=16_384).perform()
    assert buffer.getvalue() == payload(100_000)
    assert len(pieces) > 3


# Header lines


def test_lines_come_in_order_block_by_block_before_the_body(http: Any, transfer: Transfer) -> None:
    log: list[Any] = []

    def written(data: bytes) -> None:
        log.append(("body", data))

    def http_response(connection: Any, request: Any) -> None:
        connection.head(103, [("X-Hint", "early")])
        connection.head(200, [("X-First", "1"), ("X-Second", "2"), ("Content-Length", "2")])
        connection.sleep(0.05)
        connection.send(b"ok")

    http.route("/page", http_response)
    url = http.url + "/redirect-to?url=/page"
    easy = Easy(url=url, followlocation=True, headerfunction=log.append, writefunction=written)
    transfer(easy)
    lines = [entry for entry in log if isinstance(entry, bytes)]
    assert [line.split(b"\r\n")[0] for line in lines if line.startswith(b"HTTP")] == [
        b"HTTP/1.1 302 Found",
        b"HTTP/1.1 103 Early Hints",
        b"HTTP/1.1 200 OK",
    ]
    assert lines[-4:] == [b"X-First: 1\r\n", b"X-Second: 2\r\n", b"Content-Length: 2\r\n", b"\r\n"]
    assert lines.count(b"\r\n") == 3
    assert log[len(lines) :] == [("body", b"ok")]


def test_lines_come_before_any_other_callback(http: Any, transfer: Transfer) -> None:
    log: list[str] = []

    def debug(kind: int, data: bytes) -> None:
        if kind == libcurl.InfoType.HEADER_IN:
            log.append(f"saw {data!r}")

    def line(data: bytes) -> None:
        log.append(f"got {data!r}")

    transfer(Easy(url=http.url, headerfunction=line, debugfunction=debug, verbose=True))
    assert len(log) >= 8
    assert [entry[4:] for entry in log[::2]] == [entry[4:] for entry in log[1::2]]


def slow_lines(connection: Any, request: Any) -> None:
    """Two lines of a header, a piece of the third, and then nothing."""
    connection.send(b"HTTP/1.1 200 OK\r\nX-First: 1\r\nX-Sec")  # the line before is over
    connection.wait_peer()


def test_a_stalled_server_hides_no_line(http: Any, transfer: Transfer) -> None:
    http.route("/slow-lines", slow_lines)
    lines: list[bytes] = []
    easy = Easy(url=http.url + "/slow-lines", headerfunction=lines.append, timeout_ms=300)
    with pytest.raises(libcurl.OperationTimedOut):
        transfer(easy)
    assert lines == [b"HTTP/1.1 200 OK\r\n", b"X-First: 1\r\n"]


@pytest.mark.parametrize("what", ["lines", "body"])
def test_a_stalled_server_hides_nothing_from_a_signal_handler(http: Any, what: str) -> None:
    http.route("/slow-lines", slow_lines)
    lines: list[bytes] = []
    buffer = io.BytesIO()
    seen: list[Any] = []

    def handler(*_: object) -> None:
        seen.append((len(lines), len(buffer.getvalue())))
        raise Mine

    path = "/slow-lines" if what == "lines" else "/stall"
    easy = Easy(url=http.url + path, headerfunction=lines.append, writefunction=buffer.write)
    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        before = time.monotonic()
        with pytest.raises(Mine):
            easy.perform()
        assert time.monotonic() - before < 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert seen == [(2, 0) if what == "lines" else (3, 10)]


def test_a_step_hands_over_what_has_come(http: Any) -> None:
    http.route("/slow-lines", slow_lines)
    lines: list[bytes] = []
    buffer = io.BytesIO()
    with Multi() as multi:
        multi.add(Easy(url=http.url + "/slow-lines", headerfunction=lines.append))
        multi.add(Easy(url=http.url + "/stall", writefunction=buffer.write))
        deadline = time.monotonic() + 5
        while (len(lines), len(buffer.getvalue())) != (2, 10):
            assert time.monotonic() < deadline
            multi.step()
            time.sleep(0.01)


@pytest.mark.parametrize("how", ["returns 0", "returns -1", "raises"])
def test_a_line_that_is_refused_ends_the_transfer_there(
    http: Any, transfer: Transfer, how: str
) -> None:
    lines: list[bytes] = []
    chunks: list[bytes] = []

    def refuse(line: bytes) -> int | None:
        lines.append(line)
        if line.startswith(b"X-Header-3"):
            if how == "raises":
                raise Mine
            return 0 if how == "returns 0" else -1
        return None

    easy = Easy(url=http.url + "/headers/9", headerfunction=refuse, writefunction=chunks.append)
    with pytest.raises((Mine, libcurl.Error)) as caught:
        transfer(easy)
    if how != "raises":
        assert caught.value.code is Code.WRITE_ERROR  # type: ignore[union-attr]
    assert lines[-1] == b"X-Header-3: value-3\r\n"
    assert len(lines) == 5
    assert chunks == []


def test_a_refusal_counts_although_the_block_never_ends(http: Any, transfer: Transfer) -> None:
    http.route("/slow-lines", slow_lines)
    easy = Easy(url=http.url + "/slow-lines", headerfunction=lambda line: 0, timeout_ms=5000)
    before = time.monotonic()
    if transfer is by_poll:
        easy.set(timeout_ms=300)
    with pytest.raises(libcurl.Error) as caught:
        transfer(easy)
    assert caught.value.code is Code.WRITE_ERROR
    assert time.monotonic() - before < 2


# Easy.stream


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 262_144, 262_145, 20_000_003])
def test_a_stream_is_the_body(http: Any, size: int) -> None:
    with Easy(url=f"{http.url}/bytes/{size}") as easy:
        for _ in range(2):
            assert b"".join(easy.stream()) == payload(size)
            assert easy.body == b""
        assert easy.fetch() == payload(size)
    assert http.accepted == 1


def test_a_stream_receives_nothing_between_its_pieces(http: Any) -> None:
    total = 64 << 20
    sent = 0

    def handler(connection: Any, request: Any) -> None:
        nonlocal sent
        connection.head(200, [("Content-Length", str(total))])
        for start in range(0, total, 1 << 16):
            connection.send(payload(1 << 16, start))
            sent = start + (1 << 16)

    http.route("/big", handler)
    received = 0
    with Easy(url=http.url + "/big") as easy:
        stream = easy.stream()
        received += len(next(stream))
        time.sleep(0.3)
        before = sent
        time.sleep(0.3)
        assert sent == before < 32 << 20
        for chunk in stream:
            assert len(chunk) <= 1 << 20
            assert chunk == payload(len(chunk), received)
            received += len(chunk)
    assert received == total


@pytest.mark.parametrize(
    ("line", "most"),  # in memory, in kilobytes
    [
        (bytes(1000), 60_000),  # 16 KB are 16 MB, which older libcurls copy when a piece is taken
        (b'{"id": 12345, "name": "a name", "tags": ["a", "b", "c"], "size": 1.5},\n', 25_000),
    ],
    ids=["zeros", "json"],
)
def test_a_stream_takes_little_memory_for_a_body_that_was_compressed_a_lot(
    line: bytes, most: int, http: Any, script: Any
) -> None:
    count = 200
    block = line * (1_000_000 // len(line))
    compressor = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    body = b"".join([compressor.compress(block) for _ in range(count)]) + compressor.flush()

    def handler(connection: Any, request: Any) -> None:
        connection.respond(200, [("Content-Encoding", "gzip")], body)

    http.route("/compressed", handler)
    script(
        """
        import resource, sys, libcurl
        url, size, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        easy = libcurl.Easy(url=url, accept_encoding="")
        easy.fetch()  # with large buffers
        easy.set(url=url + "/compressed")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for chunk in easy.stream():
            size -= len(chunk)
        assert not size
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < most, grown
        """,
        http.url,
        count * len(block),
        most,
    )


def test_the_pieces_of_a_stream_come_when_they_arrive(http: Any) -> None:
    times = []
    with Easy(url=http.url + "/drip?n=5&delay=0.1") as easy:
        for chunk in easy.stream():
            times.append(time.monotonic())
            assert len(chunk) <= 2
    assert len(times) >= 4
    assert times[-1] - times[0] > 0.25


def test_leaving_a_stream_ends_its_transfer(http: Any) -> None:
    with Easy(url=http.url + "/bytes/50000000") as easy:
        for _ in easy.stream():
            break
        gc.collect()
        assert http.wait_idle()
        stream = easy.stream()
        next(stream)
        stream.close()
        assert http.wait_idle()
        stream = easy.stream()
        next(stream)
        with pytest.raises(Mine):
            stream.throw(Mine())
        easy.set(url=http.url + "/bytes/1000000")
        assert easy.fetch() == payload(1_000_000)


def test_a_stream_may_be_taken_by_many_threads_in_turn(http: Any) -> None:
    with Easy(url=http.url + "/bytes/3000000") as easy:
        stream = easy.stream()
        chunks: list[bytes] = []

        def take() -> None:
            for _ in range(2):
                chunks.extend([chunk for chunk in [next(stream, None)] if chunk])

        while len(b"".join(chunks)) < 3_000_000:
            thread = threading.Thread(target=take)
            thread.start()
            thread.join()
        assert b"".join(chunks) == payload(3_000_000)
        assert next(stream, None) is None
        easy.set(url=http.url)
        assert easy.fetch() == b"hello"


def test_a_stream_that_is_dropped_by_another_thread_ends(http: Any) -> None:
    with Easy(url=http.url + "/bytes/50000000") as easy:
        streams = [easy.stream()]
        next(streams[0])
        thread = threading.Thread(target=streams.clear)
        thread.start()
        thread.join()
        gc.collect()
        easy.set(url=http.url)
        assert easy.fetch() == b"hello"


def test_two_threads_cannot_take_at_once(http: Any) -> None:
    with Easy(url=http.url + "/drip?n=5&delay=0.1") as easy:
        stream = easy.stream()
        next(stream)
        failures: list[BaseException] = []

        def take() -> None:
            try:
                list(stream)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=take) for _ in range(2)]
        for thread in threads:
            thread.start()
        with pytest.raises((RuntimeError, libcurl.Error)):
            easy.perform()
        for thread in threads:
            thread.join()
        assert [type(error) for error in failures] == [ValueError]  # Python's own


def test_a_handle_is_busy_while_it_streams(http: Any) -> None:
    with Easy(url=http.url + "/bytes/3000000") as easy, Multi() as multi:
        stream = easy.stream()
        found = next(stream)
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.RECURSIVE_API_CALL
        with pytest.raises(libcurl.Error):
            next(easy.stream())
        with pytest.raises(libcurl.MultiError):
            multi.add(easy)
        with pytest.raises(RuntimeError):
            easy.reset()
        assert easy.info.response_code == 200
        assert found + b"".join(stream) == payload(3_000_000)


def test_a_handle_that_is_closed_while_it_streams_says_so(http: Any) -> None:
    easy = Easy(url=http.url + "/bytes/50000000")
    stream = easy.stream()
    next(stream)
    easy.close()
    assert http.wait_idle()
    with pytest.raises(ValueError, match="closed"):
        next(stream)
    with pytest.raises(ValueError, match="closed"):
        next(easy.stream())


def test_a_stream_raises_what_perform_raises_after_what_came(http: Any) -> None:
    found = b""
    with pytest.raises(libcurl.Error) as caught:
        for chunk in Easy(url=http.url + "/short?declared=100&sent=50").stream():
            found += chunk
    assert caught.value.code is Code.PARTIAL_FILE
    assert found == payload(50)

    def fail(*_: Any) -> None:
        raise Mine

    with pytest.raises(Mine):
        list(Easy(url=http.url, headerfunction=fail).stream())
    with pytest.raises(Mine):
        list(Easy(url=http.url, xferinfofunction=fail, noprogress=False).stream())
    with pytest.raises(libcurl.CouldntConnect):
        list(Easy(url="http://127.0.0.1:1/").stream())
    with pytest.raises(ValueError, match="cannot be streamed"):
        next(Easy(writefunction=fail).stream())


def test_a_stream_of_a_handle_in_a_multi_takes_nothing_from_it(http: Any) -> None:
    with Multi() as multi:
        easy = Easy(url=http.url + "/drip?n=5&delay=0.05")
        multi.add(easy)
        deadline = time.monotonic() + 5
        while not easy.body and time.monotonic() < deadline:
            multi.step()
        with pytest.raises(libcurl.Error):
            list(easy.stream())
        assert len(list(multi.run())) == 1
        assert easy.body == payload(5)


def test_ctrl_c_ends_a_stream(http: Any, script: Any) -> None:
    script(
        """
        import os, signal, sys, threading
        import libcurl

        easy = libcurl.Easy(url=sys.argv[1] + "/stall")
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        size = 0
        try:
            for chunk in easy.stream():
                size += len(chunk)
        except KeyboardInterrupt:
            assert size == 10
            easy.set(url=sys.argv[1])
            assert easy.fetch() == b"hello"
            sys.exit(0)
        sys.exit(1)
        """,
        http.url,
    )


def test_a_forked_child_cannot_go_on_with_a_stream(http: Any) -> None:
    with Easy(url=http.url + "/bytes/3000000") as easy:
        stream = easy.stream()
        found = next(stream)
        child = os.fork()
        if not child:
            status = 1
            try:
                with pytest.raises(RuntimeError, match="fork"):
                    next(stream)
                del stream
                easy.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert found + b"".join(stream) == payload(3_000_000)


# download


def test_download_to_a_device_or_a_pipe_puts_nothing_in_its_place(
    http: Any, tmp_path: pathlib.Path
) -> None:
    with Easy(url=http.url + "/bytes/70000") as easy:
        assert easy.download("/dev/null") == 70_000
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        taken: list[bytes] = []
        thread = threading.Thread(target=lambda: taken.append(pipe.read_bytes()))
        thread.start()
        assert easy.download(pipe) == 70_000
        thread.join()
        assert taken == [payload(70_000)]
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert os.listdir(tmp_path) == ["pipe"]


def test_download_follows_links(http: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("folder/target")
    dangling = tmp_path / "dangling"
    dangling.symlink_to("folder/new")
    with Easy(url=http.url + "/bytes/70000") as easy:
        assert easy.download(link) == 70_000
        assert easy.download(dangling) == 70_000
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert target.read_bytes() == payload(70_000)
    assert sorted(os.listdir(tmp_path / "folder")) == ["new", "target"]
    assert sorted(os.listdir(tmp_path)) == ["dangling", "folder", "link"]


def test_download_keeps_the_permissions_of_what_it_replaces(
    http: Any, tmp_path: pathlib.Path
) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    program = tmp_path / "program"
    program.touch()
    program.chmod(0o755)
    with Easy(url=http.url) as easy:
        for path, mode in ((secret, 0o600), (program, 0o755)):
            easy.download(path)
            assert stat.S_IMODE(path.stat().st_mode) == mode
        easy.download(tmp_path / "new")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_full_disk_is_pythons_error(http: Any, buffering: int) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with Easy(url=http.url + "/bytes/300000") as easy:
        with pytest.raises(OSError, match="No space") as caught:
            easy.download("/dev/full")
        assert caught.value.errno == errno.ENOSPC
        assert easy.fetch() == payload(300_000)


def test_a_file_that_may_not_grow_leaves_nothing(
    http: Any, tmp_path: pathlib.Path, script: Any
) -> None:
    script(
        """
        import errno, os, resource, signal, sys
        import libcurl

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        easy = libcurl.Easy(url=sys.argv[1] + "/bytes/300000")
        for target in (sys.argv[2], open(sys.argv[2] + "-open", "wb")):
            try:
                easy.download(target)
            except OSError as error:
                assert error.errno == errno.EFBIG, error
            else:
                raise SystemExit("no error")
        assert len(easy.fetch()) == 300_000
        """,
        http.url,
        tmp_path / "file",
    )
    assert os.listdir(tmp_path) == ["file-open"]
    assert (tmp_path / "file-open").stat().st_size == 100_000


def test_downloads_of_the_same_target_do_not_meet(http: Any, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "file"
    sizes = [70_000, 300_000, 5, 1_000_000]

    def one(size: int) -> None:
        with Easy(url=f"{http.url}/bytes/{size}") as easy:
            for _ in range(5):
                assert easy.download(target) == size

    threads = [threading.Thread(target=one, args=[size]) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    body = target.read_bytes()
    assert len(body) in sizes
    assert body == payload(len(body))
    assert os.listdir(tmp_path) == ["file"]


def test_a_download_into_a_folder_that_may_not_be_written_is_pythons_error(
    http: Any, tmp_path: pathlib.Path
) -> None:
    tmp_path.chmod(0o500)
    try:
        with Easy(url=http.url) as easy:
            if os.geteuid() == 0:
                pytest.skip("root may")
            with pytest.raises(PermissionError):
                easy.download(tmp_path / "file")
    finally:
        tmp_path.chmod(0o700)


# Buffer sizes


def test_buffers_are_large_for_single_transfers_and_stay_as_they_are_set(http: Any) -> None:
    sizes: list[int] = []

    def note(data: bytes) -> None:
        sizes.append(len(data))

    with Easy(url=http.url + "/bytes/5000000", writefunction=note, buffersize=20_000) as easy:
        easy.perform()
        assert max(sizes) <= 20_000
        with Multi() as multi:
            sizes.clear()
            multi.add(easy)
            list(multi.run())
            assert max(sizes) <= 20_000


def test_a_download_goes_somewhere(http: Any) -> None:
    with Easy(url=http.url) as easy:
        with pytest.raises(TypeError, match="WRITEDATA takes a file"):
            easy.download(None)  # type: ignore[arg-type]
        assert easy.fetch() == b"hello"


@pytest.mark.parametrize("written", [0, -1, 7])
def test_a_file_that_has_written_what_cannot_be_is_an_error(http: Any, written: int) -> None:
    class File:
        def write(self, data: bytes) -> int:
            return written

    with Easy(url=http.url) as easy, pytest.raises(OSError, match=f"5 bytes returned {written}"):
        easy.download(File())  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 262_144, 262_145, 1_000_000])
def test_a_stream_of_a_file_is_the_file(tmp_path: pathlib.Path, size: int) -> None:
    """libcurl cannot be told to wait then."""
    (tmp_path / "file").write_bytes(payload(size))
    with Easy(url=f"file://{tmp_path}/file") as easy:
        for _ in range(2):
            assert b"".join(easy.stream()) == payload(size)
