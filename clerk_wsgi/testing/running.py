"""A local Clerk that listens for as long as a test needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..emulator import Emulator, Server
from ..emulator.app import EmulatorOptions
from ..emulator.variables import variables_of

if TYPE_CHECKING:
    import os

    from typing_extensions import Unpack


class StartOptions(EmulatorOptions, total=False):
    """The arguments of ``Emulator`` by name."""

    state: str | os.PathLike[str]


class RunningEmulator:
    """An emulator that is being served at ``url`` until ``stop()``."""

    def __init__(self, emulator: Emulator, server: Server, *, owned: bool) -> None:
        self.emulator = emulator
        self.url = server.url
        self._server = server
        self._owned = owned

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    @property
    def environ(self) -> dict[str, str]:
        """The variables that let an application in another process use this local Clerk."""
        return variables_of(self.emulator, self.url)

    def stop(self) -> None:
        """Stop listening and end every connection; a second call does nothing."""
        if self._owned:
            self.emulator.faults.clear()  # nobody waits for latency any longer
        self._server.stop()
        if self._owned:
            self.emulator.close()

    def __enter__(self) -> RunningEmulator:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def start_emulator(
    port: int = 0, *, emulator: Emulator | None = None, **options: Unpack[StartOptions]
) -> RunningEmulator:
    """Return a local Clerk served on 127.0.0.1, on a free port unless one is given.

    ``options`` are ``Emulator``'s. An ``emulator`` of one's own may be served instead; it is not
    closed at the end, and can be served again, as after an outage.
    """
    if emulator is not None and options:
        raise TypeError("give an emulator or the options to make one, not both")
    served = Emulator(**options) if emulator is None else emulator
    try:
        server = Server(served, port=port)
    except BaseException:
        if emulator is None:
            served.close()
        raise
    return RunningEmulator(served, server, owned=emulator is None)
