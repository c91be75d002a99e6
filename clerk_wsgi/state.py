"""The outcome of a decision: ``SignedIn``, ``SignedOut`` or ``Handshake``.

A union, so that impossible mixtures cannot be built. Each has ``status``, ``reason``,
``message``, ``token_type``, ``token``, ``headers``, ``auth`` and ``to_auth()``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from .claims import Auth, Claims, Session, is_pending
from .machine_auth import MachineAuth, refused_machine
from .settings import SESSION_TOKEN

Headers = list[tuple[str, str]]
HeaderTuple = tuple[tuple[str, str], ...]

# One for everybody: an Auth of nobody has nothing to tell apart.
SIGNED_OUT_AUTH = Auth()
PENDING_AUTH = Auth(session_status="pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A token that counts. A pending session is one too: ``auth`` is signed out all the same.

    Immutable, and shared by all requests that carry the same session token. ``session`` is
    ``None`` for a pending session and for machine tokens. ``is_live`` says that Clerk was asked
    about the session for this very request.
    """

    status: ClassVar[Literal["signed-in"]] = "signed-in"
    reason: ClassVar[None] = None
    message: ClassVar[str] = ""

    token: str = field(repr=False)
    token_type: str = SESSION_TOKEN
    auth: Auth | MachineAuth
    full_auth: Auth | MachineAuth = field(repr=False)
    session: Session | None = field(default=None, repr=False)
    is_live: bool = False
    extra_headers: HeaderTuple = field(default=(), repr=False)

    @classmethod
    def from_claims(cls, token: str, claims: Claims) -> SignedIn:
        """Make the state of a verified session token."""
        auth = Auth(claims)
        if is_pending(claims):
            return cls(token=token, auth=PENDING_AUTH, full_auth=auth)
        return cls(token=token, auth=auth, full_auth=auth, session=Session.from_claims(claims))

    @classmethod
    def of_machine(cls, token: str, auth: MachineAuth) -> SignedIn:
        """Make the state of a verified machine token."""
        kind = auth.token_type or SESSION_TOKEN
        return cls(token=token, token_type=kind, auth=auth, full_auth=auth)

    @property
    def headers(self) -> Headers:
        """Headers to put on the response, in order."""
        return list(self.extra_headers)

    def to_auth(self, *, treat_pending_as_signed_out: bool = True) -> Auth | MachineAuth:
        """Return what the request may do; pending sessions count only if asked for."""
        return self.auth if treat_pending_as_signed_out else self.full_auth

    def with_headers(self, headers: HeaderTuple) -> SignedIn:
        """Return the same with headers for the response."""
        return replace(self, extra_headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    """Nobody is signed in, or what was presented was refused: ``reason`` says which.

    ``cause`` is the error of a call to Clerk that led to it, if one did. ``expired_session_id`` is
    the session of a genuine token in a cookie whose time is over: good for ending it alone.
    """

    status: ClassVar[Literal["signed-out"]] = "signed-out"
    token: ClassVar[None] = None
    session: ClassVar[None] = None

    reason: str
    message: str = ""
    token_type: str | None = SESSION_TOKEN
    extra_headers: HeaderTuple = field(default=(), repr=False)
    cause: Exception | None = field(default=None, repr=False, compare=False)
    expired_session_id: str | None = field(default=None, repr=False, compare=False)

    @property
    def auth(self) -> Auth | MachineAuth:
        """An ``Auth`` of nobody, or a ``MachineAuth`` where a machine token was asked for."""
        if self.token_type == SESSION_TOKEN:
            return SIGNED_OUT_AUTH
        return refused_machine(self.token_type)

    @property
    def headers(self) -> Headers:
        """Headers to put on the response, in order."""
        return [*debug_headers(self.status, self.reason, self.message), *self.extra_headers]

    def to_auth(self, *, treat_pending_as_signed_out: bool = True) -> Auth | MachineAuth:
        """Return the same as ``auth``: nobody is nobody."""
        return self.auth


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """The browser is sent to Clerk and back before anything can be said."""

    status: ClassVar[Literal["handshake"]] = "handshake"
    token: ClassVar[None] = None
    session: ClassVar[None] = None
    auth: ClassVar[None] = None
    token_type: ClassVar[str] = SESSION_TOKEN

    reason: str
    message: str = ""
    extra_headers: HeaderTuple = field(repr=False)

    @property
    def headers(self) -> Headers:
        """Headers to put on the response, in order."""
        return [*debug_headers(self.status, self.reason, self.message), *self.extra_headers]

    def to_auth(self, *, treat_pending_as_signed_out: bool = True) -> None:
        """Return nothing: a handshake decides nothing yet."""


RequestState = SignedIn | SignedOut | Handshake


def debug_headers(status: str, reason: str, message: str) -> Headers:
    """Return the ``x-clerk-auth-*`` headers of a decision that is not signed-in."""
    headers = [("x-clerk-auth-status", status), ("x-clerk-auth-reason", reason)]
    return [*headers, ("x-clerk-auth-message", message)] if message else headers
