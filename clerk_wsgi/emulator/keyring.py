"""The keys of an instance: the one that signs, and those that did before and still count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .ids import new_id
from .signing import SigningKey

if TYPE_CHECKING:
    from .store import Store

_RETIRED = "retired_key"


class KeyRing:
    """The keys in a store. Which one signs is looked up each time: another process may rotate."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loaded: dict[str, SigningKey] = {}

    @staticmethod
    def populate(store: Store) -> None:
        """Give a fresh store its first key."""
        _sign_with(SigningKey.generate(new_id("ins")), store)

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        with self._store.transaction():
            kid, pem = self._store.setting("kid"), self._store.setting("private_key")
        assert kid is not None
        assert pem is not None
        return self._load(kid, pem)

    def all(self) -> list[SigningKey]:
        """Return the keys whose signatures count, the present one first."""
        retired = reversed(self._store.find(_RETIRED))
        return [self.current, *(self._load(old["id"], old["private_key"]) for old in retired)]

    def find(self, kid: object) -> SigningKey | None:
        """Return the key of that name if its signatures count."""
        return next((key for key in self.all() if key.kid == kid), None)

    def jwks(self) -> dict[str, Any]:
        """Return the public keys (RFC 7517)."""
        return {"keys": [key.jwk() for key in self.all()]}

    def rotate(self) -> str:
        """Sign with a new key from now on, and return its name; the old ones still count."""
        with self._store.transaction():
            old = self.current
            self._store.put({"object": _RETIRED, "id": old.kid, "private_key": old.private_pem()})
            return _sign_with(SigningKey.generate(new_id("ins")), self._store)

    def drop_retired(self) -> None:
        """Let no signature count but those of the present key."""
        with self._store.transaction():
            for old in self._store.find(_RETIRED):
                self._store.delete(_RETIRED, old["id"])

    def _load(self, kid: str, pem: str) -> SigningKey:
        """Return a key from its text, which takes long enough to do it once."""
        if kid not in self._loaded:
            self._loaded[kid] = SigningKey.from_pem(kid, pem)
        return self._loaded[kid]


def _sign_with(key: SigningKey, store: Store) -> str:
    with store.transaction():
        store.set_setting("kid", key.kid)
        store.set_setting("private_key", key.private_pem())
    return key.kid
