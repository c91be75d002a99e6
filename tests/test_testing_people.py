"""Who ``sign_in`` makes: users, sessions, organizations and roles, as the wrapper sees them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi import Auth, Clerk
from clerk_wsgi.emulator import NotFound
from clerk_wsgi.testing import Credentials, Emulator, bearer, clerk_for, sign_in, sign_out

from .minting import PUBLISHABLE_LIVE, PUBLISHABLE_TEST, SUFFIX_LIVE, SUFFIX_TEST, environ

if TYPE_CHECKING:
    from clerk_wsgi.testing import Identity, SignIn


def auth_of(clerk: Clerk, who: Credentials) -> Auth:
    """What a request with these credentials may do."""
    auth = clerk.authenticate(environ(**who.environ)).to_auth()
    assert isinstance(auth, Auth)
    return auth


def claims_of(who: Identity) -> dict[str, Any]:
    payload = who.token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return found


def test_without_wishes_it_is_a_new_user_in_a_personal_account(
    signed_in: SignIn, clerk: Clerk, clerk_emulator: Emulator
) -> None:
    one, other = signed_in(), signed_in()
    assert one.user["id"] != other.user["id"]
    assert one.user["id"] in [user["id"] for user in clerk_emulator.users()]
    assert clerk_emulator.session(one.session["id"])["user_id"] == one.user["id"]
    auth = auth_of(clerk, one)
    assert (auth.user_id, auth.session_id) == (one.user["id"], one.session["id"])
    assert (auth.org_id, auth.org_role, one.organization) == (None, None, None)


def test_a_user_that_there_is_gets_another_session(
    signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    ada = clerk_emulator.users()[0]
    before = clerk_emulator.sessions(user_id=ada["id"])
    who = signed_in(user_id=ada["id"])
    assert who.user["first_name"] == "Ada"
    assert len(clerk_emulator.sessions(user_id=ada["id"])) == len(before) + 1
    assert len(clerk_emulator.users()) == 1


def test_a_user_that_there_is_not_is_made_with_that_id(
    signed_in: SignIn, clerk: Clerk, clerk_emulator: Emulator
) -> None:
    who = signed_in(user_id="user_42")
    assert auth_of(clerk, who).user_id == "user_42"
    assert clerk.users.get("user_42").id == "user_42"
    assert signed_in(user_id="user_42").session["id"] != who.session["id"]
    assert [user["id"] for user in clerk_emulator.users()][1:] == ["user_42"]


# Organizations


def test_a_role_alone_is_one_in_acme(signed_in: SignIn, clerk: Clerk) -> None:
    admin, member = signed_in(org_role="org:admin"), signed_in(org_role="org:member")
    for who, role in ((admin, "org:admin"), (member, "org:member")):
        auth = auth_of(clerk, who)
        assert who.organization
        assert (auth.org_id, auth.org_slug) == (who.organization["id"], "acme")
        assert (auth.org_role, auth.org_permissions) == (role, ())
    assert admin.organization
    assert member.organization
    assert admin.organization["id"] == member.organization["id"]
    assert member.organization["members_count"] == 2


def test_organizations_are_told_apart_by_slug_and_id(
    signed_in: SignIn, clerk: Clerk, clerk_emulator: Emulator
) -> None:
    by_slug = auth_of(clerk, signed_in(org_slug="lovelace-labs"))
    by_id = auth_of(clerk, signed_in(org_id="org_7", org_role="org:admin"))
    both = auth_of(clerk, signed_in(org_id="org_8", org_slug="hopper"))
    assert (by_slug.org_slug, by_slug.org_role) == ("lovelace-labs", "org:member")
    assert (by_id.org_id, by_id.org_role) == ("org_7", "org:admin")
    assert (both.org_id, both.org_slug) == ("org_8", "hopper")
    assert len(clerk_emulator.organizations()) == 3
    again = auth_of(clerk, signed_in(org_slug="hopper"))
    assert again.org_id == "org_8"
    assert len(clerk_emulator.organizations()) == 3


def test_an_id_and_a_slug_of_two_organizations_are_an_error(signed_in: SignIn) -> None:
    signed_in(org_id="org_7", org_slug="acme")
    with pytest.raises(ValueError, match="org_slug: org_7 has the slug 'acme'"):
        signed_in(org_id="org_7", org_slug="hopper")
    with pytest.raises(ValueError, match="the slug 'acme' is taken"):
        signed_in(org_id="org_8", org_slug="acme")


@pytest.mark.parametrize(
    "who",
    [{"org_slug": "Not A Slug"}, {"org_role": "admin"}, {"permissions": ["read"]}],
    ids=str,
)
def test_what_clerk_would_not_take_is_an_error_and_changes_nothing(
    who: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    before = clerk_emulator.users(), clerk_emulator.organizations(), clerk_emulator.roles()
    with pytest.raises(ValueError, match="no slug|not the key of a role|no permission"):
        signed_in(**who)
    assert before == (
        clerk_emulator.users(),
        clerk_emulator.organizations(),
        clerk_emulator.roles(),
    )


def test_permissions_are_those_of_the_role(signed_in: SignIn, clerk: Clerk) -> None:
    granted = ("org:invoices:read", "org:invoices:pay", "org:teams:read")
    custom = signed_in(org_role="org:billing", permissions=granted)
    auth = auth_of(clerk, custom)
    assert auth.org_role == "org:billing"
    assert sorted(auth.org_permissions or ()) == sorted(granted)
    colleague = auth_of(clerk, signed_in(org_role="org:billing"))
    assert sorted(colleague.org_permissions or ()) == sorted(granted)
    plain = signed_in(permissions=iter(["org:teams:read"]))
    assert auth_of(clerk, plain).org_role == "org:member"
    assert auth_of(clerk, plain).org_permissions == ("org:teams:read",)


def test_a_role_without_permissions_has_none(signed_in: SignIn, clerk: Clerk) -> None:
    for role in ("org:admin", "org:member", "org:guest"):
        auth = auth_of(clerk, signed_in(org_role=role))
        assert (auth.org_role, auth.org_permissions) == (role, ())


def test_a_member_gets_the_role_of_the_latest_sign_in(
    signed_in: SignIn, clerk: Clerk, clerk_emulator: Emulator
) -> None:
    signed_in(user_id="user_7", org_role="org:admin")
    same = signed_in(user_id="user_7", org_slug="acme")
    assert auth_of(clerk, same).org_role == "org:admin"
    other = signed_in(user_id="user_7", org_role="org:member")
    assert auth_of(clerk, other).org_role == "org:member"
    assert len(clerk_emulator.memberships(user_id="user_7")) == 1
    assert auth_of(clerk, signed_in(user_id="user_7")).org_id is None


# Sessions and tokens


@pytest.mark.parametrize("status", ["pending", "revoked", "ended", "removed", "expired"])
def test_a_session_that_is_not_active_does_not_count_live(
    status: str, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    who = signed_in(status=status)
    assert who.session["status"] == status
    live = clerk_for(clerk_emulator, verification="live")
    assert not auth_of(live, who)
    assert auth_of(live, signed_in())


def test_a_pending_session_does_not_count_at_all(signed_in: SignIn, clerk: Clerk) -> None:
    who = signed_in(status="pending")
    assert not auth_of(clerk, who)
    assert claims_of(who)["sts"] == "pending"


@pytest.mark.parametrize(
    ("who", "error", "text"),
    [
        ({"status": "asleep"}, ValueError, "status: expected one of active, pending"),
        ({"carrier": "query"}, ValueError, "carrier: expected 'bearer' or 'cookies'"),
        ({"org_rol": "org:admin"}, TypeError, "sign_in: there is no argument 'org_rol'"),
        ({"user_id": "ada@example.com"}, ValueError, "no user 'ada@example.com', and none is made"),
        ({"user_id": "user_../x"}, ValueError, "it would begin with user_"),
        ({"azp": "https://app.example.com"}, TypeError, "azp"),
        ({"claims": {"expires_in": None}}, TypeError, "expires_in"),
    ],
)
def test_a_wish_that_cannot_be_meant_is_an_error_and_makes_nobody(
    who: Any, error: type[Exception], text: str, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    before = clerk_emulator.users()
    with pytest.raises(error, match=text):
        signed_in(**who)
    assert clerk_emulator.users() == before


def test_claims_and_lifetime_are_as_wished(
    signed_in: SignIn, clerk_emulator: Emulator, clerk: Clerk
) -> None:
    who = signed_in(claims={"azp": "https://app.example.com", "act": {"sub": "user_boss"}})
    assert claims_of(who)["azp"] == "https://app.example.com"
    assert auth_of(clerk, who).actor == {"sub": "user_boss"}
    careful = clerk_for(clerk_emulator, authorized_parties=["https://app.example.com"])
    assert auth_of(careful, who)
    assert not auth_of(careful, signed_in())
    for token, lifetime in ((who, 60), (signed_in(expires_in=3600), 3600)):
        claims = claims_of(token)
        assert claims["exp"] - claims["iat"] == lifetime
    assert not auth_of(clerk, signed_in(expires_in=-6))


# What it carries


def test_a_bearer_is_one_header_and_nothing_else(signed_in: SignIn) -> None:
    who = signed_in()
    assert who.headers == {"Authorization": f"Bearer {who.token}"}
    assert who.environ == {"HTTP_AUTHORIZATION": f"Bearer {who.token}"}
    assert who.cookies == {}


@pytest.mark.clerk(publishable_key=PUBLISHABLE_TEST)
def test_cookies_are_those_of_a_browser_in_development(
    signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    who = signed_in(carrier="cookies")
    assert who.headers == {}
    plain = {"__session", "__client_uat", "__clerk_db_jwt"}
    assert who.cookies.keys() == plain | {f"{name}_{SUFFIX_TEST}" for name in plain}
    for name in plain:
        assert who.cookies[f"{name}_{SUFFIX_TEST}"] == who.cookies[name]
    client = clerk_emulator.client(who.session["client_id"])
    assert int(who.cookies["__client_uat"]) == client["updated_at"] // 1000


@pytest.mark.clerk(publishable_key=PUBLISHABLE_LIVE)
def test_in_production_there_is_no_cookie_of_a_development_browser(
    signed_in: SignIn, clerk: Clerk
) -> None:
    who = signed_in(carrier="cookies")
    suffixed = {"__session", "__client_uat"}
    assert who.cookies.keys() == suffixed | {f"{name}_{SUFFIX_LIVE}" for name in suffixed}
    assert auth_of(clerk, who).user_id == who.user["id"]


def test_a_browsers_cookies_are_known_at_the_local_clerk_too(
    signed_in: SignIn, clerk: Clerk, frozen_clock: Any
) -> None:
    """After a minute a page load is sent to the local Clerk, which knows the browser again."""
    who = signed_in(carrier="cookies")
    frozen_clock.tick(66)
    page_load = environ(HTTP_SEC_FETCH_DEST="document", **who.environ)
    state = clerk.authenticate(page_load)
    assert state.status == "handshake"
    location = dict(state.headers)["Location"]
    assert f"__clerk_db_jwt={who.cookies['__clerk_db_jwt']}" in location


def test_neither_a_repr_nor_a_str_shows_a_token(signed_in: SignIn) -> None:
    for who in (signed_in(), signed_in(carrier="cookies")):
        for text in (repr(who), str(who)):
            assert who.token not in text
            assert who.user["id"] in text
    assert "secret" not in repr(bearer("secret"))


def test_an_environ_that_is_made_is_a_new_one_each_time(signed_in: SignIn) -> None:
    who = signed_in(carrier="cookies")
    who.environ.clear()
    assert who.environ["HTTP_COOKIE"].count("; ") == 5


def test_nobody_is_changed_at_the_local_clerk_by_a_sign_out(
    signed_in: SignIn, clerk_emulator: Emulator, clerk: Clerk
) -> None:
    request: dict[str, Any] = {}
    who = signed_in(request)
    assert sign_out(clerk_emulator, request) == {}
    assert clerk_emulator.session(who.session["id"])["status"] == "active"
    assert auth_of(clerk, who)


def test_the_functions_are_the_fixtures_without_pytest() -> None:
    emulator = Emulator()
    request: dict[str, Any] = {}
    who = sign_in(emulator, request, org_role="org:admin")
    assert request == who.environ
    assert auth_of(clerk_for(emulator), who).org_role == "org:admin"
    with pytest.raises(NotFound):
        emulator.session("sess_of_nobody")
