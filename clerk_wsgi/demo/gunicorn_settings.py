"""gunicorn's settings for the demo: a module of plain names, as gunicorn wants it."""

from __future__ import annotations

workers = 2
loglevel = "warning"
graceful_timeout = 2
