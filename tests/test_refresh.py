"""A session token whose time has run out: who has it renewed, what Clerk is told, what it says."""

from __future__ import annotations

from typing import Any

import pytest

from clerk_wsgi import Clerk, SignedIn
from clerk_wsgi.cookies import SessionCookies
from clerk_wsgi.frontend import FrontendApi
from clerk_wsgi.handshake import MAX_DIRECTIVES, Handshakes
from clerk_wsgi.judge import TokenJudge
from clerk_wsgi.questions import NoAnswer, Refusal
from clerk_wsgi.refresh import NotRefreshed, refresh_session
from clerk_wsgi.refusals import error_of
from clerk_wsgi.testing import in_process

from .minting import NOW, PUBLISHABLE_LIVE, SUFFIX_LIVE, Minter, environ
from .requesting import (
    MINTER,
    Answers,
    Asked,
    asked,
    location_of,
    outcome,
    parameters_of,
    set_cookies_of,
    user_of,
    verifier_of,
    visit_of,
)

EXPIRED = "session-token-expired-refresh-"
OLD = MINTER.token(exp=NOW - 100, iat=NOW - 160)
NEW = MINTER.token(sub="user_1")
RENEWED = {"object": "cookies", "cookies": [f"__session_X={NEW}; Path=/", "__client_uat_X=1"]}
LIVE = FrontendApi(host="clerk.example.com", development=False)


def cookies_of(
    session: str = OLD, refresh: str | None = "rt_1", *, suffixed: bool = True
) -> SessionCookies:
    return SessionCookies(session=session, client_uat=1, refresh=refresh, suffixed=suffixed)


def judge_of(api: Answers | None) -> TokenJudge:
    return TokenJudge(verifier_of(), Handshakes(LIVE, None), api)


def judged(
    api: Answers | None,
    request: Asked | None = None,
    cookies: SessionCookies | None = None,
) -> Any:
    found = cookies or cookies_of()
    visit = visit_of(request or asked(), found)
    return judge_of(api).judge_cookie(visit, found.session or "")


# Who has a token renewed


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Dest": "document"}, {"Sec-Fetch-Dest": "empty"}])
def test_an_expired_token_with_a_refresh_cookie_is_renewed(headers: dict[str, str]) -> None:
    api = Answers(RENEWED)
    state = judged(api, asked(headers=headers))
    assert isinstance(state, SignedIn)
    assert (user_of(state), state.token) == ("user_1", NEW)
    assert state.headers == [("Set-Cookie", line) for line in RENEWED["cookies"]]
    assert len(api.asked) == 1


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS", "get"])
def test_only_a_get_has_a_token_renewed(method: str) -> None:
    api = Answers(RENEWED)
    state = judged(api, asked(method=method))
    assert outcome(state) == ("signed-out", f"{EXPIRED}non-eligible-non-get")
    assert api.asked == []


@pytest.mark.parametrize("refresh", [None, ""])
def test_without_a_refresh_cookie_nothing_is_renewed(refresh: str | None) -> None:
    api = Answers(RENEWED)
    state = judged(api, cookies=cookies_of(refresh=refresh))
    assert outcome(state) == ("handshake", f"{EXPIRED}non-eligible-no-refresh-cookie")
    assert api.asked == []


def test_without_a_secret_key_nothing_is_renewed() -> None:
    assert outcome(judged(None)) == ("handshake", f"{EXPIRED}missing-api-client")
    state = judged(None, cookies=cookies_of(refresh=None))
    assert outcome(state) == ("handshake", f"{EXPIRED}non-eligible-no-refresh-cookie")


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (MINTER.token(exp=NOW - 4), ("signed-in", None)),
        (MINTER.token(nbf=NOW + 60, exp=NOW + 90), ("handshake", "session-token-nbf")),
        (MINTER.token(iat=NOW + 60), ("handshake", "session-token-iat-in-the-future")),
        (
            MINTER.token(iat=0, exp=NOW - 100),
            ("handshake", "session-token-iat-before-client-uat"),
        ),
        # What is wrong with these no refresh can mend, and no API call is made for them.
        (OLD[:-4] + "AAAA", ("signed-out", "token-invalid-signature")),
        (Minter("ins_1").token(exp=NOW - 100), ("signed-out", "token-invalid-signature")),
        (MINTER.token({"alg": "none"}, exp=NOW - 100), ("signed-out", "token-invalid-algorithm")),
        (
            MINTER.token({"cat": "cl_B7d4PD222AAA"}, exp=NOW - 100),
            ("signed-out", "token-type-mismatch"),
        ),
        (MINTER.token(exp=NOW - 100, sub=""), ("signed-out", "token-verification-failed")),
        (MINTER.token(exp="never"), ("signed-out", "token-verification-failed")),
        ("x", ("signed-out", "token-invalid")),
    ],
)
def test_only_a_token_that_has_expired_is_renewed(token: str, expected: tuple[str, str]) -> None:
    api = Answers(RENEWED)
    assert outcome(judged(api, cookies=cookies_of(token))) == expected
    assert api.asked == []


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asked(), ("handshake", f"{EXPIRED}non-eligible-no-refresh-cookie")),
        (
            asked(headers={}),
            ("signed-out", f"{EXPIRED}non-eligible-no-refresh-cookie"),
        ),
        (asked(method="POST"), ("signed-out", f"{EXPIRED}non-eligible-non-get")),
    ],
)
def test_a_token_of_the_header_is_never_renewed(request_: Asked, expected: tuple[str, str]) -> None:
    """Rule D2: the refresh cookie may be of somebody else."""
    api = Answers(RENEWED)
    state = judge_of(api).judge_bearer(visit_of(request_, cookies_of()), OLD)
    assert outcome(state) == expected
    assert api.asked == []


# Which session Clerk is asked about


@pytest.mark.parametrize(
    "sid",
    [
        "../users/user_1",
        "sess_1/../../users",
        "sess_1?x=1",
        "sess_1#x",
        "sess_1 ",
        "sess_1\n",
        "sess%2e%2e",
        "s\0",
        ".",
        "caf\xe9",
        "\u0663",
        "s" * 129,
        "s" * 10_000,
        5,
        True,
        1.5,
        ["sess_1"],
        {"id": "sess_1"},
    ],
)
def test_a_session_id_that_is_none_refuses_the_token_and_asks_nobody(sid: Any) -> None:
    api = Answers(RENEWED)
    token = MINTER.token(exp=NOW - 100, sid=sid)
    assert outcome(judged(api, cookies=cookies_of(token))) == ("signed-out", "token-invalid")
    assert api.asked == []


@pytest.mark.parametrize("sid", [..., None, "", 0, False, [], {}])
def test_without_a_session_id_there_is_nothing_to_ask_about(sid: Any) -> None:
    api = Answers(RENEWED)
    token = MINTER.token(exp=NOW - 100, sid=sid)
    state = judged(api, cookies=cookies_of(token))
    assert outcome(state) == ("handshake", f"{EXPIRED}expired-session-token-missing-sid-claim")
    assert api.asked == []


@pytest.mark.parametrize("sid", ["sess_1", "s" * 128, "-_-", "0"])
def test_a_session_id_is_of_these_characters(sid: str) -> None:
    api = Answers(RENEWED)
    judged(api, cookies=cookies_of(MINTER.token(exp=NOW - 100, sid=sid)))
    assert [question[1] for question in api.asked] == [sid]


# What Clerk is told


@pytest.mark.parametrize("suffixed", [False, True])
def test_clerk_is_told_the_token_the_origin_and_some_headers(suffixed: bool) -> None:
    headers = {
        "User-Agent": "agent/1",
        "Accept-Language": "de",
        "Referer": "https://app.test/",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Site": "none",
        "Sec-Fetch-User": "?1",
        "Cookie": "secret",
        "Authorization": "secret",
        "X-Forwarded-For": "10.0.0.1",
    }
    api = Answers(RENEWED)
    judged(api, asked("https://app.test:8443/p", headers=headers), cookies_of(suffixed=suffixed))
    [(question, session_id, body, told_suffixed)] = api.asked
    assert (question, session_id, told_suffixed) == ("refresh", "sess_1", suffixed)
    assert body == {
        "format": "cookie",
        "expired_token": OLD,
        "refresh_token": "rt_1",
        "request_origin": "https://app.test:8443",
        "request_headers": {
            "user-agent": ["agent/1"],
            "accept-language": ["de"],
            "referer": ["https://app.test/"],
            "sec-fetch-dest": ["document"],
            "sec-fetch-mode": ["navigate"],
            "sec-fetch-site": ["none"],
            "sec-fetch-user": ["?1"],
        },
    }


def test_headers_that_are_not_there_are_not_told() -> None:
    api = Answers(RENEWED)
    judged(api, asked(headers={}))
    assert api.asked[0][2]["request_headers"] == {}


# What Clerk says


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (NoAnswer("no network"), "fetch-error"),
        (Refusal(500, "unexpected_error"), "fetch-error"),
        (Refusal(401, "refresh_token_not_found"), "refresh_token_not_found"),
        (Refusal(404, "resource_not_found"), "resource_not_found"),
        (Refusal(400, "a-code"), "a-code"),
        (Refusal(400, "a" * 64), "a" * 64),
        (Refusal(500), "unexpected-bapi-error"),
        # Rule D24: codes that are none.
        (Refusal(400, ""), "unexpected-bapi-error"),
        (Refusal(400, "a" * 65), "unexpected-bapi-error"),
        (Refusal(400, "a b"), "unexpected-bapi-error"),
        (Refusal(400, "A"), "unexpected-bapi-error"),
        (Refusal(400, "a\r\nSet-Cookie: x=y"), "unexpected-bapi-error"),
        (Refusal(400, "a\n"), "unexpected-bapi-error"),
        (Refusal(400, "caf\xe9"), "unexpected-bapi-error"),
        (Refusal(400, "<script>"), "unexpected-bapi-error"),
        # Answers without any cookies.
        (None, "unexpected-bapi-error"),
        ([], "unexpected-bapi-error"),
        ("x", "unexpected-bapi-error"),
        ({}, "unexpected-bapi-error"),
        ({"cookies": None}, "unexpected-bapi-error"),
        ({"cookies": f"__session={NEW}"}, "unexpected-bapi-error"),
        ({"cookies": {}}, "unexpected-bapi-error"),
        # Cookies without a token in them.
        ({"cookies": []}, "invalid-session-token"),
        ({"cookies": ["__client_uat=1"]}, "invalid-session-token"),
        ({"cookies": ["__session=; Max-Age=0"]}, "invalid-session-token"),
        ({"cookies": [5, None, ["__session=x"]]}, "invalid-session-token"),
        ({"cookies": [f"__session={NEW}\r\nX: y"]}, "invalid-session-token"),
        ({"cookies": ["x=y"] * MAX_DIRECTIVES + [f"__session={NEW}"]}, "invalid-session-token"),
        # Answers whose token does not count (rule D4 among them).
        ({"cookies": ["__session=x"]}, "invalid-session-token"),
        ({"cookies": ["__session"]}, "invalid-session-token"),
        ({"cookies": [f"__session={OLD}"]}, "invalid-session-token"),
        ({"cookies": [f"__session={NEW[:-4]}AAAA"]}, "invalid-session-token"),
        (
            {"cookies": [f"__session={MINTER.token({'cat': 'cl_B7d4PD222AAA'})}"]},
            "invalid-session-token",
        ),
        ({"cookies": [f"__session={MINTER.token(sub='mch_1')}"]}, "invalid-session-token"),
        ({"cookies": [f"__session={MINTER.token({'typ': 'at+jwt'})}"]}, "invalid-session-token"),
        ({"cookies": [f"__session={MINTER.token(nbf=NOW + 60)}"]}, "invalid-session-token"),
    ],
)
def test_what_clerk_says_instead_becomes_part_of_the_reason(answer: object, code: str) -> None:
    state = judged(Answers(answer))
    assert outcome(state) == ("handshake", f"{EXPIRED}{code}")
    assert parameters_of(location_of(state) or "")["__clerk_hs_reason"] == f"{EXPIRED}{code}"
    assert len(set_cookies_of(state)) == 1
    state = judged(Answers(answer), asked(headers={}))
    assert outcome(state) == ("signed-out", f"{EXPIRED}{code}")
    assert set_cookies_of(state) == []


def test_of_the_cookies_only_those_that_can_be_sent_are() -> None:
    good = [f"__session={NEW}; Path=/", "of-the-application=1"]
    bad = [None, "a\r\nb", "\u0100", "x" * 100_000, 5]
    state = judged(Answers({"cookies": [bad[0], good[0], *bad[1:], good[1]]}))
    assert set_cookies_of(state) == good


def test_a_renewed_session_may_be_pending() -> None:
    state = judged(Answers({"cookies": [f"__session={MINTER.token(sts='pending')}"]}))
    assert isinstance(state, SignedIn)
    assert not state.auth


def test_a_token_that_was_seen_before_is_renewed_like_a_new_one() -> None:
    api = Answers(RENEWED)
    judge = judge_of(api)
    for number in (1, 2, 3):
        state = judge.judge_cookie(visit_of(asked(), cookies_of()), OLD)
        assert user_of(state) == "user_1"
        assert len(api.asked) == number


def test_no_error_quotes_the_refresh_token() -> None:
    with pytest.raises(NotRefreshed) as raised:
        refresh_session(Answers(NoAnswer("x")), asked(), cookies_of(refresh="rt_x"), "s", "rt_x")
    assert "rt_x" not in repr(raised.value)
    assert raised.value.__cause__ is None


# All of it, over HTTP


def page(*, uat: int = 1, **keys: str) -> dict[str, Any]:
    cookies = {f"__session_{SUFFIX_LIVE}": OLD, f"__refresh_{SUFFIX_LIVE}": "rt_1"}
    cookies[f"__client_uat_{SUFFIX_LIVE}"] = str(uat)
    return environ(
        HTTP_SEC_FETCH_DEST="document",
        HTTP_COOKIE="; ".join(f"{name}={value}" for name, value in cookies.items()),
        **keys,
    )


class ClerkServer:
    """Clerk's answer to a refresh, whatever it is, and what was asked of it."""

    def __init__(self, status: str, body: bytes) -> None:
        self.status, self.body = status, body
        self.asked: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        method, path, query = (
            environ[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING")
        )
        self.asked.append(f"{method} {path}?{query}")
        start_response(self.status, [("Content-Type", "application/json")])
        return [self.body]


def instance(server: ClerkServer) -> Clerk:
    return Clerk(
        secret_key="sk_live_x",
        publishable_key=PUBLISHABLE_LIVE,
        jwt_key=MINTER.pem,
        http=in_process(server),
        dotenv=False,
        clock=lambda: NOW,
    )


def test_the_session_is_renewed_at_clerks_refresh_endpoint() -> None:
    server = ClerkServer("200 OK", b'{"cookies": ["__session=' + NEW.encode() + b'"]}')
    state = instance(server).authenticate(page())
    assert user_of(state) == "user_1"
    assert server.asked == ["POST /v1/sessions/sess_1/refresh?suffixed_cookies=true"]


@pytest.mark.parametrize(
    ("status", "body", "reason", "error_status"),
    [
        (
            "401 No",
            b'{"errors": [{"code": "refresh_token_not_found"}]}',
            "refresh_token_not_found",
            401,
        ),
        ("500 No", b"<html>", "unexpected-bapi-error", 401),
        ("500 No", b'{"errors": [{"code": "unexpected_error"}]}', "fetch-error", 503),
        ("200 OK", b"not JSON", "unexpected-bapi-error", 401),
        ("204 Nothing", b"", "unexpected-bapi-error", 401),
        ("302 Found", b"", "unexpected-bapi-error", 401),
        ("200 OK", b"x" * 2_000_000, "fetch-error", 503),
    ],
)
def test_an_answer_that_is_no_use_is_a_refusal_and_an_outage_is_none(
    status: str, body: bytes, reason: str, error_status: int
) -> None:
    server = ClerkServer(status, body)
    state = instance(server).authenticate({**page(), "HTTP_SEC_FETCH_DEST": "empty"})
    assert outcome(state) == ("signed-out", f"{EXPIRED}{reason}")
    error = error_of(state)
    assert error is not None
    assert error.status_code == error_status
