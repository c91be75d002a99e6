"""The hosted pages for signing in and out, and the one for errors, as HTML.

Only what they look like: who may see one, and what it does, is the business of ``signing_in.py``.
"""

from __future__ import annotations

from html import escape
from string import Template
from typing import TYPE_CHECKING

from .card import alert, card, form_token, lead, nobody_card
from .choices import account_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import Refusal
    from .card import Place
    from .choices import Account
    from .layout import Page

FIELDS = ("identifier", "password")

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
<button class="main">Sign in</button>
</form>""")

_ACCOUNTS = Template("""\
$accounts
<p class="more"><a href="$choose">Manage accounts</a></p>
<h2 class="or">Or use another account</h2>
""")

_SIGN_OUT = Template("""\
<h1>Sign out</h1>
<p class="lead">$lead</p>
<form method="post">
$token<p><button class="main">$leave</button></p>
$each</form>
$stay""")

_ONE = Template("""\
<p><button class="quiet" name="session_id" value="$session_id">Sign out $name only</button></p>
""")

_STAY = Template("""<p><a class="button quiet" href="$address">Stay signed in</a></p>""")

_ERROR = Template("""\
<h1>This did not work</h1>
<p class="lead">$text</p>
<p class="code">$code</p>""")


def sign_in_page(place: Place, accounts: Sequence[Account], identifier: str) -> Page:
    """Return the sign-in page, with what was entered as the identifier."""
    focus = _focus(place, accounts)
    content = _SIGN_IN.substitute(
        lead=lead(place, "with an account of this instance"),
        alert=alert(place),
        accounts=_accounts(place, accounts),
        token=form_token(place),
        identifier=escape(identifier),
        identifier_state=_state("identifier", place, focus),
        identifier_problem=_problem("identifier", place),
        password_state=_state("password", place, focus),
        password_problem=_problem("password", place),
    )
    return card("Sign in", content, place)


def sign_out_page(place: Place, accounts: Sequence[Account]) -> Page:
    """Return the page that asks whether to sign out, and of what if that is not plain."""
    if not accounts and not place.back:
        return nobody_card("Sign out", place)
    content = _SIGN_OUT.substitute(
        lead=f"You are signed in as {_names(accounts)}." if accounts else _OVER,
        token=form_token(place),
        leave=_leave(accounts),
        each="".join(map(_one, accounts)) if len(accounts) > 1 else "",
        stay=_stay(place) if accounts else "",
    )
    return card("Sign out", content, place)


def error_page(refusal: Refusal) -> Page:
    """Return the page of an error that a form cannot show."""
    text = escape(str(refusal.entry["long_message"]))
    content = _ERROR.substitute(text=text, code=escape(str(refusal.entry["code"])))
    return card("Error", content)


_OVER = "Nobody is signed in here any more."


def _focus(place: Place, accounts: Sequence[Account]) -> str:
    """Return the field where typing goes on: the first that is wrong, else the first one."""
    wrong = [name for name in FIELDS if name in place.problems]
    return next(iter(wrong), "" if accounts else FIELDS[0])


def _accounts(place: Place, accounts: Sequence[Account]) -> str:
    if not accounts:
        return ""
    choices = account_list(place, accounts)
    return _ACCOUNTS.substitute(accounts=choices, choose=place.to("choose"))


def _state(name: str, place: Place, focus: str) -> str:
    focused = " autofocus" if name == focus else ""
    if name not in place.problems:
        return focused
    return f'{focused} aria-invalid="true" aria-describedby="{name}-problem"'


def _problem(name: str, place: Place) -> str:
    problem = place.problems.get(name)
    if not problem:
        return ""
    return f'<p class="problem" id="{name}-problem">{escape(problem)}</p>\n'


def _names(accounts: Sequence[Account]) -> str:
    *most, last = (f"<strong>{escape(account.name)}</strong>" for account in accounts)
    return f"{', '.join(most)} and {last}" if most else last


def _leave(accounts: Sequence[Account]) -> str:
    if len(accounts) > 1:
        return "Sign out of all accounts"
    # To go back is to tell the application, too: it may think that somebody is signed in.
    return "Sign out" if accounts else "Back to the application"


def _one(account: Account) -> str:
    return _ONE.substitute(session_id=escape(account.session_id), name=escape(account.name))


def _stay(place: Place) -> str:
    return _STAY.substitute(address=escape(place.back) or place.to("choose"))
