"""The RSA key that the local Clerk signs with, and nothing about what is signed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private RSA key with the key id that tokens name it by."""

    kid: str
    private: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def generate(cls, kid: str) -> SigningKey:
        """Return a new key of 2048 bits."""
        return cls(kid, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def from_pem(cls, kid: str, pem: str) -> SigningKey:
        """Return the key that ``private_pem`` wrote; ``ValueError`` for anything else."""
        private = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise ValueError("not an RSA key")
        return cls(kid, private)

    def private_pem(self) -> str:
        """Return the private key as an unencrypted PKCS#8 PEM."""
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def public_pem(self) -> str:
        """Return the public key as a SPKI PEM, the form of ``CLERK_JWT_KEY``."""
        return self._public_bytes(serialization.Encoding.PEM).decode()

    def public_der(self) -> bytes:
        """Return the public key as the bytes inside the PEM."""
        return self._public_bytes(serialization.Encoding.DER)

    def jwk(self) -> dict[str, str]:
        """Return the public key as a member of a JWKS (RFC 7517)."""
        numbers = self.private.public_key().public_numbers()
        return {
            "use": "sig",
            "kty": "RSA",
            "kid": self.kid,
            "alg": "RS256",
            "n": _base64url(_big_endian(numbers.n)),
            "e": _base64url(_big_endian(numbers.e)),
        }

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """Return a compact JWS over header and claims as they are."""
        return self.sign_text(f"{_json_segment(header)}.{_json_segment(claims)}")

    def sign_text(self, signed: str) -> str:
        """Return ``signed`` with its RS256 signature appended."""
        signature = self.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64url(signature)}"

    def has_signed(self, signed: bytes, signature: bytes) -> bool:
        """Say whether this is our RS256 signature of these bytes."""
        try:
            self.private.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def _public_bytes(self, encoding: serialization.Encoding) -> bytes:
        return self.private.public_key().public_bytes(
            encoding, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def forge(token: str) -> str:
    """Return the token with another key's signature: what an attacker without the key can make.

    Header (``kid`` included) and claims stay as they were.
    """
    signed, _, _ = token.rpartition(".")
    return SigningKey.generate("forger").sign_text(signed)


def _json_segment(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
