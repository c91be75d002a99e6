"""The little server: connections, limits, and the addresses that it takes."""

from __future__ import annotations

import http.client
import socket
import struct
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from clerk_wsgi.emulator import ListenError, Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with what was received; ``/fail`` fails and ``/stream`` tells no length."""
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise RuntimeError("the application failed")
    body = environ["wsgi.input"].read()
    text = f"{environ['REQUEST_METHOD']} {path} {environ['QUERY_STRING']} ".encode() + body
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter([text, b"!"]) if path == "/stream" else [text]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(echo) as running:
        yield running


def connect(server: Server) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10))


def exchange(server: Server, sent: bytes) -> bytes:
    """Send bytes and return all that comes until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_one_connection_carries_many_requests(server: Server) -> None:
    with connect(server) as connection:
        for number in range(3):
            connection.request("POST", f"/{number}?q=1", body=b"x" * number)
            local = connection.sock.getsockname()
            answer = connection.getresponse()
            assert answer.read() == f"POST /{number} q=1 ".encode() + b"x" * number
            assert connection.sock.getsockname() == local


def test_an_unread_body_does_not_become_the_next_request(server: Server) -> None:
    with connect(server) as connection:
        connection.request("POST", "/fail", body=b"GET /second HTTP/1.1\r\n\r\n")
        answer = connection.getresponse()
        assert answer.status == 500
        answer.read()
        connection.request("GET", "/third")
        assert connection.getresponse().read() == b"GET /third  "


def test_a_failing_application_tells_the_client_nothing(server: Server) -> None:
    with connect(server) as connection:
        connection.request("GET", "/fail")
        assert b"failed" not in connection.getresponse().read()


def test_an_answer_without_a_length_ends_the_connection(server: Server) -> None:
    answer = exchange(server, b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"GET /stream  !")


def test_http_1_0_and_connection_close_end_the_connection(server: Server) -> None:
    assert exchange(server, b"GET / HTTP/1.0\r\n\r\n").endswith(b"GET /  ")
    closing_request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert exchange(server, closing_request).endswith(b"GET /  ")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n", b"411"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"411"),
        (b"Content-Length: x\r\n", b"400"),
        (b"Content-Length: -1\r\n", b"400"),
        (b"Content-Length: \xb2\r\n", b"400"),
        (b"Content-Length: 1048577\r\n", b"413"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", b"413"),
    ],
)
def test_a_body_whose_end_cannot_be_told_or_is_far_is_refused(
    server: Server, headers: bytes, status: bytes
) -> None:
    answer = exchange(server, b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"x" * 65536 + b" HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
    ],
)
def test_nonsense_leaves_the_server_running(server: Server, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    with connect(server) as next_one:
        next_one.request("GET", "/")
        assert next_one.getresponse().status == 200


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"]
)
def test_a_client_that_breaks_off_is_no_news(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], sent: bytes
) -> None:
    with Server(echo) as server:
        for _ in range(5):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            connection.sendall(sent)
            reset_at_once = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_at_once)
            connection.close()
        assert exchange(server, b"GET / HTTP/1.0\r\n\r\n").endswith(b"GET /  ")
    assert caplog.text == ""
    assert capfd.readouterr().err == ""


def test_a_body_of_a_megabyte_is_read(server: Server) -> None:
    with connect(server) as connection:
        connection.request("POST", "/", body=b"x" * 1048576)
        assert len(connection.getresponse().read()) == 1048576 + len("POST /  ")


def test_stop_ends_connections_that_are_kept_alive() -> None:
    server = Server(echo)
    with connect(server) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 3
        assert connection.sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=10)
    server.stop()


def test_a_port_can_be_taken_again_at_once() -> None:
    first = Server(echo)
    with connect(first) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        first.stop()
    with Server(echo, port=first.port) as second, connect(second) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().status == 200


def test_a_port_in_use_is_an_error_that_names_it(server: Server) -> None:
    with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1 port {server.port}: "):
        Server(echo, port=server.port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "8.8.8.8"])
def test_an_address_that_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(ListenError, match="not a loopback address"):
        Server(echo, host=host)


def test_the_network_is_let_in_only_when_told() -> None:
    with Server(echo, host="0.0.0.0", allow_remote=True) as server, connect(server) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().status == 200


@pytest.mark.parametrize(("host", "here"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_the_url_of_all_addresses_is_one_that_this_machine_can_ask(host: str, here: str) -> None:
    try:
        server = Server(echo, host=host, allow_remote=True)
    except ListenError as error:
        pytest.skip(str(error))  # no IPv6 here
    with server:
        assert server.url == f"http://{here}:{server.port}"
        with urllib.request.urlopen(server.url, timeout=10) as answer:
            assert answer.status == 200


def test_a_host_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ListenError, match=r"cannot listen on nowhere\.invalid: "):
        Server(echo, host="nowhere.invalid")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2"])
def test_loopback_has_several_names(host: str) -> None:
    with Server(echo, host=host) as server:
        assert server.url.startswith("http://")
        _assert_reachable(server.url)


def test_the_url_of_an_ipv6_address_has_brackets() -> None:
    try:
        server = Server(echo, host="::1")
    except ListenError as error:
        assert "cannot listen on ::1" in str(error)  # this machine has no IPv6
        return
    with server:
        assert server.url == f"http://[::1]:{server.port}"
        _assert_reachable(server.url)


def _assert_reachable(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        assert answer.status == 200
