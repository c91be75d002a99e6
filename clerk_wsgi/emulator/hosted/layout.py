"""What all pages of the local Clerk share: the frame, the style, and the headers of an answer.

Pages need neither JavaScript nor anything from another host. What is on them is written elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from webob import Response

if TYPE_CHECKING:
    from collections.abc import Sequence

# Browsers ask for /favicon.ico unless a page names another icon.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 40'%3E"
    "%3Crect width='40' height='40' rx='11' fill='%234638c9'/%3E"
    "%3Cg fill='%23fff'%3E%3Ccircle cx='20' cy='16' r='5.5'/%3E"
    "%3Cpath d='M9.5 32a10.5 8.5 0 0 1 21 0z'/%3E%3C/g%3E%3C/svg%3E"
)

MARK = (
    '<svg class="mark" viewBox="0 0 40 40" aria-hidden="true">'
    '<rect width="40" height="40" rx="11"/>'
    '<circle cx="20" cy="16" r="5.5"/><path d="M9.5 32a10.5 8.5 0 0 1 21 0z"/></svg>'
)

_FRAME = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title – local Clerk</title>
<link rel="icon" href="$icon">
<style>$style</style>
</head>
<body>
$body
</body>
</html>
""")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A style sheet, which stands in the pages that it is for."""

    text: str

    @property
    def source(self) -> str:
        """What a content security policy calls it."""
        digest = base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode()
        return f"'sha256-{digest}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page; ``title`` is text, ``body`` is HTML."""

    title: str
    body: str
    sheet: Sheet

    def __str__(self) -> str:
        return _FRAME.substitute(
            title=escape(self.title), icon=_ICON, style=self.sheet.text, body=self.body
        )


def read_sheet(*names: str) -> Sheet:
    """Return files of this package as one style sheet."""
    here = resources.files(__package__)
    return Sheet("".join(here.joinpath(name).read_text("utf-8") for name in names))


def html_answer(page: Page, *, status: int = 200, form_targets: Sequence[str] = ()) -> Response:
    """Answer with a page; ``form_targets`` are the origins that its forms may lead to."""
    response = Response(text=str(page), status=status, content_type="text/html", charset="utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = _policy(page.sheet, form_targets)
    # Addresses of these pages may hold a dev browser's token. Not no-referrer: then browsers
    # would not say where a form was sent from either.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def _policy(sheet: Sheet, form_targets: Sequence[str]) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {sheet.source}",
            "img-src data:",
            # Browsers apply this to the redirects after a form, too.
            " ".join(("form-action 'self'", *form_targets)),
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )
