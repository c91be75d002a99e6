"""Where the browser side of an instance lives, and which pages are Clerk's own."""

from __future__ import annotations

from typing import Any

import pytest

from clerk_wsgi import Clerk
from clerk_wsgi.frontend import FrontendApi

from .minting import PUBLISHABLE_LIVE, PUBLISHABLE_TEST
from .requesting import load, location_of, parameters_of

ORIGIN = "https://app.test"
LIVE = FrontendApi(host="clerk.example.com", development=False)
DEV = FrontendApi(host="happy-emu-1.clerk.accounts.dev", development=True)


def frontend_of(**settings: Any) -> FrontendApi | None:
    return FrontendApi.of(Clerk(secret_key="sk_x", dotenv=False, **settings).settings)


# The Frontend API


def test_without_a_publishable_key_there_is_none() -> None:
    assert frontend_of() is None
    assert frontend_of(proxy_url="https://proxy.test/") is None


@pytest.mark.parametrize(
    ("settings", "host", "base"),
    [
        (
            {"publishable_key": PUBLISHABLE_LIVE},
            "clerk.example.com",
            "https://clerk.example.com/",
        ),
        (
            {"publishable_key": PUBLISHABLE_TEST},
            "happy-emu-1.clerk.accounts.dev",
            "https://happy-emu-1.clerk.accounts.dev/",
        ),
        # A satellite in production lives on its own domain, one in development does not.
        (
            {"publishable_key": PUBLISHABLE_LIVE, "is_satellite": True, "domain": "sat.test"},
            "clerk.sat.test",
            "https://clerk.sat.test/",
        ),
        (
            {
                "publishable_key": PUBLISHABLE_TEST,
                "is_satellite": True,
                "domain": "sat.test",
                "sign_in_url": "https://primary.test/sign-in",
            },
            "happy-emu-1.clerk.accounts.dev",
            "https://happy-emu-1.clerk.accounts.dev/",
        ),
        (
            {"publishable_key": PUBLISHABLE_LIVE, "domain": "sat.test"},
            "clerk.example.com",
            "https://clerk.example.com/",
        ),
        # A proxy changes where it is reached, not what its tokens say.
        (
            {"publishable_key": PUBLISHABLE_LIVE, "proxy_url": "https://app.test/__clerk"},
            "clerk.example.com",
            "https://app.test/__clerk/",
        ),
    ],
)
def test_it_follows_from_the_settings(settings: dict[str, Any], host: str, base: str) -> None:
    frontend = frontend_of(**settings)
    assert frontend is not None
    assert (frontend.host, frontend.base_url(ORIGIN)) == (host, base)


@pytest.mark.parametrize(
    ("proxy_url", "base"),
    [
        ("https://proxy.test", "https://proxy.test/"),
        ("https://proxy.test///", "https://proxy.test/"),
        ("https://proxy.test/__clerk", "https://proxy.test/__clerk/"),
        ("https://proxy.test/__clerk//", "https://proxy.test/__clerk/"),
        ("http://127.0.0.1:5555/x/", "http://127.0.0.1:5555/x/"),
        ("/__clerk", "https://app.test/__clerk/"),
        ("/", "https://app.test/"),
        # What follows a question mark, and the last segment before it, is not part of a base.
        ("https://proxy.test/a/b?x=1", "https://proxy.test/a/"),
        ("/a/b?x=1/", "https://app.test/a/"),
        ("https://proxy.test/a/b#x", "https://proxy.test/a/"),
        ("https://proxy.test?x", "https://proxy.test/"),
        ("https://proxy.test/X", "https://proxy.test/X/"),
    ],
)
def test_the_base_of_its_addresses_ends_in_one_slash(proxy_url: str, base: str) -> None:
    frontend = FrontendApi(host="clerk.example.com", development=False, proxy_url=proxy_url)
    assert frontend.base_url(ORIGIN) == base


@pytest.mark.parametrize("host", ["app.test", "other.test:8443"])
def test_a_proxy_that_is_a_path_is_on_the_requests_own_origin(host: str) -> None:
    clerk = Clerk(
        secret_key="sk_x", publishable_key=PUBLISHABLE_LIVE, proxy_url="/__clerk", dotenv=False
    )
    state = clerk.authenticate(load("", "__client_uat=1", HTTP_HOST=host))
    url = location_of(state) or ""
    assert url.startswith(f"https://{host}/__clerk/v1/client/handshake?")
    assert parameters_of(url)["redirect_url"] == f"https://{host}/p"


# The account pages


@pytest.mark.parametrize(
    ("host", "accounts"),
    [
        ("clerk.example.com", "https://accounts.example.com"),
        ("happy-emu-1.clerk.accounts.dev", "https://happy-emu-1.accounts.dev"),
        (
            "clerk.included.katydid-92.lcl.dev",
            "https://accounts.included.katydid-92.lcl.dev",
        ),
        ("happy-emu-1.clerk.accountsstage.dev", "https://happy-emu-1.accountsstage.dev"),
        ("clerk.clerk.example.com", "https://accounts.clerk.example.com"),
        ("example.com", "https://example.com"),
    ],
)
def test_the_account_pages_are_next_to_the_frontend_api(host: str, accounts: str) -> None:
    assert FrontendApi(host=host, development=False).accounts_url == accounts


# Referrers


@pytest.mark.parametrize(
    "referrer",
    [
        "https://clerk.example.com",
        "https://clerk.example.com/",
        "http://clerk.example.com:99/x",
        "https://CLERK.example.com/",
        "https://accounts.example.com/sign-in?x=1",
        "https://accounts.example.com:443/",
    ],
)
@pytest.mark.parametrize("development", [False, True])
def test_a_page_of_the_instance_is_clerks(referrer: str, development: bool) -> None:
    frontend = FrontendApi(host="clerk.example.com", development=development)
    assert frontend.is_known_referrer(referrer, ORIGIN)


@pytest.mark.parametrize(
    "referrer",
    [
        "",
        "clerk.example.com",
        "//clerk.example.com/",
        "https://example.com/",
        "https://clerk.example.com.evil.test/",
        "https://evil.test/clerk.example.com",
        "https://clerk.example.com@evil.test/",
        "https://xclerk.example.com/",
        "https://accounts.example.com:8443/",
        "http://accounts.example.com/",
        "https://accounts.example.com.evil.test/",
        "ftp://clerk.example.com/",
        "https://[",
        "https://clerk.example.com:x/",
    ],
)
@pytest.mark.parametrize("development", [False, True])
def test_any_other_page_is_not(referrer: str, development: bool) -> None:
    frontend = FrontendApi(host="clerk.example.com", development=development)
    assert not frontend.is_known_referrer(referrer, ORIGIN)


@pytest.mark.parametrize(
    ("proxy_url", "referrer", "is_known"),
    [
        ("https://proxy.test/__clerk", "https://proxy.test/x", True),
        ("https://proxy.test/__clerk", "https://clerk.example.com/", False),
        ("https://proxy.test/__clerk", "https://accounts.example.com/", False),
        ("/__clerk", "https://app.test/x", True),
        ("/__clerk", "https://app.test:8443/x", True),
        ("/__clerk", "https://other.test/x", False),
    ],
)
def test_a_proxy_is_clerk_in_the_place_of_its_host(
    proxy_url: str, referrer: str, is_known: bool
) -> None:
    frontend = FrontendApi(host="clerk.example.com", development=False, proxy_url=proxy_url)
    assert frontend.is_known_referrer(referrer, ORIGIN) is is_known


PORTALS = [
    "accounts.happy.emu-1.lcl.dev",
    "accounts.happy.emu-1.lclstage.dev",
    "accounts.happy.emu-1.lclclerk.com",
    "other-9.accounts.dev",
    "other-9.accountsstage.dev",
    "other-9.accounts.lclclerk.com",
]


@pytest.mark.parametrize("host", PORTALS)
def test_in_development_any_account_portal_is_clerks(host: str) -> None:
    assert DEV.is_known_referrer(f"https://{host}/sign-in", ORIGIN)
    assert not LIVE.is_known_referrer(f"https://{host}/sign-in", ORIGIN)


@pytest.mark.parametrize(
    "host",
    [
        "other-9.clerk.accounts.dev",
        "other-9.clerk.accountsstage.dev",
        "other-9.clerk.accounts.lclclerk.com",
        "accounts.dev",
        "lcl.dev",
        "happy.lcl.dev",
        "xaccounts.happy.lcl.dev",
        "accounts.happy.lcl.dev.evil.test",
        "other-9.accounts.dev.evil.test",
        "other-9.accounts.devx",
        "xaccounts.dev",
    ],
)
def test_a_frontend_api_or_a_near_name_is_no_account_portal(host: str) -> None:
    assert not DEV.is_known_referrer(f"https://{host}/", ORIGIN)
