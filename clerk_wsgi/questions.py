"""What the decision may ask Clerk's Backend API: a small protocol, and how it can fail.

Values only. ``api/backend.py`` answers over HTTP; tests may answer otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODE = re.compile(r"[a-z0-9_-]{1,64}")


class NoAnswer(Exception):
    """Clerk did not answer in a usable way: network, time limit, or more questions than allowed."""


class Refusal(Exception):
    """Clerk answered with an error: ``status`` and its first error's ``code``, if it gave one.

    A code goes into reasons, headers and logs: what is none counts as not given (rule D24).
    """

    def __init__(self, status: int, code: str | None = None) -> None:
        code = code if code and _CODE.fullmatch(code) else None
        super().__init__(f"Clerk answered {status}" + (f" ({code})" if code else ""))
        self.status = status
        self.code = code


class ClerkApi(Protocol):
    """The questions; each returns the parsed JSON of a 2xx answer, ``None`` if it had none.

    Each raises ``NoAnswer`` or ``Refusal``.
    """

    def fetch_handshake_payload(self, nonce: str) -> object:
        """Exchange a handshake's nonce for its directives."""

    def refresh_session(
        self, session_id: str, body: Mapping[str, Any], *, suffixed_cookies: bool
    ) -> object:
        """Have a new token made for an expired one."""

    def verify_machine_token(self, token_type: str, token: str) -> object:
        """Ask what an opaque machine token stands for."""
