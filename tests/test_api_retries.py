"""Calls of Clerk's API that fail for a while: which are tried again, when, and until when."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from webob import Response

from clerk_wsgi import ApiError, Clerk, ClerkUnavailable
from clerk_wsgi.api.answer import Answer, Unreachable
from clerk_wsgi.api.retrying import NEVER, Deadline, Retries, is_passing, retry_after

from .scripted import (
    CLIENT,
    SECRET_KEY,
    SESSION,
    USER,
    Script,
    ScriptedClerk,
    Stopwatch,
    error,
)
from .servers import (
    drips,
    free_port,
    hangs_up,
    resets,
    response,
    sends,
    sends_json,
    sends_then_closes,
    serving,
    sleeps,
    stopwatch,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .servers import Behaviour, Conversation

    Call = Callable[[Clerk], Any]

GET_USER = "GET /v1/users/user_1"
ONCE: list[tuple[str, Call]] = [
    ("POST /v1/sessions", lambda clerk: clerk.sessions.create("user_1")),
    ("POST /v1/sessions/sess_1/revoke", lambda clerk: clerk.sessions.revoke("sess_1")),
    ("POST /v1/sessions/sess_1/tokens", lambda clerk: clerk.sessions.get_token("sess_1")),
    ("POST /v1/sessions/sess_1/verify", lambda clerk: clerk.sessions.verify_session("sess_1", "t")),
    ("POST /v1/clients/verify", lambda clerk: clerk.clients.verify_client("t")),
    ("POST /v1/users", lambda clerk: clerk.users.create(first_name="Ada")),
    ("PATCH /v1/users/user_1", lambda clerk: clerk.users.update("user_1", first_name="Ada")),
    ("DELETE /v1/users/user_1", lambda clerk: clerk.users.delete("user_1")),
    ("PUT /v1/x", lambda clerk: clerk.api.request("PUT", "/x")),
    (
        "GET /v1/sessions/sess_1",
        lambda clerk: clerk.api.for_request().sessions.get("sess_1"),
    ),
]


def instance(clerk: ScriptedClerk, watch: Stopwatch | None = None, **options: Any) -> Clerk:
    """An instance for which time passes only while it sleeps."""
    watch = watch or Stopwatch()
    return clerk.instance(monotonic=watch.monotonic, sleep=watch.sleep, **options)


def over_network(url: str, **options: Any) -> Clerk:
    given = {"secret_key": SECRET_KEY, "api_url": url, "timeout": 0.3, "dotenv": False}
    return Clerk(**{**given, **options})


# ---- which ----


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 520, 599])
def test_a_get_that_fails_for_a_while_succeeds(status: int) -> None:
    clerk = ScriptedClerk({GET_USER: Script(error(status), error(status), USER)})
    assert instance(clerk).users.get("user_1").id == "user_1"
    assert clerk.lines == [GET_USER] * 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_after_three_tries_the_last_error_is_raised(status: int) -> None:
    clerk = ScriptedClerk({GET_USER: Script(error(status), error(status), error(status, "c"))})
    with pytest.raises(ApiError) as caught:
        instance(clerk).users.get("user_1")
    assert (caught.value.status_code, caught.value.data[0]["code"]) == (status, "c")
    assert clerk.lines == [GET_USER] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 410, 422, 451, 501])
def test_an_error_that_will_last_is_raised_at_once(status: int) -> None:
    clerk, watch = ScriptedClerk({GET_USER: error(status)}), Stopwatch()
    with pytest.raises(ApiError) as caught:
        instance(clerk, watch).users.get("user_1")
    assert caught.value.status_code == status
    assert (clerk.lines, watch.pauses) == ([GET_USER], [])


@pytest.mark.parametrize(
    "answer", [Response("<html>"), Response(status=302), Response(json=[]), Response(json=None)]
)
def test_an_answer_that_cannot_be_used_is_not_asked_for_again(answer: Response) -> None:
    clerk = ScriptedClerk({GET_USER: answer})
    with pytest.raises(ClerkUnavailable):
        instance(clerk).users.get("user_1")
    assert clerk.lines == [GET_USER]


@pytest.mark.parametrize(("line", "call"), ONCE)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_have_been_done_and_what_a_request_waits_for_is_never_tried_twice(
    line: str, call: Call, status: int
) -> None:
    clerk, watch = ScriptedClerk({line: error(status, Retry_After="1")}), Stopwatch()
    with pytest.raises(ApiError):
        call(instance(clerk, watch))
    assert (clerk.lines, watch.pauses) == ([line], [])


@pytest.mark.parametrize(("line", "call"), ONCE)
@pytest.mark.parametrize("behave", [resets, hangs_up, sends_then_closes(b"nonsense")])
def test_nor_is_it_if_no_answer_came(line: str, call: Call, behave: Behaviour) -> None:
    with serving(behave) as server, pytest.raises(ClerkUnavailable):
        call(over_network(server.url))
    assert [f"{request.method} {request.target}" for request in server.received] == [line]


def failing_first(times: int, behave: Behaviour) -> Behaviour:
    left = itertools.count(times, -1)

    def behave_by_turns(conversation: Conversation) -> None:
        (behave if next(left) > 0 else sends_json(USER))(conversation)

    return behave_by_turns


@pytest.mark.parametrize(
    "behave",
    [
        resets,
        hangs_up,
        sleeps(20),
        sends_then_closes(b"nonsense"),
        sends(response(b"", "503 X")),
        sends(response(b"", "429 X", "Retry-After: 0")),
        drips(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 100),
    ],
)
def test_a_connection_that_fails_for_a_while_does_not_matter(behave: Behaviour) -> None:
    with serving(failing_first(2, behave)) as server:
        clerk = over_network(server.url, timeout=2.0, sleep=lambda _: None)
        assert clerk.users.get("user_1").id == "user_1"
        assert len(server.received) == 3


def test_a_page_is_tried_again_without_those_before_it() -> None:
    first = [{**USER, "id": f"user_{n}"} for n in range(100)]
    clerk = ScriptedClerk({"GET /v1/users": Script(first, error(503), [{**USER, "id": "last"}])})
    found = [user.id for user in instance(clerk).users.list()]
    assert (len(found), found[-1], len(clerk.asked)) == (101, "last", 3)


# ---- when ----


def test_the_pauses_double_and_are_shortened_by_chance() -> None:
    clerk, seen = ScriptedClerk({GET_USER: error(503)}), set()
    for _ in range(50):
        watch = Stopwatch()
        with pytest.raises(ApiError):
            instance(clerk, watch).users.get("user_1")
        first, second = watch.pauses
        assert 0.125 <= first <= 0.25
        assert 0.25 <= second <= 0.5
        seen.add(first)
    assert len(seen) > 40


@pytest.mark.parametrize(
    ("failures", "chance", "seconds"),
    [
        *((1, 0.0, 0.25), (1, 1.0, 0.125), (1, 0.5, 0.1875), (2, 0.0, 0.5), (3, 0.0, 1.0)),
        *((4, 0.0, 2.0), (5, 0.0, 2.0), (5, 1.0, 1.0), (900, 0.0, 2.0)),
    ],
)
def test_a_pause_is_of_this_length(failures: int, chance: float, seconds: float) -> None:
    retries = Retries(jitter=lambda: chance)
    assert retries.pause(failures, Unreachable("x")) == seconds


def answer(status: int = 503, **headers: str) -> Answer:
    return Answer(
        status=status,
        headers={name.replace("_", "-"): text for name, text in headers.items()},
        body=b"",
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0), ("1", 1), ("30", 30), ("2.5", 2), (" 7 ", 7), ("5s", 5), ("007", 7)),
        *(("1" * 15, int("1" * 15)), ("9" * 5000, int("9" * 15)), ("1e9", 1)),
        *((text, None) for text in ("", "-1", "+", "x", "NaN", "Infinity", ".5", "\u0663", "\xb2")),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_whole_seconds(text: str, seconds: int | None) -> None:
    assert retry_after(answer(Retry_After=text)) == seconds
    pause = Retries(jitter=lambda: 0.0).pause(1, answer(Retry_After=text))
    assert pause == 0.25 + (seconds or 0)


def test_no_answer_asks_for_no_pause() -> None:
    assert retry_after(answer()) is None
    assert retry_after(Unreachable("x")) is None


@pytest.mark.parametrize("status", [429, 503])
def test_what_clerk_asks_for_is_waited(status: int) -> None:
    clerk = ScriptedClerk({GET_USER: Script(error(status, Retry_After="2.5"), USER)})
    watch = Stopwatch()
    assert instance(clerk, watch).users.get("user_1").id == "user_1"
    (pause,) = watch.pauses
    assert 2.125 <= pause <= 2.25


@pytest.mark.parametrize("seconds", ["9", "10", "3600", "9" * 400])
def test_a_pause_beyond_the_time_for_the_call_is_not_begun(seconds: str) -> None:
    clerk, watch = ScriptedClerk({GET_USER: error(429, Retry_After=seconds)}), Stopwatch()
    with pytest.raises(ApiError) as caught:
        instance(clerk, watch).users.get("user_1")
    assert caught.value.retry_after == int(seconds[:15])
    assert (clerk.lines, watch.pauses) == ([GET_USER], [])


# ---- until when ----


def test_the_time_for_a_call_is_three_times_the_timeout_or_its_own() -> None:
    clerk = ScriptedClerk({GET_USER: error(503, Retry_After="4")})
    for timeout, own, tries in [(3, None, 3), (2, None, 2), (1, None, 1), (3, 4, 1), (1, 5, 2)]:
        clerk.asked.clear()
        watch = Stopwatch()
        with pytest.raises(ApiError):
            instance(clerk, watch, timeout=timeout).api.request("GET", "/users/user_1", timeout=own)
        assert len(clerk.asked) == tries
        assert watch.now - 1000 < (own or 3 * timeout)


def test_a_sleep_that_takes_too_long_leaves_no_time_to_ask() -> None:
    clerk, watch = ScriptedClerk({GET_USER: error(503)}), Stopwatch()
    slow = clerk.instance(monotonic=watch.monotonic, sleep=lambda _: watch.sleep(60))
    with pytest.raises(ClerkUnavailable, match="time"):
        slow.users.get("user_1")
    assert clerk.lines == [GET_USER]


def test_a_clock_that_stands_still_ends_nevertheless() -> None:
    clerk = ScriptedClerk({GET_USER: error(503)})
    with pytest.raises(ApiError):
        clerk.instance(monotonic=lambda: 0.0, sleep=lambda _: None).users.get("user_1")
    assert len(clerk.asked) == 3


@pytest.mark.parametrize(
    "behave", [sleeps(10), drips(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000, 0.02)]
)
def test_the_time_is_for_all_tries_together(behave: Behaviour) -> None:
    with serving(behave) as server:
        seconds = stopwatch()
        with pytest.raises(ClerkUnavailable):
            over_network(server.url, timeout=0.4).users.get("user_1")
        assert 0.7 < seconds() < 1.5
        assert len(server.received) in (2, 3)


@pytest.mark.parametrize("behave", [sleeps(10), drips(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000)])
@pytest.mark.parametrize(
    "call",
    [
        lambda clerk: clerk.sessions.verify_session("sess_1", "t"),
        lambda clerk: clerk.clients.verify_client("t"),
        lambda clerk: clerk.api.for_request().sessions.get("sess_1"),
    ],
)
def test_what_a_request_waits_for_takes_the_timeout_once(call: Call, behave: Behaviour) -> None:
    with serving(behave) as server:
        seconds = stopwatch()
        with pytest.raises(ClerkUnavailable):
            call(over_network(server.url))
        assert 0.2 < seconds() < 0.7
        assert len(server.received) == 1


def test_calls_for_one_request_share_its_time() -> None:
    watch = Stopwatch()
    answers = {
        "GET /v1/sessions/sess_1": SESSION,
        "POST /v1/sessions/sess_1/verify": SESSION,
        "POST /v1/clients/verify": CLIENT,
    }
    clerk = ScriptedClerk(answers)
    live = instance(clerk, watch, timeout=3).api.for_request()
    watch.now += 2.9
    assert live.sessions.get("sess_1").id == "sess_1"
    assert live.clients.verify_client("t").id == "client_1"
    assert live.sessions.verify_session("sess_1", "t").id == "sess_1"
    watch.now += 0.2
    calls: list[Callable[[], Any]] = [
        lambda: live.sessions.get("sess_1"),
        lambda: live.clients.verify_client("t"),
        lambda: live.sessions.verify_session("sess_1", "t"),
        lambda: live.for_request().jwks(),
        lambda: live.request("GET", "/x", timeout=60),
    ]
    for call in calls:
        with pytest.raises(ClerkUnavailable, match="time for the call is over"):
            call()
    assert len(clerk.asked) == 3


def test_each_request_has_its_time_anew() -> None:
    watch = Stopwatch()
    clerk = ScriptedClerk({"POST /v1/clients/verify": CLIENT})
    one = instance(clerk, watch, timeout=3)
    for _ in range(3):
        assert one.clients.verify_client("t").id == "client_1"
        watch.now += 10


@pytest.mark.parametrize("timeout", [0, -1, -1e9])
def test_no_time_is_no_answer(timeout: float) -> None:
    clerk = ScriptedClerk()
    with pytest.raises(ClerkUnavailable):
        instance(clerk).api.request("GET", "/users", timeout=timeout)
    assert clerk.asked == []


def test_a_server_that_is_not_there_is_tried_three_times_in_a_second() -> None:
    pauses: list[float] = []
    clerk = over_network(f"http://127.0.0.1:{free_port()}", sleep=pauses.append, timeout=3)
    seconds = stopwatch()
    with pytest.raises(ClerkUnavailable):
        clerk.users.get("user_1")
    assert len(pauses) == 2
    assert seconds() < 1


def test_time_really_passes_between_two_tries() -> None:
    clerk = ScriptedClerk({GET_USER: Script(error(503), USER)})
    seconds = stopwatch()
    assert clerk.instance().users.get("user_1").id == "user_1"
    assert 0.12 < seconds() < 2


def test_gevent_may_replace_sleep_after_our_import() -> None:
    code = (
        "import time, clerk_wsgi.api.calling as calling\n"
        "time.sleep = lambda seconds: print('patched', seconds)\n"
        "calling.rest(0.5)"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout == "patched 0.5\n"


# ---- the parts ----


def test_never_is_one_try() -> None:
    assert NEVER.tries == 1


def test_a_deadline_counts_down() -> None:
    watch = Stopwatch()
    deadline = Deadline(3.0, watch.monotonic)
    assert deadline.left() == 3.0
    watch.now += 5
    assert deadline.left() == -2.0


@pytest.mark.parametrize("status", range(100, 700))
def test_what_passes_is_429_and_5xx_without_501(status: int) -> None:
    passing = status == 429 or status in set(range(500, 600)) - {501}
    assert is_passing(answer(status)) == passing
