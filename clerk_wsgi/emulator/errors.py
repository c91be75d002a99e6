"""What can go wrong in the local Clerk, in Python and as Clerk's error bodies: a leaf.

    EmulatorError
    ├── StateError     the state cannot be opened
    ├── ListenError    the address cannot be listened on
    └── NotFound       no such user or session
    Refusal            an error answer of the API

``Refusal`` never leaves the WSGI application.
"""

from __future__ import annotations

import secrets

from webob import Response


class EmulatorError(Exception):
    """A failure of the local Clerk; its text is one line for people."""


class StateError(EmulatorError):
    """The state file cannot be opened, or is not one of ours."""


class ListenError(EmulatorError):
    """The address cannot be listened on, or must not be."""


class NotFound(EmulatorError, LookupError):
    """There is no object with this id."""


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
        allow: str | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.allow = allow
        self.entry: dict[str, object] = {
            "code": code,
            "message": message,
            "long_message": long_message or message,
        }
        if param is not None:
            self.entry["meta"] = {"param_name": param}

    def response(self) -> Response:
        """Return the answer in Clerk's form (docs/protocol.md, "Errors")."""
        body = {"errors": [self.entry], "clerk_trace_id": secrets.token_hex(16)}
        response = Response(json=body, status=self.status)
        if self.allow:
            response.headers["Allow"] = self.allow
        return response


def resource_not_found(message: str, long_message: str | None = None) -> Refusal:
    """Return a 404 with Clerk's code for every unknown thing."""
    return Refusal(404, "resource_not_found", message, long_message)


def request_body_invalid() -> Refusal:
    """Return the 400 of a body that cannot be read."""
    return Refusal(
        400,
        "request_body_invalid",
        "Request body invalid",
        "The request body is invalid. Please consult the API documentation for more information.",
    )


def invalid_parameter(code: str, param: str, long_message: str) -> Refusal:
    """Return the 422 of a parameter; ``code`` begins with ``form_param_``."""
    message = "is unknown" if code == "form_param_unknown" else "is invalid"
    return Refusal(422, code, message, long_message, param=param)
