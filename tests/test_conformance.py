"""The recorded decisions of Clerk's own backend package: tests/conformance/README.md.

Every case goes through the seam: an instance whose only way out is the case's own Backend API,
and a clock that stands still. What it decides equals the recording, or what the case's row in
``deviations.tsv`` says.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, unquote_to_bytes, urlsplit

import pytest
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

DATA = Path(__file__).with_name("conformance")
API = "https://api.clerk.test"
RULES = {f"D{number}" for number in range(1, 29)}

# Cases and rows


def read_cases() -> Iterator[Case]:
    for name in ("systematic", "random"):
        with lzma.open(DATA / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


class Row(NamedTuple):
    """One line of ``deviations.tsv``: the rule, and the outcome that it leads to."""

    case: str
    rule: str
    status: str
    reason: str
    more: str


def read_rows() -> list[Row]:
    with (DATA / "deviations.tsv").open(encoding="utf-8", newline="") as lines:
        table = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        assert next(table) == list(Row._fields)
        return [Row(*fields) for fields in table]


@cache
def keys() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "keys.json").read_text("utf-8"))
    return found


CASES = {case["name"]: case for case in read_cases()}
ROWS = {row.case: row for row in read_rows()}

# The Backend API of a case


class RecordedApi:
    """Answers as the case says, and writes down what it was asked."""

    def __init__(self, case: Case) -> None:
        self._options = case["options"]
        self._answers = [dict(answer) for answer in case["api"]]
        self._jwks = keys()["jwks"][case["jwks"]] if case["jwks"] else None
        self.calls: list[dict[str, Any]] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        assert request.host_url == API
        self.calls.append(self._call_of(request))
        return self._answer_to(request)(environ, start_response)

    def _call_of(self, request: Request) -> dict[str, Any]:
        body = request.json if request.body else None
        if body:
            body.pop("request_headers", None)
        return {
            "method": request.method,
            "path": request.path,
            "query": pairs_of(request.query_string),
            "body": body,
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
            errors = [{"code": "resource_not_found", "message": "Not found."}]
            return Response(json={"errors": errors}, status=404)
        if answer.get("network_error"):
            raise requests.ConnectionError("the case has no network here")
        if "text" in answer:
            return Response(answer["text"], status=answer["status"], content_type="text/plain")
        return Response(json=answer.get("json"), status=answer["status"])

    def _next_answer(self, method: str, path: str) -> dict[str, Any] | None:
        for answer in self._answers:
            if (answer["method"], answer["path"]) == (method, path) and answer.get("times", 1):
                if "times" in answer:
                    answer["times"] -= 1
                return answer
        if self._jwks is not None and (method, path) == ("GET", "/v1/jwks"):
            return {"status": 200, "json": self._jwks}
        return None


# Deciding a case


def decide(case: Case) -> Outcome:
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


def settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    own = dict(options)
    own.pop("treatPendingAsSignedOut", None)
    own.update(own.pop("organizationSyncOptions", {}))
    skew = own.pop("clockSkewInMs", None)
    settings = {snake_case(name): value for name, value in own.items()}
    return {**settings, "clock_skew": skew / 1000} if isinstance(skew, (int, float)) else settings


def snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)


def environ_of(request: Mapping[str, Any]) -> WSGIEnvironment:
    url = urlsplit(request["url"])
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    environ = {
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(port),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(),
    }
    headers = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in request["headers"]}
    return {**environ, **headers}


def outcome_of(state: RequestState, case: Case) -> Outcome:
    headers = {name.lower(): value for name, value in state.headers}
    is_pending_nobody = case["options"].get("treatPendingAsSignedOut", True)
    auth = state.to_auth(treat_pending_as_signed_out=is_pending_nobody)
    return {
        "status": state.status,
        "reason": state.reason,
        "token_type": state.token_type,
        "token": state.token,
        "location": headers.get("location"),
        "set_cookie": [value for name, value in state.headers if name == "Set-Cookie"],
        "headers": {name: headers.get(name) for name in COMPARED_HEADERS},
        "auth": plain_auth(auth),
    }


COMPARED_HEADERS = (
    "cache-control",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "x-clerk-auth-status",
    "x-clerk-auth-reason",
)
AUTH_FIELDS = """tokenType isAuthenticated userId sessionId sessionStatus orgId orgRole orgSlug
    orgPermissions factorVerificationAge actor claims id subject name scopes machineId
    clientId""".split()


def plain_auth(auth: object) -> dict[str, Any] | None:
    if auth is None:
        return None
    found = {name: getattr(auth, snake_case(name), ...) for name in AUTH_FIELDS}
    return {name: plain(value) for name, value in found.items() if value is not ...}


def plain(value: Any) -> Any:
    """JSON data again, in which an infinite number is ``None``."""
    if hasattr(value, "items"):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    return None if value in (float("inf"), float("-inf")) else value


def folded(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls without repetitions of the one for keys: how often to try is our own affair."""
    kept: list[dict[str, Any]] = []
    for call in calls:
        if call["path"] != "/v1/jwks" or call not in kept:
            kept.append(call)
    return kept


# Comparing


def differences(case: Case, found: Outcome) -> dict[str, tuple[Any, Any]]:
    """What differs from the recording, as pairs of recorded and found."""
    wanted, found = recorded(case), comparable(case, found)
    names = wanted.keys() | found.keys()
    pairs = {name: (wanted.get(name), found.get(name)) for name in sorted(names)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def recorded(case: Case) -> Outcome:
    expect = case["expect"]
    if expect["error"]:
        is_configuration = expect["error"]["message"].startswith(CONFIGURATION_ERRORS)
        return {"status": "configuration-error" if is_configuration else "exception"}
    headers = expect["headers"]
    calls = [{**call, "body": without_headers(call["body"])} for call in expect["calls"]]
    return {
        **{name: expect[name] for name in ("status", "reason", "token_type", "token")},
        "location": flat_location(headers["location"], case),
        "set_cookie": headers["set_cookie"],
        "headers": {name: headers.get(name) for name in COMPARED_HEADERS},
        "auth": "an exception" if expect["auth_error"] else compared_auth(expect["auth"], case),
        "calls": folded(calls),
    }


CONFIGURATION_ERRORS = (
    "Missing",
    "Publishable key",
    "Machine token",
    "The signInUrl",
    "Invalid pattern",
)


def comparable(case: Case, found: Outcome) -> Outcome:
    """Our outcome in the form of the recording."""
    if "location" not in found:
        return found
    at = None if found["location"] is None else split_location(found["location"])
    auth, wanted = found["auth"], case["expect"].get("auth")
    if auth and wanted:
        auth = compared_auth({name: auth.get(name) for name in wanted}, case)
    return {**found, "location": flat_location(at, case), "auth": auth}


def without_headers(body: dict[str, Any] | None) -> dict[str, Any] | None:
    """The body of a refresh without the request's headers: the recording has not all of them."""
    return body and {name: value for name, value in body.items() if name != "request_headers"}


def compared_auth(auth: dict[str, Any] | None, case: Case) -> dict[str, Any] | None:
    """An ``auth`` without a client id that some answers spell otherwise than Clerk's API does."""
    is_misspelled = any("clientId" in (one.get("json") or ()) for one in case["api"])
    return {**auth, "clientId": ...} if auth and is_misspelled else auth


NESTED = ("redirect_url", "__clerk_redirect_url")


def split_location(text: str) -> dict[str, Any]:
    """An address the way a recording has it: the URL, and its decoded parameters."""
    at = urlsplit(text)
    found: dict[str, Any] = {"url": text.partition("?")[0].partition("#")[0]}
    found["query"] = pairs_of(at.query)
    if at.fragment:
        found["fragment"] = f"#{at.fragment}"
    for name, value in found["query"]:
        if name in NESTED:
            found[name] = split_location(value)
    return found


def pairs_of(query: str) -> list[list[str]]:
    return sorted([name, value] for name, value in parse_qsl(query, keep_blank_values=True))


def flat_location(at: dict[str, Any] | None, case: Case) -> dict[str, Any] | None:
    """An address in which only what means the same looks the same."""
    if at is None:
        return None
    query = sorted(pair for pair in at["query"] if pair[0] not in NESTED)
    nested = {name: flat_location(at[name], case) for name in NESTED if name in at}
    if "whatwg-normalized" in case["tags"]:  # the recording has another path than the case
        nested = {name: urlsplit(at[name]["url"])[:2] for name in nested}
    return {"url": normal(at["url"]), "query": query, "fragment": at.get("fragment"), **nested}


def normal(url: str) -> str:
    """A URL without parameters: its path decoded, and no port that goes without saying."""
    at = urlsplit(url)
    default = {"http": ":80", "https": ":443"}.get(at.scheme, "")
    return f"{at.scheme}://{at.netloc.lower().removesuffix(default)}{unquote(at.path) or '/'}"


# The outcome of a row


def row_of(name: str, rule: str, found: Outcome) -> Row:
    """An outcome as one line: everything in it but what follows from the rest."""
    more = [
        f"{label}={text}"
        for label, text in (
            ("as", whose(found.get("auth"))),
            ("token", found.get("token")),
            ("to", found.get("location")),
            ("sets", " | ".join(found.get("set_cookie", ()))),
            ("asks", ", ".join(f"{one['method']} {one['path']}" for one in found.get("calls", ()))),
        )
        if text
    ]
    reason = found.get("reason") or "-"
    return Row(name, rule, found["status"], reason, shortened(" ".join(more)) or "-")


def whose(auth: dict[str, Any] | None) -> str:
    told = {name: value for name, value in (auth or {}).items() if value not in (None, False)}
    told.pop("claims", None)
    told.pop("isAuthenticated", None)
    return json.dumps(told, ensure_ascii=True) if told.keys() > {"tokenType"} else ""


def shortened(text: str) -> str:
    """A text in which of long words, such as tokens, only both ends are left."""
    return re.sub(r"[A-Za-z0-9_.~-]{80,}", lambda match: f"{match[0][:4]}…{match[0][-8:]}", text)


# The tests


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CLERK_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_decided_as_recorded_or_as_its_rule_says(name: str) -> None:
    found, row = decide(CASES[name]), ROWS.get(name)
    differing = differences(CASES[name], found)
    if row is None:
        assert not differing, row_of(name, "?", found)
    else:
        assert differing, "it is decided as recorded: its row is stale"
        assert row_of(name, row.rule, found) == row


def test_every_row_is_about_a_case_and_names_a_rule() -> None:
    assert ROWS.keys() <= CASES.keys()
    assert {row.rule for row in ROWS.values()} <= RULES
    assert len(read_rows()) == len(ROWS)


def test_the_cases_are_all_there() -> None:
    assert len(CASES) == 4600
