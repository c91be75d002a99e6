"""The hosted pages for browsers: signing in with a password, and signing out.

They need no JavaScript. What they look like is the business of ``pages.py``, how browsers are
known that of ``browsers.py``.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING

from ..address import origin_of, parse_origin
from ..cookies import split_cookies
from .browsers import living_sessions
from .cookies import Reach, cookie_line
from .errors import Refusal
from .handshake import redirect
from .objects import identifiers
from .pages import Account, SignInForm, html_answer, sign_in_page, sign_out_page
from .query import Query
from .routing import checked_text, parse_parameters

if TYPE_CHECKING:
    from webob import Request, Response

    from .browsers import Browsers, Visitor
    from .instance import Instance
    from .objects import Document
    from .redirects import Redirects, Target
    from .routing import Route

FORM_COOKIE = "__clerk_form"
_FORM_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
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
        form = _form(request, "session_id", *_FIELDS)
        try:
            _check_form(request, form)
            visitor = self._browsers.at_page(request)
            if "session_id" in form:
                client_id = self._choose(visitor, form["session_id"])
            else:
                client_id = self._start_session(visitor, self._user_of(form))
        except Refusal as refusal:
            return self._sign_in_answer(request, target, form.get("identifier", ""), refusal)
        journey = self._browsers.send_on(self._browsers.renew(client_id), request, target)
        return redirect(303, journey)

    def _show_sign_out(self, request: Request) -> Response:
        target = self._target(request)
        visitor = self._browsers.at_page(request)
        token = _form_token(request)
        page = sign_out_page(
            token=token,
            names=[account.name for account in self._accounts(visitor)],
            back=str(target) if target else None,
        )
        return _with_form_token(html_answer(page, form_targets=_targets(target)), request, token)

    def _sign_out(self, request: Request) -> Response:
        target = self._target(request)
        _check_form(request, _form(request))
        visitor = self._browsers.at_page(request)
        # A browser that is not known is sent on all the same: its application may think it is.
        client_id = visitor.client["id"] if visitor else self._instance.create_client()["id"]
        for session in living_sessions(self._instance.client(client_id)):
            self._instance.update_session(session["id"], status="removed")
        journey = self._browsers.send_on(self._browsers.renew(client_id), request, target)
        return redirect(303, journey)

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
        token = _form_token(request)
        form = SignInForm(
            token=token,
            application=target.origin if target else "",
            accounts=self._accounts(self._browsers.at_page(request)),
            identifier=identifier,
            problems=_problems(refusal) if refusal else {},
        )
        status = refusal.status if refusal else 200
        answer = html_answer(sign_in_page(form), status=status, form_targets=_targets(target))
        return _with_form_token(answer, request, token)

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
    parts = filter(None, (user.get("first_name"), user.get("last_name")))
    return " ".join(parts) or str(user.get("username") or user["id"])


def _problems(refusal: Refusal) -> dict[str, str]:
    """Return the text of a refusal by the name of the field that it is about."""
    meta = refusal.entry.get("meta")
    name = meta.get("param_name", "") if isinstance(meta, dict) else ""
    return {name if name in _FIELDS else "": str(refusal.entry["long_message"])}


def _targets(target: Target | None) -> tuple[str, ...]:
    return (target.origin, *_LOOPBACK) if target else ()


# Forms: what another site makes a browser send is not what its user wanted


def _form_token(request: Request) -> str:
    """Return the token that ties forms to this browser: the one it has, or a new one."""
    return _form_cookie(request) or secrets.token_urlsafe(32)


def _form_cookie(request: Request) -> str | None:
    found = split_cookies(request.environ.get("HTTP_COOKIE", ""), (FORM_COOKIE,), str)
    value = found.get(FORM_COOKIE, "")
    return value if _FORM_TOKEN.fullmatch(value) else None


def _with_form_token(answer: Response, request: Request, token: str) -> Response:
    reach = Reach(secure=request.scheme == "https")
    line = cookie_line(FORM_COOKIE, token, reach, "HttpOnly", "SameSite=Lax")
    answer.headers.add("Set-Cookie", line)
    return answer


def _form(request: Request, *known: str) -> dict[str, str]:
    parameters = parse_parameters(request, "form_token", *known)
    return {name: checked_text(name, value) for name, value in parameters.items()}


def _check_form(request: Request, form: dict[str, str]) -> None:
    """Raise a ``Refusal`` unless the form comes from a page of ours in the same browser."""
    expected, token = _form_cookie(request), form.get("form_token", "")
    if expected is None or not hmac.compare_digest(expected.encode(), token.encode()):
        raise _foreign_form("The form was open for too long, or cookies are off. Please try again.")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site not in ("same-origin", "none") or not _is_own_origin(request):
        raise _foreign_form("The form was sent from another site. Please try again from here.")


def _is_own_origin(request: Request) -> bool:
    """Say whether the form's page, if it is named, has our host; TLS may end before us."""
    text = request.headers.get("Origin")
    origin = parse_origin(text or "")
    scheme = (origin or "").partition(":")[0]
    return text is None or origin == origin_of(scheme, request.host)


def _foreign_form(text: str) -> Refusal:
    return Refusal(403, "form_token_invalid", text)
