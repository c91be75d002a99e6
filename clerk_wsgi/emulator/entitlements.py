"""What a session token says of an organization, of features and of plans; no store here.

docs/protocol.md, "Session token": features carry the scope that they are had in (``u``, ``o`` or
``uo``), and permissions are bits, one mask for each feature of the organization.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitled:
    """What a user or an organization has."""

    plan: str | None = None
    features: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The active organization, and what its member may do there."""

    organization: Mapping[str, Any]
    role: str
    permissions: Sequence[str] = ()
    entitled: Entitled = field(default_factory=Entitled)


def entitlement_claims(user: Entitled, membership: Membership | None) -> dict[str, Any]:
    """Return the claims ``fea``, ``pla`` and ``o``, those without content left out."""
    granted = _granted(membership)
    ours = membership.entitled if membership else Entitled()
    of_organization = list(dict.fromkeys([*ours.features, *(name for name, _ in granted)]))
    claims = {
        "fea": _scoped(user.features, of_organization),
        "pla": _scoped(_one(user.plan), _one(ours.plan)),
        "o": _organization(membership, of_organization, granted),
    }
    return {name: value for name, value in claims.items() if value}


def _granted(membership: Membership | None) -> list[tuple[str, str]]:
    """Return pairs of feature and action; Clerk's own permissions are in no token."""
    permissions = membership.permissions if membership else ()
    split = (permission.removeprefix("org:").partition(":") for permission in permissions)
    return [(feature, action) for feature, _, action in split if not feature.startswith("sys_")]


def _organization(
    membership: Membership | None, features: Sequence[str], granted: Sequence[tuple[str, str]]
) -> dict[str, str]:
    if membership is None:
        return {}
    named = {
        "id": membership.organization["id"],
        "slg": membership.organization["slug"],
        "rol": membership.role.removeprefix("org:"),
    }
    if not granted:
        return named
    actions = list(dict.fromkeys(action for _, action in granted))
    masks = [
        sum(1 << bit for bit, action in enumerate(actions) if (feature, action) in granted)
        for feature in features
    ]
    return {**named, "per": ",".join(actions), "fpm": ",".join(map(str, masks))}


def _scoped(of_user: Sequence[str], of_organization: Sequence[str]) -> str:
    """Return a list of slugs with scopes; the organization's keep their order."""
    shared = [f"{'uo' if slug in of_user else 'o'}:{slug}" for slug in of_organization]
    own = [f"u:{slug}" for slug in of_user if slug not in of_organization]
    return ",".join([*shared, *own])


def _one(plan: str | None) -> list[str]:
    return [] if plan is None else [plan]
