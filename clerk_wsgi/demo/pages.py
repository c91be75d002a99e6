"""The two pages of the demo, as HTML without JavaScript."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from webob import Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .. import Auth

_STYLE = resources.files(__package__).joinpath("pages.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_HASH}'",
        "img-src data:",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
# Browsers ask for /favicon.ico unless a page names another icon.
_ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"

_PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title – clerk_wsgi demo</title>
<link rel="icon" href="$icon">
<style>$style</style>
</head>
<body>
<nav aria-label="Main">
$links
</nav>
<main>
<h1>$title</h1>
$content
</main>
</body>
</html>
""")

_NOBODY = Template("""\
<p>This page is for everybody; nobody is signed in.</p>
<p><a class="button" href="$sign_in">Sign in</a></p>
<p class="soft">The private page will ask you to sign in first.</p>""")

_SOMEBODY = Template("""\
<p>Signed in as <strong>$name</strong>. $text</p>
<dl>
$rows
</dl>
<p class="links"><a class="button" href="$choose_organization">Choose an organization</a>
<a href="$choose">Use another account</a></p>
<p class="soft">Load the page again when the token has expired: it will have been renewed.</p>""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where the links of a page lead."""

    home: str
    private: str
    sign_in: str
    sign_out: str
    choose: str
    choose_organization: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is signed in: what the session token says, and what Clerk's API does."""

    auth: Auth
    name: str
    metadata: Mapping[str, object] = field(default_factory=dict)


def home_page(visitor: Visitor | None, links: Links) -> Response:
    """Answer with the page that everybody may see."""
    if visitor is None:
        content = _NOBODY.substitute(sign_in=escape(links.sign_in))
    else:
        content = _somebody(visitor, "This page is for everybody.", links)
    return _answer("Home", content, links, signed_in=visitor is not None)


def private_page(visitor: Visitor, links: Links) -> Response:
    """Answer with the page for those who are signed in."""
    content = _somebody(visitor, "Nobody else gets to see this page.", links)
    return _answer("Private", content, links, signed_in=True)


def _somebody(visitor: Visitor, text: str, links: Links) -> str:
    rows = (f"<dt>{term}</dt><dd>{escape(value)}</dd>" for term, value in _rows(visitor))
    return _SOMEBODY.substitute(
        name=escape(visitor.name),
        text=text,
        rows="\n".join(rows),
        choose=escape(links.choose),
        choose_organization=escape(links.choose_organization),
    )


def _rows(visitor: Visitor) -> Iterator[tuple[str, str]]:
    auth, claims = visitor.auth, visitor.auth.claims or {}
    yield "User", auth.user_id or ""
    yield "Session", auth.session_id or ""
    if auth.org_id is None:
        yield "Organization", "none, this is the personal account"
    else:
        yield "Organization", f"{auth.org_slug or auth.org_id}, as {auth.org_role}"
        yield "Permissions", ", ".join(auth.org_permissions or ()) or "none"
    if visitor.metadata:
        yield "Public metadata", json.dumps(visitor.metadata, ensure_ascii=False)
    issued, expires = _clock_time(claims.get("iat")), _clock_time(claims.get("exp"))
    yield "Token", f"issued {issued}, valid until {expires} (UTC)"


def _clock_time(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return "at an unknown time"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%H:%M:%S")


def _answer(title: str, content: str, links: Links, *, signed_in: bool) -> Response:
    page = _PAGE.substitute(
        title=title,
        icon=_ICON,
        style=_STYLE,
        links=_navigation(title, links, signed_in=signed_in),
        content=content,
    )
    response = Response(text=page, content_type="text/html", charset="utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _navigation(title: str, links: Links, *, signed_in: bool) -> str:
    last = ("Sign out", links.sign_out) if signed_in else ("Sign in", links.sign_in)
    items = [
        f'<a href="{escape(address)}"{" aria-current=page" if text == title else ""}>{text}</a>'
        for text, address in (("Home", links.home), ("Private", links.private))
    ]
    return "\n".join([*items, f'<a class="action" href="{escape(last[1])}">{last[0]}</a>'])
