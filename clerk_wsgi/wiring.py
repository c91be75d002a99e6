"""The parts of one instance, put together from its settings.

Everything that an option decides once is decided here, so that no request asks again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .api.backend import BackendApi
from .api.calling import Caller
from .api.checking import SessionCheck
from .api.client import ApiClient
from .api.live import LiveQuestions
from .api.transport import Transport
from .authenticate import Authenticator, CookiePath
from .chooser import CookieChooser
from .context import CookieReader
from .cookies import CookieSelection
from .errors import ConfigurationError
from .frontend import FrontendApi
from .handshake import Handshakes
from .judge import TokenJudge
from .keys import NoKeys, PemKey, RemoteKeys
from .live import LiveVerifier
from .machine import MachineVerifier
from .rationed import Ration, RationedApi
from .refusals import refusal_for
from .resolve import HandshakeResolver
from .tokens import Audience, SessionTokenVerifier, TokenRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from .cookies import RequestCookies
    from .keys import Keys, KeySource
    from .organization_sync import OrganizationSync
    from .settings import Settings
    from .sync import Satellite


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What an instance takes from the world; all of it can be replaced.

    ``clock`` gives Unix seconds, ``monotonic`` seconds, ``sleep`` passes seconds.
    """

    http: requests.Session | None
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The ends of an instance: its decision, its keys, and its client of Clerk's API.

    ``read_cookies`` reads a ``Cookie`` header for the decision.
    """

    authenticator: Authenticator
    read_cookies: Callable[[str], RequestCookies]
    keys: KeySource
    api: ApiClient


def wire(settings: Settings, outside: Outside) -> Instance:
    """Put an instance together; raises ``ConfigurationError`` for a key or pattern that is bad."""
    transport = Transport(
        outside.http,
        base_url=settings.api_url,
        api_version=settings.api_version,
        timeout=settings.timeout,
    )
    backend = BackendApi(
        transport,
        secret_key=settings.secret_key,
        machine_secret_key=settings.machine_secret_key,
    )
    keys = _keys_of(settings, backend, outside)
    verifier = SessionTokenVerifier(keys, _audience_of(settings), clock_skew=settings.clock_skew)
    api = _client_of(settings, transport, verifier, outside)
    ration = Ration(outside.monotonic)
    questions = RationedApi(backend, ration)
    live = _live_of(settings, api, ration, outside.monotonic)
    judge, path = _cookie_path_of(settings, keys, verifier, questions, live)
    chooser = CookieChooser(_selection_of(settings), verifier)
    authenticator = Authenticator(
        settings.accepts_token,
        chooser,
        path,
        judge,
        _machines_of(settings, keys, questions),
        live=live,
        clock=outside.clock,
    )
    return Instance(
        authenticator=authenticator,
        read_cookies=CookieReader(chooser.names).read,
        keys=keys,
        api=api,
    )


def _client_of(
    settings: Settings, transport: Transport, verifier: SessionTokenVerifier, outside: Outside
) -> ApiClient:
    caller = Caller(
        transport=transport,
        secret_key=settings.secret_key,
        timeout=settings.timeout,
        monotonic=outside.monotonic,
        sleep=outside.sleep,
    )
    return ApiClient(caller, SessionCheck(partial(_valid_claims, verifier, outside.clock)))


def _valid_claims(
    verifier: SessionTokenVerifier, clock: Callable[[], float], text: str
) -> Mapping[str, Any]:
    """Return what a session token says that is valid now; raises as ``error_of`` tells."""
    try:
        token = verifier.load(text)
        verifier.check_times(token, clock())
    except TokenRefused as refusal:
        raise refusal_for(refusal.reason, refusal.message) from refusal
    return token.claims


def _live_of(
    settings: Settings, api: ApiClient, strangers: Ration, monotonic: Callable[[], float]
) -> LiveVerifier | None:
    if settings.verification != "live":
        return None
    return LiveVerifier(
        lambda: LiveQuestions(api.for_request()), verified=Ration(monotonic), strangers=strangers
    )


def _cookie_path_of(
    settings: Settings,
    keys: Keys,
    verifier: SessionTokenVerifier,
    questions: RationedApi,
    live: LiveVerifier | None,
) -> tuple[TokenJudge, CookiePath]:
    api = questions if settings.secret_key is not None else None
    frontend = FrontendApi.of(settings)
    organizations = _organizations_of(settings)
    handshakes = Handshakes(frontend, organizations)
    judge = TokenJudge(verifier, handshakes, api)
    development = frontend is not None and frontend.development
    path = CookiePath(
        frontend=frontend,
        satellite=_satellite_of(settings, frontend),
        organizations=organizations if frontend else None,
        handshakes=handshakes,
        resolver=HandshakeResolver(keys, verifier, api, development=development),
        judge=judge,
        live=live,
    )
    return judge, path


def _machines_of(settings: Settings, keys: Keys, questions: RationedApi) -> MachineVerifier:
    has_secret = settings.secret_key is not None or settings.machine_secret_key is not None
    return MachineVerifier(
        keys,
        questions if has_secret else None,
        _audience_of(settings),
        clock_skew=settings.clock_skew,
    )


def _keys_of(settings: Settings, api: BackendApi, outside: Outside) -> KeySource:
    if settings.jwt_key is not None:
        return _pem_of(settings)
    if settings.secret_key is None:
        return NoKeys()
    return RemoteKeys(
        api.fetch_jwks,
        monotonic=outside.monotonic,
        ttl=settings.keys_ttl,
        stale=settings.stale_keys,
        wait=settings.timeout,
    )


def _pem_of(settings: Settings) -> PemKey:
    try:
        return PemKey(settings.jwt_key or "")
    except ValueError as error:
        problem = str(error)
    # Raised out here so that no frame of a chained traceback holds the text.
    source = settings.sources.get("jwt_key", "argument")
    raise ConfigurationError(f"jwt_key (from {source}): {problem}")


def _audience_of(settings: Settings) -> Audience:
    return Audience(
        authorized_parties=settings.authorized_parties,
        audience=tuple(filter(None, settings.audience)),
        issuer=tuple(filter(None, settings.issuer)),
    )


def _organizations_of(settings: Settings) -> OrganizationSync | None:
    if not settings.organization_patterns and not settings.personal_account_patterns:
        return None
    from .organization_sync import OrganizationSync
    from .patterns import BadPattern

    try:
        return OrganizationSync(settings.organization_patterns, settings.personal_account_patterns)
    except BadPattern as error:
        raise ConfigurationError(
            f"organization_patterns or personal_account_patterns: {error}"
        ) from None


def _selection_of(settings: Settings) -> CookieSelection | None:
    key, frontend = settings.publishable_key, FrontendApi.of(settings)
    return CookieSelection(key, frontend.host) if key and frontend else None


def _satellite_of(settings: Settings, frontend: FrontendApi | None) -> Satellite | None:
    if not settings.is_satellite or frontend is None:
        return None
    from .sync import Satellite

    return Satellite(
        auto_sync=settings.satellite_auto_sync,
        development=frontend.development,
        sign_in_url=settings.sign_in_url,
    )
