"""What an application sees of the control API: its browsers, its sessions, its Clerk."""

from __future__ import annotations

import json
import time
from http.cookiejar import Cookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from webtest import TestApp
from webtest.lint import middleware as lint

from clerk_wsgi import ApiError, Auth, Clerk, get_auth, get_session
from clerk_wsgi.testing import in_process

from .asking import WAYS, Asker, asking, found
from .browsing import PLACES, Browser, Internet, Place, reasons_of
from .controlling import STATUSES, Control, carried
from .minting import PUBLISHABLE_LIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Tells who is asking."""
    session, auth = get_session(environ), get_auth(environ)
    assert session is not None
    assert isinstance(auth, Auth)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"user_id": session.user_id, "org_id": auth.org_id}).encode()]


class World:
    """An application that requires a session, its browser and the local Clerk behind it."""

    def __init__(self, asker: Asker, **settings: Any) -> None:
        self.control = Control(asker)
        self.emulator = asker.emulator
        self.ages = 0.0
        options: dict[str, Any] = {
            "secret_key": asker.emulator.secret_key,
            "publishable_key": asker.emulator.publishable_key,
            "monotonic": lambda: time.monotonic() + self.ages,
            "dotenv": False,
            **settings,
        }
        if asker.url.startswith("http://127.0.0.1"):
            options["api_url"] = asker.url
        else:
            options["http"] = in_process(asker.emulator)
        self.clerk = Clerk(**options)
        self.browser = TestApp(lint(self.clerk.require_session(application)))

    def sign_in(self, **body: Any) -> dict[str, Any]:
        """Sign somebody in, and let the browser have the cookies."""
        who = {} if "user_id" in body else {"identifier": "ada@example.com"}
        answer = self.control.sign_in(**who, **body)
        self.browser.reset()
        for name, value in carried(answer).items():
            self.browser.set_cookie(name, value)
        return answer

    def visit(self) -> int:
        """Load a page as a script does, which is never sent to a handshake."""
        status: int = self.browser.get("/", expect_errors=True).status_int
        return status

    def show(self, token: str) -> int:
        """Ask with a token in the header, and no cookie."""
        browser = TestApp(self.browser.app)
        headers = {"Authorization": f"Bearer {token}"}
        status: int = browser.get("/", headers=headers, expect_errors=True).status_int
        return status


@pytest.fixture(params=WAYS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with asking(request.param) as asker:
        yield World(asker)


@pytest.fixture(params=WAYS)
def live_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The same with live verification, and two seconds for it."""
    with asking(request.param) as asker:
        yield World(asker, verification="live", timeout=2)


def test_a_browser_is_signed_in_without_ever_having_been_there(world: World) -> None:
    assert world.visit() == 401
    answer = world.sign_in()
    assert world.browser.get("/").json["user_id"] == answer["session"]["user_id"]
    found(world.control.post("/users", id="user_grace"))
    world.sign_in(user_id="user_grace")
    assert world.browser.get("/").json == {"user_id": "user_grace", "org_id": None}


def test_in_production_too() -> None:
    with asking(publishable_key=PUBLISHABLE_LIVE) as asker:
        world = World(asker)
        assert world.visit() == 401
        world.sign_in()
        assert world.visit() == 200


@pytest.mark.parametrize(
    "body",
    [{"status": "pending"}, {"expires_in": -60}, {"expires_in": -6}, {"azp": "https://evil.test"}],
)
def test_what_signs_nobody_in_does_not(body: dict[str, Any]) -> None:
    with asking() as asker:
        world = World(asker, authorized_parties=["http://localhost"])
        world.sign_in(**{"azp": "http://localhost", **body})
        assert world.visit() == 401
        world.sign_in(azp="http://localhost")
        assert world.visit() == 200


def test_an_expired_token_leads_to_a_handshake_on_a_page_load(world: World) -> None:
    world.sign_in(expires_in=-60)
    headers = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
    answer = world.browser.get("/", headers=headers, expect_errors=True)
    assert answer.status_int == 307
    assert "session-token-expired" in answer.headers["Location"]


@pytest.mark.parametrize("place", PLACES[:3], ids=lambda place: place.name)
def test_a_browser_that_was_signed_in_here_renews_its_session_by_itself(place: Place) -> None:
    internet = Internet(place)
    with in_process(internet.emulator) as session:
        control = Control(Asker(internet.emulator, place.clerk, session))
        answer = control.sign_in(identifier="ada@example.com", expires_in=-60, azp=place.app)
    browser = Browser(internet)
    for name, value in carried(answer).items():
        browser.http.cookiejar.set_cookie(cookie_of(place.app, name, value))
    page = browser.load("/")
    assert page.text == f"{internet.ada} {answer['session']['id']} /?"
    assert len(reasons_of(browser.hops)) == 1
    assert browser.cookie("__session") != answer["session_token"]


def cookie_of(url: str, name: str, value: str) -> Cookie:
    """A cookie as a browser keeps it for the host of an address."""
    host = urlsplit(url).hostname or ""
    domain = host if host[0].isdigit() else f"{host}.local"
    options: dict[str, Any] = {
        "domain": domain,
        "domain_specified": False,
        "domain_initial_dot": False,
        "path": "/",
        "path_specified": True,
        "port": None,
        "port_specified": False,
        "secure": False,
        "expires": None,
        "discard": True,
        "version": 0,
        "rest": {},
        "comment": None,
        "comment_url": None,
    }
    return Cookie(name=name, value=value, **options)


def test_an_organization_is_active_at_once(world: World) -> None:
    found(world.control.post("/organizations", name="A", id="org_a"))
    [ada] = world.emulator.users()
    found(world.control.post("/organizations/org_a/members", user_id=ada["id"]))
    world.sign_in(organization_id="org_a")
    assert world.browser.get("/").json["org_id"] == "org_a"


def test_a_revoked_session_is_over_where_clerk_is_asked(live_world: World) -> None:
    answer = live_world.sign_in()
    other = live_world.control.sign_in(identifier="ada@example.com")
    assert live_world.visit() == live_world.show(other["session_token"]) == 200
    found(live_world.control.post(f"/sessions/{answer['session']['id']}/revoke"))
    assert live_world.visit() == 401
    assert live_world.show(other["session_token"]) == 200


@pytest.mark.parametrize("status", STATUSES)
def test_only_an_active_session_counts_where_clerk_is_asked(status: str) -> None:
    with asking() as asker:
        world = World(asker, verification="live")
        answer = world.sign_in()
        found(world.control.post(f"/sessions/{answer['session']['id']}", status=status))
        assert world.visit() == (200 if status == "active" else 401)


def test_a_revoked_session_lives_on_in_its_token_where_clerk_is_not_asked(world: World) -> None:
    answer = world.sign_in()
    found(world.control.post(f"/sessions/{answer['session']['id']}/revoke"))
    assert world.visit() == 200


def test_a_rotated_key_is_learnt_and_the_previous_one_still_counts(world: World) -> None:
    old = world.sign_in()["session_token"]
    assert world.show(old) == 200
    found(world.control.post("/rotate_key"))
    new = world.sign_in()["session_token"]
    assert [world.show(new), world.show(old)] == [200, 200]


@pytest.mark.parametrize(
    ("path", "body"), [("/rotate_key", {"keep_previous": False}), ("/expire_tokens", {})]
)
def test_without_the_previous_key_old_tokens_are_refused_once_that_is_known(
    world: World, path: str, body: dict[str, Any]
) -> None:
    old = world.sign_in()["session_token"]
    assert world.show(old) == 200
    found(world.control.post(path, **body))
    assert world.show(old) == 200  # the application has not asked for keys since
    new = world.sign_in()["session_token"]
    assert [world.show(new), world.show(old)] == [200, 401]


def test_a_rate_limit_reaches_the_application(world: World) -> None:
    world.sign_in()
    assert world.visit() == 200  # keys are there
    found(world.control.post("/rate_limit", requests=1, seconds=600))
    assert world.clerk.users.count() == 1
    with pytest.raises(ApiError) as refusal:
        world.clerk.users.count()
    assert refusal.value.status_code == 429
    assert 590 < (refusal.value.retry_after or 0) <= 600
    assert world.visit() == 200  # for which nobody is asked


def test_an_outage_is_ended_by_a_call(live_world: World) -> None:
    live_world.sign_in()
    assert live_world.visit() == 200
    for failure in ({"status": 500}, {"status": 503}, {"status": "reset"}, {"status": 429}):
        found(live_world.control.ask("PUT", "/faults", json={"failures": [failure]}))
        assert live_world.visit() == 503
        found(live_world.control.ask("DELETE", "/faults"))
        assert live_world.visit() == 200


@pytest.mark.servers
def test_a_slow_clerk_costs_a_request_its_time_limit_and_no_more() -> None:
    with asking("http") as asker:
        world = World(asker, verification="live", timeout=0.5)
        world.sign_in()
        assert world.visit() == 200
        found(world.control.ask("PUT", "/faults", json={"latency": 30}))
        started = time.monotonic()
        assert world.visit() == 503
        assert 0.4 < time.monotonic() - started < 3
        found(world.control.ask("DELETE", "/faults"))
        assert world.visit() == 200


def test_after_a_reset_nobody_is_signed_in_where_clerk_is_asked(live_world: World) -> None:
    live_world.sign_in()
    assert live_world.visit() == 200
    found(live_world.control.post("/reset"))
    assert live_world.visit() == 401
    live_world.sign_in()
    assert live_world.visit() == 200
