"""Clerk's objects as JSON documents, complete: every field that docs/protocol.md names.

Times in documents are Unix milliseconds.
"""

from __future__ import annotations

from typing import Any

from .ids import new_id

Document = dict[str, Any]

DAY = 24 * 60 * 60 * 1000
SESSION_LIFETIME = 7 * DAY
ABANDONED_AFTER = 30 * DAY


def new_user(now: int, *, email_address: str | None = None, **fields: Any) -> Document:
    """Return a user created at ``now``; ``fields`` replace those of the document.

    An unknown field is a ``TypeError``.
    """
    addresses: list[Document] = [] if email_address is None else [_email_address(email_address)]
    document: Document = {
        "object": "user",
        "id": new_id("user"),
        "external_id": None,
        "username": None,
        "first_name": None,
        "last_name": None,
        "locale": None,
        "image_url": "",
        "profile_image_url": "",
        "has_image": False,
        "primary_email_address_id": addresses[0]["id"] if addresses else None,
        "primary_phone_number_id": None,
        "primary_web3_wallet_id": None,
        "email_addresses": addresses,
        "phone_numbers": [],
        "web3_wallets": [],
        "passkeys": [],
        "external_accounts": [],
        "saml_accounts": [],
        "enterprise_accounts": [],
        "public_metadata": {},
        "private_metadata": {},
        "unsafe_metadata": {},
        "password_enabled": False,
        "two_factor_enabled": False,
        "totp_enabled": False,
        "backup_code_enabled": False,
        "banned": False,
        "locked": False,
        "delete_self_enabled": True,
        "create_organization_enabled": True,
        "create_organizations_limit": None,
        "lockout_expires_in_seconds": None,
        "verification_attempts_remaining": 100,
        "mfa_enabled_at": None,
        "mfa_disabled_at": None,
        "last_sign_in_at": None,
        "last_active_at": now,
        "legal_accepted_at": None,
        "created_at": now,
        "updated_at": now,
    }
    return _with(document, fields)


def new_session(now: int, user_id: str, **fields: Any) -> Document:
    """Return a session started at ``now``, on a client of its own unless ``client_id`` is given.

    ``fields`` replace those of the document; an unknown field is a ``TypeError``.
    """
    document = {
        "object": "session",
        "id": new_id("sess"),
        "client_id": new_id("client"),
        "user_id": user_id,
        "status": "active",
        "actor": None,
        "last_active_organization_id": None,
        "latest_activity": None,
        "tasks": None,
        "last_active_at": now,
        "expire_at": now + SESSION_LIFETIME,
        "abandon_at": now + ABANDONED_AFTER,
        "created_at": now,
        "updated_at": now,
    }
    return _with(document, fields)


def _email_address(address: str) -> Document:
    return {
        "object": "email_address",
        "id": new_id("idn"),
        "email_address": address,
        "reserved": False,
        "verification": {
            "status": "verified",
            "strategy": "admin",
            "attempts": None,
            "expire_at": None,
        },
        "linked_to": [],
    }


def _with(document: Document, fields: Document) -> Document:
    unknown = fields.keys() - document.keys()
    if unknown:
        raise TypeError(f"a {document['object']} has no field {', '.join(sorted(unknown))}")
    return {**document, **fields}
