"""Session tokens: verifying them, and remembering those that were verified.

The order of the checks and the reasons are those of docs/protocol.md, "Verification order": the
signature before any claim. A refused token is a ``TokenRefused``; the decision makes a state of
it. Times are not part of what is remembered: they are checked on every use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .jws import Jws, JwsReader, Malformed, parse_jws
from .keys import KeysUnavailable, UnknownKey, VerificationKey
from .remembering import Memory
from .state import SignedIn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .keys import Keys

SESSION_CATEGORIES = ("cl_B7d4PD111AAA", "cl_I7d4PD111III")
MACHINE_TYPES = ("at+jwt", "application/at+jwt")
REMEMBERED_TOKENS = 4096


class TokenRefused(Exception):
    """A token that does not count: ``reason`` is a code of docs/protocol.md, "Reasons"."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Times(NamedTuple):
    """When a token is valid, in whole Unix seconds; 0 where it does not say (``exp`` must)."""

    expires_at: int
    not_before: int
    issued_at: int

    @classmethod
    def of(cls, claims: dict[str, Any]) -> Times:
        """Read ``exp``, ``nbf`` and ``iat`` (rule D13), or raise ``TokenRefused``."""
        get = claims.get
        expires_at, not_before, issued_at = get("exp"), get("nbf", 0), get("iat", 0)
        if type(expires_at) is type(not_before) is type(issued_at) is int:
            return cls(expires_at, not_before, issued_at)  # as Clerk writes them
        return cls(
            _time_claim(claims, "exp"),
            _time_claim(claims, "nbf", absent=0),
            _time_claim(claims, "iat", absent=0),
        )

    def include(self, now: float, clock_skew: float) -> bool:
        """Say whether ``now`` lies between them, give or take the skew."""
        latest = now + clock_skew
        is_begun = self.not_before <= latest and self.issued_at <= latest
        return is_begun and self.expires_at > now - clock_skew

    def check(self, now: float, clock_skew: float) -> None:
        """Raise ``TokenRefused`` unless ``now`` lies between them, give or take the skew."""
        if self.expires_at <= now - clock_skew:
            raise TokenRefused("token-expired", "The token has expired (exp).")
        latest = now + clock_skew
        if self.not_before > latest:
            raise TokenRefused("token-not-active-yet", "The token is not valid yet (nbf).")
        if self.issued_at > latest:
            raise TokenRefused("token-iat-in-the-future", "The token is from the future (iat).")


class SessionToken(NamedTuple):
    """A session token whose signature and lasting claims were verified, but not its times.

    ``state`` is the decision for a request that carries it while it is valid.
    """

    key: VerificationKey
    claims: dict[str, Any]
    times: Times
    state: SignedIn

    def __repr__(self) -> str:
        return f"SessionToken(times={self.times!r}, state={self.state!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """For whom a token must be: empty fields ask for nothing.

    ``authorized_parties`` are origins (``azp``), ``audience`` values of ``aud``, of which one
    must be in the token (rule D12), ``issuer`` values of ``iss``.
    """

    authorized_parties: Sequence[str] = ()
    audience: Sequence[str] = ()
    issuer: Sequence[str] = ()

    def check(self, claims: dict[str, Any]) -> None:
        """Raise ``TokenRefused`` if a session token is for somebody else."""
        self.check_audience(claims)
        azp = claims.get("azp")
        if self.authorized_parties and not (azp and azp in self.authorized_parties):
            raise TokenRefused(
                "token-invalid-authorized-parties", "The token was made for another origin (azp)."
            )
        if self.issuer and claims.get("iss") not in self.issuer:
            raise TokenRefused("token-invalid-issuer", "The token has another issuer (iss).")

    def check_audience(self, claims: dict[str, Any]) -> None:
        """Raise ``TokenRefused`` if any token is for another audience (``aud``)."""
        if self.audience and not _intersects(claims.get("aud"), self.audience):
            raise TokenRefused("token-verification-failed", "The token has another audience.")


def _intersects(aud: object, wanted: Sequence[str]) -> bool:
    values = [aud] if isinstance(aud, str) else aud
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return False
    return any(value in wanted for value in values)


def claims_of(presented: SessionToken | Jws) -> dict[str, Any]:
    """Return what a presented token says; of a ``Jws`` that is not verified."""
    return presented.payload if isinstance(presented, Jws) else presented.claims


def parse_token(text: str, parse: Callable[[str], Jws] = parse_jws) -> Jws:
    """Return the unverified parts of a token, or raise ``TokenRefused`` (``token-invalid``)."""
    try:
        return parse(text)
    except Malformed as error:
        raise TokenRefused("token-invalid", f"The token cannot be read: {error}.") from None


def is_machine_jwt(jws: Jws) -> bool:
    """Say whether a JWT is of a machine: M2M by its subject, OAuth by its ``typ``."""
    return is_machine_subject(jws) or jws.header.get("typ") in MACHINE_TYPES


def is_machine_subject(jws: Jws) -> bool:
    """Say whether a JWT stands for a machine (M2M)."""
    subject = jws.payload.get("sub")
    return isinstance(subject, str) and subject.startswith("mch_")


def is_session_class(jws: Jws) -> bool:
    """Say whether a JWT may be a session token by its class: not a machine's, not a template."""
    if "cat" in jws.header and jws.header["cat"] not in SESSION_CATEGORIES:
        return False
    return not is_machine_jwt(jws)


class SessionTokenVerifier:
    """Verifies session tokens with the keys of one instance, and remembers them.

    ``clock_skew`` is in seconds. A remembered token is forgotten with its key.
    """

    def __init__(
        self,
        keys: Keys,
        audience: Audience,
        *,
        clock_skew: float,
        remember: int = REMEMBERED_TOKENS,
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._clock_skew = clock_skew
        self._remembered: Memory[str, SessionToken] = Memory(remember)
        self._reader = JwsReader()
        self.parse = self._reader.read

    def recall(self, text: str) -> SessionToken | None:
        """Return a token verified before, if its key is still one; its times are unchecked."""
        token = self._remembered.recall(text)
        if token is None or self._keys.is_current(token.key):
            return token
        self._remembered.forget(text)
        return None

    def still_counts(self, token: SessionToken, now: float) -> bool:
        """Say whether a token verified before is valid at ``now``, and its key is still one."""
        return token.times.include(now, self._clock_skew) and self._keys.is_current(token.key)

    def present(self, text: str, parse: Callable[[str], Jws] | None = None) -> SessionToken | Jws:
        """Return a token as far as it is known: remembered, else parsed and of the right class.

        Raises ``TokenRefused`` for what can be no session token.
        """
        return self.recall(text) or _read(text, parse or self.parse)

    def complete(self, text: str, presented: SessionToken | Jws) -> SessionToken:
        """Return what ``present`` gave, verified, or raise ``TokenRefused``."""
        return self.verify(text, presented) if isinstance(presented, Jws) else presented

    def load(self, text: str) -> SessionToken:
        """Return a verified token, or raise ``TokenRefused``; its times are unchecked."""
        return self.recall(text) or self.verify(text, _read(text, self.parse))

    def verify(self, text: str, jws: Jws) -> SessionToken:
        """Return the token if all but its times is good, or raise ``TokenRefused``."""
        key = self._key_of(jws)
        check_signature(jws, key)
        self._reader.note(jws, key)
        claims = jws.payload
        check_subject(claims)
        self._audience.check(claims)
        times = Times.of(claims)
        token = SessionToken(key, claims, times, SignedIn.from_claims(text, claims))
        self._remembered.note(text, token)
        return token

    def _key_of(self, jws: Jws) -> VerificationKey:
        """Return the key for a token's header, or raise ``TokenRefused`` for what it may not say.

        Both are known of a header with which a token was verified, for as long as its key is one.
        """
        key = jws.header.verified_by
        if key is not None and self._keys.is_current(key):
            return key
        check_header(jws, types=("JWT",))
        return find_key(self._keys, jws)

    def check_times(
        self, token: SessionToken, now: float, *, clock_skew: float | None = None
    ) -> None:
        """Raise ``TokenRefused`` unless the token is valid at ``now`` (Unix seconds)."""
        token.times.check(now, self._clock_skew if clock_skew is None else clock_skew)


def _read(text: str, parse: Callable[[str], Jws]) -> Jws:
    """Return an unverified token of the right class, or raise ``TokenRefused``."""
    jws = parse_token(text, parse)
    if not is_session_class(jws):
        raise TokenRefused("token-type-mismatch", "The token is no session token.")
    return jws


def check_header(jws: Jws, *, types: Sequence[str]) -> None:
    """Refuse what a token's header may not say (rules D13, D14), before a key is looked for."""
    header = jws.header
    if header.get("typ", types[0]) not in types:
        raise TokenRefused("token-invalid", "The token has a type (typ) of its own.")
    if header.get("alg") != "RS256":
        raise TokenRefused("token-invalid-algorithm", "The token is not signed with RS256.")
    if "crit" in header:
        raise TokenRefused("token-invalid", "The token demands an extension (crit).")
    if not isinstance(header.get("kid", ""), str):
        raise TokenRefused("token-invalid", "The token's key id (kid) is not a string.")


def find_key(keys: Keys, jws: Jws) -> VerificationKey:
    """Return the key that a token's header names, or raise ``TokenRefused``."""
    try:
        return keys.find(jws.header.get("kid"))
    except (KeysUnavailable, UnknownKey) as error:
        raise TokenRefused(error.reason, str(error)) from error


def check_subject(claims: dict[str, Any]) -> None:
    """Raise ``TokenRefused`` unless the token says whom it stands for."""
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise TokenRefused("token-verification-failed", "The token names no subject (sub).")


def check_signature(jws: Jws, key: VerificationKey) -> None:
    """Raise ``TokenRefused`` unless ``key`` made the signature."""
    if not key.verify(jws.signature, jws.signed):
        raise TokenRefused("token-invalid-signature", "The token's signature is wrong.")


def _time_claim(claims: dict[str, Any], name: str, *, absent: int | None = None) -> int:
    """Return a time in whole seconds; fractions are cut off as the protocol does."""
    if name not in claims and absent is not None:
        return absent
    value = claims.get(name)
    if type(value) is int:
        return value
    if not isinstance(value, float) or not math.isfinite(value):
        raise TokenRefused("token-verification-failed", f"The token's {name} is not a time.")
    return math.floor(value)
