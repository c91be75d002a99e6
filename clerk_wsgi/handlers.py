"""Error handlers and error responses: how a failure is logged and what it looks like over HTTP.

An error handler gets the error, and its return value decides what happens (``middleware.py``
acts on it). An error response gets the exception that stopped a request and returns the WSGI
application that answers; a ``webob.Response`` is one, so users write their own in three lines.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator
from dataclasses import dataclass, field
from http import HTTPStatus
from logging import DEBUG, ERROR, INFO, WARNING
from typing import TYPE_CHECKING, Any

from .errors import ClerkError, ClerkUnavailable, Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    ErrorHandler = Callable[[ClerkError], object]
    ErrorResponse = Callable[[BaseException], WSGIApplication]

_logger = logging.getLogger("clerk_wsgi")
_REFUSALS = (Unauthenticated, Forbidden)

# Reasons that stand for the absence of a session: everyday traffic. Any other reason of an
# ``Unauthenticated`` means that something was presented and refused.
NOBODY_SIGNED_IN = frozenset(
    {
        "No token in header",
        "client-uat-but-no-session-token",
        "dev-browser-missing",
        "dev-browser-sync",
        "satellite-needs-syncing",
        "session-pending",
        "session-token-and-uat-missing",
        "session-token-missing",
    }
)


def default_on_error(error: ClerkError) -> None:
    """Log the error and let the request through; ``with_session`` uses it."""
    _log(error, WARNING)


def strict_on_error(error: ClerkError) -> ClerkError:
    """Log the error and return it, which stops the request; ``require_session`` uses it."""
    _log(error, ERROR)
    return error


def _log(error: ClerkError, trouble: int) -> None:
    if not isinstance(error, _REFUSALS):
        level = trouble
    else:
        level = DEBUG if error.reason in NOBODY_SIGNED_IN else INFO
    if _logger.isEnabledFor(level):
        # Quoted and cut: a message may repeat what a client sent.
        kind = error.reason or type(error).__name__
        _logger.log(level, "%s: %.200r", kind, error.message)


def refusal_of(verdict: object) -> BaseException | None:
    """Return the exception that a handler answered with, ``None`` if it lets the request through.

    An exception class is one as well. What an ``async`` or generator function returns raises
    ``TypeError``: nothing of it has run, so it must not count as letting through.
    """
    if verdict is None:
        return None
    if isinstance(verdict, BaseException):
        return verdict
    if isinstance(verdict, type) and issubclass(verdict, BaseException):
        return _made_of(verdict)
    if isinstance(verdict, (Awaitable, Generator, AsyncGenerator)):
        _discard(verdict)
        kind = type(verdict).__name__
        raise TypeError(f"on_error must be a plain function, but it returned a {kind}")
    return None


def _made_of(kind: type[BaseException]) -> BaseException:
    try:
        return kind()
    except TypeError:
        # It wants arguments. That is a refusal all the same, and its class may say which.
        _logger.exception("on_error returned a class that cannot be called without arguments")
        data = getattr(kind, "data", None)
        return ClerkError(status_code=getattr(kind, "status_code", None), data=data)


def _discard(verdict: object) -> None:
    # Unawaited and unclosed, a coroutine warns when it is collected.
    if isinstance(verdict, (Coroutine, Generator)):
        verdict.close()


def error_response(error: BaseException) -> WSGIApplication:
    """Return the default answer to an exception: its status, and its ``data`` as JSON if any.

    The status is ``error.status_code``, or 500 if that is not an int from 200 to 599. The
    exception's text is never sent.
    """
    return _json_response(error, getattr(error, "data", None))


def json_error_response(error: BaseException) -> WSGIApplication:
    """Return an answer that always has a JSON body: ``data``, else ``{"error": message}``.

    The message is the exception's ``message`` attribute. An exception without one is unknown to
    us, and its text may not be meant for clients: the status's own phrase is sent instead.
    """
    data = getattr(error, "data", None)
    return _json_response(error, {"error": _public_message(error)} if data is None else data)


def _json_response(error: BaseException, data: Any) -> Response:
    body = b"" if data is None else _encoded(data)
    if body is None:
        _logger.error("the data of a %s cannot be sent as JSON", type(error).__name__)
        return Response(status=500, headers=(NO_STORE,))
    status = _status_of(error)
    return Response(status=status, headers=(NO_STORE, *_hints(error, status)), body=body)


def _encoded(data: Any) -> bytes | None:
    """Return data as JSON (RFC 8259: no ``NaN``), ``None`` if it cannot be said in it."""
    try:
        return json.dumps(data, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return None


def _status_of(error: BaseException) -> int:
    status = getattr(error, "status_code", None)
    return int(status) if isinstance(status, int) and 200 <= status <= 599 else 500


def _public_message(error: BaseException) -> str:
    message = getattr(error, "message", None)
    return message if message and isinstance(message, str) else _phrase(_status_of(error))


def _hints(error: BaseException, status: int) -> list[tuple[str, str]]:
    """Return the headers that tell a client what to do next."""
    hints = [("WWW-Authenticate", "Bearer")] if status == 401 else []
    if isinstance(error, ClerkUnavailable):
        hints.append(("Retry-After", str(int(error.retry_after))))
    return hints


NO_STORE = ("Cache-Control", "no-store")
_WITHOUT_CONTENT = (204, 205, 304)
_WITHOUT_CONTENT_HEADERS = (204, 304)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole response as a WSGI application: status, headers, and a JSON body or none."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        content = b"" if self.status in _WITHOUT_CONTENT else self.body
        headers = [*self.headers, *self._content_headers(content)]
        start_response(f"{self.status} {_phrase(self.status)}", headers)
        return [content] if content and environ.get("REQUEST_METHOD") != "HEAD" else []

    def _content_headers(self, content: bytes) -> list[tuple[str, str]]:
        if self.status in _WITHOUT_CONTENT_HEADERS:
            return []
        # PEP 3333 does not ask for a type where there is no content; wsgiref.validate does.
        content_type = "application/json" if content else "text/plain; charset=utf-8"
        return [("Content-Type", content_type), ("Content-Length", str(len(content)))]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
