"""Job m: single calls in nanoseconds, `python calls.py native|dropin|pycurl`."""

from __future__ import annotations

import json
import sys
import timeit
from typing import Any

ROUNDS = 7


def best(statement: str, names: dict[str, Any], number: int) -> float:
    """Nanoseconds of the fastest round."""
    times = timeit.repeat(statement, number=number, repeat=ROUNDS, globals=names)
    return min(times) / number * 1e9


def main(client: str) -> None:
    """Print what each call takes."""
    names: dict[str, Any]
    if client == "native":
        import libcurl

        names = {
            "easy": libcurl.Easy(),
            "Easy": libcurl.Easy,
            "number": libcurl.Opt.MAXREDIRS,
            "text": libcurl.Opt.USERAGENT,
            "list": libcurl.Opt.HTTPHEADER,
            "info": libcurl.Info.RESPONSE_CODE,
        }
        calls = {
            "setopt int": "easy.setopt(number, 5)",
            "setopt str": "easy.setopt(text, 'bench')",
            "setopt list": "easy.setopt(list, ['A: b', 'C: d'])",
            "getinfo": "easy.getinfo(info)",
            "new and close": "Easy().close()",
        }
    else:
        if client == "dropin":
            import libcurl.pycurl

            libcurl.pycurl.install()
        import pycurl

        names = {
            "c": pycurl.Curl(),
            "Curl": pycurl.Curl,
            "number": pycurl.MAXREDIRS,
            "text": pycurl.USERAGENT,
            "list": pycurl.HTTPHEADER,
            "info": pycurl.RESPONSE_CODE,
        }
        calls = {
            "setopt int": "c.setopt(number, 5)",
            "setopt str": "c.setopt(text, 'bench')",
            "setopt list": "c.setopt(list, ['A: b', 'C: d'])",
            "getinfo": "c.getinfo(info)",
            "new and close": "Curl().close()",
        }
    numbers = {"new and close": 5_000}
    print(
        json.dumps(
            {name: best(call, names, numbers.get(name, 50_000)) for name, call in calls.items()}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
