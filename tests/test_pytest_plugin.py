"""The fixtures as other people's suites have them: each test here runs a suite of its own."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests
import webtest

from clerk_wsgi import default_clerk, set_default
from clerk_wsgi.testing import Emulator, clerk_for

from .processes import PROJECT, TIMEOUT, clean_environ

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clerk_wsgi import Clerk

    Run = Callable[..., pytest.RunResult]

# What pytester finds loaded it need not load for each of the suites.
LOADED = (requests, webtest, Emulator)
PLUGIN = "clerk_wsgi.testing.plugin"
STRICT = ("-W", "error", "-W", "ignore:'cgi' is deprecated:DeprecationWarning", "--strict-markers")
PREAMBLE = """
import os, sys
import pytest
from webtest import TestApp
from clerk_wsgi import get_auth, require_session, with_session

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(get_auth(environ).user_id).encode()]

"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a suite of one file in this process, with the plugin of this checkout alone."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run_one(code: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(PREAMBLE + code)
        options = ("-p", PLUGIN, "-p", "no:cacheprovider", "--assert=plain", *STRICT)
        return pytester.runpytest_inprocess(*options, *arguments)

    return run_one


def test_a_suite_that_is_right_passes_and_one_that_is_wrong_fails(run: Run) -> None:
    result = run("""
@pytest.fixture
def browser(default_clerk):
    return TestApp(require_session(application))

def test_right(browser, signed_in, signed_out):
    browser.get("/", status=401)
    who = signed_in(browser, org_role="org:admin")
    assert browser.get("/").text == repr(who.user["id"])
    signed_out(browser)
    browser.get("/", status=401)

def test_wrong(browser, signed_in):
    signed_in(browser)
    browser.get("/", status=401)

def test_wrong_too(browser):
    browser.get("/", status=200)

@pytest.mark.parametrize("kind", ["valid", "expired", "wrong_key", "pending", "template"])
def test_only_the_valid_token(browser, clerk_tokens, kind):
    browser.authorization = ("Bearer", getattr(clerk_tokens, kind)())
    browser.get("/", status=200)
""")
    result.assert_outcomes(passed=2, failed=6)
    result.stdout.fnmatch_lines(["E *Bad response: 200 OK (not 401)*"])
    result.stdout.fnmatch_lines(["E *Bad response: 401 Unauthorized (not 200)*"] * 5)


def test_each_test_has_a_local_clerk_of_its_own_with_the_same_key(run: Run) -> None:
    run("""
seen = []

@pytest.mark.parametrize("number", range(3))
def test_it(number, clerk_emulator, signed_in, clerk):
    assert len(clerk_emulator.users()) == 1
    assert clerk_emulator.requests == []
    signed_in(user_id="user_42")
    clerk.users.count()
    clerk_emulator.faults.latency = 60
    seen.append((clerk_emulator.kid, clerk_emulator.public_key_pem()))
    assert len(seen) == number + 1 and len(set(seen)) == 1

def test_keys_that_are_rotated_are_rotated_for_one_test(clerk_emulator):
    clerk_emulator.rotate_signing_key()
    assert clerk_emulator.kid != seen[0][0]

def test_after_it(clerk_emulator):
    assert clerk_emulator.kid == seen[0][0]
""").assert_outcomes(passed=5)


def test_nobody_waits_for_a_local_clerk_whose_test_is_over(run: Run) -> None:
    run("""
import threading, time
waiting = []

def test_it(clerk, clerk_emulator):
    clerk_emulator.faults.latency = 60
    waiting.append(threading.Thread(target=clerk.users.count, daemon=True))
    waiting[0].start()

def test_after_it():
    waiting[0].join(20)
    assert not waiting[0].is_alive()
""").assert_outcomes(passed=2)


def test_all_fixtures_of_a_test_are_about_the_same_local_clerk(run: Run) -> None:
    run("""
def test_it(clerk_emulator, clerk, default_clerk, clerk_tokens, signed_in, request):
    assert clerk is default_clerk
    assert clerk.settings.secret_key.reveal() == clerk_emulator.secret_key
    ids = {user["id"] for user in clerk_emulator.users()}
    assert signed_in().user["id"] not in ids
    assert clerk_tokens.user["id"] not in ids
    assert len(clerk_emulator.users()) == 3
    assert request.getfixturevalue("clerk_server").emulator is clerk_emulator
""").assert_outcomes(passed=1)


# The default instance


def test_the_default_instance_is_what_it_was_before_each_test(
    run: Run, clerk_emulator: Emulator
) -> None:
    code = """
from clerk_wsgi import default_clerk as default, set_default

class Mine: before = None

@pytest.mark.parametrize("number", range(2))
def test_it(number, default_clerk):
    assert default() is default_clerk and default_clerk is not Mine.before
    Mine.before = default_clerk

def test_that_fails(default_clerk):
    raise RuntimeError

def test_that_replaces_it(default_clerk):
    set_default(None)
"""
    outside = clerk_for(clerk_emulator)
    for before in (outside, None):
        previous = set_default(before)
        run(code).assert_outcomes(passed=3, failed=1)
        assert set_default(previous) is before


def test_a_clerk_that_is_only_asked_for_is_no_default(run: Run, clerk_emulator: Emulator) -> None:
    outside = clerk_for(clerk_emulator)
    previous = set_default(outside)
    run("""
def test_it(clerk, signed_in, clerk_tokens):
    from clerk_wsgi import default_clerk as default
    assert default() is not clerk
""").assert_outcomes(passed=1)
    assert default_clerk() is outside
    set_default(previous)


def test_a_suite_may_have_a_clerk_of_its_own(run: Run) -> None:
    run("""
from clerk_wsgi import default_clerk as default
from clerk_wsgi.testing import clerk_for

@pytest.fixture
def clerk(clerk_emulator):
    return clerk_for(clerk_emulator, accepts_token="any")

def test_it(default_clerk, clerk_tokens):
    assert default().settings.accepts_token == "any"
    browser = TestApp(require_session(application))
    browser.authorization = ("Bearer", clerk_tokens.api_key())
    browser.get("/", status=200)
""").assert_outcomes(passed=1)


def test_what_is_in_the_environment_has_no_say(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_JWT_KEY", "junk")
    monkeypatch.setenv("CLERK_API_URL", "https://api.clerk.com")
    run("""
def test_it(default_clerk, signed_in):
    browser = TestApp(require_session(application))
    signed_in(browser)
    browser.get("/", status=200)
    assert os.environ["CLERK_JWT_KEY"] == "junk"
""").assert_outcomes(passed=1)


# The mark


def test_a_mark_gives_options_and_the_closest_one_wins(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", seed='[[users]]\nid = "user_of_the_seed"\n')
    run("""
LIVE = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
pytestmark = pytest.mark.clerk(publishable_key=LIVE, clock_skew=1, secret_key="sk_test_mine")

@pytest.mark.clerk(clock_skew=2, accepts_token="any", verify_endpoints="gone")
class TestIt:
    @pytest.mark.clerk(clock_skew=3)
    def test_all_of_them_count(self, clerk, clerk_emulator):
        settings = clerk.settings
        assert settings.publishable_key.text == clerk_emulator.publishable_key == LIVE
        assert settings.secret_key.reveal() == clerk_emulator.secret_key == "sk_test_mine"
        assert (settings.clock_skew, settings.accepts_token) == (3, "any")
        with pytest.raises(Exception, match="410"):
            clerk.clients.verify_client("token")

def test_others_are_not_concerned(clerk):
    assert (clerk.settings.clock_skew, clerk.settings.accepts_token) == (1, "session_token")

@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

@pytest.mark.clerk(seed="seed.toml")
def test_a_seed_is_found_from_anywhere(elsewhere, clerk_emulator):
    assert [user["id"] for user in clerk_emulator.users()] == ["user_of_the_seed"]
""").assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("publishable='pk_test_x'", "UsageError: the mark clerk has no option publishable"),
        ("clock=lambda: 0", "UsageError: the mark clerk has no option clock"),
        ("signing_key=None", "UsageError: the mark clerk has no option signing_key"),
        ("colour=1, http=None", "UsageError: the mark clerk has no option colour, http"),
        ("'sk_test_x'", "UsageError: the mark clerk takes its options by name"),
        ("publishable_key='junk'", "ValueError: no publishable key"),
        ("verification='maybe'", "*ConfigurationError: verification*"),
    ],
)
def test_a_mark_that_cannot_be_meant_is_an_error(mark: str, text: str, run: Run) -> None:
    result = run(f"""
@pytest.mark.clerk({mark})
def test_it(clerk):
    pass
""")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{text}*"])


def test_an_option_that_is_wrong_is_noticed_whatever_fixture_is_used(run: Run) -> None:
    result = run("""
@pytest.mark.clerk(accepts_tokens="any")
def test_it(signed_in):
    pass
""")
    result.assert_outcomes(errors=1)


def test_pytest_shows_what_there_is(run: Run) -> None:
    marks = run("", "--markers")
    marks.stdout.fnmatch_lines(["@pytest.mark.clerk(*options): options of the local Clerk *"])
    fixtures = run("", "--fixtures").stdout.str()
    section = fixtures.partition("fixtures defined from clerk_wsgi.testing.plugin")[2]
    section = section.partition("\n----")[0]
    shown = [line.split(" -- ")[0] for line in section.splitlines() if " -- " in line]
    assert sorted(shown) == [
        "clerk",
        "clerk_emulator",
        "clerk_environ",
        "clerk_server",
        "clerk_tokens",
        "default_clerk",
        "frozen_clock",
        "signed_in",
        "signed_out",
    ]
    assert "no docstring" not in section


# The clock


def test_time_stands_still_for_who_asks_for_it(run: Run) -> None:
    run("""
import time

def test_frozen(clerk_emulator, clerk, signed_in, frozen_clock):
    who = signed_in()
    frozen_clock.tick(3600)
    assert clerk_emulator.milliseconds() == int(frozen_clock() * 1000)
    assert clerk.authenticate(who.environ).reason.startswith("session-token-expired")
    assert clerk.authenticate(signed_in().environ).status == "signed-in"

@pytest.mark.usefixtures("frozen_clock")
def test_frozen_by_name(clerk_emulator):
    first = clerk_emulator.milliseconds()
    time.sleep(0.01)
    assert clerk_emulator.milliseconds() == first

def test_as_ever(clerk_emulator):
    first = clerk_emulator.milliseconds()
    time.sleep(0.01)
    assert clerk_emulator.milliseconds() > first
""").assert_outcomes(passed=3)


def test_a_clock_cannot_be_frozen_on_the_way(run: Run) -> None:
    result = run("""
def test_too_late(request, clerk_emulator):
    request.getfixturevalue("frozen_clock")

def test_not_named(request):
    request.getfixturevalue("frozen_clock")
""")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*UsageError: frozen_clock: name it in the test's arguments*"] * 2)


# On a port, for other processes


@pytest.mark.servers
def test_an_application_in_another_process_uses_the_local_clerk(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    run("""
import subprocess
from webtest import TestApp

PROGRAM = '''
import sys
from clerk_wsgi import Clerk
clerk = Clerk(dotenv=False)
state = clerk.authenticate({"HTTP_AUTHORIZATION": f"Bearer {sys.argv[1]}"})
print(state.status, state.auth.user_id, clerk.settings.proxy_url)
'''

def ask(token, environ):
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CLERK_")}
    done = subprocess.run([sys.executable, "-c", PROGRAM, token], env={**kept, **environ},
                          capture_output=True, text=True, check=True)
    return done.stdout.split()

def test_it(clerk_environ, clerk_server, signed_in, clerk_tokens):
    who = signed_in()
    assert ask(who.token, clerk_environ) == ["signed-in", who.user["id"], clerk_server.url]
    assert ask(clerk_tokens.wrong_key(), clerk_environ)[:2] == ["signed-out", "None"]
    paths = [(one.path, one.status) for one in clerk_server.emulator.requests]
    assert paths == [("/v1/jwks", 200)] * 2

def test_a_server_ends_with_its_test(clerk_server):
    test_a_server_ends_with_its_test.url = clerk_server.url
    clerk_server.emulator.faults.latency = 60

def test_after_it():
    import requests
    with pytest.raises(requests.ConnectionError):
        requests.get(test_a_server_ends_with_its_test.url, timeout=10)
""").assert_outcomes(passed=3)


# How pytest finds it


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which the package looks installed, with the entry points of setup.cfg."""
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    info = tmp_path / "site" / "clerk_wsgi-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: clerk-wsgi\nVersion: 0\n")
    points = setup["options.entry_points"]["pytest11"].strip()
    (info / "entry_points.txt").write_text(f"[pytest11]\n{points}\n")
    path = os.pathsep.join([str(tmp_path / "site"), str(PROJECT)])
    return clean_environ(PYTHONPATH=path, PYTHONWARNINGS="")


def suite(
    tmp_path: Path, environ: dict[str, str], code: str, *options: str, autoload: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a suite in a process of its own, outside of this project."""
    (tmp_path / "test_it.py").write_text(code)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *STRICT, *options, "test_it.py"],
        cwd=tmp_path,
        env={**environ, **({} if autoload else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


USES_IT = """
def test_it(signed_in, clerk):
    assert clerk.authenticate(signed_in().environ).status == "signed-in"
"""


@pytest.mark.parametrize(
    ("options", "autoload"),
    [
        ((), True),
        (("-p", "clerk_wsgi"), True),
        (("-p", "clerk_wsgi"), False),
        (("-p", PLUGIN), False),
    ],
    ids=str,
)
def test_an_installed_package_needs_no_option(
    options: tuple[str, ...], autoload: bool, tmp_path: Path, installed: dict[str, str]
) -> None:
    done = suite(tmp_path, installed, USES_IT, *options, autoload=autoload)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(("options", "autoload"), [(("-p", "no:clerk_wsgi"), True), ((), False)])
def test_it_can_be_left_out(
    options: tuple[str, ...], autoload: bool, tmp_path: Path, installed: dict[str, str]
) -> None:
    done = suite(tmp_path, installed, USES_IT, *options, autoload=autoload)
    assert done.returncode == 1
    assert "fixture 'signed_in' not found" in done.stdout


def test_a_suite_that_uses_nothing_of_it_loads_nothing_but_the_plugin(
    tmp_path: Path, installed: dict[str, str]
) -> None:
    code = """
import sys

def test_it(request):
    assert request.config.pluginmanager.has_plugin("clerk_wsgi")
    parts = ("clerk_wsgi.emulator", "clerk_wsgi.testing", "clerk_wsgi.cli", "clerk_wsgi.demo")
    loaded = {name for name in sys.modules if name.startswith(parts)}
    assert loaded == {"clerk_wsgi.testing", "clerk_wsgi.testing.plugin"}
    assert not {"requests", "urllib3", "sqlite3", "webob", "django", "flask"} & set(sys.modules)
"""
    done = suite(tmp_path, installed, code, "-p", "clerk_wsgi", autoload=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_this_suite_takes_the_plugin_of_this_checkout(
    pytestconfig: pytest.Config, clerk: Clerk
) -> None:
    """Whatever copy of the package is installed: its entry point is blocked in pyproject.toml."""
    manager = pytestconfig.pluginmanager
    assert manager.is_blocked("clerk_wsgi")
    plugin: Any = manager.get_plugin(PLUGIN)
    assert plugin.__file__ == str(PROJECT / "clerk_wsgi" / "testing" / "plugin.py")
    assert type(clerk).__module__ == "clerk_wsgi.clerk"
