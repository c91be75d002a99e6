"""Signing test clients in and out: each framework's own client, through the real wrapper."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import flask
import pytest
import requests
import webtest
import werkzeug.test
from django.test import Client as DjangoClient
from django.test.utils import setup_test_environment, teardown_test_environment

from clerk_wsgi import ConfigurationError, get_auth, get_session, require_session, set_default
from clerk_wsgi.config import SETTINGS
from clerk_wsgi.emulator import Server
from clerk_wsgi.testing import (
    Emulator,
    bearer,
    sign_in,
    sign_out,
    wrap_django_client,
)

from . import django_site
from .minting import PUBLISHABLE_LIVE, PUBLISHABLE_TEST, SUFFIX_TEST
from .telling import LANGUAGE, application, tell, told
from .wrapping import full_environ, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from clerk_wsgi import Clerk
    from clerk_wsgi.testing import SignIn, SignOut, Tokens

    from .telling import Told

CARRIERS = pytest.mark.parametrize("carrier", ["bearer", "cookies"])
NOBODY_S = [None, None, None, None]


class OfWebTest:
    """What all kinds of clients have here: the client itself, and a way to ask."""

    def __init__(self, clerk: Clerk) -> None:
        self.client: Any = webtest.TestApp(clerk.require_session(application))
        self.client.extra_environ["HTTP_ACCEPT_LANGUAGE"] = LANGUAGE
        self.client.set_cookie("theme", "dark")

    def ask(self) -> Told | None:
        """Return what the application was told, ``None`` if it was not asked."""
        answer = self.client.get("/", expect_errors=True)
        return told(answer.status_int, answer.body)


class OfWerkzeug:
    def __init__(self, clerk: Clerk) -> None:
        self.client: Any = werkzeug.test.Client(clerk.require_session(application))
        self.client.set_cookie("theme", "dark")

    def ask(self) -> Told | None:
        answer = self.client.get("/", headers={"Accept-Language": LANGUAGE})
        return told(answer.status_code, answer.data)


class OfFlask(OfWerkzeug):
    def __init__(self, clerk: Clerk) -> None:
        app = flask.Flask("tests")
        app.add_url_rule("/", view_func=lambda: tell(flask.request.environ))
        # Flask's documentation wraps it like this.
        app.wsgi_app = clerk.require_session(app.wsgi_app)  # type: ignore[method-assign]
        self.client = app.test_client()
        self.client.set_cookie("theme", "dark")


class OfDjango:
    def __init__(self, clerk: Clerk) -> None:
        self.client: Any = DjangoClient(HTTP_ACCEPT_LANGUAGE=LANGUAGE)
        wrap_django_client(self.client, clerk.require_session)
        self.client.cookies["theme"] = "dark"

    def ask(self) -> Told | None:
        answer = self.client.get("/")
        return told(answer.status_code, answer.content)


class OfEnviron:
    """A dict that every request begins with."""

    def __init__(self, clerk: Clerk) -> None:
        self._app = clerk.require_session(application)
        self.client: Any = {"HTTP_COOKIE": "theme=dark", "HTTP_ACCEPT_LANGUAGE": LANGUAGE}

    def ask(self) -> Told | None:
        answer = serve(self._app, full_environ(**self.client))
        return told(int(answer.status[:3]), answer.body)


KINDS: dict[str, Callable[[Clerk], Any]] = {
    "WebTest": OfWebTest,
    "Werkzeug": OfWerkzeug,
    "Flask": OfFlask,
    "Django": OfDjango,
    "environ": OfEnviron,
}


@pytest.fixture(params=KINDS)
def browser(request: pytest.FixtureRequest, clerk: Clerk) -> Any:
    """A client of each kind, which asks a wrapped application."""
    return KINDS[request.param](clerk)


@CARRIERS
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(key, marks=pytest.mark.clerk(publishable_key=key))
        for key in (PUBLISHABLE_TEST, PUBLISHABLE_LIVE)
    ],
)
def test_a_client_is_somebody_after_a_sign_in_and_nobody_after_a_sign_out(
    browser: Any, key: str, carrier: Any, clerk: Clerk, signed_in: SignIn, signed_out: SignOut
) -> None:
    assert getattr(clerk.settings.publishable_key, "text", None) == key
    assert browser.ask() is None
    who = signed_in(browser.client, carrier=carrier)
    assert browser.ask() == {
        "user": who.user["id"],
        "session": who.session["id"],
        "organization": NOBODY_S,
        "carriers": ["HTTP_AUTHORIZATION" if carrier == "bearer" else "__session"],
    }
    assert signed_out(browser.client) is browser.client
    assert browser.ask() is None


@CARRIERS
def test_a_sign_in_takes_the_place_of_the_one_before(
    browser: Any, carrier: Any, signed_in: SignIn
) -> None:
    for before in ("bearer", "cookies"):
        signed_in(browser.client, carrier=before)
        who = signed_in(browser.client, carrier=carrier, org_role="org:admin")
        found = browser.ask()
        assert found["user"] == who.user["id"]
        assert found["organization"][1:3] == ["acme", "org:admin"]
        assert len(found["carriers"]) == 1


def test_two_clients_are_two_people(clerk: Clerk, signed_in: SignIn) -> None:
    first, second = OfWebTest(clerk), OfFlask(clerk)
    one, other = signed_in(first.client), signed_in(second.client)
    assert one.user["id"] != other.user["id"]
    for browser, who in ((first, one), (second, other)):
        found = browser.ask()
        assert found
        assert found["user"] == who.user["id"]


@pytest.mark.parametrize("kind", ["wrong_key", "expired", "template", "malformed", "pending"])
def test_a_client_with_a_token_that_does_not_count_is_nobody(
    browser: Any, kind: str, clerk_tokens: Tokens
) -> None:
    assert bearer(clerk_tokens.valid()).apply(browser.client) is browser.client
    assert browser.ask()["user"] == clerk_tokens.user["id"]
    bearer(getattr(clerk_tokens, kind)()).apply(browser.client)
    assert browser.ask() is None


@pytest.fixture(scope="module")
def stranger() -> Emulator:
    return Emulator()


@CARRIERS
def test_a_client_of_another_local_clerk_is_nobody(
    browser: Any, carrier: Any, stranger: Emulator
) -> None:
    sign_in(stranger, browser.client, carrier=carrier)
    assert browser.ask() is None


@CARRIERS
def test_a_client_is_nobody_when_its_token_has_expired(
    browser: Any, carrier: Any, signed_in: SignIn, clerk_emulator: Emulator, frozen_clock: Any
) -> None:
    signed_in(browser.client, carrier=carrier)
    frozen_clock.tick(clerk_emulator.token_lifetime + 4)
    assert browser.ask() is not None  # four seconds of clock_skew
    frozen_clock.tick(1)
    assert browser.ask() is None


def test_a_sign_out_of_nobody_changes_nothing(browser: Any, signed_out: SignOut) -> None:
    signed_out(browser.client)
    assert browser.ask() is None
    signed_out(browser.client)


@CARRIERS
@pytest.mark.clerk(publishable_key=PUBLISHABLE_TEST)
@pytest.mark.parametrize("before", [{}, {"HTTP_COOKIE": "theme=dark", "HTTP_ACCEPT": "*/*"}])
def test_nothing_of_the_instance_is_left_after_a_sign_out(
    before: dict[str, str], carrier: Any, signed_in: SignIn, signed_out: SignOut
) -> None:
    environ = dict(before)
    signed_in(environ, carrier=carrier)
    assert environ != before
    environ["HTTP_COOKIE"] = f"{environ.get('HTTP_COOKIE', '')}; __refresh_{SUFFIX_TEST}=rft_1"
    assert signed_out(environ) == before


def test_a_forged_cookie_header_of_an_environ_is_replaced_whole(clerk_emulator: Emulator) -> None:
    environ = {"HTTP_COOKIE": "a=b;__session=x ; __session=y;c;  ;__sessions=z"}
    sign_out(clerk_emulator, environ)
    assert environ == {"HTTP_COOKIE": "a=b; c; __sessions=z"}
    only_ours = {"HTTP_COOKIE": "__session=x", "HTTP_AUTHORIZATION": "Bearer x"}
    assert sign_out(clerk_emulator, only_ours) == {}


@pytest.mark.parametrize(
    "client",
    ["a client", object(), MappingProxyType({}), application, flask.Flask("tests"), Emulator],
)
def test_what_is_no_client_is_a_type_error(
    client: Any, clerk_emulator: Emulator, signed_in: SignIn, signed_out: SignOut
) -> None:
    for attempt in (signed_in, signed_out, bearer("x").apply):
        with pytest.raises(TypeError, match="expected a test client of WebTest, Flask"):
            attempt(client)


# Each framework's own ways


def test_what_a_request_of_werkzeug_says_itself_counts_more(
    clerk: Clerk, signed_in: SignIn
) -> None:
    client = werkzeug.test.Client(clerk.require_session(application))
    signed_in(client)
    assert client.get("/", headers={"Authorization": "Bearer x"}).status_code == 401
    assert client.get("/").status_code == 200


def test_flasks_session_and_contexts_are_there_as_ever(clerk: Clerk, signed_in: SignIn) -> None:
    app = flask.Flask("tests")
    app.secret_key = "for tests alone"
    app.add_url_rule("/", view_func=lambda: {"count": flask.session["count"]})
    app.wsgi_app = clerk.require_session(app.wsgi_app)  # type: ignore[method-assign]
    client = app.test_client()
    who = signed_in(client, carrier="cookies")
    with client.session_transaction() as session:
        session["count"] = 7
    with client:
        assert client.get("/").json == {"count": 7}
        assert flask.request.environ["clerk.auth"].user_id == who.user["id"]


@pytest.mark.servers
@CARRIERS
def test_a_session_of_requests_is_somebody_at_a_real_server(
    carrier: Any, clerk: Clerk, signed_in: SignIn, signed_out: SignOut
) -> None:
    app = clerk.require_session(application)
    with Server(app) as server, requests.Session() as client:
        url = server.url
        client.trust_env = False
        client.headers["Accept-Language"] = LANGUAGE
        client.cookies.set("theme", "dark")
        assert client.get(url, timeout=10).status_code == 401
        who = signed_in(client, carrier=carrier)
        answer = client.get(url, timeout=10)
        found = told(answer.status_code, answer.content)
        assert found
        assert found["user"] == who.user["id"]
        signed_out(client)
        assert client.get(url, timeout=10).status_code == 401


# Django, whose client by itself asks no WSGI application


@pytest.fixture(autouse=True, scope="module")
def rendering_is_noted() -> Iterator[None]:
    """What Django's own test runner does for contexts and templates."""
    setup_test_environment()
    yield
    teardown_test_environment()


@pytest.fixture
def django_client(clerk: Clerk) -> Any:
    return wrap_django_client(DjangoClient(), clerk.require_session)


def test_djangos_own_response_comes_through_the_wrapper(
    django_client: Any, signed_in: SignIn
) -> None:
    who = signed_in(django_client)
    answer = django_client.get("/page?a=b")
    assert answer.content.decode() == f"I am {who.user['id']}."
    assert answer.context["who"] == who.user["id"]
    assert [template.name for template in answer.templates] == ["who.html"]
    assert answer.resolver_match.func is django_site.page
    assert answer.wsgi_request.GET["a"] == "b"
    session = get_session(answer.wsgi_request)
    assert session
    assert session.user_id == who.user["id"]


def test_nobody_gets_the_wrappers_own_answer_and_the_view_is_not_asked(django_client: Any) -> None:
    answer = django_client.get("/broken")
    assert (answer.status_code, answer.reason_phrase) == (401, "Unauthorized")
    assert (answer.content, answer["Content-Length"]) == (b"", "0")
    assert answer["Cache-Control"] == "no-store"
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.context is None
    assert answer.wsgi_request.path == "/broken"
    assert not get_auth(answer.wsgi_request)


def test_a_page_load_of_nobody_is_sent_to_the_local_clerk(
    django_client: Any, clerk_emulator: Emulator
) -> None:
    answer = django_client.get("/page", headers={"Accept": "text/html"})
    assert answer.status_code == 307
    assert answer["Location"].startswith(f"{clerk_emulator.issuer}/v1/client/handshake?")
    assert answer.cookies["__clerk_redirect_count"].value == "1"
    assert django_client.cookies["__clerk_redirect_count"].value == "1"


@pytest.mark.clerk(publishable_key=PUBLISHABLE_LIVE)
def test_what_the_wrapper_adds_is_in_djangos_response_and_in_the_clients_cookies(
    django_client: Any, clerk_tokens: Tokens
) -> None:
    django_client.cookies["__clerk_handshake"] = clerk_tokens.handshake()
    answer = django_client.post("/form", {"a": "b"})
    assert (answer.status_code, answer.content) == (202, b"posted b")
    assert answer["Cache-Control"] == "private, no-store"  # the view's own is replaced
    assert answer.cookies["seen"].value == "yes"
    assert answer.cookies["__session"]["samesite"] == "Lax"
    del django_client.cookies["__clerk_handshake"]
    assert django_client.get("/").json()["user"] == clerk_tokens.user["id"]


def test_what_the_wrapper_does_not_touch_is_djangos_to_the_last_header(
    django_client: Any, signed_in: SignIn
) -> None:
    signed_in(django_client)
    answer = django_client.post("/form")
    assert answer["Cache-Control"] == "max-age=60"
    assert answer.cookies.keys() == {"csrftoken", "seen"}
    assert answer.cookies["csrftoken"]["samesite"] == "Lax"


def test_a_view_that_raises_raises_in_the_test(django_client: Any, signed_in: SignIn) -> None:
    signed_in(django_client)
    with pytest.raises(RuntimeError, match="the view is broken"):
        django_client.get("/broken")
    django_client.raise_request_exception = False
    assert django_client.get("/broken").status_code == 500


def test_a_response_in_pieces_stays_one(django_client: Any, signed_in: SignIn) -> None:
    signed_in(django_client)
    assert list(django_client.get("/stream")) == [b"one, ", b"two"]
    assert django_client.head("/page").content == b""
    assert django_client.get("/nowhere").status_code == 404


def test_csrf_tokens_are_asked_for_if_the_client_says_so(clerk: Clerk, signed_in: SignIn) -> None:
    client = wrap_django_client(DjangoClient(enforce_csrf_checks=True), clerk.require_session)
    signed_in(client, carrier="cookies")
    assert client.post("/form").status_code == 403
    token = client.get("/form").cookies["csrftoken"].value
    assert client.post("/form", {"csrfmiddlewaretoken": token}).status_code == 202


def test_other_wrappers_may_replace_what_django_sends(clerk: Clerk, signed_in: SignIn) -> None:
    closed = []

    class Shouting:
        def __init__(self, body: Iterable[bytes]) -> None:
            self._body = body

        def __iter__(self) -> Iterator[bytes]:
            return (piece.upper() for piece in self._body)

        def close(self) -> None:
            closed.append(self)

    def shout(app: WSGIApplication) -> WSGIApplication:
        return lambda environ, start_response: Shouting(app(dict(environ), start_response))

    client = wrap_django_client(DjangoClient(), lambda app: shout(clerk.require_session(app)))
    who = signed_in(client)
    assert client.get("/page").content.decode() == f"I AM {who.user['id'].upper()}."
    assert b"".join(client.get("/stream")) == b"ONE, TWO"
    assert client.get("/page").context["who"] == who.user["id"]
    assert len(closed) >= 2


def test_a_wrapper_that_writes_is_heard(signed_in: SignIn) -> None:
    def writing(app: WSGIApplication) -> WSGIApplication:
        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])(b"no")
            return []

        return answer

    answer = wrap_django_client(DjangoClient(), writing).get("/")
    assert (answer.status_code, answer.content) == (403, b"no")


@pytest.mark.usefixtures("default_clerk")
def test_a_function_of_the_package_wraps_with_the_default_instance(signed_in: SignIn) -> None:
    client = wrap_django_client(DjangoClient(), require_session)
    assert client.get("/").status_code == 401
    signed_in(client)
    assert client.get("/").status_code == 200


def test_an_instance_that_cannot_be_made_fails_at_once_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for setting in SETTINGS:
        for name in setting.variables:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    client = DjangoClient()
    handler = client.handler
    before = set_default(None)
    with pytest.raises(ConfigurationError):
        wrap_django_client(client, require_session)
    set_default(before)
    assert client.handler is handler


def test_a_client_that_is_not_wrapped_asks_an_application_that_is_not() -> None:
    with pytest.raises(LookupError, match="wrap the application"):
        DjangoClient().get("/")
