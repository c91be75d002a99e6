"""Under a real gunicorn: what a cold start costs, and what an outage of Clerk breaks."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import pytest
import requests

from clerk_wsgi.testing import start_emulator

from .gunicorns import gunicorn
from .processes import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from clerk_wsgi.testing import Emulator

pytestmark = pytest.mark.servers

WORKERS = 2
SERVERS = {
    "gthread": ("--threads", "4"),
    "gthread, preloaded": ("--threads", "4", "--preload"),
    "gevent": ("--worker-class", "gevent"),
    "gevent, preloaded": ("--worker-class", "gevent", "--preload"),
}


def tokens_of(emulator: Emulator, count: int) -> dict[str, str]:
    """So many tokens, each of a user of its own."""
    users = [emulator.create_user()["id"] for _ in range(count)]
    sessions = [emulator.create_session(user)["id"] for user in users]
    tokens = [emulator.session_token(session, expires_in=3600) for session in sessions]
    return dict(zip(tokens, users, strict=True))


def ask(url: str, token: str) -> requests.Response:
    return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def key_fetches(emulator: Emulator) -> int:
    return Counter(request.path for request in emulator.requests)["/v1/jwks"]


@pytest.mark.parametrize("server", SERVERS)
def test_a_herd_at_cold_start_costs_one_key_fetch_per_worker_and_an_outage_nothing(
    server: str,
) -> None:
    with start_emulator() as clerk:
        tokens = tokens_of(clerk.emulator, 48)
        clerk.emulator.faults.latency = 0.5  # so that all of them arrive during the fetch
        with (
            gunicorn("tests.served:app", clerk, "--workers", str(WORKERS), *SERVERS[server]) as url,
            ThreadPoolExecutor(48) as herd,
        ):
            answers = list(herd.map(lambda token: ask(url, token), tokens))
            assert [answer.status_code for answer in answers] == [200] * 48
            documents: list[dict[str, Any]] = [answer.json() for answer in answers]
            assert [document["user_id"] for document in documents] == list(tokens.values())
            workers = {document["pid"] for document in documents}
            for token in islice(cycle(tokens), 500):
                workers.add(ask(url, token).json()["pid"])
                if len(workers) == WORKERS:
                    break
            assert key_fetches(clerk.emulator) == len(workers) == WORKERS

            clerk.stop()
            again = list(herd.map(lambda token: ask(url, token), tokens))
            assert [answer.status_code for answer in again] == [200] * 48
            assert [answer.json()["user_id"] for answer in again] == list(tokens.values())


def test_the_access_log_names_the_user_as_the_readme_says(tmp_path: Path) -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"--access-logformat '([^']+)'", readme)
    assert shown is not None
    log = tmp_path / "access.log"
    options = ("--access-logfile", str(log), "--access-logformat", shown[1])
    with start_emulator() as clerk:
        [(token, user_id)] = tokens_of(clerk.emulator, 1).items()
        with gunicorn("tests.served:named_in_the_log", clerk, *options) as url:
            assert ask(url, token).status_code == 200
            assert ask(url, "a.b.c").status_code == 401
    signed_in, refused = log.read_text(encoding="utf-8").splitlines()
    assert re.match(rf"127\.0\.0\.1 {user_id} \[.+\] \"GET / HTTP/1\.1\" 200 ", signed_in)
    assert re.match(r"127\.0\.0\.1 - \[.+\] \"GET / HTTP/1\.1\" 401 ", refused)
