"""Both applications as processes of their own, with one local Clerk.

npm installs what ``package-lock.json`` names, once for as long as the files of this folder stay as
they are, into the user's cache: nothing of it is in the repository.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clerk_wsgi.settings import parse_publishable_key
from clerk_wsgi.testing import start_emulator

from ...browsing import GRACE
from ...gunicorns import gunicorn
from ...processes import TIMEOUT, clean_environ
from ..browsers import require_or_skip
from ..npm import cache
from ..served import _no_control_socket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import Emulator, RunningEmulator

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", "server.mjs")
NPM_TIMEOUT = 300  # seconds
APPLICATION = "tests.chromium.express.application:create_application()"


@dataclass(frozen=True, kw_only=True)
class World:
    """Where browsers go: the URLs of Express, of our application and of Clerk; and two users."""

    express: str
    wrapped: str
    clerk: str
    emulator: Emulator
    ada: str
    grace: str

    @property
    def suffix(self) -> str:
        """What the names of the instance's cookies end in."""
        return parse_publishable_key(self.emulator.publishable_key).suffix

    @property
    def is_development(self) -> bool:
        """Whether it is a development instance."""
        return self.emulator.publishable_key.startswith("pk_test_")

    @property
    def elsewhere(self) -> World:
        """The same with the applications on another site than Clerk."""
        express, wrapped = (
            url.replace("127.0.0.1", "localhost") for url in (self.express, self.wrapped)
        )
        return replace(self, express=express, wrapped=wrapped)


@contextmanager
def serving(publishable_key: str, folder: Path) -> Iterator[World]:
    """Run all three; ``folder`` is where Express is installed."""
    with (
        start_emulator(publishable_key=publishable_key) as clerk,
        _express(folder, clerk) as express,
        _wrapped(clerk) as wrapped,
    ):
        emulator = clerk.emulator
        grace = emulator.create_user(username=GRACE["identifier"], password=GRACE["password"])
        yield World(
            express=express,
            wrapped=wrapped,
            clerk=clerk.url,
            emulator=emulator,
            ada=emulator.users()[0]["id"],
            grace=grace["id"],
        )


def installed() -> Path:
    """Return the folder with the server and its packages, after installing them if need be."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        require_or_skip("Node.js with npm")
    content = b"\0".join((HERE / name).read_bytes() for name in FILES)
    folder = cache() / f"express-{hashlib.sha256(content).hexdigest()[:16]}"
    if not folder.exists():
        _install(npm, folder)
    return folder


def _install(npm: str, folder: Path) -> None:
    """Install beside the folder and rename at last: it is whole, or not there."""
    scratch = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name in FILES:
            shutil.copy(HERE / name, scratch)
        _run_npm(npm, scratch)
        with suppress(OSError):  # somebody else was faster, and has the same
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run_npm(npm: str, folder: Path) -> None:
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    command = [npm, "ci", "--ignore-scripts", "--fetch-retries=1", *quiet]
    try:
        done = subprocess.run(
            command, cwd=folder, check=False, capture_output=True, text=True, timeout=NPM_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        require_or_skip("an answer of npm's registry")
    if done.returncode != 0:
        reason = done.stderr.strip().partition("\n")[0]
        require_or_skip(f"@clerk/express (npm ci: {reason})")


@contextmanager
def _express(folder: Path, clerk: RunningEmulator) -> Iterator[str]:
    process = subprocess.Popen(
        ["node", "server.mjs"],
        cwd=folder,
        env=clean_environ(
            CLERK_SECRET_KEY=clerk.emulator.secret_key,
            CLERK_PUBLISHABLE_KEY=clerk.emulator.publishable_key,
            CLERK_API_URL=clerk.url,
            CLERK_PROXY_URL=clerk.url,
            CLERK_TELEMETRY_DISABLED="1",
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    stdout: Any = process.stdout
    try:
        port = stdout.readline().strip()
        assert port, f"Express did not start: it ended with {process.wait(TIMEOUT)}"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(TIMEOUT)
        stdout.close()


@contextmanager
def _wrapped(clerk: RunningEmulator) -> Iterator[str]:
    with gunicorn(
        APPLICATION,
        clerk,
        "--threads",
        "8",  # browsers open connections before they have anything to ask
        *_no_control_socket(),
        CLERK_PUBLISHABLE_KEY=clerk.emulator.publishable_key,
        CLERK_PROXY_URL=clerk.url,
    ) as url:
        yield url
