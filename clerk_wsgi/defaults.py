"""``sessions``, ``clients``, ``users`` and ``organizations`` of the default instance.

It is made on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .api.organizations import OrganizationsApi
from .api.resources import ClientsApi, SessionsApi, UsersApi
from .clerk import default_clerk

if TYPE_CHECKING:
    from .api.client import ApiClient


def _api() -> ApiClient:
    return default_clerk().api


sessions = SessionsApi(_api)
clients = ClientsApi(_api)
users = UsersApi(_api)
organizations = OrganizationsApi(_api)
