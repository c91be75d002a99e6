"""What the local Clerk keeps, and where."""

from __future__ import annotations

import re
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import jwt
import pytest

from clerk_wsgi.emulator import Emulator, StateError
from clerk_wsgi.testing import start_emulator

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHABLE_KEY = "pk_test_aGFwcHktZW11LTEuY2xlcmsuYWNjb3VudHMuZGV2JA"


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with start_emulator(state=state) as before:
        first = before.emulator
        user = first.create_user(first_name="Grace", email_address="grace@example.com")
        session = first.create_session(user["id"])
        token = first.session_token(session["id"])
        jwks, kid = first.jwks(), first.kid
    with start_emulator(state=state) as after:
        second = after.emulator
        assert second.jwks() == jwks
        assert (second.kid, second.secret_key, second.publishable_key, second.issuer) == (
            kid,
            first.secret_key,
            first.publishable_key,
            first.issuer,
        )
        assert second.user(user["id"]) == user
        assert second.sessions() == [second.sessions()[0], session]
        assert len(second.users()) == 2
        claims = jwt.decode(token, second.public_key_pem(), algorithms=["RS256"])
        assert claims["sid"] == session["id"]


def test_the_state_is_one_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    Emulator(state).close()
    assert [path.name for path in tmp_path.iterdir()] == ["state.sqlite3"]
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_in_memory_nothing_is_shared() -> None:
    one, other = Emulator(), Emulator()
    assert one.kid != other.kid
    assert one.secret_key != other.secret_key
    assert one.jwks() != other.jwks()
    assert one.users() != other.users()


def test_given_keys_are_used_and_remembered(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    given = Emulator(state, secret_key="sk_test_mine", publishable_key=PUBLISHABLE_KEY)
    kid = given.kid
    given.close()
    again = Emulator(state)
    for emulator in (given, again):
        assert emulator.secret_key == "sk_test_mine"
        assert emulator.publishable_key == PUBLISHABLE_KEY
        assert emulator.issuer == "https://happy-emu-1.clerk.accounts.dev"
    assert again.kid == kid


@pytest.mark.parametrize("secret_key", ["", "sk test", "sk_test\n", "clé"])
def test_a_secret_key_that_no_header_can_carry_is_refused(tmp_path: Path, secret_key: str) -> None:
    with pytest.raises(ValueError, match="secret_key"):
        Emulator(tmp_path / "state.sqlite3", secret_key=secret_key)


@pytest.mark.parametrize("publishable_key", ["", "pk_test_", "sk_test_x", "pk_test_bm9wZQ"])
def test_a_publishable_key_that_names_no_host_is_refused(publishable_key: str) -> None:
    with pytest.raises(ValueError, match="."):
        Emulator(publishable_key=publishable_key)


def test_a_refused_key_leaves_the_state_as_it_was(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    before = Emulator(state)
    with pytest.raises(ValueError, match="secret_key"):
        Emulator(state, publishable_key=PUBLISHABLE_KEY, secret_key="a b")
    with pytest.raises(ValueError, match="."):
        Emulator(state, secret_key="sk_test_other", publishable_key="pk")
    after = Emulator(state)
    assert after.secret_key == before.secret_key
    assert after.publishable_key == before.publishable_key


def test_two_processes_on_one_file_see_each_others_changes(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    emulator = Emulator(state)
    script = (
        "import sys; from clerk_wsgi.emulator import Emulator; emulator = Emulator(sys.argv[1]);"
        "print(emulator.kid, emulator.create_session(emulator.users()[0]['id'])['id'])"
    )
    output = subprocess.run(
        [sys.executable, "-c", script, str(state)], check=True, capture_output=True, text=True
    ).stdout
    kid, session_id = output.split()
    assert kid == emulator.kid
    assert emulator.session(session_id)["status"] == "active"


def test_a_state_opened_by_many_at_once_is_made_once(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with ThreadPoolExecutor(8) as threads:
        emulators = list(threads.map(lambda _: Emulator(state), range(8)))
    assert len({(one.kid, one.secret_key) for one in emulators}) == 1
    assert len(emulators[0].users()) == 1


def test_threads_that_create_sessions_lose_none(tmp_path: Path) -> None:
    emulators = [Emulator(tmp_path / "state.sqlite3") for _ in range(2)]
    [user] = emulators[0].users()
    with ThreadPoolExecutor(8) as threads:
        made = threads.map(
            lambda number: emulators[number % 2].create_session(user["id"])["id"], range(40)
        )
        ids = set(made)
    assert len(ids) == 40
    assert ids <= {session["id"] for session in emulators[0].sessions()}


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 100)
    with pytest.raises(StateError, match=r"notes\.txt: file is not a database"):
        Emulator(path)
    assert path.read_text() == "not a database, " * 100


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE settings (name, value)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StateError, match="another program"):
        Emulator(path)
    assert path.read_bytes() == before


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    Emulator(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StateError, match="another version"):
        Emulator(path)


@pytest.mark.parametrize("name", ["missing/state.sqlite3", "."])
def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(StateError, match=re.escape(f"cannot open the state {path}: ")):
        Emulator(path)


def test_an_empty_file_becomes_a_state(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    path.touch()
    assert len(Emulator(path).users()) == 1


def test_a_state_that_is_only_dropped_is_closed_without_a_warning() -> None:
    script = "from clerk_wsgi.emulator import Emulator; Emulator(); Emulator().kid"
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_a_write_that_could_not_be_kept_spoils_none_after_it(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    emulator = Emulator(state)
    emulator._store._connection.execute("PRAGMA busy_timeout = 10")
    reader = sqlite3.connect(state, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM objects").fetchone()
    with pytest.raises(sqlite3.OperationalError):
        emulator.create_user(first_name="Lost")
    reader.close()
    kept = emulator.create_user(first_name="Kept")
    emulator.close()
    assert [one["id"] for one in Emulator(state).users()[1:]] == [kept["id"]]
