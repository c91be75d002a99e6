"""The kinds of servers, each as processes of its own that are stopped by their ids."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..processes import PROJECT, TIMEOUT, clean_environ, descendants, survivors
from .load import Shot, ask
from .people import SECRET_KEY, visit
from .upstream import reserved_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .people import Visit
    from .upstream import Upstream

GUNICORNS = ("gthread", "gevent", "gthread, preloaded", "gevent, preloaded")
WORKERS = {**dict.fromkeys(GUNICORNS, 2), "waitress": 1}
KINDS = tuple(WORKERS)
THREADS = 8
APP = "tests.resilience.served:app"


def command_of(kind: str, port: int, app: str, options: tuple[str, ...]) -> list[str]:
    """Return what starts a server."""
    address = f"127.0.0.1:{port}"
    if kind == "waitress":
        return ["waitress", f"--listen={address}", f"--threads={THREADS}", *options, app]
    concurrency = {
        "gthread": ("--worker-class", "gthread", "--threads", str(THREADS)),
        "gevent": ("--worker-class", "gevent"),
    }[kind.partition(",")[0]]
    preload = ("--preload",) if "preloaded" in kind else ()
    always = ("--bind", address, "--workers", str(WORKERS[kind]), "--no-control-socket")
    return ["gunicorn", *options, *always, *concurrency, *preload, app]


class Served:
    """A server that runs: ``log`` is what it has written."""

    def __init__(
        self, kind: str, port: int, process: subprocess.Popen[bytes], log: IO[bytes]
    ) -> None:
        self.kind = kind
        self.port = port
        self.workers = WORKERS[kind]
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return Path(self._log.name).read_text("utf-8", "replace")

    def each_worker(self, visit: Visit) -> dict[int, Shot]:
        """Ask ``/lax``, whose answers say which worker gave them, until each has given one."""
        found: dict[int, Shot] = {}
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            shot = ask(self.port, visit)
            if shot.status == 200:
                found[shot.document["pid"]] = shot
            if len(found) == self.workers:
                return found
        raise AssertionError(f"only {list(found)} have answered")

    def pids(self) -> set[int]:
        """The processes that serve: the workers, or the only one."""
        return descendants(self.process.pid) or {self.process.pid}

    def threads(self) -> int:
        """How many threads all of them have."""
        return sum(threads_of(pid) for pid in self.pids())


def threads_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("Threads:")[2].split()[0])


@contextmanager
def serving(
    kind: str,
    upstream: Upstream,
    *options: str,
    app: str = APP,
    keys_ttl: float = 300.0,
    stale_keys: float = 3600.0,
    timeout: float = 3.0,
) -> Iterator[Served]:
    """Serve ``app``, whose Clerk is ``upstream``; the ages and the time limit are in seconds."""
    environ = clean_environ(
        CLERK_SECRET_KEY=SECRET_KEY,
        CLERK_API_URL=upstream.url,
        CLERK_TIMEOUT=str(timeout),
        RESILIENCE_KEYS_TTL=str(keys_ttl),
        RESILIENCE_STALE_KEYS=str(stale_keys),
    )
    with reserved_port() as reserved, tempfile.NamedTemporaryFile() as log:
        port = reserved.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", *command_of(kind, port, app, options)],
            cwd=PROJECT,
            env=environ,
            stdout=log,
            stderr=log,
        )
        served = Served(kind, port, process, log)
        try:
            _wait_for(served)
            yield served
        finally:
            _stop(served)


def _wait_for(served: Served) -> None:
    """Wait until all workers are there, and one answers a request that needs no Clerk."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        assert served.process.poll() is None, served.log
        if len(served.pids()) == served.workers and ask(served.port, visit("", None)).status:
            return
        time.sleep(0.05)
    raise AssertionError(served.log)


def _stop(served: Served) -> None:
    started = descendants(served.process.pid)
    served.process.terminate()
    served.process.wait(TIMEOUT)
    assert not survivors(started)


def assert_clean(served: Served, upstream: Upstream) -> None:
    """Nothing was caught by the server, and the secret key went to Clerk alone."""
    assert "Traceback" not in served.log, served.log
    assert SECRET_KEY not in served.log
    for received in upstream.received:
        assert (received.method, received.target) == ("GET", "/v1/jwks")
        assert received.headers["authorization"] == f"Bearer {SECRET_KEY}"
        assert "cookie" not in received.headers
