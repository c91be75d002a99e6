"""What a control call says: JSON with known names and values of the right type, and nothing else.

The readers go on where ``..readers`` ends; which parameters a call has is said elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..errors import Refusal, invalid_parameter
from ..query import Query, value_not_allowed
from ..readers import read_values, wrong_type
from ..routing import checked_text, parse_changes, parse_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from webob import Request

    from ..objects import Document
    from ..readers import Reader

LONGEST_LIST = 100
_LONGEST_ID = 128


def read_call(
    request: Request, readers: Mapping[str, Reader] | None = None, *required: str
) -> Document:
    """Return what the body of a call says, or raise a ``Refusal`` that names the parameter."""
    refuse_unknown(Query(request).names())
    known = readers or {}
    given = read_values(parse_parameters(request, *known), known)
    for name in required:
        if name not in given:
            raise invalid_parameter("form_param_missing", name, f"{name} must be included.")
    return given


def read_changes(request: Request, readers: Mapping[str, Reader]) -> Document:
    """Return what the body of a call changes, where a null says something; else as above."""
    refuse_unknown(Query(request).names())
    return read_values(parse_changes(request, *readers), readers)


def refuse_unknown(names: Iterable[str], known: Iterable[str] = ()) -> None:
    """Raise a ``Refusal`` for the first name that is not known."""
    for name in names:
        if name not in known:
            text = f"{name} is not a valid parameter for this request."
            raise invalid_parameter("form_param_unknown", name, text)


def read_as_it_is(name: str, value: object) -> object:
    """Return a value that somebody else reads."""
    return value


def read_prefix(name: str, value: object) -> str:
    """Return the beginning of a path."""
    text = checked_text(name, value)
    if not text.startswith("/"):
        raise wrong_value(name, "must begin with a slash.")
    return text


def read_texts(name: str, value: object) -> list[str]:
    """Return a list of texts."""
    return [checked_text(name, one) for one in _list(name, value)]


def or_nothing(reader: Reader) -> Reader:
    """Return the reader of a value that may be null."""
    return lambda name, value: None if value is None else reader(name, value)


def id_reader(prefix: str) -> Reader:
    """Return the reader of an id such as ``user_ada``, where ``prefix`` is ``user_``."""

    def read(name: str, value: object) -> str:
        text = checked_text(name, value)
        is_one = re.fullmatch(r"[A-Za-z0-9_-]+", text.removeprefix(prefix))
        if not text.startswith(prefix) or not is_one or len(text) > _LONGEST_ID:
            rest = "letters, digits, _ and -, at most 128 characters in all"
            raise wrong_value(name, f"must be {prefix} followed by {rest}.")
        return text

    return read


def choice_reader(allowed: Sequence[str]) -> Reader:
    """Return the reader of one of a few texts."""

    def read(name: str, value: object) -> str:
        text = checked_text(name, value)
        if text not in allowed:
            raise value_not_allowed(name, allowed)
        return text

    return read


def whole_reader(least: int, most: int) -> Reader:
    """Return the reader of a whole number within bounds."""

    def read(name: str, value: object) -> int:
        if type(value) is not int:
            raise wrong_type(name, "whole number")
        _check_bounds(name, value, least, most)
        return value

    return read


def number_reader(least: float, most: float) -> Reader:
    """Return the reader of a number within bounds."""

    def read(name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong_type(name, "number")
        _check_bounds(name, value, least, most)
        return float(value)

    return read


def list_reader(readers: Mapping[str, Reader], *required: str) -> Reader:
    """Return the reader of a list of objects, whose members have these readers."""

    def read(name: str, value: object) -> list[Document]:
        found = []
        for index, one in enumerate(_list(name, value)):
            if not isinstance(one, dict):
                raise wrong_type(f"{name}[{index}]", "object")
            found.append(_member(f"{name}[{index}]", one, readers, required))
        return found

    return read


def _member(
    place: str, given: Document, readers: Mapping[str, Reader], required: Sequence[str]
) -> Document:
    places = {name: f"{place}.{name}" for name in (*given, *readers)}
    refuse_unknown((places[name] for name in given), [places[name] for name in readers])
    for name in required:
        if name not in given:
            text = f"{places[name]} must be included."
            raise invalid_parameter("form_param_missing", places[name], text)
    return {name: readers[name](places[name], value) for name, value in given.items()}


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise wrong_type(name, "list")
    if len(value) > LONGEST_LIST:
        raise wrong_value(name, f"must not have more than {LONGEST_LIST} members.")
    return value


def _check_bounds(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise wrong_value(name, f"must be a number from {least} to {most}.")


def wrong_value(name: str, why: str) -> Refusal:
    """Return the 422 of a value that cannot be meant."""
    return invalid_parameter("form_param_value_invalid", name, f"{name} {why}")


def unknown_thing(name: str, what: str) -> Refusal:
    """Return the 404 of a parameter that names something which is not there."""
    text = f"There is no such {what}."
    return Refusal(404, "resource_not_found", "not found", text, param=name)
