from libcurl.pycurl.async_multi import AsyncCurlMulti as AsyncCurlMulti
