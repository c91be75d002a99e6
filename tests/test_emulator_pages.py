"""The hosted pages: signing in with a password and signing out, without JavaScript."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

from clerk_wsgi.emulator import DEMO_PASSWORD, Emulator

from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, SUFFIX_LIVE, SUFFIX_TEST
from .spying import another, as_soon_as, sessions_seen_with
from .visiting import ADA, BACK, HOST, Visitor, html_of, local_clerk

if TYPE_CHECKING:
    from pathlib import Path

    from webtest.response import TestResponse

GRACE: dict[str, Any] = {"identifier": "grace", "password": "nanoseconds are this long"}
PAGES = ["sign-in", "sign-out", "choose", "choose-organization"]


@pytest.fixture
def visitor() -> Visitor:
    return Visitor(local_clerk())


@pytest.fixture
def in_production() -> Visitor:
    return Visitor(local_clerk(PUBLISHABLE_LIVE))


def every_page(visitor: Visitor) -> list[TestResponse]:
    """A page of every kind there is."""
    wrong = visitor.sign_in(password="wrong")
    visitor.sign_in()
    return [
        wrong,
        visitor.open(back=None),
        visitor.open(back="http://evil.example/"),
        *(visitor.open(name) for name in PAGES),
        *(Visitor(visitor.emulator).open(name) for name in PAGES),
        *(Visitor(visitor.emulator).open(name, back=None) for name in PAGES),
    ]


# What pages are


def test_every_field_has_a_label_and_every_page_a_language_and_a_title(visitor: Visitor) -> None:
    titles = set()
    for page in every_page(visitor):
        html = html_of(page)
        assert html.html["lang"] == "en"
        assert html.find("meta", attrs={"name": "viewport"})
        assert len(html.find_all("h1")) == 1
        titles.add(html.title.string)
        labelled = {label["for"] for label in html.find_all("label")}
        fields = html.find_all("input", attrs={"type": ["text", "password"]})
        assert {field["id"] for field in fields} == labelled
        assert all(button.get_text(strip=True) for button in html.find_all("button"))
    assert titles == {
        "Sign in – local Clerk",
        "Error: sign in – local Clerk",
        "Sign out – local Clerk",
        "Choose an account – local Clerk",
        "Choose an organization – local Clerk",
        "Error – local Clerk",
    }


def test_password_managers_know_the_fields(visitor: Visitor) -> None:
    html = html_of(visitor.open())
    wanted = {"identifier": "username", "password": "current-password"}
    assert {one["name"]: one.get("autocomplete") for one in html.find_all("input")} == {
        **wanted,
        "form_token": None,
    }


def test_nothing_is_loaded_and_nothing_runs(visitor: Visitor) -> None:
    for page in every_page(visitor):
        html = html_of(page)
        assert html.find_all(["script", "img", "iframe", "object", "base"]) == []
        assert [link["href"].partition(":")[0] for link in html.find_all("link")] == ["data"]
        assert not re.search(r"\son\w+=|style=|@import|url\(", page.text)


def test_the_policy_allows_this_style_and_nothing_else(visitor: Visitor) -> None:
    for page in every_page(visitor):
        style = html_of(page).style.string
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = page.headers["Content-Security-Policy"].split("; ")
        assert "default-src 'none'" in policy
        assert f"style-src 'sha256-{digest}'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Referrer-Policy"] == "same-origin"


def test_a_form_may_lead_to_the_application_it_is_for(visitor: Visitor) -> None:
    def form_action(page: TestResponse) -> str:
        policy: list[str] = page.headers["Content-Security-Policy"].split("; ")
        return next(one for one in policy if one.startswith("form-action"))

    loopback = "http://127.0.0.1:* http://localhost:*"
    assert form_action(visitor.open()) == f"form-action 'self' http://127.0.0.1:8000 {loopback}"
    assert form_action(visitor.open(back=None)) == "form-action 'self'"
    by_number = visitor.open(back="https://[::1]:8000/")  # which a policy cannot say
    assert form_action(by_number) == f"form-action 'self' https: {loopback}"


@pytest.mark.parametrize("name", PAGES)
def test_links_between_the_pages_remember_where_one_came_from(visitor: Visitor, name: str) -> None:
    def links(page: TestResponse) -> list[str]:
        found = [urlsplit(link["href"]) for link in html_of(page).find_all("a")]
        return [link.query for link in found if link.path in PAGES]

    kept = urlencode({"redirect_url": BACK})
    assert all(query == kept for query in links(visitor.open(name)))
    assert all(query == "" for query in links(visitor.open(name, back=None)))
    visitor.sign_in()
    found = links(visitor.open(name, unknown="x"))
    assert found or name == "sign-out"  # which leads back at once
    assert all(query.partition("&session_id=")[0] == kept for query in found)


def test_a_browser_that_is_known_by_its_address_stays_so_from_page_to_page(
    visitor: Visitor,
) -> None:
    token = visitor.sign_in().headers["Location"].rpartition("=")[2]
    visitor.http.reset()
    page = visitor.open(__clerk_db_jwt=token)
    link = html_of(page).find("a", string="Manage accounts")["href"]
    assert "Ada Lovelace" in visitor.http.get(f"/{link}").text
    strangers = visitor.open(__clerk_db_jwt="dvb_unknown")
    assert "dvb_unknown" not in strangers.text


@pytest.mark.parametrize("name", PAGES)
def test_head_is_the_page_without_its_text(visitor: Visitor, name: str) -> None:
    answer = visitor.http.head(f"/{name}")
    assert (answer.status_int, answer.body) == (200, b"")


@pytest.mark.parametrize("name", PAGES)
def test_other_methods_are_refused(visitor: Visitor, name: str) -> None:
    answer = visitor.http.put(f"/{name}", expect_errors=True)
    assert (answer.status_int, answer.headers["Allow"]) == (405, "GET, POST")


# Signing in


def test_in_development_the_browser_takes_its_token_along(visitor: Visitor) -> None:
    answer = visitor.sign_in()
    assert answer.status_int == 303
    token = answer.headers["Location"].removeprefix(f"{BACK}&__clerk_db_jwt=")
    assert re.fullmatch("dvb_[A-Za-z0-9]{27}", token)
    assert answer.headers.getall("Set-Cookie") == [
        f"__clerk_db_jwt_{SUFFIX_TEST}={token}; Path=/; SameSite=Lax; Max-Age=31536000",
        f"__clerk_db_jwt={token}; Path=/; SameSite=Lax; Max-Age=31536000",
    ]


def test_in_production_the_client_token_stays_here(in_production: Visitor) -> None:
    answer = in_production.sign_in()
    assert (answer.status_int, answer.headers["Location"]) == (303, BACK)
    session = in_production.emulator.sessions()[-1]
    token = in_production.emulator.client_token(session["client_id"])
    forever = "SameSite=Lax; Max-Age=34560000"
    assert answer.headers.getall("Set-Cookie") == [
        f"__client={token}; Path=/; HttpOnly; {forever}",
        f"__client_uat_{SUFFIX_LIVE}={NOW}; Path=/; {forever}",
        f"__client_uat={NOW}; Path=/; {forever}",
    ]


def test_on_a_domain_of_its_own_all_hosts_learn_that_somebody_signed_in() -> None:
    emulator = Emulator(
        publishable_key=PUBLISHABLE_LIVE, redirect_origins=["https://app.example.com"]
    )
    visitor = Visitor(emulator, host="clerk.example.com")
    form = visitor.open(back="https://app.example.com/")
    answer = visitor.send(form, {"Origin": "http://clerk.example.com"}, **ADA)
    client, *times = answer.headers.getall("Set-Cookie")
    assert "Domain" not in client
    assert all(line.endswith("; Domain=example.com") for line in times)


@pytest.mark.parametrize("host", ["clerk.example.com.evil.example", "evilexample.com", "x.test"])
def test_a_foreign_host_gets_cookies_for_itself_alone(host: str) -> None:
    visitor = Visitor(Emulator(publishable_key=PUBLISHABLE_LIVE), host=host)
    answer = visitor.send(visitor.open(back=None), {"Origin": f"http://{host}"}, **ADA)
    assert answer.status_int == 303
    assert not any("Domain" in line for line in answer.headers.getall("Set-Cookie"))


def test_over_tls_all_cookies_are_secure(in_production: Visitor) -> None:
    in_production.http.extra_environ["wsgi.url_scheme"] = "https"
    form = in_production.open(back=None)
    answer = in_production.send(form, {"Origin": f"https://{HOST}"}, **ADA)
    lines = form.headers.getall("Set-Cookie") + answer.headers.getall("Set-Cookie")
    assert len(lines) == 4
    assert all(line.endswith("; Secure") for line in lines)


@pytest.mark.parametrize("identifier", ["ADA@Example.COM", "  ada@example.com ", "ada", "Countess"])
def test_the_letters_case_does_not_matter(visitor: Visitor, identifier: str) -> None:
    [ada] = visitor.emulator.users()
    visitor.emulator.update_user(ada["id"], username="countess" if "C" in identifier else "Ada")
    assert visitor.sign_in(identifier=identifier).status_int == 303
    assert visitor.living() == 1


def test_the_user_is_known_to_have_signed_in(visitor: Visitor) -> None:
    visitor.sign_in(password="wrong")
    assert visitor.emulator.users()[0]["last_sign_in_at"] is None
    visitor.sign_in()
    assert visitor.emulator.users()[0]["last_sign_in_at"] == NOW * 1000


def test_without_an_application_one_stays_here(visitor: Visitor) -> None:
    answer = visitor.send(visitor.open(back=None), **ADA)
    assert answer.headers["Location"] == f"http://{HOST}/sign-in"
    page = visitor.http.get("/sign-in")
    assert "Continue as Ada Lovelace" in page.text


@pytest.mark.parametrize("key", [PUBLISHABLE_TEST, PUBLISHABLE_LIVE])
def test_who_is_signed_in_is_asked_whether_to_continue(key: str) -> None:
    visitor = Visitor(Emulator(publishable_key=key))
    visitor.sign_in()
    page = visitor.open()
    assert "Continue as Ada Lovelace" in page.text
    session = html_of(page).find("button", attrs={"name": "session_id"})["value"]
    answer = visitor.send(page, session_id=session)
    assert answer.status_int == 303
    assert answer.headers["Location"].startswith(BACK)
    assert visitor.living() == 1


# What is wrong with a form is said where it is wrong


def assert_problem(page: TestResponse, status: int, name: str, text: str) -> None:
    assert page.status_int == status
    [field] = html_of(page).find_all("input", attrs={"aria-invalid": "true"})
    assert field["name"] == name
    assert text in html_of(page).find(id=field["aria-describedby"]).string
    assert field.has_attr("autofocus")


@pytest.mark.parametrize(
    ("fields", "name", "text"),
    [
        ({"identifier": "nobody@example.com"}, "identifier", "find your account"),
        ({"identifier": "ada@example.co"}, "identifier", "find your account"),
        ({"identifier": "' OR 1=1 --"}, "identifier", "find your account"),
        ({"identifier": "\0"}, "identifier", "find your account"),
        ({"identifier": "None"}, "identifier", "find your account"),
        ({"identifier": ""}, "identifier", "Enter your email address or username"),
        ({"identifier": ...}, "identifier", "Enter your email address or username"),
        ({"password": "wrong"}, "password", "Password is incorrect"),
        ({"password": DEMO_PASSWORD.upper()}, "password", "Password is incorrect"),
        ({"password": DEMO_PASSWORD + " "}, "password", "Password is incorrect"),
        ({"password": DEMO_PASSWORD[:-1]}, "password", "Password is incorrect"),
        ({"password": "x" * 100_000}, "password", "Password is incorrect"),
        ({"password": "\0"}, "password", "Password is incorrect"),
        ({"password": ""}, "password", "Enter your password"),
        ({"password": ...}, "password", "Enter your password"),
    ],
)
def test_a_wrong_entry_is_marked_at_its_field(
    visitor: Visitor, fields: dict[str, Any], name: str, text: str
) -> None:
    page = visitor.sign_in(**fields)
    assert_problem(page, 422, name, text)
    assert visitor.living() == 0


@pytest.mark.parametrize("nothing", ["", "  ", ...])
def test_all_fields_that_are_wrong_are_marked_and_the_first_has_the_focus(
    visitor: Visitor, nothing: Any
) -> None:
    page = visitor.sign_in(identifier=nothing, password="")
    fields = html_of(page).find_all("input", attrs={"aria-invalid": "true"})
    assert page.status_int == 422
    assert [field["name"] for field in fields] == ["identifier", "password"]
    assert [field.has_attr("autofocus") for field in fields] == [True, False]
    texts = [html_of(page).find(id=field["aria-describedby"]).string for field in fields]
    assert texts == ["Enter your email address or username.", "Enter your password."]


@pytest.mark.parametrize("wrong", ["identifier", "password"])
def test_beside_other_accounts_a_wrong_field_has_the_focus_all_the_same(
    visitor: Visitor, wrong: str
) -> None:
    visitor.sign_in()
    assert html_of(visitor.open()).find(attrs={"autofocus": True}) is None
    page = visitor.sign_in(**{wrong: "unknown"})
    assert [one["name"] for one in html_of(page).find_all(attrs={"autofocus": True})] == [wrong]


def test_a_problem_of_the_whole_form_is_an_alert_and_of_no_field(visitor: Visitor) -> None:
    page = visitor.send(visitor.open(), form_token="x", **{**ADA, "password": "x"})
    assert html_of(page).find_all(attrs={"aria-invalid": True}) == []
    assert "again" in html_of(page).find(attrs={"role": "alert"}).string
    assert html_of(page).title.string.startswith("Error: ")


def test_what_was_entered_is_still_there_but_the_password(visitor: Visitor) -> None:
    page = visitor.sign_in(identifier="ada@example.com", password="wrong-secret")
    assert html_of(page).find(id="identifier")["value"] == "ada@example.com"
    assert "wrong-secret" not in page.text


def test_without_a_password_nobody_can_sign_in(visitor: Visitor) -> None:
    visitor.emulator.create_user(username="grace")
    for password in ("x", "None"):
        page = visitor.sign_in(identifier="grace", password=password)
        assert_problem(page, 422, "password", "Password is incorrect")


@pytest.mark.parametrize("flag", ["locked", "banned"])
def test_a_locked_account_stays_closed(visitor: Visitor, flag: str) -> None:
    [ada] = visitor.emulator.users()
    visitor.emulator.update_user(ada["id"], **{flag: True})
    page = visitor.sign_in()
    assert page.status_int == 403
    assert "locked" in html_of(page).find(attrs={"role": "alert"}).string
    assert visitor.living() == 0


def test_a_deleted_user_is_nobody(visitor: Visitor) -> None:
    [ada] = visitor.emulator.users()
    visitor.emulator.delete_user(ada["id"])
    assert_problem(visitor.sign_in(), 422, "identifier", "find your account")


HOSTILE = "\"'><script>alert(1)</script>&lt;$token${lead}"


def test_what_people_enter_stays_text(visitor: Visitor) -> None:
    [ada] = visitor.emulator.users()
    visitor.emulator.update_user(ada["id"], first_name=HOSTILE)
    visitor.sign_in()
    pages = [visitor.sign_in(identifier=HOSTILE), *map(visitor.open, PAGES)]
    assert html_of(pages[0]).find(id="identifier")["value"] == HOSTILE
    for page in pages:
        assert html_of(page).find_all("script") == []
        assert "alert(1)" in html_of(page).get_text() + pages[0].text
        assert HOSTILE not in page.text


def test_the_address_of_the_application_stays_text(visitor: Visitor) -> None:
    back = f'http://127.0.0.1:8000/?"><script>alert(1)</script>&{HOSTILE}'
    visitor.sign_in()
    for name in PAGES:
        page = visitor.open(name, back=back)
        assert page.status_int == 200
        assert html_of(page).find_all("script") == []


def test_an_error_repeats_nothing_as_html(visitor: Visitor) -> None:
    unknown: dict[str, Any] = {HOSTILE: "x"}
    page = visitor.send(visitor.open(), **unknown)
    assert page.status_int == 422
    assert html_of(page).find_all("script") == []
    assert "alert(1)" in html_of(page).get_text()


# Forms that other sites send


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://localhost:4100"},
        {"Origin": "http://127.0.0.1:41000"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Cookie": ""},
        {"Cookie": "__clerk_form=x"},
        {"Cookie": "__clerk_form=" + "x" * 43},
    ],
)
@pytest.mark.parametrize("name", ["sign-in", "sign-out"])
def test_a_form_of_another_site_does_nothing(
    visitor: Visitor, name: str, headers: dict[str, str]
) -> None:
    if name == "sign-out":
        visitor.sign_in()
    before = visitor.living()
    form = visitor.open(name)
    fields: dict[str, Any] = {} if name == "sign-out" else ADA
    if "Cookie" in headers:
        visitor.http.reset()
    answer = visitor.send(form, headers, **fields)
    assert answer.status_int == 403
    assert "again" in answer.text
    assert visitor.living() == before


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "é", ...])
@pytest.mark.parametrize("name", ["sign-in", "sign-out"])
def test_a_form_without_the_right_token_does_nothing(
    visitor: Visitor, name: str, token: Any
) -> None:
    form = visitor.open(name)
    fields: dict[str, Any] = {} if name == "sign-out" else ADA
    assert visitor.send(form, form_token=token, **fields).status_int == 403
    assert visitor.living() == 0


def test_a_form_of_another_browser_does_nothing(visitor: Visitor) -> None:
    other = Visitor(visitor.emulator)
    other.open()
    assert other.send(visitor.open(), **ADA).status_int == 403
    assert visitor.living() == 0


def test_two_forms_of_one_browser_both_work(visitor: Visitor) -> None:
    first, second = visitor.open(), visitor.open("sign-out")
    assert visitor.send(first, **ADA).status_int == 303
    assert visitor.send(second).status_int == 303


def test_a_browser_that_does_not_tell_where_a_form_was_sent_from_can_sign_in(
    visitor: Visitor,
) -> None:
    form = visitor.open()
    token = form.forms[0]["form_token"].value
    entered: dict[str, Any] = {**ADA, "form_token": token}
    answer = visitor.http.post(form.request.url, entered)
    assert answer.status_int == 303


# Where nobody is sent


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "back",
    [
        "",
        "/page",
        "//evil.example/",
        "javascript:alert(1)",
        "http://evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://127.0.0.1:8000\\@evil.example/",
        "https://app.example.com/",
    ],
)
def test_nobody_is_sent_elsewhere(visitor: Visitor, name: str, back: str) -> None:
    page = visitor.open(name, back=back)
    assert page.status_int in (400, 422)
    assert "redirect_url_" in html_of(page).find(attrs={"class": "code"}).string
    form = visitor.open(name)
    form.request.path_info, form.request.query_string = f"/{name}", f"redirect_url={quote(back)}"
    fields: dict[str, Any] = ADA if name == "sign-in" else {}
    answer = visitor.send(form, **fields)
    assert answer.status_int == page.status_int
    assert "Location" not in answer.headers
    assert visitor.living() == 0


def test_in_production_the_application_must_share_cookies(in_production: Visitor) -> None:
    page = in_production.open(back="http://localhost:8000/")
    assert page.status_int == 422
    assert "must share cookies with 127.0.0.1" in page.text


# Forms that no page sends


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ('{"form_token": []}', "application/json", 422),
        ('{"form_token": null}', "application/json", 403),
        ('{"more": "x"}', "application/json", 422),
        ("more=x", "application/x-www-form-urlencoded", 422),
        ("form_token=%ff", "application/x-www-form-urlencoded", 400),
        ("", "application/x-www-form-urlencoded", 403),
        ("form_token=x", "text/plain", 400),
        ("form_token=x", "multipart/form-data; boundary=x", 400),
    ],
)
@pytest.mark.parametrize("name", PAGES)
def test_nonsense_is_refused(
    visitor: Visitor, name: str, body: str, content_type: str, status: int
) -> None:
    headers = {"Content-Type": content_type}
    answer = visitor.http.post(f"/{name}", body, headers=headers, expect_errors=True)
    assert answer.status_int == status
    assert visitor.living() == 0


def test_scripts_get_errors_as_everywhere_in_the_api(visitor: Visitor) -> None:
    answer = visitor.http.get("/sign-in?redirect_url=x", expect_errors=True)
    assert answer.json["errors"][0]["code"] == "redirect_url_invalid"


# Signing out


@pytest.mark.parametrize("key", [PUBLISHABLE_TEST, PUBLISHABLE_LIVE])
def test_signing_out_is_asked_for_first_and_then_ends_the_session(key: str) -> None:
    visitor = Visitor(Emulator(publishable_key=key))
    visitor.sign_in()
    page = visitor.open("sign-out")
    assert "You are signed in as Ada Lovelace." in html_of(page).get_text()
    assert html_of(page).find("a", string="Stay signed in")["href"] == BACK
    assert visitor.living() == 1
    answer = visitor.send(page)
    assert answer.status_int == 303
    assert answer.headers["Location"].startswith(BACK)
    assert visitor.emulator.sessions()[-1]["status"] == "removed"
    assert "Nobody is signed in here any more" in visitor.open("sign-out").text


def test_a_browser_that_is_not_known_is_told_so_and_sent_on(visitor: Visitor) -> None:
    page = visitor.open("sign-out")
    assert "Nobody is signed in here any more" in page.text
    answer = visitor.send(page)
    assert answer.headers["Location"].startswith(f"{BACK}&__clerk_db_jwt=dvb_")


def test_in_production_everybody_learns_that_it_is_over(in_production: Visitor) -> None:
    in_production.sign_in()
    answer = in_production.send(in_production.open("sign-out"))
    times = [line for line in answer.headers.getall("Set-Cookie") if "_uat" in line]
    assert [line.partition("=")[2].partition(";")[0] for line in times] == ["0", "0"]


def test_the_ready_made_session_is_not_of_this_browser(visitor: Visitor) -> None:
    visitor.send(visitor.open("sign-out"))
    assert visitor.emulator.sessions()[0]["status"] == "active"


@pytest.mark.parametrize("kind", ["query", "cookie", "suffixed"])
def test_in_development_a_browser_is_known_by_its_address_or_cookies(
    visitor: Visitor, kind: str
) -> None:
    client = visitor.emulator.sessions()[0]["client_id"]
    token = visitor.emulator._frontend.browsers.renew(client).token
    url = f"/sign-in?__clerk_db_jwt={token}" if kind == "query" else "/sign-in"
    cookies = {
        "query": "__clerk_db_jwt=dvb_x",
        "cookie": f"__clerk_db_jwt={token}; __clerk_db_jwt_{SUFFIX_TEST}=dvb_of_another_run",
        "suffixed": f"__clerk_db_jwt=dvb_of_another; __clerk_db_jwt_{SUFFIX_TEST}={token}",
    }
    page = visitor.http.get(url, headers={"Cookie": cookies[kind]})
    assert "Continue as Ada Lovelace" in page.text


@pytest.mark.parametrize("cookie", ["__client=x", "__client=", "__client=a.b.c", "\xff", "=;=;"])
def test_cookies_that_say_nothing_are_nobodys(in_production: Visitor, cookie: str) -> None:
    page = in_production.http.get("/sign-in", headers={"Cookie": cookie})
    assert "Continue as" not in page.text


# Passwords


def test_only_a_digest_of_a_password_is_kept(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "state.sqlite3")
    emulator.set_password(emulator.users()[0]["id"], "a password to look for")
    emulator.close()
    kept = (tmp_path / "state.sqlite3").read_bytes()
    assert b"scrypt$" in kept
    assert b"to look for" not in kept
    assert DEMO_PASSWORD.encode() not in kept
    visitor = Visitor(Emulator(tmp_path / "state.sqlite3"))
    assert visitor.sign_in().status_int == 422
    assert visitor.sign_in(password="a password to look for").status_int == 303


def test_equal_passwords_have_different_digests() -> None:
    emulator = Emulator()
    users = [emulator.create_user(password="the same") for _ in range(2)]
    found = [emulator._store.get("password", user["id"]) for user in users]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0]["digest"] != found[1]["digest"]


def test_logs_and_records_have_no_secret(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    visitor.sign_in(password="a wrong secret")
    answer = visitor.sign_in()
    token = answer.headers["Location"].rpartition("=")[2]
    for secret in ("a wrong secret", DEMO_PASSWORD, token, "redirect_url"):
        assert secret not in caplog.text
        assert secret not in repr(visitor.emulator.requests)


def test_whoever_has_the_secret_of_before_never_sees_who_signs_in(tmp_path: Path) -> None:
    visitor = Visitor(local_clerk(state=tmp_path / "state.sqlite3"))
    laid_out = visitor.http.post("/v1/dev_browser").json["id"]
    page = visitor.open(__clerk_db_jwt=laid_out)
    seen = sessions_seen_with(laid_out, visitor)
    assert visitor.send(page, **ADA).status_int == 303
    assert visitor.living() == 1
    assert seen
    assert set(seen) == {0}


def test_a_secret_that_was_replaced_since_the_page_was_read_gets_no_new_one(
    tmp_path: Path,
) -> None:
    visitor = Visitor(local_clerk(state=tmp_path / "state.sqlite3"))
    visitor.emulator.create_user(username="grace", password=GRACE["password"])
    victim = Visitor(another(visitor.emulator))
    laid_out = visitor.http.post("/v1/dev_browser").json["id"]
    page, theirs = (one.open(__clerk_db_jwt=laid_out) for one in (visitor, victim))
    as_soon_as(visitor.emulator, "'password'", lambda: victim.send(theirs, **GRACE))
    assert visitor.send(page, **ADA).status_int == 303
    if visitor.living() == 1:  # the victim would have had to wait
        assert victim.send(theirs, **GRACE).status_int == 303
    mine, others = visitor.emulator.sessions(status="active")[1:]
    assert mine["client_id"] != others["client_id"]
