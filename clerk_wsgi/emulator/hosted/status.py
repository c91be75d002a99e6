"""The status page at ``/``: what is in the local Clerk, for browsers on this machine.

A site elsewhere can make its own name stand for 127.0.0.1 and then read what its pages get from
there; browsers do say which name they asked, though. So only names that belong here are answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...settings import parse_publishable_key
from ..errors import Refusal
from ..redirects import is_loopback, parse_target
from .layout import html_answer
from .overview import overview_of
from .pages import error_page
from .status_page import status_page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webob import Request, Response

    from ..app import Emulator

_METHODS = ("GET", "HEAD")


class StatusPage:
    """``/`` as browsers ask for it; what scripts ask for there is an endpoint that there is not.

    It answers at this machine's own names, the Frontend API's, and those of ``redirect_origins``.
    """

    def __init__(self, emulator: Emulator, redirect_origins: Iterable[str]) -> None:
        self._emulator = emulator
        key = parse_publishable_key(emulator.publishable_key)
        known = [f"https://{key.frontend_api}", *redirect_origins]
        self._hosts = frozenset(target.host for target in map(parse_target, known) if target)

    def is_asked(self, request: Request) -> bool:
        """Say whether a request is for this page."""
        path = request.environ.get("PATH_INFO", "")
        wants_page = "text/html" in request.headers.get("Accept", "")
        return path == "/" and request.method in _METHODS and wants_page

    def answer(self, request: Request) -> Response:
        """Answer with the page, or with an error page at a name that is not ours."""
        if not self._is_known(request.host):
            return html_answer(error_page(_misdirected()), status=421)
        return html_answer(status_page(overview_of(self._emulator, request.application_url)))

    def _is_known(self, host: str) -> bool:
        asked = parse_target(f"http://{host}")
        return asked is not None and (is_loopback(asked.host) or asked.host in self._hosts)


def _misdirected() -> Refusal:
    text = "What is in a local Clerk is shown at an address of its own machine, such as localhost."
    return Refusal(421, "host_unknown", text)
