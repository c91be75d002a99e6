"""Asking Clerk about what only Clerk can judge, without letting strangers spend our calls.

Rule 13: opaque tokens, nonces and refresh tokens cost an API call each. Refusals are remembered
for some seconds, and both what is under way and how often is asked are bounded per instance.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeVar

from .forking import forget_in_child
from .questions import NoAnswer, Refusal
from .rationing import BriefMemory, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .questions import ClerkApi

IN_FLIGHT = 32
CALLS, PER_SECONDS = 1000, 10.0  # what Clerk itself allows a production instance
REFUSALS, REMEMBERED_FOR = 10_000, 10.0

# Refusals that speak of us or of the moment, not of what was asked about.
_NOT_REMEMBERED = (401, 408, 425, 429)

Result = TypeVar("Result")


class Ration:
    """Bounds the calls of one instance; ``monotonic`` gives seconds."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        in_flight: int = IN_FLIGHT,
        calls: int = CALLS,
        seconds: float = PER_SECONDS,
    ) -> None:
        self._monotonic = monotonic
        self._limit = in_flight
        self._under_way: set[object] = set()
        self._calls = Window(calls, seconds)
        self._refusals: BriefMemory[Refusal] = BriefMemory(REFUSALS, REMEMBERED_FOR)
        forget_in_child(self)

    def ask(self, about: str, call: Callable[[], Result]) -> Result:
        """Return ``call()``, or raise what was answered about the same lately.

        ``about`` names the question and its credential; only its digest is kept. Raises
        ``NoAnswer`` if there are too many calls.
        """
        digest = hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()
        known = self._refusals.recall(digest, self._monotonic())
        if known is not None:
            raise Refusal(known.status, known.code)
        try:
            return self._admit(call)
        except Refusal as refusal:
            if 400 <= refusal.status < 500 and refusal.status not in _NOT_REMEMBERED:
                # A new one: the frames of this one's traceback hold the credential.
                known = Refusal(refusal.status, refusal.code)
                self._refusals.note(digest, known, self._monotonic())
            raise

    def _admit(self, call: Callable[[], Result]) -> Result:
        """Count a call: no lock, so that a few too many may pass at the same instant."""
        now = self._monotonic()
        if len(self._under_way) >= self._limit or self._calls.is_full(now):
            raise NoAnswer("more questions to Clerk than this instance may ask at once")
        self._calls.count(now)
        ticket = object()
        self._under_way.add(ticket)
        try:
            return call()
        finally:
            self._under_way.discard(ticket)

    def _after_fork(self) -> None:
        self._under_way = set()


class RationedApi:
    """A ``ClerkApi`` whose calls are rationed."""

    def __init__(self, api: ClerkApi, ration: Ration) -> None:
        self._api = api
        self._ration = ration

    def fetch_handshake_payload(self, nonce: str) -> object:
        """Exchange a handshake's nonce for its directives."""
        return self._ration.ask(
            f"handshake {nonce}", lambda: self._api.fetch_handshake_payload(nonce)
        )

    def refresh_session(
        self, session_id: str, body: Mapping[str, Any], *, suffixed_cookies: bool
    ) -> object:
        """Have a new token made for an expired one."""
        return self._ration.ask(
            f"refresh {session_id} {body.get('expired_token')} {body.get('refresh_token')}",
            lambda: self._api.refresh_session(session_id, body, suffixed_cookies=suffixed_cookies),
        )

    def verify_machine_token(self, token_type: str, token: str) -> object:
        """Ask what an opaque machine token stands for."""
        return self._ration.ask(
            f"{token_type} {token}", lambda: self._api.verify_machine_token(token_type, token)
        )
