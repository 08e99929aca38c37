"""pycurl's names for libcurl's constants, by rule from the one table.

A name is there when the loaded libcurl has what it names. What a later libcurl brings follows the same
rules, and so needs no release of ours. Imports nothing compiled: tools/stubs.py writes the names down.
"""

from __future__ import annotations

from libcurl.symbols import SYMBOLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# {family of the table: (what its C names begin with, what stands there instead, who has it)}
# Of other families "CURL_" or "CURL" goes, and a Curl has them.
_RULES = {
    "CURLoption": ("CURLOPT_", "", "Curl"),
    "CURLINFO": ("CURLINFO_", "", "Curl"),
    "curl_infotype": ("CURLINFO_", "INFOTYPE_", "Curl"),
    "CURLcode": ("CURLE_", "E_", "Curl"),
    "CURLAUTH_": ("CURLAUTH_", "HTTPAUTH_", "Curl"),
    "curl_proxytype": ("CURLPROXY_", "PROXYTYPE_", "Curl"),
    "curl_TimeCond": ("CURL_TIMECOND_", "TIMECONDITION_", "Curl"),
    "CURLMcode": ("CURLM_", "E_MULTI_", "CurlMulti"),
    "CURLMoption": ("CURLMOPT_", "M_", "CurlMulti"),
    "CURLMNOTIFY_": ("CURLMNOTIFY_", "M_NOTIFY_", "CurlMulti"),
    "CURLMinfo_offt": ("CURLMINFO_", "M_INFO_", "CurlMulti"),
    "CURLMNWC_": ("CURLMNWC_", "M_NWC_", "CurlMulti"),
    "CURLPIPE_": ("CURL", "", "CurlMulti"),
    "CURLSHoption": ("CURLSHOPT_", "SH_", "CurlShare"),
    "CURLSHcode": ("CURLSHE_", "E_SH_", "CurlShare"),
    "curl_lock_data": ("CURL_", "", "CurlShare"),
    "CURLUcode": ("CURLUE_", "E_URL_", ""),
    "CURLHcode": ("CURLHE_", "E_HEADER_", ""),
    **dict.fromkeys(("CURLU_", "CURLUPart"), ("CURL", "", "")),
    **dict.fromkeys(("CURL_CSELECT_", "CURL_GLOBAL_", "CURL_POLL_"), ("CURL_", "", "")),
    **dict.fromkeys(("CURL_VERSION_", "CURL_WAIT_", "CURL_PUSH_"), ("CURL_", "", "")),
    **dict.fromkeys(("CURL_HTTP_VERSION_", "CURLHSTS_", "CURLSTScode"), ("", "", "Curl")),
}
_HIDDEN = """
    CURL_ CURL_BLOB_ CURL_HTTPPOST_ CURLFORMcode CURLINFO_ CURLMSG CURLOPTTYPE_ CURLOT_FLAG_ CURLversion
    curl_closepolicy curl_easytype curl_lock_access
""".split()
# Options that go by another name with pycurl, because an info has theirs.
_PREFIXED = ("FILETIME", "CERTINFO", "RTSP_")
# Set by the closure, or by nobody; of ...DATA, these are not.
_NOT_FOR_PYTHON = ("OBSOLETE", "CONV_", "ERRORBUF", "WRITEINFO", "CLOSEPOL")
_DATA = ("READ", "WRITE", "HEADER", "FNMATCH", "RESOLVER", "TRAILER", "HSTS")
# By these names 64 bits are set.
_LARGE = ("INFILESIZE", "RESUME_FROM", "POSTFIELDSIZE", "MAXFILESIZE")
_LATER_THAN_ALL = (99,)


class _Versions(dict["str | None", "tuple[int, ...]"]):
    """Versions as numbers, each of them read once."""

    def __missing__(self, version: str) -> tuple[int, ...]:
        numbers = self[version] = tuple(map(int, version.split(".")))
        return numbers


_numbers = _Versions({None: _LATER_THAN_ALL})


def _names(family: str, c_name: str) -> Iterator[str]:
    """What pycurl calls it: most often one name."""
    if family not in _RULES:
        yield c_name.removeprefix("CURL_").removeprefix("CURL")
        return
    old, new, _owner = _RULES[family]
    name = new + c_name.removeprefix(old)
    if family == "CURLoption":
        if name.startswith(_NOT_FOR_PYTHON):
            return
        if name.endswith("DATA") and not name.startswith(_DATA):
            return
        if name == "COOKIELIST":
            yield "OPT_COOKIELIST"
        elif name.startswith(_PREFIXED):
            name = f"OPT_{name}"
    elif family == "CURLINFO":
        if name == "NONE":
            return
        if f"CURLOPT_{name}" in SYMBOLS["CURLoption"] or name.startswith("RTSP_"):
            name = f"INFO_{name}"
    elif family == "CURL_VERSION_":
        yield c_name
    yield name


def names_of(version: tuple[int, ...] | None) -> dict[str, dict[str, int]]:
    """{who has them: {name: value}} with this libcurl; None: of every libcurl, as in the newest."""
    owned: dict[str, dict[str, int]] = {"Curl": {}, "CurlMulti": {}, "CurlShare": {}, "": {}}
    for family, rows in SYMBOLS.items():
        if family in _HIDDEN:
            continue
        _old, _new, owner = _RULES.get(family, ("", "", "Curl"))
        for c_name, (value, added, last) in rows.items():
            if version is None or _numbers[added] <= version <= _numbers[last]:
                for name in _names(family, c_name):
                    owned[owner][name] = value
    curl = owned["Curl"]
    for name in _LARGE:
        curl[name] = curl[f"{name}_LARGE"]
    curl["FORM_CONTENTS"] = curl["FORM_COPYCONTENTS"]
    curl["SOCKET_BAD"] = -1
    owned[""]["SOCKET_TIMEOUT"] = -1
    curl["RTSPREQ_LAST"] = 1 + curl["RTSPREQ_RECEIVE"]
    curl["CURL_HTTP_VERSION_LAST"] = 32
    if version and version < (8, 16):  # before, these were all bits of a C long
        curl.update(HTTPAUTH_ANY=~16, HTTPAUTH_ANYSAFE=~17)
        curl.update(dict.fromkeys(("PROTO_ALL", "SSH_AUTH_ANY", "SSH_AUTH_DEFAULT"), -1))
    owned["CurlMulti"]["E_CALL_MULTI_PERFORM"] = owned["CurlMulti"]["E_MULTI_CALL_MULTI_PERFORM"]
    return owned
