"""HSTS entries: an hstsreadfunction gives them, an hstswritefunction gets them (libcurl 7.74)."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["HSTSEntry", "HSTSIndex"]


class HSTSEntry(NamedTuple):
    """A host that is to be asked over HTTPS only (struct curl_hstsentry)."""

    host: str
    include_subdomains: bool
    #: "YYYYMMDD HH:MM:SS", or "unlimited"; from an hstsreadfunction, None is unlimited too.
    expire: str | None


class HSTSIndex(NamedTuple):
    """Which of how many (struct curl_index)."""

    index: int  # type: ignore[assignment]  # a tuple has a method of that name
    total: int
