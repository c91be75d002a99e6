"""What is in a local Clerk, and what it was asked lately: for people, without any secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, TypeVar

from ...address import encode_path
from ...settings import parse_publishable_key
from ..store import IN_MEMORY
from .accounts import identifiers_of, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..app import Emulator, RecordedRequest
    from ..faults import Failure, RateLimit
    from ..objects import Document

SHOWN = 50  # of each kind
LONGEST_PATH = 120

# What should not be in a path, and is if a client errs: keys, tickets, and tokens of every kind.
_SECRET = re.compile(
    r"(sk_(?:test|live)_)[A-Za-z0-9._-]+|((?:dvb|rft|tkt|ak|mt|oat)_|eyJ)[A-Za-z0-9._-]{16,}"
)

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt(Generic[Row]):
    """Some of the objects of a kind, and how many there are in all."""

    rows: Sequence[Row]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """A user; ``marks`` are what bars the way in. Times are Unix milliseconds."""

    id: str
    name: str
    identifiers: Sequence[str]
    marks: Sequence[str]
    last_sign_in_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session; ``organization`` is the active one, ``""`` for the personal account."""

    id: str
    user: str
    status: str
    organization: str
    client_id: str
    expire_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationRow:
    """An organization."""

    id: str
    name: str
    slug: str
    members: int
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A request; ``status`` is 0 if the connection was reset."""

    method: str
    path: str
    status: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything at the time ``at`` (Unix milliseconds); ``settings`` are texts by their label."""

    at: int
    settings: Sequence[tuple[str, str]]
    faults: Sequence[str]
    users: Excerpt[UserRow]
    sessions: Excerpt[SessionRow]
    organizations: Excerpt[OrganizationRow]
    requests: Excerpt[RequestRow]


def overview_of(emulator: Emulator, url: str) -> Overview:
    """Return what is in a local Clerk that is reached at ``url``: of everything some, and a count.

    Users and organizations are the first ones, sessions and requests the latest.
    """
    store = emulator._store
    users, organizations = store.first("user", SHOWN), store.first("organization", SHOWN)
    sessions = [_session(emulator, one) for one in store.latest("session", SHOWN)]
    requests = emulator.requests
    return Overview(
        at=emulator.milliseconds(),
        settings=list(_settings(emulator, url)),
        faults=list(_faults(emulator)),
        users=Excerpt(rows=list(map(_user, users)), total=store.count("user")),
        sessions=Excerpt(rows=sessions, total=store.count("session")),
        organizations=Excerpt(
            rows=list(map(_organization, organizations)), total=store.count("organization")
        ),
        requests=Excerpt(
            rows=[_request(one) for one in reversed(requests[-SHOWN:])], total=len(requests)
        ),
    )


def _settings(emulator: Emulator, url: str) -> Iterator[tuple[str, str]]:
    key = parse_publishable_key(emulator.publishable_key)
    yield "URL", url
    yield "Publishable key", emulator.publishable_key
    yield "Instance type", key.instance_type
    yield "Issuer", emulator.issuer
    yield "Signing key", emulator.kid
    yield "Token lifetime", f"{emulator.token_lifetime} seconds"
    yield "State", "in memory" if emulator.state == IN_MEMORY else emulator.state


def _faults(emulator: Emulator) -> Iterator[str]:
    if emulator.faults.latency:
        yield f"Every request waits {emulator.faults.latency:g} seconds."
    yield from map(_failure, emulator.faults.failures)
    yield from map(_limit, emulator.faults.limits)


def _failure(failure: Failure) -> str:
    share = "Every request" if failure.rate == 1 else f"{failure.rate * 100:g} % of the requests"
    where = "" if failure.prefix == "/" else f" to {failure.prefix}…"
    what = "reset" if failure.status is None else f"answered {_status_text(failure.status)}"
    return f"{share}{where} {'is' if failure.rate == 1 else 'are'} {what}."


def _limit(limit: RateLimit) -> str:
    where = "" if limit.prefix == "/" else f" to {limit.prefix}…"
    return f"Of the requests{where}, {limit.requests} pass in {limit.seconds:g} seconds."


def _status_text(status: int) -> str:
    known = {one.value: one.phrase for one in HTTPStatus}
    return f"{status} {known.get(status, '')}".strip()


def _user(user: Document) -> UserRow:
    return UserRow(
        id=user["id"],
        name=name_of(user),
        identifiers=identifiers_of(user),
        marks=[mark for mark in ("banned", "locked") if user[mark]],
        last_sign_in_at=user["last_sign_in_at"],
    )


def _session(emulator: Emulator, kept: Document) -> SessionRow:
    session = emulator._present(kept)
    user = emulator._store.get("user", session["user_id"])
    active = session["last_active_organization_id"]
    organization = emulator._store.get("organization", active) if active else None
    return SessionRow(
        id=session["id"],
        user=name_of(user) if user else "a deleted user",
        status=session["status"],
        organization=organization["name"] if organization else "",
        client_id=session["client_id"],
        expire_at=session["expire_at"],
    )


def _organization(organization: Document) -> OrganizationRow:
    return OrganizationRow(
        id=organization["id"],
        name=organization["name"],
        slug=organization["slug"],
        members=organization["members_count"],
        created_at=organization["created_at"],
    )


def _request(request: RecordedRequest) -> RequestRow:
    return RequestRow(
        method=request.method,
        path=_shown_path(request.path),
        status=request.status,
        at=int(request.time * 1000),
    )


def _shown_path(path: str) -> str:
    """Return a path of a WSGI environ as it is shown: encoded, short, and with no secret in it."""
    shown = _SECRET.sub(r"\1\2…", encode_path(path))
    return shown if len(shown) <= LONGEST_PATH else f"{shown[:LONGEST_PATH]}…"
