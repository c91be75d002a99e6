"""The query string of a request, read strictly: what cannot be meant is an error answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from webob import Response

from .errors import Refusal, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webob import Request

    from .objects import Document

MOST_VALUES = 100  # of one parameter
DEFAULT_LIMIT = 10
HIGHEST_LIMIT = 500
_FLAGS = {"true": True, "false": False}
_LARGEST = 10**15 - 1


class Query:
    """The parameters of a query; what nobody asks for is ignored, as Clerk does."""

    def __init__(self, request: Request) -> None:
        self._values: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(request.query_string, keep_blank_values=True, errors="strict")
        except ValueError:
            raise Refusal(
                400,
                "malformed_request_parameters",
                "Malformed request parameters",
                "The request parameters are malformed and could not be parsed",
            ) from None
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def names(self) -> list[str]:
        """Return the names of all parameters."""
        return list(self._values)

    def texts(self, name: str) -> list[str]:
        """Return all values of a parameter that may be repeated."""
        values = self._values.get(name, [])
        if len(values) > MOST_VALUES:
            text = f"{name} is included more than the maximum of {MOST_VALUES} times."
            raise invalid_parameter("form_param_duplicate", name, text)
        return values

    def first(self, name: str) -> str | None:
        """Return the first value of a parameter whose repetitions do not count."""
        return next(iter(self._values.get(name, [])), None)

    def text(self, name: str) -> str | None:
        """Return the one value of a parameter."""
        values = self._values.get(name, [])
        if len(values) > 1:
            text = f"{name} included multiple times. There should only be one."
            raise invalid_parameter("form_param_duplicate", name, text)
        return values[0] if values else None

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """Return a value that is one of those allowed."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise value_not_allowed(name, allowed)
        return value

    def flag(self, name: str) -> bool | None:
        """Return ``true`` or ``false`` as what they say."""
        value = self.choice(name, tuple(_FLAGS))
        return None if value is None else _FLAGS[value]

    def number(self, name: str, *, least: int = 0, most: int = _LARGEST) -> int | None:
        """Return a whole number within bounds."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?[0-9]{1,15}", value):
            raise invalid_parameter(
                "form_param_type_invalid", name, f"`{name}` must be a `number`."
            )
        if not least <= int(value) <= most:
            text = f"{name} must be a number from {least} to {most}."
            raise invalid_parameter("form_param_value_invalid", name, text)
        return int(value)

    def time(self, name: str) -> int | None:
        """Return a time in Unix milliseconds."""
        value = self.text(name)
        if value is not None and not re.fullmatch(r"[0-9]{1,15}", value):
            text = "Date values must be given in Unix millisecond timestamp format."
            raise invalid_parameter("form_param_invalid_date", name, text)
        return None if value is None else int(value)


class Page:
    """Which part of a list was asked for: ``limit`` and ``offset``."""

    def __init__(self, query: Query) -> None:
        limit = query.number("limit", least=1, most=HIGHEST_LIMIT)
        self._limit = DEFAULT_LIMIT if limit is None else limit
        self._offset = query.number("offset") or 0

    def of(self, found: list[Document]) -> list[Document]:
        """Return that part."""
        return found[self._offset : self._offset + self._limit]


def page_answer(query: Query, found: list[Document]) -> Response:
    """Answer with a part of a list; with ``paginated=true`` also with how many there are."""
    page = Page(query).of(found)
    if query.flag("paginated"):
        return Response(json={"data": page, "total_count": len(found)})
    return Response(json=page)


def newest_first(found: list[Document]) -> list[Document]:
    """Return a list that is in the order of creation with the newest object first."""
    return sorted(found, key=lambda one: int(one["created_at"]))[::-1]


def value_not_allowed(name: str, allowed: Sequence[str]) -> Refusal:
    """Return the 422 of a value that is not one of a few; the value is not repeated."""
    text = f"The value does not match the allowed values for parameter {name}."
    return invalid_parameter(
        "form_param_value_invalid", name, f"{text} Allowed values: {', '.join(allowed)}"
    )
