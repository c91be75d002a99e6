"""Signing in and out, however it is asked for: with a form or by a script."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from .browsers import living_sessions
from .errors import NotFound, Refusal
from .objects import identifiers

if TYPE_CHECKING:
    from .instance import Instance
    from .objects import Document


class SignIns:
    """Who may sign in to an instance, and what that does to a browser's client."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def find_user(self, identifier: str) -> Document:
        """Return the user with this email address or username, whatever the case of its letters.

        Raises a ``Refusal`` that names the field.
        """
        wanted = identifier.strip().casefold()
        for user in self._instance.users():
            known = [*identifiers(user, "email_address"), *identifiers(user, "username")]
            if wanted in map(str.casefold, known):
                return user
        text = "Couldn't find your account."
        raise Refusal(422, "form_identifier_not_found", text, param="identifier")

    def check_password(self, user: Document, password: str) -> None:
        """Raise a ``Refusal`` unless this is the password of a user who may sign in."""
        if not self._instance.has_password(user["id"], password):
            text = "Password is incorrect. Please try again."
            raise Refusal(422, "form_password_incorrect", text, param="password")
        self.check_admitted(user)

    def check_admitted(self, user: Document) -> None:
        """Raise a ``Refusal`` if a user may not sign in, however it is tried."""
        if user["locked"] or user["banned"]:
            raise Refusal(403, "user_locked", "This account is locked. Ask whoever runs it.")

    def start_session(self, client_id: str | None, user: Document) -> Document:
        """Return a new session of a user, on this client or on a new one.

        It takes the place of the user's earlier sessions there.
        """
        with self._instance.transaction():
            client = self._instance.client(client_id) if client_id else None
            for session in living_sessions(client) if client else []:
                if session["user_id"] == user["id"]:
                    self._instance.update_session(session["id"], status="replaced")
            started = self._instance.create_session(user["id"], client_id=client_id)
            self._instance.update_user(user["id"], last_sign_in_at=started["created_at"])
        return started

    def redeem(self, client_id: str | None, ticket: str) -> Document:
        """Return a new session of the user whom a ticket signs in, or raise a ``Refusal``.

        A ticket whose user may not sign in is not used up.
        """
        with self._instance.transaction():
            accepted = self._instance._accept(ticket)
            user = self._instance.user(accepted["user_id"])
            self.check_admitted(user)
            session = self.start_session(client_id, user)
            with suppress(NotFound):  # who is no member any more signs in without
                organization_id = accepted["organization_id"]
                return self._instance.activate_organization(session["id"], organization_id)
        return session

    def choose(self, client_id: str, session_id: str) -> None:
        """Make a session of a client its active one, or raise a ``Refusal`` if it is over."""
        with self._instance.transaction():
            living = living_sessions(self._instance.client(client_id))
            if session_id not in [session["id"] for session in living]:
                raise session_over()
            self._instance._update("client", client_id, {"last_active_session_id": session_id})

    def sign_out(self, client_id: str) -> None:
        """End all sessions of a client."""
        with self._instance.transaction():
            for session in living_sessions(self._instance.client(client_id)):
                self._instance.update_session(session["id"], status="removed")


def session_over() -> Refusal:
    """Return the 422 of a session that a browser has not, or not any more."""
    text = "That session is over. Please sign in again."
    return Refusal(422, "session_not_found", text)
