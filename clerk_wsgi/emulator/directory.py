"""Users, the clients that they use, and the sessions on these: what is kept, and how it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import NotFound
from .objects import LIVING, new_client, new_session, new_user
from .passwords import digest_of, is_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from .objects import Document
    from .store import Store

# What has left its client for good.
_GONE = ("removed", "replaced")


class Directory:
    """The objects in a store; ``clock`` is in Unix seconds.

    What is returned is a copy. Unknown ids raise ``NotFound``, fields that Clerk's objects do not
    have a ``TypeError``.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def transaction(self) -> AbstractContextManager[None]:
        """Let everything inside happen at once, or not at all."""
        return self._store.transaction()

    def milliseconds(self) -> int:
        """Return the present time as documents have it."""
        return int(self._clock() * 1000)

    # Users

    def create_user(
        self, *, email_address: str | None = None, password: str | None = None, **fields: Any
    ) -> Document:
        """Return a new user; ``fields`` are Clerk's (``first_name``, ``public_metadata``, …)."""
        user = new_user(self.milliseconds(), email_address=email_address, **fields)
        with self._store.transaction():
            self._store.put(user)
            return user if password is None else self.set_password(user["id"], password)

    def user(self, user_id: str) -> Document:
        """Return a user, or raise ``NotFound``."""
        return self._find("user", user_id)

    def users(self) -> list[Document]:
        """Return all users, oldest first."""
        return self._store.find("user")

    def update_user(self, user_id: str, **fields: Any) -> Document:
        """Replace fields of a user, and return it as it is then."""
        return self._update("user", user_id, fields)

    def set_password(self, user_id: str, password: str) -> Document:
        """Give a user a password, and return the user; only a digest of it is kept."""
        with self._store.transaction():
            self._store.put({"object": "password", "id": user_id, "digest": digest_of(password)})
            return self.update_user(user_id, password_enabled=True)

    def has_password(self, user_id: str, password: str) -> bool:
        """Say whether this is the password of a user."""
        known = self._store.get("password", user_id)
        return known is not None and is_password(password, known["digest"])

    def delete_user(self, user_id: str) -> None:
        """Forget a user; the sessions stay, and are over."""
        with self._store.transaction():
            self.user(user_id)
            self.end_sessions(user_id)
            self._store.delete("password", user_id)
            self._store.delete("entitlements", user_id)
            self._store.delete("user", user_id)

    def end_sessions(self, user_id: str) -> None:
        """Sign a user out everywhere."""
        for session in self.sessions(user_id=user_id):
            if session["status"] in LIVING:
                self.update_session(session["id"], status="ended")

    # Clients

    def create_client(self, **fields: Any) -> Document:
        """Return a new client (a browser, a device) without any session."""
        record = new_client(self.milliseconds(), **fields)
        self._store.put(record)
        return self.client(record["id"])

    def client(self, client_id: str) -> Document:
        """Return a client with its sessions, or raise ``NotFound``."""
        return self._with_sessions([self._find("client", client_id)])[0]

    def clients(self) -> list[Document]:
        """Return all clients with their sessions, oldest first."""
        return self._with_sessions(self._store.find("client"))

    # Sessions

    def create_session(
        self, user_id: str, *, client_id: str | None = None, **fields: Any
    ) -> Document:
        """Return a new active session of a user; ``fields`` are Clerk's (``status``, …).

        It is on a new client unless ``client_id`` names one.
        """
        now = self.milliseconds()
        with self._store.transaction():
            self.user(user_id)
            client = new_client(now) if client_id is None else self._find("client", client_id)
            session = new_session(now, user_id, client["id"], **fields)
            self._store.put(session)
            self._store.put({**client, "last_active_session_id": session["id"], "updated_at": now})
        return self._present(session)

    def session(self, session_id: str) -> Document:
        """Return a session whatever its status, or raise ``NotFound``."""
        return self._present(self._find("session", session_id))

    def sessions(self, **fields: Any) -> list[Document]:
        """Return the sessions with these values (``user_id``, ``status``, …), oldest first."""
        present = map(self._present, self._store.find("session"))
        return [one for one in present if all(one[name] == fields[name] for name in fields)]

    def update_session(self, session_id: str, **fields: Any) -> Document:
        """Replace fields of a session, and return it as it is then."""
        with self._store.transaction():
            session = self._update("session", session_id, fields)
            client = self._store.get("client", session["client_id"])
            if client is not None:
                self._store.put({**client, "updated_at": session["updated_at"]})
        return self._present(session)

    def _present(self, session: Document) -> Document:
        """Return a session as it is now: one that nobody ends ends by itself."""
        now = self.milliseconds()
        if session["status"] in LIVING:
            if now >= session["expire_at"]:
                return {**session, "status": "expired"}
            if now >= session["abandon_at"]:
                return {**session, "status": "abandoned"}
        return session

    def _with_sessions(self, records: Iterable[Document]) -> list[Document]:
        """Return clients as Clerk shows them: with sessions, without the secret."""
        owned: dict[str, list[Document]] = {}
        for session in self.sessions():
            if session["status"] not in _GONE:
                owned.setdefault(session["client_id"], []).append(session)
        return [_shown(record, owned.get(record["id"], [])) for record in records]

    def _update(self, kind: str, object_id: str, fields: Document) -> Document:
        with self._store.transaction():
            document = self._find(kind, object_id)
            unknown = fields.keys() - document.keys()
            if unknown:
                raise TypeError(f"a {kind} has no field {', '.join(sorted(unknown))}")
            updated = {**document, "updated_at": self.milliseconds(), **fields}
            self._store.put(updated)
        return updated

    def _find(self, kind: str, object_id: str) -> Document:
        found = self._store.get(kind, object_id)
        if found is None:
            raise NotFound(f"there is no {kind} {object_id!r}")
        return found


def _shown(record: Document, sessions: list[Document]) -> Document:
    public = {name: value for name, value in record.items() if name != "rotating_token"}
    return {
        **public,
        "session_ids": [session["id"] for session in sessions],
        "sessions": sessions,
        "last_active_session_id": _last_active(record, sessions),
    }


def _last_active(record: Document, sessions: list[Document]) -> str | None:
    """Return the session that was used last, of those that are active."""
    active = [session for session in sessions if session["status"] == "active"]
    remembered = record["last_active_session_id"]
    if any(session["id"] == remembered for session in active):
        return str(remembered)
    latest = sorted(active, key=lambda session: session["last_active_at"])
    return str(latest[-1]["id"]) if latest else None
