"""What a Flask application looks like to type checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from flask import Blueprint, Flask, request
from flask.views import MethodView
from typing_extensions import assert_type

from clerk_wsgi import Auth, Clerk, ClerkError, MachineAuth, User, sign_out
from clerk_wsgi.integrations.flask import (
    FlaskClerk,
    current_auth,
    current_machine,
    current_user,
    require,
    sign_in_url,
)

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

app = Flask(__name__)
clerk = FlaskClerk(on_error=lambda error: error, exempt="/healthz")
admin = require(Blueprint("admin", __name__), role="org:admin")
assert_type(admin, Blueprint)
assert_type(require(app), Flask)


@app.get("/bills/<int:number>")
@require
def bill(number: int, *, style: str = "plain") -> str:
    assert_type(current_auth, Auth)
    assert_type(current_auth.user_id, str | None)
    assert_type(current_auth.has(role="org:admin"), bool)
    assert_type(current_machine, MachineAuth)
    assert_type(current_user, User | None)
    return f"{number} {style} {current_user.first_name if current_user else ''}"


@admin.get("/report")
@require(permission="org:reports:read", reverification="strict")
def report() -> dict[str, Any]:
    return {"sign_in": sign_in_url("/report")}


@app.post("/sign-out")
def leave() -> ResponseReturnValue:
    return sign_out(request)


@admin.before_request
@require
def before() -> None:
    """Ask for somebody."""


@require(plan="org:gold")
async def slow(number: int) -> str:
    return str(number)


class Bills(MethodView):
    decorators: ClassVar[list[Any]] = [require, require(role="org:admin")]

    @require(feature="export")
    def get(self, number: int) -> str:
        return str(number)


@app.errorhandler(ClerkError)
def refused(error: ClerkError) -> ResponseReturnValue:
    return error.message, error.status_code


def create_app(instance: Clerk) -> Flask:
    made = Flask(__name__)
    clerk.init_app(made)
    clerk.init_app(made, instance)
    clerk.init_app(made, lambda environ: instance)
    made.register_blueprint(admin)
    return made


def check() -> None:
    """Decorated views keep their types."""
    assert_type(bill(7, style="bold"), str)
    assert_type(report(), dict[str, Any])
    assert_type(before(), None)
    assert_type(Bills().get(7), str)
    assert_type(sign_in_url(), str)


async def check_async() -> None:
    """Coroutines stay coroutines."""
    assert_type(await slow(7), str)


def check_mistakes() -> None:
    """What is ignored here is what a checker finds wrong."""
    require(colour="blue")  # type: ignore[call-overload]
    require(role=1)  # type: ignore[call-overload]
    require("view")  # type: ignore[call-overload]
    bill("seven")  # type: ignore[arg-type]
    str(current_auth.colour)  # type: ignore[attr-defined]
    str(current_user.first_name)  # type: ignore[union-attr]
    FlaskClerk(app, colour="blue")  # type: ignore[call-arg]
    FlaskClerk(app, on_error="redirect")  # type: ignore[arg-type]
