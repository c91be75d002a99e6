"""The kit as fixtures: pytest loads this by itself wherever the package is installed.

It does so in every run, whether a test uses a fixture or not: nothing else of the kit is imported
here before one is used, and nothing is ever changed that a test did not ask for.
"""

from __future__ import annotations

from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..clerk import Clerk
    from ..emulator import Emulator, SigningKey
    from .clock import FrozenClock
    from .credentials import SignOut
    from .people import SignIn
    from .running import RunningEmulator
    from .tokens import Tokens

_MARK = (
    "clerk(**options): options of the local Clerk (publishable_key, seed, …) and settings of the"
    " instance (accepts_token, authorized_parties, …) that the fixtures of clerk_wsgi make"
)
# The fixtures have these of their own.
_NOT_OURS = ("clock", "signing_key")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def clerk_emulator(
    request: pytest.FixtureRequest,
    _clerk_clock: Callable[[], float],
    _clerk_signing_key: SigningKey,
) -> Iterator[Emulator]:
    """A local Clerk in this process, new for each test; Ada Lovelace is its one user.

    The mark ``clerk`` gives it options; a ``seed`` is found below pytest's rootdir. Its clock is
    the real one, unless the test asks for ``frozen_clock``.
    """
    from ..emulator import Emulator

    options, _ = _marked(request)
    emulator = Emulator(clock=_clerk_clock, signing_key=_clerk_signing_key, **options)
    yield emulator
    emulator.faults.clear()  # nobody waits for latency any longer
    # It is closed when nobody has it any more: keys may still be on their way in a thread.


@pytest.fixture
def clerk_server(clerk_emulator: Emulator) -> Iterator[RunningEmulator]:
    """``clerk_emulator`` on a free port of 127.0.0.1, for applications in other processes."""
    from .running import start_emulator

    with start_emulator(emulator=clerk_emulator) as running:
        yield running
        clerk_emulator.faults.clear()


@pytest.fixture
def clerk_environ(clerk_server: RunningEmulator) -> dict[str, str]:
    """The environment variables that let an application in another process use ``clerk_server``."""
    return clerk_server.environ


@pytest.fixture
def clerk(request: pytest.FixtureRequest, clerk_emulator: Emulator) -> Clerk:
    """An instance of ``Clerk`` that knows no other Clerk than ``clerk_emulator``.

    The mark ``clerk`` gives it settings; environment variables and ``.env`` files have no say.
    """
    from .instances import clerk_for

    _, settings = _marked(request)
    return clerk_for(clerk_emulator, **settings)


@pytest.fixture
def default_clerk(clerk: Clerk) -> Iterator[Clerk]:
    """``clerk``, as the default instance for the time of the test.

    ``with_session(app)`` and ``require_session(app)`` use it for what they wrap meanwhile.
    """
    from .instances import as_default

    with as_default(clerk):
        yield clerk


@pytest.fixture
def signed_in(clerk_emulator: Emulator) -> SignIn:
    """``signed_in(client, …)`` lets a client be somebody: ``sign_in`` for ``clerk_emulator``."""
    from .people import sign_in

    return partial(sign_in, clerk_emulator)


@pytest.fixture
def signed_out(clerk_emulator: Emulator) -> SignOut:
    """``signed_out(client)`` lets it be nobody again: ``sign_out`` for ``clerk_emulator``."""
    from .credentials import sign_out

    return partial(sign_out, clerk_emulator)


@pytest.fixture
def clerk_tokens(clerk_emulator: Emulator, _clerk_forger: SigningKey) -> Tokens:
    """Tokens of every class, good and bad, of ``clerk_emulator``."""
    from .tokens import Tokens

    return Tokens(clerk_emulator, forger=_clerk_forger)


@pytest.fixture
def frozen_clock(_clerk_clock: Callable[[], float]) -> FrozenClock:
    """The clock of ``clerk_emulator`` and ``clerk``, standing still until ``tick(seconds)``."""
    from .clock import FrozenClock

    if not isinstance(_clerk_clock, FrozenClock):
        raise pytest.UsageError(
            "frozen_clock: name it in the test's arguments, in usefixtures or in those of another"
            " fixture; whoever asks for it later would freeze nothing"
        )
    return _clerk_clock


@pytest.fixture
def _clerk_clock(request: pytest.FixtureRequest) -> Callable[[], float]:
    """The one clock of a test."""
    if "frozen_clock" in request.fixturenames:
        from .clock import FrozenClock

        return FrozenClock()
    from time import time

    return time


@pytest.fixture(scope="session")
def _clerk_signing_key() -> SigningKey:
    """What every local Clerk of this run signs with: making one takes a while."""
    from ..emulator import SigningKey

    return SigningKey.generate("ins_of_this_test_run")


@pytest.fixture(scope="session")
def _clerk_forger() -> SigningKey:
    """What none of them signs with."""
    from ..emulator import SigningKey

    return SigningKey.generate("ins_of_somebody_else")


def _marked(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return options of the local Clerk and settings of the instance; the closest mark wins.

    ``pytest.UsageError`` for what is neither.
    """
    from ..emulator.app import EmulatorOptions
    from ..settings import SettingArguments

    given: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("clerk"))):
        if mark.args:
            raise pytest.UsageError("the mark clerk takes its options by name")
        given |= mark.kwargs
    ours = EmulatorOptions.__annotations__.keys() - set(_NOT_OURS)
    settings = SettingArguments.__annotations__.keys() - ours
    unknown = sorted(given.keys() - ours - settings)
    if unknown:
        raise pytest.UsageError(f"the mark clerk has no option {', '.join(unknown)}")
    if isinstance(given.get("seed"), (str, PathLike)):
        given["seed"] = request.config.rootpath / given["seed"]
    options = {name: value for name, value in given.items() if name in ours}
    return options, {name: value for name, value in given.items() if name in settings}
