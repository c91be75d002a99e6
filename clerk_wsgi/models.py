"""Objects of Clerk's API as values: clients, users, organizations.

They are frozen, but metadata and ``raw`` in them are dicts as JSON has them, so every object
belongs to whoever asked for it: nothing in it is shared. What Clerk did not say is ``None`` (or
empty). Times are aware datetimes. How they are read is the business of ``api/models.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .claims import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A device of a user, with the sessions on it; ``raw`` is Clerk's own answer."""

    id: str
    session_ids: tuple[str, ...] = ()
    sessions: tuple[Session, ...] = ()
    sign_in_id: str | None = None
    sign_up_id: str | None = None
    last_active_session_id: str | None = None
    last_authentication_strategy: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailAddress:
    """An email address of a user."""

    id: str
    email_address: str | None = None
    reserved: bool | None = None
    verification: Mapping[str, Any] | None = None
    linked_to: tuple[Mapping[str, Any], ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user; metadata are dicts, ``raw`` is Clerk's own answer.

    ``lockout_expires_in_seconds`` is in seconds.
    """

    id: str
    external_id: str | None = None
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    image_url: str | None = None
    profile_image_url: str | None = None
    has_image: bool | None = None
    primary_email_address_id: str | None = None
    primary_phone_number_id: str | None = None
    primary_web3_wallet_id: str | None = None
    email_addresses: tuple[EmailAddress, ...] = ()
    phone_numbers: tuple[Mapping[str, Any], ...] = ()
    web3_wallets: tuple[Mapping[str, Any], ...] = ()
    passkeys: tuple[Mapping[str, Any], ...] = ()
    external_accounts: tuple[Mapping[str, Any], ...] = ()
    saml_accounts: tuple[Mapping[str, Any], ...] = ()
    enterprise_accounts: tuple[Mapping[str, Any], ...] = ()
    public_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    private_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    unsafe_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    password_enabled: bool | None = None
    two_factor_enabled: bool | None = None
    totp_enabled: bool | None = None
    backup_code_enabled: bool | None = None
    banned: bool | None = None
    locked: bool | None = None
    delete_self_enabled: bool | None = None
    create_organization_enabled: bool | None = None
    create_organizations_limit: int | None = None
    lockout_expires_in_seconds: int | None = None
    verification_attempts_remaining: int | None = None
    mfa_enabled_at: datetime | None = None
    mfa_disabled_at: datetime | None = None
    last_sign_in_at: datetime | None = None
    last_active_at: datetime | None = None
    legal_accepted_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def primary_email_address(self) -> EmailAddress | None:
        """The address that ``primary_email_address_id`` names."""
        wanted = self.primary_email_address_id
        return next((each for each in self.email_addresses if each.id == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """An organization as Clerk's API knows it; metadata are dicts, ``raw`` is Clerk's own answer.

    ``members_count`` is ``None`` unless it was asked for. The organization that is active in a
    session token is less than this, and another class.
    """

    id: str
    name: str | None = None
    slug: str | None = None
    image_url: str | None = None
    has_image: bool | None = None
    members_count: int | None = None
    pending_invitations_count: int | None = None
    max_allowed_memberships: int | None = None
    admin_delete_enabled: bool | None = None
    missing_member_with_elevated_permissions: bool | None = None
    role_set_key: str | None = None
    public_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    private_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    created_by: str | None = None
    last_active_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationMembership:
    """A user's membership in an organization; ``raw`` is Clerk's own answer.

    ``permissions`` are those of the role, Clerk's own (``org:sys_…``) included, which no token
    names.
    """

    id: str
    role: str | None = None
    role_name: str | None = None
    permissions: tuple[str, ...] = ()
    organization: Organization | None = None
    public_user_data: Mapping[str, Any] | None = None
    public_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    private_metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def user_id(self) -> str | None:
        """Who is the member, as ``public_user_data`` says."""
        user_id = (self.public_user_data or {}).get("user_id")
        return user_id if isinstance(user_id, str) else None
