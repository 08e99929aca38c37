"""Cookies as data: CURLINFO_COOKIELIST gives them, CURLOPT_COOKIELIST takes them."""

from __future__ import annotations

from typing import NamedTuple

from libcurl._native import lib
from libcurl.engine import Engine
from libcurl.infos import getinfo

__all__ = ["Cookie"]

_HTTP_ONLY = "#HttpOnly_"


class Cookie(NamedTuple):
    """A cookie, as a line of a Netscape cookie file has it.

    `easy.cookies` is a list of them, `easy.set(cookielist=cookie)` adds one or replaces it; one
    that has expired takes it away.
    """

    #: The host, beginning with a dot where hosts below it get the cookie too.
    domain: str
    include_subdomains: bool
    path: str
    #: Whether it is for encrypted connections only.
    secure: bool
    #: Seconds since 1970; 0 for a session's cookie.
    expires: int
    name: str
    value: str
    http_only: bool = False

    @classmethod
    def parse(cls, line: str) -> Cookie:
        """From a line of a Netscape cookie file; ValueError for anything else."""
        http_only = line.startswith(_HTTP_ONLY)
        fields = line.removeprefix(_HTTP_ONLY).split("\t")
        if len(fields) == 6:
            fields.append("")  # no value
        try:
            domain, subdomains, path, secure, expires, name, value = fields
            stamp = int(expires)
        except ValueError:
            raise ValueError("no line of a Netscape cookie file") from None
        return cls(
            domain, subdomains == "TRUE", path, secure == "TRUE", stamp, name, value, http_only
        )

    def __str__(self) -> str:
        """The line."""
        fields = (
            self.domain,
            "TRUE" if self.include_subdomains else "FALSE",
            self.path,
            "TRUE" if self.secure else "FALSE",
            str(self.expires),
            self.name,
            self.value,
        )
        if any(mark in field for field in fields for mark in "\t\r\n"):
            raise ValueError("a cookie has no tab and no line end inside")
        return (_HTTP_ONLY if self.http_only else "") + "\t".join(fields)

    def __repr__(self) -> str:
        return f"<Cookie {self.name!r} of {self.domain!r}>"

    def _option_text(self) -> bytes:
        """What CURLOPT_COOKIELIST is given."""
        return str(self).encode("utf-8", "surrogateescape")


def cookies(easy: Engine) -> list[Cookie]:
    """`Easy.cookies`."""
    return [Cookie.parse(line) for line in getinfo(easy, lib.CURLINFO_COOKIELIST)]
