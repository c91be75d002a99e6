"""docs/testing.md tells the truth: its code runs as suites, its tables are the kit's."""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi import testing
from clerk_wsgi.testing import Emulator, Tokens, Who, bearer, clerk_for, plugin

from . import django_site
from .minting import environ
from .processes import PROJECT
from .test_readme import SNIPPET, anchors_of, codes_in, rows_of, text_of

if TYPE_CHECKING:
    from clerk_wsgi import Clerk

PAGE = "docs/testing.md"
SNIPPETS = SNIPPET.findall(text_of(PAGE))
MYAPP = """
from clerk_wsgi import get_auth, require_session

def application(environ, start_response):
    forbidden = environ["PATH_INFO"].endswith("/pay") and get_auth(environ).org_role != "org:admin"
    start_response("403 Forbidden" if forbidden else "200 OK", [("Content-Type", "text/plain")])
    return [b""]

def create_app():
    return require_session(application)
"""


@pytest.mark.servers
def test_every_snippet_is_a_suite_that_passes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert django_site.urlpatterns  # some settings of Django have to be there
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    pytester.makepyfile(myapp=MYAPP, **{f"test_{n}": code for n, code in enumerate(SNIPPETS)})
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    options = ("-p", plugin.__name__, "-p", "no:cacheprovider", "--assert=plain")
    result = pytester.runpytest_inprocess(*options, "-W", "ignore:'cgi' is deprecated")
    outcomes = result.parseoutcomes()
    assert outcomes.keys() == {"passed"}
    assert outcomes["passed"] >= sum(code.count("def test_") for code in SNIPPETS)


def test_every_snippet_has_a_test() -> None:
    assert len(SNIPPETS) == 10
    for code in SNIPPETS:
        assert "def test_" in code
        ast.parse(code)


def test_every_fixture_is_in_the_table_and_no_other() -> None:
    tree = ast.parse(inspect.getsource(plugin))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    fixtures = {
        function.name
        for function in functions
        for decorator in function.decorator_list
        if ast.unparse(decorator) == "pytest.fixture" and not function.name.startswith("_")
    }
    assert fixtures == {codes_in(row[0])[0] for row in rows_of("Fixtures", PAGE, columns=2)}


def test_every_argument_of_a_sign_in_is_in_the_table_and_no_other() -> None:
    rows = rows_of("Who is signed in", PAGE, columns=2)
    assert {name for row in rows for name in codes_in(row[0])} == Who.__annotations__.keys()


def tokens_of_the_table() -> list[tuple[str, str]]:
    return [
        (call, decision)
        for calls, decision in rows_of("Tokens", PAGE, columns=2)
        for call in codes_in(calls)
    ]


@pytest.mark.parametrize(("call", "decision"), tokens_of_the_table())
def test_each_token_is_decided_as_the_table_says(
    call: str, decision: str, clerk: Clerk, clerk_tokens: Tokens
) -> None:
    token: str = eval(f"tokens.{call}", {"tokens": clerk_tokens})
    state = clerk.authenticate(environ(**bearer(token).environ))
    shown = codes_in(decision)[0]
    assert (state.reason or state.status) == shown
    assert bool(state.auth) == (call == "valid()")


def test_every_token_is_told_of() -> None:
    kinds = {
        name
        for name, member in vars(Tokens).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    assert kinds <= set(re.findall(r"`(\w+)\(", text_of(PAGE)))


def test_the_defaults_of_the_table_are_those_of_the_methods() -> None:
    for call, _ in tokens_of_the_table():
        name, _, arguments = call.partition("(")
        for keyword in ast.parse(f"f({arguments}", mode="eval").body.keywords:  # type: ignore[attr-defined]
            default = inspect.signature(getattr(Tokens, name)).parameters[keyword.arg].default
            assert default == ast.literal_eval(keyword.value)


def test_every_name_of_the_kit_is_told_of() -> None:
    text = text_of(PAGE)
    types_alone = {"Credentials", "Identity", "RunningEmulator", "SignIn", "SignOut", "Who"}
    for name in set(testing.__all__) - types_alone:
        assert re.search(rf"\b{name}\b", text), name


def test_what_is_said_of_publishable_keys_is_so(clerk_emulator: Emulator) -> None:
    page_load = environ(HTTP_ACCEPT="text/html")
    for settings, status in (({}, "handshake"), ({"publishable_key": ""}, "signed-out")):
        options: Any = settings
        assert clerk_for(clerk_emulator, **options).authenticate(page_load).status == status


def test_every_link_within_the_page_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(PAGE))
    assert links
    assert {link.removeprefix("#") for link in links} <= anchors_of(PAGE)
