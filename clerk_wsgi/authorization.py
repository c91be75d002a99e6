"""What a session allows, question by question. Values only.

docs/protocol.md, "Authorization". ``parse_…`` turn a question into what can be compared and raise
``TypeError`` or ``ValueError`` for one that is malformed; ``Grants`` answers, and such a question
with no.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

Level = Literal["first_factor", "second_factor", "multi_factor"]
Preset = Literal["strict_mfa", "strict", "moderate", "lax"]

LEVELS: tuple[str, ...] = get_args(Level)
# Letters of the claims by the scope that a question names.
_SCOPES = MappingProxyType(
    {**dict.fromkeys(("o", "org", "organization"), "o"), **dict.fromkeys(("u", "user"), "u")}
)
_CLAIMED_SCOPES = ("o", "u", "ou", "uo")
_NAME = re.compile(r"[^\s,]+")
_PREFIXES = re.compile(r"\A(?:org:)*")
# What JavaScript's trim() takes away; Python's strip() knows other characters.
_BLANK = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)


class Reverification(NamedTuple):
    """A recent verification: of which factor, and less than how many minutes ago."""

    level: Level
    after_minutes: float


Verification = Preset | Reverification | Mapping[str, object]

PRESETS: Mapping[str, Reverification] = MappingProxyType(
    {
        "strict_mfa": Reverification("multi_factor", 10),
        "strict": Reverification("second_factor", 10),
        "moderate": Reverification("second_factor", 60),
        "lax": Reverification("second_factor", 1440),
    }
)


# ---- questions -------------------------------------------------------------------------------


def parse_key(asked: object) -> str:
    """Return the key of a role or a permission with one ``org:`` before it, however many had it."""
    rest = _PREFIXES.sub("", _text(asked))
    return f"org:{_name(rest, asked)}"


def parse_entitlement(asked: object) -> tuple[str, str]:
    """Return the scope of a feature or a plan, ``o``, ``u`` or empty for either, and its slug."""
    scope, colon, slug = _text(asked).rpartition(":")
    if colon and scope not in _SCOPES:
        raise ValueError(f"expected a slug, org:slug or user:slug, not {asked!r}")
    return _SCOPES.get(scope, ""), _name(slug, asked)


def parse_reverification(asked: object) -> Reverification:
    """Return what a preset stands for, or a level and minutes that were checked."""
    if isinstance(asked, str):
        if asked not in PRESETS:
            raise ValueError(f"expected one of {', '.join(PRESETS)}, not {asked!r}")
        return PRESETS[asked]
    found = asked if isinstance(asked, Reverification) else _from_mapping(asked)
    if found.level not in LEVELS:
        raise ValueError(f"level: expected one of {', '.join(LEVELS)}, not {found.level!r}")
    if not _is_number(found.after_minutes) or found.after_minutes <= 0:
        raise ValueError(f"after_minutes: expected more than 0, not {found.after_minutes!r}")
    return found


def _text(asked: object) -> str:
    if not isinstance(asked, str):
        raise TypeError(f"expected a text, not {type(asked).__name__}")
    return asked


def _name(text: str, asked: object) -> str:
    # Claims are lists with commas between the names: one with a comma in it cannot be there.
    if not _NAME.fullmatch(text):
        raise ValueError(f"expected a name without white space and commas, not {asked!r}")
    return text


def _from_mapping(asked: object) -> Reverification:
    if not isinstance(asked, Mapping):
        raise TypeError(f"expected a preset, a Reverification or a dict, not {asked!r}")
    for minutes in ("after_minutes", "afterMinutes"):
        if asked.keys() == {"level", minutes}:
            return Reverification(asked["level"], asked[minutes])
    raise ValueError(f"expected level and after_minutes, not {', '.join(map(str, asked))}")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max  # written so that NaN fails too


# ---- answers ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What the claims of a session say about what its user may do.

    ``features`` and ``plans`` are the claims themselves, whatever their shape; ``factor_ages``
    are minutes, -1 for never.
    """

    org_id: str | None
    role: str | None
    permissions: tuple[str, ...] | None
    features: object
    plans: object
    factor_ages: tuple[float, float] | None

    def allow(
        self,
        *,
        role: object = None,
        permission: object = None,
        feature: object = None,
        plan: object = None,
        reverification: object = None,
    ) -> bool:
        """Say whether all that is asked is granted; if nothing is, the answer is no."""
        answers: tuple[tuple[object, Callable[[Any], bool]], ...] = (
            (role, self._has_role),
            (permission, self._has_permission),
            (feature, lambda slug: _is_entitled(slug, self.features)),
            (plan, lambda slug: _is_entitled(slug, self.plans)),
            (reverification, self._is_verified),
        )
        asked = [(question, answer) for question, answer in answers if question is not None]
        try:
            return bool(asked) and all(answer(question) for question, answer in asked)
        except (TypeError, ValueError):
            return False

    def _has_role(self, role: object) -> bool:
        held = self.role if self.org_id else None
        return bool(held) and _PREFIXES.sub("org:", held or "") == parse_key(role)

    def _has_permission(self, permission: object) -> bool:
        held = self.permissions if self.org_id else None
        return parse_key(permission) in (held or ())

    def _is_verified(self, reverification: object) -> bool:
        level, minutes = parse_reverification(reverification)
        if self.factor_ages is None or not all(map(_is_age, self.factor_ages)):
            return False
        first, second = (age != -1 and age < minutes for age in self.factor_ages)
        if self.factor_ages[1] == -1 or level == "first_factor":
            return first  # nobody is asked for a second factor that they do not have
        return second if level == "second_factor" else first and second


def _is_entitled(asked: object, claim: object) -> bool:
    scope, slug = parse_entitlement(asked)
    return any(scope in held and slug == name for held, name in _entitlements(claim))


def _entitlements(claim: object) -> list[tuple[str, str]]:
    """Return scope and slug of each entry; a claim with an entry that has no scope has none."""
    if not isinstance(claim, str):
        return []
    entries = [entry.strip(_BLANK).partition(":") for entry in claim.split(",")]
    if not all(colon for _, colon, _ in entries):
        return []
    return [(scope, slug) for scope, _, slug in entries if scope in _CLAIMED_SCOPES]


def _is_age(minutes: float) -> bool:
    return _is_number(minutes) and (minutes == -1 or minutes >= 0)
