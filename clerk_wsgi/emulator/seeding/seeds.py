"""Seeds: the users, organizations, roles and sessions that an instance is to have, from TOML.

Planting a seed again changes nothing but what has changed in it: an entry finds what it has made
before by id, email address, username, slug or key, and what it does not say stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import NotFound
from ..objects import identifiers, new_identification
from ..organizations import MEMBER
from .seed_file import Entry, Seed, read_seed, seed_from

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from ..objects import Document
    from ..organizations import OrganizationDirectory

__all__ = ["Entry", "Seed", "found_by", "load_seed", "read_seed", "seed_from", "seed_of"]

_IDENTIFYING = ("id", "email_address", "username")
_USER_FIELDS = (
    "username",
    "first_name",
    "last_name",
    "locked",
    "public_metadata",
    "private_metadata",
    "unsafe_metadata",
)
_ORGANIZATION_FIELDS = ("name", "slug", "public_metadata", "private_metadata")


def load_seed(instance: OrganizationDirectory, seed: Seed | str | os.PathLike[str]) -> Seed:
    """Let an instance have what a seed says, all of it or nothing, and return the seed.

    ``seed`` is the path of a file, or what ``seed_from`` has made of a text. Raises a
    ``SeedError`` that names file, table and key.
    """
    planted = seed_of(seed)
    with instance.transaction():
        planting = _Planting(instance)
        for role in planted.roles:
            planting.role(role)
        for user in planted.users:
            planting.user(user)
        for organization in planted.organizations:
            planting.organization(organization)
        for session in planted.sessions:
            planting.session(session)
    return planted


def seed_of(seed: Seed | str | os.PathLike[str]) -> Seed:
    """Return a seed that is one already, or the one in the file at this path."""
    return seed if isinstance(seed, Seed) else read_seed(seed)


def found_by(instance: OrganizationDirectory, entry: Entry) -> Document | None:
    """Return the user that an entry of ``users`` is about, by the first identifier that fits."""
    named = ((key, entry.values.get(key)) for key in _IDENTIFYING)
    found = (_user_with(instance, key, name) for key, name in named if name)
    return next(filter(None, found), None)


def _user_with(instance: OrganizationDirectory, key: str, name: str) -> Document | None:
    if key == "id":
        return next((user for user in instance.users() if user["id"] == name), None)
    for user in instance.users():
        if name.casefold() in map(str.casefold, identifiers(user, key)):
            return user
    return None


class _Planting:
    """One seed on its way into an instance."""

    def __init__(self, instance: OrganizationDirectory) -> None:
        self._instance = instance
        self._members: set[tuple[str, str]] = set()
        self._sessions: set[tuple[str, str | None]] = set()

    # Roles and users

    def role(self, entry: Entry) -> None:
        key = entry.values["key"]
        known = next((one for one in self._instance.roles() if one["key"] == key), None)
        before = {} if known is None else {name: known[name] for name in ("name", "permissions")}
        wanted = {**before, **entry.values}
        if known is None or wanted != {"key": key, **before}:
            self._instance.create_role(**wanted)

    def user(self, entry: Entry) -> None:
        said = entry.values
        fields = {name: said[name] for name in _USER_FIELDS if name in said}
        found = self._known_user(entry)
        if found is None:
            address = said.get("email_address")
            found = self._instance.create_user(email_address=address, **fields, **_id_of(entry))
        else:
            changed = _changed(found, {**fields, **self._addressed(found, said)})
            if changed:
                self._instance.update_user(found["id"], **changed)
        if "password" in said and not self._instance.has_password(found["id"], said["password"]):
            self._instance.set_password(found["id"], said["password"])
        self._entitle(found["id"], entry)

    def _known_user(self, entry: Entry) -> Document | None:
        """Return the one user that all identifiers of an entry belong to, as far as they do."""
        found: Document | None = None
        for key in _IDENTIFYING:
            named = entry.values.get(key)
            user = _user_with(self._instance, key, named) if named else None
            if user is None:
                continue
            if found is not None and user["id"] != found["id"]:
                text = f"expected one that nobody else has: {named!r} is {user['id']}"
                raise entry.error(key, f"{text}, not {found['id']}")
            found = user
        if found is not None and entry.values.get("id", found["id"]) != found["id"]:
            text = f"expected {found['id']!r}: the user exists with that id already"
            raise entry.error("id", text)
        return found

    def _addressed(self, user: Document, said: Mapping[str, Any]) -> Document:
        """Return what gives a user the address of an entry, nothing if it is known."""
        address = said.get("email_address")
        known = map(str.casefold, identifiers(user, "email_address"))
        if address is None or address in known:
            return {}
        made = new_identification("email_address", address, self._instance.milliseconds())
        return {"email_addresses": [made], "primary_email_address_id": made["id"]}

    # Organizations

    def organization(self, entry: Entry) -> None:
        said = entry.values
        fields = {name: said[name] for name in _ORGANIZATION_FIELDS if name in said}
        found = self._known_organization(entry)
        if found is None:
            found = self._instance.create_organization(**fields, **_id_of(entry))
        else:
            changed = _changed(found, fields)
            if changed:
                self._instance.update_organization(found["id"], **changed)
        self._entitle(found["id"], entry)
        for member in said.get("members", ()):
            self._member(found["id"], member)

    def _known_organization(self, entry: Entry) -> Document | None:
        organization_id, slug = entry.values.get("id"), entry.values["slug"]
        known = self._instance.organizations()
        by_id = next((one for one in known if one["id"] == organization_id), None)
        by_slug = next((one for one in known if one["slug"] == slug), None)
        if by_slug is None or by_slug["id"] == (organization_id or by_slug["id"]):
            return by_id or by_slug
        if by_id is not None:
            text = f"expected one that no other organization has: {slug!r} is {by_slug['id']}"
            raise entry.error("slug", text)
        text = f"expected {by_slug['id']!r}: the organization exists with that id already"
        raise entry.error("id", text)

    def _member(self, organization_id: str, entry: Entry) -> None:
        user_id = self._user_id(entry)
        if (organization_id, user_id) in self._members:
            raise entry.error("user", "expected each user once")
        self._members.add((organization_id, user_id))
        role = entry.values.get("role", MEMBER)
        self._check_role(entry, role)
        known = self._instance.memberships(organization_id=organization_id, user_id=user_id)
        if not known:
            self._instance.add_member(organization_id, user_id, role)
        elif "role" in entry.values and known[0]["role"] != role:
            self._instance.update_membership(organization_id, user_id, role=role)

    def _check_role(self, entry: Entry, role: str) -> None:
        known = [one["key"] for one in self._instance.roles()]
        if role not in known:
            raise entry.error("role", f"expected one of {', '.join(known)}, not {role!r}")

    # Sessions

    def session(self, entry: Entry) -> None:
        user_id = self._user_id(entry)
        organization_id = self._organization_id(entry, user_id)
        wanted = {"user_id": user_id, "last_active_organization_id": organization_id}
        if (user_id, organization_id) in self._sessions:
            raise entry.error("user", "expected each user once with an organization, once without")
        self._sessions.add((user_id, organization_id))
        if not self._instance.sessions(status="active", **wanted):
            started = self._instance.create_session(user_id)
            self._instance.activate_organization(started["id"], organization_id)

    def _organization_id(self, entry: Entry, user_id: str) -> str | None:
        named = entry.values.get("organization")
        if named is None:
            return None
        try:
            organization = self._instance.organization(named)
            self._instance.membership(organization["id"], user_id)
        except NotFound:
            text = f"expected an organization that the user is a member of, not {named!r}"
            raise entry.error("organization", text) from None
        return str(organization["id"])

    # What several of them need

    def _user_id(self, entry: Entry) -> str:
        name = entry.values["user"]
        found = (_user_with(self._instance, key, name) for key in _IDENTIFYING)
        user = next(filter(None, found), None)
        if user is None:
            text = "expected the email address, username or id of a user that there is"
            raise entry.error("user", f"{text}, not {name!r}")
        return str(user["id"])

    def _entitle(self, owner_id: str, entry: Entry) -> None:
        plan, features = self._instance.entitlements(owner_id)
        before = {"plan": plan, "features": features}
        wanted = {name: entry.values.get(name, before[name]) for name in before}
        if wanted != before:
            self._instance.set_entitlements(owner_id, **wanted)


def _id_of(entry: Entry) -> Document:
    return {"id": entry.values["id"]} if "id" in entry.values else {}


def _changed(known: Document, fields: Document) -> Document:
    return {name: value for name, value in fields.items() if known[name] != value}
