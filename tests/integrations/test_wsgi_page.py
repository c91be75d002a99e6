"""docs/frameworks/wsgi.md tells the truth: its code runs, and does what the text says."""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

import pytest

import clerk_wsgi
from clerk_wsgi import with_session
from clerk_wsgi.testing import plugin

from ..test_readme import SNIPPET, rows_of, text_of
from ..wrapping import Answer, serve

if TYPE_CHECKING:
    from clerk_wsgi.testing import Emulator, SignIn

PAGE = "docs/frameworks/wsgi.md"
CODES = SNIPPET.findall(text_of(PAGE))
PROGRAM = [code for code in CODES if "def test_" not in code]

pytestmark = pytest.mark.usefixtures("default_clerk")

BROWSER = {"HTTP_ACCEPT": "text/html", "HTTP_COOKIE": "__clerk_db_jwt=dvb_1; __client_uat=0"}
ADMIN: dict[str, Any] = {"org_role": "org:admin"}
MEMBER: dict[str, Any] = {"org_role": "org:member"}
SOMEBODY: dict[str, Any] = {"user_id": "user_7"}


@pytest.fixture
def program(default_clerk: object) -> dict[str, Any]:
    """The names of all the code of the page, run in order; but for the suite."""
    names: dict[str, Any] = {}
    for code in PROGRAM:
        exec(compile(code, PAGE, "exec"), names)
    return names


class Caller:
    """Asks a WSGI application as somebody, or as nobody."""

    def __init__(self, app: Any, signed_in: SignIn) -> None:
        self._app, self._signed_in = app, signed_in

    def ask(self, path: str = "/", keys: Any = None, **who: Any) -> Answer:
        carried = self._signed_in(**who).environ if who else {}
        return serve(self._app, **{"PATH_INFO": path, **carried, **(keys or {})})

    def status(self, path: str = "/", keys: Any = None, **who: Any) -> str:
        return self.ask(path, keys, **who).status[:3]


# The code


def test_the_first_program_greets_and_refuses(program: Any, signed_in: SignIn) -> None:
    caller = Caller(program["app"], signed_in)
    assert caller.ask("/").body == b"Hello, stranger."
    assert caller.ask("/", **SOMEBODY).body == b"Hello, you."
    assert caller.status("/me") == "401"
    assert caller.ask("/me", **SOMEBODY).body == b"user_7"
    assert caller.status("/nowhere") == "404"


def test_browsers_are_sent_to_sign_in_and_back(
    program: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    answer = Caller(program["app"], signed_in).ask("/me", BROWSER)
    assert answer.status == "303 See Other"
    assert answer.one("Location").endswith("redirect_url=http%3A%2F%2Fapp.test%2Fme")


def test_the_strict_wrapper_lets_nobody_in(program: Any, signed_in: SignIn) -> None:
    caller = Caller(program["members_only"], signed_in)
    assert caller.status("/") == "401"
    assert caller.status("/", **SOMEBODY) == "200"


def test_what_somebody_may_do_is_asked(program: Any, signed_in: SignIn) -> None:
    caller = Caller(with_session(program["invoices"]), signed_in)
    assert caller.status() == "403"
    assert caller.status(**MEMBER) == "403"
    reader: dict[str, Any] = {"permissions": ["org:invoices:read"]}
    assert caller.ask(**reader).body == b"Invoices of acme"


def test_the_user_is_asked_for(program: Any, signed_in: SignIn, clerk_emulator: Emulator) -> None:
    clerk_emulator.create_user(id="user_8", first_name="Grace")
    caller = Caller(with_session(program["greeting"]), signed_in)
    assert caller.ask(user_id="user_8").body == b"Hello, Grace!"
    assert caller.status() == "401"


def test_what_is_required_is_required(program: Any, signed_in: SignIn) -> None:
    caller = Caller(with_session(program["settings"]), signed_in)
    assert caller.status() == "401"
    assert caller.status(keys=BROWSER) == "303"
    assert caller.status(**MEMBER) == "403"
    assert caller.status(**ADMIN) == "200"
    payer: dict[str, Any] = {"permissions": ["org:invoices:pay"]}
    caller = Caller(with_session(program["pay"]), signed_in)
    assert caller.status(**ADMIN) == "403"
    stale = caller.ask(**payer, claims={"fva": [600, 600]})
    assert (stale.status[:3], b"reverification-error" in stale.body) == ("403", True)
    assert caller.status(**payer, claims={"fva": [0, 0]}) == "200"


def test_a_part_is_guarded_by_its_path(program: Any, signed_in: SignIn) -> None:
    caller = Caller(program["guarded_shop"], signed_in)
    for path in ("/admin", "/admin/", "/admin/x", "/ADMIN/x"):
        assert caller.status(path) == "401"
        assert caller.status(path, **MEMBER) == "403"
        assert caller.status(path, **ADMIN) == "200"
    for path in ("/", "/administration", "/backoffice"):
        assert caller.status(path) == "200"
    for path in ("//admin", "/x/../admin", "/admin%2fx", "/x\\admin"):
        assert caller.status(path, **ADMIN) == "400"


def test_all_is_closed_but_public_paths(program: Any, signed_in: SignIn) -> None:
    caller = Caller(program["closed_shop"], signed_in)
    for path in ("/", "/about", "/static/app.css"):
        assert caller.status(path) == "200"
    assert caller.status("/", {"QUERY_STRING": "page=admin"}) == "200"
    for path in ("/About", "/about/", "/about.html", "/static", "/admin"):
        assert caller.status(path) == "401"
        assert caller.status(path, **SOMEBODY) == "200"
    for path in ("//about", "/static/../admin", "/static/%2e%2e/admin", "/static\\x"):
        assert caller.status(path) == "400"
        assert caller.status(path, **SOMEBODY) == "400"


def test_signing_out_is_for_forms_of_the_site(
    program: Any, signed_in: SignIn, clerk_emulator: Emulator
) -> None:
    app = with_session(program["leave"])
    who = signed_in()
    own = {"HTTP_ORIGIN": "http://app.test", **who.environ}
    refused = (
        {"REQUEST_METHOD": "GET", **own},
        {"REQUEST_METHOD": "POST", **own, "HTTP_ORIGIN": "https://evil.example"},
        {"REQUEST_METHOD": "POST", **who.environ},
    )
    for keys in refused:
        assert serve(app, **keys).status[:3] == "403"
        assert clerk_emulator.session(who.session["id"])["status"] == "active"
    answer = serve(app, REQUEST_METHOD="POST", **own)
    assert (answer.status[:3], answer.one("Location")) == ("303", "/")
    assert answer.all("Set-Cookie")
    assert clerk_emulator.session(who.session["id"])["status"] == "revoked"


def test_tenants_have_their_own_instances(program: Any, signed_in: SignIn) -> None:
    caller = Caller(program["tenants"], signed_in)
    assert caller.status("/", {"HTTP_HOST": "c.example.com"}) == "404"
    for host in ("a.example.com", "b.example.com"):
        assert caller.status("/", {"HTTP_HOST": host}) == "401"
    instances = [program["instance_of"]({"HTTP_HOST": host}) for host in program["TENANTS"]]
    assert len(set(map(id, instances))) == 2


def test_decisions_are_counted_but_for_exempt_paths(program: Any, signed_in: SignIn) -> None:
    caller = Caller(program["watched"], signed_in)
    caller.ask("/healthz", **SOMEBODY)
    assert not program["DECISIONS"]
    caller.ask("/", **SOMEBODY)
    caller.ask("/")
    assert program["DECISIONS"] == {
        ("signed-in", None): 1,
        ("signed-out", "dev-browser-missing"): 1,
    }


def test_the_suite_passes_and_could_fail(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    [suite] = [code for code in CODES if "def test_" in code]
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    options = ("-p", plugin.__name__, "-p", "no:cacheprovider", "--assert=plain")
    for guard, outcome in (
        ("@require(on_error=sign_in_on_error)", {"passed": 1}),
        ("", {"failed": 1}),
    ):
        program = PROGRAM[0].replace("@require(on_error=sign_in_on_error)", guard)
        hello = f"def create_app():\n{indent(program, '    ')}\n    return app\n"
        pytester.makepyfile(hello=hello, test_suite=suite)
        result = pytester.runpytest_inprocess(*options, "-W", "ignore:'cgi' is deprecated")
        assert result.parseoutcomes() == outcome


# The text


def test_the_table_of_answers_is_right(program: Any, signed_in: SignIn) -> None:
    caller = Caller(with_session(program["pay"]), signed_in)
    permitted: dict[str, Any] = {"permissions": ["org:invoices:pay"], "claims": {"fva": [600, 600]}}
    answers = [caller.ask(), caller.ask(**MEMBER), caller.ask(**permitted)]
    rows = rows_of("Requiring things", PAGE, columns=2)
    assert len(rows) == 4
    for answer, row in zip(answers, rows, strict=False):
        assert row[1].startswith(answer.status[:3])
        assert ("without a body" in row[1]) == (answer.body == b"")


def test_every_function_for_wsgi_is_told_of() -> None:
    functions = (
        *("with_session", "require_session", "require", "protect", "sign_in_on_error"),
        *("sign_out", "get_auth", "get_session", "on_decision", "exempt"),
    )
    for name in functions:
        assert re.search(rf"`[^`]*\b{name}\b", text_of(PAGE)), name
    assert set(functions[:-2]) <= set(clerk_wsgi.__all__)
