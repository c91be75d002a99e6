"""One instance of Clerk, wired: settings, keys, the API and the decision.

Nothing is shared between instances. The default instance, which ``with_session`` and
``require_session`` use, is made from the environment on first use.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from .api.backend import BackendApi
from .api.transport import Transport
from .authenticate import Authenticator, CookiePath
from .config import load_settings
from .context import RequestContext
from .cookies import CookieSelection
from .errors import ClerkError, ClerkUnavailable, ConfigurationError, Unauthenticated
from .frontend import FrontendApi
from .handshake import Handshakes
from .judge import EXPIRED, TokenJudge
from .keys import NoKeys, PemKey, RemoteKeys
from .machine import MachineVerifier
from .organizations import OrganizationSync
from .patterns import BadPattern
from .rationed import Ration, RationedApi
from .resolve import HandshakeResolver
from .settings import Settings
from .state import SignedIn, SignedOut
from .sync import Satellite
from .tokens import Audience, SessionTokenVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests
    from _typeshed.wsgi import WSGIApplication
    from typing_extensions import Unpack

    from .keys import Keys
    from .middleware import ClerkMiddleware, WrapperOptions
    from .settings import SettingArguments
    from .state import RequestState

# Reasons that speak of Clerk, not of the request: they become 503, never 401.
UNAVAILABLE = frozenset(
    {
        "jwk-remote-failed-to-load",
        "secret-key-invalid",
        f"{EXPIRED}fetch-error",
        "unexpected-error",  # of a machine token
    }
)


class Clerk:
    """An instance of one's own: settings by keyword, the rest from the environment.

    ``http`` is the only way out to the network, ``clock`` (Unix seconds) the only clock of the
    decision, ``monotonic`` (seconds) the one for the ages of keys. ``dotenv=False`` reads no
    ``.env`` files. Raises ``ConfigurationError`` naming the setting that is missing or wrong.
    """

    def __init__(
        self,
        *,
        dotenv: bool = True,
        http: requests.Session | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        **settings: Unpack[SettingArguments],
    ) -> None:
        try:
            self.settings = load_settings(dotenv=dotenv, **settings)
        finally:
            cast("dict[str, Any]", settings).clear()  # no traceback through this frame shows a key
        self._authenticator = _authenticator_of(self.settings, http, clock, monotonic)
        self._cookie_names = self._authenticator.cookie_names

    def __repr__(self) -> str:
        return f"Clerk(api_url={self.settings.api_url!r})"

    def authenticate(self, environ: Mapping[str, Any]) -> RequestState:
        """Return who is asking; never raises for what a client sent.

        ``environ`` is a WSGI environ; it is only read.
        """
        return self._authenticator.decide(
            RequestContext(
                environ, self._cookie_names, trust_forwarded=self.settings.trust_forwarded
            )
        )

    def with_session(
        self, app: WSGIApplication, **options: Unpack[WrapperOptions]
    ) -> ClerkMiddleware:
        """Wrap ``app``: it is always called, ``environ["clerk.session"]`` may be ``None``."""
        from .middleware import with_session

        return with_session(app, clerk=self, **options)

    def require_session(
        self, app: WSGIApplication, **options: Unpack[WrapperOptions]
    ) -> ClerkMiddleware:
        """Wrap ``app``: without a session the answer is 401 and it is not called."""
        from .middleware import require_session

        return require_session(app, clerk=self, **options)


def error_of(state: RequestState) -> ClerkError | None:
    """Return the error that a state stands for, ``None`` for somebody signed in."""
    if isinstance(state, SignedIn):
        if state.auth:
            return None
        return Unauthenticated("The session is pending.", reason="session-pending")
    if isinstance(state, SignedOut) and state.reason in UNAVAILABLE:
        return ClerkUnavailable(state.message, reason=state.reason)
    return Unauthenticated(state.message, reason=state.reason)


def _authenticator_of(
    settings: Settings,
    http: requests.Session | None,
    clock: Callable[[], float],
    monotonic: Callable[[], float],
) -> Authenticator:
    """Wire the decision of one instance."""
    api = BackendApi(
        _transport_of(settings, http),
        secret_key=settings.secret_key,
        machine_secret_key=settings.machine_secret_key,
    )
    questions = RationedApi(api, Ration(monotonic))
    has_secret = settings.secret_key is not None
    has_any_secret = has_secret or settings.machine_secret_key is not None
    keys = _keys_of(settings, api, monotonic)
    audience = _audience_of(settings)
    frontend = FrontendApi.of(settings)
    verifier = SessionTokenVerifier(keys, audience, clock_skew=settings.clock_skew)
    organizations = _organizations_of(settings) if frontend else None
    handshakes = Handshakes(frontend, organizations)
    judge = TokenJudge(verifier, handshakes, questions if has_secret else None)
    resolver = HandshakeResolver(
        keys,
        verifier,
        questions if has_secret else None,
        development=frontend is not None and frontend.development,
    )
    path = CookiePath(
        frontend=frontend,
        selection=_selection_of(settings, frontend),
        satellite=_satellite_of(settings, frontend),
        organizations=organizations,
        handshakes=handshakes,
        resolver=resolver,
        judge=judge,
        verifier=verifier,
    )
    machines = MachineVerifier(
        keys, questions if has_any_secret else None, audience, clock_skew=settings.clock_skew
    )
    return Authenticator(settings.accepts_token, path, judge, machines, clock=clock)


def _keys_of(settings: Settings, api: BackendApi, monotonic: Callable[[], float]) -> Keys:
    if settings.jwt_key is not None:
        return _pem_of(settings)
    if settings.secret_key is None:
        return NoKeys()
    return RemoteKeys(
        api.fetch_jwks,
        monotonic=monotonic,
        ttl=settings.keys_ttl,
        stale=settings.stale_keys,
        wait=settings.timeout,
    )


def _pem_of(settings: Settings) -> PemKey:
    try:
        return PemKey(settings.jwt_key or "")
    except ValueError as error:
        source = settings.sources.get("jwt_key", "argument")
        raise ConfigurationError(f"jwt_key (from {source}): {error}") from None


def _transport_of(settings: Settings, http: requests.Session | None) -> Transport:
    return Transport(
        http,
        base_url=settings.api_url,
        api_version=settings.api_version,
        timeout=settings.timeout,
    )


def _audience_of(settings: Settings) -> Audience:
    return Audience(
        authorized_parties=settings.authorized_parties,
        audience=tuple(filter(None, settings.audience)),
        issuer=tuple(filter(None, settings.issuer)),
    )


def _organizations_of(settings: Settings) -> OrganizationSync | None:
    if not settings.organization_patterns and not settings.personal_account_patterns:
        return None
    try:
        return OrganizationSync(settings.organization_patterns, settings.personal_account_patterns)
    except BadPattern as error:
        raise ConfigurationError(f"organization_patterns: {error}") from None


def _selection_of(settings: Settings, frontend: FrontendApi | None) -> CookieSelection | None:
    key = settings.publishable_key
    return CookieSelection(key, frontend.host) if key and frontend else None


def _satellite_of(settings: Settings, frontend: FrontendApi | None) -> Satellite | None:
    if not settings.is_satellite or frontend is None:
        return None
    return Satellite(
        auto_sync=settings.satellite_auto_sync,
        development=frontend.development,
        sign_in_url=settings.sign_in_url,
    )


class _Default:
    """The default instance; an object of its own so that no module state is rebound."""

    def __init__(self) -> None:
        self._clerk: Clerk | None = None

    def get(self) -> Clerk:
        if self._clerk is None:
            self._clerk = Clerk()
        return self._clerk

    def set(self, clerk: Clerk | None) -> None:
        self._clerk = clerk


_default = _Default()


def default_clerk() -> Clerk:
    """Return the default instance, made from the environment on first use."""
    return _default.get()


def set_default(clerk: Clerk | None) -> None:
    """Replace the default instance; ``None`` makes the next use read the environment anew."""
    _default.set(clerk)
