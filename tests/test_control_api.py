"""The control API of the local Clerk: who may call it, what it does, and what it refuses."""

from __future__ import annotations

import json
import re
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from webob import Request

from clerk_wsgi.emulator import Failure, NotFound, RateLimit
from clerk_wsgi.emulator.server import MAX_BODY
from clerk_wsgi.testing import in_process, start_emulator

from .asking import FORM, JSON, WAYS, asking, found, refused
from .controlling import ROOT, STATUSES, Control, carried, claims_of, snapshot
from .minting import PUBLISHABLE_LIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[1] / "docs" / "local-clerk.md"
NOW = 1_795_413_600.0
WEEK = 7 * 86_400_000
ENDPOINTS = [
    ("GET", ""),
    ("GET", "/"),
    ("GET", "/users"),
    ("POST", "/users"),
    ("POST", "/organizations"),
    ("POST", "/organizations/{organization}/members"),
    ("POST", "/roles"),
    ("POST", "/entitlements"),
    ("POST", "/sign_in"),
    ("POST", "/sessions/{session}"),
    ("POST", "/sessions/{session}/token"),
    ("POST", "/sessions/{session}/revoke"),
    ("POST", "/sessions/{session}/expire"),
    ("GET", "/settings"),
    ("PATCH", "/settings"),
    ("POST", "/rotate_key"),
    ("POST", "/expire_tokens"),
    ("GET", "/faults"),
    ("PUT", "/faults"),
    ("DELETE", "/faults"),
    ("POST", "/rate_limit"),
    ("GET", "/requests"),
    ("DELETE", "/requests"),
    ("POST", "/reset"),
]


@pytest.fixture(params=WAYS)
def control(request: pytest.FixtureRequest) -> Iterator[Control]:
    """A new local Clerk, over HTTP and in process."""
    with asking(request.param) as asker:
        yield Control(asker)


@pytest.fixture
def here() -> Iterator[Control]:
    """A new local Clerk in process."""
    with asking() as asker:
        yield Control(asker)


@pytest.fixture
def fixed() -> Iterator[Control]:
    """A new local Clerk whose clock stands still."""
    with asking(clock=lambda: NOW) as asker:
        yield Control(asker)


# Who may call


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "authorization_header_format_invalid"),
        ("", "authorization_header_format_invalid"),
        ("Bearer", "authorization_header_format_invalid"),
        ("Basic {key}", "authorization_header_format_invalid"),
        ("{key}", "authorization_header_format_invalid"),
        ("Bearer {key} {key}", "authorization_header_format_invalid"),
        ("Bearer sk_test_wrong", "clerk_key_invalid"),
        ("Bearer {key}x", "clerk_key_invalid"),
        ("Bearer {publishable}", "clerk_key_invalid"),
        ("Bearer {token}", "clerk_key_invalid"),
    ],
)
def test_only_the_secret_key_may_call(
    shared: Control, method: str, path: str, authorization: str | None, code: str
) -> None:
    emulator, filled = shared.emulator, shared.filled(path)
    before = snapshot(emulator)
    headers = {}
    if authorization is not None:
        token = emulator.session_token(emulator.sessions()[0]["id"])
        headers["Authorization"] = authorization.format(
            key=emulator.secret_key, publishable=emulator.publishable_key, token=token
        )
    with in_process(emulator) as session:
        answer = session.request(method, f"http://clerk.test{ROOT}{filled}", headers=headers)
    refused(answer, 401, code)
    assert snapshot(emulator) == before


@pytest.fixture(scope="module")
def shared() -> Iterator[Control]:
    """One local Clerk for tests that change nothing."""
    with asking() as asker:
        made = Control(asker)
        made.filled("")
        yield made


def test_the_errors_are_those_of_the_backend_api(shared: Control) -> None:
    for key in ("sk_test_wrong", ""):
        answers = [shared.asker.ask("GET", path, key=key) for path in ("/v1/jwks", ROOT)]
        ours, theirs = ({**one.json(), "clerk_trace_id": ""} for one in answers)
        assert ours == theirs


@pytest.mark.parametrize("path", ["/nothing", "/users/x/y", "/sessions", "//users", "/users/"])
def test_without_the_key_nobody_learns_which_paths_there_are(shared: Control, path: str) -> None:
    refused(shared.ask("GET", path, key="sk_test_wrong"), 401, "clerk_key_invalid")
    refused(shared.ask("GET", path), 404, "resource_not_found")


@pytest.mark.parametrize("path", ["/_emulatorx", "/_Emulator", "/x/_emulator", "/_emulator%2fx"])
def test_other_paths_are_not_the_control_apis(here: Control, path: str) -> None:
    here.emulator.faults.fail(503)
    answer = here.asker.get(path)
    is_ours = path == "/_emulator%2fx"  # which is /_emulator/x for WSGI
    refused(answer, *((404, "resource_not_found") if is_ours else (503, "service_unavailable")))
    assert len(here.emulator.requests) == (0 if is_ours else 1)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/users", "GET, POST"),
        ("GET", "/sign_in", "POST"),
        ("POST", "/faults", "DELETE, GET, PUT"),
        ("PUT", "/settings", "GET, PATCH"),
        ("OPTIONS", "/reset", "POST"),
        ("GET", "/reset", "POST"),
        ("POST", "", "GET"),
        ("TRACE", "/sign_in", "POST"),
    ],
)
def test_another_method_is_refused(shared: Control, method: str, path: str, allow: str) -> None:
    answer = shared.ask(method, path)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allow


ORIGINS = ["https://evil.example", "http://localhost:3000", "http://127.0.0.1:4100", "null"]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_a_preflight_of_another_origin_is_refused(
    shared: Control, origin: str, method: str, path: str
) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    with in_process(shared.emulator) as session:
        url = f"http://127.0.0.1:4100{ROOT}{shared.filled(path)}"
        answer = session.options(url, headers=asked)
    refused(answer, 401, "authorization_header_format_invalid")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("body", ["", "user_id=x", '{"identifier": "ada@example.com"}'])
def test_a_form_of_another_page_does_nothing(shared: Control, origin: str, body: str) -> None:
    before = snapshot(shared.emulator)
    with in_process(shared.emulator) as session:
        for kind in (FORM, "text/plain", "multipart/form-data; boundary=x"):
            headers = {"Origin": origin, "Content-Type": kind, "Sec-Fetch-Site": "cross-site"}
            for path in ("sign_in", "reset", "expire_tokens"):
                url = f"http://127.0.0.1:4100{ROOT}/{path}"
                answer = session.post(url, data=body, headers=headers, cookies={"__session": "x"})
                refused(answer, 401, "authorization_header_format_invalid")
                assert "Access-Control-Allow-Origin" not in answer.headers
    assert snapshot(shared.emulator) == before


@pytest.mark.parametrize("origin", ORIGINS)
def test_no_page_may_read_an_answer(shared: Control, origin: str) -> None:
    for path, status in (("", 200), ("/users", 200), ("/nothing", 404)):
        answer = shared.ask("GET", path, headers={"Origin": origin})
        assert answer.status_code == status
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.servers
def test_over_http_a_page_of_another_origin_is_refused() -> None:
    with start_emulator() as running:
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        url = f"{running.url}{ROOT}/sign_in"
        preflight = requests.options(url, headers=headers, timeout=10)
        simple = requests.post(url, json={"identifier": "ada@example.com"}, timeout=10)
        for answer in (preflight, simple):
            refused(answer, 401, "authorization_header_format_invalid")
            assert "Access-Control-Allow-Origin" not in answer.headers
        assert len(running.emulator.sessions()) == 1


# Bodies


@pytest.mark.parametrize(("method", "path"), [one for one in ENDPOINTS if one[0] != "GET"])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"1",
        b"user_id=x",
        b"\xff",
        b'{"a": "\\ud800"}',
        b"[" * 100_000,
        b'{"a": ' * 5000 + b"1" + b"}" * 5000,
        b"9" * 5000,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    shared: Control, method: str, path: str, body: bytes
) -> None:
    before = snapshot(shared.emulator)
    for kind in (JSON, FORM, "text/plain"):
        headers = {"Content-Type": kind}
        answer = shared.ask(method, shared.filled(path), data=body, headers=headers)
        refused(answer, 400, "request_body_invalid")
    assert snapshot(shared.emulator) == before


@pytest.mark.parametrize("kind", [JSON, FORM, "text/plain", "", "application/json; charset=utf-8"])
def test_a_body_is_json_whatever_curl_calls_it(here: Control, kind: str) -> None:
    body = json.dumps({"username": "grace"})
    answer = here.ask("POST", "/users", data=body, headers={"Content-Type": kind})
    assert found(answer)["username"] == "grace"


@pytest.mark.parametrize("depth", [62, 63, 64, 980, 1485, 5000])
def test_what_is_taken_can_be_given_back_however_deep_it_is(here: Control, depth: int) -> None:
    body = '{"public_metadata": ' + '{"a": ' * depth + "[]" + "}" * (depth + 1)
    answer = here.ask("POST", "/users", data=body)
    if depth > 62:  # 64 with the list and the body itself
        refused(answer, 400, "request_body_invalid")
    else:
        assert found(answer) in found(here.ask("GET", "/users"))
    assert len(found(here.asker.get("/v1/users"))) == (1 if depth > 62 else 2)


def test_no_body_is_an_empty_one(here: Control) -> None:
    assert found(here.ask("POST", "/users"))["username"] is None
    assert found(here.ask("PUT", "/faults"))["latency"] == 0
    refused(here.ask("POST", "/roles"), 422, "form_param_missing", "key")


def test_a_huge_body_is_refused(control: Control) -> None:
    before = snapshot(control.emulator)
    note = "x" * (MAX_BODY + 1)
    answer = control.ask("POST", "/users", json={"public_metadata": {"note": note}})
    assert answer.status_code == 413
    if answer.headers["Content-Type"] == JSON:  # over HTTP the server is faster
        refused(answer, 413, "request_body_too_large")
    assert snapshot(control.emulator) == before


def test_a_huge_body_is_not_even_read_without_the_key(here: Control) -> None:
    class Unread:
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("it was read")

    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"{ROOT}/users",
        "CONTENT_LENGTH": str(10**12),
        "wsgi.input": Unread(),
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
    }
    for authorization, status in (("", "401"), (f"Bearer {here.emulator.secret_key}", "413")):
        request = Request({**environ, "HTTP_AUTHORIZATION": authorization})
        assert request.call_application(here.emulator)[0].startswith(status)


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_an_unknown_parameter_is_named(shared: Control, method: str, path: str) -> None:
    before = snapshot(shared.emulator)
    filled = shared.filled(path)
    refused(
        shared.ask(method, filled, params={"colour": "blue"}), 422, "form_param_unknown", "colour"
    )
    if method not in ("GET", "DELETE"):
        answer = shared.ask(method, filled, json={"colour": "blue"})
        refused(answer, 422, "form_param_unknown", "colour")
    assert snapshot(shared.emulator) == before


TYPE, VALUE, MISSING, UNKNOWN = (
    f"form_param_{name}" for name in ("type_invalid", "value_invalid", "missing", "unknown")
)
FORMAT, EXISTS = "form_param_format_invalid", "form_identifier_exists"
ONE, MEMBERS = "/sessions/{session}", "/organizations/{organization}/members"
BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("POST /users", {"id": 5}, TYPE, "id"),
    ("POST /users", {"id": ""}, VALUE, "id"),
    ("POST /users", {"id": "ada"}, VALUE, "id"),
    ("POST /users", {"id": "user_"}, VALUE, "id"),
    ("POST /users", {"id": "user_../x"}, VALUE, "id"),
    ("POST /users", {"id": "user_é"}, VALUE, "id"),
    ("POST /users", {"id": "user_a\n"}, VALUE, "id"),
    ("POST /users", {"id": "user_" + "a" * 124}, VALUE, "id"),
    ("POST /users", {"id": "org_a"}, VALUE, "id"),
    ("POST /users", {"email_address": 5}, TYPE, "email_address"),
    ("POST /users", {"email_address": "ada"}, FORMAT, "email_address"),
    ("POST /users", {"email_address": "ADA@example.com"}, EXISTS, "email_address"),
    ("POST /users", {"username": "a"}, "form_username_invalid_length", "username"),
    ("POST /users", {"password": ["x"]}, TYPE, "password"),
    ("POST /users", {"public_metadata": "x"}, TYPE, "public_metadata"),
    ("POST /users", {"public_metadata": {"x": float("nan")}}, VALUE, "public_metadata"),
    ("POST /users", {"banned": "yes"}, TYPE, "banned"),
    ("POST /users", {"created_at": 5}, TYPE, "created_at"),
    ("POST /organizations", {}, MISSING, "name"),
    ("POST /organizations", {"name": None}, MISSING, "name"),
    ("POST /organizations", {"name": ""}, VALUE, "name"),
    ("POST /organizations", {"name": 5}, TYPE, "name"),
    ("POST /organizations", {"name": "A", "slug": "A B"}, FORMAT, "slug"),
    ("POST /organizations", {"name": "A", "slug": "some"}, EXISTS, "slug"),
    ("POST /organizations", {"name": "A", "id": "user_a"}, VALUE, "id"),
    ("POST /organizations", {"name": "A", "private_metadata": []}, TYPE, "private_metadata"),
    (f"POST {MEMBERS}", {}, MISSING, "user_id"),
    (f"POST {MEMBERS}", {"user_id": 5}, TYPE, "user_id"),
    (f"POST {MEMBERS}", {"user_id": "x", "role": ["org:admin"]}, TYPE, "role"),
    ("POST /roles", {"key": "admin"}, VALUE, "key"),
    ("POST /roles", {"key": "org:Admin"}, VALUE, "key"),
    ("POST /roles", {"key": 5}, TYPE, "key"),
    ("POST /roles", {"key": "org:x", "permissions": "org:a:b"}, TYPE, "permissions"),
    ("POST /roles", {"key": "org:x", "permissions": [5]}, TYPE, "permissions"),
    ("POST /roles", {"key": "org:x", "permissions": ["a:b"]}, VALUE, "permissions"),
    ("POST /roles", {"key": "org:x", "permissions": ["org:a:b"] * 101}, VALUE, "permissions"),
    ("POST /entitlements", {"plan": "gold"}, MISSING, "owner_id"),
    ("POST /entitlements", {"owner_id": ["x"]}, TYPE, "owner_id"),
    ("POST /entitlements", {"owner_id": "x", "plan": "a,b"}, VALUE, "plan"),
    ("POST /entitlements", {"owner_id": "x", "plan": ""}, VALUE, "plan"),
    ("POST /entitlements", {"owner_id": "x", "features": "a"}, TYPE, "features"),
    ("POST /entitlements", {"owner_id": "x", "features": ["a:b"]}, VALUE, "features"),
    ("POST /sign_in", {}, MISSING, "user_id"),
    ("POST /sign_in", {"user_id": "x", "identifier": "x"}, VALUE, "identifier"),
    ("POST /sign_in", {"user_id": 5}, TYPE, "user_id"),
    ("POST /sign_in", {"identifier": ["ada"]}, TYPE, "identifier"),
    ("POST /sign_in", {"identifier": "eve"}, "form_identifier_not_found", "identifier"),
    ("POST /sign_in", {"identifier": ""}, "form_identifier_not_found", "identifier"),
    ("POST /sign_in", {"identifier": "x", "status": "revoked"}, VALUE, "status"),
    ("POST /sign_in", {"identifier": "x", "status": 5}, TYPE, "status"),
    ("POST /sign_in", {"identifier": "x", "expires_in": "60"}, TYPE, "expires_in"),
    ("POST /sign_in", {"identifier": "x", "expires_in": True}, TYPE, "expires_in"),
    ("POST /sign_in", {"identifier": "x", "expires_in": 1.5}, TYPE, "expires_in"),
    ("POST /sign_in", {"identifier": "x", "expires_in": 10**12}, VALUE, "expires_in"),
    ("POST /sign_in", {"identifier": "x", "client_id": {}}, TYPE, "client_id"),
    ("POST /sign_in", {"identifier": "x", "organization_id": 5}, TYPE, "organization_id"),
    ("POST /sign_in", {"identifier": "x", "password": "x"}, UNKNOWN, "password"),
    (f"POST {ONE}", {"status": "alive"}, VALUE, "status"),
    (f"POST {ONE}", {"status": None}, TYPE, "status"),
    (f"POST {ONE}", {"actor": "user_x"}, TYPE, "actor"),
    (f"POST {ONE}", {"expire_at": "soon"}, TYPE, "expire_at"),
    (f"POST {ONE}", {"expire_at": -1}, VALUE, "expire_at"),
    (f"POST {ONE}", {"last_active_at": 10**15}, VALUE, "last_active_at"),
    (f"POST {ONE}", {"organization_id": 5}, TYPE, "organization_id"),
    (f"POST {ONE}", {"user_id": "user_x"}, UNKNOWN, "user_id"),
    (f"POST {ONE}/token", {"expires_in": "-60"}, TYPE, "expires_in"),
    (f"POST {ONE}/token", {"expires_in": -(10**12)}, VALUE, "expires_in"),
    (f"POST {ONE}/token", {"azp": ["http://x"]}, TYPE, "azp"),
    (f"POST {ONE}/token", {"claims": []}, TYPE, "claims"),
    (f"POST {ONE}/token", {"claims": {"x": float("inf")}}, VALUE, "claims"),
    (f"POST {ONE}/token", {"claims": {"expires_in": 5}}, VALUE, "claims"),
    ("PATCH /settings", {"token_lifetime": 0}, VALUE, "token_lifetime"),
    ("PATCH /settings", {"token_lifetime": -60}, VALUE, "token_lifetime"),
    ("PATCH /settings", {"token_lifetime": "60"}, TYPE, "token_lifetime"),
    ("PATCH /settings", {"token_lifetime": 1.5}, TYPE, "token_lifetime"),
    ("PATCH /settings", {"token_lifetime": False}, TYPE, "token_lifetime"),
    ("PATCH /settings", {"secret_key": "sk_test_x"}, UNKNOWN, "secret_key"),
    ("POST /rotate_key", {"keep_previous": "no"}, TYPE, "keep_previous"),
    ("POST /rotate_key", {"keep_previous": 0}, TYPE, "keep_previous"),
    ("PUT /faults", {"latency": "slow"}, TYPE, "latency"),
    ("PUT /faults", {"latency": True}, TYPE, "latency"),
    ("PUT /faults", {"latency": -0.1}, VALUE, "latency"),
    ("PUT /faults", {"latency": 3601}, VALUE, "latency"),
    ("PUT /faults", {"latency": float("nan")}, VALUE, "latency"),
    ("PUT /faults", {"latency": 10**400}, VALUE, "latency"),
    ("PUT /faults", {"failures": {}}, TYPE, "failures"),
    ("PUT /faults", {"failures": ["503"]}, TYPE, "failures[0]"),
    ("PUT /faults", {"failures": [{}] * 101}, VALUE, "failures"),
    ("PUT /faults", {"failures": [{}, {"status": 200}]}, VALUE, "failures[1].status"),
    ("PUT /faults", {"failures": [{"status": 600}]}, VALUE, "failures[0].status"),
    ("PUT /faults", {"failures": [{"status": "503"}]}, VALUE, "failures[0].status"),
    ("PUT /faults", {"failures": [{"status": 503.0}]}, TYPE, "failures[0].status"),
    ("PUT /faults", {"failures": [{"status": None}]}, TYPE, "failures[0].status"),
    ("PUT /faults", {"failures": [{"rate": 1.1}]}, VALUE, "failures[0].rate"),
    ("PUT /faults", {"failures": [{"rate": "0.5"}]}, TYPE, "failures[0].rate"),
    ("PUT /faults", {"failures": [{"prefix": "v1"}]}, VALUE, "failures[0].prefix"),
    ("PUT /faults", {"failures": [{"retry_after": -1}]}, VALUE, "failures[0].retry_after"),
    ("PUT /faults", {"failures": [{"retry_after": 0.5}]}, TYPE, "failures[0].retry_after"),
    ("PUT /faults", {"failures": [{"colour": 1}]}, UNKNOWN, "failures[0].colour"),
    ("PUT /faults", {"rate_limits": [{"requests": 1}]}, MISSING, "rate_limits[0].seconds"),
    ("PUT /faults", {"latency": 1, "rate_limits": 5}, TYPE, "rate_limits"),
    ("POST /rate_limit", {}, MISSING, "requests"),
    ("POST /rate_limit", {"requests": 1}, MISSING, "seconds"),
    ("POST /rate_limit", {"requests": 0, "seconds": 1}, VALUE, "requests"),
    ("POST /rate_limit", {"requests": "1", "seconds": 1}, TYPE, "requests"),
    ("POST /rate_limit", {"requests": 1, "seconds": 0}, VALUE, "seconds"),
    ("POST /rate_limit", {"requests": 1, "seconds": -1}, VALUE, "seconds"),
    ("POST /rate_limit", {"requests": 1, "seconds": 86_401}, VALUE, "seconds"),
    ("POST /rate_limit", {"requests": 1, "seconds": "1"}, TYPE, "seconds"),
    ("POST /rate_limit", {"requests": 1, "seconds": 1, "prefix": 5}, TYPE, "prefix"),
    ("POST /rate_limit", {"requests": 1, "seconds": 1, "prefix": ""}, VALUE, "prefix"),
]


@pytest.mark.parametrize(("endpoint", "body", "code", "param"), BAD)
def test_what_cannot_be_meant_is_refused_by_name(
    shared: Control, endpoint: str, body: dict[str, Any], code: str, param: str
) -> None:
    before = snapshot(shared.emulator)
    method, path = endpoint.split()
    # Not json=: requests refuses to write NaN, and a client in another language may not.
    answer = shared.ask(method, shared.filled(path), data=json.dumps(body))
    refused(answer, 422, code, param)
    assert snapshot(shared.emulator) == before


@pytest.mark.parametrize(
    ("endpoint", "body", "param"),
    [
        (f"POST {MEMBERS}", {"user_id": "user_x"}, None),
        (f"POST {MEMBERS}", {"user_id": "{user}", "role": "org:x"}, "role"),
        ("POST /organizations/org_x/members", {"user_id": "{user}"}, None),
        ("POST /entitlements", {"owner_id": "user_x"}, "owner_id"),
        ("POST /entitlements", {"owner_id": "some"}, "owner_id"),
        ("POST /sign_in", {"user_id": "user_x"}, "user_id"),
        ("POST /sign_in", {"user_id": "ada@example.com"}, "user_id"),
        ("POST /sign_in", {"user_id": "{user}", "client_id": "client_x"}, "client_id"),
        ("POST /sign_in", {"user_id": "{user}", "client_id": ""}, "client_id"),
        ("POST /sign_in", {"user_id": "{user}", "organization_id": "org_x"}, "organization_id"),
        ("POST /sign_in", {"user_id": "{user}", "organization_id": "some"}, "organization_id"),
        (f"POST {ONE}", {"organization_id": "org_x"}, "organization_id"),
        (f"POST {ONE}", {"organization_id": "some"}, "organization_id"),
        ("POST /sessions/sess_x", {"status": "active"}, None),
        ("POST /sessions/sess_x/token", {}, None),
        ("POST /sessions/sess_x/revoke", {}, None),
        ("POST /sessions/sess_x/expire", {}, None),
        ("POST /sessions/sess_x%2f..%2fx/token", {}, None),
        ("POST /sessions/%00/token", {}, None),
    ],
)
def test_what_is_not_there_is_a_404_and_changes_nothing(
    shared: Control, endpoint: str, body: dict[str, Any], param: str | None
) -> None:
    before = snapshot(shared.emulator)
    [user] = shared.emulator.users()
    method, path = endpoint.split()
    given = {name: value.replace("{user}", user["id"]) for name, value in body.items()}
    answer = shared.ask(method, shared.filled(path), json=given)
    refused(answer, 404, "resource_not_found", param)
    assert snapshot(shared.emulator) == before


# Users and organizations


def test_a_user_is_created_with_what_is_said(control: Control) -> None:
    user = found(
        control.post(
            "/users",
            id="user_grace",
            email_address="Grace@Example.com",
            username="grace",
            first_name="Grace",
            last_name="Hopper",
            password="x",
            public_metadata={"rank": 1},
            private_metadata={"pay": 2},
        )
    )
    assert (user["id"], user["first_name"], user["last_name"]) == ("user_grace", "Grace", "Hopper")
    assert user["email_addresses"][0]["email_address"] == "grace@example.com"
    assert (user["public_metadata"], user["private_metadata"]) == ({"rank": 1}, {"pay": 2})
    assert control.emulator.has_password("user_grace", "x")
    assert found(control.ask("GET", "/users")) == control.emulator.users()
    assert control.emulator.users()[1] == user
    assert "password" not in user


def test_a_user_may_be_anybody(here: Control) -> None:
    user = found(here.post("/users"))
    assert (user["username"], user["email_addresses"]) == (None, [])
    assert here.emulator.user(user["id"]) == user
    assert here.sign_in(user_id=user["id"])["session"]["user_id"] == user["id"]


def test_an_id_is_given_once(here: Control) -> None:
    longest = "user_" + "a" * 123
    assert found(here.post("/users", id=longest))["id"] == longest
    refused(here.post("/users", id=longest), 422, "form_identifier_exists", "id")
    assert found(here.post("/organizations", name="A", id="org_a"))["id"] == "org_a"
    refused(here.post("/organizations", name="B", id="org_a"), 422, "form_identifier_exists", "id")
    assert [one["name"] for one in here.emulator.organizations()] == ["A"]


def test_of_two_equal_users_at_once_there_is_one() -> None:
    with asking("http") as asker:
        control = Control(asker)

        def create(_: int) -> int:
            return control.post("/users", id="user_x", username="grace").status_code

        with ThreadPoolExecutor(8) as threads:
            statuses = list(threads.map(create, range(8)))
        assert sorted(statuses) == [200] + [422] * 7


def test_organizations_roles_and_entitlements_are_in_the_token(control: Control) -> None:
    created = found(control.post("/organizations", name="Analytical Society", id="org_a"))
    assert (created["slug"], created["object"]) == ("analytical-society", "organization")
    role = found(control.post("/roles", key="org:billing", permissions=["org:invoices:read"]))
    assert (role["key"], role["permissions"]) == ("org:billing", ["org:invoices:read"])
    [ada] = control.emulator.users()
    path = "/organizations/analytical-society/members"
    member = found(control.post(path, user_id=ada["id"], role="org:billing"))
    assert (member["role"], member["organization"]["id"]) == ("org:billing", "org_a")
    assert found(control.post("/entitlements", owner_id=ada["id"], features=["beta"])) == {
        "object": "entitlements",
        "owner_id": ada["id"],
        "plan": None,
        "features": ["beta"],
    }
    found(control.post("/entitlements", owner_id="org_a", plan="gold"))
    answer = control.sign_in(user_id=ada["id"], organization_id="analytical-society")
    claims = control.emulator.read_session_token(answer["session_token"])
    assert claims is not None
    assert claims["o"] == {
        "id": "org_a",
        "slg": "analytical-society",
        "rol": "billing",
        "per": "read",
        "fpm": "1",
    }
    assert (claims["pla"], claims["fea"]) == ("o:gold", "o:invoices,u:beta")
    assert answer["session"]["last_active_organization_id"] == "org_a"


def test_a_member_is_a_plain_one_and_is_one_once(here: Control) -> None:
    path = here.filled("/organizations/{organization}/members")
    [ada] = here.emulator.users()
    assert found(here.post(path, user_id=ada["id"]))["role"] == "org:member"
    refused(here.post(path, user_id=ada["id"]), 400, "already_a_member_in_organization")


# Signing in


def test_anybody_is_signed_in_by_id_or_identifier(control: Control) -> None:
    [ada] = control.emulator.users()
    for named in ({"user_id": ada["id"]}, {"identifier": "ADA@example.com"}):
        answer = control.sign_in(**named)
        assert answer.keys() == {"session", "client", "session_token", "client_token", "cookies"}
        session, client = answer["session"], answer["client"]
        assert (session["user_id"], session["status"]) == (ada["id"], "active")
        assert control.emulator.session(session["id"]) == session
        assert client == control.emulator.client(session["client_id"])
        assert client["last_active_session_id"] == session["id"]
        claims = control.emulator.read_session_token(answer["session_token"])
        assert claims is not None
        assert (claims["sid"], claims["sub"]) == (session["id"], ada["id"])
        secret = control.emulator.read_client_token(answer["client_token"])
        assert secret is not None
        assert control.emulator.has_rotating_token(client["id"], secret["rotating_token"])
        assert "rotating_token" not in client


def test_each_sign_in_is_on_a_browser_of_its_own_unless_one_is_named(here: Control) -> None:
    grace = found(here.post("/users", username="grace"))
    first, second = (here.sign_in(identifier="ada@example.com") for _ in range(2))
    assert first["client"]["id"] != second["client"]["id"]
    third = here.sign_in(identifier="grace", client_id=first["client"]["id"])
    assert third["client"]["session_ids"] == [first["session"]["id"], third["session"]["id"]]
    assert third["client"]["last_active_session_id"] == third["session"]["id"]
    assert third["session"]["user_id"] == grace["id"]
    again = here.sign_in(identifier="grace", client_id=first["client"]["id"])
    assert here.emulator.session(third["session"]["id"])["status"] == "replaced"
    assert again["client"]["session_ids"] == [first["session"]["id"], again["session"]["id"]]


def test_a_browser_that_is_signed_in_keeps_what_it_is_known_by(here: Control) -> None:
    first = here.sign_in(identifier="ada@example.com")
    again = here.sign_in(identifier="ada@example.com", client_id=first["client"]["id"])
    assert carried(again)["__clerk_db_jwt"] == carried(first)["__clerk_db_jwt"]
    other = here.sign_in(identifier="ada@example.com")
    assert carried(other)["__clerk_db_jwt"] != carried(first)["__clerk_db_jwt"]


@pytest.mark.parametrize("field", ["banned", "locked"])
def test_who_may_not_sign_in_is_not_signed_in(here: Control, field: str) -> None:
    found(here.post("/users", id="user_eve", **{field: True}))
    before = snapshot(here.emulator)
    refused(here.post("/sign_in", user_id="user_eve"), 403, "user_locked")
    assert snapshot(here.emulator) == before


def test_a_development_browser_gets_its_cookies(fixed: Control) -> None:
    answer = fixed.sign_in(identifier="ada@example.com")
    cookies = carried(answer)
    [suffix] = {name.rpartition("_")[2] for name in cookies if name.startswith("__session_")}
    token = answer["session_token"]
    dev_browser = cookies["__clerk_db_jwt"]
    assert dev_browser.startswith("dvb_")
    assert cookies == {
        "__session": token,
        f"__session_{suffix}": token,
        "__client_uat": str(int(NOW)),
        f"__client_uat_{suffix}": str(int(NOW)),
        "__clerk_db_jwt": dev_browser,
        f"__clerk_db_jwt_{suffix}": dev_browser,
    }


def test_a_production_browser_gets_no_development_cookie() -> None:
    with asking(publishable_key=PUBLISHABLE_LIVE) as asker:
        cookies = carried(Control(asker).sign_in(identifier="ada@example.com"))
        assert sorted(re.sub("_[A-Za-z0-9]{8}$", "", name) for name in cookies) == [
            "__client_uat",
            "__client_uat",
            "__session",
            "__session",
        ]


def test_a_pending_session_has_something_left_to_do(here: Control) -> None:
    answer = here.sign_in(identifier="ada@example.com", status="pending")
    assert (answer["session"]["status"], answer["session"]["tasks"]) == (
        "pending",
        [{"key": "choose-organization"}],
    )
    claims = here.emulator.read_session_token(answer["session_token"])
    assert claims is not None
    assert claims["sts"] == "pending"
    done = found(here.post(f"/sessions/{answer['session']['id']}", status="active"))
    assert (done["status"], done["tasks"]) == ("active", None)


@pytest.mark.parametrize("expires_in", [-3600, -1, 0, 1, 3600])
def test_a_token_lives_as_long_as_is_said(fixed: Control, expires_in: int) -> None:
    answer = fixed.sign_in(identifier="ada@example.com", expires_in=expires_in)
    path = f"/sessions/{answer['session']['id']}/token"
    minted = found(fixed.post(path, expires_in=expires_in))
    assert minted.keys() == {"object", "jwt"}
    for token in (answer["session_token"], minted["jwt"]):
        assert claims_of(token)["exp"] == NOW + expires_in
        assert (fixed.emulator.read_session_token(token) is None) == (expires_in <= 0)


# Sessions and their tokens


def test_a_token_says_what_it_is_told_to(fixed: Control) -> None:
    [session] = fixed.emulator.sessions()
    path = f"/sessions/{session['id']}/token"
    custom = {"role": "admin", "self": 1, "session_id": 2, "sub": "user_other", "azp": "http://b"}
    claims = claims_of(found(fixed.post(path, azp="http://a", claims=custom))["jwt"])
    assert {name: claims[name] for name in custom} == {**custom, "azp": "http://a"}
    assert (claims["sid"], claims["exp"]) == (session["id"], NOW + 60)
    assert "azp" not in claims_of(found(fixed.post(path))["jwt"])
    signed_in = fixed.sign_in(identifier="ada@example.com", azp="http://a", claims={"x": [None]})
    claims = claims_of(signed_in["session_token"])
    assert (claims["azp"], claims["x"]) == ("http://a", [None])


def test_tokens_of_sessions_that_are_over_can_be_had(here: Control) -> None:
    [session] = here.emulator.sessions()
    for status in STATUSES:
        found(here.post(f"/sessions/{session['id']}", status=status))
        assert claims_of(found(here.post(f"/sessions/{session['id']}/token"))["jwt"])


@pytest.mark.parametrize("status", STATUSES)
def test_a_session_has_the_status_that_is_said(control: Control, status: str) -> None:
    [session] = control.emulator.sessions()
    changed = found(control.post(f"/sessions/{session['id']}", status=status))
    assert changed["status"] == status
    assert control.emulator.session(session["id"]) == changed


def test_a_session_is_revoked_whatever_it_was(here: Control) -> None:
    [session] = here.emulator.sessions()
    for status in STATUSES:
        found(here.post(f"/sessions/{session['id']}", status=status))
        assert found(here.post(f"/sessions/{session['id']}/revoke"))["status"] == "revoked"


def test_a_session_expires_now_and_can_live_again(fixed: Control) -> None:
    [session] = fixed.emulator.sessions()
    path, now = f"/sessions/{session['id']}", int(NOW * 1000)
    assert (session["status"], session["expire_at"]) == ("active", now + WEEK)
    expired = found(fixed.post(f"{path}/expire"))
    assert (expired["status"], expired["expire_at"]) == ("expired", now)
    assert fixed.emulator.client(session["client_id"])["last_active_session_id"] is None
    alive = found(fixed.post(path, status="active"))
    assert (alive["status"], alive["expire_at"]) == ("active", now + WEEK)


def test_the_session_of_a_user_who_was_deleted_does_not_live_again(here: Control) -> None:
    signed_in = here.sign_in(identifier="ada@example.com")
    session_id, now = signed_in["session"]["id"], here.emulator.milliseconds()
    found(here.post(f"/sessions/{session_id}", expire_at=now))
    here.emulator.delete_user(signed_in["session"]["user_id"])
    before = snapshot(here.emulator)
    for body in ({"status": "active"}, {"status": "pending"}, {"expire_at": now + WEEK}):
        answer = here.post(f"/sessions/{session_id}", **body)
        refused(answer, 422, "form_param_value_invalid", "status")
    assert snapshot(here.emulator) == before
    assert found(here.post(f"/sessions/{session_id}/revoke"))["status"] == "revoked"


def test_a_time_that_is_said_is_kept(fixed: Control) -> None:
    [session] = fixed.emulator.sessions()
    path, now = f"/sessions/{session['id']}", int(NOW * 1000)
    assert found(fixed.post(path, expire_at=now + 5000))["status"] == "active"
    assert found(fixed.post(path, abandon_at=now - 1))["status"] == "abandoned"
    alive = found(fixed.post(path, status="active", abandon_at=now + 1))
    assert (alive["status"], alive["expire_at"], alive["abandon_at"]) == (
        "active",
        now + 5000,
        now + 1,
    )
    assert found(fixed.post(path, status="active", expire_at=now))["status"] == "expired"
    assert found(fixed.post(path, last_active_at=5))["last_active_at"] == 5


def test_an_actor_and_an_organization_come_and_go(here: Control) -> None:
    [session] = here.emulator.sessions()
    path = f"/sessions/{session['id']}"
    here.emulator.create_organization("Analytical Society", id="org_a")
    here.emulator.add_member("org_a", session["user_id"])
    changed = found(
        here.post(path, actor={"sub": "user_support"}, organization_id="analytical-society")
    )
    assert changed["actor"] == {"sub": "user_support"}
    assert changed["last_active_organization_id"] == "org_a"
    claims = claims_of(found(here.post(f"{path}/token"))["jwt"])
    assert (claims["act"], claims["o"]["id"]) == ({"sub": "user_support"}, "org_a")
    changed = found(here.post(path, actor=None, organization_id=None))
    assert (changed["actor"], changed["last_active_organization_id"]) == (None, None)


def test_a_change_that_fails_half_way_changes_nothing(here: Control) -> None:
    [session] = here.emulator.sessions()
    before = snapshot(here.emulator)
    path = f"/sessions/{session['id']}"
    answer = here.post(path, status="revoked", organization_id="org_x")
    refused(answer, 404, "resource_not_found", "organization_id")
    refused(here.post(path, status="revoked", expire_at="x"), 422, TYPE, "expire_at")
    assert snapshot(here.emulator) == before


# Settings and keys


def test_tokens_live_as_long_as_the_settings_say(fixed: Control) -> None:
    [session] = fixed.emulator.sessions()
    assert found(fixed.ask("GET", "/settings")) == {"token_lifetime": 60}
    assert found(fixed.ask("PATCH", "/settings", json={})) == {"token_lifetime": 60}
    changed = fixed.ask("PATCH", "/settings", json={"token_lifetime": 5})
    assert found(changed) == found(fixed.ask("GET", "/settings")) == {"token_lifetime": 5}
    assert claims_of(fixed.emulator.session_token(session["id"]))["exp"] == NOW + 5
    minted = found(fixed.post(f"/sessions/{session['id']}/token"))
    assert claims_of(minted["jwt"])["exp"] == NOW + 5


def test_a_rotated_key_leaves_the_previous_ones_unless_told_otherwise(control: Control) -> None:
    def published() -> list[str]:
        return [key["kid"] for key in control.emulator.jwks()["keys"]]

    first = control.emulator.kid
    second = found(control.post("/rotate_key"))["kid"]
    assert published() == [second, first]
    third = found(control.post("/rotate_key", keep_previous=True))["kid"]
    assert published() == [third, second, first]
    fourth = found(control.post("/rotate_key", keep_previous=False))["kid"]
    assert published() == [fourth] == [control.emulator.kid]


@pytest.mark.parametrize("publishable_key", [None, PUBLISHABLE_LIVE])
def test_expired_tokens_are_no_good_but_browsers_stay(publishable_key: str | None) -> None:
    with asking(publishable_key=publishable_key) as asker:
        control, emulator = Control(asker), asker.emulator
        answers = [control.sign_in(identifier="ada@example.com")]
        found(control.post("/rotate_key"))
        answers.append(control.sign_in(identifier="ada@example.com"))
        kid = found(control.post("/expire_tokens"))["kid"]
        assert [key["kid"] for key in emulator.jwks()["keys"]] == [kid]
        for answer in answers:
            assert emulator.read_session_token(answer["session_token"]) is None
            assert emulator.read_client_token(answer["client_token"]) is not None
            answered = asker.post("/v1/clients/verify", token=answer["client_token"])
            assert found(answered)["id"] == answer["client"]["id"]
            path = f"/v1/sessions/{answer['session']['id']}/verify"
            refused(asker.post(path, token=answer["session_token"]), 400, "invalid_session_token")
            fresh = emulator.session_token(answer["session"]["id"])
            assert found(asker.post(path, token=fresh))["status"] == "active"
        found(control.post("/rotate_key", keep_previous=False))
        assert [emulator.read_client_token(one["client_token"]) for one in answers] == [None, None]


# What was asked, what there is, and the beginning


def test_requests_are_told_newest_first_without_the_calls(control: Control) -> None:
    emulator = control.emulator
    assert found(control.ask("GET", "/requests")) == []
    control.asker.get("/v1/jwks", secret="in the query")
    control.asker.get("/v1/nothing")
    emulator.faults.fail(503)
    control.asker.post("/v1/users")
    emulator.faults.clear()
    before = time.time()
    told = found(control.ask("GET", "/requests"))
    assert [(one["method"], one["path"], one["status"]) for one in told] == [
        ("POST", "/v1/users", 503),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/jwks", 200),
    ]
    assert all(before - 60 < one["time"] <= before for one in told)
    assert told[0].keys() == {"method", "path", "status", "time"}
    assert found(control.ask("GET", "/requests", params={"limit": 2})) == told[:2]
    assert found(control.ask("GET", "/requests", params={"limit": 5000})) == told
    assert [one.path for one in emulator.requests] == ["/v1/jwks", "/v1/nothing", "/v1/users"]
    found(control.ask("DELETE", "/requests"))
    assert found(control.ask("GET", "/requests")) == emulator.requests == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", VALUE),
        ("limit=-1", VALUE),
        ("limit=x", TYPE),
        ("limit=", TYPE),
        ("limit=1.5", TYPE),
        ("limit=" + "9" * 5000, TYPE),
        ("limit=1&limit=2", "form_param_duplicate"),
    ],
)
def test_a_bad_limit_is_refused(shared: Control, query: str, code: str) -> None:
    refused(shared.ask("GET", f"/requests?{query}"), 422, code, "limit")


def test_calls_are_logged_though_not_recorded(
    here: Control, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clerk_wsgi.emulator")
    here.sign_in(identifier="ada@example.com")
    assert [one.getMessage() for one in caplog.records] == ["POST /_emulator/sign_in 200"]
    assert here.emulator.requests == []


def test_the_overview_has_addresses_and_no_secret(control: Control) -> None:
    emulator = control.emulator
    emulator.create_organization("Some")
    answer = control.ask("GET", "")
    overview = found(answer)
    url = overview["urls"]["api"]
    assert urlsplit(url).netloc in (urlsplit(control.asker.url).netloc, "api.clerk.test")
    assert overview == found(control.ask("GET", "/"))
    assert overview["urls"] == {
        "api": url,
        "frontend_api": url,
        "jwks": f"{url}/v1/jwks",
        "sign_in": f"{url}/sign-in",
        "control": f"{url}/_emulator",
    }
    assert (overview["kid"], overview["issuer"]) == (emulator.kid, emulator.issuer)
    assert overview["publishable_key"] == emulator.publishable_key
    assert overview["settings"] == {"token_lifetime": 60}
    counts = {"users": 1, "organizations": 1, "clients": 1, "sessions": 1, "requests": 0}
    assert overview["counts"] == counts
    for secret in (emulator.secret_key, "PRIVATE", "rotating_token", "digest"):
        assert secret not in answer.text


def test_the_addresses_are_those_that_answer(control: Control) -> None:
    urls = found(control.ask("GET", ""))["urls"]
    assert found(control.asker.get(urlsplit(urls["jwks"]).path)) == control.emulator.jwks()
    assert control.asker.get(urlsplit(urls["sign_in"]).path).status_code == 200
    assert found(control.asker.get(urlsplit(urls["control"]).path))["urls"] == urls


def test_a_reset_brings_back_the_beginning(control: Control) -> None:
    emulator = control.emulator
    kid, key, publishable = emulator.kid, emulator.secret_key, emulator.publishable_key
    before = emulator.users()[0]["id"], emulator.sessions()[0]["id"]
    found(control.post("/users", username="grace"))
    found(control.post("/organizations", name="A"))
    found(control.post("/roles", key="org:billing"))
    control.sign_in(identifier="grace")
    found(control.ask("PATCH", "/settings", json={"token_lifetime": 5}))
    control.asker.get("/v1/jwks")
    found(control.ask("PUT", "/faults", json={"failures": [{}]}))
    found(control.post("/rate_limit", requests=1, seconds=1))
    overview = found(control.post("/reset"))
    counts = {"users": 1, "organizations": 0, "clients": 1, "sessions": 1, "requests": 0}
    assert overview["counts"] == counts
    [ada], [session] = emulator.users(), emulator.sessions()
    assert (ada["first_name"], session["status"]) == ("Ada", "active")
    assert ada["id"] != before[0]
    assert session["id"] != before[1]
    assert (emulator.kid, emulator.secret_key, emulator.publishable_key) == (kid, key, publishable)
    assert emulator.token_lifetime == 60
    assert (emulator.faults.failures, emulator.faults.limits) == ((), ())
    assert [one["key"] for one in emulator.roles()] == ["org:admin", "org:member"]
    assert not emulator.has_password(before[0], "analytical-engine-1843")
    assert emulator.has_password(ada["id"], "analytical-engine-1843")
    with pytest.raises(NotFound):
        emulator.session(before[1])


def test_a_reset_keeps_the_key_that_signs_and_drops_the_others(here: Control) -> None:
    found(here.post("/rotate_key"))
    found(here.post("/expire_tokens"))
    found(here.post("/rotate_key"))
    kid = here.emulator.kid
    here.emulator.reset()
    assert [key["kid"] for key in here.emulator.jwks()["keys"]] == [kid]
    assert here.emulator.public_key_pem()


def test_a_reset_plants_the_seed_again(tmp_path: Path) -> None:
    seed = tmp_path / "seed.toml"
    seed.write_text('[[users]]\nid = "user_grace"\nusername = "grace"\n')
    with asking(seed=seed, token_lifetime=30) as asker:
        control = Control(asker)
        found(control.post("/users", username="evelyn"))
        found(control.ask("PATCH", "/settings", json={"token_lifetime": 5}))
        found(control.post("/reset"))
        assert [user["id"] for user in asker.emulator.users()] == ["user_grace"]
        assert asker.emulator.token_lifetime == 30


def test_a_reset_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with asking(state=state) as asker:
        found(Control(asker).post("/users", username="grace"))
        found(Control(asker).post("/reset"))
        users = asker.emulator.users()
    with asking(state=state) as asker:
        assert asker.emulator.users() == users
        assert len(users) == 1


def test_resets_at_once_leave_one_beginning() -> None:
    with asking("http") as asker:
        control = Control(asker)

        def reset(_: int) -> int:
            return control.post("/reset").status_code

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(reset, range(8))) == [200] * 8
        assert len(asker.emulator.users()) == len(asker.emulator.sessions()) == 1


# Faults


def test_what_is_wrong_can_be_said_looked_at_and_ended(control: Control) -> None:
    faults = control.emulator.faults
    well = {"latency": 0, "failures": [], "rate_limits": []}
    assert found(control.ask("GET", "/faults")) == well
    wanted = {
        "latency": 0.001,
        "failures": [
            {"status": 500, "rate": 0.5, "prefix": "/v1/users", "retry_after": 1},
            {"status": "reset", "rate": 1.0, "prefix": "/v1/jwks", "retry_after": 1},
            {"status": 429, "rate": 1.0, "prefix": "/", "retry_after": 7},
        ],
        "rate_limits": [{"requests": 5, "seconds": 0.5, "prefix": "/v1"}],
    }
    assert found(control.ask("PUT", "/faults", json=wanted)) == wanted
    assert found(control.ask("GET", "/faults")) == wanted
    assert faults.latency == 0.001
    assert faults.failures == (
        Failure(status=500, rate=0.5, prefix="/v1/users"),
        Failure(status=None, prefix="/v1/jwks"),
        Failure(status=429, retry_after=7),
    )
    assert faults.limits == (RateLimit(requests=5, seconds=0.5, prefix="/v1"),)
    again = control.ask("PUT", "/faults", json={"failures": [{}]})
    assert found(again)["failures"] == [
        {"status": 503, "rate": 1.0, "prefix": "/", "retry_after": 1}
    ]
    assert (faults.latency, len(faults.limits)) == (0, 0)
    assert found(control.ask("DELETE", "/faults")) == well
    assert (faults.latency, len(faults.failures), len(faults.limits)) == (0, 0, 0)


def test_a_rate_limit_comes_on_top_of_what_is_wrong(control: Control) -> None:
    found(control.ask("PUT", "/faults", json={"failures": [{"prefix": "/v1/sessions"}]}))
    answer = control.post("/rate_limit", requests=2, seconds=600, prefix="/v1/users")
    assert len(found(answer)["failures"]) == len(found(answer)["rate_limits"]) == 1
    statuses = [control.asker.get("/v1/users").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    last = control.asker.get("/v1/users/count")
    refused(last, 429, "too_many_requests")
    assert 590 < int(last.headers["Retry-After"]) <= 600
    assert control.asker.get("/v1/jwks").status_code == 200
    found(control.ask("DELETE", "/faults"))
    assert control.asker.get("/v1/users").status_code == 200


def test_no_fault_meets_a_call(control: Control) -> None:
    faults = control.emulator.faults
    faults.latency = 60
    faults.fail(None)
    faults.limit(1, seconds=600)
    faults.fail(503, prefix="/_emulator")
    started = time.monotonic()
    for method, path in (("GET", ""), ("GET", "/faults"), ("POST", "/users"), ("GET", "/users")):
        found(control.ask(method, path))
    control.sign_in(identifier="ada@example.com")
    refused(control.ask("GET", "/nothing"), 404, "resource_not_found")
    refused(control.ask("GET", "", key="sk_test_wrong"), 401, "clerk_key_invalid")
    found(control.ask("DELETE", "/faults"))
    assert time.monotonic() - started < 20
    assert control.asker.get("/v1/jwks").status_code == 200


@pytest.mark.servers
def test_a_call_ends_the_wait_of_those_who_are_late() -> None:
    with asking("http") as asker, ThreadPoolExecutor(4) as threads:
        control = Control(asker)
        found(control.ask("PUT", "/faults", json={"latency": 600}))
        url = f"{asker.url}/.well-known/jwks.json"
        late = [threads.submit(requests.get, url, timeout=60) for _ in range(4)]
        time.sleep(0.3)
        assert not any(one.done() for one in late)
        found(control.ask("DELETE", "/faults"))
        assert [one.result(30).status_code for one in late] == [200] * 4


# The document


SECTION = DOCUMENT.read_text("utf-8").partition("## Control API\n")[2]
TEXT = SECTION.partition("\n## ")[0]


def test_the_document_has_every_endpoint(shared: Control) -> None:
    rows = re.findall(r"^\| `([A-Z]+) (/\S*)` \|", TEXT, re.MULTILINE)
    told = {(method, re.sub(r"\{(\w+)_id\}", r"{\1}", path)) for method, path in rows}
    assert len(told) == len(rows)
    assert told | {("GET", "")} == set(ENDPOINTS)
    routes = shared.emulator._control._router._endpoints.values()
    assert sum(map(len, routes)) == len(ENDPOINTS)


def test_the_documents_calls_work(here: Control) -> None:
    [session] = here.emulator.sessions()
    lines = re.findall(r"^control .+$", TEXT, re.MULTILINE)
    called = set()
    for line in lines:
        _, method, path, *bodies = shlex.split(line.replace("$SESSION_ID", session["id"]))
        if path == "/reset":
            continue  # last
        found(here.ask(method, path, data=bodies[0] if bodies else None))
        path = path.partition("?")[0]
        called.add((method, re.sub("(sessions|organizations)/[^/]+", r"\1/{}", path)))
    found(here.ask("POST", "/reset"))
    endpoints = {(method, re.sub("{.+}", "{}", path)) for method, path in ENDPOINTS if path}
    assert called | {("POST", "/reset")} == endpoints


def test_the_documents_errors_are_those_that_there_are() -> None:
    codes = set(re.findall(r"`([a-z_]+)`", " ".join(re.findall(r"^\| 4.+$", TEXT, re.MULTILINE))))
    assert {TYPE, VALUE, MISSING, UNKNOWN, "request_body_too_large"} <= codes
    assert codes >= {"clerk_key_invalid", "resource_not_found", "method_not_allowed"}
