"""libcurl's constants: by their C names as plain ints, and by family as enums.

``constants.CURLOPT_URL`` is the int of the C name. ``constants.Opt.URL`` is the same number as a
member of an enum, whose class is built when it is first asked for: nothing here imports `enum`
before. A member is called what its C name says behind the family's prefix; where that begins with
a digit, the initial of the prefix stands before it (`HTTPVersion.V1_1`, `HeaderOrigin.H1XX`).
Deprecated names are there as well: they are aliases of their successors.

These families of libcurl's headers have no class, only plain ints: single values and limits
(CURL_SOCKET_BAD, CURL_ERROR_SIZE, CURL_ZERO_TERMINATED, ...), the bits that option and info numbers
are made of (CURLOPTTYPE_*, CURLINFO_STRING, CURLINFO_TYPEMASK, ...), the obsolete form interface
(CURLFORM_*, CURL_FORMADD_*, CURL_HTTPPOST_*) and CURLCLOSEPOLICY_*, which never worked.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum, IntFlag

    Row = tuple[int, str, str | None]

SOCKET_BAD = -1  # instead of a descriptor, from an opener: no socket for this address

# {class: (what its C names begin with, docstring, family in the table where that differs)}
ENUMS: dict[str, tuple[str, ...]] = {
    "Opt": ("CURLOPT_", "The options of an easy handle.", "CURLoption"),
    "Info": ("CURLINFO_", "What getinfo can tell of a transfer.", "CURLINFO"),
    "Code": ("CURLE_", "How a transfer, or a call on an easy handle, ended.", "CURLcode"),
    "ProxyCode": ("CURLPX_", "Why a proxy refused (Info.PROXY_ERROR).", "CURLproxycode"),
    "InfoType": ("CURLINFO_", "What a debugfunction is shown.", "curl_infotype"),
    "EasyType": ("CURLOT_", "The types of options.", "curl_easytype"),
    "Blob": ("CURL_BLOB_", "Whether libcurl copies a blob."),
    "SockType": ("CURLSOCKTYPE_", "What a socket is for.", "curlsocktype"),
    "SockOpt": ("CURL_SOCKOPT_", "What a sockoptfunction returns."),
    "IPResolve": ("CURL_IPRESOLVE_", "The IP versions to use."),
    "HTTPVersion": ("CURL_HTTP_VERSION_", "HTTP versions."),
    "HTTPSig": ("CURLHTTPSIG_", "Algorithms of message signatures."),
    "Follow": ("CURLFOLLOW_", "How to follow redirects."),
    "HCode": ("CURLHE_", "How a look-up of a header ended.", "CURLHcode"),
    "TimeCond": ("CURL_TIMECOND_", "Conditions on the time of change.", "curl_TimeCond"),
    "HSTSCode": ("CURLSTS_", "What an HSTS callback returns.", "CURLSTScode"),
    "Proxy": ("CURLPROXY_", "Kinds of proxies.", "curl_proxytype"),
    "SSLVersion": ("CURL_SSLVERSION_", "TLS versions."),
    "SSLBackend": ("CURLSSLBACKEND_", "TLS libraries.", "curl_sslbackend"),
    "SSLSet": ("CURLSSLSET_", "How choosing a TLS library ended.", "CURLsslset"),
    "TLSAuth": ("CURL_TLSAUTH_", "TLS authentication methods.", "enum CURL_TLSAUTH"),
    "UseSSL": ("CURLUSESSL_", "Whether to upgrade to TLS.", "curl_usessl"),
    "KHType": ("CURLKHTYPE_", "Kinds of SSH host keys.", "enum curl_khtype"),
    "KHStat": ("CURLKHSTAT_", "What an ssh_keyfunction returns.", "enum curl_khstat"),
    "KHMatch": ("CURLKHMATCH_", "How a host key compares.", "enum curl_khmatch"),
    "NetRC": ("CURL_NETRC_", "Whether .netrc is used.", "enum CURL_NETRC_OPTION"),
    "FTPMethod": ("CURLFTPMETHOD_", "How FTP reaches a file.", "curl_ftpmethod"),
    "FTPAuth": ("CURLFTPAUTH_", "The order of FTP's AUTH commands.", "curl_ftpauth"),
    "FTPCCC": ("CURLFTPSSL_CCC_", "FTP's clear command channel.", "curl_ftpccc"),
    "FTPCreateDir": ("CURLFTP_", "Whether to create directories.", "curl_ftpcreatedir"),
    "FileType": ("CURLFILETYPE_", "Kinds of files in a listing.", "curlfiletype"),
    "RTSPRequest": ("CURL_RTSPREQ_", "RTSP requests."),
    "WriteFunc": ("CURL_WRITEFUNC_", "From a writefunction."),
    "ReadFunc": ("CURL_READFUNC_", "From a readfunction."),
    "SeekFunc": ("CURL_SEEKFUNC_", "From a seekfunction."),
    "ProgressFunc": ("CURL_PROGRESSFUNC_", "From a progressfunction or xferinfofunction."),
    "PrereqFunc": ("CURL_PREREQFUNC_", "From a prereqfunction."),
    "TrailerFunc": ("CURL_TRAILERFUNC_", "From a trailerfunction."),
    "ChunkBgn": ("CURL_CHUNK_BGN_FUNC_", "From a chunk_bgn_function."),
    "ChunkEnd": ("CURL_CHUNK_END_FUNC_", "From a chunk_end_function."),
    "FnMatch": ("CURL_FNMATCHFUNC_", "From an fnmatch_function."),
    "IOCmd": ("CURLIOCMD_", "What an ioctlfunction is asked to do.", "curliocmd"),
    "IOErr": ("CURLIOE_", "From an ioctlfunction.", "curlioerr"),
    "Push": ("CURL_PUSH_", "From a pushfunction."),
    "MOpt": ("CURLMOPT_", "The options of a multi handle.", "CURLMoption"),
    "MInfo": ("CURLMINFO_", "What a multi can tell of itself.", "CURLMinfo_offt"),
    "MCode": ("CURLM_", "How a call on a multi handle ended.", "CURLMcode"),
    "Msg": ("CURLMSG_", "Kinds of messages of a multi.", "CURLMSG"),
    "Notify": ("CURLMNOTIFY_", "What a notifyfunction is told."),
    "SHOpt": ("CURLSHOPT_", "The options of a share handle.", "CURLSHoption"),
    "SHCode": ("CURLSHE_", "How a call on a share handle ended.", "CURLSHcode"),
    "LockData": ("CURL_LOCK_DATA_", "What handles can share.", "curl_lock_data"),
    "LockAccess": ("CURL_LOCK_ACCESS_", "How shared data is used.", "curl_lock_access"),
    "UPart": ("CURLUPART_", "The parts of a URL.", "CURLUPart"),
    "UCode": ("CURLUE_", "How a call on a URL ended.", "CURLUcode"),
    "VersionAge": ("CURLVERSION_", "The ages of version info.", "CURLversion"),
}
FLAGS: dict[str, tuple[str, ...]] = {
    "Pause": ("CURLPAUSE_", "The directions to pause."),
    "EasyFlag": ("CURLOT_FLAG_", "What else is known of an option."),
    "Auth": ("CURLAUTH_", "HTTP authentication methods."),
    "Redir": ("CURL_REDIR_", "Redirects after which POST stays POST."),
    "HeaderOpt": ("CURLHEADER_", "Which headers go to a proxy."),
    "HeaderOrigin": ("CURLH_", "Where a header came from."),
    "AltSvc": ("CURLALTSVC_", "Bits for Alt-Svc."),
    "HSTS": ("CURLHSTS_", "Bits for HSTS."),
    "MimeOpt": ("CURLMIMEOPT_", "How MIME bodies are written."),
    "WS": ("CURLWS_", "Kinds of WebSocket frames."),
    "WSOpt": ("CURLWS_", "How WebSocket behaves.", "CURLWS_OPTIONS_"),
    "SSLOpt": ("CURLSSLOPT_", "How TLS behaves."),
    "GSSAPIDelegation": ("CURLGSSAPI_DELEGATION_", "Whether GSS-API credentials are delegated."),
    "SSHAuth": ("CURLSSH_AUTH_", "SSH authentication methods."),
    "Protocol": ("CURLPROTO_", "Protocols, as the old options want them."),
    "FileFlag": ("CURLFINFOFLAG_", "What a listing told of a file."),
    "UploadFlag": ("CURLULFLAG_", "Flags of an uploaded message."),
    "NetworkChanged": ("CURLMNWC_", "What to forget of a network."),
    "Pipe": ("CURLPIPE_", "Whether transfers share a connection."),
    "Poll": ("CURL_POLL_", "What a socketfunction is asked to watch."),
    "Wait": ("CURL_WAIT_", "Events of descriptors in a multi's poll."),
    "CSelect": ("CURL_CSELECT_", "What happened to a socket."),
    "UFlag": ("CURLU_", "How parts of URLs are read and set."),
    "Global": ("CURL_GLOBAL_", "What is initialized for the process."),
    "Version": ("CURL_VERSION_", "What libcurl was built with."),
}

__all__ = ["SOCKET_BAD", "added", "removed", "value", *ENUMS, *FLAGS]  # noqa: PLE0604, strings all

_rows: dict[str, Row] = {}


def value(name: str) -> int:
    """The number behind a C name: ``value("CURLOPT_URL")``."""
    return _row(name)[0]


def added(name: str) -> str:
    """The libcurl version that brought this C name."""
    return _row(name)[1]


def removed(name: str) -> str | None:
    """The last libcurl version that has this C name, or None: most are never removed."""
    return _row(name)[2]


def _row(name: str) -> Row:
    if not _rows:
        from .symbols import SYMBOLS

        rows: dict[str, Row] = {}
        for family in SYMBOLS.values():
            rows.update(family)
        _rows.update(rows)  # at once: another thread takes what is there for all
    return _rows[name]


def members(name: str) -> dict[str, int]:
    """{member: value} of a class, built or not; aliases stand behind what they mean."""
    from .symbols import SYMBOLS

    prefix, _doc, *family = {**ENUMS, **FLAGS}[name]
    initial = prefix.rstrip("_").rpartition("_")[2].removeprefix("CURL")[:1]
    found = {}
    for c_name, (number, *_versions) in SYMBOLS[family[0] if family else prefix].items():
        if c_name.startswith(prefix):
            member = c_name.removeprefix(prefix)
            found[initial + member if member[0].isdigit() else member] = number
    return found


def __getattr__(name: str) -> type[IntEnum | IntFlag] | int:
    if name in ENUMS or name in FLAGS:
        import enum

        base = enum.IntEnum if name in ENUMS else enum.IntFlag
        made = base(name, members(name), module=__name__)
        made.__doc__ = (ENUMS.get(name) or FLAGS[name])[1]
        # Of two threads that come here at once, both get the class of the first.
        return globals().setdefault(name, made)
    try:
        return value(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    _row("CURLE_OK")
    return sorted({*globals(), *ENUMS, *FLAGS, *_rows})
