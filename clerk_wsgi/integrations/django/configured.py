"""What Django's settings say about Clerk: ``CLERK``, a dict, or names such as ``CLERK_TIMEOUT``.

Read when a handler is made or somebody is refused, never when this is imported. Everything wrong
is an ``ImproperlyConfigured`` that says which setting it is and never what a key was.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    ImproperlyConfigured,
    PermissionDenied,
    SuspiciousOperation,
)
from django.http import Http404
from django.utils.module_loading import import_string

from ...clerk import Clerk, default_clerk
from ...gate import AnswerOptions, Gate, checked_callable
from ...handlers import error_response
from ...settings import SettingArguments
from ...signing import sign_in_on_error
from ...verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIApplication

    from ...gate import ClerkChooser
    from ...handlers import ErrorResponse

_ARGUMENTS = frozenset(SettingArguments.__annotations__)
_OF_GATE = frozenset(AnswerOptions.__annotations__)
_OPTIONS = _OF_GATE | {"instance", "on_error"}
# Options that are functions, or an instance: a dotted path will do.
_LOADED = frozenset({"instance", "on_error", "error_response", "on_decision"})
_DJANGOS_OWN = (BadRequest, Http404, PermissionDenied, SuspiciousOperation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was set: ``arguments`` of ``Clerk``, which are not shown, and ``options`` of ours."""

    arguments: dict[str, Any] = field(repr=False)
    options: dict[str, Any]


def read_settings() -> Given:
    """Return what Django's settings say about Clerk; ``None`` counts as not set."""
    with improper():
        _check_names()
        options = {name: _loaded(name) for name in _OPTIONS if _is_set(name)}
        return Given(
            arguments={name: _value(name) for name in _ARGUMENTS if _is_set(name)}, options=options
        )


def make_gate() -> Gate:
    """Return what decides about requests, as the settings want it; views see who is there."""
    given = read_settings()
    with improper():
        options = {name: given.options[name] for name in given.options.keys() & _OF_GATE}
        return Gate(_instance_of(given), **options)


def make_verdicts() -> Verdicts:
    """Return what decides about refusals, as the settings want it.

    Errors that Django has responses for, such as ``PermissionDenied``, are raised.
    """
    options = read_settings().options
    answer: ErrorResponse = options.get("error_response", error_response)
    with improper():
        on_error = checked_callable("on_error", options.get("on_error", sign_in_on_error))

    def answer_or_raise(refusal: BaseException) -> WSGIApplication:
        if isinstance(refusal, _DJANGOS_OWN):
            raise refusal
        return answer(refusal)

    return Verdicts(on_error, answer_or_raise)


def get_clerk() -> Clerk:
    """Return the instance of Django's settings: one for the process, made when first needed.

    It is the default instance if they say nothing about any. Raises ``ImproperlyConfigured`` for
    settings that are wrong, and where ``instance`` is a function, as it depends on the request.
    """
    given = read_settings()
    with improper():
        clerk = _instance_of(given)
    if isinstance(clerk, Clerk):
        return clerk
    raise ImproperlyConfigured(
        "CLERK: instance is a function; ask request.environ['clerk.instance']"
    )


@contextmanager
def improper() -> Iterator[None]:
    """Turn what is wrong with a setting into Django's own error for it."""
    try:
        yield
    except (ImportError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"CLERK: {error}") from error


class _Made:
    """The instance that was made, and of what; settings change in tests alone."""

    def __init__(self) -> None:
        self._made: tuple[Given, Clerk] | None = None

    def of(self, given: Given) -> Clerk:
        """Return the same instance for the same arguments."""
        made = self._made
        if made is None or made[0].arguments != given.arguments:
            made = self._made = (given, Clerk(**given.arguments))
        return made[1]


_made = _Made()


def _instance_of(given: Given) -> Clerk | ClerkChooser:
    instance: Clerk | ClerkChooser | None = given.options.get("instance")
    if instance is None:
        return _made.of(given) if given.arguments else default_clerk()
    if given.arguments:
        names = ", ".join(sorted(given.arguments))
        raise ValueError(f"{names}: there is an instance, which has settings of its own")
    return instance


# Values are asked for one by one, where nothing fails, so that no traceback shows a key.


def _dict() -> Mapping[str, Any]:
    """Return ``CLERK`` itself."""
    if not isinstance(getattr(settings, "CLERK", {}), Mapping):
        raise TypeError("expected a dict")
    return getattr(settings, "CLERK", {})


def _value(name: str) -> Any:
    """Return what a setting is, ``None`` if it is not set."""
    value = _dict().get(name)
    return getattr(settings, f"CLERK_{name.upper()}", None) if value is None else value


def _is_set(name: str) -> bool:
    return _value(name) is not None


def _check_names() -> None:
    """Refuse what is no setting; other names that begin with ``CLERK_`` are not ours to judge."""
    unknown = sorted(map(str, _dict().keys() - _ARGUMENTS - _OPTIONS))
    if unknown:
        raise TypeError(f"unknown setting: {', '.join(unknown)}")
    for name in sorted(_dict()):
        alone = f"CLERK_{name.upper()}"
        if _dict()[name] is not None and getattr(settings, alone, None) is not None:
            raise ValueError(f"{name} is set twice, also as {alone}")


def _loaded(name: str) -> Any:
    """Return an option; what a dotted path names, where one will do."""
    if name not in _LOADED or not isinstance(_value(name), str):
        return _value(name)
    try:
        return import_string(_value(name))
    except ImportError as error:
        raise ImportError(f"{name}: {error}") from error
