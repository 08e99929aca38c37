"""List what libcurl.pycurl lacks, or has otherwise, of the real pycurl: names, values, signatures.

    python tools/pycurl_differences.py /path/to/venv-with-pycurl/bin/python

Run by a Python that has the drop-in, on the libcurl that the real pycurl was compiled for.
Only what the real one has in Python has a signature to compare.
"""

import json
import subprocess
import sys

INSTALL = "import libcurl.pycurl; libcurl.pycurl.install()\n"
DESCRIBE = """import inspect, json, pycurl
def text(value):
    try:
        return str(inspect.signature(value)).partition(" -> ")[0]
    except (TypeError, ValueError):
        return "there"
instances = pycurl.Curl(), pycurl.CurlMulti(), pycurl.CurlShare()
found = {}
for name, value in vars(pycurl).items():
    if isinstance(value, type):
        found.update({f"{name}.{each}": text(getattr(value, each)) for each in dir(value) if each[0] != "_"})
    if isinstance(value, int):  # and who of the instances has it
        value = [value, *(hasattr(instance, name) for instance in instances)]
    if name[0] != "_" and name != "COMPILE_PY_VERSION_HEX":
        found[name] = value if isinstance(value, (list, str)) else "there"
print(json.dumps(found))"""

real = json.loads(subprocess.check_output([sys.argv[1], "-c", DESCRIBE]))
ours = json.loads(subprocess.check_output([sys.executable, "-c", INSTALL + DESCRIBE]))
differ = [name for name in real if real[name] not in (ours.get(name), "there") or name not in ours]
for name in differ:
    print(f"{name}: {real[name]} in pycurl, {ours.get(name, 'missing')} here")
print(f"{len(differ)} of {len(real)} names differ")
sys.exit(bool(differ))
