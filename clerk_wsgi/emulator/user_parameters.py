"""What a request says about a user, read strictly: parameters to fields of the document."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import Refusal, invalid_parameter
from .objects import new_identification, plural
from .query import value_not_allowed
from .routing import checked_text, parse_changes, parse_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from webob import Request

    from .objects import Document

    Reader = Callable[[str, Any], Any]

IDENTIFIERS = ("email_address", "phone_number", "web3_wallet")
STATUSES = ("verified", "reserved")
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 72
_PATTERNS = {
    "email_address": r"[^@\s]+@[^@\s]+\.[^@\s.]+",
    "phone_number": r"\+[1-9][0-9]{6,14}",
    "web3_wallet": r"0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44}",
}
_DESCRIBED = {
    "email_address": "a valid email address",
    "phone_number": "a valid phone number according to E.164 international standard",
    "web3_wallet": "a valid web3 wallet address",
}
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _wrong_type(name: str, wanted: str) -> Refusal:
    return invalid_parameter("form_param_type_invalid", name, f"`{name}` must be a `{wanted}`.")


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type(name, "boolean")
    return value


def _count(name: str, value: object) -> int:
    if type(value) is not int:
        raise _wrong_type(name, "number")
    if value < 0:
        raise invalid_parameter("form_param_value_invalid", name, f"{name} is invalid")
    return value


def _metadata(name: str, value: object) -> Document:
    if not isinstance(value, dict):
        raise _wrong_type(name, "object")
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise invalid_parameter("form_param_value_invalid", name, f"{name} is no JSON") from None
    return value


def _time(name: str, value: object) -> int:
    match = _RFC3339.fullmatch(checked_text(name, value))
    try:
        return _milliseconds(match)
    except ValueError:
        text = f"{name} must contain a datetime specified in RFC3339 format"
        raise invalid_parameter(
            "form_param_invalid_time", name, f"{text} (e.g. `2022-10-20T10:00:27.645Z`)."
        ) from None


def _milliseconds(match: re.Match[str] | None) -> int:
    if match is None:
        raise ValueError("not a time")
    day, time, fraction, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    seconds = int(datetime.fromisoformat(f"{day}T{time}{offset}").timestamp())
    return seconds * 1000 + int((fraction or "")[:3].ljust(3, "0"))


def _username(name: str, value: object) -> str:
    text = checked_text(name, value)
    if not 4 <= len(text) <= 64:
        why = "Username must be between 4 and 64 characters long."
        raise Refusal(422, "form_username_invalid_length", why, param=name)
    if not re.fullmatch(r"[\w-]+", text, re.ASCII):
        why = "Username can only contain letters, numbers and '_' or '-'."
        raise Refusal(422, "form_username_invalid_character", why, param=name)
    return text


def _texts(name: str, value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]  # a form has one value
    return [checked_text(name, one) for one in values]


def _identifiers(name: str, value: object) -> list[str]:
    texts = _texts(name, value)
    if name == "email_address":
        texts = [text.lower() for text in texts]
    for text in texts:
        if not re.fullmatch(_PATTERNS[name], text):
            why = f"{name} must be {_DESCRIBED[name]}."
            raise invalid_parameter("form_param_format_invalid", name, why)
    if len(set(texts)) < len(texts):
        raise invalid_parameter("form_param_duplicate", name, f"{name} contains duplicate values")
    return texts


def _statuses(name: str, value: object) -> list[str]:
    texts = _texts(name, value)
    if not set(texts) <= set(STATUSES):
        raise value_not_allowed(name, STATUSES)
    return texts


def _not_here(name: str, value: object) -> NoReturn:
    raise Refusal(
        403, "feature_not_implemented", "not implemented", f"Feature `{name}` is not available yet"
    )


_FIELDS: dict[str, Reader] = {
    "external_id": checked_text,
    "username": _username,
    "first_name": checked_text,
    "last_name": checked_text,
    "locale": checked_text,
    "public_metadata": _metadata,
    "private_metadata": _metadata,
    "unsafe_metadata": _metadata,
    "delete_self_enabled": _flag,
    "create_organization_enabled": _flag,
    "create_organizations_limit": _count,
    "created_at": _time,
    "legal_accepted_at": _time,
}
_FIELDS_OF_NEW = {**_FIELDS, "banned": _flag, "locked": _flag}
_FIELDS_OF_KNOWN = {**_FIELDS, **{f"primary_{kind}_id": checked_text for kind in IDENTIFIERS}}
# What is no field of the document.
_OTHERS: dict[str, Reader] = {
    "password": checked_text,
    "skip_password_checks": _flag,
    "skip_legal_checks": _flag,
    "bypass_client_trust": _flag,
    "password_digest": _not_here,
    "password_hasher": _not_here,
    "totp_secret": _not_here,
    "backup_codes": _not_here,
}
_CREATION: dict[str, Reader] = {
    **_FIELDS_OF_NEW,
    **_OTHERS,
    **dict.fromkeys(IDENTIFIERS, _identifiers),
    "email_address_identification_status": _statuses,
    "phone_number_identification_status": _statuses,
    "skip_password_requirement": _flag,
    "skip_user_requirement": _flag,
}
_UPDATE: dict[str, Reader] = {
    **_FIELDS_OF_KNOWN,
    **_OTHERS,
    "notify_primary_email_address_changed": _flag,
    "sign_out_of_other_sessions": _flag,
    "profile_image_id": _not_here,
}
# What an update can take away by a null; for anything else a null says nothing.
_CLEARABLE = {
    "external_id",
    "username",
    "first_name",
    "last_name",
    "locale",
    "create_organizations_limit",
    "legal_accepted_at",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChange:
    """What is to become of a user: fields of the document, and a password if there is a new one."""

    fields: Document
    password: str | None = field(default=None, repr=False)
    ends_sessions: bool = False


def read_new_user(request: Request, now: int) -> UserChange:
    """Return the user that a request wants to create at ``now``, or raise a ``Refusal``."""
    said = _read(parse_parameters(request, *_CREATION), _CREATION)
    identified = any(said.get(name) for name in (*IDENTIFIERS, "username"))
    if not identified and not said.get("skip_user_requirement"):
        raise Refusal(
            422,
            "form_data_missing",
            "missing data",
            '["email_address"] data doesn\'t match user requirements set for this instance',
            params=["email_address"],
        )
    fields = {name: said[name] for name in _FIELDS_OF_NEW if name in said}
    for kind in IDENTIFIERS:
        fields |= _identified(kind, said, now)
    return UserChange(fields=fields, password=_password(said))


def _identified(kind: str, said: Document, now: int) -> Document:
    """Return the fields that hold identifiers of a kind, the first of which is the primary one."""
    values = said.get(kind, [])
    name = f"{kind}_identification_status"
    statuses = said.get(name) or ["verified"] * len(values)
    if len(statuses) != len(values):
        text = f"{name} must contain exactly one item per {kind}."
        raise invalid_parameter("form_param_value_invalid", name, text)
    found = [
        new_identification(kind, value, now, status=status)
        for value, status in zip(values, statuses, strict=True)
    ]
    if not found:
        return {}
    return {plural(kind): found, f"primary_{kind}_id": found[0]["id"]}


def read_update(request: Request, user: Document) -> UserChange:
    """Return what a request wants to change of a user, or raise a ``Refusal``."""
    parameters = parse_changes(request, *_UPDATE)
    given = {name: value for name, value in parameters.items() if value is not None}
    said = _read(given, _UPDATE)
    for kind in IDENTIFIERS:
        _check_primary(kind, said, user)
    if said.get("sign_out_of_other_sessions") and "password" not in said:
        text = "`password` is required when `sign_out_of_other_sessions` is present."
        raise invalid_parameter("form_conditional_param_missing", "password", text)
    cleared = dict.fromkeys(_CLEARABLE & parameters.keys() - given.keys())
    return UserChange(
        fields={**cleared, **{name: said[name] for name in _FIELDS_OF_KNOWN if name in said}},
        password=_password(said),
        ends_sessions=said.get("sign_out_of_other_sessions", False),
    )


def _read(parameters: Document, readers: dict[str, Reader]) -> Document:
    return {name: readers[name](name, value) for name, value in parameters.items()}


def _check_primary(kind: str, said: Document, user: Document) -> None:
    name = f"primary_{kind}_id"
    verified = [one["id"] for one in user[plural(kind)] if one["verification"] is not None]
    if name in said and said[name] not in verified:
        text = f"The resource associated with the supplied {name} was not found."
        raise invalid_parameter("form_resource_not_found", name, text)


def _password(said: Document) -> str | None:
    password: str | None = said.get("password")
    if password is None or said.get("skip_password_checks"):
        return password
    if len(password) < SHORTEST_PASSWORD:
        why = f"Passwords must be {SHORTEST_PASSWORD} characters or more."
        raise Refusal(422, "form_password_length_too_short", why, param="password")
    if len(password) > LONGEST_PASSWORD:
        why = f"Passwords must be less than {LONGEST_PASSWORD} characters."
        raise Refusal(422, "form_password_length_too_long", why, param="password")
    return password
