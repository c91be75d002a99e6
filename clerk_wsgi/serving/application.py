"""Somebody's application, wrapped. gunicorn's workers make it with ``create_application(…)``."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from .. import Clerk, ConfigurationError, set_default

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_TARGET = re.compile(rf"(?P<module>{_DOTTED}):(?P<name>{_DOTTED})(?P<call>\(\))?")


class NoApplication(Exception):
    """There is no application of that name; the text is one line for people."""


def create_application(target: str, wrapper: str, *, dotenv: bool) -> WSGIApplication:
    """Return the application that ``target`` names, wrapped by a method of ``Clerk``.

    The instance becomes the default one before the application is imported, so that whatever it
    asks of Clerk it asks in the same place. What cannot be ends the process with one line.
    """
    try:
        clerk = Clerk(dotenv=dotenv)
        set_default(clerk)
        wrapped: WSGIApplication = getattr(clerk, wrapper)(import_application(target))
    except (ConfigurationError, NoApplication) as error:
        print(f"clerk-wsgi run: {error}", file=sys.stderr, flush=True)
        raise SystemExit(2) from None
    return wrapped


def is_target(text: str) -> bool:
    """Say whether a text has the form ``MODULE:APP``, perhaps with ``()`` at its end."""
    return _TARGET.fullmatch(text) is not None


def import_application(target: str) -> WSGIApplication:
    """Return what ``MODULE:APP`` names, or ``MODULE:FACTORY()`` makes, or raise ``NoApplication``.

    An error in the module itself is let out as it is.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        raise NoApplication(f"expected MODULE:APP, such as myapp:app, not {target!r}")
    found: Any = _import(match["module"])
    for name in match["name"].split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            what = f"{match['module']}:{match['name']}"
            raise NoApplication(f"there is no {what}: nothing has the name {name!r}") from None
    if match["call"]:
        found = _checked(found, target.removesuffix("()"))()
    return cast("WSGIApplication", _checked(found, target))


def _import(module: str) -> object:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if f"{module}.".startswith(f"{missing}.") and missing:
            raise NoApplication(f"there is no module {missing!r} here, nor installed") from None
        raise


def _checked(found: Any, target: str) -> Any:
    if not callable(found):
        kind = type(found).__name__
        raise NoApplication(f"{target} cannot be called, so it is no application: it is a {kind}")
    return found
