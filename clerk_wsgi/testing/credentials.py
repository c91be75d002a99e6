"""What a request carries to be somebody, and how a test client is made to carry it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..settings import parse_publishable_key
from .clients import luggage_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..emulator import Emulator

Client = TypeVar("Client")
AUTHORIZATION = "Authorization"
# Cookies of an application's host, each there plainly and with the suffix of the instance.
_COOKIES = ("__session", "__client_uat", "__clerk_db_jwt", "__refresh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Headers and cookies by name; give them to ``client.get(…, headers=…)`` or ``apply`` them."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """The same as keys of a WSGI environ."""
        return self.apply({})

    def apply(self, client: Client) -> Client:
        """Let every further request of a client carry them, and return the client.

        It is a client of WebTest, Flask, Werkzeug, Django or requests, or the environ of a
        request; ``TypeError`` for anything else. Other cookies and headers stay as they are.
        """
        luggage = luggage_of(client)
        for name, value in self.headers.items():
            luggage.set_header(name, value)
        for name, value in self.cookies.items():
            luggage.set_cookie(name, value)
        return client


def bearer(token: str) -> Credentials:
    """Return the header that carries a token of any class."""
    return Credentials(headers={AUTHORIZATION: f"Bearer {token}"})


class SignOut(Protocol):
    """``sign_out`` for one local Clerk, as the fixture ``signed_out`` gives it."""

    def __call__(self, client: Client, /) -> Client: ...


def sign_out(emulator: Emulator, client: Client) -> Client:
    """Take a token and the instance's cookies off a client of any kind, and return it.

    Nothing changes at the emulator: a session ends by ``emulator.update_session``.
    """
    luggage = luggage_of(client)
    luggage.remove_header(AUTHORIZATION)
    for name in cookie_names(emulator):
        luggage.remove_cookie(name)
    return client


def cookie_names(emulator: Emulator) -> list[str]:
    """Return the names of all cookies by which an application knows a browser."""
    suffix = parse_publishable_key(emulator.publishable_key).suffix
    return [copy for name in _COOKIES for copy in (name, f"{name}_{suffix}")]
