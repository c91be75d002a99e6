"""Which users a query asks for, and in which order (docs/protocol.md, "Users")."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from ..errors import invalid_parameter
from ..objects import identifiers
from ..query import value_not_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from ..objects import Document
    from ..query import Query

    Test = Callable[[Document], bool]
    Texts = Callable[[Document], Iterable[str]]

_TIMES = ("created_at", "last_active_at", "last_sign_in_at")
_NEWEST_FIRST = "-created_at"


def matching(
    users: list[Document], query: Query, memberships: Iterable[Document]
) -> list[Document]:
    """Return the users that pass every filter of a query; ``memberships`` are all there are."""
    joined: defaultdict[str, set[str]] = defaultdict(set)
    for membership in memberships:
        joined[membership["user_id"]].add(membership["organization_id"])
    tests = [
        *_exact(query),
        selection(query, "user_id", lambda user: {user["id"]}),
        selection(query, "external_id", lambda user: {user["external_id"]}),
        selection(query, "organization_id", lambda user: joined[user["id"]]),
        *_partial(query),
        *_timed(query),
        *_others(query),
    ]
    return [user for user in users if all(test(user) for test in tests)]


def _exact(query: Query) -> Iterator[Test]:
    """One of several values, whatever the case of its letters."""
    for name in ("email_address", "phone_number", "web3_wallet", "username"):
        wanted = {value.casefold() for value in query.texts(name)}
        if wanted:
            yield partial(_has_identifier, name, wanted)


def selection(
    query: Query, name: str, values_of: Callable[[Document], AbstractSet[object]]
) -> Test:
    """Return the test for one of several ids, and for none of those after a minus."""
    values = query.texts(name)
    excluded = {value[1:] for value in values if value.startswith("-")}
    # A plus that was not percent-encoded arrives as a space.
    included = {value.lstrip("+ ") for value in values if not value.startswith("-")}
    return partial(_is_selected, values_of, included, excluded)


def _names(user: Document) -> list[str]:
    names = [name for name in (user["first_name"], user["last_name"]) if name]
    return [*names, " ".join(names)]


def _everything(user: Document) -> list[str]:
    kinds = ("email_address", "phone_number", "username", "web3_wallet")
    return [user["id"], *_names(user), *(one for kind in kinds for one in identifiers(user, kind))]


_TEXTS: dict[str, Texts] = {
    "query": _everything,
    "email_address_query": lambda user: identifiers(user, "email_address"),
    "phone_number_query": lambda user: identifiers(user, "phone_number"),
    "username_query": lambda user: identifiers(user, "username"),
    "name_query": _names,
}


def _partial(query: Query) -> Iterator[Test]:
    """A part of a text, whatever the case of its letters."""
    for name, texts in _TEXTS.items():
        part = (query.text(name) or "").casefold()
        if part:
            yield partial(_contains, texts, part)


def _timed(query: Query) -> Iterator[Test]:
    for field in _TIMES:
        before, after = query.time(f"{field}_before"), query.time(f"{field}_after")
        if before is not None:
            yield partial(_is_between, field, -inf, before)
        if after is not None:
            yield partial(_is_between, field, after, inf)
    since = query.time("last_active_at_since")
    if since is not None:
        yield partial(_is_between, "last_active_at", since - 1, inf)


def _has_identifier(kind: str, wanted: set[str], user: Document) -> bool:
    return any(value.casefold() in wanted for value in identifiers(user, kind))


def _is_selected(
    values_of: Callable[[Document], AbstractSet[object]],
    included: set[str],
    excluded: set[str],
    found: Document,
) -> bool:
    values = values_of(found)
    return (not included or not values.isdisjoint(included)) and values.isdisjoint(excluded)


def _contains(texts: Texts, part: str, user: Document) -> bool:
    return any(part in text.casefold() for text in texts(user))


def _is_between(field: str, after: float, before: float, user: Document) -> bool:
    return user[field] is not None and after < user[field] < before


def _others(query: Query) -> Iterator[Test]:
    banned = query.flag("banned")
    if banned is not None:
        yield lambda user: bool(user["banned"]) == banned
    provider, accounts = query.text("provider"), query.texts("provider_user_id")
    if provider is not None and accounts:
        yield lambda user: any(
            one.get("provider") == provider and one.get("provider_user_id") in accounts
            for one in user["external_accounts"]
        )
    elif provider is not None or accounts:
        missing, there = ("provider_user_id", "provider")[:: 1 if provider is not None else -1]
        text = f"`{missing}` is required when `{there}` is present."
        raise invalid_parameter("form_conditional_param_missing", missing, text)


def _primary(kind: str) -> Callable[[Document], Any]:
    return lambda user: next(iter(identifiers(user, kind)), None)


USER_ORDERS: dict[str, Callable[[Document], Any]] = {
    "created_at": lambda user: user["created_at"],
    "updated_at": lambda user: user["updated_at"],
    "last_active_at": lambda user: user["last_active_at"],
    "last_sign_in_at": lambda user: user["last_sign_in_at"],
    "first_name": lambda user: user["first_name"],
    "last_name": lambda user: user["last_name"],
    "username": lambda user: user["username"],
    "email_address": _primary("email_address"),
    "phone_number": _primary("phone_number"),
    "web3wallet": _primary("web3_wallet"),
}


def ordered(
    found: list[Document], query: Query, orders: Mapping[str, Callable[[Document], Any]]
) -> list[Document]:
    """Return what was given oldest first in the order asked for, what has no value last."""
    asked = query.first("order_by") or _NEWEST_FIRST
    name = asked[1:] if asked[0] in "+- " else asked
    if name not in orders:
        raise value_not_allowed("order_by", tuple(orders))
    value_of, descending = orders[name], asked.startswith("-")
    candidates = list(reversed(found)) if descending else found
    known = [one for one in candidates if value_of(one) is not None]
    unknown = [one for one in candidates if value_of(one) is None]
    return sorted(known, key=value_of, reverse=descending) + unknown


def after_cursor(users: list[Document], query: Query) -> list[Document]:
    """Return the users that follow the one that ``starting_after`` names."""
    cursor = query.text("starting_after")
    if cursor is None:
        return users
    for position, user in enumerate(users, 1):
        if user["id"] == cursor:
            return users[position:]
    text = "The resource associated with the supplied starting_after was not found."
    raise invalid_parameter("form_resource_not_found", "starting_after", text)
