"""The kit for other people's tests: a local Clerk on a port, or in the same process."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest
import requests

from clerk_wsgi import Auth, Clerk
from clerk_wsgi.emulator import ListenError, forge
from clerk_wsgi.testing import Emulator, in_process, start_emulator

from .minting import environ

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def environ_of(token: str | None = None) -> dict[str, Any]:
    """A request for the wrapped application."""
    return environ() if token is None else environ(HTTP_AUTHORIZATION=f"Bearer {token}")


def clerk_for(emulator: Emulator, **options: Any) -> Clerk:
    return Clerk(secret_key=emulator.secret_key, dotenv=False, **options)


def token_of(emulator: Emulator, **options: Any) -> str:
    return emulator.session_token(emulator.sessions()[0]["id"], **options)


def test_a_clerk_verifies_tokens_of_a_running_emulator() -> None:
    with start_emulator() as running:
        clerk = clerk_for(running.emulator, api_url=running.url)
        state = clerk.authenticate(environ_of(token_of(running.emulator)))
        assert state.status == "signed-in"
        assert isinstance(state.auth, Auth)
        assert state.auth.user_id == running.emulator.users()[0]["id"]
        assert [(one.path, one.status) for one in running.emulator.requests] == [("/v1/jwks", 200)]


def test_a_clerk_verifies_tokens_of_an_emulator_without_any_socket() -> None:
    emulator = Emulator()
    clerk = clerk_for(emulator, http=in_process(emulator))
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
    clerk = clerk_for(owner, http=in_process(emulator))
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


# What production never loads


def test_importing_the_package_loads_neither_emulator_nor_server() -> None:
    script = (
        "import sys, clerk_wsgi; print(*(name for name in sys.modules"
        " if name.startswith(('clerk_wsgi.emulator', 'clerk_wsgi.testing', 'clerk_wsgi.cli',"
        " 'clerk_wsgi.demo', 'requests', 'http.server', 'sqlite3'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == []
