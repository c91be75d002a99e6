"""A Clerk instance: its keys, its users and sessions, and the tokens it mints. No HTTP here."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, TypedDict

from ..settings import parse_publishable_key
from .errors import NotFound
from .ids import new_id, new_secret_key
from .objects import new_session, new_user
from .signing import SigningKey
from .store import IN_MEMORY, Store
from .tokens import session_claims, session_header

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from .objects import Document

# Names local-emulator-1.clerk.accounts.dev, a host of the form that browsers take for development.
PUBLISHABLE_KEY = "pk_test_bG9jYWwtZW11bGF0b3ItMS5jbGVyay5hY2NvdW50cy5kZXYk"


class InstanceOptions(TypedDict, total=False):
    """What can be said of an instance beside where its state is."""

    secret_key: str | None
    publishable_key: str | None
    clock: Callable[[], float]


class Instance:
    """Everything that is kept in ``state``: ``":memory:"`` or the path of one file.

    A fresh state has a key, a user (Ada Lovelace) and an active session of hers. A secret key or
    publishable key that is given replaces the one in the state for good. ``clock`` is in Unix
    seconds. Raises ``StateError``, or ``ValueError`` for a key that cannot be one.
    """

    def __init__(
        self,
        state: str | os.PathLike[str] = IN_MEMORY,
        *,
        secret_key: str | None = None,
        publishable_key: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._store = Store(state)
        with self._store.transaction():
            if self._store.setting("kid") is None:
                self._populate()
            if secret_key is not None:
                self._store.set_setting("secret_key", _checked_secret_key(secret_key))
            if publishable_key is not None:
                parse_publishable_key(publishable_key)
                self._store.set_setting("publishable_key", publishable_key)
        self.kid = self._setting("kid")
        self.secret_key = self._setting("secret_key")
        self.publishable_key = self._setting("publishable_key")
        self.issuer = f"https://{parse_publishable_key(self.publishable_key).frontend_api}"
        self._key = SigningKey.from_pem(self.kid, self._setting("private_key"))

    def close(self) -> None:
        """Close the state; nothing can be asked afterwards."""
        self._store.close()

    @property
    def state(self) -> str:
        """Where the state is kept."""
        return self._store.path

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as ``GET /v1/jwks`` gives them."""
        return {"keys": [self._key.jwk()]}

    def public_key_pem(self) -> str:
        """Return the public key as PEM, for ``jwt_key``."""
        return self._key.public_pem()

    def public_key_der(self) -> bytes:
        """Return the public key as DER (SPKI)."""
        return self._key.public_der()

    def create_user(self, *, email_address: str | None = None, **fields: Any) -> Document:
        """Return a new user; ``fields`` are Clerk's (``first_name``, ``public_metadata``, …)."""
        user = new_user(self._milliseconds(), email_address=email_address, **fields)
        self._store.put(user)
        return user

    def create_session(self, user_id: str, **fields: Any) -> Document:
        """Return a new active session of a user; ``fields`` are Clerk's (``status``, …).

        Raises ``NotFound`` if there is no such user.
        """
        self.user(user_id)
        session = new_session(self._milliseconds(), user_id, **fields)
        self._store.put(session)
        return session

    def user(self, user_id: str) -> Document:
        """Return a user, or raise ``NotFound``."""
        return self._find("user", user_id)

    def session(self, session_id: str) -> Document:
        """Return a session whatever its status, or raise ``NotFound``."""
        return self._find("session", session_id)

    def users(self) -> list[Document]:
        """Return all users, oldest first."""
        return self._store.find("user")

    def sessions(self, **fields: Any) -> list[Document]:
        """Return the sessions with these values (``user_id``, ``status``, …), oldest first."""
        return self._store.find("session", **fields)

    def session_token(self, session_id: str, *, expires_in: int = 60, **claims: Any) -> str:
        """Return a session token that lives ``expires_in`` seconds; ``claims`` replace its own.

        The session's status is not looked at. Raises ``NotFound`` if there is no such session.
        """
        minted = session_claims(
            self.session(session_id),
            issuer=self.issuer,
            now=int(self._clock()),
            expires_in=expires_in,
        )
        return self._key.sign(session_header(self.kid), {**minted, **claims})

    def _populate(self) -> None:
        key = SigningKey.generate(new_id("ins"))
        self._store.set_setting("kid", key.kid)
        self._store.set_setting("private_key", key.private_pem())
        self._store.set_setting("secret_key", new_secret_key())
        self._store.set_setting("publishable_key", PUBLISHABLE_KEY)
        ada = self.create_user(
            first_name="Ada", last_name="Lovelace", email_address="ada@example.com"
        )
        self.create_session(ada["id"])

    def _find(self, kind: str, object_id: str) -> Document:
        found = self._store.get(kind, object_id)
        if found is None:
            raise NotFound(f"there is no {kind} {object_id!r}")
        return found

    def _setting(self, name: str) -> str:
        value = self._store.setting(name)
        assert value is not None, name
        return value

    def _milliseconds(self) -> int:
        return int(self._clock() * 1000)


def _checked_secret_key(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("secret_key: expected visible ASCII characters")
    return text
