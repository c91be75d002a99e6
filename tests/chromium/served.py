"""A local Clerk and a wrapped application under gunicorn, both on 127.0.0.1."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clerk_wsgi.testing import start_emulator

from ..gunicorns import gunicorn
from ..minting import PUBLISHABLE_LIVE, PUBLISHABLE_TEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import Emulator, RunningEmulator

DEVELOPMENT = PUBLISHABLE_TEST
PRODUCTION = PUBLISHABLE_LIVE
APPLICATION = "tests.chromium.application:create_application()"


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where browsers go; ``app`` and ``clerk`` are URLs without a slash at the end."""

    app: str
    clerk: str
    emulator: Emulator

    def at(self, host: str) -> str:
        """Return the application's URL at 127.0.0.1 or localhost.

        Clerk is at 127.0.0.1, so localhost is another site: it has cookies of its own.
        """
        return self.app.replace("127.0.0.1", host)

    def hosted(self, page: str, back: str = "") -> str:
        """Return the address of a hosted page that leads back to a page of the application."""
        return f"{self.clerk}/{page}?redirect_url={quote(back or self.app + '/', safe='')}"


@contextmanager
def serving(publishable_key: str, *, scripts: str = "", **options: Any) -> Iterator[Site]:
    """Run both; ``{clerk}`` and ``{key}`` in the page's scripts become Clerk's URL and the key."""
    with (
        start_emulator(publishable_key=publishable_key, **options) as clerk,
        wrapped_application(clerk, scripts) as app,
    ):
        yield Site(app=app, clerk=clerk.url, emulator=clerk.emulator)


@contextmanager
def wrapped_application(clerk: RunningEmulator, scripts: str = "") -> Iterator[str]:
    """Run the application under a gunicorn with two workers, and yield its URL."""
    key = clerk.emulator.publishable_key
    with gunicorn(
        APPLICATION,
        clerk,
        "--workers",
        "2",
        "--threads",  # browsers open connections before they have anything to ask
        "4",
        *_no_control_socket(),
        CLERK_PUBLISHABLE_KEY=key,
        CLERK_PROXY_URL=clerk.url,
        SCRIPTS_OF_THE_PAGE=scripts.format(clerk=clerk.url, key=key),
    ) as url:
        yield url


def _no_control_socket() -> list[str]:
    """Two gunicorns on one machine would fight over the one socket; older ones know of none."""
    from gunicorn.config import make_settings

    return ["--no-control-socket"] if "control_socket_disable" in make_settings() else []
