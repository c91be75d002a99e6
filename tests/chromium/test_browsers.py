"""What fails a browser test that looks well otherwise."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from ..processes import PROJECT, TIMEOUT, survivors
from .browsers import REQUIRED, Window, require_or_skip

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.servers

BAD_PAGES = {
    "asked another host: GET http://clerk.example.com/a.js": (
        "<script src='http://clerk.example.com/a.js'></script>"
    ),
    "asked another host: GET http://192.0.2.1/a.png": "<img src='http://192.0.2.1/a.png'>",
    "console: Not well": "<script>console.error('Not well')</script>",
    "error on a page: thrown": "<script>throw new Error('thrown')</script>",
    "error on a page: rejected": (
        "<script>Promise.reject(new Error('rejected')); setTimeout(() => {}, 0)</script>"
    ),
    "console: Refused|console: Applying inline style violates": (
        "<meta http-equiv='Content-Security-Policy' content=\"style-src 'none'\">"
        "<p style='color: red'>"
    ),
}

WHOLE_LIFE = """
import asyncio, os
from tests.chromium.browsers import launched
from tests.processes import descendants

with launched() as browser:
    browser.new_page()
    print(*descendants(os.getpid()))
asyncio.run(asyncio.sleep(0))
"""


def complaints_about(page: str, chromium: Browser, *expected: str) -> list[str]:
    with closing(chromium.new_context()) as context:
        window = Window(context)
        for pattern in expected:
            window.expect_console(pattern)
        window.page.set_content(page)
        window.page.evaluate("() => new Promise(resolve => setTimeout(resolve, 50))")
        return window.complaints()


@pytest.mark.parametrize("complaint", BAD_PAGES)
def test_what_a_page_does_wrong_is_noted(complaint: str, chromium: Browser) -> None:
    found = complaints_about(BAD_PAGES[complaint], chromium)
    assert any(text.startswith(tuple(complaint.split("|"))) for text in found), found


def test_a_page_that_does_nothing_wrong_is_not_complained_about(chromium: Browser) -> None:
    assert complaints_about("<img src='data:,'><script>console.warn('hm')</script>", chromium) == []


def test_a_line_on_the_console_may_be_expected_and_then_has_to_come(chromium: Browser) -> None:
    page = "<script>console.error('status of 422')</script>"
    assert complaints_about(page, chromium, "of 422") == []
    assert complaints_about(page, chromium, "of 422", "of 500") == ["not on the console: of 500"]
    assert complaints_about("", chromium, "of 422") == ["not on the console: of 422"]


def test_a_missing_part_is_a_skip_for_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="Chromium is missing"):
        require_or_skip("Chromium")


def test_a_missing_part_is_a_failure_where_all_are_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(REQUIRED, "required")
    with pytest.raises(pytest.fail.Exception, match="Chromium is missing"):
        require_or_skip("Chromium")


def test_a_browser_that_has_ended_leaves_neither_processes_nor_an_event_loop(
    chromium: Browser,
) -> None:
    assert chromium.is_connected()  # where there is no browser, this test is skipped, too
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WHOLE_LIFE],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    family = {int(pid) for pid in done.stdout.split()}
    assert len(family) > 2
    assert survivors(family) == set()
    assert done.stderr == ""
