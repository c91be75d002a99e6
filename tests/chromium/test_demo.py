"""The demo in a browser without JavaScript: its pages, and the hosted pages of the local Clerk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ..processes import Running
from .browsers import PHONE, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import FloatRect, Page

    from .browsers import OpenWindow, Window

pytestmark = pytest.mark.servers

ADA = "Signed in as Ada Lovelace."
GRACE = ("grace@example.com", "nanosecond-11.8-inches")
LOCKED = ("charles@example.com", "difference-engine-1")
HOSTED = ("sign-in", "choose", "choose-organization", "sign-out")
NOBODY = "nobody is signed in"
WHOLE_ADDRESS = re.compile(r"/sign-in\?redirect_url=")


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What the demo says of itself when it starts."""

    home: str
    clerk: str
    identifier: str
    password: str

    @property
    def private(self) -> str:
        return self.home.removesuffix("home")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    with Running("demo", "--port", "0", "--emulator-port", "0", cwd=folder) as running:
        running.wait_for("^Decisions:$")
        clerk = running.wait_for(r"^The local Clerk: +(\S+)$")[1]
        line = running.wait_for(r"^  (http://\S+)  as (\S+), password (\S+)$")
        yield Demo(home=line[1], clerk=clerk, identifier=line[2], password=line[3])


def fill_in(page: Page, identifier: str, password: str) -> None:
    page.get_by_label("Email address or username").fill(identifier)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def take_time(window: Window) -> None:
    """Let the cookie go that counts handshakes: it lasts two seconds, as people need for a page."""
    window.context.clear_cookies(name="__clerk_redirect_count")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Page) -> str:
    """What has the focus: its label, its text, or nothing."""
    text: str = page.evaluate(
        "() => { const one = document.activeElement;"
        " return one === document.body ? '' : (one.labels?.[0] ?? one).innerText.trim() }"
    )
    return text.partition("\n")[0]


def outline(page: Page) -> tuple[str, float]:
    """The style and the width in pixels of the ring around what has the focus."""
    found: dict[str, Any] = page.evaluate(
        "() => { const style = getComputedStyle(document.activeElement);"
        " return {style: style.outlineStyle, width: parseFloat(style.outlineWidth)} }"
    )
    return found["style"], found["width"]


def test_somebody_signs_in_looks_around_and_signs_out(demo: Demo, plain_window: Window) -> None:
    page = plain_window.page
    assert NOBODY in plain_window.load(demo.home)
    page.get_by_role("link", name="Sign in").first.click()
    assert page.url.startswith(f"{demo.clerk}/sign-in?")
    fill_in(page, demo.identifier, demo.password)
    assert page.url == demo.home
    assert ADA in plain_window.text
    page.get_by_role("link", name="Private").click()
    assert page.url == demo.private
    assert ADA in plain_window.text
    page.get_by_role("link", name="Sign out").click()
    assert "You are signed in as Ada Lovelace." in plain_window.text
    page.get_by_role("button", name="Sign out").click()
    assert page.url == demo.home
    assert NOBODY in plain_window.text
    page.get_by_role("link", name="Private").click()
    assert page.title() == "Sign in – local Clerk"
    assert ADA not in plain_window.text


def test_a_session_outlives_the_cookies_of_the_application(
    demo: Demo, plain_window: Window
) -> None:
    page = plain_window.page
    plain_window.load(demo.private)
    fill_in(page, demo.identifier, demo.password)
    before = page.get_by_role("definition").nth(1).inner_text()
    plain_window.context.clear_cookies(name=re.compile("^__session|^__refresh"))
    assert ADA in plain_window.load(demo.private)
    assert page.get_by_role("definition").nth(1).inner_text() == before


def test_staying_signed_in_leads_back(demo: Demo, plain_window: Window) -> None:
    page = plain_window.page
    plain_window.load(demo.private)
    fill_in(page, demo.identifier, demo.password)
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("link", name="Stay signed in").click()
    assert page.url == demo.home
    assert ADA in plain_window.text


def test_the_keyboard_alone_does_it_in_a_sensible_order(demo: Demo, plain_window: Window) -> None:
    page = plain_window.page
    plain_window.load(demo.home)
    order = []
    for _ in range(4):
        press(page, "Tab")
        order.append(focused(page))
        assert outline(page) == ("solid", 3)
    assert order == ["Home", "Private", "Sign in", "Sign in"]
    press(page, "Enter")
    page.wait_for_url(WHOLE_ADDRESS)
    assert settled(page, focused, "Email address or username") == "Email address or username"
    assert outline(page) == ("solid", 3)
    page.keyboard.type(demo.identifier)
    press(page, "Tab")
    assert settled(page, focused, "Password") == "Password"
    assert outline(page) == ("solid", 3)
    page.keyboard.type(demo.password)
    press(page, "Tab")
    assert settled(page, focused, "Sign in") == "Sign in"
    assert outline(page) == ("solid", 3)
    press(page, "Enter")
    page.wait_for_url(demo.home)
    assert ADA in plain_window.text
    press(page, "Tab", "Tab", "Tab")
    assert settled(page, focused, "Sign out") == "Sign out"
    press(page, "Enter")
    page.wait_for_url(re.compile("/sign-out"))
    press(page, "Tab")
    assert settled(page, focused, "Sign out") == "Sign out"
    press(page, "Enter")
    page.wait_for_url(demo.home)
    assert NOBODY in plain_window.text


@pytest.mark.parametrize(
    ("identifier", "password", "label", "problem"),
    [
        ("ada@example.com", "wrong", "Password", "Password is incorrect. Please try again."),
        ("bob", "wrong", "Email address or username", "Couldn't find your account."),
    ],
)
def test_what_was_wrong_is_said_at_its_field(
    demo: Demo, plain_window: Window, identifier: str, password: str, label: str, problem: str
) -> None:
    plain_window.expect_console("status of 422")
    page = plain_window.page
    plain_window.load(demo.private)
    fill_in(page, identifier, password)
    field = page.get_by_label(label)
    description = field.get_attribute("aria-describedby")
    assert page.locator(f"#{description}").inner_text() == problem
    assert field.get_attribute("aria-invalid") == "true"
    assert page.locator("[aria-invalid]").count() == 1
    assert settled(page, focused, label) == label
    assert page.get_by_label("Email address or username").input_value() == identifier
    assert page.get_by_label("Password").input_value() == ""
    assert page.title().startswith("Error: ")
    fill_in(page, demo.identifier, demo.password)
    assert page.url == demo.private
    assert ADA in plain_window.text


@pytest.mark.parametrize("missing", ["identifier", "password"])
def test_an_empty_field_is_not_sent(demo: Demo, plain_window: Window, missing: str) -> None:
    plain_window.load(demo.private)
    before = len(plain_window.requests)
    entered = {"identifier": demo.identifier, "password": demo.password, missing: ""}
    fill_in(plain_window.page, **entered)
    assert plain_window.page.locator(":invalid:focus").get_attribute("name") == missing
    assert len(plain_window.requests) == before


def test_another_address_than_this_machines_is_not_led_to(demo: Demo, plain_window: Window) -> None:
    plain_window.expect_console("status of 422")
    text = plain_window.load(f"{demo.clerk}/sign-in?redirect_url=https://app.example.com/")
    assert "This did not work" in text
    assert plain_window.page.get_by_role("textbox").count() == 0


def test_the_organization_is_chosen_and_left_again(demo: Demo, plain_window: Window) -> None:
    page = plain_window.page
    plain_window.load(demo.private)
    fill_in(page, demo.identifier, demo.password)
    for button, said in (
        ("Analytical Society", "analytical-society, as org:admin"),
        ("Personal account", "none, this is the personal account"),
    ):
        take_time(plain_window)
        page.get_by_role("link", name="Choose an organization").click()
        page.get_by_role("button", name=button).click()
        assert page.url == demo.private
        assert said in plain_window.text


def test_of_two_accounts_one_is_in_use_and_can_be_left_alone(
    demo: Demo, plain_window: Window
) -> None:
    page = plain_window.page
    plain_window.load(demo.private)
    fill_in(page, demo.identifier, demo.password)
    take_time(plain_window)
    page.get_by_role("link", name="Use another account").click()
    page.get_by_role("link", name="Add another account").click()
    fill_in(page, *GRACE)
    assert "Signed in as Grace Hopper." in plain_window.text
    take_time(plain_window)
    page.get_by_role("link", name="Use another account").click()
    page.get_by_role("button", name=re.compile("^Ada Lovelace")).click()
    assert page.url == demo.private
    assert ADA in plain_window.text
    take_time(plain_window)
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out Ada Lovelace only").click()
    assert page.url == demo.home
    assert "Signed in as Grace Hopper." in plain_window.text
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    assert NOBODY in plain_window.text


def test_who_is_locked_out_is_told_so(demo: Demo, plain_window: Window) -> None:
    plain_window.expect_console("status of 403")
    page = plain_window.page
    plain_window.load(demo.private)
    fill_in(page, *LOCKED)
    assert page.get_by_role("alert").inner_text().startswith("This account is locked.")
    assert NOBODY in plain_window.load(demo.home)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_cut_off_and_all_can_be_hit(
    demo: Demo, open_window: OpenWindow, scheme: str
) -> None:
    window = open_window(java_script_enabled=False, viewport=PHONE, color_scheme=scheme)
    back = f"?redirect_url={demo.home}"
    signed_out = [demo.home, f"{demo.clerk}/", f"{demo.clerk}/sign-out{back}", demo.private]
    signed_in = [f"{demo.clerk}/{page}{back}" for page in HOSTED]
    for address in signed_out:
        window.load(address)
        expect_fit(window.page)
    fill_in(window.page, demo.identifier, demo.password)
    for address in (demo.private, *signed_in):
        window.load(address)
        expect_fit(window.page)


def expect_fit(page: Page) -> None:
    """Hold a page to the width of its window, and its targets to WCAG 2.2, 2.5.8.

    A target is 24 pixels in height and width, or that much of the page has no other target on it.
    """
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = page.locator("a, button, input:not([type=hidden])").all()
    boxes = {one.inner_text() or str(one): one.bounding_box() for one in found}
    rooms = {name: Room.around(box) for name, box in boxes.items() if box}
    assert rooms
    for name, room in rooms.items():
        box = boxes[name]
        assert box
        assert 0 <= box["x"] <= box["x"] + box["width"] <= PHONE["width"], name
        close = [other for other in rooms if other != name and room.meets(rooms[other])]
        assert close == [], f"too close to {name} at {page.url}"


@dataclass(frozen=True)
class Room:
    """What a target needs of a page, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, box: FloatRect) -> Room:
        more = [max(0, 24 - box[side]) / 2 for side in ("width", "height")]
        return cls(
            left=box["x"] - more[0],
            top=box["y"] - more[1],
            right=box["x"] + box["width"] + more[0],
            bottom=box["y"] + box["height"] + more[1],
        )

    def meets(self, other: Room) -> bool:
        is_beside = self.right <= other.left or other.right <= self.left
        is_above = self.bottom <= other.top or other.bottom <= self.top
        return not is_beside and not is_above
