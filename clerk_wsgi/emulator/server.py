"""Serving a WSGI application by threads, on loopback, with connections that are kept alive.

For development and tests: one process, a thread a connection, bodies of a megabyte at most.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import struct
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, cast
from wsgiref.handlers import SimpleHandler
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from .errors import ConnectionReset, ListenError

if TYPE_CHECKING:
    from typing import IO
    from wsgiref.headers import Headers

    from _typeshed.wsgi import WSGIApplication

_logger = logging.getLogger("clerk_wsgi.emulator")

MAX_LINE = 65536
MAX_BODY = 1 << 20
IDLE_TIMEOUT = 60
STOP_TIMEOUT = 5


class Server:
    """An application being served from construction until ``stop()``.

    Raises ``ListenError`` if the address is in use, unknown, or not this machine's own loopback
    (``allow_remote=True`` lets the network in). ``port=0`` takes a free one; ``url`` tells which.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
    ) -> None:
        self._listener = _listen(host, port, allow_remote=allow_remote)
        self._listener.set_app(app)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.05,), name="clerk-emulator", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.server_port

    @property
    def url(self) -> str:
        """The base URL, as this machine reaches it, without a trailing slash."""
        address = self._address
        if address.is_unspecified:  # all addresses are none to ask
            address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
        host = f"[{address}]" if address.version == 6 else str(address)
        return f"http://{host}:{self.port}"

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines may reach it."""
        return not self._address.is_loopback

    @property
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        return ipaddress.ip_address(self._listener.server_name)

    def stop(self) -> None:
        """Stop listening and end every connection; a second call does nothing."""
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.end_connections()
        self._thread.join(STOP_TIMEOUT)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _listen(host: str, port: int, *, allow_remote: bool) -> _Listener:
    family, address = _resolve(host, port)
    if not allow_remote and not ipaddress.ip_address(address).is_loopback:
        raise ListenError(
            f"{host} is not a loopback address: the local Clerk is for this machine alone, unless"
            " allow_remote=True or --i-know-this-is-not-clerk lets others in"
        )
    listener_type = _Listener6 if family == socket.AF_INET6 else _Listener
    try:
        return listener_type((address, port), _Handler)
    except OSError as error:
        raise ListenError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def _resolve(host: str, port: int) -> tuple[int, str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {host}: {error.strerror}") from error
    family, _, _, _, address = found[0]
    return family, str(address[0])


class _Listener(ThreadingMixIn, WSGIServer):
    """A listening socket that knows its open connections, so that it can end them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        self._open: set[Any] = set()
        self._changed = threading.Condition()
        super().__init__(*args)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the name service for the name of the address.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def end_connections(self) -> None:
        """End what is open, and wait until the threads have noticed."""
        with self._changed:
            for connection in self._open:
                _shut_down(connection)
            self._changed.wait_for(lambda: not self._open, STOP_TIMEOUT)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # a client that went away is no error
            _logger.error("a request failed", exc_info=error)


class _Listener6(_Listener):
    address_family = socket.AF_INET6


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # the client may have been faster
        connection.shutdown(socket.SHUT_RDWR)


def _reset(connection: socket.socket) -> None:
    """End a connection so that the client gets ECONNRESET."""
    at_once = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    connection.close()


class _Handler(WSGIRequestHandler):
    """One connection: requests one after another, their bodies read before they are answered."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT
    disable_nagle_algorithm = True

    def handle(self) -> None:
        # Not WSGIRequestHandler's, which ends the connection after one request.
        BaseHTTPRequestHandler.handle(self)

    def handle_one_request(self) -> None:
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(MAX_LINE + 1)
        if not self.raw_requestline:
            return
        if len(self.raw_requestline) > MAX_LINE:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        if self.parse_request():
            length = self._body_length()
            if length is not None:
                self._answer(self.rfile.read(length))

    def log_message(self, *args: Any) -> None:
        """Log nothing: the application does, with the status and without the query."""

    def _body_length(self) -> int | None:
        """Return how much to read; ``None`` after the request was refused."""
        text = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif not (text.isascii() and text.isdigit()):
            self.send_error(HTTPStatus.BAD_REQUEST)
        elif len(text) > len(str(MAX_BODY)) or int(text) > MAX_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            return int(text)
        return None

    def _answer(self, body: bytes) -> None:
        stdout = cast("IO[bytes]", self.wfile)
        answer = _Answer(BytesIO(body), stdout, sys.stderr, self.get_environ(), multithread=True)
        answer.request_handler = self
        app = cast("WSGIServer", self.server).get_app()
        assert app is not None
        answer.run(app)


class _Answer(ServerHandler):
    """One response; a connection is only kept if its end can be told."""

    http_version = "1.1"
    headers: Headers
    request_handler: BaseHTTPRequestHandler

    def handle_error(self) -> None:
        if isinstance(sys.exc_info()[1], ConnectionReset):
            self.request_handler.close_connection = True
            _reset(self.request_handler.connection)
        else:
            super().handle_error()

    def cleanup_headers(self) -> None:
        SimpleHandler.cleanup_headers(self)
        if "Content-Length" not in self.headers:
            self.request_handler.close_connection = True
        if self.request_handler.close_connection:
            self.headers["Connection"] = "close"
