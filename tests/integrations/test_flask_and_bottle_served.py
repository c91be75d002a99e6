"""The applications of examples/ for Flask and Bottle under gunicorn, against the local Clerk."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from clerk_wsgi.emulator import Failure, forge
from clerk_wsgi.testing import bearer, sign_in, sign_out, start_emulator

from ..gunicorns import gunicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import RunningEmulator

pytestmark = pytest.mark.servers

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
BROWSER = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def clerk() -> Iterator[RunningEmulator]:
    with start_emulator() as running:
        yield running


class Site:
    """One of the applications, asked by a client that follows no redirects."""

    def __init__(self, url: str, clerk: RunningEmulator) -> None:
        self.url = url
        self.emulator = clerk.emulator
        self.client = requests.Session()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.client.request(
            method, self.url + path, allow_redirects=False, timeout=30, **options
        )

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, **form: str) -> requests.Response:
        return self.ask("POST", path, data=form, headers={"Origin": self.url})

    def close(self) -> None:
        self.client.close()


@contextmanager
def serving(example: str, clerk: RunningEmulator) -> Iterator[Site]:
    """Serve an example that knows the pages of Clerk, and sends nobody through a handshake."""
    names = ("CLERK_SIGN_IN_URL", "CLERK_ACCOUNT_URL")
    settings = {name: clerk.environ[name] for name in names}
    with gunicorn(f"{example}:app", clerk, cwd=EXAMPLES, **settings) as url:
        site = Site(url, clerk)
        try:
            yield site
        finally:
            site.close()


@pytest.fixture(scope="module", params=["flask_app", "bottle_app"])
def served(request: pytest.FixtureRequest, clerk: RunningEmulator) -> Iterator[Site]:
    with serving(request.param, clerk) as site:
        yield site


@pytest.fixture
def site(served: Site) -> Iterator[Site]:
    yield served
    served.emulator.faults.clear()
    sign_out(served.emulator, served.client)


def test_nobody_sees_the_public_page_and_is_sent_to_sign_in_from_others(site: Site) -> None:
    assert "Welcome<" in site.get("/").text
    answer = site.get("/notes?a=b", **BROWSER)
    assert answer.status_code == 303
    page = urlsplit(answer.headers["Location"])
    assert page.path == "/sign-in"
    assert parse_qs(page.query) == {"redirect_url": [f"{site.url}/notes?a=b"]}


def test_nobody_gets_an_answer_of_the_api(site: Site) -> None:
    for answer in (site.get("/api/me"), site.ask("DELETE", "/api/notes"), site.post("/notes")):
        assert answer.status_code == 401


@pytest.mark.parametrize("carrier", ["bearer", "cookies"])
def test_somebody_keeps_notes_and_signs_out(carrier: str, site: Site) -> None:
    who = sign_in(site.emulator, carrier=carrier)  # type: ignore[arg-type]  # of two
    who.apply(site.client)
    assert "Welcome back" in site.get("/").text
    answer = site.post("/notes", note="<b>Buy milk</b>")
    assert (answer.status_code, urlsplit(answer.headers["Location"]).path) == (303, "/notes")
    shown = site.get("/notes")
    assert "&lt;b&gt;Buy milk" in shown.text
    assert "private" in shown.headers["Cache-Control"]
    assert site.get("/api/me").json() == {
        "user_id": who.user["id"],
        "first_name": who.user["first_name"],
        "notes": ["<b>Buy milk</b>"],
    }
    answer = site.post("/sign-out")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "__session=; " in answer.headers["Set-Cookie"]
    assert site.emulator.session(who.session["id"])["status"] == "revoked"


def test_a_form_of_another_site_is_refused(site: Site) -> None:
    who = sign_in(site.emulator, site.client, carrier="cookies")
    for origin in ({"Origin": "http://evil.test"}, {"Origin": "null"}, {}):
        for path in ("/sign-out", "/notes"):
            answer = site.ask("POST", path, data={"note": "x"}, headers=origin)
            assert answer.status_code == 403
    assert site.get("/api/me").json()["notes"] == []
    assert site.emulator.session(who.session["id"])["status"] == "active"


@pytest.mark.parametrize(("role", "status"), [("org:member", 403), ("org:admin", 200)])
def test_the_team_is_for_those_who_look_after_it(role: str, status: int, site: Site) -> None:
    sign_in(site.emulator, site.client, org_role=role)
    answer = site.client.get(f"{site.url}/team", headers=BROWSER, timeout=30)
    assert answer.status_code == status
    assert ("acme is yours" in answer.text) is (status == 200)


@pytest.mark.parametrize("kind", ["forged", "pending", "garbage"])
def test_such_a_token_is_nobodys(kind: str, site: Site) -> None:
    who = sign_in(site.emulator, status="pending" if kind == "pending" else "active")
    tokens = {"forged": forge(who.token), "pending": who.token, "garbage": "a.b.c"}
    bearer(tokens[kind]).apply(site.client)
    assert site.get("/api/me").status_code == 401
    assert "Welcome<" in site.get("/").text


def test_old_factors_are_to_be_verified_again(site: Site) -> None:
    sign_in(site.emulator, site.client, claims={"fva": [11, 11]})
    answer = site.ask("DELETE", "/api/notes")
    assert answer.status_code == 403
    assert answer.json()["clerk_error"]["reason"] == "reverification-error"
    sign_in(site.emulator, site.client, claims={"fva": [1, 1]})
    assert site.ask("DELETE", "/api/notes").status_code == 204


def test_what_is_not_there_is_not_found_and_heads_have_no_body(site: Site) -> None:
    sign_in(site.emulator, site.client)
    assert site.get("/missing").status_code == 404
    head = site.ask("HEAD", "/notes")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 100


def test_an_outage_is_no_sign_out(site: Site) -> None:
    sign_in(site.emulator, site.client)
    site.get("/api/me")
    site.emulator.faults.add(Failure(status=503))
    assert site.get("/notes").status_code == 200
    assert site.get("/api/me").status_code in (502, 503)


@pytest.mark.parametrize("example", ["flask_app", "bottle_app"])
def test_a_browser_is_sent_through_a_handshake_and_comes_back_with_cookies(
    example: str, clerk: RunningEmulator
) -> None:
    settings = {
        name: value
        for name, value in clerk.environ.items()
        if name not in ("CLERK_SECRET_KEY", "CLERK_API_URL", "CLERK_JWT_KEY")
    }
    with gunicorn(f"{example}:app", clerk, cwd=EXAMPLES, **settings) as url:
        with requests.Session() as browser:
            first = browser.get(f"{url}/", headers=BROWSER, allow_redirects=False, timeout=30)
            assert first.status_code == 307
            assert "/v1/client/handshake" in first.headers["Location"]
            last = browser.get(f"{url}/", headers=BROWSER, timeout=30)
        home = [one for one in last.history if one.url.startswith(f"{url}/?")]
        assert any("__client_uat" in one.headers.get("Set-Cookie", "") for one in home)
        assert (last.status_code, last.url) == (200, f"{url}/")
        assert "Welcome<" in last.text
