"""The demo as a user runs it: real processes, and the printed lines pasted into a shell."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urljoin, urlsplit

import jwt
import pytest
import requests

from .processes import PROJECT, TIMEOUT, Running, clean_environ, descendants, survivors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers

CURL = re.compile(r"^# (.+)\n(curl .+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The demo on free ports, in a directory full of other people's settings."""
    cwd = tmp_path_factory.mktemp("project")
    (cwd / "gunicorn.conf.py").write_text("raise SystemExit('not for the demo')")
    (cwd / ".env").write_text("CLERK_JWT_KEY=nonsense\nCLERK_API_URL=http://192.0.2.1\n")
    environ = {
        "CLERK_SECRET_KEY": "sk_live_of_somebody",
        "CLERK_PUBLISHABLE_KEY": "nonsense",
        "GUNICORN_CMD_ARGS": "--nonsense",
        "WEB_CONCURRENCY": "1",
    }
    with Running("demo", "--port", "0", cwd=cwd, environ=environ) as running:
        running.wait_for("^Decisions:$")
        yield running


def lines_of(demo: Running) -> dict[str, str]:
    """The lines to paste, by what they stand for."""
    return {title.partition(":")[0]: line for title, line in CURL.findall(demo.output)}


def token_in(line: str) -> str:
    match = re.search("Bearer ([^']+)'", line)
    assert match
    return match[1]


def paste(line: str) -> tuple[str, str]:
    """Run a line in a shell as it was printed; return the status line and the body."""
    answer = subprocess.run(
        line, shell=True, check=True, capture_output=True, text=True, timeout=TIMEOUT
    )
    head, _, body = answer.stdout.replace("\r\n", "\n").partition("\n\n")
    return head, body


def family_of(demo: Running) -> set[int]:
    """The processes of gunicorn: the first of them, and two workers."""
    end = time.monotonic() + TIMEOUT
    while len(family := descendants(demo.process.pid)) < 3:
        assert time.monotonic() < end, family
        time.sleep(0.02)
    return family


def settled_output(demo: Running) -> str:
    """The output with the lines of all requests so far; those of one worker may take their time."""
    url = lines_of(demo)["signed out"].split()[-1]
    path = f"/settled-{secrets.token_hex(4)}"
    paste(f"curl -sSi {url.rstrip('/')}{path}")
    demo.wait_for(rf"^GET {path} -> .+\n\Z")
    return demo.output


def test_it_prints_three_lines_to_paste(demo: Running) -> None:
    assert lines_of(demo).keys() == {"signed in", "signed out", "forged"}


def test_signed_in_is_200_with_the_user(demo: Running) -> None:
    line = lines_of(demo)["signed in"]
    claims = jwt.decode(token_in(line), options={"verify_signature": False})
    head, body = paste(line)
    assert head.startswith("HTTP/1.1 200 ")
    assert claims["sub"] in body
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("title", ["signed out", "forged"])
def test_anybody_else_is_401_without_a_body(demo: Running, title: str) -> None:
    head, body = paste(lines_of(demo)[title])
    assert head.startswith("HTTP/1.1 401 ")
    assert "\nContent-Length: 0" in head
    assert body == ""


def test_the_forged_token_is_the_same_but_for_the_signature(demo: Running) -> None:
    lines = lines_of(demo)
    genuine, forged = token_in(lines["signed in"]), token_in(lines["forged"])
    assert genuine != forged
    assert genuine.rpartition(".")[0] == forged.rpartition(".")[0]


def test_every_decision_is_one_line_and_no_token(demo: Running) -> None:
    before = len(settled_output(demo))
    lines = lines_of(demo)
    user = jwt.decode(token_in(lines["signed in"]), options={"verify_signature": False})["sub"]
    for title, decision in (
        ("signed in", rf"GET / -> signed-in \({user}\)"),
        ("signed out", r"GET / -> signed-out \(dev-browser-missing\)"),
        ("forged", r"GET / -> signed-out \(token-invalid-signature\)"),
    ):
        so_far = len(demo.output)
        paste(lines[title])
        demo.wait_for(rf"\A(?s:.{{{so_far}}}){decision}\n\Z")
    logged = demo.output[before:]
    assert logged.count("\n") == 3
    assert "eyJ" not in logged


def test_a_path_cannot_write_lines_of_its_own(demo: Running) -> None:
    so_far = len(settled_output(demo))
    url = lines_of(demo)["signed out"].split()[-1]
    paste(f"curl -sSi {url}%0AGET%20/")
    demo.wait_for(rf"\A(?s:.{{{so_far}}})GET /%0AGET%20/ -> signed-out \(.+\)\n\Z")


# In a browser


class Browser(requests.Session):
    """Loads pages, follows redirects and keeps cookies; it has no JavaScript."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["Accept"] = "text/html,application/xhtml+xml,*/*;q=0.8"
        self.headers["Sec-Fetch-Dest"] = "document"

    def send_form(self, page: requests.Response, **fields: str) -> requests.Response:
        """Fill in the form of a page and send it to where the page is, as forms without action."""
        token = re.search('name="form_token" value="([^"]+)"', page.text)
        assert token
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
        data = {"form_token": token[1], **fields}
        return self.post(page.url, data=data, headers={"Origin": origin}, timeout=TIMEOUT)


def introduced(demo: Running) -> tuple[str, dict[str, str]]:
    """The page to open, and what to enter in the form."""
    match = re.search(r"^  (http://\S+)  as (\S+), password (\S+)$", demo.output, re.MULTILINE)
    assert match
    return match[1], {"identifier": match[2], "password": match[3]}


def link_on(page: requests.Response, text: str) -> str:
    match = re.search(f'href="([^"]+)">{text}</a>', page.text)
    assert match
    return str(urljoin(page.url, match[1].replace("&amp;", "&")))


def test_a_browser_signs_in_and_out_without_javascript(demo: Running) -> None:
    home, ada = introduced(demo)
    with Browser() as browser:
        page = browser.get(home, timeout=TIMEOUT)
        assert "nobody is signed in" in page.text
        form = browser.get(link_on(page, "Sign in"), timeout=TIMEOUT)
        page = browser.send_form(form, **ada)
        assert (page.url, page.status_code) == (home, 200)
        assert "Signed in as <strong>Ada Lovelace</strong>" in page.text
        private = browser.get(link_on(page, "Private"), timeout=TIMEOUT)
        assert re.search("<dd>user_[A-Za-z0-9]{27}</dd>", private.text)
        asked = browser.get(link_on(private, "Sign out"), timeout=TIMEOUT)
        page = browser.send_form(asked)
        assert (page.url, page.status_code) == (home, 200)
        assert "nobody is signed in" in page.text


def test_a_page_load_of_the_private_page_leads_to_the_sign_in_page_and_back(demo: Running) -> None:
    home, ada = introduced(demo)
    private = home.removesuffix("home")
    with Browser() as browser:
        form = browser.get(private, timeout=TIMEOUT)
        assert urlsplit(form.url).path == "/sign-in"
        assert parse_qs(urlsplit(form.url).query)["redirect_url"] == [private]
        page = browser.send_form(form, **ada)
        assert (page.url, page.status_code) == (private, 200)
        assert "Signed in as <strong>Ada Lovelace</strong>" in page.text
        missing = browser.get(f"{private}missing", timeout=TIMEOUT)
        assert missing.status_code == 404


def accounts_of(demo: Running) -> dict[str, str]:
    """The passwords of all who can sign in, as they are told."""
    told = demo.output[demo.output.index("All who can sign in") : demo.output.index("Paste these")]
    return dict(re.findall(r"^  (\S+), password (\S+) {2,}\S+ \S+, .+$", told, re.MULTILINE))


def test_it_tells_of_several_people_and_each_can_sign_in(demo: Running) -> None:
    home, _ = introduced(demo)
    accounts = accounts_of(demo)
    assert len(accounts) == 3
    for identifier, password in accounts.items():
        with Browser() as browser:
            form = browser.get(home.removesuffix("home"), timeout=TIMEOUT)
            page = browser.send_form(form, identifier=identifier, password=password)
            assert page.url == home.removesuffix("home")
            assert "<dt>Organization</dt><dd>none, this is the personal account</dd>" in page.text


def test_whom_the_seed_has_locked_is_neither_told_of_nor_let_in(demo: Running) -> None:
    seed = (PROJECT / "clerk_wsgi" / "demo" / "seed.toml").read_text("utf-8")
    locked = re.search(r'"(charles@\S+)"[^[]*password = "(\S+)"\nlocked = true', seed)
    assert locked
    assert "charles" not in demo.output
    with Browser() as browser:
        form = browser.get(introduced(demo)[0].removesuffix("home"), timeout=TIMEOUT)
        page = browser.send_form(form, identifier=locked[1], password=locked[2])
        assert page.status_code == 403
        assert "This account is locked" in page.text


def test_a_browser_chooses_an_organization_and_has_its_role(demo: Running) -> None:
    home, ada = introduced(demo)
    with Browser() as browser:
        page = browser.send_form(browser.get(home[:-4], timeout=TIMEOUT), **ada)
        assert "Permissions" not in page.text
        assert "Bernoulli numbers" in page.text
        form = browser.get(link_on(page, "Choose an organization"), timeout=TIMEOUT)
        value = re.search('value="(org_[^"]+)"[^>]*>(?:(?!</button>).)*Analytical', form.text)
        assert value
        page = browser.send_form(form, organization_id=value[1])
        assert page.url == home[:-4]
        assert "<dd>analytical-society, as org:admin</dd>" in page.text
        assert "<dd>org:invoices:read, org:invoices:pay</dd>" in page.text


def test_another_organization_than_ones_own_cannot_be_chosen(demo: Running) -> None:
    home, _ = introduced(demo)
    alan = "alan@example.com"
    with Browser() as browser:
        form = browser.get(home, timeout=TIMEOUT)
        form = browser.get(link_on(form, "Sign in"), timeout=TIMEOUT)
        page = browser.send_form(form, identifier=alan, password=accounts_of(demo)[alan])
        form = browser.get(link_on(page, "Choose an organization"), timeout=TIMEOUT)
        assert "Analytical Society" not in form.text
        claims = jwt.decode(
            token_in(lines_of(demo)["signed in"]), options={"verify_signature": False}
        )
        refused = browser.send_form(form, organization_id=claims["o"]["id"])
        assert refused.status_code == 422
        page = browser.get(home, timeout=TIMEOUT)
        assert "none, this is the personal account" in page.text


def test_two_accounts_in_one_browser_are_chosen_between(demo: Running) -> None:
    home, ada = introduced(demo)
    grace = "grace@example.com"
    with Browser() as browser:
        page = browser.send_form(browser.get(home[:-4], timeout=TIMEOUT), **ada)
        choice = browser.get(link_on(page, "Use another account"), timeout=TIMEOUT)
        form = browser.get(link_on(choice, "Add another account"), timeout=TIMEOUT)
        page = browser.send_form(form, identifier=grace, password=accounts_of(demo)[grace])
        assert "Signed in as <strong>Grace Hopper</strong>" in page.text
        choice = browser.get(link_on(page, "Use another account"), timeout=TIMEOUT)
        session = re.search('"session_id" value="([^"]+)"[^>]*>(?:(?!</button>).)*Ada', choice.text)
        assert session
        # People take longer than the two seconds for which redirects are counted.
        del browser.cookies["__clerk_redirect_count"]
        page = browser.send_form(choice, session_id=session[1])
        assert "Signed in as <strong>Ada Lovelace</strong>" in page.text


def test_a_wrong_password_opens_nothing(demo: Running) -> None:
    home, ada = introduced(demo)
    with Browser() as browser:
        form = browser.get(home.removesuffix("home"), timeout=TIMEOUT)
        page = browser.send_form(form, identifier=ada["identifier"], password="wrong")
        assert page.status_code == 422
        assert "Password is incorrect" in page.text
        again = browser.get(home, timeout=TIMEOUT)
        assert "nobody is signed in" in again.text


@pytest.mark.parametrize("path", ["", "missing"])
def test_what_is_no_page_load_is_refused_and_not_sent_anywhere(demo: Running, path: str) -> None:
    url = introduced(demo)[0].removesuffix("home") + path
    with Browser() as browser:
        posted = browser.post(url, timeout=TIMEOUT, allow_redirects=False)
        fetched = browser.get(
            url,
            headers={"Accept": "*/*", "Sec-Fetch-Dest": "empty"},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
    for answer in (posted, fetched):
        assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    with Running("demo", "--port", "0", cwd=tmp_path) as demo:
        demo.wait_for("^Decisions:$")
        paste(lines_of(demo)["signed in"])
        family = family_of(demo)
        demo.process.send_signal(number)
        assert demo.process.wait(TIMEOUT) == 0
        assert survivors(family) == set()  # at once: nothing is left to the system
        demo.wait()
        assert "Traceback" not in demo.output
        assert demo.output.endswith("Stopping.\n")


def test_a_demo_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    if sys.platform != "linux":  # only Linux tells a child that its parent died
        return
    with Running("demo", "--port", "0", cwd=tmp_path) as demo:
        demo.wait_for("^Decisions:$")
        paste(lines_of(demo)["signed in"])
        family = family_of(demo)
        demo.process.kill()
        end = time.monotonic() + TIMEOUT / 2
        while (left := survivors(family)) and time.monotonic() < end:
            time.sleep(0.05)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert left == set()


def test_gunicorn_that_ends_ends_the_demo(tmp_path: Path) -> None:
    with Running("demo", "--port", "0", cwd=tmp_path) as demo:
        demo.wait_for("^Decisions:$")
        paste(lines_of(demo)["signed out"])
        family = family_of(demo)
        os.kill(min(family), signal.SIGTERM)
        assert demo.wait() == 1
        assert "gunicorn ended by itself" in demo.output
        assert survivors(family) == set()


@pytest.mark.parametrize("option", ["--port", "--emulator-port"])
def test_a_port_in_use_is_one_clear_line(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        arguments = {"--port": "0", "--emulator-port": "0", option: port}
        flat = [word for pair in arguments.items() for word in pair]
        with Running("demo", *flat, cwd=tmp_path) as demo:
            assert demo.wait() == 2
    assert re.fullmatch(
        f"clerk-wsgi demo: cannot listen on 127.0.0.1 port {port}: Address already in use\n",
        demo.output,
    )


def test_without_gunicorn_it_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['gunicorn'] = None; from clerk_wsgi.cli import main;"
        "sys.exit(main(['demo', '--port', '0']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=clean_environ(),
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        'clerk-wsgi demo: the demo needs gunicorn: pip install "clerk-wsgi[demo]"\n'
    )
