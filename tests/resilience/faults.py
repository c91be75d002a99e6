"""What can be wrong with Clerk: outages that last, and answers that are meant to hurt."""

from __future__ import annotations

import gzip
import json
from itertools import repeat
from typing import TYPE_CHECKING

from ..minting import Minter
from ..servers import (
    drips,
    resets,
    response,
    sends,
    sends_for_ever,
    sends_json,
    sends_then_closes,
    sleeps,
)
from .people import K1
from .upstream import JSON, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..servers import Behaviour, Conversation

    Fault = Callable[[Upstream], None]

ERROR = {"errors": [{"code": "internal_error", "message": "m", "long_message": "l"}]}
CERTAINLY_LATE = 60.0  # seconds
SHORT = Minter("ins_k1", 1024)
BOMB = gzip.compress(b" " * 30_000_000, 5)


def suffering(behave: Behaviour) -> Fault:
    return lambda upstream: upstream.suffer(behave)


def answers_late(behave: Behaviour, seconds: float) -> Behaviour:
    def behave_late(conversation: Conversation) -> None:
        conversation.sleep(seconds)
        behave(conversation)

    return behave_late


OUTAGES: dict[str, Fault] = {
    "gone": Upstream.vanish,
    "silent": suffering(sleeps(CERTAINLY_LATE)),
    "drips": suffering(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" " * 9999)),
    "resets": suffering(resets),
    "500": suffering(sends_json(ERROR, "500 Internal Server Error")),
    "429": suffering(sends(response(b"{}", "429 Too Many Requests", "Retry-After: 3600", JSON))),
    "garbage": suffering(sends_then_closes(b"\x16\x03\x01 is this TLS?\r\n\r\n")),
    "redirect": suffering(sends(response(b"", "302 Found", "Location: /v1/keys"))),
}


def hostile_answers(elsewhere: str) -> dict[str, Behaviour]:
    """Return what an attacker in Clerk's place might try; ``elsewhere`` is another origin."""
    right = json.dumps(K1.jwks()).encode()
    return {
        "redirect": sends(
            response(b"", "307 Temporary Redirect", f"Location: {elsewhere}/v1/jwks")
        ),
        "keys that are not for this": sends_json(
            {"keys": [K1.jwk(use="enc"), SHORT.jwk(), K1.jwk(alg="RS512"), K1.jwk(e="Aw"), {}, 1]}
        ),
        "101 keys": sends_json({"keys": [K1.jwk(kid=f"ins_{n}") for n in range(101)]}),
        "large": sends(response(right[:-1] + b" " * 200_000 + b"}", "200 OK", JSON)),
        "endless": sends_for_ever(b"HTTP/1.1 200 OK\r\n\r\n", repeat(b" " * 65536)),
        "endless headers": sends_for_ever(
            b"HTTP/1.1 200 OK\r\n", repeat(b"X-A: " + b"b" * 1000 + b"\r\n")
        ),
        "gzip bomb": sends(response(BOMB, "200 OK", JSON, "Content-Encoding: gzip")),
        "nested": sends(response(b"[" * 90_000, "200 OK", JSON)),
        "half": sends_then_closes(response(right, "200 OK", JSON)[:-200]),
        "two answers": sends(response(b"{}", "204 No Content") + response(right, "200 OK", JSON)),
        "a page": sends(response(b"<html>Sorry</html>", "200 OK", "Content-Type: text/html")),
    }
