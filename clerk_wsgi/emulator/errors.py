"""What can go wrong in the local Clerk, in Python and as Clerk's error bodies: a leaf.

    EmulatorError
    ├── StateError     the state cannot be opened
    ├── ListenError    the address cannot be listened on
    ├── SeedError      a seed cannot be read, or does not fit
    └── NotFound       no such user, client or session
    Refusal            an error answer of the API
    ConnectionReset    no answer at all

``Refusal`` never leaves the WSGI application; ``ConnectionReset`` is for whoever serves it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from webob import Response

if TYPE_CHECKING:
    from collections.abc import Sequence


class EmulatorError(Exception):
    """A failure of the local Clerk; its text is one line for people."""


class StateError(EmulatorError):
    """The state file cannot be opened, or is not one of ours."""


class ListenError(EmulatorError):
    """The address cannot be listened on, or must not be."""


class SeedError(EmulatorError):
    """A seed cannot be read, or what it says cannot be."""


class NotFound(EmulatorError, LookupError):
    """There is no object with this id."""


class ConnectionReset(Exception):
    """The client is to see its connection reset; nothing was answered."""


class Refusal(Exception):
    """An answer of Clerk's API that is an error: one entry of its list of errors."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        long_message: str | None = None,
        *,
        param: str | None = None,
        params: Sequence[str] | None = None,
        allow: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.allow = allow
        self.retry_after = retry_after
        self.entry: dict[str, object] = {
            "code": code,
            "message": message,
            "long_message": long_message or message,
        }
        if param is not None:
            self.entry["meta"] = {"param_name": param}
        if params is not None:
            self.entry["meta"] = {"param_names": list(params)}

    def response(self) -> Response:
        """Return the answer in Clerk's form (docs/protocol.md, "Errors")."""
        body = {"errors": [self.entry], "clerk_trace_id": secrets.token_hex(16)}
        response = Response(json=body, status=self.status)
        if self.allow:
            response.headers["Allow"] = self.allow
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        return response


def resource_not_found(message: str, long_message: str | None = None) -> Refusal:
    """Return a 404 with Clerk's code for every unknown thing."""
    return Refusal(404, "resource_not_found", message, long_message)


def gone() -> Refusal:
    """Return the 410 of an endpoint that is not served any longer."""
    return Refusal(410, "operation_deprecated", "endpoint is deprecated and pending removal")


def request_body_invalid() -> Refusal:
    """Return the 400 of a body that cannot be read."""
    return Refusal(
        400,
        "request_body_invalid",
        "Request body invalid",
        "The request body is invalid. Please consult the API documentation for more information.",
    )


_MESSAGES = {
    "form_param_unknown": "is unknown",
    "form_param_missing": "is missing",
    "form_param_duplicate": "is duplicate",
    "form_resource_not_found": "is missing",
}


def invalid_parameter(code: str, param: str, long_message: str) -> Refusal:
    """Return the 422 of a parameter; ``code`` begins with ``form_``."""
    return Refusal(422, code, _MESSAGES.get(code, "is invalid"), long_message, param=param)
