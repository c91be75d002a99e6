"""Splitting a Cookie header, reading its numbers, and choosing between the two copies."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerk_wsgi.context import decode_cookie
from clerk_wsgi.cookies import (
    MAX_HEADER,
    CookieSelection,
    SessionCookies,
    Unverified,
    split_cookies,
    whole_number,
)
from clerk_wsgi.settings import PublishableKey

from .minting import NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, SUFFIX_LIVE, SUFFIX_TEST

SESSION = "__session"
UAT = "__client_uat"
NAMES = (SESSION, UAT)


def split(header: str) -> dict[str, str]:
    return split_cookies(header, NAMES, decode_cookie)


# Splitting


@pytest.mark.parametrize(
    "header",
    [
        "__session=tok",
        "__session=tok;",
        "; ;;__session=tok;;",
        "\t__session \t=\t tok ",
        "a=b; __session=tok; c=d",
        "a;__session=tok;=b;=",
        "$Version=1; $Path=/; __session=tok",
        'prefs={"a":"b"}; foo[bar]=1; __session=tok',
        'open="never closed; __session=tok',
        "x=caf\xe9; \xff=\xfe; __session=tok",
        "x=%C0; y=100%; __session=tok",
        "__proto__=x; constructor=y; __session=tok",
        "__session=tok; __session=other",
        "__session=tok; __session=",
        "__session=tok; __session",
        "__SESSION=other; __session=tok",
        "__session\x00=other; __session=tok",
        "\xa0__session=other; __session=tok",  # white space to Python, not to RFC 6265
        "\x0b__session=other; __session=tok",
        ("a=b; " * 12_000) + "__session=tok",
    ],
)
def test_the_session_cookie_is_found_whatever_stands_beside_it(header: str) -> None:
    assert split(header) == {SESSION: "tok"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        ";",
        "=",
        "=tok",
        "__session",
        "__session tok",
        "__session=",
        "__session= \t",
        '__session=""',
        "__session=; __session=tok",  # the first counts, and it is empty
        '__session=""; __session=tok',
        "_session=tok",
        "__session_=tok",
        "__sessions=tok",
        "__session_abc=tok",
        "X__session=tok",
        "__Session=tok",
        "__Host-__session=tok",
        "__Secure-__session=tok",
        "%5F_session=tok",
        "__session%20=tok",
        '"__session"=tok',
        "__session:tok",
        "a=x%3B%20__session%3Dtok",
        'a="x; __session_=tok"',
        "a=b __session=tok",
        "a=b, __session=tok",
        "a=b\n__session=tok",
        "a=b\r\nCookie: __session=tok",
        "a=__session=tok",
        "__session\uff1dtok",
    ],
)
def test_near_misses_are_no_session_cookie(header: str) -> None:
    assert split(header) == {}


def test_quotes_around_a_separator_do_not_hide_it() -> None:
    assert split('a="x; __session=tok"') == {SESSION: 'tok"'}


def test_only_the_names_asked_for_are_returned_and_both_of_them() -> None:
    assert split("a=1; __client_uat=2; b=3; __session=4") == {UAT: "2", SESSION: "4"}


def test_a_header_of_64_kilobytes_is_read_and_one_more_byte_is_not() -> None:
    cookie = "; __session=tok"
    room = MAX_HEADER - len(cookie)
    assert split("a" * room + cookie) == {SESSION: "tok"}
    assert split("a" * (room + 1) + cookie) == {}


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        # Plain values are taken as they are.
        ("a=b=c", "a=b=c"),
        ("a+b", "a+b"),
        ("a b", "a b"),
        ("caf\xe9", "caf\xe9"),
        ("a\\b", "a\\b"),
        # Percent sequences, once; not at all if one of them is malformed or no UTF-8.
        ("a%2Eb%2ec", "a.b.c"),
        ("%2525", "%25"),
        ("%E2%98%83", "\u2603"),
        ("a%3B%20__session%3Dx", "a; __session=x"),
        ("%", "%"),
        ("a%2", "a%2"),
        ("a%2Eb%", "a%2Eb%"),
        ("a%2Eb%zz", "a%2Eb%zz"),
        ("%C0%80", "%C0%80"),
        ("%ff", "%ff"),
        ("%ED%A0%80", "%ED%A0%80"),
        ("\xe9%2E", "\xe9."),
        # Quotes around the whole value go, and what they quote is decoded.
        ('"tok"', "tok"),
        ('"a b,c=d"', "a b,c=d"),
        ('"a%2Eb"', "a.b"),
        (r'"a\"b"', 'a"b'),
        (r'"a\\b"', "a\\b"),
        (r'"a\145"', "ae"),
        ('"caf\xe9"', "caf\xe9"),
        ('"a\u20acb"', "a?b"),
        # Anything else that holds a quote is no quoted value.
        ('"', '"'),
        ('"tok', '"tok'),
        ('tok"', 'tok"'),
        ('"tok"junk', '"tok"junk'),
        ('"tok" "tok"', '"tok" "tok"'),
        ('"tok" x=y', '"tok" x=y'),
        ('"a"b"', '"a"b"'),
        (r'"tok\"', r'"tok\"'),
        ('"a\nb"', '"a\nb"'),
        ("'tok'", "'tok'"),
    ],
)
def test_a_value_is_decoded_after_the_split(value: str, decoded: str) -> None:
    found = split_cookies(f"{SESSION}={value}", NAMES, decode_cookie)
    assert found == {SESSION: decoded}


@given(st.text(max_size=60) | st.text('"\\a0 ,;=%_\xe9\u20ac\x00\r\n\t\x0b\x85', max_size=30))
@settings(max_examples=1000, deadline=None)
def test_no_text_in_a_value_or_header_raises(text: str) -> None:
    for header in (text, f"{SESSION}={text}", f'{SESSION}="{text}"', f"{SESSION}=%{text}"):
        assert set(split(header)) <= set(NAMES)


NAME = st.text("_aZ09-.", min_size=1, max_size=12) | st.sampled_from([SESSION, UAT, "__Session"])
VALUE = st.text("abcXYZ019.-_=+/ ", max_size=12).map(str.strip)


@given(st.lists(st.tuples(NAME, VALUE), max_size=8), st.sampled_from([";", "; ", " ;\t"]))
@settings(max_examples=300, deadline=None)
def test_the_first_of_a_name_wins(pairs: list[tuple[str, str]], separator: str) -> None:
    header = separator.join(f"{name}={value}" for name, value in pairs)
    first = dict(reversed(pairs))
    assert split(header) == {name: first[name] for name in NAMES if first.get(name)}


# Numbers


@pytest.mark.parametrize("text", ["0", "1", "007", "1795413600", "9" * 15])
def test_a_whole_number_is_one_to_fifteen_digits(text: str) -> None:
    assert whole_number(text) == int(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "-1",
        "1.0",
        "1e3",
        "1_000",
        "0x1",
        "9" * 16,
        "9" * 5000,
        "\u0663",  # a digit of another script
        "\u00b2",
        "1a",
        "null",
        "NaN",
    ],
)
def test_anything_else_counts_as_zero(text: str | None) -> None:
    assert whole_number(text) == 0


# The selection between the plain and the suffixed copies

LIVE = PublishableKey(
    text=PUBLISHABLE_LIVE, instance_type="production", frontend_api="clerk.example.com"
)
TEST = PublishableKey(
    text=PUBLISHABLE_TEST,
    instance_type="development",
    frontend_api="happy-emu-1.clerk.accounts.dev",
)
OWN = "https://clerk.example.com"
OWN_TEST = "https://happy-emu-1.clerk.accounts.dev"
# What the session cookies say, by their (made-up) text; a text not listed cannot be read.
TOKENS = {
    "own": Unverified(issuer=OWN, issued_at=100, expires_at=NOW + 60),
    "own-http": Unverified(issuer="HTTP://clerk.example.com", issued_at=100, expires_at=None),
    "own-bare": Unverified(issuer="clerk.example.com", issued_at=100, expires_at=None),
    "newer": Unverified(issuer=OWN, issued_at=101, expires_at=NOW + 60),
    "ageless": Unverified(issuer=OWN, issued_at=0, expires_at=None),
    "test": Unverified(issuer=OWN_TEST, issued_at=100, expires_at=NOW + 60),
    "test-newer": Unverified(issuer=OWN_TEST, issued_at=101, expires_at=NOW + 60),
    "test-expired": Unverified(issuer=OWN_TEST, issued_at=90, expires_at=NOW),
    "test-last-second": Unverified(issuer=OWN_TEST, issued_at=90, expires_at=NOW + 1),
    "test-endless": Unverified(issuer=OWN_TEST, issued_at=90, expires_at=None),
    "live-expired": Unverified(issuer=OWN, issued_at=90, expires_at=NOW),
    "foreign": Unverified(issuer="https://other.example.com", issued_at=100, expires_at=None),
    "port": Unverified(issuer=OWN + ":8443", issued_at=100, expires_at=None),
    "slash": Unverified(issuer=OWN + "/", issued_at=100, expires_at=None),
    "ftp": Unverified(issuer="ftp://clerk.example.com", issued_at=100, expires_at=None),
    "prefix": Unverified(issuer=OWN + ".evil.test", issued_at=100, expires_at=None),
    "odd-issuer": Unverified(issuer=["https://clerk.example.com"], issued_at=9, expires_at=None),
    "no-issuer": Unverified(issuer=None, issued_at=100, expires_at=None),
    "empty-issuer": Unverified(issuer="", issued_at=100, expires_at=None),
}


@dataclass(frozen=True)
class Row:
    """One row: plain session and uat, suffixed session and uat, and whether suffixed ones count.

    ``None`` is a cookie that is absent.
    """

    number: int
    s: str | None
    u: str | None
    s_: str | None
    u_: str | None
    suffixed: bool
    key: PublishableKey = LIVE


def dev(
    number: int, s: str | None, u: str | None, s_: str | None, u_: str | None, suffixed: bool
) -> Row:
    return Row(number, s, u, s_, u_, suffixed, TEST)


ROWS = [
    # 1: the plain session cookie cannot be read, or names no issuer.
    Row(1, "junk", "1", "own", "1", suffixed=False),
    Row(1, "no-issuer", "1", "own", "1", suffixed=False),
    Row(1, "empty-issuer", "1", "own", "1", suffixed=False),
    Row(1, "junk", "0", "own", "1", suffixed=False),
    # … and almost: it is the suffixed one that cannot be read.
    Row(8, None, "1", "junk", "1", suffixed=True),
    Row(8, "ageless", "1", "junk", "1", suffixed=True),
    # 2: of another instance.
    Row(2, "foreign", "1", "own", "1", suffixed=True),
    Row(2, "foreign", "1", None, None, suffixed=True),
    Row(2, "foreign", "1", None, "0", suffixed=True),
    Row(2, "odd-issuer", "1", "own", "1", suffixed=True),
    Row(2, "port", "1", None, None, suffixed=True),
    Row(2, "slash", "1", None, None, suffixed=True),
    Row(2, "ftp", "1", None, None, suffixed=True),
    Row(2, "prefix", "1", None, None, suffixed=True),
    dev(2, "own", "1", None, None, suffixed=True),
    # … and almost: the scheme does not matter.
    Row(3, "own-http", "1", None, None, suffixed=False),
    Row(3, "own-bare", "1", None, None, suffixed=False),
    # 3: no suffixed copies.
    Row(3, "own", "1", None, None, suffixed=False),
    Row(3, None, "0", None, None, suffixed=False),
    Row(3, None, None, None, None, suffixed=False),
    # 4: the plain one is newer.
    Row(4, "newer", "1", "own", "1", suffixed=False),
    Row(4, "newer", None, "own", "1", suffixed=False),
    Row(4, "newer", "1", "own", None, suffixed=False),
    Row(4, "own", "1", None, "1", suffixed=False),
    Row(4, "own", "1", "junk", "1", suffixed=False),
    dev(4, "test-newer", "1", "test", "1", suffixed=False),
    # … and almost: as old, older, or one of them signed out.
    Row(8, "own", "1", "own", "1", suffixed=True),
    Row(8, "own", "1", "newer", "1", suffixed=True),
    Row(8, "newer", "0", "own", "1", suffixed=True),
    Row(8, "newer", "0", "own", "0", suffixed=True),
    # 5: the suffixed ones say signed out, the plain ones do not.
    Row(5, "own", "1", "own", "0", suffixed=False),
    Row(5, "own", None, "newer", "0", suffixed=False),
    Row(5, None, None, None, "0", suffixed=False),
    Row(5, None, "00", None, "0", suffixed=False),  # the text counts, not the number
    # … and almost: the plain ones say so too.
    Row(8, "own", "0", "own", "0", suffixed=True),
    Row(8, None, "0", None, "0", suffixed=True),
    Row(8, None, "1", None, "00", suffixed=True),
    # 6: in development, plain signed out and the suffixed session expired.
    dev(6, "test", "0", "test-expired", "1", suffixed=False),
    dev(6, None, "0", "test-expired", None, suffixed=False),
    # … and almost: production, not expired, not signed out, or both signed out.
    Row(8, "own", "0", "live-expired", "1", suffixed=True),
    dev(8, "test", "0", "test-last-second", "1", suffixed=True),
    dev(8, "test", "0", "test-endless", "1", suffixed=True),
    dev(8, "test", "0", "junk", "1", suffixed=True),
    dev(8, "test", "0", None, "1", suffixed=True),
    dev(8, "test", "0", "test-expired", "0", suffixed=True),
    dev(4, "test", "1", "test-expired", "1", suffixed=False),
    # 7: a suffixed session without its uat.
    Row(7, "own", "1", "own", None, suffixed=False),
    Row(7, None, None, "own", None, suffixed=False),
    Row(7, None, "0", "own", None, suffixed=False),
    dev(7, "test", "0", "test", None, suffixed=False),
    # 8: otherwise.
    Row(8, None, None, "own", "1", suffixed=True),
    Row(8, None, None, None, "1", suffixed=True),
    Row(8, None, "1", "own", "1", suffixed=True),
    Row(8, "ageless", "1", "ageless", "1", suffixed=True),
]


def choose(key: PublishableKey, cookies: dict[str, str]) -> SessionCookies:
    selection = CookieSelection(key, key.frontend_api)
    return selection.choose(cookies, TOKENS.get, NOW)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_selection_table(row: Row) -> None:
    suffix = row.key.suffix
    given_ = {
        SESSION: row.s,
        UAT: row.u,
        "__clerk_db_jwt": "plain-browser",
        f"{SESSION}_{suffix}": row.s_,
        f"{UAT}_{suffix}": row.u_,
        f"__clerk_db_jwt_{suffix}": "suffixed-browser",
    }
    chosen = choose(row.key, {name: value for name, value in given_.items() if value})
    session, uat = (row.s_, row.u_) if row.suffixed else (row.s, row.u)
    assert chosen == SessionCookies(
        session=session,
        client_uat=int(uat or 0),
        dev_browser="suffixed-browser" if row.suffixed else "plain-browser",
        suffixed=row.suffixed,
    )


def test_every_row_of_the_table_is_tried() -> None:
    assert {row.number for row in ROWS} == set(range(1, 9))


def test_the_second_that_has_begun_is_the_one_that_counts() -> None:
    token = Unverified(issuer=OWN, issued_at=0, expires_at=NOW)
    assert not token.is_expired(NOW - 0.001)
    assert token.is_expired(NOW)
    assert token.is_expired(NOW + 0.999)
    assert not Unverified(issuer=OWN, issued_at=0, expires_at=NOW + 1).is_expired(NOW + 0.999)


def test_without_cookies_nobody_is_there() -> None:
    assert choose(LIVE, {}) == SessionCookies(
        session=None, client_uat=0, dev_browser=None, suffixed=False
    )


@pytest.mark.parametrize(("key", "suffix"), [(LIVE, SUFFIX_LIVE), (TEST, SUFFIX_TEST)])
def test_the_names_of_an_instance_end_in_its_suffix(key: PublishableKey, suffix: str) -> None:
    selection = CookieSelection(key, key.frontend_api)
    plain = ("__session", "__client_uat", "__clerk_db_jwt")
    own = [f"{name}_{suffix}" for name in (*plain, "__refresh")]
    assert sorted(selection.names) == sorted([*plain, *own])


@pytest.mark.parametrize("uat", ["0", "1"])
def test_a_refresh_cookie_counts_whichever_session_does_but_only_with_the_suffix(uat: str) -> None:
    cookies = {UAT: "1", f"{UAT}_{SUFFIX_LIVE}": uat, "__refresh": "plain"}
    assert choose(LIVE, cookies).refresh is None
    assert choose(LIVE, {**cookies, f"__refresh_{SUFFIX_LIVE}": "own"}).refresh == "own"


def test_only_the_plain_session_cookie_is_read_unless_a_choice_is_to_be_made() -> None:
    seen: list[str] = []

    def read(text: str) -> Unverified | None:
        seen.append(text)
        return TOKENS.get(text)

    CookieSelection(LIVE, LIVE.frontend_api).choose({SESSION: "own", UAT: "1"}, read, NOW)
    assert seen == ["own"]
