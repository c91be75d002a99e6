"""The strict reading of a compact JWS, judged by re-encoding, PyJWT and joserfc."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import RSAKey

from clerk_wsgi.jws import MAX_LENGTH, Malformed, decode_segment, parse_jws, parse_object

from .minting import Minter, base64url, segment

HEADER = {"alg": "RS256", "kid": "ins_k1"}


@pytest.fixture(scope="module")
def minter() -> Minter:
    return Minter()


def test_a_token_falls_into_header_payload_and_signature(minter: Minter) -> None:
    token = minter.compact(HEADER, {"sub": "user_1", "n": 1.5, "list": [{}, None, True]})
    jws = parse_jws(token)
    assert jws.header == HEADER
    assert jws.payload == {"sub": "user_1", "n": 1.5, "list": [{}, None, True]}
    assert jws.signed == token.rpartition(".")[0].encode()
    assert base64url(jws.signature) == token.rpartition(".")[2]


def test_pyjwt_and_joserfc_read_the_same_claims(minter: Minter) -> None:
    token = minter.compact(HEADER, {"sub": "user_1", "name": "Zoë", "big": 2**70})
    mine = parse_jws(token)
    theirs = jwt.decode_complete(token, minter.pem, algorithms=["RS256"])
    other = joserfc_jws.deserialize_compact(token, RSAKey.import_key(minter.pem))
    assert mine.header == theirs["header"] == other.headers()
    assert mine.payload == theirs["payload"] == json.loads(other.payload)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "." * 60_000,
        "é.é.é",
        "a" * 1_000_000,
        "e30.e30.",
        ".e30.e30",
        "e30..e30",
        "e30=.e30.e30",
        "e30 .e30.e30",
        "e30.e30.e30\n",
        "e30.e30.e3+",
        "e30.e30.e3/",
        "e30.e30.ab!",
        "e30.e30.ａｂｃ",
        "e30.e30.e31",  # spare bits
        "e30.e30.ab",
        "e30.e30.a",
        "e30.e30.abcde",
    ],
)
def test_another_shape_is_no_token(text: str) -> None:
    with pytest.raises(Malformed):
        parse_jws(text)


def test_a_token_of_16_kilobytes_is_read_and_one_more_byte_is_not() -> None:
    room = MAX_LENGTH - len("e30.e30.")
    assert parse_jws("e30.e30." + "A" * room).signature == b"\0" * (room * 3 // 4)
    with pytest.raises(Malformed, match="longer"):
        parse_jws("e30.e30." + "A" * (room + 4))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"1",
        b'"text"',
        b"[]",
        b"[{}]",
        b"{} {}",
        b"{}\0",
        b"{} x",
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"b":{"a":1,"a":2}}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":"\xff"}',
        b'{"a":"\xc0\xaf"}',
        b'{"a":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"a":' + b"[" * 40_000,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"]" * 100 + b"[" * 100,
    ],
)
def test_what_is_not_one_strict_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_object(data)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")},
        {"a": [[] for _ in range(1000)]},
        {"a": "[" * 1000 + '\\"{{' * 20},
        {"a": {"b": 1}, "b": {"b": 2}},
        {str(n): n for n in range(3000)},
    ],
)
def test_strict_json_objects_are_read(value: dict[str, Any]) -> None:
    assert parse_object(json.dumps(value).encode()) == value
    assert parse_object(json.dumps(value, ensure_ascii=False).encode()) == value


def test_white_space_around_json_is_json() -> None:
    assert parse_object(b' \t\r\n{ "a" : 1 } ') == {"a": 1}


def test_64_levels_are_the_limit() -> None:
    assert parse_object(b'{"a":' * 64 + b"1" + b"}" * 64)


def is_canonical(text: str) -> bool:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return False
    return base64url(data) == text


@given(st.text("ABCZabcz019_-", max_size=9))
@settings(max_examples=500, deadline=None)
def test_a_segment_is_decoded_exactly_if_re_encoding_gives_it_back(text: str) -> None:
    segment = text.encode().translate(bytes.maketrans(b"-_", b"+/"))
    if is_canonical(text):
        assert base64url(decode_segment(segment)) == text
    else:
        with pytest.raises(Malformed):
            decode_segment(segment)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def is_finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@given(st.dictionaries(st.text(), JSON), st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_whatever_is_read_was_written_that_way(payload: dict[str, Any], signature: bytes) -> None:
    try:
        text = f"{segment(HEADER)}.{segment(payload)}.{base64url(signature)}"
    except UnicodeEncodeError:
        return
    if not signature or not is_finite(payload):
        with pytest.raises(Malformed):
            parse_jws(text)
    else:
        jws = parse_jws(text)
        assert (jws.payload, jws.signature) == (payload, signature)


@given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,40}(\.[\w-]{0,40}){2}", fullmatch=True))
@settings(max_examples=1000, deadline=None)
def test_no_text_raises_anything_but_malformed(text: str) -> None:
    try:
        jws = parse_jws(text)
    except Malformed:
        return
    assert isinstance(jws.header, dict)
    assert isinstance(jws.payload, dict)


def test_nothing_of_the_token_stands_in_the_error() -> None:
    with pytest.raises(Malformed) as caught:
        parse_jws(f"{segment(HEADER)}.{segment('{secret}')}.abcd")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_parsed_token_does_not_show_itself(minter: Minter) -> None:
    assert "user_1" not in repr(parse_jws(minter.token()))
