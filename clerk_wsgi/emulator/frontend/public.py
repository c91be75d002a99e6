"""What a browser's script may see of an instance's objects: its own, without private metadata.

Fields are named one by one, so that one which is new elsewhere is not public by accident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..browsers import CLIENT_COOKIE, living_sessions
from ..errors import NotFound
from ..organizations import public_user_data

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..instance import Instance
    from ..objects import Document

_USER = (
    "object",
    "id",
    "external_id",
    "username",
    "first_name",
    "last_name",
    "locale",
    "image_url",
    "profile_image_url",
    "has_image",
    "primary_email_address_id",
    "primary_phone_number_id",
    "primary_web3_wallet_id",
    "email_addresses",
    "phone_numbers",
    "web3_wallets",
    "passkeys",
    "external_accounts",
    "saml_accounts",
    "enterprise_accounts",
    "public_metadata",
    "unsafe_metadata",
    "password_enabled",
    "two_factor_enabled",
    "totp_enabled",
    "backup_code_enabled",
    "delete_self_enabled",
    "create_organization_enabled",
    "create_organizations_limit",
    "mfa_enabled_at",
    "mfa_disabled_at",
    "last_sign_in_at",
    "last_active_at",
    "legal_accepted_at",
    "created_at",
    "updated_at",
)
_ORGANIZATION = (
    "object",
    "id",
    "name",
    "slug",
    "image_url",
    "has_image",
    "members_count",
    "pending_invitations_count",
    "max_allowed_memberships",
    "admin_delete_enabled",
    "public_metadata",
    "created_at",
    "updated_at",
)
_MEMBERSHIP = (
    "object",
    "id",
    "role",
    "role_name",
    "permissions",
    "public_metadata",
    "public_user_data",
    "created_at",
    "updated_at",
)
_SESSION = (
    "object",
    "id",
    "status",
    "actor",
    "tasks",
    "last_active_organization_id",
    "last_active_at",
    "expire_at",
    "abandon_at",
    "created_at",
    "updated_at",
)
_SIGN_IN = (
    "object",
    "id",
    "status",
    "identifier",
    "first_factor_verification",
    "created_session_id",
    "abandon_at",
)
_USER_DATA = ("first_name", "last_name", "image_url", "has_image")
_CLIENT = (
    "object",
    "id",
    "last_active_session_id",
    "last_authentication_strategy",
    "created_at",
    "updated_at",
)


class PublicForms:
    """The documents of an instance as the Frontend API shows them.

    ``origin`` is that of the page which asks: the session tokens in a document are for it.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def client(self, client: Document, origin: str | None) -> Document:
        """Return a client with those of its sessions that are not over."""
        sessions = [self.session(one, origin) for one in living_sessions(client)]
        return {
            **_some(client, _CLIENT),
            "sessions": sessions,
            "sign_in": self._sign_in(client),
            "sign_up": None,
            "cookie_expires_at": self._cookie_expires_at(client["id"]),
            "captcha_bypass": True,  # there is no captcha here
        }

    def session(self, session: Document, origin: str | None) -> Document:
        """Return a session with its user and, unless it is over, a token."""
        user = self._user(session["user_id"])
        return {
            **_some(session, _SESSION),
            "factor_verification_age": self._age(session),
            "user": None if user is None else self.user(user),
            "public_user_data": None if user is None else public_user_data(user),
            "last_active_token": self._token(session, origin),
        }

    def user(self, user: Document) -> Document:
        """Return a user with the organizations that it is a member of."""
        memberships = self._instance.memberships(user_id=user["id"])
        shown = [self.membership(one) for one in memberships]
        return {**_some(user, _USER), "organization_memberships": shown}

    def membership(self, membership: Document) -> Document:
        """Return a membership with its organization and the person."""
        shown = self._instance.shown_membership(membership)
        organization = self.organization(shown["organization"])
        return {**_some(shown, _MEMBERSHIP), "organization": organization}

    def organization(self, organization: Document) -> Document:
        """Return an organization."""
        return _some(organization, _ORGANIZATION)

    def token(self, session_id: str, origin: str | None) -> Document:
        """Return a new token of a session."""
        return _token(self._instance.session_token(session_id, **_for(origin)))

    def organization_token(
        self, session_id: str, organization_id: str | None, origin: str | None
    ) -> Document:
        """Return a new token of a session for an organization, or raise ``NotFound``."""
        signed = self._instance.organization_token(session_id, organization_id, **_for(origin))
        return _token(signed)

    def sign_in(self, sign_in: Document) -> Document:
        """Return an attempt to sign in."""
        user = self._user(sign_in["user_id"])
        factors = [{"strategy": "password"}] if user and user["password_enabled"] else []
        return {
            **_some(sign_in, _SIGN_IN),
            "supported_identifiers": ["email_address", "username"],
            "supported_first_factors": factors if user else None,
            "supported_second_factors": None,
            "second_factor_verification": None,
            "user_data": _some(user, _USER_DATA) if user else None,
        }

    def _token(self, session: Document, origin: str | None) -> Document | None:
        if not living_sessions({"sessions": [session]}):
            return None
        return self.token(session["id"], origin)

    def _sign_in(self, client: Document) -> Document | None:
        """Return what a client has begun and not completed."""
        begun = self._instance._store.get("sign_in", client["sign_in_id"] or "")
        return None if begun is None else self.sign_in(begun)

    def _cookie_expires_at(self, client_id: str) -> int | None:
        known = self._instance._store.get(CLIENT_COOKIE, client_id)
        return None if known is None else int(known["expire_at"])

    def _user(self, user_id: str | None) -> Document | None:
        try:
            return self._instance.user(user_id or "")
        except NotFound:
            return None

    def _age(self, session: Document) -> list[int]:
        """Return minutes since the first and the second factor, -1 for never."""
        age = self._instance.milliseconds() - int(session["created_at"])
        return [max(0, age) // 60_000, -1]


def _token(signed: str) -> Document:
    return {"object": "token", "jwt": signed}


def _for(origin: str | None) -> dict[str, Any]:
    return {} if origin is None else {"azp": origin}


def _some(document: Document, names: Iterable[str]) -> Document:
    return {name: document[name] for name in names}
