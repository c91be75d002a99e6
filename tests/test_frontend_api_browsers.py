"""How the Frontend API of the local Clerk tells browsers apart, and whom it lets ask.

Each test is an attack, or what must work although attacks do not.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from clerk_wsgi.emulator import SigningKey

from .minting import NOW
from .scripting import ADA, APP, GRACE, HOST, MODES, Script, World, refused

ALLOWED = "https://app.example.com"
SIGN_INS = "/v1/client/sign_ins"


@pytest.fixture(params=MODES)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param, redirect_origins=[ALLOWED])


@pytest.fixture
def development() -> World:
    return World("development", redirect_origins=[ALLOWED])


@pytest.fixture
def production() -> World:
    return World("production", redirect_origins=[ALLOWED])


def tab_of(script: Script) -> Script:
    """Another page in the same browser, which does not notice what happens in the first one."""
    other = Script(script.world, origin=APP, host=HOST)
    other.token = script.token
    return other


def with_cookie(world: World, value: str) -> Script:
    script = Script(world, origin=APP, host=HOST)
    script.cookie = f"__client={value}"
    return script


# The secret of a browser is replaced when somebody signs in


def test_in_development_the_new_secret_comes_in_a_header_that_pages_may_read(
    development: World,
) -> None:
    script = development.script()
    before = script.token
    answer = script.post(SIGN_INS, **ADA)
    assert answer.headers["Clerk-Db-Jwt"] == script.token != before
    assert "Clerk-Db-Jwt" in answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert "Set-Cookie" not in answer.headers
    assert "Clerk-Db-Jwt" not in script.get("/v1/client").headers


def test_in_production_the_new_secret_is_a_cookie_that_no_script_can_read(
    production: World,
) -> None:
    answer = production.script().post(SIGN_INS, **ADA)
    client, *uat = answer.headers.getall("Set-Cookie")
    name, _, rest = client.partition("=")
    assert (name, rest.split("; ")[1:]) == (
        "__client",
        ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=34560000"],
    )
    assert uat == [
        f"__client_uat_{production.suffix}={NOW}; Path=/; SameSite=Lax; Max-Age=34560000",
        f"__client_uat={NOW}; Path=/; SameSite=Lax; Max-Age=34560000",
    ]
    assert "Clerk-Db-Jwt" not in answer.headers


def test_on_a_site_of_its_own_clerk_tells_the_whole_site_when_the_client_changed(
    production: World,
) -> None:
    script = production.script(origin=ALLOWED, host="clerk.example.com")
    lines = script.post(SIGN_INS, **ADA).headers.getall("Set-Cookie")
    assert ["Domain=example.com" in line for line in lines] == [False, True, True]
    [_, uat] = script.delete("/v1/client/sessions").headers.getall("Set-Cookie")
    assert uat == "__client_uat=0; Path=/; SameSite=Lax; Max-Age=34560000; Domain=example.com"


def test_whoever_laid_out_a_browser_for_somebody_else_is_not_signed_in_with_them(
    development: World,
) -> None:
    """Session fixation: the victim uses a token that the attacker knows."""
    attacker = development.script()
    victim = tab_of(attacker)
    session = victim.sign_in()
    assert attacker.client()["sessions"] == []
    for action in ("touch", "tokens", "remove", "end"):
        answer = attacker.post(f"/v1/client/sessions/{session['id']}/{action}")
        refused(answer, 404, "resource_not_found")
    refused(attacker.get("/v1/me"), 401, "signed_out")
    for answer in (attacker.delete("/v1/client/sessions"), attacker.get("/v1/client")):
        assert answer.status_int == 200
        assert session["id"] not in answer.text
    refused(attacker.delete("/v1/client"), 401, "dev_browser_unauthenticated")
    assert len(victim.client()["sessions"]) == 1


def test_the_same_with_the_attacker_signed_in_first(development: World) -> None:
    attacker = development.signed_in(**GRACE)
    victim = tab_of(attacker)
    session = victim.sign_in()
    [own] = attacker.client()["sessions"]
    assert own["user"]["id"] == development.grace
    assert attacker.client()["last_active_session_id"] == own["id"]
    answer = attacker.post(f"/v1/client/sessions/{own['id']}/touch")
    assert session["id"] not in answer.text
    # The attacker cannot become the victim's current user either.
    assert victim.client()["last_active_session_id"] == session["id"]
    attacker.delete("/v1/client/sessions")
    assert [one["id"] for one in victim.client()["sessions"]] == [session["id"]]


def test_an_outdated_token_does_not_choose_who_is_the_current_user(development: World) -> None:
    charles = development.emulator.create_user(username="charles", password="difference-engine")
    attacker = development.signed_in(**GRACE)
    attacker.sign_in(identifier="charles", password="difference-engine")
    victim = tab_of(attacker)
    session = victim.sign_in()
    for own in attacker.client()["sessions"]:
        answer = attacker.post(f"/v1/client/sessions/{own['id']}/touch", intent="select_session")
        assert answer.json["response"]["user"]["id"] in (development.grace, charles["id"])
        assert victim.client()["last_active_session_id"] == session["id"]


def test_who_signs_in_with_an_outdated_token_gets_another_client(development: World) -> None:
    attacker = development.script()
    begun = attacker.post(SIGN_INS, identifier="grace").json["response"]
    victim = tab_of(attacker)
    victim.sign_in()
    path = f"{SIGN_INS}/{begun['id']}"
    refused(attacker.get(path), 401, "dev_browser_unauthenticated")
    answer = attacker.post(f"{path}/attempt_first_factor", strategy="password", **GRACE)
    refused(answer, 401, "dev_browser_unauthenticated")
    ticket = development.emulator.create_sign_in_token(development.grace)["token"]
    for fields in (
        {"identifier": "ada@example.com"},
        GRACE,
        {"strategy": "ticket", "ticket": ticket},
    ):
        stale = tab_of(attacker)
        client = stale.post(SIGN_INS, **fields).json["client"]
        assert client["id"] != victim.client()["id"]
        assert development.ada not in [one["user"]["id"] for one in client["sessions"]]
        assert stale.client()["id"] == client["id"]
    assert len(victim.client()["sessions"]) == 1


def test_another_tab_stays_signed_in_while_somebody_is_added(development: World) -> None:
    first = development.signed_in()
    second = tab_of(first)
    [ada] = second.client()["sessions"]
    first.sign_in(**GRACE)
    for action in ("touch", "tokens"):
        answer = second.post(f"/v1/client/sessions/{ada['id']}/{action}")
        assert answer.status_int == 200
    assert [one["id"] for one in second.client()["sessions"]] == [ada["id"]]
    assert len(first.client()["sessions"]) == 2
    development.now += 86400
    refused(second.get("/v1/client"), 401, "dev_browser_unauthenticated")
    assert first.get("/v1/client").status_int == 200


def test_outdated_tokens_are_not_kept_for_good(development: World) -> None:
    store = development.emulator._store
    for _ in range(3):
        script = development.signed_in()
        script.sign_in(**GRACE)
        assert len(store.find("replaced_dev_browser")) == 2
        development.now += 86400


def test_an_outdated_token_is_good_for_scripts_alone(development: World) -> None:
    first = development.signed_in()
    outdated = first.token
    first.sign_in(**GRACE)
    page = first.http.get(f"http://{HOST}/sign-in?__clerk_db_jwt={outdated}")
    assert "Ada" not in page.text
    query = {"redirect_url": APP, "__clerk_db_jwt": outdated, "format": "token"}
    away = first.http.get(f"http://{HOST}/v1/client/handshake", params=query)
    [token] = parse_qs(urlsplit(away.headers["Location"]).query)["__clerk_handshake"]
    brought = str(development.claims_of(token)["handshake"])
    assert "__session=;" in brought
    assert outdated not in brought


def test_in_production_the_secret_before_is_void(production: World) -> None:
    script = production.script()
    script.ask("PUT", "/v1/client")
    laid_out = script.cookies()["__client"]
    session = script.sign_in()
    attacker = with_cookie(production, laid_out)
    assert attacker.client() is None
    answer = attacker.post(f"/v1/client/sessions/{session['id']}/tokens")
    refused(answer, 401, "authentication_invalid")
    attacker.sign_in(**GRACE)
    attacker.cookie = ""  # the new one
    assert len(attacker.client()["sessions"]) == 1
    assert len(script.client()["sessions"]) == 1


def test_a_forged_client_cookie_is_nobodys(production: World) -> None:
    session = production.signed_in().client()["sessions"][0]
    emulator = production.emulator
    client_id = emulator.session(session["id"])["client_id"]
    secret = emulator._store.get("client", client_id) or {}
    claims = {"id": client_id, "rotating_token": secret["rotating_token"]}
    header = {"alg": "RS256", "kid": emulator.kid, "typ": "JWT"}
    other = SigningKey.generate(emulator.kid)
    forged = [
        "",
        "x",
        other.sign(header, claims),
        emulator.session_token(session["id"]),
        emulator.client_token(client_id, rotating_token="x"),
        emulator.client_token(client_id, rotating_token=None),
        emulator.client_token(client_id, id="client_x"),
    ]
    for token in forged:
        assert with_cookie(production, token).client() is None
    assert with_cookie(production, emulator.client_token(client_id)).client() is not None


# Which pages may ask


FOREIGN = [
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://APP.example.com",
    "https://app.example.com/",
    "https://app.example.com, https://evil.example",
    "https://user@app.example.com",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example:8000",
    "http://2130706433",
    "http://0.0.0.0:8000",
    "null",
    "",
    "*",
    "file://",
    "chrome-extension://abcdefgh",
    "javascript:alert(1)",
    "http://[::1",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_neither_asks_nor_learns(world: World, origin: str) -> None:
    script = world.signed_in()
    [session] = script.client()["sessions"]
    foreign = {"Origin": origin}
    for method, path in (
        ("GET", "/v1/client"),
        ("GET", "/v1/environment"),
        ("POST", "/v1/dev_browser"),
        ("POST", f"/v1/client/sessions/{session['id']}/tokens"),
        ("DELETE", "/v1/client/sessions"),
        ("GET", "/v1/unknown"),
    ):
        answer = script.ask(method, path, headers=foreign)
        refused(answer, 400, "origin_invalid")
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        assert answer.headers["Vary"] == "Origin"
        assert "Set-Cookie" not in answer.headers
    clients = len(world.emulator.clients())
    refused(script.ask("POST", SIGN_INS, GRACE, headers=foreign), 400, "origin_invalid")
    assert len(world.emulator.clients()) == clients
    assert [one["id"] for one in script.client()["sessions"]] == [session["id"]]


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:8000", "http://127.0.0.1", "https://127.0.0.1:8443"],
)
def test_a_page_of_this_machine_asks_and_learns(world: World, origin: str) -> None:
    script = world.script()
    script.origin = origin
    for answer in (script.post(SIGN_INS, **ADA), script.get("/v1/client"), script.post("/v1/x")):
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Vary"] == "Origin"
    script.origin = None
    assert "Access-Control-Allow-Origin" not in script.get("/v1/client").headers


@pytest.mark.parametrize(
    "origin",
    [ALLOWED, "http://localhost:8000", "http://app.localhost:3000", "http://[::1]:8000"],
)
def test_in_development_a_page_may_be_on_another_host(development: World, origin: str) -> None:
    script = development.script(origin=origin)
    session = script.sign_in()
    answer = script.get("/v1/client")
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    claims = development.claims_of(session["last_active_token"]["jwt"])
    assert claims["azp"] == origin


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (ALLOWED, HOST),
        ("http://localhost:8000", HOST),
        ("http://127.0.0.1:8000", "clerk.example.com"),
        ("https://www.example.com", "clerk.example.com"),
    ],
)
def test_in_production_a_page_has_to_be_on_the_same_site_and_allowed(
    production: World, origin: str, host: str
) -> None:
    script = production.script(origin=origin, host=host)
    refused(script.post(SIGN_INS, **ADA), 400, "origin_invalid")
    refused(script.get("/v1/client"), 400, "origin_invalid")


def test_in_production_a_change_has_to_say_which_page_it_is_from(production: World) -> None:
    """Cookies come along whoever makes the browser ask."""
    script = production.signed_in()
    [session] = script.client()["sessions"]
    script.origin = None
    for headers in ({}, {"Referer": f"{APP}/page"}):
        for method, path in (
            ("POST", SIGN_INS),
            ("PUT", "/v1/client"),
            ("DELETE", "/v1/client"),
            ("DELETE", "/v1/client/sessions"),
            ("PATCH", "/v1/environment"),
            ("POST", f"/v1/client/sessions/{session['id']}/touch"),
            ("POST", f"/v1/client/sessions/{session['id']}/tokens"),
            ("POST", f"/v1/client/sessions/{session['id']}/remove"),
        ):
            refused(script.ask(method, path, GRACE, headers=headers), 400, "origin_missing")
    assert [one["id"] for one in script.client()["sessions"]] == [session["id"]]


def test_in_development_it_need_not_for_the_address_says_which_browser_it_is(
    development: World,
) -> None:
    script = development.script(origin=None)
    assert script.sign_in()["user"]["id"] == development.ada


def test_a_page_whose_name_was_made_to_lead_here_does_not_ask(world: World) -> None:
    """DNS rebinding: the browser takes our answers for those of the attacker's own host."""
    script = Script(world, origin="http://evil.example:4100", host="evil.example:4100")
    refused(script.post("/v1/dev_browser"), 400, "origin_invalid")
    refused(script.post(SIGN_INS, **ADA), 400, "origin_invalid")
    script.origin = None  # browsers leave it out when a page asks its own host to GET something
    referred = {"Referer": "http://evil.example:4100/"}
    refused(script.ask("GET", "/v1/client", headers=referred), 400, "origin_invalid")
    refused(script.ask("GET", "/v1/environment", headers=referred), 400, "origin_invalid")


def test_no_preflight_succeeds(world: World) -> None:
    """Clerk's script needs none; what needs one is not Clerk's script."""
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "x-a"}
    answer = world.script().ask("OPTIONS", "/v1/client", headers=asked)
    refused(answer, 405, "method_not_allowed")
    assert "Access-Control-Allow-Methods" not in answer.headers


# The secret key has no business in a browser


def test_a_browser_that_has_the_secret_key_is_refused(world: World) -> None:
    script = world.signed_in()
    for value in (f"Bearer {world.emulator.secret_key}", "Bearer x", "", "Basic eDp4"):
        answer = script.ask("GET", "/v1/client", headers={"Authorization": value})
        refused(answer, 400, "origin_authorization_headers_conflict")
        answer = script.ask("POST", SIGN_INS, GRACE, headers={"Authorization": value})
        refused(answer, 400, "origin_authorization_headers_conflict")
    assert len(script.client()["sessions"]) == 1


def test_the_backend_api_is_where_it_was_for_those_who_have_the_key(world: World) -> None:
    society = world.emulator.create_organization("Analytical Society")
    http = world.script().http
    paths = [f"/v1/users/{world.ada}", f"/v1/organizations/{society['id']}", "/v1/jwks"]
    for value, status in ((world.emulator.secret_key, 200), ("sk_test_wrong", 401)):
        for path in paths:
            key = {"Authorization": f"Bearer {value}"}
            assert http.get(path, headers=key, expect_errors=True).status_int == status
            # A server may pass on the header of a browser, which reads nothing of this.
            answer = http.get(path, headers={**key, "Origin": APP}, expect_errors=True)
            assert answer.status_int == status
            assert not [name for name in answer.headers if name.startswith("Access-Control")]
    for path in paths:
        assert http.get(path, expect_errors=True).status_int == 401


def test_a_page_gets_nothing_of_the_backend_api(world: World) -> None:
    script = world.signed_in()
    society = world.emulator.create_organization("Analytical Society")
    for path in ("/v1/users", f"/v1/users/{world.ada}", "/v1/sessions", "/v1/clients"):
        refused(script.get(path), 404, "resource_not_found")
    answer = script.get(f"/v1/organizations/{society['id']}")
    refused(answer, 404, "organization_not_found_or_unauthorized")


# Cookies that say when the client changed, and that last longer


def test_in_production_a_browser_is_told_what_it_does_not_know_yet(production: World) -> None:
    script = production.signed_in()
    assert "Set-Cookie" not in script.get("/v1/client").headers
    [session] = script.client()["sessions"]
    production.emulator.update_session(session["id"], status="revoked")
    told = script.get("/v1/client").headers.getall("Set-Cookie")
    assert [one.split(";")[0] for one in told] == [
        f"__client_uat_{production.suffix}=0",
        "__client_uat=0",
    ]
    assert "Set-Cookie" not in script.get("/v1/client").headers


@pytest.mark.parametrize(
    "known", ["__client_uat=5", "__client_uat_naoXFJnI=5", "__client_uat=5; __client=void"]
)
def test_in_production_a_browser_without_a_client_is_told_so(production: World, known: str) -> None:
    script = production.script()
    script.cookie = known
    answer = script.get("/v1/client")
    assert answer.json["response"] is None
    assert "__client_uat=0;" in answer.headers.getall("Set-Cookie")[1]
    for nothing in ("", "__client_uat=0", "__client_uat=x", "__client_uat=; __client_uat_x=5"):
        script.cookie = nothing
        assert "Set-Cookie" not in script.get("/v1/client").headers


def test_in_development_clerk_sets_no_cookie_for_a_script(development: World) -> None:
    script = development.signed_in()
    [session] = script.client()["sessions"]
    path = f"/v1/client/sessions/{session['id']}"
    for method, asked in (
        ("GET", "/v1/client"),
        ("PUT", "/v1/client"),
        ("POST", f"{path}/touch"),
        ("POST", f"{path}/tokens"),
        ("POST", f"{path}/remove"),
        ("DELETE", "/v1/client"),
    ):
        answer = script.ask(method, asked)
        assert answer.status_int == 200
        assert "Set-Cookie" not in answer.headers


def test_in_production_a_page_load_renews_the_cookies(production: World) -> None:
    script = production.signed_in()
    until = script.client()["cookie_expires_at"]
    assert until == (NOW + 400 * 86400) * 1000
    production.now += 5
    answer = script.ask("GET", "/v1/client/touch", query={"redirect_url": f"{APP}/page"})
    assert (answer.status_int, answer.location) == (303, f"{APP}/page")
    assert [one.split("=")[0] for one in answer.headers.getall("Set-Cookie")] == [
        "__client",
        f"__client_uat_{production.suffix}",
        "__client_uat",
    ]
    assert script.client()["cookie_expires_at"] == until + 5000
    assert len(script.client()["sessions"]) == 1


def test_in_development_a_page_load_tells_nothing(development: World) -> None:
    """The token would go to whichever page of this machine a link names."""
    script = development.signed_in()
    script.cookie = f"__clerk_db_jwt={script.token}"
    query = {"redirect_url": "http://127.0.0.1:9999/"}
    answer = script.ask("GET", "/v1/client/touch", query=query)
    assert (answer.status_int, answer.location) == (303, "http://127.0.0.1:9999/")
    assert "Set-Cookie" not in answer.headers
    assert script.client()["cookie_expires_at"] is None


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("", 400, "redirect_url_missing"),
        ("/page", 400, "redirect_url_invalid"),
        ("javascript:alert(1)", 400, "redirect_url_invalid"),
        ("//evil.example/", 400, "redirect_url_invalid"),
        ("https://evil.example/", 422, "redirect_url_not_associated_with_instance"),
    ],
)
def test_a_page_load_does_not_lead_elsewhere(
    world: World, target: str, status: int, code: str
) -> None:
    script = world.signed_in()
    answer = script.ask("GET", "/v1/client/touch", query={"redirect_url": target})
    refused(answer, status, code)
    assert "Set-Cookie" not in answer.headers
    assert "Location" not in answer.headers


def test_in_production_a_page_load_stays_on_the_site(production: World) -> None:
    script = production.signed_in()
    query = {"redirect_url": "http://localhost:8000/"}
    answer = script.ask("GET", "/v1/client/touch", query=query)
    refused(answer, 422, "redirect_url_not_associated_with_instance")
    assert "Set-Cookie" not in answer.headers


def test_a_page_load_of_a_browser_that_is_not_known_just_goes_back(world: World) -> None:
    script = world.script()
    script.origin, script.token = None, ""
    answer = script.ask("GET", "/v1/client/touch", query={"redirect_url": f"{APP}/"})
    assert (answer.status_int, answer.location) == (303, f"{APP}/")
    assert "Set-Cookie" not in answer.headers
