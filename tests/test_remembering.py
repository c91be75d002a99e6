"""What is remembered between requests: bounded, and never in the way of another decision."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clerk_wsgi import Clerk
from clerk_wsgi.context import LONGEST_REMEMBERED, REMEMBERED_HEADERS, CookieReader
from clerk_wsgi.remembering import Memory
from clerk_wsgi.testing import FrozenClock

from .minting import (
    ISSUER_TEST,
    NOW,
    PUBLISHABLE_LIVE,
    PUBLISHABLE_TEST,
    SUFFIX_TEST,
    Minter,
    environ,
)
from .scripted import Script, ScriptedClerk, error

MINTER = Minter()


def test_what_was_noted_is_recalled() -> None:
    memory: Memory[str, int] = Memory(2)
    memory.note("a", 1)
    assert (memory.recall("a"), memory.recall("b")) == (1, None)
    memory.forget("a")
    memory.forget("never there")
    assert memory.recall("a") is None


def test_of_too_many_the_one_goes_that_was_asked_for_longest_ago() -> None:
    memory: Memory[str, int] = Memory(2)
    memory.note("a", 1)
    memory.note("b", 2)
    assert memory.recall("a") == 1
    memory.note("c", 3)
    assert [memory.recall(text) for text in "abc"] == [1, None, 3]


@pytest.mark.parametrize("size", [0, 1, 5])
def test_there_are_never_more(size: int) -> None:
    memory: Memory[str, int] = Memory(size)
    for number in range(50):
        memory.note(str(number % 7), number)
        assert len(memory) <= size


def test_threads_do_not_disturb_each_other() -> None:
    memory: Memory[str, int] = Memory(3)

    def use(start: int) -> None:
        for number in range(start, start + 3000):
            memory.note(str(number % 11), number % 11)
            found = memory.recall(str(number % 5))
            assert found in (None, number % 5)
            memory.forget(str(number % 3))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))
    memory.note("last", 1)
    assert len(memory) <= 3


# Cookie headers


def test_a_header_is_read_once() -> None:
    reader = CookieReader(["a"])
    first = reader.read("a=1; b=2")
    assert first == {"a": "1"}
    assert reader.read("a=1; b=2") is first
    assert reader.read("a=1; b=3") is not first


def test_a_long_header_is_read_each_time() -> None:
    reader = CookieReader(["a"])
    header = f"a=1; b={'x' * LONGEST_REMEMBERED}"
    assert reader.read(header) == reader.read(header) == {"a": "1"}
    assert reader.read(header) is not reader.read(header)


def test_headers_are_forgotten_in_time() -> None:
    reader = CookieReader(["a"])
    first = reader.read("a=0")
    for number in range(1, REMEMBERED_HEADERS + 1):
        reader.read(f"a={number}")
    assert reader.read("a=0") is not first


def development(clock: FrozenClock) -> Clerk:
    return Clerk(
        secret_key="sk_test_x",
        publishable_key=PUBLISHABLE_TEST,
        jwt_key=MINTER.pem,
        dotenv=False,
        clock=clock,
    )


def cookies(**values: str) -> dict[str, Any]:
    header = "; ".join(f"{name}={value}" for name, value in values.items())
    return environ(HTTP_COOKIE=header)


def test_a_choice_that_depends_on_the_time_is_made_anew() -> None:
    """Signed out by the plain cookies, and the suffixed token expires: row 6 of the selection."""
    clock = FrozenClock(NOW)
    clerk = development(clock)
    request = cookies(
        __session=MINTER.token(iss=ISSUER_TEST, iat=NOW - 1000, exp=NOW - 940),
        __client_uat="0",
        __clerk_db_jwt="dvb",
        **{
            f"__session_{SUFFIX_TEST}": MINTER.token(iss=ISSUER_TEST, sid="sess_2"),
            f"__client_uat_{SUFFIX_TEST}": str(NOW - 2000),
            f"__clerk_db_jwt_{SUFFIX_TEST}": "dvb",
        },
    )
    found = []
    for seconds in (0, 30, 120, 4000):
        clock.tick(seconds)
        decided = clerk.authenticate(request)
        fresh = development(clock).authenticate(request)
        assert (decided.status, decided.reason) == (fresh.status, fresh.reason)
        found.append((decided.status, decided.reason))
    assert found[0] == found[1] == ("signed-in", None)
    assert found[2] != found[0]


def test_a_remembered_header_signs_nobody_in_whose_token_has_expired() -> None:
    clock = FrozenClock(NOW)
    clerk = Clerk(jwt_key=MINTER.pem, dotenv=False, clock=clock)
    request = cookies(__session=MINTER.token())
    assert [clerk.authenticate(request).status for _ in range(2)] == ["signed-in"] * 2
    clock.tick(66)
    assert clerk.authenticate(request).status == "signed-out"
    clock.now = NOW
    assert clerk.authenticate(request).status == "signed-in"


def test_instances_do_not_share_what_they_remember() -> None:
    other = Minter()
    mine = Clerk(jwt_key=MINTER.pem, dotenv=False, clock=lambda: NOW)
    theirs = Clerk(jwt_key=other.pem, dotenv=False, clock=lambda: NOW)
    request = cookies(__session=MINTER.token())
    for _ in range(2):
        assert mine.authenticate(request).status == "signed-in"
        assert theirs.authenticate(request).status == "signed-out"


def test_a_visitor_who_carries_nothing_is_nobody_whatever_was_asked_before() -> None:
    clock = FrozenClock(NOW)
    production = Clerk(jwt_key=MINTER.pem, dotenv=False, clock=clock)
    assert production.authenticate(cookies(__session=MINTER.token())).status == "signed-in"
    assert production.authenticate(environ()).reason == "session-token-and-uat-missing"
    assert development(clock).authenticate(environ()).reason == "dev-browser-missing"
    assert production.authenticate(environ(QUERY_STRING="a=b")).status == "signed-out"


# What the cookies of before came to

SAME_NAME = Minter(MINTER.kid)
DAY = 86_400.0


class Aging:
    """An instance whose keys come from a Clerk that can be told others, and grow old at once."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._served = ScriptedClerk({"GET /v1/jwks": MINTER.jwks()})
        self.clerk = self._served.instance(clock=lambda: NOW, monotonic=lambda: self._seconds)

    def publish(self, minter: Minter) -> None:
        """Have other keys fetched before the next decision."""
        self._served.answers["GET /v1/jwks"] = minter.jwks()
        self._seconds += DAY

    def reasons(self, *requests: dict[str, Any]) -> list[str | None]:
        return [self.clerk.authenticate(request).reason for request in requests]


def both_carriers(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return cookies(__session=token), environ(HTTP_AUTHORIZATION=f"Bearer {token}")


def test_what_was_remembered_ends_with_its_key() -> None:
    aging, requests = Aging(), both_carriers(MINTER.token())
    for _ in range(2):
        assert aging.reasons(*requests) == [None, None]
    aging.publish(SAME_NAME)
    for _ in range(2):
        assert aging.reasons(*requests) == ["token-invalid-signature"] * 2
    aging.publish(MINTER)
    assert aging.reasons(*requests) == [None, None]


def test_a_remembered_key_name_does_not_stand_for_another_key() -> None:
    aging = Aging()
    assert aging.reasons(*both_carriers(MINTER.token())) == [None, None]
    aging.publish(SAME_NAME)
    new = both_carriers(SAME_NAME.token(jti="new"))
    old = both_carriers(MINTER.token(jti="old"))
    assert aging.reasons(*new, *old, *new) == [
        *(None, None), *["token-invalid-signature"] * 2, *(None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "none"}, "token-invalid-algorithm"),
        ({"typ": "at+jwt"}, "token-type-mismatch"),
        ({"cat": "cl_template"}, "token-type-mismatch"),
        ({"crit": ["exp"]}, "token-invalid"),
        ({"kid": "ins_other"}, "jwk-kid-mismatch"),
    ],
)
def test_a_header_that_was_never_verified_is_looked_at_however_often_it_comes(
    header: dict[str, Any], reason: str
) -> None:
    aging = Aging()
    for number in range(3):
        assert aging.reasons(*both_carriers(MINTER.token(jti=str(number)))) == [None, None]
        bad = both_carriers(MINTER.token(header, jti=f"{number} more"))
        assert aging.reasons(*bad) == [reason, reason]


def test_cookies_of_before_do_not_answer_for_a_query() -> None:
    clerk = Clerk(
        publishable_key=PUBLISHABLE_LIVE, jwt_key=MINTER.pem, dotenv=False, clock=lambda: NOW
    )
    request = cookies(__session=MINTER.token(), __client_uat=str(NOW - 99))
    for query, reason in [
        ("", None), ("_clerk_session_id=sess_other", "session-id-mismatch"), ("", None),
        ("a=b", None), ("_clerk_session_id=sess_other", "session-id-mismatch"),
    ]:  # fmt: skip
        assert clerk.authenticate({**request, "QUERY_STRING": query}).reason == reason


def test_cookies_of_before_do_not_answer_for_what_a_query_brings() -> None:
    clerk = development(FrozenClock(NOW))
    request = cookies(
        __session=MINTER.token(iss=ISSUER_TEST),
        __client_uat=str(NOW - 99),
        __clerk_db_jwt="dvb",
    )
    page = {"HTTP_ACCEPT": "text/html", "HTTP_SEC_FETCH_DEST": "document"}
    for query, reason in [("", None), ("__clerk_db_jwt=dvb", "dev-browser-sync"), ("", None)]:
        decided = clerk.authenticate({**request, **page, "QUERY_STRING": query})
        assert decided.reason == reason


def test_what_a_handshake_brought_is_asked_for_until_clerk_answers() -> None:
    """The cookies are good by themselves: a remembered answer would leave the nonce unused."""
    old, new = MINTER.token(), MINTER.token(sid="sess_new")
    brought = {"directives": [f"__session={new}; Path=/"]}
    served = ScriptedClerk(
        {"GET /v1/clients/handshake_payload": Script(error(500, "internal"), brought)}
    )
    clerk = served.instance(
        publishable_key=PUBLISHABLE_LIVE,
        jwt_key=MINTER.pem,
        clock=lambda: NOW,
        sleep=lambda _: None,
    )
    request = cookies(__session=old, __client_uat=str(NOW - 99), __clerk_handshake_nonce="nonce_1")
    assert [clerk.authenticate(request).token for _ in range(2)] == [old, new]
