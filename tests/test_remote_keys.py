"""Keys that are fetched and remembered: what costs a fetch, who waits, and what an outage does."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi.api.backend import BackendApi
from clerk_wsgi.api.transport import Transport
from clerk_wsgi.errors import ClerkUnavailable
from clerk_wsgi.keys import KeysUnavailable, RemoteKeys, UnknownKey
from clerk_wsgi.rationing import Backoff, BriefMemory, Window
from clerk_wsgi.settings import Secret
from clerk_wsgi.testing import FrozenClock

from .minting import Minter
from .servers import sends_json, serving, sleeps, stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

K1, K2 = Minter("ins_k1"), Minter("ins_k2")
OTHER_K1 = Minter("ins_k1", private=K2.private)
BAD_SET = {"keys": [K1.jwk(use="enc"), {"kid": "ins_k1"}]}
OUTAGE = ClerkUnavailable("Clerk is down", reason="jwk-remote-failed-to-load")
TTL, STALE = 300.0, 3600.0


def jwks(*minters: Minter) -> dict[str, Any]:
    return {"keys": [minter.jwk() for minter in minters]}


class Clerk:
    """What is behind ``fetch``: it answers with a document or an exception, when ``open``."""

    def __init__(self, *minters: Minter) -> None:
        self.answer: object = jwks(*minters)
        self.open = threading.Event()
        self.open.set()
        self.calls = 0

    def __call__(self) -> object:
        self.calls += 1
        answer, gate = self.answer, self.open  # as they were when the request came
        assert gate.wait(10)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def has_been_called(self, times: int) -> bool:
        return self.calls == times

    def close(self) -> threading.Event:
        """Let later requests wait; the event that ends that."""
        self.open = threading.Event()
        return self.open


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(1000.0)


@pytest.fixture
def clerk() -> Iterator[Clerk]:
    clerk = Clerk(K1)
    yield clerk
    clerk.open.set()


@pytest.fixture
def keys(clerk: Clerk, clock: FrozenClock) -> RemoteKeys:
    return RemoteKeys(clerk, monotonic=clock, ttl=TTL, stale=STALE, wait=5.0)


@pytest.fixture
def warm(keys: RemoteKeys, clerk: Clerk) -> RemoteKeys:
    keys.find("ins_k1")
    clerk.calls = 0
    return keys


def eventually(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


def settle() -> None:
    """Wait until no fetch is under way."""
    eventually(lambda: not [t for t in threading.enumerate() if t.name == "clerk-wsgi-keys"])


def outcome(keys: RemoteKeys, kid: str | None) -> object:
    """The ``kid`` that was found, or the class of the error."""
    try:
        return keys.find(kid).kid
    except (UnknownKey, KeysUnavailable) as error:
        return type(error)


# ---- no keys yet ----


def test_the_first_question_fetches_and_later_ones_do_not(keys: RemoteKeys, clerk: Clerk) -> None:
    key = keys.find("ins_k1")
    assert key.verify(K1.sign("x"), b"x")
    assert keys.find("ins_k1") is key
    assert keys.is_current(key)
    assert clerk.calls == 1


def test_many_first_questions_at_once_cost_one_fetch(clock: FrozenClock) -> None:
    for _ in range(20):
        clerk = Clerk(K1)
        keys = RemoteKeys(clerk, monotonic=clock)
        with ThreadPoolExecutor(48) as pool:
            found = set(pool.map(keys.find, ["ins_k1"] * 48))
        assert (len(found), clerk.calls) == (1, 1)


@pytest.mark.parametrize("kid", [None, "ins_k2", "", "k" * 70_000, "__proto__", "\ud800", "INS_K1"])
def test_a_kid_that_the_first_keys_lack_is_unknown(
    keys: RemoteKeys, clerk: Clerk, kid: str | None
) -> None:
    for _ in range(5):
        with pytest.raises(UnknownKey) as caught:
            keys.find(kid)
        assert caught.value.reason == "jwk-kid-mismatch"
        assert len(str(caught.value)) < 100
    assert clerk.calls == 1
    assert outcome(keys, "ins_k1") == "ins_k1"


def test_a_set_without_one_usable_key_has_no_key_of_any_kid(
    keys: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    clerk.answer = BAD_SET
    assert outcome(keys, "ins_k1") is UnknownKey
    clerk.answer = jwks(K1)
    clock.now += 1
    assert outcome(keys, "ins_k1") == "ins_k1"


@pytest.mark.parametrize("reason", ["jwk-remote-failed-to-load", "secret-key-invalid"])
def test_a_failed_first_fetch_says_why(
    keys: RemoteKeys, clerk: Clerk, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    clerk.answer = ClerkUnavailable("no luck", reason=reason)
    with pytest.raises(KeysUnavailable, match="no luck") as caught:
        keys.find("ins_k1")
    assert (caught.value.reason, caught.value.retry_after) == (reason, 1)
    assert [(r.name, r.levelno) for r in caplog.records] == [("clerk_wsgi", logging.WARNING)]


def test_a_failure_without_a_reason_gets_the_general_one(keys: RemoteKeys, clerk: Clerk) -> None:
    clerk.answer = ClerkUnavailable("no luck")
    with pytest.raises(KeysUnavailable) as caught:
        keys.find("ins_k1")
    assert caught.value.reason == "jwk-remote-failed-to-load"


@pytest.mark.parametrize("document", [None, [], {}, {"keys": []}, "oops", {"keys": [{}] * 101}])
def test_what_is_no_set_of_keys_is_a_failure(
    keys: RemoteKeys, clerk: Clerk, document: object
) -> None:
    clerk.answer = document
    assert outcome(keys, "ins_k1") is KeysUnavailable


def test_a_cold_start_without_clerk_costs_a_fetch_a_second_and_nobody_waits_in_between(
    keys: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    clerk.answer = OUTAGE
    seconds = stopwatch()
    for tenth in range(50):
        clock.now = 1000 + tenth / 10
        assert outcome(keys, f"ins_k{tenth % 3}") is KeysUnavailable
    assert clerk.calls == 5
    assert seconds() < 1
    clerk.answer = jwks(K1)
    assert outcome(keys, "ins_k1") is KeysUnavailable
    clock.now += 1
    assert outcome(keys, "ins_k1") == "ins_k1"
    assert clerk.calls == 6


def test_the_second_counts_from_when_a_fetch_was_sent(clerk: Clerk, clock: FrozenClock) -> None:
    """Not from when it was wanted: its thread may have to wait for the processor."""
    delays = iter([0.6])

    def read_late() -> float:
        if threading.current_thread().name == "clerk-wsgi-keys":
            clock.now += next(delays, 0.0)
        return clock.now

    keys = RemoteKeys(clerk, monotonic=read_late)
    clerk.answer = OUTAGE
    calls = []
    for now in (1000.0, 1000.9, 1001.5, 1001.7):
        clock.now = now
        assert outcome(keys, "ins_k1") is KeysUnavailable
        calls.append(clerk.calls)
    assert calls == [1, 1, 1, 2]


def test_each_failure_is_an_exception_of_its_own(keys: RemoteKeys, clerk: Clerk) -> None:
    clerk.answer = OUTAGE
    errors = []
    for _ in range(2):
        with pytest.raises(KeysUnavailable) as caught:
            keys.find("ins_k1")
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert OUTAGE not in errors


def test_who_waits_for_the_first_keys_waits_no_longer_than_allowed(
    clerk: Clerk, clock: FrozenClock
) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, wait=0.2)
    gate = clerk.close()
    seconds = stopwatch()
    assert outcome(keys, "ins_k1") is KeysUnavailable
    assert 0.15 < seconds() < 1
    clock.now += 0.2  # who comes later does not wait anew
    seconds = stopwatch()
    assert outcome(keys, "ins_k1") is KeysUnavailable
    assert seconds() < 0.1
    gate.set()
    eventually(lambda: outcome(keys, "ins_k1") == "ins_k1")
    assert clerk.calls == 1


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt(), ZeroDivisionError()])
def test_whatever_a_fetch_raises_nobody_waits_for_ever(
    keys: RemoteKeys,
    clerk: Clerk,
    clock: FrozenClock,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uncaught: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", uncaught.append)
    clerk.answer = error
    seconds = stopwatch()
    assert outcome(keys, "ins_k1") is KeysUnavailable
    assert seconds() < 1
    settle()
    assert [seen.exc_value for seen in uncaught] == [error]
    clerk.answer = jwks(K1)
    clock.now += 1
    assert outcome(keys, "ins_k1") == "ins_k1"


# ---- fetches that never end ----


def test_a_fetch_that_does_not_end_is_given_up_and_another_starts(
    clerk: Clerk, clock: FrozenClock
) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, wait=0.05)
    gate = clerk.close()
    clerk.answer = jwks(K2)
    assert outcome(keys, "ins_k1") is KeysUnavailable
    clock.now += 1.05
    assert outcome(keys, "ins_k1") is KeysUnavailable
    assert clerk.calls == 1  # not yet
    clock.now += 0.01
    clerk.answer = jwks(K1)
    clerk.open = threading.Event()
    clerk.open.set()
    eventually(lambda: outcome(keys, "ins_k1") == "ins_k1")
    assert clerk.calls == 2
    gate.set()  # the first one's answer comes at last
    settle()
    assert outcome(keys, "ins_k1") == "ins_k1"
    assert clerk.calls == 2


def test_the_late_answer_of_a_fetch_that_was_given_up_is_welcome_if_there_is_no_newer(
    clerk: Clerk, clock: FrozenClock
) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, wait=0.05)
    first = clerk.close()
    assert outcome(keys, "ins_k1") is KeysUnavailable
    clock.now += 1.1
    clerk.answer = OUTAGE
    second = clerk.close()
    assert outcome(keys, "ins_k1") is KeysUnavailable
    assert clerk.calls == 2
    first.set()
    eventually(lambda: outcome(keys, "ins_k1") == "ins_k1")
    second.set()  # and the newer one's failure changes nothing
    settle()
    assert outcome(keys, "ins_k1") == "ins_k1"


def test_the_late_failure_of_a_fetch_that_was_given_up_counts_once(
    clerk: Clerk, clock: FrozenClock
) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, wait=0.05)
    clerk.answer = OUTAGE
    first = clerk.close()
    assert outcome(keys, "ins_k1") is KeysUnavailable
    clock.now += 1.1
    clerk.answer, clerk.open = jwks(K1), threading.Event()
    clerk.open.set()
    eventually(lambda: outcome(keys, "ins_k1") == "ins_k1")
    clock.now += TTL + 1
    first.set()
    settle()
    keys.find("ins_k1")  # no pause after a failure: the keys are refreshed at once
    settle()
    assert clerk.calls == 3


def test_who_waits_for_a_fetch_that_fails_is_served_by_an_older_one_that_ends_well(
    clerk: Clerk, clock: FrozenClock
) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, wait=2.0)
    key = keys.find("ins_k1")
    clerk.answer = jwks(K2)
    older = clerk.close()
    with ThreadPoolExecutor(2) as pool:
        pool.submit(outcome, keys, "ins_k2")
        eventually(partial(clerk.has_been_called, 2))
        clock.now += 3.1
        clerk.answer = OUTAGE
        newer = clerk.close()
        second = pool.submit(outcome, keys, "ins_k2")
        eventually(partial(clerk.has_been_called, 3))
        older.set()
        eventually(lambda: not keys.is_current(key))
        newer.set()
        assert second.result() == "ins_k2"


def test_a_fetch_does_not_keep_a_process_from_ending(clerk: Clerk, clock: FrozenClock) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, wait=0.01)
    gate = clerk.close()
    assert outcome(keys, "ins_k1") is KeysUnavailable
    assert {t.daemon for t in threading.enumerate() if t.name == "clerk-wsgi-keys"} == {True}
    gate.set()


def test_a_refresh_that_does_not_end_is_given_up_with_a_pause(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    gate = clerk.close()
    clock.now += TTL + 1
    for calls, pause in ((1, 0.0), (1, 5.9), (1, 0.2), (1, 0.9), (2, 0.2), (2, 1.0)):
        clock.now += pause
        assert outcome(warm, "ins_k1") == "ins_k1"
        eventually(partial(clerk.has_been_called, calls))
    gate.set()
    settle()


def test_without_threads_a_fetch_is_made_by_who_needs_it(
    keys: RemoteKeys, clerk: Clerk, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert outcome(keys, "ins_k1") == "ins_k1"
    clerk.answer = SystemExit("worker is to stop")
    clock.now += TTL + 1
    with pytest.raises(SystemExit):
        keys.find("ins_k1")
    clerk.answer = jwks(K2)
    clock.now += 2
    assert outcome(keys, "ins_k1") == "ins_k1"  # found before the refresh, which is over now
    assert outcome(keys, "ins_k2") == "ins_k2"
    assert clerk.calls == 3


# ---- keys that age ----


def test_keys_are_fresh_for_their_time(warm: RemoteKeys, clerk: Clerk, clock: FrozenClock) -> None:
    key = warm.find("ins_k1")
    clock.now += TTL
    assert warm.find("ins_k1") is key
    assert warm.is_current(key)
    settle()
    assert clerk.calls == 0


@pytest.mark.parametrize("ask", [RemoteKeys.find, RemoteKeys.is_current])
def test_older_keys_are_refreshed_while_nobody_waits(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock, ask: Callable[[RemoteKeys, Any], object]
) -> None:
    key = warm.find("ins_k1")
    clerk.answer = jwks(K2)
    gate = clerk.close()
    clock.now += TTL + 0.1
    seconds = stopwatch()
    for _ in range(100):
        assert ask(warm, key if ask is RemoteKeys.is_current else "ins_k1")
    assert seconds() < 0.5
    gate.set()
    settle()
    assert clerk.calls == 1
    assert not warm.is_current(key)
    assert outcome(warm, "ins_k2") == "ins_k2"
    assert clerk.calls == 1


def test_a_key_stays_the_same_object_over_refreshes(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    key = warm.find("ins_k1")
    clerk.answer = jwks(K2, K1)
    for refreshes in (1, 2, 3):
        clock.now += TTL + 1
        assert warm.is_current(key)
        settle()
        assert clerk.calls == refreshes
    assert warm.find("ins_k1") is key


def test_another_key_under_the_same_kid_takes_its_place(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    key = warm.find("ins_k1")
    clerk.answer = jwks(OTHER_K1)
    clock.now += TTL + 1
    warm.find("ins_k1")
    settle()
    assert not warm.is_current(key)
    assert warm.find("ins_k1").verify(OTHER_K1.sign("x"), b"x")
    assert not warm.find("ins_k1").verify(K1.sign("x"), b"x")


def test_a_key_of_another_instance_is_not_current(warm: RemoteKeys, clerk: Clerk) -> None:
    assert not warm.is_current(RemoteKeys(clerk).find("ins_k1"))


FAILURES: list[object] = [
    OUTAGE,
    ClerkUnavailable("x", reason="secret-key-invalid"),
    *(None, {}, [], "", {"keys": []}, {"keys": None}, {"keys": [{}] * 101}),
    BAD_SET,
]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
def test_a_refresh_that_fails_destroys_nothing(
    warm: RemoteKeys,
    clerk: Clerk,
    clock: FrozenClock,
    failure: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = warm.find("ins_k1")
    clerk.answer = failure
    for second in range(0, int(STALE), 50):
        clock.now = 1000 + TTL + second + 0.5
        assert warm.is_current(key)
        assert warm.find("ins_k1") is key
        settle()
    assert clerk.calls == STALE / 50
    assert len(caplog.records) == clerk.calls
    assert {r.levelno for r in caplog.records} == {logging.WARNING}


def test_refreshes_that_fail_pause_longer_and_longer(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    key = warm.find("ins_k1")
    clerk.answer = OUTAGE
    starts: list[float] = []
    for tenth in range(1, 1500):
        clock.now = 1000 + TTL + tenth / 10
        before = clerk.calls
        assert warm.is_current(key)
        settle()
        if clerk.calls > before:
            starts.append(round(clock.now - 1000 - TTL, 1))
    pauses = [round(b - a, 1) for a, b in pairwise(starts)]
    assert starts[0] == 0.1
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    clerk.answer = jwks(K1)
    clock.now += 30
    warm.find("ins_k1")
    settle()
    clerk.answer = OUTAGE
    clock.now += TTL + 1
    for calls in (1, 2):  # the pauses begin anew
        before = clerk.calls
        warm.find("ins_k1")
        settle()
        assert clerk.calls == before + 1, calls
        clock.now += 1


def test_keys_that_are_too_old_are_no_keys(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    key = warm.find("ins_k1")
    clerk.answer = OUTAGE
    clock.now += TTL + STALE
    assert warm.is_current(key)
    assert warm.find("ins_k1") is key
    settle()
    clock.now += 1.1
    assert not warm.is_current(key)
    assert outcome(warm, "ins_k1") is KeysUnavailable
    clerk.answer = jwks(K1)
    clock.now += 1
    assert warm.find("ins_k1") is key  # what it verified may be remembered again
    assert warm.is_current(key)


def test_keys_that_are_used_up_at_once_still_answer_who_fetched_them(clock: FrozenClock) -> None:
    keys = RemoteKeys(Clerk(K1), monotonic=clock, ttl=-1, stale=0)
    assert [outcome(keys, "ins_k1") for _ in range(3)] == ["ins_k1"] * 3


# ---- kids that are not there ----


def test_a_new_key_is_accepted_with_the_first_token_that_needs_it(
    warm: RemoteKeys, clerk: Clerk
) -> None:
    clerk.answer = jwks(K2, K1)
    assert outcome(warm, "ins_k2") == "ins_k2"
    assert outcome(warm, "ins_k1") == "ins_k1"
    assert clerk.calls == 1


def test_nobody_with_a_known_key_waits_for_an_unknown_one(warm: RemoteKeys, clerk: Clerk) -> None:
    clerk.answer = jwks(K2, K1)
    gate = clerk.close()
    key = warm.find("ins_k1")
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(outcome, warm, "ins_k2") for _ in range(8)]
        eventually(lambda: clerk.calls == 1)
        seconds = stopwatch()
        for _ in range(1000):
            assert warm.find("ins_k1") is key
            assert warm.is_current(key)
        assert seconds() < 0.5
        assert not [future for future in waiting if future.done()]
        gate.set()
        assert {future.result() for future in waiting} == {"ins_k2"}
    assert clerk.calls == 1


def test_a_flood_of_unknown_kids_costs_two_fetches_in_ten_seconds(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    for tenth in range(300):
        clock.now = 1000 + tenth / 10
        for n in range(10):
            assert outcome(warm, f"forged_{tenth}_{n}") is UnknownKey
        assert outcome(warm, "ins_k1") == "ins_k1"
    assert clerk.calls == 6


def test_a_flood_from_many_threads_costs_no_more(warm: RemoteKeys, clerk: Clerk) -> None:
    with ThreadPoolExecutor(32) as pool:
        found = set(pool.map(lambda n: outcome(warm, f"forged_{n}"), range(2000)))
    assert found == {UnknownKey}
    assert clerk.calls == 2


def test_a_flood_that_meets_no_keys_costs_no_more(keys: RemoteKeys, clerk: Clerk) -> None:
    assert {outcome(keys, f"forged_{n}") for n in range(100)} == {UnknownKey}
    assert clerk.calls == 2


def test_a_key_that_changes_right_after_a_flood_is_accepted_in_ten_seconds(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    for n in range(100):
        outcome(warm, f"forged_{n}")
    clerk.answer = jwks(K2)
    clock.now += 9.9
    assert outcome(warm, "ins_k2") is UnknownKey
    clock.now += 0.1
    assert outcome(warm, "ins_k2") == "ins_k2"


def test_two_changes_of_the_key_in_ten_seconds_are_followed(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    for minter, kid in ((K2, "ins_k2"), (K1, "ins_k1")):
        clock.now += 0.5
        clerk.answer = jwks(minter)
        assert outcome(warm, kid) == kid


def test_a_kid_that_clerk_did_not_know_is_not_asked_about_for_a_second(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    for _ in range(10):
        clock.now += 0.09
        assert outcome(warm, "ins_k2") is UnknownKey
    assert clerk.calls == 1
    clerk.answer = jwks(K2)
    clock.now += 0.2
    assert outcome(warm, "ins_k2") == "ins_k2"


@pytest.mark.parametrize("kid", [None, "k" * 257, "k" * 70_000])
def test_a_kid_that_no_key_of_clerk_has_costs_nothing(
    warm: RemoteKeys, clerk: Clerk, kid: str | None
) -> None:
    assert outcome(warm, kid) is UnknownKey
    assert clerk.calls == 0


def test_who_asks_for_an_unknown_kid_during_a_refresh_waits_for_that(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    clock.now += TTL + 1
    gate = clerk.close()
    warm.find("ins_k1")
    clerk.answer = jwks(K2)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(outcome, warm, f"forged_{n}") for n in range(4)]
        eventually(lambda: clerk.calls == 1)
        gate.set()
        assert {future.result() for future in waiting} == {UnknownKey}
    assert clerk.calls == 1
    clock.now += 1
    assert [outcome(warm, kid) for kid in ("ins_k2", "x", "y")] == [
        "ins_k2",
        UnknownKey,
        UnknownKey,
    ]
    assert clerk.calls == 3  # the refresh did not count


def test_an_outage_is_no_sign_out_for_who_has_a_new_key(
    warm: RemoteKeys, clerk: Clerk, clock: FrozenClock
) -> None:
    clerk.answer = OUTAGE
    for n in range(20):
        assert outcome(warm, f"ins_new_{n}") is KeysUnavailable
    assert clerk.calls == 2
    assert outcome(warm, "ins_k1") == "ins_k1"
    assert outcome(warm, None) is UnknownKey  # whatever Clerk might say
    clerk.answer = jwks(K1)
    clock.now += 10
    assert outcome(warm, "ins_new_1") is UnknownKey


def test_who_waits_for_an_unknown_kid_waits_no_longer_than_allowed(
    clerk: Clerk, clock: FrozenClock
) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, wait=0.2)
    keys.find("ins_k1")
    gate = clerk.close()
    seconds = stopwatch()
    assert outcome(keys, "ins_k2") is KeysUnavailable
    assert 0.15 < seconds() < 1
    gate.set()


def test_who_waits_for_an_unknown_kid_beside_other_keys_waits_a_second_at_most(
    clerk: Clerk, clock: FrozenClock
) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, wait=60.0)
    keys.find("ins_k1")
    clerk.answer = jwks(K1, K2)
    gate = clerk.close()
    seconds = stopwatch()
    assert outcome(keys, "ins_k2") is KeysUnavailable
    assert 0.9 < seconds() < 5
    gate.set()
    eventually(lambda: outcome(keys, "ins_k2") == "ins_k2")
    assert clerk.calls == 2


def test_who_waits_for_an_unknown_kid_after_a_failure_waits_less(
    clerk: Clerk, clock: FrozenClock
) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, wait=60.0)
    keys.find("ins_k1")
    clerk.answer = OUTAGE
    assert outcome(keys, "ins_k2") is KeysUnavailable
    clerk.answer = jwks(K1, K2)
    gate = clerk.close()
    seconds = stopwatch()
    assert outcome(keys, "ins_k2") is KeysUnavailable
    assert 0.2 < seconds() < 0.9
    gate.set()
    eventually(lambda: outcome(keys, "ins_k2") == "ins_k2")
    assert clerk.calls == 3


def test_two_instances_share_no_keys() -> None:
    mine, yours = RemoteKeys(Clerk(K1)), RemoteKeys(Clerk(OTHER_K1))
    key = mine.find("ins_k1")
    assert mine.is_current(key)
    assert yours.find("ins_k1") is not key
    assert not yours.is_current(key)
    assert not mine.is_current(yours.find("ins_k1"))


# ---- with Clerk at the other end of a socket ----


def remote_keys(url: str, timeout: float = 1.0) -> RemoteKeys:
    api = BackendApi(Transport(base_url=url, timeout=timeout), secret_key=Secret("sk_test_1"))
    return RemoteKeys(api.fetch_jwks, wait=timeout)


def test_keys_come_over_http_and_outlive_the_server() -> None:
    with serving(sends_json(jwks(K1))) as server:
        keys = remote_keys(server.url)
        with ThreadPoolExecutor(48) as pool:
            (key,) = set(pool.map(keys.find, ["ins_k1"] * 48))
        assert len(server.received) == 1
    assert keys.is_current(key)
    assert outcome(keys, "ins_k2") is KeysUnavailable
    assert outcome(keys, "ins_k1") == "ins_k1"


def test_a_slow_clerk_is_a_failure_in_time_and_recovers() -> None:
    with serving(sleeps(10)) as server:
        keys = remote_keys(server.url, timeout=0.3)
        seconds = stopwatch()
        assert outcome(keys, "ins_k1") is KeysUnavailable
        assert seconds() < 0.6
        server.behave = sends_json(jwks(K1))
        eventually(lambda: outcome(keys, "ins_k1") == "ins_k1")
        assert seconds() < 3


# ---- rationing ----


def test_a_window_slides() -> None:
    window = Window(2, 10)
    for now, full in ((0, False), (1, False), (2, True), (9.9, True), (10, False), (10.9, True)):
        assert window.is_full(now) is full
        if not full:
            window.count(now)
    assert window.is_full(10.99)
    assert not window.is_full(11)


def test_a_brief_memory_is_brief_and_bounded() -> None:
    memory: BriefMemory[str] = BriefMemory(3, 1)
    for n in range(3):
        memory.note(str(n), "first", n / 10)
    memory.note("0", "second", 0.3)
    memory.note("3", "first", 0.4)
    noted = [memory.recall(str(n), 0.5) for n in range(5)]
    assert noted == ["second", None, "first", "first", None]
    assert memory.recall("0", 1.2) == "second"
    assert memory.recall("0", 1.3) is None


def test_a_backoff_doubles_to_its_limit_and_forgets() -> None:
    backoff = Backoff(1, 30)
    assert backoff.is_over(0)
    for pause in (1, 2, 4, 8, 16, 30, 30):
        backoff.fail(0)
        assert not backoff.is_over(pause - 0.1)
        assert backoff.is_over(pause)
    for _ in range(5000):
        backoff.fail(0)
    assert backoff.is_over(30)
    backoff.succeed()
    assert backoff.is_over(-1)


# ---- keys before anybody asks ----


def test_after_warming_up_no_question_waits_for_a_fetch(keys: RemoteKeys, clerk: Clerk) -> None:
    keys.warm_up()
    assert clerk.calls == 1
    clerk.answer = KeysUnavailable("down")
    assert outcome(keys, "ins_k1") == "ins_k1"
    assert clerk.calls == 1


def test_warming_up_what_is_warm_fetches_nothing(warm: RemoteKeys, clerk: Clerk) -> None:
    warm.warm_up()
    assert clerk.calls == 0


def test_warming_up_says_that_there_are_no_keys(keys: RemoteKeys, clerk: Clerk) -> None:
    clerk.answer = KeysUnavailable("down")
    with pytest.raises(KeysUnavailable):
        keys.warm_up()


def test_warming_up_again_and_again_is_no_flood(keys: RemoteKeys, clerk: Clerk) -> None:
    clerk.answer = KeysUnavailable("down")
    for _ in range(20):
        with pytest.raises(KeysUnavailable):
            keys.warm_up()
    assert clerk.calls == 1


def test_warming_up_waits_no_longer_than_a_request(clerk: Clerk, clock: FrozenClock) -> None:
    keys = RemoteKeys(clerk, monotonic=clock, ttl=TTL, stale=STALE, wait=0.05)
    clerk.close()
    started = time.monotonic()
    with pytest.raises(KeysUnavailable):
        keys.warm_up()
    assert time.monotonic() - started < 4
