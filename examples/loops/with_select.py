"""Transfers in a loop on select(2): python with_select.py URL..."""

import select
import sys

import libcurl


def main(urls):
    with libcurl.Multi() as multi:
        for url in urls:
            multi.add(libcurl.Easy(url=url))
        while len(multi):
            select.select([multi], [], [])  # the sockets and timers of all transfers are behind it
            for easy, error in multi.step():
                print(easy.info.effective_url, error or f"{len(easy.body)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
