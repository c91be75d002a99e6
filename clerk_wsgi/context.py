"""What a request asks and carries, read from a WSGI environ (PEP 3333).

The one place that knows ``environ`` and WebOb on the way in. Nothing is parsed before somebody
asks for it, nothing in a header or a query raises, and the application's environ is not touched.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes

from .address import Address, encode_path, encode_query, is_host, origin_of
from .cookies import NO_COOKIES, RequestCookies, split_cookies
from .remembering import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

# Browsers send the same header again and again.
REMEMBERED_HEADERS, LONGEST_REMEMBERED = 4096, 4096

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A value with a quote at one end only, or with anything after the second, is no quoted value.
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')


_NO_PARAMETERS: Mapping[str, list[str]] = MappingProxyType({})
_VARIABLES = {
    name: f"HTTP_{name.upper().replace('-', '_')}"
    for name in ("Accept", "Host", "Referer", "Sec-Fetch-Dest")
}


class CookieReader:
    """Reads ``Cookie`` headers: of all cookies those that have one of the names.

    Headers that were read lately are remembered, unless they are longer than 4 kB.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._known: Memory[str, RequestCookies] = Memory(REMEMBERED_HEADERS)

    def read(self, header: str) -> RequestCookies:
        """Return the cookies, decoded; empty ones are left out."""
        known = self._known.recall(header)
        if known is None:
            known = RequestCookies(split_cookies(header, self._names, decode_cookie))
            if len(header) <= LONGEST_REMEMBERED:
                self._known.note(header, known)
        return known


class RequestContext:
    """One request; ``read_cookies`` reads its ``Cookie`` header.

    ``trust_forwarded`` takes host and scheme from ``X-Forwarded-*`` (rule D7). ``cookies`` are
    decoded, the empty ones left out; ``parameters`` are those of the query string: all values of
    each name, decoded once, in order. Both are read when they are first asked for.
    """

    __slots__ = ("_cookies", "_environ", "_parameters", "_read_cookies", "_trust_forwarded")

    def __init__(
        self,
        environ: Mapping[str, Any],
        read_cookies: Callable[[str], RequestCookies],
        *,
        trust_forwarded: bool = False,
    ) -> None:
        self._environ = environ
        self._read_cookies = read_cookies
        self._trust_forwarded = trust_forwarded
        self._cookies: RequestCookies | None = None
        self._parameters: Mapping[str, list[str]] | None = None

    @property
    def cookies(self) -> RequestCookies:
        """The cookies of the instance's names."""
        if self._cookies is None:
            header = self._environ.get("HTTP_COOKIE")
            self._cookies = self._read_cookies(header) if header else NO_COOKIES
        return self._cookies

    @property
    def parameters(self) -> Mapping[str, list[str]]:
        """The parameters of the query string by name."""
        if self._parameters is None:
            text = self._environ.get("QUERY_STRING")
            self._parameters = parse_query(text) if text else _NO_PARAMETERS
        return self._parameters

    @property
    def method(self) -> str:
        """The request method as sent."""
        return str(self._environ.get("REQUEST_METHOD", "GET"))

    @property
    def bearer_token(self) -> str | None:
        """The token of the ``Authorization`` header; another scheme has none (rule D20).

        A value without a space is a token by itself.
        """
        value = self._environ.get("HTTP_AUTHORIZATION")
        return parse_authorization(value) if value else None

    def header(self, name: str) -> str:
        """Return a request header, empty if it is absent."""
        variable = _VARIABLES.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
        return str(self._environ.get(variable, ""))

    @property
    def address(self) -> Address:
        """The public address: what the WSGI server reports, or a trusted proxy."""
        environ = self._environ
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        return Address(
            origin=self.origin,
            path=encode_path(path),
            query=encode_query(environ.get("QUERY_STRING", "")),
        )

    @property
    def origin(self) -> str:
        """The origin of the public address."""
        return origin_of(self._scheme(), self._host())

    def _scheme(self) -> str:
        """The forwarded scheme, if anything but the server says by what name it was reached."""
        forwarded = self._forwarded("X-Forwarded-Proto").lower()
        is_named = bool(self._forwarded("X-Forwarded-Host") or self.header("Host"))
        if is_named and forwarded in ("http", "https"):
            return forwarded
        return str(self._environ.get("wsgi.url_scheme", "http"))

    def _host(self) -> str:
        """The first of forwarded host, ``Host`` and the server's own name that is a host."""
        for host in (self._forwarded("X-Forwarded-Host"), self.header("Host")):
            if is_host(host):
                return host
        name = str(self._environ.get("SERVER_NAME", "localhost"))
        shown = f"[{name}]" if ":" in name and not name.startswith("[") else name  # IPv6
        return f"{shown}:{self._environ.get('SERVER_PORT', '80')}"

    def _forwarded(self, name: str) -> str:
        return self.header(name).partition(",")[0] if self._trust_forwarded else ""

    def query(self, name: str) -> list[str]:
        """Return all values of a query parameter, decoded once, in order."""
        return self.parameters.get(name, [])


def carries_nothing(environ: Mapping[str, Any]) -> bool:
    """Say whether a request has neither a cookie of anybody's, nor a token, nor a query."""
    get = environ.get
    return not (get("HTTP_COOKIE") or get("HTTP_AUTHORIZATION") or get("QUERY_STRING"))


def parse_authorization(value: str) -> str | None:
    """Return the bearer token of an ``Authorization`` value (RFC 9110 section 11.4, rule D20).

    Anything else is read as Clerk's SDK does: a scheme with nothing after it is a token by
    itself. Two tokens are taken for one that nobody can read, so they are refused.
    """
    if value.startswith("Bearer "):
        text = value[len("Bearer ") :]
        if text and " " not in text and "\t" not in text:
            return text  # as nearly everybody spells it
    value = value.strip(" \t")
    match = _BEARER.fullmatch(value)
    if match:
        return match[1]
    scheme, _, token = value.partition(" ")
    if not token or token.startswith(" "):
        return scheme or None
    return token if scheme == "Bearer" else None


def decode_cookie(value: str) -> str:
    """Decode a cookie value that is not plain (rule D27): quotes first, then percent signs."""
    if _QUOTED.fullmatch(value):
        value = _unquoted(value)
    if "%" not in value or _BAD_PERCENT.search(value):
        return value
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value


def _unquoted(value: str) -> str:
    # The type stubs of WebOb do not list it.
    from webob.cookies import parse_cookie  # type: ignore[attr-defined]

    latin = value.encode("latin-1", "replace").decode("latin-1")
    [(_, unquoted)] = parse_cookie(f"quoted={latin}")
    return str(unquoted, "latin-1")


def parse_query(text: str) -> dict[str, list[str]]:
    """Return the parameters of a query string by name, decoded once.

    Only ``&`` separates; bytes that are not UTF-8 are replaced, never raised. WebOb's own reading
    splits at ``;`` too, raises on such bytes, and takes time that grows with the square of their
    number.
    """
    found: dict[str, list[str]] = {}
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        found.setdefault(_decoded(name), []).append(_decoded(value))
    return found


def _decoded(text: str) -> str:
    raw = unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace"))
    return raw.decode("utf-8", "replace")
