"""The kit's tokens: of every class there is one, and the wrapper decides what is said of each."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from clerk_wsgi import Auth, MachineAuth
from clerk_wsgi.testing import Emulator, FrozenClock, Tokens, bearer, clerk_for

from .minting import PUBLISHABLE_LIVE, environ
from .wrapping import App, full_environ, serve

if TYPE_CHECKING:
    from clerk_wsgi import RequestState
    from clerk_wsgi.emulator import SigningKey

EXPIRED = "session-token-expired-refresh-non-eligible-no-refresh-cookie"
REFUSED = {
    "expired": EXPIRED,
    "not_yet_valid": "session-token-nbf",
    "issued_in_the_future": "session-token-iat-in-the-future",
    "wrong_key": "token-invalid-signature",
    "unknown_key": "jwk-kid-mismatch",
    "unsigned": "token-invalid-algorithm",
    "template": "token-type-mismatch",
    "malformed": "token-invalid",
    "m2m_jwt": "token-type-mismatch",
    "oauth_jwt": "token-type-mismatch",
    "api_key": "token-invalid",
    "m2m_token": "token-invalid",
    "oauth_token": "token-invalid",
    "client_token": "token-verification-failed",
    "handshake": "token-verification-failed",
}
# Refused if the setting is there, and else they pass.
REFUSED_IF_ASKED = {
    "wrong_party": ("authorized_parties", "token-invalid-authorized-parties"),
    "wrong_issuer": ("issuer", "token-invalid-issuer"),
    "wrong_audience": ("audience", "token-verification-failed"),
}
MACHINES = {
    "api_key": "api_key",
    "m2m_token": "m2m_token",
    "m2m_jwt": "m2m_token",
    "oauth_token": "oauth_token",
    "oauth_jwt": "oauth_token",
}
OPAQUE = ("api_key", "m2m_token", "oauth_token")
PASS = {"valid"}
PENDING = {"pending"}


def made(tokens: Tokens, kind: str, *arguments: Any, **options: Any) -> str:
    token = getattr(tokens, kind)(*arguments, **options)
    assert isinstance(token, str)
    return token


def decided(emulator: Emulator, token: str, **settings: Any) -> RequestState:
    """What an instance says of a GET with this token, and the strict wrapper with it."""
    clerk = clerk_for(emulator, **settings)
    state = clerk.authenticate(environ(**bearer(token).environ))
    app = App()
    answer = serve(clerk.require_session(app), full_environ(**bearer(token).environ))
    passes = bool(state.auth)
    assert (answer.status, app.calls) == (("200 OK", 1) if passes else ("401 Unauthorized", 0))
    return state


def test_every_kind_of_token_is_in_a_table() -> None:
    kinds = {
        name
        for name, member in vars(Tokens).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    assert kinds == PASS | PENDING | REFUSED.keys() | REFUSED_IF_ASKED.keys()


def test_a_valid_token_passes(clerk_tokens: Tokens, clerk_emulator: Emulator) -> None:
    state = decided(clerk_emulator, clerk_tokens.valid())
    assert isinstance(state.auth, Auth)
    assert state.auth.user_id == clerk_tokens.user["id"]
    assert state.auth.session_id == clerk_tokens.session["id"]


@pytest.mark.parametrize(("kind", "reason"), REFUSED.items())
def test_a_token_that_does_not_count_is_refused_for_its_reason(
    kind: str, reason: str, clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    state = decided(clerk_emulator, made(clerk_tokens, kind))
    assert (state.status, state.reason) == ("signed-out", reason)


@pytest.mark.parametrize(("kind", "reason"), [*REFUSED.items(), *REFUSED_IF_ASKED.items()])
def test_what_is_decided_is_what_the_method_says(kind: str, reason: Any) -> None:
    """A docstring names the reason, but for machine tokens, of which a comment tells it."""
    text = inspect.getdoc(getattr(Tokens, kind)) or ""
    named = set(re.findall(r"``([a-z]+(?:-[a-z]+)+)", text))
    wanted = reason[1] if isinstance(reason, tuple) else reason
    if kind in MACHINES:
        assert f'``accepts_token="{MACHINES[kind]}"``' in text
    else:
        assert any(wanted.startswith(name) for name in named), named


@pytest.mark.parametrize(
    ("kind", "setting", "reason"), [(k, *v) for k, v in REFUSED_IF_ASKED.items()]
)
def test_what_a_token_is_for_counts_if_it_is_asked(
    kind: str, setting: str, reason: str, clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    ours = "https://app.example.com"
    token = made(clerk_tokens, kind)
    assert decided(clerk_emulator, token).auth
    state = decided(clerk_emulator, token, **{setting: [ours]})
    assert (state.status, state.reason) == ("signed-out", reason)
    assert decided(clerk_emulator, made(clerk_tokens, kind, ours), **{setting: [ours]}).auth


def test_a_pending_session_counts_only_where_it_is_asked_for(
    clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    state = decided(clerk_emulator, clerk_tokens.pending())
    assert (state.status, state.reason) == ("signed-in", None)
    whole = state.to_auth(treat_pending_as_signed_out=False)
    assert isinstance(whole, Auth)
    assert whole.user_id == clerk_tokens.user["id"]
    app = App()
    clerk = clerk_for(clerk_emulator)
    environ_ = full_environ(**bearer(clerk_tokens.pending()).environ)
    serve(clerk.with_session(app), environ_)
    assert app.environ["clerk.error"].reason == "session-pending"


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid", "issued_in_the_future"])
def test_times_have_the_clocks_skew(
    kind: str, clerk_tokens: Tokens, clerk_emulator: Emulator, frozen_clock: FrozenClock
) -> None:
    frozen_clock.now = 1_795_413_600.0
    limits = {"expired": (4, 5), "not_yet_valid": (5, 6), "issued_in_the_future": (5, 6)}
    passes, fails = (made(clerk_tokens, kind, seconds) for seconds in limits[kind])
    assert decided(clerk_emulator, passes).auth
    assert not decided(clerk_emulator, fails).auth


def test_a_clock_that_ticks_makes_the_early_valid_and_the_valid_old(
    clerk_tokens: Tokens, clerk_emulator: Emulator, frozen_clock: FrozenClock
) -> None:
    early, valid = clerk_tokens.not_yet_valid(), clerk_tokens.valid()
    frozen_clock.tick(clerk_emulator.token_lifetime + 5)
    assert decided(clerk_emulator, early).auth
    assert decided(clerk_emulator, valid).reason == EXPIRED


def test_claims_are_replaced(clerk_tokens: Tokens, clerk_emulator: Emulator) -> None:
    for kind in ("valid", "expired", "unsigned", "template", "pending", "wrong_key", "m2m_jwt"):
        claims = jwt.decode(
            made(clerk_tokens, kind, color="blue"), options={"verify_signature": False}
        )
        assert claims["color"] == "blue", kind
    acting = {"sub": "user_admin"}
    state = decided(clerk_emulator, clerk_tokens.valid(sub="user_7", act=acting))
    assert isinstance(state.auth, Auth)
    assert (state.auth.user_id, state.auth.actor) == ("user_7", acting)


def test_a_second_judge_reads_the_signatures_alike(
    clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    """PyJWT knows nothing of Clerk's classes: to it a token is signed or not."""
    key = jwt.PyJWK(clerk_emulator.jwks()["keys"][0])

    def is_signed(token: str) -> bool:
        try:
            jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})
        except jwt.InvalidTokenError:
            return False
        return True

    signed = {"valid", "template", "m2m_jwt", "oauth_jwt", "handshake", "pending"}
    forged = {"expired", "not_yet_valid", "wrong_key", "unknown_key", "unsigned", "malformed"}
    assert {kind for kind in signed | forged if is_signed(made(clerk_tokens, kind))} == signed


def test_without_a_forger_there_is_one_of_its_own(
    clerk_emulator: Emulator, clerk_signing_key_of_nobody: SigningKey
) -> None:
    mine = Tokens(clerk_emulator)
    assert decided(clerk_emulator, mine.wrong_key()).reason == "token-invalid-signature"
    given = Tokens(clerk_emulator, forger=clerk_signing_key_of_nobody)
    assert jwt.get_unverified_header(given.unknown_key())["kid"] == "ins_nobody"


@pytest.fixture
def clerk_signing_key_of_nobody() -> SigningKey:
    from clerk_wsgi.emulator import SigningKey

    return SigningKey.generate("ins_nobody")


# Machine tokens


@pytest.mark.parametrize(("kind", "token_type"), MACHINES.items())
def test_a_machine_token_passes_where_its_type_is_named(
    kind: str, token_type: str, clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    for accepts in (token_type, "any", ["session_token", token_type]):
        state = decided(clerk_emulator, made(clerk_tokens, kind), accepts_token=accepts)
        assert isinstance(state.auth, MachineAuth)
        assert (state.token_type, state.auth.token_type) == (token_type, token_type)
        subject = str(state.auth.subject)
        assert subject.startswith("mch_") if "m2m" in kind else subject == clerk_tokens.user["id"]


@pytest.mark.parametrize("kind", MACHINES)
def test_a_machine_token_is_refused_where_another_type_is_named(
    kind: str, clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    token = made(clerk_tokens, kind)
    for other in {*MACHINES.values()} - {MACHINES[kind]}:
        state = decided(clerk_emulator, token, accepts_token=other)
        assert (state.status, state.reason) == ("signed-out", "token-type-mismatch")


@pytest.mark.parametrize("status", ["revoked", "expired"])
@pytest.mark.parametrize("kind", OPAQUE)
def test_an_opaque_token_that_counts_no_more_is_refused(
    kind: str, status: str, clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    token = made(clerk_tokens, kind, status)
    state = decided(clerk_emulator, token, accepts_token="any")
    assert (state.status, state.reason) == ("signed-out", "token-invalid")


@pytest.mark.parametrize("kind", OPAQUE)
def test_a_status_that_there_is_not_is_an_error(kind: str, clerk_tokens: Tokens) -> None:
    with pytest.raises(ValueError, match="status: expected 'active'"):
        made(clerk_tokens, kind, "gone")


@pytest.mark.parametrize("kind", ["m2m_jwt", "oauth_jwt"])
def test_a_jwt_of_a_machine_that_has_expired_is_refused(
    kind: str, clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    token = made(clerk_tokens, kind, exp=1)
    state = decided(clerk_emulator, token, accepts_token="any")
    assert (state.status, state.reason) == ("signed-out", "token-verification-failed")


def test_what_machine_tokens_say_is_what_they_were_made_with(
    clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    made_with = {"scopes": ["read", "write"], "claims": {"a": 1}}
    for kind in ("api_key", "m2m_token"):
        token = made(clerk_tokens, kind, **made_with)
        state = decided(clerk_emulator, token, accepts_token="any")
        assert isinstance(state.auth, MachineAuth)
        assert (state.auth.scopes, state.auth.claims) == (("read", "write"), {"a": 1})
    token = clerk_tokens.oauth_token(client_id="client_7", scopes=["email"])
    auth: Any = decided(clerk_emulator, token, accepts_token="any").auth
    assert (auth.client_id, auth.scopes) == ("client_7", ("email",))


# What travels elsewhere


def test_a_client_token_passes_as_a_cookie_in_live_verification(
    clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    cookies = {"HTTP_COOKIE": f"__session={clerk_tokens.client_token()}; __client_uat=1"}
    for verification, status in (("token", "signed-out"), ("live", "signed-in")):
        clerk = clerk_for(clerk_emulator, publishable_key="", verification=verification)
        assert clerk.authenticate(environ(**cookies)).status == status


@pytest.mark.parametrize("carrier", ["HTTP_COOKIE", "QUERY_STRING"])
@pytest.mark.parametrize(
    "key", [pytest.param("", marks=pytest.mark.clerk(publishable_key=PUBLISHABLE_LIVE)), "pk_test"]
)
def test_a_handshake_passes_and_sets_what_it_brings(
    carrier: str, key: str, clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    request = environ(**{carrier: f"__clerk_handshake={clerk_tokens.handshake()}"})
    state = clerk_for(clerk_emulator).authenticate(request)
    assert isinstance(state.auth, Auth)
    assert state.auth.user_id == clerk_tokens.user["id"]
    names = {value.partition("=")[0] for name, value in state.headers if name == "Set-Cookie"}
    assert {"__session", "__client_uat"} <= names
    assert ("Location" in dict(state.headers)) == (key == "pk_test")


def test_a_handshake_without_a_session_passes_nobody(
    clerk_tokens: Tokens, clerk_emulator: Emulator
) -> None:
    for cookies in ([], ["__session=; Path=/"], [f"__session={clerk_tokens.wrong_key()}"]):
        token = clerk_tokens.handshake(cookies=cookies)
        request = environ(HTTP_COOKIE=f"__clerk_handshake={token}")
        assert clerk_for(clerk_emulator).authenticate(request).status == "signed-out"
