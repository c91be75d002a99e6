"""docs/frameworks/django.md tells the truth: its code makes a project that does what is said."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from clerk_wsgi.gate import AnswerOptions
from clerk_wsgi.testing import plugin

from ..processes import TIMEOUT, Running, clean_environ
from ..test_readme import codes_in, rows_of, text_of
from . import django_page_suite

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = "docs/frameworks/django.md"
# A file's code, or a part of it: its first line says which.
PART = re.compile(
    r"^```(?:python|html)\n(?:# |<!-- )(?P<file>\S+)(?: -->)?\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PARTS = [(match["file"], match["code"]) for match in PART.finditer(text_of(PAGE))]
FIRST = 2  # parts that make the first project
# What pytest-django does before the tests, too.
RUN_TESTS = f"""
import django, pytest
from django.test.utils import setup_test_environment
django.setup()
setup_test_environment()
options = ["-q", "-p", "no:clerk_wsgi", "-p", "{plugin.__name__}", "-p", "no:cacheprovider"]
raise SystemExit(pytest.main([*options, "tests"]))
"""
READY = r"^Ctrl-C stops everything\.$"


def run(*arguments: str, cwd: Path) -> str:
    """Run Python in a project, and return what it prints; the test fails if it does."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=clean_environ(DJANGO_SETTINGS_MODULE="mysite.settings"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def project_of(parts: Iterable[tuple[str, str]], directory: Path) -> Path:
    """Return the project that Django makes, with parts of the page in it."""
    run("-m", "django", "startproject", "mysite", ".", cwd=directory)
    (directory / "mysite" / "urls.py").unlink()
    for file, code in parts:
        path = directory / file
        path.parent.mkdir(exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(before + code, encoding="utf-8")
    return directory


def test_every_part_says_where_it_belongs() -> None:
    assert len(PARTS) == len(re.findall(r"^```(?:python|html)$", text_of(PAGE), re.MULTILINE))
    assert {file for file, _ in PARTS[:FIRST]} == {"mysite/settings.py", "mysite/urls.py"}


@pytest.mark.servers
def test_the_first_project_is_protected_after_one_command(tmp_path: Path) -> None:
    project = project_of(PARTS[:FIRST], tmp_path)
    command = re.findall(r"^clerk-wsgi (run .*)$", text_of(PAGE), re.MULTILINE)
    assert len(command) == 1
    with Running(*command[0].split(), "--port", "0", cwd=project) as running:
        running.wait_for(READY)
        url = running.wait_for(r"^The application:  (http://127\.0\.0\.1:\d+)/ ")[1]
        token = running.wait_for(r"^(ey\S+)$")[1]
        bearer = {"Authorization": f"Bearer {token}"}
        assert requests.get(f"{url}/", timeout=30).json() == {"signed_in": False}
        assert requests.get(f"{url}/me", timeout=30).status_code == 401
        assert requests.get(f"{url}/me", headers=bearer, timeout=30).json()["user_id"]
        browser = requests.get(f"{url}/me", headers={"Accept": "text/html"}, timeout=30)
        assert "/sign-in?redirect_url=" in browser.url  # by way of a handshake


@pytest.mark.servers
def test_the_whole_project_does_what_is_said(tmp_path: Path) -> None:
    project = project_of(PARTS, tmp_path)
    suite = Path(django_page_suite.__file__).read_text(encoding="utf-8")
    (project / "tests" / "test_suite.py").write_text(suite, encoding="utf-8")
    run("manage.py", "migrate", cwd=project)
    assert "Ran 1 test" in run("manage.py", "test", "mysite", cwd=project)
    passed = count_of(suite) + count_of(dict(PARTS)["tests/test_pages.py"])
    assert re.search(rf"^{passed} passed", run("-c", RUN_TESTS, cwd=project), re.MULTILINE)


def count_of(suite: str) -> int:
    """How many tests pytest makes of a suite, which tables multiply."""
    functions = [node for node in ast.parse(suite).body if isinstance(node, ast.FunctionDef)]
    rows = suite.count("}, {")
    return sum(one.name.startswith("test_") for one in functions) + rows


def test_every_option_is_in_the_table_and_no_other() -> None:
    named = {name for row in rows_of("Settings", PAGE, columns=3) for name in codes_in(row[0])}
    assert named == AnswerOptions.__annotations__.keys() | {"on_error", "instance"}
