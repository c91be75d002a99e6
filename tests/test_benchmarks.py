"""The benchmarks can be run; how long anything takes is not tested."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from .processes import PROJECT, TIMEOUT, clean_environ

pytestmark = pytest.mark.servers


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT / "benchmarks",
        env=clean_environ(),
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


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
    assert (done.returncode, done.stderr) == (0, "")
    first, _, table = done.stdout.partition("\n\n")
    assert re.fullmatch(r"One bare verification: \d+\.\d µs \(median\)", first)
    head, _, *rows = table.splitlines()
    assert head == "| request | × a verification | quartiles | µs |"
    assert len(rows) == 12
    assert all(
        re.fullmatch(r"\| [^|]+ \| [\d.]+ \| -?[\d.]+ – [\d.]+ \| [\d.]+ \|", row) for row in rows
    )


@pytest.mark.parametrize("rounds", ["0", "1", "many"])
def test_too_few_rounds_are_refused(rounds: str) -> None:
    done = run("in_process.py", "--rounds", rounds)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: in_process.py" in done.stderr


@pytest.mark.parametrize("runs", ["0", "-1", "many"])
def test_no_runs_are_refused(runs: str) -> None:
    done = run("local_clerk.py", "--runs", runs)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: local_clerk.py" in done.stderr


def test_the_file_that_tells_how_to_read_them_names_each() -> None:
    folder = PROJECT / "benchmarks"
    text = (folder / "README.md").read_text("utf-8")
    programs = {path.name for path in folder.glob("*.py")}
    assert programs
    assert {name for name in programs if f"`{name}`" not in text} == set()
