"""The kit for other people's tests: a local Clerk on a port or in the same process, its time."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest
import requests

from clerk_wsgi import (
    ApiError,
    Auth,
    Clerk,
    ConfigurationError,
    default_clerk,
    set_default,
    testing,
    with_session,
)
from clerk_wsgi.config import SETTINGS
from clerk_wsgi.emulator import Failure, ListenError, SigningKey, forge
from clerk_wsgi.testing import (
    Emulator,
    FrozenClock,
    as_default,
    clerk_for,
    in_process,
    start_emulator,
)

from .minting import NOW, environ
from .processes import PROJECT, clean_environ
from .wrapping import App, serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def environ_of(token: str | None = None) -> dict[str, Any]:
    """A request for the wrapped application."""
    return environ() if token is None else environ(HTTP_AUTHORIZATION=f"Bearer {token}")


def plain_clerk(emulator: Emulator, **options: Any) -> Clerk:
    return Clerk(secret_key=emulator.secret_key, dotenv=False, **options)


def token_of(emulator: Emulator, **options: Any) -> str:
    return emulator.session_token(emulator.sessions()[0]["id"], **options)


def test_a_clerk_verifies_tokens_of_a_running_emulator() -> None:
    with start_emulator() as running:
        clerk = plain_clerk(running.emulator, api_url=running.url)
        state = clerk.authenticate(environ_of(token_of(running.emulator)))
        assert state.status == "signed-in"
        assert isinstance(state.auth, Auth)
        assert state.auth.user_id == running.emulator.users()[0]["id"]
        assert [(one.path, one.status) for one in running.emulator.requests] == [("/v1/jwks", 200)]


def test_a_clerk_verifies_tokens_of_an_emulator_without_any_socket() -> None:
    emulator = Emulator()
    clerk = plain_clerk(emulator, http=in_process(emulator))
    state = clerk.authenticate(environ_of(token_of(emulator)))
    assert state.status == "signed-in"
    assert [one.path for one in emulator.requests] == ["/v1/jwks"]


@pytest.mark.parametrize("kind", ["forged", "another", "expired", "none", "wrong key"])
def test_nothing_else_signs_anybody_in(kind: str) -> None:
    emulator, other = Emulator(), Emulator()
    tokens = {
        "forged": forge(token_of(emulator)),
        "another": token_of(other),
        "expired": token_of(emulator, expires_in=-60),
        "none": None,
        "wrong key": token_of(emulator),
    }
    owner = other if kind == "wrong key" else emulator
    clerk = plain_clerk(owner, http=in_process(emulator))
    state = clerk.authenticate(environ_of(tokens[kind]))
    assert state.status == "signed-out"
    assert not state.auth


def test_the_public_key_verifies_without_a_request() -> None:
    emulator = Emulator()
    clerk = Clerk(jwt_key=emulator.public_key_pem(), http=in_process(emulator), dotenv=False)
    assert clerk.authenticate(environ_of(token_of(emulator))).status == "signed-in"
    assert emulator.requests == []


def test_a_stopped_emulator_answers_nobody() -> None:
    running = start_emulator()
    with requests.Session() as session:
        session.get(running.url, timeout=10)
        running.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(running.url, timeout=10)
    running.stop()


def test_an_emulator_of_ones_own_survives_an_outage() -> None:
    emulator = Emulator()
    with start_emulator(emulator=emulator) as before:
        port = before.port
    with start_emulator(port, emulator=emulator) as after:
        assert after.emulator is emulator
        assert requests.get(after.url, timeout=10).status_code == 401
    assert len(emulator.requests) == 1
    assert emulator.users()


def test_the_options_are_those_of_the_emulator(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with start_emulator(state=state, secret_key="sk_test_mine") as running:
        assert running.emulator.secret_key == "sk_test_mine"
    unknown: Any = {"colour": "blue"}
    with pytest.raises(TypeError):
        start_emulator(**unknown)
    with pytest.raises(TypeError, match="not both"):
        start_emulator(emulator=Emulator(), state=state)


def test_a_port_in_use_is_an_error() -> None:
    with start_emulator() as running:
        for emulator in (None, Emulator()):
            with pytest.raises(ListenError, match=f"port {running.port}"):
                start_emulator(running.port, emulator=emulator)


# In process


class Teapot:
    """An application that tells what it was asked, and counts the bodies that were closed."""

    def __init__(self) -> None:
        self.closed = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        asked = f"{environ['REQUEST_METHOD']} {environ['HTTP_HOST']} {environ['QUERY_STRING']} "
        headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Type", "text/plain")]
        start_response("418 I'm a teapot", headers)
        return Body(self, asked.encode() + body)


class Body:
    """A body in one piece."""

    def __init__(self, app: Teapot, content: bytes) -> None:
        self._app = app
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        return iter([self._content])

    def close(self) -> None:
        self._app.closed += 1


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, b""),
        ({"data": b"\xff"}, b"\xff"),
        ({"data": {"a": "b"}}, b"a=b"),
        ({"json": {"a": 1}}, b'{"a": 1}'),
    ],
)
def test_every_host_is_the_application(options: dict[str, Any], body: bytes) -> None:
    app = Teapot()
    with in_process(validator(app)) as session:
        answer = session.post("https://anything.test/x?y=z", timeout=1, **options)
    assert (answer.status_code, answer.reason) == (418, "I'm a teapot")
    assert answer.content == b"POST anything.test:443 y=z " + body
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    assert app.closed == 1


def test_an_emulator_keeps_to_wsgi() -> None:
    emulator = Emulator()
    with in_process(validator(emulator)) as session:
        session.headers["Authorization"] = f"Bearer {emulator.secret_key}"
        path = f"/v1/sessions/{emulator.sessions()[0]['id']}/tokens"
        assert session.get("http://clerk.test/v1/jwks").json() == emulator.jwks()
        assert session.head("http://clerk.test/v1/jwks").content == b""
        assert session.post(f"http://clerk.test{path}", json={}).json()["object"] == "token"
        assert session.get("http://clerk.test/nothing").status_code == 404


def test_netrc_and_proxies_have_no_say_in_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    emulator = Emulator()
    with in_process(emulator) as session:
        headers = {"Authorization": f"Bearer {emulator.secret_key}"}
        assert session.get("http://clerk.test/v1/jwks", headers=headers).status_code == 200


def test_an_application_that_fails_fails_the_test() -> None:
    def broken(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("broken")

    with in_process(broken) as session, pytest.raises(RuntimeError, match="broken"):
        session.get("http://anything.test/")


# An instance that knows no other Clerk


JUNK = {
    "CLERK_SECRET_KEY": "sk_live_of_somebody",
    "CLERK_API_KEY": "live_of_somebody",
    "CLERK_PUBLISHABLE_KEY": "junk",
    "CLERK_JWT_KEY": "junk",
    "CLERK_MACHINE_SECRET_KEY": "ak_of_somebody",
    "CLERK_API_URL": "https://api.clerk.com",
    "CLERK_API_VERSION": "v9",
    "CLERK_PROXY_URL": "/proxy",
    "CLERK_DOMAIN": "example.com",
    "CLERK_IS_SATELLITE": "true",
    "CLERK_SIGN_IN_URL": "https://example.com/sign-in",
    "CLERK_SIGN_UP_URL": "https://example.com/sign-up",
    "CLERK_ACCOUNT_URL": "https://example.com/user",
    "CLERK_SIGN_OUT_URL": "https://example.com/sign-out",
    "CLERK_AUTHORIZED_PARTIES": "https://example.com",
    "CLERK_VERIFICATION": "live",
    "CLERK_TRUST_FORWARDED": "true",
    "CLERK_TIMEOUT": "0.001",
}


def test_what_is_in_the_environment_and_in_files_has_no_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clerk_emulator: Emulator
) -> None:
    assert JUNK.keys() == {name for setting in SETTINGS for name in setting.variables}
    monkeypatch.chdir(tmp_path)
    clean = clerk_for(clerk_emulator).settings
    for name, text in JUNK.items():
        monkeypatch.setenv(name, text)
    (tmp_path / ".env").write_text("CLERK_SECRET_KEY=sk_test_of_a_file\nCLERK_DOMAIN=example.org\n")
    found = clerk_for(clerk_emulator).settings
    assert found == clean
    assert found.secret_key
    assert found.secret_key.reveal() == clerk_emulator.secret_key
    assert found.publishable_key
    assert found.publishable_key.text == clerk_emulator.publishable_key
    assert (found.jwt_key, found.verification, found.timeout) == (None, "token", 3.0)


def test_settings_that_are_given_count(clerk_emulator: Emulator) -> None:
    settings = clerk_for(
        clerk_emulator, publishable_key="", verification="live", authorized_parties=["https://a.b"]
    ).settings
    assert settings.publishable_key is None
    assert (settings.verification, settings.authorized_parties) == ("live", ("https://a.b",))
    wrong = clerk_for(clerk_emulator, secret_key="sk_test_wrong")
    assert wrong.authenticate(environ_of(token_of(clerk_emulator))).status == "signed-out"
    unknown: Any = {"colour": "blue"}
    with pytest.raises(TypeError, match="unknown setting: colour"):
        clerk_for(clerk_emulator, **unknown)


def test_instances_share_nothing(clerk_emulator: Emulator) -> None:
    for _ in range(2):
        clerk_for(clerk_emulator).authenticate(environ_of(token_of(clerk_emulator)))
    assert [one.path for one in clerk_emulator.requests] == ["/v1/jwks"] * 2


# The clock


def test_a_frozen_clock_stands_still_until_it_ticks() -> None:
    clock = FrozenClock(NOW)
    assert clock() == clock() == NOW
    clock.tick()
    clock.tick(59)
    assert (clock(), clock.now, clock.monotonic()) == (NOW + 60, NOW + 60, 60)
    assert repr(clock) == "FrozenClock(1795413660.0)"
    with pytest.raises(ValueError, match="backwards"):
        clock.tick(-1)
    assert clock() == NOW + 60


def test_a_clock_that_is_corrected_takes_no_time_back() -> None:
    clock = FrozenClock(NOW)
    clock.tick(10)
    clock.now -= 3600
    assert (clock(), clock.monotonic()) == (NOW - 3590, 10)


def test_a_frozen_clock_starts_at_the_present() -> None:
    before = time.time()
    clock = FrozenClock()
    assert before <= clock() <= time.time()
    assert clock() == clock()


def test_both_sides_have_the_emulators_clock() -> None:
    clock = FrozenClock(NOW)
    emulator = Emulator(clock=clock)
    clerk = clerk_for(emulator)
    token = token_of(emulator)
    for seconds, status in ((0, "signed-in"), (64, "signed-in"), (1, "signed-out")):
        clock.tick(seconds)
        assert clerk.authenticate(environ_of(token)).status == status
    clock.now = (
        NOW - 16.0
    )  # ten seconds before it was made, and a second more than clocks may differ
    assert clerk.authenticate(environ_of(token)).status == "signed-out"
    clock.now = float(NOW)
    assert clerk.authenticate(environ_of(token)).status == "signed-in"


def test_keys_age_by_the_frozen_clock() -> None:
    clock = FrozenClock(NOW)
    emulator = Emulator(clock=clock)
    clerk = clerk_for(emulator, stale_keys=0)
    for seconds, fetches in ((0, 1), (300, 1), (1, 2)):
        clock.tick(seconds)
        assert clerk.authenticate(environ_of(token_of(emulator))).status == "signed-in"
        assert len(emulator.requests) == fetches


def test_pauses_pass_on_the_frozen_clock() -> None:
    clock = FrozenClock(NOW)
    emulator = Emulator(clock=clock)
    emulator.faults.add(Failure(status=503))
    started = time.monotonic()
    with pytest.raises(ApiError, match="503"):
        clerk_for(emulator, timeout=60).users.count()
    assert clock() > NOW
    assert time.monotonic() - started < 10


def test_without_a_frozen_clock_time_passes(clerk_emulator: Emulator, clerk: Clerk) -> None:
    token = token_of(clerk_emulator)
    emulated = clerk_emulator.milliseconds() / 1000
    assert abs(emulated - time.time()) < 60
    assert clerk.authenticate(environ_of(token)).status == "signed-in"


# The default instance


@pytest.fixture
def no_default() -> Iterator[None]:
    before = set_default(None)
    yield
    set_default(before)


@pytest.mark.usefixtures("no_default")
def test_a_default_is_one_for_a_while(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in JUNK:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with as_default(clerk) as mine:
        assert mine is clerk
        assert default_clerk() is clerk
    with pytest.raises(ConfigurationError):
        default_clerk()


@pytest.mark.usefixtures("no_default")
def test_what_was_the_default_before_is_it_again(clerk: Clerk, clerk_emulator: Emulator) -> None:
    first, second = clerk_for(clerk_emulator), clerk_for(clerk_emulator)
    set_default(first)
    with as_default(second):
        with as_default(clerk):
            assert default_clerk() is clerk
        assert default_clerk() is second
    assert default_clerk() is first
    with pytest.raises(RuntimeError, match="in the test"), as_default(second):
        raise RuntimeError("in the test")
    assert default_clerk() is first


@pytest.mark.usefixtures("no_default")
def test_a_replaced_default_is_handed_back(clerk: Clerk, clerk_emulator: Emulator) -> None:
    other = clerk_for(clerk_emulator)
    assert set_default(clerk) is None
    assert set_default(other) is clerk
    assert set_default(None) is other
    assert set_default(None) is None


def test_what_is_wrapped_meanwhile_keeps_the_instance(clerk: Clerk) -> None:
    app = App()
    with as_default(clerk):
        wrapped = with_session(app)
    serve(wrapped)
    assert app.environ["clerk.instance"] is clerk


# What is signed with


def test_a_key_may_be_given(clerk_emulator: Emulator, tmp_path: Path) -> None:
    mine, other = SigningKey.generate("ins_mine"), SigningKey.generate("ins_other")
    state = tmp_path / "state.sqlite3"
    for key in (mine, mine, other, mine):
        emulator = Emulator(state, signing_key=key)
        assert emulator.kid == key.kid
        token = token_of(emulator)
        assert clerk_for(emulator).authenticate(environ_of(token)).status == "signed-in"
        emulator.close()
    again = Emulator(state)
    assert [key["kid"] for key in again.jwks()["keys"]] == ["ins_mine", "ins_other"]
    again.close()
    assert clerk_for(clerk_emulator).authenticate(environ_of(token)).status == "signed-out"


# What production never loads


def test_importing_the_package_loads_neither_emulator_nor_server() -> None:
    script = (
        "import sys, clerk_wsgi; print(*(name for name in sys.modules"
        " if name.startswith(('clerk_wsgi.emulator', 'clerk_wsgi.testing', 'clerk_wsgi.cli',"
        " 'clerk_wsgi.demo', 'requests', 'http.server', 'sqlite3'))))"
    )
    assert printed_by(script) == []


def test_importing_the_kit_loads_nothing_of_it_and_no_pytest() -> None:
    script = (
        "import clerk_wsgi, sys; before = set(sys.modules); import clerk_wsgi.testing as kit;"
        " print(*set(sys.modules) - before); assert {'Emulator', 'sign_in'} <= set(dir(kit));"
        " from clerk_wsgi.testing import *; sign_in, Emulator, wrap_django_client;"
        " print(*{'pytest', 'django', 'flask', 'webtest'} & set(sys.modules))"
    )
    assert printed_by(script) == ["clerk_wsgi.testing"]


def test_a_name_that_the_kit_has_not_is_an_error() -> None:
    kit: Any = testing
    assert all(callable(getattr(kit, name)) for name in kit.__all__)
    assert set(kit.__all__) <= set(dir(kit))
    with pytest.raises(AttributeError, match=r"'clerk_wsgi\.testing' has no attribute 'sign_up'"):
        getattr(kit, "sign_" + "up")


def printed_by(script: str) -> list[str]:
    """The words that a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=clean_environ(),
    )
    return done.stdout.split()
