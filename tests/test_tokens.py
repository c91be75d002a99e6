"""Verifying session tokens and remembering them; PyJWT and joserfc are the independent judges."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import RSAKey

from clerk_wsgi.keys import KeysUnavailable, PemKey, UnknownKey, parse_jwks
from clerk_wsgi.tokens import (
    Audience,
    SessionToken,
    SessionTokenVerifier,
    Times,
    TokenRefused,
    is_machine_jwt,
    is_session_class,
    parse_token,
)

from .forging import (
    CLAIMS,
    Forgery,
    algorithm_forgeries,
    block,
    claim_forgeries,
    forgeries,
    header_forgeries,
    introductions,
    json_forgeries,
    key_forgeries,
    kind_forgeries,
    other_signers,
    public_spellings,
    shape_forgeries,
    signature_forgeries,
)
from .minting import NOW, SESSION_CATEGORY, Minter, base64url, number
from .reading import user_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerk_wsgi.keys import Keys, VerificationKey


class KeyRing:
    """Keys by kid that a test can add to and take from; ``asked`` lists what was looked for."""

    def __init__(self, *minters: Minter) -> None:
        self.keys: dict[str, VerificationKey] = {}
        self.asked: list[str | None] = []
        self.add(*minters)

    def add(self, *minters: Minter) -> None:
        for minter in minters:
            self.keys.update(parse_jwks(minter.jwks()))

    def find(self, kid: str | None) -> VerificationKey:
        self.asked.append(kid)
        if kid is None or kid not in self.keys:
            raise UnknownKey
        return self.keys[kid]

    def is_current(self, key: VerificationKey) -> bool:
        return key in self.keys.values()


@pytest.fixture(scope="module")
def minter() -> Minter:
    return Minter()


@pytest.fixture(scope="module")
def ring(minter: Minter) -> KeyRing:
    return KeyRing(minter)


ANYBODY = Audience()


def verifier_of(
    keys: Keys, audience: Audience = ANYBODY, *, skew: float = 5, remember: int = 4096
) -> SessionTokenVerifier:
    return SessionTokenVerifier(keys, audience, clock_skew=skew, remember=remember)


def verify(verifier: SessionTokenVerifier, text: str, now: float = NOW) -> SessionToken:
    """Verify the way that a request's token is verified: its class first, its times last."""
    jws = parse_token(text)
    if not is_session_class(jws):
        raise TokenRefused("token-type-mismatch", "")
    token = verifier.verify(text, jws)
    verifier.check_times(token, now)
    return token


def reason_of(verifier: SessionTokenVerifier, text: str, now: float = NOW) -> str | None:
    """Why a token is refused, ``None`` if it is not."""
    try:
        verify(verifier, text, now)
    except TokenRefused as error:
        return error.reason
    return None


# Good tokens


def test_a_good_token_is_verified(minter: Minter, ring: KeyRing) -> None:
    text = minter.token({"cat": SESSION_CATEGORY}, custom=[1, {"a": None}])
    token = verify(verifier_of(ring), text)
    assert token.claims == {**CLAIMS, "custom": [1, {"a": None}]}
    assert token.times == Times(expires_at=NOW + 60, not_before=NOW - 10, issued_at=NOW)
    assert token.state.token == text
    assert user_of(token.state) == "user_1"
    assert token.key is ring.keys[minter.kid]


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"typ": ...},
        {"cat": SESSION_CATEGORY},
        {"cat": "cl_I7d4PD111III"},
        {"oiat": NOW, "x": {"y": [1]}, "crit ": ["x"], "b64": True, "zip": "DEF", "enc": "A128GCM"},
    ],
)
def test_these_headers_are_those_of_session_tokens(
    minter: Minter, ring: KeyRing, header: dict[str, Any]
) -> None:
    assert reason_of(verifier_of(ring), minter.token(header)) is None


def test_what_a_header_says_about_keys_is_not_looked_at(minter: Minter, ring: KeyRing) -> None:
    evil = Minter("evil")
    for name, value in {**introductions(evil), "use": "enc", "key_ops": ["encrypt"]}.items():
        assert reason_of(verifier_of(ring), minter.token({name: value})) is None, name


@pytest.mark.parametrize("name", ["sid", "o", "act", "fva", "iss", "aud", "jti", "azp", "v", "sts"])
@pytest.mark.parametrize("value", [None, True, 7, 1.5, "", "x", [], [[]], {}, {"id": []}])
def test_odd_shapes_of_other_claims_never_refuse_or_change_the_user(
    minter: Minter, ring: KeyRing, name: str, value: Any
) -> None:
    token = verify(verifier_of(ring), minter.token(**{name: value}))
    assert user_of(token.state, pending_counts=True) == "user_1"


def test_claims_that_are_optional_may_be_missing(minter: Minter, ring: KeyRing) -> None:
    text = minter.token(nbf=..., iat=..., azp=..., iss=..., sid=...)
    token = verify(verifier_of(ring), text)
    assert token.times == Times(expires_at=NOW + 60, not_before=0, issued_at=0)


def test_a_pem_key_answers_to_every_kid_and_to_none(minter: Minter) -> None:
    verifier = verifier_of(PemKey(minter.pem))
    for kid in ("ins_k1", "anything", "", "k" * 8_000, ...):
        assert reason_of(verifier, minter.token({"kid": kid})) is None


# Forged tokens


def wrongly_decided(verifier: SessionTokenVerifier, forged: list[Forgery]) -> dict[str, str | None]:
    """What was accepted, or refused for another reason, by name."""
    found = ((one, reason_of(verifier, one.token)) for one in forged)
    return {one.name: reason for one, reason in found if reason != one.reason}


MAKERS = [
    algorithm_forgeries,
    signature_forgeries,
    header_forgeries,
    key_forgeries,
    json_forgeries,
    claim_forgeries,
    kind_forgeries,
    shape_forgeries,
]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_every_forgery_is_refused_for_its_reason(
    minter: Minter, ring: KeyRing, make: Callable[[Minter], Any]
) -> None:
    forged = list(make(minter))
    assert len(forged) >= 15
    assert wrongly_decided(verifier_of(ring), forged) == {}


def test_every_forgery_is_refused_with_a_pem_key_as_well(minter: Minter) -> None:
    assert wrongly_decided(verifier_of(PemKey(minter.pem)), forgeries(minter)) == {}


# What a token is refused for without being forgotten: time passes.
REASONS_OF_TIME = ("token-expired", "token-not-active-yet", "token-iat-in-the-future")


def test_no_forgery_is_remembered_unless_only_its_times_are_wrong(
    minter: Minter, ring: KeyRing
) -> None:
    verifier = verifier_of(ring)
    forged = [*forgeries(minter), *key_forgeries(minter)]
    for one in forged:
        reason_of(verifier, one.token)
    known = [one.name for one in forged if verifier.recall(one.token)]
    assert known == [one.name for one in forged if one.reason in REASONS_OF_TIME]


def test_a_refused_header_costs_no_look_at_the_keys(minter: Minter) -> None:
    ring = KeyRing(minter)
    verifier = verifier_of(ring)
    for one in (*header_forgeries(minter), *json_forgeries(minter), *shape_forgeries(minter)):
        reason_of(verifier, one.token)
    for one in algorithm_forgeries(minter):
        if one.reason == "token-invalid-algorithm":
            reason_of(verifier, one.token)
    assert ring.asked == []


# The forgeries are what they are called: other libraries verify them with their own algorithms.


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256", "PS384", "PS512"])
def test_tokens_of_other_rsa_algorithms_are_rightly_signed(minter: Minter, alg: str) -> None:
    signed = minter.token({"alg": alg}).rpartition(".")[0]
    text = f"{signed}.{base64url(other_signers(minter)[alg](signed.encode()))}"
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    assert jwt.decode(text, minter.pem, algorithms=[alg], options=options) == CLAIMS
    read = joserfc_jws.deserialize_compact(text, RSAKey.import_key(minter.pem), algorithms=[alg])
    assert json.loads(read.payload) == CLAIMS


def test_tokens_keyed_with_public_spellings_are_rightly_signed(minter: Minter) -> None:
    spellings = public_spellings(minter)
    named = {one.name: one.token for one in algorithm_forgeries(minter)}
    for name in ("the publishable key", "the modulus", "the modulus in base64url"):
        text = named[f"HS256 keyed with {name}, called HS256"]
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        assert jwt.decode(text, spellings[name], algorithms=["HS256"], options=options) == CLAIMS


def test_a_block_built_by_hand_is_a_signature_if_it_is_the_right_block(
    minter: Minter, ring: KeyRing
) -> None:
    signed, _, good = minter.token().rpartition(".")
    made = base64url(minter.sign_block(block("sha256", signed.encode())))
    assert made == good
    assert reason_of(verifier_of(ring), f"{signed}.{made}") is None


# RFC 7515, appendix A

RFC_PAYLOAD = (
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
RFC_A1 = (
    f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_PAYLOAD}"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
RFC_A2 = (
    f"eyJhbGciOiJSUzI1NiJ9.{RFC_PAYLOAD}"
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1"
    "L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYE"
    "UipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
RFC_A5 = f"eyJhbGciOiJub25lIn0.{RFC_PAYLOAD}."
RFC_N = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql"
    "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs"
    "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud"
    "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
)
RFC_D = (
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe"
    "46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9J"
    "YanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuh"
    "LhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"
)


@pytest.fixture(scope="module")
def rfc() -> Minter:
    """The key of RFC 7515 appendix A.2."""
    n, d = number(RFC_N), number(RFC_D)
    p, q = rsa.rsa_recover_prime_factors(n, 65537, d)
    private = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(65537, n)
    ).private_key()
    return Minter(private=private)


def test_the_key_of_the_rfc_signs_session_tokens_like_any_other(rfc: Minter) -> None:
    assert reason_of(verifier_of(PemKey(rfc.pem)), rfc.token()) is None
    assert reason_of(verifier_of(KeyRing(rfc)), rfc.token()) is None


def test_the_signature_of_the_example_is_right_but_its_claims_are_no_sessions(rfc: Minter) -> None:
    jws = parse_token(RFC_A2)
    assert PemKey(rfc.pem).find(None).verify(jws.signature, jws.signed)
    reason = reason_of(verifier_of(PemKey(rfc.pem)), RFC_A2)
    assert reason == "token-verification-failed"


@pytest.mark.parametrize(
    ("text", "reason"), [(RFC_A1, "token-invalid-algorithm"), (RFC_A5, "token-invalid")]
)
def test_the_other_examples_are_refused(rfc: Minter, text: str, reason: str) -> None:
    assert reason_of(verifier_of(PemKey(rfc.pem)), text) == reason


# The order of the checks

HEADER_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"typ": "x"}, "token-invalid"),
    ({"alg": "none"}, "token-invalid-algorithm"),
    ({"crit": []}, "token-invalid"),
    ({"kid": 1}, "token-invalid"),
    ({"kid": "unknown"}, "jwk-kid-mismatch"),
]
CLAIM_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"sub": ""}, "token-verification-failed"),
    ({"aud": "b"}, "token-verification-failed"),
    ({"azp": "https://evil.test"}, "token-invalid-authorized-parties"),
    ({"iss": "https://evil.test"}, "token-invalid-issuer"),
    ({"exp": NOW - 100}, "token-expired"),
    ({"nbf": NOW + 100}, "token-not-active-yet"),
    ({"iat": NOW + 100}, "token-iat-in-the-future"),
]
STRICT = Audience(
    audience=("a",),
    authorized_parties=("https://app.test",),
    issuer=("https://clerk.example.com",),
)


@pytest.mark.parametrize("first", range(len(CLAIM_FAULTS)))
def test_of_two_faults_in_the_claims_the_earlier_check_speaks(
    minter: Minter, ring: KeyRing, first: int
) -> None:
    verifier = verifier_of(ring, STRICT)
    claims, reason = CLAIM_FAULTS[first]
    for later, _ in [({}, ""), *CLAIM_FAULTS[first + 1 :]]:
        text = minter.token(**{"aud": "a", **later, **claims})
        assert reason_of(verifier, text) == reason, later


@pytest.mark.parametrize("first", range(len(HEADER_FAULTS)))
def test_of_two_faults_in_the_header_the_earlier_check_speaks(
    minter: Minter, ring: KeyRing, first: int
) -> None:
    header, reason = HEADER_FAULTS[first]
    for later, _ in [({}, ""), *HEADER_FAULTS[first + 1 :]]:
        text = minter.token({**later, **header}, sub="", exp=0)
        assert reason_of(verifier_of(ring), text) == reason, later
        assert reason_of(verifier_of(ring), text[:-4] + "AAAA") == reason, later


@pytest.mark.parametrize(("claims", "reason"), [({}, None), *CLAIM_FAULTS])
def test_the_signature_is_checked_before_any_claim(
    minter: Minter, ring: KeyRing, claims: dict[str, Any], reason: str | None
) -> None:
    verifier = verifier_of(ring, STRICT)
    text = minter.token(**{"aud": "a", **claims})
    forged = Minter(minter.kid).token(**{"aud": "a", **claims})
    assert reason_of(verifier, text) == reason
    assert reason_of(verifier, forged) == "token-invalid-signature"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_time_of_a_wrong_type_is_seen_before_the_times_are_compared(
    minter: Minter, ring: KeyRing, name: str
) -> None:
    for claims, _ in CLAIM_FAULTS[4:]:
        text = minter.token(**{**claims, name: "1"})
        assert reason_of(verifier_of(ring), text) == "token-verification-failed"


@pytest.mark.parametrize("reason", ["jwk-remote-failed-to-load", "secret-key-invalid"])
def test_keys_that_cannot_be_had_are_the_reason_and_its_cause_is_kept(
    minter: Minter, reason: str
) -> None:
    class NoKeys(KeyRing):
        def find(self, kid: str | None) -> VerificationKey:
            raise KeysUnavailable("Clerk does not answer.", reason=reason)

    with pytest.raises(TokenRefused, match="does not answer") as caught:
        verify(verifier_of(NoKeys()), minter.token())
    assert caught.value.reason == reason
    assert isinstance(caught.value.__cause__, KeysUnavailable)


# Times

EDGES = [
    # exp, nbf and iat relative to now, and the reason
    (-5, 0, 0, "token-expired"),
    (-4, 0, 0, None),
    (0, 5, 0, None),
    (0, 6, 0, "token-not-active-yet"),
    (0, 0, 5, None),
    (0, 0, 6, "token-iat-in-the-future"),
    # Fractions of a token's times are cut off before comparing.
    (-4.001, 0, 0, "token-expired"),
    (-3.999, 0, 0, None),
    (0, 5.999, 0, None),
    (0, 0, 5.999, None),
    (0, 6.0, 0, "token-not-active-yet"),
    (0, 0, 6.0, "token-iat-in-the-future"),
]


@pytest.mark.parametrize(("exp", "nbf", "iat", "reason"), EDGES)
def test_the_edges_of_the_skew_are_exact(
    minter: Minter, ring: KeyRing, exp: float, nbf: float, iat: float, reason: str | None
) -> None:
    text = minter.token(exp=NOW + exp, nbf=NOW + nbf, iat=NOW + iat)
    assert reason_of(verifier_of(ring), text) == reason


@pytest.mark.parametrize(
    ("claims", "now", "reason"),
    [
        ({"exp": NOW}, NOW + 4.999, None),
        ({"exp": NOW}, NOW + 5, "token-expired"),
        ({"nbf": NOW}, NOW - 5, None),
        ({"nbf": NOW}, NOW - 5.001, "token-not-active-yet"),
        ({"iat": NOW}, NOW - 5, None),
        ({"iat": NOW}, NOW - 5.001, "token-iat-in-the-future"),
    ],
)
def test_fractions_of_the_clock_count(
    minter: Minter, ring: KeyRing, claims: dict[str, Any], now: float, reason: str | None
) -> None:
    text = minter.token(**{"nbf": ..., "iat": ..., **claims})
    assert reason_of(verifier_of(ring), text, now) == reason


@pytest.mark.parametrize("skew", [0, 0.5, 60])
def test_the_skew_is_the_one_given(minter: Minter, ring: KeyRing, skew: float) -> None:
    verifier = verifier_of(ring, skew=skew)
    text = minter.token(exp=NOW + 60)
    assert reason_of(verifier, text, NOW + 60 + skew - 0.25) is None
    assert reason_of(verifier, text, NOW + 60 + skew) == "token-expired"


@pytest.mark.parametrize("exp", [2**53 + 1, 10**15, 2**200, 1e300, 9e15])
def test_a_time_in_the_far_future_is_a_number_like_any_other(
    minter: Minter, ring: KeyRing, exp: float
) -> None:
    assert reason_of(verifier_of(ring), minter.token(exp=exp, nbf=-(2**80), iat=-1e300)) is None


@pytest.mark.parametrize("exp", [2**53 + 1, 10**15, 2**200])
def test_times_are_compared_exactly_whatever_their_size(
    minter: Minter, ring: KeyRing, exp: int
) -> None:
    token = verify(verifier_of(ring, skew=0), minter.token(exp=exp))
    assert token.times.expires_at == exp


def test_times_are_checked_anew_for_a_token_that_is_remembered(
    minter: Minter, ring: KeyRing
) -> None:
    verifier = verifier_of(ring)
    text = minter.token()
    verify(verifier, text)
    token = verifier.recall(text)
    assert token is not None
    verifier.check_times(token, NOW + 64)
    with pytest.raises(TokenRefused, match="exp"):
        verifier.check_times(token, NOW + 65)
    verifier.check_times(token, NOW)
    with pytest.raises(TokenRefused, match="iat"):
        verifier.check_times(token, NOW - 6)
    with pytest.raises(TokenRefused, match="nbf"):
        verifier.check_times(token, NOW - 86_400)
    assert verifier.recall(text) is token


SAFE_OFFSETS = st.integers(-100, 100).filter(
    lambda offset: min(abs(offset - 5), abs(offset + 5)) > 2
)


@given(SAFE_OFFSETS, SAFE_OFFSETS, SAFE_OFFSETS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pyjwt_decides_the_same_about_times(
    minter: Minter, ring: KeyRing, exp: int, nbf: int, iat: int
) -> None:
    now = int(time.time())
    text = minter.token(exp=now + exp, nbf=now + nbf, iat=now + iat)
    assert (reason_of(verifier_of(ring), text, now) is None) == pyjwt_takes(minter, text)


def pyjwt_takes(minter: Minter, text: str, **wanted: Any) -> bool:
    try:
        jwt.decode(
            text,
            minter.pem,
            algorithms=["RS256"],
            leeway=5,
            **{"options": {"verify_aud": False}, **wanted},
        )
    except jwt.PyJWTError:
        return False
    return True


# For whom a token is


@pytest.mark.parametrize("parties", [("https://app.test",), ("https://a.test", "https://app.test")])
def test_the_authorized_party_is_one_of_those_given(
    minter: Minter, ring: KeyRing, parties: tuple[str, ...]
) -> None:
    verifier = verifier_of(ring, Audience(authorized_parties=parties))
    assert reason_of(verifier, minter.token(azp="https://app.test")) is None


@pytest.mark.parametrize(
    "azp",
    [
        ...,
        None,
        "",
        0,
        True,
        [],
        ["https://app.test"],
        {"https://app.test": 1},
        "https://app.test/",
        "https://app.test:443",
        "http://app.test",
        "HTTPS://app.test",
        "https://App.test",
        "https://app.test.evil.test",
        "https://sub.app.test",
        "https://app.tes",
        "https://",
        "app.test",
        " https://app.test",
        "https://app.test ",
        "https://app.test,https://b.test",
        "https://\u0430pp.test",
        "*",
    ],
)
def test_near_misses_of_an_authorized_party_are_refused(
    minter: Minter, ring: KeyRing, azp: Any
) -> None:
    verifier = verifier_of(
        ring, Audience(authorized_parties=("https://app.test", "", "https://b.test"))
    )
    reason = reason_of(verifier, minter.token(azp=azp))
    assert reason == "token-invalid-authorized-parties"


@pytest.mark.parametrize("aud", ["a", "b", ["a"], ["x", "b"], ["a", "a"], ["", "a"]])
def test_one_audience_of_those_wanted_is_enough(minter: Minter, ring: KeyRing, aud: Any) -> None:
    verifier = verifier_of(ring, Audience(audience=("a", "b")))
    assert reason_of(verifier, minter.token(aud=aud)) is None
    assert pyjwt_takes_audience(minter, aud, ["a", "b"])


ODD_AUDIENCES: list[Any] = [
    ...,
    None,
    "",
    "A",
    "a ",
    "ab",
    "a,b",
    [],
    [[]],
    ["c"],
    [["a"]],
    ["a", 1],
    ["a", None],
    {"a": 1},
    {},
    0,
    1,
    True,
]


@pytest.mark.parametrize("aud", ODD_AUDIENCES)
def test_a_missing_or_odd_audience_is_refused_where_one_is_wanted(
    minter: Minter, ring: KeyRing, aud: Any
) -> None:
    verifier = verifier_of(ring, Audience(audience=("a", "b")))
    assert reason_of(verifier, minter.token(aud=aud)) == "token-verification-failed"
    assert not pyjwt_takes_audience(minter, aud, ["a", "b"])


def pyjwt_takes_audience(minter: Minter, aud: Any, wanted: list[str]) -> bool:
    now = int(time.time())
    text = minter.token(aud=aud, iat=now, nbf=now, exp=now + 60)
    return pyjwt_takes(minter, text, options={}, audience=wanted)


@pytest.mark.parametrize("aud", ODD_AUDIENCES)
def test_an_audience_does_not_matter_where_none_is_wanted(
    minter: Minter, ring: KeyRing, aud: Any
) -> None:
    assert reason_of(verifier_of(ring), minter.token(aud=aud)) is None


@pytest.mark.parametrize(
    "iss",
    [
        ...,
        None,
        "",
        0,
        ["https://clerk.example.com"],
        {},
        "https://clerk.example.com/",
        "http://clerk.example.com",
        "clerk.example.com",
        "https://clerk.example.com.evil.test",
        "https://CLERK.example.com",
    ],
)
def test_an_issuer_must_be_exactly_one_of_those_wanted(
    minter: Minter, ring: KeyRing, iss: Any
) -> None:
    verifier = verifier_of(ring, Audience(issuer=("https://b.test", "https://clerk.example.com")))
    assert reason_of(verifier, minter.token(iss=iss)) == "token-invalid-issuer"
    assert reason_of(verifier, minter.token()) is None
    assert reason_of(verifier_of(ring), minter.token(iss=iss)) is None


# Kinds


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({}, {"sub": "mch_1"}),
        ({"typ": "at+jwt"}, {}),
        ({"typ": "application/at+jwt"}, {"sub": ...}),
        ({"typ": "at+jwt", "cat": SESSION_CATEGORY}, {}),
    ],
)
def test_tokens_of_machines_are_told_by_subject_and_type(
    minter: Minter, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    jws = parse_token(minter.token(header, **claims))
    assert is_machine_jwt(jws)
    assert not is_session_class(jws)


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({}, {}),
        ({}, {"sub": "user_mch_1"}),
        ({}, {"sub": ["mch_1"]}),
        ({}, {"sub": "MCH_1"}),
        ({"typ": ["at+jwt"]}, {}),
        ({"typ": "at+JWT"}, {}),
        ({"cat": SESSION_CATEGORY}, {"sub": ...}),
    ],
)
def test_anything_else_is_no_machine(
    minter: Minter, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    jws = parse_token(minter.token(header, **claims))
    assert not is_machine_jwt(jws)
    assert is_session_class(jws)


# Remembering


def test_a_verified_token_is_remembered_and_an_unknown_one_is_not(
    minter: Minter, ring: KeyRing
) -> None:
    verifier = verifier_of(ring)
    text = minter.token()
    assert verifier.recall(text) is None
    token = verify(verifier, text)
    assert verifier.recall(text) is token
    assert verifier.recall(text + "A") is None
    assert verifier.recall("") is None


@pytest.mark.parametrize(("claims", "reason"), CLAIM_FAULTS[:4])
def test_a_refused_token_is_not_remembered(
    minter: Minter, ring: KeyRing, claims: dict[str, Any], reason: str
) -> None:
    verifier = verifier_of(ring, STRICT)
    text = minter.token(**{"aud": "a", **claims})
    assert reason_of(verifier, text) == reason
    assert verifier.recall(text) is None


def test_the_token_used_longest_ago_is_forgotten_first(minter: Minter, ring: KeyRing) -> None:
    verifier = verifier_of(ring, remember=3)
    texts = [minter.token(jti=str(n)) for n in range(5)]
    for text in texts[:3]:
        verify(verifier, text)
    assert verifier.recall(texts[0])
    verify(verifier, texts[3])
    verify(verifier, texts[4])
    assert [bool(verifier.recall(text)) for text in texts] == [True, False, False, True, True]


def test_a_token_verified_again_is_counted_once(minter: Minter, ring: KeyRing) -> None:
    verifier = verifier_of(ring, remember=2)
    first, second = minter.token(jti="1"), minter.token(jti="2")
    for text in (first, second, second, second):
        verify(verifier, text)
    assert verifier.recall(first)
    assert verifier.recall(second)


def test_remembering_nothing_is_possible(minter: Minter, ring: KeyRing) -> None:
    verifier = verifier_of(ring, remember=0)
    text = minter.token()
    assert reason_of(verifier, text) is None
    assert verifier.recall(text) is None


def test_a_token_is_forgotten_with_its_key(minter: Minter) -> None:
    ring = KeyRing(minter)
    verifier = verifier_of(ring)
    text = minter.token()
    verify(verifier, text)
    gone = ring.keys.pop(minter.kid)
    assert verifier.recall(text) is None
    ring.keys[minter.kid] = gone
    assert verifier.recall(text) is None, "it comes back only by being verified"
    verify(verifier, text)
    assert verifier.recall(text)


def test_another_key_of_the_same_name_does_not_keep_a_token(minter: Minter) -> None:
    ring = KeyRing(minter)
    verifier = verifier_of(ring)
    text = minter.token()
    verify(verifier, text)
    ring.add(Minter(minter.kid))
    assert verifier.recall(text) is None
    assert reason_of(verifier, text) == "token-invalid-signature"


def test_two_verifiers_remember_nothing_of_each_other(minter: Minter, ring: KeyRing) -> None:
    one, other = verifier_of(ring), verifier_of(ring)
    text = minter.token()
    verify(one, text)
    assert other.recall(text) is None


def test_a_token_dropped_while_its_key_is_looked_at_still_counts(minter: Minter) -> None:
    """As when another thread has just made room."""

    class Busy(KeyRing):
        def is_current(self, key: VerificationKey) -> bool:
            verify(verifier, other)
            return True

    verifier = verifier_of(Busy(minter), remember=1)
    text, other = minter.token(jti="1"), minter.token(jti="2")
    token = verify(verifier, text)
    assert verifier.recall(text) is token


@pytest.mark.parametrize("remember", [0, 1, 16])
def test_many_threads_share_a_verifier(minter: Minter, ring: KeyRing, remember: int) -> None:
    verifier = verifier_of(ring, remember=remember)
    texts = [minter.token(jti=str(n), sub=f"user_{n}") for n in range(40)]

    def work(offset: int) -> set[str | None]:
        wrong = set()
        for step in range(400):
            n = (offset * 7 + step * 11) % len(texts)
            token = verifier.recall(texts[n]) or verify(verifier, texts[n])
            if user_of(token.state) != f"user_{n}":
                wrong.add(user_of(token.state))
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [set()] * 8
    assert sum(verifier.recall(text) is not None for text in texts) <= remember


# Near misses of a good token


@given(st.data())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_good_token_has_one_spelling(
    minter: Minter, ring: KeyRing, good: str, data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, len(good)))
    length = data.draw(st.integers(0, 3))
    inserted = data.draw(st.text("ABab01-_.=+/ \n%\u00e9", max_size=3))
    text = good[:position] + inserted + good[position + length :]
    if text != good:
        assert reason_of(verifier_of(ring), text) is not None


@pytest.fixture(scope="module")
def good(minter: Minter) -> str:
    return minter.token()


def test_pyjwt_takes_no_token_that_is_refused_for_its_signature(minter: Minter) -> None:
    forged = [*signature_forgeries(minter), *algorithm_forgeries(minter)]
    assert [one.name for one in forged if pyjwt_takes(minter, one.token)] == []


def test_nothing_of_a_token_stands_in_its_refusal(minter: Minter, ring: KeyRing) -> None:
    secretive = [one for one in forgeries(minter) if len(one.token) > 40]
    verifier = verifier_of(ring)
    for one in secretive:
        with pytest.raises(TokenRefused) as caught:
            verify(verifier, one.token)
        said = f"{caught.value} {caught.value.message} {caught.value!r}"
        assert "user_1" not in said
        assert not any(part in said for part in one.token.split(".") if len(part) > 8), one.name


def test_a_verified_token_does_not_show_itself(minter: Minter, ring: KeyRing) -> None:
    text = minter.token(email="zoe@example.com")
    shown = repr(verify(verifier_of(ring), text))
    assert text[:20] not in shown
    assert "zoe" not in shown
