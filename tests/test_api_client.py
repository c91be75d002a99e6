"""Clerk's API as applications call it: what is sent, what comes back, and how it can fail."""

from __future__ import annotations

import dataclasses
import gc
import gzip
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from webob import Response

import clerk_wsgi
from clerk_wsgi import ApiError, Clerk, ClerkError, ClerkUnavailable, ConfigurationError
from clerk_wsgi.api.models import (
    parse_client,
    parse_membership,
    parse_organization,
    parse_session,
    parse_user,
)
from clerk_wsgi.api.pages import MAX_PAGES, paged
from clerk_wsgi.clerk import default_clerk, set_default

from .minting import Minter
from .scripted import (
    CLIENT,
    MEMBERSHIP,
    ORGANIZATION,
    SECRET_KEY,
    SESSION,
    USER,
    Asked,
    Script,
    ScriptedClerk,
    answering,
    error,
)
from .servers import (
    drips,
    hangs_up,
    resets,
    response,
    sends,
    sends_for_ever,
    sends_json,
    sends_then_closes,
    serving,
    sleeps,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .servers import Behaviour, Conversation

    Call = Callable[[Clerk], Any]

SECRET_TOKEN = "tok_3131opaque3131"
MOMENT = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
OK = b"HTTP/1.1 200 OK\r\n"


def refused(call: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value


# ---- what is sent, and what comes back ----


@dataclasses.dataclass(frozen=True)
class Row:
    """A call, the request that it makes, and what becomes of the answer."""

    call: Call
    line: str
    answer: Any
    result: Any
    body: Any = None
    query: tuple[tuple[str, str], ...] = ()


PAGE = (("limit", "100"), ("offset", "0"))
SESSION_1, CLIENT_1, USER_1 = parse_session(SESSION), parse_client(CLIENT), parse_user(USER)
ORGANIZATION_1, MEMBERSHIP_1 = parse_organization(ORGANIZATION), parse_membership(MEMBERSHIP)
TOKEN = {"object": "token", "jwt": "a.b.c"}
ROWS = {
    "sessions.list": Row(
        lambda clerk: list(clerk.sessions.list()), "GET /v1/sessions", [SESSION], [SESSION_1],
        query=PAGE,
    ),
    "sessions.list by": Row(
        lambda clerk: list(
            clerk.sessions.list(client_id="client_1", user_id="user_1", status="active")
        ),
        "GET /v1/sessions", {"data": [SESSION], "total_count": 1}, [SESSION_1],
        query=(("client_id", "client_1"), ("user_id", "user_1"), ("status", "active"), *PAGE),
    ),
    "sessions.get": Row(
        lambda clerk: clerk.sessions.get("sess_1"), "GET /v1/sessions/sess_1", SESSION, SESSION_1
    ),
    "sessions.revoke": Row(
        lambda clerk: clerk.sessions.revoke("sess_1"),
        "POST /v1/sessions/sess_1/revoke",
        {**SESSION, "status": "revoked"},
        dataclasses.replace(SESSION_1, status="revoked"),
    ),
    "sessions.create": Row(
        lambda clerk: clerk.sessions.create("user_1"), "POST /v1/sessions", SESSION, SESSION_1,
        body={"user_id": "user_1"},
    ),
    "sessions.create in": Row(
        lambda clerk: clerk.sessions.create("user_1", active_organization_id="org_1"),
        "POST /v1/sessions", SESSION, SESSION_1,
        body={"user_id": "user_1", "active_organization_id": "org_1"},
    ),
    "sessions.get_token": Row(
        lambda clerk: clerk.sessions.get_token("sess_1"),
        "POST /v1/sessions/sess_1/tokens", TOKEN, "a.b.c",
    ),
    "sessions.get_token of": Row(
        lambda clerk: clerk.sessions.get_token("sess_1", "my-Template_1", expires_in_seconds=60),
        "POST /v1/sessions/sess_1/tokens/my-Template_1", TOKEN, "a.b.c",
        body={"expires_in_seconds": 60},
    ),
    "sessions.verify_session": Row(
        lambda clerk: clerk.sessions.verify_session("sess_1", SECRET_TOKEN),
        "POST /v1/sessions/sess_1/verify", SESSION, SESSION_1, body={"token": SECRET_TOKEN},
    ),
    "clients.list": Row(
        lambda clerk: list(clerk.clients.list()), "GET /v1/clients", [CLIENT], [CLIENT_1],
        query=PAGE,
    ),
    "clients.get": Row(
        lambda clerk: clerk.clients.get("client_1"), "GET /v1/clients/client_1", CLIENT, CLIENT_1
    ),
    "clients.verify_client": Row(
        lambda clerk: clerk.clients.verify_client(SECRET_TOKEN),
        "POST /v1/clients/verify", CLIENT, CLIENT_1, body={"token": SECRET_TOKEN},
    ),
    "users.list": Row(
        lambda clerk: list(clerk.users.list()), "GET /v1/users", [USER], [USER_1], query=PAGE
    ),
    "users.list by": Row(
        lambda clerk: list(
            clerk.users.list(
                email_address=["a@b.test", "c+d@e.test"], username="ada", query="x & y",
                banned=False, phone_number=None, created_at_after=MOMENT,
                created_at_before=1_800_000_000_000, order_by="-created_at", limit=5, offset=7,
            )
        ),
        "GET /v1/users", [USER], [USER_1],
        query=(
            ("email_address", "a@b.test"), ("email_address", "c+d@e.test"), ("username", "ada"),
            ("query", "x & y"), ("banned", "false"), ("created_at_after", "1795413600000"),
            ("created_at_before", "1800000000000"), ("order_by", "-created_at"), ("limit", "5"),
            ("offset", "7"),
        ),
    ),
    "users.count": Row(
        lambda clerk: clerk.users.count(organization_id=("org_1", "org_2"), banned=True),
        "GET /v1/users/count", {"object": "total_count", "total_count": 7}, 7,
        query=(("organization_id", "org_1"), ("organization_id", "org_2"), ("banned", "true")),
    ),
    "users.get": Row(
        lambda clerk: clerk.users.get("user_1"), "GET /v1/users/user_1", USER, USER_1
    ),
    "users.create": Row(
        lambda clerk: clerk.users.create(
            email_address=["a@b.test"], first_name="Ada", last_name=None,
            public_metadata={"gone": None, "plan": []}, skip_password_checks=True,
        ),
        "POST /v1/users", USER, USER_1,
        body={
            "email_address": ["a@b.test"], "first_name": "Ada",
            "public_metadata": {"gone": None, "plan": []}, "skip_password_checks": True,
        },
    ),
    "users.update": Row(
        lambda clerk: clerk.users.update("user_1", first_name="", last_name=None, user_id="x"),
        "PATCH /v1/users/user_1", USER, USER_1, body={"first_name": "", "user_id": "x"},
    ),
    "users.update to nothing": Row(
        lambda clerk: clerk.users.update("user_1", first_name=None),
        "PATCH /v1/users/user_1", USER, USER_1,
    ),
    "users.delete": Row(
        lambda clerk: clerk.users.delete("user_1"),
        "DELETE /v1/users/user_1", {"object": "user", "id": "user_1", "deleted": True}, None,
    ),
    "organizations.list": Row(
        lambda clerk: list(clerk.api.organizations.list()),
        "GET /v1/organizations", {"data": [ORGANIZATION], "total_count": 1}, [ORGANIZATION_1],
        query=PAGE,
    ),
    "organizations.list by": Row(
        lambda clerk: list(
            clerk.api.organizations.list(
                query="x & y", organization_id=["org_1", "-org_2"], user_id="+user_1",
                include_members_count=True, order_by="-members_count", limit=5, offset=7,
            )
        ),
        "GET /v1/organizations", [ORGANIZATION], [ORGANIZATION_1],
        query=(
            ("query", "x & y"), ("organization_id", "org_1"), ("organization_id", "-org_2"),
            ("user_id", "+user_1"), ("include_members_count", "true"),
            ("order_by", "-members_count"), ("limit", "5"), ("offset", "7"),
        ),
    ),
    "organizations.get": Row(
        lambda clerk: clerk.api.organizations.get("org_1"),
        "GET /v1/organizations/org_1", ORGANIZATION, ORGANIZATION_1,
    ),
    "organizations.get by slug": Row(
        lambda clerk: clerk.api.organizations.get(
            "analytical-society", include_members_count=True
        ),
        "GET /v1/organizations/analytical-society",
        {**ORGANIZATION, "members_count": 2},
        dataclasses.replace(ORGANIZATION_1, members_count=2),
        query=(("include_members_count", "true"),),
    ),
    "organizations.create": Row(
        lambda clerk: clerk.api.organizations.create(
            "Analytical Society", created_by="user_1", slug=None, public_metadata={"gone": None}
        ),
        "POST /v1/organizations", ORGANIZATION, ORGANIZATION_1,
        body={
            "name": "Analytical Society", "created_by": "user_1",
            "public_metadata": {"gone": None},
        },
    ),
    "organizations.update": Row(
        lambda clerk: clerk.api.organizations.update(
            "org_1", name="", slug=None, organization_id="x"
        ),
        "PATCH /v1/organizations/org_1", ORGANIZATION, ORGANIZATION_1,
        body={"name": "", "organization_id": "x"},
    ),
    "organizations.delete": Row(
        lambda clerk: clerk.api.organizations.delete("org_1"),
        "DELETE /v1/organizations/org_1",
        {"object": "organization", "id": "org_1", "deleted": True}, None,
    ),
    "organizations.list members": Row(
        lambda clerk: list(clerk.api.organizations.memberships("org_1")),
        "GET /v1/organizations/org_1/memberships",
        {"data": [MEMBERSHIP], "total_count": 1}, [MEMBERSHIP_1],
        query=PAGE,
    ),
    "organizations.list members by": Row(
        lambda clerk: list(
            clerk.api.organizations.memberships(
                "org_1", role=["org:admin", "org:member"], user_id="user_1", query="ada",
                created_at_after=MOMENT, order_by="+first_name", limit=5, offset=7,
            )
        ),
        "GET /v1/organizations/org_1/memberships", [MEMBERSHIP], [MEMBERSHIP_1],
        query=(
            ("role", "org:admin"), ("role", "org:member"), ("user_id", "user_1"),
            ("query", "ada"), ("created_at_after", "1795413600000"),
            ("order_by", "+first_name"), ("limit", "5"), ("offset", "7"),
        ),
    ),
    "jwks": Row(lambda clerk: clerk.api.jwks(), "GET /v1/jwks", {"keys": []}, {"keys": []}),
    "request": Row(
        lambda clerk: clerk.api.request(
            "PATCH", "/organizations/org_1/memberships/user_1",
            query={"n": 1, "yes": True, "nothing": None, "many": iter(["a", 2]), "at": MOMENT},
            json={"role": None},
        ),
        "PATCH /v1/organizations/org_1/memberships/user_1", [1, None], [1, None],
        body={"role": None},
        query=(("n", "1"), ("yes", "true"), ("many", "a"), ("many", "2"), ("at", "1795413600000")),
    ),
    "request for no content": Row(
        lambda clerk: clerk.api.request("DELETE", "/x"), "DELETE /v1/x", Response(status=204), None
    ),
    "request for null": Row(
        lambda clerk: clerk.api.request("GET", "/x"), "GET /v1/x", Response(json=None), None
    ),
}  # fmt: skip
rows = pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS.items()])


@rows
def test_each_call_is_one_request_and_its_answer_a_value(row: Row) -> None:
    clerk = ScriptedClerk({row.line: row.answer})
    assert row.call(clerk.instance()) == row.result
    (asked,) = clerk.asked
    assert (asked.line, asked.query, asked.body) == (row.line, list(row.query), row.body)
    assert asked.headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert asked.headers["accept"] == "application/json"
    expected = None if row.body is None else "application/json"
    assert asked.headers.get("content-type") == expected


@rows
def test_each_call_works_for_one_request_too(row: Row) -> None:
    clerk = ScriptedClerk({row.line: row.answer})
    one = clerk.instance()
    one.api = one.api.for_request()
    assert row.call(one) == row.result


def test_a_call_without_parameters_has_no_body() -> None:
    with serving(sends_json(SESSION)) as server:
        over_network(server.url).sessions.revoke("sess_1")
    (request,) = server.received
    assert request.body == b""
    assert request.headers["content-length"] == "0"
    assert "content-type" not in request.headers


# ---- what is never sent ----

BAD_IDS: list[Any] = [
    *("", " ", "sess_../../users/x", "..", ".", "a/b", "a?b", "a#b", "a%2e%2e", "a;b", "a b"),
    *("sess_1\n", "\nsess_1", "sess_1\x00", "\u0131d", "\uff53ess_1", "a\\b", "a:b", "a@b", "a.b"),
    *("x" * 129, "x" * 20_000, None, 5, True, b"sess_1", ["sess_1"], {"id": "sess_1"}, object()),
]
WITH_ID: dict[str, Callable[[Clerk, Any], Any]] = {
    "sessions.get": lambda clerk, bad: clerk.sessions.get(bad),
    "sessions.verify_session": lambda clerk, bad: clerk.sessions.verify_session(bad, "t"),
    "sessions.revoke": lambda clerk, bad: clerk.sessions.revoke(bad),
    "sessions.create": lambda clerk, bad: clerk.sessions.create(bad),
    "sessions.get_token": lambda clerk, bad: clerk.sessions.get_token(bad),
    "clients.get": lambda clerk, bad: clerk.clients.get(bad),
    "users.get": lambda clerk, bad: clerk.users.get(bad),
    "users.update": lambda clerk, bad: clerk.users.update(bad, first_name="x"),
    "users.delete": lambda clerk, bad: clerk.users.delete(bad),
    "organizations.get": lambda clerk, bad: clerk.api.organizations.get(bad),
    "organizations.update": lambda clerk, bad: clerk.api.organizations.update(bad, name="x"),
    "organizations.delete": lambda clerk, bad: clerk.api.organizations.delete(bad),
    "organizations.memberships": lambda clerk, bad: next(clerk.api.organizations.memberships(bad)),
}
WITH_ID_OR_NONE: dict[str, Callable[[Clerk, Any], Any]] = {
    "template": lambda clerk, bad: clerk.sessions.get_token("sess_1", bad),
    "client_id": lambda clerk, bad: clerk.sessions.list(client_id=bad),
    "user_id": lambda clerk, bad: clerk.sessions.list(user_id=bad),
}


@pytest.mark.parametrize(
    ("call", "bad"),
    [
        pytest.param(call, bad, id=f"{name} {str(bad)[:20]!r}")
        for name, call in {**WITH_ID, **WITH_ID_OR_NONE}.items()
        for bad in BAD_IDS
        if name in WITH_ID or bad is not None
    ],
)
def test_what_is_no_id_is_refused_before_anything_is_sent(
    call: Callable[[Clerk, Any], Any], bad: object
) -> None:
    clerk = ScriptedClerk()
    with pytest.raises(ValueError, match="is not an id"):
        call(clerk.instance(), bad)
    assert clerk.asked == []


@pytest.mark.parametrize("good", ["a", "x" * 128, "-", "_", "sess_2aB-9"])
@pytest.mark.parametrize("name", WITH_ID)
def test_any_other_id_is_sent_as_it_is(name: str, good: str) -> None:
    clerk = ScriptedClerk()
    with pytest.raises(ApiError):
        WITH_ID[name](clerk.instance(), good)
    (asked,) = clerk.asked
    assert good in asked.path.split("/") or asked.body == {"user_id": good}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("", "users", "/", "//users", "/users/", "/a/../b", "/a?b")),
        *(("GET", path) for path in ("/a#b", "/a b", "/a%2e", "http://evil.test/", "/\u00e9")),
        *((method, "/users") for method in ("", "get", "HEAD", "OPTIONS", "G T", "GET\r\nX: 1")),
    ],
)
def test_a_method_or_path_that_cannot_be_one_is_not_sent(method: str, path: str) -> None:
    clerk = ScriptedClerk()
    with pytest.raises(ValueError, match=r"plain segments|method"):
        clerk.instance().api.request(method, path)
    assert clerk.asked == []


@pytest.mark.parametrize(
    "value",
    [b"x", {"a": 1}, 1.5, object(), ["a", None], [["a"]], [b"x"], MOMENT.replace(tzinfo=None)],
)
def test_a_query_of_anything_else_is_not_sent(value: object) -> None:
    clerk = ScriptedClerk()
    with pytest.raises(TypeError, match="^q "):
        clerk.instance().api.request("GET", "/users", query={"q": value})
    assert clerk.asked == []


@pytest.mark.parametrize("empty", [[], (), set(), iter(())])
def test_a_filter_for_nothing_is_not_sent_as_one_for_everything(empty: Any) -> None:
    clerk = ScriptedClerk({"GET /v1/users": [USER], "GET /v1/users/count": {"total_count": 1}})
    with pytest.raises(ValueError, match="user_id is empty"):
        next(clerk.instance().users.list(user_id=empty))
    assert clerk.asked == []


@pytest.mark.parametrize("name", ["emial_address", "limits", "email-address"])
def test_a_filter_that_there_is_not_is_a_type_error(name: str) -> None:
    clerk = ScriptedClerk()
    wrong: Any = {name: "x"}
    with pytest.raises(TypeError, match=f"unknown filter: {name}"):
        clerk.instance().users.list(**wrong)
    with pytest.raises(TypeError, match=f"unknown filter: {name}"):
        clerk.instance().users.count(**wrong)
    organizations = clerk.instance().api.organizations
    with pytest.raises(TypeError, match=f"unknown filter: {name}"):
        organizations.list(**wrong)
    with pytest.raises(TypeError, match=f"unknown filter: {name}"):
        organizations.memberships("org_1", **wrong)
    assert clerk.asked == []


@pytest.mark.parametrize("name", ["banned", "external_id", "last_sign_in_at_after"])
def test_not_every_filter_of_users_is_one_of_memberships(name: str) -> None:
    clerk = ScriptedClerk()
    wrong: Any = {name: "x"}
    with pytest.raises(TypeError, match=f"unknown filter: {name}"):
        clerk.instance().api.organizations.memberships("org_1", **wrong)
    assert clerk.asked == []


@pytest.mark.parametrize("body", [float("nan"), {"a": float("inf")}, object(), {"a": {1}}])
def test_a_body_that_is_not_json_is_not_sent(body: object) -> None:
    clerk = ScriptedClerk()
    with pytest.raises((ValueError, TypeError), match="JSON"):
        clerk.instance().api.request("POST", "/users", json=body)
    assert clerk.asked == []


@rows
def test_without_a_secret_key_nothing_is_sent(row: Row) -> None:
    clerk = ScriptedClerk({row.line: row.answer})
    one = clerk.instance(secret_key=None, jwt_key=Minter().pem)
    with pytest.raises(ConfigurationError, match="CLERK_SECRET_KEY"):
        row.call(one)
    assert clerk.asked == []


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("CLERK_")]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


# ---- pages ----


def numbered(count: int) -> list[dict[str, Any]]:
    return [{**USER, "id": f"user_{n}"} for n in range(count)]


def users_in_pages(count: int, *, wrapped: bool = False) -> Callable[[Asked], Any]:
    """Answer with the page that was asked for."""

    def answer(asked: Asked) -> Any:
        query = dict(asked.query)
        start = int(query["offset"])
        page = numbered(count)[start : start + int(query["limit"])]
        return {"data": page, "total_count": count} if wrapped else page

    return answer


def windows(clerk: ScriptedClerk) -> list[tuple[str, str]]:
    return [(dict(asked.query)["limit"], dict(asked.query)["offset"]) for asked in clerk.asked]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("count", "pages"), [(0, 1), (1, 1), (99, 1), (100, 2), (101, 2), (250, 3), (300, 4)]
)
def test_a_list_is_whole_whatever_its_length(count: int, pages: int, wrapped: bool) -> None:
    clerk = ScriptedClerk({"GET /v1/users": users_in_pages(count, wrapped=wrapped)})
    found = [user.id for user in clerk.instance().users.list()]
    assert found == [f"user_{n}" for n in range(count)]
    assert windows(clerk) == [("100", str(100 * n)) for n in range(pages)]


@pytest.mark.parametrize(
    ("limit", "offset", "asked"),
    [
        (0, 0, []),
        (1, 0, [("1", "0")]),
        (100, 0, [("100", "0")]),
        (150, 0, [("100", "0"), ("50", "100")]),
        (150, 50, [("100", "50"), ("50", "150")]),
        (150, 200, [("100", "200")]),
        (None, 240, [("100", "240")]),
        (5, 248, [("5", "248")]),
        (10, 999, [("10", "999")]),
    ],
)
def test_no_more_is_asked_for_than_wanted(
    limit: int | None, offset: int, asked: list[tuple[str, str]]
) -> None:
    clerk = ScriptedClerk({"GET /v1/users": users_in_pages(250)})
    found = [user.id for user in clerk.instance().users.list(limit=limit, offset=offset)]
    end = 250 if limit is None else offset + limit
    assert found == [f"user_{n}" for n in range(250)][offset:end]
    assert windows(clerk) == asked


def test_pages_are_fetched_when_they_are_wanted() -> None:
    clerk = ScriptedClerk({"GET /v1/users": users_in_pages(250)})
    found = clerk.instance().users.list(query="x")
    assert clerk.asked == []
    for _ in range(100):
        next(found)
    assert len(clerk.asked) == 1
    next(found)
    assert len(clerk.asked) == 2
    assert all(("query", "x") in asked.query for asked in clerk.asked)


@pytest.mark.parametrize("count", [1, 100, 101, 250])
def test_who_knows_no_pages_is_asked_once_or_twice(count: int) -> None:
    clerk = ScriptedClerk({"GET /v1/sessions": [{**SESSION, "id": f"s{n}"} for n in range(count)]})
    assert len(list(clerk.instance().sessions.list(user_id="user_1"))) == count
    assert len(clerk.asked) == (2 if count == 100 else 1)
    assert len(list(clerk.instance().sessions.list(user_id="user_1", limit=1))) == 1


@pytest.mark.parametrize(("limit", "offset"), [(-1, 0), (None, -1), (5, -5)])
def test_a_negative_limit_or_offset_is_refused_at_once(limit: int | None, offset: int) -> None:
    clerk = ScriptedClerk()
    one = clerk.instance()
    for resource in (one.sessions, one.clients, one.users, one.api.organizations):
        with pytest.raises(ValueError, match="negative"):
            resource.list(limit=limit, offset=offset)
    with pytest.raises(ValueError, match="negative"):
        one.api.organizations.memberships("org_1", limit=limit, offset=offset)
    assert clerk.asked == []


def test_an_error_ends_a_list_where_it_happens() -> None:
    clerk = ScriptedClerk({"GET /v1/users": Script(numbered(100), error(403))})
    found = clerk.instance().users.list()
    assert [next(found).id for _ in range(100)][-1] == "user_99"
    assert refused(lambda: next(found)).status_code == 403


@dataclasses.dataclass(frozen=True)
class Numbered:
    id: str


def test_a_list_that_never_ends_is_an_error() -> None:
    pages = iter(range(MAX_PAGES + 10))

    def fetch(limit: int, offset: int) -> object:
        return [f"{next(pages)}"] * limit

    with pytest.raises(ClerkUnavailable, match="does not end"):
        for _ in paged(fetch, lambda member: Numbered(str(member)), limit=None, offset=0):
            pass
    assert next(pages) == MAX_PAGES


# ---- answers that are not what was asked for ----

WRONG: list[Any] = [
    None,
    True,
    5,
    "x",
    [],
    [1],
    {},
    {"object": "other", "id": "x"},
    {"data": {}},
    [[]],
]
LISTS = {name for name in ROWS if ".list" in name}
ANYTHING_GOES = {
    "users.delete",
    "organizations.delete",
    "request",
    "request for no content",
    "request for null",
}


@pytest.mark.parametrize("answer", WRONG, ids=repr)
@pytest.mark.parametrize("name", ROWS.keys() - ANYTHING_GOES)
def test_another_object_is_as_bad_as_no_answer(name: str, answer: Any) -> None:
    row = ROWS[name]
    if answer == [] and name in LISTS:
        answer = {"data": None}
    if isinstance(answer, dict) and name == "jwks":
        answer = [answer]
    clerk = ScriptedClerk({row.line: Response(json=answer)})
    with pytest.raises(ClerkUnavailable, match="Clerk's answer is"):
        row.call(clerk.instance())


@pytest.mark.parametrize("total", [None, True, "7", 7.0, [7]])
def test_a_count_is_a_whole_number(total: object) -> None:
    clerk = ScriptedClerk({"GET /v1/users/count": {"total_count": total}})
    with pytest.raises(ClerkUnavailable, match="no count"):
        clerk.instance().users.count()


@pytest.mark.parametrize("jwt", [None, True, "", 7, ["a.b.c"]])
def test_a_token_is_a_text(jwt: object) -> None:
    clerk = ScriptedClerk({"POST /v1/sessions/sess_1/tokens": {"object": "token", "jwt": jwt}})
    with pytest.raises(ClerkUnavailable, match="no token"):
        clerk.instance().sessions.get_token("sess_1")


# ---- faults: the documented error, and nothing else ----


def over_network(url: str, **options: Any) -> Clerk:
    given = {"secret_key": SECRET_KEY, "api_url": url, "timeout": 0.4, "dotenv": False}
    return Clerk(**{**given, "sleep": lambda _: None, **options})


def errors(status: str, *codes: object, **more: Any) -> Behaviour:
    entries = [{"code": code, "message": "m", "long_message": "l"} for code in codes]
    return sends_json({"errors": entries, **more}, status)


HTML = b"<html><body>Bad Gateway</body></html>"
BOMB = gzip.compress(bytes(20_000_000))
FAULTS: dict[str, tuple[Behaviour, type[ClerkError], int]] = {
    "silence": (sleeps(10), ClerkUnavailable, 503),
    "headers drip": (drips(OK, b"A: b\r\n" * 500), ClerkUnavailable, 503),
    "body drips": (drips(OK + b"Content-Length: 99\r\n\r\n", b" " * 99), ClerkUnavailable, 503),
    "reset": (resets, ClerkUnavailable, 503),
    "hang-up": (hangs_up, ClerkUnavailable, 503),
    "nonsense": (sends_then_closes(b"nonsense"), ClerkUnavailable, 503),
    "half an answer": (
        sends_then_closes(OK + b"Content-Length: 100\r\n\r\n{}"), ClerkUnavailable, 503,
    ),
    "oversize": (sends(response(b" " * 1_000_001)), ClerkUnavailable, 503),
    "endless": (sends_for_ever(OK + b"\r\n", [b" " * 65_536] * 99), ClerkUnavailable, 503),
    "gzip bomb": (sends(response(BOMB, "200 OK", "Content-Encoding: gzip")), ClerkUnavailable, 503),
    "HTML": (sends(response(HTML, "200 OK", "Content-Type: text/html")), ClerkUnavailable, 503),
    "garbage": (sends(response(b'{"object": "sess')), ClerkUnavailable, 503),
    "bytes": (sends(response(b"\x00\xff" * 99)), ClerkUnavailable, 503),
    "deep": (sends(response(b"[" * 60_000)), ClerkUnavailable, 503),
    "long number": (sends(response(b"9" * 10_000)), ClerkUnavailable, 503),
    "NaN": (sends(response(b'{"id": NaN}')), ClerkUnavailable, 503),
    "redirect": (
        sends(response(b"", "302 Found", "Location: https://evil.test/")), ClerkUnavailable, 503,
    ),
    "permanent redirect": (
        sends(response(b"", "308 X", "Location: /v1/users/user_2")), ClerkUnavailable, 503,
    ),
    "not modified": (sends(response(b"", "304 Not Modified")), ClerkUnavailable, 503),
    "status 999": (sends(response(b"{}", "999 X")), ClerkUnavailable, 503),
    "status 600": (sends(response(b"{}", "600 X")), ClerkUnavailable, 503),
    "400": (errors("400 X", "invalid_session_token"), ApiError, 400),
    "401": (errors("401 X", "clerk_key_invalid"), ApiError, 401),
    "404": (errors("404 X", "resource_not_found"), ApiError, 404),
    "422": (errors("422 X", "form_param_missing"), ApiError, 422),
    "429": (errors("429 X", "too_many_requests"), ApiError, 429),
    "500": (errors("500 X", "internal_clerk_error"), ApiError, 500),
    "501": (sends(response(b"", "501 X")), ApiError, 501),
    "502 in HTML": (sends(response(HTML, "502 X", "Content-Type: text/html")), ApiError, 502),
    "503 empty": (sends(response(b"", "503 X")), ApiError, 503),
    "599": (sends(response(b"\xff", "599 X")), ApiError, 599),
    "error of errors": (sends_json({"errors": {"code": 1}}, "400 X"), ApiError, 400),
    "error of junk": (sends_json({"errors": [1, None, [], {"code": {}}]}, "403 X"), ApiError, 403),
    "deep error": (sends(response(b"[" * 60_000, "500 X")), ApiError, 500),
}  # fmt: skip
NETWORK_CALLS = ["sessions.get", "sessions.verify_session", "clients.verify_client", "users.create"]


@pytest.mark.parametrize("name", NETWORK_CALLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_the_documented_error(
    fault: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    behave, kind, status = FAULTS[fault]
    with serving(behave) as server, pytest.raises(ClerkError) as caught:
        ROWS[name].call(over_network(server.url))
    assert type(caught.value) is kind
    assert caught.value.status_code == status
    assert caught.value.message
    for secret in (SECRET_KEY, SECRET_TOKEN):
        assert secret not in caplog.text + shown(caught.value)
    assert SECRET_KEY not in locals_of(caught.value)


def test_a_connection_that_comes_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    connect, made = urllib3.util.connection.create_connection, []

    def connect_slowly(*args: Any, **options: Any) -> socket.socket:
        made.append(connect(*args, **options))
        time.sleep(0.5)
        return made[-1]

    monkeypatch.setattr(urllib3.util.connection, "create_connection", connect_slowly)
    with serving(sends_json(USER)) as server, pytest.raises(ClerkUnavailable):
        over_network(server.url, timeout=0.1).users.create(first_name="Ada")
    assert {sock.fileno() for sock in made} == {-1}
    assert not server.received


def test_410_is_the_documented_error_too() -> None:
    with serving(errors("410 X", "operation_deprecated")) as server:
        one = over_network(server.url, jwt_key=Minter().pem)
        assert refused(lambda: one.clients.verify_client("t")).status_code == 410
        assert refused(lambda: one.sessions.get("sess_1")).status_code == 410
        assert refused(lambda: next(one.clients.list())).status_code == 410
        # Verified here: the token is none.
        assert refused(lambda: one.sessions.verify_session("sess_1", "t")).status_code == 400


def links_of(failure: BaseException) -> Iterator[BaseException]:
    links: list[BaseException | None] = [failure]
    while links:
        link = links.pop()
        if link is not None:
            yield link
            links += [link.__cause__, link.__context__]


def shown(failure: BaseException) -> str:
    """What is printed of an exception and of those behind it."""
    return "\n".join(
        "".join(traceback.format_exception_only(link)) + repr(link) + repr(vars(link))
        for link in links_of(failure)
    )


def locals_of(failure: BaseException) -> str:
    """What an error tracker collects from the frames of our own modules."""
    frames = (
        frame for link in links_of(failure) for frame, _ in traceback.walk_tb(link.__traceback__)
    )
    return "\n".join(repr(f.f_locals) for f in frames if f.f_code.co_filename != __file__)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with serving(sends_json(USER)) as other:
        redirect = response(b"", f"{status} X", f"Location: {other.url}/v1/users/user_1")
        with serving(sends(redirect)) as server, pytest.raises(ClerkUnavailable, match=str(status)):
            over_network(server.url).users.get("user_1")
        assert other.connections == 0
        assert len(server.received) == 1


def test_an_answer_of_a_megabyte_is_read() -> None:
    body = json.dumps({**USER, "username": "x" * 900_000}).encode()
    with serving(sends(response(body))) as server:
        assert len(over_network(server.url).users.get("user_1").username or "") == 900_000


# ---- what an error says ----


def test_an_error_carries_what_clerk_said() -> None:
    entries = [
        {"code": "form_param_missing", "message": "m1", "long_message": "l1",
         "meta": {"param_name": "user_id"}, "more": 1},
        {"code": "other", "message": "m2", "long_message": "l2"},
    ]  # fmt: skip
    answer = Response(json={"errors": entries, "clerk_trace_id": "trace1"}, status=422)
    failure = refused(lambda: ScriptedClerk({GET: answer}).instance().users.get("user_1"))
    assert failure.data == [
        {"code": "form_param_missing", "message": "m1", "long_message": "l1",
         "meta": {"param_name": "user_id"}},
        {"code": "other", "message": "m2", "long_message": "l2", "meta": None},
    ]  # fmt: skip
    assert failure.message == "Clerk answered 422 to GET /users/user_1 (form_param_missing)."
    assert str(failure) == failure.message
    assert (failure.trace_id, failure.retry_after, failure.reason) == ("trace1", None, None)


GET = "GET /v1/users/user_1"
JUNK: list[Any] = [None, [], 5, "x", [None], [1, "x", []]]
JUNK_ENTRIES: list[Any] = [{"code": 1}, {"message": []}, {"meta": "x"}, {"long_message": {}}, {}]
NOTHING = dict.fromkeys(("code", "message", "long_message", "meta"))


@pytest.mark.parametrize(
    ("document", "data"),
    [
        *((junk, []) for junk in JUNK),
        *(({"errors": junk}, []) for junk in JUNK),
        *(({"errors": [*JUNK, entry]}, [NOTHING]) for entry in JUNK_ENTRIES),
    ],
)
def test_junk_in_an_error_counts_as_missing(document: Any, data: list[Any]) -> None:
    answer = Response(json=document, status=400)
    failure = refused(lambda: ScriptedClerk({GET: answer}).instance().users.get("user_1"))
    assert failure.data == data
    assert failure.message == "Clerk answered 400 to GET /users/user_1."


@pytest.mark.parametrize(
    "code",
    [
        *(SECRET_KEY, "sk_live_abc", "ak_1", "mt_1", "a.b.c", "a b", "A", "x\n", "<b>", "_a", "a_"),
        *("a" * 65, "a_" * 9 + "x\x00", "\u0131", "a__b", ""),
    ],
)
def test_what_does_not_look_like_a_code_is_kept_out_of_the_message(code: str) -> None:
    clerk = ScriptedClerk({GET: error(400, code)})
    failure = refused(lambda: clerk.instance().users.get("user_1"))
    assert failure.message == "Clerk answered 400 to GET /users/user_1."
    assert failure.data[0]["code"] == code


def test_an_answer_that_repeats_what_was_sent_gets_it_into_no_message() -> None:
    entry = dict.fromkeys(("code", "message", "long_message"), f"{SECRET_KEY} {SECRET_TOKEN}")
    answer = Response(json={"errors": [entry], "clerk_trace_id": SECRET_KEY + "."}, status=400)
    clerk = ScriptedClerk({"POST /v1/clients/verify": answer})
    failure = refused(lambda: clerk.instance().clients.verify_client(SECRET_TOKEN))
    for secret in (SECRET_KEY, SECRET_TOKEN):
        assert secret not in str(failure) + repr(failure) + repr(failure.trace_id)


@pytest.mark.parametrize(
    ("document", "headers", "trace_id"),
    [
        ({"clerk_trace_id": "a1"}, {"CF_Ray": "b2"}, "a1"),
        ({}, {"CF_Ray": "8f2b-AMS"}, "8f2b-AMS"),
        ({"clerk_trace_id": 5}, {"CF_Ray": "b2"}, "b2"),
        ({"clerk_trace_id": "a b"}, {}, None),
        ({"clerk_trace_id": "x" * 129}, {"CF_Ray": "x" * 129}, None),
        ([], {}, None),
    ],
)
def test_an_error_names_the_call_in_clerks_logs(
    document: Any, headers: dict[str, str], trace_id: str | None
) -> None:
    answer = Response(json=document, status=400)
    for name, text in headers.items():
        answer.headers[name.replace("_", "-")] = text
    failure = refused(lambda: ScriptedClerk({GET: answer}).instance().users.get("user_1"))
    assert failure.trace_id == trace_id


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("2.5", 2), ("soon", None)])
def test_an_error_says_when_to_come_again(text: str, seconds: int | None) -> None:
    clerk = ScriptedClerk({"POST /v1/users": error(429, Retry_After=text)})
    assert refused(clerk.instance().users.create).retry_after == seconds


# ---- the default instance ----


@pytest.fixture
def no_default() -> Iterator[None]:
    set_default(None)
    yield
    set_default(None)


RESOURCES = ("sessions", "clients", "users")


def test_the_package_is_imported_without_a_key_and_without_requests(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from clerk_wsgi import sessions, clients, users, ConfigurationError\n"
        "assert not {'requests', 'urllib3', 'webob'} & set(sys.modules), 'imported'\n"
        "print(sessions, clients, users)\n"
        "try:\n"
        "    sessions.get('sess_1')\n"
        "except ConfigurationError as error:\n"
        "    print(error)\n"
    )
    project = str(Path(clerk_wsgi.__file__).parent.parent)
    shown = subprocess.run(
        [sys.executable, "-c", code],
        check=True, capture_output=True, text=True, cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": project},
    )  # fmt: skip
    lines = shown.stdout.splitlines()
    assert lines[0] == "SessionsApi() ClientsApi() UsersApi()"
    assert "CLERK_SECRET_KEY" in lines[1]


@pytest.mark.usefixtures("no_default")
def test_the_default_instance_answers_for_all_three() -> None:
    clerk = ScriptedClerk(
        {"GET /v1/sessions/sess_1": SESSION, "GET /v1/clients/client_1": CLIENT, GET: USER}
    )
    set_default(clerk.instance())
    assert clerk_wsgi.sessions.get("sess_1") == SESSION_1
    assert clerk_wsgi.clients.get("client_1") == CLIENT_1
    assert clerk_wsgi.users.get("user_1") == USER_1
    other = ScriptedClerk({GET: {**USER, "first_name": "Grace"}})
    set_default(other.instance())
    assert clerk_wsgi.users.get("user_1").first_name == "Grace"


@pytest.mark.usefixtures("no_default")
def test_the_default_instance_is_made_on_first_use_and_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigurationError):
        clerk_wsgi.users.get("user_1")
    with serving(sends_json(USER)) as server:
        monkeypatch.setenv("CLERK_API_KEY", "test_asdf1234")
        monkeypatch.setenv("CLERK_API_URL", server.url)
        clerk_wsgi.users.get("user_1")
        made = default_clerk()
        monkeypatch.setenv("CLERK_API_KEY", "test_other")
        clerk_wsgi.users.get("user_1")
        assert default_clerk() is made
    keys = [request.headers["authorization"] for request in server.received]
    assert keys == ["Bearer test_asdf1234"] * 2
    assert server.connections == 1


@pytest.mark.usefixtures("no_default")
def test_threads_that_race_for_the_default_instance_get_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLERK_SECRET_KEY", SECRET_KEY)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            set_default(None)
            assert len({id(clerk) for clerk in at_once(8, default_clerk)}) == 1
    finally:
        sys.setswitchinterval(interval)


def at_once(count: int, work: Callable[[], Any]) -> list[Any]:
    """What so many threads got from doing the same at the same time."""
    barrier, results = threading.Barrier(count), []

    def run() -> None:
        barrier.wait()
        results.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_instances_share_nothing() -> None:
    first, second = ScriptedClerk({GET: USER}), ScriptedClerk({GET: error(404)})
    one, two = first.instance(), second.instance(secret_key="sk_test_other")
    assert one.users.get("user_1") == USER_1
    assert refused(lambda: two.users.get("user_1")).status_code == 404
    assert [asked.headers["authorization"] for asked in second.asked] == ["Bearer sk_test_other"]
    assert len(first.asked) == 1


@pytest.mark.parametrize("resource", [*RESOURCES, "organizations"])
def test_nothing_shows_the_key(resource: str) -> None:
    clerk = ScriptedClerk().instance()
    for thing in (clerk, clerk.api, getattr(clerk.api, resource), clerk.api._caller):
        assert SECRET_KEY not in repr(thing)


# ---- threads, forks and sockets ----


def echo(conversation: Conversation) -> None:
    name = conversation.request.target.rpartition("/")[2]
    body = json.dumps({**USER, "id": name}).encode()
    conversation.send(response(body))


def test_threads_may_share_an_instance() -> None:
    with serving(echo) as server:
        clerk = over_network(server.url, timeout=5)

        def work() -> bool:
            names = [f"user_{threading.get_ident()}_{n}" for n in range(20)]
            return [clerk.users.get(name).id for name in names] == names

        assert at_once(8, work) == [True] * 8
        assert len(server.received) == 160


def test_a_child_makes_connections_of_its_own() -> None:
    with serving(sends_json(USER)) as server:
        code = (
            "import os, sys\n"
            "from clerk_wsgi import users\n"
            "users.get('user_1')\n"
            "pid = os.fork()\n"
            "users.get('user_1')\n"
            "if pid:\n"
            "    sys.exit(os.waitpid(pid, 0)[1])\n"
        )
        project = str(Path(clerk_wsgi.__file__).parent.parent)
        environ = {
            "PYTHONPATH": project, "CLERK_SECRET_KEY": SECRET_KEY, "CLERK_API_URL": server.url,
        }  # fmt: skip
        subprocess.run([sys.executable, "-c", code], check=True, env=environ, timeout=60)
        assert len(server.received) == 3
        assert server.connections == 2


FAST_SERVER = """
import socket, sys

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
body = b'{"object":"user","id":"user_1"}'
head = b"HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\n\\r\\n"
answers = [
    *[head % (b"200 OK", len(body)) + body] * 7,
    head % (b"404 Not Found", 2) + b"{}",
    head % (b"302 Found", 0),
    b"",
]
calls = 0
while True:
    connection, _ = listener.accept()
    received = connection.makefile("rb")
    while True:
        line = received.readline()
        if not line:
            break
        while received.readline() not in (b"\\r\\n", b""):
            pass
        answer = answers[calls % len(answers)]
        calls += 1
        if not answer:
            break
        connection.sendall(answer)
    received.close()
    connection.close()
"""


@pytest.mark.servers
def test_ten_thousand_calls_leave_no_socket_behind() -> None:
    command = [sys.executable, "-c", FAST_SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            gc.collect()
            before = open_sockets()
            outcomes = call_often(f"http://127.0.0.1:{port}", 10_000)
            while_in_use = open_sockets() - before
            gc.collect()
            after = open_sockets() - before
        finally:
            server.kill()
    assert outcomes == {"user_1": 7000, "ApiError": 1000, "ClerkUnavailable": 2000}
    assert while_in_use <= 1
    assert after == 0


def call_often(url: str, times: int) -> dict[str, int]:
    """Make calls that succeed, that are refused and that fail; one in ten breaks a connection."""
    http = requests.Session()
    http.trust_env = False  # looking for proxies takes a third of the time
    clerk = over_network(url, timeout=5, http=http)
    outcomes: dict[str, int] = {}
    for _ in range(times):
        try:
            outcome = clerk.api.for_request().users.get("user_1").id
        except ClerkError as failure:
            outcome = type(failure).__name__
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


def open_sockets() -> int:
    count = 0
    for descriptor in range(2048):
        try:
            duplicate = os.dup(descriptor)
        except OSError:
            continue
        try:
            socket.socket(fileno=duplicate).close()
            count += 1
        except OSError:
            os.close(duplicate)
    return count


# ---- a session of the application's own ----


def test_the_session_of_the_application_is_the_way_out() -> None:
    class Counting(requests.adapters.HTTPAdapter):
        calls = 0

        def send(self, *args: Any, **options: Any) -> requests.Response:
            type(self).calls += 1
            return super().send(*args, **options)

    with requests.Session() as http, serving(sends_json(USER)) as server:
        http.mount("http://", Counting())
        over_network(server.url, http=http).users.get("user_1")
    assert Counting.calls == 1


def test_times_of_objects_can_be_asked_for_again() -> None:
    clerk = ScriptedClerk({GET: USER, "GET /v1/users/count": {"total_count": 0}})
    one = clerk.instance()
    created = one.users.get("user_1").created_at
    one.users.count(created_at_after=created)
    one.users.count(created_at_after=MOMENT.astimezone(timezone(timedelta(hours=5))))
    assert clerk.asked[1].query == clerk.asked[2].query == [("created_at_after", "1795413600000")]


def test_any_answer_to_a_deletion_is_a_deletion() -> None:
    answers: list[Any] = [Response(status=204), Response(json=None), {"deleted": True}, []]
    for answer in answers:
        clerk = ScriptedClerk(
            {
                "DELETE /v1/users/user_1": answering(answer),
                "DELETE /v1/organizations/org_1": answering(answer),
            }
        )
        clerk.instance().users.delete("user_1")
        clerk.instance().api.organizations.delete("org_1")
        assert len(clerk.asked) == 2
