"""What operators ask of a wrapper: exempt paths, metrics, log records, a name in the access log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi import (
    Clerk,
    ClerkMiddleware,
    ClerkUnavailable,
    require_session,
    with_session,
)

from .minting import NOW, Minter
from .wrapping import App, bearer, clerk, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerk_wsgi import RequestState

    Wrap = Callable[..., ClerkMiddleware]

DECISIONS = "clerk_wsgi.decisions"
EVERY_WRAPPER = pytest.mark.parametrize("wrap", [ClerkMiddleware, with_session, require_session])

# Paths that need no session


@EVERY_WRAPPER
def test_an_exempt_path_is_answered_without_asking_who_is_there(wrap: Wrap) -> None:
    app, asked = App(), []
    wrapped = wrap(app, clerk(), exempt=["/healthz"], on_decision=lambda *told: asked.append(told))
    answer = serve(wrapped, PATH_INFO="/healthz", HTTP_AUTHORIZATION="Bearer a.b.c")
    assert answer.status == "200 OK"
    assert app.environ["clerk.session"] is None
    assert not app.environ["clerk.auth"]
    assert app.environ["clerk.error"] is None
    assert app.environ["clerk.state"].reason == "path-exempt"
    assert asked == []


@pytest.mark.parametrize("path", ["/", "/healthz", "/healthz/", "/é", "/shop/healthz"])
@pytest.mark.parametrize("mount", ["", "/shop"])
def test_an_exempt_path_is_the_one_that_the_application_routes_on(path: str, mount: str) -> None:
    wrapped = clerk().require_session(App(), exempt=[path])
    routed = path.encode().decode("latin-1")
    assert serve(wrapped, SCRIPT_NAME=mount, PATH_INFO=routed).status == "200 OK"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/health", "/healthz/", "//healthz", "/healthz/x", "/HEALTHZ", "/healthz;x",
        "/x/../healthz", "/x/healthz", "/healthz%2f", "/healthz?", "/healthz\0", " /healthz",
        "/./healthz", "healthz", "",
    ],
)  # fmt: skip
def test_no_other_path_is_exempt(path: str) -> None:
    app = App()
    wrapped = clerk().require_session(app, exempt="/healthz")
    assert serve(wrapped, PATH_INFO=path).status == "401 Unauthorized"
    assert app.calls == 0


@pytest.mark.parametrize("path", ["", "healthz", "/health*", "/a?b", "/a#b", "/a%2fb"])
def test_what_does_not_name_a_path_cannot_be_exempt(path: str) -> None:
    with pytest.raises(ValueError, match="exempt"):
        with_session(App(), clerk(), exempt=[path])


def test_a_strict_wrapper_inside_an_exempt_path_is_strict() -> None:
    app = App()
    mine = clerk()
    wrapped = with_session(mine.require_session(app), mine, exempt=["/healthz"])
    assert serve(wrapped, PATH_INFO="/healthz").status == "401 Unauthorized"
    assert serve(wrapped, PATH_INFO="/healthz", **bearer()).status == "200 OK"


# Metrics


def test_every_decision_is_told_with_the_seconds_that_it_took() -> None:
    told: list[tuple[RequestState, float]] = []
    app = App()
    wrapped = with_session(app, clerk(), on_decision=lambda *one: told.append(one))
    for keys in ({}, bearer(), bearer(), {"HTTP_AUTHORIZATION": "Bearer a.b.c"}):
        serve(wrapped, **keys)
        assert told[-1][0] is app.environs[-1]["clerk.state"]
        assert 0 < told[-1][1] < 60
    assert [state.reason for state, _ in told] == [
        "session-token-and-uat-missing", None, None, "token-invalid",
    ]  # fmt: skip


def test_a_decision_that_is_taken_over_is_told_once() -> None:
    told: list[float] = []
    mine = clerk()
    inner = with_session(App(), mine, on_decision=lambda _, seconds: told.append(seconds))
    serve(
        with_session(inner, mine, on_decision=lambda _, seconds: told.append(seconds)), **bearer()
    )
    assert len(told) == 1


def test_a_callback_that_fails_refuses_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_state: RequestState, _seconds: float) -> None:
        raise RuntimeError("no statsd")

    app = App()
    assert serve(clerk().require_session(app, on_decision=fail), **bearer()).status == "200 OK"
    assert app.environ["clerk.session"].user_id == "user_1"
    assert "on_decision raised an exception" in caplog.text
    assert "no statsd" in caplog.text


# Log records


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name.startswith("clerk_")}


def test_one_log_record_of_a_decision_has_its_parts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, DECISIONS)
    wrapped = with_session(App(), clerk())
    for keys in (bearer(), {}, bearer(sts="pending"), bearer(exp=NOW - 60)):
        serve(wrapped, **keys)
    records = [record for record in caplog.records if record.name == DECISIONS]
    assert {vars(record)["event"] for record in records} == {"clerk.decision"}
    signed_in, nobody, pending, expired = map(fields, records)
    assert signed_in.pop("clerk_seconds") > 0
    assert signed_in == {
        "clerk_status": "signed-in",
        "clerk_reason": None,
        "clerk_token_type": "session_token",
        "clerk_user_id": "user_1",
        "clerk_session_id": "sess_1",
    }
    assert nobody["clerk_reason"] == "session-token-and-uat-missing"
    for one in (nobody, pending, expired):
        assert (one["clerk_user_id"], one["clerk_session_id"]) == (None, None)
    assert expired["clerk_reason"].startswith("session-token-expired")


def test_no_log_record_of_a_decision_has_a_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, DECISIONS)
    token = Minter().token(sub="user_forged")
    for keys in (bearer(), {"HTTP_AUTHORIZATION": f"Bearer {token}"}):
        serve(with_session(App(), clerk()), **keys)
        shown = repr([vars(record) for record in caplog.records])
        assert keys["HTTP_AUTHORIZATION"].split()[1][-20:] not in shown
        assert "user_forged" not in shown


def test_nothing_is_logged_about_decisions_unless_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    serve(with_session(App(), clerk()), **bearer())
    assert caplog.records == []


# An instance for each request


def tenants(**by_host: Clerk) -> Any:
    def choose(environ: dict[str, Any]) -> Clerk:
        host = environ["HTTP_HOST"].partition(".")[0]
        if host not in by_host:
            raise ClerkUnavailable(f"no instance for {host}", reason="unknown-tenant")
        return by_host[host]

    return choose


MINE, THEIRS = Minter(), Minter()


def instance_of(minter: Minter) -> Clerk:
    return Clerk(jwt_key=minter.pem, dotenv=False, clock=lambda: NOW)


def asked_by(minter: Minter, host: str, **claims: Any) -> dict[str, str]:
    return {"HTTP_COOKIE": f"__session={minter.token(**claims)}", "HTTP_HOST": f"{host}.test"}


@EVERY_WRAPPER
def test_each_request_is_decided_by_the_instance_of_its_host(wrap: Wrap) -> None:
    mine, theirs = instance_of(MINE), instance_of(THEIRS)
    app = App()
    wrapped = wrap(app, tenants(mine=mine, theirs=theirs))
    for _ in range(3):
        serve(wrapped, **asked_by(MINE, "mine"))
        assert app.environs[-1]["clerk.instance"] is mine
        assert app.environs[-1]["clerk.session"].user_id == "user_1"
        serve(wrapped, **asked_by(THEIRS, "theirs", sub="user_2"))
        assert app.environs[-1]["clerk.instance"] is theirs
        assert app.environs[-1]["clerk.session"].user_id == "user_2"


def test_nothing_leaks_from_one_instance_to_another() -> None:
    """The same token and the same cookies, remembered where they are good, refused elsewhere."""
    app = App()
    wrapped = with_session(app, tenants(mine=instance_of(MINE), theirs=instance_of(THEIRS)))
    for _ in range(3):
        for minter in (MINE, THEIRS):
            for host in ("mine", "theirs"):
                serve(wrapped, **asked_by(minter, host))
                is_own = (minter is MINE) == (host == "mine")
                assert (app.environs[-1]["clerk.session"] is not None) == is_own
                assert bool(app.environs[-1]["clerk.auth"]) == is_own


def test_a_wrapper_further_in_does_not_take_over_what_another_instance_decided() -> None:
    app = App()
    inner = with_session(app, tenants(mine=instance_of(THEIRS)))
    serve(with_session(inner, tenants(mine=instance_of(MINE))), **asked_by(MINE, "mine"))
    assert app.environs[-1]["clerk.session"] is None


def test_a_host_without_an_instance_is_a_failure_like_any_other() -> None:
    app = App()
    wrapped = tenants(mine=instance_of(MINE))
    answer = serve(with_session(app, wrapped), **asked_by(MINE, "other"))
    assert answer.status == "200 OK"
    assert app.environs[-1]["clerk.session"] is None
    assert not app.environs[-1]["clerk.auth"]
    assert app.environs[-1]["clerk.instance"] is None
    assert app.environs[-1]["clerk.error"].reason == "unknown-tenant"
    assert app.environs[-1]["clerk.error"].request.host == "other.test"


def test_a_strict_wrapper_refuses_a_host_without_an_instance() -> None:
    app = App()
    wrapped = require_session(app, tenants(mine=instance_of(MINE)))
    answer = serve(wrapped, **asked_by(MINE, "other"))
    assert (answer.status, app.calls) == ("503 Service Unavailable", 0)


@pytest.mark.parametrize("chosen", [None, "clerk", Clerk])
def test_a_function_that_returns_no_instance_lets_nobody_in(chosen: Any) -> None:
    app = App()
    wrapped = with_session(app, lambda _environ: chosen)
    with pytest.raises(TypeError, match="must return a Clerk"):
        serve(wrapped, **bearer())
    assert app.calls == 0
