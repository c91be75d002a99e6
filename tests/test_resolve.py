"""Resolving a handshake: from what a browser brought home to a state, or to going on without."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from clerk_wsgi import SignedIn, SignedOut
from clerk_wsgi.keys import PemKey, RemoteKeys
from clerk_wsgi.questions import NoAnswer, Refusal
from clerk_wsgi.resolve import HandshakeResolver
from clerk_wsgi.tokens import Audience, SessionTokenVerifier

from .minting import NOW, SESSION_CATEGORY, Minter
from .requesting import (
    MINTER,
    Answers,
    Asked,
    asked,
    location_of,
    outcome,
    set_cookies_of,
    user_of,
    verifier_of,
    visit_of,
)

DAY = 86_400
GOOD = MINTER.token()
COOKIES = [f"__session={GOOD}; Path=/; Secure", "__client_uat=1; Path=/"]
CROSS_ORIGIN = [
    ("Access-Control-Allow-Origin", "null"),
    ("Access-Control-Allow-Credentials", "true"),
]
OTHER_CLASSES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"cat": "cl_B7d4PD222AAA"}, {}),
    ({"cat": "cl_B7d4PD333AAA"}, {}),
    ({"cat": "cl_unknown"}, {}),
    ({"cat": None}, {}),
    ({"cat": ""}, {}),
    ({"cat": 1}, {}),
    ({"typ": "at+jwt"}, {}),
    ({"typ": "application/at+jwt"}, {}),
    ({}, {"sub": "mch_1"}),
]


def handshake_token(directives: object = ..., header: dict[str, Any] | None = None) -> str:
    """A handshake token; it has no times and no subject."""
    members = {} if directives is ... else {"handshake": directives}
    return MINTER.compact(
        {"alg": "RS256", "kid": MINTER.kid, "typ": "JWT", **(header or {})}, members
    )


def resolver(api: Answers | None = None, *, development: bool = False) -> HandshakeResolver:
    return HandshakeResolver(PemKey(MINTER.pem), verifier_of(), api, development=development)


def nonce_answer(directives: object) -> Answers:
    return Answers({"directives": directives})


def with_nonce(nonce: str = "n_1", url: str = "https://app.test/p?x=1") -> Asked:
    return asked(url, cookies={"__clerk_handshake_nonce": nonce})


def with_token(token: str, url: str = "https://app.test/p?x=1") -> Asked:
    return asked(url, cookies={"__clerk_handshake": token})


# Whether anything was brought


@pytest.mark.parametrize(
    "request_",
    [
        asked(),
        asked("https://app.test/?__clerk_handshake=&__clerk_handshake_nonce="),
        asked("https://app.test/?__clerk_handshak=x&__CLERK_HANDSHAKE=x"),
        asked(headers={"__clerk_handshake": "x"}, bearer="x"),
    ],
)
def test_without_a_handshake_the_next_step_decides(request_: Asked) -> None:
    api = nonce_answer(COOKIES)
    assert resolver(api).resolve(visit_of(request_)) is None
    assert api.asked == []


@pytest.mark.parametrize(
    ("request_", "nonce"),
    [
        (with_nonce("n_1"), "n_1"),
        (asked("https://app.test/?__clerk_handshake_nonce=q"), "q"),
        (with_nonce("c", "https://app.test/?__clerk_handshake_nonce=q"), "q"),
        (with_nonce("c", "https://app.test/?__clerk_handshake_nonce="), "c"),
        (asked("https://app.test/?__clerk_handshake_nonce=q&__clerk_handshake_nonce=r"), "q"),
        # A nonce goes before a token.
        (with_nonce("c", f"https://app.test/?__clerk_handshake={handshake_token(COOKIES)}"), "c"),
    ],
)
def test_a_nonce_of_the_query_goes_before_that_of_the_cookie(request_: Asked, nonce: str) -> None:
    api = nonce_answer(["__client_uat=0"])
    state = resolver(api).resolve(visit_of(request_))
    assert outcome(state) == ("signed-out", "session-token-missing")
    assert api.asked == [("handshake_payload", nonce)]


def test_a_token_of_the_query_goes_before_that_of_the_cookie() -> None:
    mine, theirs = handshake_token(["__client_uat=1"]), handshake_token(["__client_uat=2"])
    state = resolver().resolve(
        visit_of(with_token(theirs, f"https://app.test/?__clerk_handshake={mine}"))
    )
    assert state is not None
    assert set_cookies_of(state) == ["__client_uat=1"]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Dest": "empty"}])
def test_no_method_and_no_header_keeps_a_handshake_from_counting(
    method: str, headers: dict[str, str]
) -> None:
    request = asked(method=method, headers=headers, cookies={"__clerk_handshake_nonce": "n"})
    state = resolver(nonce_answer(COOKIES)).resolve(visit_of(request))
    assert isinstance(state, SignedIn)


# What it brought


@pytest.mark.parametrize("request_", [with_nonce(), with_token(handshake_token(COOKIES))])
def test_in_production_it_signs_in_and_sets_the_cookies_as_they_came(request_: Asked) -> None:
    state = resolver(nonce_answer(COOKIES)).resolve(visit_of(request_))
    assert isinstance(state, SignedIn)
    assert (state.token, user_of(state)) == (GOOD, "user_1")
    assert state.headers == [*CROSS_ORIGIN, *(("Set-Cookie", line) for line in COOKIES)]


def test_in_development_it_sends_the_browser_to_a_clean_address_as_well() -> None:
    url = (
        f"https://app.test/a%20b?__clerk_handshake={handshake_token(COOKIES)}&k=1"
        "&__clerk_handshake_nonce=&__clerk_db_jwt=z&__clerk_help=1&__clerk_synced=true"
    )
    state = resolver(development=True).resolve(visit_of(asked(url)))
    assert isinstance(state, SignedIn)
    assert state.headers == [
        *CROSS_ORIGIN,
        *(("Set-Cookie", line) for line in COOKIES),
        ("Location", "https://app.test/a%20b?k=1&__clerk_synced=true"),
        ("Cache-Control", "no-store"),
    ]


@pytest.mark.parametrize(
    "directives",
    [
        [],
        ["__client_uat=0; Path=/"],
        ["__session=; Max-Age=0", "__client_uat=0"],
        [f"__session={GOOD}", "__session_X=; Max-Age=0"],
        # None of these can be set, so none brings a token (rule D5).
        [f"sessionid={GOOD}"],
        [f"__session={GOOD}\r\nx: y"],
        [[f"__session={GOOD}"], None, 5],
    ],
)
@pytest.mark.parametrize("development", [False, True])
def test_without_a_token_somebody_is_signed_out_for_good(
    directives: list[Any], development: bool
) -> None:
    for request in (with_nonce(), with_token(handshake_token(directives))):
        state = resolver(nonce_answer(directives), development=development).resolve(
            visit_of(request)
        )
        assert isinstance(state, SignedOut)
        assert state.reason == "session-token-missing"
        assert ("Access-Control-Allow-Origin", "null") in state.headers
        assert (location_of(state) is not None) is development


@pytest.mark.parametrize("handshake", [..., None, {}, "x", 5, f"__session={GOOD}"])
def test_a_handshake_token_without_a_list_brings_nothing(handshake: object) -> None:
    state = resolver().resolve(visit_of(with_token(handshake_token(handshake))))
    assert outcome(state) == ("signed-out", "session-token-missing")
    assert state is not None
    assert set_cookies_of(state) == []


@pytest.mark.parametrize("header", [{}, {"typ": ...}, {"cat": SESSION_CATEGORY}, {"x": 1}])
def test_a_handshake_token_is_one_of_these_classes(header: dict[str, Any]) -> None:
    head = {"alg": "RS256", "kid": MINTER.kid, "typ": "JWT", **header}
    head = {name: value for name, value in head.items() if value is not ...}
    token = MINTER.compact(head, {"handshake": COOKIES})
    assert isinstance(resolver().resolve(visit_of(with_token(token))), SignedIn)


# What cannot be used: the cookies decide (rules D6, D10)


@pytest.mark.parametrize(
    "nonce",
    [
        "n 1",
        "n/1",
        "../sessions",
        "n?x=1",
        "n#",
        "n%2e",
        "n.1",
        "n\r\nx",
        "n\0",
        "caf\xe9",
        "\u0663",
        "n" * 513,
        "n\n",
        "&",
    ],
)
def test_a_malformed_nonce_costs_no_call(nonce: str) -> None:
    api = nonce_answer(COOKIES)
    assert resolver(api).resolve(visit_of(with_nonce(nonce))) is None
    assert api.asked == []


@pytest.mark.parametrize("nonce", ["n", "n" * 512, "-", "_", "0"])
def test_a_nonce_is_of_these_characters(nonce: str) -> None:
    api = nonce_answer(COOKIES)
    assert resolver(api).resolve(visit_of(with_nonce(nonce))) is not None
    assert api.asked == [("handshake_payload", nonce)]


@pytest.mark.parametrize(
    "answer",
    [
        NoAnswer("no network"),
        Refusal(401, "authentication_invalid"),
        Refusal(404, "resource_not_found"),
        Refusal(500),
        None,
        [],
        "directives",
        5,
        {},
        {"directives": None},
        {"directives": {}},
        {"directives": "__session=x"},
        {"errors": []},
    ],
)
@pytest.mark.parametrize("development", [False, True])
def test_what_a_nonce_was_not_exchanged_for_brings_nothing(
    answer: object, development: bool
) -> None:
    api = Answers(answer)
    assert resolver(api, development=development).resolve(visit_of(with_nonce())) is None
    assert len(api.asked) == 1


def test_without_a_secret_key_a_nonce_cannot_be_exchanged() -> None:
    assert resolver(None).resolve(visit_of(with_nonce())) is None


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        GOOD[:-4] + "AAAA",
        handshake_token(COOKIES)[:-4] + "AAAA",
        Minter("ins_1").compact({"alg": "RS256", "typ": "JWT"}, {"handshake": COOKIES}),
        handshake_token(COOKIES, {"alg": "none"}),
        handshake_token(COOKIES, {"alg": "RS512"}),
        handshake_token(COOKIES, {"typ": "JOSE"}),
        handshake_token(COOKIES, {"crit": []}),
        handshake_token(COOKIES, {"kid": 5}),
        *(
            MINTER.compact(
                {"alg": "RS256", "typ": "JWT", **header}, {"handshake": COOKIES, **claims}
            )
            for header, claims in OTHER_CLASSES
        ),
    ],
)
@pytest.mark.parametrize("development", [False, True])
def test_a_handshake_token_that_does_not_verify_sets_nothing(token: str, development: bool) -> None:
    for request in (with_token(token), asked(f"https://app.test/?__clerk_handshake={token}")):
        assert resolver(development=development).resolve(visit_of(request)) is None


def test_without_keys_a_handshake_token_sets_nothing() -> None:
    def no_keys() -> object:
        return {"keys": []}

    keys = RemoteKeys(no_keys)
    verifier = SessionTokenVerifier(keys, Audience(), clock_skew=5)
    found = HandshakeResolver(keys, verifier, None, development=False).resolve(
        visit_of(with_token(handshake_token(COOKIES)))
    )
    assert found is None


# What the token that it brought is worth


@pytest.mark.parametrize(("header", "claims"), OTHER_CLASSES)
@pytest.mark.parametrize("development", [False, True])
def test_a_token_of_another_class_signs_out_and_nothing_is_set(
    header: dict[str, Any], claims: dict[str, Any], development: bool
) -> None:
    brought = ["__client_uat=1", f"__session={MINTER.token(header, **claims)}"]
    for request in (with_nonce(), with_token(handshake_token(brought))):
        state = resolver(nonce_answer(brought), development=development).resolve(visit_of(request))
        assert isinstance(state, SignedOut)
        assert state.reason == "token-type-mismatch"
        assert state.extra_headers == ()


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "__session",
        GOOD[:-4] + "AAAA",
        Minter("ins_1").token(),
        MINTER.token({"alg": "none"}),
        MINTER.token(sub=""),
        MINTER.token(exp=...),
        MINTER.token(exp=NOW - DAY - 1),
        MINTER.token(nbf=NOW + DAY + 1),
        MINTER.token(iat=NOW + DAY + 1),
    ],
)
@pytest.mark.parametrize("development", [False, True])
def test_a_token_that_does_not_verify_leaves_the_cookies_in_charge(
    token: str, development: bool
) -> None:
    api = nonce_answer([f"__session={token}", "__client_uat=1"])
    assert resolver(api, development=development).resolve(visit_of(with_nonce())) is None


def test_a_session_cookie_without_a_value_is_a_token_that_does_not_verify() -> None:
    api = nonce_answer(["__session", "__client_uat=1"])
    assert resolver(api).resolve(visit_of(with_nonce())) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 60},
        {"exp": NOW - DAY + 1},
        {"nbf": NOW + 60},
        {"nbf": NOW + DAY},
        {"iat": NOW + 60},
        {"iat": NOW + DAY, "exp": NOW + DAY + 60},
    ],
)
def test_in_development_a_clock_may_be_off_by_a_day(
    claims: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    token = MINTER.token(**claims)
    api = nonce_answer([f"__session={token}"])
    with caplog.at_level(logging.WARNING, "clerk_wsgi"):
        state = resolver(api, development=True).resolve(visit_of(with_nonce()))
    assert isinstance(state, SignedIn)
    assert "clock" in caplog.text
    assert token not in caplog.text
    # Production is not as patient.
    assert resolver(api).resolve(visit_of(with_nonce())) is None


def test_who_the_token_was_made_for_counts() -> None:
    verifier = verifier_of(audience=Audience(authorized_parties=["https://other.test"]))
    api = nonce_answer(COOKIES)
    for development in (False, True):
        found = HandshakeResolver(PemKey(MINTER.pem), verifier, api, development=development)
        assert found.resolve(visit_of(with_nonce())) is None


def test_a_pending_session_is_brought_like_any_other() -> None:
    api = nonce_answer([f"__session={MINTER.token(sts='pending')}"])
    state = resolver(api).resolve(visit_of(with_nonce()))
    assert isinstance(state, SignedIn)
    assert not state.auth


@pytest.mark.parametrize(
    ("request_", "api"),
    [
        (with_nonce("n.secret"), None),
        (with_nonce("n.secret"), nonce_answer(COOKIES)),
        (with_nonce("secret"), Answers(Refusal(404, "x\r\nsecret"))),
        (with_nonce("secret"), Answers({"secret": 1})),
        (with_nonce(), nonce_answer(["__session=secret"])),
        (with_token("secret"), None),
    ],
)
def test_no_log_line_quotes_what_was_brought(
    request_: Asked, api: Answers | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "clerk_wsgi"):
        assert resolver(api).resolve(visit_of(request_)) is None
    assert caplog.text
    assert "secret" not in caplog.text.replace("no secret key", "")
