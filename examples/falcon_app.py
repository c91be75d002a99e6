"""A Falcon application: pages, a form, an API, and a section for the admins of an organization.

With a local Clerk, which says who can sign in, Ada among them, who is an admin:

    pip install "clerk-wsgi[demo,falcon]"
    clerk-wsgi run falcon_app:app --local --seed django_app/people.toml

With Clerk itself:

    CLERK_SECRET_KEY=sk_test_… CLERK_PUBLISHABLE_KEY=pk_test_… gunicorn falcon_app:app
"""

from __future__ import annotations

from collections import defaultdict
from html import escape
from typing import Any

import falcon

from clerk_wsgi import Auth, Forbidden, Links, sign_out
from clerk_wsgi.integrations.falcon import ClerkRequest, Refused, install, require

NOT_FOR_YOU = (
    "<p>It is for the admins of an organization."
    ' You choose yours in <a href="/account">your account</a>.</p>'
)


class Home:
    """A page for everybody."""

    def on_get(self, req: ClerkRequest, resp: falcon.Response) -> None:
        if not req.context.clerk:
            show(resp, "Welcome", '<p>Please <a href="/notes">sign in</a>.</p>')
            return
        links = '<p><a href="/notes">Notes</a> <a href="/organization">Organization</a></p>'
        links += '<p><a href="/account">Your account</a></p>'
        leave = '<form method="post" action="/sign-out"><button>Sign out</button></form>'
        show(resp, "Welcome back", links, leave)


@require
class Me:
    """An API: without a session it answers 401, and browsers are sent to sign in."""

    def on_get(self, req: ClerkRequest, resp: falcon.Response) -> None:
        auth = auth_of(req)
        resp.media = {"user_id": auth.user_id, "session_id": auth.session_id}


def on_own_page(req: falcon.Request, resp: Any, resource: Any, params: Any) -> None:
    """Refuse forms on pages of others; a sibling domain's come with our cookies, too."""
    site, origin = req.get_header("Sec-Fetch-Site"), req.get_header("Origin")
    own_origin = f"{req.scheme}://{req.netloc}"
    if not (site == "same-origin" if site else origin == own_origin):
        raise falcon.HTTPForbidden(title="This form is not on a page of ours.")


@require
class Notes:
    """A page with a form. The notes are this process's: a real application has a database."""

    def __init__(self) -> None:
        self._notes: dict[str | None, list[str]] = defaultdict(list)

    def on_get(self, req: ClerkRequest, resp: falcon.Response) -> None:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self._notes[auth_of(req).user_id])
        form = '<form method="post"><input name="note" required><button>Add</button></form>'
        show(resp, "Notes", f"<ul>{notes}</ul>", form)

    @falcon.before(on_own_page)
    def on_post(self, req: ClerkRequest, resp: falcon.Response) -> None:
        form = req.get_media(default_when_empty={})
        if form.get("note"):
            self._notes[auth_of(req).user_id].append(form["note"])
        raise falcon.HTTPSeeOther("/notes")


@require(role="org:admin")
class Organization:
    """A page for the admins of the organization that is active."""

    def on_get(self, req: ClerkRequest, resp: falcon.Response) -> None:
        organization = auth_of(req).organization  # asks Clerk
        assert organization is not None  # whoever has a role has one
        show(resp, organization.name or "", "<p>You are one of its admins.</p>")


class SignOut:
    """What the button leads to."""

    @falcon.before(on_own_page)
    def on_post(self, req: ClerkRequest, resp: falcon.Response) -> None:
        raise sign_out(req)


@require
class Account:
    """Clerk's page of the account, where people choose their organization."""

    def on_get(self, req: ClerkRequest, resp: falcon.Response) -> None:
        raise falcon.HTTPSeeOther(Links(lambda: req).account_url("/"))


def refused(req: falcon.Request, resp: falcon.Response, refusal: Refused, _params: Any) -> None:
    """Show a page to people who lack the role; all others get the answer as it is."""
    lacks_role = isinstance(refusal.error, Forbidden) and not refusal.error.data
    if lacks_role and "text/html" in req.accept:
        show(resp, "This is not for you", NOT_FOR_YOU)


def auth_of(req: ClerkRequest) -> Auth:
    auth = req.context.clerk
    assert isinstance(auth, Auth)  # and no machine: the setting accepts_token names none
    return auth


def show(resp: falcon.Response, title: str, *parts: str) -> None:
    resp.content_type = falcon.MEDIA_HTML
    resp.set_header("Cache-Control", "private")
    head = f'<!doctype html><html lang="en"><title>{escape(title)}</title>'
    resp.text = "\n".join([head, f"<h1>{escape(title)}</h1>", *parts])


app = falcon.App()
install(app)
app.add_error_handler(Refused, refused)
app.add_route("/", Home())
app.add_route("/me", Me())
app.add_route("/notes", Notes())
app.add_route("/account", Account())
app.add_route("/organization", Organization())
app.add_route("/sign-out", SignOut())
