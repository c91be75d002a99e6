"""What a project's pages need: variables of templates, and the view that signs out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from ... import signing
from ...context import CookieReader, RequestContext
from ...errors import ConfigurationError
from ...returning import return_address
from .answers import response_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.http import HttpRequest, HttpResponse

    from ...clerk import Clerk


def clerk_context(request: HttpRequest) -> dict[str, Any]:
    """Return variables for templates: who is there, and where people sign in and sign up.

    ``clerk`` is ``request.clerk``. ``clerk_sign_in_url``, ``clerk_sign_up_url`` and
    ``clerk_account_url`` lead back to this page, and are ``None`` where there is no such page.
    There are none at all for requests that ``ClerkMiddleware`` has not seen.
    """
    environ = request.META
    if "clerk.auth" not in environ:
        return {}
    return {"clerk": environ["clerk.auth"], **_pages(environ["clerk.instance"], environ)}


def sign_out(request: HttpRequest, return_to: str = "/") -> HttpResponse:
    """End the session, and send the browser to ``return_to``: a path or address of this site.

    It is a view, and may be called by one. It wants a POST (405) with Django's CSRF token (403),
    whatever the project's middleware does. Raises ``ApiError`` or ``ClerkUnavailable``, which the
    middleware answers, if Clerk does not end the session: then it goes on.
    """
    return _sign_out(request, return_to)


def _end_session(request: HttpRequest, return_to: str) -> HttpResponse:
    return response_of(signing.sign_out(request, return_to), request.META)


_sign_out: Callable[[HttpRequest, str], HttpResponse] = require_POST(csrf_protect(_end_session))


def _pages(clerk: Clerk | None, environ: Mapping[str, Any]) -> dict[str, str | None]:
    """Return addresses of pages by the names of variables."""
    if clerk is None:  # nobody knows which instance this request belongs to
        return {}
    trust_forwarded = clerk.settings.trust_forwarded
    asked = RequestContext(environ, CookieReader(()).read, trust_forwarded=trust_forwarded)
    back = return_address(asked, f"{asked.origin}/")
    return {
        "clerk_sign_in_url": _address(clerk.sign_in_url, back),
        "clerk_sign_up_url": _address(clerk.sign_up_url, back),
        "clerk_account_url": _address(clerk.account_url, back),
    }


def _address(page: Callable[[str], str], back: str) -> str | None:
    try:
        return page(back)
    except ConfigurationError:
        return None
