"""What a ``Clerk`` instance was told: plain, validated, immutable values.

Reading arguments, environment variables and ``.env`` files is the business of ``config.py``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SESSION_TOKEN = "session_token"
API_KEY = "api_key"
M2M_TOKEN = "m2m_token"
OAUTH_TOKEN = "oauth_token"
MACHINE_TOKENS = (API_KEY, M2M_TOKEN, OAUTH_TOKEN)
ANY_TOKEN = "any"

_PUBLISHABLE_KEY = re.compile(r"pk_(test|live)_([A-Za-z0-9+/]+)(={0,2})")
_FRONTEND_API = re.compile(rb"([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::[0-9]{1,5})?)\$")


class Secret:
    """A text that shows itself only when asked by name: not in ``str``, ``repr`` or a pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one line that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishableKey:
    """A parsed ``pk_test_…`` or ``pk_live_…`` (docs/protocol.md, "Keys").

    ``frontend_api`` is the host that the key names, without a scheme.
    """

    text: str
    instance_type: Literal["development", "production"]
    frontend_api: str

    @property
    def suffix(self) -> str:
        """What follows ``_`` in the names of this instance's cookies: eight characters."""
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).digest()
        return base64.urlsafe_b64encode(digest)[:8].decode()


def parse_publishable_key(text: str) -> PublishableKey:
    """Return the parts of a publishable key.

    The key is ``pk_test_`` or ``pk_live_`` and the canonical standard base64, padded or not, of
    a host name and a ``$``. Raises ``ValueError``, whose message does not repeat the text.
    """
    shape = _PUBLISHABLE_KEY.fullmatch(text)
    host = _FRONTEND_API.fullmatch(_decode_base64(shape[2], shape[3])) if shape else None
    if shape is None or host is None:
        raise ValueError("no publishable key")
    return PublishableKey(
        text=text,
        instance_type="development" if shape[1] == "test" else "production",
        frontend_api=host[1].decode("ascii"),
    )


def _decode_base64(body: str, padding: str) -> bytes:
    """Return the bytes, none for what is no base64 or is a second spelling of it."""
    full = "=" * (-len(body) % 4)
    try:
        decoded = base64.b64decode(body + full, validate=True)
    except binascii.Error:
        return b""
    canonical = base64.b64encode(decoded).decode("ascii") == body + full
    return decoded if canonical and padding in ("", full) else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting after validation; times in seconds, ``api_url`` without a trailing slash.

    ``proxy_url`` is an absolute URL or a path that begins with a slash, otherwise as given: what
    its trailing slashes or its query mean is for the one who joins it. So are the URLs of pages,
    and ``sign_in_url`` is absolute for a satellite. ``audience`` and ``issuer`` may hold empty
    entries.
    ``sources`` maps each setting that was given to where its value came from, for messages.
    """

    secret_key: Secret | None = None
    publishable_key: PublishableKey | None = None
    jwt_key: str | None = field(default=None, repr=False)
    machine_secret_key: Secret | None = None
    api_url: str = "https://api.clerk.com"
    api_version: str = "v1"
    proxy_url: str | None = None
    domain: str | None = None
    is_satellite: bool = False
    sign_in_url: str | None = None
    sign_up_url: str | None = None
    account_url: str | None = None
    sign_out_url: str | None = None
    satellite_auto_sync: bool = False
    authorized_parties: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    issuer: tuple[str, ...] = ()
    clock_skew: float = 5.0
    accepts_token: str | tuple[str, ...] = SESSION_TOKEN
    organization_patterns: tuple[str, ...] = ()
    personal_account_patterns: tuple[str, ...] = ()
    verification: Literal["token", "live"] = "token"
    trust_forwarded: bool = False
    timeout: float = 3.0
    keys_ttl: float = 300.0
    stale_keys: float = 3600.0
    people_ttl: float = 0.0
    sources: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), repr=False, compare=False
    )


class SettingArguments(TypedDict, total=False):
    """What ``Clerk(…)`` takes by keyword, before validation; ``None`` counts as not given.

    Times are seconds. README.md, "Settings", says what each means and which environment
    variable stands for it.
    """

    secret_key: str | None
    publishable_key: str | None
    jwt_key: str | None
    machine_secret_key: str | None
    api_url: str | None
    api_version: str | None
    proxy_url: str | None
    domain: str | None
    is_satellite: bool | None
    sign_in_url: str | None
    sign_up_url: str | None
    account_url: str | None
    sign_out_url: str | None
    satellite_auto_sync: bool | None
    authorized_parties: str | Iterable[str] | None
    audience: str | Iterable[str] | None
    issuer: str | Iterable[str] | None
    clock_skew: float | None
    accepts_token: str | Iterable[str] | None
    organization_patterns: Iterable[str] | None
    personal_account_patterns: Iterable[str] | None
    verification: str | None
    trust_forwarded: bool | None
    timeout: float | None
    keys_ttl: float | None
    stale_keys: float | None
    people_ttl: float | None
