"""What counts the answers would notice what must not happen: these tests see it happen."""

from __future__ import annotations

import json
import socket

import pytest

from .load import Shot, ask
from .people import K1, K2, Visit, visit
from .rows import (
    bad,
    is_of_somebody_else,
    is_right,
    is_right_or_unavailable,
    is_unavailable,
    p99,
    row_of,
    summary,
    table,
)
from .upstream import most_within, running

STRICT, LAX = visit("t", "user_1", "/strict"), visit("t", "user_1", "/lax")
STRANGER = visit("t", None, "/lax")
SIGNED_IN = {"user_id": "user_1", "error": None}
SIGNED_OUT = {"user_id": None, "error": "Unauthenticated"}
UNAVAILABLE = {"user_id": None, "error": "ClerkUnavailable"}
OTHER = {"user_id": "user_2", "error": None}
RETRY = {"retry-after": "1"}


def shot(
    visit: Visit = STRICT,
    status: int = 200,
    document: object = None,
    headers: dict[str, str] | None = None,
    seconds: float = 0.01,
) -> Shot:
    body = b"" if document is None else json.dumps(document).encode()
    return Shot(
        visit=visit, status=status, headers=headers or {}, body=body, at=0.0, seconds=seconds
    )


@pytest.mark.parametrize(
    ("answer", "right", "unavailable", "other"),
    [
        (shot(document=SIGNED_IN), True, False, False),
        (shot(LAX, document=SIGNED_IN), True, False, False),
        (shot(document=OTHER), False, False, True),
        (shot(LAX, document=OTHER), False, False, True),
        (shot(LAX, document=SIGNED_OUT), False, False, False),
        (shot(LAX, document=UNAVAILABLE), False, True, False),
        (shot(status=401), False, False, False),
        (shot(status=500), False, False, False),
        (shot(status=0), False, False, False),
        (shot(status=503), False, False, False),
        (shot(status=503, headers=RETRY), False, True, False),
        (shot(LAX, status=503, headers=RETRY), False, False, False),
        (shot(STRANGER, document=SIGNED_OUT), True, False, False),
        (shot(STRANGER, document=SIGNED_IN), False, False, True),
        (shot(STRANGER, status=401), True, False, False),
        (shot(STRANGER, status=500), False, False, False),
    ],
)
def test_an_answer_is_taken_for_what_it_is(
    answer: Shot, right: bool, unavailable: bool, other: bool
) -> None:
    found = (is_right(answer), is_unavailable(answer), is_of_somebody_else(answer))
    assert found == (right, unavailable, other)
    assert bad([answer]) == ([] if right else [answer])


def test_a_row_counts_what_went_wrong() -> None:
    times = [shot(document=SIGNED_IN, seconds=n / 1000) for n in range(1, 201)]
    wrong = [shot(document=OTHER), shot(status=500), shot(status=503, headers=RETRY)]
    row = row_of(
        "s", "k", [*times, *wrong], fetches=7, healthy=[shot(document=SIGNED_IN, seconds=0.1)]
    )
    assert row.cells == ("s", "k", "203", "1", "3", "1", "7", "98.0")
    lenient = row_of("s", "k", wrong, fetches=7, accept=is_right_or_unavailable)
    assert lenient.cells == ("s", "k", "3", "1", "2", "1", "7", "–")
    assert p99(times) == 0.198
    assert table([row, row]).splitlines()[2:] == ["| s | k | 203 | 1 | 3 | 1 | 7 | 98.0 |"] * 2
    [total] = summary([row, lenient]).splitlines()[2:]
    assert total == "| s | 2 kinds | 206 | 2 | 5 | 2 | 14 | 98.0 |"


def test_a_busy_stretch_is_found() -> None:
    assert most_within(1.0, [0.0, 0.9, 1.0, 1.5, 1.8, 5.0]) == 4
    assert most_within(1.0, []) == 0


def test_an_upstream_goes_and_comes_back_on_its_port() -> None:
    fetch = Visit(request=b"GET /v1/jwks HTTP/1.1\r\n\r\n", path="/v1/jwks", user=None)
    with running(K1) as upstream:
        assert json.loads(ask(upstream.port, fetch).body) == K1.jwks()
        upstream.vanish()
        upstream.vanish()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", upstream.port))
        upstream.publish(K2)
        assert json.loads(ask(upstream.port, fetch).body) == K2.jwks()
        assert (upstream.fetches, upstream.connections, upstream.most_open) == (2, 2, 1)
