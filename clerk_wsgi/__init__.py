"""Clerk sessions in any WSGI application.

``with_session(app)`` and ``require_session(app)`` wrap an application, ``Clerk(…)`` is an
instance of one's own, ``sessions``, ``clients`` and ``users`` ask Clerk's API. Importing this
package reads no environment and needs no key.
"""

from .claims import Auth, Session
from .clerk import Clerk, default_clerk, set_default
from .defaults import clients, sessions, users
from .errors import (
    ApiError,
    ClerkError,
    ClerkUnavailable,
    ConfigurationError,
    Forbidden,
    Unauthenticated,
)
from .handlers import default_on_error, error_response, json_error_response, strict_on_error
from .machine_auth import ApiKeyAuth, M2MAuth, MachineAuth, OAuthAuth
from .middleware import ClerkMiddleware, get_auth, get_session, require_session, with_session
from .models import Client, Organization, OrganizationMembership, User
from .state import Handshake, RequestState, SignedIn, SignedOut

__all__ = [
    "ApiError",
    "ApiKeyAuth",
    "Auth",
    "Clerk",
    "ClerkError",
    "ClerkMiddleware",
    "ClerkUnavailable",
    "Client",
    "ConfigurationError",
    "Forbidden",
    "Handshake",
    "M2MAuth",
    "MachineAuth",
    "OAuthAuth",
    "Organization",
    "OrganizationMembership",
    "RequestState",
    "Session",
    "SignedIn",
    "SignedOut",
    "Unauthenticated",
    "User",
    "clients",
    "default_clerk",
    "default_on_error",
    "error_response",
    "get_auth",
    "get_session",
    "json_error_response",
    "require_session",
    "sessions",
    "set_default",
    "strict_on_error",
    "users",
    "with_session",
]

__version__ = "0.1.0"
