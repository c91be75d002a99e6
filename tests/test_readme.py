"""README.md and docs/on_error.md tell the truth: their code runs, their tables are the code's."""

from __future__ import annotations

import ast
import configparser
import os
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest
from webob import Request
from webtest import TestApp

import clerk_wsgi
from clerk_wsgi import (
    ApiError,
    Clerk,
    ClerkError,
    ClerkMiddleware,
    ConfigurationError,
    Session,
    set_default,
)
from clerk_wsgi.api.models import Client
from clerk_wsgi.cli import main
from clerk_wsgi.config import SETTINGS
from clerk_wsgi.emulator import forge
from clerk_wsgi.gate import Gate, WrapperOptions
from clerk_wsgi.settings import SettingArguments, Settings
from clerk_wsgi.testing import Emulator, clerk_for, in_process, plugin

from .minting import NOW
from .scripted import CLIENT, MEMBERSHIP, SESSION, USER, ScriptedClerk
from .servers import free_port
from .wrapping import App, bearer, clerk, minter, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/on_error.md")
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")


def text_of(page: str) -> str:
    return (PROJECT / page).read_text(encoding="utf-8")


def section(title: str, page: str = "README.md") -> str:
    """Return what stands below a heading, up to the next heading of any level."""
    parts = re.split(r"^#+ (.+)$", text_of(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def rows_of(title: str, page: str = "README.md", *, columns: int) -> list[list[str]]:
    """Return the rows, without the head, of the tables of a section that have so many columns."""
    lines = [line for line in section(title, page).splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    ruled = [number for number, row in enumerate(rows) if set("".join(row)) == {"-"}]
    heads = {number + shift for number in ruled for shift in (-1, 0)}
    return [row for number, row in enumerate(rows) if number not in heads and len(row) == columns]


def codes_in(cell: str) -> list[str]:
    return CODE.findall(cell)


@pytest.fixture(autouse=True)
def own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty working directory, a default instance with a key, and no way to the real Clerk."""
    for name in [name for name in os.environ if name.startswith("CLERK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLERK_API_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.chdir(tmp_path)
    set_default(clerk())
    yield
    set_default(None)


# ---- the code ----


def snippets() -> list[Any]:
    """Return all Python code, each with the page and the line where it begins."""
    found = []
    for page in PAGES:
        text = text_of(page)
        for match in SNIPPET.finditer(text):
            if is_suite(match[1]):
                continue
            line = text.count("\n", 0, match.start()) + 2
            found.append(pytest.param(match[1], id=f"{page}:{line}"))
    return found


def is_suite(code: str) -> bool:
    """Say whether code is for pytest to run, which has fixtures for it."""
    return "import pytest" in code


def run(code: str, app: App | None = None) -> dict[str, Any]:
    """Run code that finds an application of the name ``app``, and return its names."""
    names: dict[str, Any] = {"app": app or App()}
    exec(compile(code, "snippet", "exec"), names)
    return names


def snippet(title: str, page: str = "README.md", *, number: int = 0) -> dict[str, Any]:
    """Run one piece of code of a section, and return its names."""
    return run(SNIPPET.findall(section(title, page))[number])


@pytest.mark.parametrize("code", snippets())
def test_every_snippet_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = run(code)
    for name, value in names.items():
        if name.startswith("test_"):
            value()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("code", snippets())
@pytest.mark.parametrize("token", [None, "a.b.c", "ak_x", forge(minter().token())])
def test_what_a_snippet_wraps_signs_nobody_in_without_a_token(code: str, token: str | None) -> None:
    inner = App()
    app = run(code, inner)["app"]
    inner.environs.clear()
    keys = {} if token is None else {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    if isinstance(app, ClerkMiddleware):
        answer = serve(app, **keys)
        assert [each["clerk.session"] for each in inner.environs] in ([], [None])
        assert inner.calls or answer.status[0] in "345"


def test_the_example_has_fifteen_lines_and_shows_both_outcomes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = SNIPPET.findall(section("clerk_wsgi"))[0]
    assert len(code.splitlines()) <= 15
    user = run(code)["local"].users()[0]["id"]
    printed = capsys.readouterr().out.replace("\r", "")
    signed_in, _, rejected = printed.partition("401 Unauthorized\n")
    assert signed_in.startswith("200 OK\n")
    assert signed_in.rstrip().endswith(f"\n\nHello, {user}.")
    assert "\nContent-Length: 0\n" in rejected
    assert "Hello" not in rejected


def test_the_one_line_wraps_with_the_default_instance() -> None:
    app = snippet("clerk_wsgi", number=1)["app"]
    assert serve(app).status == "401 Unauthorized"
    assert serve(app, **bearer()).body == b"hello"
    set_default(None)
    with pytest.raises(ConfigurationError, match="CLERK_SECRET_KEY"):
        snippet("clerk_wsgi", number=1)


def test_the_page_greets_whoever_is_signed_in() -> None:
    page = snippet("What the application finds")["page"]
    app = App()
    wrapped = clerk_wsgi.with_session(app)
    serve(wrapped)
    serve(wrapped, **bearer(sub="user_7", org_id="org_7"))
    assert page(app.environs[0]) == "Please sign in."
    assert page(app.environs[1]) == "User user_7, organization org_7"
    with pytest.raises(LookupError):
        page({})


@pytest.mark.parametrize(
    ("title", "page", "accept"),
    [
        ("When nobody is signed in", "README.md", "*/*"),
        ("Recipes", "docs/on_error.md", "text/html"),
    ],
)
def test_page_loads_are_sent_to_the_sign_in_page(title: str, page: str, accept: str) -> None:
    app = snippet(title, page)["app"]
    request = {"PATH_INFO": "/a b", "QUERY_STRING": "c=d&e", "HTTP_ACCEPT": accept}
    answer = serve(app, **request)
    assert answer.status[:3] in ("302", "303")
    assert answer.one("Location") == "http://app.test/sign-in?back=%2Fa%2520b%3Fc%3Dd%26e"
    assert serve(app, **request, **bearer()).body == b"hello"


def test_what_is_no_page_load_is_let_through_by_the_readmes_handler() -> None:
    app = snippet("When nobody is signed in")["app"]
    assert serve(app, REQUEST_METHOD="POST").body == b"hello"


def test_what_is_no_page_load_is_refused_by_the_recipe() -> None:
    app = snippet("Recipes", "docs/on_error.md")["app"]
    assert serve(app, HTTP_ACCEPT="application/json").status == "401 Unauthorized"


def test_an_api_answers_in_json() -> None:
    answer = serve(snippet("When nobody is signed in", number=1)["app"])
    assert (answer.status, answer.body) == (
        "401 Unauthorized",
        b'{"error": "Nobody is signed in."}',
    )


def test_an_outage_is_let_through_by_the_lenient_handler_and_nothing_else() -> None:
    down = Clerk(secret_key="sk_test_1", http=in_process(ScriptedClerk()), dotenv=False)
    code = SNIPPET.findall(section("The two defaults", "docs/on_error.md"))[0]
    for instance, keys, status in (
        (down, bearer(), "200 OK"),
        (down, {}, "401 Unauthorized"),
        (clerk(), {"HTTP_AUTHORIZATION": "Bearer a.b.c"}, "401 Unauthorized"),
        (clerk(), bearer(), "200 OK"),
    ):
        set_default(instance)
        assert serve(run(code)["app"], **keys).status == status


def test_a_problem_document_is_a_few_lines() -> None:
    answer = serve(snippet("The response", "docs/on_error.md")["app"])
    assert answer.status == "401 Unauthorized"
    assert answer.one("Content-Type") == "application/problem+json"
    assert ast.literal_eval(answer.body.decode()) == {
        "status": 401,
        "reason": "session-token-and-uat-missing",
    }


def test_another_status_with_a_body_is_one_line() -> None:
    answer = serve(snippet("Recipes", "docs/on_error.md", number=1)["app"])
    assert answer.status == "403 Forbidden"
    assert answer.body == b'{"error": "This is not for you."}'


def test_a_pending_session_may_see_its_tasks_and_nothing_else() -> None:
    app = snippet("Recipes", "docs/on_error.md", number=2)["app"]
    pending = bearer(v=2, sts="pending", sub="user_7")
    assert serve(app, PATH_INFO="/tasks", **pending).body == b"hello"
    assert serve(app, PATH_INFO="/", **pending).status == "401 Unauthorized"
    assert serve(app, PATH_INFO="/tasks").status == "401 Unauthorized"
    seen = App()
    serve(clerk_wsgi.with_session(seen), **pending)
    whole = seen.environ["clerk.state"].to_auth(treat_pending_as_signed_out=False)
    assert whole.user_id == "user_7"


def test_the_api_is_asked_by_the_default_instance() -> None:
    address = {"object": "email_address", "id": "idn_1", "email_address": "ada@example.com"}
    user = {**USER, "email_addresses": [address], "primary_email_address_id": "idn_1"}
    email_address = snippet("Asking Clerk")["email_address"]
    app = App()
    serve(clerk_wsgi.with_session(app), **bearer(sub="user_1"))
    set_default(ScriptedClerk({"GET /v1/users/user_1": user}).instance())
    assert email_address(app.environ) == "ada@example.com"
    set_default(ScriptedClerk().instance())
    with pytest.raises(ApiError):
        email_address(app.environ)


def test_the_recipes_of_the_guide_work() -> None:
    names = snippet("Asking Clerk", number=1)
    local = ScriptedClerk({"POST /v1/sessions/sess_1/verify": SESSION})
    local.answers["POST /v1/clients/verify"] = CLIENT
    set_default(local.instance())
    request = Request.blank("/?_clerk_session_id=sess_1", headers={"Cookie": "__session=token"})
    assert names["particular_session"](request).id == "sess_1"
    assert names["last_active_session"](request).user_id == "user_1"
    assert [asked.body for asked in local.asked] == [{"token": "token"}] * 3
    with pytest.raises(ValueError, match="session_id"):
        names["particular_session"](Request.blank("/?_clerk_session_id=", headers=request.headers))


def test_what_the_readme_requires_below_its_paths_is_required() -> None:
    names = snippet("Roles, permissions, plans", number=1)
    member: dict[str, Any] = {"org_id": "org_1", "org_role": "org:member", "fva": [1, 1]}
    admin = {**member, "org_role": "org:admin", "pla": "o:gold", "v": 1}
    admin["org_permissions"] = ["org:invoices:read"]
    for path, statuses in {
        "/": ("200", "200", "200"),
        "/billing/7": ("401", "403", "200"),
        "/Exports": ("401", "403", "200"),
        "/danger": ("401", "200", "200"),
    }.items():
        for keys, status in zip(({}, bearer(**member), bearer(**admin)), statuses, strict=True):
            assert serve(names["app"], PATH_INFO=path, **keys).status[:3] == status, path
    reports = clerk_wsgi.with_session(names["reports"])
    assert serve(reports, **bearer(**member)).status == "403 Forbidden"
    assert serve(reports, **bearer(**admin)).body == b"for administrators"
    stale = serve(names["app"], PATH_INFO="/danger", **bearer(fva=[99, 99]))
    assert b"reverification-error" in stale.body


def test_a_permission_may_be_asked_for_without_requiring_it() -> None:
    may_invite = snippet("Roles, permissions, plans")["may_invite"]
    app = App()
    granted = {"org_id": "org_1", "org_permissions": ["org:members:invite"]}
    for claims in ({}, granted):
        serve(clerk_wsgi.with_session(app), **bearer(**claims))
    assert [may_invite(environ) for environ in app.environs] == [False, True]


def test_what_the_readme_protects_is_protected_and_the_rest_is_public() -> None:
    app = snippet("Protecting by path")["app"]
    table = {"200": ("/", "/about", "/static/x"), "401": ("/about/", "/static", "/x", "/admin")}
    table["400"] = tuple(
        re.findall("`(/[^`]+)`, `(//[^`]+)` and `([^`]+)`", text_of("README.md"))[0]
    )
    for status, paths in table.items():
        for path in paths:
            assert serve(app, PATH_INFO=unquote(path)).status[:3] == status, path
    assert serve(app, PATH_INFO="/admin", **bearer()).status == "403 Forbidden"


def test_whoever_waits_for_a_page_is_sent_to_sign_in_by_the_readme() -> None:
    set_default(Clerk(jwt_key=minter().pem, sign_in_url="/sign-in", dotenv=False))
    app = snippet("Redirecting to sign-in")["app"]
    answer = serve(app, HTTP_ACCEPT="text/html")
    assert answer.one("Location") == "/sign-in?redirect_url=http%3A%2F%2Fapp.test%2F"
    assert serve(app, HTTP_ACCEPT="*/*").status == "401 Unauthorized"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/a?b=c", "/a?b=c"),
        ("http://app.test/", "http://app.test/"),
        ("//evil.test", "/"),
        ("", "/"),
    ],
)
def test_nobody_leaves_the_site_after_signing_in(target: str, location: str) -> None:
    after = snippet("Redirecting to sign-in", number=1)["after_sign_in"]
    assert serve(after, QUERY_STRING=f"next={quote(target)}").one("Location") == location


def test_the_readme_signs_people_out() -> None:
    leave = snippet("Signing out")["leave"]
    local = ScriptedClerk({"POST /v1/sessions/sess_1/revoke": SESSION})
    instance = local.instance(jwt_key=minter().pem, clock=lambda: NOW)
    answer = serve(instance.with_session(leave), REQUEST_METHOD="POST", **bearer())
    assert (answer.status, answer.one("Location")) == ("303 See Other", "/goodbye")
    assert local.lines == ["POST /v1/sessions/sess_1/revoke"]


def test_people_are_greeted_by_name() -> None:
    greeting = snippet("The user in full")["greeting"]
    local = ScriptedClerk({"GET /v1/users/user_1": USER})
    app = App()
    wrapped = local.instance(jwt_key=minter().pem, clock=lambda: NOW).with_session(app)
    serve(wrapped)
    serve(wrapped, **bearer())
    assert [greeting(environ) for environ in app.environs] == ["Hello, stranger.", "Hello, Ada."]


def test_the_members_of_an_organization_are_asked_for() -> None:
    administrators = snippet("Asking Clerk", number=2)["administrators"]
    page = {"data": [MEMBERSHIP], "total_count": 1}
    local = ScriptedClerk({"GET /v1/organizations/org_1/memberships": page})
    set_default(local.instance())
    assert administrators("org_1") == ["user_1"]
    assert ("role", "org:admin") in local.asked[0].query


def test_a_token_needs_an_origin_where_parties_are_named() -> None:
    assert '`session_token(session["id"], azp="https://app.example.com")`' in text_of("README.md")
    local = Emulator()
    origin = "https://app.example.com"
    instance = clerk_for(local, publishable_key="", authorized_parties=[origin])
    session_id = local.sessions()[0]["id"]
    for token, status in (
        (local.session_token(session_id), "401"),
        (local.session_token(session_id, azp=origin), "200"),
    ):
        keys = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
        assert serve(instance.require_session(App()), **keys).status[:3] == status


MYAPP = """
from clerk_wsgi import {wrapper}
from webob import Response

def create_app():
    return {wrapper}(Response(text="hello"))
"""


@pytest.mark.parametrize(("wrapper", "outcome"), [("require_session", 0), ("with_session", 1)])
def test_the_suite_of_the_readme_passes_if_nobody_gets_in_who_should_not(
    wrapper: str, outcome: int, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    [suite] = [code for code in SNIPPET.findall(text_of("README.md")) if is_suite(code)]
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(myapp=MYAPP.format(wrapper=wrapper), test_suite=suite)
    options = ("-p", plugin.__name__, "-p", "no:cacheprovider", "--assert=plain")
    result = pytester.runpytest_inprocess(*options, "-W", "ignore:'cgi' is deprecated")
    result.assert_outcomes(passed=1 - outcome, failed=outcome)


# ---- the commands ----


def test_the_commands_are_those_that_the_project_knows() -> None:
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    commands = re.findall(r"^```sh\n(.+)\n```$", section("Try it"), re.MULTILINE)
    assert commands == [
        'pip install ".[demo]" && clerk-wsgi demo',
        'pip install ".[test]" && pytest',
    ]
    assert {"demo", "test"} <= setup["options.extras_require"].keys()
    assert "gunicorn" in setup["options.extras_require"]["demo"]
    assert "pytest" in setup["options.extras_require"]["test"]
    assert setup["options.entry_points"]["console_scripts"].split() == [
        "clerk-wsgi",
        "=",
        "clerk_wsgi.cli:main",
    ]
    assert commands[1].replace("install", "install --quiet") in text_of(".ci/run")


@pytest.mark.parametrize("command", ["demo", "emulator", "token"])
def test_the_commands_of_the_command_exist(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"clerk-wsgi {command}" in text_of("README.md")
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"clerk-wsgi {command}" in capsys.readouterr().out


def test_the_options_of_the_local_clerk_exist(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("token", "emulator"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
    options = capsys.readouterr().out.split()
    mentioned = set(re.findall(r"`(--[a-z-]+)", section("A local Clerk")))
    assert {"--expired", "--forged", "--seed", "--clerk-js", "--fail"} <= mentioned
    assert all({option, f"[{option}", f"[{option}]"} & set(options) for option in mentioned)


def test_the_versions_are_those_of_the_metadata() -> None:
    setup = text_of("setup.cfg")
    versions = re.findall(r"Python :: (3\.\d+)$", setup, re.MULTILINE)
    assert f"CPython {versions[0]} to {versions[-1]}" in text_of("README.md")
    assert f"python_requires = >={versions[0]}" in setup
    assert f"Python {versions[0]} or later" in section("Try it")
    required = re.findall(
        r"^    ([\w-]+) >= ", setup.partition("[options.packages")[0], re.MULTILINE
    )
    last = section("Compatibility and licence")
    assert required
    assert all(name in last for name in required)


# ---- the tables ----


def setting_rows() -> dict[str, list[str]]:
    return {codes_in(row[0])[0]: row for row in rows_of("Settings", columns=4)}


def test_every_setting_is_in_the_table_and_no_other() -> None:
    names = list(setting_rows())
    assert names == [setting.name for setting in SETTINGS]
    assert set(names) == SettingArguments.__annotations__.keys()


def test_every_setting_has_its_variables() -> None:
    for setting in SETTINGS:
        variables = tuple(codes_in(setting_rows()[setting.name][1]))
        assert variables == setting.variables, setting.name


def test_every_setting_has_its_default() -> None:
    defaults = {each.name: each.default for each in fields(Settings) if each.name != "sources"}
    assert MISSING not in defaults.values()
    assert defaults.keys() == setting_rows().keys()
    for name, row in setting_rows().items():
        shown = codes_in(row[2])
        if shown:
            assert ast.literal_eval(shown[0]) == defaults[name], name
            assert type(ast.literal_eval(shown[0])) is not bool or defaults[name] is False
        else:
            assert row[2] == "–"
            assert defaults[name] in (None, ()), name


def test_the_example_of_a_path_is_a_pattern() -> None:
    (patterns,) = re.findall(r"`organization_patterns=(.+?)`", text_of("README.md"))
    local = Emulator()
    instance = clerk_for(local, organization_patterns=ast.literal_eval(patterns))
    token = local.session_token(local.sessions()[0]["id"])
    cookies = f"__session={token}; __client_uat=1; __clerk_db_jwt=dvb_1"
    browser = TestApp(instance.require_session(App()))
    headers = {"Cookie": cookies, "Sec-Fetch-Dest": "document"}
    for path, status in (("/orgs/acme", 307), ("/orgs/acme/bills/7", 307), ("/about", 200)):
        browser.get(path, headers=headers, status=status)


def test_every_option_of_the_wrapper_is_in_the_table() -> None:
    rows = {codes_in(row[0])[0]: row for row in rows_of("Wrapping an application", columns=3)}
    options = {name: row for name, row in rows.items() if "(" not in name}
    assert options.keys() == WrapperOptions.__annotations__.keys()
    defaults = Gate.__init__.__kwdefaults__ or {}
    for name in options.keys() - {"on_error"}:
        (shown,) = codes_in(options[name][1])
        default = defaults[name]
        assert shown == getattr(default, "__name__", str(default)), name


def test_every_key_of_the_environ_is_in_the_table() -> None:
    app = App()
    serve(clerk_wsgi.with_session(app))
    shown = {codes_in(row[0])[0] for row in rows_of("What the application finds", columns=2)}
    assert shown == {name for name in app.environ if re.match(r"clerk\.[^_]", name)}


def test_the_attributes_that_are_named_exist() -> None:
    app = App()
    serve(clerk_wsgi.with_session(app), **bearer())
    text = section("What the application finds")
    sessions, auths = re.findall(r"A `Session` has (.+?)An `Auth` has (.+?)Both", text, re.DOTALL)[
        0
    ]
    for name in codes_in(sessions):
        assert name == "None" or hasattr(app.environ["clerk.session"], name), name
    for name in codes_in(auths):
        assert hasattr(app.environ["clerk.auth"], name), name


def known_names() -> dict[str, object]:
    """Return what the first part of a name in the table of Node's names may be."""
    return {
        **{name: getattr(clerk_wsgi, name) for name in clerk_wsgi.__all__},
        "error": ClerkError(),
        "session": Session(id="sess_1", user_id="user_1"),
        "client": Client(id="client_1"),
        "on_error": ClerkMiddleware(App(), clerk())._verdicts.on_error,
    }


def exists(name: str) -> bool:
    """Say whether a name of the table is one of this package."""
    if match := re.fullmatch(r'environ\["(.+)"\]', name):
        app = App()
        serve(clerk_wsgi.with_session(app))
        return match[1] in app.environ
    if name.startswith("CLERK_"):
        return any(name in setting.variables for setting in SETTINGS)
    if name == "_clerk_session_id":
        wrapped = clerk_wsgi.require_session(App())
        return serve(wrapped, QUERY_STRING=f"{name}=x", **bearer()).status[:3] == "401"
    if name in WrapperOptions.__annotations__:
        return True
    first, *rest = name.split(".")
    found = known_names().get(first)
    for attribute in rest:
        found = getattr(found, attribute, None)
        if found is None:
            return attribute in {each.name for each in fields(Client)} or attribute == "data"
    return found is not None


def test_every_python_name_for_a_node_name_exists() -> None:
    rows = rows_of("Coming from Clerk's Node SDK", columns=2)
    assert len(rows) > 15
    for node, python in rows:
        names = codes_in(python)
        assert names, node
        for name in names:
            assert exists(name), name


@pytest.mark.parametrize("name", ["sessions.verifySession", "with_sessions", "error.statusCode"])
def test_a_name_that_is_wrong_would_be_noticed(name: str) -> None:
    assert not exists(name)


def test_every_error_has_its_status() -> None:
    rows = {codes_in(row[0])[0]: row[1] for row in rows_of("Errors", columns=3)}
    errors = {
        name
        for name in clerk_wsgi.__all__
        if isinstance(getattr(clerk_wsgi, name), type)
        and issubclass(getattr(clerk_wsgi, name), ClerkError)
    }
    assert rows.keys() == errors - {"ClerkError"}
    for name, status in rows.items():
        if status.isdigit():
            assert getattr(clerk_wsgi, name).status_code == int(status)
    assert {name for name, status in rows.items() if not status.isdigit()} == {
        "ApiError",
        "ConfigurationError",
    }


# ---- the links ----


def anchors_of(page: str) -> set[str]:
    """Return what the headings of a page are called in links, as GitHub does."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKED = [*PAGES, *("docs/performance.md", "benchmarks/README.md")]
LINKED += [path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("docs/frameworks/*.md")]


@pytest.mark.parametrize("page", LINKED)
def test_every_link_within_the_project_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(page))
    assert links
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (PROJECT / page).parent / path if path else PROJECT / page
        assert target.exists(), link
        if anchor:
            name = target.resolve().relative_to(PROJECT).as_posix()
            assert anchor in anchors_of(name), link
