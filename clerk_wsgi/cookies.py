"""Cookies of an instance: their names, how a header is split, and which copies count.

A header is split by RFC 6265 section 5.4, at ``;`` and at the first ``=``, before anything is
decoded; names are exact and the first of a repeated name wins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from .settings import PublishableKey

SESSION = "__session"
CLIENT_UAT = "__client_uat"
DEV_BROWSER = "__clerk_db_jwt"
REFRESH = "__refresh"

MAX_HEADER = 65536
LONGEST_NUMBER = 15

_SCHEME = re.compile(r"https?://", re.IGNORECASE)


def split_cookies(
    header: str, names: Collection[str], decode: Callable[[str], str]
) -> dict[str, str]:
    """Return the cookies of those names; empty values count as absent.

    ``decode`` is asked about values that hold a quote or a percent sign (rule D27).
    A header over 64 kB is not read at all.
    """
    found: dict[str, str] = {}
    if len(header) > MAX_HEADER:
        return found
    for piece in header.split(";"):
        name, equals, value = piece.partition("=")
        name = name.strip(" \t")
        if name in names and equals and name not in found:
            value = value.strip(" \t")
            found[name] = decode(value) if "%" in value or '"' in value else value
    if "" in found.values():
        return {name: value for name, value in found.items() if value}
    return found


def whole_number(text: str | None) -> int:
    """Return a cookie's number; 0 for anything but one to fifteen digits (rule D21)."""
    is_number = text and len(text) <= LONGEST_NUMBER and text.isascii() and text.isdigit()
    return int(text) if is_number and text else 0


class RequestCookies(dict[str, str]):
    """The cookies of one ``Cookie`` header by name; not to be changed, requests share it.

    ``choice`` is which of them count, as soon as that was decided by nothing but them, ``token``
    the verified session token among them, of a kind that is no business of this module.
    """

    __slots__ = ("choice", "token")

    choice: SessionCookies | None
    token: Any

    def __init__(self, cookies: Mapping[str, str] | None = None) -> None:
        super().__init__(cookies or {})
        self.choice = None
        self.token = None


NO_COOKIES = RequestCookies()


class SessionCookies(NamedTuple):
    """The cookies that count for one request, whichever copies they came from.

    ``client_uat`` is when the client last changed, in Unix seconds, 0 for signed out; it is
    ``None`` only where no publishable key is known and the cookie is absent.
    """

    session: str | None = None
    client_uat: int | None = None
    dev_browser: str | None = None
    refresh: str | None = None
    suffixed: bool = False

    def __repr__(self) -> str:
        return f"SessionCookies(client_uat={self.client_uat!r}, suffixed={self.suffixed!r})"


class Unverified(NamedTuple):
    """What the selection needs of a session cookie before it was verified."""

    issuer: object
    issued_at: float
    expires_at: float | None

    @classmethod
    def of(cls, claims: Mapping[str, object]) -> Unverified:
        """Read it from claims; what is no number counts as absent."""
        issued_at, expires_at = claims.get("iat"), claims.get("exp")
        if type(issued_at) is type(expires_at) is int:
            return cls(claims.get("iss"), issued_at, expires_at)  # as Clerk writes them
        return cls(claims.get("iss"), _number(issued_at) or 0, _number(expires_at))

    def is_expired(self, now: float) -> bool:
        """Say whether it has expired at ``now``, without clock skew."""
        return self.expires_at is not None and self.expires_at <= int(now)


class CookieSelection:
    """Chooses between ``__session`` and ``__session_<suffix>`` (docs/protocol.md, "Suffixed").

    ``issuer`` is the Frontend API host that the instance's tokens name.
    """

    def __init__(self, key: PublishableKey, issuer: str) -> None:
        suffix = key.suffix
        self._issuer = issuer
        self._usual_issuer = f"https://{issuer}"
        self._development = key.instance_type == "development"
        self.session = f"{SESSION}_{suffix}"
        self.client_uat = f"{CLIENT_UAT}_{suffix}"
        self.dev_browser = f"{DEV_BROWSER}_{suffix}"
        self.refresh = f"{REFRESH}_{suffix}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every cookie name that may count; of refresh cookies only the suffixed one does."""
        plain = (SESSION, CLIENT_UAT, DEV_BROWSER)
        return (*plain, self.session, self.client_uat, self.dev_browser, self.refresh)

    def choose(
        self, cookies: Mapping[str, str], read: Callable[[str], Unverified | None], now: float
    ) -> SessionCookies:
        """Return the cookies that count; ``read`` returns ``None`` for what is no token."""
        if self._is_suffixed(cookies, read, now):
            session, client_uat, dev_browser = self.session, self.client_uat, self.dev_browser
        else:
            session, client_uat, dev_browser = SESSION, CLIENT_UAT, DEV_BROWSER
        get = cookies.get
        uat, is_suffixed = whole_number(get(client_uat)), session is self.session
        return SessionCookies(
            get(session), uat, get(dev_browser), get(self.refresh), suffixed=is_suffixed
        )

    def depends_on_time(self, cookies: Mapping[str, str]) -> bool:
        """Say whether another choice may be right later (row 6)."""
        return self._development and cookies.get(CLIENT_UAT) == "0" and self.session in cookies

    def _is_suffixed(
        self, cookies: Mapping[str, str], read: Callable[[str], Unverified | None], now: float
    ) -> bool:
        """Walk the selection table; the comments number its rows."""
        plain, suffixed = cookies.get(SESSION), cookies.get(self.session)
        plain_uat, uat = cookies.get(CLIENT_UAT), cookies.get(self.client_uat)
        mine = read(plain) if plain else None
        if plain and not (mine and mine.issuer):
            return False  # 1: not a token of Clerk's
        if mine and not self._is_own(mine.issuer):
            return True  # 2: of another instance
        if not suffixed and not uat:
            return False  # 3: nothing to choose
        theirs = mine if suffixed == plain else read(suffixed) if suffixed else None
        if plain_uat != "0":
            if uat == "0":
                return False  # 5: signed out here, signed in there
            if _issued_at(mine) > _issued_at(theirs):
                return False  # 4: the plain one is newer
        elif uat != "0" and self._development and theirs and theirs.is_expired(now):
            return False  # 6: signed out there, and nothing valid here
        return bool(uat or not suffixed)  # 7 and 8

    def _is_own(self, issuer: object) -> bool:
        if issuer == self._usual_issuer:
            return True
        return isinstance(issuer, str) and _SCHEME.sub("", issuer) == self._issuer


def _issued_at(token: Unverified | None) -> float:
    return token.issued_at if token else 0


def _number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) else None  # true counts as 1
