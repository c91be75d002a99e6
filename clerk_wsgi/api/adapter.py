"""An adapter for ``requests`` whose time limit is one: for the whole answer, however it drips.

The time limit of ``requests`` is for each wait on the socket, so a server that sends a byte now and
then is never too slow. Here the time that is left is set before every wait; what may be received
is bounded the same way. This module needs ``requests``: import it only when a call is made.
"""

from __future__ import annotations

import io
import socket
from contextvars import ContextVar
from http.client import HTTPResponse
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util.connection import allowed_gai_family

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

MAX_RECEIVED = 4_000_000  # bytes on the wire for one answer: headers, chunk sizes and all


class _Limits:
    """What one call may still use: time in seconds, bytes to receive; and its query string."""

    def __init__(self, connect: float, total: float) -> None:
        now = monotonic()
        self.query = ""
        self._connect_until = now + min(connect, total)
        self._until = now + total
        self._bytes_left = MAX_RECEIVED

    def connect_seconds(self) -> float:
        return self._left(self._connect_until)

    def seconds(self) -> float:
        return self._left(self._until)

    def receive(self, count: int) -> None:
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise OSError("the answer is too large")

    @staticmethod
    def _left(until: float) -> float:
        left = until - monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole answer is over")
        return left


# A connection is used by many calls, one after the other: this is the call that uses it now.
_limits: ContextVar[_Limits] = ContextVar("clerk_wsgi_limits")


class _LimitedReader(io.RawIOBase):
    """Reads a socket within the limits of a call."""

    def __init__(self, sock: socket.socket, limits: _Limits) -> None:
        self._sock = sock
        self._raw = cast("io.RawIOBase", sock.makefile("rb", buffering=0))
        self._limits = limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._limits.seconds())
        count = self._raw.readinto(buffer)
        self._limits.receive(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _LimitedSocket:
    """What ``http.client`` reads an answer from: a socket as far as it needs one."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_LimitedReader(self._sock, _limits.get()))


class _LimitedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(cast("socket.socket", _LimitedSocket(sock)), *args, **kwargs)


class _Connection(HTTPConnection):
    response_class = _LimitedResponse

    def request(self, method: str, url: str, *args: Any, **options: Any) -> None:
        query = _limits.get().query
        super().request(method, f"{url}?{query}" if query else url, *args, **options)

    def _new_conn(self) -> socket.socket:
        """Connect to one of the host's addresses, dividing the time among those left to try."""
        limits, host = _limits.get(), self.host
        addresses = _addresses_of(host, self.port)
        try:
            while True:
                self.host = addresses.pop(0)
                self.timeout = limits.connect_seconds() / (1 + len(addresses))
                try:
                    return self._connect_once(limits)
                except HTTPError:
                    if not addresses:
                        raise
        finally:
            self.host = host

    def _connect_once(self, limits: _Limits) -> socket.socket:
        sock = super()._new_conn()
        try:
            sock.settimeout(limits.seconds())  # for the TLS handshake
        except TimeoutError:
            sock.close()
            raise
        return sock

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(_limits.get().seconds())
        super().send(data)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS; the methods of ``HTTPSConnection`` come after those above."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _addresses_of(host: str, port: int | None) -> list[str]:
    found = socket.getaddrinfo(host.strip("[]"), port, allowed_gai_family(), socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class DeadlineAdapter(HTTPAdapter):
    """Sends with ``timeout=(connect, total)``, in seconds: ``total`` bounds the whole exchange.

    It never tries a second time. Resolving the host's name is the one thing that can take longer.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _use_limits(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # those have connections of their own
            _use_limits(manager)
        return manager

    def request_url(self, request: PreparedRequest, *args: Any, **options: Any) -> str:
        """Return the target without its query: urllib3 logs it, and a nonce may be in it."""
        url, _, _limits.get().query = super().request_url(request, *args, **options).partition("?")
        return url

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        before = _limits.set(_Limits(*options["timeout"]))
        try:
            response = super().send(request, *args, **options)
        finally:
            _limits.reset(before)
        response.raw.enforce_content_length = True  # urllib3 1.26 takes half an answer for one
        return response


def _use_limits(manager: Any) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
