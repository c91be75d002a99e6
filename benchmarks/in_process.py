"""What one request costs, as a multiple of one bare RSA-2048 verification by ``cryptography``.

    python benchmarks/in_process.py [--rounds N] [--batch N] [--rows TEXT]

Every row is measured in every round, the rows in random order, next to the bare verification of
the same round; a row's figure is the median of its ratios. Each request is made anew, out of fresh
strings, right before its clock starts: nothing in it was hashed or parsed before.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout's package

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from requests_of import Requests, environ_of, local_clerk

from clerk_wsgi import Clerk
from clerk_wsgi.testing import in_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from requests_of import Variables

ORIGIN = "https://app.example.com"


@dataclass(kw_only=True)
class Row:
    """One kind of request, and who answers it; ``ratios`` has one figure for each round.

    ``decision`` is what the request must come to: a status, or a reason.
    """

    name: str
    app: WSGIApplication
    make: Callable[[], Variables]
    decision: str
    ratios: list[float] = field(default_factory=list)

    def warm_up(self, requests: int) -> None:
        """Let keys be fetched and modules be imported, and look at what is decided."""
        for _ in range(requests):
            environ = environ_of(self.make())
            self.app(environ, _start_response)
            state = environ.get("clerk.state")
            found = (state.reason or state.status) if state else ""
            if found != self.decision:
                sys.exit(f"{self.name}: expected {self.decision or 'nothing'}, not {found}")

    def measure(self, batch: int) -> float:
        """Return the seconds that one request takes, on average over a batch."""
        requests = [self.make() for _ in range(batch)]
        app, clock, taken = self.app, time.perf_counter, 0.0
        for own in requests:
            environ = environ_of(own)
            started = clock()
            app(environ, _start_response)
            taken += clock() - started
        return taken / batch


def application(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
    """The least that an application can do."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def _start_response(*_: object) -> Any:
    return None


def bare_verification(requests: Requests) -> Callable[[int], float]:
    """Return what measures one verification of a token's signature, nothing else."""
    key, signature, signed = requests.signature()
    padding, algorithm = PKCS1v15(), SHA256()

    def measure(batch: int) -> float:
        clock, taken = time.perf_counter, 0.0
        for _ in range(batch):
            started = clock()
            key.verify(signature, signed, padding, algorithm)
            taken += clock() - started
        return taken / batch

    return measure


def rows_of(requests: Requests) -> list[Row]:
    """Return our own rows: the whole middleware around an application that does nothing."""
    emulator = requests.emulator

    def clerk(**settings: Any) -> Clerk:
        return Clerk(
            secret_key=emulator.secret_key,
            publishable_key=emulator.publishable_key,
            authorized_parties=[ORIGIN],
            http=in_process(emulator),
            dotenv=False,
            **settings,
        )

    app = clerk().with_session(application)
    strict = clerk().require_session(application)
    # Its clock runs, so that no window of its ration is ever full.
    seconds = map(float, itertools.count())
    live = clerk(verification="live", monotonic=lambda: next(seconds) / 50)
    in_header, in_cookie = requests.unseen_bearer, requests.unseen
    nobody, in_, refused = "session-token-and-uat-missing", "signed-in", "token-invalid-signature"
    expired = "session-token-expired-refresh-non-eligible-no-refresh-cookie"
    rows: list[tuple[str, WSGIApplication, Callable[[], Variables], str]] = [
        ("the application alone", application, requests.signed_in, ""),
        ("same token again, cookie", app, requests.signed_in, in_),
        ("same token again, header", app, requests.bearer, in_),
        ("token never seen, cookie", app, in_cookie, in_),
        ("token never seen, header", app, in_header, in_),
        ("nobody signed in", app, requests.anonymous, nobody),
        ("nobody signed in, cookies of others", app, requests.other_cookies, nobody),
        ("nobody signed in, require_session", strict, requests.anonymous, nobody),
        ("bad signature", app, requests.bad_signature, refused),
        ("unknown key id", app, requests.unknown_key, "jwk-kid-mismatch"),
        ("expired", app, requests.expired, expired),
        ("live verification", live.with_session(application), requests.signed_in, in_),
    ]
    return [
        Row(name=name, app=answer, make=make, decision=decision)
        for name, answer, make, decision in rows
    ]


def measure(rows: list[Row], requests: Requests, *, rounds: int, batch: int) -> list[float]:
    """Fill the ratios of all rows, and return the seconds of the bare verification."""
    bare = bare_verification(requests)
    seconds = []
    for row in rows:
        row.warm_up(20)
    for _ in range(rounds):
        for row in random.sample(rows, len(rows)):
            verification = bare(batch)
            seconds.append(verification)
            row.ratios.append(row.measure(batch) / verification)
    return seconds


def table(rows: list[Row], seconds: list[float]) -> str:
    """Return the figures as a Markdown table."""
    unit = statistics.median(seconds)
    lines = [
        f"One bare verification: {unit * 1e6:.1f} µs (median)",
        "",
        "| request | × a verification | quartiles | µs |",
        "|---|---:|---:|---:|",
    ]
    for row in rows:
        low, middle, high = statistics.quantiles(row.ratios, n=4)
        quartiles = f"{low:.3f} – {high:.3f}"
        lines.append(f"| {row.name} | {middle:.3f} | {quartiles} | {middle * unit * 1e6:.1f} |")
    return "\n".join(lines)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError("expected a number from 2")
    return int(text)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=_count, default=60, help="at least two")
    parser.add_argument("--batch", type=_count, default=200, help="requests of a row in a round")
    parser.add_argument(
        "--rows", metavar="TEXT", default="", help="only those with it in their name"
    )
    options = parser.parse_args()
    requests = Requests(local_clerk(), ORIGIN)
    rows = [row for row in rows_of(requests) if options.rows in row.name]
    seconds = measure(rows, requests, rounds=options.rounds, batch=options.batch)
    print(table(rows, seconds))


if __name__ == "__main__":
    main()
