"""PasteDeploy: ``.ini`` files that wrap applications, read by PasteDeploy itself."""

from __future__ import annotations

import configparser
import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from webtest import TestApp

from clerk_wsgi import Clerk, ClerkMiddleware, ConfigurationError
from clerk_wsgi.integrations import paste
from clerk_wsgi.testing import as_default

from ..processes import PROJECT, clean_environ
from ..wrapping import clerk as a_clerk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from clerk_wsgi.testing import RunningEmulator, SignIn

# What the package's entry points are to be, by which ``egg:clerk-wsgi#NAME`` finds a filter.
ENTRY_POINTS = """
[paste.filter_app_factory]
main = clerk_wsgi.integrations.paste:filter_app_factory
with_session = clerk_wsgi.integrations.paste:filter_app_factory
require_session = clerk_wsgi.integrations.paste:require_session_factory
protect = clerk_wsgi.integrations.paste:protect_factory
require = clerk_wsgi.integrations.paste:require_factory

[paste.filter_factory]
filter = clerk_wsgi.integrations.paste:filter_factory
"""
loadapp = importlib.import_module("paste.deploy").loadapp  # which has no types
MODULE = "clerk_wsgi.integrations.paste"


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    session = environ["clerk.session"]
    return [b"nobody" if session is None else session.user_id.encode()]


def app_factory(global_conf: Mapping[str, str], **local_conf: str) -> object:
    return application


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """``load(ini)`` makes the application of a file with these filters before ``application``."""
    installed = tmp_path / "clerk_wsgi-0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: clerk-wsgi\nVersion: 0\n")
    (installed / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()

    def load(ini: str) -> Any:
        file = tmp_path / "app.ini"
        file.write_text(
            f"{ini}\n[app:application]\npaste.app_factory = {__name__}:app_factory\n",
            encoding="utf-8",
        )
        return loadapp(f"config:{file}")

    return load


def pipeline(*filters: str, **options: str) -> str:
    """Return a file with one filter per line of ``use``, the options given to the first."""
    names = " ".join(f"filter{number}" for number, _ in enumerate(filters))
    lines = ["[pipeline:main]", f"pipeline = {names} application"]
    for number, use in enumerate(filters):
        lines += [f"[filter:filter{number}]", use]
        lines += [f"{name} = {text}" for name, text in options.items() if number == 0]
    return "\n".join(lines)


LAX = [
    "use = egg:clerk-wsgi",
    "use = egg:clerk-wsgi#with_session",
    "use = egg:clerk-wsgi#filter",
    f"use = call:{MODULE}:filter_factory",
    f"paste.filter_app_factory = {MODULE}:filter_app_factory",
    f"paste.filter_factory = {MODULE}:filter_factory",
]
STRICT = [
    "use = egg:clerk-wsgi#require_session",
    f"paste.filter_app_factory = {MODULE}:require_session_factory",
]


@pytest.mark.parametrize("use", LAX)
def test_a_filter_says_who_is_there(
    use: str, load: Callable[[str], Any], default_clerk: Clerk, signed_in: SignIn
) -> None:
    browser = TestApp(load(pipeline(use)))
    assert browser.get("/").text == "nobody"
    who = signed_in(browser)
    assert browser.get("/").text == who.user["id"]


@pytest.mark.parametrize("use", STRICT)
def test_a_filter_may_require_somebody(
    use: str, load: Callable[[str], Any], default_clerk: Clerk, signed_in: SignIn
) -> None:
    browser = TestApp(load(pipeline(use)))
    browser.get("/", status=401)
    who = signed_in(browser)
    assert browser.get("/").text == who.user["id"]


def test_a_filter_may_protect_all_but_public_paths(
    load: Callable[[str], Any], default_clerk: Clerk, signed_in: SignIn
) -> None:
    use = "use = egg:clerk-wsgi#protect\npublic = / /static/*\n  /about"
    browser = TestApp(load(pipeline(use)))
    for path in ("/", "/static/a.css", "/about"):
        assert browser.get(path).text == "nobody"
    browser.get("/page", status=401)
    signed_in(browser)
    browser.get("/page", status=200)


def test_a_filter_behind_another_may_require_more(
    load: Callable[[str], Any], default_clerk: Clerk, signed_in: SignIn
) -> None:
    admins = "use = egg:clerk-wsgi#require\nbelow = /admin, /billing\nrole = org:admin"
    browser = TestApp(load(pipeline("use = egg:clerk-wsgi", admins)))
    assert browser.get("/").text == "nobody"
    for path in ("/admin", "/billing/7"):
        browser.get(path, status=401)
    signed_in(browser, org_role="org:member")
    browser.get("/admin", status=403)
    signed_in(browser, org_role="org:admin")
    browser.get("/billing/7", status=200)


def test_paths_with_nothing_but_a_comma_between_them_are_not_taken_for_one(
    load: Callable[[str], Any], default_clerk: Clerk
) -> None:
    admins = "use = egg:clerk-wsgi#require\nbelow = /admin,/billing"
    with pytest.raises(ConfigurationError, match="^below: expected paths with white space"):
        load(pipeline("use = egg:clerk-wsgi", admins))


def test_an_instance_is_made_of_a_filters_settings(
    load: Callable[[str], Any], clerk_server: RunningEmulator, signed_in: SignIn
) -> None:
    ini = pipeline(
        STRICT[0],
        dotenv="false",
        secret_key=clerk_server.emulator.secret_key,
        api_url=clerk_server.url,
        authorized_parties="https://a.example.com\n  https://b.example.com",
        error_response="clerk_wsgi:json_error_response",
        exempt="/healthz",
    )
    browser = TestApp(load(ini))
    assert "error" in browser.get("/", status=401).json
    assert browser.get("/healthz").text == "nobody"
    signed_in(browser, claims={"azp": "https://b.example.com"})
    browser.get("/", status=200)
    signed_in(browser, claims={"azp": "https://c.example.com"})
    browser.get("/", status=401)


def test_two_filters_may_have_different_instances(
    load: Callable[[str], Any], clerk_server: RunningEmulator
) -> None:
    key = clerk_server.emulator.secret_key
    settings = f"dotenv = false\nsecret_key = {key}\napi_url = {clerk_server.url}"
    outer = load(pipeline(f"{LAX[0]}\n{settings}", f"{STRICT[0]}\n{settings}\naudience = a"))
    assert isinstance(outer, ClerkMiddleware)
    TestApp(outer).get("/", status=401)


def test_what_default_says_is_for_others(load: Callable[[str], Any], default_clerk: Clerk) -> None:
    TestApp(load(f"[DEFAULT]\nsecret_key = not one\ncolour = blue\n{pipeline(LAX[0])}")).get("/")


@pytest.mark.parametrize(
    ("use", "options", "message"),
    [
        (LAX[0], {"secret_kye": "sk"}, "secret_kye: .* did you mean secret_key?"),
        (LAX[0], {"public": "/"}, "public: there is no such setting"),
        (LAX[2], {"timeout": "soon"}, "timeout: expected a number of seconds"),
        (STRICT[0], {"remote_user": "maybe"}, "remote_user: expected 1, true"),
        ("use = egg:clerk-wsgi#protect", {"public": ","}, "public: expected paths"),
        ("use = egg:clerk-wsgi#require", {"rule": "org:admin"}, "rule: .* did you mean role?"),
        ("use = egg:clerk-wsgi#require", {"secret_key": "sk"}, "secret_key: there is no such"),
    ],
)
def test_a_wrong_setting_fails_when_the_file_is_loaded(
    use: str, options: dict[str, str], message: str, load: Callable[[str], Any]
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(pipeline(use, **options))


def test_a_requirement_that_cannot_be_met_fails_when_the_file_is_loaded(
    load: Callable[[str], Any],
) -> None:
    with pytest.raises(ValueError, match="^role: "):
        load(pipeline("use = egg:clerk-wsgi#require", role="not a role"))


def test_a_filter_factory_reads_its_settings_once_for_several_applications(
    clerk: Clerk, signed_in: SignIn
) -> None:
    with as_default(clerk):
        make = paste.filter_factory({}, remote_user="yes")
        browsers = [TestApp(make(application)), TestApp(make(application))]
    for browser in browsers:
        who = signed_in(browser)
        assert browser.get("/").text == who.user["id"]


NAMED = a_clerk()


def test_an_instance_may_be_named(load: Callable[[str], Any]) -> None:
    app = load(pipeline(STRICT[0], instance=f"{__name__}:NAMED"))
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST"}
    app(environ, lambda *args: None)
    assert environ["clerk.instance"] is NAMED
    with pytest.raises(ConfigurationError, match="leave out secret_key"):
        load(pipeline(STRICT[0], instance=f"{__name__}:NAMED", secret_key="sk_test_x"))


def test_neither_pastedeploy_nor_a_framework_is_needed() -> None:
    code = (
        "import sys; sys.modules['paste'] = sys.modules['paste.deploy'] = None\n"
        "sys.modules['pyramid'] = None\n"
        f"import {MODULE} as paste\n"
        "app = paste.require_session_factory(print, {}, secret_key='sk_test_x')\n"
        "print(type(app).__name__)"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(
        command,
        cwd=PROJECT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == "ClerkMiddleware\n"


def test_the_package_declares_these_entry_points() -> None:
    setup, promised = configparser.ConfigParser(), configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg", encoding="utf-8")
    promised.read_string(ENTRY_POINTS)
    for group in promised.sections():
        declared = setup["options.entry_points"][group].split()
        assert declared == " ".join(map(" = ".join, promised.items(group))).split()
