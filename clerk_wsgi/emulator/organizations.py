"""Organizations, their members and roles, and what users and organizations may use.

Roles are named ``org:…``, permissions ``org:<feature>:<action>``; those of Clerk itself
(``org:sys_…``) are never in a token. docs/protocol.md, "Session token".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .directory import Directory
from .errors import NotFound
from .objects import identifiers, new_membership, new_organization, new_role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .objects import Document

ADMIN, MEMBER = "org:admin", "org:member"
# What Clerk itself lets them do; ``create_role`` replaces it.
_ROLES = {
    ADMIN: [
        "org:sys_profile:manage",
        "org:sys_profile:delete",
        "org:sys_memberships:read",
        "org:sys_memberships:manage",
        "org:sys_domains:read",
        "org:sys_domains:manage",
    ],
    MEMBER: ["org:sys_memberships:read"],
}
_ROLE = re.compile(r"org:[a-z0-9_]+")
_PERMISSION = re.compile(r"org:[a-z0-9_-]+:[a-z0-9_-]+")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# A comma or a colon would take a claim of session tokens apart.
_ENTITLEMENT = re.compile(r"[a-z0-9_-]+")


class OrganizationDirectory(Directory):
    """A directory with organizations in it.

    Unknown ids raise ``NotFound``, texts that Clerk would not take a ``ValueError``.
    """

    # Organizations

    def create_organization(self, name: str, *, slug: str | None = None, **fields: Any) -> Document:
        """Return a new organization without members; ``fields`` are Clerk's.

        Without a ``slug`` it gets one that is made of its name.
        """
        with self._store.transaction():
            slug = self._free_slug(name) if slug is None else self._checked_slug(slug)
            created = new_organization(self.milliseconds(), name, slug, **fields)
            if self._store.get("organization", created["id"]):
                raise ValueError(f"there is an organization {created['id']!r} already")
            self._store.put(created)
        return created

    def organization(self, id_or_slug: str) -> Document:
        """Return an organization, or raise ``NotFound``."""
        known = self._store.get("organization", id_or_slug)
        found = [known] if known else self._store.find("organization", slug=id_or_slug)
        return found[0] if found else self._find("organization", id_or_slug)

    def organizations(self) -> list[Document]:
        """Return all organizations, oldest first."""
        return self._store.find("organization")

    def update_organization(self, organization_id: str, **fields: Any) -> Document:
        """Replace fields of an organization, and return it as it is then."""
        with self._store.transaction():
            before = self._find("organization", organization_id)
            if fields.get("slug", before["slug"]) != before["slug"]:
                self._checked_slug(fields["slug"])
            return self._update("organization", organization_id, fields)

    def delete_organization(self, organization_id: str) -> None:
        """Forget an organization and who was in it; no session has it active any more."""
        with self._store.transaction():
            self._find("organization", organization_id)
            for membership in self.memberships(organization_id=organization_id):
                self._store.delete("organization_membership", membership["id"])
            self._deactivate(organization_id)
            self._store.delete("entitlements", organization_id)
            self._store.delete("organization", organization_id)

    # Roles

    def create_role(
        self, key: str, permissions: Iterable[str] = (), *, name: str | None = None
    ) -> Document:
        """Return a role, new or with new permissions; ``org:admin`` and ``org:member`` exist."""
        granted = list(permissions)
        if not _ROLE.fullmatch(key):
            raise ValueError(f"{key!r} is not the key of a role, such as org:billing")
        for permission in granted:
            if not _PERMISSION.fullmatch(permission):
                raise ValueError(f"{permission!r} is no permission, such as org:invoices:read")
        role = new_role(self.milliseconds(), key, name or _name_of(key), granted)
        self._store.put(role)
        return role

    def role(self, key: str) -> Document:
        """Return a role by its key, or raise ``NotFound``."""
        known = self._store.get("role", key)
        if known is None and key in _ROLES:
            return new_role(0, key, _name_of(key), list(_ROLES[key]))
        return known or self._find("role", key)

    def roles(self) -> list[Document]:
        """Return all roles, Clerk's own two first."""
        created = [one for one in self._store.find("role") if one["key"] not in _ROLES]
        return [*map(self.role, _ROLES), *created]

    # Members

    def delete_user(self, user_id: str) -> None:
        """Forget a user, who is a member of nothing then; the sessions stay, and are over."""
        with self._store.transaction():
            for membership in self.memberships(user_id=user_id):
                self.remove_member(membership["organization_id"], user_id)
            super().delete_user(user_id)

    def add_member(self, organization_id: str, user_id: str, role: str = MEMBER) -> Document:
        """Return the membership of a user who was none before; ``ValueError`` if it was."""
        with self._store.transaction():
            self.user(user_id)
            self._find("organization", organization_id)
            self.role(role)
            if self.memberships(organization_id=organization_id, user_id=user_id):
                raise ValueError(f"{user_id} is a member of {organization_id} already")
            created = new_membership(self.milliseconds(), organization_id, user_id, role)
            self._store.put(created)
            self._count_members(organization_id)
        return created

    def membership(self, organization_id: str, user_id: str) -> Document:
        """Return the membership of a user, or raise ``NotFound``."""
        found = self.memberships(organization_id=organization_id, user_id=user_id)
        if not found:
            raise NotFound(f"{user_id!r} is no member of {organization_id!r}")
        return found[0]

    def memberships(self, **fields: str) -> list[Document]:
        """Return memberships by ``user_id``, ``organization_id`` and ``role``, oldest first."""
        return self._store.find("organization_membership", **fields)

    def update_membership(self, organization_id: str, user_id: str, **fields: Any) -> Document:
        """Replace fields of a membership (``role``, …), and return it as it is then."""
        with self._store.transaction():
            membership = self.membership(organization_id, user_id)
            self.role(fields.get("role", MEMBER))
            return self._update("organization_membership", membership["id"], fields)

    def remove_member(self, organization_id: str, user_id: str) -> None:
        """Let a user leave; the user's sessions have no such organization any more."""
        with self._store.transaction():
            membership = self.membership(organization_id, user_id)
            self._store.delete("organization_membership", membership["id"])
            self._count_members(organization_id)
            self._deactivate(organization_id, user_id=user_id)

    def activate_organization(self, session_id: str, organization_id: str | None) -> Document:
        """Return a session with this organization active, ``None`` for the personal account.

        One that has it already stays as it is. Raises ``NotFound`` unless the user is a member.
        """
        with self._store.transaction():
            session = self.session(session_id)
            if organization_id is not None:
                self.membership(organization_id, session["user_id"])
            if session["last_active_organization_id"] == organization_id:
                return session
            return self.update_session(session_id, last_active_organization_id=organization_id)

    def active_membership(self, session: Document) -> Document | None:
        """Return the membership that a session is used with, if any."""
        active = session["last_active_organization_id"]
        if active is None:
            return None
        found = self.memberships(organization_id=active, user_id=session["user_id"])
        return found[0] if found else None

    def shown_membership(self, membership: Document) -> Document:
        """Return a membership as the Backend API shows it: with the organization and the person.

        Private metadata are in it, which no browser may see.
        """
        role = self.role(membership["role"])
        return {
            **{name: value for name, value in membership.items() if not name.endswith("_id")},
            "role_name": role["name"],
            "permissions": role["permissions"],
            "organization": self._find("organization", membership["organization_id"]),
            "public_user_data": public_user_data(self.user(membership["user_id"])),
        }

    # What may be used

    def set_entitlements(
        self, owner_id: str, *, plan: str | None = None, features: Iterable[str] = ()
    ) -> None:
        """Say which plan and features a user or an organization has, none by default.

        Both are named by slugs, such as ``gold`` and ``priority_support``.
        """
        named = list(dict.fromkeys(features))
        for slug in named if plan is None else [plan, *named]:
            if not _ENTITLEMENT.fullmatch(slug):
                raise ValueError(f"{slug!r} is no slug of a plan or feature, such as gold")
        with self._store.transaction():
            if self._store.get("user", owner_id) is None:
                self._find("organization", owner_id)
            entitled = {"plan": plan, "features": named}
            self._store.put({"object": "entitlements", "id": owner_id, **entitled})

    def entitlements(self, owner_id: str) -> tuple[str | None, list[str]]:
        """Return the plan and the features of a user or an organization."""
        known = self._store.get("entitlements", owner_id)
        return (known["plan"], known["features"]) if known else (None, [])

    def _deactivate(self, organization_id: str, **fields: str) -> None:
        for session in self.sessions(last_active_organization_id=organization_id, **fields):
            self.update_session(session["id"], last_active_organization_id=None)

    def _count_members(self, organization_id: str) -> None:
        count = len(self.memberships(organization_id=organization_id))
        organization = self._find("organization", organization_id)
        self._store.put({**organization, "members_count": count})  # which does not update it

    def _checked_slug(self, slug: str) -> str:
        if not _SLUG.fullmatch(slug):
            raise ValueError(f"{slug!r} is no slug, such as analytical-society")
        if self._store.find("organization", slug=slug):
            raise ValueError(f"the slug {slug!r} is taken")
        return slug

    def _free_slug(self, name: str) -> str:
        """Return a slug like a name, with a number if it is taken."""
        words = "-".join(re.findall("[a-z0-9]+", name.lower())) or "organization"
        taken = {one["slug"] for one in self.organizations()}
        if words not in taken:
            return words
        numbers = range(2, len(taken) + 3)
        return next(f"{words}-{n}" for n in numbers if f"{words}-{n}" not in taken)


_PUBLIC = (
    "first_name",
    "last_name",
    "image_url",
    "profile_image_url",
    "has_image",
    "username",
    "banned",
)


def public_user_data(user: Document) -> Document:
    """Return what members of an organization may know of each other."""
    known = [*identifiers(user, "email_address"), *identifiers(user, "username")]
    return {
        **{name: user[name] for name in _PUBLIC},
        "identifier": next(iter(known), user["id"]),
        "user_id": user["id"],
    }


def _name_of(key: str) -> str:
    return key.removeprefix("org:").replace("_", " ").capitalize()
