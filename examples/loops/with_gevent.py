"""Transfers in gevent: python with_gevent.py URL... (nothing has to be patched)"""

import sys

import gevent
import gevent.event

import libcurl


class Client:
    """A multi, and the greenlets that wait for its transfers."""

    def __init__(self):
        self.multi = libcurl.Multi()
        self.waiting = {}

    def drive(self):
        """Run in a greenlet of its own."""
        hub = gevent.get_hub()
        watcher = hub.loop.io(self.multi.fileno(), 1)  # readable
        while True:
            hub.wait(watcher)
            for easy, error in self.multi.step():
                self.waiting.pop(easy).set(error)

    def perform(self, easy):
        """Like Easy.perform; killing the greenlet aborts the transfer."""
        ended = self.waiting[easy] = gevent.event.AsyncResult()
        try:
            self.multi.add(easy)
            error = ended.get()
        except BaseException:
            if self.waiting.pop(easy, None) and easy in self.multi:
                self.multi.remove(easy)
            raise
        if error is not None:
            raise error


def main(urls):
    client = Client()

    def fetch(url):
        easy = libcurl.Easy(url=url)
        client.perform(easy)
        print(url, f"{len(easy.body)} bytes")

    with client.multi:
        driver = gevent.spawn(client.drive)
        gevent.joinall([gevent.spawn(fetch, url) for url in urls], raise_error=True)
        driver.kill()


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
