"""Who is sent to Clerk, where to, how often, and which of the cookies brought home are set."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi.address import Address, encode_path, encode_query
from clerk_wsgi.cookies import SessionCookies
from clerk_wsgi.frontend import FrontendApi
from clerk_wsgi.handshake import (
    MAX_DIRECTIVE,
    MAX_DIRECTIVES,
    Handshakes,
    dev_browser_of,
    is_sendable,
    is_usable_directive,
    may_be_redirected,
    read_directives,
    redirect_count,
    send,
    session_token_of,
)
from clerk_wsgi.organization_sync import OrganizationSync
from clerk_wsgi.state import Handshake, SignedOut

from .requesting import Asked, asked, location_of, parameters_of

LIVE = FrontendApi(host="clerk.example.com", development=False)
DEV = FrontendApi(host="happy-emu-1.clerk.accounts.dev", development=True)
NO_COOKIES = SessionCookies()
REASON = "client-uat-but-no-session-token"


# Who may be sent elsewhere


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "document", "Accept": "application/json"},
        {"Accept": "text/html"},
        {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"},
    ],
)
def test_a_page_load_may_be_redirected(headers: dict[str, str]) -> None:
    assert may_be_redirected(asked(headers=headers))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Dest": "frame"},
        {"Sec-Fetch-Dest": "Document"},
        {"Sec-Fetch-Dest": " document"},
        {"Sec-Fetch-Dest": "document, iframe"},
        {"Sec-Fetch-Dest": "empty", "Accept": "text/html"},
        {"Accept": "*/*"},
        {"Accept": "application/json, text/html"},
        {"Accept": "TEXT/HTML"},
        {"Accept": " text/html"},
        {"Sec-Fetch-Mode": "navigate"},
        {"Upgrade-Insecure-Requests": "1"},
    ],
)
def test_nothing_else_may_be_redirected(headers: dict[str, str]) -> None:
    assert not may_be_redirected(asked(headers=headers))


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "PUT", "get", "Get", "", "TRACE"])
def test_only_get_may_be_redirected(method: str) -> None:
    assert not may_be_redirected(asked(method=method))


# How often


@pytest.mark.parametrize(
    ("cookie", "count"),
    [
        ("0", 0),
        ("1", 1),
        ("2", 2),
        ("3", 3),
        ("99", 99),
        ("007", 7),
        ("9" * 15, 999_999_999_999_999),
        # Rule D21: what is no number counts as none.
        ("", 0),
        ("9" * 16, 0),
        ("9" * 5000, 0),
        ("-1", 0),
        ("+1", 0),
        (" 2", 0),
        ("2 ", 0),
        ("1.5", 0),
        ("1e3", 0),
        ("0x3", 0),
        ("1_0", 0),
        ("NaN", 0),
        ("Infinity", 0),
        ("٣", 0),
        ("\uff13", 0),
        ("3\n", 0),
    ],
)
def test_the_counter_is_a_whole_number_or_zero(cookie: str, count: int) -> None:
    assert redirect_count(asked(cookies={"__clerk_redirect_count": cookie})) == count


def test_without_the_cookie_the_counter_is_zero() -> None:
    assert redirect_count(asked(cookies={"__clerk_redirect_count_X": "3"})) == 0


def counted(text: str | None) -> Asked:
    return asked(cookies={} if text is None else {"__clerk_redirect_count": text})


def fail() -> str:
    raise AssertionError("nobody is sent anywhere: the address is not needed")


@pytest.mark.parametrize(("cookie", "count"), [(None, 1), ("0", 1), ("1", 2), ("2", 3), ("x", 1)])
def test_a_redirect_counts_itself_and_is_not_stored(cookie: str | None, count: int) -> None:
    state = send(counted(cookie), REASON, lambda: "https://clerk.example.com/", "Why.")
    assert isinstance(state, Handshake)
    assert state.headers == [
        ("x-clerk-auth-status", "handshake"),
        ("x-clerk-auth-reason", REASON),
        ("x-clerk-auth-message", "Why."),
        ("Location", "https://clerk.example.com/"),
        (
            "Set-Cookie",
            f"__clerk_redirect_count={count}; SameSite=Lax; HttpOnly; Max-Age=2",
        ),
        ("Cache-Control", "no-store"),
    ]


@pytest.mark.parametrize("cookie", ["3", "4", "5", "99", "003", "9" * 15])
def test_three_redirects_are_enough(cookie: str) -> None:
    state = send(counted(cookie), REASON, fail, "Why.")
    assert state == SignedOut(reason=REASON, message="Why.")
    assert [name for name, _ in state.headers if not name.startswith("x-clerk-auth-")] == []


def test_what_may_not_be_redirected_is_signed_out_for_the_same_reason() -> None:
    state = send(asked(method="POST"), REASON, fail, "Why.")
    assert state == SignedOut(reason=REASON, message="Why.")


# Where to


def url_of(
    request: Asked,
    cookies: SessionCookies = NO_COOKIES,
    frontend: FrontendApi = LIVE,
    organizations: OrganizationSync | None = None,
) -> str:
    state = Handshakes(frontend, organizations).start(request, cookies, REASON)
    url = location_of(state)
    assert url is not None
    return url


def test_the_address_has_its_parameters_in_this_order() -> None:
    organizations = OrganizationSync(["/orgs/:slug"], [])
    request = asked("https://app.test/orgs/acme?a=1", bearer="ignored")
    cookies = SessionCookies(session="a.b.c", dev_browser="dvb_1", suffixed=True)
    assert url_of(request, cookies, DEV, organizations) == (
        "https://happy-emu-1.clerk.accounts.dev/v1/client/handshake"
        "?redirect_url=https%3A%2F%2Fapp.test%2Forgs%2Facme%3Fa%3D1"
        "&__clerk_api_version=2026-05-12"
        "&suffixed_cookies=true"
        f"&__clerk_hs_reason={REASON}"
        "&format=nonce"
        "&__session=a.b.c"
        "&__clerk_db_jwt=dvb_1"
        "&organization_id=acme"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert url_of(asked()) == (
        "https://clerk.example.com/v1/client/handshake"
        "?redirect_url=https%3A%2F%2Fapp.test%2Fp%3Fx%3D1"
        "&__clerk_api_version=2026-05-12"
        "&suffixed_cookies=false"
        f"&__clerk_hs_reason={REASON}"
        "&format=nonce"
    )


@pytest.mark.parametrize(
    ("cookie", "bearer", "session"),
    [
        ("c", "b", "c"),
        (None, "b", "b"),
        ("c", None, "c"),
        (None, None, None),
        ("\xe9 &=#", None, "\xe9 &=#"),
    ],
)
def test_the_session_of_the_cookie_goes_before_that_of_the_header(
    cookie: str | None, bearer: str | None, session: str | None
) -> None:
    url = url_of(asked(bearer=bearer), SessionCookies(session=cookie))
    assert parameters_of(url).get("__session") == session


@pytest.mark.parametrize(
    ("query", "cookie", "frontend", "told"),
    [
        ("__clerk_db_jwt=q", "c", DEV, "q"),
        ("__clerk_db_jwt=", "c", DEV, "c"),
        ("", "c", DEV, "c"),
        ("", None, DEV, None),
        ("__clerk_db_jwt=q", "c", LIVE, None),
    ],
)
def test_only_in_development_is_clerk_told_the_browsers_token(
    query: str, cookie: str | None, frontend: FrontendApi, told: str | None
) -> None:
    url = url_of(asked(f"https://app.test/?{query}"), SessionCookies(dev_browser=cookie), frontend)
    assert parameters_of(url).get("__clerk_db_jwt") == told


@pytest.mark.parametrize(
    ("path", "organization"),
    [
        ("/by-id/org_1", "org_1"),
        ("/by-slug/acme", "acme"),
        ("/by-slug/a%20b", "a%20b"),
        ("/me", ""),
        ("/elsewhere", None),
    ],
)
def test_the_organization_is_the_one_of_the_path(path: str, organization: str | None) -> None:
    organizations = OrganizationSync(["/by-id/:id", "/by-slug/:slug"], ["/me"])
    url = location_of(
        Handshakes(LIVE, organizations).start(
            Asked(
                address=Address(origin="https://app.test", path=path, query=""),
                headers={"Sec-Fetch-Dest": "document"},
            ),
            NO_COOKIES,
            REASON,
        )
    )
    assert url is not None
    assert parameters_of(url).get("organization_id") == organization


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("a=1&__clerk_db_jwt=x&b=2", "a=1&b=2"),
        ("__dev_session=x", ""),
        ("%5F%5Fclerk_db_jwt=x&a", "a"),
        ("__clerk_db_jwt", ""),
        # These stay, as at Clerk: only the way home drops them.
        ("__clerk_handshake=x&__clerk_synced=true", "__clerk_handshake=x&__clerk_synced=true"),
        ("__CLERK_DB_JWT=x", "__CLERK_DB_JWT=x"),
    ],
)
def test_the_browsers_token_stays_behind(query: str, left: str) -> None:
    home = parameters_of(url_of(asked(f"https://app.test/p?{query}")))["redirect_url"]
    assert home == (f"https://app.test/p?{left}" if left else "https://app.test/p")


def test_without_a_frontend_api_nobody_is_sent_anywhere() -> None:
    state = Handshakes(None, None).start(asked(), NO_COOKIES, REASON, "Why.")
    assert state == SignedOut(reason=REASON, message="Why.")


# Latin-1 is what WSGI allows; not every server and test client keeps to it.
LATIN = st.text(st.characters(max_codepoint=255) | st.just("\udcff"), max_size=40)


@given(path=LATIN, query=LATIN, session=LATIN, browser=LATIN, suffixed=st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_is_asked_for_the_address_is_of_clerk_and_can_be_sent(
    path: str, query: str, session: str, browser: str, suffixed: bool
) -> None:
    address = Address(origin="https://app.test", path=encode_path(path), query=encode_query(query))
    request = Asked(address=address, headers={"Sec-Fetch-Dest": "document"})
    cookies = SessionCookies(session=session, dev_browser=browser, suffixed=suffixed)
    url = url_of(request, cookies, DEV)
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    to = urlsplit(url)
    assert (to.scheme, to.netloc) == ("https", "happy-emu-1.clerk.accounts.dev")
    assert (to.path, to.fragment) == ("/v1/client/handshake", "")
    names = [name for name, _ in parse_qsl(to.query, keep_blank_values=True)]
    assert len(names) == len(set(names))
    assert parameters_of(url)["redirect_url"].startswith("https://app.test/")


@pytest.mark.parametrize(
    ("query", "cookie", "token"),
    [
        ("__clerk_db_jwt=q&__clerk_db_jwt=r", "c", "q"),
        ("__clerk_db_jwt=&__clerk_db_jwt=r", "c", "c"),
        ("", "c", "c"),
        ("", None, None),
    ],
)
def test_a_browsers_token_is_the_first_of_the_query_or_the_cookie(
    query: str, cookie: str | None, token: str | None
) -> None:
    request = asked(f"https://app.test/?{query}")
    assert dev_browser_of(request, SessionCookies(dev_browser=cookie)) == token


# What is brought home


@pytest.mark.parametrize(
    "directive",
    [
        "__session=a.b.c; Path=/; Secure; SameSite=Lax",
        "__session_X3MQYouV=a.b.c",
        "__session=",
        "__session",
        "__client_uat=0; Max-Age=0; Domain=example.com",
        "__client_uat_X3MQYouV=1",
        "__refresh_X3MQYouV=r; HttpOnly",
        "__clerk_handshake=; Max-Age=0",
        "__clerk_db_jwt=d",
        "__session=caf\xe9",
        "__session=" + "x" * (MAX_DIRECTIVE - 10),
    ],
)
def test_clerks_own_cookies_are_set_as_they_came(directive: str) -> None:
    assert is_usable_directive(directive)
    assert read_directives([directive]).headers == (("Set-Cookie", directive),)


UNUSABLE: list[Any] = [
    # Other cookies
    "",
    ";",
    "=x",
    "sessionid=x",
    "session=x",
    "_session=x",
    "__Session=x",
    "__Host-__session=x",
    " __session=x",
    "\xa0__session=x",
    "__clerk=x",
    "__client=x",
    "__cl=x; __session=y",
    "csrftoken=1; __session",
    # What no header may hold
    "__session=a\r\nSet-Cookie: x=y",
    "__session=a\r",
    "__session=a\n",
    "\n__session=a",
    "__session=a\0",
    "__session=a\tb",
    "__session=a\x1f",
    "__session=a\x7f",
    "__session=a\x85",
    "__session=a\u0100",
    "__session=a\u2028",
    "__session=\ud800",
    "__sess\u0131on=a",
    # Not text
    None,
    0,
    True,
    b"__session=a",
    ["__session=a"],
    {"__session": "a"},
    # Too long for any browser
    "__session=" + "x" * MAX_DIRECTIVE,
    "__session=" + "x" * 10_000,
    "__session=" + "x" * 100_000,
]


@pytest.mark.parametrize("directive", UNUSABLE, ids=lambda one: ascii(one)[:40])
def test_anything_else_is_dropped_and_the_others_are_used(directive: Any) -> None:
    assert not is_usable_directive(directive)
    found = read_directives(["__client_uat=1", directive, "__session=t"])
    assert found.set_cookies == ("__client_uat=1", "__session=t")
    assert found.token == "t"


@pytest.mark.parametrize("directive", UNUSABLE, ids=lambda one: ascii(one)[:40])
def test_what_is_dropped_brings_no_token(directive: Any) -> None:
    found = read_directives([directive])
    assert (found.headers, found.token) == ((), None)


@pytest.mark.parametrize("found", [None, {}, "__session=t", 5, True, {"0": "__session=t"}, []])
def test_anything_but_a_list_has_no_directives(found: object) -> None:
    assert read_directives(found).set_cookies == ()


def test_of_very_many_directives_only_the_first_are_read() -> None:
    found = read_directives([f"__clerk_{number}=x" for number in range(10_000)])
    assert len(found.set_cookies) == MAX_DIRECTIVES


@pytest.mark.parametrize(
    ("lines", "token"),
    [
        ([], None),
        (["__client_uat=1"], None),
        (["__session=a"], "a"),
        (["__session=a", "__session_X=b"], "b"),
        (["__session_X=b", "__session=a"], "a"),
        (["__session=a", "__client_uat=1"], "a"),
        (["__session=a; Path=/; __session=z"], "a"),
        (["__session=a=b"], "a=b"),
        (["__session=a", "__session="], None),
        (["__session="], None),
        (["__session=; Max-Age=0", "__session_X=b"], "b"),
        # A line without a value sets something, and that is no token that could verify.
        (["__session"], "__session"),
        (["__session; Path=/"], "__session"),
    ],
)
def test_the_last_session_cookie_brings_the_token(lines: list[str], token: str | None) -> None:
    assert session_token_of(lines) == token
    assert read_directives(lines).token == token


@given(st.lists(st.text(max_size=30) | st.sampled_from(UNUSABLE) | st.none(), max_size=8))
@settings(max_examples=300, deadline=None)
def test_whatever_is_brought_only_what_can_be_sent_is(found: list[Any]) -> None:
    for name, value in read_directives(found).headers:
        assert name == "Set-Cookie"
        assert is_sendable(value)
        value.encode("latin-1")
        assert value.startswith(("__session", "__client_uat", "__refresh", "__clerk_"))


def test_neither_cookies_nor_token_show_in_a_repr() -> None:
    assert "secret" not in repr(read_directives(["__session=secret"]))
