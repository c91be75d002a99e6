"""docs/frameworks/pyramid.md tells the truth: its code runs, and does what is said around it."""

from __future__ import annotations

import importlib
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pyramid.config import Configurator
from webtest import TestApp

from clerk_wsgi.config_texts import OPTIONS
from clerk_wsgi.testing import plugin

from ..processes import PROJECT
from ..test_readme import SNIPPET, section, text_of
from .test_paste import ENTRY_POINTS, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from clerk_wsgi import Clerk
    from clerk_wsgi.testing import SignIn

__all__ = ["load"]  # a fixture

PAGE = "docs/frameworks/pyramid.md"
INCLUDE = "clerk_wsgi.integrations.pyramid"
INI = re.compile(r"^```ini\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code_of(title: str, number: int = 0) -> str:
    code: str = SNIPPET.findall(section(title, PAGE))[number]
    return code


@pytest.fixture
def module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], ModuleType]]:
    """``module(name, code)`` imports code as a module, which nobody knows after the test."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, code: str) -> ModuleType:
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield make
    for name in ("app", "views"):
        sys.modules.pop(name, None)


def scanned(clerk: Clerk, views: ModuleType, **routes: str) -> TestApp:
    """Return a client of an application with all the views of a module."""
    with Configurator(settings={"clerk.instance": clerk}) as config:
        config.include(INCLUDE)
        for name, path in routes.items():
            config.add_route(name, path)
        config.scan(views)
        return TestApp(config.make_wsgi_app())


def test_the_first_application_is_protected(
    module: Callable[[str, str], ModuleType], default_clerk: Clerk, signed_in: SignIn
) -> None:
    browser = TestApp(module("app", code_of("Pyramid")).main())
    assert browser.get("/").json == {"signed_in": False}
    browser.get("/me", status=401)
    who = signed_in(browser)
    assert browser.get("/").json == {"signed_in": True}
    assert browser.get("/me").json == {"user_id": who.user["id"]}
    browser.get("/admin", status=403)
    signed_in(browser, org_role="org:admin", org_slug="acme")
    assert browser.get("/admin").json == {"organization": "acme"}


def test_the_views_require_what_they_say(
    module: Callable[[str, str], ModuleType], clerk: Clerk, signed_in: SignIn
) -> None:
    views = module("views", code_of("What views require"))
    browser = scanned(clerk, views, billing="/billing", teams="/teams")
    for path in ("/billing", "/teams"):
        browser.get(path, status=401)
    signed_in(browser, permissions=["org:billing:manage"], claims={"fva": [0, 60]})
    assert "clerk_error" in browser.get("/billing", status=403).json
    browser.get("/teams", status=200)
    browser.post("/teams", status=403)
    signed_in(browser, permissions=["org:billing:manage"], claims={"fva": [0, 0]})
    browser.get("/billing", status=200)
    signed_in(browser, org_role="org:admin")
    browser.post("/teams", status=200)


def test_an_exception_view_answers_who_lacks_a_role(
    module: Callable[[str, str], ModuleType], clerk: Clerk, signed_in: SignIn
) -> None:
    code = code_of("What views require") + code_of("What views require", 1)
    browser = scanned(clerk, module("views", code), billing="/billing", teams="/teams")
    browser.post("/teams", status=401)
    signed_in(browser)
    assert browser.post("/teams", status=403).text == "Not for you: role-missing"


def test_an_acl_names_organizations_and_their_roles(
    module: Callable[[str, str], ModuleType], clerk: Clerk, signed_in: SignIn
) -> None:
    invoice = module("views", code_of("Permissions")).Invoice("org_acme", "user_ada")
    with Configurator(
        settings={"clerk.instance": clerk}, root_factory=lambda request: invoice
    ) as config:
        config.include(INCLUDE)
        for name in ("view", "edit"):
            config.add_route(name, f"/{name}")
            config.add_view(lambda request: {}, route_name=name, renderer="json", permission=name)
        browser = TestApp(config.make_wsgi_app())
    browser.get("/view", status=401)
    signed_in(browser, user_id="user_ada", org_id="org_other", org_role="org:admin")
    browser.get("/view", status=200)
    browser.get("/edit", status=403)
    signed_in(browser, user_id="user_eve", org_id="org_acme", org_role="org:admin")
    browser.get("/edit", status=200)


def test_the_predicates_choose_a_page(
    module: Callable[[str, str], ModuleType], clerk: Clerk, signed_in: SignIn
) -> None:
    browser = scanned(clerk, module("views", code_of("Predicates")), home="/")
    assert browser.get("/").json == {"page": "welcome"}
    signed_in(browser)
    assert browser.get("/").json == {"page": "dashboard"}
    signed_in(browser, org_slug="acme", claims={"pla": "o:gold"})
    assert browser.get("/").json == {"page": "golden dashboard"}


def test_the_view_signs_out(
    module: Callable[[str, str], ModuleType], clerk: Clerk, signed_in: SignIn
) -> None:
    views = module("views", code_of("Signing out").replace(", require_csrf=True", ""))
    browser = scanned(clerk, views, sign_out="/sign-out")
    signed_in(browser, carrier="cookies")
    assert browser.post("/sign-out", status=303).headers["Location"].endswith("/bye")


def test_the_files_are_loaded_by_pastedeploy(
    module: Callable[[str, str], ModuleType],
    load: Callable[[str], Any],
    default_clerk: Clerk,
    signed_in: SignIn,
) -> None:
    module("app", code_of("Pyramid"))
    settings, filters = INI.findall(text_of(PAGE))
    key = "clerk.secret_key = sk_test_x\nclerk.dotenv = no\n"
    answer = TestApp(load(settings + key)).get("/me", headers={"Accept": "text/html"}, status=401)
    assert "error" in answer.json

    browser = TestApp(load(filters))
    assert browser.get("/").json == {"signed_in": False}
    browser.get("/elsewhere", status=401)
    signed_in(browser)
    browser.get("/elsewhere", status=404)
    browser.get("/admin", status=403)
    signed_in(browser, org_role="org:admin")
    browser.get("/admin", status=200)


def test_the_tests_pass(
    pytester: pytest.Pytester,
    module: Callable[[str, str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module("app", code_of("Pyramid"))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_app=code_of("Testing"))
    options = ("-p", plugin.__name__, "-p", "no:cacheprovider", "--assert=plain")
    result = pytester.runpytest_inprocess(*options, "-W", "ignore::DeprecationWarning")
    assert result.parseoutcomes() == {"passed": 2}


def test_every_snippet_is_run_here() -> None:
    assert len(SNIPPET.findall(text_of(PAGE))) == 7
    assert len(INI.findall(text_of(PAGE))) == 2


def test_every_filter_is_in_the_table_and_every_option_is_told_of() -> None:
    names = re.findall(r"^(\w+) = ", ENTRY_POINTS, re.MULTILINE)
    text = text_of(PAGE)
    for name in set(names) - {"main"}:
        assert f"`egg:clerk-wsgi#{name}`" in text
    for option in OPTIONS:
        assert f"`{option}`" in section("Settings", PAGE)
