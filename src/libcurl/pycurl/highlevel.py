"""`curl`, the helper module that comes with pycurl: deprecated there, and here."""

from __future__ import annotations

import warnings
from io import BytesIO
from urllib.parse import urlencode, urljoin

from libcurl import pycurl
from libcurl.pycurl import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

warnings.warn(
    "The 'curl' high-level wrapper module is deprecated and will be removed in a future release. "
    "Use 'pycurl' directly instead.",
    DeprecationWarning,
    stacklevel=2,
)

_INFOS = """
    effective-url http-code total-time namelookup-time connect-time pretransfer-time redirect-time
    redirect-count size-upload size-download speed-upload header-size request-size
    content-length-download content-length-upload content-type response-code speed-download
    ssl-verifyresult filetime starttransfer-time http-connectcode httpauth-avail proxyauth-avail os-errno
    num-connects ssl-engines cookielist lastsocket ftp-entry-path
""".split()


class Curl:
    """Requests to one site."""

    def __init__(self, base_url: str = "", fakeheaders: list[str] | None = None) -> None:
        """`fakeheaders` are sent with every request."""
        self.handle: Any = pycurl.Curl()
        self.fakeheaders = fakeheaders or []
        self.payload: Any = None
        self.payload_io = BytesIO()
        self.hdr = ""
        for name, value in {
            "SSL_VERIFYHOST": 2,
            "FOLLOWLOCATION": 1,
            "MAXREDIRS": 5,
            "NOSIGNAL": 1,
            "COOKIEFILE": "/dev/null",  # for cookies in memory
            "NETRC": 1,
            "WRITEFUNCTION": self.payload_io.write,
            "HEADERFUNCTION": self._header,
        }.items():
            self.set_option(names.NAMES[name], value)
        self.set_url(base_url)
        self.set_verbosity(0)
        self.set_timeout(30)

    def _header(self, line: bytes) -> None:
        self.hdr += line.decode("ascii")

    def set_timeout(self, timeout: int) -> None:
        """How long a request may take."""
        self.set_option(names.NAMES["TIMEOUT"], timeout)

    def set_url(self, url: str) -> None:
        """What later URLs are relative to."""
        self.base_url = url
        self.set_option(names.NAMES["URL"], url)

    def set_option(self, *args: Any) -> None:
        """Curl.setopt."""
        self.handle.setopt(*args)

    def set_verbosity(self, level: int) -> None:
        """1 shows what happens."""
        self.verbosity = level
        self.set_option(names.NAMES["VERBOSE"], level)

    def _request(self, relative_url: str | None = None) -> bytes:
        if self.fakeheaders:
            self.set_option(names.NAMES["HTTPHEADER"], self.fakeheaders)
        if relative_url:
            self.set_option(names.NAMES["URL"], urljoin(self.base_url, relative_url))
        self.payload = None
        self.payload_io.seek(0)
        self.payload_io.truncate()
        self.hdr = ""
        self.handle.perform()
        self.payload = self.payload_io.getvalue()
        return self.payload  # type: ignore[no-any-return]

    def get(self, url: str = "", params: Any = None) -> bytes:
        """GET."""
        if params:
            url += "?" + urlencode(params)
        self.set_option(names.NAMES["HTTPGET"], 1)
        return self._request(url)

    def head(self, url: str = "", params: Any = None) -> bytes:
        """HEAD."""
        if params:
            url += "?" + urlencode(params)
        self.set_option(names.NAMES["NOBODY"], 1)
        return self._request(url)

    def post(self, cgi: str, params: Any) -> bytes:
        """POST a form."""
        self.set_option(names.NAMES["POST"], 1)
        self.set_option(names.NAMES["POSTFIELDS"], urlencode(params))
        return self._request(cgi)

    def body(self) -> Any:
        """What the last request received."""
        return self.payload

    def header(self) -> str:
        """The headers that it received."""
        return self.hdr

    def get_info(self, *args: Any) -> Any:
        """Curl.getinfo."""
        return self.handle.getinfo(*args)

    def info(self) -> dict[str, Any]:
        """All that is known of the last request."""
        known = {}
        for name in _INFOS:
            constant = name.upper().replace("-", "_")
            known[name] = self.get_info(
                names.NAMES.get(f"INFO_{constant}") or names.NAMES[constant]
            )
        return known

    def answered(self, check: bytes) -> bool:
        """Whether the last payload has this in it."""
        return self.payload.find(check) >= 0  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the handle."""
        if self.handle:
            self.handle.close()
        self.handle = None
        self.hdr = ""
        self.payload = ""

    def __del__(self) -> None:
        self.close()
