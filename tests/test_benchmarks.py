"""The benchmarks can be run; how long anything takes is not tested."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .chromium.browsers import require_or_skip
from .processes import PROJECT, TIMEOUT, clean_environ

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers

BENCHMARKS = PROJECT / "benchmarks"
PROGRAMS = (
    "footprint.py",
    "growth.py",
    "in_process.py",
    "live.py",
    "local_clerk.py",
    "soak.py",
    "under_gunicorn.py",
)
RANGE = r"-?[\d.]+ – [\d.]+"
NUMBER = r"[\d.,]+"


def run(
    program: str, *arguments: str, cwd: Path = BENCHMARKS, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / program), *arguments],
        cwd=cwd,
        env=clean_environ(**environ),
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


def parts_of(done: subprocess.CompletedProcess[str], title: str) -> list[str]:
    """What a program has printed below its heading and the line about the machine."""
    assert (done.returncode, done.stderr) == (0, "")
    heading, machine, *parts = done.stdout.rstrip("\n").split("\n\n")
    assert heading == f"## {title}"
    assert re.fullmatch(r"\w+ 3\.\d+\.\S+; .+, \d+ cores; .+; .+; \d{4}-\d\d-\d\d\.", machine)
    return parts


def rows_of(part: str, *head: str) -> list[list[str]]:
    """The rows of a Markdown table whose columns have these titles."""
    first, line, *rows = part.splitlines()
    assert first == f"| {' | '.join(head)} |"
    assert line == f"|---|{'---:|' * (len(head) - 1)}"
    cells = [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in rows]
    assert {len(row) for row in cells} == {len(head)}
    return cells


def test_the_start_of_a_local_clerk_is_a_table_of_figures_a_row() -> None:
    done = run("local_clerk.py", "--runs", "1")
    assert (done.returncode, done.stderr) == (0, "")
    table, _, rest = done.stdout.partition("\n\n")
    head, line, *rows = table.splitlines()
    assert head == "| milliseconds | min | median | max | CPU |"
    assert line == "|---|---:|---:|---:|---:|"
    assert len(rows) == 8
    assert all(re.fullmatch(r"\| [^|]+ \| (\d+) \| \1 \| \1 \| \d+ \|", row) for row in rows)
    assert re.match(r"1 runs of each; the longest took \d+\.\d\d s, (NOT )?below 1 s\.\n", rest)


def test_what_a_request_costs_is_a_table_of_ratios_a_row() -> None:
    done = run("in_process.py", "--rounds", "2", "--batch", "2")
    unit, table, rest = parts_of(done, "What one request costs, in process")
    assert re.fullmatch(r"One bare verification: \d+\.\d µs \(median\)", unit)
    fetched = "keys fetched, per 1,000 requests"
    rows = rows_of(table, "request", "× a verification", "quartiles", "µs", fetched)
    assert len(rows) == 13 + 3 + 5
    assert all(
        re.fullmatch(f"{NUMBER};{RANGE};{NUMBER};{NUMBER}", ";".join(row[1:])) for row in rows
    )
    assert rest == "not installed: @clerk/backend (see --node)"


def test_forged_tokens_let_a_peer_fetch_keys_each_time_and_us_hardly_ever() -> None:
    done = run("in_process.py", "--rounds", "2", "--batch", "40", "--rows", "unknown key")
    *_, table, _ = parts_of(done, "What one request costs, in process")
    ours, theirs = table.splitlines()[2:]
    assert ours.startswith("| unknown key id | ")
    assert float(ours.split(" | ")[-1].rstrip(" |")) < 100
    assert theirs.startswith("| clerk-backend-api: unknown key id, keys fetched | ")
    assert theirs.endswith(" | 1000.0 |")


WITHOUT_PEERS = """
import importlib.metadata as metadata

find = metadata.version

def version(name):
    if name in ("PyJWT", "clerk-backend-api"):
        raise metadata.PackageNotFoundError(name)
    return find(name)

metadata.version = version
"""


def test_peers_that_are_not_installed_are_one_line_and_no_rows(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_PEERS, encoding="utf-8")
    path = f"{tmp_path}:{PROJECT}"
    done = run("in_process.py", "--rounds", "2", "--batch", "2", PYTHONPATH=path)
    _, table, rest = parts_of(done, "What one request costs, in process")
    assert len(table.splitlines()) == 2 + 13
    assert rest == "not installed: PyJWT, clerk-backend-api, @clerk/backend (see --node)"


def test_what_a_server_spends_is_a_table_of_pairs() -> None:
    if shutil.which("wrk") is None:
        require_or_skip("wrk")
    done = run(
        "under_gunicorn.py", "--pairs", "1", "--threads", "2", "--rows", "clerk_wsgi, signed"
    )
    table, note, rest = parts_of(done, "Under gunicorn, one worker (gthread, 2 threads)")
    head = ("behind gunicorn", "requests/s", "p50 ms", "p99 ms", "CPU µs", "bare CPU µs")
    [row] = rows_of(table, *head, "CPU × bare", "quartiles")
    assert row[0] == "clerk_wsgi, signed in"
    assert all(re.fullmatch(NUMBER, cell) for cell in row[1:-1])
    assert note == "1 pairs of 1 s; goals: 1.05 signed in, 1.02 nobody."
    assert rest == "not installed: @clerk/express (see --node)"


def test_without_wrk_the_program_that_needs_it_says_so_in_a_line(tmp_path: Path) -> None:
    done = run("under_gunicorn.py", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "this program needs the command wrk: apt-get install wrk\n"


def test_asking_clerk_is_a_table_of_ratios() -> None:
    done = run("live.py", "--rounds", "1", "--batch", "2")
    [table] = parts_of(done, "Asking Clerk, and live verification")
    rows = rows_of(table, "what is asked", "× a bare GET", "quartiles", "µs", "own CPU µs")
    assert len(rows) == 9
    assert all(
        re.fullmatch(f"{NUMBER};{RANGE};{NUMBER};{NUMBER}", ";".join(row[1:])) for row in rows
    )


def test_growth_is_a_table_each_of_tokens_threads_and_instances() -> None:
    done = run("growth.py", "--tokens", "1000", "--requests", "64", "--rounds", "1")
    tokens, threads, instances = parts_of(done, "Growth")
    known = ("known", "MB", "bytes each")
    rows = rows_of(tokens, "distinct tokens", "× a verification", "quartiles", "µs", *known)
    assert [row[0] for row in rows] == ["1", "10", "100", "1,000"]
    assert {row[4] for row in rows} == {"100.0 %"}
    assert all(re.fullmatch(NUMBER, row[6]) for row in rows)
    rows = rows_of(threads, "threads", "× one thread", "quartiles", "CPU µs", "requests/s")
    assert [row[0] for row in rows] == ["1", "2", "4", "8", "16", "32", "64"]
    rows = rows_of(instances, "instances", "× one instance", "quartiles", "µs", "kB each")
    assert [row[0] for row in rows] == ["1", "2", "5", "10", "20", "50", "100"]


def test_the_footprint_is_time_memory_and_distributions() -> None:
    done = run("footprint.py", "--runs", "1")
    stages, verdict, distributions = parts_of(done, "Footprint")
    sizes = ("RSS + MiB", "PSS + MiB", "USS + MiB")
    rows = rows_of(stages, "process", "ms", "quartiles", "CPU ms", *sizes)
    assert rows[0][4:] == ["0.0"] * 3
    assert len(rows) == 8
    assert re.fullmatch(
        r"A wrapped application: \d+ ms \(goal: 100, (NOT )?kept\),"
        r" \d+\.\d MB \(goal: 28, (NOT )?kept\)\.",
        verdict,
    )
    [ours, *peers] = rows_of(distributions, "to install", "distributions", "beside it")
    named = ours[2].split(", ")
    assert ours[:2] == ["clerk-wsgi", str(1 + len(named))]
    assert {"cryptography", "python-dotenv", "requests", "webob", "urllib3"} <= set(named)
    assert [row[0] for row in peers] == ["PyJWT", "clerk-backend-api"]


def test_a_soak_tells_of_memory_and_of_every_answer() -> None:
    done = run("soak.py", "--requests", "600", "--seed", "7")
    samples, kinds, verdict = parts_of(done, "Soak, seed 7")
    sizes = ("RSS MiB", "PSS MiB", "USS MiB")
    rows = rows_of(samples, "requests", "a second", *sizes, "blocks", "key fetches")
    assert all(int(row[5].replace(",", "")) > 10_000 for row in rows)
    assert [row[0] for row in rows] == [f"{60 * number}" for number in range(1, 11)]
    head = kinds.splitlines()[0].removeprefix("| ").removesuffix(" |").split(" | ")
    cells = [cell for row in rows_of(kinds, *head) for cell in row[1:]]
    assert sum(int(cell) for cell in cells if cell != "–") == 600
    assert verdict == "0 wrong answers, 0 of 5xx among them; 0 errors in the worker's log."


ERRING = """
def app(environ, start_response):
    {trouble}
    body = b'{{"session": null, "auth": null}}'
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("pass", ["taken for somebody else", "status 200, not one of [401]"]),
        ("raise KeyError", ["status 500, not one of [200]"]),
    ],
)
def test_a_soak_of_an_application_that_errs_fails(
    tmp_path: Path, trouble: str, told: list[str]
) -> None:
    (tmp_path / "erring.py").write_text(ERRING.format(trouble=trouble), encoding="utf-8")
    done = run("soak.py", "--requests", "100", "--application", "erring:app", cwd=tmp_path)
    assert done.returncode == 1
    assert [text for text in told if text not in done.stderr] == []
    assert re.search(r"^[1-9]\d* wrong answers, \d+ of 5xx", done.stdout, re.MULTILINE)


LOGGING = """
from applications import create_checked

answer = create_checked()

def app(environ, start_response):
    if environ["PATH_INFO"] != "/blocks":
        environ["wsgi.errors"].write("ERROR of mine\\n")
    return answer(environ, start_response)
"""


def test_a_soak_whose_worker_logs_errors_fails(tmp_path: Path) -> None:
    (tmp_path / "logging_app.py").write_text(LOGGING, encoding="utf-8")
    done = run("soak.py", "--requests", "20", "--application", "logging_app:app", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["ERROR of mine"] * 10
    verdict = "0 wrong answers, 0 of 5xx among them; 20 errors in the worker's log."
    assert done.stdout.splitlines()[-1] == verdict


@pytest.mark.parametrize(
    ("program", "option", "value"),
    [
        ("in_process.py", "--rounds", "1"),
        ("in_process.py", "--batch", "many"),
        ("in_process.py", "--node", "."),
        ("in_process.py", "--rows", "no such row"),
        ("under_gunicorn.py", "--pairs", "0"),
        ("live.py", "--rounds", "0"),
        ("growth.py", "--requests", "63"),
        ("footprint.py", "--runs", "-1"),
        ("soak.py", "--requests", "9"),
        ("local_clerk.py", "--runs", "0"),
    ],
)
def test_what_cannot_be_measured_is_refused(program: str, option: str, value: str) -> None:
    done = run(program, option, value)
    assert done.returncode == 2
    assert f"usage: {program}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_file_that_tells_how_to_read_them_names_each() -> None:
    text = (BENCHMARKS / "README.md").read_text("utf-8")
    programs = {path.name for path in BENCHMARKS.glob("*.py")}
    assert set(PROGRAMS) <= programs
    assert {name for name in programs if f"`{name}`" not in text} == set()
