"""The local Clerk's Backend API of organizations: finding, creating, changing, deleting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi.emulator.backend.organization_parameters import merged

from .asking import JSON, WAYS, Asker, asking, found, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_700_000_000.0
MS = 1_700_000_000_000
ROOT = "/v1/organizations"


@pytest.fixture(params=WAYS)
def clerk(request: pytest.FixtureRequest) -> Iterator[Asker]:
    """A local Clerk of the test's own, in which Ada is."""
    with asking(request.param) as asker:
        yield asker


@pytest.fixture(scope="module")
def shared() -> Iterator[Asker]:
    """A local Clerk with one organization, for tests that leave no trace in it."""
    with asking("http") as asker:
        asker.emulator.create_organization("Acme", id="org_acme", public_metadata={"a": 1})
        yield asker


@pytest.fixture(scope="module")
def navies() -> Iterator[Asker]:
    """A local Clerk with three organizations, made a second apart, and members in two of them."""
    now = [NOW]
    with asking(clock=lambda: now[0]) as asker:
        emulator = asker.emulator
        for name in ("ada", "grace", "alan"):
            emulator.create_user(id=f"user_{name}")
        for slug, name, members in (
            ("royal-navy", "Royal Navy", ["user_ada", "user_grace"]),
            ("pirates", "Buccaneers", ["user_grace"]),
            ("empty", "Ghost Ship", []),
        ):
            now[0] += 1
            made = emulator.create_organization(name, slug=slug, id=f"org_{slug}")
            for member in members:
                emulator.add_member(made["id"], member)
        yield asker


def one_of(clerk: Asker, **fields: Any) -> dict[str, Any]:
    return dict(found(clerk.post(ROOT, name="Acme", **fields)))


def kept(clerk: Asker, organization_id: str) -> dict[str, Any]:
    """An organization as it is kept, without the count that is only told on request."""
    known = clerk.emulator.organization(organization_id)
    del known["members_count"]
    return known


# Lists


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "empty pirates royal-navy"),
        ("limit=1", "empty"),
        ("limit=1&offset=1", "pirates"),
        ("offset=3", ""),
        ("order_by=created_at", "royal-navy pirates empty"),
        ("order_by=%2Bcreated_at", "royal-navy pirates empty"),
        ("order_by=-created_at", "empty pirates royal-navy"),
        ("order_by=", "empty pirates royal-navy"),
        ("order_by=name", "pirates empty royal-navy"),
        ("order_by=-name", "royal-navy empty pirates"),
        ("order_by=members_count", "empty pirates royal-navy"),
        ("order_by=-members_count", "royal-navy pirates empty"),
        ("query=org_pirates", "pirates"),
        ("query=org_pirate", ""),
        ("query=ORG_PIRATES", ""),
        ("query=NAVY", "royal-navy"),
        ("query=bucc", "pirates"),
        ("query=pirate", "pirates"),
        ("query=e", "empty pirates"),
        ("query=nobody", ""),
        ("query=", "empty pirates royal-navy"),
        ("user_id=user_grace", "pirates royal-navy"),
        ("user_id=user_ada", "royal-navy"),
        ("user_id=user_ada&user_id=user_grace", "pirates royal-navy"),
        ("user_id=%2Buser_ada", "royal-navy"),
        ("user_id=-user_ada", "empty pirates"),
        ("user_id=user_grace&user_id=-user_ada", "pirates"),
        ("user_id=user_alan", ""),
        ("user_id=user_x", ""),
        ("user_id=-user_x", "empty pirates royal-navy"),
        ("organization_id=org_empty", "empty"),
        ("organization_id=org_empty&organization_id=org_pirates", "empty pirates"),
        ("organization_id=-org_empty", "pirates royal-navy"),
        ("organization_id=org_x", ""),
        ("organization_id=pirates", ""),
        ("organization_id=org_pirates&user_id=user_ada", ""),
        ("colour=blue", "empty pirates royal-navy"),
    ],
)
def test_organizations_are_found_by_filters_that_all_hold(
    navies: Asker, query: str, expected: str
) -> None:
    page = found(navies.ask("GET", f"{ROOT}?{query}"))
    assert [one["slug"] for one in page["data"]] == expected.split()


def test_a_list_says_how_many_there_are(navies: Asker) -> None:
    page = found(navies.ask("GET", f"{ROOT}?limit=1&user_id=user_grace"))
    assert page == {"data": [kept(navies, "org_pirates")], "total_count": 2}


def test_a_page_is_ten_unless_asked_for_more() -> None:
    with asking() as clerk:
        for number in range(12):
            clerk.emulator.create_organization(f"Ship {number}")
        assert len(found(clerk.get(ROOT))["data"]) == 10
        assert len(found(clerk.get(ROOT, limit=500))["data"]) == 12


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("limit=0", "form_param_value_invalid", "limit"),
        ("limit=501", "form_param_value_invalid", "limit"),
        ("limit=x", "form_param_type_invalid", "limit"),
        ("offset=-1", "form_param_value_invalid", "offset"),
        ("order_by=slug", "form_param_value_invalid", "order_by"),
        ("order_by=-", "form_param_value_invalid", "order_by"),
        ("query=a&query=b", "form_param_duplicate", "query"),
        ("user_id=x&" * 101, "form_param_duplicate", "user_id"),
        ("organization_id=x&" * 101, "form_param_duplicate", "organization_id"),
        ("include_members_count=yes", "form_param_value_invalid", "include_members_count"),
        ("include_members_count=1&query=x", "form_param_value_invalid", "include_members_count"),
    ],
)
def test_a_bad_query_is_refused(navies: Asker, query: str, code: str, param: str) -> None:
    refused(navies.ask("GET", f"{ROOT}?{query}"), 422, code, param)


# One organization


def test_an_organization_is_found_by_id_and_by_slug(navies: Asker) -> None:
    for name in ("org_royal-navy", "royal-navy"):
        assert found(navies.get(f"{ROOT}/{name}")) == kept(navies, "org_royal-navy")


def test_how_many_members_there_are_is_told_on_request(navies: Asker) -> None:
    for path in (f"{ROOT}/royal-navy", f"{ROOT}?query=royal"):
        for flag, count in (("true", 2), ("false", None)):
            query = {"include_members_count": flag}
            answer = found(navies.ask("GET", path, params=query))
            [organization] = answer.get("data", [answer])
            assert organization.get("members_count") == count


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ROOT + "/{}"),
        ("PATCH", ROOT + "/{}"),
        ("DELETE", ROOT + "/{}"),
        ("PUT", ROOT + "/{}/metadata"),
        ("PATCH", ROOT + "/{}/metadata"),
        ("GET", ROOT + "/{}/memberships"),
    ],
)
@pytest.mark.parametrize("unknown", ["org_x", "user_x", "ACME", "%00", "%ff", "a%20b"])
def test_an_unknown_organization_is_not_found(
    shared: Asker, method: str, path: str, unknown: str
) -> None:
    error = refused(shared.ask(method, path.format(unknown)), 404, "resource_not_found")
    assert error["message"] == "not found"
    assert error["long_message"] == "Given organization not found."


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", ROOT, "GET, POST"),
        ("POST", f"{ROOT}/org_x", "DELETE, GET, PATCH"),
        ("GET", f"{ROOT}/org_x/metadata", "PATCH, PUT"),
        ("PUT", f"{ROOT}/org_x/memberships", "GET, POST"),
        ("GET", f"{ROOT}/org_x/memberships/user_x", "DELETE, PATCH"),
        ("POST", "/v1/users/user_x/organization_memberships", "GET"),
    ],
)
def test_other_methods_are_refused(shared: Asker, method: str, path: str, allow: str) -> None:
    answer = shared.ask(method, path)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ROOT),
        ("POST", ROOT),
        ("GET", f"{ROOT}/org_acme"),
        ("PATCH", f"{ROOT}/org_acme"),
        ("DELETE", f"{ROOT}/org_acme"),
        ("PUT", f"{ROOT}/org_acme/metadata"),
        ("PATCH", f"{ROOT}/org_acme/metadata"),
        ("GET", f"{ROOT}/org_acme/memberships"),
        ("POST", f"{ROOT}/org_acme/memberships"),
    ],
)
def test_nothing_is_told_or_done_without_the_key(shared: Asker, method: str, path: str) -> None:
    before = shared.emulator.organizations()
    answer = shared.ask(method, path, key="sk_test_wrong", json={"name": "Pirates"})
    refused(answer, 401, "clerk_key_invalid")
    assert shared.emulator.organizations() == before


# Creating


def test_an_organization_is_created_with_all_that_was_said(clerk: Asker) -> None:
    said = {
        "name": "Royal Navy",
        "slug": "royal-navy",
        "max_allowed_memberships": 2,
        "public_metadata": {"ships": ["Victory"]},
        "private_metadata": {"plans": {"a": None}},
    }
    made = found(clerk.post(ROOT, **said, created_at="2001-09-09T01:46:40Z"))
    assert made == kept(clerk, made["id"])
    assert {name: made[name] for name in said} == said
    assert made["created_at"] == 1_000_000_000_000
    assert made["created_by"] is None
    assert clerk.emulator.memberships() == []


def test_a_name_is_enough(clerk: Asker) -> None:
    slugs = [one_of(clerk)["slug"] for _ in range(2)]
    assert slugs == ["acme", "acme-2"]
    nulls = dict.fromkeys(("slug", "created_by", "max_allowed_memberships", "public_metadata"))
    assert one_of(clerk, **nulls)["slug"] == "acme-3"


def test_a_form_creates_an_organization_too(clerk: Asker) -> None:
    made = found(clerk.ask("POST", ROOT, data={"name": "Acme", "slug": "a"}))
    assert (made["name"], made["slug"]) == ("Acme", "a")


def test_who_creates_an_organization_is_its_admin(clerk: Asker) -> None:
    [ada] = clerk.emulator.users()
    made = one_of(clerk, created_by=ada["id"])
    assert made["created_by"] == ada["id"]
    membership = clerk.emulator.membership(made["id"], ada["id"])
    assert membership["role"] == "org:admin"
    assert clerk.emulator.organization(made["id"])["members_count"] == 1


@pytest.mark.parametrize("unknown", ["user_x", "", "\0", "é"])
def test_nobody_creates_no_organization(clerk: Asker, unknown: str) -> None:
    answer = clerk.post(ROOT, name="Acme", created_by=unknown)
    error = refused(answer, 400, "organization_creator_not_found")
    assert error["long_message"] == f"No users found with id {unknown}."
    assert clerk.emulator.organizations() == []


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "form_param_missing", "name"),
        ({"name": None}, "form_param_missing", "name"),
        ({"name": 1}, "form_param_type_invalid", "name"),
        ({"name": ["Acme"]}, "form_param_type_invalid", "name"),
        ({"name": ""}, "form_param_value_invalid", "name"),
        ({"name": " \t"}, "form_param_value_invalid", "name"),
        ({"name": "x" * 257}, "form_param_max_length_exceeded", "name"),
        ({"name": "see https://evil.example"}, "form_param_value_invalid", "name"),
        ({"name": "see www.evil.example"}, "form_param_value_invalid", "name"),
        ({"name": "<b>Acme</b>"}, "form_param_value_invalid", "name"),
        ({"name": "x", "slug": "Acme Inc"}, "form_param_format_invalid", "slug"),
        ({"name": "x", "slug": ""}, "form_param_format_invalid", "slug"),
        ({"name": "x", "slug": "a_b"}, "form_param_format_invalid", "slug"),
        ({"name": "x", "slug": 1}, "form_param_type_invalid", "slug"),
        ({"name": "x", "slug": "acme"}, "form_identifier_exists", "slug"),
        ({"name": "x", "created_by": 1}, "form_param_type_invalid", "created_by"),
        ({"name": "x", "max_allowed_memberships": -1}, "form_param_value_invalid", "max_…"),
        ({"name": "x", "max_allowed_memberships": "5"}, "form_param_type_invalid", "max_…"),
        ({"name": "x", "max_allowed_memberships": True}, "form_param_type_invalid", "max_…"),
        ({"name": "x", "public_metadata": []}, "form_param_type_invalid", "public_metadata"),
        ({"name": "x", "private_metadata": "{}"}, "form_param_type_invalid", "private_metadata"),
        ({"name": "x", "created_at": "yesterday"}, "form_param_invalid_time", "created_at"),
        ({"name": "x", "created_at": 1}, "form_param_type_invalid", "created_at"),
        ({"name": "x", "id": "org_1"}, "form_param_unknown", "id"),
        ({"name": "x", "members_count": 5}, "form_param_unknown", "members_count"),
        ({"name": "x", "admin_delete_enabled": True}, "form_param_unknown", "admin_…"),
    ],
)
def test_what_cannot_be_meant_creates_nothing(
    shared: Asker, body: dict[str, Any], code: str, param: str
) -> None:
    names = {"max_…": "max_allowed_memberships", "admin_…": "admin_delete_enabled"}
    refused(shared.ask("POST", ROOT, json=body), 422, code, names.get(param, param))
    assert len(shared.emulator.organizations()) == 1


def test_what_is_not_there_says_so(shared: Asker) -> None:
    answer = shared.post(ROOT, name="x", role_set_key="role_set:x")
    refused(answer, 403, "feature_not_implemented")


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"name": "\\ud800"}', b"\xff"])
def test_a_body_that_cannot_be_read_is_refused(shared: Asker, body: bytes) -> None:
    answer = shared.ask("POST", ROOT, data=body, headers={"Content-Type": JSON})
    refused(answer, 400, "request_body_invalid")


def test_a_name_may_be_of_256_characters_and_of_any_script(clerk: Asker) -> None:
    for name in ("x" * 256, "東京", "Tom & Jerry's, a < b", "ﷺ"):
        assert found(clerk.post(ROOT, name=name))["name"] == name


# Changing


def test_fields_are_changed_and_the_others_stay(clerk: Asker) -> None:
    before = one_of(clerk, public_metadata={"a": 1})
    path = f"{ROOT}/{before['id']}"
    said = {"name": "Navy", "slug": "navy", "admin_delete_enabled": False}
    changed = found(clerk.patch(path, **said, max_allowed_memberships=0))
    assert changed == {
        **before,
        **said,
        "max_allowed_memberships": 0,
        "updated_at": changed["updated_at"],
    }
    assert changed == kept(clerk, before["id"])
    by_slug = found(clerk.patch(f"{ROOT}/navy", name="Fleet", slug="navy"))
    assert (by_slug["id"], by_slug["name"]) == (before["id"], "Fleet")
    refused(clerk.get(f"{ROOT}/acme"), 404, "resource_not_found")


def test_a_null_changes_nothing(clerk: Asker) -> None:
    before = one_of(clerk, public_metadata={"a": 1})
    nulls = dict.fromkeys(("name", "slug", "public_metadata", "admin_delete_enabled"))
    changed = found(clerk.patch(f"{ROOT}/acme", **nulls))
    assert changed == {**before, "updated_at": changed["updated_at"]}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"name": ""}, "form_param_value_invalid", "name"),
        ({"name": 1}, "form_param_type_invalid", "name"),
        ({"slug": "A"}, "form_param_format_invalid", "slug"),
        ({"slug": "navy"}, "form_identifier_exists", "slug"),
        ({"name": "fine", "slug": "navy"}, "form_identifier_exists", "slug"),
        ({"admin_delete_enabled": "no"}, "form_param_type_invalid", "admin_delete_enabled"),
        ({"public_metadata": 1}, "form_param_type_invalid", "public_metadata"),
        ({"created_by": "user_x"}, "form_param_unknown", "created_by"),
        ({"id": "org_x"}, "form_param_unknown", "id"),
    ],
)
def test_a_bad_change_changes_nothing(
    clerk: Asker, body: dict[str, Any], code: str, param: str
) -> None:
    clerk.emulator.create_organization("Navy")
    before = clerk.emulator.create_organization("Acme")
    refused(clerk.ask("PATCH", f"{ROOT}/acme", json=body), 422, code, param)
    assert clerk.emulator.organization(before["id"]) == before


# Metadata


def test_metadata_are_merged(clerk: Asker) -> None:
    made = one_of(clerk, public_metadata={"a": 1, "b": {"c": 2, "d": 3}}, private_metadata={"p": 1})
    path = f"{ROOT}/{made['id']}/metadata"
    changed = found(clerk.patch(path, public_metadata={"b": {"c": None, "e": [4]}, "f": {}}))
    assert changed["public_metadata"] == {"a": 1, "b": {"d": 3, "e": [4]}, "f": {}}
    assert changed["private_metadata"] == {"p": 1}
    assert changed == kept(clerk, made["id"])


def test_metadata_are_replaced(clerk: Asker) -> None:
    made = one_of(clerk, public_metadata={"a": 1}, private_metadata={"p": 1})
    path = f"{ROOT}/acme/metadata"
    changed = found(clerk.ask("PUT", path, json={"public_metadata": {"b": {"c": None}}}))
    assert changed["public_metadata"] == {"b": {"c": None}}
    assert changed["private_metadata"] == {"p": 1}
    assert found(clerk.ask("PUT", path, json={}))["public_metadata"] == {"b": {"c": None}}
    assert kept(clerk, made["id"])["public_metadata"] == {"b": {"c": None}}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"public_metadata": []}, "form_param_type_invalid", "public_metadata"),
        ({"private_metadata": "x"}, "form_param_type_invalid", "private_metadata"),
        ({"unsafe_metadata": {}}, "form_param_unknown", "unsafe_metadata"),
        ({"name": "Pirates"}, "form_param_unknown", "name"),
    ],
)
def test_bad_metadata_change_nothing(
    shared: Asker, method: str, body: dict[str, Any], code: str, param: str
) -> None:
    refused(shared.ask(method, f"{ROOT}/acme/metadata", json=body), 422, code, param)
    assert shared.emulator.organization("acme")["public_metadata"] == {"a": 1}


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSONS, max_size=3)


@given(before=OBJECTS, change=OBJECTS)
@settings(deadline=None)
def test_what_was_merged_in_is_there_and_merging_it_again_changes_nothing(
    before: dict[str, Any], change: dict[str, Any]
) -> None:
    once = merged(before, change)
    assert merged(once, change) == once
    assert merged(before, {}) == before
    for name in before.keys() | change.keys():
        if name not in change:
            assert once[name] == before[name]
        elif change[name] is None:
            assert name not in once
        elif not isinstance(change[name], dict):
            assert once[name] == change[name]


# Deleting


def test_an_organization_is_deleted_by_id_or_slug(clerk: Asker) -> None:
    for name in ("id", "slug"):
        made = one_of(clerk)
        answer = found(clerk.delete(f"{ROOT}/{made[name]}"))
        assert answer == {"object": "organization", "id": made["id"], "deleted": True}
        refused(clerk.delete(f"{ROOT}/{made['id']}"), 404, "resource_not_found")
    assert clerk.emulator.organizations() == []


def test_deleting_takes_no_parameters(shared: Asker) -> None:
    answer = shared.ask("DELETE", f"{ROOT}/acme", json={"force": True})
    refused(answer, 422, "form_param_unknown", "force")
    assert len(shared.emulator.organizations()) == 1
