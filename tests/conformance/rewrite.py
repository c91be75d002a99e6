"""Write ``deviations.tsv`` anew after a decision was changed on purpose.

Run ``python -m tests.conformance.rewrite`` and read the difference before it is committed: rows
keep their rule, stale ones go, and a new one has ``?`` for a rule until somebody names it.
"""

from __future__ import annotations

from .comparison import Row, differences, read_rows, row_of
from .replay import DATA, decide, read_cases


def rewrite() -> None:
    rules = {row.case: row.rule for row in read_rows()}
    rows = [Row(*Row._fields)]
    for case in read_cases():
        name, found = case["name"], decide(case)
        if differences(case, found):
            rows.append(row_of(name, rules.get(name, "?"), found))
    lines = ("\t".join(row) + "\n" for row in rows)
    (DATA / "deviations.tsv").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
