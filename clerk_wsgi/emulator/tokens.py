"""Header and claims of the tokens that the local Clerk mints (docs/protocol.md, "Session token").

Times are Unix seconds here, though the session's own are milliseconds.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION_CATEGORY = "cl_B7d4PD111AAA"


def session_header(kid: str) -> dict[str, Any]:
    """Return the header of a session token."""
    return {"alg": "RS256", "cat": SESSION_CATEGORY, "kid": kid, "typ": "JWT"}


def session_claims(
    session: Mapping[str, Any],
    entitled: Mapping[str, Any],
    *,
    issuer: str,
    now: int,
    expires_in: int,
) -> dict[str, Any]:
    """Return the claims (version 2) of a token for ``session`` that lives ``expires_in`` seconds.

    ``entitled`` are the claims about an organization, features and plans.

    There is no ``azp``: a token that the Backend API mints has no origin.
    """
    minutes = max(0, now - session["created_at"] // 1000) // 60
    claims = {
        **entitled,
        "exp": now + expires_in,
        "fva": [minutes, -1],
        "iat": now,
        "iss": issuer,
        "jti": secrets.token_hex(10),
        "nbf": now - 10,
        "sid": session["id"],
        "sts": "pending" if session["status"] == "pending" else "active",
        "sub": session["user_id"],
        "v": 2,
    }
    if session["actor"] is not None:
        claims["act"] = session["actor"]
    return claims


def client_header(kid: str) -> dict[str, Any]:
    """Return the header of a client token."""
    return {"alg": "RS256", "kid": kid, "typ": "JWT"}


def client_claims(client: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims of a client token: which client, and the secret that it has now."""
    return {"id": client["id"], "rotating_token": client["rotating_token"]}
