"""The pages of the local Clerk in a browser: keyboards, screen readers, phones, dark rooms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from clerk_wsgi.emulator import DEMO_PASSWORD
from clerk_wsgi.testing import start_emulator

from .browsers import DESKTOP, PHONE, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from clerk_wsgi.testing import RunningEmulator

    from .browsers import OpenWindow, Window

pytestmark = pytest.mark.servers

PASSWORD = "nanoseconds are this long"
LONG = "Wolfeschlegelsteinhausenbergerdorff" * 3
NARROW = {"width": 320, "height": 700}  # what is left of 1280 pixels at 400 % (WCAG 2.2, 1.4.10)
PAGES = ("sign-in", "sign-out", "choose", "choose-organization", "")

# Each text on a page with its colour and with the ground that it stands on.
TEXTS = """() => {
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "none";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (text && element.checkVisibility())
      found.push([text, getComputedStyle(element).color, ground(element)]);
  }
  return found;
}"""
# Each border or ring that says where something can be entered or pressed, likewise.
EDGES = """() => {
  const found = [];
  for (const one of document.querySelectorAll("input:not([type=hidden]), .choice, .quiet")) {
    const card = getComputedStyle(one.closest(".card")).backgroundColor;
    found.push([one.outerHTML.slice(0, 60), getComputedStyle(one).borderTopColor, card]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def clerk() -> Iterator[RunningEmulator]:
    """A local Clerk with people of many kinds, of whom Ada is in two organizations, and a fault."""
    with start_emulator() as running:
        emulator = running.emulator
        [ada] = emulator.users()
        emulator.create_user(username="grace", first_name="Grace", password=PASSWORD)
        emulator.create_user(first_name=LONG, email_address=f"{LONG}@example.com", banned=True)
        for name in ("Analytical Society", LONG):
            emulator.add_member(emulator.create_organization(name)["id"], ada["id"])
        emulator.create_session(ada["id"], status="pending")
        emulator.faults.fail(503, prefix="/v1/users")
        yield running


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[RunningEmulator]:
    """Another site on this machine, to be led back to."""
    with start_emulator() as running:
        yield running


def address(clerk: RunningEmulator, page: str) -> str:
    return f"{clerk.url}/{page}"


def sign_in(window: Window, clerk: RunningEmulator, who: str = "ada@example.com") -> None:
    window.load(address(clerk, "sign-in"))
    window.page.get_by_label("Email address or username").fill(who)
    password = DEMO_PASSWORD if who.startswith("ada") else PASSWORD
    window.page.get_by_label("Password").fill(password)
    window.page.get_by_role("button", name="Sign in", exact=True).click()


def pages_in(window: Window, clerk: RunningEmulator) -> Iterator[Page]:
    """Every page there is: for nobody, with everything wrong, and for two accounts."""
    window.expect_console("status of 422")
    page = window.page
    for name in PAGES:
        window.load(address(clerk, name))
        yield page
    window.load(address(clerk, "sign-in?redirect_url=http://evil.example/"))
    yield page
    window.load(address(clerk, "sign-in"))
    page.locator("main form").evaluate("form => { form.noValidate = true }")
    page.get_by_role("button", name="Sign in").click()
    yield page
    sign_in(window, clerk)
    sign_in(window, clerk, "grace")
    for name in PAGES:
        window.load(address(clerk, name))
        yield page
    window.load(address(clerk, "choose"))
    page.get_by_role("link", name="Switch organization of Ada Lovelace").click()
    yield page


def focused(page: Page) -> str:
    """What has the focus: its name for people."""
    text: str = page.evaluate(
        "() => { const one = document.activeElement;"
        " return one === document.body ? '' : (one.labels?.[0] ?? one).innerText }"
    )
    return " ".join(text.split())


def press_until(page: Page, name: str) -> None:
    """Go on by the tabulator key until something has the focus, and see that its ring is seen."""
    for _ in range(20):
        page.keyboard.press("Tab")
        ring = page.evaluate("() => getComputedStyle(document.activeElement).outline")
        assert "solid 3px" in ring or not focused(page), ring
        if focused(page) == name:
            return
    pytest.fail(f"the keyboard does not lead to {name!r} at {page.url}")


# With the keyboard alone


def press(page: Page, name: str, key: str = "Enter") -> None:
    """Go to something by the tabulator key, and press it: it leads to another page."""
    press_until(page, name)
    with page.expect_navigation():
        page.keyboard.press(key)


def test_the_keyboard_alone_signs_in_twice_chooses_and_signs_out(
    clerk: RunningEmulator, plain_window: Window
) -> None:
    page = plain_window.page
    plain_window.load(address(clerk, "sign-in"))
    assert settled(page, focused, "Email address or username") == "Email address or username"
    for who, password in (("ada@example.com", DEMO_PASSWORD), ("grace", PASSWORD)):
        if focused(page) != "Email address or username":
            press_until(page, "Email address or username")
        page.keyboard.type(who)
        page.keyboard.press("Tab")
        page.keyboard.type(password)
        press(page, "Sign in")
        press(page, "Manage accounts")
        press(page, "Add another account")
    plain_window.load(address(clerk, "choose"))
    press(page, "Switch organization of Ada Lovelace")
    press(page, "AS Analytical Society Member", "Space")
    assert "Analytical Society" in page.locator("[aria-current=true]").inner_text()
    press(page, "Use another account")
    press(page, "Sign out of Grace")
    assert "Grace" not in plain_window.text
    press_until(page, "Sign out of Ada Lovelace")
    press(page, "Sign out")
    press(page, "Sign out")
    assert "Nobody is signed in here." in plain_window.text


def test_the_first_field_that_is_wrong_has_the_focus_and_says_why(
    clerk: RunningEmulator, plain_window: Window
) -> None:
    plain_window.expect_console("status of 422")
    page = plain_window.page
    plain_window.load(address(clerk, "sign-in"))
    page.locator("form").evaluate("form => { form.noValidate = true }")
    page.get_by_role("button", name="Sign in").click()
    assert settled(page, focused, "Email address or username") == "Email address or username"
    for label, problem in (
        ("Email address or username", "Enter your email address or username."),
        ("Password", "Enter your password."),
    ):
        field = page.get_by_label(label)
        assert field.get_attribute("aria-invalid") == "true"
        assert page.locator(f"#{field.get_attribute('aria-describedby')}").inner_text() == problem
    assert page.title() == "Error: sign in – local Clerk"


# For everybody


def test_every_page_can_be_read_to_somebody(clerk: RunningEmulator, plain_window: Window) -> None:
    titles = set()
    for page in pages_in(plain_window, clerk):
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.get_by_role("main").count() == 1
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName)")
        assert levels[0] == "H1"
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
        assert len(ids) == len(set(ids))
        for field in page.locator("input:not([type=hidden])").all():
            assert field.evaluate("field => field.labels.length") == 1
        for control in page.locator("a, button").all():
            assert control.inner_text().strip(), page.url
        titles.add(page.title())
    assert len(titles) == 7


def test_screen_readers_are_told_what_is_said_elsewhere_by_place_and_colour(
    clerk: RunningEmulator, plain_window: Window
) -> None:
    sign_in(plain_window, clerk)
    sign_in(plain_window, clerk, "grace")
    plain_window.load(address(clerk, "choose"))
    names = [one.inner_text() for one in plain_window.page.locator(".actions > *").all()]
    assert [" ".join(name.split()) for name in names] == [
        "Switch organization of Ada Lovelace",
        "Sign out of Ada Lovelace",
        "Sign out of Grace",
    ]
    current = plain_window.page.locator("[aria-current=true]")
    assert "Grace" in current.inner_text()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_tables_are_tables_however_they_are_laid_out(
    clerk: RunningEmulator, open_window: OpenWindow, viewport: dict[str, int]
) -> None:
    window = open_window(java_script_enabled=False, viewport=viewport)
    window.load(address(clerk, ""))
    users = window.page.get_by_role("table", name="Users")
    assert users.get_by_role("columnheader").count() == 4
    assert users.get_by_role("row").count() == 1 + len(clerk.emulator.users())
    assert users.get_by_role("cell", name="ada@example.com").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_seen_against_its_ground(
    clerk: RunningEmulator, open_window: OpenWindow, scheme: Any
) -> None:
    window = open_window(java_script_enabled=False, color_scheme=scheme)
    seen = set()
    for page in pages_in(window, clerk):
        for text, colour, ground in page.evaluate(TEXTS):
            assert contrast(colour, ground) >= 4.5, (text, colour, ground)
            seen.add((colour, ground))
        for control, colour, ground in page.evaluate(EDGES):
            assert contrast(colour, ground) >= 3, (control, colour, ground)
    assert len(seen) > 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_ring_of_the_focus_and_what_is_under_the_mouse_are_seen(
    clerk: RunningEmulator, open_window: OpenWindow, scheme: Any
) -> None:
    window = open_window(java_script_enabled=False, color_scheme=scheme)
    sign_in(window, clerk)
    window.load(address(clerk, "choose"))
    for control in window.page.locator("a, button").all():
        control.hover()
        for text, colour, ground in window.page.evaluate(TEXTS):
            assert contrast(colour, ground) >= 4.5, (text, colour, ground)
        control.focus()
        ring = control.evaluate("one => getComputedStyle(one).outlineColor")
        assert contrast(ring, background(window.page, ".card")) >= 3
        assert contrast(ring, background(window.page, "body")) >= 3


def background(page: Page, selector: str) -> str:
    colour: str = page.locator(selector).evaluate("one => getComputedStyle(one).backgroundColor")
    return colour


def contrast(colour: str, ground: str) -> float:
    """The contrast of two opaque colours (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((luminance(colour), luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    match = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour)
    assert match, colour
    parts = [int(part) / 255 for part in match.groups()]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# On every screen


@pytest.mark.parametrize("viewport", [NARROW, PHONE, DESKTOP], ids=["narrow", "phone", "desktop"])
def test_nothing_is_wider_than_the_screen(
    clerk: RunningEmulator, open_window: OpenWindow, viewport: dict[str, int]
) -> None:
    window = open_window(java_script_enabled=False, viewport=viewport)
    for page in pages_in(window, clerk):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
        ends = page.evaluate(
            "[...document.querySelectorAll('a, button, td, dd, input, strong')]"
            ".map(one => one.getBoundingClientRect().right)"
        )
        assert max(ends) <= viewport["width"], page.url


# What browsers do by themselves


def test_a_page_asks_for_nothing_but_itself(clerk: RunningEmulator, window: Window) -> None:
    for _ in pages_in(window, clerk):
        pass
    kinds = {(one.resource_type, one.url.partition(":")[0]) for one in window.requests}
    assert kinds <= {("document", "http"), ("image", "data"), ("other", "data")}


def test_the_policy_lets_forms_lead_to_an_application_of_another_site(
    clerk: RunningEmulator, elsewhere: RunningEmulator, plain_window: Window
) -> None:
    page = plain_window.page
    back = quote(address(elsewhere, "choose").replace("127.0.0.1", "localhost"), safe="")
    plain_window.load(address(clerk, f"sign-in?redirect_url={back}"))
    page.get_by_label("Email address or username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    assert page.url.startswith(f"http://localhost:{elsewhere.url.rpartition(':')[2]}/choose?")
    for name in ("choose", "choose-organization", "sign-out"):
        plain_window.load(address(clerk, f"{name}?redirect_url={back}"))
        page.locator("main form button").first.click()
        assert page.url.startswith("http://localhost:"), name


def test_the_policy_lets_forms_lead_nowhere_else(
    clerk: RunningEmulator, elsewhere: RunningEmulator, window: Window
) -> None:
    window.expect_console("violates the following Content Security Policy")
    window.load(address(clerk, "sign-in"))
    before = elsewhere.emulator.requests
    with window.page.expect_console_message():
        window.page.locator("form").evaluate(
            "(form, url) => { form.action = url; form.submit() }", address(elsewhere, "sign-in")
        )
    assert elsewhere.emulator.requests == before


def test_counts_on_the_status_page_lead_to_their_tables(
    clerk: RunningEmulator, plain_window: Window
) -> None:
    plain_window.load(address(clerk, ""))
    for name in ("Users", "Sessions", "Organizations", "Recent requests"):
        plain_window.page.get_by_role("link", name=name).click()
        assert plain_window.page.locator(":target").inner_text() == name
    plain_window.page.get_by_role("link", name="Reload").click()
    assert plain_window.page.url == address(clerk, "")
