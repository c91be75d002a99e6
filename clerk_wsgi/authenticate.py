"""The decision: from what a request carries to a state (docs/protocol.md).

A function of the request, the settings, the keys, Clerk's API and the clock. It never sees an
environ, WebOb, a socket or ``os.environ``, and it never raises for what a client sent.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .address import is_of_other_origin
from .claims import Auth
from .cookies import DEV_BROWSER
from .handshake import MAX_REDIRECTS, may_be_redirected, redirect_count
from .live import is_client_token
from .machine import MachineRefused, machine_type_of
from .settings import MACHINE_TOKENS, SESSION_TOKEN
from .state import RequestState, SignedIn, SignedOut
from .sync import answer_satellite
from .visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .chooser import CookieChooser
    from .frontend import FrontendApi
    from .handshake import Handshakes, Request
    from .judge import TokenJudge
    from .live import LiveVerifier
    from .machine import MachineVerifier
    from .organization_sync import OrganizationSync
    from .resolve import HandshakeResolver
    from .sync import Satellite

SESSION_PARAMETER = "_clerk_session_id"


class Authenticator:
    """Decides requests of one instance: which carrier counts, then what it is worth.

    ``accepts`` is a token type, a tuple of them, or ``"any"``. ``nobody`` is what becomes of a
    request that carries nothing, where that is always the same, else ``None``.
    """

    def __init__(
        self,
        accepts: str | tuple[str, ...],
        chooser: CookieChooser,
        cookie_path: CookiePath,
        judge: TokenJudge,
        machines: MachineVerifier,
        *,
        live: LiveVerifier | None = None,
        clock: Callable[[], float],
    ) -> None:
        self._accepts = accepts
        self._choose = chooser.choose
        self._parse = chooser.parse
        self._cookie_path = cookie_path
        self._judge = judge
        self._machines = machines
        self._live = live
        self._clock = clock
        self._decide_bearer = judge.judge_bearer if accepts == SESSION_TOKEN else self._sort_bearer
        self._decide_without = self._without_header()
        takes_cookies = self._is_accepted(SESSION_TOKEN) and not cookie_path.wants_more
        self.nobody = NOBODY if takes_cookies else None

    def decide(self, request: Request) -> RequestState:
        """Return the state of a request."""
        bearer = request.bearer_token
        if self.nobody is not None and not (bearer or request.cookies or request.parameters):
            return self.nobody
        visit = Visit(request, self._clock(), self._choose, self._parse)
        state = self._decide_bearer(visit, bearer) if bearer else self._decide_without(visit)
        if request.parameters:
            state = _match_named_session(request, state)
        return state if self._live is None else self._confirm(self._live, state)

    def _sort_bearer(self, visit: Visit, text: str) -> RequestState:
        """Section 3: a token in the ``Authorization`` header, where more than one kind may be."""
        kind = machine_type_of(text)
        if not self._is_accepted(kind or SESSION_TOKEN):
            return self._mismatch()
        if kind is None:
            return self._judge.judge_bearer(visit, text)
        return self._decide_machine(visit, text, kind)

    def _decide_machine(self, visit: Visit, text: str, kind: str) -> RequestState:
        try:
            return SignedIn.of_machine(text, self._machines.verify(text, kind, visit.now))
        except MachineRefused as error:
            return SignedOut(
                reason=error.reason, message=error.message, token_type=error.token_type
            )

    def _without_header(self) -> Callable[[Visit], RequestState]:
        """Return what decides without a token in the header: cookies, if sessions are welcome."""
        if self._accepts in MACHINE_TOKENS:
            missing = SignedOut(reason="No token in header", token_type=str(self._accepts))
            return lambda _visit: missing
        if not self._is_accepted(SESSION_TOKEN):
            return lambda _visit: self._mismatch()
        return self._cookie_path.decide

    def _confirm(self, live: LiveVerifier, state: RequestState) -> RequestState:
        """Ask Clerk about a session in live verification, unless it has just been asked."""
        if not isinstance(state, SignedIn) or state.is_live:
            return state
        auth = state.full_auth
        return live.confirm(state, auth) if isinstance(auth, Auth) else state

    def _is_accepted(self, kind: str) -> bool:
        accepts = self._accepts
        return accepts in ("any", kind) if isinstance(accepts, str) else kind in accepts

    def _mismatch(self) -> SignedOut:
        return SignedOut(
            reason="token-type-mismatch",
            message="A token of this type is not accepted here.",
            token_type=self._accepts if isinstance(self._accepts, str) else None,
        )


class CookiePath:
    """Section 4: what the cookies of a browser say, step by step.

    Each step returns a state, or ``None`` to go on with the next one; steps that can never say
    anything with these settings are left out. Without a publishable key ``frontend`` is ``None``:
    then nothing redirects.
    """

    def __init__(
        self,
        *,
        frontend: FrontendApi | None,
        satellite: Satellite | None,
        organizations: OrganizationSync | None,
        handshakes: Handshakes,
        resolver: HandshakeResolver,
        judge: TokenJudge,
        live: LiveVerifier | None = None,
    ) -> None:
        self._frontend = frontend
        self._development = frontend is not None and frontend.development
        self._satellite = satellite
        self._organizations = organizations
        self._handshakes = handshakes
        self._resolver = resolver
        self._judge = judge
        self._live = live
        self._steps = tuple(self._steps_to_a_token())
        # What the steps say of cookies without a query depends on the cookies alone.
        self._is_repeatable = satellite is None
        # Somebody who brings nothing is nobody, unless another place may know more.
        self.wants_more = satellite is not None or self._development

    def decide(self, visit: Visit) -> RequestState:
        """Walk the steps."""
        state = self._decide(visit)
        if self._organizations is None:
            return state
        return self._activate_organization(self._organizations, visit, state) or state

    def _decide(self, visit: Visit) -> RequestState:
        state = self._judge.recognize(visit) if self._is_repeatable else None
        if state is None:
            for step in self._steps:
                state = step(visit)
                if state is not None:
                    return state
            state = self._judge.judge_cookie(visit, visit.cookies.session or "")  # 9 to 12
        if self._frontend is None or self._satellite is not None:
            return state
        return self._sync_cross_origin(self._frontend, visit, state) or state

    def _steps_to_a_token(self) -> Iterator[Callable[[Visit], RequestState | None]]:
        """Return the steps that may be taken before a session token is looked at, in order."""
        yield self._resolver.resolve  # 1
        if self._live is not None:
            yield partial(self._decide_client, self._live)
        if self._satellite is not None:
            yield partial(self._sync_satellite, self._satellite)
        elif self._development:
            yield self._answer_satellite
        if self._development:
            yield self._sync_dev_browser
        yield self._miss_cookies

    def _decide_client(self, live: LiveVerifier, visit: Visit) -> RequestState | None:
        """In live verification only: a client token instead of a session token."""
        text = visit.cookies.session
        if not text or not is_client_token(text, visit.parse):
            return None
        return live.decide_client(text, visit.request.query(SESSION_PARAMETER))

    def _sync_satellite(self, satellite: Satellite, visit: Visit) -> RequestState | None:
        """Step 2: a satellite asks the primary."""
        return satellite.sync(visit.request, visit.cookies, self._handshakes)

    def _answer_satellite(self, visit: Visit) -> RequestState | None:
        """Step 3: a primary answers a satellite in development."""
        return answer_satellite(visit.request, visit.cookies)

    def _sync_dev_browser(self, visit: Visit) -> RequestState | None:
        """Steps 4 and 5: development browsers are known by a token of their own."""
        if visit.request.query(DEV_BROWSER):
            return self._interrupt(visit, "dev-browser-sync")
        if not visit.cookies.dev_browser:
            return self._interrupt(visit, "dev-browser-missing")
        return None

    def _miss_cookies(self, visit: Visit) -> RequestState | None:
        """Steps 6 to 8: the session cookie and ``__client_uat`` must agree."""
        cookies = visit.cookies
        if cookies.session:
            is_signed_out = cookies.client_uat == 0
            return self._interrupt(visit, NO_CLIENT_UAT) if is_signed_out else None
        if cookies.client_uat:
            return self._interrupt(visit, "client-uat-but-no-session-token")
        return NOBODY

    def _sync_cross_origin(
        self, frontend: FrontendApi, visit: Visit, state: RequestState
    ) -> RequestState | None:
        """Step 13: a page of another origin may have changed who is signed in."""
        request = visit.request
        if request.header("Sec-Fetch-Dest") != "document" or request.method != "GET":
            return None
        if not isinstance(state, SignedIn) or state.extra_headers:
            return None
        referrer = request.header("Referer")
        if not referrer or redirect_count(request) > 0:
            return None
        origin = request.origin
        if not is_of_other_origin(referrer, origin):
            return None
        if frontend.is_known_referrer(referrer, origin):
            return None
        return self._interrupt(visit, "primary-domain-cross-origin-sync")

    def _activate_organization(
        self, organizations: OrganizationSync, visit: Visit, state: RequestState
    ) -> RequestState | None:
        """Step 14: a page that names an organization wants it active (section 8)."""
        if not isinstance(state, SignedIn):
            return None
        if any(name == "Location" for name, _ in state.extra_headers):
            return None  # on the way home from a handshake: asked again there, with its cookies
        auth = state.auth
        wanted = organizations.wanted(visit.request.address)
        if wanted is None or not isinstance(auth, Auth) or not auth or wanted.is_active(auth):
            return None
        if redirect_count(visit.request) >= MAX_REDIRECTS or not may_be_redirected(visit.request):
            return None
        return self._interrupt(visit, "active-organization-mismatch")

    def _interrupt(self, visit: Visit, reason: str) -> RequestState:
        return self._handshakes.start(visit.request, visit.cookies, reason)


NOBODY = SignedOut(reason="session-token-and-uat-missing", message="Nobody is signed in.")
NO_CLIENT_UAT = "session-token-but-no-client-uat"


def _match_named_session(request: Request, state: RequestState) -> RequestState:
    """Let only the session answer that ``_clerk_session_id`` names, if it names one."""
    if not isinstance(state, SignedIn) or not isinstance(state.full_auth, Auth):
        return state
    named, session_id = request.query(SESSION_PARAMETER), state.full_auth.session_id
    if not named or (session_id and named == [session_id]):
        return state
    return SignedOut(
        reason="session-id-mismatch",
        message="The token is not of the session that the query names.",
        extra_headers=state.extra_headers,
    )
