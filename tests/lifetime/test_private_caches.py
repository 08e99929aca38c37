"""What a handle caches is its own, although the multi that performs it may have served another handle."""

from __future__ import annotations

import contextlib
import os
import pathlib
from typing import Any

import pytest
from servers.descriptors import described_fds, settle
from servers.smtp import smtp
from servers.tls import Authority

from libcurl import Code, Easy, Error, LockData, Multi, Pause, Share, pycurl
from libcurl.pycurl import Curl
from libcurl.raw import LOADED


def port(server: Any) -> int:
    return int(server.url.rsplit(":", 1)[1])


def test_a_handle_has_no_connection_of_the_one_before(http: Any) -> None:
    for _ in range(3):
        with Easy(url=http.url) as easy:
            for connects in (1, 0):
                easy.fetch()
                assert easy.info.num_connects == connects


def sockets() -> set[str]:
    return {name for name in described_fds().values() if name.startswith("socket:")}


@pytest.mark.skipif(not (7, 88) <= LOADED < (8,), reason="each handle has a multi of its own")
@pytest.mark.parametrize("make", [Easy, Curl])
def test_a_handle_that_has_made_one_request_leaves_its_multi_to_the_next(
    http: Any, make: Any
) -> None:
    settle()
    before = sockets()
    for _ in range(3):
        handle = make()
        if isinstance(handle, Easy):
            handle.set(url=http.url)
            handle.fetch()
        else:
            handle.setopt(pycurl.URL, http.url)
            handle.perform_rb()
        handle.close()
        assert http.wait_idle()
        assert sockets() >= before


@pytest.mark.parametrize(
    "leave",
    ["one", "some", "redirected", "failed", "found over HTTPS", "over TLS", "connect_only"],
)
def test_no_connection_stays_in_the_multi_that_a_handle_has_left(
    http: Any, https: Any, dns: Any, leave: str
) -> None:
    with Easy(url=http.url, ssl_verifypeer=False, ssl_verifyhost=0) as easy:
        if leave == "some":
            easy.fetch()
            easy.set(fresh_connect=True)
        elif leave == "redirected":
            easy.set(url=f"{http.url}/redirect-to?url={https.url}/", followlocation=True)
        elif leave == "failed":
            easy.set(url=f"{http.url}/redirect/2", followlocation=True, maxredirs=1)
        elif leave == "found over HTTPS":
            dns.zone["found.test"] = "127.0.0.1"
            easy.set(
                url=f"http://found.test:{http.port}/",
                doh_url=dns.serve_doh(https),
                doh_ssl_verifypeer=False,
                doh_ssl_verifyhost=0,
            )
        elif leave == "over TLS":
            easy.set(url=https.url)
        elif leave == "connect_only":
            easy.set(connect_only=True)
        with pytest.raises(Error) if leave == "failed" else contextlib.nullcontext():
            easy.perform()
    assert http.wait_idle()
    assert https.wait_idle()
    with Easy(url=http.url) as easy:
        easy.fetch()
        assert easy.info.num_connects == 1


def test_a_server_that_expects_a_goodbye_hears_it() -> None:
    with smtp() as (url, heard), Easy(url=url) as easy:
        easy.perform()
    assert heard[-1] == b"QUIT\r\n"


def test_the_debug_callback_hears_nothing_of_the_closing(http: Any) -> None:
    heard: list[bytes] = []
    easy = Easy(url=http.url, verbose=True, debugfunction=lambda _, data: heard.append(bytes(data)))
    easy.fetch()
    before = len(heard)
    easy.close()
    assert before
    assert len(heard) == before


def test_a_handle_keeps_its_connection_when_it_begins_to_share_something_else(http: Any) -> None:
    with Share(LockData.COOKIE) as share, Easy(url=http.url) as easy:
        for share_again in (share, None, share):
            easy.fetch()
            easy.set(share=share_again)
            easy.fetch()
            assert easy.info.num_connects == 0
    assert http.wait_idle()


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


@pytest.mark.parametrize("through_a_proxy", [False, True])
def test_a_handle_trusts_no_certificate_of_the_one_before(
    https: Any, ca: Any, tmp_path: Any, through_a_proxy: bool
) -> None:
    trusted = tmp_path / "trusted.pem"

    def request(url: str, certificates: str, proxy: str | None = None) -> None:
        trusted.write_bytes(pathlib.Path(certificates).read_bytes())
        with Curl() as curl:
            curl.setopt(pycurl.URL, url)
            curl.setopt(pycurl.PROXY, proxy)
            for file, folder in ("CAINFO", "CAPATH"), ("PROXY_CAINFO", "PROXY_CAPATH"):
                curl.setopt(getattr(pycurl, file), str(trusted))
                curl.setopt(getattr(pycurl, folder), None)  # with which libcurl caches no others
            curl.perform_rb()

    if through_a_proxy:
        request("http://libcurl.invalid/", ca.cert, https.url)
    else:
        request(https.url, ca.cert)
    with pytest.raises(pycurl.error) as caught:
        request(https.url, Authority().cert)
    assert caught.value.args[0] == Code.PEER_FAILED_VERIFICATION


@pytest.mark.parametrize("data", [LockData.COOKIE, LockData.DNS])
def test_a_handle_finds_its_addresses_when_it_has_joined_a_share(http: Any, data: LockData) -> None:
    names = [f"libcurl.invalid:{port(http)}:127.0.0.1"]
    url = f"http://libcurl.invalid:{port(http)}/"
    with Share(data) as share, Easy(url=url, resolve=names, fresh_connect=True) as easy:
        for share_again in (None, share, None):
            easy.set(share=share_again)
            easy.perform()


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
    with Easy(url=http.url, maxconnects=1) as easy:
        easy.fetch()
    assert connects(None) == 2


def test_what_is_not_shared_is_the_own_of_a_handle_that_shares(http: Any) -> None:
    with Share(LockData.COOKIE) as share, Easy(url=http.url) as easy:
        easy.fetch()
        easy.set(share=share)
        for share_again in (None, share, None):
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


@pytest.mark.parametrize("end", ["close", "join a multi", "leave a multi"])
def test_no_closer_goes_on_with_a_handle_whose_connections_are_going(
    http: Any, no_fd_leak: Any, end: str
) -> None:
    refused = []

    def close(fd: int) -> None:
        os.close(fd)
        for go_on in (easy.perform, lambda: easy.pause(Pause.RECV), easy.duphandle):
            try:
                go_on()
            except Error as error:
                refused.append(error.code)

    with no_fd_leak(), Multi() as multi:
        easy = Easy(url=http.url, closesocketfunction=close, connect_only=end == "leave a multi")
        if end != "leave a multi":
            easy.perform()
        if end != "close":
            multi.add(easy)
        if end == "leave a multi":
            assert [error for _, error in multi.run()] == [None]
        easy.close()
        assert refused == 3 * [Code.RECURSIVE_API_CALL]
