"""What mypy --strict knows of a Django project's code, each idiom once; nobody runs this.

Without django-stubs Django's own classes are ``Any`` to mypy, and a ``ClerkRequest`` is known by
its ``clerk`` and ``environ`` alone. With them the rest of a request has its types, too.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from django.utils.decorators import method_decorator
from typing_extensions import assert_type

from clerk_wsgi import Auth, Clerk, MachineAuth, Requirement, Reverification, get_auth, get_session
from clerk_wsgi.integrations.django import (
    ClerkRequest,
    ClerkRequiredMixin,
    clerk_context,
    get_clerk,
    require,
    sign_out,
)

if TYPE_CHECKING:
    from django.http import HttpResponse


class Page:
    """A response that says more than Django's."""


@require
def bare(request: ClerkRequest, number: int) -> Page:
    """Know who is there."""
    assert_type(request.clerk, Auth)
    assert_type(request.clerk.user_id, str | None)
    assert_type(get_auth(request), Auth | MachineAuth)
    session = get_session(request)
    assert session is not None
    assert_type(session.user_id, str)
    return Page()


@require(role="org:admin", permission="org:invoices:pay", feature="export", plan="org:gold")
def with_arguments(request: ClerkRequest, *, slug: str) -> Page:
    """Ask for all that can be asked for."""
    return Page()


@require(reverification="strict")
async def asynchronous(request: ClerkRequest) -> Page:
    """Be awaited."""
    return Page()


def of_views(request: ClerkRequest) -> None:
    """Views keep their signature, be they called or handed on."""
    assert_type(bare(request, 7), Page)
    assert_type(with_arguments(request, slug="x"), Page)
    later: Callable[[ClerkRequest], Coroutine[Any, Any, Page]] = asynchronous
    assert_type(later, Callable[[ClerkRequest], Coroutine[Any, Any, Page]])
    handed_on: Callable[[ClerkRequest, int], Page] = require(role="admin")(bare)
    assert_type(handed_on(request, 7), Page)


def of_mistakes(request: ClerkRequest) -> None:
    """Each of these lines is an error: an ignored one that is none would be."""
    bare(request, "7")  # type: ignore[arg-type]
    with_arguments(request)  # type: ignore[call-arg]
    require(rol="org:admin")  # type: ignore[call-overload]
    require("org:admin")  # type: ignore[call-overload]
    require(role=7)  # type: ignore[call-overload]
    require(reverification="soon")  # type: ignore[call-overload]


class ForAdmins(ClerkRequiredMixin):
    """A mixin of one's own, for Django's views."""

    clerk_requirement = Requirement(
        role="org:admin", reverification=Reverification("first_factor", 5)
    )


class Mistaken(ClerkRequiredMixin):
    """A requirement is no text."""

    clerk_requirement = "org:admin"  # type: ignore[assignment]


def of_classes() -> None:
    """Classes know their requirement."""
    assert_type(ForAdmins.as_view(), Callable[..., Any])
    assert_type(ForAdmins.clerk_requirement, Requirement)
    method_decorator(require, name="dispatch")
    method_decorator(require(role="org:admin"), name="dispatch")


def of_pages(request: ClerkRequest) -> HttpResponse:
    """What pages need has types."""
    assert_type(clerk_context(request), dict[str, Any])
    assert_type(get_clerk(), Clerk)
    return sign_out(request, "/bye")
