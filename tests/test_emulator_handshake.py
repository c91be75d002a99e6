"""The browsers' side of the local Clerk: handshakes, what they bring home, and refreshes."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import jwt
import pytest
from webtest import TestApp

from clerk_wsgi.emulator import Emulator, forge
from clerk_wsgi.settings import parse_publishable_key

from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, SUFFIX_LIVE, SUFFIX_TEST

if TYPE_CHECKING:
    from webtest.response import TestResponse

EXPIRED = "Expires=Thu, 01 Jan 1970 00:00:00 GMT"
BACK = "http://127.0.0.1:8000/page?a=1"
NONCE = "__clerk_handshake_nonce"
TOKEN = "__clerk_handshake"


class Clerk:
    """A local Clerk, asked as browsers and as applications ask it."""

    def __init__(self, key: str = PUBLISHABLE_TEST, host: str = "127.0.0.1:4100") -> None:
        self.now = float(NOW)
        self.emulator = Emulator(
            publishable_key=key,
            clock=lambda: self.now,
            redirect_origins=["https://app.example.com"],
        )
        self.suffix = parse_publishable_key(key).suffix
        self.http = TestApp(self.emulator, extra_environ={"HTTP_HOST": host})
        [self.user] = self.emulator.users()
        [self.session] = self.emulator.sessions()

    def dev_browser(self) -> str:
        """Return the token of a browser that has the ready-made session."""
        return self.emulator._frontend.browsers.renew(self.session["client_id"]).token

    def begin(self, back: str | None = BACK, cookie: str = "", **query: str) -> TestResponse:
        """Ask for a handshake as a browser that is sent there."""
        parameters: dict[str, Any] = {"redirect_url": back, **query}
        return self.http.get(
            "/v1/client/handshake",
            params={name: text for name, text in parameters.items() if text is not None},
            headers={"Cookie": cookie},
            expect_errors=True,
        )

    def ask(self, method: str, path: str, body: Any = None, key: str | None = "") -> TestResponse:
        """Ask as an application, with the right key unless another is given."""
        headers = {"Authorization": f"Bearer {key or self.emulator.secret_key}"}
        headers = {} if key is None else headers
        if method == "GET":
            return self.http.get(path, headers=headers, expect_errors=True)
        return self.http.post_json(path, body or {}, headers=headers, expect_errors=True)

    def payload(self, nonce: str, key: str | None = "") -> TestResponse:
        return self.ask("GET", f"/v1/clients/handshake_payload?nonce={quote(nonce)}", key=key)

    def directives(self, **query: str) -> list[str]:
        """Return what a handshake in development brings home."""
        answer = self.begin(format="nonce", **query)
        return list(self.payload(nonce_in(answer)).json["directives"])

    def claims_of(self, token: str) -> dict[str, Any]:
        key = self.emulator.public_key_pem()
        return dict(jwt.decode(token, key, algorithms=["RS256"], options={"verify_exp": False}))


@pytest.fixture
def development() -> Clerk:
    return Clerk()


@pytest.fixture
def production() -> Clerk:
    return Clerk(PUBLISHABLE_LIVE)


def nonce_in(answer: TestResponse) -> str:
    [nonce] = parse_qs(urlsplit(answer.headers["Location"]).query)[NONCE]
    return nonce


def cookie_in(answer: TestResponse) -> tuple[str, str, list[str]]:
    """The one cookie of an answer: name, value, attributes."""
    [line] = answer.headers.getall("Set-Cookie")
    pair, *attributes = line.split("; ")
    name, _, value = pair.partition("=")
    return name, value, attributes


def error_in(answer: TestResponse) -> str:
    [error] = answer.json["errors"]
    assert answer.headers["Content-Type"] == "application/json"
    return str(error["code"])


def tokens_in(directives: list[str]) -> list[str]:
    return [line.split("=")[1].split(";")[0] for line in directives if line.startswith("__session")]


# What a handshake brings home


def test_signed_out_it_removes_the_session_and_names_the_browser(development: Clerk) -> None:
    directives = development.directives()
    assert directives[:5] == [
        f"__session_{SUFFIX_TEST}=; Path=/; {EXPIRED}",
        f"__session=; Path=/; {EXPIRED}",
        f"__refresh_{SUFFIX_TEST}=; Path=/; {EXPIRED}",
        f"__client_uat_{SUFFIX_TEST}=0; Path=/; SameSite=Lax",
        "__client_uat=0; Path=/; SameSite=Lax",
    ]
    assert [re.sub("dvb_[A-Za-z0-9]{27}", "dvb", one) for one in directives[5:]] == [
        f"__clerk_db_jwt_{SUFFIX_TEST}=dvb; Path=/; SameSite=Lax",
        "__clerk_db_jwt=dvb; Path=/; SameSite=Lax",
    ]


def test_signed_in_it_sets_token_time_and_refresh_token(development: Clerk) -> None:
    browser = development.dev_browser()
    directives = development.directives(__clerk_db_jwt=browser)
    token, same = tokens_in(directives)
    assert token == same
    refresh = directives[4].split("=")[1].split(";")[0]
    assert re.fullmatch("rft_[A-Za-z0-9]{27}", refresh)
    assert directives == [
        f"__session_{SUFFIX_TEST}={token}; Path=/; SameSite=Lax",
        f"__session={token}; Path=/; SameSite=Lax",
        f"__client_uat_{SUFFIX_TEST}={NOW}; Path=/; SameSite=Lax",
        f"__client_uat={NOW}; Path=/; SameSite=Lax",
        f"__refresh_{SUFFIX_TEST}={refresh}; Path=/; HttpOnly; SameSite=Lax",
        f"__clerk_db_jwt_{SUFFIX_TEST}={browser}; Path=/; SameSite=Lax",
        f"__clerk_db_jwt={browser}; Path=/; SameSite=Lax",
    ]


def test_the_token_is_of_the_session_and_for_the_application(development: Clerk) -> None:
    [token, _] = tokens_in(development.directives(__clerk_db_jwt=development.dev_browser()))
    claims = development.claims_of(token)
    assert claims["azp"] == "http://127.0.0.1:8000"
    assert claims["iss"] == "https://happy-emu-1.clerk.accounts.dev"
    assert (claims["sid"], claims["sub"]) == (development.session["id"], development.user["id"])
    assert claims["exp"] - claims["iat"] == 60


def test_the_token_is_not_older_than_the_client(development: Clerk) -> None:
    browser = development.dev_browser()
    development.now += 0.9
    development.emulator.update_session(development.session["id"], last_active_at=1)
    directives = development.directives(__clerk_db_jwt=browser)
    uat = next(line for line in directives if line.startswith("__client_uat="))
    assert (
        int(uat.split("=")[1].split(";")[0])
        <= development.claims_of(tokens_in(directives)[0])["iat"]
    )


def test_a_pending_session_is_brought_home_as_pending(development: Clerk) -> None:
    development.emulator.update_session(development.session["id"], status="pending")
    [token, _] = tokens_in(development.directives(__clerk_db_jwt=development.dev_browser()))
    assert development.claims_of(token)["sts"] == "pending"


@pytest.mark.parametrize("status", ["revoked", "ended", "expired", "removed", "abandoned"])
def test_a_session_that_is_over_is_signed_out(development: Clerk, status: str) -> None:
    browser = development.dev_browser()
    development.emulator.update_session(development.session["id"], status=status)
    directives = development.directives(__clerk_db_jwt=browser)
    assert f"__session=; Path=/; {EXPIRED}" in directives
    assert "__client_uat=0; Path=/; SameSite=Lax" in directives


@pytest.mark.parametrize("unknown", ["", "dvb_x", "é", "x" * 5000, "' OR 1=1 --"])
def test_an_unknown_browser_gets_a_token_of_its_own(development: Clerk, unknown: str) -> None:
    seen = set()
    for _ in range(2):
        directives = development.directives(__clerk_db_jwt=unknown)
        assert f"__session=; Path=/; {EXPIRED}" in directives
        seen.add(directives[-1])
    assert len(seen) == 2
    assert not any(one.startswith(f"__clerk_db_jwt={unknown};") for one in seen)


def test_cookies_do_not_say_who_a_browser_in_development_is(development: Clerk) -> None:
    cookie = f"__clerk_db_jwt={development.dev_browser()}"
    assert f"__session=; Path=/; {EXPIRED}" in development.directives(cookie=cookie)


@pytest.mark.parametrize("named", ["id", "slug"])
def test_an_organization_that_is_asked_for_is_activated(development: Clerk, named: str) -> None:
    emulator, browser = development.emulator, development.dev_browser()
    acme, navy = (emulator.create_organization(name) for name in ("Acme", "Navy"))
    for organization in (acme, navy):
        emulator.add_member(organization["id"], development.user["id"])

    def active_after(**query: str) -> str | None:
        directives = development.directives(__clerk_db_jwt=browser, **query)
        claims = development.claims_of(tokens_in(directives)[0])
        found = emulator.session(development.session["id"])["last_active_organization_id"]
        assert claims.get("o", {}).get("id") == found
        return None if found is None else str(found)

    assert active_after() is None
    assert active_after(organization_id=acme[named]) == acme["id"]
    assert active_after() == acme["id"]
    assert active_after(organization_id=navy[named]) == navy["id"]
    assert active_after(organization_id="org_x") == navy["id"]
    assert active_after(organization_id="") is None


@pytest.mark.parametrize("asked", ["org_1", "acme", "", "é", "\0", "x" * 5000, "null"])
def test_an_organization_that_the_user_is_not_in_changes_nothing(
    development: Clerk, asked: str
) -> None:
    development.emulator.create_organization("Acme", id="org_1")
    browser = development.dev_browser()
    development.now += 5
    directives = development.directives(__clerk_db_jwt=browser, organization_id=asked)
    assert "o" not in development.claims_of(tokens_in(directives)[0])
    assert f"__client_uat={NOW}; Path=/; SameSite=Lax" in directives
    assert development.emulator.session(development.session["id"]) == development.session


def test_a_client_has_changed_when_another_organization_is_active(development: Clerk) -> None:
    acme = development.emulator.create_organization("Acme")["id"]
    development.emulator.add_member(acme, development.user["id"])
    browser = development.dev_browser()
    for _ in range(2):  # the second one finds it as it is to be
        directives = development.directives(__clerk_db_jwt=browser, organization_id=acme)
        assert f"__client_uat={NOW}; Path=/; SameSite=Lax" in directives
        claims = development.claims_of(tokens_in(directives)[0])
        assert (claims["o"]["id"], claims["iat"]) == (acme, int(development.now))
        development.now += 5
    directives = development.directives(__clerk_db_jwt=browser, organization_id="")
    assert f"__client_uat={NOW + 10}; Path=/; SameSite=Lax" in directives


def test_two_organizations_at_once_are_refused_and_neither_is_activated(
    development: Clerk,
) -> None:
    acme = development.emulator.create_organization("Acme")["id"]
    development.emulator.add_member(acme, development.user["id"])
    browser = development.dev_browser()
    query = f"redirect_url={quote(BACK)}&__clerk_db_jwt={browser}&organization_id={acme}"
    path = f"/v1/client/handshake?{query}&organization_id=org_x"
    answer = development.http.get(path, expect_errors=True)
    assert (answer.status_int, error_in(answer)) == (422, "form_param_duplicate")
    assert development.emulator.session(development.session["id"]) == development.session


@pytest.mark.parametrize(
    "wrong", [{"format": "xml"}, {"back": "https://evil.test/"}, {"back": None}]
)
def test_a_handshake_that_is_refused_activates_nothing(
    development: Clerk, wrong: dict[str, Any]
) -> None:
    acme = development.emulator.create_organization("Acme")["id"]
    development.emulator.add_member(acme, development.user["id"])
    query: dict[str, Any] = {"__clerk_db_jwt": development.dev_browser(), **wrong}
    assert development.begin(organization_id=acme, **query).status_int in (400, 422)
    assert development.emulator.session(development.session["id"]) == development.session


def test_for_an_application_with_tls_all_cookies_are_secure(development: Clerk) -> None:
    answer = development.begin("https://app.example.com/", format="nonce")
    directives = development.payload(nonce_in(answer)).json["directives"]
    assert all(line.endswith("; Secure") for line in directives)


# The way home, in development


def test_a_nonce_travels_in_the_address(development: Clerk) -> None:
    answer = development.begin(format="nonce")
    assert answer.status_int == 307
    assert answer.headers["Location"] == f"{BACK}&{NONCE}={nonce_in(answer)}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.body, "Set-Cookie" in answer.headers) == (b"", False)


@pytest.mark.parametrize("query", [{}, {"format": "token"}, {"format": ""}])
def test_a_signed_token_is_the_default(development: Clerk, query: dict[str, str]) -> None:
    answer = development.begin(**query)
    [token] = parse_qs(urlsplit(answer.headers["Location"]).query)[TOKEN]
    assert jwt.get_unverified_header(token)["cat"] == "cl_B7d4PD111AAA"
    claims = development.claims_of(token)
    assert claims.keys() == {"handshake"}
    assert "__client_uat=0; Path=/; SameSite=Lax" in claims["handshake"]


@pytest.mark.parametrize(
    ("back", "location"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/?N"),
        ("http://127.0.0.1:8000?a", "http://127.0.0.1:8000/?a&N"),
        ("http://127.0.0.1:8000/?", "http://127.0.0.1:8000/?N"),
        ("http://localhost/a%2Fb?c=%26&c=+#d", "http://localhost/a%2Fb?c=%26&c=+&N#d"),
        (f"http://localhost/?{NONCE}=old&a=1", "http://localhost/?a=1&N"),
        ("http://localhost/?%5F_clerk_handshake_nonce=old", "http://localhost/?N"),
        ("HTTP://LocalHost:80/Path", "http://localhost/Path?N"),
        (
            "http://localhost/café\r\nSet-Cookie: a=b",
            "http://localhost/caf%C3%A9%0D%0ASet-Cookie:%20a=b?N",
        ),
        ("http://[::1]:8000/", "http://[::1]:8000/?N"),
        ("http://app.localhost:1/", "http://app.localhost:1/?N"),
        ("http://127.8.9.1/", "http://127.8.9.1/?N"),
        ("https://app.example.com/", "https://app.example.com/?N"),
        ("https://APP.example.com:443/", "https://app.example.com/?N"),
    ],
)
def test_it_leads_back_to_where_the_browser_came_from(
    development: Clerk, back: str, location: str
) -> None:
    answer = development.begin(back, format="nonce")
    nonce = re.escape(f"{NONCE}=") + "[A-Za-z0-9_-]{43}"
    assert re.sub(nonce, "N", answer.headers["Location"]) == location


# The way home, in production


def test_in_production_the_nonce_travels_in_a_cookie(production: Clerk) -> None:
    answer = production.begin(format="nonce")
    assert answer.headers["Location"] == BACK
    name, nonce, attributes = cookie_in(answer)
    assert name == NONCE
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=60"]
    assert production.payload(nonce).json["directives"] == [
        f"__session_{SUFFIX_LIVE}=; Path=/; {EXPIRED}",
        f"__session=; Path=/; {EXPIRED}",
        f"__refresh_{SUFFIX_LIVE}=; Path=/; {EXPIRED}",
        f"__client_uat_{SUFFIX_LIVE}=0; Path=/; SameSite=Lax",
        "__client_uat=0; Path=/; SameSite=Lax",
        f"{NONCE}=; Path=/; {EXPIRED}",
        f"{TOKEN}=; Path=/; {EXPIRED}",
    ]


def test_in_production_the_token_fits_into_a_cookie(production: Clerk) -> None:
    client = production.emulator.client_token(production.session["client_id"])
    answer = production.begin(cookie=f"__client={client}")
    name, token, _ = cookie_in(answer)
    assert name == TOKEN
    assert len(f"{name}={token}") < 4096  # browsers drop longer ones
    [session_token, _] = tokens_in(production.claims_of(token)["handshake"])
    assert production.claims_of(session_token)["sid"] == production.session["id"]


def test_on_a_domain_of_its_own_cookies_go_to_all_its_hosts() -> None:
    clerk = Clerk(PUBLISHABLE_LIVE, host="clerk.example.com")
    answer = clerk.begin("https://app.example.com/", format="nonce")
    _, nonce, attributes = cookie_in(answer)
    assert "Domain=example.com" in attributes
    assert "Secure" not in attributes  # nobody would take it: this Clerk is reached without TLS
    directives = clerk.payload(nonce).json["directives"]
    ends = {line.partition("=")[0]: line.partition("; ")[2] for line in directives}
    assert ends["__session"] == f"Path=/; {EXPIRED}; Secure"
    assert ends["__client_uat"] == "Path=/; SameSite=Lax; Domain=example.com; Secure"
    assert ends[NONCE] == f"Path=/; {EXPIRED}; Domain=example.com; Secure"


def test_the_session_is_for_the_application_alone() -> None:
    clerk = Clerk(PUBLISHABLE_LIVE, host="clerk.example.com")
    cookie = f"__client={clerk.emulator.client_token(clerk.session['client_id'])}"
    answer = clerk.begin("https://app.example.com/", cookie=cookie, format="nonce")
    directives = clerk.payload(cookie_in(answer)[1]).json["directives"]
    ends = {line.partition("=")[0]: line.partition("; ")[2] for line in directives}
    assert ends["__session"] == "Path=/; SameSite=Lax; Secure"
    assert ends[f"__refresh_{SUFFIX_LIVE}"] == "Path=/; HttpOnly; SameSite=Lax; Secure"


@pytest.mark.parametrize(
    "kind", ["none", "forged", "other", "outdated", "session", "junk", "query"]
)
def test_in_production_only_a_genuine_client_token_counts(production: Clerk, kind: str) -> None:
    emulator, client_id = production.emulator, production.session["client_id"]
    genuine = emulator.client_token(client_id)
    tokens = {
        "forged": forge(genuine),
        "other": emulator.client_token(client_id, rotating_token="another"),
        "outdated": emulator.client_token(client_id),
        "session": emulator.session_token(production.session["id"]),
        "junk": "junk",
    }
    if kind == "outdated":
        emulator._frontend.browsers.renew(client_id)
    cookie = f"__client={tokens.get(kind, '')}"
    query = {"__client": genuine, "__clerk_db_jwt": genuine} if kind == "query" else {}
    _, nonce, _ = cookie_in(production.begin(cookie=cookie, format="nonce", **query))
    directives = production.payload(nonce).json["directives"]
    assert f"__session=; Path=/; {EXPIRED}" in directives


@pytest.mark.parametrize(
    "back", ["http://localhost:8000/", "http://127.0.0.2/", "https://app.example.com/"]
)
def test_in_production_cookies_must_reach_the_application(production: Clerk, back: str) -> None:
    answer = production.begin(back)
    assert answer.status_int == 422
    assert error_in(answer) == "redirect_url_not_associated_with_instance"
    assert "Set-Cookie" not in answer.headers


# Where nobody is sent


@pytest.mark.parametrize(
    ("back", "code"),
    [
        (None, "redirect_url_missing"),
        ("", "redirect_url_missing"),
        ("/page", "redirect_url_invalid"),
        ("//127.0.0.1/", "redirect_url_invalid"),
        ("127.0.0.1:8000", "redirect_url_invalid"),
        ("http:127.0.0.1", "redirect_url_invalid"),
        ("http://", "redirect_url_invalid"),
        ("http:///", "redirect_url_invalid"),
        ("ftp://127.0.0.1/", "redirect_url_invalid"),
        ("javascript:alert(1)//http://127.0.0.1/", "redirect_url_invalid"),
        ("data:text/html,x", "redirect_url_invalid"),
        (" http://127.0.0.1/", "redirect_url_invalid"),
        ("http://127.0.0.1@evil.example/", "redirect_url_invalid"),
        ("http://127.0.0.1:80@evil.example/", "redirect_url_invalid"),
        ("http://evil.example@127.0.0.1/", "redirect_url_invalid"),
        ("http://evil.example\\@127.0.0.1/", "redirect_url_invalid"),
        ("http://127.0.0.1\\.evil.example/", "redirect_url_invalid"),
        ("http://127.0.0.1\t.evil.example/", "redirect_url_invalid"),
        ("http://127.0.0.1%2eevil.example/", "redirect_url_invalid"),
        ("http://127.0.0.1:65536/", "redirect_url_invalid"),
        ("http://127.0.0.1:x/", "redirect_url_invalid"),
        ("http://[::1/", "redirect_url_invalid"),
        ("http://[::::]/", "redirect_url_invalid"),
        ("http://lоcalhost/", "redirect_url_invalid"),  # not a Latin o
        ("http://evil.example/", "redirect_url_not_associated_with_instance"),
        ("http://127.0.0.1.evil.example/", "redirect_url_not_associated_with_instance"),
        ("http://localhost.evil.example/", "redirect_url_not_associated_with_instance"),
        ("http://evillocalhost/", "redirect_url_not_associated_with_instance"),
        ("http://evil.example/#@127.0.0.1", "redirect_url_not_associated_with_instance"),
        ("http://evil.example?http://127.0.0.1/", "redirect_url_not_associated_with_instance"),
        ("http://app.example.com/", "redirect_url_not_associated_with_instance"),
        ("https://app.example.com:8443/", "redirect_url_not_associated_with_instance"),
        ("https://app.example.com.evil.example/", "redirect_url_not_associated_with_instance"),
        ("https://x.app.example.com/", "redirect_url_not_associated_with_instance"),
        ("http://0.0.0.0/", "redirect_url_not_associated_with_instance"),
        ("http://127.1/", "redirect_url_not_associated_with_instance"),
        ("http://2130706433/", "redirect_url_not_associated_with_instance"),
        ("http://192.0.2.1/", "redirect_url_not_associated_with_instance"),
        ("http://[2001:db8::1]/", "redirect_url_not_associated_with_instance"),
    ],
)
def test_nobody_is_sent_elsewhere(development: Clerk, back: str | None, code: str) -> None:
    answer = development.begin(back)
    assert error_in(answer) == code
    assert answer.status_int == (422 if "associated" in code else 400)
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("format=cookie", 400, "invalid_handshake"),
        ("format=nonce&format=token", 422, "form_param_duplicate"),
        ("redirect_url=http%3A%2F%2Flocalhost%2F", 422, "form_param_duplicate"),
        ("a=%ff", 400, "malformed_request_parameters"),
    ],
)
def test_a_handshake_that_cannot_be_meant_is_refused(
    development: Clerk, query: str, status: int, code: str
) -> None:
    url = f"/v1/client/handshake?redirect_url={quote(BACK, safe='')}&{query}"
    answer = development.http.get(url, expect_errors=True)
    assert (answer.status_int, error_in(answer)) == (status, code)


def test_browsers_get_errors_as_a_page(development: Clerk) -> None:
    headers = {"Accept": "text/html,*/*"}
    url = "/v1/client/handshake?redirect_url=http%3A%2F%2F%3Cb%3E.example"
    for method in (development.http.get, development.http.post):
        answer = method(url, headers=headers, expect_errors=True)
        assert answer.content_type == "text/html"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "<b>" not in answer.text
    assert (answer.status_int, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "origin", ["", "app.example.com", "https://app.example.com/path", "https://*.example.com", "*"]
)
def test_what_is_no_origin_cannot_be_allowed(origin: str) -> None:
    with pytest.raises(ValueError, match="expected an origin"):
        Emulator(redirect_origins=[origin])


# Exchanging the nonce


def test_a_nonce_is_good_for_one_exchange(development: Clerk) -> None:
    nonce = nonce_in(development.begin(format="nonce"))
    first = development.payload(nonce)
    assert first.headers["Content-Type"] == "application/json"
    assert first.json.keys() == {"directives"}
    again = development.payload(nonce)
    assert (again.status_int, error_in(again)) == (404, "resource_not_found")


def test_of_many_who_ask_at_once_one_gets_it(development: Clerk) -> None:
    nonce = nonce_in(development.begin(format="nonce"))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: development.payload(nonce).status_int, range(16)))
    assert sorted(answers) == [200] + [404] * 15


@pytest.mark.parametrize(("age", "status"), [(59, 200), (60, 404)])
def test_a_nonce_lives_a_minute(development: Clerk, age: float, status: int) -> None:
    nonce = nonce_in(development.begin(format="nonce"))
    development.now += age
    assert development.payload(nonce).status_int == status


@pytest.mark.parametrize("nonce", ["", "x", "é", "x" * 5000, "../jwks"])
def test_an_unknown_nonce_is_not_found(development: Clerk, nonce: str) -> None:
    assert development.payload(nonce).status_int == 404


@pytest.mark.parametrize("key", [None, "sk_test_wrong"])
def test_without_the_secret_key_a_nonce_is_worth_nothing(
    development: Clerk, key: str | None
) -> None:
    nonce = nonce_in(development.begin(format="nonce"))
    assert development.payload(nonce, key=key).status_int == 401
    assert development.payload(nonce).status_int == 200


def test_of_too_many_nonces_the_oldest_go(development: Clerk) -> None:
    nonces = [nonce_in(development.begin(format="nonce")) for _ in range(1001)]
    assert development.payload(nonces[0]).status_int == 404
    assert development.payload(nonces[1]).status_int == 200


# Keys


def test_the_public_keys_need_no_secret_key(development: Clerk) -> None:
    answer = development.http.get("/.well-known/jwks.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == development.emulator.jwks()


# Refreshing


class Expired:
    """A browser whose token has run out; what it may show to get another one."""

    def __init__(self, clerk: Clerk) -> None:
        directives = clerk.directives(__clerk_db_jwt=clerk.dev_browser())
        self.clerk = clerk
        self.shown: dict[str, Any] = {
            "expired_token": tokens_in(directives)[0],
            "refresh_token": directives[4].split("=")[1].split(";")[0],
            "request_origin": "http://127.0.0.1:8000",
            "format": "cookie",
        }
        clerk.now += 70

    def refresh(self, session: str = "", key: str | None = "", **changes: Any) -> TestResponse:
        shown = {name: text for name, text in {**self.shown, **changes}.items() if text is not ...}
        path = f"/v1/sessions/{session or self.clerk.session['id']}/refresh"
        return self.clerk.ask("POST", path, shown, key=key)


@pytest.fixture
def expired(development: Clerk) -> Expired:
    return Expired(development)


def test_a_refresh_sets_both_copies_of_a_new_token(expired: Expired) -> None:
    answer = expired.refresh()
    assert answer.json["object"] == "cookies"
    token = tokens_in(answer.json["cookies"])[0]
    assert answer.json["cookies"] == [
        f"__session_{SUFFIX_TEST}={token}; Path=/; SameSite=Lax",
        f"__session={token}; Path=/; SameSite=Lax",
    ]
    claims = expired.clerk.claims_of(token)
    assert claims["sid"] == expired.clerk.session["id"]
    assert claims["azp"] == "http://127.0.0.1:8000"
    assert claims["exp"] == NOW + 70 + 60


@pytest.mark.parametrize("wanted", ["token", ..., None])
def test_a_refresh_may_be_answered_with_a_token_alone(expired: Expired, wanted: Any) -> None:
    answer = expired.refresh(format=wanted)
    assert answer.json.keys() == {"object", "jwt"}
    assert expired.clerk.claims_of(answer.json["jwt"])["sid"] == expired.clerk.session["id"]


def test_what_the_browser_sent_may_be_shown_too(expired: Expired) -> None:
    headers = {"user-agent": ["x"], "referer": ["http://127.0.0.1:8000/"]}
    answer = expired.refresh(request_headers=headers, request_originating_ip="192.0.2.1")
    assert answer.status_int == 200


@pytest.mark.parametrize("key", [None, "sk_test_wrong"])
def test_without_the_secret_key_nothing_is_refreshed(expired: Expired, key: str | None) -> None:
    assert expired.refresh(key=key).status_int == 401
    assert "jwt" not in expired.refresh(key=key).text


def mint(expired: Expired, **claims: Any) -> str:
    return expired.clerk.emulator.session_token(
        expired.clerk.session["id"],
        **{"azp": "http://127.0.0.1:8000", "exp": NOW + 60, "nbf": NOW, "iat": NOW, **claims},
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"refresh_token": "rft_x"}, "refresh_token_not_found"),
        ({"refresh_token": ""}, "refresh_token_not_found"),
        ({"expired_token": ""}, "expired_session_token_invalid"),
        ({"expired_token": "junk"}, "expired_session_token_invalid"),
        ({"expired_token": "forged"}, "expired_session_token_invalid"),
        ({"expired_token": "client"}, "expired_session_token_invalid"),
        ({"expired_token": {"exp": "soon"}}, "expired_session_token_invalid"),
        ({"expired_token": {"sid": None}}, "expired_session_token_invalid"),
        ({"expired_token": {"azp": ""}}, "expired_session_token_missing_azp"),
        ({"expired_token": {"azp": None}}, "expired_session_token_missing_azp"),
        ({"expired_token": {"azp": "http://a.test"}}, "refresh_request_origin_azp_mismatch"),
        ({"request_origin": "http://localhost:8000"}, "refresh_request_origin_azp_mismatch"),
        ({"request_origin": "https://127.0.0.1:8000"}, "refresh_request_origin_azp_mismatch"),
        ({"request_origin": ""}, "refresh_request_origin_invalid"),
        ({"request_origin": "null"}, "refresh_request_origin_invalid"),
        ({"request_origin": "http://127.0.0.1:8000/x"}, "refresh_request_origin_invalid"),
        ({"expired_token": {"sid": "sess_other"}}, "refresh_sid_mismatch"),
        ({"session": "sess_other"}, "refresh_sid_mismatch"),
        ({"expired_token": {"exp": NOW + 71}}, "session_refresh_session_token_ineligible"),
        ({"expired_token": {"exp": 10**400}}, "session_refresh_session_token_ineligible"),
        (
            {"expired_token": {"exp": -(10**400)}},
            "session_refresh_expired_session_token_too_old",
        ),
        (
            {"expired_token": {"exp": NOW - 8 * 86400, "nbf": 0}},
            "session_refresh_expired_session_token_too_old",
        ),
    ],
)
def test_what_does_not_fit_is_not_refreshed(
    expired: Expired, changes: dict[str, Any], code: str
) -> None:
    shown = changes.get("expired_token")
    emulator = expired.clerk.emulator
    if isinstance(shown, dict):
        changes = {"expired_token": mint(expired, **shown)}
    elif shown == "forged":
        changes = {"expired_token": forge(expired.shown["expired_token"])}
    elif shown == "client":
        changes = {"expired_token": emulator.client_token(expired.clerk.session["client_id"])}
    answer = expired.refresh(**changes)
    assert (answer.status_int, error_in(answer)) == (401, code)


def test_the_refresh_token_of_another_session_does_not_fit(expired: Expired) -> None:
    clerk = expired.clerk
    other = clerk.emulator.create_session(clerk.user["id"])
    token = mint(expired, sid=other["id"])
    answer = expired.refresh(other["id"], expired_token=token)
    assert error_in(answer) == "refresh_sid_mismatch"


def test_a_session_that_never_was_is_not_refreshed(expired: Expired) -> None:
    clerk = expired.clerk
    lost = clerk.emulator.create_session(clerk.user["id"])
    shown = clerk.directives(
        __clerk_db_jwt=clerk.emulator._frontend.browsers.renew(lost["client_id"]).token
    )
    clerk.now += 70
    clerk.emulator._store.delete("session", lost["id"])
    answer = expired.refresh(
        lost["id"],
        expired_token=tokens_in(shown)[0],
        refresh_token=shown[4].split("=")[1].split(";")[0],
    )
    assert error_in(answer) == "session_refresh_session_not_found"


@pytest.mark.parametrize("status", ["revoked", "ended", "expired", "removed", "replaced"])
def test_a_session_that_is_over_is_not_refreshed(expired: Expired, status: str) -> None:
    clerk = expired.clerk
    clerk.emulator.update_session(clerk.session["id"], status=status)
    answer = expired.refresh()
    assert error_in(answer) == "session_refresh_inactive_session"


def test_an_expired_token_is_consumed_shortly_after_it_was_renewed(expired: Expired) -> None:
    assert expired.refresh().status_int == 200
    expired.clerk.now += 10
    assert expired.refresh().status_int == 200  # what a page embeds comes at the same time
    expired.clerk.now += 0.1
    answer = expired.refresh()
    assert error_in(answer) == "session_refresh_expired_session_token_consumed"


def test_what_was_consumed_is_forgotten_once_it_is_too_old(expired: Expired) -> None:
    renewal = expired.clerk.emulator._frontend._renewal
    expired.refresh()
    expired.clerk.now += 8 * 86400
    assert expired.refresh().status_int == 401
    other = Expired(expired.clerk)
    clerk = expired.clerk
    session = clerk.emulator.create_session(clerk.user["id"], client_id=clerk.session["client_id"])
    token = mint(expired, sid=session["id"], exp=int(clerk.now) - 60)
    refresh = renewal.token_of(session["id"])
    answer = other.refresh(session["id"], expired_token=token, refresh_token=refresh)
    assert answer.status_int == 200
    assert len(renewal._consumed) == 1


def test_what_was_refused_is_not_consumed(expired: Expired) -> None:
    assert expired.refresh(refresh_token="rft_x").status_int == 401
    expired.clerk.now += 11
    assert expired.refresh().status_int == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"refresh_token": ...}, "form_param_missing"),
        ({"expired_token": None}, "form_param_missing"),
        ({"request_origin": ...}, "form_param_missing"),
        ({"refresh_token": 1}, "form_param_type_invalid"),
        ({"expired_token": []}, "form_param_type_invalid"),
        ({"format": "jwt"}, "form_param_value_invalid"),
        ({"format": []}, "form_param_value_invalid"),
        ({"more": "x"}, "form_param_unknown"),
    ],
)
def test_a_refresh_that_cannot_be_meant_is_refused(
    expired: Expired, changes: dict[str, Any], code: str
) -> None:
    answer = expired.refresh(**changes)
    assert (answer.status_int, error_in(answer)) == (422, code)


# What is kept


def test_who_is_signed_in_survives_a_restart(tmp_path: Any) -> None:
    clerk = Clerk()
    clerk.emulator = Emulator(tmp_path / "state.sqlite3", clock=lambda: clerk.now)
    [clerk.session] = clerk.emulator.sessions()
    clerk.http = TestApp(clerk.emulator)
    browser = clerk.dev_browser()
    first = clerk.directives(__clerk_db_jwt=browser)
    clerk.emulator.close()
    clerk.emulator = Emulator(tmp_path / "state.sqlite3", clock=lambda: clerk.now)
    clerk.http = TestApp(clerk.emulator)
    second = clerk.directives(__clerk_db_jwt=browser)
    assert clerk.claims_of(tokens_in(second)[0])["sid"] == clerk.session["id"]
    assert second[2:] == first[2:]
