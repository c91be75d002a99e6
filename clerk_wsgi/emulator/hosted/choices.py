"""Pages that ask to choose: one of a browser's accounts, or an organization of its user.

Only what they look like; what a choice does is the business of ``choosing.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from string import Template
from typing import TYPE_CHECKING

from .card import alert, card, form_token, lead, nobody_card

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .card import Place
    from .layout import Page

CHOOSE_ACCOUNT = "Choose an account"
CHOOSE_ORGANIZATION = "Choose an organization"
PERSONAL = "Personal account"

_CURRENT = ' aria-current="true"'
_IN_USE = '<span class="badge good">In use</span>'

_CHOOSE = Template("""\
<h1>Choose an account</h1>
<p class="lead">$lead</p>
$alert$accounts
<p><a class="button quiet" href="$sign_in">Add another account</a></p>
<p class="more"><a href="$sign_out">$leave</a></p>""")

_ORGANIZATION = Template("""\
<h1>Choose an organization</h1>
<p class="lead">$lead</p>
$alert$organizations
<p class="more"><a href="$choose">Use another account</a></p>""")

_LIST = Template("""\
<form method="post">
$token<ul class="choices">
$choices
</ul>
</form>""")

_CHOICE = Template("""\
<button class="choice" name="$name" value="$value"$state>\
<span class="face$shape" aria-hidden="true">$initials</span>\
<span class="who"><strong>$title</strong>$details</span>$badge</button>""")

_LEAVE = Template("""\
<button class="link" name="sign_out" value="$session_id">\
Sign out<span class="unseen"> of $name</span></button>""")

_SWITCH = Template("""\
<a href="$address">Switch organization<span class="unseen"> of $name</span></a>
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A session that a browser has already: whose it is, as people read it.

    ``organization`` is the active one, ``""`` for the personal account; ``has_choice`` says
    whether there is another. ``is_current`` is the session that applications get.
    """

    session_id: str
    name: str
    address: str
    organization: str = ""
    has_choice: bool = False
    is_current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What a session may be used for: an organization, or the personal account, whose id is ``""``.

    ``role`` is what the user is there.
    """

    id: str
    name: str
    role: str = ""
    is_active: bool = False


def choose_page(place: Place, accounts: Sequence[Account]) -> Page:
    """Return the page that asks which account to use, and lets people leave one."""
    if not accounts:
        return nobody_card(CHOOSE_ACCOUNT, place)
    content = _CHOOSE.substitute(
        lead=lead(place, "to use in this browser"),
        alert=alert(place),
        accounts=_list(place, (_row(one, place) for one in accounts)),
        sign_in=place.to("sign-in"),
        sign_out=place.to("sign-out"),
        leave="Sign out of all accounts" if len(accounts) > 1 else "Sign out",
    )
    return card(CHOOSE_ACCOUNT, content, place)


def organization_page(place: Place, name: str, workplaces: Sequence[Workplace]) -> Page:
    """Return the page that asks what the account of somebody is used for."""
    whose = f"as <strong>{escape(name)}</strong>"
    content = _ORGANIZATION.substitute(
        lead=f"{whose}, {lead(place, '')}" if place.application else whose,
        alert=alert(place),
        organizations=_list(place, map(_workplace, workplaces)),
        choose=place.to("choose"),
    )
    return card(CHOOSE_ORGANIZATION, content, place)


def account_list(place: Place, accounts: Sequence[Account]) -> str:
    """Return the form in which each account is a button that says what it does."""
    return _list(place, (_account(one, f"Continue as {one.name}") for one in accounts))


def _list(place: Place, choices: Iterable[str]) -> str:
    items = "\n".join(f"<li>{choice}</li>" for choice in choices)
    return _LIST.substitute(token=form_token(place), choices=items)


def _row(account: Account, place: Place) -> str:
    badge = _IN_USE if account.is_current else ""
    return f"{_account(account, account.name, badge)}\n{_actions(account, place)}"


def _account(account: Account, title: str, badge: str = "") -> str:
    return _CHOICE.substitute(
        name="session_id",
        value=escape(account.session_id),
        shape="",
        initials=escape(_initials(account.name)),
        title=escape(title),
        details=_detail(account.address) + _detail(account.organization),
        state=_CURRENT if badge else "",
        badge=badge,
    )


def _workplace(workplace: Workplace) -> str:
    return _CHOICE.substitute(
        name="organization_id",
        value=escape(workplace.id),
        shape=" square" if workplace.id else "",
        initials=escape(_initials(workplace.name)),
        title=escape(workplace.name),
        details=_detail(workplace.role),
        state=_CURRENT if workplace.is_active else "",
        badge=_IN_USE if workplace.is_active else "",
    )


def _detail(text: str) -> str:
    return f"<span>{escape(text)}</span>" if text else ""


def _actions(account: Account, place: Place) -> str:
    """Return what else can be done with an account: the small print below its button."""
    name, session_id = escape(account.name), escape(account.session_id)
    address = place.to("choose-organization", session_id=account.session_id)
    switch = _SWITCH.substitute(address=address, name=name) if account.has_choice else ""
    leave = _LEAVE.substitute(session_id=session_id, name=name)
    return f'<p class="actions">{switch}{leave}</p>'


def _initials(name: str) -> str:
    """Return what stands for somebody who has no picture."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in [*words[:1], *words[1:][-1:]]).upper() or "?"
