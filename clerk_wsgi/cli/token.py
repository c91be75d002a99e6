"""``clerk-wsgi token``: print a session token."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.transport import Transport, Unreachable
from ..config import load_settings
from ..emulator import Emulator, forge
from ..emulator.errors import Refusal
from ..emulator.sign_in import SignIns
from ..errors import ApiError, ClerkUnavailable
from .errors import UsageError

if TYPE_CHECKING:
    import argparse

    from ..api.transport import Answer


def run(options: argparse.Namespace) -> int:
    """Print one session token."""
    token = _ask_for_token(options) if options.url else _mint_from_state(options)
    print(forge(token) if options.forged else token)
    return 0


def _mint_from_state(options: argparse.Namespace) -> str:
    if not Path(options.state).is_file():
        raise UsageError(
            f"there is no state {options.state}: start 'clerk-wsgi emulator' first,"
            " or name its --state or --url"
        )
    emulator = Emulator(options.state)
    try:
        session_id = _session_id(emulator, options)
        times = _times_of_an_expired_token(options.expires_in) if options.expired else {}
        return emulator.session_token(session_id, expires_in=options.expires_in, **times)
    finally:
        emulator.close()


def _session_id(emulator: Emulator, options: argparse.Namespace) -> str:
    """Return the session asked for, else an active one of the user, else a new one."""
    user = _user(emulator, options.user) if options.user else None
    if options.session:
        session = emulator.session(options.session)
        if user is not None and session["user_id"] != user["id"]:
            raise UsageError(f"session {options.session} is not one of user {options.user}")
    else:
        user = user or _first_user(emulator)
        active = emulator.sessions(user_id=user["id"], status="active")
        session = active[-1] if active else emulator.create_session(user["id"])
    return str(session["id"])


def _user(emulator: Emulator, name: str) -> dict[str, Any]:
    """Return the user with this id, email address or username."""
    try:
        return SignIns(emulator).find_user(name)
    except Refusal:
        return emulator.user(name)


def _first_user(emulator: Emulator) -> dict[str, Any]:
    users = emulator.users()
    if not users:
        raise UsageError(f"there is no user in the state {emulator.state}")
    return users[0]


def _times_of_an_expired_token(lifetime: int) -> dict[str, int]:
    expired = int(time.time()) - 60
    issued = expired - lifetime
    return {"exp": expired, "iat": issued, "nbf": issued - 10}


def _ask_for_token(options: argparse.Namespace) -> str:
    if options.expired:
        raise UsageError("no Clerk mints expired tokens: --expired needs --state")
    if not options.session or options.user:
        raise UsageError("--url needs a --session, and no --user")
    if not re.fullmatch("[A-Za-z0-9_-]{1,128}", options.session):
        raise UsageError("--session: that is not the id of a session")
    return _fetch_token(options)


def _fetch_token(options: argparse.Namespace) -> str:
    given = {"secret_key": options.secret_key} if options.secret_key else {}
    settings = load_settings(api_url=options.url, **given)
    if settings.secret_key is None:
        raise UsageError("--url needs a --secret-key, or the setting CLERK_SECRET_KEY")
    transport = Transport(
        None,
        base_url=settings.api_url,
        api_version=settings.api_version,
        timeout=settings.timeout,
    )
    try:
        answer = transport.call(
            "POST",
            f"/sessions/{options.session}/tokens",
            secret=settings.secret_key,
            json={"expires_in_seconds": options.expires_in},
        )
    except Unreachable as error:
        raise ClerkUnavailable(f"no Clerk answers at {settings.api_url}: {error}") from error
    return _token_in(answer)


def _token_in(answer: Answer) -> str:
    """Return the token of an answer, or raise the ``ApiError`` that it stands for."""
    try:
        document = answer.json()
        if answer.status == HTTPStatus.OK:
            return str(document["jwt"])
        text = document["errors"][0]["long_message"]
    except (ValueError, LookupError, TypeError):
        text = "that is not an answer of Clerk's API"
    raise ApiError(f"{answer.status}: {text}", status_code=answer.status)
