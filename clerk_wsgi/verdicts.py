"""What an error handler's verdict comes to: who answers a request that failed.

One way for all who refuse: the wrapper that decides, requirements, and frameworks' decorators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .handlers import refusal_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from .errors import ClerkError
    from .handlers import ErrorHandler, ErrorResponse


class Verdicts:
    """Asks ``on_error`` about failures; ``error_response`` makes an answer of what it returns."""

    __slots__ = ("_error_response", "on_error")

    def __init__(self, on_error: ErrorHandler, error_response: ErrorResponse) -> None:
        self.on_error = on_error
        self._error_response = error_response

    def answer_to(self, error: ClerkError) -> WSGIApplication | None:
        """Return the WSGI application that answers a failure, ``None`` to let the request through.

        A refusal that is a WSGI application itself, such as ``webob.exc.HTTPFound``, answers.
        """
        verdict = self.on_error(error)
        refusal = None if verdict is None else refusal_of(verdict)
        if refusal is None:
            return None
        if callable(refusal):
            answer: WSGIApplication = refusal
            return answer
        return self._error_response(refusal)

    def refuse(self, error: ClerkError) -> WSGIApplication:
        """Return what answers a failure that nobody can let through; ``on_error`` is not asked."""
        return self._error_response(error)

    def final_answer_to(self, error: ClerkError) -> WSGIApplication:
        """Return what answers a failure in the midst of a view, which cannot go on."""
        return self.answer_to(error) or self.refuse(error)
