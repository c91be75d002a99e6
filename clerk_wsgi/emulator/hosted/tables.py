"""Tables of the status page as HTML; on small screens each row is a list of its own."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from string import Template
from typing import TYPE_CHECKING, Generic

from .overview import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .overview import Excerpt

_SECTION = Template("""\
<section aria-labelledby="$id">
<h2 id="$id">$name</h2>
$content
</section>""")

# Tables that are not laid out as such lose their roles, unless these are spelled out.
_TABLE = Template("""\
$note<table role="table" class="$id" aria-labelledby="$id">
<thead role="rowgroup"><tr role="row">$titles</tr></thead>
<tbody role="rowgroup">
$rows
</tbody>
</table>""")

_CELL = Template("""<td role="cell" data-title="$title"><div>$content</div></td>""")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column; ``cell`` makes HTML of a row."""

    title: str
    cell: Callable[[Row], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Generic[Row]):
    """A table, which is a section of its own.

    ``which`` says which rows there are if there are more: "first". ``empty`` is HTML, too.
    """

    id: str
    name: str
    columns: Sequence[Column[Row]]
    excerpt: Excerpt[Row]
    which: str
    empty: str


def table_section(table: Table[Row]) -> str:
    """Return a table with its heading, or what to say instead if it has no rows."""
    content = _table(table) if table.excerpt.rows else f'<p class="empty">{table.empty}</p>'
    return _SECTION.substitute(id=table.id, name=escape(table.name), content=content)


def _table(table: Table[Row]) -> str:
    titles = (f'<th role="columnheader" scope="col">{one.title}</th>' for one in table.columns)
    return _TABLE.substitute(
        id=table.id,
        note=_note(table),
        titles="".join(titles),
        rows="\n".join(_row(table.columns, row) for row in table.excerpt.rows),
    )


def _row(columns: Sequence[Column[Row]], row: Row) -> str:
    cells = (_CELL.substitute(title=one.title, content=one.cell(row)) for one in columns)
    return f'<tr role="row">{"".join(cells)}</tr>'


def _note(table: Table[Row]) -> str:
    shown, total = len(table.excerpt.rows), table.excerpt.total
    if shown == total:
        return ""
    return f'<p class="note">The {table.which} {shown:,} of {total:,}.</p>\n'
