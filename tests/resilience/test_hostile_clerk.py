"""Whatever answers in Clerk's place: nobody becomes somebody else, and keys that are good stay."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..servers import sends_json
from ..servers import serving as serving_elsewhere
from .faults import hostile_answers
from .kinds import KINDS, WORKERS, assert_clean, serving
from .load import Shot, healthy_load, loading
from .people import K1, STRANGER, forged_signatures, visit_of, visits
from .rows import Row, bad, is_of_somebody_else, row_of
from .scenarios import Ready, outcomes, seconds_until, side_by_side
from .upstream import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from ..servers import Behaviour, Conversation
    from .kinds import Served
    from .upstream import Upstream

pytestmark = pytest.mark.servers

STRANGERS = 200  # requests at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What was answered while Clerk was hostile, who else was asked, and the memory it took."""

    shots: list[Shot]
    strangers: list[Shot]
    asked_elsewhere: int
    grown: int
    row: Row


def course(kind: str, ready: Ready) -> Course:
    """Have every second fetch answered by somebody hostile, until all of them had their turn."""
    with (
        serving_elsewhere(sends_json(STRANGER.jwks())) as elsewhere,
        running(K1) as upstream,
        serving(kind, upstream, keys_ttl=0.1, timeout=0.8) as served,
    ):
        served.each_worker(visit_of(K1))
        ready()
        healthy = healthy_load(1.5, served.port, visits())
        before, memory = upstream.fetches, memory_of(served)
        shots, strangers = beside(served, upstream, hostile_answers(elsewhere.url).values())
        fetches = upstream.fetches - before
        assert_clean(served, upstream)
        return Course(
            shots=shots,
            strangers=strangers,
            asked_elsewhere=elsewhere.connections,
            grown=memory_of(served) - memory,
            row=row_of("hostile answers", kind, shots, fetches=fetches, healthy=healthy),
        )


def beside(
    served: Served, upstream: Upstream, hostile: Iterable[Behaviour]
) -> tuple[list[Shot], list[Shot]]:
    """Return the answers to users and to strangers until the last hostile answer was given."""
    script = deque(hostile)
    upstream.suffer(alternating(script, upstream.publishing(K1)))
    with (
        loading(served.port, visits()) as shots,
        loading(served.port, forged_signatures(STRANGERS), rate=10) as strangers,
    ):
        seconds_until(lambda: not script, 60)
        time.sleep(1.0)
    return shots, strangers


def alternating(script: deque[Behaviour], friendly: Behaviour) -> Behaviour:
    turns: deque[Behaviour] = deque()

    def behave(conversation: Conversation) -> None:
        if not turns and script:
            turns.extend((script.popleft(), friendly))
        (turns.popleft() if turns else friendly)(conversation)

    return behave


def memory_of(served: Served) -> int:
    """The most that the workers have ever had in memory, in bytes."""
    return max(peak_of(pid) for pid in served.pids())


def peak_of(pid: int) -> int:
    with Path(f"/proc/{pid}/status").open(encoding="ascii") as status:
        [line] = [line for line in status if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


@pytest.fixture(scope="module")
def runs(keep: Callable[[Row], None]) -> Iterator[dict[str, Future[Course]]]:
    forged_signatures(STRANGERS)  # signs them, before anything is measured
    with side_by_side(course, KINDS) as runs:
        yield runs
        for found in outcomes(runs):
            keep(found.row)


each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_hostile_answers_fail_no_request_whose_key_is_known(
    kind: str, runs: dict[str, Future[Course]]
) -> None:
    run = runs[kind].result()
    assert bad(run.shots) == []
    assert run.row.key_fetches >= len(hostile_answers("http://elsewhere.test"))


@each_kind
def test_hostile_answers_sign_no_stranger_in(kind: str, runs: dict[str, Future[Course]]) -> None:
    strangers = runs[kind].result().strangers
    assert len(strangers) > 20
    assert bad(strangers) == []


@each_kind
def test_a_redirect_takes_the_secret_key_nowhere(
    kind: str, runs: dict[str, Future[Course]]
) -> None:
    assert runs[kind].result().asked_elsewhere == 0


@each_kind
def test_large_answers_are_not_read_to_their_end(
    kind: str, runs: dict[str, Future[Course]]
) -> None:
    assert runs[kind].result().grown < 25_000_000


def test_another_key_under_the_known_id_makes_nobody_of_anybody_else() -> None:
    kind = "gthread"
    with running(K1) as upstream, serving(kind, upstream, keys_ttl=0.2) as served:
        served.each_worker(visit_of(K1))
        published = len(upstream.published_at)
        upstream.publish(STRANGER)
        with loading(served.port, visits()) as shots:
            seconds_until(lambda: len(upstream.published_at) > published + WORKERS[kind], 10)
            time.sleep(0.3)
        assert not any(map(is_of_somebody_else, shots))
        refused = served.each_worker(visit_of(K1)).values()
        assert {shot.document["error"] for shot in refused} == {"Unauthenticated"}
