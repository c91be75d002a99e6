"""The keys of an instance: the one that signs, and those that did before and still count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .ids import new_id
from .signing import SigningKey

if TYPE_CHECKING:
    from .objects import Document
    from .store import Store

_KIND = "signing_key"


class KeyRing:
    """The keys in a store, looked up each time: another process may rotate them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loaded: dict[str, SigningKey] = {}

    @property
    def current(self) -> SigningKey:
        """The key that signs: the newest."""
        return self.all()[0]

    def all(self) -> list[SigningKey]:
        """Return the keys whose signatures count, the newest first."""
        return [self._load(known) for known in reversed(self._store.find(_KIND))]

    def find(self, kid: object) -> SigningKey | None:
        """Return the key of that name if its signatures count."""
        return next((key for key in self.all() if key.kid == kid), None)

    def jwks(self) -> dict[str, Any]:
        """Return the public keys (RFC 7517)."""
        return {"keys": [key.jwk() for key in self.all()]}

    def add(self, key: SigningKey) -> None:
        """Sign with this key from now on; the old ones still count."""
        self._store.put({"object": _KIND, "id": key.kid, "private_key": key.private_pem()})

    def rotate(self) -> str:
        """Sign with a new key from now on, and return its name."""
        key = SigningKey.generate(new_id("ins"))
        self.add(key)
        return key.kid

    def drop_previous(self) -> None:
        """Let no signature count but those of the present key."""
        with self._store.transaction():
            for old in self.all()[1:]:
                self._store.delete(_KIND, old.kid)

    def _load(self, known: Document) -> SigningKey:
        """Return a key from its text, which takes long enough to do it once."""
        kid = str(known["id"])
        if kid not in self._loaded:
            self._loaded[kid] = SigningKey.from_pem(kid, known["private_key"])
        return self._loaded[kid]
