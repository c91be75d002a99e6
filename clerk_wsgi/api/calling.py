"""One call to Clerk's API: within its time, tried again where that is safe, its answer read."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import ClerkUnavailable, ConfigurationError
from .answer import Unreachable
from .error_answers import api_error
from .retrying import NEVER, Deadline, Retries, is_passing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..settings import Secret
    from .answer import Answer
    from .transport import Transport

    Send = Callable[..., Answer]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def rest(seconds: float) -> None:
    """Sleep."""
    time.sleep(seconds)  # looked up now: gevent puts its own there, perhaps after our import


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls the Backend API with the secret key of one instance.

    ``timeout`` is in seconds. A call may take so long for each of the tries that ``retries``
    allows, pauses included; with a ``deadline`` it ends then, and other calls may share it.
    """

    transport: Transport
    secret_key: Secret | None
    timeout: float
    retries: Retries = field(default_factory=Retries)
    deadline: Deadline | None = None
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = rest

    def for_request(self) -> Caller:
        """Return a caller whose calls are tried once and together take ``timeout``, from now."""
        if self.deadline is not None:
            return self
        deadline = Deadline(self.timeout, self.monotonic)
        return replace(self, retries=NEVER, deadline=deadline)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        json: object = None,
        version_date: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Return the JSON of Clerk's answer, ``None`` if it has no body.

        Only a ``GET`` is tried again: for anything else nobody knows what became of it. Raises
        ``ApiError`` for an answer of 400 to 599; ``ClerkUnavailable`` if there was none, or none
        that can be used (a redirect, no JSON, too large); ``ValueError`` for a method, a path or
        a query that cannot be sent, ``ConfigurationError`` without a secret key.
        """
        if method not in METHODS:
            raise ValueError(f"the method is one of {', '.join(METHODS)}")
        send = partial(
            self.transport.call,
            method,
            path,
            secret=self._secret(),
            query=encoded_query(query or {}),
            json=json,
            version_date=version_date,
        )
        tries = self.retries.tries if method == "GET" else 1
        return _read(self._outcome(send, tries, self._deadline(timeout)), f"{method} {path}")

    def _secret(self) -> Secret:
        if self.secret_key is None:
            raise ConfigurationError(
                "secret_key is not set: give it as an argument or as CLERK_SECRET_KEY or"
                " CLERK_API_KEY; calls of Clerk's API cannot do without"
            )
        return self.secret_key

    def _deadline(self, timeout: float | None) -> Deadline:
        if self.deadline is not None:
            return self.deadline
        seconds = self.timeout * self.retries.tries if timeout is None else timeout
        return Deadline(seconds, self.monotonic)

    def _outcome(self, send: Send, tries: int, deadline: Deadline) -> Answer | Unreachable:
        """Return how the last try ended; the time left is divided among those still to come."""
        failures = 0
        while True:
            outcome = _attempt(send, deadline.left() / (tries - failures))
            failures += 1
            if failures == tries or not is_passing(outcome):
                return outcome
            pause = self.retries.pause(failures, outcome)
            if pause >= deadline.left():
                return outcome
            self.sleep(pause)


def _attempt(send: Send, seconds: float) -> Answer | Unreachable:
    if seconds <= 0:
        return Unreachable("the time for the call is over")
    try:
        return send(timeout=seconds)
    except Unreachable as error:
        return error


def _read(outcome: Answer | Unreachable, question: str) -> Any:
    if isinstance(outcome, Unreachable):
        raise ClerkUnavailable(f"Clerk gave no usable answer: {outcome}") from outcome
    if 400 <= outcome.status <= 599:
        raise api_error(outcome, question)
    if not 200 <= outcome.status <= 299:
        message = f"Clerk gave no usable answer: {question} was answered {outcome.status}"
        raise ClerkUnavailable(message)
    return _json_of(outcome, question)


def _json_of(answer: Answer, question: str) -> Any:
    if not answer.body:
        return None
    try:
        return answer.json()
    except ValueError:
        pass  # the error quotes what was answered
    raise ClerkUnavailable(f"Clerk gave no usable answer: that to {question} is not JSON")


# ---- query strings ----


def encoded_query(parameters: Mapping[str, object]) -> dict[str, str | list[str]]:
    """Return the parameters of a query as texts; those that are ``None`` are left out.

    Times become milliseconds, a sequence repeats its name. An empty one is a ``ValueError``: left
    out, a filter for nothing would ask for everything.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    return {name: _encoded(name, value) for name, value in given.items()}


def _encoded(name: str, value: object) -> str | list[str]:
    if isinstance(value, (str, int, datetime)):
        return _text(name, value)
    if isinstance(value, (bytes, dict)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} cannot be a {type(value).__name__}")
    texts = [_text(name, member) for member in value]
    if not texts:
        raise ValueError(f"{name} is empty")
    return texts


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return str(round(value.timestamp() * 1000))
    raise TypeError(f"{name} is made of texts, whole numbers, booleans and aware datetimes")
