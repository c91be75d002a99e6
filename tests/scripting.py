"""Clerk's script for browsers, as far as servers see it: what it sends, and what it keeps."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import jwt
from webtest import TestApp

from clerk_wsgi.emulator import DEMO_PASSWORD, Emulator, SigningKey
from clerk_wsgi.settings import parse_publishable_key

from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST

if TYPE_CHECKING:
    from webtest.response import TestResponse

MODES = {"development": PUBLISHABLE_TEST, "production": PUBLISHABLE_LIVE}
APP = "http://127.0.0.1:8000"
HOST = "127.0.0.1:4100"
VERSIONS = {"__clerk_api_version": "2026-08-20", "_clerk_js_version": "6.40.0"}
BODILESS = ("GET", "HEAD", "OPTIONS")  # the script sends everything else as a POST

ADA = {"identifier": "ada@example.com", "password": DEMO_PASSWORD}
GRACE = {"identifier": "grace", "password": "nanoseconds are this long"}


@cache
def _signing_key() -> SigningKey:
    """One key for all: making one takes longer than most tests."""
    return SigningKey.generate("ins_for_tests")


class World:
    """A local Clerk with two users, Ada and Grace, and browsers that come to it."""

    def __init__(self, mode: str, **options: Any) -> None:
        self.mode = mode
        self.now = float(NOW)
        self.emulator = Emulator(
            publishable_key=MODES[mode],
            clock=lambda: self.now,
            signing_key=_signing_key(),
            **options,
        )
        [self.ada] = [user["id"] for user in self.emulator.users()]
        grace = self.emulator.create_user(username="grace", password=GRACE["password"])
        self.grace = str(grace["id"])
        self.suffix = parse_publishable_key(MODES[mode]).suffix

    @property
    def is_development(self) -> bool:
        return self.mode == "development"

    def script(self, *, origin: str | None = APP, host: str = HOST) -> Script:
        """A new browser with a page of this origin; in development it has introduced itself."""
        script = Script(self, origin=origin, host=host)
        if self.is_development:
            script.token = script.post("/v1/dev_browser").json["id"]
        return script

    def signed_in(self, **user: str) -> Script:
        """A new browser in which somebody has signed in: Ada unless it is said who."""
        script = self.script()
        script.sign_in(**user)
        return script

    def claims_of(self, token: str) -> dict[str, Any]:
        """What a session token says, if it is really this Clerk's."""
        key = self.emulator.public_key_pem()
        return dict(jwt.decode(token, key, algorithms=["RS256"], options={"verify_exp": False}))


class Script:
    """The script on one page; WebTest's lint looks at all answers, and keeps their cookies."""

    def __init__(self, world: World, *, origin: str | None, host: str) -> None:
        self.world = world
        self.origin = origin
        self.token = ""
        self.cookie = ""  # instead of those that it was given
        self.host = host
        self.http = TestApp(world.emulator)

    def ask(
        self,
        method: str,
        path: str,
        fields: dict[str, str] | None = None,
        *,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> TestResponse:
        """Ask as the script does; of an answer it keeps the new dev browser token, if any."""
        named = {"Origin": self.origin, "Cookie": self.cookie}
        sent = {name: text for name, text in named.items() if text}
        url, sent = self._url(method, path, query or {}), {**sent, **(headers or {})}
        if method in BODILESS:
            ask = getattr(self.http, method.lower())
            answer: TestResponse = ask(url, headers=sent, expect_errors=True)
        else:
            answer = self.http.post(url, fields or {}, headers=sent, expect_errors=True)
        self.token = answer.headers.get("Clerk-Db-Jwt", self.token)
        return answer

    def get(self, path: str, **query: str) -> TestResponse:
        return self.ask("GET", path, query=query)

    def post(self, path: str, **fields: str) -> TestResponse:
        return self.ask("POST", path, fields)

    def delete(self, path: str) -> TestResponse:
        return self.ask("DELETE", path)

    def sign_in(self, **user: str) -> dict[str, Any]:
        """Sign in with a password in one step, and return the session."""
        answer = self.post("/v1/client/sign_ins", **(user or ADA))
        assert answer.json["response"]["status"] == "complete", answer.text
        return session_in(answer.json["client"], answer.json["response"]["created_session_id"])

    def client(self) -> dict[str, Any]:
        """The client as Clerk knows it now."""
        found: dict[str, Any] = self.get("/v1/client").json["response"]
        return found

    def cookies(self) -> dict[str, str]:
        """The cookies that this browser has of Clerk's host."""
        return {cookie.name: cookie.value or "" for cookie in self.http.cookiejar}

    def _url(self, method: str, path: str, query: dict[str, str]) -> str:
        sent = {**VERSIONS, **query}
        if method not in (*BODILESS, "POST"):
            sent["_method"] = method
        token = f"&__clerk_db_jwt={self.token}" if self.token else ""
        return f"http://{self.host}{path}?{urlencode(sent)}{token}"


def session_in(client: dict[str, Any], session_id: str) -> dict[str, Any]:
    """The session of a client that has this id."""
    [found] = [one for one in client["sessions"] if one["id"] == session_id]
    return dict(found)


def refused(answer: TestResponse, status: int, code: str, param: str | None = None) -> None:
    """Check that this is Clerk's error, in its form."""
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    [error] = answer.json["errors"]
    assert (answer.status_int, error["code"]) == (status, code), answer.text
    assert error["message"]
    assert error["long_message"]
    if param is not None:
        assert error["meta"] == {"param_name": param}
