"""The same application for ``--preload``: the process that forks has keys to hand on."""

from __future__ import annotations

from .served import app, clerk

__all__ = ["app"]

clerk.warm_up()
