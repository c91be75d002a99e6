"""A wrapped application in a browser without JavaScript, wherever it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from clerk_wsgi.emulator import DEMO_PASSWORD

from .application import NOBODY
from .served import DEVELOPMENT, PRODUCTION, Site, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from .browsers import OpenWindow, Window

pytestmark = pytest.mark.servers

LIFETIME = 1  # seconds, of a token
LEEWAY = 5  # seconds; clerk_wsgi's default clock_skew


@pytest.fixture(scope="module")
def development(chromium: Browser) -> Iterator[Site]:
    with serving(DEVELOPMENT) as site:
        site.emulator.token_lifetime = LIFETIME
        yield site


@pytest.fixture(scope="module")
def production(chromium: Browser) -> Iterator[Site]:
    with serving(PRODUCTION) as site:
        site.emulator.token_lifetime = LIFETIME
        yield site


def sign_in(window: Window, site: Site, app: str) -> str:
    """Sign in on the hosted page, and return what the application says then."""
    page = window.page
    page.goto(site.hosted("sign-in", f"{app}/"))
    page.get_by_label("Email address or username").fill("ada@example.com")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{app}/")
    return window.text


def sign_out(window: Window, site: Site, app: str) -> str:
    page = window.page
    page.goto(site.hosted("sign-out", f"{app}/"))
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{app}/")
    return window.text


def test_an_expired_token_is_renewed_while_nobody_notices(
    development: Site, production: Site, open_window: OpenWindow
) -> None:
    places = [
        (development, development.app),
        (development, development.at("localhost")),
        (production, production.app),
    ]
    visits = [(open_window(java_script_enabled=False), site, app) for site, app in places]
    said = {}
    for window, site, app in visits:
        assert window.load(app) == NOBODY
        said[window] = sign_in(window, site, app)
        assert re.fullmatch("user_[A-Za-z0-9]+ sess_[A-Za-z0-9]+ None", said[window])
    visits[0][0].page.wait_for_timeout(1000 * (LIFETIME + LEEWAY + 0.5))
    for window, site, app in visits:
        assert window.load(app) == said[window]
        assert window.page.url == f"{app}/"
        assert sign_out(window, site, app) == NOBODY
        assert window.load(app) == NOBODY


def test_two_sites_of_one_browser_do_not_share_a_session(
    development: Site, plain_window: Window
) -> None:
    assert sign_in(plain_window, development, development.app) != NOBODY
    assert plain_window.load(development.at("localhost")) == NOBODY


def test_in_production_an_application_of_another_site_is_turned_away(
    production: Site, plain_window: Window
) -> None:
    plain_window.expect_console("status of 422")
    text = plain_window.load(production.hosted("sign-in", f"{production.at('localhost')}/"))
    assert "must share cookies with 127.0.0.1" in text
