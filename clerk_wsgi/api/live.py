"""What live verification asks Clerk's API while a request waits, all within one time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..claims import Session
    from .client import ApiClient
    from .models import Client


class LiveQuestions:
    """The questions of one request; ``api`` tries each once (``ApiClient.for_request``)."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    @property
    def is_verification_gone(self) -> bool:
        """Whether Clerk does not verify sessions any longer (status 410)."""
        return self._api.is_verification_gone

    def verify_session(self, session_id: str, token: str) -> Session:
        """Return an active session whose token this is."""
        return self._api.sessions.verify_session(session_id, token)

    def get_session(self, session_id: str) -> Session:
        """Return a session."""
        return self._api.sessions.get(session_id)

    def verify_client(self, token: str) -> Client:
        """Return the client whose token this is."""
        return self._api.clients.verify_client(token)
