"""``sessions``, ``clients`` and ``users``: what applications ask Clerk's API about them.

Every method raises ``ApiError`` if Clerk answers with an error, ``ClerkUnavailable`` if it does
not answer, or with something else than was asked for, and ``ValueError`` for an id that cannot be
one, before anything is sent. Arguments that are ``None`` are not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from ..errors import ClerkUnavailable
from ..ids import is_safe_id
from .models import parse_client, parse_session, parse_user
from .pages import paged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from typing_extensions import Unpack

    from ..claims import Session
    from .client import ApiClient
    from .models import Client, User
    from .pages import Item

MAX_TOKEN = 16384  # characters


class _Resource:
    """``api`` returns the client to ask, each time anew: it may be that of the default instance."""

    def __init__(self, api: Callable[[], ApiClient]) -> None:
        self._api = api

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _paged(
        self,
        path: str,
        parse: Callable[[object], Item],
        query: Mapping[str, object],
        limit: int | None,
        offset: int,
    ) -> Iterator[Item]:
        request = self._api().request

        def fetch(size: int, start: int) -> object:
            return request("GET", path, query={**query, "limit": size, "offset": start})

        return paged(fetch, parse, limit=limit, offset=offset)


class SessionsApi(_Resource):
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
            "client_id": None if client_id is None else _safe("client_id", client_id),
            "user_id": None if user_id is None else _safe("user_id", user_id),
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
        asked = _safe("session_id", session_id), _token(token)
        return self._api().for_request().verify_session(*asked)

    def revoke(self, session_id: str) -> Session:
        """End a session, and return it."""
        return parse_session(self._api().request("POST", f"{_session_path(session_id)}/revoke"))

    def create(self, user_id: str, active_organization_id: str | None = None) -> Session:
        """Start a session of a user; Clerk does this in test instances only."""
        body = _given(
            user_id=_safe("user_id", user_id), active_organization_id=active_organization_id
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
            path += f"/{_safe('template', template)}"
        body = _given(expires_in_seconds=expires_in_seconds)
        answer = self._api().request("POST", path, json=body)
        token = answer.get("jwt") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise ClerkUnavailable("Clerk's answer is no token.")
        return token


class ClientsApi(_Resource):
    """The clients of an instance: browsers and devices."""

    def list(self, *, limit: int | None = None, offset: int = 0) -> Iterator[Client]:
        """Return an iterator over clients; Clerk may answer 410, as this is deprecated."""
        return self._paged("/clients", parse_client, {}, limit, offset)

    def get(self, client_id: str) -> Client:
        """Return a client."""
        path = f"/clients/{_safe('client_id', client_id)}"
        return parse_client(self._api().request("GET", path))

    def verify_client(self, token: str) -> Client:
        """Return the client that a client token stands for.

        ``last_active_session_id`` names its last active session. Tried once, within ``timeout``.
        """
        body = {"token": _token(token)}
        answer = self._api().for_request().request("POST", "/clients/verify", json=body)
        return parse_client(answer)


class UserFilters(TypedDict, total=False):
    """What users can be selected by; sequences mean any of their members, times are aware."""

    email_address: str | Sequence[str] | None
    phone_number: str | Sequence[str] | None
    username: str | Sequence[str] | None
    user_id: str | Sequence[str] | None
    external_id: str | Sequence[str] | None
    web3_wallet: str | Sequence[str] | None
    organization_id: str | Sequence[str] | None
    query: str | None
    email_address_query: str | None
    phone_number_query: str | None
    username_query: str | None
    name_query: str | None
    banned: bool | None
    created_at_before: datetime | int | None
    created_at_after: datetime | int | None
    last_active_at_before: datetime | int | None
    last_active_at_after: datetime | int | None
    last_sign_in_at_before: datetime | int | None
    last_sign_in_at_after: datetime | int | None


class UsersApi(_Resource):
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
        query = {**_known(filters), "order_by": order_by}
        return self._paged("/users", parse_user, query, limit, offset)

    def count(self, **filters: Unpack[UserFilters]) -> int:
        """Return how many users match."""
        answer = self._api().request("GET", "/users/count", query=_known(filters))
        total = answer.get("total_count") if isinstance(answer, dict) else None
        if isinstance(total, bool) or not isinstance(total, int):
            raise ClerkUnavailable("Clerk's answer is no count.")
        return total

    def get(self, user_id: str) -> User:
        """Return a user."""
        return parse_user(self._api().request("GET", _user_path(user_id)))

    def create(self, **members: Any) -> User:
        """Create a user; ``members`` are those of Clerk's API, such as ``email_address=[…]``."""
        return parse_user(self._api().request("POST", "/users", json=_given(**members)))

    def update(self, user_id: str, /, **members: Any) -> User:
        """Change a user, and return it as it is then; a member that is ``None`` stays."""
        path = _user_path(user_id)
        return parse_user(self._api().request("PATCH", path, json=_given(**members)))

    def delete(self, user_id: str) -> None:
        """Delete a user."""
        self._api().request("DELETE", _user_path(user_id))


def _session_path(session_id: object) -> str:
    return f"/sessions/{_safe('session_id', session_id)}"


def _user_path(user_id: object) -> str:
    return f"/users/{_safe('user_id', user_id)}"


def _safe(name: str, value: object) -> str:
    if not isinstance(value, str) or not is_safe_id(value):
        raise ValueError(f"{name} is not an id: 1 to 128 letters, digits, underscores, hyphens")
    return value


def _token(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN:
        raise ValueError(f"token is not a text of 1 to {MAX_TOKEN} characters")
    return value


def _given(**members: Any) -> dict[str, Any] | None:
    """Return the members that are not ``None``, or ``None`` if there are none to send."""
    return {name: value for name, value in members.items() if value is not None} or None


def _known(filters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse a filter that there is not: Clerk would take no notice and select everybody."""
    unknown = filters.keys() - UserFilters.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown filter: {', '.join(sorted(unknown))}")
    return filters
