"""AsyncMulti.stream: bodies in pieces, as they come and no faster than they are taken."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import aclosing
from typing import Any

import pytest
from servers import payload

import libcurl
from libcurl import Easy
from libcurl._native import lib
from libcurl.aio import AsyncMulti


async def collected(multi: AsyncMulti, easy: Easy) -> bytes:
    """The whole of a stream."""
    return b"".join([chunk async for chunk in multi.stream(easy)])


STREAM_MOST = lib.STREAM_MOST
SIZES = [0, 1, 4095, 4096, 4097, 65_536, STREAM_MOST, STREAM_MOST + 1, 3_000_017]


@pytest.mark.parametrize("size", SIZES)
def test_the_pieces_are_the_body(loops: Any, http: Any, size: int) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=f"{http.url}/bytes/{size}")
        for _ in range(2):
            assert await collected(multi, easy) == payload(size)
            assert easy.body == b""  # it is with whoever took it
            assert easy.info.size_download_t == size
        assert (await multi.perform(easy)).body == payload(size)

    loops.run(main)
    assert http.accepted == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/gzip?n=2000000", payload(2_000_000)),
        ("/chunked?n=200&size=9999", payload(200 * 9999)),
        ("/interim?n=3", b"hello"),
        ("/redirect/3", b"hello"),
        ("/close", b"hello"),
    ],
)
def test_the_pieces_are_decoded(loops: Any, http: Any, path: str, body: bytes) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + path, accept_encoding="", followlocation=True)
        found = b""
        async for chunk in multi.stream(easy):
            found += chunk
            await asyncio.sleep(0.001)
        assert found == body

    loops.run(main)


def test_pieces_come_when_they_arrive(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        times = []
        async for chunk in multi.stream(Easy(url=http.url + "/drip?n=5&delay=0.1")):
            times.append((time.monotonic(), len(chunk)))
        assert sum(size for _, size in times) == 5
        assert len(times) >= 4
        assert times[-1][0] - times[0][0] > 0.25

    loops.run(main)


def test_a_slow_consumer_makes_the_server_wait(loops: Any, http: Any) -> None:
    total = 64 << 20
    sent = 0

    def handler(connection: Any, request: Any) -> None:
        nonlocal sent
        connection.head(200, [("Content-Length", str(total))])
        for start in range(0, total, 1 << 16):
            connection.send(payload(1 << 16, start))
            sent = start + (1 << 16)

    http.route("/big", handler)

    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/big")
        async with aclosing(multi.stream(easy)) as stream:
            received = len(await anext(stream))
            await asyncio.sleep(0.3)
            before = sent
            await asyncio.sleep(0.3)
            assert sent == before  # it waits: what is sent is in the sockets' buffers
            assert sent < 32 << 20
            assert easy._handle.body.size <= STREAM_MOST
            # And another transfer is not held up.
            assert (await multi.perform(Easy(url=http.url))).body == b"hello"
            async for chunk in stream:
                assert len(chunk) < 2 * STREAM_MOST
                assert chunk == payload(len(chunk), received)
                received += len(chunk)
        assert received == total

    loops.run(main)


def test_a_stream_takes_little_memory(loops: Any, http_process: Any, script: Any) -> None:
    script(
        """
        import asyncio, resource, sys, libcurl
        url, kind = sys.argv[1:]

        async def main():
            async with libcurl.aio.AsyncMulti() as multi:
                multi.multi._handle.portable = kind == "portable"
                await multi.perform(libcurl.Easy(url=url + "/bytes/1000"))
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                size = count = 0
                async for chunk in multi.stream(libcurl.Easy(url=url + "/bytes/100000000")):
                    size += len(chunk)
                    count += 1
                    if count % 50 == 0:
                        await asyncio.sleep(0.01)
                assert size == 100_000_000
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
                assert grown < 5_000, grown  # kilobytes

        loop = asyncio.new_event_loop()
        if kind == "uvloop":
            import uvloop
            loop = uvloop.new_event_loop()
        loop.run_until_complete(main())
        """,
        http_process.url,
        loops.kind,
    )


def test_many_streams_at_once(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        async def one(number: int) -> None:
            found = b""
            async for chunk in multi.stream(Easy(url=http.url + "/bytes/1000003")):
                found += chunk
                if number % 3 == 0:
                    await asyncio.sleep(0.002)
            assert found == payload(1_000_003)

        await asyncio.gather(*[one(number) for number in range(50)])
        assert len(multi) == len(multi.multi) == 0

    loops.run(main)


def test_http_2_streams_wait_for_their_own_consumers_only(loops: Any, nginx: Any, ca: Any) -> None:
    options: dict[str, Any] = {"cainfo": ca.cert, "http_version": libcurl.HTTPVersion.V2TLS}

    async def main(multi: AsyncMulti) -> None:
        url = nginx.tls_url + "/bytes/10000000"
        async with aclosing(multi.stream(Easy(url=url, **options))) as slow:
            first = await anext(slow)
            assert await collected(multi, Easy(url=url, **options)) == payload(10_000_000)
            rest = b"".join([chunk async for chunk in slow])
        assert first + rest == payload(10_000_000)

    loops.run(main)


def test_a_limit_counts_streams_too(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        async with aclosing(multi.stream(Easy(url=http.url + "/bytes/1000000"))) as stream:
            await anext(stream)
            task = asyncio.ensure_future(collected(multi, Easy(url=http.url)))
            await asyncio.sleep(0.1)
            assert not task.done()
            async for _ in stream:
                pass
        assert await task == b"hello"

    loops.run(main, 1)


# Ends


def test_leaving_a_stream_aborts_its_transfer(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/bytes/50000000")
        async with aclosing(multi.stream(easy)) as stream:
            async for chunk in stream:
                assert chunk == payload(len(chunk))
                break
        assert len(multi) == len(multi.multi) == 0
        easy.set(url=http.url + "/bytes/1000000")  # more than a stream would hold
        assert (await multi.perform(easy)).body == payload(1_000_000)
        assert easy.fetch() == payload(1_000_000)
        easy.close()

    loops.run(main)
    assert http.wait_idle()


def test_a_stream_that_is_forgotten_aborts_its_transfer(loops: Any, http: Any) -> None:
    import gc

    async def main(multi: AsyncMulti) -> None:
        async for _ in multi.stream(Easy(url=http.url + "/bytes/50000000")):
            break
        gc.collect()
        await asyncio.sleep(0.05)
        assert len(multi) == len(multi.multi) == 0

    loops.run(main)
    assert http.wait_idle()


def test_a_stream_that_was_never_begun_has_done_nothing(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        stream = multi.stream(Easy(url=http.url))
        assert len(multi) == 0
        await stream.aclose()

    loops.run(main)
    assert http.accepted == 0


def test_cancelling_a_stream_aborts_its_transfer(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(collected(multi, Easy(url=http.url + "/stall")), 0.2)
        assert len(multi) == len(multi.multi) == 0

    loops.run(main)
    assert http.wait_idle()


def test_what_came_before_a_failure_comes_first(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        found = b""
        with pytest.raises(libcurl.Error) as caught:
            async for chunk in multi.stream(Easy(url=http.url + "/short?declared=100&sent=50")):
                found += chunk
        assert caught.value.code is libcurl.Code.PARTIAL_FILE
        assert found == payload(50)
        with pytest.raises(libcurl.CouldntConnect):
            await collected(multi, Easy(url="http://127.0.0.1:1/"))
        with pytest.raises(libcurl.OperationTimedOut):
            await collected(multi, Easy(url=http.url + "/stall", timeout_ms=100))

    loops.run(main)


class Mine(Exception):
    """Raised by callbacks."""


@pytest.mark.parametrize("name", ["headerfunction", "xferinfofunction", "debugfunction"])
@pytest.mark.parametrize("after", [0, 1, 4])
def test_exceptions_of_callbacks_come_out_of_the_stream(
    loops: Any, http: Any, name: str, after: int
) -> None:
    calls = 0

    def fail(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Mine

    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/bytes/3000000", noprogress=False, verbose=True)
        easy.set(**{name: fail})
        with pytest.raises(Mine):
            async for _ in multi.stream(easy):
                await asyncio.sleep(0.001)
        assert calls == after + 1
        assert len(multi) == len(multi.multi) == 0

    loops.run(main)


def test_a_handle_closed_in_its_stream_ends_it(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        easy = Easy(url=http.url + "/bytes/50000000")
        with pytest.raises(libcurl.Error) as caught:
            async for _ in multi.stream(easy):
                easy.close()
        assert caught.value.code is libcurl.Code.ABORTED_BY_CALLBACK
        assert len(multi) == len(multi.multi) == 0

    loops.run(main)


def test_what_cannot_be_streamed_is_refused_and_left_alone(loops: Any, http: Any) -> None:
    async def main(multi: AsyncMulti) -> None:
        for easy in (
            Easy(url=http.url, writefunction=lambda data: None),
            Easy(url=http.url, writedata=io.BytesIO()),
        ):
            with pytest.raises(ValueError, match="cannot be streamed"):
                await collected(multi, easy)
        big = Easy(url=http.url + "/bytes/3000000")
        task = asyncio.ensure_future(multi.perform(big))
        await asyncio.sleep(0)
        with pytest.raises(libcurl.MultiError):
            await collected(multi, big)
        assert (await task).body == payload(3_000_000)

    loops.run(main)
