"""Bottle: who is there, what routes and callbacks require, and what becomes of errors."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bottle import Bottle, HTTPError, HTTPResponse, PluginError, request, response, template
from webob.exc import HTTPFound
from webtest import TestApp

from clerk_wsgi import (
    Clerk,
    ClerkError,
    Forbidden,
    Requirement,
    Unauthenticated,
    get_auth,
    json_error_response,
    sign_out,
    with_session,
)
from clerk_wsgi.emulator import Emulator, Failure
from clerk_wsgi.integrations.bottle import ClerkPlugin, account_url, require, sign_in_url
from clerk_wsgi.testing import as_default, bearer, clerk_for, sign_in

from ..processes import PROJECT, clean_environ
from ..wrapping import by_handshake, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.claims import Auth
    from clerk_wsgi.testing import SignIn, Tokens

BROWSER = {"Accept": "text/html"}


def hello() -> str:
    return "hello"


def who_is_there(auth: Auth) -> dict[str, object]:
    return {"signed_in": bool(auth), "user_id": auth.user_id}


def refuse() -> str:
    Requirement(role="org:admin").check(get_auth(request))
    return "hello"


def broken() -> str:
    raise KeyError("missing")


@pytest.fixture
def clerk(clerk_emulator: Emulator) -> Clerk:
    """An instance with a sign-in page, which sends no browser through a handshake."""
    return clerk_for(clerk_emulator, publishable_key="", sign_in_url="/in")


def site(clerk: Any = None, **options: Any) -> Bottle:
    app = Bottle()
    app.install(ClerkPlugin(clerk, **options))
    app.route("/", "GET", who_is_there)
    return app


def client_of(app: Any) -> TestApp[Any]:
    return TestApp(app, lint=False)  # Bottle closes what it does not send, and WebTest minds


def requiring(clerk: Any, required: Any = True, **options: Any) -> TestApp[Any]:
    """Return a client of an application whose page requires something."""
    app = Bottle()
    app.install(ClerkPlugin(clerk, **options))
    app.route("/", ["GET", "POST"], hello, clerk=required)
    return client_of(app)


# ---- who is there ----------------------------------------------------------------------------


def test_callbacks_know_who_is_there_and_who_is_not(clerk: Clerk, signed_in: SignIn) -> None:
    client = client_of(site(clerk))
    assert client.get("/").json == {"signed_in": False, "user_id": None}
    who = signed_in(client)
    assert client.get("/").json == {"signed_in": True, "user_id": who.user["id"]}


@pytest.mark.parametrize("kind", ["expired", "wrong_key", "unsigned", "template", "pending"])
def test_a_token_that_is_refused_is_nobody(kind: str, clerk: Clerk, clerk_tokens: Tokens) -> None:
    client = bearer(getattr(clerk_tokens, kind)()).apply(client_of(site(clerk)))
    assert client.get("/").json == {"signed_in": False, "user_id": None}


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (BROWSER, 303)])
def test_a_refusal_says_what_was_decided(
    headers: dict[str, str], status: int, clerk: Clerk
) -> None:
    answer = requiring(clerk).get("/", headers=headers, status=status)
    assert answer.headers["x-clerk-auth-status"] == "signed-out"
    assert answer.headers["x-clerk-auth-reason"] == "session-token-and-uat-missing"


def test_the_request_knows_it_too(
    clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    app = site(clerk)
    app.route("/name", "GET", lambda: {"name": request.clerk.user.first_name})
    client = client_of(app)
    who = signed_in(client)
    clerk_emulator.update_user(who.user["id"], first_name="Grace")
    assert client.get("/name").json == {"name": "Grace"}


def test_the_argument_may_have_another_name(clerk: Clerk, signed_in: SignIn) -> None:
    def names(auth: str, who: Auth, *, style: str = "plain") -> str:
        return f"{auth} {who.user_id} {style}"

    app = site(clerk, keyword="who")
    app.route("/names/<auth>", "GET", require(names))
    client = client_of(app)
    who = signed_in(client)
    assert client.get("/names/x").text == f"x {who.user['id']} plain"


def test_a_request_is_decided_about_once(
    clerk: Clerk, clerk_tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clerk_wsgi")
    client = bearer(clerk_tokens.wrong_key()).apply(client_of(site(clerk)))
    client.get("/")
    client.get("/missing", status=404)
    told = [record for record in caplog.records if record.name == "clerk_wsgi"]
    assert len(told) == 2


def test_a_page_for_what_is_not_there_knows_who_is_there(clerk: Clerk, signed_in: SignIn) -> None:
    app = site(clerk)
    app.error(404)(lambda error: template("{{who}} is lost", who=request.clerk.user_id))
    client = client_of(app)
    who = signed_in(client)
    assert client.get("/missing", status=404).text == f"{who.user['id']} is lost"


def test_without_an_instance_it_is_the_default_one(clerk: Clerk, signed_in: SignIn) -> None:
    with as_default(clerk):
        client = client_of(site())
    signed_in(client)
    assert client.get("/").json["signed_in"] is True


def test_the_instance_may_depend_on_the_request(clerk: Clerk, signed_in: SignIn) -> None:
    def tenant(environ: dict[str, Any]) -> Clerk:
        if environ["HTTP_HOST"].startswith("a.test"):
            return clerk
        raise ClerkError("There is nobody here.", status_code=404)

    client = requiring(tenant)
    signed_in(client)
    client.get("http://a.test/", status=200)
    client.get("http://b.test/", status=404)


def test_the_path_of_the_server_is_asked_about_and_bottles_stays(clerk: Clerk) -> None:
    asked: list[ClerkError] = []
    app = Bottle()
    app.install(ClerkPlugin(clerk, on_error=asked.append))
    app.route("/<name>", "GET", lambda name: f"{name} {request.path} {sign_in_url()}", clerk=True)
    environ = {"PATH_INFO": "/日".encode().decode("latin-1"), "HTTP_ACCEPT": "text/html"}
    body = serve(app, **environ).body.decode()
    assert body == "日 /日 /in?redirect_url=http%3A%2F%2Fapp.test%2F%25E6%2597%25A5"
    assert asked[0].request is not None
    assert asked[0].request.path_info == "/日"


# ---- what routes require ---------------------------------------------------------------------


def test_a_route_may_require_somebody(clerk: Clerk, signed_in: SignIn) -> None:
    client = requiring(clerk)
    answer = client.get("/", status=401)
    assert answer.body == b""
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"
    signed_in(client)
    assert client.get("/").text == "hello"


@pytest.mark.parametrize(
    ("asked", "has", "lacks"),
    [
        ({"role": "org:admin"}, {"org_role": "org:admin"}, {"org_role": "org:member"}),
        (
            {"permission": "org:bills:pay"},
            {"permissions": ["org:bills:pay"]},
            {"permissions": ["org:bills:read"]},
        ),
        ({"feature": "export"}, {"claims": {"fea": "u:export"}}, {"claims": {"fea": "u:import"}}),
        ({"plan": "user:gold"}, {"claims": {"pla": "u:gold"}}, {"claims": {"pla": "u:free"}}),
        (
            {"reverification": {"level": "second_factor", "after_minutes": 10}},
            {"claims": {"fva": [1, 1]}},
            {"claims": {"fva": [1, 11]}},
        ),
    ],
)
def test_who_lacks_what_is_required_is_forbidden(
    asked: dict[str, Any],
    has: dict[str, Any],
    lacks: dict[str, Any],
    clerk: Clerk,
    signed_in: SignIn,
) -> None:
    app = Bottle()
    app.install(ClerkPlugin(clerk))
    app.route("/dict", "GET", hello, clerk=asked)
    app.route("/made", "GET", hello, clerk=Requirement(**asked))
    app.route("/decorated", "GET", require(**asked)(hello))
    client = client_of(app)
    for path in ("/dict", "/made", "/decorated"):
        client.get(path, status=401)
    signed_in(client, **lacks)
    for path in ("/dict", "/made", "/decorated"):
        client.get(path, status=403)
        client.get(path, headers=BROWSER, status=403)
    signed_in(client, **has)
    for path in ("/dict", "/made", "/decorated"):
        assert client.get(path).text == "hello"


def test_a_whole_application_may_require_it_but_for_some_routes(
    clerk: Clerk, signed_in: SignIn
) -> None:
    app = Bottle()
    app.config["clerk.role"] = "org:admin"
    app.config["clerk.secret_key"] = "sk_test_1"  # settings may be there as well
    app.install(ClerkPlugin(clerk))
    app.route("/", "GET", hello)
    app.route("/public", "GET", hello, clerk=False)
    app.route("/skipping", "GET", hello, skip=["clerk"])
    app.route("/more", "GET", hello, clerk={"permission": "org:bills:pay"})
    client = client_of(app)
    for path, status in {"/": 401, "/public": 200, "/skipping": 200, "/more": 401}.items():
        client.get(path, status=status)
    signed_in(client, org_role="org:admin")
    for path, status in {"/": 200, "/more": 403}.items():
        client.get(path, status=status)
    signed_in(client, org_role="org:member", permissions=["org:bills:pay"])
    for path, status in {"/": 403, "/more": 403}.items():
        client.get(path, status=status)


@pytest.mark.parametrize(
    "required", [{"rolle": "x"}, {"role": "an admin"}, {"role": 7}, None, "org:admin", 1, [True]]
)
def test_a_route_whose_requirement_could_never_be_met_is_for_nobody(
    required: Any, clerk: Clerk, signed_in: SignIn
) -> None:
    client = requiring(clerk, required)
    signed_in(client, org_role="org:admin")
    for _ in range(2):
        client.get("/", status=500, expect_errors=True)
    for route in client.app.routes:
        with pytest.raises((TypeError, ValueError)):
            route.prepare()


@pytest.mark.parametrize(
    ("asked", "error"), [({"role": "an admin"}, ValueError), ({"rolle": "x"}, TypeError)]
)
def test_a_decorator_that_could_never_be_met_fails_where_it_stands(
    asked: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        require(**asked)


def test_what_is_no_callback_is_refused_where_it_stands() -> None:
    role: Any = "org:admin"
    with pytest.raises(TypeError, match="expected a callback"):
        require(role)


def test_who_must_verify_again_is_told_so_as_clerks_front_end_expects(
    clerk: Clerk, signed_in: SignIn
) -> None:
    client = requiring(clerk, {"reverification": "strict"})
    signed_in(client, claims={"fva": [1, 11]})
    asked = client.get("/", status=403).json["clerk_error"]
    assert asked["metadata"] == {"reverification": "strict"}


def test_who_waits_for_a_page_is_sent_to_sign_in_and_comes_back(clerk: Clerk) -> None:
    client = requiring(clerk)
    answer = client.get("/?a=b", headers=BROWSER, status=303)
    assert parse_qs(urlsplit(str(answer.location)).query) == {
        "redirect_url": ["http://localhost/?a=b"]
    }
    client.post("/", headers=BROWSER, status=401)


def test_an_outage_is_nobody_until_somebody_is_required(
    clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    app = site(clerk)
    app.route("/required", "GET", hello, clerk=True)
    client = client_of(app)
    signed_in(client)
    clerk_emulator.faults.add(Failure(status=503))
    assert client.get("/").json["signed_in"] is False
    assert client.get("/required", status=503).headers["Retry-After"] == "1"


# ---- plugins and mounts ----------------------------------------------------------------------


def test_it_is_installed_once_and_may_be_uninstalled(clerk: Clerk) -> None:
    app = site(clerk)
    app.route("/bare", "GET", lambda: str(hasattr(request, "clerk")))
    with pytest.raises(PluginError, match="already"):
        app.install(ClerkPlugin(clerk, keyword="other"))
    client = client_of(app)
    assert client.get("/bare").text == "True"
    app.uninstall("clerk")
    assert client.get("/bare").text == "False"
    app.install(ClerkPlugin(clerk))
    assert client.get("/bare").text == "True"


@pytest.mark.parametrize("prefix", ["/in/", "/in"])
def test_a_mounted_application_with_the_plugin_decides_for_itself(
    prefix: str, clerk: Clerk, signed_in: SignIn, recwarn: pytest.WarningsRecorder
) -> None:
    inner, outer = site(clerk), Bottle()
    inner.route("/required", "GET", hello, clerk=True)
    outer.route("/", "GET", lambda: str(hasattr(request, "clerk")))
    outer.mount(prefix, inner)
    client = client_of(outer)
    client.get("/in/required", status=401)
    assert client.get("/").text == "False"
    signed_in(client)
    assert client.get("/in/").json["signed_in"] is True
    client.get("/in/required", status=200)


@pytest.mark.parametrize("prefix", ["/in/", "/in"])
def test_a_mounted_application_may_have_an_instance_of_its_own(
    prefix: str, clerk: Clerk, signed_in: SignIn, recwarn: pytest.WarningsRecorder
) -> None:
    other = Emulator()
    inner, outer = site(clerk_for(other)), site(clerk)
    outer.mount(prefix, inner)
    client = client_of(outer)
    signed_in(client)
    assert client.get("/").json["signed_in"] is True
    assert client.get("/in/").json["signed_in"] is False
    sign_in(other, client)
    assert client.get("/").json["signed_in"] is False
    assert client.get("/in/").json["signed_in"] is True


def test_callbacks_of_a_mounted_application_know_what_the_outer_one_knows(
    clerk: Clerk, signed_in: SignIn
) -> None:
    inner, outer = Bottle(), site(clerk)
    inner.route("/", "GET", require(lambda: request.clerk.user_id))
    outer.mount("/in/", inner)
    client = client_of(outer)
    client.get("/in/", status=401)
    who = signed_in(client)
    assert client.get("/in/").text == who.user["id"]


def test_a_mounted_route_that_requires_something_without_the_plugin_is_for_nobody(
    clerk: Clerk, signed_in: SignIn
) -> None:
    inner, outer = Bottle(), site(clerk)
    inner.route("/", "GET", hello, clerk=True)
    inner.route("/public", "GET", hello, clerk=False)
    outer.route("/skipping", "GET", hello, clerk=True, skip=["clerk"])
    outer.mount("/in/", inner)
    client = client_of(outer)
    signed_in(client)
    assert "hello" not in client.get("/in/", status=500, expect_errors=True)
    assert client.get("/in/public").text == client.get("/skipping").text == "hello"


def test_behind_a_wrapper_of_another_kind_callbacks_require_as_well(
    clerk: Clerk, signed_in: SignIn
) -> None:
    app = Bottle()
    app.route("/", "GET", require(hello))
    client = client_of(with_session(app, clerk))
    client.get("/", status=401)
    client.get("/", headers=BROWSER, status=303)
    signed_in(client)
    assert client.get("/").text == "hello"


def test_without_anything_that_decides_nobody_gets_in() -> None:
    app = Bottle()
    app.config["catchall"] = False
    app.route("/", "GET", require(hello))
    with pytest.raises(LookupError, match="wrap the application"):
        client_of(app).get("/")


# ---- error handlers --------------------------------------------------------------------------


def test_the_error_handler_is_asked_once_and_knows_the_request(clerk: Clerk) -> None:
    asked: list[ClerkError] = []

    def on_error(error: ClerkError) -> ClerkError:
        asked.append(error)
        return error

    requiring(clerk, on_error=on_error).get("/?a=b", status=401)
    (error,) = asked
    assert isinstance(error, Unauthenticated)
    assert error.request is not None
    assert error.request.path_qs == "/?a=b"


def test_who_is_let_through_gets_in_and_the_error_is_told(clerk: Clerk, signed_in: SignIn) -> None:
    def told() -> str:
        return type(request.environ["clerk.error"]).__name__

    app = site(clerk, on_error=lambda error: None)
    app.route("/told", "GET", told, clerk={"role": "org:admin"})
    client = client_of(app)
    assert client.get("/told").text == "Unauthenticated"
    signed_in(client)
    assert client.get("/told").text == "Forbidden"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (lambda error: Forbidden("No.", status_code=418), 418),
        (lambda error: Forbidden, 403),
        (lambda error: KeyError("secret"), 500),
        (lambda error: HTTPFound(location="/elsewhere"), 302),
    ],
)
def test_an_exception_refuses_whatever_it_is(verdict: Any, status: int, clerk: Clerk) -> None:
    answer = requiring(clerk, on_error=verdict).get("/", status=status)
    assert "secret" not in answer.text
    assert "hello" not in answer.text


def test_refusals_may_be_json(clerk: Clerk) -> None:
    client = requiring(clerk, error_response=json_error_response)
    client.app.error(401)(lambda error: "page")
    assert client.get("/", status=401).json == {"error": "Nobody is signed in."}


def test_an_answer_of_unknown_length_is_sent_and_closed(clerk: Clerk) -> None:
    closed: list[bool] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"not ", b"you"])

        def close(self) -> None:
            closed.append(True)

    def answer(_environ: object, start_response: Any) -> Body:
        start_response("401 Unauthorized", [("Content-Type", "text/plain")])
        return Body()

    client = requiring(clerk, error_response=lambda error: answer)
    client.app.error(401)(lambda error: "page")
    assert client.get("/", status=401).text == "not you"
    assert closed == [True]


def test_a_page_for_a_status_is_shown_for_what_has_no_body(clerk: Clerk, signed_in: SignIn) -> None:
    app = site(clerk)

    @app.error(403)  # type: ignore[untyped-decorator]  # Bottle has no types
    def page(error: HTTPError) -> str:
        return f"{request.clerk.user_id} may not: {error.exception.reason}"

    app.route("/admin", "GET", hello, clerk={"role": "org:admin"})
    app.route("/raised", "GET", refuse)
    app.route("/again", "GET", hello, clerk={"reverification": "lax"})
    client = client_of(app)
    user = signed_in(client, claims={"fva": [1, 2000]}).user["id"]
    for path in ("/admin", "/raised"):
        answer = client.get(path, status=403)
        assert answer.text == f"{user} may not: role-missing"
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/again", status=403).json["clerk_error"]["type"] == "forbidden"
    assert client.head("/again", status=403).content_type == "application/json"


# ---- errors in the midst of callbacks --------------------------------------------------------


def test_an_error_of_clerks_in_a_callback_becomes_a_response(
    clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    app = site(clerk)
    app.route("/name", "GET", lambda: request.clerk.user.first_name)
    client = client_of(app)
    who = signed_in(client)
    clerk_emulator.delete_user(who.user["id"])
    assert "resource_not_found" not in client.get("/name", status=502).text


@pytest.mark.parametrize("on_error", [None, lambda error: None])
def test_what_a_callback_checks_itself_is_answered(on_error: Any, clerk: Clerk) -> None:
    app = site(clerk, on_error=on_error)
    app.route("/checked", "GET", refuse)
    client = client_of(app)
    client.get("/checked", status=401)
    status = 303 if on_error is None else 401
    client.get("/checked", headers=BROWSER, status=status)


def test_exceptions_of_the_application_are_its_own(clerk: Clerk) -> None:
    app = Bottle()
    app.config["catchall"] = False
    app.install(ClerkPlugin(clerk))
    app.route("/broken", "GET", broken)
    with pytest.raises(KeyError, match="missing"):
        client_of(app).get("/broken")


@pytest.mark.parametrize("how", ["returned", "raised"])
def test_people_sign_out_by_a_callback(
    how: str, clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    def leave() -> Any:
        redirect = sign_out(request, "/bye")
        if how == "raised":
            raise redirect
        return redirect

    app = site(clerk)
    app.route("/sign-out", "POST", leave)
    client = client_of(app)
    who = signed_in(client)
    answer = client.post("/sign-out", status=303)
    assert answer.headers["Location"] == "/bye"
    assert any(line.startswith("__session=;") for line in answer.headers.getall("Set-Cookie"))
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


# ---- what goes through -----------------------------------------------------------------------


def test_a_browser_that_has_to_go_to_clerk_is_sent_there(clerk_emulator: Emulator) -> None:
    app = site(clerk_for(clerk_emulator))
    for path in ("/", "/missing"):
        answer = client_of(app).get(path, headers=BROWSER, status=307)
        assert "/v1/client/handshake?redirect_url=" in answer.headers["Location"]
        assert answer.headers["Cache-Control"] == "no-store"


def redirect_by_hand() -> None:
    raise HTTPResponse(status=302, headers={"Location": "/"})


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/missing", 404), ("/raised", 302), ("/refused", 401), ("/error", 401)],
)
@pytest.mark.parametrize("is_mounted", [False, True])
def test_cookies_of_a_handshake_are_on_what_the_application_answers(
    path: str, status: int, is_mounted: bool
) -> None:
    cookies = ["__session=; Path=/; Secure", "__client_uat=0; Path=/"]
    case = by_handshake(*cookies)
    app = site(case.clerk)
    app.add_hook("after_request", lambda: response.set_cookie("mine", "1"))
    app.route("/raised", "GET", redirect_by_hand)
    app.route("/refused", "GET", hello, clerk=True)
    app.route("/error", "GET", refuse)
    if is_mounted:
        outer = Bottle()
        outer.mount("/in/", app)
        app, path = outer, f"/in{path}"
    answer = serve(app, PATH_INFO=path, **case.keys)
    assert answer.status[:3] == str(status)
    if not (is_mounted and status == 404):  # the outer application knows nothing of Clerk
        assert [line for line in answer.all("Set-Cookie") if "mine" not in line] == cookies
        assert answer.all("Cache-Control") == ["private, no-store"]


def test_cookies_of_an_outer_instance_are_on_what_an_inner_one_answers(
    clerk: Clerk, recwarn: pytest.WarningsRecorder
) -> None:
    cookie = "__session=; Path=/; Secure"
    case = by_handshake(cookie)
    outer = site(case.clerk)
    outer.mount("/in", site(clerk))
    assert serve(outer, PATH_INFO="/in/", **case.keys).all("Set-Cookie") == [cookie]


def test_a_response_that_is_one_for_everybody_keeps_nobodys_cookies() -> None:
    gone, hello_again = HTTPError(410, "gone", mine="1"), HTTPResponse("hello", mine="1")
    cookies = ["__session=; Path=/; Secure", "__client_uat=0; Path=/"]
    case = by_handshake(*cookies)
    app = site(case.clerk)

    def raising() -> None:
        raise gone

    app.route("/raised", "GET", raising)
    app.route("/returned", "GET", lambda: hello_again)
    for path, status in {"/raised": "410 Gone", "/returned": "200 OK"}.items():
        theirs, strangers = (serve(app, PATH_INFO=path, **keys) for keys in (case.keys, {}))
        assert theirs.status == strangers.status == status
        assert theirs.body == strangers.body
        assert theirs.all("Mine") == strangers.all("Mine") == ["1"]
        assert (theirs.all("Set-Cookie"), strangers.all("Set-Cookie")) == (cookies, [])
        assert strangers.all("Cache-Control") == []


def test_streams_large_bodies_and_heads_are_untouched(clerk: Clerk, signed_in: SignIn) -> None:
    closed: list[bool] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a", b"b", b"c"])

        def close(self) -> None:
            closed.append(True)

    app = site(clerk)
    large = b"x" * 3_000_000
    app.route("/large", "GET", lambda: large, clerk=True)
    app.route("/stream", "GET", Stream, clerk=True)
    client = client_of(app)
    signed_in(client)
    assert client.get("/large").body == large
    head = client.head("/large")
    assert (head.body, head.content_length) == (b"", len(large))
    assert client.get("/stream").body == b"abc"
    assert closed == [True]


# ---- links -----------------------------------------------------------------------------------


def test_templates_have_links_to_sign_in(clerk_emulator: Emulator) -> None:
    app = site(clerk_for(clerk_emulator, publishable_key="", sign_in_url="/in", account_url="/me"))
    page = "{{sign_in_url()}} {{account_url('//evil.test')}}"
    links = {"sign_in_url": sign_in_url, "account_url": account_url}
    app.route("/page", "GET", lambda: template(page, **links))
    shown = client_of(app).get("/page?a=b", headers=BROWSER).text.split()
    assert shown == [
        "/in?redirect_url=http%3A%2F%2Flocalhost%2Fpage%3Fa%3Db",
        "/me?redirect_url=http%3A%2F%2Flocalhost%2F",
    ]


# ---- without Bottle --------------------------------------------------------------------------


def test_what_is_missing_is_said_in_one_line() -> None:
    code = "import sys; sys.modules['bottle'] = None; import clerk_wsgi.integrations.bottle"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = "ImportError: clerk_wsgi.integrations.bottle needs Bottle: pip install bottle"
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == said
    assert "During handling" not in run.stderr
