"""Identifiers and keys of the same form as Clerk's, from the system's random source."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """Return ``<prefix>_`` and 27 letters and digits."""
    return f"{prefix}_{_random_text(27)}"


def new_secret_key() -> str:
    """Return a secret key of a development instance."""
    return f"sk_test_{_random_text(42)}"


def new_rotating_token() -> str:
    """Return the secret that ties client tokens to a client."""
    return _random_text(40)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
