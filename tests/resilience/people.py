"""Who asks: users with tokens of their own, and strangers with tokens that no key of Clerk signed.

A ``Visit`` is a request with the user that it must be answered for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from itertools import cycle, product
from typing import TYPE_CHECKING

from ..minting import Minter

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET_KEY = "sk_test_resilience4242"
K1, K2, K3 = (Minter(f"ins_k{number}") for number in (1, 2, 3))
STRANGER = Minter("ins_k1")  # calls its key as the real one is called
PATHS = ("/strict", "/lax")  # require_session, with_session
CARRIERS = ("Authorization: Bearer {}", "Cookie: theme=dark; __session={}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request, and who is to be signed in by it, if anybody."""

    request: bytes
    path: str
    user: str | None


def visit(token: str, user: str | None, path: str = "/lax", carrier: str = CARRIERS[0]) -> Visit:
    lines = (f"GET {path} HTTP/1.1", "Host: app.test", carrier.format(token), "", "")
    return Visit(request="\r\n".join(lines).encode("latin-1"), path=path, user=user)


def token_of(minter: Minter, user: str) -> str:
    """A token that is valid for an hour, and one of its own even for the same user."""
    now = int(time.time())
    jti = f"{time.monotonic_ns():x}"
    return minter.token(
        sub=user, sid=f"sess_{user}", iat=now - 1, nbf=now - 10, exp=now + 3600, jti=jti
    )


def visit_of(minter: Minter, user: str = "user_1", path: str = "/lax") -> Visit:
    return visit(token_of(minter, user), user, path)


@cache
def _visits(minter: Minter) -> tuple[Visit, ...]:
    ways = list(product(PATHS, CARRIERS))
    users = [f"user_{number}" for number in range(400)]
    return tuple(
        visit(token_of(minter, user), user, *ways[number % 4]) for number, user in enumerate(users)
    )


def visits(minter: Minter = K1) -> Iterator[Visit]:
    """Valid requests of many users, by header and by cookie, to both wrappers, for ever."""
    return cycle(_visits(minter))


@cache
def unknown_key_ids(count: int) -> tuple[Visit, ...]:
    """Requests whose tokens name keys that there are not."""
    minters = (Minter(f"ins_forged_{number}", private=K1.private) for number in range(count))
    return tuple(
        visit(token_of(minter, "user_forged"), None, PATHS[number % 2])
        for number, minter in enumerate(minters)
    )


@cache
def forged_signatures(count: int) -> tuple[Visit, ...]:
    """Requests whose tokens name a key of Clerk's, which has not signed them."""
    return tuple(
        visit(token_of(STRANGER, "user_forged"), None, PATHS[number % 2]) for number in range(count)
    )
