"""The Frontend API of the local Clerk as Clerk's script asks it: clients, sessions and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .minting import NOW
from .scripting import ADA, APP, GRACE, MODES, Script, World, refused, session_in

if TYPE_CHECKING:
    from webtest.response import TestResponse

INVALID = "authentication_invalid"
UNKNOWN_BROWSER = "dev_browser_unauthenticated"
# What a browser is told in which nobody has ever signed in.
NOBODY = {"development": "signed_out", "production": INVALID}


@pytest.fixture(params=MODES)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.fixture
def development() -> World:
    return World("development")


@pytest.fixture
def production() -> World:
    return World("production")


def token_of(answer: TestResponse) -> str:
    assert answer.status_int == 200, answer.text
    assert answer.json.keys() == {"object", "jwt"}
    assert answer.json["object"] == "token"
    return str(answer.json["jwt"])


def organization_of(world: World, *members: str, slug: str = "society") -> str:
    made = world.emulator.create_organization("Analytical Society", slug=slug)
    for user_id in members:
        world.emulator.add_member(made["id"], user_id, "org:admin")
    return str(made["id"])


def sessions_path(session: dict[str, Any], action: str = "") -> str:
    return f"/v1/client/sessions/{session['id']}{action}"


# A browser that is new


def test_in_development_a_browser_gets_a_token_that_is_its_own(development: World) -> None:
    one, other = development.script(), development.script()
    assert one.token.startswith("dvb_")
    assert one.token != other.token
    assert one.client()["id"] != other.client()["id"]


def test_in_production_there_are_no_dev_browsers(production: World) -> None:
    answer = production.script().post("/v1/dev_browser")
    refused(answer, 400, "request_invalid_for_environment")


def test_a_new_browser_has_no_sessions(world: World) -> None:
    answer = world.script().get("/v1/client")
    assert answer.json["client"] is None
    if world.is_development:
        assert answer.json["response"]["sessions"] == []
        assert answer.json["response"]["sign_in"] is None
    else:
        assert answer.json["response"] is None
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("token", ["", "dvb_unknown", "dvb_unknown&__clerk_db_jwt=", "%00"])
def test_in_development_a_script_has_to_say_which_browser_it_is_in(
    development: World, token: str
) -> None:
    session = development.signed_in().client()["sessions"][0]
    script = Script(development, origin=APP, host="127.0.0.1:4100")
    script.token = token
    for path in ("/v1/client", "/v1/me", sessions_path(session)):
        refused(script.get(path), 401, UNKNOWN_BROWSER)
    for path in ("/v1/client/sign_ins", sessions_path(session, "/tokens")):
        refused(script.post(path, **ADA), 401, UNKNOWN_BROWSER)
    refused(script.delete("/v1/client/sessions"), 401, UNKNOWN_BROWSER)


def test_in_development_cookies_do_not_say_which_browser_it_is(development: World) -> None:
    signed_in = development.signed_in()
    script = Script(development, origin=APP, host="127.0.0.1:4100")
    cookie = {"Cookie": f"__clerk_db_jwt={signed_in.token}; __client=x"}
    refused(script.ask("GET", "/v1/client", headers=cookie), 401, UNKNOWN_BROWSER)


def test_in_production_the_address_does_not_say_which_browser_it_is(production: World) -> None:
    signed_in = production.signed_in()
    script = production.script()
    answer = script.get("/v1/client", __clerk_db_jwt=signed_in.cookies()["__client"])
    assert answer.json["response"] is None


def test_a_browser_can_have_a_client_before_anybody_signs_in(world: World) -> None:
    script = world.script()
    for method in ("PUT", "POST"):
        made = script.ask(method, "/v1/client").json["response"]
        assert made["sessions"] == []
        assert script.client()["id"] == made["id"]
    assert len(world.emulator.clients()) == 2  # and the one that was ready-made


# The environment


def test_the_environment_says_how_to_sign_in(world: World) -> None:
    script = world.script()
    bare = script.get("/v1/environment").json
    wrapped = script.ask("PATCH", "/v1/environment").json
    assert wrapped == {"response": bare, "client": None}
    assert bare["auth_config"]["single_session_mode"] is False
    assert bare["display_config"]["instance_environment_type"] == world.mode
    assert bare["user_settings"]["attributes"]["password"]["enabled"] is True
    assert bare["organization_settings"]["enabled"] is True


def test_the_sign_in_page_of_the_environment_leads_back_to_the_page_that_asks(
    world: World,
) -> None:
    shown = world.script().get("/v1/environment").json["display_config"]
    back = "redirect_url=http%3A%2F%2F127.0.0.1%3A8000%2F"
    assert shown["sign_in_url"] == f"http://127.0.0.1:4100/sign-in?{back}"
    nobody = world.script()
    nobody.origin = None
    shown = nobody.get("/v1/environment").json["display_config"]
    assert shown["sign_in_url"] == "http://127.0.0.1:4100/sign-in"


# The client and its sessions


def test_a_session_has_its_user_and_a_token_for_the_page(world: World) -> None:
    script = world.script()
    session = script.sign_in()
    assert session["status"] == "active"
    assert session["user"]["id"] == world.ada
    assert session["user"]["first_name"] == "Ada"
    assert session["user"]["email_addresses"][0]["email_address"] == "ada@example.com"
    assert session["public_user_data"]["identifier"] == "ada@example.com"
    assert session["factor_verification_age"] == [0, -1]
    assert session["last_active_organization_id"] is None
    assert session["expire_at"] > NOW * 1000
    assert session["abandon_at"] > NOW * 1000
    claims = world.claims_of(session["last_active_token"]["jwt"])
    assert (claims["azp"], claims["sid"], claims["sub"]) == (APP, session["id"], world.ada)
    [known] = script.client()["sessions"]
    assert known["id"] == session["id"]


def test_a_client_is_never_newer_than_the_tokens_that_come_with_it(world: World) -> None:
    script = world.script()
    first = script.sign_in()
    society = organization_of(world, world.ada)
    asked: list[tuple[str, str, dict[str, str]]] = [
        ("POST", "/v1/client/sign_ins", GRACE),
        ("POST", "/v1/client/sign_ins", {}),
        ("POST", sessions_path(first, "/touch"), {"active_organization_id": society}),
        ("POST", sessions_path(first, "/touch"), {"intent": "focus"}),
        ("POST", sessions_path(first, "/remove"), {}),
        ("PUT", "/v1/client", {}),
    ]
    for method, path, fields in asked:
        world.now += 1.7
        answer = script.ask(method, path, fields).json
        client = answer["client"] or answer["response"]
        assert client["sessions"]
        for session in client["sessions"]:
            issued = world.claims_of(session["last_active_token"]["jwt"])["iat"]
            assert client["updated_at"] // 1000 <= issued


def test_a_touch_that_changes_nothing_does_not_make_the_client_newer(world: World) -> None:
    """Else the tokens that applications have would be older than their browser."""
    script = world.script()
    session = script.sign_in()
    before = script.client()["updated_at"]
    world.now += 30
    fields = {"active_organization_id": "", "intent": "focus"}
    answer = script.post(sessions_path(session, "/touch"), **fields)
    assert answer.json["client"]["updated_at"] == before
    assert answer.json["response"]["last_active_at"] == int(world.now * 1000)
    begun = script.post("/v1/client/sign_ins", identifier="grace")
    assert begun.json["client"]["updated_at"] == before


def test_a_touch_makes_another_session_the_active_one(world: World) -> None:
    script = world.script()
    ada, grace = script.sign_in(), script.sign_in(**GRACE)
    assert script.client()["last_active_session_id"] == grace["id"]
    answer = script.post(sessions_path(ada, "/touch"), intent="select_session")
    assert answer.json["response"]["id"] == ada["id"]
    assert answer.json["client"]["last_active_session_id"] == ada["id"]
    assert script.client()["last_active_session_id"] == ada["id"]
    assert script.get("/v1/me").json["response"]["id"] == world.ada


def test_a_touch_activates_an_organization_and_the_personal_account(world: World) -> None:
    society = organization_of(world, world.ada)
    script = world.script()
    path = sessions_path(script.sign_in(), "/touch")
    touched = script.post(path, active_organization_id=society).json["response"]
    assert touched["last_active_organization_id"] == society
    claims = world.claims_of(touched["last_active_token"]["jwt"])
    assert claims["o"] == {"id": society, "slg": "society", "rol": "admin"}
    touched = script.post(path, intent="focus").json["response"]
    assert touched["last_active_organization_id"] == society
    touched = script.post(path, active_organization_id="").json["response"]
    assert touched["last_active_organization_id"] is None
    assert "o" not in world.claims_of(touched["last_active_token"]["jwt"])


@pytest.mark.parametrize("wanted", ["others", "org_unknown", "society", "../x"])
def test_nobody_activates_an_organization_without_being_a_member(world: World, wanted: str) -> None:
    others = organization_of(world, world.grace)
    script = world.script()
    session = script.sign_in()
    other = script.sign_in(**GRACE)
    wanted = others if wanted == "others" else wanted
    for action, name in (("/touch", "active_organization_id"), ("/tokens", "organization_id")):
        answer = script.post(sessions_path(session, action), **{name: wanted})
        refused(answer, 404, "organization_not_found_or_unauthorized")
    client = script.client()
    assert client["last_active_session_id"] == other["id"]
    assert session_in(client, session["id"])["last_active_organization_id"] is None


# Tokens


def test_a_token_is_for_the_page_that_asks(world: World) -> None:
    script = world.script()
    session = script.sign_in()
    script.origin = "http://127.0.0.1:5173"
    claims = world.claims_of(token_of(script.post(sessions_path(session, "/tokens"))))
    assert (claims["azp"], claims["sid"]) == ("http://127.0.0.1:5173", session["id"])
    assert claims["exp"] - claims["iat"] == world.emulator.token_lifetime == 60


def test_a_token_is_for_nobody_if_it_is_not_said_who_asks(development: World) -> None:
    script = development.script()
    session = script.sign_in()
    script.origin = None
    claims = development.claims_of(token_of(script.post(sessions_path(session, "/tokens"))))
    assert "azp" not in claims


def test_a_page_of_our_own_origin_is_known_by_its_address(world: World) -> None:
    script = world.signed_in()
    script.origin = None
    answer = script.ask("GET", "/v1/client", headers={"Referer": f"{APP}/page?a=1"})
    [session] = answer.json["response"]["sessions"]
    assert world.claims_of(session["last_active_token"]["jwt"])["azp"] == APP


def test_a_token_may_be_for_another_organization_than_the_active_one(world: World) -> None:
    society = organization_of(world, world.ada)
    script = world.script()
    session = script.sign_in()
    path = sessions_path(session, "/tokens")
    claims = world.claims_of(token_of(script.post(path, organization_id=society)))
    assert claims["o"]["id"] == society
    script.post(sessions_path(session, "/touch"), active_organization_id=society)
    active = world.claims_of(token_of(script.post(path)))
    assert active["o"]["id"] == society
    personal = world.claims_of(token_of(script.post(path, organization_id="")))
    assert "o" not in personal
    assert script.client()["sessions"][0]["last_active_organization_id"] == society


def test_a_token_is_had_whatever_else_the_script_says(world: World) -> None:
    script = world.script()
    path = sessions_path(script.sign_in(), "/tokens")
    assert token_of(script.ask("POST", path, query={"expired_token": "x.y.z"}))
    assert token_of(script.ask("POST", path, {"tab_state": "focused"}, query={"debug": "skip"}))


# Signing out


@pytest.mark.parametrize("action", ["remove", "end"])
def test_one_of_two_sessions_ends(world: World, action: str) -> None:
    script = world.script()
    ada, grace = script.sign_in(), script.sign_in(**GRACE)
    answer = script.post(sessions_path(grace, f"/{action}")).json
    assert answer["response"]["id"] == grace["id"]
    assert answer["response"]["last_active_token"] is None
    assert [one["id"] for one in answer["client"]["sessions"]] == [ada["id"]]
    assert answer["client"]["last_active_session_id"] == ada["id"]
    assert world.emulator.session(grace["id"])["status"] in ("removed", "ended")
    assert world.emulator.session(ada["id"])["status"] == "active"


def test_all_sessions_end(world: World) -> None:
    elsewhere = world.signed_in()
    script = world.script()
    sessions = [script.sign_in(), script.sign_in(**GRACE)]
    answer = script.delete("/v1/client/sessions").json
    assert answer["response"]["sessions"] == []
    assert answer["response"]["last_active_session_id"] is None
    assert script.client()["sessions"] == []
    for session in sessions:
        refused(script.post(sessions_path(session, "/tokens")), 404, "resource_not_found")
    assert len(elsewhere.client()["sessions"]) == 1


def test_a_client_that_is_given_up_is_signed_out_and_has_a_new_secret(world: World) -> None:
    script = world.script()
    session = script.sign_in()
    before = script.token, script.cookies().get("__client")
    assert script.delete("/v1/client").json["response"]["sessions"] == []
    assert (script.token, script.cookies().get("__client")) != before
    assert script.client()["sessions"] == []
    assert world.emulator.session(session["id"])["status"] == "removed"


def test_a_session_that_is_over_is_good_for_nothing(world: World) -> None:
    script = world.script()
    session = script.sign_in()
    for status in ("ended", "revoked", "expired", "abandoned"):
        world.emulator.update_session(session["id"], status=status)
        for action in ("/touch", "/tokens", "/end"):
            refused(script.post(sessions_path(session, action)), 401, INVALID)
        shown = script.get(sessions_path(session)).json["response"]
        assert (shown["status"], shown["last_active_token"]) == (status, None)
        assert script.client()["sessions"] == []
        refused(script.get("/v1/me"), 401, "signed_out")
    assert script.post(sessions_path(session, "/remove")).status_int == 200
    refused(script.get(sessions_path(session)), 404, "resource_not_found")


def test_a_session_ends_by_itself(world: World) -> None:
    script = world.script()
    session = script.sign_in()
    world.now += 7 * 86400
    refused(script.post(sessions_path(session, "/tokens")), 401, INVALID)
    assert script.client()["sessions"] == []


def test_the_session_of_a_user_who_is_no_more_is_over(world: World) -> None:
    script = world.script()
    session = script.sign_in()
    world.emulator.delete_user(world.ada)
    assert script.client()["sessions"] == []
    refused(script.post(sessions_path(session, "/tokens")), 401, INVALID)
    assert script.get(sessions_path(session)).json["response"]["user"] is None


@pytest.mark.parametrize("session_id", ["sess_unknown", "others", "%2e%2e", "x" * 500])
def test_no_browser_reaches_a_session_that_is_not_its_own(world: World, session_id: str) -> None:
    victim, script = world.signed_in(), world.signed_in(**GRACE)
    [theirs] = victim.client()["sessions"]
    session = {"id": theirs["id"] if session_id == "others" else session_id}
    refused(script.get(sessions_path(session)), 404, "resource_not_found")
    for action in ("touch", "tokens", "remove", "end"):
        answer = script.post(sessions_path(session, f"/{action}"), organization_id="")
        refused(answer, 404, "resource_not_found")
        assert world.ada not in answer.text
    [untouched] = victim.client()["sessions"]
    assert untouched["status"] == "active"
    assert untouched["last_active_at"] == theirs["last_active_at"]


def test_without_a_client_nothing_can_be_ended(production: World) -> None:
    script = production.script()
    for method, path in (
        ("DELETE", "/v1/client"),
        ("DELETE", "/v1/client/sessions"),
        ("POST", "/v1/client/sessions/sess_x/tokens"),
        ("GET", "/v1/me"),
        ("GET", "/v1/client/sign_ins/sia_x"),
    ):
        refused(script.ask(method, path), 401, INVALID)


# The user and the organizations


def test_the_user_is_that_of_the_active_session_or_of_the_named_one(world: World) -> None:
    script = world.script()
    ada = script.sign_in()
    script.sign_in(**GRACE)
    assert script.get("/v1/me").json["response"]["id"] == world.grace
    named = script.get("/v1/me", _clerk_session_id=ada["id"]).json
    assert (named["response"]["id"], named["client"]) == (world.ada, None)


def test_the_user_of_another_browsers_session_is_not_told(world: World) -> None:
    [theirs] = world.signed_in().client()["sessions"]
    script = world.signed_in(**GRACE)
    for path in ("/v1/me", "/v1/me/organization_memberships"):
        answer = script.get(path, _clerk_session_id=theirs["id"])
        refused(answer, 401, "signed_out")
        assert world.ada not in answer.text


def test_memberships_come_in_pages(world: World) -> None:
    ids = [organization_of(world, world.ada, slug=f"society-{n}") for n in range(3)]
    organization_of(world, world.grace, slug="others")
    script = world.signed_in()
    path = "/v1/me/organization_memberships"
    page = script.get(path, paginated="true", limit="2", offset="1").json["response"]
    assert page["total_count"] == 3
    assert [one["organization"]["id"] for one in page["data"]] == ids[1:]
    assert page["data"][0]["role"] == "org:admin"
    assert page["data"][0]["public_user_data"]["user_id"] == world.ada
    whole = script.get(path, paginated="false").json["response"]
    assert [one["organization"]["id"] for one in whole] == ids
    shown = script.get("/v1/me").json["response"]["organization_memberships"]
    assert [one["organization"]["id"] for one in shown] == ids
    refused(script.get(path, limit="0"), 422, "form_param_value_invalid", "limit")


def test_nobody_is_invited_to_anything(world: World) -> None:
    script = world.signed_in()
    for what in ("organization_invitations", "organization_suggestions"):
        found = script.get(f"/v1/me/{what}", paginated="true").json["response"]
        assert found == {"data": [], "total_count": 0}
    refused(world.script().get("/v1/me/organization_invitations"), 401, NOBODY[world.mode])


def test_members_see_their_organization_and_each_other(world: World) -> None:
    society = organization_of(world, world.ada, world.grace)
    script = world.signed_in()
    path = f"/v1/organizations/{society}"
    assert script.get(path).json["response"]["slug"] == "society"
    members = script.get(f"{path}/memberships", paginated="true").json["response"]
    found = [one["public_user_data"]["user_id"] for one in members["data"]]
    assert (found, members["total_count"]) == ([world.ada, world.grace], 2)
    roles = script.get(f"{path}/roles", paginated="true").json["response"]
    assert [one["key"] for one in roles["data"]] == ["org:admin", "org:member"]
    assert "org:sys_memberships:read" in [one["key"] for one in roles["data"][1]["permissions"]]


@pytest.mark.parametrize("part", ["", "/memberships", "/roles"])
def test_others_see_nothing_of_an_organization(world: World, part: str) -> None:
    society = organization_of(world, world.ada)
    outsider = world.signed_in(**GRACE)
    for name in (society, "society", "org_unknown"):
        answer = outsider.get(f"/v1/organizations/{name}{part}")
        refused(answer, 404, "organization_not_found_or_unauthorized")
    refused(world.script().get(f"/v1/organizations/{society}{part}"), 401, NOBODY[world.mode])


def test_private_metadata_and_secrets_are_in_no_answer(world: World) -> None:
    emulator = world.emulator
    society = organization_of(world, world.ada, world.grace)
    emulator.update_organization(society, private_metadata={"a": "PRIVATE"})
    membership = emulator.membership(society, world.grace)
    emulator._store.put({**membership, "private_metadata": {"a": "PRIVATE"}})
    emulator.update_user(world.ada, private_metadata={"a": "PRIVATE"}, public_metadata={"b": 1})
    emulator.update_user(world.grace, private_metadata={"a": "PRIVATE"})
    script = world.script()
    begun = script.post("/v1/client/sign_ins", identifier="ada@example.com")
    attempt = f"/v1/client/sign_ins/{begun.json['response']['id']}"
    answers = [begun, script.get(attempt)]
    fields = {"strategy": "password", "password": ADA["password"]}
    answers.append(script.post(f"{attempt}/attempt_first_factor", **fields))
    session = answers[-1].json["client"]["sessions"][0]
    answers += [
        script.post(sessions_path(session, "/touch"), active_organization_id=society),
        script.get(sessions_path(session)),
        script.get("/v1/client"),
        script.get("/v1/environment"),
        script.get("/v1/me"),
        script.get("/v1/me/organization_memberships", paginated="true"),
        script.get(f"/v1/organizations/{society}"),
        script.get(f"/v1/organizations/{society}/memberships", paginated="true"),
    ]
    assert answers[5].json["response"]["sessions"][0]["user"]["public_metadata"] == {"b": 1}
    digest = emulator._store.get("password", world.ada)
    client = emulator._store.get("client", script.client()["id"])
    assert digest is not None
    assert client is not None
    secrets = ["PRIVATE", "private_metadata", "rotating_token", "digest", emulator.secret_key]
    for answer in answers:
        assert answer.status_int == 200
        for secret in [*secrets, digest["digest"], client["rotating_token"]]:
            assert secret not in answer.text


# How it is asked


def test_other_methods_travel_in_the_address_of_a_post_alone(world: World) -> None:
    script = world.signed_in()
    for method in ("DELETE", "delete"):
        answer = script.ask("GET", "/v1/client", query={"_method": method})
        assert len(answer.json["response"]["sessions"]) == 1
    for method in ("GET", "TRACE", "", "x"):
        answer = script.ask("POST", "/v1/client", query={"_method": method})
        refused(answer, 405, "method_not_allowed")
    assert script.ask("POST", "/v1/client/sessions", query={"_method": "delete"}).status_int == 200
    assert script.client()["sessions"] == []


def test_what_there_is_not_is_answered_so_that_the_page_can_read_it(world: World) -> None:
    script = world.signed_in()
    for method, path in (
        ("POST", "/v1/client/sign_ups"),
        ("GET", "/v1/client/sessions/sess_x/tokens/template"),
        ("POST", "/v1/organizations"),
        ("GET", "/v1/billing/plans"),
        ("GET", "/v1/users"),
    ):
        answer = script.ask(method, path)
        refused(answer, 404, "resource_not_found")
        assert answer.headers["Access-Control-Allow-Origin"] == APP
    refused(script.post("/v1/me"), 405, "method_not_allowed")


def test_bodies_that_cannot_be_read_are_refused(world: World) -> None:
    script = world.script()
    form = "application/x-www-form-urlencoded"
    for body, kind in (
        ("identifier=%ff", form),
        ("{", "application/json"),
        ("[" * 5000, "application/json"),
        ("[1]", "application/json"),
        ("--x\r\n", "multipart/form-data; boundary=x"),
    ):
        answer = script.http.post(
            script._url("POST", "/v1/client/sign_ins", {}),
            body,
            content_type=kind,
            headers={"Origin": APP},
            expect_errors=True,
        )
        refused(answer, 400, "request_body_invalid")


def test_errors_made_on_purpose_can_be_read_by_the_page(world: World) -> None:
    script = world.signed_in()
    world.emulator.faults.fail(429, retry_after=7)
    answer = script.get("/v1/client")
    assert answer.status_int == 429
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    script.origin = "https://evil.example"
    assert "Access-Control-Allow-Origin" not in script.get("/v1/client").headers


def test_guessing_is_not_slowed_down(world: World) -> None:
    """As the module says: a suite of tests signs in more often than people do."""
    script = world.script()
    wrong = {**ADA, "password": "wrong"}
    answers = [script.post("/v1/client/sign_ins", **wrong) for _ in range(8)]
    assert {answer.status_int for answer in answers} == {422}
    script.sign_in()
