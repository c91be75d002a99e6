"""The client of Clerk's Backend API, as applications use it: ``clerk.api``.

What its answers are read into is imported by the first call: few workers ever make one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ClerkUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..claims import Session
    from .calling import Caller
    from .checking import SessionCheck
    from .organizations import OrganizationsApi
    from .resources import ClientsApi, SessionsApi, UsersApi


class ApiClient:
    """Clerk's Backend API with the secret key of one instance; threads and forks may share it."""

    def __init__(self, caller: Caller, check: SessionCheck) -> None:
        self._caller = caller
        self._check = check

    def __repr__(self) -> str:
        return "ApiClient()"

    @property
    def sessions(self) -> SessionsApi:
        """The sessions of the instance."""
        from .resources import SessionsApi

        return SessionsApi(lambda: self)

    @property
    def clients(self) -> ClientsApi:
        """The clients of the instance."""
        from .resources import ClientsApi

        return ClientsApi(lambda: self)

    @property
    def users(self) -> UsersApi:
        """The users of the instance."""
        from .resources import UsersApi

        return UsersApi(lambda: self)

    @property
    def organizations(self) -> OrganizationsApi:
        """The organizations of the instance, and their members."""
        from .organizations import OrganizationsApi

        return OrganizationsApi(lambda: self)

    def jwks(self) -> dict[str, Any]:
        """Return the set of keys that verify tokens, as Clerk gives it."""
        document = self.request("GET", "/jwks")
        if not isinstance(document, dict):
            raise ClerkUnavailable("Clerk's answer is no set of keys.")
        return document

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        json: object = None,
        timeout: float | None = None,
    ) -> Any:
        """Call any endpoint, and return the JSON of the answer; ``None`` if it has no body.

        ``path`` is what follows ``/v1``, such as ``/organizations``; ids in it are the caller's
        to check. ``query`` may hold texts, numbers, booleans, aware datetimes and sequences of
        them, what is ``None`` is not sent. ``json`` is the body. ``timeout`` (seconds) is for
        everything; by default it is three times the instance's.

        A ``GET`` is tried up to three times if Clerk does not answer, or answers 429 or 5xx
        (except 501); between tries is a pause that heeds ``Retry-After``. Anything else is tried
        once. Raises ``ApiError`` for an answer of 400 to 599, ``ClerkUnavailable`` for none or
        one that cannot be used, and ``ValueError`` or ``TypeError`` for what cannot be sent.
        """
        return self._caller.call(method, path, query=query, json=json, timeout=timeout)

    def verify_session(self, session_id: str, token: str) -> Session:
        """Do what ``sessions.verify_session`` does, once both arguments were checked."""
        return self._check.verify(self._caller, session_id, token)

    @property
    def is_verification_gone(self) -> bool:
        """Whether Clerk has answered 410 to the question that verifies a session."""
        return self._check.is_gone

    def for_request(self) -> ApiClient:
        """Return the same API for the way of one request: one try, one time limit.

        All calls made with it together take the instance's ``timeout`` at most, from now on.
        """
        return ApiClient(self._caller.for_request(), self._check)
