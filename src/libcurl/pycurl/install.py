"""`install`: let `import pycurl` find the drop-in."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

#: {the name that programs import: what they get}
MODULES = {
    "pycurl": "libcurl.pycurl",
    "pycurl._pycurl": "libcurl.pycurl",
    "pycurl.async_multi": "libcurl.pycurl.async_multi",
    "curl": "libcurl.pycurl.highlevel",
}


class _Finder:
    """Finds them by the names that programs import."""

    def __init__(self) -> None:
        self._own_specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in MODULES:
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self, is_package=name == "pycurl")  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        from importlib import import_module

        module = import_module(MODULES[spec.name])
        self._own_specs.setdefault(spec.name, module.__spec__)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It was run when it was imported by its own name, which it keeps."""
        assert module.__spec__ is not None
        module.__spec__ = self._own_specs[module.__spec__.name]


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
