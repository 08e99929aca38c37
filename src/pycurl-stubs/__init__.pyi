"""What programs that `import pycurl` get of the drop-in (PEP 561)."""

from libcurl.pycurl import *
