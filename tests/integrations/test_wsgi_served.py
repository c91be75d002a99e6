"""The example for plain WSGI under a real gunicorn against a local Clerk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clerk_wsgi.testing import start_emulator

from ..gunicorns import gunicorn
from ..processes import PROJECT
from .test_falcon_served import ask, person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import RunningEmulator

pytestmark = pytest.mark.servers

SIGN_IN = "https://accounts.test/sign-in"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningEmulator]:
    with start_emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def site(running: RunningEmulator) -> Iterator[str]:
    options = ("--chdir", str(PROJECT / "examples"), "--threads", "4")
    with gunicorn("plain_wsgi:app", running, *options, CLERK_SIGN_IN_URL=SIGN_IN) as url:
        yield url


def test_browsers_get_a_page_and_others_the_same_as_json(
    site: str, running: RunningEmulator
) -> None:
    html = {"Accept": "text/html"}
    assert "sign in" in ask(f"{site}/", headers=html).text
    assert "Sign out" in ask(f"{site}/", person(running), headers=html).text
    assert ask(f"{site}/", person(running)).json() == {"signed_in": True}


def test_browsers_are_sent_to_sign_in_and_callers_are_told(site: str) -> None:
    answer = ask(f"{site}/me?a=b", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{SIGN_IN}?redirect_url=http%3A%2F%2F127.0.0.1")
    assert answer.headers["Location"].endswith("%2Fme%3Fa%3Db")
    assert ask(f"{site}/me").status_code == 401


def test_the_section_of_an_organization_is_for_its_admins(
    site: str, running: RunningEmulator
) -> None:
    address = f"{site}/organization"
    assert ask(address).status_code == 401
    assert ask(address, person(running)).status_code == 403
    assert ask(address, person(running, org_role="org:member")).status_code == 403
    admin = person(running, org_role="org:admin")
    assert ask(address, admin).json() == {"organization": "Acme"}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}],
)
def test_forms_of_other_sites_sign_nobody_out(
    headers: dict[str, str], site: str, running: RunningEmulator
) -> None:
    who = person(running)
    assert ask(f"{site}/sign-out", who, "POST", headers=headers).status_code == 403
    assert ask(f"{site}/sign-out", who, headers={"Origin": site}).status_code == 405
    assert running.emulator.session(who.session["id"])["status"] == "active"


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site"])
def test_the_button_signs_out(header: str, site: str, running: RunningEmulator) -> None:
    who = person(running, carrier="cookies")
    headers = {header: site if header == "Origin" else "same-origin"}
    answer = ask(f"{site}/sign-out", who, "POST", headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "__session=;" in answer.headers["Set-Cookie"]
    assert running.emulator.session(who.session["id"])["status"] == "revoked"
