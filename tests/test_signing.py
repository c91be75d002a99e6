"""Sending people to sign in and back, and signing them out: nowhere else, and not for nothing."""

from __future__ import annotations

import copy
import logging
import pickle
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from webob import Request
from webtest import TestApp

from clerk_wsgi import (
    ApiError,
    Clerk,
    ClerkError,
    ClerkUnavailable,
    ConfigurationError,
    Forbidden,
    Redirect,
    Unauthenticated,
    protect,
    require_session,
    sign_in_on_error,
    sign_out,
    with_session,
)
from clerk_wsgi.testing import bearer as bearer_of
from clerk_wsgi.testing import clerk_for

from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, SUFFIX_LIVE, Minter
from .scripted import SESSION, ScriptedClerk, error
from .wrapping import App, bearer, clerk, full_environ, minter, serve, without_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from clerk_wsgi.testing import Emulator, Tokens

    from .wrapping import Answer

ACCOUNTS = "https://accounts.example.com/sign-in"
SECURE = {"wsgi.url_scheme": "https", "SERVER_PORT": "443"}
PAGE = {"HTTP_ACCEPT": "text/html,*/*;q=0.8", **SECURE}
SEE_OTHER, UNAUTHORIZED = "303 See Other", "401 Unauthorized"


def instance(**settings: Any) -> Clerk:
    """Return an instance of production, which has pages at Clerk."""
    given = {"jwt_key": minter().pem, "publishable_key": PUBLISHABLE_LIVE, **settings}
    return Clerk(dotenv=False, clock=lambda: NOW, **given)


def asking(mine: Clerk | None = None) -> Any:
    return require_session(App(), mine or instance(), sign_in_on_error)


def way_back(answer: Answer) -> str:
    """Return where a redirect to Clerk's page leads back to."""
    assert answer.status == SEE_OTHER
    page, _, query = answer.one("Location").partition("?")
    assert page == ACCOUNTS
    parameters = parse_qs(query, strict_parsing=True)
    assert list(parameters) == ["redirect_url"]
    [back] = parameters["redirect_url"]
    return back


# ---- who is sent to sign in


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_waits_for_a_page_signs_in_and_comes_back(method: str) -> None:
    answer = serve(
        asking(), **PAGE, REQUEST_METHOD=method, PATH_INFO="/a b", QUERY_STRING="c=d&e=%2F"
    )
    assert way_back(answer) == "https://app.test/a%20b?c=d&e=%2F"
    assert answer.all("Cache-Control") == ["no-store"]
    assert answer.body == b""


@pytest.mark.parametrize(
    "keys",
    [
        {"HTTP_ACCEPT": "*/*"},
        {"HTTP_ACCEPT": "application/json"},
        {"HTTP_ACCEPT": "application/json, text/html;q=0.9"},
        {"HTTP_ACCEPT": ""},
        {"REQUEST_METHOD": "POST"},
        {"REQUEST_METHOD": "OPTIONS"},
        {"REQUEST_METHOD": "DELETE"},
        {"HTTP_SEC_FETCH_DEST": "empty"},
        {"HTTP_SEC_FETCH_DEST": "image"},
        {"HTTP_SEC_FETCH_MODE": "cors"},
        {"HTTP_SEC_FETCH_DEST": "document", "HTTP_SEC_FETCH_MODE": "no-cors"},
        {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"},
    ],
)
def test_who_calls_an_api_gets_the_error(keys: dict[str, str]) -> None:
    answer = serve(asking(), **{**PAGE, **keys})
    assert answer.status == UNAUTHORIZED
    assert answer.all("Location") == []
    assert answer.all("WWW-Authenticate") == ["Bearer"]


@pytest.mark.parametrize(
    "keys",
    [
        {"HTTP_AUTHORIZATION": "Bearer a.b.c"},
        bearer(azp="https://other.test"),
        {"QUERY_STRING": "_clerk_session_id=sess_2", **bearer()},
    ],
)
def test_who_is_refused_for_what_signing_in_would_not_change_gets_the_error(
    keys: dict[str, str],
) -> None:
    mine = instance(authorized_parties=["https://app.test"])
    assert serve(asking(mine), **{**PAGE, **keys}).status == UNAUTHORIZED


def test_while_clerk_is_down_nobody_is_sent_there() -> None:
    api = ScriptedClerk({"GET /v1/jwks": error(503)})
    mine = api.instance(publishable_key=PUBLISHABLE_LIVE, clock=lambda: NOW)
    answer = serve(asking(mine), **PAGE, **bearer())
    assert answer.status == "503 Service Unavailable"


def test_a_pending_session_is_finished_on_the_sign_in_page() -> None:
    assert way_back(serve(asking(), **PAGE, **bearer(sts="pending"))) == "https://app.test/"


def test_an_instance_without_pages_has_nowhere_to_send_anybody() -> None:
    assert serve(asking(clerk()), **PAGE).status == UNAUTHORIZED
    assert sign_in_on_error(Unauthenticated("no", reason="session-token-missing")).__class__ is (
        Unauthenticated
    )


@pytest.mark.parametrize(
    "error_",
    [Forbidden("no"), ClerkUnavailable("no"), ApiError("no", status_code=401), ClerkError("no")],
    ids=lambda one: type(one).__name__,
)
def test_other_errors_are_refused_and_logged(
    error_: ClerkError, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "clerk_wsgi")
    assert sign_in_on_error(error_) is error_
    assert caplog.records


# ---- nobody goes round in circles


@pytest.mark.parametrize(
    "page",
    [
        "/sign-in",
        "/sign-in?theme=dark",
        "/sign-in#/factor-one",
        "/s%69gn-in",
        "/sign%2din",
        "https://app.test/sign-in",
        "http://app.test/sign-in",
        "https://APP.test:443/sign-in",
        "https://app.test:8443/sign-in?a=b&c=d#e",
    ],
)
def test_the_sign_in_page_itself_is_not_sent_to_itself(page: str) -> None:
    wrapped = asking(instance(sign_in_url=page))
    first = serve(wrapped, **PAGE, PATH_INFO="/private")
    assert first.status == SEE_OTHER
    there = urlsplit(first.one("Location"))
    for path in (there.path.replace("%69", "i").replace("%2d", "-"), "/sign-in"):
        second = serve(wrapped, **PAGE, PATH_INFO=path, QUERY_STRING=there.query)
        assert second.status == UNAUTHORIZED


@pytest.mark.parametrize("page", ["https://app.test", "https://app.test/", "/"])
def test_a_sign_in_page_at_the_root_is_no_circle(page: str) -> None:
    wrapped = asking(instance(sign_in_url=page))
    assert serve(wrapped, **PAGE, PATH_INFO="/x").status == SEE_OTHER
    assert serve(wrapped, **PAGE, PATH_INFO="/").status == UNAUTHORIZED
    assert serve(wrapped, **PAGE, PATH_INFO="").status == UNAUTHORIZED


def test_a_page_that_a_query_names_is_another_one_without_it() -> None:
    wrapped = asking(instance(sign_in_url="/?page=sign-in"))
    assert serve(wrapped, **PAGE).status == SEE_OTHER
    assert serve(wrapped, **PAGE, QUERY_STRING="a=b&page=sign-in").status == UNAUTHORIZED


def test_clerks_own_page_is_not_the_page_of_the_same_path_here() -> None:
    assert way_back(serve(asking(), **PAGE, PATH_INFO="/sign-in")) == "https://app.test/sign-in"


ODD = ['/sign-in?x="y"', "/sign-in#/x?redirect_url=y"]


def test_a_browser_comes_to_rest_wherever_it_begins() -> None:
    """Each answer is followed as a browser would, on this host, until it is no redirect."""
    for page in (
        "/sign-in",
        "/sign-in/",
        "/a/sign-in?x=%20y",
        "/sign-in?redirect_url=%2Fz",
        '/sign-in?x="y"',
    ):
        wrapped = asking(instance(sign_in_url=page))
        for start in ("/", "/sign-in", "/sign-in/", "/sign-in/create", "/a", "/a/sign-in", "//x"):
            target, steps = start, 0
            while steps < 5:
                path, _, query = target.partition("?")
                answer = serve(wrapped, **PAGE, PATH_INFO=path, QUERY_STRING=query)
                if answer.status != SEE_OTHER:
                    break
                target, steps = answer.one("Location").replace('"', "%22"), steps + 1
            assert steps <= 2, (page, start)


def test_who_comes_from_a_handshake_is_not_sent_on_one_again() -> None:
    mine = instance(publishable_key=PUBLISHABLE_TEST)
    looped = {"HTTP_COOKIE": "__clerk_redirect_count=3", "HTTP_SEC_FETCH_DEST": "document"}
    answer = serve(asking(mine), **PAGE, **looped)
    assert answer.status == SEE_OTHER
    assert "accounts" in answer.one("Location")
    assert "__clerk" not in answer.one("Location")


# ---- where they come back to

HOME = "https://app.test/"
HOSTILE: list[dict[str, str]] = [
    # Paths that a browser would take for another site's address, or resolve.
    *(
        {"PATH_INFO": path}
        for path in (
            *("//evil.test", "///evil.test", "//evil.test/%2e%2e", "/\\evil.test", "\\\\evil.test"),
            *("/\\/evil.test", "//evil.test\\@app.test", "/..//evil.test", "/./evil", "/.."),
            *("/%2f/evil.test", "/%2F%2Fevil.test", "/%5cevil.test", "/x/..;/evil", "/;/evil.test"),
            *("/\r\nLocation: https://evil.test", "/\nX: y", "/\tevil", "/\x00", "/\x7f", "/\x1b"),
            *("/%0d%0aSet-Cookie: a=b", "/%00", "https://evil.test", "javascript:alert(1)", "*"),
            *("/\xff", "/\xc0\xaf/evil.test", "/\xe3\x80\x82", "@evil.test", ".evil.test", ":80"),
            *("/" + "a" * 3000, "/%2e%2e/%2e%2e", "/a//b", "//", "/\\", "evil.test", "?", "#"),
        )
    ),
    # Queries.
    *(
        {"QUERY_STRING": query}
        for query in (
            *("redirect_url=https://evil.test", "next=//evil.test", "\r\nLocation: x", "#@evil"),
            *("a=\r\nSet-Cookie:b", "__clerk_handshake=x", "\xff\xfe", "a=<script>", '"', "a=" * 9),
            *("&redirect_url=https%3A%2F%2Fevil.test", "a=" + "b" * 3000, "//evil.test", "@evil.t"),
        )
    ),
    # Hosts, and what pretends to name one.
    *(
        {"HTTP_HOST": host}
        for host in (
            *(
                "app.test@evil.test",
                "evil.test/",
                "evil.test#",
                "evil.test?",
                "evil.test\\app.test",
            ),
            *("app.test\r\nX: y", "evil.test:99999", "evil.test:80:80", "[evil]", "a b", ""),
            *("evil.test/app.test", "//evil.test", "evil.test,app.test", "\xe9vil.test", "e%2fvil"),
        )
    ),
    *(
        {name: "evil.test"}
        for name in (
            *("HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED", "HTTP_X_HOST", "HTTP_X_ORIGINAL_HOST"),
            *("HTTP_X_FORWARDED_SERVER", "HTTP_X_ORIGINAL_URL", "HTTP_X_REWRITE_URL"),
            *("HTTP_REFERER", "HTTP_ORIGIN", "HTTP_X_FORWARDED_PREFIX", "HTTP_X_FORWARDED_PATH"),
        )
    ),
    {"HTTP_X_FORWARDED_PROTO": "javascript"},
    {"HTTP_X_FORWARDED_PROTO": "http"},
    {"HTTP_X_FORWARDED_PORT": "8080"},
    {"HTTP_FORWARDED": "host=evil.test;proto=http"},
    {"SCRIPT_NAME": "//evil.test", "PATH_INFO": ""},
    {"SCRIPT_NAME": "/", "PATH_INFO": "/evil.test"},
    {"SCRIPT_NAME": "/\\", "PATH_INFO": "evil.test"},
]


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) > 80


@pytest.mark.parametrize("keys", HOSTILE, ids=lambda keys: repr(keys)[:60])
def test_whatever_is_asked_for_the_way_leads_to_clerk_and_back_to_this_site(
    keys: dict[str, str],
) -> None:
    answer = serve(asking(), **{**PAGE, **keys})
    location = answer.one("Location")
    assert location.isascii()
    assert location.isprintable()
    assert " " not in location
    back = urlsplit(way_back(answer))
    assert (back.scheme, back.netloc) == ("https", "app.test")
    assert not back.path.startswith(("//", "/\\"))
    assert "evil" not in f"{back.netloc}{back.fragment}"
    assert ".." not in back.path.split("/")


@pytest.mark.parametrize("keys", HOSTILE, ids=lambda keys: repr(keys)[:60])
@pytest.mark.parametrize("page", ["/sign-in", "https://login.test/in"])
def test_a_page_of_ones_own_is_not_left_either(page: str, keys: dict[str, str]) -> None:
    answer = serve(asking(instance(sign_in_url=page)), **{**PAGE, **keys})
    location = answer.one("Location")
    assert location.startswith(f"{page}?redirect_url=https%3A%2F%2Fapp.test%2F")
    assert location.isascii()
    assert location.isprintable()


def test_another_host_is_believed_if_the_server_says_so_and_forwarded_ones_if_told_to() -> None:
    there = {"HTTP_HOST": "b.test", "HTTP_X_FORWARDED_HOST": "c.test"}
    assert way_back(serve(asking(), **{**PAGE, **there})) == "https://b.test/"
    trusting = asking(instance(trust_forwarded=True))
    assert way_back(serve(trusting, **{**PAGE, **there})) == "https://c.test/"
    there["HTTP_X_FORWARDED_HOST"] = "evil.test@c.test"
    assert way_back(serve(trusting, **{**PAGE, **there})) == "https://b.test/"


def test_it_is_an_error_handler_of_protect_as_well() -> None:
    wrapped = protect(App(), instance(), sign_in_on_error, public="/")
    assert way_back(serve(wrapped, **PAGE, PATH_INFO="/a")) == "https://app.test/a"
    assert serve(wrapped, **PAGE).status == "200 OK"
    assert serve(wrapped, **PAGE, PATH_INFO="//evil.test").status == "400 Bad Request"


# ---- Redirect


def test_a_redirect_is_a_response_of_its_own() -> None:
    answer = serve(Redirect("/there", [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")]))
    assert (answer.status, answer.body) == (SEE_OTHER, b"")
    assert answer.one("Location") == "/there"
    assert answer.all("Set-Cookie") == ["a=b", "c=d"]
    assert answer.one("Cache-Control") == "no-store"
    assert answer.one("Content-Length") == "0"


@pytest.mark.parametrize(
    "location",
    [
        "",
        "/a\r\nSet-Cookie: a=b",
        "/a\n",
        "\n/a",
        "/a\x00",
        "/a b",
        "/é",
        "/\udcff",
        "\t/",
        "/\x7f",
    ],
)
def test_what_could_end_the_header_is_no_location(location: str) -> None:
    with pytest.raises(ValueError, match="location"):
        Redirect(location)


def test_a_redirect_can_be_copied_and_pickled() -> None:
    first = Redirect("/there", [("Set-Cookie", "a=b")])
    for second in (copy.copy(first), copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert (second.location, second.headers) == (first.location, first.headers)
    assert "/there" not in str(first)


# ---- signing out

REVOKE = "POST /v1/sessions/sess_1/revoke"
HOSTILE_RETURNS = [
    *("https://evil.test", "//evil.test", "/\\evil.test", "\\\\evil.test", "javascript:alert(1)"),
    *(
        "https://app.test@evil.test",
        "https://app.test.evil.test",
        "https://app.test:444/",
        "http:x",
    ),
    *("http://app.test/", "/a\r\nSet-Cookie: a=b", "/%0d%0aX", "/%2f/evil.test", "/..//evil.test"),
    *("data:text/html,x", "", "evil.test", "/x" * 1500, "///evil.test", "https:evil.test", "/é"),
    *("https:/evil.test", "https:\\\\evil.test", "/;/evil.test", "/./x", " /x", "/\tx", "ftp://x"),
]


class Leaving:
    """A site where people sign out by a POST; Clerk answers as it is told."""

    def __init__(self, answer: Any = SESSION, return_to: str = "/", **settings: Any) -> None:
        self.clerk = ScriptedClerk({REVOKE: answer})
        given = {"jwt_key": minter().pem, "clock": lambda: NOW, **settings}
        self.instance = self.clerk.instance(**given)
        self.return_to = return_to
        self.app = with_session(self._leave, self.instance)

    def _leave(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return sign_out(environ, self.return_to)(environ, start_response)

    def post(self, **keys: Any) -> Answer:
        return serve(self.app, REQUEST_METHOD="POST", **{**SECURE, **keys})


def cookie(**claims: Any) -> dict[str, str]:
    return {"HTTP_COOKIE": f"__session={minter().token(**claims)}"}


GONE = "__session=; Path=/; Max-Age=0; SameSite=Lax; Secure"


@pytest.mark.parametrize("keys", [cookie(), bearer(), cookie(sts="pending", v=2)])
def test_the_session_is_ended_at_clerk_and_its_cookie_here(keys: dict[str, str]) -> None:
    site = Leaving(return_to="/bye?a=b")
    answer = site.post(**keys)
    assert site.clerk.lines == [REVOKE]
    assert (answer.status, answer.one("Location")) == (SEE_OTHER, "/bye?a=b")
    assert answer.all("Set-Cookie") == [GONE]
    assert answer.one("Cache-Control") == "no-store"


def test_both_cookies_of_a_session_are_ended() -> None:
    answer = Leaving(publishable_key=PUBLISHABLE_LIVE).post(**cookie())
    assert answer.all("Set-Cookie") == [GONE, GONE.replace("__session", f"__session_{SUFFIX_LIVE}")]


def test_a_cookie_is_ended_on_an_http_page_too_where_browsers_take_no_secure_one() -> None:
    answer = Leaving().post(**cookie(), **{"wsgi.url_scheme": "http", "SERVER_PORT": "80"})
    assert answer.all("Set-Cookie") == [GONE.removesuffix("; Secure")]


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_session_that_has_ended_already_is_no_failure(status: int) -> None:
    assert Leaving(error(status, "resource_not_found")).post(**cookie()).all("Set-Cookie") == [GONE]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_if_clerk_does_not_end_the_session_nothing_is_forgotten(status: int) -> None:
    with pytest.raises((ApiError, ClerkUnavailable)):
        Leaving(error(status, "no")).post(**cookie())


def test_if_clerk_cannot_be_reached_nothing_is_forgotten() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        api_url = "http://127.0.0.1:{1}".format(*listener.getsockname())
    site = Leaving(api_url=api_url, http=None)
    with pytest.raises(ClerkUnavailable):
        site.post(**cookie())


def test_without_a_secret_key_nobody_can_be_signed_out() -> None:
    app = with_session(lambda environ, start: sign_out(environ)(environ, start), clerk())
    with pytest.raises(ConfigurationError):
        serve(app, **cookie())


@pytest.mark.parametrize("keys", [{}, {"HTTP_COOKIE": "__session=junk"}, {"HTTP_COOKIE": "a=b"}])
def test_where_nobody_is_signed_in_there_is_only_a_cookie_to_end(keys: dict[str, str]) -> None:
    site = Leaving()
    answer = site.post(**keys)
    assert (answer.status, answer.all("Set-Cookie"), site.clerk.lines) == (SEE_OTHER, [GONE], [])


@pytest.mark.parametrize("age", [60, 3600, 86_400 * 30])
def test_a_session_whose_token_has_expired_is_ended_like_any_other(age: int) -> None:
    """A page that was open for a minute, without Clerk's script to renew its token."""
    site = Leaving(publishable_key=PUBLISHABLE_LIVE)
    old = minter().token(iat=NOW - age - 60, nbf=NOW - age - 60, exp=NOW - age)
    answer = site.post(HTTP_COOKIE=f"__session={old}; __client_uat={NOW - age - 90}")
    assert site.clerk.lines == [REVOKE]
    assert answer.all("Set-Cookie")[0] == GONE


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 60, "sid": "sess_1/../../users/user_1"},
        {"exp": NOW - 60, "sid": ...},
        {"exp": NOW - 60, "azp": "https://other.test"},
    ],
)
def test_an_expired_token_that_names_no_session_of_this_site_ends_none(claims: Any) -> None:
    site = Leaving(authorized_parties=["https://app.test"])
    try:
        site.post(**cookie(**claims))
    except Unauthenticated as refused:
        assert refused.reason is not None
        assert refused.reason.startswith("session-token-expired")
    assert site.clerk.lines == []


def test_a_forged_token_ends_no_session_be_it_expired_or_not() -> None:
    site = Leaving()
    for expires in (NOW + 60, NOW - 60):
        forged = Minter().token(exp=expires)
        assert site.post(HTTP_COOKIE=f"__session={forged}").status == SEE_OTHER
    assert site.clerk.lines == []


def test_an_expired_token_ends_no_session_but_the_one_that_the_query_names() -> None:
    site = Leaving()
    with pytest.raises(Unauthenticated):
        site.post(**cookie(exp=NOW - 60), QUERY_STRING="_clerk_session_id=sess_2")
    assert site.clerk.lines == []
    site.post(**cookie(exp=NOW - 60), QUERY_STRING="_clerk_session_id=sess_1")
    assert site.clerk.lines == [REVOKE]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"HTTP_COOKIE": f"__client_uat={NOW - 60}"}, "client-uat-but-no-session-token"),
        (
            {"HTTP_COOKIE": f"__session={minter().token()}; __client_uat={NOW + 1}"},
            "session-token-iat-before-client-uat",
        ),
        (bearer(exp=NOW - 60), "session-token-expired-refresh-non-eligible-non-get"),
    ],
)
def test_it_is_no_success_if_somebody_is_signed_in_and_nobody_knows_who(
    keys: dict[str, str], reason: str
) -> None:
    site = Leaving(publishable_key=PUBLISHABLE_LIVE)
    with pytest.raises(Unauthenticated) as raised:
        site.post(**keys)
    assert raised.value.reason == reason
    assert site.clerk.lines == []


def test_it_is_no_success_if_nobody_can_tell_during_an_outage() -> None:
    case = without_keys()
    app = case.wrap(with_session, lambda environ, start: sign_out(environ)(environ, start))
    with pytest.raises(ClerkUnavailable):
        serve(app)


def test_it_is_no_success_where_nobody_was_asked_about() -> None:
    site = Leaving()

    def leave(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return sign_out(environ)(environ, start_response)

    def fail(_environ: object) -> Clerk:
        raise ClerkError("nobody here", status_code=404)

    for app in (
        with_session(leave, site.instance, exempt="/"),
        with_session(leave, lambda _: site.instance, exempt="/"),
        with_session(leave, fail),
        leave,
    ):
        with pytest.raises(LookupError):
            serve(app, **cookie())
    assert site.clerk.lines == []


def test_a_machine_has_no_session_to_end(clerk_emulator: Emulator, clerk_tokens: Tokens) -> None:
    mine = clerk_for(clerk_emulator, accepts_token=["session_token", "api_key"])
    app = mine.with_session(lambda environ, start: sign_out(environ)(environ, start))
    assert serve(app, **bearer_of(clerk_tokens.api_key()).environ).status == SEE_OTHER


@pytest.mark.parametrize("return_to", HOSTILE_RETURNS)
def test_nobody_is_sent_to_another_site(return_to: str) -> None:
    answer = Leaving(return_to=return_to).post(**cookie())
    assert answer.one("Location") == "/"
    there = Leaving(return_to=return_to, sign_out_url="/bye").post(**cookie())
    assert there.one("Location") == "/bye?redirect_url=https%3A%2F%2Fapp.test%2F"


@pytest.mark.parametrize("return_to", ["/", "/a/b?c=//d", "https://app.test/x", "HTTPS://APP.test"])
def test_people_may_go_on_wherever_they_stay_on_this_site(return_to: str) -> None:
    assert Leaving(return_to=return_to).post(**cookie()).one("Location") == return_to


@pytest.mark.parametrize("page", ["/bye", "https://login.test/bye?a=b"])
def test_a_page_that_signs_people_out_is_left_to_do_it(page: str) -> None:
    site = Leaving(return_to="/x", sign_out_url=page)
    answer = site.post(**cookie())
    mark = "&" if "?" in page else "?"
    back = "redirect_url=https%3A%2F%2Fapp.test%2Fx"
    assert answer.one("Location") == f"{page}{mark}{back}"
    assert (answer.all("Set-Cookie"), site.clerk.lines) == ([], [])


def test_the_requests_of_frameworks_will_do() -> None:
    site = Leaving()
    environ = full_environ(**cookie())
    serve(with_session(App(), site.instance), environ)
    assert sign_out(Request(environ)).location == "/"
    with pytest.raises(TypeError):
        sign_out("request")


def test_after_it_the_local_clerk_knows_nobody_any_more(clerk_emulator: Emulator) -> None:
    mine = clerk_for(clerk_emulator)
    session = clerk_emulator.sessions()[0]["id"]
    token = clerk_emulator.session_token(session)

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return sign_out(environ)(environ, start)

    browser = TestApp(mine.require_session(application))
    headers = {"Authorization": f"Bearer {token}"}
    browser.post("/", headers=headers, status=303)
    assert mine.sessions.get(session).status == "revoked"
    browser.post("/", headers=headers, status=303)  # once more, with a token that is still good
