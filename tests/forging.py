"""Tokens that must sign nobody in, each with the reason why; most of them are rightly signed.

Except where the name says otherwise their claims are those of a good session token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from .minting import NOW, SESSION_CATEGORY, Minter, base64url, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INVALID = "token-invalid"
ALGORITHM = "token-invalid-algorithm"
SIGNATURE = "token-invalid-signature"
FAILED = "token-verification-failed"
EXPIRED = "token-expired"
EARLY = "token-not-active-yet"
FUTURE = "token-iat-in-the-future"
MISMATCH = "token-type-mismatch"
UNKNOWN = "jwk-kid-mismatch"

CLAIMS: dict[str, Any] = {
    "azp": "https://app.test",
    "exp": NOW + 60,
    "iat": NOW,
    "iss": "https://clerk.example.com",
    "nbf": NOW - 10,
    "sid": "sess_1",
    "sub": "user_1",
}


class Forgery(NamedTuple):
    """A token, what is wrong with it, and the reason that it is refused for."""

    name: str
    token: str
    reason: str


def claims_text(**changed: Any) -> str:
    return json.dumps({**CLAIMS, **changed})


# Threat 1, algorithms


def algorithm_forgeries(minter: Minter) -> Iterator[Forgery]:
    """Other algorithms, other spellings of the right one, and no algorithm."""
    yield from _misspelled(minter)
    yield from _unsigned(minter)
    yield from _keyed_with_what_everybody_knows(minter)
    yield from _signed_otherwise(minter)


def _misspelled(minter: Minter) -> Iterator[Forgery]:
    spellings: list[Any] = [
        "none",
        "None",
        "nOnE",
        "",
        None,
        [],
        ["RS256"],
        {},
        {"RS256": 1},
        0,
        256,
        True,
    ]
    spellings += ["RS256 ", " RS256", "rs256", "Rs256", "RS256\0", "RS-256", "RSA256", "RSA-SHA256"]
    spellings += ["HS256", "RS384", "RS512", "PS256", "ES256", "EdDSA", "RSA1_5", "\uff32\uff33256"]
    spellings += [...]
    for alg in spellings:
        token = minter.token({"alg": alg})
        yield Forgery(f"alg {alg!r}, signed with RS256", token, ALGORITHM)


def _unsigned(minter: Minter) -> Iterator[Forgery]:
    for alg in ("none", "None", "nOnE", "", None, "RS256"):
        signed = minter.token({"alg": alg}).rpartition(".")[0]
        yield Forgery(f"alg {alg!r}, no third part", signed, INVALID)
        yield Forgery(f"alg {alg!r}, empty signature", f"{signed}.", INVALID)
        reason = SIGNATURE if alg == "RS256" else ALGORITHM
        yield Forgery(f"alg {alg!r}, one zero byte", f"{signed}.AA", reason)


def _keyed_with_what_everybody_knows(minter: Minter) -> Iterator[Forgery]:
    for name, secret in public_spellings(minter).items():
        for alg in ("HS256", "HS384", "HS512"):
            digest = f"sha{alg[2:]}"
            for header in (alg, "RS256"):
                signed = minter.token({"alg": header}).rpartition(".")[0]
                mac = hmac.new(secret, signed.encode(), digest).digest()
                reason = ALGORITHM if header == alg else SIGNATURE
                yield Forgery(
                    f"{alg} keyed with {name}, called {header}",
                    f"{signed}.{base64url(mac)}",
                    reason,
                )


def public_spellings(minter: Minter) -> dict[str, bytes]:
    """The public key, and what else an attacker knows, as bytes to use for a secret."""
    pem = minter.pem.encode()
    numbers = minter.public.public_numbers()
    pkcs1 = serialization.PublicFormat.PKCS1
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return {
        "the PEM": pem,
        "the PEM without its last newline": pem.strip(),
        "the PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "the PEM's base64": b"".join(pem.splitlines()[1:-1]),
        "the PKCS#1 PEM": minter.public.public_bytes(serialization.Encoding.PEM, pkcs1),
        "the DER": minter.public.public_bytes(serialization.Encoding.DER, spki),
        "the PKCS#1 DER": minter.public.public_bytes(serialization.Encoding.DER, pkcs1),
        "the modulus": numbers.n.to_bytes(256, "big"),
        "the modulus in base64url": minter.jwk()["n"].encode(),
        "the JWK": json.dumps(minter.jwk()).encode(),
        "the kid": minter.kid.encode(),
        "the publishable key": b"pk_live_Y2xlcmsuZXhhbXBsZS5jb20k",
        "nothing": b"",
    }


def _signed_otherwise(minter: Minter) -> Iterator[Forgery]:
    for alg, sign in other_signers(minter).items():
        for header, reason in ((alg, ALGORITHM), ("RS256", SIGNATURE)):
            signed = minter.token({"alg": header}).rpartition(".")[0]
            token = f"{signed}.{base64url(sign(signed.encode()))}"
            yield Forgery(f"signed with {alg}, called {header}", token, reason)


def other_signers(minter: Minter) -> dict[str, Callable[[bytes], bytes]]:
    """Algorithms other than RS256, by their JOSE names where they have one."""
    rsa, curve, edwards = (
        minter.private,
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
    )
    pkcs1 = padding.PKCS1v15()

    def pss(algorithm: hashes.HashAlgorithm) -> padding.PSS:
        return padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)

    def ecdsa(signed: bytes) -> bytes:
        r, s = decode_dss_signature(curve.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return {
        "RS384": lambda signed: rsa.sign(signed, pkcs1, hashes.SHA384()),
        "RS512": lambda signed: rsa.sign(signed, pkcs1, hashes.SHA512()),
        "PS256": lambda signed: rsa.sign(signed, pss(hashes.SHA256()), hashes.SHA256()),
        "PS384": lambda signed: rsa.sign(signed, pss(hashes.SHA384()), hashes.SHA384()),
        "PS512": lambda signed: rsa.sign(signed, pss(hashes.SHA512()), hashes.SHA512()),
        "ES256": ecdsa,
        "ES256 (64 zero bytes)": lambda signed: bytes(64),
        "EdDSA": edwards.sign,
        "RS1": lambda signed: minter.sign_block(block("sha1", signed)),
        "RS224": lambda signed: minter.sign_block(block("sha224", signed)),
        "RSMD5": lambda signed: minter.sign_block(block("md5", signed)),
    }


# Threat 1, signatures

# DER of a DigestInfo up to the digest (RFC 8017 section 9.2, note 1).
DIGEST_INFO = {
    "md5": "3020300c06082a864886f70d020505000410",
    "sha1": "3021300906052b0e03021a05000414",
    "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}


def padded(content: bytes, *, start: str = "0001", fill: bytes = b"\xff", size: int = 256) -> bytes:
    """An EMSA-PKCS1-v1_5 block (RFC 8017 section 9.2) around any content."""
    head = bytes.fromhex(start)
    return head + fill * (size - len(head) - 1 - len(content)) + b"\0" + content


def block(name: str, signed: bytes) -> bytes:
    """The block that a signature with this hash is made of."""
    return padded(bytes.fromhex(DIGEST_INFO[name]) + hashlib.new(name, signed).digest())


def signature_forgeries(minter: Minter) -> Iterator[Forgery]:
    """Good claims of a good header under a bad signature."""
    signed, _, good = minter.token().rpartition(".")
    value = number(good)
    n = minter.public.public_numbers().n
    integers = {"0": 0, "1": 1, "n-1": n - 1, "n": n, "n+1": n + 1, "n-s": n - value}
    signatures = {name: number.to_bytes(256, "big") for name, number in integers.items()}
    signatures["s+n"] = (value + n).to_bytes(257, "big")
    right = value.to_bytes(256, "big")
    signatures |= {
        "leading zero": b"\0" + right,
        "trailing zero": right + b"\0",
        "first byte cut off": right[1:],
        "last byte cut off": right[:-1],
        "doubled": right + right,
        "reversed": right[::-1],
        "8 kB": right * 31,
        "one byte": right[:1],
        "of another message": minter.sign(signed + "A"),
        "of the payload alone": minter.sign(signed.partition(".")[2]),
        "of another key": Minter(minter.kid).sign(signed),
    }
    for bit in (0, 1, 7, 8, 1024, 2040, 2047):
        flipped = (value ^ (1 << bit)).to_bytes(256, "big")
        signatures[f"bit {bit} flipped"] = flipped
    for name, made in blocks(signed.encode()).items():
        signatures[f"block: {name}"] = minter.sign_block(made)
    for name, signature in signatures.items():
        yield Forgery(f"signature: {name}", f"{signed}.{base64url(signature)}", SIGNATURE)


def blocks(signed: bytes) -> dict[str, bytes]:
    """Malformed PKCS#1 blocks that lenient verifiers were known to take."""
    digest = hashlib.sha256(signed).digest()
    info = bytes.fromhex(DIGEST_INFO["sha256"])
    oid = "0609608648016503040201"
    right = info + digest

    def algorithm(encoded: str) -> bytes:
        return bytes.fromhex(encoded) + digest

    return {
        "the bare digest": padded(digest),
        "no parameters": padded(algorithm(f"302f300b{oid}0420")),
        "long form of the outer length": padded(algorithm(f"308131300d{oid}05000420")),
        "long form of an inner length": padded(algorithm(f"303230810d{oid}05000420")),
        "indefinite length": padded(algorithm(f"3080300d{oid}05000420") + b"\0\0"),
        "two NULLs": padded(algorithm(f"3033300f{oid}050005000420")),
        "a NULL with content": padded(algorithm(f"3033300f{oid}050200000420")),
        "eight bytes in the parameters": padded(algorithm(f"30393015{oid}0408{'00' * 8}0420")),
        "digest called SHA-1": padded(bytes.fromhex(DIGEST_INFO["sha1"]) + digest),
        "digest called SHA-512": padded(bytes.fromhex(DIGEST_INFO["sha512"]) + digest),
        "digest cut off": padded(info + digest[:-1]),
        "digest of zeros": padded(info + bytes(32)),
        "a wrong digest": padded(info + hashlib.sha256(signed + b"A").digest()),
        "garbage after the digest": padded(right + b"garbage"),
        "zeros after the digest": padded(right + bytes(8)),
        "eight bytes of padding": (padded(right, size=11 + len(right)) + bytes(256))[:256],
        "no padding": (b"\0\1\0" + right + bytes(256))[:256],
        "padding of zeros": padded(right, fill=b"\0"),
        "padding of 0xfe": padded(right, fill=b"\xfe"),
        "a zero in the padding": padded(b"\xff" * 9 + b"\0" + right),
        "no separator": b"\0\1" + b"\xff" * (254 - len(right)) + right,
        "block type 0": padded(right, start="0000"),
        "block type 2": padded(right, start="0002"),
        "a first byte of 1": padded(right, start="0101"),
        "SHA-384": block("sha384", signed),
        "SHA-512": block("sha512", signed),
    }


# Threat 2, headers


def header_forgeries(minter: Minter) -> Iterator[Forgery]:
    """Types, extensions and key ids that a header may not name."""
    odd: list[Any] = ["jwt", "JWT ", "JWS", "at+JWT", "id_token", "", None, [], ["JWT"], 1, {}]
    for typ in odd:
        yield Forgery(f"typ {typ!r}", minter.token({"typ": typ}), INVALID)
    crits: list[Any] = [["exp"], ["b64"], [], None, "exp", {}, 0, False, ["http://example.com/x"]]
    for crit in crits:
        header = {"crit": crit, "exp": NOW, "b64": False}
        yield Forgery(f"crit {crit!r}", minter.token(header), INVALID)
    for kid in (None, 1, 0, True, [], ["ins_k1"], {}, {"kid": "ins_k1"}, 1.5):
        yield Forgery(f"kid {kid!r}", minter.token({"kid": kid}), INVALID)


def key_forgeries(minter: Minter) -> Iterator[Forgery]:
    """Rightly signed, but by a key that the header names wrongly, or brings along."""
    kids = ["", "ins_k2", minter.kid.upper(), f"{minter.kid} ", f"{minter.kid}\0", f" {minter.kid}"]
    kids += ["../../etc/passwd", "/dev/null", "file:///etc/passwd", "https://evil.test/jwks.json"]
    kids += ["' OR 1=1 --", "a\r\nX-Evil: 1", "__proto__", "constructor", "hasOwnProperty"]
    kids += ["k" * 8_000, "\u0000", "\uffff", "\U0001f511", minter.kid.replace("1", "\u0661")]
    for kid in kids:
        yield Forgery(f"kid {kid[:40]!r}", minter.token({"kid": kid}), UNKNOWN)
    yield Forgery("no kid", minter.token({"kid": ...}), UNKNOWN)


def introduced_forgeries(minter: Minter) -> Iterator[Forgery]:
    """Signed by an attacker whose header brings or names the attacker's key."""
    evil = Minter(minter.kid)
    for name, value in introductions(evil).items():
        token = evil.token({name: value})
        yield Forgery(f"the attacker's own key in {name}", token, SIGNATURE)
    yield Forgery("all introductions at once", evil.token(introductions(evil)), SIGNATURE)


def introductions(minter: Minter) -> dict[str, Any]:
    """Header parameters by which a token can bring or name a key (RFC 7515 section 4.1)."""
    return {
        "jwk": minter.jwk(),
        "jwks": minter.jwks(),
        "jku": "https://evil.test/jwks.json",
        "x5u": "https://evil.test/cert.pem",
        "x5c": [minter.pem],
        "x5t": base64url(hashlib.sha1(b"", usedforsecurity=False).digest()),
        "x5t#S256": base64url(hashlib.sha256(b"").digest()),
        "pem": minter.pem,
        "key": minter.pem,
        "iss": "https://evil.test",
    }


# Threat 3, JSON


def json_forgeries(minter: Minter) -> Iterator[Forgery]:
    """Rightly signed parts that are no strict JSON objects."""
    kid = json.dumps(minter.kid)
    header = f'{{"alg":"RS256","kid":{kid}}}'
    plain = claims_text()
    for name, text in bad_objects(header, '"alg":"RS256"').items():
        yield Forgery(f"header: {name}", minter.compact(text, plain), INVALID)
    for name, text in bad_objects(plain, f'"exp": {NOW + 60}').items():
        yield Forgery(f"payload: {name}", minter.compact(header, text), INVALID)
    twice = {
        "alg, last none": f'{{"alg":"RS256","kid":{kid},"alg":"none"}}',
        "alg, first none": f'{{"alg":"none","kid":{kid},"alg":"RS256"}}',
        "kid": f'{{"alg":"RS256","kid":"x","kid":{kid}}}',
        "alg, once escaped": f'{{"alg":"RS256","\\u0061lg":"none","kid":{kid}}}',
    }
    for name, other in twice.items():
        yield Forgery(f"header twice: {name}", minter.compact(other, plain), INVALID)
    for name, other in {
        "exp, last expired": f'{plain[:-1]},"exp":1}}',
        "exp, first expired": f'{{"exp":1,{plain[1:]}',
        "sub": f'{plain[:-1]},"sub":"user_2"}}',
        "deep inside": f'{plain[:-1]},"o":{{"id":"a","id":"b"}}}}',
    }.items():
        yield Forgery(f"payload twice: {name}", minter.compact(header, other), INVALID)


def bad_objects(text: str, member: str) -> dict[str, bytes]:
    """Spellings of an object that is otherwise fine, ``member`` being one of its members."""

    def plus(value: str) -> bytes:
        return text.replace(member, f'{member},"x":{value}').encode()

    raw = text.encode()
    return {
        "NaN": plus("NaN"),
        "Infinity": plus("Infinity"),
        "-Infinity": plus("-Infinity"),
        "65 levels": plus("[" * 65 + "]" * 65),
        "900 levels": plus("[" * 900 + "]" * 900),
        "3000 levels, open": plus("[" * 3000),
        "5000 digits": plus("9" * 5000),
        "a lone surrogate": plus('"\\ud800"'),
        "a trailing comma": raw[:-1] + b",}",
        "single quotes": raw.replace(b'"', b"'"),
        "a comment": b"/* */" + raw,
        "trailing bytes": raw + b"x",
        "a second object": raw + raw,
        "a NUL after it": raw + b"\0",
        "a BOM": b"\xef\xbb\xbf" + raw,
        "UTF-16": text.encode("utf-16"),
        "UTF-32": text.encode("utf-32-be"),
        "overlong UTF-8": plus('"?"').replace(b"?", b"\xc0\xaf"),
        "a surrogate in UTF-8": plus('"?"').replace(b"?", b"\xed\xa0\x80"),
        "latin-1": plus('"?"').replace(b"?", b"\xe9"),
        "an array": b"[" + raw + b"]",
        "a string": json.dumps(text).encode(),
        "null": b"null",
        "nothing but space": b" ",
    }


# Threat 4, claims


def claim_forgeries(minter: Minter) -> Iterator[Forgery]:
    """Claims of a wrong type or time, rightly signed."""
    odd: list[Any] = [None, "", f"{NOW + 60}", True, False, [], [NOW + 60], {}, {"exp": NOW + 60}]
    for name in ("exp", "nbf", "iat"):
        for value in odd:
            yield Forgery(f"{name} {value!r}", minter.token(**{name: value}), FAILED)
        for text in ("1e999", "-1e999"):
            plain = claims_text(**{name: "?"}).replace('"?"', text)
            header = {"alg": "RS256", "kid": minter.kid}
            yield Forgery(f"{name} {text}", minter.compact(header, plain), FAILED)
    yield Forgery("no exp", minter.token(exp=...), FAILED)
    for exp in (0, -1, 1, NOW - 5, NOW - 3600, -(2**70), 1.5, NOW - 4.5):
        yield Forgery(f"exp {exp}", minter.token(exp=exp), EXPIRED)
    for time in (NOW + 6, NOW + 3600, NOW + 6.5, 2**70, 1e300):
        yield Forgery(f"nbf {time}", minter.token(nbf=time), EARLY)
        yield Forgery(f"iat {time}", minter.token(iat=time), FUTURE)
    for sub in (..., None, "", 0, 1, True, [], ["user_1"], {}, {"sub": "user_1"}):
        yield Forgery(f"sub {sub!r}", minter.token(sub=sub), FAILED)


# Threat 5, kinds


def kind_forgeries(minter: Minter) -> Iterator[Forgery]:
    """Rightly signed tokens of another kind than a session token."""
    categories: list[Any] = ["cl_B7d4PD222AAA", "cl_B7d4PD333AAA", "cl_B7d4PD444AAA", "", None, 1]
    categories += [SESSION_CATEGORY.lower(), f"{SESSION_CATEGORY} ", [SESSION_CATEGORY], {}, True]
    for cat in categories:
        yield Forgery(f"cat {cat!r}", minter.token({"cat": cat}), MISMATCH)
    for typ in ("at+jwt", "application/at+jwt"):
        yield Forgery(f"typ {typ}", minter.token({"typ": typ}), MISMATCH)
        header = {"typ": typ, "cat": SESSION_CATEGORY}
        yield Forgery(f"typ {typ} of a session's class", minter.token(header), MISMATCH)
    for sub in ("mch_1", "mch_"):
        yield Forgery(f"sub {sub}", minter.token(sub=sub), MISMATCH)
    head = {"alg": "RS256", "kid": minter.kid, "typ": "JWT", "cat": SESSION_CATEGORY}
    handshake = {"handshake": ["__session=x; Path=/"]}
    yield Forgery("a handshake token", minter.compact(head, handshake), FAILED)
    identity = {"iss": CLAIMS["iss"], "sub": "", "aud": "client", "exp": NOW + 60, "nonce": "n"}
    yield Forgery("an ID token without a subject", minter.compact(head, identity), FAILED)
    for text in ("mt_0123456789abcdef", "oat_0123456789abcdef", "ak_0123456789abcdef"):
        yield Forgery(f"opaque {text[:4]}", text, INVALID)
    yield Forgery("a publishable key", "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k", INVALID)


# Threat 3, shapes


def shape_forgeries(minter: Minter) -> Iterator[Forgery]:
    """Other spellings of a good token; what sets them apart is not in any JSON."""
    good = minter.token()
    header, payload, signature = good.split(".")
    shapes = {
        "nothing": " ",
        "one dot": ".",
        "two dots": "..",
        "two parts": f"{header}.{payload}",
        "four parts": f"{good}.{signature}",
        "five parts, a JWE": f"{good}.{signature}.{signature}",
        "a dot before": f".{good}",
        "a dot after": f"{good}.",
        "1000 dots": "." * 1000,
        "60,000 dots": "." * 60_000,
        "twice": good + good,
        "padded": f"{good}==",
        "padded header": f"{header}=.{payload}.{signature}",
        "a newline in it": f"{header}.{payload}\n.{signature}",
        "a space after": f"{good}\u00a0",
        "quoted": f'"{good}"',
        "other alphabet": f"{good[:-3]}+/+",
        "spare bits": good[:-1] + _next(good[-1]),
        "percent-encoded dots, twice": good.replace(".", "%252E"),
        "parts reversed": f"{signature}.{payload}.{header}",
        "JSON serialisation": json.dumps(
            {"protected": header, "payload": payload, "signature": signature}
        ),
        "17 kB": f"{good}{'A' * 17_000}",
        "1 MB": f"{good}{'A' * 1_000_000}",
        "3000 names in the header": minter.compact(
            {"alg": "RS256", "kid": minter.kid, **{f"n{i}": i for i in range(3000)}}, CLAIMS
        ),
        "a kid of 64 kB": minter.token({"kid": "k" * 65_536}),
        "a letter of another alphabet": f"{header}é.{payload}.{signature}",
    }
    for name, text in shapes.items():
        yield Forgery(f"shape: {name}", text, INVALID)
    yield Forgery("shape: parts swapped", f"{payload}.{header}.{signature}", ALGORITHM)


def _next(letter: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[(alphabet.index(letter) + 1) % 64]


def forgeries(minter: Minter) -> list[Forgery]:
    """All of the above that are refused whatever the source of the keys."""
    makers = (
        algorithm_forgeries,
        signature_forgeries,
        header_forgeries,
        introduced_forgeries,
        json_forgeries,
        claim_forgeries,
        kind_forgeries,
        shape_forgeries,
    )
    return [forgery for make in makers for forgery in make(minter)]
