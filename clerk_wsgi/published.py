"""What the wrapper has left in the environ of a request, for applications to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .claims import Auth, Session
    from .machine_auth import MachineAuth


def get_session(request: object) -> Session | None:
    """Return the session of a WSGI environ or of a framework's request, ``None`` if signed out.

    ``LookupError`` if the application is not wrapped.
    """
    session: Session | None = published(request, "clerk.session")
    return session


def get_auth(request: object) -> Auth | MachineAuth:
    """Return what a WSGI environ's or a framework's request may do; falsy if signed out.

    ``LookupError`` if the application is not wrapped.
    """
    auth: Auth | MachineAuth = published(request, "clerk.auth")
    return auth


def published(request: object, key: str) -> Any:
    """Return what the wrapper has left under a key of environ, or raise ``LookupError``."""
    try:
        return environ_of(request)[key]
    except KeyError:
        message = f"{key} is not in this request: wrap the application with with_session(app)"
        raise LookupError(message) from None


def environ_of(request: object) -> Mapping[str, Any]:
    """Return the WSGI environ of a framework's request, or of none."""
    # WebOb, Pyramid, Bottle, Flask and Django say environ, Falcon env; META is Django's older name.
    for name in ("environ", "env", "META"):
        environ = getattr(request, name, None)
        if isinstance(environ, Mapping):
            return environ
    if isinstance(request, Mapping):
        return request
    kind = type(request).__name__
    raise TypeError(f"expected a WSGI environ or a request that has one, got {kind}")
