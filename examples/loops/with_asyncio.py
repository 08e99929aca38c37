"""Transfers in asyncio by hand: python with_asyncio.py URL...

libcurl.aio.AsyncMulti does this, with cancellation, limits and streams; it has its own page in docs.
"""

import asyncio
import sys

import libcurl


async def main(urls):
    loop = asyncio.get_running_loop()
    finished = {}

    with libcurl.Multi() as multi:

        def ready():
            for easy, error in multi.step():
                if error is None:
                    finished[easy].set_result(easy.body)
                else:
                    finished[easy].set_exception(error)

        async def fetch(url):
            easy = libcurl.Easy(url=url)
            finished[easy] = loop.create_future()
            multi.add(easy)
            body = await finished[easy]
            print(url, f"{len(body)} bytes")

        loop.add_reader(multi.fileno(), ready)
        try:
            await asyncio.gather(*map(fetch, urls))
        finally:
            loop.remove_reader(multi.fileno())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or sys.exit(__doc__)))
