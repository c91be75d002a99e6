"""Public keys: which are taken from a key set or a PEM text, and what a signature must be."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import string
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from clerk_wsgi.keys import KeysUnavailable, NoKeys, PemKey, UnknownKey, parse_jwks

from .minting import Minter, base64url

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNED = b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyXzEifQ"
DIGEST = hashlib.sha256(SIGNED).digest()
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")

MINTER = Minter()
OTHER = Minter("ins_other")
PRIVATE = MINTER.private.private_numbers()
N, D, SIZE = PRIVATE.public_numbers.n, PRIVATE.d, 256
KEY = parse_jwks(MINTER.jwks())["ins_k1"]
GOOD = MINTER.sign(SIGNED.decode())


def raw(block: bytes) -> bytes:
    """The signature that is this block once the public key is applied."""
    return pow(int.from_bytes(block, "big"), D, N).to_bytes(SIZE, "big")


def block(
    info: bytes, *, after: bytes = b"", fill: bytes = b"\xff", start: bytes = b"\0\1"
) -> bytes:
    padded = start + fill * (SIZE - len(start) - 1 - len(info) - len(after))
    return padded + b"\0" + info + after


def integer(value: int) -> bytes:
    return value.to_bytes(max(SIZE, (value.bit_length() + 7) // 8), "big")


# ---- signatures ----


def test_the_signature_of_the_key_verifies() -> None:
    assert KEY.verify(GOOD, SIGNED)
    assert KEY.verify(raw(block(SHA256_PREFIX + DIGEST)), SIGNED)


@pytest.mark.parametrize("signed", [b"", SIGNED + b"A", SIGNED[:-1], SIGNED.swapcase()])
def test_it_verifies_nothing_but_what_was_signed(signed: bytes) -> None:
    assert not KEY.verify(GOOD, signed)


def test_it_verifies_for_no_other_key() -> None:
    assert not parse_jwks(OTHER.jwks())["ins_other"].verify(GOOD, SIGNED)


def info(body: str) -> bytes:
    return bytes.fromhex(body.replace(" ", "")) + DIGEST


MALFORMED = {
    "no DigestInfo": block(DIGEST),
    "no NULL": block(info("302f 300b 0609608648016503040201 0420")),
    "two NULLs": block(info("3033 300f 0609608648016503040201 05000500 0420")),
    "NULL with content": block(info("3032 300e 0609608648016503040201 050100 0420")),
    "outer length in BER": block(info("308131 300d 0609608648016503040201 0500 0420")),
    "outer length in two bytes": block(info("30820031 300d 0609608648016503040201 0500 0420")),
    "inner length in BER": block(info("3032 30810d 0609608648016503040201 0500 0420")),
    "digest length in BER": block(info("3032 300d 0609608648016503040201 0500 048120")),
    "indefinite length": block(info("3080 300d 0609608648016503040201 0500 0420") + b"\0\0"),
    "NULL length in BER": block(info("3032 300e 0609608648016503040201 058100 0420")),
    "other tag of the digest": block(info("3031 300d 0609608648016503040201 0500 0320")),
    "SHA-1's OID": block(info("302d 3009 06052b0e03021a 0500 0420")),
    "SHA-384's OID": block(info("3031 300d 0609608648016503040202 0500 0420")),
    "digest too short": block(SHA256_PREFIX + DIGEST[:-1]),
    "digest too long": block(SHA256_PREFIX + DIGEST + b"\0"),
    "digest of something else": block(SHA256_PREFIX + hashlib.sha256(b"x").digest()),
    "garbage after the hash": block(SHA256_PREFIX + DIGEST, after=b"\0" * 8),
    "garbage counted in the sequence": block(info("3039 300d 0609608648016503040201 0500 0420")
                                             + b"\xaa" * 8),
    "short padding, much garbage": b"\0\1" + b"\xff" * 8 + b"\0" + SHA256_PREFIX + DIGEST
    + b"\xaa" * (SIZE - 62),
    "no padding": b"\0\1\0" + SHA256_PREFIX + DIGEST + b"\xaa" * (SIZE - 54),
    "padding of zeros": block(SHA256_PREFIX + DIGEST, fill=b"\0"),
    "padding of other bytes": block(SHA256_PREFIX + DIGEST, fill=b"\xfe"),
    "block type 0": block(SHA256_PREFIX + DIGEST, start=b"\0\0"),
    "block type 2": block(SHA256_PREFIX + DIGEST, start=b"\0\2"),
    "no leading zero": block(SHA256_PREFIX + DIGEST, start=b"\1"),
    "first byte 1": block(SHA256_PREFIX + DIGEST, start=b"\1\1"),
    "no separator": b"\0\1" + b"\xff" * (SIZE - 53) + SHA256_PREFIX + DIGEST,
    "empty": bytes(SIZE),
    "only padding": b"\0\1" + b"\xff" * (SIZE - 2),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_block_in_bad_form_never_verifies(name: str) -> None:
    assert len(MALFORMED[name]) in {SIZE, SIZE - 1}
    assert not KEY.verify(raw(MALFORMED[name]), SIGNED)


S = int.from_bytes(GOOD, "big")
WRONG = {
    "nothing": b"",
    **{f"{value}": integer(number) for value, number in
       {"0": 0, "1": 1, "n-1": N - 1, "n": N, "n+1": N + 1, "n-s": N - S, "s+n": S + N}.items()},
    "cut at the end": GOOD[:-1],
    "cut at the start": GOOD[1:],
    "zero before": b"\0" + GOOD,
    "zero after": GOOD + b"\0",
    "zero before, cut": (b"\0" + GOOD)[:SIZE],
    "doubled": GOOD * 2,
    "reversed": GOOD[::-1],
    "16 kB": GOOD * 64,
    "all ones": b"\xff" * SIZE,
    "in base64url": base64url(GOOD).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_signature_that_was_tampered_with_never_verifies(name: str) -> None:
    assert not KEY.verify(WRONG[name], SIGNED)


@pytest.mark.parametrize("bit", range(0, SIZE * 8, 61))
def test_no_flipped_bit_verifies(bit: int) -> None:
    assert not KEY.verify(integer(S ^ 1 << bit), SIGNED)


@pytest.mark.parametrize(
    ("scheme", "algorithm"),
    [
        *((padding.PKCS1v15(), h()) for h in (hashes.SHA1, hashes.SHA224, hashes.SHA384)),
        *((padding.PKCS1v15(), h()) for h in (hashes.SHA512, hashes.MD5, hashes.SHA3_256)),
        (padding.PKCS1v15(), hashes.SHA512_256()),
        (padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
        (padding.PSS(padding.MGF1(hashes.SHA256()), 0), hashes.SHA256()),
    ],
)
def test_a_signature_of_another_scheme_never_verifies(
    scheme: padding.AsymmetricPadding, algorithm: hashes.HashAlgorithm
) -> None:
    assert not KEY.verify(MINTER.private.sign(SIGNED, scheme, algorithm), SIGNED)


@given(st.one_of(st.binary(max_size=300), st.binary(min_size=SIZE, max_size=SIZE)), st.binary())
def test_no_bytes_verify_or_raise(signature: bytes, signed: bytes) -> None:
    assert not KEY.verify(signature, signed)


def test_a_key_shows_its_kid_and_equals_only_itself() -> None:
    again = parse_jwks(MINTER.jwks())["ins_k1"]
    assert repr(KEY) == "VerificationKey(kid='ins_k1')"
    assert again != KEY
    assert len({again, KEY, KEY}) == 2
    with pytest.raises(AttributeError):
        KEY.kid = "ins_evil"  # type: ignore[misc]


# ---- key sets ----


def spelled(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def odd(bits: int) -> str:
    """A modulus of so many bits; nobody could sign with it."""
    return spelled((1 << bits - 1) + 0x1234567)


ec_key = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
ACCEPTED: list[dict[str, Any]] = [
    {},
    {"use": ...},
    {"alg": ...},
    {"use": ..., "alg": ..., "key_ops": ["verify"]},
    {"key_ops": ["sign", "verify", 7, None]},
    {"kid": "ins_ä\ud800"},
    {"kid": ""},
    {"kid": "__proto__"},
    {"kid": "k" * 10_000},
    {"n": odd(2048)},
    {"n": odd(2049)},
    {"n": odd(4096)},
    {"n": odd(8192)},
    {"e": spelled(65539)},
    {"e": spelled((1 << 63) + 1)},
    {"x5c": ["junk"], "x5t": 7, "jku": "https://evil.test", "unknown": [{}]},
]


def each(name: str, *values: object) -> list[object]:
    return [{name: value} for value in values]


REFUSED: list[object] = [
    *({name: ...} for name in ("kid", "kty", "n", "e")),
    *each("kid", None, 7, [], {}, True, ["ins_k1"]),
    *each("kty", None, "rsa", "RSA ", "EC", "oct", "OKP", ["RSA"], 7),
    *each("use", None, "enc", "SIG", "", ["sig"], 7),
    *each("alg", None, "RS384", "RS512", "PS256", "HS256", "ES256", "none"),
    *each("alg", "", "rs256", "RS256 ", "RSA-OAEP", ["RS256"], 7),
    *each("key_ops", None, [], ["sign"], ["encrypt"], ["Verify"], 7),
    *each("key_ops", "verify", {"verify": 1}, [["verify"]]),
    *each("n", None, 7, [], {}, "", "=", "A", "AA", "!!!!", "ä", "\ud800"),
    *each("n", *(odd(bits) for bits in (512, 1024, 2040, 2047, 8193, 8200, 16384, 100_000))),
    *each("n", spelled(N - 1), spelled(N) + "=", spelled(N) + "==", " " + spelled(N)),
    *each("n", spelled(N) + "\n", base64.b64encode(b"\xfb" * 256).decode(), odd(2048)[:-1] + "B"),
    *each("e", *map(spelled, (1, 2, 3, 17, 257, 65535, 65536, 65538))),
    *each("e", spelled((1 << 64) + 1), spelled((1 << 2047) + 1)),
    *each("e", None, 65537, "", "AQAB=", "AQAB==", "AQ AB", "AAAA", [], {}),
    {"kty": "oct", "k": "c2VjcmV0"},
    {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    {"kty": "EC", "crv": "P-256", "x": spelled(ec_key.x), "y": spelled(ec_key.y)},
    None,
    7,
    "ins_k1",
    [],
    [["kid", "ins_k1"]],
]


def member(changes: object) -> object:
    if not isinstance(changes, dict):
        return changes
    whole = {**MINTER.jwk(), **changes}
    return {name: value for name, value in whole.items() if value is not ...}


def numbered(rows: list[Any]) -> list[Any]:
    return [pytest.param(row, id=f"{n}-{json.dumps(row, default=str)[:50]}") for n, row in
            enumerate(rows)]  # fmt: skip


@pytest.mark.parametrize("changes", numbered(ACCEPTED))
def test_a_member_that_is_safe_is_a_key(changes: dict[str, Any]) -> None:
    keys = parse_jwks({"keys": [member(changes)]})
    assert list(keys) == [changes.get("kid", "ins_k1")]
    assert keys[changes.get("kid", "ins_k1")].kid == changes.get("kid", "ins_k1")


@pytest.mark.parametrize("changes", numbered(REFUSED))
def test_a_member_that_is_not_is_skipped_and_the_others_count(changes: object) -> None:
    assert parse_jwks({"keys": [member(changes)]}) == {}
    keys = parse_jwks({"keys": [member(changes), OTHER.jwk(), member(changes)]})
    assert list(keys) == ["ins_other"]


@pytest.mark.parametrize(
    "document",
    [
        *(None, [], {}, 7, True, "keys", "", [MINTER.jwk()], MINTER.jwk()),
        *each("keys", None, {}, "", "x", 7, [], True, {"a": MINTER.jwk()}),
        {"Keys": [MINTER.jwk()]},
        {"keys": [MINTER.jwk()] * 101},
        {"keys": [{}] * 100_000},
    ],
)
def test_what_is_no_set_of_keys_is_no_answer(document: object) -> None:
    with pytest.raises(KeysUnavailable) as caught:
        parse_jwks(document)
    assert caught.value.reason == "jwk-remote-failed-to-load"
    assert caught.value.status_code == 503


def test_a_set_may_have_a_hundred_keys() -> None:
    members = [MINTER.jwk(kid=f"ins_{n}") for n in range(100)]
    assert len(parse_jwks({"keys": members, "more": 1})) == 100


def test_of_two_good_members_with_one_kid_the_first_counts() -> None:
    bad, first, second = MINTER.jwk(use="enc"), MINTER.jwk(), OTHER.jwk(kid="ins_k1")
    assert parse_jwks({"keys": [bad, first, second]})["ins_k1"].verify(GOOD, SIGNED)
    assert not parse_jwks({"keys": [bad, second, first]})["ins_k1"].verify(GOOD, SIGNED)


TEXTS = st.text(string.printable + "ä€\ud800\0")
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["RSA", "sig", "RS256", "AQAB", ["verify"], [], {}, None, True, 7, odd(2048)]
)
NAMES = st.sampled_from(["kid", "kty", "use", "alg", "key_ops", "n"])


@given(st.lists(VALUES | st.dictionaries(NAMES, VALUES | TEXTS)))
def test_no_member_without_an_exponent_makes_a_key_or_an_error(members: list[Any]) -> None:
    assert parse_jwks({"keys": [None, *members]}) == {}


# ---- PEM ----


def armour(label: str, der: bytes, line_end: str = "\n") -> str:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return line_end.join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def der(key: Any, form: serialization.PublicFormat) -> bytes:
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, form)
    return encoded


def certificate(key: Any, signer: Any = MINTER.private) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clerk")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    end = start + datetime.timedelta(days=1)  # long expired: it is only a way to write a key
    builder = x509.CertificateBuilder(name, name, key, 1, start, end)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


SPKI = der(MINTER.public, serialization.PublicFormat.SubjectPublicKeyInfo)
PKCS1 = der(MINTER.public, serialization.PublicFormat.PKCS1)
FORMS = {
    "spki": armour("PUBLIC KEY", SPKI),
    "pkcs1": armour("RSA PUBLIC KEY", PKCS1),
    "certificate": armour("CERTIFICATE", certificate(MINTER.public)),
    "trusted certificate": armour("X509 CERTIFICATE", certificate(MINTER.public)),
    "spki as pkcs1": armour("RSA PUBLIC KEY", SPKI),
    "pkcs1 as spki": armour("PUBLIC KEY", PKCS1),
    "bare spki": base64.b64encode(SPKI).decode(),
    "bare pkcs1": base64.b64encode(PKCS1).decode(),
    "bare spki in lines": base64.encodebytes(SPKI).decode(),
}
SHAPES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "without last line end": str.rstrip,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    r"literal \n": lambda text: text.replace("\n", r"\n"),
    r"literal \r\n": lambda text: text.replace("\n", r"\r\n"),
    r"literal \\n": lambda text: text.replace("\n", r"\\n"),
    r"literal \n and line ends": lambda text: text.replace("\n", "\\n\n"),
    "spaces": lambda text: text.replace("\n", " "),
    "one line": lambda text: text.replace("\n", ""),
    "indented": lambda text: text.replace("\n", "\n    "),
    "white space around": lambda text: f"\t \n{text}\n \n",
    "double quotes": lambda text: f'"{text}"',
    "single quotes": lambda text: f"'{text}'",
    r"quotes and literal \n": lambda text: '"' + text.replace("\n", r"\n") + '"\n',
    "byte order mark": lambda text: "\ufeff" + text,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS)
def test_a_pem_is_read_in_every_shape_that_an_environment_gives_it(form: str, shape: str) -> None:
    keys = PemKey(SHAPES[shape](FORMS[form]))
    assert keys.find("ins_k1").verify(GOOD, SIGNED)


def test_text_around_the_armour_and_further_blocks_do_not_matter() -> None:
    more = armour("PUBLIC KEY", der(OTHER.public, serialization.PublicFormat.PKCS1))
    assert PemKey(f"Clerk's key:\n{FORMS['spki']}\n{more}").find(None).verify(GOOD, SIGNED)


def test_a_pem_key_answers_to_every_kid_and_never_ages() -> None:
    keys = PemKey(FORMS["spki"])
    key = keys.find("ins_k1")
    assert keys.find("anything") is keys.find("") is keys.find(None) is key
    assert key.kid is None
    assert keys.is_current(key)
    assert not keys.is_current(PemKey(FORMS["spki"]).find(None))
    assert not keys.is_current(KEY)


@pytest.mark.parametrize("bits", [3072, 4096, 8192])
def test_larger_keys_are_read(bits: int) -> None:
    public = rsa.RSAPublicNumbers(65537, (1 << bits - 1) + 1).public_key()
    PemKey(armour("PUBLIC KEY", der(public, serialization.PublicFormat.SubjectPublicKeyInfo)))


def unsafe(e: int, n: int) -> str:
    """A PKCS#1 key that no library would write."""

    def tlv(tag: int, content: bytes) -> bytes:
        size = len(content)
        if size < 0x80:
            return bytes([tag, size]) + content
        length = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes([tag, 0x80 | len(length)]) + length + content

    numbers = (value.to_bytes(value.bit_length() // 8 + 1, "big") for value in (n, e))
    return base64.b64encode(tlv(0x30, b"".join(tlv(2, number) for number in numbers))).decode()


def private(form: serialization.PrivateFormat, lock: Any = None) -> str:
    lock = lock or serialization.NoEncryption()
    return MINTER.private.private_bytes(serialization.Encoding.PEM, form, lock).decode()


def public_pem(key: Any) -> str:
    return armour("PUBLIC KEY", der(key, serialization.PublicFormat.SubjectPublicKeyInfo))


NOT_RSA: list[Any] = [
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
    dsa.generate_private_key(2048),
]
GARBAGE = {
    "nothing": "",
    "white space": " \n\t",
    "quotes": "''",
    "words": "not a pem",
    "base64 of words": base64.b64encode(b"not a key at all").decode(),
    "not ASCII": "ключ",
    "surrogate": "\ud800",
    "a secret key": "sk_test_4242secret4242",
    "cut": FORMS["spki"][:200],
    "no end": FORMS["spki"].replace("-----END PUBLIC KEY-----", ""),
    "other end": FORMS["spki"].replace("END PUBLIC", "END RSA PUBLIC"),
    "empty armour": "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
    "letters missing": FORMS["spki"].replace("A", ""),
    "not base64": FORMS["spki"].replace("M", "!"),
    "base64url": FORMS["bare spki"].replace("/", "_").replace("+", "-") + "_-",
    "bytes after": armour("PUBLIC KEY", SPKI + b"\0"),
    "certificate as key": armour("PUBLIC KEY", certificate(MINTER.public)),
    "key as certificate": armour("CERTIFICATE", SPKI),
    "request": armour("CERTIFICATE REQUEST", SPKI[:-1]),
    "jwk": json.dumps(MINTER.jwk()),
    "url": "https://api.clerk.com/v1/jwks",
    "1024 bits": unsafe(65537, (1 << 1023) + 1),
    "2047 bits": unsafe(65537, (1 << 2046) + 1),
    "8200 bits": unsafe(65537, (1 << 8199) + 1),
    "16384 bits": unsafe(65537, (1 << 16383) + 1),
    "e = 1": unsafe(1, N),
    "e = 3": unsafe(3, N),
    "e = 65536": unsafe(65536, N),
    "e of 65 bits": unsafe((1 << 64) + 1, N),
    "even n": unsafe(65537, N - 1),
    **{type(key).__name__: public_pem(key.public_key()) for key in NOT_RSA},
    "EC certificate": armour(
        "CERTIFICATE", certificate(NOT_RSA[0].public_key(), signer=NOT_RSA[0])
    ),
}
PRIVATE_KEYS = {
    "PKCS#8": private(serialization.PrivateFormat.PKCS8),
    "PKCS#1": private(serialization.PrivateFormat.TraditionalOpenSSL),
    "encrypted": private(
        serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    ),
    "one line": private(serialization.PrivateFormat.PKCS8).replace("\n", r"\n"),
    "cut": private(serialization.PrivateFormat.PKCS8)[:300],
    "before the public key": private(serialization.PrivateFormat.PKCS8) + FORMS["spki"],
    "after the public key": FORMS["spki"] + private(serialization.PrivateFormat.PKCS8),
}


def assert_quotes_nothing(error: BaseException, text: str) -> None:
    body = "".join(line for line in text.split("\n") if "-----" not in line)
    pieces = {body[at : at + 12] for at in range(0, max(1, len(body) - 11), 12)} - {""}
    assert not [piece for piece in pieces if len(piece) > 5 and piece in str(error)]
    assert error.__cause__ is None


def test_the_generator_of_unsafe_keys_makes_readable_ones() -> None:
    PemKey(unsafe(65537, N))


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_safe_rsa_key_is_a_value_error_that_quotes_nothing(name: str) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        PemKey(GARBAGE[name])
    assert_quotes_nothing(caught.value, GARBAGE[name])


@pytest.mark.parametrize("name", PRIVATE_KEYS)
def test_a_private_key_is_refused_by_name_and_not_quoted(name: str) -> None:
    with pytest.raises(ValueError, match="private key") as caught:
        PemKey(PRIVATE_KEYS[name])
    assert_quotes_nothing(caught.value, PRIVATE_KEYS[name])


@given(TEXTS | st.binary().map(lambda data: base64.b64encode(data).decode()))
def test_no_text_makes_a_key_or_another_error(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        PemKey(text)


def test_an_instance_without_keys_knows_none() -> None:
    for kid in ("ins_k1", None):
        with pytest.raises(UnknownKey):
            NoKeys().find(kid)
    assert not NoKeys().is_current(KEY)


# ---- errors ----


def test_errors_say_what_is_wrong_by_their_reason() -> None:
    assert UnknownKey().reason == "jwk-kid-mismatch"
    assert KeysUnavailable("x").reason == "jwk-remote-failed-to-load"
    assert KeysUnavailable("x", reason="secret-key-invalid").reason == "secret-key-invalid"
