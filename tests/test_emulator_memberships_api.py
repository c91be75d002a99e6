"""The local Clerk's Backend API of memberships: who is in an organization, and with which role."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi.testing import FrozenClock

from .asking import WAYS, Asker, asking, found, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_700_000_000.0
MS = 1_700_000_000_000
ROOT = "/v1/organizations/org_acme/memberships"


@pytest.fixture(params=WAYS)
def clerk(request: pytest.FixtureRequest) -> Iterator[Asker]:
    """A local Clerk of the test's own, with Ada, Grace, and an organization that Ada is in."""
    with asking(request.param) as asker:
        found_company(asker)
        yield asker


@pytest.fixture(scope="module")
def shared() -> Iterator[Asker]:
    """The same, for tests that leave no trace in it."""
    with asking("http") as asker:
        found_company(asker)
        yield asker


def found_company(asker: Asker) -> None:
    emulator = asker.emulator
    emulator.create_user(id="user_ada", first_name="Ada", email_address="ada@acme.test")
    emulator.create_user(id="user_grace", username="Grace")
    emulator.create_organization("Acme", id="org_acme")
    emulator.create_role("org:captain", ["org:ships:steer"])
    emulator.add_member("org_acme", "user_ada", "org:admin")


@pytest.fixture(scope="module")
def crew() -> Iterator[Asker]:
    """A local Clerk with a crew of three, who signed on a second apart, and a stowaway."""
    clock = FrozenClock(NOW)
    with asking(clock=clock) as asker:
        emulator = asker.emulator
        acme = emulator.create_organization("Acme", id="org_acme")
        for name in ("zoe", "bob", "mia"):
            clock.tick(1)
            emulator.create_user(
                id=f"user_{name}",
                first_name=name.title(),
                username=f"{name}_on_board",
                email_address=f"{name}@{'ship' if name == 'zoe' else 'sea'}.test",
            )
        for name, role in (("mia", "org:member"), ("zoe", "org:admin"), ("bob", "org:member")):
            clock.tick(1)
            emulator.add_member(acme["id"], f"user_{name}", role)
        emulator.create_user(id="user_stowaway", first_name="Bob")
        yield asker


# Lists


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "bob zoe mia"),
        ("limit=1", "bob"),
        ("limit=1&offset=2", "mia"),
        ("offset=3", ""),
        ("order_by=created_at", "mia zoe bob"),
        ("order_by=-created_at", "bob zoe mia"),
        ("order_by=first_name", "bob mia zoe"),
        ("order_by=-username", "zoe mia bob"),
        ("order_by=email_address", "bob mia zoe"),
        ("order_by=%2Blast_name", "mia zoe bob"),
        ("order_by=-phone_number", "bob zoe mia"),
        ("role=org:admin", "zoe"),
        ("role=org:member&role=org:admin", "bob zoe mia"),
        ("role=admin", ""),
        ("role=org:captain", ""),
        ("user_id=user_mia", "mia"),
        ("user_id=-user_mia", "bob zoe"),
        ("user_id=user_stowaway", ""),
        ("user_id=user_mia&role=org:admin", ""),
        ("email_address=ZOE@ship.test", "zoe"),
        ("username=bob_on_board", "bob"),
        ("query=on_board", "bob zoe mia"),
        ("query=BOB", "bob"),
        ("query=nobody", ""),
        ("email_address_query=sea", "bob mia"),
        ("username_query=mia", "mia"),
        ("name_query=zo", "zoe"),
        (f"created_at_before={MS + 2000}", "zoe"),
        (f"created_at_after={MS + 1000}", "bob mia"),
        ("colour=blue", "bob zoe mia"),
    ],
)
def test_members_are_found_by_filters_that_all_hold(crew: Asker, query: str, expected: str) -> None:
    page = found(crew.ask("GET", f"{ROOT}?{query}"))
    ids = [one["public_user_data"]["user_id"] for one in page["data"]]
    assert ids == [f"user_{name}" for name in expected.split()]


def test_a_list_says_how_many_there_are(crew: Asker) -> None:
    page = found(crew.get(ROOT, limit=1))
    bob = crew.emulator.membership("org_acme", "user_bob")
    assert page == {"data": [crew.emulator.shown_membership(bob)], "total_count": 3}
    assert found(crew.get("/v1/organizations/acme/memberships", limit=1)) == page


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("limit=0", "form_param_value_invalid", "limit"),
        ("offset=x", "form_param_type_invalid", "offset"),
        ("order_by=role", "form_param_value_invalid", "order_by"),
        ("order_by=last_active_at", "form_param_value_invalid", "order_by"),
        ("role=x&" * 101, "form_param_duplicate", "role"),
        ("user_id=x&" * 101, "form_param_duplicate", "user_id"),
        ("query=a&query=b", "form_param_duplicate", "query"),
        ("created_at_after=now", "form_param_invalid_date", "created_at_after"),
    ],
)
def test_a_bad_query_is_refused(crew: Asker, query: str, code: str, param: str) -> None:
    refused(crew.ask("GET", f"{ROOT}?{query}"), 422, code, param)


def test_the_organizations_of_a_user_are_listed_newest_first(clerk: Asker) -> None:
    emulator = clerk.emulator
    made = [emulator.membership("org_acme", "user_ada")]
    for name in ("Navy", "Pirates"):
        organization = emulator.create_organization(name)
        made.append(emulator.add_member(organization["id"], "user_ada"))
        emulator.add_member(organization["id"], "user_grace")
    shown = [emulator.shown_membership(one) for one in made[::-1]]
    path = "/v1/users/user_ada/organization_memberships"
    assert found(clerk.get(path)) == {"data": shown, "total_count": 3}
    assert found(clerk.get(path, limit=1, offset=2)) == {"data": shown[2:], "total_count": 3}


def test_who_is_in_no_organization_has_an_empty_list(shared: Asker) -> None:
    answer = shared.get("/v1/users/user_grace/organization_memberships")
    assert found(answer) == {"data": [], "total_count": 0}


@pytest.mark.parametrize("unknown", ["user_x", "org_acme", "%00"])
def test_an_unknown_user_has_no_list(shared: Asker, unknown: str) -> None:
    answer = shared.get(f"/v1/users/{unknown}/organization_memberships")
    refused(answer, 404, "resource_not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "offset=-1"])
def test_a_bad_part_of_a_users_list_is_refused(shared: Asker, query: str) -> None:
    answer = shared.ask("GET", f"/v1/users/user_ada/organization_memberships?{query}")
    refused(answer, 422, "form_param_value_invalid")


# Users by organization


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("organization_id=org_acme", "bob mia zoe"),
        ("organization_id=%2Borg_acme", "bob mia zoe"),
        ("organization_id=-org_acme&user_id=-user_x", "ada stowaway"),
        ("organization_id=org_acme&query=zo", "zoe"),
        ("organization_id=org_acme&organization_id=org_x", "bob mia zoe"),
        ("organization_id=org_acme&organization_id=-org_acme", ""),
        ("organization_id=org_x", ""),
        ("organization_id=acme", ""),
    ],
)
def test_users_are_found_by_organization(crew: Asker, query: str, expected: str) -> None:
    users = found(crew.ask("GET", f"/v1/users?{query}"))
    names = sorted("ada" if one["last_name"] else one["id"][5:] for one in users)
    assert names == expected.split()
    count = found(crew.ask("GET", f"/v1/users/count?{query}"))["total_count"]
    assert count == len(users)


# Joining


def test_a_user_becomes_a_member(clerk: Asker) -> None:
    said = {"public_metadata": {"a": 1}, "private_metadata": {"p": [2]}}
    body = {"user_id": "user_grace", "role": "org:captain", **said}
    made = found(clerk.ask("POST", ROOT, json=body))
    kept = clerk.emulator.membership("org_acme", "user_grace")
    assert made == clerk.emulator.shown_membership(kept)
    assert (made["role"], made["role_name"]) == ("org:captain", "Captain")
    assert made["permissions"] == ["org:ships:steer"]
    assert {name: made[name] for name in said} == said
    assert made["organization"]["members_count"] == 2
    assert made["public_user_data"]["identifier"] == "Grace"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "form_param_missing", "user_id"),
        ({"user_id": "user_grace"}, "form_param_missing", "role"),
        ({"role": "org:member"}, "form_param_missing", "user_id"),
        ({"user_id": None, "role": "org:member"}, "form_param_missing", "user_id"),
        ({"user_id": 1, "role": "org:member"}, "form_param_type_invalid", "user_id"),
        ({"user_id": "user_grace", "role": ["org:member"]}, "form_param_type_invalid", "role"),
        (
            {"user_id": "user_grace", "role": "org:member", "public_metadata": 1},
            "form_param_type_invalid",
            "public_metadata",
        ),
        (
            {"user_id": "user_grace", "role": "org:member", "permissions": ["org:a:b"]},
            "form_param_unknown",
            "permissions",
        ),
    ],
)
def test_what_cannot_be_meant_makes_no_member(
    shared: Asker, body: dict[str, Any], code: str, param: str
) -> None:
    refused(shared.ask("POST", ROOT, json=body), 422, code, param)
    assert len(shared.emulator.memberships()) == 1


@pytest.mark.parametrize(
    ("user_id", "role", "text"),
    [
        ("user_x", "org:member", "No user was found with id user_x"),
        ("", "org:member", "No user was found with id "),
        ("user_grace", "org:stranger", "Organization role not found"),
        ("user_grace", "admin", "Organization role not found"),
        ("user_grace", "", "Organization role not found"),
    ],
)
def test_an_unknown_user_or_role_makes_no_member(
    shared: Asker, user_id: str, role: str, text: str
) -> None:
    error = refused(shared.post(ROOT, user_id=user_id, role=role), 404, "resource_not_found")
    assert error["long_message"] == text
    assert error.get("meta") == ({"param_name": "role"} if "role" in text else None)
    assert len(shared.emulator.memberships()) == 1


def test_nobody_becomes_a_member_twice(shared: Asker) -> None:
    before = shared.emulator.memberships()
    answer = shared.post(ROOT, user_id="user_ada", role="org:member")
    error = refused(answer, 400, "already_a_member_in_organization")
    assert error["long_message"] == "User user_ada is already a member of the organization."
    assert shared.emulator.memberships() == before


@pytest.mark.parametrize(("limit", "room"), [(0, True), (1, False), (2, True)])
def test_an_organization_takes_as_many_members_as_it_may(
    clerk: Asker, limit: int, room: bool
) -> None:
    clerk.emulator.update_organization("org_acme", max_allowed_memberships=limit)
    answer = clerk.post(ROOT, user_id="user_grace", role="org:member")
    if room:
        found(answer)
    else:
        error = refused(answer, 403, "organization_membership_quota_exceeded")
        assert "limit of 1 organization memberships" in error["long_message"]
        assert len(clerk.emulator.memberships()) == 1


def test_of_many_who_want_the_last_place_one_gets_it(clerk: Asker) -> None:
    clerk.emulator.update_organization("org_acme", max_allowed_memberships=2)
    users = [clerk.emulator.create_user()["id"] for _ in range(8)]

    def join(user_id: str) -> int:
        return clerk.post(ROOT, user_id=user_id, role="org:member").status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(join, users)) == [200, *[403] * 7]
    assert len(clerk.emulator.memberships()) == 2


# Being one, and leaving


def test_a_member_gets_another_role(clerk: Asker) -> None:
    before = clerk.emulator.shown_membership(clerk.emulator.membership("org_acme", "user_ada"))
    changed = found(clerk.patch(f"{ROOT}/user_ada", role="org:captain"))
    assert changed == {
        **before,
        "role": "org:captain",
        "role_name": "Captain",
        "permissions": ["org:ships:steer"],
        "updated_at": changed["updated_at"],
    }
    assert clerk.emulator.membership("org_acme", "user_ada")["role"] == "org:captain"


def test_the_metadata_of_a_membership_are_merged(clerk: Asker) -> None:
    path = f"{ROOT}/user_ada/metadata"
    clerk.patch(path, public_metadata={"a": 1, "b": {"c": 2}}, private_metadata={"p": 1})
    changed = found(clerk.patch(path, public_metadata={"a": None, "b": {"d": 3}}))
    assert changed["public_metadata"] == {"b": {"c": 2, "d": 3}}
    assert changed["private_metadata"] == {"p": 1}
    assert found(clerk.patch(path))["public_metadata"] == {"b": {"c": 2, "d": 3}}


def test_a_member_leaves(clerk: Asker) -> None:
    before = clerk.emulator.shown_membership(clerk.emulator.membership("org_acme", "user_ada"))
    assert found(clerk.delete(f"{ROOT}/user_ada")) == before
    assert clerk.emulator.memberships() == []
    refused(clerk.delete(f"{ROOT}/user_ada"), 404, "resource_not_found")


def test_the_token_of_who_left_names_the_organization_no_more(clerk: Asker) -> None:
    session = clerk.emulator.create_session("user_ada")
    clerk.emulator.activate_organization(session["id"], "org_acme")
    found(clerk.delete(f"{ROOT}/user_ada"))
    answer = found(clerk.get(f"/v1/sessions/{session['id']}"))
    assert answer["last_active_organization_id"] is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "{}", {"role": "org:member"}),
        ("DELETE", "{}", None),
        ("PATCH", "{}/metadata", {"public_metadata": {}}),
    ],
)
@pytest.mark.parametrize("who", ["user_grace", "user_x", "%00", "%ff"])
def test_who_is_no_member_is_not_found(
    shared: Asker, method: str, path: str, body: Any, who: str
) -> None:
    answer = shared.ask(method, f"{ROOT}/{path.format(who)}", json=body)
    error = refused(answer, 404, "resource_not_found")
    assert "is not a member of the organization" in error["long_message"]


@pytest.mark.parametrize("role", ["org:stranger", "member", ""])
def test_an_unknown_role_changes_nothing(shared: Asker, role: str) -> None:
    refused(shared.patch(f"{ROOT}/user_ada", role=role), 404, "resource_not_found", "role")
    assert shared.emulator.membership("org_acme", "user_ada")["role"] == "org:admin"


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("user_ada", {}, "form_param_missing", "role"),
        ("user_ada", {"role": None}, "form_param_missing", "role"),
        ("user_ada", {"role": 1}, "form_param_type_invalid", "role"),
        ("user_ada", {"role": "org:member", "user_id": "x"}, "form_param_unknown", "user_id"),
        ("user_ada/metadata", {"role": "org:member"}, "form_param_unknown", "role"),
        ("user_ada/metadata", {"public_metadata": 1}, "form_param_type_invalid", "public_metadata"),
    ],
)
def test_a_bad_change_changes_nothing(
    shared: Asker, path: str, body: dict[str, Any], code: str, param: str
) -> None:
    before = shared.emulator.memberships()
    refused(shared.ask("PATCH", f"{ROOT}/{path}", json=body), 422, code, param)
    assert shared.emulator.memberships() == before


def test_leaving_takes_no_parameters(shared: Asker) -> None:
    answer = shared.ask("DELETE", f"{ROOT}/user_ada", json={"reason": "tired"})
    refused(answer, 422, "form_param_unknown", "reason")
    assert len(shared.emulator.memberships()) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ROOT),
        ("POST", ROOT),
        ("PATCH", f"{ROOT}/user_ada"),
        ("DELETE", f"{ROOT}/user_ada"),
        ("PATCH", f"{ROOT}/user_ada/metadata"),
        ("GET", "/v1/users/user_ada/organization_memberships"),
    ],
)
def test_nothing_is_told_or_done_without_the_key(shared: Asker, method: str, path: str) -> None:
    before = shared.emulator.memberships()
    body = {"user_id": "user_grace", "role": "org:member"}
    refused(shared.ask(method, path, key="sk_test_x", json=body), 401, "clerk_key_invalid")
    assert shared.emulator.memberships() == before
