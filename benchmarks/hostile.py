"""Requests of all kinds, as they come to a site on a bad day, and what each must come to.

Valid ones of many users, what strangers can make up, and plain nonsense. They are drawn at random,
each made anew; the same seed draws the same ones.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from requests_of import headers_of

from clerk_wsgi.emulator import SigningKey
from clerk_wsgi.emulator.tokens import session_header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from requests_of import Requests, Variables

LONGEST_PIECE = 300  # characters of nonsense
DOCUMENT = {"HTTP_SEC_FETCH_DEST": b"document", "HTTP_SEC_FETCH_MODE": b"navigate"}
REFUSED_BY_SERVER = 400  # what gunicorn says of requests that are no HTTP
HANDSHAKE = 307


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request, and who must be found in it: ``user`` is ``None`` for nobody.

    ``own`` is what it has beside what all have, ``query`` as it stands in the address. The answer
    is 200, or 401 where a session is required and there is nobody; ``may_be`` has other statuses
    that are as right, ``must_be`` is the only right one.
    """

    kind: str
    own: Variables
    user: str | None = None
    query: str = ""
    method: str = "GET"
    may_be: tuple[int, ...] = ()
    must_be: int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A user with a session, and some tokens of it."""

    user_id: str
    session_id: str
    tokens: tuple[str, ...]


class Hostile:
    """Draws questions; ``people`` are those who may be found in them."""

    def __init__(self, requests: Requests, people: Sequence[Person], random: Random) -> None:
        self._requests = requests
        self._people = people
        self._random = random
        self._key = requests.emulator._keys.current
        self._stranger = SigningKey(self._key.kid, SigningKey.generate("stranger").private)
        self._claims = requests.claims()
        self._expired = requests.expired()
        self._machine = self._signed({"sub": "mch_1"})
        self._access_token = self._signed({}, typ="at+jwt")
        kinds: dict[Callable[[], Question], int] = {
            self._signed_in: 40,
            self._nobody: 10,
            self._other_session: 4,
            self._forged: 8,
            self._changed: 8,
            self._unknown_key: 6,
            self._expired_token: 6,
            self._without_token: 2,
            self._machine_token: 4,
            self._junk_cookies: 5,
            self._junk_headers: 4,
            self._junk_query: 4,
            self._junk_handshake: 5,
        }
        self._kinds, self._weights = list(kinds), list(kinds.values())

    def draw(self) -> Question:
        """Return the next question."""
        [kind] = self._random.choices(self._kinds, self._weights)
        return kind()

    # ---- people ----

    def _signed_in(self) -> Question:
        person = self._person()
        own = self._carried(self._random.choice(person.tokens))
        query = f"_clerk_session_id={person.session_id}" if self._is_rare() else ""
        method = "POST" if self._is_rare() else "GET"
        return Question(kind="signed in", own=own, user=person.user_id, query=query, method=method)

    def _nobody(self) -> Question:
        requests = self._requests
        own = requests.anonymous() if self._is_even() else requests.other_cookies()
        return Question(kind="nobody", own={**own, **(DOCUMENT if self._is_even() else {})})

    def _other_session(self) -> Question:
        own = self._carried(self._random.choice(self._person().tokens))
        query = f"_clerk_session_id={self._random.choice(['', 'sess_other', 'sess_1&a=b', '%00'])}"
        return Question(kind="another session named", own=own, query=query)

    # ---- strangers ----

    def _forged(self) -> Question:
        header, payload, signature = self._random.choice(self._person().tokens).split(".")
        signed = f"{header}.{_segment(self._somebody())}"
        kind = self._random.randrange(4)
        if kind == 0:
            token = self._stranger.sign_text(signed)
        elif kind == 1:
            token = f"{signed}.{signature}"
        elif kind == 2:
            token = f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{payload}."
        else:
            token = _keyed_with(self._requests.emulator.public_key_pem(), payload)
        return Question(kind="forged", own=self._carried(token))

    def _changed(self) -> Question:
        token = self._random.choice(self._person().tokens)
        at, kind = self._random.randrange(len(token)), self._random.randrange(4)
        if kind == 0:
            other = self._random.choice("ABCxyz019-_".replace(token[at], ""))
            token = f"{token[:at]}{other}{token[at + 1 :]}"
        elif kind == 1:
            token = f"{token[:at]}{token[at + 1 :]}"
        elif kind == 2:
            token = f"{token[:at]}{self._random.choice('._-=~!*')}{token[at:]}"
        else:
            token = token[: max(1, at)]
        return Question(kind="changed", own=self._carried(token))

    def _unknown_key(self) -> Question:
        return Question(kind="unknown key id", own=self._requests.unknown_key())

    def _expired_token(self) -> Question:
        if self._is_even():
            return Question(kind="expired", own=self._expired)
        own = {**self._expired, **DOCUMENT}
        return Question(kind="expired, a page", own=own, must_be=HANDSHAKE)

    def _without_token(self) -> Question:
        own = {**self._requests.with_cookies(""), **DOCUMENT}
        return Question(kind="a page, the token lost", own=own, must_be=HANDSHAKE)

    def _machine_token(self) -> Question:
        kinds = [self._machine, self._access_token]
        kinds += [f"{prefix}{self._random.getrandbits(128):032x}" for prefix in _PREFIXES]
        own = {"HTTP_AUTHORIZATION": b"Bearer " + self._random.choice(kinds).encode()}
        return Question(kind="machine token", own=own)

    # ---- nonsense ----

    def _junk_cookies(self) -> Question:
        names = ["__session", "__client_uat", "__clerk_db_jwt", "__refresh", "x"]
        pieces = [self._random.choice(names).encode() + b"=" + self._junk() for _ in range(3)]
        own = {"HTTP_COOKIE": b"; ".join(pieces)}
        return Question(kind="junk cookies", own=own, may_be=(REFUSED_BY_SERVER,))

    def _junk_headers(self) -> Question:
        person = self._person()
        own = self._carried(self._random.choice(person.tokens))
        for name in self._random.sample(_HEADERS, 2):
            own[name] = self._junk()
        return Question(
            kind="junk headers", own=own, user=person.user_id, may_be=(REFUSED_BY_SERVER,)
        )

    def _junk_query(self) -> Question:
        person = self._person()
        own = self._requests.anonymous()
        query = "&".join(f"{self._random.choice(_PARAMETERS)}={self._quoted()}" for _ in range(3))
        question = Question(kind="junk query", own=own, query=query, may_be=(REFUSED_BY_SERVER,))
        if self._is_even():
            return question
        bearer = b"Bearer " + self._random.choice(person.tokens).encode()
        own = {"HTTP_AUTHORIZATION": bearer}
        return replace(question, own=own, user=person.user_id)

    def _junk_handshake(self) -> Question:
        token = self._random.choice(self._person().tokens)
        values = [token, self._stranger.sign_text(token.rpartition(".")[0]), self._quoted()]
        query = f"__clerk_handshake={self._random.choice(values)}"
        if self._is_even():
            query = f"__clerk_handshake_nonce=nonce_{self._random.randrange(20)}"
        return Question(
            kind="junk handshake",
            own=dict(DOCUMENT),
            query=query,
            may_be=(HANDSHAKE, REFUSED_BY_SERVER),
        )

    # ---- pieces ----

    def _carried(self, token: str) -> Variables:
        """Return a token in cookies, or in the header."""
        if self._is_even():
            return self._requests.with_cookies(token)
        return {"HTTP_AUTHORIZATION": f"Bearer {token}".encode()}

    def _person(self) -> Person:
        return self._random.choice(self._people)

    def _somebody(self) -> dict[str, Any]:
        number = f"{self._random.getrandbits(64):020d}"
        return {**self._claims, "sub": self._person().user_id, "jti": number}

    def _signed(self, claims: dict[str, Any], **header: str) -> str:
        """Return a token that is rightly signed, whatever it says."""
        head = {**session_header(self._key.kid), **header}
        return self._key.sign(head, {**self._claims, **claims})

    def _junk(self) -> bytes:
        """Return bytes that can stand in a header; now and then such that servers refuse them."""
        junk = self._random.randbytes(self._random.randrange(1, LONGEST_PIECE))
        return junk.translate(None, b"\r\n\0" if self._random.random() < 0.02 else _CONTROLS)

    def _quoted(self) -> str:
        """Return such a text for an address: no blanks, nothing that ends the query."""
        return "".join(chr(byte) for byte in self._junk() if 0x21 <= byte < 0x7F and byte != 0x23)

    def _is_even(self) -> bool:
        return self._random.random() < 0.5

    def _is_rare(self) -> bool:
        return self._random.random() < 0.1


_CONTROLS = bytes([*range(0x20), 0x7F])
_PREFIXES = ("ak_", "mt_", "m2m_", "oat_")
_HEADERS = (
    "HTTP_REFERER",
    "HTTP_ORIGIN",
    "HTTP_ACCEPT",
    "HTTP_USER_AGENT",
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_CLERK_AUTH_STATUS",
)
_PARAMETERS = ("__session", "__client_uat", "__clerk_db_jwt", "__clerk_redirect_url", "token", "a")


def request_bytes(question: Question, path: str) -> bytes:
    """Return a question as it is sent."""
    target = f"{path}?{question.query}" if question.query else path
    lines = [f"{question.method} {target} HTTP/1.1".encode("latin-1")]
    lines += [f"{name}: {text}".encode("latin-1") for name, text in _headers(question).items()]
    return b"\r\n".join((*lines, b"", b""))


def _headers(question: Question) -> dict[str, str]:
    headers = headers_of(question.own)
    return {**headers, "Content-Length": "0"} if question.method == "POST" else headers


def _segment(value: object) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _keyed_with(text: str, payload: str) -> str:
    """Return a token whose key is what everybody knows, taken for a secret (HS256)."""
    signed = f"{_segment({'alg': 'HS256', 'typ': 'JWT'})}.{payload}"
    digest = hmac.new(text.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
