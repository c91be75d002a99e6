"""What views ask of a request: a decorator for functions, a mixin for classes."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, overload

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.views import View

from ...gate import checked_callable
from ...guards import Asked, _explained, refusal_in
from ...requirements import Requirement
from .answers import response_of
from .configured import make_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from typing_extensions import Unpack

ViewFunction = TypeVar("ViewFunction", bound="Callable[..., Any]")
_DECIDED_BY = ("Cookie", "Authorization")


@overload
def require(view: ViewFunction, /) -> ViewFunction: ...
@overload
def require(**asked: Unpack[Asked]) -> Callable[[ViewFunction], ViewFunction]: ...
def require(
    view: ViewFunction | None = None, /, **asked: Unpack[Asked]
) -> ViewFunction | Callable[[ViewFunction], ViewFunction]:
    """Let only those requests to a view that have what is asked; nothing asked means signed in.

    A view is a function with the request as its first argument, be it ``async``, or what
    ``as_view()`` returns; ``method_decorator`` makes it fit methods. ``role``, ``permission``,
    ``feature``, ``plan`` and ``reverification`` are those of ``Auth.has``. Raises ``TypeError`` or
    ``ValueError``, when the view is declared, for what could never be met.
    """
    requirement = Requirement(**asked)

    def decorate(view: ViewFunction) -> ViewFunction:
        return cast("ViewFunction", _asking(_checked(view), requirement))

    return decorate if view is None else decorate(view)


class ClerkRequiredMixin:
    """Lets only those requests to a class-based view that meet ``clerk_requirement``.

    It comes before ``View`` and its kin among the bases. What is wrong raises ``TypeError`` when
    the class, or the argument of ``as_view()``, is declared.
    """

    clerk_requirement: ClassVar[Requirement] = Requirement()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _check_requirement(cls.clerk_requirement)
        order = cls.__mro__
        if View in order and order.index(View) < order.index(ClerkRequiredMixin):
            raise TypeError(f"{cls.__name__}: ClerkRequiredMixin must come before Django's views")

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        """Return the view as a function, which asks before anything of the class is made."""
        requirement = _check_requirement(initkwargs.get("clerk_requirement", cls.clerk_requirement))
        view: Callable[..., Any] = cast("Any", super()).as_view(**initkwargs)
        return _asking(view, requirement)


def _asking(view: Callable[..., Any], requirement: Requirement) -> Callable[..., Any]:
    """Return a view that is called for requests alone that meet the requirement."""
    if iscoroutinefunction(view):

        @wraps(view)
        async def asking_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            refusal = _refusal_of(request, requirement)
            return _varied(await view(request, *args, **kwargs)) if refusal is None else refusal

        return asking_async

    @wraps(view)
    def asking(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        refusal = _refusal_of(request, requirement)
        return _varied(view(request, *args, **kwargs)) if refusal is None else refusal

    return asking


def _refusal_of(request: HttpRequest, requirement: Requirement) -> HttpResponseBase | None:
    """Return the answer to a request that lacks something, ``None`` for the view itself."""
    try:
        error = refusal_in(request.META, requirement)
    except LookupError:
        name = "clerk_wsgi.integrations.django.ClerkMiddleware"
        raise ImproperlyConfigured(f"MIDDLEWARE has no {name}, which views need") from None
    if error is None:
        return None
    answer = make_verdicts().answer_to(error)
    if answer is None:
        request.META["clerk.error"] = error
        return None
    return response_of(_explained(answer), request.META)


def _varied(response: Any) -> Any:
    """Return a view's response; Django's caches learn that it is not for everybody."""
    if isinstance(response, HttpResponseBase):
        patch_vary_headers(response, _DECIDED_BY)
    return response


def _checked(view: ViewFunction) -> ViewFunction:
    if isinstance(view, type):
        raise TypeError(f"{view.__name__} is a class: use ClerkRequiredMixin, or what as_view() is")
    return checked_callable("view", view)


def _check_requirement(requirement: object) -> Requirement:
    if isinstance(requirement, Requirement):
        return requirement
    kind = type(requirement).__name__
    raise TypeError(f"clerk_requirement: expected a clerk_wsgi.Requirement, not {kind}")
