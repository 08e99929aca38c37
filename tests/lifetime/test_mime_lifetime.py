"""Parts and handles let go of in any order: nothing crashes or lives longer than it must."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import libcurl
from libcurl.mime_engine import Tree

PREPARE = """
    import gc, sys, weakref
    import libcurl
    url = sys.argv[1] + "/post"

    class Read:
        def __init__(self): self.left = [b"", b"body"]
        def __call__(self, size): return self.left.pop()
        def seek(self, offset, origin): self.left = [b"", b"body"]

    def make(read):
        inner, mime = libcurl.Mime(), libcurl.Mime()
        inner.add(source=read, seek=read.seek)
        mime.add(parts=inner, name="x")
        mime.add(data="data")
        return mime

    def held(reference):
        if sys.implementation.name != "cpython":
            for _ in range(3): gc.collect()
        return reference() is not None
"""


def run(script: Any, http: Any, code: str, *args: object) -> str:
    out: str = script(PREPARE + code, http.url, *args)
    return out


def test_easy_mime_and_part_go_in_any_order(script: Any, http: Any) -> None:
    code = """
    steps = "easy twin mime close unset replace perform".split()
    orders = itertools.permutations(steps)
    for order in itertools.islice(orders, 0, None, 1 if sys.implementation.name == "cpython" else 23):
        read = Read()
        mime = make(read)
        easy = libcurl.Easy(url=url, mimepost=mime)
        twin = easy.duphandle()
        things = {"easy": easy, "twin": twin, "mime": mime}
        gone = weakref.ref(read)
        del read, mime, easy, twin
        for step in order:
            handle = things.get("easy") or things.get("twin")
            if step in things:
                del things[step]
            elif handle is None or handle.closed:
                pass
            elif step == "close":
                handle.close()
            elif step == "unset":
                handle.unset("mimepost")
            elif step == "replace":
                handle.set(mimepost=make(Read()))
            elif order.index("mime") % 2:
                assert b"data" in handle.fetch() or order.index("unset") < order.index("perform")
        del handle
        assert not held(gone), order
    print("alive")
    """
    assert run(script, http, "    import itertools\n" + code) == "alive\n"


def test_a_reader_is_let_go_of_with_the_last_that_can_ask_it(script: Any, http: Any) -> None:
    code = """
    read = Read()
    gone = weakref.ref(read)
    mime = make(read)
    easy = libcurl.Easy(url=url, mimepost=mime)
    twin = easy.duphandle()
    del read, mime
    easy.perform()
    assert held(gone)
    easy.close()
    assert held(gone)
    twin.perform()
    twin.reset()
    assert not held(gone)
    """
    run(script, http, code)


def test_a_reader_that_knows_its_handle_is_no_leak(script: Any, http: Any) -> None:
    code = """
    easy = libcurl.Easy(url=url)
    def read(size, easy=easy): return b""
    mime = libcurl.Mime()
    mime.add(source=read, seek=lambda *where: None)
    easy.set(mimepost=mime)
    easy.perform()
    gone = weakref.ref(easy)
    del easy, read, mime
    for _ in range(3): gc.collect()
    assert gone() is None
    from libcurl.mime_sources import readings
    assert not readings
    """
    run(script, http, code)


@pytest.mark.parametrize(
    ("action", "ends"),
    [
        ("easy.close()", "Error\n"),
        ("easy = None", ""),
        ("easy.set(mimepost=libcurl.Mime())", "RuntimeError\n"),
        ("easy.unset('mimepost')", "RuntimeError\n"),
        ("easy.reset()", "RuntimeError\n"),
    ],
)
def test_a_reader_may_pull_the_ground_from_under_its_transfer(
    script: Any, http: Any, action: str, ends: str
) -> None:
    code = f"""
    easy = libcurl.Easy(url=url)
    def read(size):
        global easy  # gone from here, it is still at work
        {action}
        return b""
    mime = libcurl.Mime()
    mime.add(source=read)
    easy.set(mimepost=mime)
    del mime
    try:
        easy.perform()
    except (libcurl.Error, ValueError, RuntimeError) as error:
        print(type(error).__name__)
    """
    out = run(script, http, code)
    assert out == ends


def test_at_exit_and_after_a_fork_nothing_is_asked(script: Any, http: Any) -> None:
    code = """
    import os
    easy = libcurl.Easy(url=url, mimepost=make(Read()))
    easy.perform()
    child = os.fork()
    if not child:
        easy.close()
        sys.exit(0)
    print(os.waitpid(child, 0)[1])
    """
    assert run(script, http, code) == "0\n"


def test_nobody_closes_a_handle_while_its_tree_is_made(
    http: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mime, easy = libcurl.Mime(), libcurl.Easy(url=http.url + "/post")
    mime.add(name="x", data="data")
    make = Tree.make

    def make_late(self: Tree, description: Any, owner: Any) -> Any:
        with ThreadPoolExecutor(1) as elsewhere, pytest.raises(RuntimeError, match="thread"):
            elsewhere.submit(easy.close).result()
        return make(self, description, owner)

    monkeypatch.setattr(Tree, "make", make_late)
    easy.set(mimepost=mime)
    easy.perform()
    easy.close()
