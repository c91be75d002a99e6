"""docs/frameworks/bottle.md tells the truth: its code runs, and does what the text says."""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp

from clerk_wsgi.gate import WrapperOptions
from clerk_wsgi.integrations import bottle as integration
from clerk_wsgi.testing import plugin

from ..test_readme import SNIPPET, codes_in, text_of

if TYPE_CHECKING:
    from clerk_wsgi.testing import Emulator, SignIn

PAGE = "docs/frameworks/bottle.md"
CODES = SNIPPET.findall(text_of(PAGE))
PROGRAM = [code for code in CODES if "def test_" not in code]

pytestmark = pytest.mark.usefixtures("default_clerk")


@pytest.fixture
def program() -> dict[str, Any]:
    """The names of all the code of the page, run in order; but for the suite."""
    names: dict[str, Any] = {}
    for code in PROGRAM:
        exec(compile(code, PAGE, "exec"), names)
    return names


@pytest.fixture
def client(program: dict[str, Any]) -> TestApp[Any]:
    return TestApp(program["app"], lint=False)


def test_the_first_program_greets_and_refuses(client: TestApp[Any], signed_in: SignIn) -> None:
    assert client.get("/").json == {"signed_in": False}
    client.get("/me", status=401)
    who = signed_in(client)
    assert client.get("/").json == {"signed_in": True}
    assert client.get("/me").json == {"user_id": who.user["id"]}


def test_who_is_there_is_told(
    client: TestApp[Any], clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    clerk_emulator.create_user(id="user_8", first_name="Grace")
    signed_in(client, user_id="user_8", permissions=["org:invoices:pay"])
    told = {"name": "Grace", "organization": "acme", "may_pay": True}
    assert client.get("/profile").json == told


def test_what_is_required_is_required(client: TestApp[Any], signed_in: SignIn) -> None:
    for path in ("/admin", "/reports"):
        client.get(path, status=401)
    signed_in(client)
    assert client.get("/admin", status=403).text == "This is not for you: role-missing"
    assert client.get("/reports", status=403).text == "This is not for you: plan-missing"
    signed_in(client, org_role="org:admin", claims={"pla": "o:gold"})
    assert client.get("/admin").text == "all is well"
    assert client.get("/reports").json == {"reports": []}


def test_paying_needs_the_permission_and_a_recent_verification(
    client: TestApp[Any], signed_in: SignIn
) -> None:
    permissions = ["org:invoices:pay"]
    signed_in(client, org_role="org:payer")
    assert "permission-missing" in client.post("/invoices/7/pay", status=403)
    signed_in(client, org_role="org:payer", permissions=permissions, claims={"fva": [600, 600]})
    answer = client.post("/invoices/7/pay", status=403)
    assert answer.json["clerk_error"]["reason"] == "reverification-error"
    signed_in(client, org_role="org:payer", permissions=permissions, claims={"fva": [0, 0]})
    assert client.post("/invoices/7/pay").json == {"paid": 7}


def test_the_mounted_application_asks_for_members(client: TestApp[Any], signed_in: SignIn) -> None:
    assert client.get("/team/about").text == "for everybody"
    for path in ("/team/", "/team/money"):
        client.get(path, status=401)
    signed_in(client, org_role="org:member")
    assert client.get("/team/").text == "a team"
    client.get("/team/money", status=403)
    signed_in(client, org_role="org:member", permissions=["org:invoices:pay"])
    assert client.get("/team/money").text == "a lot"
    signed_in(client, org_role="org:admin", permissions=["org:invoices:pay"])
    client.get("/team/money", status=403)


def test_the_template_greets_and_links(
    client: TestApp[Any], clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    assert "Sign in</a>" in client.get("/page")
    clerk_emulator.create_user(id="user_8", first_name="Grace")
    signed_in(client, user_id="user_8")
    shown = client.get("/page").text
    assert "Hello Grace." in shown
    assert "Your account</a>" in shown
    assert "Sign in</a>" not in shown


def test_the_api_answers_in_json(program: dict[str, Any]) -> None:
    answer = TestApp(program["api"], lint=False).get("/me", status=401)
    assert isinstance(answer.json["error"], str)


def test_signing_out_is_for_forms_of_the_site(
    client: TestApp[Any], clerk_emulator: Emulator, signed_in: SignIn
) -> None:
    who = signed_in(client)
    client.post("/sign-out", headers={"Origin": "https://evil.test"}, status=400)
    assert clerk_emulator.session(who.session["id"])["status"] == "active"
    own = {"Origin": "http://localhost:80"}
    assert client.post("/sign-out", headers=own, status=303).headers["Location"] == "/"
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


def test_an_empty_dict_asks_for_nothing(program: dict[str, Any], signed_in: SignIn) -> None:
    app = program["Bottle"]()
    app.install(program["ClerkPlugin"]())
    app.get("/", clerk={})(lambda: "hello")
    assert TestApp(app, lint=False).get("/").text == "hello"


def test_the_suite_passes_and_could_fail(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    [suite] = [code for code in CODES if "def test_" in code]
    program = "\n".join(PROGRAM[:3])
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    options = ("-p", plugin.__name__, "-p", "no:cacheprovider", "--assert=plain")
    for role, outcome in (("org:admin", {"passed": 1}), ("org:owner", {"failed": 1})):
        code = indent(program.replace("org:admin", role), "    ")
        hello = f"def create_app():\n{code}\n    return app\n"
        pytester.makepyfile(hello=hello, test_suite=suite)
        result = pytester.runpytest_inprocess(*options, "-W", "ignore:'cgi' is deprecated")
        assert result.parseoutcomes() == outcome


# The text


def test_every_public_name_of_the_integration_is_told_of() -> None:
    for name in integration.__all__:
        assert re.search(rf"\b{name}\b", text_of(PAGE)), name


def test_every_option_that_is_named_exists() -> None:
    [sentence] = re.findall(r"given by name: (.+?)\.\n", text_of(PAGE), re.DOTALL)
    assert set(codes_in(sentence)) | {"on_error"} == WrapperOptions.__annotations__.keys()
