"""Reading a compact JWS, strictly: one spelling of a token, RS256, and nothing else.

Shape comes before content (RFC 7515 section 7.1, RFC 8725 section 3): length, alphabet, canonical
base64url, UTF-8, JSON without duplicate names or ``NaN``. Nothing here looks at a key; what a
``Jws`` says is unverified until its signature was checked.
"""

from __future__ import annotations

import json
import re
from binascii import a2b_base64
from json.scanner import make_scanner
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from .remembering import Memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from .jwk import VerificationKey

MAX_LENGTH = 16384
REMEMBERED_HEADERS = 64
MAX_DEPTH = 64

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
_OTHER = b"!"  # what becomes of a byte that has no place in a token
_TO_STANDARD = bytes(one if one in _ALPHABET else _OTHER[0] for one in range(256)).translate(
    bytes.maketrans(b"-_", b"+/")
)
_NESTING = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]')
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# The last character of a canonical segment, by the length of the segment modulo 4 (RFC 4648
# section 3.5: spare bits are zero). A remainder of 1 is no base64 at all.
_PADDING = (b"", b"", b"==", b"=")
_LAST = {1: b"", 2: b"AQgw", 3: b"AEIMQUYcgkosw048"}


class Malformed(ValueError):
    """A text that is not a token; the message says why and quotes nothing of it."""


class Header(dict[str, Any]):
    """The header of a token; not to be changed, tokens share it.

    ``verified_by`` is the key that signs the tokens with this very header, once one was verified.
    """

    __slots__ = ("verified_by",)

    verified_by: VerificationKey | None

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.verified_by = None


class Jws(NamedTuple):
    """The parts of a compact JWS: header and payload as JSON objects, and what was signed."""

    header: Header
    payload: dict[str, Any]
    signed: bytes
    signature: bytes

    def __repr__(self) -> str:
        return "Jws()"


class JwsReader:
    """Reads tokens. Few keys sign them all, so the headers of verified ones are remembered."""

    def __init__(self) -> None:
        self._headers: Memory[bytes, Header] = Memory(REMEMBERED_HEADERS)

    def read(self, text: str) -> Jws:
        """Return the parts of a compact JWS, or raise ``Malformed``."""
        return parse_jws(text, self._headers.recall)

    def note(self, jws: Jws, key: VerificationKey) -> None:
        """Remember the header of a token that this key has signed."""
        header = jws.header
        if header.verified_by is not key:
            header.verified_by = key
            self._headers.note(jws.signed.translate(_TO_STANDARD).partition(b".")[0], header)


def _no_header(_segment: bytes) -> None:
    """Remember none."""


def parse_jws(text: str, recall: Callable[[bytes], Header | None] = _no_header) -> Jws:
    """Return the parts of a compact JWS, or raise ``Malformed``.

    ``recall`` returns a header that was read before by its segment.
    """
    if len(text) > MAX_LENGTH:
        raise Malformed("it is longer than 16 kB")
    raw = text.encode("ascii", "replace")
    standard = raw.translate(_TO_STANDARD)
    header, _, rest = standard.partition(b".")
    payload, _, signature = rest.partition(b".")
    is_shaped = header and payload and signature and b"." not in signature
    if not is_shaped or _OTHER in standard:
        raise Malformed("it is not three base64url parts")
    return Jws(
        recall(header) or Header(parse_object(decode_segment(header))),
        parse_object(decode_segment(payload)),
        raw[: -len(signature) - 1],
        decode_segment(signature),
    )


def decode_segment(segment: bytes) -> bytes:
    """Decode canonical base64 (RFC 7515 appendix C) without padding, in the standard alphabet."""
    remainder = len(segment) & 3
    if remainder and segment[-1] not in _LAST[remainder]:
        raise Malformed("a part is not canonical base64url")
    return a2b_base64(segment + _PADDING[remainder])


def parse_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object from UTF-8 bytes, or raise ``Malformed``."""
    try:
        text = data.decode("utf-8")
        if text.count("{") + text.count("[") > MAX_DEPTH:
            _refuse_depth(text)
        value = _decode(text)
        if "\\" in text and _SURROGATE.search(text):
            _refuse_lone_surrogates(value)
    except (ValueError, RecursionError) as error:  # ValueError: JSON, UTF-8, over-long integers
        raise Malformed(f"a part is not strict JSON ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise Malformed("a part is not a JSON object")
    return value


def _decode(text: str) -> object:
    """Decode a JSON text; the decoder's own way has time for white space and for errors."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else _DECODER.decode(text)


def _refuse_depth(text: str) -> None:
    depth = 0
    for match in _NESTING.finditer(text):
        bracket = match[0]
        depth += (bracket in "[{") - (bracket in "]}")
        if depth > MAX_DEPTH:
            raise Malformed("a part is nested too deeply")


def _refuse_lone_surrogates(value: object) -> None:
    json.dumps(value, ensure_ascii=False).encode("utf-8")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a name stands twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
_scan = make_scanner(_DECODER)  # type: ignore[arg-type]  # which wants a decoder
