"""The card that every hosted page is: its frame, its lead, its alert, and where its links lead."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .layout import MARK, Page, read_sheet

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHEET = read_sheet("base.css", "pages.css")

_BODY = Template("""\
<div class="card">
<header>$mark<span>Local Clerk</span></header>
<main>
$content
</main>
</div>
<footer><p>A Clerk for development: its accounts exist on this machine alone.\
 <a href="./">Show what is in it</a></p></footer>""")

_NOBODY = Template("""\
<h1>$title</h1>
<p class="lead">Nobody is signed in here.</p>
$alert<p><a class="button main" href="$sign_in">Sign in</a></p>""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page stands: the token of its forms, whom it is for, and what it passes on.

    ``application`` is the origin that people came from, ``back`` the address there; both are
    ``""`` if they came from nowhere. ``carried`` are the parameters of the page's address that
    belong to the addresses of the other hosted pages, too. ``problems`` are texts by the name of
    their field, ``""`` for the page as a whole.
    """

    token: str = field(repr=False)
    application: str = ""
    back: str = field(default="", repr=False)
    carried: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    problems: Mapping[str, str] = field(default_factory=dict)

    def to(self, page: str, **parameters: str) -> str:
        """Return the address of another hosted page, for an attribute."""
        query = urlencode([*self.carried, *parameters.items()])
        return escape(f"{page}?{query}" if query else page)


def card(title: str, content: str, place: Place | None = None) -> Page:
    """Return a hosted page; the title says at once whether something is wrong with it."""
    is_wrong = place is not None and place.problems
    shown = f"Error: {title[0].lower()}{title[1:]}" if is_wrong else title
    return Page(title=shown, body=_BODY.substitute(mark=MARK, content=content), sheet=_SHEET)


def nobody_card(title: str, place: Place) -> Page:
    """Return a hosted page that is of no use to somebody who is not signed in."""
    content = _NOBODY.substitute(title=title, alert=alert(place), sign_in=place.to("sign-in"))
    return card(title, content, place)


def lead(place: Place, otherwise: str) -> str:
    """Return what it is all for: the application, if there is one."""
    if not place.application:
        return otherwise
    return f"to continue to <strong>{escape(place.application)}</strong>"


def form_token(place: Place) -> str:
    """Return the hidden field that every form begins with."""
    return f'<input type="hidden" name="form_token" value="{escape(place.token)}">\n'


def alert(place: Place) -> str:
    """Return what is wrong with the page as a whole, if anything is."""
    problem = place.problems.get("")
    return f'<p class="alert" role="alert">{escape(problem)}</p>\n' if problem else ""
