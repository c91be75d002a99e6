"""gunicorn as a process of its own, on a free port of 127.0.0.1, stopped by its process id."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from .processes import PROJECT, TIMEOUT, clean_environ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clerk_wsgi.testing import RunningEmulator


@contextmanager
def gunicorn(
    app: str, clerk: RunningEmulator, *options: str, cwd: Path = PROJECT, **environ: str
) -> Iterator[str]:
    """Serve ``MODULE:NAME``, which finds the local Clerk in its environment; yield the URL."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", app],
        cwd=cwd,
        env=clean_environ(
            CLERK_SECRET_KEY=clerk.emulator.secret_key, CLERK_API_URL=clerk.url, **environ
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, "gunicorn has stopped"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("gunicorn did not start")
