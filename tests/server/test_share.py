"""Share: what easy handles have in common, and who may leave when."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

import libcurl
from libcurl import Easy, LockData, Multi, Share, ShareError, SHCode
from libcurl.raw import LOADED


def test_cookies_are_shared(http: Any) -> None:
    with Share(LockData.COOKIE) as share:
        first = Easy(share=share, cookiefile="", url=http.url + "/cookies/set?a=1&b=2")
        second = Easy(share=share, cookiefile="", url=http.url + "/cookies")
        first.perform()
        first.close()
        assert sorted(second.fetch().decode().split("; ")) == ["a=1", "b=2"]
        second.close()


def test_connections_are_shared(http: Any) -> None:
    with Share(LockData.CONNECT) as share:
        for _ in range(5):
            with Easy(share=share, url=http.url) as easy:
                easy.perform()
        assert http.accepted == 1
        with Multi() as multi:
            easies = [Easy(share=share, url=http.url) for _ in range(2)]
            for easy in easies:
                multi.add(easy)
            assert [error for _, error in multi.run()] == [None, None]
            for easy in easies:
                easy.close()
        assert http.accepted <= 2
    assert http.wait_idle()


def test_dns_is_shared(http: Any) -> None:
    def refuse() -> int:
        raise AssertionError("was to be known")

    with Share(LockData.DNS) as share:
        url = f"http://name.invalid:{http.port}/"
        teller = Easy(share=share, url=url, resolve=[f"name.invalid:{http.port}:127.0.0.1"])
        teller.perform()
        with Easy(share=share, url=url, resolver_start_function=refuse) as easy:
            assert easy.fetch() == b"hello"
        teller.close()


def test_tls_sessions_are_shared(https: Any, ca: Any) -> None:
    options: dict[str, Any] = {
        "url": https.url + "/reused",
        "cainfo": str(ca.cert),
        "fresh_connect": True,
        "sslversion": libcurl.SSLVersion.MAX_TLSv1_2 | libcurl.SSLVersion.TLSv1_2,
    }
    https.route(
        "/reused",
        lambda connection, _: connection.respond(body=str(connection.sock.session_reused).encode()),
    )
    with Share(LockData.SSL_SESSION) as share:
        for reused in (b"False", b"True"):
            with Easy(share=share, **options) as easy:
                assert easy.fetch() == reused


@pytest.mark.skipif(LOADED < (7, 88), reason="libcurl 7.88 has it")
def test_hsts_is_shared(http: Any, https: Any, ca: Any) -> None:
    name = "secure.example"
    https.route(
        "/hsts",
        lambda connection, _: connection.respond(
            headers=[("Strict-Transport-Security", "max-age=1000")]
        ),
    )
    there = [f"{name}:{https.port}:127.0.0.1"]
    options: dict[str, Any] = {"hsts_ctrl": 1, "hsts": "", "resolve": there, "ssl_verifyhost": 0}
    with Share(LockData.HSTS) as share:
        with Easy(share=share, cainfo=str(ca.cert), **options) as easy:
            easy.set(url=f"https://{name}:{https.port}/hsts")
            easy.perform()
        with Easy(share=share, cainfo=str(ca.cert), **options) as easy:
            easy.set(url=f"http://{name}:{https.port}/")
            assert easy.fetch() == b"hello"
            assert easy.info.scheme.lower() == "https"


def test_handles_that_do_not_share_do_not(http: Any) -> None:
    with Share(LockData.CONNECT, LockData.COOKIE) as share:
        share.unshare(LockData.COOKIE)
        with Easy(share=share, cookiefile="", url=http.url + "/cookies/set?a=1") as easy:
            easy.perform()
        with Easy(share=share, cookiefile="", url=http.url + "/cookies") as easy:
            assert easy.fetch() == b""
        with Easy(cookiefile="", url=http.url) as easy:
            easy.perform()
    assert http.accepted == 2


def test_a_share_in_use_says_so_and_stays_open(http: Any) -> None:
    share = Share(LockData.CONNECT)
    easy = Easy(share=share, url=http.url)
    for refused in (
        share.close,
        lambda: share.share(LockData.DNS),
        lambda: share.unshare(LockData.CONNECT),
    ):
        with pytest.raises(ShareError) as caught:
            refused()
        assert caught.value.code == SHCode.IN_USE
    assert not share.closed
    easy.perform()
    easy.set(share=None)
    easy.perform()
    assert http.accepted == 2
    share.close()
    share.close()
    assert share.closed
    assert "closed" in repr(share)
    easy.perform()
    for refused in (
        lambda: share.share(LockData.DNS),
        lambda: share.unshare(LockData.DNS),
        lambda: easy.set(share=share),
    ):
        with pytest.raises(ValueError, match="this Share handle is closed"):
            refused()
    easy.close()


def test_what_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ShareError) as caught:
        Share(999)
    assert caught.value.code == SHCode.BAD_OPTION
    with pytest.raises(TypeError):
        Share("connect")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a Share"):
        Easy(share="share")  # type: ignore[arg-type]


def test_a_handle_changes_shares_between_transfers_only(http: Any) -> None:
    # 7.88.1 crashes where a handle in a multi loses its share.
    with Share(LockData.CONNECT) as first, Share(LockData.CONNECT) as second:
        easy = Easy(share=first, url=http.url)
        easy.perform()
        easy.set(share=second)
        first.close()
        easy.perform()

        def change(data: bytes) -> None:
            with pytest.raises(RuntimeError, match="CURLOPT_SHARE cannot be changed"):
                easy.set(share=None)

        easy.set(writefunction=change)
        easy.perform()
        with Multi() as multi:
            multi.add(easy)
            for other in (None, second):
                with pytest.raises(RuntimeError, match="CURLOPT_SHARE cannot be changed"):
                    easy.set(share=other)
            with pytest.raises(ShareError):
                second.close()
            assert list(multi.run()) == [(easy, None)]
        easy.close()


def test_reset_and_unset_leave_the_share(http: Any) -> None:
    with Share(LockData.CONNECT) as share:
        easy = Easy(share=share, url=http.url, timeout=5)
        easy.perform()
        easy.unset("timeout")
        easy.reset()
        with pytest.raises(ShareError):
            share.close()
        easy.set(url=http.url)
        easy.perform()
        assert http.accepted == 1
        twin = easy.duphandle()  # libcurl does not copy the share
        twin.perform()
        assert http.accepted == 2
        twin.close()
        easy.close()


def test_a_share_lives_as_long_as_its_handles(http: Any, script: Any) -> None:
    out = script(
        """
        import gc, os, sys
        from libcurl import Easy, LockData, Share

        def close(fd):
            print("closed")
            os.close(fd)

        def gone():
            for _ in range(3):
                gc.collect()

        easy = Easy(share=Share(LockData.CONNECT), url=sys.argv[1], closesocketfunction=close)
        gone()
        easy.perform()
        other = Easy(share=easy._share, url=sys.argv[1])
        easy.close()
        del easy
        gone()
        other.perform()
        print("one left")
        other.close()
        print("none left")
        other = None
        gone()
        print("end")
        """,
        http.url,
    )
    lines = out.split()
    lines.remove("closed")  # PyPy collects a little later
    assert out.index("one left") < out.index("closed") < out.index("end")
    assert lines == ["one", "left", "none", "left", "end"]
    assert http.accepted == 1


@pytest.mark.parametrize("closed", [True, False])
def test_connections_of_a_share_that_lives_to_the_end_are_closed_at_exit(
    closed: bool, http: Any, script: Any
) -> None:
    out = script(
        """
        import os, sys
        from libcurl import Easy, LockData, Share

        share = Share(LockData.CONNECT)
        easy = Easy(share=share, url=sys.argv[1])
        easy.set(closesocketfunction=lambda fd: print("closed", os.close(fd)))
        easy.perform()
        if sys.argv[2] == "True":
            easy.close()
        else:
            other = Easy(share=share)
        print("end")
        sys.modules["keeps"] = share
        """,
        http.url,
        closed,
    )
    assert out == "end\nclosed None\n"


def test_handles_attach_and_leave_in_many_threads_at_once(http: Any) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(300):
                Easy(share=share, cookiefile="").close()
        except BaseException as error:
            errors.append(error)

    with Share(LockData.COOKIE, LockData.DNS, LockData.CONNECT, LockData.SSL_SESSION) as share:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []


def share_between_threads(http: Any, threads: int, transfers: int) -> None:
    """Threads with a share, every callback set."""
    opened: set[int] = set()
    closed: list[int] = []
    failures: list[BaseException] = []
    lock = threading.Lock()

    def close(fd: int) -> None:
        with lock:
            opened.remove(fd)
            closed.append(fd)
        os.close(fd)

    def open_(purpose: int, address: Any) -> int:
        import socket

        with socket.socket(address.family, address.socktype, address.protocol) as made:
            fd = made.detach()
        with lock:
            opened.add(fd)
        return fd

    def work(number: int) -> None:
        received: list[bytes] = []
        try:
            easy = Easy(
                share=share,
                cookiefile="",
                verbose=True,
                debugfunction=lambda kind, data: None,
                headerfunction=lambda line: None,
                writefunction=received.append,
                xferinfofunction=lambda *numbers: None,
                opensocketfunction=open_,
                sockoptfunction=lambda fd, purpose: None,
                closesocketfunction=close,
                prereqfunction=lambda *places: None,
                resolver_start_function=lambda: None,
                maxconnects=2,
                timeout=20,
            )
            for turn in range(transfers):
                host = ("127.0.0.1", "localhost")[(turn + number) % 2]
                path = ("/", "/cookies/set?a=1", "/bytes/20000", "/close")[turn % 4]
                easy.set(url=f"http://{host}:{http.port}{path}")
                easy.perform()
                if turn % 50 == 49:
                    easy.set(closesocketfunction=close)
            assert len(b"".join(received)) == transfers // 4 * (5 + 3 + 20_000 + 5)
            easy.close()
        except BaseException as error:
            failures.append(error)

    # Not LockData.CONNECT: libcurl does not support that, and 8.23 crashes in a plain C program too.
    # With COOKIE 8.14.1 does.
    kinds = [LockData.DNS, LockData.SSL_SESSION]
    if LOADED < (8,) or LOADED >= (8, 23):
        kinds.append(LockData.COOKIE)
    with Share(*kinds) as share:
        workers = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
            assert not worker.is_alive(), "threads wait for each other"
        assert failures == []
    assert opened == set()
    assert len(closed) >= threads


def test_threads_with_a_share_neither_wait_for_each_other_nor_crash(http: Any) -> None:
    share_between_threads(http, 4, 40)


@pytest.mark.slow
def test_eight_threads_with_a_share_do_500_transfers_each(http: Any) -> None:
    share_between_threads(http, 8, 500)


def test_a_closer_may_use_handles_of_the_share_whose_lock_libcurl_holds(http: Any) -> None:
    # libcurl may call it with the lock of the connections taken, which another thread waits for.
    seen: list[object] = []

    def close(fd: int) -> None:
        os.close(fd)
        thread = threading.Thread(target=lambda: seen.append(other.getinfo("response_code")))
        thread.start()
        thread.join()
        seen.append(helper.fetch())

    with Share(LockData.CONNECT, LockData.DNS) as share:
        helper = Easy(url=http.url)
        other = Easy(share=share, url=http.url)
        easy = Easy(share=share, url=http.url, closesocketfunction=close, maxconnects=1)
        easy.perform()
        easy.close()
        evictor = Easy(share=share, url=f"http://localhost:{http.port}", maxconnects=1)
        time.sleep(0.005)
        evictor.perform()
        evictor.close()
        other.close()
    assert seen == [0, b"hello"]
    helper.close()
