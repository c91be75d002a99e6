"""Outages on purpose: late answers, error answers, and connections that break."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests

from clerk_wsgi import ApiError, Clerk, ClerkUnavailable
from clerk_wsgi.cli import main
from clerk_wsgi.emulator import ConnectionReset, Failure, Faults
from clerk_wsgi.emulator.faults import parse_failure
from clerk_wsgi.testing import Emulator, in_process, start_emulator

from .asking import WAYS, Asker, asking, found, refused
from .minting import environ
from .processes import Running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = 100


@pytest.fixture(scope="module", params=WAYS)
def running(request: pytest.FixtureRequest) -> Iterator[Asker]:
    with asking(request.param) as asker:
        yield asker


@pytest.fixture
def clerk(running: Asker) -> Iterator[Asker]:
    """A local Clerk that is well before and after."""
    running.emulator.faults.clear()
    yield running
    running.emulator.faults.clear()


def outcomes(clerk: Asker, path: str = "/v1/jwks", count: int = 8) -> list[int]:
    """The statuses of some requests, 0 for a connection that broke."""

    def status() -> int:
        try:
            return clerk.get(path).status_code
        except requests.ConnectionError:
            return 0

    return [status() for _ in range(count)]


# Error answers


@pytest.mark.parametrize(
    ("status", "code", "retry_after"),
    [
        (429, "too_many_requests", "1"),
        (500, "internal_clerk_error", None),
        (503, "service_unavailable", None),
        (502, "bad_gateway", None),
        (400, "bad_request", None),
        (418, "i'm_a_teapot", None),
        (599, "unknown_error", None),
    ],
)
def test_every_request_gets_the_error(
    clerk: Asker, status: int, code: str, retry_after: str | None
) -> None:
    clerk.emulator.faults.fail(status)
    for path in ("/v1/jwks", "/v1/users", "/nothing"):
        answer = clerk.get(path)
        refused(answer, status, code)
        assert answer.headers.get("Retry-After") == retry_after
    refused(clerk.ask("POST", "/v1/users", key="sk_test_wrong"), status, code)


def test_how_long_to_wait_can_be_said(clerk: Asker) -> None:
    clerk.emulator.faults.fail(429, retry_after=30)
    assert clerk.get("/v1/jwks").headers["Retry-After"] == "30"


def test_what_fails_has_no_effect(clerk: Asker) -> None:
    [ada] = clerk.emulator.users()
    clerk.emulator.faults.fail(500)
    clerk.patch(f"/v1/users/{ada['id']}", first_name="Eve")
    clerk.delete(f"/v1/users/{ada['id']}")
    assert clerk.emulator.users() == [ada]


def test_all_is_well_again_at_once(clerk: Asker) -> None:
    faults = clerk.emulator.faults
    assert outcomes(clerk, count=2) == [200, 200]
    faults.fail(503)
    assert outcomes(clerk, count=2) == [503, 503]
    faults.clear()
    assert outcomes(clerk, count=2) == [200, 200]
    assert (faults.failures, faults.latency) == ((), 0)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (1, [503] * 8),
        (0, [200] * 8),
        (0.5, [200, 503] * 4),
        (0.25, [200, 200, 200, 503] * 2),
        (0.75, [200, 503, 503, 503] * 2),
    ],
)
def test_a_share_of_requests_fails_evenly(clerk: Asker, rate: float, expected: list[int]) -> None:
    clerk.emulator.faults.fail(503, rate=rate)
    assert outcomes(clerk) == expected


@pytest.mark.parametrize("rate", [0.1, 0.29, 1 / 3, 0.57, 0.9])
def test_the_share_is_exact_in_the_long_run(rate: float) -> None:
    with asking() as clerk:
        clerk.emulator.faults.fail(503, rate=rate)
        assert outcomes(clerk, "/", count=MANY).count(503) == round(MANY * rate, 9) // 1


def test_only_what_begins_with_the_prefix_fails(clerk: Asker) -> None:
    clerk.emulator.faults.fail(503, prefix="/v1/users")
    for path, status in (
        ("/v1/jwks", 200),
        ("/v1/users", 503),
        ("/v1/users/count", 503),
        ("/v1/sessions", 200),
        ("/V1/USERS", 404),
    ):
        assert clerk.get(path).status_code == status, path


def test_requests_elsewhere_do_not_count(clerk: Asker) -> None:
    clerk.emulator.faults.fail(503, rate=0.5, prefix="/v1/users")
    seen = [clerk.get(path).status_code for path in ("/v1/users", "/v1/jwks", "/v1/users")]
    assert seen == [200, 200, 503]


def test_the_first_failure_that_is_due_answers(clerk: Asker) -> None:
    faults = clerk.emulator.faults
    faults.fail(429, rate=0.5)
    faults.fail(500, prefix="/v1/users")
    assert outcomes(clerk, count=4) == [200, 429, 200, 429]
    assert outcomes(clerk, "/v1/users", count=4) == [500, 429, 500, 429]
    assert faults.failures == (
        Failure(status=429, rate=0.5),
        Failure(status=500, prefix="/v1/users"),
    )


def test_threads_together_see_the_share() -> None:
    with asking("http") as clerk:
        clerk.emulator.faults.fail(503, rate=0.25)
        seen: list[int] = []

        def ask() -> None:
            for _ in range(10):
                headers = {"Authorization": f"Bearer {clerk.emulator.secret_key}"}
                answer = requests.get(f"{clerk.url}/v1/jwks", headers=headers, timeout=10)
                seen.append(answer.status_code)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert (seen.count(503), seen.count(200)) == (20, 60)


# Broken connections


def test_a_connection_is_reset(clerk: Asker) -> None:
    clerk.emulator.faults.fail(None)
    for method in ("GET", "POST"):
        with pytest.raises(requests.ConnectionError):
            clerk.ask(method, "/v1/users", json={})
    clerk.emulator.faults.clear()
    assert found(clerk.get("/v1/jwks")) == clerk.emulator.jwks()


def test_the_reset_is_one_on_the_wire() -> None:
    with start_emulator() as running:
        running.emulator.faults.fail(None, rate=0.5)
        address = ("127.0.0.1", running.port)
        with closing(http.client.HTTPConnection(*address, timeout=10)) as connection:
            connection.request("GET", "/")
            connection.getresponse().read()
            connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(ConnectionResetError):
                connection.sock.recv(65536)


def test_a_reset_is_no_news_for_the_server(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with start_emulator() as running:
        running.emulator.faults.fail(None)
        for _ in range(3):
            address = ("127.0.0.1", running.port)
            with closing(http.client.HTTPConnection(*address, timeout=10)) as connection:
                connection.request("POST", "/v1/users", body=b"x" * 100_000)
                with pytest.raises(ConnectionError):
                    connection.getresponse()
    assert capfd.readouterr().err == ""
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


def test_requests_are_recorded_whatever_became_of_them(
    clerk: Asker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clerk_wsgi.emulator")
    clerk.emulator.faults.fail(None, prefix="/v1/users")
    clerk.emulator.faults.fail(503, prefix="/v1/jwks")
    assert [outcomes(clerk, path, 1) for path in ("/v1/users", "/v1/jwks")] == [[0], [503]]
    assert [(one.path, one.status) for one in clerk.emulator.requests[-2:]] == [
        ("/v1/users", 0),
        ("/v1/jwks", 503),
    ]
    assert [one.getMessage() for one in caplog.records[-2:]] == [
        "GET /v1/users reset",
        "GET /v1/jwks 503",
    ]


def test_another_server_gets_an_exception() -> None:
    emulator = Emulator()
    emulator.faults.fail(None)
    with pytest.raises(ConnectionReset):
        emulator(environ(), lambda *_: bytearray().extend)


# Late answers


def test_answers_are_late(clerk: Asker) -> None:
    clerk.emulator.faults.latency = 1
    started = time.monotonic()
    assert clerk.get("/v1/jwks").status_code == 200
    assert 1 <= time.monotonic() - started < 10
    clerk.emulator.faults.latency = 0
    started = time.monotonic()
    assert clerk.get("/v1/jwks").status_code == 200
    assert time.monotonic() - started < 1


def test_errors_are_late_too(clerk: Asker) -> None:
    clerk.emulator.faults.latency = 0.2
    clerk.emulator.faults.fail(500)
    started = time.monotonic()
    assert clerk.get("/v1/jwks").status_code == 500
    assert time.monotonic() - started >= 0.2


def test_who_waits_notices_the_end() -> None:
    with start_emulator() as running:
        running.emulator.faults.latency = 60
        timer = threading.Timer(0.2, running.emulator.faults.clear)
        timer.start()
        started = time.monotonic()
        assert requests.get(running.url, timeout=30).status_code == 401
        assert 0.2 <= time.monotonic() - started < 10
        timer.join()


def test_late_requests_do_not_wait_for_each_other() -> None:
    with start_emulator() as running:
        running.emulator.faults.latency = 0.5
        threads = [
            threading.Thread(target=requests.get, args=(running.url,), kwargs={"timeout": 30})
            for _ in range(8)
        ]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert time.monotonic() - started < 3.5


def test_latency_does_not_hold_up_the_end() -> None:
    running = start_emulator()
    running.emulator.faults.latency = 60
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(request)
        time.sleep(0.1)
        started = time.monotonic()
        running.stop()
        assert time.monotonic() - started < 3


# What cannot be


@pytest.mark.parametrize("latency", [-1, -0.001, float("nan"), float("inf"), 3601])
def test_a_latency_that_cannot_be_is_an_error(latency: float) -> None:
    faults = Faults()
    with pytest.raises(ValueError, match="the latency is a number of seconds from 0 to 3600"):
        faults.latency = latency
    assert faults.latency == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"status": 200}, "a status from 400 to 599"),
        ({"status": 0}, "a status from 400 to 599"),
        ({"status": 600}, "a status from 400 to 599"),
        ({"rate": -0.1}, "from 0 to 1"),
        ({"rate": 1.1}, "from 0 to 1"),
        ({"rate": float("nan")}, "from 0 to 1"),
    ],
)
def test_a_failure_that_cannot_be_is_an_error(arguments: dict[str, Any], text: str) -> None:
    faults = Faults()
    with pytest.raises(ValueError, match=text):
        faults.fail(**arguments)
    assert faults.failures == ()


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("503", Failure(status=503)),
        ("429", Failure(status=429)),
        ("reset", Failure(status=None)),
        ("0.1", Failure(status=503, rate=0.1)),
        ("1", Failure(status=503)),
        ("0", Failure(status=503, rate=0)),
        ("0.25,429", Failure(status=429, rate=0.25)),
        ("0.5,reset", Failure(status=None, rate=0.5)),
        ("500:/v1/jwks", Failure(status=500, prefix="/v1/jwks")),
        ("0.5:/v1/sessions/", Failure(status=503, rate=0.5, prefix="/v1/sessions/")),
        ("1,reset:/v1/a:b", Failure(status=None, prefix="/v1/a:b")),
    ],
)
def test_a_failure_is_written_in_short(text: str, failure: Failure) -> None:
    assert parse_failure(text) == failure


@pytest.mark.parametrize(
    "text",
    [
        "",
        "200",
        "600",
        "2",
        "1.5",
        "-1",
        "50%",
        "0.5,",
        ",503",
        "1503",
        "0.5 429",
        "503:",
        "503:v1",
        "Reset",
        "503,0.5",
        "503,429",
        "٥٠٣",
        "503\n",
        ".5",
        "0.5,200",
        "503:/v 1",
        ":/v1",
    ],
)
def test_anything_else_is_no_failure(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        parse_failure(text)


# What it is for


def test_an_application_sees_an_outage_and_its_end() -> None:
    emulator = Emulator()
    token = emulator.session_token(emulator.sessions()[0]["id"])
    with in_process(emulator) as session:
        options: dict[str, Any] = {"http": session, "dotenv": False, "sleep": lambda _: None}
        asked = environ(HTTP_AUTHORIZATION=f"Bearer {token}")
        for status in (500, 429, None):
            emulator.faults.clear()
            clerk = Clerk(secret_key=emulator.secret_key, **options)
            emulator.faults.fail(status, prefix="/v1/jwks")
            assert clerk.authenticate(asked).reason == "jwk-remote-failed-to-load"
            assert clerk.users.count() == 1
        emulator.faults.clear()
        emulator.faults.fail(429, retry_after=7)
        with pytest.raises(ApiError) as refusal:
            clerk.users.count()
        assert (refusal.value.status_code, refusal.value.retry_after) == (429, 7)
        emulator.faults.clear()
        emulator.faults.fail(None)
        with pytest.raises(ClerkUnavailable):
            clerk.users.count()
        emulator.faults.clear()
        recovered = Clerk(secret_key=emulator.secret_key, **options)
        assert recovered.authenticate(asked).status == "signed-in"


# On the command line


def test_the_command_takes_the_same(tmp_path: Path) -> None:
    arguments = ("emulator", "--port", "0", "--state", ":memory:", "--latency", "0.2")
    failures = ("--fail", "0.5,429:/v1/jwks", "--fail", "reset:/v1/users")
    with Running(*arguments, *failures, "--verify-endpoints", "gone", cwd=tmp_path) as running:
        url = running.wait_for(r"listens on (http://127\.0\.0\.1:\d+);")[1]
        key = running.wait_for("CLERK_SECRET_KEY=(.+)")[1]
        running.wait_for("A token: .*\n")
        headers = {"Authorization": f"Bearer {key}"}

        def ask(method: str, path: str) -> int:
            started = time.monotonic()
            answer = requests.request(method, url + path, headers=headers, timeout=10)
            assert time.monotonic() - started >= 0.2
            return answer.status_code

        assert [ask("GET", "/v1/jwks") for _ in range(4)] == [200, 429, 200, 429]
        with pytest.raises(requests.ConnectionError):
            ask("GET", "/v1/users")
        assert ask("GET", "/v1/clients") == 200
        assert ask("POST", "/v1/clients/verify") == 410
        assert ask("POST", "/v1/sessions/sess_x/verify") == 410
        running.wait_for("GET /v1/users reset\n")
        assert running.stop() == 0


def test_who_waits_does_not_hold_up_the_end_of_the_command(tmp_path: Path) -> None:
    arguments = ("emulator", "--port", "0", "--state", ":memory:", "--latency", "600")
    with Running(*arguments, cwd=tmp_path) as running:
        port = int(running.wait_for(r"listens on http://127\.0\.0\.1:(\d+);")[1])
        running.wait_for("A token: .*\n")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.3)
            started = time.monotonic()
            assert running.stop() == 0
            assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--latency", "-1"), "--latency"),
        (("--latency", "soon"), "--latency"),
        (("--latency", "3601"), "--latency"),
        (("--latency", "nan"), "--latency"),
        (("--fail", "200"), "--fail"),
        (("--fail", "often"), "--fail"),
        (("--fail", "1.5"), "--fail"),
        (("--fail", "503:v1"), "--fail"),
        (("--verify-endpoints", "perhaps"), "--verify-endpoints"),
    ],
)
def test_nonsense_on_the_command_line_is_answered_with_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["emulator", *arguments])
    assert exit_info.value.code == 2
    complaint = capsys.readouterr().err
    assert "usage: clerk-wsgi emulator" in complaint
    assert f"argument {text}" in complaint
