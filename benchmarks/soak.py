"""A million requests of all kinds through one real gunicorn worker, every answer looked at.

    python benchmarks/soak.py [--requests N] [--seed N] [--application APP]

The status is 0 if everybody was taken for who they are, nobody for somebody, no answer was a 5xx,
and the worker has logged no error; else it is 1. Memory is looked at ten times.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout's package

from applications import BLOCKS, ORIGIN
from clerk_process import clerk_process
from connection import Broken, Connection
from cores import two_cores
from hostile import HANDSHAKE, REFUSED_BY_SERVER, Hostile, Person, request_bytes
from machine import heading
from options import at_least
from processes import memory_of
from requests_of import Requests, saved_clerk
from served import need_gunicorn, under_gunicorn
from tables import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_process import ClerkProcess
    from connection import Answer
    from hostile import Question
    from processes import Memory
    from served import Served

APP = "https://app.example.com"
CLERK = "https://clerk.example.com/"
APPLICATION = "applications:create_checked()"
CONNECTIONS = 4
SAMPLES = 10
PEOPLE = 100
MOST_TOKENS = 6000  # more than an instance remembers
DAY = 86_400  # seconds: longer than all of it takes
SHOWN = 10  # wrong answers, and lines of the log
LAX, STRICT = "/", "/strict"
_TROUBLE = re.compile(r"\bERROR\b|\bCRITICAL\b|Traceback \(most recent")


def problem_with(question: Question, path: str, answer: Answer) -> str:
    """Return what is wrong with an answer, nothing if it is right."""
    usual = 401 if path == STRICT and question.user is None else 200
    right = {usual, *question.may_be} if question.must_be is None else {question.must_be}
    if answer.status not in right:
        return f"status {answer.status}, not one of {sorted(right)}"
    if answer.status == HANDSHAKE and not answer.location.startswith(CLERK):
        return "redirected to somewhere else"
    if answer.status in {HANDSHAKE, REFUSED_BY_SERVER, 401}:
        return ""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return "no answer of the application"
    wanted = {"session": question.user, "auth": question.user}
    return "" if found == wanted else "taken for somebody else"


@dataclass(kw_only=True)
class Tally:
    """What came of the requests so far: by kind and status, and what was wrong."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def note(self, question: Question, path: str, answer: Answer) -> None:
        """Count an answer, and look at it."""
        self.answers[question.kind, answer.status] += 1
        problem = problem_with(question, path, answer)
        if problem:
            self.problems.append(f"{question.kind}, {path}: {problem}")

    def table(self) -> str:
        """Return how often each kind was answered how."""
        statuses = sorted({status for _, status in self.answers})
        rows = []
        for kind in sorted({kind for kind, _ in self.answers}):
            counts = [self.answers[kind, status] for status in statuses]
            rows.append((kind, *(f"{count:,}" if count else "–" for count in counts)))
        return table(("kind of request", *map(str, statuses)), rows)


class Visitor:
    """One connection, what is asked on it, and what came of that."""

    def __init__(self, hostile: Hostile, connection: Connection, rng: random.Random) -> None:
        self._hostile = hostile
        self._connection = connection
        self._random = rng
        self.tally = Tally()

    def visit(self, count: int) -> None:
        """Ask so many questions."""
        for _ in range(count):
            question, path = self._hostile.draw(), self._random.choice((LAX, STRICT))
            try:
                answer = self._connection.ask(request_bytes(question, path))
            except (OSError, Broken) as error:
                self.tally.problems.append(f"{question.kind}, {path}: {error}")
            else:
                self.tally.note(question, path, answer)


def people_of(requests: Requests, count: int) -> list[Person]:
    """Return users with sessions of their own, who have so many tokens together."""
    emulator, until = requests.emulator, int(time.time()) + DAY
    people = []
    for number in range(min(PEOPLE, count)):
        user = emulator.create_user(first_name=f"User {number}")["id"]
        session = emulator.create_session(user)["id"]
        each = range(max(1, count // min(PEOPLE, count)))
        tokens = [requests.token_of(session, exp=until) for _ in each]
        people.append(Person(user, session, tuple(tokens)))
    return people


def visitors_of(
    stack: ExitStack, requests: Requests, served: Served, *, asked: int, seed: int
) -> list[Visitor]:
    """Return those who will ask, each with random numbers of their own."""
    people = people_of(requests, min(MOST_TOKENS, max(10, asked // 50)))
    visitors = []
    for number in range(CONNECTIONS):
        rng = random.Random(f"{seed} {number}")
        connection = stack.enter_context(Connection(served.url))
        visitors.append(Visitor(Hostile(requests, people, rng), connection, rng))
    return visitors


@dataclass(frozen=True, slots=True)
class Sample:
    """The worker after so many ``requests``, of which the last came at ``rate`` a second."""

    requests: int
    rate: float
    memory: Memory
    blocks: str
    key_fetches: int

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        sizes = (self.memory.rss, self.memory.pss, self.memory.uss)
        mebibytes = [f"{size / (1 << 20):.1f}" for size in sizes]
        counts = (self.blocks, f"{self.key_fetches}")
        return f"{self.requests:,}", f"{self.rate:,.0f}", *mebibytes, *counts


def samples_of(
    visitors: list[Visitor], served: Served, clerk: ClerkProcess, asked: int
) -> Iterator[Sample]:
    """Let all be asked, and look at the worker every now and then."""
    done = 0
    for number in range(1, SAMPLES + 1):
        count = asked * number // SAMPLES - done
        started = time.monotonic()
        _visit_together(visitors, count)
        done += count
        rate = count / (time.monotonic() - started)
        memory, blocks = memory_of(served.worker), _blocks_in(served.url)
        yield Sample(done, rate, memory, blocks, clerk.key_fetches())


def _blocks_in(url: str) -> str:
    """Return how many blocks of memory are allocated, if the application tells that."""
    with Connection(url) as connection:
        answer = connection.ask(f"GET {BLOCKS} HTTP/1.1\r\nHost: app\r\n\r\n".encode())
    return f"{int(answer.body):,}" if answer.body.isdigit() else "–"


def _visit_together(visitors: list[Visitor], count: int) -> None:
    threads = []
    for number, visitor in enumerate(visitors):
        share = count * (number + 1) // len(visitors) - count * number // len(visitors)
        threads.append(threading.Thread(target=visitor.visit, args=(share,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def soak(application: str, *, asked: int, seed: int) -> list[str]:
    """Ask, print tables, and return the first things that were wrong."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        cores = two_cores()
        cores.take_client()
        emulator = saved_clerk(scratch / "state.sqlite3")
        stack.callback(emulator.close)
        clerk = stack.enter_context(clerk_process(scratch / "state.sqlite3"))
        environ = {
            "CLERK_SECRET_KEY": emulator.secret_key,
            "CLERK_PUBLISHABLE_KEY": emulator.publishable_key,
            "CLERK_API_URL": clerk.url,
            ORIGIN: APP,
        }
        log = scratch / "gunicorn.log"
        options = ["--threads", str(CONNECTIONS), "--log-file", str(log), "--capture-output"]
        options += ["--log-level", "warning", "--keep-alive", "60"]
        served = stack.enter_context(under_gunicorn(application, cores, environ, *options))
        visitors = visitors_of(stack, Requests(emulator, APP), served, asked=asked, seed=seed)
        samples = list(samples_of(visitors, served, clerk, asked))
        return _reported(visitors, samples, log.read_text("utf-8", "replace"))


def _reported(visitors: list[Visitor], samples: list[Sample], log: str) -> list[str]:
    whole = Tally()
    for visitor in visitors:
        whole.answers += visitor.tally.answers
        whole.problems += visitor.tally.problems
    head = ("requests", "a second", "RSS MiB", "PSS MiB", "USS MiB", "blocks", "key fetches")
    print(table(head, [sample.cells() for sample in samples]), whole.table(), sep="\n\n")
    logged = [line for line in log.splitlines() if _TROUBLE.search(line)]
    worse = sum(count for (_, status), count in whole.answers.items() if status >= 500)
    print(
        f"\n{len(whole.problems):,} wrong answers, {worse:,} of 5xx among them; {len(logged):,}"
        " errors in the worker's log."
    )
    return [*whole.problems[:SHOWN], *logged[:SHOWN]]


def main() -> None:
    """Soak, print, and say by the status how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--requests", type=at_least(SAMPLES), default=1_000_000)
    parser.add_argument("--seed", type=at_least(0), default=1, help="draws the same requests")
    parser.add_argument(
        "--application", metavar="APP", default=APPLICATION, help="what gunicorn is to serve"
    )
    options = parser.parse_args()
    need_gunicorn("this program")
    print(heading(f"Soak, seed {options.seed}", "gunicorn"))
    problems = soak(options.application, asked=options.requests, seed=options.seed)
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
