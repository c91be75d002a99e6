"""The keys that the local Clerk signs with: how one follows another, and whom that concerns."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from clerk_wsgi import Clerk
from clerk_wsgi.emulator import forge
from clerk_wsgi.testing import Emulator, FrozenClock, in_process

from .asking import WAYS, Asker, asking, found, refused
from .minting import environ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clerk_wsgi import RequestState

NOW = 1_700_000_000.0


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture(params=WAYS)
def clerk(request: pytest.FixtureRequest) -> Iterator[Asker]:
    with asking(request.param) as asker:
        yield asker


def token_of(emulator: Emulator, **options: Any) -> str:
    """A token of the session that every fresh state has."""
    return emulator.session_token(emulator.sessions()[0]["id"], **options)


def kid_in(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def kids_in(jwks: dict[str, Any]) -> list[str]:
    return [key["kid"] for key in jwks["keys"]]


def verifies(token: str, jwks: dict[str, Any]) -> bool:
    """Whether a token is signed by one of these keys, as an independent library sees it."""
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(jwks).keys}
    if kid_in(token) not in keys:
        return False
    key = keys[kid_in(token)]
    try:
        jwt.decode(token, key, algorithms=["RS256"], options={"verify_exp": False})
    except jwt.InvalidSignatureError:
        return False
    return True


# One key after the other


def test_a_new_key_signs_from_now_on(emulator: Emulator) -> None:
    old, before = emulator.kid, emulator.jwks()
    kid = emulator.rotate_signing_key()
    assert kid == emulator.kid == kid_in(token_of(emulator))
    assert kid not in kids_in(before)
    assert kids_in(emulator.jwks()) == [kid, old]
    assert emulator.jwks()["keys"][1:] == before["keys"]
    assert jwt.decode(token_of(emulator), emulator.public_key_pem(), algorithms=["RS256"])


def test_what_the_previous_keys_have_signed_still_counts(emulator: Emulator) -> None:
    tokens = [token_of(emulator)]
    for _ in range(2):
        emulator.rotate_signing_key()
        tokens.append(token_of(emulator))
    assert len({kid_in(token) for token in tokens}) == 3
    for token in tokens:
        assert verifies(token, emulator.jwks())
        assert emulator.read_session_token(token) is not None
        assert not verifies(forge(token), emulator.jwks())
        assert emulator.read_session_token(forge(token)) is None


def test_nothing_counts_that_was_signed_by_a_key_which_was_dropped(emulator: Emulator) -> None:
    client_id = emulator.sessions()[0]["client_id"]
    tokens = [token_of(emulator)]
    emulator.rotate_signing_key()
    tokens.append(token_of(emulator))
    client_token = emulator.client_token(client_id)
    kid = emulator.rotate_signing_key(keep_previous=False)
    assert kids_in(emulator.jwks()) == [kid]
    for token in tokens:
        assert not verifies(token, emulator.jwks())
        assert emulator.read_session_token(token) is None
    assert emulator.read_client_token(client_token) is None
    assert emulator.read_client_token(emulator.client_token(client_id)) is not None
    assert emulator.read_session_token(token_of(emulator)) is not None


def test_no_key_answers_to_the_name_of_another(emulator: Emulator) -> None:
    before = token_of(emulator)
    emulator.rotate_signing_key()
    after = token_of(emulator)
    header, rest = after.split(".", 1)
    assert emulator.read_session_token(f"{before.split('.')[0]}.{rest}") is None
    assert emulator.read_session_token(f"{header}.{before.split('.', 1)[1]}") is None


def test_other_instances_have_nothing_of_it(emulator: Emulator) -> None:
    other = Emulator()
    before = other.jwks()
    emulator.rotate_signing_key(keep_previous=False)
    assert other.jwks() == before
    assert other.read_session_token(token_of(emulator)) is None


def test_private_parts_of_keys_are_published_nowhere(clerk: Asker) -> None:
    clerk.emulator.rotate_signing_key()
    for path in ("/v1/jwks", "/.well-known/jwks.json"):
        for key in found(clerk.get(path))["keys"]:
            assert key.keys() == {"use", "kty", "kid", "alg", "n", "e"}


# Where it is seen


def test_both_key_sets_tell_of_a_new_key_at_once(clerk: Asker) -> None:
    for keep, count in ((True, 2), (True, 3), (False, 1)):
        clerk.emulator.rotate_signing_key(keep_previous=keep)
        jwks = clerk.emulator.jwks()
        assert len(jwks["keys"]) == count
        assert found(clerk.get("/v1/jwks")) == jwks
        assert found(clerk.get("/.well-known/jwks.json", key=None)) == jwks


def test_a_token_verifies_its_session_until_its_key_is_dropped(clerk: Asker) -> None:
    emulator = clerk.emulator
    [session] = emulator.sessions()
    token = token_of(emulator)
    path = f"/v1/sessions/{session['id']}/verify"
    emulator.rotate_signing_key()
    assert found(clerk.post(path, token=token)) == session
    emulator.rotate_signing_key(keep_previous=False)
    refused(clerk.post(path, token=token), 400, "invalid_session_token")
    assert found(clerk.post(path, token=token_of(emulator))) == session


def test_two_instances_on_one_file_sign_with_the_same_key(tmp_path: Path) -> None:
    one, other = (Emulator(tmp_path / "state.sqlite3") for _ in range(2))
    token = token_of(other)
    kid = one.rotate_signing_key()
    assert (other.kid, other.jwks()) == (kid, one.jwks())
    assert kid_in(token_of(other)) == kid
    assert one.read_session_token(token) is not None
    assert other.read_session_token(token_of(one)) is not None
    one.rotate_signing_key(keep_previous=False)
    assert other.read_session_token(token) is None
    assert other.public_key_pem() == one.public_key_pem()


@pytest.mark.parametrize(("keep", "count"), [("True", 2), ("False", 1)])
def test_a_key_that_another_process_has_made_is_seen(tmp_path: Path, keep: str, count: int) -> None:
    state = tmp_path / "state.sqlite3"
    emulator = Emulator(state)
    before = token_of(emulator)
    script = (
        "import sys; from clerk_wsgi.emulator import Emulator; emulator = Emulator(sys.argv[1]);"
        f"print(emulator.rotate_signing_key(keep_previous={keep}),"
        "emulator.session_token(emulator.sessions()[0]['id']))"
    )
    command = [sys.executable, "-c", script, str(state)]
    kid, token = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert emulator.kid == kid == kid_in(token)
    assert len(emulator.jwks()["keys"]) == count
    assert emulator.read_session_token(token) is not None
    assert (emulator.read_session_token(before) is not None) == (keep == "True")


def test_keys_survive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    before = Emulator(state)
    old = token_of(before)
    before.rotate_signing_key()
    jwks = before.jwks()
    before.close()
    after = Emulator(state)
    assert after.jwks() == jwks
    assert after.read_session_token(old) is not None


def test_every_token_of_the_hour_verifies_whoever_rotates_meanwhile(tmp_path: Path) -> None:
    emulators = [Emulator(tmp_path / "state.sqlite3") for _ in range(2)]

    def sign_or_rotate(number: int) -> str:
        emulator = emulators[number % 2]
        if number % 8 == 0:
            emulator.rotate_signing_key()
        return token_of(emulator)

    with ThreadPoolExecutor(8) as threads:
        tokens = list(threads.map(sign_or_rotate, range(32)))
    jwks = emulators[0].jwks()
    assert len(jwks["keys"]) == 5
    assert all(verifies(token, jwks) for token in tokens)


# An application that fetches keys


class Application:
    """A Clerk that knows its keys from a local Clerk, and how often it asked for them."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._clerk = Clerk(secret_key=emulator.secret_key, http=in_process(emulator), dotenv=False)

    def decide(self, token: str) -> RequestState:
        return self._clerk.authenticate(environ(HTTP_AUTHORIZATION=f"Bearer {token}"))

    @property
    def fetches(self) -> int:
        return sum(one.path == "/v1/jwks" for one in self.emulator.requests)


def test_an_application_learns_a_new_key_by_one_fetch(emulator: Emulator) -> None:
    application = Application(emulator)
    before = [token_of(emulator) for _ in range(3)]
    assert [application.decide(token).status for token in before] == ["signed-in"] * 3
    assert application.fetches == 1
    emulator.rotate_signing_key()
    after = [token_of(emulator) for _ in range(3)]
    assert [application.decide(token).status for token in after] == ["signed-in"] * 3
    assert application.fetches == 2
    assert [application.decide(token).status for token in before] == ["signed-in"] * 3
    assert application.fetches == 2


def test_a_key_that_was_dropped_is_refused_once_the_application_knows(emulator: Emulator) -> None:
    application = Application(emulator)
    before = token_of(emulator)
    assert application.decide(before).status == "signed-in"
    emulator.rotate_signing_key(keep_previous=False)
    assert application.decide(before).status == "signed-in"  # nobody has told it yet
    assert application.decide(token_of(emulator)).status == "signed-in"
    state = application.decide(before)
    assert (state.status, state.reason) == ("signed-out", "jwk-kid-mismatch")


def test_a_token_forged_in_the_name_of_a_new_key_is_refused(emulator: Emulator) -> None:
    application = Application(emulator)
    application.decide(token_of(emulator))
    emulator.rotate_signing_key()
    state = application.decide(forge(token_of(emulator)))
    assert (state.status, state.reason) == ("signed-out", "token-invalid-signature")


# How long tokens live


def lifetime_of(token: str) -> int:
    claims = jwt.decode(token, options={"verify_signature": False})
    return int(claims["exp"] - claims["iat"])


def test_tokens_live_a_minute_unless_told_otherwise(emulator: Emulator) -> None:
    assert emulator.token_lifetime == 60
    assert lifetime_of(token_of(emulator)) == 60
    emulator.token_lifetime = 5
    assert lifetime_of(token_of(emulator)) == 5
    assert lifetime_of(token_of(emulator, expires_in=3600)) == 3600
    assert lifetime_of(token_of(emulator, expires_in=0)) == 0
    assert Emulator().token_lifetime == 60


def test_the_backend_api_mints_for_a_minute_whatever_the_lifetime(clerk: Asker) -> None:
    clerk.emulator.token_lifetime = 5
    [session] = clerk.emulator.sessions()
    token = found(clerk.post(f"/v1/sessions/{session['id']}/tokens"))["jwt"]
    assert lifetime_of(token) == 60


def test_a_short_token_expires_in_its_second() -> None:
    clock = FrozenClock(NOW)
    emulator = Emulator(clock=clock)
    emulator.token_lifetime = 2
    token = token_of(emulator)
    for age, counts in ((0, True), (1.9, True), (2, False), (3600, False)):
        clock.now = NOW + age
        assert (emulator.read_session_token(token) is not None) == counts, age
