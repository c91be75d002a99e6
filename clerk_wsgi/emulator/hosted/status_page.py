"""The status page as HTML: tables that are lists on small screens, and no form.

Everything that comes from the state or from requests is text, and escaped.
"""

from __future__ import annotations

from datetime import datetime, timezone
from html import escape
from string import Template
from typing import TYPE_CHECKING

from .layout import MARK, Page, read_sheet
from .tables import Column, Table, table_section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .overview import (
        Excerpt,
        OrganizationRow,
        Overview,
        RequestRow,
        Row,
        SessionRow,
        UserRow,
    )

_SHEET = read_sheet("base.css", "status.css")

_BODY = Template("""\
<header>
$mark<div class="title"><h1>Local Clerk</h1>
<p>As of $at UTC. <a href="./">Reload</a></p></div>
<nav aria-label="Hosted pages"><a href="choose">Accounts</a> <a href="sign-out">Sign out</a>\
 <a class="button" href="sign-in">Sign in</a></nav>
</header>
<main>
$faults<ul class="counts">
$counts
</ul>
<section aria-labelledby="settings">
<h2 id="settings">Settings</h2>
<dl>
$settings
</dl>
</section>
$tables
</main>
<footer><p>A Clerk for development: its accounts exist on this machine alone.\
 All times are UTC.</p></footer>""")

_COUNT = Template("""<li><a href="#$id"><strong>$total</strong> $name</a></li>""")

_SETTING = Template("""<div><dt>$label</dt><dd>$value</dd></div>""")

_FAULTS = Template("""\
<section class="faults" aria-labelledby="faults">
<h2 id="faults">Faults in force</h2>
<ul>
$faults
</ul>
</section>
""")

_NO_USER = "No user yet. A seed file makes some, and so does <code>POST /v1/users</code>."
_NO_SESSION = 'Nobody has signed in yet. <a href="sign-in">Sign in</a>'
_NO_ORGANIZATION = (
    "No organization yet. A seed file makes some, and so does <code>POST /v1/organizations</code>."
)
_NO_REQUEST = "No request yet. Applications ask at the URL above."


def status_page(overview: Overview) -> Page:
    """Return the page that shows all this."""
    counts, tables = zip(*_tables(overview), strict=True)
    body = _BODY.substitute(
        mark=MARK,
        at=_time(overview.at),
        faults=_faults(overview.faults),
        counts="\n".join(counts),
        settings="\n".join(_setting(label, value) for label, value in overview.settings),
        tables="\n".join(tables),
    )
    return Page(title="Status", body=body, sheet=_SHEET)


def _tables(overview: Overview) -> list[tuple[str, str]]:
    """Return the count of each table and its section."""
    return [
        _shown(_users(overview.users)),
        _shown(_sessions(overview.sessions)),
        _shown(_organizations(overview.organizations)),
        _shown(_requests(overview.requests, overview.at)),
    ]


def _shown(table: Table[Row]) -> tuple[str, str]:
    return _count(table), table_section(table)


def _users(excerpt: Excerpt[UserRow]) -> Table[UserRow]:
    return Table(
        id="users",
        name="Users",
        columns=[
            Column("User", lambda row: f"{_strong(row.name)} {_marks(row.marks)}"),
            Column("Identifiers", lambda row: _lines(row.identifiers)),
            Column("Last sign-in", lambda row: _time(row.last_sign_in_at)),
            Column("Id", lambda row: _id(row.id)),
        ],
        excerpt=excerpt,
        which="first",
        empty=_NO_USER,
    )


def _sessions(excerpt: Excerpt[SessionRow]) -> Table[SessionRow]:
    return Table(
        id="sessions",
        name="Sessions",
        columns=[
            Column("User", lambda row: _strong(row.user)),
            Column("Status", lambda row: _session_status(row.status)),
            Column("Organization", lambda row: escape(row.organization) or _NONE),
            Column("Expires", lambda row: _time(row.expire_at)),
            Column("Id", lambda row: _id(row.id)),
            Column("Client", lambda row: _id(row.client_id)),
        ],
        excerpt=excerpt,
        which="latest",
        empty=_NO_SESSION,
    )


def _organizations(excerpt: Excerpt[OrganizationRow]) -> Table[OrganizationRow]:
    return Table(
        id="organizations",
        name="Organizations",
        columns=[
            Column("Organization", lambda row: _strong(row.name)),
            Column("Slug", lambda row: escape(row.slug)),
            Column("Members", lambda row: f"{row.members:,}"),
            Column("Id", lambda row: _id(row.id)),
        ],
        excerpt=excerpt,
        which="first",
        empty=_NO_ORGANIZATION,
    )


def _requests(excerpt: Excerpt[RequestRow], now: int) -> Table[RequestRow]:
    return Table(
        id="requests",
        name="Recent requests",
        columns=[
            Column("Time", lambda row: _time(row.at, _today(now))),
            Column("Method", lambda row: escape(row.method)),
            Column("Path", lambda row: f"<code>{escape(row.path)}</code>"),
            Column("Status", lambda row: _answer(row.status)),
        ],
        excerpt=excerpt,
        which="latest",
        empty=_NO_REQUEST,
    )


def _count(table: Table[Row]) -> str:
    return _COUNT.substitute(id=table.id, total=f"{table.excerpt.total:,}", name=table.name)


def _setting(label: str, value: str) -> str:
    return _SETTING.substitute(label=escape(label), value=escape(value))


def _faults(texts: Sequence[str]) -> str:
    items = "\n".join(f"<li>{escape(text)}</li>" for text in texts)
    return _FAULTS.substitute(faults=items) if texts else ""


_NONE = '<span class="none">–</span>'


def _strong(text: str) -> str:
    return f"<strong>{escape(text)}</strong>"


def _id(text: str) -> str:
    return f'<code class="id">{escape(text)}</code>'


def _lines(texts: Sequence[str]) -> str:
    return "<br>".join(map(escape, texts)) or _NONE


def _marks(marks: Sequence[str]) -> str:
    return " ".join(f'<span class="badge error">{escape(mark)}</span>' for mark in marks)


def _session_status(status: str) -> str:
    kind = {"active": " good", "pending": " warning"}.get(status, "")
    return f'<span class="badge{kind}">{escape(status)}</span>'


def _answer(status: int) -> str:
    """Return how a request was answered, by the colour, too, of what was not well."""
    if status == 0:
        return '<span class="badge error">reset</span>'
    kind = {4: " warning", 5: " error"}.get(status // 100, "")
    return f'<span class="badge{kind}">{status}</span>'


def _time(milliseconds: int | None, today: str = "") -> str:
    """Return a time in UTC, to the second, without the day if that is ``today``."""
    if milliseconds is None:
        return _NONE
    at = _utc(milliseconds)
    if at is None:
        return str(milliseconds)
    shown = f"{at:%Y-%m-%d %H:%M:%S}".removeprefix(f"{today} ")
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{shown}</time>'


def _today(now: int) -> str:
    at = _utc(now)
    return f"{at:%Y-%m-%d}" if at else ""


def _utc(milliseconds: int) -> datetime | None:
    """Return a time, ``None`` for a number that no calendar has."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None
