"""The local Clerk's sign-in tokens: who makes them, who redeems them, and how often."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi.emulator import NotFound
from clerk_wsgi.emulator.errors import Refusal
from clerk_wsgi.emulator.sign_in import SignIns
from clerk_wsgi.testing import Emulator, FrozenClock

from .asking import WAYS, Asker, asking, found, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = 1_700_000_000.0
MS = 1_700_000_000_000
INVALID = "ticket_invalid_code"
EXPIRED = "ticket_expired_code"
REVOKED = "sign_in_token_revoked_code"
USED = "sign_in_token_already_used_code"
LOCKED_UP = "sign_in_token_cannot_be_revoked_code"


class Desk:
    """A local Clerk that tells the time, and Ada in it."""

    def __init__(self, **options: Any) -> None:
        self.now = NOW
        self.emulator = Emulator(clock=lambda: self.now, **options)
        self.ada = self.emulator.users()[0]["id"]
        self.sign_ins = SignIns(self.emulator)

    def ticket(self, **options: Any) -> str:
        return str(self.emulator.create_sign_in_token(self.ada, **options)["token"])


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module", params=WAYS)
def clerk(request: pytest.FixtureRequest) -> Iterator[Asker]:
    """One local Clerk; every test has a user of its own."""
    with asking(request.param) as asker:
        yield asker


@pytest.fixture
def user_id(clerk: Asker) -> str:
    return str(clerk.emulator.create_user()["id"])


def code_of(attempt: Callable[[], object], status: int = 400) -> str:
    """The code with which something is refused."""
    with pytest.raises(Refusal) as caught:
        attempt()
    assert caught.value.status == status
    return str(caught.value.entry["code"])


# Tickets


def test_a_sign_in_token_has_every_field_of_clerks(desk: Desk) -> None:
    made = desk.emulator.create_sign_in_token(desk.ada)
    assert made == {
        "object": "sign_in_token",
        "id": made["id"],
        "user_id": desk.ada,
        "status": "pending",
        "token": made["token"],
        "url": f"?__clerk_ticket={made['token']}",
        "created_at": MS,
        "updated_at": MS,
    }
    assert re.fullmatch("sit_[A-Za-z0-9]{27}", made["id"])
    assert desk.emulator.sign_in_token(made["id"]) == made


def test_a_ticket_is_redeemed_once(desk: Desk) -> None:
    made = desk.emulator.create_sign_in_token(desk.ada)
    desk.now += 1
    assert desk.emulator.redeem_ticket(made["token"]) == desk.ada
    accepted = {**made, "status": "accepted", "updated_at": MS + 1000}
    assert desk.emulator.sign_in_token(made["id"]) == accepted
    for _ in range(2):
        assert code_of(lambda: desk.emulator.redeem_ticket(made["token"])) == USED


def test_of_many_who_redeem_a_ticket_at_once_one_does(tmp_path: Path) -> None:
    emulators = [Emulator(tmp_path / "state.sqlite3") for _ in range(2)]
    ada = str(emulators[0].users()[0]["id"])
    together = Barrier(16)

    def redeem(number: int, ticket: str) -> str:
        together.wait(10)
        try:
            return emulators[number % 2].redeem_ticket(ticket)
        except Refusal as refusal:
            return str(refusal.entry["code"])

    with ThreadPoolExecutor(16) as threads:
        for _ in range(20):
            ticket = emulators[0].create_sign_in_token(ada)["token"]
            answers = threads.map(redeem, range(16), [ticket] * 16)
            assert sorted(answers) == sorted([ada, *[USED] * 15])


@pytest.mark.parametrize("lifetime", [1, 60, 30 * 86400])
def test_a_ticket_expires_in_its_very_second(desk: Desk, lifetime: int) -> None:
    first, second = (desk.ticket(expires_in=lifetime) for _ in range(2))
    desk.now = NOW + lifetime - 0.001
    assert desk.emulator.redeem_ticket(first) == desk.ada
    desk.now = NOW + lifetime
    assert code_of(lambda: desk.emulator.redeem_ticket(second)) == EXPIRED
    assert code_of(lambda: desk.emulator.redeem_ticket(first)) == USED


def test_a_ticket_lives_for_thirty_days_unless_told_otherwise(desk: Desk) -> None:
    ticket = desk.ticket()
    desk.now = NOW + 30 * 86400
    assert code_of(lambda: desk.emulator.redeem_ticket(ticket)) == EXPIRED
    desk.now -= 0.001
    assert desk.emulator.redeem_ticket(ticket) == desk.ada


def test_a_ticket_that_was_revoked_is_void(desk: Desk) -> None:
    made = desk.emulator.create_sign_in_token(desk.ada)
    desk.now += 1
    revoked = desk.emulator.revoke_sign_in_token(made["id"])
    assert revoked == {**made, "status": "revoked", "updated_at": MS + 1000}
    assert code_of(lambda: desk.emulator.redeem_ticket(made["token"])) == REVOKED


def test_only_what_is_pending_can_be_revoked(desk: Desk) -> None:
    revoked, used, expired = (desk.emulator.create_sign_in_token(desk.ada) for _ in range(3))
    desk.emulator.revoke_sign_in_token(revoked["id"])
    desk.emulator.redeem_ticket(used["token"])
    for made in (revoked, used):
        assert code_of(partial(desk.emulator.revoke_sign_in_token, made["id"])) == LOCKED_UP
    assert desk.emulator.sign_in_token(used["id"])["status"] == "accepted"
    desk.now += 31 * 86400
    assert desk.emulator.revoke_sign_in_token(expired["id"])["status"] == "revoked"


@pytest.mark.parametrize("ticket", ["", "tkt_x", "é", "\ud800", "\0", "x" * 100_000, "a.b.c"])
def test_what_is_no_ticket_is_refused(desk: Desk, ticket: str) -> None:
    desk.ticket()
    assert code_of(lambda: desk.emulator.redeem_ticket(ticket)) == INVALID


def test_nothing_but_the_ticket_itself_is_one(desk: Desk) -> None:
    made = desk.emulator.create_sign_in_token(desk.ada)
    near = [made["id"], made["token"][:-1], made["token"] + "x", made["token"].upper(), desk.ada]
    for ticket in near:
        assert code_of(partial(desk.emulator.redeem_ticket, ticket)) == INVALID
    assert code_of(lambda: Emulator().redeem_ticket(made["token"])) == INVALID
    assert desk.emulator.redeem_ticket(made["token"]) == desk.ada


def test_a_user_who_was_deleted_has_no_tickets(desk: Desk) -> None:
    made = desk.emulator.create_sign_in_token(desk.ada)
    grace = desk.emulator.create_user(id="user_grace")
    other = desk.emulator.create_sign_in_token(grace["id"])
    desk.emulator.delete_user(desk.ada)
    assert code_of(lambda: desk.emulator.redeem_ticket(made["token"])) == INVALID
    with pytest.raises(NotFound):
        desk.emulator.sign_in_token(made["id"])
    desk.emulator.create_user(id=desk.ada)  # somebody else, whose id is the same
    assert code_of(lambda: desk.emulator.redeem_ticket(made["token"])) == INVALID
    assert desk.emulator.redeem_ticket(other["token"]) == grace["id"]


@pytest.mark.parametrize("unknown", ["", "user_x", "\0"])
def test_nobody_has_no_ticket(desk: Desk, unknown: str) -> None:
    for attempt in (
        lambda: desk.emulator.create_sign_in_token(unknown),
        lambda: desk.emulator.sign_in_token(unknown),
        lambda: desk.emulator.revoke_sign_in_token(unknown),
        lambda: desk.ticket(organization_id=unknown),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_tickets_survive_a_restart(tmp_path: Path) -> None:
    before = Desk(state=tmp_path / "state.sqlite3")
    ticket = before.ticket()
    before.emulator.close()
    after = Desk(state=tmp_path / "state.sqlite3")
    assert after.emulator.redeem_ticket(ticket) == before.ada
    assert code_of(lambda: after.emulator.redeem_ticket(ticket)) == USED


# Signing in with one


def test_a_ticket_signs_a_client_in(desk: Desk) -> None:
    client = desk.emulator.create_client()
    session = desk.sign_ins.redeem(client["id"], desk.ticket())
    assert (session["user_id"], session["client_id"]) == (desk.ada, client["id"])
    assert desk.emulator.client(client["id"])["last_active_session_id"] == session["id"]
    assert desk.emulator.user(desk.ada)["last_sign_in_at"] == MS
    elsewhere = desk.sign_ins.redeem(None, desk.ticket())
    assert elsewhere["client_id"] != client["id"]


def test_a_session_of_a_ticket_takes_the_place_of_the_one_before(desk: Desk) -> None:
    client = desk.emulator.create_client()
    first, second = (desk.sign_ins.redeem(client["id"], desk.ticket()) for _ in range(2))
    assert desk.emulator.session(first["id"])["status"] == "replaced"
    assert desk.emulator.client(client["id"])["session_ids"] == [second["id"]]


def test_a_ticket_may_name_an_organization(desk: Desk) -> None:
    acme = desk.emulator.create_organization("Acme")
    desk.emulator.add_member(acme["id"], desk.ada)
    first, second = (desk.ticket(organization_id=acme["id"]) for _ in range(2))
    session = desk.sign_ins.redeem(None, first)
    assert session["last_active_organization_id"] == acme["id"]
    assert desk.sign_ins.redeem(None, desk.ticket())["last_active_organization_id"] is None
    desk.emulator.delete_organization(acme["id"])
    assert desk.sign_ins.redeem(None, second)["last_active_organization_id"] is None


@pytest.mark.parametrize("state", ["banned", "locked"])
def test_a_user_who_may_not_sign_in_keeps_the_ticket(desk: Desk, state: str) -> None:
    ticket = desk.ticket()
    desk.emulator.update_user(desk.ada, **{state: True})
    before = len(desk.emulator.sessions())
    for _ in range(2):
        assert code_of(lambda: desk.sign_ins.redeem(None, ticket), 403) == "user_locked"
    assert len(desk.emulator.sessions()) == before
    desk.emulator.update_user(desk.ada, **{state: False})
    assert desk.sign_ins.redeem(None, ticket)["user_id"] == desk.ada


def test_a_client_that_is_unknown_uses_no_ticket_up(desk: Desk) -> None:
    ticket = desk.ticket()
    with pytest.raises(NotFound):
        desk.sign_ins.redeem("client_x", ticket)
    assert desk.emulator.redeem_ticket(ticket) == desk.ada


def test_of_many_who_sign_in_with_a_ticket_at_once_one_does(desk: Desk) -> None:
    ticket = desk.ticket()
    before = len(desk.emulator.sessions())
    together = Barrier(16)

    def sign_in(_: int) -> str:
        together.wait(10)
        try:
            return str(desk.sign_ins.redeem(None, ticket)["status"])
        except Refusal as refusal:
            return str(refusal.entry["code"])

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(sign_in, range(16)))
    assert sorted(answers) == ["active", *[USED] * 15]
    assert len(desk.emulator.sessions()) == before + 1


# Signing in without one


def test_a_user_is_found_by_address_and_by_name(desk: Desk) -> None:
    grace = desk.emulator.create_user(username="Grace", email_address="g@example.com")
    for identifier in ("Grace", "grace", " GRACE\n", "g@example.com", "G@EXAMPLE.COM"):
        assert desk.sign_ins.find_user(identifier) == grace


@pytest.mark.parametrize("identifier", ["", " ", "nobody", "ada", "ada@example", "user_x", "\0"])
def test_who_is_unknown_is_told_so(desk: Desk, identifier: str) -> None:
    code = code_of(lambda: desk.sign_ins.find_user(identifier), 422)
    assert code == "form_identifier_not_found"


@pytest.mark.parametrize("password", ["", "x", "analytical-engine-184", "ANALYTICAL-ENGINE-1843"])
def test_a_wrong_password_is_refused(desk: Desk, password: str) -> None:
    user = desk.sign_ins.find_user("ada@example.com")
    code = code_of(lambda: desk.sign_ins.check_password(user, password), 422)
    assert code == "form_password_incorrect"


def test_a_session_of_another_client_cannot_be_chosen(desk: Desk) -> None:
    mine, other = (desk.emulator.create_session(desk.ada) for _ in range(2))
    client_id = mine["client_id"]
    for session_id in (other["id"], "sess_x", ""):
        code = code_of(partial(desk.sign_ins.choose, client_id, session_id), 422)
        assert code == "session_not_found"
    desk.sign_ins.sign_out(client_id)
    assert desk.emulator.session(mine["id"])["status"] == "removed"
    assert desk.emulator.session(other["id"])["status"] == "active"
    assert code_of(lambda: desk.sign_ins.choose(client_id, mine["id"]), 422) == "session_not_found"


# The Backend API


def test_a_sign_in_token_is_created_and_revoked(clerk: Asker, user_id: str) -> None:
    made = found(clerk.post("/v1/sign_in_tokens", user_id=user_id))
    assert made == clerk.emulator.sign_in_token(made["id"])
    assert (made["user_id"], made["status"]) == (user_id, "pending")
    path = f"/v1/sign_in_tokens/{made['id']}/revoke"
    revoked = found(clerk.ask("POST", path))
    assert revoked == {**made, "status": "revoked", "updated_at": revoked["updated_at"]}
    error = refused(clerk.ask("POST", path), 400, LOCKED_UP)
    assert "Its status is revoked." in error["long_message"]


@pytest.mark.parametrize(
    ("said", "lifetime"),
    [(None, 30 * 86400), (1, 1), (60, 60), ("60", 60), (315_360_000, 315_360_000)],
)
def test_how_long_a_sign_in_token_lives_can_be_said(said: Any, lifetime: int) -> None:
    clock = FrozenClock(NOW)
    with asking(clock=clock) as clerk:
        [user] = clerk.emulator.users()
        answer = clerk.post("/v1/sign_in_tokens", user_id=user["id"], expires_in_seconds=said)
        ticket = found(answer)["token"]
        clock.tick(lifetime)
        assert code_of(lambda: clerk.emulator.redeem_ticket(ticket)) == EXPIRED
        clock.now -= 0.001
        assert clerk.emulator.redeem_ticket(ticket) == user["id"]


def test_a_sign_in_token_for_an_organization_is_for_its_members(clerk: Asker, user_id: str) -> None:
    acme = clerk.emulator.create_organization("Acme")
    body = {"user_id": user_id, "org_id": acme["id"]}
    answer = clerk.ask("POST", "/v1/sign_in_tokens", json=body)
    refused(answer, 404, "organization_not_found_or_unauthorized")
    clerk.emulator.add_member(acme["id"], user_id)
    ticket = found(clerk.ask("POST", "/v1/sign_in_tokens", json=body))["token"]
    session = SignIns(clerk.emulator).redeem(None, ticket)
    assert session["last_active_organization_id"] == acme["id"]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "form_param_missing", "user_id"),
        ({"user_id": None}, "form_param_missing", "user_id"),
        ({"user_id": 1}, "form_param_type_invalid", "user_id"),
        ({"user_id": ["user_x"]}, "form_param_type_invalid", "user_id"),
        ({"user_id": "user_x", "org_id": 1}, "form_param_type_invalid", "org_id"),
        ({"user_id": "x", "expires_in_seconds": 0}, "form_param_value_invalid", None),
        ({"user_id": "x", "expires_in_seconds": -1}, "form_param_value_invalid", None),
        ({"user_id": "x", "expires_in_seconds": 315_360_001}, "form_param_value_invalid", None),
        ({"user_id": "x", "expires_in_seconds": 1.5}, "form_param_type_invalid", None),
        ({"user_id": "x", "expires_in_seconds": True}, "form_param_type_invalid", None),
        ({"user_id": "x", "expires_in_seconds": "soon"}, "form_param_type_invalid", None),
        ({"user_id": "x", "token": "tkt_x"}, "form_param_unknown", "token"),
        ({"user_id": "x", "organization_id": "org_x"}, "form_param_unknown", "organization_id"),
    ],
)
def test_a_bad_sign_in_token_is_not_created(
    clerk: Asker, body: dict[str, Any], code: str, param: str | None
) -> None:
    answer = clerk.ask("POST", "/v1/sign_in_tokens", json=body)
    refused(answer, 422, code, param or "expires_in_seconds")


@pytest.mark.parametrize("unknown", ["user_x", "", "org_x", "\0", "é"])
def test_an_unknown_user_gets_no_sign_in_token(clerk: Asker, unknown: str) -> None:
    error = refused(clerk.post("/v1/sign_in_tokens", user_id=unknown), 404, "resource_not_found")
    assert error["long_message"] == f"No user was found with id {unknown}"


@pytest.mark.parametrize("unknown", ["sit_x", "user_x", "%00", "%ff"])
def test_an_unknown_sign_in_token_is_not_found(clerk: Asker, unknown: str) -> None:
    answer = clerk.ask("POST", f"/v1/sign_in_tokens/{unknown}/revoke")
    refused(answer, 404, "resource_not_found")


def test_revoking_takes_no_parameters(clerk: Asker, user_id: str) -> None:
    made = clerk.emulator.create_sign_in_token(user_id)
    answer = clerk.post(f"/v1/sign_in_tokens/{made['id']}/revoke", reason="because")
    refused(answer, 422, "form_param_unknown", "reason")
    assert clerk.emulator.sign_in_token(made["id"]) == made


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/sign_in_tokens", "POST"),
        ("GET", "/v1/sign_in_tokens/sit_x/revoke", "POST"),
        ("GET", "/v1/testing_tokens", "POST"),
    ],
)
def test_other_methods_are_refused(clerk: Asker, method: str, path: str, allow: str) -> None:
    answer = clerk.ask(method, path)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize("path", ["/v1/sign_in_tokens", "/v1/testing_tokens"])
@pytest.mark.parametrize("key", ["sk_test_wrong", ""])
def test_without_the_key_nobody_gets_a_token(clerk: Asker, path: str, key: str) -> None:
    answer = clerk.ask("POST", path, key=key, json={})
    assert answer.status_code == 401
    assert "token" not in answer.json()


def test_a_testing_token_is_good_for_an_hour_in_seconds() -> None:
    with asking(clock=lambda: NOW + 0.9) as clerk:
        first, second = (found(clerk.ask("POST", "/v1/testing_tokens")) for _ in range(2))
    assert first == {
        "object": "testing_token",
        "token": first["token"],
        "expires_at": 1_700_003_600,
    }
    assert re.fullmatch("1700000000-c_[A-Za-z0-9_-]{43}", first["token"])
    assert first["token"] != second["token"]


def test_a_testing_token_takes_no_parameters(clerk: Asker) -> None:
    answer = clerk.post("/v1/testing_tokens", expires_in_seconds=60)
    refused(answer, 422, "form_param_unknown", "expires_in_seconds")
