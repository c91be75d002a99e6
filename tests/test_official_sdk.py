"""Clerk's own Python SDK, unmodified, with the local Clerk for a server.

Its models are generated from Clerk's specification: an answer that lacks a required field, or has
one of another type, is an error there.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
import warnings
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import clerk_wsgi
from clerk_wsgi import ApiError, Organization, OrganizationMembership
from clerk_wsgi.emulator import forge
from clerk_wsgi.testing import start_emulator

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from clerk_backend_api import Clerk, models
    from clerk_backend_api.security import (
        AuthenticateRequestOptions,
        AuthErrorReason,
        TokenVerificationError,
        VerifyTokenOptions,
        verify_token,
    )

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clerk_wsgi.api.organizations import OrganizationsApi
    from clerk_wsgi.testing import RunningEmulator

# The SDK warns of its own parameters when it reads them.
pytestmark = pytest.mark.filterwarnings("ignore:.*DEPRECATED.*:DeprecationWarning")

WALLET = "0x" + "a1" * 20
NO_RETRIES: Any = None


@pytest.fixture(scope="module")
def local() -> Iterator[RunningEmulator]:
    """The local Clerk of all tests; each has a user of its own."""
    with start_emulator() as running:
        yield running


@pytest.fixture(autouse=True)
def _well(local: RunningEmulator) -> Iterator[None]:
    yield
    local.emulator.faults.clear()


@pytest.fixture(scope="module")
def sdk(local: RunningEmulator) -> Iterator[Clerk]:
    """The SDK as one would make it, but for the address."""
    with sdk_of(local) as clerk:
        yield clerk


def sdk_of(local: RunningEmulator, key: str | None = None) -> Clerk:
    return Clerk(bearer_auth=key or local.emulator.secret_key, server_url=f"{local.url}/v1")


@pytest.fixture
def user_id(local: RunningEmulator) -> str:
    return str(local.emulator.create_user(first_name="Grace")["id"])


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    """The status and the code with which a call is refused."""
    with pytest.raises(models.ClerkErrors) as caught:
        call()
    [error] = caught.value.data.errors
    assert error.message
    assert error.long_message
    return caught.value.raw_response.status_code, error.code


# Users


def test_users_are_listed_and_counted(sdk: Clerk, user_id: str) -> None:
    users = sdk.users.list(request={"user_id": [user_id]})
    assert [(user.id, user.first_name) for user in users] == [(user_id, "Grace")]
    assert sdk.users.list(request={"email_address": ["ada@example.com"]})[0].first_name == "Ada"
    assert sdk.users.list(request={"query": "nobody at all"}) == []
    assert sdk.users.list(request={"limit": 1, "order_by": "created_at"})[0].first_name == "Ada"
    total = sdk.users.count(request={"user_id": [user_id, "user_x"]})
    assert total.total_count == 1


def test_a_user_is_created_found_changed_and_deleted(sdk: Clerk) -> None:
    created = sdk.users.create(
        email_address=["hopper@example.com", "second@example.com"],
        phone_number=["+15551230001"],
        web3_wallet=[WALLET],
        username="hopper",
        external_id="navy-1",
        first_name="Grace",
        password="correct horse",
        public_metadata={"role": "admiral"},
        created_at="2001-09-09T01:46:40Z",
    )
    assert created.password_enabled is True
    assert created.created_at == 1_000_000_000_000
    assert created.email_addresses[0].id == created.primary_email_address_id
    found = sdk.users.get(user_id=created.id)
    assert found == created
    assert [one.phone_number for one in found.phone_numbers] == ["+15551230001"]
    assert [one.web3_wallet for one in found.web3_wallets] == [WALLET]
    changed = sdk.users.update(user_id=created.id, last_name="Hopper", username=None)
    assert (changed.first_name, changed.last_name, changed.username) == ("Grace", "Hopper", None)
    assert changed.public_metadata == {"role": "admiral"}
    deleted = sdk.users.delete(user_id=created.id)
    assert (deleted.id, deleted.deleted, deleted.external_id) == (created.id, True, "navy-1")
    assert refusal(lambda: sdk.users.get(user_id=created.id)) == (404, "resource_not_found")


def test_what_is_wrong_with_a_user_is_told(sdk: Clerk, user_id: str) -> None:
    taken: dict[str, Any] = {"email_address": ["ada@example.com"]}
    assert refusal(lambda: sdk.users.create(**taken)) == (422, "form_identifier_exists")
    assert refusal(lambda: sdk.users.create(first_name="X")) == (422, "form_data_missing")
    nonsense: dict[str, Any] = {"email_address": ["nonsense"]}
    assert refusal(lambda: sdk.users.create(**nonsense)) == (422, "form_param_format_invalid")
    assert refusal(lambda: sdk.users.list(request={"limit": 0})) == (
        422,
        "form_param_value_invalid",
    )
    assert refusal(lambda: sdk.users.delete(user_id="user_x")) == (404, "resource_not_found")
    short = refusal(lambda: sdk.users.update(user_id=user_id, password="short"))
    assert short == (422, "form_password_length_too_short")


# Sessions


def test_sessions_are_started_listed_and_revoked(sdk: Clerk, user_id: str) -> None:
    session = sdk.sessions.create(request={"user_id": user_id})
    assert (session.user_id, session.status) == (user_id, models.Status.ACTIVE)
    assert sdk.sessions.get(session_id=session.id) == session
    assert sdk.sessions.list(user_id=user_id) == [session]
    assert sdk.sessions.list(client_id=session.client_id, limit=500) == [session]
    revoked = sdk.sessions.revoke(session_id=session.id)
    assert revoked.status is models.Status.REVOKED
    active = models.QueryParamStatus.ACTIVE
    assert sdk.sessions.list(user_id=user_id, status=active) == []
    assert sdk.sessions.list(user_id=user_id, status=models.QueryParamStatus.REVOKED) == [revoked]


@pytest.mark.parametrize(
    "status", ["pending", "ended", "expired", "removed", "abandoned", "replaced"]
)
def test_every_status_is_one_that_the_sdk_knows(
    local: RunningEmulator, sdk: Clerk, user_id: str, status: str
) -> None:
    session = local.emulator.create_session(user_id, status=status)
    assert sdk.sessions.get(session_id=session["id"]).status.value == status


def test_what_is_wrong_with_a_session_is_told(sdk: Clerk, user_id: str) -> None:
    assert refusal(lambda: sdk.sessions.get(session_id="sess_x")) == (404, "resource_not_found")
    assert refusal(lambda: sdk.sessions.revoke(session_id="sess_x")) == (404, "resource_not_found")
    missing = refusal(lambda: sdk.sessions.create(request={"user_id": "user_x"}))
    assert missing == (404, "resource_not_found")
    assert refusal(lambda: sdk.sessions.list(limit=0)) == (422, "form_param_value_invalid")
    assert refusal(lambda: sdk.sessions.list(limit=501)) == (422, "form_param_value_invalid")


def test_the_sdk_verifies_the_tokens_that_it_fetches(
    local: RunningEmulator, sdk: Clerk, user_id: str
) -> None:
    session = sdk.sessions.create(request={"user_id": user_id})
    token = sdk.sessions.create_token(session_id=session.id, expires_in_seconds=90).jwt
    assert token
    options = VerifyTokenOptions(jwt_key=local.emulator.public_key_pem())
    claims = verify_token(token, options)
    assert (claims["sid"], claims["sub"]) == (session.id, user_id)
    assert claims["exp"] - claims["iat"] == 90
    with pytest.raises(TokenVerificationError):
        verify_token(forge(token), options)


def test_the_sdk_authenticates_requests_with_these_tokens(
    local: RunningEmulator, sdk: Clerk, user_id: str
) -> None:
    session = local.emulator.create_session(user_id)
    options = AuthenticateRequestOptions(
        jwt_key=local.emulator.public_key_pem(), authorized_parties=["https://app.test"]
    )

    def decide(token: str) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return sdk.authenticate_request(httpx.Request("GET", "https://x", headers=headers), options)

    token = local.emulator.session_token(session["id"], azp="https://app.test")
    state = decide(token)
    assert state.is_signed_in
    assert state.payload["sub"] == user_id
    assert not decide(forge(token)).is_signed_in
    elsewhere = local.emulator.session_token(session["id"], azp="https://else.test")
    assert not decide(elsewhere).is_signed_in
    assert decide("nonsense").reason is not AuthErrorReason.SESSION_TOKEN_MISSING


def test_the_keys_are_fetched(local: RunningEmulator, sdk: Clerk) -> None:
    keys = sdk.jwks.get_jwks().keys
    assert keys is not None
    [key] = keys
    assert (key.kid, key.alg) == (local.emulator.kid, "RS256")


# Clients


def test_clients_are_found_and_verified(local: RunningEmulator, sdk: Clerk, user_id: str) -> None:
    session = sdk.sessions.create(request={"user_id": user_id})
    token = local.emulator.client_token(session.client_id)
    client = sdk.clients.verify(request={"token": token})
    assert client.id == session.client_id
    assert client.last_active_session_id == session.id
    assert client.sessions == [session]
    assert sdk.clients.get(client_id=client.id) == client
    with pytest.warns(DeprecationWarning, match="DEPRECATED"):
        assert sdk.clients.list(limit=1) == [client]
    sdk.sessions.revoke(session_id=session.id)
    assert sdk.clients.verify(request={"token": token}).last_active_session_id is None


def test_what_is_wrong_with_a_client_is_told(
    local: RunningEmulator, sdk: Clerk, user_id: str
) -> None:
    session = sdk.sessions.create(request={"user_id": user_id})
    forged = forge(local.emulator.client_token(session.client_id))
    assert refusal(lambda: sdk.clients.verify(request={"token": forged})) == (400, "cookie_invalid")
    unknown = local.emulator.client_token(session.client_id, id="client_x")
    assert refusal(lambda: sdk.clients.verify(request={"token": unknown})) == (
        404,
        "resource_not_found",
    )
    assert refusal(lambda: sdk.clients.get(client_id="client_x")) == (404, "resource_not_found")


# Organizations


@pytest.fixture
def organization(sdk: Clerk, user_id: str) -> models.Organization:
    """An organization that a user has created."""
    return sdk.organizations.create(request={"name": "Navy", "created_by": user_id})


def test_organizations_are_created_found_changed_and_deleted(sdk: Clerk, user_id: str) -> None:
    made = sdk.organizations.create(
        request={
            "name": "Analytical Society",
            "slug": "analytical",
            "created_by": user_id,
            "max_allowed_memberships": 3,
            "public_metadata": {"founded": 1812},
            "created_at": "2001-09-09T01:46:40Z",
        }
    )
    assert (made.slug, made.created_by, made.created_at) == (
        "analytical",
        user_id,
        1_000_000_000_000,
    )
    assert made.members_count is None
    for name in (made.id, "analytical"):
        assert sdk.organizations.get(organization_id=name) == made
    counted = sdk.organizations.get(organization_id=made.id, include_members_count=True)
    assert counted.members_count == 1
    listed = sdk.organizations.list(user_id=[user_id], include_members_count=True)
    assert (listed.data, listed.total_count) == ([counted], 1)
    changed = sdk.organizations.update(
        organization_id=made.id, name="Society", admin_delete_enabled=False
    )
    assert (changed.name, changed.slug, changed.admin_delete_enabled) == (
        "Society",
        "analytical",
        False,
    )
    deleted = sdk.organizations.delete(organization_id=made.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (made.id, "organization", True)
    assert sdk.organizations.list(query=made.id).data == []


def test_the_metadata_of_organizations_are_merged_and_replaced(
    sdk: Clerk, organization: models.Organization
) -> None:
    ask: dict[str, Any] = {"organization_id": organization.id}
    merged = sdk.organizations.merge_metadata(**ask, public_metadata={"a": 1, "b": {"c": 2}})
    assert merged.public_metadata == {"a": 1, "b": {"c": 2}}
    merged = sdk.organizations.merge_metadata(**ask, public_metadata={"b": {"c": None, "d": 3}})
    assert merged.public_metadata == {"a": 1, "b": {"d": 3}}
    replaced = sdk.organizations.replace_metadata(**ask, private_metadata={"p": 1})
    assert (replaced.public_metadata, replaced.private_metadata) == (
        {"a": 1, "b": {"d": 3}},
        {"p": 1},
    )


def test_what_is_wrong_with_an_organization_is_told(
    sdk: Clerk, organization: models.Organization
) -> None:
    taken = refusal(
        lambda: sdk.organizations.create(request={"name": "x", "slug": organization.slug})
    )
    assert taken == (422, "form_identifier_exists")
    creator = refusal(
        lambda: sdk.organizations.create(request={"name": "x", "created_by": "user_x"})
    )
    assert creator == (400, "organization_creator_not_found")
    for call in (sdk.organizations.get, sdk.organizations.delete, sdk.organizations.update):
        missing = refusal(partial(call, organization_id="org_x"))
        assert missing == (404, "resource_not_found")
    bad = refusal(lambda: sdk.organizations.list(limit=0))
    assert bad == (422, "form_param_value_invalid")


def test_members_join_change_and_leave(
    local: RunningEmulator, sdk: Clerk, organization: models.Organization
) -> None:
    ask: dict[str, Any] = {"organization_id": organization.id}
    joined = str(local.emulator.create_user(username=f"u{organization.id[4:20]}")["id"])
    members = sdk.organization_memberships
    made = members.create(**ask, user_id=joined, role="org:member")
    assert made.public_user_data is not None
    assert made.public_user_data.user_id == joined
    assert (made.role, made.role_name, made.organization.id) == (
        "org:member",
        "Member",
        organization.id,
    )
    assert made.permissions == ["org:sys_memberships:read"]
    page = members.list(**ask, role=["org:member"])
    assert (page.data, page.total_count) == ([made], 1)
    assert members.list(**ask).total_count == 2
    assert sdk.users.get_organization_memberships(user_id=joined).data == [made]
    assert [one.id for one in sdk.users.list(request={"organization_id": [organization.id]})] == [
        joined,
        str(organization.created_by),
    ]
    changed = members.update(**ask, user_id=joined, role="org:admin")
    assert changed.role == "org:admin"
    noted = members.update_metadata(**ask, user_id=joined, public_metadata={"a": 1})
    assert noted.public_metadata == {"a": 1}
    left = members.delete(**ask, user_id=joined)
    assert left.id == made.id
    assert members.list(**ask).total_count == 1


@pytest.fixture
def ours(local: RunningEmulator) -> OrganizationsApi:
    """What this package has in the place of the SDK's."""
    secret_key = local.emulator.secret_key
    clerk = clerk_wsgi.Clerk(secret_key=secret_key, api_url=local.url, dotenv=False)
    return clerk.api.organizations


def facts(found: Any) -> Any:
    """What an object says, be it read by the SDK or by this package."""
    if isinstance(found, datetime):
        return round(found.timestamp() * 1000)
    if isinstance(found, (Organization, OrganizationMembership)):
        named = {one.name: getattr(found, one.name) for one in dataclasses.fields(found)}
        return {name: facts(value) for name, value in named.items() if value and name != "raw"}
    if isinstance(found, (list, tuple)):
        return [facts(one) for one in found]
    if hasattr(found, "model_fields_set"):
        return {
            name: facts(getattr(found, name))
            for name in found.model_fields_set - {"object"}
            if getattr(found, name)
        }
    return facts_of_mapping(found) if isinstance(found, dict) else found


def facts_of_mapping(found: dict[str, Any]) -> dict[str, Any]:
    return {name: facts(value) for name, value in found.items() if value}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Organization, models.Organization),
        (OrganizationMembership, models.OrganizationMembership),
    ],
)
def test_this_package_knows_every_field_that_the_sdk_knows(ours: Any, theirs: Any) -> None:
    known = {one.name for one in dataclasses.fields(ours)}
    assert known - {"raw"} == theirs.model_fields.keys() - {"object"}


def test_this_package_reads_organizations_as_the_sdk_does(
    sdk: Clerk, ours: OrganizationsApi, organization: models.Organization
) -> None:
    ask: dict[str, Any] = {"organization_id": organization.id}
    assert facts(ours.get(organization.id)) == facts(sdk.organizations.get(**ask))
    for counted in (None, True):
        mine = ours.list(organization_id=organization.id, include_members_count=counted)
        theirs = sdk.organizations.list(
            organization_id=[organization.id], include_members_count=counted
        )
        assert facts(list(mine)) == facts(theirs.data)
    [member] = ours.memberships(organization.id, role="org:admin")
    [same] = sdk.organization_memberships.list(**ask, role=["org:admin"]).data
    assert facts(member) == facts(same)
    assert member.user_id == organization.created_by


def test_this_package_creates_changes_and_deletes_organizations_for_the_sdk_to_see(
    sdk: Clerk, ours: OrganizationsApi, user_id: str
) -> None:
    made = ours.create("Society", created_by=user_id, public_metadata={"founded": 1812})
    assert facts(sdk.organizations.get(organization_id=made.id)) == facts(made)
    changed = ours.update(made.id, name="Analytical Society", slug="analytical-people")
    assert (changed.name, changed.public_metadata) == ("Analytical Society", {"founded": 1812})
    assert facts(sdk.organizations.get(organization_id="analytical-people")) == facts(changed)
    ours.delete(made.id)
    missing = refusal(lambda: sdk.organizations.get(organization_id=made.id))
    assert missing == (404, "resource_not_found")
    with pytest.raises(ApiError) as caught:
        ours.get(made.id)
    assert (caught.value.status_code, caught.value.data[0]["code"]) == missing


def test_what_is_wrong_with_a_membership_is_told(
    sdk: Clerk, user_id: str, organization: models.Organization
) -> None:
    members, here = sdk.organization_memberships, organization.id
    again = refusal(
        lambda: members.create(organization_id=here, user_id=user_id, role="org:member")
    )
    assert again == (400, "already_a_member_in_organization")
    for user, role, where in (
        ("user_x", "org:member", here),
        (user_id, "org:stranger", here),
        (user_id, "org:member", "org_x"),
    ):
        missing = refusal(partial(members.create, organization_id=where, user_id=user, role=role))
        assert missing == (404, "resource_not_found")
    for call in (members.delete, members.update_metadata):
        missing = refusal(partial(call, organization_id=here, user_id="user_x"))
        assert missing == (404, "resource_not_found")
    with pytest.raises(models.SDKError, match="Status 404"):
        sdk.users.get_organization_memberships(user_id="user_x")


def test_the_sdk_reads_permissions_as_they_were_granted(
    local: RunningEmulator, sdk: Clerk, user_id: str, organization: models.Organization
) -> None:
    granted = ["org:docks:read", "org:ships:steer", "org:ships:read", "org:sys_profile:manage"]
    local.emulator.create_role("org:captain", granted)
    local.emulator.update_membership(organization.id, user_id, role="org:captain")
    local.emulator.set_entitlements(user_id, features=["theme"])
    local.emulator.set_entitlements(organization.id, plan="gold", features=["masts"])
    session = sdk.sessions.create(
        request={"user_id": user_id, "active_organization_id": organization.id}
    )
    token = sdk.sessions.create_token(session_id=session.id).jwt
    headers = {"Authorization": f"Bearer {token}"}
    state = sdk.authenticate_request(
        httpx.Request("GET", "https://x", headers=headers),
        AuthenticateRequestOptions(jwt_key=local.emulator.public_key_pem()),
    )
    assert state.is_signed_in
    assert state.payload is not None
    assert state.payload["org_id"] == organization.id
    assert state.payload["org_slug"] == organization.slug
    assert state.payload["org_role"] == "captain"
    assert sorted(state.payload["org_permissions"]) == sorted(granted[:3])


def test_an_organization_of_others_starts_no_session(
    sdk: Clerk, organization: models.Organization
) -> None:
    stranger = sdk.users.create(skip_user_requirement=True).id
    request: Any = {"user_id": stranger, "active_organization_id": organization.id}
    assert refusal(lambda: sdk.sessions.create(request=request)) == (
        404,
        "organization_not_found_or_unauthorized",
    )


# Tickets


def test_sign_in_tokens_are_created_and_revoked(
    local: RunningEmulator, sdk: Clerk, user_id: str, organization: models.Organization
) -> None:
    made = sdk.sign_in_tokens.create(
        request={"user_id": user_id, "org_id": organization.id, "expires_in_seconds": 60}
    )
    assert made is not None
    assert (made.user_id, made.status) == (user_id, models.SignInTokenStatus.PENDING)
    revoked = sdk.sign_in_tokens.revoke(sign_in_token_id=made.id)
    assert revoked.status is models.SignInTokenStatus.REVOKED
    again = refusal(lambda: sdk.sign_in_tokens.revoke(sign_in_token_id=made.id))
    assert again == (400, "sign_in_token_cannot_be_revoked_code")
    other = sdk.sign_in_tokens.create(request={"user_id": user_id})
    assert other is not None
    assert other.token
    assert local.emulator.redeem_ticket(other.token) == user_id


def test_what_is_wrong_with_a_sign_in_token_is_told(sdk: Clerk, user_id: str) -> None:
    tokens = sdk.sign_in_tokens
    missing = refusal(lambda: tokens.create(request={"user_id": "user_x"}))
    assert missing == (404, "resource_not_found")
    stranger: Any = {"user_id": user_id, "org_id": "org_x"}
    assert refusal(lambda: tokens.create(request=stranger)) == (
        404,
        "organization_not_found_or_unauthorized",
    )
    brief: Any = {"user_id": user_id, "expires_in_seconds": 0}
    assert refusal(lambda: tokens.create(request=brief)) == (422, "form_param_value_invalid")
    unknown = refusal(lambda: tokens.revoke(sign_in_token_id="sit_x"))
    assert unknown == (404, "resource_not_found")


def test_testing_tokens_are_handed_out(sdk: Clerk) -> None:
    token = sdk.testing_tokens.create()
    assert token.token
    assert 3590 < token.expires_at - time.time() <= 3600


# All of it


def test_a_wrong_key_is_refused(local: RunningEmulator) -> None:
    with sdk_of(local, "sk_test_wrong") as clerk:
        assert refusal(lambda: clerk.users.list(request={})) == (401, "clerk_key_invalid")


def test_the_asynchronous_half_works_too(local: RunningEmulator, user_id: str) -> None:
    async def ask() -> tuple[str, list[Any]]:
        async with sdk_of(local) as clerk:
            user = await clerk.users.get_async(user_id=user_id)
            return user.id, await clerk.sessions.list_async(user_id=user_id)

    assert asyncio.run(ask()) == (user_id, [])


def test_an_outage_looks_like_one(local: RunningEmulator, sdk: Clerk) -> None:
    for status in (429, 503):
        local.emulator.faults.fail(status)
        with pytest.raises(models.SDKError) as caught:
            sdk.users.list(request={}, retries=NO_RETRIES)
        assert caught.value.raw_response.status_code == status
        local.emulator.faults.clear()
    local.emulator.faults.fail(None)
    with pytest.raises(httpx.TransportError):
        sdk.users.list(request={}, retries=NO_RETRIES)
    local.emulator.faults.clear()
    assert sdk.users.list(request={"limit": 1})


def test_the_sdk_tries_again_after_an_error(local: RunningEmulator, sdk: Clerk) -> None:
    local.emulator.faults.fail(500, rate=0.5)
    asked = len(local.emulator.requests)
    assert sdk.users.list(request={"limit": 1})
    assert sdk.users.list(request={"limit": 1})
    assert [one.status for one in local.emulator.requests[asked:]] == [200, 500, 200]
