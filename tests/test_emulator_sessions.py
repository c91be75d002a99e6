"""The local Clerk's sessions: lists, one of them, its end, and verifying it with a token."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi import ApiError
from clerk_wsgi.emulator import forge
from clerk_wsgi.testing import Emulator, FrozenClock, clerk_for

from .asking import FORM, JSON, WAYS, Asker, asking, found, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_700_000_000.0
DAY = 86_400
STATUSES = ("active", "pending", "revoked", "ended", "expired", "removed", "abandoned", "replaced")
OVER = ("revoked", "ended", "expired", "removed", "abandoned", "replaced")
GONE = "endpoint is deprecated and pending removal"


@pytest.fixture(scope="module", params=WAYS)
def clerk(request: pytest.FixtureRequest) -> Iterator[Asker]:
    """One local Clerk; every test has a user of its own."""
    with asking(request.param) as asker:
        yield asker


@pytest.fixture
def user_id(clerk: Asker) -> str:
    return str(clerk.emulator.create_user()["id"])


@pytest.fixture
def session(clerk: Asker, user_id: str) -> dict[str, Any]:
    return clerk.emulator.create_session(user_id)


def token_of(clerk: Asker, session: dict[str, Any], **claims: Any) -> str:
    return clerk.emulator.session_token(session["id"], **claims)


def verify(clerk: Asker, session: dict[str, Any], token: str) -> Any:
    return clerk.post(f"/v1/sessions/{session['id']}/verify", token=token)


# Lists


def test_sessions_are_listed_newest_first(clerk: Asker, user_id: str) -> None:
    made = [clerk.emulator.create_session(user_id) for _ in range(3)]
    assert found(clerk.get("/v1/sessions", user_id=user_id)) == made[::-1]


def test_a_page_is_ten_unless_asked_for_more_or_fewer(clerk: Asker, user_id: str) -> None:
    ids = [clerk.emulator.create_session(user_id)["id"] for _ in range(12)][::-1]

    def listed(**query: Any) -> list[str]:
        return [one["id"] for one in found(clerk.get("/v1/sessions", user_id=user_id, **query))]

    assert listed() == ids[:10]
    assert listed(limit=500) == ids
    assert listed(limit=1) == ids[:1]
    assert listed(limit=2, offset=9) == ids[9:11]
    assert listed(offset=11) == ids[11:]
    assert listed(offset=999_999) == []


def test_with_paginated_it_says_how_many_there_are(clerk: Asker, user_id: str) -> None:
    made = [clerk.emulator.create_session(user_id) for _ in range(3)]
    page = found(clerk.get("/v1/sessions", user_id=user_id, limit=1, paginated="true"))
    assert page == {"data": made[:1:-1], "total_count": 3}
    assert found(clerk.get("/v1/sessions", user_id=user_id, paginated="false")) == made[::-1]


def test_filters_are_all_to_be_met(clerk: Asker, user_id: str) -> None:
    emulator = clerk.emulator
    active, revoked = (emulator.create_session(user_id, status=one) for one in STATUSES[::2][:2])
    stranger = emulator.create_session(emulator.create_user()["id"], client_id=active["client_id"])
    client_id = active["client_id"]
    assert found(clerk.get("/v1/sessions", user_id=user_id)) == [revoked, active]
    assert found(clerk.get("/v1/sessions", user_id=user_id, status="active")) == [active]
    assert found(clerk.get("/v1/sessions", client_id=client_id)) == [stranger, active]
    assert found(clerk.get("/v1/sessions", client_id=client_id, user_id=user_id)) == [active]
    assert found(clerk.get("/v1/sessions", client_id=client_id, status="revoked")) == []
    assert found(clerk.get("/v1/sessions", user_id="user_x")) == []
    everybody = found(clerk.get("/v1/sessions", limit=500))
    assert [one for one in everybody if one in (active, revoked, stranger)] == [
        stranger,
        revoked,
        active,
    ]


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_can_be_asked_for(clerk: Asker, user_id: str, status: str) -> None:
    made = {one: clerk.emulator.create_session(user_id, status=one) for one in STATUSES}
    answer = clerk.get("/v1/sessions", user_id=user_id, status=status)
    assert found(answer) == [made[status]]


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("limit=0", "form_param_value_invalid", "limit"),
        ("limit=501", "form_param_value_invalid", "limit"),
        ("limit=-1", "form_param_value_invalid", "limit"),
        ("limit=", "form_param_type_invalid", "limit"),
        ("limit=ten", "form_param_type_invalid", "limit"),
        ("limit=1.5", "form_param_type_invalid", "limit"),
        ("limit=%D9%A1", "form_param_type_invalid", "limit"),
        ("limit=" + "9" * 5000, "form_param_type_invalid", "limit"),
        ("limit=1&limit=2", "form_param_duplicate", "limit"),
        ("offset=-1", "form_param_value_invalid", "offset"),
        ("offset=x", "form_param_type_invalid", "offset"),
        ("status=alive", "form_param_value_invalid", "status"),
        ("status=", "form_param_value_invalid", "status"),
        ("status=active&status=ended", "form_param_duplicate", "status"),
        ("user_id=a&user_id=b", "form_param_duplicate", "user_id"),
        ("client_id=a&client_id=b", "form_param_duplicate", "client_id"),
        ("paginated=yes", "form_param_value_invalid", "paginated"),
        ("paginated=1", "form_param_value_invalid", "paginated"),
    ],
)
def test_a_bad_query_is_refused(clerk: Asker, query: str, code: str, param: str) -> None:
    refused(clerk.ask("GET", f"/v1/sessions?{query}"), 422, code, param)


@pytest.mark.parametrize("query", ["user_id=%ff", "%ff=1"])
def test_a_query_that_is_not_utf8_is_refused(clerk: Asker, query: str) -> None:
    refused(clerk.ask("GET", f"/v1/sessions?{query}"), 400, "malformed_request_parameters")


# One session


def test_a_session_has_every_field_of_clerks(clerk: Asker, session: dict[str, Any]) -> None:
    answer = found(clerk.get(f"/v1/sessions/{session['id']}"))
    assert answer == session
    assert answer["object"] == "session"
    assert answer["status"] == "active"
    assert {name: answer[name] for name in ("actor", "latest_activity", "tasks")} == {
        "actor": None,
        "latest_activity": None,
        "tasks": None,
    }
    for name in ("last_active_at", "expire_at", "abandon_at", "created_at", "updated_at"):
        assert type(answer[name]) is int
        assert answer[name] > 1_600_000_000_000
    assert clerk.emulator.client(answer["client_id"])["session_ids"] == [answer["id"]]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/sessions/{}"),
        ("POST", "/v1/sessions/{}/revoke"),
        ("POST", "/v1/sessions/{}/tokens"),
    ],
)
@pytest.mark.parametrize("unknown", ["sess_x", "user_x", "%00", "%ff", "a%20b"])
def test_an_unknown_session_is_not_found(
    clerk: Asker, method: str, path: str, unknown: str
) -> None:
    error = refused(clerk.ask(method, path.format(unknown)), 404, "resource_not_found")
    assert error["message"] == "Session not found"
    assert error["long_message"].startswith("No session was found with id ")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/sessions", "GET, POST"),
        ("POST", "/v1/sessions/sess_x", "GET"),
        ("GET", "/v1/sessions/sess_x/revoke", "POST"),
        ("GET", "/v1/sessions/sess_x/verify", "POST"),
    ],
)
def test_other_methods_are_refused(clerk: Asker, method: str, path: str, allow: str) -> None:
    answer = clerk.ask(method, path)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/sessions"),
        ("POST", "/v1/sessions"),
        ("GET", "/v1/sessions/{}"),
        ("POST", "/v1/sessions/{}/revoke"),
        ("POST", "/v1/sessions/{}/verify"),
    ],
)
def test_nothing_is_told_or_done_without_the_key(
    clerk: Asker, session: dict[str, Any], method: str, path: str
) -> None:
    answer = clerk.ask(method, path.format(session["id"]), key="sk_test_wrong")
    refused(answer, 401, "clerk_key_invalid")
    assert clerk.emulator.session(session["id"]) == session


def test_time_ends_a_session() -> None:
    clock = FrozenClock(NOW)
    with asking(clock=clock) as clerk:
        [session] = clerk.emulator.sessions()
        path = f"/v1/sessions/{session['id']}"
        clock.now = NOW + 7 * DAY - 1
        assert found(clerk.get(path))["status"] == "active"
        clock.now = NOW + 7 * DAY
        assert found(clerk.get(path)) == {**session, "status": "expired"}
        assert found(clerk.get("/v1/sessions", status="active")) == []
        assert len(found(clerk.get("/v1/sessions", status="expired"))) == 1
        assert (
            found(clerk.get(f"/v1/clients/{session['client_id']}"))["last_active_session_id"]
            is None
        )
        refused(clerk.post(f"{path}/tokens"), 400, "invalid_action_for_session")
        refused(clerk.post(f"{path}/revoke"), 400, "invalid_action_for_session")
        token = token_of(clerk, session)
        refused(verify(clerk, session, token), 401, "action_for_session_not_authorized")


def test_a_session_can_be_abandoned_before_it_expires() -> None:
    clock = FrozenClock(NOW)
    emulator = Emulator(clock=clock)
    [user] = emulator.users()
    milliseconds = int(NOW * 1000)
    session = emulator.create_session(user["id"], abandon_at=milliseconds + 1000)
    over = emulator.create_session(user["id"], abandon_at=milliseconds, status="revoked")
    clock.tick(1)
    assert emulator.session(session["id"])["status"] == "abandoned"
    assert emulator.session(over["id"])["status"] == "revoked"


# Starting one


def test_a_session_is_started_on_a_client_of_its_own(clerk: Asker, user_id: str) -> None:
    session = found(clerk.post("/v1/sessions", user_id=user_id))
    assert session == clerk.emulator.session(session["id"])
    assert (session["user_id"], session["status"]) == (user_id, "active")
    assert session["last_active_organization_id"] is None
    client = clerk.emulator.client(session["client_id"])
    assert client["last_active_session_id"] == session["id"]


def test_a_session_may_have_an_organization(clerk: Asker, user_id: str) -> None:
    acme = clerk.emulator.create_organization("Acme")["id"]
    clerk.emulator.add_member(acme, user_id)
    answer = clerk.post("/v1/sessions", user_id=user_id, active_organization_id=acme)
    session = found(answer)
    assert session["last_active_organization_id"] == acme
    token = found(clerk.post(f"/v1/sessions/{session['id']}/tokens"))["jwt"]
    claims = clerk.emulator.read_session_token(token)
    assert claims is not None
    assert claims["o"]["id"] == acme
    answer = clerk.post("/v1/sessions", user_id=user_id, active_organization_id=None)
    assert found(answer)["last_active_organization_id"] is None


@pytest.mark.parametrize("which", ["org_x", "", "user_x", "\0", "é", "of others", "by slug"])
def test_an_organization_that_the_user_is_not_in_starts_no_session(
    clerk: Asker, user_id: str, which: str
) -> None:
    other, mine = (clerk.emulator.create_organization("Acme") for _ in range(2))
    clerk.emulator.add_member(mine["id"], user_id)
    organization = {"of others": other["id"], "by slug": mine["slug"]}.get(which, which)
    before = len(clerk.emulator.sessions()), len(clerk.emulator.clients())
    answer = clerk.post("/v1/sessions", user_id=user_id, active_organization_id=organization)
    error = refused(answer, 404, "organization_not_found_or_unauthorized")
    assert organization not in error["long_message"] or not organization
    assert (len(clerk.emulator.sessions()), len(clerk.emulator.clients())) == before


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "form_param_missing", "user_id"),
        ({"user_id": None}, "form_param_missing", "user_id"),
        ({"user_id": 1}, "form_param_type_invalid", "user_id"),
        ({"user_id": ["user_1"]}, "form_param_type_invalid", "user_id"),
        (
            {"user_id": "user_x", "active_organization_id": 1},
            "form_param_type_invalid",
            "active_organization_id",
        ),
        ({"user_id": "user_x", "status": "active"}, "form_param_unknown", "status"),
        ({"user_id": "user_x", "client_id": "client_x"}, "form_param_unknown", "client_id"),
    ],
)
def test_a_session_of_nobody_is_not_started(
    clerk: Asker, body: dict[str, Any], code: str, param: str
) -> None:
    before = len(clerk.emulator.sessions()), len(clerk.emulator.clients())
    refused(clerk.ask("POST", "/v1/sessions", json=body), 422, code, param)
    assert (len(clerk.emulator.sessions()), len(clerk.emulator.clients())) == before


@pytest.mark.parametrize("unknown", ["user_x", "", "sess_x", "\0", "é"])
def test_an_unknown_user_has_no_sessions(clerk: Asker, unknown: str) -> None:
    before = len(clerk.emulator.clients())
    error = refused(clerk.post("/v1/sessions", user_id=unknown), 404, "resource_not_found")
    assert error["long_message"] == f"No user was found with id {unknown}"
    assert len(clerk.emulator.clients()) == before


def test_half_a_character_is_no_json(clerk: Asker) -> None:
    body = b'{"user_id": "\\ud800"}'
    answer = clerk.ask("POST", "/v1/sessions", data=body, headers={"Content-Type": JSON})
    refused(answer, 400, "request_body_invalid")


# Ending one


@pytest.mark.parametrize("status", ["active", "pending"])
def test_a_session_is_revoked(clerk: Asker, user_id: str, status: str) -> None:
    session = clerk.emulator.create_session(user_id, status=status)
    revoked = found(clerk.post(f"/v1/sessions/{session['id']}/revoke"))
    assert revoked == {**session, "status": "revoked", "updated_at": revoked["updated_at"]}
    assert revoked["updated_at"] >= session["updated_at"]
    assert clerk.emulator.session(session["id"]) == revoked
    assert found(clerk.ask("POST", f"/v1/sessions/{session['id']}/revoke")) == revoked


@pytest.mark.parametrize("status", [one for one in OVER if one != "revoked"])
def test_what_is_over_cannot_be_revoked(clerk: Asker, user_id: str, status: str) -> None:
    session = clerk.emulator.create_session(user_id, status=status)
    answer = clerk.post(f"/v1/sessions/{session['id']}/revoke")
    error = refused(answer, 400, "invalid_action_for_session")
    assert error["long_message"] == f"Unable to revoke session {session['id']}: it is {status}."
    assert clerk.emulator.session(session["id"]) == session


def test_revoking_takes_no_parameters(clerk: Asker, session: dict[str, Any]) -> None:
    answer = clerk.post(f"/v1/sessions/{session['id']}/revoke", reason="because")
    refused(answer, 422, "form_param_unknown", "reason")
    assert clerk.emulator.session(session["id"])["status"] == "active"


def test_a_client_falls_back_to_another_session(clerk: Asker, user_id: str) -> None:
    emulator = clerk.emulator
    first = emulator.create_session(user_id)
    client_id = first["client_id"]
    others = [emulator.create_session(user_id, client_id=client_id) for _ in range(2)]

    def last_active() -> str | None:
        client = found(clerk.get(f"/v1/clients/{client_id}"))
        assert client["session_ids"] == [first["id"], *(one["id"] for one in others)]
        last: str | None = client["last_active_session_id"]
        return last

    for session in (others[1], others[0], first):
        assert last_active() == session["id"]
        found(clerk.post(f"/v1/sessions/{session['id']}/revoke"))
    assert last_active() is None


# Verifying one


@pytest.mark.parametrize("kind", ["session token", "client token"])
@pytest.mark.parametrize("form", ["json", "data"])
def test_an_active_session_is_verified_by_its_token(
    clerk: Asker, session: dict[str, Any], kind: str, form: str
) -> None:
    token = token_of(clerk, session)
    if kind == "client token":
        token = clerk.emulator.client_token(session["client_id"])
    path = f"/v1/sessions/{session['id']}/verify"
    body: dict[str, Any] = {form: {"token": token}}
    assert found(clerk.ask("POST", path, **body)) == session


def test_a_token_counts_until_the_second_in_which_it_expires() -> None:
    clock = FrozenClock(NOW)
    with asking(clock=clock) as clerk:
        [session] = clerk.emulator.sessions()
        token = token_of(clerk, session, expires_in=60)
        for age, status in ((-10, 200), (0, 200), (59.9, 200), (60, 400), (-11, 400), (3600, 400)):
            clock.now = NOW + age
            assert verify(clerk, session, token).status_code == status, age


def test_a_client_token_does_not_expire() -> None:
    clock = FrozenClock(NOW)
    with asking(clock=clock) as clerk:
        [session] = clerk.emulator.sessions()
        token = clerk.emulator.client_token(session["client_id"])
        clock.tick(6 * DAY)
        assert verify(clerk, session, token).status_code == 200


def bad_tokens(clerk: Asker, session: dict[str, Any]) -> dict[str, str]:
    """Everything that is no token of the session, nor of its client."""
    emulator, other = clerk.emulator, Emulator()
    sibling = emulator.create_session(session["user_id"], client_id=session["client_id"])
    stranger = emulator.create_session(emulator.create_user()["id"])
    key, good = emulator._keys.current, token_of(clerk, session)
    claims = emulator.read_session_token(good)
    assert claims
    header = {"alg": "RS256", "kid": emulator.kid, "typ": "JWT"}
    secret = emulator._store.get("client", session["client_id"])
    assert secret
    named = {"id": session["client_id"], "rotating_token": secret["rotating_token"]}
    return {
        "empty": "",
        "no JWT": "nonsense",
        "three dots": "a.b.c",
        "the session's id": session["id"],
        "forged": forge(good),
        "cut": good[:-1],
        "spaced": f" {good}",
        "of another Clerk": other.session_token(other.sessions()[0]["id"], sid=session["id"]),
        "expired": token_of(clerk, session, expires_in=0),
        "of the future": token_of(clerk, session, nbf=claims["nbf"] + 3600),
        "without exp": token_of(clerk, session, exp=None),
        "without nbf": token_of(clerk, session, nbf=None),
        "exp as a text": token_of(clerk, session, exp=str(claims["exp"])),
        "exp as true": token_of(clerk, session, exp=True),
        "of a sibling": token_of(clerk, sibling),
        "of a stranger": token_of(clerk, stranger),
        "of another user": token_of(clerk, session, sub=stranger["user_id"]),
        "without sid": token_of(clerk, session, sid=None),
        "without category": key.sign(header, claims),
        "of a template": key.sign({**header, "cat": "cl_B7d4PD222AAA"}, claims),
        "with another kid": key.sign({**header, "kid": "ins_x", "cat": "cl_B7d4PD111AAA"}, claims),
        "unsigned": good.rpartition(".")[0] + ".",
        "HS256": key.sign({**header, "alg": "HS256", "cat": "cl_B7d4PD111AAA"}, claims),
        "of another client": emulator.client_token(stranger["client_id"]),
        "client: forged": forge(emulator.client_token(session["client_id"])),
        "client: another secret": key.sign(header, {**named, "rotating_token": "x"}),
        "client: secret missing": key.sign(header, {"id": session["client_id"]}),
        "client: secret null": key.sign(header, {**named, "rotating_token": None}),
        "client: as a session token": key.sign({**header, "cat": "cl_B7d4PD111AAA"}, named),
        "client: id as a list": key.sign(header, {**named, "id": [session["client_id"]]}),
    }


def test_no_other_token_verifies_a_session(clerk: Asker, session: dict[str, Any]) -> None:
    for name, token in bad_tokens(clerk, session).items():
        answer = verify(clerk, session, token)
        assert answer.status_code == 400, name
        error = refused(answer, 400, "invalid_session_token")
        assert error["message"] == "Invalid session token"
        assert error["long_message"] == "The token provided could not be successfully verified"
        assert token not in answer.text or not token


def test_a_client_token_verifies_every_session_of_the_client(
    clerk: Asker, session: dict[str, Any]
) -> None:
    emulator = clerk.emulator
    other_user = emulator.create_user()["id"]
    sibling = emulator.create_session(other_user, client_id=session["client_id"])
    token = emulator.client_token(session["client_id"])
    assert found(verify(clerk, session, token)) == session
    assert found(verify(clerk, sibling, token)) == sibling


@pytest.mark.parametrize("status", [one for one in STATUSES if one != "active"])
@pytest.mark.parametrize("kind", ["session token", "client token"])
def test_a_session_that_is_not_active_is_not_verified(
    clerk: Asker, user_id: str, status: str, kind: str
) -> None:
    session = clerk.emulator.create_session(user_id, status=status)
    token = token_of(clerk, session)
    if kind == "client token":
        token = clerk.emulator.client_token(session["client_id"])
    answer = verify(clerk, session, token)
    error = refused(answer, 401, "action_for_session_not_authorized")
    assert error["long_message"].endswith(f"requested action on session {session['id']}")


def test_a_revoked_session_is_not_verified_any_longer(
    clerk: Asker, session: dict[str, Any]
) -> None:
    token = token_of(clerk, session)
    assert verify(clerk, session, token).status_code == 200
    found(clerk.post(f"/v1/sessions/{session['id']}/revoke"))
    assert verify(clerk, session, token).status_code == 401


@pytest.mark.parametrize("unknown", ["sess_x", "user_x", "%00"])
def test_an_unknown_session_is_not_verified(
    clerk: Asker, session: dict[str, Any], unknown: str
) -> None:
    for token in (token_of(clerk, session), "nonsense"):
        answer = clerk.post(f"/v1/sessions/{unknown}/verify", token=token)
        refused(answer, 404, "resource_not_found")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "form_param_missing", "token"),
        ({"token": None}, "form_param_missing", "token"),
        ({"token": 1}, "form_param_type_invalid", "token"),
        ({"token": ["a.b.c"]}, "form_param_type_invalid", "token"),
        ({"token": "a.b.c", "session_id": "x"}, "form_param_unknown", "session_id"),
    ],
)
def test_without_a_token_it_says_so(
    clerk: Asker, session: dict[str, Any], body: dict[str, Any], code: str, param: str
) -> None:
    answer = clerk.ask("POST", f"/v1/sessions/{session['id']}/verify", json=body)
    refused(answer, 422, code, param)


@pytest.mark.parametrize(("body", "kind"), [(b"{", JSON), (b"[]", JSON), (b"token=%ff", FORM)])
def test_a_body_that_cannot_be_read_is_refused(
    clerk: Asker, session: dict[str, Any], body: bytes, kind: str
) -> None:
    path = f"/v1/sessions/{session['id']}/verify"
    answer = clerk.ask("POST", path, data=body, headers={"Content-Type": kind})
    refused(answer, 400, "request_body_invalid")


# Retired endpoints


@pytest.mark.parametrize("way", WAYS)
def test_verify_endpoints_can_be_gone(way: str) -> None:
    with asking(way, verify_endpoints="gone") as clerk:
        [session] = clerk.emulator.sessions()
        token = clerk.emulator.client_token(session["client_id"])
        for path in (f"/v1/sessions/{session['id']}/verify", "/v1/clients/verify"):
            for body in ({"token": token}, {}):
                answer = clerk.ask("POST", path, json=body)
                error = refused(answer, 410, "operation_deprecated")
                assert (error["message"], error["long_message"]) == (GONE, GONE)
            refused(clerk.ask("POST", path, key="sk_test_x"), 401, "clerk_key_invalid")


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (None, 200),
        ("2021-02-05", 200),
        ("2025-03-12", 200),
        ("2025-04-10", 410),
        ("2026-05-12", 410),
        ("2027-01-01", 400),
    ],
)
def test_sessions_can_be_verified_up_to_a_version_as_documented(
    version: str | None, status: int
) -> None:
    with asking(verify_endpoints="versioned") as clerk:
        [session] = clerk.emulator.sessions()
        headers = {} if version is None else {"Clerk-API-Version": version}
        body = {"token": clerk.emulator.client_token(session["client_id"])}
        path = f"/v1/sessions/{session['id']}/verify"
        assert clerk.ask("POST", path, json=body, headers=headers).status_code == status
        in_query = {} if version is None else {"__clerk_api_version": version}
        assert clerk.ask("POST", path, json=body, params=in_query).status_code == status
        clients = clerk.ask("POST", "/v1/clients/verify", json=body, headers=headers)
        assert clients.status_code == (400 if status == 400 else 200)


@pytest.mark.parametrize("mode", ["", "Gone", "410", "strict"])
def test_another_mode_of_the_verify_endpoints_is_an_error(mode: str) -> None:
    with pytest.raises(ValueError, match="verify_endpoints: expected one of served, versioned"):
        Emulator(verify_endpoints=mode)


@pytest.mark.parametrize("mode", ["served", "versioned", "gone"])
def test_applications_notice_no_difference(mode: str) -> None:
    emulator = Emulator(verify_endpoints=mode)
    [session] = emulator.sessions()
    token = emulator.session_token(session["id"])
    clerk = clerk_for(emulator)
    verified = clerk.sessions.verify_session(session["id"], token)
    assert (verified.id, verified.user_id) == (session["id"], session["user_id"])
    for bad, status in (
        (forge(token), 400),
        (emulator.session_token(session["id"], sid="x"), 400),
    ):
        with pytest.raises(ApiError) as caught:
            clerk.sessions.verify_session(session["id"], bad)
        assert caught.value.status_code == status
    clerk.sessions.revoke(session["id"])
    with pytest.raises(ApiError) as caught:
        clerk.sessions.verify_session(session["id"], token)
    assert caught.value.status_code == 401


# Many at once


def test_threads_that_start_and_end_sessions_lose_none(clerk: Asker, user_id: str) -> None:
    def start_and_end(_: int) -> str:
        session = found(clerk.post("/v1/sessions", user_id=user_id))
        return str(found(clerk.post(f"/v1/sessions/{session['id']}/revoke"))["id"])

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(start_and_end, range(40)))
    page = found(clerk.get("/v1/sessions", user_id=user_id, paginated="true", limit=500))
    assert page["total_count"] == 40
    assert {one["id"] for one in page["data"]} == ids
    assert {one["status"] for one in page["data"]} == {"revoked"}
