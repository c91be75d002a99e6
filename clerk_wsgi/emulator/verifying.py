"""Whether a token that somebody brings back is one that this Clerk has minted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..jws import Malformed, parse_jws
from .tokens import SESSION_CATEGORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from .keyring import KeyRing
    from .signing import SigningKey

    FindKey = Callable[[object], SigningKey | None]

_LIFE = ("nbf", "exp")


def session_token_claims(token: str, keys: KeyRing, *, now: float) -> dict[str, Any] | None:
    """Return the claims of a session token that is ours and valid at ``now``, else ``None``."""
    claims = signed_session_claims(token, keys)
    return claims if claims and claims["nbf"] <= now < claims["exp"] else None


def signed_session_claims(token: str, keys: KeyRing) -> dict[str, Any] | None:
    """Return the claims of a session token that is ours, be it expired, else ``None``."""
    header, claims = _read(token, keys.find)
    if header.get("cat") != SESSION_CATEGORY or not isinstance(claims.get("sid"), str):
        return None
    return claims if all(type(claims.get(name)) is int for name in _LIFE) else None


def client_token_claims(token: str, keys: KeyRing) -> dict[str, Any] | None:
    """Return the claims of a token with our signature that is no session token, else ``None``.

    Only we read such tokens, so that a key which was withdrawn will do.
    """
    header, claims = _read(token, lambda kid: keys.find(kid) or keys.find_withdrawn(kid))
    return claims if header and "cat" not in header else None


def _read(token: str, find: FindKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims, both empty if the signature is not ours."""
    try:
        jws = parse_jws(token)
    except Malformed:
        return {}, {}
    key = find(jws.header.get("kid")) if jws.header.get("alg") == "RS256" else None
    if key is None or not key.has_signed(jws.signed, jws.signature):
        return {}, {}
    return jws.header, jws.payload
