"""A local Clerk in a process of its own, whose work costs the measured process nothing.

It counts how often its keys are fetched. As a program: ``python clerk_process.py STATE`` serves
until its standard input ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout's package

from clerk_wsgi.emulator import Emulator, Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEYS = "/v1/jwks"
COUNT = "/benchmark/key-fetches"
PATIENCE = 30  # seconds; a Clerk that has not started by then has failed


class KeyFetches:
    """A Clerk whose fetched keys are counted; ``COUNT`` answers how many there were."""

    def __init__(self, clerk: WSGIApplication) -> None:
        self._clerk = clerk
        self._lock = threading.Lock()
        self.count = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == KEYS:
            with self._lock:
                self.count += 1
        elif path == COUNT:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self.count).encode()]
        return self._clerk(environ, start_response)


class ClerkProcess:
    """A local Clerk that is served at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def key_fetches(self) -> int:
        """Return how often its keys were fetched so far."""
        with urlopen(f"{self.url}{COUNT}", timeout=PATIENCE) as answer:
            return int(json.load(answer))


@contextmanager
def clerk_process(state: str | Path, *options: str) -> Iterator[ClerkProcess]:
    """Serve the state in a file, which may be used here at the same time.

    ``options`` are of the program below.
    """
    process = subprocess.Popen(
        [sys.executable, __file__, str(state), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # its end closes the pipes, which ends the process
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit("the local Clerk did not start")
        yield ClerkProcess(url)


def main() -> None:
    """Serve ``STATE`` until standard input ends; ``VERIFY_ENDPOINTS`` may follow."""
    state, *more = sys.argv[1:]
    emulator = Emulator(state, verify_endpoints=more[0] if more else "served")
    with Server(KeyFetches(emulator)) as server:
        print(server.url, flush=True)
        sys.stdin.read()
    emulator.close()


if __name__ == "__main__":
    main()
