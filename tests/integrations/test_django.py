"""Django: its middleware, what views ask for, and what becomes of failures, by its own client."""

from __future__ import annotations

import asyncio
import logging
import pickle
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.test.utils import override_settings
from django.views import View
from webob import Response

from clerk_wsgi import Clerk, ClerkError, Forbidden, Requirement, Unauthenticated, require_session
from clerk_wsgi.emulator import Failure
from clerk_wsgi.integrations.django import (
    ClerkMiddleware,
    ClerkRequiredMixin,
    clerk_context,
    require,
)
from clerk_wsgi.testing import bearer, wrap_django_client

from ..minting import PUBLISHABLE_LIVE
from .django_settings import CLERK_MIDDLEWARE, CSRF_MIDDLEWARE, project
from .django_views import LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from clerk_wsgi.emulator import Emulator
    from clerk_wsgi.testing import SignIn, SignOut, Tokens

in_production = pytest.mark.clerk(publishable_key=PUBLISHABLE_LIVE)
PAGE = {"HTTP_ACCEPT": "text/html,*/*;q=0.8"}
ADMIN: Any = {"org_role": "org:admin", "permissions": ["org:invoices:pay"]}
PROTECTED = ["mine", "later", "page", "later-page"]
FOR_ADMINS = ["admins", "admins-page", "decorated", "wrapped", "insisting"]


@pytest.fixture
def client(default_clerk: Clerk) -> Iterator[Any]:
    """A client of the project, whose settings say nothing about Clerk."""
    with project() as client:
        yield client


def read(answer: Any) -> bytes:
    return b"".join(answer) if answer.streaming else bytes(answer.content)


# Who is there


def test_a_view_sees_who_is_signed_in_and_nobody_otherwise(
    client: Any, signed_in: SignIn, signed_out: SignOut
) -> None:
    assert client.get("/").json()["user"] is None
    who = signed_in(client)
    answer = client.get("/")
    assert answer.json() == {"user": who.user["id"], "reason": None}
    assert answer.wsgi_request.clerk is answer.wsgi_request.environ["clerk.auth"]
    signed_out(client)
    assert client.get("/").json()["user"] is None


@pytest.mark.parametrize("kind", ["expired", "wrong_key", "unsigned", "template", "malformed"])
def test_a_token_that_does_not_count_is_nobodys(
    kind: str, client: Any, clerk_tokens: Tokens
) -> None:
    bearer(getattr(clerk_tokens, kind)()).apply(client)
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.json()["user"] is None
    assert client.get("/mine").status_code == 401


@pytest.mark.parametrize("name", ["clerk.auth", "clerk.session", "HTTP_CLERK_AUTH", "REMOTE_USER"])
def test_nobody_is_signed_in_by_what_an_environ_claims(name: str, client: Any) -> None:
    assert client.get("/mine", **{name: "user_1"}).status_code == 401


def test_without_the_middleware_nothing_is_let_through(signed_in: SignIn) -> None:
    with project() as client, override_settings(MIDDLEWARE=[]):
        signed_in(client)
        for path in PROTECTED:
            with pytest.raises(ImproperlyConfigured, match=CLERK_MIDDLEWARE):
                client.get(f"/{path}")


def test_a_wrapper_outside_of_django_decides_for_it_too(
    client: Any, clerk: Clerk, signed_in: SignIn
) -> None:
    wrap_django_client(client, require_session)
    assert client.get("/").status_code == 401
    signed_in(client)
    assert client.get("/").status_code == 200
    assert client.get("/admins").status_code == 403


# What views ask for


@pytest.mark.parametrize("path", PROTECTED)
def test_a_protected_view_is_for_those_who_are_signed_in(
    path: str, client: Any, signed_in: SignIn
) -> None:
    answer = client.get(f"/{path}")
    assert (answer.status_code, answer.content) == (401, b"")
    assert (answer["WWW-Authenticate"], answer["Cache-Control"]) == ("Bearer", "no-store")
    who = signed_in(client)
    answer = client.get(f"/{path}")
    assert (answer.status_code, answer.json()["user"]) == (200, who.user["id"])


@pytest.mark.parametrize("path", PROTECTED)
def test_a_refusal_says_what_was_decided(path: str, client: Any) -> None:
    answer = client.get(f"/{path}")
    assert answer.status_code == 401
    assert answer["x-clerk-auth-status"] == "signed-out"
    assert answer["x-clerk-auth-reason"] == "dev-browser-missing"


@pytest.mark.parametrize("path", PROTECTED)
def test_a_pending_session_does_not_count(path: str, client: Any, signed_in: SignIn) -> None:
    signed_in(client, status="pending")
    assert client.get(f"/{path}").status_code == 401


@pytest.mark.parametrize("path", FOR_ADMINS)
def test_a_role_is_asked_for(path: str, client: Any, signed_in: SignIn) -> None:
    assert client.get(f"/{path}").status_code == 401
    for other in ({}, {"org_role": "org:member"}):
        signed_in(client, **other)  # type: ignore[arg-type] # a table of arguments
        answer = client.get(f"/{path}")
        assert (answer.status_code, answer.content) == (403, b"")
    signed_in(client, org_role="org:admin")
    assert client.get(f"/{path}").status_code == 200


def test_a_method_of_a_class_may_ask_for_more(client: Any, signed_in: SignIn) -> None:
    signed_in(client, org_role="org:admin")
    assert client.get("/decorated").status_code == 200
    assert client.post("/decorated").status_code == 403
    signed_in(client, **ADMIN)
    assert client.post("/decorated").content == b"posted"


def test_a_method_that_returns_a_coroutine_lets_nobody_through(
    client: Any, signed_in: SignIn
) -> None:
    client.raise_request_exception = False
    assert client.get("/later-decorated").status_code >= 400  # Django wants a coroutine
    who = signed_in(client)
    assert client.get("/later-decorated").json() == {"user": who.user["id"]}


def test_an_argument_of_as_view_is_asked_for_instead(client: Any, signed_in: SignIn) -> None:
    signed_in(client, org_role="org:admin")
    assert client.get("/pay-page").status_code == 403
    signed_in(client, org_role="org:payer", permissions=["org:invoices:pay"])
    assert client.get("/pay-page").status_code == 200


def test_a_stale_second_factor_is_told_in_clerks_own_words(client: Any, signed_in: SignIn) -> None:
    for ages in ([0, 10], [0, 5000]):
        signed_in(client, **ADMIN, claims={"fva": ages})
        answer = client.post("/pay")
        assert answer.status_code == 403
        assert answer.json()["clerk_error"]["reason"] == "reverification-error"
        assert answer.json()["clerk_error"]["metadata"] == {"reverification": "strict"}
    signed_in(client, **ADMIN, claims={"fva": [5000, 9]})
    assert client.post("/pay").status_code == 202


def test_arguments_of_the_path_get_to_the_view(client: Any, signed_in: SignIn) -> None:
    signed_in(client)
    assert client.get("/mine/7").json()["number"] == 7


def test_an_outage_of_clerk_is_no_sign_out(
    client: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    signed_in(client)
    clerk_emulator.faults.add(Failure(status=503))
    assert client.get("/").json()["user"] is None
    for path in PROTECTED:
        answer = client.get(f"/{path}", **PAGE)
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) >= 1


def test_a_view_keeps_its_name_and_its_attributes() -> None:
    def view(request: Any) -> HttpResponse:
        """Tell something."""
        return HttpResponse()

    view.csrf_exempt = True  # type: ignore[attr-defined]

    async def later(request: Any) -> HttpResponse:
        return view(request)

    assert require(later).__name__ == "later"
    for protected in (require(view), require(role="admin")(view)):
        assert (protected.__name__, protected.__doc__) == ("view", "Tell something.")
        assert protected.csrf_exempt  # type: ignore[attr-defined]
    assert getattr(ClerkRequiredView.as_view(), "view_class") is ClerkRequiredView  # noqa: B009 - as Django sets it


class ClerkRequiredView(ClerkRequiredMixin, View):  # type: ignore[misc] # Django has no types
    """A view of nothing."""


@pytest.mark.parametrize("asked", [{"role": "org:"}, {"reverification": "soon"}, {"plan": "a b"}])
def test_what_could_never_be_met_fails_where_it_is_declared(asked: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(asked))):
        require(**asked)


@pytest.mark.parametrize("view", ["org:admin", 7, View, ClerkRequiredView])
def test_what_is_no_view_fails_where_it_is_declared(view: Any) -> None:
    with pytest.raises(TypeError, match="view"):
        require(view)
    with pytest.raises(TypeError, match="rol"):
        require(rol="org:admin")  # type: ignore[call-overload] # what else mypy says of it


def test_a_mixin_that_would_not_be_asked_fails_where_it_is_declared() -> None:
    with pytest.raises(TypeError, match="ClerkRequiredMixin must come before"):

        class Late(View, ClerkRequiredMixin):  # type: ignore[misc] # Django has no types
            """Its as_view() is Django's."""

    with pytest.raises(TypeError, match="expected a clerk_wsgi.Requirement, not str"):

        class Wrong(ClerkRequiredMixin, View):  # type: ignore[misc] # likewise
            clerk_requirement = "org:admin"  # type: ignore[assignment] # what else mypy says of it

    with pytest.raises(TypeError, match="expected a clerk_wsgi.Requirement, not NoneType"):
        ClerkRequiredView.as_view(clerk_requirement=None)


# Browsers


@in_production
@pytest.mark.parametrize("path", ["mine", "later", "page", "admins", "insisting"])
def test_people_are_sent_to_sign_in_and_come_back(
    path: str, client: Any, clerk: Clerk, clerk_emulator: Emulator
) -> None:
    answer = client.get(f"/{path}?a=b", **PAGE)
    assert answer.status_code == 303
    assert answer["Cache-Control"] == "no-store"
    page, _, query = answer["Location"].partition("?")
    assert page == clerk.sign_in_url()
    assert parse_qs(query) == {"redirect_url": [f"http://testserver/{path}?a=b"]}
    assert answer.url == answer["Location"]  # for assertRedirects and the like


@in_production
def test_people_whom_signing_in_would_not_help_are_not_sent_there(
    client: Any, signed_in: SignIn
) -> None:
    signed_in(client)
    assert client.get("/admins", **PAGE).status_code == 403
    assert client.post("/mine", **PAGE).status_code == 200


def test_a_browser_that_clerk_must_be_asked_about_is_sent_there(
    client: Any, clerk_emulator: Emulator
) -> None:
    for path in ("/", "/mine", "/nowhere"):
        client.cookies.clear()
        answer = client.get(path, **PAGE)
        assert answer.status_code == 307
        assert answer["Location"].startswith(f"{clerk_emulator.issuer}/v1/client/handshake?")
        assert answer["Cache-Control"] == "no-store"
        assert answer["x-clerk-auth-status"] == "handshake"
        assert answer.cookies["__clerk_redirect_count"].value == "1"
        assert urlsplit(answer.url).path == "/v1/client/handshake"


def test_a_long_address_comes_back_from_clerk_like_any_other(client: Any) -> None:
    query = "a=" + "%2F" * 4000
    answer = client.get(f"/?{query}", **PAGE)
    assert answer.status_code == 307
    back = parse_qs(urlsplit(answer["Location"]).query)["redirect_url"]
    assert back == [f"http://testserver/?{query}"]


@in_production
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/mine", 200),
        ("/stream", 200),
        ("/cookie", 200),
        ("/download", 200),
        ("/missing", 404),
        ("/denied", 403),
        ("/forbidden", 403),
        ("/broken", 500),
        ("/nowhere", 404),
    ],
)
def test_cookies_of_clerk_go_on_whatever_django_answers(
    path: str, status: int, client: Any, clerk_tokens: Tokens
) -> None:
    client.raise_request_exception = False
    client.cookies["__clerk_handshake"] = clerk_tokens.handshake()
    answer = client.get(path)
    assert answer.status_code == status
    assert answer["Cache-Control"] == "private, no-store"
    assert answer.cookies["__session"].value
    sent = [each.OutputString() for each in answer.cookies.values()]
    lines = [line for line in sent if line.startswith("__session=")]
    assert len(lines) == 1
    assert "SameSite=Lax" in lines[0]
    assert ("seen" in answer.cookies) == (path == "/cookie")
    del client.cookies["__clerk_handshake"]
    assert client.get("/").json()["user"] == clerk_tokens.user["id"]


@in_production
def test_a_response_that_is_one_for_everybody_keeps_nobodys_cookies(
    client: Any, clerk_tokens: Tokens
) -> None:
    client.cookies["__clerk_handshake"] = clerk_tokens.handshake()
    assert client.get("/for-everybody").cookies["__session"].value
    client.cookies.clear()
    answer = client.get("/for-everybody")
    assert (answer.content, answer["mine"], dict(answer.cookies)) == (b"hello", "1", {})
    assert not answer.has_header("Cache-Control")


@in_production
def test_cookies_of_clerk_are_sent_as_it_wrote_them(
    client: Any, clerk: Clerk, clerk_tokens: Tokens
) -> None:
    client.cookies["__clerk_handshake"] = token = clerk_tokens.handshake()
    environ = {"HTTP_COOKIE": f"__clerk_handshake={token}", "HTTP_HOST": "testserver"}
    wanted = [text for name, text in clerk.authenticate(environ).headers if name == "Set-Cookie"]
    assert len(wanted) > 2
    answer = client.get("/cookie")
    sent = [each.OutputString() for each in answer.cookies.values()]
    assert sent[0].startswith("seen=")
    assert sent[1:] == wanted
    assert client.cookies["__session"].value == clerk_cookie(wanted, "__session")


def clerk_cookie(lines: list[str], name: str) -> str:
    return (
        next(line for line in lines if line.startswith(f"{name}=")).split(";")[0].split("=", 1)[1]
    )


def test_a_redirect_of_ones_own_keeps_its_body(default_clerk: Clerk) -> None:
    def answer(error: BaseException) -> Response:
        return Response("over there", status="302 Over There", location="app:/there")

    with project(CLERK={"error_response": answer}) as client:
        found = client.get("/mine")
    assert (found.status_code, found.reason_phrase) == (302, "Over There")
    assert (found.content, found.url) == (b"over there", "app:/there")


def test_a_wsgi_answer_may_write_and_is_closed(default_clerk: Clerk) -> None:
    closed: list[str] = []

    class Body(list[bytes]):
        def close(self) -> None:
            closed.append("once")

    def answer(error: BaseException) -> WSGIApplication:
        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
            write = start_response("418 I'm a teapot", [("Content-Type", "text/plain")])
            write(b"two")
            return Body([b"one, "])

        return application

    with project(CLERK={"error_response": answer}) as client:
        assert client.get("/mine").content == b"twoone, "
    assert closed == ["once"]


def test_a_response_that_is_kept_elsewhere_keeps_its_cookies(client: Any) -> None:
    answer = client.post("/sign-out")
    kept = pickle.loads(pickle.dumps(answer.cookies))
    lines = [each.OutputString() for each in answer.cookies.values()]
    assert [each.OutputString() for each in kept.values()] == lines
    assert lines[0].startswith("__session=; Path=/; Max-Age=0")


@pytest.mark.parametrize("order", [1, -1])
def test_several_cookies_of_one_name_are_all_sent(default_clerk: Clerk, order: int) -> None:
    lines = ["a=1; Path=/; Domain=example.com", "a=2; Path=/b; Partitioned; HttpOnly"][::order]

    def answer(error: BaseException) -> Response:
        return Response(headerlist=[("Set-Cookie", line) for line in (*lines, lines[0])])

    with project(CLERK={"error_response": answer}) as client:
        cookies = client.get("/mine").cookies.values()
    assert [each.OutputString() for each in cookies] == lines
    assert [each.key for each in cookies] == ["a", "a"]
    assert {each["path"] for each in cookies} == {"/", "/b"}


@in_production
def test_cookies_are_added_once_if_a_wrapper_stands_around_django(
    client: Any, clerk: Clerk, clerk_tokens: Tokens
) -> None:
    wrap_django_client(client, clerk.with_session)
    client.cookies["__clerk_handshake"] = clerk_tokens.handshake()
    answer = client.get("/")
    sent = [each.OutputString() for each in answer.cookies.values()]
    assert len(sent) == len(set(sent))
    assert answer["Cache-Control"] == "private, no-store"


# Responses


def test_responses_are_djangos_own_to_the_last_byte(client: Any, signed_in: SignIn) -> None:
    signed_in(client)
    assert read(client.get("/stream")) == b"one, two"
    assert client.get("/large").content == LARGE
    assert read(client.get("/download")) == LARGE
    answer = client.get("/cookie")
    assert answer["Cache-Control"] == "max-age=60"
    assert answer.headers.keys() == {"Content-Type", "Cache-Control"}
    assert list(answer.cookies) == ["seen"]


def test_a_head_request_has_the_headers_and_no_body(client: Any, signed_in: SignIn) -> None:
    answer = client.head("/mine")
    assert (answer.status_code, answer.content) == (401, b"")
    signed_in(client)
    assert client.head("/page").content == b""


def test_failures_of_a_view_are_djangos(client: Any, signed_in: SignIn) -> None:
    signed_in(client)
    with pytest.raises(RuntimeError, match="the view is broken"):
        client.get("/broken")
    client.raise_request_exception = False
    assert client.get("/broken").status_code == 500
    assert client.get("/missing").status_code == 404
    assert client.get("/denied").status_code == 403


def test_djangos_caches_keep_what_is_somebodys_for_them_alone(
    client: Any, signed_in: SignIn
) -> None:
    for carrier in ("bearer", "cookies"):
        first, second = Client(), Client()
        people = [signed_in(each, carrier=carrier) for each in (first, second)]
        for browser, who in zip((first, second, first), (*people, people[0]), strict=True):
            answer = browser.get("/cached")
            assert answer.content.decode() == who.user["id"]
            assert answer["Vary"] == "Cookie, Authorization"
        assert client.get("/cached").status_code == 401


# Errors of Clerk's in a view


def test_an_error_that_a_view_raises_is_its_answer(client: Any, signed_in: SignIn) -> None:
    signed_in(client)
    answer = client.get("/forbidden")
    assert (answer.status_code, answer.json()) == (403, {"error": "not today"})
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["full-name", "rendered"])
def test_a_user_in_full_is_asked_for_and_an_outage_is_answered(
    path: str, client: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    who = signed_in(client)
    clerk_emulator.update_user(who.user["id"], first_name="Grace")
    assert "Grace" in client.get(f"/{path}").content.decode()
    clerk_emulator.faults.add(Failure(status=None))
    answer = client.get(f"/{path}")
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) >= 1
    clerk_emulator.faults.clear()
    clerk_emulator.delete_user(who.user["id"])
    assert client.get(f"/{path}").status_code == 502


def test_a_redirect_that_a_view_raises_is_followed(client: Any) -> None:
    answer = client.get("/elsewhere")
    assert (answer.status_code, answer["Location"]) == (303, "/there")


def test_a_middleware_further_in_may_answer_first(client: Any) -> None:
    own = f"{__name__}.own_answer"
    with override_settings(MIDDLEWARE=[CLERK_MIDDLEWARE, own]):
        answer = Client().get("/forbidden")
    assert (answer.status_code, answer.content) == (418, b"my own")


def own_answer(get_response: Any) -> Any:
    """A middleware that has an answer of its own to errors of Clerk's."""

    class Own:
        def __call__(self, request: Any) -> Any:
            return get_response(request)

        def process_exception(self, request: Any, exception: Exception) -> Any:
            is_clerks = isinstance(exception, ClerkError)
            return HttpResponse(b"my own", status=418) if is_clerks else None

    return Own()


# Error handlers of one's own


def lenient(error: ClerkError) -> None:
    """Let everybody through."""


def as_django_does(error: ClerkError) -> Exception:
    """Let Django's own pages tell of it."""
    return PermissionDenied() if isinstance(error, Forbidden) else error


def teapot(error: ClerkError) -> Exception:
    request = error.request
    assert request is not None
    assert request.path in ("/mine", "/forbidden")
    return Forbidden("No.", data={"path": request.path}, status_code=418)


def plain(error: BaseException) -> Response:
    answer = Response(type(error).__name__, status=getattr(error, "status_code", 500))
    answer.headers.add("Vary", "Accept")
    answer.headers.add("Vary", "Origin")
    answer.set_cookie("why", "this")
    return answer


def test_a_handler_may_let_requests_through_but_not_what_a_view_raises(
    default_clerk: Clerk, signed_in: SignIn
) -> None:
    with project(CLERK={"on_error": lenient}) as client:
        for path in ("/mine", "/page", "/later"):
            answer = client.get(path)
            assert answer.json()["user"] is None
            assert isinstance(answer.wsgi_request.environ["clerk.error"], Unauthenticated)
        assert client.get("/insisting").status_code == 401
        signed_in(client)
        answer = client.get("/admins")
        assert answer.status_code == 200
        assert isinstance(answer.wsgi_request.environ["clerk.error"], Forbidden)
        assert client.get("/forbidden").json() == {"error": "not today"}


def test_a_handler_may_leave_it_to_djangos_own_pages(
    default_clerk: Clerk, signed_in: SignIn
) -> None:
    with project(CLERK_ON_ERROR=f"{__name__}.as_django_does") as client:
        assert client.get("/admins").status_code == 401
        signed_in(client)
        for path in ("/admins", "/insisting", "/wrapped", "/admins-page"):
            answer = client.get(path)
            assert answer.status_code == 403
            assert b"<h1>403 Forbidden</h1>" in answer.content


def test_a_handler_knows_the_request(default_clerk: Clerk) -> None:
    with project(CLERK={"on_error": teapot}) as client:
        for path in ("/mine", "/forbidden"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()) == (418, {"path": path})


def test_a_response_of_ones_own_comes_whole(default_clerk: Clerk) -> None:
    with project(CLERK={"error_response": f"{__name__}.plain"}) as client:
        answer = client.get("/mine")
        assert (answer.status_code, answer.content) == (401, b"Unauthenticated")
        assert answer["Content-Type"] == "text/html; charset=UTF-8"
        assert answer["Vary"] == "Accept, Origin"
        assert answer.cookies["why"].value == "this"


def test_a_failure_is_logged(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="clerk_wsgi"):
        client.get("/forbidden")
    assert [record.message for record in caplog.records if record.name == "clerk_wsgi"][-1] == (
        "Forbidden: 'Not today.'"
    )


# Signing out


def test_signing_out_ends_the_session_and_makes_the_browser_forget_it(
    client: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    who = signed_in(client, carrier="cookies")
    answer = client.post("/sign-out")
    assert (answer.status_code, answer["Location"]) == (303, "/bye")
    assert answer.cookies["__session"].value == ""
    assert answer.cookies["__session"]["max-age"] == "0"
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


@pytest.mark.parametrize("method", ["get", "head", "put", "delete"])
def test_signing_out_needs_a_post(
    method: str, client: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    who = signed_in(client, carrier="cookies")
    assert getattr(client, method)("/sign-out").status_code == 405
    assert clerk_emulator.session(who.session["id"])["status"] == "active"


@pytest.mark.parametrize("middleware", [[CLERK_MIDDLEWARE], [CLERK_MIDDLEWARE, CSRF_MIDDLEWARE]])
def test_signing_out_needs_djangos_token_whatever_the_middleware(
    middleware: list[str], client: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    with override_settings(MIDDLEWARE=middleware):
        strict = Client(enforce_csrf_checks=True)
        who = signed_in(strict, carrier="cookies")
        assert strict.post("/sign-out").status_code == 403
        assert clerk_emulator.session(who.session["id"])["status"] == "active"
        token = "x" * 32
        strict.cookies["csrftoken"] = token
        assert strict.post("/sign-out", {"csrfmiddlewaretoken": token}).status_code == 303
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


@pytest.mark.parametrize(
    ("wanted", "location"),
    [("/a?b=c", "/a?b=c"), ("https://evil.example", "/"), ("//evil.example", "/")],
)
def test_nobody_is_sent_elsewhere_by_signing_out(
    wanted: str, location: str, client: Any, signed_in: SignIn
) -> None:
    signed_in(client)
    assert client.post("/leave?next=" + wanted.replace("?", "%3F"))["Location"] == location


def test_a_session_that_clerk_does_not_end_goes_on(
    client: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    signed_in(client)
    assert client.get("/mine").status_code == 200
    clerk_emulator.faults.add(Failure(status=503))
    answer = client.post("/sign-out")
    assert (answer.status_code, answer.cookies) == (502, {})


# Templates


@in_production
def test_a_template_knows_who_is_there_and_where_to_go(
    client: Any, clerk: Clerk, signed_in: SignIn
) -> None:
    back = "http://testserver/links?a=b&c=d"
    shown = client.get("/links?a=b&c=d", **PAGE).content.decode()
    pages = (clerk.sign_in_url(back), clerk.sign_up_url(back))
    assert shown == f"nobody {pages[0]} {pages[1]}".replace("&", "&amp;")
    who = signed_in(client)
    shown = client.get("/links", **PAGE).content.decode()
    assert shown == f"{who.user['id']} {clerk.account_url('http://testserver/links')}"


@pytest.mark.clerk(publishable_key=PUBLISHABLE_LIVE, trust_forwarded=True)
def test_links_lead_back_through_a_proxy_that_is_trusted(client: Any) -> None:
    proxy = {"HTTP_X_FORWARDED_HOST": "app.example", "HTTP_X_FORWARDED_PROTO": "https"}
    shown = client.get("/links", **PAGE, **proxy).content.decode()
    assert "redirect_url=https%3A%2F%2Fapp.example%2Flinks" in shown


def test_pages_that_there_are_not_are_none() -> None:
    without: Any = dict.fromkeys(
        ("publishable_key", "sign_in_url", "sign_up_url", "account_url"), ""
    )
    bare = Clerk(secret_key="sk_test_x", dotenv=False, **without)
    with project(CLERK={"instance": bare}) as client:
        assert client.get("/links").content == b"nobody None None"


def test_a_template_of_a_request_that_nobody_decided_about_knows_nothing() -> None:
    assert clerk_context(RequestFactory().get("/")) == {}


# Other kinds of requests


def test_a_request_factory_is_asked_through_the_middleware(
    default_clerk: Clerk, signed_in: SignIn
) -> None:
    view = ClerkMiddleware(require(lambda request: HttpResponse(request.clerk.user_id)))
    assert view(RequestFactory().get("/")).status_code == 401
    who = signed_in()
    request = RequestFactory(**who.environ).get("/")
    assert view(request).content.decode() == who.user["id"]
    with pytest.raises(ImproperlyConfigured, match="MIDDLEWARE"):
        require(lambda request: HttpResponse())(RequestFactory(**who.environ).get("/"))


def test_asgi_is_refused_clearly(default_clerk: Clerk, signed_in: SignIn) -> None:
    async def ask(path: str) -> Any:
        return await AsyncClient().get(path, headers=signed_in().headers)

    with project():
        for path in ("/", "/mine", "/later"):
            with pytest.raises(ImproperlyConfigured, match=r"needs WSGI, and a ASGIRequest"):
                asyncio.run(ask(path))


def test_one_of_several_instances_is_chosen_for_each_request(
    clerk: Clerk, signed_in: SignIn
) -> None:
    def instance_of(environ: dict[str, Any]) -> Clerk:
        if environ["HTTP_HOST"] == "testserver":
            return clerk
        raise ClerkError("Nobody lives here.", status_code=404, reason="unknown-host")

    with project(CLERK={"instance": instance_of}, ALLOWED_HOSTS=["*"]) as client:
        signed_in(client)
        assert client.get("/mine", HTTP_HOST="testserver").status_code == 200
        assert client.get("/mine", HTTP_HOST="other.example").status_code == 404
        assert client.get("/", HTTP_HOST="other.example").json()["user"] is None
        assert client.get("/links", HTTP_HOST="other.example").content == b"nobody  "


def test_a_requirement_is_asked_before_anything_of_a_class_is_made(client: Any) -> None:
    made = []

    class Watched(ClerkRequiredMixin, View):  # type: ignore[misc] # Django has no types
        clerk_requirement = Requirement(role="admin")

        def setup(self, *arguments: Any, **options: Any) -> None:
            made.append(self)

    request = client.get("/").wsgi_request
    assert Watched.as_view()(request).status_code == 401
    assert made == []
