"""One HTTP/1.1 connection that is kept, and the answers on it: as little as the soak needs."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

PATIENCE = 30  # seconds that an answer may take

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *([^\r]*)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: ``location`` is empty if there is none."""

    status: int
    location: str
    body: bytes


class Broken(Exception):
    """No answer in good form, or none at all."""


class Connection:
    """Asks one after the other; a connection that the server has ended is made anew."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> Answer:
        """Return the answer to a request; raises ``Broken``."""
        kept = self._socket is not None
        try:
            return self._exchange(request)
        except (OSError, Broken):
            self.close()
            if not kept:
                raise
        return self._exchange(request)  # it may have waited too long: servers end such

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _exchange(self, request: bytes) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        head, rest = self._head(self._socket)
        status, length = _STATUS.match(head), _LENGTH.search(head)
        if status is None or length is None:
            self.close()
            raise Broken("an answer without a status, or whose length is not told")
        while len(rest) < int(length[1]):
            rest += _more(self._socket)
        if _CLOSES.search(head):
            self.close()
        location = _LOCATION.search(head)
        return Answer(int(status[1]), location[1].decode("latin-1") if location else "", rest)

    def _head(self, sock: socket.socket) -> tuple[bytes, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += _more(sock)
        head, _, rest = received.partition(b"\r\n\r\n")
        return head, rest


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise Broken("the server has ended the connection")
    return data
