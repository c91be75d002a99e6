"""Django's middleware: a gate that knows Django's requests and responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from ...errors import ClerkError
from ...guards import _request_of
from ...signing import Redirect
from .answers import response_of, with_headers
from .configured import make_gate, make_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIEnvironment
    from django.http.response import HttpResponseBase

    from ...claims import Auth


class ClerkRequest(HttpRequest):  # type: ignore[misc] # it is Any without django-stubs
    """Django's request for whoever checks types: with what the middleware puts there.

    Where ``accepts_token`` lets machines in, ``get_auth(request)`` has the right type.
    """

    clerk: Auth
    environ: WSGIEnvironment


class ClerkMiddleware:
    """Decides about each request, and puts ``request.clerk`` there: an ``Auth``, or a machine's.

    Views are called whether somebody is signed in or not. A ``ClerkError`` that one of them raises
    is answered as ``on_error`` wants it, a ``Redirect`` is followed. The settings are read when
    Django makes its handler: ``ImproperlyConfigured`` for those that are wrong. Requests without a
    WSGI environ, as ASGI has them, raise it, too.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._gate = make_gate()
        self._verdicts = make_verdicts()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # This frame shows up in every traceback of the project: nothing secret lives in it.
        answer, additions = self._gate.check(_environ_of(request))
        cast("ClerkRequest", request).clerk = request.META["clerk.auth"]
        response = self._get_response(request) if answer is None else _answer(answer, request)
        return with_headers(response, additions)

    def process_exception(
        self, request: HttpRequest, exception: BaseException
    ) -> HttpResponseBase | None:
        """Answer a ``ClerkError`` or ``Redirect`` of a view; all others are not our business."""
        if isinstance(exception, Redirect):
            return _answer(exception, request)
        if not isinstance(exception, ClerkError):
            return None
        if exception.request is None:
            exception._request = _request_of(request.META)
        return _answer(self._verdicts.final_answer_to(exception), request)


def _answer(answer: Any, request: HttpRequest) -> HttpResponseBase:
    return response_of(answer, request.META)


def _environ_of(request: HttpRequest) -> WSGIEnvironment:
    """Return the environ of a request, which Django's own ``META`` is."""
    environ: WSGIEnvironment | None = getattr(request, "environ", None)
    if environ is None:
        kind = type(request).__name__
        raise ImproperlyConfigured(
            f"ClerkMiddleware needs WSGI, and a {kind} has no environ: serve the project's wsgi.py"
        )
    return environ
