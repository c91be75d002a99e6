"""Where people sign in and out: Clerk's pages, pages of one's own, and those of a local Clerk."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from clerk_wsgi import Clerk, ConfigurationError
from clerk_wsgi.address import with_parameter
from clerk_wsgi.serving.process import local_environ
from clerk_wsgi.settings import Settings
from clerk_wsgi.testing import start_emulator

from .minting import PUBLISHABLE_LIVE, PUBLISHABLE_TEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clerk_wsgi.testing import RunningEmulator

BACK = "https://app.test/a%20b?c=d&e=%2F#f"
PAGES = ("sign_in_url", "sign_up_url", "account_url", "sign_out_url")
SATELLITE = {
    "is_satellite": True,
    "domain": "sat.test",
    "sign_in_url": "https://primary.test/sign-in",
}


def clerk(**given: Any) -> Clerk:
    keys = {"secret_key": "sk_test_1", "publishable_key": PUBLISHABLE_LIVE}
    return Clerk(dotenv=False, **{**keys, **given})


def publishable(host: str, prefix: str = "pk_live_") -> str:
    return prefix + base64.b64encode(f"{host}$".encode()).decode()


def url_of(page: str, instance: Clerk, return_to: str | None = None) -> str:
    return str(getattr(instance, page)(return_to))


def parameters(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, keep_blank_values=True)


@pytest.fixture(autouse=True)
def _no_settings_but_those_of_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    for page in PAGES:
        monkeypatch.delenv(f"CLERK_{page.upper()}", raising=False)


# Clerk's pages


@pytest.mark.parametrize(
    ("key", "base"),
    [
        (PUBLISHABLE_TEST, "https://happy-emu-1.accounts.dev"),
        (PUBLISHABLE_LIVE, "https://accounts.example.com"),
        (publishable("clerk.app.example.co.uk"), "https://accounts.app.example.co.uk"),
        (
            publishable("clerk.included.katydid-92.lcl.dev", "pk_test_"),
            "https://accounts.included.katydid-92.lcl.dev",
        ),
        (publishable("x.clerk.accountsstage.dev", "pk_test_"), "https://x.accountsstage.dev"),
        (publishable("frontend.example.com"), "https://frontend.example.com"),
    ],
)
def test_clerks_pages_follow_from_the_publishable_key(key: str, base: str) -> None:
    instance = clerk(publishable_key=key)
    assert instance.sign_in_url() == f"{base}/sign-in"
    assert instance.sign_up_url() == f"{base}/sign-up"
    assert instance.account_url() == f"{base}/user"


def test_neither_a_proxy_nor_a_domain_changes_clerks_pages() -> None:
    instance = clerk(proxy_url="https://app.test/__clerk", domain="sat.test")
    assert instance.sign_in_url() == "https://accounts.example.com/sign-in"
    satellite = clerk(is_satellite=True, domain="sat.test")
    assert satellite.sign_in_url() == "https://accounts.example.com/sign-in"


def test_clerk_has_no_page_for_signing_out() -> None:
    with pytest.raises(ConfigurationError, match="^sign_out_url is not set: .*CLERK_SIGN_OUT_URL"):
        clerk().sign_out_url()


@pytest.mark.parametrize("page", PAGES)
def test_without_key_and_setting_there_is_no_page_and_the_error_says_what_to_set(
    page: str,
) -> None:
    variable = f"CLERK_{page.upper()}"
    with pytest.raises(ConfigurationError, match=f"^{page} is not set: .* {variable}[;,] "):
        url_of(page, clerk(publishable_key=""))


# Pages of one's own


@pytest.mark.parametrize("own", ["/hello", "https://app.test/hello?theme=dark#top"])
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("key", ["", PUBLISHABLE_LIVE])
def test_a_setting_goes_before_clerks_page(page: str, own: str, key: str) -> None:
    assert url_of(page, clerk(publishable_key=key, **{page: own})) == own


@pytest.mark.parametrize(
    ("sign_in", "sign_up"),
    [
        ("/sign-in", "/sign-in/create"),
        ("/", "/create"),
        ("/sign-in/", "/sign-in/create"),
        ("https://app.test", "https://app.test/create"),
        ("https://app.test/in?a=b#c", "https://app.test/in/create?a=b#c"),
        ("https://app.test/#/in?a/b", "https://app.test/create#/in?a/b"),
    ],
)
def test_signing_up_is_part_of_a_sign_in_page_of_ones_own(sign_in: str, sign_up: str) -> None:
    assert clerk(sign_in_url=sign_in).sign_up_url() == sign_up
    assert clerk(sign_in_url=sign_in, sign_up_url="/join").sign_up_url() == "/join"
    assert clerk(sign_in_url=sign_in).account_url() == "https://accounts.example.com/user"


def test_variables_name_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for page in PAGES:
        monkeypatch.setenv(f"CLERK_{page.upper()}", f"/{page}")
    assert [url_of(page, clerk()) for page in PAGES] == [f"/{page}" for page in PAGES]


# The way back


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("own", "rest"),
    [
        ("/page", {}),
        ("https://pages.test", {}),
        ("https://pages.test/in?theme=dark&x=", {"theme": ["dark"], "x": [""]}),
        ("https://pages.test/in?redirect_url=%2Fdefault&a=b", {"a": ["b"]}),
        ("https://pages.test/in?redirect%5Furl=%2Fdefault", {}),
        ("https://pages.test/in?&&a=b&", {"a": ["b"]}),
    ],
)
def test_the_page_is_told_where_it_leads_back_to(
    page: str, own: str, rest: dict[str, list[str]]
) -> None:
    url = url_of(page, clerk(**{page: own}), BACK)
    assert url.startswith(own.partition("?")[0] + "?")
    assert parameters(url) == {**rest, "redirect_url": [BACK]}
    for nothing in (None, ""):
        assert url_of(page, clerk(**{page: own}), nothing) == own


def test_the_way_back_stands_before_the_fragment() -> None:
    url = clerk(sign_in_url="/in?a=b#/c?d").sign_in_url("https://app.test/")
    assert url == "/in?a=b&redirect_url=https%3A%2F%2Fapp.test%2F#/c?d"


@given(st.text())
def test_the_way_back_is_one_parameter_whatever_is_in_it(return_to: str) -> None:
    url = Clerk(
        secret_key="sk_test_1", publishable_key=PUBLISHABLE_TEST, dotenv=False
    ).portal.sign_in_url(return_to)
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    assert url.startswith("https://happy-emu-1.accounts.dev/sign-in")
    expected = [("redirect_url", return_to)] if return_to else []
    assert parse_qsl(urlsplit(url).query) == expected


def test_a_half_of_a_character_does_not_raise() -> None:
    assert clerk().sign_in_url("/\ud800").endswith("redirect_url=%2F%3F")


def test_a_parameter_is_there_once() -> None:
    assert with_parameter("/", "a", "b c") == "/?a=b+c"
    assert with_parameter("/?b=1&a=2&a=3#x?a=4", "a", "5") == "/?b=1&a=5#x?a=4"


# Satellites


def test_a_satellite_is_synced_when_somebody_comes_back() -> None:
    url = clerk(**SATELLITE).sign_in_url("https://sat.test/page?a=b#c")
    assert urlsplit(url).netloc == "primary.test"
    assert parameters(url)["redirect_url"] == ["https://sat.test/page?a=b&__clerk_synced=false#c"]


@pytest.mark.parametrize(
    "return_to", ["https://primary.test/x", "HTTPS://PRIMARY.test:443/x", "/x", "javascript:x"]
)
def test_there_is_nothing_to_sync_on_the_pages_own_origin(return_to: str) -> None:
    url = clerk(**SATELLITE).sign_in_url(return_to)
    assert parameters(url) == {"redirect_url": [return_to]}


def test_nobody_else_is_synced() -> None:
    url = clerk(sign_in_url="https://primary.test/").sign_in_url("https://sat.test/")
    assert parameters(url) == {"redirect_url": ["https://sat.test/"]}


# A local Clerk


@pytest.fixture
def running() -> Iterator[RunningEmulator]:
    with start_emulator() as running:
        yield running


@pytest.mark.servers
def test_with_the_variables_of_a_local_clerk_its_pages_are_the_pages(
    running: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = local_environ(running.emulator, running.url)
    assert {name: environ[name] for name in running.environ} == running.environ
    for name, text in running.environ.items():
        monkeypatch.setenv(name, text)
    local, back = Clerk(dotenv=False), "http://127.0.0.1:8000/page?a=1"
    for page in PAGES:
        url = url_of(page, local, back)
        assert url.startswith(f"{running.url}/")
        answer = requests.get(url, headers={"Accept": "text/html"}, timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"][:9]) == (200, "text/html")
        assert parameters(url) == {"redirect_url": [back]}


@pytest.mark.servers
def test_whoever_signs_in_there_comes_back(running: RunningEmulator) -> None:
    settings: dict[str, Any] = {
        name.removeprefix("CLERK_").lower(): text for name, text in running.environ.items()
    }
    url = Clerk(dotenv=False, **settings).sign_in_url("http://127.0.0.1:8000/page?a=1")
    with requests.Session() as browser:
        page = browser.get(url, timeout=10).text
        token = page.partition('name="form_token" value="')[2].partition('"')[0]
        person = {"identifier": "ada@example.com", "password": "analytical-engine-1843"}
        answer = browser.post(
            url,
            data={"form_token": token, **person},
            headers={"Origin": running.url, "Sec-Fetch-Site": "same-origin"},
            allow_redirects=False,
            timeout=10,
        )
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("http://127.0.0.1:8000/page?a=1&")


def test_the_settings_of_pages_are_those_of_the_methods() -> None:
    assert set(PAGES) <= Settings.__dataclass_fields__.keys()
