"""What an error handler's verdict comes to: who answers a request that failed.

One way for all who refuse: the wrapper that decides, requirements, and frameworks' decorators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ApiError, ClerkError
from .handlers import refusal_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from .handlers import ErrorHandler, ErrorResponse


API_REFUSED = "clerk-api-refused"


def _bad_gateway(error: ApiError) -> ClerkError:
    told = ClerkError("Clerk's API refused.", status_code=502, reason=API_REFUSED)
    told._request = error._request
    told.__cause__ = error
    return told


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
        return self._response_to(refusal)

    def refuse(self, error: ClerkError) -> WSGIApplication:
        """Return what answers a failure that nobody can let through; ``on_error`` is not asked."""
        return self._response_to(error)

    def final_answer_to(self, error: ClerkError) -> WSGIApplication:
        """Return what answers a failure in the midst of a view, which cannot go on.

        What Clerk's API answered to the application is no answer to the application's own client:
        its 401 would look like a sign-out. It becomes a 502, whose ``__cause__`` it is.
        """
        told = _bad_gateway(error) if isinstance(error, ApiError) else error
        answer = self.answer_to(told)
        return self.refuse(told) if answer is None else answer

    def _response_to(self, refusal: BaseException) -> WSGIApplication:
        """Return the response of a refusal; what is none must not pass for letting through."""
        answer: object = self._error_response(refusal)
        if not callable(answer):
            kind = type(answer).__name__
            raise TypeError(f"error_response must return a WSGI application, not {kind}")
        return answer
