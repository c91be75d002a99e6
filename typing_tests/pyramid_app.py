"""What a Pyramid application looks like to type checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import assert_type

from clerk_wsgi import Auth, ClerkMiddleware, MachineAuth
from clerk_wsgi.guards import Guard
from clerk_wsgi.integrations.paste import filter_app_factory, filter_factory, require_factory
from clerk_wsgi.integrations.pyramid import ClerkRequest, ClerkSecurityPolicy, includeme, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from clerk_wsgi.middleware import Application

    Wrapper = Callable[[Application], ClerkMiddleware]


@require
def page(request: ClerkRequest) -> dict[str, str | None]:
    assert_type(request.clerk, Auth | MachineAuth)
    assert_type(request.matchdict, Any)  # whatever else a request has
    if isinstance(request.clerk, Auth):
        assert_type(request.clerk.org_role, str | None)
        return {"user_id": request.clerk.user_id}
    return {"machine": request.clerk.subject}


@require(role="org:admin", reverification="strict")
def admin(context: object, request: ClerkRequest) -> list[int]:
    return []


class Views:
    def __init__(self, request: ClerkRequest) -> None:
        self.request = request

    @require(permission="org:teams:read")
    def teams(self) -> list[str]:
        return []


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return []


def check(request: ClerkRequest) -> None:
    """Decorated views keep their types."""
    assert_type(page(request), dict[str, str | None])
    assert_type(admin(None, request), list[int])
    assert_type(Views(request).teams(), list[str])
    assert_type(includeme(object()), None)
    assert_type(ClerkSecurityPolicy().authenticated_userid(request), str | None)
    assert_type(ClerkSecurityPolicy().identity(request), Auth | MachineAuth | None)
    assert_type(filter_app_factory(application, {}, timeout="2"), ClerkMiddleware)
    assert_type(filter_factory({}), "Wrapper")
    assert_type(require_factory(application, {}, role="org:admin"), Guard)


def check_mistakes(request: ClerkRequest) -> None:
    """What is ignored here is what a checker finds wrong."""
    require(colour="blue")  # type: ignore[call-overload]
    require(role=1)  # type: ignore[call-overload]
    require("view")  # type: ignore[call-overload]
    str(request.clerk.colour)  # type: ignore[union-attr]
    page(1)  # type: ignore[arg-type]
