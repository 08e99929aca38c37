"""Transfers in Trio: python with_trio.py URL..."""

import sys

import trio

import libcurl


class Client:
    """A multi, and the tasks that wait for its transfers."""

    def __init__(self):
        self.multi = libcurl.Multi()
        self.waiting = {}

    async def drive(self):
        """Run beside the tasks that fetch."""
        while True:
            await trio.lowlevel.wait_readable(self.multi)
            for easy, error in self.multi.step():
                self.waiting.pop(easy)(error)

    async def perform(self, easy):
        """Like Easy.perform; cancelling it aborts the transfer."""
        ended = trio.Event()
        errors = []

        def end(error):
            errors.append(error)
            ended.set()

        self.multi.add(easy)
        self.waiting[easy] = end
        try:
            await ended.wait()
        except trio.Cancelled:
            if self.waiting.pop(easy, None):
                self.multi.remove(easy)
            raise
        if errors[0] is not None:
            raise errors[0]


async def main(urls):
    client = Client()

    async def fetch(url):
        easy = libcurl.Easy(url=url)
        await client.perform(easy)
        print(url, f"{len(easy.body)} bytes")

    with client.multi:
        async with trio.open_nursery() as driver:
            driver.start_soon(client.drive)
            async with trio.open_nursery() as fetches:
                for url in urls:
                    fetches.start_soon(fetch, url)
            driver.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1:] or sys.exit(__doc__))
