"""The examples, each under a real gunicorn against the local Clerk: signed in, out and forged."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from clerk_wsgi.testing import sign_in, start_emulator

from .gunicorns import gunicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import RunningEmulator

pytestmark = pytest.mark.servers

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def clerk() -> Iterator[RunningEmulator]:
    with start_emulator() as running:
        yield running


@contextmanager
def serving(example: str, clerk: RunningEmulator) -> Iterator[str]:
    """Serve an example with the examples' own configuration, on a free port."""
    options = ("-c", "gunicorn.conf.py")
    sign_in_url = "http://127.0.0.1:1/sign-in"
    with gunicorn(
        f"{example}:app", clerk, *options, cwd=EXAMPLES, CLERK_SIGN_IN_URL=sign_in_url
    ) as url:
        yield url


class Caller:
    """Calls one address of an example as somebody."""

    def __init__(self, url: str, clerk: RunningEmulator) -> None:
        who = sign_in(clerk.emulator, expires_in=3600)
        self.url = url
        self.user_id, self.session_id = who.user["id"], who.session["id"]
        self.token = who.token

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.ask("GET", path, **options)

    def ask(
        self, method: str, path: str, *, token: str | None = None, **headers: str
    ) -> requests.Response:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return requests.request(
            method, self.url + path, headers=headers, allow_redirects=False, timeout=30
        )

    @property
    def forged(self) -> str:
        head, payload, signature = self.token.split(".")
        swapped = signature[:-8] + signature[-8:].swapcase()
        assert swapped != signature
        return f"{head}.{payload}.{swapped}"


@pytest.mark.parametrize("example", ["plain_wsgi", "pyramid_app"])
def test_applications_with_an_optional_session(example: str, clerk: RunningEmulator) -> None:
    with serving(example, clerk) as url:
        caller = Caller(url, clerk)
        assert caller.get("/").json() == {"signed_in": False}
        assert caller.get("/", token=caller.token).json() == {"signed_in": True}
        assert caller.get("/", token=caller.forged).json() == {"signed_in": False}
        assert caller.get("/me", token=caller.token).json() == {"user_id": caller.user_id}
        assert caller.get("/me").status_code == 401
        assert caller.get("/me", token=caller.forged).status_code == 401
        assert caller.get("/nowhere", token=caller.token).status_code == 404


def test_falcon_with_a_required_session(clerk: RunningEmulator) -> None:
    with serving("falcon_app", clerk) as url:
        caller = Caller(url, clerk)
        answer = caller.get("/me", token=caller.token)
        assert answer.json() == {"user_id": caller.user_id, "session_id": caller.session_id}
        for refused in (caller.get("/me"), caller.get("/me", token=caller.forged)):
            assert (refused.status_code, refused.content) == (401, b"")


def test_the_custom_error_handler_knows_browsers_from_api_callers(clerk: RunningEmulator) -> None:
    with serving("custom_on_error", clerk) as url:
        caller = Caller(url, clerk)
        assert caller.get("/me", token=caller.token).json() == {"user_id": caller.user_id}
        assert caller.get("/").status_code == 200
        browser = caller.get("/me?a=1", Accept="text/html")
        assert browser.status_code == 303
        location = browser.headers["Location"]
        assert location.startswith("http://127.0.0.1:1/sign-in?redirect_url=http%3A%2F%2F127.0.0.1")
        for refused in (caller.get("/me"), caller.get("/me", token=caller.forged)):
            assert refused.status_code == 401
            assert isinstance(refused.json()["error"], str)


def test_of_several_sessions_only_the_named_one_answers(clerk: RunningEmulator) -> None:
    with serving("multi_session", clerk) as url:
        caller, other = Caller(url, clerk), Caller(url, clerk)
        mine = f"/?_clerk_session_id={caller.session_id}"
        own = {"session_id": caller.session_id, "user_id": caller.user_id}
        assert caller.get("/", token=caller.token).json() == own
        assert caller.get(mine, token=caller.token).json() == own
        assert caller.ask("POST", mine, token=caller.token).json() == own
        assert caller.ask("POST", "/", token=caller.token).status_code == 400
        assert caller.get(mine, token=other.token).status_code == 401
        assert caller.get(mine).status_code == 401
        assert caller.get(mine, token=caller.forged).status_code == 401


def test_every_example_is_started_by_a_test() -> None:
    here = Path(__file__)
    tests = [here, *(here.parent / "integrations").glob("test_*_served.py")]
    started = "".join(path.read_text(encoding="utf-8") for path in tests)
    for example in EXAMPLES.glob("*.py"):
        name = example.name.removesuffix(".py")
        is_started = re.search(rf'"{name}[":]', started)
        assert is_started or name == "gunicorn.conf", name
