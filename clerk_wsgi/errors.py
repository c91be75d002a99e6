"""The errors of this package, and nothing else: a leaf that imports nothing of ours.

    ClerkError
    ├── Unauthenticated      401  nobody is signed in, or the token was refused
    ├── Forbidden            403  signed in, but not allowed
    ├── ClerkUnavailable     503  Clerk does not answer, or its keys cannot be had
    ├── ApiError             Clerk's own status, from calls that the application makes
    └── ConfigurationError   raised at construction, never per request

No message and no ``repr`` contains a token, a key or a cookie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from webob import Request


class ClerkError(Exception):
    """A failure that an error handler is asked about.

    ``message`` is text for people, ``status_code`` the HTTP status it stands for, ``data`` what
    an error response carries as JSON (``None``: no body), ``reason`` a reason code of
    docs/protocol.md or ``None``.
    """

    status_code = 500
    data: Any = None
    reason: str | None = None
    _request: Request | Callable[[], Request] | None = None

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int | None = None,
        data: Any = None,
        reason: str | None = None,
    ) -> None:
        if not self.args:  # which Python has set to what was given by position
            self.args = (message,)
        self.message = message
        if data is not None:
            self.data = data
        if reason is not None:
            self.reason = reason
        if status_code is not None:
            self.status_code = status_code

    @property
    def request(self) -> Request | None:
        """The request that failed, as a ``webob.Request`` made when first asked for.

        It is ``None`` for errors that did not come from a wrapped application.
        """
        if callable(self._request) and not hasattr(self._request, "environ"):
            self._request = self._request()
        return self._request  # type: ignore[return-value]

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name != "_request"}
        return type(self), (self.message,), {**state, "_request": None}


class Unauthenticated(ClerkError):
    """Nobody is signed in, or the token was refused; ``reason`` says which."""

    status_code = 401


class Forbidden(ClerkError):
    """Signed in, but without the role, permission or recent verification asked for."""

    status_code = 403


class ClerkUnavailable(ClerkError):
    """Clerk could not be asked: its keys cannot be had or it does not answer in time.

    ``retry_after`` is in seconds. An outage is not a sign-out, so this is never a 401.
    """

    status_code = 503

    def __init__(self, message: str = "", *, retry_after: int = 1, **evidence: Any) -> None:
        super().__init__(message, **evidence)
        self.retry_after = retry_after


class ApiError(ClerkError):
    """Clerk's API answered with an error.

    ``status_code`` is Clerk's, ``data`` its list of errors (each a dict with ``code``,
    ``message``, ``long_message`` and ``meta``). ``retry_after`` is in seconds, ``trace_id`` names
    the call in Clerk's own logs; each is ``None`` where Clerk does not say.
    """

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: int | None = None,
        trace_id: str | None = None,
        **evidence: Any,
    ) -> None:
        super().__init__(message, **evidence)
        self.retry_after = retry_after
        self.trace_id = trace_id


class ConfigurationError(ClerkError, ValueError):
    """A setting is missing or wrong; the message names it and where its value came from."""
