"""Values of parameters, read strictly; which parameters there are is said elsewhere.

A reader gets the name and the value of a parameter, and returns what it means or raises the
``Refusal`` that names it.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import Refusal, invalid_parameter
from .routing import checked_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .objects import Document

    Reader = Callable[[str, Any], Any]

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def read_values(parameters: Document, readers: Mapping[str, Reader]) -> Document:
    """Return what parameters mean, each by the reader of its name."""
    return {name: readers[name](name, value) for name, value in parameters.items()}


def read_flag(name: str, value: object) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise wrong_type(name, "boolean")
    return value


def read_count(name: str, value: object) -> int:
    """Return a whole number from 0 on."""
    if type(value) is not int:
        raise wrong_type(name, "number")
    if value < 0:
        raise invalid_parameter("form_param_value_invalid", name, f"{name} is invalid")
    return value


def read_metadata(name: str, value: object) -> Document:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise wrong_type(name, "object")
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise invalid_parameter("form_param_value_invalid", name, f"{name} is no JSON") from None
    return value


def read_time(name: str, value: object) -> int:
    """Return a time in Unix milliseconds."""
    match = _RFC3339.fullmatch(checked_text(name, value))
    try:
        return _milliseconds(match)
    except ValueError:
        text = f"{name} must contain a datetime specified in RFC3339 format"
        raise invalid_parameter(
            "form_param_invalid_time", name, f"{text} (e.g. `2022-10-20T10:00:27.645Z`)."
        ) from None


def not_implemented(name: str, value: object) -> NoReturn:
    """Refuse what Clerk has, and the local one has not."""
    raise Refusal(
        403, "feature_not_implemented", "not implemented", f"Feature `{name}` is not available yet"
    )


def _milliseconds(match: re.Match[str] | None) -> int:
    if match is None:
        raise ValueError("not a time")
    day, time, fraction, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    seconds = int(datetime.fromisoformat(f"{day}T{time}{offset}").timestamp())
    return seconds * 1000 + int((fraction or "")[:3].ljust(3, "0"))


def wrong_type(name: str, wanted: str) -> Refusal:
    """Return the 422 of a value of another type."""
    return invalid_parameter("form_param_type_invalid", name, f"`{name}` must be a `{wanted}`.")
