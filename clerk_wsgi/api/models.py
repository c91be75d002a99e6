"""Objects of Clerk's API as values: sessions, clients, users.

They are read tolerantly. A member that is missing or odd is ``None`` (or empty), one that is not
known here stays in ``raw``; only what is no such object at all raises. Times are aware datetimes.
Every object belongs to whoever asked for it: nothing in it is shared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from ..claims import Session
from ..errors import ClerkUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Document = dict[str, Any]
Model = TypeVar("Model")

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_END_OF_TIME = 253_402_300_800_000  # the year 10000 in milliseconds, where datetime ends
_OLDER_NAMES = {"sign_in_id": "sign_in_attempt_id", "sign_up_id": "sign_up_attempt_id"}
_SHORTEST_MILLISECONDS = 100_000_000_000  # 1973; as seconds the year 5138


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A device of a user, with the sessions on it; ``raw`` is Clerk's own answer."""

    id: str
    session_ids: tuple[str, ...] = ()
    sessions: tuple[Session, ...] = ()
    sign_in_id: str | None = None
    sign_up_id: str | None = None
    last_active_session_id: str | None = None
    last_authentication_strategy: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailAddress:
    """An email address of a user."""

    id: str
    email_address: str | None = None
    reserved: bool | None = None
    verification: Mapping[str, Any] | None = None
    linked_to: tuple[Mapping[str, Any], ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user; metadata are dicts, ``raw`` is Clerk's own answer.

    ``lockout_expires_in_seconds`` is in seconds.
    """

    id: str
    external_id: str | None = None
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    image_url: str | None = None
    profile_image_url: str | None = None
    has_image: bool | None = None
    primary_email_address_id: str | None = None
    primary_phone_number_id: str | None = None
    primary_web3_wallet_id: str | None = None
    email_addresses: tuple[EmailAddress, ...] = ()
    phone_numbers: tuple[Mapping[str, Any], ...] = ()
    web3_wallets: tuple[Mapping[str, Any], ...] = ()
    passkeys: tuple[Mapping[str, Any], ...] = ()
    external_accounts: tuple[Mapping[str, Any], ...] = ()
    saml_accounts: tuple[Mapping[str, Any], ...] = ()
    enterprise_accounts: tuple[Mapping[str, Any], ...] = ()
    public_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    private_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    unsafe_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    password_enabled: bool | None = None
    two_factor_enabled: bool | None = None
    totp_enabled: bool | None = None
    backup_code_enabled: bool | None = None
    banned: bool | None = None
    locked: bool | None = None
    delete_self_enabled: bool | None = None
    create_organization_enabled: bool | None = None
    create_organizations_limit: int | None = None
    lockout_expires_in_seconds: int | None = None
    verification_attempts_remaining: int | None = None
    mfa_enabled_at: datetime | None = None
    mfa_disabled_at: datetime | None = None
    last_sign_in_at: datetime | None = None
    last_active_at: datetime | None = None
    legal_accepted_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def primary_email_address(self) -> EmailAddress | None:
        """The address that ``primary_email_address_id`` names."""
        wanted = self.primary_email_address_id
        return next((each for each in self.email_addresses if each.id == wanted), None)


def parse_session(document: object) -> Session:
    """Return a session of Clerk's API; ``ClerkUnavailable`` if the JSON is none."""
    return _parse(Session, document, "session", "id", "user_id")


def parse_client(document: object) -> Client:
    """Return a client of Clerk's API; raises like ``parse_session``."""
    return _parse(Client, document, "client", "id")


def parse_user(document: object) -> User:
    """Return a user of Clerk's API; raises like ``parse_session``."""
    return _parse(User, document, "user", "id")


def _parse_email_address(document: object) -> EmailAddress:
    return _parse(EmailAddress, document, "email_address", "id")


def _parse(model: Callable[..., Model], document: object, kind: str, *required: str) -> Model:
    """Read each field of a model in the way of its type."""
    if not isinstance(document, dict) or document.get("object", kind) != kind:
        raise ClerkUnavailable(f"Clerk's answer is no {kind}.")
    if not all(_text(document.get(name)) for name in required):
        raise ClerkUnavailable(f"Clerk's answer is a {kind} without {' or '.join(required)}.")
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


def _each(parse: Callable[[object], Model]) -> Callable[[object], tuple[Model, ...]]:
    """Return a reader of an array that leaves out what is no such object."""

    def read(value: object) -> tuple[Model, ...]:
        found = []
        for member in _members(value):
            try:
                found.append(parse(member))
            except ClerkUnavailable:
                continue
        return tuple(found)

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
}
