"""One instance of Clerk, wired: settings, keys, the API and the decision.

Nothing is shared between instances. The default instance, which ``with_session`` and
``require_session`` use, is made from the environment on first use.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from .api.calling import rest
from .config import load_settings
from .context import RequestContext, carries_nothing
from .keys import KeysUnavailable
from .wiring import Outside, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests
    from typing_extensions import Unpack

    from .api.organizations import OrganizationsApi
    from .api.resources import ClientsApi, SessionsApi, UsersApi
    from .gate import WrapperOptions
    from .middleware import Application, ClerkMiddleware
    from .people import People, Visitor
    from .portal import Portal
    from .settings import SettingArguments
    from .state import RequestState


class Clerk:
    """An instance of one's own: settings by keyword, the rest from the environment.

    ``http`` is the only way out to the network, ``clock`` (Unix seconds) the only clock of the
    decision, ``monotonic`` (seconds) the one for the ages of keys and the time of API calls,
    ``sleep`` what passes the time between two tries of one. ``dotenv=False`` reads no ``.env``
    files. Raises ``ConfigurationError`` naming the setting that is missing or wrong.

    ``api`` is Clerk's Backend API, for whatever the application itself wants to know or do;
    ``sessions``, ``clients`` and ``users`` are parts of it. ``portal`` knows the pages for signing
    in and out and the like.
    """

    def __init__(
        self,
        *,
        dotenv: bool = True,
        http: requests.Session | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = rest,
        **settings: Unpack[SettingArguments],
    ) -> None:
        try:
            self.settings = load_settings(dotenv=dotenv, **settings)
        finally:
            cast("dict[str, Any]", settings).clear()  # no traceback through this frame shows a key
        outside = Outside(http=http, clock=clock, monotonic=monotonic, sleep=sleep)
        instance = wire(self.settings, outside)
        self.api = instance.api
        self._decide = instance.authenticator.decide
        self._nobody = instance.authenticator.nobody
        self._read_cookies = instance.read_cookies
        self._keys = instance.keys
        self._monotonic = monotonic
        self._trust_forwarded = self.settings.trust_forwarded

    def __repr__(self) -> str:
        # Of one whose settings were refused, error trackers may ask.
        settings = getattr(self, "settings", None)
        return f"Clerk(api_url={settings.api_url!r})" if settings else "Clerk()"

    @cached_property
    def portal(self) -> Portal:
        """The pages of the instance for signing in and out, and the like."""
        from .portal import Portal

        return Portal.of(self.settings)

    @cached_property
    def people(self) -> People:
        """The users and organizations of the instance, as ``auth.user`` asks for them."""
        from .people import People

        return People.of(self.api, ttl=self.settings.people_ttl, monotonic=self._monotonic)

    def receive(self, *, user_id: str | None, organization_id: str | None) -> Visitor:
        """Return a visitor whose user and organization are fetched when they are asked for."""
        from .people import Visitor

        return Visitor(self.people, user_id=user_id, organization_id=organization_id)

    @property
    def sessions(self) -> SessionsApi:
        """The sessions of the instance, by Clerk's API."""
        return self.api.sessions

    @property
    def clients(self) -> ClientsApi:
        """The clients of the instance, by Clerk's API."""
        return self.api.clients

    @property
    def organizations(self) -> OrganizationsApi:
        """The organizations of the instance, by Clerk's API."""
        return self.api.organizations

    @property
    def users(self) -> UsersApi:
        """The users of the instance, by Clerk's API."""
        return self.api.users

    def authenticate(self, environ: Mapping[str, Any]) -> RequestState:
        """Return who is asking; never raises for what a client sent.

        ``environ`` is a WSGI environ; it is only read.
        """
        if self._nobody is not None and carries_nothing(environ):
            return self._nobody
        return self._decide(
            RequestContext(environ, self._read_cookies, trust_forwarded=self._trust_forwarded)
        )

    def warm_up(self) -> bool:
        """Fetch Clerk's keys before the first request needs them; say whether there are any.

        It takes at most ``timeout`` seconds, and nothing is raised: a worker that starts while
        Clerk is down fetches them later. With a ``jwt_key`` there is nothing to fetch.
        """
        try:
            self._keys.warm_up()
        except KeysUnavailable:  # which was logged
            return False
        return True

    def sign_in_url(self, return_to: str | None = None) -> str:
        """Return where people sign in: Clerk's page, unless a setting names another.

        ``return_to`` is the absolute URL where they come back to; one that a client sent goes
        through ``safe_return_url`` first. Raises ``ConfigurationError`` if there is no such page.
        """
        return self.portal.sign_in_url(return_to)

    def sign_up_url(self, return_to: str | None = None) -> str:
        """Return where people make an account, likewise."""
        return self.portal.sign_up_url(return_to)

    def account_url(self, return_to: str | None = None) -> str:
        """Return where people look after their account, likewise."""
        return self.portal.account_url(return_to)

    def sign_out_url(self, return_to: str | None = None) -> str:
        """Return where people sign out: only a setting names it, as Clerk has no page for it."""
        return self.portal.sign_out_url(return_to)

    def with_session(self, app: Application, **options: Unpack[WrapperOptions]) -> ClerkMiddleware:
        """Wrap ``app``: it is always called, ``environ["clerk.session"]`` may be ``None``."""
        from .middleware import with_session

        return with_session(app, clerk=self, **options)

    def require_session(
        self, app: Application, **options: Unpack[WrapperOptions]
    ) -> ClerkMiddleware:
        """Wrap ``app``: without a session the answer is 401 and it is not called."""
        from .middleware import require_session

        return require_session(app, clerk=self, **options)


class _Default:
    """The default instance; an object of its own so that no module state is rebound."""

    def __init__(self) -> None:
        self._made: dict[str, Clerk] = {}

    def get(self) -> Clerk:
        """Return the same instance to everybody, without a lock that a fork could catch."""
        made = self._made.get("clerk")
        return self._made.setdefault("clerk", Clerk()) if made is None else made

    def set(self, clerk: Clerk | None) -> Clerk | None:
        before = self._made.get("clerk")
        if clerk is None:
            self._made.clear()
        else:
            self._made["clerk"] = clerk
        return before


_default = _Default()


def default_clerk() -> Clerk:
    """Return the default instance, made from the environment on first use."""
    return _default.get()


def set_default(clerk: Clerk | None) -> Clerk | None:
    """Replace the default instance, and return the one before, ``None`` if there was none yet.

    ``None`` makes the next use read the environment anew.
    """
    return _default.set(clerk)
