"""The WSGI middleware: a gate in front of an application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .additions import adding
from .gate import Gate, checked_callable
from .handlers import default_on_error, strict_on_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from typing_extensions import Unpack

    from .clerk import Clerk
    from .gate import AnswerOptions, ClerkChooser
    from .handlers import ErrorHandler

    # Frameworks annotate ``start_response`` each in their own way: any of them will do.
    Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class ClerkMiddleware(Gate):
    """Wrap a WSGI application so that it finds ``clerk.*`` in its environ.

    ``clerk`` is the default instance if it is not given. ``on_error`` decides about failures by
    what it returns: an exception refuses, anything else lets the request through. These and the
    other options are those of ``Gate``.
    """

    def __init__(
        self,
        app: Application,
        clerk: Clerk | ClerkChooser | None = None,
        on_error: ErrorHandler | None = default_on_error,
        **options: Unpack[AnswerOptions],
    ) -> None:
        self._app = checked_callable("app", app)
        super().__init__(clerk, on_error, **options)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # This frame shows up in every traceback of the application: nothing secret lives in it.
        answer, start = self._answer(environ, start_response)
        return answer(environ, start)

    def _answer(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> tuple[Application, StartResponse]:
        """Return who answers this request, and the ``start_response`` to answer with."""
        answer, additions = self.check(environ)
        start = adding(additions, start_response) if additions else start_response
        return self._app if answer is None else answer, start


def with_session(
    app: Application,
    clerk: Clerk | ClerkChooser | None = None,
    on_error: ErrorHandler | None = None,
    **options: Unpack[AnswerOptions],
) -> ClerkMiddleware:
    """Wrap ``app``: it is always called, with ``environ["clerk.session"]`` or ``None`` in it.

    The options are those of ``ClerkMiddleware``.
    """
    handler = default_on_error if on_error is None else on_error
    return ClerkMiddleware(app, clerk, handler, **options)


def require_session(
    app: Application,
    clerk: Clerk | ClerkChooser | None = None,
    on_error: ErrorHandler | None = None,
    **options: Unpack[AnswerOptions],
) -> ClerkMiddleware:
    """Wrap ``app``: without a session the answer is 401, or 503 if Clerk cannot be asked.

    The options are those of ``ClerkMiddleware``; a handler of one's own may let requests through.
    """
    handler = strict_on_error if on_error is None else on_error
    return ClerkMiddleware(app, clerk, handler, **options)
