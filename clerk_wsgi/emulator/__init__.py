"""A local Clerk: a WSGI application that behaves like Clerk's API and signs real tokens.

For development and tests. Nothing outside ``testing``, the command line and the demo imports it.
"""

from .app import Emulator, RecordedRequest
from .errors import ConnectionReset, ListenError, NotFound, StateError
from .faults import Failure, Faults
from .instance import DEMO_PASSWORD
from .server import Server
from .signing import SigningKey, forge
from .store import IN_MEMORY

__all__ = [
    "DEMO_PASSWORD",
    "IN_MEMORY",
    "ConnectionReset",
    "Emulator",
    "Failure",
    "Faults",
    "ListenError",
    "NotFound",
    "RecordedRequest",
    "Server",
    "SigningKey",
    "StateError",
    "forge",
]
