"""What a verified token says: ``Auth`` and ``Session``, and how they are read from claims.

Claims come in two versions (docs/protocol.md, "Session token"). A claim of an unexpected shape
counts as absent (rule D11). Everything handed out is immutable or a copy, because one verified
token serves many requests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .authorization import Grants, Verification
    from .models import Organization as APIOrganization
    from .models import User

Claims = dict[str, Any]

# Scope and slug; only white space around both of them together does not count.
_FEATURE = re.compile(r"\s*([a-z]+\s*):([^:]*[^:\s])\s*")
_OF_ORGANIZATIONS = ("o", "ou", "uo")
_MASKS = re.compile(r"\s*[0-9]{1,400}\s*(,\s*[0-9]{1,400}\s*)*")


class ReadOnlyDict(dict[str, Any]):
    """A dict that refuses to be changed; ``dict(…)`` of it is one that does not."""

    def _refuse(self, *arguments: object, **members: object) -> NoReturn:
        raise TypeError("this is read-only: make a dict(…) of it")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[ReadOnlyDict], tuple[dict[str, Any]]]:
        return ReadOnlyDict, (dict(self),)


def freeze(value: Any) -> Any:
    """Return JSON data that cannot be changed: read-only dicts, and tuples for lists."""
    if isinstance(value, dict):
        return ReadOnlyDict({name: freeze(member) for name, member in value.items()})
    if isinstance(value, list):
        return tuple(freeze(member) for member in value)
    return value


def copied(value: Any) -> Any:
    """Return JSON data that shares nothing mutable with ``value``."""
    if isinstance(value, dict):
        return {name: copied(member) for name, member in value.items()}
    if isinstance(value, list):
        return [copied(member) for member in value]
    return value


def text_claim(claims: Mapping[str, Any], name: str) -> str | None:
    """Return a claim that is a string, be it empty, else ``None``."""
    value = claims.get(name)
    return value if isinstance(value, str) else None


def actor_of(claims: Claims) -> Mapping[str, Any] | None:
    """Return who acts for the user (the ``act`` claim), read-only."""
    actor = claims.get("act")
    return freeze(actor) if isinstance(actor, dict) else None


def is_pending(claims: Claims) -> bool:
    """Say whether the session still has tasks to do before it counts (``sts``)."""
    return claims.get("sts") == "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """The active organization of a session token; all ``None`` if there is none."""

    id: str | None = None
    role: str | None = None
    slug: str | None = None
    permissions: tuple[str, ...] | None = None


def organization_of(claims: Claims) -> Organization:
    """Read the active organization from claims of version 1 or 2."""
    if claims.get("v") != 2:
        return _organization_v1(claims)
    o = claims.get("o")
    if not isinstance(o, dict):
        return Organization()
    role = text_claim(o, "rol")
    return Organization(
        id=text_claim(o, "id"),
        role=f"org:{role}" if role else None,
        slug=text_claim(o, "slg"),
        permissions=_permissions_v2(claims.get("fea"), o.get("per"), o.get("fpm")),
    )


def organization_id_of(claims: Claims) -> str | None:
    """Read the id of the active organization alone, which costs less than all of it."""
    if claims.get("v") != 2:
        return text_claim(claims, "org_id")
    o = claims.get("o")
    return text_claim(o, "id") if isinstance(o, dict) else None


def _organization_v1(claims: Claims) -> Organization:
    permissions = claims.get("org_permissions")
    return Organization(
        id=text_claim(claims, "org_id"),
        role=text_claim(claims, "org_role"),
        slug=text_claim(claims, "org_slug"),
        permissions=freeze(permissions) if isinstance(permissions, list) else None,
    )


def _permissions_v2(features: Any, permissions: Any, masks: Any) -> tuple[str, ...]:
    """Expand the bit masks of version 2: bit k of mask i grants permission k on feature i."""
    if not isinstance(permissions, str) or not isinstance(masks, str):
        return ()
    if not permissions or not _MASKS.fullmatch(masks):
        return ()
    names = [name.strip() for name in permissions.split(",")]
    pairs = zip(_organization_features(features), masks.split(","), strict=False)
    return tuple(
        f"org:{feature}:{name}"
        for feature, mask in pairs
        for bit, name in enumerate(names)
        if int(mask) >> bit & 1
    )


def _organization_features(features: Any) -> list[str]:
    """Return the slugs of the features whose scope includes the organization, in order."""
    if not isinstance(features, str):
        return []
    found = [_FEATURE.fullmatch(entry) for entry in features.split(",")]
    if not all(found):
        return []
    return [match[2] for match in found if match and match[1] in _OF_ORGANIZATIONS]


def _factor_ages(claims: Claims) -> tuple[float, float] | None:
    ages = claims.get("fva")
    if not isinstance(ages, list) or len(ages) != 2:
        return None
    if any(isinstance(age, bool) or not isinstance(age, (int, float)) for age in ages):
        return None
    return ages[0], ages[1]


class Visitor(Protocol):
    """The user and the organization of one request, in full."""

    @property
    def user(self) -> User | None: ...
    @property
    def organization(self) -> APIOrganization | None: ...


class Host(Protocol):
    """Whoever can find out more about a visitor than the token says."""

    def receive(self, *, user_id: str | None, organization_id: str | None) -> Visitor: ...


class _Said:
    """What a token says: shared by the requests that it comes with, read once."""

    __slots__ = ("claims", "organization", "session_status")

    def __init__(self, claims: Claims | None, session_status: str | None) -> None:
        self.claims = claims
        self.session_status = session_status
        self.organization: Organization | None = None


class Auth:
    """What a request may do; falsy when nobody is signed in, and then every field is ``None``.

    Read-only. ``claims`` is a fresh copy each time it is read; ``factor_verification_age`` is a
    pair of minutes since the first and the second factor, -1 for never.
    """

    # __dict__ holds nothing but the visitor, once received: setdefault lets one thread's in.
    __slots__ = ("__dict__", "_host", "_said")

    _said: _Said
    _host: Host | None

    def __init__(self, claims: Claims | None = None, *, session_status: str | None = None) -> None:
        _put_said(self, _Said(claims, session_status))
        _put_host(self, None)

    def received_by(self, host: Host) -> Auth:
        """Return the same for one request, whose ``user`` and ``organization`` ``host`` knows."""
        received = object.__new__(Auth)
        _put_said(received, self._said)
        _put_host(received, host)
        return received

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Auth is read-only: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Auth is read-only: {name}")

    def __reduce__(self) -> tuple[partial[Auth], tuple[Claims | None]]:
        return partial(Auth, session_status=self._said.session_status), (self._said.claims,)

    def __bool__(self) -> bool:
        return self._said.claims is not None

    def __repr__(self) -> str:
        return f"Auth(user_id={self.user_id!r}, session_id={self.session_id!r})"

    def _text(self, name: str) -> str | None:
        return None if self._said.claims is None else text_claim(self._said.claims, name)

    def _active_organization(self) -> Organization:
        said = self._said
        if said.organization is None:
            said.organization = organization_of(said.claims) if said.claims else Organization()
        return said.organization

    @property
    def token_type(self) -> str:
        """Always ``"session_token"``."""
        return "session_token"

    @property
    def is_authenticated(self) -> bool:
        """Whether a user is signed in."""
        return self._said.claims is not None

    @property
    def user_id(self) -> str | None:
        """The user, ``user_…`` (claim ``sub``)."""
        return self._text("sub")

    @property
    def session_id(self) -> str | None:
        """The session, ``sess_…`` (claim ``sid``)."""
        return self._text("sid")

    @property
    def session_status(self) -> str | None:
        """``"active"`` or ``"pending"``; ``None`` where the token does not say."""
        return self._text("sts") if self._said.claims is not None else self._said.session_status

    @property
    def org_id(self) -> str | None:
        """The active organization, ``org_…``."""
        return self._active_organization().id

    @property
    def org_role(self) -> str | None:
        """The user's role in the active organization, such as ``org:admin``."""
        return self._active_organization().role

    @property
    def org_slug(self) -> str | None:
        """The active organization's slug."""
        return self._active_organization().slug

    @property
    def org_permissions(self) -> tuple[str, ...] | None:
        """Permissions in the active organization, such as ``org:teams:read``."""
        return self._active_organization().permissions

    @property
    def factor_verification_age(self) -> tuple[float, float] | None:
        """Minutes since the first and the second factor were verified; -1 means never."""
        return None if self._said.claims is None else _factor_ages(self._said.claims)

    @property
    def actor(self) -> Mapping[str, Any] | None:
        """Who acts for the user (impersonation), read-only."""
        return None if self._said.claims is None else actor_of(self._said.claims)

    @property
    def claims(self) -> Claims | None:
        """All claims of the token, copied."""
        return None if self._said.claims is None else copied(self._said.claims)

    @property
    def user(self) -> User | None:
        """The user as Clerk's API knows them: asked on first use, once in a request.

        ``None`` if nobody is signed in. Raises ``ApiError`` or ``ClerkUnavailable`` as
        ``clerk.users.get`` does, and ``LookupError`` outside of a wrapped application.
        """
        return None if self._said.claims is None else self._received().user

    @property
    def organization(self) -> APIOrganization | None:
        """The active organization as Clerk's API knows it, likewise; ``None`` if none is."""
        return None if self._said.claims is None else self._received().organization

    def _received(self) -> Visitor:
        """Return the visitor of this request, who is received when first asked about."""
        known: dict[str, Visitor] = self.__dict__
        if "_visitor" not in known:
            if self._host is None:
                raise LookupError("who this is in full is known in a wrapped application alone")
            visitor = self._host.receive(user_id=self.user_id, organization_id=self.org_id)
            known.setdefault("_visitor", visitor)  # a second thread's gives way to the first's
        return known["_visitor"]

    def has(
        self,
        *,
        role: str | None = None,
        permission: str | None = None,
        feature: str | None = None,
        plan: str | None = None,
        reverification: Verification | None = None,
    ) -> bool:
        """Say whether the session has all that is asked; ``None`` asks nothing.

        Role and permission are those of the active organization, with or without ``org:``.
        A feature or plan is a slug, or ``org:slug`` or ``user:slug``. ``reverification`` is a
        preset such as ``"strict"``, a ``Reverification``, or a dict with ``level`` and
        ``after_minutes``. The answer is ``False`` if nobody is signed in, if nothing is asked,
        and for what is malformed (docs/protocol.md, "Authorization").
        """
        return self._said.claims is not None and self._grants(self._said.claims).allow(
            role=role,
            permission=permission,
            feature=feature,
            plan=plan,
            reverification=reverification,
        )

    def _grants(self, claims: Claims) -> Grants:
        from .authorization import Grants  # which only applications that ask need

        organization = self._active_organization()
        return Grants(
            org_id=organization.id,
            role=organization.role,
            permissions=organization.permissions,
            features=claims.get("fea"),
            plans=claims.get("pla"),
            factor_ages=_factor_ages(claims),
        )


# Every request makes an Auth, and object.__setattr__ would look each slot up.
_put_said, _put_host = (Auth.__dict__[name].__set__ for name in ("_said", "_host"))


class _ReadLater:
    """What a ``Session`` is made of that was made of claims, for as long as nobody reads it."""

    __slots__ = ("_claims",)

    _claims: Claims

    def __getattr__(self, name: str) -> Any:
        """Read all fields; only asked for one that is not set yet."""
        if not isinstance(self, Session) or name not in Session.__slots__:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        claims = self._claims
        Session.__init__(
            self,
            id=text_claim(claims, "sid"),
            user_id=claims["sub"],
            status=text_claim(claims, "sts"),
            actor=actor_of(claims),
            last_active_organization_id=organization_id_of(claims),
        )
        return getattr(self, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(_ReadLater):
    """A session of a user; what its source does not say is ``None``.

    A session token names ``id``, ``user_id``, ``status`` and ``actor``; Clerk's API knows the
    rest. Times are aware datetimes, ``raw`` is Clerk's own answer. What a token says is read when
    it is first asked for: few requests ask.
    """

    id: str | None
    user_id: str
    client_id: str | None = None
    status: str | None = None
    last_active_at: datetime | None = None
    expire_at: datetime | None = None
    abandon_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    actor: Mapping[str, Any] | None = None
    last_active_organization_id: str | None = None
    latest_activity: Mapping[str, Any] | None = None
    tasks: tuple[Any, ...] | None = None
    raw: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_claims(cls, claims: Claims) -> Session:
        """Make the session that a verified session token names."""
        session = object.__new__(cls)
        object.__setattr__(session, "_claims", claims)
        return session
