"""The two pages of the demo, as HTML without JavaScript."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from string import Template
from typing import TYPE_CHECKING

from webob import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .. import Session

_STYLE = """\
:root { color-scheme: light dark; --line: #d5d9e2; --soft: #545b6b; --accent: #4638c9; --on: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a4050; --soft: #abb2c1; --accent: #a79fff; --on: #15122f; }
}
body { max-width: 40rem; margin: 0 auto; padding: 1rem 1.25rem 3rem;
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; align-items: center;
  padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
nav a { padding: 0.5rem 0; color: inherit; }
nav a[aria-current] { font-weight: 600; text-decoration: none; }
nav .action { margin-left: auto; }
h1 { margin: 2.25rem 0 0.75rem; font-size: 1.75rem; line-height: 1.2; }
.button { display: inline-block; padding: 0.5rem 1.125rem; border-radius: 0.5rem;
  font-weight: 600; text-decoration: none; color: var(--on); background: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.375rem 1.25rem;
  margin: 1.5rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 0.75rem; } }
"""
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
<dt>User</dt><dd>$user_id</dd>
<dt>Session</dt><dd>$session_id</dd>
<dt>Token</dt><dd>issued $issued, valid until $expires (UTC)</dd>
</dl>
<p class="soft">Load the page again after that, and the token will have been renewed.</p>""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where the links of a page lead."""

    home: str
    private: str
    sign_in: str
    sign_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is signed in, and what the session token says."""

    name: str
    session: Session
    claims: Mapping[str, object]


def home_page(visitor: Visitor | None, links: Links) -> Response:
    """Answer with the page that everybody may see."""
    if visitor is None:
        content = _NOBODY.substitute(sign_in=escape(links.sign_in))
    else:
        content = _somebody(visitor, "This page is for everybody.")
    return _answer("Home", content, links, signed_in=visitor is not None)


def private_page(visitor: Visitor, links: Links) -> Response:
    """Answer with the page for those who are signed in."""
    content = _somebody(visitor, "Nobody else gets to see this page.")
    return _answer("Private", content, links, signed_in=True)


def _somebody(visitor: Visitor, text: str) -> str:
    return _SOMEBODY.substitute(
        name=escape(visitor.name),
        text=text,
        user_id=escape(visitor.session.user_id),
        session_id=escape(visitor.session.id or ""),
        issued=_clock_time(visitor.claims.get("iat")),
        expires=_clock_time(visitor.claims.get("exp")),
    )


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
