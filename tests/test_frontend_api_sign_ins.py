"""Signing in at the local Clerk by Clerk's script: with a password, in two steps, with a ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .scripting import ADA, GRACE, MODES, Script, World, refused, session_in
from .spying import another, as_soon_as, sessions_seen_with

if TYPE_CHECKING:
    from pathlib import Path

    from webtest.response import TestResponse

SIGN_INS = "/v1/client/sign_ins"


@pytest.fixture(params=MODES)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def begin(script: Script, identifier: str = "ada@example.com") -> dict[str, Any]:
    answer = script.post(SIGN_INS, identifier=identifier)
    assert answer.status_int == 200, answer.text
    found: dict[str, Any] = answer.json["response"]
    return found


def attempt(script: Script, begun: dict[str, Any], **fields: str) -> TestResponse:
    given = {"strategy": "password", **fields}
    return script.post(f"{SIGN_INS}/{begun['id']}/attempt_first_factor", **given)


def ticket_for(world: World, user_id: str, **options: Any) -> dict[str, Any]:
    return dict(world.emulator.create_sign_in_token(user_id, **options))


def is_signed_out(world: World) -> bool:
    """Whether nobody has signed in anywhere."""
    return len(world.emulator.sessions()) == 1  # the ready-made one


# In one step


@pytest.mark.parametrize(
    "fields",
    [
        {**ADA, "strategy": "password"},
        {**ADA, "locale": "en-US", "timezone": "UTC", "transfer": ""},
        {**ADA, "identifier": " ADA@example.COM "},
        GRACE,
        {**GRACE, "identifier": "GRACE"},
    ],
)
def test_a_password_signs_in(world: World, fields: dict[str, str]) -> None:
    script = world.script()
    answer = script.post(SIGN_INS, **fields).json
    done, client = answer["response"], answer["client"]
    assert (done["object"], done["status"]) == ("sign_in", "complete")
    assert done["first_factor_verification"]["status"] == "verified"
    session = session_in(client, done["created_session_id"])
    assert session["user"]["id"] in (world.ada, world.grace)
    assert client["last_active_session_id"] == session["id"]
    assert client["last_authentication_strategy"] == "password"
    assert client["sign_in"] is None
    assert session["user"]["last_sign_in_at"] == int(world.now * 1000)
    assert script.client()["id"] == client["id"]


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        (
            {**ADA, "identifier": "nobody@example.com"},
            422,
            "form_identifier_not_found",
            "identifier",
        ),
        ({**ADA, "identifier": ""}, 422, "form_param_missing", "identifier"),
        ({**ADA, "password": "wrong"}, 422, "form_password_incorrect", "password"),
        ({**ADA, "password": "", "strategy": "password"}, 422, "form_param_missing", "password"),
        ({**ADA, "password": GRACE["password"]}, 422, "form_password_incorrect", "password"),
        ({"strategy": "password"}, 422, "form_param_missing", "identifier"),
        ({"strategy": "ticket"}, 422, "form_param_missing", "ticket"),
        ({"strategy": "ticket", "ticket": "tkt_x"}, 400, "ticket_invalid_code", "ticket"),
        ({**ADA, "strategy": "oauth_google"}, 400, "strategy_for_user_invalid", None),
        ({**ADA, "strategy": "email_code"}, 400, "strategy_for_user_invalid", None),
        ({"identifier": "nobody"}, 422, "form_identifier_not_found", "identifier"),
    ],
)
def test_what_does_not_sign_in(
    world: World, fields: dict[str, str], status: int, code: str, param: str | None
) -> None:
    script = world.script()
    answer = script.post(SIGN_INS, **fields)
    refused(answer, status, code, param)
    assert "Clerk-Db-Jwt" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert is_signed_out(world)


@pytest.mark.parametrize("why", ["locked", "banned"])
def test_who_is_locked_out_does_not_sign_in(world: World, why: str) -> None:
    world.emulator.update_user(world.ada, **{why: True})
    script = world.script()
    refused(script.post(SIGN_INS, **ADA), 403, "user_locked")
    refused(attempt(script, begin(script), password=ADA["password"]), 403, "user_locked")
    ticket = ticket_for(world, world.ada)
    refused(script.post(SIGN_INS, strategy="ticket", ticket=ticket["token"]), 403, "user_locked")
    assert is_signed_out(world)
    assert world.emulator.sign_in_token(ticket["id"])["status"] == "pending"


def test_who_has_no_password_does_not_sign_in_with_one(world: World) -> None:
    world.emulator.create_user(email_address="new@example.com")
    script = world.script()
    begun = begin(script, "new@example.com")
    assert begun["supported_first_factors"] == []
    for password in ("x", "None", "null"):
        answer = attempt(script, begun, password=password)
        refused(answer, 422, "form_password_incorrect", "password")
    assert is_signed_out(world)


def test_a_second_account_is_added(world: World) -> None:
    script = world.script()
    ada, grace = script.sign_in(), script.sign_in(**GRACE)
    client = script.client()
    assert [one["id"] for one in client["sessions"]] == [ada["id"], grace["id"]]
    assert client["last_active_session_id"] == grace["id"]


@pytest.mark.parametrize("password", ["", ADA["password"], "wrong"])
def test_who_is_signed_in_already_is_told_which_session_that_is(
    world: World, password: str
) -> None:
    script = world.script()
    session = script.sign_in()
    answer = script.post(SIGN_INS, **{**ADA, "password": password})
    refused(answer, 400, "identifier_already_signed_in")
    assert answer.json["errors"][0]["meta"] == {"session_id": session["id"]}
    assert [one["id"] for one in script.client()["sessions"]] == [session["id"]]


def test_who_is_signed_in_elsewhere_or_was_before_signs_in(world: World) -> None:
    world.signed_in()
    script = world.script()
    first = script.sign_in()
    world.emulator.update_session(first["id"], status="ended")
    assert script.sign_in()["id"] != first["id"]


# In two steps


def test_an_identifier_asks_for_the_password(world: World) -> None:
    script = world.script()
    answer = script.post(SIGN_INS, identifier="ada@example.com").json
    begun = answer["response"]
    assert begun["status"] == "needs_first_factor"
    assert begun["identifier"] == "ada@example.com"
    assert begun["supported_first_factors"] == [{"strategy": "password"}]
    assert begun["created_session_id"] is None
    assert begun["user_data"]["first_name"] == "Ada"
    assert answer["client"]["sign_in"] == begun
    assert answer["client"]["sessions"] == []
    assert script.client()["sign_in"] == begun
    assert script.get(f"{SIGN_INS}/{begun['id']}").json["response"] == begun
    assert is_signed_out(world)


def test_the_password_completes_it(world: World) -> None:
    script = world.script()
    begun = begin(script)
    refused(attempt(script, begun, password="wrong"), 422, "form_password_incorrect", "password")
    answer = attempt(script, begun, password=ADA["password"]).json
    assert answer["response"]["id"] == begun["id"]
    assert answer["response"]["status"] == "complete"
    session = session_in(answer["client"], answer["response"]["created_session_id"])
    assert session["user"]["id"] == world.ada
    assert answer["client"]["sign_in"] is None
    assert script.get(f"{SIGN_INS}/{begun['id']}").json["response"]["status"] == "complete"


def test_without_an_identifier_one_is_asked_for(world: World) -> None:
    script = world.script()
    answer = script.post(SIGN_INS, locale="en-US").json["response"]
    assert answer["status"] == "needs_identifier"
    assert answer["supported_identifiers"] == ["email_address", "username"]
    assert (answer["supported_first_factors"], answer["user_data"]) == (None, None)
    refused(attempt(script, answer, password=ADA["password"]), 400, "client_state_invalid")
    assert is_signed_out(world)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"password": ""}, 422, "form_param_missing"),
        ({"strategy": "", "password": ADA["password"]}, 422, "form_param_missing"),
        ({"strategy": "email_code", "code": "424242"}, 400, "strategy_for_user_invalid"),
        ({"strategy": "ticket", "password": ADA["password"]}, 400, "strategy_for_user_invalid"),
        ({"password": GRACE["password"]}, 422, "form_password_incorrect"),
    ],
)
def test_what_does_not_complete_it(
    world: World, fields: dict[str, str], status: int, code: str
) -> None:
    script = world.script()
    begun = begin(script)
    refused(attempt(script, begun, **fields), status, code)
    assert script.client()["sign_in"] == begun
    assert is_signed_out(world)


def test_nothing_has_to_be_prepared_for_a_password(world: World) -> None:
    script = world.script()
    path = f"{SIGN_INS}/{begin(script)['id']}/prepare_first_factor"
    refused(script.post(path), 422, "form_param_missing", "strategy")
    for strategy in ("password", "email_code", "reset_password_email_code"):
        refused(script.post(path, strategy=strategy), 400, "strategy_for_user_invalid")


def test_what_is_complete_is_not_attempted_again(world: World) -> None:
    script = world.script()
    begun = begin(script)
    attempt(script, begun, password=ADA["password"])
    answer = attempt(script, begun, password=ADA["password"])
    refused(answer, 400, "client_state_invalid")
    assert len(script.client()["sessions"]) == 1


def test_a_new_attempt_takes_the_place_of_the_one_before(world: World) -> None:
    script = world.script()
    first, second = begin(script), begin(script, "grace")
    assert script.client()["sign_in"]["id"] == second["id"]
    answer = attempt(script, first, password=ADA["password"])
    refused(answer, 404, "resource_not_found")
    assert attempt(script, second, password=GRACE["password"]).status_int == 200


def test_a_user_who_is_deleted_meanwhile_does_not_sign_in(world: World) -> None:
    script = world.script()
    begun = begin(script)
    world.emulator.delete_user(world.ada)
    answer = attempt(script, begun, password=ADA["password"])
    refused(answer, 400, "sign_in_identification_or_user_deleted")
    assert script.client()["sign_in"]["user_data"] is None


@pytest.mark.parametrize("sign_in_id", ["others", "sia_unknown", "x" * 400])
def test_no_browser_reaches_an_attempt_that_is_not_its_own(world: World, sign_in_id: str) -> None:
    victim, script = world.script(), world.signed_in(**GRACE)
    begun = begin(victim)
    asked = begun["id"] if sign_in_id == "others" else sign_in_id
    refused(script.get(f"{SIGN_INS}/{asked}"), 404, "resource_not_found")
    for action in ("attempt_first_factor", "prepare_first_factor"):
        answer = script.post(f"{SIGN_INS}/{asked}/{action}", strategy="password", **ADA)
        refused(answer, 404, "resource_not_found")
    assert len(script.client()["sessions"]) == 1
    assert victim.client()["sessions"] == []


# With a ticket


def test_a_ticket_signs_in_once(world: World) -> None:
    ticket = ticket_for(world, world.grace)["token"]
    script = world.script()
    answer = script.post(SIGN_INS, strategy="ticket", ticket=ticket).json
    session = session_in(answer["client"], answer["response"]["created_session_id"])
    assert session["user"]["id"] == world.grace
    assert answer["client"]["last_authentication_strategy"] == "ticket"
    again = world.script().post(SIGN_INS, strategy="ticket", ticket=ticket)
    refused(again, 400, "sign_in_token_already_used_code", "ticket")


def test_a_ticket_that_has_expired_or_was_revoked_does_not_sign_in(world: World) -> None:
    expired = ticket_for(world, world.ada, expires_in=60)
    revoked = ticket_for(world, world.ada)
    world.emulator.revoke_sign_in_token(revoked["id"])
    world.now += 60
    script = world.script()
    answer = script.post(SIGN_INS, strategy="ticket", ticket=expired["token"])
    refused(answer, 400, "ticket_expired_code", "ticket")
    answer = script.post(SIGN_INS, strategy="ticket", ticket=revoked["token"])
    refused(answer, 400, "sign_in_token_revoked_code", "ticket")
    assert is_signed_out(world)


# A secret that somebody else may have, too


@pytest.mark.parametrize("how", ["password", "two steps", "ticket"])
def test_whoever_has_the_secret_of_before_never_sees_who_signs_in(tmp_path: Path, how: str) -> None:
    world = World("development", state=tmp_path / "state.sqlite3")
    script = world.script()
    begun = begin(script) if how == "two steps" else {}
    seen = sessions_seen_with(script.token, world)
    if how == "two steps":
        answer = attempt(script, begun, **ADA)
    elif how == "ticket":
        ticket = ticket_for(world, world.ada)["token"]
        answer = script.post(SIGN_INS, strategy="ticket", ticket=ticket)
    else:
        answer = script.post(SIGN_INS, **ADA)
    assert answer.json["response"]["status"] == "complete"
    assert seen
    assert set(seen) == {0}


def test_a_secret_is_replaced_before_it_is_looked_up_or_after(tmp_path: Path) -> None:
    world = World("development", state=tmp_path / "state.sqlite3")
    script = world.script()
    client_id, other = script.client()["id"], another(world.emulator)

    def sign_in() -> None:
        with other.transaction():
            other.create_session(world.ada, client_id=client_id)
            other._frontend.browsers.renew(client_id)

    as_soon_as(world.emulator, f"'{client_id}'", sign_in)
    page = script.http.get(f"/sign-in?__clerk_db_jwt={script.token}", headers={"Accept": "*/*"})
    assert "Continue as Ada" not in page.text
    if is_signed_out(world):
        sign_in()
    assert not is_signed_out(world)
