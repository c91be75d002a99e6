"""A seed as it is written: TOML, read strictly into entries that can be planted. No instance here.

What may stand in one is in the tables below, what its values may be in ``checks.py``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SeedError
from . import checks as check

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from .checks import Check

_TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"

_ENTITLED: dict[str, Check] = {
    "plan": check.entitlement,
    "features": check.list_of(check.entitlement),
}
_TABLES: dict[str, dict[str, Check]] = {
    "roles": {
        "key": check.role,
        "name": check.name,
        "permissions": check.list_of(check.permission),
    },
    "users": {
        "id": check.id_of("user"),
        "email_address": check.email_address,
        "username": check.username,
        "first_name": check.name,
        "last_name": check.name,
        "password": check.password,
        "locked": check.flag,
        "public_metadata": check.metadata,
        "private_metadata": check.metadata,
        "unsafe_metadata": check.metadata,
        **_ENTITLED,
    },
    "organizations": {
        "id": check.id_of("org"),
        "name": check.name,
        "slug": check.slug,
        "public_metadata": check.metadata,
        "private_metadata": check.metadata,
        "members": check.list_of_tables('a list of tables such as { user = "ada@example.com" }'),
        **_ENTITLED,
    },
    "sessions": {"user": check.user, "organization": check.organization},
}
_KEYS: dict[str, dict[str, Check]] = {
    **_TABLES,
    "members": {"user": check.user, "role": check.role},
}
_REQUIRED = {
    "roles": ("key",),
    "organizations": ("name", "slug"),
    "members": ("user",),
    "sessions": ("user",),
}
# What tells entries apart, and finds what an earlier seeding has made of one.
_UNIQUE = {
    "roles": ("key",),
    "users": ("id", "email_address", "username"),
    "organizations": ("id", "slug"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One table of a seed: where it stands, and what it says; a key that is not there says nothing.

    Lists of tables in it are tuples of entries.
    """

    place: str
    values: Mapping[str, Any] = field(repr=False)

    def error(self, key: str, text: str) -> SeedError:
        """Return the error of one key."""
        return SeedError(f"{self.place}, {key}: {text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """What a seed says, in the order in which it is written."""

    roles: tuple[Entry, ...] = ()
    users: tuple[Entry, ...] = ()
    organizations: tuple[Entry, ...] = ()
    sessions: tuple[Entry, ...] = ()


def read_seed(path: str | os.PathLike[str]) -> Seed:
    """Return the seed in a file, or raise a ``SeedError``: one line that begins with its name."""
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise SeedError(f"cannot read the seed {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SeedError(f"{path}: expected UTF-8") from None
    return seed_from(text, name=str(path))


def seed_from(text: str, *, name: str = "seed") -> Seed:
    """Return the seed that a text is, or raise a ``SeedError`` that calls it ``name``."""
    tables = {kind: check.list_of_tables(f"tables, each under [[{kind}]]") for kind in _TABLES}
    found = _checked(Entry(place=name, values=_parse_toml(text, name)), tables)
    return Seed(**{kind: _entries(name, kind, rows) for kind, rows in found.items()})


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        toml: Any = import_module(_TOML)
    except ModuleNotFoundError:
        text = f"Python 3.10 reads no TOML by itself: pip install {_TOML}"
        raise SeedError(f"{name}: {text}") from None
    try:
        document: dict[str, Any] = toml.loads(text)
    except RecursionError:
        raise SeedError(f"{name}: expected TOML that is not nested so deeply") from None
    except ValueError as error:
        raise SeedError(f"{name}: not TOML: {' '.join(str(error).split())}") from None
    return document


def _entries(within: str, kind: str, rows: Sequence[dict[str, Any]]) -> tuple[Entry, ...]:
    """Return the entries of a list of tables, checked one by one and against each other."""
    entries = tuple(
        _entry(Entry(place=f"{within}, {kind} #{number}", values=row), kind)
        for number, row in enumerate(rows, 1)
    )
    for key in _UNIQUE.get(kind, ()):
        _refuse_twice(entries, key)
    return entries


def _entry(written: Entry, kind: str) -> Entry:
    """Return an entry whose values are checked, and all there that it needs."""
    values = _checked(written, _KEYS[kind])
    for key in _REQUIRED.get(kind, ()):
        if key not in values:
            raise written.error(key, "expected, but missing")
    if kind == "users" and not values.keys() & set(_UNIQUE[kind]):
        raise written.error("email_address", "expected, unless there is a username or an id")
    if "members" in values:
        values["members"] = _entries(written.place, "members", values["members"])
    return Entry(place=written.place, values=values)


def _checked(entry: Entry, checks: Mapping[str, Check]) -> dict[str, Any]:
    checked = {}
    for key, value in entry.values.items():
        if key not in checks:
            raise entry.error(check.shortened(key), f"expected one of {', '.join(checks)}")
        try:
            checked[key] = checks[key](value)
        except ValueError as error:
            raise entry.error(key, str(error)) from None
    return checked


def _refuse_twice(entries: Iterable[Entry], key: str) -> None:
    seen: dict[str, Entry] = {}
    for entry in entries:
        value = entry.values.get(key)
        if value is None:
            continue
        first = seen.setdefault(value if key == "id" else value.casefold(), entry)
        if first is not entry:
            number = first.place.rpartition("#")[2]
            raise entry.error(key, f"expected another one than in #{number}, not {value!r} again")
