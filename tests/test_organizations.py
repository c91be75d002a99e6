"""Organization sync: a page that names an organization wants it active."""

from __future__ import annotations

from typing import Any

import pytest

from clerk_wsgi import Clerk, Handshake, SignedIn
from clerk_wsgi.address import Address
from clerk_wsgi.claims import Auth
from clerk_wsgi.organization_sync import OrganizationSync, Wanted

from .minting import ISSUER_TEST, NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST
from .requesting import (
    MINTER,
    load,
    location_of,
    outcome,
    parameters_of,
    set_cookies_of,
    user_of,
)

ACME: dict[str, Any] = {"v": 2, "o": {"id": "org_1", "slg": "acme"}}
BY_ID = ["/by-id/:id", "/by-id/:id/(.*)"]
BY_SLUG = ["/by-slug/:slug", "/by-slug/:slug/(.*)"]
PERSONAL = ["/me", "/me/(.*)"]


def at(path: str) -> Address:
    return Address(origin="https://app.test", path=path, query="id=org_9")


# What a path asks for


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/by-id/org_1", Wanted(id="org_1")),
        ("/by-id/org_1/settings", Wanted(id="org_1")),
        ("/by-id/org_1/", Wanted(id="org_1")),
        ("/BY-ID/org_1", Wanted(id="org_1")),
        ("/by-slug/acme/x/y", Wanted(slug="acme")),
        ("/by-slug/ac%20me", Wanted(slug="ac%20me")),
        ("/me", Wanted()),
        ("/me/settings", Wanted()),
        ("/", None),
        ("/by-id", None),
        ("/by-id/", None),
        ("//by-id/org_1", None),
        ("/x/by-id/org_1", None),
        ("/mee", None),
    ],
)
def test_the_path_says_what_is_wanted(path: str, wanted: Wanted | None) -> None:
    assert OrganizationSync([*BY_ID, *BY_SLUG], PERSONAL).wanted(at(path)) == wanted


@pytest.mark.parametrize(
    ("organizations", "personal", "path", "wanted"),
    [
        # The first pattern that matches decides, and an id goes before a slug.
        (["/orgs/:id", "/orgs/:slug"], [], "/orgs/x", Wanted(id="x")),
        (["/orgs/:slug", "/orgs/:id"], [], "/orgs/x", Wanted(slug="x")),
        (["/:slug/:id"], [], "/a/b", Wanted(id="b")),
        (["/:id/:slug"], [], "/a/b", Wanted(id="a")),
        (["/orgs/:id?", "/orgs/:slug"], [], "/orgs/x", Wanted(id="x")),
        # A match that names neither is no organization: the personal patterns are tried.
        (["/orgs/:org", "/orgs/:id"], ["/(.*)"], "/orgs/x", Wanted()),
        (["/orgs/:org", "/orgs/:id"], [], "/orgs/x", None),
        (["/orgs/(.*)"], ["/orgs/x"], "/orgs/x", Wanted()),
        (["/orgs/:id?"], ["/orgs"], "/orgs", Wanted()),
        (["/orgs/:ID"], [], "/orgs/x", None),
        # Without any pattern nothing is wanted (rule D28).
        ([], [], "/", None),
        ([], ["/me"], "/me", Wanted()),
        (["/orgs/:id"], [], "/me", None),
    ],
)
def test_of_several_patterns_the_first_that_matches_decides(
    organizations: list[str], personal: list[str], path: str, wanted: Wanted | None
) -> None:
    assert OrganizationSync(organizations, personal).wanted(at(path)) == wanted


@pytest.mark.parametrize(
    ("wanted", "parameter"),
    [
        (Wanted(id="org_1"), "org_1"),
        (Wanted(slug="acme"), "acme"),
        (Wanted(id="org_1", slug="acme"), "org_1"),
        (Wanted(), ""),
    ],
)
def test_clerk_is_told_an_id_a_slug_or_nothing(wanted: Wanted, parameter: str) -> None:
    assert wanted.parameter == parameter


@pytest.mark.parametrize(
    ("wanted", "claims", "is_active"),
    [
        (Wanted(id="org_1"), ACME, True),
        (Wanted(id="org_2"), ACME, False),
        (Wanted(id="ORG_1"), ACME, False),
        (Wanted(id="acme"), ACME, False),
        (Wanted(id="org_1"), {}, False),
        (Wanted(slug="acme"), ACME, True),
        (Wanted(slug="ACME"), ACME, False),
        (Wanted(slug="org_1"), ACME, False),
        (Wanted(slug="acme"), {}, False),
        (Wanted(id="org_1", slug="other"), ACME, True),
        (Wanted(), {}, True),
        (Wanted(), ACME, False),
        (Wanted(id="org_1"), {"org_id": "org_1", "org_slug": "acme"}, True),
        (Wanted(slug="acme"), {"org_id": "org_1", "org_slug": "acme"}, True),
        (Wanted(), {"org_id": "org_1"}, False),
        # Odd claims are no organization (rule D11).
        (Wanted(id="org_1"), {"v": 2, "o": ["org_1"]}, False),
        (Wanted(), {"v": 2, "o": {"id": 5}}, True),
    ],
)
def test_it_is_active_if_the_session_says_so(
    wanted: Wanted, claims: dict[str, Any], is_active: bool
) -> None:
    assert wanted.is_active(Auth({"sub": "user_1", **claims})) is is_active


# Step 14, through an instance

MISMATCH = "active-organization-mismatch"


def clerk(**options: Any) -> Clerk:
    given = {
        "secret_key": "sk_live_x",
        "publishable_key": PUBLISHABLE_LIVE,
        "jwt_key": MINTER.pem,
        "organization_patterns": [*BY_ID, *BY_SLUG],
        "personal_account_patterns": PERSONAL,
        "dotenv": False,
        "clock": lambda: NOW,
        **options,
    }
    return Clerk(**given)


def signed_in(**claims: Any) -> str:
    return f"__session={MINTER.token(**claims)}; __client_uat=1"


@pytest.mark.parametrize(
    ("path", "claims", "organization"),
    [
        ("/by-id/org_2", ACME, "org_2"),
        ("/by-id/org_2", {}, "org_2"),
        ("/by-slug/other/x", ACME, "other"),
        ("/me", ACME, ""),
    ],
)
def test_another_organization_is_activated_by_a_handshake(
    path: str, claims: dict[str, Any], organization: str
) -> None:
    state = clerk().authenticate(load("a=1", signed_in(**claims), PATH_INFO=path))
    assert isinstance(state, Handshake)
    assert state.reason == MISMATCH
    told = parameters_of(location_of(state) or "")
    assert told["organization_id"] == organization
    assert told["redirect_url"] == f"https://app.test{path}?a=1"
    assert set_cookies_of(state)[0].startswith("__clerk_redirect_count=1;")


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("/by-id/org_1", ACME),
        ("/by-slug/acme", ACME),
        ("/me", {}),
        ("/elsewhere", ACME),
        ("/elsewhere", {}),
    ],
)
def test_the_right_one_is_left_alone(path: str, claims: dict[str, Any]) -> None:
    state = clerk().authenticate(load("", signed_in(**claims), PATH_INFO=path))
    assert user_of(state) == "user_1"
    assert state.headers == []


@pytest.mark.parametrize(
    "keys",
    [
        {"REQUEST_METHOD": "POST"},
        {"REQUEST_METHOD": "HEAD"},
        {"HTTP_SEC_FETCH_DEST": "empty"},
        {"HTTP_SEC_FETCH_DEST": "", "HTTP_ACCEPT": "application/json"},
        {"HTTP_COOKIE": f"{signed_in(**ACME)}; __clerk_redirect_count=3"},
        {"HTTP_COOKIE": f"{signed_in(**ACME)}; __clerk_redirect_count=4"},
        {"HTTP_COOKIE": "", "HTTP_AUTHORIZATION": f"Bearer {MINTER.token(**ACME)}"},
    ],
)
def test_what_cannot_be_redirected_stays_signed_in(keys: dict[str, str]) -> None:
    environ = {**load("", signed_in(**ACME), PATH_INFO="/by-id/org_2"), **keys}
    state = clerk().authenticate(environ)
    assert user_of(state) == "user_1"
    assert state.headers == []


def test_a_pending_session_has_no_organization_to_activate() -> None:
    cookies = signed_in(sts="pending", **ACME)
    state = clerk().authenticate(load("", cookies, PATH_INFO="/by-id/org_2"))
    assert isinstance(state, SignedIn)
    assert not state.auth


@pytest.mark.parametrize("cookies", ["", "__client_uat=1", "__session=x; __client_uat=1"])
def test_nobody_has_no_organization_to_activate(cookies: str) -> None:
    state = clerk().authenticate(load("", cookies, PATH_INFO="/by-id/org_2"))
    assert state.reason != MISMATCH


@pytest.mark.parametrize("path", ["/by-id/org_2", "/me"])
def test_without_a_publishable_key_nothing_is_activated(path: str) -> None:
    instance = clerk(publishable_key=None)
    state = instance.authenticate(load("", signed_in(**ACME), PATH_INFO=path))
    assert user_of(state) == "user_1"


@pytest.mark.parametrize("patterns", [[], None])
def test_an_empty_list_of_patterns_is_none_at_all(patterns: list[str] | None) -> None:
    """Rule D28."""
    instance = clerk(organization_patterns=patterns, personal_account_patterns=patterns)
    for path in ("/", "/me", "/by-id/org_2"):
        state = instance.authenticate(load("", signed_in(**ACME), PATH_INFO=path))
        assert user_of(state) == "user_1"


def test_the_whole_path_counts_where_an_application_is_mounted() -> None:
    keys = {"SCRIPT_NAME": "/by-id", "PATH_INFO": "/org_2"}
    state = clerk().authenticate(load("", signed_in(**ACME), **keys))
    assert state.reason == MISMATCH


def test_a_path_that_begins_with_two_slashes_stays_a_path() -> None:
    """Rule D8."""
    instance = clerk(organization_patterns=["//by-id/:id"])
    state = instance.authenticate(load("", signed_in(**ACME), PATH_INFO="//by-id/org_2"))
    assert state.reason == MISMATCH
    assert parameters_of(location_of(state) or "")["redirect_url"] == (
        "https://app.test//by-id/org_2"
    )


# After a handshake (rule D4)


def handshake(issuer: str) -> str:
    brought = [f"__session={MINTER.token(iss=issuer)}; Path=/", "__client_uat=1"]
    return MINTER.compact({"alg": "RS256", "typ": "JWT"}, {"handshake": brought})


def test_in_production_a_session_just_brought_home_must_have_it_active_too() -> None:
    cookies = f"__clerk_handshake={handshake('https://clerk.example.com')}"
    state = clerk().authenticate(load("", cookies, PATH_INFO="/by-id/org_2"))
    assert outcome(state) == ("handshake", MISMATCH)


def test_in_development_the_browser_first_goes_to_the_clean_address() -> None:
    instance = clerk(secret_key="sk_test_x", publishable_key=PUBLISHABLE_TEST)
    query = f"__clerk_handshake={handshake(ISSUER_TEST)}"
    state = instance.authenticate(load(query, PATH_INFO="/by-id/org_2"))
    assert user_of(state) == "user_1"
    assert location_of(state) == "https://app.test/by-id/org_2"
    # There it is asked again, with the cookies that were set.
    cookies = "; ".join(line.partition(";")[0] for line in set_cookies_of(state))
    again = instance.authenticate(
        load("", f"{cookies}; __clerk_db_jwt=d", PATH_INFO="/by-id/org_2")
    )
    assert outcome(again) == ("handshake", MISMATCH)
    assert "__clerk_handshake" not in parameters_of(location_of(again) or "")["redirect_url"]
