"""A browser at the hosted pages of a local Clerk: it keeps its cookies, and sends forms."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from webtest import TestApp

from clerk_wsgi.emulator import DEMO_PASSWORD, Emulator, SigningKey

from .minting import NOW, PUBLISHABLE_TEST

if TYPE_CHECKING:
    from webtest.response import TestResponse

HOST = "127.0.0.1:4100"
BACK = "http://127.0.0.1:8000/page?a=1"
ADA: dict[str, Any] = {"identifier": "ada@example.com", "password": DEMO_PASSWORD}
OURS = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
HTML = {"Accept": "text/html"}


@cache
def _signing_key() -> SigningKey:
    """One key for all tests: it takes a while to make one."""
    return SigningKey.generate("ins_pages")


def local_clerk(publishable_key: str = PUBLISHABLE_TEST, **options: Any) -> Emulator:
    """A local Clerk in which it is always the same time."""
    settings: dict[str, Any] = {"clock": lambda: float(NOW), **options}
    return Emulator(publishable_key=publishable_key, signing_key=_signing_key(), **settings)


class Visitor:
    """A browser at the pages of a local Clerk; it has the cookies that it got."""

    def __init__(self, emulator: Emulator, host: str = HOST) -> None:
        self.emulator = emulator
        self.http = TestApp(emulator, extra_environ={"HTTP_HOST": host})

    def open(self, page: str = "sign-in", back: str | None = BACK, **query: str) -> TestResponse:
        parameters: dict[str, Any] = {"redirect_url": back, **query}
        given = {name: text for name, text in parameters.items() if text is not None}
        return self.http.get(f"/{page}", params=given, headers=HTML, expect_errors=True)

    def send(
        self, page: TestResponse, headers: dict[str, str] | None = None, **fields: Any
    ) -> TestResponse:
        """Send the form of a page as its browser would, but for what is said otherwise."""
        token = next(iter(re.findall('name="form_token" value="([^"]*)"', page.text)), "")
        entered = {"form_token": token, **fields}
        given = {name: value for name, value in entered.items() if value is not ...}
        return self.http.post(
            page.request.url,
            given,
            headers={**HTML, **OURS, **(headers or {})},
            expect_errors=True,
        )

    def sign_in(self, **fields: Any) -> TestResponse:
        return self.send(self.open(), **{**ADA, **fields})

    def living(self) -> int:
        """How many sessions there are beside the ready-made one."""
        return len(self.emulator.sessions(status="active")) - 1


def html_of(page: TestResponse) -> Any:
    """A page as BeautifulSoup reads it."""
    return page.html
