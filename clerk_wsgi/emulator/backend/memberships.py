"""The Backend API's memberships: who is in an organization, and with which role.

docs/protocol.md, "Organizations".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webob import Response

from ..errors import NotFound, Refusal, resource_not_found
from ..query import Page, Query, newest_first
from ..routing import parse_parameters
from .organization_parameters import read_merged, read_new_membership, read_role
from .organizations import organization_of
from .user_search import USER_ORDERS, matching, ordered
from .users import user_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from webob import Request

    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route

_ORDERS_BY_USER = ("phone_number", "email_address", "first_name", "last_name", "username")


class MembershipsApi:
    """The endpoints of the members of organizations, and of the organizations of users."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        several = "/v1/organizations/{organization}/memberships"
        one = f"{several}/{{user_id}}"
        return [
            ("GET", several, self._list),
            ("POST", several, self._create),
            ("PATCH", one, self._update),
            ("DELETE", one, self._delete),
            ("PATCH", f"{one}/metadata", self._merge_metadata),
            ("GET", "/v1/users/{user_id}/organization_memberships", self._list_of_user),
        ]

    def _list(self, request: Request, organization: str) -> Response:
        query = Query(request)
        organization_id = organization_of(self._instance, organization)["id"]
        memberships = self._instance.memberships(organization_id=organization_id)
        users = {one["id"]: one for one in matching(self._instance.users(), query, memberships)}
        roles = query.texts("role")
        found = [
            one
            for one in memberships
            if one["user_id"] in users and (not roles or one["role"] in roles)
        ]
        return self._page(query, ordered(found, query, _orders(users)))

    def _list_of_user(self, request: Request, user_id: str) -> Response:
        user_of(self._instance, user_id)
        return self._page(Query(request), newest_first(self._instance.memberships(user_id=user_id)))

    def _page(self, query: Query, found: list[Document]) -> Response:
        page = [self._instance.shown_membership(one) for one in Page(query).of(found)]
        return Response(json={"data": page, "total_count": len(found)})

    def _create(self, request: Request, organization: str) -> Response:
        return self.create(organization, **read_new_membership(request))

    def create(self, organization: str, *, user_id: str, role: str, **fields: Any) -> Response:
        """Answer with the membership of a user who was none before, or raise a ``Refusal``."""
        with self._instance.transaction():
            found = organization_of(self._instance, organization)
            user_of(self._instance, user_id)
            self._check_role(role)
            self._check_room(found, user_id)
            created = self._instance.add_member(found["id"], user_id, role)
            return self._changed(created, **fields)

    def _update(self, request: Request, organization: str, user_id: str) -> Response:
        role = read_role(request)
        with self._instance.transaction():
            membership = self._membership(organization, user_id)
            self._check_role(role)
            return self._changed(membership, role=role)

    def _merge_metadata(self, request: Request, organization: str, user_id: str) -> Response:
        with self._instance.transaction():
            membership = self._membership(organization, user_id)
            return self._changed(membership, **read_merged(request, membership))

    def _delete(self, request: Request, organization: str, user_id: str) -> Response:
        parse_parameters(request)
        with self._instance.transaction():
            membership = self._membership(organization, user_id)
            shown = self._instance.shown_membership(membership)
            self._instance.remove_member(membership["organization_id"], user_id)
        return Response(json=shown)

    def _changed(self, membership: Document, **fields: Any) -> Response:
        organization_id, user_id = membership["organization_id"], membership["user_id"]
        changed = self._instance.update_membership(organization_id, user_id, **fields)
        return Response(json=self._instance.shown_membership(changed))

    def _membership(self, organization: str, user_id: str) -> Document:
        found = organization_of(self._instance, organization)
        try:
            return self._instance.membership(found["id"], user_id)
        except NotFound:
            text = f"User {user_id} is not a member of the organization."
            raise resource_not_found("not found", text) from None

    def _check_role(self, role: str) -> None:
        try:
            self._instance.role(role)
        except NotFound:
            text = "Organization role not found"
            raise Refusal(404, "resource_not_found", "not found", text, param="role") from None

    def _check_room(self, organization: Document, user_id: str) -> None:
        """Raise a ``Refusal`` if a user is a member already, or one too many; 0 is no limit."""
        if self._instance.memberships(organization_id=organization["id"], user_id=user_id):
            code = "already_a_member_in_organization"
            text = f"User {user_id} is already a member of the organization."
            raise Refusal(400, code, "already a member", text)
        limit = organization["max_allowed_memberships"]
        if limit and organization["members_count"] >= limit:
            code = "organization_membership_quota_exceeded"
            text = f"You have reached your limit of {limit} organization memberships."
            raise Refusal(403, code, "organization membership quota exceeded", text)


def check_member(instance: Instance, user_id: str, organization_id: str | None) -> None:
    """Raise a ``Refusal`` unless a user is there, and a member of the organization if there is one.

    Whether there is such an organization at all is not told, as at Clerk.
    """
    user_of(instance, user_id)
    try:
        if organization_id is not None:
            instance.membership(organization_id, user_id)
    except NotFound:
        code = "organization_not_found_or_unauthorized"
        text = "Given organization not found, or you don't have permission to access it."
        raise Refusal(404, code, "not found or unauthorized", text) from None


def _orders(users: dict[str, Document]) -> dict[str, Callable[[Document], Any]]:
    """Return by what memberships of these users can be ordered."""

    def by_user(name: str) -> Callable[[Document], Any]:
        return lambda membership: USER_ORDERS[name](users[membership["user_id"]])

    return {
        "created_at": lambda membership: membership["created_at"],
        **{name: by_user(name) for name in _ORDERS_BY_USER},
    }
