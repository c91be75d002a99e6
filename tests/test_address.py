"""The public address of a request: what it says of itself, and what a redirect may repeat."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi import Clerk, Handshake
from clerk_wsgi.address import (
    Address,
    encode_path,
    encode_query,
    is_host,
    is_of_other_origin,
    origin_of,
    parse_origin,
)
from clerk_wsgi.context import CookieReader, RequestContext

from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, environ
from .requesting import MINTER, location_of, parameters_of

if TYPE_CHECKING:
    from clerk_wsgi import RequestState

# Hosts


@pytest.mark.parametrize(
    "text",
    [
        "app.test",
        "APP.test",
        "app.test:8443",
        "localhost",
        "localhost:0",
        "a:65535",
        "a_b.test",
        "xn--caf-dma.test",
        "127.0.0.1:80",
        "2130706433",
        "[::1]",
        "[::1]:8080",
        "[::ffff:127.0.0.1]",
        "a.",
        "-",
    ],
)
def test_a_host_is_a_name_or_an_address_and_perhaps_a_port(text: str) -> None:
    assert is_host(text)


HOSTILE_HOSTS = [
    "",
    " ",
    ":",
    ":80",
    "app.test:",
    "app.test:x",
    "app.test:80:80",
    "app.test:65536",
    "app.test:999999",
    "app.test:-1",
    "app.test:+80",
    "app.test:\u0663",
    "app.test/",
    "app.test/evil",
    "app.test?x",
    "app.test#x",
    "app.test@evil.test",
    "user:pw@app.test",
    "app.test\\evil",
    "app.test evil.test",
    " app.test",
    "app.test ",
    "app.test\t",
    "app.test\n",
    "app.test\r\nX: y",
    "app.test\0",
    "app.test,evil.test",
    "app.test;x",
    "app.test%2f",
    "caf\xe9.test",
    "\u0430pp.test",
    '"app.test"',
    "<script>",
    "[::1",
    "::1]",
    "::1",
    "[::1]x",
    "[x]",
    "[:]:1",
    "[:::1]",
    "[1.2.3]",
    "[::1::2]",
    "[::1%25eth0]",
    "[]",
    "//app.test",
    "https://app.test",
]


@pytest.mark.parametrize("text", HOSTILE_HOSTS)
def test_nothing_else_is_a_host(text: str) -> None:
    assert not is_host(text)


# Origins


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("https", "app.test", "https://app.test"),
        ("https", "APP.Test", "https://app.test"),
        ("https", "app.test:443", "https://app.test"),
        ("http", "app.test:80", "http://app.test"),
        ("http", "app.test:443", "http://app.test:443"),
        ("https", "app.test:80", "https://app.test:80"),
        ("https", "app.test:08443", "https://app.test:8443"),
        ("https", "app.test:0443", "https://app.test"),
        ("http", "app.test:080", "http://app.test"),
        ("http", "app.test:", "http://app.test"),
        ("http", "[::1]", "http://[::1]"),
        ("http", "[::1]:80", "http://[::1]"),
        ("http", "[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_names_no_default_port(scheme: str, host: str, origin: str) -> None:
    assert origin_of(scheme, host) == origin


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://app.test", "https://app.test"),
        ("HTTPS://APP.test:443/x?y#z", "https://app.test"),
        ("http://app.test:8080/", "http://app.test:8080"),
        ("https://user:pw@app.test/", "https://app.test"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("http://[::1]/", "http://[::1]"),
        ("", None),
        ("app.test", None),
        ("//app.test/", None),
        ("/x", None),
        ("ftp://app.test/", None),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https:///x", None),
        ("https://:443/", None),
        ("https://a:b/", None),
        ("https://a:99999/", None),
        ("http://[", None),
        ("http://[::1", None),
        ("http://[x]/", None),
        ("https://a\u2100b/", None),
    ],
)
def test_the_origin_of_an_address_is_read_or_there_is_none(url: str, origin: str | None) -> None:
    assert parse_origin(url) == origin


@pytest.mark.parametrize(
    ("referrer", "is_other"),
    [
        ("https://app.test/", False),
        ("https://APP.test:443/x", False),
        ("https://app.test/@evil.test/", False),
        ("https://app.test@evil.test/", True),
        ("https://app.test:@evil.test/", True),
        ("https://app.test\\@evil.test/", True),
        ("http://app.test/", True),
        ("https://app.test:8443/", True),
        ("https://app.test.evil.test/", True),
        ("https://user@app.test/", False),
        ("about:blank", True),
        ("android-app://x", True),
        ("ftp://app.test/", True),
        # Junk names no page at all.
        ("", False),
        ("/x", False),
        ("//evil.test/", False),
        ("app.test", False),
        ("https://", False),
        ("https://[", False),
        ("http://a:b/", False),
        ("1https://evil.test/", False),
        (":", False),
        (" https://evil.test/", False),
    ],
)
def test_a_referrer_is_of_another_origin_or_not(referrer: str, is_other: bool) -> None:
    assert is_of_other_origin(referrer, "https://app.test") is is_other


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_referrer_raises(referrer: str, rest: str) -> None:
    for text in (referrer, f"https://{rest}", f"http://[{rest}]/"):
        is_of_other_origin(text, "https://app.test")
        origin = parse_origin(text)
        assert origin is None or parse_origin(origin) is not None


# Paths and queries


@pytest.mark.parametrize(
    ("path", "encoded"),
    [
        ("/a/b", "/a/b"),
        ("", "/"),
        ("a", "/a"),
        ("//evil.test/x", "//evil.test/x"),
        ("///", "///"),
        ("/a b", "/a%20b"),
        ("/a\"'<>`", "/a%22'%3C%3E%60"),
        ("/%2F", "/%252F"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("/a\\b", "/a%5Cb"),
        ("/a\r\nX: y", "/a%0D%0AX:%20y"),
        ("/a\0\t\x7f", "/a%00%09%7F"),
        ("/caf\xc3\xa9", "/caf%C3%A9"),
        ("/\xff", "/%FF"),
        ("/\u0100", "/%3F"),
        ("/a:@!$&'()*+,;=~-._", "/a:@!$&'()*+,;=~-._"),
        ("/[]{}|^", "/[]%7B%7D|^"),
        ("/../..", "/../.."),
    ],
)
def test_a_path_is_encoded_so_that_it_stays_a_path(path: str, encoded: str) -> None:
    assert encode_path(path) == encoded


@pytest.mark.parametrize(
    ("query", "encoded"),
    [
        ("a=1&b=2", "a=1&b=2"),
        ("", ""),
        ("a=%20+&&=", "a=%20+&&="),
        ("a=%zz", "a=%zz"),
        ('a="<>', "a=%22%3C%3E"),
        ("a b", "a%20b"),
        ("a#b", "a%23b"),
        ("a\r\nX: y", "a%0D%0AX:%20y"),
        ("a\0\x7f\x85", "a%00%7F%85"),
        ("caf\xe9", "caf%E9"),
        ("\u0100", "?"),
        ("[x]={y}|^`\\", "[x]={y}|^`\\"),
    ],
)
def test_a_query_stays_as_it_is_but_for_what_cannot_be_sent(query: str, encoded: str) -> None:
    assert encode_query(query) == encoded


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("a=1&drop=2&b=3", "a=1&b=3"),
        ("drop", ""),
        ("drop=&drop=x", ""),
        ("%64rop=1&a", "a"),
        ("dr%6Fp=1", ""),
        ("drop+=1", "drop+=1"),
        ("Drop=1", "Drop=1"),
        ("xdrop=1&dropx=1", "xdrop=1&dropx=1"),
        ("a=drop", "a=drop"),
        ("a=1;drop=2", "a=1;drop=2"),
        ("&&a&&", "&&a&&"),
        ("%ff=1", "%ff=1"),
        ("drop=x%26a=1", ""),
    ],
)
def test_parameters_are_left_out_by_their_decoded_names(query: str, kept: str) -> None:
    address = Address(origin="https://app.test", path="/p", query=query)
    assert address.without({"drop"}) == ("https://app.test/p" + (f"?{kept}" if kept else ""))
    assert str(address) == f"https://app.test/p?{query}"


# The address of a request


def address_of(**keys: str) -> Address:
    return RequestContext(environ(**keys), CookieReader(()).read).address


def trusted_address_of(**keys: str) -> Address:
    return RequestContext(environ(**keys), CookieReader(()).read, trust_forwarded=True).address


@pytest.mark.parametrize("host", ["other.test", "other.test:8443", "[::1]:3000", "OTHER.test"])
def test_the_host_is_the_one_that_was_asked_for(host: str) -> None:
    assert address_of(HTTP_HOST=host).origin == f"http://{host.lower()}"


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_what_is_no_host_leaves_it_to_the_server(host: str) -> None:
    """Rule D7."""
    assert address_of(HTTP_HOST=host).origin == "http://app.test"
    assert address_of(HTTP_HOST=host, SERVER_NAME="10.0.0.1", SERVER_PORT="8000").origin == (
        "http://10.0.0.1:8000"
    )
    keys = {"HTTP_X_FORWARDED_HOST": host, "HTTP_X_FORWARDED_PROTO": "https"}
    assert trusted_address_of(**keys).origin == "https://app.test"


@pytest.mark.parametrize(
    ("name", "port", "origin"),
    [
        ("::1", "8000", "http://[::1]:8000"),
        ("[::1]", "8000", "http://[::1]:8000"),
        ("10.0.0.1", "", "http://10.0.0.1"),
        ("localhost", "80", "http://localhost"),
    ],
)
def test_a_server_knows_its_own_name(name: str, port: str, origin: str) -> None:
    assert address_of(HTTP_HOST="", SERVER_NAME=name, SERVER_PORT=port).origin == origin


FORWARDED = {
    "HTTP_X_FORWARDED_HOST": "public.test:8443, proxy.test",
    "HTTP_X_FORWARDED_PROTO": "https, http",
    "HTTP_X_FORWARDED_PORT": "9999",
    "HTTP_FORWARDED": "host=evil.test;proto=https",
    "HTTP_X_FORWARDED_SERVER": "evil.test",
    "HTTP_X_ORIGINAL_HOST": "evil.test",
    "HTTP_CLOUDFRONT_FORWARDED_PROTO": "https",
}


def test_forwarded_headers_count_only_where_they_are_trusted() -> None:
    assert address_of(**FORWARDED).origin == "http://app.test"
    assert trusted_address_of(**FORWARDED).origin == "https://public.test:8443"


@pytest.mark.parametrize(
    "scheme", ["", "ftp", "javascript", "https ", " https", "https:", "httpss", "ws", "\0"]
)
def test_a_forwarded_scheme_is_http_or_https(scheme: str) -> None:
    keys = {"HTTP_X_FORWARDED_PROTO": scheme}
    assert trusted_address_of(**keys).origin == "http://app.test"


def test_a_forwarded_scheme_may_be_in_capitals() -> None:
    keys = {"HTTP_X_FORWARDED_PROTO": "HTTPS"}
    assert trusted_address_of(**keys).origin == "https://app.test"


def test_the_path_is_that_of_the_mount_and_of_the_application() -> None:
    found = address_of(SCRIPT_NAME="/mount", PATH_INFO="/a b", QUERY_STRING="x=1")
    assert str(found) == "http://app.test/mount/a%20b?x=1"


def test_a_path_that_begins_with_two_slashes_moves_no_host() -> None:
    """Rule D8."""
    found = address_of(PATH_INFO="//evil.test/x")
    assert found.path == "//evil.test/x"
    assert urlsplit(str(found)).netloc == "app.test"


# What a redirect repeats of it (threats 29 and 31)


def clerk(*, development: bool = False, **options: Any) -> Clerk:
    return Clerk(
        secret_key="sk_test_x" if development else "sk_live_x",
        publishable_key=PUBLISHABLE_TEST if development else PUBLISHABLE_LIVE,
        jwt_key=MINTER.pem,
        dotenv=False,
        clock=lambda: NOW,
        **options,
    )


# Made once: they keep nothing of a request but tokens that verified.
INSTANCES = {
    "clerk.example.com": clerk(),
    "happy-emu-1.clerk.accounts.dev": clerk(development=True),
    "proxy.test": clerk(proxy_url="https://proxy.test/__clerk"),
}
TRUSTING = clerk(trust_forwarded=True)


def page(**keys: str) -> dict[str, Any]:
    return environ(**{"HTTP_SEC_FETCH_DEST": "document", "HTTP_COOKIE": "__client_uat=1", **keys})


def check_headers(state: RequestState) -> None:
    for name, value in state.headers:
        assert re.fullmatch(r"[A-Za-z-]+", name)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", value)
        value.encode("latin-1")


HOSTILE_KEYS: list[dict[str, str]] = [
    *({"HTTP_HOST": host} for host in HOSTILE_HOSTS),
    *({"HTTP_X_FORWARDED_HOST": host} for host in ("evil.test", *HOSTILE_HOSTS)),
    {"HTTP_X_FORWARDED_PROTO": "javascript"},
    {"HTTP_X_FORWARDED_PROTO": "https\r\nX: y"},
    {"HTTP_FORWARDED": "host=evil.test"},
    {"PATH_INFO": "//evil.test/"},
    {"PATH_INFO": "/\\evil.test"},
    {"PATH_INFO": "/@evil.test"},
    {"PATH_INFO": "/a\r\nSet-Cookie: x=y"},
    {"PATH_INFO": "/\"'<>\xff\x00"},
    {"PATH_INFO": "/%2F%2Fevil.test"},
    {"SCRIPT_NAME": "//evil.test"},
    {"QUERY_STRING": "a\r\nX: y"},
    {"QUERY_STRING": "\xff\x00#<>\"'"},
    {"QUERY_STRING": "redirect_url=https://evil.test/&__clerk_hs_reason=x"},
    {"QUERY_STRING": "a=" + "x" * 100_000},
]


@pytest.mark.parametrize("keys", HOSTILE_KEYS, ids=lambda keys: ascii(keys)[:60])
@pytest.mark.parametrize("host", INSTANCES)
def test_a_redirect_leads_to_clerk_and_comes_back_to_this_host(
    host: str, keys: dict[str, str]
) -> None:
    state = INSTANCES[host].authenticate(page(**keys))
    assert isinstance(state, Handshake)
    check_headers(state)
    url = location_of(state) or ""
    assert urlsplit(url)[:2] == ("https", host)
    home = parameters_of(url)["redirect_url"]
    assert urlsplit(home)[:2] == ("http", "app.test")
    assert not re.search(r"[\s\x00-\x1f\"<>]", home)


@pytest.mark.parametrize("keys", HOSTILE_KEYS, ids=lambda keys: ascii(keys)[:60])
def test_behind_a_trusted_proxy_it_comes_back_to_the_forwarded_host_or_this_one(
    keys: dict[str, str],
) -> None:
    state = TRUSTING.authenticate(page(**keys))
    check_headers(state)
    url = location_of(state) or ""
    assert urlsplit(url)[:2] == ("https", "clerk.example.com")
    home = urlsplit(parameters_of(url)["redirect_url"])
    trusted = keys.get("HTTP_X_FORWARDED_HOST", "")
    names = ("app.test", "evil.test") if trusted.startswith("evil.test") else ("app.test",)
    assert home.scheme in ("http", "https")
    assert home.netloc in names


BROUGHT = [f"__session={MINTER.token(iss='https://happy-emu-1.clerk.accounts.dev')}"]
HOME = "__clerk_handshake=" + MINTER.compact({"alg": "RS256"}, {"handshake": BROUGHT})


@pytest.mark.parametrize("keys", HOSTILE_KEYS, ids=lambda keys: ascii(keys)[:60])
def test_the_way_home_from_a_handshake_is_to_this_host(keys: dict[str, str]) -> None:
    query = "&".join(filter(None, (HOME, keys.get("QUERY_STRING", ""))))
    instance = INSTANCES["happy-emu-1.clerk.accounts.dev"]
    state = instance.authenticate(page(**{**keys, "QUERY_STRING": query}))
    assert state.status == "signed-in"
    check_headers(state)
    home = urlsplit(location_of(state) or "")
    assert (home.scheme, home.netloc) == ("http", "app.test")
    assert "__clerk_handshake" not in home.query


LATIN = st.text(st.characters(max_codepoint=255), max_size=30)


@given(host=LATIN, path=LATIN, query=LATIN, forwarded=LATIN, scheme=LATIN)
@settings(max_examples=300, deadline=None)
def test_no_request_makes_a_header_that_cannot_be_sent(
    host: str, path: str, query: str, forwarded: str, scheme: str
) -> None:
    keys = {
        "HTTP_HOST": host,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_X_FORWARDED_HOST": forwarded,
        "HTTP_X_FORWARDED_PROTO": scheme,
    }
    for instance in (*INSTANCES.values(), TRUSTING):
        state = instance.authenticate(page(**keys))
        check_headers(state)
        target = location_of(state)
        if target is not None:
            assert urlsplit(target).netloc in INSTANCES
