"""Machine tokens: API keys, M2M tokens and OAuth access tokens, opaque or JWT.

docs/protocol.md, "Machine tokens". One verifier a kind: a JWT is verified here, an opaque token
only Clerk can judge (rule D18).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .claims import copied
from .jws import Jws, Malformed, parse_jws
from .machine_auth import ApiKeyAuth, M2MAuth, MachineAuth, OAuthAuth
from .questions import NoAnswer, Refusal
from .settings import API_KEY, M2M_TOKEN, OAUTH_TOKEN
from .tokens import (
    MACHINE_TYPES,
    Audience,
    Times,
    TokenRefused,
    check_header,
    check_signature,
    check_subject,
    find_key,
    is_machine_jwt,
    is_machine_subject,
    parse_token,
)

if TYPE_CHECKING:
    from .keys import Keys
    from .questions import ClerkApi

PREFIXES = {"ak_": API_KEY, "mt_": M2M_TOKEN, "oat_": OAUTH_TOKEN}
M2M_CATEGORY = "cl_B7d4PD333AAA"

_JWT_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_OPAQUE = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")
# Claims that every JWT has; what is left are the token's own.
_REGISTERED = frozenset({"iss", "sub", "exp", "nbf", "iat", "jti"})


class MachineRefused(Exception):
    """A machine token that does not count: ``token_type`` is what it was taken for."""

    def __init__(self, token_type: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.token_type = token_type
        self.reason = reason
        self.message = message


def machine_type_of(text: str) -> str | None:
    """Return what kind of machine token a text is, ``None`` if it is none.

    A subject counts before a type, and both before a prefix.
    """
    return _jwt_type_of(text) or next(
        (kind for prefix, kind in PREFIXES.items() if text.startswith(prefix)), None
    )


def _jwt_type_of(text: str) -> str | None:
    try:
        jws = parse_jws(text)
    except Malformed:
        return None
    if not is_machine_jwt(jws):
        return None
    return M2M_TOKEN if is_machine_subject(jws) else OAUTH_TOKEN


class MachineVerifier:
    """Verifies machine tokens of one instance; ``keys`` is ``None`` if it has none to ask for.

    ``clock_skew`` is in seconds.
    """

    def __init__(
        self, keys: Keys | None, api: ClerkApi | None, audience: Audience, *, clock_skew: float
    ) -> None:
        self._keys = keys
        self._api = api
        self._audience = audience
        self._clock_skew = clock_skew

    def verify(self, text: str, kind: str, now: float) -> MachineAuth:
        """Return who is asking, or raise ``MachineRefused``; ``now`` in Unix seconds."""
        if not _JWT_SHAPE.fullmatch(text):
            return self._verify_opaque(text, kind)
        # What has the shape of a JWT never goes to the API; unreadable, it is taken for M2M.
        kind = _jwt_type_of(text) or M2M_TOKEN
        try:
            return self._verify_jwt(parse_token(text), kind, now)
        except TokenRefused as error:
            reason = error.reason if error.reason in _KEPT_REASONS else "token-verification-failed"
            raise MachineRefused(kind, reason, error.message) from error

    def _verify_jwt(self, jws: Jws, kind: str, now: float) -> MachineAuth:
        if kind == M2M_TOKEN and jws.header.get("cat", M2M_CATEGORY) != M2M_CATEGORY:
            raise TokenRefused("token-invalid", "The token is of another class (cat).")
        _check_machine_header(jws, kind)
        if self._keys is None:
            raise TokenRefused("token-verification-failed", "There are no keys to verify it with.")
        check_signature(jws, find_key(self._keys, jws))
        check_subject(jws.payload)
        self._check_audience(jws.payload, kind)
        Times.of(jws.payload).check(now, self._clock_skew)
        return _m2m_of_claims(jws.payload) if kind == M2M_TOKEN else _oauth_of_claims(jws.payload)

    def _check_audience(self, claims: dict[str, Any], kind: str) -> None:
        self._audience.check_audience(claims)
        aud = claims.get("aud")
        is_asked = kind == OAUTH_TOKEN and self._audience.audience
        if is_asked and isinstance(aud, list) and not all(aud):
            raise TokenRefused("token-verification-failed", "The audience has an empty entry.")

    def _verify_opaque(self, text: str, kind: str) -> MachineAuth:
        if not _OPAQUE.fullmatch(text) or self._api is None:
            raise MachineRefused(kind, "token-invalid", "The token cannot be one of Clerk's.")
        try:
            answer = self._api.verify_machine_token(kind, text)
        except NoAnswer as error:
            raise MachineRefused(kind, "unexpected-error", str(error)) from error
        except Refusal as error:
            reason = _REFUSALS.get(error.status, "unexpected-error")
            raise MachineRefused(kind, reason, str(error)) from error
        return self._auth_of_answer(answer, kind)

    def _auth_of_answer(self, answer: Any, kind: str) -> MachineAuth:
        if not isinstance(answer, dict):
            raise MachineRefused(kind, "unexpected-error", "Clerk's answer cannot be read.")
        subject = answer.get("subject")
        if answer.get("revoked") is True or answer.get("expired") is True:
            raise MachineRefused(kind, "token-invalid", "The token was revoked or has expired.")
        if not isinstance(subject, str) or not subject:
            raise MachineRefused(kind, "token-invalid", "The token stands for nobody.")
        if kind == OAUTH_TOKEN:
            self._check_answered_audience(answer)
        return _READERS[kind](answer, subject)

    def _check_answered_audience(self, answer: dict[str, Any]) -> None:
        try:
            self._check_audience(answer, OAUTH_TOKEN)
        except TokenRefused as error:
            raise MachineRefused(OAUTH_TOKEN, error.reason, error.message) from None


def _check_machine_header(jws: Jws, kind: str) -> None:
    """Refuse a header that a JWT of this kind may not have; ``at+jwt`` is for OAuth alone."""
    try:
        check_header(jws, types=("JWT",) if kind == M2M_TOKEN else MACHINE_TYPES)
    except TokenRefused as error:
        raise TokenRefused("token-verification-failed", error.message) from error


# Refusals of a JWT that keep their own reason; the others are one and the same to a machine.
_KEPT_REASONS = ("token-invalid", "jwk-remote-failed-to-load")
_REFUSALS = {401: "secret-key-invalid", 404: "token-invalid"}


def _m2m_of_claims(claims: dict[str, Any]) -> MachineAuth:
    own = {name: value for name, value in claims.items() if name not in _REGISTERED}
    scopes = claims.get("scopes")
    audience = claims.get("aud")
    return M2MAuth(
        token_type=M2M_TOKEN,
        is_authenticated=True,
        id=_text(claims.get("jti")) or "",
        subject=claims["sub"],
        scopes=_words(scopes) if isinstance(scopes, str) else _texts(audience),
        machine_id=claims["sub"],
        _claims=own or None,
    )


def _oauth_of_claims(claims: dict[str, Any]) -> MachineAuth:
    scopes = claims.get("scp")
    return OAuthAuth(
        token_type=OAUTH_TOKEN,
        is_authenticated=True,
        id=_text(claims.get("jti")) or "",
        subject=claims["sub"],
        scopes=_texts(scopes) if isinstance(scopes, list) else _words(claims.get("scope")),
        user_id=claims["sub"],
        client_id=_text(claims.get("client_id")) or "",
    )


def _api_key_of(answer: dict[str, Any], subject: str) -> MachineAuth:
    return ApiKeyAuth(
        token_type=API_KEY,
        is_authenticated=True,
        id=_text(answer.get("id")),
        subject=subject,
        name=_text(answer.get("name")),
        scopes=_answered_scopes(answer),
        user_id=subject if subject.startswith("user_") else None,
        org_id=subject if subject.startswith("org_") else None,
        _claims=_answered_claims(answer),
    )


def _m2m_of(answer: dict[str, Any], subject: str) -> MachineAuth:
    return M2MAuth(
        token_type=M2M_TOKEN,
        is_authenticated=True,
        id=_text(answer.get("id")),
        subject=subject,
        scopes=_answered_scopes(answer),
        machine_id=subject,
        _claims=_answered_claims(answer),
    )


def _oauth_of(answer: dict[str, Any], subject: str) -> MachineAuth:
    # Clerk's SDK reads the client of such objects only.
    is_known = answer.get("object") == "clerk_idp_oauth_access_token"
    return OAuthAuth(
        token_type=OAUTH_TOKEN,
        is_authenticated=True,
        id=_text(answer.get("id")),
        subject=subject,
        scopes=_answered_scopes(answer),
        user_id=subject,
        client_id=_text(answer.get("client_id")) if is_known else None,
    )


_READERS = {API_KEY: _api_key_of, M2M_TOKEN: _m2m_of, OAUTH_TOKEN: _oauth_of}


def _answered_scopes(answer: dict[str, Any]) -> tuple[str, ...] | None:
    scopes = answer.get("scopes")
    return _texts(scopes) if isinstance(scopes, list) else None


def _answered_claims(answer: dict[str, Any]) -> dict[str, Any] | None:
    claims = answer.get("claims")
    return copied(claims) if isinstance(claims, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _words(value: object) -> tuple[str, ...]:
    return tuple(value.split(" ")) if isinstance(value, str) else ()


def _texts(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    return tuple(one for one in values if isinstance(one, str)) if isinstance(values, list) else ()
