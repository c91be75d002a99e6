"""What Django's settings say about Clerk, and what is said of settings that are wrong."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler

from clerk_wsgi import Clerk, ConfigurationError, default_clerk, sign_in_on_error
from clerk_wsgi.config import SETTINGS
from clerk_wsgi.gate import AnswerOptions
from clerk_wsgi.integrations.django import ClerkMiddleware, get_clerk
from clerk_wsgi.testing import as_default

from .. import django_site
from ..processes import PROJECT, clean_environ
from .django_settings import project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import SignIn

assert django_site.urlpatterns  # some settings of Django have to be there

SECRET = "sk_test_never_shown_anywhere"
NUMBER = 401
KEYS: dict[str, Any] = {"secret_key": SECRET}


@pytest.fixture(autouse=True)
def no_other_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither variables nor files of the machine, so that the settings of Django are all."""
    for setting in SETTINGS:
        for name in setting.variables:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def no_default_instance(clerk: Clerk) -> Iterator[None]:
    with as_default(clerk):
        yield


def start() -> Any:
    """Make a handler, as get_wsgi_application() does."""
    handler = WSGIHandler()
    assert handler._middleware_chain
    return handler


def middleware() -> ClerkMiddleware:
    def respond(request: Any) -> Any:
        raise NotImplementedError

    return ClerkMiddleware(respond)


def test_a_dict_and_names_of_their_own_say_the_same() -> None:
    named = {
        "CLERK_SECRET_KEY": SECRET,
        "CLERK_TIMEOUT": 7,
        "CLERK_AUTHORIZED_PARTIES": ["https://a"],
    }
    in_dict = {**KEYS, "timeout": 7, "authorized_parties": ["https://a"]}
    both = {**named, "CLERK": {**KEYS, "timeout": None}, "CLERK_SECRET_KEY": None}
    for settings in ({"CLERK": in_dict}, named, both):
        with project(**settings):
            found = get_clerk().settings
        assert found.secret_key is not None
        assert found.secret_key.reveal() == SECRET
        assert (found.timeout, found.authorized_parties) == (7, ("https://a",))


@pytest.mark.parametrize("setting", [setting.name for setting in SETTINGS])
def test_every_setting_of_an_instance_is_read(setting: str) -> None:
    with project(CLERK={setting: object()}), pytest.raises(ImproperlyConfigured, match=setting):
        get_clerk()
    alone: Any = {f"CLERK_{setting.upper()}": object()}
    with project(**alone), pytest.raises(ImproperlyConfigured, match=setting):
        get_clerk()


def test_there_is_one_instance_for_the_process_made_when_it_is_needed() -> None:
    with project(CLERK=dict(KEYS)):
        first = get_clerk()
        middleware()
        assert get_clerk() is first
        assert get_clerk() is not default_clerk()
    with project(CLERK={**KEYS, "timeout": 7}):
        assert get_clerk() is not first


def test_it_is_the_default_instance_if_nothing_is_said_of_any(clerk: Clerk) -> None:
    nothing: list[dict[str, Any]] = [{}, {"CLERK": {}}, {"CLERK": {"remote_user": True}}]
    for settings in (*nothing, {"CLERK": {"timeout": None}}):
        with project(**settings):
            assert get_clerk() is clerk


def test_it_may_be_one_that_there_is(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Clerk(secret_key=SECRET, dotenv=False)
    with project(CLERK={"instance": other}):
        assert get_clerk() is other
    with project(CLERK_INSTANCE=f"{__name__}.chosen"):
        with pytest.raises(ImproperlyConfigured, match="instance is a function"):
            get_clerk()
        middleware()


def chosen(environ: Any) -> Clerk:
    """The instance of one of several domains."""
    return default_clerk()


def test_the_environment_says_what_the_settings_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERK_SECRET_KEY", SECRET)
    monkeypatch.setenv("CLERK_TIMEOUT", "9")
    with project(CLERK={"timeout": 7}):
        settings = get_clerk().settings
    assert settings.secret_key is not None
    assert (settings.secret_key.reveal(), settings.timeout) == (SECRET, 7)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"CLERK": {**KEYS, "timeout": "soon"}}, "timeout"),
    ({"CLERK": {**KEYS, "publishable_key": SECRET}}, "publishable_key"),
    ({"CLERK": {**KEYS, "time_out": 3}}, "unknown setting: time_out"),
    ({"CLERK": {**KEYS, 7: 3}}, "unknown setting: 7"),
    ({"CLERK": {"publishable_key": ""}}, "secret_key is not set"),
    ({"CLERK": [SECRET]}, "expected a dict"),
    ({"CLERK": SECRET}, "expected a dict"),
    ({"CLERK": KEYS, "CLERK_SECRET_KEY": SECRET}, "secret_key is set twice"),
    ({"CLERK": {**KEYS, "instance": chosen}}, "secret_key: there is an instance"),
    ({"CLERK": {"instance": 7}}, "clerk must be callable, not int"),
    ({"CLERK": {"instance": "nowhere.at_all"}}, "instance: No module named 'nowhere'"),
    ({"CLERK": {**KEYS, "on_error": "nowhere.at_all"}}, "on_error: No module named 'nowhere'"),
    ({"CLERK": {**KEYS, "on_error": "nowhere"}}, "on_error: nowhere doesn't look like"),
    ({"CLERK": {**KEYS, "on_error": f"{__name__}.nothing"}}, "on_error: .*nothing"),
    ({"CLERK": {**KEYS, "on_error": 401}}, "on_error must be callable, not int"),
    ({"CLERK_ON_ERROR": f"{__name__}.NUMBER"}, "on_error must be callable, not int"),
    ({"CLERK": {**KEYS, "error_response": {}}}, "error_response must be callable, not dict"),
    ({"CLERK": {**KEYS, "on_decision": 7}}, "on_decision must be callable, not int"),
    ({"CLERK": {**KEYS, "exempt": ["/static/*"]}}, "exempt"),
    ({"CLERK_EXEMPT": ["healthz"]}, "exempt"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_wrong_settings_are_told_of_at_the_start_and_no_key_is(
    settings: dict[str, Any], message: str
) -> None:
    with project(**settings), pytest.raises(ImproperlyConfigured, match=message) as raised:
        start()
    assert str(raised.value).startswith("CLERK: ")
    for error in (raised.value, raised.value.__cause__):
        assert error is not None
        assert not [local for local in locals_of(error) if SECRET in repr(local)]


def locals_of(error: BaseException) -> list[object]:
    """What a report of an error would show of this package: the variables of its functions."""
    return [
        local
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if f"{Path('clerk_wsgi/integrations')}" in frame.f_code.co_filename
        for local in frame.f_locals.values()
    ]


def test_a_missing_key_is_told_of_at_the_start_and_not_when_the_settings_are_read() -> None:
    with as_default(None), project() as client:  # type: ignore[arg-type] # as before its first use
        with pytest.raises(ImproperlyConfigured, match="secret_key is not set") as raised:
            start()
        assert isinstance(raised.value.__cause__, ConfigurationError)
        with pytest.raises(ImproperlyConfigured):
            client.get("/")


def test_other_names_that_begin_alike_are_not_ours_to_judge(clerk: Clerk) -> None:
    with project(CLERK_WEBHOOK_SIGNING_SECRET="whsec_x", CLERKS=["Ada"]):
        assert get_clerk() is clerk


def test_every_option_of_a_gate_is_read(signed_in: SignIn) -> None:
    seen: list[str] = []
    options = {
        "debug_headers": True,
        "remote_user": True,
        "exempt": ["/mine"],
        "on_decision": lambda state, seconds: seen.append(state.status),
    }
    assert AnswerOptions.__annotations__.keys() - options.keys() == {"error_response"}
    with project(CLERK=options) as client:
        assert client.get("/")["x-clerk-auth-status"] == "signed-out"
        who = signed_in(client)
        answer = client.get("/")
        assert answer.wsgi_request.META["REMOTE_USER"] == who.user["id"]
        assert seen == ["signed-out", "signed-in"]
        answer = client.get("/mine")
        assert answer.status_code == 401
        assert answer.wsgi_request.environ["clerk.state"].reason == "path-exempt"
        assert seen == ["signed-out", "signed-in"]


def test_people_are_sent_to_sign_in_unless_the_settings_say_otherwise() -> None:
    with project(CLERK={}):
        assert middleware()._verdicts.on_error is sign_in_on_error


def test_without_django_one_line_says_what_to_install() -> None:
    code = """
import sys
sys.modules["django"] = None
import clerk_wsgi.integrations.django
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last == ("ImportError: clerk_wsgi.integrations.django needs Django: pip install django")


def test_importing_it_needs_no_settings_of_django_and_no_key() -> None:
    code = "import clerk_wsgi.integrations.django, django.conf as c; print(c.settings.configured)"
    shown = subprocess.check_output(
        [sys.executable, "-c", code], cwd=PROJECT, env=clean_environ(), text=True, timeout=60
    )
    assert shown == "False\n"
