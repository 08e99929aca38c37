from pycurl import *
