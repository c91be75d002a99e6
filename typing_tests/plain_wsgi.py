"""What mypy must make of the wrappers in a plain WSGI application; nothing here is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import assert_type

from clerk_wsgi import (
    Auth,
    Clerk,
    ClerkError,
    ClerkMiddleware,
    Forbidden,
    MachineAuth,
    Redirect,
    RequestState,
    Requirement,
    Session,
    SignedIn,
    User,
    get_auth,
    get_session,
    json_error_response,
    protect,
    require,
    require_session,
    sign_in_on_error,
    sign_out,
    strict_on_error,
    with_session,
)
from clerk_wsgi.guards import Guard
from clerk_wsgi.models import Organization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    session = get_session(environ)
    assert_type(session, Session | None)
    str(session.user_id)  # type: ignore[union-attr]  # there may be nobody
    if session:
        assert_type(session.user_id, str)
        assert_type(session.last_active_organization_id, str | None)
    auth = get_auth(environ)
    assert_type(auth, Auth | MachineAuth)
    assert_type(auth.has(role="org:admin", plan="org:gold"), bool)
    auth.has(role=7)  # type: ignore[arg-type]
    auth.has(rolle="org:admin")  # type: ignore[call-arg]
    str(auth.user)  # type: ignore[union-attr]  # a machine is no user
    if isinstance(auth, Auth):
        assert_type(auth.user_id, str | None)
        assert_type(auth.user, User | None)
        assert_type(auth.organization, Organization | None)
    redirect = sign_out(environ, "/bye")
    assert_type(redirect, Redirect)
    return redirect(environ, start_response)


@require
def bare(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Guard without arguments."""
    return application(environ, start_response)


@require(role="org:admin", below=["/admin"], on_error=sign_in_on_error)
def for_admins(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Guard with arguments."""
    return application(environ, start_response)


def what_is_wrapped_is_an_application() -> list[WSGIApplication]:
    """Nest wrappers as they come."""
    assert_type(bare, Guard)
    assert_type(for_admins, Guard)
    assert_type(with_session(bare), ClerkMiddleware)
    assert_type(require_session(application), ClerkMiddleware)
    assert_type(protect(application, public=["/", "/static/*"]), ClerkMiddleware)
    assert_type(Clerk().with_session(application), ClerkMiddleware)
    assert_type(ClerkMiddleware(application).check({})[0], "WSGIApplication | None")
    return [bare, for_admins, with_session(bare), protect(bare), Redirect("/")]


def choose(environ: dict[str, Any]) -> Clerk:
    """Return an instance for a request."""
    return Clerk(secret_key="sk_test_1")


def count(state: RequestState, seconds: float) -> None:
    """Watch decisions, which are one of three."""
    if isinstance(state, SignedIn):
        assert_type(state.session, Session | None)


def on_error(error: ClerkError) -> ClerkError | None:
    """Decide about a failure."""
    return error if isinstance(error, Forbidden) else None


def options(wrap: Callable[..., object]) -> None:
    """Give all of them, and some that there are not."""
    with_session(application, choose, on_error, exempt="/healthz", on_decision=count)
    require_session(application, error_response=json_error_response, remote_user=True)
    protect(application, choose, strict_on_error, public="/", debug_headers=True)
    with_session(application, lambda _environ: "sk_test_1")  # type: ignore[arg-type,return-value]
    with_session(application, on_decision=on_error)  # type: ignore[arg-type]
    require_session(application, exempted="/healthz")  # type: ignore[call-arg]
    protect(application, public=7)  # type: ignore[arg-type]
    require(role=7)  # type: ignore[call-overload]
    require(rolle="org:admin")  # type: ignore[call-overload]
    with_session("application")  # type: ignore[arg-type]


def requirements(auth: Auth) -> None:
    """Check by hand."""
    admin = Requirement(role="org:admin", reverification="strict")
    assert_type(admin.refusal(auth), ClerkError | None)
    Requirement(reverification="soon")  # type: ignore[arg-type]
