"""The Backend API's users: finding, creating, changing and deleting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webob import Response

from ..errors import NotFound, Refusal, resource_not_found
from ..objects import identifiers
from ..query import Page, Query
from ..routing import parse_parameters
from .user_parameters import read_new_user, read_update
from .user_search import USER_ORDERS, after_cursor, matching, ordered

if TYPE_CHECKING:
    from webob import Request

    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route
    from .user_parameters import UserChange

_UNIQUE = {
    "email_address": "email address",
    "phone_number": "phone number",
    "web3_wallet": "web3 wallet",
    "username": "username",
    "external_id": "external ID",
}


class UsersApi:
    """The endpoints below ``/v1/users``."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        one = "/v1/users/{user_id}"
        return [
            ("GET", "/v1/users", self._list),
            ("GET", "/v1/users/count", self._count),
            ("POST", "/v1/users", self._create),
            ("GET", one, self._get),
            ("PATCH", one, self._update),
            ("DELETE", one, self._delete),
        ]

    def _list(self, request: Request) -> Response:
        query = Query(request)
        found = after_cursor(ordered(self._matching(query), query, USER_ORDERS), query)
        return Response(json=Page(query).of(found))

    def _count(self, request: Request) -> Response:
        found = self._matching(Query(request))
        return Response(json={"object": "total_count", "total_count": len(found)})

    def _matching(self, query: Query) -> list[Document]:
        return matching(self._instance.users(), query, self._instance.memberships())

    def _get(self, request: Request, user_id: str) -> Response:
        return Response(json=user_of(self._instance, user_id))

    def _create(self, request: Request) -> Response:
        return Response(json=self.create(read_new_user(request, self._instance.milliseconds())))

    def create(self, wanted: UserChange, **fields: str) -> Document:
        """Return a new user, or raise a ``Refusal`` if another one has its identifiers.

        ``fields`` are those that no request to Clerk can choose.
        """
        with self._instance.transaction():
            user = self._instance.create_user(**wanted.fields, **fields)
            return self._completed(user, wanted)

    def _update(self, request: Request, user_id: str) -> Response:
        with self._instance.transaction():
            wanted = read_update(request, user_of(self._instance, user_id))
            user = self._instance.update_user(user_id, **wanted.fields)
            return Response(json=self._completed(user, wanted))

    def _completed(self, user: Document, wanted: UserChange) -> Document:
        """Do the rest of a change, and return the user; what raises here undoes all of it."""
        self._refuse_taken(user)
        if wanted.password is not None:
            user = self._instance.set_password(user["id"], wanted.password)
        if wanted.ends_sessions:
            self._instance.end_sessions(user["id"])
        return user

    def _refuse_taken(self, user: Document) -> None:
        others = [other for other in self._instance.users() if other["id"] != user["id"]]
        for kind, name in _UNIQUE.items():
            taken = {value.casefold() for other in others for value in identifiers(other, kind)}
            if taken & {value.casefold() for value in identifiers(user, kind)}:
                why = f"That {name} is taken. Please try another."
                raise Refusal(422, "form_identifier_exists", why, param=kind)

    def _delete(self, request: Request, user_id: str) -> Response:
        parse_parameters(request)
        user = user_of(self._instance, user_id)
        self._instance.delete_user(user_id)
        deleted = {"object": "user", "id": user_id, "deleted": True}
        if user["external_id"] is not None:
            deleted["external_id"] = user["external_id"]
        return Response(json=deleted)


def user_of(instance: Instance, user_id: str) -> Document:
    """Return a user, or raise the ``Refusal`` of one that there is not."""
    try:
        return instance.user(user_id)
    except NotFound:
        raise resource_not_found("not found", f"No user was found with id {user_id}") from None
