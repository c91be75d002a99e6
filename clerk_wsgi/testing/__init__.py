"""For tests of applications: a local Clerk, people who are signed in, and tokens of all kinds.

    emulator = Emulator()
    with as_default(clerk_for(emulator)):
        browser = TestApp(require_session(app))
    sign_in(emulator, browser, org_role="org:admin")

    with start_emulator() as clerk_server:
        clerk = Clerk(secret_key=clerk_server.emulator.secret_key, api_url=clerk_server.url)

What is made here signs real tokens; nothing of ``clerk_wsgi`` is replaced or patched. ``plugin``
has all of it as fixtures of pytest, which loads it by itself; so nothing is imported here before
it is asked for. docs/testing.md tells the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..emulator import Emulator
    from .clock import FrozenClock
    from .credentials import Credentials, SignOut, bearer, sign_out
    from .django_client import wrap_django_client
    from .instances import as_default, clerk_for
    from .people import Identity, SignIn, Who, sign_in
    from .running import RunningEmulator, start_emulator
    from .socketless import in_process
    from .tokens import Tokens

__all__ = [
    "Credentials",
    "Emulator",
    "FrozenClock",
    "Identity",
    "RunningEmulator",
    "SignIn",
    "SignOut",
    "Tokens",
    "Who",
    "as_default",
    "bearer",
    "clerk_for",
    "in_process",
    "sign_in",
    "sign_out",
    "start_emulator",
    "wrap_django_client",
]

_MODULES = {
    "Credentials": ".credentials",
    "Emulator": "..emulator",
    "FrozenClock": ".clock",
    "Identity": ".people",
    "RunningEmulator": ".running",
    "SignIn": ".people",
    "SignOut": ".credentials",
    "Tokens": ".tokens",
    "Who": ".people",
    "as_default": ".instances",
    "bearer": ".credentials",
    "in_process": ".socketless",
    "clerk_for": ".instances",
    "sign_in": ".people",
    "sign_out": ".credentials",
    "start_emulator": ".running",
    "wrap_django_client": ".django_client",
}


def __getattr__(name: str) -> Any:
    """Return what is imported from here, loaded when it is first asked for (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
