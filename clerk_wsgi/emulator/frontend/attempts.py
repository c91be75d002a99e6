"""Attempts to sign in: what a browser has begun, kept between its steps. One a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NotFound
from ..ids import new_id
from ..objects import DAY

if TYPE_CHECKING:
    from ..instance import Instance
    from ..objects import Document

_KIND = "sign_in"
NEEDS_IDENTIFIER = "needs_identifier"
NEEDS_FIRST_FACTOR = "needs_first_factor"
COMPLETE = "complete"


class Attempts:
    """The attempts of all clients."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._store = instance._store

    def begin(self, client_id: str, user: Document | None, identifier: str | None) -> Document:
        """Return a new attempt of a client, in the place of the one before."""
        with self._store.transaction():
            begun = self._new(client_id, NEEDS_FIRST_FACTOR if user else NEEDS_IDENTIFIER)
            begun |= {"user_id": user and user["id"], "identifier": identifier}
            self._replace(begun)
            self._note(client_id, sign_in_id=begun["id"])
        return begun

    def find(self, client_id: str, sign_in_id: str) -> Document:
        """Return the attempt of a client, or raise ``NotFound`` for others'."""
        found = self._store.get(_KIND, sign_in_id)
        if found is None or found["client_id"] != client_id:
            raise NotFound(f"client {client_id} has no attempt {sign_in_id!r}")
        return found

    def complete(self, session: Document, strategy: str, begun: Document | None = None) -> Document:
        """Return an attempt that led to a session: the one begun, or one of a single step."""
        with self._store.transaction():
            completed = {
                **(begun or self._new(session["client_id"], COMPLETE)),
                "status": COMPLETE,
                "user_id": session["user_id"],
                "created_session_id": session["id"],
                "first_factor_verification": _verified(strategy),
            }
            self._replace(completed)
            self._note(session["client_id"], sign_in_id=None, last_authentication_strategy=strategy)
        return completed

    def _new(self, client_id: str, status: str) -> Document:
        now = self._instance.milliseconds()
        return {
            "object": _KIND,
            "id": new_id("sia"),
            "client_id": client_id,
            "status": status,
            "user_id": None,
            "identifier": None,
            "created_session_id": None,
            "first_factor_verification": None,
            "abandon_at": now + DAY,
        }

    def _replace(self, attempt: Document) -> None:
        for earlier in self._store.find(_KIND, client_id=attempt["client_id"]):
            self._store.delete(_KIND, earlier["id"])
        self._store.put(attempt)

    def _note(self, client_id: str, **fields: str | None) -> None:
        """Let a client know, without being newer for it than its sessions' tokens are."""
        before = self._instance.client(client_id)
        noted = {**fields, "updated_at": before["updated_at"]}
        self._instance._update("client", client_id, noted)


def _verified(strategy: str) -> Document:
    return {
        "object": f"verification_{strategy}",
        "status": "verified",
        "strategy": strategy,
        "attempts": 1,
        "expire_at": None,
    }
