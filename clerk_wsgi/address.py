"""Addresses: the public address of a request, and origins that can be compared.

Values only. Which headers an address is read from is the business of ``context.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

# host[:port], and nothing that could move the rest of an address (rule D7).
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_PORT = re.compile(r":([0-9]*)\Z")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def is_host(text: str) -> bool:
    """Say whether a text is ``host`` or ``host:port``, with a port that exists."""
    match = _HOST.fullmatch(text)
    if match is None or int(match[2] or 0) > 65535:
        return False
    return not text.startswith("[") or is_ipv6(match[1][1:-1])


def is_ipv6(text: str) -> bool:
    """Say whether a text is an IPv6 address; ``urlsplit`` raises for another in brackets."""
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def origin_of(scheme: str, host: str) -> str:
    """Return ``scheme://host[:port]``, lower case and without the scheme's default port."""
    host = host.lower()
    port = _PORT.search(host) if ":" in host else None
    if port is None:
        return f"{scheme}://{host}"
    number = str(int(port[1])) if port[1] else ""
    shown = "" if number in ("", _DEFAULT_PORTS.get(scheme)) else f":{number}"
    return f"{scheme}://{host[: port.start()]}{shown}"


def parse_origin(url: str) -> str | None:
    """Return the origin of an absolute http(s) URL, ``None`` if it has none (RFC 6454)."""
    try:
        at = urlsplit(url)
        host, port = at.hostname, at.port
        if "[" in at.netloc or "]" in at.netloc:
            IPv6Address(host)  # before Python 3.11 nobody checks what stands in brackets
    except ValueError:
        return None
    if at.scheme not in _DEFAULT_PORTS or not host:
        return None
    name = f"[{host}]" if ":" in host else host
    return origin_of(at.scheme, name if port is None else f"{name}:{port}")


def is_of_other_origin(referrer: str, origin: str) -> bool:
    """Say whether a ``Referer`` names a page of another origin; junk names none."""
    if referrer.startswith(f"{origin}/"):
        return False  # nearly every referrer is a page of the same site
    match = _SCHEME.match(referrer)
    if match is None:
        return False
    came_from = parse_origin(referrer)
    if came_from is None:
        return match[1].lower() not in _DEFAULT_PORTS
    return came_from != origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A request's public address: ``origin``, percent-encoded ``path`` and raw ``query``."""

    origin: str
    path: str
    query: str

    def without(self, names: Collection[str]) -> str:
        """Return the address as text, without the query parameters of those names."""
        kept = [pair for pair in self.query.split("&") if _name_of(pair) not in names]
        query = "&".join(kept)
        return f"{self.origin}{self.path}?{query}" if query else f"{self.origin}{self.path}"

    def __str__(self) -> str:
        return self.without(())


def _name_of(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0], errors="replace")


def with_parameter(url: str, name: str, value: str) -> str:
    """Return a URL, or a path, with one more query parameter, which it then has once."""
    before, mark, fragment = url.partition("#")
    page, _, query = before.partition("?")
    kept = [pair for pair in query.split("&") if pair and _name_of(pair) != name]
    parameters = "&".join([*kept, urlencode({name: value}, errors="replace")])
    return f"{page}?{parameters}{mark}{fragment}"


def encode_path(path: str) -> str:
    """Percent-encode a path of a WSGI environ (latin-1 text, PEP 3333)."""
    encoded = quote(path.encode("latin-1", "replace"), safe="/:@!$&'()*+,;=~-._[]|^")
    return encoded if encoded.startswith("/") else f"/{encoded}"


def encode_query(query: str) -> str:
    """Return a raw query string in which nothing but ASCII and no white space is left."""
    return quote(query.encode("latin-1", "replace"), safe="/:@!$&'()*+,;=~-._?%[]{}|^`\\")
