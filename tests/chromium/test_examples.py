"""The applications of examples/ in a browser without JavaScript, from nobody to an admin's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clerk_wsgi.testing import start_emulator

from ..gunicorns import gunicorn
from ..processes import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import RunningEmulator

    from .browsers import Window

pytestmark = pytest.mark.servers

EXAMPLES = PROJECT / "examples"
PEOPLE = EXAMPLES / "django_app" / "people.toml"
BY_GUNICORN = ("CLERK_SECRET_KEY", "CLERK_API_URL")
PASSWORDS = {"ada": "analytical-engine-1843", "charles": "difference-engine-no-2"}
# Each example, its page for the admins of a team, and what that says.
PAGES = {
    "flask_app:app": ("/team/", "analytical-society is yours to look after, Ada."),
    "bottle_app:app": ("/team", "analytical-society is yours to look after, Ada."),
    "pyramid_app:app": ("/team", "You look after this team."),
    "falcon_app:app": ("/organization", "You are one of its admins."),
    "django_app.society:app": ("/members", "ada@example.com: org:admin"),
}


@pytest.fixture(scope="module")
def clerk() -> Iterator[RunningEmulator]:
    with start_emulator(seed=PEOPLE) as running:
        yield running


@pytest.fixture(scope="module", params=PAGES)
def example(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def url(example: str, clerk: RunningEmulator) -> Iterator[str]:
    environ = {name: text for name, text in clerk.environ.items() if name not in BY_GUNICORN}
    with gunicorn(example, clerk, "-c", "gunicorn.conf.py", cwd=EXAMPLES, **environ) as url:
        yield url


@pytest.fixture
def visitor(plain_window: Window) -> Window:
    """A window that is refused something, and asks for no icon, which small applications lack."""
    plain_window.context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    plain_window.expect_console("status of 403")
    return plain_window


def sign_in(window: Window, name: str) -> None:
    window.page.get_by_label("Email address or username").fill(f"{name}@example.com")
    window.page.get_by_label("Password").fill(PASSWORDS[name])
    window.page.get_by_role("button", name="Sign in").click()


def choose_the_society(window: Window, url: str) -> None:
    window.load(f"{url}/")
    window.page.get_by_role("link", name="account").click()
    window.page.get_by_role("link", name="Switch organization").click()
    window.page.get_by_role("button", name="Analytical Society").click()


def test_an_admin_chooses_the_team_and_sees_its_page(
    example: str, url: str, visitor: Window
) -> None:
    page, (path, text) = visitor.page, PAGES[example]
    visitor.load(url + path)
    sign_in(visitor, "ada")
    assert page.url == url + path
    assert "This is not for you" in visitor.text
    choose_the_society(visitor, url)
    visitor.load(url + path)
    assert text in visitor.text
    visitor.load(f"{url}/")
    # The cookie counts handshakes for two seconds. People take longer for a page than this test.
    visitor.context.clear_cookies(name="__clerk_redirect_count")
    page.get_by_role("button", name="Sign out").click()
    if page.url != f"{url}/":  # a page of Clerk's asks once more
        page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{url}/"
    assert page.get_by_role("button", name="Sign out").count() == 0


def test_a_member_is_told_that_it_is_not_for_them(example: str, url: str, visitor: Window) -> None:
    visitor.load(url + PAGES[example][0])
    sign_in(visitor, "charles")
    choose_the_society(visitor, url)
    visitor.load(url + PAGES[example][0])
    assert "This is not for you" in visitor.text
