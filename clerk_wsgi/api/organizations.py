"""``organizations``: what applications ask Clerk's API about organizations and their members.

Errors are those of ``resources.py``. An organization is named by its id; where Clerk takes the
slug as well, it says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from .models import parse_membership, parse_organization
from .resource import Resource, given, known, safe_id
from .resources import PersonFilters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Unpack

    from .models import Organization, OrganizationMembership


class OrganizationFilters(TypedDict, total=False):
    """What organizations can be selected by.

    ``query`` is the id, or part of the name or the slug; ``user_id`` selects the organizations
    that have one of these members. An id after ``-`` leaves out what it would select.
    """

    query: str | None
    organization_id: str | Sequence[str] | None
    user_id: str | Sequence[str] | None


class MembershipFilters(PersonFilters, total=False):
    """What memberships can be selected by: their members, and the role."""

    role: str | Sequence[str] | None


class OrganizationsApi(Resource):
    """The organizations of an instance."""

    def list(
        self,
        *,
        include_members_count: bool | None = None,
        order_by: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        **filters: Unpack[OrganizationFilters],
    ) -> Iterator[Organization]:
        """Return an iterator over the organizations that match; pages are fetched as it goes on.

        ``limit`` is for the whole list, ``order_by`` is ``name``, ``created_at`` or
        ``members_count`` after ``+`` or ``-``. Newest first unless it is given.
        """
        query = {
            **known(filters, OrganizationFilters),
            "include_members_count": include_members_count,
            "order_by": order_by,
        }
        return self._paged("/organizations", parse_organization, query, limit, offset)

    def get(self, id_or_slug: str, *, include_members_count: bool | None = None) -> Organization:
        """Return an organization; without ``include_members_count`` it does not say how many."""
        query = {"include_members_count": include_members_count}
        answer = self._api().request("GET", _path("id_or_slug", id_or_slug), query=query)
        return parse_organization(answer)

    def create(self, name: str, **members: Any) -> Organization:
        """Create an organization; ``members`` are those of Clerk's API.

        ``created_by="user_…"`` becomes its admin; without it there is nobody in it.
        """
        body = given(name=name, **members)
        return parse_organization(self._api().request("POST", "/organizations", json=body))

    def update(self, organization_id: str, /, **members: Any) -> Organization:
        """Change an organization, and return it; a member that is ``None`` stays as it is."""
        path = _path("organization_id", organization_id)
        return parse_organization(self._api().request("PATCH", path, json=given(**members)))

    def delete(self, organization_id: str) -> None:
        """Delete an organization."""
        self._api().request("DELETE", _path("organization_id", organization_id))

    def memberships(
        self,
        organization_id: str,
        *,
        order_by: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        **filters: Unpack[MembershipFilters],
    ) -> Iterator[OrganizationMembership]:
        """Return an iterator over the memberships that match; pages are fetched as it goes on.

        ``limit`` is for the whole list, ``order_by`` a field of the member's (``created_at`` is
        the membership's) after ``+`` or ``-``.
        """
        path = f"{_path('organization_id', organization_id)}/memberships"
        query = {**known(filters, MembershipFilters), "order_by": order_by}
        return self._paged(path, parse_membership, query, limit, offset)


def _path(name: str, value: object) -> str:
    return f"/organizations/{safe_id(name, value)}"
