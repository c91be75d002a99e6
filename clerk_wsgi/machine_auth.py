"""``MachineAuth``: who is asking when a machine token was accepted. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .claims import Claims, copied
from .settings import API_KEY, M2M_TOKEN, OAUTH_TOKEN

if TYPE_CHECKING:
    from .authorization import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineAuth:
    """What a machine token may do; falsy when it was refused, and then every field is ``None``.

    ``id`` is the token's own id, ``subject`` whom it stands for. ``token_type`` is ``None`` where
    a list of types was accepted and the token is of none.
    """

    token_type: str | None
    is_authenticated: bool = False
    id: str | None = None
    subject: str | None = None
    scopes: tuple[str, ...] | None = None
    _claims: Claims | None = field(default=None, repr=False, compare=False)

    def __bool__(self) -> bool:
        return self.is_authenticated

    @property
    def claims(self) -> Claims | None:
        """The token's own claims, copied."""
        claims: Claims | None = copied(self._claims)
        return claims

    def has(
        self,
        *,
        role: str | None = None,
        permission: str | None = None,
        feature: str | None = None,
        plan: str | None = None,
        reverification: Verification | None = None,
    ) -> bool:
        """Return ``False``: a machine has none of these, whoever it stands for; ask ``scopes``."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyAuth(MachineAuth):
    """An API key of a user (``user_id``) or of an organization (``org_id``)."""

    name: str | None = None
    user_id: str | None = None
    org_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class M2MAuth(MachineAuth):
    """An M2M token of a machine, ``mch_…``."""

    machine_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthAuth(MachineAuth):
    """An OAuth access token: the user who granted it, and the client that has it."""

    user_id: str | None = None
    client_id: str | None = None


_KINDS: dict[str | None, type[MachineAuth]] = {
    API_KEY: ApiKeyAuth,
    M2M_TOKEN: M2MAuth,
    OAUTH_TOKEN: OAuthAuth,
}


def refused_machine(token_type: str | None) -> MachineAuth:
    """Return the ``MachineAuth`` of nobody, of the class that belongs to a token type."""
    return _KINDS.get(token_type, MachineAuth)(token_type=token_type)
