"""A set of tools at work for one handle: the callbacks that libcurl calls.

What makes the second check trustworthy: before each request libcurl tells the address of the
connection that it is about to use (PREREQFUNCTION), whoever opened it and whenever. Where a set
translates addresses, that address may be one that the policy was never asked about (7.88 reports
the port before the rewriting; a connected socket's peer is not known to libcurl at all). Then a
connection is recognised by both its ends: a request right after a socket was opened is sent over a
connection that was checked, and its ends are remembered for the requests to follow.
"""

from __future__ import annotations

import os
from _socket import AF_INET, AF_INET6, AF_UNIX

from libcurl._native import ffi, lib
from libcurl.address import _family, _pack
from libcurl.connections import install_closer
from libcurl.errors import NotSupported, needs
from libcurl.options import by_name
from libcurl.raw import LOADED, LOADED_TEXT
from libcurl.sockets.opening import destination, dispose, open_plain, peer_of
from libcurl.sockets.policy import AddressRefused, place
from libcurl.sockets.proxies import Proxy, for_url, of_environment
from libcurl.sockets.scopes import plain
from libcurl.sockets.tool import as_set, family_of, listens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from libcurl.address import Address
    from libcurl.engine import Engine
    from libcurl.options import Option
    from libcurl.settings import Settings
    from libcurl.sockets.tool import Set, Sockets

_BAD: int = lib.CURL_SOCKET_BAD
_IPCXN = lib.CURLSOCKTYPE_IPCXN
_APPROVED_MOST = 1024

_OPENER = by_name["opensocketfunction"]
_TUNER = by_name["sockoptfunction"]
_CLOSER = by_name["closesocketfunction"]
_PROXY = by_name["proxy"]
_PRE_PROXY = by_name["pre_proxy"]
_PROXYPORT = by_name["proxyport"]
_FRESH = by_name["fresh_connect"]
_FOLLOW = by_name["followlocation"]
_CONNECT_TO = by_name["connect_to"]
_UNIX = tuple(by_name[name] for name in ("unix_socket_path", "abstract_unix_socket"))
#: Which proxies and Unix sockets a transfer uses is looked at when it begins.
_SETTLED = {
    by_name[name]
    for name in ("proxy", "pre_proxy", "proxyport", "proxytype", "noproxy", "httpproxytunnel")
} | {*_UNIX}

#: PREREQFUNCTION came with 7.80.
_TELLS = LOADED >= (7, 80)
_REQUEST = by_name["prereqfunction"] if _TELLS else None

#: What libcurl says where there was no address left to try.
_NONE_LEFT = (lib.CURLE_COULDNT_CONNECT, lib.CURLE_FTP_CANT_GET_HOST, lib.CURLE_FTP_PORT_FAILED)


class Binding:
    """What a handle has in its `_sockets`."""

    __slots__ = (
        "by_default",
        "environment",
        "installed",
        "native",
        "options",
        "previous",
        "proxies",
        "refusal",
        "settled",
        "tools",
        "unix",
        "used",
    )

    def __init__(
        self, handle: Engine, tools: Set, by_default: bool, previous: Binding | None
    ) -> None:
        """Prepare; `install` sets the callbacks."""
        self.native = handle._handle  # not the handle itself: that would be a cycle
        self.tools = tools
        #: Whether the callbacks are set. Where that was interrupted, the next transfer begins with it.
        self.installed = False
        #: What the handle had before, as long as its callbacks may still be set.
        self.previous = previous
        #: Whether a multi or a share has given it to a handle that had none.
        self.by_default = by_default
        #: The latest refusal; C knows whether it counts (`refusing`).
        self.refusal: AddressRefused | None = None
        #: Whether proxies and Unix sockets were seen to, and will be the same for the next transfer:
        #: CURLOPT_PROXY is ours where the user has not set it. Only policies want to know.
        self.settled = False
        #: The proxies that this transfer may use, all of them allowed.
        self.proxies: list[Proxy] = []
        #: The Unix socket that the transfer is for, as it was set.
        self.unix: bytes | None = None
        self.environment: dict[str, str] = {}
        if (tools.policies or tools.begins) and lib.environment_names_proxies():
            self.environment = of_environment()
        #: How many transfers there were before it.
        self.used: int = self.native.transfers
        #: The options that are the set's.
        self.options: tuple[Option, ...] = (_OPENER,)
        if tools.tuners or tools.logs or any(policy.listen for policy in tools.policies):
            self.options += (_TUNER,)
        if tools.closer is not None or tools.logs:
            self.options += (_CLOSER,)
        if _REQUEST is not None and (tools.policies or tools.requests):
            self.options += (_REQUEST,)
        elif tools.requests:
            raise needs("CURLOPT_PREREQFUNCTION", "7.80.0")

    def claim(self, handle: Engine, previous: Binding | None) -> None:
        """RuntimeError where the user has set a callback that the set needs."""
        theirs = previous._held() if previous is not None else ()
        for option in self.options:
            if option in theirs:
                continue
            if option in handle._callbacks or (option is _CLOSER and handle._closer is not None):
                raise RuntimeError(
                    f"sockets= needs CURLOPT_{option.name.upper()}, which is set: put yours into "
                    "the set, with | or libcurl.sockets.Callbacks"
                )

    def keep(self, handle: Engine, option: Option, function: object) -> None:
        """RuntimeError where the user wants to set a callback that is the set's."""
        # After a reset, what was there is set again.
        again = function is not None and function is getattr(handle._functions, option.slot, None)
        if option in self.options and not again:
            raise RuntimeError(
                f"CURLOPT_{option.name.upper()} belongs to sockets=: put yours into the set, with "
                "| or libcurl.sockets.Callbacks, or set(sockets=None) first"
            )

    def guard(self, handle: Settings, option: Option) -> None:
        """RuntimeError where the user wants other proxies than those that were checked."""
        if option not in _SETTLED or not self.tools.policies:
            return
        if handle._in_transfer():
            raise RuntimeError(
                f"CURLOPT_{option.name.upper()} cannot be changed during a transfer: the "
                "AddressPolicy of this handle has looked at it already"
            )
        self.settled = False

    def copy_to(self, twin: Engine) -> None:
        """A duplicate has the same set, by default or not."""
        if twin._sockets is None or twin._sockets.tools is not self.tools:
            bind(twin, self.tools, self.by_default)

    def _held(self) -> tuple[Option, ...]:
        """The options whose callbacks are not the user's."""
        return self.options if self.previous is None else self.options + self.previous._held()

    def doubt(self) -> None:
        """From now on callbacks may be missing: they are set again, at the latest by the next transfer."""
        self.installed = self.settled = False

    def restore(self, handle: Settings) -> None:
        """After a reset that is to go unnoticed, when the callbacks are there again."""
        self._let_pass(handle)
        self._complete()

    def _complete(self) -> None:
        self.settled = not self.tools.policies
        self.installed = True

    def install(self, handle: Engine) -> None:
        """Set the callbacks, in the place of those of the set before."""
        tools = self.tools
        if self.previous is not None:
            self.previous.remove(handle)
            self.previous = None
        handle._set_callback(_OPENER, tools.opener if self._checked_by_c() else self.open)
        if _TUNER in self.options:
            handle._set_callback(_TUNER, tools.only_tuner() or self.tune)
        if _CLOSER in self.options:
            install_closer(handle, _CLOSER, tools.close if tools.logs else tools.closer)
        if _REQUEST in self.options:
            handle._set_callback(_REQUEST, self.request)
        self._let_pass(handle)
        self._complete()

    def _simple(self) -> bool:
        """Whether C may do most of the work."""
        tools = self.tools
        return len(tools.policies) == 1 and not (tools.routes or tools.logs or tools.requests)

    def _checked_by_c(self) -> bool:
        """Whether C looks at what the user's opener has opened, and asks the policy about the rest."""
        return self._simple() and not self.tools.faithful

    def _let_pass(self, handle: Settings) -> None:
        """Let C do what it may; without this nobody would look at what that opener has opened."""
        tools = self.tools
        if len(tools.policies) == 1 and not tools.requests:
            opens = self._simple() and tools.opener is None
            allowed = tools.policies[0]._allowed
            code = lib.easy_set_verdicts(self.native, allowed, opens, self._checked_by_c())
            if code:
                raise handle._error(code)

    def remove(self, handle: Engine) -> None:
        """Take back what was set."""
        for option in self._held():
            if option is _CLOSER:
                install_closer(handle, option, None)
            else:
                handle._set_callback(option, None)
        native = self.native
        lib.easy_set_verdicts(native, ffi.NULL, 0, 0)
        settings = handle._settings
        if self.tools.policies and _PROXY not in settings:
            lib.easy_set_text(native, _PROXY.id, ffi.NULL)
        if self.tools.policies and not _TELLS and _FRESH not in settings:
            lib.easy_set_number(native, _FRESH.id, 0)
        if self.tools.begins:
            entries = b"".join([entry + b"\0" for entry in settings.get(_CONNECT_TO, ())])
            lib.easy_set_list(native, _CONNECT_TO.id, entries, len(entries))

    # -- Before a transfer -----------------------------------------------------------------------

    def begin(self, handle: Engine, shared: bool = False) -> None:
        """A transfer begins, in the user's multi if `shared`. Raises what is against it."""
        tools = self.tools
        if self.settled and not tools.begins and _TELLS:
            return
        if self.native.performing:  # which libcurl will say
            return
        if not self.installed:
            self.install(handle)
        for begin in tools.begins:
            begin(handle)
        if tools.policies:
            if not self.settled:
                self.unix = _unix_socket(handle._settings)
                self._settle_proxies(handle)
                self.settled = not (self.proxies or self.environment)
            if not _TELLS:
                self._insist_on_fresh_connections(handle, shared)

    def _insist_on_fresh_connections(self, handle: Engine, shared: bool) -> None:
        """libcurl before 7.80 does not tell which connection it uses: it has to make one.

        FRESH_CONNECT is not heeded after a redirect, where connections of others could be used.
        """
        foreign = shared or handle._share is not None or self.used > 0
        if foreign and handle._settings.get(_FOLLOW):
            raise NotSupported(
                lib.CURLE_NOT_BUILT_IN,
                "AddressPolicy with followlocation in a multi or share, or on a used handle, needs "
                f"libcurl 7.80, this is {LOADED_TEXT}",
            )
        if _scheme_and_host(handle)[0] == "file":
            raise AddressRefused(None, None, "a file has no address")
        code = lib.easy_set_number(self.native, _FRESH.id, 1)
        if code:
            raise handle._option_error(code, _FRESH, 1)

    def may_use_proxy(self, handle: Engine) -> bool:
        """Whether the transfer about to begin may go through a proxy."""
        settings = handle._settings
        if settings.get(_PROXY) or settings.get(_PRE_PROXY):
            return True
        return bool(self.environment) and _PROXY not in settings

    def _settle_proxies(self, handle: Engine) -> None:
        """Refuse proxies that are not allowed, see to it that no others are used."""
        settings = handle._settings
        self.proxies = []
        if settings.get(_PRE_PROXY):
            self._admit(settings[_PRE_PROXY], 0, "pre_proxy")
        if _PROXY in settings:
            if settings[_PROXY]:  # the empty one stands for none at all
                self._admit(settings[_PROXY], settings.get(_PROXYPORT, 0), "proxy")
        elif self.environment:
            self.environment = of_environment()  # as libcurl will find it
            pin = self._of_environment(handle)
            self._pin(handle, ffi.NULL if pin is None else pin)
        else:
            self._pin(handle, b"")

    def _pin(self, handle: Engine, proxy: Any) -> None:
        """CURLOPT_PROXY, which the user has not set."""
        code = lib.easy_set_text(self.native, _PROXY.id, proxy)
        if code:
            raise handle._option_error(code, _PROXY, None)

    def _of_environment(self, handle: Engine) -> Any:
        """What CURLOPT_PROXY is to be: b"" for no proxy, None to leave it to libcurl."""
        variables = {
            name: value for name, value in self.environment.items() if name.lower() != "no_proxy"
        }
        for name, value in variables.items():
            try:
                self._admit(value, 0, name)
            except AddressRefused:  # not what every URL would go through
                break
        else:
            return None
        self.proxies = []
        scheme, host = _scheme_and_host(handle)
        found = for_url(self.environment, scheme, host)
        if found is None:
            return b""
        name, value = found
        self._admit(value, 0, name)
        return value.encode()

    def _admit(self, text: str | bytes, port: int, where: str) -> None:
        """A proxy that the transfer would use: refused, or noted."""
        try:
            proxy = Proxy.parse(text).completed(port)
        except ValueError:
            raise AddressRefused(None, None, f"this is no proxy ({where})") from None
        for policy in self.tools.policies:
            if not policy._allows_proxy(proxy):
                reason = f"no proxy of that name is allowed ({where})"
                raise AddressRefused((proxy.host, proxy.port), None, reason)
        self.proxies.append(proxy)

    # -- The callbacks ---------------------------------------------------------------------------

    def open(self, purpose: int, address: Address) -> Any:
        """OPENSOCKETFUNCTION."""
        tools = self.tools
        asked = address._raw
        if tools.routes:
            for route in tools.routes:
                route(purpose, address)
        if tools.faithful and tools.policies and not self._allowed(purpose, address._raw, asked):
            return _BAD
        given = None if tools.opener is None else tools.opener(purpose, address)
        if given is None:
            given = open_plain(address)
        if not tools.faithful and tools.policies:
            given = self._checked(purpose, address, asked, given)
        if tools.logs and given != _BAD:
            for log in tools.logs:
                log._opened(self, purpose, asked, address, given)
        return given

    def open_plain(self, address: Address) -> int:
        """OPENSOCKETFUNCTION, where the user's opener is content with what libcurl would open."""
        return open_plain(address)

    def judge(self, fd: int, purpose: int, address: Any, asked: Any) -> bool:
        """Whether a socket may be used; `address` and `asked` are struct curl_sockaddr."""
        raw = ffi.buffer(ffi.addressof(address, "addr"), address.addrlen)[:]
        before = ffi.buffer(ffi.addressof(asked, "addr"), asked.addrlen)[:]
        peer = peer_of(fd)
        if not self._allowed(purpose, raw if peer is None else peer, before):
            return False
        if peer is None and address.family == family_of(raw):
            verdict = self.tools.policies[0]._verdict(raw)
            if verdict.allowed:  # and no proxy
                self.tools.policies[0]._admit(raw)
        return True

    def _checked(self, purpose: int, address: Address, asked: bytes, given: Any) -> Any:
        """Let pass what an opener has returned, or close it."""
        if given == _BAD:
            return given
        allowed = False
        try:
            allowed = self._allowed(purpose, destination(given, address), asked)
        finally:
            if not allowed:
                dispose(given)
        return given if allowed else _BAD

    def _allowed(self, purpose: int, raw: bytes, asked: bytes) -> bool:
        """Ask the policies; note a refusal."""
        tools = self.tools
        for policy in tools.policies:
            if listens(purpose, raw):
                if not policy.listen:
                    reason = "no rule allows to listen for a connection (active FTP)"
                    raise self._refused(raw, asked, None, reason)
                continue
            verdict = policy._verdict(raw)
            if verdict.allowed:
                if tools.opener is None:  # C would have opened the socket, had it known
                    policy._admit(raw)
            elif not (self.proxies and self._is_proxy(raw)):
                self.refusal = self._refused(raw, asked, verdict.rule, verdict.reason)
                self.native.refusing = True
                return False
        return True

    def _is_proxy(self, raw: bytes) -> bool:
        """Whether it is the address of a proxy that was allowed by name."""
        family = family_of(raw)
        if family not in (AF_INET, AF_INET6):
            return False
        host = plain(raw[4:8] if family == AF_INET else raw[8:24])
        port = int.from_bytes(raw[2:4], "big")
        return any(proxy.port == port and host in proxy.addresses() for proxy in self.proxies)

    def _refused(self, raw: bytes, asked: bytes, rule: Any, reason: str) -> AddressRefused:
        original = place(asked) if asked != raw else None
        return AddressRefused(place(raw), rule, reason, self._url(), original)

    def tune(self, fd: int, purpose: int) -> int | None:
        """SOCKOPTFUNCTION."""
        tools = self.tools
        if purpose != _IPCXN:
            peer = peer_of(fd)
            if peer is not None and not self._allowed(_IPCXN, peer, peer):
                assert self.refusal is not None
                raise self.refusal
            for log in tools.logs:
                log._accepted(self, fd)
        answer = None
        for tune in tools.tuners:
            found = tune(fd, purpose)
            if found == lib.CURL_SOCKOPT_ERROR:
                return found
            answer = found or answer
        return answer

    def request(
        self, primary_ip: str, local_ip: str, primary_port: int, local_port: int
    ) -> int | None:
        """PREREQFUNCTION."""
        tools = self.tools
        if tools.policies:
            url = self._url()
            if url[:5].lower() == "file:":  # what libcurl tells is the connection before
                raise AddressRefused(None, None, "a file has no address", url)
            ends = (primary_ip, local_ip, primary_port, local_port, self.unix)
            # Of a Unix socket libcurl tells the name that it is bound to, if any, not the path.
            if not ((tools.translates or not _is_ip(primary_ip)) and self._known(ends)):
                self._check_again(primary_ip, primary_port, url)
        for request in tools.requests:
            answer = request(primary_ip, local_ip, primary_port, local_port)
            if answer:
                return answer
        return None

    def _known(self, ends: tuple[str, str, int, int, bytes | None]) -> bool:
        """Whether a connection, by both its ends, was checked when its socket was opened."""
        approved = self.tools.approved
        if self.native.fresh:
            if len(approved) >= _APPROVED_MOST:
                approved.clear()
            approved[ends] = None
            return True
        return ends in approved

    def _check_again(self, host: str, port: int, url: str) -> None:
        """The second check: the connection may be somebody else's."""
        for policy in self.tools.policies:
            verdict = policy._verdict_reported(host, port, self._whole(host))
            if verdict.allowed or (self.proxies and self._is_proxy(_reported(host, port))):
                continue
            reason = f"{verdict.reason}, on a connection made before"
            address = (host, port) if _is_ip(host) else host
            raise AddressRefused(address, verdict.rule, reason, url)

    def _whole(self, host: str) -> str | None:
        """The path of which libcurl reports the beginning: it takes connections to that only."""
        if self.unix is None or self.tools.translates:
            return None
        path = os.fsdecode(self.unix)
        return path if host and path.startswith(host) else None

    # -- For errors ------------------------------------------------------------------------------

    def error(self, code: int, error: Exception) -> Exception:
        """The exception for a CURLcode: the refusal, where that has left no address."""
        refusal, self.refusal = self.refusal, None
        if refusal is None or not self.native.refusing or code not in _NONE_LEFT:
            return error
        refusal.__cause__ = error
        return refusal

    def _url(self) -> str:
        """Where the transfer is now, without what may be secret."""
        text = ffi.new("char **")
        if lib.easy_getinfo_text(self.native, lib.CURLINFO_EFFECTIVE_URL, text) or not text[0]:
            return ""
        url = ffi.string(text[0]).decode("utf-8", "surrogateescape")
        lib.easy_free_text(text[0])
        return without_secrets(url)


def bind(handle: Engine, value: Sockets | None, by_default: bool = False) -> Set | None:
    """Give a handle its `sockets`, or none; by default: unless it has some. Returns the set."""
    if handle._in_transfer():
        raise RuntimeError("sockets cannot be changed during a transfer")
    previous = handle._sockets
    if value is None:
        if previous is not None:
            previous.doubt()
            previous.remove(handle)
            handle._sockets = None
        return None
    tools = as_set(value)
    if by_default and previous is not None and (not previous.by_default or previous.tools is tools):
        return previous.tools
    binding = Binding(handle, tools, by_default, previous)
    binding.claim(handle, previous)
    if previous is not None and previous.tools is tools:
        binding.used = previous.used
    handle._sockets = binding  # no transfer begins without it, whatever interrupts this
    binding.install(handle)
    return tools


def without_secrets(url: str) -> str:
    """A URL without user, password, query and fragment."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    for mark in "#?":
        rest = rest.partition(mark)[0]
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def _reported(host: str, port: int) -> bytes:
    return _pack((host, port)) if _is_ip(host) else _family(AF_UNIX)


def _unix_socket(settings: dict[Option, Any]) -> bytes | None:
    """The Unix socket that is set, the last one; abstract with a zero byte before its name."""
    path, abstract = _UNIX
    found: bytes | None = settings.get(path)
    if abstract in settings:
        names = list(settings)
        if found is None or names.index(abstract) > names.index(path):
            found = b"\0" + settings[abstract]
    return found


def _is_ip(host: str) -> bool:
    try:
        _pack((host, 0))
    except ValueError:
        return False
    return True


def _scheme_and_host(handle: Engine) -> tuple[str, str]:
    """Of the URL that is set, as libcurl would read it."""
    from libcurl.url import Url

    settings = handle._settings
    url = settings.get(by_name["curlu"]) or settings.get(by_name["url"], b"")
    try:
        parsed = url if isinstance(url, Url) else Url(url)
        return parsed.scheme or "http", parsed.host or ""
    except Exception:
        return "http", ""
