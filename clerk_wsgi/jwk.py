"""One public key: reading it from a JWKS or a PEM text, and verifying a signature with it.

Where keys come from and how long they count is the business of ``keys.py``. Only RSA keys that
are safe to use are ever made (rules D15 and D17): 2048 to 8192 bits, an odd exponent of at least
65537. Larger ones would make every forged signature expensive to refuse.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from .errors import ClerkUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_KEYS = 100
MIN_BITS, MAX_BITS = 2048, 8192
MIN_EXPONENT, MAX_EXPONENT_BITS = 65537, 64

_PADDING, _HASH = PKCS1v15(), SHA256()
_LONGEST_NUMBER = 1400  # characters of base64url: a little more than MAX_BITS need
_QUOTES_AND_SPACE = " \t\r\n\v\f\ufeff\"'`"
_FROM_URL_SAFE = str.maketrans("-_", "+/")
_ESCAPED_LINE_END = re.compile(r"(?:\\+r)?\\+n|\\+r")
_ARMOUR = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)


class KeysUnavailable(ClerkUnavailable):
    """Clerk's keys cannot be had, which says nothing about the token; ``reason`` says why."""

    reason: str

    def __init__(self, message: str, *, reason: str = "jwk-remote-failed-to-load") -> None:
        super().__init__(message, reason=reason)


class UnknownKey(LookupError):
    """No key has the token's ``kid``."""

    reason = "jwk-kid-mismatch"

    def __init__(self) -> None:
        super().__init__("No key of this instance has the token's key id (kid).")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VerificationKey:
    """An RSA public key; two are equal only if they are the same object.

    ``kid`` is its id in the key set, ``None`` for a key that has none (a PEM).
    """

    kid: str | None
    numbers: RSAPublicNumbers = field(repr=False)
    _size: int = field(repr=False)
    _public_key: RSAPublicKey = field(repr=False)

    @classmethod
    def from_numbers(cls, kid: str | None, numbers: RSAPublicNumbers) -> VerificationKey:
        """Return the key of these numbers, or raise ``ValueError`` if they are not safe."""
        bits = numbers.n.bit_length()
        if not MIN_BITS <= bits <= MAX_BITS:
            raise ValueError(f"an RSA key must have {MIN_BITS} to {MAX_BITS} bits, not {bits}")
        if numbers.e < MIN_EXPONENT or numbers.e.bit_length() > MAX_EXPONENT_BITS:
            raise ValueError("the exponent of an RSA key must be at least 65537 and below 2**64")
        if not numbers.e & numbers.n & 1:
            raise ValueError("modulus and exponent of an RSA key must be odd")
        return cls(
            kid=kid, numbers=numbers, _size=(bits + 7) // 8, _public_key=numbers.public_key()
        )

    def verify(self, signature: bytes, signed: bytes) -> bool:
        """Say whether this key made the signature (RSASSA-PKCS1-v1_5 with SHA-256, no other)."""
        if len(signature) != self._size:
            return False
        try:
            self._public_key.verify(signature, signed, _PADDING, _HASH)
        except InvalidSignature:
            return False
        return True


def parse_jwks(document: object) -> dict[str, VerificationKey]:
    """Return the usable keys of a key set by their ``kid`` (RFC 7517 section 5, rule D15).

    A bad member is skipped, of two good ones with one ``kid`` the first counts; there may be no
    good one at all. What is not a key set, an empty one, or one of more than 100 members raises
    ``KeysUnavailable``.
    """
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or not members:
        raise KeysUnavailable("Clerk's answer is not a set of keys.")
    if len(members) > MAX_KEYS:
        raise KeysUnavailable(f"Clerk's set of keys has more than {MAX_KEYS} members.")
    keys: dict[str, VerificationKey] = {}
    for member in members:
        if _is_for_signatures(member) and member["kid"] not in keys:
            _add_member(keys, member)
    return keys


def _is_for_signatures(member: Any) -> bool:
    if not isinstance(member, dict) or not isinstance(member.get("kid"), str):
        return False
    operations = member.get("key_ops", ["verify"])
    return (
        member.get("kty") == "RSA"
        and member.get("use", "sig") == "sig"
        and member.get("alg", "RS256") == "RS256"
        and isinstance(operations, list)
        and "verify" in operations
    )


def _add_member(keys: dict[str, VerificationKey], member: dict[str, Any]) -> None:
    kid = member["kid"]
    try:
        numbers = RSAPublicNumbers(_number(member.get("e")), _number(member.get("n")))
        keys[kid] = VerificationKey.from_numbers(kid, numbers)
    except ValueError:  # a bad member is as good as absent
        return


def _number(text: object) -> int:
    """Return a Base64urlUInt (RFC 7518 section 2), or raise ``ValueError`` for another spelling."""
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_NUMBER:
        raise ValueError("not a number in base64url")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not canonical base64url")
    return int.from_bytes(data, "big")


def parse_pem(text: str) -> VerificationKey:
    r"""Return the RSA public key of a text, or raise ``ValueError`` that quotes nothing of it.

    Every shape that an environment variable gives a key is taken (rule D17): SPKI, PKCS#1 or
    certificate armour, or only the base64 of one of them; literal ``\n``, spaces or nothing
    instead of line ends; quotes around it.
    """
    text = _ESCAPED_LINE_END.sub("\n", text).strip(_QUOTES_AND_SPACE)
    armoured = _ARMOUR.search(text)
    label, body = (armoured[1], armoured[2]) if armoured else ("", text)
    if "PRIVATE" in label or "PRIVATE KEY" in text:
        raise ValueError("it is a private key; the public key is needed")
    public_key = _load_public_key(_decode_body(body), label)
    if not isinstance(public_key, RSAPublicKey):
        raise ValueError("it is not an RSA key")
    return VerificationKey.from_numbers(None, public_key.public_numbers())


def _decode_body(body: str) -> bytes:
    try:
        return b64decode("".join(body.split()).translate(_FROM_URL_SAFE), validate=True)
    except ValueError:
        raise ValueError("it is not a public key in PEM form") from None


def _load_public_key(der: bytes, label: str) -> object:
    # Keys of a JWKS need none of these, which are slow to import.
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    load: Callable[[bytes], object] = load_der_public_key  # SPKI and PKCS#1 alike
    if label.endswith("CERTIFICATE"):
        load = _load_certificate_key
    try:
        return load(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if not label:  # only the base64, which may be a certificate's
            return _load_public_key(der, "CERTIFICATE")
        raise ValueError("it is not a public key that can be read") from None


def _load_certificate_key(der: bytes) -> object:
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(der).public_key()
