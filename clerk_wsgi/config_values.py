"""From what somebody wrote to a value: one parser for each kind of setting.

A parser returns the value or raises ``Unexpected``, whose message says what was expected and
never what was found: it may be a key. Where the text came from is the business of ``config.py``.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from .address import is_ipv6
from .settings import (
    ANY_TOKEN,
    MACHINE_TOKENS,
    SESSION_TOKEN,
    PublishableKey,
    Secret,
    parse_publishable_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

TOKEN_TYPES = frozenset({SESSION_TOKEN, *MACHINE_TOKENS})
MAX_TIMEOUT = 60

_HOST = re.compile(
    r"(?P<name>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
# Visible ASCII without the backslash, which browsers take for a slash.
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#]+)(?P<rest>(?:[/?#][!-\[\]-~]*)?)")
_PATH = re.compile(r"/[!-\[\]-~]*")
_FLAGS = MappingProxyType(
    {
        **dict.fromkeys(("1", "true", "yes", "on"), True),
        **dict.fromkeys(("0", "false", "no", "off"), False),
    }
)


class Unexpected(Exception):
    """A value that will not do; the message completes "expected …"."""


def as_text(value: object) -> str:
    """Return the value if it is a text."""
    if not isinstance(value, str):
        raise Unexpected(f"a text, not {type(value).__name__}")
    return value


def optional(parse: Callable[[str], T]) -> Callable[[object], T | None]:
    """Return a parser that takes an empty text for none."""

    def parse_unless_empty(value: object) -> T | None:
        text = as_text(value)
        return parse(text) if text else None

    return parse_unless_empty


# ---- keys ------------------------------------------------------------------------------------


def parse_secret(text: str) -> Secret:
    """Return the key, whatever its shape, as long as it can stand in a header."""
    if not re.fullmatch(r"[!-~]+", text):
        raise Unexpected("visible ASCII characters only, without spaces and line breaks")
    return Secret(text)


def parse_publishable(text: str) -> PublishableKey:
    """Return the key; says plainly when it is a secret one."""
    if text.startswith("sk_"):
        raise Unexpected("a publishable key, but this is a secret key: keep it from browsers")
    try:
        return parse_publishable_key(text)
    except ValueError:
        raise Unexpected("pk_test_… or pk_live_… with the base64 of a host name and $") from None


def parse_pem(text: str) -> str:
    """Return the text to the last character: ``keys.py`` knows the shapes of a PEM."""
    if not text.strip():
        raise Unexpected("an RSA public key in PEM form")
    return text


# ---- addresses -------------------------------------------------------------------------------


def parse_api_url(text: str) -> str:
    """Return the URL without trailing slashes; the secret key goes there, so nothing is guessed."""
    url = split_url(text)
    if url is None or not re.fullmatch(r"(?:/[^?#]*)?", url["rest"]):
        raise Unexpected("an https URL (http on this machine) without user, query and fragment")
    if url["scheme"] == "http" and not _is_loopback(url["host"]):
        raise Unexpected("an https URL: over http the secret key could be read on the way")
    return text.rstrip("/")


def parse_api_version(text: str) -> str:
    """Return the version, which becomes a segment of a path."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise Unexpected("a version like v1")
    return text


def parse_proxy_url(text: str) -> str:
    """Return an absolute URL or a path; a host without scheme is reached by https."""
    if _PATH.fullmatch(text) or split_url(text):
        return text
    if split_url(f"https://{text}"):
        return f"https://{text}"
    raise Unexpected("an http(s) URL or a path that begins with a slash")


def parse_page_url(text: str) -> str:
    """Return an absolute URL or a path of this host."""
    if not split_url(text) and (text.startswith("//") or not _PATH.fullmatch(text)):
        raise Unexpected("an http(s) URL or a path that begins with one slash")
    return text


def parse_domain(text: str) -> str:
    """Return the host name, which may carry a port."""
    if not _is_host(text):
        raise Unexpected("a host name without scheme and path")
    return text


def split_url(text: str) -> re.Match[str] | None:
    """Return scheme, host and rest of an absolute http(s) URL; ``None`` if it names a user."""
    url = _URL.fullmatch(text)
    return url if url and _is_host(url["host"]) else None


def _is_host(text: str) -> bool:
    host = _HOST.fullmatch(text)
    if host is None or not 0 < int(host["port"] or 443) < 1 << 16:
        return False
    return not text.startswith("[") or is_ipv6(host["name"][1:-1])


def _is_loopback(host: str) -> bool:
    name = re.sub(r":[0-9]+\Z", "", host)
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


# ---- numbers and flags -----------------------------------------------------------------------


def parse_flag(value: object) -> bool:
    """Return the value if it is a bool: a text such as "false" would count as true."""
    if not isinstance(value, bool):
        raise Unexpected(f"True or False, not {type(value).__name__}")
    return value


def flag_from_text(text: str) -> bool:
    """Return what the text of a variable means."""
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise Unexpected("1, true, yes or on; or 0, false, no or off") from None


def parse_seconds(value: object) -> float:
    """Return a finite number of seconds, also a negative one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unexpected(f"a number of seconds, not {type(value).__name__}")
    if not abs(value) <= sys.float_info.max:  # written so that NaN fails too
        raise Unexpected("a finite number of seconds")
    return float(value)


def parse_age(value: object) -> float:
    """Return a number of seconds that is not negative."""
    seconds = parse_seconds(value)
    if seconds < 0:
        raise Unexpected("0 seconds or more")
    return seconds


def parse_timeout(value: object) -> float:
    """Return a number of seconds that somebody may have to wait for."""
    seconds = parse_seconds(value)
    if not 0 < seconds <= MAX_TIMEOUT:
        raise Unexpected(f"more than 0 and at most {MAX_TIMEOUT} seconds")
    return seconds


def seconds_from_text(text: str) -> float:
    """Return the number: digits, with a decimal point if need be."""
    if not re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text.strip()):
        raise Unexpected("a number of seconds like 3 or 2.5")
    return float(text)


# ---- lists and choices -----------------------------------------------------------------------


def parse_texts(value: object) -> tuple[str, ...]:
    """Return the entries; a single text is one entry, never its characters (rule D16)."""
    if isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray, Mapping)):
        raise Unexpected(f"a text or a list of texts, not {type(value).__name__}")
    return tuple(as_text(entry) for entry in value)


def entries_from_text(text: str) -> list[str]:
    """Return what stands between the commas."""
    entries = [entry.strip() for entry in text.split(",")]
    if not any(entries):  # an empty list would switch off what the variable was set for
        raise Unexpected("entries with commas between them")
    return [entry for entry in entries if entry]


def parse_accepts_token(value: object) -> str | tuple[str, ...]:
    """Return a type of token, ``"any"``, or several types (rule D19)."""
    if isinstance(value, str) and value in {ANY_TOKEN, *TOKEN_TYPES}:
        return value
    types = parse_texts(value)
    if isinstance(value, str) or not TOKEN_TYPES.issuperset(types):
        names = ", ".join(sorted(TOKEN_TYPES))
        raise Unexpected(f"one of {names}, a list of them, or {ANY_TOKEN} alone")
    return types


def parse_verification(text: str) -> str:
    """Return the way to verify."""
    if text not in {"token", "live"}:
        raise Unexpected("token or live")
    return text
