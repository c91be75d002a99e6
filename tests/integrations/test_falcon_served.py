"""Falcon under a real gunicorn against a local Clerk: a small site, and the example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from clerk_wsgi.testing import Tokens, sign_in, start_emulator

from ..gunicorns import gunicorn
from ..processes import PROJECT
from .falcon_site import PIECE, PIECES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import Identity, RunningEmulator

pytestmark = pytest.mark.servers

PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
BY_KEYS_ALONE = ("CLERK_SECRET_KEY", "CLERK_API_URL")


@pytest.fixture(scope="module")
def local_clerk() -> Iterator[RunningEmulator]:
    with start_emulator() as running:
        yield running


def pages_of(running: RunningEmulator) -> dict[str, Any]:
    return {name: text for name, text in running.environ.items() if name not in BY_KEYS_ALONE}


@pytest.fixture(scope="module")
def site(local_clerk: RunningEmulator) -> Iterator[str]:
    app = "tests.integrations.falcon_site:create_app()"
    with gunicorn(app, local_clerk, "--threads", "4", **pages_of(local_clerk)) as url:
        yield url


@pytest.fixture(scope="module")
def example(local_clerk: RunningEmulator) -> Iterator[str]:
    options = ("--chdir", str(PROJECT / "examples"), "--threads", "4")
    with gunicorn("falcon_app:app", local_clerk, *options, **pages_of(local_clerk)) as url:
        yield url


def person(local_clerk: RunningEmulator, **who: Any) -> Identity:
    return sign_in(local_clerk.emulator, **{"expires_in": 3600, **who})


def ask(url: str, who: Identity | None = None, method: str = "GET", **options: Any) -> Any:
    headers = {**(who.headers if who else {}), **options.pop("headers", {})}
    cookies = dict(who.cookies) if who else {}
    return requests.request(
        method,
        url,
        headers=headers,
        cookies={**cookies, **options.pop("cookies", {})},
        allow_redirects=False,
        timeout=30,
        **options,
    )


def signed_out_browser(local_clerk: RunningEmulator) -> dict[str, str]:
    """Return the cookies of a browser that Clerk knows, and nobody is signed in to."""
    cookies = person(local_clerk, carrier="cookies").cookies
    known = {name: text for name, text in cookies.items() if name.startswith("__clerk_db_jwt")}
    return {**known, **{name: "0" for name in cookies if name.startswith("__client_uat")}}


def test_who_is_signed_in_gets_in(site: str, local_clerk: RunningEmulator) -> None:
    for carrier in ("bearer", "cookies"):
        somebody = person(local_clerk, carrier=carrier)
        for path in ("/", "/page"):
            assert ask(site + path, somebody).json() == {"signed_in": True}
    assert ask(f"{site}/").json() == {"signed_in": False}


@pytest.mark.parametrize("kind", ["wrong_key", "unknown_key", "unsigned", "expired", "pending"])
def test_a_forged_or_pending_token_gets_nobody_in(
    kind: str, site: str, local_clerk: RunningEmulator
) -> None:
    token = getattr(Tokens(local_clerk.emulator), kind)()
    answer = ask(f"{site}/page", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_role_decides_who_gets_in(site: str, local_clerk: RunningEmulator) -> None:
    for role, status in (("org:member", 403), ("org:admin", 200)):
        assert ask(f"{site}/admins", person(local_clerk, org_role=role)).status_code == status
    assert ask(f"{site}/admins", person(local_clerk)).status_code == 403
    assert ask(f"{site}/admins").status_code == 401


def test_a_verification_that_is_too_old_is_asked_for_again(
    site: str, local_clerk: RunningEmulator
) -> None:
    stale = ask(f"{site}/careful", person(local_clerk, claims={"fva": [600, 600]}))
    assert stale.status_code == 403
    assert stale.json()["clerk_error"]["metadata"] == {"reverification": "strict"}
    assert ask(f"{site}/careful", person(local_clerk, claims={"fva": [0, 0]})).status_code == 200


def test_browsers_are_sent_to_sign_in_and_back(site: str, local_clerk: RunningEmulator) -> None:
    cookies = signed_out_browser(local_clerk)
    answer = ask(f"{site}/page?a=b", headers=PAGE, cookies=cookies)
    assert answer.status_code == 303
    there = urlsplit(answer.headers["Location"])
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{local_clerk.url}/sign-in"
    assert parse_qs(there.query)["redirect_url"] == [f"{site}/page?a=b"]
    fetched = ask(f"{site}/page", headers={"Accept": "application/json"}, cookies=cookies)
    assert fetched.status_code == 401


def test_new_browsers_go_through_a_handshake_and_keep_its_cookies(
    site: str, local_clerk: RunningEmulator
) -> None:
    somebody = person(local_clerk, carrier="cookies")
    stale = {name: text for name, text in somebody.cookies.items() if "__session" not in name}
    there = ask(f"{site}/page", headers=PAGE, cookies=stale)
    assert there.status_code == 307
    assert there.content == b""
    back = ask(there.headers["Location"], cookies=stale).headers["Location"]
    assert back.startswith(f"{site}/page?")
    home = ask(back, headers=PAGE, cookies=stale)
    assert home.status_code == 307  # in development once more, to take it out of the address
    fresh = home.cookies.get_dict()
    assert any(name.startswith("__session") for name in fresh)
    answer = ask(f"{site}/page", headers=PAGE, cookies={**stale, **fresh})
    assert answer.json() == {"signed_in": True}


def test_large_bodies_and_streams_are_untouched(site: str, local_clerk: RunningEmulator) -> None:
    somebody = person(local_clerk)
    whole = PIECE * PIECES
    assert ask(f"{site}/stream", somebody).content == whole
    assert ask(f"{site}/large", somebody).content == whole
    assert ask(f"{site}/large", somebody, "POST", data=whole).json() == {"length": len(whole)}
    head = ask(f"{site}/large", somebody, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole))
    assert ask(f"{site}/large", method="HEAD").status_code == 401
    refused = ask(f"{site}/large", None, "POST", data=whole)
    assert refused.status_code == 401


def test_exceptions_of_the_application_are_falcons(site: str, local_clerk: RunningEmulator) -> None:
    answer = ask(f"{site}/broken", person(local_clerk))
    assert answer.status_code == 500
    assert answer.json() == {"title": "500 Internal Server Error"}


# The example


def test_the_example_is_a_small_application(example: str, local_clerk: RunningEmulator) -> None:
    somebody = person(local_clerk)
    assert "sign in" in ask(f"{example}/").text
    assert "Sign out" in ask(f"{example}/", somebody).text
    assert ask(f"{example}/notes").status_code == 401
    own = {"Origin": example}
    note = {"note": "<b>buy milk</b>"}
    added = ask(f"{example}/notes", somebody, "POST", headers=own, data=note)
    assert (added.status_code, added.headers["Location"]) == (303, "/notes")
    assert "&lt;b&gt;buy milk" in ask(f"{example}/notes", somebody).text
    assert "buy milk" not in ask(f"{example}/notes", person(local_clerk)).text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
    ],
)
@pytest.mark.parametrize("path", ["/notes", "/sign-out"])
def test_the_forms_of_the_example_are_on_its_own_pages(
    path: str, headers: dict[str, str], status: int, example: str, local_clerk: RunningEmulator
) -> None:
    somebody = person(local_clerk)
    answer = ask(example + path, somebody, "POST", headers=headers, data={"note": "x"})
    assert answer.status_code == status


def test_the_example_has_a_section_for_admins(example: str, local_clerk: RunningEmulator) -> None:
    address = f"{example}/organization"
    assert ask(address).status_code == 401
    assert ask(address, person(local_clerk, org_role="org:member")).status_code == 403
    assert "Acme" in ask(address, person(local_clerk, org_role="org:admin")).text


def test_the_example_signs_out_at_the_page_for_that(
    example: str, local_clerk: RunningEmulator
) -> None:
    answer = ask(
        f"{example}/sign-out",
        person(local_clerk),
        "POST",
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{local_clerk.url}/sign-out?")
    assert ask(f"{example}/sign-out", person(local_clerk)).status_code == 405
