"""Clerk's Backend API as far as keys go, switched from outside while it runs."""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..servers import Received, Server, response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..minting import Minter
    from ..servers import Behaviour, Conversation

JSON = "Content-Type: application/json"


class Upstream:
    """Publishes keys on a port of its own, or behaves as badly as it is told to.

    ``fetched_at`` has the monotonic time of each request, ``published_at`` of each that got keys,
    ``most_open`` how many connections were open at once when one came.
    """

    def __init__(self, *minters: Minter) -> None:
        self.fetched_at: list[float] = []
        self.published_at: list[float] = []
        self.most_open = 0
        self._reserved = reserved_port()
        self.port: int = self._reserved.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: Server | None = None
        self._past: list[Server] = []
        self.publish(*minters)

    @property
    def fetches(self) -> int:
        return len(self.fetched_at)

    @property
    def received(self) -> list[Received]:
        return [received for server in self._past for received in server.received]

    @property
    def connections(self) -> int:
        return sum(server.connections for server in self._past)

    def publish(self, *minters: Minter, delay: float = 0.0) -> None:
        """Answer with these keys, so many seconds late."""
        self.suffer(self.publishing(*minters, delay=delay))

    def publishing(self, *minters: Minter, delay: float = 0.0) -> Behaviour:
        """Publish keys; the cookie is for nobody to keep."""
        body = json.dumps({"keys": [minter.jwk() for minter in minters]}).encode()
        answer = response(body, "200 OK", JSON, "Set-Cookie: __session=hostile; Path=/")

        def behave(conversation: Conversation) -> None:
            conversation.sleep(delay)
            conversation.send(answer)
            self.published_at.append(time.monotonic())

        return behave

    def suffer(self, behave: Behaviour) -> None:
        """Behave so from now on."""
        self._behave = behave
        if self._server is None:
            self._server = Server(self._answer, port=self.port)
            self._past.append(self._server)

    def vanish(self) -> None:
        """Close all connections, and refuse new ones until there is something to answer."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def stop(self) -> None:
        self.vanish()
        self._reserved.close()

    def _answer(self, conversation: Conversation) -> None:
        self.fetched_at.append(time.monotonic())
        if self._server is not None:
            self.most_open = max(self.most_open, self._server.open_connections)
        self._behave(conversation)


def reserved_port() -> socket.socket:
    """A free port that nobody is given while this socket is open, but who asks for it by number."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


@contextmanager
def running(*minters: Minter) -> Iterator[Upstream]:
    """Run one for the length of a ``with`` statement."""
    upstream = Upstream(*minters)
    try:
        yield upstream
    finally:
        upstream.stop()


def most_within(seconds: float, times: list[float]) -> int:
    """Return how many of the times lie in the busiest stretch of so many seconds."""
    return max((sum(start <= t < start + seconds for t in times) for start in times), default=0)
