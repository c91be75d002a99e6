"""Several domains in one session: satellites, the primary that answers, links between them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi import Clerk
from clerk_wsgi.cookies import SessionCookies
from clerk_wsgi.frontend import FrontendApi
from clerk_wsgi.handshake import Handshakes, is_sendable
from clerk_wsgi.sync import Satellite, answer_satellite, is_absolute_url, with_parameters

from .minting import (
    ISSUER_TEST,
    NOW,
    PUBLISHABLE_LIVE,
    PUBLISHABLE_TEST,
)
from .requesting import (
    MINTER,
    Asked,
    asked,
    load,
    location_of,
    outcome,
    parameters_of,
    set_cookies_of,
    user_of,
)

NOBODY = SessionCookies()
KNOWN = SessionCookies(client_uat=1)
SYNC = ("handshake", "satellite-needs-syncing")
MISSING = ("signed-out", "session-token-and-uat-missing")
ANSWER = ("handshake", "primary-responds-to-syncing")
HANDSHAKES = Handshakes(FrontendApi(host="clerk.sat.test", development=False), None)
SIGN_IN = "https://primary.test/sign-in"


def satellite(*, auto_sync: bool = False, development: bool = False) -> Satellite:
    return Satellite(auto_sync=auto_sync, development=development, sign_in_url=SIGN_IN)


def page(query: str = "") -> Asked:
    return asked(f"https://sat.test/p?{query}" if query else "https://sat.test/p")


# Step 2: a satellite


@pytest.mark.parametrize(
    ("query", "cookies", "auto_sync", "expected"),
    [
        # Nothing is known of the browser.
        ("", NOBODY, False, MISSING),
        ("", NOBODY, True, SYNC),
        ("__clerk_synced=false", NOBODY, False, SYNC),
        ("__clerk_synced=false", NOBODY, True, SYNC),
        ("__clerk_synced=true", NOBODY, True, None),
        ("__clerk_synced=TRUE", NOBODY, False, MISSING),
        ("__clerk_synced=", NOBODY, False, MISSING),
        ("__clerk_synced=", NOBODY, True, SYNC),
        ("__clerk_synced=1", NOBODY, False, MISSING),
        # Something is.
        ("", KNOWN, True, None),
        ("", SessionCookies(session="x"), True, None),
        ("", SessionCookies(client_uat=0), True, SYNC),
        ("__clerk_synced=false", KNOWN, False, SYNC),
        ("__clerk_synced=true", KNOWN, False, None),
        # The first of several counts.
        ("__clerk_synced=true&__clerk_synced=false", KNOWN, False, None),
        ("__clerk_synced=false&__clerk_synced=true", KNOWN, False, SYNC),
        ("%5F%5Fclerk_synced=false", KNOWN, False, SYNC),
    ],
)
@pytest.mark.parametrize("development", [False, True])
def test_a_satellite_syncs_who_it_does_not_know(
    query: str,
    cookies: SessionCookies,
    auto_sync: bool,
    expected: tuple[str, str] | None,
    development: bool,
) -> None:
    one = satellite(auto_sync=auto_sync, development=development)
    assert outcome(one.sync(page(query), cookies, HANDSHAKES)) == expected


@pytest.mark.parametrize(
    "request_",
    [
        asked("https://sat.test/?__clerk_synced=false", headers={"Sec-Fetch-Dest": "iframe"}),
        asked("https://sat.test/?__clerk_synced=false", headers={"Sec-Fetch-Dest": "empty"}),
        asked("https://sat.test/?__clerk_synced=false", headers={"Accept": "text/html"}),
        asked("https://sat.test/?__clerk_synced=false", headers={}),
        asked("https://sat.test/?__clerk_synced=false", method="POST"),
        asked("https://sat.test/?__clerk_synced=false", method="HEAD"),
    ],
)
@pytest.mark.parametrize("auto_sync", [False, True])
def test_a_satellite_syncs_page_loads_only(request_: Asked, auto_sync: bool) -> None:
    assert satellite(auto_sync=auto_sync).sync(request_, NOBODY, HANDSHAKES) is None


def test_in_production_a_satellite_is_synced_by_a_handshake_of_its_own_domain() -> None:
    state = satellite().sync(page("__clerk_synced=false&a=1"), NOBODY, HANDSHAKES)
    assert state is not None
    url = location_of(state) or ""
    assert url.startswith("https://clerk.sat.test/v1/client/handshake?")
    assert parameters_of(url)["redirect_url"] == "https://sat.test/p?__clerk_synced=false&a=1"


def test_in_development_a_satellite_is_synced_at_the_sign_in_page() -> None:
    state = satellite(development=True).sync(page("__clerk_synced=false&a=1"), NOBODY, HANDSHAKES)
    assert state is not None
    assert location_of(state) == (
        f"{SIGN_IN}?__clerk_redirect_url=https%3A%2F%2Fsat.test%2Fp%3F__clerk_synced%3Dfalse%26a%3D1"
    )
    assert set_cookies_of(state) == ["__clerk_redirect_count=1; SameSite=Lax; HttpOnly; Max-Age=2"]


@pytest.mark.parametrize("development", [False, True])
def test_a_satellite_gives_up_after_three_redirects(development: bool) -> None:
    request = asked(
        "https://sat.test/?__clerk_synced=false", cookies={"__clerk_redirect_count": "3"}
    )
    state = satellite(development=development).sync(request, NOBODY, HANDSHAKES)
    assert outcome(state) == ("signed-out", "satellite-needs-syncing")


# Step 3: the primary


def returning(target: str, **more: str) -> Asked:
    request = asked("https://primary.test/sign-in")
    query = {"__clerk_redirect_url": target, **more}
    return asked(with_parameters(str(request.address), query))


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("https://sat.test/", "https://sat.test/?__clerk_db_jwt=d&__clerk_synced=true"),
        ("https://sat.test", "https://sat.test/?__clerk_db_jwt=d&__clerk_synced=true"),
        ("http://sat.test:3000/a", "http://sat.test:3000/a?__clerk_db_jwt=d&__clerk_synced=true"),
        ("HTTPS://sat.test/a", "https://sat.test/a?__clerk_db_jwt=d&__clerk_synced=true"),
        (
            "https://sat.test/a?b=1&__clerk_synced=false#c",
            "https://sat.test/a?b=1&__clerk_db_jwt=d&__clerk_synced=true#c",
        ),
        ("http://[::1]:3000/", "http://[::1]:3000/?__clerk_db_jwt=d&__clerk_synced=true"),
        # As browsers read them: a backslash is a slash, but not in a query.
        (
            "https://sat.test\\@evil.test/",
            "https://sat.test/@evil.test/?__clerk_db_jwt=d&__clerk_synced=true",
        ),
        (
            "https://sat.test\\a\\b?c=\\d",
            "https://sat.test/a/b?c=%5Cd&__clerk_db_jwt=d&__clerk_synced=true",
        ),
        (
            'https://sat.test/caf\xe9 "<>',
            "https://sat.test/caf%C3%A9%20%22%3C%3E?__clerk_db_jwt=d&__clerk_synced=true",
        ),
        (
            "https://sat.test/%2F..%2F",
            "https://sat.test/%2F..%2F?__clerk_db_jwt=d&__clerk_synced=true",
        ),
        (
            "https://caf\xe9.test/",
            "https://caf%C3%A9.test/?__clerk_db_jwt=d&__clerk_synced=true",
        ),
    ],
)
def test_a_primary_sends_the_browser_back_with_its_token(target: str, location: str) -> None:
    state = answer_satellite(returning(target), SessionCookies(dev_browser="d"))
    assert outcome(state) == ANSWER
    assert state is not None
    assert location_of(state) == location


def test_a_browser_without_a_token_is_sent_back_without_one() -> None:
    state = answer_satellite(returning("https://sat.test/"), NOBODY)
    assert state is not None
    assert location_of(state) == "https://sat.test/?__clerk_synced=true"


def test_the_browsers_token_of_the_query_goes_before_that_of_the_cookie() -> None:
    request = returning("https://sat.test/", __clerk_db_jwt="q")
    state = answer_satellite(request, SessionCookies(dev_browser="c"))
    assert state is not None
    assert parameters_of(location_of(state) or "")["__clerk_db_jwt"] == "q"


NOT_ABSOLUTE = [
    "",
    "/",
    "/a",
    "a",
    "?a",
    "//evil.test/",
    "///evil.test/",
    "\\\\evil.test",
    "javascript:alert(1)",
    "JavaScript://evil.test/%0aalert(1)",
    "data:text/html,x",
    "ftp://evil.test/",
    "file:///etc/passwd",
    "https:",
    "https:/",
    "https://",
    "https:///evil.test",
    "https://?x",
    "https://#x",
    "https://\\evil.test",
    "https:evil.test",
    "https:/evil.test",
    "http://[",
    "http://[::1",
    "http://[x]/",
    "http://a:99999/",
    "http://a:b/",
    "https://@/",
    "https://:443/",
    " https://evil.test/",
    "\thttps://evil.test/",
    "x https://evil.test/",
    "https ://evil.test/",
    "httpſ://evil.test/",
]


@pytest.mark.parametrize("target", NOT_ABSOLUTE)
def test_what_is_no_absolute_address_is_not_answered(target: str) -> None:
    """Rule D9."""
    assert not is_absolute_url(target)
    assert answer_satellite(returning(target), KNOWN) is None


@pytest.mark.parametrize(
    "request_",
    [
        asked("https://primary.test/"),
        asked("https://primary.test/?__clerk_redirect_url="),
        asked("https://primary.test/?__clerk_redirect_url=/a&__clerk_redirect_url=https://a.test"),
    ],
)
def test_only_the_first_address_counts(request_: Asked) -> None:
    assert answer_satellite(request_, KNOWN) is None


@pytest.mark.parametrize(
    "request_",
    [
        asked("https://p.test/?__clerk_redirect_url=https://sat.test/", method="POST"),
        asked("https://p.test/?__clerk_redirect_url=https://sat.test/", headers={}),
        asked(
            "https://p.test/?__clerk_redirect_url=https://sat.test/",
            cookies={"__clerk_redirect_count": "3"},
        ),
    ],
)
def test_who_may_not_be_redirected_is_told_why(request_: Asked) -> None:
    state = answer_satellite(request_, KNOWN)
    assert outcome(state) == ("signed-out", "primary-responds-to-syncing")


@given(st.text(max_size=40).map(lambda rest: f"https://{rest}") | st.text(max_size=60))
@settings(max_examples=500, deadline=None)
def test_no_address_raises_and_every_answer_can_be_sent(target: str) -> None:
    if not is_absolute_url(target):
        return
    location = with_parameters(target, {"a": "\r\n\u0100\udcff"})
    assert location.isascii()
    assert is_sendable(location)
    assert urlsplit(location).scheme in ("http", "https")


# The steps in their order, through an instance

GOOD = MINTER.token()
GOOD_TEST = MINTER.token(iss=ISSUER_TEST)


def clerk(**options: Any) -> Clerk:
    given = {
        "secret_key": "sk_live_x",
        "publishable_key": PUBLISHABLE_LIVE,
        "jwt_key": MINTER.pem,
        "dotenv": False,
        "clock": lambda: NOW,
        **options,
    }
    return Clerk(**given)


def development(**options: Any) -> Clerk:
    return clerk(secret_key="sk_test_x", publishable_key=PUBLISHABLE_TEST, **options)


ON_SAT = {"is_satellite": True, "domain": "sat.test", "sign_in_url": SIGN_IN}


@pytest.mark.parametrize(
    ("instance", "query", "host"),
    [
        (clerk(**ON_SAT), "__clerk_synced=false", "clerk.sat.test"),
        (clerk(**ON_SAT, satellite_auto_sync=True), "", "clerk.sat.test"),
        (
            clerk(is_satellite=True, proxy_url="https://proxy.test/__clerk", sign_in_url=SIGN_IN),
            "__clerk_synced=false",
            "proxy.test",
        ),
        (development(**ON_SAT), "__clerk_synced=false", "primary.test"),
        (development(**ON_SAT, satellite_auto_sync=True), "", "primary.test"),
    ],
)
def test_a_satellite_sends_its_visitors_to_be_synced(
    instance: Clerk, query: str, host: str
) -> None:
    state = instance.authenticate(load(query))
    assert outcome(state) == SYNC
    assert urlsplit(location_of(state) or "").netloc == host


@pytest.mark.parametrize("instance", [clerk(**ON_SAT), development(**ON_SAT)])
def test_a_satellite_does_not_answer_as_a_primary_does(instance: Clerk) -> None:
    state = instance.authenticate(load("__clerk_redirect_url=https://evil.test/"))
    assert outcome(state) == MISSING
    state = instance.authenticate(
        load("__clerk_redirect_url=https://evil.test/&__clerk_synced=true")
    )
    assert "evil.test" not in urlsplit(location_of(state) or "").netloc


def test_a_satellite_signs_in_with_the_tokens_of_its_own_domain() -> None:
    token = MINTER.token(iss="https://clerk.sat.test")
    state = clerk(**ON_SAT).authenticate(load("", f"__session={token}; __client_uat=1"))
    assert user_of(state) == "user_1"


@pytest.mark.parametrize("query", ["__clerk_redirect_url=https://sat.test/"])
def test_only_in_development_does_a_primary_answer(query: str) -> None:
    assert outcome(clerk().authenticate(load(query))) == MISSING
    assert outcome(development().authenticate(load(query))) == ANSWER


@pytest.mark.parametrize("target", [one for one in NOT_ABSOLUTE if one.isprintable()])
def test_what_is_no_address_leaves_the_next_step_in_charge(target: str) -> None:
    query = with_parameters("https://x.test/", {"__clerk_redirect_url": target}).partition("?")[2]
    state = development().authenticate(load(query))
    assert outcome(state) == ("handshake", "dev-browser-missing")


# Step 13: pages of other origins

SIGNED_IN = f"__session={GOOD}; __client_uat=1"
CROSS = ("handshake", "primary-domain-cross-origin-sync")


@pytest.mark.parametrize(
    "referrer",
    [
        "https://sat.test/x",
        "https://app.test.evil.test/",
        "https://evil.test/app.test",
        "http://app.test/",
        "https://app.test:8443/",
        "https://sub.app.test/",
        "https://clerk.example.com.evil.test/",
        "https://accounts.example.com.evil.test/",
        "https://accounts.example.com:8443/",
        "http://accounts.example.com/",
        # Account pages of development mean nothing to production.
        "https://happy-emu-1.accounts.dev/",
        "android-app://com.example/",
        "about:blank",
    ],
)
def test_a_link_from_another_origin_is_synced_first(referrer: str) -> None:
    state = clerk().authenticate(load("x=1", SIGNED_IN, HTTP_REFERER=referrer))
    assert outcome(state) == CROSS
    assert (location_of(state) or "").startswith("https://clerk.example.com/v1/client/handshake?")


@pytest.mark.parametrize(
    "referrer",
    [
        "",
        "https://app.test/",
        "https://app.test:443/x",
        "HTTPS://APP.TEST/",
        "https://clerk.example.com/x",
        "http://clerk.example.com:8080/x",
        "https://accounts.example.com/sign-in",
        # Junk names no origin.
        "/x",
        "x",
        "app.test",
        "//evil.test/",
        "https://",
        "https://[",
        "http://a:b/",
        "\xff",
    ],
)
def test_a_link_of_our_own_or_of_clerks_is_not(referrer: str) -> None:
    state = clerk().authenticate(load("x=1", SIGNED_IN, HTTP_REFERER=referrer))
    assert user_of(state) == "user_1"


@pytest.mark.parametrize(
    "keys",
    [
        {"REQUEST_METHOD": "POST"},
        {"REQUEST_METHOD": "HEAD"},
        {"HTTP_SEC_FETCH_DEST": "iframe"},
        {"HTTP_SEC_FETCH_DEST": "empty"},
        {"HTTP_SEC_FETCH_DEST": "", "HTTP_ACCEPT": "text/html"},
        {"HTTP_COOKIE": f"{SIGNED_IN}; __clerk_redirect_count=1"},
        {"HTTP_COOKIE": "", "HTTP_AUTHORIZATION": f"Bearer {GOOD}"},
    ],
)
def test_only_a_first_page_load_with_cookies_is_synced(keys: dict[str, str]) -> None:
    environ_ = {**load("x=1", SIGNED_IN, HTTP_REFERER="https://sat.test/"), **keys}
    assert user_of(clerk().authenticate(environ_)) == "user_1"


def test_who_is_not_signed_in_has_nothing_to_sync() -> None:
    bad = f"__session={GOOD[:-4]}AAAA; __client_uat=1"
    state = clerk().authenticate(load("", bad, HTTP_REFERER="https://sat.test/"))
    assert outcome(state) == ("signed-out", "token-invalid-signature")


def test_a_satellite_does_not_sync_by_referrer() -> None:
    token = MINTER.token(iss="https://clerk.sat.test")
    cookies = f"__session={token}; __client_uat=1"
    state = clerk(**ON_SAT).authenticate(load("", cookies, HTTP_REFERER="https://evil.test/"))
    assert user_of(state) == "user_1"


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        ("https://happy-emu-1.accounts.dev/", ("signed-in", None)),
        ("https://other-9.accounts.dev/", ("signed-in", None)),
        ("https://sat.test/", CROSS),
        ("https://other-9.clerk.accounts.dev/", CROSS),
    ],
)
def test_in_development_every_account_portal_is_clerks(
    referrer: str, expected: tuple[str, str | None]
) -> None:
    cookies = f"__clerk_db_jwt=d; __session={GOOD_TEST}; __client_uat=1"
    assert outcome(development().authenticate(load("", cookies, HTTP_REFERER=referrer))) == expected
