"""``clerk-wsgi run``: an application of one's own under gunicorn, as real processes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests

from clerk_wsgi.cli import main
from clerk_wsgi.serving.application import NoApplication, import_application
from clerk_wsgi.testing import start_emulator

from .processes import TIMEOUT, Running, clean_environ, descendants, survivors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers

SEED = """
[[users]]
id = "user_grace"
email_address = "grace@example.com"
first_name = "Grace"
password = "nanoseconds"

[[users]]
username = "charles"
password = "difference engine"
locked = true

[[organizations]]
name = "Society"
slug = "society"
members = [{ user = "user_grace", role = "org:admin" }]

[[sessions]]
user = "user_grace"
organization = "society"
"""
READY = r"^Ctrl-C stops everything\.$"
APPLICATION = '''
"""Somebody's application."""
import os

import clerk_wsgi


def tell(start_response, text):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]


def app(environ, start_response):
    session = environ["clerk.session"]
    return tell(start_response, session.user_id if session else "nobody")


def status(environ, start_response):
    """What Clerk says of the session, asked on the default instance."""
    session = clerk_wsgi.sessions.get(environ["clerk.session"].id)
    return tell(start_response, session.status)


def pid(environ, start_response):
    return tell(start_response, str(os.getpid()))


def make():
    return app


def make_from(setting):
    return app


class Holder:
    app = staticmethod(app)


number = 5
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with applications in it."""
    (tmp_path / "myapp.py").write_text(APPLICATION)
    (tmp_path / "broken.py").write_text("import does_not_exist\n")
    (tmp_path / "failing.py").write_text("1 / 0\n")
    return tmp_path


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An application behind ``require_session`` with a Clerk of its own, among others' settings."""
    project = tmp_path_factory.mktemp("project")
    (project / "myapp.py").write_text(APPLICATION)
    (project / ".env").write_text("CLERK_JWT_KEY=nonsense\nCLERK_API_URL=http://192.0.2.1\n")
    environ = {"CLERK_SECRET_KEY": "sk_live_of_somebody", "CLERK_AUTHORIZED_PARTIES": "https://x"}
    with running(project, "--require-session", "--local", environ=environ) as started:
        started.wait_for(READY)
        yield started


def running(project: Path, *arguments: str, target: str = "myapp:app", **options: Any) -> Running:
    return Running("run", target, "--port", "0", *arguments, cwd=project, **options)


def url_of(started: Running) -> str:
    return started.wait_for(r"The application: +(http://127\.0\.0\.1:\d+/)")[1]


def token_of(started: Running) -> str:
    return started.wait_for(r"^(eyJ\S+)$")[1]


def ask(url: str, token: str | None = None, **headers: str) -> requests.Response:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return requests.get(url, headers=headers, timeout=TIMEOUT, allow_redirects=False)


# With a local Clerk


def test_the_printed_line_is_signed_in(strict: Running) -> None:
    line = strict.wait_for("^(curl .+)$")[1]
    done = subprocess.run(
        line, shell=True, check=True, capture_output=True, text=True, timeout=TIMEOUT
    )
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    claims = jwt.decode(token_of(strict), options={"verify_signature": False})
    assert head.startswith("HTTP/1.1 200 ")
    assert body == claims["sub"]
    assert claims["exp"] - claims["iat"] == 3600
    assert shlex.split(line)[-1] == f"Authorization: Bearer {token_of(strict)}"


@pytest.mark.parametrize("token", [None, "nonsense", "forged"])
def test_nobody_else_is_let_through(strict: Running, token: str | None) -> None:
    if token == "forged":
        token = token_of(strict)[:-8] + "AAAAAAAA"
    answer = ask(url_of(strict), token)
    assert (answer.status_code, answer.content) == (401, b"")


def test_browsers_are_sent_to_the_local_clerk(strict: Running) -> None:
    clerk = strict.wait_for(r"The local Clerk: +(http://127\.0\.0\.1:\d+)$")[1]
    browser = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
    answer = ask(url_of(strict), **browser)
    assert answer.status_code == 307
    assert answer.headers["Location"].startswith(f"{clerk}/v1/client/handshake?")
    page = strict.wait_for(r"In a browser: +(\S+)$")[1]
    assert page.startswith(f"{clerk}/sign-in?")
    assert requests.get(page, timeout=TIMEOUT).status_code == 200
    assert "as ada@example.com, password " in strict.output


def test_without_require_session_everybody_is_let_through(project: Path) -> None:
    with running(project, "--local") as started:
        started.wait_for(READY)
        assert ask(url_of(started)).text == "nobody"
        assert ask(url_of(started), "nonsense").text == "nobody"
        assert ask(url_of(started), token_of(started)).text.startswith("user_")


def test_the_applications_own_questions_go_to_the_same_clerk(project: Path) -> None:
    with running(project, "--local", target="myapp:status") as started:
        started.wait_for(READY)
        assert ask(url_of(started), token_of(started)).text == "active"


def test_two_at_the_same_time_do_not_mind_each_other(project: Path) -> None:
    with running(project, "--local") as one, running(project, "--local") as other:
        for started in (one, other):
            started.wait_for(READY)
        assert ask(url_of(one), token_of(one)).text.startswith("user_")
        assert ask(url_of(other), token_of(one)).text == "nobody"


def test_the_local_clerk_has_what_a_seed_says(project: Path) -> None:
    (project / "seed.toml").write_text(SEED)
    with running(project, "--local", "--seed", "seed.toml") as started:
        started.wait_for(READY)
        assert (
            "as grace@example.com, password nanoseconds  Grace, admin of society" in started.output
        )
        assert "charles" not in started.output
        claims = jwt.decode(token_of(started), options={"verify_signature": False})
        assert claims["o"]["slg"] == "society"
        assert ask(url_of(started), token_of(started)).text == "user_grace"


def test_a_seed_of_nobody_means_that_there_is_no_token_to_show(project: Path) -> None:
    (project / "seed.toml").write_text("")
    with running(project, "--local", "--seed", "seed.toml") as started:
        started.wait_for(READY)
        assert "A session token" not in started.output
        assert "password" not in started.output
        assert ask(url_of(started)).text == "nobody"


def test_a_seed_without_a_local_clerk_is_one_clear_line(project: Path) -> None:
    (project / "seed.toml").write_text(SEED)
    with running(project, "--seed", "seed.toml") as started:
        assert started.wait() == 2
    assert started.output == "clerk-wsgi run: --seed is for a local Clerk: it needs --local\n"


def test_a_seed_that_cannot_be_is_one_clear_line(project: Path) -> None:
    (project / "seed.toml").write_text(SEED.replace("user_grace", "user_eve", 1))
    with running(project, "--local", "--seed", "seed.toml") as started:
        assert started.wait() == 2
    text = "seed.toml, organizations #1, members #1, user: expected the email address, username or"
    assert started.output.startswith(f"clerk-wsgi run: {text}")
    assert started.output.count("\n") == 1


# With the Clerk of the settings


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_the_settings_are_those_of_the_project(project: Path, place: str) -> None:
    with start_emulator() as clerk:
        emulator = clerk.emulator
        settings = {"CLERK_SECRET_KEY": emulator.secret_key, "CLERK_API_URL": clerk.url}
        if place == ".env":
            lines = "".join(f"{name}={value}\n" for name, value in settings.items())
            (project / ".env").write_text(lines)
            settings = {}
        with running(project, "--require-session", environ=settings) as started:
            started.wait_for(READY)
            assert "The local Clerk" not in started.output
            token = emulator.session_token(emulator.sessions()[0]["id"])
            assert ask(url_of(started), token).text == emulator.users()[0]["id"]
            assert ask(url_of(started)).status_code == 401
            assert emulator.secret_key not in started.output


# gunicorn's options


def test_what_stands_after_two_dashes_is_gunicorns(project: Path) -> None:
    options = ("--", "--workers", "2", "--access-logfile", "-", "--log-level", "warning")
    with running(project, "--local", *options, target="myapp:pid") as started:
        started.wait_for(READY)
        family = family_of(started, 3)
        ends = time.monotonic() + TIMEOUT
        workers: set[int] = set()
        while len(workers) < 2 and time.monotonic() < ends:
            workers.add(int(ask(url_of(started)).text))
        assert len(workers) == 2
        assert workers < family
        started.wait_for(r'"GET / HTTP/1\.1" 200')
        assert "Booting worker" not in started.output


def test_gunicorns_own_settings_file_counts(project: Path) -> None:
    (project / "gunicorn.conf.py").write_text("workers = 2\nloglevel = 'warning'\n")
    with running(project, "--local") as started:
        started.wait_for(READY)
        family_of(started, 3)
        assert "Booting worker" not in started.output


@pytest.mark.parametrize("option", ["--pythonpath", "--chdir"])
def test_the_application_may_be_where_gunicorn_is_told_to_look(project: Path, option: str) -> None:
    (project / "lib").mkdir()
    (project / "myapp.py").rename(project / "lib" / "elsewhere.py")
    with running(project, "--local", "--", option, "lib", target="elsewhere:app") as started:
        started.wait_for(READY)
        assert ask(url_of(started)).text == "nobody"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--nonsense",), "unrecognized arguments: --nonsense"),
        (("--workers", "many"), "many"),
        (("another:app",), "unrecognized arguments: another:app"),
    ],
)
def test_what_gunicorn_does_not_know_it_says_itself(
    project: Path, options: tuple[str, ...], text: str
) -> None:
    with running(project, "--local", "--", *options) as started:
        assert started.wait() in (1, 2)
    assert text in started.output
    assert "The application:" not in started.output


# Its end


def family_of(started: Running, size: int) -> set[int]:
    """The processes of gunicorn."""
    end = time.monotonic() + TIMEOUT
    while len(family := descendants(started.process.pid)) < size:
        assert time.monotonic() < end, family
        time.sleep(0.02)
    return family


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(project: Path, number: signal.Signals) -> None:
    with running(project, "--local", "--", "--log-level", "warning") as started:
        started.wait_for(READY)
        url, clerk = url_of(started), started.wait_for(r"The local Clerk: +(\S+)$")[1]
        ask(url, token_of(started))
        family = family_of(started, 2)
        started.process.send_signal(number)
        assert started.process.wait(TIMEOUT) == 0
        assert survivors(family) == set()
        started.wait()
        assert started.output.endswith("Ctrl-C stops everything.\nStopping.\n")
        for address in (url, clerk):
            with pytest.raises(requests.ConnectionError):
                ask(address)


def test_a_signal_stops_it_while_the_application_is_loaded(project: Path) -> None:
    (project / "slow.py").write_text("import time; print('loading', flush=True); time.sleep(60)")
    with running(project, "--local", target="slow:app") as started:
        started.wait_for("^loading$")
        family = family_of(started, 1)
        assert started.stop(signal.SIGINT) == 0
        assert survivors(family) == set()
    assert started.output == "loading\n"


def test_what_is_killed_leaves_nothing_behind(project: Path) -> None:
    if sys.platform != "linux":  # only Linux tells a child that its parent died
        return
    with running(project, "--local") as started:
        started.wait_for(READY)
        ask(url_of(started))
        family = family_of(started, 2)
        started.process.kill()
        end = time.monotonic() + TIMEOUT / 2
        while (left := survivors(family)) and time.monotonic() < end:
            time.sleep(0.05)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert left == set()


def test_gunicorn_that_ends_ends_the_command(project: Path) -> None:
    with running(project, "--local") as started:
        started.wait_for(READY)
        ask(url_of(started))
        family = family_of(started, 2)
        os.kill(min(family), signal.SIGTERM)
        assert started.wait() == 1
        assert "gunicorn ended by itself with status 0." in started.output
        assert survivors(family) == set()


# What cannot be


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nowhere:app", "there is no module 'nowhere' here, nor installed"),
        ("myapp:wsgi", "there is no myapp:wsgi: nothing has the name 'wsgi'"),
        ("myapp:number", "myapp:number cannot be called, so it is no application: it is a int"),
    ],
)
def test_an_application_that_there_is_not_is_one_clear_line(
    project: Path, target: str, text: str
) -> None:
    with running(project, "--local", target=target) as started:
        assert started.wait() == 2
    assert started.output == f"clerk-wsgi run: {text}\n"


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({}, "secret_key is not set: give it as an argument or as CLERK_SECRET_KEY"),
        ({"CLERK_SECRET_KEY": "sk_test_x", "CLERK_API_URL": "ftp://x"}, "api_url"),
        ({"CLERK_JWT_KEY": "nonsense"}, "jwt_key (from environment variable CLERK_JWT_KEY)"),
    ],
)
def test_settings_that_cannot_be_are_one_clear_line(
    project: Path, environ: dict[str, str], text: str
) -> None:
    with running(project, environ=environ) as started:
        assert started.wait() == 2
    assert re.fullmatch(f"clerk-wsgi run: .*{re.escape(text)}.*\n", started.output)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("broken:app", "ModuleNotFoundError: No module named 'does_not_exist'"),
        ("failing:app", "ZeroDivisionError: division by zero"),
        ("myapp:make_from()", "TypeError: make_from() missing 1 required positional argument"),
    ],
)
def test_an_error_in_the_application_is_shown_as_it_is(
    project: Path, target: str, text: str
) -> None:
    with running(project, "--local", target=target) as started:
        assert started.wait() == 1
    assert "Traceback (most recent call last):" in started.output
    assert text in started.output
    assert "The application:" not in started.output


def test_a_port_in_use_is_one_clear_line(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with Running("run", "myapp:app", "--local", "--port", port, cwd=project) as started:
            assert started.wait() == 2
    line = f"clerk-wsgi run: cannot listen on 127.0.0.1 port {port}: .+\n"
    assert re.fullmatch(line, started.output)


def test_without_gunicorn_it_says_what_to_install(project: Path) -> None:
    script = (
        "import sys; sys.modules['gunicorn'] = None; from clerk_wsgi.cli import main;"
        "sys.exit(main(['run', 'myapp:app', '--local', '--port', '0']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project,
        env=clean_environ(),
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        'clerk-wsgi run: this command needs gunicorn: pip install "clerk-wsgi[demo]"\n'
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "myapp"),
        ("run", "myapp:"),
        ("run", ":app"),
        ("run", "my-app:app"),
        ("run", "myapp:app:app"),
        ("run", "myapp:app('x')"),
        ("run", "myapp:app', 'y"),
        ("run", "../myapp:app"),
        ("run", "myapp:app", "other:app"),
        ("run", "myapp:app", "--port", "x"),
        ("run", "myapp:app", "--workers", "2"),
        ("run", "myapp:app", "--loc"),
        ("run", "myapp:app", "--local", "--seed"),
        ("run", "--", "myapp:app"),
        ("demo", "--", "--workers", "2"),
        ("emulator", "--", "x"),
    ],
)
def test_nonsense_is_answered_with_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert "usage: clerk-wsgi" in capsys.readouterr().err


# Finding the application


@pytest.fixture
def importable(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The project's modules can be imported here, and are forgotten afterwards."""
    monkeypatch.syspath_prepend(project)
    yield
    for name in ("myapp", "broken", "failing"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize("target", ["myapp:app", "myapp:make()", "myapp:Holder.app"])
def test_an_application_is_found_or_made(target: str) -> None:
    found: Any = import_application(target)
    assert found.__name__ == "app"


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nowhere:app", "there is no module 'nowhere' here, nor installed"),
        ("nowhere.at.all:app", "there is no module 'nowhere' here, nor installed"),
        ("myapp.views:app", "there is no module 'myapp.views' here, nor installed"),
        ("myapp.py:app", "there is no module 'myapp.py' here, nor installed"),
        ("myapp:Holder.wsgi", "there is no myapp:Holder.wsgi: nothing has the name 'wsgi'"),
        ("myapp:dict()", "there is no myapp:dict: nothing has the name 'dict'"),
        ("myapp:number()", "myapp:number cannot be called, so it is no application: it is a int"),
        ("myapp:Holder()", "myapp:Holder() cannot be called, so it is no application"),
        ("", "expected MODULE:APP, such as myapp:app, not ''"),
        ("myapp", "expected MODULE:APP"),
        ("myapp:", "expected MODULE:APP"),
        (":app", "expected MODULE:APP"),
        ("my app:app", "expected MODULE:APP"),
        ("myapp:app'", "expected MODULE:APP"),
        ("myapp:app()()", "expected MODULE:APP"),
        ("myapp:1app", "expected MODULE:APP"),
    ],
)
def test_what_is_no_application_is_told_in_one_line(target: str, text: str) -> None:
    with pytest.raises(NoApplication, match=re.escape(text)) as caught:
        import_application(target)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("broken:app", ModuleNotFoundError),
        ("failing:app", ZeroDivisionError),
        ("myapp:make_from()", TypeError),
    ],
)
def test_an_error_of_the_applications_own_is_let_out(target: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        import_application(target)
