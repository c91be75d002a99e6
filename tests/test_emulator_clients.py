"""The local Clerk's clients: the browsers and devices that sessions are on, and their tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from clerk_wsgi import ApiError
from clerk_wsgi.emulator import NotFound, forge
from clerk_wsgi.testing import Emulator, FrozenClock, clerk_for

from .asking import FORM, JSON, WAYS, Asker, asking, found, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", params=WAYS)
def clerk(request: pytest.FixtureRequest) -> Iterator[Asker]:
    """One local Clerk; every test has a client of its own."""
    with asking(request.param) as asker:
        yield asker


@pytest.fixture
def user_id(clerk: Asker) -> str:
    return str(clerk.emulator.create_user()["id"])


@pytest.fixture
def session(clerk: Asker, user_id: str) -> dict[str, Any]:
    return clerk.emulator.create_session(user_id)


# Clients and their sessions


def test_a_client_has_every_field_of_clerks(clerk: Asker, session: dict[str, Any]) -> None:
    client = found(clerk.get(f"/v1/clients/{session['client_id']}"))
    assert client == {
        "object": "client",
        "id": session["client_id"],
        "session_ids": [session["id"]],
        "sessions": [session],
        "sign_in_id": None,
        "sign_up_id": None,
        "last_active_session_id": session["id"],
        "last_authentication_strategy": None,
        "created_at": session["created_at"],
        "updated_at": session["updated_at"],
    }


def test_a_new_client_has_no_session() -> None:
    emulator = Emulator()
    client = emulator.create_client(sign_in_id="sia_1")
    assert re.fullmatch("client_[A-Za-z0-9]{27}", client["id"])
    assert client["sign_in_id"] == "sia_1"
    assert (client["session_ids"], client["sessions"]) == ([], [])
    assert client["last_active_session_id"] is None
    assert emulator.client(client["id"]) == client
    assert emulator.clients()[-1] == client


def test_sessions_of_several_users_share_a_client(clerk: Asker, user_id: str) -> None:
    emulator = clerk.emulator
    client_id = emulator.create_client()["id"]
    one = emulator.create_session(user_id, client_id=client_id)
    other = emulator.create_session(emulator.create_user()["id"], client_id=client_id)
    client = found(clerk.get(f"/v1/clients/{client_id}"))
    assert client["sessions"] == [one, other]
    assert client["last_active_session_id"] == other["id"]


@pytest.mark.parametrize("status", ["revoked", "ended", "expired", "abandoned", "pending"])
def test_a_session_that_is_not_active_stays_but_is_not_the_last_active_one(
    clerk: Asker, user_id: str, status: str
) -> None:
    session = clerk.emulator.create_session(user_id, status=status)
    client = found(clerk.get(f"/v1/clients/{session['client_id']}"))
    assert client["session_ids"] == [session["id"]]
    assert client["last_active_session_id"] is None


@pytest.mark.parametrize("status", ["removed", "replaced"])
def test_a_session_that_left_its_client_is_gone(clerk: Asker, user_id: str, status: str) -> None:
    session = clerk.emulator.create_session(user_id, status=status)
    client = found(clerk.get(f"/v1/clients/{session['client_id']}"))
    assert (client["session_ids"], client["sessions"]) == ([], [])


def test_the_session_used_last_is_the_next_last_active_one() -> None:
    emulator = Emulator(clock=lambda: 1_700_000_000.0)
    [user] = emulator.users()
    client_id = emulator.create_client()["id"]
    first, second, third = (
        emulator.create_session(user["id"], client_id=client_id) for _ in range(3)
    )
    emulator.update_session(first["id"], last_active_at=1_800_000_000_000)
    assert emulator.client(client_id)["last_active_session_id"] == third["id"]
    emulator.update_session(third["id"], status="removed")
    assert emulator.client(client_id)["last_active_session_id"] == first["id"]
    emulator.update_session(first["id"], status="ended")
    assert emulator.client(client_id)["last_active_session_id"] == second["id"]


def test_a_client_changes_when_one_of_its_sessions_does() -> None:
    clock = FrozenClock(1_700_000_000.0)
    emulator = Emulator(clock=clock)
    client = emulator.create_client()
    moments = [client["updated_at"]]
    clock.tick(1)
    session = emulator.create_session(emulator.users()[0]["id"], client_id=client["id"])
    moments.append(emulator.client(client["id"])["updated_at"])
    clock.tick(1)
    emulator.update_session(session["id"], status="revoked")
    moments.append(emulator.client(client["id"])["updated_at"])
    assert moments == [1_700_000_000_000, 1_700_000_001_000, 1_700_000_002_000]
    assert emulator.client(client["id"])["created_at"] == 1_700_000_000_000


def test_unknown_clients_and_fields_are_errors_that_leave_nothing() -> None:
    emulator = Emulator()
    user_id = emulator.users()[0]["id"]
    before = len(emulator.clients())
    for look_up in (emulator.client, emulator.client_token):
        with pytest.raises(NotFound, match="there is no client 'client_x'"):
            look_up("client_x")
    with pytest.raises(NotFound, match="there is no client 'client_x'"):
        emulator.create_session(user_id, client_id="client_x")
    with pytest.raises(NotFound, match="there is no user 'user_x'"):
        emulator.create_session("user_x")
    with pytest.raises(TypeError, match="a client has no field colour"):
        emulator.create_client(colour="blue")
    with pytest.raises(TypeError, match="a session has no field colour"):
        emulator.create_session(user_id, colour="blue")
    with pytest.raises(TypeError, match="a session has no field colour"):
        emulator.update_session(emulator.sessions()[0]["id"], colour="blue")
    assert (len(emulator.clients()), len(emulator.sessions())) == (before, 1)


# Asking for them


def test_clients_are_listed_newest_first_in_pages() -> None:
    with asking("http") as clerk:
        made = [clerk.emulator.create_client() for _ in range(11)]
        everything = [*clerk.emulator.clients()][::-1]
        assert everything[:11] == made[::-1]
        assert found(clerk.get("/v1/clients")) == everything[:10]
        assert found(clerk.get("/v1/clients", limit=500)) == everything
        assert found(clerk.get("/v1/clients", limit=1, offset=2)) == everything[2:3]
        page = found(clerk.get("/v1/clients", paginated="true", limit=2))
        assert page == {"data": everything[:2], "total_count": 12}


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("limit=0", "form_param_value_invalid", "limit"),
        ("limit=501", "form_param_value_invalid", "limit"),
        ("limit=x", "form_param_type_invalid", "limit"),
        ("offset=-1", "form_param_value_invalid", "offset"),
        ("paginated=maybe", "form_param_value_invalid", "paginated"),
    ],
)
def test_a_bad_query_is_refused(clerk: Asker, query: str, code: str, param: str) -> None:
    refused(clerk.ask("GET", f"/v1/clients?{query}"), 422, code, param)


@pytest.mark.parametrize("unknown", ["client_x", "sess_x", "%00", "%ff", "a%20b"])
def test_an_unknown_client_is_not_found(clerk: Asker, unknown: str) -> None:
    error = refused(clerk.get(f"/v1/clients/{unknown}"), 404, "resource_not_found")
    assert error["message"] == "Client not found"
    assert error["long_message"].startswith("No client was found with id ")


def test_other_methods_are_refused(clerk: Asker) -> None:
    for method, path in (("POST", "/v1/clients"), ("GET", "/v1/clients/verify")):
        refused(clerk.ask(method, path), 405, "method_not_allowed")


def test_nothing_is_told_without_the_key(clerk: Asker, session: dict[str, Any]) -> None:
    for path in ("/v1/clients", f"/v1/clients/{session['client_id']}"):
        refused(clerk.ask("GET", path, key="sk_test_wrong"), 401, "clerk_key_invalid")
    token = clerk.emulator.client_token(session["client_id"])
    answer = clerk.ask("POST", "/v1/clients/verify", key="sk_test_wrong", json={"token": token})
    refused(answer, 401, "clerk_key_invalid")


def test_no_answer_has_the_secret_of_a_client(clerk: Asker, session: dict[str, Any]) -> None:
    record = clerk.emulator._store.get("client", session["client_id"])
    assert record
    token = clerk.emulator.client_token(session["client_id"])
    for answer in (
        clerk.get("/v1/clients", limit=500),
        clerk.get(f"/v1/clients/{session['client_id']}"),
        clerk.post("/v1/clients/verify", token=token),
    ):
        assert answer.status_code == 200
        assert record["rotating_token"] not in answer.text
        assert "rotating_token" not in answer.text
    for shown in (clerk.emulator.clients(), clerk.emulator.client(session["client_id"])):
        assert record["rotating_token"] not in str(shown)


# Client tokens


def test_a_client_token_is_a_signed_jwt_with_id_and_secret(
    clerk: Asker, session: dict[str, Any]
) -> None:
    token = clerk.emulator.client_token(session["client_id"])
    assert jwt.get_unverified_header(token) == {
        "alg": "RS256",
        "kid": clerk.emulator.kid,
        "typ": "JWT",
    }
    claims = jwt.decode(token, clerk.emulator.public_key_pem(), algorithms=["RS256"])
    assert claims.keys() == {"id", "rotating_token"}
    assert claims["id"] == session["client_id"]
    assert re.fullmatch("[A-Za-z0-9]{40}", claims["rotating_token"])
    others = {clerk.emulator._store.find("client")[0]["rotating_token"], claims["rotating_token"]}
    assert len(others) == 2


@pytest.mark.parametrize("form", ["json", "data"])
def test_a_client_is_verified_by_its_token(
    clerk: Asker, session: dict[str, Any], form: str
) -> None:
    token = clerk.emulator.client_token(session["client_id"])
    body: dict[str, Any] = {form: {"token": token}}
    client = found(clerk.ask("POST", "/v1/clients/verify", **body))
    assert client == clerk.emulator.client(session["client_id"])
    assert client["last_active_session_id"] == session["id"]


def test_no_other_token_verifies_a_client(clerk: Asker, session: dict[str, Any]) -> None:
    emulator, other = clerk.emulator, Emulator()
    good = emulator.client_token(session["client_id"])
    claims = emulator.read_client_token(good)
    assert claims
    session_token = emulator.session_token(session["id"], **claims)
    for name, token in {
        "empty": "",
        "nonsense": "nonsense",
        "three dots": "a.b.c",
        "the id": session["client_id"],
        "forged": forge(good),
        "cut": good[:-1],
        "of another Clerk": other.client_token(other.clients()[0]["id"], id=session["client_id"]),
        "a session token": session_token,
        "another secret": emulator.client_token(session["client_id"], rotating_token="x"),
        "an empty secret": emulator.client_token(session["client_id"], rotating_token=""),
    }.items():
        answer = clerk.post("/v1/clients/verify", token=token)
        assert answer.status_code == 400, name
        refused(answer, 400, "cookie_invalid")
        assert token not in answer.text or not token


@pytest.mark.parametrize(
    ("claims", "missing"),
    [
        ({"id": None}, "id"),
        ({"id": 1}, "id"),
        ({"id": ["client_1"]}, "id"),
        ({"rotating_token": None}, "rotating_token"),
        ({"rotating_token": True}, "rotating_token"),
        ({"id": None, "rotating_token": None}, "id, rotating_token"),
    ],
)
def test_claims_that_are_missing_are_named(
    clerk: Asker, session: dict[str, Any], claims: dict[str, Any], missing: str
) -> None:
    token = clerk.emulator.client_token(session["client_id"], **claims)
    error = refused(clerk.post("/v1/clients/verify", token=token), 400, "cookie_invalid")
    assert error["long_message"] == f"The token is missing the following claims: {missing}"


@pytest.mark.parametrize("client_id", ["client_x", "", "\0"])
def test_a_token_of_an_unknown_client_is_not_found(
    clerk: Asker, session: dict[str, Any], client_id: str
) -> None:
    token = clerk.emulator.client_token(session["client_id"], id=client_id)
    refused(clerk.post("/v1/clients/verify", token=token), 404, "resource_not_found")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "form_param_missing", "token"),
        ({"token": None}, "form_param_missing", "token"),
        ({"token": 5}, "form_param_type_invalid", "token"),
        ({"token": "a.b.c", "client_id": "x"}, "form_param_unknown", "client_id"),
    ],
)
def test_without_a_token_it_says_so(
    clerk: Asker, body: dict[str, Any], code: str, param: str
) -> None:
    refused(clerk.ask("POST", "/v1/clients/verify", json=body), 422, code, param)


@pytest.mark.parametrize(("body", "kind"), [(b"{", JSON), (b"null", JSON), (b"token=%ff", FORM)])
def test_a_body_that_cannot_be_read_is_refused(clerk: Asker, body: bytes, kind: str) -> None:
    headers = {"Content-Type": kind}
    answer = clerk.ask("POST", "/v1/clients/verify", data=body, headers=headers)
    refused(answer, 400, "request_body_invalid")


def test_clients_and_tokens_survive_a_restart(tmp_path: Any) -> None:
    state = tmp_path / "state.sqlite3"
    with asking("http", state=state) as before:
        [session] = before.emulator.sessions()
        token = before.emulator.client_token(session["client_id"])
    with asking("http", state=state) as after:
        client = found(after.post("/v1/clients/verify", token=token))
        assert client["last_active_session_id"] == session["id"]


# The guide's recipes, with a client token in the cookie


def test_the_last_active_session_is_authenticated_with_a_client_token() -> None:
    emulator = Emulator()
    [session] = emulator.sessions()
    client_token = emulator.client_token(session["client_id"])
    clerk = clerk_for(emulator)
    client = clerk.clients.verify_client(client_token)
    assert client.last_active_session_id == session["id"]
    verified = clerk.sessions.verify_session(session["id"], client_token)
    assert verified.user_id == session["user_id"]
    with pytest.raises(ApiError) as caught:
        clerk.clients.verify_client(forge(client_token))
    assert caught.value.status_code == 400
    assert [one.id for one in clerk.clients.list()] == [session["client_id"]]
    assert clerk.clients.get(session["client_id"]) == client
