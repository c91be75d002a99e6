"""Flask: who is there, in views and templates, whatever the instance is and where it comes from."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, g, render_template_string, request, stream_with_context
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from clerk_wsgi import Clerk, ClerkError, ConfigurationError, with_session
from clerk_wsgi.emulator import Emulator, Failure
from clerk_wsgi.integrations.flask import (
    FlaskClerk,
    account_url,
    current_auth,
    current_machine,
    current_user,
    require,
    sign_in_url,
)
from clerk_wsgi.testing import as_default, bearer, clerk_for, sign_in

from ..processes import PROJECT, clean_environ
from ..wrapping import by_handshake, minter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import SignIn, Tokens

PAGE_LOAD = {"Accept": "text/html"}


def who_is_there() -> dict[str, object]:
    return {"signed_in": bool(current_auth), "user_id": current_auth.user_id}


def broken() -> str:
    raise KeyError("missing")


def bare(name: str = "site") -> Flask:
    """Return an application that says who is there, without the extension."""
    app = Flask(name)
    app.testing = True
    app.add_url_rule("/", view_func=who_is_there)
    return app


def site(clerk: Any = None, **options: Any) -> Flask:
    app = bare()
    FlaskClerk(app, clerk, **options)
    return app


# ---- who is there ----------------------------------------------------------------------------


def test_views_know_who_is_there_and_who_is_not(clerk: Clerk, signed_in: SignIn) -> None:
    client = site(clerk).test_client()
    assert client.get("/").json == {"signed_in": False, "user_id": None}
    who = signed_in(client)
    assert client.get("/").json == {"signed_in": True, "user_id": who.user["id"]}


@pytest.mark.parametrize("kind", ["expired", "wrong_key", "unsigned", "template", "pending"])
def test_a_token_that_is_refused_is_nobody(kind: str, clerk: Clerk, clerk_tokens: Tokens) -> None:
    client = bearer(getattr(clerk_tokens, kind)()).apply(site(clerk).test_client())
    assert client.get("/").json == {"signed_in": False, "user_id": None}


def test_the_user_is_asked_for_when_somebody_wants_to_know(
    clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    app = site(clerk)
    app.add_url_rule(
        "/name", view_func=lambda: {"name": current_user.first_name if current_user else None}
    )
    client = app.test_client()
    assert client.get("/name").json == {"name": None}
    who = signed_in(client)
    clerk_emulator.update_user(who.user["id"], first_name="Grace")
    client.get("/")
    assert not [one for one in clerk_emulator.requests if "/users" in one.path]
    assert client.get("/name").json == {"name": "Grace"}
    assert len([one for one in clerk_emulator.requests if "/users" in one.path]) == 1


@pytest.mark.clerk(accepts_token=["session_token", "api_key"])
def test_a_machine_is_known_as_one(clerk: Clerk, clerk_tokens: Tokens, signed_in: SignIn) -> None:
    app = bare()
    FlaskClerk(app, clerk)
    app.add_url_rule("/machine", view_func=lambda: {"of": current_machine.subject})
    client = app.test_client()
    signed_in(client)
    assert client.get("/machine").json == {"of": None}
    bearer(clerk_tokens.api_key()).apply(client)
    assert client.get("/machine").json == {"of": clerk_tokens.user["id"]}


def test_nothing_is_known_outside_of_a_request(clerk: Clerk) -> None:
    with site(clerk).app_context(), pytest.raises(RuntimeError):
        assert current_auth.user_id


def test_a_request_context_of_a_test_is_decided_about(clerk: Clerk, signed_in: SignIn) -> None:
    app, who = site(clerk), signed_in()
    with app.test_request_context(headers=dict(who.headers)):
        assert current_auth.user_id == who.user["id"]
    with app.test_request_context():
        assert not current_auth


def test_without_the_extension_nobody_is_taken_for_signed_out() -> None:
    app = bare()
    app.add_url_rule("/required", view_func=require(who_is_there), endpoint="required")
    for path in ("/", "/required"):
        with pytest.raises(LookupError, match="wrap the application"):
            app.test_client().get(path)


def test_behind_a_wrapper_of_another_kind_it_is_known_who_is_there(
    clerk: Clerk, signed_in: SignIn
) -> None:
    app = bare()
    app.add_url_rule("/required", view_func=require(who_is_there), endpoint="required")
    client = Client(with_session(app, clerk))
    with pytest.raises(LookupError, match="init_app"):
        client.get("/required")
    signed_in(client)
    assert client.get("/").json == client.get("/required").json
    assert client.get("/").get_json()["signed_in"] is True


def test_what_flask_keeps_for_the_application_is_left_to_it(
    clerk: Clerk, signed_in: SignIn
) -> None:
    with site(clerk).test_client() as client:
        signed_in(client)
        client.get("/")
        assert list(g) == []


# ---- instances and settings ------------------------------------------------------------------


def test_without_settings_it_is_the_default_instance(clerk: Clerk, signed_in: SignIn) -> None:
    with as_default(clerk):
        client = site().test_client()
    signed_in(client)
    assert client.get("/").get_json()["signed_in"] is True


def test_settings_of_the_application_make_its_own_instance() -> None:
    app = bare()
    app.config.update(
        CLERK_JWT_KEY=minter().pem,
        CLERK_SIGN_IN_URL="/login",
        CLERK_CLOCK_SKEW=7,
        CLERK_DOMAIN=None,
    )
    FlaskClerk().init_app(app)
    seen: list[Clerk] = []
    app.before_request(lambda: seen.append(request.environ["clerk.instance"]))
    app.test_client().get("/")
    (instance,) = seen
    assert instance.settings.clock_skew == 7
    assert instance.sign_in_url() == "/login"
    assert instance.settings.sources["jwt_key"] == "argument"


def test_a_setting_that_is_wrong_is_noticed_at_once() -> None:
    app = bare()
    app.config.update(CLERK_JWT_KEY=minter().pem, CLERK_TIMEOUT="soon")
    with pytest.raises(ConfigurationError, match="timeout"):
        FlaskClerk(app)
    assert "clerk" not in app.extensions


def test_an_instance_that_is_given_wins_over_settings(clerk: Clerk, signed_in: SignIn) -> None:
    app = bare()
    app.config["CLERK_TIMEOUT"] = "soon"
    FlaskClerk(clerk=clerk_for(Emulator())).init_app(app, clerk)
    client = app.test_client()
    signed_in(client)
    assert client.get("/").get_json()["signed_in"] is True


def test_one_extension_serves_several_applications(clerk: Clerk, signed_in: SignIn) -> None:
    extension, other = FlaskClerk(), Emulator()
    mine, theirs = bare("mine"), bare("theirs")
    extension.init_app(mine, clerk)
    extension.init_app(theirs, clerk_for(other))
    for client in (mine.test_client(), theirs.test_client()):
        signed_in(client)
        assert client.get("/").get_json()["signed_in"] is (client.application is mine)
    client = theirs.test_client()
    sign_in(other, client)
    assert client.get("/").get_json()["signed_in"] is True


def test_an_application_inside_another_has_its_own_instance(
    clerk: Clerk, signed_in: SignIn
) -> None:
    other = Emulator()
    outer, inner = site(clerk), site(clerk_for(other))
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/in": inner})  # type: ignore[method-assign]
    client = outer.test_client()
    signed_in(client)
    assert client.get("/").get_json()["signed_in"] is True
    assert client.get("/in/").get_json()["signed_in"] is False
    sign_in(other, client)
    assert client.get("/").get_json()["signed_in"] is False
    assert client.get("/in/").get_json()["signed_in"] is True


def test_the_instance_may_depend_on_the_request(clerk: Clerk, signed_in: SignIn) -> None:
    def tenant(environ: dict[str, Any]) -> Clerk:
        if environ["HTTP_HOST"] == "a.test":
            return clerk
        raise ClerkError("There is nobody here.", status_code=404)

    app = site(tenant)
    app.add_url_rule("/required", view_func=require(who_is_there), endpoint="required")
    app.add_url_rule("/link", view_func=sign_in_url)
    client = app.test_client()
    signed_in(client)
    assert client.get("/required", base_url="http://a.test").status_code == 200
    assert client.get("/", base_url="http://b.test").get_json()["signed_in"] is False
    assert client.get("/required", base_url="http://b.test").status_code == 404
    with pytest.raises(LookupError, match="no instance"):
        client.get("/link", base_url="http://b.test")


def test_it_is_installed_once(clerk: Clerk) -> None:
    app = site(clerk)
    with pytest.raises(RuntimeError, match="already"):
        FlaskClerk(app, clerk)


def test_the_options_are_those_of_the_wrapper(clerk: Clerk) -> None:
    client = site(clerk, debug_headers=True, exempt="/healthz").test_client()
    assert client.get("/").headers["x-clerk-auth-status"] == "signed-out"
    unknown: Any = {"debug": True}
    with pytest.raises(TypeError, match="debug"):
        site(clerk, **unknown)


# ---- templates -------------------------------------------------------------------------------


@pytest.fixture
def with_pages(clerk_emulator: Emulator) -> Clerk:
    """An instance with sign-in pages of its own, which sends no browser through a handshake."""
    return clerk_for(
        clerk_emulator, publishable_key="", sign_in_url="/in", account_url="https://me.test/"
    )


def test_templates_know_who_is_there_and_where_to_sign_in(
    with_pages: Clerk, signed_in: SignIn
) -> None:
    app = site(with_pages)
    template = """{% macro who() %}{{ auth.user_id if auth else sign_in_url() }}{% endmacro %}
    {{ who() }}|{{ sign_up_url('/new') }}|{{ account_url('//evil.test') }}|{{ current_user.id }}"""
    app.add_url_rule("/page", view_func=lambda: render_template_string(template))
    client = app.test_client()
    who, up, account, user = client.get("/page?a=b", headers=PAGE_LOAD).text.strip().split("|")
    assert who == "/in?redirect_url=http%3A%2F%2Flocalhost%2Fpage%3Fa%3Db"
    assert up == "/in/create?redirect_url=http%3A%2F%2Flocalhost%2Fnew"
    assert account == "https://me.test/?redirect_url=http%3A%2F%2Flocalhost%2F"
    assert user == ""
    user_id = signed_in(client).user["id"]
    shown = client.get("/page").text.strip().split("|")
    assert (shown[0], shown[3]) == (user_id, user_id)


def test_the_names_that_an_application_has_in_its_templates_stay(with_pages: Clerk) -> None:
    app = bare()
    app.jinja_env.globals["auth"] = "mine"
    FlaskClerk(app, with_pages)
    app.add_url_rule("/page", view_func=lambda: render_template_string("{{ auth }}"))
    assert app.test_client().get("/page").text == "mine"


def test_links_are_there_for_views_too(with_pages: Clerk) -> None:
    app = site(with_pages)
    with app.test_request_context("/x", headers=PAGE_LOAD):
        assert sign_in_url() == "/in?redirect_url=http%3A%2F%2Flocalhost%2Fx"
        assert account_url("http://localhost/y").endswith("=http%3A%2F%2Flocalhost%2Fy")
    with app.test_request_context("/x", method="POST", headers=PAGE_LOAD):
        assert sign_in_url() == "/in?redirect_url=http%3A%2F%2Flocalhost%2F"


# ---- what goes through -----------------------------------------------------------------------


def test_a_browser_that_has_to_go_to_clerk_is_sent_there(clerk: Clerk) -> None:
    client = site(clerk).test_client()
    answer = client.get("/", headers={**PAGE_LOAD, "Sec-Fetch-Dest": "document"})
    assert answer.status_code == 307
    assert "/v1/client/handshake?redirect_url=http%3A%2F%2Flocalhost%2F" in answer.location
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/missing", 404), ("/broken", 500)])
def test_cookies_of_a_handshake_are_on_whatever_the_application_answers(
    path: str, status: int
) -> None:
    cookie = "__session=; Path=/; Secure"
    case = by_handshake(cookie)
    app = site(case.clerk)
    app.testing = False
    app.add_url_rule("/broken", view_func=broken)
    answer = app.test_client(use_cookies=False).get(path, environ_overrides=case.keys)
    assert answer.status_code == status
    assert cookie in answer.headers.getlist("Set-Cookie")
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_exceptions_of_the_application_are_its_own(clerk: Clerk) -> None:
    app = site(clerk)
    app.add_url_rule("/broken", view_func=broken)
    with pytest.raises(KeyError, match="missing"):
        app.test_client().get("/broken")


def test_streams_large_bodies_and_heads_are_untouched(clerk: Clerk, signed_in: SignIn) -> None:
    app = site(clerk)
    large = b"x" * 3_000_000
    app.add_url_rule("/large", view_func=require(lambda: large), endpoint="large")

    @app.get("/stream")
    @require
    def stream() -> Iterator[str]:
        return stream_with_context(str(current_auth.user_id) for _ in range(3))

    client = app.test_client()
    who = signed_in(client)
    assert client.get("/large").data == large
    head = client.head("/large")
    assert (head.data, head.content_length) == (b"", len(large))
    with client.get("/stream", buffered=False) as answer:
        assert list(answer.iter_encoded()) == [who.user["id"].encode()] * 3


def test_an_outage_is_nobody_until_somebody_is_required(
    clerk: Clerk, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    app = site(clerk)
    app.add_url_rule("/required", view_func=require(who_is_there), endpoint="required")
    client = app.test_client()
    signed_in(client)
    clerk_emulator.faults.add(Failure(status=503))
    assert client.get("/").get_json()["signed_in"] is False
    answer = client.get("/required")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


# ---- without Flask ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("flask", "ImportError: clerk_wsgi.integrations.flask needs Flask: pip install flask"),
        ("jinja2", "ModuleNotFoundError: import of jinja2 halted; None in sys.modules"),
    ],
)
def test_what_is_missing_is_said_in_one_line(missing: str, said: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import clerk_wsgi.integrations.flask"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == said
    assert "During handling" not in run.stderr
