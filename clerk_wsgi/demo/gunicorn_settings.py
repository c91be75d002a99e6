"""gunicorn's settings for the demo: a module of plain names, as gunicorn wants it.

Names that a version of gunicorn does not know are ignored by it.
"""

from __future__ import annotations

import ctypes
import signal
import sys

workers = 2
loglevel = "warning"
graceful_timeout = 2
# Two demos on one machine would fight over the one socket.
control_socket_disable = True

PR_SET_PDEATHSIG = 1


def on_starting(server: object) -> None:
    """Ask Linux to stop gunicorn with the demo, should the demo be killed without a word."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
