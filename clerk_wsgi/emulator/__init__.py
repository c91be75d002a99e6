"""A local Clerk: a WSGI application that behaves like Clerk's API and signs real tokens.

For development and tests. Nothing outside ``testing``, the command line and the demo imports it.
"""

from .app import Emulator, RecordedRequest
from .errors import ConnectionReset, ListenError, NotFound, SeedError, StateError
from .faults import Failure, Faults, RateLimit
from .instance import DEMO_PASSWORD
from .seeding.seeds import Seed, load_seed, seed_from
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
    "RateLimit",
    "RecordedRequest",
    "Seed",
    "SeedError",
    "Server",
    "SigningKey",
    "StateError",
    "forge",
    "load_seed",
    "seed_from",
]
