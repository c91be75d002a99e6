"""Clerk's own middleware for Express and ours: browsers see no difference but the documented ones.

Every journey is made twice, with one local Clerk, in browsers without JavaScript: through the
published ``@clerk/express``, unmodified, and through our application under gunicorn. What may
differ is written out where it does: ``-`` is Express, ``+`` is ours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi.emulator import forge

from ..browsing import ADA, GRACE
from ..minting import Minter
from .express.journeys import Journey, Seen, Trip
from .express.servers import World, installed, serving
from .served import DEVELOPMENT, PRODUCTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .browsers import OpenWindow

pytestmark = pytest.mark.servers

# docs/protocol.md, "From state to response": what a wrapper's cookies make of an answer.
PRIVATE = ("+ cache-control: private, no-store",)
# In production a handshake ends in an answer of the application, which is for no other origin.
COMING_HOME = (
    "- access-control-allow-credentials: true",
    "- access-control-allow-origin: null",
    *PRIVATE,
)


@pytest.fixture(scope="module")
def express() -> Path:
    return installed()


@pytest.fixture(scope="module")
def development(express: Path) -> Iterator[World]:
    with serving(DEVELOPMENT, express) as world:
        yield world


@pytest.fixture(scope="module")
def production(express: Path) -> Iterator[World]:
    with serving(PRODUCTION, express) as world:
        yield world


@pytest.fixture(params=["development", "production"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def both(world: World, open_window: OpenWindow) -> Journey:
    return Journey(world, open_window)


@pytest.fixture
def home(world: World) -> tuple[str, ...]:
    """What differs where a handshake ends."""
    return () if world.is_development else COMING_HOME


@pytest.fixture
def signed_in(both: Journey, home: tuple[str, ...]) -> Journey:
    both.sign_in(differ=home)
    return both


# The way through


def test_a_first_visit_finds_nobody(both: Journey) -> None:
    assert both.load().statuses == ((307, 307, 200) if both.world.is_development else (200,))
    for path in ("/", "/a%20b/c?x=1&y=%C3%A9&y=a%26b+c&z=", "/?__clerk=1&__session=x"):
        both.each(lambda trip: trip.forget("__clerk_db_jwt"))
        for _ in range(2):
            seen = both.load(path)
            assert seen.user_id is None
            assert seen.address == f"{{app}}{path}"
        assert seen.statuses == (200,)


def test_from_signing_in_to_signing_out(both: Journey, home: tuple[str, ...]) -> None:
    assert both.sign_in(differ=home).user_id == both.world.ada
    for again in (both.load(), both.load("/api/me?a=1"), both.fetch()):
        assert (again.statuses, again.user_id) == ((200,), both.world.ada)
    link = both.load(referer="http://elsewhere.test/", differ=home)
    assert link.reasons == ("primary-domain-cross-origin-sync",)
    assert link.user_id == both.world.ada
    assert both.sign_out(differ=home).user_id is None
    assert both.load().outcome == "200 {app}/ session-token-and-uat-missing"


def test_an_expired_token_is_renewed(signed_in: Journey, home: tuple[str, ...]) -> None:
    for ask in (signed_in.load, signed_in.fetch):
        signed_in.each(Trip.expire)
        assert ask(differ=PRIVATE).outcome == "200 {app}/ signed in"
        assert ask().outcome == "200 {app}/ signed in"
    signed_in.each(Trip.expire)
    why = "session-token-expired-refresh-non-eligible"
    assert signed_in.fetch(method="POST").outcome == f"200 {{app}}/ {why}-non-get"
    signed_in.each(lambda trip: trip.forget("__refresh"))
    assert signed_in.fetch().outcome == f"200 {{app}}/ {why}-no-refresh-cookie"
    seen = signed_in.load(differ=home)
    assert (seen.reasons[0], seen.user_id) == (f"{why}-no-refresh-cookie", signed_in.world.ada)


def test_a_token_that_grew_old_is_renewed(development: World, open_window: OpenWindow) -> None:
    both = Journey(development, open_window)
    lifetime, development.emulator.token_lifetime = development.emulator.token_lifetime, 1
    try:
        both.sign_in()
        time.sleep(6.1)  # both allow for clocks that differ by five seconds
        assert both.load(differ=PRIVATE).outcome == "200 {app}/ signed in"
    finally:
        development.emulator.token_lifetime = lifetime


def test_of_two_sessions_the_chosen_one_answers(signed_in: Journey, home: tuple[str, ...]) -> None:
    until_the_next_second()
    assert signed_in.sign_in(differ=home, **GRACE).user_id == signed_in.world.grace
    until_the_next_second()
    seen = signed_in.choose("Ada Lovelace", differ=home)
    assert seen.user_id == signed_in.world.ada
    assert "session_id: {session 1}" in seen.lines


def test_what_changed_about_a_session_comes_with_its_next_token(
    development: World, open_window: OpenWindow
) -> None:
    both, emulator = Journey(development, open_window), development.emulator
    both.sign_in()
    crew = emulator.create_organization("Crew")
    emulator.create_role("org:captain", ["org:ships:steer", "org:ships:read"])
    emulator.add_member(crew["id"], development.ada, "org:captain")
    emulator.set_entitlements(crew["id"], features=["ships"])
    both.each(lambda trip: emulator.activate_organization(trip.session, crew["id"]))
    assert both.load().who["org_id"] is None
    both.each(Trip.expire)
    seen = both.load(differ=PRIVATE)
    assert (seen.who["org_id"], seen.who["org_role"]) == (crew["id"], "org:captain")
    assert sorted(seen.who["org_permissions"]) == ["org:ships:read", "org:ships:steer"]
    both.each(lambda trip: emulator.update_session(trip.session, status="pending"))
    both.each(Trip.expire)
    seen = both.load(differ=PRIVATE)
    assert (seen.user_id, seen.who["session_status"]) == (None, "pending")


def test_an_application_of_another_site_than_clerk(
    development: World, open_window: OpenWindow
) -> None:
    both = Journey(development.elsewhere, open_window)
    assert both.load().user_id is None
    assert both.sign_in().user_id == development.ada
    both.each(Trip.expire)
    assert both.load(differ=PRIVATE).user_id == development.ada
    assert both.sign_out().user_id is None


# What must not sign anybody in


def test_a_revoked_session_is_over_when_its_token_is(
    signed_in: Journey, home: tuple[str, ...]
) -> None:
    revoke = signed_in.world.emulator.update_session
    signed_in.each(lambda trip: revoke(trip.session, status="revoked"))
    assert signed_in.load().outcome == "200 {app}/ signed in"
    signed_in.each(Trip.expire)
    seen = signed_in.load(differ=home)
    assert seen.reasons[0].endswith("-refresh-session_refresh_inactive_session")
    assert seen.user_id is None
    assert signed_in.load().outcome == "200 {app}/ session-token-and-uat-missing"


def test_a_cookie_that_clerk_did_not_make_is_refused(both: Journey) -> None:
    both.each(Trip.enter)
    for reason, token in FORGERIES.items():
        for seen in (both.step(visit(__session=token)), both.fetch()):
            assert seen.outcome == f"200 {{app}}/ {reason}"


def test_what_the_header_says_goes_before_the_cookies(
    development: World, open_window: OpenWindow
) -> None:
    both, emulator = Journey(development, open_window), development.emulator
    both.each(Trip.enter)
    both.load()
    token = emulator.session_token(emulator.create_session(both.world.grace)["id"])
    for text in (f"Bearer {token}", token):
        assert both.fetch(headers={"Authorization": text}).user_id == both.world.grace
    refused = both.fetch(headers={"Authorization": f"Bearer {forge(token)}"})
    assert refused.outcome == "200 {app}/ token-invalid-signature"
    for text in ("Basic Z3JhY2U6eA==", ""):
        assert both.fetch(headers={"Authorization": text}).user_id == both.world.ada


def test_a_browser_that_was_redirected_three_times_is_not_once_more(
    production: World, open_window: OpenWindow
) -> None:
    both = Journey(production, open_window)
    both.each(Trip.enter)
    seen = both.step(visit(__session=lambda _: "", __clerk_redirect_count=lambda _: "3"))
    assert seen.outcome == "200 {app}/ client-uat-but-no-session-token"


# What docs/protocol.md makes different: the rules under "Deviations", and what a request is to WSGI


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """A rule or section, and what comes of one step in Express and in ours.

    Whoever makes the step is signed in, though Clerk does not know the browser.
    """

    rule: str
    step: Callable[[Trip], Seen]
    express: str
    ours: str
    instance: str = "development"


def visit(path: str = "/", **cookies: Callable[[Trip], str]) -> Callable[[Trip], Seen]:
    """Load a page with other cookies, each made for the trip."""

    def step(trip: Trip) -> Seen:
        for name, value in cookies.items():
            trip.put(name, value(trip))
        return trip.load(path)

    return step


def visit_with_old_header(trip: Trip) -> Seen:
    trip.sign_in(ADA)  # which brings a refresh token
    trip.expire()
    return trip.fetch("/", headers={"Authorization": f"Bearer {trip.token(exp=1, sub='other')}"})


def visit_with_forwarded_host(trip: Trip) -> Seen:
    trip.expire()
    page = trip.window.page
    page.set_extra_http_headers({"X-Forwarded-Host": "elsewhere.test"})
    seen = trip.load("/")
    page.set_extra_http_headers({})
    return seen


def visit_with_forged_handshake(trip: Trip) -> Seen:
    token = forge(trip.world.emulator.handshake_token([]))
    return visit(f"/?__clerk_handshake={token}")(trip)


def visit_with_small_letters(trip: Trip) -> Seen:
    trip.load("/")
    return trip.fetch("/", headers={"Authorization": f"bearer {forge(trip.token())}"})


SIGNED_IN = "200 {app}/ signed in"
STALE = "/?__clerk_handshake_nonce=stale"
NOBODY = "session-token-and-uat-missing"  # after a handshake with a Clerk that knows nobody

DEVIATIONS = [
    Deviation(
        rule="D1",
        step=visit(__session=lambda trip: trip.token(sid="../x", exp=1), __refresh=lambda _: "x"),
        express=f"307 307 200 {{app}}/ {NOBODY}",
        ours="200 {app}/ token-invalid",
    ),
    Deviation(
        rule="D2",
        step=visit_with_old_header,
        express=SIGNED_IN,
        ours="200 {app}/ session-token-expired-refresh-non-eligible-no-refresh-cookie",
    ),
    Deviation(
        rule="D3",
        step=visit(__session=lambda trip: f"{trip.token()}="),
        express=SIGNED_IN,
        ours="200 {app}/ token-invalid",
    ),
    Deviation(
        rule="D3",
        step=visit(__session=lambda trip: trip.token().rpartition(".")[0] + "."),
        express="200 {app}/ token-invalid-signature",
        ours="200 {app}/ token-invalid",
    ),
    Deviation(
        rule="D6",
        step=visit(STALE),
        express=f"307 {SIGNED_IN}",
        ours=f"200 {{app}}{STALE} signed in",
    ),
    Deviation(
        rule="D6",
        step=visit(STALE),
        express=f"200 {{app}}{STALE} session-token-missing",
        ours=f"200 {{app}}{STALE} signed in",
        instance="production",
    ),
    Deviation(
        rule="D7",
        step=visit_with_forwarded_host,
        express="307 {clerk}/v1/client/handshake",
        ours=f"307 307 200 {{app}}/ {NOBODY}",
    ),
    Deviation(
        rule="D8",
        step=visit("//localhost:1/x", __session=lambda trip: trip.token(exp=1)),
        express=f"307 307 200 {{app}}/x {NOBODY}",
        ours=f"307 307 200 {{app}}//localhost:1/x {NOBODY}",
    ),
    Deviation(
        rule="D9",
        step=visit("/?__clerk_redirect_url=//x"),
        express="500 {app}/?__clerk_redirect_url=//x",
        ours="200 {app}/?__clerk_redirect_url=//x signed in",
    ),
    Deviation(
        rule="D10",
        step=visit_with_forged_handshake,
        express="500 {app}/?__clerk_handshake={token}",
        ours="200 {app}/?__clerk_handshake={token} signed in",
    ),
    Deviation(
        rule="D11",
        step=visit(__session=lambda trip: trip.token(fea=5, o={"id": "o", "per": "a", "fpm": "1"})),
        express="200 {app}/ unexpected-error",
        ours=SIGNED_IN,
    ),
    Deviation(
        rule="D13",
        step=visit(__session=lambda trip: trip.token(sub="")),
        express=SIGNED_IN,
        ours="200 {app}/ token-verification-failed",
    ),
    Deviation(
        rule="D14",
        step=visit(__session=lambda trip: token_of(clerk_s(trip), trip, crit=["b64"])),
        express=SIGNED_IN,
        ours="200 {app}/ token-invalid",
    ),
    Deviation(
        rule="D20",
        step=visit_with_small_letters,
        express=SIGNED_IN,
        ours="200 {app}/ token-invalid-signature",
    ),
    Deviation(
        rule="D21",
        step=visit(__client_uat=lambda _: "1x"),
        express=SIGNED_IN,
        ours=f"307 307 200 {{app}}/ {NOBODY}",
    ),
    Deviation(
        rule="D22",
        step=visit(__session=lambda _: "", __clerk_redirect_count=lambda _: "4"),
        express=f"307 307 200 {{app}}/ {NOBODY}",
        ours="200 {app}/ client-uat-but-no-session-token",
    ),
    Deviation(
        rule="1. The request",  # servers decode the path before the application sees it
        step=visit("/a%2Fb", __session=lambda trip: trip.token(exp=1)),
        express=f"307 307 200 {{app}}/a%2Fb {NOBODY}",
        ours=f"307 307 200 {{app}}/a/b {NOBODY}",
    ),
    Deviation(
        rule="D27",
        step=visit(__session=lambda trip: f'"{trip.token()}"'),
        express="200 {app}/ token-invalid",
        ours=SIGNED_IN,
    ),
]


@pytest.mark.parametrize("instance", ["development", "production"])
def test_what_differs_by_a_rule(
    instance: str, request: pytest.FixtureRequest, open_window: OpenWindow
) -> None:
    both = Journey(request.getfixturevalue(instance), open_window)
    if instance == "development":
        both.express.window.expect_console("status of 422")  # D7
        both.express.window.expect_console("status of 500")  # D9, D10
    rows = [row for row in DEVIATIONS if row.instance == instance]
    found = [(row.rule, outcome(row, both.express), outcome(row, both.wrapped)) for row in rows]
    assert found == [(row.rule, row.express, row.ours) for row in rows]


def outcome(row: Deviation, trip: Trip) -> str:
    trip.start_anew()
    trip.enter()
    return row.step(trip).outcome


def clerk_s(trip: Trip) -> Minter:
    """Return who signs with Clerk's own key, but whatever it likes."""
    key = trip.world.emulator._keys.current
    return Minter(key.kid, private=key.private)


def token_of(minter: Minter, trip: Trip, **header: Any) -> str:
    """Return a token of the trip's session that this minter has made."""
    now = int(time.time())
    return minter.token(
        header,
        azp=trip.app,
        exp=now + 60,
        iat=now,
        nbf=now - 10,
        iss=trip.world.emulator.issuer,
        sid=trip.session,
        sub=trip.world.ada,
    )


# By the reason why they are refused.
FORGERIES: dict[str, Callable[[Trip], str]] = {
    "token-invalid": lambda _: "nonsense",
    "token-invalid-signature": lambda trip: forge(trip.token()),
    "jwk-kid-mismatch": lambda trip: token_of(Minter("ins_other"), trip),
    "token-type-mismatch": lambda trip: token_of(clerk_s(trip), trip, cat="cl_B7d4PD222AAA"),
}


def until_the_next_second() -> None:
    """Times in tokens and cookies are whole seconds: what changes within one cannot be told."""
    time.sleep(1 - time.time() % 1)
