"""The hosted pages as HTML: they need neither JavaScript nor anything from another host.

Only what pages look like: who may see one, and what it does, is the business of ``hosted.py``.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from webob import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .errors import Refusal

STYLE = resources.files(__package__).joinpath("pages.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# Browsers ask for /favicon.ico unless a page names another icon.
_ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"

_PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title – local Clerk</title>
<link rel="icon" href="$icon">
<style>$style</style>
</head>
<body>
<main>
<svg class="mark" viewBox="0 0 40 40" aria-hidden="true">\
<rect width="40" height="40" rx="11"/>\
<circle cx="20" cy="16" r="5.5"/><path d="M9.5 32a10.5 8.5 0 0 1 21 0z"/></svg>
$content
</main>
<footer><p>A local Clerk for development: its accounts exist on this machine alone.</p></footer>
</body>
</html>
""")

_SIGN_IN = Template("""\
<h1>Sign in</h1>
<p class="lead">$lead</p>
$alert$accounts<form method="post">
$token<div class="field">
<label for="identifier">Email address or username</label>
<input type="text" id="identifier" name="identifier" value="$identifier" required
 autocomplete="username" autocapitalize="none" spellcheck="false"$identifier_state>
$identifier_problem</div>
<div class="field">
<label for="password">Password</label>
<input type="password" id="password" name="password" required
 autocomplete="current-password"$password_state>
$password_problem</div>
<button>Sign in</button>
</form>""")

_ACCOUNTS = Template("""\
<form method="post">
$token<ul class="accounts">
$accounts
</ul>
</form>
<h2 class="or">Or use another account</h2>
""")

_ACCOUNT = Template("""\
<li><button class="quiet" name="session_id" value="$session_id">\
<strong>Continue as $name</strong><span>$address</span></button></li>""")

_SIGN_OUT = Template("""\
<h1>Sign out</h1>
<p class="lead">$lead</p>
<form method="post">
$token<button>Sign out</button>
</form>
$back""")

_ERROR = Template("""\
<h1>This did not work</h1>
<p class="lead">$text</p>
<p class="code">$code</p>""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A session that a browser has already: whose it is, as people read it."""

    session_id: str
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInForm:
    """What the sign-in page shows.

    ``application`` is an origin or nothing; ``problems`` are texts by the name of their field,
    ``""`` for the form as a whole.
    """

    token: str = field(repr=False)
    application: str = ""
    accounts: Sequence[Account] = ()
    identifier: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)


def sign_in_page(form: SignInForm) -> str:
    """Return the sign-in page."""
    token = _hidden(form.token)
    # The first field that is wrong, else the first one, is where typing goes on.
    focus = "password" if "password" in form.problems else "identifier"
    states = {name: _state(name, form, focus) for name in ("identifier", "password")}
    content = _SIGN_IN.substitute(
        lead=_lead(form),
        alert=_alert(form.problems.get("", "")),
        accounts=_accounts(form.accounts, token),
        token=token,
        identifier=escape(form.identifier),
        identifier_state=states["identifier"],
        identifier_problem=_problem("identifier", form),
        password_state=states["password"],
        password_problem=_problem("password", form),
    )
    return _page("Error: sign in" if form.problems else "Sign in", content)


def sign_out_page(*, token: str, names: Sequence[str], back: str | None) -> str:
    """Return the page that asks whether to sign out; ``back`` is where the answer no leads."""
    who = " and ".join(f"<strong>{escape(name)}</strong>" for name in names)
    lead = f"You are signed in as {who}." if names else "Nobody is signed in here any more."
    stay = "Stay signed in" if names else "Back to the application"
    link = f'<p class="more"><a class="button quiet" href="{escape(back or "")}">{stay}</a></p>'
    content = _SIGN_OUT.substitute(token=_hidden(token), lead=lead, back=link if back else "")
    return _page("Sign out", content)


def error_page(refusal: Refusal) -> str:
    """Return the page of an error that a form cannot show."""
    text = escape(str(refusal.entry["long_message"]))
    content = _ERROR.substitute(text=text, code=escape(str(refusal.entry["code"])))
    return _page("Error", content)


def html_answer(page: str, *, status: int = 200, form_targets: Sequence[str] = ()) -> Response:
    """Answer with a page; ``form_targets`` are the origins that its forms may lead to."""
    response = Response(text=page, status=status, content_type="text/html", charset="utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = _policy(form_targets)
    # Addresses of these pages may hold a dev browser's token. Not no-referrer: then browsers
    # would not say where a form was sent from either.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def _policy(form_targets: Sequence[str]) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_STYLE_HASH}'",
            "img-src data:",
            # Browsers apply this to the redirects after a form, too.
            " ".join(("form-action 'self'", *form_targets)),
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )


def _page(title: str, content: str) -> str:
    return _PAGE.substitute(title=escape(title), icon=_ICON, style=STYLE, content=content)


def _lead(form: SignInForm) -> str:
    if not form.application:
        return "with an account of this instance"
    return f"to continue to <strong>{escape(form.application)}</strong>"


def _hidden(token: str) -> str:
    return f'<input type="hidden" name="form_token" value="{escape(token)}">\n'


def _alert(problem: str) -> str:
    return f'<p class="alert" role="alert">{escape(problem)}</p>\n' if problem else ""


def _accounts(accounts: Sequence[Account], token: str) -> str:
    if not accounts:
        return ""
    items = "\n".join(
        _ACCOUNT.substitute(
            session_id=escape(account.session_id),
            name=escape(account.name),
            address=escape(account.address),
        )
        for account in accounts
    )
    return _ACCOUNTS.substitute(token=token, accounts=items)


def _state(name: str, form: SignInForm, focus: str) -> str:
    focused = " autofocus" if name == focus and not form.accounts else ""
    if name not in form.problems:
        return focused
    return f'{focused} aria-invalid="true" aria-describedby="{name}-problem"'


def _problem(name: str, form: SignInForm) -> str:
    problem = form.problems.get(name)
    if not problem:
        return ""
    return f'<p class="problem" id="{name}-problem">{escape(problem)}</p>\n'
