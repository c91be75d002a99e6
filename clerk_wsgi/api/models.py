"""How objects of Clerk's API are read: sessions, clients, users, organizations, memberships.

They are read tolerantly. A member that is missing or odd is ``None`` (or empty), one that is not
known here stays in ``raw``; only what is no such object at all raises.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from ..claims import Session
from ..errors import ClerkUnavailable
from ..models import Client, EmailAddress, Organization, OrganizationMembership, User

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "Client",
    "EmailAddress",
    "Organization",
    "OrganizationMembership",
    "User",
    "parse_client",
    "parse_membership",
    "parse_organization",
    "parse_session",
    "parse_time",
    "parse_user",
]

Document = dict[str, Any]
Model = TypeVar("Model")

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_END_OF_TIME = 253_402_300_800_000  # the year 10000 in milliseconds, where datetime ends
_OLDER_NAMES = {"sign_in_id": "sign_in_attempt_id", "sign_up_id": "sign_up_attempt_id"}
_SHORTEST_MILLISECONDS = 100_000_000_000  # 1973; as seconds the year 5138


def parse_session(document: object) -> Session:
    """Return a session of Clerk's API; ``ClerkUnavailable`` if the JSON is none."""
    return _parse(Session, document, "session", "id", "user_id")


def parse_client(document: object) -> Client:
    """Return a client of Clerk's API; raises like ``parse_session``."""
    return _parse(Client, document, "client", "id")


def parse_user(document: object) -> User:
    """Return a user of Clerk's API; raises like ``parse_session``."""
    return _parse(User, document, "user", "id")


def parse_organization(document: object) -> Organization:
    """Return an organization of Clerk's API; raises like ``parse_session``."""
    return _parse(Organization, document, "organization", "id")


def parse_membership(document: object) -> OrganizationMembership:
    """Return a membership of an organization; raises like ``parse_session``."""
    return _parse(OrganizationMembership, document, "organization_membership", "id")


def _parse_email_address(document: object) -> EmailAddress:
    return _parse(EmailAddress, document, "email_address", "id")


def _parse(model: Callable[..., Model], document: object, kind: str, *required: str) -> Model:
    """Read each field of a model in the way of its type."""
    if not isinstance(document, dict) or document.get("object", kind) != kind:
        raise ClerkUnavailable(f"Clerk's answer is no {kind}.")
    if not all(_text(document.get(name)) for name in required):
        raise ClerkUnavailable(f"Clerk's answer is no whole {kind}: no {' or '.join(required)}.")
    declared: Any = model
    values = {
        each.name: _READERS[each.type](_member(document, each.name))
        for each in fields(declared)
        if each.name != "raw"
    }
    return model(**values, raw=document)


def _member(document: Document, name: str) -> object:
    return document.get(name if name in document else _OLDER_NAMES.get(name, name))


# ---- one member of an object, whatever it holds ----


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parse_time(value: object) -> datetime | None:
    """Return a Unix time in milliseconds, or in seconds if it is too small for those."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 0 < value < _END_OF_TIME:
        return None
    return _EPOCH + timedelta(
        milliseconds=int(value if value >= _SHORTEST_MILLISECONDS else value * 1000)
    )


def _mapping(value: object) -> Document | None:
    return value if isinstance(value, dict) else None


def _members(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _one(parse: Callable[[object], Model]) -> Callable[[object], Model | None]:
    """Return a reader of an object; ``None`` for what is no such object."""

    def read(value: object) -> Model | None:
        try:
            return parse(value)
        except ClerkUnavailable:
            return None

    return read


def _each(parse: Callable[[object], Model]) -> Callable[[object], tuple[Model, ...]]:
    """Return a reader of an array that leaves out what is no such object."""
    read_one = _one(parse)

    def read(value: object) -> tuple[Model, ...]:
        found = map(read_one, _members(value))
        return tuple(one for one in found if one is not None)

    return read


_READERS: Mapping[Any, Callable[[object], Any]] = {
    "str": _text,
    "str | None": _text,
    "bool | None": _flag,
    "int | None": _whole,
    "datetime | None": parse_time,
    "Mapping[str, Any]": lambda value: _mapping(value) or {},
    "Mapping[str, Any] | None": _mapping,
    "tuple[str, ...]": lambda value: tuple(filter(_text, _members(value))),
    "tuple[Any, ...] | None": lambda value: tuple(value) if isinstance(value, list) else None,
    "tuple[Mapping[str, Any], ...]": lambda value: tuple(
        member for member in _members(value) if isinstance(member, dict)
    ),
    "tuple[Session, ...]": _each(parse_session),
    "tuple[EmailAddress, ...]": _each(_parse_email_address),
    "Organization | None": _one(parse_organization),
}
