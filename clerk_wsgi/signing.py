"""Sending people to the page where they sign in, and signing them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .claims import Auth
from .context import CookieReader, RequestContext
from .cookies import SESSION
from .errors import ApiError, ClerkError, ConfigurationError, Unauthenticated
from .handlers import NO_STORE, NOBODY_SIGNED_IN, Response, strict_on_error
from .published import environ_of, published
from .returning import return_address, safe_return_url, wants_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .clerk import Clerk

# Statuses of Clerk's that say that a session cannot be ended any more than it is.
_ENDED = (400, 404, 410, 422)


class Redirect(Exception):
    """Sends the browser to ``location``: an exception that is its own WSGI response.

    ``headers`` are pairs that go on the response, too.
    """

    status_code = 303

    def __init__(self, location: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__("Go on elsewhere.")
        self.location = location
        self.headers = (("Location", location), NO_STORE, *headers)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.location, self.headers[2:])

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return Response(status=self.status_code, headers=self.headers)(environ, start_response)


def sign_in_on_error(error: ClerkError) -> ClerkError | Redirect:
    """Log the error, and refuse: people who wait for a page are sent to sign in and come back.

    Whoever calls an API gets the error itself. So does everybody whom signing in would not help:
    those whose token is not for this application, or who lack a role, or if Clerk is down.
    """
    strict_on_error(error)
    return _to_sign_in(error) or error


def sign_out(request: object, return_to: str = "/") -> Redirect:
    """End the session of a request, and return the redirect that makes the browser forget it.

    ``request`` is a WSGI environ or a framework's request, ``return_to`` where the browser goes
    then: a path or an address of this site; for any other it goes to ``/``. Where a setting names
    a ``sign_out_url``, the browser is sent there instead, and nothing is ended here. Raises
    ``ApiError`` or ``ClerkUnavailable`` if Clerk does not end the session: then it goes on.

    Call it for a POST: a GET could come from any page.
    """
    environ = environ_of(request)
    clerk: Clerk = published(environ, "clerk.instance")
    asked = _context(clerk, environ)
    back = safe_return_url(return_to, asked.address.origin) or "/"
    if clerk.settings.sign_out_url:
        absolute = back if "://" in back else f"{asked.address.origin}{back}"
        return Redirect(clerk.sign_out_url(absolute))
    auth = published(environ, "clerk.state").to_auth(treat_pending_as_signed_out=False)
    if isinstance(auth, Auth) and auth.session_id:
        _end(clerk, auth.session_id)
    return Redirect(back, [("Set-Cookie", cookie) for cookie in _forgetting(clerk)])


def _to_sign_in(error: ClerkError) -> Redirect | None:
    """Return the way to the sign-in page, ``None`` if nobody would be helped by it."""
    if error.request is None or not _is_mended_by_signing_in(error):
        return None
    clerk = error.request.environ.get("clerk.instance")
    if clerk is None:
        return None
    asked = _context(clerk, error.request.environ)
    if not wants_page(asked):
        return None
    back = return_address(asked, f"{asked.address.origin}/")
    try:
        page = clerk.sign_in_url()
        if page in (asked.address.path, f"{asked.address.origin}{asked.address.path}"):
            return None  # the sign-in page itself, which is not public
        return Redirect(clerk.sign_in_url(back))
    except ConfigurationError:  # there is no such page
        return None


def _is_mended_by_signing_in(error: ClerkError) -> bool:
    """Leave out what would send somebody who is signed in to and fro for ever."""
    return isinstance(error, Unauthenticated) and error.reason in NOBODY_SIGNED_IN


def _context(clerk: Clerk, environ: Mapping[str, Any]) -> RequestContext:
    trust_forwarded = clerk.settings.trust_forwarded
    return RequestContext(environ, CookieReader(()).read, trust_forwarded=trust_forwarded)


def _end(clerk: Clerk, session_id: str) -> None:
    try:
        clerk.sessions.revoke(session_id)
    except ApiError as error:
        if error.status_code not in _ENDED:
            raise


def _forgetting(clerk: Clerk) -> list[str]:
    """Return cookies that end those with the session's token; the rest is Clerk's own to change."""
    key = clerk.settings.publishable_key
    names = [SESSION, f"{SESSION}_{key.suffix}"] if key else [SESSION]
    return [f"{name}=; Path=/; Max-Age=0; Secure; SameSite=Lax" for name in names]
