"""Transfers beside other things in a loop on selectors: python with_selectors.py URL..."""

import selectors
import sys

import libcurl


def main(urls):
    with libcurl.Multi() as multi, selectors.DefaultSelector() as selector:

        def ready():
            for easy, error in multi.step():
                print(easy.info.effective_url, error or f"{len(easy.body)} bytes")

        selector.register(multi, selectors.EVENT_READ, ready)
        for url in urls:
            multi.add(libcurl.Easy(url=url))
        while len(multi):
            for key, _ in selector.select():
                key.data()


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
