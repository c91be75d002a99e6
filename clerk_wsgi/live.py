"""Live verification: Clerk is asked for a session's present state on each request.

A sign-out counts at once, and each request costs a call (docs/protocol.md, "Live verification").
A session token is verified here first; a *client token*, which is a ``__session`` cookie that is
not a JWT with a ``sid``, only Clerk can judge. All calls are rationed (rule 13) and share one time
limit per request.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from .claims import Auth
from .errors import ApiError, ClerkUnavailable
from .ids import is_safe_id
from .jws import Jws, Malformed, parse_jws
from .questions import NoAnswer, Refusal
from .state import RequestState, SignedIn, SignedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .claims import Claims, Session
    from .rationed import Ration

NOT_ACTIVE = "session-not-active"
UNVERIFIABLE = "session-verification-failed"

_CLIENT_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")
_REFUSED = (400, 404, 422)
# A 401 that speaks of our own credentials, or of nothing, says nothing about the session.
_OWN_FAULTS = ("clerk_key_invalid", "authorization_header_format_invalid", "authentication_invalid")

Result = TypeVar("Result")


class ClientAnswer(Protocol):
    """What is asked of a client."""

    @property
    def id(self) -> str: ...
    @property
    def session_ids(self) -> Sequence[str]: ...
    @property
    def last_active_session_id(self) -> str | None: ...


class LiveApi(Protocol):
    """What Clerk is asked while one request waits; raises ``ApiError`` or ``ClerkUnavailable``."""

    @property
    def is_verification_gone(self) -> bool: ...
    def verify_session(self, session_id: str, token: str) -> Session: ...
    def get_session(self, session_id: str) -> Session: ...
    def verify_client(self, token: str) -> ClientAnswer: ...


def is_client_token(text: str, parse: Callable[[str], Jws] = parse_jws) -> bool:
    """Say whether a session cookie holds a client token: anything but a JWT with a ``sid``."""
    try:
        return not isinstance(parse(text).payload.get("sid"), str)
    except Malformed:
        return True


class LiveVerifier:
    """Asks Clerk about sessions; ``api`` gives what one request may ask, with its time limit.

    Tokens that were verified here have a ration of their own, so that strangers with junk for a
    client token (``strangers``) cannot use it up.
    """

    def __init__(self, api: Callable[[], LiveApi], *, verified: Ration, strangers: Ration) -> None:
        self._api = api
        self._verified = verified
        self._strangers = strangers

    def confirm(self, state: SignedIn, auth: Auth) -> RequestState:
        """Return the state of a verified session token if its session is still active.

        ``auth`` is what the token says.
        """
        session_id, user_id = auth.session_id, auth.user_id
        if session_id is None or not is_safe_id(session_id):
            return SignedOut(reason="token-invalid", message="The token names no session.")
        try:
            session = self._present(state, session_id)
        except (NoAnswer, Refusal) as error:
            return replace(_signed_out(error), extra_headers=state.extra_headers)
        if session.user_id != user_id:
            return SignedOut(reason=NOT_ACTIVE, message="The session is of another user.")
        return replace(state, session=session if state.auth else None, is_live=True)

    def _present(self, state: SignedIn, session_id: str) -> Session:
        """Return the session as it is now; a pending one cannot be verified, only looked at."""
        api = self._api()
        if not state.auth:
            about = f"get {session_id}"
            session = _ask(self._verified, about, lambda: api.get_session(session_id))
            return _with_status(session, "pending")
        about = f"session {session_id} {state.token}"
        return _ask(self._verified, about, lambda: api.verify_session(session_id, state.token))

    def decide_client(self, token: str, named: Sequence[str]) -> RequestState:
        """Decide a client token: the session named in the query, else the last active one."""
        if not _CLIENT_TOKEN.fullmatch(token):
            return SignedOut(reason="token-invalid", message="The client token cannot be one.")
        api = self._api()
        try:
            about = f"client {token}"
            client = _ask(self._strangers, about, lambda: api.verify_client(token))
            session_id = _chosen(client, named)
            if session_id is None:
                return _no_session(named)
            session = self._session_of(api, client, session_id, token)
        except (NoAnswer, Refusal) as error:
            return _signed_out(error)
        return _signed_in(token, session)

    def _session_of(
        self, api: LiveApi, client: ClientAnswer, session_id: str, token: str
    ) -> Session:
        """Return the client's session, verified; where Clerk does not verify it, looked at."""
        try:
            about = f"session {session_id} {token}"
            session = _ask(self._strangers, about, lambda: api.verify_session(session_id, token))
        except Refusal:
            if not api.is_verification_gone:
                raise
            about = f"get {session_id}"
            session = _ask(self._strangers, about, lambda: api.get_session(session_id))
        if session.client_id != client.id:
            raise Refusal(404, "resource_not_found")
        return _with_status(session, "active")


def _ask(ration: Ration, about: str, call: Callable[[], Result]) -> Result:
    def translated() -> Result:
        try:
            return call()
        except ApiError as error:
            raise Refusal(error.status_code, _code_of(error)) from error
        except ClerkUnavailable as error:
            raise NoAnswer(error.message) from error

    return ration.ask(about, translated)


def _with_status(session: Session, status: str) -> Session:
    if session.status != status:
        raise Refusal(401, "action_for_session_not_authorized")
    return session


def _chosen(client: ClientAnswer, named: Sequence[str]) -> str | None:
    """Return the one session that may answer; the client must own it."""
    wanted = client.last_active_session_id if not named else named[0] if len(named) == 1 else None
    return wanted if wanted in client.session_ids and is_safe_id(wanted) else None


def _no_session(named: Sequence[str]) -> SignedOut:
    if named:
        message = "The client has no such session as the query names."
        return SignedOut(reason="session-id-mismatch", message=message)
    return SignedOut(reason=NOT_ACTIVE, message="The client has no active session.")


def _signed_in(token: str, session: Session) -> SignedIn:
    claims: Claims = {"sub": session.user_id, "sid": session.id, "sts": session.status}
    if session.actor is not None:
        claims["act"] = dict(session.actor)
    auth = Auth(claims)
    return SignedIn(token=token, auth=auth, full_auth=auth, session=session, is_live=True)


def _signed_out(error: NoAnswer | Refusal) -> SignedOut:
    """Translate a failure: the session is refused, or Clerk cannot say."""
    cause = _without_frames(error.__cause__ if isinstance(error.__cause__, Exception) else error)
    if isinstance(error, Refusal) and _is_about_session(error):
        return SignedOut(reason=NOT_ACTIVE, message="Clerk refuses the session.", cause=cause)
    return SignedOut(reason=UNVERIFIABLE, message="The session cannot be verified.", cause=cause)


def _without_frames(error: Exception) -> Exception:
    """Drop the tracebacks of an error that the application gets: their frames hold the token."""
    one: BaseException | None = error
    while one is not None:
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
    return error


def _is_about_session(refusal: Refusal) -> bool:
    if refusal.status == 401:
        return refusal.code is not None and refusal.code not in _OWN_FAULTS
    return refusal.status in _REFUSED


def _code_of(error: ApiError) -> str | None:
    entries = error.data if isinstance(error.data, list) else []
    code = entries[0].get("code") if entries and isinstance(entries[0], dict) else None
    return code if isinstance(code, str) else None
