"""The unmodified clerk-js with the local Clerk: after each step, page and application agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clerk_wsgi.emulator import DEMO_PASSWORD

from .clerk_js import CLERK_JS, CLERK_UI, SCRIPTS, ClerkPage, Who
from .npm import unpack
from .served import DEVELOPMENT, PRODUCTION, Site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from .browsers import OpenWindow, Window

pytestmark = pytest.mark.servers

ADA = {"strategy": "password", "identifier": "ada@example.com", "password": DEMO_PASSWORD}
GRACE = {"strategy": "password", "identifier": "grace", "password": "nanoseconds are this long"}
LIFETIME = 3  # seconds, of a token that is renewed
LEEWAY = 5  # seconds; clerk_wsgi's default clock_skew
# Clerk is at 127.0.0.1: localhost is another site, whose cookies are its own.
TWO_PLACES = ["development at localhost", "production at 127.0.0.1"]
PLACES = [*TWO_PLACES, "development at 127.0.0.1"]


@pytest.fixture(scope="module")
def packages(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clerk-js and its components in it."""
    folder = tmp_path_factory.mktemp("packages")
    for package in (CLERK_JS, CLERK_UI):
        unpack(package, folder)
    return folder


@pytest.fixture(scope="module")
def development(packages: Path) -> Iterator[Site]:
    with serving(DEVELOPMENT, scripts=SCRIPTS, clerk_js=packages) as site:
        add_grace(site)
        yield site


@pytest.fixture(scope="module")
def production(packages: Path) -> Iterator[Site]:
    with serving(PRODUCTION, scripts=SCRIPTS, clerk_js=packages) as site:
        add_grace(site)
        yield site


def page_at(place: str, request: pytest.FixtureRequest, window: Window) -> ClerkPage:
    """Return a page that was not loaded yet, of the instance and at the host that is named."""
    instance, _, host = place.partition(" at ")
    site: Site = request.getfixturevalue(instance)
    window.expect_console("status of 401 .*/api/me")  # who is signed out is told so
    return ClerkPage(window, site, site.at(host))


@pytest.fixture(params=PLACES)
def everywhere(request: pytest.FixtureRequest, window: Window) -> ClerkPage:
    """A page at each of the places."""
    return page_at(request.param, request, window)


@pytest.fixture(params=TWO_PLACES)
def here(request: pytest.FixtureRequest, window: Window) -> ClerkPage:
    """A page at two of them."""
    return page_at(request.param, request, window)


@pytest.fixture
def signed_in(here: ClerkPage) -> ClerkPage:
    """A page in which Ada is signed in."""
    assert here.load() is None
    assert here.sign_in(**ADA) == []
    return here


def add_grace(site: Site) -> None:
    site.emulator.create_user(
        username=GRACE["identifier"], password=GRACE["password"], first_name="Grace"
    )


def user_id(page: ClerkPage, name: str) -> str:
    [found] = [user for user in page.site.emulator.users() if user["first_name"] == name]
    return str(found["id"])


def name_of(page: ClerkPage, who: Who | None) -> str | None:
    return str(page.site.emulator.user(who.user_id)["first_name"]) if who else None


def test_one_step_signs_in_until_signing_out(everywhere: ClerkPage) -> None:
    assert everywhere.load() is None
    assert everywhere.who_after_reload() is None
    assert everywhere.sign_in(**ADA) == []
    who = everywhere.who_after_reload()
    assert name_of(everywhere, who) == "Ada"
    everywhere.sign_out()
    assert everywhere.who_after_reload() is None
    assert who
    assert everywhere.site.emulator.session(who.session_id)["status"] == "removed"


def test_two_steps_sign_in(here: ClerkPage) -> None:
    here.window.expect_console("status of 422 .*/attempt_first_factor")
    assert here.load() is None
    here.run(
        "window.going = await Clerk.client.signIn.create({identifier: argument});"
        "if (going.status !== 'needs_first_factor') throw new Error(going.status)",
        ADA["identifier"],
    )
    attempt = "window.done = await going.attemptFirstFactor({strategy: 'password', ...argument})"
    assert here.errors_of(attempt, {"password": "wrong"}) == ["form_password_incorrect"]
    assert here.who() is None
    here.run(attempt, {"password": ADA["password"]})
    assert here.who() is None  # until the page says so
    here.run("await Clerk.setActive({session: done.createdSessionId})")
    assert name_of(here, here.who_after_reload()) == "Ada"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"password": "wrong"}, "form_password_incorrect"),
        ({"identifier": "nobody@example.com"}, "form_identifier_not_found"),
    ],
)
def test_what_is_wrong_signs_nobody_in(here: ClerkPage, wrong: dict[str, str], code: str) -> None:
    here.window.expect_console("status of 422 .*/v1/client/sign_ins")
    assert here.load() is None
    assert here.sign_in(**{**ADA, **wrong}) == [code]
    assert here.who_after_reload() is None


def test_a_ticket_signs_in_once(here: ClerkPage) -> None:
    here.window.expect_console("status of 400 .*/v1/client/sign_ins")
    ticket = here.site.emulator.create_sign_in_token(user_id(here, "Grace"))["token"]
    assert here.load() is None
    assert here.sign_in(strategy="ticket", ticket=ticket) == []
    assert name_of(here, here.who_after_reload()) == "Grace"
    here.sign_out()
    again = here.sign_in(strategy="ticket", ticket=ticket)
    assert again == ["sign_in_token_already_used_code"]
    assert here.who_after_reload() is None


def test_of_two_sessions_one_is_active_and_each_can_be_ended(signed_in: ClerkPage) -> None:
    page = signed_in
    ada = page.who()
    assert page.sign_in(**GRACE) == []
    grace = page.who_after_reload()
    assert ada
    assert grace
    assert name_of(page, grace) == "Grace"
    assert page.page.evaluate("Clerk.client.sessions.length") == 2
    switch = "await Clerk.setActive({session: argument})"
    page.run(switch, ada.session_id)
    assert page.who_after_reload() == ada
    page.run(switch, grace.session_id)
    assert page.who_after_reload() == grace
    page.sign_out(grace.session_id)
    page.run(switch, ada.session_id)
    assert page.who_after_reload() == ada
    statuses = [page.site.emulator.session(one.session_id)["status"] for one in (ada, grace)]
    assert statuses == ["active", "removed"]
    page.sign_out()
    assert page.who_after_reload() is None


def test_signing_out_ends_all_sessions(signed_in: ClerkPage) -> None:
    page = signed_in
    sessions = [page.who()]
    assert page.sign_in(**GRACE) == []
    sessions.append(page.who())
    page.sign_out()
    assert page.who_after_reload() is None
    statuses = [page.site.emulator.session(who.session_id)["status"] for who in sessions if who]
    assert statuses == ["removed", "removed"]


def test_the_active_organization_is_the_applications(signed_in: ClerkPage) -> None:
    page = signed_in
    emulator = page.site.emulator
    ours = emulator.create_organization("Analytical Engines")["id"]
    emulator.add_member(ours, user_id(page, "Ada"))
    others = emulator.create_organization("Somebody else's")["id"]
    before = page.who()
    assert before
    assert before.org_id is None
    activate = "await Clerk.setActive({organization: argument})"
    page.run(activate, ours)
    after = page.who_after_reload()
    assert after == Who(user_id=before.user_id, session_id=before.session_id, org_id=ours)
    page.window.expect_console("status of 4.. .*/touch")
    assert page.errors_of(activate, others) != []
    assert page.reload() == after
    page.run(activate, None)
    assert page.who_after_reload() == before


@pytest.fixture
def short_lived_tokens(development: Site, production: Site) -> Iterator[None]:
    usual = development.emulator.token_lifetime
    for site in (development, production):
        site.emulator.token_lifetime = LIFETIME
    yield
    for site in (development, production):
        site.emulator.token_lifetime = usual


@pytest.mark.usefixtures("short_lived_tokens")
def test_a_page_renews_its_token_in_time_as_long_as_the_session_lives(
    request: pytest.FixtureRequest, open_window: OpenWindow
) -> None:
    pages = [page_at(place, request, open_window()) for place in PLACES]
    for page in pages:
        assert page.load() is None
        assert page.sign_in(**ADA) == []
    before = [(page.who(), page.session_cookie()) for page in pages]
    pages[0].page.wait_for_timeout(1000 * (LIFETIME + LEEWAY + 0.5))
    for page, (who, token) in zip(pages, before, strict=True):
        assert page.session_cookie() != token
        assert who
        assert page.who_after_reload() == who
        page.site.emulator.update_session(who.session_id, status="revoked")
    for page in pages:
        page.window.expect_console("status of 401 .*/tokens")
        page.page.wait_for_function("() => Clerk.session === null")
        assert page.who_after_reload() is None


def test_a_session_that_was_ended_elsewhere_is_over_in_the_next_page(
    signed_in: ClerkPage,
) -> None:
    who = signed_in.who()
    assert who
    signed_in.site.emulator.update_session(who.session_id, status="revoked")
    assert signed_in.reload() is None
    assert signed_in.who_after_reload() is None


def test_in_production_a_page_of_another_site_can_ask_nothing(
    production: Site, window: Window
) -> None:
    here = ClerkPage(window, production, production.app)
    window.expect_console("status of 401 .*/api/me")
    window.expect_console("blocked by CORS policy")
    window.expect_console("ERR_FAILED|status of 400")
    assert here.load() is None
    assert here.sign_in(**ADA) == []
    window.load(production.at("localhost"))
    asked = "url => fetch(url, {credentials: 'include'}).then(() => 'read', error => error.name)"
    assert window.page.evaluate(asked, f"{production.clerk}/v1/client") == "TypeError"


def test_hosted_pages_and_scripts_share_their_sessions(everywhere: ClerkPage) -> None:
    page = everywhere.page
    assert everywhere.load() is None
    everywhere.run("location.href = Clerk.buildUrlWithAuth(argument)", everywhere.hosted("sign-in"))
    page.get_by_label("Email address or username").fill(ADA["identifier"])
    page.get_by_label("Password").fill(ADA["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{everywhere.app}/")
    everywhere.run("await Clerk.load()")
    assert name_of(everywhere, everywhere.who_after_reload()) == "Ada"
    everywhere.sign_out()
    assert everywhere.who_after_reload() is None


def test_the_sign_in_component_signs_in(development: Site, window: Window) -> None:
    window.expect_console("status of 422 .*/attempt_first_factor")
    here = ClerkPage(window, development, development.app)
    page = window.page
    page.goto(f"{here.app}/")
    here.run("await Clerk.load({ui: {ClerkUI: window.__internal_ClerkUICtor}})")
    here.run("Clerk.mountSignIn(document.getElementById('component'), {routing: 'hash'})")
    page.get_by_label("Email address or username").fill(ADA["identifier"])
    page.get_by_role("button", name="Continue", exact=True).click()
    password = page.get_by_label("Password", exact=True)
    password.fill("wrong")
    page.get_by_role("button", name="Continue", exact=True).click()
    page.get_by_text("Password is incorrect").first.wait_for()
    password.fill(ADA["password"])
    with page.expect_navigation(url=f"{here.app}/"):
        page.get_by_role("button", name="Continue", exact=True).click()
    here.run("await Clerk.load()")
    assert name_of(here, here.who_after_reload()) == "Ada"
