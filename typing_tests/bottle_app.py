"""What a Bottle application looks like to type checkers; Bottle itself has no types."""

from __future__ import annotations

from typing import Any

from bottle import Bottle
from typing_extensions import assert_type

from clerk_wsgi import Auth, Clerk, Requirement
from clerk_wsgi.integrations.bottle import ClerkPlugin, account_url, require, sign_in_url


@require
def bill(number: int, auth: Auth, *, style: str = "plain") -> str:
    assert_type(auth.user_id, str | None)
    return f"{number} {style}"


@require(role="org:admin", reverification="strict")
def report() -> dict[str, Any]:
    return {"sign_in": sign_in_url("/report"), "account": account_url()}


def create_app(instance: Clerk) -> object:
    app = Bottle()
    app.install(ClerkPlugin(instance, keyword="who", on_error=lambda error: error))
    app.install(ClerkPlugin(lambda environ: instance, exempt=["/healthz"]))
    app.route("/bills/<number:int>", "GET", bill, clerk=Requirement(role="org:admin"))
    app.route("/report", "GET", report, clerk=True)
    return app


def check(auth: Auth) -> None:
    """Decorated callbacks keep their types."""
    assert_type(bill(7, auth, style="bold"), str)
    assert_type(report(), dict[str, Any])
    assert_type(sign_in_url(), str)
    assert_type(ClerkPlugin().keyword, str)


def check_mistakes(auth: Auth) -> None:
    """What is ignored here is what a checker finds wrong."""
    require(colour="blue")  # type: ignore[call-overload]
    require(role=1)  # type: ignore[call-overload]
    require("callback")  # type: ignore[call-overload]
    bill("seven", auth)  # type: ignore[arg-type]
    ClerkPlugin(colour="blue")  # type: ignore[call-arg]
    ClerkPlugin(on_error="redirect")  # type: ignore[arg-type]
    Requirement(rolle="org:admin")  # type: ignore[call-arg]
