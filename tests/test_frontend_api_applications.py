"""What Clerk's script brings to a wrapped application: the way from a sign-in to a sign-out.

Over real HTTP. The script writes the application's cookies itself, in production but for those
that the local Clerk sets; the application then decides as about any request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from webob import Request

from clerk_wsgi import Clerk
from clerk_wsgi.testing import start_emulator

from .reading import auth_of, user_of
from .scripting import ADA, APP, GRACE, MODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi import RequestState
    from clerk_wsgi.testing import RunningEmulator

pytestmark = pytest.mark.servers

DEV_BROWSER = "__clerk_db_jwt"


class Page:
    """A page of the application, its cookies, and Clerk's script on it."""

    def __init__(
        self, running: RunningEmulator, http: requests.Session, backend: requests.Session
    ) -> None:
        self.running = running
        self.http = http
        self.is_development = running.emulator.publishable_key.startswith("pk_test_")
        self.clerk = Clerk(
            secret_key=running.emulator.secret_key,
            publishable_key=running.emulator.publishable_key,
            api_url=running.url,
            proxy_url=running.url,
            authorized_parties=[APP],
            http=backend,
            dotenv=False,
        )
        if self.is_development:
            self._keep(DEV_BROWSER, self.ask("POST", "/v1/dev_browser")["id"])

    def ask(self, method: str, path: str, **fields: str) -> dict[str, Any]:
        """Ask as the script does, and note in cookies what it learns."""
        known = self.http.cookies.get(DEV_BROWSER)
        query = {DEV_BROWSER: known} if known else {}
        answer = self.http.request(
            method,
            self.running.url + path,
            params=query,
            data=fields or None,
            headers={"Origin": APP},
            timeout=10,
        )
        assert answer.headers["Access-Control-Allow-Origin"] == APP
        if "Clerk-Db-Jwt" in answer.headers:
            self._keep(DEV_BROWSER, answer.headers["Clerk-Db-Jwt"])
        found: dict[str, Any] = answer.json()
        self._note(found.get("client") or {})
        return found

    def load(self) -> RequestState:
        """Load the page from the application, and return what that decides."""
        request = Request.blank(APP, headers={"Cookie": self._cookies(), "Accept": "text/html"})
        return self.clerk.authenticate(request.environ)

    def _note(self, client: dict[str, Any]) -> None:
        """Write what the script writes: the token, and in development when the client changed."""
        sessions = {one["id"]: one for one in client.get("sessions", [])}
        active = sessions.get(client.get("last_active_session_id", ""))
        if active:
            self._keep("__session", active["last_active_token"]["jwt"])
        elif client:
            self.http.cookies.pop("__session", None)
        if client and self.is_development:
            uat = client["updated_at"] // 1000 if active else 0
            self._keep("__client_uat", str(uat))

    def _keep(self, name: str, value: str) -> None:
        self.http.cookies.pop(name, None)
        self.http.cookies.set(name, value, domain="127.0.0.1", path="/")

    def _cookies(self) -> str:
        return "; ".join(f"{one.name}={one.value}" for one in self.http.cookies)


@pytest.fixture(params=MODES)
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    with (
        start_emulator(publishable_key=MODES[request.param]) as running,
        requests.Session() as http,
        requests.Session() as backend,
    ):
        http.trust_env = False
        running.emulator.create_user(username="grace", password=GRACE["password"])
        yield Page(running, http, backend)


def test_from_a_sign_in_to_a_sign_out(page: Page) -> None:
    page.ask("PATCH" if page.is_development else "GET", "/v1/environment")
    page.ask("GET", "/v1/client")
    assert user_of(page.load()) is None
    session_id = page.ask("POST", "/v1/client/sign_ins", **ADA)["response"]["created_session_id"]
    page.ask("POST", f"/v1/client/sessions/{session_id}/touch", active_organization_id="")
    state = page.load()
    assert user_of(state) == page.running.emulator.session(session_id)["user_id"]
    page.ask("DELETE", "/v1/client/sessions")
    page._note({"sessions": [], "last_active_session_id": None})
    assert user_of(page.load()) is None


def test_the_active_organization_is_the_applications(page: Page) -> None:
    emulator = page.running.emulator
    society = emulator.create_organization("Analytical Society")
    emulator.add_member(society["id"], emulator.users()[0]["id"], "org:admin")
    session_id = page.ask("POST", "/v1/client/sign_ins", **ADA)["response"]["created_session_id"]
    touch = f"/v1/client/sessions/{session_id}/touch"
    page.ask("POST", touch, active_organization_id=society["id"])
    auth = auth_of(page.load())
    assert (auth.org_id, auth.org_role) == (society["id"], "org:admin")
    page.ask("POST", touch, active_organization_id="")
    auth = auth_of(page.load())
    assert (auth.user_id, auth.org_id) == (emulator.users()[0]["id"], None)


def test_the_hosted_pages_and_the_script_are_about_the_same_browser(page: Page) -> None:
    """Who signs in on a hosted page is signed in for the script, and the other way round."""
    first = page.ask("POST", "/v1/client/sign_ins", **ADA)["response"]["created_session_id"]
    hosted = page.http.get(f"{page.running.url}/sign-in", timeout=10)
    assert "Ada Lovelace" in hosted.text
    fields = {"form_token": page.http.cookies["__clerk_form"], **GRACE}
    page.http.post(f"{page.running.url}/sign-in", data=fields, timeout=10)
    client = page.ask("GET", "/v1/client")["response"]
    assert [one["user"]["username"] for one in client["sessions"]] == [None, "grace"]
    assert client["sessions"][0]["id"] == first
