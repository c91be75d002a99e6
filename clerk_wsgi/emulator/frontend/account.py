"""The Frontend API's account: the user whom a script asks for, and the user's organizations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NotFound
from ..query import Page, Query
from .client import organization_not_found

if TYPE_CHECKING:
    from webob import Request, Response

    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route
    from .scripts import Scripts


class AccountApi:
    """The endpoints below ``/v1/me``, and what members see of ``/v1/organizations``."""

    def __init__(self, instance: Instance, scripts: Scripts) -> None:
        self._instance = instance
        self._scripts = scripts

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        organization = "/v1/organizations/{organization_id}"
        return [
            ("GET", "/v1/me", self._get),
            ("GET", "/v1/me/organization_memberships", self._memberships),
            ("GET", "/v1/me/organization_invitations", self._nothing),
            ("GET", "/v1/me/organization_suggestions", self._nothing),
            ("GET", organization, self._get_organization),
            ("GET", f"{organization}/memberships", self._members),
            ("GET", f"{organization}/roles", self._roles),
        ]

    def _get(self, request: Request) -> Response:
        user = self._instance.user(self._user_id(request))
        return self._scripts.answer(self._scripts.forms.user(user))

    def _memberships(self, request: Request) -> Response:
        found = self._instance.memberships(user_id=self._user_id(request))
        return self._list(request, [self._scripts.forms.membership(one) for one in found])

    def _nothing(self, request: Request) -> Response:
        """Answer what nobody has here: invitations and suggestions."""
        self._user_id(request)
        return self._list(request, [])

    def _get_organization(self, request: Request, organization_id: str) -> Response:
        organization = self._organization(request, organization_id)
        return self._scripts.answer(self._scripts.forms.organization(organization))

    def _members(self, request: Request, organization_id: str) -> Response:
        known = self._organization(request, organization_id)
        found = self._instance.memberships(organization_id=known["id"])
        return self._list(request, [self._scripts.forms.membership(one) for one in found])

    def _roles(self, request: Request, organization_id: str) -> Response:
        self._organization(request, organization_id)
        return self._list(request, [_role(one) for one in self._instance.roles()])

    def _user_id(self, request: Request) -> str:
        return str(self._scripts.current_session(request)["user_id"])

    def _organization(self, request: Request, organization_id: str) -> Document:
        """Return an organization that the user is a member of, or raise a 404."""
        user_id = self._user_id(request)
        try:
            self._instance.membership(organization_id, user_id)
            return self._instance.organization(organization_id)
        except NotFound:
            raise organization_not_found() from None

    def _list(self, request: Request, found: list[Document]) -> Response:
        """Answer with a part of a list, and with how many there are if that is asked for."""
        query = Query(request)
        page = Page(query).of(found)
        if query.flag("paginated") is False:
            return self._scripts.answer(page)
        return self._scripts.answer({"data": page, "total_count": len(found)})


def _role(role: Document) -> Document:
    """Return a role with its permissions as objects."""
    permissions = [_permission(key, role) for key in role["permissions"]]
    return {**role, "description": "", "permissions": permissions}


def _permission(key: str, role: Document) -> Document:
    kind = "system" if key.startswith("org:sys_") else "user"
    return {
        "object": "permission",
        "id": key,
        "key": key,
        "name": key,
        "description": "",
        "type": kind,
        "created_at": role["created_at"],
        "updated_at": role["updated_at"],
    }
