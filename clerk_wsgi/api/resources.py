"""``sessions``, ``clients`` and ``users``: what applications ask Clerk's API about them.

Every method raises ``ApiError`` if Clerk answers with an error, ``ClerkUnavailable`` if it does
not answer, or with something else than was asked for, and ``ValueError`` for an id that cannot be
one, before anything is sent. Arguments that are ``None`` are not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from ..errors import ClerkUnavailable
from .models import parse_client, parse_session, parse_user
from .resource import Resource, given, known, safe_id, safe_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from typing_extensions import Unpack

    from ..claims import Session
    from .models import Client, User


class SessionsApi(Resource):
    """The sessions of an instance."""

    def list(
        self,
        *,
        client_id: str | None = None,
        user_id: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> Iterator[Session]:
        """Return an iterator over sessions, newest first; pages are fetched as it goes on.

        Clerk wants a ``client_id`` or a ``user_id``. ``limit`` is for the whole list.
        """
        query = {
            "client_id": None if client_id is None else safe_id("client_id", client_id),
            "user_id": None if user_id is None else safe_id("user_id", user_id),
            "status": status,
        }
        return self._paged("/sessions", parse_session, query, limit, offset)

    def get(self, session_id: str) -> Session:
        """Return a session, whatever its status."""
        return parse_session(self._api().request("GET", _session_path(session_id)))

    def verify_session(self, session_id: str, token: str) -> Session:
        """Return the session if it is active and ``token`` is a valid token of it.

        ``token`` is what the ``__session`` cookie holds. An ``ApiError`` says why not: 400 for
        the token, 401 for a session that is not active, 404 for one that there is not. For it is
        part of a request: nothing is tried twice, and all of it takes ``timeout`` at most.
        """
        asked = safe_id("session_id", session_id), safe_token(token)
        return self._api().for_request().verify_session(*asked)

    def revoke(self, session_id: str) -> Session:
        """End a session, and return it."""
        return parse_session(self._api().request("POST", f"{_session_path(session_id)}/revoke"))

    def create(self, user_id: str, active_organization_id: str | None = None) -> Session:
        """Start a session of a user; Clerk does this in test instances only."""
        body = given(
            user_id=safe_id("user_id", user_id), active_organization_id=active_organization_id
        )
        return parse_session(self._api().request("POST", "/sessions", json=body))

    def get_token(
        self,
        session_id: str,
        template: str | None = None,
        expires_in_seconds: int | None = None,
    ) -> str:
        """Return a new token of a session, of a template if one is named."""
        path = f"{_session_path(session_id)}/tokens"
        if template is not None:
            path += f"/{safe_id('template', template)}"
        body = given(expires_in_seconds=expires_in_seconds)
        answer = self._api().request("POST", path, json=body)
        token = answer.get("jwt") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise ClerkUnavailable("Clerk's answer is no token.")
        return token


class ClientsApi(Resource):
    """The clients of an instance: browsers and devices."""

    def list(self, *, limit: int | None = None, offset: int = 0) -> Iterator[Client]:
        """Return an iterator over clients; Clerk may answer 410, as this is deprecated."""
        return self._paged("/clients", parse_client, {}, limit, offset)

    def get(self, client_id: str) -> Client:
        """Return a client."""
        path = f"/clients/{safe_id('client_id', client_id)}"
        return parse_client(self._api().request("GET", path))

    def verify_client(self, token: str) -> Client:
        """Return the client that a client token stands for.

        ``last_active_session_id`` names its last active session. Tried once, within ``timeout``.
        """
        body = {"token": safe_token(token)}
        answer = self._api().for_request().request("POST", "/clients/verify", json=body)
        return parse_client(answer)


class PersonFilters(TypedDict, total=False):
    """What people can be selected by wherever they are listed.

    Sequences mean any of their members, times are aware.
    """

    user_id: str | Sequence[str] | None
    email_address: str | Sequence[str] | None
    phone_number: str | Sequence[str] | None
    username: str | Sequence[str] | None
    web3_wallet: str | Sequence[str] | None
    query: str | None
    email_address_query: str | None
    phone_number_query: str | None
    username_query: str | None
    name_query: str | None
    created_at_before: datetime | int | None
    created_at_after: datetime | int | None
    last_active_at_before: datetime | int | None
    last_active_at_after: datetime | int | None


class UserFilters(PersonFilters, total=False):
    """What users can be selected by."""

    external_id: str | Sequence[str] | None
    organization_id: str | Sequence[str] | None
    banned: bool | None
    last_sign_in_at_before: datetime | int | None
    last_sign_in_at_after: datetime | int | None


class UsersApi(Resource):
    """The users of an instance."""

    def list(
        self,
        *,
        order_by: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        **filters: Unpack[UserFilters],
    ) -> Iterator[User]:
        """Return an iterator over the users that match; pages are fetched as it goes on.

        ``limit`` is for the whole list, ``order_by`` a field's name after ``+`` or ``-``.
        """
        query = {**known(filters, UserFilters), "order_by": order_by}
        return self._paged("/users", parse_user, query, limit, offset)

    def count(self, **filters: Unpack[UserFilters]) -> int:
        """Return how many users match."""
        answer = self._api().request("GET", "/users/count", query=known(filters, UserFilters))
        total = answer.get("total_count") if isinstance(answer, dict) else None
        if isinstance(total, bool) or not isinstance(total, int):
            raise ClerkUnavailable("Clerk's answer is no count.")
        return total

    def get(self, user_id: str) -> User:
        """Return a user."""
        return parse_user(self._api().request("GET", _user_path(user_id)))

    def create(self, **members: Any) -> User:
        """Create a user; ``members`` are those of Clerk's API, such as ``email_address=[…]``."""
        return parse_user(self._api().request("POST", "/users", json=given(**members)))

    def update(self, user_id: str, /, **members: Any) -> User:
        """Change a user, and return it as it is then; a member that is ``None`` stays."""
        path = _user_path(user_id)
        return parse_user(self._api().request("PATCH", path, json=given(**members)))

    def delete(self, user_id: str) -> None:
        """Delete a user."""
        self._api().request("DELETE", _user_path(user_id))


def _session_path(session_id: object) -> str:
    return f"/sessions/{safe_id('session_id', session_id)}"


def _user_path(user_id: object) -> str:
    return f"/users/{safe_id('user_id', user_id)}"
