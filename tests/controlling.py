"""Steering a local Clerk by its control API, and looking at what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt

from .asking import found

if TYPE_CHECKING:
    import requests

    from clerk_wsgi.testing import Emulator

    from .asking import Asker

ROOT = "/_emulator"
STATUSES = ("active", "pending", "revoked", "ended", "expired", "removed", "abandoned", "replaced")


class Control:
    """The control API of one local Clerk."""

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.emulator: Emulator = asker.emulator

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.asker.ask(method, ROOT + path, **options)

    def post(self, path: str, **body: Any) -> requests.Response:
        return self.ask("POST", path, json=body)

    def filled(self, path: str) -> str:
        """A path with ids of things that are there."""
        made = self.emulator.organizations() or [self.emulator.create_organization("Some")]
        [session, *_] = self.emulator.sessions()
        return path.format(organization=made[0]["id"], session=session["id"])

    def sign_in(self, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = found(self.post("/sign_in", **body))
        return answer


def snapshot(emulator: Emulator) -> Any:
    """Everything that a call could have changed."""
    return (
        emulator.users(),
        emulator.organizations(),
        emulator.clients(),
        emulator.sessions(),
        emulator.roles(),
        emulator.jwks(),
        emulator.token_lifetime,
        emulator.faults.latency,
        emulator.faults.failures,
        emulator.faults.limits,
        emulator.requests,
    )


def carried(answer: dict[str, Any]) -> dict[str, str]:
    """The cookies of an answer."""
    cookies = {one["name"]: one["value"] for one in answer["cookies"]}
    assert len(cookies) == len(answer["cookies"])
    return cookies


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
