"""Choosing what to be signed in as: one of a browser's accounts, and an organization with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NotFound, Refusal
from ..query import Query
from ..routing import required_text
from ..sign_in import SignIns
from .accounts import name_of, workplaces_of
from .arrivals import text_of
from .card import nobody_card
from .choices import CHOOSE_ORGANIZATION, choose_page, organization_page
from .forms import check_form, parse_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webob import Request, Response

    from ..instance import Instance
    from ..objects import Document
    from ..routing import Route
    from .arrivals import Arrival, Arrivals
    from .card import Place
    from .layout import Page


class ChoicePages:
    """``/choose`` and ``/choose-organization``, the latter of any session of the browser."""

    def __init__(self, instance: Instance, arrivals: Arrivals) -> None:
        self._instance = instance
        self._arrivals = arrivals
        self._sign_ins = SignIns(instance)

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        return [
            ("GET", "/choose", self._show_accounts),
            ("POST", "/choose", self._choose_account),
            ("GET", "/choose-organization", self._show_organizations),
            ("POST", "/choose-organization", self._choose_organization),
        ]

    def _show_accounts(self, request: Request) -> Response:
        return self._accounts_answer(self._arrivals.meet(request))

    def _choose_account(self, request: Request) -> Response:
        arrival = self._arrivals.meet(request)
        form = parse_form(request, "session_id", "sign_out")
        try:
            check_form(request, form)
            if "sign_out" in form:
                return self._leave(arrival, form["sign_out"])
            return self._arrivals.send_on(arrival, lambda now: self._use(now, form))
        except Refusal as refusal:
            return self._accounts_answer(arrival, refusal)

    def _use(self, arrival: Arrival, form: Mapping[str, str]) -> str:
        """Use a session of a client from now on, and return the client."""
        self._sign_ins.choose(arrival.client_id, form.get("session_id", ""))
        return arrival.client_id

    def _leave(self, arrival: Arrival, session_id: str) -> Response:
        """Sign out of one session; whoever has none left has nothing to choose here."""
        self._arrivals.leave(arrival, session_id)
        if len(arrival.sessions) > 1:
            return self._arrivals.send_back(arrival)
        return self._arrivals.send_on(arrival, lambda now: now.client_id)

    def _show_organizations(self, request: Request) -> Response:
        return self._organizations_answer(self._arrivals.meet(request))

    def _choose_organization(self, request: Request) -> Response:
        arrival = self._arrivals.meet(request)
        form = parse_form(request, "organization_id")
        try:
            check_form(request, form)
            organization_id = required_text(form, "organization_id")
            return self._arrivals.send_on(arrival, lambda now: self._work_at(now, organization_id))
        except Refusal as refusal:
            return self._organizations_answer(arrival, refusal)

    def _work_at(self, arrival: Arrival, organization_id: str) -> str:
        """Use a session with an organization, ``""`` for the personal account, from now on."""
        session = _session_of(arrival)
        self._sign_ins.choose(arrival.client_id, session["id"])
        try:
            self._instance.activate_organization(session["id"], organization_id or None)
        except NotFound:
            text = "You are not a member of that organization. Please choose another one."
            raise Refusal(422, "not_a_member_in_organization", text) from None
        return arrival.client_id

    def _accounts_answer(self, arrival: Arrival, refusal: Refusal | None = None) -> Response:
        place = arrival.place({"": text_of(refusal)} if refusal else {})
        page = choose_page(place, self._arrivals.accounts(arrival))
        return self._arrivals.answer(arrival, page, refusal.status if refusal else 200)

    def _organizations_answer(self, arrival: Arrival, refusal: Refusal | None = None) -> Response:
        place = arrival.place({"": text_of(refusal)} if refusal else {})
        page = self._organization_page(arrival, place)
        return self._arrivals.answer(arrival, page, refusal.status if refusal else 200)

    def _organization_page(self, arrival: Arrival, place: Place) -> Page:
        if not arrival.sessions:
            return nobody_card(CHOOSE_ORGANIZATION, place)
        session = _session_of(arrival)
        name = name_of(self._instance.user(session["user_id"]))
        return organization_page(place, name, workplaces_of(self._instance, session))


def _session_of(arrival: Arrival) -> Document:
    """Return the session that the address names, else the current one."""
    return arrival.session(Query(arrival.request).text("session_id"))
