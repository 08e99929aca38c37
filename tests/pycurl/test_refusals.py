"""What the drop-in refuses, it refuses as pycurl does: with its exceptions, and most often its words."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from libcurl import pycurl


@pytest.mark.parametrize("method", ["getinfo", "getinfo_raw"])
def test_getinfo_lets_the_exceptions_of_others_through(method: str) -> None:
    def interrupt(frame: FrameType, event: str, argument: Any) -> None:
        if (frame.f_globals["__name__"], frame.f_code.co_name) == ("libcurl.infos", "getinfo_raw"):
            raise TimeoutError("as a signal handler does")

    curl = pycurl.Curl()
    traced = sys.gettrace()
    sys.settrace(interrupt)  # type: ignore[arg-type]
    try:
        with pytest.raises(TimeoutError):
            getattr(curl, method)(pycurl.INFO_COOKIELIST)
    finally:
        sys.settrace(traced)
    assert getattr(curl, method)(pycurl.INFO_COOKIELIST) == []


@pytest.mark.parametrize("info", [0, -1, 1, pycurl.URL, pycurl.RESPONSE_CODE + 500])
def test_getinfo_of_what_is_no_info(info: int) -> None:
    for method in (pycurl.Curl().getinfo, pycurl.Curl().getinfo_raw):
        with pytest.raises(ValueError, match="invalid argument to getinfo"):
            method(info)
