"""A browser between a wrapped application and the local Clerk, from signing in to signing out.

Both servers are real, cookies and redirects travel as they would; only the clock is moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from .browsing import ADA, GRACE, PLACES, Browser, Internet, Place, reasons_of

if TYPE_CHECKING:
    from webtest.response import TestResponse

DEVELOPMENT, PRODUCTION = PLACES[0], PLACES[3]
NONCE = "__clerk_handshake_nonce"


everywhere = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)


@pytest.fixture(params=[DEVELOPMENT, PRODUCTION], ids=lambda place: place.name)
def place(request: pytest.FixtureRequest) -> Place:
    """Where things are, for a test that is not marked to happen everywhere."""
    found: Place = request.param
    return found


@pytest.fixture
def internet(place: Place) -> Internet:
    """An application and a Clerk at that place."""
    return Internet(place)


@pytest.fixture
def browser(internet: Internet) -> Browser:
    return Browser(internet)


def is_signed_out(page: TestResponse) -> bool:
    return (page.status_int, page.body) == (401, b"")


def handshakes(browser: Browser) -> int:
    return len(reasons_of(browser.hops))


def paths_asked(internet: Internet) -> list[str]:
    return [one.path for one in internet.emulator.requests]


# The way through


@everywhere
def test_signed_out_signed_in_and_signed_out_again(browser: Browser, internet: Internet) -> None:
    assert is_signed_out(browser.load("/"))
    assert browser.load("/public").text == "nobody /public?"
    browser.wait(3)
    page = browser.sign_in()
    assert page.status_int == 200
    assert page.text.startswith(f"{internet.ada} sess_")
    assert page.text.endswith(" /?")  # nothing of the handshake is left in the address
    assert browser.load("/public").text.startswith(internet.ada)
    browser.wait(3)
    assert is_signed_out(browser.sign_out())
    assert browser.load("/public").text == "nobody /public?"
    assert browser.cookie("__session") is None
    assert browser.cookie("__client_uat") == "0"


@everywhere
def test_a_handshake_begins_for_the_reason_that_fits(browser: Browser, internet: Internet) -> None:
    development = internet.place.is_development
    browser.load("/")
    assert reasons_of(browser.hops) == (["dev-browser-missing"] if development else [])
    browser.wait(3)
    browser.sign_in()
    expected = "dev-browser-sync" if development else "client-uat-but-no-session-token"
    assert reasons_of(browser.hops) == [expected]
    browser.wait(3)
    browser.sign_out()
    expected = "dev-browser-sync" if development else "session-token-but-no-client-uat"
    assert reasons_of(browser.hops) == [expected]


def test_while_the_token_is_valid_nothing_is_asked(browser: Browser, internet: Internet) -> None:
    browser.sign_in()
    before = len(internet.emulator.requests)
    token = browser.cookie("__session")
    browser.wait(59)
    assert browser.load("/").status_int == 200
    assert browser.fetch("/").status_int == 200
    assert browser.cookie("__session") == token
    assert len(internet.emulator.requests) == before


@everywhere
def test_an_expired_token_is_renewed_without_sending_the_browser_away(
    browser: Browser, internet: Internet
) -> None:
    browser.sign_in()
    for ask in (browser.load, browser.fetch):
        token = browser.cookie("__session")
        browser.wait(70)
        page = ask("/")
        assert page.status_int == 200
        assert len(browser.hops) == 1
        assert page.headers["Cache-Control"] == "private, no-store"
        assert browser.cookie("__session") not in (None, token)
        assert paths_asked(internet)[-1].endswith("/refresh")
        assert ask("/").status_int == 200  # and the new one counts


@everywhere
def test_without_a_refresh_cookie_a_handshake_renews_it(browser: Browser) -> None:
    browser.sign_in()
    token = browser.cookie("__session")
    browser.forget("__refresh")
    browser.wait(70)
    page = browser.load("/")
    assert page.status_int == 200
    why = "session-token-expired-refresh-non-eligible-no-refresh-cookie"
    assert reasons_of(browser.hops) == [why]
    assert browser.cookie("__session") not in (None, token)
    browser.wait(70)
    assert browser.load("/").status_int == 200
    assert handshakes(browser) == 0  # the handshake brought a refresh cookie, too


@pytest.mark.parametrize("path", ["/?a=1&b=%C3%A9", "/caf%C3%A9/x?q=a%26b", "/?__clerk=x&a=%5B"])
def test_signing_in_leads_back_to_the_very_page(browser: Browser, path: str) -> None:
    page = browser.sign_in(path)
    assert page.status_int == 200
    assert page.request.path_qs == path


@pytest.mark.parametrize("copies", ["__session_", "__session", "__client_uat", "__refresh"])
def test_lost_cookies_are_brought_back(browser: Browser, copies: str) -> None:
    browser.sign_in()
    browser.wait(3)
    if copies == "__session":
        browser.forget("__session")
    for name in list(browser.cookies(browser.app)):
        if name.startswith(copies) and name != copies:
            browser.forget(name)
    assert browser.load("/").status_int == 200
    assert handshakes(browser) <= 1


# What must not sign anybody in


def test_a_wrong_password_signs_nobody_in(browser: Browser) -> None:
    form = browser.load(browser.hosted("sign-in", "/"))
    page = browser.submit(form, identifier=ADA["identifier"], password=GRACE["password"])
    assert page.status_int == 422
    assert is_signed_out(browser.load("/"))


@everywhere
def test_a_script_is_refused_and_never_sent_away(browser: Browser) -> None:
    assert is_signed_out(browser.fetch("/"))
    browser.sign_in()
    browser.forget("__refresh")
    browser.wait(70)
    assert is_signed_out(browser.fetch("/"))
    assert len(browser.hops) == 1


def test_somebody_elses_browser_stays_signed_out(browser: Browser, internet: Internet) -> None:
    browser.sign_in()
    assert is_signed_out(Browser(internet).load("/"))


def test_what_a_handshake_brings_home_can_be_used_once(
    browser: Browser, internet: Internet
) -> None:
    browser.sign_in()
    [home] = [hop.request for hop in browser.hops if NONCE in hop.request.path_qs] or [
        browser.hops[-1].request
    ]
    nonce = home.GET.get(NONCE) or home.cookies[NONCE]
    thief = Browser(internet)
    thief.load("/public")
    thief.wait(3)
    mine = "; ".join(f"{name}={value}" for name, value in thief.cookies(thief.app).items())
    for stolen in (
        thief.load(f"/?{NONCE}={nonce}"),
        thief.load("/", Cookie=f"{NONCE}={nonce}; {mine}"),
    ):
        assert is_signed_out(stolen)
    asked = [one for one in internet.emulator.requests if one.path.endswith("/handshake_payload")]
    assert asked[-1].status == 404


def test_a_token_that_was_laid_out_for_somebody_is_void_once_they_sign_in() -> None:
    internet = Internet(DEVELOPMENT)
    attacker, victim = Browser(internet), Browser(internet)
    attacker.load("/")
    token = attacker.cookie("__clerk_db_jwt")
    link = f"{victim.hosted('sign-in', '/')}&__clerk_db_jwt={token}"
    page = victim.submit(victim.load(link), **ADA)
    assert page.text.startswith(internet.ada)
    attacker.wait(3)
    assert is_signed_out(attacker.load(f"/?__clerk_db_jwt={token}"))
    assert reasons_of(attacker.hops) == ["dev-browser-sync"]


def test_a_client_token_of_before_signing_in_again_is_void() -> None:
    internet = Internet(PRODUCTION)
    internet.add_grace()
    browser, thief = Browser(internet), Browser(internet)
    browser.sign_in()
    stolen = browser.cookie("__client", browser.clerk)
    browser.sign_in(**GRACE)
    uat = browser.cookie("__client_uat")
    page = thief.load("/", Cookie=f"__client={stolen}; __client_uat={uat}")
    assert is_signed_out(page)


def test_a_session_that_was_revoked_is_over_when_its_token_is(
    browser: Browser, internet: Internet
) -> None:
    page = browser.sign_in()
    session = page.text.split()[1]
    browser.wait(3)
    internet.emulator.update_session(session, status="revoked")
    assert browser.load("/").status_int == 200  # tokens are verified without asking
    browser.wait(70)
    assert is_signed_out(browser.load("/"))
    why = "session-token-expired-refresh-session_refresh_inactive_session"
    assert reasons_of(browser.hops) == [why]
    assert browser.cookie("__refresh") is None
    assert browser.load("/public").text == "nobody /public?"


def test_a_session_ends_by_itself_after_a_week(browser: Browser) -> None:
    browser.sign_in()
    for _ in range(6):
        browser.wait(24 * 60 * 60)
        assert browser.load("/").status_int == 200
    browser.wait(24 * 60 * 60)
    assert is_signed_out(browser.load("/"))


def test_signing_out_in_one_browser_leaves_the_other_alone(
    browser: Browser, internet: Internet
) -> None:
    other = Browser(internet)
    browser.sign_in()
    other.sign_in()
    browser.wait(3)
    browser.sign_out()
    other.wait(70)
    assert is_signed_out(browser.load("/"))
    assert other.load("/").status_int == 200


# Several sessions at once


def test_of_several_sessions_the_last_active_one_answers(
    browser: Browser, internet: Internet
) -> None:
    grace = internet.add_grace()
    first = browser.sign_in(**ADA).text.split()[1]
    browser.wait(3)
    page = browser.sign_in(**GRACE)
    assert page.text.startswith(grace)
    second = page.text.split()[1]
    assert browser.load(f"/?_clerk_session_id={second}").status_int == 200
    assert is_signed_out(browser.load(f"/?_clerk_session_id={first}"))
    browser.wait(3)
    choice = browser.load(browser.hosted("sign-in", "/"))
    page = browser.submit(choice, session_id=first)
    assert page.text.split()[:2] == [internet.ada, first]
    assert browser.load(f"/?_clerk_session_id={first}").status_int == 200
    assert is_signed_out(browser.load(f"/?_clerk_session_id={second}"))


def test_a_revoked_session_gives_way_to_the_other_one(browser: Browser, internet: Internet) -> None:
    internet.add_grace()
    browser.sign_in(**ADA)
    browser.wait(3)
    second = browser.sign_in(**GRACE).text.split()[1]
    browser.wait(3)
    internet.emulator.update_session(second, status="revoked")
    browser.wait(70)
    assert browser.load("/").text.startswith(internet.ada)


def test_signing_out_ends_all_sessions_of_the_browser(browser: Browser, internet: Internet) -> None:
    internet.add_grace()
    sessions = []
    for user in (ADA, GRACE):
        sessions.append(browser.sign_in(**user).text.split()[1])
        browser.wait(3)
    assert is_signed_out(browser.sign_out())
    found = [internet.emulator.session(one)["status"] for one in sessions]
    assert found == ["removed", "removed"]


def test_signing_in_again_replaces_the_session(browser: Browser, internet: Internet) -> None:
    first = browser.sign_in().text.split()[1]
    browser.wait(3)
    second = browser.sign_in().text.split()[1]
    assert first != second
    assert internet.emulator.session(first)["status"] == "replaced"


def test_a_session_of_another_browser_cannot_be_chosen(
    browser: Browser, internet: Internet
) -> None:
    internet.add_grace()
    other = Browser(internet)
    session = other.sign_in(**GRACE).text.split()[1]
    mine = browser.sign_in(**ADA).text
    browser.wait(3)
    for visitor, found in ((browser, mine), (Browser(internet), "")):
        form = visitor.load(visitor.hosted("sign-in", "/"))
        page = visitor.submit(form, session_id=session)
        assert page.status_int == 422
        assert "That session is over" in page.text
        assert visitor.load("/").text == found


# When things go wrong


@everywhere
def test_after_the_local_clerk_lost_its_memory_signing_in_again_heals(place: Place) -> None:
    browser = Browser(Internet(place))
    browser.sign_in()
    browser.wait(3)
    browser.internet = Internet(place)
    browser.internet.clock.now += 10
    browser.http.app = browser.internet
    assert is_signed_out(browser.load("/"))
    browser.wait(3)
    assert browser.sign_in().text.startswith(browser.internet.ada)


def test_too_many_handshakes_in_a_row_end_at_a_refusal_not_in_a_circle(browser: Browser) -> None:
    browser.sign_in()
    for _ in range(5):
        browser.forget("__session")
        page = browser.load("/")
    assert is_signed_out(page)
    assert handshakes(browser) == 0
    browser.wait(3)
    assert browser.load("/").status_int == 200


def test_in_production_an_application_of_another_site_is_turned_away() -> None:
    browser = Browser(Internet(PRODUCTION))
    page = browser.load(f"{browser.clerk}/sign-in?redirect_url=http%3A%2F%2Flocalhost%3A8000%2F")
    assert page.status_int == 422
    assert "must share cookies with 127.0.0.1" in page.text


def test_an_address_of_the_application_holds_no_secret_afterwards(browser: Browser) -> None:
    page = browser.sign_in("/?a=1")
    assert parse_qs(urlsplit(page.request.url).query) == {"a": ["1"]}
