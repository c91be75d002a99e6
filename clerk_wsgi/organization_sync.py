"""Organization sync: the path of a page says which organization must be active.

docs/protocol.md, "Organization sync". Patterns are those of ``patterns.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .patterns import PathPattern, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .address import Address
    from .claims import Auth


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a path asks for: an organization by id or slug, or with neither a personal account."""

    id: str | None = None
    slug: str | None = None

    @property
    def parameter(self) -> str:
        """The value of ``organization_id`` in a handshake."""
        return self.id or self.slug or ""

    def is_active(self, auth: Auth) -> bool:
        """Say whether the session has it already."""
        if self.id:
            return self.id == auth.org_id
        if self.slug:
            return self.slug == auth.org_slug
        return not auth.org_id


class OrganizationSync:
    """The patterns of one instance; a bad pattern raises ``BadPattern``."""

    def __init__(self, organizations: Sequence[str], personal_accounts: Sequence[str]) -> None:
        self._organizations = _compiled(organizations)
        self._personal_accounts = _compiled(personal_accounts)

    def wanted(self, address: Address) -> Wanted | None:
        """Return what an address asks for, ``None`` if nothing.

        The first organization pattern that matches decides, by its ``:id``, else its ``:slug``;
        with neither, or without a match, the personal patterns are tried.
        """
        path = address.path
        matches = (one.match(path) for one in self._organizations)
        parameters = next((match for match in matches if match is not None), {})
        if parameters.get("id"):
            return Wanted(id=parameters["id"])
        if parameters.get("slug"):
            return Wanted(slug=parameters["slug"])
        if any(one.match(path) is not None for one in self._personal_accounts):
            return Wanted()
        return None


def _compiled(patterns: Sequence[str]) -> tuple[PathPattern, ...]:
    return tuple(compile_pattern(pattern) for pattern in patterns)
