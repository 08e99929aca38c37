class CurlMime: pass
class CurlMimePart: pass
