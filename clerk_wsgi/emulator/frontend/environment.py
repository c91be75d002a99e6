"""What a browser's script is told of the instance itself: how to sign in, and what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from webob import Response

from ...settings import parse_publishable_key

if TYPE_CHECKING:
    from webob import Request

    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route
    from .scripts import Scripts

APPLICATION_NAME = "Local Clerk"

_OFF = {
    "enabled": False,
    "required": False,
    "used_for_first_factor": False,
    "first_factors": [],
    "used_for_second_factor": False,
    "second_factors": [],
    "verifications": [],
    "verify_at_sign_up": False,
}
_IDENTIFIER = {**_OFF, "enabled": True, "used_for_first_factor": True}
_PLAIN = {**_OFF, "enabled": True}


class EnvironmentApi:
    """``/v1/environment``, which is the same for everybody."""

    def __init__(self, instance: Instance, scripts: Scripts) -> None:
        self._instance = instance
        self._scripts = scripts

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        return [
            ("GET", "/v1/environment", self._get),
            ("PATCH", "/v1/environment", self._touch),
        ]

    def _get(self, request: Request) -> Response:
        return Response(json=self._environment(request))

    def _touch(self, request: Request) -> Response:
        return Response(json={"response": self._environment(request), "client": None})

    def _environment(self, request: Request) -> Document:
        return {
            "object": "environment",
            "auth_config": _auth_config(),
            "display_config": self._display_config(self._sign_in_url(request)),
            "user_settings": _user_settings(),
            "organization_settings": _organization_settings(),
            "commerce_settings": _commerce_settings(),
            "api_keys_settings": {"user_api_keys_enabled": False, "orgs_api_keys_enabled": False},
            "maintenance_mode": False,
        }

    def _sign_in_url(self, request: Request) -> str:
        """Return the hosted page, which leads back to where the page that asks is from.

        Clerk's script says in the fragment where to, which only another script could read.
        """
        page = f"{request.application_url}/sign-in"
        origin = self._scripts.origin(request)
        return page if origin is None else f"{page}?{urlencode({'redirect_url': f'{origin}/'})}"

    def _display_config(self, sign_in_url: str) -> Document:
        kind = parse_publishable_key(self._instance.publishable_key).instance_type
        return {
            "object": "display_config",
            "id": "display_config",
            "instance_environment_type": kind,
            "application_name": APPLICATION_NAME,
            "preferred_sign_in_strategy": "password",
            "sign_in_url": sign_in_url,
            "sign_up_url": sign_in_url,
            "home_url": "",
            "branded": False,
            "show_devmode_warning": False,
            "captcha_public_key": None,
            "captcha_widget_type": None,
            "captcha_provider": "turnstile",
            "captcha_public_key_invisible": None,
            "captcha_oauth_bypass": [],
            "captcha_heartbeat": False,
        }


def _auth_config() -> Document:
    return {
        "object": "auth_config",
        "single_session_mode": False,
        "claimed_at": None,
        "reverification": False,
    }


def _user_settings() -> Document:
    """Return what a user has, and that it signs in with a password."""
    return {
        "attributes": _attributes(),
        "social": {},
        "enterprise_sso": {"enabled": False},
        "sign_in": {"second_factor": {"required": False, "enabled": False}},
        "sign_up": {
            "mode": "restricted",
            "captcha_enabled": False,
            "captcha_widget_type": None,
            "custom_action_required": False,
            "progressive": True,
            "legal_consent_enabled": False,
        },
        "password_settings": {"min_length": 8, "max_length": 72, "disable_hibp": True},
        "passkey_settings": {"allow_autofill": False, "show_sign_in_button": False},
        "username_settings": {"min_length": 4, "max_length": 64},
        "actions": {"delete_self": False, "create_organization": False},
        "attack_protection": {"enumeration_protection": {"enabled": False}},
    }


def _attributes() -> Document:
    names = ("phone_number", "passkey", "web3_wallet", "authenticator_app", "backup_code")
    attributes: dict[str, Any] = {name: dict(_OFF) for name in names}
    return {
        **attributes,
        "email_address": dict(_IDENTIFIER),
        "username": dict(_IDENTIFIER),
        "first_name": dict(_PLAIN),
        "last_name": dict(_PLAIN),
        "password": {**_PLAIN, "required": True},
    }


def _organization_settings() -> Document:
    return {
        "object": "organization_settings",
        "enabled": True,
        "max_allowed_memberships": 5,
        "force_organization_selection": False,
        "actions": {"admin_delete": False},
        "domains": {"enabled": False, "enrollment_modes": [], "default_role": None},
        "slug": {"disabled": False},
    }


def _commerce_settings() -> Document:
    nobody = {"enabled": False, "has_paid_plans": False}
    return {
        "object": "commerce_settings",
        "billing": {"stripe_publishable_key": None, "organization": nobody, "user": nobody},
    }
