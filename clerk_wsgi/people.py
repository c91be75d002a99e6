"""Who is asking, in full: the user and the organization of a request, as Clerk's API knows them.

A session token says little more than their ids. What else there is to know is fetched when an
application first asks for it, and may be kept for some seconds. Only ids out of a token that was
verified come here: nobody can have us ask about ids of their choice.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .api.models import parse_organization, parse_user
from .errors import ClerkUnavailable
from .remembering import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .api.client import ApiClient
    from .models import Organization, User

SIZE = 1024  # users, and as many organizations
LONGEST_KEPT = 65_536  # characters of one answer; Clerk's are some thousand


class _Fetched(Protocol):
    """An object that was read from an answer of Clerk's, which it still holds."""

    @property
    def id(self) -> str: ...
    @property
    def raw(self) -> Mapping[str, Any]: ...


Found = TypeVar("Found", bound=_Fetched)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer as text: whoever gets it reads it anew, and changes it for nobody else."""

    text: str
    until: float


class _Kind(Generic[Found]):
    """The objects of one kind; those that were fetched in the last ``ttl`` seconds are known.

    Threads need no lock: two that ask about the same at once both fetch it.
    """

    def __init__(
        self,
        name: str,
        fetch: Callable[[str], Found],
        parse: Callable[[object], Found],
        *,
        ttl: float,
        size: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._parse = parse
        self._ttl = ttl
        self._monotonic = monotonic
        self._kept: Memory[str, _Kept] = Memory(size)

    def find(self, wanted: str) -> Found:
        """Return the object with this id, for the caller alone."""
        if self._ttl <= 0:
            return self._ask(wanted)
        now = self._monotonic()
        kept = self._kept.recall(wanted)
        if kept is not None and now < kept.until:
            return self._parse(json.loads(kept.text))
        found = self._ask(wanted)
        self._keep(found, now + self._ttl)  # an answer is no younger than its question
        return found

    def _ask(self, wanted: str) -> Found:
        found = self._fetch(wanted)
        if found.id != wanted:
            raise ClerkUnavailable(
                f"Clerk's answer is another {self._name} than the one asked for."
            )
        return found

    def _keep(self, found: Found, until: float) -> None:
        text = json.dumps(found.raw)
        if len(text) <= LONGEST_KEPT:
            self._kept.note(found.id, _Kept(text, until))


class People:
    """The users and organizations of one instance; threads and forks may share it.

    ``fetch_user`` and ``fetch_organization`` return what Clerk has under an id. What they return
    is kept for ``ttl`` seconds of ``monotonic``, counted from when it was asked for: 0 keeps
    nothing. Of more than ``size`` users, and of as many organizations, those go that were asked
    for longest ago. What they raise is never kept, and a change that is made in the meantime,
    be it by this very application, is seen once ``ttl`` is over.
    """

    def __init__(
        self,
        fetch_user: Callable[[str], User],
        fetch_organization: Callable[[str], Organization],
        *,
        ttl: float = 0.0,
        size: int = SIZE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users = _Kind("user", fetch_user, parse_user, ttl=ttl, size=size, monotonic=monotonic)
        self._organizations = _Kind(
            "organization",
            fetch_organization,
            parse_organization,
            ttl=ttl,
            size=size,
            monotonic=monotonic,
        )

    @classmethod
    def of(
        cls,
        api: ApiClient,
        *,
        ttl: float = 0.0,
        size: int = SIZE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> People:
        """Return the people that Clerk's API knows, asked about while a request waits.

        So whoever is asked about is asked about once, within the instance's ``timeout``, as with
        everything else that a request waits for: with the tries of ``clerk.api`` a Clerk that is
        down would hold a request up three times as long. Each has a time limit of its own, since
        an application may want the organization long after it wanted the user.
        """

        def fetch_user(user_id: str) -> User:
            return api.for_request().users.get(user_id)

        def fetch_organization(organization_id: str) -> Organization:
            return api.for_request().organizations.get(organization_id)

        return cls(fetch_user, fetch_organization, ttl=ttl, size=size, monotonic=monotonic)

    def user(self, user_id: str) -> User:
        """Return a user, of whom the caller may change what can be changed.

        Raises ``ApiError`` if Clerk refuses (404: there is none, or none any longer),
        ``ClerkUnavailable`` if it gives no answer or that of another user, ``ValueError`` for
        what cannot be an id, and ``ConfigurationError`` without a secret key.
        """
        return self._users.find(user_id)

    def organization(self, organization_id: str) -> Organization:
        """Return an organization by its id; a slug will not do. Raises like ``user``."""
        return self._organizations.find(organization_id)


class Visitor:
    """The user and the organization of one request: fetched when first asked for, then the same.

    ``user_id`` and ``organization_id`` are those of the request's verified token, ``None`` where
    it names none. What ``People`` raises is raised each time that it is asked for anew. Threads
    of one request may share it: they get the same objects, fetched twice at most.
    """

    __slots__ = ("_found", "_organization_id", "_people", "_user_id")

    def __init__(self, people: People, *, user_id: str | None, organization_id: str | None) -> None:
        self._people = people
        self._user_id = user_id
        self._organization_id = organization_id
        self._found: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Visitor(user_id={self._user_id!r}, organization_id={self._organization_id!r})"

    @property
    def user(self) -> User | None:
        """The user, ``None`` if there is none."""
        return self._once("user", self._people.user, self._user_id)

    @property
    def organization(self) -> Organization | None:
        """The active organization, ``None`` if there is none."""
        return self._once("organization", self._people.organization, self._organization_id)

    def _once(self, kind: str, find: Callable[[str], Found], wanted: str | None) -> Found | None:
        if wanted is None:
            return None
        found: Found | None = self._found.get(kind)
        if found is None:
            found = self._found.setdefault(kind, find(wanted))  # a second thread gets the first's
        return found
