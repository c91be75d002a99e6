"""Who can sign in to an instance with a password that is no secret: for whoever starts one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..hosted.accounts import identifiers_of, name_of
from ..instance import DEMO_PASSWORD
from .seeds import found_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..instance import Instance
    from ..objects import Document

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAccount:
    """Somebody, and what to enter; ``memberships`` are roles with the slugs of organizations."""

    user_id: str
    name: str
    identifier: str
    password: str
    memberships: tuple[str, ...] = ()

    @property
    def credentials(self) -> str:
        """What to enter, in words."""
        return f"{self.identifier}, password {self.password}"


def known_accounts(instance: Instance) -> list[KnownAccount]:
    """Return the users that can sign in with the seed's passwords, as far as those still count.

    Without a seed that is the first user, unless the password was changed.
    """
    return [
        _account(instance, user, password)
        for user, password in _told(instance)
        if _may_sign_in(user) and instance.has_password(user["id"], password)
    ]


def lines_about(accounts: Sequence[KnownAccount]) -> list[str]:
    """Return a line about each, for terminals: not too many, in columns, and nothing but text."""
    shown = accounts[:_SHOWN]
    width = max((len(one.credentials) for one in shown), default=0)
    lines = [
        f"{one.credentials:{width}}  {', '.join((one.name, *one.memberships))}" for one in shown
    ]
    more = len(accounts) - len(shown)
    return [*map(_printable, lines), *([f"and {more} more"] if more else [])]


def usable_session_id(instance: Instance) -> str | None:
    """Return an active session to show tokens of, a new one if need be; ``None`` without users."""
    active = instance.sessions(status="active")
    if active:
        return str(active[0]["id"])
    users = [user for user in instance.users() if not (user["locked"] or user["banned"])]
    return str(instance.create_session(users[0]["id"])["id"]) if users else None


def _printable(text: str) -> str:
    """Return a text in which nothing can steer a terminal: an application may have named users."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def _may_sign_in(user: Document) -> bool:
    return bool(identifiers_of(user)) and not (user["locked"] or user["banned"])


def _told(instance: Instance) -> Iterator[tuple[Document, str]]:
    """Return users with the passwords that everybody may know."""
    if instance.seed is None:
        yield from ((user, DEMO_PASSWORD) for user in instance.users()[:1])
        return
    for entry in instance.seed.users:
        user = found_by(instance, entry)
        if user is not None and "password" in entry.values:
            yield user, entry.values["password"]


def _account(instance: Instance, user: Document, password: str) -> KnownAccount:
    memberships = instance.memberships(user_id=user["id"])
    slugs = (instance.organization(one["organization_id"])["slug"] for one in memberships)
    roles = [_role_of(one, slug) for one, slug in zip(memberships, slugs, strict=True)]
    return KnownAccount(
        user_id=user["id"],
        name=name_of(user),
        identifier=identifiers_of(user)[0],
        password=password,
        memberships=tuple(roles),
    )


def _role_of(membership: Document, slug: str) -> str:
    return f"{membership['role'].removeprefix('org:')} of {slug}"
