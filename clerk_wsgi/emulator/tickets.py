"""Sign-in tokens: tickets that the holder of the secret key makes, and a browser redeems once."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .errors import Refusal
from .ids import new_id
from .organizations import OrganizationDirectory

if TYPE_CHECKING:
    from .objects import Document

MONTH = 30 * 24 * 60 * 60
_KIND = "sign_in_token"


class Tickets(OrganizationDirectory):
    """A directory with sign-in tokens in it; unknown ids raise ``NotFound``."""

    def create_sign_in_token(
        self, user_id: str, *, expires_in: int = MONTH, organization_id: str | None = None
    ) -> Document:
        """Return a new sign-in token of a user that counts for ``expires_in`` seconds.

        The session that comes of it has this organization active; ``NotFound`` unless the user is
        a member.
        """
        now = self.milliseconds()
        created = {
            "object": _KIND,
            "id": new_id("sit"),
            "user_id": user_id,
            "organization_id": organization_id,
            "status": "pending",
            "token": new_id("tkt"),
            "expire_at": now + expires_in * 1000,
            "created_at": now,
            "updated_at": now,
        }
        with self._store.transaction():
            self.user(user_id)
            if organization_id is not None:
                self.membership(organization_id, user_id)
            self._store.put(created)
        return _shown(created)

    def delete_user(self, user_id: str) -> None:
        """Forget a user and the user's sign-in tokens; the sessions stay, and are over."""
        with self._store.transaction():
            super().delete_user(user_id)
            for ticket in self._store.find(_KIND, user_id=user_id):
                self._store.delete(_KIND, ticket["id"])

    def sign_in_token(self, token_id: str) -> Document:
        """Return a sign-in token by its id, or raise ``NotFound``."""
        return _shown(self._find(_KIND, token_id))

    def revoke_sign_in_token(self, token_id: str) -> Document:
        """Let a pending sign-in token never be redeemed; a ``Refusal`` if it is not pending."""
        with self._store.transaction():
            status = self._find(_KIND, token_id)["status"]
            if status != "pending":
                code = "sign_in_token_cannot_be_revoked_code"
                text = f"Its status is {status}. Only a pending sign-in token can be revoked."
                raise Refusal(400, code, "cannot revoke", text)
            return _shown(self._update(_KIND, token_id, {"status": "revoked"}))

    def redeem_ticket(self, ticket: str) -> str:
        """Return the id of the user that a ticket signs in, once, or raise a ``Refusal``."""
        return str(self._accept(ticket)["user_id"])

    def _accept(self, ticket: str) -> Document:
        """Return the sign-in token of a ticket that is used up now, or raise a ``Refusal``."""
        with self._store.transaction():
            found = self._ticket(ticket)
            if found is None:
                raise _refused("ticket_invalid_code", "The ticket is invalid.")
            if found["status"] == "revoked":
                text = "This sign-in token has been revoked and cannot be used any more."
                raise _refused("sign_in_token_revoked_code", text)
            if found["status"] == "accepted":
                text = "This sign-in token has been used already."
                raise _refused("sign_in_token_already_used_code", text)
            if self.milliseconds() >= found["expire_at"]:
                raise _refused("ticket_expired_code", "The ticket has expired.")
            return self._update(_KIND, found["id"], {"status": "accepted"})

    def _ticket(self, ticket: str) -> Document | None:
        known = self._store.find(_KIND)
        given = ticket.encode("utf-8", "surrogatepass")
        return next(
            (one for one in known if hmac.compare_digest(given, one["token"].encode())), None
        )


def _refused(code: str, text: str) -> Refusal:
    return Refusal(400, code, text, param="ticket")


def _shown(document: Document) -> Document:
    kept = ("expire_at", "organization_id")
    public = {name: value for name, value in document.items() if name not in kept}
    # Only part of an address: which page redeems it is the application's business.
    return {**public, "url": f"?{urlencode({'__clerk_ticket': document['token']})}"}
