"""Dev browser tokens: what a browser is known by in development.

One that was replaced is good for a day to the scripts that still hold it, those of another tab or
of a request under way, but for nothing that it was not good for when it was new. So whoever laid
it out for somebody else to sign in with learns nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Refusal
from ..ids import new_id
from ..objects import DAY

if TYPE_CHECKING:
    from ..instance import Instance
    from ..objects import Document

_CURRENT, _REPLACED = "dev_browser", "replaced_dev_browser"


class DevBrowserTokens:
    """The tokens of an instance, one current one for each client."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._store = instance._store

    def give(self, client_id: str) -> str:
        """Return a new token of a client; those before are replaced."""
        with self._store.transaction():
            self._forget_old()
            for known in self._store.find(_CURRENT, client_id=client_id):
                self._store.delete(_CURRENT, known["id"])
                now = self._instance.milliseconds()
                self._store.put({**known, "object": _REPLACED, "replaced_at": now})
            seen = self._instance.client(client_id)["session_ids"]
            token = new_id("dvb")
            given = {"id": token, "client_id": client_id, "seen": seen}
            self._store.put({"object": _CURRENT, **given})
        return token

    def client(self, token: str) -> Document | None:
        """Return the client that a current token is of, ``None`` if there is none."""
        with self._store.transaction():  # else it might be replaced before the client is read
            known = self._store.get(_CURRENT, token)
            return known and self._instance.client(known["client_id"])

    def seen_client(self, token: str) -> tuple[Document, frozenset[str]] | None:
        """Return the client that a replaced token was of, and the sessions that it knew then."""
        known = self._store.get(_REPLACED, token)
        if known is None or self._is_old(known):
            return None
        seen = frozenset(known["seen"])
        return as_seen(self._instance.client(known["client_id"]), seen), seen

    def _forget_old(self) -> None:
        for known in self._store.find(_REPLACED):
            if self._is_old(known):
                self._store.delete(_REPLACED, known["id"])

    def _is_old(self, replaced: Document) -> bool:
        return self._instance.milliseconds() >= int(replaced["replaced_at"]) + DAY


def as_seen(client: Document, seen: frozenset[str]) -> Document:
    """Return a client that has no other sessions than those seen."""
    sessions = [one for one in client["sessions"] if one["id"] in seen]
    active = [one["id"] for one in sessions if one["status"] == "active"]
    last = client["last_active_session_id"]
    return {
        **client,
        "sessions": sessions,
        "session_ids": [one["id"] for one in sessions],
        "last_active_session_id": last if last in active else next(reversed(active), None),
        "sign_in_id": None,
        "sign_up_id": None,
    }


def dev_browser_unauthenticated() -> Refusal:
    """Return the 401 of a script that does not say, or not rightly, which browser it runs in."""
    return Refusal(
        401,
        "dev_browser_unauthenticated",
        "Browser unauthenticated",
        "Unable to authenticate this browser for your development instance."
        " Check your Clerk cookies and try again.",
    )
