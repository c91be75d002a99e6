"""Return addresses as a browser reads them: what is let through stays on the site."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from clerk_wsgi.returning import safe_return_url

from ..test_returning import HOSTILE, OWN, PIECES, SAFE

if TYPE_CHECKING:
    from .browsers import Window

pytestmark = pytest.mark.servers

# The origin and the path of each text, as a link on a page of the site leads there; none for a
# text that leads nowhere.
TARGETS = """([texts, base]) => texts.map((text) => {
  try {
    const target = new URL(text, base);
    return [target.origin, target.pathname, target.username];
  } catch {
    return null;
  }
})"""


def targets(window: Window, texts: list[str], origin: str) -> list[list[str] | None]:
    page = window.context.new_page()
    found: list[list[str] | None] = page.evaluate(TARGETS, [texts, f"{origin}/here/there?x#y"])
    page.close()
    return found


def test_every_safe_address_is_of_the_site(window: Window) -> None:
    for origin, texts in SAFE.items():
        for text, target in zip(texts, targets(window, texts, origin), strict=True):
            assert target is not None, text
            assert (target[0], target[2]) == (origin, ""), text
            assert not target[1].startswith("//"), text


def test_many_of_the_hostile_ones_would_have_led_elsewhere(window: Window) -> None:
    sendable = [text for text in HOSTILE if "\ud800" not in text]
    found = dict(zip(sendable, targets(window, sendable, OWN), strict=True))
    elsewhere = {text for text, target in found.items() if target and target[0] != OWN}
    assert len(elsewhere) > 60
    assert {"/\\evil.test", "/\t/evil.test", "https:\\\\evil.test", "\t//evil.test"} <= elsewhere


def test_whatever_is_let_through_of_random_ones_is_of_the_site(window: Window) -> None:
    draw = random.Random(20260901)
    texts = ["".join(draw.choices(PIECES, k=draw.randint(1, 9))) for _ in range(40_000)]
    texts += [f"/{text}" for text in texts] + [f"{OWN}{text}" for text in texts]
    kept = [text for text in texts if safe_return_url(text, OWN)]
    assert len(kept) > 1000
    for text, target in zip(kept, targets(window, kept, OWN), strict=True):
        assert target is not None, text
        assert (target[0], target[2]) == (OWN, ""), text
        assert not target[1].startswith("//"), text
