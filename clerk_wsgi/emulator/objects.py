"""Clerk's objects as JSON documents, complete: every field that docs/protocol.md names.

Times in documents are Unix milliseconds.
"""

from __future__ import annotations

from typing import Any

from .ids import new_id, new_rotating_token

Document = dict[str, Any]

DAY = 24 * 60 * 60 * 1000
SESSION_LIFETIME = 7 * DAY
ABANDONED_AFTER = 30 * DAY
SESSION_STATUSES = (
    "active",
    "pending",
    "revoked",
    "ended",
    "expired",
    "removed",
    "abandoned",
    "replaced",
)
LIVING = ("active", "pending")  # of a session that is not over


def new_user(now: int, *, email_address: str | None = None, **fields: Any) -> Document:
    """Return a user created at ``now``; ``fields`` replace those of the document.

    An unknown field is a ``TypeError``.
    """
    addresses: list[Document] = []
    if email_address is not None:
        addresses.append(new_identification("email_address", email_address, now))
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


def new_client(now: int, **fields: Any) -> Document:
    """Return a client created at ``now``, without what depends on its sessions.

    ``rotating_token`` is a secret: client tokens that name another are void. ``fields`` replace
    those of the document; an unknown field is a ``TypeError``.
    """
    document = {
        "object": "client",
        "id": new_id("client"),
        "sign_in_id": None,
        "sign_up_id": None,
        "last_active_session_id": None,
        "last_authentication_strategy": None,
        "rotating_token": new_rotating_token(),
        "created_at": now,
        "updated_at": now,
    }
    return _with(document, fields)


def new_session(now: int, user_id: str, client_id: str, **fields: Any) -> Document:
    """Return a session started at ``now``.

    ``fields`` replace those of the document; an unknown field is a ``TypeError``.
    """
    document = {
        "object": "session",
        "id": new_id("sess"),
        "client_id": client_id,
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


def new_identification(kind: str, value: str, now: int, *, status: str = "verified") -> Document:
    """Return an ``email_address``, ``phone_number`` or ``web3_wallet`` of a user.

    ``status`` is ``"verified"``, or ``"reserved"`` for one that nobody else can claim meanwhile.
    """
    verification = {
        "object": "verification_admin",
        "status": "verified",
        "strategy": "admin",
        "attempts": None,
        "expire_at": None,
    }
    document = {
        "object": kind,
        "id": new_id("idn"),
        kind: value,
        "reserved": status == "reserved",
        "verification": verification if status == "verified" else None,
        "linked_to": [],
        "created_at": now,
        "updated_at": now,
    }
    if kind == "phone_number":
        document |= {"reserved_for_second_factor": False, "default_second_factor": False}
    return document


def new_organization(now: int, name: str, slug: str, **fields: Any) -> Document:
    """Return an organization created at ``now``.

    ``fields`` replace those of the document; an unknown field is a ``TypeError``.
    """
    document = {
        "object": "organization",
        "id": new_id("org"),
        "name": name,
        "slug": slug,
        "image_url": "",
        "has_image": False,
        "members_count": 0,
        "pending_invitations_count": 0,
        "max_allowed_memberships": 5,
        "admin_delete_enabled": True,
        "public_metadata": {},
        "private_metadata": {},
        "created_by": None,
        "created_at": now,
        "updated_at": now,
    }
    return _with(document, fields)


def new_membership(now: int, organization_id: str, user_id: str, role: str) -> Document:
    """Return the membership of a user in an organization, as it is kept."""
    return {
        "object": "organization_membership",
        "id": new_id("orgmem"),
        "organization_id": organization_id,
        "user_id": user_id,
        "role": role,
        "public_metadata": {},
        "private_metadata": {},
        "created_at": now,
        "updated_at": now,
    }


def new_role(now: int, key: str, name: str, permissions: list[str]) -> Document:
    """Return a role of organizations; its id is its key."""
    return {
        "object": "role",
        "id": key,
        "key": key,
        "name": name,
        "permissions": permissions,
        "created_at": now,
        "updated_at": now,
    }


def plural(kind: str) -> str:
    """Return the field of a user that holds its identifiers of a kind."""
    return "email_addresses" if kind == "email_address" else f"{kind}s"


def identifiers(user: Document, kind: str) -> list[str]:
    """Return the email addresses, phone numbers or web3 wallets of a user, or the user name."""
    if kind in ("username", "external_id"):
        return [] if user[kind] is None else [user[kind]]
    return [one[kind] for one in user[plural(kind)]]


def _with(document: Document, fields: Document) -> Document:
    unknown = fields.keys() - document.keys()
    if unknown:
        raise TypeError(f"a {document['object']} has no field {', '.join(sorted(unknown))}")
    return {**document, **fields}
