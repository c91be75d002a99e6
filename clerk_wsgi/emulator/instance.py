"""A Clerk instance: its keys, its users and sessions, and the tokens it mints. No HTTP here."""

from __future__ import annotations

import hmac
import re
import time
from typing import TYPE_CHECKING, Any, TypedDict

from ..settings import parse_publishable_key
from .entitlements import Entitled, Membership, entitlement_claims
from .ids import new_id, new_secret_key
from .keyring import KEYS, KeyRing
from .machine_tokens import MachineDirectory
from .seeding.seeds import load_seed, seed_of
from .signing import SigningKey
from .store import IN_MEMORY, Store
from .tickets import Tickets
from .tokens import client_claims, client_header, session_claims, session_header
from .verifying import client_token_claims, session_token_claims

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from .objects import Document
    from .seeding.seeds import Seed

TOKEN_LIFETIME = 60  # seconds

# Names local-emulator-1.clerk.accounts.dev, a host of the form that browsers take for development.
PUBLISHABLE_KEY = "pk_test_bG9jYWwtZW11bGF0b3ItMS5jbGVyay5hY2NvdW50cy5kZXYk"
# Of the first user; no secret, like everything that a fresh state has but its keys.
DEMO_PASSWORD = "analytical-engine-1843"


class InstanceOptions(TypedDict, total=False):
    """What can be said of an instance beside where its state is."""

    secret_key: str | None
    publishable_key: str | None
    seed: Seed | str | os.PathLike[str] | None
    token_lifetime: int
    clock: Callable[[], float]
    signing_key: SigningKey | None


class Instance(Tickets, MachineDirectory):
    """Everything that is kept in ``state``: ``":memory:"`` or the path of one file.

    A fresh state has a key, a user (Ada Lovelace, whose password is ``DEMO_PASSWORD``) and an
    active session of hers. With a ``seed``, the path of a TOML file, it has what that says instead
    of them; a state that is not fresh has it, too. A secret key or publishable key that is given
    replaces the one in the state for good; a ``signing_key`` signs from now on, and a fresh state
    that gets one need not make one, which takes a while. ``token_lifetime`` (seconds, of session
    tokens) may be changed at any time. ``clock`` is in Unix seconds. Raises ``StateError``,
    ``SeedError``, or ``ValueError`` for a key that cannot be one.
    """

    def __init__(
        self,
        state: str | os.PathLike[str] = IN_MEMORY,
        *,
        secret_key: str | None = None,
        publishable_key: str | None = None,
        seed: Seed | str | os.PathLike[str] | None = None,
        token_lifetime: int = TOKEN_LIFETIME,
        clock: Callable[[], float] = time.time,
        signing_key: SigningKey | None = None,
    ) -> None:
        self.seed = None if seed is None else seed_of(seed)
        super().__init__(Store(state), clock)
        self._keys = KeyRing(self._store)
        with self._store.transaction():
            if self._store.setting("secret_key") is None:
                self._make_keys(signing_key or SigningKey.generate(new_id("ins")))
                self._populate()
            elif self.seed is not None:
                load_seed(self, self.seed)
            if signing_key is not None and signing_key != self._keys.current:
                self._keys.add(signing_key)
            if secret_key is not None:
                self._store.set_setting("secret_key", _checked_secret_key(secret_key))
            if publishable_key is not None:
                parse_publishable_key(publishable_key)
                self._store.set_setting("publishable_key", publishable_key)
        self._usual_lifetime = self.token_lifetime = token_lifetime
        self.secret_key = self._setting("secret_key")
        self.publishable_key = self._setting("publishable_key")
        self.issuer = f"https://{parse_publishable_key(self.publishable_key).frontend_api}"

    def close(self) -> None:
        """Close the state; nothing can be asked afterwards."""
        self._store.close()

    @property
    def state(self) -> str:
        """Where the state is kept."""
        return self._store.path

    @property
    def kid(self) -> str:
        """The name of the key that signs."""
        return self._keys.current.kid

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as ``GET /v1/jwks`` gives them."""
        return self._keys.jwks()

    def public_key_pem(self) -> str:
        """Return the public key as PEM, for ``jwt_key``."""
        return self._keys.current.public_pem()

    def public_key_der(self) -> bytes:
        """Return the public key as DER (SPKI)."""
        return self._keys.current.public_der()

    def rotate_signing_key(self, *, keep_previous: bool = True) -> str:
        """Sign with a new key from now on, and return its name.

        Unless previous keys are kept, what they have signed does not count any more.
        """
        key = SigningKey.generate(new_id("ins"))  # first: it takes longer than others should wait
        with self._store.transaction():
            self._keys.add(key)
            if not keep_previous:
                self._keys.drop_previous()
        return key.kid

    def expire_tokens(self) -> str:
        """Let no session token count that was signed so far, and return the new key's name.

        The keys that signed them are published no more, which others learn with the next JWKS.
        Client tokens still count: browsers stay signed in.
        """
        key = SigningKey.generate(new_id("ins"))
        with self._store.transaction():
            self._keys.add(key)
            self._keys.withdraw_previous()
        return key.kid

    def reset(self) -> None:
        """Forget everything but the secret key and the key that signs, and begin anew."""
        with self._store.transaction():
            self._keys.drop_previous()
            self._store.clear(keep=KEYS)
            self._populate()
        self.token_lifetime = self._usual_lifetime

    def session_token(
        self, session_id: str, /, *, expires_in: int | None = None, **claims: Any
    ) -> str:
        """Return a session token; ``claims`` replace its own.

        It lives ``expires_in`` seconds, ``token_lifetime`` unless that is given. The session's
        status is not looked at. Raises ``NotFound`` if there is no such session.
        """
        return self._mint(self.session(session_id), expires_in, claims)

    def organization_token(
        self, session_id: str, organization_id: str | None, /, **claims: Any
    ) -> str:
        """Return a session token for an organization that need not be the active one.

        ``None`` is the personal account. Raises ``NotFound`` unless the user is a member.
        """
        session = self.session(session_id)
        if organization_id is not None:
            self.membership(organization_id, session["user_id"])
        used = {**session, "last_active_organization_id": organization_id}
        return self._mint(used, None, claims)

    def client_token(self, client_id: str, **claims: Any) -> str:
        """Return the token of a client, which does not expire; ``claims`` replace its own."""
        minted = client_claims(self._find("client", client_id))
        key = self._keys.current
        return key.sign(client_header(key.kid), {**minted, **claims})

    def handshake_token(self, directives: list[str]) -> str:
        """Return the token that carries the cookies of a handshake."""
        key = self._keys.current
        return key.sign(session_header(key.kid), {"handshake": directives})

    def read_session_token(self, token: str) -> dict[str, Any] | None:
        """Return what a session token says if it is ours and valid now, else ``None``."""
        return session_token_claims(token, self._keys, now=self._clock())

    def read_client_token(self, token: str) -> dict[str, Any] | None:
        """Return what a client token says if it is ours, whatever it says, else ``None``."""
        return client_token_claims(token, self._keys)

    def has_rotating_token(self, client_id: str, rotating_token: object) -> bool:
        """Say whether this is the present secret of a client."""
        client = self._store.get("client", client_id)
        given = str(rotating_token).encode()
        return client is not None and hmac.compare_digest(given, client["rotating_token"].encode())

    def _mint(self, session: Document, expires_in: int | None, claims: Document) -> str:
        minted = session_claims(
            session,
            self._entitlement_claims(session),
            issuer=self.issuer,
            now=int(self._clock()),
            expires_in=self.token_lifetime if expires_in is None else expires_in,
        )
        key = self._keys.current
        return key.sign(session_header(key.kid), {**minted, **claims})

    def _make_keys(self, signing_key: SigningKey) -> None:
        self._keys.add(signing_key)
        self._store.set_setting("secret_key", new_secret_key())
        self._store.set_setting("publishable_key", PUBLISHABLE_KEY)

    def _populate(self) -> None:
        """Let a fresh state have its seed, or somebody who can sign in."""
        if self.seed is not None:
            load_seed(self, self.seed)
            return
        ada = self.create_user(
            first_name="Ada",
            last_name="Lovelace",
            email_address="ada@example.com",
            password=DEMO_PASSWORD,
        )
        self.create_session(ada["id"])

    def _entitlement_claims(self, session: Document) -> dict[str, Any]:
        plan, features = self.entitlements(session["user_id"])
        user = Entitled(plan=plan, features=features)
        return entitlement_claims(user, self._membership_of(session))

    def _membership_of(self, session: Document) -> Membership | None:
        membership = self.active_membership(session)
        if membership is None:
            return None
        plan, features = self.entitlements(membership["organization_id"])
        return Membership(
            organization=self._find("organization", membership["organization_id"]),
            role=membership["role"],
            permissions=self.role(membership["role"])["permissions"],
            entitled=Entitled(plan=plan, features=features),
        )

    def _setting(self, name: str) -> str:
        value = self._store.setting(name)
        assert value is not None, name
        return value


def _checked_secret_key(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("secret_key: expected visible ASCII characters")
    return text
