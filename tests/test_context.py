"""What a request asks and carries, read from an environ that stays as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi.context import CookieReader, RequestContext, parse_authorization, parse_query

from .minting import environ

NAMES = ("__session", "__client_uat")
NAMED = "_clerk_session_id"


def context(**keys: str) -> RequestContext:
    return RequestContext(environ(**keys), CookieReader(NAMES).read)


# Authorization


@pytest.mark.parametrize(
    "value",
    [
        "tok",
        "Bearer tok",
        "bearer tok",
        "BEARER tok",
        "bEaReR tok",
        "Bearer    tok",
        "  Bearer tok  ",
        "\tBearer tok\t",
        "\ttok ",
    ],
)
def test_a_bearer_token_may_be_spelled_in_these_ways(value: str) -> None:
    assert context(HTTP_AUTHORIZATION=value).bearer_token == "tok"


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "\t",
        "Basic dXNlcjpwYXNz",
        "Digest username=x",
        "Bearer: tok",
        "Bearertok tok",
        "XBearer tok",
        "Bear tok",
        "Bearer\ttok x",
        '"Bearer" tok',
        "\u0392earer tok",
        "B\u0435arer tok",
    ],
)
def test_another_scheme_has_no_bearer_token(value: str) -> None:
    assert context(HTTP_AUTHORIZATION=value).bearer_token is None


def test_without_the_header_there_is_no_bearer_token() -> None:
    assert context().bearer_token is None


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("Bearer", "Bearer"),
        ("Bearer ", "Bearer"),
        ("Basic  tok", "Basic"),
        ("Bearer\ttok", "Bearer\ttok"),
        ("Bearer tok tok2", "tok tok2"),
        ("Bearer tok,tok2", "tok,tok2"),
        ("Bearer tok\ntok2", "tok\ntok2"),
        ("Bearer Bearer tok", "Bearer tok"),
        ("Bearer tok\x00", "tok\x00"),
        ("caf\xe9", "caf\xe9"),
    ],
)
def test_what_is_wrong_with_a_token_is_for_its_reader_to_say(value: str, token: str) -> None:
    assert parse_authorization(value) == token


@pytest.mark.parametrize("length", [100_000, 1_000_000])
def test_a_long_value_costs_next_to_nothing(length: int) -> None:
    assert parse_authorization("Bearer" + " " * length + "x") == "x"
    assert parse_authorization("Bearer " * (length // 7)) is not None
    assert parse_authorization("x " * (length // 2)) is None


@given(st.text(max_size=80) | st.from_regex(r"(?i)[ \t]*bearer[ \t]*.{0,20}", fullmatch=True))
@settings(max_examples=500, deadline=None)
def test_no_authorization_raises_or_gives_an_empty_token(value: str) -> None:
    assert context(HTTP_AUTHORIZATION=value).bearer_token != ""


# Query strings


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("x=1", []),
        ("_clerk_session_id=sess_1", ["sess_1"]),
        ("a=1&_clerk_session_id=sess_1&b=2", ["sess_1"]),
        # Empty ones are there.
        ("_clerk_session_id=", [""]),
        ("_clerk_session_id", [""]),
        ("&&_clerk_session_id&&", [""]),
        # Repeated ones are all there, in order.
        ("_clerk_session_id=a&_clerk_session_id=b", ["a", "b"]),
        ("_clerk_session_id=a&_clerk_session_id=a", ["a", "a"]),
        ("_clerk_session_id=a&_clerk_session_id", ["a", ""]),
        # Names are decoded too, once.
        ("%5Fclerk%5fsession_id=a", ["a"]),
        ("_clerk_session_id=a&%5fclerk_session_id=b", ["a", "b"]),
        ("%255Fclerk_session_id=a", []),
        # Values are decoded once.
        ("_clerk_session_id=a%20b+c%2B", ["a b c+"]),
        ("_clerk_session_id=%2561", ["%61"]),
        ("_clerk_session_id=a=b", ["a=b"]),
        ("_clerk_session_id=a%26_clerk_session_id=b", ["a&_clerk_session_id=b"]),
        ("_clerk_session_id%3Da", []),
        # Only an ampersand separates.
        ("_clerk_session_id=a;_clerk_session_id=b", ["a;_clerk_session_id=b"]),
        ("x=1;_clerk_session_id=a", []),
        ("x=%3B&_clerk_session_id=a", ["a"]),
        # Percent signs that are none, bytes that are no UTF-8.
        ("_clerk_session_id=%", ["%"]),
        ("_clerk_session_id=%zz%4", ["%zz%4"]),
        ("_clerk_session_id=%ff", ["\ufffd"]),
        ("_clerk_session_id=\xff", ["\ufffd"]),
        ("_clerk_session_id=%E2%98%83", ["\u2603"]),
        ("_clerk_session_id=\xe2\x98\x83", ["\u2603"]),  # the same as a server passes it on
        ("x=%ff&_clerk_session_id=a", ["a"]),
        ("\xff%ff=1&_clerk_session_id=a", ["a"]),
        ("_clerk_session_id%00=a", []),
        ("_clerk_session_id=%00", ["\x00"]),
        ("_Clerk_Session_Id=a", []),
        ("+_clerk_session_id=a", []),
    ],
)
def test_a_parameter_has_these_values(text: str, values: list[str]) -> None:
    assert context(QUERY_STRING=text).query(NAMED) == values


def test_a_query_is_parsed_once_for_all_its_names() -> None:
    request = context(QUERY_STRING="a=1&b=2&a=3")
    assert (request.query("a"), request.query("b"), request.query("c")) == (["1", "3"], ["2"], [])


@given(
    st.text(max_size=60)
    | st.text("ab=&;%+ 0fF\xff\xe9\u20ac\x00\r\n", max_size=40)
    | st.lists(st.sampled_from(["_clerk_session_id", "=", "&", "%5F", "%ff", ";"])).map("".join)
)
@settings(max_examples=1000, deadline=None)
def test_no_query_raises(text: str) -> None:
    found = parse_query(text)
    assert all(isinstance(value, str) for values in found.values() for value in values)
    context(QUERY_STRING=text).query(NAMED)


@given(
    st.lists(
        st.tuples(st.text(max_size=9), st.text(max_size=9)).filter(any),
        max_size=5,
    )
)
@settings(max_examples=300, deadline=None)
def test_what_was_encoded_is_decoded(pairs: list[tuple[str, str]]) -> None:
    text = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in pairs)
    wanted: dict[str, list[str]] = {}
    for name, value in pairs:
        wanted.setdefault(readable(name), []).append(readable(value))
    assert parse_query(text) == wanted


def encoded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def readable(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


# The environ


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"HTTP_COOKIE": '__session="a%2Eb"; x=\xff; __client_uat=1'},
        {"QUERY_STRING": "_clerk_session_id=%ff;&x=\xff"},
        {"HTTP_AUTHORIZATION": "Bearer x", "HTTP_COOKIE": "a=b", "QUERY_STRING": "a=b"},
    ],
)
def test_the_environ_is_not_touched(keys: dict[str, str]) -> None:
    given_ = environ(**keys)
    before = copy.deepcopy(given_)
    request = RequestContext(given_, CookieReader(NAMES).read)
    for _ in range(2):
        assert request.method == "GET"
        assert isinstance(request.bearer_token, (str, type(None)))
        assert set(request.cookies) <= set(NAMES)
        request.query(NAMED)
    assert given_ == before
    assert not any(name.startswith("webob") for name in given_)


def test_an_empty_environ_is_a_request_that_carries_nothing() -> None:
    nothing: dict[str, Any] = {}
    request = RequestContext(nothing, CookieReader(NAMES).read)
    assert (request.method, request.bearer_token) == ("GET", None)
    assert (dict(request.cookies), request.query(NAMED)) == ({}, [])
    assert nothing == {}


def test_the_method_is_the_one_sent() -> None:
    assert context(REQUEST_METHOD="pOsT").method == "pOsT"


def test_cookies_are_split_once() -> None:
    request = context(HTTP_COOKIE="__session=a; __client_uat=1; other=x")
    assert request.cookies == {"__session": "a", "__client_uat": "1"}
    assert request.cookies is request.cookies
