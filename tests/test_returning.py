"""Return addresses that stay on the site, and requests that want a page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi.address import parse_origin
from clerk_wsgi.context import CookieReader, RequestContext
from clerk_wsgi.returning import return_address, safe_return_url, wants_page

from .minting import environ

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN = "https://app.test"
LOCAL = "http://127.0.0.1:8000"

# Addresses on the site, by its origin.
SAFE = {
    OWN: [
        *("/", "/page", "/page/", "/a/b/c", "/page?a=b&c=d", "/page#top", "/?", "/#", "/?a#b"),
        *("/a%20b", "/caf%C3%A9", "/50%25off", "/a;v=1/b", "/@ada", "/a:b", "/~ada/.well-known/x"),
        *("/...", "/..x", "/x..", "/a!$&'()*+,;=:@-._~", "/{id}|^`[x]"),
        *("/?next=//evil.test", "/?next=https://evil.test/", "/?a=%2F%2F..%5C%00", "/?a=/../x"),
        *(
            "/#//evil.test",
            "/#/../x",
            "/#%2f",
            "/?https://a@evil.test",
            "/evil.test",
            "/@evil.test",
        ),
        *("https://app.test", "https://app.test/", "https://app.test/page?a=b#c"),
        *(
            "https://app.test?a=b",
            "https://app.test#c",
            "HTTPS://APP.TEST/Page",
            "https://App.test/",
        ),
        *("https://app.test:443/x", "https://app.test/@evil.test"),
        "/" + "a" * 2047,
    ],
    LOCAL: ["/x", "http://127.0.0.1:8000/x", "http://127.0.0.1:8000", "HTTP://127.0.0.1:08000/?a"],
    "http://[::1]:8000": ["http://[::1]:8000/x", "/x"],
    "http://localhost": ["http://localhost/x", "http://LOCALHOST:80/x"],
}

HOSTILE = [
    # Another site, in full.
    *("https://evil.test", "https://evil.test/", "http://evil.test/", "https://evil.test/app.test"),
    *(
        "https://app.test.evil.test/",
        "https://evil-app.test/",
        "https://app.testevil/",
        "ftp://app.test/",
    ),
    *("https://sub.app.test/", "https://test/", "https://app.test./", "https://.app.test/"),
    # Another scheme or port of this one.
    *("http://app.test/", "https://app.test:8443/", "https://app.test:80/", "http://app.test:443/"),
    *(
        "https://app.test:/",
        "https://app.test:x/",
        "https://app.test:99999/",
        "https://app.test:443:1/",
    ),
    *("wss://app.test/", "blob:https://app.test/x", "view-source:https://app.test/"),
    *("filesystem:https://app.test/x", "https:https://app.test/", "https+x://app.test/"),
    # Without a scheme, or with less of one.
    *("//evil.test", "//evil.test/", "///evil.test", "////evil.test", "//app.test/", "//", "///"),
    *("https:evil.test", "https:/evil.test", "https:///evil.test", "https:////evil.test", "https:"),
    *(
        "http:app.test",
        "https:/app.test/",
        "https:///app.test/",
        "https://",
        "https:///",
        "https://?x",
    ),
    *(":", ":evil.test", "://evil.test", "http", "://app.test/"),
    # Backslashes, which browsers take for slashes.
    *(
        "/\\evil.test",
        "\\/evil.test",
        "\\\\evil.test",
        "\\evil.test",
        "/\\/evil.test",
        "//\\evil.test",
    ),
    *("https:\\\\evil.test", "https:/\\evil.test", "https://evil.test\\@app.test/", "/a\\..\\b"),
    *("https://app.test\\.evil.test/", "https://app.test\\@evil.test/", "/?a=\\", "/#\\"),
    # User names.
    *(
        "https://app.test@evil.test/",
        "https://app.test:443@evil.test/",
        "https://app.test%40evil.test/",
    ),
    *(
        "https://user@app.test/",
        "https://user:pw@app.test/",
        "https://@app.test/",
        "https://:@app.test/",
    ),
    *("//app.test@evil.test", "https://evil.test#@app.test/", "https://evil.test?@app.test/"),
    # White space and control characters, which browsers drop.
    *(
        "\t//evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        "/\r/evil.test",
        "\n/evil.test",
        " //evil.test",
    ),
    *(" /page", "/page ", "/pa ge", "/\t\\evil.test", "ht\ntps://evil.test", "\x00//evil.test"),
    *(
        "/\x00/evil.test",
        "\x01https://evil.test",
        "/x\x7f",
        "/x\x85",
        "\x1f/x",
        "/x\u2028",
        "\xa0/x",
    ),
    *(
        "java\nscript:alert(1)",
        "\tjavascript:alert(1)",
        "/page\r\nSet-Cookie: a=b",
        "/page\r\n\r\n<b>",
    ),
    # Scripts and documents.
    *(
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "javascript://app.test/%0aalert(1)",
        "vbscript:x",
    ),
    *("data:text/html,<script>alert(1)</script>", "data:,x", "about:blank", "file:///etc/passwd"),
    # Encoded, for those who decode before they look.
    *("/%2fevil.test", "/%2Fevil.test", "/%5cevil.test", "/%5Cevil.test", "%2f%2fevil.test"),
    *(
        "/%09/evil.test",
        "/%0a/evil.test",
        "/%0d%0aSet-Cookie:%20a=b",
        "/%00",
        "/%7f",
        "/page%2f..%2fx",
    ),
    *("/%252fevil.test", "/%252e%252e/x", "/%255cevil.test", "/%250a", "https%3A%2F%2Fevil.test"),
    *("/%2e%2e/x", "/%2e/evil.test", "/.%2e/x", "/%c0%af", "/%ff", "https://app.test/%2fevil.test"),
    # Dot segments and empty ones, which leave two slashes at the beginning or a path above.
    *(
        "/.//evil.test",
        "/..//evil.test",
        "/./evil.test",
        "/../x",
        "/a/../..//evil.test",
        "/..",
        "/.",
    ),
    *("/a//evil.test", "/a//", "https://app.test//evil.test", "https://app.test/.//evil.test"),
    *("/;//evil.test", "/;/evil.test", "/..;/x", "/;@evil.test", "https://app.test/..;/x"),
    # Relative to the page where somebody happens to be.
    *(
        "page",
        "",
        "./page",
        "../page",
        "?a=b",
        "#top",
        ".",
        "..",
        "evil.test",
        "@evil.test",
        "app.test/",
    ),
    # Letters that look, or are read, like slashes, dots and others.
    *("/\uff0fevil.test", "\uff0f\uff0fevil.test", "/\u2215evil.test", "/\u2044evil.test"),
    *(
        "https:\uff0f\uff0fevil.test",
        "https://app\u3002test/",
        "https://app\uff0etest/",
        "/\uff0e\uff0e/x",
    ),
    *(
        "https://\u0430pp.test/",
        "https://app.test\u2100evil.test/",
        "https://evil.test\u2024app.test/",
    ),
    *(
        "https://\uff41pp.test/",
        "https://app.te\u00ads\u200bt/",
        "https://xn--pp-5cd.test/",
        "/caf\u00e9",
    ),
    *("https://evil\u3002test", "//\u24d4vil.test", "/\ud800", "/\ufeff", "\ufeff//evil.test"),
    # Hosts in other spellings.
    *(
        "https://0x7f.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[app.test]/",
        "https://%61pp.test/",
    ),
    *("https://app%2etest/", "https://app.test%00.evil.test/", "https://app.test%2f@evil.test/"),
    *("https://app.test,evil.test/", "https://app.test;evil.test/", "https://app.test evil.test/"),
    # What could end an attribute of the page that it is written into, or a header.
    *('/"onload=alert(1)', "/<script>", "/>", '/?a="', "/#<b>", "/?a=<b>"),
    # More than an address.
    "/" + "a" * 2048,
    "https://app.test/" + "a" * 2048,
    "/" * 5000,
]


def request(method: str = "GET", target: str = "/page", **headers: str) -> RequestContext:
    path, _, query = target.partition("?")
    names = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    given = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, **names}
    own = {"wsgi.url_scheme": "https", "SERVER_PORT": "443"}
    return RequestContext(environ(**own, **given), CookieReader(()).read)


# Return addresses


@pytest.mark.parametrize(
    ("origin", "text"), [(origin, text) for origin, texts in SAFE.items() for text in texts]
)
def test_an_address_on_the_site_is_returned_as_it_is(origin: str, text: str) -> None:
    assert safe_return_url(text, origin) == text
    assert parse_origin(urljoin(f"{origin}/here/", text)) == origin


@pytest.mark.parametrize("text", HOSTILE)
def test_any_other_address_is_refused(text: str) -> None:
    assert safe_return_url(text, OWN) is None
    assert safe_return_url(text, LOCAL) is None
    assert safe_return_url(text, "") is None


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) > 150


def test_no_address_is_none() -> None:
    assert safe_return_url(None, OWN) is None


@pytest.mark.parametrize("origin", ["https://APP.test:443", "https://app.test/", OWN])
def test_the_own_origin_may_be_spelled_in_any_way(origin: str) -> None:
    assert safe_return_url("https://app.test/x", origin) == "https://app.test/x"
    assert safe_return_url("https://evil.test/x", origin) is None


@pytest.mark.parametrize(
    "origin", ["", "null", "app.test", "javascript:", "https://[", "//app.test"]
)
def test_without_an_origin_only_paths_are_safe(origin: str) -> None:
    assert safe_return_url("/x", origin) == "/x"
    for text in ("https://app.test/x", "https://", "null", "app.test", "javascript:x", "https://["):
        assert safe_return_url(text, origin) is None


PIECES = [
    *("/", "//", "\\", "@", ":", ".", "..", ";", "?", "#", "%2f", "%5c", "\t", "\n", " ", "\uff0f"),
    *("https:", "http:", "javascript:", "app.test", "evil.test", "a", "443"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=9))
@settings(max_examples=1500, deadline=None)
def test_whatever_is_let_through_stays_on_the_site(parts: list[str]) -> None:
    text = safe_return_url("".join(parts), OWN)
    if text is None:
        return
    target = urlsplit(urljoin(f"{OWN}/here/there", text))
    assert (target.scheme, target.hostname, target.username) == ("https", "app.test", None)
    assert target.port in (None, 443)
    assert not target.path.startswith("//")
    assert text.isascii()
    assert text.isprintable()


# Who wants a page

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Dest": "document", "Sec_Fetch_Mode": "navigate", "Accept": CHROME},
        {"Sec_Fetch_Dest": "iframe", "Sec_Fetch_Mode": "navigate", "Accept": CHROME},
        {"Sec_Fetch_Dest": "document", "Sec_Fetch_Mode": "navigate", "Accept": "*/*"},
        {"Sec_Fetch_Dest": "document"},
        {"Sec_Fetch_Mode": "navigate"},
        {"Accept": CHROME},
        {"Accept": "text/html"},
        {"Accept": "TEXT/HTML ; Q=0.5"},
        {"Accept": "text/html;level=1;q=1.0, */*;q=0.1"},
        {"Accept": "application/json;q=0.5, text/html"},
        {"Accept": "application/json, text/html"},
        {"Accept": "text/plain, text/html; q=0.001"},
        {"Accept": CHROME, "X_Requested_With": "com.example.browser"},
    ],
)
def test_page_loads_want_a_page(headers: Mapping[str, str]) -> None:
    assert wants_page(request(**headers))
    assert wants_page(request("HEAD", **headers))
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "PROPFIND", ""):
        assert not wants_page(request(method, **headers))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": ""},
        {"Accept": "*/*"},
        {"Accept": "text/*"},
        {"Accept": "application/json"},
        {"Accept": "application/json, text/plain, */*"},
        {"Accept": "application/json, text/html;q=0.9"},
        {"Accept": "text/html;q=0"},
        {"Accept": "text/html;q=0.000, */*"},
        {"Accept": "text/html;q=x"},
        {"Accept": "text/html;q=2"},
        {"Accept": "text/html;q=-1"},
        {"Accept": "text/htmlx, xtext/html"},
        {"Accept": "text/html+json"},
        {"Accept": ",;,;q=,="},
        {"Accept": CHROME, "X_Requested_With": "XMLHttpRequest"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "empty", "Sec_Fetch_Mode": "cors"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "empty", "Sec_Fetch_Mode": "same-origin"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "document", "Sec_Fetch_Mode": "cors"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "empty", "Sec_Fetch_Mode": "navigate"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "image", "Sec_Fetch_Mode": "no-cors"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "script", "Sec_Fetch_Mode": "no-cors"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "embed", "Sec_Fetch_Mode": "navigate"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "object", "Sec_Fetch_Mode": "navigate"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "websocket", "Sec_Fetch_Mode": "websocket"},
        {"Accept": CHROME, "Sec_Fetch_Dest": "Document"},
        {"Accept": CHROME, "Sec_Fetch_Mode": "junk"},
    ],
)
def test_scripts_and_programs_want_no_page(headers: Mapping[str, str]) -> None:
    assert not wants_page(request(**headers))


@given(st.text(max_size=40), st.text("text/html;q=.,0159 ", max_size=30))
@settings(max_examples=300, deadline=None)
def test_no_header_raises(junk: str, accept: str) -> None:
    for headers in ({"Accept": junk}, {"Accept": accept}, {"Sec_Fetch_Dest": junk}):
        assert wants_page(request(**headers)) in (True, False)


# The own address of a request


def test_a_page_load_comes_back_to_where_it_was() -> None:
    load = request(target="/page?a=b&c=%2Fd", Accept=CHROME)
    assert return_address(load, "/home") == "https://app.test/page?a=b&c=%2Fd"
    assert return_address(request("HEAD", Accept=CHROME), "/home") == "https://app.test/page"


def test_what_handshakes_put_into_an_address_stays_behind() -> None:
    query = "__clerk_db_jwt=dvb_1&a=b&__clerk_handshake=x&__clerk_handshake_nonce=y&__dev_session="
    load = request(target=f"/page?{query}&__clerk_help=1&_clerk_session_id=s", Accept=CHROME)
    assert return_address(load, "/") == "https://app.test/page?a=b&_clerk_session_id=s"


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("/caf\xc3\xa9 1?a=\xc3\xa9&b= ", "https://app.test/caf%C3%A9%201?a=%C3%A9&b=%20"),
        ("/?path=C:\\x&y=<b>", "https://app.test/?path=C:%5Cx&y=%3Cb%3E"),
        ("/?next=//evil.test", "https://app.test/?next=//evil.test"),
        ("", "https://app.test/"),
    ],
)
def test_the_address_is_one_that_can_stand_in_a_header(target: str, address: str) -> None:
    assert return_address(request(target=target, Accept=CHROME), "/home") == address


@pytest.mark.parametrize(
    "target", ["//evil.test", "/\\evil.test", "/a//b", "/../x", "/..;/x", "/x\n", "/%2fx", "/\xff"]
)
def test_nobody_comes_back_to_an_address_that_can_be_read_in_two_ways(target: str) -> None:
    assert return_address(request(target=target, Accept=CHROME), "/home") == "/home"


def test_nobody_comes_back_to_an_address_that_is_too_long() -> None:
    load = request(target="/?a=" + "b" * 3000, Accept=CHROME)
    assert return_address(load, "/home") == "/home"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nobody_comes_back_to_what_was_no_page_load(method: str) -> None:
    assert return_address(request(method, Accept=CHROME), "/home") == "/home"
    assert return_address(request(Accept="*/*"), "/home") == "/home"
