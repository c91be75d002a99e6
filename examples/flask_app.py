"""A Flask application: pages, a form, an API, and a part for the admins of an organization.

With a local Clerk, which says who can sign in, Ada among them, who is an admin:

    pip install "clerk-wsgi[demo,flask]"
    clerk-wsgi run flask_app:app --local --seed django_app/people.toml

With Clerk itself:

    CLERK_SECRET_KEY=sk_test_… CLERK_PUBLISHABLE_KEY=pk_test_… gunicorn flask_app:app
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    redirect,
    render_template_string,
    request,
    url_for,
)

from clerk_wsgi import sign_out
from clerk_wsgi.integrations.flask import (
    FlaskClerk,
    account_url,
    current_auth,
    current_user,
    require,
)

if TYPE_CHECKING:
    from flask import Response
    from flask.typing import ResponseReturnValue
    from werkzeug.exceptions import HTTPException

LAYOUT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{ title }}</title><h1>{{ title }}</h1>
<nav><a href="/">Home</a> <a href="/notes">Your notes</a> <a href="/team/">Your team</a>
{% if auth %}
  <a href="/account">Your account</a>
  <form method="post" action="/sign-out"><button>Sign out</button></form>
{% else %}
  <a href="{{ sign_in_url() }}">Sign in</a> <a href="{{ sign_up_url() }}">Sign up</a>
{% endif %}
</nav>
"""
NOTES = """
<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>
<form method="post"><input name="note" required><button>Keep</button></form>
"""
NOT_FOR_YOU = """
<p>It is for the admins of a team. You choose yours in <a href="/account">your account</a>.</p>
"""
TEAM = "<p>{{ auth.org_slug }} is yours to look after, {{ current_user.first_name }}.</p>"

clerk = FlaskClerk()
pages = Blueprint("pages", __name__)
api = Blueprint("api", __name__, url_prefix="/api")
team = require(Blueprint("team", __name__, url_prefix="/team"), role="org:admin")


@pages.before_request
def refuse_posts_of_other_sites() -> None:
    """Browsers say who posts: other sites do it without the session, other subdomains with it."""
    if request.method == "POST" and request.headers.get("Origin") != request.host_url.rstrip("/"):
        abort(403)


@pages.get("/")
def home() -> str:
    return page("Welcome back" if current_auth else "Welcome")


@pages.get("/notes")
@require
def notes() -> str:
    return page("Your notes", NOTES, notes=own_notes())


@pages.post("/notes")
@require
def keep_note() -> ResponseReturnValue:
    own_notes().append(request.form["note"])
    return redirect(url_for("pages.notes"), 303)


@pages.get("/account")
@require
def account() -> ResponseReturnValue:
    return redirect(account_url("/"), 303)


@pages.post("/sign-out")
def leave() -> ResponseReturnValue:
    return sign_out(request)


@team.get("/")
def team_page() -> str:
    return page("Your team", TEAM)


@team.errorhandler(403)
def forbidden(_error: HTTPException) -> ResponseReturnValue:
    return page("This is not for you", NOT_FOR_YOU), 403


@api.get("/me")
@require
def me() -> dict[str, Any]:
    name = current_user.first_name if current_user else None
    return {"user_id": current_auth.user_id, "first_name": name, "notes": own_notes()}


@api.delete("/notes")
@require(reverification="strict")
def forget_notes() -> ResponseReturnValue:
    own_notes().clear()
    return "", 204


def page(title: str, body: str = "", **values: object) -> str:
    return render_template_string(LAYOUT + body, title=title, **values)


def own_notes() -> list[str]:
    """Return the notes of who is there, which live as long as the process."""
    kept: list[str] = current_app.extensions["notes"][current_auth.user_id]
    return kept


def keep_private(response: Response) -> Response:
    response.cache_control.private = True
    return response


def create_app() -> Flask:
    app = Flask(__name__)
    app.extensions["notes"] = defaultdict(list)
    app.after_request(keep_private)
    for part in (pages, api, team):
        app.register_blueprint(part)
    clerk.init_app(app)
    return app


app = create_app()
