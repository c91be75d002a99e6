"""The control API's people: users, organizations and their members, roles, plans and features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webob import Response

from ..backend.memberships import MembershipsApi
from ..backend.organization_parameters import _MEMBER, _NEW
from ..backend.organizations import OrganizationsApi
from ..backend.user_parameters import CREATION, new_user_of
from ..backend.users import UsersApi
from ..errors import NotFound, Refusal
from ..organizations import _ENTITLEMENT, _PERMISSION, _ROLE, MEMBER
from ..routing import checked_text
from .readers import (
    id_reader,
    read_as_it_is,
    read_call,
    read_texts,
    unknown_thing,
    wrong_value,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from webob import Request

    from ..instance import Instance
    from ..readers import Reader
    from ..routing import Route


def _read_role(name: str, value: object) -> str:
    return _matching(_ROLE, name, checked_text(name, value), "org:billing")


def _read_permissions(name: str, value: object) -> list[str]:
    texts = read_texts(name, value)
    return [_matching(_PERMISSION, name, text, "org:invoices:read") for text in texts]


def _read_plan(name: str, value: object) -> str:
    return _matching(_ENTITLEMENT, name, checked_text(name, value), "gold")


def _read_features(name: str, value: object) -> list[str]:
    texts = read_texts(name, value)
    return [_matching(_ENTITLEMENT, name, text, "priority_support") for text in texts]


def _matching(pattern: re.Pattern[str], name: str, text: str, example: str) -> str:
    if not pattern.fullmatch(text):
        raise wrong_value(name, f"must be written like {example}.")
    return text


# What Clerk demands of a new user, and a test can do without.
_WAIVED = {"skip_user_requirement": True, "skip_password_checks": True}
_USER: Mapping[str, Reader] = {
    **dict.fromkeys(CREATION, read_as_it_is),  # new_user_of reads them
    "id": id_reader("user_"),
}
_ORGANIZATION: Mapping[str, Reader] = {**_NEW, "id": id_reader("org_")}
_NEW_ROLE: Mapping[str, Reader] = {
    "key": _read_role,
    "name": checked_text,
    "permissions": _read_permissions,
}
_ENTITLEMENTS: Mapping[str, Reader] = {
    "owner_id": checked_text,
    "plan": _read_plan,
    "features": _read_features,
}


class DirectoryControl:
    """The endpoints that fill an instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._users = UsersApi(instance)
        self._organizations = OrganizationsApi(instance)
        self._memberships = MembershipsApi(instance)

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        return [
            ("GET", "/_emulator/users", self._list_users),
            ("POST", "/_emulator/users", self._create_user),
            ("POST", "/_emulator/organizations", self._create_organization),
            ("POST", "/_emulator/organizations/{organization}/members", self._add_member),
            ("POST", "/_emulator/roles", self._create_role),
            ("POST", "/_emulator/entitlements", self._entitle),
        ]

    def _list_users(self, request: Request) -> Response:
        read_call(request)
        return Response(json=self._instance.users())

    def _create_user(self, request: Request) -> Response:
        given = read_call(request, _USER)
        named = {"id": given.pop("id")} if "id" in given else {}
        wanted = new_user_of({**_WAIVED, **given}, self._instance.milliseconds())
        with self._instance.transaction():
            self._refuse_known("user", named)
            return Response(json=self._users.create(wanted, **named))

    def _create_organization(self, request: Request) -> Response:
        given = read_call(request, _ORGANIZATION, "name")
        with self._instance.transaction():
            self._refuse_known("organization", given)
            return Response(json=self._organizations.create(**given))

    def _refuse_known(self, kind: str, given: Mapping[str, str]) -> None:
        if "id" in given and self._instance._store.get(kind, given["id"]):
            text = f"There is one with that id: every {kind} has its own."
            raise Refusal(422, "form_identifier_exists", text, param="id")

    def _add_member(self, request: Request, organization: str) -> Response:
        given = read_call(request, _MEMBER, "user_id")
        return self._memberships.create(organization, **{"role": MEMBER, **given})

    def _create_role(self, request: Request) -> Response:
        return Response(json=self._instance.create_role(**read_call(request, _NEW_ROLE, "key")))

    def _entitle(self, request: Request) -> Response:
        given = read_call(request, _ENTITLEMENTS, "owner_id")
        try:
            self._instance.set_entitlements(**given)
        except NotFound:
            raise unknown_thing("owner_id", "user or organization") from None
        plan, features = self._instance.entitlements(given["owner_id"])
        shown = {"object": "entitlements", "owner_id": given["owner_id"]}
        return Response(json={**shown, "plan": plan, "features": features})
