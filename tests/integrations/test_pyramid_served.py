"""The Pyramid example under a real gunicorn against the local Clerk: API callers and browsers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests

from clerk_wsgi.testing import Tokens, bearer, sign_in, start_emulator

from ..gunicorns import gunicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import Identity, RunningEmulator

pytestmark = pytest.mark.servers

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture(scope="module")
def local() -> Iterator[RunningEmulator]:
    with start_emulator() as running:
        yield running


@pytest.fixture(scope="module", params=["pyramid_app:app", "--paste=pyramid.ini"])
def url(request: pytest.FixtureRequest, local: RunningEmulator) -> Iterator[str]:
    """Where the example is served: as a module says, or a file of PasteDeploy's."""
    names = ("CLERK_PUBLISHABLE_KEY", "CLERK_PROXY_URL", "CLERK_SIGN_IN_URL")
    environ = {name: local.environ[name] for name in names}
    options = ("-c", "gunicorn.conf.py")
    with gunicorn(request.param, local, *options, cwd=EXAMPLES, **environ) as url:
        yield url


@pytest.fixture
def caller() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def ask(caller: requests.Session, url: str, method: str = "GET", **options: Any) -> Any:
    return caller.request(method, url, allow_redirects=False, timeout=30, **options)


def browser_of(
    caller: requests.Session, local: RunningEmulator, **who: Any
) -> tuple[requests.Session, Identity]:
    """Make a caller the browser of somebody."""
    caller.headers.update(PAGE)
    return caller, sign_in(local.emulator, caller, carrier="cookies", expires_in=600, **who)


def token_on(page: Any) -> str:
    found = re.search('name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def test_the_api_knows_who_calls_it(
    url: str, local: RunningEmulator, caller: requests.Session
) -> None:
    assert ask(caller, f"{url}/").json() == {"signed_in": False}
    assert ask(caller, f"{url}/me").status_code == 401
    who = sign_in(local.emulator, caller)
    assert ask(caller, f"{url}/").json() == {"signed_in": True}
    assert ask(caller, f"{url}/me").json() == {"user_id": who.user["id"]}
    assert ask(caller, f"{url}/me", "HEAD").content == b""
    kept = ask(caller, f"{url}/api/notes", "POST", json={"note": "x" * (1 << 20)})
    assert kept.json() == ask(caller, f"{url}/api/notes").json() == {"notes": ["x" * (1 << 20)]}


@pytest.mark.parametrize("kind", ["expired", "wrong_key", "unsigned", "pending", "api_key"])
def test_the_api_refuses_tokens_that_do_not_count(
    kind: str, url: str, local: RunningEmulator, caller: requests.Session
) -> None:
    bearer(getattr(Tokens(local.emulator), kind)()).apply(caller)
    assert ask(caller, f"{url}/").json() == {"signed_in": False}
    assert ask(caller, f"{url}/me").status_code == 401


def test_a_new_browser_is_sent_to_clerk_and_back_and_to_sign_in(
    url: str, local: RunningEmulator, caller: requests.Session
) -> None:
    answer = caller.get(f"{url}/notes", headers=PAGE, timeout=30)
    statuses = [step.status_code for step in answer.history]
    assert statuses[0] == 307
    assert statuses[-1] == 303
    back = quote(f"{url}/notes", safe="")
    assert answer.url == f"{local.url}/sign-in?redirect_url={back}"
    assert answer.status_code == 200
    assert any(cookie.name.startswith("__clerk_db_jwt") for cookie in caller.cookies)


def test_a_browser_keeps_notes_by_a_form_that_other_sites_cannot_send(
    url: str, local: RunningEmulator, caller: requests.Session
) -> None:
    browser, _ = browser_of(caller, local)
    token = token_on(ask(browser, f"{url}/notes"))
    assert ask(browser, f"{url}/notes", "POST", data={"note": "forged"}).status_code == 400
    note = {"note": "<b>milk</b>", "csrf_token": token}
    assert ask(browser, f"{url}/notes", "POST", data=note).status_code == 303
    page = ask(browser, f"{url}/notes").text
    assert "<li>&lt;b&gt;milk&lt;/b&gt;</li>" in page
    assert "forged" not in page


def test_the_teams_page_is_for_its_admins(
    url: str, local: RunningEmulator, caller: requests.Session
) -> None:
    browser, _ = browser_of(caller, local, org_slug="acme", org_role="org:member")
    assert ask(browser, f"{url}/team").status_code == 403
    browser_of(browser, local, org_slug="acme", org_role="org:admin")
    assert "<h1>Acme</h1>" in ask(browser, f"{url}/team").text


def test_old_factors_are_to_be_verified_again(
    url: str, local: RunningEmulator, caller: requests.Session
) -> None:
    sign_in(local.emulator, caller, claims={"fva": [11, 11]})
    answer = ask(caller, f"{url}/api/notes", "DELETE")
    assert answer.status_code == 403
    assert answer.json()["clerk_error"]["reason"] == "reverification-error"
    sign_in(local.emulator, caller, claims={"fva": [1, 1]})
    assert ask(caller, f"{url}/api/notes", "DELETE").json() == {"notes": []}


def test_signing_out_ends_the_session(
    url: str, local: RunningEmulator, caller: requests.Session
) -> None:
    browser, who = browser_of(caller, local)
    home = ask(browser, f"{url}/")
    assert "Welcome back" in home.text
    assert ask(browser, f"{url}/sign-out").status_code == 404
    data = {"csrf_token": token_on(home)}
    answer = ask(browser, f"{url}/sign-out", "POST", data=data)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{url}/")
    assert local.emulator.session(who.session["id"])["status"] == "revoked"
