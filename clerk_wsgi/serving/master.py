"""gunicorn's first process: gunicorn as it is, tied to the command that started it.

``python -m clerk_wsgi.serving.master APP_MODULE [gunicorn's options]``
"""

from __future__ import annotations

import ctypes
import signal
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run gunicorn with the arguments of the command line."""
    from gunicorn.app.wsgiapp import WSGIApplication

    _end_with_parent()
    application: Any = WSGIApplication("%(prog)s [OPTIONS]", prog="gunicorn")
    # Two gunicorns on one machine would fight over the one socket; older ones know of none.
    if "control_socket_disable" in application.cfg.settings:
        application.cfg.set("control_socket_disable", value=True)
    _extend_path(application.cfg.pythonpath or "")
    application.run()


def _end_with_parent() -> None:
    """Ask Linux to stop this process with its parent, should that be killed without a word."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _extend_path(directories: str) -> None:
    """Do early what gunicorn does for ``--pythonpath``, but not before ``--check-config``."""
    for directory in filter(None, directories.split(",")):
        path = str(Path(directory).absolute())
        if path not in sys.path:
            sys.path.insert(0, path)


if __name__ == "__main__":
    main()
