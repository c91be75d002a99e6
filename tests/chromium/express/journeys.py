"""A browser in each of the two applications: both do the same, and what is seen is compared.

What is seen is text, line by line: every hop of an application with the headers that matter, where
it ended, who is signed in, and which cookies the browser keeps. Secrets, addresses and sessions
have names in it, so that one browser can be compared with another.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ...browsing import ADA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from playwright.sync_api import Page, Request, Response

    from ..browsers import OpenWindow, Window
    from .servers import World

COUNTER = "__clerk_redirect_count"
# Not x-clerk-auth-message: its texts are for people, and everybody's own.
HEADERS = (
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "cache-control",
    "location",
    "set-cookie",
    "x-clerk-auth-status",
    "x-clerk-auth-reason",
)
_NAMES = (
    (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "{token}"),
    (r"dvb_\w+", "{dev browser}"),
    (r"rft_\w+", "{refresh}"),
    (r"(__clerk_handshake_nonce=)[\w-]{20,}", r"\1{nonce}"),
    (r"(__client_uat\w*=)[1-9]\d{9}", r"\1{now}"),
    (r"(__clerk_form=)[\w-]+", r"\1{form}"),
    (r"(factor_verification_age: )\[\d+, ", r"\1[{minutes}, "),
)
_FETCH = "([path, options]) => fetch(path, options).then(answer => answer.text())"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of one step; ``lines`` is all of it, the rest parts of it.

    ``statuses`` and ``reasons`` are those of the application's hops. ``address`` is where it ended,
    without the query if that is at Clerk.
    """

    statuses: tuple[int, ...]
    reasons: tuple[str, ...]
    address: str
    who: dict[str, Any]
    lines: tuple[str, ...]

    @property
    def user_id(self) -> str | None:
        """Who is signed in."""
        user: str | None = self.who["user_id"]
        return user

    @property
    def outcome(self) -> str:
        """The step in one line: statuses, address, and whether somebody is signed in or why not."""
        short = f"{' '.join(map(str, self.statuses))} {self.address}"
        if not self.who:
            return short
        return f"{short} {self.reasons[-1] if self.user_id is None else 'signed in'}"


class Trip:
    """A browser in one application."""

    def __init__(self, window: Window, app: str, world: World) -> None:
        self.window = window
        self.app = app
        self.world = world
        self._sessions: list[str] = []

    # What it does

    def load(self, path: str, **options: Any) -> Seen:
        """Go to an address of the application."""
        return self._seen(self.window.page.goto(self.app + path, **options))

    def fetch(self, path: str, **options: Any) -> Seen:
        """Let a script of the page that is shown ask, which gets an answer and goes nowhere."""
        page = self.window.page
        with page.expect_response(self.app + path) as caught:
            page.evaluate(_FETCH, [path, options])
        return self._seen(caught.value)

    def sign_in(self, user: Mapping[str, str]) -> Seen:
        """Enter a user on the hosted page, and come back."""
        page = self._hosted("sign-in")
        page.fill("#identifier", user["identifier"])
        page.fill("#password", user["password"])
        return self._click("Sign in")

    def choose(self, name: str) -> Seen:
        """Continue as somebody who is signed in already."""
        self._hosted("sign-in")
        return self._click(f"Continue as {name}")

    def sign_out(self) -> Seen:
        """Say yes on the hosted page, and come back."""
        self._hosted("sign-out")
        return self._click("Sign out")

    def _hosted(self, name: str) -> Page:
        back = quote(f"{self.app}/", safe="")
        self.window.page.goto(f"{self.world.clerk}/{name}?redirect_url={back}")
        return self.window.page

    def _click(self, label: str) -> Seen:
        page = self.window.page
        with page.expect_navigation() as caught:
            page.get_by_role("button", name=label).click()
        return self._seen(caught.value)

    # What it has

    @property
    def session(self) -> str:
        """The session that was seen last."""
        return self._sessions[-1]

    def token(self, **claims: Any) -> str:
        """Return a token of that session, as it would be made for this application."""
        token = self.world.emulator.session_token(self.session, azp=self.app, **claims)
        return str(token)

    def expire(self) -> None:
        """Let the session token have expired a minute ago."""
        self.put("__session", self.token(exp=int(time.time()) - 60))

    def put(self, name: str, value: str) -> None:
        """Replace both copies of a cookie."""
        for copy in self._copies(name):
            self.window.context.add_cookies([{"name": copy, "value": value, "url": self.app}])

    def forget(self, name: str) -> None:
        """Drop both copies of a cookie."""
        for copy in self._copies(name):
            self.window.context.clear_cookies(name=copy)

    def start_anew(self) -> None:
        """Forget everything, as a browser that was never here."""
        self.window.context.clear_cookies()
        self._sessions.clear()

    def enter(self) -> None:
        """Be signed in as Ada without having been at Clerk's, which does not know the browser."""
        session = self.world.emulator.create_session(self.world.ada)
        self._sessions.append(session["id"])
        self.put("__clerk_db_jwt", "dvb_of_nobody")
        self.put("__client_uat", str(session["created_at"] // 1000))
        self.put("__session", self.token())

    def _copies(self, name: str) -> tuple[str, str]:
        return name, f"{name}_{self.world.suffix}"

    # What is seen of it

    def _seen(self, answer: Response | None) -> Seen:
        assert answer is not None
        hops = list(_hops_to(answer.request))
        ours = [hop for hop in hops if _origin(hop.url) == self.app]
        who = _who(answer.text()) if answer.ok and answer in ours else {}
        self._note_session(who.get("session_id"))
        lines = [
            *(line for hop in hops for line in _lines_of(hop, ours)),
            f"ends at {self.window.page.url}",
            *(f"{name}: {value}" for name, value in who.items()),
            *self._cookie_lines(),
        ]
        return Seen(
            statuses=tuple(hop.status for hop in ours),
            reasons=tuple(reason for hop in ours for reason in _values(hop, "x-clerk-auth-reason")),
            address=self._address(),
            who=who,
            lines=tuple(map(self._named, lines)),
        )

    def _cookie_lines(self) -> list[str]:
        # The counter lasts two seconds; what it was set to stands in the lines of the answers.
        kept = self.window.context.cookies(self.app)
        return sorted(_cookie_line(one) for one in kept if one["name"] != COUNTER)

    def _address(self) -> str:
        url = self._named(self.window.page.url)
        return url.partition("?")[0] if url.startswith("{clerk}") else url

    def _note_session(self, session: str | None) -> None:
        if session and session not in self._sessions:
            self._sessions.append(session)

    def _named(self, line: str) -> str:
        for origin, name in ((self.app, "{app}"), (self.world.clerk, "{clerk}")):
            for text in (origin, quote(origin, safe="")):
                line = line.replace(text, name)
        for number, session in enumerate(self._sessions, 1):
            line = line.replace(session, f"{{session {number}}}")
        for pattern, name in _NAMES:
            line = re.sub(pattern, name, line)
        return line


def _hops_to(request: Request | None) -> Iterator[Response]:
    """Return the redirects that led to a request, and its own answer."""
    if request is not None:
        yield from _hops_to(request.redirected_from)
        answer = request.response()
        assert answer is not None
        yield answer


def _lines_of(answer: Response, ours: Sequence[Response]) -> Iterable[str]:
    yield f"{answer.request.method} {answer.url} -> {answer.status}"
    if answer in ours:
        for name in HEADERS:
            yield from (f"{name}: {value}" for value in _values(answer, name))


def _values(answer: Response, name: str) -> list[str]:
    return [one["value"] for one in answer.headers_array() if one["name"].lower() == name]


def _who(page: str) -> dict[str, Any]:
    """Return what a page of the applications tells: names are those of ``Auth``."""
    found: dict[str, Any] = json.loads(page.partition("<pre>")[2].partition("</pre>")[0])
    return found


def _origin(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}"


def _cookie_line(cookie: Mapping[str, Any]) -> str:
    flags = [name for name in ("httpOnly", "secure") if cookie[name]]
    lasts = "until the browser ends" if cookie["expires"] < 0 else "with a date"
    attributes = ", ".join([cookie["path"], cookie["sameSite"], lasts, *flags])
    return f"keeps {cookie['name']}={cookie['value']} ({attributes})"


class Journey:
    """Both browsers; every step is made in Express first, then in our application.

    A step fails unless the same is seen in both, but for the lines that ``differ`` names: with
    ``-`` those of Express alone, with ``+`` ours. It returns what is seen in ours.
    """

    def __init__(self, world: World, open_window: OpenWindow) -> None:
        self.world = world
        self.express, self.wrapped = (
            Trip(open_window(java_script_enabled=False), app, world)
            for app in (world.express, world.wrapped)
        )

    def load(self, path: str = "/", *, differ: Sequence[str] = (), **options: Any) -> Seen:
        return self.step(lambda trip: trip.load(path, **options), differ)

    def fetch(self, path: str = "/", *, differ: Sequence[str] = (), **options: Any) -> Seen:
        return self.step(lambda trip: trip.fetch(path, **options), differ)

    def sign_in(self, *, differ: Sequence[str] = (), **user: str) -> Seen:
        return self.step(lambda trip: trip.sign_in(user or ADA), differ)

    def choose(self, name: str, *, differ: Sequence[str] = ()) -> Seen:
        return self.step(lambda trip: trip.choose(name), differ)

    def sign_out(self, *, differ: Sequence[str] = ()) -> Seen:
        return self.step(Trip.sign_out, differ)

    def each(self, change: Callable[[Trip], object]) -> None:
        """Change something for both, such as their cookies."""
        for trip in (self.express, self.wrapped):
            change(trip)

    def step(self, go: Callable[[Trip], Seen], differ: Sequence[str] = ()) -> Seen:
        """Make any step in both."""
        express, ours = go(self.express), go(self.wrapped)
        compared = compare(express, ours)
        different = [line for line in compared if not line.startswith(" ")]
        assert different == list(differ), "\n".join(["Express is -, ours +:", *compared])
        self.each(lambda trip: trip.forget(COUNTER))  # as if two seconds had passed
        return ours


def compare(express: Seen, ours: Seen) -> list[str]:
    """Return all lines, those of one side alone with ``-`` or ``+`` before them."""
    size = len(express.lines) + len(ours.lines)
    diff = list(unified_diff(express.lines, ours.lines, n=size, lineterm=""))[3:]
    return [f"{line[0]} {line[1:]}" for line in diff]
