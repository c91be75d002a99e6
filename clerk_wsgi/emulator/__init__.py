"""A local Clerk: a WSGI application that behaves like Clerk's API and signs real tokens.

For development and tests. Nothing outside ``testing``, the command line and the demo imports it.
"""

from .app import Emulator, RecordedRequest
from .errors import ListenError, NotFound, StateError
from .server import Server
from .signing import SigningKey, forge
from .store import IN_MEMORY

__all__ = [
    "IN_MEMORY",
    "Emulator",
    "ListenError",
    "NotFound",
    "RecordedRequest",
    "Server",
    "SigningKey",
    "StateError",
    "forge",
]
