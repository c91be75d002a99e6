"""An instance that remembers decides as one that knows nothing, whatever came before."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from clerk_wsgi import Auth

from .minting import (
    ISSUER_LIVE,
    ISSUER_TEST,
    NOW,
    PUBLISHABLE_LIVE,
    PUBLISHABLE_TEST,
    SUFFIX_LIVE,
    SUFFIX_TEST,
    Minter,
    environ,
)
from .scripted import ScriptedClerk, error

if TYPE_CHECKING:
    from clerk_wsgi import Clerk
    from clerk_wsgi.state import RequestState

STEPS = 1000
DAY = 86_400.0
HANDSHAKE_PAYLOAD = "GET /v1/clients/handshake_payload"
FIRST, SAME_NAME, SECOND = Minter(), Minter("ins_k1"), Minter("ins_k2")
KEY_SETS = [
    {"keys": [minter.jwk() for minter in minters]}
    for minters in [(FIRST,), (SAME_NAME,), (FIRST, SECOND), (SECOND, FIRST), (SECOND,)]
]
SETTINGS: list[dict[str, Any]] = [
    {"publishable_key": PUBLISHABLE_LIVE},
    {"publishable_key": PUBLISHABLE_TEST},
    {},
    {"publishable_key": PUBLISHABLE_LIVE, "authorized_parties": ["https://app.test"]},
    {"publishable_key": PUBLISHABLE_LIVE, "accepts_token": "any"},
    {
        "publishable_key": PUBLISHABLE_LIVE,
        "is_satellite": True,
        "domain": "satellite.test",
        "sign_in_url": "https://app.test/sign-in",
    },
    {"publishable_key": PUBLISHABLE_LIVE, "organization_patterns": ["/orgs/:slug"]},
]
QUERIES = [
    *[""] * 6, "a=b", "_clerk_session_id=sess_1", "_clerk_session_id=sess_2",
    "__clerk_handshake_nonce=nonce_1", "__clerk_db_jwt=dvb", "__clerk_synced=true",
]  # fmt: skip
HEADERS: list[dict[str, str]] = [
    {},
    {"HTTP_ACCEPT": "text/html", "HTTP_SEC_FETCH_DEST": "document"},
    {
        "HTTP_ACCEPT": "text/html",
        "HTTP_SEC_FETCH_DEST": "document",
        "HTTP_REFERER": "https://elsewhere.test/",
    },
    {"REQUEST_METHOD": "POST"},
    {"HTTP_HOST": "other.test"},
    {"PATH_INFO": "/orgs/acme"},
]


def tokens(issuer: str) -> list[str]:
    """Tokens of every kind that a browser may come with, good and bad."""
    return [
        minter.token(iss=issuer, **claims)
        for minter in (FIRST, SAME_NAME, SECOND)
        for claims in (
            {},
            {"sid": "sess_2", "sub": "user_2", "iat": NOW - 50},
            {"exp": NOW + 5, "iat": NOW - 55},
            {"nbf": NOW + 30, "iat": NOW + 30, "exp": NOW + 90},
            {"sts": "pending"},
            {"azp": "https://evil.test"},
            {"v": 2, "o": {"id": "org_1", "slg": "acme", "rol": "admin"}},
        )
    ] + ["", "a.b.c", FIRST.token({"typ": "at+jwt"}), FIRST.token({"cat": "cl_x"}, iss=issuer)]


class World:
    """What an instance depends on: the clock, Clerk, and what browsers send."""

    def __init__(self, settings: dict[str, Any], seed: int) -> None:
        self.random = random.Random(seed)
        self.now = float(NOW)
        self._seconds = 0.0
        self._settings = settings
        is_test = settings.get("publishable_key") == PUBLISHABLE_TEST
        self._suffix = SUFFIX_TEST if is_test else SUFFIX_LIVE
        self._tokens = tokens(ISSUER_TEST if is_test else ISSUER_LIVE)
        self._cookies = [self._cookie_header() for _ in range(40)]
        self._brought = {"directives": [f"__session={self._tokens[1]}; Path=/"]}
        self._clerk = ScriptedClerk(
            {
                "GET /v1/jwks": KEY_SETS[0],
                HANDSHAKE_PAYLOAD: self._brought,
                "POST /v1/client/sessions/sess_1/refresh": error(401, "no"),
            }
        )

    def instance(self) -> Clerk:
        return self._clerk.instance(
            clock=lambda: self.now,
            monotonic=lambda: self._seconds,
            sleep=lambda _: None,
            **self._settings,
        )

    def move(self) -> None:
        """Let time pass now and then, and Clerk sign with other keys, fail or recover."""
        if self.random.random() < 0.1:
            self.now = NOW + self.random.choice([0, 3, 9, 11, 40, 64, 66, -20])
        if self.random.random() < 0.03:
            self._clerk.answers["GET /v1/jwks"] = self.random.choice(KEY_SETS)
            self._seconds += DAY
        if self.random.random() < 0.1:
            answer = self.random.choice([self._brought, error(500, "down")])
            self._clerk.answers[HANDSHAKE_PAYLOAD] = answer

    def request(self) -> dict[str, Any]:
        keys = dict(self.random.choice(HEADERS), QUERY_STRING=self.random.choice(QUERIES))
        if self.random.random() < 0.8:
            keys["HTTP_COOKIE"] = self.random.choice(self._cookies)
        if self.random.random() < 0.2:
            keys["HTTP_AUTHORIZATION"] = f"Bearer {self.random.choice(self._tokens)}"
        return environ(**keys)

    def _cookie_header(self) -> str:
        choice = self.random.choice
        uat = [None, "", "0", str(NOW - 99), str(NOW - 52), str(NOW + 1), "x"]
        found = {
            "__session": choice([None, *self._tokens]),
            "__client_uat": choice(uat),
            f"__session_{self._suffix}": choice([None, *self._tokens]),
            f"__client_uat_{self._suffix}": choice(uat),
            "__clerk_db_jwt": choice([None, "dvb", "dvb"]),
            "__clerk_handshake_nonce": choice([None] * 9 + ["nonce_1"]),
            f"__refresh_{self._suffix}": choice([None, None, "refresh"]),
            "theme": "dark",
        }
        if self.random.random() < 0.3:
            found[f"__session_{self._suffix}"] = found["__session"]
        return "; ".join(f"{name}={text}" for name, text in found.items() if text is not None)


def told(state: RequestState) -> tuple[object, ...]:
    """What a decision says to anybody."""
    claims = state.auth.claims if isinstance(state.auth, Auth) else None
    return state.status, state.reason, state.token, state.headers, state.session, claims


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: " ".join(map(str, one)) or "bare")
def test_an_instance_that_remembers_decides_as_one_that_knows_nothing(
    settings: dict[str, Any],
) -> None:
    world = World(settings, seed=len(settings))
    remembering = world.instance()
    seen = set()
    for _ in range(STEPS):
        world.move()
        request = world.request()
        decided, fresh = remembering.authenticate(request), world.instance().authenticate(request)
        assert told(decided) == told(fresh)
        seen.add(decided.reason)
    assert None in seen
    assert len(seen) > 8
