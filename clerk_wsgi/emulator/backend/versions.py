"""Versions of the Backend API, and which of its retired endpoints are still served."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from ..errors import Refusal

if TYPE_CHECKING:
    from webob import Request

API_VERSIONS = frozenset(
    {"2021-02-05", "2024-10-01", "2025-03-12", "2025-04-10", "2025-11-10", "2026-05-12"}
)
VERIFY_ENDPOINTS = ("served", "versioned", "gone")
LAST_WITH_SESSION_VERIFICATION = "2025-03-12"


def asked_version(request: Request) -> str | None:
    """Return the version that a request names, or raise a ``Refusal`` if there is none such."""
    header = request.headers.get("Clerk-API-Version")
    query = dict(parse_qsl(request.query_string)).get("__clerk_api_version")
    if header is not None and query is not None:
        raise _invalid_version("give the header or the query parameter, not both")
    asked: str | None = header if query is None else query
    if asked is not None and asked not in API_VERSIONS:
        raise _invalid_version(f"{asked} is unknown")
    return asked


def _invalid_version(why: str) -> Refusal:
    return Refusal(
        400, "api_version_invalid", "Invalid API version", f"Invalid Clerk API version: {why}"
    )


class VerifyEndpoints:
    """Whether ``POST …/verify`` is served: ``"served"``, ``"gone"``, or ``"versioned"``.

    ``"versioned"`` is as Clerk documents it: sessions cannot be verified with a later version of
    the API than 2025-03-12, clients can.
    """

    def __init__(self, mode: str) -> None:
        if mode not in VERIFY_ENDPOINTS:
            raise ValueError(f"verify_endpoints: expected one of {', '.join(VERIFY_ENDPOINTS)}")
        self._mode = mode

    def has_sessions(self, request: Request) -> bool:
        """Say whether sessions can be verified by this request."""
        if self._mode == "versioned":
            return (asked_version(request) or "") <= LAST_WITH_SESSION_VERIFICATION
        return self._mode == "served"

    def has_clients(self, request: Request) -> bool:
        """Say whether clients can be verified."""
        return self._mode != "gone"
