"""Sending people to the page where they sign in, and signing them out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from .authenticate import SESSION_PARAMETER
from .claims import Auth
from .context import CookieReader, RequestContext
from .cookies import SESSION
from .errors import ApiError, ClerkError, ClerkUnavailable, ConfigurationError, Unauthenticated
from .gate import EXEMPT
from .handlers import NO_STORE, NOBODY_SIGNED_IN, Response, strict_on_error
from .judge import EXPIRED
from .portal import RETURN_PARAMETER
from .published import environ_of, published
from .refusals import error_of
from .returning import return_address, safe_return_url, wants_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .address import Address
    from .clerk import Clerk
    from .state import RequestState

# What a browser takes for a URL, letter by letter: nothing in it ends a header.
_SENDABLE = re.compile(r"[!-~]+")
_PORT = re.compile(r":[0-9]*\Z")
# Somebody is signed in, but only a page load finds out who: it goes through a handshake.
_UNKNOWN = ("client-uat-but-no-session-token", "session-token-iat-before-client-uat")
# Statuses of Clerk's that say that a session cannot be ended any more than it is.
_ENDED = (400, 404, 410, 422)


class Redirect(Exception):
    """Sends the browser to ``location``: an exception that is its own WSGI response.

    ``location`` is a URL or a path, percent-encoded: ``ValueError`` for anything else, which
    could end the header. ``headers`` are pairs that go on the response, too.
    """

    status_code = 303

    def __init__(self, location: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        if not _SENDABLE.fullmatch(location):
            raise ValueError("location: expected a URL in visible ASCII")
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
    a ``sign_out_url``, the browser is sent there instead, and nothing is ended here. A session
    whose token has expired is ended like any other.

    Raises ``ApiError`` or ``ClerkUnavailable`` if Clerk does not end the session, and
    ``Unauthenticated`` if only a page load could tell which it is: then it goes on. Raises
    ``LookupError`` on exempt paths. Call it for a POST: a GET could come from any page.
    """
    environ = environ_of(request)
    clerk: Clerk | None = published(environ, "clerk.instance")
    state: RequestState = published(environ, "clerk.state")
    if clerk is None or state is EXEMPT:
        raise LookupError("nobody was asked about here, so there is nobody to sign out")
    asked = _context(clerk, environ)
    address = asked.address
    back = safe_return_url(return_to, address.origin) or "/"
    if clerk.settings.sign_out_url:
        absolute = back if "://" in back else f"{address.origin}{back}"
        return Redirect(clerk.sign_out_url(absolute))
    session_id = _session_id_of(state, asked.query(SESSION_PARAMETER))
    if session_id:
        _end(clerk, session_id)
    is_secure = address.origin.startswith("https:")
    return Redirect(back, [("Set-Cookie", one) for one in _forgetting(clerk, is_secure=is_secure)])


def _session_id_of(state: RequestState, named: list[str]) -> str | None:
    """Return the session to end, ``None`` if there is none; raise if there may be one.

    ``named`` are the sessions that the query names: then it is that one or none.
    """
    auth = state.to_auth(treat_pending_as_signed_out=False)
    if auth:
        return auth.session_id if isinstance(auth, Auth) else None
    known = getattr(state, "expired_session_id", None)
    if known and named in ([], [known]):
        return str(known)
    error = error_of(state)
    is_unknown = state.reason in _UNKNOWN or (state.reason or "").startswith(EXPIRED)
    if error and (is_unknown or isinstance(error, ClerkUnavailable)):
        raise error
    return None


def _to_sign_in(error: ClerkError) -> Redirect | None:
    """Return the way to the sign-in page, ``None`` if nobody would be helped by it."""
    if error.request is None or not _is_mended_by_signing_in(error):
        return None
    environ = error.request.environ
    clerk = environ.get("clerk.instance")
    if clerk is None or environ.get("clerk.state") is EXEMPT:  # there nobody is ever signed in
        return None
    asked = _context(clerk, environ)
    if not wants_page(asked):
        return None
    back = return_address(asked, f"{asked.origin}/")
    try:
        if _is_at(clerk.sign_in_url(), asked.address):
            return None  # the sign-in page itself, which is not public
        return Redirect(clerk.sign_in_url(back))
    except ConfigurationError:  # there is no such page
        return None


def _is_at(page: str, address: Address) -> bool:
    """Say whether a request is for this page, by whatever scheme and port it came."""
    there = urlsplit(page)
    host = _PORT.sub("", address.origin.partition("://")[2]).strip("[]")
    if there.hostname not in (None, host) or unquote(there.path or "/") != unquote(address.path):
        return False
    return _parameters(there.query) <= _parameters(address.query)


def _parameters(query: str) -> set[str]:
    """Return the parameters that tell pages apart: not the way back."""
    pairs = map(unquote, query.split("&"))
    return {pair for pair in pairs if pair and pair.partition("=")[0] != RETURN_PARAMETER}


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


def _forgetting(clerk: Clerk, *, is_secure: bool) -> list[str]:
    """Return cookies that end those with the session's token; the rest is Clerk's own to change.

    Browsers take no ``Secure`` cookie from an http page, not even to end one.
    """
    key = clerk.settings.publishable_key
    names = [SESSION, f"{SESSION}_{key.suffix}"] if key else [SESSION]
    secure = "; Secure" if is_secure else ""
    return [f"{name}=; Path=/; Max-Age=0; SameSite=Lax{secure}" for name in names]
