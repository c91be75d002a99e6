"""The decision about a request, through a real instance: carriers, cookies, times, sessions.

The rows were observed on Clerk's own SDK; each names the request, and what became of it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clerk_wsgi import Clerk, Handshake, SignedIn, SignedOut
from clerk_wsgi.refusals import error_of
from clerk_wsgi.testing import FrozenClock

from .minting import (
    ISSUER_TEST,
    NOW,
    PUBLISHABLE_LIVE,
    PUBLISHABLE_TEST,
    SUFFIX_LIVE,
    SUFFIX_TEST,
    Minter,
)
from .minting import environ as request_environ
from .reading import auth_of, user_of

if TYPE_CHECKING:
    from clerk_wsgi import RequestState

MINTER = Minter("ins_1")
TEST_FRONTEND = "happy-emu-1.clerk.accounts.dev"


def token(header: dict[str, Any] | None = None, **claims: Any) -> str:
    return MINTER.token(header, **claims)


GOOD = token()
GOOD_TEST = token(iss=ISSUER_TEST)


def jar(**cookies: str) -> str:
    """A Cookie header; ``S`` and ``U`` stand for the session and when the client changed."""
    short = {"S": "__session", "U": "__client_uat", "DB": "__clerk_db_jwt"}
    return "; ".join(f"{short.get(name, name)}={value}" for name, value in cookies.items())


def page(**keys: str) -> dict[str, Any]:
    """A page load of https://app.test/p?x=1, plus some keys."""
    return request_environ(
        **{
            "wsgi.url_scheme": "https",
            "SERVER_PORT": "443",
            "PATH_INFO": "/p",
            "QUERY_STRING": "x=1",
            "HTTP_SEC_FETCH_DEST": "document",
            **keys,
        }
    )


def without(environ: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in environ.items() if name not in names}


def clerk(**options: Any) -> Clerk:
    """An instance that knows the key and has no way to the network."""
    given = {
        "secret_key": "sk_live_x",
        "publishable_key": PUBLISHABLE_LIVE,
        "jwt_key": MINTER.pem,
        "dotenv": False,
        "clock": lambda: NOW,
        **options,
    }
    return Clerk(**{name: value for name, value in given.items() if value is not ...})


def dev(**options: Any) -> Clerk:
    keys = {"secret_key": "sk_test_x", "publishable_key": PUBLISHABLE_TEST}
    return clerk(**{**keys, **options})


# The table

IN = "signed-in"
OUT = "signed-out"
AWAY = "handshake"


@dataclass(frozen=True)
class Row:
    """A request and its outcome; ``host`` is where a handshake leads, ``count`` its counter."""

    name: str
    status: str
    reason: str | None
    keys: dict[str, str] = field(repr=False)
    host: str = "clerk.example.com"
    count: int = 1
    dev: bool = False
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    leave_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def decide(self) -> RequestState:
        instance = (dev if self.dev else clerk)(**self.options)
        return instance.authenticate(without(page(**self.keys), *self.leave_out))


DEST = "HTTP_SEC_FETCH_DEST"
NOTHING = "session-token-and-uat-missing"
NO_UAT = "session-token-but-no-client-uat"
NO_SESSION = "client-uat-but-no-session-token"
NO_BROWSER = "dev-browser-missing"
EXPIRED = "session-token-expired-refresh-non-eligible"
PARTIES = "token-invalid-authorized-parties"


def row(name: str, status: str, reason: str | None, cookies: str = "", **keys: Any) -> Row:
    """A row of an instance in production; lower-case keywords are the row's own fields."""
    own = {key: keys.pop(key) for key in list(keys) if key.islower()}
    if cookies:
        keys["HTTP_COOKIE"] = cookies
    return Row(name, status, reason, keys, **own)


def dev_row(name: str, status: str, reason: str | None, cookies: str = "", **keys: Any) -> Row:
    """A row of an instance in development."""
    return row(name, status, reason, cookies, dev=True, host=TEST_FRONTEND, **keys)


def header_row(name: str, status: str, reason: str | None, value: str, **keys: Any) -> Row:
    """A row whose token comes in the ``Authorization`` header of a request of no known kind."""
    return row(name, status, reason, HTTP_AUTHORIZATION=value, leave_out=(DEST,), **keys)


def session(uat: str = "1", /, header: dict[str, Any] | None = None, **claims: Any) -> str:
    return jar(U=uat, S=token(header, **claims))


OTHER = {"authorized_parties": ["https://other.test"]}
ROWS = [
    row("no cookies", OUT, NOTHING),
    row("a session alone", AWAY, NO_UAT, jar(S=GOOD)),
    row("a session alone, by fetch", OUT, NO_UAT, jar(S=GOOD), **{DEST: "empty"}),
    row("a uat alone, by POST", OUT, NO_SESSION, jar(U="1"), REQUEST_METHOD="POST"),
    row(
        "a uat alone, accepting HTML",
        AWAY,
        NO_SESSION,
        jar(U="1"),
        HTTP_ACCEPT="text/html,*/*",
        leave_out=(DEST,),
    ),
    row(
        "a uat alone, accepting anything",
        OUT,
        NO_SESSION,
        jar(U="1"),
        HTTP_ACCEPT="*/*",
        leave_out=(DEST,),
    ),
    row("a uat alone, in a frame", AWAY, NO_SESSION, jar(U="1"), **{DEST: "iframe"}),
    row("a session and its uat", IN, None, session()),
    row(
        "a uat newer than the session",
        AWAY,
        "session-token-iat-before-client-uat",
        session(str(NOW + 50)),
    ),
    row("a uat as old as the session", IN, None, session(str(NOW))),
    row("an expired session", AWAY, f"{EXPIRED}-no-refresh-cookie", session(exp=NOW - 100)),
    row(
        "an expired session, by POST",
        OUT,
        f"{EXPIRED}-non-get",
        session(exp=NOW - 100),
        REQUEST_METHOD="POST",
    ),
    row("a session expired within the skew", IN, None, session(exp=NOW - 3)),
    row("a session not valid yet", AWAY, "session-token-nbf", session(nbf=NOW + 60)),
    row("a session of later", AWAY, "session-token-iat-in-the-future", session(iat=NOW + 60)),
    row("another authorized party", OUT, PARTIES, session(), options=OTHER),
    row("no azp where one is wanted", OUT, PARTIES, session(azp=...), options=OTHER),
    row("a third redirect", AWAY, NO_SESSION, jar(U="1", __clerk_redirect_count="2"), count=3),
    row("no fourth redirect", OUT, NO_SESSION, jar(U="1", __clerk_redirect_count="3")),
    row("nor any after it", OUT, NO_SESSION, jar(U="1", __clerk_redirect_count="4")),
    row("junk for a session", OUT, "token-invalid", jar(U="1", S="abc")),
    row(
        "a signature changed",
        OUT,
        "token-invalid-signature",
        jar(U="1", S=GOOD[:-20] + "AAAA" + GOOD[-16:]),
    ),
    row("a template", OUT, "token-type-mismatch", session(header={"cat": "cl_B7d4PD222AAA"})),
    row("an ignored instance", IN, None, session(header={"cat": "cl_I7d4PD111III"})),
    row(
        "a link from another site",
        AWAY,
        "primary-domain-cross-origin-sync",
        session(),
        HTTP_REFERER="https://sat.test/x",
    ),
    row(
        "a link from the account pages",
        IN,
        None,
        session(),
        HTTP_REFERER="https://accounts.example.com/x",
    ),
    dev_row("development: no cookies", AWAY, NO_BROWSER),
    dev_row("development: no cookies, by fetch", OUT, NO_BROWSER, **{DEST: "empty"}),
    dev_row("development: a browser alone", OUT, NOTHING, jar(DB="d")),
    dev_row(
        "development: a browser to sync",
        AWAY,
        "dev-browser-sync",
        QUERY_STRING="__clerk_db_jwt=q",
    ),
    dev_row("development: all three", IN, None, jar(DB="d", S=GOOD_TEST, U="1")),
    dev_row(
        "development: a session of another instance",
        AWAY,
        NO_BROWSER,
        jar(DB="d", S=GOOD, U="1"),
    ),
    dev_row(
        "development: only suffixed copies",
        IN,
        None,
        "; ".join(
            f"{name}_{SUFFIX_TEST}={value}"
            for name, value in (
                ("__clerk_db_jwt", "d"),
                ("__session", GOOD_TEST),
                ("__client_uat", "1"),
            )
        ),
    ),
    header_row("a bearer token", IN, None, f"Bearer {GOOD}"),
    header_row("a token without a scheme", IN, None, GOOD),
    header_row("the scheme in lower case", IN, None, f"bearer {GOOD}"),
    header_row("another scheme", OUT, NOTHING, f"Basic {GOOD}"),
    row(
        "an expired bearer token of a page load",
        AWAY,
        f"{EXPIRED}-no-refresh-cookie",
        HTTP_AUTHORIZATION=f"Bearer {token(exp=NOW - 100)}",
    ),
    header_row("junk for a bearer token", OUT, "token-invalid", "Bearer abc"),
    header_row("an opaque machine token", OUT, "token-invalid", "Bearer ak_x"),
    header_row(
        "a template as a bearer token",
        OUT,
        "token-type-mismatch",
        f"Bearer {token({'cat': 'cl_B7d4PD222AAA'})}",
    ),
    row(
        "the organization that the path names",
        IN,
        None,
        session(v=2, o={"id": "org_1", "slg": "acme"}),
        PATH_INFO="/orgs/acme",
        options={"organization_patterns": ["/orgs/:slug"]},
    ),
]


@pytest.mark.parametrize("row_", ROWS, ids=str)
def test_a_request_is_decided_as_clerk_decides_it(row_: Row) -> None:
    state = row_.decide()
    assert (state.status, state.reason, state.token_type) == (
        row_.status,
        row_.reason,
        "session_token",
    )
    if isinstance(state, SignedIn):
        assert (auth_of(state).user_id, auth_of(state).session_id) == ("user_1", "sess_1")
    else:
        assert not state.auth
        assert state.session is None


@pytest.mark.parametrize("row_", ROWS, ids=str)
def test_only_a_handshake_leads_away_and_it_leads_to_clerk(row_: Row) -> None:
    state = row_.decide()
    if not isinstance(state, Handshake):
        assert not {name.lower() for name, _ in state.headers} & {"location", "set-cookie"}
        return
    headers = dict(state.headers)
    to = urlsplit(headers["Location"])
    query = parse_qs(to.query)
    assert (to.scheme, to.netloc, to.path) == ("https", row_.host, "/v1/client/handshake")
    assert query["__clerk_hs_reason"] == [row_.reason]
    assert query["redirect_url"][0].startswith("https://app.test/p")
    count = f"__clerk_redirect_count={row_.count}; SameSite=Lax; HttpOnly; Max-Age=2"
    assert headers["Set-Cookie"] == count
    assert headers["Cache-Control"] == "no-store"


# Which token counts


def state_of(instance: Clerk, **keys: str) -> RequestState:
    return instance.authenticate(request_environ(**keys))


TWO = token(sub="user_2", sid="sess_2")
COOKIES = jar(U="1", S=GOOD)


def test_the_header_beats_the_cookie() -> None:
    state = state_of(clerk(), HTTP_AUTHORIZATION=f"Bearer {TWO}", HTTP_COOKIE=COOKIES)
    assert user_of(state) == "user_2"
    assert state.token == TWO


def test_the_header_does_not_care_about_cookies() -> None:
    cookies = jar(U=str(NOW + 1000), S="junk")
    assert user_of(state_of(clerk(), HTTP_AUTHORIZATION=TWO, HTTP_COOKIE=cookies)) == "user_2"


@pytest.mark.parametrize("value", ["Bearer junk", "junk", "Bearer", f"Bearer {GOOD} {GOOD}", "\0"])
def test_a_bad_bearer_token_is_refused_whatever_the_cookie_says(value: str) -> None:
    state = state_of(clerk(), HTTP_AUTHORIZATION=value, HTTP_COOKIE=COOKIES)
    assert (state.status, state.reason) == ("signed-out", "token-invalid")


@pytest.mark.parametrize(
    "value",
    ["", " ", "Basic dXNlcjpwYXNz", f"Basic {TWO}", "Digest x=y", "Bearer: x", f"Token {TWO}"],
)
def test_another_scheme_leaves_the_cookie_in_charge(value: str) -> None:
    state = state_of(clerk(), HTTP_AUTHORIZATION=value, HTTP_COOKIE=COOKIES)
    assert user_of(state) == "user_1"
    assert state_of(clerk(), HTTP_AUTHORIZATION=value).reason == NOTHING


@pytest.mark.parametrize(
    ("cookies", "user"),
    [
        (f"__session={GOOD}; __session={TWO}; __client_uat=1", "user_1"),
        (f"__session={TWO}; __session={GOOD}; __client_uat=1", "user_2"),
        (f"__session={GOOD}; __client_uat=1; __client_uat=0", "user_1"),
        (f"__session={GOOD}; __client_uat=0; __client_uat=1", None),
        (f"__session=; __session={GOOD}; __client_uat=1", None),
        (f'prefs={{"a":"b"}}; foo[bar]="; x=\xff; __session={GOOD}; __client_uat=1', "user_1"),
        (f'__session="{GOOD}"; __client_uat="1"', "user_1"),
        (f"__session={GOOD.replace('.', '%2E')}; __client_uat=%31", "user_1"),
        (f'__session="{GOOD}; __client_uat=1', None),
        (f'__session="{GOOD}"x; __client_uat=1', None),
        (f"__session={GOOD}x; __client_uat=1", None),
        (f"a=x%3B%20__session%3D{GOOD}; __client_uat=1", None),
        (f"__session2={GOOD}; x__session={GOOD}; __SESSION={GOOD}; __client_uat=1", None),
        (f"__session_={GOOD}; __session_{SUFFIX_TEST}={GOOD}; __client_uat=1", None),
        (f"__session_{SUFFIX_LIVE}={GOOD}; __client_uat_{SUFFIX_LIVE}=1", "user_1"),
        (f"__session_{SUFFIX_LIVE.lower()}={GOOD}; __client_uat_{SUFFIX_LIVE.lower()}=1", None),
        (f"__session={GOOD}; __client_uat={'9' * 5000}", None),
        (f"__session={GOOD}; __client_uat=١", None),
        (f"__session={GOOD}; __client_uat=-1", None),
    ],
)
def test_cookies_are_these_users(cookies: str, user: str | None) -> None:
    assert user_of(state_of(clerk(), HTTP_COOKIE=cookies)) == user


@pytest.mark.parametrize(
    "keys",
    [
        {"HTTP_X_CLERK_AUTH_STATUS": "signed-in", "HTTP_X_CLERK_AUTH_TOKEN": GOOD},
        {"HTTP_CLERK_AUTH": GOOD, "HTTP_X_USER_ID": "user_1", "HTTP_CLERK_DB_JWT": "d"},
        {"REMOTE_USER": "user_1", "AUTH_TYPE": "Clerk", "HTTP_REMOTE_USER": "user_1"},
        {"HTTP_PROXY_AUTHORIZATION": f"Bearer {GOOD}", "HTTP_X_AUTHORIZATION": GOOD},
        {"HTTP___SESSION": GOOD, "HTTP_SET_COOKIE": COOKIES, "HTTP_COOKIE2": COOKIES},
        {"QUERY_STRING": f"__session={GOOD}&__client_uat=1&access_token={GOOD}&token={GOOD}"},
        {"QUERY_STRING": f"Authorization=Bearer+{GOOD}"},
        {"PATH_INFO": f"/{GOOD}", "SCRIPT_NAME": f"/{GOOD}"},
        {"clerk.session": GOOD, "clerk.auth": GOOD, "clerk.state": GOOD},
    ],
)
def test_nothing_else_in_a_request_signs_anybody_in(keys: dict[str, str]) -> None:
    assert state_of(clerk(), **keys).reason == NOTHING
    assert state_of(clerk(publishable_key=...), **keys).reason == NOTHING


# Without a publishable key

BARE = {"publishable_key": ..., "secret_key": ...}
UNKEYED = [
    ("", OUT, NOTHING),
    (jar(U="0"), OUT, NOTHING),
    (jar(U="junk"), OUT, NOTHING),
    (jar(U="1"), OUT, NO_SESSION),
    (jar(S=GOOD), IN, None),
    (jar(S=GOOD, U=""), IN, None),
    (session(), IN, None),
    (session(str(NOW)), IN, None),
    (session(str(NOW + 1)), OUT, "session-token-iat-before-client-uat"),
    (session("0"), OUT, NO_UAT),
    (session("junk"), OUT, NO_UAT),
    (session("9" * 16), OUT, NO_UAT),
    (jar(S="junk"), OUT, "token-invalid"),
    (jar(S=token(exp=NOW - 100)), OUT, f"{EXPIRED}-no-refresh-cookie"),
    (jar(S=token(nbf=NOW + 100)), OUT, "session-token-nbf"),
    (jar(S=token(iat=NOW + 100)), OUT, "session-token-iat-in-the-future"),
    (jar(S=token({"cat": "cl_B7d4PD222AAA"})), OUT, "token-type-mismatch"),
    (jar(S=token(sub="mch_1")), OUT, "token-type-mismatch"),
    (jar(S=Minter("ins_1").token()), OUT, "token-invalid-signature"),
    (f"__session_{SUFFIX_LIVE}={GOOD}; __client_uat_{SUFFIX_LIVE}=1", OUT, NOTHING),
    (jar(S=GOOD_TEST), IN, None),
    (jar(S=GOOD_TEST, DB="d"), IN, None),
]


@pytest.mark.parametrize(("cookies", "status", "reason"), UNKEYED)
def test_without_a_publishable_key_the_token_decides_and_nothing_redirects(
    cookies: str, status: str, reason: str | None
) -> None:
    state = clerk(**BARE).authenticate(page(HTTP_COOKIE=cookies))
    assert (state.status, state.reason) == (status, reason)
    assert "Location" not in dict(state.headers)


@pytest.mark.parametrize(
    "query", ["__clerk_db_jwt=q", "__clerk_handshake=x", "__clerk_redirect_url=https://evil.test/"]
)
def test_without_a_publishable_key_a_query_leads_nowhere(query: str) -> None:
    state = clerk(**BARE).authenticate(page(HTTP_COOKIE=jar(S=GOOD), QUERY_STRING=query))
    assert user_of(state) == "user_1"
    assert state.headers == []


# The session that the query names

NAMED = "_clerk_session_id"
MATCHING = ["_clerk_session_id=sess_1", "a=b&%5Fclerk_session%5fid=sess%5F1&c", "x=1", ""]
OTHERS = [
    "_clerk_session_id=sess_2",
    "_clerk_session_id=SESS_1",
    "_clerk_session_id=sess_1%20",
    "_clerk_session_id=+sess_1",
    "_clerk_session_id=sess%255F1",
    "_clerk_session_id=sess_1%00",
    "_clerk_session_id=sess_1;",
    "_clerk_session_id=%ff",
    "_clerk_session_id=",
    "_clerk_session_id",
    "_clerk_session_id=&_clerk_session_id=sess_1",
    "_clerk_session_id=sess_1&_clerk_session_id=sess_1",
    "_clerk_session_id=sess_1&%5Fclerk_session_id=sess_1",
    "_clerk_session_id=sess_1&_clerk_session_id=sess_2",
    "%5fclerk_session_id=sess_2",
    "_clerk_session_id=['sess_1']",
    "_clerk_session_id=None",
]
CARRIERS = [{"HTTP_AUTHORIZATION": f"Bearer {GOOD}"}, {"HTTP_COOKIE": COOKIES}]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("query", MATCHING)
def test_the_session_that_the_query_names_answers(query: str, carrier: dict[str, str]) -> None:
    assert user_of(state_of(clerk(), QUERY_STRING=query, **carrier)) == "user_1"


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("query", OTHERS)
def test_no_other_session_than_the_one_named_answers(query: str, carrier: dict[str, str]) -> None:
    for instance in (clerk(), clerk(**BARE)):
        state = state_of(instance, QUERY_STRING=query, **carrier)
        assert (state.status, state.reason) == ("signed-out", "session-id-mismatch")


@pytest.mark.parametrize("sid", [..., None, "", 1, True, ["sess_1"], {}])
@pytest.mark.parametrize("query", [f"{NAMED}=sess_1", f"{NAMED}=", f"{NAMED}=None", f"{NAMED}=1"])
def test_a_token_that_names_no_session_is_not_the_one_named(sid: Any, query: str) -> None:
    nameless = f"Bearer {token(sid=sid)}"
    state = state_of(clerk(), QUERY_STRING=query, HTTP_AUTHORIZATION=nameless)
    assert state.reason == "session-id-mismatch"
    assert user_of(state_of(clerk(), HTTP_AUTHORIZATION=nameless)) == "user_1"


def test_a_pending_session_must_be_the_one_named_as_well() -> None:
    pending = f"Bearer {token(sts='pending')}"
    state = state_of(clerk(), QUERY_STRING=f"{NAMED}=sess_2", HTTP_AUTHORIZATION=pending)
    assert state.reason == "session-id-mismatch"
    state = state_of(clerk(), QUERY_STRING=f"{NAMED}=sess_1", HTTP_AUTHORIZATION=pending)
    assert isinstance(state, SignedIn)
    assert user_of(state, pending_counts=True) == "user_1"


def test_a_name_in_a_cookie_or_a_path_names_nothing() -> None:
    state = state_of(
        clerk(),
        PATH_INFO=f"/{NAMED}=sess_2",
        HTTP_COOKIE=f"{COOKIES}; {NAMED}=sess_2",
        HTTP_X_CLERK_SESSION_ID="sess_2",
    )
    assert user_of(state) == "user_1"


@pytest.mark.parametrize(
    ("cookies", "reason"),
    [
        ("", NOTHING),
        (jar(S=GOOD), NO_UAT),
        (session(exp=NOW - 100), f"{EXPIRED}-no-refresh-cookie"),
        (jar(U="1", S="junk"), "token-invalid"),
    ],
)
def test_who_is_not_signed_in_is_told_so_first(cookies: str, reason: str) -> None:
    named = f"{NAMED}=sess_2"
    assert state_of(clerk(), HTTP_COOKIE=cookies, QUERY_STRING=named).reason == reason


# Time


@pytest.mark.parametrize("carrier", CARRIERS)
def test_times_count_on_every_use_of_a_token(carrier: dict[str, str]) -> None:
    clock = FrozenClock(NOW)
    instance = clerk(clock=clock)
    seen = []
    for offset in (0, 60, 64.9, 65, 86_400, 0, -5, -6, -86_400, 1):
        clock.now = NOW + offset
        seen.append(state_of(instance, **carrier).reason)
    expired = f"{EXPIRED}-no-refresh-cookie"
    future, early = "session-token-iat-in-the-future", "session-token-nbf"
    assert seen == [None, None, None, expired, expired, None, None, future, early, None]


def test_a_clock_set_back_a_day_takes_the_tokens_of_that_day() -> None:
    clock = FrozenClock(NOW)
    instance = clerk(clock=clock)
    assert user_of(state_of(instance, HTTP_AUTHORIZATION=GOOD)) == "user_1"
    clock.now = NOW - 86_400
    then = token(iat=clock.now, nbf=clock.now - 10, exp=clock.now + 60, sub="user_3")
    assert user_of(state_of(instance, HTTP_AUTHORIZATION=then)) == "user_3"
    assert user_of(state_of(instance, HTTP_AUTHORIZATION=GOOD)) is None


def test_the_skew_is_a_setting() -> None:
    late = token(exp=NOW - 30)
    assert user_of(state_of(clerk(), HTTP_AUTHORIZATION=late)) is None
    assert user_of(state_of(clerk(clock_skew=31), HTTP_AUTHORIZATION=late)) == "user_1"
    assert user_of(state_of(clerk(clock_skew=0), HTTP_AUTHORIZATION=token(exp=NOW))) is None


# Settings that narrow down which tokens count


@pytest.mark.parametrize("party", ["https://app.test", ["https://app.test"], ("https://app.test",)])
def test_one_text_is_one_authorized_party(party: Any) -> None:
    instance = clerk(authorized_parties=party)
    assert user_of(state_of(instance, HTTP_AUTHORIZATION=GOOD)) == "user_1"
    for azp in ("https://app", "app.test", "https://app.test/", "h", ""):
        state = state_of(instance, HTTP_AUTHORIZATION=token(azp=azp))
        assert state.reason == "token-invalid-authorized-parties"


@pytest.mark.parametrize(
    ("options", "claims", "reason"),
    [
        ({"audience": "api"}, {"aud": ["x", "api"]}, None),
        ({"audience": "api"}, {}, "token-verification-failed"),
        ({"audience": "api"}, {"aud": "ap"}, "token-verification-failed"),
        ({"audience": ["a", "b"]}, {"aud": "c"}, "token-verification-failed"),
        ({"issuer": "https://clerk.example.com"}, {}, None),
        ({"issuer": "https://clerk.example.com/"}, {}, "token-invalid-issuer"),
        ({"issuer": ["https://a.test"]}, {"iss": ...}, "token-invalid-issuer"),
        ({}, {"iss": "https://evil.test", "aud": "x"}, None),
    ],
)
def test_audience_and_issuer_are_settings(
    options: dict[str, Any], claims: dict[str, Any], reason: str | None
) -> None:
    assert state_of(clerk(**options), HTTP_AUTHORIZATION=token(**claims)).reason == reason


# One instance and another, one request and the next


def test_the_same_token_is_answered_by_the_same_state() -> None:
    instance = clerk()
    first = state_of(instance, HTTP_AUTHORIZATION=GOOD)
    assert state_of(instance, HTTP_AUTHORIZATION=f"Bearer {GOOD}") is first
    assert state_of(instance, HTTP_COOKIE=COOKIES) is first


def test_two_instances_with_keys_of_the_same_name_do_not_take_each_others_tokens() -> None:
    other = Minter("ins_1")
    one, two = clerk(), clerk(jwt_key=other.pem)
    for _ in range(2):
        assert user_of(state_of(one, HTTP_AUTHORIZATION=GOOD)) == "user_1"
        assert state_of(two, HTTP_AUTHORIZATION=GOOD).reason == "token-invalid-signature"
        assert user_of(state_of(two, HTTP_AUTHORIZATION=other.token(sub="user_9"))) == "user_9"
        foreign = state_of(one, HTTP_AUTHORIZATION=other.token(sub="user_9"))
        assert foreign.reason == "token-invalid-signature"


@pytest.mark.parametrize("row_", ROWS, ids=str)
def test_the_environ_is_only_read(row_: Row) -> None:
    given = page(**row_.keys)
    before = copy.deepcopy(given)
    (dev if row_.dev else clerk)(**row_.options).authenticate(given)
    assert given == before


def test_an_environ_with_next_to_nothing_in_it_is_nobodys() -> None:
    for instance in (clerk(), clerk(**BARE), dev()):
        for nothing in ({}, {"REQUEST_METHOD": "TRACE"}, {"HTTP_COOKIE": "", "QUERY_STRING": ""}):
            state = instance.authenticate(nothing)
            assert isinstance(state, SignedOut)


# Pending sessions, and the error that a state stands for


@pytest.mark.parametrize("carrier", ["HTTP_AUTHORIZATION", "HTTP_COOKIE"])
def test_a_pending_session_is_signed_in_and_nobody(carrier: str) -> None:
    pending = token(sts="pending", v=2)
    value = pending if carrier == "HTTP_AUTHORIZATION" else jar(U="1", S=pending)
    state = state_of(clerk(), **{carrier: value})
    assert isinstance(state, SignedIn)
    assert (bool(state.auth), state.session, state.token) == (False, None, pending)
    error = error_of(state)
    assert error is not None
    assert (error.status_code, error.reason) == (401, "session-pending")


def test_somebody_signed_in_stands_for_no_error() -> None:
    assert error_of(state_of(clerk(), HTTP_AUTHORIZATION=GOOD)) is None


@pytest.mark.parametrize("reason", [NOTHING, "token-invalid", "session-id-mismatch"])
def test_a_refusal_stands_for_401_and_its_reason(reason: str) -> None:
    error = error_of(SignedOut(reason=reason, message="No."))
    assert error is not None
    assert (error.status_code, error.reason, error.message) == (401, reason, "No.")


@pytest.mark.parametrize(
    "reason",
    [
        "jwk-remote-failed-to-load",
        "secret-key-invalid",
        "session-token-expired-refresh-fetch-error",
    ],
)
def test_an_outage_stands_for_503_never_for_401(reason: str) -> None:
    error = error_of(SignedOut(reason=reason, message="No answer."))
    assert error is not None
    assert (error.status_code, error.reason) == (503, reason)
