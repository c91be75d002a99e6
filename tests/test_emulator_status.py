"""The status page: what is in a local Clerk, for browsers on its machine, without any secret."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from webob import Request

from clerk_wsgi.emulator import DEMO_PASSWORD, Emulator, NotFound
from clerk_wsgi.emulator.errors import ConnectionReset
from clerk_wsgi.emulator.keyring import KEYS
from clerk_wsgi.testing import FrozenClock

from .minting import NOW, PUBLISHABLE_LIVE
from .visiting import HOST, HTML, Visitor, html_of, local_clerk

if TYPE_CHECKING:
    from webtest.response import TestResponse

MINUTE = 60
HOSTILE = "\"'><script>alert(1)</script>&lt;$token${lead}"


@pytest.fixture
def visitor() -> Visitor:
    return Visitor(local_clerk())


def status_of(visitor: Visitor) -> TestResponse:
    return visitor.open("", back=None)


def rows(page: TestResponse, table: str) -> list[dict[str, str]]:
    """The texts in a table's rows by the titles of their columns."""
    html = html_of(page)
    found = html.find("table", attrs={"aria-labelledby": table})
    titles = [cell.get_text() for cell in found.find_all("th")] if found else []
    lines = found.tbody.find_all("tr") if found else []
    texts = ([cell.get_text(" ", strip=True) for cell in line.find_all("td")] for line in lines)
    return [dict(zip(titles, line, strict=True)) for line in texts]


def settings(page: TestResponse) -> dict[str, str]:
    html = html_of(page)
    labels = (label.get_text() for label in html.find_all("dt"))
    return dict(zip(labels, (value.get_text() for value in html.find_all("dd")), strict=True))


def section(page: TestResponse, name: str) -> str:
    found = html_of(page).find("section", attrs={"aria-labelledby": name})
    return str(found.get_text(" ", strip=True)) if found else ""


def counts(page: TestResponse) -> list[str]:
    return [" ".join(link.stripped_strings) for link in html_of(page).select(".counts a")]


# What it shows


def test_users_are_shown_with_all_they_are_known_by(visitor: Visitor) -> None:
    emulator = visitor.emulator
    [ada] = emulator.users()
    grace = emulator.create_user(username="grace", email_address="grace@navy.example")
    emulator.update_user(grace["id"], first_name="Grace", last_name="Hopper", banned=True)
    emulator.update_user(ada["id"], last_sign_in_at=NOW * 1000)
    assert rows(status_of(visitor), "users") == [
        {
            "User": "Ada Lovelace",
            "Identifiers": "ada@example.com",
            "Last sign-in": "2026-11-23 06:00:00",
            "Id": ada["id"],
        },
        {
            "User": "Grace Hopper banned",
            "Identifiers": "grace@navy.example grace",
            "Last sign-in": "–",
            "Id": grace["id"],
        },
    ]


def test_sessions_are_shown_newest_first_as_they_are_now(visitor: Visitor) -> None:
    emulator = visitor.emulator
    [first] = emulator.sessions()
    society = emulator.create_organization("Analytical Society")["id"]
    emulator.add_member(society, first["user_id"])
    emulator.activate_organization(first["id"], society)
    second = emulator.create_session(first["user_id"], expire_at=NOW * 1000)
    shown = rows(status_of(visitor), "sessions")
    assert [one["Id"] for one in shown] == [second["id"], first["id"]]
    assert [one["Status"] for one in shown] == ["expired", "active"]
    assert [one["Organization"] for one in shown] == ["–", "Analytical Society"]
    assert [one["Client"] for one in shown] == [second["client_id"], first["client_id"]]
    assert [one["Expires"] for one in shown] == ["2026-11-23 06:00:00", "2026-11-30 06:00:00"]
    assert {one["User"] for one in shown} == {"Ada Lovelace"}


def test_organizations_are_shown_with_the_number_of_their_members(visitor: Visitor) -> None:
    [ada] = visitor.emulator.users()
    society = visitor.emulator.create_organization("Analytical Society")
    visitor.emulator.add_member(society["id"], ada["id"])
    visitor.emulator.create_organization("Empty", slug="nobody-here")
    page = status_of(visitor)
    assert rows(page, "organizations")[0] == {
        "Organization": "Analytical Society",
        "Slug": "analytical-society",
        "Members": "1",
        "Id": society["id"],
    }
    assert rows(page, "organizations")[1]["Members"] == "0"
    assert counts(page) == ["1 Users", "1 Sessions", "2 Organizations", "0 Recent requests"]


def test_requests_are_shown_newest_first_with_their_time_and_status() -> None:
    clock = FrozenClock(NOW - 24 * 60 * MINUTE)
    visitor = Visitor(local_clerk(clock=clock))
    visitor.emulator.faults.fail(503, prefix="/v1/users")
    for path, ago in (("/sign-in", 24 * 60 * MINUTE), ("/v1/users", MINUTE), ("/v1/jwks", 0)):
        clock.now = NOW - ago
        visitor.http.get(path, expect_errors=True)
    assert rows(status_of(visitor), "requests") == [
        {"Time": "06:00:00", "Method": "GET", "Path": "/v1/jwks", "Status": "401"},
        {"Time": "05:59:00", "Method": "GET", "Path": "/v1/users", "Status": "503"},
        {"Time": "2026-11-22 06:00:00", "Method": "GET", "Path": "/sign-in", "Status": "200"},
    ]


def test_a_connection_that_was_reset_is_shown_as_such(visitor: Visitor) -> None:
    visitor.emulator.faults.fail(None)
    with pytest.raises(ConnectionReset):
        visitor.http.get("/v1/jwks")
    assert [one["Status"] for one in rows(status_of(visitor), "requests")] == ["reset"]


def test_settings_are_shown(visitor: Visitor) -> None:
    visitor.emulator.token_lifetime = 90
    assert settings(status_of(visitor)) == {
        "URL": f"http://{HOST}",
        "Publishable key": visitor.emulator.publishable_key,
        "Instance type": "development",
        "Issuer": visitor.emulator.issuer,
        "Signing key": visitor.emulator.kid,
        "Token lifetime": "90 seconds",
        "State": "in memory",
    }


def test_faults_in_force_are_said_in_words(visitor: Visitor) -> None:
    assert section(status_of(visitor), "faults") == ""
    faults = visitor.emulator.faults
    faults.latency = 0.001
    faults.fail(503, prefix="/v1/users")
    faults.fail(429, rate=0.25)
    faults.fail(None, rate=0.001)
    faults.fail(599)
    faults.limit(10, seconds=2.5)
    faults.limit(3, seconds=60, prefix="/v1/client")
    assert [text.get_text() for text in html_of(status_of(visitor)).select(".faults li")] == [
        "Every request waits 0.001 seconds.",
        "Every request to /v1/users… is answered 503 Service Unavailable.",
        "25 % of the requests are answered 429 Too Many Requests.",
        "0.1 % of the requests are reset.",
        "Every request is answered 599.",
        "Of the requests, 10 pass in 2.5 seconds.",
        "Of the requests to /v1/client…, 3 pass in 60 seconds.",
    ]


def test_no_fault_meets_the_page_itself(visitor: Visitor) -> None:
    visitor.emulator.faults.latency = 3600
    visitor.emulator.faults.fail(None)
    assert status_of(visitor).status_int == 200


def test_to_look_leaves_no_trace(visitor: Visitor) -> None:
    before = visitor.emulator.clients()
    status_of(visitor)
    assert visitor.emulator.requests == []
    assert visitor.emulator.clients() == before
    assert "Set-Cookie" not in status_of(visitor).headers


def test_the_hosted_pages_are_a_click_away(visitor: Visitor) -> None:
    links = [link["href"] for link in html_of(status_of(visitor)).nav.find_all("a")]
    assert sorted(links) == ["choose", "sign-in", "sign-out"]
    assert all(visitor.http.get(f"/{link}").status_int == 200 for link in links)


def test_counts_lead_to_their_tables(visitor: Visitor) -> None:
    html = html_of(status_of(visitor))
    for link in html.select(".counts a"):
        assert html.find(id=link["href"].removeprefix("#")).name == "h2"


def test_what_is_not_there_is_said_to_be_not_there() -> None:
    visitor = Visitor(local_clerk())
    visitor.emulator._store.clear(keep=KEYS)
    page = status_of(visitor)
    assert html_of(page).find_all("table") == []
    assert section(page, "users").startswith("Users No user yet.")
    assert section(page, "sessions") == "Sessions Nobody has signed in yet. Sign in"
    assert section(page, "organizations").startswith("Organizations No organization yet.")
    assert section(page, "requests").startswith("Recent requests No request yet.")
    assert {text[0] for text in counts(page)} == {"0"}


# What it leaves out


def test_of_thousands_the_first_ones_are_shown_with_a_count_and_at_once() -> None:
    emulator = local_clerk()
    [ada] = emulator.users()
    with emulator.transaction():
        for number in range(5000):
            user = {**ada, "id": f"user_{number}", "first_name": f"User {number}"}
            emulator._store.put(user)
    visitor = Visitor(emulator)
    status_of(visitor)
    began = time.perf_counter()
    page = status_of(visitor)
    assert time.perf_counter() - began < 1
    shown = rows(page, "users")
    assert [shown[0]["User"], shown[1]["User"]] == ["Ada Lovelace", "User 0 Lovelace"]
    assert len(shown) == 50
    assert "The first 50 of 5,001." in section(page, "users")
    assert "5,001 Users" in counts(page)


def test_of_many_sessions_and_requests_the_latest_are_shown(visitor: Visitor) -> None:
    [ada] = visitor.emulator.users()
    with visitor.emulator.transaction():
        latest = [visitor.emulator.create_session(ada["id"]) for _ in range(50)][-1]
    for number in range(51):
        visitor.http.get(f"/{number}", expect_errors=True)
    page = status_of(visitor)
    assert rows(page, "sessions")[0]["Id"] == latest["id"]
    assert "The latest 50 of 51." in section(page, "sessions")
    paths = [one["Path"] for one in rows(page, "requests")]
    assert (paths[0], paths[-1], len(paths)) == ("/50", "/1", 50)


def test_no_secret_is_shown() -> None:
    visitor = Visitor(local_clerk())
    emulator = visitor.emulator
    token = visitor.sign_in().headers["Location"].rpartition("=")[2]
    assert token.startswith("dvb_")
    [ada] = emulator.users()
    session = emulator.sessions()[-1]
    given = [
        emulator.secret_key,
        token,
        emulator.session_token(session["id"]),
        emulator.client_token(session["client_id"]),
        emulator.create_sign_in_token(ada["id"])["token"],
        emulator.create_api_key(ada["id"])["secret"],
        emulator.create_oauth_token(ada["id"])["token"],
    ]
    for secret in given:  # and put into a path by mistake
        visitor.http.get(f"/v1/{secret}", expect_errors=True)
        visitor.http.get(f"/v1/%22{secret}%22", expect_errors=True)
        visitor.http.get("/sign-in", params={"redirect_url": secret}, expect_errors=True)
    kept = [
        DEMO_PASSWORD,
        emulator._find("client", session["client_id"])["rotating_token"],
        emulator._find("password", ada["id"])["digest"],
    ]
    visitor.emulator.update_user(ada["id"], private_metadata={"x": "a private note"})
    page = status_of(visitor)
    paths = [one["Path"] for one in rows(page, "requests")]
    assert {"/v1/sk_test_…", "/v1/dvb_…", "/v1/eyJ…", "/v1/tkt_…", "/v1/ak_…"} < set(paths)
    for secret in [*given, *kept, "a private note", "form_token", "redirect_url"]:
        assert secret not in page.text


def test_a_path_that_only_looks_like_a_secret_is_shown(visitor: Visitor) -> None:
    path = "/v1/task_list/mask_of_the_format_mt_rushmore"
    visitor.http.get(path, expect_errors=True)
    [shown] = rows(status_of(visitor), "requests")
    assert shown["Path"] == path


def test_long_and_strange_paths_are_shortened_and_encoded(visitor: Visitor) -> None:
    for path in (f"/v1/{'x' * 60_000}", "/v1/%0aGET%20%e2%82%ac%ff", "/%3Cscript%3E"):
        visitor.http.get(path, expect_errors=True)
    page = status_of(visitor)
    shown = [one["Path"] for one in rows(page, "requests")]
    assert shown[:2] == ["/%3Cscript%3E", "/v1/%0AGET%20%E2%82%AC%FF"]
    assert shown[2].endswith("x…")
    assert len(page.text) < 30_000


def test_everything_is_text(visitor: Visitor) -> None:
    emulator = visitor.emulator
    [ada] = emulator.users()
    emulator.update_user(ada["id"], first_name=HOSTILE, username=HOSTILE)
    organization = emulator.create_organization(HOSTILE)
    emulator.add_member(organization["id"], ada["id"])
    emulator.activate_organization(emulator.sessions()[0]["id"], organization["id"])
    emulator.faults.fail(503, prefix=f"/{HOSTILE}")
    Request.blank("/x", method="<B>").get_response(emulator)
    visitor.http.get(f"/{HOSTILE}", expect_errors=True)
    page = status_of(visitor)
    html = html_of(page)
    assert html.find_all(["script", "b"]) == []
    assert html.get_text().count("alert(1)") >= 6
    assert HOSTILE not in page.text


@pytest.mark.parametrize("time_of_day", [10**18, -(10**18), 10**400])
def test_times_that_no_calendar_has_are_numbers(visitor: Visitor, time_of_day: int) -> None:
    [session] = visitor.emulator.sessions()
    visitor.emulator.update_session(session["id"], expire_at=time_of_day)
    [shown] = rows(status_of(visitor), "sessions")
    assert shown["Expires"] == str(time_of_day)


def test_a_session_outlives_its_user_and_its_organization(visitor: Visitor) -> None:
    [session] = visitor.emulator.sessions()
    visitor.emulator.delete_user(session["user_id"])
    visitor.emulator.update_session(session["id"], last_active_organization_id="org_gone")
    with pytest.raises(NotFound):
        visitor.emulator.user(session["user_id"])
    [shown] = rows(status_of(visitor), "sessions")
    assert (shown["User"], shown["Organization"]) == ("a deleted user", "–")


# Who may see it


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4100",
        "127.0.0.1",
        "127.8.8.8:4100",
        "localhost:4100",
        "LOCALHOST",
        "clerk.localhost:4100",
        "[::1]:4100",
        "happy-emu-1.clerk.accounts.dev",
        "app.example.com",
        "App.Example.com:8443",
    ],
)
def test_it_answers_at_names_that_belong_here(host: str) -> None:
    emulator = local_clerk(redirect_origins=["https://app.example.com"])
    assert status_of(Visitor(emulator, host)).status_int == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4100",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil-localhost",
        "localhost.",
        "127.0.0.1@evil.example",
        "evil.example#localhost",
        "evil.example\\@localhost",
        "evil.example%2Elocalhost",
        "192.168.1.1",
        "0.0.0.0:4100",
        "[::2]:4100",
        "[::1",
        "app.example.com.evil.example",
        "sub.app.example.com",
        "example.com",
        "localhost:99999",
        "localhost:x",
        " localhost",
        "\xff",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_at_other_names_nothing_is_told(method: str, host: str) -> None:
    emulator = local_clerk(redirect_origins=["https://app.example.com"])
    http = Visitor(emulator, host).http
    ask = http.head if method == "HEAD" else http.get
    answer = ask("/", headers=HTML, expect_errors=True)
    assert answer.status_int == 421
    assert "Ada" not in answer.text
    assert "example" not in answer.text
    assert emulator.publishable_key not in answer.text
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_in_production_the_frontend_apis_name_belongs_here() -> None:
    emulator = local_clerk(PUBLISHABLE_LIVE)
    assert status_of(Visitor(emulator, "clerk.example.com")).status_int == 200
    assert settings(status_of(Visitor(emulator)))["Instance type"] == "production"
    assert status_of(Visitor(emulator, "www.example.com")).status_int == 421


def test_scripts_of_other_sites_cannot_read_it(visitor: Visitor) -> None:
    headers = {**HTML, "Origin": "http://127.0.0.1:8000"}
    answer = visitor.http.get("/", headers=headers)
    assert not any(name.startswith("Access-Control") for name in answer.headers)
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("accept", ["application/json", "*/*", ""])
def test_scripts_get_an_error_as_everywhere_in_the_api(visitor: Visitor, accept: str) -> None:
    answer = visitor.http.get("/", headers={"Accept": accept}, expect_errors=True)
    assert answer.status_int == 401
    assert answer.json["errors"][0]["code"] == "authorization_header_format_invalid"
    known = {"Accept": accept, "Authorization": f"Bearer {visitor.emulator.secret_key}"}
    assert visitor.http.get("/", headers=known, expect_errors=True).status_int == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_it_can_only_be_looked_at(visitor: Visitor, method: str) -> None:
    answer = visitor.http.request("/", method=method, headers=HTML, expect_errors=True)
    assert answer.status_int == 401
    assert "Ada" not in answer.text


def test_head_is_the_page_without_its_text(visitor: Visitor) -> None:
    answer = visitor.http.head("/", headers=HTML)
    assert (answer.status_int, answer.body) == (200, b"")
    assert answer.content_type == "text/html"


# What pages are


@pytest.mark.parametrize("host", [HOST, "evil.example"])
def test_it_is_a_page_like_the_others(host: str) -> None:
    visitor = Visitor(local_clerk(), host)
    page: Any = status_of(visitor)
    html = html_of(page)
    assert html.html["lang"] == "en"
    assert len(html.find_all("h1")) == 1
    assert html.title.string.endswith(" – local Clerk")
    assert html.find_all(["script", "img", "iframe", "object", "base", "form"]) == []
    assert not re.search(r"\son\w+=|style=|@import|url\(", page.text)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_tables_keep_their_roles_where_they_are_laid_out_as_lists(visitor: Visitor) -> None:
    visitor.http.get("/v1/jwks", expect_errors=True)
    html = html_of(status_of(visitor))
    roles = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row"}
    for name, role in {**roles, "th": "columnheader", "td": "cell"}.items():
        found = html.find_all(name)
        assert found
        assert {one["role"] for one in found} == {role}
    for table in html.find_all("table"):
        titles = [cell.get_text() for cell in table.find_all("th")]
        for line in table.tbody.find_all("tr"):
            assert [cell["data-title"] for cell in line.find_all("td")] == titles


def test_the_state_of_a_file_is_named(tmp_path: Any) -> None:
    path = tmp_path / "state.sqlite3"
    emulator = Emulator(path)
    assert settings(status_of(Visitor(emulator)))["State"] == str(path)
    emulator.close()
