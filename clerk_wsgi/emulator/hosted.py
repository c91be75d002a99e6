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
                client_id = self._start_session(visitor, self._user_of(form))
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
        with self._instance.transaction():
            for session in living_sessions(self._instance.client(client_id)):
                self._instance.update_session(session["id"], status="removed")
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
        user = self._find_user(form["identifier"])
        if user is None:
            text = "Couldn't find your account."
            raise Refusal(422, "form_identifier_not_found", text, param="identifier")
        if not self._instance.has_password(user["id"], form["password"]):
            text = "Password is incorrect. Please try again."
            raise Refusal(422, "form_password_incorrect", text, param="password")
        if user["locked"] or user["banned"]:
            raise Refusal(403, "user_locked", "This account is locked. Ask whoever runs it.")
        return user

    def _find_user(self, identifier: str) -> Document | None:
        """Return the user with this email address or username, whatever the case of its letters."""
        wanted = identifier.strip().casefold()
        for user in self._instance.users():
            known = [*identifiers(user, "email_address"), *identifiers(user, "username")]
            if wanted in map(str.casefold, known):
                return user
        return None

    def _start_session(self, visitor: Visitor | None, user: Document) -> str:
        """Start a session of the user in this browser, and return the client's id."""
        before = living_sessions(visitor.client) if visitor else []
        client_id = visitor.client["id"] if visitor else None
        with self._instance.transaction():
            for session in before:
                if session["user_id"] == user["id"]:
                    self._instance.update_session(session["id"], status="replaced")
            started = self._instance.create_session(user["id"], client_id=client_id)
            self._instance.update_user(user["id"], last_sign_in_at=started["created_at"])
        return str(started["client_id"])

    def _choose(self, visitor: Visitor | None, session_id: str) -> str:
        """Make another session of this browser the active one, and return the client's id."""
        living = living_sessions(visitor.client) if visitor else []
        if visitor is None or session_id not in [session["id"] for session in living]:
            raise Refusal(422, "session_not_found", "That session is over. Please sign in again.")
        client_id = str(visitor.client["id"])
        self._instance._update("client", client_id, {"last_active_session_id": session_id})
        return client_id

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
