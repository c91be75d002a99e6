"""What the guide to Clerk's Node SDK promises, sentence by sentence, for WSGI applications.

Each test is named after the line of that contract that it holds the package to: S configuration,
M several sessions, O optional session, R required session, E ``on_error``, A manual
authentication, W any server.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest
import requests
from webob import Request
from webob.exc import HTTPSeeOther

from clerk_wsgi import (
    ApiError,
    Clerk,
    ClerkError,
    ClerkMiddleware,
    ClerkUnavailable,
    ConfigurationError,
    Session,
    Unauthenticated,
    clients,
    default_clerk,
    default_on_error,
    json_error_response,
    require_session,
    sessions,
    set_default,
    strict_on_error,
    with_session,
)
from clerk_wsgi.emulator import forge
from clerk_wsgi.testing import Emulator, clerk_for, in_process, start_emulator

from .gunicorns import gunicorn
from .minting import ISSUER_TEST, NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, SUFFIX_LIVE, Minter
from .minting import environ as request_environ
from .processes import PROJECT, clean_environ
from .servers import free_port
from .wrapping import App, bearer, clerk, full_environ, minter, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Wrap = Callable[..., ClerkMiddleware]

EVERY_WRAPPER = pytest.mark.parametrize("wrap", [ClerkMiddleware, with_session, require_session])
EITHER_VARIANT = pytest.mark.parametrize("wrap", [with_session, require_session])
NOT_FOUND = {"errors": [{"code": "resource_not_found", "message": "not found"}]}


@pytest.fixture(autouse=True)
def own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty working directory, no settings in the environment, no default instance."""
    for name in [name for name in os.environ if name.startswith("CLERK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    set_default(None)
    yield
    set_default(None)


@cache
def local_clerk() -> Emulator:
    """Return a local Clerk with an old-style key, as the guide has it."""
    return Emulator(secret_key="test_asdf1234")


def local_token(**options: Any) -> str:
    """Return a session token of the local Clerk."""
    return local_clerk().session_token(local_clerk().sessions()[0]["id"], **options)


def carrying(token: str) -> dict[str, str]:
    """Return the environ key that carries a token."""
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


class Watched:
    """Clerk's API, which notes what the requests are authorized with."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self.authorizations: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.authorizations.append(environ["HTTP_AUTHORIZATION"])
        return self._app(environ, start_response)


class Answering:
    """Clerk's API as far as one answer goes."""

    def __init__(self, document: object, status: str = "200 OK") -> None:
        self._body = json.dumps(document).encode()
        self._status = status

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(self._status, [("Content-Type", "application/json")])
        return [self._body]


def sent_key(**arguments: Any) -> str:
    """Return what an instance with these arguments authorizes its API calls with."""
    api = Watched(local_clerk())
    instance = Clerk(http=in_process(api), **arguments)
    instance.authenticate(request_environ(**carrying(local_token())))
    (authorization,) = api.authorizations
    return authorization


# ---- S: configuration ----


def test_S1_an_api_key_in_the_environment_is_all_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_API_KEY", "test_asdf1234")
    api = Watched(local_clerk())
    set_default(Clerk(http=in_process(api)))
    for wrap in (with_session, require_session, ClerkMiddleware):
        app = App()
        assert serve(wrap(app), **carrying(local_token())).status == "200 OK"
        assert app.environ["clerk.session"].user_id == local_clerk().users()[0]["id"]
    assert api.authorizations == ["Bearer test_asdf1234"]


def test_S1_the_default_instance_is_configured_by_the_environment_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = App()
    with start_emulator(emulator=local_clerk()) as running:
        monkeypatch.setenv("CLERK_API_KEY", "test_asdf1234")
        monkeypatch.setenv("CLERK_API_URL", running.url)
        assert serve(require_session(app), **carrying(local_token())).status == "200 OK"
    assert app.calls == 1


def test_S1_a_secret_key_wins_over_an_api_key_and_an_argument_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLERK_API_KEY", "test_api_key")
    assert sent_key() == "Bearer test_api_key"
    monkeypatch.setenv("CLERK_SECRET_KEY", "sk_test_secret_key")
    assert sent_key() == "Bearer sk_test_secret_key"
    assert sent_key(secret_key="sk_test_argument") == "Bearer sk_test_argument"


@pytest.mark.parametrize("name", ["CLERK_API_KEY", "CLERK_SECRET_KEY"])
def test_S2_dotenv_files_are_read_and_the_real_environment_wins(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"{name}=test_env\n")
    assert sent_key() == "Bearer test_env"
    (tmp_path / ".env.local").write_text(f"{name}=test_env_local\n")
    assert sent_key() == "Bearer test_env_local"
    monkeypatch.setenv("CLERK_API_KEY", "test_real")
    assert sent_key() == "Bearer test_real"
    assert name not in os.environ or os.environ[name] == "test_real"


@pytest.mark.parametrize("file", [".env.local", ".env"])
def test_S2_without_dotenv_neither_file_is_read(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text("CLERK_API_KEY=test_from_a_file\n")
    with pytest.raises(ConfigurationError):
        Clerk(dotenv=False)
    assert sent_key(dotenv=False, secret_key="sk_test_argument") == "Bearer sk_test_argument"


def test_S2_only_files_of_the_working_directory_are_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("CLERK_API_KEY=test_of_the_parent\n")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    with pytest.raises(ConfigurationError):
        Clerk()


@pytest.mark.parametrize(
    "construct",
    [
        Clerk,
        default_clerk,
        lambda: with_session(App()),
        lambda: require_session(App()),
        lambda: ClerkMiddleware(App()),
    ],
)
def test_S3_without_a_key_constructing_and_wrapping_fail(construct: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError, match="CLERK_SECRET_KEY or CLERK_API_KEY"):
        construct()


def test_S3_what_was_wrapped_does_not_fail_per_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_API_KEY", "test_asdf1234")
    wrapped = require_session(App())
    monkeypatch.delenv("CLERK_API_KEY")
    assert serve(wrapped).status == "401 Unauthorized"


def run_without_key(script: str, cwd: Path) -> str:
    """Run a script in a process of its own that has no settings at all."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=cwd,
        env=clean_environ(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_S3_importing_needs_no_key(tmp_path: Path) -> None:
    assert run_without_key("import clerk_wsgi; print('imported')", tmp_path) == "imported"


def test_S4_everything_can_be_imported_without_a_key(tmp_path: Path) -> None:
    script = """
from clerk_wsgi import sessions, clients, users, with_session, require_session
from clerk_wsgi import ConfigurationError

uses = [lambda: sessions.get("sess_1"), lambda: clients.get("client_1"),
        lambda: users.get("user_1"), lambda: with_session(print), lambda: require_session(print)]
for use in uses:
    try:
        use()
    except ConfigurationError as error:
        print("CLERK_SECRET_KEY" in str(error))
"""
    assert run_without_key(script, tmp_path).split() == ["True"] * 5


def test_S4_the_default_instance_is_made_on_first_use_and_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigurationError):
        default_clerk()
    monkeypatch.setenv("CLERK_API_KEY", "test_first")
    app = App()
    serve(with_session(app))
    monkeypatch.setenv("CLERK_API_KEY", "test_second")
    serve(with_session(app))
    assert default_clerk() is default_clerk()
    assert [each["clerk.instance"] for each in app.environs] == [default_clerk()] * 2
    secret = default_clerk().settings.secret_key
    assert secret is not None
    assert secret.reveal() == "test_first"


def test_S5_two_instances_never_use_each_others_keys_or_caches() -> None:
    signers = [Minter("ins_same"), Minter("ins_same")]
    apis = [Watched(Answering(signer.jwks())) for signer in signers]
    instances = [
        Clerk(secret_key=f"sk_test_{number}", http=in_process(api), clock=lambda: NOW)
        for number, api in enumerate(apis)
    ]
    tokens = [signer.token(sub=f"user_{number}") for number, signer in enumerate(signers)]
    for _ in range(2):  # cold, then with everything remembered
        for mine, instance in enumerate(instances):
            assert user_of(instance, tokens[mine]) == f"user_{mine}"
            assert user_of(instance, tokens[1 - mine]) is None
    assert [api.authorizations for api in apis] == [["Bearer sk_test_0"], ["Bearer sk_test_1"]]


def user_of(instance: Clerk, token: str) -> str | None:
    """Return whom a token signs in."""
    session = instance.authenticate(request_environ(**carrying(token))).session
    return session.user_id if session else None


# ---- M: several sessions (token verification) ----


def answer_to(query: str, **keys: str) -> tuple[str, str | None]:
    """Return the strict status, and the session that the lax variant lets the application see."""
    lax = App()
    serve(with_session(lax, clerk()), QUERY_STRING=query, **keys)
    session = lax.environ["clerk.session"]
    strict = serve(require_session(App(), clerk()), QUERY_STRING=query, **keys)
    return strict.status[:3], session.id if session else None


def in_cookie(**claims: Any) -> dict[str, str]:
    """Return the environ key of a browser that is signed in."""
    return {"HTTP_COOKIE": f"__session={minter().token(**claims)}; __client_uat={NOW - 60}"}


EITHER_CARRIER = pytest.mark.parametrize("carrier", [bearer, in_cookie])


@EITHER_CARRIER
@pytest.mark.parametrize("query", ["_clerk_session_id=sess_1", "a=b&_clerk_session_id=sess_1&c"])
def test_M1_the_parameter_selects_the_session_which_must_be_the_tokens(
    carrier: Callable[..., dict[str, str]], query: str
) -> None:
    assert answer_to(query, **carrier(sid="sess_1")) == ("200", "sess_1")
    assert answer_to(query, **carrier(sid="sess_2")) == ("401", None)


@EITHER_CARRIER
@pytest.mark.parametrize("query", ["", "a=b", "clerk_session_id=sess_2", "_clerk_session_idx=1"])
def test_M2_without_the_parameter_it_is_the_session_of_the_token(
    carrier: Callable[..., dict[str, str]], query: str
) -> None:
    assert answer_to(query, **carrier(sid="sess_7")) == ("200", "sess_7")


@EITHER_CARRIER
@pytest.mark.parametrize("named", ["sess_2", "sess_", "SESS_1", "sess_1%20", "user_1", "*", "..."])
def test_M3_a_session_that_the_client_does_not_own_never_authenticates(
    carrier: Callable[..., dict[str, str]], named: str
) -> None:
    assert answer_to(f"_clerk_session_id={named}", **carrier(sid="sess_1")) == ("401", None)


def test_M3_a_token_without_a_session_is_not_of_the_one_that_is_named() -> None:
    assert answer_to("_clerk_session_id=sess_1", **bearer(sid=...)) == ("401", None)
    assert answer_to("_clerk_session_id=None", **bearer(sid=...)) == ("401", None)
    assert answer_to("_clerk_session_id=", **bearer(sid="")) == ("401", None)


@pytest.mark.parametrize(
    "query",
    [
        "_clerk_session_id",
        "_clerk_session_id=",
        "_clerk_session_id=&a=b",
        "_clerk_session_id=sess_1&_clerk_session_id=sess_1",
        "_clerk_session_id=sess_1&_clerk_session_id=sess_2",
        "_clerk_session_id=&_clerk_session_id=sess_1",
        "_clerk_session_id=sess_1&%5Fclerk_session_id=sess_1",
        "_clerk_session_id=sess_1&_clerk%5fsession%5fid=",
        "_clerk_session_id=sess%255F1",  # decoded once it is sess%5F1
    ],
)
def test_M4_an_empty_or_repeated_parameter_is_refused(query: str) -> None:
    refused: list[ClerkError] = []
    wrapped = with_session(App(), clerk(), refused.append)
    serve(wrapped, QUERY_STRING=query, **bearer(sid="sess_1"))
    assert [error.reason for error in refused] == ["session-id-mismatch"]
    assert answer_to(query, **bearer(sid="sess_1")) == ("401", None)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("_clerk_session_id=sess%5F1", "200"),
        ("%5Fclerk%5Fsession%5Fid=sess_1", "200"),
        ("%5Fclerk%5Fsession%5Fid=sess_2", "401"),
        ("%255Fclerk_session_id=sess_2", "200"),  # decoded once it is another parameter
    ],
)
def test_M4_the_query_string_is_decoded_once(query: str, status: str) -> None:
    assert answer_to(query, **bearer(sid="sess_1"))[0] == status


@pytest.mark.parametrize(
    "keys",
    [
        {"HTTP_COOKIE": "_clerk_session_id=sess_2"},
        {"HTTP__CLERK_SESSION_ID": "sess_2"},
        {"PATH_INFO": "/?_clerk_session_id=sess_2"},
        {"HTTP_REFERER": "http://app.test/?_clerk_session_id=sess_2"},
    ],
)
def test_M4_only_the_query_string_counts(keys: dict[str, str]) -> None:
    assert answer_to("", **keys, **bearer(sid="sess_1")) == ("200", "sess_1")


def test_M4_a_form_does_not_count() -> None:
    request = Request.blank("/", method="POST", POST={"_clerk_session_id": "sess_2"})
    request.headers["Authorization"] = f"Bearer {minter().token(sid='sess_1')}"
    assert serve(require_session(App(), clerk()), request.environ).status == "200 OK"


# ---- O: optional session ----


def test_O1_a_valid_session_is_there_and_the_application_is_called_once() -> None:
    app = App()
    serve(with_session(app, clerk()), **bearer(sub="user_7"))
    assert app.calls == 1
    assert isinstance(app.environ["clerk.session"], Session)
    assert app.environ["clerk.session"].user_id == "user_7"


@pytest.mark.parametrize("carrier", [bearer, in_cookie, dict])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_O1_the_response_is_unchanged_to_the_byte(
    carrier: Callable[..., dict[str, str]], method: str
) -> None:
    headers = [("Content-Type", "text/plain"), ("X-A", "1"), ("Set-Cookie", "a=1"), ("x-a", "2")]
    app = App(body=bytes(range(256)), headers=headers)
    keys = {"REQUEST_METHOD": method, **carrier()}
    assert serve(with_session(app, clerk()), **keys) == serve(app, **keys)
    assert app.calls == 2


def test_O1_except_for_the_cookies_that_a_handshake_sets() -> None:
    app = App()
    plain = serve(app)
    answer = serve(with_session(app, in_production()), **coming_home("__session={}; Path=/"))
    assert (answer.status, answer.body) == (plain.status, plain.body)
    assert answer.headers[: len(plain.headers)] == plain.headers
    assert {name for name, _ in answer.headers[len(plain.headers) :]} == {
        "Set-Cookie",
        "Cache-Control",
    }
    assert app.environs[1]["clerk.session"].user_id == "user_1"


def test_O2_without_a_session_the_application_is_called_and_told() -> None:
    app = App()
    assert serve(with_session(app, clerk())).status == "200 OK"
    assert app.calls == 1
    assert app.environ["clerk.session"] is None


def refused_token() -> tuple[Clerk, str]:
    return Clerk(jwt_key=minter().pem, clock=lambda: NOW), forge(minter().token())


def expired_token() -> tuple[Clerk, str]:
    return Clerk(jwt_key=minter().pem, clock=lambda: NOW + 3600), minter().token()


def api_error() -> tuple[Clerk, str]:
    return Clerk(secret_key="sk_test_wrong", http=in_process(local_clerk())), local_token()


def outage() -> tuple[Clerk, str]:
    url = f"http://127.0.0.1:{free_port()}"
    return Clerk(secret_key="test_asdf1234", api_url=url), local_token()


FAILURES = pytest.mark.parametrize(
    ("fail", "kind", "reason", "level"),
    [
        (refused_token, Unauthenticated, "token-invalid-signature", "INFO"),
        (
            expired_token,
            Unauthenticated,
            "session-token-expired-refresh-non-eligible-no-refresh-cookie",
            "INFO",
        ),
        (api_error, ClerkUnavailable, "jwk-remote-failed-to-load", "WARNING"),
        (outage, ClerkUnavailable, "jwk-remote-failed-to-load", "WARNING"),
    ],
)


@FAILURES
def test_O3_a_failure_is_no_session_and_the_application_can_see_which(
    fail: Callable[[], tuple[Clerk, str]],
    kind: type[ClerkError],
    reason: str,
    level: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    instance, token = fail()
    app = App()
    with caplog.at_level(logging.INFO):
        assert serve(with_session(app, instance), **carrying(token)).body == b"hello"
    assert app.calls == 1
    assert app.environ["clerk.session"] is None
    assert type(app.environ["clerk.error"]) is kind
    assert app.environ["clerk.error"].reason == reason
    assert (level, True) in [
        (each.levelname, reason in each.getMessage()) for each in caplog.records
    ]
    assert token not in caplog.text


# ---- R: required session ----


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"HTTP_AUTHORIZATION": "Bearer "},
        {"HTTP_COOKIE": "__session="},
        {"REQUEST_METHOD": "POST"},
        {"REQUEST_METHOD": "OPTIONS"},
        {"HTTP_ACCEPT": "text/html"},  # nothing redirects without a publishable key
    ],
)
def test_R1_without_a_session_it_is_401_without_a_body(keys: dict[str, str]) -> None:
    app = App()
    answer = serve(require_session(app, clerk()), **keys)
    assert (answer.status, answer.body) == ("401 Unauthorized", b"")
    assert answer.one("Content-Length") == "0"
    assert app.calls == 0


@EITHER_CARRIER
def test_R1_a_pending_session_is_no_session(carrier: Callable[..., dict[str, str]]) -> None:
    app = App()
    answer = serve(require_session(app, clerk()), **carrier(v=2, sts="pending"))
    assert (answer.status, answer.body, app.calls) == ("401 Unauthorized", b"", 0)


@FAILURES
def test_R1_a_failure_never_calls_the_application(
    fail: Callable[[], tuple[Clerk, str]], kind: type[ClerkError], reason: str, level: str
) -> None:
    instance, token = fail()
    app = App()
    answer = serve(require_session(app, instance), **carrying(token))
    assert answer.status[:3] == str(kind.status_code)
    assert (answer.body, app.calls) == (b"", 0)


def test_R1_a_page_load_that_a_handshake_can_resolve_is_redirected_first() -> None:
    app = App()
    wrapped = require_session(app, in_development())
    page = serve(wrapped, HTTP_SEC_FETCH_DEST="document")
    assert page.status == "307 Temporary Redirect"
    assert page.one("Location").startswith(f"{ISSUER_TEST}/v1/client/handshake?")
    assert serve(wrapped, HTTP_SEC_FETCH_DEST="empty").status == "401 Unauthorized"
    assert app.calls == 0


@EITHER_CARRIER
def test_R2_with_a_valid_session_the_application_is_called(
    carrier: Callable[..., dict[str, str]],
) -> None:
    app = App()
    answer = serve(require_session(app, clerk()), **carrier(sub="user_7", sid="sess_7"))
    assert (answer.status, answer.body) == ("200 OK", b"hello")
    assert app.calls == 1
    assert app.environ["clerk.session"] is not None
    assert app.environ["clerk.session"].user_id == "user_7"


def test_R3_the_error_says_what_a_handler_needs_to_know() -> None:
    errors: list[Any] = []
    environ = full_environ(PATH_INFO="/page", QUERY_STRING="a=b")
    serve(require_session(App(), clerk(), errors.append), environ)
    (error,) = errors
    assert isinstance(error, Unauthenticated)
    assert error.status_code == 401
    assert error.message == "Nobody is signed in."
    assert error.data is None
    assert error.reason == "session-token-and-uat-missing"
    assert isinstance(error.request, Request)
    assert error.request.url == "http://app.test/page?a=b"


# ---- E: on_error ----


@EVERY_WRAPPER
def test_E1_a_wrapper_needs_no_options_and_takes_no_unknown_ones(wrap: Wrap) -> None:
    set_default(clerk())
    assert serve(wrap(App()), **bearer()).body == b"hello"
    for unknown in ("onError", "onerror", "loaders"):
        with pytest.raises(TypeError, match=unknown):
            wrap(App(), **{unknown: None})


@EVERY_WRAPPER
def test_E2_the_handler_gets_one_argument_the_error(wrap: Wrap) -> None:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def handler(*arguments: Any, **keywords: Any) -> None:
        calls.append((arguments, keywords))

    serve(wrap(App(), clerk(), on_error=handler))
    (((error,), keywords),) = calls
    assert isinstance(error, ClerkError)
    assert keywords == {}


class Failure(Exception):
    """An application's own exception."""

    def __init__(self, **members: Any) -> None:
        super().__init__("not for clients")
        self.__dict__.update(members)


def refused(verdict: object, wrap: Wrap = with_session, **options: Any) -> Any:
    """Return the answer to a signed-out request whose handler returns ``verdict``."""
    app = App()
    answer = serve(wrap(app, clerk(), on_error=lambda _: verdict, **options))
    assert app.calls == 0
    return answer


@EITHER_VARIANT
@pytest.mark.parametrize(
    ("exception", "status"),
    [
        (Failure(), 500),
        (Failure(status_code=200), 200),
        (Failure(status_code=403), 403),
        (Failure(status_code=599), 599),
        (Failure(status_code=199), 500),
        (Failure(status_code=600), 500),
        (Failure(status_code=0), 500),
        (Failure(status_code=-401), 500),
        (Failure(status_code=None), 500),
        (Failure(status_code="401"), 500),
        (Failure(status_code=401.0), 500),
        (Failure(status_code=True), 500),
        (ClerkError(status_code=418), 418),
        (Unauthenticated(), 401),
        (ValueError("no"), 500),
        (KeyboardInterrupt(), 500),
        (SystemExit(3), 500),
        (GeneratorExit(), 500),
    ],
    ids=repr,
)
def test_E3_a_returned_exception_stops_the_chain_with_its_status(
    wrap: Wrap, exception: BaseException, status: int
) -> None:
    answer = refused(exception, wrap)
    assert answer.status[:3] == str(status)
    assert (answer.body, answer.one("Content-Length")) == (b"", "0")


@pytest.mark.parametrize("data", [{"a": ["é", 1]}, [], {}, "", "text", 0, False])
def test_E3_data_is_the_json_body_unless_it_is_none(data: object) -> None:
    answer = refused(Failure(status_code=402, data=data))
    assert answer.status[:3] == "402"
    assert answer.one("Content-Type") == "application/json"
    assert json.loads(answer.body) == data
    assert refused(Failure(status_code=402, data=None)).body == b""


@EITHER_VARIANT
@pytest.mark.parametrize(
    "verdict", [None, False, 0, "", "x", {}, True, print, 401, ("401",), NotImplemented], ids=repr
)
def test_E4_anything_else_lets_the_request_through(wrap: Wrap, verdict: object) -> None:
    app = App()
    answer = serve(wrap(app, clerk(), on_error=lambda _: verdict))
    assert (answer.status, answer.body, app.calls) == ("200 OK", b"hello", 1)
    assert app.environ["clerk.session"] is None
    assert isinstance(app.environ["clerk.error"], Unauthenticated)


def test_E4_the_string_of_an_error_is_a_string() -> None:
    app = App()
    assert serve(with_session(app, clerk(), on_error=str)).body == b"hello"
    assert app.calls == 1


class Teapot(Failure):
    """A class with a status of its own."""

    status_code = 418


@EITHER_VARIANT
@pytest.mark.parametrize(
    ("kind", "status"),
    [(Unauthenticated, 401), (Teapot, 418), (ValueError, 500), (SystemExit, 500)],
)
def test_E5_an_exception_class_counts_as_an_exception(
    wrap: Wrap, kind: type[BaseException], status: int
) -> None:
    assert refused(kind, wrap).status[:3] == str(status)


async def coroutine(error: ClerkError) -> ClerkError:
    return error


def generator(error: ClerkError) -> Iterator[ClerkError]:
    yield error


async def async_generator(error: ClerkError) -> Any:
    yield error


class Later:
    """An awaitable that is no coroutine."""

    def __init__(self, error: ClerkError) -> None:
        self.error = error

    def __await__(self) -> Iterator[Any]:
        yield self.error


@EITHER_VARIANT
@pytest.mark.parametrize("handler", [coroutine, generator, async_generator, Later])
def test_E5_an_awaitable_or_a_generator_is_a_type_error(
    wrap: Wrap, handler: Callable[[ClerkError], object]
) -> None:
    app = App()
    with pytest.raises(TypeError, match="plain function"):
        serve(wrap(app, clerk(), on_error=handler))
    assert app.calls == 0


def test_E6_the_default_handlers_log_and_return_nothing_or_the_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = ClerkUnavailable("Clerk sleeps.", reason="jwk-remote-failed-to-load")
    handler: Callable[[ClerkError], object] = default_on_error
    assert handler(error) is None
    assert strict_on_error(error) is error
    assert [each.levelname for each in caplog.records] == ["WARNING", "ERROR"]
    assert all("Clerk sleeps." in each.getMessage() for each in caplog.records)


@pytest.mark.parametrize(
    ("wrap", "status", "level"),
    [(with_session, "200 OK", "WARNING"), (require_session, "503 Service Unavailable", "ERROR")],
)
def test_E6_each_variant_uses_its_handler(
    wrap: Wrap, status: str, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    instance, token = api_error()
    with caplog.at_level(logging.DEBUG):
        assert serve(wrap(App(), instance), **carrying(token)).status == status
    levels = [each.levelname for each in caplog.records if each.funcName == "_log"]
    assert levels == [level]


@pytest.mark.parametrize(
    ("wrap", "status"),
    [
        (with_session, "200 OK"),
        (require_session, "401 Unauthorized"),
        (lambda app, clerk, **options: clerk.with_session(app, **options), "200 OK"),
        (lambda app, clerk, **options: clerk.require_session(app, **options), "401 Unauthorized"),
        (ClerkMiddleware, "200 OK"),
    ],
)
def test_E7_none_is_the_default_of_the_variant(wrap: Wrap, status: str) -> None:
    assert serve(wrap(App(), clerk(), on_error=None)).status == status
    assert serve(wrap(App(), clerk())).status == status


@EITHER_VARIANT
def test_E8_a_returned_exception_that_is_an_application_answers(wrap: Wrap) -> None:
    answer = refused(HTTPSeeOther(location="/sign-in?back=%2F"), wrap)
    assert answer.status == "303 See Other"
    assert answer.one("Location") == "http://app.test/sign-in?back=%2F"


@EITHER_VARIANT
@pytest.mark.parametrize("raised", [ZeroDivisionError(), Unauthenticated(), SystemExit(3)])
def test_E9_what_a_handler_raises_reaches_the_server(wrap: Wrap, raised: BaseException) -> None:
    def handler(_: ClerkError) -> object:
        raise raised

    app = App()
    with pytest.raises(type(raised)) as caught:
        serve(wrap(app, clerk(), on_error=handler))
    assert caught.value is raised
    assert app.calls == 0


@pytest.mark.parametrize(
    ("exception", "status", "document"),
    [
        (ClerkError("Broken."), 500, {"error": "Broken."}),
        (Unauthenticated("Who?"), 401, {"error": "Who?"}),
        (ClerkError("Broken.", status_code=404, data=NOT_FOUND), 404, NOT_FOUND),
        (ClerkError("Broken.", data=[]), 500, []),
        (Failure(status_code=409, message="Twice."), 409, {"error": "Twice."}),
        (Failure(status_code="409", data={"a": 1}), 500, {"a": 1}),
        (Failure(), 500, {"error": "Internal Server Error"}),  # its text is nobody's business
    ],
    ids=repr,
)
def test_E10_json_error_response_has_a_body_always(
    exception: BaseException, status: int, document: object
) -> None:
    answer = refused(exception, error_response=json_error_response)
    assert answer.status[:3] == str(status)
    assert json.loads(answer.body) == document
    assert b"not for clients" not in answer.body


def test_E11_a_custom_handler_may_let_through_even_where_a_session_is_required() -> None:
    recorded: list[ClerkError] = []
    app = App()
    answer = serve(require_session(app, clerk(), on_error=recorded.append))
    assert (answer.body, app.calls) == (b"hello", 1)
    assert app.environ["clerk.session"] is None
    assert recorded == [app.environ["clerk.error"]]


# ---- W: wherever it runs ----


def in_development() -> Clerk:
    """Return an instance that sends browsers to Clerk and back, in development."""
    return _with_publishable_key(PUBLISHABLE_TEST)


def in_production() -> Clerk:
    return _with_publishable_key(PUBLISHABLE_LIVE)


def _with_publishable_key(key: str) -> Clerk:
    return Clerk(jwt_key=minter().pem, publishable_key=key, dotenv=False, clock=lambda: NOW)


def out_of_order() -> Clerk:
    """Return an instance whose Clerk is out of order."""
    api = Answering({"errors": []}, "500 Internal Server Error")
    return Clerk(secret_key="sk_test_1", http=in_process(api), dotenv=False)


def handshake_token(*directives: str) -> str:
    """Return what Clerk sends back; ``{}`` in a directive is a session token."""
    token = minter().token()
    return minter().token(handshake=[each.format(token) for each in directives], sub=...)


def coming_home(*directives: str) -> dict[str, str]:
    """Return the environ key of a browser that comes back from a handshake in production."""
    return {"HTTP_COOKIE": f"__clerk_handshake={handshake_token(*directives)}"}


PAGE = {"HTTP_SEC_FETCH_DEST": "document", "HTTP_ACCEPT": "text/html"}

# How it is wrapped, with which instance, what the request carries, and the statuses of GET, HEAD.
OUTCOMES: dict[str, tuple[Callable[[WSGIApplication], ClerkMiddleware], dict[str, str], str]] = {
    "signed in": (lambda app: require_session(app, clerk()), bearer(), "200 200"),
    "signed in by cookie": (lambda app: with_session(app, clerk()), in_cookie(), "200 200"),
    "let through": (lambda app: with_session(app, clerk()), {}, "200 200"),
    "let through, with debug headers": (
        lambda app: with_session(app, clerk(), debug_headers=True),
        {},
        "200 200",
    ),
    "an outage, let through": (lambda app: with_session(app, out_of_order()), bearer(), "200 200"),
    "refused": (lambda app: require_session(app, clerk()), {}, "401 401"),
    "refused, forged": (
        lambda app: require_session(app, clerk()),
        carrying(forge(minter().token())),
        "401 401",
    ),
    "refused, pending": (
        lambda app: require_session(app, clerk()),
        bearer(v=2, sts="pending"),
        "401 401",
    ),
    "refused, another session": (
        lambda app: require_session(app, clerk()),
        {**bearer(), "QUERY_STRING": "_clerk_session_id=sess_2"},
        "401 401",
    ),
    "refused in JSON": (
        lambda app: require_session(app, clerk(), error_response=json_error_response),
        {},
        "401 401",
    ),
    "refused with data": (
        lambda app: with_session(app, clerk(), lambda _: Failure(status_code=402, data=[1])),
        {},
        "402 402",
    ),
    "refused without content": (
        lambda app: with_session(app, clerk(), lambda _: Failure(status_code=204)),
        {},
        "204 204",
    ),
    "an outage": (lambda app: require_session(app, out_of_order()), bearer(), "503 503"),
    "the handler answers": (
        lambda app: require_session(app, clerk(), lambda _: HTTPSeeOther(location="/sign-in")),
        {},
        "303 303",
    ),
    "off to Clerk": (lambda app: require_session(app, in_development()), PAGE, "307 401"),
    "off to Clerk, or let through": (
        lambda app: with_session(app, in_development()),
        PAGE,
        "307 200",
    ),
    "home from Clerk in development": (
        lambda app: with_session(app, in_development()),
        {"QUERY_STRING": f"__clerk_handshake={handshake_token('__session={}; Path=/')}"},
        "307 307",
    ),
    "home from Clerk, signed in": (
        lambda app: require_session(app, in_production()),
        coming_home("__session={}; Path=/", f"__session_{SUFFIX_LIVE}={{}}; Path=/"),
        "200 200",
    ),
    "home from Clerk, signed out": (
        lambda app: require_session(app, in_production()),
        coming_home("__session=; Path=/; Max-Age=0", "__client_uat=0; Path=/"),
        "401 401",
    ),
    "home from Clerk, signed out and let through": (
        lambda app: with_session(app, in_production()),
        coming_home("__session=; Path=/; Max-Age=0", "__client_uat=0; Path=/"),
        "200 200",
    ),
}


@pytest.mark.parametrize(("wrap", "keys", "statuses"), OUTCOMES.values(), ids=OUTCOMES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_W2_wsgiref_is_content_on_both_sides(
    wrap: Callable[[WSGIApplication], ClerkMiddleware],
    keys: dict[str, str],
    statuses: str,
    method: str,
) -> None:
    app = App()
    answer = serve(validator(wrap(validator(app))), REQUEST_METHOD=method, **keys)
    assert answer.status[:3] == statuses.split()[method == "HEAD"]
    assert app.calls == (answer.status == "200 OK")
    if method == "HEAD":
        assert answer.body == b""


@pytest.mark.parametrize(
    ("outcome", "cookies", "cache_control"),
    [
        ("home from Clerk, signed in", 2, ["private, no-store"]),
        ("home from Clerk, signed out and let through", 2, ["private, no-store"]),
        ("home from Clerk, signed out", 2, ["private, no-store"]),
        ("home from Clerk in development", 1, ["no-store"]),
        ("off to Clerk", 1, ["no-store"]),
        ("refused", 0, ["no-store"]),
        ("signed in", 0, []),
        ("let through", 0, []),
    ],
)
def test_W2_cookies_of_clerk_go_on_whatever_is_sent(
    outcome: str, cookies: int, cache_control: list[str]
) -> None:
    wrap, keys, _ = OUTCOMES[outcome]
    answer = serve(validator(wrap(validator(App()))), **keys)
    assert len(answer.all("Set-Cookie")) == cookies
    assert answer.all("Cache-Control") == cache_control


# ---- manual authentication ----


def people(**options: Any) -> tuple[Emulator, Clerk, str, str]:
    """Return a local Clerk, an instance of it, and a session of a client with the client's token.

    The clients hold another session, too, which was active before.
    """
    emulator = Emulator(**options)
    user_id, client_id = emulator.create_user()["id"], emulator.create_client()["id"]
    emulator.create_session(user_id, client_id=client_id)
    session_id = emulator.create_session(user_id, client_id=client_id)["id"]
    instance = clerk_for(emulator, publishable_key="")
    return emulator, instance, session_id, emulator.client_token(client_id)


def live_clerk(emulator: Emulator) -> Clerk:
    """Return an instance that asks the local Clerk about every session."""
    return clerk_for(emulator, publishable_key="", verification="live")


def asked_of(emulator: Emulator) -> list[tuple[str, str]]:
    return [(request.method, request.path) for request in emulator.requests]


def test_R4_a_client_without_an_active_session_does_not_pass() -> None:
    emulator, instance, session_id, client_token = people()
    live = live_clerk(emulator).require_session(App())
    keys = {"HTTP_COOKIE": f"__session={client_token}"}
    assert serve(live, **keys).status == "200 OK"
    for session in instance.sessions.list(client_id=instance.sessions.get(session_id).client_id):
        instance.sessions.revoke(str(session.id))
    assert serve(live, **keys).status == "401 Unauthorized"


def test_M1_in_live_verification_the_named_session_is_verified() -> None:
    emulator, instance, session_id, client_token = people()
    client_id = instance.sessions.get(session_id).client_id
    other = next(
        one
        for one in emulator.sessions()
        if one["client_id"] == client_id and one["id"] != session_id
    )
    live = live_clerk(emulator)
    for named in (session_id, other["id"]):
        environ = full_environ(
            HTTP_COOKIE=f"__session={client_token}", QUERY_STRING=f"_clerk_session_id={named}"
        )
        state = live.authenticate(environ)
        assert (state.status, getattr(state.session, "id", None)) == ("signed-in", named)
        assert ("POST", f"/v1/sessions/{named}/verify") in asked_of(emulator)


def test_A1_verify_session_posts_the_token_and_returns_the_session() -> None:
    emulator, instance, session_id, client_token = people()
    session = instance.sessions.verify_session(session_id, client_token)
    assert asked_of(emulator)[-1] == ("POST", f"/v1/sessions/{session_id}/verify")
    assert (session.id, session.status) == (session_id, "active")
    assert session.client_id == emulator.session(session_id)["client_id"]
    assert session.user_id == emulator.session(session_id)["user_id"]
    for moment in (session.last_active_at, session.expire_at, session.abandon_at):
        assert moment is not None
        assert moment.utcoffset() is not None


@pytest.mark.parametrize("session_id", ["", "sess/1", "../users", "sess_1?", "é", "s" * 129, None])
def test_A2_an_id_that_cannot_be_one_is_a_value_error_before_any_request(session_id: Any) -> None:
    emulator, instance, _, client_token = people()
    with pytest.raises(ValueError, match="session_id"):
        instance.sessions.verify_session(session_id, client_token)
    assert asked_of(emulator) == []


def test_A3_verify_client_posts_the_token_and_returns_the_client() -> None:
    emulator, instance, session_id, client_token = people()
    client = instance.clients.verify_client(client_token)
    assert asked_of(emulator)[-1] == ("POST", "/v1/clients/verify")
    assert client.last_active_session_id == session_id
    assert {session.id for session in client.sessions} == set(client.session_ids)
    assert all(isinstance(session, Session) for session in client.sessions)


def test_A4_the_recipe_for_a_particular_session_runs_as_written() -> None:
    _, instance, session_id, token = people()
    set_default(instance)
    request = Request.blank(f"/?_clerk_session_id={session_id}", cookies={"__session": token})

    session_id = request.GET["_clerk_session_id"]
    client_token = request.cookies["__session"]
    session = sessions.verify_session(session_id, client_token)

    assert session.id == session_id


def test_A4_the_recipe_for_the_last_active_session_runs_as_written() -> None:
    _, instance, last, token = people()
    set_default(instance)
    request = Request.blank("/", cookies={"__session": token})

    client_token = request.cookies["__session"]
    client = clients.verify_client(client_token)
    session_id = client.last_active_session_id
    assert session_id is not None
    session = sessions.verify_session(session_id, client_token)

    assert session.id == last


def test_A5_an_error_of_the_api_is_an_api_error_with_clerks_own_words() -> None:
    _, instance, session_id, _ = people()
    with pytest.raises(ApiError) as caught:
        instance.sessions.verify_session(session_id, "not-a-token")
    assert caught.value.status_code == 400
    assert caught.value.message
    [entry] = caught.value.data
    assert entry["code"] == "invalid_session_token"
    assert entry["message"]
    assert entry["long_message"]


def test_A5_no_answer_is_clerk_unavailable() -> None:
    nobody = Clerk(secret_key="test_asdf1234", api_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ClerkUnavailable):
        nobody.sessions.verify_session("sess_1", "a-token")


@pytest.mark.parametrize(
    ("status", "kind"), [(None, ClerkUnavailable), (500, ClerkUnavailable), (404, Unauthenticated)]
)
def test_A5_inside_the_wrapper_they_are_translated(
    status: int | None, kind: type[ClerkError]
) -> None:
    emulator, _, session_id, _ = people()
    live = live_clerk(emulator)
    app = App()
    keys = carrying(emulator.session_token(session_id))
    assert serve(live.with_session(app), **keys).status == "200 OK"
    emulator.faults.fail(status, prefix="/v1/sessions")
    assert serve(live.with_session(app), **keys).status == "200 OK"
    error = app.environs[-1]["clerk.error"]
    assert type(error) is kind
    assert isinstance(error.__cause__, ApiError if status else ClerkUnavailable)


def test_A6_where_verifying_is_gone_the_modern_equivalent_answers() -> None:
    emulator, instance, session_id, _ = people(verify_endpoints="gone")
    token = emulator.session_token(session_id)
    verify = ("POST", f"/v1/sessions/{session_id}/verify")
    for _ in range(2):
        assert instance.sessions.verify_session(session_id, token).status == "active"
    assert asked_of(emulator).count(verify) == 1
    instance.sessions.revoke(session_id)
    with pytest.raises(ApiError) as caught:
        instance.sessions.verify_session(session_id, token)
    assert caught.value.status_code == 401
    assert asked_of(emulator).count(verify) == 1


# ---- wherever it runs ----


@pytest.mark.servers
@pytest.mark.parametrize(
    ("example", "path"),
    [
        ("plain_wsgi", "/me"),
        ("pyramid_app", "/me"),
        ("bottle_app", "/api/me"),
        ("falcon_app", "/me"),
        ("flask_app", "/api/me"),
    ],
)
def test_W1_applications_of_any_framework_are_wrapped_and_served_by_gunicorn(
    example: str, path: str
) -> None:
    with start_emulator() as running:
        [user] = running.emulator.users()
        token = running.emulator.session_token(running.emulator.sessions()[0]["id"])
        options = ("-c", "gunicorn.conf.py")
        folder = PROJECT / "examples"
        with gunicorn(f"{example}:app", running, *options, cwd=folder) as url:
            signed_in = requests.get(
                f"{url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=60
            )
            signed_out = requests.get(f"{url}{path}", timeout=60)
    assert (signed_in.status_code, signed_in.json()["user_id"]) == (200, user["id"])
    assert signed_out.status_code == 401
