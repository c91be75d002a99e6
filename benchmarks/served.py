"""Servers of applications on 127.0.0.1, on a core of their own: gunicorn, or Express."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from processes import children_of, cpu_seconds

from clerk_wsgi.serving.process import (
    MissingGunicorn,
    gunicorn,
    listen,
    require_gunicorn,
    url_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cores import Cores

HERE = Path(__file__).resolve().parent
EXPRESS = HERE / "node" / "express.mjs"
PATIENCE = 30  # seconds; a server that does not answer within them has failed


@dataclass(frozen=True, slots=True)
class Served:
    """A server at ``url`` (with a slash at its end); the process ``worker`` answers."""

    url: str
    worker: int

    def cpu(self) -> float:
        """Return the seconds of processor's time that answering has taken so far."""
        return cpu_seconds(self.worker)

    def text(self, path: str, headers: Mapping[str, str]) -> str:
        """Return the body of an answer."""
        request = Request(f"{self.url}{path}", headers=dict(headers))
        with urlopen(request, timeout=PATIENCE) as answer:
            return str(answer.read().decode())


def need_gunicorn(program: str) -> None:
    """End the program with one line if gunicorn is not there."""
    try:
        require_gunicorn(program)
    except MissingGunicorn as error:
        raise SystemExit(str(error)) from None


@contextmanager
def under_gunicorn(
    target: str, cores: Cores, environ: Mapping[str, str], *options: str
) -> Iterator[Served]:
    """Serve what gunicorn calls APP_MODULE by one worker; it is there when this begins."""
    ours = {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}", "PYTHONWARNINGS": "ignore"}
    with (
        closing(listen(0)) as listener,
        gunicorn(
            target,
            ["--workers", "1", *options],
            listener=listener,
            environ={**_without_clerk(), **ours, **environ},
        ) as process,
    ):
        cores.give_server(process.pid)
        yield Served(url_of(listener), _worker_of(process))


@contextmanager
def under_express(
    directory: Path, kind: str, cores: Cores, environ: Mapping[str, str]
) -> Iterator[Served]:
    """Serve Express ``bare``, or with ``clerk`` before it, as npm has put them in a directory."""
    process = subprocess.Popen(
        ["node", str(EXPRESS), str(directory), kind],
        env={**_without_clerk(), "NODE_ENV": "production", **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # its end closes the pipes, which ends the process
        cores.give_server(process.pid)
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise SystemExit("Express did not start")
        yield Served(f"http://127.0.0.1:{port}/", process.pid)


def _worker_of(master: subprocess.Popen[bytes]) -> int:
    """Wait for the one worker: the listening socket is there before it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and master.poll() is None:
        workers = children_of(master.pid)
        if workers:
            return workers[0]
        time.sleep(0.02)
    raise SystemExit("gunicorn did not start")


def _without_clerk() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("CLERK_")}
