"""Telling objects that the process was forked, so that no lock or socket crosses the fork.

A lock that another thread held at the fork stays locked for ever in the child, and a lock made
before ``gevent`` patched the process blocks all of its greenlets. So nothing of the kind is kept:
objects forget theirs in the child and make new ones when they first need them. This is the one
place with state of the process instead of an instance: a hook cannot be taken back, so there is
exactly one, and it holds the objects weakly.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """Something that owns locks, threads or sockets."""

    def _after_fork(self) -> None:
        """Forget them. Called in the child, with one thread: it must not wait or make new ones."""


_forkables: WeakSet[Forkable] = WeakSet()


def forget_in_child(forkable: Forkable) -> None:
    """Have ``forkable._after_fork()`` called in every child that is forked while it lives."""
    _forkables.add(forkable)


def _tell_child() -> None:
    for forkable in list(_forkables):
        forkable._after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which never forks
    os.register_at_fork(after_in_child=_tell_child)
