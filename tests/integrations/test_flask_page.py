"""docs/frameworks/flask.md tells the truth: its code runs, and does what the text says."""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi.gate import WrapperOptions
from clerk_wsgi.integrations import flask as integration
from clerk_wsgi.testing import plugin

from ..test_readme import SNIPPET, codes_in, rows_of, text_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from clerk_wsgi.testing import Emulator, SignIn

PAGE = "docs/frameworks/flask.md"
CODES = SNIPPET.findall(text_of(PAGE))
PROGRAM = [code for code in CODES if "def test_" not in code]
BROWSER = {"Accept": "text/html", "Sec-Fetch-Dest": "empty"}

pytestmark = pytest.mark.usefixtures("default_clerk")


@pytest.fixture
def program() -> dict[str, Any]:
    """The names of all the code of the page, run in order; but for the suite."""
    names: dict[str, Any] = {"__name__": "hello"}
    for code in PROGRAM:
        exec(compile(code, PAGE, "exec"), names)
    return names


@pytest.fixture
def client(program: dict[str, Any]) -> FlaskClient:
    made: FlaskClient = program["app"].test_client()
    return made


def test_the_first_program_greets_and_refuses(client: FlaskClient, signed_in: SignIn) -> None:
    assert client.get("/").json == {"signed_in": False}
    assert client.get("/me").status_code == 401
    who = signed_in(client)
    assert client.get("/").json == {"signed_in": True}
    assert client.get("/me").json == {"user_id": who.user["id"]}


def test_who_is_there_is_told(
    client: FlaskClient, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    clerk_emulator.create_user(id="user_8", first_name="Grace")
    signed_in(client, user_id="user_8", permissions=["org:invoices:pay"])
    told = {"name": "Grace", "organization": "acme", "may_pay": True}
    assert client.get("/profile").json == told


def test_what_is_required_is_required(client: FlaskClient, signed_in: SignIn) -> None:
    protected = {"/admin/": "all is well", "/reports": '["a report"]', "/drafts/": '["a draft"]'}
    for path in protected:
        assert client.get(path).status_code == 401
    signed_in(client)
    assert [client.get(path).status_code for path in protected] == [403, 403, 200]
    signed_in(client, org_role="org:admin", claims={"pla": "o:gold"})
    for path, text in protected.items():
        assert client.get(path).text.strip() == text
    assert client.options("/admin/").status_code == 200


def test_paying_needs_the_permission_and_a_recent_verification(
    client: FlaskClient, signed_in: SignIn
) -> None:
    permissions = ["org:invoices:pay"]
    signed_in(client, org_role="org:payer")
    assert client.post("/invoices/7/pay").text == "This is not for you."
    signed_in(client, org_role="org:payer", permissions=permissions, claims={"fva": [600, 600]})
    answer = client.post("/invoices/7/pay")
    assert answer.status_code == 403
    assert answer.get_json()["clerk_error"]["reason"] == "reverification-error"
    signed_in(client, org_role="org:payer", permissions=permissions, claims={"fva": [0, 0]})
    assert client.post("/invoices/7/pay").json == {"paid": 7}


def test_the_template_greets_and_links(
    client: FlaskClient, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    assert "Sign in</a>" in client.get("/page").text
    clerk_emulator.create_user(id="user_8", first_name="Grace")
    signed_in(client, user_id="user_8", org_role="org:admin")
    shown = client.get("/page").text
    assert "Hello Grace." in shown
    assert "Your account</a>" in shown
    assert "Administration" in shown
    assert "Sign in</a>" not in shown


def test_the_api_answers_in_json(program: dict[str, Any]) -> None:
    answer = program["api"].test_client().get("/me", headers=BROWSER)
    assert answer.status_code == 401
    assert isinstance(answer.json["error"], str)


def test_the_page_of_an_outage_is_shown(
    program: dict[str, Any], clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    from clerk_wsgi.emulator import Failure

    client = program["app"].test_client()
    signed_in(client)
    clerk_emulator.faults.add(Failure(status=503))
    answer = client.get("/me")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert answer.text == "Please come back in a minute."


def test_signing_out_is_for_forms_of_the_site(
    client: FlaskClient, clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    who = signed_in(client)
    assert client.post("/sign-out", headers={"Origin": "https://evil.test"}).status_code == 403
    assert clerk_emulator.session(who.session["id"])["status"] == "active"
    answer = client.post("/sign-out", headers={"Origin": "http://localhost"})
    assert (answer.status_code, answer.location) == (303, "/")
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


def test_the_factory_makes_an_application_with_settings(program: dict[str, Any]) -> None:
    wrapper = program["site"].extensions["clerk"].wrapper
    assert wrapper._clerk.sign_in_url() == "/login"
    assert wrapper._clerk.settings.secret_key.reveal() == "sk_test_of_the_site"


def test_the_suite_passes_and_could_fail(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    [suite] = [code for code in CODES if "def test_" in code]
    parts = ("from flask import Flask", "from flask import Blueprint", "clerk = FlaskClerk()")
    used = [code for code in PROGRAM for part in parts if code.startswith(part)]
    program = "\n".join(used).partition("\nsite = ")[0]
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    options = ("-p", plugin.__name__, "-p", "no:cacheprovider", "--assert=plain")
    for role, outcome in (("org:admin", {"passed": 1}), ("org:owner", {"failed": 1})):
        code = indent(program.replace("org:admin", role), "    ")
        made = f"def made():\n{code}\n    return create_app()\n"
        hello = f"{made}\ndef create_app():\n    return made()\n"
        pytester.makepyfile(hello=hello, test_suite=suite)
        result = pytester.runpytest_inprocess(*options, "-W", "ignore:'cgi' is deprecated")
        assert result.parseoutcomes() == outcome


# The text


def test_every_public_name_of_the_integration_is_told_of() -> None:
    for name in integration.__all__:
        assert re.search(rf"\b{name}\b", text_of(PAGE)), name


def test_every_name_in_templates_is_told_of() -> None:
    told = {
        name.partition("(")[0]
        for row in rows_of("Templates", PAGE, columns=2)
        for name in codes_in(row[0])
    }
    assert told == integration._TEMPLATE_GLOBALS.keys()


def test_every_option_that_is_named_exists() -> None:
    [sentence] = re.findall(r"given by name: (.+?)\.\n", text_of(PAGE), re.DOTALL)
    assert set(codes_in(sentence)) | {"on_error"} == WrapperOptions.__annotations__.keys()
