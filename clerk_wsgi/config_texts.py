"""Settings that are written down as texts, as in an ``.ini`` file: all of them, and what they mean.

For frameworks whose configuration knows nothing but texts. A value that is no text is left as it
is, so that code may give it. What a setting may be is the business of ``config.py`` and
``gate.py``.
"""

from __future__ import annotations

import pkgutil
import re
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .clerk import Clerk
from .config_values import Unexpected, flag_from_text, seconds_from_text
from .errors import ConfigurationError
from .settings import SettingArguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .gate import ClerkChooser

    FromText = Callable[[str], object]


def entries_from_text(text: str) -> list[str]:
    """Return what stands between white space, lines and commas."""
    return _some(re.split(r"[\s,]+", text), "entries with white space or commas between them")


def paths_from_text(text: str) -> list[str]:
    """Return paths or patterns: a comma within one, as in ``(.{1,3})``, belongs to it.

    ``/admin,/bills`` is refused: as a single path it would leave both without what they need.
    """
    expected = "paths with white space between them"
    if ",/" in text:
        raise Unexpected(expected)
    return _some(re.split(r",?\s+|,\Z", text), expected)


def types_from_text(text: str) -> str | list[str]:
    """Return a single entry as a text, because ``any`` stands alone, and several as a list."""
    entries = entries_from_text(text)
    return entries[0] if len(entries) == 1 else entries


def object_from_text(text: str) -> object:
    """Return what ``package.module:name`` stands for, also with a dot in the colon's place."""
    try:
        return pkgutil.resolve_name(text.strip())
    except (ValueError, ImportError, AttributeError) as error:
        raise Unexpected(f"package.module:name ({error})") from None


_NOTHING_MORE: Mapping[str, FromText] = MappingProxyType({})

# How settings are read that are no texts themselves.
_FROM_TEXT: Mapping[str, FromText] = MappingProxyType(
    {
        **dict.fromkeys(("is_satellite", "satellite_auto_sync", "trust_forwarded"), flag_from_text),
        **dict.fromkeys(("clock_skew", "timeout", "keys_ttl", "stale_keys"), seconds_from_text),
        "people_ttl": seconds_from_text,
        **dict.fromkeys(("authorized_parties", "audience", "issuer"), entries_from_text),
        "accepts_token": types_from_text,
        "organization_patterns": paths_from_text,
        "personal_account_patterns": paths_from_text,
    }
)

# The arguments of ``Clerk``, what may stand in their place, and the options of a wrapper.
SETTINGS: Mapping[str, FromText] = MappingProxyType(
    {
        "dotenv": flag_from_text,
        **{name: _FROM_TEXT.get(name, str) for name in SettingArguments.__annotations__},
    }
)
INSTANCE: Mapping[str, FromText] = MappingProxyType({"instance": object_from_text})
OPTIONS: Mapping[str, FromText] = MappingProxyType(
    {
        **dict.fromkeys(("on_error", "error_response", "on_decision"), object_from_text),
        **dict.fromkeys(("debug_headers", "remote_user"), flag_from_text),
        "exempt": paths_from_text,
    }
)
# What may be required of a request.
REQUIREMENTS: Mapping[str, FromText] = MappingProxyType(
    dict.fromkeys(("role", "permission", "feature", "plan", "reverification"), str)
)


def parse_wrapper(
    given: Mapping[str, Any], more: Mapping[str, FromText] = _NOTHING_MORE, *, prefix: str = ""
) -> tuple[Clerk | ClerkChooser | None, dict[str, Any], dict[str, Any]]:
    """Return the instance (``None``: the default one), a wrapper's options, and what is ``more``.

    ``instance`` names a ``Clerk`` or a function of environ; else the settings make one, if there
    are any. Raises ``ConfigurationError`` as ``parse_all`` and ``Clerk`` do.
    """
    settings, named, options, rest = parse_all(
        given, SETTINGS, INSTANCE, OPTIONS, more, prefix=prefix
    )
    try:
        if named and settings:
            names = ", ".join(prefix + name for name in settings)
            raise ConfigurationError(f"{prefix}instance has settings of its own: leave out {names}")
        return Clerk(**settings) if settings else named.get("instance"), options, rest
    finally:
        settings.clear()  # no traceback through this frame shows a key


def parse_all(
    given: Mapping[str, Any], *known: Mapping[str, FromText], prefix: str = ""
) -> list[dict[str, Any]]:
    """Return the values of what is given, one dict for each of the ``known`` groups of names.

    ``prefix`` stands before the names in messages. Raises ``ConfigurationError`` for a name that
    is in no group and for a text without a meaning; the message does not show it.
    """
    names = sorted(name for group in known for name in group)
    for name in given:
        if name not in names:
            raise _unknown(name, names, prefix)
    return [_parse_group(given, group, prefix) for group in known]


def _parse_group(
    given: Mapping[str, Any], group: Mapping[str, FromText], prefix: str
) -> dict[str, Any]:
    return {
        name: _value(f"{prefix}{name}", value, group[name])
        for name, value in given.items()
        if name in group
    }


def _value(name: str, value: object, from_text: FromText) -> object:
    if not isinstance(value, str):
        return value
    try:
        return from_text(value)
    except Unexpected as unexpected:
        expected = str(unexpected)
    # Raised out here so that neither the cause nor a frame of the traceback holds the value.
    del value
    raise ConfigurationError(f"{name}: expected {expected}")


def _unknown(name: str, names: list[str], prefix: str) -> ConfigurationError:
    alike = get_close_matches(name, names, n=1)
    hint = f"did you mean {prefix}{alike[0]}?" if alike else f"there are {', '.join(names)}"
    return ConfigurationError(f"{prefix}{name}: there is no such setting; {hint}")


def _some(entries: list[str], expected: str) -> list[str]:
    """Return entries that are not empty; a list of none would switch off what it is for."""
    found = [entry for entry in entries if entry]
    if not found:
        raise Unexpected(expected)
    return found
