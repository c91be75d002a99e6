"""What a request says about a user, read strictly: parameters to fields of the document."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import Refusal, invalid_parameter
from ..objects import new_identification, plural
from ..query import value_not_allowed
from ..readers import not_implemented, read_count, read_flag, read_metadata, read_time, read_values
from ..routing import checked_text, parse_changes, parse_parameters

if TYPE_CHECKING:
    from webob import Request

    from ..objects import Document
    from ..readers import Reader

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


_FIELDS: dict[str, Reader] = {
    "external_id": checked_text,
    "username": _username,
    "first_name": checked_text,
    "last_name": checked_text,
    "locale": checked_text,
    "public_metadata": read_metadata,
    "private_metadata": read_metadata,
    "unsafe_metadata": read_metadata,
    "delete_self_enabled": read_flag,
    "create_organization_enabled": read_flag,
    "create_organizations_limit": read_count,
    "created_at": read_time,
    "legal_accepted_at": read_time,
}
_FIELDS_OF_NEW = {**_FIELDS, "banned": read_flag, "locked": read_flag}
_FIELDS_OF_KNOWN = {**_FIELDS, **{f"primary_{kind}_id": checked_text for kind in IDENTIFIERS}}
# What is no field of the document.
_OTHERS: dict[str, Reader] = {
    "password": checked_text,
    "skip_password_checks": read_flag,
    "skip_legal_checks": read_flag,
    "bypass_client_trust": read_flag,
    "password_digest": not_implemented,
    "password_hasher": not_implemented,
    "totp_secret": not_implemented,
    "backup_codes": not_implemented,
}
CREATION: dict[str, Reader] = {
    **_FIELDS_OF_NEW,
    **_OTHERS,
    **dict.fromkeys(IDENTIFIERS, _identifiers),
    "email_address_identification_status": _statuses,
    "phone_number_identification_status": _statuses,
    "skip_password_requirement": read_flag,
    "skip_user_requirement": read_flag,
}
_UPDATE: dict[str, Reader] = {
    **_FIELDS_OF_KNOWN,
    **_OTHERS,
    "notify_primary_email_address_changed": read_flag,
    "sign_out_of_other_sessions": read_flag,
    "profile_image_id": not_implemented,
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
    return new_user_of(parse_parameters(request, *CREATION), now)


def new_user_of(parameters: Document, now: int) -> UserChange:
    """Return the user that the parameters of a creation describe, or raise a ``Refusal``."""
    said = read_values(parameters, CREATION)
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
    said = read_values(given, _UPDATE)
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
