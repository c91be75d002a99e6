"""A Bottle application: pages, a form, an API, and a part for the admins of an organization.

With a local Clerk, which says who can sign in, Ada among them, who is an admin:

    pip install "clerk-wsgi[demo,bottle]"
    clerk-wsgi run bottle_app:app --local --seed django_app/people.toml

With Clerk itself:

    CLERK_SECRET_KEY=sk_test_… CLERK_PUBLISHABLE_KEY=pk_test_… gunicorn bottle_app:app
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from bottle import Bottle, HTTPError, redirect, request, response, template

from clerk_wsgi import Forbidden, Requirement, sign_out
from clerk_wsgi.integrations.bottle import ClerkPlugin, account_url, sign_in_url, sign_up_url

if TYPE_CHECKING:
    from clerk_wsgi import Auth, Redirect

LAYOUT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{title}}</title><h1>{{title}}</h1>
<nav><a href="/">Home</a> <a href="/notes">Your notes</a> <a href="/team">Your team</a>
% if auth:
  <a href="/account">Your account</a>
  <form method="post" action="/sign-out"><button>Sign out</button></form>
% else:
  <a href="{{sign_in_url()}}">Sign in</a> <a href="{{sign_up_url()}}">Sign up</a>
% end
</nav>
"""
NOTES = """
<ul>
% for note in notes:
  <li>{{note}}</li>
% end
</ul>
<form method="post"><input name="note" required><button>Keep</button></form>
"""
TEAM = "<p>{{auth.org_slug}} is yours to look after, {{auth.user.first_name}}.</p>"

NOT_FOR_YOU = """
<p>It is for the admins of a team. You choose yours in <a href="/account">your account</a>.</p>
"""
LINKS = {"sign_in_url": sign_in_url, "sign_up_url": sign_up_url}

app = Bottle()
app.install(ClerkPlugin())
kept: defaultdict[str | None, list[str]] = defaultdict(list)  # as long as the process lives


def page(title: str, body: str = "", **values: object) -> Any:
    response.set_header("Cache-Control", "private")  # what it says depends on who asks
    return template(LAYOUT + body, title=title, auth=request.clerk, **LINKS, **values)


@app.hook("before_request")
def refuse_posts_of_other_sites() -> None:
    """Browsers say who posts: other sites do it without the session, other subdomains with it."""
    own = f"{request.urlparts.scheme}://{request.urlparts.netloc}"
    if request.method == "POST" and request.get_header("Origin") != own:
        raise HTTPError(403)


@app.get("/")
def home(auth: Auth) -> Any:
    return page("Welcome back" if auth else "Welcome")


@app.get("/notes", clerk=True)
def notes(auth: Auth) -> Any:
    return page("Your notes", NOTES, notes=kept[auth.user_id])


@app.post("/notes", clerk=True)
def keep_note(auth: Auth) -> None:
    kept[auth.user_id].append(request.forms.getunicode("note"))
    redirect("/notes", 303)


@app.get("/account", clerk=True)
def account() -> None:
    redirect(account_url("/"), 303)


@app.post("/sign-out")
def leave() -> Redirect:
    return sign_out(request)


@app.get("/team", clerk=Requirement(role="org:admin"))
def team_page() -> Any:
    return page("Your team", TEAM)


@app.get("/api/me", clerk=True)
def me(auth: Auth) -> dict[str, Any]:
    name = auth.user.first_name if auth.user else None
    return {"user_id": auth.user_id, "first_name": name, "notes": kept[auth.user_id]}


@app.delete("/api/notes", clerk={"reverification": "strict"})
def forget_notes(auth: Auth) -> None:
    kept[auth.user_id].clear()
    response.status = 204


@app.error(403)
def forbidden(error: HTTPError) -> Any:
    lacks_role = isinstance(error.exception, Forbidden)
    return page("This is not for you", NOT_FOR_YOU if lacks_role else "")


@app.error(404)
def not_found(_error: HTTPError) -> Any:
    return page("There is no such page")
