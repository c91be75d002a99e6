"""docs/frameworks/falcon.md tells the truth: its code runs, and does what the text says."""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

import pytest
from falcon import testing

from clerk_wsgi.integrations import falcon as integration
from clerk_wsgi.testing import plugin

from ..test_readme import SNIPPET, codes_in, rows_of, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from clerk_wsgi.testing import Emulator, SignIn

PAGE = "docs/frameworks/falcon.md"
CODES = SNIPPET.findall(text_of(PAGE))
PROGRAM = [code for code in CODES if "def test_" not in code]

pytestmark = pytest.mark.usefixtures("default_clerk")


@pytest.fixture
def program(default_clerk: object) -> dict[str, Any]:
    """The names of all the code of the page, run in order; but for the suite."""
    names: dict[str, Any] = {}
    for code in PROGRAM:
        exec(compile(code, PAGE, "exec"), names)
    return names


class Client:
    """A caller of one of the page's applications."""

    def __init__(self, app: Any, signed_in: SignIn) -> None:
        self._client, self._signed_in = testing.TestClient(app), signed_in

    def ask(self, method: str, path: str, headers: Any = None, **who: Any) -> testing.Result:
        carried = self._signed_in(**who).headers if who else {}
        return self._client.simulate_request(
            method, path, headers={"Origin": "http://falconframework.org", **carried}
        )

    def status(self, path: str, method: str = "GET", **who: Any) -> int:
        return self.ask(method, path, **who).status_code


@pytest.fixture
def client(program: dict[str, Any], signed_in: SignIn) -> Client:
    return Client(program["app"], signed_in)


SOMEBODY: dict[str, Any] = {"user_id": "user_7"}
MEMBER: dict[str, Any] = {"org_role": "org:member"}
ADMIN: dict[str, Any] = {"org_role": "org:admin"}


def test_the_first_program_greets_and_refuses(client: Client) -> None:
    assert client.ask("GET", "/").json == {"signed_in": False}
    assert client.ask("GET", "/", **SOMEBODY).json == {"signed_in": True}
    assert client.status("/me") == 401
    assert client.ask("GET", "/me", **SOMEBODY).json == {"user_id": "user_7"}


def test_who_is_asking_is_told(client: Client, clerk_emulator: Emulator) -> None:
    assert client.ask("GET", "/profile").json == {
        "user": None,
        "organization": None,
        "may_pay": False,
    }
    permissions = ["org:invoices:pay"]
    told = client.ask("GET", "/profile", user_id="user_7", permissions=permissions).json
    assert told == {"user": "user_7", "organization": "acme", "may_pay": True}
    clerk_emulator.create_user(id="user_8", first_name="Grace")
    assert client.ask("GET", "/greeting", user_id="user_8").json == "Hello, Grace!"


def test_what_is_required_is_required(client: Client) -> None:
    for path in ("/invoices", "/invoices/7"):
        assert client.status(path) == 401
        assert client.status(path, **MEMBER) == 403
        assert client.status(path, **ADMIN) == 200
    payer = {**ADMIN, "permissions": ["org:invoices:pay"]}
    assert client.status("/invoices", "POST", **ADMIN) == 403
    assert client.status("/invoices", "POST", **payer, claims={"fva": [600, 600]}) == 403
    assert client.status("/invoices", "POST", **payer, claims={"fva": [0, 0]}) == 201
    assert client.status("/reports") == 200
    assert client.status("/reports", "POST", **SOMEBODY) == 403
    assert client.status("/reports", "POST", **SOMEBODY, claims={"pla": "o:gold"}) == 201
    assert client.status("/archive/1999") == 401
    assert client.ask("GET", "/archive/1999", **SOMEBODY).json == {"year": "1999"}


def test_files_are_guarded_by_their_path(
    program: dict[str, Any], signed_in: SignIn, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a report")
    files = Client(program["create_app"](str(tmp_path)), signed_in)
    assert files.status("/reports/a.txt") == 401
    assert files.ask("GET", "/reports/a.txt", **SOMEBODY).text == "a report"


def test_the_api_answers_in_json_or_as_its_own_handler_says(
    program: dict[str, Any], signed_in: SignIn
) -> None:
    answer = Client(program["api"], signed_in).ask("GET", "/me")
    assert (answer.status_code, answer.json) == (404, {"reason": "dev-browser-missing"})
    names: dict[str, Any] = {}
    exec(PROGRAM[0], names)
    [code] = [code for code in PROGRAM if "strict_on_error" in code]
    exec(code, names)
    answer = Client(names["api"], signed_in).ask("GET", "/me")
    assert (answer.status_code, answer.json) == (401, {"error": "Unauthorized"})


def test_errors_in_responders_become_responses(client: Client) -> None:
    assert client.status("/teams/everybody") == 200
    assert client.status("/teams/mine") == 401
    assert client.status("/teams/mine", **MEMBER) == 403
    assert client.status("/teams/mine", **ADMIN) == 200


def test_signing_out_is_for_forms_of_the_site(
    client: Client, program: dict[str, Any], signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    who = signed_in()
    browser = testing.TestClient(program["app"])
    foreign = {**who.headers, "Origin": "https://evil.example"}
    assert browser.simulate_post("/sign-out", headers=foreign).status_code == 403
    assert clerk_emulator.session(who.session["id"])["status"] == "active"
    own = {**who.headers, "Origin": "http://falconframework.org"}
    answer = browser.simulate_post("/sign-out", headers=own)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


def test_the_middleware_may_be_given_by_itself(program: dict[str, Any], signed_in: SignIn) -> None:
    assert Client(program["small"], signed_in).status("/healthz") == 404


def test_code_with_types_runs_as_well(client: Client) -> None:
    assert client.status("/typed") == 401
    assert client.ask("GET", "/typed", **SOMEBODY).json == {"user_id": "user_7"}


def test_the_suite_passes_and_could_fail(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    [suite] = [code for code in CODES if "def test_" in code]
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    options = ("-p", plugin.__name__, "-p", "no:cacheprovider", "--assert=plain")
    for role, outcome in (("org:admin", {"passed": 1}), ("org:owner", {"failed": 1})):
        program = "\n".join(PROGRAM[:4]).replace("org:admin", role)
        hello = f"def create_app():\n{indent(program, '    ')}\n    return app\n"
        pytester.makepyfile(hello=hello, test_suite=suite)
        result = pytester.runpytest_inprocess(*options, "-W", "ignore:'cgi' is deprecated")
        assert result.parseoutcomes() == outcome


# The text


@pytest.mark.parametrize(
    ("row", "path", "who", "status"),
    [
        (1, "/me", {}, 401),
        (2, "/invoices", MEMBER, 403),
        (
            3,
            "/invoices",
            {**ADMIN, "permissions": ["org:invoices:pay"], "claims": {"fva": [600, 600]}},
            403,
        ),
    ],
)
def test_the_table_of_answers_is_right(
    row: int, path: str, who: Any, status: int, client: Client
) -> None:
    told = rows_of("What becomes of the others", PAGE, columns=2)[row][1]
    assert told.startswith(str(status))
    assert client.status(path, "POST" if row == 3 else "GET", **who) == status


def test_every_public_name_of_the_integration_is_told_of() -> None:
    for name in integration.__all__:
        assert re.search(rf"\b{name}\b", text_of(PAGE)), name


def test_every_option_that_is_named_exists() -> None:
    from clerk_wsgi.gate import WrapperOptions

    [sentence] = re.findall(r"given by name: (.+?)\.\n", text_of(PAGE), re.DOTALL)
    assert set(codes_in(sentence)) | {"on_error"} == WrapperOptions.__annotations__.keys()
