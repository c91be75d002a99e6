"""Whatever a stranger sends, Clerk's API is asked at its documented paths, and nobody else is.

The instances are real, and so is the way out: a server that keeps every request that leaves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st
from webob import Request, Response

from clerk_wsgi import Clerk
from clerk_wsgi.testing import in_process

from .minting import (
    NOW,
    PUBLISHABLE_LIVE,
    PUBLISHABLE_TEST,
    SUFFIX_LIVE,
    SUFFIX_TEST,
)
from .requesting import MINTER, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

API = "https://api.clerk.test"
SECRET = "sk_live_secret"
MACHINE_SECRET = "ak_machine_secret"
DOCUMENTED = [
    ("GET", r"/v1/jwks", r""),
    ("GET", r"/v1/clients/handshake_payload", r"nonce=[A-Za-z0-9_-]{1,512}"),
    ("POST", r"/v1/sessions/[A-Za-z0-9_-]{1,128}/refresh", r"(suffixed_cookies=true)?"),
    ("POST", r"/api_keys/verify", r""),
    ("POST", r"/m2m_tokens/verify", r""),
    ("POST", r"/oauth_applications/access_tokens/verify", r""),
]


class ClerkServer:
    """Clerk's API at its documented paths; it keeps whatever leaves an instance."""

    def __init__(self) -> None:
        self.received: list[Request] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        self.received.append(request)
        answer = MINTER.jwks() if request.path == "/v1/jwks" else {"errors": [{"code": "no"}]}
        status = 200 if request.path == "/v1/jwks" else 400
        return Response(json=answer, status=status)(environ, start_response)


class Ages:
    """A clock of ages on which each request comes a minute later: no ration is used up."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


SERVER = ClerkServer()
AGES = Ages()


def clerk(**options: Any) -> Clerk:
    given_ = {
        "secret_key": SECRET,
        "machine_secret_key": MACHINE_SECRET,
        "publishable_key": PUBLISHABLE_LIVE,
        "accepts_token": "any",
        "api_url": API,
        "dotenv": False,
        "http": in_process(SERVER),
        "clock": lambda: NOW,
        "monotonic": AGES,
        **options,
    }
    return Clerk(**given_)


INSTANCES = [
    clerk(keys_ttl=1e9),
    clerk(jwt_key=MINTER.pem),
    clerk(jwt_key=MINTER.pem, publishable_key=PUBLISHABLE_TEST, trust_forwarded=True),
    clerk(jwt_key=MINTER.pem, is_satellite=True, domain="sat.test", satellite_auto_sync=True),
]


def requests_that_leave(query: str = "", **keys: str) -> list[Request]:
    """All that leaves the instances because of one request; none of them raises."""
    SERVER.received.clear()
    AGES.now += 60.0
    for instance in INSTANCES:
        instance.authenticate(load(query, **keys))
    return list(SERVER.received)


def check(received: list[Request]) -> None:
    for request in received:
        assert request.host_url == API
        # As sent: what the path looked like before anybody decoded it.
        sent = (request.method, quote(request.environ["PATH_INFO"]), request.query_string)
        assert any(is_documented(sent, one) for one in DOCUMENTED), sent
        secrets = {f"Bearer {SECRET}"}
        if request.path == "/m2m_tokens/verify":
            secrets = {f"Bearer {MACHINE_SECRET}"}
        assert request.headers["Authorization"] in secrets
        assert "Cookie" not in request.headers


def is_documented(sent: tuple[str, str, str], documented: tuple[str, str, str]) -> bool:
    method, path, query = sent
    return (
        method == documented[0]
        and re.fullmatch(documented[1], path) is not None
        and re.fullmatch(documented[2], query) is not None
    )


ODD_TEXT = (
    st.text(max_size=40)
    | st.text("./\\%?#@:;&=_-ab1\r\n\0 ", max_size=30)
    | st.sampled_from(
        [
            "sess_1",
            "../users/user_1",
            "sess_1/../../users",
            "%2e%2e%2fusers",
            "sess_1?x=1",
            "sess_1#",
            "//evil.test/",
            "https://evil.test/",
            "@evil.test",
            "sess_1\r\nHost: evil.test",
            "s" * 129,
            "s" * 20_000,
            "\u2025/x",
        ]
    )
)
ODD_JSON = st.recursive(
    ODD_TEXT | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT, inner, max_size=3),
    max_leaves=4,
)


def thorough(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None)


def latin(text: str) -> str:
    """A text as a WSGI server gives it."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def cookies(token: str, *, refresh: str = "rt_1") -> str:
    """A browser that both instances, of production and of development, know."""
    values = {"__session": token, "__client_uat": "1", "__refresh": refresh, "__clerk_db_jwt": "d"}
    return "; ".join(
        f"{name}_{suffix}={value}"
        for suffix in (SUFFIX_LIVE, SUFFIX_TEST)
        for name, value in values.items()
    )


# Session ids


@given(sid=ODD_JSON)
@example(sid="sess_1")
@example(sid=".")
@example(sid="..")
@thorough(300)
def test_whatever_session_an_expired_token_names(sid: Any) -> None:
    received = requests_that_leave(HTTP_COOKIE=cookies(MINTER.token(exp=NOW - 100, sid=sid)))
    check(received)
    is_id = isinstance(sid, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,128}", sid)
    asked = [one.path for one in received if one.path != "/v1/jwks"]
    assert asked == [f"/v1/sessions/{sid}/refresh"] * (len(INSTANCES) if is_id else 0)


@given(refresh=ODD_TEXT, referrer=ODD_TEXT, host=ODD_TEXT, agent=ODD_TEXT)
@thorough(200)
def test_whatever_else_goes_along_with_a_refresh(
    refresh: str, referrer: str, host: str, agent: str
) -> None:
    token = MINTER.token(exp=NOW - 100)
    received = requests_that_leave(
        HTTP_COOKIE=cookies(token, refresh=latin(refresh)),
        HTTP_REFERER=latin(referrer),
        HTTP_HOST=latin(host),
        HTTP_X_FORWARDED_HOST=latin(host),
        HTTP_USER_AGENT=latin(agent),
    )
    check(received)


# Nonces and handshake tokens


@given(nonce=ODD_TEXT)
@example(nonce="n_1")
@example(nonce="n" * 512)
@thorough(300)
def test_whatever_nonce_is_brought(nonce: str) -> None:
    quoted = quote(nonce, safe="")
    is_nonce = re.fullmatch(r"[A-Za-z0-9_-]{1,512}", nonce)
    for received in (
        requests_that_leave(query=f"__clerk_handshake_nonce={quoted}"),
        requests_that_leave(HTTP_COOKIE=f"__clerk_handshake_nonce={quoted}"),
    ):
        check(received)
        asked = [one.GET["nonce"] for one in received if one.GET]
        assert asked == [nonce] * (len(INSTANCES) if is_nonce else 0)
    check(requests_that_leave(query=f"__clerk_handshake_nonce={latin(nonce)}"))
    check(requests_that_leave(HTTP_COOKIE=f"__clerk_handshake_nonce={latin(nonce)}"))


@given(
    payload=ODD_JSON,
    header=st.dictionaries(st.sampled_from(["kid", "jku", "x5u", "iss"]), ODD_JSON),
)
@thorough(200)
def test_whatever_a_handshake_token_says(payload: Any, header: dict[str, Any]) -> None:
    members = {"handshake": payload, "iss": payload, "sid": payload}
    token = MINTER.compact({"alg": "RS256", "typ": "JWT", **header}, members)
    check(requests_that_leave(query=f"__clerk_handshake={token}"))


# Tokens of the header


@given(token=ODD_TEXT, prefix=st.sampled_from(["", "ak_", "mt_", "oat_", "Bearer ", "bearer  ak_"]))
@thorough(300)
def test_whatever_authorization_is_sent(token: str, prefix: str) -> None:
    check(requests_that_leave(HTTP_AUTHORIZATION=latin(prefix + token)))


@given(
    claims=st.dictionaries(
        st.sampled_from(["sid", "sub", "iss", "azp", "aud", "exp", "o", "act"]), ODD_JSON
    ),
    header=st.dictionaries(st.sampled_from(["kid", "jku", "x5u", "x5c", "jwk", "cat"]), ODD_JSON),
)
@example(claims={"iss": "https://evil.test"}, header={"kid": "https://evil.test/jwks"})
@example(claims={}, header={"jku": "https://evil.test/jwks", "x5u": "https://evil.test/cert"})
@thorough(300)
def test_whatever_a_token_says(claims: dict[str, Any], header: dict[str, Any]) -> None:
    token = MINTER.token(header, **claims)
    check(requests_that_leave(HTTP_AUTHORIZATION=f"Bearer {token}"))
    check(requests_that_leave(HTTP_COOKIE=f"{cookies(token)}; __session={token}"))


# Addresses


@given(
    name=st.sampled_from(
        [
            "_clerk_session_id",
            "__clerk_redirect_url",
            "__clerk_db_jwt",
            "__clerk_synced",
            "__session",
            "__clerk_api_version",
            "__clerk_testing_token",
            "api_url",
        ]
    ),
    value=ODD_TEXT,
    path=ODD_TEXT,
    host=ODD_TEXT,
)
@thorough(300)
def test_whatever_address_is_asked_for(name: str, value: str, path: str, host: str) -> None:
    good = MINTER.token(exp=NOW - 100)
    received = requests_that_leave(
        query=f"{name}={quote(value)}",
        HTTP_COOKIE=cookies(good),
        HTTP_HOST=latin(host),
        HTTP_X_FORWARDED_HOST=latin(host),
        HTTP_FORWARDED=latin(f"host={host}"),
        PATH_INFO=latin(f"/{path}"),
        HTTP_X_CLERK_API_URL="https://evil.test",
    )
    check(received)


def test_the_checks_themselves_tell_a_stray_request() -> None:
    """A test must be able to fail: these would."""
    for stray in ("/v1/users", "/v1/sessions/a/../b/refresh", "/v1/sessions/refresh", "/v1/jwks/"):
        assert not any(is_documented(("GET", stray, ""), one) for one in DOCUMENTED)
        assert not any(is_documented(("POST", stray, ""), one) for one in DOCUMENTED)
    assert is_documented(("GET", "/v1/jwks", ""), DOCUMENTED[0])
    assert not is_documented(("GET", "/v1/jwks", "x=1"), DOCUMENTED[0])
