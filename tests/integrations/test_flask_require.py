"""Flask: what views require, and what becomes of errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Blueprint, Flask, render_template_string, request
from flask.views import MethodView, View
from webob.exc import HTTPFound
from werkzeug.exceptions import HTTPException, NotFound

from clerk_wsgi import (
    Clerk,
    ClerkError,
    Forbidden,
    Requirement,
    Unauthenticated,
    get_auth,
    json_error_response,
    sign_out,
)
from clerk_wsgi.integrations.flask import FlaskClerk, current_auth, current_user, require
from clerk_wsgi.testing import Tokens, bearer, clerk_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient
    from flask.typing import ResponseReturnValue

    from clerk_wsgi.emulator import Emulator
    from clerk_wsgi.testing import SignIn

BROWSER = {"Accept": "text/html"}


def hello() -> str:
    return "hello"


@pytest.fixture
def clerk(clerk_emulator: Emulator) -> Clerk:
    """An instance with a sign-in page, which sends no browser through a handshake."""
    return clerk_for(clerk_emulator, publishable_key="", sign_in_url="/in")


def site(clerk: Clerk, **options: Any) -> Flask:
    app = Flask("site")
    app.testing = True
    FlaskClerk(app, clerk, **options)
    return app


def requiring(clerk: Clerk, on_error: Any = None, /, **asked: Any) -> FlaskClient:
    """Return a client of an application whose page requires something."""
    app = site(clerk, on_error=on_error)
    app.add_url_rule("/", view_func=require(**asked)(hello), methods=["GET", "POST"])
    return app.test_client()


# ---- who gets in -----------------------------------------------------------------------------


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (BROWSER, 303)])
def test_a_refusal_says_what_was_decided(
    headers: dict[str, str], status: int, clerk: Clerk
) -> None:
    answer = requiring(clerk).get("/", headers=headers)
    assert answer.status_code == status
    assert answer.headers["x-clerk-auth-status"] == "signed-out"
    assert answer.headers["x-clerk-auth-reason"] == "session-token-and-uat-missing"


def test_a_view_that_requires_nothing_else_is_for_everybody_who_is_signed_in(
    clerk: Clerk, signed_in: SignIn
) -> None:
    app = site(clerk)
    app.add_url_rule("/bare", view_func=require(hello))
    client = app.test_client()
    answer = client.get("/bare")
    assert (answer.status_code, answer.data) == (401, b"")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"
    signed_in(client)
    assert client.get("/bare").text == "hello"


@pytest.mark.parametrize(
    ("asked", "has", "lacks"),
    [
        ({"role": "org:admin"}, {"org_role": "org:admin"}, {"org_role": "org:member"}),
        ({"role": "admin"}, {"org_role": "org:admin"}, {}),
        (
            {"permission": "org:bills:pay"},
            {"permissions": ["org:bills:pay"]},
            {"permissions": ["org:bills:read"]},
        ),
        ({"feature": "export"}, {"claims": {"fea": "u:export"}}, {"claims": {"fea": "u:import"}}),
        ({"plan": "user:gold"}, {"claims": {"pla": "u:gold"}}, {"claims": {"pla": "u:free"}}),
        ({"reverification": "strict"}, {"claims": {"fva": [1, 1]}}, {"claims": {"fva": [1, 11]}}),
    ],
)
def test_who_lacks_what_is_required_is_forbidden(
    asked: dict[str, Any],
    has: dict[str, Any],
    lacks: dict[str, Any],
    clerk: Clerk,
    signed_in: SignIn,
) -> None:
    client = requiring(clerk, **asked)
    assert client.get("/").status_code == 401
    signed_in(client, **lacks)
    assert client.get("/").status_code == 403
    assert client.get("/", headers=BROWSER).status_code == 403
    signed_in(client, **has)
    assert client.get("/").text == "hello"


@pytest.mark.parametrize("kind", ["expired", "wrong_key", "unsigned", "template", "pending"])
def test_such_a_token_does_not_get_in(kind: str, clerk: Clerk, clerk_tokens: Tokens) -> None:
    client = bearer(getattr(clerk_tokens, kind)()).apply(requiring(clerk))
    assert client.get("/").status_code == 401


def test_who_must_verify_again_is_told_so_as_clerks_front_end_expects(
    clerk: Clerk, signed_in: SignIn
) -> None:
    client = requiring(clerk, reverification="strict")
    signed_in(client, claims={"fva": [1, 11]})
    asked = client.get("/").get_json()["clerk_error"]
    assert asked["reason"] == "reverification-error"
    assert asked["metadata"] == {"reverification": "strict"}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"role": "an admin"}, ValueError),
        ({"role": 7}, TypeError),
        ({"rolle": "org:admin"}, TypeError),
        ({"reverification": "sometimes"}, ValueError),
    ],
)
def test_what_could_never_be_met_fails_where_it_stands(
    asked: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        require(**asked)


def test_what_is_no_view_is_refused_where_it_stands() -> None:
    role: Any = "org:admin"
    with pytest.raises(TypeError, match="expected a view"):
        require(role)


# ---- browsers --------------------------------------------------------------------------------


def test_who_waits_for_a_page_is_sent_to_sign_in_and_comes_back(clerk: Clerk) -> None:
    client = requiring(clerk)
    answer = client.get("/?a=b", headers=BROWSER)
    assert (answer.status_code, urlsplit(answer.location).path) == (303, "/in")
    assert parse_qs(urlsplit(answer.location).query) == {"redirect_url": ["http://localhost/?a=b"]}
    assert client.post("/", headers=BROWSER).status_code == 401


def test_a_refused_token_sends_nobody_to_and_fro(clerk: Clerk, clerk_tokens: Tokens) -> None:
    client = bearer(clerk_tokens.wrong_key()).apply(requiring(clerk))
    assert client.get("/", headers=BROWSER).status_code == 401


# ---- blueprints, applications, classes -------------------------------------------------------


def test_a_blueprint_is_protected_with_all_that_is_in_it(clerk: Clerk, signed_in: SignIn) -> None:
    admin = require(Blueprint("admin", __name__, url_prefix="/admin"), role="org:admin")
    inner = Blueprint("inner", __name__, url_prefix="/inner")
    admin.add_url_rule("/", view_func=hello)
    inner.add_url_rule("/", view_func=hello)
    admin.register_blueprint(inner)
    app = site(clerk)
    app.register_blueprint(admin)
    app.add_url_rule("/", view_func=hello)
    client = app.test_client()
    for path in ("/admin/", "/admin/inner/"):
        assert client.get(path).status_code == 401
    assert client.get("/").text == "hello"
    signed_in(client, org_role="org:member")
    for path in ("/admin/", "/admin/inner/"):
        assert client.get(path).status_code == 403
    signed_in(client, org_role="org:admin")
    for path in ("/admin/", "/admin/inner/"):
        assert client.get(path).text == "hello"


def test_a_whole_application_may_be_protected_with_what_is_not_there(
    clerk: Clerk, signed_in: SignIn
) -> None:
    client = require(site(clerk)).test_client()
    assert client.get("/missing").status_code == 401
    signed_in(client)
    assert client.get("/missing").status_code == 404


def test_browsers_may_ask_for_the_methods_of_a_protected_blueprint(clerk: Clerk) -> None:
    admin = require(Blueprint("admin", __name__))

    @admin.route("/own", methods=["OPTIONS"])
    def own() -> str:
        return "secret"

    admin.add_url_rule("/", view_func=hello)
    app = site(clerk)
    app.register_blueprint(admin)
    answer = app.test_client().options("/")
    assert (answer.status_code, answer.data) == (200, b"")
    assert "GET" in answer.headers["Allow"]
    assert app.test_client().options("/own").status_code == 401


def test_a_function_before_requests_may_be_protected(clerk: Clerk, signed_in: SignIn) -> None:
    app = site(clerk)
    seen: list[str] = []

    @app.before_request
    @require(role="org:admin")
    def note() -> None:
        seen.append(request.path)

    app.add_url_rule("/", view_func=hello)
    client = app.test_client()
    assert client.get("/").status_code == 401
    signed_in(client, org_role="org:admin")
    assert client.get("/").text == "hello"
    assert seen == ["/"]


def test_class_based_views_are_protected_by_their_decorators(
    clerk: Clerk, signed_in: SignIn
) -> None:
    class Bills(MethodView):
        decorators: ClassVar[list[Callable[..., Any]]] = [require(role="org:admin")]

        def get(self, number: int) -> str:
            return f"bill {number}"

    class Report(View):
        decorators: ClassVar[list[Callable[..., Any]]] = [require]

        def dispatch_request(self) -> str:
            return "report"

    app = site(clerk)
    app.add_url_rule("/bills/<int:number>", view_func=Bills.as_view("bills"))
    app.add_url_rule("/report", view_func=Report.as_view("report"))
    client = app.test_client()
    assert (client.get("/bills/7").status_code, client.get("/report").status_code) == (401, 401)
    signed_in(client)
    assert (client.get("/bills/7").status_code, client.get("/report").text) == (403, "report")
    signed_in(client, org_role="org:admin")
    assert client.get("/bills/7").text == "bill 7"


def test_a_view_keeps_its_name_and_its_arguments(clerk: Clerk, signed_in: SignIn) -> None:
    @require
    def bill(number: int, *, style: str = "plain") -> str:
        """A bill."""
        return f"{number} {style}"

    assert (bill.__name__, bill.__doc__) == ("bill", "A bill.")
    app = site(clerk)
    app.add_url_rule("/<int:number>", view_func=bill)
    client = app.test_client()
    signed_in(client)
    assert client.get("/7").text == "7 plain"


def test_an_async_view_is_run_as_flask_runs_it(clerk: Clerk, signed_in: SignIn) -> None:
    class Site(Flask):
        def async_to_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
            return lambda *args, **kwargs: asyncio.run(func(*args, **kwargs))

    ran: list[str | None] = []

    @require
    async def slow() -> str:
        ran.append(current_auth.user_id)
        return "slow"

    app = Site("site")
    FlaskClerk(app, clerk)
    app.add_url_rule("/", view_func=slow)
    client = app.test_client()
    assert client.get("/").status_code == 401
    assert ran == []
    who = signed_in(client)
    assert client.get("/").text == "slow"
    assert ran == [who.user["id"]]


# ---- error handlers of the wrapper's kind ----------------------------------------------------


def test_the_error_handler_is_asked_once_and_knows_the_request(clerk: Clerk) -> None:
    asked: list[ClerkError] = []

    def on_error(error: ClerkError) -> ClerkError:
        asked.append(error)
        return error

    client = requiring(clerk, on_error)
    assert client.get("/?a=b").status_code == 401
    (error,) = asked
    assert isinstance(error, Unauthenticated)
    assert error.request is not None
    assert error.request.path_qs == "/?a=b"


def test_who_is_let_through_gets_in_and_the_error_is_told(clerk: Clerk, signed_in: SignIn) -> None:
    @require(role="org:admin")
    def told() -> str:
        return type(request.environ["clerk.error"]).__name__

    app = site(clerk, on_error=lambda error: None)
    app.add_url_rule("/", view_func=told)
    client = app.test_client()
    assert client.get("/").text == "Unauthenticated"
    signed_in(client)
    assert client.get("/").text == "Forbidden"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (lambda error: Forbidden("No.", status_code=418), 418),
        (lambda error: Forbidden, 403),
        (lambda error: KeyError("secret"), 500),
        (lambda error: HTTPFound(location="/elsewhere"), 302),
        (lambda error: NotFound, 404),
    ],
)
def test_an_exception_refuses_whatever_it_is(verdict: Any, status: int, clerk: Clerk) -> None:
    answer = requiring(clerk, verdict).get("/")
    assert answer.status_code == status
    assert "secret" not in answer.text
    assert "hello" not in answer.text


def test_a_refusal_that_is_an_application_answers_whatever_handlers_there_are(
    clerk: Clerk,
) -> None:
    class Page(Forbidden):
        def __call__(self, environ: object, start_response: Any) -> list[bytes]:
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"by itself"]

    app = site(clerk, on_error=lambda error: Page())
    app.register_error_handler(Forbidden, lambda error: ("by the handler", 403))
    app.add_url_rule("/", view_func=require(hello))
    assert app.test_client().get("/").text == "by itself"


def test_an_exception_of_werkzeug_gets_the_page_that_the_application_has_for_it(
    clerk: Clerk,
) -> None:
    app = site(clerk, on_error=lambda error: NotFound())
    app.register_error_handler(404, lambda error: ("There is nothing here.", 404))
    app.add_url_rule("/", view_func=require(hello))
    assert app.test_client().get("/").text == "There is nothing here."


def test_a_handler_that_would_have_to_be_waited_for_lets_nobody_in(clerk: Clerk) -> None:
    async def on_error(error: ClerkError) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        requiring(clerk, on_error).get("/")


def test_refusals_may_be_json(clerk: Clerk) -> None:
    app = site(clerk, error_response=json_error_response)
    app.add_url_rule("/", view_func=require(hello))
    app.register_error_handler(401, lambda error: ("page", 401))
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.json) == (401, {"error": "Nobody is signed in."})


# ---- error handlers of the application's own -------------------------------------------------


@pytest.mark.parametrize("kind", [Forbidden, ClerkError])
def test_an_error_handler_of_the_application_wins(
    kind: type[ClerkError], clerk: Clerk, signed_in: SignIn
) -> None:
    app = Flask("site")

    def page(error: ClerkError) -> ResponseReturnValue:
        return f"You lack something: {error.reason}", 403

    app.register_error_handler(kind, page)
    FlaskClerk(app, clerk)
    app.add_url_rule("/", view_func=require(role="org:admin")(hello))
    app.add_url_rule("/raised", view_func=refuse)
    client = app.test_client()
    signed_in(client)
    for path in ("/", "/raised"):
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (403, "You lack something: role-missing")


def refuse() -> str:
    Requirement(role="org:admin").check(get_auth(request))
    return "hello"


def test_a_page_for_a_status_is_shown_for_what_has_no_body(clerk: Clerk, signed_in: SignIn) -> None:
    app = site(clerk)

    @app.errorhandler(403)
    def page(error: HTTPException) -> ResponseReturnValue:
        return render_template_string(
            "{{ auth.user_id }} may not, {{ code }}", code=error.code
        ), 403

    app.add_url_rule("/", view_func=require(role="org:admin")(hello))
    app.add_url_rule("/again", view_func=require(reverification="lax")(hello), endpoint="again")
    client = app.test_client()
    user = signed_in(client, claims={"fva": [1, 2000]}).user["id"]
    assert client.get("/").text == f"{user} may not, 403"
    assert client.get("/").status_code == 403
    assert client.get("/again").get_json()["clerk_error"]["type"] == "forbidden"
    assert client.head("/again").content_type == "application/json"


# ---- errors in the midst of views ------------------------------------------------------------


def test_an_error_of_clerks_in_a_view_becomes_a_response(
    clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    app = site(clerk)
    app.add_url_rule("/", view_func=lambda: {"signed_in": bool(current_user)})
    client = app.test_client()
    assert client.get("/").json == {"signed_in": False}
    who = signed_in(client)
    clerk_emulator.delete_user(who.user["id"])
    answer = client.get("/")
    assert answer.status_code == 502
    assert b"resource_not_found" not in answer.data


def test_what_a_view_checks_itself_sends_browsers_to_sign_in(clerk: Clerk) -> None:
    app = site(clerk)
    app.add_url_rule("/", view_func=refuse)
    client = app.test_client()
    assert client.get("/").status_code == 401
    answer = client.get("/", headers=BROWSER)
    assert (answer.status_code, urlsplit(answer.location).path) == (303, "/in")


def test_an_error_in_a_view_is_answered_even_if_the_handler_would_let_it_through(
    clerk: Clerk,
) -> None:
    app = site(clerk, on_error=lambda error: None)
    app.add_url_rule("/", view_func=refuse)
    assert app.test_client().get("/").status_code == 401


# ---- signing out -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["returned", "raised"])
def test_people_sign_out_by_a_view(
    how: str, clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    app = site(clerk)

    @app.post("/sign-out")
    def leave() -> ResponseReturnValue:
        redirect = sign_out(request, "/bye")
        if how == "raised":
            raise redirect
        return redirect

    client = app.test_client()
    who = signed_in(client)
    answer = client.post("/sign-out")
    assert (answer.status_code, answer.location) == (303, "/bye")
    assert any(line.startswith("__session=;") for line in answer.headers.getlist("Set-Cookie"))
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"
