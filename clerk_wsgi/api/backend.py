"""What the decision asks Clerk's Backend API, in its own terms: one method per question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ClerkUnavailable
from ..questions import NoAnswer, Refusal
from ..settings import API_KEY, M2M_TOKEN, OAUTH_TOKEN
from .answer import Answer, Unreachable, error_members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..settings import Secret
    from .transport import Transport

MAX_JWKS = 150_000  # bytes


_MACHINE_QUESTIONS = {
    API_KEY: ("/api_keys/verify", "secret"),
    M2M_TOKEN: ("/m2m_tokens/verify", "token"),
    OAUTH_TOKEN: ("/oauth_applications/access_tokens/verify", "access_token"),
}


class BackendApi:
    """The Backend API as the decision asks it; errors are translated here, once.

    M2M tokens are asked about with the machine secret key if there is one.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        secret_key: Secret | None,
        machine_secret_key: Secret | None = None,
    ) -> None:
        self._transport = transport
        self._secret_key = secret_key
        self._machine_secret_key = machine_secret_key

    def fetch_jwks(self) -> object:
        """Return the JSON document of ``GET /jwks``, whatever it holds.

        Raises ``ClerkUnavailable`` with the reason ``jwk-remote-failed-to-load`` (rule D23).
        """
        try:
            answer = self._transport.call("GET", "/jwks", secret=self._secret())
        except Unreachable as error:
            raise _no_keys(f"Clerk's keys could not be fetched: {error}") from error
        if answer.status != 200:
            raise _no_keys(_why_no_keys(answer))
        if len(answer.body) > MAX_JWKS:
            raise _no_keys("Clerk's set of keys is too large.")
        try:
            return answer.json()
        except ValueError as error:
            raise _no_keys("Clerk's set of keys is not JSON.") from error

    def fetch_handshake_payload(self, nonce: str) -> object:
        """Exchange the nonce of a handshake for its directives."""
        return self._ask("GET", "/clients/handshake_payload", query={"nonce": nonce})

    def refresh_session(
        self, session_id: str, body: Mapping[str, Any], *, suffixed_cookies: bool
    ) -> object:
        """Have a new token made for an expired one; ``session_id`` was checked (rule D1)."""
        query = {"suffixed_cookies": "true"} if suffixed_cookies else None
        return self._ask("POST", f"/sessions/{session_id}/refresh", json=body, query=query)

    def verify_machine_token(self, token_type: str, token: str) -> object:
        """Ask what an opaque machine token stands for."""
        path, field = _MACHINE_QUESTIONS[token_type]
        secret = self._machine_secret_key if token_type == M2M_TOKEN else None
        return self._ask("POST", path, json={field: token}, secret=secret, versioned=False)

    def _secret(self) -> Secret:
        if self._secret_key is None:
            raise Unreachable("there is no secret key to ask with")
        return self._secret_key

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        secret: Secret | None = None,
        versioned: bool = True,
    ) -> object:
        """Return the JSON of a 2xx answer, or raise ``NoAnswer`` or ``Refusal``."""
        try:
            answer = self._transport.call(
                method,
                path,
                secret=secret or self._secret(),
                query=query,
                json=json,
                versioned=versioned,
            )
        except Unreachable as error:
            raise NoAnswer(str(error)) from error
        if not 200 <= answer.status < 300:
            code = next(iter(error_codes(answer)), None)
            raise Refusal(answer.status, code if isinstance(code, str) else None)
        return _json_or_none(answer)


def _json_or_none(answer: Answer) -> object:
    try:
        return answer.json() if answer.body else None
    except ValueError:
        return None


def _why_no_keys(answer: Answer) -> str:
    if "clerk_key_invalid" in error_codes(answer):
        return "Clerk's keys could not be fetched: Clerk refuses the secret key."
    return f"Clerk's keys could not be fetched: GET /jwks answered {answer.status}."


def _no_keys(message: str) -> ClerkUnavailable:
    return ClerkUnavailable(message, reason="jwk-remote-failed-to-load")


def error_codes(answer: Answer) -> list[object]:
    """Return the codes of an error answer (docs/protocol.md, "Errors"); junk has none."""
    try:
        document = answer.json()
    except ValueError:
        return []
    return [member.get("code") for member in error_members(document)]
