"""Links of a page to where people sign in and the like, and from there back to it.

``signing.py`` sends people there; here they may go if they like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .context import CookieReader, RequestContext
from .portal import Portal
from .published import environ_of, published
from .returning import return_address, safe_return_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from .clerk import Clerk


class Links:
    """The pages of an instance, to be linked from the answer to the request that it decided about.

    ``find_request`` returns that request, or its WSGI environ, whenever a link is made. The methods
    take ``return_to``, where people come back to: a path or an address of this site; for any other
    it is ``/``. Without it they come back to the page itself, or to ``/`` from what is no page,
    such as the answer to a POST. They raise ``ConfigurationError`` where there is no such page,
    and ``LookupError`` if no instance decided about the request.
    """

    def __init__(self, find_request: Callable[[], object]) -> None:
        self._find_request = find_request

    def sign_in_url(self, return_to: str | None = None) -> str:
        """Return where people sign in."""
        return self._linked(Portal.sign_in_url, return_to)

    def sign_up_url(self, return_to: str | None = None) -> str:
        """Return where people make an account."""
        return self._linked(Portal.sign_up_url, return_to)

    def account_url(self, return_to: str | None = None) -> str:
        """Return where people look after their account."""
        return self._linked(Portal.account_url, return_to)

    def sign_out_url(self, return_to: str | None = None) -> str:
        """Return where people sign out; only a setting names such a page."""
        return self._linked(Portal.sign_out_url, return_to)

    def _linked(self, page: Callable[[Portal, str], str], return_to: str | None) -> str:
        environ = environ_of(self._find_request())
        clerk: Clerk | None = published(environ, "clerk.instance")
        if clerk is None:
            raise LookupError("there are no pages to link: no instance decided about this request")
        asked = RequestContext(
            environ, CookieReader(()).read, trust_forwarded=clerk.settings.trust_forwarded
        )
        return page(clerk.portal, _way_back(asked, return_to))


def _way_back(asked: RequestContext, return_to: str | None) -> str:
    origin = asked.origin
    if return_to is None:
        return return_address(asked, f"{origin}/")
    back = safe_return_url(return_to, origin) or "/"
    return f"{origin}{back}" if back.startswith("/") else back
