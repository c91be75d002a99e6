"""A browser on pages that name an organization: the wrapper asks, the local Clerk activates it.

Both servers are real, cookies and redirects travel as they would; only the clock is moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .browsing import ADA, GRACE, PLACES, Browser, Internet, Place, reasons_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DEVELOPMENT, PRODUCTION = PLACES[0], PLACES[3]
MISMATCH = "active-organization-mismatch"

everywhere = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)


class Company(Internet):
    """Ada runs Acme and serves in the navy, the pirates are without her; pages name them.

    ``/orgs/<slug>`` and ``/by-id/<id>`` are of an organization, ``/me`` is personal. Every page
    tells which organization is active, and in which role.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(
            place,
            organization_patterns=["/orgs/:slug", "/orgs/:slug/(.*)", "/by-id/:id"],
            personal_account_patterns=["/me", "/me/(.*)"],
        )
        made = [self.emulator.create_organization(name) for name in ("Acme", "Navy", "Pirates")]
        self.acme, self.navy, self.pirates = (str(one["id"]) for one in made)
        self.emulator.create_role("org:sailor", ["org:ships:steer"])
        self.emulator.add_member(self.acme, self.ada, "org:admin")
        self.emulator.add_member(self.navy, self.ada, "org:sailor")

    def tell(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        auth = environ["clerk.auth"]
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{auth.user_id} {auth.org_slug} {auth.org_role}".encode()]

    def active(self) -> list[str | None]:
        """Which organizations the living sessions of Ada have, the newest last."""
        sessions = self.emulator.sessions(user_id=self.ada, status="active")
        return [one["last_active_organization_id"] for one in sessions[1:]]


@pytest.fixture(params=[DEVELOPMENT, PRODUCTION], ids=lambda place: place.name)
def place(request: pytest.FixtureRequest) -> Place:
    """Where things are, for a test that is not marked to happen everywhere."""
    found: Place = request.param
    return found


@pytest.fixture
def company(place: Place) -> Company:
    return Company(place)


@pytest.fixture
def browser(company: Company) -> Browser:
    """Ada's browser, in which she has just signed in."""
    browser = Browser(company)
    browser.sign_in()
    browser.wait(3)
    return browser


def shown(browser: Browser, path: str) -> tuple[str, str]:
    """The organization and the role that a page tells, which is there without an error."""
    page = browser.load(path)
    assert page.status_int == 200
    assert page.request.path_qs == path
    _, slug, role = page.text.split()
    return slug, role


# Another organization


@everywhere
def test_a_page_of_another_organization_activates_it(browser: Browser, company: Company) -> None:
    assert shown(browser, "/") == ("None", "None")
    for path, expected in (
        ("/orgs/acme", ("acme", "org:admin")),
        ("/orgs/navy/ships?a=1", ("navy", "org:sailor")),
        (f"/by-id/{company.acme}", ("acme", "org:admin")),
        ("/me", ("None", "None")),
        (f"/by-id/{company.navy}", ("navy", "org:sailor")),
    ):
        browser.wait(3)
        assert shown(browser, path) == expected
        assert reasons_of(browser.hops) == [MISMATCH]
        assert shown(browser, path) == expected
        assert reasons_of(browser.hops) == []


def test_a_page_of_no_organization_leaves_the_active_one(browser: Browser) -> None:
    shown(browser, "/orgs/acme")
    browser.wait(3)
    for path in ("/", "/orgs", "/public", "/orgsx/navy"):
        assert shown(browser, path) == ("acme", "org:admin")
        assert reasons_of(browser.hops) == []


@everywhere
def test_signing_in_on_the_way_to_an_organization_activates_it_at_once(place: Place) -> None:
    browser = Browser(Company(place))
    page = browser.sign_in("/orgs/navy")
    assert page.text.endswith("navy org:sailor")
    assert MISMATCH not in reasons_of(browser.hops)


def test_a_handshake_for_another_reason_brings_the_organization_along(browser: Browser) -> None:
    browser.forget("__refresh")
    browser.wait(70)
    assert shown(browser, "/orgs/navy") == ("navy", "org:sailor")
    why = "session-token-expired-refresh-non-eligible-no-refresh-cookie"
    assert reasons_of(browser.hops) == [why]


def test_the_organization_stays_active_when_the_token_is_renewed(browser: Browser) -> None:
    shown(browser, "/orgs/navy")
    browser.wait(70)
    assert shown(browser, "/") == ("navy", "org:sailor")
    assert reasons_of(browser.hops) == []


def test_an_organization_is_active_in_one_browser_alone(browser: Browser, company: Company) -> None:
    other = Browser(company)
    other.sign_in()
    other.wait(3)
    shown(browser, "/orgs/acme")
    shown(other, "/orgs/navy")
    assert company.active() == [company.acme, company.navy]
    assert shown(browser, "/") == ("acme", "org:admin")


def test_of_several_sessions_the_current_one_is_concerned(
    browser: Browser, company: Company
) -> None:
    grace = company.add_grace()
    company.emulator.add_member(company.navy, grace)
    browser.sign_in(**GRACE)
    browser.wait(3)
    assert shown(browser, "/orgs/navy") == ("navy", "org:member")
    assert company.active() == [None]
    browser.sign_in(**ADA)
    browser.wait(3)
    assert shown(browser, "/orgs/acme") == ("acme", "org:admin")
    [session] = company.emulator.sessions(user_id=grace)
    assert session["last_active_organization_id"] == company.navy


# What activates nothing


@everywhere
@pytest.mark.parametrize("name", ["/orgs/pirates", "/by-id/{}", "/orgs/nobody"])
def test_who_is_no_member_stays_signed_in_without(
    browser: Browser, company: Company, name: str
) -> None:
    path = name.format(company.pirates)
    assert shown(browser, path) == ("None", "None")
    assert reasons_of(browser.hops) == [MISMATCH] * 3
    assert shown(browser, path) == ("None", "None")
    assert reasons_of(browser.hops) == []  # the counter is not over yet
    browser.wait(3)
    shown(browser, "/orgs/acme")
    assert reasons_of(browser.hops) == [MISMATCH]
    browser.wait(3)
    assert shown(browser, path) == ("acme", "org:admin")
    assert company.active() == [company.acme]


@pytest.mark.parametrize(
    "name", ["%00", "%2e%2e", "a%26organization_id=b", "x" * 3000, "'%20OR%201=1", "ACME"]
)
def test_a_strange_name_of_an_organization_harms_nobody(
    browser: Browser, company: Company, name: str
) -> None:
    page = browser.load(f"/orgs/{name}")
    assert page.status_int == 200
    assert page.text.endswith("None None")
    assert company.active() == [None]


def test_a_script_is_not_sent_away_and_keeps_what_is_active(
    browser: Browser, company: Company
) -> None:
    shown(browser, "/orgs/acme")
    browser.wait(3)
    page = browser.fetch("/orgs/navy")
    assert (page.status_int, page.text.split()[1]) == (200, "acme")
    assert company.active() == [company.acme]


def test_signed_out_nothing_is_activated(company: Company) -> None:
    browser = Browser(company)
    for path in ("/orgs/acme", "/me"):
        page = browser.load(path)
        assert (page.status_int, page.body) == (401, b"")
        browser.wait(3)
    sessions = company.emulator.sessions()
    assert [one["last_active_organization_id"] for one in sessions] == [None]


def test_who_left_loses_the_organization_with_the_next_token(
    browser: Browser, company: Company
) -> None:
    shown(browser, "/orgs/navy")
    company.emulator.remove_member(company.navy, company.ada)
    assert shown(browser, "/orgs/navy") == ("navy", "org:sailor")
    browser.wait(70)
    assert shown(browser, "/orgs/navy") == ("None", "None")
    browser.wait(3)
    assert shown(browser, "/orgs/acme") == ("acme", "org:admin")


def test_an_organization_that_was_deleted_is_active_no_more(
    browser: Browser, company: Company
) -> None:
    shown(browser, "/orgs/navy")
    company.emulator.delete_organization(company.navy)
    browser.wait(70)
    assert shown(browser, "/") == ("None", "None")
    assert shown(browser, "/orgs/navy") == ("None", "None")


def test_a_session_that_was_revoked_is_not_signed_in_by_an_organization(
    browser: Browser, company: Company
) -> None:
    [session] = company.emulator.sessions(user_id=company.ada)[1:]
    company.emulator.update_session(session["id"], status="revoked")
    browser.wait(70)
    page = browser.load("/orgs/acme")
    assert (page.status_int, page.body) == (401, b"")
    assert company.emulator.session(session["id"])["last_active_organization_id"] is None
