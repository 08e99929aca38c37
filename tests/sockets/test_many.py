"""One set for many handles: Multi, asyncio, Share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import libcurl
from libcurl.sockets import (
    AddressPolicy,
    AddressRefused,
    Rewrite,
    SocketLog,
    SocketOptions,
    allow,
    already_connected,
    deny,
)

if TYPE_CHECKING:
    from servers.http import HTTPServer

LOCAL = AddressPolicy(allow("127.0.0.0/8"))
NOTHING = AddressPolicy(deny())
FORBIDDEN = "http://192.0.2.1/"


def outcomes(multi: libcurl.Multi) -> list[BaseException | None]:
    return [error for _, error in multi.run()]


# Multi


def test_a_multis_set_is_for_all(http: HTTPServer) -> None:
    with SocketLog() as log, libcurl.Multi(sockets=LOCAL | log) as multi:
        easies = [libcurl.Easy(url=url) for url in (http.url, http.url, FORBIDDEN)]
        for easy in easies:
            multi.add(easy)
        errors = dict(multi.run())
        assert [type(errors[easy]) for easy in easies] == [type(None)] * 2 + [AddressRefused]
        error = errors[easies[2]]
        assert isinstance(error, AddressRefused)
        assert error.url == FORBIDDEN
        multi.add(easies[2])  # again, as it is
        assert isinstance(outcomes(multi)[0], AddressRefused)
    assert 1 <= len(log) <= 2


def test_ones_own_set_counts(http: HTTPServer) -> None:
    with libcurl.Multi(sockets=NOTHING) as multi:
        multi.add(libcurl.Easy(url=http.url, sockets=LOCAL))
        assert outcomes(multi) == [None]
        multi.add(libcurl.Easy(url=http.url))
        assert isinstance(outcomes(multi)[0], AddressRefused)


def test_a_multis_set_changes(http: HTTPServer) -> None:
    with libcurl.Multi() as multi:
        easy = libcurl.Easy(url=http.url)
        for tools in (NOTHING, LOCAL, NOTHING):
            multi.set(sockets=tools)
            multi.add(easy)
            (error,) = outcomes(multi)
            assert isinstance(error, AddressRefused) == (tools is NOTHING)
        multi.set(sockets=None)
        multi.add(libcurl.Easy(url=http.url))
        assert outcomes(multi) == [None]
        multi.add(easy)  # what it was given it keeps
        assert isinstance(outcomes(multi)[0], AddressRefused)


def test_a_multis_set_and_callbacks_of_ones_own(http: HTTPServer) -> None:
    with libcurl.Multi(sockets=LOCAL) as multi:
        easy = libcurl.Easy(url=http.url, opensocketfunction=lambda purpose, address: -1)
        with pytest.raises(RuntimeError, match="needs CURLOPT_OPENSOCKETFUNCTION"):
            multi.add(easy)
        assert len(multi) == 0
        with pytest.raises(TypeError, match="sockets takes"):
            multi.set(sockets=5)  # type: ignore[typeddict-item]


def test_refusals_before_a_transfer_come_out_of_add(http: HTTPServer) -> None:
    with libcurl.Multi(sockets=LOCAL) as multi:
        easy = libcurl.Easy(url=http.url, proxy="http://10.0.0.1")
        with pytest.raises(AddressRefused, match="proxy"):
            multi.add(easy)
        easy.set(proxy="")
        multi.add(easy)
        assert outcomes(multi) == [None]


@pytest.mark.parametrize("way", ["step", "perform"])
def test_other_ways_to_drive(http: HTTPServer, way: str) -> None:
    with SocketLog() as log, libcurl.Multi(sockets=LOCAL | log) as multi:
        for url in (http.url, FORBIDDEN):
            multi.add(libcurl.Easy(url=url))
        found: list[Any] = []
        if way == "step":
            while len(found) < 2:
                found += multi.step()
        else:
            while multi.perform():
                multi.poll(100)
            found = multi.info_read()
            for easy, _ in found:
                multi.remove(easy)
        assert {type(error) for _, error in found} == {type(None), AddressRefused}


def test_all_tools_at_once(http: HTTPServer) -> None:
    rewrite = Rewrite({("web.internal", 80): ("127.0.0.1", http.port)})
    with SocketLog() as log:
        tools = rewrite | LOCAL | SocketOptions(nodelay=True, keepalive=30) | log
        with libcurl.Multi(sockets=tools) as multi:
            for _ in range(20):
                multi.add(libcurl.Easy(url="http://web.internal/"))
            assert outcomes(multi) == [None] * 20
            multi.add(libcurl.Easy(url="http://web.internal/"))
            assert outcomes(multi) == [None]
    assert len(log) == len(http.connections)


# asyncio


def test_asyncio(http: HTTPServer) -> None:
    async def main() -> None:
        with SocketLog() as log:
            async with libcurl.aio.AsyncMulti(sockets=LOCAL | log) as multi:
                easies = [libcurl.Easy(url=http.url) for _ in range(5)]
                await asyncio.gather(*map(multi.perform, easies))
                assert [easy.body for easy in easies] == [b"hello"] * 5
                with pytest.raises(AddressRefused) as raised:
                    await multi.perform(libcurl.Easy(url=FORBIDDEN))
                assert raised.value.url == FORBIDDEN
                with pytest.raises(AddressRefused):
                    await multi.perform(libcurl.Easy(url=http.url, sockets=NOTHING))
                with pytest.raises(AddressRefused, match="proxy"):
                    await multi.perform(libcurl.Easy(url=http.url, proxy="http://10.0.0.1"))
                easy = libcurl.Easy(url=f"{http.url}/bytes/100000")
                chunks = [chunk async for chunk in multi.stream(easy)]
                assert sum(map(len, chunks)) == 100_000
                with pytest.raises(AddressRefused):
                    async for _ in multi.stream(libcurl.Easy(url=FORBIDDEN)):
                        pass
        assert len(log) >= 1

    asyncio.run(main())


def test_asyncio_with_every_tool(http: HTTPServer) -> None:
    import socket

    async def main() -> None:
        rewrite = Rewrite({"192.0.2.0/24": ("127.0.0.1", http.port)})
        with SocketLog() as log:
            tools = rewrite | LOCAL | SocketOptions(nodelay=True) | log
            async with libcurl.aio.AsyncMulti(sockets=tools) as multi:
                urls = [f"http://192.0.2.{number}/" for number in range(1, 30)]
                await asyncio.gather(*(multi.perform(libcurl.Easy(url=url)) for url in urls))
                sock = socket.create_connection(("127.0.0.1", http.port))
                easy = libcurl.Easy(url="http://198.51.100.1/", timeout_ms=5000)
                easy.set(sockets=already_connected(sock) | LOCAL)
                await multi.perform(easy)
                assert easy.body == b"hello"
        assert len(log) == 29

    asyncio.run(main())


# Streams and downloads of an Easy go the same way as perform


def test_other_ways_to_transfer(http: HTTPServer, tmp_path: Any) -> None:
    for tools, good in ((LOCAL, True), (NOTHING, False), (AddressPolicy.public_only(), False)):
        with libcurl.Easy(url=http.url, sockets=tools) as easy:
            ways = (
                easy.perform,
                easy.fetch,
                lambda easy=easy: list(easy.stream()),
                lambda easy=easy: easy.download(tmp_path / "x"),
            )
            for way in ways:
                if good:
                    way()
                else:
                    with pytest.raises(AddressRefused):
                        way()
            easy.set(proxy="http://10.0.0.1:3128")
            for way in ways:
                with pytest.raises(AddressRefused, match="proxy"):
                    way()


def test_sockets_set_after_fetches(http: HTTPServer) -> None:
    with libcurl.Easy(url=http.url) as easy:
        for _ in range(3):
            assert easy.fetch() == b"hello"
        easy.set(sockets=NOTHING, forbid_reuse=True)
        for _ in range(2):
            with pytest.raises(AddressRefused):
                easy.fetch()


# Share


def test_a_shares_set_is_for_all(http: HTTPServer) -> None:
    log = SocketLog()
    with libcurl.Share(libcurl.LockData.CONNECT, sockets=LOCAL | log) as share:
        with libcurl.Easy(url=http.url, share=share) as one:
            one.perform()
            with libcurl.Easy(url=FORBIDDEN, share=share) as two, pytest.raises(AddressRefused):
                two.perform()
            with libcurl.Easy(url=http.url, share=share, sockets=NOTHING) as three:
                with pytest.raises(AddressRefused):
                    three.perform()
            with libcurl.Easy(url=http.url, sockets=NOTHING, share=share) as four:
                with pytest.raises(AddressRefused):
                    four.perform()
    assert len(log) == 1
    log.check()


def test_a_share_does_not_attach_what_it_cannot_guard() -> None:
    with libcurl.Share(sockets=LOCAL) as share, libcurl.Easy() as easy:
        easy.set(opensocketfunction=lambda purpose, address: -1)
        with pytest.raises(RuntimeError, match="needs CURLOPT_OPENSOCKETFUNCTION"):
            easy.set(share=share)
    with pytest.raises(TypeError, match="sockets takes"):
        libcurl.Share(sockets=5)  # type: ignore[arg-type]
