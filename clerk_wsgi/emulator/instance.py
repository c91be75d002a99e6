"""A Clerk instance: its keys, its users and sessions, and the tokens it mints. No HTTP here."""

from __future__ import annotations

import hmac
import re
import time
from typing import TYPE_CHECKING, Any, TypedDict

from ..settings import parse_publishable_key
from .directory import Directory
from .ids import new_id, new_secret_key
from .signing import SigningKey
from .store import IN_MEMORY, Store
from .tokens import client_claims, client_header, session_claims, session_header
from .verifying import client_token_claims, session_token_claims

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

# Names local-emulator-1.clerk.accounts.dev, a host of the form that browsers take for development.
PUBLISHABLE_KEY = "pk_test_bG9jYWwtZW11bGF0b3ItMS5jbGVyay5hY2NvdW50cy5kZXYk"
# Of the first user; no secret, like everything that a fresh state has but its keys.
DEMO_PASSWORD = "analytical-engine-1843"


class InstanceOptions(TypedDict, total=False):
    """What can be said of an instance beside where its state is."""

    secret_key: str | None
    publishable_key: str | None
    clock: Callable[[], float]


class Instance(Directory):
    """Everything that is kept in ``state``: ``":memory:"`` or the path of one file.

    A fresh state has a key, a user (Ada Lovelace, whose password is ``DEMO_PASSWORD``) and an
    active session of hers. A secret key or publishable key that is given replaces the one in the
    state for good. ``clock`` is in Unix seconds. Raises ``StateError``, or ``ValueError`` for a
    key that cannot be one.
    """

    def __init__(
        self,
        state: str | os.PathLike[str] = IN_MEMORY,
        *,
        secret_key: str | None = None,
        publishable_key: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(Store(state), clock)
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

    def client_token(self, client_id: str, **claims: Any) -> str:
        """Return the token of a client, which does not expire; ``claims`` replace its own."""
        minted = client_claims(self._find("client", client_id))
        return self._key.sign(client_header(self.kid), {**minted, **claims})

    def read_session_token(self, token: str) -> dict[str, Any] | None:
        """Return what a session token says if it is ours and valid now, else ``None``."""
        return session_token_claims(token, self._key, now=self._clock())

    def read_client_token(self, token: str) -> dict[str, Any] | None:
        """Return what a client token says if it is ours, whatever it says, else ``None``."""
        return client_token_claims(token, self._key)

    def has_rotating_token(self, client_id: str, rotating_token: object) -> bool:
        """Say whether this is the present secret of a client."""
        client = self._store.get("client", client_id)
        given = str(rotating_token).encode()
        return client is not None and hmac.compare_digest(given, client["rotating_token"].encode())

    def _populate(self) -> None:
        key = SigningKey.generate(new_id("ins"))
        self._store.set_setting("kid", key.kid)
        self._store.set_setting("private_key", key.private_pem())
        self._store.set_setting("secret_key", new_secret_key())
        self._store.set_setting("publishable_key", PUBLISHABLE_KEY)
        ada = self.create_user(
            first_name="Ada",
            last_name="Lovelace",
            email_address="ada@example.com",
            password=DEMO_PASSWORD,
        )
        self.create_session(ada["id"])

    def _setting(self, name: str) -> str:
        value = self._store.setting(name)
        assert value is not None, name
        return value


def _checked_secret_key(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("secret_key: expected visible ASCII characters")
    return text
