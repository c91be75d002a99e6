"""No secret key, token or cookie leaves by a log line, an error, a repr, a traceback or a body.

Every secret here is a text that occurs nowhere else, and every server that is asked repeats what
it was told. Logs are read at the lowest level of all loggers.
"""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, ProtocolError

import clerk_wsgi
from clerk_wsgi import ApiError, Clerk, ClerkError, ClerkUnavailable, ConfigurationError
from clerk_wsgi.handlers import error_response, json_error_response, strict_on_error
from clerk_wsgi.keys import PemKey
from clerk_wsgi.settings import Secret
from clerk_wsgi.testing import in_process

from .minting import NOW, PUBLISHABLE_LIVE, SUFFIX_LIVE, Minter
from .minting import environ as request_environ
from .servers import free_port, hangs_up, resets, sends, sends_then_closes, serving
from .servers import response as http_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .servers import Conversation

MINTER = Minter()
KEY = "sk_live_KeyThatNobodyMaySee0123456789"
MACHINE_KEY = "ak_MachineKeyThatNobodyMaySee01234"
REFRESH = "RefreshTokenThatNobodyMaySee012345"
NONCE = "NonceThatNobodyMaySee0123456789012"
CLIENT = "ClientTokenThatNobodyMaySee0123456"
JUNK = "JunkTokenThatNobodyMaySee012345678"
OPAQUE = "oat_OpaqueTokenThatNobodyMaySee0123"
M2M = "mt_M2MTokenThatNobodyMaySee0123456"
API_KEY = "ak_ApiKeyTokenThatNobodyMaySee0123"
PASSWORD = "UGFzc3dvcmRUaGF0Tm9ib2R5TWF5U2VlMDEy"
BROWSER = "DevBrowserThatNobodyMaySee01234567"
PLAIN = (KEY, MACHINE_KEY, REFRESH, NONCE, CLIENT, JUNK, OPAQUE, M2M, API_KEY, PASSWORD, BROWSER)

GOOD = MINTER.token()
PENDING = MINTER.token(sts="pending")
EXPIRED = MINTER.token(exp=NOW - 100)
FORGED = Minter(MINTER.kid).token()
UNKNOWN = Minter("KidOfTheUnknownKey").token()
HANDSHAKE = MINTER.compact(
    {"alg": "RS256", "kid": MINTER.kid, "typ": "JWT"}, {"handshake": [f"__session={FORGED}"]}
)
TOKENS = (GOOD, PENDING, EXPIRED, FORGED, UNKNOWN, HANDSHAKE)

# What must not be seen: the plain ones, and the payload and signature of each token.
SECRETS = (*PLAIN, *{part for token in TOKENS for part in token.split(".")[1:]})


def shown_in(text: str) -> list[str]:
    """The secrets that stand in a text, shortened."""
    return [f"{secret[:12]}…" for secret in SECRETS if secret in text]


# Requests: every carrier, every kind of token


def cookie(*pairs: str) -> dict[str, str]:
    return {"HTTP_COOKIE": "; ".join(pairs)}


REQUESTS: dict[str, dict[str, str]] = {
    "nobody": {},
    "a good bearer token": {"HTTP_AUTHORIZATION": f"Bearer {GOOD}"},
    "a pending bearer token": {"HTTP_AUTHORIZATION": f"Bearer {PENDING}"},
    "an expired bearer token": {"HTTP_AUTHORIZATION": f"Bearer {EXPIRED}"},
    "a forged bearer token": {"HTTP_AUTHORIZATION": f"Bearer {FORGED}"},
    "a bearer token of an unknown key": {"HTTP_AUTHORIZATION": f"Bearer {UNKNOWN}"},
    "a bare junk token": {"HTTP_AUTHORIZATION": JUNK},
    "two bearer tokens": {"HTTP_AUTHORIZATION": f"Bearer {GOOD} {JUNK}"},
    "basic credentials": {"HTTP_AUTHORIZATION": f"Basic {PASSWORD}"},
    "an OAuth token": {"HTTP_AUTHORIZATION": f"Bearer {OPAQUE}"},
    "an M2M token": {"HTTP_AUTHORIZATION": f"Bearer {M2M}"},
    "an API key": {"HTTP_AUTHORIZATION": f"Bearer {API_KEY}"},
    "a good cookie": cookie(f"__session={GOOD}", "__client_uat=1"),
    "a good cookie of another session": {
        **cookie(f"__session={GOOD}", "__client_uat=1"),
        "QUERY_STRING": f"_clerk_session_id={JUNK}",
    },
    "a forged cookie": cookie(f"__session={FORGED}", "__client_uat=1"),
    "an outdated cookie": cookie(f"__session={GOOD}", f"__client_uat={NOW + 100}"),
    "a client token": cookie(f"__session={CLIENT}", "__client_uat=1"),
    "an expired cookie": cookie(f"__session={EXPIRED}", "__client_uat=1"),
    "an expired cookie to refresh": cookie(
        f"__session={EXPIRED}",
        "__client_uat=1",
        f"__session_{SUFFIX_LIVE}={EXPIRED}",
        f"__client_uat_{SUFFIX_LIVE}=1",
        f"__refresh_{SUFFIX_LIVE}={REFRESH}",
    ),
    "a handshake's nonce": cookie(f"__clerk_handshake_nonce={NONCE}"),
    "a handshake's nonce in the query": {"QUERY_STRING": f"__clerk_handshake_nonce={NONCE}"},
    "a handshake that was forged": cookie(f"__clerk_handshake={FORGED}"),
    "a handshake of a forged session": {"QUERY_STRING": f"__clerk_handshake={HANDSHAKE}"},
    "a browser's token": cookie(f"__clerk_db_jwt={BROWSER}"),
}


# Servers: every one repeats the authorization that it got, and what it was asked


# Marks what a server said. Answers of Clerk's are Clerk's to answer for: an ``ApiError`` carries
# them as its ``data``, and a frame that reads one holds it. Nothing of ours is marked.
ECHO = "ThisIsAnEcho"


class Echo:
    """A Clerk that answers with what it was told."""

    def __init__(self, status: str, template: str, *headers: tuple[str, str]) -> None:
        self.status = status
        self.template = template
        self.headers = headers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        asked = environ["wsgi.input"].read(length).decode()
        told = f"{ECHO} {environ['HTTP_AUTHORIZATION']} {environ['QUERY_STRING']} {asked}"
        headers = [(name, value.replace("@", told)) for name, value in self.headers]
        start_response(self.status, [("Content-Type", "application/json"), *headers])
        return [self.template.replace('"@"', json.dumps(told)).encode()]


class Breaking(HTTPAdapter):
    """A way to the network that breaks, and quotes the request in its complaint."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        told = f"{request.url} {request.headers} {request.body!r}"
        reason = ProtocolError("Connection aborted.", ConnectionResetError(104, "reset by peer"))
        raise requests.ConnectionError(MaxRetryError(POOL, told, reason), request=request)


POOL = HTTPConnectionPool("127.0.0.1")


def broken() -> requests.Session:
    session = requests.Session()
    session.mount("https://", Breaking())
    return session


ERRORS = '{"errors":[{"code":"@","message":"@","long_message":"@","meta":{"key":"@"}}],"key":"@"}'
JWKS = json.dumps(MINTER.jwks())
WAYS: dict[str, Callable[[], requests.Session]] = {
    "keys": lambda: in_process(Echo("200 OK", JWKS)),
    "keys and an echo": lambda: in_process(Echo("200 OK", f'{JWKS[:-1]},"session":"@"}}')),
    "401": lambda: in_process(Echo("401 Unauthorized", ERRORS, ("X-Echo", "@"))),
    "403": lambda: in_process(Echo("403 Forbidden", ERRORS)),
    "404": lambda: in_process(Echo("404 Not Found", ERRORS)),
    "410": lambda: in_process(Echo("410 Gone", ERRORS)),
    "422": lambda: in_process(Echo("422 Unprocessable", ERRORS)),
    "429": lambda: in_process(Echo("429 Too Many", ERRORS, ("Retry-After", "1"))),
    "500": lambda: in_process(Echo("500 Oops", '<html>"@"</html>')),
    "a redirect": lambda: in_process(Echo("302 Found", "", ("Location", "https://evil.test/@"))),
    "HTML": lambda: in_process(Echo("200 OK", '<html>"@"</html>')),
    "a text": lambda: in_process(Echo("200 OK", '"@"')),
    "a list": lambda: in_process(Echo("200 OK", '["@"]')),
    "a key named like a secret": lambda: in_process(Echo("200 OK", '{"keys":[{"kid":"@"}]}')),
    "an object of secrets": lambda: in_process(
        Echo("200 OK", '{"id":"@","object":"@","status":"@","directives":["@"],"cookies":["@"]}')
    ),
    "a broken network": broken,
}


def clerk(http: requests.Session, **options: Any) -> Clerk:
    return Clerk(
        **{
            "secret_key": KEY,
            "machine_secret_key": MACHINE_KEY,
            "publishable_key": PUBLISHABLE_LIVE,
            "accepts_token": "any",
            "dotenv": False,
            "http": http,
            "clock": lambda: NOW,
            "timeout": 2,
            **options,
        }
    )


# What comes out of one request


class Broken(Exception):
    """What an application raises."""


class Outcome:
    """One request through a wrapper: what was sent, raised, and left in the environ."""

    def __init__(self, wrap: Callable[[WSGIApplication], WSGIApplication], **keys: str) -> None:
        self.sent: list[object] = []
        self.errors: list[BaseException] = []
        environ = request_environ(**keys)

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"hello"]

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            self.sent += [status, headers]

        self.sent += wrap(app)(environ, start_response)
        if environ.get("clerk.error"):
            self.errors.append(environ["clerk.error"])
        self.states = [environ["clerk.state"], environ["clerk.auth"], environ["clerk.session"]]


WRAPPERS: list[dict[str, Any]] = [
    {},
    {"on_error": strict_on_error},
    {"on_error": strict_on_error, "error_response": json_error_response, "debug_headers": True},
    {"on_error": lambda error: error.__class__(error.message), "error_response": error_response},
    {"debug_headers": True},
]


def check_error(error: BaseException) -> None:
    """No secret in an error, in what it was raised from, or in our frames on the way."""
    for one in chain(error):
        texts = [str(one), repr(one), repr(one.args), "".join(traceback.format_exception(one))]
        texts += [own(value) for name, value in vars(one).items() if name != "_request"]
        assert shown_in(" ".join(texts)) == []
        for frame, name, value in locals_of(one.__traceback__):
            assert shown_in(own(value)) == [], f"{name} in {frame}"
    assert shown_in(pickled(error)) == []
    assert shown_in(pickled(copy.copy(error))) == []


def own(value: object) -> str:
    """What a value shows, unless that is what a server said; some cannot be shown yet."""
    try:
        shown = repr(value)
    except AttributeError:
        return ""
    return "" if ECHO in shown else shown


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it."""
    seen: list[BaseException | None] = [None]
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one not in seen and one is not None:
            seen.append(one)
            yield one
            waiting += [one.__cause__, one.__context__]


def locals_of(trace: TracebackType | None) -> Iterator[tuple[str, str, object]]:
    """The local variables of our own frames, but for ``environ``: WSGI wants it to be there."""
    folder = clerk_wsgi.__path__[0]
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(folder):
            where = f"{code.co_name} ({code.co_filename.removeprefix(folder)})"
            for name, value in trace.tb_frame.f_locals.items():
                if name != "environ":
                    yield where, name, value
        trace = trace.tb_next


def pickled(value: object) -> str:
    return pickle.dumps(value, protocol=0).decode("latin-1") + repr(pickle.dumps(value))


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """All that was logged, as text and as the arguments that it was made of."""
    formatter = logging.Formatter("%(name)s %(message)s")
    lines = [formatter.format(record) for record in caplog.records]
    return "\n".join([*lines, *(repr(vars(record)) for record in caplog.records)])


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "requests", "clerk_wsgi"):
        caplog.set_level(logging.DEBUG, logger=name)


@pytest.mark.parametrize("verification", ["token", "live"])
@pytest.mark.parametrize("way", WAYS)
def test_no_request_and_no_answer_of_clerks_brings_a_secret_to_light(
    way: str, verification: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name, keys in REQUESTS.items():
        instance = clerk(WAYS[way](), verification=verification)
        for options in WRAPPERS:
            outcome = Outcome(lambda app: instance.with_session(app, **options), **keys)  # noqa: B023
            assert shown_in(repr(outcome.sent)) == [], name
            assert shown_in(repr(outcome.states)) == [], name
            for error in outcome.errors:
                check_error(error)
        assert shown_in(logged(caplog)) == [], name
        caplog.clear()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", REQUESTS)
def test_an_error_handler_gets_an_error_that_shows_nothing(name: str, way: str) -> None:
    seen: list[ClerkError] = []
    Outcome(
        lambda app: clerk(WAYS[way]()).require_session(app, on_error=seen.append), **REQUESTS[name]
    )
    for error in seen:
        assert error.request is not None
        check_error(error)


# Applications and handlers that raise


@pytest.mark.parametrize("name", REQUESTS)
def test_the_traceback_of_an_application_shows_nothing_in_our_frames(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise Broken

    with pytest.raises(Broken) as caught:
        Outcome(lambda _: clerk(WAYS["keys"]()).with_session(app), **REQUESTS[name])
    assert list(locals_of(caught.tb)), "our frames are there"
    check_error(caught.value)
    assert shown_in(logged(caplog)) == []


@pytest.mark.parametrize("name", REQUESTS)
def test_the_traceback_of_a_handler_shows_nothing_in_our_frames(name: str) -> None:
    def on_error(error: ClerkError) -> None:
        raise Broken from error

    with suppress(Broken):
        Outcome(
            lambda app: clerk(WAYS["401"]()).require_session(app, on_error=on_error),
            **REQUESTS[name],
        )
        return
    with pytest.raises(Broken) as caught:
        Outcome(
            lambda app: clerk(WAYS["401"]()).require_session(app, on_error=on_error),
            **REQUESTS[name],
        )
    assert list(locals_of(caught.tb)), "our frames are there"
    check_error(caught.value)


# Calls that the application makes itself


@pytest.mark.parametrize("way", WAYS)
def test_an_error_of_the_api_does_not_show_the_key(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    instance = clerk(WAYS[way](), sleep=lambda _: None)
    calls: list[Callable[[], object]] = [
        lambda: instance.sessions.verify_session("sess_1", CLIENT),
        lambda: instance.clients.verify_client(CLIENT),
        lambda: instance.users.get("user_1"),
        lambda: list(instance.sessions.list(user_id="user_1")),
    ]
    for call in calls:
        try:
            call()
        except (ApiError, ClerkUnavailable) as error:
            # The token is the application's own argument, the key is not.
            assert KEY not in own(error.message)
            for one in chain(error):
                for frame, name, value in locals_of(one.__traceback__):
                    assert KEY not in own(value), f"{name} in {frame}"
    assert shown_in(logged(caplog)) == []


# The network as it is


@pytest.mark.parametrize("verification", ["token", "live"])
@pytest.mark.parametrize(
    "behave",
    [
        sends(http_response(JWKS.encode(), "200 OK", "Content-Type: application/json")),
        sends(http_response(b"{}", "401 Unauthorized")),
        sends(http_response(b"", "302 Found", "Location: https://evil.test/")),
        sends(http_response(b"x", "500 Oops")),
        sends_then_closes(b"junk\r\n\r\n"),
        sends_then_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        hangs_up,
        resets,
    ],
    ids=["keys", "401", "302", "500", "junk", "cut short", "hang up", "reset"],
)
def test_the_http_client_logs_nothing_of_it_either(
    behave: Callable[[Conversation], None],
    verification: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(behave) as server:
        for name, keys in REQUESTS.items():
            instance = clerk(requests.Session(), api_url=server.url, verification=verification)
            outcome = Outcome(instance.with_session, **keys)
            assert shown_in(repr(outcome.sent)) == [], name
            for error in outcome.errors:
                check_error(error)
            assert shown_in(logged(caplog)) == [], name
            caplog.clear()
        assert server.received


def test_a_port_where_nobody_listens_is_complained_about_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    instance = clerk(requests.Session(), api_url=f"http://127.0.0.1:{free_port()}")
    for keys in REQUESTS.values():
        for error in Outcome(instance.with_session, **keys).errors:
            check_error(error)
    assert shown_in(logged(caplog)) == []
    assert "jwk-remote-failed-to-load" in logged(caplog)


# Configuration


@pytest.mark.parametrize(
    "options",
    [
        {"api_url": "ftp://x"},
        {"api_url": f"https://user:{KEY}@api.clerk.com"},
        {"publishable_key": KEY},
        {"jwt_key": f"-----BEGIN PUBLIC KEY-----\n{KEY}\n-----END PUBLIC KEY-----"},
        {"jwt_key": KEY},
        {"secret_key": f"{KEY}\n{KEY}"},
        {"secret_key": KEY.encode()},
        {"secret_key": [KEY]},
        {"secret_key": f"{KEY}\xe9"},
        {"machine_secret_key": 7},
        {"accepts_token": KEY},
        {"verification": KEY},
        {"timeout": KEY},
        {"clock_skew": KEY},
        {"proxy_url": KEY},
        {"domain": f"{KEY}/"},
        {"sign_in_url": f"{KEY}\n"},
        {"is_satellite": KEY},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_wrong_setting_is_complained_about_without_secrets(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    try:
        clerk(requests.Session(), **options)
    except ConfigurationError as error:
        name = next(iter(options))
        assert name in str(error)
        check_error(error)
    assert shown_in(logged(caplog)) == []


def test_an_unknown_setting_is_complained_about_without_secrets() -> None:
    with pytest.raises(TypeError) as caught:
        clerk(requests.Session(), secret=KEY)
    assert shown_in(f"{caught.value}") == []
    found = [(where, name) for where, name, value in locals_of(caught.tb) if shown_in(own(value))]
    assert found == []


# Reprs and pickles


def objects_of(root: object) -> list[object]:
    """Everything of ours that an instance is made of."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, (list, tuple, set, frozenset)):
            waiting += one
        elif type(one).__module__.startswith("clerk_wsgi"):
            waiting += getattr(one, "__dict__", {}).values()
            slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
            waiting += [getattr(one, name) for name in slots if hasattr(one, name)]
    return [one for one in seen.values() if type(one).__module__.startswith("clerk_wsgi")]


def test_nothing_that_an_instance_is_made_of_shows_a_secret() -> None:
    instance = clerk(WAYS["keys"](), verification="live")
    for keys in REQUESTS.values():
        instance.authenticate(request_environ(**keys))
    parts = objects_of(instance)
    kinds = {type(one).__name__ for one in parts}
    assert {"Clerk", "Settings", "Secret", "Transport", "RemoteKeys"} <= kinds
    for one in parts:
        assert shown_in(f"{one!r} {one!s}") == [], type(one)


def test_the_settings_and_the_instance_name_what_they_are_without_showing_it() -> None:
    instance = clerk(WAYS["keys"](), jwt_key=MINTER.pem)
    assert "Clerk(" in repr(instance)
    assert "Secret(…)" in repr(instance.settings)
    assert MINTER.pem.splitlines()[1] not in repr(instance.settings)
    assert shown_in(f"{instance.settings!r} {instance.settings!s} {instance!s}") == []


def test_a_secret_tells_itself_to_nobody_who_does_not_ask_by_name() -> None:
    secret = Secret(KEY)
    assert secret.reveal() == KEY
    assert KEY not in f"{secret} {secret!r} {secret!s} {[secret]}"
    assert secret == Secret(KEY)
    assert secret != KEY
    assert hash(secret) == hash(Secret(KEY)) != hash(KEY)
    with pytest.raises(TypeError) as caught:
        pickle.dumps(secret)
    assert KEY not in str(caught.value)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_settings_are_not_pickled() -> None:
    settings = clerk(WAYS["keys"]()).settings
    with pytest.raises(TypeError):
        pickle.dumps(settings)


@pytest.mark.parametrize("text", [KEY, f"-----BEGIN PUBLIC KEY-----{KEY}", MINTER.pem[:-80]])
def test_a_bad_pem_text_is_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        PemKey(text)
    assert all(line not in f"{caught.value!r}" for line in text.splitlines() if len(line) > 30)


def test_pickled_errors_keep_their_evidence_and_lose_the_request() -> None:
    seen: list[ClerkError] = []
    Outcome(
        lambda app: clerk(WAYS["401"]()).require_session(app, on_error=seen.append),
        **REQUESTS["a good bearer token"],
    )
    (error,) = seen
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (again.message, again.reason, again.status_code, again.data) == (
        error.message,
        error.reason,
        error.status_code,
        error.data,
    )
    assert error.request is not None
    assert again.request is None
