"""Users, sessions and organizations as people read them on pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..objects import identifiers
from .choices import PERSONAL, Account, Workplace

if TYPE_CHECKING:
    from ..instance import Instance
    from ..objects import Document

IDENTIFIERS = ("email_address", "username", "phone_number", "web3_wallet")


def name_of(user: Document) -> str:
    """Return what a user is called: the name, else an identifier, else the id."""
    name = " ".join(filter(None, (user["first_name"], user["last_name"])))
    return name or str(
        next(iter([*identifiers(user, "username"), *identifiers_of(user)]), user["id"])
    )


def identifiers_of(user: Document) -> list[str]:
    """Return what a user may be known by, the email addresses first."""
    return [text for kind in IDENTIFIERS for text in identifiers(user, kind)]


def account_of(instance: Instance, session: Document, current: Document | None) -> Account:
    """Return a session as a choice; ``current`` is the one that applications get."""
    user = instance.user(session["user_id"])
    name = name_of(user)
    active = instance.active_membership(session)
    return Account(
        session_id=session["id"],
        name=name,
        address=next((text for text in identifiers_of(user) if text != name), ""),
        organization=_organization_name(instance, active) if active else "",
        has_choice=bool(instance.memberships(user_id=user["id"])),
        is_current=current is not None and session["id"] == current["id"],
    )


def workplaces_of(instance: Instance, session: Document) -> list[Workplace]:
    """Return what a session may be used for: the personal account, and each organization."""
    active = session["last_active_organization_id"]
    personal = Workplace(id="", name=PERSONAL, is_active=active is None)
    memberships = instance.memberships(user_id=session["user_id"])
    return [personal, *(_workplace(instance, one, active) for one in memberships)]


def _workplace(instance: Instance, membership: Document, active: str | None) -> Workplace:
    return Workplace(
        id=membership["organization_id"],
        name=_organization_name(instance, membership),
        role=instance.role(membership["role"])["name"],
        is_active=membership["organization_id"] == active,
    )


def _organization_name(instance: Instance, membership: Document) -> str:
    return str(instance.organization(membership["organization_id"])["name"])
