"""For tests of applications: a local Clerk on a free port, or without any socket at all.

    with start_emulator() as clerk_server:
        clerk = Clerk(secret_key=clerk_server.emulator.secret_key, api_url=clerk_server.url)

    emulator = Emulator()
    clerk = Clerk(secret_key=emulator.secret_key, http=in_process(emulator))

What is made here signs real tokens; nothing of ``clerk_wsgi`` is replaced or patched.
"""

from ..emulator import Emulator
from .in_process import in_process
from .running import RunningEmulator, start_emulator

__all__ = ["Emulator", "RunningEmulator", "in_process", "start_emulator"]
