"""Clerk sessions in any WSGI application.

``with_session(app)`` and ``require_session(app)`` wrap an application, ``Clerk(…)`` is an
instance of one's own, ``sessions``, ``clients``, ``users`` and ``organizations`` ask Clerk's API.
Importing this package reads no environment and needs no key.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .claims import Auth, Session
from .clerk import Clerk, default_clerk, set_default
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
from .middleware import ClerkMiddleware, require_session, with_session
from .published import get_auth, get_session
from .state import Handshake, RequestState, SignedIn, SignedOut

if TYPE_CHECKING:
    from .authorization import Reverification
    from .defaults import clients, organizations, sessions, users
    from .guards import protect, require
    from .links import Links
    from .models import Client, Organization, OrganizationMembership, User
    from .requirements import Requirement
    from .returning import safe_return_url
    from .signing import Redirect, sign_in_on_error, sign_out

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
    "Links",
    "M2MAuth",
    "MachineAuth",
    "OAuthAuth",
    "Organization",
    "OrganizationMembership",
    "Redirect",
    "RequestState",
    "Requirement",
    "Reverification",
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
    "organizations",
    "protect",
    "require",
    "require_session",
    "safe_return_url",
    "sessions",
    "set_default",
    "sign_in_on_error",
    "sign_out",
    "strict_on_error",
    "users",
    "with_session",
]

__version__ = "0.1.0"

# Imported when somebody asks for them: the import of the package stays quick.
_LATER = {
    "Client": "models",
    "Links": "links",
    "Organization": "models",
    "OrganizationMembership": "models",
    "Redirect": "signing",
    "Requirement": "requirements",
    "Reverification": "authorization",
    "User": "models",
    "clients": "defaults",
    "organizations": "defaults",
    "protect": "guards",
    "require": "guards",
    "safe_return_url": "returning",
    "sessions": "defaults",
    "sign_in_on_error": "signing",
    "sign_out": "signing",
    "users": "defaults",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f".{_LATER[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
