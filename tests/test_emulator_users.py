"""The local Clerk's users: finding, creating, changing and deleting them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi import ApiError
from clerk_wsgi.emulator import NotFound
from clerk_wsgi.testing import Emulator, FrozenClock, clerk_for

from .asking import JSON, WAYS, Asker, asking, found, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_700_000_000.0
MS = 1_700_000_000_000
WALLET = "0x" + "aB" * 20
SOLANA = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"


@pytest.fixture(params=WAYS)
def clerk(request: pytest.FixtureRequest) -> Iterator[Asker]:
    """A local Clerk of the test's own, in which Ada is."""
    with asking(request.param) as asker:
        yield asker


@pytest.fixture(scope="module")
def shared() -> Iterator[Asker]:
    """A local Clerk for tests that leave no trace in it."""
    with asking("http") as asker:
        yield asker


@pytest.fixture(scope="module")
def people() -> Iterator[Asker]:
    """A local Clerk with Ada and three others, a second apart."""
    clock = FrozenClock(NOW)
    with asking(clock=clock) as asker:
        emulator = asker.emulator
        clock.tick(1)
        emulator.create_user(
            id="user_grace",
            first_name="Grace",
            last_name="Hopper",
            username="amazing_grace",
            external_id="navy-1",
            email_address="Grace@example.com",
            last_sign_in_at=MS + 5000,
        )
        clock.tick(1)
        emulator.create_user(
            id="user_alan",
            first_name="Alan",
            email_address="alan@example.org",
            banned=True,
            last_active_at=None,
            external_accounts=[{"provider": "oauth_google", "provider_user_id": "12345"}],
        )
        clock.tick(1)
        fields = {"username": "zuse-z4", "phone_number": ["+4930123456"], "web3_wallet": [WALLET]}
        found(asker.post("/v1/users", external_id="+4", **fields))
        yield asker


def names(people: Asker, query: str, path: str = "/v1/users") -> list[str]:
    """The first names of the users that a query finds, or the user name of who has none."""
    answer = found(people.ask("GET", f"{path}?{query}"))
    assert isinstance(answer, list)
    return [user["first_name"] or user["username"] for user in answer]


# Finding


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "zuse-z4 Alan Grace Ada"),
        ("email_address=ada@example.com", "Ada"),
        ("email_address=ADA@EXAMPLE.COM", "Ada"),
        ("email_address=grace@example.com", "Grace"),
        ("email_address=ada@example.com&email_address=alan@example.org", "Alan Ada"),
        ("email_address=ada@example", ""),
        ("email_address=nobody@example.com", ""),
        ("phone_number=%2B4930123456", "zuse-z4"),
        ("phone_number=4930123456", ""),
        ("username=amazing_grace&username=zuse-z4", "zuse-z4 Grace"),
        ("username=AMAZING_GRACE", "Grace"),
        ("username=amazing", ""),
        (f"web3_wallet={WALLET.lower()}", "zuse-z4"),
        ("user_id=user_grace", "Grace"),
        ("user_id=user_grace&user_id=user_alan", "Alan Grace"),
        ("user_id=%2Buser_grace", "Grace"),
        ("user_id=+user_grace", "Grace"),
        ("user_id=-user_grace", "zuse-z4 Alan Ada"),
        ("user_id=-user_grace&user_id=-user_alan", "zuse-z4 Ada"),
        ("user_id=user_grace&user_id=-user_grace", ""),
        ("user_id=user_x", ""),
        ("user_id=-user_x", "zuse-z4 Alan Grace Ada"),
        ("external_id=navy-1", "Grace"),
        ("external_id=-navy-1", "zuse-z4 Alan Ada"),
        ("organization_id=org_1", ""),
        ("organization_id=-org_1", "zuse-z4 Alan Grace Ada"),
        ("query=ada@", "Ada"),
        ("query=EXAMPLE.COM", "Grace Ada"),
        ("query=hopper", "Grace"),
        ("query=grace%20hop", "Grace"),
        ("query=amazing", "Grace"),
        ("query=user_alan", "Alan"),
        ("query=493012", "zuse-z4"),
        (f"query={WALLET[:9]}", "zuse-z4"),
        ("query=nobody", ""),
        ("query=", "zuse-z4 Alan Grace Ada"),
        ("email_address_query=EXAMPLE.ORG", "Alan"),
        ("email_address_query=hopper", ""),
        ("phone_number_query=30123", "zuse-z4"),
        ("username_query=GRACE", "Grace"),
        ("name_query=e%20h", "Grace"),
        ("name_query=amazing", ""),
        ("banned=true", "Alan"),
        ("banned=false", "zuse-z4 Grace Ada"),
        (f"created_at_before={MS + 1000}", "Ada"),
        (f"created_at_after={MS + 1000}", "zuse-z4 Alan"),
        (f"created_at_after={MS}&created_at_before={MS + 2000}", "Grace"),
        (f"last_active_at_before={MS + 3000}", "Grace Ada"),
        (f"last_active_at_after={MS + 1000}", "zuse-z4"),
        (f"last_active_at_since={MS + 1000}", "zuse-z4 Grace"),
        ("last_sign_in_at_after=0", "Grace"),
        (f"last_sign_in_at_before={MS + 5000}", ""),
        ("provider=oauth_google&provider_user_id=12345", "Alan"),
        ("provider=oauth_google&provider_user_id=1&provider_user_id=12345", "Alan"),
        ("provider=oauth_github&provider_user_id=12345", ""),
        ("query=example&banned=false&username=amazing_grace", "Grace"),
        ("colour=blue", "zuse-z4 Alan Grace Ada"),
    ],
)
def test_users_are_found_by_filters_that_all_hold(people: Asker, query: str, expected: str) -> None:
    assert names(people, query) == expected.split()
    count = found(people.ask("GET", f"/v1/users/count?{query}"))
    assert count == {"object": "total_count", "total_count": len(expected.split())}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=1", "zuse-z4"),
        ("limit=2&offset=1", "Alan Grace"),
        ("offset=4", ""),
        ("order_by=created_at", "Ada Grace Alan zuse-z4"),
        ("order_by=%2Bcreated_at", "Ada Grace Alan zuse-z4"),
        ("order_by=+created_at", "Ada Grace Alan zuse-z4"),
        ("order_by=-created_at", "zuse-z4 Alan Grace Ada"),
        ("order_by=", "zuse-z4 Alan Grace Ada"),
        ("order_by=updated_at", "Ada Grace Alan zuse-z4"),
        ("order_by=first_name", "Ada Alan Grace zuse-z4"),
        ("order_by=-first_name", "Grace Alan Ada zuse-z4"),
        ("order_by=last_name", "Grace Ada Alan zuse-z4"),
        ("order_by=username", "Grace zuse-z4 Ada Alan"),
        ("order_by=-username", "zuse-z4 Grace Alan Ada"),
        ("order_by=last_active_at", "Ada Grace zuse-z4 Alan"),
        ("order_by=last_sign_in_at", "Grace Ada Alan zuse-z4"),
        ("order_by=email_address", "Grace Ada Alan zuse-z4"),
        ("order_by=phone_number", "zuse-z4 Ada Grace Alan"),
        ("order_by=web3wallet", "zuse-z4 Ada Grace Alan"),
        ("order_by=-first_name&order_by=created_at", "Grace Alan Ada zuse-z4"),
        ("starting_after=user_alan", "Grace Ada"),
        ("starting_after=user_alan&limit=1", "Grace"),
        ("starting_after=user_grace&order_by=created_at", "Alan zuse-z4"),
    ],
)
def test_lists_are_ordered_and_come_in_parts(people: Asker, query: str, expected: str) -> None:
    assert names(people, query) == expected.split()


def test_users_of_the_same_moment_come_newest_first() -> None:
    with asking(clock=lambda: NOW) as clerk:
        made = [clerk.emulator.create_user() for _ in range(3)]
        assert found(clerk.get("/v1/users", limit=3)) == made[::-1]
        assert found(clerk.get("/v1/users", order_by="created_at", offset=1)) == made


def test_ten_users_are_listed_unless_asked_for_more() -> None:
    with asking() as clerk:
        for _ in range(10):
            clerk.emulator.create_user()
        assert len(found(clerk.get("/v1/users"))) == 10
        assert len(found(clerk.get("/v1/users", limit=500))) == 11


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("limit=0", "form_param_value_invalid", "limit"),
        ("limit=501", "form_param_value_invalid", "limit"),
        ("limit=x", "form_param_type_invalid", "limit"),
        ("offset=-1", "form_param_value_invalid", "offset"),
        ("order_by=shoe_size", "form_param_value_invalid", "order_by"),
        ("order_by=--created_at", "form_param_value_invalid", "order_by"),
        ("order_by=-", "form_param_value_invalid", "order_by"),
        ("starting_after=user_x", "form_resource_not_found", "starting_after"),
        ("starting_after=a&starting_after=b", "form_param_duplicate", "starting_after"),
    ],
)
def test_a_bad_order_or_part_is_refused(people: Asker, query: str, code: str, param: str) -> None:
    refused(people.ask("GET", f"/v1/users?{query}"), 422, code, param)


@pytest.mark.parametrize("path", ["/v1/users", "/v1/users/count"])
@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("banned=yes", "form_param_value_invalid", "banned"),
        ("query=a&query=b", "form_param_duplicate", "query"),
        ("name_query=a&name_query=b", "form_param_duplicate", "name_query"),
        ("user_id=x&" * 101, "form_param_duplicate", "user_id"),
        ("email_address=x&" * 101, "form_param_duplicate", "email_address"),
        ("created_at_before=yesterday", "form_param_invalid_date", "created_at_before"),
        ("created_at_after=-1", "form_param_invalid_date", "created_at_after"),
        ("last_active_at_since=1.5", "form_param_invalid_date", "last_active_at_since"),
        ("last_sign_in_at_before=", "form_param_invalid_date", "last_sign_in_at_before"),
        ("provider=oauth_google", "form_conditional_param_missing", "provider_user_id"),
        ("provider_user_id=1", "form_conditional_param_missing", "provider"),
    ],
)
def test_a_bad_filter_is_refused(
    people: Asker, path: str, query: str, code: str, param: str
) -> None:
    refused(people.ask("GET", f"{path}?{query}"), 422, code, param)


def test_a_hundred_values_are_not_too_many(people: Asker) -> None:
    assert names(people, "user_id=x&" * 99 + "user_id=user_grace") == ["Grace"]


# One user


def test_a_user_is_found_by_id(people: Asker) -> None:
    user = found(people.get("/v1/users/user_grace"))
    assert user == people.emulator.user("user_grace")
    assert user["object"] == "user"
    [address] = user["email_addresses"]
    assert user["primary_email_address_id"] == address["id"]
    assert address == {
        "object": "email_address",
        "id": address["id"],
        "email_address": "Grace@example.com",
        "reserved": False,
        "verification": {
            "object": "verification_admin",
            "status": "verified",
            "strategy": "admin",
            "attempts": None,
            "expire_at": None,
        },
        "linked_to": [],
        "created_at": MS + 1000,
        "updated_at": MS + 1000,
    }


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("unknown", ["user_x", "sess_x", "%00", "%ff", "a%20b"])
def test_an_unknown_user_is_not_found(people: Asker, method: str, unknown: str) -> None:
    error = refused(people.ask(method, f"/v1/users/{unknown}"), 404, "resource_not_found")
    assert error["message"] == "not found"
    assert error["long_message"].startswith("No user was found with id ")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/users", "GET, POST"),
        ("POST", "/v1/users/user_x", "DELETE, GET, PATCH"),
        ("DELETE", "/v1/users/count", "GET"),
    ],
)
def test_other_methods_are_refused(people: Asker, method: str, path: str, allow: str) -> None:
    answer = people.ask(method, path)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/users"),
        ("GET", "/v1/users/count"),
        ("POST", "/v1/users"),
        ("GET", "/v1/users/user_grace"),
        ("PATCH", "/v1/users/user_grace"),
        ("DELETE", "/v1/users/user_grace"),
    ],
)
def test_nothing_is_told_or_done_without_the_key(people: Asker, method: str, path: str) -> None:
    before = people.emulator.users()
    answer = people.ask(method, path, key="sk_test_wrong", json={"first_name": "Eve"})
    refused(answer, 401, "clerk_key_invalid")
    assert people.emulator.users() == before


# Creating


def test_a_user_is_created_with_all_that_was_said(clerk: Asker) -> None:
    said = {
        "external_id": "navy-1",
        "username": "amazing-Grace_1",
        "first_name": "Grace",
        "last_name": "Hopper",
        "locale": "en-US",
        "public_metadata": {"role": "admiral"},
        "private_metadata": {"bugs": ["moth"]},
        "unsafe_metadata": {"nested": {"a": [1, None, True]}},
        "delete_self_enabled": False,
        "create_organization_enabled": False,
        "create_organizations_limit": 3,
        "banned": True,
        "locked": True,
    }
    user = found(
        clerk.post(
            "/v1/users",
            **said,
            email_address=["Grace@Example.com", "hopper@example.com"],
            phone_number=["+15551234567"],
            web3_wallet=[WALLET, SOLANA],
            password="correct horse",
            created_at="2001-09-09T03:46:40.25+02:00",
            legal_accepted_at="2022-10-20T10:00:27.645Z",
            skip_password_requirement=True,
            skip_legal_checks=True,
            bypass_client_trust=False,
            skip_user_requirement=False,
        )
    )
    assert user == clerk.emulator.user(user["id"])
    assert {name: user[name] for name in said} == said
    assert [one["email_address"] for one in user["email_addresses"]] == [
        "grace@example.com",
        "hopper@example.com",
    ]
    assert [one["phone_number"] for one in user["phone_numbers"]] == ["+15551234567"]
    assert [one["web3_wallet"] for one in user["web3_wallets"]] == [WALLET, SOLANA]
    assert user["primary_email_address_id"] == user["email_addresses"][0]["id"]
    assert user["primary_phone_number_id"] == user["phone_numbers"][0]["id"]
    assert user["primary_web3_wallet_id"] == user["web3_wallets"][0]["id"]
    assert user["created_at"] == 1_000_000_000_250
    assert user["legal_accepted_at"] == 1_666_260_027_645
    assert user["password_enabled"] is True
    assert clerk.emulator.has_password(user["id"], "correct horse")
    assert not clerk.emulator.has_password(user["id"], "correct Horse")


def test_a_user_has_every_field_that_another_has(clerk: Asker) -> None:
    user = found(clerk.post("/v1/users", email_address=["grace@example.com"]))
    [ada] = (one for one in clerk.emulator.users() if one["first_name"] == "Ada")
    assert user.keys() == ada.keys()
    assert user["password_enabled"] is False
    assert user["username"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"email_address": ["a@b.c"]},
        {"email_address": "a@b.c"},
        {"phone_number": ["+15551234567"]},
        {"web3_wallet": [WALLET]},
        {"username": "four"},
        {"skip_user_requirement": True},
    ],
)
def test_one_identifier_is_enough(clerk: Asker, body: dict[str, Any]) -> None:
    found(clerk.post("/v1/users", **body))
    assert len(clerk.emulator.users()) == 2


def test_a_form_creates_a_user_too(clerk: Asker) -> None:
    form = {"email_address": "grace@example.com", "first_name": "Grace"}
    user = found(clerk.ask("POST", "/v1/users", data=form))
    assert user["first_name"] == "Grace"
    assert user["email_addresses"][0]["email_address"] == "grace@example.com"


@pytest.mark.parametrize("body", [{}, {"first_name": "Grace"}, {"email_address": []}, None])
def test_a_user_without_any_identifier_is_not_created(shared: Asker, body: Any) -> None:
    error = refused(shared.ask("POST", "/v1/users", json=body), 422, "form_data_missing")
    assert error["message"] == "missing data"
    assert error["meta"] == {"param_names": ["email_address"]}


def test_reserved_identifiers_are_not_verified(clerk: Asker) -> None:
    user = found(
        clerk.post(
            "/v1/users",
            email_address=["a@example.com", "b@example.com"],
            email_address_identification_status=["reserved", "verified"],
            phone_number=["+15551234567"],
            phone_number_identification_status=["reserved"],
        )
    )
    assert [one["reserved"] for one in user["email_addresses"]] == [True, False]
    assert [one["verification"] is None for one in user["email_addresses"]] == [True, False]
    assert user["phone_numbers"][0]["verification"] is None


TOO_SHORT, TOO_LONG = "form_password_length_too_short", "form_password_length_too_long"
BAD_CREATIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"email_address": ["nonsense"]}, "form_param_format_invalid", "email_address"),
    ({"email_address": ["a@b"]}, "form_param_format_invalid", "email_address"),
    ({"email_address": ["a b@c.d"]}, "form_param_format_invalid", "email_address"),
    ({"email_address": ["a@b.c", ""]}, "form_param_format_invalid", "email_address"),
    ({"email_address": [1]}, "form_param_type_invalid", "email_address"),
    ({"email_address": {"a": 1}}, "form_param_type_invalid", "email_address"),
    ({"email_address": ["a@b.c", "A@B.C"]}, "form_param_duplicate", "email_address"),
    ({"phone_number": ["5551234567"]}, "form_param_format_invalid", "phone_number"),
    ({"phone_number": ["+0551234567"]}, "form_param_format_invalid", "phone_number"),
    ({"phone_number": ["+1555"]}, "form_param_format_invalid", "phone_number"),
    ({"phone_number": ["+" + "1" * 16]}, "form_param_format_invalid", "phone_number"),
    ({"web3_wallet": ["0x12"]}, "form_param_format_invalid", "web3_wallet"),
    ({"username": "abc"}, "form_username_invalid_length", "username"),
    ({"username": "a" * 65}, "form_username_invalid_length", "username"),
    ({"username": "with space"}, "form_username_invalid_character", "username"),
    ({"username": "gräce"}, "form_username_invalid_character", "username"),
    ({"username": 1234}, "form_param_type_invalid", "username"),
    ({"first_name": 1}, "form_param_type_invalid", "first_name"),
    ({"last_name": ["x"]}, "form_param_type_invalid", "last_name"),
    ({"external_id": 7}, "form_param_type_invalid", "external_id"),
    ({"public_metadata": "x"}, "form_param_type_invalid", "public_metadata"),
    ({"private_metadata": [1]}, "form_param_type_invalid", "private_metadata"),
    ({"delete_self_enabled": "yes"}, "form_param_type_invalid", "delete_self_enabled"),
    ({"banned": 1}, "form_param_type_invalid", "banned"),
    ({"create_organizations_limit": True}, "form_param_type_invalid", "create_organizations_limit"),
    ({"create_organizations_limit": -1}, "form_param_value_invalid", "create_organizations_limit"),
    ({"created_at": 1}, "form_param_type_invalid", "created_at"),
    ({"created_at": "yesterday"}, "form_param_invalid_time", "created_at"),
    ({"created_at": "2022-10-20"}, "form_param_invalid_time", "created_at"),
    ({"created_at": "2022-13-20T10:00:27Z"}, "form_param_invalid_time", "created_at"),
    ({"created_at": "2022-10-20T10:00:27"}, "form_param_invalid_time", "created_at"),
    ({"legal_accepted_at": "2022-10-20T25:00:27Z"}, "form_param_invalid_time", "legal_accepted_at"),
    ({"password": "seven77"}, TOO_SHORT, "password"),
    ({"password": "x" * 73}, TOO_LONG, "password"),
    ({"password": 12345678}, "form_param_type_invalid", "password"),
    ({"skip_password_checks": "true"}, "form_param_type_invalid", "skip_password_checks"),
    ({"name": "Grace"}, "form_param_unknown", "name"),
    ({"id": "user_mine"}, "form_param_unknown", "id"),
    ({"primary_email_address_id": "idn_1"}, "form_param_unknown", "primary_email_address_id"),
    (
        {"email_address_identification_status": ["verified"] * 2},
        "form_param_value_invalid",
        "email_address_identification_status",
    ),
    (
        {"email_address_identification_status": ["perhaps"]},
        "form_param_value_invalid",
        "email_address_identification_status",
    ),
]


@pytest.mark.parametrize(("body", "code", "param"), BAD_CREATIONS)
def test_a_user_that_cannot_be_is_not_created(
    shared: Asker, body: dict[str, Any], code: str, param: str
) -> None:
    complete = {"email_address": ["grace@example.com"], **body}
    refused(shared.ask("POST", "/v1/users", json=complete), 422, code, param)
    assert len(shared.emulator.users()) == 1


@pytest.mark.parametrize("name", ["password_digest", "password_hasher", "totp_secret"])
def test_what_the_local_clerk_cannot_do_is_not_done_silently(shared: Asker, name: str) -> None:
    body = {"email_address": ["grace@example.com"], name: "x"}
    error = refused(shared.post("/v1/users", **body), 403, "feature_not_implemented")
    assert error["long_message"] == f"Feature `{name}` is not available yet"
    assert len(shared.emulator.users()) == 1


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"first_name": "\\ud800"}', b'{"public_metadata": {"a": "\\udfff"}}']
)
def test_a_body_that_cannot_be_read_is_refused(shared: Asker, body: bytes) -> None:
    headers = {"Content-Type": JSON}
    for method, path in (("POST", "/v1/users"), ("PATCH", f"/v1/users/{first_id(shared)}")):
        answer = shared.ask(method, path, data=body, headers=headers)
        refused(answer, 400, "request_body_invalid")


def first_id(clerk: Asker) -> str:
    return str(clerk.emulator.users()[0]["id"])


def test_a_number_that_json_does_not_have_is_no_metadata(shared: Asker) -> None:
    body = b'{"public_metadata": {"a": [NaN]}}'
    path = f"/v1/users/{first_id(shared)}"
    answer = shared.ask("PATCH", path, data=body, headers={"Content-Type": JSON})
    refused(answer, 422, "form_param_value_invalid", "public_metadata")


TAKEN = [
    ({"email_address": ["ADA@example.com"]}, "email_address", "email address"),
    ({"email_address": ["new@example.com", "ada@example.com"]}, "email_address", "email address"),
    ({"phone_number": ["+15551234567"]}, "phone_number", "phone number"),
    ({"web3_wallet": [WALLET]}, "web3_wallet", "web3 wallet"),
    ({"username": "Amazing_Grace"}, "username", "username"),
    ({"username": "another", "external_id": "navy-1"}, "external_id", "external ID"),
]


@pytest.mark.parametrize(("body", "param", "text"), TAKEN)
def test_what_is_taken_stays_with_whom_it_is(
    clerk: Asker, body: dict[str, Any], param: str, text: str
) -> None:
    hers = {"username": "amazing_grace", "external_id": "navy-1", "web3_wallet": [WALLET]}
    found(clerk.post("/v1/users", phone_number=["+15551234567"], **hers))
    before = clerk.emulator.users()
    error = refused(clerk.post("/v1/users", **body), 422, "form_identifier_exists", param)
    assert error["message"] == f"That {text} is taken. Please try another."
    assert clerk.emulator.users() == before


def test_of_many_who_want_one_name_one_gets_it(clerk: Asker) -> None:
    def create(_: int) -> int:
        return clerk.post("/v1/users", username="the_one").status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(create, range(16))) == [200] + [422] * 15
    assert len(clerk.emulator.users()) == 2


# Changing


def test_a_user_is_changed_where_something_was_said(clerk: Asker) -> None:
    [ada] = clerk.emulator.users()
    path = f"/v1/users/{ada['id']}"
    changes = {
        "first_name": "Augusta Ada",
        "username": "countess",
        "external_id": "7",
        "public_metadata": {"b": 2},
        "create_organizations_limit": 0,
    }
    changed = found(clerk.patch(path, **changes))
    assert changed == {**ada, **changes, "updated_at": changed["updated_at"]}
    assert found(clerk.get(path)) == changed
    assert found(clerk.patch(path, public_metadata={"c": 3}))["public_metadata"] == {"c": 3}
    same = found(clerk.patch(path, username="countess", external_id="7"))
    assert same["username"] == "countess"


def test_a_change_says_when() -> None:
    clock = FrozenClock(NOW)
    with asking(clock=clock) as clerk:
        [ada] = clerk.emulator.users()
        clock.tick(10)
        changed = found(clerk.patch(f"/v1/users/{ada['id']}", created_at="2001-09-09T01:46:40Z"))
        assert changed["updated_at"] == MS + 10_000
        assert changed["created_at"] == 1_000_000_000_000
        assert changed["last_active_at"] == MS


def test_a_null_takes_away_what_may_be_missing_and_nothing_else(clerk: Asker) -> None:
    emulator = clerk.emulator
    user = emulator.create_user(
        username="grace",
        external_id="1",
        first_name="Grace",
        last_name="Hopper",
        locale="en-US",
        create_organizations_limit=1,
        legal_accepted_at=MS,
        public_metadata={"a": 1},
        password="correct horse",
    )
    cleared = (
        "username",
        "external_id",
        "first_name",
        "last_name",
        "locale",
        "create_organizations_limit",
        "legal_accepted_at",
    )
    kept = ("public_metadata", "delete_self_enabled", "password", "created_at")
    changed = found(clerk.patch(f"/v1/users/{user['id']}", **dict.fromkeys((*cleared, *kept))))
    expected = {**user, **dict.fromkeys(cleared), "updated_at": changed["updated_at"]}
    assert changed == expected
    assert emulator.has_password(user["id"], "correct horse")


def test_another_verified_address_becomes_the_primary_one(clerk: Asker) -> None:
    user = found(
        clerk.post(
            "/v1/users",
            email_address=["a@example.com", "b@example.com", "c@example.com"],
            email_address_identification_status=["verified", "verified", "reserved"],
        )
    )
    path = f"/v1/users/{user['id']}"
    _, second, reserved = (one["id"] for one in user["email_addresses"])
    changed = found(clerk.patch(path, primary_email_address_id=second))
    assert changed["primary_email_address_id"] == second
    adas = clerk.emulator.users()[0]["primary_email_address_id"]
    for other in ("idn_x", adas, reserved):
        answer = clerk.patch(path, primary_email_address_id=other)
        refused(answer, 422, "form_resource_not_found", "primary_email_address_id")
    answer = clerk.patch(path, primary_phone_number_id="idn_x")
    refused(answer, 422, "form_resource_not_found", "primary_phone_number_id")
    assert clerk.emulator.user(user["id"]) == changed


def test_a_new_password_may_sign_out_everywhere(clerk: Asker) -> None:
    emulator = clerk.emulator
    [ada] = emulator.users()
    grace = emulator.create_user(password="correct horse")
    emulator.create_session(ada["id"], status="revoked")
    hers = emulator.create_session(grace["id"])
    path = f"/v1/users/{ada['id']}"
    assert found(clerk.patch(path, password="first password"))["password_enabled"] is True
    assert {one["status"] for one in emulator.sessions(user_id=ada["id"])} == {"active", "revoked"}
    said = {"password": "second password", "sign_out_of_other_sessions": True}
    found(clerk.patch(path, **said))
    assert {one["status"] for one in emulator.sessions(user_id=ada["id"])} == {"ended", "revoked"}
    assert emulator.has_password(ada["id"], "second password")
    assert not emulator.has_password(ada["id"], "first password")
    assert emulator.session(hers["id"]) == hers
    assert emulator.has_password(grace["id"], "correct horse")
    answer = clerk.patch(path, sign_out_of_other_sessions=True)
    refused(answer, 422, "form_conditional_param_missing", "password")


def test_a_password_may_be_short_if_nobody_is_to_check_it(clerk: Asker) -> None:
    [ada] = clerk.emulator.users()
    path = f"/v1/users/{ada['id']}"
    refused(clerk.patch(path, password="short"), 422, TOO_SHORT, "password")
    assert not clerk.emulator.has_password(ada["id"], "short")
    found(clerk.patch(path, password="short", skip_password_checks=True))
    assert clerk.emulator.has_password(ada["id"], "short")


def test_no_answer_has_a_password(clerk: Asker) -> None:
    user = clerk.post("/v1/users", username="grace", password="correct horse")
    listing = clerk.get("/v1/users")
    state = str(clerk.emulator._store.find("password"))
    for text in (user.text, listing.text, state):
        assert "correct horse" not in text
    assert "digest" not in user.text + listing.text


CHANGEABLE = [
    row
    for row in BAD_CREATIONS
    if not set(row[0])
    & {
        "email_address",
        "phone_number",
        "web3_wallet",
        "banned",
        "primary_email_address_id",
        "email_address_identification_status",
    }
]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        *CHANGEABLE,
        ({"email_address": ["a@b.c"]}, "form_param_unknown", "email_address"),
        ({"banned": True}, "form_param_unknown", "banned"),
        ({"primary_web3_wallet_id": 1}, "form_param_type_invalid", "primary_web3_wallet_id"),
        (
            {"sign_out_of_other_sessions": 1},
            "form_param_type_invalid",
            "sign_out_of_other_sessions",
        ),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(
    shared: Asker, body: dict[str, Any], code: str, param: str
) -> None:
    [ada] = shared.emulator.users()
    complete = {"first_name": "Eve", **body}
    refused(shared.ask("PATCH", f"/v1/users/{ada['id']}", json=complete), 422, code, param)
    assert shared.emulator.users() == [ada]


def test_a_change_to_what_is_taken_changes_nothing(clerk: Asker) -> None:
    emulator = clerk.emulator
    emulator.create_user(username="grace", external_id="1")
    ada = emulator.users()[0]
    for body, param in (({"username": "GRACE"}, "username"), ({"external_id": "1"}, "external_id")):
        said = {"password": "new password", "first_name": "Eve", **body}
        answer = clerk.patch(f"/v1/users/{ada['id']}", **said)
        refused(answer, 422, "form_identifier_exists", param)
    assert emulator.user(ada["id"]) == ada
    assert not emulator.has_password(ada["id"], "new password")


# Deleting


def test_a_deleted_user_is_gone_and_its_sessions_are_over(clerk: Asker) -> None:
    emulator = clerk.emulator
    user = emulator.create_user(username="grace", password="correct horse")
    active, pending, revoked = (
        emulator.create_session(user["id"], status=status)
        for status in ("active", "pending", "revoked")
    )
    token = emulator.session_token(active["id"])
    path = f"/v1/users/{user['id']}"
    assert found(clerk.delete(path)) == {"object": "user", "id": user["id"], "deleted": True}
    refused(clerk.get(path), 404, "resource_not_found")
    refused(clerk.delete(path), 404, "resource_not_found")
    refused(clerk.post("/v1/sessions", user_id=user["id"]), 404, "resource_not_found")
    assert found(clerk.get("/v1/users", username="grace")) == []
    for session, status in ((active, "ended"), (pending, "ended"), (revoked, "revoked")):
        assert found(clerk.get(f"/v1/sessions/{session['id']}"))["status"] == status
    client = found(clerk.get(f"/v1/clients/{active['client_id']}"))
    assert client["last_active_session_id"] is None
    answer = clerk.post(f"/v1/sessions/{active['id']}/verify", token=token)
    refused(answer, 401, "action_for_session_not_authorized")
    refused(clerk.post(f"/v1/sessions/{active['id']}/tokens"), 400, "invalid_action_for_session")
    assert not emulator.has_password(user["id"], "correct horse")
    found(clerk.post("/v1/users", username="grace"))
    assert [one["status"] for one in emulator.sessions(user_id=emulator.users()[0]["id"])] == [
        "active"
    ]


def test_a_deleted_user_is_named_by_its_external_id_too(clerk: Asker) -> None:
    user = clerk.emulator.create_user(external_id="navy-1")
    assert found(clerk.delete(f"/v1/users/{user['id']}"))["external_id"] == "navy-1"


def test_deleting_takes_no_parameters(shared: Asker) -> None:
    path = f"/v1/users/{first_id(shared)}"
    refused(shared.ask("DELETE", path, json={"now": True}), 422, "form_param_unknown", "now")
    assert len(shared.emulator.users()) == 1


# In Python


def test_users_are_changed_and_deleted_in_python() -> None:
    emulator = Emulator()
    [ada] = emulator.users()
    assert emulator.update_user(ada["id"], banned=True)["banned"] is True
    with pytest.raises(TypeError, match="a user has no field colour"):
        emulator.update_user(ada["id"], colour="blue")
    emulator.delete_user(ada["id"])
    assert emulator.users() == []
    assert [one["status"] for one in emulator.sessions()] == ["ended"]
    for act in (emulator.user, emulator.delete_user, emulator.update_user):
        with pytest.raises(NotFound):
            act(ada["id"])
    with pytest.raises(NotFound):
        emulator.set_password(ada["id"], "correct horse")
    assert not emulator.has_password(ada["id"], "correct horse")


def test_applications_do_the_same_with_our_own_client() -> None:
    emulator = Emulator()
    clerk = clerk_for(emulator)
    grace = clerk.users.create(email_address=["grace@example.com"], first_name="Grace")
    assert [user.id for user in clerk.users.list(email_address="grace@example.com")] == [grace.id]
    assert clerk.users.count() == 2
    assert clerk.users.update(grace.id, last_name="Hopper").last_name == "Hopper"
    assert clerk.users.get(grace.id).primary_email_address is not None
    with pytest.raises(ApiError) as caught:
        clerk.users.create(email_address=["grace@example.com"])
    assert caught.value.status_code == 422
    clerk.users.delete(grace.id)
    assert clerk.users.count() == 1
