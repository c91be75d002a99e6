"""Where the keys that verify tokens come from, and how long they count.

A ``PemKey`` is the one key that the application was given. ``RemoteKeys`` are fetched from Clerk
and remembered, so that no request waits for Clerk while its key is known and none is refused
because Clerk is down (docs/protocol.md, "Keys"). Nothing is shared between two instances.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from .errors import ClerkUnavailable
from .forking import forget_in_child
from .jwk import KeysUnavailable, UnknownKey, VerificationKey, parse_jwks, parse_pem
from .rationing import Backoff, BriefMemory, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "Keys",
    "KeysUnavailable",
    "NoKeys",
    "PemKey",
    "RemoteKeys",
    "UnknownKey",
    "VerificationKey",
    "parse_jwks",
]

# All times are in seconds.
GRACE = 1.0  # a fetch that takes so much longer than anybody waits is given up: another may start
COLD_PAUSE = 1.0  # between the starts of two fetches while there are no keys
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 30.0  # after refreshes that failed
UNKNOWN_FETCHES, UNKNOWN_WINDOW = 2, 10.0  # so many fetches for unknown kids in such a time
UNKNOWN_WAIT = 1.0  # nobody waits longer for a kid that is not there while other keys are
DOUBTFUL_WAIT = 0.25  # nor so long if the last fetch failed
UNKNOWN_FOR = 1.0  # a kid that Clerk did not know is not asked about again for so long
UNKNOWN_KIDS = 1000  # remembered at most
LONGEST_KID = 256  # a longer one names no key of Clerk's: never asked about, never remembered

_log = logging.getLogger("clerk_wsgi")


class Keys(Protocol):
    """The keys of one instance."""

    def find(self, kid: str | None) -> VerificationKey:
        """Return the key that signs as ``kid``, or raise ``UnknownKey`` or ``KeysUnavailable``."""

    def is_current(self, key: VerificationKey) -> bool:
        """Say whether ``key`` still counts; asked about every token that was verified before."""


class KeySource(Keys, Protocol):
    """The keys of one instance, which can be had before they are needed."""

    def warm_up(self) -> None:
        """Have keys before anybody asks for one, or raise ``KeysUnavailable``."""


class NoKeys:
    """The keys of an instance that can have none: it knows only a machine secret key."""

    def find(self, kid: str | None) -> VerificationKey:
        """Raise ``UnknownKey``."""
        raise UnknownKey

    def is_current(self, key: VerificationKey) -> bool:
        """Say no."""
        return False

    def warm_up(self) -> None:
        """Do nothing: there is nothing to be had."""


class PemKey:
    """The one key of ``jwt_key``: it answers to every ``kid``, needs no network and never ages.

    Raises ``ValueError`` for a text without an RSA public key; the message quotes nothing of it.
    """

    def __init__(self, text: str) -> None:
        self._key = parse_pem(text)

    def find(self, kid: str | None) -> VerificationKey:
        """Return the key, whatever the token calls it."""
        return self._key

    def is_current(self, key: VerificationKey) -> bool:
        """Say whether it is this very key."""
        return key is self._key

    def warm_up(self) -> None:
        """Do nothing: it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """The keys of one fetch. It is never changed, only replaced, so readers need no lock."""

    keys: Mapping[str | None, VerificationKey]
    flight: int  # the number of the fetch: a later one replaces an earlier one, never the reverse
    fresh_until: float
    usable_until: float


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a fetch brought nothing. Exceptions are made anew for each request that waited."""

    message: str
    reason: str = "jwk-remote-failed-to-load"

    def as_exception(self) -> KeysUnavailable:
        return KeysUnavailable(self.message, reason=self.reason)


class _Flight:
    """One fetch under way. ``cold_kid`` is what it was started for when there were no keys."""

    def __init__(self, number: int, started_at: float, cold_kid: str | None) -> None:
        self.number = number
        self.started_at = started_at
        self.cold_kid = cold_kid
        self.failure: _Failure | None = None
        self._landed = threading.Event()

    def land(self, failure: _Failure | None) -> None:
        self.failure = failure
        self._landed.set()

    def wait(self, seconds: float) -> _Failure | None:
        """Return how it ended, after at most that time."""
        return self.failure if self._landed.wait(max(0.0, seconds)) else _LATE


_NEVER = float("-inf")
_NOTHING_YET = _Snapshot(keys={}, flight=0, fresh_until=_NEVER, usable_until=_NEVER)
_LATE = _Failure("Clerk's keys did not arrive in time.")
_ABORTED = _Failure("The fetch of Clerk's keys was aborted.")


class RemoteKeys:
    """The keys of Clerk's ``GET /jwks``, remembered.

    ``fetch`` returns the parsed JSON document or raises ``ClerkUnavailable``. Keys are refreshed
    in the background once they are ``ttl`` seconds old, and stay usable for ``stale`` more while
    that fails. A request whose key is not there waits at most ``wait`` seconds for it; while
    there are other keys at most one, and a quarter of one if the last fetch failed: it may be a
    stranger's, and the thread that it holds is wanted by those whose key is known.

    What costs a fetch is bounded, whatever tokens are presented: one is under way at a time; while
    there are no usable keys one starts per second; refreshes that fail pause for 1 to 30 seconds;
    kids that are not in the set cost two fetches in any ten seconds.

    An unknown ``kid`` is ``UnknownKey`` only if Clerk said so. While the last fetch failed it is
    ``KeysUnavailable``, also if there are other keys: somebody whose token was signed with a new
    key must not be signed out by an outage. Whoever forges such tokens then gets 503 instead of
    401, which costs nobody anything.
    """

    def __init__(
        self,
        fetch: Callable[[], object],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        ttl: float = 300.0,
        stale: float = 3600.0,
        wait: float = 3.0,
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._ttl = ttl
        self._stale = stale
        self._wait = wait
        self._snapshot = _NOTHING_YET
        self._flight: _Flight | None = None
        self._flights = 0
        self._failure: _Failure | None = None
        self._last_start = _NEVER
        self._backoff = Backoff(FIRST_BACKOFF, LONGEST_BACKOFF)
        self._unknown_fetches = Window(UNKNOWN_FETCHES, UNKNOWN_WINDOW)
        self._unknown_kids: BriefMemory[float] = BriefMemory(UNKNOWN_KIDS, UNKNOWN_FOR)
        forget_in_child(self)

    def find(self, kid: str | None) -> VerificationKey:
        """Return the key that signs as ``kid``; at once if it is known, however slow Clerk is."""
        now = self._monotonic()
        snapshot = self._snapshot
        if now > snapshot.usable_until:
            return self._find_cold(kid, now)
        if now > snapshot.fresh_until:
            self._refresh(now)
        key = snapshot.keys.get(kid)
        return key if key is not None else self._find_unknown(kid, now)

    def is_current(self, key: VerificationKey) -> bool:
        """Say whether ``key`` may still be used; a set that aged is refreshed on the way."""
        snapshot = self._snapshot
        now = self._monotonic()
        if now > snapshot.fresh_until:
            if now > snapshot.usable_until:
                return False
            self._refresh(now)
        return snapshot.keys.get(key.kid) is key

    def warm_up(self) -> None:
        """Fetch the keys unless there are some, and wait for them as a request would.

        Raises ``KeysUnavailable`` if there are none that may be used then.
        """
        now = self._monotonic()
        if now <= self._snapshot.usable_until:
            return
        flight = self._board(now, self._may_start_cold)
        failure = self._outcome_of(flight, self._wait) if flight else self._failure
        if failure is not None and self._monotonic() > self._snapshot.usable_until:
            raise failure.as_exception()

    # ---- a key that is not there: what may be fetched for it ----

    def _find_cold(self, kid: str | None, now: float) -> VerificationKey:
        """Find a key while there are none, or only such as are too old."""
        flight = self._board(now, self._may_start_cold, cold_kid=kid)
        return self._find_after(flight, kid, now, self._wait)

    def _may_start_cold(self, now: float) -> bool:
        is_paused = self._failure is not None and now < self._last_start + COLD_PAUSE
        return now > self._snapshot.usable_until and not is_paused

    def _find_unknown(self, kid: str | None, now: float) -> VerificationKey:
        """Find a key that is not among those in use: it may be new."""
        if kid is None or len(kid) > LONGEST_KID or self._unknown_kids.recall(kid, now):
            raise UnknownKey
        patience = UNKNOWN_WAIT if self._failure is None else DOUBTFUL_WAIT
        flight = self._board(now, partial(self._may_ask_for, kid))
        return self._find_after(flight, kid, now, min(self._wait, patience))

    def _may_ask_for(self, kid: str, now: float) -> bool:
        has_arrived = kid in self._snapshot.keys  # since we looked
        if has_arrived or self._unknown_fetches.is_full(now):
            return False
        self._unknown_fetches.count(now)
        return True

    def _find_after(
        self, flight: _Flight | None, kid: str | None, now: float, patience: float
    ) -> VerificationKey:
        """Answer from the keys that are there once the flight has landed.

        Without a flight none may start now: the last one's outcome counts.
        """
        failure = self._failure if flight is None else self._outcome_of(flight, patience)
        snapshot = self._snapshot
        key = snapshot.keys.get(kid)
        if key is not None and (failure is None or now <= snapshot.usable_until):
            return key
        if failure is not None:
            raise failure.as_exception()
        if flight is not None and kid is not None and len(kid) <= LONGEST_KID:
            with self._lock:
                self._unknown_kids.note(kid, UNKNOWN_FOR, self._monotonic())
        raise UnknownKey

    def _outcome_of(self, flight: _Flight, patience: float) -> _Failure | None:
        """Wait for a flight until it is so old: who comes late waits no longer than others."""
        return flight.wait(flight.started_at + patience - self._monotonic())

    # ---- one flight at a time ----

    def _refresh(self, now: float) -> None:
        """Have the keys fetched without waiting, unless that is under way or has just failed."""
        if self._backoff.is_over(now) and not self._is_under_way(now):
            self._board(now, self._may_refresh)

    def _may_refresh(self, now: float) -> bool:
        return now > self._snapshot.fresh_until and self._backoff.is_over(now)

    def _is_under_way(self, now: float) -> bool:
        flight = self._flight
        return flight is not None and now <= flight.started_at + self._wait + GRACE

    def _board(
        self, now: float, may_start: Callable[[float], bool], cold_kid: str | None = None
    ) -> _Flight | None:
        """Return the flight under way, else a new one if ``may_start``, else ``None``."""
        with self._lock:
            if self._is_under_way(now):
                return self._flight
            self._give_up(now)
            if not may_start(now):
                return None
            self._flights += 1
            self._last_start = now
            flight = self._flight = _Flight(self._flights, now, cold_kid)
        self._start(flight)
        return flight

    def _give_up(self, now: float) -> None:
        """Count a flight that never landed as failed; what it may still bring is welcome."""
        if self._flight is not None:
            self._flight, self._failure = None, _LATE
            self._backoff.fail(now)

    def _start(self, flight: _Flight) -> None:
        """Fly in a thread: nothing, not even a name server that is silent, delays who waits."""
        try:
            threading.Thread(
                target=self._fly, args=(flight,), name="clerk-wsgi-keys", daemon=True
            ).start()
        except RuntimeError:  # there can be no more threads
            self._fly(flight)

    def _fly(self, flight: _Flight) -> None:
        outcome: dict[str, VerificationKey] | _Failure = _ABORTED
        # Clerk sees when a fetch is sent, which a busy processor may delay: pauses count from then.
        self._last_start = self._monotonic()
        try:
            outcome = self._load()
        finally:  # whatever was raised: nobody waits for a flight that has ended
            self._land(flight, outcome)

    def _load(self) -> dict[str, VerificationKey] | _Failure:
        """Return the keys of one fetch, or why there are none; log the latter."""
        try:
            keys = parse_jwks(self._fetch())
        except ClerkUnavailable as error:
            failure = _Failure(error.message, error.reason or _ABORTED.reason)
        else:
            if keys or not self._snapshot.keys:
                return keys
            failure = _Failure("None of the keys that Clerk has now is usable.")
        _log.warning("%s (%s)", failure.message, failure.reason)
        return failure

    def _land(self, flight: _Flight, outcome: dict[str, VerificationKey] | _Failure) -> None:
        failure = outcome if isinstance(outcome, _Failure) else None
        with self._lock:
            is_current = self._flight is flight
            if is_current:
                self._flight = None
            if not isinstance(outcome, _Failure):
                self._accept(flight, outcome)
            elif is_current:
                self._failure = outcome
                self._backoff.fail(self._monotonic())
        flight.land(failure)

    def _accept(self, flight: _Flight, keys: dict[str, VerificationKey]) -> None:
        """Put new keys in the place of the old, unless they come from an older flight."""
        if flight.number < self._snapshot.flight:
            return
        self._failure = None
        self._backoff.succeed()
        if flight.cold_kid is not None and flight.cold_kid not in keys:
            self._unknown_fetches.count(flight.started_at)
        fresh_until = flight.started_at + self._ttl
        self._snapshot = _Snapshot(
            keys={kid: self._same(key) for kid, key in keys.items()},
            flight=flight.number,
            fresh_until=fresh_until,
            usable_until=fresh_until + self._stale,
        )

    def _same(self, key: VerificationKey) -> VerificationKey:
        """Return the object in use if it is this key: what it verified stays remembered."""
        old = self._snapshot.keys.get(key.kid)
        return old if old is not None and old.numbers == key.numbers else key

    # ---- processes ----

    def _after_fork(self) -> None:
        self.__dict__.pop("_made_lock", None)
        self._flight = None

    @property
    def _lock(self) -> threading.Lock:
        """What guards the flights: held for a few assignments, never while anything waits."""
        lock: threading.Lock = self.__dict__.setdefault("_made_lock", threading.Lock())
        return lock
