"""Rate limits of the local Clerk: so many requests pass in a window, the others are told when."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests
from webob import Request

from clerk_wsgi import ApiError, Clerk
from clerk_wsgi.emulator import Faults, RateLimit
from clerk_wsgi.emulator.errors import Refusal
from clerk_wsgi.testing import Emulator, FrozenClock, in_process, start_emulator

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1000.3  # a fraction that no float has exactly


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def faults(clock: FrozenClock) -> Faults:
    return Faults(monotonic=clock)


def met(faults: Faults, path: str = "/v1/users") -> int | None:
    """How long a request is to wait, ``None`` if it passes."""
    try:
        faults.meet(Request.blank(path))
    except Refusal as refusal:
        assert (refusal.status, refusal.entry["code"]) == (429, "too_many_requests")
        return refusal.retry_after
    return None


def test_what_is_more_than_the_limit_waits_until_the_window_ends(
    faults: Faults, clock: FrozenClock
) -> None:
    faults.limit(2, seconds=10)
    assert [met(faults) for _ in range(4)] == [None, None, 10, 10]
    clock.now = START + 3.2
    assert met(faults) == 7
    clock.now = START + 9.999
    assert met(faults) == 1
    clock.now = START + 10
    assert [met(faults) for _ in range(3)] == [None, None, 10]


def test_a_window_begins_with_the_first_request_not_with_the_clock(
    faults: Faults, clock: FrozenClock
) -> None:
    faults.limit(1, seconds=10)
    clock.now = START + 7
    assert [met(faults), met(faults)] == [None, 10]
    clock.now = START + 100
    assert [met(faults), met(faults)] == [None, 10]


@pytest.mark.parametrize("seconds", [0.2, 1, 7, 10, 60, 86_400])
def test_who_waits_as_told_passes(faults: Faults, clock: FrozenClock, seconds: float) -> None:
    faults.limit(1, seconds=seconds)
    for _ in range(50):
        assert met(faults) is None
        wait = met(faults)
        assert wait is not None
        assert seconds <= wait < seconds + 1
        clock.now += wait


def test_requests_that_were_refused_do_not_count(faults: Faults, clock: FrozenClock) -> None:
    faults.limit(2, seconds=10)
    for _ in range(20):
        met(faults)
    clock.now = START + 10
    assert [met(faults) for _ in range(3)] == [None, None, 10]


def test_only_what_begins_with_the_prefix_counts_and_waits(faults: Faults) -> None:
    faults.limit(1, seconds=10, prefix="/v1/users")
    paths = ("/v1/jwks", "/v1/users", "/v1/jwks", "/v1/users/count", "/v1/sessions", "/v1/users")
    assert [met(faults, path) for path in paths] == [None, None, None, 10, None, 10]


def test_all_limits_are_kept_and_the_longest_wait_is_told(
    faults: Faults, clock: FrozenClock
) -> None:
    faults.limit(2, seconds=1)
    faults.limit(3, seconds=60)
    assert [met(faults) for _ in range(3)] == [None, None, 1]
    clock.now = START + 1
    assert [met(faults), met(faults)] == [None, 59]
    clock.now = START + 60
    assert met(faults) is None


def test_what_one_limit_refuses_does_not_count_for_another(
    faults: Faults, clock: FrozenClock
) -> None:
    faults.limit(1, seconds=1, prefix="/v1/users")
    faults.limit(2, seconds=60)
    assert [met(faults), met(faults), met(faults)] == [None, 1, 1]
    assert [met(faults, "/v1/jwks"), met(faults, "/v1/jwks")] == [None, 60]


def test_a_request_over_the_limit_does_not_count_for_failures(
    faults: Faults, clock: FrozenClock
) -> None:
    faults.fail(500, rate=0.5)
    faults.limit(2, seconds=10)
    for _ in range(3):
        assert met(faults) is None
        with pytest.raises(Refusal, match="internal_clerk_error"):
            faults.meet(Request.blank("/"))
        assert met(faults) == 10
        clock.now += 10


def test_a_request_that_fails_counts_for_the_limit(faults: Faults) -> None:
    faults.fail(500)
    faults.limit(1, seconds=10)
    with pytest.raises(Refusal, match="internal_clerk_error"):
        faults.meet(Request.blank("/"))
    assert met(faults) == 10


def test_clearing_ends_limits_and_their_windows(faults: Faults) -> None:
    faults.limit(1, seconds=10)
    assert [met(faults), met(faults)] == [None, 10]
    faults.clear()
    assert faults.limits == ()
    assert [met(faults) for _ in range(5)] == [None] * 5
    faults.limit(1, seconds=10)
    assert [met(faults), met(faults)] == [None, 10]


def test_the_limits_can_be_looked_at(faults: Faults) -> None:
    faults.limit(1, seconds=2.5, prefix="/v1")
    faults.add_limit(RateLimit(requests=3, seconds=60))
    assert faults.limits == (
        RateLimit(requests=1, seconds=2.5, prefix="/v1"),
        RateLimit(requests=3, seconds=60),
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"requests": 0, "seconds": 1}, "one request"),
        ({"requests": -1, "seconds": 1}, "one request"),
        ({"requests": 1, "seconds": 0}, "number of seconds"),
        ({"requests": 1, "seconds": -1}, "number of seconds"),
        ({"requests": 1, "seconds": float("nan")}, "number of seconds"),
        ({"requests": 1, "seconds": float("inf")}, "number of seconds"),
        ({"requests": 1, "seconds": 86_401}, "number of seconds"),
    ],
)
def test_a_limit_that_cannot_be_is_an_error(
    faults: Faults, arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        faults.limit(**arguments)
    assert faults.limits == ()


def test_replacing_is_all_or_nothing(faults: Faults) -> None:
    faults.limit(1, seconds=10)
    faults.latency = 0.001
    with pytest.raises(ValueError, match="latency"):
        faults.replace(latency=-1, limits=[RateLimit(requests=5, seconds=1)])
    assert (faults.latency, faults.limits) == (0.001, (RateLimit(requests=1, seconds=10),))
    faults.replace(limits=[RateLimit(requests=5, seconds=1)])
    assert (faults.latency, faults.limits) == (0, (RateLimit(requests=5, seconds=1),))


# Together


def in_threads(work: Callable[[], None], count: int = 8) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_threads_together_keep_the_limit(faults: Faults) -> None:
    faults.limit(100, seconds=60)
    seen: list[int | None] = []
    in_threads(lambda: seen.extend(met(faults) for _ in range(50)))
    assert (seen.count(None), seen.count(60)) == (100, 300)


@pytest.mark.servers
def test_connections_together_keep_the_limit() -> None:
    with start_emulator() as running:
        running.emulator.faults.limit(20, seconds=600)
        seen: list[int] = []

        def ask() -> None:
            with requests.Session() as session:
                for _ in range(10):
                    answer = session.get(f"{running.url}/.well-known/jwks.json", timeout=10)
                    seen.append(answer.status_code)

        in_threads(ask)
        assert (seen.count(200), seen.count(429)) == (20, 60)


# What it is for


def test_an_application_that_waits_as_told_gets_its_answer() -> None:
    emulator, clock = Emulator(), FrozenClock(START)
    emulator.faults = Faults(monotonic=clock)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    with in_process(emulator) as session:
        clerk = Clerk(secret_key=emulator.secret_key, http=session, dotenv=False, sleep=sleep)
        emulator.faults.limit(1, seconds=2)
        assert [clerk.users.count(), clerk.users.count()] == [1, 1]
        [waited] = slept
        assert 2 <= waited < 3


def test_an_application_that_cannot_wait_is_told_how_long_it_would_take() -> None:
    emulator = Emulator()
    with in_process(emulator) as session:
        clerk = Clerk(secret_key=emulator.secret_key, http=session, dotenv=False)
        emulator.faults.limit(1, seconds=600)
        assert clerk.users.count() == 1
        with pytest.raises(ApiError) as refusal:
            clerk.users.count()
        assert (refusal.value.status_code, refusal.value.retry_after) == (429, 600)
