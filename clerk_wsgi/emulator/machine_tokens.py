"""Machines and what they authenticate with: API keys, M2M tokens and OAuth access tokens.

Only opaque ones are kept here: about a JWT nobody asks Clerk. docs/protocol.md, "Machine tokens".
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from .directory import Directory
from .errors import NotFound
from .ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .objects import Document

API_KEY = "api_key"
M2M_TOKEN = "machine_to_machine_token"
OAUTH_TOKEN = "clerk_idp_oauth_access_token"
_PREFIXES = {API_KEY: "ak", M2M_TOKEN: "mt", OAUTH_TOKEN: "oat"}
_SUBJECTS = ("user", "organization", "machine")
_SECRET = "machine_token_secret"


class MachineDirectory(Directory):
    """A directory with machines and machine tokens in it.

    Unknown ids raise ``NotFound``. Tokens count for ``expires_in`` seconds, for ever if that is
    ``None``; the text of a token is only in what its creation returns.
    """

    def create_machine(self, name: str = "A machine") -> Document:
        """Return a new machine; its ``secret_key`` may ask about the tokens meant for it."""
        now = self.milliseconds()
        created = {
            "object": "machine",
            "id": new_id("mch"),
            "name": name,
            "secret_key": new_id("ak"),
            "created_at": now,
            "updated_at": now,
        }
        self._store.put(created)
        return created

    def machine_of(self, secret_key: str) -> Document | None:
        """Return the machine with this secret key, or ``None``."""
        return next(iter(self._store.find("machine", secret_key=secret_key)), None)

    def create_api_key(
        self,
        subject: str,
        *,
        name: str = "An API key",
        scopes: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        expires_in: int | None = None,
    ) -> Document:
        """Return a new API key of a user, an organization or a machine, its text as ``secret``."""
        if not self._is_known(subject):
            raise NotFound(f"there is no user, organization or machine {subject!r}")
        fields = {
            "type": API_KEY,
            "name": name,
            "description": None,
            "claims": None if claims is None else dict(claims),
            "created_by": subject if subject.startswith("user_") else None,
            "last_used_at": None,
        }
        kept, secret = self._create(API_KEY, subject, scopes, expires_in, fields)
        return {**kept, "secret": secret}

    def create_m2m_token(
        self,
        machine_id: str,
        *,
        scopes: Iterable[str] = (),
        claims: Mapping[str, Any] | None = None,
        expires_in: int | None = None,
    ) -> Document:
        """Return a new M2M token of a machine, its text as ``token``.

        ``scopes`` are the ids of the machines that it is meant for.
        """
        self._find("machine", machine_id)
        fields = {"claims": None if claims is None else dict(claims), "last_used_at": None}
        kept, token = self._create(M2M_TOKEN, machine_id, scopes, expires_in, fields)
        return {**kept, "token": token}

    def create_oauth_token(
        self,
        user_id: str,
        *,
        client_id: str = "a_client",
        scopes: Iterable[str] = ("profile", "email"),
        expires_in: int | None = None,
    ) -> Document:
        """Return a new access token that a user has granted to an OAuth client, as ``token``."""
        self._find("user", user_id)
        kept, token = self._create(
            OAUTH_TOKEN, user_id, scopes, expires_in, {"client_id": client_id}
        )
        return {**kept, "token": token}

    def revoke_machine_token(self, token_id: str, *, reason: str | None = None) -> Document:
        """Let a machine token of any kind count no more, and return it."""
        with self._store.transaction():
            kind = next((one for one in _PREFIXES if self._store.get(one, token_id)), None)
            if kind is None:
                raise NotFound(f"there is no machine token {token_id!r}")
            return self._update(kind, token_id, {"revoked": True, "revocation_reason": reason})

    def machine_token(self, kind: str, text: str) -> Document | None:
        """Return the token of a kind that has this text, if it counts now, else ``None``."""
        known = self._store.get(_SECRET, text)
        found = known and self._store.get(kind, known["token_id"])
        if not found or found["revoked"] or self._is_over(found):
            return None
        return found if self._is_known(found["subject"]) else None

    def _create(
        self,
        kind: str,
        subject: str,
        scopes: Iterable[str],
        expires_in: int | None,
        fields: Document,
    ) -> tuple[Document, str]:
        """Return a new token as it is kept, and its text."""
        now = self.milliseconds()
        prefix = _PREFIXES[kind]
        created = {
            "object": kind,
            "id": f"{prefix}_{secrets.token_hex(16)}",
            "subject": subject,
            "scopes": list(scopes),
            "revoked": False,
            "revocation_reason": None,
            "expired": False,
            "expiration": None if expires_in is None else now + expires_in * 1000,
            "created_at": now,
            "updated_at": now,
            **fields,
        }
        text = new_id(prefix)
        with self._store.transaction():
            self._store.put(created)
            self._store.put({"object": _SECRET, "id": text, "token_id": created["id"]})
        return created, text

    def _is_known(self, subject: str) -> bool:
        return any(self._store.get(kind, subject) for kind in _SUBJECTS)

    def _is_over(self, token: Document) -> bool:
        expiration = token["expiration"]
        return expiration is not None and self.milliseconds() >= int(expiration)
