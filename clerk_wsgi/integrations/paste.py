"""PasteDeploy: the wrappers as filters of an ``.ini`` file; neither it nor a framework is needed.

    [filter:clerk]
    use = egg:clerk-wsgi#require_session
    authorized_parties = https://app.example.com

Settings are those of ``Clerk`` and of the wrapper, as texts; without any of ``Clerk``'s it is the
default instance. ``[DEFAULT]`` is not looked at.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ..config_texts import OPTIONS, REQUIREMENTS, parse_all, parse_wrapper, paths_from_text
from ..guards import protect, require
from ..middleware import require_session, with_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..config_texts import FromText
    from ..guards import Guard
    from ..middleware import Application, ClerkMiddleware

_PUBLIC: Mapping[str, FromText] = MappingProxyType({"public": paths_from_text})
_GUARD: Mapping[str, FromText] = MappingProxyType(
    {
        **REQUIREMENTS,
        "below": paths_from_text,
        "on_error": OPTIONS["on_error"],
        "error_response": OPTIONS["error_response"],
    }
)


def filter_app_factory(
    app: Application, global_conf: Mapping[str, str], **local_conf: str
) -> ClerkMiddleware:
    """Wrap ``app`` by ``with_session``."""
    return filter_factory(global_conf, **local_conf)(app)


def filter_factory(
    global_conf: Mapping[str, str], **local_conf: str
) -> Callable[[Application], ClerkMiddleware]:
    """Return what wraps an application by ``with_session``; settings are read once for all."""
    clerk, options, _ = parse_wrapper(local_conf)
    return lambda app: with_session(app, clerk, **options)


def require_session_factory(
    app: Application, global_conf: Mapping[str, str], **local_conf: str
) -> ClerkMiddleware:
    """Wrap ``app`` by ``require_session``."""
    clerk, options, _ = parse_wrapper(local_conf)
    return require_session(app, clerk, **options)


def protect_factory(
    app: Application, global_conf: Mapping[str, str], **local_conf: str
) -> ClerkMiddleware:
    """Wrap ``app`` by ``protect``; ``public`` are paths."""
    clerk, options, more = parse_wrapper(local_conf, _PUBLIC)
    return protect(app, clerk, **options, **more)


def require_factory(app: Application, global_conf: Mapping[str, str], **local_conf: str) -> Guard:
    """Wrap ``app`` by ``require``: it goes into a pipeline behind one of the others."""
    (options,) = parse_all(local_conf, _GUARD)
    return require(app, **options)
