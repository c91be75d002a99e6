"""Replaying a recorded case through the seam: what an instance of ours makes of it.

The only way out of the instance is the Backend API of the case, and its clock stands still.
"""

from __future__ import annotations

import json
import lzma
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import requests
from webob import Request, Response

from clerk_wsgi import Clerk, ConfigurationError
from clerk_wsgi.testing import in_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from clerk_wsgi import RequestState

Case = dict[str, Any]
Outcome = dict[str, Any]

DATA = Path(__file__).parent
API = "https://api.clerk.test"
COMPARED_HEADERS = (
    "cache-control",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "x-clerk-auth-status",
    "x-clerk-auth-reason",
)
_AUTH_FIELDS = (
    "tokenType",
    "isAuthenticated",
    "userId",
    "sessionId",
    "sessionStatus",
    "orgId",
    "orgRole",
    "orgSlug",
    "orgPermissions",
    "factorVerificationAge",
    "actor",
    "claims",
    "id",
    "subject",
    "name",
    "scopes",
    "machineId",
    "clientId",
)


def read_cases() -> Iterator[Case]:
    """Return all cases, in the order of their files."""
    for name in ("systematic", "random"):
        with lzma.open(DATA / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


@cache
def key_sets() -> dict[str, Any]:
    """Return the key sets that cases name."""
    found: dict[str, Any] = json.loads((DATA / "keys.json").read_text("utf-8"))["jwks"]
    return found


def decide(case: Case) -> Outcome:
    """Return what an instance with the settings of a case makes of its request."""
    api = RecordedApi(case)
    try:
        clerk = Clerk(
            **settings_of(case["options"]),
            api_url=API,
            trust_forwarded=True,
            dotenv=False,
            http=in_process(api),
            clock=lambda: float(case["now"] / 1000),
        )
    except ConfigurationError:
        return {"status": "configuration-error"}
    state = clerk.authenticate(environ_of(case["request"]))
    return {**outcome_of(state, case), "calls": folded(api.calls)}


class RecordedApi:
    """The Backend API of a case: it answers as recorded, and keeps what it was asked."""

    def __init__(self, case: Case) -> None:
        self._options = case["options"]
        self._answers = [dict(answer) for answer in case["api"]]
        if case["jwks"]:
            keys = {"method": "GET", "path": "/v1/jwks", "json": key_sets()[case["jwks"]]}
            self._answers.append({**keys, "status": 200})
        self.calls: list[dict[str, Any]] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        assert request.host_url == API, "nobody else is ever asked"
        self.calls.append(self._call_of(request))
        return self._answer_to(request)(environ, start_response)

    def _call_of(self, request: Request) -> dict[str, Any]:
        return {
            "method": request.method,
            "path": request.path,
            "query": pairs_of(request.query_string),
            "body": without_headers(request.json if request.body else None),
            "authorized_by": self._key_of(request.headers.get("Authorization")),
        }

    def _key_of(self, authorization: str | None) -> str:
        for name in ("machineSecretKey", "secretKey"):
            if self._options.get(name) and authorization == f"Bearer {self._options[name]}":
                return name
        return "other" if authorization else "none"

    def _answer_to(self, request: Request) -> Response:
        answer = self._next_answer(request.method, request.path)
        if answer is None:
            return Response(json={"errors": [{"code": "resource_not_found"}]}, status=404)
        if answer.get("network_error"):
            raise requests.ConnectionError("the case has no network here")
        if "text" in answer or answer["status"] == 204:
            text = answer.get("text", "")
            return Response(text, status=answer["status"], content_type="text/plain")
        return Response(json=answer.get("json"), status=answer["status"])

    def _next_answer(self, method: str, path: str) -> dict[str, Any] | None:
        """Return the first answer for this call that is not used up."""
        for answer in self._answers:
            if (answer["method"], answer["path"]) == (method, path) and answer.get("times", 1):
                if "times" in answer:
                    answer["times"] -= 1
                return answer
        return None


def settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a case under the names of our settings."""
    own = {**options, **options.get("organizationSyncOptions", {})}
    skew = own.pop("clockSkewInMs", None)
    for name in ("organizationSyncOptions", "treatPendingAsSignedOut"):
        own.pop(name, None)
    settings = {snake_case(name): value for name, value in own.items()}
    return {**settings, "clock_skew": skew / 1000} if isinstance(skew, (int, float)) else settings


def snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)


def environ_of(request: Mapping[str, Any]) -> WSGIEnvironment:
    """Return the request of a case as a WSGI server gives it."""
    url = urlsplit(request["url"])
    environ = {
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port or {"http": 80, "https": 443}[url.scheme]),
        "wsgi.url_scheme": url.scheme,
    }
    headers = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in request["headers"]}
    return {**environ, **headers}


def outcome_of(state: RequestState, case: Case) -> Outcome:
    """Return a state as plain data, named as in a recording."""
    headers = {name.lower(): value for name, value in state.headers}
    treat = case["options"].get("treatPendingAsSignedOut", True)
    return {
        "status": state.status,
        "reason": state.reason,
        "token_type": state.token_type,
        "token": state.token,
        "location": headers.get("location"),
        "set_cookie": [value for name, value in state.headers if name == "Set-Cookie"],
        "headers": {name: headers.get(name) for name in COMPARED_HEADERS},
        "auth": _plain_auth(state.to_auth(treat_pending_as_signed_out=treat)),
    }


def _plain_auth(auth: object) -> dict[str, Any] | None:
    if auth is None:
        return None
    found = {name: getattr(auth, snake_case(name), ...) for name in _AUTH_FIELDS}
    return {name: _plain(value) for name, value in found.items() if value is not ...}


def _plain(value: Any) -> Any:
    """Return JSON data again, in which an infinite number is ``None``."""
    if hasattr(value, "items"):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    return None if value in (float("inf"), float("-inf")) else value


def folded(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return calls without repetitions of the one for keys: how often to try is our own affair."""
    kept: list[dict[str, Any]] = []
    for call in calls:
        if call["path"] != "/v1/jwks" or call not in kept:
            kept.append(call)
    return kept


def without_headers(body: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the body of a refresh without the request's headers, of which names were recorded."""
    return body and {name: value for name, value in body.items() if name != "request_headers"}


def pairs_of(query: str) -> list[list[str]]:
    """Return the parameters of a query string, decoded and sorted."""
    return sorted([name, value] for name, value in parse_qsl(query, keep_blank_values=True))
