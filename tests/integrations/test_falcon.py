"""Falcon: who is asking, and who gets to resources, responders, sinks and files."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
import pytest
from falcon import testing

from clerk_wsgi import Auth, Clerk, ClerkError, MachineAuth
from clerk_wsgi import require as require_of
from clerk_wsgi.integrations.falcon import ClerkMiddleware, Refused, install, require
from clerk_wsgi.testing import clerk_for

from ..processes import PROJECT, clean_environ
from ..wrapping import bearer, clerk, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clerk_wsgi.testing import Emulator, Tokens

ADMIN: dict[str, Any] = {"v": 2, "o": {"id": "org_1", "rol": "admin", "slg": "acme"}}
MEMBER: dict[str, Any] = {"v": 2, "o": {"id": "org_1", "rol": "member", "slg": "acme"}}


def client(app: Any = None, clerk: Any = clerk, **options: Any) -> testing.TestClient:
    """Return a client of an application that asks a new instance."""
    app = falcon.App() if app is None else app
    install(app, clerk(), **options)
    return testing.TestClient(app)


def get(
    client: testing.TestClient, path: str = "/", method: str = "GET", **claims: Any
) -> testing.Result:
    """Return the answer to somebody; to nobody without claims."""
    headers = {"Authorization": bearer(**claims)["HTTP_AUTHORIZATION"]} if claims else {}
    return client.simulate_request(method, path, headers=headers)


class Seen:
    """A resource that keeps what its responders were asked."""

    def __init__(self) -> None:
        self.auths: list[Any] = []

    def on_get(self, req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        self.auths.append(req.context.clerk)
        resp.media = params

    on_post = on_get_item = on_get

    @property
    def calls(self) -> int:
        return len(self.auths)


# Who is asking


def test_the_context_of_a_request_has_who_is_asking() -> None:
    seen = Seen()
    browser = client()
    browser.app.add_route("/", seen)
    assert get(browser).status_code == 200
    assert get(browser, sub="user_7").status_code == 200
    nobody, somebody = seen.auths
    assert isinstance(nobody, Auth)
    assert not nobody
    assert somebody.user_id == "user_7"


@pytest.mark.parametrize("token", ["a.b.c", bearer()["HTTP_AUTHORIZATION"][7:-8] + "AAAAAAAA"])
def test_a_token_that_is_refused_makes_nobody_of_who_brings_it(token: str) -> None:
    seen = Seen()
    browser = client()
    browser.app.add_route("/", seen)
    browser.simulate_get("/", headers={"Authorization": f"Bearer {token}"})
    assert not seen.auths[0]


def test_a_machine_is_one_where_machines_are_accepted(
    clerk_emulator: Emulator, clerk_tokens: Tokens
) -> None:
    seen = Seen()
    browser = client(clerk=lambda: clerk_for(clerk_emulator, accepts_token="any"))
    browser.app.add_route("/", seen)
    browser.simulate_get("/", headers={"Authorization": f"Bearer {clerk_tokens.api_key()}"})
    assert isinstance(seen.auths[0], MachineAuth)
    assert seen.auths[0].subject == clerk_tokens.user["id"]


def test_sinks_and_static_routes_are_decided_about_as_well(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("a page")
    seen, states = Seen(), []
    browser = client(on_decision=lambda state, _seconds: states.append(state.status))
    browser.app.add_sink(seen.on_get, "/sink")
    browser.app.add_static_route("/files", str(tmp_path))
    get(browser, "/sink/x", sub="user_7")
    assert seen.auths[0].user_id == "user_7"
    assert get(browser, "/files/page.txt", sub="user_7").text == "a page"
    assert get(browser, "/nowhere").status_code == 404
    assert states == ["signed-in", "signed-in", "signed-out"]


def test_the_default_instance_is_taken_if_none_is_given(default_clerk: Clerk) -> None:
    app = falcon.App(middleware=[ClerkMiddleware()])
    found = []

    class Page:
        def on_get(self, req: falcon.Request, _resp: falcon.Response) -> None:
            found.append(req.env["clerk.instance"])

    app.add_route("/", Page())
    testing.TestClient(app).simulate_get("/")
    assert found == [default_clerk]


def test_of_several_tenants_the_one_is_asked_that_is_chosen() -> None:
    def choose(environ: dict[str, Any]) -> Clerk:
        if environ["HTTP_HOST"] != "a.test":
            raise ClerkError("Nobody is here.", status_code=404, reason="unknown-host")
        return clerk()

    app: Any = falcon.App()
    install(app, choose)
    app.add_route("/", Whole())
    answers = {
        host: serve(app, **{"HTTP_HOST": host, **bearer()}).status[:3]
        for host in ("a.test", "b.test")
    }
    assert answers == {"a.test": "200", "b.test": "404"}


def test_exempt_paths_are_answered_without_asking() -> None:
    states: list[Any] = []
    seen = Seen()
    browser = client(exempt="/healthz", on_decision=lambda state, _seconds: states.append(state))
    browser.app.add_route("/healthz", seen)
    assert get(browser, "/healthz", sub="user_7").status_code == 200
    assert not seen.auths[0]
    assert states == []


def test_an_application_that_is_wrapped_from_outside_decides_once() -> None:
    states: list[Any] = []
    instance = clerk()
    browser = client(clerk=lambda: instance)
    seen = Seen()
    browser.app.add_route("/", seen)
    wrapped = instance.with_session(
        browser.app, on_decision=lambda state, _seconds: states.append(state)
    )
    serve(wrapped, **bearer(sub="user_7"))
    assert len(states) == 1
    assert seen.auths[0].user_id == "user_7"


# Who gets in: each way to say it, with what is public beside it


class Responders(Seen):
    """Responders of which some are guarded."""

    on_get = require(Seen.on_get)
    on_get_item = require(role="admin")(Seen.on_get)


@require
class Whole(Seen):
    """A resource that is guarded as a whole."""


@require(role="org:admin")
class Admins(Seen):
    """A resource for admins."""


class MoreForAdmins(Admins):
    """A resource that inherits what it requires."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        Seen.on_get(self, req, resp, **params)

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        Seen.on_get(self, req, resp)


@require(permission="org:x:y")
class Both(Admins):
    """A resource that requires more than the one that it inherits from."""

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        Seen.on_get(self, req, resp)


@falcon.before(require(role="org:admin"))
class HookedClass(Seen):
    """A resource with a hook for all responders."""


class Hooked(Seen):
    """Responders with hooks."""

    on_get = falcon.before(require())(Seen.on_get)
    on_post = falcon.before(require)(Seen.on_get)
    on_get_item = falcon.before(require(role="org:admin"))(Seen.on_get)


SIGNED_IN, FOR_ADMINS = "signed in", "admins"
GUARDED: list[tuple[Callable[[], Seen], str, str, str]] = [
    (Responders, "GET", "/", SIGNED_IN),
    (Responders, "GET", "/item/7", FOR_ADMINS),
    (Whole, "GET", "/", SIGNED_IN),
    (Whole, "POST", "/", SIGNED_IN),
    (Whole, "GET", "/item/7", SIGNED_IN),
    (Admins, "GET", "/", FOR_ADMINS),
    (Admins, "GET", "/item/7", FOR_ADMINS),
    (MoreForAdmins, "GET", "/", FOR_ADMINS),
    (MoreForAdmins, "DELETE", "/", FOR_ADMINS),
    (HookedClass, "GET", "/", FOR_ADMINS),
    (HookedClass, "GET", "/item/7", FOR_ADMINS),
    (Hooked, "GET", "/", SIGNED_IN),
    (Hooked, "POST", "/", SIGNED_IN),
    (Hooked, "GET", "/item/7", FOR_ADMINS),
]


@pytest.mark.parametrize(("resource", "method", "path", "who"), GUARDED)
@pytest.mark.parametrize("options", [{}, {"independent_middleware": False}])
def test_only_who_has_what_is_required_gets_in(
    resource: Callable[[], Seen], method: str, path: str, who: str, options: dict[str, Any]
) -> None:
    seen = resource()
    browser = client(falcon.App(**options))
    browser.app.add_route("/", seen)
    browser.app.add_route("/item/{number}", seen, suffix="item")
    assert get(browser, path, method).status_code == 401
    assert get(browser, path, method, sts="pending").status_code == 401
    assert get(browser, path, method, exp=1).status_code == 401
    if who == FOR_ADMINS:
        assert get(browser, path, method, sub="user_1").status_code == 403
        assert get(browser, path, method, **MEMBER).status_code == 403
    assert seen.calls == 0
    answer = get(browser, path, method, **ADMIN)
    assert answer.status_code == 200
    assert answer.json == ({"number": "7"} if path == "/item/7" else {})
    assert seen.calls == 1


def test_what_is_not_guarded_is_for_everybody() -> None:
    seen = Responders()
    browser = client()
    browser.app.add_route("/", seen)
    assert get(browser, "/", "POST").status_code == 200
    assert seen.calls == 1


def test_behind_a_wrapper_classes_that_inherit_from_a_guarded_one_are_guarded() -> None:
    names: list[str] = []

    class More:
        def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.text = "secret"

    @require
    class Guarded:
        def __init_subclass__(cls, name: str) -> None:
            names.append(name)

        def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.text = "secret"

    class Inheriting(More, Guarded, name="inheriting"):
        def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
            resp.text = "secret"

    app = falcon.App()
    app.add_route("/", Inheriting())
    wrapped = clerk().with_session(app)
    for method in ("GET", "PUT", "DELETE"):
        assert serve(wrapped, REQUEST_METHOD=method).status == "401 Unauthorized"
        assert serve(wrapped, REQUEST_METHOD=method, **bearer()).body == b"secret"
    assert names == ["inheriting"]


def test_a_guarded_resource_leaves_the_one_that_it_inherits_from_alone() -> None:
    browser = client()
    browser.app.add_route("/", Seen())
    assert get(browser).status_code == 200


def test_all_that_is_required_at_one_time_or_another_must_be_there() -> None:
    browser = client()
    browser.app.add_route("/", Both())
    assert get(browser, **ADMIN).status_code == 403
    for role, status in (("member", 403), ("admin", 200)):
        organization = {"id": "org_1", "rol": role, "per": "y", "fpm": "1"}
        for method in ("GET", "DELETE"):
            answer = get(browser, "/", method, v=2, fea="o:x", o=organization)
            assert answer.status_code == status


def test_the_responder_for_all_other_methods_is_guarded_without_the_middleware_too() -> None:
    seen = Seen()
    app: Any = falcon.App()
    with suppress(AttributeError):  # older releases have no such option
        app.router_options.default_to_on_request = True
    rest = {"on_request": lambda _self, *asked: seen.on_get(*asked)}
    app.add_route("/", require(type("Resource", (), rest))())
    wrapped = clerk().with_session(app)
    assert serve(wrapped).status[0] == "4"
    assert seen.calls == 0
    assert serve(wrapped, REQUEST_METHOD="OPTIONS").status[:3] == "200"


def test_sinks_are_guarded_like_responders() -> None:
    seen = Seen()
    browser = client()

    @require(role="org:admin")
    def sink(req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        seen.on_get(req, resp, **params)

    browser.app.add_sink(sink, r"/sink/(?P<rest>.*)")
    assert get(browser, "/sink/x").status_code == 401
    assert get(browser, "/sink/x", **MEMBER).status_code == 403
    assert seen.calls == 0
    assert get(browser, "/sink/x", **ADMIN).json == {"rest": "x"}


def test_files_are_guarded_by_a_part_of_the_application(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("a page")
    app = falcon.App()
    app.add_static_route("/files", str(tmp_path))
    wrapped = clerk().with_session(require_of(app, below="/files"))
    assert serve(wrapped, PATH_INFO="/files/page.txt").status[:3] == "401"
    assert serve(wrapped, PATH_INFO="/files/page.txt", **bearer()).body == b"a page"


def test_what_is_required_is_required_behind_another_wrapper_as_well() -> None:
    app = falcon.App()

    @require
    class Page:
        def on_get(self, _req: falcon.Request, _resp: falcon.Response) -> None: ...

    app.add_route("/", Page())
    wrapped = clerk().with_session(app)
    assert serve(wrapped).status[:3] == "401"
    assert serve(wrapped, **bearer()).status[:3] == "200"


@pytest.mark.parametrize("resource", [Responders, Whole, Admins, HookedClass, Hooked])
def test_nobody_gets_in_if_nobody_has_decided(resource: Callable[[], Seen]) -> None:
    seen = resource()
    browser = testing.TestClient(falcon.App())
    browser.app.add_route("/", seen)
    assert get(browser, **ADMIN).status_code == 500
    assert seen.calls == 0


def test_a_responder_that_another_one_calls_is_guarded_by_itself() -> None:
    inner = Whole()

    class Outer:
        def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
            inner.on_post(req=req, resp=resp, number=7)

    browser = client()
    browser.app.add_route("/", Outer())
    assert get(browser).status_code == 401
    assert inner.calls == 0
    assert get(browser, sub="user_7").json == {"number": 7}


def test_a_guarded_responder_is_called_for_a_request_alone() -> None:
    with pytest.raises(TypeError, match="without a Request"):
        Whole().on_get(*[None, None])  # type: ignore[arg-type]


# OPTIONS and responders for the rest


def test_preflight_requests_are_answered_by_falcon() -> None:
    browser = client(falcon.App(cors_enable=True))
    browser.app.add_route("/", Whole())
    headers = {"Origin": "https://b.test", "Access-Control-Request-Method": "POST"}
    answer = browser.simulate_options("/", headers=headers)
    assert answer.status_code == 200
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("name", ["on_options", "on_options_item"])
def test_a_responder_for_options_is_guarded_like_any_other(name: str) -> None:
    seen = Seen()
    resource = type("Resource", (Seen,), {name: lambda _self, *asked: seen.on_get(*asked)})
    browser = client()
    browser.app.add_route("/", require(resource)())
    browser.app.add_route("/item", type("Inheriting", (require(resource),), {})(), suffix="item")
    for path in ("/", "/item"):
        assert get(browser, path, "OPTIONS").status_code == 401
    assert seen.calls == 0


# What cannot be


@pytest.mark.parametrize(
    "asked", [{"role": ""}, {"permission": " "}, {"plan": 7}, {"reverification": "soon"}]
)
def test_what_could_never_be_met_fails_where_it_is_declared(asked: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        require(**asked)


async def on_get(req: Any, resp: Any) -> None: ...


@pytest.mark.parametrize("wrong", [None, "org:admin", 7, on_get, Seen()])
def test_what_is_neither_a_resource_nor_a_responder_cannot_be_guarded(wrong: Any) -> None:
    with pytest.raises(TypeError, match="resource class or a responder"):
        require(wrong)


def test_a_class_with_coroutines_cannot_be_guarded() -> None:
    with pytest.raises(TypeError, match="resource class or a responder"):
        require(type("Resource", (), {"on_get": on_get}))


def test_applications_of_asgi_are_refused() -> None:
    with pytest.raises(falcon.CompatibilityError, match=r"falcon\.App"):
        install(falcon.asgi.App(), clerk())
    middleware: Any = ClerkMiddleware(clerk())
    with pytest.raises(falcon.CompatibilityError, match=r"falcon\.App"):
        falcon.asgi.App(middleware=[middleware])


def test_wrong_options_are_refused_where_they_are_given() -> None:
    wrong: Any = 7
    for options in ({"on_error": wrong}, {"error_response": wrong}, {"clerk": wrong}):
        with pytest.raises(TypeError, match="must be callable"):
            ClerkMiddleware(**{"clerk": clerk(), **options})


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (
            "falcon",
            "ImportError: clerk_wsgi.integrations.falcon needs Falcon: pip install falcon",
        ),
        ("falcon.app", "ModuleNotFoundError: import of falcon.app halted; None in sys.modules"),
    ],
)
def test_without_falcon_one_line_says_what_to_install(missing: str, told: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import clerk_wsgi.integrations.falcon"
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
    assert run.stderr.splitlines()[-1] == told


# Falcon's own ways


def test_other_middleware_learns_that_a_request_was_refused() -> None:
    outcomes = []

    class Watcher:
        def process_response(self, *asked: Any) -> None:
            outcomes.append(asked[-1])

    browser = client(falcon.App(middleware=[Watcher()]))
    browser.app.add_route("/", Whole())
    get(browser)
    get(browser, sub="user_7")
    assert outcomes == [False, True]


def test_an_application_may_answer_refusals_itself() -> None:
    errors: list[ClerkError] = []

    def answer(req: Any, resp: Any, ex: Refused, params: Any) -> None:
        errors.append(ex.error)
        resp.status = falcon.HTTP_418
        resp.text = "not you"

    browser = client()
    browser.app.add_route("/", Admins())
    browser.app.add_error_handler(Refused, answer)
    refused = get(browser, **MEMBER)
    assert (refused.status_code, refused.text) == (418, "not you")
    assert (errors[0].reason, errors[0].status_code) == ("role-missing", 403)
    assert errors[0].request is not None
