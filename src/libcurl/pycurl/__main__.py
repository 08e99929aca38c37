"""Run a program with the drop-in for its pycurl.

python -m libcurl.pycurl script.py [arguments]
python -m libcurl.pycurl -m module [arguments]
"""

from __future__ import annotations

import os
import sys

from libcurl.pycurl import install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType, TracebackType
    from typing import NoReturn

_USAGE = "usage: python -m libcurl.pycurl (script.py | -m module) [arguments]"


def main() -> None:
    """As python itself would run it."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(_USAGE)
        return
    by_name = arguments[:1] == ["-m"]
    if by_name:
        del arguments[0]
    if not arguments or (arguments[0].startswith("-") and not by_name):
        _refuse(_USAGE)
    install()
    # Which it still is when threads and what is at exit are run.
    program = sys.modules["__main__"] = _empty()
    try:
        if by_name:
            _run_module(arguments)
        else:
            _run_path(program, arguments)
    except BaseException:
        _hide_from_tracebacks(program)
        raise


def _empty() -> ModuleType:
    """A __main__ as this Python begins with it."""
    made = type(sys)("__main__")
    begun = {"__annotations__": {}, "__builtins__": sys.modules["builtins"], "__cached__": None}
    vars(made).update((name, value) for name, value in begun.items() if name in globals())
    return made


def _refuse(reason: str) -> NoReturn:
    print(reason, file=sys.stderr)
    sys.exit(2)


def _run_module(arguments: list[str]) -> None:
    """In __main__, as `python -m` does it: by the same function."""
    import runpy

    sys.argv = ["-m", *arguments[1:]]
    runpy._run_module_as_main(arguments[0])  # type: ignore[attr-defined]


def _run_path(program: ModuleType, arguments: list[str]) -> None:
    """A script, or the __main__ of a directory or a zip file."""
    from pkgutil import get_importer

    sys.argv = arguments
    path = os.path.abspath(arguments[0])
    importer = get_importer(path)
    if importer is not None:
        _begin_path(path)
        import runpy

        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
        return
    code = _read(path)
    _begin_path(os.path.dirname(os.path.realpath(path)))
    from importlib.machinery import SourceFileLoader

    program.__file__ = path
    program.__loader__ = SourceFileLoader("__main__", path)
    exec(code, vars(program))


def _begin_path(folder: str) -> None:
    """Modules are looked for beside the program, unless python was told to do without (-P, -I)."""
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        sys.path[0] = folder


def _read(path: str) -> CodeType:
    """Of source or of a .pyc."""
    from io import open_code
    from pkgutil import read_code

    try:
        with open_code(path) as file:
            code: CodeType | None = read_code(file)
        if code is None:
            with open_code(path) as file:
                code = compile(file.read(), path, "exec", dont_inherit=True)
    except OSError as failure:
        _refuse(
            f"{sys.executable}: can't open file {path!r}: [Errno {failure.errno}] {failure.strerror}"
        )
    return code


def _hide_from_tracebacks(program: ModuleType) -> None:
    """What has run the program: an exception that ends it is shown from its own first line on."""
    show = sys.excepthook

    def show_rest(
        kind: type[BaseException], exception: BaseException, traceback: TracebackType | None
    ) -> None:
        rest = traceback
        while rest is not None and rest.tb_frame.f_globals is not vars(program):
            rest = rest.tb_next
        show(kind, exception.with_traceback(rest), rest)

    sys.excepthook = show_rest


if __name__ == "__main__":
    main()
