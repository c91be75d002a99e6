"""Reading a decision in tests: who somebody is, in one word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerk_wsgi.claims import Auth

if TYPE_CHECKING:
    from clerk_wsgi import RequestState


def auth_of(state: RequestState, *, pending_counts: bool = False) -> Auth:
    """What a state says about a session; anything else fails the test."""
    auth = state.to_auth(treat_pending_as_signed_out=not pending_counts)
    assert isinstance(auth, Auth)
    return auth


def user_of(state: RequestState, *, pending_counts: bool = False) -> str | None:
    """Who is signed in by a session; nobody is also who is about to be sent elsewhere."""
    if state.status == "handshake":
        return None
    return auth_of(state, pending_counts=pending_counts).user_id
