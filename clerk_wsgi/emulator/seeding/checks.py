"""What a value in a seed may be: a check returns it as it is kept, or says what was expected.

That is the text of a ``ValueError``, without the name of the key. Passwords and metadata are in
none of these texts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ..backend.user_parameters import _PATTERNS, LONGEST_PASSWORD, SHORTEST_PASSWORD
from ..organizations import _PERMISSION, _ROLE, _SLUG, MEMBER

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[object], Any]

_LONGEST_SHOWN = 60
_KINDS = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def shortened(text: str) -> str:
    """Return a text as an error shows it: quoted, and not all of it if it is long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def text(wanted: str, pattern: str | re.Pattern[str]) -> Check:
    """Return the check of a text that matches as a whole."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"expected {wanted}, not {_kind(value)}")
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {wanted}, not {shortened(value)}")
        return value

    return check


def id_of(prefix: str) -> Check:
    """Return the check of an id with this prefix."""
    return text(f"an id such as {prefix}_1", rf"{prefix}_[A-Za-z0-9_-]{{1,100}}")


def list_of(check: Check) -> Check:
    """Return the check of a list of texts, each there once."""

    def check_all(value: object) -> list[str]:
        if not isinstance(value, list):
            raise ValueError(f"expected a list, not {_kind(value)}")
        texts = [check(one) for one in value]
        if len(set(texts)) < len(texts):
            raise ValueError("expected each once")
        return texts

    return check_all


def list_of_tables(wanted: str) -> Check:
    """Return the check of a list of tables, which ``wanted`` says how to write."""

    def check_all(value: object) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise ValueError(f"expected {wanted}, not {_kind(value)}")
        for one in value:
            if not isinstance(one, dict):
                raise ValueError(f"expected {wanted}, not a list with {_kind(one)} in it")
        return value

    return check_all


def email_address(value: object) -> str:
    """Check an email address; its letters are small ones, as at Clerk."""
    check = text("an email address such as ada@example.com", _PATTERNS["email_address"])
    return str(check(value)).lower()


def password(value: object) -> str:
    """Check a password."""
    wanted = f"expected a text of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
    if not isinstance(value, str) or not SHORTEST_PASSWORD <= len(value) <= LONGEST_PASSWORD:
        raise ValueError(wanted)
    return value


def flag(value: object) -> bool:
    """Check a boolean."""
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, not {_kind(value)}")
    return value


def metadata(value: object) -> dict[str, Any]:
    """Check a table that JSON can hold: TOML has values that JSON has not."""
    if not isinstance(value, dict):
        raise ValueError(f"expected a table, not {_kind(value)}")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        wanted = "expected what JSON can hold: no date, time, inf or nan, and no depth without end"
        raise ValueError(wanted) from None
    return value


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")


name = text("a text of 1 to 256 characters in one line", r"[^\x00-\x1f\x7f]{1,256}")
username = text("4 to 64 letters, digits, '_' or '-'", r"[A-Za-z0-9_-]{4,64}")
user = text("an email address, a username or an id", r"\S{1,256}")
entitlement = text("a slug such as pro", r"[a-z0-9][a-z0-9_-]{0,63}")
organization = text("a slug or an id of an organization", r"[A-Za-z0-9_-]{1,128}")
slug = text("a slug such as analytical-society", _SLUG)
role = text(f"the key of a role, such as {MEMBER}", _ROLE)
permission = text("a permission such as org:invoices:read", _PERMISSION)
