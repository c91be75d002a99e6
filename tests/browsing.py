"""A browser without JavaScript, and the two servers that it visits: an application and a Clerk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from webtest import TestApp

from clerk_wsgi.emulator import DEMO_PASSWORD, Emulator
from clerk_wsgi.testing import FrozenClock, clerk_for

from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from webtest.response import TestResponse

PAGE_LOAD = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Dest": "document"}
SCRIPT = {"Accept": "*/*", "Sec-Fetch-Dest": "empty"}
ADA = {"identifier": "ada@example.com", "password": DEMO_PASSWORD}
GRACE = {"identifier": "grace", "password": "nanoseconds are this long"}
REDIRECTS = (302, 303, 307)
LONGEST_JOURNEY = 12


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where application and Clerk are, and how a handshake travels."""

    name: str
    publishable_key: str
    app: str = "http://127.0.0.1:8000"
    clerk: str = "http://127.0.0.1:4100"
    transport: str = "nonce"

    @property
    def is_development(self) -> bool:
        return self.publishable_key.startswith("pk_test_")


PLACES = [
    Place(name="development", publishable_key=PUBLISHABLE_TEST),
    Place(name="development, token", publishable_key=PUBLISHABLE_TEST, transport="token"),
    Place(
        name="development, two hosts", publishable_key=PUBLISHABLE_TEST, app="http://localhost:8000"
    ),
    Place(name="production", publishable_key=PUBLISHABLE_LIVE),
    Place(name="production, token", publishable_key=PUBLISHABLE_LIVE, transport="token"),
    Place(
        name="production, two hosts",
        publishable_key=PUBLISHABLE_LIVE,
        app="https://app.example.com",
        clerk="https://clerk.example.com",
    ),
]


class Internet:
    """Both servers as one WSGI application; the host of a request says which one is meant.

    ``settings`` are more of those of the application's ``Clerk``.

    ``/`` of the application is for those who are signed in, ``/public`` for everybody; both tell
    who it is, and the rest of the address.
    """

    def __init__(self, place: Place, **settings: Any) -> None:
        self.place = place
        self.clock = FrozenClock(NOW)
        self.emulator = Emulator(
            publishable_key=place.publishable_key,
            clock=self.clock,
            redirect_origins=["https://app.example.com"],
        )
        self.ada = self.emulator.users()[0]["id"]
        clerk = clerk_for(self.emulator, proxy_url=place.clerk, **settings)
        self._private = clerk.require_session(self.tell)
        self._public = clerk.with_session(self.tell)

    def tell(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The application itself."""
        session = environ["clerk.session"]
        who = f"{session.user_id} {session.id}" if session else "nobody"
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{who} {environ['PATH_INFO']}?{environ['QUERY_STRING']}".encode("latin-1")]

    def add_grace(self) -> str:
        """Make a second user, and return the id."""
        grace = self.emulator.create_user(username="Grace", password=GRACE["password"])
        return str(grace["id"])

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if _netloc(environ) == urlsplit(self.place.clerk).netloc:
            return self.emulator(environ, start_response)
        assert _netloc(environ) == urlsplit(self.place.app).netloc
        app = self._public if environ["PATH_INFO"] == "/public" else self._private
        return app(environ, start_response)


def _netloc(environ: WSGIEnvironment) -> str:
    default = {"http": ":80", "https": ":443"}[environ["wsgi.url_scheme"]]
    host: str = environ["HTTP_HOST"]
    return host.removesuffix(default)


@dataclass
class Browser:
    """Loads pages, follows redirects, keeps cookies; WebTest's lint looks at every response.

    ``hops`` are the responses of the latest load, the last one included.
    """

    internet: Internet
    hops: list[TestResponse] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.http = TestApp(self.internet)
        self.app = self.internet.place.app
        self.clerk = self.internet.place.clerk

    def load(self, url: str, **headers: str) -> TestResponse:
        """Return the page that an address leads to, of the application unless it is absolute."""
        self.hops = []
        answer = self._get(self._absolute(url), {**PAGE_LOAD, **headers})
        return self._follow(answer)

    def fetch(self, url: str, **headers: str) -> TestResponse:
        """Return the answer to what a script asks: one request, as browsers make them."""
        self.hops = []
        return self._get(self._absolute(url), {**SCRIPT, **headers})

    def submit(self, page: TestResponse, *, to: str = "", **fields: str) -> TestResponse:
        """Send the last form of a page with these fields, and return where that leads."""
        self.hops = []
        form = page.forms[max(page.forms, key=str)]
        entered: dict[str, Any] = {"form_token": form["form_token"].value, **fields}
        url = to or page.request.url
        headers = {**PAGE_LOAD, "Origin": self.clerk, "Sec-Fetch-Site": "same-origin"}
        answer = self.http.post(url, entered, headers=headers, expect_errors=True)
        self._look_at(answer)
        return self._follow(answer)

    def sign_in(self, back: str = "/", **user: str) -> TestResponse:
        """Go to the sign-in page, enter a user, and return what the application answers."""
        page = self.load(self.hosted("sign-in", back))
        return self.submit(page, **(user or ADA))

    def sign_out(self, back: str = "/") -> TestResponse:
        """Go to the sign-out page, say yes, and return what the application answers."""
        return self.submit(self.load(self.hosted("sign-out", back)))

    def hosted(self, page: str, back: str) -> str:
        return f"{self.clerk}/{page}?redirect_url={quote(self._absolute(back), safe='')}"

    def wait(self, seconds: float) -> None:
        """Let time pass, for both servers and for cookies."""
        self.internet.clock.tick(seconds)
        for cookie in self.http.cookiejar:
            if cookie.expires is not None:
                cookie.expires -= int(seconds)
        self.http.cookiejar.clear_expired_cookies()

    def cookie(self, name: str, host: str = "") -> str | None:
        """Return a cookie of the application's host: its plain copy."""
        return self.cookies(host or self.app).get(name)

    def cookies(self, url: str) -> dict[str, str]:
        """Return the cookies that would be sent to an address."""
        host = urlsplit(url).hostname or ""
        known = {host, f"{host}.local", f".{host.partition('.')[2]}"}
        return {c.name: c.value or "" for c in self.http.cookiejar if c.domain in known}

    def forget(self, prefix: str) -> None:
        """Drop all cookies whose names begin like this."""
        for cookie in list(self.http.cookiejar):
            if cookie.name.startswith(prefix):
                self.http.cookiejar.clear(cookie.domain, cookie.path, cookie.name)

    def _absolute(self, url: str) -> str:
        return self.app + url if url.startswith("/") else url

    def _get(self, url: str, headers: dict[str, str]) -> TestResponse:
        answer = self.http.get(url, headers=headers, expect_errors=True)
        self._look_at(answer)
        return answer

    def _follow(self, answer: TestResponse) -> TestResponse:
        while answer.status_int in REDIRECTS:
            assert len(self.hops) < LONGEST_JOURNEY, "it goes round in circles"
            answer = self._get(self._rewritten(answer.headers["Location"]), PAGE_LOAD)
        return answer

    def _rewritten(self, location: str) -> str:
        """Our applications ask for a nonce always; the older transport is asked for here."""
        return location.replace("&format=nonce", f"&format={self.internet.place.transport}")

    def _look_at(self, answer: TestResponse) -> None:
        """Hold every response to what holds for all of them."""
        self.hops.append(answer)
        if answer.status_int in REDIRECTS:
            assert answer.body == b""
            assert answer.headers["Content-Length"] == "0"
            assert answer.headers["Cache-Control"] == "no-store"
        for line in answer.headers.getall("Set-Cookie"):
            self._expect_cookie(line, answer)
        if "Set-Cookie" in answer.headers:
            assert "no-store" in answer.headers["Cache-Control"]

    def _expect_cookie(self, line: str, answer: TestResponse) -> None:
        """A cookie is kept as it was sent, and gone if it was sent as expired."""
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        kept = self.cookies(answer.request.url).get(name)
        is_expired = "Expires=Thu, 01 Jan 1970 00:00:00 GMT" in attributes
        assert kept == (None if is_expired else value), line
        is_secure = urlsplit(answer.request.url).scheme == "https"
        ours = name != "__clerk_redirect_count"  # which Clerk's own SDK sends without
        assert not ours or ("Secure" in attributes) == is_secure, line


def reasons_of(hops: list[TestResponse]) -> list[str]:
    """Return why handshakes began, in order."""
    return [
        hop.headers["x-clerk-auth-reason"]
        for hop in hops
        if hop.headers.get("x-clerk-auth-status") == "handshake"
    ]


def queries_of(hops: list[TestResponse]) -> list[Any]:
    """Return the parameters that the pages of a journey were asked with."""
    return [dict(hop.request.GET) for hop in hops]
