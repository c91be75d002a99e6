"""The hosted pages for browsers: signing in with a password, and signing out.

They need no JavaScript. What they look like is the business of ``pages.py``, how browsers are
known that of ``browsers.py``; ``choosing.py`` has the pages for those who are signed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Refusal
from ..sign_in import SignIns
from .arrivals import Arrivals, text_of
from .choosing import ChoicePages
from .forms import check_form, parse_form
from .pages import FIELDS, sign_in_page, sign_out_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webob import Request, Response

    from ..browsers import Browsers
    from ..instance import Instance
    from ..redirects import Redirects
    from ..routing import Route
    from .arrivals import Arrival


class HostedPages:
    """``/sign-in`` and ``/sign-out``, both with a ``redirect_url`` or without."""

    def __init__(self, instance: Instance, browsers: Browsers, redirects: Redirects) -> None:
        self._instance = instance
        self._arrivals = Arrivals(instance, browsers, redirects)
        self._sign_ins = SignIns(instance)

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths, those for choosing among them."""
        return [
            ("GET", "/sign-in", self._show_sign_in),
            ("POST", "/sign-in", self._sign_in),
            ("GET", "/sign-out", self._show_sign_out),
            ("POST", "/sign-out", self._sign_out),
            *ChoicePages(self._instance, self._arrivals).routes(),
        ]

    def _show_sign_in(self, request: Request) -> Response:
        arrival = self._arrivals.meet(request)
        return self._sign_in_answer(arrival, {}, 200)

    def _sign_in(self, request: Request) -> Response:
        arrival = self._arrivals.meet(request)
        form = parse_form(request, "session_id", *FIELDS)
        identifier = form.get("identifier", "")
        try:
            check_form(request, form)
            missing = {} if "session_id" in form else _missing(form)
            if missing:
                return self._sign_in_answer(arrival, missing, 422, identifier)
            return self._arrivals.send_on(arrival, lambda now: self._client_of(now, form))
        except Refusal as refusal:
            return self._sign_in_answer(arrival, _problems(refusal), refusal.status, identifier)

    def _show_sign_out(self, request: Request) -> Response:
        arrival = self._arrivals.meet(request)
        page = sign_out_page(arrival.place({}), self._arrivals.accounts(arrival))
        return self._arrivals.answer(arrival, page)

    def _sign_out(self, request: Request) -> Response:
        """Sign out of one session if one is named, else of all of them."""
        arrival = self._arrivals.meet(request)
        form = parse_form(request, "session_id")
        check_form(request, form)
        return self._arrivals.send_on(arrival, lambda now: self._left_client(now, form))

    def _left_client(self, arrival: Arrival, form: Mapping[str, str]) -> str:
        """Return the client whose sessions, or one of them, are over now."""
        if "session_id" in form:
            self._arrivals.leave(arrival, form["session_id"])
        elif arrival.visitor:
            self._sign_ins.sign_out(arrival.client_id)
        # A browser that is not known is sent on all the same: its application may think it is.
        known = arrival.visitor.client if arrival.visitor else self._instance.create_client()
        return str(known["id"])

    def _client_of(self, arrival: Arrival, form: Mapping[str, str]) -> str:
        """Return the client that is signed in now: with a session it has, or with a new one."""
        if "session_id" in form:
            self._sign_ins.choose(arrival.client_id, form["session_id"])
            return arrival.client_id
        user = self._sign_ins.find_user(form["identifier"])
        self._sign_ins.check_password(user, form["password"])
        client_id = arrival.client_id if arrival.visitor else None
        return str(self._sign_ins.start_session(client_id, user)["client_id"])

    def _sign_in_answer(
        self, arrival: Arrival, problems: Mapping[str, str], status: int, identifier: str = ""
    ) -> Response:
        place = arrival.place(problems)
        page = sign_in_page(place, self._arrivals.accounts(arrival), identifier)
        return self._arrivals.answer(arrival, page, status)


_LABELS = {"identifier": "email address or username", "password": "password"}


def _missing(form: Mapping[str, str]) -> dict[str, str]:
    """Return what to say at the fields in which nothing was entered."""
    entered = {**form, "identifier": form.get("identifier", "").strip()}
    return {name: f"Enter your {_LABELS[name]}." for name in FIELDS if not entered.get(name)}


def _problems(refusal: Refusal) -> dict[str, str]:
    """Return the text of a refusal by the name of the field that it is about."""
    meta = refusal.entry.get("meta")
    name = meta.get("param_name", "") if isinstance(meta, dict) else ""
    return {name if name in FIELDS else "": text_of(refusal)}
