"""Debian's Chromium, driven by Playwright: what a page complains about fails the test.

No test of this folder may import Playwright at the top: where it is missing, they are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError

    OpenWindow = Callable[..., "Window"]

REQUIRED = "CLERK_WSGI_BROWSER_TESTS"  # set to "required" where nothing may be skipped

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
LOOPBACK = ("127.0.0.1", "localhost")
WITHOUT_HOST = ("about", "blob", "data")

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


def require_or_skip(what: str) -> NoReturn:
    """End a test for want of a part: a failure where all are required, else a skip."""
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(f"{what} is missing, and {REQUIRED}=required", pytrace=False)
    pytest.skip(f"{what} is missing")


@contextmanager
def launched() -> Iterator[Browser]:
    """Run a browser without a window that reaches this machine alone.

    Until it ends, Playwright's event loop counts as running in this thread: no other test may
    need one meanwhile.
    """
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        require_or_skip("Chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        require_or_skip("Playwright for Python")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


def settled(page: Page, look: Callable[[Page], str], wanted: str) -> str:
    """Return what is seen in a page as soon as it is what is wanted, at the latest in 5 seconds.

    A field that has the focus from the start gets it a moment after the page was loaded.
    """
    for _ in range(250):
        if look(page) == wanted:
            break
        page.wait_for_timeout(20)
    return look(page)


class Window:
    """Pages that share cookies; it notes errors, and every request that leaves this machine."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.requests: list[Request] = []
        self._console: list[str] = []
        self._failures: list[str] = []
        self._expected: list[str] = []
        context.on("request", self._note_request)
        context.on("console", self._note_console)
        context.on("weberror", self._note_error)

    def expect_console(self, pattern: str) -> None:
        """Declare a line that has to appear on the console as an error, once or more."""
        self._expected.append(pattern)

    def load(self, url: str) -> str:
        """Load a page, and return the text of its body."""
        self.page.goto(url)
        return self.text

    @property
    def text(self) -> str:
        """What the page says."""
        return self.page.locator("body").inner_text()

    def complaints(self) -> list[str]:
        """Return what was wrong until now: nothing, if all is well."""
        unexpected = [line for line in self._console if not self._is_expected(line)]
        absent = [
            f"not on the console: {pattern}"
            for pattern in self._expected
            if not any(re.search(pattern, line) for line in self._console)
        ]
        return [*self._failures, *unexpected, *absent]

    def _is_expected(self, line: str) -> bool:
        return any(re.search(pattern, line) for pattern in self._expected)

    def _note_request(self, request: Request) -> None:
        self.requests.append(request)
        address = urlsplit(request.url)
        if address.scheme not in WITHOUT_HOST and address.hostname not in LOOPBACK:
            self._failures.append(f"asked another host: {request.method} {request.url}")

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location["url"]
            self._console.append(f"console: {message.text} ({where})")

    def _note_error(self, error: WebError) -> None:
        self._failures.append(f"error on a page: {error.error}")
