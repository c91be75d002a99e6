"""HTTP servers on 127.0.0.1 that answer as badly as a test wants: real sockets, no HTTP library.

What a server does with a request is a behaviour: a function of the ``Conversation``. A server
notes every request, and ends with the ``with`` statement that started it.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Behaviour = Callable[["Conversation"], None]


@dataclass(frozen=True)
class Received:
    """A request as it arrived; names of headers are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Gone(Exception):
    """The client has closed the connection, or the server ends."""


class Conversation:
    """One connection, with the request that is to be answered."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock = sock
        self._stopping = stopping
        self._buffer = b""
        self.request = Received("", "", {}, b"")

    def receive(self) -> Received:
        """Wait for the next request."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        pairs = (line.split(":", 1) for line in head[1:])
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = self._exactly(int(headers.get("content-length", "0")))
        self.request = Received(method, target, headers, body)
        return self.request

    def send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError:
            raise Gone from None

    def drip(self, data: bytes, pause: float = 0.05) -> None:
        """Send one byte after the other."""
        for byte in data:
            self.send(bytes([byte]))
            self.sleep(pause)

    def sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Gone

    def hang_up(self) -> None:
        """Close the connection in good order."""
        raise Gone

    def reset(self) -> None:
        """Close it so that the client gets ECONNRESET."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def secure(self, context: ssl.SSLContext) -> None:
        """Go on in TLS."""
        self._sock = context.wrap_socket(self._sock, server_side=True)

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._more()
        head, self._buffer = self._buffer.split(end, 1)
        return head

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body

    def _more(self) -> None:
        try:
            data = self._sock.recv(65536)
        except OSError:
            raise Gone from None
        if not data:
            raise Gone
        self._buffer += data

    def shut_down(self) -> None:
        """End it from another thread."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._sock.close()


class Server:
    """Listens on a free port or a given one; ``behave`` may be replaced at any time."""

    def __init__(
        self, behave: Behaviour, context: ssl.SSLContext | None = None, *, port: int = 0
    ) -> None:
        self.behave = behave
        self.received: list[Received] = []
        self.connections = 0
        self.slow_to_greet = 0.0  # seconds before a connection is looked at
        self._context = context
        self._stopping = threading.Event()
        self._open: set[Conversation] = set()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def stop(self) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for conversation in list(self._open):
            conversation.shut_down()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._converse, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _converse(self, sock: socket.socket) -> None:
        conversation = Conversation(sock, self._stopping)
        self._open.add(conversation)
        try:
            conversation.sleep(self.slow_to_greet)
            if self._context:
                conversation.secure(self._context)
            while True:
                self.received.append(conversation.receive())
                self.behave(conversation)
        except (Gone, OSError):
            pass
        finally:
            self._open.discard(conversation)
            conversation.close()


@contextmanager
def serving(behave: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run a server for the length of a ``with`` statement."""
    server = Server(behave, context)
    try:
        yield server
    finally:
        server.stop()


# ---- behaviours ----


def response(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """The bytes of an answer in good form."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def sends(data: bytes) -> Behaviour:
    """Send these bytes for every request, and keep the connection."""
    return lambda conversation: conversation.send(data)


def sends_json(document: Any, status: str = "200 OK") -> Behaviour:
    return sends(response(json.dumps(document).encode(), status, "Content-Type: application/json"))


def sends_then_closes(*pieces: bytes) -> Behaviour:
    """Send these bytes, however malformed, and close the connection."""

    def behave(conversation: Conversation) -> None:
        for piece in pieces:
            conversation.send(piece)
        conversation.hang_up()

    return behave


def sends_for_ever(head: bytes, pieces: Iterable[bytes]) -> Behaviour:
    def behave(conversation: Conversation) -> None:
        conversation.send(head)
        for piece in pieces:
            conversation.send(piece)

    return behave


def drips(head: bytes, rest: bytes, pause: float = 0.05) -> Behaviour:
    """Send the head at once and the rest byte by byte."""

    def behave(conversation: Conversation) -> None:
        conversation.send(head)
        conversation.drip(rest, pause)

    return behave


def sleeps(seconds: float) -> Behaviour:
    return lambda conversation: conversation.sleep(seconds)


def resets(conversation: Conversation) -> None:
    conversation.reset()


def hangs_up(conversation: Conversation) -> None:
    conversation.hang_up()


# ---- certificates ----


def self_signed(folder: Path) -> tuple[ssl.SSLContext, str]:
    """TLS as 127.0.0.1 and api.clerk.test, and the file with the certificate to trust."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("api.clerk.test")]
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, str(pem)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def stopwatch() -> Callable[[], float]:
    """Seconds since the call."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
