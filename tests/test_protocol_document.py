"""docs/protocol.md is what the code cites: headings, rules, reasons and links are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conformance.comparison import read_rows
from .conformance.replay import read_cases

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "protocol.md"
TEXT = DOCUMENT.read_text("utf-8")
HEADINGS = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
SOURCES = sorted(
    path for folder in ("clerk_wsgi", "tests") for path in (ROOT / folder).rglob("*.py")
)
EXPIRED = "session-token-expired-refresh-"


def prose_of(path: Path) -> str:
    """A file without the line ends and comment signs that a citation may run over."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", path.read_text("utf-8"))


def citations() -> set[str]:
    """The headings that docstrings and comments name after the document, in double quotes."""
    found: set[str] = set()
    for path in SOURCES:
        for cited in re.findall(r'protocol\.md,((?: and)?(?: "[^"]+",?)+)', prose_of(path)):
            found.update(re.findall(r'"([^"]+?),?"', cited))
    return found


def anchor_of(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def test_every_heading_that_is_cited_is_there() -> None:
    plain = {re.sub(r"^[0-9]+\. ", "", heading) for heading in HEADINGS}
    cited = citations()
    assert {"Keys", "Reasons", "Resolving a handshake"} <= cited
    assert cited <= plain


def test_every_step_that_is_cited_is_there() -> None:
    steps = set(re.findall(r"^\| ([0-9]+) \|", TEXT.partition("## 4.")[2], re.MULTILINE))
    for path in (ROOT / "clerk_wsgi").glob("*.py"):
        for cited in re.findall(r"[Ss]teps? ([0-9]+)(?: (?:to|and) ([0-9]+))?", prose_of(path)):
            assert set(filter(None, cited)) <= steps, path


def test_every_rule_has_one_row() -> None:
    rows = re.findall(r"^\| (D[0-9]+) \| ([SRW]) \| .+ \| .+ \|$", TEXT, re.MULTILINE)
    assert [name for name, _ in rows] == [f"D{number}" for number in range(1, 29)]


def test_every_rule_that_is_cited_is_there() -> None:
    rules = set(re.findall(r"^\| (D[0-9]+) \|", TEXT, re.MULTILINE))
    rules.update(re.findall(r"^([0-9]+)\. ", TEXT.partition("## Safety rules")[2], re.MULTILINE))
    for path in SOURCES:
        for cited in re.findall(r"\b[Rr]ules? ((?:D?[0-9]+(?:, | and )?)+)", prose_of(path)):
            assert set(re.findall(r"D?[0-9]+", cited)) <= rules, path


def test_every_reason_that_a_case_ends_in_is_named() -> None:
    rows = {row.case: row.reason for row in read_rows()}
    reasons = {rows.get(case["name"], case["expect"].get("reason")) for case in read_cases()}
    ours = {reason for reason in reasons if reason and not reason.startswith(EXPIRED)}
    assert len(ours) > 20
    assert ours - {"-"} <= set(re.findall(r"`([^`]+)`", TEXT))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", TEXT))))
def test_every_link_leads_somewhere(target: str) -> None:
    path, _, anchor = target.partition("#")
    if path:
        assert (DOCUMENT.parent / path).exists()
    else:
        assert anchor in {anchor_of(heading) for heading in HEADINGS}
