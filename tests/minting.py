"""Real keys and real tokens for tests, made here so that nothing judges itself."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

NOW = 1_795_413_600
SESSION_CATEGORY = "cl_B7d4PD111AAA"
PUBLISHABLE_LIVE = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
PUBLISHABLE_TEST = "pk_test_aGFwcHktZW11LTEuY2xlcmsuYWNjb3VudHMuZGV2JA"
SUFFIX_LIVE = "naoXFJnI"
SUFFIX_TEST = "X3MQYouV"
ISSUER_LIVE = "https://clerk.example.com"
ISSUER_TEST = "https://happy-emu-1.clerk.accounts.dev"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def segment(value: object) -> str:
    """A header or payload as it stands in a token; bytes and text are taken as they are."""
    if isinstance(value, bytes):
        return base64url(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return base64url(text.encode())


def number(text: str) -> int:
    """The integer that a base64url text spells."""
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


class Minter:
    """An RSA key that signs tokens the way Clerk does."""

    def __init__(
        self, kid: str = "ins_k1", bits: int = 2048, *, private: rsa.RSAPrivateKey | None = None
    ) -> None:
        self.kid = kid
        self.private = private or rsa.generate_private_key(65537, bits)
        self.public = self.private.public_key()
        self.pem = self.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    def jwk(self, **members: Any) -> dict[str, Any]:
        numbers = self.public.public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        return {
            "use": "sig",
            "kty": "RSA",
            "alg": "RS256",
            "kid": self.kid,
            "n": base64url(numbers.n.to_bytes(size, "big")),
            "e": base64url(numbers.e.to_bytes(3, "big")),
            **members,
        }

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.jwk()]}

    def sign(self, signed: str) -> bytes:
        return self.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())

    def sign_block(self, block: bytes) -> bytes:
        """The bare RSA operation: a signature that opens to ``block``, whatever that is."""
        numbers = self.private.private_numbers()
        n = numbers.public_numbers.n
        return pow(int.from_bytes(block, "big"), numbers.d, n).to_bytes(len(block), "big")

    def compact(self, header: object, payload: object) -> str:
        """A token of any header and payload, rightly signed."""
        signed = f"{segment(header)}.{segment(payload)}"
        return f"{signed}.{base64url(self.sign(signed))}"

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A session token valid at ``NOW``; a claim or header given as ``...`` is left out."""
        payload = {
            "azp": "https://app.test",
            "exp": NOW + 60,
            "iat": NOW,
            "iss": ISSUER_LIVE,
            "nbf": NOW - 10,
            "sid": "sess_1",
            "sub": "user_1",
            **claims,
        }
        head = {"alg": "RS256", "kid": self.kid, "typ": "JWT", **(header or {})}
        return self.compact(_without_gaps(head), _without_gaps(payload))


def _without_gaps(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ...}


def environ(**keys: str) -> dict[str, Any]:
    """A GET of http://app.test/ as a WSGI server gives it, plus or minus some keys."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "app.test",
        "SERVER_PORT": "80",
        "HTTP_HOST": "app.test",
        "wsgi.url_scheme": "http",
        **keys,
    }
