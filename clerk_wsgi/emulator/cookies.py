"""The cookies that the local Clerk gives to browsers, as ``Set-Cookie`` lines.

docs/protocol.md, "Cookies": what an application reads comes in two copies, plain and with the
instance's suffix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..cookies import CLIENT_UAT, DEV_BROWSER, REFRESH, SESSION

if TYPE_CHECKING:
    from ..settings import PublishableKey

CLIENT = "__client"
YEAR = "Max-Age=31536000"
LONGEST_SECONDS = 34_560_000  # 400 days: browsers keep none for longer
LONGEST = f"Max-Age={LONGEST_SECONDS}"

_LAX = "SameSite=Lax"
_EXPIRED = "Expires=Thu, 01 Jan 1970 00:00:00 GMT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where cookies go: to one host alone unless a ``domain`` is given, over TLS if ``secure``."""

    domain: str | None = None
    secure: bool = False

    @property
    def host_only(self) -> Reach:
        """The same for one host."""
        return Reach(secure=self.secure)


class CookieLines:
    """Writes the lines of one instance."""

    def __init__(self, key: PublishableKey) -> None:
        self._suffix = key.suffix

    def names(self, name: str) -> tuple[str, str]:
        """Return the names of both copies, the one with the suffix first."""
        return f"{name}_{self._suffix}", name

    def session(self, token: str, reach: Reach) -> list[str]:
        """A session token, for the application's host alone."""
        return self._copies(SESSION, token, reach.host_only)

    def no_session(self, reach: Reach) -> list[str]:
        """The end of a session, and of the token that would renew it."""
        host = reach.host_only
        ended = [*self.names(SESSION), self.names(REFRESH)[0]]
        return [expired_line(name, host) for name in ended]

    def refresh(self, token: str, reach: Reach) -> list[str]:
        """What renews a session; nobody reads a plain copy of it."""
        name = self.names(REFRESH)[0]
        return [cookie_line(name, token, reach.host_only, "HttpOnly", _LAX)]

    def client_uat(self, seconds: int, reach: Reach, *attributes: str) -> list[str]:
        """When the client last changed, 0 for signed out."""
        return self._copies(CLIENT_UAT, str(seconds), reach, *attributes)

    def dev_browser(self, token: str, reach: Reach, *attributes: str) -> list[str]:
        """What a browser is known by in development."""
        return self._copies(DEV_BROWSER, token, reach.host_only, *attributes)

    def client(self, token: str, reach: Reach) -> list[str]:
        """What a browser is known by in production, for the Frontend API alone."""
        return [cookie_line(CLIENT, token, reach.host_only, "HttpOnly", _LAX, LONGEST)]

    def _copies(self, name: str, value: str, reach: Reach, *attributes: str) -> list[str]:
        return [cookie_line(copy, value, reach, _LAX, *attributes) for copy in self.names(name)]


def cookie_line(name: str, value: str, reach: Reach, *attributes: str) -> str:
    """Return a ``Set-Cookie`` line for the whole host or domain."""
    parts = [f"{name}={value}", "Path=/", *attributes]
    if reach.domain:
        parts.append(f"Domain={reach.domain}")
    if reach.secure:
        parts.append("Secure")
    return "; ".join(parts)


def expired_line(name: str, reach: Reach) -> str:
    """Return the line that removes a cookie which had the same reach."""
    return cookie_line(name, "", reach, _EXPIRED)
