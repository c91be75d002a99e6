"""Live verification: Clerk is asked on each request, and no fault of Clerk's signs anybody in."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp
from webtest.lint import middleware as lint

from clerk_wsgi import Auth, Clerk, SignedIn, SignedOut, get_auth, get_session
from clerk_wsgi.errors import ApiError
from clerk_wsgi.live import is_client_token
from clerk_wsgi.questions import NoAnswer, Refusal
from clerk_wsgi.rationed import Ration

from . import servers
from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, Minter, environ
from .scripted import CLIENT, SESSION, ScriptedClerk, error
from .servers import drips, resets, response, sends, sends_json, sleeps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .servers import Behaviour

CLIENT_TOKEN = "client-token.of-2022"
VERIFY = "POST /v1/sessions/sess_1/verify"
VERIFY_CLIENT = "POST /v1/clients/verify"


@pytest.fixture(scope="module")
def minter() -> Minter:
    return Minter()


def live(script: ScriptedClerk, minter: Minter, **settings: Any) -> Clerk:
    return script.instance(
        jwt_key=minter.pem, verification="live", clock=lambda: float(NOW), **settings
    )


def bearer(token: str, **keys: str) -> dict[str, Any]:
    return environ(HTTP_AUTHORIZATION=f"Bearer {token}", **keys)


# ---- session tokens ----


def test_an_active_session_is_signed_in_with_what_clerk_knows_of_it(minter: Minter) -> None:
    script = ScriptedClerk({VERIFY: SESSION})
    state = live(script, minter).authenticate(bearer(minter.token()))
    assert isinstance(state, SignedIn)
    assert state.session is not None
    assert (state.session.client_id, state.session.status) == ("client_1", "active")
    assert state.session.expire_at is not None
    assert state.auth.is_authenticated
    assert [asked.line for asked in script.asked] == [VERIFY]


def test_a_sign_out_counts_on_the_very_next_request(minter: Minter) -> None:
    script = ScriptedClerk({VERIFY: SESSION})
    clerk = live(script, minter)
    request = bearer(minter.token())
    assert clerk.authenticate(request).status == "signed-in"
    script.answers[VERIFY] = error(401, "action_for_session_not_authorized")
    state = clerk.authenticate(request)
    assert (state.status, state.reason) == ("signed-out", "session-not-active")
    assert isinstance(state, SignedOut)
    assert isinstance(state.cause, ApiError)


def test_a_token_that_does_not_verify_here_is_never_asked_about(minter: Minter) -> None:
    script = ScriptedClerk({VERIFY: SESSION})
    clerk = live(script, minter)
    for token in (minter.token(exp=NOW - 60), Minter().token(), "a.b.c", "x"):
        assert clerk.authenticate(bearer(token)).status == "signed-out"
    assert script.asked == []


@pytest.mark.parametrize("sid", ["sess/../users", "", 5, ..., "é", "a" * 129])
def test_a_session_id_that_is_none_is_never_asked_about(sid: Any, minter: Minter) -> None:
    script = ScriptedClerk({VERIFY: SESSION})
    state = live(script, minter).authenticate(bearer(minter.token(sid=sid)))
    assert (state.status, state.reason) == ("signed-out", "token-invalid")
    assert script.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        {**SESSION, "status": "revoked"},
        {**SESSION, "status": "pending"},
        {**SESSION, "status": "replaced"},
        {**SESSION, "status": None},
        {**SESSION, "user_id": "user_2"},
        {**SESSION, "id": "sess_2"},
        {"object": "session"},
        {},
        [],
        None,
        error(400, "invalid_session_token"),
        error(404, "resource_not_found"),
        error(401, "clerk_key_invalid"),
        error(401),
        error(403, "forbidden"),
        error(422, "form_param_missing"),
        error(429, "too_many_requests", Retry_After="7"),
        error(500, "internal_clerk_error"),
    ],
)
def test_any_other_answer_signs_nobody_in(answer: Any, minter: Minter) -> None:
    script = ScriptedClerk({VERIFY: answer})
    state = live(script, minter).authenticate(bearer(minter.token()))
    assert state.status == "signed-out"
    assert state.reason in ("session-not-active", "session-verification-failed")


def test_a_refused_token_is_not_asked_about_again_at_once(minter: Minter) -> None:
    script = ScriptedClerk({VERIFY: error(404, "resource_not_found")})
    clerk = live(script, minter)
    for _ in range(3):
        assert clerk.authenticate(bearer(minter.token())).status == "signed-out"
    assert len(script.asked) == 1


def test_a_pending_session_is_looked_at_and_stays_pending(minter: Minter) -> None:
    script = ScriptedClerk({"GET /v1/sessions/sess_1": {**SESSION, "status": "pending"}})
    state = live(script, minter).authenticate(bearer(minter.token(sts="pending")))
    assert state.status == "signed-in"
    assert not state.auth
    assert state.session is None
    script.answers["GET /v1/sessions/sess_1"] = {**SESSION, "status": "revoked"}
    state = live(script, minter).authenticate(bearer(minter.token(sts="pending")))
    assert state.reason == "session-not-active"


def test_where_verifying_is_gone_the_session_is_looked_at(minter: Minter) -> None:
    script = ScriptedClerk({VERIFY: error(410), "GET /v1/sessions/sess_1": SESSION})
    clerk = live(script, minter)
    for _ in range(2):
        assert clerk.authenticate(bearer(minter.token())).status == "signed-in"
    lines = [asked.line for asked in script.asked]
    assert lines == [VERIFY, "GET /v1/sessions/sess_1", "GET /v1/sessions/sess_1"]
    script.answers["GET /v1/sessions/sess_1"] = {**SESSION, "status": "ended"}
    assert clerk.authenticate(bearer(minter.token())).reason == "session-not-active"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (error(401, "action_for_session_not_authorized"), "session-not-active"),
        (error(500), "session-verification-failed"),
    ],
)
@pytest.mark.parametrize("key", [PUBLISHABLE_LIVE, PUBLISHABLE_TEST])
def test_what_a_handshake_brought_is_set_whatever_clerk_says_of_the_session(
    key: str, answer: Any, reason: str, minter: Minter
) -> None:
    directive = f"__session={minter.token()}; Path=/"
    header = {"alg": "RS256", "kid": minter.kid, "typ": "JWT"}
    brought = minter.compact(header, {"handshake": [directive]})
    clerk = live(ScriptedClerk({VERIFY: answer}), minter, publishable_key=key)
    state = clerk.authenticate(environ(QUERY_STRING=f"__clerk_handshake={brought}"))
    assert (state.status, state.reason) == ("signed-out", reason)
    assert ("Set-Cookie", directive) in state.headers
    is_sent_home = any(name == "Location" for name, _ in state.headers)
    assert is_sent_home == (key == PUBLISHABLE_TEST)


# ---- client tokens ----


def cookie(value: str, query: str = "") -> dict[str, Any]:
    return environ(HTTP_COOKIE=f"__session={value}", QUERY_STRING=query)


def test_a_client_token_stands_for_the_last_active_session(minter: Minter) -> None:
    script = ScriptedClerk({VERIFY_CLIENT: CLIENT, VERIFY: SESSION})
    state = live(script, minter).authenticate(cookie(CLIENT_TOKEN))
    assert isinstance(state, SignedIn)
    assert state.session is not None
    assert (state.session.id, state.auth.user_id) == ("sess_1", "user_1")  # type: ignore[union-attr]
    assert [asked.line for asked in script.asked] == [VERIFY_CLIENT, VERIFY]
    assert [asked.body for asked in script.asked] == [{"token": CLIENT_TOKEN}] * 2


def test_who_impersonates_the_user_of_a_client_token_is_known(minter: Minter) -> None:
    session = {**SESSION, "actor": {"sub": "user_9"}}
    script = ScriptedClerk({VERIFY_CLIENT: CLIENT, VERIFY: session})
    state = live(script, minter).authenticate(cookie(CLIENT_TOKEN))
    assert isinstance(state.auth, Auth)
    assert state.auth.actor == {"sub": "user_9"}


def test_M1_the_named_session_is_verified(minter: Minter) -> None:
    two = {**SESSION, "id": "sess_2", "user_id": "user_2"}
    client = {**CLIENT, "session_ids": ["sess_1", "sess_2"], "sessions": [SESSION, two]}
    script = ScriptedClerk({VERIFY_CLIENT: client, "POST /v1/sessions/sess_2/verify": two})
    state = live(script, minter).authenticate(cookie(CLIENT_TOKEN, "_clerk_session_id=sess_2"))
    assert state.auth.user_id == "user_2"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "query",
    [
        "_clerk_session_id=sess_9",
        "_clerk_session_id=",
        "_clerk_session_id=sess_1&_clerk_session_id=sess_1",
        "_clerk_session_id=sess_1&%5fclerk_session_id=sess_2",
        "_clerk_session_id=../users",
    ],
)
def test_M3_M4_a_session_that_the_client_does_not_own_never_answers(
    query: str, minter: Minter
) -> None:
    script = ScriptedClerk({VERIFY_CLIENT: CLIENT, VERIFY: SESSION})
    state = live(script, minter).authenticate(cookie(CLIENT_TOKEN, query))
    assert (state.status, state.reason) == ("signed-out", "session-id-mismatch")
    assert VERIFY not in [asked.line for asked in script.asked]


@pytest.mark.parametrize(
    "client",
    [
        {**CLIENT, "last_active_session_id": None},
        {**CLIENT, "last_active_session_id": "sess_9"},
        {**CLIENT, "last_active_session_id": "../users", "session_ids": ["../users"]},
        {**CLIENT, "session_ids": [], "sessions": []},
    ],
)
def test_R4_a_client_without_an_active_session_does_not_pass(client: Any, minter: Minter) -> None:
    script = ScriptedClerk({VERIFY_CLIENT: client, VERIFY: SESSION})
    state = live(script, minter).authenticate(cookie(CLIENT_TOKEN))
    assert (state.status, state.reason) == ("signed-out", "session-not-active")


@pytest.mark.parametrize(
    ("client", "session"),
    [
        (error(404, "resource_not_found"), SESSION),
        (error(400, "cookie_invalid"), SESSION),
        (error(500), SESSION),
        (error(410), SESSION),
        ({}, SESSION),
        (CLIENT, {**SESSION, "client_id": "client_2"}),
        (CLIENT, {**SESSION, "status": "ended"}),
        (CLIENT, error(404, "resource_not_found")),
        (CLIENT, error(500)),
    ],
)
def test_no_other_answer_about_a_client_signs_anybody_in(
    client: Any, session: Any, minter: Minter
) -> None:
    script = ScriptedClerk({VERIFY_CLIENT: client, VERIFY: session})
    state = live(script, minter).authenticate(cookie(CLIENT_TOKEN))
    assert state.status == "signed-out"
    assert state.reason in ("session-not-active", "session-verification-failed")


def test_a_client_token_works_where_only_verifying_sessions_is_gone(minter: Minter) -> None:
    script = ScriptedClerk(
        {VERIFY_CLIENT: CLIENT, VERIFY: error(410), "GET /v1/sessions/sess_1": SESSION}
    )
    clerk = live(script, minter)
    for _ in range(2):
        assert clerk.authenticate(cookie(CLIENT_TOKEN)).status == "signed-in"
    script.answers["GET /v1/sessions/sess_1"] = {**SESSION, "client_id": "client_2"}
    assert clerk.authenticate(cookie(CLIENT_TOKEN)).status == "signed-out"


@pytest.mark.parametrize("value", ["a b", "a,b", "%00", "é", "x" * 16_385])
def test_what_cannot_be_a_client_token_is_never_asked_about(value: str, minter: Minter) -> None:
    script = ScriptedClerk({VERIFY_CLIENT: CLIENT, VERIFY: SESSION})
    assert live(script, minter).authenticate(cookie(value)).status == "signed-out"
    assert script.asked == []


def test_only_a_jwt_with_a_session_id_is_no_client_token(minter: Minter) -> None:
    assert not is_client_token(minter.token())
    assert not is_client_token(minter.token(exp=0))
    assert is_client_token(minter.token(sid=...))
    assert is_client_token(minter.token(sid=5))
    assert is_client_token("abc")


# ---- rationing (rule 13) ----


def test_no_more_calls_are_made_than_the_ration_allows() -> None:
    now = [0.0]
    ration = Ration(lambda: now[0], calls=3, seconds=10)
    for n in range(3):
        assert ration.ask(str(n), lambda: "answer") == "answer"
    with pytest.raises(NoAnswer):
        ration.ask("3", lambda: "answer")
    now[0] = 10.0
    assert ration.ask("3", lambda: "answer") == "answer"


def test_no_more_calls_are_under_way_than_the_ration_allows() -> None:
    ration = Ration(lambda: 0.0, in_flight=1)

    def second() -> str:
        return ration.ask("second", lambda: "never")

    with pytest.raises(NoAnswer):
        ration.ask("first", second)
    assert second() == "never"


@pytest.mark.parametrize(
    ("status", "is_kept"), [(404, True), (401, False), (429, False), (500, False)]
)
def test_a_refusal_is_remembered_for_a_while(status: int, is_kept: bool) -> None:
    now, calls = [0.0], []
    ration = Ration(lambda: now[0])

    def refuse() -> None:
        calls.append(now[0])
        raise Refusal(status, "code")

    for moment in (0.0, 9.0, 11.0):
        now[0] = moment
        with pytest.raises(Refusal) as caught:
            ration.ask("about", refuse)
        assert (caught.value.status, caught.value.code) == (status, "code")
    assert calls == ([0.0, 11.0] if is_kept else [0.0, 9.0, 11.0])


# ---- a real Clerk that fails (real HTTP) ----

GOOD = json.dumps(SESSION).encode()
JSON = "Content-Type: application/json"
FAULTS: dict[str, tuple[Behaviour, set[int]]] = {
    "delays": (sleeps(10), {503}),
    "drips the head": (drips(b"", response(GOOD, "200 OK", JSON), 0.1), {503}),
    "drips the body": (drips(response(b"", "200 OK", JSON)[:-4], GOOD, 0.1), {503}),
    "resets": (resets, {503}),
    "401": (sends_json({"errors": [{"code": "clerk_key_invalid"}]}, "401 Unauthorized"), {503}),
    "401 of the session": (
        sends_json({"errors": [{"code": "authorization_invalid"}]}, "401 Unauthorized"),
        {401},
    ),
    "404": (sends_json({"errors": [{"code": "resource_not_found"}]}, "404 Not Found"), {401}),
    "410": (sends_json({"errors": [{"code": "operation_deprecated"}]}, "410 Gone"), {503}),
    "429": (sends_json({"errors": []}, "429 Too Many Requests"), {503}),
    "500": (sends_json({"errors": []}, "500 Internal Server Error"), {503}),
    "HTML": (sends(response(b"<html>", "200 OK", "Content-Type: text/html")), {503}),
}


def application(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    assert get_session(request) is not None
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(get_auth(request).user_id).encode()]  # type: ignore[union-attr]


def wrapped(url: str, minter: Minter) -> TestApp:
    clerk = Clerk(
        secret_key="sk_test_4242secret4242",
        jwt_key=minter.pem,
        verification="live",
        dotenv=False,
        api_url=url,
        clock=lambda: float(NOW),
    )
    return TestApp(lint(clerk.require_session(application)))


@pytest.mark.servers
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("carrier", ["session token", "client token"])
def test_a_fault_of_clerk_is_answered_in_time_and_signs_nobody_in(
    fault: str, carrier: str, minter: Minter
) -> None:
    behave, statuses = FAULTS[fault]
    token = minter.token() if carrier == "session token" else CLIENT_TOKEN
    headers = {"Authorization": f"Bearer {token}"} if "session" in carrier else {}
    with servers.serving(behave) as server:
        app = wrapped(server.url, minter)
        if carrier == "client token":
            app.set_cookie("__session", token)
        started = time.monotonic()
        answer = app.get("/", headers=headers, expect_errors=True)
        assert time.monotonic() - started < 4
    assert answer.status_int in statuses
    assert answer.body == b""


@pytest.mark.servers
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_nothing_is_sent_to_another_origin(status: str, minter: Minter) -> None:
    with servers.serving(sends_json(SESSION)) as elsewhere:
        redirect = response(b"", status, f"Location: {elsewhere.url}/v1/sessions/sess_1/verify")
        with servers.serving(sends(redirect)) as server:
            headers = {"Authorization": f"Bearer {minter.token()}"}
            answer = wrapped(server.url, minter).get("/", headers=headers, expect_errors=True)
        assert answer.status_int == 503
        assert answer.headers["Retry-After"] == "1"
        assert elsewhere.received == []


def test_strangers_do_not_use_up_the_calls_of_verified_tokens(minter: Minter) -> None:
    script = ScriptedClerk({VERIFY: SESSION})
    clerk = live(script, minter, monotonic=lambda: 0.0)
    for n in range(1100):
        assert clerk.authenticate(cookie(f"junk-{n}")).status == "signed-out"
    assert len(script.asked) == 1000
    assert clerk.authenticate(cookie("one-more")).reason == "session-verification-failed"
    assert clerk.authenticate(bearer(minter.token())).status == "signed-in"
