"""The Backend API's organizations: finding, creating, changing and deleting them.

docs/protocol.md, "Organizations".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webob import Response

from ..errors import NotFound, Refusal, invalid_parameter, resource_not_found
from ..organizations import _SLUG, ADMIN
from ..query import Page, Query
from ..routing import parse_parameters
from .organization_parameters import (
    read_merged,
    read_new_organization,
    read_organization,
    read_replacement,
)
from .user_search import ordered, selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from webob import Request

    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route

_ORDERS: dict[str, Callable[[Document], Any]] = {
    "name": lambda organization: organization["name"],
    "created_at": lambda organization: organization["created_at"],
    "members_count": lambda organization: organization["members_count"],
}


class OrganizationsApi:
    """The endpoints below ``/v1/organizations``, but for those of members."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        one = "/v1/organizations/{organization}"
        return [
            ("GET", "/v1/organizations", self._list),
            ("POST", "/v1/organizations", self._create),
            ("GET", one, self._get),
            ("PATCH", one, self._update),
            ("DELETE", one, self._delete),
            ("PUT", f"{one}/metadata", self._replace_metadata),
            ("PATCH", f"{one}/metadata", self._merge_metadata),
        ]

    def _list(self, request: Request) -> Response:
        query = Query(request)
        show = _form(query)
        found = ordered(self._matching(query), query, _ORDERS)
        page = [show(one) for one in Page(query).of(found)]
        return Response(json={"data": page, "total_count": len(found)})

    def _matching(self, query: Query) -> list[Document]:
        members = _members_by_organization(self._instance.memberships())
        tests = (
            selection(query, "organization_id", lambda one: {one["id"]}),
            selection(query, "user_id", lambda one: members.get(one["id"], set())),
        )
        text = query.text("query") or ""
        organizations = self._instance.organizations()
        found = [one for one in organizations if all(test(one) for test in tests)]
        return [one for one in found if _is_meant(one, text)]

    def _get(self, request: Request, organization: str) -> Response:
        show = _form(Query(request))
        return Response(json=show(organization_of(self._instance, organization)))

    def _create(self, request: Request) -> Response:
        return Response(json=self.create(**read_new_organization(request)))

    def create(self, **fields: Any) -> Document:
        """Return a new organization with its creator in it, or raise a ``Refusal``."""
        with self._instance.transaction():
            self._check_slug(fields.get("slug"))
            created = self._instance.create_organization(**fields)
            if created["created_by"] is not None:
                self._add_creator(created)
        return _uncounted(created)

    def _add_creator(self, organization: Document) -> None:
        user_id = organization["created_by"]
        try:
            self._instance.add_member(organization["id"], user_id, ADMIN)
        except NotFound:
            text = f"No users found with id {user_id}."
            code = "organization_creator_not_found"
            raise Refusal(400, code, "creator not found", text) from None

    def _update(self, request: Request, organization: str) -> Response:
        fields = read_organization(request)
        with self._instance.transaction():
            before = organization_of(self._instance, organization)
            if fields.get("slug") != before["slug"]:
                self._check_slug(fields.get("slug"))
            return self._changed(before, fields)

    def _delete(self, request: Request, organization: str) -> Response:
        parse_parameters(request)
        with self._instance.transaction():
            found = organization_of(self._instance, organization)
            self._instance.delete_organization(found["id"])
        return Response(json={"object": "organization", "id": found["id"], "deleted": True})

    def _replace_metadata(self, request: Request, organization: str) -> Response:
        with self._instance.transaction():
            before = organization_of(self._instance, organization)
            return self._changed(before, read_replacement(request))

    def _merge_metadata(self, request: Request, organization: str) -> Response:
        with self._instance.transaction():
            before = organization_of(self._instance, organization)
            return self._changed(before, read_merged(request, before))

    def _changed(self, before: Document, fields: Document) -> Response:
        changed = self._instance.update_organization(before["id"], **fields)
        return Response(json=_uncounted(changed))

    def _check_slug(self, slug: str | None) -> None:
        if slug is None:
            return
        if not _SLUG.fullmatch(slug):
            why = "slug can only have lower case letters and digits, with single dashes between."
            raise invalid_parameter("form_param_format_invalid", "slug", why)
        if any(one["slug"] == slug for one in self._instance.organizations()):
            why = "That slug is taken. Please try another."
            raise Refusal(422, "form_identifier_exists", why, param="slug")


def organization_of(instance: Instance, id_or_slug: str) -> Document:
    """Return an organization, or raise the ``Refusal`` of one that there is not."""
    try:
        return instance.organization(id_or_slug)
    except NotFound:
        raise resource_not_found("not found", "Given organization not found.") from None


def _members_by_organization(memberships: Iterable[Document]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = {}
    for membership in memberships:
        members.setdefault(membership["organization_id"], set()).add(membership["user_id"])
    return members


def _is_meant(organization: Document, text: str) -> bool:
    """Say whether a text is the id, or a part of the name or the slug."""
    part = text.casefold()
    names = (organization["name"].casefold(), organization["slug"])
    return text == organization["id"] or any(part in name for name in names)


def _form(query: Query) -> Callable[[Document], Document]:
    """Return how organizations are shown: with the number of members if that was asked for."""
    return dict if query.flag("include_members_count") else _uncounted


def _uncounted(organization: Document) -> Document:
    return {name: value for name, value in organization.items() if name != "members_count"}
