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
_INVALID = "The ticket is invalid."


class Tickets(OrganizationDirectory):
    """A directory with sign-in tokens in it; unknown ids raise ``NotFound``."""

    def create_sign_in_token(self, user_id: str, *, expires_in: int = MONTH) -> Document:
        """Return a new sign-in token of a user that counts for ``expires_in`` seconds."""
        self.user(user_id)
        now = self.milliseconds()
        created = {
            "object": _KIND,
            "id": new_id("sit"),
            "user_id": user_id,
            "status": "pending",
            "token": new_id("tkt"),
            "expire_at": now + expires_in * 1000,
            "created_at": now,
            "updated_at": now,
        }
        self._store.put(created)
        return _shown(created)

    def sign_in_token(self, token_id: str) -> Document:
        """Return a sign-in token by its id, or raise ``NotFound``."""
        return _shown(self._find(_KIND, token_id))

    def revoke_sign_in_token(self, token_id: str) -> Document:
        """Let a pending sign-in token never be redeemed; a ``Refusal`` if it is not pending."""
        with self._store.transaction():
            if self._find(_KIND, token_id)["status"] != "pending":
                code = "sign_in_token_cannot_be_revoked_code"
                raise Refusal(400, code, "Only a pending sign-in token can be revoked.")
            return _shown(self._update(_KIND, token_id, {"status": "revoked"}))

    def redeem_ticket(self, ticket: str) -> str:
        """Return the id of the user that a ticket signs in, once, or raise a ``Refusal``."""
        with self._store.transaction():
            found = self._ticket(ticket)
            if found is None or found["status"] == "revoked":
                raise _refused("ticket_invalid_code", _INVALID)
            if found["status"] == "accepted":
                code = "sign_in_token_already_used_code"
                raise _refused(code, "This sign-in token has been used already.")
            if self.milliseconds() >= found["expire_at"]:
                raise _refused("ticket_expired_code", "The ticket has expired.")
            if self._store.get("user", found["user_id"]) is None:
                raise _refused("ticket_invalid_code", _INVALID)
            self._update(_KIND, found["id"], {"status": "accepted"})
        return str(found["user_id"])

    def _ticket(self, ticket: str) -> Document | None:
        known = self._store.find(_KIND)
        given = ticket.encode("utf-8", "surrogatepass")
        return next(
            (one for one in known if hmac.compare_digest(given, one["token"].encode())), None
        )


def _refused(code: str, text: str) -> Refusal:
    return Refusal(400, code, text, param="ticket")


def _shown(document: Document) -> Document:
    ticket = document["token"]
    public = {name: value for name, value in document.items() if name != "expire_at"}
    # As at Clerk only part of an address: which page redeems it is the application's business.
    return {**public, "url": f"?{urlencode({'__clerk_ticket': ticket})}"}
