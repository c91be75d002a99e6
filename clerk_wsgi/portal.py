"""Where people sign in and out, sign up and look after their account.

Pages of the application's own if settings name them, else those that Clerk hosts, which follow
from the publishable key (docs/protocol.md, "Pages and the way back"). No request can change them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .address import parse_origin, with_parameter
from .errors import ConfigurationError
from .frontend import accounts_url_of
from .sync import SYNCED

if TYPE_CHECKING:
    from .settings import Settings

RETURN_PARAMETER = "redirect_url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """The pages of one instance, each an absolute URL, a path of the application's host, or none.

    The methods return a page's address with ``return_to`` in it, the absolute URL where it leads
    back to; it is encoded, not judged: ``returning.py`` says which are safe. They raise
    ``ConfigurationError`` where there is no such page.
    """

    sign_in: str | None = None
    sign_up: str | None = None
    account: str | None = None
    sign_out: str | None = None
    is_satellite: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Portal:
        """Return the pages that settings name, and Clerk's in the place of the others.

        With a sign-in page of one's own, signing up is a part of it, as in Clerk's component.
        """
        key = settings.publishable_key
        base = accounts_url_of(key.frontend_api) if key else None
        created = _below(settings.sign_in_url, "create")
        return cls(
            sign_in=settings.sign_in_url or _below(base, "sign-in"),
            sign_up=settings.sign_up_url or created or _below(base, "sign-up"),
            account=settings.account_url or _below(base, "user"),
            sign_out=settings.sign_out_url,
            is_satellite=settings.is_satellite,
        )

    def sign_in_url(self, return_to: str | None = None) -> str:
        """Return where people sign in."""
        return self._url("sign_in_url", self.sign_in, return_to)

    def sign_up_url(self, return_to: str | None = None) -> str:
        """Return where people make an account."""
        return self._url("sign_up_url", self.sign_up, return_to)

    def account_url(self, return_to: str | None = None) -> str:
        """Return where people look after their account."""
        return self._url("account_url", self.account, return_to)

    def sign_out_url(self, return_to: str | None = None) -> str:
        """Return where people sign out; Clerk hosts no page for it."""
        return self._url("sign_out_url", self.sign_out, return_to)

    def _url(self, setting: str, page: str | None, return_to: str | None) -> str:
        if page is None:
            raise _missing(setting)
        if not return_to:
            return page
        return with_parameter(page, RETURN_PARAMETER, self._back(page, return_to))

    def _back(self, page: str, return_to: str) -> str:
        """Return the way back: a satellite is synced there if the page is of another origin."""
        origin = parse_origin(return_to)
        if not self.is_satellite or origin is None or origin == parse_origin(page):
            return return_to
        return with_parameter(return_to, SYNCED, "false")


def _below(url: str | None, name: str) -> str | None:
    """Return a page below another, whose query and fragment it keeps."""
    if url is None:
        return None
    page = re.split("[?#]", url, maxsplit=1)[0]
    return f"{page.rstrip('/')}/{name}{url[len(page) :]}"


def _missing(setting: str) -> ConfigurationError:
    by_key = "; Clerk has no page for it" if setting == "sign_out_url" else ", or a publishable_key"
    variable = f"CLERK_{setting.upper()}"
    return ConfigurationError(f"{setting} is not set: give it as an argument or {variable}{by_key}")
