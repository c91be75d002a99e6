"""Path patterns: what they match, what is refused, and that no path takes long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi import Clerk, ConfigurationError
from clerk_wsgi.patterns import BadPattern, compile_pattern

from .minting import PUBLISHABLE_LIVE

# What matches, and what the names take


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        # Plain text
        ("/", "/", {}),
        ("/", "", None),
        ("", "", {}),
        ("", "/", {}),
        ("/me", "/me", {}),
        ("/me", "/me/", {}),
        ("/me", "/ME", {}),
        ("/me", "/me?", {}),
        ("/me", "/mee", None),
        ("/me", "/me//", None),
        ("/me", "/me/x", None),
        ("/me", "x/me", None),
        ("/me", "/", None),
        ("me", "/me", None),
        ("/a.b", "/a.b", {}),
        ("/a.b", "/axb", None),
        ("/caf%C3%A9", "/caf%c3%a9", {}),
        # Names
        ("/orgs/:id", "/orgs/org_1", {"id": "org_1"}),
        ("/orgs/:id", "/orgs/org_1/", {"id": "org_1"}),
        ("/orgs/:id", "/ORGS/Org_1", {"id": "Org_1"}),
        ("/orgs/:id", "/orgs/", None),
        ("/orgs/:id", "/orgs", None),
        ("/orgs/:id", "/orgs/a/b", None),
        ("/orgs/:id", "/orgs/a%2Fb", {"id": "a%2Fb"}),
        ("/orgs/:id", "/orgs/..", {"id": ".."}),
        ("/:a/:b", "/x/y", {"a": "x", "b": "y"}),
        ("/:a/:b", "//y", None),
        ("/:lang/orgs/:id", "/de/orgs/x", {"lang": "de", "id": "x"}),
        (":a", "x", {"a": "x"}),
        ("/:a_1B", "/x", {"a_1B": "x"}),
        # Text between two names: the second takes nothing that holds it
        ("/:a-:b", "/x-y", {"a": "x", "b": "y"}),
        ("/:a-:b", "/x-y-z", {"a": "x-y", "b": "z"}),
        ("/:a-:b", "/x-", None),
        ("/:a.:b", "/x.y.z", {"a": "x.y", "b": "z"}),
        ("/:a--:b", "/x--y-z", {"a": "x", "b": "y-z"}),
        ("/x-:a", "/x-y-z", {"a": "y-z"}),
        # Expressions
        ("/orgs/(.*)", "/orgs/", {}),
        ("/x(\\d+)", "/x12", {}),
        ("/orgs/(.*)", "/orgs/a/b", {}),
        ("/orgs/(.*)", "/orgs", None),
        ("/orgs/:id/(.*)", "/orgs/a/b/c", {"id": "a"}),
        ("/orgs/:id/(.*)", "/orgs/a/", {"id": "a"}),
        ("/:id(\\d+)", "/42", {"id": "42"}),
        ("/:id(\\d+)", "/4x", None),
        ("/:id(org_[a-z]+)", "/ORG_ab", {"id": "ORG_ab"}),
        ("/:a(x|yy)", "/yy", {"a": "yy"}),
        ("/:a((?:x|y)z)", "/xz", {"a": "xz"}),
        ("/:a(\\(\\))", "/()", {"a": "()"}),
        ("/(\\d+):b(.+)", "/1x", {"b": "x"}),
        ("/:a([^x]+)", "/ab", {"a": "ab"}),
        ("/:a(a\\++)", "/a++", {"a": "a++"}),
        ("/:a(a+?b)", "/aab", {"a": "aab"}),
        # Repeating
        ("/orgs/:id?", "/orgs", {}),
        ("/orgs/:id?", "/orgs/x", {"id": "x"}),
        ("/orgs/(.*)?", "/orgs", {}),
        ("/a.(\\d+)?", "/a", {}),
        ("/orgs/:id?", "/orgs/x/y", None),
        ("/:path*", "/", {}),
        ("/:path*", "/a/b/c", {"path": "a/b/c"}),
        ("/:path+", "/a/b", {"path": "a/b"}),
        ("/:path+", "/", None),
        ("/x/:path+", "/x", None),
        ("/:a(\\d)+", "/1/2", {"a": "1/2"}),
        ("/:a(\\d)+", "/1/x", None),
        # Groups
        ("/orgs{/:id}?", "/orgs", {}),
        ("/orgs{/:id}?", "/orgs/x", {"id": "x"}),
        ("/a{b}?c", "/abc", {}),
        ("/a{b}?c", "/ac", {}),
        ("/a{b}?c", "/abbc", None),
        ("/a{b}*c", "/abbc", {}),
        ("/a{b}c", "/abc", {}),
        ("/a{-:x}*", "/a-1-2", {"x": "1-2"}),
        ("/a{-:x-}+", "/a-1--2-", {"x": "1--2"}),
        ("/a{:x.html}", "/ab.html", {"x": "b"}),
        ("/a{.(\\d+)}?", "/a.12", {}),
        ("/{}x", "/x", {}),
        # Escapes
        ("/a\\:b", "/a:b", {}),
        ("/a\\(b\\)", "/a(b)", {}),
        ("/a\\*", "/a*", {}),
        ("/\\/:a", "//x", {"a": "x"}),
        ("/{a\\}}?", "/a}", {}),
    ],
)
def test_a_pattern_matches_these_paths(
    pattern: str, path: str, found: dict[str, str] | None
) -> None:
    assert compile_pattern(pattern).match(path) == found


# What is refused

REFUSED = [
    # Wrong in any dialect
    "/:",
    "/: ",
    "/:-",
    "/:a:",
    "/:é",
    "/orgs/:id(",
    "/orgs/:id(x",
    "/x)",
    "/()",
    "/:id()",
    "/{",
    "/{a",
    "/}",
    "/a}",
    "/{a{b}}",
    "/{:a:b}",
    "/{:a/:b}",
    "?",
    "/*",
    "/a*",
    "/a+",
    "/a?",
    "**",
    "/:a**",
    "/:a?+",
    "/\\",
    "/([)",
    "/(a{2,1})",
    "/(*)",
    "/:id([a-z)",
    # Two parameters with nothing between them
    "/:a:b",
    "/:a(x):b",
    "/(.*):b",
    "/{a}:b",
    "/:a{:b}",
    # Repeating what neither follows nor precedes anything
    ":a*",
    ":a+",
    "/a-:b*",
    "(.*)*",
    "{:a}+",
    "/{:a-}*",
    "/{(a)-}+",
    # Repeating twice: the longer a path, the more ways there were to read it
    "/:a*/:b*",
    "/:a+/x/{-:b}+",
    "/{a}*{a}*",
    # Outside the subset
    "/(?:a)",
    "/(?i)a",
    "/(?=a)",
    "/(?!a)",
    "/((?=a))",
    "/((?!a).*)",
    "/((?<=a).*)",
    "/((?<name>a))",
    "/((?P<name>a))",
    "/((a))",
    "/((a)|b)",
    "/:a((x)y)",
    "/((?:(?:a)))",
    "/(\\1)",
    "/:a((?:x)\\1)",
    "/(\\k<a>)",
    "/(\\Ka)",
    "/((?#x))",
    "/(a++)",
    "/(a*+)",
    "/(a?+)",
    "/(a{1}+)",
    "/([[a])",
    "/([a--b])",
    "/([a&&b])",
    "/([a~~b])",
    "/([a||b])",
]


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_that_is_wrong_or_not_supported_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern) as raised:
        compile_pattern(pattern)
    assert repr(pattern) in str(raised.value)


@pytest.mark.parametrize("pattern", REFUSED)
@pytest.mark.parametrize("setting", ["organization_patterns", "personal_account_patterns"])
def test_an_instance_with_such_a_pattern_is_a_configuration_error(
    setting: str, pattern: str
) -> None:
    for key in (PUBLISHABLE_LIVE, None):
        options: dict[str, Any] = {setting: ["/fine", pattern], "publishable_key": key}
        with pytest.raises(ConfigurationError, match="pattern"):
            Clerk(secret_key="sk_live_x", dotenv=False, **options)


@given(st.text(alphabet=":()[]{}?*+\\/.-_|&~ab1^$ é", max_size=14))
@settings(max_examples=1500, deadline=None)
def test_any_text_is_a_pattern_or_a_bad_one(text: str) -> None:
    try:
        pattern = compile_pattern(text)
    except BadPattern:
        return
    found = pattern.match("/a/b-1.a")
    assert found is None or all(found)


# No path takes long

HOSTILE = [
    "/" + "a" * 100_000,
    "/" * 100_000,
    "/" + "-" * 100_000,
    "/" + "a-" * 50_000,
    "/" + "a." * 50_000,
    "/orgs/" + "a/" * 50_000,
    "/orgs/" + "%2F" * 30_000,
]
ENDINGS = ["", "/", "#", "?x", "//"]


@pytest.mark.parametrize(
    "pattern",
    [
        "/orgs/:id",
        "/orgs/:id/(.*)",
        "/orgs-by-id/:id/(.*)",
        "/orgs/:slug?/x",
        "/orgs{/:id}?/x",
        "/:a/:b/:c/:d",
        "/:path*",
        "/:path+/x",
        "/orgs/:path*/x",
        "/:a-:b",
        "/:a-:b-:c-:d",
        "/:a.:b.:c.:d",
        "/:a--:b--:c",
        "/{-:x}*/y",
        "/(.*)/x",
        "/:id(org_[a-z]+)/(.*)",
        "/:id(\\d+)/x",
    ],
)
def test_no_path_takes_long(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    for path in HOSTILE:
        for ending in ENDINGS:
            started = time.perf_counter()
            compiled.match(path + ending)
            assert time.perf_counter() - started < 1.0


def test_a_pattern_shows_its_text() -> None:
    assert compile_pattern("/orgs/:id").text == "/orgs/:id"
