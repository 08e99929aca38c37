"""What a handle caches is its own, although the multi that performs it may have served another handle."""

from __future__ import annotations

import os
from typing import Any

import pytest

from libcurl import Code, Easy, Error, LockData, Multi, Share
from libcurl.raw import LOADED


def port(server: Any) -> int:
    return int(server.url.rsplit(":", 1)[1])


def test_a_handle_has_no_connection_of_the_one_before(http: Any) -> None:
    for _ in range(3):
        with Easy(url=http.url) as easy:
            for connects in (1, 0):
                easy.fetch()
                assert easy.info.num_connects == connects


def test_a_handle_resolves_no_name_of_the_one_before(http: Any) -> None:
    url = f"http://libcurl.invalid:{port(http)}/"
    with Easy(url=url, resolve=[f"libcurl.invalid:{port(http)}:127.0.0.1"]) as easy:
        easy.perform()
    with Easy(url=url) as easy:
        with pytest.raises(Error) as caught:
            easy.perform()
        assert caught.value.code == Code.COULDNT_RESOLVE_HOST


def test_a_handle_has_no_tls_session_of_the_one_before(https: Any, ca: Any) -> None:
    def resumes(easy: Easy) -> bool:
        lines: list[bytes] = []
        easy.set(debugfunction=lambda _, data: lines.append(bytes(data)))
        easy.fetch()
        return b"reusing session" in b"".join(lines).lower().replace(b"-", b"")

    for _ in range(2):
        with Easy(url=https.url, cainfo=ca.cert, verbose=True, fresh_connect=True) as easy:
            assert [resumes(easy), resumes(easy)] == [False, True]


def test_the_most_connections_of_a_handle_are_not_those_of_the_next(http: Any) -> None:
    names = [f"libcurl.invalid:{port(http)}:127.0.0.1"]
    urls = 2 * (http.url, f"http://libcurl.invalid:{port(http)}/")

    def connects(most: int | None) -> int:
        with Easy(maxconnects=most, resolve=names) as easy:
            count = 0
            for url in urls:
                easy.set(url=url)
                easy.fetch()
                count += easy.info.num_connects
            return count

    assert connects(1) > 2
    assert connects(None) == 2


def test_what_is_not_shared_is_the_own_of_a_handle_that_shares(http: Any) -> None:
    with Share(LockData.COOKIE) as share, Easy(url=http.url) as easy:
        easy.fetch()
        easy.set(share=share)
        for share_again in (None, share, None):
            easy.fetch()  # the first one connects
            easy.fetch()
            assert easy.info.num_connects == 0
            easy.set(share=share_again)
    with Easy(url=http.url) as easy:
        easy.fetch()
        assert easy.info.num_connects == 1


@pytest.mark.skipif(LOADED >= (8, 9), reason="each handle has a multi of its own")
def test_a_child_waits_on_no_socket_of_its_parent(script: Any, http: Any) -> None:
    script(
        """
import os, sys
import libcurl
from servers.descriptors import described_fds, settle
url = sys.argv[1]
settle()
parents = described_fds()
child = os.fork()
if not child:
    easy = libcurl.Easy(url=url)
    easy.perform()
    mine = dict(described_fds().items() - parents.items())
    # A connection, and the two sockets of a multi of the child's own.
    os._exit([name.partition(":")[0] for name in mine.values()] != 3 * ["socket"])
assert os.waitpid(child, 0)[1] == 0
""",
        http.url,
    )


def test_handles_that_are_closed_leave_no_more_than_one_does(http: Any, no_fd_leak: Any) -> None:
    with no_fd_leak():
        easies = [Easy(url=http.url) for _ in range(5)]
        for easy in easies:
            easy.perform()
        for easy in easies:
            easy.close()


def test_no_share_is_what_a_handle_has_already(http: Any, no_fd_leak: Any) -> None:
    closed: list[int] = []

    def close(fd: int) -> None:
        closed.append(fd)
        os.close(fd)

    with no_fd_leak():
        with Easy(url=http.url, closesocketfunction=close) as easy:
            easy.fetch()
            easy.set(share=None)
            easy.fetch()
            assert easy.info.num_connects == 0
            assert not closed
        assert len(closed) == 1


def test_a_handle_that_comes_back_from_a_multi_is_in_its_share_still(http: Any) -> None:
    with Share(LockData.CONNECT) as share:
        with Easy(url=http.url, share=share) as easy, Multi() as multi:
            multi.add(easy)
            assert [error for _, error in multi.run()] == [None]
            easy.fetch()
        with Easy(url=http.url, share=share) as other:
            other.fetch()
            assert other.info.num_connects == 0


def test_a_share_can_be_exchanged_for_another_and_closed(http: Any) -> None:
    shares = [Share(LockData.CONNECT, LockData.DNS) for _ in range(3)]
    with Easy(url=http.url) as easy:
        for share in shares:
            easy.set(share=share)
            easy.fetch()
            assert easy.info.num_connects == 1
        for share in shares[:-1]:
            share.close()
        easy.fetch()
        assert easy.info.num_connects == 0
    shares[-1].close()


@pytest.mark.parametrize("end", ["close", "join a multi", "join a share"])
def test_no_closer_performs_a_handle_whose_connections_are_going(
    http: Any, no_fd_leak: Any, end: str
) -> None:
    refused = []

    def close(fd: int) -> None:
        os.close(fd)
        try:
            easy.perform()
        except Error as error:
            refused.append(error.code)

    with no_fd_leak(), Multi() as multi, Share(LockData.COOKIE) as share:
        easy = Easy(url=http.url, closesocketfunction=close)
        easy.perform()
        if end == "join a multi":
            multi.add(easy)
        elif end == "join a share":
            easy.set(share=share)
        easy.close()
        assert refused == [Code.RECURSIVE_API_CALL]
