"""`install`: let `import pycurl` find the drop-in."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

#: {the name that programs import: what they get}
MODULES = {
    "pycurl": "libcurl.pycurl",
    "pycurl._pycurl": "libcurl.pycurl",
    "pycurl.async_multi": "libcurl.pycurl.async_multi",
    "curl": "libcurl.pycurl.highlevel",
}


class _Finder(MetaPathFinder, Loader):
    """Finds them by either name, also for `importlib.reload`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in MODULES:
            return None
        return ModuleSpec(name, self, is_package=name == "pycurl")

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return import_module(MODULES[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """It was run when it was imported by its own name."""


_finder = _Finder()


def install() -> None:
    """Make `import pycurl` find this drop-in. Idempotent.

    RuntimeError where the real pycurl is imported already: programs have its names by then.
    """
    from libcurl import pycurl

    found = sys.modules.get("pycurl")
    if found is not None and found is not pycurl:
        raise RuntimeError(
            "pycurl was imported before libcurl.pycurl.install(): call it at the beginning of the program"
        )
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
