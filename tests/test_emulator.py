"""The local Clerk's API over real HTTP, and its tokens judged by two other JWT libraries."""

from __future__ import annotations

import json
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt as jose
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from webob import Request

from clerk_wsgi.emulator import Emulator, NotFound, RecordedRequest, SigningKey, forge
from clerk_wsgi.testing import FrozenClock, start_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import RunningEmulator

FORM = "application/x-www-form-urlencoded"
ISSUER = "https://local-emulator-1.clerk.accounts.dev"


@pytest.fixture(scope="module")
def clerk() -> Iterator[RunningEmulator]:
    """One local Clerk for all tests that leave no trace in it."""
    with start_emulator() as running:
        yield running


@pytest.fixture(scope="module")
def session_id(clerk: RunningEmulator) -> str:
    """The ready-made session."""
    return str(clerk.emulator.sessions()[0]["id"])


def ask(
    clerk: RunningEmulator, method: str, path: str, key: str | None = "", **options: Any
) -> requests.Response:
    """Ask with the right key, with another ``key``, or with none at all."""
    headers = dict(options.pop("headers", {}))
    if key is not None:
        headers["Authorization"] = f"Bearer {key or clerk.emulator.secret_key}"
    return requests.request(method, clerk.url + path, headers=headers, timeout=10, **options)


def mint(clerk: RunningEmulator, session: str, **options: Any) -> requests.Response:
    return ask(clerk, "POST", f"/v1/sessions/{session}/tokens", **options)


def error_of(answer: requests.Response) -> dict[str, Any]:
    """The one error of an error answer, whose form is checked on the way."""
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert body.keys() == {"errors", "clerk_trace_id"}
    assert re.fullmatch("[0-9a-f]{32}", body["clerk_trace_id"])
    [error] = body["errors"]
    assert error["message"]
    assert error["long_message"]
    return dict(error)


def verified_by_pyjwt(token: str, emulator: Emulator, **options: Any) -> dict[str, Any]:
    return dict(jwt.decode(token, emulator.public_key_pem(), algorithms=["RS256"], **options))


# Keys


def test_the_key_set_is_one_rsa_key_of_2048_bits(clerk: RunningEmulator) -> None:
    answer = ask(clerk, "GET", "/v1/jwks")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    [key] = answer.json()["keys"]
    assert {name: key[name] for name in ("use", "kty", "alg")} == {
        "use": "sig",
        "kty": "RSA",
        "alg": "RS256",
    }
    assert re.fullmatch("ins_[A-Za-z0-9]{27}", key["kid"])
    assert jwt.PyJWK(key).key.key_size == 2048
    assert answer.json() == clerk.emulator.jwks()


def test_the_keys_have_the_form_of_clerks(clerk: RunningEmulator) -> None:
    assert re.fullmatch("sk_test_[A-Za-z0-9]{42}", clerk.emulator.secret_key)
    assert clerk.emulator.publishable_key.startswith("pk_test_")
    assert clerk.emulator.issuer == ISSUER


# Tokens


def test_pyjwt_verifies_a_token_with_the_fetched_keys(
    clerk: RunningEmulator, session_id: str
) -> None:
    token = mint(clerk, session_id).json()["jwt"]
    keys = jwt.PyJWKSet.from_dict(ask(clerk, "GET", "/v1/jwks").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], issuer=ISSUER)
    assert claims["sid"] == session_id


def test_joserfc_verifies_a_token_with_the_fetched_keys(
    clerk: RunningEmulator, session_id: str
) -> None:
    token = mint(clerk, session_id).json()["jwt"]
    keys = KeySet.import_key_set(ask(clerk, "GET", "/v1/jwks").json())
    # By itself joserfc refuses header fields that no RFC names, and "cat" is one.
    registry = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    decoded = jose.decode(token, keys, registry=registry)
    jose.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, exp={"essential": True}
    ).validate(decoded.claims)
    assert decoded.claims["sid"] == session_id


def test_header_and_claims_are_those_of_a_session_token(
    clerk: RunningEmulator, session_id: str
) -> None:
    before = int(time.time())
    answer = mint(clerk, session_id)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json().keys() == {"object", "jwt"}
    assert answer.json()["object"] == "token"
    token = answer.json()["jwt"]
    assert jwt.get_unverified_header(token) == {
        "alg": "RS256",
        "cat": "cl_B7d4PD111AAA",
        "kid": clerk.emulator.kid,
        "typ": "JWT",
    }
    claims = verified_by_pyjwt(token, clerk.emulator)
    issued = claims["iat"]
    assert before <= issued <= time.time()
    assert re.fullmatch("[0-9a-f]{20}", claims.pop("jti"))
    assert claims == {
        "exp": issued + 60,
        "fva": [0, -1],
        "iat": issued,
        "iss": ISSUER,
        "nbf": issued - 10,
        "sid": session_id,
        "sts": "active",
        "sub": clerk.emulator.session(session_id)["user_id"],
        "v": 2,
    }


@pytest.mark.parametrize(
    ("options", "lifetime"),
    [
        ({}, 60),
        ({"json": {}}, 60),
        ({"json": {"expires_in_seconds": None}}, 60),
        ({"json": {"expires_in_seconds": 30}}, 30),
        ({"json": {"expires_in_seconds": 315_360_000}}, 315_360_000),
        ({"data": "", "headers": {"Content-Type": "application/json"}}, 60),
        ({"data": {"expires_in_seconds": "90"}}, 90),
        ({"data": "", "headers": {"Content-Type": FORM}}, 60),
    ],
)
def test_a_token_lives_as_long_as_was_asked(
    clerk: RunningEmulator, session_id: str, options: dict[str, Any], lifetime: int
) -> None:
    claims = verified_by_pyjwt(mint(clerk, session_id, **options).json()["jwt"], clerk.emulator)
    assert claims["exp"] - claims["iat"] == lifetime


def test_eight_threads_get_as_many_different_valid_tokens(
    clerk: RunningEmulator, session_id: str
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: mint(clerk, session_id), range(80)))
    claims = [verified_by_pyjwt(answer.json()["jwt"], clerk.emulator) for answer in answers]
    assert len({one["jti"] for one in claims}) == 80
    assert {one["sid"] for one in claims} == {session_id}


def test_claims_can_be_added_and_replaced() -> None:
    emulator = Emulator()
    [session] = emulator.sessions()
    token = emulator.session_token(session["id"], azp="https://app.test", sub="user_2")
    claims = verified_by_pyjwt(token, emulator)
    assert claims["azp"] == "https://app.test"
    assert claims["sub"] == "user_2"


def test_a_pending_session_and_an_actor_are_named_in_the_token() -> None:
    emulator = Emulator()
    actor = {"iss": "https://dashboard.clerk.com", "sid": "sess_2", "sub": "user_2"}
    [user] = emulator.users()
    session = emulator.create_session(user["id"], status="pending", actor=actor)
    claims = verified_by_pyjwt(emulator.session_token(session["id"]), emulator)
    assert claims["sts"] == "pending"
    assert claims["act"] == actor


def test_the_clock_decides_about_times() -> None:
    clock = FrozenClock(1_700_000_000.9)
    emulator = Emulator(clock=clock)
    [session] = emulator.sessions()
    clock.tick(600)
    token = emulator.session_token(session["id"])
    claims = verified_by_pyjwt(token, emulator, options={"verify_exp": False})
    assert session["created_at"] == 1_700_000_000_900
    assert claims["iat"] == 1_700_000_600
    assert claims["fva"] == [10, -1]
    with pytest.raises(jwt.ExpiredSignatureError):
        verified_by_pyjwt(token, emulator)


def test_a_forged_token_differs_in_its_signature_alone(
    clerk: RunningEmulator, session_id: str
) -> None:
    token = clerk.emulator.session_token(session_id)
    forged = forge(token)
    assert forged.rpartition(".")[0] == token.rpartition(".")[0]
    assert len(forged) == len(token)
    with pytest.raises(jwt.InvalidSignatureError):
        verified_by_pyjwt(forged, clerk.emulator)


def test_another_emulators_token_is_not_valid_here(clerk: RunningEmulator) -> None:
    other = Emulator()
    [session] = other.sessions()
    with pytest.raises(jwt.InvalidSignatureError):
        verified_by_pyjwt(other.session_token(session["id"]), clerk.emulator)


def test_a_private_key_that_is_not_rsa_is_refused() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for text in (pem.decode(), "", "nonsense", Emulator().public_key_pem()):
        with pytest.raises(ValueError, match="."):
            SigningKey.from_pem("ins_1", text)


# Users and sessions


def test_a_fresh_state_has_a_user_with_a_session() -> None:
    emulator = Emulator()
    [user] = emulator.users()
    [session] = emulator.sessions()
    assert (user["first_name"], user["last_name"]) == ("Ada", "Lovelace")
    assert user["email_addresses"][0]["id"] == user["primary_email_address_id"]
    assert session["user_id"] == user["id"]
    assert session["status"] == "active"
    assert re.fullmatch("user_[A-Za-z0-9]{27}", user["id"])
    assert re.fullmatch("sess_[A-Za-z0-9]{27}", session["id"])
    assert re.fullmatch("client_[A-Za-z0-9]{27}", session["client_id"])


def test_sessions_are_found_by_their_fields() -> None:
    emulator = Emulator()
    grace = emulator.create_user(first_name="Grace")
    revoked = emulator.create_session(grace["id"], status="revoked")
    assert emulator.sessions(user_id=grace["id"]) == [revoked]
    assert emulator.sessions(user_id=grace["id"], status="active") == []
    assert len(emulator.sessions()) == 2


def test_what_clerks_objects_do_not_have_is_refused() -> None:
    emulator = Emulator()
    with pytest.raises(TypeError, match="a user has no field name"):
        emulator.create_user(name="Ada")
    with pytest.raises(TypeError, match="a session has no field state"):
        emulator.create_session(emulator.users()[0]["id"], state="active")


@pytest.mark.parametrize("unknown", ["", "sess_x", "user_x", "' OR 1=1 --", "\0"])
def test_what_is_not_there_is_not_found(unknown: str) -> None:
    emulator = Emulator()
    for look_up in (emulator.session_token, emulator.create_session, emulator.user):
        with pytest.raises(NotFound):
            look_up(unknown)


# Refusals


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer {} {}", "Bearer {}, Bearer x"],
)
def test_without_a_bearer_key_it_says_so(clerk: RunningEmulator, authorization: str | None) -> None:
    headers = {}
    if authorization is not None:
        headers["Authorization"] = authorization.replace("{}", clerk.emulator.secret_key)
    answer = ask(clerk, "GET", "/v1/jwks", key=None, headers=headers, auth=lambda request: request)
    assert answer.status_code == 401
    assert error_of(answer)["code"] == "authorization_header_format_invalid"


def test_any_other_key_is_refused_without_being_repeated(clerk: RunningEmulator) -> None:
    secret = clerk.emulator.secret_key
    for key in (secret[:-1], secret + "x", secret.upper(), clerk.emulator.publishable_key, "é"):
        answer = ask(clerk, "GET", "/v1/jwks", key=key.encode().decode("latin-1"))
        assert answer.status_code == 401
        assert error_of(answer)["code"] == "clerk_key_invalid"
        assert secret[:-1] not in answer.text


def test_the_key_does_not_count_in_a_query(clerk: RunningEmulator) -> None:
    query = {"secret_key": clerk.emulator.secret_key}
    assert ask(clerk, "GET", "/v1/jwks", key=None, params=query).status_code == 401


@pytest.mark.parametrize("path", ["/", "/v1/nothing", "/v1/sessions/sess_x/tokens", "/v1/jwks"])
def test_without_a_key_nobody_learns_which_paths_there_are(
    clerk: RunningEmulator, path: str
) -> None:
    assert ask(clerk, "POST", path, key=None).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/jwks/",
        "/v2/jwks",
        "/v1/sessions//tokens",
        "/v1/j%0Awks",
        "/v1/sessions/%2e%2e%2fjwks",
    ],
)
def test_an_unknown_path_is_not_found(clerk: RunningEmulator, path: str) -> None:
    answer = ask(clerk, "GET", path)
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "resource_not_found"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v1/jwks", "GET"),
        ("OPTIONS", "/v1/jwks", "GET"),
        ("GET", "/v1/sessions/sess_x/tokens", "POST"),
        ("get", "/v1/jwks", "GET"),
    ],
)
def test_a_known_path_with_another_method_is_refused(
    clerk: RunningEmulator, method: str, path: str, allow: str
) -> None:
    request = requests.Request("GET", clerk.url + path).prepare()
    request.method = method
    request.headers["Authorization"] = f"Bearer {clerk.emulator.secret_key}"
    with requests.Session() as session:
        answer = session.send(request, timeout=10)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allow
    assert error_of(answer)["code"] == "method_not_allowed"


@pytest.mark.parametrize("unknown", ["sess_x", "user_x", "%00", "%ff", "a%20b", "x" * 5000])
def test_an_unknown_session_is_not_found(clerk: RunningEmulator, unknown: str) -> None:
    answer = mint(clerk, unknown)
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (404, "resource_not_found")
    assert error["long_message"].startswith("No session was found with id ")


@pytest.mark.parametrize("status", ["revoked", "ended", "expired", "removed", "abandoned"])
def test_a_session_that_is_over_gets_no_token(clerk: RunningEmulator, status: str) -> None:
    user = clerk.emulator.create_user()
    session = clerk.emulator.create_session(user["id"], status=status)
    answer = mint(clerk, session["id"])
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "invalid_action_for_session"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"expires_in_seconds"',
        b"\xff",
        b'{"expires_in_seconds": 60',
        b'{"expires_in_seconds": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    clerk: RunningEmulator, session_id: str, body: bytes
) -> None:
    answer = mint(clerk, session_id, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "request_body_invalid"


@pytest.mark.parametrize("body", [b"\xff", b"a=%ff"])
def test_a_form_that_is_not_utf8_is_refused(
    clerk: RunningEmulator, session_id: str, body: bytes
) -> None:
    answer = mint(clerk, session_id, data=body, headers={"Content-Type": FORM})
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "request_body_invalid"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (29, "form_param_value_invalid"),
        (315_360_001, "form_param_value_invalid"),
        (0, "form_param_value_invalid"),
        (-60, "form_param_value_invalid"),
        (60.5, "form_param_type_invalid"),
        (60.0, "form_param_type_invalid"),
        (True, "form_param_type_invalid"),
        ("", "form_param_type_invalid"),
        ("sixty", "form_param_type_invalid"),
        ("٦٠", "form_param_type_invalid"),
        ([60], "form_param_type_invalid"),
        ({}, "form_param_type_invalid"),
        (float("nan"), "form_param_type_invalid"),
    ],
)
def test_a_lifetime_out_of_bounds_is_refused(
    clerk: RunningEmulator, session_id: str, value: object, code: str
) -> None:
    body = json.dumps({"expires_in_seconds": value})
    answer = mint(clerk, session_id, data=body, headers={"Content-Type": "application/json"})
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (422, code)
    assert error["meta"] == {"param_name": "expires_in_seconds"}


def test_an_unknown_parameter_is_refused(clerk: RunningEmulator, session_id: str) -> None:
    answer = mint(clerk, session_id, json={"expires_in": 60})
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (422, "form_param_unknown")
    assert error["meta"] == {"param_name": "expires_in"}


def test_known_api_versions_are_served_and_others_refused(clerk: RunningEmulator) -> None:
    known, unknown = {"Clerk-API-Version": "2026-05-12"}, {"Clerk-API-Version": "2026-05-13"}
    query = {"__clerk_api_version": "2021-02-05"}
    assert ask(clerk, "GET", "/v1/jwks", headers=known).status_code == 200
    assert ask(clerk, "GET", "/v1/jwks", params=query).status_code == 200
    assert ask(clerk, "GET", "/v1/jwks?%ff=%ff").status_code == 200
    for refused in (
        ask(clerk, "GET", "/v1/jwks", headers=unknown),
        ask(clerk, "GET", "/v1/jwks", headers=known, params=query),
        ask(clerk, "GET", "/v1/jwks", params={"__clerk_api_version": "2"}),
    ):
        assert refused.status_code == 400
        assert error_of(refused)["code"] == "api_version_invalid"


# What it tells about requests


def test_requests_are_recorded_without_query_and_headers() -> None:
    with start_emulator() as clerk:
        ask(clerk, "GET", "/v1/jwks?nonce=secret")
        ask(clerk, "GET", "/v1/jwks", key="sk_test_wrong")
        assert clerk.emulator.requests == [
            RecordedRequest("GET", "/v1/jwks", 200),
            RecordedRequest("GET", "/v1/jwks", 401),
        ]


def test_only_the_latest_thousand_requests_are_kept(clerk: RunningEmulator) -> None:
    with requests.Session() as session:
        for _ in range(1001):
            session.get(clerk.url, timeout=10)
    assert len(clerk.emulator.requests) == 1000


def test_logs_have_a_line_per_request_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with start_emulator() as clerk:
        [session] = clerk.emulator.sessions()
        token = mint(clerk, session["id"]).json()["jwt"]
        ask(clerk, "GET", "/v1/%0AGET%20/v1/jwks%20200", key="sk_test_wrong")
        secret = clerk.emulator.secret_key
        shown = repr(clerk.emulator) + repr(clerk.emulator._keys.current)
    lines = [one.getMessage() for one in caplog.records if one.name == "clerk_wsgi.emulator"]
    assert lines == [
        f"POST /v1/sessions/{session['id']}/tokens 200",
        "GET /v1/%0AGET%20/v1/jwks%20200 401",
    ]
    for text in (caplog.text, shown):
        assert secret not in text
        assert "sk_test_wrong" not in text
        assert token not in text
        assert "PRIVATE KEY" not in text


def test_a_method_steers_no_terminal_that_shows_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "clerk_wsgi.emulator")
    Request.blank("/v1/users", method="\x1b[2J\x9b1mGET").get_response(Emulator())
    assert caplog.messages == ["%1B%5B2J%C2%9B1mGET /v1/users 401"]
