"""The command: ``emulator`` as a real process, ``token`` in this one."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests

from clerk_wsgi.cli import main
from clerk_wsgi.emulator import DEMO_PASSWORD, Emulator
from clerk_wsgi.testing import start_emulator

from .processes import TIMEOUT, Running, clean_environ

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENING = r"listens on (http://127\.0\.0\.1:\d+);"
SEED = """
[[users]]
id = "user_grace"
email_address = "grace@example.com"
first_name = "Grace"
password = "nanoseconds"

[[users]]
username = "ada_lovelace"
password = "analytical engine"

[[users]]
username = "charles"
password = "difference engine"
locked = true

[[users]]
username = "nobody_knows"

[[organizations]]
name = "Society"
slug = "society"
members = [{ user = "grace@example.com", role = "org:admin" }]
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The file of a fresh state."""
    path = tmp_path / "state.sqlite3"
    Emulator(path).close()
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or leaves, files or settings of the machine's user."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("CLERK_"):
            monkeypatch.delenv(name)


def token(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What ``clerk-wsgi token`` prints."""
    assert main(["token", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.removesuffix("\n")


def complaint(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    """The one line that a refused command says."""
    assert main(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"clerk-wsgi {arguments[0]}: ")
    assert captured.err.count("\n") == 1
    return captured.err


def claims_of(text: str, state: Path | str, **options: Any) -> dict[str, Any]:
    key = Emulator(state).public_key_pem()
    return dict(jwt.decode(text, key, algorithms=["RS256"], **options))


def seed_file(tmp_path: Path, text: str = SEED) -> str:
    path = tmp_path / "my.toml"
    path.write_text(text)
    return str(path)


def exports(output: str) -> dict[str, str]:
    """The variables that the emulator tells to set."""
    words = (shlex.split(line) for line in output.splitlines() if line.startswith("export "))
    return dict(text.split("=", 1) for [_, text] in words)


# clerk-wsgi emulator


@pytest.fixture
def emulator(state: Path, tmp_path: Path) -> Iterator[Running]:
    """``clerk-wsgi emulator`` on a free port, listening."""
    with Running("emulator", "--port", "0", "--state", str(state), cwd=tmp_path) as running:
        running.wait_for("A token: .*\n")
        yield running


def test_it_prints_what_an_application_needs(emulator: Running, state: Path) -> None:
    url = emulator.wait_for(LISTENING)[1]
    variables = exports(emulator.output)
    names = {"API_URL", "SECRET_KEY", "PUBLISHABLE_KEY", "PROXY_URL", "JWT_KEY"}
    pages = {"SIGN_IN_URL", "SIGN_UP_URL", "ACCOUNT_URL", "SIGN_OUT_URL"}
    assert variables.keys() == {f"CLERK_{name}" for name in names | pages}
    assert variables["CLERK_API_URL"] == variables["CLERK_PROXY_URL"] == url
    assert variables["CLERK_SECRET_KEY"] == Emulator(state).secret_key
    assert variables["CLERK_PUBLISHABLE_KEY"] == Emulator(state).publishable_key
    headers = {"Authorization": f"Bearer {variables['CLERK_SECRET_KEY']}"}
    keys = requests.get(f"{url}/v1/jwks", headers=headers, timeout=10).json()
    assert keys == Emulator(state).jwks()


def test_it_prints_how_a_browser_signs_in(emulator: Running) -> None:
    url = emulator.wait_for(LISTENING)[1]
    assert f"Sign-in page:    {url}/sign-in?" in emulator.output
    line = f"Can sign in:     ada@example.com, password {DEMO_PASSWORD}  Ada Lovelace\n"
    assert line in emulator.output
    assert requests.get(f"{url}/sign-in", timeout=10).status_code == 200


def test_it_prints_where_its_status_is(emulator: Running) -> None:
    url = emulator.wait_for(LISTENING)[1]
    assert emulator.wait_for("^Status page: +(.+)$")[1] == f"{url}/"
    answer = requests.get(f"{url}/", headers={"Accept": "text/html"}, timeout=10)
    assert answer.status_code == 200


def test_the_printed_line_reaches_the_control_api(emulator: Running) -> None:
    line = emulator.wait_for("^Control API: +(curl .+)$")[1]
    command = re.sub("^curl ", "curl -sS --noproxy '*' ", line)
    run = subprocess.run(
        command,
        shell=True,
        env=clean_environ(**exports(emulator.output)),
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert json.loads(run.stdout)["object"] == "emulator"
    assert exports(emulator.output)["CLERK_SECRET_KEY"] not in line


def test_it_prints_no_password_that_nobody_else_knows(tmp_path: Path, state: Path) -> None:
    private = Emulator(state)
    private.set_password(private.users()[0]["id"], "a secret of Ada's")
    private.close()
    with Running("emulator", "--port", "0", "--state", str(state), cwd=tmp_path) as running:
        running.wait_for("A token: .*\n")
        assert "Can sign in" not in running.output
        assert DEMO_PASSWORD not in running.output


def test_browsers_may_be_sent_where_it_was_told(tmp_path: Path, state: Path) -> None:
    allowed = ("--redirect-origin", "https://app.example.com")
    arguments = ("emulator", "--port", "0", "--state", str(state), *allowed)
    with Running(*arguments, cwd=tmp_path) as running:
        url = running.wait_for(LISTENING)[1]
        for origin, status in (("https://app.example.com", 307), ("https://b.example.com", 422)):
            query = {"redirect_url": f"{origin}/"}
            answer = requests.get(
                f"{url}/v1/client/handshake", params=query, timeout=10, allow_redirects=False
            )
            assert answer.status_code == status
    assert "https://b.example.com is not on this machine" in answer.text
    assert "--redirect-origin" in answer.text


@pytest.mark.parametrize("names", [{"CLERK_API_URL", "CLERK_SECRET_KEY"}, {"CLERK_JWT_KEY"}])
def test_an_application_with_these_variables_is_signed_in_by_the_printed_command(
    emulator: Running, state: Path, tmp_path: Path, names: set[str]
) -> None:
    variables = exports(emulator.output)
    command = shlex.split(emulator.wait_for("A token: +clerk-wsgi (.*)\n")[1])
    environ = clean_environ(**{name: variables[name] for name in names})
    script = (
        "import sys; from clerk_wsgi import Clerk; "
        "print(Clerk(dotenv=False).authenticate({'REQUEST_METHOD': 'GET', 'SERVER_NAME': 'app',"
        "'SERVER_PORT': '80', 'wsgi.url_scheme': 'http',"
        "'HTTP_AUTHORIZATION': 'Bearer ' + sys.stdin.read().strip()}).auth.user_id)"
    )

    def run(*arguments: str, given: str = "") -> str:
        return subprocess.run(
            [sys.executable, *arguments],
            input=given,
            env=environ,
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        ).stdout

    printed = run("-m", "clerk_wsgi", *command)
    assert run("-c", script, given=printed).strip() == Emulator(state).users()[0]["id"]


def test_it_logs_a_line_per_request_and_no_key(emulator: Running, state: Path) -> None:
    url = emulator.wait_for(LISTENING)[1]
    before = len(emulator.output)
    secret = Emulator(state).secret_key
    headers = {"Authorization": f"Bearer {secret}"}
    session_id = Emulator(state).sessions()[0]["id"]
    path = f"/v1/sessions/{session_id}/tokens"
    minted = requests.post(url + path, headers=headers, timeout=10).json()["jwt"]
    requests.get(f"{url}/v1/jwks?key=sk_test_wrong", timeout=10)
    emulator.wait_for(r"GET /v1/jwks 401\n")
    logged = emulator.output[before:]
    assert re.fullmatch(
        rf"\d\d:\d\d:\d\d POST {path} 200\n\d\d:\d\d:\d\d GET /v1/jwks 401\n", logged
    )
    for text in (secret, minted, "sk_test_wrong"):
        assert text not in logged


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_cleanly(emulator: Running, number: signal.Signals) -> None:
    url = emulator.wait_for(LISTENING)[1]
    with requests.Session() as session:
        session.get(url, timeout=10)  # a connection that is kept alive keeps nobody waiting
        assert emulator.stop(number) == 0
        assert emulator.output.endswith("Stopped.\n")
        assert "Traceback" not in emulator.output
        with pytest.raises(requests.ConnectionError):
            session.get(url, timeout=10)


def test_without_a_state_it_makes_one_that_version_control_ignores(tmp_path: Path) -> None:
    with Running("emulator", "--port", "0", cwd=tmp_path) as running:
        command = running.wait_for("A token: +(.*)\n")[1]
        assert running.stop() == 0
    assert command == "clerk-wsgi token"
    directory = tmp_path / ".clerk-wsgi"
    assert {path.name for path in directory.iterdir()} == {".gitignore", "emulator.sqlite3"}
    assert (directory / ".gitignore").read_text() == "*\n"
    with Running("emulator", "--port", "0", cwd=tmp_path) as again:
        again.wait_for("A token: ")
        assert exports(again.output)["CLERK_SECRET_KEY"] in running.output


def test_in_memory_nothing_is_left(tmp_path: Path) -> None:
    arguments = ("emulator", "--port", "0", "--state", ":memory:")
    with Running(*arguments, cwd=tmp_path) as running:
        url = running.wait_for(LISTENING)[1]
        command = running.wait_for("A token: +(.*)\n")[1]
        assert re.fullmatch(rf"clerk-wsgi token --url {url} --session sess_\w+", command)
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_one_clear_line(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    with start_emulator() as other:
        port = str(other.port)
        line = complaint(capsys, 2, "emulator", "--port", port, "--state", str(state))
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in line


def test_an_address_for_others_needs_to_be_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, state: Path
) -> None:
    arguments = ("emulator", "--host", "0.0.0.0", "--port", "0", "--state", str(state))
    said = complaint(capsys, 2, *arguments)
    assert "0.0.0.0 is not a loopback address" in said
    assert " --i-know-this-is-not-clerk lets others in\n" in said
    with Running(*arguments, "--i-know-this-is-not-clerk", cwd=tmp_path) as running:
        running.wait_for("Other machines can reach it, too")
        assert re.search(LISTENING, running.output)  # where this one does


def test_a_state_that_cannot_be_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, " * 100)
    for path in (file, tmp_path / "missing" / "state.sqlite3"):
        line = complaint(capsys, 2, "emulator", "--port", "0", "--state", str(path))
        assert f"cannot open the state {path}: " in line
    (tmp_path / ".clerk-wsgi").write_text("")
    assert "cannot write to .clerk-wsgi: " in complaint(capsys, 2, "emulator", "--port", "0")


def test_a_state_without_users_is_served_all_the_same(
    capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path
) -> None:
    emulator = Emulator(state)
    emulator.delete_user(emulator.users()[0]["id"])
    with Running("emulator", "--port", "0", "--state", str(state), cwd=tmp_path) as running:
        running.wait_for("A token: .*\n")
        assert "Can sign in" not in running.output
    line = complaint(capsys, 2, "token", "--state", str(state))
    assert f"there is no user in the state {state}" in line


# clerk-wsgi emulator --seed and others


def test_with_a_seed_it_has_those_users_and_says_who_can_sign_in(tmp_path: Path) -> None:
    arguments = ("emulator", "--port", "0", "--state", ":memory:", "--seed", seed_file(tmp_path))
    with Running(*arguments, cwd=tmp_path) as running:
        url = running.wait_for(LISTENING)[1]
        command = running.wait_for("A token: +clerk-wsgi (token .*)\n")[1]
        headers = {"Authorization": f"Bearer {exports(running.output)['CLERK_SECRET_KEY']}"}
        users = requests.get(f"{url}/v1/users", headers=headers, timeout=10).json()
    assert {user["username"] for user in users} == {
        None,
        "ada_lovelace",
        "charles",
        "nobody_knows",
    }
    told = running.output[
        running.output.index("Can sign in:") : running.output.index("Control API")
    ]
    assert told.splitlines() == [
        "Can sign in:     grace@example.com, password nanoseconds   Grace, admin of society",
        "                 ada_lovelace, password analytical engine  ada_lovelace",
    ]
    assert re.fullmatch(rf"token --url {url} --session sess_\w+", command)


def test_it_does_not_print_a_thousand_users(tmp_path: Path) -> None:
    users = (f'[[users]]\nid = "user_{n}"\nusername = "user_{n:03}"\n' for n in range(13))
    seed = "".join(f'{user}password = "password of {n:02}"\n' for n, user in enumerate(users))
    arguments = ("--state", ":memory:", "--seed", seed_file(tmp_path, seed))
    with Running("emulator", "--port", "0", *arguments, cwd=tmp_path) as running:
        running.wait_for("A token: ")
    assert running.output.count(", password ") == 10
    assert "\n                 and 3 more\n" in running.output


def test_a_seed_of_nobody_is_served_all_the_same(tmp_path: Path) -> None:
    arguments = ("--state", ":memory:", "--seed", seed_file(tmp_path, ""))
    with Running("emulator", "--port", "0", *arguments, cwd=tmp_path) as running:
        running.wait_for(r"A token: .* --session ID$")
    assert "Can sign in" not in running.output


def test_a_seed_meets_a_state_that_there_is(tmp_path: Path, state: Path) -> None:
    private = Emulator(state)
    grace = private.create_user(email_address="grace@example.com", password="older and longer")
    private.close()
    seed = SEED.replace('id = "user_grace"\n', "")
    arguments = ("--state", str(state), "--seed", seed_file(tmp_path, seed))
    for _ in range(2):
        with Running("emulator", "--port", "0", *arguments, cwd=tmp_path) as running:
            running.wait_for("A token: ")
            assert running.stop() == 0
    users = Emulator(state).users()
    assert [user["first_name"] for user in users] == ["Ada", "Grace", None, None, None]
    assert users[1]["id"] == grace["id"]
    assert Emulator(state).has_password(grace["id"], "nanoseconds")


def test_a_password_that_is_not_the_seeds_is_not_printed(tmp_path: Path, state: Path) -> None:
    arguments = ("--state", str(state), "--seed", seed_file(tmp_path))
    with Running("emulator", "--port", "0", *arguments, cwd=tmp_path) as running:
        running.wait_for("A token: ")
    assert DEMO_PASSWORD not in running.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[users]]\n", "my.toml, users #1, email_address: expected, unless there is a username"),
        ("users =\n", "my.toml: not TOML: Invalid value (at line 1, column 8)"),
        ('[[sessions]]\nuser = "eve"\n', "my.toml, sessions #1, user: expected the email address"),
    ],
)
@pytest.mark.parametrize("command", [("emulator",), ("run", "myapp:app", "--local")])
def test_a_seed_that_cannot_be_is_one_clear_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: tuple[str, ...],
    text: str,
    said: str,
) -> None:
    state = ("--state", ":memory:") if command == ("emulator",) else ()
    arguments = (*command, "--port", "0", *state, "--seed", seed_file(tmp_path, text))
    assert said in complaint(capsys, 2, *arguments)


def test_a_seed_that_there_is_not_is_named_and_no_state_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ("emulator", "--port", "0", "--state", "s.sqlite3", "--seed", "missing.toml")
    said = complaint(capsys, 2, *arguments)
    assert "cannot read the seed missing.toml: No such file or directory" in said
    assert list(tmp_path.iterdir()) == []


def test_tokens_live_as_long_as_it_was_told_also_after_a_reset(tmp_path: Path) -> None:
    arguments = ("--state", ":memory:", "--token-lifetime", "7")
    with Running("emulator", "--port", "0", *arguments, cwd=tmp_path) as running:
        running.wait_for("A token: ")
        url, secret = (
            exports(running.output)[f"CLERK_{name}"] for name in ("API_URL", "SECRET_KEY")
        )
        headers = {"Authorization": f"Bearer {secret}"}
        for change in ("reset", "settings"):
            ask = requests.post if change == "reset" else requests.get
            answer = ask(f"{url}/_emulator/{change}", headers=headers, timeout=10).json()
            assert answer.get("settings", answer) == {"token_lifetime": 7}


def test_it_serves_clerks_script_from_where_it_was_told(tmp_path: Path) -> None:
    (tmp_path / "js" / "dist").mkdir(parents=True)
    (tmp_path / "js" / "package.json").write_text('{"name": "@clerk/clerk-js", "version": "5.1.0"}')
    (tmp_path / "js" / "dist" / "clerk.browser.js").write_text("// hello")
    arguments = ("--state", ":memory:", "--clerk-js", "js")
    with Running("emulator", "--port", "0", *arguments, cwd=tmp_path) as running:
        url = running.wait_for(LISTENING)[1]
        script = requests.get(f"{url}/npm/@clerk/clerk-js@5/dist/clerk.browser.js", timeout=10)
    assert (script.status_code, script.text) == (200, "// hello")


def test_a_command_loads_nothing_of_another_one() -> None:
    script = (
        "import sys; from clerk_wsgi.cli.command import _parse; _parse(['emulator']);"
        "import clerk_wsgi.cli.emulator;"
        "print([name for name in sys.modules if name.startswith(('clerk_wsgi.demo',"
        " 'clerk_wsgi.serving.run', 'gunicorn', 'requests', 'clerk_wsgi.testing'))])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=clean_environ(),
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert run.stdout == "[]\n"


# clerk-wsgi token


def test_it_prints_a_token_of_the_first_user_for_an_hour(
    capsys: pytest.CaptureFixture[str], state: Path
) -> None:
    claims = claims_of(token(capsys, "--state", str(state)), state)
    [session] = Emulator(state).sessions()
    assert (claims["sid"], claims["sub"]) == (session["id"], session["user_id"])
    assert claims["exp"] - claims["iat"] == 3600


def test_the_default_is_the_emulators_state_here(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    default = tmp_path / ".clerk-wsgi" / "emulator.sqlite3"
    default.parent.mkdir()
    Emulator(default).close()
    assert claims_of(token(capsys), default)["v"] == 2


def test_user_and_session_can_be_chosen(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    emulator = Emulator(state)
    grace = emulator.create_user(first_name="Grace")
    over = emulator.create_session(grace["id"], status="revoked")
    by_user = claims_of(token(capsys, "--state", str(state), "--user", grace["id"]), state)
    assert by_user["sub"] == grace["id"]
    [made] = emulator.sessions(user_id=grace["id"], status="active")
    assert by_user["sid"] == made["id"]
    again = claims_of(token(capsys, "--state", str(state), "--user", grace["id"]), state)
    assert again["sid"] == made["id"]
    by_session = claims_of(token(capsys, "--state", str(state), "--session", over["id"]), state)
    assert by_session["sid"] == over["id"]


def test_an_expired_token_is_rightly_signed_and_a_minute_late(
    capsys: pytest.CaptureFixture[str], state: Path
) -> None:
    text = token(capsys, "--state", str(state), "--expired", "--expires-in", "300")
    with pytest.raises(jwt.ExpiredSignatureError):
        claims_of(text, state)
    claims = claims_of(text, state, options={"verify_exp": False})
    assert claims["exp"] - claims["iat"] == 300
    claims_of(text, state, leeway=120)


@pytest.mark.parametrize("more", [(), ("--expired",)])
def test_a_forged_token_is_signed_by_nobody_we_know(
    capsys: pytest.CaptureFixture[str], state: Path, more: tuple[str, ...]
) -> None:
    text = token(capsys, "--state", str(state), "--forged", *more)
    assert jwt.get_unverified_header(text)["kid"] == Emulator(state).kid
    with pytest.raises(jwt.InvalidSignatureError):
        claims_of(text, state)


def test_it_asks_a_clerk_by_url_with_the_key_of_the_settings(
    capsys: pytest.CaptureFixture[str], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_emulator(state=state) as clerk:
        [session] = clerk.emulator.sessions()
        monkeypatch.setenv("CLERK_SECRET_KEY", clerk.emulator.secret_key)
        asked = ("--url", clerk.url, "--session", session["id"])
        claims = claims_of(token(capsys, *asked, "--expires-in", "90"), state)
        assert claims["sid"] == session["id"]
        assert claims["exp"] - claims["iat"] == 90
        with pytest.raises(jwt.InvalidSignatureError):
            claims_of(token(capsys, *asked, "--forged"), state)


def test_what_a_clerk_refuses_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with start_emulator() as clerk:
        [session] = clerk.emulator.sessions()
        secret = clerk.emulator.secret_key
        asked = ("token", "--url", clerk.url, "--session")
        wrong = complaint(capsys, 1, *asked, session["id"], "--secret-key", "sk_test_wrong")
        assert "401: The provided Clerk Secret Key is invalid." in wrong
        assert "sk_test_wrong" not in wrong
        unknown = complaint(capsys, 1, *asked, "sess_x", "--secret-key", secret)
        assert "404: No session was found with id sess_x" in unknown
    nobody = complaint(capsys, 1, *asked, session["id"], "--secret-key", secret)
    assert f"no Clerk answers at {clerk.url}: " in nobody
    assert secret not in nobody


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--state", "missing.sqlite3"), "there is no state missing.sqlite3"),
        ((), "there is no state .clerk-wsgi/emulator.sqlite3"),
        (("--state", ":memory:"), "there is no state :memory:"),
        (("--url", "http://127.0.0.1:1"), "--url needs a --session"),
        (("--url", "http://127.0.0.1:1", "--session", "sess_x"), "secret_key is not set"),
        (("--url", "http://127.0.0.1:1", "--session", "a", "--user", "b"), "no --user"),
        (("--url", "http://127.0.0.1:1", "--session", "../x"), "not the id of a session"),
        (("--url", "http://127.0.0.1:1", "--session", "a", "--expired"), "--expired"),
        (("--url", "http://192.0.2.1", "--session", "a", "--secret-key", "sk_test_1"), "https"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    assert text in complaint(capsys, 2, "token", *arguments)
    assert list(Path().iterdir()) == []


def test_ids_that_do_not_exist_or_fit_are_named(
    capsys: pytest.CaptureFixture[str], state: Path
) -> None:
    here = ("token", "--state", str(state))
    grace = Emulator(state).create_user(first_name="Grace")
    session = Emulator(state).sessions()[0]["id"]
    assert "no user 'user_x'" in complaint(capsys, 2, *here, "--user", "user_x")
    assert "no session 'sess_x'" in complaint(capsys, 2, *here, "--session", "sess_x")
    mixed = complaint(capsys, 2, *here, "--session", session, "--user", grace["id"])
    assert f"session {session} is not one of user {grace['id']}" in mixed


@pytest.mark.parametrize("name", ["user_grace", "Grace@example.com", "grace_h"])
def test_a_user_is_named_by_id_email_address_or_username(
    capsys: pytest.CaptureFixture[str], state: Path, name: str
) -> None:
    Emulator(state).create_user(
        id="user_grace", email_address="grace@example.com", username="grace_h"
    )
    text = token(capsys, "--state", str(state), "--user", name)
    assert claims_of(text, state)["sub"] == "user_grace"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("emulator", "--port", "65536"),
        ("emulator", "--port", "-1"),
        ("emulator", "--port", "http"),
        ("token", "--expires-in", "29"),
        ("token", "--expires-in", "315360001"),
        ("token", "--expires-in", "1e3"),
        ("token", "--state", "x", "--url", "y"),
        ("demo", "--port", "x"),
        ("emulator", "--redirect-origin", "app.example.com"),
        ("emulator", "--allow-remote"),
        ("emulator", "--i-know"),
        ("emulator", "--seed"),
        ("emulator", "--token-lifetime", "0"),
        ("emulator", "--token-lifetime", "-1"),
        ("emulator", "--token-lifetime", "1.5"),
        ("emulator", "--token-lifetime", "315360001"),
        ("emulator", "--clerk-js", "missing"),
        ("emulator", "--clerk-js", "."),
        ("emulator", "--local"),
        ("token", "--seed", "my.toml"),
        ("token", "--i-know-this-is-not-clerk"),
        ("demo", "--seed", "my.toml"),
        ("demo", "--i-know-this-is-not-clerk"),
        ("run", "myapp:app", "--state", "x"),
    ],
)
def test_nonsense_is_answered_with_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert "usage: clerk-wsgi" in capsys.readouterr().err


def test_it_tells_the_version_that_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"clerk-wsgi {version('clerk-wsgi')}\n"
