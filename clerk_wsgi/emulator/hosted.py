"""The hosted pages for browsers: signing in with a password, and signing out.

They need no JavaScript. What they look like is the business of ``pages.py``, how browsers are
known that of ``browsers.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .browsers import living_sessions
from .errors import Refusal
from .forms import check_form, form_token_of, parse_form, with_form_token
from .objects import identifiers
from .pages import Account, SignInForm, html_answer, sign_in_page, sign_out_page
from .query import Query
from .sign_in import SignIns, session_over

if TYPE_CHECKING:
    from webob import Request, Response

    from .browsers import Browsers, Visitor
    from .instance import Instance
    from .objects import Document
    from .redirects import Redirects, Target
    from .routing import Route

# Wherever the application is on this machine, a form may lead through it and back.
_LOOPBACK = ("http://127.0.0.1:*", "http://localhost:*")
_FIELDS = ("identifier", "password")


class HostedPages:
    """``/sign-in`` and ``/sign-out``, both with a ``redirect_url`` or without."""

    def __init__(self, instance: Instance, browsers: Browsers, redirects: Redirects) -> None:
        self._instance = instance
        self._browsers = browsers
        self._redirects = redirects
        self._sign_ins = SignIns(instance)

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        return [
            ("GET", "/sign-in", self._show_sign_in),
            ("POST", "/sign-in", self._sign_in),
            ("GET", "/sign-out", self._show_sign_out),
            ("POST", "/sign-out", self._sign_out),
        ]

    def _show_sign_in(self, request: Request) -> Response:
        return self._sign_in_answer(request, self._target(request))

    def _sign_in(self, request: Request) -> Response:
        target = self._target(request)
        form = parse_form(request, "session_id", *_FIELDS)
        try:
            check_form(request, form)
            visitor = self._browsers.at_page(request)
            if "session_id" in form:
                client_id = self._choose(visitor, form["session_id"])
            else:
                client = visitor.client["id"] if visitor else None
                client_id = self._sign_ins.start_session(client, self._user_of(form))["client_id"]
        except Refusal as refusal:
            return self._sign_in_answer(request, target, form.get("identifier", ""), refusal)
        return self._send_on(client_id, request, target)

    def _show_sign_out(self, request: Request) -> Response:
        target = self._target(request)
        visitor = self._browsers.at_page(request)
        token = form_token_of(request)
        page = sign_out_page(
            token=token,
            names=[account.name for account in self._accounts(visitor)],
            back=str(target) if target else None,
        )
        return with_form_token(html_answer(page, form_targets=_targets(target)), request, token)

    def _sign_out(self, request: Request) -> Response:
        target = self._target(request)
        check_form(request, parse_form(request))
        visitor = self._browsers.at_page(request)
        # A browser that is not known is sent on all the same: its application may think it is.
        client_id = visitor.client["id"] if visitor else self._instance.create_client()["id"]
        self._sign_ins.sign_out(client_id)
        return self._send_on(client_id, request, target)

    def _send_on(self, client_id: str, request: Request, target: Target | None) -> Response:
        visitor = self._browsers.renew(client_id)
        return self._browsers.send_on(visitor, request, target).answer(303)

    def _target(self, request: Request) -> Target | None:
        """Return where the browser came from and goes back to, if it said so."""
        text = Query(request).text("redirect_url")
        if text is None:
            return None
        target = self._redirects.target(text)
        self._browsers.reach(request, target)
        return target

    def _sign_in_answer(
        self,
        request: Request,
        target: Target | None,
        identifier: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        token = form_token_of(request)
        form = SignInForm(
            token=token,
            application=target.origin if target else "",
            accounts=self._accounts(self._browsers.at_page(request)),
            identifier=identifier,
            problems=_problems(refusal) if refusal else {},
        )
        status = refusal.status if refusal else 200
        answer = html_answer(sign_in_page(form), status=status, form_targets=_targets(target))
        return with_form_token(answer, request, token)

    def _user_of(self, form: dict[str, str]) -> Document:
        """Return the user whose identifier and password were entered, or raise a ``Refusal``."""
        for name in _FIELDS:
            if not form.get(name):
                raise Refusal(422, "form_param_missing", f"Enter your {_LABELS[name]}.", param=name)
        user = self._sign_ins.find_user(form["identifier"])
        self._sign_ins.check_password(user, form["password"])
        return user

    def _choose(self, visitor: Visitor | None, session_id: str) -> str:
        """Make another session of this browser the active one, and return the client's id."""
        if visitor is None:
            raise session_over()
        self._sign_ins.choose(visitor.client["id"], session_id)
        return str(visitor.client["id"])

    def _accounts(self, visitor: Visitor | None) -> list[Account]:
        living = living_sessions(visitor.client) if visitor else []
        return [self._account(session) for session in living]

    def _account(self, session: Document) -> Account:
        user = self._instance.user(session["user_id"])
        return Account(
            session_id=session["id"],
            name=_name(user),
            address=next(iter(identifiers(user, "email_address")), user["id"]),
        )


_LABELS = {"identifier": "email address or username", "password": "password"}


def _name(user: Document) -> str:
    parts = filter(None, (user["first_name"], user["last_name"]))
    return " ".join(parts) or str(user["username"] or user["id"])


def _problems(refusal: Refusal) -> dict[str, str]:
    """Return the text of a refusal by the name of the field that it is about."""
    meta = refusal.entry.get("meta")
    name = meta.get("param_name", "") if isinstance(meta, dict) else ""
    return {name if name in _FIELDS else "": str(refusal.entry["long_message"])}


def _targets(target: Target | None) -> tuple[str, ...]:
    return (target.origin, *_LOOPBACK) if target else ()
