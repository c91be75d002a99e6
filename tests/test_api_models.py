"""Objects of Clerk's API: what is read of them, and that nothing odd in them raises."""

from __future__ import annotations

import builtins
import dataclasses
import json
import pickle
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clerk_wsgi import ClerkUnavailable, Organization, OrganizationMembership, Session
from clerk_wsgi.api.models import (
    Client,
    EmailAddress,
    User,
    parse_client,
    parse_membership,
    parse_organization,
    parse_session,
    parse_time,
    parse_user,
)
from clerk_wsgi.emulator.objects import new_organization, new_session, new_user

from .scripted import CLIENT, MEMBERSHIP, MS, ORGANIZATION, SESSION, USER

if TYPE_CHECKING:
    from collections.abc import Callable

UTC = timezone.utc
MOMENT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
ODD: list[Any] = [None, True, 0, -1, 1.5, 1e300, 10**400, "", "x", [], [None, 1, "a"], {}, {"a": 1}]
PARSERS = [
    (parse_session, SESSION),
    (parse_client, CLIENT),
    (parse_user, USER),
    (parse_organization, ORGANIZATION),
    (parse_membership, MEMBERSHIP),
]
REQUIRED = {"id", "user_id", "object"}


def test_a_session_has_what_the_guide_names_and_the_rest() -> None:
    session = parse_session(
        {
            **SESSION,
            "actor": {"sub": "user_9"},
            "last_active_organization_id": "org_1",
            "latest_activity": {"object": "session_activity", "id": "act_1", "is_mobile": False},
            "tasks": [{"key": "choose-organization"}],
        }
    )
    assert session == Session(
        id="sess_1",
        user_id="user_1",
        client_id="client_1",
        status="active",
        last_active_at=MOMENT,
        expire_at=MOMENT + timedelta(minutes=1),
        abandon_at=MOMENT + timedelta(minutes=2),
        created_at=MOMENT - timedelta(minutes=1),
        updated_at=MOMENT,
        actor={"sub": "user_9"},
        last_active_organization_id="org_1",
        latest_activity={"object": "session_activity", "id": "act_1", "is_mobile": False},
        tasks=({"key": "choose-organization"},),
    )


def test_a_client_has_its_sessions() -> None:
    client = parse_client({**CLIENT, "sign_in_id": "sia_1", "last_authentication_strategy": "x"})
    assert client == Client(
        id="client_1",
        session_ids=("sess_1",),
        sessions=(parse_session(SESSION),),
        sign_in_id="sia_1",
        last_active_session_id="sess_1",
        last_authentication_strategy="x",
        created_at=MOMENT,
        updated_at=MOMENT,
    )


def test_a_client_of_2022_names_its_attempts_otherwise() -> None:
    document = {**CLIENT, "sign_in_attempt_id": "sia_1", "sign_up_attempt_id": "sua_1"}
    client = parse_client(document)
    assert (client.sign_in_id, client.sign_up_id) == ("sia_1", "sua_1")
    assert client.raw == document
    assert parse_client({**document, "sign_in_id": None}).sign_in_id is None


def test_a_user_has_every_field_of_the_documentation() -> None:
    document = new_user(MS, email_address="ada@example.com", first_name="Ada", banned=False)
    user = parse_user(document)
    assert {field.name for field in dataclasses.fields(User)} == document.keys() - {"object"} | {
        "raw"
    }
    assert (user.first_name, user.banned, user.created_at) == ("Ada", False, MOMENT)
    assert (user.verification_attempts_remaining, user.mfa_enabled_at) == (100, None)
    assert (user.public_metadata, user.phone_numbers) == ({}, ())
    (address,) = user.email_addresses
    assert isinstance(address, EmailAddress)
    assert (address.email_address, address.reserved) == ("ada@example.com", False)
    assert address.verification is not None
    assert address.verification["status"] == "verified"
    assert user.primary_email_address is address


@pytest.mark.parametrize("primary", [None, "idn_other", 5])
def test_a_user_may_have_no_primary_email_address(primary: object) -> None:
    document = new_user(MS, email_address="ada@example.com", primary_email_address_id=primary)
    assert parse_user(document).primary_email_address is None


def test_a_session_of_the_local_clerk_is_read_whole() -> None:
    document = new_session(MS, "user_1", "client_1")
    session = parse_session(document)
    assert session.raw == document
    assert {field.name for field in dataclasses.fields(Session)} == document.keys() - {"object"} | {
        "raw"
    }


def test_an_organization_has_every_field_that_the_local_clerk_knows() -> None:
    document = new_organization(MS, "Navy", "navy", created_by="user_1", has_image=True)
    organization = parse_organization({**document, "last_active_at": MS, "role_set_key": "main"})
    assert organization == Organization(
        id=document["id"],
        name="Navy",
        slug="navy",
        has_image=True,
        members_count=0,
        pending_invitations_count=0,
        max_allowed_memberships=5,
        admin_delete_enabled=True,
        role_set_key="main",
        created_by="user_1",
        last_active_at=MOMENT,
        created_at=MOMENT,
        updated_at=MOMENT,
    )
    assert document.keys() - {"object"} <= {
        field.name for field in dataclasses.fields(organization)
    }


def test_a_membership_says_who_is_in_what() -> None:
    membership = parse_membership(
        {**MEMBERSHIP, "role_name": "Admin", "private_metadata": {"a": 1}}
    )
    assert membership == OrganizationMembership(
        id="orgmem_1",
        role="org:admin",
        role_name="Admin",
        permissions=("org:sys_profile:manage",),
        organization=parse_organization(ORGANIZATION),
        public_user_data={"user_id": "user_1", "first_name": "Ada"},
        private_metadata={"a": 1},
        created_at=MOMENT,
    )
    assert membership.user_id == "user_1"


@pytest.mark.parametrize("odd", [*ODD, {"user_id": 5}, {"user_id": None}])
def test_a_membership_need_not_say_whose_it_is(odd: object) -> None:
    assert parse_membership({**MEMBERSHIP, "public_user_data": odd}).user_id is None


@pytest.mark.parametrize("odd", [*ODD, SESSION, [ORGANIZATION]])
def test_what_is_no_organization_is_none_in_a_membership(odd: object) -> None:
    assert parse_membership({**MEMBERSHIP, "organization": odd}).organization is None


@pytest.mark.parametrize(("parse", "document"), PARSERS)
def test_what_is_not_known_stays_in_raw(
    parse: Callable[[object], Any], document: dict[str, Any]
) -> None:
    news = {**document, "news": [1, {"a": None}]}
    parsed = parse(news)
    assert parsed.raw == news
    assert "news" not in repr(parsed)
    assert parsed == parse(document)


@pytest.mark.parametrize(("parse", "document"), PARSERS)
def test_objects_cannot_be_changed_but_kept_and_sent(
    parse: Callable[[object], Any], document: dict[str, Any]
) -> None:
    parsed = parse(document)
    with pytest.raises(dataclasses.FrozenInstanceError):
        parsed.id = "other"
    assert pickle.loads(pickle.dumps(parsed)) == parsed
    assert json.loads(json.dumps(parsed.raw)) == document


def test_metadata_can_be_changed_and_written_back() -> None:
    user = parse_user({**USER, "public_metadata": {"plan": {"name": "free"}}})
    assert (
        json.dumps({**user.public_metadata, "seen": 1}) == '{"plan": {"name": "free"}, "seen": 1}'
    )


def test_private_metadata_is_not_shown() -> None:
    for parse, document in PARSERS[2:]:
        assert "4242" not in repr(parse({**document, "private_metadata": {"card": "4242"}}))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("parse", "document"), PARSERS)
def test_an_odd_member_counts_as_missing(
    parse: Callable[[object], Any], document: dict[str, Any], odd: object
) -> None:
    python_types = {"Mapping": dict, "datetime": datetime, **vars(builtins)}
    types = {field.name: str(field.type) for field in dataclasses.fields(parse(document))}
    names = types.keys() - REQUIRED - {"raw"}
    parsed = parse({**document, **dict.fromkeys(names, odd)})
    assert parsed.raw == {**document, **dict.fromkeys(names, odd)}
    for name in names:
        value = getattr(parsed, name)
        if value is None:
            assert types[name].endswith("| None")
        else:
            assert type(value) is python_types[re.split(r"\[| \| ", types[name])[0]]


@pytest.mark.parametrize("odd", [None, True, "", "x", [], [1], {}, {"a": 1}])
def test_what_is_no_time_is_none(odd: object) -> None:
    assert parse_session({**SESSION, "expire_at": odd}).expire_at is None


def test_odd_members_of_lists_are_left_out() -> None:
    odd: list[Any] = [None, 1, "x", {}, {"id": "i", "object": "other"}]
    client = parse_client({**CLIENT, "sessions": [*odd, SESSION], "session_ids": ["a", 1, "", {}]})
    assert client.sessions == (parse_session(SESSION),)
    assert client.session_ids == ("a",)
    user = parse_user({**USER, "email_addresses": odd, "passkeys": [1, {"id": "p"}, []]})
    assert user.email_addresses == ()
    assert user.passkeys == ({"id": "p"},)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("parse", "document"), PARSERS)
def test_what_is_no_such_object_is_as_bad_as_no_answer(
    parse: Callable[[object], Any], document: dict[str, Any], odd: Any
) -> None:
    wrong: list[Any] = [odd, {**document, "object": odd}, {"object": document["object"]}]
    if odd != "x":
        wrong.append({**document, "id": odd})
    for answer in wrong:
        with pytest.raises(ClerkUnavailable, match=r"Clerk's answer is"):
            parse(answer)


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd != "x"])
def test_a_session_of_nobody_is_no_session(odd: object) -> None:
    with pytest.raises(ClerkUnavailable, match="user_id"):
        parse_session({**SESSION, "user_id": odd})


def test_an_object_without_a_type_is_taken_for_what_was_asked() -> None:
    untyped = {name: value for name, value in SESSION.items() if name != "object"}
    assert parse_session(untyped) == parse_session(SESSION)


NO_TIMES: list[Any] = [
    *(253_402_300_800_000, 10**400, float("inf"), float("nan"), 0, -1, -MS),
    *(True, False, None, "1795413600000", [MS], {}),
]


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (MS, MOMENT),
        (MS + 1, MOMENT + timedelta(milliseconds=1)),
        (MS + 0.7, MOMENT),
        (MS // 1000, MOMENT),
        (MS / 1000 + 0.5, MOMENT + timedelta(milliseconds=500)),
        (1_000_000_000, datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)),
        (9_999_999_999, datetime(2286, 11, 20, 17, 46, 39, tzinfo=UTC)),
        (99_999_999_999, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (100_000_000_000, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (253_402_300_799_999, datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        (253_402_300_799_999.9, datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        *((odd, None) for odd in NO_TIMES),
    ],
)
def test_times_are_milliseconds_or_seconds_by_their_size(
    value: object, moment: datetime | None
) -> None:
    assert parse_time(value) == moment


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PARSERS), st.data())
def test_no_json_raises_anything_else(
    case: tuple[Callable[[object], Any], dict[str, Any]], data: st.DataObject
) -> None:
    parse, document = case
    names = st.sampled_from(sorted(field.name for field in dataclasses.fields(parse(document))))
    changes = data.draw(st.dictionaries(names, JSON))
    try:
        parsed = parse({**document, **changes})
    except ClerkUnavailable:
        assert changes.keys() & REQUIRED
    else:
        assert isinstance(parsed.id, str)
