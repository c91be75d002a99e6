"""Somebody who is signed in, made to measure: a user, a session, an organization and a token.

All of it is real: the local Clerk keeps the objects and signs the token, and the wrapper decides
about it as it decides about everybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict

from ..cookies import CLIENT_UAT, DEV_BROWSER, SESSION
from ..emulator import NotFound
from ..emulator.browsers import browsers_of
from ..emulator.objects import SESSION_STATUSES
from ..settings import parse_publishable_key
from .credentials import AUTHORIZATION, Credentials, sign_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Unpack

    from ..emulator import Emulator
    from ..emulator.objects import Document

ORGANIZATION = "acme"  # the slug of whom somebody is a member of if only a role is given


class Who(TypedDict, total=False):
    """Who is to be signed in, and how the token travels; ``sign_in`` says more."""

    user_id: str
    org_id: str
    org_slug: str
    org_role: str
    permissions: Iterable[str]
    status: str
    carrier: Literal["bearer", "cookies"]
    expires_in: int
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Credentials):
    """Somebody's credentials, and Clerk's objects behind them: JSON documents as at its API.

    ``organization`` is the active one, ``None`` for the personal account.
    """

    token: str = field(repr=False)
    user: Document
    session: Document
    organization: Document | None = None


class SignIn(Protocol):
    """``sign_in`` for one local Clerk, as the fixture ``signed_in`` gives it."""

    def __call__(self, client: object = None, /, **who: Unpack[Who]) -> Identity: ...


def sign_in(emulator: Emulator, client: object = None, /, **who: Unpack[Who]) -> Identity:
    """Return somebody with a new session, whom a test client then is, if one is given.

    The client is one that ``Credentials.apply`` knows; who it was before does not matter. Nothing
    is made at all if something is wrong: ``ValueError``, or ``TypeError`` for an unknown name.

    - ``user_id``: of a user that there is, or is to be made (``user_…``); a new one each time
      without it.
    - ``org_id``, ``org_slug``, ``org_role``, ``permissions``: any of them makes the user a member
      of that organization, and it the active one. It is made if there is none such; without id and
      slug it is ``acme``. The role is ``org:member`` unless it is given, and ``permissions``
      (``org:<feature>:<action>``) become those of the role.
    - ``status`` of the session: ``"pending"``, or ``"revoked"``, ``"ended"`` … for a token that
      outlives it.
    - ``carrier``: ``"bearer"`` for the ``Authorization`` header, ``"cookies"`` for all that a
      browser has after a sign-in.
    - ``expires_in``: seconds, the instance's ``token_lifetime`` without it. ``claims`` replace
      those of the token, such as ``azp``.
    """
    unknown = sorted(who.keys() - Who.__annotations__.keys())
    if unknown:
        raise TypeError(f"sign_in: there is no argument {unknown[0]!r}")
    wish = _Wish(**who)
    with emulator.transaction():
        identity = _identity(emulator, wish)
        if client is not None:
            identity.apply(sign_out(emulator, client))
    return identity


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """``Who`` with its defaults, checked."""

    user_id: str | None = None
    org_id: str | None = None
    org_slug: str | None = None
    org_role: str | None = None
    permissions: Iterable[str] = ()
    status: str = "active"
    carrier: str = "bearer"
    expires_in: int | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.carrier not in ("bearer", "cookies"):
            raise ValueError(f"carrier: expected 'bearer' or 'cookies', got {self.carrier!r}")
        if self.status not in SESSION_STATUSES:
            expected = ", ".join(SESSION_STATUSES)
            raise ValueError(f"status: expected one of {expected}, got {self.status!r}")

    @property
    def has_organization(self) -> bool:
        return any((self.org_id, self.org_slug, self.org_role, self.permissions))


def _identity(emulator: Emulator, wish: _Wish) -> Identity:
    user = _user_of(emulator, wish.user_id)
    organization = _organization_of(emulator, user, wish) if wish.has_organization else None
    session = emulator.create_session(
        user["id"],
        status=wish.status,
        last_active_organization_id=organization["id"] if organization else None,
    )
    token = emulator.session_token(session["id"], expires_in=wish.expires_in, **wish.claims)
    return Identity(
        token=token,
        user=user,
        session=session,
        organization=organization,
        headers={AUTHORIZATION: f"Bearer {token}"} if wish.carrier == "bearer" else {},
        cookies=_cookies_of(emulator, session, token) if wish.carrier == "cookies" else {},
    )


def _user_of(emulator: Emulator, user_id: str | None) -> Document:
    if user_id is None:
        return emulator.create_user()
    try:
        return emulator.user(user_id)
    except NotFound:
        if not re.fullmatch("user_[A-Za-z0-9_-]+", user_id):
            raise ValueError(
                f"user_id: there is no user {user_id!r}, and none is made with such an id: it would"
                " begin with user_, and be all letters, digits, _ and -"
            ) from None
        return emulator.create_user(id=user_id)


def _organization_of(emulator: Emulator, user: Document, wish: _Wish) -> Document:
    """Return the organization, of which the user is a member afterwards, with the role."""
    organization = _found_organization(emulator, wish)
    role = wish.org_role
    permissions = list(wish.permissions)
    if permissions or role not in (None, *(one["key"] for one in emulator.roles())):
        emulator.create_role(role or "org:member", permissions)
    known = emulator.memberships(organization_id=organization["id"], user_id=user["id"])
    if not known:
        emulator.add_member(organization["id"], user["id"], role or "org:member")
    elif role is not None:
        emulator.update_membership(organization["id"], user["id"], role=role)
    return emulator.organization(organization["id"])


def _found_organization(emulator: Emulator, wish: _Wish) -> Document:
    """Return the organization of this id or slug, made if there is none.

    ``ValueError`` if the one with that id has another slug.
    """
    wanted = wish.org_id or wish.org_slug or ORGANIZATION
    try:
        found = emulator.organization(wanted)
    except NotFound:
        slug = wish.org_slug or (None if wish.org_id else ORGANIZATION)
        named = {} if wish.org_id is None else {"id": wish.org_id}
        return emulator.create_organization((slug or "Acme").capitalize(), slug=slug, **named)
    if wish.org_slug not in (None, found["slug"]):
        raise ValueError(f"org_slug: {wanted} has the slug {found['slug']!r}")
    return found


def _cookies_of(emulator: Emulator, session: Document, token: str) -> dict[str, str]:
    """Return what a browser has on the application's host: each cookie plainly and suffixed."""
    key = parse_publishable_key(emulator.publishable_key)
    client = emulator.client(session["client_id"])
    values = {SESSION: token, CLIENT_UAT: str(client["updated_at"] // 1000)}
    if key.instance_type == "development":
        values[DEV_BROWSER] = browsers_of(emulator).renew(client["id"]).token
    return {
        copy: value for name, value in values.items() for copy in (name, f"{name}_{key.suffix}")
    }
