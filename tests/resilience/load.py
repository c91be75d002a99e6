"""Requests on connections that are kept alive, at a steady rate, each with its answer."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .people import Visit

PATIENCE = 20.0  # seconds after which an answer is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A visit and how it was answered; ``status`` 0 is a connection that broke.

    ``at`` is the monotonic time when it was sent, ``seconds`` how long the answer took.
    """

    visit: Visit
    status: int
    headers: dict[str, str]
    body: bytes
    at: float
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """What the application said; nothing if it was not called."""
        return dict(json.loads(self.body)) if self.status == 200 else {}

    @property
    def user(self) -> str | None:
        user: str | None = self.document.get("user_id")
        return user


def workers_of(shots: Iterable[Shot]) -> set[int]:
    """Return the workers that have answered, by process id."""
    return {shot.document["pid"] for shot in shots}


class Broken(Exception):
    """The connection ended without a whole answer; ``received`` says how much there was."""

    def __init__(self, received: int) -> None:
        super().__init__(received)
        self.received = received


class Line:
    """A connection of one client, opened when needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sock: socket.socket | None = None

    def ask(self, visit: Visit) -> Shot:
        at = time.monotonic()
        try:
            status, headers, body = self._exchange(visit.request)
        except (Broken, OSError):
            self.close()
            status, headers, body = 0, {}, b""
        return Shot(
            visit=visit,
            status=status,
            headers=headers,
            body=body,
            at=at,
            seconds=time.monotonic() - at,
        )

    def _exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Ask; once more if the server had closed a kept connection, as every client does."""
        was_open = self._sock is not None
        try:
            return self._once(request)
        except (Broken, ConnectionError) as error:
            self.close()
            if not was_open or (isinstance(error, Broken) and error.received):
                raise
        return self._once(request)

    def _once(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._sock is None:
            self._sock = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        self._sock.sendall(request)
        head, _, body = self._receive(b"").partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): text for name, _, text in (s.partition(": ") for s in lines[1:])}
        while len(body) < int(headers["content-length"]):
            body += self._more(len(body))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(lines[0].split(" ", 2)[1]), headers, body

    def _receive(self, data: bytes) -> bytes:
        while b"\r\n\r\n" not in data:
            data += self._more(len(data))
        return data

    def _more(self, received: int) -> bytes:
        assert self._sock is not None
        data = self._sock.recv(65536)
        if not data:
            raise Broken(received)
        return data

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


def ask(port: int, visit: Visit) -> Shot:
    """Ask on a connection of its own."""
    line = Line(port)
    try:
        return line.ask(visit)
    finally:
        line.close()


@contextmanager
def loading(
    port: int, visits: Iterable[Visit], *, rate: float = 80.0, lines: int = 4
) -> Iterator[list[Shot]]:
    """Send the visits while the ``with`` statement lasts; the list grows.

    ``rate`` is in requests per second, all lines together. A line has one request under way at a
    time, so a slow server gets fewer. The order is that of the visits, each is sent once.
    """
    shots: list[Shot] = []
    queue, stopping = iter(visits), threading.Event()
    threads = [
        threading.Thread(target=_keep_asking, args=(port, queue, lines / rate, stopping, shots))
        for _ in range(lines)
    ]
    for thread in threads:
        thread.start()
    try:
        yield shots
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _keep_asking(
    port: int,
    queue: Iterator[Visit],
    pause: float,
    stopping: threading.Event,
    shots: list[Shot],
) -> None:
    line, due = Line(port), time.monotonic()
    try:
        while not stopping.wait(max(0.0, due - time.monotonic())):
            visit = next(queue, None)
            if visit is None:
                return
            shots.append(line.ask(visit))
            due = max(due + pause, time.monotonic() - pause)
    finally:
        line.close()


def during(
    seconds: float, port: int, visits: Iterable[Visit], *, rate: float = 80.0, lines: int = 4
) -> list[Shot]:
    """Return what so many seconds of load were answered."""
    with loading(port, visits, rate=rate, lines=lines) as shots:
        time.sleep(seconds)
    return shots


def healthy_load(
    seconds: float, port: int, visits: Iterable[Visit], *, rate: float = 80.0, lines: int = 4
) -> list[Shot]:
    """Return what to compare with: the same load, the server and its memory warm."""
    during(0.8, port, visits, rate=500, lines=lines)
    return during(seconds, port, visits, rate=rate, lines=lines)
