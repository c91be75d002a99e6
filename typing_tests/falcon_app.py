"""What mypy must make of Falcon's idioms; nothing here is run."""

from __future__ import annotations

from typing import Any

import falcon
import falcon.asgi
from typing_extensions import assert_type

from clerk_wsgi import (
    ApiKeyAuth,
    Auth,
    Clerk,
    ClerkError,
    MachineAuth,
    User,
    get_auth,
    json_error_response,
    sign_out,
)
from clerk_wsgi.integrations.falcon import (
    ClerkMiddleware,
    ClerkRequest,
    Refused,
    add_error_handlers,
    install,
    require,
)
from clerk_wsgi.models import Organization


class Page:
    """A resource with responders of its own types."""

    @require
    def on_get(self, req: ClerkRequest, resp: falcon.Response) -> None:
        auth = req.context.clerk
        assert_type(auth, Auth | MachineAuth)
        assert_type(auth.has(role="org:admin"), bool)
        str(auth.user_id)  # type: ignore[union-attr]  # a machine has none
        if isinstance(auth, Auth):
            assert_type(auth.user_id, str | None)
            assert_type(auth.user, User | None)
            assert_type(auth.organization, Organization | None)
        assert_type(get_auth(req), Auth | MachineAuth)

    @require(role="org:admin", reverification="strict")
    def on_post(self, req: ClerkRequest, resp: falcon.Response, number: int) -> None:
        raise sign_out(req)

    @falcon.before(require(plan="org:gold"))
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.media = req.context.clerk.user_id  # Falcon's own context has no types

    @falcon.before(require)
    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None: ...


@require
class Bare:
    """A class stays the class that it is."""

    attribute = 7


@require(permission="org:invoices:read")
class Invoices(Bare):
    """Likewise with arguments."""

    def __init__(self, currency: str) -> None:
        self.currency = currency


@falcon.before(require(role="org:admin"))
class Hooked:
    """Falcon's decorator takes it for an action."""

    attribute = 7


@require(feature="org:archive")
def archive(req: falcon.Request, resp: falcon.Response, **params: str) -> None:
    """Be a sink."""


def what_is_guarded_keeps_its_type(req: ClerkRequest, resp: falcon.Response) -> None:
    """Lose no signature, and no attribute."""
    assert_type(Bare().attribute, int)
    assert_type(Invoices("EUR").currency, str)
    assert_type(Hooked().attribute, int)
    archive(req, resp, year="1999")
    archive(req, resp, year=1999)  # type: ignore[arg-type]
    Page().on_post(req, resp, 7)
    Page().on_post(req, resp, "7")  # type: ignore[arg-type]
    Page().on_get(req)  # type: ignore[call-arg]
    Invoices()  # type: ignore[call-arg]


def what_is_required_has_types(req: falcon.Request, resp: falcon.Response) -> None:
    """Refuse what there is not."""
    require(role=7)  # type: ignore[call-overload]
    require(rolle="org:admin")  # type: ignore[call-overload]
    require(reverification="soon")  # type: ignore[call-overload]
    require(reverification={"level": "second_factor", "after_minutes": 5})
    require(req, resp, Page(), {})
    require(role="org:admin")(req, resp, Page(), {})


def refused(req: falcon.Request, resp: falcon.Response, ex: Refused, params: Any) -> None:
    """Answer a refusal."""
    assert_type(ex.error, ClerkError)
    assert_type(ex.error.reason, str | None)


def choose(environ: dict[str, Any]) -> Clerk:
    """Return an instance for a request."""
    return Clerk(secret_key="sk_test_1")


def applications() -> None:
    """Install into any application of WSGI."""
    app = falcon.App()
    install(app)
    install(app, Clerk(), on_error=lambda error: assert_type(error, ClerkError))
    install(app, choose, error_response=json_error_response, exempt=["/healthz"])
    install(app, exempted=["/healthz"])  # type: ignore[call-arg]
    install(app, "sk_test_1")  # type: ignore[arg-type]
    typed = falcon.App(request_type=ClerkRequest)
    install(typed)
    app.add_error_handler(Refused, refused)
    app.add_route("/", Page())
    app.add_sink(archive, "/archive")
    given = falcon.App(middleware=[ClerkMiddleware(choose, debug_headers=True)])
    add_error_handlers(given)
    falcon.asgi.App(middleware=[ClerkMiddleware()])  # type: ignore[arg-type]


def a_wrong_type_is_noticed(req: ClerkRequest) -> None:
    """Fail if a type is lost: then these comments are not needed, which mypy tells."""
    assert_type(req.context.clerk, Any)  # type: ignore[assert-type]
    assert_type(Page().on_get, Any)  # type: ignore[assert-type]
    assert_type(ApiKeyAuth(token_type="api_key").user_id, Any)  # type: ignore[assert-type]
