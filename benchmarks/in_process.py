"""What one request costs, as a multiple of one bare RSA-2048 verification by ``cryptography``.

    python benchmarks/in_process.py [--rounds N] [--batch N] [--rows TEXT] [--node DIR]

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
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout's package

from answering import BareInNode, InNode, InPython, node_process, our_decision, peer_decision
from clerk_process import KeyFetches, clerk_process
from machine import heading
from options import at_least, node_directory
from peers import PYJWT, SDK, SIGNED_IN, by_hand, missing, official_sdk, tell_missing
from requests_of import Requests, local_clerk, saved_clerk
from tables import median_and_quartiles, table
from verification import bare_verification

from clerk_wsgi import Clerk
from clerk_wsgi.testing import in_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from answering import Answerer, Node
    from clerk_process import ClerkProcess
    from requests_of import Variables

ORIGIN = "https://app.example.com"
WARM_UP, WARM_UP_OF_NODE = 20, 1000  # requests; V8 compiles what it has run often
SLOW = 20  # rows that fetch a key for each request get so much smaller batches
NODE = "@clerk/backend"
NO_TOKEN = "session-token-and-uat-missing"

# What the peers are asked: a kind of request, and whether keys are fetched or given.
_ASKED = {
    "same token again": ("networkless", "signed_in"),
    "token never seen": ("networkless", "unseen"),
    "nobody signed in": ("networkless", "anonymous"),
    "bad signature": ("remote", "bad_signature"),
    "unknown key id": ("remote", "unknown_key"),
}


@dataclass(kw_only=True)
class Row:
    """One kind of request, and who answers it; ``ratios`` has one figure for each round.

    ``decision`` is what the request must come to: a status, or a reason. ``key_fetches`` tells how
    often keys were fetched so far by whomever; ``fetched`` is the row's own part of that. Where a
    request takes long, a batch is ``slower`` times smaller.
    """

    name: str
    answerer: Answerer
    make: Callable[[], Variables]
    decision: str
    key_fetches: Callable[[], int]
    warm_up_requests: int = WARM_UP
    slower: int = 1
    ratios: list[float] = field(default_factory=list)
    fetched: int = 0
    asked: int = 0

    def warm_up(self) -> None:
        """Let keys be fetched and modules be imported, and look at what is decided."""
        requests = [self.make() for _ in range(self.warm_up_requests)]
        for found in self.answerer.decide(requests):
            if found != self.decision:
                sys.exit(f"{self.name}: expected {self.decision or 'nothing'}, not {found}")

    def measure(self, batch: int) -> float:
        """Return the seconds that one request takes, on average over a batch."""
        requests = [self.make() for _ in range(max(2, batch // self.slower))]
        before = self.key_fetches()
        taken = self.answerer.time(requests)
        self.fetched += self.key_fetches() - before
        self.asked += len(requests)
        return taken


def application(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
    """The least that an application can do."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def rows_of(requests: Requests) -> list[Row]:
    """Return our own rows: the whole middleware around an application that does nothing."""
    emulator = requests.emulator
    clerk_itself = KeyFetches(emulator)

    def clerk(**settings: Any) -> Clerk:
        return Clerk(
            secret_key=emulator.secret_key,
            publishable_key=emulator.publishable_key,
            authorized_parties=[ORIGIN],
            http=in_process(clerk_itself),
            dotenv=False,
            **settings,
        )

    app = clerk().with_session(application)
    strict = clerk().require_session(application)
    # Its clock runs, so that no window of its ration is ever full.
    seconds = map(float, itertools.count())
    live = clerk(verification="live", monotonic=lambda: next(seconds) / 50)
    in_header, in_cookie = requests.unseen_bearer, requests.unseen
    nobody, in_, refused = NO_TOKEN, "signed-in", "token-invalid-signature"
    expired = "session-token-expired-refresh-non-eligible-no-refresh-cookie"
    rows: list[tuple[str, WSGIApplication, Callable[[], Variables], str]] = [
        ("the application alone", application, requests.signed_in, ""),
        ("same token again, cookie", app, requests.signed_in, in_),
        ("same token again, header", app, requests.bearer, in_),
        ("same token again, page load", app, requests.page_load, in_),
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
        Row(
            name=name,
            answerer=InPython(answer, our_decision),
            make=make,
            decision=decision,
            key_fetches=lambda: clerk_itself.count,
        )
        for name, answer, make, decision in rows
    ]


def rows_by_hand(requests: Requests) -> list[Row]:
    """Return the rows of a middleware written by hand, which fetches no keys."""
    pem = requests.emulator.public_key_pem()
    answerer = InPython(by_hand(application, pem=pem, origin=ORIGIN), peer_decision)
    decisions = (SIGNED_IN, SIGNED_IN, "no token")
    return [
        Row(
            name=f"{PYJWT} by hand: {name}",
            answerer=answerer,
            make=getattr(requests, kind),
            decision=decision,
            key_fetches=int,
        )
        for (name, (_, kind)), decision in zip(_ASKED.items(), decisions, strict=False)
    ]


def rows_of_sdk(requests: Requests, served: ClerkProcess) -> list[Row]:
    """Return the rows of Clerk's own SDK for Python: its key given, or fetched over HTTP."""
    emulator = requests.emulator
    sdk = {
        "networkless": official_sdk(application, origin=ORIGIN, pem=emulator.public_key_pem()),
        "remote": official_sdk(
            application, origin=ORIGIN, secret_key=emulator.secret_key, api_url=served.url
        ),
    }
    answerers = {mode: InPython(app, peer_decision) for mode, app in sdk.items()}
    return _peer_rows(SDK, answerers, requests, served, nobody="session-token-missing")


def rows_of_node(requests: Requests, served: ClerkProcess, node: Node) -> list[Row]:
    """Return the rows of Clerk's own SDK for Node, and Node's bare verification."""
    answerers = {mode: InNode(node, mode) for mode in ("networkless", "remote")}
    rows = _peer_rows(NODE, answerers, requests, served, nobody=NO_TOKEN)
    bare = Row(
        name="Node's `crypto.verify` alone",
        answerer=BareInNode(node),
        make=requests.anonymous,
        decision=SIGNED_IN,
        key_fetches=int,
    )
    for row in (*rows, bare):
        row.warm_up_requests = WARM_UP_OF_NODE // row.slower
    return [bare, *rows]


def _peer_rows(
    peer: str,
    answerers: dict[str, Any],
    requests: Requests,
    served: ClerkProcess,
    *,
    nobody: str,
) -> list[Row]:
    reasons = (SIGNED_IN, SIGNED_IN, nobody, "token-invalid-signature", "jwk-kid-mismatch")
    return [
        Row(
            name=f"{peer}: {name}" + (", keys fetched" if mode == "remote" else ""),
            answerer=answerers[mode],
            make=getattr(requests, kind),
            decision=reason,
            key_fetches=served.key_fetches if mode == "remote" else int,
            slower=SLOW if mode == "remote" else 1,
        )
        for (name, (mode, kind)), reason in zip(_ASKED.items(), reasons, strict=True)
    ]


def measure(rows: list[Row], requests: Requests, *, rounds: int, batch: int) -> list[float]:
    """Fill the ratios of all rows, and return the seconds of the bare verification."""
    bare = bare_verification(requests)
    seconds = []
    for row in rows:
        row.warm_up()
    for _ in range(rounds):
        for row in random.sample(rows, len(rows)):
            verification = bare(batch)
            seconds.append(verification)
            row.ratios.append(row.measure(batch) / verification)
    return seconds


def report(rows: Sequence[Row], seconds: Sequence[float]) -> str:
    """Return the figures as a Markdown table."""
    unit = statistics.median(seconds)
    head = ("request", "× a verification", "quartiles", "µs", "keys fetched, per 1,000 requests")
    cells = []
    for row in rows:
        middle, quartiles = median_and_quartiles(row.ratios, 3)
        microseconds = f"{statistics.median(row.ratios) * unit * 1e6:.1f}"
        fetched = f"{1000 * row.fetched / row.asked:.1f}"
        cells.append((row.name, middle, quartiles, microseconds, fetched))
    return f"One bare verification: {unit * 1e6:.1f} µs (median)\n\n{table(head, cells)}"


def all_rows(stack: ExitStack, requests: Requests, directory: Path | None) -> list[Row]:
    """Return our rows and those of the peers that are there; ``stack`` ends what serves them."""
    rows, absent = rows_of(requests), missing()
    if PYJWT not in absent:
        rows += rows_by_hand(requests)
    if SDK in absent and directory is None:
        return rows
    state = Path(stack.enter_context(TemporaryDirectory()), "state.sqlite3")
    saved_clerk(state, like=requests.emulator).close()
    served = stack.enter_context(clerk_process(state))
    if SDK not in absent:
        rows += rows_of_sdk(requests, served)
    if directory is not None:
        node = stack.enter_context(
            node_process(directory, requests, origin=ORIGIN, api_url=served.url)
        )
        print(f"{NODE} {node.versions['version']}, Node {node.versions['node']}.\n")
        rows += rows_of_node(requests, served, node)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--rounds", type=at_least(2), default=60, help="at least two")
    parser.add_argument("--batch", type=at_least(2), default=200, help="requests of a row a round")
    parser.add_argument(
        "--rows", metavar="TEXT", default="", help="only those with it in their name"
    )
    parser.add_argument(
        "--node", metavar="DIR", type=node_directory(NODE), help=f"has node_modules/{NODE}"
    )
    options = parser.parse_args()
    print(heading("What one request costs, in process", PYJWT, SDK))
    requests = Requests(local_clerk(), ORIGIN)
    with ExitStack() as stack:
        rows = [row for row in all_rows(stack, requests, options.node) if options.rows in row.name]
        if not rows:
            parser.error(f"no row has {options.rows!r} in its name")
        print(report(rows, measure(rows, requests, rounds=options.rounds, batch=options.batch)))
    tell_missing([*missing(), *([] if options.node else [f"{NODE} (see --node)"])])


if __name__ == "__main__":
    main()
