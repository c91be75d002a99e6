"""docs/reliability.md tells the truth, and benchmarks/outage.py can be run."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from clerk_wsgi.settings import Settings

from ..processes import PROJECT, TIMEOUT, clean_environ
from ..test_readme import SNIPPET, anchors_of, codes_in, rows_of, text_of
from ..wrapping import App, serve
from .people import K1, SECRET_KEY, token_of
from .rows import HEAD
from .upstream import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers

PAGE = "docs/reliability.md"
MEASURED = "What was measured"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_snippet_has_keys_before_it_is_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = SNIPPET.findall(text_of(PAGE))
    inner = App()
    names: dict[str, Any] = {"app": inner}
    monkeypatch.chdir(tmp_path)
    with running(K1) as upstream:
        monkeypatch.setenv("CLERK_API_URL", upstream.url)
        exec(compile(code.replace("sk_test_yours", SECRET_KEY), "snippet", "exec"), names)
        assert upstream.fetches == 1
    token = token_of(K1, "user_7")
    assert serve(names["app"], HTTP_AUTHORIZATION=f"Bearer {token}").status == "200 OK"
    assert inner.environ["clerk.session"].user_id == "user_7"
    assert serve(names["app"]).status == "401 Unauthorized"


def test_the_settings_have_the_defaults_of_the_table() -> None:
    rows = rows_of("Settings that matter", PAGE, columns=3)
    settings = Settings()
    assert len(rows) == 4
    for name, default, _ in rows:
        value = getattr(settings, codes_in(name)[0])
        assert default == ("–" if value is None else f"`{value:.0f}`")


def test_the_table_is_of_a_run_without_failures() -> None:
    rows = rows_of(MEASURED, PAGE, columns=len(HEAD))
    table = [row for row in rows if row[1].endswith(" kinds")]
    assert len(table) > 15
    for row in table:
        counts = dict(zip(HEAD, row, strict=True))
        assert (counts["failed"], counts["wrong user"]) == ("0", "0")
        assert int(counts["requests"]) > 100


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(PAGE))
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        page = f"docs/{path}" if path else PAGE
        assert (PROJECT / page).exists()
        assert not anchor or anchor in anchors_of(page)


def test_the_plot_is_small_and_has_a_part_for_each_phase() -> None:
    path = PROJECT / "docs" / "images" / "outage.svg"
    assert path.stat().st_size < 60_000
    assert names_in(path) == ["healthy", "slow", "gone", "back", "new key"]


def names_in(path: Path) -> list[str | None]:
    """Return the names of the phases in a plot."""
    texts = ET.parse(path).getroot().iter(f"{SVG}text")
    return [text.text for text in texts if text.get("class") == "name"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "benchmarks/outage.py", *arguments],
        cwd=PROJECT,
        env=clean_environ(),
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


def test_an_outage_is_a_table_of_phases_and_a_plot(tmp_path: Path) -> None:
    plot = tmp_path / "outage.svg"
    done = run("--seconds", "0.3", "--rate", "40", "--plot", str(plot))
    assert (done.returncode, done.stderr) == (0, "")
    row = re.compile(r"^\| ([a-z ]+) \| [^|]+ \| \d+ \| 0 \|(?: [\d.]+ \|){4}$", re.MULTILINE)
    assert row.findall(done.stdout) == names_in(plot) != []


@pytest.mark.parametrize("option", ["--seconds=0", "--rate=many"])
def test_what_cannot_be_measured_is_refused(option: str) -> None:
    done = run(option)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: outage.py" in done.stderr
