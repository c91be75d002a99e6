"""``Clerk.warm_up()``: keys before the first request, whatever state Clerk is in."""

from __future__ import annotations

from clerk_wsgi import Clerk
from clerk_wsgi.testing import Emulator, in_process

from .minting import Minter, environ


def fetches(emulator: Emulator) -> int:
    return [request.path for request in emulator.requests].count("/v1/jwks")


def test_the_first_request_finds_the_keys_there() -> None:
    emulator = Emulator()
    clerk = Clerk(secret_key=emulator.secret_key, http=in_process(emulator), dotenv=False)
    assert clerk.warm_up()
    emulator.faults.fail(503)
    token = emulator.session_token(emulator.sessions()[0]["id"])
    assert clerk.authenticate(environ(HTTP_AUTHORIZATION=token)).status == "signed-in"
    assert fetches(emulator) == 1


def test_a_clerk_that_is_down_raises_nothing_and_is_asked_again_later() -> None:
    emulator, now = Emulator(), [1000.0]
    emulator.faults.fail(503)
    clerk = Clerk(
        secret_key=emulator.secret_key,
        http=in_process(emulator),
        dotenv=False,
        monotonic=lambda: now[0],
    )
    assert not clerk.warm_up()
    emulator.faults.clear()
    now[0] += 2
    token = emulator.session_token(emulator.sessions()[0]["id"])
    assert clerk.authenticate(environ(HTTP_AUTHORIZATION=token)).status == "signed-in"


def test_a_wrong_secret_key_is_no_keys() -> None:
    emulator = Emulator()
    clerk = Clerk(secret_key="sk_test_wrong", http=in_process(emulator), dotenv=False)
    assert not clerk.warm_up()


def test_with_a_pem_key_there_is_nothing_to_fetch() -> None:
    emulator = Emulator()
    clerk = Clerk(
        secret_key=emulator.secret_key,
        jwt_key=Minter().pem,
        http=in_process(emulator),
        dotenv=False,
    )
    assert clerk.warm_up()
    assert emulator.requests == []


def test_with_a_machine_secret_key_alone_there_is_nothing_to_fetch() -> None:
    clerk = Clerk(machine_secret_key="ak_x", accepts_token="m2m_token", dotenv=False)
    assert clerk.warm_up()
