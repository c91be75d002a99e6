"""Manual authentication: the guide's two recipes, and what becomes of a retired endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from webob import Response

import clerk_wsgi
from clerk_wsgi import ApiError, ClerkUnavailable, Session, clients, sessions
from clerk_wsgi.api.models import Client

from .minting import NOW, Minter
from .scripted import CLIENT, SESSION, Asked, Script, ScriptedClerk, error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi import Clerk

MINTER, STRANGER = Minter("ins_1"), Minter("ins_1")
TOKEN = MINTER.token()
VERIFY = "POST /v1/sessions/sess_1/verify"
VERIFY_CLIENT = "POST /v1/clients/verify"
GET = "GET /v1/sessions/sess_1"
JWKS = "GET /v1/jwks"


def instance(clerk: ScriptedClerk, **options: Any) -> Clerk:
    return clerk.instance(**{"clock": lambda: NOW, "sleep": lambda _: None, **options})


def refused(call: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    assert TOKEN not in repr(caught.value) + repr(vars(caught.value))
    return caught.value


# ---- the recipes, on the default instance ----


@pytest.fixture
def clerk() -> Iterator[ScriptedClerk]:
    """A Clerk with one client and one session, both known by the token."""
    clerk = ScriptedClerk()
    clerk.answers = {
        VERIFY: lambda asked: SESSION if asked.body == {"token": TOKEN} else error(400, "x"),
        VERIFY_CLIENT: lambda asked: CLIENT if asked.body == {"token": TOKEN} else error(401, "x"),
    }
    clerk_wsgi.set_default(instance(clerk))
    yield clerk
    clerk_wsgi.set_default(None)


def test_a_particular_session_is_authenticated(clerk: ScriptedClerk) -> None:
    session_id = "sess_1"
    client_token = TOKEN

    session = sessions.verify_session(session_id, client_token)

    assert isinstance(session, Session)
    assert (session.id, session.client_id, session.user_id) == ("sess_1", "client_1", "user_1")
    assert session.status == "active"
    assert None not in (session.last_active_at, session.expire_at, session.abandon_at)
    assert clerk.lines == [VERIFY]


def test_the_last_active_session_is_authenticated(clerk: ScriptedClerk) -> None:
    client_token = TOKEN

    client = clients.verify_client(client_token)
    session_id = client.last_active_session_id
    assert session_id is not None
    session = sessions.verify_session(session_id, client_token)

    assert isinstance(client, Client)
    assert [each.id for each in client.sessions] == ["sess_1"]
    assert session.user_id == "user_1"
    assert clerk.lines == [VERIFY_CLIENT, VERIFY]


def test_a_session_that_the_token_is_not_of_is_refused(clerk: ScriptedClerk) -> None:
    assert refused(lambda: sessions.verify_session("sess_2", TOKEN)).status_code == 404
    assert refused(lambda: sessions.verify_session("sess_1", "other")).status_code == 400
    assert refused(lambda: clients.verify_client("other")).status_code == 401


# ---- what is asked ----


def test_the_token_is_posted_as_json_to_a_version_that_verifies() -> None:
    clerk = ScriptedClerk({VERIFY: SESSION, VERIFY_CLIENT: CLIENT, GET: SESSION})
    one = instance(clerk)
    one.sessions.verify_session("sess_1", TOKEN)
    one.clients.verify_client(TOKEN)
    one.sessions.get("sess_1")
    verify, verify_client, get = clerk.asked
    assert verify.body == verify_client.body == {"token": TOKEN}
    assert verify.headers["content-type"] == verify_client.headers["content-type"]
    assert verify.headers["content-type"] == "application/json"
    versions = [asked.headers["clerk-api-version"] for asked in (verify, verify_client, get)]
    assert versions == ["2021-02-05", "2026-05-12", "2026-05-12"]


@pytest.mark.parametrize("token", ["", None, 5, b"token", ["token"], "x" * 16_385, "x" * 1_000_000])
def test_a_token_that_cannot_be_one_is_not_sent(token: Any) -> None:
    clerk = ScriptedClerk({VERIFY: SESSION, VERIFY_CLIENT: CLIENT})
    one = instance(clerk)
    with pytest.raises(ValueError, match="token is not"):
        one.sessions.verify_session("sess_1", token)
    with pytest.raises(ValueError, match="token is not"):
        one.clients.verify_client(token)
    assert clerk.asked == []


@pytest.mark.parametrize("token", ["x", "x" * 16_384, "a b\r\n", "\u20ac", "\ud800", "\x00"])
def test_any_other_text_is_for_clerk_to_judge(token: str) -> None:
    clerk = ScriptedClerk({VERIFY: SESSION})
    instance(clerk).sessions.verify_session("sess_1", token)
    assert [asked.body for asked in clerk.asked] == [{"token": token}]


@pytest.mark.parametrize(
    "status", ["pending", "revoked", "ended", "expired", "removed", "abandoned", "x", "", None, 1]
)
@pytest.mark.parametrize("verify", [None, error(410, "operation_deprecated")])
def test_only_an_active_session_is_verified(status: object, verify: Response | None) -> None:
    session = {**SESSION, "status": status}
    clerk = ScriptedClerk({VERIFY: verify or session, GET: session})
    one = instance(clerk, jwt_key=MINTER.pem)
    failure = refused(lambda: one.sessions.verify_session("sess_1", TOKEN))
    assert failure.status_code == 401
    assert failure.data[0]["code"] == "action_for_session_not_authorized"


@pytest.mark.parametrize("verify", [None, error(410)])
@pytest.mark.parametrize(
    "answer",
    [
        *({**SESSION, "id": "sess_2"}, CLIENT, [SESSION], {}, [], None, "sess_1"),
        *({**SESSION, "user_id": None}, Response("<html>"), Response(status=204)),
        Response(status=302, location="https://evil.test/"),
    ],
)
def test_an_answer_about_anything_else_verifies_nothing(
    answer: Any, verify: Response | None
) -> None:
    clerk = ScriptedClerk({VERIFY: verify or answer, GET: answer})
    with pytest.raises(ClerkUnavailable):
        instance(clerk, jwt_key=MINTER.pem).sessions.verify_session("sess_1", TOKEN)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 501, 503])
def test_an_error_other_than_410_is_the_answer_and_nothing_else_is_asked(status: int) -> None:
    clerk = ScriptedClerk({VERIFY: error(status, "code"), GET: SESSION})
    one = instance(clerk, jwt_key=MINTER.pem)
    failure = refused(lambda: one.sessions.verify_session("sess_1", TOKEN))
    assert (failure.status_code, failure.data[0]["code"]) == (status, "code")
    assert not one.api.is_verification_gone
    assert clerk.lines == [VERIFY]


# ---- where Clerk does not verify any longer ----

GONE = [
    error(410, "operation_deprecated"),
    error(410, "resource_not_found"),
    error(410),
    Response(status=410),
    Response("<html>gone</html>", status=410),
    Response(json=SESSION, status=410),
]


@pytest.mark.parametrize("gone", GONE)
def test_a_retired_endpoint_is_replaced_and_not_asked_again(gone: Response) -> None:
    clerk = ScriptedClerk({VERIFY: Script(gone, SESSION), GET: SESSION, JWKS: MINTER.jwks()})
    one = instance(clerk)
    assert not one.api.is_verification_gone
    for _ in range(2):
        session = one.sessions.verify_session("sess_1", TOKEN)
        assert (session.id, session.user_id, session.status) == ("sess_1", "user_1", "active")
    assert clerk.lines == [VERIFY, JWKS, GET, GET]
    assert clerk.asked[2].headers["clerk-api-version"] == "2026-05-12"
    assert one.api.is_verification_gone


def test_that_it_is_retired_is_remembered_by_the_instance_alone() -> None:
    clerk = ScriptedClerk({VERIFY: error(410), GET: SESSION})
    one, two = (instance(clerk, jwt_key=MINTER.pem) for _ in range(2))
    one.api.for_request().sessions.verify_session("sess_1", TOKEN)
    one.api.for_request().sessions.verify_session("sess_1", TOKEN)
    one.sessions.verify_session("sess_1", TOKEN)
    assert clerk.lines == [VERIFY, GET, GET, GET]
    two.sessions.verify_session("sess_1", TOKEN)
    assert clerk.lines[4:] == [VERIFY, GET]


def test_the_session_is_asked_about_each_time() -> None:
    clerk = ScriptedClerk({VERIFY: error(410), GET: SESSION})
    one = instance(clerk, jwt_key=MINTER.pem)
    one.sessions.verify_session("sess_1", TOKEN)
    clerk.answers[GET] = {**SESSION, "status": "revoked"}
    assert refused(lambda: one.sessions.verify_session("sess_1", TOKEN)).status_code == 401


def test_what_the_application_accepts_counts_for_the_token_too() -> None:
    clerk = ScriptedClerk({VERIFY: error(410), GET: SESSION})
    options = {"jwt_key": MINTER.pem, "authorized_parties": ["https://other.test"]}
    one = instance(clerk, **options)
    failure = refused(lambda: one.sessions.verify_session("sess_1", TOKEN))
    assert failure.reason == "token-invalid-authorized-parties"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (MINTER.token(exp=NOW - 5), "token-expired"),
        (MINTER.token(nbf=NOW + 60), "token-not-active-yet"),
        (MINTER.token(iat=NOW + 60), "token-iat-in-the-future"),
        (MINTER.token(exp=...), "token-verification-failed"),
        (MINTER.token(sub=...), "token-verification-failed"),
        (MINTER.token(sid="sess_2"), "session-id-mismatch"),
        (MINTER.token(sid=...), "session-id-mismatch"),
        (MINTER.token(sid=["sess_1"]), "session-id-mismatch"),
        (MINTER.token({"alg": "none"}), "token-invalid-algorithm"),
        (MINTER.token({"cat": "cl_B7d4PD222AAA"}), "token-type-mismatch"),
        (MINTER.token(sub="mch_1"), "token-type-mismatch"),
        (STRANGER.token(), "token-invalid-signature"),
        (TOKEN + "=", "token-invalid"),
        ("client_token", "token-invalid"),
        ("\ud800.\x00.", "token-invalid"),
    ],
)
def test_a_token_that_is_not_valid_is_refused_before_anything_is_asked(
    token: str, reason: str
) -> None:
    clerk = ScriptedClerk({VERIFY: error(410), GET: SESSION})
    one = instance(clerk, jwt_key=MINTER.pem)
    failure = refused(lambda: one.sessions.verify_session("sess_1", token))
    assert (failure.status_code, failure.reason) == (400, reason)
    assert [entry["code"] for entry in failure.data] == ["invalid_session_token"]
    assert failure.data[0].keys() == {"code", "message", "long_message", "meta"}
    assert token not in str(failure)
    assert clerk.lines == [VERIFY]


def test_a_token_of_another_user_than_the_session_is_refused() -> None:
    clerk = ScriptedClerk({VERIFY: error(410), GET: {**SESSION, "user_id": "user_2"}})
    one = instance(clerk, jwt_key=MINTER.pem)
    failure = refused(lambda: one.sessions.verify_session("sess_1", TOKEN))
    assert (failure.status_code, failure.data[0]["code"]) == (400, "invalid_session_token")


@pytest.mark.parametrize("status", [401, 404, 410, 429, 500])
def test_errors_of_the_modern_question_are_the_answer(status: int) -> None:
    clerk = ScriptedClerk({VERIFY: error(410), GET: error(status, "code")})
    one = instance(clerk, jwt_key=MINTER.pem)
    failure = refused(lambda: one.sessions.verify_session("sess_1", TOKEN))
    assert (failure.status_code, failure.data[0]["code"]) == (status, "code")
    assert clerk.lines == [VERIFY, GET]


def test_keys_that_cannot_be_had_are_no_answer() -> None:
    clerk = ScriptedClerk({VERIFY: error(410), GET: SESSION, JWKS: error(500)})
    with pytest.raises(ClerkUnavailable) as caught:
        instance(clerk).sessions.verify_session("sess_1", TOKEN)
    assert caught.value.reason == "jwk-remote-failed-to-load"


def test_a_retired_question_about_clients_has_no_substitute() -> None:
    clerk = ScriptedClerk({VERIFY_CLIENT: error(410, "operation_deprecated")})
    one = instance(clerk)
    for _ in range(2):
        assert refused(lambda: one.clients.verify_client(TOKEN)).status_code == 410
    assert clerk.lines == [VERIFY_CLIENT] * 2


def test_a_client_of_2022_is_verified(clerk: ScriptedClerk) -> None:
    def older(asked: Asked) -> dict[str, Any]:
        return {**CLIENT, "sign_in_attempt_id": "sia_1", "created_at": 1_649_404_800}

    clerk.answers[VERIFY_CLIENT] = older
    client = clients.verify_client(TOKEN)
    assert client.sign_in_id == "sia_1"
    assert client.created_at is not None
    assert client.created_at.year == 2022
