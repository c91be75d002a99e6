"""A token of every class, good or bad in one way each, and what the wrapper decides for it.

What is said of a decision is about a token in the ``Authorization`` header of a GET, with default
settings; ``require_session`` answers 401 unless it is said that the token passes.
"""

from __future__ import annotations

import secrets
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ..emulator import SigningKey
from ..emulator.cookies import CookieLines, Reach
from ..emulator.tokens import session_header
from ..machine import M2M_CATEGORY
from ..settings import parse_publishable_key

if TYPE_CHECKING:
    from ..emulator import Emulator
    from ..emulator.objects import Document

    Counting = Literal["active", "revoked", "expired"]

TEMPLATE_CATEGORY = "cl_B7d4PD222AAA"
ELSEWHERE = "https://elsewhere.example"


class Tokens:
    """Makes tokens of one local Clerk, all of them for the same ``user`` and ``session``.

    ``claims`` replace those of a token. ``forger`` is the key that is not the instance's; making
    one takes a while, so that a suite may want to share it.
    """

    def __init__(self, emulator: Emulator, *, forger: SigningKey | None = None) -> None:
        self._emulator = emulator
        self._given_forger = forger

    @cached_property
    def user(self) -> Document:
        """Whom the tokens stand for."""
        return self._emulator.create_user()

    @cached_property
    def session(self) -> Document:
        """The session that the tokens are of."""
        return self._emulator.create_session(self.user["id"])

    # Session tokens

    def valid(self, **claims: Any) -> str:
        """Return a session token that passes."""
        return self._emulator.session_token(self.session["id"], **claims)

    def pending(self, **claims: Any) -> str:
        """Return a token of a session with tasks to do: signed-in, and refused all the same.

        The reason is ``session-pending``.
        """
        session = self._emulator.create_session(self.user["id"], status="pending")
        return self._emulator.session_token(session["id"], **claims)

    def expired(self, seconds: int = 60, **claims: Any) -> str:
        """Return a token that has been over for so long: ``session-token-expired-refresh-…``.

        The rest of the reason says why it was not renewed. Up to ``clock_skew`` it passes.
        """
        expiry = self._now - seconds
        issued = expiry - self._emulator.token_lifetime
        return self.valid(**{"iat": issued, "nbf": issued - 10, "exp": expiry, **claims})

    def not_yet_valid(self, seconds: int = 60, **claims: Any) -> str:
        """Return a token that counts only in so many seconds: ``session-token-nbf``."""
        start = self._now + seconds
        return self.valid(**{"nbf": start, "exp": start + self._emulator.token_lifetime, **claims})

    def issued_in_the_future(self, seconds: int = 60, **claims: Any) -> str:
        """Return a token of a Clerk whose clock is ahead: ``session-token-iat-in-the-future``."""
        issued = self._now + seconds
        return self.valid(
            **{"iat": issued, "exp": issued + self._emulator.token_lifetime, **claims}
        )

    def wrong_key(self, **claims: Any) -> str:
        """Return a token that another key has signed in our key's name.

        The reason is ``token-invalid-signature``.
        """
        signed, _, _ = self.valid(**claims).rpartition(".")
        return self._forger.sign_text(signed)

    def unknown_key(self, **claims: Any) -> str:
        """Return a token of a key that the instance never had: ``jwk-kid-mismatch``."""
        return self._forger.sign(session_header(self._forger.kid), self._claims(**claims))

    def unsigned(self, **claims: Any) -> str:
        """Return a token with the algorithm ``none``: ``token-invalid-algorithm``.

        Its signature is a good one all the same.
        """
        return self._sign({"alg": "none"}, self._claims(**claims))

    def template(self, **claims: Any) -> str:
        """Return a token of a JWT template, for other services: ``token-type-mismatch``."""
        return self._sign({"cat": TEMPLATE_CATEGORY}, self._claims(**claims))

    def malformed(self) -> str:
        """Return what is no token at all: ``token-invalid``."""
        return "no.token.this"

    def wrong_party(self, azp: str = ELSEWHERE, **claims: Any) -> str:
        """Return a token made for another origin.

        It passes, unless ``authorized_parties`` are named: ``token-invalid-authorized-parties``.
        """
        return self.valid(azp=azp, **claims)

    def wrong_issuer(self, iss: str = ELSEWHERE, **claims: Any) -> str:
        """Return a token that names another instance.

        It passes, unless an ``issuer`` is named: ``token-invalid-issuer``.
        """
        return self.valid(iss=iss, **claims)

    def wrong_audience(self, aud: str = ELSEWHERE, **claims: Any) -> str:
        """Return a token for another audience.

        It passes, unless an ``audience`` is named: ``token-verification-failed``.
        """
        return self.valid(aud=aud, **claims)

    # Machine tokens: refused unless accepts_token names their type. A JWT is then
    # token-type-mismatch, an opaque token token-invalid.

    def api_key(self, status: Counting = "active", **fields: Any) -> str:
        """Return an API key of the user: passes with ``accepts_token="api_key"``.

        Revoked or expired it is ``token-invalid``. ``fields`` are those of
        ``emulator.create_api_key``.
        """
        made = self._emulator.create_api_key(
            self.user["id"], **{"expires_in": _lifetime(status), **fields}
        )
        return str(self._settled(made, status)["secret"])

    def m2m_token(self, status: Counting = "active", **fields: Any) -> str:
        """Return an M2M token of a new machine: passes with ``accepts_token="m2m_token"``.

        Revoked or expired it is ``token-invalid``. ``fields`` are those of
        ``emulator.create_m2m_token``.
        """
        machine = self._emulator.create_machine()
        made = self._emulator.create_m2m_token(
            machine["id"], **{"expires_in": _lifetime(status), **fields}
        )
        return str(self._settled(made, status)["token"])

    def oauth_token(self, status: Counting = "active", **fields: Any) -> str:
        """Return an access token of the user's: passes with ``accepts_token="oauth_token"``.

        Revoked or expired it is ``token-invalid``. ``fields`` are those of
        ``emulator.create_oauth_token``.
        """
        made = self._emulator.create_oauth_token(
            self.user["id"], **{"expires_in": _lifetime(status), **fields}
        )
        return str(self._settled(made, status)["token"])

    def m2m_jwt(self, **claims: Any) -> str:
        """Return an M2M token that needs no question: passes with ``accepts_token="m2m_token"``.

        Expired or forged it is ``token-verification-failed``.
        """
        machine = self._emulator.create_machine()
        own = {"sub": machine["id"], "jti": f"mt_{secrets.token_hex(16)}", "scopes": ""}
        return self._sign({"cat": M2M_CATEGORY}, {**self._registered(), **own, **claims})

    def oauth_jwt(self, **claims: Any) -> str:
        """Return an access token as a JWT: passes with ``accepts_token="oauth_token"``.

        Expired or forged it is ``token-verification-failed``.
        """
        own = {
            "sub": self.user["id"],
            "jti": f"oat_{secrets.token_hex(16)}",
            "client_id": "a_client",
            "scope": "profile email",
        }
        header = {"typ": "at+jwt", "cat": ...}
        return self._sign(header, {**self._registered(), **own, **claims})

    # What is no token of a request's, and travels elsewhere

    def client_token(self, **claims: Any) -> str:
        """Return what a browser is known by at Clerk: ``token-verification-failed``.

        As the cookie ``__session`` it passes with ``verification="live"``.
        """
        return self._emulator.client_token(self.session["client_id"], **claims)

    def handshake(self, *, cookies: list[str] | None = None) -> str:
        """Return what a handshake brings home: ``token-verification-failed``.

        As the query parameter or the cookie ``__clerk_handshake`` it sets the ``Set-Cookie``
        lines, those of a session token by default, and passes if there is a valid one among them.
        """
        lines = self._session_lines() if cookies is None else cookies
        return self._emulator.handshake_token(lines)

    # How they are made

    @property
    def _now(self) -> int:
        return int(self._emulator._clock())

    @cached_property
    def _forger(self) -> SigningKey:
        return self._given_forger or SigningKey.generate("ins_of_somebody_else")

    def _claims(self, **claims: Any) -> dict[str, Any]:
        """Return what a valid session token says."""
        token = self._emulator.read_session_token(self.valid())
        assert token is not None
        return {**token, **claims}

    def _registered(self) -> dict[str, Any]:
        now = self._now
        lifetime = self._emulator.token_lifetime
        return {"iss": self._emulator.issuer, "iat": now, "nbf": now - 10, "exp": now + lifetime}

    def _sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """Return a token of the instance's key; ``...`` in a header is what is left out."""
        key = self._emulator._keys.current
        members = {**session_header(key.kid), **header}.items()
        return key.sign({name: value for name, value in members if value is not ...}, claims)

    def _session_lines(self) -> list[str]:
        lines = CookieLines(parse_publishable_key(self._emulator.publishable_key))
        client = self._emulator.client(self.session["client_id"])
        reach = Reach()
        return [
            *lines.session(self.valid(), reach),
            *lines.client_uat(client["updated_at"] // 1000, reach),
        ]

    def _settled(self, made: Document, status: Counting) -> Document:
        if status == "revoked":
            self._emulator.revoke_machine_token(made["id"])
        return made


def _lifetime(status: Counting) -> int | None:
    """Return how many seconds a machine token counts: an expired one never did."""
    if status not in ("active", "revoked", "expired"):
        raise ValueError(f"status: expected 'active', 'revoked' or 'expired', got {status!r}")
    return 0 if status == "expired" else None
