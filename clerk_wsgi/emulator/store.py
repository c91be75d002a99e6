"""The state of a local Clerk: settings and JSON documents, in memory or in one SQLite file.

Nothing is cached here, so that a second process on the same file sees every change at once.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .objects import Document

IN_MEMORY = ":memory:"
APPLICATION_ID = 0x636C6B77  # "clkw": tells our files from other people's databases
VERSION = 2
BUSY_TIMEOUT = 10.0
_SCHEMA = (
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE objects (
        sequence INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (kind, id)
    )""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)


class Store:
    """One connection, shared by all threads under one lock."""

    def __init__(self, path: str | os.PathLike[str] = IN_MEMORY) -> None:
        """Open the state at ``path``, or make a new one; ``StateError`` if that cannot be."""
        self.path = os.fspath(path)
        self._lock = threading.RLock()
        self._connection = _connect(self.path)
        # A connection that is merely dropped is a ResourceWarning since Python 3.13.
        self.close = weakref.finalize(self, self._connection.close)
        with _translated(self.path), self.transaction():
            self._prepare()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let everything inside happen at once, or not at all; inner ones join the outer one."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        """End a transaction, which a COMMIT that failed has left open, unless SQLite did already.

        What comes after it would join it else, and never be kept.
        """
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def setting(self, name: str) -> str | None:
        """Return a setting's value, or ``None`` if it was never set."""
        rows = self._rows("SELECT value FROM settings WHERE name = ?", name)
        return rows[0][0] if rows else None

    def set_setting(self, name: str, value: str) -> None:
        """Remember a setting."""
        with self.transaction():
            self._connection.execute(
                "INSERT INTO settings (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, value),
            )

    def put(self, document: Document) -> None:
        """Remember an object by its ``object`` and ``id``; one that is there is replaced."""
        with self.transaction():
            self._connection.execute(
                "INSERT INTO objects (kind, id, document) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET document = excluded.document",
                (document["object"], document["id"], json.dumps(document)),
            )

    def delete(self, kind: str, object_id: str) -> None:
        """Forget an object; one that is not there is no error."""
        with self.transaction():
            self._connection.execute(
                "DELETE FROM objects WHERE kind = ? AND id = ?", (kind, object_id)
            )

    def clear(self, *, keep: str) -> None:
        """Forget all objects but those of one kind; settings stay."""
        with self.transaction():
            self._connection.execute("DELETE FROM objects WHERE kind <> ?", (keep,))

    def get(self, kind: str, object_id: str) -> Document | None:
        """Return an object, or ``None``."""
        rows = self._rows("SELECT document FROM objects WHERE kind = ? AND id = ?", kind, object_id)
        return json.loads(rows[0][0]) if rows else None

    def find(self, kind: str, **fields: Any) -> list[Document]:
        """Return the objects of a kind whose fields have these values, oldest first."""
        rows = self._rows("SELECT document FROM objects WHERE kind = ? ORDER BY sequence", kind)
        documents = [json.loads(text) for (text,) in rows]
        return [found for found in documents if _matches(found, fields)]

    def count(self, kind: str) -> int:
        """Return how many objects of a kind there are."""
        return int(self._rows("SELECT count(*) FROM objects WHERE kind = ?", kind)[0][0])

    def first(self, kind: str, most: int) -> list[Document]:
        """Return the oldest objects of a kind, oldest first, without reading the others."""
        statement = "SELECT document FROM objects WHERE kind = ? ORDER BY sequence LIMIT ?"
        return [json.loads(text) for (text,) in self._rows(statement, kind, most)]

    def latest(self, kind: str, most: int) -> list[Document]:
        """Return the newest objects of a kind, newest first, without reading the others."""
        statement = "SELECT document FROM objects WHERE kind = ? ORDER BY sequence DESC LIMIT ?"
        return [json.loads(text) for (text,) in self._rows(statement, kind, most)]

    def _rows(self, statement: str, *values: str | int) -> list[Any]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def _prepare(self) -> None:
        application = self._rows("PRAGMA application_id")[0][0]
        version = self._rows("PRAGMA user_version")[0][0]
        if not self._rows("SELECT name FROM sqlite_master LIMIT 1"):
            for statement in _SCHEMA:
                self._connection.execute(statement)
        elif application != APPLICATION_ID:
            raise StateError(f"{self.path} is the database of another program")
        elif version != VERSION:
            raise StateError(f"{self.path} was written by another version of clerk-wsgi")


def _connect(path: str) -> sqlite3.Connection:
    with _translated(path):
        if path != IN_MEMORY:
            _create_private(path)
        return sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )


def _create_private(path: str) -> None:
    """Make the file readable by its owner alone: it holds a private key."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"cannot open the state {path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StateError(f"cannot open the state {path}: {error}") from error


def _matches(document: Document, fields: dict[str, Any]) -> bool:
    return all(document[name] == value for name, value in fields.items())
