"""``Requirement``: what a request must have to be let through, and the error if it has not.

docs/protocol.md, "Requirements". Made once, where a view is declared, so that what is malformed
fails there; checked for each request. Which HTTP response an error becomes is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .authorization import Reverification, parse_entitlement, parse_key, parse_reverification
from .errors import ClerkError, Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .authorization import Verification
    from .claims import Auth
    from .machine_auth import MachineAuth

_NOBODY = "session-token-and-uat-missing"
_PENDING = "session-pending"
REVERIFICATION_NEEDED = "reverification-needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Somebody who is signed in and has all that is named; ``None`` asks nothing.

    The fields mean what they mean to ``Auth.has``. Role and permission are kept with ``org:``, a
    dict in ``reverification`` as a ``Reverification``. Raises ``TypeError`` or ``ValueError`` for
    what is malformed and so could never be met.
    """

    role: str | None = None
    permission: str | None = None
    feature: str | None = None
    plan: str | None = None
    reverification: Verification | None = None

    def __post_init__(self) -> None:
        for name, normalise in _NORMALISED.items():
            asked = getattr(self, name)
            if asked is not None:
                object.__setattr__(self, name, _checked(name, normalise, asked))

    def refusal(
        self, auth: Auth | MachineAuth | None, signed_out: ClerkError | None = None
    ) -> ClerkError | None:
        """Return the error that a request earns, ``None`` if it may pass.

        ``signed_out`` is the error if nobody is signed in, such as ``environ["clerk.error"]``:
        it says why, and keeps an outage of Clerk from looking like a sign-out. Whoever lacks
        something that verifying again cannot give is not asked to.
        """
        if not auth:
            return _unauthenticated(auth) if signed_out is None else signed_out
        for name in _NORMALISED:
            asked = getattr(self, name)
            if asked is not None and not auth.has(**{name: asked}):
                return _forbidden(name, asked)
        return None

    def check(self, auth: Auth | MachineAuth | None, signed_out: ClerkError | None = None) -> None:
        """Raise what ``refusal`` returns."""
        error = self.refusal(auth, signed_out)
        if error is not None:
            raise error


def reverification_error(asked: Verification) -> dict[str, Any]:
    """Return the document by which Clerk's front end knows that the user must verify again."""
    config: object = asked
    if not isinstance(asked, str):
        level, minutes = parse_reverification(asked)
        config = {"level": level, "afterMinutes": minutes}
    return {
        "clerk_error": {
            "type": "forbidden",
            "reason": "reverification-error",
            "metadata": {"reverification": config},
        }
    }


def _unauthenticated(auth: Auth | MachineAuth | None) -> Unauthenticated:
    if getattr(auth, "session_status", None) == "pending":
        return Unauthenticated("The session is pending.", reason=_PENDING)
    return Unauthenticated("Nobody is signed in.", reason=_NOBODY)


def _forbidden(name: str, asked: Any) -> Forbidden:
    if name != "reverification":
        return Forbidden(f"The {name} {asked} is missing.", reason=f"{name}-missing")
    return Forbidden(
        "The user must verify again.",
        reason=REVERIFICATION_NEEDED,
        data=reverification_error(asked),
    )


def _checked(name: str, normalise: Callable[[Any], Any], asked: object) -> object:
    try:
        return normalise(asked)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _entitlement(asked: str) -> str:
    parse_entitlement(asked)
    return asked


def _reverification(asked: Verification) -> str | Reverification:
    found = parse_reverification(asked)
    return asked if isinstance(asked, str) else found


# In the order in which they are checked.
_NORMALISED: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "role": parse_key,
        "permission": parse_key,
        "feature": _entitlement,
        "plan": _entitlement,
        "reverification": _reverification,
    }
)
