"""Machine tokens: API keys, M2M tokens and OAuth access tokens, opaque or JWT."""

from __future__ import annotations

from typing import Any

import pytest

from clerk_wsgi import Clerk, SignedIn, SignedOut
from clerk_wsgi.keys import NoKeys, PemKey
from clerk_wsgi.machine import MachineRefused, MachineVerifier, machine_type_of
from clerk_wsgi.machine_auth import ApiKeyAuth, M2MAuth, MachineAuth, OAuthAuth, refused_machine
from clerk_wsgi.questions import NoAnswer, Refusal
from clerk_wsgi.refusals import error_of
from clerk_wsgi.tokens import Audience

from .minting import NOW, PUBLISHABLE_LIVE, Minter
from .requesting import MINTER, Answers, load

M2M = {"cat": "cl_B7d4PD333AAA"}
OAUTH = {"typ": "at+jwt"}


def m2m(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return MINTER.token({**M2M, **(header or {})}, **{"sub": "mch_1", "sid": ..., **claims})


def oauth(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return MINTER.token({**OAUTH, **(header or {})}, **{"sid": ..., **claims})


def verifier(
    api: Answers | None = None, *, audience: Audience | None = None, keys: bool = True
) -> MachineVerifier:
    known = PemKey(MINTER.pem) if keys else None
    return MachineVerifier(known, api, audience or Audience(), clock_skew=5)


def verified(text: str, kind: str = "m2m_token", **options: Any) -> MachineAuth:
    return verifier(**options).verify(text, kind, NOW)


def refusal_of(text: str, kind: str = "m2m_token", **options: Any) -> tuple[str, str]:
    with pytest.raises(MachineRefused) as raised:
        verified(text, kind, **options)
    assert text not in str(raised.value)
    return raised.value.token_type, raised.value.reason


# What a token is taken for


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ak_x", "api_key"),
        ("mt_x", "m2m_token"),
        ("oat_x", "oauth_token"),
        ("ak_", "api_key"),
        (m2m(), "m2m_token"),
        (m2m({"cat": ...}), "m2m_token"),
        (oauth(), "oauth_token"),
        (oauth({"typ": "application/at+jwt"}), "oauth_token"),
        # A subject counts before a type.
        (oauth(sub="mch_1"), "m2m_token"),
        # What cannot be read as a JWT goes by its prefix.
        ("ak_a.b.c", "api_key"),
        # No machine's
        ("", None),
        ("x", None),
        ("AK_x", None),
        (" ak_x", None),
        ("xak_x", None),
        ("oat", None),
        ("a.b.c", None),
        (MINTER.token(), None),
        (MINTER.token({"cat": "cl_B7d4PD333AAA"}), None),
        (MINTER.token({"typ": "AT+JWT"}), None),
        (MINTER.token({"typ": ["at+jwt"]}), None),
        (MINTER.token(sub="MCH_1"), None),
        (MINTER.token(sub=["mch_1"]), None),
    ],
)
def test_a_token_is_told_by_its_subject_its_type_or_its_prefix(text: str, kind: str | None) -> None:
    assert machine_type_of(text) == kind


# JWTs


def test_an_m2m_jwt_says_which_machine_asks() -> None:
    auth = verified(m2m(jti="mt_1", scopes="a b", own={"x": [1]}, azp=...))
    assert isinstance(auth, M2MAuth)
    assert auth
    assert (auth.id, auth.subject, auth.machine_id) == ("mt_1", "mch_1", "mch_1")
    assert (auth.token_type, auth.scopes) == ("m2m_token", ("a", "b"))
    assert auth.claims == {"scopes": "a b", "own": {"x": [1]}}


def test_an_oauth_jwt_says_which_user_allowed_it_and_to_whom() -> None:
    auth = verified(oauth(jti="oat_1", client_id="client_1", scope="a b"), "oauth_token")
    assert isinstance(auth, OAuthAuth)
    assert (auth.id, auth.subject, auth.user_id) == ("oat_1", "user_1", "user_1")
    assert (auth.client_id, auth.scopes, auth.claims) == ("client_1", ("a", "b"), None)


@pytest.mark.parametrize(
    ("token", "scopes"),
    [
        (m2m(), ()),
        (m2m(aud=["a", "b"]), ("a", "b")),
        (m2m(aud="a"), ("a",)),
        (m2m(scopes="a", aud="b"), ("a",)),
        (m2m(scopes=["a"], aud=["b"]), ("b",)),
        (m2m(scopes=5), ()),
        (m2m(aud=[1, "a", None]), ("a",)),
        (m2m(aud={"a": 1}), ()),
        (oauth(), ()),
        (oauth(scp=["a", "b"], scope="c"), ("a", "b")),
        (oauth(scp="a", scope="b c"), ("b", "c")),
        (oauth(scp=[1, "a"]), ("a",)),
        (oauth(scope=["a"]), ()),
    ],
)
def test_scopes_are_read_in_every_form_and_odd_ones_are_none(
    token: str, scopes: tuple[str, ...]
) -> None:
    """Rule D11."""
    assert verified(token).scopes == scopes


@pytest.mark.parametrize("jti", [..., None, 5, ["x"]])
def test_without_an_id_the_id_is_empty(jti: Any) -> None:
    assert verified(m2m(jti=jti)).id == ""
    assert verified(oauth(jti=jti)).id == ""


def test_without_claims_of_its_own_a_token_has_none() -> None:
    assert verified(m2m(azp=...)).claims is None


def test_claims_are_a_copy() -> None:
    auth = verified(m2m(own=[1]))
    for _ in range(2):
        claims = auth.claims
        assert claims is not None
        assert claims["own"] == [1]
        claims["own"].append(2)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("a.b.c", "token-invalid"),
        ("ak_a.b.c", "token-invalid"),
        (m2m({"cat": "cl_B7d4PD111AAA"}), "token-invalid"),
        (m2m({"cat": None}), "token-invalid"),
        (m2m({"cat": ""}), "token-invalid"),
        (m2m({"alg": "RS512"}), "token-verification-failed"),
        (m2m({"alg": "none"}), "token-verification-failed"),
        (m2m({"alg": "HS256"}), "token-verification-failed"),
        (m2m({"typ": "JOSE"}), "token-verification-failed"),
        (m2m({"typ": "at+jwt"}), "token-verification-failed"),
        (m2m({"crit": ["b64"]}), "token-verification-failed"),
        (m2m({"kid": 5}), "token-verification-failed"),
        (m2m()[:-4] + "AAAA", "token-verification-failed"),
        (m2m()[:-6] + "A", "token-invalid"),
        (Minter().token(M2M, sub="mch_1"), "token-verification-failed"),
        (m2m(exp=...), "token-verification-failed"),
        (m2m(exp=NOW - 6), "token-verification-failed"),
        (m2m(exp=True), "token-verification-failed"),
        (m2m(nbf=NOW + 6), "token-verification-failed"),
        (m2m(iat=NOW + 6), "token-verification-failed"),
        (m2m(iat="now"), "token-verification-failed"),
    ],
)
def test_a_jwt_that_does_not_verify_is_refused_and_nobody_is_asked(token: str, reason: str) -> None:
    """Rules D3, D13, D14."""
    api = Answers({"subject": "mch_1"})
    assert refusal_of(token, api=api) == ("m2m_token", reason)
    assert api.asked == []


@pytest.mark.parametrize(
    "token",
    [
        oauth(sub=""),
        oauth(sub=...),
        oauth(sub=5),
        oauth(exp=NOW - 6),
        oauth({"alg": "none"}),
        oauth({"kid": 5}),
        oauth({"crit": []}),
        oauth()[:-4] + "AAAA",
    ],
)
def test_an_oauth_jwt_that_does_not_verify_is_refused_as_one(token: str) -> None:
    assert refusal_of(token, "oauth_token") == ("oauth_token", "token-verification-failed")


@pytest.mark.parametrize("offset", [-4, 60])
def test_the_clocks_may_differ_by_some_seconds(offset: int) -> None:
    assert verified(m2m(exp=NOW + offset, iat=NOW + 5, nbf=NOW + 5))


def test_without_keys_no_jwt_verifies() -> None:
    assert refusal_of(m2m(), keys=False) == ("m2m_token", "token-verification-failed")
    known = MachineVerifier(NoKeys(), None, Audience(), clock_skew=5)
    with pytest.raises(MachineRefused) as raised:
        known.verify(m2m(), "m2m_token", NOW)
    assert raised.value.reason == "token-verification-failed"


# Audiences (rule D12)


@pytest.mark.parametrize(
    ("aud", "m2m_counts", "oauth_counts"),
    [
        ("api", True, True),
        (["api"], True, True),
        (["x", "api"], True, True),
        (["api", ""], True, False),
        (..., False, False),
        (None, False, False),
        ("", False, False),
        ("ap", False, False),
        ("API", False, False),
        ([], False, False),
        (["x"], False, False),
        (["api", 5], False, False),
        ({"api": 1}, False, False),
        (5, False, False),
    ],
)
def test_a_jwt_must_be_for_the_audience(aud: Any, m2m_counts: bool, oauth_counts: bool) -> None:
    audience = Audience(audience=["api", "other"])
    for token, counts in ((m2m(aud=aud), m2m_counts), (oauth(aud=aud), oauth_counts)):
        if counts:
            assert verified(token, audience=audience)
        else:
            assert refusal_of(token, audience=audience)[1] == "token-verification-failed"
        assert verified(token)


def test_the_other_settings_of_session_tokens_do_not_concern_machines() -> None:
    audience = Audience(authorized_parties=["https://other.test"], issuer=["https://other.test"])
    assert verified(m2m(azp=...), audience=audience)


# Opaque tokens


ANSWER: dict[str, Any] = {
    "object": "api_key",
    "id": "ak_1",
    "subject": "user_1",
    "name": "Deploy",
    "scopes": ["a", "b"],
    "claims": {"x": [1]},
    "revoked": False,
    "expired": False,
}


@pytest.mark.parametrize(
    ("subject", "user_id", "org_id"),
    [
        ("user_1", "user_1", None),
        ("org_1", None, "org_1"),
        ("mch_1", None, None),
        ("USER_1", None, None),
    ],
)
def test_an_api_key_stands_for_a_user_or_an_organization(
    subject: str, user_id: str | None, org_id: str | None
) -> None:
    api = Answers({**ANSWER, "subject": subject})
    auth = verified("ak_secret", "api_key", api=api)
    assert isinstance(auth, ApiKeyAuth)
    assert (auth.user_id, auth.org_id, auth.subject) == (user_id, org_id, subject)
    assert (auth.id, auth.name, auth.scopes) == ("ak_1", "Deploy", ("a", "b"))
    assert auth.claims == {"x": [1]}
    assert api.asked == [("machine_token", "api_key", "ak_secret")]


def test_an_opaque_m2m_token_stands_for_a_machine() -> None:
    auth = verified("mt_secret", api=Answers({**ANSWER, "id": "mt_1", "subject": "mch_1"}))
    assert isinstance(auth, M2MAuth)
    assert (auth.id, auth.token_type) == ("mt_1", "m2m_token")
    assert (auth.machine_id, auth.scopes, auth.claims) == ("mch_1", ("a", "b"), {"x": [1]})


def test_an_opaque_oauth_token_stands_for_a_user() -> None:
    answer = {
        "object": "clerk_idp_oauth_access_token",
        "id": "oat_1",
        "subject": "user_1",
        "client_id": "client_1",
        "scopes": ["a"],
    }
    auth = verified("oat_secret", "oauth_token", api=Answers(answer))
    assert isinstance(auth, OAuthAuth)
    assert (auth.id, auth.token_type) == ("oat_1", "oauth_token")
    assert (auth.user_id, auth.client_id, auth.scopes) == ("user_1", "client_1", ("a",))


@pytest.mark.parametrize("field", ["id", "name", "scopes", "claims"])
@pytest.mark.parametrize("odd", [None, 5, True])
def test_odd_fields_of_an_answer_are_not_there(field: str, odd: object) -> None:
    auth = verified("ak_x", "api_key", api=Answers({**ANSWER, field: odd}))
    assert getattr(auth, field) is None
    assert auth.subject == "user_1"


KINDS = [("ak_x", "api_key"), ("mt_x", "m2m_token"), ("oat_x", "oauth_token")]


@pytest.mark.parametrize(("token", "kind"), KINDS)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NoAnswer("no network"), "unexpected-error"),
        (Refusal(401, "clerk_key_invalid"), "secret-key-invalid"),
        (Refusal(404), "token-invalid"),
        (Refusal(400), "unexpected-error"),
        (Refusal(410), "unexpected-error"),
        (Refusal(429), "unexpected-error"),
        (Refusal(500), "unexpected-error"),
        # Rule D18
        ({**ANSWER, "revoked": True}, "token-invalid"),
        ({**ANSWER, "expired": True}, "token-invalid"),
        ({**ANSWER, "subject": None}, "token-invalid"),
        ({**ANSWER, "subject": ""}, "token-invalid"),
        ({**ANSWER, "subject": 5}, "token-invalid"),
        ({**ANSWER, "subject": ["user_1"]}, "token-invalid"),
        ({}, "token-invalid"),
        (None, "unexpected-error"),
        ([ANSWER], "unexpected-error"),
        ("user_1", "unexpected-error"),
        (True, "unexpected-error"),
    ],
)
def test_an_answer_that_names_nobody_signs_nobody_in(
    token: str, kind: str, answer: object, reason: str
) -> None:
    assert refusal_of(token, kind, api=Answers(answer)) == (kind, reason)


@pytest.mark.parametrize(("token", "kind"), KINDS)
def test_without_an_api_no_opaque_token_counts(token: str, kind: str) -> None:
    assert refusal_of(token, kind) == (kind, "token-invalid")


@pytest.mark.parametrize(
    "token",
    ["ak_" + "x" * 510, "ak_" + "x" * 20_000, "ak_a b", "ak_\r\n", "ak_\0", "ak_caf\xe9", "ak_{}"],
    ids=lambda token: ascii(token)[:12],
)
def test_what_cannot_be_an_opaque_token_is_not_asked_about(token: str) -> None:
    api = Answers(ANSWER)
    assert refusal_of(token, "api_key", api=api) == ("api_key", "token-invalid")
    assert api.asked == []


@pytest.mark.parametrize(
    ("aud", "counts"), [("api", True), (["x", "api"], True), (["api", ""], False), (..., False)]
)
def test_an_opaque_oauth_token_must_be_for_the_audience(aud: Any, counts: bool) -> None:
    answer = {**ANSWER, **({} if aud is ... else {"aud": aud})}
    audience = Audience(audience=["api"])
    if counts:
        assert verified("oat_x", "oauth_token", api=Answers(answer), audience=audience)
    else:
        found = refusal_of("oat_x", "oauth_token", api=Answers(answer), audience=audience)
        assert found == ("oauth_token", "token-verification-failed")


@pytest.mark.parametrize(("token", "kind"), KINDS[:2])
def test_other_opaque_tokens_have_no_audience(token: str, kind: str) -> None:
    assert verified(token, kind, api=Answers(ANSWER), audience=Audience(audience=["api"]))


@pytest.mark.parametrize(
    "code", ["x\r\nSet-Cookie: a=b", "caf\xe9", "\u0100", "x" * 10_000, "<b>", ""]
)
def test_no_code_of_an_answer_gets_into_a_message(code: str) -> None:
    with pytest.raises(MachineRefused) as raised:
        verified("ak_x", "api_key", api=Answers(Refusal(404, code)))
    assert raised.value.message == "Clerk answered 404"


# What an instance accepts


def clerk(accepts: Any, **options: Any) -> Clerk:
    given = {
        "secret_key": "sk_live_x",
        "publishable_key": PUBLISHABLE_LIVE,
        "jwt_key": MINTER.pem,
        "accepts_token": accepts,
        "dotenv": False,
        "clock": lambda: NOW,
        **options,
    }
    return Clerk(**given)


SESSION = MINTER.token()
TEMPLATE = MINTER.token({"cat": "cl_B7d4PD222AAA"})
MISMATCH = "token-type-mismatch"


@pytest.mark.parametrize(
    ("accepts", "token", "token_type", "reason"),
    [
        ("session_token", SESSION, "session_token", None),
        ("session_token", m2m(), "session_token", MISMATCH),
        ("session_token", oauth(), "session_token", MISMATCH),
        ("session_token", TEMPLATE, "session_token", MISMATCH),
        ("session_token", "ak_x", "session_token", "token-invalid"),
        ("any", SESSION, "session_token", None),
        ("any", m2m(), "m2m_token", None),
        ("any", oauth(), "oauth_token", None),
        ("any", TEMPLATE, "session_token", MISMATCH),
        ("any", "x", "session_token", "token-invalid"),
        ("m2m_token", m2m(), "m2m_token", None),
        ("m2m_token", SESSION, "m2m_token", MISMATCH),
        ("m2m_token", oauth(), "m2m_token", MISMATCH),
        ("m2m_token", "ak_x", "m2m_token", MISMATCH),
        ("m2m_token", "x", "m2m_token", MISMATCH),
        ("oauth_token", oauth(), "oauth_token", None),
        ("oauth_token", m2m(), "oauth_token", MISMATCH),
        ("oauth_token", "mt_x", "oauth_token", MISMATCH),
        ("api_key", SESSION, "api_key", MISMATCH),
        ("api_key", "oat_x", "api_key", MISMATCH),
        # A list
        (["session_token", "m2m_token"], SESSION, "session_token", None),
        (["session_token", "m2m_token"], m2m(), "m2m_token", None),
        (["session_token", "m2m_token"], oauth(), None, MISMATCH),
        (["session_token", "m2m_token"], TEMPLATE, "session_token", MISMATCH),
        (["api_key"], SESSION, None, MISMATCH),
        (["api_key"], m2m(), None, MISMATCH),
        (["api_key", "oauth_token"], oauth(), "oauth_token", None),
        (["session_token"], "x", "session_token", "token-invalid"),
    ],
)
def test_only_tokens_of_the_types_asked_for_count(
    accepts: Any, token: str, token_type: str | None, reason: str | None
) -> None:
    state = clerk(accepts).authenticate(load("", HTTP_AUTHORIZATION=f"Bearer {token}"))
    assert (state.token_type, state.reason) == (token_type, reason)
    if reason is None:
        assert isinstance(state, SignedIn)
        assert state.token == token
        assert state.auth
        assert (state.session is not None) is (token_type == "session_token")
    else:
        assert isinstance(state, SignedOut)
        assert not state.auth


@pytest.mark.parametrize(
    ("accepts", "token_type", "reason"),
    [
        ("session_token", "session_token", None),
        ("any", "session_token", None),
        (["session_token", "api_key"], "session_token", None),
        ("api_key", "api_key", "No token in header"),
        ("m2m_token", "m2m_token", "No token in header"),
        ("oauth_token", "oauth_token", "No token in header"),
        (["api_key"], None, MISMATCH),
        (["m2m_token", "oauth_token"], None, MISMATCH),
    ],
)
def test_cookies_count_where_session_tokens_do(
    accepts: Any, token_type: str | None, reason: str | None
) -> None:
    state = clerk(accepts).authenticate(load("", f"__session={SESSION}; __client_uat=1"))
    assert (state.token_type, state.reason) == (token_type, reason)


@pytest.mark.parametrize("accepts", ["any", "m2m_token", ["m2m_token"]])
def test_a_machine_token_in_a_cookie_counts_for_nothing(accepts: Any) -> None:
    state = clerk(accepts).authenticate(load("", f"__session={m2m()}; __client_uat=1"))
    assert isinstance(state, SignedOut)


@pytest.mark.parametrize("query", ["_clerk_session_id=sess_9", "_clerk_session_id="])
def test_a_session_that_the_query_names_does_not_concern_machines(query: str) -> None:
    state = clerk("any").authenticate(load(query, HTTP_AUTHORIZATION=f"Bearer {m2m()}"))
    assert isinstance(state, SignedIn)


def test_a_machine_that_was_refused_is_never_sent_on_a_handshake() -> None:
    late = m2m(exp=NOW - 100)
    state = clerk("any").authenticate(load("", HTTP_AUTHORIZATION=f"Bearer {late}"))
    assert (state.status, state.token_type) == ("signed-out", "m2m_token")
    assert [name for name, _ in state.headers if not name.startswith("x-clerk-auth-")] == []


def test_a_machine_secret_key_alone_fetches_no_keys() -> None:
    instance = Clerk(
        machine_secret_key="ak_secret", accepts_token="m2m_token", dotenv=False, clock=lambda: NOW
    )
    state = instance.authenticate(load("", HTTP_AUTHORIZATION=f"Bearer {m2m()}"))
    assert (state.reason, state.token_type) == ("token-verification-failed", "m2m_token")


# Nobody


@pytest.mark.parametrize(
    ("token_type", "kind"),
    [
        ("api_key", ApiKeyAuth),
        ("m2m_token", M2MAuth),
        ("oauth_token", OAuthAuth),
        (None, MachineAuth),
    ],
)
def test_the_auth_of_a_refused_machine_is_of_its_kind_and_says_nothing(
    token_type: str | None, kind: type[MachineAuth]
) -> None:
    auth = refused_machine(token_type)
    assert type(auth) is kind
    assert not auth
    assert (auth.token_type, auth.id, auth.subject, auth.scopes) == (token_type, None, None, None)
    assert auth.claims is None


def test_a_machine_that_clerk_cannot_judge_is_an_outage() -> None:
    for reason, status in (("unexpected-error", 503), ("token-invalid", 401)):
        error = error_of(SignedOut(reason=reason, token_type="api_key"))
        assert error is not None
        assert error.status_code == status


def test_no_repr_shows_a_token_or_its_claims() -> None:
    token = m2m(own="secret")
    state = clerk("any").authenticate(load("", HTTP_AUTHORIZATION=f"Bearer {token}"))
    assert "secret" not in repr(state.auth)
    assert token not in repr(state)
