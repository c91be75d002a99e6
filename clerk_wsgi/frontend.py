"""Where the browser side of an instance lives: its Frontend API and its account pages.

Everything follows from the publishable key and a few settings; no request can change it, except
that a proxy URL given as a path is taken on the request's own origin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .address import parse_origin

if TYPE_CHECKING:
    from .settings import Settings

# Hosts of development account pages (docs/protocol.md, "Known Clerk referrers").
_LEGACY_ACCOUNTS = (".lcl.dev", ".lclstage.dev", ".lclclerk.com")
_CURRENT_ACCOUNTS = (".accounts.dev", ".accountsstage.dev", ".accounts.lclclerk.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendApi:
    """The Frontend API of one instance.

    ``host`` is what its tokens name as issuer, ``proxy_url`` an absolute URL or a path.
    """

    host: str
    development: bool
    proxy_url: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> FrontendApi | None:
        """Return the Frontend API that settings name, ``None`` without a publishable key."""
        key = settings.publishable_key
        if key is None:
            return None
        development = key.instance_type == "development"
        on_domain = settings.is_satellite and settings.domain and not development
        host = f"clerk.{settings.domain}" if on_domain else key.frontend_api
        return cls(host=host, development=development, proxy_url=settings.proxy_url)

    def base_url(self, origin: str) -> str:
        """Return the base of its URLs for a request of ``origin``; it ends in one slash."""
        if not self.proxy_url:
            return f"https://{self.host}/"
        base = origin + self.proxy_url if self.proxy_url.startswith("/") else self.proxy_url
        if not re.search("[?#]", base):
            return base.rstrip("/") + "/"
        # A query or fragment takes the last segment along, as in any relative reference.
        at = urlsplit(base)
        return f"{at.scheme}://{at.netloc}{at.path.rpartition('/')[0]}/"

    def is_known_referrer(self, referrer: str, origin: str) -> bool:
        """Say whether a page of Clerk's own led here."""
        came_from = parse_origin(referrer)
        if came_from is None:
            return False
        host = urlsplit(came_from).hostname or ""
        if host == urlsplit(self.base_url(origin)).hostname:
            return True
        # Behind a proxy Clerk's SDK takes the account pages for those of the proxy: it knows none.
        if not self.proxy_url and came_from == parse_origin(self.accounts_url):
            return True
        return self.development and _is_account_portal(host)

    @property
    def accounts_url(self) -> str:
        """Return the base of the hosted account pages."""
        return accounts_url_of(self.host)


def accounts_url_of(frontend_api: str) -> str:
    """Return the base of the hosted account pages that belong to the host of a Frontend API."""
    host = frontend_api.replace("clerk.accountsstage.", "accountsstage.", 1)
    return "https://" + re.sub(r"clerk\.accounts\.|clerk\.", "accounts.", host, count=1)


def _is_account_portal(host: str) -> bool:
    if host.startswith("accounts.") and host.endswith(_LEGACY_ACCOUNTS):
        return True
    suffix = next((one for one in _CURRENT_ACCOUNTS if host.endswith(one)), None)
    return suffix is not None and not host.removesuffix(suffix).endswith(".clerk")
