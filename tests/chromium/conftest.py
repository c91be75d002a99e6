"""A browser for all tests of this folder, and for each test windows of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .browsers import DESKTOP, Window, launched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from .browsers import OpenWindow


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser, which ends before the tests of other folders begin."""
    with launched() as browser:
        yield browser


@pytest.fixture
def open_window(chromium: Browser) -> Iterator[OpenWindow]:
    """Open windows that know nothing of each other, with the options of a browser context.

    The test fails at its end if a page had an error, or asked anybody but this machine.
    """
    opened: list[Window] = []

    def open_one(**options: Any) -> Window:
        opened.append(Window(chromium.new_context(**{"viewport": DESKTOP, **options})))
        return opened[-1]

    yield open_one
    complaints = [text for window in opened for text in window.complaints()]
    for window in opened:
        window.context.close()
    assert complaints == []


@pytest.fixture
def window(open_window: OpenWindow) -> Window:
    """A window as people have it."""
    return open_window()


@pytest.fixture
def plain_window(open_window: OpenWindow) -> Window:
    """A window without JavaScript."""
    return open_window(java_script_enabled=False)
