"""Twenty thousand hostile values: none raises, none signs anybody in, nothing odd is sent back."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clerk_wsgi import Clerk, SignedIn
from clerk_wsgi.testing import in_process

from .forging import forgeries, key_forgeries
from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, SUFFIX_LIVE, Minter, segment
from .minting import environ as request_environ
from .reading import user_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from clerk_wsgi import RequestState

MINTER = Minter()
GOOD = MINTER.token()
HEADER, PAYLOAD, SIGNATURE = GOOD.split(".")
# Without the one that a cookie may look like: quotes around a value are no part of it.
FORGED = [one for one in forgeries(MINTER) if one.name != "shape: quoted"]
FORGED_TOKENS = [one.token for one in FORGED if len(one.token) < 20_000]


class KeyServer:
    """Clerk's API as far as keys go; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.asked.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(MINTER.jwks()).encode()]


SERVER = KeyServer()
LOCAL = Clerk(publishable_key=PUBLISHABLE_LIVE, jwt_key=MINTER.pem, dotenv=False, clock=lambda: NOW)
# Its clock of ages stands still: what the whole file costs in fetches is what one moment may.
REMOTE = Clerk(
    secret_key="sk_live_x",
    publishable_key=PUBLISHABLE_LIVE,
    http=in_process(SERVER),
    dotenv=False,
    clock=lambda: NOW,
    monotonic=lambda: 1000.0,
)
INSTANCES = (LOCAL, REMOTE)


def thorough(examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, suppress_health_check=slow)


def decide(**keys: str) -> list[RequestState]:
    """What both instances say about a page load; whatever that is can be sent to a browser."""
    environ = request_environ(HTTP_SEC_FETCH_DEST="document", **keys)
    states = [instance.authenticate(environ) for instance in INSTANCES]
    for state in states:
        check_headers(state)
    return states


def check_headers(state: RequestState) -> None:
    for name, value in state.headers:
        assert re.fullmatch(r"[A-Za-z-]+", name)
        assert not re.search(r"[\x00-\x1f\x7f]", value)
        value.encode("latin-1")
        if name == "Location":
            assert urlsplit(value)[:2] == ("https", "clerk.example.com")
        if name == "Set-Cookie":
            assert value.startswith("__clerk_redirect_count=")


def users(states: list[RequestState]) -> set[str | None]:
    return {user_of(state) for state in states}


NOBODY: set[str | None] = {None}

# Values

LATIN = st.characters(max_codepoint=255)
TEXT = st.text(LATIN, max_size=60) | st.text(max_size=20)
PUNCTUATION = st.text("ABab01-_.=+/; ,\t\"'%&\\\r\n\0\xe9", max_size=40)
TOKENISH = st.lists(
    st.sampled_from([HEADER, PAYLOAD, SIGNATURE, ".", "..", "e30", "", "A", "=", "bnVsbA"]),
    max_size=7,
).map("".join)


@st.composite
def changed(draw: st.DrawFn) -> str:
    """A good token with something done to it."""
    kind = draw(st.sampled_from(["flip", "cut", "insert", "replace", "swap", "case", "double"]))
    at = draw(st.integers(0, len(GOOD) - 1))
    if kind == "flip":
        bit = 1 << draw(st.integers(0, 6))
        return GOOD[:at] + chr(ord(GOOD[at]) ^ bit) + GOOD[at + 1 :]
    if kind == "cut":
        return GOOD[:at] + GOOD[at + draw(st.integers(1, 400)) :]
    if kind == "insert":
        return (
            GOOD[:at] + draw(st.text("AZaz09-_.=+/ \n%\xe9\0", min_size=1, max_size=4)) + GOOD[at:]
        )
    if kind == "replace":
        return GOOD[:at] + draw(st.text("AZaz09-_.", min_size=1, max_size=4)) + GOOD[at + 1 :]
    if kind == "case":
        return draw(st.sampled_from([GOOD.lower(), GOOD.upper(), GOOD.swapcase()]))
    if kind == "double":
        return GOOD + draw(st.sampled_from(["", ".", " ", ",", "%20", "; "])) + GOOD
    parts = draw(st.permutations([HEADER, PAYLOAD, SIGNATURE]))
    return ".".join(parts)


def reclaimed() -> list[str]:
    """Other claims or another header under the signature of a good token."""
    names = ("alg", "kid", "typ", "cat", "crit", "sub", "exp", "iat", "iss", "sid", "handshake")
    odd: list[Any] = [None, True, 0, -1, 1e300, "", "user_2", "RS256", MINTER.kid, [], ["x"], {}]
    parts = [segment({name: value}) for name in names for value in odd]
    headers = [f"{part}.{PAYLOAD}.{SIGNATURE}" for part in parts]
    return [*headers, *(f"{HEADER}.{part}.{SIGNATURE}" for part in parts)]


NEAR_TOKENS = changed() | st.sampled_from([*reclaimed(), *FORGED_TOKENS]) | TOKENISH
SCHEMES = st.sampled_from(["", "Bearer ", "bearer   ", "BEARER ", " Bearer ", "Basic ", "Bearer\t"])
AUTHORIZATIONS = (
    TEXT
    | PUNCTUATION
    | st.tuples(SCHEMES, TEXT | PUNCTUATION | NEAR_TOKENS).map("".join)
    | st.tuples(SCHEMES, changed(), st.sampled_from([" ", ",", ""]), changed()).map("".join)
)


def is_good(value: str) -> bool:
    """Say whether an Authorization value spells the good token after all."""
    value = value.strip(" \t")
    scheme, _, rest = value.partition(" ")
    return value == GOOD or (scheme.lower() == "bearer" and rest.lstrip(" ") == GOOD)


@given(AUTHORIZATIONS)
@thorough(6000)
def test_no_authorization_but_the_good_token_signs_anybody_in(value: str) -> None:
    assert users(decide(HTTP_AUTHORIZATION=value)) == ({"user_1"} if is_good(value) else NOBODY)


NAMES = st.sampled_from(
    [
        "__session",
        "__client_uat",
        f"__session_{SUFFIX_LIVE}",
        f"__client_uat_{SUFFIX_LIVE}",
        f"__refresh_{SUFFIX_LIVE}",
        "__clerk_db_jwt",
        "__clerk_handshake",
        "__clerk_handshake_nonce",
        "__clerk_redirect_count",
    ]
)
NEAR_NAMES = st.sampled_from(
    [
        "__Session",
        "_session",
        "__session_",
        "__sessions",
        "__session__session",
        f"__session_{SUFFIX_LIVE.lower()}",
        f"__session_{SUFFIX_LIVE}x",
        "%5F_session",
        '"__session"',
        "__session ;x",
        "__session\0",
        "\xa0__session",
        "$__session",
        "__Host-__session",
        "x=__session",
        "",
    ]
)
QUOTED = changed().map('"{}"'.format) | changed().map('"{}'.format)
NUMBERS = st.sampled_from(["0", "1", str(NOW), "9" * 15, "9" * 16, "-1", "1.5", "\u0661", ""])
BAD = NEAR_TOKENS | QUOTED | TEXT | PUNCTUATION | NUMBERS
# Right names with bad values, and near names with any.
COOKIE = st.tuples(NAMES, st.just("="), BAD) | st.tuples(
    NEAR_NAMES, st.just("="), st.just(GOOD) | BAD
)
JARS = st.tuples(
    st.sampled_from(["; ", ";", " ;\t"]), st.lists(COOKIE.map("".join), min_size=1, max_size=4)
).map(lambda drawn: drawn[0].join(drawn[1]))


COOKIES = TEXT | PUNCTUATION | JARS


def holds_good_cookie(header: str) -> bool:
    """Say whether a good token stands under one of the two right names after all."""
    right = re.compile(rf'[ \t]*__session(_{SUFFIX_LIVE})?[ \t]*=[ \t"]*{re.escape(GOOD)}[ \t"]*')
    return any(right.fullmatch(piece) for piece in header.split(";"))


@given(COOKIES, st.sampled_from(["; __client_uat=1", f"; __client_uat_{SUFFIX_LIVE}=1", ""]))
@thorough(6000)
def test_no_cookies_but_the_good_ones_sign_anybody_in(header: str, uat: str) -> None:
    found = users(decide(HTTP_COOKIE=header + uat))
    if holds_good_cookie(header):
        assert found <= {None, "user_1"}
    else:
        assert found == NOBODY


PARAMETERS = st.sampled_from(
    [
        "_clerk_session_id",
        "%5Fclerk_session_id",
        "__session",
        "__client_uat",
        "__clerk_handshake",
        "__clerk_handshake_nonce",
        "__clerk_db_jwt",
        "__clerk_redirect_url",
        "__clerk_synced",
        "__clerk_help",
        "access_token",
    ]
)
PAIRS = st.tuples(
    PARAMETERS | TEXT, st.sampled_from(["=", "", "=="]), NEAR_TOKENS | TEXT | st.just(GOOD)
).map("".join)
QUERIES = TEXT | PUNCTUATION | st.lists(PAIRS, max_size=3).map("&".join)


@given(QUERIES)
@thorough(3000)
def test_no_query_signs_anybody_in(query: str) -> None:
    assert users(decide(QUERY_STRING=query)) == NOBODY


@given(QUERIES)
@thorough(2000)
def test_no_query_changes_who_somebody_is(query: str) -> None:
    for state in decide(QUERY_STRING=query, HTTP_AUTHORIZATION=GOOD):
        if not isinstance(state, SignedIn):
            assert state.reason == "session-id-mismatch"
        else:
            assert user_of(state) == "user_1"


HEADERS = st.sampled_from(
    [
        "HTTP_HOST",
        "HTTP_REFERER",
        "HTTP_ORIGIN",
        "HTTP_ACCEPT",
        "HTTP_USER_AGENT",
        "HTTP_SEC_FETCH_DEST",
        "HTTP_FORWARDED",
        "HTTP_X_FORWARDED_HOST",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_CLERK_AUTH_STATUS",
        "PATH_INFO",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "REQUEST_METHOD",
        "wsgi.url_scheme",
    ]
)
ADDRESSES = (
    TEXT
    | PUNCTUATION
    | st.sampled_from(
        [
            "//evil.test/x",
            "evil.test:99999",
            "evil.test:\u0661",
            "[::1]:80",
            "[::1",
            "a@evil.test",
            "evil.test#",
            "http://[",
            "https://evil.test/",
            "javascript:alert(1)",
            "evil.test, app.test",
            "/..//../\\evil.test",
            "document",
            "text/html",
            "GET",
        ]
    )
)
TRUSTING = [
    Clerk(
        publishable_key=key,
        jwt_key=MINTER.pem,
        dotenv=False,
        clock=lambda: NOW,
        trust_forwarded=True,
        organization_patterns=["/orgs/:slug"],
    )
    for key in (PUBLISHABLE_LIVE, PUBLISHABLE_TEST)
]


@given(
    st.dictionaries(HEADERS, ADDRESSES, max_size=4),
    st.sampled_from(["", "__client_uat=1", f"__client_uat=1; __session={GOOD}"]),
    st.sampled_from(["", "__clerk_redirect_url=https%3A%2F%2F", "__clerk_synced=false"]),
    TEXT,
)
@thorough(3000)
def test_nothing_about_an_address_raises_or_breaks_a_header(
    keys: dict[str, str], cookies: str, query: str, tail: str
) -> None:
    environ = request_environ(
        **{"HTTP_SEC_FETCH_DEST": "document", **keys},
        HTTP_COOKIE=cookies,
        QUERY_STRING=query + tail,
    )
    for instance in (*INSTANCES, *TRUSTING):
        state = instance.authenticate(environ)
        assert GOOD in cookies or not isinstance(state, SignedIn)
        for name, value in state.headers:
            assert not re.search(r"[\x00-\x1f\x7f]", name + value)
            value.encode("latin-1")


# Forgeries through every door


def doors(token: str) -> list[dict[str, str]]:
    """The ways that a token can be presented."""
    return [
        {"HTTP_AUTHORIZATION": f"Bearer {token}"},
        {"HTTP_AUTHORIZATION": token},
        {"HTTP_COOKIE": f"__session={token}; __client_uat=1"},
        {"HTTP_COOKIE": f"__session_{SUFFIX_LIVE}={token}; __client_uat_{SUFFIX_LIVE}=1"},
        {"HTTP_COOKIE": f"__clerk_handshake={token}"},
        {"QUERY_STRING": f"__clerk_handshake={token}"},
        {"QUERY_STRING": f"__clerk_handshake_nonce={token}"},
    ]


def test_the_good_token_comes_in_by_the_right_doors_only() -> None:
    found = [users(decide(**keys)) for keys in doors(GOOD)]
    assert found == [{"user_1"}] * 4 + [NOBODY] * 3


def test_no_forgery_comes_in_by_any_door() -> None:
    accepted = [
        (one.name, keys)
        for one in FORGED
        for keys in doors(one.token)
        if users(decide(**keys)) != NOBODY
    ]
    assert accepted == []


def test_no_token_of_an_unknown_key_comes_in_where_keys_have_names() -> None:
    accepted = [
        (one.name, keys)
        for one in key_forgeries(MINTER)
        for keys in doors(one.token)
        if users([REMOTE.authenticate(request_environ(**keys))]) != NOBODY
    ]
    assert accepted == []


def test_no_forgery_sets_a_cookie_as_a_handshake() -> None:
    evil = Minter(MINTER.kid)
    directive = {"handshake": [f"__session={GOOD}", "__client_uat=1"]}
    head = {"alg": "RS256", "kid": MINTER.kid, "typ": "JWT"}
    tokens = [
        GOOD,
        evil.compact(head, directive),
        MINTER.compact({**head, "alg": "none"}, directive),
        MINTER.compact({**head, "cat": "cl_B7d4PD222AAA"}, directive),
        MINTER.compact({**head, "cat": "cl_B7d4PD333AAA"}, directive),
        MINTER.compact({**head, "typ": "at+jwt"}, directive),
        MINTER.compact({**head, "crit": ["exp"]}, directive),
        MINTER.compact(head, {**directive, "sub": "mch_1"}),
        MINTER.compact(head, {"handshake": [f"session={GOOD}", f"a=b\r\n__session={GOOD}", 7]}),
        *FORGED_TOKENS,
    ]
    for token in tokens:
        for keys in doors(token)[4:6]:
            for state in decide(**keys):
                set_cookies = [value for name, value in state.headers if name == "Set-Cookie"]
                assert set_cookies == []
                assert not isinstance(state, SignedIn)


@pytest.mark.parametrize("size", [16_384, 60_000, 1_000_000])
@pytest.mark.parametrize("text", ["A", ".", "A.", "{", "%41", '"', "=", ";", "a=b; ", "\xff", " "])
def test_a_huge_value_is_refused_in_no_time(text: str, size: int) -> None:
    huge = text * (size // len(text))
    started = time.perf_counter()
    for keys in (*doors(huge)[:5], {"HTTP_COOKIE": huge}):
        assert users(decide(**keys)) == NOBODY
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("text", ["A", "%41", "%ff", "\xff", "%", "&", "a&", "=", ";", "+", "%E2"])
def test_a_long_query_is_read_in_no_time(text: str) -> None:
    long = text * (16_384 // len(text))
    started = time.perf_counter()
    for query in (long, f"__clerk_handshake={long}", f"_clerk_session_id={long}"):
        assert users(decide(QUERY_STRING=query)) == NOBODY
    assert time.perf_counter() - started < 5


def test_all_of_this_cost_a_handful_of_fetches_of_keys() -> None:
    """One of the last tests of the file, so that it speaks of all the others."""
    decide(HTTP_AUTHORIZATION=GOOD)
    assert 1 <= SERVER.asked.count("/v1/jwks") <= 3
    # An expired token that was rightly signed, with a refresh cookie, is renewed like any other.
    allowed = {"/v1/jwks", "/v1/clients/handshake_payload", "/v1/sessions/sess_1/refresh"}
    assert set(SERVER.asked) <= allowed


def test_the_instances_still_know_a_good_token_when_they_see_one() -> None:
    assert users(decide(HTTP_AUTHORIZATION=f"Bearer {GOOD}")) == {"user_1"}
