"""A Pyramid application: pages, a form, an API, and a page for the admins of an organization.

With a local Clerk, which says who can sign in, Ada among them, who is an admin:

    pip install "clerk-wsgi[demo,pyramid]"
    clerk-wsgi run pyramid_app:app --local --seed django_app/people.toml

With Clerk itself, and with the settings of pyramid.ini:

    CLERK_SECRET_KEY=sk_test_… CLERK_PUBLISHABLE_KEY=pk_test_… gunicorn --paste pyramid.ini
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.csrf import CookieCSRFStoragePolicy, get_csrf_token
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response

from clerk_wsgi import Auth, Forbidden, Links, sign_out
from clerk_wsgi.integrations.pyramid import require

if TYPE_CHECKING:
    from clerk_wsgi.integrations.pyramid import ClerkRequest

NOTES = "notes"  # in the registry: everybody's notes by user, as long as the process lives
NOT_FOR_YOU = """
<p>It is for the admins of a team. You choose yours in <a href="/account">your account</a>.</p>
"""
NOTE_FIELDS = '<input name="note" required><button>Keep</button>'


def notes_of(request: ClerkRequest) -> list[str]:
    notes: list[str] = request.registry[NOTES].setdefault(request.authenticated_userid, [])
    return notes


def page(title: str, body: str) -> Any:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    response = Response(f"{head}<h1>{escape(title)}</h1>{body}")
    response.cache_control = "private"  # what it says depends on who asks
    return response


def form(request: ClerkRequest, action: str, fields: str) -> str:
    token = escape(get_csrf_token(request), quote=True)
    hidden = f'<input type="hidden" name="csrf_token" value="{token}">'
    return f'<form method="post" action="{action}">{hidden}{fields}</form>'


# Pages


def home_page(request: ClerkRequest) -> Any:
    links = '<p><a href="/notes">Your notes</a> <a href="/team">Your team</a></p>'
    if not request.clerk:
        return page("Welcome", links)
    links += '<p><a href="/account">Your account</a></p>'
    return page("Welcome back", links + form(request, "/sign-out", "<button>Sign out</button>"))


def notes_page(request: ClerkRequest) -> Any:
    notes = "".join(f"<li>{escape(note)}</li>" for note in notes_of(request))
    return page("Your notes", f"<ul>{notes}</ul>{form(request, '/notes', NOTE_FIELDS)}")


def keep_note(request: ClerkRequest) -> Any:
    notes_of(request).append(request.POST["note"])
    return HTTPSeeOther("/notes")


def team_page(request: ClerkRequest) -> Any:
    auth = request.clerk
    assert isinstance(auth, Auth)  # and no machine: it has a role
    organization = auth.organization  # Clerk is asked, now that somebody wants to know
    assert organization is not None
    return page(organization.name or "Your team", "<p>You look after this team.</p>")


def forbidden_page(_error: Forbidden, request: ClerkRequest) -> Any:
    response = page("This is not for you", NOT_FOR_YOU)
    response.status = 403
    return response


def account_page(request: ClerkRequest) -> Any:
    return HTTPSeeOther(Links(lambda: request).account_url("/"))


def leave(request: ClerkRequest) -> Any:
    return sign_out(request)


# The API


def home(request: ClerkRequest) -> dict[str, Any]:
    return {"signed_in": bool(request.clerk)}


@require
def me(request: ClerkRequest) -> dict[str, Any]:
    return {"user_id": request.authenticated_userid}


@require
def api_notes(request: ClerkRequest) -> dict[str, Any]:
    if request.method == "POST":
        notes_of(request).append(str(request.json_body["note"]))
    return {"notes": notes_of(request)}


def forget_notes(request: ClerkRequest) -> dict[str, Any]:
    notes_of(request).clear()
    return {"notes": []}


# The application


def main(global_config: object, **settings: str) -> Any:
    with Configurator(settings=settings) as config:
        config.include("clerk_wsgi.integrations.pyramid")
        config.set_csrf_storage_policy(CookieCSRFStoragePolicy(httponly=True, samesite="Lax"))
        config.set_default_csrf_options(require_csrf=True, callback=has_a_browsers_cookies)
        config.registry[NOTES] = {}
        add_pages(config)
        add_api(config)
        return config.make_wsgi_app()


def has_a_browsers_cookies(request: ClerkRequest) -> bool:
    """Say whether another site may have sent this: it cannot send an Authorization header."""
    return "Authorization" not in request.headers


def add_pages(config: Any) -> None:
    config.add_route("home", "/")
    config.add_view(home_page, route_name="home", header="Accept:text/html")
    config.add_route("notes", "/notes")
    config.add_view(notes_page, route_name="notes", request_method="GET", clerk_require=True)
    config.add_view(keep_note, route_name="notes", request_method="POST", clerk_require=True)
    config.add_route("team", "/team")
    config.add_view(team_page, route_name="team", clerk_require={"role": "org:admin"})
    config.add_exception_view(forbidden_page, context=Forbidden, route_name="team")
    config.add_route("account", "/account")
    config.add_view(account_page, route_name="account", clerk_require=True)
    config.add_route("sign_out", "/sign-out")
    config.add_view(leave, route_name="sign_out", request_method="POST")


def add_api(config: Any) -> None:
    config.add_view(home, route_name="home", renderer="json")
    config.add_route("me", "/me")
    config.add_view(me, route_name="me", renderer="json")
    config.add_route("api_notes", "/api/notes")
    config.add_view(api_notes, route_name="api_notes", renderer="json")
    config.add_view(
        forget_notes,
        route_name="api_notes",
        request_method="DELETE",
        renderer="json",
        clerk_require={"reverification": "strict"},
    )


app = main({})
