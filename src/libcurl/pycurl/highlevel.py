"""The helper module `curl` that comes with pycurl; deprecated there."""
