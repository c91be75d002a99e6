"""Who comes to a hosted page, and how they leave: what all of these pages do alike.

What a page is for is the business of ``signing_in.py`` and ``choosing.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...cookies import DEV_BROWSER
from ..browsers import current_session, living_sessions
from ..query import Query
from ..sign_in import session_over
from .accounts import account_of
from .card import Place
from .forms import form_token_of, with_form_token
from .layout import html_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from webob import Request, Response

    from ..browsers import Browsers, Visitor
    from ..errors import Refusal
    from ..instance import Instance
    from ..objects import Document
    from ..redirects import Redirects, Target
    from .choices import Account
    from .layout import Page

# Wherever the application is on this machine, a form may lead through it and back.
_LOOPBACK = ("http://127.0.0.1:*", "http://localhost:*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A browser at a hosted page: who it is, and where it came from and goes back to."""

    request: Request
    target: Target | None
    visitor: Visitor | None
    form_token: str = field(repr=False)

    @property
    def client_id(self) -> str:
        """The id of the browser's client; a ``Refusal`` if it has none."""
        if self.visitor is None:
            raise session_over()
        return str(self.visitor.client["id"])

    @property
    def sessions(self) -> list[Document]:
        """The sessions that are not over, oldest first."""
        return living_sessions(self.visitor.client) if self.visitor else []

    def session(self, session_id: str | None) -> Document:
        """Return a session that is not over: the current one, unless another is named."""
        session = current_session(self.visitor)
        if session_id is not None:
            session = next((one for one in self.sessions if one["id"] == session_id), None)
        if session is None:
            raise session_over()
        return session

    def place(self, problems: Mapping[str, str]) -> Place:
        """Return what a page has to know of this, with what was wrong by the name of a field."""
        return Place(
            token=self.form_token,
            application=self.target.origin if self.target else "",
            back=str(self.target) if self.target else "",
            carried=tuple(self._carried()),
            problems=problems,
        )

    def _carried(self) -> Iterator[tuple[str, str]]:
        if self.target:
            yield "redirect_url", str(self.target)
        # A browser that has no cookie of ours yet is known by its address alone.
        given = Query(self.request).texts(DEV_BROWSER)
        if self.visitor and self.visitor.token in given:
            yield DEV_BROWSER, self.visitor.token


class Arrivals:
    """Meets browsers at hosted pages, and answers them."""

    def __init__(self, instance: Instance, browsers: Browsers, redirects: Redirects) -> None:
        self._instance = instance
        self._browsers = browsers
        self._redirects = redirects

    def meet(self, request: Request) -> Arrival:
        """Return who is there, or raise a ``Refusal`` if nobody may be sent back from here."""
        return Arrival(
            request=request,
            target=self._target(request),
            visitor=self._browsers.at_page(request),
            form_token=form_token_of(request),
        )

    def accounts(self, arrival: Arrival) -> list[Account]:
        """Return what a browser is signed in as, oldest first."""
        current = current_session(arrival.visitor)
        return [account_of(self._instance, one, current) for one in arrival.sessions]

    def leave(self, arrival: Arrival, session_id: str) -> None:
        """End one session of a browser, or raise a ``Refusal`` if it is over."""
        session = arrival.session(session_id)
        self._instance.update_session(session["id"], status="removed")

    def answer(self, arrival: Arrival, page: Page, status: int = 200) -> Response:
        """Answer with a page that has a form."""
        answer = html_answer(page, status=status, form_targets=_form_targets(arrival.target))
        return with_form_token(answer, arrival.request, arrival.form_token)

    def send_on(self, arrival: Arrival, change: Callable[[Arrival], str]) -> Response:
        """Send a browser back to where it came from, with a new secret, after a change.

        ``change`` returns the client that it has then. All of it happens at once, for whoever is
        there then: somebody else who has the secret of before sees nothing of it.
        """
        with self._instance.transaction():
            now = self.meet(arrival.request)
            visitor = self._browsers.renew(change(now))
            return self._browsers.send_on(visitor, now.request, now.target).answer(303)

    def send_back(self, arrival: Arrival) -> Response:
        """Send a browser to the same page again, after a change of its client.

        It keeps its secret, which the application has, too: nobody has signed in.
        """
        client = self._instance.client(arrival.client_id)
        assert arrival.visitor is not None
        visitor = replace(arrival.visitor, client=client)
        journey = self._browsers.send_on(visitor, arrival.request, None)
        return replace(journey, location=arrival.request.url).answer(303)

    def _target(self, request: Request) -> Target | None:
        text = Query(request).text("redirect_url")
        if text is None:
            return None
        target = self._redirects.target(text)
        self._browsers.reach(request, target)
        return target


def text_of(refusal: Refusal) -> str:
    """Return what a refusal says to people."""
    return str(refusal.entry["long_message"])


def _form_targets(target: Target | None) -> tuple[str, ...]:
    if target is None:
        return ()
    # A policy has no words for IPv6 addresses: there it can say no more than the scheme.
    scheme, _, host = target.origin.partition("//")
    return (scheme if host.startswith("[") else target.origin, *_LOOPBACK)
