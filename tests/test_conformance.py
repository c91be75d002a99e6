"""Recorded decisions of Clerk's own backend package: ours are the same, or a rule says why not.

tests/conformance/README.md says what a case is, docs/protocol.md what the rules are.
"""

from __future__ import annotations

import os

import pytest

from .conformance.comparison import differences, read_rows, row_of
from .conformance.replay import decide, read_cases

CASES = {case["name"]: case for case in read_cases()}
ROWS = {row.case: row for row in read_rows()}
RULES = {f"D{number}" for number in range(1, 29)}


@pytest.fixture(autouse=True)
def _no_settings_but_those_of_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CLERK_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_decided_as_recorded_or_as_its_row_says(name: str) -> None:
    found, row = decide(CASES[name]), ROWS.get(name)
    differing = differences(CASES[name], found)
    if row is None:
        assert not differing, row_of(name, "no rule", found)
    else:
        assert differing, "it is decided as recorded: its row is stale"
        assert row_of(name, row.rule, found) == row


def test_every_row_is_about_one_case_and_names_a_rule() -> None:
    assert ROWS.keys() <= CASES.keys()
    assert len(ROWS) == len(read_rows())
    assert {row.rule for row in ROWS.values()} <= RULES


def test_all_cases_are_there() -> None:
    assert len(CASES) == 4600
