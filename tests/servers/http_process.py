"""HTTPServer in a process of its own, for tests that count descriptors or open thousands."""

from __future__ import annotations

import json
import pathlib
import sys
import urllib.request

from .daemon import Daemon

_TESTS = pathlib.Path(__file__).resolve().parent.parent
_START = f"import sys; sys.path.insert(0, {str(_TESTS)!r}); from servers.http import main; main()"


class HTTPProcess(Daemon):
    """The endpoints of HTTPServer, with none of its descriptors and threads in this process."""

    program = sys.executable
    package = "python3"
    scheme = "http"

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._own = {"accepted": 1, "open": 0, "requests": 0}  # the probe
        self.clear()

    def command(self) -> list[str]:
        """Return the command line."""
        return ["-c", _START, "--host", self.host, "--port", str(self.port)]

    def stats(self) -> dict[str, int]:
        """Return counts: `accepted` and `requests` since the last clear(), `open` connections."""
        now = self._count()
        return {name: now[name] - self._own[name] for name in now}

    def clear(self) -> None:
        """Count from zero again."""
        self._own = {**self._count(), "open": 0}

    def _count(self) -> dict[str, int]:
        with self._opener.open(self.url + "/stats") as response:
            counts: dict[str, int] = json.load(response)
        self._own["accepted"] += 1
        self._own["requests"] += 1
        counts["open"] -= 1
        return counts
