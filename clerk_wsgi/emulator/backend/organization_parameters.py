"""What a request says about an organization or a membership, read strictly: fields of documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import invalid_parameter
from ..readers import not_implemented, read_count, read_flag, read_metadata, read_time, read_values
from ..routing import checked_text, parse_parameters, required_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webob import Request

    from ..objects import Document
    from ..readers import Reader

LONGEST_NAME = 256
_ADDRESS_OR_TAG = re.compile(r"://|\bwww\.|<[^>]*>")


def _name(name: str, value: object) -> str:
    text = checked_text(name, value)
    if len(text) > LONGEST_NAME:
        why = f"{name} should not exceed {LONGEST_NAME} characters."
        raise invalid_parameter("form_param_max_length_exceeded", name, why)
    if not text.strip() or _ADDRESS_OR_TAG.search(text):
        why = f"{name} must be a name, without an address or a tag in it."
        raise invalid_parameter("form_param_value_invalid", name, why)
    return text


_METADATA: dict[str, Reader] = {
    "public_metadata": read_metadata,
    "private_metadata": read_metadata,
}
_FIELDS: dict[str, Reader] = {
    "name": _name,
    "slug": checked_text,
    "max_allowed_memberships": read_count,
    "created_at": read_time,
    "role_set_key": not_implemented,
    **_METADATA,
}
_NEW: dict[str, Reader] = {**_FIELDS, "created_by": checked_text}
_KNOWN: dict[str, Reader] = {**_FIELDS, "admin_delete_enabled": read_flag}
_MEMBER: dict[str, Reader] = {"user_id": checked_text, "role": checked_text, **_METADATA}


def read_new_organization(request: Request) -> Document:
    """Return the fields of the organization that a request wants to create."""
    return _read(request, _NEW, "name")


def read_organization(request: Request) -> Document:
    """Return the fields of an organization that a request wants to change."""
    return _read(request, _KNOWN)


def read_new_membership(request: Request) -> Document:
    """Return who is to be a member, with which role and which metadata."""
    return _read(request, _MEMBER, "user_id", "role")


def read_role(request: Request) -> str:
    """Return the role that a member is to have."""
    return required_text(parse_parameters(request, "role"), "role")


def read_replacement(request: Request) -> Document:
    """Return the metadata that are to take the place of those that there are."""
    return _read(request, _METADATA)


def read_merged(request: Request, document: Document) -> Document:
    """Return the metadata of a document with what a request says merged in."""
    said = _read(request, _METADATA)
    return {name: merged(document[name], change) for name, change in said.items()}


def merged(before: Mapping[str, object], change: Mapping[str, object]) -> Document:
    """Return an object with another one merged in, however deep; a null takes a member away."""
    result = dict(before)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            known = result.get(name)
            result[name] = merged(known if isinstance(known, dict) else {}, value)
        else:
            result[name] = value
    return result


def _read(request: Request, readers: Mapping[str, Reader], *required: str) -> Document:
    parameters = parse_parameters(request, *readers)
    for name in required:
        required_text(parameters, name)
    return read_values(parameters, readers)
