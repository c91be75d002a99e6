"""The control API's sessions: anybody signed in without a browser, and any end of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from webob import Response

from ...cookies import CLIENT_UAT, DEV_BROWSER, SESSION
from ...settings import parse_publishable_key
from ..backend.sessions import LONGEST_LIFETIME
from ..browsers import Visitor, client_uat
from ..cookies import CookieLines
from ..errors import NotFound, invalid_parameter, resource_not_found
from ..objects import ABANDONED_AFTER, LIVING, SESSION_LIFETIME, SESSION_STATUSES
from ..readers import read_metadata
from ..routing import checked_text
from ..sign_in import SignIns
from .readers import (
    choice_reader,
    or_nothing,
    read_call,
    read_changes,
    unknown_thing,
    whole_reader,
    wrong_value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webob import Request

    from ..browsers import Browsers
    from ..instance import Instance
    from ..objects import Document
    from ..readers import Reader
    from ..routing import Route

LATEST = 10**15 - 1  # Unix milliseconds
# What a session waits for that is pending and was not told why.
_TASKS = [{"key": "choose-organization"}]


def _read_claims(name: str, value: object) -> Document:
    claims: Document = read_metadata(name, value)
    if "expires_in" in claims:
        raise wrong_value(name, "must not have expires_in in it: it is a parameter of its own.")
    return claims


_TOKEN: Mapping[str, Reader] = {
    "expires_in": whole_reader(-LONGEST_LIFETIME, LONGEST_LIFETIME),
    "azp": checked_text,
    "claims": _read_claims,
}
_SIGN_IN: Mapping[str, Reader] = {
    "user_id": checked_text,
    "identifier": checked_text,
    "organization_id": checked_text,
    "client_id": checked_text,
    "status": choice_reader(LIVING),
    **_TOKEN,
}
_OF_NEW = ("status", "organization_id")
_TIME = whole_reader(0, LATEST)
_SESSION: Mapping[str, Reader] = {
    "status": choice_reader(SESSION_STATUSES),
    "organization_id": or_nothing(checked_text),
    "actor": or_nothing(read_metadata),
    "expire_at": _TIME,
    "abandon_at": _TIME,
    "last_active_at": _TIME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What a session token is to be like; ``expires_in`` seconds may be over already."""

    expires_in: int | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Document) -> _Wish:
        origin = {"azp": given["azp"]} if "azp" in given else {}
        return cls(expires_in=given.get("expires_in"), claims={**given.get("claims", {}), **origin})


class SessionControl:
    """The endpoints that begin and end sessions, and mint their tokens."""

    def __init__(self, instance: Instance, browsers: Browsers) -> None:
        key = parse_publishable_key(instance.publishable_key)
        self._instance = instance
        self._browsers = browsers
        self._is_development = key.instance_type == "development"
        self._lines = CookieLines(key)
        self._sign_ins = SignIns(instance)

    def routes(self) -> list[Route]:
        """Return the endpoints with their methods and paths."""
        one = "/_emulator/sessions/{session_id}"
        return [
            ("POST", "/_emulator/sign_in", self._sign_in),
            ("POST", one, self._change),
            ("POST", f"{one}/token", self._create_token),
            ("POST", f"{one}/revoke", self._revoke),
            ("POST", f"{one}/expire", self._expire),
        ]

    def _sign_in(self, request: Request) -> Response:
        given = read_call(request, _SIGN_IN)
        with self._instance.transaction():
            session = self._start(given)
            return Response(json=self._carried(session, _Wish.of(given)))

    def _start(self, given: Document) -> Document:
        user = self._user(given)
        self._sign_ins.check_admitted(user)
        try:
            session = self._sign_ins.start_session(given.get("client_id"), user)
        except NotFound:
            raise unknown_thing("client_id", "client") from None
        wanted = {name: value for name, value in given.items() if name in _OF_NEW}
        return self._changed(session["id"], wanted)

    def _user(self, given: Document) -> Document:
        """Return who is to be signed in: a user is named by an id or by an identifier."""
        if "identifier" in given:
            if "user_id" in given:
                raise wrong_value("identifier", "and user_id must not be given both.")
            return self._sign_ins.find_user(given["identifier"])
        if "user_id" not in given:
            text = "Either user_id or identifier must be included."
            raise invalid_parameter("form_param_missing", "user_id", text)
        try:
            return self._instance.user(given["user_id"])
        except NotFound:
            raise unknown_thing("user_id", "user") from None

    def _carried(self, session: Document, wish: _Wish) -> Document:
        """Return what a browser with this session carries; the token last, so that it is newer."""
        client_id = session["client_id"]
        dev_browser = self._dev_browser(client_id) if self._is_development else None
        client = self._instance.client(client_id)
        uat = client_uat(Visitor(client=client, token=dev_browser or ""))
        token = self._token(session["id"], wish)
        values = {SESSION: token, CLIENT_UAT: str(uat), DEV_BROWSER: dev_browser}
        return {
            "session": self._instance.session(session["id"]),
            "client": client,
            "session_token": token,
            "client_token": self._instance.client_token(client_id),
            "cookies": [
                {"name": copy, "value": value}
                for name, value in values.items()
                for copy in self._lines.names(name)
                if value is not None
            ],
        }

    def _dev_browser(self, client_id: str) -> str:
        """Return what a development browser is known by; one that has it keeps it."""
        known = self._instance._store.find("dev_browser", client_id=client_id)
        return str(known[-1]["id"]) if known else self._browsers.renew(client_id).token

    def _create_token(self, request: Request, session_id: str) -> Response:
        wish = _Wish.of(read_call(request, _TOKEN))
        self._session(session_id)
        return Response(json={"object": "token", "jwt": self._token(session_id, wish)})

    def _token(self, session_id: str, wish: _Wish) -> str:
        return self._instance.session_token(session_id, expires_in=wish.expires_in, **wish.claims)

    def _revoke(self, request: Request, session_id: str) -> Response:
        read_call(request)
        return Response(json=self._changed(session_id, {"status": "revoked"}))

    def _expire(self, request: Request, session_id: str) -> Response:
        read_call(request)
        return Response(json=self._changed(session_id, {"status": "expired"}))

    def _change(self, request: Request, session_id: str) -> Response:
        return Response(json=self._changed(session_id, read_changes(request, _SESSION)))

    def _changed(self, session_id: str, wanted: Document) -> Document:
        fields = {name: value for name, value in wanted.items() if name != "organization_id"}
        with self._instance.transaction():
            session = self._session(session_id)
            if "organization_id" in wanted:
                self._activate(session, wanted["organization_id"])
            if fields:
                self._instance.update_session(session_id, **self._completed(session, fields))
            changed = self._instance.session(session_id)
            self._refuse_orphan(changed)
            return changed

    def _refuse_orphan(self, session: Document) -> None:
        """Raise a ``Refusal`` for a living session of a user who was deleted."""
        if session["status"] in LIVING and not self._instance._store.get(
            "user", session["user_id"]
        ):
            raise wrong_value("status", "must not be that of a living session: its user is gone.")

    def _completed(self, session: Document, fields: Document) -> Document:
        """Return fields with what follows from a new status."""
        status, now = fields.get("status"), self._instance.milliseconds()
        if status is None:
            return fields
        followed: Document = {"tasks": _TASKS if status == "pending" else None}
        if status == "expired":
            followed["expire_at"] = now
        if status in LIVING:  # which one that is out of time is not
            ends = {"expire_at": SESSION_LIFETIME, "abandon_at": ABANDONED_AFTER}
            followed |= {name: now + ends[name] for name in ends if session[name] <= now}
        return {**followed, **fields}

    def _activate(self, session: Document, id_or_slug: str | None) -> None:
        try:
            found = None if id_or_slug is None else self._instance.organization(id_or_slug)["id"]
            self._instance.activate_organization(session["id"], found)
        except NotFound:
            what = "organization that the user is a member of"
            raise unknown_thing("organization_id", what) from None

    def _session(self, session_id: str) -> Document:
        try:
            return self._instance.session(session_id)
        except NotFound:
            raise resource_not_found(
                "Session not found", f"No session was found with id {session_id}"
            ) from None
