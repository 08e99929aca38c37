"""pycurl's names for libcurl's constants, as far as the loaded libcurl has what they name."""

from __future__ import annotations

from libcurl.pycurl.rules import names_of
from libcurl.raw import LOADED
from libcurl.symbols import SYMBOLS

#: {name: value} of what the instances of each class have; "": of what only the module has.
OWNED = names_of(LOADED)
#: {name: value} of all.
NAMES = {name: value for names in OWNED.values() for name, value in names.items()}


def infos() -> list[int]:
    """The numbers of all infos."""
    return [row[0] for row in SYMBOLS["CURLINFO"].values()]
