"""Passwords as digests (scrypt, RFC 7914): made when one is set, asked when one is entered."""

from __future__ import annotations

import hashlib
import hmac
import secrets

# Modest: these passwords are for demos, and every fresh state has one.
_N, _R, _P = 1 << 13, 8, 1
_SALT = 16


def digest_of(password: str) -> str:
    """Return what may be kept of a password."""
    salt = secrets.token_bytes(_SALT)
    return f"scrypt${salt.hex()}${_scrypt(password, salt).hex()}"


def is_password(password: str, digest: str) -> bool:
    """Say whether the digest was made of this password."""
    _, salt, expected = digest.split("$")
    found = _scrypt(password, bytes.fromhex(salt))
    return hmac.compare_digest(found, bytes.fromhex(expected))


def _scrypt(password: str, salt: bytes) -> bytes:
    # A form may spell half of a character, which UTF-8 cannot.
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=_N, r=_R, p=_P)
