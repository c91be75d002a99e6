"""The keys of an instance: the one that signs, and those that did before and still count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .signing import SigningKey

if TYPE_CHECKING:
    from .objects import Document
    from .store import Store

KEYS = "signing_key"
_WITHDRAWN = "withdrawn_key"


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
        return [self._load(known) for known in reversed(self._store.find(KEYS))]

    def find(self, kid: object) -> SigningKey | None:
        """Return the key of that name if its signatures count."""
        return next((key for key in self.all() if key.kid == kid), None)

    def find_withdrawn(self, kid: object) -> SigningKey | None:
        """Return the key of that name if its signatures count for the instance itself alone."""
        known = self._store.get(_WITHDRAWN, str(kid))
        return self._load(known) if known else None

    def jwks(self) -> dict[str, Any]:
        """Return the public keys (RFC 7517)."""
        return {"keys": [key.jwk() for key in self.all()]}

    def add(self, key: SigningKey) -> None:
        """Sign with this key from now on; the old ones still count."""
        document = {"object": KEYS, "id": key.kid, "private_key": key.private_pem()}
        with self._store.transaction():
            self._store.delete(KEYS, key.kid)  # one that was there already becomes the newest
            self._store.put(document)
        self._loaded[key.kid] = key

    def drop_previous(self) -> None:
        """Let no signature count but those of the present key."""
        with self._store.transaction():
            for old in self._previous():
                self._store.delete(KEYS, old["id"])
            for withdrawn in self._store.find(_WITHDRAWN):
                self._store.delete(_WITHDRAWN, withdrawn["id"])

    def withdraw_previous(self) -> None:
        """Publish no key but the present one; the instance itself still takes the others."""
        with self._store.transaction():
            for old in self._previous():
                self._store.delete(KEYS, old["id"])
                self._store.put({**old, "object": _WITHDRAWN})

    def _previous(self) -> list[Document]:
        return self._store.find(KEYS)[:-1]

    def _load(self, known: Document) -> SigningKey:
        """Return a key from its text, which takes long enough to do it once."""
        kid = str(known["id"])
        if kid not in self._loaded:
            self._loaded[kid] = SigningKey.from_pem(kid, known["private_key"])
        return self._loaded[kid]
