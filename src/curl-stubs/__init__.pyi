"""What programs that `import curl`, pycurl's helper module, get of the drop-in (PEP 561)."""

from libcurl.pycurl.highlevel import Curl as Curl
