"""Every FUNCTION option, with real traffic; and what becomes of its exceptions."""

from __future__ import annotations

import io
import mmap
import os
import pathlib
import threading
from typing import Any

import pytest
from servers import payload
from servers.smtp import smtp

import libcurl
from libcurl import Easy, constants, raw
from libcurl._native import ffi
from libcurl.callbacks import python_headers

Code = constants.Code
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start this server")


# Receiving


def test_write_takes_the_body_in_pieces(http: Any) -> None:
    chunks: list[bytes] = []
    with Easy(url=http.url + "/bytes/300000", writefunction=chunks.append) as easy:
        easy.perform()
        assert easy.body == b""
    assert b"".join(chunks) == payload(300_000)
    assert len(chunks) > 1
    assert {type(chunk) for chunk in chunks} == {bytes}


def test_write_may_return_how_much_it_took(http: Any) -> None:
    with Easy(url=http.url + "/", writefunction=len) as easy:
        easy.perform()
        easy.set(writefunction=lambda data: len(data) - 1)
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.WRITE_ERROR


def test_write_may_pause_and_be_resumed(http: Any) -> None:
    chunks: list[bytes] = []
    pauses = 0

    def write(data: bytes) -> int | None:
        nonlocal pauses
        if not pauses:
            pauses += 1
            return int(constants.WriteFunc.PAUSE)
        chunks.append(data)
        return None

    def progress(*numbers: int) -> None:
        if pauses == 1 and not chunks:
            easy.unpause()

    with Easy(
        url=http.url + "/bytes/50000", writefunction=write, xferinfofunction=progress
    ) as easy:
        easy.perform()
    assert pauses == 1
    assert b"".join(chunks) == payload(50_000)


def test_header_gets_line_by_line(http: Any) -> None:
    lines: list[bytes] = []
    url = http.url + "/chunked?n=1&trailer=X-End:yes"
    with Easy(url=url, headerfunction=lines.append) as easy:
        assert easy.fetch() == payload(10)
    assert lines[0] == b"HTTP/1.1 200 OK\r\n"
    assert lines[-2:] == [b"\r\n", b"X-End: yes\r\n"]


def test_header_lines_are_what_libcurl_has_given_wherever_they_end() -> None:
    lines: list[bytes] = []
    with Easy(headerfunction=lines.append) as easy:
        block = ffi.new("char[]", b"o\re\ntwothree\n")
        assert python_headers(easy._id, block, 13, ffi.new("size_t[]", [4, 3, 6]), 3) == 0
    assert lines == [b"o\re\n", b"two", b"three\n"]


def test_headers_do_not_get_into_the_body_when_the_function_is_gone(http: Any) -> None:
    with Easy(url=http.url + "/", headerfunction=lambda line: None) as easy:
        easy.perform()
        easy.unset("headerfunction")
        assert easy.fetch() == b"hello"


def test_files_take_body_and_headers(http: Any, tmp_path: pathlib.Path) -> None:
    with open(tmp_path / "body", "wb", buffering=0) as body, io.BytesIO() as head:
        with Easy(url=http.url + "/bytes/200000", writedata=body, headerdata=head) as easy:
            easy.perform()
        assert head.getvalue().startswith(b"HTTP/1.1 200 OK\r\n")
    assert (tmp_path / "body").read_bytes() == payload(200_000)


# Sending


class Source:
    """The callbacks of an upload."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)
        self.seeks: list[tuple[int, int]] = []

    def seek(self, offset: int, origin: int) -> None:
        self.seeks.append((offset, origin))
        self.file.seek(offset, origin)


def test_read_sends_the_body(http: Any) -> None:
    data = payload(200_000)
    file = io.BytesIO(data)
    with Easy(url=http.url + "/post", upload=True, readfunction=file.read) as easy:
        assert easy.fetch() == data
    assert http.requests[0].method == "PUT"
    assert http.requests[0].get("Transfer-Encoding") == "chunked"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_read_may_return_any_bytes(http: Any, kind: Any) -> None:
    chunks = iter([b"hel", b"lo"])
    read = lambda size: kind(next(chunks, b""))  # noqa: E731
    with Easy(url=http.url + "/post", upload=True, readfunction=read) as easy:
        assert easy.fetch() == b"hello"


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        ("text", TypeError, "CURLOPT_READFUNCTION returned str, expected bytes or an int"),
        (None, TypeError, "CURLOPT_READFUNCTION returned NoneType, expected bytes or an int"),
        (5, ValueError, "CURLOPT_READFUNCTION returned 5"),
        (-1, ValueError, "CURLOPT_READFUNCTION returned -1"),
        (b"x" * 3_000_000, ValueError, "CURLOPT_READFUNCTION returned 3000000 bytes where "),
    ],
)
def test_read_refuses_what_is_no_data(
    http: Any, returned: Any, error: type[Exception], message: str
) -> None:
    with (
        Easy(url=http.url + "/post", upload=True, readfunction=lambda size: returned) as easy,
        pytest.raises(error, match=message),
    ):
        easy.perform()


def test_read_may_abort(http: Any) -> None:
    abort = constants.ReadFunc.ABORT
    with Easy(url=http.url + "/post", upload=True, readfunction=lambda size: abort) as easy:
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.ABORTED_BY_CALLBACK


def test_seek_rewinds_when_the_server_wants_it_again(http: Any) -> None:
    source = Source(b"hello")
    with Easy(
        url=http.url + "/redirect-to?url=/post&code=307",
        upload=True,
        infilesize=5,
        readfunction=source.file.read,
        seekfunction=source.seek,
        followlocation=True,
    ) as easy:
        assert easy.fetch() == b"hello"
    assert source.seeks == [(0, os.SEEK_SET)]


def test_ioctl_rewinds_where_there_is_no_seek(http: Any) -> None:
    source = Source(b"hello")
    commands: list[int] = []

    def ioctl(command: int) -> None:
        commands.append(command)
        source.file.seek(0)

    with Easy(
        url=http.url + "/redirect-to?url=/post&code=307",
        upload=True,
        infilesize=5,
        readfunction=source.file.read,
        ioctlfunction=ioctl,
        followlocation=True,
    ) as easy:
        assert easy.fetch() == b"hello"
    assert commands == [constants.IOCmd.RESTARTREAD]


@pytest.mark.parametrize("as_file", [False, True])
def test_readdata_is_sent_again_by_every_transfer(
    http: Any, tmp_path: pathlib.Path, as_file: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"--" + payload(100_000))
    with open(path, "rb") as file, Easy(url=http.url + "/post", upload=True) as easy:
        file.seek(2)
        easy.set(readdata=file if as_file else payload(100_000))
        for _ in range(2):
            assert easy.fetch() == payload(100_000)
        assert http.requests[0].get("Content-Length") == "100000"
        twin = easy.duphandle()
        assert twin.fetch() == payload(100_000)
        twin.close()


def test_readdata_may_be_a_mapped_file(http: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"--" + payload(100_000))
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        Easy(url=http.url + "/post", upload=True) as easy,
    ):
        mapped.seek(2)
        easy.set(readdata=mapped)
        for _ in range(2):
            assert easy.fetch() == payload(100_000)
        assert http.requests[0].get("Content-Length") == "100000"


def test_readdata_may_be_an_iterator(http: Any) -> None:
    parts = (payload(1000, 1000 * n) for n in range(100))
    with Easy(url=http.url + "/post", upload=True, readdata=parts) as easy:
        assert easy.fetch() == payload(100_000)
    assert http.requests[0].get("Transfer-Encoding") == "chunked"


def test_trailer_sends_lines_behind_a_chunked_body(http: Any) -> None:
    chunks = iter([b"hello", b""])
    with Easy(
        url=http.url + "/post",
        upload=True,
        httpheader=["Trailer: X-End"],
        readfunction=lambda size: next(chunks),
        trailerfunction=lambda: ["X-End: yes", b"X-Other: \xe9"],
    ) as easy:
        assert easy.fetch() == b"hello"
    assert http.requests[0].trailers == [("X-End", "yes"), ("X-Other", "\xe9")]


# Watching


def test_xferinfo_counts_and_aborts(http: Any) -> None:
    seen: list[tuple[int, ...]] = []
    with Easy(url=http.url + "/bytes/300000", xferinfofunction=lambda *n: seen.append(n)) as easy:
        easy.perform()
        assert seen[-1] == (300_000, 300_000, 0, 0)
        assert all(type(number) is int for number in seen[-1])
        easy.set(xferinfofunction=lambda *numbers: 1)
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.ABORTED_BY_CALLBACK
        easy.set(xferinfofunction=None)
        easy.perform()


def test_progress_counts_in_floats(http: Any) -> None:
    seen: list[tuple[float, ...]] = []
    with Easy(url=http.url + "/bytes/1000", progressfunction=lambda *n: seen.append(n)) as easy:
        easy.perform()
    assert seen[-1] == (1000.0, 1000.0, 0.0, 0.0)
    assert type(seen[-1][0]) is float


def test_debug_shows_what_goes_and_comes(http: Any) -> None:
    seen: dict[int, bytes] = {}

    def debug(kind: int, data: bytes) -> None:
        seen[kind] = seen.get(kind, b"") + data

    with Easy(url=http.url + "/post", postfields=b"abc", verbose=True, debugfunction=debug) as easy:
        easy.perform()
    kinds = constants.InfoType
    assert seen[kinds.HEADER_OUT].startswith(b"POST /post HTTP/1.1\r\n")
    assert seen[kinds.HEADER_IN].startswith(b"HTTP/1.1 200 OK\r\n")
    assert (seen[kinds.DATA_OUT], seen[kinds.DATA_IN]) == (b"abc", b"abc")
    assert b"127.0.0.1" in seen[kinds.TEXT]


# Connecting


@pytest.mark.skipif(raw.LOADED < (7, 80), reason="libcurl has no prereq callback")
def test_prereq_sees_both_ends_and_may_refuse(http: Any) -> None:
    seen: list[Any] = []
    with Easy(url=http.url + "/", prereqfunction=lambda *ends: seen.append(ends)) as easy:
        easy.perform()
        assert seen == [("127.0.0.1", "127.0.0.1", http.port, easy.info.local_port)]
        easy.set(prereqfunction=lambda *ends: constants.PrereqFunc.ABORT)
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.ABORTED_BY_CALLBACK
    assert len(http.requests) == 1


def test_resolver_start_comes_before_names_and_may_refuse(http: Any) -> None:
    seen: list[str] = []
    url = f"http://localhost:{http.port}/"
    with Easy(url=url, resolver_start_function=lambda: seen.append("asked")) as easy:
        easy.perform()
        assert seen == ["asked"]
        easy.set(resolver_start_function=lambda: 1, url=f"http://localhost.:{http.port}/")
        with pytest.raises(libcurl.Error):
            easy.perform()
    assert len(http.requests) == 1


def test_ssl_ctx_is_an_address_before_the_handshake(https: Any, ca: Any) -> None:
    seen: list[int] = []
    with Easy(url=https.url + "/", cainfo=ca.cert, ssl_ctx_function=seen.append) as easy:
        try:
            easy.perform()
        except libcurl.NotSupported:
            pytest.skip("this libcurl's TLS library has no such callback")
        assert len(seen) == 1
        assert seen[0] > 4096
        easy.set(ssl_ctx_function=lambda context: Code.ABORTED_BY_CALLBACK, fresh_connect=True)
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.ABORTED_BY_CALLBACK


def ssh_options(sshd: Any) -> dict[str, Any]:
    if "sftp" not in libcurl.version_info().protocols:
        pytest.skip("this libcurl has no SSH")
    return {
        "url": sshd.file_url("hello.txt"),
        "username": sshd.user,
        "ssh_private_keyfile": sshd.private_key,
        "ssh_public_keyfile": sshd.public_key,
        "timeout": 10,
    }


def test_sshkey_decides_about_hosts(sshd: Any, tmp_path: pathlib.Path) -> None:
    seen: list[Any] = []
    answer = constants.KHStat.FINE

    def sshkey(known: Any, found: Any, match: int) -> int:
        seen.append((known, found, match))
        return answer

    options = ssh_options(sshd)
    with Easy(**options, ssh_knownhosts=sshd.known_hosts, ssh_keyfunction=sshkey) as easy:
        assert easy.fetch() == b"hello"
    known, found, match = seen[0]
    assert match == constants.KHMatch.OK
    assert known[1] == found[1]
    assert isinstance(found[0], bytes)
    empty = tmp_path / "known_hosts"
    empty.touch()
    answer = constants.KHStat.REJECT
    with Easy(**options, ssh_knownhosts=empty, ssh_keyfunction=sshkey) as easy:
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code is Code.PEER_FAILED_VERIFICATION
    assert (seen[-1][0], seen[-1][2]) == (None, constants.KHMatch.MISSING)


@pytest.mark.skipif(raw.LOADED < (7, 84), reason="libcurl has no host key callback")
def test_sshhostkey_decides_about_hosts(sshd: Any) -> None:
    seen: list[Any] = []
    answer: Any = constants.KHMatch.OK

    def hostkey(kind: int, key: bytes) -> int:
        seen.append((kind, key))
        return int(answer)

    options = ssh_options(sshd)
    with Easy(**options, ssh_hostkeyfunction=hostkey) as easy:
        try:
            easy.perform()
        except libcurl.Error:
            if not seen:
                pytest.skip("this libcurl's SSH library has no such callback")
            raise
        assert easy.body == b"hello"
    assert seen == [(constants.KHType.ECDSA, sshd._host_key_blob())]
    answer = constants.KHMatch.MISMATCH
    with (
        Easy(**options, ssh_hostkeyfunction=hostkey) as easy,
        pytest.raises(libcurl.Error) as caught,
    ):
        easy.perform()
    assert caught.value.code is Code.PEER_FAILED_VERIFICATION


hsts = pytest.mark.skipif("HSTS" not in libcurl.version_info().features, reason="no HSTS")


@hsts
def test_hsts_is_read_before_and_written_after(http: Any) -> None:
    entries = iter([("secure.test", True, "20991231 00:00:00"), (b"other.test", False, None), None])
    written: list[Any] = []
    with Easy(
        url=f"http://www.secure.test:{http.port}/",
        resolve=[f"www.secure.test:443:{http.host}", f"www.secure.test:{http.port}:{http.host}"],
        hsts_ctrl=constants.HSTS.ENABLE,
        hstsreadfunction=lambda: next(entries),
        hstswritefunction=lambda entry, place: written.append((entry, place)),
        timeout=5,
    ) as easy:
        with pytest.raises(libcurl.Error):  # HTTP became HTTPS, which this server does not speak
            easy.perform()
        assert easy.info.scheme.lower() == "https"
    assert written == [
        (("secure.test", True, "20991231 00:00:00"), (0, 2)),
        (("other.test", False, written[1][0][2]), (1, 2)),
    ]


@hsts
def test_hsts_names_that_are_too_long_are_refused(http: Any) -> None:
    with (
        Easy(
            url=http.url + "/",
            hsts_ctrl=constants.HSTS.ENABLE,
            hstsreadfunction=lambda: (b"x" * 5000, True, None),
        ) as easy,
        pytest.raises(ValueError, match="a host name that is too long"),
    ):
        easy.perform()


# FTP and RTSP


@root_only
def test_wildcards_call_for_every_file(ftp: Any) -> None:
    events: list[Any] = []
    matched: list[tuple[str, str]] = []
    body: list[bytes] = []

    def begin(info: Any, remains: int) -> int:
        assert (info.filetype, info.size, info.perm) == (constants.FileType.FILE, 6, 0o644)
        assert "user" in info.strings
        events.append((info.filename, remains))
        skip = info.filename == "file-2.txt"
        return int(constants.ChunkBgn.SKIP if skip else constants.ChunkBgn.OK)

    def match(pattern: str, name: str) -> bool:
        matched.append((pattern, name))
        return name != "file-4.txt"

    with Easy(
        url=ftp.url + "/many/*.txt",
        wildcardmatch=True,
        fnmatch_function=match,
        chunk_bgn_function=begin,
        chunk_end_function=lambda: events.append("end"),
        writefunction=body.append,
    ) as easy:
        easy.perform()
    assert ("*.txt", "file-4.txt") in matched
    assert events == [
        ("file-0.txt", 4), "end", ("file-1.txt", 3), "end", ("file-2.txt", 2), "end",
        ("file-3.txt", 1), "end",
    ]  # fmt: skip
    assert b"".join(body) == b"file 0file 1file 3"


def test_interleave_gets_the_rtp_packets(http: Any) -> None:
    packets: list[bytes] = []

    def play(connection: Any, request: Any) -> None:
        early = b"$\0\0\4RTP1$\1\0\5RTCP2" if request.method == "PLAY" else b""
        connection.send(
            early + b"RTSP/1.0 200 OK\r\nSession: 1\r\n"
            b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            b"CSeq: %b\r\n\r\n" % request.get("CSeq").encode()
        )

    http.route("/film", play)
    easy = Easy(
        url=f"rtsp://{http.host}:{http.port}/film",
        interleavefunction=packets.append,
        rtsp_stream_uri=f"rtsp://{http.host}:{http.port}/film",
        rtsp_transport="RTP/AVP/TCP;interleaved=0-1",
        timeout=5,
    )
    if "rtsp" not in libcurl.version_info().protocols:
        pytest.skip("this libcurl has no RTSP")
    easy.set(rtsp_request=constants.RTSPRequest.SETUP)
    easy.perform()
    easy.set(rtsp_request=constants.RTSPRequest.PLAY)
    easy.perform()
    easy.close()
    assert packets == [b"$\0\0\4RTP1", b"$\1\0\5RTCP2"]


# Exceptions


class Surprise(Exception):
    """No exception that anybody else raises."""


def raising() -> tuple[Any, list[Surprise]]:
    raised: list[Surprise] = []

    def callback(*args: Any) -> Any:
        raised.append(Surprise())
        raise raised[-1]

    return callback, raised


REWINDING = {
    "upload": True,
    "followlocation": True,
    "infilesize": 5,
    "path": "/redirect-to?url=/post&code=307",
}
HTTP_CALLBACKS: dict[str, dict[str, Any]] = {
    "writefunction": {},
    "headerfunction": {},
    "readfunction": {"upload": True},
    "seekfunction": {**REWINDING, "readfunction": io.BytesIO(b"hello" * 9).read},
    "ioctlfunction": {**REWINDING, "readfunction": io.BytesIO(b"hello" * 9).read},
    "xferinfofunction": {},
    "progressfunction": {},
    "debugfunction": {"verbose": True},
    "prereqfunction": {},
    "resolver_start_function": {"host": "localhost"},
    "trailerfunction": {"upload": True, "readfunction": lambda size: b""},
    "opensocketfunction": {},
    "sockoptfunction": {},
    "closesocketfunction": {"forbid_reuse": True},
}  # fmt: skip


@pytest.mark.parametrize("name", HTTP_CALLBACKS)
def test_the_very_exception_of_a_callback_is_raised_and_no_other_entered(
    http: Any, name: str, no_fd_leak: Any
) -> None:
    if name == "prereqfunction" and raw.LOADED < (7, 80):
        pytest.skip("libcurl has no prereq callback")
    options = dict(HTTP_CALLBACKS[name])
    path = options.pop("path", "/post" if options.get("upload") else "/bytes/200000")
    host = options.pop("host", http.host)
    callback, raised = raising()
    entered: list[str] = []
    watchers = {
        "writefunction": lambda data: entered.append("write"),
        "headerfunction": lambda data: entered.append("header"),
        "debugfunction": lambda kind, data: entered.append("debug"),
        "xferinfofunction": lambda *numbers: entered.append("xferinfo"),
    }
    if name == "progressfunction":
        del watchers["xferinfofunction"]

    left: list[int] = []

    def stop(*args: Any) -> Any:
        if name == "closesocketfunction":
            left.append(args[0])
        entered.clear()
        return callback(*args)

    with no_fd_leak():
        with Easy(**{**watchers, "verbose": True, **options, name: stop}) as easy:
            easy.set(url=f"http://{host}:{http.port}{path}", timeout=5)
            with pytest.raises(Surprise) as caught:
                easy.perform()
            assert caught.value is raised[0]
            assert len(raised) == 1
            assert entered == []
            # What happened is over: the handle works on.
            easy.reset()
            easy.set(url=http.url + "/")
            if "followlocation" not in options:  # 8.14 remembers a rewind that failed
                assert easy.fetch() == b"hello"
        for fd in left:
            os.close(fd)


@pytest.mark.parametrize("name", ["writefunction", "headerfunction", "xferinfofunction"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interruptions_come_out_as_themselves(http: Any, name: str, kind: Any) -> None:
    def stop(*args: Any) -> None:
        raise kind("now")

    with Easy(url=http.url + "/", **{name: stop}) as easy, pytest.raises(kind, match="now"):
        easy.perform()


INTEGERS = {
    "writefunction": "WRITEFUNCTION",
    "headerfunction": "HEADERFUNCTION",
    "xferinfofunction": "XFERINFOFUNCTION",
    "sockoptfunction": "SOCKOPTFUNCTION",
}


@pytest.mark.parametrize("name", INTEGERS)
def test_a_return_value_that_is_no_int_is_a_type_error_that_names_both(
    http: Any, name: str
) -> None:
    with (
        Easy(url=http.url + "/", **{name: lambda *args: "yes"}) as easy,
        pytest.raises(
            TypeError, match=f"CURLOPT_{INTEGERS[name]} returned str, expected int or None"
        ),
    ):
        easy.perform()


@pytest.mark.parametrize("name", [*INTEGERS, "opensocketfunction"])
@pytest.mark.parametrize("number", [1 << 40, -(1 << 40), 1 << 100])
def test_a_return_value_that_is_no_c_int_is_an_exception(http: Any, name: str, number: int) -> None:
    with (
        Easy(url=http.url + "/", **{name: lambda *args: number}) as easy,
        pytest.raises((OverflowError, ValueError)),
    ):
        easy.perform()


def test_a_second_exception_is_not_lost_either(http: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", reported.append)
    first, second = Surprise("first"), Surprise("second")

    def write(data: bytes) -> None:
        raise first

    def closer(fd: int) -> None:
        os.close(fd)
        raise second

    with Easy(url=http.url + "/", writefunction=write, closesocketfunction=closer) as easy:
        with pytest.raises(Surprise) as caught:
            easy.perform()
        assert caught.value is first
    assert [report.exc_value for report in reported] == [second]


# Using the handle meanwhile


def test_the_body_can_be_looked_at_on_its_way(http: Any) -> None:
    seen: list[int] = []
    with Easy(url=http.url + "/bytes/500000") as easy:
        easy.set(xferinfofunction=lambda *numbers: seen.append(len(easy.body)))
        easy.perform()
        assert easy.body == payload(500_000)
    assert seen == sorted(seen)


def test_options_can_be_set_and_infos_read_in_a_callback(http: Any) -> None:
    seen: list[int] = []

    def header(line: bytes) -> None:
        seen.append(easy.info.response_code)
        easy.set(useragent="me", httpheader=[f"X-{n}: {n}" for n in range(3)])

    with Easy(url=http.url + "/redirect/1", followlocation=True, headerfunction=header) as easy:
        easy.perform()
        assert easy.body == b"hello"
    assert set(seen) == {302, 200}


def test_a_list_replaced_in_a_transfer_lives_to_its_end() -> None:
    """SMTP walks through MAIL_RCPT while the server answers: what libcurl points to must stay."""
    with smtp() as (url, received):
        wanted = [f"<reader-{n}@{'x' * 50}.test>" for n in range(20)]

        def replace(kind: int, data: bytes) -> None:
            if data.startswith(b"RCPT TO:<reader-1@"):
                easy.set(mail_rcpt=["<somebody.else@test>"])

        with Easy(
            url=url,
            mail_from="<writer@test>",
            mail_rcpt=wanted,
            upload=True,
            readdata=b"Subject: x\r\n\r\nhello\r\n",
            verbose=True,
            debugfunction=replace,
            timeout=5,
        ) as easy:
            easy.perform()
    rcpt = [line for line in received if line.startswith(b"RCPT")]
    assert rcpt == [f"RCPT TO:{reader}\r\n".encode() for reader in wanted]


def test_fields_cannot_be_replaced_in_a_transfer(http: Any) -> None:
    def header(line: bytes) -> None:
        with pytest.raises(RuntimeError, match="POSTFIELDS cannot be changed during a transfer"):
            easy.set(postfields=b"other")

    with Easy(url=http.url + "/post", postfields=b"hello", headerfunction=header) as easy:
        assert easy.fetch() == b"hello"
        easy.set(postfields=b"other")
        assert easy.fetch() == b"other"


def test_unset_and_reset_wait_for_the_end(http: Any) -> None:
    seen: list[str] = []

    def write(data: bytes) -> None:
        for act in (lambda: easy.unset("useragent"), easy.reset):
            with pytest.raises(RuntimeError, match="transfer") as caught:
                act()
            seen.append(str(caught.value))

    with Easy(url=http.url + "/", useragent="me", writefunction=write) as easy:
        easy.perform()
        easy.unset("useragent")
        easy.reset()
    assert len(seen) == 2


def test_a_handle_closed_in_its_own_callback_closes_when_the_transfer_ends(
    http: Any, no_fd_leak: Any
) -> None:
    def write(data: bytes) -> None:
        easy.close()
        assert not easy.closed

    with no_fd_leak():
        easy = Easy(url=http.url + "/bytes/300000", writefunction=write)
        with pytest.raises(libcurl.Error) as caught:
            easy.perform()
        assert caught.value.code in (Code.ABORTED_BY_CALLBACK, Code.WRITE_ERROR)
        assert easy.closed
        with pytest.raises(ValueError, match="closed"):
            easy.perform()


def test_another_thread_is_told_that_the_handle_is_in_use(http: Any) -> None:
    arrived, leave = threading.Event(), threading.Event()
    http.route(
        "/wait", lambda connection, request: (arrived.set(), leave.wait(5), connection.respond(200))
    )
    easy = Easy(url=http.url + "/wait")
    thread = threading.Thread(target=easy.perform)
    thread.start()
    try:
        assert arrived.wait(5)
        for use in (
            easy.perform, easy.close, easy.reset, easy.duphandle, easy.pause, easy.upkeep,
            lambda: easy.body, lambda: easy.info.response_code, lambda: easy.info.effective_url,
            lambda: easy.set(useragent="x"), lambda: easy.set(httpheader=["x"]),
            lambda: easy.set(postfields=b"x"), lambda: easy.set(writefunction=print),
            lambda: easy.set(closesocketfunction=print), lambda: easy.send(b"x"),
        ):  # fmt: skip
            with pytest.raises(RuntimeError, match=r"in use by another thread|during its transfer"):
                use()
    finally:
        leave.set()
        thread.join()
    easy.perform()
    easy.close()


# Callbacks that unset themselves


@pytest.mark.parametrize("pieces", [1, 5])
def test_what_a_write_function_leaves_is_collected(http: Any, pieces: int) -> None:
    chunks: list[bytes] = []

    def write(data: bytes) -> None:
        chunks.append(data)
        if len(chunks) == pieces:
            easy.set(writefunction=None)

    with Easy(url=http.url + "/bytes/1000000", writefunction=write, buffersize=100_000) as easy:
        easy.perform()
        assert len(chunks) == pieces
        assert b"".join(chunks) + easy.body == payload(1_000_000)


def test_what_a_write_function_leaves_goes_to_the_file_in_its_place(
    http: Any, tmp_path: pathlib.Path
) -> None:
    chunks: list[bytes] = []

    def write(data: bytes) -> None:
        chunks.append(data)
        easy.set(writedata=file)

    with (
        open(tmp_path / "file", "wb") as file,
        Easy(url=http.url + "/bytes/1000000", writefunction=write, buffersize=100_000) as easy,
    ):
        easy.perform()
        assert easy.body == b""
    assert chunks[0] + (tmp_path / "file").read_bytes() == payload(1_000_000)


def test_a_header_function_may_unset_itself(http: Any) -> None:
    lines: list[bytes] = []

    def header(line: bytes) -> None:
        lines.append(line)
        easy.set(headerfunction=None)

    with Easy(url=http.url, headerfunction=header) as easy:
        assert easy.fetch() == b"hello"
        assert len(lines) == 1


def test_a_header_function_that_unsets_the_write_function(http: Any) -> None:
    file = io.BytesIO()

    def header(line: bytes) -> None:
        easy.set(writefunction=None)

    with Easy(url=http.url, headerfunction=header, writefunction=file.write) as easy:
        easy.perform()
        assert file.getvalue() + easy.body == b"hello"


def test_a_read_function_that_unsets_itself_is_missed(http: Any) -> None:
    def read(size: int) -> bytes:
        easy.set(readfunction=None)
        return b"x"

    with (
        Easy(url=http.url + "/post", upload=True, readfunction=read) as easy,
        pytest.raises(RuntimeError, match="READFUNCTION was unset"),
    ):
        easy.perform()


@pytest.mark.parametrize("name", ["writefunction", "headerfunction", "xferinfofunction"])
@pytest.mark.parametrize("face", ["easy", "run", "perform", "socket_action"])
def test_a_child_forked_in_a_callback_can_close_and_exit(
    http: Any, script: Any, name: str, face: str
) -> None:
    lines = f"""
        import os, sys
        from libcurl import Easy, Multi
        def callback(*arguments):
            if os.getpid() == parent:
                child = os.fork()
                if child:
                    status.append(os.waitpid(child, 0)[1])
                    easy.set({name}=None)
                    return
                easy.close()
                sys.exit(7)
        status = []
        parent = os.getpid()
        easy = Easy(url={http.url!r}, {name}=callback, noprogress=False)
        if {face!r} == "easy":
            easy.perform()
        else:
            from driving import by_{face if face != "easy" else "run"} as drive
            multi = Multi()
            multi.add(easy)
            assert list(drive(multi)) == [(easy, None)]
        print(list(map(os.waitstatus_to_exitcode, status)))
    """
    assert script(lines) == "[7]\n"


@pytest.mark.parametrize("name", ["WRITEFUNCTION", "HEADERFUNCTION", "XFERINFOFUNCTION"])
@pytest.mark.parametrize("closes", [False, True])
def test_a_child_that_the_drop_in_has_forked_in_a_callback_can_close_and_exit(
    http: Any, script: Any, name: str, closes: bool
) -> None:
    lines = f"""
        import os, sys
        from libcurl import pycurl
        def callback(*arguments):
            if os.getpid() == parent and not status:
                child = os.fork()
                if child:
                    status.append(os.waitpid(child, 0)[1])
                    return
                if {closes}:
                    curl.close()
                sys.exit(7)
        status = []
        parent = os.getpid()
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, {http.url!r})
        curl.setopt(pycurl.NOPROGRESS, 0)
        curl.setopt(pycurl.WRITEDATA, open(os.devnull, "wb"))
        curl.setopt(pycurl.{name}, callback)
        curl.perform()
        print(list(map(os.waitstatus_to_exitcode, status)))
    """
    assert script(lines) == "[7]\n"
