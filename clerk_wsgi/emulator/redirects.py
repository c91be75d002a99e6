"""Where browsers may be sent to: addresses of this machine, and origins that were allowed."""

from __future__ import annotations

import ipaddress
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

from ..address import is_host, parse_origin
from .errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

_VISIBLE = string.ascii_letters + string.digits + string.punctuation
_ADDRESS = re.compile(
    r"https?://(?P<host>[^/?#]+)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that a browser may be sent to, in visible ASCII; ``host`` is without a port."""

    origin: str
    host: str
    path: str
    query: str
    fragment: str

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.origin}{self.path}{query}{self.fragment}"

    @property
    def is_secure(self) -> bool:
        """Whether it is reached over TLS."""
        return self.origin.startswith("https:")

    def with_parameter(self, name: str, value: str) -> str:
        """Return the address with one more query parameter, whose name it then has once."""
        kept = [pair for pair in self.query.split("&") if pair and _name_of(pair) != name]
        query = "&".join([*kept, urlencode({name: value})])
        return f"{self.origin}{self.path}?{query}{self.fragment}"


class Redirects:
    """The origins that browsers may be sent to: those given, and every one on loopback.

    Raises ``ValueError`` for what is no origin, such as ``https://app.example.com``.
    """

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self._origins = frozenset(map(_checked_origin, origins))

    def target(self, text: str | None) -> Target:
        """Return the address that a ``redirect_url`` names, or raise a ``Refusal``."""
        if not text:
            raise Refusal(400, "redirect_url_missing", "redirect_url is missing")
        target = parse_target(text)
        if target is None:
            raise Refusal(
                400,
                "redirect_url_invalid",
                "redirect_url is invalid",
                "redirect_url must be an absolute http or https URL without a user name.",
            )
        self.check(target)
        return target

    def check(self, target: Target) -> None:
        """Raise a ``Refusal`` unless the origin of an address is one of ours."""
        if target.origin not in self._origins and not is_loopback(target.host):
            raise not_associated(
                f"{target.origin} is not on this machine, and no origin that the local Clerk was"
                " told of (--redirect-origin, redirect_origins)."
            )


def not_associated(why: str) -> Refusal:
    """Return the 422 of an address that has nothing to do with this instance."""
    message = "redirect_url is not associated with this instance"
    return Refusal(422, "redirect_url_not_associated_with_instance", message, why)


def parse_target(text: str) -> Target | None:
    """Return the parts of an absolute http(s) URL, ``None`` if it is none.

    Whatever is not visible ASCII is percent-encoded first. A host is read in one way only: with a
    user name, a backslash or a percent sign in it, it is none.
    """
    match = _ADDRESS.fullmatch(quote(text, safe=_VISIBLE))
    if match is None or not is_host(match["host"]):
        return None
    origin = parse_origin(match[0])
    if origin is None:
        return None
    return Target(
        origin=origin,
        host=urlsplit(origin).hostname or "",
        path=match["path"] or "/",
        query=match["query"] or "",
        fragment=match["fragment"] or "",
    )


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is this machine's own (RFC 6761 section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_origin(text: str) -> str:
    target = parse_target(text)
    if target is None or str(target).rstrip("/") != target.origin:
        raise ValueError(f"expected an origin such as https://app.example.com, not {text!r}")
    return target.origin


def _name_of(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0])
