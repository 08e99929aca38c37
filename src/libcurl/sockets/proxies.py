"""Which proxy a transfer would go through: what the handle and the environment say."""

from __future__ import annotations

import os
from _socket import AF_INET, AF_INET6, inet_pton

from libcurl._native import lib
from libcurl.errors import UrlError
from libcurl.url import PARTS, UrlEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: libcurl's defaults; that of an HTTPS proxy is another.
_PORT = 1080
_PORT_HTTPS = 443


class Proxy:
    """A proxy: scheme, host and port; "" and 0 for what is not said. Credentials are dropped."""

    __slots__ = ("host", "port", "scheme")

    def __init__(self, scheme: str, host: str, port: int) -> None:
        """Take the parts."""
        self.scheme = scheme
        self.host = host
        self.port = port

    @classmethod
    def parse(cls, text: str | bytes) -> Proxy:
        """What CURLOPT_PROXY takes. ValueError for what is none."""
        raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        # What is read in several ways is nobody's proxy.
        url = None if any(byte <= 0x20 or byte in b"\\\x7f" for byte in raw) else _parsed(raw)
        host = "" if url is None else _part(url, "host", lib.CURLU_URLDECODE)
        if url is None or not host.strip("[]"):
            raise ValueError("this is no proxy: host, port or scheme://host:port is expected")
        # One slash is enough for libcurl.
        scheme = _part(url, "scheme") if raw.partition(b"/")[0].endswith(b":") else ""
        port = int(_part(url, "port") or 0)
        return cls(scheme.lower(), host.strip("[]").lower().rstrip("."), port)

    def __str__(self) -> str:
        text = f"[{self.host}]" if ":" in self.host else self.host
        if self.port:
            text += f":{self.port}"
        return f"{self.scheme}://{text}" if self.scheme else text

    def covers(self, other: Proxy) -> bool:
        """Whether `other` is this one, whatever is not said here."""
        return (
            self.host == other.host
            and self.port in (0, other.port)
            and self.scheme in ("", other.scheme)
        )

    def completed(self, port: int = 0) -> Proxy:
        """As libcurl would use it, CURLOPT_PROXYPORT given."""
        scheme = self.scheme or "http"
        default = port or (_PORT_HTTPS if scheme == "https" else _PORT)
        return Proxy(scheme, self.host, self.port or default)

    def addresses(self) -> set[bytes]:
        """Its addresses, resolved here and now if it has a name; of 4 and 16 bytes."""
        for family in (AF_INET, AF_INET6):
            try:
                return {inet_pton(family, self.host)}
            except OSError:
                pass
        from socket import SOCK_STREAM, gaierror, getaddrinfo

        try:
            found = getaddrinfo(self.host, self.port, type=SOCK_STREAM)
        except (gaierror, UnicodeError):
            return set()
        return {inet_pton(row[0], row[4][0]) for row in found if row[0] in (AF_INET, AF_INET6)}  # type: ignore[arg-type]


def _parsed(raw: bytes) -> UrlEngine | None:
    """A proxy as libcurl takes it apart, None where it does not."""
    url = UrlEngine()
    url._begin()
    try:
        url._set(PARTS["url"], raw, lib.CURLU_NON_SUPPORT_SCHEME | lib.CURLU_GUESS_SCHEME)
    except UrlError:
        return None
    return url


def _part(url: UrlEngine, name: str, flags: int = 0) -> str:
    try:
        return (url._get(PARTS[name], flags) or b"").decode("utf-8", "replace")
    except UrlError:
        return ""


def of_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that libcurl takes proxies from, those that are set; no_proxy is among them."""
    found = {}
    for name, value in environment.items():
        if value and name.lower().endswith("_proxy") and name != "HTTP_PROXY":
            found[name] = value
    return found


def for_url(variables: dict[str, str], scheme: str, host: str) -> tuple[str, str] | None:
    """The variable that libcurl takes for this URL, and its value; None for no proxy."""
    if _excluded(variables.get("no_proxy") or variables.get("NO_PROXY") or "", host):
        return None
    schemes = [scheme, {"ws": "http", "wss": "https"}.get(scheme, "all"), "all"]
    for name in dict.fromkeys(schemes):
        for variable in (f"{name}_proxy", f"{name}_proxy".upper()):
            if variable in variables:
                return variable, variables[variable]
    return None


def _excluded(no_proxy: str, host: str) -> bool:
    """Whether no_proxy names the host, as libcurl reads it: a suffix, a network, or "*" for all."""
    if no_proxy.strip() == "*":
        return True
    host = host.strip("[]").lower().rstrip(".")
    for token in no_proxy.replace(",", " ").lower().split():
        token = token.strip(".[]")
        if not token:
            continue
        if host == token or host.endswith(f".{token}"):
            return True
        if "/" in token and _in_network(host, token):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
