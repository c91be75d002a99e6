"""The Frontend API's sign-ins: in one step with a password or a ticket, or in two.

Clerk counts attempts and answers 429 if there are too many in ten seconds. Here nobody counts: a
suite of tests signs in more often than people do; ``faults`` can answer 429.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..browsers import living_sessions
from ..errors import NotFound, Refusal, invalid_parameter, resource_not_found
from ..sign_in import SignIns
from .attempts import COMPLETE, Attempts
from .scripts import parse_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webob import Request, Response

    from ..browsers import Visitor
    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route
    from .scripts import Scripts

PASSWORD, TICKET = "password", "ticket"


class SignInsApi:
    """The endpoints below ``/v1/client/sign_ins``."""

    def __init__(self, instance: Instance, scripts: Scripts) -> None:
        self._instance = instance
        self._scripts = scripts
        self._sign_ins = SignIns(instance)
        self._attempts = Attempts(instance)

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        one = "/v1/client/sign_ins/{sign_in_id}"
        return [
            ("POST", "/v1/client/sign_ins", self._create),
            ("GET", one, self._get),
            ("POST", f"{one}/prepare_first_factor", self._prepare),
            ("POST", f"{one}/attempt_first_factor", self._attempt),
        ]

    def _create(self, request: Request) -> Response:
        """Begin to sign in; with a password or a ticket that is all."""
        visitor = self._scripts.visitor(request)
        fields = parse_fields(request)
        strategy = fields.get("strategy") or (PASSWORD if fields.get("password") else "")
        if strategy == TICKET:
            return self._redeem(request, visitor, _required(fields, "ticket"))
        if strategy == PASSWORD:
            return self._sign_in(request, visitor, fields)
        if strategy:
            raise _strategy_invalid()
        return self._begin(request, visitor, fields)

    def _redeem(self, request: Request, visitor: Visitor | None, ticket: str) -> Response:
        session = self._sign_ins.redeem(_client_id(visitor), ticket)
        return self._completed(request, self._attempts.complete(session, TICKET))

    def _sign_in(
        self, request: Request, visitor: Visitor | None, fields: Mapping[str, str]
    ) -> Response:
        user = self._user(visitor, _required(fields, "identifier"))
        self._sign_ins.check_password(user, _required(fields, "password"))
        with self._instance.transaction():
            session = self._sign_ins.start_session(_client_id(visitor), user)
            completed = self._attempts.complete(session, PASSWORD)
        return self._completed(request, completed)

    def _begin(
        self, request: Request, visitor: Visitor | None, fields: Mapping[str, str]
    ) -> Response:
        """Remember who wants to sign in; a browser without a client gets one."""
        identifier = fields.get("identifier") or None
        user = None if identifier is None else self._user(visitor, identifier)
        client_id = _client_id(visitor) or self._instance.create_client()["id"]
        shown = self._scripts.forms.sign_in(self._attempts.begin(client_id, user, identifier))
        if visitor is None or visitor.client["id"] != client_id:
            return self._scripts.renewed(request, client_id, shown)
        return self._scripts.changed(request, visitor, shown)

    def _get(self, request: Request, sign_in_id: str) -> Response:
        return self._scripts.answer(self._scripts.forms.sign_in(self._find(request, sign_in_id)))

    def _prepare(self, request: Request, sign_in_id: str) -> Response:
        """Refuse: a password is not sent to anybody before it is entered."""
        self._find(request, sign_in_id)
        _required(parse_fields(request), "strategy")
        raise _strategy_invalid()

    def _attempt(self, request: Request, sign_in_id: str) -> Response:
        begun = self._find(request, sign_in_id)
        fields = parse_fields(request)
        if _required(fields, "strategy") != PASSWORD:
            raise _strategy_invalid()
        user = self._user_of(begun)
        self._sign_ins.check_password(user, _required(fields, "password"))
        with self._instance.transaction():
            session = self._sign_ins.start_session(begun["client_id"], user)
            completed = self._attempts.complete(session, PASSWORD, begun)
        return self._completed(request, completed)

    def _completed(self, request: Request, attempt: Document) -> Response:
        shown = self._scripts.forms.sign_in(attempt)
        return self._scripts.renewed(request, attempt["client_id"], shown)

    def _user(self, visitor: Visitor | None, identifier: str) -> Document:
        """Return the user whom an identifier names, who must not be signed in there yet."""
        user = self._sign_ins.find_user(identifier)
        for session in living_sessions(visitor.client) if visitor else []:
            if session["user_id"] == user["id"]:
                raise _already_signed_in(session["id"])
        return user

    def _user_of(self, begun: Document) -> Document:
        """Return the user of an attempt that waits for a password."""
        if begun["status"] == COMPLETE or begun["user_id"] is None:
            text = "We were unable to complete the sign in for this Client. Please start over."
            raise Refusal(400, "client_state_invalid", "Invalid action", text)
        try:
            return self._instance.user(begun["user_id"])
        except NotFound:
            text = "Either the user or the selected identification were deleted."
            raise Refusal(400, "sign_in_identification_or_user_deleted", text) from None

    def _find(self, request: Request, sign_in_id: str) -> Document:
        client_id = self._scripts.current_visitor(request).client["id"]
        try:
            return self._attempts.find(client_id, sign_in_id)
        except NotFound:
            text = f"No sign in was found with id {sign_in_id}"
            raise resource_not_found("not found", text) from None


def _client_id(visitor: Visitor | None) -> str | None:
    """Return the client to sign in on; with an outdated secret it is a new one."""
    return visitor.client["id"] if visitor and visitor.seen is None else None


def _required(fields: Mapping[str, str], name: str) -> str:
    if not fields.get(name):
        raise invalid_parameter("form_param_missing", name, f"{name} must be included.")
    return fields[name]


def _strategy_invalid() -> Refusal:
    return Refusal(
        400,
        "strategy_for_user_invalid",
        "Invalid verification strategy",
        "The verification strategy is not valid for this account",
    )


def _already_signed_in(session_id: str) -> Refusal:
    text = "You're already signed in"
    refusal = Refusal(400, "identifier_already_signed_in", text)
    refusal.entry["meta"] = {"session_id": session_id}
    return refusal
