"""libcurl.constants: the numbers of libcurl, as ints and as enums."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
import threading
from enum import IntEnum, IntFlag
from types import ModuleType

import pytest

from libcurl import _native, constants, symbols

# The families that the documentation of the module says have no class.
WITHOUT_CLASS = {
    "CURL_",
    "CURLINFO_",
    "CURLOPTTYPE_",
    "CURLformoption",
    "CURLFORMcode",
    "CURL_HTTPPOST_",
    "curl_closepolicy",
}


@pytest.fixture
def fresh() -> ModuleType:
    """The module as it is before anything was asked of it."""
    spec = importlib.util.spec_from_file_location("libcurl.constants", constants.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_enum_is_not_imported_until_a_class_is_asked_for() -> None:
    program = """
        import sys
        sys.path[:] = sys.argv[1:]
        import libcurl.constants as constants
        constants.CURLOPT_URL
        print("enum" in sys.modules)
        constants.Opt
        print("enum" in sys.modules)
    """
    lines = "\n".join(line.strip() for line in program.splitlines())
    # -S: what site loads for an editable install is none of this module's doing.
    command = [sys.executable, "-S", "-c", lines, *sys.path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\nTrue\n", "")


def test_every_constant_is_what_the_compiled_module_has() -> None:
    names = [name for rows in symbols.SYMBOLS.values() for name in rows]
    assert len(names) > 1100
    assert {name: constants.value(name) for name in names} == {
        name: getattr(_native.lib, name) for name in names
    }


def test_a_c_name_is_an_attribute_and_a_plain_int() -> None:
    assert constants.CURLOPT_URL == 10002
    assert type(constants.CURLOPT_URL) is int
    assert constants.CURLAUTH_ONLY == 1 << 31
    assert constants.SOCKET_BAD == constants.CURL_SOCKET_BAD == -1


def test_every_family_has_a_class_or_is_said_to_have_none() -> None:
    rows = {**constants.ENUMS, **constants.FLAGS}
    families = [(row[2] if len(row) > 2 else row[0]) for row in rows.values()]
    assert sorted(families) == sorted(set(symbols.SYMBOLS) - WITHOUT_CLASS)


@pytest.mark.parametrize("name", [*constants.ENUMS, *constants.FLAGS])
def test_a_class_has_the_members_of_its_family(name: str) -> None:
    made = getattr(constants, name)
    assert issubclass(made, IntEnum if name in constants.ENUMS else IntFlag)
    assert made.__module__ == "libcurl.constants"
    assert made.__doc__ == {**constants.ENUMS, **constants.FLAGS}[name][1]
    prefix, _doc, *family = {**constants.ENUMS, **constants.FLAGS}[name]
    c_names = [c for c in symbols.SYMBOLS[(family or [prefix])[0]] if c.startswith(prefix)]
    assert len(c_names) == len(made.__members__) > 0
    for c_name, (member, value) in zip(c_names, made.__members__.items(), strict=True):
        assert prefix + member == c_name or prefix + member[1:] == c_name
        assert type(value) is made
        assert value == constants.value(c_name)


def test_members_have_libcurls_own_names() -> None:
    c = constants
    assert (c.Opt.OPENSOCKETFUNCTION, c.Info.RESPONSE_CODE) == (20163, 2097154)
    assert (c.Code.OPERATION_TIMEDOUT, c.MCode.CALL_MULTI_PERFORM) == (28, -1)
    assert (c.SHCode.IN_USE, c.UCode.BAD_HANDLE, c.HCode.MISSING) == (2, 1, 2)
    assert (c.SockType.IPCXN, c.SockType.ACCEPT) == (0, 1)
    assert (c.SockOpt.OK, c.SockOpt.ERROR, c.SockOpt.ALREADY_CONNECTED) == (0, 1, 2)
    assert (c.HTTPVersion.V1_1, c.HTTPVersion.V3ONLY, c.HeaderOrigin.H1XX) == (2, 31, 8)
    assert c.FTPCreateDir.CREATE_DIR_RETRY == 2
    assert c.SSLVersion.MAX_TLSv1_3 == 7 << 16


def test_old_names_are_aliases_of_the_new_ones() -> None:
    assert constants.Opt.FILE is constants.Opt.WRITEDATA
    assert constants.Opt(10001).name == "WRITEDATA"
    assert constants.Info.HTTP_CODE is constants.Info.RESPONSE_CODE
    assert constants.Code.SSL_CACERT is constants.Code.PEER_FAILED_VERIFICATION
    assert constants.SSLBackend.LIBRESSL is constants.SSLBackend.OPENSSL


def test_bits_combine_within_their_class() -> None:
    both = constants.Auth.BASIC | constants.Auth.DIGEST
    assert isinstance(both, constants.Auth)
    assert both == 3
    assert constants.Pause.ALL == constants.Pause.RECV | constants.Pause.SEND
    assert constants.WSOpt.RAW_MODE.name == "RAW_MODE"  # the same number as a text frame's
    assert constants.WS.TEXT.name == "TEXT"


def test_members_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(constants.Code.OK)) is constants.Code.OK


def test_threads_that_come_first_together_get_one_class(fresh: ModuleType) -> None:
    start = threading.Barrier(8)
    seen = []

    def look() -> None:
        start.wait()
        seen.append(fresh.Opt)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len({id(made) for made in seen}) == 1


def test_versions_say_when_a_constant_came_and_went(monkeypatch: pytest.MonkeyPatch) -> None:
    assert constants.added("CURLOPT_OPENSOCKETFUNCTION") == "7.17.1"
    assert constants.added("CURLOPT_HTTPSIG_KEY") == "8.22.0"
    assert constants.removed("CURLOPT_URL") is None
    assert {last for rows in symbols.SYMBOLS.values() for _, _, last in rows.values()} == {None}
    monkeypatch.setitem(constants._rows, "CURLOPT_GONE", (7, "7.1", "8.30.0"))
    assert constants.removed("CURLOPT_GONE") == "8.30.0"


def test_an_unknown_name_is_an_attribute_error_and_a_key_error() -> None:
    with pytest.raises(AttributeError, match=r"'libcurl.constants' has no attribute 'Opts'"):
        _ = constants.Opts
    with pytest.raises(AttributeError, match="CURLOPT_NOSUCH"):
        _ = constants.CURLOPT_NOSUCH
    with pytest.raises(KeyError, match="CURLOPT_NOSUCH"):
        constants.value("CURLOPT_NOSUCH")


def test_all_names_are_listed(fresh: ModuleType) -> None:
    assert {"Opt", "Auth", "value", "CURLOPT_URL", "SOCKET_BAD"} <= set(dir(fresh))
    assert {"Opt", "Auth", "value", "added", "removed", "SOCKET_BAD"} <= set(fresh.__all__)
    assert all(hasattr(fresh, name) for name in dir(fresh))


def test_rows_missing_from_the_table_are_missing_and_no_more(
    fresh: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(symbols.SYMBOLS["CURLoption"], "CURLOPT_URL")
    assert "URL" not in fresh.Opt.__members__
    assert not hasattr(fresh, "CURLOPT_URL")
    assert fresh.Opt.PORT == fresh.CURLOPT_PORT == 3
