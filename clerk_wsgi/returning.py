"""Coming back: where a browser may be sent afterwards, and who is a browser at all.

Addresses are compared with a list of what is safe, not searched for what is not: browsers read
far more spellings of another site's address than anybody could list (docs/protocol.md, "Pages
and the way back").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from .address import is_host, origin_of, parse_origin
from .handshake import BROUGHT_HOME, LEFT_BEHIND
from .protection import is_ambiguous_target

if TYPE_CHECKING:
    from .address import Address

LONGEST_RETURN_URL = 2048
PAGES = ("document", "iframe")  # as for a handshake

# Visible ASCII without the backslash, and without what could end an attribute or a tag.
_PLAIN = re.compile(r"[!#-;=?-\[\]-~]+")
_ABSOLUTE = re.compile(r"(https?)://([^/?#]*)(.*)", re.IGNORECASE)
_QUALITY = re.compile(r"\s*q\s*=\s*((?:0|1)(?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)
_HIDDEN_FROM_RETURN = LEFT_BEHIND | BROUGHT_HOME


class Request(Protocol):
    """What is asked of a request here."""

    @property
    def method(self) -> str: ...
    @property
    def address(self) -> Address: ...
    def header(self, name: str) -> str: ...


def safe_return_url(text: str | None, origin: str) -> str | None:
    """Return ``text`` if a browser that is sent there stays on this site, else ``None``.

    It stays with a path, such as ``/page?a=b``, and with an absolute URL of the very ``origin``
    (``https://app.example.com``). Anything else is refused, also what would only be dangerous
    once decoded: two slashes in a row, a backslash, dot segments, encoded slashes, user names,
    control characters, what is not ASCII, and more than 2,048 characters.
    """
    if not text or len(text) > LONGEST_RETURN_URL or not _PLAIN.fullmatch(text):
        return None
    rest = text if text.startswith("/") else _after_origin(text, parse_origin(origin))
    if rest is None or is_ambiguous_target(re.split("[?#]", rest, maxsplit=1)[0]):
        return None
    return text


def wants_page(request: Request) -> bool:
    """Say whether somebody waits for a page, so that a redirect to another one is welcome.

    Browsers say themselves what they load (``Sec-Fetch-Dest``): a document or a frame, or
    something for a script. From others, and without TLS, a page is wanted if ``Accept`` names HTML,
    no later than JSON; ``fetch()`` and ``XMLHttpRequest`` accept ``*/*`` unless told otherwise.
    """
    if request.method not in ("GET", "HEAD"):
        return False
    destination, mode = request.header("Sec-Fetch-Dest"), request.header("Sec-Fetch-Mode")
    if destination or mode:
        return destination in ("", *PAGES) and mode in ("", "navigate")
    if request.header("X-Requested-With").lower() == "xmlhttprequest":
        return False
    return _accepts_html(request.header("Accept"))


def return_address(request: Request, fallback: str) -> str:
    """Return where a browser comes back to: the page that it asked for, else ``fallback``.

    That is for what is no page, since nobody can come back to a POST, and for addresses that are
    not safe. What handshakes put into the address stays behind.
    """
    if not wants_page(request):
        return fallback
    address = request.address
    # Browsers send a backslash in a query as it is, where it means nothing.
    own = address.without(_HIDDEN_FROM_RETURN).replace("\\", "%5C")
    return safe_return_url(own, address.origin) or fallback


def _after_origin(text: str, origin: str | None) -> str | None:
    """Return what follows the origin in an absolute URL, ``None`` if it has another or none."""
    match = _ABSOLUTE.fullmatch(text)
    if match is None or not is_host(match[2]) or origin is None:
        return None
    return match[3] if origin_of(match[1].lower(), match[2]) == origin else None


def _accepts_html(accept: str) -> bool:
    qualities = dict(map(_quality, accept.split(",")))
    html = qualities.get("text/html", 0.0)
    return html > 0 and html >= qualities.get("application/json", 0.0)


def _quality(media_range: str) -> tuple[str, float]:
    """Return a media type and how welcome it is (RFC 9110 section 12.4.2), 0 for junk."""
    media_type, *parameters = media_range.split(";")
    weights = [one for one in parameters if one.partition("=")[0].strip().lower() == "q"]
    match = _QUALITY.fullmatch(weights[0]) if weights else None
    quality = float(match[1]) if match else float(not weights)
    return media_type.strip().lower(), quality
