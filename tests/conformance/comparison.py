"""Comparing an outcome with the recording, and writing it down as a row of ``deviations.tsv``."""

from __future__ import annotations

import csv
import json
import re
from ipaddress import IPv4Address
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from .replay import COMPARED_HEADERS, DATA, Case, Outcome, folded, pairs_of, without_headers

_CONFIGURATION_ERRORS = (
    "Missing",
    "Publishable key",
    "Machine token",
    "The signInUrl",
    "Invalid pattern",
)
_NESTED = ("redirect_url", "__clerk_redirect_url")


def differences(case: Case, found: Outcome) -> dict[str, tuple[Any, Any]]:
    """Return what differs from the recording, as pairs of recorded and found."""
    recorded, found = _recorded(case), _comparable(case, found)
    if _needed_no_keys(found) and "calls" in recorded:
        recorded["calls"] = [call for call in recorded["calls"] if call["path"] != "/v1/jwks"]
    names = recorded.keys() | found.keys()
    pairs = {name: (recorded.get(name), found.get(name)) for name in sorted(names)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _needed_no_keys(found: Outcome) -> bool:
    """Say whether nobody was signed in and no keys were asked for.

    The reference fetches keys before it reads a token's header; we read the header first, and
    what it refuses needs no key.
    """
    paths = [call["path"] for call in found.get("calls", ())]
    return found["status"] != "signed-in" and "/v1/jwks" not in paths


def _recorded(case: Case) -> Outcome:
    expect = case["expect"]
    if expect["error"]:
        is_configuration = expect["error"]["message"].startswith(_CONFIGURATION_ERRORS)
        return {"status": "configuration-error" if is_configuration else "exception"}
    headers = expect["headers"]
    calls = [{**call, "body": without_headers(call["body"])} for call in expect["calls"]]
    return {
        **{name: expect[name] for name in ("status", "reason", "token_type", "token")},
        "location": _address(headers["location"], case),
        "set_cookie": headers["set_cookie"],
        "headers": {name: headers.get(name) for name in COMPARED_HEADERS},
        "auth": "exception" if expect["auth_error"] else _compared_auth(expect["auth"], case),
        "calls": folded(calls),
    }


def _comparable(case: Case, found: Outcome) -> Outcome:
    """Return our outcome in the form of the recording: with the fields of ``auth`` that it has."""
    if "location" not in found:
        return found
    at = None if found["location"] is None else _split_address(found["location"])
    auth, wanted = found["auth"], case["expect"].get("auth")
    if auth and wanted:
        auth = _compared_auth({name: auth.get(name) for name in wanted}, case)
    return {**found, "location": _address(at, case), "auth": auth}


def _compared_auth(auth: dict[str, Any] | None, case: Case) -> dict[str, Any] | None:
    """Return an ``auth`` without a client id that the answer spells otherwise than Clerk does."""
    is_misspelled = any("clientId" in (answer.get("json") or ()) for answer in case["api"])
    return {**auth, "clientId": ...} if auth and is_misspelled else auth


def _split_address(text: str) -> dict[str, Any]:
    """Return an address the way a recording has it: the URL, and its decoded parameters."""
    at = urlsplit(text)
    found: dict[str, Any] = {"url": re.split("[?#]", text)[0], "query": pairs_of(at.query)}
    if at.fragment:
        found["fragment"] = f"#{at.fragment}"
    for name, value in found["query"]:
        if name in _NESTED:
            nested = urlsplit(value)
            found[name] = {"url": re.split("[?#]", value)[0], "query": pairs_of(nested.query)}
    return found


def _address(at: dict[str, Any] | None, case: Case) -> dict[str, Any] | None:
    """Return an address in which what means the same looks the same."""
    if at is None:
        return None
    nested: dict[str, object] = {}
    for name in (one for one in _NESTED if one in at):
        url = _normal(at[name]["url"])
        if "whatwg-normalized" in case["tags"]:  # the recording is of another path than the case
            nested[name] = urlsplit(url)[:2]
        else:
            nested[name] = (url, sorted(at[name]["query"]))
    query = sorted(pair for pair in at["query"] if pair[0] not in _NESTED)
    return {"url": _normal(at["url"]), "query": query, "fragment": at.get("fragment"), **nested}


def _normal(url: str) -> str:
    """Return a URL with a decoded path, and without a port that goes without saying."""
    at = urlsplit(url)
    host = at.netloc.lower().removesuffix({"http": ":80", "https": ":443"}.get(at.scheme, ":"))
    if host.isdecimal():
        host = str(IPv4Address(int(host)))
    return f"{at.scheme}://{host}{unquote(at.path) or '/'}"


# Rows


class Row(NamedTuple):
    """One line of ``deviations.tsv``: a case, the rule that applies, and the outcome."""

    case: str
    rule: str
    status: str
    reason: str
    more: str


def read_rows() -> list[Row]:
    """Return the lines of ``deviations.tsv``."""
    with (DATA / "deviations.tsv").open(encoding="utf-8", newline="") as lines:
        table = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        assert next(table) == list(Row._fields)
        return [Row(*fields) for fields in table]


def row_of(name: str, rule: str, found: Outcome) -> Row:
    """Return an outcome as one line: all of it but what follows from the rest."""
    told = {
        "as": _whose(found.get("auth")),
        "token": found.get("token"),
        "to": found.get("location"),
        "sets": " | ".join(found.get("set_cookie", ())),
        "asks": ", ".join(f"{call['method']} {call['path']}" for call in found.get("calls", ())),
    }
    more = " ".join(f"{label}={text}" for label, text in told.items() if text)
    return Row(name, rule, found["status"], found.get("reason") or "-", _shortened(more) or "-")


def _whose(auth: dict[str, Any] | None) -> str:
    """Return the fields of an ``auth`` that name somebody, as JSON."""
    left_out = ("tokenType", "isAuthenticated", "claims")
    told = {name: value for name, value in (auth or {}).items() if name not in left_out}
    told = {name: value for name, value in told.items() if value is not None}
    return json.dumps(told, separators=(",", ":")) if told else ""


def _shortened(text: str) -> str:
    """Return a text in which of long words, such as tokens, only both ends are left."""
    return re.sub(r"[A-Za-z0-9_.~-]{80,}", lambda word: f"{word[0][:4]}…{word[0][-8:]}", text)
