"""Django under a real gunicorn, asked over HTTP, with a local Clerk that is another process's."""

from __future__ import annotations

import re
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from requests.cookies import RequestsCookieJar

from clerk_wsgi.emulator import forge
from clerk_wsgi.testing import Tokens, sign_in, start_emulator

from ..gunicorns import gunicorn
from ..minting import PUBLISHABLE_LIVE
from ..processes import PROJECT
from .django_views import LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import RunningEmulator

pytestmark = pytest.mark.servers

EXAMPLE = PROJECT / "examples" / "django_app"
PAGE = {"Accept": "text/html,*/*;q=0.8"}
ADMIN: Any = {"org_role": "org:admin", "permissions": ["org:invoices:pay"]}
INPUT = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@pytest.fixture(scope="module")
def clerk() -> Iterator[RunningEmulator]:
    """A Clerk in production, where nobody unknown is sent to and fro."""
    with start_emulator(publishable_key=PUBLISHABLE_LIVE) as running:
        yield running


@pytest.fixture(
    scope="module", params=[("--workers", "2"), ("--threads", "4")], ids=["sync", "threads"]
)
def url(request: pytest.FixtureRequest, clerk: RunningEmulator) -> Iterator[str]:
    key, sign_in_url = clerk.emulator.publishable_key, "https://accounts.test/sign-in"
    with gunicorn(
        "tests.integrations.django_served:app",
        clerk,
        *request.param,
        CLERK_PUBLISHABLE_KEY=key,
        CLERK_SIGN_IN_URL=sign_in_url,
    ) as url:
        yield url


def ask(
    url: str, token: str | None = None, method: str = "GET", **options: Any
) -> requests.Response:
    headers = {**options.pop("headers", {})}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return requests.request(
        method, url, headers=headers, allow_redirects=False, timeout=30, **options
    )


def test_signed_in_signed_out_forged_and_pending(url: str, clerk: RunningEmulator) -> None:
    who = sign_in(clerk.emulator, expires_in=3600)
    pending = sign_in(clerk.emulator, status="pending").token
    for path in ("/mine", "/page", "/later", "/later-page"):
        assert ask(url + path, who.token).json()["user"] == who.user["id"]
        for refused in (None, forge(who.token), pending):
            answer = ask(url + path, refused)
            assert (answer.status_code, answer.content) == (401, b"")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert ask(url, forge(who.token)).json()["user"] is None


def test_roles_and_second_factors(url: str, clerk: RunningEmulator) -> None:
    member = sign_in(clerk.emulator, org_role="org:member", expires_in=3600).token
    admin = sign_in(clerk.emulator, **ADMIN, expires_in=3600)
    stale = sign_in(clerk.emulator, **ADMIN, claims={"fva": [0, 20]}).token
    fresh = sign_in(clerk.emulator, **ADMIN, claims={"fva": [0, 5]}).token
    for path in ("/admins", "/admins-page", "/decorated", "/wrapped"):
        assert ask(url + path, member).status_code == 403
        assert ask(url + path, admin.token).status_code == 200
    assert ask(f"{url}/pay", fresh).status_code == 202
    answer = ask(f"{url}/pay", stale)
    assert answer.status_code == 403
    assert answer.json()["clerk_error"]["reason"] == "reverification-error"


def test_people_are_sent_to_sign_in_and_come_back(url: str, clerk: RunningEmulator) -> None:
    answer = ask(f"{url}/mine?a=b", headers=PAGE)
    assert answer.status_code == 303
    page, _, query = answer.headers["Location"].partition("?")
    assert page == "https://accounts.test/sign-in"
    assert parse_qs(query) == {"redirect_url": [f"{url}/mine?a=b"]}
    assert ask(f"{url}/mine", headers=PAGE, method="POST").status_code == 403  # Django's CSRF


def test_a_handshake_and_its_cookies_pass_through(url: str, clerk: RunningEmulator) -> None:
    answer = ask(f"{url}/stream", headers=PAGE, cookies={"__client_uat": "1"})
    assert answer.status_code == 307
    assert urlsplit(answer.headers["Location"]).path == "/v1/client/handshake"
    tokens = Tokens(clerk.emulator)
    answer = ask(f"{url}/stream", cookies={"__clerk_handshake": tokens.handshake()})
    assert (answer.status_code, answer.content) == (200, b"one, two")
    lines = answer.raw.headers.getlist("Set-Cookie")
    assert len(lines) > 2
    assert len({line.partition("=")[0] for line in lines}) == len(lines)
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_bodies_are_untouched(url: str, clerk: RunningEmulator) -> None:
    token = sign_in(clerk.emulator, expires_in=3600).token
    assert ask(f"{url}/large", token).content == LARGE
    assert ask(f"{url}/download", token).content == LARGE
    assert ask(f"{url}/stream", token).content == b"one, two"
    head = ask(f"{url}/large", token, "HEAD")
    assert (head.status_code, head.content) == (200, b"")


def test_failures_are_djangos_and_errors_of_clerks_are_answered(
    url: str, clerk: RunningEmulator
) -> None:
    who = sign_in(clerk.emulator, expires_in=3600)
    assert ask(f"{url}/broken", who.token).status_code == 500
    assert ask(f"{url}/missing", who.token).status_code == 404
    assert ask(f"{url}/forbidden", who.token).json() == {"error": "not today"}
    clerk.emulator.update_user(who.user["id"], first_name="Grace")
    assert ask(f"{url}/full-name", who.token).json() == {"name": "Grace"}
    clerk.emulator.delete_user(who.user["id"])
    assert ask(f"{url}/full-name", who.token).status_code == 502


# The example


@pytest.fixture(scope="module")
def society() -> Iterator[Society]:
    with start_emulator(seed=EXAMPLE / "people.toml") as clerk:
        known = ("CLERK_SECRET_KEY", "CLERK_API_URL")
        environ = {name: text for name, text in clerk.environ.items() if name not in known}
        options = ("-c", "../gunicorn.conf.py")
        with gunicorn("society:app", clerk, *options, cwd=EXAMPLE, **environ) as url:
            yield Society(url, clerk)


class Society:
    """The example, where it is served, and its Clerk."""

    def __init__(self, url: str, clerk: RunningEmulator) -> None:
        self.url = url
        self.emulator = clerk.emulator


class Browser(requests.Session):
    """Follows redirects, and keeps cookies as browsers do on this machine."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.update(PAGE)
        self.cookies = RequestsCookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))

    def submit(self, page: requests.Response, form: str = "", **fields: str) -> requests.Response:
        """Submit the form of a page, with all that is hidden in it, to its address or ``form``."""
        hidden = dict(INPUT.findall(page.text))
        return self.post(urljoin(page.url, form), data={**hidden, **fields}, timeout=30)


PASSWORDS = {
    "ada@example.com": "analytical-engine-1843",
    "charles@example.com": "difference-engine-no-2",
}


def browser_of(society: Society, address: str) -> tuple[Browser, requests.Response]:
    """Somebody's browser, and the page that it came to by signing in."""
    browser = Browser()
    page = browser.get(f"{society.url}/motto", timeout=30)
    assert urlsplit(page.url).path == "/sign-in"
    page = browser.submit(page, identifier=address, password=PASSWORDS[address])
    assert page.url == f"{society.url}/motto", page.text
    return browser, page


def test_the_example_in_a_browser_from_signing_in_to_signing_out(society: Society) -> None:
    browser, page = browser_of(society, "charles@example.com")
    page = browser.submit(page, motto="On two occasions I have been asked …")
    assert page.url == f"{society.url}/"
    assert "<h1>Hello, Charles.</h1>" in page.text
    assert "On two occasions I have been asked …" in page.text
    refused = browser.get(f"{society.url}/members", timeout=30)
    assert refused.status_code == 403
    assert "This is not for you." in refused.text
    without_token = browser.post(f"{society.url}/motto", data={"motto": "x"}, timeout=30)
    assert without_token.status_code == 403
    page = browser.submit(page, "/sign-out")
    assert urlsplit(page.url).path == "/sign-out"  # the local Clerk's page, which asks once more
    page = browser.submit(page)
    assert page.url == f"{society.url}/"
    assert "Hello, stranger." in page.text
    browser.close()


def test_the_example_for_callers_of_its_api(society: Society) -> None:
    who = sign_in(society.emulator, org_slug="analytical-society", expires_in=3600)
    me = {"user_id": who.user["id"], "organization": "analytical-society"}
    assert ask(f"{society.url}/api/me", who.token).json() == me
    for refused in (None, forge(who.token)):
        assert ask(f"{society.url}/api/me", refused).status_code == 401
    assert ask(f"{society.url}/members", who.token).status_code == 403


def test_the_example_shows_members_to_admins(society: Society) -> None:
    who = sign_in(society.emulator, org_slug="analytical-society", org_role="org:admin")
    shown = ask(f"{society.url}/members", who.token).text
    assert "<h1>Analytical Society</h1>" in shown
    for address, role in (("ada", "org:admin"), ("charles", "org:member")):
        assert f"{address}@example.com: {role}" in shown
    assert "grace" not in shown
